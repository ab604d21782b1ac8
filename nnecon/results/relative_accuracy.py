"""Accuracy of several models relative to one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.report import plots, tables
from nnecon.report.formats import MISSING, format_number

STARS = ((0.01, "***"), (0.05, "**"), (0.10, "*"))
NAMES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mase": "MASE",
    "smape": "sMAPE",
    "crps": "CRPS",
    "quantile_score": "Quantile score",
}


@dataclass(frozen=True, slots=True, eq=False)
class RelativeAccuracy:
    """Ratios of a measure to that of a reference, by variable and horizon; below one is better.

    Attributes
    ----------
    frame : DataFrame
        Ratios, one column a model.
    pvalues : DataFrame
        P-values of two-sided Diebold-Mariano tests, alike; missing where the test does not apply,
        for example because the forecasts are the same.
    reference : Series
        The measure of the reference itself, named after it.
    measure : str
        Which measure.
    models : tuple of str
        All models, in the order given.
    """

    frame: pd.DataFrame
    pvalues: pd.DataFrame
    reference: pd.Series
    measure: str
    models: tuple[str, ...]

    def table_frame(self) -> pd.DataFrame:
        """Ratios as text, with stars, beside the measure of the reference."""
        name = NAMES[self.measure]
        cells = pd.DataFrame(
            {f"{name} of {self.reference.name}": [f"{v:#.4g}" for v in self.reference]}
        )
        for model in self.frame:
            ratios, pvalues = self.frame[model], self.pvalues[model]
            texts = [_starred(r, p) for r, p in zip(ratios, pvalues, strict=True)]
            # points stay one below the other in the console
            room = max(text.count("*") for text in texts)
            cells[str(model)] = [text + " " * (room - text.count("*")) for text in texts]
        variables = self.frame.index.get_level_values("variable")
        horizons = self.frame.index.get_level_values("horizon")
        cells.index = pd.Index(
            [f"{v}, h={h}" for v, h in zip(variables, horizons, strict=True)], name=""
        )
        return cells

    @property
    def notes(self) -> tuple[str, ...]:
        """How to read the table."""
        name = self.reference.name
        return (
            f"{NAMES[self.measure]} divided by that of {name}, by variable and horizon h in "
            "periods; below 1 is better.",
            "Stars: Diebold-Mariano test of equal accuracy, two-sided, with the correction of "
            "Harvey, Leybourne and Newbold: * 10%, ** 5%, *** 1%.",
        )

    def summary(self, header: Sequence[tuple[str, str]] = ()) -> Any:
        """Table for console, HTML and LaTeX."""
        table = tables.Table(self.table_frame())
        return tables.summary("Accuracy of forecasts", list(header), [table], self.notes)

    def to_latex(self, caption: str = "Accuracy of forecasts", label: str = "") -> str:
        """LaTeX table that needs the booktabs package."""
        return tables.to_latex(self.table_frame(), caption, label, self.notes)

    def to_html(self, caption: str = "Accuracy of forecasts") -> str:
        """HTML table."""
        return tables.to_html(self.table_frame(), caption, self.notes)

    def plot(self, **options: Any) -> Any:
        """Ratios by horizon, one panel a variable, one line a model.

        Options are those of :func:`nnecon.report.plots.plot_relative_accuracy`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        options = {"measure": NAMES[self.measure], "order": self.models, **options}
        return plots.plot_relative_accuracy(
            self.frame, reference=str(self.reference.name), **options
        )

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.to_html()


def _starred(ratio: float, pvalue: float) -> str:
    if np.isnan(ratio):
        return MISSING
    stars = next((text for level, text in STARS if pvalue <= level), "")
    return format_number(ratio, 3) + stars
