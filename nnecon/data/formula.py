"""Formulas: the only door to patsy.

patsy reads the formula, codes categories and names columns. The matrix is assembled by
:mod:`nnecon.data.matrix` from the layout that patsy found.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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

from nnecon.data.expressions import Expression, take_apart
from nnecon.data.lags import TIME_OPERATORS, expand_lags
from nnecon.data.matrix import Factor, Matrix, Piece
from nnecon.data.names import Resolver
from nnecon.data.polynomials import Poly
from nnecon.data.syntax import check_safe, suggestion, with_all_columns
from nnecon.exceptions import FormulaError, NneconError, SpecificationError

FUNCTIONS = ("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs")
"""NumPy's functions that formulas know by R's names."""

HELPERS: dict[str, Any] = {
    **{name: getattr(patsy.builtins, name) for name in patsy.builtins.__all__},
    **{name: getattr(np, name) for name in FUNCTIONS},
    "poly": patsy.stateful_transform(Poly),
}
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
        reads = [*self.expression.columns, *(atom.name for atom in self.expression.atoms)]
        whole = {name: data[name].astype(float) for name in reads if data[name].dtype == np.int64}
        return {**data, **whole}


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
    text = with_all_columns(text, columns)
    resolver = Resolver(text, list(columns), names, HELPERS)
    try:
        tree = parse_formula(text)
        side_count = len(tree.args)
        if side_count != 2:
            raise FormulaError(
                f"the formula {text!r} has no left-hand side; write 'endog ~ regressors'"
            )
        tree = _expanded(tree, resolver, text)
        _check_removals(tree, text)
        model = ModelDesc.from_formula(tree)
    except patsy.PatsyError as error:
        power = "; powers of a sum are written ** here: (x + z)**2" if "^" in text else ""
        raise FormulaError(f"cannot read the formula {text!r}: {error.message}{power}") from None
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
    outcome = left[0].factors[0].expression
    if outcome.code in {f.code for term in right for f in term.factors}:
        raise FormulaError(
            f"the formula {text!r} explains {outcome.label!r} by itself; take it off the "
            f"right-hand side, or use its past: lag({outcome.label}, 1)"
        )
    used = dict.fromkeys(
        column
        for term in [*left, *right]
        for factor in term.factors
        for column in _columns_of(factor.expression)
    )
    return ParsedFormula(text, left, right, tuple(used), resolver.bindings, resolver.namespace)


def _columns_of(expression: Expression) -> list[str]:
    return [*expression.columns.values(), *(c for atom in expression.atoms for c in atom.columns)]


def _expanded(node: Any, resolver: Resolver, text: str) -> Any:
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


def _check_removals(tree: Any, text: str) -> None:
    """Refuse ``y ~ x - z`` where z is not in the formula: patsy would read it as ``y ~ x``."""
    kept: set[str] = set()
    removed: set[str] = set()

    def walk(node: Any, into: set[str]) -> None:
        if node.type == "PYTHON_EXPR":
            into.add(node.token.extra)
        elif node.type == "-" and len(node.args) == 2:
            walk(node.args[0], into)
            walk(node.args[1], removed if into is kept else kept)
        else:
            for arg in node.args:
                walk(arg, into)

    walk(tree, kept)
    for code in sorted(removed - kept):
        raise FormulaError(
            f"'- {code}' in the formula {text!r} takes away a term that is not there; for the "
            f"difference of two variables write I(... - {code})"
        )


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


def build_matrix(
    parsed: ParsedFormula,
    chunks: Callable[[], Iterable[Mapping[str, pd.Series]]],
    drop_cols: Sequence[str] = (),
) -> Matrix:
    """Let patsy memorise the estimation data and lay out the design.

    Parameters
    ----------
    parsed : ParsedFormula
        The formula.
    chunks : callable
        Starts a pass over the estimation data, missing rows included: columns and atoms by
        stand-in, some rows at a time. Called as often as the transforms of the formula need.
    drop_cols : sequence of str
        Design columns to leave out.
    """
    environment = EvalEnvironment([dict(parsed.namespace)])

    def build() -> Any:
        return patsy.design_matrix_builders(
            [list(parsed.left), list(parsed.right)], lambda: iter(chunks()), environment
        )

    left, right = evaluate(parsed.text, build)
    names, pieces = _plan(right)
    unknown = [name for name in drop_cols if name not in names]
    if unknown:
        raise FormulaError(
            f"drop_cols names {unknown[0]!r}, which is no design column; "
            f"{suggestion(unknown[0], names)}"
        )
    kept = [j for j, name in enumerate(names) if name not in set(drop_cols)]
    if not kept:
        raise FormulaError("no regressor is left after drop_cols")
    return Matrix(
        endog=_factors(left)[0],
        factors=_factors(right),
        names=tuple(names[j] for j in kept),
        pieces=tuple(pieces[j] for j in kept),
    )


def _factors(info: Any) -> tuple[Factor, ...]:
    suffixes = _suffixes(info)
    return tuple(
        Factor(
            expression=handle.expression,
            kind=found.type,
            width=found.num_columns or 0,
            levels=tuple(found.categories or ()),
            suffixes=tuple(suffixes[handle]),
            compute=_computation(handle, found.state),
        )
        for handle, found in info.factor_infos.items()
    )


def _computation(handle: _Factor, memory: Any) -> Callable[[Mapping[str, pd.Series]], Any]:
    label = handle.expression.label
    return lambda inputs: evaluate(label, lambda: handle.eval(memory, inputs))


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


def _suffixes(info: Any) -> dict[Any, list[str]]:
    """How patsy writes the levels of every factor, over all the terms it enters."""
    out: dict[Any, list[str]] = {factor: [] for factor in info.factor_infos}
    for codings in info.term_codings.values():
        for subterm in codings:
            for factor, coding in subterm.contrast_matrices.items():
                out[factor] += [s for s in coding.column_suffixes if s not in out[factor]]
    return out


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
        message = " ".join(str(error.message).split()).removeprefix("Error evaluating factor: ")
        raise FormulaError(f"cannot evaluate {label!r}: {message}") from error
    except _EVALUATION_ERRORS as error:
        text = " ".join(str(error).split())
        raise FormulaError(f"cannot evaluate {label!r}: {type(error).__name__}: {text}") from error


def linear_constraints(constraints: Any, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read linear hypotheses about named numbers: ``R`` (r, k) and ``q`` (r,) of ``R b = q``.

    Parameters
    ----------
    constraints : str, array_like, tuple or dict
        As in statsmodels: ``"x1 = x2, x3 = 1"``, a matrix ``R``, or ``(R, q)``.
    names : sequence of str
        The k names.

    Examples
    --------
    >>> linear_constraints("a = 2 * b", ["a", "b"])
    (array([[ 1., -2.]]), array([0.]))
    """
    try:
        found = patsy.DesignInfo(list(names)).linear_constraint(constraints)
    except (patsy.PatsyError, *_EVALUATION_ERRORS) as error:
        shown = ", ".join(repr(str(name)) for name in names[:8]) + (
            ", ..." if len(names) > 8 else ""
        )
        reason = " ".join(str(error).split("\n")[0].split())
        raise SpecificationError(
            f"the hypothesis {constraints!r} cannot be read ({reason}); write it as "
            f"'{names[0]} = 0', or as a matrix with {len(names)} columns. Names are {shown}."
        ) from error
    return np.asarray(found.coefs, float), np.asarray(found.constants, float).ravel()
