r"""How far the extended Kalman filter has to carry its straight line.

The filter replaces :math:`g(a)` by its tangent at the mean of
:math:`a_t = b + W h_{t-1} + U [y_{t-1}, x_t]`. How wrong that is depends on how much :math:`a_t` is
spread given the past, in units in which activations bend.
"""

import numpy as np

from nnecon.nets import StateSpaceNetwork

RANGE = 0.5
"""Mean standard deviation up to which the filter's likelihood was within 1% of a particle filter's.
"""


def entering_deviations(
    network: StateSpaceNetwork, params: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Standard deviations (n, k) of what enters the activations of the period after each row.

    Parameters
    ----------
    network : StateSpaceNetwork
    params : ndarray of shape (p,)
        Standardised parameters.
    covariance : ndarray of shape (n, s, s)
        Of states, and of the series behind them where the filter has these, after each row.
    """
    m, k = network.n_series, network.n_states
    where, shape = network.blocks["transition"]
    into = np.zeros((k, covariance.shape[1]))
    into[:, :k] = params[where].reshape(shape)
    if network.innovations:
        where, shape = network.blocks["inputs"]
        into[:, k : k + m] = params[where].reshape(shape)[:, :m]
    variance = np.einsum("ks,nst,kt->nk", into, covariance, into)
    return np.sqrt(np.maximum(variance, 0.0))
