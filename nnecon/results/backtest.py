"""Results of a backtest: forecasts beside outcomes, accuracy, tests, charts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.exceptions import SpecificationError
from nnecon.report import plots
from nnecon.results.archive import write_archive
from nnecon.results.backtest_numbers import BacktestNumbers
from nnecon.results.forecast_archive import backtest_state


class Backtest(BacktestNumbers):
    """Forecasts of several models from many origins; what :func:`nnecon.backtest` returns.

    Comparisons count forecasts whose outcome is in the data, variable by variable and horizon by
    horizon, on the same cutoffs for all models.

    Attributes
    ----------
    forecasts : DataFrame
        One row a forecast: ``cutoff`` (last period known), ``date`` (period forecast), ``horizon``,
        ``variable``, ``model``, ``forecast``, ``lower``, ``upper`` (interval with level
        ``1 - alpha``), ``actual``, which is missing beyond the data, and ``crps``, the score of
        the forecast distribution (of a normal one where the model gives an interval alone).
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

    # -- file -------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the backtest to a file that :func:`nnecon.load` reads: a zip of JSON and arrays."""
        write_archive(path, *backtest_state(self))

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
