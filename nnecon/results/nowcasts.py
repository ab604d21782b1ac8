"""Nowcasts of a quarterly target, now and at past dates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.frames import as_frame
from nnecon.data.mixed_frequency import monthly, quarter_ends, quarterly
from nnecon.exceptions import DataError, ForecastError, SpecificationError
from nnecon.inference.accuracy import diebold_mariano
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.direct_forecasts import lagged, new_observation
from nnecon.inference.mixed_frequency import bridged, skip_sampled
from nnecon.report import plots, tables
from nnecon.results.factors import AutoencoderFactorResults
from nnecon.results.immutable import Immutable
from nnecon.results.outlook import Forecast

METHODS = ("umidas", "bridge")
LEVEL = 0.1
"""One less the level of the intervals of past nowcasts."""


class NowcastResults(Immutable):
    """Factors of a monthly panel and the quarterly target; made by ``FactorNowcaster.fit``.

    Attributes
    ----------
    model : FactorNowcaster
    factor_results : AutoencoderFactorResults
        The factor model that was estimated.
    panel : DataFrame
        Monthly data as known.
    target : Series
        Quarterly, up to the last quarter known.
    left_out : tuple of str
        Series of the panel that were known in too few months.
    """

    model: Any
    factor_results: AutoencoderFactorResults
    panel: pd.DataFrame
    target: pd.Series
    left_out: tuple[str, ...]

    def __init__(
        self,
        model: Any,
        factor_results: AutoencoderFactorResults,
        panel: pd.DataFrame,
        target: pd.Series,
        left_out: tuple[str, ...],
    ) -> None:
        names = factor_results.model.labels
        known = panel[names].notna().sum(axis=1)
        least = max(factor_results.k_factors, int(np.ceil(model.month_known * len(names))))
        months = panel.index[known >= least]
        if not len(months):
            raise DataError(
                f"no month has {least} of {len(names)} series known; lower month_known."
            )
        found = factor_results.transform(panel.loc[months, names])
        factors = found.reindex(panel.index) * np.sqrt(factor_results.nobs)
        self.__dict__.update(
            model=model, factor_results=factor_results, panel=panel, target=target,
            left_out=left_out, _factors=factors.loc[: months[-1]],
        )  # fmt: skip

    _factors: pd.DataFrame

    @property
    def factors(self) -> pd.DataFrame:
        """Monthly factors with variance one in the sample, up to the last month that counts."""
        return self._factors.copy()

    @property
    def last_month(self) -> pd.Period:
        """The last month with factors."""
        return self._factors.index[-1]

    def months_ahead(self, quarter: Any) -> int:
        """Months from the last one known to the end of a quarter; negative where it is over."""
        period = self._quarter(quarter)
        return int(quarter_ends(pd.PeriodIndex([period]))[0] - self.last_month.ordinal)

    def apply(self, panel: Any, target: Any) -> "NowcastResults":
        """The same factor model on other data; factors and equations are made anew.

        Parameters
        ----------
        panel : DataFrame
            Monthly, with the series of the panel.
        target : Series
            Quarterly.
        """
        frame = monthly(as_frame(panel))
        lacking = [name for name in self.factor_results.model.labels if name not in frame.columns]
        if lacking:
            raise DataError(
                f"the panel has no column {lacking[0]!r}; give it with NaN where it is not known."
            )
        return NowcastResults(
            self.model, self.factor_results, frame, quarterly(target), self.left_out
        )

    def nowcast(self, quarter: Any = None) -> pd.DataFrame:
        """Nowcasts of the quarters that are not known yet, or of one; a column, a row a quarter.

        Parameters
        ----------
        quarter : str or Period, optional
            By default all from the target's last one up to that of the last month known.
        """
        return self.get_nowcast(quarter).predicted_mean

    def get_nowcast(self, quarter: Any = None) -> Forecast:
        """Nowcasts with standard errors and intervals.

        Intervals are those of least squares for a new observation. Factors count as known given
        their months; that months are not known yet is in the variance, as past quarters are seen
        with as many months.

        Parameters
        ----------
        quarter : str or Period, optional
            As in :meth:`nowcast`.
        """
        return self._outlook(self._quarters(quarter))

    def _outlook(self, quarters: pd.PeriodIndex) -> Forecast:
        found = np.array([self._one(each) for each in quarters])
        mean, se, df = found.T[:, :, None]
        method = "least squares for a new observation"
        name = str(self.target.name)
        return Forecast((name,), quarters, mean, se, None, {"all": se**2}, method, df)

    def _quarter(self, given: Any) -> pd.Period:
        try:
            return pd.Period(given, freq=self.target.index.freq)
        except ValueError as error:
            raise ForecastError(f"{given!r} is no quarter such as '2020Q1'.") from error

    def _quarters(self, given: Any) -> pd.PeriodIndex:
        last = self.target.index[-1]
        if given is not None:
            quarter = self._quarter(given)
            if quarter <= last:
                raise ForecastError(f"{quarter} is known: the target goes to {last}.")
            return pd.PeriodIndex([quarter], name=self.target.index.name)
        end = max(last + 1, self.last_month.asfreq(self.target.index.freq))
        return pd.period_range(last + 1, end, freq=self.target.index.freq).rename(
            self.target.index.name
        )

    def _one(self, quarter: pd.Period) -> tuple[float, float, int]:
        """Nowcast, standard error and degrees of freedom of one quarter."""
        own, quarters = self._own(quarter)
        months = self._factors.index
        ends = quarter_ends(quarters) - months[0].ordinal
        ahead = self.months_ahead(quarter)
        factors = self._factors.to_numpy()
        if self.model.method == "bridge":
            common = bridged(factors, ends, max(ahead, 0))
        else:
            common = skip_sampled(factors, ends, max(ahead, 0), self.model.months)
        return self._forecast(own, common, quarter)

    def _own(self, quarter: pd.Period) -> tuple[np.ndarray, pd.PeriodIndex]:
        """The target up to a quarter, NaN where it is not known, and its quarters."""
        quarters = pd.period_range(self.target.index[0], quarter, freq=self.target.index.freq)
        return self.target.reindex(quarters).to_numpy(), quarters

    def _forecast(
        self, own: np.ndarray, common: np.ndarray, quarter: pd.Period
    ) -> tuple[float, float, int]:
        """Least squares on lags from the last quarter known and on factors."""
        gap = len(own) - len(self.target)
        parts = [np.ones((len(own), 1)), common]
        if self.model.lags:
            shifted = np.full_like(own, np.nan)
            shifted[gap:] = own[: len(own) - gap]
            parts.append(lagged(shifted[:, None], self.model.lags))
        x = np.concatenate(parts, axis=1)
        rows = np.flatnonzero(np.isfinite(x).all(axis=1) & np.isfinite(own))
        name = str(self.target.name)
        if not np.isfinite(x[-1]).all():
            raise ForecastError(
                f"{name} in {quarter}: months or own lags of its equation are missing; give fewer "
                "months or lags."
            )
        if len(rows) <= x.shape[1]:
            raise DataError(
                f"{name}: {len(rows)} quarters are too few for {x.shape[1]} coefficients; give "
                "fewer factors, months or lags."
            )
        return new_observation(x[rows], own[rows], x[-1], name)

    def at_cutoff(self, cutoff: pd.Period) -> pd.DataFrame:
        """Nowcasts at the end of a month, beside the autoregression; a row a quarter not known."""
        last = self.target.index[-1]
        end = max(last + 1, cutoff.asfreq(self.target.index.freq))
        quarters = pd.period_range(last + 1, end, freq=self.target.index.freq)
        found = self._outlook(quarters)
        lower, upper = found.limits(LEVEL)
        plain = []
        for quarter in quarters:
            own, _ = self._own(quarter)
            plain.append(self._forecast(own, np.empty((len(own), 0)), quarter)[0])
        return pd.DataFrame(
            {
                "cutoff": cutoff,
                "quarter": quarters,
                "months_left": quarter_ends(quarters) - cutoff.ordinal,
                "nowcast": found.mean[:, 0],
                "se": found.se[:, 0],
                "lower": lower[:, 0],
                "upper": upper[:, 0],
                "autoregression": plain,
            }
        )

    def summary(self) -> Any:
        """What the nowcasts are made of, the nowcasts, and the factor model."""
        model = self.model
        header = [
            ("Target:", f"{self.target.name}, to {self.target.index[-1]}"),
            ("Panel:", f"{self.factor_results.nvar} series"),
            ("Months with factors to:", str(self.last_month)),
            ("Left out:", str(len(self.left_out))),
            ("Equation:", model.method),
            ("Own lags:", str(model.lags)),
        ]
        frame = self.get_nowcast().summary_frame()
        frame["months left"] = [self.months_ahead(quarter) for quarter in frame.index]
        frame.index = [str(quarter) for quarter in frame.index]
        blocks = [
            tables.Table(frame, "Nowcasts"),
            tables.Table(self.factor_results._factor_table(), "Factors"),
        ]
        return tables.summary("Nowcasts from monthly factors", header, blocks)

    def __str__(self) -> str:
        return str(self.summary())


@dataclass(frozen=True, slots=True, eq=False)
class NowcastHistory:
    """Nowcasts of the past; made by ``FactorNowcaster.pseudo_real_time``.

    Attributes
    ----------
    frame : DataFrame
        A row a month of origin (``cutoff``) and ``quarter`` not known then: ``months_left`` of the
        quarter (negative after its end), ``nowcast``, ``se``, ``lower`` and ``upper`` ends of 90%
        intervals, the forecast of the ``autoregression`` with the same own lags, and what the
        target was (``actual``).
    target : str
        Its name.
    """

    frame: pd.DataFrame
    target: str

    def accuracy(self) -> pd.DataFrame:
        """Root mean squared errors by months left, beside the autoregression.

        Returns
        -------
        DataFrame
            ``n``, ``rmse``, ``rmse_autoregression``, their ``ratio``, the ``pvalue`` of Diebold and
            Mariano's test that both are as accurate, and the ``coverage`` of the intervals.
        """
        known = self.frame.dropna(subset=["actual"])
        if not len(known):
            raise SpecificationError("none of the quarters is known yet.")
        rows = {}
        for left, part in known.sort_values("quarter").groupby("months_left"):
            own = (part["nowcast"] - part["actual"]).to_numpy() ** 2
            other = (part["autoregression"] - part["actual"]).to_numpy() ** 2
            inside = part["actual"].between(part["lower"], part["upper"])
            test = diebold_mariano(own, other, automatic_lags(len(own)))
            rows[left] = {
                "n": len(part),
                "rmse": np.sqrt(own.mean()),
                "rmse_autoregression": np.sqrt(other.mean()),
                "ratio": np.sqrt(own.mean() / other.mean()),
                "pvalue": test.pvalue,
                "coverage": inside.mean(),
            }
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("months_left")
        return frame.sort_index(ascending=False)

    def plot(self, months_left: int = 0, **options: Any) -> Any:
        """Nowcasts made with so many months left, the autoregression's, and what happened.

        Parameters
        ----------
        months_left : int
            Months from the origin to the end of the quarter, one of those in :attr:`frame`.
        **options
            Those of :func:`nnecon.report.plots.plot_forecasts`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        rows = self.frame[self.frame["months_left"] == months_left]
        if not len(rows):
            found = sorted(self.frame["months_left"].unique())
            raise SpecificationError(
                f"months_left={months_left!r}: nowcasts were made with {found} months left."
            )
        index = pd.PeriodIndex(rows["quarter"], name="quarter")
        frame = rows[["actual", "nowcast", "autoregression"]].set_axis(index, axis=0)
        limits = rows[["lower", "upper"]].set_axis(index, axis=0)
        given = {
            "level": 1.0 - LEVEL,
            "title": f"Nowcasts {_when(months_left)} and outcomes",
        }
        return plots.plot_forecasts({self.target: (frame, limits)}, **{**given, **options})


def _when(left: int) -> str:
    if left == 0:
        return "at the end of the quarter"
    word = "month" if abs(left) == 1 else "months"
    return f"{abs(left)} {word} {'before' if left > 0 else 'after'} the end of the quarter"
