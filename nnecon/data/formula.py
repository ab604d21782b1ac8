"""Formulas: the only door to patsy.

patsy reads the formula, codes categories and names columns. Evaluation of factors and the assembly
of the matrix are done here from what patsy found, because partial effects need the factors of every
column: a column is a product of factor columns, and its derivative follows by the product rule.
"""

import builtins
import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy
import patsy.builtins
from patsy.desc import ModelDesc, Term
from patsy.eval import EvalEnvironment, EvalFactor
from patsy.infix_parser import ParseNode, Token
from patsy.parse_formula import parse_formula

from nnecon.data.expressions import (
    CALL_PREFIX,
    TIME_OPERATORS,
    Expression,
    check_safe,
    expand_lags,
    suggestion,
    take_apart,
    unknown_column,
)
from nnecon.data.transforms import StatefulTransform
from nnecon.exceptions import FormulaError, NneconError, SpecificationError

HELPERS: dict[str, Any] = {name: getattr(patsy.builtins, name) for name in patsy.builtins.__all__}
STATEFUL = frozenset(
    name for name, value in HELPERS.items() if hasattr(value, "__patsy_stateful_transform__")
)
_EVALUATION_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)


def caller_namespace(depth: int = 0) -> Mapping[str, Any]:
    """Names that a function's caller sees.

    Parameters
    ----------
    depth : int
        Zero for the caller of the function that calls this one, one for the caller's caller, ...;
        ``-1`` gives an empty namespace, as in statsmodels.

    Returns
    -------
    mapping
        Local names first, then global ones.

    Examples
    --------
    >>> def model():
    ...     return caller_namespace()["knots"]
    >>> knots = [1.0, 2.0]
    >>> model()
    [1.0, 2.0]
    """
    if depth < 0:
        return {}
    frame = sys._getframe(depth + 2)
    return {**frame.f_globals, **frame.f_locals}


class _Factor(EvalFactor):
    """A factor of patsy's whose code is ours and whose name is the user's."""

    def __init__(self, expression: Expression, origin: Any) -> None:
        super().__init__(expression.code, origin)
        self.expression = expression

    def name(self) -> str:
        return self.expression.label

    def memorize_chunk(self, state: Any, which_pass: int, data: Any) -> None:
        super().memorize_chunk(state, which_pass, self._measured(data))

    def eval(self, memorize_state: Any, data: Any) -> Any:
        return super().eval(memorize_state, self._measured(data))

    def _measured(self, data: Mapping[str, pd.Series]) -> Mapping[str, pd.Series]:
        """Whole numbers as floats, which do not overflow, unless they may name categories."""
        if set(self.expression.calls) - (HELPERS.keys() - {"C"}):
            return data
        return {
            name: column.astype(float) if column.dtype == np.int64 else column
            for name, column in data.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One factor of the right-hand side, ready to be evaluated.

    Attributes
    ----------
    expression : Expression
        What it reads.
    kind : {"numerical", "categorical"}
        How it enters.
    width : int
        Number of columns of a numerical factor.
    levels : tuple
        Levels of a categorical factor, in order.
    """

    expression: Expression
    kind: str
    width: int
    levels: tuple[Any, ...]
    handle: Any
    memory: Any

    @property
    def label(self) -> str:
        """The factor as written."""
        return self.expression.label

    def value(self, inputs: Mapping[str, pd.Series]) -> Any:
        """Evaluate on columns and atoms, all of the same rows."""
        return evaluate(self.label, lambda: self.handle.eval(self.memory, inputs))


@dataclass(frozen=True, slots=True)
class Piece:
    """A column's share of one factor: column ``column`` of it, or of its contrast matrix."""

    factor: int
    column: int
    contrast: np.ndarray | None


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A formula read, its names resolved, before any data were evaluated.

    Attributes
    ----------
    text : str
        The formula.
    left, right : list of patsy terms
        Its two sides.
    columns : tuple of str
        Columns of the data that it reads.
    bindings : dict
        Names taken from the caller's environment, with their values.
    namespace : dict
        Everything that evaluation needs besides data.
    """

    text: str
    left: Sequence[Any]
    right: Sequence[Any]
    columns: tuple[str, ...]
    bindings: Mapping[str, Any]
    namespace: Mapping[str, Any]

    @property
    def expressions(self) -> list[Expression]:
        """All factors of both sides, each once."""
        terms = [*self.left, *self.right]
        found = {f.code: f.expression for term in terms for f in term.factors}
        return list(found.values())

    @property
    def right_expressions(self) -> list[Expression]:
        """Factors of the right-hand side, each once."""
        found = {f.code: f.expression for term in self.right for f in term.factors}
        return list(found.values())

    @property
    def time_label(self) -> str | None:
        """The first lag, difference or growth rate, or None where there is none."""
        return next((atom.label for e in self.expressions for atom in e.atoms), None)


def read_formula(
    text: str, columns: Sequence[str], names: Mapping[str, Any], trusted: bool = True
) -> ParsedFormula:
    """Read a formula for data with the given columns.

    Parameters
    ----------
    text : str
        ``"growth ~ infl + lag(growth, 1, 4)"``.
    columns : sequence of str
        Columns of the data.
    names : mapping
        The caller's environment.
    trusted : bool
        False for a formula read from a file: it must then be plain arithmetic.

    Raises
    ------
    FormulaError
        The formula cannot be read, or names a column that is not there.
    """
    if not isinstance(text, str):
        raise FormulaError(f"the formula must be a text such as 'y ~ x', not {text!r}")
    known = {str(column) for column in columns if isinstance(column, str)}
    resolver = _Resolver(text, list(columns), names)
    try:
        tree = parse_formula(text)
        side_count = len(tree.args)
        if side_count != 2:
            raise FormulaError(
                f"the formula {text!r} has no left-hand side; write 'endog ~ regressors'"
            )
        model = ModelDesc.from_formula(_expanded(tree, resolver, text))
    except patsy.PatsyError as error:
        raise FormulaError(f"cannot read the formula {text!r}: {error.message}") from None
    codes = {f.code for terms in (model.lhs_termlist, model.rhs_termlist)
             for term in terms for f in term.factors}  # fmt: skip
    if not trusted:
        for code in sorted(codes):
            check_safe(code, {*HELPERS, *TIME_OPERATORS, *names}, text)
    expressions = {code: take_apart(code, known, STATEFUL, text) for code in codes}
    for code in codes:
        resolver.resolve(expressions[code])

    def ours(terms: Iterable[Any]) -> list[Any]:
        return [
            Term([_Factor(expressions[f.code], f.origin) for f in term.factors]) for term in terms
        ]

    left, right = ours(model.lhs_termlist), ours(model.rhs_termlist)
    if len(left) != 1 or len(left[0].factors) != 1:
        raise FormulaError(
            f"the formula {text!r} must have one variable on its left-hand side; for sums and "
            "products write I(...)"
        )
    if not right:
        raise FormulaError(f"the formula {text!r} has nothing on its right-hand side")
    used = dict.fromkeys(
        column
        for term in [*left, *right]
        for factor in term.factors
        for column in _columns_of(factor.expression)
    )
    return ParsedFormula(text, left, right, tuple(used), resolver.bindings, resolver.namespace)


def _columns_of(expression: Expression) -> list[str]:
    return [*expression.columns.values(), *(c for atom in expression.atoms for c in atom.columns)]


def _expanded(node: Any, resolver: "_Resolver", text: str) -> Any:
    """Write ranges of lags out as sums, so that every operator of the formula language works."""
    if isinstance(node, Token) or not isinstance(node, ParseNode):
        return node
    if node.type != "PYTHON_EXPR":
        args = [_expanded(arg, resolver, text) for arg in node.args]
        return ParseNode(node.type, node.token, args, node.origin)
    leaves = [
        ParseNode("PYTHON_EXPR", Token("PYTHON_EXPR", node.origin, extra=code), [], node.origin)
        for code in expand_lags(node.token.extra, resolver.period, text)
    ]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = ParseNode("+", Token("+", node.origin), [total, leaf], node.origin)
    return total


class _Resolver:
    """Finds what the names of a formula stand for and remembers what came from the caller."""

    def __init__(self, text: str, columns: list[Any], names: Mapping[str, Any]) -> None:
        self.text, self.columns, self.names = text, columns, names
        self.bindings: dict[str, Any] = {}
        self.namespace: dict[str, Any] = {}

    def period(self, name: str) -> Any:
        value = self.names[name]
        self.bindings[name] = value
        return value

    def resolve(self, expression: Expression) -> None:
        for name in expression.calls:
            self.namespace[CALL_PREFIX + name] = self._function(name)
        for name in expression.bound:
            self.namespace[name] = self._value(name)

    def _function(self, name: str) -> Any:
        value = self.names.get(name)
        if callable(value) and value is not HELPERS.get(name):
            self.bindings[name] = value
        else:
            value = HELPERS.get(name, getattr(builtins, name, None))
        if value is None:
            if name in self.columns:
                raise FormulaError(
                    f"{name!r} is a column, not a function, in the formula {self.text!r}; "
                    f"write {name}:(...) for an interaction"
                )
            helpers = ", ".join([*TIME_OPERATORS, *HELPERS])
            raise FormulaError(
                f"unknown function {name}() in the formula {self.text!r}; known are {helpers}, "
                "NumPy's np.log and the like, and functions defined where the model is built"
            )
        maker = getattr(value, "__patsy_stateful_transform__", None)
        return value if maker is None else StatefulTransform(name, maker)

    def _value(self, name: str) -> Any:
        if name in self.names:
            value = self.names[name]
            if value is not HELPERS.get(name) and value is not np:
                self.bindings[name] = value
            return value
        if name in ("np", "numpy"):
            return np
        if name in HELPERS:
            return HELPERS[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise unknown_column(name, self.columns, self.text)


def check_bindings(parsed: ParsedFormula, n: int) -> None:
    """Refuse data that the formula would take from outside the frame.

    A prediction could not renew them, and a mistyped column would go unnoticed.
    """
    for expression in parsed.expressions:
        if not expression.columns and not expression.atoms:
            names = [name for name in expression.bound if not callable(parsed.namespace[name])]
            raise FormulaError(
                f"{expression.label!r} in the formula {parsed.text!r} reads no column of the data; "
                f"{suggestion(names[0] if names else expression.label, parsed.columns)}"
            )
    for name, value in parsed.bindings.items():
        is_array = isinstance(value, np.ndarray | pd.Series | pd.DataFrame | list | tuple)
        if is_array and n > 1 and len(value) == n:
            raise FormulaError(
                f"{name!r} in the formula {parsed.text!r} is no column of the data but a variable "
                f"with {n} values from outside; make it a column: data[{name!r}] = {name}"
            )


class Matrix:
    """The right-hand side of a formula, memorised on the estimation data.

    Parameters
    ----------
    parsed : ParsedFormula
        The formula.
    inputs : mapping of str to Series
        Columns and atoms by stand-in, rows of the estimation data (missing ones included).
    drop_cols : sequence of str
        Design columns to leave out.
    """

    def __init__(
        self, parsed: ParsedFormula, inputs: Mapping[str, pd.Series], drop_cols: Sequence[str] = ()
    ) -> None:
        environment = EvalEnvironment([dict(parsed.namespace)])

        def build() -> Any:
            return patsy.design_matrix_builders(
                [list(parsed.left), list(parsed.right)], lambda: iter([inputs]), environment
            )

        left, right = evaluate(parsed.text, build)
        self.endog = self._factors(left)[0]
        self.factors = self._factors(right)
        names, pieces = _plan(right)
        unknown = [name for name in drop_cols if name not in names]
        if unknown:
            raise FormulaError(
                f"drop_cols names {unknown[0]!r}, which is no design column; "
                f"{suggestion(unknown[0], names)}"
            )
        self.suffixes = _suffixes(right)
        kept = [j for j, name in enumerate(names) if name not in set(drop_cols)]
        if not kept:
            raise FormulaError("no regressor is left after drop_cols")
        self.names = tuple(names[j] for j in kept)
        self.pieces = tuple(pieces[j] for j in kept)

    @staticmethod
    def _factors(info: Any) -> tuple[Factor, ...]:
        return tuple(
            Factor(
                handle.expression,
                found.type,
                found.num_columns or 0,
                tuple(found.categories or ()),
                handle,
                found.state,
            )
            for handle, found in info.factor_infos.items()
        )

    def uses(self, factor: int) -> bool:
        """Tell whether any kept column contains the factor."""
        return any(piece.factor == factor for column in self.pieces for piece in column)

    def assemble(self, values: Sequence[np.ndarray], m: int) -> np.ndarray:
        """Multiply factor values into the design matrix.

        Parameters
        ----------
        values : sequence of ndarray
            One a factor: numerical (m, width) float, categorical (m,) codes of levels.
        m : int
            Rows.

        Returns
        -------
        ndarray, shape (m, p)
        """
        out = np.ones((m, len(self.pieces)), order="F")
        for j, column in enumerate(self.pieces):
            for piece in column:
                out[:, j] *= _share(piece, values)
        return np.ascontiguousarray(out)

    def differentiate(
        self, values: Sequence[np.ndarray], slopes: Mapping[int, np.ndarray], m: int
    ) -> np.ndarray:
        """Derivative of the design matrix when factors move.

        Parameters
        ----------
        values : sequence of ndarray
            As in :meth:`assemble`.
        slopes : mapping of int to ndarray, shape (m, width)
            Derivative of each moving factor.
        m : int
            Rows.

        Returns
        -------
        ndarray, shape (m, p)
        """
        out = np.zeros((m, len(self.pieces)))
        for j, column in enumerate(self.pieces):
            for moving in column:
                if moving.factor not in slopes:
                    continue
                share = slopes[moving.factor][:, moving.column].copy()
                for piece in column:
                    if piece is not moving:
                        share *= _share(piece, values)
                out[:, j] += share
        return out


def _share(piece: Piece, values: Sequence[np.ndarray]) -> np.ndarray:
    if piece.contrast is None:
        return values[piece.factor][:, piece.column]
    return piece.contrast[values[piece.factor]]


def _plan(info: Any) -> tuple[list[str], list[tuple[Piece, ...]]]:
    """Read off patsy's design which factors every column multiplies, in patsy's order."""
    number = {factor: k for k, factor in enumerate(info.factor_infos)}
    pieces: list[tuple[Piece, ...]] = []
    for term in info.terms:
        for subterm in info.term_codings[term]:
            widths = [
                subterm.contrast_matrices[f].matrix.shape[1]
                if f in subterm.contrast_matrices
                else info.factor_infos[f].num_columns
                for f in subterm.factors
            ]
            for flat in range(int(np.prod(widths, dtype=int))):
                places = np.unravel_index(flat, widths, order="F") if widths else ()
                pieces.append(
                    tuple(
                        _piece(subterm, factor, number[factor], int(place))
                        for factor, place in zip(subterm.factors, places, strict=True)
                    )
                )
    return list(info.column_names), pieces


def _suffixes(info: Any) -> list[list[str]]:
    """How patsy writes the levels of every factor, over all the terms it enters."""
    out: dict[Any, list[str]] = {factor: [] for factor in info.factor_infos}
    for codings in info.term_codings.values():
        for subterm in codings:
            for factor, coding in subterm.contrast_matrices.items():
                out[factor] += [s for s in coding.column_suffixes if s not in out[factor]]
    return list(out.values())


def _piece(subterm: Any, factor: Any, number: int, place: int) -> Piece:
    coding = subterm.contrast_matrices.get(factor)
    contrast = None if coding is None else np.asarray(coding.matrix, dtype=float)[:, place]
    return Piece(number, place, contrast)


def evaluate(label: str, compute: Any) -> Any:
    """Run an evaluation and turn what goes wrong into a FormulaError of one line."""
    try:
        with np.errstate(all="ignore"):
            return compute()
    except NneconError:
        raise
    except patsy.PatsyError as error:
        cause = error.__cause__
        if isinstance(cause, NneconError):
            raise cause from None
        message = " ".join(str(error.message).split())
        raise FormulaError(f"cannot evaluate {label!r}: {message}") from error
    except _EVALUATION_ERRORS as error:
        text = " ".join(str(error).split())
        raise FormulaError(f"cannot evaluate {label!r}: {type(error).__name__}: {text}") from error


def categorical_labels(value: Any) -> np.ndarray:
    """Labels of a categorical value as objects, whether or not it went through ``C()``."""
    data = getattr(value, "data", value) if not isinstance(value, np.ndarray) else value
    if isinstance(value, pd.Series | pd.Categorical):
        data = value
    return np.asarray(pd.Series(data), dtype=object)


def bindings_to_state(bindings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Split what came from the caller into plain values and names of functions."""
    plain: dict[str, Any] = {}
    functions: list[str] = []
    for name, value in bindings.items():
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        if isinstance(value, bool | int | float | str | list | tuple | type(None)):
            plain[name] = list(value) if isinstance(value, tuple) else value
        elif callable(value) or isinstance(value, types.ModuleType):
            functions.append(name)
        else:
            raise SpecificationError(
                f"{name!r}, a {type(value).__name__} that the formula takes from outside the data, "
                "cannot be saved; write its value into the formula"
            )
    return plain, functions
