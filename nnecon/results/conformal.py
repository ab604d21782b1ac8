"""Conformal intervals of an estimate: which rows are left out, and which estimates leave them out.

The numbers are made in :mod:`nnecon.inference.intervals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnecon.data.design import Design
from nnecon.estimation.estimate import Solver, solver_of
from nnecon.estimation.execution import Execution
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import make_folds
from nnecon.estimation.splitters import BlockedFolds
from nnecon.exceptions import SpecificationError
from nnecon.inference.intervals.conformal import PlusBand, SeriesBand
from nnecon.inference.intervals.leave_out import Original, leave_out, plus_band, series_band
from nnecon.results.path import CrossValidation

FOLDS = 10
"""Folds of CV+ where cross-validation has left none to use."""

DRAWS = 100
"""Block-bootstrap draws of EnbPI."""

OPTIONS = {
    "split": {"scaled", "groups", "rng"},
    "cv+": {"scaled", "cv", "groups", "rng"},
    "jackknife+": {"scaled", "groups"},
    "enbpi": {"draws", "block", "rng"},
}
"""Methods and what each can be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Parts of the rows, the part of each row (n,), and estimates without them where known."""

    part: np.ndarray
    words: str
    params: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Conformal:
    """What conformal intervals are made from.

    Parameters
    ----------
    original : Original
        The estimate.
    design : Design
        Its data, for groups and folds.
    time_series : bool
        Whether rows are dated.
    groups : ndarray of shape (n,), optional
        Labels of rows that belong together.
    cv : CrossValidation, optional
        That of the estimate.
    reusable : bool
        Whether the estimates of its folds are those of the procedure.
    trained : bool
        Whether the estimate comes from mini-batches, which are not repeated.
    """

    original: Original
    design: Design
    time_series: bool
    groups: np.ndarray | None
    cv: CrossValidation | None
    reusable: bool
    trained: bool

    def band(
        self,
        rows: np.ndarray,
        spread: np.ndarray,
        options: Mapping[str, Any],
        execution: Execution,
    ) -> tuple[PlusBand | SeriesBand, str]:
        """Intervals at ``rows`` (m, r) with known ``spread`` (m,), and how they were made."""
        given = dict(options)
        method = given.pop("method", None) or ("enbpi" if self.time_series else "cv+")
        _check(method, given)
        if method == "enbpi":
            return self._series(rows, spread, given, execution)
        scaled = given.get("scaled", False)
        if not isinstance(scaled, bool):
            raise SpecificationError(f"scaled={scaled!r}: give True or False.")
        found = self._partition(method, given)
        params = found.params
        if params is None:
            self._refuse_training(method)
            params = leave_out(self.original, found.part, self._solver, execution)
        band = plus_band(self.original, params, found.part, rows, spread, scaled, execution)
        words = f"{method} conformal intervals: {found.words}"
        if scaled:
            words += ", residuals scaled by their estimated spread"
        return band, words

    def _series(
        self, rows: np.ndarray, spread: np.ndarray, given: dict[str, Any], execution: Execution
    ) -> tuple[SeriesBand, str]:
        if not self.time_series:
            raise SpecificationError(
                "method='enbpi' draws blocks of periods, and the rows are not dated; give the data "
                "an index of dates or periods, or use method='cv+'."
            )
        self._refuse_training("enbpi")
        draws = given.get("draws", DRAWS)
        rng = generator(given.get("rng", 0))
        band = series_band(
            self.original, draws, given.get("block"), rng, rows, spread, self._solver, execution
        )
        return band, f"EnbPI conformal intervals: {draws} block-bootstrap draws"

    @property
    def _solver(self) -> Solver:
        return solver_of(self.original.objective)

    def _refuse_training(self, method: str) -> None:
        if self.trained:
            raise SpecificationError(
                f"method={method!r} repeats the estimate without some rows, and mini-batches would "
                "be trained anew; fit with alpha='cv' and use method='cv+', which takes the "
                "estimates of its folds, or fit with method='auto'."
            )

    def _partition(self, method: str, given: Mapping[str, Any]) -> Partition:
        groups = self.groups
        if given.get("groups") is not None:
            groups = self.design.align(given["groups"], "groups")
        if groups is not None and groups.ndim > 1:
            raise SpecificationError(
                "rows are left out together by one grouping, and the covariance has clusters in "
                "two directions; name one with groups=."
            )
        rng = generator(given.get("rng", 0))
        if method == "split":
            return self._half(groups, rng)
        if method == "jackknife+":
            if groups is None:
                return Partition(np.arange(self._n_obs), f"each of {self._n_obs} rows left out")
            codes = np.unique(groups, return_inverse=True)[1]
            return Partition(codes, f"each of {codes.max() + 1} groups left out")
        return self._folds(given.get("cv"), groups, rng, fresh="groups" in given)

    @property
    def _n_obs(self) -> int:
        return len(self.original.weights)

    def _half(self, groups: np.ndarray | None, rng: np.random.Generator) -> Partition:
        """Every second row of a random order is scored; of a series the later half."""
        n = self._n_obs
        if n < 4:
            raise SpecificationError(f"method='split': {n} rows are too few to split.")
        part = np.full(n, -1)
        if self.time_series:
            part[n // 2 :] = 0
            return Partition(part, f"estimated on the first {n // 2} rows, {n - n // 2} left out")
        codes = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
        order = rng.permutation(codes.max() + 1)
        part[np.isin(codes, order[len(order) // 2 :])] = 0
        left = int((part == 0).sum())
        return Partition(part, f"estimated on a random {n - left} rows, {left} left out")

    def _folds(
        self, cv: Any, groups: np.ndarray | None, rng: np.random.Generator, fresh: bool
    ) -> Partition:
        """Those of cross-validation where they leave out every row once, or new ones."""
        n = self._n_obs
        if cv is None and not fresh and self.reusable and self.cv is not None:
            part = _parts(self.cv.folds, n)
            if part is not None and self.cv.params is not None:
                return Partition(part, self.cv.description, self.cv.params)
        if self.time_series and (cv is None or isinstance(cv, int | np.integer)):
            cv = BlockedFolds(min(FOLDS, n // 2) if cv is None else int(cv))
        sample = self.design.sample
        many = n if groups is None else 2 * len(np.unique(groups))
        folds = make_folds(
            min(FOLDS, many // 2) if cv is None else cv,
            sample.exog,
            sample.endog,
            time_series=self.time_series,
            groups=groups,
            rng=rng,
            periods=sample.rows,
            align=self.design.align,
        )
        part = _parts(folds.test, n)
        if part is None:
            raise SpecificationError(
                f"method='cv+' needs folds that leave out every row once, and {folds.description} "
                "do not; use a number, or ne.BlockedFolds for time series."
            )
        return Partition(part, folds.description)


def _parts(tests: tuple[np.ndarray, ...], n: int) -> np.ndarray | None:
    """The fold that leaves out each row (n,), or None where that is not exactly one."""
    if len(np.concatenate(tests)) != n or len(np.unique(np.concatenate(tests))) != n:
        return None
    part = np.empty(n, dtype=int)
    for number, test in enumerate(tests):
        part[test] = number
    return part


def _check(method: Any, given: Mapping[str, Any]) -> None:
    if method not in OPTIONS:
        raise SpecificationError(
            f"method={method!r} is no conformal method; choose one of {[*OPTIONS]}."
        )
    unknown = sorted(set(given) - OPTIONS[method])
    if unknown:
        raise SpecificationError(
            f"{unknown[0]} is no option of method={method!r}, which takes "
            f"{sorted(OPTIONS[method])}."
        )
