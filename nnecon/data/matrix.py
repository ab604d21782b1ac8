"""The right-hand side of a formula as products of factors.

Partial effects need the factors of every column: a column is a product of factor columns, and its
derivative follows by the product rule.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.expressions import Expression


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
    suffixes : tuple of str
        How the levels are written in column names.
    compute : callable
        Evaluates it on columns and atoms, with the memory of the estimation data.
    """

    expression: Expression
    kind: str
    width: int
    levels: tuple[Any, ...]
    suffixes: tuple[str, ...]
    compute: Callable[[Mapping[str, pd.Series]], Any]

    @property
    def label(self) -> str:
        """The factor as written."""
        return self.expression.label

    def value(self, inputs: Mapping[str, pd.Series]) -> Any:
        """Evaluate on columns and atoms, all of the same rows."""
        return self.compute(inputs)


@dataclass(frozen=True, slots=True)
class Piece:
    """A column's share of one factor: column ``column`` of it, or of its contrast matrix."""

    factor: int
    column: int
    contrast: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A design: its factors, memorised on the estimation data, and the columns they make.

    Attributes
    ----------
    endog : Factor
        The left-hand side.
    factors : tuple of Factor
        Factors of the right-hand side.
    names : tuple of str
        Names of the p columns.
    pieces : tuple of tuple of Piece
        For each column, what it multiplies; empty for the intercept.
    """

    endog: Factor
    factors: tuple[Factor, ...]
    names: tuple[str, ...]
    pieces: tuple[tuple[Piece, ...], ...]

    def uses(self, factor: int) -> bool:
        """Tell whether any kept column contains the factor."""
        return any(piece.factor == factor for column in self.pieces for piece in column)

    def assemble(self, values: Sequence[np.ndarray], m: int) -> np.ndarray:
        """Multiply factor values into the design matrix.

        Parameters
        ----------
        values : sequence of ndarray
            One a factor: numerical (m, width) float, categorical (m,) codes of levels, or (m,
            levels) shares of them.
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
    codes = values[piece.factor]
    return codes @ piece.contrast if codes.ndim == 2 else piece.contrast[codes]


def categorical_labels(value: Any) -> np.ndarray:
    """Labels of a categorical value as objects, whether or not it went through ``C()``."""
    data = getattr(value, "data", value) if not isinstance(value, np.ndarray) else value
    if isinstance(value, pd.Series | pd.Categorical):
        data = value
    return np.asarray(pd.Series(data), dtype=object)
