"""Predicted means and their intervals, of rows of the sample and of new ones."""

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnecon.estimation.execution import Execution
from nnecon.estimation.kernels import fitted, fitted_many
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.effects import values_and_gradients
from nnecon.inference.intervals.laplace import laplace_posterior, posterior_moments
from nnecon.inference.intervals.leave_out import Original
from nnecon.inference.intervals.resampled import BootstrapBand, draw_noise
from nnecon.results.base import Results
from nnecon.results.conformal import Conformal
from nnecon.results.prediction import PredictionResults, Rescaled

INTERVALS = ("delta", "bootstrap", "laplace", "conformal")


class _Rows(NamedTuple):
    """Standardised rows (m, r), their labels and weights (m,)."""

    rows: np.ndarray
    index: pd.Index
    weights: np.ndarray


class Predictions(Results):
    """Results that predict."""

    @property
    def ssr(self) -> float:
        """Weighted sum of squared residuals."""
        return float(self.estimate.weights @ self.resid.to_numpy() ** 2)

    @property
    def scale(self) -> float:
        """Estimated variance of the disturbance, ``ssr / df_resid``."""
        return self.ssr / self.df_resid

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
        values = fitted(self._network, self.solution.params, rows)
        return pd.Series(self.estimate.scaling.restore(values), index=index)

    def get_prediction(
        self,
        exog: Any = None,
        weights: Any = None,
        interval: str = "delta",
        *,
        executor: Executor | None = None,
        **options: Any,
    ) -> PredictionResults:
        """Predicted means with intervals for the mean and for new observations.

        Parameters
        ----------
        exog : DataFrame or array_like, optional
            As in :meth:`predict`.
        weights : array_like, optional
            Weights of the new rows: the variance of an observation is ``scale / weights``. One by
            default for new rows, the sample's own within the sample.
        interval : {"delta", "bootstrap", "laplace", "conformal"}
            ``"delta"``: normal (or t) intervals around the estimate with the covariance of the
            results, as in statsmodels; of an ensemble with the spread between its networks.
            ``"bootstrap"``: quantiles of estimates on bootstrap samples.
            ``"laplace"``: normal approximation of the posterior, with the penalty as prior.
            ``"conformal"``: intervals for new observations alone, from residuals of rows left out
            of the estimate, which cover whatever the network has missed.
        executor : concurrent.futures.Executor, optional
            Runs the refits of bootstrap and conformal intervals, as in ``fit``.
        **options
            Of the bootstrap: ``method`` ("percentile" or "basic"), and how samples are drawn, as
            in ``with_cov("bootstrap", ...)``: ``kind``, ``draws``, ``rng``, ``groups``, ``block``,
            ``distribution``. Of conformal intervals: ``method`` ("split", "cv+", "jackknife+" or
            "enbpi"; by default enbpi for time series and cv+ otherwise); ``scaled=True`` for
            intervals as wide as the spread at a row, estimated; ``cv``, folds of cv+ (by default
            those of the fit, whose estimates are used again, or ten); ``groups``, labels of rows
            to be left out together (by default those of a clustered covariance); ``draws`` and
            ``block`` of enbpi; ``rng``.

        Returns
        -------
        PredictionResults

        Raises
        ------
        SpecificationError
            An option that the interval does not have, or an interval that the estimate does not
            have.

        Notes
        -----
        :doc:`/intervals` says when each is valid, and how often each has covered in simulations.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ lag(unemp, 1, 2)", macro, hidden=(2,))
        >>> results = model.fit(alpha=0.01)
        >>> frame = results.get_prediction(interval="conformal", draws=20).summary_frame(alpha=0.1)
        >>> list(frame)
        ['mean', 'obs_ci_lower', 'obs_ci_upper']
        """
        if interval not in INTERVALS:
            raise SpecificationError(
                f"interval={interval!r} is not known; choose one of {[*INTERVALS]}."
            )
        refits = interval in ("bootstrap", "conformal")
        if not refits and (options or executor is not None):
            what = next(iter(options), "executor")
            raise SpecificationError(f"{what} is no option of interval={interval!r}.")
        rows, index = self._rows(exog)
        new = _Rows(rows, index, self._weights_of(weights, exog, index))
        if interval == "delta":
            return self._delta(new)
        if interval == "laplace":
            return self._laplace(new)
        execution = Execution.check(executor)
        if interval == "bootstrap":
            return self._bootstrap(new, options, execution)
        return self._conformal(new, options, execution)

    def _weights_of(self, weights: Any, exog: Any, index: pd.Index) -> np.ndarray:
        if weights is None:
            return self.estimate.weights if exog is None else np.ones(len(index))
        try:
            given = np.asarray(weights, dtype=float)
        except (TypeError, ValueError) as error:
            raise SpecificationError(
                f"weights={weights!r}: give numbers, one for each of the {len(index)} new rows."
            ) from error
        if given.ndim > 1 or (given.ndim == 1 and len(given) != len(index)):
            raise SpecificationError(
                f"weights has the shape {given.shape}; give one number for each of {len(index)} "
                "rows, or one for all."
            )
        values = np.broadcast_to(given, (len(index),))
        bad = np.flatnonzero(~(values > 0) | ~np.isfinite(values))
        if len(bad):
            raise DataError(
                f"weights must be positive and finite, but row {index[bad[0]]} has "
                f"{values[bad[0]]:g}."
            )
        return values

    def _delta(self, new: "_Rows") -> PredictionResults:
        scaling = self.estimate.scaling
        values, gradients = values_and_gradients(self._network, self.solution.params, new.rows)
        variance = self.function_variance(
            gradients, lambda many: fitted_many(self._network, many, new.rows)
        )
        variance = variance * scaling.target_scale**2
        members = fitted_many(self.model.network, self._members, new.rows)
        spread = self._spread(members) * scaling.target_scale**2
        return PredictionResults(
            pd.Series(scaling.restore(values), index=new.index),
            pd.Series(np.sqrt(variance + spread), index=new.index),
            self.scale / new.weights,
            self.use_t,
            self.covariance.df_resid,
            pd.Series(np.sqrt(spread), index=new.index),
            note=self._error_note,
        )

    @property
    def _error_note(self) -> str:
        drawn = self.covariance.draws is not None
        how = "normal intervals with errors of" if drawn else "delta method:"
        return f"{how} {self.covariance.description}"

    def _laplace(self, new: "_Rows") -> PredictionResults:
        estimate, scaling = self.estimate, self.estimate.scaling
        posterior = laplace_posterior(
            estimate.objective, self._members, self.alpha, estimate.weights
        )
        mean, variance = posterior_moments(estimate.objective, posterior, new.rows)
        noise = posterior.noise_variance * scaling.target_scale**2 * estimate.weights.mean()
        kind = "exact" if posterior.exact else "Gauss-Newton"
        return PredictionResults(
            pd.Series(scaling.restore(mean), index=new.index),
            pd.Series(np.sqrt(variance) * scaling.target_scale, index=new.index),
            noise / new.weights,
            True,
            posterior.df,
            interval="laplace",
            note=f"Laplace approximation of the posterior, {kind} Hessian",
        )

    def _bootstrap(
        self, new: "_Rows", options: Mapping[str, Any], execution: Execution
    ) -> PredictionResults:
        given = dict(options)
        method = given.pop("method", "percentile")
        if method not in ("percentile", "basic"):
            raise SpecificationError(
                f"method={method!r} is no bootstrap interval; choose 'percentile' or 'basic'."
            )
        own = self.cov_type == "bootstrap" and not given
        if own and execution.executor is None:
            drawn = self._drawn
        else:
            drawn = (self if own else self.with_cov("bootstrap", **given))._draw(execution)
        scaling, weights = self.estimate.scaling, self.estimate.weights
        draws = scaling.restore(fitted_many(self._network, drawn.params, new.rows))
        mean = scaling.restore(fitted(self._network, self.solution.params, new.rows))
        noise = draw_noise(
            np.sqrt(weights) * self.resid.to_numpy(),
            self.df_resid,
            len(draws),
            np.random.default_rng(drawn.options["rng"]).spawn(1)[0],
        )
        band = BootstrapBand(mean, draws, noise, 1.0 / np.sqrt(new.weights), method == "basic")
        return PredictionResults(
            pd.Series(mean, index=new.index),
            pd.Series(draws.std(axis=0, ddof=1), index=new.index),
            self.scale / new.weights,
            False,
            self.df_resid,
            interval="bootstrap",
            note=f"{method} intervals: {drawn.description}",
            band=band,
        )

    def _conformal(
        self, new: "_Rows", options: Mapping[str, Any], execution: Execution
    ) -> PredictionResults:
        estimate, scaling = self.estimate, self.estimate.scaling
        alone = self.n_networks == 1
        source = Conformal(
            Original(
                estimate.objective,
                self._network,
                self.solution.params,
                self.alpha,
                estimate.weights,
            ),
            self.model.design,
            self.model.is_time_series,
            self.cov_spec.options.get("groups"),
            estimate.cv,
            alone,
            bool(estimate.facts.get("stochastic")) and not self.is_linear,
        )
        band, words = source.band(new.rows, 1.0 / np.sqrt(new.weights), options, execution)
        mean = fitted(self._network, self.solution.params, new.rows)
        return PredictionResults(
            pd.Series(scaling.restore(mean), index=new.index),
            None,
            None,
            False,
            self.df_resid,
            interval="conformal",
            note=f"{words}. They cover new observations; there is no interval for the mean",
            band=Rescaled(band, scaling.target_shift, scaling.target_scale),
        )

    def _spread(self, by_network: np.ndarray) -> np.ndarray:
        """Monte Carlo variance of means over the networks of an ensemble.

        ``by_network`` (m, q) are q quantities in each of the m networks. Zero for one network.
        """
        if len(by_network) == 1:
            return np.zeros(by_network.shape[1])
        return by_network.var(axis=0, ddof=1) / len(by_network)
