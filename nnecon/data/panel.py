"""Panels of series for factor models: a frame, an array or a formula without a left side.

Missing values stay where they are; only the first rows of a formula with lags or growth rates,
which reach back before the data, are left out. What no factor model can use (text, infinite
values, a series or a row without values, a series that does not vary) is an error by name.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.expressions import Expression, take_apart
from nnecon.data.formula import HELPERS, STATEFUL, evaluate
from nnecon.data.frames import Table, as_frame, check_finite, clean_column, inputs_for
from nnecon.data.lags import TIME_OPERATORS
from nnecon.data.names import Resolver
from nnecon.data.syntax import check_safe, is_elementwise, parse, suggestion
from nnecon.data.time_axis import TimeAxis, check_order, is_time_index, label_text, listing
from nnecon.exceptions import DataError, FormulaError

LARGEST, ROUNDING = 1e150, 1e-14
"""Size of values that can still be squared, and the share of a value that is rounding error."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Series side by side.

    Attributes
    ----------
    values : ndarray of shape (T, N)
        NaN where missing.
    names : tuple of str
        The series.
    index : Index
        Labels of the rows.
    formula : str or None
        What the series were made by.
    bindings : mapping
        Functions and values of the caller's that the formula uses.
    columns : Index, optional
        What the user calls the series, where that is no text: numbers, dates.
    """

    values: np.ndarray
    names: tuple[str, ...]
    index: pd.Index
    formula: str | None
    bindings: Mapping[str, Any]
    columns: pd.Index | None = None

    @property
    def labels(self) -> pd.Index:
        """What tables call the series: the user's columns."""
        return pd.Index(self.names) if self.columns is None else self.columns

    @property
    def is_time_series(self) -> bool:
        """Whether rows are periods in time order."""
        return is_time_index(self.index)

    def new(self, data: Any) -> tuple[np.ndarray, pd.Index]:
        """The same series in other rows, missing values included, and their labels.

        A frame without one of the series is an error: give the column with NaN where it is not
        known yet.
        """
        if self.formula is not None:
            found = _of_formula(self.formula, data, self.bindings)
            values, index = found.values, found.index
        elif isinstance(data, pd.DataFrame | Mapping):
            frame = _with_names(data)
            absent = [name for name in self.names if name not in frame.columns]
            if absent:
                raise DataError(
                    f"the new rows have no column {absent[0]!r} ({len(absent)} of "
                    f"{len(self.names)} series are absent); {suggestion(absent[0], frame.columns)}."
                    " Give it with NaN where it is not known yet."
                )
            values, index = _numbers(frame[list(self.names)]), frame.index
        else:
            values = _matrix(data)
            if values.shape[1] != len(self.names):
                raise DataError(
                    f"the new rows have {values.shape[1]} columns, the panel has "
                    f"{len(self.names)} series."
                )
            index = pd.RangeIndex(len(values))
            _check_infinite(values, self.names, index)
        return values, index


def panel_of(data: Any) -> Panel:
    """Panel from a frame (all of its columns) or a matrix.

    Raises
    ------
    DataError
        A column is no number, infinite, without values or constant; a row has no values; names
        are not unique; dates are not in order.
    """
    if isinstance(data, pd.DataFrame | Mapping):
        frame = _with_names(data)
        own = as_frame(data).columns
        text = isinstance(own, pd.MultiIndex) or all(isinstance(name, str) for name in own)
        columns = None if text else own.rename(None)
        panel = Panel(_numbers(frame), tuple(frame.columns), frame.index, None, {}, columns)
    else:
        values = _matrix(data)
        names = tuple(f"x{j}" for j in range(1, values.shape[1] + 1))
        panel = Panel(values, names, pd.RangeIndex(len(values)), None, {})
    return _checked(panel)


def _with_names(data: Any) -> pd.DataFrame:
    """A frame whose columns have text as names, each its own."""
    frame = as_frame(data)
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"two columns are named {twice[0]!r}; rename or drop one.")
    return frame


def check_formula(formula: str, functions: Mapping[str, Any]) -> None:
    """Refuse a formula from a file unless it is plain arithmetic with known functions."""
    for code in _summands(formula):
        check_safe(code, {*HELPERS, *TIME_OPERATORS, *functions}, formula)


def panel_of_formula(formula: str, data: Any, names: Mapping[str, Any]) -> Panel:
    """Panel from ``"~ 0 + a + dlog(b)"`` and a frame.

    Raises
    ------
    FormulaError
        The formula has a left side, cannot be read, or looks at other rows than lags do.
    DataError
        As in :func:`panel_of`.
    """
    return _checked(_of_formula(formula, data, names))


def _of_formula(formula: str, data: Any, names: Mapping[str, Any]) -> Panel:
    frame = as_frame(data)
    codes = _summands(formula)
    columns = {str(column) for column in frame.columns if isinstance(column, str)}
    resolver = Resolver(formula, list(frame.columns), names, HELPERS)
    expressions = [take_apart(code, columns, STATEFUL, formula) for code in codes]
    for expression in expressions:
        if "C" in expression.calls or not is_elementwise(expression.code, {"_call_I"}):
            raise FormulaError(
                f"{expression.label!r} in the formula {formula!r} makes categories or looks at "
                "other rows than lag(), diff() and dlog() do; make it a column of the data."
            )
        resolver.resolve(expression)
    table = _table(expressions, frame)
    inputs = inputs_for(expressions, table, np.arange(len(frame)), resolver.namespace, evaluate)
    columns_of_values = []
    for one in expressions:
        code = compile(parse(one.code, one.label), "<formula>", "eval")
        raw = evaluate(one.label, partial(eval, code, {}, {**resolver.namespace, **inputs}))
        values = np.asarray(raw, dtype=float)
        if values.shape != (len(frame),):
            raise FormulaError(
                f"{one.label!r} gives values of shape {values.shape} for {len(frame)} rows"
            )
        check_finite(values, one.label, frame.index)
        columns_of_values.append(values)
    # lags leave out the first rows, which reach back before the data, as in regressions
    atoms = [atom for expression in expressions for atom in expression.atoms]
    reach = max((offset for atom in atoms for offset in atom.offsets), default=0)
    if reach >= len(frame):
        raise DataError(
            f"the formula {formula!r} reaches {reach} periods back, beyond all {len(frame)} rows."
        )
    return Panel(
        np.column_stack(columns_of_values)[reach:],
        tuple(codes),
        frame.index[reach:],
        formula,
        dict(resolver.bindings),
    )


def _table(expressions: Sequence[Expression], frame: pd.DataFrame) -> Table:
    used = dict.fromkeys(
        column
        for expression in expressions
        for column in (
            *expression.columns.values(),
            *(c for atom in expression.atoms for c in atom.columns),
        )
    )
    label = next((atom.label for e in expressions for atom in e.atoms), None)
    axis = None if label is None else TimeAxis.of(frame.index, label)
    ordinals = None if axis is None else axis.ordinals(frame.index)
    columns = {name: clean_column(frame, name) for name in used}
    return Table(columns, frame.index, ordinals, axis)


def _summands(formula: str) -> list[str]:
    """What stands between the plus signs, without the constant."""
    if not isinstance(formula, str) or formula.count("~") != 1 or formula.split("~")[0].strip():
        raise FormulaError(
            f"a factor model has no left side: write '~ 0 + a + b + dlog(c)', not {formula!r}; for "
            "all columns of a frame give the frame alone."
        )
    found: list[str] = []

    def walk(node: ast.expr) -> None:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            walk(node.left)
            walk(node.right)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _is_one(node.right):
            walk(node.left)
        elif isinstance(node, ast.Constant) and node.value in (0, 1):
            return
        elif isinstance(node, ast.BinOp):
            raise FormulaError(
                f"{ast.unparse(node)} in the formula {formula!r}: series are joined by '+'; make "
                "products and differences a column of the data, or write I(...)"
            )
        else:
            found.append(ast.unparse(node))

    walk(parse(formula.split("~")[1].strip(), formula).body)
    if not found:
        raise FormulaError(f"the formula {formula!r} names no series")
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise FormulaError(f"{twice!r} stands twice in the formula {formula!r}; write it once")
    return found


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    columns: list[np.ndarray] = []
    for name in frame.columns:
        column = clean_column(frame, name)
        numeric = pd.api.types.is_numeric_dtype(column)
        if not numeric and not column.isna().all():
            raise DataError(
                f"column {name!r} is not numeric; leave it out, for example with "
                "data.select_dtypes('number')."
            )
        values = column.to_numpy(dtype=float, na_value=np.nan)
        check_finite(values, str(name), frame.index)
        columns.append(values)
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def _matrix(data: Any) -> np.ndarray:
    try:
        values = np.asarray(data, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"the panel holds values that are no numbers: {error}") from error
    if values.ndim != 2 or not len(values):
        raise DataError(
            f"the panel has the shape {values.shape}; give a row an observation and a column a "
            "series."
        )
    return values


def _check_infinite(values: np.ndarray, names: Sequence[str], index: pd.Index) -> None:
    for name, column in zip(names, values.T, strict=True):
        check_finite(column, name, index)


def _checked(panel: Panel) -> Panel:
    values, names = panel.values, panel.names
    if values.shape[1] < 2:
        raise DataError(
            f"a factor model needs at least two series, and there is {values.shape[1]}."
        )
    check_order(panel.index)
    _check_infinite(values, names, panel.index)
    known = np.isfinite(values)
    empty = np.flatnonzero(~known.any(axis=0))
    if len(empty):
        raise DataError(
            f"{listing([names[j] for j in empty], 3)} ha{'s' if len(empty) == 1 else 've'} no "
            "values at all; drop it, for example with data.dropna(axis='columns', how='all')."
        )
    bare = np.flatnonzero(~known.any(axis=1))
    if len(bare):
        raise DataError(
            f"row {listing(panel.index[bare], 3)} has no values at all; drop it, for example with "
            "data.dropna(how='all')."
        )
    flat = ~varies(values)
    if flat.any():
        j = int(np.flatnonzero(flat)[0])
        own = values[known[:, j], j]
        rounding = "" if own.min() == own.max() else ", up to rounding,"
        raise DataError(
            f"{names[j]!r} is {own[0]:g} in every row{rounding} and has nothing to explain; drop "
            f"it: data.drop(columns={panel.labels[j]!r})."
        )
    size = np.nanmax(np.abs(values), axis=0)
    wild = (size > LARGEST) | (size < 1.0 / LARGEST)
    if wild.any():
        j = int(np.flatnonzero(wild)[0])
        raise DataError(
            f"{names[j]!r} has values up to {size[j]:g}, whose squares computers cannot hold; "
            "correct them or give the series in another unit."
        )
    return panel


def varies(values: np.ndarray) -> np.ndarray:
    """Which series (N,) differ between rows by more than rounding; NaN is missing."""
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    return np.asarray(spread > ROUNDING * np.nanmax(np.abs(values), axis=0))


def check_enough(panel: Panel, k_factors: int, what: str = "") -> None:
    """Refuse rows and series with fewer known values than there are factors."""
    check_known(np.isfinite(panel.values), panel.names, panel.index, k_factors, what)


def check_known(
    known: np.ndarray, names: Sequence[str], index: pd.Index, k: int, what: str = ""
) -> None:
    """Refuse rows and, where ``names`` are given, series with fewer than k known values."""
    rows = np.flatnonzero(known.sum(axis=1) < k)
    if len(rows):
        count = int(known[rows[0]].sum())
        raise DataError(
            f"row {label_text(index[rows[0]])} has {count} known values, fewer than the {k} "
            f"factors ({len(rows)} such row{'s' * (len(rows) > 1)}){what}; leave it out or ask for "
            "fewer factors."
        )
    columns = np.flatnonzero(known.sum(axis=0) < max(k, 2))
    if len(names) and len(columns):
        j = int(columns[0])
        raise DataError(
            f"{names[j]!r} has {int(known[:, j].sum())} known values, too few for {k} factors"
            f"{what}; leave it out."
        )


def well_known(frame: pd.DataFrame, share: float) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Columns that vary and are known in at least this share of the rows, and names of the others.

    What is known at an early date of a backtest has series that had not begun.
    """
    enough = (frame.notna().mean() >= share) & (frame.max() > frame.min())
    left_out = tuple(str(name) for name in frame.columns[~enough])
    if int(enough.sum()) < 2:
        raise DataError(
            f"{int(enough.sum())} of {frame.shape[1]} series are known in {share:.0%} of the "
            f"{len(frame)} rows; lower min_known or give more data."
        )
    return frame.loc[:, enough], left_out
