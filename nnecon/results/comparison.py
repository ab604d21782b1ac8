"""Network and classical model side by side."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from nnecon.inference.accuracy import AccuracyTest
from nnecon.report import plots, tables
from nnecon.report.formats import Formats

ROW_FORMATS: Formats = {
    "Observations": 0,
    "Effective degrees of freedom": 2,
    "Log-likelihood": 2,
    "AIC": 2,
    "BIC": 2,
    "HQIC": 2,
    "R-squared": 4,
    "Adj. R-squared": 4,
    "Residual standard error": lambda value: f"{value:.4g}",
    "Cross-validated RMSE": lambda value: f"{value:.4g}",
    "Test RMSE": lambda value: f"{value:.4g}",
    "Diebold-Mariano p-value": 3,
}
SCORES = ("Residual standard error", "Cross-validated RMSE", "Test RMSE")


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Fit, information criteria and cross-validated accuracy of network and baseline.

    Attributes
    ----------
    frame : DataFrame
        One row a statistic, one column a model. Cross-validated figures come from the same folds
        and rows.
    test : AccuracyTest or None
        Test of equal accuracy on the rows left out; None without cross-validation.
    notes : tuple of str
        How to read the figures.
    """

    frame: pd.DataFrame
    test: AccuracyTest | None
    notes: tuple[str, ...]

    def table_frame(self) -> pd.DataFrame:
        """The frame without rows that do not apply, for printing."""
        return self.frame.dropna(how="all")

    def summary(self) -> Any:
        """Table for console, HTML and LaTeX."""
        table = tables.Table(self.table_frame(), row_formats=ROW_FORMATS)
        return tables.summary("Comparison with the classical model", [], [table], self.notes)

    def to_latex(self, caption: str = "Network and classical model", label: str = "") -> str:
        """LaTeX table that needs the booktabs package."""
        return tables.to_latex(
            self.table_frame(), caption, label, self.notes, row_formats=ROW_FORMATS
        )

    def to_html(self, caption: str = "Network and classical model") -> str:
        """HTML table."""
        return tables.to_html(self.table_frame(), caption, self.notes, row_formats=ROW_FORMATS)

    def plot(self, **options: Any) -> Any:
        """Errors of the network relative to the classical model; less is better.

        Options are those of :func:`nnecon.report.plots.plot_comparison`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        rows = [name for name in SCORES if name in self.frame.index]
        return plots.plot_comparison(self.frame.loc[rows], **options)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.to_html()
