"""What every estimator's results share: parameters, covariance, fit, information criteria."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.scaling import Scaling
from nnecon.estimation.kernels import certificate, fitted, fitted_many
from nnecon.estimation.problem import Objective, Solution
from nnecon.exceptions import SpecificationError
from nnecon.inference import covariance as cov
from nnecon.nets import Dense, Ensemble, Network
from nnecon.results.archive import results_state, write_archive
from nnecon.results.immutable import Immutable
from nnecon.results.inference_table import coefficient_table
from nnecon.results.path import CrossValidation, RegularizationPath


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What ``fit`` hands to the results.

    Attributes
    ----------
    solution, objective, scaling
        The estimate in standardised coordinates, its problem, and the way back. Of an ensemble
        the parameters are those of all members, stacked; the problem is that of one.
    weights : ndarray of shape (n,)
        The user's observation weights.
    alpha_rule : str
        How the penalty was chosen, as a phrase for the summary.
    search : str
        Starts and random numbers, as a phrase for the summary.
    baseline
        The classical model's results, from statsmodels.
    path, cv
        None where they were not computed.
    facts : mapping
        What is needed to write the fit to a file and to repeat it.
    """

    solution: Solution
    objective: Objective
    scaling: Scaling
    weights: np.ndarray
    alpha_rule: str
    search: str
    baseline: Any
    path: RegularizationPath | None = None
    cv: CrossValidation | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CovarianceSpec:
    """The covariance that was asked for: ``kind``, ``options`` as in statsmodels, ``use_t``."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    use_t: bool | None = None

    def __post_init__(self) -> None:
        if not (self.use_t is None or isinstance(self.use_t, bool | np.bool_)):
            raise SpecificationError(
                f"use_t={self.use_t!r}: give True for the t, False for the normal distribution, or "
                "None for the usual one of this covariance."
            )


class Results(Immutable):
    """Immutable results of an estimate.

    Built by a model's ``fit``. Nothing in it changes: :meth:`with_cov` returns new results.
    """

    model: Any
    estimate: Estimate
    cov_spec: CovarianceSpec

    def __init__(self, model: Any, estimate: Estimate, cov_spec: CovarianceSpec):
        self.__dict__.update(model=model, estimate=estimate, cov_spec=cov_spec)
        cov.check(cov_spec.kind, cov_spec.options, len(estimate.weights))

    def with_cov(self, cov_type: str, use_t: bool | None = None, **cov_kwds: Any) -> Self:
        """Results with another covariance of the parameters.

        Parameters
        ----------
        cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3", "HAC", "cluster"}
            Kind of covariance.
        use_t : bool, optional
            t instead of normal distribution; by default for ``"nonrobust"`` only.
        **cov_kwds
            ``maxlags``, ``kernel``, ``use_correction`` for HAC; ``groups`` (a column name or one
            label a row) and ``use_correction`` for cluster.
        """
        options = self.model.cov_options(cov_type, cov_kwds)
        return type(self)(self.model, self.estimate, CovarianceSpec(cov_type, options, use_t))

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads.

        The file is a zip of JSON and NumPy arrays: reading it runs no code. Functions of your own
        (in the formula, or ``network=``) are not in it; pass them to :func:`nnecon.load`.
        """
        meta, arrays = results_state(self)
        write_archive(path, meta, arrays)

    # -- estimate ---------------------------------------------------------------------------------

    @property
    def solution(self) -> Solution:
        """Solver's report: status, certificate, iterations, objective."""
        return self.estimate.solution

    @property
    def alpha(self) -> float:
        """Penalty strength; infinite where the estimate is the classical model."""
        return self.estimate.solution.alpha

    @property
    def converged(self) -> bool:
        """Whether the relative gradient norm is under 1e-6, of every network of an ensemble."""
        return self.estimate.solution.converged

    @property
    def path(self) -> RegularizationPath:
        """Regularisation path from the baseline to the full network."""
        if self.estimate.path is None:
            raise SpecificationError(
                "this estimate has no path: it has no penalty, or was made by results_at()."
            )
        return self.estimate.path

    @property
    def cv(self) -> CrossValidation:
        """Cross-validation of network and baseline on the same rows."""
        if self.estimate.cv is None:
            raise SpecificationError(
                "this estimate was not cross-validated; fit with alpha='cv' or with cv=5."
            )
        return self.estimate.cv

    @property
    def baseline(self) -> Any:
        """The classical model, estimated by statsmodels on the same rows."""
        return self.estimate.baseline

    @property
    def n_networks(self) -> int:
        """Networks whose mean is the estimate; more than one in an ensemble."""
        return len(self.solution.params) // self.model.network.n_params

    @cached_property
    def members(self) -> pd.DataFrame:
        """Networks whose mean is the estimate, a row a network, the one of the path first.

        Columns are ``objective``, ``loss`` and ``penalty`` of the standardised problem, ``edf``,
        and ``certificate``, the relative gradient norm.
        """
        objective, weights = self.estimate.objective, self.estimate.weights
        found = [certificate(objective, one, weights, self.alpha) for one in self._members]
        strength = self.alpha if np.isfinite(self.alpha) else 0.0
        return pd.DataFrame(
            {
                "objective": [loss + strength * penalty for loss, penalty, _ in found],
                "loss": [loss for loss, _, _ in found],
                "penalty": [penalty for _, penalty, _ in found],
                "edf": [part.bread.edf for part in self._parts],
                "certificate": [relative for _, _, relative in found],
            },
            index=[f"net{at}" for at in range(1, len(found) + 1)],
        )

    @property
    def _network(self) -> Network:
        member = self.model.network
        if self.n_networks > 1 and isinstance(member, Dense):
            return Ensemble(member, self.n_networks)
        return member

    @property
    def _members(self) -> np.ndarray:
        """Standardised parameters, a row a network."""
        return self.solution.params.reshape(self.n_networks, -1)

    @cached_property
    def _map(self) -> tuple[np.ndarray, np.ndarray]:
        network, plain = self._network, self.model.user_units(self.estimate.scaling)
        return network.user_units(*plain) if isinstance(network, Ensemble) else plain

    @property
    def _param_names(self) -> list[str]:
        network, plain = self._network, self.model.param_names
        return network.names(plain) if isinstance(network, Ensemble) else plain

    @cached_property
    def params(self) -> pd.Series:
        """Parameters in the user's units; of an ensemble ``net1.``, ``net2.``, ... in a row."""
        transform, offset = self._map
        return pd.Series(transform @ self.solution.params + offset, index=self._param_names)

    # -- covariance -------------------------------------------------------------------------------

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
        return cov.joint_covariance(self._parts, spec.kind, spec.options, spec.use_t)

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
        return np.sqrt(pd.Series(np.diag(self.cov_params()), index=self._param_names))

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

    # -- fit --------------------------------------------------------------------------------------

    @property
    def nobs(self) -> float:
        """Number of observations."""
        return float(len(self.model.endog))

    def _series(self, values: np.ndarray) -> pd.Series:
        return pd.Series(values, index=self.model.design.sample.index)

    @cached_property
    def fittedvalues(self) -> pd.Series:
        """Fitted values, in the user's units and with the rows' labels."""
        inputs = self.estimate.objective.inputs
        values = fitted(self._network, self.solution.params, inputs)
        return self._series(self.estimate.scaling.restore(values))

    @cached_property
    def resid(self) -> pd.Series:
        """Actual less fitted values."""
        return self._series(self.model.endog) - self.fittedvalues

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
    def df_model(self) -> float:
        """Effective degrees of freedom without the constant."""
        return self.edf - self.model.k_constant

    def information_criterion(self, penalty: float) -> float:
        """Compute ``-2 llf + penalty * edf``."""
        return -2.0 * self.llf + penalty * self.edf

    @property
    def llf(self) -> float:
        """Log-likelihood."""
        return self.model.loglike(self.resid.to_numpy(), self.estimate.weights)

    @property
    def aic(self) -> float:
        """Akaike's criterion with effective degrees of freedom."""
        return self.information_criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion with effective degrees of freedom."""
        return self.information_criterion(np.log(self.nobs))

    @property
    def hqic(self) -> float:
        """Hannan and Quinn's criterion with effective degrees of freedom."""
        return self.information_criterion(2.0 * np.log(np.log(self.nobs)))
