"""Neural regression: least squares with a network beside the linear part."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from nnecon import baselines
from nnecon.data.design import Design
from nnecon.estimation.estimate import Solver, choose_solver, solve
from nnecon.estimation.execution import Execution
from nnecon.estimation.problem import Chain, Solution
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.exceptions import ConvergenceWarning, SpecificationError
from nnecon.inference.covariance import automatic_lags
from nnecon.models.feedforward import FeedForward
from nnecon.models.fitting import Job, read_alpha, read_alphas, trace
from nnecon.nets import Dense
from nnecon.results.base import CovarianceSpec, Estimate
from nnecon.results.path import RegularizationPath
from nnecon.results.regression import NeuralRegressionResults


class NeuralRegression(FeedForward):
    r"""Regression on a network that contains the linear model, for a continuous outcome.

    .. math::

        y_i = b + x_i'\beta + w'h_L(x_i) + e_i, \qquad
        h_1 = g(b_1 + W_1 x), \; h_l = g(b_l + W_l h_{l-1}) .

    The linear part is not penalised; the network is, by
    :math:`\alpha \tfrac12 \sum_j \theta_j^2` on standardised data, biases included, beside half
    the weighted mean of squared residuals. At ``alpha=inf`` the estimate is OLS (WLS with
    weights), and a regularisation path leads from there to the full network.

    Parameters
    ----------
    endog : array_like of shape (n,)
        Dependent variable.
    exog : array_like of shape (n, p)
        Regressors; as in statsmodels, no constant is added (``statsmodels.api.add_constant``).
    hidden : tuple of int or int
        Units of each hidden layer; ``()`` is the linear model.
    activation : str
        "relu", "logistic", "tanh", "linear", "softplus", "elu" or "gelu".
    linear_part : bool, optional
        Whether regressors also enter linearly, without penalty; True by default. False gives the
        pure network beside an intercept.
    weights : array_like of shape (n,), or str, optional
        Positive observation weights, as in ``statsmodels`` WLS: the variance of row i is
        proportional to ``1 / weights[i]``.
    network : callable, optional
        Your own regression function ``f(params, x)`` of a parameter vector and one row of
        regressors, written with jax.numpy and returning one number: nonlinear least squares with
        standard errors. Replaces ``hidden``, ``activation`` and ``linear_part``; not penalised.
    start_params : array_like, dict or Series, optional
        Start values for ``network``; a dict or Series names the parameters.
    missing : {"raise", "drop"}
        What to do about rows with missing values.

    Raises
    ------
    DataError
        Data that cannot be used; the message names column, row and a way out.
    SpecificationError
        Arguments that contradict each other.

    Notes
    -----
    The network with a linear part goes back to Kuan and White (1994); the smoothness penalty in
    the weights to Hinton (1989).

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.NeuralRegression.from_formula(
    ...     "growth ~ lag(growth, 1, 2) + lag(unemp, 1)", macro, hidden=(4,)
    ... )
    >>> results = model.fit(alpha=0.05)
    >>> results.get_margeff().margeff.index.tolist()
    ['lag(growth, 1)', 'lag(growth, 2)', 'lag(unemp, 1)']
    >>> bool(results.converged)
    True
    """

    results_class = NeuralRegressionResults

    def __init__(
        self,
        endog: Any,
        exog: Any,
        *,
        hidden: Sequence[int] | int = (8,),
        activation: str = "tanh",
        linear_part: bool | None = None,
        weights: Any = None,
        network: Callable[..., Any] | None = None,
        start_params: Any = None,
        missing: str = "raise",
    ) -> None:
        super().__init__(
            Design.from_arrays(endog, exog, missing=missing),
            weights,
            hidden=hidden,
            activation=activation,
            linear_part=linear_part,
            network=network,
            start_params=start_params,
        )

    def loglike(self, resid: np.ndarray, weights: np.ndarray) -> float:
        """Gaussian log-likelihood at the maximum over the variance, as in statsmodels' WLS."""
        half = len(resid) / 2.0
        ssr = float(weights @ resid**2)
        value = -np.log(ssr) * half - (1.0 + np.log(np.pi / half)) * half
        return float(value + 0.5 * np.log(weights).sum())

    # -- estimation -------------------------------------------------------------------------------

    def fit(
        self,
        alpha: float | str = "cv",
        alphas: int | Sequence[float] = 30,
        *,
        cv: int | Splitter | None = None,
        groups: Any = None,
        n_starts: int = 8,
        method: str = "auto",
        rng: int | np.random.Generator = 0,
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        progress: bool = False,
    ) -> NeuralRegressionResults:
        """Estimate.

        Parameters
        ----------
        alpha : float or {"cv", "1se"}
            Penalty of the network, or how to choose it: the least cross-validated error, or the
            largest penalty within one standard error of it. ``inf`` is OLS.
        alphas : int or sequence of float
            Penalties of the path, or how many; the grid then begins where the network first
            beats the classical model. A number given as ``alpha`` joins them: its estimate is the
            one that the path finds there.
        cv : int or scikit-learn splitter, optional
            Folds. By default five: expanding windows for time series, whole groups where there
            are ``groups``, shuffled otherwise. With a number as ``alpha`` there are no folds
            unless ``cv`` is given.
        groups : str or array_like, optional
            One label a row (or a column's name): keeps groups together in folds and clusters the
            covariance.
        n_starts : int
            Random starts of the network; the best counts at each penalty.
        method : {"auto", "lm", "lbfgs"}
            Levenberg-Marquardt, L-BFGS, or the first where its matrices stay small.
        rng : int or numpy.random.Generator
            Seed of starts and shuffled folds; the same number gives the same estimate.
        cov_type : str, optional
            "nonrobust", "HC0", "HC1", "HC2", "HC3", "HAC" or "cluster". By default cluster with
            ``groups``, HAC for time series and HC1 otherwise.
        cov_kwds : dict, optional
            Options of the covariance, as in statsmodels.
        use_t : bool, optional
            t instead of normal distribution; by default for "nonrobust" only.
        progress : bool
            Show a progress bar.

        Returns
        -------
        NeuralRegressionResults
        """
        rule, grid = read_alpha(alpha), read_alphas(alphas)
        whole = isinstance(n_starts, int | np.integer) and not isinstance(n_starts, bool)
        if not whole or n_starts < 1:
            raise SpecificationError(f"n_starts={n_starts!r}: give a whole number of at least 1.")
        solver = choose_solver(method, len(self.endog), self.network.n_params)
        labels = None if groups is None else self.design.align(groups, "groups")
        spec = self._cov_spec(cov_type, cov_kwds, use_t, labels)
        # streams of their own, so that the folds do not depend on the network
        for_starts, for_folds = _generator(rng).spawn(2)
        if not isinstance(self.network, Dense):
            return self._fit_custom(rule, cv, solver, spec, self._baseline(spec))
        self._check_sample()
        baseline = self._baseline(spec)
        if not self.has_network and cv is None:
            rule = np.inf
        starts = np.stack([self.network.init(for_starts) for _ in range(n_starts)])
        folds = None
        if isinstance(rule, str) or cv is not None:
            folds = make_folds(
                cv,
                self.exog,
                self.endog,
                time_series=self.is_time_series,
                groups=labels,
                rng=for_folds,
            )
        objective, scaling = self._objective()
        with tqdm(desc="Estimating", unit="chain", disable=not progress, leave=False) as bar:

            def report(done: float, total: int) -> None:
                bar.total = total
                bar.update(round(done) - bar.n)

            job = Job(
                self.design,
                objective,
                scaling,
                self.user_units(scaling),
                self.weights,
                starts,
                solver,
                folds,
                Execution.check(progress=report),
            )
            solutions, path, scores, chosen = trace(job, rule, grid)
        solution = next(s for s in solutions if s.alpha == chosen)
        self._warn(solution, path, rule)
        names = {"cv": "cross-validation", "1se": "one-standard-error rule"}
        seed = f"rng={rng}" if isinstance(rng, int | np.integer) else "rng given"
        facts = {"alpha": rule, "n_starts": int(n_starts), "rng": seed, "method": method}
        estimate = Estimate(
            solution,
            objective,
            scaling,
            self.weights,
            names.get(str(rule), "the user" if self.has_network else "no network"),
            f"{n_starts} starts, {seed}" if self.has_network else "exact solution",
            baseline,
            path,
            scores,
            facts,
        )
        return NeuralRegressionResults(self, estimate, spec)

    def _baseline(self, spec: CovarianceSpec) -> Any:
        options = dict(spec.options)
        if spec.kind == "HAC":
            options.setdefault("maxlags", automatic_lags(len(self.endog)))
        return baselines.linear(
            self.endog,
            self.exog,
            weights=self.weights if self.weighted else None,
            index=self.design.sample.index,
            endog_name=self.endog_names,
            exog_names=tuple(self.exog_names),
            cov_type=spec.kind,
            cov_kwds=options,
            use_t=spec.use_t,
        )

    def _fit_custom(
        self, rule: float | str, cv: Any, solver: Solver, spec: CovarianceSpec, baseline: Any
    ) -> NeuralRegressionResults:
        """Nonlinear least squares with the user's function."""
        if cv is not None or rule not in ("cv", 0.0):
            raise SpecificationError(
                "network=f(params, x) is estimated without penalty and folds; leave alpha and cv "
                "at their defaults."
            )
        objective, scaling = self._objective()
        start = self.specification.start
        assert start is not None
        self._check_start(objective, start)
        chain = Chain.single(self.weights, start, 0.0)
        solution = solve(objective, [chain], solver)[0]
        self._warn(solution, None, rule)
        estimate = Estimate(
            solution,
            objective,
            scaling,
            self.weights,
            "no penalty",
            "start_params",
            baseline,
            facts={"alpha": 0.0, "method": solver.name},
        )
        return NeuralRegressionResults(self, estimate, spec)

    def _warn(self, solution: Solution, path: RegularizationPath | None, rule: float | str) -> None:
        if not solution.converged:
            warnings.warn(solution.status, ConvergenceWarning, stacklevel=3)
        if path is not None and rule == "cv" and path.alpha_min == path.alphas[-1] < np.inf:
            warnings.warn(
                f"The cross-validated error is least at the smallest penalty, {path.alpha_min:.3g}:"
                " give smaller alphas, or more hidden units.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _generator(rng: int | np.random.Generator) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise SpecificationError(
            f"rng={rng!r}: give a whole number of at least 0 or a numpy.random.Generator."
        ) from error
