"""A design that comes from arrays, series or frames, without a formula."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.formula_design import describe_values
from nnecon.data.frames import check_finite, clean_column
from nnecon.data.moving_rows import ArrayRows
from nnecon.data.regressors import Regressor
from nnecon.data.sample import (
    Sample,
    check_missing_option,
    constant_column,
    in_time_order,
    labels_at,
)
from nnecon.data.storage import State
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import check_order, label_text, listing
from nnecon.exceptions import DataError, ForecastError


class ArraySource:
    """Everything that an array design remembers.

    Parameters
    ----------
    endog : array_like, shape (n,) or (n, 1)
        The dependent variable.
    exog : array_like, shape (n, p) or (n,)
        The regressors, with a column of ones where an intercept is wanted.
    missing : {"raise", "drop", "none"}
        What to do about missing values; ``"none"`` raises as well, because nothing can be
        estimated from them.
    """

    formula = None

    def __init__(self, endog: Any, exog: Any, missing: str) -> None:
        check_missing_option(missing)
        self.missing = missing
        y, y_names, y_index = _as_matrix(endog, "endog")
        x, x_names, x_index = _as_matrix(exog, "exog")
        if y.shape[1] != 1:
            raise DataError(f"endog must be one variable, but has {y.shape[1]} columns")
        if len(y) != len(x):
            raise DataError(f"endog has {len(y)} rows but exog has {len(x)}; give the same rows")
        if len(y) == 0:
            raise DataError("the data have no rows; check how they were read or filtered")
        if x.shape[1] == 0:
            raise DataError("exog has no columns; give at least a column of ones")
        index = _common_index(y_index, x_index, len(y))
        check_order(index)
        self.named = x_names is not None
        names = tuple(x_names) if x_names is not None else _default_names(x)
        y_name = y_names[0] if y_names else "y"
        keep = self._keep(y, x, (y_name, *names), index, missing)
        exog_kept = np.ascontiguousarray(x[keep])
        self.original_index = index
        rows = np.flatnonzero(keep)
        self.sample = Sample(
            endog=y[keep, 0].copy(),
            exog=exog_kept,
            endog_name=y_name,
            exog_names=names,
            index=labels_at(index, rows),
            rows=rows,
            n_original=len(y),
            is_time_series=in_time_order(index[rows]),
            const_index=constant_column(exog_kept, names),
        )
        varies = exog_kept.max(axis=0) > exog_kept.min(axis=0)
        self.regressors = tuple(
            Regressor(name, "continuous", name)
            for name, moves in zip(names, varies, strict=True)
            if moves
        )

    def state(self) -> State:
        """Numbers of the kept rows, names and options."""
        sample = self.sample
        meta = {
            "kind": "arrays",
            "missing": self.missing,
            "named": self.named,
            "endog_name": sample.endog_name,
            "exog_names": list(sample.exog_names),
        }
        return meta, {"endog": sample.endog, "exog": sample.exog, "rows": sample.rows}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], index: pd.Index
    ) -> "ArraySource":
        """Build from what :meth:`state` gave; rows that were dropped come back as missing."""
        rows, n = arrays["rows"], len(index)
        endog = np.full(n, np.nan)
        exog = np.full((n, arrays["exog"].shape[1]), np.nan)
        endog[rows], exog[rows] = arrays["endog"], arrays["exog"]
        source = cls(
            pd.Series(endog, index, name=meta["endog_name"]),
            pd.DataFrame(exog, index, columns=meta["exog_names"]),
            "drop",
        )
        source.named, source.missing = meta["named"], meta["missing"]
        return source

    @staticmethod
    def _keep(
        y: np.ndarray, x: np.ndarray, names: Sequence[str], index: pd.Index, missing: str
    ) -> np.ndarray:
        both = np.hstack([y, x])
        for j, name in enumerate(names):
            check_finite(both[:, j], name, index)
        absent = np.isnan(both)
        if missing != "drop" and absent.any():
            j = int(np.argmax(absent.any(axis=0)))
            count = int(absent[:, j].sum())
            raise DataError(
                f"column {names[j]!r} has {count} missing value{'s' if count > 1 else ''} at "
                f"{listing(index[absent[:, j]])}; drop the rows with missing='drop', or fill them"
            )
        if absent.any(axis=1).all():
            j = int(np.argmax(absent.sum(axis=0)))
            raise DataError(f"no row is complete; column {names[j]!r} is missing most often")
        return ~absent.any(axis=1)

    def exog_for(self, new: Any) -> tuple[np.ndarray, pd.Index]:
        """Regressors at new rows, matched by name where both sides have names."""
        if new is None:
            return self.sample.exog, self.sample.index
        names = self.sample.exog_names
        p = len(names)
        if isinstance(new, pd.DataFrame) and self.named:
            absent = [name for name in names if name not in new.columns]
            if absent:
                raise DataError(
                    f"the new rows have no column {', '.join(map(repr, absent))}; "
                    f"{suggestion(absent[0], new.columns)}"
                )
            new = new[list(names)]
        elif not isinstance(new, pd.DataFrame | pd.Series):
            new = np.asarray(new)
            if new.ndim == 1:
                new = new[:, None] if p == 1 else new[None, :]
        x, _, index = _as_matrix(new, "the new rows")
        if len(x) == 0:
            raise DataError("the new rows have no rows; check how they were filtered")
        if x.shape[1] != p:
            raise DataError(
                f"the new rows have {x.shape[1]} columns, but the model has {p}: {', '.join(names)}"
            )
        index = pd.RangeIndex(len(x)) if index is None else index
        for j, name in enumerate(names):
            check_finite(x[:, j], name, index)
            if np.isnan(x[:, j]).any():
                row = label_text(index[int(np.argmax(np.isnan(x[:, j])))])
                raise ForecastError(
                    f"column {name!r} is missing at row {row} of the new rows; fill it, or leave "
                    "the row out"
                )
        return x, index

    def moving_rows(self, new: Any = None) -> ArrayRows:
        """Rows that can be moved, of the sample or new ones."""
        x, _ = self.exog_for(new)
        movable = tuple(regressor.name for regressor in self.regressors)
        return ArrayRows(x, self.sample.exog_names, movable)

    def observed(self, regressor: Regressor) -> np.ndarray:
        """Values of a regressor in the sample."""
        return self.sample.exog[:, self._column(regressor)].copy()

    def describe_column(self, j: int) -> str:
        """Say whether a column is constant, and else its range."""
        return describe_values(self.sample.exog[:, j], self.sample.exog_names[j])

    def _column(self, regressor: Regressor) -> int:
        return self.sample.exog_names.index(regressor.name)


def _as_matrix(values: Any, what: str) -> tuple[np.ndarray, list[str] | None, pd.Index | None]:
    """Numbers, names and labels of what a user gives; text is refused by column and row."""
    if isinstance(values, pd.Series):
        name = what if values.name is None else str(values.name)
        frame = values.to_frame(name)
        return _frame_numbers(frame, what), None if values.name is None else [name], values.index
    if isinstance(values, pd.DataFrame):
        names = [str(name) for name in values.columns]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DataError(f"{what} has {names.count(twice[0])} columns named {twice[0]!r}")
        frame = values.set_axis(names, axis=1)
        return _frame_numbers(frame, what), names, values.index
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what} is no array of numbers: {error}") from None
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(f"{what} must have one or two dimensions, not the shape {array.shape}")
    if array.dtype.kind in "biuf":
        return array.astype(float), None, None
    frame = pd.DataFrame({f"{what}[:, {j}]": array[:, j] for j in range(array.shape[1])})
    return _frame_numbers(frame, what), None, None


def _frame_numbers(frame: pd.DataFrame, what: str) -> np.ndarray:
    out = np.empty(frame.shape)
    for j, name in enumerate(frame.columns):
        column = clean_column(frame, name, what)
        if not pd.api.types.is_numeric_dtype(column.dtype):
            row = int(np.argmax(np.asarray(column.notna())))
            if column.isna().all() and len(column):
                out[:, j] = np.nan
                continue
            raise DataError(
                f"column {name!r} holds {column.iloc[row]!r} at row "
                f"{label_text(frame.index[row])}, which is no number; convert it with "
                "pd.to_numeric, or use a formula, which codes categories"
            )
        out[:, j] = column.to_numpy(dtype=float)
    return out


def _common_index(first: pd.Index | None, second: pd.Index | None, n: int) -> pd.Index:
    if first is None and second is None:
        return pd.RangeIndex(n)
    if first is None or second is None:
        return first if second is None else second
    if not first.equals(second):
        same = np.asarray(first == second) if len(first) == len(second) else np.array([False])
        row = int(np.argmin(same))
        raise DataError(
            f"the indices of endog and exog differ at row {row}: {label_text(first[row])} and "
            f"{label_text(second[row])}; align them with exog.loc[endog.index]"
        )
    return first


def _default_names(x: np.ndarray) -> tuple[str, ...]:
    """``const`` for a column of ones and ``x1``, ``x2``, ... for the others, as in statsmodels."""
    names: list[str] = []
    count = 0
    for j in range(x.shape[1]):
        if "const" not in names and len(x) > 1 and (x[:, j] == 1.0).all():
            names.append("const")
        else:
            count += 1
            names.append(f"x{count}")
    return tuple(names)
