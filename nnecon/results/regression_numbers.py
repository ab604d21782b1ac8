"""The numbers of a regression: fit, predictions, effects, comparison with the classical model."""

from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from nnecon.data.variables import columns_by_variable
from nnecon.exceptions import SpecificationError
from nnecon.inference.hypotheses import HypothesisTest
from nnecon.results.accuracy_tests import accuracy_tests
from nnecon.results.comparison import Comparison
from nnecon.results.predictions import Predictions
from nnecon.results.selection import VariableSelection, variable_selection
from nnecon.results.term_tests import TermHypotheses


class RegressionNumbers(Predictions, TermHypotheses):
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

    # -- comparison and diagnostics ---------------------------------------------------------------

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
        tests: tuple[HypothesisTest, ...] = ()
        if self.estimate.cv is not None:
            cv = self.estimate.cv
            errors = cv.predictions[["network", "baseline"]].rsub(cv.predictions["actual"], axis=0)
            rows["Cross-validated RMSE"] = tuple(np.sqrt((errors**2).mean()))
            found = accuracy_tests(
                cv.predictions,
                cv.train,
                cv.folds,
                name=name,
                nested=self.model.nested and self.model.specification.linear_part,
                time_series=self.model.is_time_series,
            )
            tests = found.tests
            notes.append(
                f"Cross-validated RMSE: {cv.description}, the same {len(errors)} rows for both."
            )
            told = [f"{test.name}: {test.sentence}" for test in tests[: 1 + tests[0].applies]]
            notes.append("On these rows, " + " ".join(told))
            if tests[0].applies:
                notes.append(found.note)
                rows[f"{tests[0].name} p-value"] = (tests[0].pvalue, np.nan)
            if self.chosen_by_data and not self.is_classical:
                notes.append(
                    "The penalty was chosen on the same folds, which flatters the network; "
                    "nested_cv() leaves out rows that had no part in it."
                )
        if not self.model.nested:
            notes.append(f"{other} is not nested in the function, and is here for orientation.")
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=[own, other])
        return Comparison(frame, tests, tuple(notes))
