"""Network and classical model side by side."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from nnecon.inference.accuracy import AccuracyTest
from nnecon.report import plots, tables

WHOLE = {"Observations": 0}


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

    def summary(self) -> Any:
        """Table for console, HTML and LaTeX."""
        table = tables.Table(self.frame, row_formats=WHOLE)
        return tables.summary("Comparison with the classical model", [], [table], self.notes)

    def to_latex(self, caption: str = "Network and classical model", label: str = "") -> str:
        """LaTeX table that needs the booktabs package."""
        return tables.to_latex(self.frame, caption, label, self.notes, row_formats=WHOLE)

    def to_html(self, caption: str = "Network and classical model") -> str:
        """HTML table."""
        return tables.to_html(self.frame, caption, self.notes, row_formats=WHOLE)

    def plot(self) -> Any:
        """Bars of the figures in which smaller is better.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return plots.plot_comparison(self.frame)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.to_html()
