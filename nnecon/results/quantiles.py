"""Results of a forecaster with ``loss="quantile"``: an equation for each target and level."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.series import Series
from nnecon.data.storage import pack_frame
from nnecon.data.windows import standard_rows
from nnecon.estimation.quantile_regression import check_loss
from nnecon.exceptions import SpecificationError
from nnecon.inference.lag_effects import LagEffects
from nnecon.inference.quantile_paths import quantile_paths, rearranged, scores_of
from nnecon.inference.simulation import draw_shocks, scenario
from nnecon.report import tables
from nnecon.results.archive import under_prefix, write_archive
from nnecon.results.equations import Equation, linear_table
from nnecon.results.fan import fan_chart
from nnecon.results.forecast_archive import equations_state
from nnecon.results.future import (
    Future,
    complete_rows,
    direct_future,
    future_of,
    ordinals_from,
    row_ahead,
)
from nnecon.results.new_data import NewData
from nnecon.results.outlook import check_steps
from nnecon.results.path import CrossValidation, RegularizationPath
from nnecon.results.quantile_forecast import QuantileForecast
from nnecon.results.simulator import PATHS, SHOCKS

FORMATS: dict[Any, Any] = {
    "penalty": "{:.4g}".format, "edf": 1, "below": 3, "loss": 4, "linear": 4,
    "CV loss": 4, "CV linear": 4,
}  # fmt: skip


class QuantileResults(NewData):
    """Conditional quantiles of the targets: forecasts, intervals, fit.

    Parameters
    ----------
    model
        The specification on the data of the estimation.
    parts : tuple of tuple of Equation
        Equations, series by series and level by level: one tuple or, of direct forecasts, one for
        each horizon.
    search : str
        Starts and random numbers, as a phrase for the summary.
    data : Series, optional
        The data that forecasts go on from; by default those of the estimation.
    begin : int
        First row of the data whose fitted values are reported.
    """

    model: Any
    parts: tuple[tuple[Equation, ...], ...]
    search: str
    begin: int

    def __init__(
        self,
        model: Any,
        parts: tuple[tuple[Equation, ...], ...],
        search: str,
        data: Series | None = None,
        begin: int = 0,
    ) -> None:
        self.__dict__.update(
            model=model,
            parts=parts,
            equations=tuple(one for part in parts for one in part),
            search=search,
            data=model.series if data is None else data,
            begin=begin,
        )

    def on(self, data: Series, begin: int = 0) -> Self:
        """The same estimates on other data, with fitted values from row ``begin`` on."""
        return type(self)(self.model, self.parts, self.search, data, begin)

    # -- estimate ---------------------------------------------------------------------------------

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return self.model.endog_names

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Levels."""
        return self.model.quantiles

    @property
    def iterated(self) -> bool:
        """Whether forecasts are those of a system that is iterated, or of direct equations."""
        return not self.model.direct

    def at(self, horizon: int) -> Self:
        """The equations of one horizon of direct forecasts, from 1."""
        if self.iterated:
            raise SpecificationError("at() is for strategy='direct', which has several horizons.")
        if check_steps(horizon, "horizon") > len(self.parts):
            raise SpecificationError(
                f"horizon={horizon}: the model was estimated for 1 to {len(self.parts)}."
            )
        part = (self.parts[horizon - 1],)
        return type(self)(self.model.at(horizon), part, self.search, self.data, self.begin)

    def _places(self) -> list[tuple[Any, ...]]:
        """Labels of the targets' equations: (target, level), with the horizon before them."""
        own = [(name, level) for name in self.targets for level in self.quantiles]
        if len(self.parts) == 1:
            return list(own)
        return [(ahead, *one) for ahead in range(1, len(self.parts) + 1) for one in own]

    @property
    def _own(self) -> list[Equation]:
        """Equations of the targets, in the order of :meth:`_places`."""
        count = len(self.targets) * len(self.quantiles)
        return [one for part in self.parts for one in part[:count]]

    @property
    def _labels(self) -> pd.MultiIndex:
        names = ["target", "level"] if len(self.parts) == 1 else ["horizon", "target", "level"]
        return pd.MultiIndex.from_tuples(self._places(), names=names)

    @property
    def params(self) -> pd.DataFrame:
        """Linear parts in the user's units, a row a regressor, columns by target and level.

        At ``alpha=inf`` they are the coefficients of statsmodels' QuantReg.
        """
        table = linear_table(self._own, len(self.model.exog_names))
        return pd.DataFrame(table, index=self.model.exog_names, columns=self._labels)

    @property
    def alphas_chosen(self) -> dict[str, Any]:
        """Penalties by target: a list by level, of direct forecasts such a list by horizon."""
        count, found = len(self.quantiles), {}
        for at, name in enumerate(self.targets):
            own = slice(at * count, (at + 1) * count)
            each = [[one.alpha for one in part[own]] for part in self.parts]
            found[name] = each[0] if self.iterated or self.model.lead is not None else each
        return found

    @property
    def alpha(self) -> pd.Series:
        """Penalties by target and level; infinite where the equation is linear."""
        return pd.Series([one.alpha for one in self._own], self._labels, name="alpha")

    @property
    def edf(self) -> pd.Series:
        """Effective degrees of freedom by target and level."""
        return pd.Series([one.edf for one in self._own], self._labels, name="edf")

    @property
    def is_linear(self) -> bool:
        """Whether every equation is a linear quantile regression."""
        return all(one.is_linear for one in self.equations)

    @property
    def converged(self) -> bool:
        """Whether every equation is certified."""
        return all(one.converged for one in self.equations)

    @property
    def path(self) -> dict[Any, RegularizationPath]:
        """Regularisation path by target and level, where there is one."""
        found = {place: one.path for place, one in zip(self._places(), self._own, strict=True)}
        return {place: path for place, path in found.items() if path is not None}

    @property
    def cv(self) -> dict[Any, CrossValidation]:
        """Expanding-window check losses by target and level, where they were computed."""
        found = {place: one.cv for place, one in zip(self._places(), self._own, strict=True)}
        return {place: cv for place, cv in found.items() if cv is not None}

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Average derivative of each quantile by each lag, columns by target and level."""
        model = self.model
        columns = [
            LagEffects(
                one.network, model.layout, one.scaling, one.objective.inputs, model.series.names
            )(one.params)
            for one in self._own
        ]
        found = pd.concat(columns, axis=1)
        return found.set_axis(self._labels, axis=1)

    # -- fit --------------------------------------------------------------------------------------

    @property
    def nobs(self) -> int:
        """Rows of the estimation, one period ahead."""
        return len(self.parts[0][0].objective.target)

    def _table(self, part: Sequence[Equation], raw: np.ndarray) -> np.ndarray:
        """Quantiles of all series on rows in the units of the data, (n, m, k), as estimated."""
        values = [one.values(standard_rows(one.scaling, raw)) for one in part]
        return np.column_stack(values).reshape(len(raw), -1, len(self.quantiles))

    @cached_property
    def _known(self) -> np.ndarray:
        ordinals = ordinals_from(self.model, self.data, len(self.data.index))
        return self.model.known_values(self.data.exog, ordinals)

    @cached_property
    def _estimated(self) -> tuple[np.ndarray, pd.Index]:
        """Quantiles in the data as they were estimated, one period ahead, and their periods."""
        model = self.model if self.iterated or self.model.lead is not None else self.model.at(1)
        rows, index = complete_rows(model, self.data, self._known, self.begin)
        return self._table(self.parts[0], rows), index

    @cached_property
    def fittedvalues(self) -> pd.DataFrame:
        """Quantiles in the data, columns by target and level; they do not cross.

        Of direct forecasts, one period ahead; ``at(h)`` has those of other horizons.
        """
        table, index = self._estimated
        m = len(self.targets)
        columns = pd.MultiIndex.from_product(
            [self.targets, self.quantiles], names=["target", "level"]
        )
        values = rearranged(table)[:, :m].reshape(len(table), -1)
        return pd.DataFrame(values, index=index, columns=columns)

    @property
    def crossings(self) -> float:
        """Share of the periods in the data in which quantiles crossed before they were sorted."""
        table = self._estimated[0][:, : len(self.targets)]
        return float((np.diff(table, axis=2) < 0).any(axis=(1, 2)).mean())

    @cached_property
    def resid(self) -> pd.DataFrame:
        """Actual values less medians, a column a target; NaN where the actual value is missing."""
        medians = self.fittedvalues.xs(0.5, axis=1, level="level")[self.targets]
        m = len(self.targets)
        actual = pd.DataFrame(self.data.endog[:, :m], index=self.data.index, columns=self.targets)
        return actual.loc[medians.index] - medians

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

    def equations_frame(self) -> pd.DataFrame:
        """One row a target and level: penalty, degrees of freedom, how the quantile fits.

        ``below`` is the share of outcomes under the quantile, which should be the level; ``loss``
        the mean check function, beside that of the linear quantile regression.
        """
        rows = []
        for one in self._own:
            loss, plain = one.objective.loss, one.classical()
            actual = one.scaling.restore(one.objective.target)
            ours, theirs = (actual - each.values(one.objective.inputs) for each in (one, plain))
            level = getattr(loss, "level", np.nan)
            row = {
                "penalty": one.alpha,
                "edf": one.edf,
                # a linear quantile passes through as many rows as it has coefficients
                "below": float((ours < -1e-9 * one.scaling.target_scale).mean()),
                "loss": float(check_loss(ours, level).mean()),
                "linear": float(check_loss(theirs, level).mean()),
            }
            if one.cv is not None:
                place = int(np.flatnonzero(one.cv.alphas == one.alpha)[0])
                row["CV loss"], row["CV linear"] = one.cv.mean[place], one.cv.mean[0]
            rows.append(row)
        return pd.DataFrame(rows, index=self._labels)

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
        model, arrays = self.model.state()
        arrays = under_prefix("model", arrays)
        meta: dict[str, Any] = {"model": model, "quantiles": []}
        for at, part in enumerate(self.parts):
            described, held = equations_state(part)
            meta["quantiles"].append({**described, "search": self.search})
            arrays |= under_prefix(f"estimate{at}", held)
        if self.data is not self.model.series:
            meta["data"], frame = pack_frame(self.data.frame, "frame")
            meta["begin"] = self.begin
            arrays |= under_prefix("data", frame)
        write_archive(path, meta, arrays)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def _written(part: Any) -> str:
    return (
        f"h={part}" if isinstance(part, int) else f"{part:g}" if isinstance(part, float) else part
    )
