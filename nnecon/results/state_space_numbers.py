"""The numbers of a recurrent state-space model: parameters, fit, states, criteria, stability."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.data.series import Series
from nnecon.estimation.state_space_likelihood import Likelihood, Moments
from nnecon.estimation.state_space_solution import Fit, Search
from nnecon.exceptions import (
    ConvergenceWarning,
    IdentificationWarning,
    SpecificationError,
    StabilityWarning,
    warn_user,
)
from nnecon.inference.kalman_smoother import Smoothed, smooth
from nnecon.inference.state_space_information import (
    KINDS,
    Covariance,
    covariance,
    degrees_of_freedom,
)
from nnecon.inference.state_space_paths import Stability, stability
from nnecon.results.immutable import Immutable
from nnecon.results.path import CrossValidation, RegularizationPath
from nnecon.results.states import States


@dataclass(frozen=True, slots=True, eq=False)
class StateSpaceEstimate:
    """What ``fit`` hands to the results.

    Attributes
    ----------
    fit : Fit
        Standardised parameters and their certificate.
    alpha : float
        Penalty.
    rule, search : str
        How it was chosen, and starts and random numbers, as phrases for the summary.
    path, cv
        None where they were not computed.
    starts : DataFrame, optional
        The objective that each start came to.
    """

    fit: Fit
    alpha: float
    rule: str
    search: str
    path: RegularizationPath | None = None
    cv: CrossValidation | None = None
    starts: pd.DataFrame | None = None


def check_cov_type(cov_type: str) -> None:
    """Refuse a covariance that does not exist."""
    if cov_type not in KINDS:
        raise SpecificationError(f"cov_type={cov_type!r} is not known; choose one of {[*KINDS]}.")


class StateSpaceNumbers(Immutable):
    """What a recurrent state-space model has found.

    Parameters
    ----------
    model
        The specification on the data of the estimation.
    estimate : StateSpaceEstimate
    cov_type : {"oim", "opg", "robust"}
        Covariance of the parameters.
    data : Series, optional
        The data that states and forecasts are of; by default those of the estimation.
    since : int
        Position of the first period that these results report; those before are its history.
    """

    model: Any
    estimate: StateSpaceEstimate
    cov_type: str
    data: Series
    since: int

    def __init__(
        self,
        model: Any,
        estimate: StateSpaceEstimate,
        cov_type: str = "oim",
        data: Series | None = None,
        since: int = 0,
    ) -> None:
        check_cov_type(cov_type)
        self.__dict__.update(
            model=model,
            estimate=estimate,
            cov_type=cov_type,
            data=model.series if data is None else data,
            since=since,
        )

    def _with(self, **changes: Any) -> Self:
        """The same results with other data or another covariance."""
        given = {name: self.__dict__[name] for name in ("cov_type", "data", "since")}
        return type(self)(self.model, self.estimate, **{**given, **changes})

    def with_cov(self, cov_type: str) -> Self:
        """Results with another covariance of the parameters: ``oim``, ``opg`` or ``robust``."""
        return self._with(cov_type=cov_type)

    # -- parameters -------------------------------------------------------------------------------

    @property
    def _standard(self) -> np.ndarray:
        """Standardised parameters."""
        return self.estimate.fit.params

    @cached_property
    def params(self) -> pd.Series:
        """Parameters in the user's units."""
        values = self.model.units.to_user(self._standard)
        return pd.Series(values, index=self.model.param_names)

    @property
    def alpha(self) -> float:
        """Penalty; infinite where the estimate is the vector autoregression."""
        return self.estimate.alpha

    @property
    def converged(self) -> bool:
        """Whether the largest derivative of the objective is under 1e-6."""
        return self.estimate.fit.converged

    @property
    def is_classical(self) -> bool:
        """Whether the neural part is zero: a vector autoregression."""
        network = self.model.network
        return not self._standard[network.where("loading")].any()

    @property
    def is_linear(self) -> bool:
        """Whether the system is linear, so that forecasts and responses are exact."""
        return self.is_classical or self.model.activation == "linear"

    @property
    def path(self) -> RegularizationPath:
        """Regularisation path from the vector autoregression."""
        return self._there(self.estimate.path)

    @property
    def cv(self) -> CrossValidation:
        """Errors of one-step forecasts in expanding windows, in standardised units."""
        return self._there(self.estimate.cv)

    @staticmethod
    def _there(found: Any) -> Any:
        if found is None:
            raise SpecificationError(
                "the model was estimated at a given penalty, without a path; fit with alpha='cv' "
                "or cv=5."
            )
        return found

    @cached_property
    def _search(self) -> Search:
        """The likelihood of the estimation, with what was free in it."""
        search = self.model._search(self._standard)
        return search.classical() if self.is_classical and not self.model.fixed else search

    @cached_property
    def _covariance(self) -> Covariance:
        """Covariance of the standardised parameters."""
        found = covariance(self._search, self._standard, self.alpha, self.cov_type)
        if found.lacking:
            warn_user(
                f"{found.lacking} directions of the parameters are not identified by these data "
                "(states may be transformed without changing the fit); parameters have no standard "
                "error in them. Read effects, forecasts and responses, or raise alpha.",
                IdentificationWarning,
            )
        return found

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the parameters; zero for those that are fixed."""
        slope = self.model.units.slope
        names = self.model.param_names
        return pd.DataFrame(slope @ self._covariance.matrix @ slope.T, index=names, columns=names)

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors; NaN for parameters that are fixed or not in the estimate."""
        variances = np.diag(self.cov_params().to_numpy())
        fixed = ~self._search.free
        found = np.sqrt(np.where(fixed, np.nan, np.maximum(variances, 0.0)))
        return pd.Series(found, index=self.model.param_names)

    @property
    def tvalues(self) -> pd.Series:
        """Parameters over their standard errors."""
        return self.params / self.bse

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the normal distribution."""
        return pd.Series(2.0 * stats.norm.sf(np.abs(self.tvalues)), index=self.params.index)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the parameters with level ``1 - alpha``."""
        width = stats.norm.ppf(1.0 - alpha / 2.0) * self.bse
        return pd.DataFrame({"lower": self.params - width, "upper": self.params + width})

    # -- data and likelihood ----------------------------------------------------------------------

    @cached_property
    def _known(self) -> np.ndarray:
        """Known regressors at the periods of the data."""
        return self.model.known_values(self.data.exog, self._ordinals(len(self.data.index)))

    def _ordinals(self, count: int) -> np.ndarray:
        """Periods of ``count`` rows from the first of the data, as the model counts them."""
        start = self.model.series.axis.ordinals(self.data.index[:1])[0]
        return start + np.arange(count)

    @cached_property
    def _first(self) -> int:
        """Position of the first row that has a past."""
        reach = self.model.network.reach
        whole = np.isfinite(self.data.endog).all(axis=1)
        for at in range(reach, len(whole)):
            if whole[at - reach : at].all():
                return at
        raise SpecificationError(f"no period of these data follows on {reach} with all series.")

    @cached_property
    def _sample(self) -> Any:
        """Standardised rows of the data."""
        return self.model.sample_of(self.data.endog, self._known, self._first)

    @property
    def _likelihood(self) -> Likelihood:
        return self.model.likelihood_of(self._sample)

    @property
    def _shown(self) -> slice:
        """Rows of the sample that these results report."""
        return slice(max(self.since - self._first, 0), None)

    @property
    def index(self) -> pd.Index:
        """Periods of the rows."""
        return self.data.index[self._first :][self._shown]

    @property
    def nobs(self) -> int:
        """Rows with at least one value."""
        return int(np.isfinite(self._sample.rows.series[self._shown]).any(axis=1).sum())

    @cached_property
    def llf_obs(self) -> np.ndarray:
        """Log-likelihood of each row, shape (n,)."""
        rows = self._sample.rows
        found = self._likelihood.loglikeobs(self._standard, rows)
        return (found - np.isfinite(rows.series) @ np.log(self.model.units.scale))[self._shown]

    @property
    def llf(self) -> float:
        """Log-likelihood."""
        return float(self.llf_obs.sum())

    @cached_property
    def edf(self) -> float:
        """Effective number of parameters, those of covariances included."""
        return degrees_of_freedom(self._search, self._standard, self.alpha)

    @property
    def aic(self) -> float:
        """Akaike's criterion with effective degrees of freedom, as statsmodels' MLEResults."""
        return -2.0 * self.llf + 2.0 * self.edf

    @property
    def bic(self) -> float:
        """Schwarz's criterion with effective degrees of freedom."""
        return -2.0 * self.llf + float(np.log(self.nobs)) * self.edf

    @property
    def hqic(self) -> float:
        """Hannan and Quinn's criterion with effective degrees of freedom."""
        return -2.0 * self.llf + 2.0 * float(np.log(np.log(self.nobs))) * self.edf

    @cached_property
    def _moments(self) -> Moments:
        """One-step forecasts of all rows in the user's units."""
        units = self.model.units
        found = self._likelihood.moments(self._standard, self._sample.rows)
        return Moments(units.series(found.mean), units.covariance(found.covariance))

    @property
    def fittedvalues(self) -> pd.DataFrame:
        """One-step forecasts, a column a series."""
        return self._frame(self._moments.mean[self._shown])

    @property
    def resid(self) -> pd.DataFrame:
        """Errors of one-step forecasts; NaN where the value is missing."""
        actual = self.data.endog[self._first :][self._shown]
        return self._frame(actual) - self.fittedvalues

    @cached_property
    def standardized_resid(self) -> pd.DataFrame:
        """One-step forecast errors over their standard deviations; NaN where these are infinite."""
        variances = np.diagonal(self._moments.covariance, axis1=1, axis2=2)[self._shown]
        return self.resid / np.sqrt(np.where(np.isfinite(variances), variances, np.nan))

    @cached_property
    def sigma_u(self) -> pd.DataFrame:
        """Covariance of the errors of the series (of Student t errors their scale matrix)."""
        where = self.model.network.blocks["factor"][0]
        values = self.params.to_numpy()[where]
        m = len(self.model.endog_names)
        root = np.diag(values)
        if self.model.error_cov == "unstructured":
            root = np.zeros((m, m))
            root[np.tril_indices(m)] = values
        names = self.model.endog_names
        return pd.DataFrame(root @ root.T, index=names, columns=names)

    def _frame(self, values: np.ndarray, index: pd.Index | None = None) -> pd.DataFrame:
        index = self.index if index is None else index
        return pd.DataFrame(values, index=index, columns=self.model.endog_names)

    # -- states -----------------------------------------------------------------------------------

    @property
    def _filter_params(self) -> np.ndarray:
        """Parameters for the filter: Student t errors by their covariance."""
        network = self.model.network
        if not network.student:
            return self._standard
        params = np.array(self._standard)
        df = params[network.where("df")][0]
        params[network.where("factor")] *= np.sqrt(df / (df - 2.0))
        return params

    @property
    def _filter(self) -> Likelihood:
        """The network in the filter: with series in the state where it looks back to them."""
        network = self.model.network
        plain = replace(network, student=False) if network.student else network
        return Likelihood(plain, "augmented" if network.reach else "plain")

    @cached_property
    def _filtered(self) -> tuple[Any, np.ndarray]:
        params = self._filter_params[: self._filter.network.n_params]
        return self._filter.filter(params, self._sample.rows)

    @cached_property
    def _smoothed(self) -> Smoothed:
        return smooth(*self._filtered)

    @cached_property
    def states(self) -> States:
        """States before, after and given all observations."""
        return States(self)

    @cached_property
    def stability(self) -> Stability:
        """Spectral radius of the linearised transition along the sample, and Lyapunov exponent.

        The transition is that of states and series together, errors zero.
        """
        return stability(self._filtered[0].transitions)

    def warn_if_not_converged(self) -> None:
        """Warn where the search for the estimate has not arrived."""
        left = self.estimate.fit.certificate
        if not self.converged:
            warn_user(
                f"the search has not converged at the penalty {self.alpha:g}: the largest "
                f"derivative of the objective is {left:.1e}, more than 1e-6. Use a larger alpha, "
                "stable=True, fewer states or more starts.",
                ConvergenceWarning,
            )

    def warn_if_unstable(self) -> None:
        """Warn where the largest Lyapunov exponent is positive."""
        found = self.stability
        if found.unstable:
            warn_user(
                f"the estimated system is unstable: nearby paths part by {found.exponent:.3f} log "
                "points a period, so that forecasts far ahead mean nothing; use stable=True, a "
                "larger alpha, or differences of the data.",
                StabilityWarning,
            )
