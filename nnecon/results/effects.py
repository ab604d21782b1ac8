"""Marginal effects, with the face of statsmodels' ``DiscreteMargins``."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nnecon.inference.margins import NAMES
from nnecon.report import plots, tables
from nnecon.report.formats import coefficient_cells
from nnecon.results.inference_table import coefficient_table, half_width


@dataclass(frozen=True, slots=True, eq=False)
class MarginalEffects:
    """Marginal effects with delta-method standard errors.

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
    margeff_cov : DataFrame, optional
        Joint covariance of the effects, for tests on several of them.
    method : {"dydx", "eyex", "dyex", "eydx"}
        Derivative, elasticity or semi-elasticity.
    at : str
        Where the effects are taken, in words.
    notes : tuple of str
        What else is to be known.
    draws : ndarray of shape (b, m), optional
        The effects at bootstrap draws, where the covariance is a bootstrap's.
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
    margeff_cov: pd.DataFrame | None = None
    method: str = "dydx"
    at: str = "overall"
    notes: tuple[str, ...] = ()
    draws: np.ndarray | None = None

    def _table(self, alpha: float = 0.05) -> pd.DataFrame:
        return coefficient_table(
            self.margeff, self.margeff_se, self.use_t, self.df_resid, alpha, NAMES[self.method]
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
        letter = "t" if self.use_t else "z"
        names = [NAMES[self.method], "Std. Err.", letter, f"Pr(>|{letter}|)"]
        return frame.set_axis([*names, "Conf. Int. Low", "Cont. Int. Hi."], axis=1)

    def summary(self, alpha: float = 0.05) -> Any:
        """Table for console, HTML and LaTeX."""
        title = "Average partial effects" if self.at == "overall" else "Partial effects"
        header = [
            ("Dep. Variable:", self.endog_name),
            ("Method:", self.method),
            ("At:", self.at),
        ]
        how = "delta method, " if self.draws is None else "effects at every draw of a "
        notes = [f"Standard errors: {how}{self.description}.", *self.notes]
        return tables.summary(
            title, header, [tables.Table(coefficient_cells(self._table(alpha)))], notes
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
        label = xlabel or f"{self._words} on {self.endog_name}"
        return plots.plot_margins(*frames, level=1.0 - alpha, xlabel=label, **options)

    @property
    def _words(self) -> str:
        """What the effects are, for the chart's axis."""
        kind = {
            "dydx": "partial effect",
            "eyex": "elasticity",
            "dyex": "semi-elasticity dy/d(lnx)",
            "eydx": "semi-elasticity d(lny)/dx",
        }[self.method]
        words = f"average {kind}" if self.at == "overall" else f"{kind}, at {self.at},"
        return words[0].upper() + words[1:]

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()


CURVES = {"pdp": "mean", "ale": "ale", "derivative": "dydx"}
"""Kinds of curves, and the heads of their columns."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectCurve:
    """How the mean of the dependent variable depends on one regressor.

    Attributes
    ----------
    regressor : str
        What moves.
    frame : DataFrame
        Values of the regressor as index; the curve (``mean``, ``ale`` or ``dydx`` by ``kind``)
        and, under this name, ``_se``, ``_ci_lower``, ``_ci_upper`` (pointwise) and with
        ``simultaneous`` ``_band_lower``, ``_band_upper``; ``baseline`` is the classical model's.
    level : float
        Level of the bands.
    observed : ndarray of shape (n,)
        Values of the regressor in the sample.
    endog_name : str
        Dependent variable.
    kind : {"pdp", "ale", "derivative"}
        Partial dependence, accumulated local effects, or average derivative.
    covariance : DataFrame, optional
        Joint covariance of the points.
    critical : float, optional
        Critical value of the simultaneous band.
    baseline_name : str
        The classical model.
    """

    regressor: str
    frame: pd.DataFrame
    level: float
    observed: np.ndarray = field(repr=False)
    endog_name: str
    kind: str = "pdp"
    covariance: pd.DataFrame | None = field(default=None, repr=False)
    critical: float | None = None
    baseline_name: str = "OLS"

    def plot(self, **options: Any) -> Any:
        """The curve with its bands and the classical model's.

        Options are those of :func:`nnecon.report.plots.plot_effect`: labels with units, title.

        Returns
        -------
        matplotlib.figure.Figure
        """
        prefix, frame = CURVES[self.kind], self.frame
        columns = [prefix, f"{prefix}_ci_lower", f"{prefix}_ci_upper"]
        ylabel, title = {
            "pdp": (f"Mean of {self.endog_name}", "Mean of {} along {}"),
            "ale": (f"Accumulated local effect on {self.endog_name}", "Change of {} with {}"),
            "derivative": (
                f"Derivative of {self.endog_name} by {self.regressor}",
                "Derivative of {} along {}",
            ),
        }[self.kind]
        band = None
        if self.critical is not None:
            band = frame[[f"{prefix}_band_lower", f"{prefix}_band_upper"]].to_numpy().T
        return plots.plot_effect(
            frame.index.to_numpy(),
            *(frame[column].to_numpy() for column in columns),
            rug=self.observed,
            baseline=frame["baseline"].to_numpy(),
            level=self.level,
            **{
                "band": band,
                "zero": self.kind != "pdp",
                "baseline_name": self.baseline_name,
                "title": title.format(self.endog_name, self.regressor),
                "xlabel": self.regressor,
                "ylabel": ylabel,
                **options,
            },
        )
