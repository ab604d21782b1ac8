"""From columns to the design matrix without holding more than the two.

Values of factors and copies of columns are each as large as the matrix. Here they are made for a
block of rows, or for one column, at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.checks import factor_values
from nnecon.data.frames import clean_column
from nnecon.data.matrix import Matrix
from nnecon.data.regressors import factor_sources

_BLOCK = 65_536
_COPIES_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


class Rows(Mapping[str, pd.Series]):
    """Some rows of columns, cut out one column at a time."""

    def __init__(self, columns: Mapping[str, pd.Series], keep: np.ndarray) -> None:
        self.columns, self.keep = columns, keep
        self.whole = bool(keep.all())

    def __getitem__(self, name: str) -> pd.Series:
        column = self.columns[name]
        return column if self.whole else column.iloc[self.keep]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def own_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A clean column that the caller cannot change; floats are shared until he writes to them."""
    column = frame[name]
    if isinstance(column, pd.Series) and column.dtype == np.float64 and _COPIES_ON_WRITE:
        return column.copy(deep=False)
    return clean_column(frame, name)


class Values(Sequence[np.ndarray]):
    """Values of factors, evaluated when asked for and not kept."""

    def __init__(self, matrix: Matrix, inputs: Mapping[str, pd.Series], labels: pd.Index) -> None:
        self.matrix, self.inputs, self.labels = matrix, inputs, labels

    def __getitem__(self, k: Any) -> Any:
        factor = self.matrix.factors[k]
        own = {name: self.inputs[name] for name in factor_sources(factor)}
        return factor_values(factor, own, self.labels)

    def __len__(self) -> int:
        return len(self.matrix.factors)


def assembled(
    matrix: Matrix, inputs: Mapping[str, pd.Series], index: pd.Index, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The design matrix of complete rows, and which they are.

    Block by block, so that values of factors, as large as the matrix, are not held beside it.
    """
    n, kept = len(index), 0
    out = np.empty((n, len(matrix.pieces)))
    complete = keep.copy()
    for start in range(0, n, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n))
        here = {name: column.iloc[rows] for name, column in inputs.items()}
        values = [factor_values(factor, here, index[rows]) for factor in matrix.factors]
        whole = complete[rows]
        for value in values:
            whole &= value >= 0 if value.ndim == 1 else ~np.isnan(value).any(axis=1)
        if not whole.all():
            values = [value[whole] for value in values]
        m = int(whole.sum())
        out[kept : kept + m] = matrix.assemble(values, m)
        kept += m
    return out if kept == n else out[:kept], complete
