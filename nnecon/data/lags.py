"""Time operators as they are written: ``lag(x, first, last)``, ``diff(x, k)``, ``dlog(x, k)``."""

import ast
from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from nnecon.data.syntax import parse
from nnecon.exceptions import FormulaError

TIME_OPERATORS = ("lag", "diff", "dlog")


def call_periods(node: ast.Call, as_written: bool = False) -> tuple[ast.expr, int, int]:
    """Read ``lag(x, first, last)``, ``diff(x, k)`` or ``dlog(x, k)`` with whole numbers in place.

    Parameters
    ----------
    node : ast.Call
        The call.
    as_written : bool
        Whether the user wrote it so; ``lag(x, 0)`` is then an error, and otherwise the start of a
        range that was written out.

    Returns
    -------
    argument, first, last
        ``last == first`` where only one number is given.
    """
    name, label = node.func.id, ast.unparse(node)  # type: ignore[attr-defined]
    allowed = ("first", "last") if name == "lag" else ("k",)
    values: dict[str, int] = {}
    for key, arg in zip(allowed, node.args[1:], strict=False):
        values[key] = whole(arg, label)
    for word in node.keywords:
        key = "first" if name == "lag" and word.arg == "k" else str(word.arg)
        if key not in allowed or key in values:
            raise FormulaError(f"{label}: unknown or repeated argument {word.arg!r}")
        values[key] = whole(word.value, label)
    if not node.args or len(node.args) > len(allowed) + 1:
        usage = "lag(x, k) or lag(x, first, last)" if name == "lag" else f"{name}(x, k)"
        raise FormulaError(f"{label}: write {usage}")
    first = values.get(allowed[0], 1)
    last = values.get("last", first)
    if min(first, last) < 0:
        raise FormulaError(
            f"{label} asks for a lead; the future of a regressor is not known when forecasting, so "
            "only lags of zero and more are taken; make it a column of the data if you mean it"
        )
    if first == 0 and (name != "lag" or (as_written and "last" not in values)):
        raise FormulaError(f"{label}: the number of periods must be at least 1")
    if last < first:
        raise FormulaError(f"{label}: the last lag comes before the first; write the smaller first")
    return node.args[0], first, last


def expand_lags(code: str, lookup: Callable[[str], Any], formula: str) -> list[str]:
    """Write a range of lags out, one expression a lag.

    Parameters
    ----------
    code : str
        One factor of a formula.
    lookup : callable
        Gives the value of a name in the caller's environment; raises KeyError where there is none.
    formula : str
        The whole formula, for messages.

    Returns
    -------
    list of str
        The factor itself where it holds no range.

    Examples
    --------
    >>> expand_lags("lag(x, 1, p)", {"p": 3}.__getitem__, "y ~ lag(x, 1, p)")
    ['lag(x, 1)', 'lag(x, 2)', 'lag(x, 3)']
    """
    tree = parse(code, formula)
    calls = [node for node in ast.walk(tree) if is_time_call(node)]
    if not calls:
        return [code]
    before = ast.dump(tree)
    ranged = []
    for call in calls:
        _fill_in(call, lookup)
        argument, first, last = call_periods(call, as_written=True)
        if call.func.id == "lag":  # type: ignore[attr-defined]
            written_as_range = len(call.args) + len(call.keywords) == 3
            call.args, call.keywords = [argument, ast.Constant(first)], []
            if written_as_range:
                ranged.append((call, first, last))
        elif call.keywords:
            call.args, call.keywords = [argument, ast.Constant(first)], []
    if not ranged:
        return [code] if ast.dump(tree) == before else [ast.unparse(tree)]
    if len(ranged) > 1:
        raise FormulaError(
            f"{code} holds two ranges of lags; write the combinations out, or join factors with ':'"
        )
    call, first, last = ranged[0]
    written = []
    for k in range(first, last + 1):
        call.args[1] = ast.Constant(k)
        written.append(ast.unparse(tree))
    return written


def is_time_call(node: ast.AST) -> TypeGuard[ast.Call]:
    """Tell whether a node calls lag, diff or dlog."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in TIME_OPERATORS
    )


def _fill_in(call: ast.Call, lookup: Callable[[str], Any]) -> None:
    """Replace names of periods, ``lag(x, 1, p)``, by the numbers they stand for."""
    for holder in [*call.args[1:], *(word.value for word in call.keywords)]:
        if not isinstance(holder, ast.Name):
            continue
        try:
            value = lookup(holder.id)
        except KeyError:
            continue
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            number = ast.Constant(int(value))
            call.args = [number if arg is holder else arg for arg in call.args]
            for word in call.keywords:
                word.value = number if word.value is holder else word.value


def whole(node: ast.expr, label: str) -> int:
    """Read a whole number written in a formula."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormulaError(
            f"{label}: periods must be whole numbers, not {ast.unparse(node)}"
        ) from None
    return value
