r"""Orthogonal polynomials of a variable, as R's ``poly``, that remember the estimation data.

The polynomials are orthonormal over the estimation rows and to a constant, and come from their
recurrence (Forsythe, 1957),

.. math::

    p_{j+1}(x) = (x - a_j)\, p_j(x) - \frac{n_j}{n_{j-1}}\, p_{j-1}(x), \qquad
    a_j = \frac{\sum_i x_i p_j(x_i)^2}{n_j}, \qquad n_j = \sum_i p_j(x_i)^2,

divided by :math:`\sqrt{n_j}`, so that other rows get the same functions.
"""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import FormulaError

ONE_VARIABLE = "poly() takes one variable and its degree; for two write poly(x, 2) + poly(z, 2)"


class Poly:
    """Columns of ``poly(x, degree, raw=False)``, with the memory that patsy asks of a transform.

    ``raw=True`` gives plain powers.
    """

    def __init__(self) -> None:
        self.chunks: list[np.ndarray] = []
        self.centres: list[float] = []
        self.sizes: list[float] = []
        self.degree = 1

    def memorize_chunk(self, x: Any, degree: int = 1, raw: bool = False) -> None:
        """Look at estimation rows."""
        self.degree = _degree(degree)
        if not raw:
            self.chunks.append(_column(x))

    def memorize_finish(self) -> None:
        """Find the recurrence."""
        if not self.chunks:
            return
        x = np.concatenate(self.chunks)
        self.chunks = []
        if len(np.unique(x)) <= self.degree:
            raise FormulaError(
                f"poly() of degree {self.degree} needs more than {self.degree} different values, "
                f"but the variable has {len(np.unique(x))}; lower the degree, or make it a "
                "category: C(...)"
            )
        before, at = np.zeros_like(x), np.ones_like(x)
        self.sizes = [float(at @ at)]
        for _ in range(self.degree):
            self.centres.append(float(x @ at**2) / self.sizes[-1])
            before, at = at, self._next(x, before, at)
            self.sizes.append(float(at @ at))

    def transform(self, x: Any, degree: int = 1, raw: bool = False) -> Any:
        """Columns at any rows, (n, degree)."""
        values = _column(x)
        if raw:
            columns = np.column_stack([values**power for power in range(1, _degree(degree) + 1)])
        else:
            columns = self._evaluate(values)
        return pd.DataFrame(columns, x.index) if isinstance(x, pd.Series) else columns

    def _evaluate(self, x: np.ndarray) -> np.ndarray:
        before, at = np.zeros_like(x), np.ones_like(x)
        columns = []
        for j in range(self.degree):
            before, at = at, self._next(x, before, at, j)
            columns.append(at / np.sqrt(self.sizes[j + 1]))
        return np.column_stack(columns)

    def _next(
        self, x: np.ndarray, before: np.ndarray, at: np.ndarray, j: int | None = None
    ) -> np.ndarray:
        """The polynomial after the j-th, by default after the last that is known."""
        j = len(self.centres) - 1 if j is None else j
        ratio = self.sizes[j] / self.sizes[j - 1] if j else 0.0
        return (x - self.centres[j]) * at - ratio * before


def _column(x: Any) -> np.ndarray:
    values = np.asarray(x, dtype=float)
    if values.ndim != 1:
        raise FormulaError(ONE_VARIABLE)
    return values


def _degree(degree: Any) -> int:
    if np.ndim(degree):
        raise FormulaError(ONE_VARIABLE)
    if isinstance(degree, bool) or not isinstance(degree, int | np.integer) or degree < 1:
        raise FormulaError(f"poly() takes a whole number from 1 on as degree, not {degree!r}")
    return int(degree)
