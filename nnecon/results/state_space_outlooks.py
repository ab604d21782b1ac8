"""What a recurrent state-space model forecasts: means, intervals, scenarios, simulated futures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.series import Series
from nnecon.estimation.innovations import Rows
from nnecon.estimation.state_space_likelihood import Likelihood
from nnecon.exceptions import ForecastError, SpecificationError
from nnecon.inference.kalman_smoother import smooth
from nnecon.inference.state_space_paths import Origin, draw_errors, draw_states, simulate
from nnecon.report import plots
from nnecon.results.future import Future, continued, future_of
from nnecon.results.histories import chosen_histories
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.state_space_numbers import StateSpaceNumbers

PATHS = 1000
"""Futures that are simulated by default."""

SHARED = 40
"""Paths on which draws of parameters are compared, all with the same shocks."""

PARAMETER_DRAWS = 60


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """The distribution of states and series at the end of some rows, standardised.

    Parameters
    ----------
    mean, covariance : ndarray of shape (s,), (s, s)
        Of states and series in the filter.
    """

    mean: np.ndarray
    covariance: np.ndarray


class StateSpaceOutlooks(StateSpaceNumbers):
    """Forecasts from the end of the data."""

    @property
    def _long(self) -> Likelihood:
        """The filter with series in the state, so that any of them may be unknown."""
        return replace(self._filter, route="augmented")

    @property
    def _long_params(self) -> np.ndarray:
        return self._filter_params[: self._long.network.n_params]

    def _future(self, steps: int, exog: Any, conditions: Any = None) -> Future:
        ordinals = self._ordinals(len(self.data.index))
        return future_of(self.model, self.data, ordinals, steps, exog, conditions, filtered=True)

    def _rows(self, endog: np.ndarray, known: np.ndarray) -> Rows:
        return self.model.sample_of(endog, known, self._first).rows

    def _end(self, rows: Rows, params: np.ndarray | None = None) -> End:
        """States and series after the last of some rows."""
        given = self._long_params if params is None else params[: self._long.network.n_params]
        found = self._long.filter(given, rows)[0]
        return End(found.filtered[-1], found.filtered_cov[-1])

    def forecast(self, steps: int = 1, exog: Any = None, conditions: Any = None) -> pd.DataFrame:
        """Forecasts of the periods after the data.

        Parameters
        ----------
        steps : int
            How many periods.
        exog : DataFrame or array_like, optional
            Known regressors of these periods, where the model has some.
        conditions : DataFrame, optional
            A scenario, where the system is linear: values that some series take in some of these
            periods, the periods as index and the series as columns. NaN leaves a value free.

        Returns
        -------
        DataFrame of shape (steps, series)
        """
        return self.get_forecast(steps, exog, conditions, parameters=False).predicted_mean

    def get_forecast(
        self,
        steps: int = 1,
        exog: Any = None,
        conditions: Any = None,
        *,
        repetitions: int = PATHS,
        parameters: bool | None = None,
        rng: int | np.random.Generator = 0,
    ) -> Forecast:
        """Forecasts with standard errors and intervals.

        Where the system is linear with normal errors they are exact, those of the Kalman filter.
        Otherwise they come from simulated futures, which begin at draws of the state.

        Parameters
        ----------
        steps, exog, conditions
            As in :meth:`forecast`.
        repetitions : int
            Futures that are simulated.
        parameters : bool, optional
            Whether intervals hold the uncertainty of the parameters; by default with networks, and
            not where the system is linear, as in statsmodels.
        rng : int or numpy.random.Generator
            Seed.
        """
        count = check_steps(repetitions, "repetitions")
        future = self._future(check_steps(steps), exog, conditions)
        known = np.concatenate([future.past_known, future.known])
        endog = np.concatenate([future.history, future.imposed])
        exact = self.is_linear and not self.model.network.student
        if conditions is not None and not exact:
            raise SpecificationError(
                "conditions need a linear system with normal errors, where imposed values have a "
                "closed form; this network is not linear."
            )
        if exact and not parameters:
            return self._exact(endog, known, future.index, conditions is not None)
        made = len(future.history) + future.late
        end = self._rows(endog[:made], known[:made])
        return self._simulated(
            end, known[made:], future.index, count, parameters is not False,
            np.random.default_rng(rng),
        )  # fmt: skip

    def _exact(
        self, endog: np.ndarray, known: np.ndarray, index: pd.Index, smoothed: bool
    ) -> Forecast:
        """Moments of the last rows, given what is there of all rows."""
        rows, steps = self._rows(endog, known), len(index)
        found, design = self._long.filter(self._long_params, rows)
        mean, covariance = found.predicted[-steps:], found.predicted_cov[-steps:]
        if smoothed:
            both = smooth(found, design)
            mean, covariance = both.mean[-steps:], both.covariance[-steps:]
        units, own = self.model.units, self._own
        variances = np.diagonal(units.covariance(covariance[:, own, own]), axis1=1, axis2=2)
        se = np.sqrt(np.maximum(variances, 0.0))
        names = tuple(self.model.endog_names)
        return Forecast(
            names, index, units.series(mean[:, own]), se, None, {"shocks": se**2},
            "exact, shocks alone",
        )  # fmt: skip

    @property
    def _own(self) -> slice:
        """Where the series of the period are in the state of the filter."""
        k = self.model.k_states
        return slice(k, k + len(self.model.endog_names))

    def _origin(self, end: End, known: np.ndarray, paths: int, rng: np.random.Generator) -> Origin:
        """Paths that begin at draws of the state."""
        drawn = draw_states(end.mean, end.covariance, paths, rng)
        return self._origin_of(drawn, known)

    def _origin_of(self, states: np.ndarray, known: np.ndarray) -> Origin:
        k, m, units = self.model.k_states, len(self.model.endog_names), self.model.units
        exog = (known - units.exog_shift) / units.exog_scale
        return Origin(
            states[:, :k],
            states[:, k:].reshape(len(states), -1, m),
            np.broadcast_to(exog, (len(states), *exog.shape)),
        )

    def _simulated(
        self,
        rows: Rows,
        known: np.ndarray,
        index: pd.Index,
        paths: int,
        uncertain: bool,
        rng: np.random.Generator,
    ) -> Forecast:
        """Forecasts from simulated paths, to which what draws of the parameters change is added."""
        network, params, units = self.model.network, self._standard, self.model.units
        end = self._end(rows)
        errors, noise = draw_errors(network, params, (paths, len(known)), rng)
        found = simulate(network, params, self._origin(end, known, paths, rng), errors, noise)[0]
        mean, shocks = found.mean(axis=0), found.var(axis=0)
        sources = {"shocks": units.scale**2 * shocks}
        told = f"{paths} simulated paths"
        if uncertain:
            few = draw_errors(network, params, (SHARED, len(known)), rng)
            middle = np.repeat(end.mean[None], SHARED, axis=0)
            base = simulate(network, params, self._origin_of(middle, known), *few)[0].mean(axis=0)
            moved = []
            for draw in self._parameter_draws(PARAMETER_DRAWS, rng):
                there = np.repeat(self._end(rows, draw).mean[None], SHARED, axis=0)
                own = simulate(network, draw, self._origin_of(there, known), *few)[0]
                moved.append(own.mean(axis=0) - base)
            apart = np.stack(moved)
            apart = apart - apart.mean(axis=0)
            found = found + apart[rng.integers(len(apart), size=paths)]
            sources["parameters"] = units.scale**2 * apart.var(axis=0)
        total = np.sum([*sources.values()], axis=0)
        return Forecast(
            tuple(self.model.endog_names), index, units.series(mean), np.sqrt(total),
            units.series(found), sources, told,
        )  # fmt: skip

    def _parameter_draws(self, count: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws of the standardised parameters from their normal approximation."""
        network = self.model.network
        draws = draw_states(self._standard, self._covariance.matrix, count, rng)
        where = network.where("df")
        draws[:, where] = np.maximum(draws[:, where], 2.1)
        return list(draws)

    # -- simulation, other data -------------------------------------------------------------------

    def simulate(
        self,
        nsimulations: int,
        *,
        repetitions: int = 1,
        anchor: Any = "end",
        exog: Any = None,
        rng: int | np.random.Generator = 0,
    ) -> pd.DataFrame:
        """Simulated futures of the series, which begin at draws of the state.

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
        rng : int or numpy.random.Generator
            Seed.

        Returns
        -------
        DataFrame
            Periods by (series, repetition).
        """
        steps, count = check_steps(nsimulations), check_steps(repetitions, "repetitions")
        start = self
        if not (isinstance(anchor, str) and anchor == "end"):
            start = self._with(data=self._until(anchor), since=0)
        future = start._future(steps, exog)
        made = len(future.history) + future.late
        known = np.concatenate([future.past_known, future.known])
        endog = np.concatenate([future.history, future.imposed])
        random = np.random.default_rng(rng)
        end = start._end(start._rows(endog[:made], known[:made]))
        network, params = self.model.network, self._standard
        # one path of each pair with opposite signs
        errors, noise = draw_errors(network, params, (2 * count, steps), random)
        states = draw_states(end.mean, end.covariance, 2 * count, random)[:count]
        origin = self._origin_of(states, known[made:])
        paths = self.model.units.series(
            simulate(network, params, origin, errors[:count], noise[:count])[0]
        )  # fmt: skip
        names = self.model.endog_names
        columns = pd.MultiIndex.from_product(
            [names, range(count)], names=["series", "repetition"]
        )  # fmt: skip
        values = np.moveaxis(paths, 0, 2).reshape(steps, -1)
        return pd.DataFrame(values, index=future.index, columns=columns)

    def _until(self, anchor: Any) -> Series:
        """The data up to a period."""
        rows, _ = chosen_histories(self.index, anchor, len(self.index), "anchor")
        end = int(rows[0]) + 1 + len(self.data.index) - len(self.index)
        data = self.data
        return replace(
            data, endog=data.endog[:end], exog=data.exog[:end], index=data.index[:end],
            frame=data.frame.iloc[:end],
        )  # fmt: skip

    def plot_forecast(
        self,
        steps: int = 8,
        exog: Any = None,
        conditions: Any = None,
        *,
        levels: Sequence[float] = (0.5, 0.7, 0.9),
        history: int | None = None,
        labels: Mapping[str, str] | None = None,
        rng: int | np.random.Generator = 0,
        **options: Any,
    ) -> Any:
        """Fan chart: the last periods of the data, the forecast, and intervals around it.

        Parameters
        ----------
        steps, exog, conditions, rng
            As in :meth:`get_forecast`.
        levels : sequence of float
            Levels of the intervals, at most three.
        history : int, optional
            Periods of the data that are shown; five times ``steps`` by default.
        labels : mapping, optional
            What the series are, with units.
        **options
            As in :func:`nnecon.report.plots.plot_fan`: ``title``, ``figsize``, ``fig``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        if not 1 <= len(levels) <= 3:
            raise SpecificationError(f"levels={levels!r}: give one, two or three levels.")
        made = self.get_forecast(steps, exog, conditions, rng=rng)
        bands = {level: made.limits(1.0 - level) for level in levels}
        shown = check_steps(5 * steps if history is None else history, "history")
        names = self.model.endog_names
        past = pd.DataFrame(self.data.endog, index=self.data.index, columns=names)
        return plots.plot_fan(
            past.iloc[-shown:], made.predicted_mean, bands, **{"labels": labels, **options}
        )

    def apply(self, data: Any) -> Self:
        """The same parameters on other data, from the end of which forecasts go on.

        Parameters
        ----------
        data : DataFrame
            With the columns of the estimation and an index of the same kind and frequency.
        """
        series = self.model.series_in(data)
        # refuses another kind of index or another frequency
        self.model.series.axis.ordinals(series.index)
        return self._with(data=series, since=0)

    def append(self, data: Any, refit: bool = False, **options: Any) -> Self:
        """Results with new periods behind the data, with the same parameters or new ones.

        Parameters
        ----------
        data : DataFrame
            The periods that follow on, with the columns of the estimation. A period that is in the
            data already takes the new values, where these are there: late releases and revisions.
        refit : bool
            Whether to estimate anew on all data, at the lags and the penalty that were chosen, from
            these parameters.
        **options
            Of ``fit``, with ``refit``.
        """
        if options and not refit:
            raise SpecificationError(
                f"{next(iter(options))!r} is an option of fit(), which needs refit=True."
            )
        frame = continued(self.data, data)
        if not refit:
            return self._with(data=self.model.series_in(frame), since=self.since)
        changes = {"linear_lags": self.model.lags} if self.model.linear_part else {}
        model = self.model.on(frame, **changes)
        given = {"alpha": self.alpha, "n_starts": 1, "cov_type": self.cov_type}
        if np.isfinite(self.alpha):
            given["start_params"] = self.params.to_numpy()
        return model.fit(**{**given, **options})

    def extend(self, data: Any) -> Self:
        """Results of new periods alone, which go on from the end of the data.

        As :meth:`append`, but fit, states and likelihood are those of the new periods.

        Parameters
        ----------
        data : DataFrame
            The periods that follow on.
        """
        end = len(self.data.index)
        found = self.append(data)
        if len(found.data.index) == end:
            raise ForecastError("extend: the periods are in the data already; use append().")
        return found._with(since=end)
