"""Forecasts with standard errors and intervals, as statsmodels' predictions give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.data.syntax import suggestion
from nnecon.exceptions import ForecastError, SpecificationError
from nnecon.inference.intervals.conformal import ranks


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Forecasts of the targets, period by period.

    Made by ``get_forecast``.

    Attributes
    ----------
    targets : tuple of str
        What is forecast.
    index : pandas.Index
        Periods, shape (h,).
    mean, se : ndarray of shape (h, m)
        Forecasts and their standard errors, in units of the targets.
    paths : ndarray of shape (r, h, m) or None
        Simulated futures, whose quantiles are the intervals; None where these are in closed form.
        With conformal intervals, the forecast with each error of the past added.
    variances : mapping of str to ndarray of shape (h, m)
        Where the variance comes from: ``shocks``, ``parameters``, ``starts``.
    method : str
        How they were made, in words.
    df : float or ndarray of shape (h, m)
        Degrees of freedom of the t distribution of intervals in closed form; infinite for the
        normal one.
    conformal : bool
        Whether intervals end at order statistics of ``paths`` by the rule of conformal inference.
    """

    targets: tuple[str, ...]
    index: pd.Index
    mean: np.ndarray
    se: np.ndarray
    paths: np.ndarray | None
    variances: Mapping[str, np.ndarray]
    method: str
    df: float | np.ndarray = np.inf
    conformal: bool = False

    @property
    def predicted_mean(self) -> pd.DataFrame:
        """Forecasts, one column a target."""
        return self._frame(self.mean)

    @property
    def middle(self) -> pd.DataFrame:
        """The same: what charts draw as the forecast and backtests score as such."""
        return self.predicted_mean

    @property
    def se_mean(self) -> pd.DataFrame:
        """Standard errors of the forecasts, one column a target."""
        return self._frame(self.se)

    @property
    def variance_shares(self) -> pd.DataFrame:
        """Shares of the variance by where it comes from, a column a target and source."""
        total = np.sum([*self.variances.values()], axis=0)
        pieces = {
            (name, source): np.divide(
                values[:, j], total[:, j], out=np.zeros(len(values)), where=total[:, j] > 0
            )
            for j, name in enumerate(self.targets)
            for source, values in self.variances.items()
        }
        return pd.DataFrame(pieces, index=self.index)

    def limits(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of intervals with level ``1 - alpha``, each of shape (h, m)."""
        check_level(alpha)
        if self.paths is None:
            width = stats.t(self.df).ppf(1.0 - alpha / 2.0) * self.se
            return self.mean - width, self.mean + width
        if self.conformal:
            return self._order_statistics(alpha / 2.0)
        low, high = np.quantile(self.paths, [alpha / 2.0, 1.0 - alpha / 2.0], axis=0)
        return low, high

    def _order_statistics(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        assert self.paths is not None
        ordered, count = np.sort(self.paths, axis=0), len(self.paths)
        low, high = ranks(count, share)
        if low < 1:
            raise ForecastError(
                f"{count} errors of the past say nothing about intervals with alpha="
                f"{2.0 * share:g}; take alpha of at least {2.0 / (count + 1.0):.2g}, or "
                "interval='simulation'."
            )
        return ordered[low - 1], ordered[high - 1]

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals with level ``1 - alpha``: columns ``lower y`` and ``upper y`` a target."""
        return limits_frame(self.limits(alpha), self.targets, self.index)

    def summary_frame(self, alpha: float = 0.05, target: str | None = None) -> pd.DataFrame:
        """Mean, standard error and interval as statsmodels names them.

        Parameters
        ----------
        alpha : float
            One less the level of the intervals.
        target : str, optional
            One target. By default all: with several targets, columns have two levels, target and
            statistic.

        Returns
        -------
        DataFrame
            Columns ``mean``, ``mean_se``, ``mean_ci_lower``, ``mean_ci_upper``.
        """
        low, high = self.limits(alpha)
        frames = {
            name: pd.DataFrame(
                {
                    "mean": self.mean[:, j],
                    "mean_se": self.se[:, j],
                    "mean_ci_lower": low[:, j],
                    "mean_ci_upper": high[:, j],
                },
                index=self.index,
            )
            for j, name in enumerate(self.targets)
        }
        return chosen_frame(frames, target)

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.index, columns=list(self.targets))

    def __str__(self) -> str:
        return str(self.summary_frame())


def limits_frame(
    limits: tuple[np.ndarray, np.ndarray], targets: Sequence[str], index: pd.Index
) -> pd.DataFrame:
    """Lower and upper ends (h, m) as columns ``lower y`` and ``upper y`` a target."""
    low, high = limits
    columns = {}
    for j, name in enumerate(targets):
        columns[f"lower {name}"], columns[f"upper {name}"] = low[:, j], high[:, j]
    return pd.DataFrame(columns, index=index)


def chosen_frame(frames: Mapping[str, pd.DataFrame], target: str | None) -> pd.DataFrame:
    """The frame of a target; that of the only one, or all side by side."""
    if target is not None:
        if target not in frames:
            raise SpecificationError(f"{target!r} is no target; {suggestion(target, frames)}")
        return frames[target]
    return next(iter(frames.values())) if len(frames) == 1 else pd.concat(frames, axis=1)


def check_level(alpha: Any) -> None:
    """Refuse a level outside zero and one."""
    if isinstance(alpha, bool) or not isinstance(alpha, float | np.floating) or not 0 < alpha < 1:
        raise SpecificationError(
            f"alpha={alpha!r} must lie between 0 and 1, for example 0.1 for 90% intervals."
        )


PERIODS = ("steps", "periods", "history", "lags")
"""Arguments that count periods."""


def check_steps(steps: Any, name: str = "steps") -> int:
    """Refuse a number of periods that is none."""
    whole = isinstance(steps, int | np.integer) and not isinstance(steps, bool)
    if not whole or steps < 1:
        what = "whole number of periods" if name in PERIODS else "whole number"
        raise ForecastError(f"{name}={steps!r}: give a {what} of at least 1.")
    return int(steps)


def check_horizon(horizon: Any, most: int) -> int:
    """Refuse a horizon for which nothing was estimated."""
    found = check_steps(horizon, "horizon")
    if found > most:
        raise SpecificationError(f"horizon={horizon}: the model was estimated for 1 to {most}.")
    return found
