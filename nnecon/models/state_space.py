"""The recurrent network as a state-space model with the face of statsmodels' MLEModel."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.estimation.execution import Execution
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Splitter
from nnecon.estimation.state_space_likelihood import constrained
from nnecon.estimation.state_space_search import classical_fit, least_squares
from nnecon.estimation.state_space_solution import Fit, Search
from nnecon.exceptions import SpecificationError
from nnecon.models.forecast_settings import read_count
from nnecon.models.settings import read_alpha, read_alphas
from nnecon.models.state_space_data import StateSpaceData
from nnecon.models.state_space_fitting import Settings, estimate_model
from nnecon.results.progress import progress_bar
from nnecon.results.state_space import RNNStateSpaceResults
from nnecon.results.state_space_numbers import StateSpaceEstimate, check_cov_type

NOISE = 0.3
"""Standard deviation at which the noise of a state starts, in standard deviations of the series
that it loads on."""

SPECIFIED = (
    "k_states", "activation", "innovations", "state_noise", "linear_part", "lags", "lag_rule",
    "errors", "error_cov", "state_cov", "initialization", "stable",
)  # fmt: skip
"""What a specification consists of."""

DF = 8.0
"""Degrees of freedom of Student t errors at the start."""


class RNNStateSpace(StateSpaceData):
    r"""Recurrent network in state-space form, with the linear state-space model and VAR inside.

    .. math::

        h_t &= g(b + W h_{t-1} + U [y_{t-1}, x_t]) + \eta_t, \\
        y_t &= c + A_1 y_{t-1} + \dots + A_p y_{t-p} + B x_t + V h_t + \varepsilon_t.

    Without noise in the state (``state_noise=False``) the prediction errors give the exact
    likelihood. With it the states are stochastic, and the likelihood is that of the extended Kalman
    filter, which is exact where ``activation="linear"``. The neural part :math:`b, W, U, V` is
    penalised, the linear part is not: at ``alpha=inf`` the estimate is the VAR(p) of statsmodels.

    Parameters
    ----------
    endog : array_like of shape (n,) or (n, m)
        Series, one row a period. Values may be missing; what depends on them is then filtered.
    exog : array_like of shape (n, q), optional
        Regressors whose values at the forecast period are known; needed by ``forecast``.
    k_states : int
        States.
    activation : str
        The g: as in :class:`nnecon.NeuralRegression`; ``"linear"`` gives linear state-space models.
    innovations : bool
        Whether the series of the last period enter the state.
    state_noise : bool
        Whether states are stochastic.
    linear_part : bool
        Whether lags and known regressors enter linearly, without penalty; False leaves a constant.
    linear_lags : {"bic", "aic", "hqic"} or int
        Lags p of the linear part, or the criterion that chooses how many. Zero leaves known
        regressors alone.
    max_lags : int, optional
        Most lags that a criterion may choose; 8 for quarters, otherwise 12.
    errors : {"normal", "t"}
        Distribution of the errors; Student t without state noise alone, and with missing values
        where no later period looks back to them (``innovations=False``, no lags).
    error_cov, state_cov : {"unstructured", "diagonal"}
        Covariances of errors and of the state's noise.
    initialization : str, optional
        Without noise, the state before the first row: ``"zero"`` (the default), ``"estimated"``, or
        ``"conditional"``, which sets the error of the period before to zero (conditional sum of
        squares). With noise, its distribution in the first row: ``"stationary"`` (the default),
        ``"diffuse"`` (linear activations; exact) or ``"zero"``, where it is what a state of zero
        in the period before leads to.
    stable : bool
        Whether the singular values of W stay at .99 or under, so that the state forgets its start:
        the transition is then a contraction for all activations with slopes up to one.

    Raises
    ------
    DataError
        Data that cannot be used; the message names the series, the period and a way out.
    SpecificationError
        Arguments that contradict each other.

    Notes
    -----
    Elman (1990) for the network, Anderson and Moore (1979) for the extended Kalman filter, Durbin
    and Koopman (2012) for the linear model.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.RNNStateSpace.from_formula("infl + growth ~ 1", macro, linear_lags=1)
    >>> results = model.fit(alpha=float("inf"))
    >>> results.forecast(2).round(1)  # doctest: +NORMALIZE_WHITESPACE
             infl  growth
    quarter
    2009Q4    3.7     3.0
    2010Q1    3.8     3.1
    """

    def loglike(self, params: Any, transformed: bool = True) -> float:
        """Log-likelihood of the sample.

        Parameters
        ----------
        params : array_like of shape (k,)
            In the user's units, in the order of ``param_names``.
        transformed : bool
            False where they are unrestricted ones, as optimisers see them.
        """
        return float(self.loglikeobs(params, transformed).sum())

    def loglikeobs(self, params: Any, transformed: bool = True) -> np.ndarray:
        """Log-likelihood of each row, shape (n,); see :meth:`loglike`."""
        standard = self._standard(params, transformed)
        rows = self.sample.rows
        there = np.isfinite(rows.series)
        found = self.likelihood.loglikeobs(standard, rows)
        return found - there @ np.log(self.units.scale)

    def score(self, params: Any) -> np.ndarray:
        """Derivative of the log-likelihood, shape (k,), by automatic differentiation."""
        standard = self._standard(params, True)
        return self._back.T @ self.likelihood.score(standard, self.sample.rows)

    def hessian(self, params: Any) -> np.ndarray:
        """Second derivatives of the log-likelihood, shape (k, k), exact."""
        standard = self._standard(params, True)
        return self._back.T @ self.likelihood.hessian(standard, self.sample.rows) @ self._back

    @property
    def _back(self) -> np.ndarray:
        """Derivative of the standardised parameters by those in the user's units."""
        return np.linalg.inv(self.units.slope)

    def _standard(self, params: Any, transformed: bool) -> np.ndarray:
        given = np.asarray(params, dtype=float)
        if given.shape != (self.network.n_params,):
            raise SpecificationError(
                f"params has the shape {given.shape}; the model has {self.network.n_params} "
                "parameters, listed in param_names."
            )
        lacking = np.flatnonzero(~np.isfinite(given))
        if len(lacking):
            raise SpecificationError(
                f"params: {self.param_names[lacking[0]]!r} is {given[lacking[0]]}; give a number "
                "for every parameter."
            )
        return self.units.to_standard(given if transformed else self.transform_params(given))

    def transform_params(self, unconstrained: Any) -> np.ndarray:
        """Parameters from an unrestricted vector: deviations are squares, W stable if asked for."""
        return constrained(self.network, np.asarray(unconstrained, dtype=float))

    def untransform_params(self, constrained: Any) -> np.ndarray:
        """The unrestricted vector that leads to these parameters."""
        return self.network.unconstrain(np.asarray(constrained, dtype=float))

    @cached_property
    def param_names(self) -> list[str]:
        """Names of the parameters."""
        return self.network.names(tuple(self.endog_names), tuple(self.exog_names))

    @property
    def start_params(self) -> np.ndarray:
        """Where ``fit`` starts: least squares for the linear part, a random network (``rng=0``)."""
        return self.units.to_user(self._start(generator(0)))

    def _start(self, rng: np.random.Generator) -> np.ndarray:
        """A start in standardised coordinates."""
        network = self.network
        start = network.init(rng)
        search = self._search(np.zeros(network.n_params))
        start[network.where("const", "lags", "exog")] = least_squares(search)
        start[network.scales & network.where("factor")] = 0.8
        base = self._fixed_values(start)
        if network.noisy:
            where, shape = network.blocks["loading"]
            size = np.linalg.norm(base[where].reshape(shape), axis=0)
            size = np.where(size > 0, size, 10.0 * max(size.max(), 1e-3))
            own = network.scales & network.where("state_factor")
            start[own] = NOISE / size
        start[network.where("df")] = DF
        return self._fixed_values(start)

    def _fixed_values(self, params: np.ndarray) -> np.ndarray:
        """Standardised parameters with the fixed ones at their values."""
        if not self.fixed:
            return params
        own = pd.Series(self.units.to_user(params), index=self.param_names)
        own[list(self.fixed)] = list(self.fixed.values())
        return self.units.to_standard(own.to_numpy())

    def _search(self, base: np.ndarray) -> Search:
        names = self.param_names
        free = np.array([name not in self.fixed for name in names])
        rows = self.sample.rows
        weights = np.isfinite(rows.series).any(axis=1).astype(float)
        return Search(self.likelihood, rows, weights, free, self._fixed_values(base))

    def fix_params(self, params: Mapping[str, float]) -> Self:
        """The model with some parameters fixed at given values, in the user's units.

        Models do not change, so that this one stays as it is: ``model.fix_params({...}).fit()``.
        Data are then scaled and not centred, as the constant of centred data would depend on other
        parameters.

        Parameters
        ----------
        params : mapping of str to float
            Values by name.
        """
        for name in params:
            if name not in self.param_names:
                raise SpecificationError(
                    f"{name!r} is no parameter; {suggestion(name, self.param_names)}"
                )
        own = [name for name in params if name.startswith("transition.")]
        if self.stable and own and len(own) < self.k_states**2:
            raise SpecificationError(
                "stable=True restricts all of the transition at once: fix all of its entries or "
                "none."
            )
        model = type(self).__new__(type(self))
        model.__dict__.update(
            {name: self.__dict__[name] for name in ("series", "formula", "_given")}
        )
        model.__dict__.update({name: self.__dict__[name] for name in SPECIFIED})
        together = {**self.fixed, **{name: float(value) for name, value in params.items()}}
        model.__dict__["fixed"] = together
        return model

    def fit_constrained(self, constraints: Mapping[str, float], **options: Any) -> Any:
        """Estimate with some parameters fixed; as ``fix_params(constraints).fit(**options)``."""
        return self.fix_params(constraints).fit(**options)

    def fit(
        self,
        alpha: float | str | None = None,
        alphas: int | Sequence[float] = 10,
        *,
        cv: int | Splitter | None = None,
        n_starts: int = 8,
        start_params: Any = None,
        cov_type: str = "oim",
        rng: int | np.random.Generator = 0,
        progress: bool | None = None,
        executor: Executor | None = None,
        checkpoint: str | Path | None = None,
    ) -> RNNStateSpaceResults:
        """Estimate by penalised maximum likelihood.

        Parameters
        ----------
        alpha : float or {"cv", "1se"}, optional
            Penalty of the neural part, or how to choose it: the least squared error of one-step
            forecasts in expanding windows, or the largest penalty within one standard error of it.
            By default ``"cv"``, and 0 (maximum likelihood) where the activation is linear or
            parameters are fixed. ``inf`` is the vector autoregression.
        alphas : int or sequence of float
            Penalties that are tried, or how many; the grid begins where a network first beats the
            autoregression.
        cv : int or splitter, optional
            Folds; by default five expanding windows in time order.
        n_starts : int
            Random starts, which compete.
        start_params : array_like of shape (k,), optional
            Another start, in the user's units.
        cov_type : {"oim", "opg", "robust"}
            Covariance of the parameters: inverse Hessian, outer products of scores, or sandwich.
        rng : int or numpy.random.Generator
            Seed of the starts; the same number gives the same estimate.
        progress : bool, optional
            Whether to show a progress bar; by default after two seconds, in a terminal.
        executor : concurrent.futures.Executor, optional
            Runs the problems instead of this process's threads.
        checkpoint : str or Path, optional
            Folder in which finished problems are kept.

        Returns
        -------
        RNNStateSpaceResults

        Warns
        -----
        ConvergenceWarning
            The largest derivative of the objective at the estimate is over 1e-6.
        StabilityWarning
            The system moves away from where it is: its largest Lyapunov exponent is positive.
        """
        neural = [
            name
            for name, size in zip(self.param_names, self.network.penalised, strict=True)
            if size > 0 and name in self.fixed
        ]
        if alpha is None:
            alpha = 0.0 if self.activation == "linear" or neural else "cv"
        rule = read_alpha(alpha)
        if rule == "evidence":
            raise SpecificationError(
                "alpha='evidence' is not available for state-space models; use 'cv', '1se' or a "
                "number."
            )
        if neural and (isinstance(rule, str) or np.isinf(rule)):
            raise SpecificationError(
                f"alpha={alpha!r} leads to the classical model, but {neural[0]!r} is fixed; give a "
                "finite penalty, 0 for maximum likelihood."
            )
        check_cov_type(cov_type)
        draws = read_count("n_starts", n_starts)
        seeds = generator(rng)
        for_folds = seeds.spawn(1)[0]
        starts = [self._start(each) for each in seeds.spawn(draws)]
        given = None if start_params is None else self._standard(start_params, True)
        told = f"{draws} starts, rng={rng}" if isinstance(rng, Integral) else f"{draws} starts"
        execution = Execution.check(executor, checkpoint)
        settings = Settings(rule, read_alphas(alphas), cv, starts, given, for_folds)
        with progress_bar(progress) as report:
            estimate = estimate_model(
                self, self._search(starts[0]), settings, replace(execution, progress=report)
            )
        results = RNNStateSpaceResults(self, replace(estimate, search=told), cov_type=cov_type)
        results.warn_if_not_converged()
        results.warn_if_unstable()
        return results

    def results_at(self, params: Any, cov_type: str = "oim") -> RNNStateSpaceResults:
        """Results at any parameters, in the user's units: states, forecasts, responses.

        Parameters
        ----------
        params : array_like of shape (k,)
            In the order of ``param_names``.
        cov_type : {"oim", "opg", "robust"}
            As in :meth:`fit`.
        """
        standard = self._standard(params, True)
        value = -float(self.likelihood.loglikeobs(standard, self.sample.rows).mean())
        fit = Fit(standard, value, value, np.nan, 0)
        return RNNStateSpaceResults(
            self, StateSpaceEstimate(fit, 0.0, "given parameters", "none"), cov_type=cov_type
        )

    def filter(self, params: Any) -> RNNStateSpaceResults:
        """Results at these parameters; see :meth:`results_at`."""
        return self.results_at(params)

    def smooth(self, params: Any) -> RNNStateSpaceResults:
        """Results at these parameters; their ``states.smoothed`` are computed when asked for."""
        return self.results_at(params)

    def simulate(self, params: Any, nsimulations: int, **options: Any) -> pd.DataFrame:
        """Simulated series at some parameters.

        Parameters
        ----------
        params : array_like of shape (k,)
            In the user's units.
        nsimulations : int
            Periods.
        **options
            Of :meth:`RNNStateSpaceResults.simulate`.
        """
        return self.results_at(params).simulate(nsimulations, **options)

    @cached_property
    def classical(self) -> Fit:
        """The vector autoregression on the same rows."""
        return classical_fit(self._search(self._start(generator(0))))

    def results_of_classical(self) -> RNNStateSpaceResults:
        """Results of the vector autoregression on the same rows."""
        estimate = StateSpaceEstimate(self.classical, np.inf, "the classical model", "none")
        return RNNStateSpaceResults(self, estimate)

    @property
    def description(self) -> str:
        """The network in a few words."""
        noise = "stochastic" if self.state_noise else "innovations form"
        if not self.state_noise and not self.innovations:
            noise = "deterministic"
        states = "1 state" if self.k_states == 1 else f"{self.k_states} states"
        return f"{states}, {self.activation}, {noise}"
