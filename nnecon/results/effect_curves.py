"""Curves of the mean along one regressor: where they are taken, and what is computed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.design import Design, Regressor
from nnecon.data.moving_rows import MovingRows
from nnecon.estimation.random_numbers import generator
from nnecon.exceptions import DataWarning, SpecificationError, warn_user
from nnecon.inference.bands import sup_t
from nnecon.inference.fitted_mean import Mean, Number
from nnecon.results.effects import CURVES, EffectCurve
from nnecon.results.inference_table import half_width
from nnecon.results.probe import Probe

POINTS = 50
"""Points of a curve where the user gives no grid."""


def curve(
    probe: Probe,
    x: str,
    kind: str,
    grid: Sequence[float] | int | None,
    alpha: float,
    simultaneous: bool,
    rng: int | np.random.Generator,
) -> EffectCurve:
    """A curve as :meth:`PartialEffects.effect_curve` documents it."""
    if kind not in CURVES:
        raise SpecificationError(f"kind={kind!r} is not known; choose one of {tuple(CURVES)}.")
    design = probe.design
    regressor = design.mover(x)
    observed = design.observed(regressor)
    if regressor.kind == "category" and kind != "pdp":
        raise SpecificationError(
            f"{regressor.variable!r} is a category: without an order of its levels there is no "
            f"kind={kind!r}; use kind='pdp', or get_margeff() for the differences."
        )
    points = curve_points(design, regressor, grid, kind)
    width = half_width(alpha, probe.covariance.use_t, probe.covariance.df_resid)
    rows = design.moving_rows()
    compute = {"pdp": _levels, "derivative": _slopes, "ale": _accumulated}[kind]
    where = rows, regressor, points, probe.weights
    own = probe.numbers(compute(probe.mean, *where))
    classical = [number.value for number in compute(probe.classical, *where)]
    prefix = CURVES[kind]
    columns = {
        prefix: own.values,
        f"{prefix}_se": own.errors,
        f"{prefix}_ci_lower": own.values - width * own.errors,
        f"{prefix}_ci_upper": own.values + width * own.errors,
    }
    critical = None
    if simultaneous:
        df_resid = probe.covariance.df_resid if probe.covariance.use_t else None
        critical = sup_t(own.covariance, alpha, generator(rng), df_resid)
        columns[f"{prefix}_band_lower"] = own.values - critical * own.errors
        columns[f"{prefix}_band_upper"] = own.values + critical * own.errors
    name = regressor.variable if regressor.kind == "category" else regressor.name
    index = pd.Index(points, name=name)
    frame = pd.DataFrame({**columns, "baseline": classical}, index=index)
    return EffectCurve(
        name,
        frame,
        1 - alpha,
        observed,
        probe.endog_name,
        kind=kind,
        covariance=pd.DataFrame(own.covariance, index=index, columns=index),
        critical=critical,
        baseline_name=probe.baseline_name,
    )


def curve_points(
    design: Design, regressor: Regressor, grid: Sequence[float] | int | None, kind: str = "pdp"
) -> np.ndarray:
    """Values of the regressor at which a curve is taken."""
    if regressor.kind == "category":
        return _given_levels(grid, regressor.variable, design.levels(regressor))
    observed = design.observed(regressor)
    if grid is None:
        grid = POINTS
    if isinstance(grid, int | np.integer) and not isinstance(grid, bool):
        if grid < 2:
            raise SpecificationError(f"grid={grid}: give at least 2 points, or their values.")
        if kind == "ale":
            # values that occur, so that no bin is empty
            shares = np.linspace(0.0, 1.0, grid)
            return np.unique(np.quantile(observed, shares, method="inverted_cdf"))
        low, high = np.quantile(observed, [0.01, 0.99])
        if low == high:
            low, high = observed.min(), observed.max()
        return np.linspace(low, high, grid)
    return _given_points(grid, regressor.name, observed, kind)


def _given_levels(grid: Any, name: str, levels: Sequence[Any]) -> np.ndarray:
    """Levels of a category at which a curve is taken, all of them by default."""
    if grid is None:
        return np.array(levels)
    chosen = [] if isinstance(grid, str) or np.ndim(grid) != 1 else list(grid)
    unknown = [level for level in chosen if level not in levels]
    if not chosen or unknown or len(set(chosen)) < len(chosen):
        shown = ", ".join(repr(level) for level in levels)
        raise SpecificationError(
            f"grid={grid!r}: {name!r} is a category, whose curve has a point for each level; leave "
            f"its grid out, or give a list of some of its levels: {shown}."
        )
    return np.array(levels)[[levels.index(level) for level in chosen]]


def _given_points(grid: Any, name: str, observed: np.ndarray, kind: str) -> np.ndarray:
    try:
        points = np.asarray(grid, dtype=float)
    except (TypeError, ValueError):
        points = np.array(np.nan)
    fewest = 2 if kind == "ale" else 1
    if points.ndim != 1 or len(points) < fewest or not np.isfinite(points).all():
        raise SpecificationError(
            f"grid={grid!r}: give a number of points, or a list of at least {fewest} finite "
            f"values of {name!r}."
        )
    if (np.diff(points) <= 0).any():
        at = int(np.argmax(np.diff(points) <= 0))
        raise SpecificationError(
            f"the grid of {name!r} must increase, but {points[at]:g} is followed by "
            f"{points[at + 1]:g}; sort it and drop what comes twice."
        )
    low, high = observed.min(), observed.max()
    margin = 1e-9 * max(abs(low), abs(high))
    if points[0] < low - margin or points[-1] > high + margin:
        warn_user(
            f"the grid of {name!r} runs from {points[0]:g} to {points[-1]:g}, but the sample only "
            f"from {low:g} to {high:g}: what is beyond is extrapolated.",
            DataWarning,
        )
    return points


def _levels(
    mean: Mean, rows: MovingRows, regressor: Regressor, points: np.ndarray, weights: np.ndarray
) -> list[Number]:
    """Average mean with the regressor at each point and the others as observed."""
    return [mean.level(rows.set({regressor: point}).exog, weights) for point in points]


def _slopes(
    mean: Mean, rows: MovingRows, regressor: Regressor, points: np.ndarray, weights: np.ndarray
) -> list[Number]:
    """Average derivative with the regressor at each point."""
    found = []
    for point in points:
        there = rows.set({regressor: point})
        found.append(mean.slope(there.exog, there.direction(regressor), weights))
    return found


def _accumulated(
    mean: Mean, rows: MovingRows, regressor: Regressor, points: np.ndarray, weights: np.ndarray
) -> list[Number]:
    """Accumulated local effects at the edges ``points`` of the bins, with average zero.

    In each bin the rows that lie in it are moved from one edge to the other. All rows are
    evaluated, with weight zero outside the bin, so that shapes do not change.
    """
    x = rows.value(regressor)
    bins = np.clip(np.searchsorted(points, x, side="left") - 1, 0, len(points) - 2)
    bins[(x < points[0]) | (x > points[-1])] = -1
    shares = np.array([weights[bins == k].sum() for k in range(len(points) - 1)])
    if (shares == 0.0).any():
        k = int(np.argmin(shares))
        raise SpecificationError(
            f"no observation has {regressor.name!r} between {points[k]:g} and {points[k + 1]:g}; "
            "accumulated local effects need some in every bin: give fewer points or another grid."
        )
    low = rows.set({regressor: points[0]}).exog
    found = [mean.level(low, np.zeros_like(weights))]
    for k, share in enumerate(shares):
        local = np.where(bins == k, weights, 0.0) / share
        high = rows.set({regressor: points[k + 1]}).exog
        found.append(found[-1] + mean.level(high, local) - mean.level(low, local))
        low = high
    total = shares.sum()
    centre = found[0].times(0.0)
    for k, share in enumerate(shares):
        centre = centre + (found[k] + found[k + 1]).times(0.5 * share / total)
    return [number - centre for number in found]
