"""Transforms that remember the estimation data, made to live with missing rows.

patsy's stateful transforms (``bs``, ``cr``, ``center``, ...) fail or turn to NaN as a whole when a
single value is missing, and rows are always missing where a formula has lags. The wrapper here
shows them the complete rows only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError


class StatefulTransform:
    """Stand-in that patsy recognises; each use in a formula gets its own memory."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self.name, self.make = name, make

    def __patsy_stateful_transform__(self) -> "Tolerant":
        """Start one memory, as patsy asks for it."""
        return Tolerant(self.name, self.make())


class Tolerant:
    """A stateful transform that sees complete rows only and answers NaN for the others.

    Parameters
    ----------
    name : str
        As it is called in the formula.
    inner : object
        The transform itself, with ``memorize_chunk``, ``memorize_finish`` and ``transform``.
    """

    def __init__(self, name: str, inner: Any) -> None:
        self.name, self.inner = name, inner
        self.example: tuple[Any, ...] | None = None
        self.bounds: tuple[float, float] | None = None

    def memorize_chunk(self, *args: Any, **options: Any) -> None:
        """Learn from the complete rows."""
        complete = _complete(args)
        if complete is not None and not complete.any():
            raise DataError(f"{self.name}() has no complete row to learn from")
        seen = _rows(args, complete)
        self.example = _rows(args, None if complete is None else _first_only(complete))
        if self.name == "bs" and isinstance(seen[0], np.ndarray):
            low, high = options.get("lower_bound"), options.get("upper_bound")
            self.bounds = (
                float(np.min(seen[0]) if low is None else low),
                float(np.max(seen[0]) if high is None else high),
            )
        self.inner.memorize_chunk(*seen, **options)

    def memorize_finish(self) -> None:
        """Close the memory."""
        self.inner.memorize_finish()

    def transform(self, *args: Any, **options: Any) -> Any:
        """Transform rows with the memory of the estimation data."""
        complete = _complete(args)
        if complete is None:
            return self.inner.transform(*args, **options)
        if self.bounds is not None:
            x = np.asarray(args[0], dtype=float).reshape(len(complete), -1)[:, 0]
            with np.errstate(invalid="ignore"):
                complete &= (x >= self.bounds[0]) & (x <= self.bounds[1])
        seen = self.example if not complete.any() and self.example else _rows(args, complete)
        values = np.asarray(self.inner.transform(*seen, **options), dtype=float)
        out = np.full((len(complete), *values.shape[1:]), np.nan)
        if complete.any():
            out[complete] = values
        index = next((arg.index for arg in args if isinstance(arg, pd.Series | pd.DataFrame)), None)
        if index is None:
            return out
        return pd.Series(out, index) if out.ndim == 1 else pd.DataFrame(out, index)


def _by_row(arg: Any) -> bool:
    return isinstance(arg, np.ndarray | pd.Series | pd.DataFrame) and np.ndim(arg) > 0


def _complete(args: tuple[Any, ...]) -> np.ndarray | None:
    """Rows without a missing value in any positional array; None where there is no array."""
    masks = []
    for arg in args:
        if _by_row(arg):
            values = np.asarray(arg, dtype=float)
            masks.append(np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    return np.logical_and.reduce(masks) if masks else None


def _rows(args: tuple[Any, ...], mask: np.ndarray | None) -> tuple[Any, ...]:
    if mask is None:
        return args
    return tuple(np.asarray(arg)[mask] if _by_row(arg) else arg for arg in args)


def _first_only(mask: np.ndarray) -> np.ndarray:
    only = np.zeros_like(mask)
    only[np.argmax(mask)] = True
    return only
