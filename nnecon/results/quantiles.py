"""Results of a forecaster with ``loss="quantile"``: an equation for each target and level."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.quantile_paths import quantile_paths, rearranged, scores_of
from nnecon.inference.simulation import draw_shocks, scenario
from nnecon.report import tables
from nnecon.results.archive import write_archive
from nnecon.results.fan import fan_chart
from nnecon.results.forecast_archive import forecaster_state, horizons_state
from nnecon.results.future import (
    Future,
    direct_future,
    future_of,
    ordinals_from,
    row_ahead,
)
from nnecon.results.outlook import check_steps
from nnecon.results.quantile_forecast import QuantileForecast
from nnecon.results.quantile_numbers import QuantileNumbers
from nnecon.results.simulator import PATHS, SHOCKS

FORMATS: dict[Any, Any] = {
    "penalty": "{:.4g}".format, "edf": 1, "below": 3, "loss": 4, "linear": 4,
    "CV loss": 4, "CV linear": 4,
}  # fmt: skip


class QuantileResults(QuantileNumbers):
    """Conditional quantiles of the targets: forecasts, intervals, fit."""

    # -- forecasts --------------------------------------------------------------------------------

    def forecast(self, steps: int = 1, exog: Any = None) -> pd.DataFrame:
        """Medians of the periods after the data.

        Parameters
        ----------
        steps : int
            How many periods.
        exog : DataFrame or array_like, optional
            Known regressors of these periods, where the model has some.

        Returns
        -------
        DataFrame of shape (steps, targets)
        """
        return self.get_forecast(steps, exog).median

    def get_forecast(
        self,
        steps: int = 1,
        exog: Any = None,
        *,
        repetitions: int = PATHS,
        shocks: str = "bootstrap",
        rng: int | np.random.Generator = 0,
    ) -> QuantileForecast:
        """Quantiles of the periods after the data.

        Of the next period they are those of the equations. Further ahead, direct forecasts have
        equations of their own, and iterated ones take quantiles of simulated futures.

        Parameters
        ----------
        steps, exog
            As in :meth:`forecast`.
        repetitions : int
            Futures that are simulated.
        shocks : {"bootstrap", "normal"}
            Where outcomes lie among their quantiles: as all series did in periods of the sample,
            drawn with replacement, or normal scores with the correlation of these.
        rng : int or numpy.random.Generator
            Seed.
        """
        if shocks not in SHOCKS:
            raise SpecificationError(f"shocks={shocks!r}: choose 'bootstrap' or 'normal'.")
        steps, count = check_steps(steps), check_steps(repetitions, "repetitions")
        if self.model.lead is not None:
            raise SpecificationError(
                "these are the equations of one horizon: forecast with the results of the fit, "
                "which hold all horizons."
            )
        levels, m = self.quantiles, len(self.targets)
        if not self.iterated:
            future = direct_future(self.model, self.data, steps, exog, len(self.parts))
            found = [self._ahead(future, future.late + step) for step in range(steps)]
            told = "an equation for each horizon and level"
            return QuantileForecast(
                tuple(self.targets), future.index, levels, np.stack(found), None, told
            )
        ordinals = ordinals_from(self.model, self.data, len(self.data.index))
        future = future_of(self.model, self.data, ordinals, steps, exog, None)
        late, paths = future.late, None
        if late + steps > 1:
            random = np.random.default_rng(rng)
            paths = self._paths(future, count, shocks, random)[:, late:, :m]
            table = np.moveaxis(np.quantile(paths, levels, axis=0), 0, 2)
        else:
            table = self._ahead(future, 0)[None]
        if not late:
            table[0] = self._ahead(future, 0)
        told = "estimated" if paths is None else f"{count} simulated paths, {shocks} scores"
        return QuantileForecast(tuple(self.targets), future.index, levels, table, paths, told)

    def _ahead(self, future: Future, lead: int) -> np.ndarray:
        """Quantiles (m, k) of the targets by the equations of a horizon."""
        row = row_ahead(self.model, future, 0 if self.iterated else lead)
        part = self.parts[0 if self.iterated else lead]
        return rearranged(self._table(part, row[None])[0, : len(self.targets)])

    @cached_property
    def _scores(self) -> np.ndarray:
        """Scores of all series in the periods of the estimation, shape (n, m)."""
        table = rearranged(self._table(self.parts[0], self.model.sample.rows))
        return scores_of(self.model.sample.target, table, np.asarray(self.quantiles))

    def _paths(
        self, future: Future, count: int, shocks: str, rng: np.random.Generator
    ) -> np.ndarray:
        part, scores = self.parts[0], self._scores
        covariance = np.atleast_2d(np.cov(scores.T))
        known = np.concatenate([future.past_known, future.known])
        periods = scenario(
            self.model.layout, covariance, future.history, known, future.imposed
        )  # fmt: skip
        drawn = draw_shocks(shocks, covariance, scores, count, len(future.imposed), rng)
        return quantile_paths(
            self.model.layout,
            periods,
            drawn,
            np.asarray(self.quantiles),
            lambda rows: rearranged(self._table(part, rows)),
        )

    def plot_forecast(
        self,
        steps: int | None = None,
        exog: Any = None,
        *,
        levels: Sequence[float] = (0.5, 0.7, 0.9),
        history: int | None = None,
        labels: Mapping[str, str] | None = None,
        rng: int | np.random.Generator = 0,
        **options: Any,
    ) -> Any:
        """Fan chart of the quantiles, with the median of the linear equations.

        Parameters
        ----------
        steps : int, optional
            Periods; by default eight, or all that direct equations were estimated for.
        exog, rng
            As in :meth:`get_forecast`.
        levels : sequence of float
            Levels of the intervals, at most three.
        history : int, optional
            Periods of the data that are shown; five times ``steps`` by default.
        labels : mapping, optional
            What the targets are, with units.
        **options
            As in :func:`nnecon.report.plots.plot_fan`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        ahead = (8 if self.iterated else len(self.parts)) if steps is None else check_steps(steps)
        made, classical = self.get_forecast(ahead, exog, rng=rng), None
        if not self.is_linear:
            parts = tuple(tuple(one.classical() for one in part) for part in self.parts)
            plain = type(self)(self.model, parts, self.search, self.data, self.begin)
            classical = plain.get_forecast(ahead, exog, rng=rng).median
        options = {
            "baseline": classical, "baseline_name": "linear median", "labels": labels, **options,
        }  # fmt: skip
        shown = 5 * ahead if history is None else history
        return fan_chart(made, self.data, levels, shown, options)

    # -- texts and files --------------------------------------------------------------------------

    def summary(self) -> Any:
        """Table of the equations by target and level."""
        model, frame = self.model, self.equations_frame()
        index = (model.at(1) if model.direct and model.lead is None else model).index
        header = [
            ("Targets:", ", ".join(self.targets)),
            ("Model:", type(model).__name__),
            ("Network:", model.description),
            ("Quantiles:", ", ".join(f"{level:g}" for level in self.quantiles)),
            ("Lags chosen by:", model.lag_rule),
            ("Sample:", f"{index[0]} to {index[-1]}"),
            ("Observations:", str(self.nobs)),
            ("Search:", self.search),
        ]
        if len(self.parts) > 1:
            header.insert(4, ("Horizons:", f"1 to {len(self.parts)}, direct"))
        frame.index = pd.Index([", ".join(map(_written, place)) for place in frame.index])
        notes = [
            "Penalty inf: the equation is the linear quantile regression. Below: share of outcomes "
            "under the quantile. Loss: mean check function; linear: that of the linear equation."
        ]
        if self.crossings:
            notes.append(
                f"Quantiles crossed in {100 * self.crossings:.1f}% of the periods one ahead, and "
                "were sorted."
            )
        if not self.converged:
            notes.append("Not all equations have converged.")
        table = tables.Table(frame, "Equations", FORMATS)
        return tables.summary("Quantile Forecaster Results", header, [table], notes)

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads: a zip of JSON and arrays."""
        meta, arrays = forecaster_state(self)
        meta["quantiles"], held = horizons_state(self.parts, [self.search] * len(self.parts))
        write_archive(path, meta, arrays | held)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def _written(part: Any) -> str:
    return (
        f"h={part}" if isinstance(part, int) else f"{part:g}" if isinstance(part, float) else part
    )
