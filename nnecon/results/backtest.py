"""Results of a backtest: forecasts beside outcomes, accuracy, tests, charts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text
from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import clark_west, diebold_mariano, giacomini_white
from nnecon.inference.accuracy.measures import accuracy
from nnecon.report import plots
from nnecon.results import forecast_comparisons as comparisons
from nnecon.results.forecast_table import ForecastTable
from nnecon.results.immutable import Immutable
from nnecon.results.relative_accuracy import RelativeAccuracy


class Backtest(Immutable):
    """Forecasts of several models from many origins; what :func:`nnecon.backtest` returns.

    Comparisons count forecasts whose outcome is in the data, variable by variable and horizon by
    horizon, on the same cutoffs for all models.

    Attributes
    ----------
    forecasts : DataFrame
        One row a forecast: ``cutoff`` (last period known), ``date`` (period forecast), ``horizon``,
        ``variable``, ``model``, ``forecast``, ``lower``, ``upper`` (interval with level
        ``1 - alpha``) and ``actual``, which is missing beyond the data.
    choices : DataFrame
        What the data chose at each cutoff (penalty, lags), one column a model that chooses.
    data : DataFrame
        Outcomes of all variables.
    step : int
        Periods between two origins.
    alpha : float
        One less the level of the intervals.
    window : int or None
        Periods of a rolling sample, None for growing ones.
    descriptions : mapping
        Models in a few words, by name.
    reference : str
        Model that others are compared with where no other is named: the first baseline, else the
        last model.
    """

    forecasts: pd.DataFrame
    choices: pd.DataFrame
    data: pd.DataFrame
    step: int
    alpha: float
    window: int | None
    descriptions: Mapping[str, str]
    reference: str
    _table: ForecastTable

    def __init__(
        self,
        forecasts: pd.DataFrame,
        choices: pd.DataFrame,
        data: pd.DataFrame,
        *,
        step: int,
        alpha: float,
        window: int | None,
        descriptions: Mapping[str, str],
        reference: str,
    ) -> None:
        self.__dict__.update(
            forecasts=forecasts,
            choices=choices,
            data=data,
            step=step,
            alpha=alpha,
            window=window,
            descriptions=dict(descriptions),
            reference=reference,
            _table=ForecastTable(forecasts, data, alpha, step, window),
        )

    # -- what is there ----------------------------------------------------------------------------

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order given."""
        return list(self.descriptions)

    @property
    def variables(self) -> list[str]:
        """Columns that are forecast."""
        return list(self.data.columns)

    @property
    def horizons(self) -> list[int]:
        """Horizons, in periods."""
        return list(range(1, int(self.forecasts["horizon"].max()) + 1))

    @property
    def cutoffs(self) -> pd.Index:
        """Last periods known, one an origin."""
        return pd.Index(self.forecasts["cutoff"].unique(), name="cutoff")

    def errors(self, variable: str, horizon: int = 1) -> pd.DataFrame:
        """Forecast errors (outcome less forecast): one row a cutoff, one column a model."""
        return self._table.errors(variable, horizon)

    def losses(self, variable: str, horizon: int = 1, measure: str = "rmse") -> pd.DataFrame:
        """Losses of which a measure is the mean: one row a cutoff, one column a model.

        Parameters
        ----------
        variable : str
            Which variable.
        horizon : int
            Periods ahead.
        measure : str
            A column of :meth:`accuracy`; ``"rmse"`` stands for squared errors. Models without
            intervals have no losses of intervals.
        """
        return self._table.losses(variable, horizon, measure)

    # -- accuracy ---------------------------------------------------------------------------------

    def accuracy(self, season: int = 1) -> pd.DataFrame:
        """Accuracy by variable, horizon and model.

        Parameters
        ----------
        season : int
            Periods of the change that scales ``mase``: four compares quarterly data with the
            quarter a year ago.

        Returns
        -------
        DataFrame
            Number of forecasts ``n`` and the measures of
            :mod:`nnecon.inference.accuracy.measures`; those of intervals are missing for models
            without.
        """
        rows = {
            (variable, horizon, model): accuracy(scored)
            for variable, horizon in self._table.cells()
            for model, scored in self._table.scored(variable, horizon, season)[1].items()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["variable", "horizon", "model"])
        return pd.DataFrame(list(rows.values()), index=index)

    def relative(self, reference: str | None = None, measure: str = "rmse") -> RelativeAccuracy:
        """Accuracy over that of a reference, with Diebold-Mariano tests.

        Parameters
        ----------
        reference : str, optional
            A model; by default the first baseline.
        measure : str
            A column of :meth:`accuracy` of which less is better.
        """
        return comparisons.relative(self._table, self.models, self._model(reference), measure)

    def coverage(self) -> pd.DataFrame:
        """How often intervals hold the outcome, by variable, horizon and model.

        Returns
        -------
        DataFrame
            ``n``, ``coverage`` and its standard error ``se`` (long-run, as overlapping forecasts
            err together), the ``nominal`` level, and the mean ``width`` of the intervals. Models
            without intervals are left out.
        """
        return comparisons.coverage(self._table)

    # -- tests ------------------------------------------------------------------------------------

    def diebold_mariano(
        self, reference: str | None = None, measure: str = "rmse", **options: Any
    ) -> pd.DataFrame:
        """Test whether each model is as accurate as a reference; for models that are not nested.

        Parameters
        ----------
        reference : str, optional
            A model; by default the first baseline.
        measure : str
            What is compared: ``"rmse"`` (squared errors), ``"mae"``, ``"crps"``, ...
        **options
            Those of :func:`nnecon.inference.accuracy.diebold_mariano`: ``lags``, ``kernel``,
            ``alternative``, ``correction``.

        Returns
        -------
        DataFrame
            By variable, horizon and model: ``statistic`` (negative where the model is better),
            ``pvalue`` and a ``sentence``.
        """

        def test(loss, against, names, overlap):
            return diebold_mariano(loss, against, names=names, horizon=overlap, **options)

        return comparisons.tests(self._table, self._model(reference), measure, test)

    def giacomini_white(
        self, reference: str | None = None, measure: str = "rmse", **options: Any
    ) -> pd.DataFrame:
        """Test whether each method is expected to be as accurate as a reference, given the past.

        Models may be nested, if they are estimated on a rolling window or once.

        Parameters
        ----------
        reference, measure
            As in :meth:`diebold_mariano`.
        **options
            Those of :func:`nnecon.inference.accuracy.giacomini_white`: ``instruments``, ``lags``,
            ``kernel``.

        Returns
        -------
        DataFrame
        """

        def test(loss, against, names, overlap):
            return giacomini_white(loss, against, names=names, horizon=overlap, **options)

        return comparisons.tests(self._table, self._model(reference), measure, test)

    def clark_west(self, reference: str | None = None, **options: Any) -> pd.DataFrame:
        """Test whether each model is more accurate than a reference that it contains.

        It is for models of which the reference is a special case, as the VAR is of a network with a
        linear part of the same lags.

        Parameters
        ----------
        reference : str, optional
            The smaller model; by default the first baseline.
        **options
            Those of :func:`nnecon.inference.accuracy.clark_west`: ``lags``, ``kernel``.

        Returns
        -------
        DataFrame
            By variable, horizon and model: ``statistic`` (positive where the model is better),
            ``pvalue`` (one-sided) and a ``sentence``.
        """

        def test(errors, against, names, overlap):
            return clark_west(against, errors, names[::-1], horizon=overlap, **options)

        return comparisons.tests(self._table, self._model(reference), None, test)

    def model_confidence_set(self, measure: str = "rmse", **options: Any) -> pd.DataFrame:
        """Find the models that may be the best, by variable and horizon.

        Parameters
        ----------
        measure : str
            What is compared.
        **options
            Those of :func:`nnecon.inference.accuracy.model_confidence_set`: ``size``, ``block``,
            ``reps``, ``rng``.

        Returns
        -------
        DataFrame
            By variable, horizon and model: ``pvalue`` and whether the model is ``included``. With
            less than ten forecasts nothing can be told: p-values are missing, all are included.
        """
        return comparisons.confidence_sets(self._table, measure, **options)

    # -- charts -----------------------------------------------------------------------------------

    def plot(
        self,
        variable: str | Sequence[str] | None = None,
        horizon: int = 1,
        models: Sequence[str] | None = None,
        **options: Any,
    ) -> Any:
        """Forecasts and outcomes over time, one panel a variable.

        Parameters
        ----------
        variable : str or sequence of str, optional
            Variables; by default all.
        horizon : int
            Periods ahead.
        models : sequence of str, optional
            Models; by default all. With a single one, its intervals are drawn too.
        **options
            Those of :func:`nnecon.report.plots.plot_forecasts`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        wanted = [self._model(name) for name in models or self.models]
        chosen = [name for name in self.models if name in wanted]
        rows = self.forecasts[self.forecasts["horizon"] == horizon]
        panels = {}
        for name in self._some_variables(variable):
            of = rows[(rows["variable"] == name) & rows["model"].isin(chosen)]
            panel = pd.DataFrame(
                {
                    str(model): one.set_index("date")["forecast"]
                    for model, one in of.groupby("model")
                }
            )
            panel = panel[[model for model in chosen if model in panel]]
            panel.insert(0, "actual", self.data[name].reindex(panel.index))
            limits = of.set_index("date")[["lower", "upper"]] if len(chosen) == 1 else None
            panels[name] = (panel, limits)
        options = {"horizon": horizon, "level": 1.0 - self.alpha, "order": self.models, **options}
        return plots.plot_forecasts(panels, **options)

    def plot_loss_difference(
        self,
        reference: str | None = None,
        variable: str | Sequence[str] | None = None,
        horizon: int = 1,
        measure: str = "rmse",
        **options: Any,
    ) -> Any:
        """Cumulative difference of losses from a reference; a rising line gains on it.

        The chart of Goyal and Welch (2008): the sum, up to each date, of the reference's loss less
        the model's. It shows when a model was better, and whether one episode makes the average.

        Parameters
        ----------
        reference : str, optional
            A model; by default the first baseline.
        variable : str or sequence of str, optional
            Variables; by default all.
        horizon : int
            Periods ahead.
        measure : str
            What is compared: ``"rmse"`` (squared errors), ``"mae"``, ...
        **options
            Those of :func:`nnecon.report.plots.plot_loss_differences`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        reference = self._model(reference)
        panels = {}
        for name in self._some_variables(variable):
            table = self.losses(name, horizon, measure)
            if reference not in table:
                raise SpecificationError(f"{reference!r} does not forecast {name!r}.")
            gain = table.drop(columns=reference).rsub(table[reference], axis=0).cumsum()
            dates = self.forecasts.drop_duplicates(["cutoff", "horizon"])
            dates = dates[dates["horizon"] == horizon].set_index("cutoff")["date"]
            panels[name] = gain.set_axis(pd.Index(dates.loc[gain.index].array), axis=0)
        options = {"horizon": horizon, "measure": measure, "order": self.models, **options}
        return plots.plot_loss_differences(panels, reference=reference, **options)

    # -- texts ------------------------------------------------------------------------------------

    def summary(self, reference: str | None = None, measure: str = "rmse") -> Any:
        """Table of accuracy relative to a reference, for console, HTML and LaTeX."""
        first, last = self.cutoffs[0], self.cutoffs[-1]
        sample = "growing" if self.window is None else f"rolling, {self.window} periods"
        header = [
            ("Origins:", str(len(self.cutoffs))),
            ("First cutoff:", label_text(first)),
            ("Last cutoff:", label_text(last)),
            ("Periods between:", str(self.step)),
            ("Horizons:", f"1 to {self.horizons[-1]}" if self.horizons[-1] > 1 else "1"),
            ("Samples:", sample),
        ]
        return self.relative(reference, measure).summary(header)

    def to_latex(
        self,
        caption: str = "Accuracy of forecasts",
        label: str = "",
        reference: str | None = None,
        measure: str = "rmse",
    ) -> str:
        """LaTeX table of relative accuracy that needs the booktabs package."""
        return self.relative(reference, measure).to_latex(caption, label)

    def to_html(
        self,
        caption: str = "Accuracy of forecasts",
        reference: str | None = None,
        measure: str = "rmse",
    ) -> str:
        """HTML table of relative accuracy."""
        return self.relative(reference, measure).to_html(caption)

    # -- within -----------------------------------------------------------------------------------

    def _model(self, name: str | None) -> str:
        """A model's name; the reference where none is given."""
        name = self.reference if name is None else name
        if name not in self.descriptions:
            raise SpecificationError(
                f"unknown model {name!r}; {suggestion(str(name), self.models)}".replace(
                    "columns", "models"
                )
            )
        return name

    def _some_variables(self, variable: str | Sequence[str] | None) -> list[str]:
        given = [variable] if isinstance(variable, str) else list(variable or self.variables)
        for name in given:
            self._table.check(name, 1)
        return given

    def __repr__(self) -> str:
        return (
            f"<Backtest of {', '.join(self.models)}: {', '.join(self.variables)}, "
            f"{len(self.cutoffs)} origins, horizons 1 to {self.horizons[-1]}>"
        )
