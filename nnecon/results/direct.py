"""Direct forecasts: an equation for each horizon, which nothing is iterated through."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.series import Series
from nnecon.data.windows import standard_rows
from nnecon.exceptions import SpecificationError
from nnecon.report import tables
from nnecon.results.archive import write_archive
from nnecon.results.block_errors import BLOCKS, direct_errors
from nnecon.results.direct_reach import reach_of
from nnecon.results.fan import fan_chart
from nnecon.results.forecast_archive import forecaster_state, horizons_state
from nnecon.results.forecast_outlooks import INTERVALS
from nnecon.results.forecasting import FORMATS, ForecasterResults
from nnecon.results.future import Future, direct_future, row_ahead
from nnecon.results.new_data import NewData
from nnecon.results.outlook import Forecast, check_horizon, check_steps
from nnecon.results.simulator import PATHS, SHOCKS


class DirectResults(NewData):
    """Estimates of a forecaster with ``strategy="direct"``: one set of equations a horizon.

    Intervals hold one horizon at a time: errors of different horizons are not drawn together.
    Simulated paths, scenarios and impulse responses need ``strategy="recursive"``.

    Parameters
    ----------
    model
        The specification on the data of the estimation.
    parts : tuple of ForecasterResults
        The equations of horizons 1, 2, ..., which :meth:`at` gives.
    """

    model: Any
    parts: tuple[ForecasterResults, ...]

    def __init__(self, model: Any, parts: tuple[ForecasterResults, ...]) -> None:
        equations = tuple(one for part in parts for one in part.equations)
        self.__dict__.update(model=model, parts=parts, data=parts[0].data, equations=equations)

    # -- estimate ---------------------------------------------------------------------------------

    def at(self, horizon: int) -> ForecasterResults:
        """The equations of one horizon, from 1: ``params``, ``effects``, ``path``, ``compare()``.

        Their fitted values and residuals are dated by the period that is forecast.
        """
        return self.parts[check_horizon(horizon, len(self.parts)) - 1]

    @property
    def begin(self) -> int:
        """First row of the data whose fitted values are reported."""
        return self.parts[0].begin

    @property
    def params(self) -> pd.DataFrame:
        """Linear parts in the user's units: a row a regressor, columns by horizon and target."""
        found = {ahead: part.params for ahead, part in enumerate(self.parts, 1)}
        return pd.concat(found, axis=1, names=["horizon", "target"])

    @property
    def alphas_chosen(self) -> dict[str, list[float]]:
        """Penalties of each target by horizon, as ``fit(alpha=...)`` takes them."""
        return {
            name: [part.alphas_chosen[name] for part in self.parts] for name in self.targets
        }  # fmt: skip

    @property
    def alpha(self) -> pd.DataFrame:
        """Penalties, a row a horizon and a column a target."""
        return pd.DataFrame(self.alphas_chosen, index=self._horizons)

    @property
    def edf(self) -> pd.DataFrame:
        """Effective degrees of freedom, a row a horizon and a column a target."""
        return pd.DataFrame(
            [part.edf.to_numpy() for part in self.parts], self._horizons, self.targets
        )

    @property
    def _horizons(self) -> pd.Index:
        return pd.RangeIndex(1, len(self.parts) + 1, name="horizon")

    @property
    def fittedvalues(self) -> pd.DataFrame:
        """Forecasts one period ahead in the data; ``at(h)`` has those of other horizons."""
        return self.parts[0].fittedvalues

    @property
    def resid(self) -> pd.DataFrame:
        """Actual less fitted values, one period ahead."""
        return self.parts[0].resid

    # -- forecasts --------------------------------------------------------------------------------

    def forecast(self, steps: int = 1, exog: Any = None) -> pd.DataFrame:
        """Forecasts of the periods after the data, up to the horizon of the model.

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
        future = self._future(check_steps(steps), exog)
        means = np.stack([self._mean(future, step) for step in range(steps)])
        return pd.DataFrame(means, index=future.index, columns=self.targets)

    def get_forecast(
        self,
        steps: int = 1,
        exog: Any = None,
        *,
        interval: str = "simulation",
        repetitions: int = PATHS,
        shocks: str = "bootstrap",
        parameters: bool = True,
        blocks: int = BLOCKS,
        rng: int | np.random.Generator = 0,
    ) -> Forecast:
        """Forecasts with standard errors and intervals, horizon by horizon.

        Where all equations are linear the intervals are those of OLS for a new observation.
        Otherwise residuals of the horizon are drawn and what draws of the parameters and the
        random starts change is added. Errors of several periods overlap, so that draws of
        parameters change signs in blocks.

        Parameters
        ----------
        steps, exog
            As in :meth:`forecast`.
        interval : {"simulation", "conformal"}
            Intervals from the equations, or from the errors of estimates that had not seen what
            they forecast.
        repetitions : int
            Outcomes that are drawn.
        shocks : {"bootstrap", "normal"}
            Residuals drawn with replacement, or normal errors with their covariance.
        parameters : bool
            Whether intervals hold the uncertainty of parameters and random starts.
        blocks : int
            Parts of the sample that conformal intervals leave out.
        rng : int or numpy.random.Generator
            Seed.
        """
        if interval not in INTERVALS:
            raise SpecificationError(f"interval={interval!r}: choose one of {INTERVALS}.")
        if shocks not in SHOCKS:
            raise SpecificationError(f"shocks={shocks!r}: choose 'bootstrap' or 'normal'.")
        future, random = self._future(check_steps(steps), exog), np.random.default_rng(rng)
        if interval == "conformal":
            return self._conformal(future, steps, check_steps(blocks, "blocks"))
        count = check_steps(repetitions, "repetitions")
        found = [
            reach_of(part, self._row(future, step), shocks, parameters, count, random)
            for step, part in enumerate(self._used(future, steps))
        ]
        linear = all(part.is_linear and not part.student for part in self._used(future, steps))
        variances = {
            source: np.stack([one.variances[source] for one in found])
            for source in ("shocks", "parameters", "starts")
        }
        told = "OLS by horizon" if linear else f"{count} outcomes by horizon, {shocks} shocks"
        return Forecast(
            tuple(self.targets),
            future.index,
            np.stack([one.mean for one in found]),
            np.sqrt(sum(variances.values())),
            None if linear else np.stack([one.paths for one in found], axis=1),
            variances,
            told,
            np.array([[one.df] for one in found]) if linear else np.inf,
        )

    def _future(self, steps: int, exog: Any) -> Future:
        return direct_future(self.model, self.data, steps, exog, len(self.parts))

    def _used(self, future: Future, steps: int) -> tuple[ForecasterResults, ...]:
        return self.parts[future.late : future.late + steps]

    def _row(self, future: Future, step: int) -> np.ndarray:
        """Standardised row at the end of the data, for the outcome of a step."""
        part = self.parts[future.late + step]
        row = row_ahead(part.model, future, part.model.lead)
        return standard_rows(part.equations[0].scaling, row[None])[0]

    def _mean(self, future: Future, step: int) -> np.ndarray:
        part, row = self.parts[future.late + step], self._row(future, step)
        return np.array([one.values(row[None])[0] for one in part.equations])

    def _conformal(self, future: Future, steps: int, blocks: int) -> Forecast:
        """Errors of blocks left out around the forecasts, from the same origins at all horizons."""
        used = self._used(future, steps)
        common = used[-1].model.sample.positions
        solver = self.parts[0].model._solver("auto")
        errors = []
        for part in used:
            positions = part.model.sample.positions
            common = common[np.isin(common, positions)]
            found = direct_errors(part.equations, positions, part.model.lead, blocks, solver)
            errors.append((positions, found * [e.scaling.target_scale for e in part.equations]))
        table = np.stack([found[np.isin(positions, common)] for positions, found in errors], axis=1)
        mean = np.stack([self._mean(future, step) for step in range(steps)])
        variance = (table**2).mean(axis=0)
        told = f"conformal, {len(table)} errors of {min(blocks, len(table))} blocks left out"
        return Forecast(
            tuple(self.targets), future.index, mean, np.sqrt(variance), mean + table,
            {"errors of the past": variance}, told, conformal=True,
        )  # fmt: skip

    def plot_forecast(
        self,
        steps: int | None = None,
        exog: Any = None,
        *,
        levels: Sequence[float] = (0.5, 0.7, 0.9),
        interval: str = "simulation",
        history: int | None = None,
        labels: Mapping[str, str] | None = None,
        rng: int | np.random.Generator = 0,
        **options: Any,
    ) -> Any:
        """Fan chart, with the direct OLS forecasts beside those of the networks.

        Parameters
        ----------
        steps : int, optional
            Periods; by default all that the model was estimated for.
        exog, interval, rng
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
        ahead = len(self.parts) if steps is None else check_steps(steps)
        made = self.get_forecast(ahead, exog, interval=interval, rng=rng)
        classical = None
        if not self.is_linear:
            plain = type(self)(self.model, tuple(part._plain for part in self.parts))
            classical = plain.forecast(ahead, exog)
        options = {
            "baseline": classical, "baseline_name": "direct OLS", "labels": labels, **options,
        }  # fmt: skip
        return fan_chart(
            made, self.data, levels, 5 * ahead if history is None else history, options
        )

    # -- new data and files -----------------------------------------------------------------------

    def on(self, data: Series, begin: int = 0) -> Self:
        """The same estimates on other data, with fitted values from row ``begin`` on."""
        return type(self)(self.model, tuple(part.on(data, begin) for part in self.parts))

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads: a zip of JSON and arrays."""
        meta, arrays = forecaster_state(self)
        meta["parts"], held = horizons_state(
            [part.equations for part in self.parts], [part.search for part in self.parts]
        )
        write_archive(path, meta, arrays | held)

    # -- texts ------------------------------------------------------------------------------------

    def summary(self) -> Any:
        """Table of the equations by target and horizon."""
        model, index = self.model, self.model.at(1).index
        frames = [part.equations_frame() for part in self.parts]
        rows = {
            f"{name}, h={ahead}": frame.loc[name]
            for name in self.targets
            for ahead, frame in enumerate(frames, 1)
        }
        header = [
            ("Targets:", ", ".join(self.targets)),
            ("Model:", type(model).__name__),
            ("Network:", model.description),
            ("Horizons:", f"1 to {len(self.parts)}, direct"),
            ("Lags chosen by:", model.lag_rule),
            ("Sample:", f"{index[0]} to {index[-1]}"),
            ("Observations:", f"{self.parts[0].nobs} to {self.parts[-1].nobs}"),
            ("Search:", self.parts[0].search),
        ]
        table = tables.Table(
            pd.DataFrame.from_dict(rows, orient="index"),
            "Equations",
            FORMATS,
        )
        notes = [
            "Penalty inf: the equation is OLS. Std. error: of the forecast error at the horizon, "
            "corrected for effective degrees of freedom (edf)."
        ]
        return tables.summary("Direct Forecaster Results", header, [table], notes)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
