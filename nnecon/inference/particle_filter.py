r"""Likelihood of a state-space network by a particle filter, to check the Kalman filter's.

States are drawn, :math:`h_t^{(i)} \sim p(h_t \mid h_{t-1}^{(i)}, y_{t-1})`, weighted by the density
of the observations and resampled (Gordon, Salmond and Smith, 1993), with systematic resampling. The
mean of the weights estimates :math:`p(y_t \mid y_1, \dots, y_{t-1})` without bias; nothing is
linearised.
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
        With normal errors whose covariance is not singular, and no diffuse start.
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
    covariance = parts.factor @ parts.factor.T
    activate = SLOPES[network.activation]
    states = first + rng.standard_normal((particles, len(first))) @ _root(spread).T
    past = np.broadcast_to(rows.past[0], (particles, *rows.past[0].shape)).copy()
    llf = np.zeros(len(rows.series))
    for t, observed in enumerate(rows.series):
        exog = rows.exog[t]
        if t > 0:
            entering = np.broadcast_to(exog[list(network.seen)], (particles, len(network.seen)))
            if network.innovations:
                entering = np.concatenate([past[:, 0], entering], axis=1)
            inside = parts.bias + entering @ parts.inputs.T + states @ parts.transition.T
            noise = rng.standard_normal(states.shape) @ parts.state_factor.T
            states = activate(inside)[0] + noise
        lagged = np.einsum("lij,rlj->ri", parts.lags, past[:, : network.lags])
        mean = parts.const + parts.exog @ exog + lagged + states @ parts.loading.T
        drawn, density = _observe(mean, observed, covariance, rng)
        top = density.max()
        weights = np.exp(density - top)
        llf[t] = top + np.log(weights.mean())
        if network.reach:
            past = np.concatenate([drawn[:, None], past[:, :-1]], axis=1)
        chosen = _systematic(weights / weights.sum(), rng)
        states, past = states[chosen], past[chosen]
    return llf


def _observe(mean, observed, covariance, rng) -> tuple[np.ndarray, np.ndarray]:
    """Series (r, m), missing ones drawn given the others, and the density (r,) of the others."""
    there = np.isfinite(observed)
    gap = observed[there] - mean[:, there]
    drawn = np.broadcast_to(observed, mean.shape).copy()
    own = covariance[np.ix_(there, there)]
    density = np.zeros(len(mean))
    if there.any():
        root = linalg.cholesky(own, lower=True)
        scaled = linalg.solve_triangular(root, gap.T, lower=True)
        determinant = np.log(np.diag(root)).sum()
        density = -0.5 * (there.sum() * LOG_2PI + (scaled**2).sum(axis=0)) - determinant
    if not there.all():
        cross = covariance[np.ix_(~there, there)]
        gain = cross @ np.linalg.inv(own) if there.any() else cross
        left = covariance[np.ix_(~there, ~there)] - gain @ cross.T
        noise = rng.standard_normal((len(mean), int((~there).sum()))) @ _root(left).T
        drawn[:, ~there] = mean[:, ~there] + gap @ gain.T + noise
    return drawn, density


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _systematic(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the particles that go on."""
    points = (rng.random() + np.arange(len(weights))) / len(weights)
    edges = np.cumsum(weights)
    return np.minimum(np.searchsorted(edges, points), len(weights) - 1)
