"""Python expressions inside a formula: what they read, how lags are cut out of them, what is safe.

A factor such as ``np.log(lag(x, 1))`` is taken apart once. Each outermost call of a time operator
becomes an *atom*: it is computed on the whole frame, history included, and handed to the rest of
the expression as if it were a column. The rest sees only the rows at hand.
"""

import ast
import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnecon.exceptions import FormulaError, SpecificationError

TIME_OPERATORS = ("lag", "diff", "dlog")
CALL_PREFIX = "_call_"
ATOM_PREFIX = "_atom_"
COLUMN_PREFIX = "_column_"

_PLAIN_NODES = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.Attribute,
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.List, ast.Tuple,
    ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip
_SAFE_NUMPY = frozenset(
    {name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}
    | {"where", "clip", "round", "isin", "array", "linspace", "arange", "pi", "e"}
)


@dataclass(frozen=True, slots=True)
class Atom:
    """One outermost call of a time operator.

    Attributes
    ----------
    name : str
        Stand-in under which the rest of the expression sees it.
    label : str
        The call as written, ``lag(x, 1)``.
    code : ast.Expression
        The call, ready to be compiled, with columns and functions renamed.
    reads : tuple of (str, str)
        Columns of the data that it reads, each with its stand-in before it.
    offsets : tuple of int
        How many periods back it reads, sorted: ``(1,)`` for ``lag(x, 1)``, ``(0, 1)`` for
        ``diff(x)``.
    """

    name: str
    label: str
    code: ast.Expression
    reads: tuple[tuple[str, str], ...]
    offsets: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads."""
        return tuple(dict.fromkeys(column for _, column in self.reads))


@dataclass(frozen=True, slots=True)
class Expression:
    """A factor of a formula, taken apart.

    Attributes
    ----------
    label : str
        As patsy writes it in column names.
    code : str
        The expression with columns, functions and atoms renamed.
    columns : dict of str to str
        Stand-in to column of the data, for columns read at the row itself.
    atoms : tuple of Atom
        The time operators.
    calls : tuple of str
        Names of the functions called, as written.
    bound : tuple of str
        Other names, that must come from the caller's environment.
    bare : str or None
        The column or atom (stand-in) when the expression is nothing else.
    """

    label: str
    code: str
    columns: Mapping[str, str]
    atoms: tuple[Atom, ...]
    calls: tuple[str, ...]
    bound: tuple[str, ...]
    bare: str | None


@dataclass(slots=True)
class _Found:
    columns: dict[str, str] = field(default_factory=dict)
    atoms: dict[str, Atom] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)


def parse(code: str, formula: str) -> ast.Expression:
    """Parse one factor, with an error that quotes it."""
    try:
        return ast.parse(code, mode="eval")
    except SyntaxError as error:
        raise FormulaError(
            f"cannot read {code!r} in the formula {formula!r}: {error.msg}"
        ) from None


def take_apart(
    code: str, columns: Collection[str], stateful: Collection[str], formula: str
) -> Expression:
    """Take a factor apart into columns, atoms and the rest.

    Parameters
    ----------
    code : str
        The factor, lags already expanded.
    columns : collection of str
        Columns of the data.
    stateful : collection of str
        Names of transforms that remember the estimation data, which time operators cannot hold.
    formula : str
        The whole formula, for messages.

    Examples
    --------
    >>> parts = take_apart("np.log(lag(x, 1)) * z", {"x", "z"}, {"bs"}, "y ~ ...")
    >>> parts.atoms[0].label, parts.atoms[0].offsets, parts.columns, parts.bound
    ('lag(x, 1)', (1,), {'z': 'z'}, ('np',))
    """
    tree = parse(code, formula)
    rewriter = _Rewriter(frozenset(columns), frozenset(stateful), formula)
    body = rewriter.visit(tree.body)
    bare = body.id if isinstance(body, ast.Name) and body.id in rewriter.inputs else None
    found = rewriter.found
    return Expression(
        label=code,
        code=ast.unparse(ast.fix_missing_locations(ast.Expression(body))),
        columns=dict(found.columns),
        atoms=tuple(found.atoms.values()),
        calls=tuple(dict.fromkeys(found.calls)),
        bound=tuple(dict.fromkeys(found.bound)),
        bare=bare,
    )


class _Rewriter(ast.NodeTransformer):
    """Rename what an expression reads, so that columns and functions never hide each other."""

    def __init__(self, columns: frozenset[str], stateful: frozenset[str], formula: str) -> None:
        self.columns, self.stateful, self.formula = columns, stateful, formula
        self.found = _Found()

    @property
    def inputs(self) -> set[str]:
        return {*self.found.columns, *self.found.atoms}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name):
            return self.generic_visit(node)
        name = node.func.id
        if name in TIME_OPERATORS:
            return self._atom(node)
        if name == "Q":
            return self._quoted(node)
        self.found.calls.append(name)
        node.func.id = CALL_PREFIX + name
        node.args = [self.visit(arg) for arg in node.args]
        node.keywords = [self.visit(word) for word in node.keywords]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.columns:
            self.found.columns[node.id] = node.id
        else:
            self.found.bound.append(node.id)
        return node

    def _quoted(self, node: ast.Call) -> ast.AST:
        if len(node.args) != 1 or node.keywords or not _is_text(node.args[0]):
            raise FormulaError(f"Q() takes one quoted column name, not {ast.unparse(node)}")
        column = node.args[0].value  # type: ignore[attr-defined]
        if column not in self.columns:
            raise unknown_column(column, self.columns, self.formula)
        stand_in = column if column.isidentifier() else COLUMN_PREFIX + _identifier(column)
        self.found.columns[stand_in] = column
        return ast.Name(stand_in, ast.Load())

    def _atom(self, node: ast.Call) -> ast.AST:
        label = ast.unparse(node)
        inner = _Rewriter(self.columns, self.stateful, self.formula)
        code, offsets = inner.operator(node)
        remembers = [name for name in inner.found.calls if name in self.stateful]
        if remembers:
            name = remembers[0]
            raise FormulaError(
                f"{label}: {name}() remembers the estimation sample and cannot stand inside a "
                f"time operator; turn it round: {name}({node.func.id}(...))"  # type: ignore[attr-defined]
            )
        reads = tuple(inner.found.columns.items())
        if not reads:
            raise FormulaError(f"{label} names no column of the data")
        name = ATOM_PREFIX + _identifier(label)
        expression = ast.fix_missing_locations(ast.Expression(code))
        self.found.atoms[name] = Atom(name, label, expression, reads, offsets)
        self.found.calls += inner.found.calls
        self.found.bound += inner.found.bound
        return ast.Name(name, ast.Load())

    def operator(self, node: ast.Call) -> tuple[ast.AST, tuple[int, ...]]:
        """Rewrite a time operator and say which offsets it reaches, itself and inside."""
        name, label = node.func.id, ast.unparse(node)  # type: ignore[attr-defined]
        argument, first, last = call_periods(node)
        if first != last:
            raise FormulaError(f"{label} is a range of lags inside another expression")
        nested = _Nested(self)
        inner = nested.visit(argument)
        own = {first} if name == "lag" else {0, first}
        offsets = sorted({a + b for a in own for b in nested.offsets or {0}})
        call = ast.Call(
            ast.Name(CALL_PREFIX + name, ast.Load()),
            [inner, ast.Constant(first), ast.Constant(ast.unparse(node.args[0]))],
            [],
        )
        return call, tuple(offsets)


class _Nested(ast.NodeTransformer):
    """Rewrites the argument of a time operator, further time operators included."""

    def __init__(self, outer: _Rewriter) -> None:
        self.outer = outer
        self.offsets: set[int] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in TIME_OPERATORS:
            call, offsets = self.outer.operator(node)
            self.offsets |= set(offsets)
            return call
        if isinstance(node.func, ast.Name) and node.func.id == "Q":
            self.offsets.add(0)
            return self.outer._quoted(node)
        if isinstance(node.func, ast.Name):
            self.outer.found.calls.append(node.func.id)
            node.func.id = CALL_PREFIX + node.func.id
            node.args = [self.visit(arg) for arg in node.args]
            node.keywords = [self.visit(word) for word in node.keywords]
            return node
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.outer.columns:
            self.offsets.add(0)
        return self.outer.visit_Name(node)


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
        key = "first" if name == "lag" and word.arg == "k" else word.arg
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


def is_time_call(node: ast.AST) -> bool:
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


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _identifier(text: str) -> str:
    # what is no letter or digit is spelt by its number, so that two texts never share a name
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c)}_" for c in text)


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
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name)
            and node.value.id in ("np", "numpy")
            and node.attr in _SAFE_NUMPY
        ):
            raise SpecificationError(
                f"the saved formula uses {ast.unparse(node)!r}, which is not one of NumPy's "
                "elementwise functions, so it is not evaluated; build the model anew"
            )
        if isinstance(node, ast.Name) and id(node) in called and node.id not in helpers:
            raise SpecificationError(
                f"the saved formula calls {node.id}(), a function of yours that a file cannot "
                f"hold; pass it when loading: functions={{{node.id!r}: {node.id}}}"
            )
