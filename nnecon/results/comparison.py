"""Network and classical model side by side."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from nnecon.inference.hypotheses import HypothesisTest, to_frame
from nnecon.report import plots, tables
from nnecon.report.formats import Formats
from nnecon.results.tables_of_tests import cells_of_tests

ROW_FORMATS: Formats = {
    "Observations": 0,
    "Factors": 0,
    "Effective degrees of freedom": 2,
    "Log-likelihood": 2,
    "AIC": 2,
    "BIC": 2,
    "HQIC": 2,
    "R-squared": 4,
    "Adj. R-squared": 4,
    "Total R-squared": 4,
    "Predictive R-squared": 4,
    "Total R-squared of the new rows": 4,
    "Predictive R-squared of the new rows": 4,
    "Residual standard error": lambda value: f"{value:.4g}",
    "Cross-validated RMSE": lambda value: f"{value:.4g}",
    "Test RMSE": lambda value: f"{value:.4g}",
    "Clark-West p-value": "pvalue",
    "Clark-West by folds p-value": "pvalue",
    "Diebold-Mariano p-value": "pvalue",
    "Nadeau-Bengio p-value": "pvalue",
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
    tests : tuple of HypothesisTest
        Tests on the rows left out, the one that is valid for these models and folds first; none
        without cross-validation.
    notes : tuple of str
        How to read the figures.
    """

    frame: pd.DataFrame
    tests: tuple[HypothesisTest, ...]
    notes: tuple[str, ...]

    @property
    def test(self) -> HypothesisTest | None:
        """The test to report; None without cross-validation."""
        return self.tests[0] if self.tests else None

    def tests_frame(self) -> pd.DataFrame:
        """Tests on the rows left out, one below the other, with their null hypotheses in words."""
        return to_frame(self.tests)

    def table_frame(self) -> pd.DataFrame:
        """The frame without rows that do not apply, for printing."""
        return self.frame.dropna(how="all")

    def summary(self) -> Any:
        """Table for console, HTML and LaTeX."""
        blocks = [tables.Table(self.table_frame(), row_formats=ROW_FORMATS)]
        shown = {test.name: test for test in self.tests if test.applies}
        if shown:
            blocks.append(tables.Table(cells_of_tests(shown), "Tests on the rows left out"))
        return tables.summary("Comparison with the classical model", [], blocks, self.notes)

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
