"""Estimates that leave rows out, and what conformal intervals need of them."""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.bootstrap import draw_weights, refit
from nnecon.estimation.estimate import Solver
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import fitted_many
from nnecon.estimation.problem import Objective
from nnecon.exceptions import ConvergenceError, SpecificationError
from nnecon.inference.intervals.conformal import PlusBand, SeriesBand
from nnecon.inference.intervals.local_scale import estimate_scale
from nnecon.nets import Network

BATCH = 2**24
"""Weights that are held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """The estimate whose procedure is repeated.

    Parameters
    ----------
    objective : Objective
        The problem of one network.
    network : Network
        What predicts: the same network, or the mean of several.
    params : ndarray of shape (k,)
        The estimate; of several networks side by side.
    alpha : float
        Its penalty, infinite for the classical model. It is kept.
    weights : ndarray of shape (n,)
        Observation weights: variances are proportional to ``1 / weights``.
    """

    objective: Objective
    network: Network
    params: np.ndarray
    alpha: float
    weights: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """Root of the variance of each row relative to weight one."""
        return 1.0 / np.sqrt(self.weights)


def leave_out(
    original: Original, part: np.ndarray, solver: Solver, execution: Execution = LOCAL
) -> np.ndarray:
    """Estimates that leave out one part of the rows each, shape (s, k).

    Parameters
    ----------
    original : Original
        The estimate.
    part : ndarray of int of shape (n,)
        Number of the part that a row belongs to; -1 for rows that are never left out.
    solver, execution
        The algorithm, and where it runs.

    Raises
    ------
    ConvergenceError
        An estimate is not finite.
    """
    count = int(part.max()) + 1
    step = max(1, BATCH // len(part))
    found = []
    for first in range(0, count, step):
        numbers = np.arange(first, min(first + step, count))
        weights = original.weights * (part != numbers[:, None])
        found.append(
            refit(
                original.objective,
                original.params,
                original.alpha,
                weights=weights,
                solver=solver,
                execution=execution,
            ).params
        )
    return _finite(np.concatenate(found))


def _finite(params: np.ndarray) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(params).all(axis=1))
    if len(bad):
        raise ConvergenceError(
            f"{len(bad)} of {len(params)} estimates that leave rows out are not finite; use a "
            "larger alpha, or interval='delta'."
        )
    return params


def plus_band(
    original: Original,
    params: np.ndarray,
    part: np.ndarray,
    rows: np.ndarray,
    spread: np.ndarray,
    scaled: bool,
    execution: Execution = LOCAL,
) -> PlusBand:
    """Split, CV+ or jackknife+ intervals from estimates that leave out each part.

    Parameters
    ----------
    original, part
        As in :func:`leave_out`.
    params : ndarray of shape (s, k)
        What it returns.
    rows : ndarray of shape (m, r)
        Where intervals are wanted, with their known ``spread`` (m,).
    scaled : bool
        Whether the spread is estimated besides.
    """
    inputs, target = original.objective.inputs, original.objective.target
    scored = np.flatnonzero(part >= 0)
    own = part[scored]
    local, width = None, original.spread[scored]
    if scaled:
        # each estimate of the spread sees the rows that the estimate of the mean sees
        residuals = target - fitted_many(original.network, params, inputs)
        used = part != np.arange(len(params))[:, None]
        local = estimate_scale(inputs, residuals / original.spread, used, execution)
        residual = residuals[own, scored]
        width = width * local.at(inputs)[own, scored]
    else:
        residual = np.empty(len(scored))
        step = max(1, BATCH // len(inputs))
        for first in range(0, len(params), step):
            values = fitted_many(original.network, params[first : first + step], inputs)
            at = np.flatnonzero((own >= first) & (own < first + step))
            residual[at] = target[scored[at]] - values[own[at] - first, scored[at]]
    return PlusBand(original.network, params, own, np.abs(residual) / width, rows, spread, local)


def series_band(
    original: Original,
    draws: int,
    block: float | None,
    rng: np.random.Generator,
    rows: np.ndarray,
    spread: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> SeriesBand:
    """EnbPI intervals: residuals of rows from block-bootstrap draws that do not contain them.

    Parameters
    ----------
    original : Original
        The estimate; rows in time order.
    draws : int
        Number of draws.
    block : float, optional
        Rows of a block, by default ``n^(1/3)`` rounded up.
    rng : numpy.random.Generator
        Source of random numbers.
    rows, spread
        As in :func:`plus_band`.
    """
    n = len(original.weights)
    weights = draw_weights("block", n, draws, rng, block=block)
    out = weights == 0.0
    often = out.sum(axis=0)
    if not (often > 0).all():
        raise SpecificationError(
            f"{int((often == 0).sum())} of {n} rows are in all of the {draws} draws and have no "
            "residual from a draw without them; give more draws, or shorter blocks."
        )
    found = refit(
        original.objective,
        original.params,
        original.alpha,
        weights=weights * original.weights,
        solver=solver,
        execution=execution,
    )
    params = _finite(found.params)
    share = out / often
    values = fitted_many(original.network, params, original.objective.inputs)
    residual = original.objective.target - (share * values).sum(axis=0)
    return SeriesBand(
        original.network,
        params,
        share.mean(axis=1),
        np.abs(residual) / original.spread,
        rows,
        spread,
    )
