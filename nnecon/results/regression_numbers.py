"""The numbers of a regression: fit, predictions, effects, comparison with the classical model."""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from nnecon.data.variables import columns_by_variable
from nnecon.estimation.kernels import fitted_many
from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import diebold_mariano
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.effects import (
    average_change,
    average_level,
    average_slope,
    changes_along,
    delta_variance,
    slopes_along,
)
from nnecon.results.comparison import Comparison
from nnecon.results.effects import EffectCurve, MarginalEffects
from nnecon.results.inference_table import half_width
from nnecon.results.predictions import Predictions
from nnecon.results.selection import VariableSelection, variable_selection


class RegressionNumbers(Predictions):
    """What a regression has found; :class:`NeuralRegressionResults` shows it."""

    # -- fit --------------------------------------------------------------------------------------

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

    @property
    def chosen_by_data(self) -> bool:
        """Whether the penalty was chosen by cross-validation."""
        return self.estimate.facts.get("alpha") in ("cv", "1se")

    @property
    def is_classical(self) -> bool:
        """Whether the network is zero, so that the estimate is the classical model."""
        return self.model.nested and self.solution.penalty == 0.0

    @property
    def classical_sentence(self) -> str:
        """What the estimate is where the network is zero."""
        name = self._baseline_name if self.model.specification.linear_part else "the mean"
        sentence = f"The estimate is {name}, exactly."
        if self.estimate.cv is not None and np.isfinite(self.alpha):
            sentence += (
                " Networks of single folds are not all zero at this penalty, so that "
                "cross-validated figures differ."
            )
        return sentence

    @cached_property
    def selection(self) -> VariableSelection:
        """Variables in the network along the path of a sparse penalty, and in what order.

        Of an ensemble as of the single best network, which the path describes.

        Raises
        ------
        SpecificationError
            The penalty sets nothing to zero.
        """
        facts, network = self.estimate.facts, self.model.network
        if not facts.get("L1_wt") or not self.model.has_network:
            raise SpecificationError(
                "this estimate selects no variables: only a penalty with norms sets weights to "
                "zero; fit with L1_wt=1.0 and group_inputs=True, so that variables enter the "
                "network or stay out as a whole."
            )
        scaling = self.estimate.scaling
        return variable_selection(
            self.path.alphas,
            self.path.params,
            network,
            columns_by_variable(self.model.design),
            scaling.inputs,
            alpha=self.alpha,
            input_scale=scaling.input_scale,
            linear_part=self.model.specification.linear_part,
        )

    # -- effects ----------------------------------------------------------------------------------

    @cached_property
    def _margeff(self) -> MarginalEffects:
        estimate, design = self.estimate, self.model.design
        scaling, inputs = estimate.scaling, estimate.objective.inputs
        network, params = self._network, self.solution.params
        single, members = self.model.network, self._members
        weights = self._relative_weights / len(self._relative_weights)
        effects, gradients, classical, by_network = [], [], [], []
        for regressor in design.regressors:
            if regressor.kind == "category":
                level, reference = design.contrast(regressor)
                rows = scaling.rows(level), scaling.rows(reference)
                effect, gradient = average_change(network, params, *rows, weights)
                own = changes_along(single, members, *rows, weights)
                derivative = level - reference
            else:
                derivative = design.direction(regressor)
                rows = inputs, scaling.directions(derivative)
                effect, gradient = average_slope(network, params, *rows, weights)
                own = slopes_along(single, members, *rows, weights)
            effects.append(effect * scaling.target_scale)
            gradients.append(gradient * scaling.target_scale)
            by_network.append(own * scaling.target_scale)
            classical.append(weights @ derivative)
        names = [regressor.name for regressor in design.regressors]
        gradient = np.array(gradients).reshape(len(names), len(params))
        moves = np.array(classical).reshape(len(names), self.model.exog.shape[1])
        spread = self._spread(np.array(by_network).reshape(len(names), len(members)).T)
        error = np.sqrt(delta_variance(gradient, self.covariance.matrix) + spread)
        return MarginalEffects(
            pd.Series(effects, index=names, dtype=float),
            pd.Series(error, index=names),
            gradient,
            self._classical_effects(moves, names),
            self.use_t,
            self.covariance.df_resid,
            self.covariance.description,
            self.model.endog_names,
            pd.Series(np.sqrt(spread), index=names),
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
        category. The errors of an ensemble include the spread between its networks.
        """
        return self._margeff

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
        return self.model._results_at(
            path.params[best], float(path.alphas[best]), self.estimate.facts, self.cov_spec
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
        network, scaling = self._network, estimate.scaling
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
        values, gradients, classical, by_network = [], [], [], []
        for exog in design.partial_grid(regressor, points):
            rows = scaling.rows(exog)
            value, gradient = average_level(network, self.solution.params, rows, weights)
            by_network.append(fitted_many(self.model.network, self._members, rows) @ weights)
            values.append(scaling.restore(np.array(value)))
            gradients.append(gradient * scaling.target_scale)
            classical.append(weights @ exog @ coefficients)
        spread = self._spread(np.array(by_network).T) * scaling.target_scale**2
        error = np.sqrt(delta_variance(np.array(gradients), self.covariance.matrix) + spread)
        width = half_width(alpha, self.use_t, self.covariance.df_resid) * error
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
            if self.chosen_by_data and not self.is_classical:
                notes.append(
                    "The penalty was chosen on the same folds, which flatters the network; "
                    "the test is a guide, not a proof."
                )
            rows["Diebold-Mariano p-value"] = (
                np.nan if test.pvalue is None else test.pvalue,
                np.nan,
            )
        if not self.model.nested:
            notes.append(f"{other} is not nested in the function, and is here for orientation.")
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=[own, other])
        return Comparison(frame, test, tuple(notes))
