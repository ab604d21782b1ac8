"""Folds: masks of training rows and positions of test rows, made from counts and labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnecon.exceptions import DataError, SpecificationError

CLASSES = 20
"""Whole numbers with at most so many different values are classes, not numbers to be binned."""


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Training masks (f, n), test positions of each fold, and how they were made, in words."""

    train: np.ndarray
    test: tuple[np.ndarray, ...]
    description: str

    def __len__(self) -> int:
        return len(self.test)

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions of training and test rows, fold by fold."""
        for train, test in zip(self.train, self.test, strict=True):
            yield np.flatnonzero(train), test


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


def stratified(codes: np.ndarray, folds: int, rng: np.random.Generator) -> Folds:
    """K folds over which the rows of every stratum ``codes`` (n,) are dealt out like cards."""
    n = len(codes)
    check_rows(n, folds, str(folds))
    order = np.lexsort((rng.permutation(n), codes))
    labels = np.empty(n, dtype=int)
    labels[order] = np.arange(n) % folds
    count = len(np.unique(codes))
    return _from_labels(labels, f"{folds} shuffled folds stratified by {count} classes or bins")


def strata(values: np.ndarray, bins: int, what: str = "by") -> np.ndarray:
    """Number the classes of ``values`` (n,), or the bins of equal counts into which numbers fall.

    Raises
    ------
    DataError
        Numbers are missing.
    """
    if values.dtype.kind not in "iuf":
        return np.unique(values.astype(str), return_inverse=True)[1]
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"{what} is missing or infinite in the row at position {at}; stratified folds need a "
            "number in every row."
        )
    different, codes = np.unique(values, return_inverse=True)
    whole = bool((different == np.round(different)).all())
    if len(different) <= (max(bins, CLASSES) if whole else bins):
        return codes
    edges = np.quantile(values, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(edges), values, side="left")


def _from_labels(labels: np.ndarray, description: str) -> Folds:
    folds = np.unique(labels)
    return Folds(
        np.stack([labels != fold for fold in folds]),
        tuple(np.flatnonzero(labels == fold) for fold in folds),
        description,
    )


def checked(
    masks: Sequence[np.ndarray], tests: tuple[np.ndarray, ...], description: str, name: str
) -> Folds:
    """Folds of which none scores rows that it trains on, or nothing."""
    for number, (mask, test) in enumerate(zip(masks, tests, strict=True)):
        if not mask.any() and len(test):
            raise SpecificationError(
                f"fold {number} of {name} has no training rows left; lower the gap, or ask for "
                "fewer folds."
            )
        if not len(test) or mask[test].any():
            raise SpecificationError(
                f"fold {number} of {name} has test rows that it trains on, or no test rows at "
                "all; the score would mean nothing."
            )
    if len(masks) < 2:
        raise SpecificationError(
            f"{name} makes {len(masks)} fold, but the standard error of a score needs at least "
            "two; ask for more splits."
        )
    return Folds(np.stack(masks), tests, description)


def check_rows(n: int, folds: int, name: str) -> None:
    """Refuse more folds than rows."""
    if n < folds:
        raise SpecificationError(
            f"cv={name}: {n} rows are too few for {folds} folds; ask for fewer."
        )
