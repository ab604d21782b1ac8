"""The classical end of the path: weighted least squares on the linear part alone."""

import numpy as np

from nnecon.estimation.kernels import roots
from nnecon.nets import LinearPart


def least_squares(
    network: LinearPart, inputs: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Parameters with the neural part at zero, shape (k,): the minimum-norm WLS solution."""
    params = np.zeros(network.n_params)
    if network.n_linear:
        root = roots(weights)
        linear = inputs[:, : network.n_linear] * root[:, None]
        params[: network.n_linear] = np.linalg.lstsq(linear, target * root, rcond=None)[0]
    return params
