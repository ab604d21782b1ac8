"""Python expressions inside a formula: what they read, how lags are cut out of them, what is safe.

A factor such as ``np.log(lag(x, 1))`` is taken apart once. Each outermost call of a time operator
becomes an *atom*: it is computed on the whole frame, history included, and handed to the rest of
the expression as if it were a column. The rest sees only the rows at hand.
"""

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from nnecon.data.lags import TIME_OPERATORS, call_periods
from nnecon.data.syntax import parse, unknown_column
from nnecon.exceptions import FormulaError

CALL_PREFIX = "_call_"
ATOM_PREFIX = "_atom_"
COLUMN_PREFIX = "_column_"


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
    if isinstance(tree.body, ast.BinOp) and isinstance(tree.body.op, ast.BitOr):
        raise FormulaError(
            f"'|' in the formula {formula!r}: a second right-hand side (fixed effects, "
            "instruments) is not supported; write regressors as x1 + x2 and groups as C(group). "
            f"For 'either or' of two flags write I({ast.unparse(tree)})"
        )
    rewriter = _Rewriter(frozenset(columns), frozenset(stateful), formula)
    body: ast.expr = rewriter.visit(tree.body)
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

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        # between two flags it is "either ... or", with a number it is meant as a power
        if isinstance(node.op, ast.BitXor) and isinstance(node.right, ast.Constant):
            base, power = ast.unparse(node.left), ast.unparse(node.right)
            raise FormulaError(
                f"{ast.unparse(node)} in the formula {self.formula!r} is no power; write "
                f"I({base}**{power})"
            )
        return self.generic_visit(node)

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
        for name in inner.found.calls:
            if name in self.stateful or name == "C":
                does = "makes categories" if name == "C" else "remembers the estimation sample"
                raise FormulaError(
                    f"{label}: {name}() {does} and cannot stand inside a time operator; turn it "
                    f"round: {_turned_round(label, name)}"
                )
        reads = tuple(inner.found.columns.items())
        if not reads and inner.found.bound:
            raise unknown_column(inner.found.bound[0], self.columns, self.formula)
        if not reads:
            raise FormulaError(f"{label} names no column of the data")
        name = ATOM_PREFIX + _identifier(label)
        expression = ast.fix_missing_locations(ast.Expression(cast(ast.expr, code)))
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


def _turned_round(label: str, name: str) -> str:
    """Write ``lag(C(g), 1)`` as ``C(lag(g, 1))``."""
    outer = cast(ast.Call, ast.parse(label, mode="eval").body)
    inner = outer.args[0]
    if not (isinstance(inner, ast.Call) and ast.unparse(inner.func) == name and inner.args):
        return f"{name}({ast.unparse(outer.func)}(...))"
    moved = ast.Call(outer.func, [inner.args[0], *outer.args[1:]], outer.keywords)
    return ast.unparse(ast.Call(inner.func, [moved, *inner.args[1:]], inner.keywords))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _identifier(text: str) -> str:
    # what is no letter or digit is spelt by its number, so that two texts never share a name
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c)}_" for c in text)
