"""ARIMA models and exponential smoothing; statsmodels' models are imported when first used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.baselines.face import Block, Outlook, SeriesBaseline, SeriesUnit, read_targets
from nnecon.exceptions import DataError, SpecificationError

REPETITIONS = 1000
"""Simulated futures where exponential smoothing has no intervals in closed form."""


def arima(
    order: tuple[int, int, int] = (1, 0, 0),
    seasonal_order: tuple[int, int, int, int] = (0, 0, 0, 0),
    trend: str | None = None,
    *,
    targets: Sequence[str] | str | None = None,
) -> "Arima":
    """ARIMA(p, d, q) with a seasonal part, by maximum likelihood in state-space form.

    Parameters
    ----------
    order : tuple of int
        p, d, q.
    seasonal_order : tuple of int
        P, D, Q and the periods of a year.
    trend : str, optional
        As in statsmodels: a constant without differencing, nothing with it.
    targets : sequence of str, optional
        Columns; by default those that are forecast.

    Returns
    -------
    Baseline

    References
    ----------
    Box, G. E. P. and Jenkins, G. M. (1970). Time Series Analysis: Forecasting and Control.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> fitted = ne.baselines.arima((1, 0, 1)).fit(macro, "growth")
    >>> fitted.forecast(4).shape
    (4, 1)
    """
    given = _counts(order, 3, "order"), _counts(seasonal_order, 4, "seasonal_order")
    return Arima(read_targets(targets), *given, trend)


def ets(
    error: str = "add",
    trend: str | None = None,
    seasonal: str | None = None,
    period: int | None = None,
    *,
    damped_trend: bool = False,
    targets: Sequence[str] | str | None = None,
) -> "Ets":
    """Exponential smoothing with error, trend and season, by maximum likelihood.

    Intervals are in closed form where everything is additive, and else from 1,000 simulated
    futures, always the same ones.

    Parameters
    ----------
    error : {"add", "mul"}
        Additive or multiplicative error.
    trend, seasonal : {"add", "mul"}, optional
        Additive or multiplicative component, or none.
    period : int, optional
        Periods of a year, where there is a season.
    damped_trend : bool
        Whether the trend dies out.
    targets : sequence of str, optional
        Columns; by default those that are forecast.

    Returns
    -------
    Baseline

    References
    ----------
    Hyndman, R. J., Koehler, A. B., Ord, J. K. and Snyder, R. D. (2008). Forecasting with
    Exponential Smoothing: The State Space Approach.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> ne.baselines.ets().fit(macro, "infl").forecast(2).shape
    (2, 1)
    """
    kinds = ("add", "mul")
    for name, value, allowed in (
        ("error", error, kinds),
        ("trend", trend, (*kinds, None)),
        ("seasonal", seasonal, (*kinds, None)),
    ):
        if value not in allowed:
            raise SpecificationError(f"{name}={value!r} is not known; choose one of {allowed}.")
    if (seasonal is None) != (period is None):
        raise SpecificationError(
            f"seasonal={seasonal!r} and period={period!r} belong together: give both or neither."
        )
    if damped_trend and trend is None:
        raise SpecificationError("damped_trend=True damps a trend; give trend='add' as well.")
    return Ets(read_targets(targets), error, trend, seasonal, period, bool(damped_trend))


def _counts(given: Any, size: int, name: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(part) for part in given)
    except (TypeError, ValueError):
        counts = ()
    if len(counts) != size or min(counts) < 0 or counts != tuple(given):
        raise SpecificationError(f"{name}={given!r}: give {size} whole numbers.")
    return counts


@dataclass(frozen=True, eq=False)
class Arima(SeriesBaseline):
    """Specification of :func:`arima`."""

    order: tuple[int, ...]
    seasonal_order: tuple[int, ...]
    trend: str | None

    @property
    def description(self) -> str:
        """The model in a few words."""
        season = f"x{self.seasonal_order}" if any(self.seasonal_order) else ""
        return f"ARIMA{self.order}{season}"

    def model(self, block: Block, first: int) -> Any:
        """The model of a block whose trend counts from period ``first``, as statsmodels has it."""
        from statsmodels.tsa.arima.model import ARIMA

        lost = self.order[1] + self.seasonal_order[1] * self.seasonal_order[3]
        if len(block.values) <= lost + sum(self.order) + sum(self.seasonal_order[:3]) + 1:
            raise DataError(
                f"{self.description}: {len(block.values)} periods of {block.names[0]!r} are too "
                "few; give a longer sample."
            )
        offset = 1 + block.start - first
        try:
            model = ARIMA(
                block.values[:, 0],
                order=self.order,
                seasonal_order=self.seasonal_order,
                trend=self.trend,
                trend_offset=offset,
            )
        except ValueError as error:
            raise SpecificationError(f"{self.description}: {error}") from error
        # statsmodels 0.15 forgets it where it makes the trend of the forecasts
        model.trend_offset = offset
        return model

    def _estimate(self, block: Block, like: Any) -> "ArimaUnit":
        return ArimaUnit(block, self, block.start, self.model(block, block.start).fit())


@dataclass(frozen=True, eq=False)
class ArimaUnit(SeriesUnit):
    """An estimated ARIMA model; ``results`` are statsmodels'."""

    block: Block
    baseline: Arima
    first: int
    results: Any

    def outlook(self, steps: int) -> Outlook:
        """Forecasts by the Kalman filter."""
        found = self.results.get_forecast(steps)
        return Outlook(
            np.asarray(found.predicted_mean)[:, None], np.asarray(found.se_mean)[:, None]
        )

    def on(self, block: Block) -> "ArimaUnit":
        """The filter at the same parameters over other data."""
        model = self.baseline.model(block, self.first)
        return ArimaUnit(block, self.baseline, self.first, model.smooth(self.results.params))


@dataclass(frozen=True, eq=False)
class Ets(SeriesBaseline):
    """Specification of :func:`ets`."""

    error: str
    trend: str | None
    seasonal: str | None
    period: int | None
    damped: bool

    @property
    def description(self) -> str:
        """The model in a few words."""
        letters = [{"add": "A", "mul": "M", None: "N"}[kind] for kind in self._kinds]
        letters[1] += "d" if self.damped else ""
        return f"ETS({', '.join(letters)})"

    @property
    def _kinds(self) -> tuple[str | None, ...]:
        return self.error, self.trend, self.seasonal

    def model(self, block: Block) -> Any:
        """The model of a block, as statsmodels has it."""
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        values = pd.Series(block.values[:, 0])
        if "mul" in self._kinds and (values <= 0).any():
            raise DataError(
                f"{self.description} is multiplicative and needs positive values, but "
                f"{block.names[0]!r} has {values.min():g}; use additive components."
            )
        if len(values) < max(10, 2 * (self.period or 0)):
            raise DataError(
                f"{self.description}: {len(values)} periods of {block.names[0]!r} are too few; "
                "give at least ten, and two years where there is a season."
            )
        return ETSModel(
            values,
            error=self.error,
            trend=self.trend,
            damped_trend=self.damped,
            seasonal=self.seasonal,
            seasonal_periods=self.period,
        )

    def _estimate(self, block: Block, like: Any) -> "EtsUnit":
        return EtsUnit(block, self, block.start, self.model(block).fit(disp=False))


@dataclass(frozen=True, eq=False)
class EtsUnit(SeriesUnit):
    """Estimated exponential smoothing; ``results`` are those of statsmodels."""

    block: Block
    baseline: Ets
    first: int
    results: Any

    def outlook(self, steps: int) -> Outlook:
        """Forecasts, with intervals in closed form or simulated."""
        size, mean = len(self.block.values), np.asarray(self.results.forecast(steps))[:, None]
        if self._exact:
            found = self.results.get_prediction(start=size, end=size + steps - 1)
            return Outlook(mean, np.sqrt(np.asarray(found.forecast_variance))[:, None])
        shocks = np.random.default_rng(0).standard_normal((steps, REPETITIONS))
        drawn = self.results.simulate(
            steps,
            anchor="end",
            repetitions=REPETITIONS,
            random_errors=shocks * np.sqrt(self.results.scale),
        )
        paths = np.asarray(drawn)[:, None]
        return Outlook(mean, paths.std(axis=2), paths=paths)

    @property
    def _exact(self) -> bool:
        return "mul" not in self.baseline._kinds

    def on(self, block: Block) -> "EtsUnit":
        """The same smoothing over other data.

        Where they begin in the same period as the sample, initial states are the estimated ones.
        Elsewhere they are estimated anew, since they belong to the first period, with the
        smoothing parameters given.
        """
        model = self.baseline.model(block)
        if block.start == self.first:
            results = model.smooth(self.results.params)
            return EtsUnit(block, self.baseline, self.first, results)
        estimates = zip(model.param_names, np.asarray(self.results.params), strict=True)
        fixed = {name: value for name, value in estimates if not name.startswith("initial_")}
        with model.fix_params(fixed):
            results = model.fit(disp=False)
        return EtsUnit(block, self.baseline, block.start, results)
