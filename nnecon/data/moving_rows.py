"""Rows of the sample that can be moved: variables set to values, or taken from other rows.

What an effect compares are rows that differ in one variable. Columns of the design that are made
from it (interactions, polynomials, splines, dummies) move along.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from nnecon.data import movements
from nnecon.data.checks import factor_values
from nnecon.data.matrix import Matrix
from nnecon.data.regressors import Place, Regressor, factor_sources
from nnecon.exceptions import DataError


class MovingRows(Protocol):
    """Rows (m of them) some variables of which have been moved; every method gives new rows."""

    @property
    def exog(self) -> np.ndarray:
        """Design matrix, shape (m, p)."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns and lags that the design is made from, by the user's names."""

    def take(self, positions: np.ndarray) -> Self:
        """Some of the rows, in the order of ``positions`` and as often."""

    def set(self, points: Mapping[Any, Any]) -> Self:
        """Set regressors, or variables by name, each to one value or to one a row."""

    def blend(self, regressor: Regressor, shares: np.ndarray) -> Self:
        """Put a category at shares of its levels in every row: dummies become these shares."""

    def mix(self, other: Self, variables: Sequence[str]) -> Self:
        """Take some variables from as many ``other`` rows."""

    def value(self, regressor: Regressor) -> np.ndarray:
        """Values of a continuous regressor, shape (m,)."""

    def raw(self, variable: str) -> np.ndarray:
        """Values of a variable, shape (m,); labels of a category."""

    def made_from(self, variable: str) -> np.ndarray:
        """Which design columns are made from a variable, alone or with others, shape (p,)."""

    def direction(self, regressor: Regressor) -> np.ndarray:
        """Derivative of the design with respect to a continuous regressor, shape (m, p)."""

    def contrast(self, regressor: Regressor) -> tuple[np.ndarray, np.ndarray]:
        """Design matrices (m, p) with a category at its level, and at its reference."""


class FormulaRows:
    """Rows of a formula's design.

    Parameters
    ----------
    matrix : Matrix
        The design.
    places : mapping of str to Place
        Where regressors enter, by name.
    inputs : mapping of str to Series
        Columns and atoms on the rows, by their stand-ins.
    values : sequence of ndarray
        Factor values on the rows, as :meth:`Matrix.assemble` takes them.
    """

    def __init__(
        self,
        matrix: Matrix,
        places: Mapping[str, Place],
        inputs: Mapping[str, pd.Series],
        values: Sequence[np.ndarray],
        index: pd.Index,
    ) -> None:
        self.matrix, self.places, self.index = matrix, places, index
        self.inputs, self.values = inputs, list(values)

    def _with(self, inputs: Mapping[str, pd.Series], values: Sequence[np.ndarray]) -> "FormulaRows":
        return FormulaRows(self.matrix, self.places, inputs, values, self.index)

    @cached_property
    def exog(self) -> np.ndarray:
        """Design matrix, shape (m, p)."""
        return self.matrix.assemble(self.values, len(self.index))

    @cached_property
    def sources(self) -> dict[str, str]:
        """Stand-ins of columns and atoms by the user's names, in the order of the factors."""
        found: dict[str, str] = {}
        for k, factor in enumerate(self.matrix.factors):
            if self.matrix.uses(k):
                expression = factor.expression
                found.update({label: name for name, label in expression.columns.items()})
                found.update({atom.label: atom.name for atom in expression.atoms})
        return found

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns and lags that the design is made from, by the user's names."""
        return tuple(self.sources)

    def take(self, positions: np.ndarray) -> "FormulaRows":
        """Some of the rows, in the order of ``positions`` and as often."""
        index = pd.RangeIndex(len(positions))
        inputs = {
            name: self.inputs[name].iloc[positions].set_axis(index)
            for name in self.sources.values()
        }
        values = [value[positions] for value in self.values]
        return FormulaRows(self.matrix, self.places, inputs, values, index)

    def set(self, points: Mapping[Any, Any]) -> "FormulaRows":
        """Set regressors, or variables by name, each to one value or to one a row.

        Raises
        ------
        DataError
            A factor is not defined at the values, or a value is no level of the category.
        """
        m, inputs, moved = len(self.index), dict(self.inputs), list(self.values)
        readers: dict[int, str] = {}
        source: str | None
        for what, values in points.items():
            if isinstance(what, str):
                source, factors, name = (
                    self.sources[what],
                    self._readers([self.sources[what]]),
                    what,
                )
            else:
                place, name = self.places[what.name], what.name
                source, factors = place.source, place.factors
                if what.kind == "category":
                    labels = np.broadcast_to(np.asarray(values, object), (m,))
                    moved = self._at_levels(moved, what, labels)
                    continue
                if source is None:
                    numbers = np.broadcast_to(np.asarray(values, dtype=float), (m,))
                    moved[factors[0]] = numbers[:, None].copy()
                    continue
            column = np.broadcast_to(np.asarray(values), (m,))
            inputs[source] = pd.Series(column, self.index)
            readers |= dict.fromkeys(factors, name)
        for k, name in readers.items():
            moved[k] = self._evaluated(k, inputs, f"is not defined at these values of {name!r}")
        return self._with(inputs, moved)

    def _readers(self, sources: Sequence[str]) -> tuple[int, ...]:
        return tuple(
            k
            for k, factor in enumerate(self.matrix.factors)
            if self.matrix.uses(k) and set(factor_sources(factor)) & set(sources)
        )

    def _evaluated(self, k: int, inputs: Mapping[str, pd.Series], trouble: str) -> np.ndarray:
        factor = self.matrix.factors[k]
        own = {name: inputs[name] for name in factor_sources(factor)}
        values = factor_values(factor, own, self.index, check=False)
        absent = values < 0 if values.ndim == 1 else ~np.isfinite(values).all(axis=1)
        if absent.any():
            at = int(np.argmax(absent))
            found = ", ".join(
                f"{label} = {inputs[name].iloc[at]}"
                for label, name in self.sources.items()
                if name in own
            )
            raise DataError(
                f"{factor.label!r} {trouble} (at {found}); keep the values inside "
                "the sample's range"
            )
        return values

    def _at_levels(
        self, values: list[np.ndarray], regressor: Regressor, points: np.ndarray
    ) -> list[np.ndarray]:
        for k in self.places[regressor.name].factors:
            levels = self.matrix.factors[k].levels
            places = {level: code for code, level in enumerate(levels)}
            codes = np.array([places.get(point, -1) for point in points])
            if (codes < 0).any():
                raise DataError(
                    f"{points[int(np.argmin(codes))]!r} is no level of {regressor.variable!r}; "
                    f"levels: {', '.join(map(repr, levels))}"
                )
            values[k] = codes
        return values

    def blend(self, regressor: Regressor, shares: np.ndarray) -> "FormulaRows":
        """Put a category at shares of its levels in every row: dummies become these shares."""
        moved, factors = list(self.values), self.places[regressor.name].factors
        levels = self.matrix.factors[factors[0]].levels
        for k in factors:
            order = [levels.index(level) for level in self.matrix.factors[k].levels]
            moved[k] = np.tile(np.asarray(shares)[order], (len(self.index), 1))
        return self._with(self.inputs, moved)

    def mix(self, other: "FormulaRows", variables: Sequence[str]) -> "FormulaRows":
        """Take some variables from as many ``other`` rows."""
        taken = {self.sources[name] for name in variables}
        inputs = {
            name: other.inputs[name].set_axis(self.index) if name in taken else column
            for name, column in self.inputs.items()
        }
        moved = list(self.values)
        for k in self._readers(tuple(taken)):
            whole = taken.issuperset(factor_sources(self.matrix.factors[k]))
            trouble = "is not defined where variables of different rows are combined"
            moved[k] = other.values[k] if whole else self._evaluated(k, inputs, trouble)
        return self._with(inputs, moved)

    def value(self, regressor: Regressor) -> np.ndarray:
        """Values of a continuous regressor, shape (m,)."""
        place = self.places[regressor.name]
        if place.source is None:
            return self.values[place.factors[0]][:, 0]
        return np.asarray(self.inputs[place.source], dtype=float)

    def raw(self, variable: str) -> np.ndarray:
        """Values of a variable, shape (m,); labels of a category."""
        return np.asarray(self.inputs[self.sources[variable]])

    def made_from(self, variable: str) -> np.ndarray:
        """Which design columns are made from a variable, alone or with others, shape (p,)."""
        readers = set(self._readers([self.sources[variable]]))
        return np.array(
            [any(piece.factor in readers for piece in column) for column in self.matrix.pieces]
        )

    def direction(self, regressor: Regressor) -> np.ndarray:
        """Derivative of the design with respect to a continuous regressor, shape (m, p)."""
        place = self.places[regressor.name]
        return movements.direction(
            self.matrix, regressor, place, self.values, self.inputs, self.index
        )

    def contrast(self, regressor: Regressor) -> tuple[np.ndarray, np.ndarray]:
        """Design matrices (m, p) with a category at its level, and at its reference."""
        place = self.places[regressor.name]
        return movements.contrast(self.matrix, regressor, place, self.values, len(self.index))


class ArrayRows:
    """Rows of an array: every column is a variable, and moves alone.

    Parameters
    ----------
    exog : ndarray, shape (m, p)
        The columns.
    names : tuple of str
        Their names.
    movable : tuple of str
        Names of the columns that are not constant.
    """

    def __init__(self, exog: np.ndarray, names: tuple[str, ...], movable: tuple[str, ...]) -> None:
        self.exog, self.names, self.variables = exog, names, movable

    def _with(self, exog: np.ndarray) -> "ArrayRows":
        return ArrayRows(exog, self.names, self.variables)

    def _column(self, regressor: Regressor | str) -> int:
        name = regressor if isinstance(regressor, str) else regressor.name
        return self.names.index(name)

    def take(self, positions: np.ndarray) -> "ArrayRows":
        """Some of the rows, in the order of ``positions`` and as often."""
        return self._with(self.exog[positions])

    def set(self, points: Mapping[Any, Any]) -> "ArrayRows":
        """Set columns, each to one value or to one a row."""
        moved = self.exog.copy()
        for what, values in points.items():
            moved[:, self._column(what)] = np.asarray(values, dtype=float)
        return self._with(moved)

    def blend(self, regressor: Regressor, shares: np.ndarray) -> "ArrayRows":
        """Arrays hold no categories."""
        raise DataError(f"{regressor.name!r} is no category, and has no shares of levels")

    def mix(self, other: "ArrayRows", variables: Sequence[str]) -> "ArrayRows":
        """Take some columns from as many ``other`` rows."""
        moved, columns = self.exog.copy(), [self._column(name) for name in variables]
        moved[:, columns] = other.exog[:, columns]
        return self._with(moved)

    def value(self, regressor: Regressor) -> np.ndarray:
        """Values of a column, shape (m,)."""
        return self.exog[:, self._column(regressor)]

    def raw(self, variable: str) -> np.ndarray:
        """Values of a column, shape (m,)."""
        return self.exog[:, self._column(variable)]

    def made_from(self, variable: str) -> np.ndarray:
        """Which column the variable is, shape (p,)."""
        return np.arange(len(self.names)) == self._column(variable)

    def direction(self, regressor: Regressor) -> np.ndarray:
        """Derivative of the columns with respect to one of them, shape (m, p)."""
        out = np.zeros_like(self.exog)
        out[:, self._column(regressor)] = 1.0
        return out

    def contrast(self, regressor: Regressor) -> tuple[np.ndarray, np.ndarray]:
        """Arrays hold no categories."""
        raise DataError(f"{regressor.name!r} is no category; use direction()")
