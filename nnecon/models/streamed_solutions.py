"""Results of solutions on a stream: estimated, given, or read from a file."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nnecon.data.scaling import Scaling
from nnecon.data.stream_moments import LeastSquares, Moments
from nnecon.data.stream_regressors import MovingDesign
from nnecon.data.stream_scaling import spans_constant, total_sum_of_squares
from nnecon.data.stream_split import Split
from nnecon.estimation.blockwise import certificate
from nnecon.estimation.losses import Squared
from nnecon.estimation.problem import Solution, Trace
from nnecon.exceptions import SpecificationError
from nnecon.inference.streamed import fitted_rows
from nnecon.inference.streamed_fit import FitNumbers, fit_numbers
from nnecon.models.streamed_data import StreamedData
from nnecon.models.streamed_training import (
    linear_covariance,
    solution_of,
    standardised_blocks,
)
from nnecon.results.base import CovarianceSpec
from nnecon.results.streamed import StreamedRegressionResults
from nnecon.results.streamed_baseline import StreamedOLS
from nnecon.results.streamed_numbers import StreamedEstimate, check_kind


class StreamedSolutions(StreamedData):
    """Results from a solution: parameters that are given, saved, or come from ``fit``."""

    results_class = StreamedRegressionResults

    def results_at(
        self,
        params: Any,
        alpha: float = 0.0,
        *,
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
    ) -> StreamedRegressionResults:
        """Results at any parameter vector, in the user's units, without estimating.

        Parameters
        ----------
        params : array_like of shape (k,)
            Parameters, in the order of ``param_names``.
        alpha : float
            Penalty that the covariance and effective degrees of freedom take into account.
        cov_type, use_t
            As in :meth:`fit`.
        cov_kwds : mapping, optional
            Options of the covariance; the kinds for streams take none.
        """
        values = np.asarray(params, dtype=float)
        if values.shape != (self.network.n_params,) or not np.isfinite(values).all():
            raise SpecificationError(
                f"params: give {self.network.n_params} finite numbers, in the order of param_names."
            )
        spec = CovarianceSpec(cov_type or "HC1", dict(cov_kwds or {}), use_t)
        check_kind(spec)
        split = Split(0.0, 0, False, self.design.n_obs)
        moments, classical = self._moments(split)
        scaling = self._scaling(moments)
        transform, offset = self.user_units(scaling)
        standardised = np.linalg.solve(transform, values - offset)
        blocks = standardised_blocks(
            lambda: self.training_blocks(split), scaling, moments.n_obs, memory=0
        )
        loss, size, relative = certificate(
            self.network, Squared(), self.penalty, blocks(), moments.n_obs, standardised, alpha
        )
        trace = Trace(
            standardised[None], np.array([loss]), np.array([size]), np.array([relative]),
            np.zeros(1, dtype=int), note="Parameters as given.",
        )  # fmt: skip
        solution = solution_of(standardised, trace, float(alpha), "none (given parameters)")
        about = {"alpha_rule": "the user", "search": "given parameters", "facts": {}}
        return self._results(solution, scaling, moments, classical, split, spec, about)

    def results_from(
        self, estimate: StreamedEstimate, spec: CovarianceSpec
    ) -> StreamedRegressionResults:
        """Results from an estimate, with the covariance asked for."""
        split, moments = estimate.split, estimate.moments
        log_weights = estimate.numbers.log_weights
        classical = moments.least_squares(self.exog_names)
        baseline = self._streamed_baseline(classical, moments, split, spec, log_weights)
        return StreamedRegressionResults(self, replace(estimate, baseline=baseline), spec)

    def restore(self, solution: Solution, spec: CovarianceSpec, **facts: Any) -> Any:
        """Results from a solution that was estimated before, as :func:`nnecon.load` needs them."""
        split = facts.pop("split")
        moments, classical = self._moments(split)
        scaling = self._scaling(moments)
        found = self._results(solution, scaling, moments, classical, split, spec, facts)
        scale = scaling.target_scale**2 * moments.weight_sum
        loss = 0.5 * found.ssr / scale
        if not np.isclose(loss, solution.loss, rtol=1e-4, atol=1e-10):
            raise SpecificationError(
                f"the saved estimate does not fit its data any more (mean loss {loss:.6g} instead "
                f"of {solution.loss:.6g}): are these the data and functions that the model was "
                "built with?"
            )
        return found

    @classmethod
    def load(
        cls,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        specification: Mapping[str, Any],
        data: Any = None,
        functions: Mapping[str, Any] | None = None,
    ) -> StreamedRegressionResults:
        """Results that ``save`` wrote, on the data as they are now.

        Parameters
        ----------
        meta, arrays
            What the file holds.
        specification : mapping
            Arguments of the model's constructor.
        data : Stream, path, DataFrame, callable or list of DataFrame, optional
            The data; by default the file that they came from.
        functions : mapping, optional
            Functions of yours that the formula calls, by name.
        """
        design = MovingDesign.from_state(meta["model"]["design"], data, functions)
        cov = meta["cov"]
        solution = Solution(params=arrays["params"], history=arrays["history"], **meta["solution"])
        about = {name: meta[name] for name in ("alpha_rule", "search", "facts")}
        return cls(design, **specification).restore(
            solution,
            CovarianceSpec(cov["kind"], cov["options"], cov["use_t"]),
            split=Split(**meta["split"]),
            **about,
        )

    def _results(
        self,
        solution: Solution,
        scaling: Scaling,
        moments: Moments,
        classical: LeastSquares,
        split: Split,
        spec: CovarianceSpec,
        about: Mapping[str, Any],
    ) -> StreamedRegressionResults:
        numbers = self._numbers(solution.params, scaling, classical, split)
        baseline = self._streamed_baseline(classical, moments, split, spec, numbers.log_weights)
        estimate = StreamedEstimate(
            solution, scaling, moments, numbers, split, baseline=baseline, **about
        )
        return StreamedRegressionResults(self, estimate, spec)

    def _numbers(
        self, params: np.ndarray, scaling: Scaling, classical: LeastSquares, split: Split
    ) -> FitNumbers:
        def network(exog: np.ndarray) -> np.ndarray:
            return scaling.restore(fitted_rows(self.network, params, scaling.rows(exog)))

        return fit_numbers(
            split.marked(self.design.weighted_blocks()),
            network,
            lambda exog: exog @ classical.params,
            float(np.sqrt(classical.tss / (classical.df_resid + len(classical.params)))),
        )

    def _streamed_baseline(
        self,
        classical: LeastSquares,
        moments: Moments,
        split: Split,
        spec: CovarianceSpec,
        log_weights: float,
    ) -> StreamedOLS:
        constant = spans_constant(moments)

        return StreamedOLS(
            classical,
            tuple(self.exog_names),
            self.endog_names,
            self.weighted,
            int(constant),
            total_sum_of_squares(moments, constant),
            log_weights,
            lambda: linear_covariance(moments, classical, self.training_blocks(split), spec),
        )
