"""Splitters that scikit-learn lacks: blocks in time order with a gap, and strata of a number.

They have scikit-learn's ``split``, so that they serve there as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from nnecon.estimation.folds import Folds, check_rows, checked, strata, stratified
from nnecon.exceptions import DataError, SpecificationError


class _Splitter:
    """What scikit-learn asks of a splitter, from ``n_splits`` and ``folds``."""

    __slots__ = ()
    n_splits: int

    def folds(
        self, endog: Any, groups: np.ndarray | None = None, periods: np.ndarray | None = None
    ) -> Folds:
        """Folds of a sample."""
        raise TypeError(f"{type(self).__name__} does not say what its folds are.")

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions of training and test rows, as scikit-learn's splitters do."""
        return self.folds(range(_length(X))).pairs()

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return self.n_splits


@dataclass(frozen=True, slots=True)
class BlockedFolds(_Splitter):
    """Contiguous blocks in time order, each predicted from the rows before and after it.

    Periods up to ``gap`` before and after a block are left out of training, so that lags and
    autocorrelated errors do not carry the block into its own training rows (h-block
    cross-validation: Burman, Chow and Nolan, 1994; Racine, 2000).

    Parameters
    ----------
    n_splits : int
        Number of blocks.
    gap : int
        Periods left out on either side of a block; for a model with p lags, at least p.

    Examples
    --------
    >>> for train, test in BlockedFolds(3, gap=1).split(range(9)):
    ...     print(train, test)
    [4 5 6 7 8] [0 1 2]
    [0 1 7 8] [3 4 5]
    [0 1 2 3 4] [6 7 8]
    """

    n_splits: int = 5
    gap: int = 0

    def __post_init__(self) -> None:
        _check_count(self.n_splits, "BlockedFolds", "n_splits", 2)
        _check_count(self.gap, "BlockedFolds", "gap", 0)

    def folds(
        self, endog: Any, groups: np.ndarray | None = None, periods: np.ndarray | None = None
    ) -> Folds:
        """Folds of a sample whose rows stand at ``periods``, by default one after the other."""
        when = _periods(periods, len(endog))
        check_rows(len(when), self.n_splits, str(self))
        edges = np.linspace(0, len(when), self.n_splits + 1).astype(int)
        tests = _blocks(edges)
        masks = [
            (when < when[test[0]] - self.gap) | (when > when[test[-1]] + self.gap) for test in tests
        ]
        words = f"{self.n_splits} blocks in time order{_gap_words(self.gap, 'on either side')}"
        return checked(masks, tests, words, str(self))

    def __str__(self) -> str:
        return f"BlockedFolds({self.n_splits}, gap={self.gap})"


@dataclass(frozen=True, slots=True)
class ExpandingFolds(_Splitter):
    """Blocks in time order, each predicted from what came before it alone.

    Parameters
    ----------
    n_splits : int
        Number of test blocks.
    gap : int
        Periods left out between training rows and test block; h - 1 for a target that is known h
        periods later.
    initial : int, optional
        Rows of the first training window. By default the first test block begins after a third of
        the sample.
    window : int, optional
        Train on the last so many periods only (a rolling window); by default on the whole past.

    Examples
    --------
    >>> for train, test in ExpandingFolds(3, gap=1, initial=2).split(range(9)):
    ...     print(train, test)
    [0 1] [3 4]
    [0 1 2 3] [5 6]
    [0 1 2 3 4 5] [7 8]
    """

    n_splits: int = 5
    gap: int = 0
    initial: int | None = None
    window: int | None = None

    def __post_init__(self) -> None:
        _check_count(self.n_splits, "ExpandingFolds", "n_splits", 2)
        _check_count(self.gap, "ExpandingFolds", "gap", 0)
        for name in ("initial", "window"):
            if getattr(self, name) is not None:
                _check_count(getattr(self, name), "ExpandingFolds", name, 1)

    def folds(
        self, endog: Any, groups: np.ndarray | None = None, periods: np.ndarray | None = None
    ) -> Folds:
        """Folds of a sample whose rows stand at ``periods``, by default one after the other."""
        when = _periods(periods, len(endog))
        n = len(when)
        first = n // 3
        if self.initial is not None:
            last = when[min(self.initial, n) - 1]
            first = int(np.searchsorted(when, last + self.gap, side="right"))
        if n - first < self.n_splits or not first:
            raise SpecificationError(
                f"cv={self}: {n} rows are too few for a first training window and "
                f"{self.n_splits} test blocks; lower n_splits, initial or gap."
            )
        tests = _blocks(np.linspace(first, n, self.n_splits + 1).astype(int))
        masks = []
        for test in tests:
            end = when[test[0]] - self.gap
            mask = when < end
            if self.window is not None:
                mask &= when >= end - self.window
            masks.append(mask)
        kind = "expanding windows" if self.window is None else f"windows of {self.window} periods"
        words = f"{self.n_splits} {kind} in time order{_gap_words(self.gap, 'before the test')}"
        return checked(masks, tests, words, str(self))

    def __str__(self) -> str:
        more = [f"{k}={v}" for k in ("initial", "window") if (v := getattr(self, k)) is not None]
        return f"ExpandingFolds({', '.join([str(self.n_splits), f'gap={self.gap}', *more])})"


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedFolds(_Splitter):
    """Shuffled rows, with every class in the same proportion in all folds.

    Sizes of folds, and of every stratum in them, differ by one at most.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    by : array_like of shape (n,), or str, optional
        What to stratify by: one label or number a row, in ``fit`` also the name of a column. The
        dependent variable by default.
    bins : int
        Bins of equal counts into which a number is cut. Text, truth values and whole numbers with
        at most 20 different values are strata as they are.
    rng : int
        Seed of the order of the rows.

    Examples
    --------
    >>> y = [0, 0, 0, 0, 1, 1]
    >>> [test.tolist() for _, test in StratifiedFolds(2).split(y, y)]
    [[1, 3, 4], [0, 2, 5]]
    """

    n_splits: int = 5
    by: Any = None
    bins: int = 5
    rng: int = 0

    def __post_init__(self) -> None:
        _check_count(self.n_splits, "StratifiedFolds", "n_splits", 2)
        _check_count(self.bins, "StratifiedFolds", "bins", 2)
        _check_count(self.rng, "StratifiedFolds", "rng", 0)

    def aligned(self, align: Callable[[Any, str], np.ndarray]) -> "StratifiedFolds":
        """The same with ``by`` brought to the rows of a sample by ``align(values, name)``."""
        return self if self.by is None else replace(self, by=align(self.by, "by"))

    def folds(
        self, endog: Any, groups: np.ndarray | None = None, periods: np.ndarray | None = None
    ) -> Folds:
        """Folds of a sample with the dependent variable ``endog``."""
        if isinstance(self.by, str):
            raise SpecificationError(
                f"{self}: a column's name can be read by fit alone; pass the values as by."
            )
        values = np.asarray(endog if self.by is None else self.by)
        if values.shape != (len(endog),):
            raise SpecificationError(
                f"cv={self}: by has the shape {values.shape}; give one label or number for each "
                f"of the {len(endog)} rows."
            )
        what = "the dependent variable" if self.by is None else "by"
        return stratified(
            strata(values, self.bins, what), self.n_splits, np.random.default_rng(self.rng)
        )

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions of training and test rows, as scikit-learn's splitters do."""
        if y is None and self.by is None:
            raise SpecificationError(
                f"{self}: stratified folds need y, or values to stratify by: by=..."
            )
        return self.folds(np.asarray(range(_length(X)) if y is None else y)).pairs()

    def __str__(self) -> str:
        by = "" if self.by is None else ", by=..."
        return f"StratifiedFolds({self.n_splits}{by}, bins={self.bins})"


def _blocks(edges: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(np.arange(a, b) for a, b in pairwise(edges))


def _check_count(value: Any, owner: str, name: str, least: int) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise SpecificationError(
            f"{owner}({name}={value!r}): give a whole number of at least {least}."
        )


def _length(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _periods(periods: np.ndarray | None, n: int) -> np.ndarray:
    when = np.arange(n) if periods is None else np.asarray(periods)
    if len(when) != n or (np.diff(when) < 0).any():
        raise DataError(
            "folds in time order need one period for each row, in order; sort the rows by time."
        )
    return when


def _gap_words(gap: int, where: str) -> str:
    if not gap:
        return ""
    return f", {gap} period{'s' if gap > 1 else ''} {where} left out"
