"""Results of a neural regression: its summary, charts, report, and tables of other packages."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.diagnostics import residual_statistics
from nnecon.report import plots, tables
from nnecon.report.formats import coefficient_cells, format_number, format_pvalue
from nnecon.report.html import Chapter, write_report
from nnecon.results.chapters import regression_chapters
from nnecon.results.diagnostics import Diagnostics
from nnecon.results.nested_tests import NestedModelTests
from nnecon.results.prediction import PredictionResults
from nnecon.results.regression_numbers import RegressionNumbers
from nnecon.results.tables_of_tests import cells_of_tests
from nnecon.version import __version__

SAME = 1e-6
"""Relative difference of objectives under which networks count as the same minimum."""


class NeuralRegressionResults(RegressionNumbers, Diagnostics, NestedModelTests):
    """Estimates, uncertainty and diagnostics of a :class:`~nnecon.NeuralRegression`."""

    def effects_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Partial effects with errors, and the classical model's in the last column."""
        margeff = self.get_margeff()
        letter = "t" if margeff.use_t else "z"
        frame = margeff.summary_frame(alpha)
        names = ["dy/dx", "std err", letter, f"P>|{letter}|", f"[{alpha / 2:.3g}"]
        frame = frame.set_axis([*names, f"{1 - alpha / 2:.3g}]"], axis=1)
        return frame.assign(**{self._baseline_name: margeff.baseline["effect"]})

    def _header(self) -> list[tuple[str, str]]:
        number = format_number
        left = [
            ("Dep. Variable:", self.model.endog_names),
            ("Model:", type(self.model).__name__),
            ("Network:", self.model.description),
            ("Method:", self.solution.method),
            ("Converged:", self._converged_text),
            ("Penalty alpha:", self._penalty_text),
            ("Chosen by:", self.estimate.alpha_rule),
            ("Search:", self.estimate.search),
            ("Covariance Type:", self.cov_type),
        ]
        right = [
            ("No. Observations:", f"{self.nobs:.0f}"),
            ("Effective df:", number(self.edf, 2)),
            ("Df Residuals:", number(self.df_resid, 2)),
            ("R-squared:", f"{self.rsquared:.3f}"),
            ("Adj. R-squared:", f"{self.rsquared_adj:.3f}"),
            ("Log-Likelihood:", number(self.llf, 2)),
            ("AIC:", number(self.aic, 1)),
            ("BIC:", number(self.bic, 1)),
            ("HQIC:", number(self.hqic, 1)),
        ]
        return left + right

    @property
    def _trained(self) -> bool:
        """Whether the estimate comes from mini-batches."""
        return bool(self.estimate.facts.get("stochastic")) and not self.is_linear

    @property
    def _converged_text(self) -> str:
        if self.converged:
            return "yes"
        return "no (mini-batches)" if self._trained else "NO"

    @property
    def _penalty_text(self) -> str:
        if not self.model.nested:
            return "none"
        share = self.estimate.facts.get("L1_wt")
        return f"{self.alpha:.4g}" + (f", L1_wt={share:g}" if share else "")

    def _tail(self) -> pd.DataFrame:
        """Residual statistics at the foot of the summary."""
        wresid = np.sqrt(self._relative_weights) * self.resid.to_numpy()
        found = residual_statistics(wresid)
        values = {}
        if self.model.is_time_series:
            values["Durbin-Watson"] = format_number(found.durbin_watson, 3)
        values |= {
            "Jarque-Bera": format_number(found.jarque_bera, 3),
            "Prob(JB)": format_pvalue(found.jarque_bera_pvalue),
            "Skew": format_number(found.skew, 3),
            "Kurtosis": format_number(found.kurtosis, 3),
        }
        return pd.DataFrame([values], index=["Residuals"])

    def summary(self, alpha: float = 0.05, params: bool | None = None) -> Any:
        """Table of the fit: partial effects beside the classical model's, and how it was made.

        Parameters
        ----------
        alpha : float
            One less the level of the intervals.
        params : bool, optional
            Print the parameters too. By default where they mean something by themselves: in the
            linear model and in a network that the user wrote.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            ``as_text()``, ``as_html()``, ``as_latex()``.
        """
        blocks: list[tables.Table] = []
        about_effects: tuple[str, ...] = ()
        if self.model.design.regressors:
            effects = coefficient_cells(self.effects_frame(alpha))
            blocks.append(tables.Table(effects, "Average partial effects"))
            about_effects = self.get_margeff().notes
        if self.model.interpretable if params is None else params:
            blocks.insert(0, tables.Table(coefficient_cells(self._table(alpha)), "Parameters"))
        blocks.append(tables.Table(cells_of_tests(self._summary_tests), "Diagnostic tests"))
        blocks.append(tables.Table(self._tail()))
        notes = [
            self.errors_sentence,
            *about_effects,
            self.solution.status,
        ]
        notes += self._search_notes()
        if self.is_classical and self.model.has_network:
            notes.append(f"The network is zero at this penalty. {self.classical_sentence}")
        if self.estimate.cv is not None:
            notes += list(self.compare().notes[1:3])
        notes.append(self._summary_note())
        title = "Neural Regression Results"
        return tables.summary(title, self._header(), blocks, notes)

    def _search_notes(self) -> list[str]:
        """What the starts did, and what that means for the errors."""
        path = self.estimate.path
        notes: list[str] = []
        starts = None if path is None else path.starts
        if path is not None and starts is not None and path.n_followed < path.n_starts:
            at = " and ".join(f"{alpha:.3g}" for alpha in starts["alpha"].unique())
            notes.append(
                f"{path.n_starts} starts competed at alpha = {at}; the path was followed from the "
                f"best {path.n_followed}, the others were dropped."
            )
        if self.n_networks > 1:
            notes.append(self._ensemble_note)
        if self._trained and not self.is_classical:
            notes.append(
                "Mini-batch training ends near a minimum, not at one. Standard errors are those of "
                "a minimum at these parameters; what the order of batches, dropout and the end of "
                "training add is in them only through the spread of an ensemble."
            )
        if self.estimate.facts.get("L1_wt") and path is not None and self.model.has_network:
            notes.append(self.selection.note)
        return notes

    @property
    def _ensemble_note(self) -> str:
        best, worst = self.members["objective"].iloc[0], self.members["objective"].max()
        starts, excess = self.estimate.facts["n_starts"], worst / best - 1.0
        spread = f"the worst with an objective {100 * excess:.2g}% above the best"
        if excess < SAME:
            spread = "all of which end in the same minimum"
        return (
            f"The estimate is the mean of {self.n_networks} networks, the best of {starts} starts, "
            f"{spread}. Standard errors and intervals of effects and predictions include the "
            "spread between them; path and cross-validation are those of the single best network."
        )

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    # -- pictures ---------------------------------------------------------------------------------

    def plot_path(self, per_sd: bool = True, **options: Any) -> Any:
        """Partial effects and effective degrees of freedom along the penalty.

        Parameters
        ----------
        per_sd : bool
            Show effects of one standard deviation of each continuous regressor, which can be
            compared; otherwise of one unit.
        **options
            As in :func:`nnecon.report.plots.plot_path`.
        """
        scale = pd.Series(1.0, index=self.path.effects.columns)
        label = f"Average partial effect on {self.model.endog_names}"
        if per_sd:
            label = f"Effect of one standard deviation on {self.model.endog_names}"
            for regressor in self.model.design.regressors:
                if regressor.kind == "continuous":
                    scale[regressor.name] = np.std(self.model.design.observed(regressor))
        return self.path.plot(scale, **{"chosen": self.alpha, "ylabel": label, **options})

    def plot_cv(self, **options: Any) -> Any:
        """Cross-validated error along the penalty, with the classical model's.

        Options are those of :func:`nnecon.report.plots.plot_cv`.
        """
        marks = {"alpha_min": self.path.alpha_min, "alpha_1se": self.path.alpha_1se}
        return self.cv.plot(**{**marks, "baseline_name": self._baseline_name, **options})

    def plot_effect(
        self,
        x: str,
        other: str | None = None,
        *,
        grid: Any = None,
        alpha: float = 0.05,
        kind: str = "pdp",
        simultaneous: bool = False,
        **options: Any,
    ) -> Any:
        """How the mean of the dependent variable depends on one regressor, or on two.

        Parameters
        ----------
        x : str
            A regressor, or a category by its variable's name.
        other : str, optional
            A second one: the chart shows :meth:`effect_surface` then.
        grid, alpha, kind, simultaneous
            As in :meth:`effect_curve`; ``grid`` of two regressors as in :meth:`effect_surface`.
        **options
            As in :func:`nnecon.report.plots.plot_effect` and
            :func:`nnecon.report.plots.plot_surface`: labels with units, title.

        Returns
        -------
        matplotlib.figure.Figure
        """
        if other is None:
            return self.effect_curve(x, grid, alpha, kind, simultaneous).plot(**options)
        if not isinstance(other, str):
            raise SpecificationError(
                f"other={other!r}: name a second regressor; points of the first are grid=."
            )
        if kind != "pdp" or simultaneous:
            raise SpecificationError(
                "two regressors have partial dependence with pointwise intervals only; leave kind "
                "and simultaneous out."
            )
        return self.effect_surface(x, other, grid, alpha).plot(**options)

    def plot_fit(
        self, interval: str | PredictionResults | None = None, alpha: float = 0.05, **options: Any
    ) -> Any:
        """Actual and fitted values, with the classical model's.

        Parameters
        ----------
        interval : str or PredictionResults, optional
            Intervals of an observation to draw: as in :meth:`get_prediction`, or what it returns
            for the rows of the sample.
        alpha : float
            One less their level.
        **options
            As in :func:`nnecon.report.plots.plot_fit`: ``units``, ``recessions``.
        """
        if interval is not None:
            found = (
                self.get_prediction(interval=interval) if isinstance(interval, str) else interval
            )
            if len(found.predicted_mean) != len(self.model.endog):
                raise SpecificationError(
                    f"the intervals are those of {len(found.predicted_mean)} rows, but the sample "
                    f"has {len(self.model.endog)}; use get_prediction() without new rows."
                )
            bounds = found.conf_int(True, alpha).to_numpy()
            band = {"lower": bounds[:, 0], "upper": bounds[:, 1], "level": 1.0 - alpha}
            options = {**band, **options}
        return plots.plot_fit(
            self.model.design.sample.index,
            self.model.endog,
            self.fittedvalues.to_numpy(),
            baseline=self.baseline.fittedvalues.to_numpy(),
            baseline_name=self._baseline_name,
            **{"name": self.model.endog_names, **options},
        )

    def plot_residuals(self, **options: Any) -> Any:
        """Residuals over time or against the fit, their distribution and autocorrelation.

        Options are those of :func:`nnecon.report.plots.plot_residuals`: ``units``.
        """
        return plots.plot_residuals(
            self.model.design.sample.index,
            self.resid.to_numpy(),
            self.fittedvalues.to_numpy(),
            **options,
        )

    def report(
        self,
        out: str | Path,
        title: str | None = None,
        labels: Mapping[str, str] | None = None,
        code: str = "",
        progress: bool = False,
        more: Sequence[Chapter] = (),
    ) -> list[Path]:
        """Write a report: one HTML page, LaTeX tables and PDF charts.

        Parameters
        ----------
        out : str or Path
            Folder to write to.
        title : str, optional
            Title of the page.
        labels : mapping, optional
            What the variables are, with units after a comma:
            ``{"infl": "CPI inflation, % a year"}``.
        code : str
            Program that made the fit, to print in the last chapter.
        progress : bool
            Show a progress bar.
        more : sequence of Chapter
            Other chapters, placed before the last.

        Returns
        -------
        list of Path
            Files written, the page first.
        """
        chapters = regression_chapters(self, labels, code, progress)
        return write_report(
            title or f"Neural regression of {self.model.endog_names}",
            self.model.formula or f"{len(self.model.exog_names)} regressors",
            [*chapters[:-1], *more, chapters[-1]],
            out,
            footer=f"Made with nnecon {__version__} on {date.today():%d %B %Y}.",
        )

    # -- the plug-in protocol of the package maketables -------------------------------------------

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """Partial effects, or parameters where these mean something by themselves."""
        estimate, error, *statistics = (
            (self.params, self.bse, self.tvalues, self.pvalues)
            if self.model.interpretable
            else self._effects_columns()
        )
        columns = {"b": estimate, "se": error, "t": statistics[0], "p": statistics[1]}
        return pd.DataFrame(columns).rename_axis("Coefficient")

    def _effects_columns(self) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
        margeff = self.get_margeff()
        return margeff.margeff, margeff.margeff_se, margeff.tvalues, margeff.pvalues

    def __maketables_stat__(self, key: str) -> Any:
        """One statistic of the fit by maketables' key; None where there is no such statistic."""
        known = {
            "N": int(self.nobs),
            "r2": self.rsquared,
            "adj_r2": self.rsquared_adj,
            "rmse": float(np.sqrt(self.scale)),
            "aic": self.aic,
            "bic": self.bic,
            "ll": self.llf,
            "edf": self.edf,
            "se_type": self.cov_type,
        }
        return known.get(key)

    @property
    def __maketables_depvar__(self) -> str:
        """Dependent variable."""
        return self.model.endog_names

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        """Kind of covariance."""
        return {"vcov_type": self.cov_type, "vcov_type_detail": self.covariance.description}
