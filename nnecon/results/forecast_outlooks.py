"""What a forecaster forecasts: means, intervals, scenarios, simulated futures, fan charts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.series import Series
from nnecon.exceptions import ForecastError, SpecificationError
from nnecon.inference.dynamics import forecast_moments
from nnecon.inference.simulation import simulate
from nnecon.results.block_errors import BLOCKS, Fitted, block_errors
from nnecon.results.fan import fan_chart
from nnecon.results.forecast_numbers import ForecasterNumbers
from nnecon.results.future import Future, future_of
from nnecon.results.histories import chosen_histories
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.simulator import PATHS, SHOCKS

INTERVALS = ("simulation", "conformal")


class ForecasterOutlooks(ForecasterNumbers):
    """Forecasts from the end of the data."""

    def _future(self, steps: int, exog: Any, conditions: Any) -> Future:
        self._check_system()
        ordinals = self._ordinals(len(self.data.index))
        return future_of(self.model, self.data, ordinals, steps, exog, conditions)

    def forecast(self, steps: int = 1, exog: Any = None, conditions: Any = None) -> pd.DataFrame:
        """Forecasts of the periods after the data.

        Parameters
        ----------
        steps : int
            How many periods.
        exog : DataFrame or array_like, optional
            Known regressors of these periods, where the model has some.
        conditions : DataFrame, optional
            A scenario: values that some series take in some of these periods, the periods as index
            and the series as columns. NaN leaves a value free.

        Returns
        -------
        DataFrame of shape (steps, targets)
        """
        return self.get_forecast(steps, exog, conditions, parameters=False).predicted_mean

    def get_forecast(
        self,
        steps: int = 1,
        exog: Any = None,
        conditions: Any = None,
        *,
        interval: str = "simulation",
        repetitions: int = PATHS,
        shocks: str = "bootstrap",
        parameters: bool | None = None,
        blocks: int = BLOCKS,
        rng: int | np.random.Generator = 0,
    ) -> Forecast:
        """Forecasts with standard errors and intervals.

        Where all equations are linear they are exact: means and mean squared errors of the vector
        autoregression, given what is imposed. With networks they come from simulated futures.

        Parameters
        ----------
        steps, exog, conditions
            As in :meth:`forecast`.
        interval : {"simulation", "conformal"}
            Intervals from simulated futures (in closed form where the system is linear), or from
            the errors at each horizon of estimates that had not seen what they forecast. The
            latter do not believe the model, and need errors that are stationary.
        repetitions : int
            Futures that are simulated.
        shocks : {"bootstrap", "normal"}
            Residuals of all equations drawn with replacement, or normal shocks.
        parameters : bool, optional
            Whether intervals hold the uncertainty of the parameters, and that of the random
            starts; by default with networks, and not where the system is linear, as in statsmodels.
        blocks : int
            Parts of the sample that conformal intervals leave out, one estimation each.
        rng : int or numpy.random.Generator
            Seed.
        """
        if interval not in INTERVALS:
            raise SpecificationError(f"interval={interval!r}: choose one of {INTERVALS}.")
        if interval == "conformal":
            if conditions is not None or parameters is not None:
                given = "parameters" if conditions is None else "conditions"
                raise SpecificationError(
                    f"{given}= belongs to interval='simulation': conformal intervals are errors "
                    "of the past, which were made without conditions and hold all uncertainty."
                )
            middle = self.get_forecast(
                steps, exog, repetitions=repetitions, shocks=shocks, parameters=False, rng=rng
            )
            return self._conformal(middle, exog, check_steps(blocks, "blocks"), rng)
        future = self._future(check_steps(steps), exog, conditions)
        m, late, index = len(self.targets), future.late, future.index
        if self.is_linear and not parameters and not self.student:
            found = forecast_moments(
                self._linear_system, future.history, future.known, future.imposed
            )
            mean, se = found.mean[late:, :m], found.se[late:, :m]
            told = "exact, shocks alone"
            return Forecast(tuple(self.targets), index, mean, se, None, {"shocks": se**2}, told)
        count = check_steps(repetitions, "repetitions")
        uncertain = not self.is_linear if parameters is None else parameters
        made = self._simulator.forecast(
            future, count, shocks, uncertain, np.random.default_rng(rng)
        )
        sources = {
            name: getattr(made, name)[late:, :m] for name in ("shocks", "parameters", "starts")
        }
        total = sum(sources.values())
        return Forecast(
            tuple(self.targets), index, made.mean[late:, :m], np.sqrt(total),
            made.paths[:, late:, :m], sources, f"{count} simulated paths, {shocks} shocks",
        )  # fmt: skip

    def _conformal(self, made: Forecast, exog: Any, blocks: int, rng: Any) -> Forecast:
        """The same forecasts with the errors of blocks that were left out around them."""
        future, m = self._future(len(made.index), exog, None), len(self.targets)
        simulator, series = self._simulator, self.model.series
        fitted = Fitted(
            self.model.layout, self.equations, self.model.sample.positions, series.endog,
            self.model.known_values(series.exog, np.arange(len(series.endog))),
            simulator.residuals, self._covariance, self.model._solver("auto"),
        )  # fmt: skip
        pattern = np.isfinite(future.imposed)
        found = block_errors(fitted, pattern, blocks, np.random.default_rng(rng))
        errors = found[:, future.late :, :m]
        errors = errors[np.isfinite(errors).all(axis=(1, 2))]
        if not len(errors):
            raise ForecastError(
                f"no period of the sample has outcomes {len(made.index)} periods ahead; take fewer "
                "steps, or interval='simulation'."
            )
        variance = (errors**2).mean(axis=0)
        told = f"conformal, {len(errors)} errors of {min(blocks, len(errors))} blocks left out"
        return replace(
            made, se=np.sqrt(variance), paths=made.mean + errors, method=told, conformal=True,
            variances={"errors of the past": variance}, df=np.inf,
        )  # fmt: skip

    def simulate(
        self,
        nsimulations: int,
        *,
        repetitions: int = 1,
        anchor: Any = "end",
        exog: Any = None,
        shocks: str = "bootstrap",
        rng: int | np.random.Generator = 0,
    ) -> pd.DataFrame:
        """Simulated futures of the targets.

        Parameters
        ----------
        nsimulations : int
            Periods.
        repetitions : int
            Futures.
        anchor : "end" or label
            After which period they begin: the last of the data, or another one of the data.
        exog : DataFrame or array_like, optional
            Known regressors of these periods, where the model has some.
        shocks : {"bootstrap", "normal"}
            As in :meth:`get_forecast`.
        rng : int or numpy.random.Generator
            Seed.

        Returns
        -------
        DataFrame
            Periods by (target, repetition).
        """
        steps, count = check_steps(nsimulations), check_steps(repetitions, "repetitions")
        start = self
        if not (isinstance(anchor, str) and anchor == "end"):
            start = self.on(self._until(anchor))
        future = start._future(steps, exog, None)
        simulator, random = self._simulator, np.random.default_rng(rng)
        length = len(future.imposed)
        if shocks not in SHOCKS:
            raise SpecificationError(f"shocks={shocks!r}: choose 'bootstrap' or 'normal'.")
        # one path is not to have shocks of mean zero
        drawn = simulator.shocks(shocks, max(2 * count, 200), length, random)[:count]
        paths = simulate(simulator.system, simulator.scenario(future), drawn)[:, future.late :]
        columns = pd.MultiIndex.from_product(
            [self.targets, range(count)], names=["target", "repetition"]
        )
        values = np.moveaxis(paths[:, :, : len(self.targets)], 0, 2).reshape(steps, -1)
        return pd.DataFrame(values, index=future.index, columns=columns)

    def _until(self, anchor: Any) -> Series:
        """The data up to a period."""
        index = self.data.index
        rows, _ = chosen_histories(index, anchor, len(index), "anchor")
        end = int(rows[0]) + 1
        data = self.data
        return replace(data, endog=data.endog[:end], exog=data.exog[:end], index=index[:end])

    def plot_forecast(
        self,
        steps: int = 8,
        exog: Any = None,
        conditions: Any = None,
        *,
        levels: Sequence[float] = (0.5, 0.7, 0.9),
        interval: str = "simulation",
        history: int | None = None,
        labels: Mapping[str, str] | None = None,
        rng: int | np.random.Generator = 0,
        **options: Any,
    ) -> Any:
        """Fan chart: the last periods of the data, the forecast, and intervals around it.

        Parameters
        ----------
        steps, exog, conditions, interval, rng
            As in :meth:`get_forecast`.
        levels : sequence of float
            Levels of the intervals, at most three.
        history : int, optional
            Periods of the data that are shown; five times ``steps`` by default.
        labels : mapping, optional
            What the targets are, with units.
        **options
            As in :func:`nnecon.report.plots.plot_fan`: ``title``, ``figsize``, ``fig``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        made = self.get_forecast(steps, exog, conditions, interval=interval, rng=rng)
        classical = None
        if not self.is_linear:
            future = self._future(check_steps(steps), exog, conditions)
            found = forecast_moments(
                self._classical, future.history, future.known, future.imposed
            ).mean[future.late :, : len(self.targets)]
            classical = pd.DataFrame(found, index=future.index, columns=self.targets)
        options = {
            "baseline": classical,
            "baseline_name": self.classical_name,
            "labels": labels,
            **options,
        }
        return fan_chart(
            made, self.data, levels, 5 * steps if history is None else history, options
        )
