"""Rows of network inputs that are kept once, where columns of the rows are the same.

A network with a linear part sees most regressors twice, standardised alike. For a million rows that
doubles the memory, so that mini-batch methods keep each column once and put rows together when
they are needed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SLICE = 2**15
"""Rows that are looked at together."""

ALIGNED = 64
"""Bytes at whose multiples XLA wants arrays to start."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A matrix of shape (n, r) whose columns are columns of a smaller one.

    Parameters
    ----------
    base : ndarray of shape (n, d)
        Every column once; best in single precision and made by :func:`empty`, since it is then
        trained on as it is.
    columns : ndarray of int of shape (r,)
        Position in ``base`` of each column.
    """

    base: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, inputs: "np.ndarray | Rows", dtype: Any = np.float32) -> "Rows":
        """Keep equal columns of a matrix once."""
        if isinstance(inputs, Rows):
            return cls(np.asarray(inputs.base, dtype), inputs.columns)
        unique, columns = equal_columns(
            inputs[at : at + SLICE] for at in range(0, len(inputs), SLICE)
        )
        base = empty(len(inputs), len(unique), dtype)
        for at in range(0, len(inputs), SLICE):
            base[at : at + SLICE] = inputs[at : at + SLICE, unique]
        return cls(base, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        return len(self.base), len(self.columns)

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Some rows, with all columns."""
        return self.base[rows][..., self.columns]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.base[:, self.columns], dtype)


def bucket(n_rows: int) -> int:
    """The next of few numbers of rows, so that growing samples meet shapes that are compiled.

    Examples
    --------
    >>> [bucket(n) for n in (1, 64, 150, 700, 5000)]
    [64, 64, 192, 704, 5120]
    """
    step = max(64, 2 ** (max(n_rows - 1, 1).bit_length() - 4))
    return -(-n_rows // step) * step


def empty(n_rows: int, n_columns: int, dtype: Any = np.float32) -> np.ndarray:
    """A matrix to be filled that starts where JAX can use it without a copy."""
    size = n_rows * n_columns * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNED, np.uint8)
    start = -memory.ctypes.data % ALIGNED
    return memory[start : start + size].view(dtype).reshape(n_rows, n_columns)


def equal_columns(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Which columns are the same in all blocks of rows.

    Returns
    -------
    unique : ndarray of int of shape (d,)
        The first of each set of equal columns.
    columns : ndarray of int of shape (r,)
        Position in ``unique`` of the column that equals each.
    """
    first: np.ndarray | None = None
    for block in blocks:
        if first is None:
            first = np.array([_first_equal(block, at) for at in range(block.shape[1])])
        twice = np.flatnonzero(first != np.arange(len(first)))
        same = (block[:, twice] == block[:, first[twice]]).all(axis=0)
        first[twice[~same]] = twice[~same]
    if first is None:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    unique, columns = np.unique(first, return_inverse=True)
    return unique, columns


def _first_equal(block: np.ndarray, column: int) -> int:
    head = block[:64]
    alike = np.flatnonzero((head == head[:, [column]]).all(axis=0))
    return int(alike[0]) if len(alike) else column


def take(base: jax.Array, columns: tuple[int, ...]) -> jax.Array:
    """Columns by slices of neighbours, which is faster than by numbers."""
    runs: list[list[int]] = []
    for column in columns:
        if runs and column == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([column, column + 1])
    if not runs:
        return base[:, :0]
    return jnp.concatenate([base[:, start:stop] for start, stop in runs], axis=1)


Block = tuple["np.ndarray | Rows", np.ndarray, np.ndarray]
"""Inputs (b, r), target (b,) or (b, N), and weights (b,), (b, 1) or (b, N)."""


def cut(
    blocks: Iterable[Block], width: int, dtype: type
) -> Iterator[tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of one size; rows of weight zero fill them up, so that nothing is recompiled."""
    for inputs, target, weights in blocks:
        if isinstance(inputs, Rows):
            base, columns = inputs.base, tuple(inputs.columns.tolist())
        else:
            base, columns = inputs, tuple(range(inputs.shape[1]))
        for at in range(0, len(target), width):
            part = slice(at, at + width)
            rows: np.ndarray = np.asarray(base[part], dtype)
            some: np.ndarray = np.asarray(target[part], dtype)
            own: np.ndarray = np.asarray(weights[part], dtype)
            lack = width - len(some)
            if lack:
                # a row that is there, since others may not be in the domain of the function
                rows = np.concatenate([rows, np.repeat(rows[:1], lack, axis=0)])
                some = np.concatenate([some, np.repeat(some[:1], lack, axis=0)])
                own = np.concatenate([own, np.zeros((lack, *own.shape[1:]), dtype)])
            yield columns, rows, some, own
