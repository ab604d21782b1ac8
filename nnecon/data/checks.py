"""Values of factors, and what is refused about them, each by column and row."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.expressions import CALL_PREFIX, Expression
from nnecon.data.formula import HELPERS
from nnecon.data.frames import Table, check_finite, reads_as_number
from nnecon.data.matrix import Factor, Matrix, categorical_labels
from nnecon.data.syntax import is_elementwise
from nnecon.data.time_axis import label_text, listing
from nnecon.exceptions import DataError, ForecastError, FormulaError

_DEALS_WITH_MISSING = re.compile(
    r"\b(isnan|isna|isnull|notna|notnull|fillna|nan_to_num|isfinite)\b"
)


_MANY_LEVELS = 20


def factor_values(
    factor: Factor, inputs: Mapping[str, pd.Series], index: pd.Index, check: bool = True
) -> np.ndarray:
    """Evaluate a factor on some rows.

    Parameters
    ----------
    factor : Factor
        The factor.
    inputs : mapping of str to Series
        Columns and atoms on these rows.
    index : pandas.Index
        Labels of the rows, shape (m,).
    check : bool
        Whether infinite values are refused.

    Returns
    -------
    ndarray
        (m, width) float64 with NaN for missing, or (m,) codes of levels with -1 for missing.
    """
    raw = factor.value(inputs)
    absent = _absent(factor, inputs)
    if factor.kind == "categorical":
        codes = _codes(factor, raw, index)
        codes[absent] = -1
        return codes
    values = _numbers(raw, factor.label)
    values = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
    if values.shape != (len(index), factor.width):
        raise FormulaError(
            f"{factor.label!r} gives values of shape {values.shape} for {len(index)} rows; a "
            "function in a formula must give one value a row"
        )
    values[absent] = np.nan
    if check:
        _check_infinite(factor.expression, values, inputs, index)
        _check_undefined(factor.expression, values, inputs, index)
    return values


def _absent(factor: Factor, inputs: Mapping[str, pd.Series]) -> np.ndarray:
    """Rows where something that the factor reads is missing.

    A comparison with a missing value is false in NumPy; here it is missing, unless the expression
    deals with missing values itself, by name or in a function of the caller's.
    """
    expression = factor.expression
    missing = np.zeros(len(next(iter(inputs.values()))), dtype=bool)
    if set(expression.calls) - HELPERS.keys() or _DEALS_WITH_MISSING.search(expression.code):
        return missing
    for stand_in in _sources(expression):
        missing |= np.asarray(inputs[stand_in].isna())
    return missing


def _numbers(raw: Any, label: str) -> np.ndarray:
    if isinstance(raw, pd.DataFrame):
        return raw.to_numpy(dtype=float, copy=True)
    array = np.asarray(raw)
    if array.dtype.kind in "mM" or isinstance(getattr(raw, "dtype", None), pd.PeriodDtype):
        raise DataError(
            f"{label!r} holds dates, which are no regressor; use a number such as its year"
        )
    if array.dtype.kind == "c":
        raise DataError(f"{label!r} holds complex numbers")
    try:
        return array.astype(float)
    except (TypeError, ValueError):
        raise DataError(f"{label!r} holds values that are no numbers") from None


def check_dates(factor: Factor) -> None:
    """Refuse dates, which patsy would take as one category a date."""
    if "C" not in factor.expression.calls and any(
        isinstance(level, pd.Period | np.datetime64 | datetime.date) for level in factor.levels
    ):
        raise DataError(
            f"{factor.label!r} holds dates, which are no regressor; use a number such as "
            f"{factor.label}.dt.year, or C({factor.label}) for one category a date"
        )


def check_levels(matrix: Matrix, n: int) -> None:
    """Refuse categories that are hardly meant: a single level without a column, numbers as text.

    Parameters
    ----------
    matrix : Matrix
        The design.
    n : int
        Rows that the levels were found in.
    """
    for k, factor in enumerate(matrix.factors):
        if factor.kind == "categorical" and len(factor.levels) == 1 and not matrix.uses(k):
            raise DataError(
                f"{factor.label!r} has only the level {label_text(factor.levels[0])} in the "
                "sample; leave it out"
            )
        expression, count = factor.expression, len(factor.levels)
        # text such as "1" to "4" may well code categories; many different numbers do not
        if (
            not expression.calls
            and (count > _MANY_LEVELS or 2 * count > n)
            and all(isinstance(level, str) and reads_as_number(level) for level in factor.levels)
        ):
            column = _text_column(expression)
            raise DataError(
                f"{column!r} is text that looks like numbers (e.g. {factor.levels[0]!r}, {count} "
                f"different values in {n} rows); convert it with pd.to_numeric(data[{column!r}]), "
                f"or write C({expression.label}) if it is a category"
            )


def _text_column(expression: Expression) -> str:
    columns = [*expression.columns.values(), *(c for a in expression.atoms for c in a.columns)]
    return columns[0]


def _codes(factor: Factor, raw: Any, index: pd.Index) -> np.ndarray:
    labels = categorical_labels(raw)
    if len(labels) != len(index):
        raise FormulaError(f"{factor.label!r} gives {len(labels)} values for {len(index)} rows")
    known = {level: k for k, level in enumerate(factor.levels)}
    absent = pd.isna(labels)
    codes = np.fromiter(
        (-1 if gone else known.get(label, -2) for label, gone in zip(labels, absent, strict=True)),
        dtype=np.int64,
        count=len(labels),
    )
    if (codes == -2).any():
        row = int(np.argmax(codes == -2))
        name = _column_name(factor.expression)
        raise DataError(
            f"column {name!r} has the value {labels[row]!r} at row {label_text(index[row])}, which "
            f"is not among the levels of the estimation data: {listing(factor.levels, 12)}; "
            "correct it, or estimate with data that hold this level"
        )
    return codes


def _column_name(expression: Expression) -> str:
    columns = [*expression.columns.values(), *(a.label for a in expression.atoms)]
    return columns[0] if len(columns) == 1 else expression.label


def _sources(expression: Expression) -> dict[str, str]:
    """Stand-ins with the names a user knows."""
    return {**expression.columns, **{atom.name: atom.label for atom in expression.atoms}}


def _check_infinite(
    expression: Expression, values: np.ndarray, inputs: Mapping[str, pd.Series], index: pd.Index
) -> None:
    if not np.isinf(values).any():
        return
    for stand_in, name in _sources(expression).items():
        column = inputs[stand_in]
        if pd.api.types.is_float_dtype(column.dtype):
            check_finite(column.to_numpy(), name, index)
    check_finite(values, expression.label, index)


def _check_undefined(
    expression: Expression, values: np.ndarray, inputs: Mapping[str, pd.Series], index: pd.Index
) -> None:
    """Refuse NaN that the factor makes out of values that are there."""
    bad = np.isnan(values).any(axis=1)
    for stand_in in _sources(expression):
        bad &= np.asarray(inputs[stand_in].notna())
    if not bad.any():
        return
    row = int(np.argmax(bad))
    given = ", ".join(
        f"{name} = {inputs[stand_in].iloc[row]!s}"
        for stand_in, name in _sources(expression).items()
    )
    remedy = "correct these values or set them to NaN"
    if "bs" in expression.calls:
        remedy = (
            "a B-spline does not reach beyond the estimation data; give it lower_bound= and "
            "upper_bound=, or use cr(), which continues as a straight line"
        )
    raise DataError(
        f"{expression.label!r} is not defined at row {label_text(index[row])} ({given}); {remedy}"
    )


def endog_values(factor: Factor, inputs: Mapping[str, pd.Series], index: pd.Index) -> np.ndarray:
    """The left-hand side as numbers, shape (m,); a true-or-false variable becomes one and zero."""
    if factor.kind == "numerical":
        if factor.width != 1:
            raise FormulaError(f"the left-hand side {factor.label!r} has {factor.width} columns")
        return factor_values(factor, inputs, index)[:, 0]
    raw = factor.value(inputs)
    labels = categorical_labels(raw)
    absent = pd.isna(labels)
    if not set(factor.levels) <= {False, True} or not all(
        isinstance(level, bool | np.bool_) for level in factor.levels
    ):
        row = int(np.argmin(absent))
        raise DataError(
            f"the left-hand side {factor.label!r} must hold numbers, but is {labels[row]!r} at row "
            f"{label_text(index[row])}; convert it with pd.to_numeric"
        )
    out = np.full(len(labels), np.nan)
    out[~absent] = labels[~absent].astype(float)
    return out


def check_all_missing(
    expressions: Sequence[Expression],
    inputs: Mapping[str, pd.Series],
    table: Table,
    rows: np.ndarray,
) -> None:
    """Refuse columns without any value, and lags longer than the data."""
    for expression in expressions:
        for name, column in expression.columns.items():
            if inputs[name].isna().all():
                raise DataError(
                    f"column {column!r} has no values in the {len(rows)} rows; fill it or leave it "
                    "out of the formula"
                )
        for atom in expression.atoms:
            if not inputs[atom.name].isna().all():
                continue
            for column in atom.columns:
                if table.columns[column].isna().all():
                    raise DataError(f"column {column!r} has no values; leave it out of the formula")
            raise DataError(
                f"{atom.label} has no values: it reaches {max(atom.offsets)} periods back and the "
                f"data have {len(table.index)} rows; use fewer lags or more data"
            )


def check_across_rows(factor: Factor, inputs: Mapping[str, pd.Series]) -> None:
    """Refuse a factor whose value in a row depends on other rows, as ``x - x.mean()`` does.

    Such a factor would silently mean something else on new rows. Half of the rows are evaluated
    alone and must give the same values.
    """
    expression = factor.expression
    if is_elementwise(expression.code, {CALL_PREFIX + name for name in HELPERS}):
        return
    n = len(next(iter(inputs.values())))
    if n < 2:
        return
    half = np.arange(n // 2, n)
    if factor.kind == "categorical":
        # true or false may agree by chance, so some rows are evaluated one by one
        parts = [half, *np.linspace(0, n - 1, min(n, 8)).astype(int)[:, None]]
    else:
        parts = [half]
    whole = _comparable(factor, inputs)
    same = np.shape(whole)[:1] == (n,)
    for rows in parts if same else ():
        alone = _comparable(factor, {name: column.iloc[rows] for name, column in inputs.items()})
        same &= np.shape(alone)[:1] == (len(rows),) and _agree(whole[rows], alone)
    if not same:
        raise FormulaError(
            f"{expression.label!r} takes values from other rows, so it would mean something else "
            "on new rows; use lag(), diff(), center() or standardize(), or make it a column of the "
            "data first"
        )


def _comparable(factor: Factor, inputs: Mapping[str, pd.Series]) -> np.ndarray:
    raw = factor.value(inputs)
    if factor.kind == "categorical":
        return np.array([str(label) for label in categorical_labels(raw)], dtype=object)
    return _numbers(raw, factor.label)


def _agree(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype == object:
        return bool(np.array_equal(a, b))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=0.0, equal_nan=True))


def kept_rows(
    table: Table,
    rows: np.ndarray,
    matrix: Matrix,
    endog: np.ndarray,
    values: Sequence[np.ndarray],
    inputs: Mapping[str, pd.Series],
    missing: str,
) -> np.ndarray:
    """Which of the chosen rows are complete, as a boolean mask.

    Raises
    ------
    DataError
        No row is complete; or ``missing="raise"`` and a value is missing that no lag took.
    """
    absent = {matrix.endog: np.isnan(endog)}
    for factor, value in zip(matrix.factors, values, strict=True):
        absent[factor] = value < 0 if value.ndim == 1 else np.isnan(value).any(axis=1)
    incomplete = np.logical_or.reduce(list(absent.values()))
    if missing != "drop" and incomplete.any():
        _report_missing(table, rows, absent)
    if incomplete.all():
        worst = max(absent, key=lambda factor: int(absent[factor].sum()))
        raise DataError(
            f"no row of {len(rows)} is complete; {worst.label!r} is missing in "
            f"{int(absent[worst].sum())} of them"
        )
    return ~incomplete


def _report_missing(table: Table, rows: np.ndarray, absent: Mapping[Factor, np.ndarray]) -> None:
    for factor, mask in absent.items():
        expression = factor.expression
        lost = np.zeros(len(rows), dtype=bool)
        for atom in expression.atoms:
            # the rows whose lag reaches before the first period are no missing data
            lost |= rows - max(atom.offsets) < 0
        if not (mask & ~lost).any():
            continue
        columns = [*expression.columns.values(), *(c for a in expression.atoms for c in a.columns)]
        for column in dict.fromkeys(columns):
            gone = np.asarray(table.columns[column].isna())
            within = np.zeros_like(gone)
            within[rows] = True
            where = gone & within if (gone & within).any() else gone
            if where.any():
                count = int(where.sum())
                raise DataError(
                    f"column {column!r} has {count} missing value{'s' if count > 1 else ''} at "
                    f"{listing(table.index[where])}; drop the rows with missing='drop', or fill "
                    "them"
                )
        raise DataError(f"{factor.label!r} is missing at {listing(table.index[rows][mask])}")


def check_new(
    matrix: Matrix,
    values: Sequence[np.ndarray],
    inputs: Mapping[str, pd.Series],
    index: pd.Index,
    union: Table | None,
    places: np.ndarray,
) -> None:
    """Refuse new rows whose regressors are not determined.

    Raises
    ------
    ForecastError
        Names the regressor, the row, and the value that is needed.
    """
    for k, (factor, value) in enumerate(zip(matrix.factors, values, strict=True)):
        absent = value < 0 if value.ndim == 1 else np.isnan(value).any(axis=1)
        if not absent.any() or not matrix.uses(k):
            continue
        row = int(np.argmax(absent))
        where = label_text(index[row])
        for name, column in factor.expression.columns.items():
            if pd.isna(inputs[name].iloc[row]):
                raise ForecastError(
                    f"column {column!r} is missing at row {where} of the new rows; fill it, or "
                    "leave the row out"
                )
        for atom in factor.expression.atoms:
            if union is not None and pd.isna(inputs[atom.name].iloc[row]):
                needed, column = _first_absent(union, atom, int(places[row]))
                raise ForecastError(
                    f"{atom.label} at {where} needs {column!r} at {', '.join(needed)}, which "
                    "neither the estimation data nor the new rows hold; new rows must follow on "
                    "from the data: supply these periods"
                )
        raise ForecastError(f"{factor.label!r} is missing at row {where} of the new rows")


def _first_absent(union: Table, atom: Any, place: int) -> tuple[list[str], str]:
    """Periods of the first column that a time operator lacks."""
    assert union.ordinals is not None and union.axis is not None
    at = union.ordinals[place]
    for column in atom.columns:
        values = union.columns[column]
        needed = []
        for offset in sorted(atom.offsets, reverse=True):
            found = np.searchsorted(union.ordinals, at - offset)
            held = found < len(union.ordinals) and union.ordinals[found] == at - offset
            if not held or pd.isna(values.iloc[found]):
                needed.append(union.axis.label(at - offset))
        if needed:
            return needed, column
    return [union.axis.label(at - max(atom.offsets))], atom.columns[0]
