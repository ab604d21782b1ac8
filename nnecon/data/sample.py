"""The rows used in estimation, and how rows are chosen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import is_time_index, label_text, listing
from nnecon.exceptions import DataError

MISSING = ("drop", "raise", "none")


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows used in estimation.

    Attributes
    ----------
    endog : ndarray of float64, shape (n,)
        The dependent variable.
    exog : ndarray of float64, shape (n, p)
        The design matrix.
    endog_name : str
        Name of the dependent variable.
    exog_names : tuple of str
        Names of the p columns.
    index : pandas.Index
        Labels of the kept rows, shape (n,), of the kind that the user gave.
    rows : ndarray of int64, shape (n,)
        Positions of the kept rows in the user's data.
    n_original : int
        Rows given.
    is_time_series : bool
        Whether the rows are periods in order of time: a PeriodIndex or DatetimeIndex without
        duplicates, or an integer index in a formula with lags.
    const_index : int or None
        The column that is identically one, None where there is none.
    """

    endog: np.ndarray
    exog: np.ndarray
    endog_name: str
    exog_names: tuple[str, ...]
    index: pd.Index
    rows: np.ndarray
    n_original: int
    is_time_series: bool
    const_index: int | None

    @property
    def nobs(self) -> int:
        """Number of rows used."""
        return len(self.endog)


def check_missing_option(missing: str) -> None:
    """Refuse an unknown way to treat missing values."""
    if missing not in MISSING:
        raise DataError(f"missing must be 'drop' or 'raise', not {missing!r}")


def in_time_order(index: pd.Index, periods: bool = False) -> bool:
    """Tell whether rows are periods, each once, in order of time."""
    return (periods or is_time_index(index)) and index.is_unique and index.is_monotonic_increasing


def labels_at(index: pd.Index, rows: np.ndarray) -> pd.Index:
    """Labels of some rows; a stretch without holes keeps the frequency of its dates."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return index[rows[0] : rows[-1] + 1]
    return index[rows]


def constant_column(exog: np.ndarray, names: Sequence[str]) -> int | None:
    """The intercept: the column so named, or else the first that is identically one."""
    if "Intercept" in names:
        return list(names).index("Intercept")
    if len(exog) < 2:
        return next((j for j, name in enumerate(names) if name == "const"), None)
    ones = np.flatnonzero((exog == 1.0).all(axis=0))
    return int(ones[0]) if len(ones) else None


def subset_rows(frame: pd.DataFrame, subset: Any) -> np.ndarray:
    """Positions of the rows that ``subset`` names, in the order of the data.

    Parameters
    ----------
    frame : DataFrame
        The data.
    subset : None, str, slice, boolean array or labels
        A text is a condition as in ``DataFrame.query``; everything else is taken by ``loc``.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1, 5, 3]}, index=["a", "b", "c"])
    >>> subset_rows(frame, "x > 2"), subset_rows(frame, ["c", "a"])
    (array([1, 2]), array([0, 2]))
    """
    n = len(frame)
    if subset is None:
        return np.arange(n)
    if callable(subset):
        raise DataError(
            "subset must be a condition, an array or labels, not a function; call it first: "
            "subset=function(data)"
        )
    if isinstance(subset, pd.Series) and pd.api.types.is_bool_dtype(subset.dtype):
        _check_labels(subset, frame.index)
    places = pd.Series(np.arange(n), index=frame.index)
    try:
        if isinstance(subset, str):
            mask = np.asarray(frame.eval(subset))
            if mask.dtype != bool or mask.shape != (n,):
                raise DataError(f"subset {subset!r} is no condition; write, e.g., 'year >= 1985'")
            chosen = places[mask]
        else:
            chosen = places.loc[subset]
    except (
        AttributeError,
        KeyError,
        IndexError,
        NameError,
        SyntaxError,
        TypeError,
        ValueError,
        pd.errors.IndexingError,
    ) as error:
        if isinstance(error, DataError):
            raise
        text = " ".join(str(error).split()).strip('"')
        unknown = re.fullmatch(r"name '(.+)' is not defined", text)
        if unknown:
            text = f"unknown column {unknown[1]!r}; {suggestion(unknown[1], frame.columns)}"
        raise DataError(f"subset does not fit the data: {text}") from error
    rows = np.atleast_1d(np.asarray(chosen, dtype=np.int64))
    if len(np.unique(rows)) < len(rows) and frame.index.is_unique:
        raise DataError("subset names rows more than once; use weights to count a row twice")
    if len(rows) == 0:
        raise DataError("subset leaves no rows; check its condition or labels")
    return np.unique(rows)


def _check_labels(subset: pd.Series, index: pd.Index) -> None:
    absent = ~index.isin(subset.index)
    if absent.any():
        label = label_text(index[int(np.argmax(absent))])
        raise DataError(
            f"subset has {len(subset)} values and none for row {label} of the {len(index)} rows of "
            "the data; compute it on the whole data, or pass the labels of the rows to keep"
        )


def align_values(values: Any, name: str, index: pd.Index, rows: np.ndarray) -> np.ndarray:
    """Bring weights or groups to the kept rows.

    Parameters
    ----------
    values : array_like or Series
        One value a row of the user's data, or a kept row; a Series goes by its labels.
    name : str
        What they are, for messages.
    index : pandas.Index
        Labels of the user's data, shape (n_original,).
    rows : ndarray of int
        Positions of the kept rows, shape (n,).

    Returns
    -------
    ndarray, shape (n,) or (n, k)
    """
    kept = index[rows]
    if isinstance(values, pd.Series | pd.DataFrame):
        values = _by_label(values, name, index, rows)
    array = _plain(values)
    weights = name.split(" ")[0] == "weights"
    if array.ndim not in (1, 2) or (weights and array.ndim == 2):
        raise DataError(f"{name} must have one value a row, not the shape {array.shape}")
    if len(array) == len(index):
        array = array[rows]
    elif len(array) != len(rows):
        sizes = (
            f"{len(index)}" if len(index) == len(rows) else f"{len(index)} (or {len(rows)} used)"
        )
        raise DataError(f"{name} has {len(array)} values, but the data have {sizes} rows")
    absent = pd.isna(array).reshape(len(array), -1).any(axis=1)
    if absent.any():
        raise DataError(
            f"{name} is missing at row {listing(kept[absent], 3)}; fill these values or leave the "
            "rows out with subset"
        )
    if weights:
        array = _as_numbers(array, name, kept)
    if np.issubdtype(array.dtype, np.floating) and np.isinf(array).any():
        row = kept[int(np.argmax(np.isinf(array).reshape(len(array), -1).any(axis=1)))]
        raise DataError(f"{name} is infinite at row {label_text(row)}")
    return array


def _as_numbers(array: np.ndarray, name: str, kept: pd.Index) -> np.ndarray:
    if array.dtype.kind in "biuf":
        return array
    for value, label in zip(array, kept, strict=True):
        # Decimal and other numbers have __float__; text, dates and complex numbers are no weights
        if isinstance(value, str) or not hasattr(value, "__float__") or np.iscomplexobj(value):
            raise DataError(
                f"{name} must hold numbers, but has {value!r} at row {label_text(label)}; convert "
                "it with pd.to_numeric, or name another column"
            )
    return array.astype(float)


def _by_label(values: Any, name: str, index: pd.Index, rows: np.ndarray) -> Any:
    if values.index.equals(index) or values.index.equals(index[rows]):
        return values
    wanted = index if len(values) == len(index) else index[rows]
    if values.index.is_unique and index.is_unique:
        places = values.index.get_indexer(wanted)
        if (places >= 0).all():
            return values.iloc[places]
        kept = index[rows]
        places = values.index.get_indexer(kept)
        if (places >= 0).all():
            return values.iloc[places]
        label = label_text(kept[int(np.argmin(places))])
    else:
        label = label_text(wanted[0])
    raise DataError(
        f"the labels of {name} do not match those of the data, e.g. {label}; give it the same "
        f"index, or pass {name}.to_numpy() to go by position"
    )


def _plain(values: Any) -> np.ndarray:
    if isinstance(values, pd.Series):
        dtype = values.dtype
        if pd.api.types.is_bool_dtype(dtype) and not values.isna().any():
            return values.to_numpy(dtype=bool)
        if pd.api.types.is_integer_dtype(dtype) and not values.isna().any():
            return values.to_numpy(dtype=np.int64)
        if pd.api.types.is_numeric_dtype(dtype):
            return values.to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(values, dtype=object)
    if isinstance(values, pd.DataFrame):
        columns = [_plain(values.iloc[:, j]) for j in range(values.shape[1])]
        same = len({column.dtype for column in columns}) == 1
        return np.column_stack(columns if same else [c.astype(object) for c in columns])
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind in "US" else array
