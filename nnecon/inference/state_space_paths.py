r"""Futures of a state-space network: simulated paths, responses to shocks, stability.

All in standardised units. A path goes on from a state :math:`h` and the last periods of the series,

.. math::

    h_t = g(b + W h_{t-1} + U [y_{t-1}, x_t]) + \eta_t, \qquad
    y_t = c + \sum_l A_l y_{t-l} + B x_t + V h_t + \varepsilon_t.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision
from nnecon.nets import StateSpaceNetwork


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where paths begin.

    Parameters
    ----------
    states : ndarray of shape (r, k)
        States of the period before.
    past : ndarray of shape (r, q, m)
        Series of the periods before, the last first.
    exog : ndarray of shape (r, h, x)
        Known regressors of the periods of the path.
    """

    states: np.ndarray
    past: np.ndarray
    exog: np.ndarray


@lru_cache(maxsize=32)
def _kernels(network: StateSpaceNetwork) -> tuple[Callable, Callable]:
    def path(params, state, past, exog, errors, noise):
        parts = network.unpack(params)

        def advance(carry, period):
            before, history = carry
            known, error, shock = period
            entering = parts.bias + parts.inputs @ network.seen_inputs(history[0], known)
            new = network.advance(parts, before, entering) + shock
            value = network.mean(parts, new, history, known) + error
            return (new, jnp.concatenate([value[None], history[:-1]])), (value, new)

        return jax.lax.scan(advance, (state, past), (exog, errors, noise))[1]

    def derivative(params, state, past, exog):
        steps, m, k = exog.shape[0], network.n_series, network.n_states

        def shocked(first):
            errors = jnp.zeros((steps, m)).at[0].set(first[:m])
            noise = jnp.zeros((steps, k)).at[0].set(first[m:])
            return path(params, state, past, exog, errors, noise)[0]

        return jax.jacfwd(shocked)(jnp.zeros(m + k))

    many = jax.vmap(path, in_axes=(None, 0, 0, 0, 0, 0))
    return cached_jit(many), cached_jit(derivative)


def simulate(
    network: StateSpaceNetwork,
    params: np.ndarray,
    origin: Origin,
    errors: np.ndarray,
    noise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Paths of the series (r, h, m) and of the states (r, h, k).

    Parameters
    ----------
    network : StateSpaceNetwork
    params : ndarray of shape (p,)
    origin : Origin
    errors : ndarray of shape (r, h, m)
    noise : ndarray of shape (r, h, k)
    """
    with double_precision():
        given = params, origin.states, origin.past, origin.exog, errors, noise
        series, states = _kernels(network)[0](*given)
        return np.asarray(series), np.asarray(states)


def linear_responses(network: StateSpaceNetwork, params: np.ndarray, origin: Origin) -> np.ndarray:
    """Derivatives of a path by shocks in its first period, shape (h, m, m + k).

    Errors of the series come first, then the noise of the states. ``origin`` has one path. In a
    linear system these are its responses, wherever the path begins.
    """
    with double_precision():
        given = params, origin.states[0], origin.past[0], origin.exog[0]
        return np.asarray(_kernels(network)[1](*given))


def draw_errors(
    network: StateSpaceNetwork, params: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Errors (r, h, m) and noise (r, h, k), paths in pairs of opposite sign."""
    with double_precision():
        parts = network.unpack(jnp.asarray(params))
        factor, root, df = (np.asarray(a) for a in (parts.factor, parts.state_factor, parts.df))
    paths, steps = shape
    half = (paths + 1) // 2
    m, k = network.n_series, network.n_states
    errors = rng.standard_normal((half, steps, m))
    if network.student:
        errors *= np.sqrt(df / rng.chisquare(df, size=(half, steps, 1)))
    errors = errors @ factor.T
    noise = rng.standard_normal((half, steps, k)) @ root.T
    return (
        np.concatenate([errors, -errors])[:paths],
        np.concatenate([noise, -noise])[:paths],
    )


def draw_states(
    mean: np.ndarray, covariance: np.ndarray, paths: int, rng: np.random.Generator
) -> np.ndarray:
    """Normal draws (paths, s) in pairs of opposite sign; the covariance may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    half = rng.standard_normal(((paths + 1) // 2, len(mean))) @ root.T
    return mean + np.concatenate([half, -half])[:paths]


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """Stability of a system along the sample.

    Parameters
    ----------
    radius : ndarray of shape (n,)
        Spectral radius of the linearised transition in each period.
    exponent : float
        Largest Lyapunov exponent: the mean rate at which nearby paths part in a period. Negative
        where they come together.
    """

    radius: np.ndarray
    exponent: float

    @property
    def unstable(self) -> bool:
        """Whether paths part faster than a trend would in this sample."""
        n = len(self.radius)
        return self.exponent > 2.0 * np.log(max(n, 2)) / max(n, 2)


def stability(transitions: np.ndarray) -> Stability:
    """Stability from the linearised transitions (n, s, s) of n periods in order.

    The exponent is the mean logarithm of the first diagonal element of QR factors of the running
    product (Eckmann and Ruelle, 1985).
    """
    radius = np.abs(np.linalg.eigvals(transitions)).max(axis=1)
    s = transitions.shape[1]
    basis, total = np.eye(s), np.zeros(s)
    for matrix in transitions:
        basis, triangle = np.linalg.qr(matrix @ basis)
        total += np.log(np.maximum(np.abs(np.diag(triangle)), 1e-300))
    return Stability(radius, float(total.max() / len(transitions)))
