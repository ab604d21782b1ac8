"""Random walk, seasonal naive forecast and mean, with exact intervals for normal shocks."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnecon.baselines.face import Block, Outlook, SeriesBaseline, SeriesUnit, read_targets
from nnecon.exceptions import DataError, SpecificationError


def random_walk(drift: bool = False, *, targets: Sequence[str] | str | None = None) -> "RandomWalk":
    r"""The last value, or with ``drift`` the last value plus the mean change.

    With :math:`\Delta y_t = c + u_t`, :math:`u_t \sim N(0, \sigma^2)` and n changes in the sample,

    .. math:: \hat y_{T+h} = y_T + h \hat c, \qquad
              \mathrm{se}_h^2 = s^2 \left(h + h^2 / n\right),

    and the forecast error over its standard error is t with :math:`n - 1` degrees of freedom.
    Without drift c is zero, the second term is left out, and there are n degrees of freedom.

    Parameters
    ----------
    drift : bool
        Whether the change has a mean.
    targets : sequence of str, optional
        Columns; by default those that are forecast.

    Returns
    -------
    Baseline

    Examples
    --------
    >>> import pandas as pd
    >>> from nnecon import baselines
    >>> quarters = pd.period_range("2001Q1", periods=4, freq="Q")
    >>> frame = pd.DataFrame({"y": [1.0, 2.0, 2.0, 4.0]}, index=quarters)
    >>> baselines.random_walk(drift=True).fit(frame).forecast(2)["y"].tolist()
    [5.0, 6.0]
    """
    return RandomWalk(read_targets(targets), bool(drift))


def seasonal_naive(period: int, *, targets: Sequence[str] | str | None = None) -> "SeasonalNaive":
    r"""The last value of the same season.

    With :math:`y_t = y_{t-m} + u_t` and n changes over a year in the sample, standard errors are
    :math:`s \sqrt{1 + \lfloor (h-1)/m \rfloor}` and the distribution is t with n degrees of
    freedom.

    Parameters
    ----------
    period : int
        Periods of a year: 4 for quarters, 12 for months.
    targets : sequence of str, optional
        Columns; by default those that are forecast.

    Returns
    -------
    Baseline

    Examples
    --------
    >>> import pandas as pd
    >>> from nnecon import baselines
    >>> quarters = pd.period_range("2001Q1", periods=6, freq="Q")
    >>> frame = pd.DataFrame({"y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}, index=quarters)
    >>> baselines.seasonal_naive(4).fit(frame).forecast(5)["y"].tolist()
    [3.0, 4.0, 5.0, 6.0, 3.0]
    """
    whole = isinstance(period, int | np.integer) and not isinstance(period, bool)
    if not whole or period < 1:
        raise SpecificationError(
            f"period={period!r}: give the number of periods of a year, 4 for quarters."
        )
    return SeasonalNaive(read_targets(targets), int(period))


def mean(*, targets: Sequence[str] | str | None = None) -> "Mean":
    r"""The mean of the sample.

    For independent normal values the forecast error over
    :math:`s \sqrt{1 + 1/T}` is t with :math:`T - 1` degrees of freedom.

    Parameters
    ----------
    targets : sequence of str, optional
        Columns; by default those that are forecast.

    Returns
    -------
    Baseline

    Examples
    --------
    >>> import pandas as pd
    >>> from nnecon import baselines
    >>> frame = pd.DataFrame({"y": [1.0, 3.0]}, index=pd.period_range("2001", periods=2, freq="Y"))
    >>> baselines.mean().fit(frame).forecast(1)["y"].tolist()
    [2.0]
    """
    return Mean(read_targets(targets))


@dataclass(frozen=True, eq=False)
class Naive(SeriesBaseline):
    """What the three have in common: changes, their mean, their variance."""

    @abstractmethod
    def _shocks(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        """Changes that the model calls shocks, and how many of their parameters are estimated."""

    @abstractmethod
    def _outlook(self, values: np.ndarray, unit: "NaiveUnit", steps: int) -> Outlook:
        """Forecasts after these values."""

    def _estimate(self, block: Block, like: Any) -> "NaiveUnit":
        shocks, estimated = self._shocks(block.values[:, 0])
        df = len(shocks) - estimated
        if df < 1:
            raise DataError(
                f"{self.description}: {len(block.values)} periods of {block.names[0]!r} are too "
                "few; give a longer sample."
            )
        centre = float(shocks.mean()) if estimated else 0.0
        scale = float(np.sqrt(((shocks - centre) ** 2).sum() / df))
        return NaiveUnit(block, self, centre, scale, len(shocks), df)


@dataclass(frozen=True, eq=False)
class NaiveUnit(SeriesUnit):
    """Mean and standard deviation of the shocks of a series."""

    block: Block
    model: Naive
    centre: float
    scale: float
    size: int
    df: int

    def outlook(self, steps: int) -> Outlook:
        """Forecasts with exact t intervals."""
        return self.model._outlook(self.block.values[:, 0], self, steps)

    def on(self, block: Block) -> "NaiveUnit":
        """The same mean and standard deviation after other values."""
        return NaiveUnit(block, self.model, self.centre, self.scale, self.size, self.df)


@dataclass(frozen=True, eq=False)
class RandomWalk(Naive):
    """Specification of :func:`random_walk`."""

    drift: bool

    @property
    def description(self) -> str:
        """The model in a few words."""
        return "random walk with drift" if self.drift else "random walk"

    def _shocks(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        return np.diff(values), int(self.drift)

    def _outlook(self, values: np.ndarray, unit: NaiveUnit, steps: int) -> Outlook:
        ahead = np.arange(1.0, steps + 1.0)[:, None]
        variance = ahead + (ahead**2 / unit.size if self.drift else 0.0)
        return Outlook(values[-1] + unit.centre * ahead, unit.scale * np.sqrt(variance), unit.df)


@dataclass(frozen=True, eq=False)
class SeasonalNaive(Naive):
    """Specification of :func:`seasonal_naive`."""

    period: int

    @property
    def description(self) -> str:
        """The model in a few words."""
        return f"seasonal naive ({self.period})"

    def _shocks(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        return values[self.period :] - values[: -self.period], 0

    def _outlook(self, values: np.ndarray, unit: NaiveUnit, steps: int) -> Outlook:
        if len(values) < self.period:
            raise DataError(
                f"{len(values)} periods of {unit.block.names[0]!r} are less than one year of "
                f"{self.period}."
            )
        past = np.arange(steps)
        year = values[len(values) - self.period :]
        mean = year[past % self.period][:, None]
        return Outlook(mean, unit.scale * np.sqrt(1.0 + past // self.period)[:, None], unit.df)


@dataclass(frozen=True, eq=False)
class Mean(Naive):
    """Specification of :func:`mean`."""

    @property
    def description(self) -> str:
        """The model in a few words."""
        return "mean"

    def _shocks(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        return values, 1

    def _outlook(self, values: np.ndarray, unit: NaiveUnit, steps: int) -> Outlook:
        mean = np.full((steps, 1), unit.centre)
        return Outlook(
            mean, np.full((steps, 1), unit.scale * np.sqrt(1.0 + 1.0 / unit.size)), unit.df
        )
