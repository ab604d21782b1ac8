"""Results of a neural regression."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import diebold_mariano
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.diagnostics import residual_statistics
from nnecon.inference.effects import (
    average_change,
    average_level,
    average_slope,
    delta_variance,
    values_and_gradients,
)
from nnecon.report import plots, tables
from nnecon.report.formats import format_number, format_pvalue
from nnecon.report.html import write_report
from nnecon.results.base import Results
from nnecon.results.chapters import regression_chapters
from nnecon.results.comparison import Comparison
from nnecon.results.effects import EffectCurve, MarginalEffects
from nnecon.results.inference_table import distribution
from nnecon.results.prediction import PredictionResults
from nnecon.version import __version__


class NeuralRegressionResults(Results):
    """Estimates, uncertainty and diagnostics of a :class:`~nnecon.NeuralRegression`."""

    # -- fit --------------------------------------------------------------------------------------

    @property
    def ssr(self) -> float:
        """Weighted sum of squared residuals."""
        return float(self.estimate.weights @ self.resid.to_numpy() ** 2)

    @property
    def scale(self) -> float:
        """Estimated variance of the disturbance, ``ssr / df_resid``."""
        return self.ssr / self.df_resid

    @property
    def mse_resid(self) -> float:
        """The same as ``scale``."""
        return self.scale

    @cached_property
    def _total_sum_of_squares(self) -> float:
        endog, weights = self.model.endog, self.estimate.weights
        centre = np.average(endog, weights=weights) if self.model.k_constant else 0.0
        return float(weights @ (endog - centre) ** 2)

    @property
    def k_constant(self) -> int:
        """One where the model spans a constant."""
        return int(self.model.k_constant)

    @property
    def rsquared(self) -> float:
        """Share of the variance explained (about zero where the model has no constant)."""
        return 1.0 - self.ssr / self._total_sum_of_squares

    @property
    def rsquared_adj(self) -> float:
        """R-squared adjusted for effective degrees of freedom."""
        ratio = (self.nobs - self.model.k_constant) / self.df_resid
        return 1.0 - ratio * (1.0 - self.rsquared)

    # -- predictions ------------------------------------------------------------------------------

    def _rows(self, exog: Any) -> tuple[np.ndarray, pd.Index]:
        sample = self.model.design.sample
        if exog is None:
            return self.estimate.objective.inputs, sample.index
        columns, index = self.model.design.exog_for(exog)
        return self.estimate.scaling.rows(columns), index

    def predict(self, exog: Any = None) -> pd.Series:
        """Predicted means.

        Parameters
        ----------
        exog : DataFrame or array_like, optional
            New rows: a frame with the formula's variables, or regressors as given to the model.
            Lags reach into the frame's own rows and, where these follow on, into the sample. By
            default the fitted values.

        Returns
        -------
        Series
            With the labels of the new rows.
        """
        if exog is None:
            return self.fittedvalues
        rows, index = self._rows(exog)
        objective, scaling = self.estimate.objective, self.estimate.scaling
        values, _ = values_and_gradients(objective.network, self.solution.params, rows)
        return pd.Series(scaling.restore(values), index=index)

    def get_prediction(self, exog: Any = None, weights: Any = None) -> PredictionResults:
        """Predicted means with delta-method errors and intervals.

        Parameters
        ----------
        exog : DataFrame or array_like, optional
            As in :meth:`predict`.
        weights : array_like, optional
            Weights of the new rows: the variance of an observation is ``scale / weights``. One by
            default for new rows, the sample's own within the sample.
        """
        rows, index = self._rows(exog)
        objective, scaling = self.estimate.objective, self.estimate.scaling
        values, gradients = values_and_gradients(objective.network, self.solution.params, rows)
        variance = delta_variance(gradients * scaling.target_scale, self.covariance.matrix)
        if weights is None:
            weights = self.estimate.weights if exog is None else np.ones(len(rows))
        weights = np.broadcast_to(np.asarray(weights, dtype=float), (len(rows),))
        return PredictionResults(
            pd.Series(scaling.restore(values), index=index),
            pd.Series(np.sqrt(variance), index=index),
            self.scale / weights,
            self.use_t,
            self.covariance.df_resid,
        )

    # -- effects ----------------------------------------------------------------------------------

    @cached_property
    def _margeff(self) -> MarginalEffects:
        estimate, design = self.estimate, self.model.design
        scaling, objective = estimate.scaling, estimate.objective
        network, params = objective.network, self.solution.params
        weights = self._relative_weights / len(self._relative_weights)
        effects, gradients, classical = [], [], []
        for regressor in design.regressors:
            if regressor.kind == "category":
                level, reference = design.contrast(regressor)
                rows = scaling.rows(level), scaling.rows(reference)
                effect, gradient = average_change(network, params, *rows, weights)
                derivative = level - reference
            else:
                derivative = design.direction(regressor)
                directions = scaling.directions(derivative)
                effect, gradient = average_slope(
                    network, params, objective.inputs, directions, weights
                )
            effects.append(effect * scaling.target_scale)
            gradients.append(gradient * scaling.target_scale)
            classical.append(weights @ derivative)
        names = [regressor.name for regressor in design.regressors]
        gradient = np.array(gradients).reshape(len(names), len(params))
        moves = np.array(classical).reshape(len(names), self.model.exog.shape[1])
        error = np.sqrt(delta_variance(gradient, self.covariance.matrix))
        return MarginalEffects(
            pd.Series(effects, index=names, dtype=float),
            pd.Series(error, index=names),
            gradient,
            self._classical_effects(moves, names),
            self.use_t,
            self.covariance.df_resid,
            self.covariance.description,
            self.model.endog_names,
        )

    def _classical_effects(self, gradient: np.ndarray, names: list[str]) -> pd.DataFrame:
        """Effects of the classical model, linear in its coefficients, with standard errors."""
        classical = self.baseline
        if not names:
            return pd.DataFrame({"effect": [], "se": []}, dtype=float)
        variance = delta_variance(gradient, np.asarray(classical.cov_params()))
        effect = gradient @ classical.params.to_numpy()
        return pd.DataFrame({"effect": effect, "se": np.sqrt(variance)}, index=names)

    def get_margeff(self) -> MarginalEffects:
        """Average partial effects, weighted like the observations, with delta-method errors.

        A regressor that enters several columns (interactions, polynomials, splines) has one
        effect, the total derivative; a category's effect is the mean change from the reference
        category.
        """
        return self._margeff

    def effects_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Partial effects with errors, and the classical model's in the last column."""
        margeff = self.get_margeff()
        letter = "t" if margeff.use_t else "z"
        names = ["dy/dx", "std err", letter, f"P>|{letter}|", f"[{alpha / 2:.3g}"]
        frame = margeff.summary_frame(alpha).set_axis([*names, f"{1 - alpha / 2:.3g}]"], axis=1)
        return frame.assign(**{self._baseline_name: margeff.baseline["effect"]})

    def best_live(self) -> Self:
        """Results at the penalty of the path with the best network that is not zero.

        By cross-validated error where there is one, otherwise the largest such penalty. Shows what
        was turned down where the chosen estimate is the classical model.
        """
        path = self.path
        live = np.flatnonzero(path.edf > path.edf[0] + 1e-6)
        if not len(live):
            raise SpecificationError("the network is zero at every penalty of the path.")
        best = live[0] if path.cv_mean is None else live[path.cv_mean[live].argmin()]
        spec = self.cov_spec
        return self.model.results_at(
            path.params[best],
            float(path.alphas[best]),
            cov_type=spec.kind,
            cov_kwds=spec.options,
            use_t=spec.use_t,
        )

    def report(
        self,
        out: str | Path,
        title: str | None = None,
        labels: Mapping[str, str] | None = None,
        code: str = "",
        progress: bool = False,
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

        Returns
        -------
        list of Path
            Files written, the page first.
        """
        return write_report(
            title or f"Neural regression of {self.model.endog_names}",
            self.model.formula or f"{len(self.model.exog_names)} regressors",
            regression_chapters(self, labels, code, progress),
            out,
            footer=f"Made with nnecon {__version__} on {date.today():%d %B %Y}.",
        )

    def effect_curve(
        self, x: str, grid: Sequence[float] | int = 50, alpha: float = 0.05
    ) -> EffectCurve:
        """Mean of the dependent variable as one regressor moves, the others as observed.

        Parameters
        ----------
        x : str
            A regressor, by its name in :meth:`get_margeff`; for a categorical variable its name.
        grid : sequence of float or int
            Values of the regressor, or how many between its 1st and 99th percentile.
        alpha : float
            One less the level of the pointwise delta-method band.
        """
        design, estimate = self.model.design, self.estimate
        network, scaling = estimate.objective.network, estimate.scaling
        weights = self._relative_weights / len(self._relative_weights)
        coefficients = self.baseline.params.to_numpy()
        levels = [r for r in design.regressors if r.kind == "category" and r.variable == x]
        regressor = levels[0] if levels else design.regressor(x)
        observed = design.observed(regressor)
        if regressor.kind == "category":
            points = np.array(design.levels(regressor))
        elif isinstance(grid, int):
            points = np.linspace(np.quantile(observed, 0.01), np.quantile(observed, 0.99), grid)
        else:
            points = np.asarray(grid, dtype=float)
        values, gradients, classical = [], [], []
        for exog in design.partial_grid(regressor, points):
            value, gradient = average_level(
                network, self.solution.params, scaling.rows(exog), weights
            )
            values.append(scaling.restore(np.array(value)))
            gradients.append(gradient * scaling.target_scale)
            classical.append(weights @ exog @ coefficients)
        error = np.sqrt(delta_variance(np.array(gradients), self.covariance.matrix))
        width = distribution(self.use_t, self.covariance.df_resid).ppf(1 - alpha / 2) * error
        mean = np.array(values)
        name = regressor.variable if regressor.kind == "category" else regressor.name
        frame = pd.DataFrame(
            {
                "mean": mean,
                "mean_se": error,
                "mean_ci_lower": mean - width,
                "mean_ci_upper": mean + width,
                "baseline": classical,
            },
            index=pd.Index(points, name=name),
        )
        return EffectCurve(name, frame, 1 - alpha, observed, self.model.endog_names)

    # -- comparison and diagnostics ---------------------------------------------------------------

    @property
    def _baseline_name(self) -> str:
        return type(self.baseline.model).__name__

    def compare(self) -> Comparison:
        """Network and classical model side by side, in the sample and on rows left out."""
        classical, name = self.baseline, self._baseline_name
        own, other = type(self.model).__name__, name
        edf = float(classical.df_model + classical.k_constant)
        rows = {
            "Observations": (self.nobs, classical.nobs),
            "Effective degrees of freedom": (self.edf, edf),
            "R-squared": (self.rsquared, classical.rsquared),
            "Adj. R-squared": (self.rsquared_adj, classical.rsquared_adj),
            "Residual standard error": (np.sqrt(self.scale), np.sqrt(classical.scale)),
            "Log-likelihood": (self.llf, classical.llf),
            "AIC": (self.aic, classical.aic),
            "BIC": (self.bic, classical.bic),
            "HQIC": (
                self.hqic,
                -2.0 * classical.llf + 2.0 * np.log(np.log(classical.nobs)) * edf,
            ),
        }
        notes = ["Information criteria count effective degrees of freedom."]
        test = None
        if self.estimate.cv is not None:
            cv = self.estimate.cv
            errors = cv.predictions[["network", "baseline"]].rsub(cv.predictions["actual"], axis=0)
            squares = errors.to_numpy() ** 2
            rows["Cross-validated RMSE"] = tuple(np.sqrt(squares.mean(axis=0)))
            lags = automatic_lags(len(squares)) if self.model.is_time_series else 0
            test = diebold_mariano(squares[:, 0], squares[:, 1], lags, ("The network", name))
            notes.append(
                f"Cross-validated RMSE: {cv.description}, the same {len(squares)} rows for both."
            )
            notes.append(f"Diebold-Mariano test on these rows: {test.sentence}")
            if self.estimate.facts.get("alpha") in ("cv", "1se"):
                notes.append(
                    "The penalty was chosen on the same folds, which flatters the network; "
                    "the test is a guide, not a proof."
                )
            rows["Diebold-Mariano p-value"] = (
                np.nan if test.pvalue is None else test.pvalue,
                np.nan,
            )
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=[own, other])
        return Comparison(frame, test, tuple(notes))

    def _header(self) -> list[tuple[str, str]]:
        number = format_number
        left = [
            ("Dep. Variable:", self.model.endog_names),
            ("Model:", type(self.model).__name__),
            ("Network:", self.model.description),
            ("Method:", self.solution.method),
            ("Converged:", "yes" if self.converged else "NO"),
            ("Penalty alpha:", f"{self.alpha:.4g}"),
            ("Chosen by:", self.estimate.alpha_rule),
            ("Search:", self.estimate.search),
            ("Covariance Type:", self.cov_type),
        ]
        right = [
            ("No. Observations:", f"{self.nobs:.0f}"),
            ("Effective df:", number(self.edf, 2)),
            ("Df Residuals:", number(self.df_resid, 2)),
            ("R-squared:", number(self.rsquared, 3)),
            ("Adj. R-squared:", number(self.rsquared_adj, 3)),
            ("Log-Likelihood:", number(self.llf, 2)),
            ("AIC:", number(self.aic, 1)),
            ("BIC:", number(self.bic, 1)),
            ("HQIC:", number(self.hqic, 1)),
        ]
        return left + right

    def _tail(self) -> pd.DataFrame:
        """Residual statistics at the foot of the summary."""
        wresid = np.sqrt(self._relative_weights) * self.resid.to_numpy()
        found = residual_statistics(wresid)
        values = {
            "Durbin-Watson": format_number(found.durbin_watson, 3),
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
        blocks = [tables.Table(self.effects_frame(alpha), "Average partial effects")]
        if self.model.interpretable if params is None else params:
            blocks.insert(0, tables.Table(self._table(alpha), "Parameters"))
        blocks.append(tables.Table(self._tail()))
        notes = [
            f"Standard errors: {self.covariance.description}; partial effects by the delta method.",
            self.solution.status,
        ]
        if self.solution.penalty == 0.0 and self.model.has_network:
            notes.append(
                f"The network is zero at this penalty: the estimate is {self._baseline_name}."
            )
        if self.estimate.cv is not None:
            notes += list(self.compare().notes[1:3])
        title = "Neural Regression Results"
        return tables.summary(title, self._header(), blocks, notes)

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
        grid: Sequence[float] | int = 50,
        alpha: float = 0.05,
        **options: Any,
    ) -> Any:
        """Mean of the dependent variable along one regressor, with its pointwise band.

        Parameters
        ----------
        x, grid, alpha
            As in :meth:`effect_curve`.
        **options
            As in :func:`nnecon.report.plots.plot_effect`: labels with units, title.
        """
        curve = self.effect_curve(x, grid, alpha)
        frame = curve.frame
        return plots.plot_effect(
            frame.index.to_numpy(),
            frame["mean"].to_numpy(),
            frame["mean_ci_lower"].to_numpy(),
            frame["mean_ci_upper"].to_numpy(),
            rug=curve.observed,
            baseline=frame["baseline"].to_numpy(),
            level=curve.level,
            **{
                "title": f"Mean of {curve.endog_name} along {curve.regressor}",
                "xlabel": curve.regressor,
                "ylabel": f"Mean of {curve.endog_name}",
                **options,
            },
        )

    def plot_fit(self, **options: Any) -> Any:
        """Actual and fitted values, with the classical model's.

        Options are those of :func:`nnecon.report.plots.plot_fit`: ``units``, ``recessions``.
        """
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
