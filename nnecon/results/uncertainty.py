"""How uncertain parameters are: their covariance, statistics, p-values and intervals."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.estimate import solver_of
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import fitted, fitted_many
from nnecon.exceptions import IdentificationWarning, SpecificationError, warn_user
from nnecon.inference import covariance as cov
from nnecon.inference.bootstrap import Drawn, Sample, bootstrap, bootstrap_covariance
from nnecon.inference.effects import checked_variances, delta_variance
from nnecon.nets import Dense
from nnecon.results.bootstrap import BootstrapResults
from nnecon.results.estimated import Estimated
from nnecon.results.inference_table import coefficient_table
from nnecon.results.progress import progress_bar


class Uncertainty(Estimated):
    """Covariance of the parameters, and the statistics that follow from it."""

    @cached_property
    def _relative_weights(self) -> np.ndarray:
        return self.estimate.weights / self.estimate.weights.mean()

    @cached_property
    def _parts(self) -> list[cov.Part]:
        """What the covariance is made of, one entry a network, in the dependent variable's units.

        Derivatives are those by standardised parameters.
        """
        estimate, scaling = self.estimate, self.estimate.scaling
        values = fitted_many(self.model.network, self._members, estimate.objective.inputs)
        robust = self.cov_spec.kind != "nonrobust" and not self.is_linear
        parts, neural = [], self.model.network.neural
        for params, fit in zip(self._members, values, strict=True):
            moments = cov.penalised_moments(
                estimate.objective,
                params,
                # a network that is zero without any penalty is not estimated: it is left out
                self.alpha if self.alpha > 0 or params[neural].any() else np.inf,
                self.model.endog - scaling.restore(fit),
                estimate.weights,
                scaling.target_scale,
            )
            bending = None
            if robust:
                bending = cov.bending_of(
                    estimate.objective, params, estimate.weights, scaling.target_scale
                )
            parts.append(cov.Part(moments, cov.bread(moments), bending))
        return parts

    @cached_property
    def _bread(self) -> cov.Bread:
        return cov.joint_bread([part.bread for part in self._parts])

    @cached_property
    def covariance(self) -> cov.Covariance:
        """Covariance of the standardised parameters, with its description."""
        spec = self.cov_spec
        if spec.kind == "bootstrap":
            return bootstrap_covariance(self._drawn, spec.use_t, self.df_resid)
        found = cov.joint_covariance(self._parts, spec.kind, spec.options, spec.use_t)
        if found.warning:
            warn_user(found.warning, IdentificationWarning)
        return found

    @property
    def errors_sentence(self) -> str:
        """How standard errors of parameters and of effects were made."""
        effects = "by the delta method" if self.covariance.draws is None else "at every draw"
        return f"Standard errors: {self.covariance.description}; partial effects {effects}."

    @cached_property
    def _drawn(self) -> Drawn:
        return self._draw(LOCAL)

    def bootstrap(
        self,
        kind: str | None = None,
        draws: int = 999,
        rng: int = 0,
        *,
        groups: Any = None,
        block: float | None = None,
        distribution: str | None = None,
        progress: bool | None = None,
        executor: Executor | None = None,
        checkpoint: str | Path | None = None,
    ) -> BootstrapResults:
        """Estimate bootstrap samples, at the same penalty and from this estimate on.

        Parameters
        ----------
        kind : str, optional
            What is drawn, see :mod:`nnecon.estimation.draws`: "pairs", "bayesian", "wild",
            "cluster", "block", "moving" or "stationary". By default "cluster" with ``groups`` (or
            those of a clustered covariance), "block" for time series and "pairs" otherwise.
        draws : int
            Number of samples.
        rng : int
            Seed.
        groups : str or array_like, optional
            Labels of groups, for "cluster", "bayesian" and "wild".
        block : float, optional
            Length of blocks; by default Politis and White's (2004) rule for the rows' influence
            on the linear projection of the fitted values on the regressors.
        distribution : {"rademacher", "mammen", "webb"}, optional
            Of the multipliers of "wild".
        progress, executor, checkpoint
            As in ``fit``.

        Returns
        -------
        BootstrapResults
            Errors, biases and intervals of parameters, effects and predictions;
            its ``results`` are these results with ``cov_type="bootstrap"``.

        Raises
        ------
        ConvergenceError
            Less than half of the samples have an estimate.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("growth ~ lag(growth, 1)", macro, hidden=())
        >>> drawn = model.fit().bootstrap(draws=50)
        >>> drawn.margeff.summary_frame().columns.tolist()
        ['estimate', 'bias', 'std err', 'lower', 'upper']
        """
        given = {
            "kind": kind,
            "draws": draws,
            "rng": rng,
            "groups": groups,
            "block": block,
            "distribution": distribution,
        }
        own: Any = self.with_cov("bootstrap", **{k: v for k, v in given.items() if v is not None})
        # immutable from outside: what the executor has computed is kept where it would be
        with progress_bar(progress, "Drawing") as report:
            own.__dict__["_drawn"] = own._draw(Execution.check(executor, checkpoint, report))
        return BootstrapResults(own)

    def _draw(self, execution: Execution) -> Drawn:
        """Estimates of bootstrap draws."""
        estimate, network = self.estimate, self.model.network
        objective, params = estimate.objective, self.solution.params
        leverage = np.mean(
            [((part.moments.jacobian @ part.bread.root) ** 2).sum(axis=1) for part in self._parts],
            axis=0,
        )
        neural = self._network.neural if isinstance(network, Dense) else np.ones(len(params), bool)
        alive = bool(params[neural].any())
        if estimate.facts.get("stochastic") and alive:
            raise SpecificationError(
                "cov_type='bootstrap' starts every draw at the estimate, and mini-batches would be "
                "trained anew; fit with method='auto' or choose another covariance."
            )
        sample = Sample(
            objective,
            params,
            self.alpha if alive else np.inf,
            estimate.weights,
            fitted(self._network, params, objective.inputs),
            leverage,
            self._influence @ self._projection.T,
        )
        return bootstrap(sample, self.cov_spec.options, solver_of(objective), execution)

    @cached_property
    def _influence(self) -> np.ndarray:
        """How much each row moves the standardised parameters, to first order, (n, k)."""
        return cov.influence(self._parts)

    @property
    def _projection(self) -> np.ndarray:
        """Derivatives (p, k) of the linear projection of the fitted values on the regressors.

        By the standardised parameters; without a network these are the coefficients themselves.
        """
        roots = np.sqrt(self._relative_weights)
        jacobian = np.concatenate([part.moments.jacobian for part in self._parts], axis=1)
        found = np.linalg.lstsq(roots[:, None] * self.model.exog, jacobian, rcond=None)[0]
        return found / len(self._parts)

    def function_variance(
        self, gradient: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Variances of functions of the standardised parameters.

        By the delta method, which needs no identified parameters; with ``cov_type="bootstrap"``
        over the values of the functions at the draws.

        Parameters
        ----------
        gradient : ndarray of shape (m, k)
            Derivatives of the functions.
        function : callable
            Values (b, m) at each of many parameters (b, k).

        Returns
        -------
        ndarray of shape (m,)
        """
        covariance = self.covariance
        if covariance.draws is None:
            return delta_variance(gradient, covariance.matrix)
        return np.asarray(function(covariance.draws)).var(axis=0, ddof=1)

    @property
    def is_linear(self) -> bool:
        """Whether the estimate is linear in its parameters: no network, or an infinite penalty."""
        return bool(np.isinf(self.alpha)) or (self.model.nested and not self.model.has_network)

    @property
    def cov_type(self) -> str:
        """Kind of covariance."""
        return self.cov_spec.kind

    @property
    def cov_kwds(self) -> Mapping[str, Any]:
        """Options of the covariance, defaults filled in."""
        return {**self.covariance.options, "description": self.covariance.description}

    @property
    def use_t(self) -> bool:
        """Whether statistics are compared with a t instead of the normal distribution."""
        return self.covariance.use_t

    def cov_params(self) -> pd.DataFrame:
        """Covariance of ``params``, in the user's units."""
        transform, names = self._map[0], self._param_names
        matrix = transform @ self.covariance.matrix @ transform.T
        return pd.DataFrame(matrix, index=names, columns=names)

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors of ``params``."""
        variances = checked_variances(np.diag(self.cov_params()))
        return pd.Series(np.sqrt(variances), index=self._param_names)

    def _table(self, alpha: float = 0.05) -> pd.DataFrame:
        return coefficient_table(self.params, self.bse, self.use_t, self.covariance.df_resid, alpha)

    @property
    def tvalues(self) -> pd.Series:
        """``params / bse``."""
        return self._table().iloc[:, 2]

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of ``params`` being zero."""
        return self._table().iloc[:, 3]

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals of ``params`` with level ``1 - alpha``; columns 0 and 1."""
        return self._table(alpha).iloc[:, 4:].set_axis([0, 1], axis=1)

    @property
    def edf(self) -> float:
        """Effective degrees of freedom, ``tr[(J'WJ + n alpha D)^-1 J'WJ]``.

        Of an ensemble their mean over the networks, since the fitted values are means as well.
        """
        return self._bread.edf

    @property
    def df_resid(self) -> float:
        """Observations less effective degrees of freedom."""
        return self.nobs - self.edf

    @property
    def nobs(self) -> float:
        """Number of observations."""
        return float(len(self.model.endog))
