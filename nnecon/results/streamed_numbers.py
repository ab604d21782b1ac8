"""An estimate on a stream: its fit, its covariance, and what needs rows that are not kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from nnecon.data.scaling import Scaling
from nnecon.data.stream_moments import Moments
from nnecon.data.stream_scaling import total_sum_of_squares
from nnecon.data.stream_split import Split
from nnecon.estimation.problem import Solution
from nnecon.exceptions import SpecificationError
from nnecon.inference.covariance import Bread, Covariance
from nnecon.inference.streamed import (
    KINDS,
    MOST_PARAMS,
    CurvatureSums,
    bread_of,
    covariance_of,
    curvature_sums,
    fitted_rows,
)
from nnecon.inference.streamed_fit import FitNumbers, gaussian_loglike
from nnecon.results.base import CovarianceSpec
from nnecon.results.regression import NeuralRegressionResults
from nnecon.results.streamed_baseline import StreamedOLS


@dataclass(frozen=True, slots=True, eq=False)
class StreamedEstimate:
    """What ``fit`` hands to the results.

    Attributes
    ----------
    solution, scaling
        The estimate in standardised coordinates, and the way back.
    moments : Moments
        Of the estimation rows.
    numbers : FitNumbers
        Statistics of fit, from one pass.
    split : Split
        Which rows were set apart.
    alpha_rule, search : str
        How penalty and start were chosen, as phrases for the summary.
    baseline : StreamedOLS
        Least squares on the same rows.
    facts : dict
        What is needed to repeat the fit, as JSON.
    """

    solution: Solution
    scaling: Scaling
    moments: Moments
    numbers: FitNumbers
    split: Split
    alpha_rule: str
    search: str
    baseline: StreamedOLS
    facts: dict[str, Any] = field(default_factory=dict)
    path: None = None
    cv: None = None


class StreamedNumbers(NeuralRegressionResults):
    """Fit and covariance from sums over the rows."""

    estimate: Any

    def __init__(self, model: Any, estimate: StreamedEstimate, cov_spec: CovarianceSpec) -> None:
        check_kind(cov_spec)
        self.__dict__.update(model=model, estimate=estimate, cov_spec=cov_spec)

    # -- fit --------------------------------------------------------------------------------------

    @property
    def nobs(self) -> float:
        """Number of observations; those set apart for testing are not among them."""
        return float(self.estimate.numbers.n_obs)

    @property
    def ssr(self) -> float:
        """Weighted sum of squared residuals."""
        return self.estimate.numbers.ssr

    @property
    def history(self) -> np.ndarray:
        """The objective after every epoch or, with early stopping, the loss on held-out rows."""
        return self.solution.history

    @cached_property
    def _total_sum_of_squares(self) -> float:
        return total_sum_of_squares(self.estimate.moments, bool(self.model.k_constant))

    @property
    def llf(self) -> float:
        """Gaussian log-likelihood."""
        numbers = self.estimate.numbers
        return gaussian_loglike(numbers.ssr, numbers.n_obs, numbers.log_weights)

    def _needs_rows(self, what: str) -> NoReturn:
        raise SpecificationError(
            f"{what} would take one number or more for every row of the data, and a fit on a "
            "stream keeps none. For some rows use predict(frame); for charts, residuals and a "
            "report build nnecon.NeuralRegression on a sample of the rows with the same formula "
            "and arguments, and call its results_at(results.params, results.alpha)."
        )

    @property
    def resid(self) -> pd.Series:
        """Not kept: an error that says what to do instead."""
        self._needs_rows("resid")

    @property
    def fittedvalues(self) -> pd.Series:
        """Not kept: an error that says what to do instead."""
        self._needs_rows("fittedvalues")

    def get_margeff(self, at: Any = "overall", method: str = "dydx", *args: Any, **options: Any):
        """Average partial effects of the penalised estimate, with delta-method errors.

        Other points, elasticities and debiased effects (``debias=True``) are not available on
        streams.
        """
        if options.pop("debias", None):
            self._needs_rows("get_margeff() with debiased effects")
        if at != "overall" or method != "dydx" or args or options:
            self._needs_rows("get_margeff() at other points, or of elasticities and steps,")
        return self._margeff

    @property
    def _probe(self) -> Any:
        # what curves, surfaces, interactions and Shapley values are read off
        self._needs_rows("a curve, a surface, an interaction or Shapley values")

    def wald_test_terms(self, skip_single: bool = False, debias: bool | None = None) -> Any:
        """Not available on streams: an error that says what to do instead."""
        self._needs_rows("wald_test_terms")

    def variable_importance(self, *args: Any, **options: Any) -> Any:
        """Not available on streams: an error that says what to do instead."""
        self._needs_rows("variable_importance")

    def report(self, out: str | Path, *args: Any, **options: Any) -> Any:
        """Not available on streams: an error that says what to do instead."""
        self._needs_rows("report")

    def plot_fit(self, interval: Any = None, alpha: float = 0.05, **options: Any) -> Any:
        """Not available on streams: an error that says what to do instead."""
        self._needs_rows("plot_fit")

    def plot_residuals(self, **options: Any) -> Any:
        """Not available on streams: an error that says what to do instead."""
        self._needs_rows("plot_residuals")

    @property
    def path(self) -> Any:
        """Not available on streams: an error that says what to do instead."""
        raise SpecificationError(
            "a fit on a stream is made at one penalty and has no path; fit at several penalties "
            "with test_share=0.1 and compare their compare()."
        )

    @property
    def cv(self) -> Any:
        """Not available on streams: an error that says what to do instead."""
        raise SpecificationError(
            "a fit on a stream has no folds; fit with test_share=0.1, and compare() gives the "
            "errors of network and classical model on rows set apart."
        )

    # -- covariance -------------------------------------------------------------------------------

    def with_cov(self, cov_type: str, use_t: bool | None = None, **cov_kwds: Any) -> Any:
        """Results with another covariance: "nonrobust", "HC0" or "HC1"."""
        spec = CovarianceSpec(cov_type, cov_kwds, use_t)
        return self.model.results_from(self.estimate, spec)

    @cached_property
    def _sums(self) -> CurvatureSums:
        """Sums with weights that average one, from one pass."""
        network = self.model.network
        if network.n_params > MOST_PARAMS:
            raise SpecificationError(
                f"standard errors, effective degrees of freedom and information criteria need a "
                f"matrix of all pairs of the {network.n_params} parameters; up to {MOST_PARAMS} "
                "are supported. average_effects() gives partial effects without errors, and "
                "compare() with test_share=0.1 accuracy on rows set apart."
            )
        estimate = self.estimate
        mean = estimate.moments.weight_sum / estimate.moments.n_obs
        scaling, params = estimate.scaling, self.solution.params

        def blocks() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            for endog, exog, weights in self.model.training_blocks(estimate.split):
                rows = scaling.rows(exog)
                residual = scaling.target(endog) - fitted_rows(network, params, rows)
                yield rows, residual, weights / mean

        return curvature_sums(network, params, blocks())

    @cached_property
    def _bread(self) -> Bread:
        sums = self._sums
        neural = self.model.penalty.penalised > 0
        ridge = np.zeros(len(neural))
        ridge[neural] = self.alpha * self.nobs * self.model.penalty.ridge[neural]
        return bread_of(sums.gram, ridge)

    @cached_property
    def covariance(self) -> Covariance:
        """Covariance of the standardised parameters, with its description."""
        moments, scaling = self.estimate.moments, self.estimate.scaling
        relative = self.ssr * moments.n_obs / moments.weight_sum / scaling.target_scale**2
        sums, spec = self._sums, self.cov_spec
        if self.is_linear:
            sums = CurvatureSums(sums.gram, sums.squares, None)
        return covariance_of(sums, self._bread, spec.kind, int(self.nobs), relative, spec.use_t)


def check_kind(spec: CovarianceSpec) -> None:
    """Refuse a covariance that a stream does not determine."""
    if spec.kind not in KINDS:
        raise SpecificationError(
            f"cov_type={spec.kind!r} is not available on a stream, whose rows are summed up in "
            f"chunks; choose one of {KINDS}."
        )
    if spec.options:
        raise SpecificationError(
            f"cov_kwds has {sorted(spec.options)}, but cov_type={spec.kind!r} takes no options."
        )
