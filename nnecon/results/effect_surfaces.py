"""The mean along two regressors, and how much they interact."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.design import Regressor
from nnecon.data.moving_rows import MovingRows
from nnecon.estimation.random_numbers import generator
from nnecon.exceptions import SpecificationError
from nnecon.inference.interaction import interaction, partial_dependence
from nnecon.report import plots
from nnecon.results.effect_curves import curve_points
from nnecon.results.inference_table import half_width
from nnecon.results.probe import Probe

POINTS = 20
"""Points a side of a surface where the user gives no grid."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectSurface:
    """Mean of the dependent variable along two regressors, all others as observed.

    Attributes
    ----------
    regressors : tuple of str
        What moves.
    frame : DataFrame
        A row a pair of values: ``mean``, ``mean_se``, ``mean_ci_lower``, ``mean_ci_upper``
        (pointwise); ``interaction``, ``interaction_se``, what the mean has beyond the sum of the
        two single effects; ``baseline``, the classical model's mean.
    level : float
        Level of the intervals.
    observed : tuple of ndarray
        Values of the two regressors in the sample.
    endog_name : str
        Dependent variable.
    """

    regressors: tuple[str, str]
    frame: pd.DataFrame
    level: float
    observed: tuple[np.ndarray, np.ndarray] = field(repr=False)
    endog_name: str

    def plot(self, **options: Any) -> Any:
        """Contours of the mean and of the interaction; lines or points where there are categories.

        Options are those of :func:`nnecon.report.plots.plot_surface`: labels with units, title.

        Returns
        -------
        matplotlib.figure.Figure
        """
        first, second = self.regressors
        return plots.plot_surface(
            self.frame,
            observed=self.observed,
            level=self.level,
            **{
                "xlabel": first,
                "ylabel": second,
                "zlabel": f"Mean of {self.endog_name}",
                "title": f"Mean of {self.endog_name} along {first} and {second}",
                **options,
            },
        )


def surface(
    probe: Probe,
    x1: str,
    x2: str,
    grid: int | tuple[Sequence[float] | int | None, Sequence[float] | int | None] | None,
    alpha: float,
) -> EffectSurface:
    """A surface as :meth:`PartialEffects.effect_surface` documents it."""
    design, weights = probe.design, probe.weights
    first, second = design.mover(x1), design.mover(x2)
    if _name(first) == _name(second):
        raise SpecificationError(f"a surface needs two regressors, but both are {_name(first)!r}.")
    grids = _grids((first, second), grid)
    along = [curve_points(design, one, g) for one, g in zip((first, second), grids, strict=True)]
    rows, mean = design.moving_rows(), probe.mean

    def level(at: MovingRows) -> Any:
        return mean.level(at.exog, weights)

    ones = [level(rows.set({first: a})) for a in along[0]]
    others = [level(rows.set({second: b})) for b in along[1]]
    everywhere = level(rows)
    joint, pure, classical = [], [], []
    for a, one in zip(along[0], ones, strict=True):
        for b, other in zip(along[1], others, strict=True):
            there = rows.set({first: a, second: b})
            both = level(there)
            joint.append(both)
            pure.append(both - one - other + everywhere)
            classical.append(probe.classical.level(there.exog, weights).value)
    own, rest = probe.numbers(joint), probe.numbers(pure)
    width = half_width(alpha, probe.covariance.use_t, probe.covariance.df_resid)
    names = _name(first), _name(second)
    frame = pd.DataFrame(
        {
            "mean": own.values,
            "mean_se": own.errors,
            "mean_ci_lower": own.values - width * own.errors,
            "mean_ci_upper": own.values + width * own.errors,
            "interaction": rest.values,
            "interaction_se": rest.errors,
            "baseline": classical,
        },
        index=pd.MultiIndex.from_product(along, names=names),
    )
    observed = design.observed(first), design.observed(second)
    return EffectSurface(names, frame, 1 - alpha, observed, probe.endog_name)


def _name(regressor: Regressor) -> str:
    return regressor.variable if regressor.kind == "category" else regressor.name


def _grids(regressors: tuple[Regressor, Regressor], grid: Any) -> list[Any]:
    """The grid of each side: one that is not a pair is meant for what is no category."""
    numbers = [one.kind != "category" for one in regressors]
    if isinstance(grid, tuple):
        if len(grid) != 2:
            raise SpecificationError(
                f"grid has {len(grid)} entries; give one number of points, or a tuple of two grids."
            )
        given = list(grid)
    elif grid is None or isinstance(grid, int | np.integer) or sum(numbers) == 1:
        given = [grid if number else None for number in numbers]
    else:
        raise SpecificationError(
            f"grid={grid!r}: give one number of points, or a tuple of two grids, one for "
            f"{_name(regressors[0])!r} and one for {_name(regressors[1])!r}."
        )
    return [
        POINTS if one is None and number else one
        for one, number in zip(given, numbers, strict=True)
    ]


def strengths(
    probe: Probe, names: Sequence[str], n_points: int, rng: int | np.random.Generator
) -> pd.DataFrame:
    """H statistics as :meth:`PartialEffects.interaction_strength` documents them."""
    design = probe.design
    if isinstance(n_points, bool) or not isinstance(n_points, int) or n_points < 2:
        raise SpecificationError(f"n_points={n_points!r}: give a number of rows, at least 2.")
    every = {_name(regressor): regressor for regressor in design.regressors}
    if len(every) < 2:
        only = next(iter(every), None)
        raise SpecificationError(
            f"an interaction needs two variables, but the model has only {only!r}."
        )
    if len(names) > 2:
        raise SpecificationError("name one variable, or two; without names all pairs are computed.")
    wanted = [_name(design.mover(name)) for name in names]
    if len(set(wanted)) < len(wanted):
        raise SpecificationError(f"an interaction needs two variables, not {wanted[0]!r} twice.")
    pairs = [pair for pair in combinations(every, 2) if set(wanted) <= set(pair)]
    n = len(probe.weights)
    chosen = np.arange(n)
    if n > n_points:
        chosen = np.sort(generator(rng).choice(n, n_points, replace=False))
    weights = probe.weights[chosen] / probe.weights[chosen].sum()
    rows = design.moving_rows().take(chosen)
    observed = {name: design.observed(every[name])[chosen] for name in every}

    def dependence(*moving: str) -> np.ndarray:
        def values(background: np.ndarray, points: np.ndarray) -> np.ndarray:
            put = {every[name]: observed[name][points] for name in moving}
            return probe.mean.values(rows.take(background).set(put).exog)

        return partial_dependence(values, weights)

    single = {name: dependence(name) for name in dict.fromkeys(n for pair in pairs for n in pair)}
    found = [interaction(dependence(j, k), single[j], single[k], weights) for j, k in pairs]
    return pd.DataFrame(
        {"H2": [one.share for one in found], "sd": [one.deviation for one in found]},
        index=pd.MultiIndex.from_tuples(pairs, names=["first", "second"]),
    ).sort_values("sd", ascending=False, kind="stable")
