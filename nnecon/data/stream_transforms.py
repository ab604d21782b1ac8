"""Transforms that learn from one chunk after another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnecon.data.transforms import StatefulTransform, Tolerant
from nnecon.exceptions import DataError


class _ChunkedTransform(StatefulTransform):
    def __patsy_stateful_transform__(self) -> "_Chunked":
        inner = self.make()
        measures = all(hasattr(inner, name) for name in ("current_n", "current_mean", "current_M2"))
        return _Chunked(self.name, _Standardising(inner) if measures else inner)


class _Chunked(Tolerant):
    """A stateful transform whose bounds cover all chunks, some of which may have no values."""

    def memorize_chunk(self, *args: Any, **options: Any) -> None:
        """Learn from the complete rows of a chunk."""
        known, example = self.bounds, self.example
        try:
            super().memorize_chunk(*args, **options)
        except DataError:
            # Tolerant refuses rows that are missing throughout; here others may follow
            return
        if known is not None and self.bounds is not None:
            self.bounds = min(known[0], self.bounds[0]), max(known[1], self.bounds[1])
        self.example = example or self.example

    def memorize_finish(self) -> None:
        """Close the memory."""
        if self.example is None:
            raise DataError(f"{self.name}() has no complete row to learn from")
        super().memorize_finish()


class _Standardising:
    """patsy's ``standardize``, told moments chunk by chunk, not row by row.

    patsy's own loop over rows takes ten times as long as the rest of a design (8 s for a million).
    The update is that of Chan, Golub and LeVeque (1983).
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def memorize_chunk(self, x: Any, **options: Any) -> None:
        """Update count, mean and sum of squares."""
        values = np.asarray(x, dtype=float).reshape(len(x), -1)
        inner, count = self.inner, len(values)
        mean = values.mean(axis=0)
        square = ((values - mean) ** 2).sum(axis=0)
        if inner.current_n:
            total = inner.current_n + count
            step = mean - inner.current_mean
            square = inner.current_M2 + square + step**2 * (inner.current_n * count / total)
            mean = inner.current_mean + step * (count / total)
        inner.current_n, inner.current_mean, inner.current_M2 = (
            inner.current_n + count,
            mean,
            square,
        )

    def memorize_finish(self) -> None:
        """Close the memory."""
        self.inner.memorize_finish()

    def transform(self, x: Any, **options: Any) -> Any:
        """Transform as patsy does."""
        return self.inner.transform(x, **options)


def chunked(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Names of a formula, with transforms that learn chunk by chunk."""
    return {
        name: _ChunkedTransform(value.name, value.make)
        if isinstance(value, StatefulTransform)
        else value
        for name, value in namespace.items()
    }
