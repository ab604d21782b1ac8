"""Python expressions of a formula: reading them, what is safe in them, unknown names."""

import ast
import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from keyword import iskeyword
from typing import Any

import numpy as np

from nnecon.exceptions import FormulaError, SpecificationError

_PLAIN_NODES = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.Attribute,
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.List, ast.Tuple,
    ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip
_SAFE_NUMPY = frozenset(
    {name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}
    | {"where", "clip", "round", "isin", "array", "linspace", "arange", "pi", "e"}
)


_DOT = re.compile(r"(?<![\w.)\]'\"])\.(?![\w.])(?=(?:[^'\"]*['\"][^'\"]*['\"])*[^'\"]*$)")
"""A dot by itself, not within quotes: neither ``2.`` nor ``np.log``."""


def parse(code: str, formula: str) -> ast.Expression:
    """Parse one factor, with an error that quotes it."""
    try:
        return ast.parse(code, mode="eval")
    except SyntaxError as error:
        raise FormulaError(
            f"cannot read {code!r} in the formula {formula!r}: {error.msg}"
        ) from None


def is_elementwise(code: str, known: Collection[str]) -> bool:
    """Tell whether an expression is sure to work row by row.

    Parameters
    ----------
    code : str
        The expression.
    known : collection of str
        Functions that do.

    Examples
    --------
    >>> is_elementwise("np.log(x) ** 2", ()), is_elementwise("x - x.mean()", ())
    (True, False)
    """
    tree = ast.parse(code, mode="eval")
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return all(_is_numpy(node) for node in attributes) and all(
        isinstance(func, ast.Attribute) or (isinstance(func, ast.Name) and func.id in known)
        for func in calls
    )


def _is_numpy(node: ast.Attribute) -> bool:
    return (
        isinstance(node.value, ast.Name)
        and node.value.id in ("np", "numpy")
        and node.attr in _SAFE_NUMPY
    )


def suggestion(name: str, known: Iterable[str]) -> str:
    """Close matches and what there is, as the end of a message.

    Examples
    --------
    >>> suggestion("unmp", ["unemp", "infl"])
    "did you mean 'unemp'? The columns are: unemp, infl"
    """
    names = [str(column) for column in known]
    folded = {column.lower(): column for column in reversed(names)}
    close = difflib.get_close_matches(name.lower(), list(folded), n=2, cutoff=0.6)
    shown = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
    start = f"did you mean {' or '.join(repr(folded[c]) for c in close)}? " if close else ""
    return f"{start}{'T' if start else 't'}he columns are: {shown}"


def unknown_column(name: str, columns: Iterable[str], formula: str) -> FormulaError:
    """The error for a name that is no column."""
    return FormulaError(
        f"unknown column {name!r} in the formula {formula!r}; {suggestion(name, columns)}"
    )


def with_all_columns(formula: str, columns: Sequence[Any]) -> str:
    """Write out a dot on the right-hand side: all columns but those that the left-hand side reads.

    Parameters
    ----------
    formula : str
        ``"y ~ ."`` or ``"log(y) ~ . - z"``.
    columns : sequence
        Columns of the data.

    Examples
    --------
    >>> with_all_columns("log(y) ~ . - z + x:z", ["y", "x", "z", "GDP growth"])
    "log(y) ~ (x + z + Q('GDP growth')) - z + x:z"
    """
    left, tilde, right = formula.partition("~")
    if not _DOT.search(right):
        return formula
    if not tilde or not left.strip():
        raise FormulaError(f"the formula {formula!r} has no left-hand side; write 'endog ~ .'")
    tree = parse(left.strip(), formula)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    others = [column for column in columns if column not in used]
    odd = next((column for column in others if not isinstance(column, str)), None)
    if odd is not None:
        raise FormulaError(
            f"'.' in the formula {formula!r} stands for all other columns, but {odd!r} is no text; "
            "rename it: data.columns = data.columns.astype(str)"
        )
    if not others:
        raise FormulaError(
            f"'.' in the formula {formula!r} stands for all other columns, and there are none"
        )
    plain = [c if c.isidentifier() and not iskeyword(c) else f"Q({c!r})" for c in others]
    return f"{left}~{_DOT.sub(lambda _: '(' + ' + '.join(plain) + ')', right)}"


def check_safe(code: str, helpers: Collection[str], formula: str) -> None:
    """Refuse an expression read from a file unless it only does arithmetic.

    Allowed are names, numbers, strings, operators, the formula helpers, functions that the caller
    passed, and NumPy's elementwise functions.

    Raises
    ------
    SpecificationError
        Names what is not allowed and how to allow it.

    Examples
    --------
    >>> check_safe("np.log(x) + bs(z, 4)", {"bs"}, "y ~ ...")
    """
    tree = parse(code, formula)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _PLAIN_NODES):
            raise SpecificationError(
                f"the saved formula holds {ast.unparse(tree)!r}, which is more than arithmetic and "
                "known functions, so it is not evaluated; build the model anew from its formula"
            )
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            raise SpecificationError(f"the saved formula uses the private name {node.id!r}")
        if isinstance(node, ast.Attribute) and not _is_numpy(node):
            raise SpecificationError(
                f"the saved formula uses {ast.unparse(node)!r}, which is not one of NumPy's "
                "elementwise functions, so it is not evaluated; build the model anew"
            )
        if isinstance(node, ast.Name) and id(node) in called and node.id not in helpers:
            raise SpecificationError(
                f"the saved formula calls {node.id}(), a function of yours that a file cannot "
                f"hold; pass it when loading: functions={{{node.id!r}: {node.id}}}"
            )
