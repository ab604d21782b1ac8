"""Forecasts of quantiles: what ``get_forecast`` returns with ``loss="quantile"``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.exceptions import ForecastError
from nnecon.inference.quantile_paths import values_of
from nnecon.results.outlook import check_level, chosen_frame, limits_frame


@dataclass(frozen=True, slots=True, eq=False)
class QuantileForecast:
    """Quantiles of the targets, period by period; they do not cross.

    Attributes
    ----------
    targets : tuple of str
        What is forecast.
    index : pandas.Index
        Periods, shape (h,).
    levels : tuple of float
        Levels of the quantiles, k of them.
    quantiles : ndarray of shape (h, m, k)
        In units of the targets, in order.
    paths : ndarray of shape (r, h, m) or None
        Simulated futures, from which quantiles beyond the first period come; None of direct
        forecasts, which have equations for each period.
    method : str
        How they were made, in words.
    """

    targets: tuple[str, ...]
    index: pd.Index
    levels: tuple[float, ...]
    quantiles: np.ndarray
    paths: np.ndarray | None
    method: str

    @property
    def median(self) -> pd.DataFrame:
        """Medians, one column a target: the forecast."""
        values = self.quantiles[:, :, self.levels.index(0.5)]
        return pd.DataFrame(values, index=self.index, columns=list(self.targets))

    @property
    def middle(self) -> pd.DataFrame:
        """The same: what charts draw as the forecast and backtests score as such."""
        return self.median

    def at(self, levels: Sequence[float] | np.ndarray) -> np.ndarray:
        """Quantiles at any levels, shape (h, m, number of levels).

        Between the levels of the model they are interpolated, on the scale of normal quantiles.
        Beyond the outer ones they are extrapolated there, and rest on the shape of the normal
        distribution.
        """
        scores = stats.norm.ppf(np.asarray(levels, dtype=float))
        own = np.asarray(self.levels)
        wide = np.broadcast_to(scores, (*self.quantiles.shape[:2], len(scores)))
        table = np.repeat(self.quantiles[:, :, None], len(scores), axis=2)
        return values_of(wide, table, own)

    def limits(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles ``alpha / 2`` and ``1 - alpha / 2``, each of shape (h, m)."""
        check_level(alpha)
        low, high = alpha / 2.0, 1.0 - alpha / 2.0
        if low < self.levels[0] - 1e-9 or high > self.levels[-1] + 1e-9:
            raise ForecastError(
                f"alpha={alpha:g} needs quantiles {low:g} and {high:g}, and the model was "
                f"estimated for {self.levels[0]:g} to {self.levels[-1]:g}; add them to "
                "quantiles=, or take a larger alpha."
            )
        found = self.at([low, high])
        return found[:, :, 0], found[:, :, 1]

    def conf_int(self, alpha: float = 0.1) -> pd.DataFrame:
        """Intervals with level ``1 - alpha``: columns ``lower y`` and ``upper y`` a target."""
        return limits_frame(self.limits(alpha), self.targets, self.index)

    def summary_frame(self, alpha: float = 0.1, target: str | None = None) -> pd.DataFrame:
        """Quantiles and interval of each period.

        Parameters
        ----------
        alpha : float
            One less the level of the interval; its ends are quantiles, interpolated where the
            model has not estimated them.
        target : str, optional
            One target. By default all: with several targets, columns have two levels, target and
            statistic.

        Returns
        -------
        DataFrame
            Columns ``q0.05``, ..., one a level, ``obs_ci_lower``, ``obs_ci_upper``.
        """
        low, high = self.limits(alpha)
        frames = {}
        for j, name in enumerate(self.targets):
            columns = {
                f"q{level:g}": self.quantiles[:, j, at] for at, level in enumerate(self.levels)
            }
            columns |= {"obs_ci_lower": low[:, j], "obs_ci_upper": high[:, j]}
            frames[name] = pd.DataFrame(columns, index=self.index)
        return chosen_frame(frames, target)

    def __str__(self) -> str:
        return str(self.summary_frame())
