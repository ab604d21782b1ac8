"""Predictions of a recurrent state-space model in the sample and beyond it."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.exceptions import ForecastError
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.state_space_outlooks import PATHS, StateSpaceOutlooks


class StateSpacePredictions(StateSpaceOutlooks):
    """Predictions one step ahead, or from a period on without data."""

    def get_prediction(
        self,
        start: Any = None,
        end: Any = None,
        dynamic: Any = False,
        exog: Any = None,
        *,
        repetitions: int = PATHS,
        rng: int | np.random.Generator = 0,
    ) -> Forecast:
        """Predictions in the data and beyond: one step ahead, or from a period on without data.

        Parameters
        ----------
        start, end : label or int, optional
            First and last period; numbers count rows of the results from zero. By default the first
            and the last row.
        dynamic : bool, int or label
            False for one-step forecasts; True for forecasts that know nothing from ``start`` on; a
            number of rows after ``start``, or the period, from which on they know nothing.
        exog : DataFrame or array_like, optional
            Known regressors of the periods after the data.
        repetitions, rng
            As in :meth:`get_forecast`; for networks that know nothing.

        Returns
        -------
        Forecast
            Intervals hold shocks and states, and take parameters as given.
        """
        first, last = self._place(start, 0), self._place(end, len(self.index) - 1)
        offset = len(self.data.index) - len(self.index)
        if last < first:
            raise ForecastError("end comes before start.")
        blind = self._blind(dynamic, first)
        beyond = max(last + 1 - len(self.index), 0)
        future = self._future(max(beyond, 1), exog) if beyond else None
        endog, known, index = self.data.endog, self._known, self.data.index
        if future is not None:
            known = np.concatenate([future.past_known, future.known])
            endog = np.concatenate([endog, np.full((beyond, endog.shape[1]), np.nan)])
            index = index.append(future.index)
        blind = min(blind + offset, len(self.data.index))
        shown = slice(first + offset, last + 1 + offset)
        names, units = tuple(self.model.endog_names), self.model.units
        rows = self._rows(endog, known)
        masked = np.array(rows.series)
        masked[blind - self._first :] = np.nan
        found = self._long.filter(self._long_params, rows._replace(series=masked))[0]
        own = self._own
        mean = units.series(found.predicted[:, own])
        variance = np.diagonal(
            units.covariance(found.predicted_cov[:, own, own]), axis1=1, axis2=2
        )  # fmt: skip
        place = slice(shown.start - self._first, shown.stop - self._first)
        open_ = np.diagonal(found.diffuse[:, own, own], axis1=1, axis2=2)
        variance = np.where(open_ > 1e-9 * max(open_.max(), 1e-300), np.inf, variance)
        se = np.sqrt(np.maximum(variance, 0.0))[place]
        mean, told = mean[place], "one step ahead"
        # later than the first period without data, networks have no closed form
        if shown.stop > blind + 1 and not (self.is_linear and not self.model.network.student):
            until = rows._replace(
                series=rows.series[: blind - self._first],
                past=rows.past[: blind - self._first],
                exog=rows.exog[: blind - self._first],
            )
            ahead = self._simulated(
                until, known[blind : shown.stop], index[blind : shown.stop],
                check_steps(repetitions, "repetitions"), False, np.random.default_rng(rng),
            )  # fmt: skip
            cut = max(shown.start - blind, 0)
            at = max(blind - shown.start, 0)
            mean[at:], se[at:] = ahead.mean[cut:], ahead.se[cut:]
            told = f"{repetitions} simulated paths after {label_text(index[blind - 1])}"
        return Forecast(names, index[shown], mean, se, None, {"shocks": se**2}, told)

    def predict(self, start: Any = None, end: Any = None, dynamic: Any = False, exog: Any = None):
        """Means of :meth:`get_prediction`, a DataFrame with a column a series."""
        return self.get_prediction(start, end, dynamic, exog).predicted_mean

    def _blind(self, dynamic: Any, first: int) -> int:
        """Row from which on predictions know nothing."""
        if isinstance(dynamic, bool | np.bool_):
            blind = first if dynamic else len(self.index)
        elif isinstance(dynamic, int | np.integer):
            blind = first + int(dynamic)
        else:
            blind = self._place(dynamic, 0)
        if blind < max(first, 1):
            raise ForecastError(
                "dynamic: nothing is known before the first row; begin later or leave it out."
                if blind < 1
                else "dynamic begins before start."
            )
        return blind

    def _place(self, label: Any, default: int) -> int:
        """Row of a label, or of a number of rows; it may lie beyond the data."""
        if label is None:
            return default
        if isinstance(label, int | np.integer) and not isinstance(label, bool):
            axis = self.model.series.axis
            if axis.kind != "integer":
                return int(label) if label >= 0 else len(self.index) + int(label)
        axis = self.model.series.axis
        try:
            if axis.kind == "period" and not isinstance(label, pd.Period):
                wanted: pd.Index = pd.PeriodIndex([label], freq=axis.freq)
            elif axis.kind == "datetime":
                wanted = pd.DatetimeIndex([label])
            else:
                wanted = pd.Index([label])
            found = axis.ordinals(wanted)[0] - axis.ordinals(self.index[:1])[0]
        except (TypeError, ValueError) as error:
            raise ForecastError(f"{label!r} is no period of the data: {error}") from error
        if found < 0:
            raise ForecastError(
                f"{label!r} lies before the first row, {label_text(self.index[0])}."
            )  # fmt: skip
        return int(found)
