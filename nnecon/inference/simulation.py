r"""Simulated futures of a system whose equations are linear parts beside networks.

.. math:: y_t = c + B x_t + g(y_{t-1}, y_{t-2}, \dots; \theta) + u_t

is iterated from the last periods of the data with shocks that are given. Series whose values are
imposed take them, and the shocks of the others in that period are those given the imposed ones:
with :math:`e_c` what the imposed values need,
:math:`u_f + \Sigma_{fc} \Sigma_{cc}^{-1} (e_c - u_c)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.data.windows import Layout, raw_rows
from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision
from nnecon.nets import LinearPart


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """Equations of all m series, as numbers.

    Parameters
    ----------
    network : LinearPart
        The network of every equation that has one.
    layout : Layout
        What a row is made of.
    shift, scale : ndarray of shape (r,)
        Standardisation of the rows.
    target_shift, target_scale : ndarray of shape (m,)
        Standardisation of the series as they are explained.
    linear : ndarray of shape (p, m)
        Standardised coefficients of the linear parts, the mean over draws.
    live : ndarray of int of shape (l,)
        Equations with a network.
    networks : ndarray of shape (l, d, k)
        Standardised parameters of their d draws, with zeros for the linear part.
    covariance : ndarray of shape (m, m)
        Covariance of the shocks, in the units of the series.
    """

    network: LinearPart
    layout: Layout
    shift: np.ndarray
    scale: np.ndarray
    target_shift: np.ndarray
    target_scale: np.ndarray
    linear: np.ndarray
    live: np.ndarray
    networks: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """The periods that are simulated.

    Parameters
    ----------
    buffer : ndarray of shape (reach, m) or (paths, reach, m)
        The last values before, in order of time; NaN where the data do not reach.
    templates : ndarray of shape (h, r) or (h, paths, r)
        Rows of the h periods with all that is no lag in place.
    imposed : ndarray of shape (h, m) or (h, paths, m)
        Values that some series take; NaN where they are free.
    gains : ndarray of shape (h, m, m)
        What a surprise in imposed series says about all of them.
    """

    buffer: np.ndarray
    templates: np.ndarray
    imposed: np.ndarray
    gains: np.ndarray


def scenario(
    layout: Layout,
    covariance: np.ndarray,
    history: np.ndarray,
    known: np.ndarray,
    imposed: np.ndarray,
) -> Scenario:
    """Prepare the periods after a history.

    Parameters
    ----------
    layout : Layout
        What a row is made of.
    covariance : ndarray of shape (m, m)
        Of the shocks.
    history : ndarray of shape (n, m)
        Series, in order of time.
    known : ndarray of shape (n + h, k)
        Known regressors of past and future.
    imposed : ndarray of shape (h, m)
        Values that some series take; NaN where they are free.
    """
    steps, m = imposed.shape
    n, reach = len(history), layout.reach
    # what is no lag comes from rows in which the future has values
    extended = np.concatenate([history, np.zeros((steps, m))])
    templates = raw_rows(layout, extended, known, n + np.arange(steps))
    buffer = np.full((reach, m), np.nan)
    buffer[max(reach - n, 0) :] = history[max(n - reach, 0) :]
    gains = np.zeros((steps, m, m))
    for step, given in enumerate(np.isfinite(imposed)):
        if given.any():
            inside = covariance[np.ix_(given, given)]
            gains[step][:, given] = np.linalg.solve(inside, covariance[given]).T
    return Scenario(buffer, templates, imposed, gains)


@lru_cache(maxsize=32)
def _kernel(network: LinearPart, layout: Layout) -> Callable[..., jax.Array]:
    lags, series = layout.sources()
    places = np.where(lags > 0, layout.reach - lags, 0)
    from_past = jnp.asarray(lags > 0)
    p = layout.n_linear

    def values(params, move, rows):
        """Network's values on all rows, linear in the move away from its parameters."""
        if move is None:
            return jax.vmap(network.apply, in_axes=(None, 0))(params, rows)

        def moved(row):
            at = partial(network.apply, row=row)
            value, change = jax.jvp(at, (params,), (move,))
            return value + change

        return jax.vmap(moved)(rows)

    def mean(linear, networks, moves, spread, rows, target_shift, target_scale):
        """Conditional means of all series, shape (rows, m)."""
        total = rows[:, :p] @ linear
        if networks.shape[0]:
            along = None if moves is None else 0
            by_draw = jax.vmap(values, (0, along, None))
            parts = jax.vmap(by_draw, (0, along, None))(networks, moves, rows)
            total = total + parts.mean(axis=1).T @ spread
        return target_shift + target_scale * total

    def simulate(
        linear, networks, moves, spread, shift, scale, location, size, start, steps, shocks
    ):
        buffer = jnp.broadcast_to(start, (shocks.shape[0], *start.shape[-2:]))

        def advance(past, period):
            template, imposed, gain, shock = period
            raw = jnp.where(from_past, past[:, places, series], template)
            rows = jnp.nan_to_num((raw - shift) / scale)
            free = mean(linear, networks, moves, spread, rows, location, size) + shock
            surprise = jnp.where(jnp.isnan(imposed), 0.0, imposed - free)
            new = free + surprise @ gain.T
            return jnp.concatenate([past[:, 1:], new[:, None]], axis=1), new

        _, paths = jax.lax.scan(advance, buffer, (*steps, jnp.swapaxes(shocks, 0, 1)))
        return jnp.swapaxes(paths, 0, 1)

    return cached_jit(simulate)


def simulate(
    system: System,
    periods: Scenario,
    shocks: np.ndarray,
    linear: np.ndarray | None = None,
    networks: np.ndarray | None = None,
    moves: np.ndarray | None = None,
) -> np.ndarray:
    """Paths of all series.

    Parameters
    ----------
    system : System
        The equations.
    periods : Scenario
        What is known about the h periods.
    shocks : ndarray of shape (paths, h, m)
        In the units of the series.
    linear, networks : ndarray, optional
        Other parameters than the estimates, such as those of one start.
    moves : ndarray of shape (l, d, k), optional
        Changes of the networks' parameters, to which the networks are taken as linear.

    Returns
    -------
    ndarray of shape (paths, h, m)
    """
    linear = system.linear if linear is None else linear
    networks = system.networks if networks is None else networks
    spread = np.eye(len(system.target_scale))[system.live]
    kernel = _kernel(system.network, system.layout)
    with double_precision():
        found = kernel(
            linear, networks, moves, spread, system.shift, system.scale, system.target_shift,
            system.target_scale, periods.buffer,
            (periods.templates, periods.imposed, periods.gains), shocks,
        )  # fmt: skip
        return np.asarray(found)


def draw_shocks(
    kind: str,
    covariance: np.ndarray,
    residuals: np.ndarray,
    paths: int,
    steps: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Shocks whose mean over paths is zero in every period, shape (paths, h, m).

    Parameters
    ----------
    kind : {"normal", "bootstrap"}
        Normal shocks come in pairs of opposite sign (antithetic); bootstrapped ones are residuals
        of all equations in the same period, drawn with replacement.
    covariance : ndarray of shape (m, m)
        Of the shocks.
    residuals : ndarray of shape (n, m)
        Scaled to that covariance.
    paths, steps : int
        How many.
    rng : numpy.random.Generator
    """
    m = len(covariance)
    if kind == "normal":
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        half = rng.standard_normal(((paths + 1) // 2, steps, m)) @ root.T
        return np.concatenate([half, -half])[:paths]
    drawn = residuals[rng.integers(len(residuals), size=(paths, steps))]
    return drawn - drawn.mean(axis=0)
