"""What a file holds of forecasters' estimates and of backtests, and how it is read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.storage import State, pack_frame, unpack_frame
from nnecon.estimation.problem import Solution
from nnecon.estimation.student import Tail
from nnecon.results.archive import (
    SOLUTION_ARRAYS,
    cv_from_state,
    cv_state,
    path_from_state,
    path_state,
    under,
    under_prefix,
)
from nnecon.results.equations import Equation
from nnecon.results.path import CrossValidation, RegularizationPath

FRAMES = ("forecasts", "choices", "data")
"""Frames of a backtest."""

NUMBERS = ("step", "alpha", "window", "reference")


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a file holds of an equation; the problem itself is made again from the data."""

    name: str
    solutions: tuple[Solution, ...]
    alpha: float
    rule: str
    edf: float
    path: RegularizationPath | None
    cv: CrossValidation | None
    weights: np.ndarray
    tail: Tail | None


def forecaster_state(results: Any) -> State:
    """Model and data of a forecaster's results; the data where they are not those of the fit."""
    model, arrays = results.model.state()
    meta: dict[str, Any] = {"model": model}
    arrays = under_prefix("model", arrays)
    if results.data is not results.model.series:
        meta["data"], frame = pack_frame(results.data.frame, "frame")
        meta["begin"] = results.begin
        arrays |= under_prefix("data", frame)
    return meta, arrays


def horizons_state(
    parts: Sequence[Sequence[Equation]], searches: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Equations of several horizons as JSON and arrays."""
    found: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for at, (part, search) in enumerate(zip(parts, searches, strict=True)):
        described, held = equations_state(part)
        found.append({**described, "search": search})
        arrays |= under_prefix(f"estimate{at}", held)
    return found, arrays


def equations_state(equations: Sequence[Equation]) -> State:
    """Equations as JSON and arrays."""
    found: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for at, one in enumerate(equations):
        meta, held = _equation_state(one)
        found.append(meta)
        arrays |= under_prefix(str(at), held)
    return {"equations": found}, arrays


def equations_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], index: pd.Index
) -> list[Kept]:
    """Read what :func:`equations_state` wrote; ``index`` labels the rows of the sample."""
    return [
        _kept(described, under(arrays, str(at)), index)
        for at, described in enumerate(meta["equations"])
    ]


def _equation_state(equation: Equation) -> State:
    plain = [name for name in Solution.__dataclass_fields__ if name not in SOLUTION_ARRAYS]
    meta: dict[str, Any] = {
        "name": equation.name,
        "alpha": equation.alpha,
        "rule": equation.rule,
        "edf": equation.edf,
        "solutions": [
            {name: getattr(one, name) for name in plain} for one in equation.solutions
        ],
    }  # fmt: skip
    arrays = {
        f"solutions/{at}/{name}": getattr(one, name)
        for at, one in enumerate(equation.solutions)
        for name in SOLUTION_ARRAYS
    }
    arrays["weights"] = equation.weights
    if equation.tail is not None:
        meta["tail"] = [equation.tail.df, equation.tail.scale]
    if equation.path is not None:
        meta["path"], held = path_state(equation.path)
        arrays |= under_prefix("path", held)
    if equation.cv is not None:
        meta["cv"] = equation.cv.description
        arrays |= under_prefix("cv", cv_state(equation.cv))
    return meta, arrays


def _kept(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], index: pd.Index) -> Kept:
    solutions = tuple(
        Solution(**{**described, **under(arrays, f"solutions/{at}")})
        for at, described in enumerate(meta["solutions"])
    )
    path = path_from_state(meta["path"], under(arrays, "path")) if "path" in meta else None
    cv = cv_from_state(meta["cv"], under(arrays, "cv"), index) if "cv" in meta else None
    tail = Tail(*meta["tail"]) if "tail" in meta else None
    return Kept(
        meta["name"], solutions, meta["alpha"], meta["rule"], meta["edf"], path, cv,
        arrays["weights"], tail,
    )  # fmt: skip


def backtest_state(found: Any) -> State:
    """A backtest as JSON and arrays: its frames and what they are."""
    meta: dict[str, Any] = {name: getattr(found, name) for name in NUMBERS}
    meta |= {"kind": "backtest", "descriptions": dict(found.descriptions)}
    arrays: dict[str, np.ndarray] = {}
    for name in FRAMES:
        meta[name], held = pack_frame(getattr(found, name), name)
        arrays |= held
    return meta, arrays


def backtest_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:  # fmt: skip
    """Arguments of a backtest, from what :func:`backtest_state` gave."""
    frames = {name: unpack_frame(meta[name], dict(arrays), name) for name in FRAMES}
    return {
        **frames,
        **{name: meta[name] for name in NUMBERS},
        "descriptions": meta["descriptions"],
    }
