"""Bootstrap of an estimate: which draws suit the data, their estimates, and their covariance.

Draws keep the penalty of the estimate and start at its parameters. What is uncertain about the
choice of the penalty and of the minimum is not in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from nnecon.estimation.bootstrap import Refits, block_length, draw_weights, refit, wild_targets
from nnecon.estimation.draws import IN_TIME
from nnecon.estimation.estimate import Solver
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.problem import Objective
from nnecon.exceptions import (
    ConvergenceError,
    ConvergenceWarning,
    SpecificationError,
    warn_user,
)
from nnecon.inference.covariance import Covariance
from nnecon.inference.covariance_rows import EXACT

ROOM = 2**26
"""Numbers that weights or targets drawn at a time may have: half a gigabyte."""

LEAST = 0.5
"""Share of draws that have to be found for a bootstrap to mean something."""

WORDS = {
    "pairs": "pairs of rows (robust to unequal variances)",
    "bayesian": "random weights (robust to unequal variances)",
    "wild": "wild, at the observed regressors (robust to unequal variances)",
    "cluster": "whole groups (robust to correlation within them)",
    "block": "blocks of rows, circular (robust to autocorrelation)",
    "moving": "moving blocks of rows (robust to autocorrelation)",
    "stationary": "blocks of random length (robust to autocorrelation)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Draws that were estimated.

    ``params`` (b, k) in the coordinates of the objective, of the ``b`` draws whose estimate was
    found; ``total`` draws in all; ``options`` with defaults filled in; ``description`` in words.
    """

    params: np.ndarray
    total: int
    options: dict[str, Any]
    description: str


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a bootstrap has to know about the estimate.

    Parameters
    ----------
    objective, params, alpha
        The problem, its solution (members side by side for an ensemble) and the penalty.
    weights : ndarray of shape (n,)
        The user's weights.
    fitted : ndarray of shape (n,)
        Fitted values in the coordinates of the objective.
    leverage : ndarray of shape (n,)
        Derivatives of the fitted values by the observations.
    influence : ndarray of shape (n, m)
        What each row adds to the estimates of interest, for the length of blocks.
    """

    objective: Objective
    params: np.ndarray
    alpha: float
    weights: np.ndarray
    fitted: np.ndarray
    leverage: np.ndarray
    influence: np.ndarray


def scheme(options: Mapping[str, Any], time_series: bool = False) -> dict[str, Any]:
    """Options with defaults: groups as clusters, blocks in time, and pairs otherwise."""
    filled = {name: value for name, value in options.items() if value is not None}
    usual = "cluster" if "groups" in filled else "block" if time_series else "pairs"
    kind = filled.setdefault("kind", usual)
    filled.setdefault("draws", 999)
    filled.setdefault("rng", 0)
    if kind == "wild":
        filled.setdefault("distribution", "rademacher")
        if "block" in filled:
            raise SpecificationError("block: kind='wild' draws no blocks; choose 'block'.")
    return filled


def bootstrap(
    sample: Sample,
    options: Mapping[str, Any],
    solver: Solver,
    execution: Execution = LOCAL,
) -> Drawn:
    """Draw and estimate.

    Parameters
    ----------
    sample : Sample
        The estimate.
    options : mapping
        ``kind``, ``draws``, ``rng``, ``groups``, ``block`` and ``distribution``, see
        :mod:`nnecon.inference.covariance_kinds`.
    solver, execution
        The algorithm, and where it runs.

    Raises
    ------
    ConvergenceError
        Less than half of the draws could be estimated.
    """
    filled = scheme(options)
    kind, draws, groups = filled["kind"], filled["draws"], filled.get("groups")
    rng = np.random.default_rng(filled["rng"])
    if kind in IN_TIME and "block" not in filled:
        filled["block"] = block_length(sample.influence, kind)
    words = WORDS[kind]
    found = []
    size = max(1, ROOM // len(sample.weights))
    for at in range(0, draws, size):
        part = {**filled, "draws": min(size, draws - at)}
        if kind == "wild":
            found.append(_wild(sample, part, rng, solver, execution))
        else:
            found.append(_weighted(sample, part, rng, solver, execution))
    if groups is not None and kind != "cluster":
        words += f", by {len(np.unique(groups))} groups"
    if "block" in filled:
        words += f", length {filled['block']:.3g}"
    kept = np.concatenate([one.params[one.converged] for one in found])
    _check_draws(len(kept), draws)
    return Drawn(kept, draws, filled, f"bootstrap, {len(kept)} draws of {words}")


def bootstrap_covariance(drawn: Drawn, use_t: bool | None, df_resid: float) -> Covariance:
    """Covariance of the parameters over the draws."""
    matrix = np.atleast_2d(np.cov(drawn.params, rowvar=False))
    return Covariance(
        matrix, "bootstrap", drawn.description, drawn.options, bool(use_t), df_resid, drawn.params
    )


def _weighted(
    sample: Sample,
    options: dict[str, Any],
    rng: np.random.Generator,
    solver: Solver,
    execution: Execution,
) -> Refits:
    drawn = draw_weights(
        options["kind"],
        len(sample.weights),
        options["draws"],
        rng,
        groups=options.get("groups"),
        block=options.get("block"),
    )
    return refit(
        sample.objective,
        sample.params,
        sample.alpha,
        weights=drawn * sample.weights,
        solver=solver,
        execution=execution,
    )


def _wild(
    sample: Sample,
    options: dict[str, Any],
    rng: np.random.Generator,
    solver: Solver,
    execution: Execution,
) -> Refits:
    groups = options.get("groups")
    residual = sample.objective.target - sample.fitted
    if groups is None:
        # what HC2 does: residuals of rows that pull the fit to themselves are too small
        free = 1.0 - sample.leverage
        exact = np.flatnonzero(free < EXACT)
        if len(exact):
            raise SpecificationError(
                f"kind='wild' divides by one minus the leverage, which is zero for the row at "
                f"position {exact[0]} of the sample (a dummy of its own?); choose 'bayesian'."
            )
        residual = residual / np.sqrt(free)
    else:
        n_obs, size = len(residual), len(np.unique(groups))
        edf = float(sample.leverage.sum())
        residual = residual * np.sqrt(size / (size - 1.0) * (n_obs - 1.0) / (n_obs - edf))
    targets = wild_targets(
        sample.fitted,
        residual,
        options["draws"],
        rng,
        groups=groups,
        distribution=options["distribution"],
    )
    return refit(
        sample.objective,
        sample.params,
        sample.alpha,
        weights=sample.weights,
        targets=targets,
        solver=solver,
        execution=execution,
    )


def _check_draws(found: int, draws: int) -> None:
    if found == draws:
        return
    lost = draws - found
    words = (
        f"{lost} of {draws} draws have no estimate: their rows do not identify all parameters, or "
        "the solver did not converge"
    )
    if found < max(2.0, LEAST * draws):
        raise ConvergenceError(
            f"{words}. Choose kind='bayesian' or 'wild', which leave no row out, or a larger alpha."
        )
    warn_user(f"{words}; errors are those of the others.", ConvergenceWarning)


def bootstrap_interval(
    estimate: np.ndarray,
    draws: np.ndarray,
    alpha: float,
    method: str,
    acceleration: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Interval with level ``1 - alpha`` from bootstrap draws.

    Parameters
    ----------
    estimate : ndarray of shape (m,)
        The estimates.
    draws : ndarray of shape (b, m)
        Their draws.
    alpha : float
        One less the level.
    method : {"percentile", "basic", "bca", "normal"}
        Quantiles of the draws; the same mirrored at the estimate (Davison and Hinkley, 1997),
        which corrects a bias that the draws share with the estimate; quantiles shifted for median
        bias and skewness (Efron, 1987); estimate and standard deviation of the draws.
    acceleration : ndarray of shape (m,), optional
        A sixth of the skewness of the rows' influence, for ``"bca"``.

    Returns
    -------
    lower, upper : ndarray of shape (m,)

    Examples
    --------
    >>> draws = np.arange(1.0, 100.0)[:, None]
    >>> [round(b.item(), 1) for b in bootstrap_interval(np.array([40.0]), draws, 0.1, "percentile")]
    [5.9, 94.1]
    >>> [round(b.item(), 1) for b in bootstrap_interval(np.array([40.0]), draws, 0.1, "basic")]
    [-14.1, 74.1]
    """
    if method == "normal":
        width = stats.norm.ppf(1.0 - alpha / 2.0) * draws.std(axis=0, ddof=1)
        return estimate - width, estimate + width
    share = np.array([alpha / 2.0, 1.0 - alpha / 2.0])[:, None]
    if method == "bca":
        assert acceleration is not None
        below = (draws < estimate).mean(axis=0) + 0.5 * (draws == estimate).mean(axis=0)
        edge = 0.5 / len(draws)
        shift = stats.norm.ppf(np.clip(below, edge, 1.0 - edge))
        point = shift + stats.norm.ppf(share)
        share = stats.norm.cdf(shift + point / (1.0 - acceleration * point))
    share = np.broadcast_to(share, (2, draws.shape[1]))
    lower, upper = (
        np.array([np.quantile(column, q) for column, q in zip(draws.T, side, strict=True)])
        for side in share
    )
    if method == "basic":
        return 2.0 * estimate - upper, 2.0 * estimate - lower
    return lower, upper


def acceleration(influence: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """A sixth of the skewness of the influence (n, m) of rows or groups of them, shape (m,)."""
    if groups is not None:
        codes = np.unique(groups, return_inverse=True)[1]
        sums = np.zeros((int(codes.max()) + 1, influence.shape[1]))
        np.add.at(sums, codes, influence)
        influence = sums
    centred = influence - influence.mean(axis=0)
    size = (centred**2).sum(axis=0) ** 1.5
    cubes = (centred**3).sum(axis=0)
    return np.divide(cubes, 6.0 * size, out=np.zeros_like(cubes), where=size > 0)
