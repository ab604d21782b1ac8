"""Regressors: the things whose partial effects a user asks for, and where they enter the design.

A regressor is a factor as written where its variables enter nowhere else and through one column
(``x``, ``np.log(x)``, ``lag(x, 1)``), and otherwise the variable itself, with the total derivative
over all the columns it enters (``x + I(x**2)``, ``bs(x, 4)``). A category has one regressor for
each level but the reference.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.matrix import Factor, Matrix
from nnecon.exceptions import DataError


@dataclass(frozen=True, slots=True)
class Regressor:
    """A quantity with a partial effect.

    Attributes
    ----------
    name : str
        As in a table of effects: ``unemp``, ``lag(growth, 1)``, ``C(region)[T.West]``.
    kind : {"continuous", "category"}
        Whether the effect is a derivative or a difference between two levels.
    variable : str
        What the user would call it: ``unemp``, ``lag(growth, 1)``, ``region``.
    level, reference : Any
        The two levels of a category that are compared; None for a continuous regressor.
    """

    name: str
    kind: str
    variable: str
    level: Any = None
    reference: Any = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a regressor enters.

    Attributes
    ----------
    factors : tuple of int
        Factors of the design that move with it.
    source : str or None
        Stand-in of the column or atom that moves; None where the factor moves as a whole.
    spread : float
        Standard deviation in the estimation data, the scale of finite differences.
    """

    factors: tuple[int, ...]
    source: str | None
    spread: float


def find_regressors(
    matrix: Matrix, inputs: Mapping[str, pd.Series], values: Sequence[np.ndarray]
) -> list[tuple[Regressor, Place]]:
    """List the regressors of a design in the order in which they enter it.

    Parameters
    ----------
    matrix : Matrix
        The design.
    inputs : mapping of str to Series
        Columns and atoms on the sample.
    values : sequence of ndarray
        Factor values on the sample.
    """
    labels = source_labels(matrix)
    movable = {
        name
        for name, column in inputs.items()
        if pd.api.types.is_numeric_dtype(column.dtype)
        and not pd.api.types.is_bool_dtype(column.dtype)
    }
    groups = _components(matrix, movable)
    out: list[tuple[Regressor, Place]] = []
    done: set[int] = set()
    for k in _order(matrix):
        factor = matrix.factors[k]
        if factor.kind == "categorical":
            if k not in done:
                done |= set(_same_category(matrix, k))
                out += _levels(matrix, k)
        elif k not in done:
            factors, sources = groups[k]
            done |= set(factors)
            if len(factors) == 1 and (factor.width == 1 or not sources):
                spread = _spread(values[k][:, 0])
                name = labels.get(factor.expression.bare or "", factor.label)
                out.append((Regressor(name, "continuous", name), Place((k,), None, spread)))
                continue
            for source in sources:
                moved = tuple(j for j in factors if source in factor_sources(matrix.factors[j]))
                name = labels[source]
                place = Place(moved, source, _spread(np.asarray(inputs[source], dtype=float)))
                out.append((Regressor(name, "continuous", name), place))
    return out


def source_labels(matrix: Matrix) -> dict[str, str]:
    """What the user calls the columns and time operators that the factors read."""
    labels: dict[str, str] = {}
    for factor in matrix.factors:
        labels.update(factor.expression.columns)
        labels.update({atom.name: atom.label for atom in factor.expression.atoms})
    return labels


def factor_sources(factor: Factor) -> list[str]:
    """Stand-ins of the columns and atoms that a factor reads."""
    return [*factor.expression.columns, *(atom.name for atom in factor.expression.atoms)]


def _order(matrix: Matrix) -> list[int]:
    """Factors by the first column that contains them; dropped ones are left out."""
    found = dict.fromkeys(piece.factor for column in matrix.pieces for piece in column)
    return list(found)


def _components(
    matrix: Matrix, movable: set[str]
) -> dict[int, tuple[tuple[int, ...], tuple[str, ...]]]:
    """Group numerical factors that share a variable."""
    groups: list[tuple[list[int], list[str]]] = []
    for k in _order(matrix):
        factor = matrix.factors[k]
        if factor.kind == "categorical":
            continue
        sources = [name for name in factor_sources(factor) if name in movable]
        touching = [group for group in groups if set(group[1]) & set(sources)]
        merged = ([j for g in touching for j in g[0]] + [k], [s for g in touching for s in g[1]])
        merged[1].extend(s for s in sources if s not in merged[1])
        groups = [group for group in groups if group not in touching] + [merged]
    return {k: (tuple(factors), tuple(sources)) for factors, sources in groups for k in factors}


def _same_category(matrix: Matrix, k: int) -> tuple[int, ...]:
    """Factors that code the same variable, perhaps in different ways, the given one first."""
    factor = matrix.factors[k]
    variable = _categorical_variable(factor)
    others = [
        j
        for j in _order(matrix)
        if j != k
        and matrix.factors[j].kind == "categorical"
        and _categorical_variable(matrix.factors[j]) == variable
        and set(matrix.factors[j].levels) == set(factor.levels)
    ]
    return (k, *others)


def _levels(matrix: Matrix, k: int) -> list[tuple[Regressor, Place]]:
    factor = matrix.factors[k]
    names, reference = _coding(matrix, k)
    variable = _categorical_variable(factor)
    place = Place(_same_category(matrix, k), None, 1.0)
    return [
        (
            Regressor(names[level], "category", variable, level, factor.levels[reference]),
            place,
        )
        for j, level in enumerate(factor.levels)
        if j != reference
    ]


def _coding(matrix: Matrix, k: int) -> tuple[dict[Any, str], int]:
    """Names of the levels, as patsy writes them, and the place of the reference level."""
    factor = matrix.factors[k]
    columns = [
        piece.contrast
        for column in matrix.pieces
        for piece in column
        if piece.factor == k and piece.contrast is not None
    ]
    coded = np.column_stack(columns)
    zero = np.flatnonzero(~coded.any(axis=1))
    reference = int(zero[0]) if len(zero) else 0
    others = [level for j, level in enumerate(factor.levels) if j != reference]
    treated = [s for s in factor.suffixes if s.startswith("[T.")]
    plain = [s for s in factor.suffixes if not s.startswith("[T.")]
    if len(treated) == len(others):
        written = treated
    elif not treated and len(plain) == len(factor.levels):
        written = [s for j, s in enumerate(plain) if j != reference]
    else:
        written = [f"[{level}]" for level in others]
    return {level: factor.label + s for level, s in zip(others, written, strict=True)}, reference


def _categorical_variable(factor: Factor) -> str:
    sources = {
        **factor.expression.columns,
        **{atom.name: atom.label for atom in factor.expression.atoms},
    }
    node = ast.parse(factor.expression.code, mode="eval").body
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "_call_C" and node.args:
        node = node.args[0]
    if isinstance(node, ast.Name):
        return sources.get(node.id, factor.label)
    return factor.label


def _spread(x: np.ndarray) -> float:
    finite = x[np.isfinite(x)]
    spread = float(np.std(finite)) if len(finite) else 0.0
    return spread if spread > 0 else max(float(np.abs(finite).max(initial=0.0)), 1.0)


# weights of f(x + k h) / h for the first derivative
_CENTRAL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
_FORWARD = {0: -25 / 12, 1: 4.0, 2: -3.0, 3: 4 / 3, 4: -1 / 4}
_BACKWARD = {-k: -weight for k, weight in _FORWARD.items()}
_ATTEMPTS = tuple((_CENTRAL, 10.0**-k) for k in (0, 2, 4, 6)) + tuple(
    (stencil, 10.0**-k) for k in (0, 2, 4) for stencil in (_FORWARD, _BACKWARD)
)


def slope(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    spread: float,
    name: str,
) -> np.ndarray:
    """Derivative of a function that works row by row.

    Central differences of fourth order, with smaller steps and then one-sided ones in rows where
    the function is not defined on both sides (a logarithm near zero, the end of a spline's range).

    Parameters
    ----------
    function : callable
        Takes values (r,) and the rows (r,) they belong to, and gives (r, width), NaN where it is
        not defined.
    x : ndarray, shape (m,)
        Where to differentiate.
    spread : float
        Scale of the variable.
    name : str
        What the variable is called, for the message.

    Returns
    -------
    ndarray, shape (m, width)

    Examples
    --------
    >>> curve = lambda x, rows: np.column_stack([x, np.log(x)])
    >>> slope(curve, np.array([0.5, 2.0]), 1.0, "x").round(8)
    array([[1. , 2. ],
           [1. , 0.5]])
    """
    step = 1e-4 * np.clip(np.abs(x), 1e-3 * spread, spread)
    rows = np.arange(len(x))
    result: np.ndarray | None = None
    for stencil, shrink in _ATTEMPTS:
        h = shrink * step[rows]
        total: Any = 0.0
        for k, weight in stencil.items():
            total = total + weight * function(x[rows] + k * h, rows)
        total = total / h[:, None]
        if result is None:
            result = total
        else:
            result[rows] = total
        rows = rows[~np.isfinite(total).all(axis=1)]
        if len(rows) == 0:
            return result
    raise DataError(f"the design has no derivative with respect to {name!r} at {x[rows[0]]:g}")
