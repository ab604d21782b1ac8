"""Results of a neural regression on a stream: sums over the rows, and no rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from nnecon.data.scaling import Scaling
from nnecon.data.stream import CHUNK_ROWS, Stream
from nnecon.data.stream_moments import Moments
from nnecon.data.stream_scaling import total_sum_of_squares
from nnecon.data.stream_split import Split
from nnecon.estimation.problem import Solution
from nnecon.exceptions import SpecificationError
from nnecon.inference.covariance import Bread, Covariance
from nnecon.inference.effects import delta_variance
from nnecon.inference.streamed import (
    KINDS,
    MOST_PARAMS,
    CurvatureSums,
    bread_of,
    change_sums,
    covariance_of,
    curvature_sums,
    fitted_rows,
    rows_and_gradients,
    slope_sums,
)
from nnecon.inference.streamed_fit import FitNumbers, gaussian_loglike
from nnecon.report import tables
from nnecon.report.formats import coefficient_cells, format_number, format_pvalue
from nnecon.results.archive import SOLUTION_ARRAYS, under_prefix, write_archive
from nnecon.results.base import CovarianceSpec
from nnecon.results.comparison import Comparison
from nnecon.results.effects import MarginalEffects
from nnecon.results.prediction import PredictionResults
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


class StreamedRegressionResults(NeuralRegressionResults):
    """Estimates, uncertainty and comparison of a :class:`StreamedRegression`.

    Rows are read again when they are needed: once for standard errors and information criteria,
    once for partial effects. What takes all rows at once (``resid``, ``fittedvalues``, charts of
    residuals, ``report``) is not here; the errors say how to get it from a sample of the rows.
    """

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
        """Average partial effects; other points and elasticities are not available on streams."""
        if at != "overall" or method != "dydx" or args or options:
            self._needs_rows("get_margeff() at other points, or of elasticities and steps,")
        return self._margeff

    @property
    def _probe(self) -> Any:
        # what curves, surfaces, interactions and Shapley values are read off
        self._needs_rows("a curve, a surface, an interaction or Shapley values")

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

    # -- predictions ------------------------------------------------------------------------------

    def _exog_parts(self, new: Any) -> Iterator[tuple[np.ndarray, pd.Index]]:
        """Standardised rows and labels of new data, a bounded number at a time."""
        if new is None:
            self._needs_rows("predict() without new rows")
        design, scaling = self.model.design, self.estimate.scaling
        is_frame = isinstance(new, pd.DataFrame) or not (
            isinstance(new, Stream | str | Path | list | tuple) or callable(new)
        )
        short = is_frame and not (isinstance(new, pd.DataFrame) and len(new) > CHUNK_ROWS)
        for exog, index in [design.exog_for(new)] if short else design.exog_chunks(new):
            yield scaling.rows(exog), index

    def predict(self, exog: Any = None) -> pd.Series:
        """Predicted means of new rows.

        Parameters
        ----------
        exog : DataFrame, path, Stream, callable or list of DataFrame
            New rows with the formula's variables: a frame, or whatever a
            :class:`~nnecon.Stream` can be made of. One number a row is returned;
            :meth:`predict_chunks` gives them chunk by chunk.

        Returns
        -------
        Series
            With the labels of the new rows.
        """
        parts = list(self.predict_chunks(exog))
        return pd.concat(parts) if len(parts) != 1 else parts[0]

    def predict_chunks(self, exog: Any) -> Iterator[pd.Series]:
        """As :meth:`predict`, chunk by chunk, for more rows than memory holds."""
        network, scaling = self.model.network, self.estimate.scaling
        for rows, index in self._exog_parts(exog):
            values = fitted_rows(network, self.solution.params, rows)
            yield pd.Series(scaling.restore(values), index=index)

    def get_prediction(
        self, exog: Any = None, weights: Any = None, interval: str = "delta", **options: Any
    ) -> PredictionResults:
        """Predicted means of new rows with delta-method errors and intervals.

        Parameters
        ----------
        exog : DataFrame, path, Stream, callable or list of DataFrame
            As in :meth:`predict`.
        weights : array_like, optional
            Weights of the new rows: the variance of an observation is ``scale / weights``. One by
            default.
        interval : {"delta"}
            The others repeat the estimate, or need the residuals of all rows.
        """
        if interval != "delta" or options:
            self._needs_rows(f"interval={interval!r} with {', '.join(options) or 'its defaults'}")
        matrix, scaling = self.covariance.matrix, self.estimate.scaling
        means, errors, labels = [], [], []
        for rows, index in self._exog_parts(exog):
            labels.append(index)
            for values, gradients in rows_and_gradients(
                self.model.network, self.solution.params, rows
            ):
                means.append(scaling.restore(values))
                moved = gradients @ matrix
                variance = np.einsum("ij,ij->i", moved, gradients) * scaling.target_scale**2
                errors.append(np.sqrt(variance))
        index = labels[0].append(labels[1:])
        own = np.broadcast_to(1.0 if weights is None else np.asarray(weights, float), len(index))
        return PredictionResults(
            pd.Series(np.concatenate(means), index=index),
            pd.Series(np.concatenate(errors), index=index),
            self.scale / own,
            self.use_t,
            self.covariance.df_resid,
        )

    # -- effects ----------------------------------------------------------------------------------

    @cached_property
    def _effect_sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average effects (m,), their gradients (m, k), and average moves of the design (m, p)."""
        estimate, design = self.estimate, self.model.design
        scaling, params, network = estimate.scaling, self.solution.params, self.model.network
        regressors = design.regressors
        ways = [j for j, one in enumerate(regressors) if one.kind != "category"]
        levels = [j for j, one in enumerate(regressors) if one.kind == "category"]
        effects, gradients = np.zeros(len(regressors)), np.zeros((len(regressors), len(params)))
        moves = np.zeros((len(regressors), len(self.model.exog_names)))
        take = estimate.split.marks()
        for chunk in design.moving_chunks():
            # rows set apart get no weight
            weights = np.where(take(len(chunk.weights)), 0.0, chunk.weights)
            rows = scaling.rows(chunk.exog)
            fixed: dict[int, np.ndarray] = {}
            for j in ways:
                derivative = chunk.direction(regressors[j])
                along = scaling.directions(derivative)
                if derivative.ndim == 1:
                    fixed[j] = along
                    moves[j] += weights.sum() * derivative
                    continue
                value, gradient = slope_sums(network, params, rows, [along], weights)
                effects[j] += value[0]
                gradients[j] += gradient[0]
                moves[j] += weights @ derivative
            value, gradient = slope_sums(network, params, rows, list(fixed.values()), weights)
            effects[list(fixed)] += value
            gradients[list(fixed)] += gradient
            for j in levels:
                level, reference = chunk.contrast(regressors[j])
                both = scaling.rows(level), scaling.rows(reference)
                change, its_gradient = change_sums(network, params, *both, weights)
                effects[j] += change
                gradients[j] += its_gradient
                moves[j] += weights @ (level - reference)
        total = estimate.moments.weight_sum
        unit = scaling.target_scale / total
        return effects * unit, gradients * unit, moves / total

    def average_effects(self) -> pd.Series:
        """Average partial effects without standard errors, for networks of any size."""
        names = [regressor.name for regressor in self.model.design.regressors]
        return pd.Series(self._effect_sums[0], index=names, dtype=float)

    @cached_property
    def _margeff(self) -> MarginalEffects:
        effects, (_, gradient, moves) = self.average_effects(), self._effect_sums
        names = list(effects.index)
        classical = delta_variance(moves, np.asarray(self.baseline.cov_params()))
        baseline = {
            "effect": moves @ self.baseline.params.to_numpy(),
            "se": np.sqrt(classical),
        }
        return MarginalEffects(
            effects,
            pd.Series(np.sqrt(delta_variance(gradient, self.covariance.matrix)), index=names),
            gradient,
            pd.DataFrame(baseline, index=names),
            self.use_t,
            self.covariance.df_resid,
            self.covariance.description,
            self.model.endog_names,
        )

    # -- display ----------------------------------------------------------------------------------

    @property
    def _baseline_name(self) -> str:
        return self.baseline.name

    @property
    def _has_covariance(self) -> bool:
        return self.model.network.n_params <= MOST_PARAMS

    def compare(self) -> Comparison:
        """Network and least squares side by side, in the sample and on the rows set apart."""
        tested, edf = self.estimate.numbers.tested, self._has_covariance
        if edf:
            plain = super().compare()
            rows, notes = plain.frame.copy(), list(plain.notes)
        else:
            columns = [type(self.model).__name__, self._baseline_name]
            values = {
                "Observations": (self.nobs, self.baseline.nobs),
                "R-squared": (self.rsquared, self.baseline.rsquared),
                "Log-likelihood": (self.llf, self.baseline.llf),
            }
            rows = pd.DataFrame.from_dict(values, orient="index", columns=columns)
            notes = ["The network is too large for effective degrees of freedom."]
        if tested is None:
            notes.append(
                "All rows were estimated on; fit with test_share=0.1 to compare on rows set apart."
            )
        else:
            rows.loc["Test RMSE"] = np.sqrt([tested.network, tested.baseline])
            notes.append(
                f"Test RMSE: {tested.n_obs} rows set apart, which neither model was estimated on. "
                f"The network's mean squared error less {self._baseline_name}'s is "
                f"{tested.difference:.4g} (standard error {tested.error:.2g})."
            )
        return Comparison(rows, (), tuple(notes))

    def _header(self) -> list[tuple[str, str]]:
        if self._has_covariance:
            header = super()._header()
        else:
            header = [
                ("Dep. Variable:", self.model.endog_names),
                ("Model:", type(self.model).__name__),
                ("Network:", self.model.description),
                ("Method:", self.solution.method),
                ("Penalty alpha:", f"{self.alpha:.4g}"),
                ("No. Observations:", f"{self.nobs:.0f}"),
                ("Parameters:", f"{self.model.network.n_params}"),
                ("R-squared:", f"{self.rsquared:.3f}"),
                ("Log-Likelihood:", format_number(self.llf, 2)),
            ]
        ends = {"Converged:": "yes" if self.converged else "NO (mini-batches)"}
        return [(name, ends.get(name, value)) for name, value in header]

    def _tail(self) -> pd.DataFrame:
        numbers = self.estimate.numbers
        values = {
            "Jarque-Bera": format_number(numbers.jarque_bera, 3),
            "Prob(JB)": format_pvalue(numbers.jarque_bera_pvalue),
            "Skew": format_number(numbers.skew, 3),
            "Kurtosis": format_number(numbers.kurtosis, 3),
        }
        return pd.DataFrame([values], index=["Residuals"])

    def summary(self, alpha: float = 0.05, params: bool | None = None) -> Any:
        """Table of the fit, as for data in memory; reads the data twice more at the first call.

        Parameters
        ----------
        alpha : float
            One less the level of the intervals.
        params : bool, optional
            Print the parameters too; by default where they mean something by themselves.
        """
        notes = [self.solution.status]
        if not self._has_covariance:
            frame = pd.DataFrame({"dy/dx": self.average_effects()})
            blocks = [tables.Table(frame, "Average partial effects")]
            notes.append("The network has too many parameters for standard errors.")
        else:
            blocks = [
                tables.Table(
                    coefficient_cells(self.effects_frame(alpha)), "Average partial effects"
                )
            ]
            if self.model.interpretable if params is None else params:
                cells = coefficient_cells(self._table(alpha))
                blocks.insert(0, tables.Table(cells, "Parameters"))
            notes.insert(
                0,
                f"Standard errors: {self.covariance.description}; partial effects by the delta "
                "method.",
            )
        if not self.converged:
            notes.append(
                "Mini-batch training stops near a minimum at best; the gradient norm tells how "
                "near. Standard errors are those of a minimum, and do not contain the difference."
            )
        if self.estimate.facts.get("early_stopping"):
            notes.append(
                "Early stopping shrinks the network beyond alpha: its effective degrees of "
                "freedom, and with them AIC and BIC, are upper bounds."
            )
        if self.ssr > self.baseline.ssr and self.model.specification.linear_part:
            notes.append(
                f"{self._baseline_name} alone fits these rows better: train for more epochs, or "
                "with another learning rate."
            )
        notes += list(self.compare().notes[-1:])
        blocks.append(tables.Table(self._tail()))
        return tables.summary("Neural Regression Results", self._header(), blocks, notes)

    def save(self, path: str | Path) -> None:
        """Write the estimate to a file that :func:`nnecon.load` reads.

        The data stay where they are: they are read again when the file is loaded, from the same
        place or from the one given. Functions of your own (in the formula, or ``network=``) are
        not in the file; pass them to :func:`nnecon.load`.
        """
        meta, arrays = self.model.state()
        solution = {
            name: getattr(self.solution, name)
            for name in Solution.__dataclass_fields__
            if name not in SOLUTION_ARRAYS
        }
        estimate, spec = self.estimate, self.cov_spec
        meta = {
            "model": meta,
            "solution": solution,
            "split": {name: getattr(estimate.split, name) for name in Split.__dataclass_fields__},
            "alpha_rule": estimate.alpha_rule,
            "search": estimate.search,
            "facts": estimate.facts,
            "cov": {"kind": spec.kind, "options": dict(spec.options), "use_t": spec.use_t},
        }
        held = {"params": self.solution.params, "history": self.solution.history}
        write_archive(path, meta, under_prefix("model", arrays) | held)


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
