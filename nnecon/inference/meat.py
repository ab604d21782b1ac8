"""The middle of the sandwich: covariances of scores, by kind.

Scores come in coordinates in which the bread is the identity
(:class:`nnecon.inference.covariance.Bread`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from statsmodels.stats.sandwich_covariance import S_crosssection

from nnecon.exceptions import SpecificationError
from nnecon.inference.covariance_rows import (
    Refused,
    alone_in_group,
    full_leverage,
    in_words,
    same_period,
)
from nnecon.inference.long_run import (
    ORDER,
    automatic_lags,
    best_bandwidth,
    lag_weights,
    long_run_sum,
)

NEGATIVE = 1e-10
"""Eigenvalues below minus this share of the largest make a covariance indefinite."""


@dataclass(frozen=True, slots=True, eq=False)
class Meat:
    """Covariance of the summed scores.

    ``matrix`` (r, r); ``description`` in words; ``options`` with defaults filled in; ``df_resid``
    degrees of freedom of t and F statistics. ``wide`` (r, r), where ``matrix`` had negative
    eigenvalues that were set to zero, is a larger one that has none.
    """

    matrix: np.ndarray
    description: str
    options: dict[str, Any]
    df_resid: float
    wide: np.ndarray | None = None


def heteroskedastic(
    jacobian: np.ndarray, residual: np.ndarray, kind: str, df_resid: float
) -> np.ndarray:
    """Scores (n, r) with the corrections of HC1, HC2 and HC3.

    ``jacobian`` (n, r) are derivatives of one network's fitted values, ``residual`` (n,) its
    residuals; both times the root of the weights.
    """
    squares = residual**2
    if kind == "HC1":
        squares = squares * len(squares) / df_resid
    elif kind in ("HC2", "HC3"):
        _refuse(full_leverage(jacobian, kind))
        leverage = (jacobian**2).sum(axis=1)
        squares = squares / (1.0 - leverage) ** (1 if kind == "HC2" else 2)
    return jacobian * np.copysign(np.sqrt(squares), residual)[:, None]


def autocorrelated(scores: np.ndarray, options: dict[str, Any], df_resid: float) -> Meat:
    """Newey and West's covariance of one series of scores (n, r)."""
    n_obs = len(scores)
    matrix, words = _kernel_sum(scores, options)
    if options.setdefault("use_correction", False):
        matrix = matrix * n_obs / df_resid
    description = f"HAC (robust to unequal variances and autocorrelation), {words}"
    return Meat(matrix, description, options, df_resid)


def clustered(scores: np.ndarray, options: dict[str, Any], df_resid: float) -> Meat:
    """Covariance of scores that are correlated within groups, one or two ways."""
    groups = np.asarray(options["groups"])
    ways = groups.reshape(len(scores), -1).T
    codes = [np.unique(way, return_inverse=True)[1] for way in ways]
    corrected = bool(options.setdefault("use_correction", True))
    sizes = [int(code.max()) + 1 for code in codes]
    each = [_crosssection(scores, code, corrected, df_resid) for code in codes]
    matrix = np.sum(each, axis=0)
    inference = _inference_df(options, min(sizes), df_resid)
    if len(codes) == 1:
        words = f"cluster (robust to correlation within {sizes[0]} groups)"
        return Meat(matrix, words, options, inference)
    both = np.unique(codes[0] * sizes[1] + codes[1], return_inverse=True)[1]
    wide, matrix = matrix, matrix - _crosssection(scores, both, corrected, df_resid)
    words = f"cluster (robust to correlation within {sizes[0]} and {sizes[1]} groups, two ways)"
    values, vectors = np.linalg.eigh(matrix)
    if not len(values) or values[0] >= -NEGATIVE * values[-1]:
        return Meat(matrix, words, options, inference)
    # as Cameron, Gelbach and Miller (2011) do
    repaired = (vectors * np.maximum(values, 0.0)) @ vectors.T
    words += "; negative eigenvalues were set to zero"
    return Meat(repaired, words, options, inference, wide)


def leaving_out(
    rotated: Sequence[tuple[np.ndarray, np.ndarray]], options: dict[str, Any], df_resid: float
) -> Meat:
    """Covariance by leaving out one group at a time (CRV3), to first order.

    ``rotated`` are Jacobian (n, r) and residuals (n,) of every network. In a linear model the
    estimates without a group are exact.
    """
    for jacobian, _ in rotated:
        _refuse(alone_in_group(jacobian, options["groups"]))
    codes = np.unique(np.asarray(options["groups"]).ravel(), return_inverse=True)[1]
    size = codes.max() + 1
    moves = np.empty((size, sum(jacobian.shape[1] for jacobian, _ in rotated)))
    for group in range(size):
        inside = codes == group
        parts = []
        for jacobian, residual in rotated:
            own = jacobian[inside]
            rest = np.eye(own.shape[1]) - own.T @ own
            parts.append(np.linalg.solve(rest, own.T @ residual[inside]))
        moves[group] = np.concatenate(parts)
    matrix = moves.T @ moves
    if options.setdefault("use_correction", True):
        matrix = matrix * (size - 1.0) / size
    words = f"cluster-crv3 (robust to correlation within {size} groups, each left out in turn)"
    return Meat(matrix, words, options, _inference_df(options, size, df_resid))


def panel(scores: np.ndarray, options: dict[str, Any], df_resid: float) -> Meat:
    """Newey and West's covariance of several series, which are not correlated with each other.

    Rows go by time within groups. Without groups, a series ends where time goes back; without
    time, rows are in order.
    """
    n_obs = len(scores)
    order, starts = series_order(options.get("groups"), options.get("time"))
    sizes = np.diff([*starts, n_obs])
    if options.get("maxlags") is None:
        options["maxlags"] = automatic_lags(int(sizes.max()))
    kernel = options.setdefault("kernel", "bartlett")
    weights = lag_weights(kernel, options["maxlags"] + 1.0, int(sizes.max()))
    ordered = scores[order]
    matrix = np.sum(
        [
            long_run_sum(ordered[start : start + size], weights)
            for start, size in zip(starts, sizes, strict=True)
        ],
        axis=0,
    )
    factor = options.setdefault("use_correction", "hac")
    matrix = matrix * _panel_factor(factor, len(starts), n_obs, df_resid)
    words = (
        f"hac-panel (robust to unequal variances and autocorrelation within {len(starts)} series), "
        f"{kernel}, {_lags_words(kernel, options['maxlags'])}"
    )
    return Meat(matrix, words, options, _inference_df(options, len(starts), df_resid))


def group_sums(scores: np.ndarray, options: dict[str, Any], df_resid: float) -> Meat:
    """Driscoll and Kraay's covariance: that of the series of sums over each period."""
    periods, codes = np.unique(np.asarray(options["time"]).ravel(), return_inverse=True)
    sums = np.zeros((len(periods), scores.shape[1]))
    np.add.at(sums, codes, scores)
    matrix, words = _kernel_sum(sums, options)
    factor = options.setdefault("use_correction", "cluster")
    matrix = matrix * _panel_factor(factor, len(periods), len(scores), df_resid)
    series = int(np.bincount(codes).max())
    description = (
        "hac-groupsum (robust to unequal variances, autocorrelation and correlation between "
        f"{series} series), {words}"
    )
    return Meat(matrix, description, options, _inference_df(options, series, df_resid))


def outer_product(
    rotated: Sequence[tuple[np.ndarray, np.ndarray]], scores: np.ndarray, scale: float
) -> np.ndarray:
    """Covariance, not meat, with information matrices estimated by outer products of the scores.

    In these coordinates the penalty is what the Gauss-Newton matrix lacks to the identity, so that
    ``A = M / scale + I - J'WJ`` with ``M`` the sum of outer products; the covariance is
    ``A^-1 M A^-1``. Without a penalty this is ``scale^2 M^-1``.
    """
    inverses, at = [], 0
    total = np.zeros((scores.shape[1],) * 2)
    for jacobian, _ in rotated:
        own = scores[:, at : at + jacobian.shape[1]]
        bread = own.T @ own / scale + np.eye(own.shape[1]) - jacobian.T @ jacobian
        inverses.append(np.linalg.pinv(bread, rcond=1e-12, hermitian=True))
        total[at : at + own.shape[1], at : at + own.shape[1]] = inverses[-1]
        at += own.shape[1]
    return total @ (scores.T @ scores) @ total


def series_order(groups: Any, time: Any) -> tuple[np.ndarray, list[int]]:
    """Order in which the rows of a panel follow each other, and where each series begins."""
    if groups is None:
        time = np.asarray(time).ravel()
        back = np.flatnonzero(time[1:] < time[:-1]) + 1
        return np.arange(len(time)), [0, *back.tolist()]
    codes = np.unique(np.asarray(groups).ravel(), return_inverse=True)[1]
    if time is None:
        order = np.argsort(codes, kind="stable")
    else:
        _refuse(same_period(groups, time))
        periods = np.unique(np.asarray(time).ravel(), return_inverse=True)[1]
        order = np.lexsort((periods, codes))
    new = np.flatnonzero(np.diff(codes[order])) + 1
    return order, [0, *new.tolist()]


def _refuse(found: Refused | None) -> None:
    if found is not None:
        raise SpecificationError(in_words(found))


def _kernel_sum(scores: np.ndarray, options: dict[str, Any]) -> tuple[np.ndarray, str]:
    """Long-run sum with the bandwidth asked for; fills in ``maxlags`` and ``kernel``."""
    n_obs = len(scores)
    kernel = options.setdefault("kernel", "bartlett")
    rule = options.get("maxlags")
    if rule is None and kernel in ORDER:
        rule = "andrews"
    if isinstance(rule, str):
        width = best_bandwidth(scores, kernel, rule)
        weights = lag_weights(kernel, width, n_obs)
        chosen = f"bandwidth {width:.2f} ({rule})"
        options["maxlags"], options["bandwidth"] = len(weights) - 1, width
        return long_run_sum(scores, weights), f"{kernel}, {chosen}"
    if rule is None:
        options["maxlags"] = automatic_lags(n_obs)
    matrix = long_run_sum(scores, lag_weights(kernel, options["maxlags"] + 1.0, n_obs))
    return matrix, f"{kernel}, {_lags_words(kernel, options['maxlags'])}"


def _lags_words(kernel: str, lags: int) -> str:
    return f"bandwidth {lags + 1}" if kernel == "quadratic-spectral" else f"{lags} lags"


def _crosssection(
    scores: np.ndarray, codes: np.ndarray, corrected: bool, df_resid: float
) -> np.ndarray:
    matrix = S_crosssection(scores, codes)
    if not corrected:
        return matrix
    size = int(codes.max()) + 1
    return matrix * (size / (size - 1.0)) * ((len(scores) - 1.0) / df_resid)


def _panel_factor(kind: Any, size: int, n_obs: int, df_resid: float) -> float:
    if kind == "hac":
        return n_obs / df_resid
    if kind == "cluster":
        return size / (size - 1.0) * (n_obs - 1.0) / df_resid if size > 1 else np.nan
    return 1.0


def _inference_df(options: dict[str, Any], size: int, df_resid: float) -> float:
    """Degrees of freedom of t and F: groups less one, unless the user wants those of the rows."""
    if options.setdefault("df_correction", True) in (None, True):
        return size - 1.0
    return df_resid
