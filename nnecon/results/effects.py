"""Average partial effects, with the face of statsmodels' ``DiscreteMargins``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.report import plots, tables
from nnecon.report.formats import coefficient_cells
from nnecon.results.inference_table import coefficient_table, half_width


@dataclass(frozen=True, slots=True, eq=False)
class MarginalEffects:
    """Average partial effects with delta-method standard errors.

    Attributes
    ----------
    margeff, margeff_se : Series
        Effects and standard errors by regressor, in units of the dependent variable a unit of
        the regressor; for a category the change from the reference category.
    gradient : ndarray of shape (m, k)
        Derivatives of the effects by the parameters (of the standardised problem).
    baseline : DataFrame
        The same effects in the classical model: columns ``effect`` and ``se``.
    use_t, df_resid, description
        Distribution of the statistics, and the kind of covariance in words.
    endog_name : str
        Dependent variable.
    se_starts : Series, optional
        The part of ``margeff_se`` that is the spread between starts: the Monte Carlo standard
        error of the mean over an ensemble's networks, zero for a single network.
    """

    margeff: pd.Series
    margeff_se: pd.Series
    gradient: np.ndarray
    baseline: pd.DataFrame
    use_t: bool
    df_resid: float
    description: str
    endog_name: str
    se_starts: pd.Series | None = None

    def _table(self, alpha: float = 0.05) -> pd.DataFrame:
        return coefficient_table(
            self.margeff, self.margeff_se, self.use_t, self.df_resid, alpha, "dy/dx"
        )

    @property
    def tvalues(self) -> pd.Series:
        """Effects over standard errors."""
        return self.margeff / self.margeff_se

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of no average effect."""
        return self._table().iloc[:, 3]

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals with level ``1 - alpha``; columns 0 and 1."""
        bounds = self._table(alpha).iloc[:, 4:]
        return bounds.set_axis([0, 1], axis=1)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Effects, errors, statistics and intervals, in statsmodels' columns."""
        frame = self._table(alpha)
        names = ["dy/dx", "Std. Err.", "z", "Pr(>|z|)", "Conf. Int. Low", "Cont. Int. Hi."]
        if self.use_t:
            names[2:4] = ["t", "Pr(>|t|)"]
        return frame.set_axis(names, axis=1)

    def summary(self, alpha: float = 0.05) -> Any:
        """Table for console, HTML and LaTeX."""
        return tables.summary(
            "Average partial effects",
            [("Dep. Variable:", self.endog_name), ("Method:", "dydx"), ("At:", "overall")],
            [tables.Table(coefficient_cells(self._table(alpha)))],
            [f"Standard errors: delta method, {self.description}."],
        )

    def plot(self, alpha: float = 0.05, xlabel: str | None = None, **options: Any) -> Any:
        """Effects with intervals beside those of the classical model.

        Parameters
        ----------
        alpha : float
            One less the level of the intervals.
        xlabel : str, optional
            What the effects are, with their unit.
        **options
            As in :func:`nnecon.report.plots.plot_margins`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        width = half_width(alpha, self.use_t, self.df_resid)
        own = pd.DataFrame({"effect": self.margeff, "se": self.margeff_se})
        frames = [
            frame.assign(
                lower=frame["effect"] - width * frame["se"],
                upper=frame["effect"] + width * frame["se"],
            )
            for frame in (own, self.baseline)
        ]
        label = xlabel or f"Average partial effect on {self.endog_name}"
        return plots.plot_margins(*frames, level=1.0 - alpha, xlabel=label, **options)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()


@dataclass(frozen=True, slots=True, eq=False)
class EffectCurve:
    """Mean of the dependent variable as one regressor moves, all others as observed.

    ``frame`` has the regressor's values as index and the columns ``mean``, ``mean_se``,
    ``mean_ci_lower``, ``mean_ci_upper`` and ``baseline``.
    """

    regressor: str
    frame: pd.DataFrame
    level: float
    observed: np.ndarray
    endog_name: str
