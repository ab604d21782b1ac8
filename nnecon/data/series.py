"""Series for forecasting: what a formula such as ``"infl + growth ~ unemp + known(tax)"`` names.

==============  ================================================================================
targets         the left side: one or more series that are forecast
predictors      the right side: series that help, known up to the period before
``known(x)``    a regressor whose value at the forecast period is known, such as a tax rate set in
                advance; it has to be given to ``forecast``
calendar        ``month``, ``quarter`` (dummies) and ``trend``, known for ever
==============  ================================================================================

Lags of all targets and predictors enter by themselves, so the formula names no lags of them.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.expressions import Expression, take_apart
from nnecon.data.formula import FUNCTIONS, HELPERS, STATEFUL, evaluate
from nnecon.data.frames import Table, as_frame, check_finite, clean_column, inputs_for
from nnecon.data.lags import TIME_OPERATORS
from nnecon.data.names import Resolver
from nnecon.data.syntax import check_safe, is_elementwise, parse
from nnecon.data.time_axis import TimeAxis, label_text
from nnecon.exceptions import DataError, FormulaError

CALENDAR = ("month", "quarter", "trend")
"""Terms of a formula that the dates themselves give, unless a column has that name."""

SEASONS = {"month": 12, "quarter": 4}


@dataclass(frozen=True, slots=True)
class Terms:
    """A formula read: expressions of each kind as written."""

    targets: tuple[str, ...]
    predictors: tuple[str, ...]
    known: tuple[str, ...]
    calendar: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Series on a regular time axis.

    Parameters
    ----------
    terms : Terms
        Names of the series by kind.
    endog : ndarray of shape (n, m)
        Targets, then predictors; NaN where they are missing.
    exog : ndarray of shape (n, k)
        Known regressors; NaN where they are missing.
    index : pandas.Index
        Labels of the n periods.
    axis : TimeAxis
        What a period is.
    bindings : mapping
        What a formula takes from its caller, by name.
    frame : DataFrame
        The columns that all this comes from.
    """

    terms: Terms
    endog: np.ndarray
    exog: np.ndarray
    index: pd.Index
    axis: TimeAxis
    bindings: Mapping[str, Any]
    frame: pd.DataFrame

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of ``endog``."""
        return (*self.terms.targets, *self.terms.predictors)

    @property
    def last(self) -> int:
        """Position of the last period at which a target or predictor is there."""
        there = np.flatnonzero(np.isfinite(self.endog).any(axis=1))
        return int(there[-1])

    @property
    def first(self) -> int:
        """Position of the first period at which all targets and predictors are there."""
        whole = np.flatnonzero(np.isfinite(self.endog).all(axis=1))
        return int(whole[0])

    def calendar(self, positions: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Calendar terms at some periods, shape (p, c), and their names.

        ``positions`` (p,) count from the first row; they may lie beyond the last. The trend is one
        at the first complete period; the first month or quarter has no dummy.
        """
        columns, names = [], []
        for kind in self.terms.calendar:
            if kind == "trend":
                columns.append(positions - self.first + 1.0)
                names.append("trend")
                continue
            found = season_of(kind, self.axis.labels(positions))
            for season in range(2, SEASONS[kind] + 1):
                columns.append((found == season).astype(float))
                names.append(f"{kind}={season}")
        values = np.column_stack(columns) if columns else np.empty((len(positions), 0))
        return values, names


def season_of(kind: str, index: pd.Index) -> np.ndarray:
    """Month or quarter of each label, shape (p,)."""
    if not isinstance(index, pd.PeriodIndex | pd.DatetimeIndex):
        raise FormulaError(
            f"{kind!r} in the formula is read off the dates, but the index holds "
            f"{label_text(index[0])}; set it with data.index = pd.PeriodIndex(..., freq='M')"
        )
    return np.asarray(getattr(index, kind))


def read_terms(formula: str, columns: Sequence[Any]) -> Terms:
    """Read the two sides of a formula.

    Examples
    --------
    >>> read_terms("infl + growth ~ unemp + known(tax) + quarter", ["infl", "growth", "unemp"])
    Terms(targets=('infl', 'growth'), predictors=('unemp',), known=('tax',), calendar=('quarter',))
    """
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise FormulaError(
            f"the formula must have targets, '~' and other series, such as "
            f"'infl + growth ~ unemp' or 'growth ~ 1', not {formula!r}"
        )
    left, right = (side.strip() for side in formula.split("~"))
    targets = _summands(left, formula)
    predictors, known, calendar = [], [], []
    for node in _summands_nodes(right, formula) if right else []:
        code = ast.unparse(node)
        if isinstance(node, ast.Constant) and node.value == 1:
            continue
        if isinstance(node, ast.Constant):
            raise FormulaError(
                f"{code} in the formula {formula!r}: the constant is always in the model; write "
                "the names of series, or 1 for the targets' own lags alone"
            )
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "known":
            if len(node.args) != 1 or node.keywords:
                raise FormulaError(f"known() takes one expression, not {code}")
            known.append(ast.unparse(node.args[0]))
        elif code in CALENDAR and code not in columns:
            calendar.append(code)
        else:
            predictors.append(code)
    for name in (*predictors, *known):
        if name in targets:
            raise FormulaError(
                f"{name!r} stands on both sides of {formula!r}; lags of the targets enter by "
                "themselves, so leave it out on the right"
            )
    every = [*targets, *predictors, *known]
    twice = next((name for name in every if every.count(name) > 1), None)
    if twice is not None:
        raise FormulaError(f"{twice!r} stands twice in the formula {formula!r}; write it once")
    return Terms(tuple(targets), tuple(predictors), tuple(known), tuple(calendar))


def _summands(side: str, formula: str) -> list[str]:
    return [ast.unparse(node) for node in _summands_nodes(side, formula)]


def _summands_nodes(side: str, formula: str) -> list[ast.expr]:
    """What stands between the plus signs of one side."""
    if not side:
        raise FormulaError(f"the formula {formula!r} has nothing to forecast on its left side")
    found: list[ast.expr] = []

    def walk(node: ast.expr) -> None:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            walk(node.left)
            walk(node.right)
        elif isinstance(node, ast.BinOp | ast.UnaryOp):
            raise FormulaError(
                f"{ast.unparse(node)} in the formula {formula!r}: series are joined by '+'; make "
                "products and differences a column of the data, or write I(...)"
            )
        else:
            found.append(node)

    try:
        walk(ast.parse(side, mode="eval").body)
    except SyntaxError as error:
        raise FormulaError(f"cannot read {side!r} in {formula!r}: {error.msg}") from None
    return found


def series_of(
    formula: str, data: Any, names: Mapping[str, Any], trusted: bool = True
) -> Series:  # fmt: skip
    """Evaluate a formula on a frame whose rows are periods.

    Parameters
    ----------
    formula : str
        Targets and what helps to forecast them.
    data : DataFrame
        One row a period.
    names : mapping
        The caller's environment.
    trusted : bool
        False for a formula read from a file: it must then be plain arithmetic.

    Raises
    ------
    FormulaError
        The formula cannot be read, or would look at other rows than lags do.
    DataError
        The index has gaps or no periods, or a column no numbers.
    """
    frame = as_frame(data)
    terms = read_terms(formula, list(frame.columns))
    codes = [*terms.targets, *terms.predictors, *terms.known]
    if not trusted:
        for code in codes:
            check_safe(code, {*HELPERS, *TIME_OPERATORS, *names}, formula)
    columns = {str(column) for column in frame.columns if isinstance(column, str)}
    resolver = Resolver(formula, list(frame.columns), names, HELPERS)
    expressions = [take_apart(code, columns, STATEFUL, formula) for code in codes]
    for expression in expressions:
        _check_rowwise(expression, formula)
        resolver.resolve(expression)
    axis = TimeAxis.of(frame.index, "a forecast")
    used = dict.fromkeys(
        column
        for expression in expressions
        for column in (
            *expression.columns.values(),
            *(c for atom in expression.atoms for c in atom.columns),
        )
    )
    table = Table(
        {name: clean_column(frame, name) for name in used},
        frame.index,
        axis.ordinals(frame.index),
        axis,
    )
    whole = np.arange(len(frame))
    inputs = inputs_for(expressions, table, whole, resolver.namespace, evaluate)
    values = [_values(one, inputs, resolver.namespace, frame.index) for one in expressions]
    m = len(terms.targets) + len(terms.predictors)
    matrix = np.column_stack(values)
    own, kept = dict(resolver.bindings), frame[list(used)].copy(deep=False)
    return _checked(Series(terms, matrix[:, :m], matrix[:, m:], frame.index, axis, own, kept))


def _check_rowwise(expression: Expression, formula: str) -> None:
    """Refuse what looks at other rows than lags do: it would see the future."""
    if "C" in expression.calls or set(expression.calls) & STATEFUL:
        raise FormulaError(
            f"{expression.label!r} in the formula {formula!r} makes categories or remembers the "
            "sample; make it a column of the data"
        )
    if not is_elementwise(expression.code, {f"_call_{name}" for name in ("I", *FUNCTIONS)}):
        raise FormulaError(
            f"{expression.label!r} in the formula {formula!r} may look at later rows; make it a "
            "column of the data, from values known at the time"
        )


def _values(
    expression: Expression,
    inputs: Mapping[str, pd.Series],
    namespace: Mapping[str, Any],
    index: pd.Index,
) -> np.ndarray:
    code = compile(parse(expression.code, expression.label), "<formula>", "eval")
    raw = evaluate(expression.label, partial(eval, code, {}, {**namespace, **inputs}))
    return _numbers(raw, expression.label, index)


def _numbers(raw: Any, label: str, index: pd.Index) -> np.ndarray:
    try:
        values = np.asarray(raw, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{label!r} holds values that are no numbers") from None
    if values.shape != (len(index),):
        raise FormulaError(f"{label!r} gives values of shape {values.shape} for {len(index)} rows")
    check_finite(values, label, index)
    return values


def series_from_arrays(endog: Any, exog: Any = None, predictors: Any = None) -> Series:
    """Series from arrays, Series or frames, as statsmodels' VAR and AutoReg take them.

    Parameters
    ----------
    endog : array_like of shape (n,) or (n, m)
        Targets.
    exog : array_like, optional
        Known regressors.
    predictors : array_like, optional
        Other series, known up to the period before.
    """
    target = _frame(endog, "y")
    parts = [target, _frame(predictors, "z"), _frame(exog, "x")]
    names: list[str] = []
    for part in parts:
        for column in part.columns:
            if column in names:
                raise DataError(f"the name {column!r} is there twice; rename one of the columns")
            names.append(column)
        if len(part.columns) and not part.index.equals(target.index):
            raise DataError(
                f"{part.columns[0]!r} has {len(part)} rows with other labels than "
                f"{target.columns[0]!r} with {len(target)}; bring them to one index first"
            )
    if not len(target):
        raise DataError("no rows in endog; check how the data were read or filtered")
    axis = TimeAxis.of(target.index, "a forecast")
    kinds = [tuple(part.columns) for part in parts]
    values = [
        np.column_stack([_numbers(clean_column(part, name), name, part.index) for name in names])
        if (names := list(part.columns))
        else np.empty((len(target), 0))
        for part in parts
    ]
    terms = Terms(kinds[0], kinds[1], kinds[2], ())
    endogenous = np.column_stack(values[:2])
    kept = pd.concat(parts, axis=1)
    return _checked(Series(terms, endogenous, values[2], target.index, axis, {}, kept))


def _frame(values: Any, letter: str) -> pd.DataFrame:
    if values is None:
        return pd.DataFrame()
    if isinstance(values, pd.Series):
        return values.to_frame(letter if values.name is None else str(values.name))
    if isinstance(values, pd.DataFrame):
        return values.set_axis([str(column) for column in values.columns], axis=1)
    array = np.asarray(values)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(f"series must have one or two dimensions, not the shape {array.shape}")
    many = array.shape[1] > 1 or letter != "y"
    return pd.DataFrame(
        array, columns=[f"{letter}{j}" if many else letter for j in range(1, array.shape[1] + 1)]
    )


def _checked(series: Series) -> Series:
    for name, column in zip(series.names, series.endog.T, strict=True):
        if not np.isfinite(column).any():
            raise DataError(f"{name!r} has no values; leave it out or fill it")
    if not np.isfinite(series.endog).all(axis=1).any():
        counts = {
            name: int(np.isfinite(column).sum())
            for name, column in zip(series.names, series.endog.T, strict=True)
        }
        raise DataError(
            f"no period has values of all series {list(series.names)} (values by series: {counts})"
        )
    return series


def named_columns(data: Any, names: Sequence[str]) -> Any:
    """A Series as a frame, where there is one series to be found in it."""
    if not isinstance(data, pd.Series):
        return data
    if len(names) > 1:
        raise DataError(
            f"the model has the series {list(names)}; give a DataFrame with these columns, not one "
            "Series"
        )
    return data.to_frame(names[0])
