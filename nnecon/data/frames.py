"""Columns of a frame made ready for a formula, and time operators computed on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.expressions import CALL_PREFIX, Atom, Expression
from nnecon.data.time_axis import TimeAxis, label_text, listing
from nnecon.exceptions import DataError


def as_frame(data: Any, what: str = "data") -> pd.DataFrame:
    """Take a frame, or a mapping of columns; refuse everything else by name."""
    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, Mapping):
        scalar = all(np.ndim(value) == 0 for value in data.values())
        frame = pd.DataFrame(dict(data), index=[0] if scalar else None)
    elif isinstance(data, np.ndarray) and data.dtype.names:
        frame = pd.DataFrame(data)
    else:
        raise DataError(f"{what} must be a DataFrame with named columns, not {type(data).__name__}")
    if len(frame) == 0:
        raise DataError(f"no rows in {what}; check how the frame was read or filtered")
    return frame


def clean_column(frame: pd.DataFrame, name: str, what: str = "data") -> pd.Series:
    """One column as float64, int64, bool, category or object, with NaN for missing values.

    Raises
    ------
    DataError
        The column is there twice, or holds complex numbers or text among numbers.
    """
    column = frame[name]
    if isinstance(column, pd.DataFrame):
        raise DataError(f"{what} has {column.shape[1]} columns named {name!r}; rename all but one")
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        labels = dtype.categories.astype(object)
        return (
            column.cat.set_categories(labels) if labels.dtype != dtype.categories.dtype else column
        )
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"column {name!r} holds complex numbers; take its real part first")
    if pd.api.types.is_bool_dtype(dtype):
        whole = not column.isna().any()
        return column.astype(bool) if whole else column.astype(object).where(column.notna(), np.nan)
    if pd.api.types.is_integer_dtype(dtype) and not column.isna().any():
        return column.astype(np.int64)
    if pd.api.types.is_numeric_dtype(dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        return pd.Series(values, frame.index, name=name)
    if (
        isinstance(dtype, pd.StringDtype)
        or pd.api.types.is_object_dtype(dtype)
        or str(dtype).startswith("string")
    ):
        return _clean_objects(column.astype(object), name)
    return column


def _clean_objects(column: pd.Series, name: str) -> pd.Series:
    present = column[column.notna()]
    numeric = np.array([_is_number(value) for value in present], dtype=bool)
    if len(present) and numeric.all():
        return column.astype(float)
    readable = numeric | np.array([reads_as_number(value) for value in present], dtype=bool)
    if numeric.any() or (len(present) and 0.5 < readable.mean() < 1.0):
        place = int(np.argmin(readable)) if not readable.all() else int(np.argmin(numeric))
        raise DataError(
            f"column {name!r} holds text among numbers: {present.iloc[place]!r} at row "
            f"{label_text(present.index[place])}; convert it with "
            f"pd.to_numeric(data[{name!r}], errors='coerce'), or to text with .astype(str) if its "
            "values are categories"
        )
    return column.where(column.notna(), np.nan)


def _is_number(value: Any) -> bool:
    # Decimal and other numbers have __float__; text and booleans are no measurements
    return hasattr(value, "__float__") and not isinstance(value, bool | np.bool_ | str)


def reads_as_number(value: Any) -> bool:
    """Tell whether a value is a number or text that spells one."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool | np.bool_)


@dataclass(frozen=True, slots=True)
class Table:
    """Clean columns over one index, with the periods of its rows where a formula needs them.

    Attributes
    ----------
    columns : dict of str to Series
        Clean columns, all on ``index``.
    index : pandas.Index
        Labels, shape (n,).
    ordinals : ndarray of int64, shape (n,), or None
        Periods of the rows, sorted and unique; None where nothing needs them.
    axis : TimeAxis or None
        What the periods mean.
    """

    columns: Mapping[str, pd.Series]
    index: pd.Index
    ordinals: np.ndarray | None
    axis: TimeAxis | None

    def atom(self, atom: Atom, namespace: Mapping[str, Any]) -> pd.Series:
        """Compute a time operator on all rows; NaN where it reaches before the first one."""
        functions = {
            CALL_PREFIX + "lag": self._lag,
            CALL_PREFIX + "diff": self._diff,
            CALL_PREFIX + "dlog": self._dlog,
        }
        stand_ins = self._stand_ins(atom)
        for name, column in atom.reads:
            if pd.api.types.is_float_dtype(stand_ins[name].dtype):
                check_finite(stand_ins[name].to_numpy(dtype=float), column, self.index)
        names = {**namespace, **functions, **stand_ins}
        code = compile(atom.code, "<formula>", "eval")
        return self._series(eval(code, {}, names))

    def _stand_ins(self, atom: Atom) -> dict[str, pd.Series]:
        return {name: self.columns[column] for name, column in atom.reads}

    def _series(self, value: Any) -> pd.Series:
        if isinstance(value, pd.Series) and len(value) == len(self.index):
            return value
        return pd.Series(np.asarray(value), self.index)

    def _lag(self, x: Any, k: int, text: str) -> pd.Series:
        x = self._series(x)
        assert self.ordinals is not None
        place = np.searchsorted(self.ordinals, self.ordinals - k)
        found = self.ordinals[np.minimum(place, len(place) - 1)] == self.ordinals - k
        place = np.where(found, place, -1)
        if pd.api.types.is_bool_dtype(x.dtype):
            x = x.astype(object)
        elif pd.api.types.is_numeric_dtype(x.dtype):
            x = x.astype(float)
        if isinstance(x.dtype, np.dtype):
            values: Any = x.to_numpy()[place]
            values[place < 0] = np.datetime64("NaT") if x.dtype.kind == "M" else np.nan
        else:
            values = x.array.take(place, allow_fill=True)
        return pd.Series(values, self.index)

    def _diff(self, x: Any, k: int, text: str) -> pd.Series:
        x = self._measured(x, text, "diff")
        return x - self._lag(x, k, text)

    def _dlog(self, x: Any, k: int, text: str) -> pd.Series:
        x = self._measured(x, text, "dlog")
        bad = np.asarray(x <= 0)
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"dlog({text}): {text!r} is {x.iloc[row]:g} at {label_text(self.index[row])} and "
                "the logarithm needs positive values; correct it, set it to NaN, or use diff()"
            )
        logs = 100.0 * np.log(x)
        return logs - self._lag(logs, k, text)

    def _measured(self, x: Any, text: str, operator: str) -> pd.Series:
        x = self._series(x)
        if not pd.api.types.is_numeric_dtype(x.dtype):
            raise DataError(f"{operator}({text}): {text!r} holds no numbers but {x.dtype} values")
        return x.astype(float)


def inputs_for(
    expressions: Sequence[Expression],
    table: Table,
    rows: np.ndarray,
    namespace: Mapping[str, Any],
    guard: Callable[[str, Callable[[], Any]], Any],
) -> dict[str, pd.Series]:
    """Columns and atoms that factors read, at the given rows.

    Parameters
    ----------
    expressions : sequence of Expression
        The factors.
    table : Table
        All rows, history included.
    rows : ndarray of int
        Positions wanted, shape (m,).
    namespace : mapping
        Functions and values of the formula.
    guard : callable
        Runs an evaluation under its label and words its errors.

    Returns
    -------
    dict of str to Series
        By stand-in, each of length m.
    """
    out: dict[str, pd.Series] = {}
    for expression in expressions:
        for name, column in expression.columns.items():
            out.setdefault(name, table.columns[column].iloc[rows])
        for atom in expression.atoms:
            if atom.name not in out:
                whole = guard(atom.label, partial(table.atom, atom, namespace))
                out[atom.name] = whole.iloc[rows]
    return out


def combine(history: Table, new: Table) -> tuple[Table, np.ndarray]:
    """Put new rows after, or over, the history.

    A period in both takes the new rows' values; a column that the new rows lack takes the
    history's.

    Returns
    -------
    table, places
        The union in order of time, and where the new rows are in it, in their own order.
    """
    assert history.ordinals is not None and new.ordinals is not None
    union = np.union1d(history.ordinals, new.ordinals)
    old_at = np.searchsorted(union, history.ordinals)
    new_at = np.searchsorted(union, new.ordinals)
    labels = np.empty(len(union), dtype=object)
    labels[old_at] = np.asarray(history.index, dtype=object)
    labels[new_at] = np.asarray(new.index, dtype=object)
    index = pd.Index(labels, dtype=object)
    columns = {}
    for name, old in history.columns.items():
        fresh = new.columns.get(name)
        kind = float if _numeric(old) and (fresh is None or _numeric(fresh)) else object
        values = np.full(len(union), np.nan, dtype=kind)
        values[old_at] = np.asarray(old, dtype=kind)
        if fresh is not None:
            values[new_at] = np.asarray(fresh, dtype=kind)
        columns[name] = pd.Series(values, index)
    return Table(columns, index, union, history.axis), new_at


def _numeric(column: pd.Series) -> bool:
    dtype = column.dtype
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def check_finite(values: np.ndarray, name: str, index: pd.Index) -> None:
    """Refuse infinite values, by column and row."""
    bad = np.isinf(values.reshape(len(values), -1)).any(axis=1)
    if bad.any():
        raise DataError(
            f"{name!r} is infinite at row {listing(index[bad], 3)}; a logarithm of zero or a "
            "division by zero is the usual reason: correct these values or set them to NaN"
        )
