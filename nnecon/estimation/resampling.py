"""Folds of cross-validation: each is a weight vector and the rows it leaves out.

======================  ==========================================================================
a number of folds       shuffled rows, whole groups or expanding windows, as the data ask for
``ExpandingFolds``      blocks in time order, predicted from what came before them
``BlockedFolds``        blocks in time order, predicted from what came before and after
``StratifiedFolds``     shuffled rows, each class, or bin of a number, spread evenly
another splitter        anything with scikit-learn's ``split(X, y, groups)``
======================  ==========================================================================
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from nnecon.estimation.folds import Folds, checked, grouped, shuffled, strata, stratified
from nnecon.estimation.splitters import BlockedFolds, ExpandingFolds, StratifiedFolds
from nnecon.exceptions import SpecificationError

__all__ = ["Folds", "Splitter", "from_splitter", "make_folds"]


class Splitter(Protocol):
    """Anything with scikit-learn's ``split``."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[tuple[Any, Any]]:
        """Yield pairs of training and test positions."""


def make_folds(
    cv: int | Splitter | None,
    exog: np.ndarray,
    endog: np.ndarray,
    *,
    time_series: bool,
    groups: np.ndarray | None,
    rng: np.random.Generator,
    discrete: bool = False,
    periods: np.ndarray | None = None,
    align: Callable[[Any, str], np.ndarray] | None = None,
) -> Folds:
    """Folds for ``fit(cv=...)``.

    ``None`` stands for five folds; a number or None gives whole groups where there are groups,
    expanding windows in time order for time series, stratified folds where the dependent variable
    is ``discrete``, and shuffled folds otherwise. ``periods`` (n,) number the periods of the rows,
    where some are left out; ``align`` brings what a user gives to the rows of the sample.
    """
    n = len(endog)
    if isinstance(cv, StratifiedFolds) and align is not None:
        cv = cv.aligned(align)
    if isinstance(cv, BlockedFolds | ExpandingFolds | StratifiedFolds):
        made = cv.folds(endog, groups, periods)
        return replace(made, description=made.description + _group_words(made, groups))
    if cv is not None and not isinstance(cv, int | str) and hasattr(cv, "split"):
        return from_splitter(cv, exog, endog, groups)
    folds = 5 if cv is None else cv
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer) or folds < 2:
        raise SpecificationError(
            f"cv={cv!r}: pass the number of folds (at least 2), a splitter (BlockedFolds, "
            "ExpandingFolds, StratifiedFolds, or scikit-learn's) or None."
        )
    folds = int(folds)
    # with two rows a fold at least, or one row each: leave-one-out
    if (n < 2 * folds and n != folds) or (time_series and n - n // 3 < folds):
        raise SpecificationError(
            f"{n} rows are too few for {folds} folds; pass a smaller cv or a number as alpha."
        )
    if groups is not None:
        return grouped(groups, folds, rng)
    if time_series:
        return ExpandingFolds(folds).folds(endog)
    if discrete:
        return stratified(strata(endog, folds), folds, rng)
    return shuffled(n, folds, rng)


def from_splitter(
    splitter: Splitter, exog: np.ndarray, endog: np.ndarray, groups: np.ndarray | None
) -> Folds:
    """Folds of a scikit-learn splitter."""
    name, n = type(splitter).__name__, len(endog)
    try:
        with warnings.catch_warnings():
            # the description of the folds says whether they split groups
            warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
            found = list(splitter.split(exog, endog, groups))
        pairs = [(np.asarray(train), np.asarray(test)) for train, test in found]
    except (TypeError, ValueError) as error:
        if groups is None and "group" in str(error):
            raise SpecificationError(
                f"cv={name} keeps groups together, but there are none; pass groups= to fit: the "
                "name of a column, or one label a row."
            ) from error
        raise SpecificationError(
            f"cv={name} cannot split these {n} rows: {' '.join(str(error).split())}"
        ) from error
    masks = [np.zeros(n, dtype=bool) for _ in pairs]
    try:
        for mask, (train, _) in zip(masks, pairs, strict=True):
            mask[train] = True
        tests = tuple(np.arange(n)[test] for _, test in pairs)
    except IndexError as error:
        raise SpecificationError(
            f"cv={name} gives positions that are not among the {n} rows of the sample (rows with "
            f"missing values are left out of it): {error}"
        ) from error
    made = checked(masks, tests, f"{len(pairs)} folds of {name}", name)
    return replace(made, description=made.description + _group_words(made, groups))


def _group_words(folds: Folds, groups: np.ndarray | None) -> str:
    """What the reader has to know where groups are given and folds do not keep them together."""
    if groups is None:
        return ""
    codes = np.unique(groups, return_inverse=True)[1]
    torn = any(np.isin(codes[test], codes[train]).any() for train, test in folds.pairs())
    return ", which split groups" if torn else ""
