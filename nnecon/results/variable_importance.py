"""Importance of variables, as the user sees it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.report import plots, tables
from nnecon.report.formats import coefficient_cells
from nnecon.results.inference_table import half_width


@dataclass(frozen=True, slots=True, eq=False)
class VariableImportance:
    """Increase of the mean squared error without a variable.

    Attributes
    ----------
    importance, se : Series
        Increase and standard error by variable, in squared units of the dependent variable.
    mse : float
        Mean squared error with all variables on the same rows.
    baseline : Series
        The increase in the classical model.
    method : str
        How a variable is taken away, in words.
    scored : str
        Which rows are scored, in words.
    endog_name : str
        Dependent variable.
    """

    importance: pd.Series
    se: pd.Series
    mse: float
    baseline: pd.Series
    method: str
    scored: str
    endog_name: str

    @property
    def pvalues(self) -> pd.Series:
        """One-sided p-values of an increase that is zero or negative."""
        return pd.Series(stats.norm.sf(self._statistic), index=self.importance.index)

    @property
    def _statistic(self) -> pd.Series:
        zero = (self.se == 0.0) & (self.importance == 0.0)
        return (self.importance / self.se.mask(zero, 1.0)).mask(zero, 0.0)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Increase, error, one-sided p-value, interval, share of the error, classical model."""
        width = half_width(alpha, False, np.inf) * self.se
        return pd.DataFrame(
            {
                "importance": self.importance,
                "std err": self.se,
                "z": self._statistic,
                "P>z": self.pvalues,
                f"[{alpha / 2:.3g}": self.importance - width,
                f"{1 - alpha / 2:.3g}]": self.importance + width,
                "/ mse": self.importance / self.mse,
                "baseline": self.baseline,
            }
        )

    def summary(self, alpha: float = 0.05) -> Any:
        """Table for console, HTML and LaTeX."""
        header = [
            ("Dep. Variable:", self.endog_name),
            ("Rows:", self.scored),
            ("Mean squared error:", f"{self.mse:.4g}"),
        ]
        cells = coefficient_cells(self.summary_frame(alpha).iloc[:, :6])
        return tables.summary(
            "Importance of variables",
            header,
            [tables.Table(cells)],
            [f"Increase of the mean squared error: {self.method}."],
        )

    def plot(self, alpha: float = 0.05, **options: Any) -> Any:
        """Bars with intervals, the most important variable on top.

        Options are those of :func:`nnecon.report.plots.plot_importance`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        width = half_width(alpha, False, np.inf) * self.se
        frame = pd.DataFrame(
            {
                "importance": self.importance,
                "lower": self.importance - width,
                "upper": self.importance + width,
            }
        )
        return plots.plot_importance(
            frame,
            level=1.0 - alpha,
            **{"xlabel": f"Increase of the mean squared error of {self.endog_name}", **options},
        )

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
