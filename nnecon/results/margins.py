"""Marginal effects by regressor: where the rows are put, what moves, and what is averaged."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.design import Design, Regressor
from nnecon.data.moving_rows import MovingRows
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text
from nnecon.exceptions import SpecificationError
from nnecon.inference.fitted_mean import Numbers
from nnecon.inference.margins import (
    NAMES,
    Along,
    Between,
    is_count,
    is_dummy,
    margin,
    weighted_median,
)
from nnecon.results.effects import MarginalEffects
from nnecon.results.probe import Probe

POINTS = ("overall", "mean", "median", "zero")

FEW = 10
"""Values of a regressor up to which its slope is called a matter of shape between them."""


def margins(
    probe: Probe,
    at: str | Mapping[str, Any],
    method: str,
    atexog: Mapping[str, Any] | None,
    dummy: bool,
    count: bool,
) -> MarginalEffects:
    """Marginal effects as :meth:`PartialEffects.get_margeff` documents them."""
    at, fixed = _check(at, method, atexog, dummy, count)
    design, weights = probe.design, probe.weights
    rows = fix(design, rows_at(design, at, weights), fixed)
    notes = [probe.note] if probe.note else []
    if probe.bends:
        notes += _few_values(design, dummy, count)
    moves = {}
    left_out = []
    for regressor in design.regressors:
        move = _move(design, rows, regressor, dummy, count)
        if isinstance(move, Between) and method.endswith("ex"):
            left_out.append(regressor)
        else:
            moves[regressor.name] = move
    if left_out:
        variables = ", ".join(dict.fromkeys(regressor.variable for regressor in left_out))
        notes.append(
            f"{variables} changes in steps and has no derivative by its logarithm: left out. "
            "method='eydx' gives the change of ln y."
        )
    if method.startswith("ey"):
        for move in moves.values():
            _check_logarithm(probe.mean.values(move.exog), design, method)
            if isinstance(move, Between):
                _check_logarithm(probe.mean.values(move.reference), design, method)
    names = list(moves)
    own = probe.numbers([margin(probe.mean, one, method, weights) for one in moves.values()])
    baseline, note = _classical(probe, moves, method)
    return MarginalEffects(
        pd.Series(own.values, index=names, dtype=float),
        pd.Series(own.errors, index=names, dtype=float),
        own.gradient,
        baseline,
        description=probe.covariance.description,
        se_starts=pd.Series(own.from_starts, index=names, dtype=float),
        margeff_cov=pd.DataFrame(own.covariance, index=names, columns=names),
        method=method,
        at=", ".join([at, *(f"{name} = {value}" for name, value in fixed.items())]),
        notes=(*notes, *note),
        draws=own.draws if len(own.draws) else None,
        **probe.described(),
    )


def _check(
    at: Any, method: Any, atexog: Any, dummy: bool, count: bool
) -> tuple[str, Mapping[str, Any]]:
    """The point's name and the fixed variables."""
    fixed = dict(atexog or {})
    if isinstance(at, Mapping):
        if atexog is not None:
            raise SpecificationError("give fixed variables once, in at or in atexog.")
        at, fixed = "overall", dict(at)
    if at == "all":
        raise SpecificationError(
            "at='all' gives an effect for every row and no summary of them; the slope along a "
            "regressor is in effect_curve(x, kind='derivative')."
        )
    if at not in POINTS:
        raise SpecificationError(
            f"at={at!r} is not known; choose one of {POINTS}, or a dict of variables and values."
        )
    if method not in NAMES:
        raise SpecificationError(f"method={method!r} is not known; choose one of {tuple(NAMES)}.")
    for name, flag in (("dummy", dummy), ("count", count)):
        if flag and method.endswith("ex"):
            raise SpecificationError(
                f"{name}=True takes changes in steps, which have no derivative by ln x; use "
                "method='dydx' or 'eydx'."
            )
    return at, fixed


def rows_at(design: Design, at: str, weights: np.ndarray) -> MovingRows:
    """The sample's rows, or every regressor at its mean, median or zero in all of them.

    A category is then at the shares of its levels, its most frequent level, or its reference.
    """
    rows = design.moving_rows()
    if at == "overall":
        return rows
    points: dict[Any, Any] = {}
    done: set[str] = set()
    for regressor in design.regressors:
        if regressor.kind != "category":
            observed = design.observed(regressor)
            points[regressor] = {
                "mean": lambda x: float(weights @ x),
                "median": lambda x: weighted_median(x, weights),
                "zero": lambda x: 0.0,
            }[at](observed)
        elif regressor.variable not in done:
            done.add(regressor.variable)
            levels, observed = design.levels(regressor), design.observed(regressor)
            shares = np.array([weights[observed == level].sum() for level in levels])
            if at == "mean":
                rows = rows.blend(regressor, shares)
            else:
                frequent = levels[int(shares.argmax())]
                points[regressor] = frequent if at == "median" else regressor.reference
    return rows.set(points)


def fix(design: Design, rows: MovingRows, fixed: Mapping[str, Any]) -> MovingRows:
    """Set variables by name to values in every row."""
    points: dict[Any, Any] = {}
    for name, value in fixed.items():
        what = _named(design, rows, name)
        number = isinstance(value, Real) and np.isfinite(float(value))
        if not number and not (isinstance(what, Regressor) and what.kind == "category"):
            raise SpecificationError(
                f"{name!r} is a number in the model and cannot be set to {value!r}; give one "
                "finite number."
            )
        points[what] = value
    return rows.set(points) if points else rows


def _named(design: Design, rows: MovingRows, name: Any) -> Regressor | str:
    """A regressor, category or column of the data by name."""
    names = dict.fromkeys([regressor.variable for regressor in design.regressors])
    known = {*names, *(regressor.name for regressor in design.regressors)}
    if isinstance(name, str) and name in rows.variables and name not in known:
        return name
    if name not in known:
        every = list(dict.fromkeys([*names, *rows.variables]))
        text = suggestion(str(name), every).replace("columns", "variables")
        raise SpecificationError(f"{name!r} is no variable of the model; {text}")
    return design.mover(name)


def _move(
    design: Design, rows: MovingRows, regressor: Regressor, dummy: bool, count: bool
) -> Along | Between:
    """How the rows move with a regressor."""
    if regressor.kind == "category":
        return Between(*rows.contrast(regressor))
    observed = design.observed(regressor)
    if dummy and is_dummy(observed):
        return Between(rows.set({regressor: 1.0}).exog, rows.set({regressor: 0.0}).exog)
    x = rows.value(regressor)
    if count and is_count(observed):
        up, down = rows.set({regressor: x + 1.0}), rows.set({regressor: x - 1.0})
        return Between(up.exog, down.exog, 2.0)
    return Along(rows.exog, rows.direction(regressor), x)


def _few_values(design: Design, dummy: bool, count: bool) -> list[str]:
    """Notes on derivatives by regressors that take few values: there is nothing between them."""
    switches, steps = [], []
    for regressor in design.regressors:
        if regressor.kind == "category":
            continue
        observed = design.observed(regressor)
        distinct = len(np.unique(observed))
        if is_dummy(observed):
            switches += [] if dummy else [regressor.name]
        elif distinct <= FEW and len(observed) > 5 * FEW and not (count and is_count(observed)):
            steps.append(f"{regressor.name} ({distinct})")
    notes = []
    if switches:
        notes.append(
            f"Only the values 0 and 1 occur of {', '.join(switches)}: the data say little about "
            "the slope at them, which is shown; dummy=True gives the change from 0 to 1."
        )
    if steps:
        notes.append(
            f"Few values occur of {', '.join(steps)}: slopes at them depend on the shape between "
            "them, which the data do not show. effect_curve(x, values) gives the means at the "
            "values, and C(x) in the formula their differences."
        )
    return notes


def _check_logarithm(values: np.ndarray, design: Design, method: str) -> None:
    """Refuse logarithms where the fitted mean changes its sign."""
    if (values > 0).all() or (values < 0).all():
        return
    sign = np.sign(np.median(values)) or 1.0
    at = int(np.argmin(sign * values))
    raise SpecificationError(
        f"method={method!r} takes the logarithm of the fitted mean, but that is {values[at]:.4g} "
        f"at row {label_text(design.sample.index[at])}, with the other sign than most; use "
        "method='dydx' or 'dyex', or at='mean'."
    )


def _classical(
    probe: Probe, moves: Mapping[str, Along | Between], method: str
) -> tuple[pd.DataFrame, list[str]]:
    """The classical model's effects, and a note where it has none."""
    names, notes = list(moves), []
    classical: Numbers
    values = [probe.classical.values(move.exog) for move in moves.values()]
    mixed = any(value.min() * value.max() <= 0 for value in values)
    if method.startswith("ey") and mixed:
        notes.append(
            f"{probe.baseline_name} predicts both signs, so that its elasticities are not defined."
        )
        frame = pd.DataFrame({"effect": np.nan, "se": np.nan}, index=names, dtype=float)
        return frame, notes
    found = [margin(probe.classical, move, method, probe.weights) for move in moves.values()]
    classical = probe.classical_numbers(found)
    frame = pd.DataFrame({"effect": classical.values, "se": classical.errors}, index=names)
    return frame, notes
