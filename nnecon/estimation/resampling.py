"""Folds of cross-validation: each is a weight vector and the rows it leaves out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from nnecon.exceptions import SpecificationError


class Splitter(Protocol):
    """Anything with scikit-learn's ``split``."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[tuple[Any, Any]]:
        """Yield pairs of training and test positions."""


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Training masks (f, n), test positions of each fold, and how they were made, in words."""

    train: np.ndarray
    test: tuple[np.ndarray, ...]
    description: str

    def __len__(self) -> int:
        return len(self.test)


def _from_labels(labels: np.ndarray, description: str) -> Folds:
    folds = np.unique(labels)
    return Folds(
        np.stack([labels != fold for fold in folds]),
        tuple(np.flatnonzero(labels == fold) for fold in folds),
        description,
    )


def shuffled(n: int, folds: int, rng: np.random.Generator) -> Folds:
    """K folds of rows in random order, of sizes that differ by one at most."""
    return _from_labels(rng.permutation(np.arange(n) % folds), f"{folds} shuffled folds")


def grouped(groups: np.ndarray, folds: int, rng: np.random.Generator) -> Folds:
    """K folds of whole groups: the largest group goes to the smallest fold."""
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    if len(sizes) < folds:
        raise SpecificationError(
            f"{folds} folds need as many groups, but there are {len(sizes)}; pass a smaller cv."
        )
    tie = rng.permutation(len(sizes))
    load, label = np.zeros(folds), np.zeros(len(sizes), dtype=int)
    for group in sorted(range(len(sizes)), key=lambda g: (-sizes[g], tie[g])):
        label[group] = int(load.argmin())
        load[label[group]] += sizes[group]
    return _from_labels(label[codes], f"{folds} folds of whole groups")


def expanding(n: int, folds: int) -> Folds:
    """Blocks in time order, each predicted from all rows before it; the first third only trains."""
    edges = np.linspace(n // 3, n, folds + 1).astype(int)
    position = np.arange(n)
    return Folds(
        np.stack([position < edge for edge in edges[:-1]]),
        tuple(np.arange(a, b) for a, b in pairwise(edges)),
        f"{folds} expanding windows in time order",
    )


def make_folds(
    cv: int | Splitter | None,
    exog: np.ndarray,
    endog: np.ndarray,
    *,
    time_series: bool,
    groups: np.ndarray | None,
    rng: np.random.Generator,
) -> Folds:
    """Folds for ``fit(cv=...)``.

    ``None`` stands for five folds; a number or None gives whole groups where there are groups,
    expanding windows in time order for time series, and shuffled folds otherwise.
    """
    n = len(endog)
    if cv is not None and not isinstance(cv, int | str) and hasattr(cv, "split"):
        return from_splitter(cv, exog, endog, groups)
    folds = 5 if cv is None else cv
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer) or folds < 2:
        raise SpecificationError(
            f"cv={cv!r}: pass the number of folds (at least 2), a scikit-learn splitter or None."
        )
    folds = int(folds)
    # with two rows a fold at least, or one row each: leave-one-out
    if (n < 2 * folds and n != folds) or (time_series and n - n // 3 < folds):
        raise SpecificationError(
            f"{n} rows are too few for {folds} folds; pass a smaller cv or a number as alpha."
        )
    if groups is not None:
        return grouped(groups, folds, rng)
    return expanding(n, folds) if time_series else shuffled(n, folds, rng)


def from_splitter(
    splitter: Splitter, exog: np.ndarray, endog: np.ndarray, groups: np.ndarray | None
) -> Folds:
    """Folds of a scikit-learn splitter."""
    pairs: Sequence[tuple[Any, Any]] = list(splitter.split(exog, endog, groups))
    masks = np.zeros((len(pairs), len(endog)), dtype=bool)
    for mask, (train, _) in zip(masks, pairs, strict=True):
        mask[train] = True
    tests = tuple(np.asarray(test) for _, test in pairs)
    for number, (mask, test) in enumerate(zip(masks, tests, strict=True)):
        if mask[test].any() or not len(test) or not mask.any():
            raise SpecificationError(
                f"fold {number} of {type(splitter).__name__} has test rows that it trains on, or "
                "no training or test rows at all; the score would mean nothing."
            )
    return Folds(masks, tests, f"{len(pairs)} folds of {type(splitter).__name__}")
