r"""Likelihood of a state-space network by a particle filter, to check the Kalman filter's.

Given the state before, state and series of a period are jointly normal, so that particles are
weighted by :math:`p(y_t \mid h_{t-1}^{(i)}, y_{t-1})`, resampled, and moved by draws of
:math:`h_t` given :math:`h_{t-1}^{(i)}` and :math:`y_t` (the fully adapted filter of Pitt and
Shephard, 1999), with systematic resampling. The mean of the weights estimates
:math:`p(y_t \mid y_1, \dots, y_{t-1})` without bias; nothing is linearised, and small errors of
the series, which leave few particles of the plain filter alive, do no harm.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg

from nnecon.estimation.innovations import LOG_2PI, Rows
from nnecon.estimation.kalman import first_moments
from nnecon.estimation.kernels import double_precision
from nnecon.nets import StateSpaceNetwork
from nnecon.nets.activations import SLOPES


def particle_loglike(
    network: StateSpaceNetwork,
    params: np.ndarray,
    rows: Rows,
    particles: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Log-likelihood of each row, shape (n,), estimated with so many particles.

    Parameters
    ----------
    network : StateSpaceNetwork
        With normal errors and no diffuse start; the covariance of the series given the state before
        is not singular.
    params : ndarray of shape (k,)
        Standardised parameters.
    rows : Rows
        Series may be missing.
    particles : int
    rng : numpy.random.Generator
    """
    with double_precision():
        parts = network.unpack(jnp.asarray(params))
        moments = first_moments(network, parts, rows)
        first, spread, _ = (np.asarray(each) for each in moments)
        # NumPy from here on
        parts = jax.tree.map(np.asarray, parts)
    activate = SLOPES[network.activation]
    k = network.n_states
    means = np.broadcast_to(first, (particles, k))
    past = np.broadcast_to(rows.past[0], (particles, *rows.past[0].shape)).copy()
    joint = _joint(parts, spread)
    later = _joint(parts, parts.state_factor @ parts.state_factor.T)
    llf = np.zeros(len(rows.series))
    for t, observed in enumerate(rows.series):
        exog = rows.exog[t]
        lagged = np.einsum("lij,rlj->ri", parts.lags, past[:, : network.lags])
        series = parts.const + parts.exog @ exog + lagged + means @ parts.loading.T
        both = np.concatenate([means, series], axis=1)
        there = np.flatnonzero(np.isfinite(observed))
        density, gain, left = _given(joint, k + there, observed[there] - series[:, there])
        top = density.max()
        weights = np.exp(density - top)
        llf[t] = top + np.log(weights.mean())
        chosen = _systematic(weights / weights.sum(), rng)
        drawn = both[chosen] + (observed[there] - series[chosen][:, there]) @ gain.T
        drawn = drawn + rng.standard_normal(drawn.shape) @ _root(left).T
        states, values = drawn[:, :k], drawn[:, k:]
        values[:, there] = observed[there]
        if network.reach:
            past = np.concatenate([values[:, None], past[chosen][:, :-1]], axis=1)
        if t + 1 < len(rows.series):
            seen = np.broadcast_to(
                rows.exog[t + 1][list(network.seen)], (particles, len(network.seen))
            )
            entering = (
                np.concatenate([past[:, 0], seen], axis=1) if network.innovations else seen
            )  # fmt: skip
            inside = parts.bias + entering @ parts.inputs.T + states @ parts.transition.T
            means, joint = activate(inside)[0], later
    return llf


def _joint(parts, spread: np.ndarray) -> np.ndarray:
    """Covariance (k + m, k + m) of states and series, given the states before."""
    into = np.concatenate([np.eye(len(spread)), parts.loading])
    found = into @ spread @ into.T
    k = len(spread)
    found[k:, k:] += parts.factor @ parts.factor.T
    return found


def _given(joint: np.ndarray, there: np.ndarray, gap: np.ndarray):
    """Density (r,) of what is observed; gain and covariance of the rest given it."""
    if not len(there):
        return np.zeros(len(gap)), joint[:, there], joint
    root = linalg.cholesky(joint[np.ix_(there, there)], lower=True)
    scaled = linalg.solve_triangular(root, gap.T, lower=True)
    determinant = np.log(np.diag(root)).sum()
    density = -0.5 * (len(there) * LOG_2PI + (scaled**2).sum(axis=0)) - determinant
    gain = linalg.cho_solve((root, True), joint[there]).T
    return density, gain, joint - gain @ joint[there]


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _systematic(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the particles that go on."""
    points = (rng.random() + np.arange(len(weights))) / len(weights)
    edges = np.cumsum(weights)
    return np.minimum(np.searchsorted(edges, points), len(weights) - 1)
