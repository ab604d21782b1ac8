"""Neural regression: least squares with a network beside the linear part."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnecon import baselines
from nnecon.data.design import Design, caller_namespace
from nnecon.data.stream import CHUNK_ROWS, Stream
from nnecon.estimation.estimate import Solver, solve
from nnecon.estimation.execution import Execution
from nnecon.estimation.problem import Chain, Solution
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.estimation.training import Training
from nnecon.exceptions import ConvergenceWarning, SpecificationError
from nnecon.models.feedforward import FeedForward
from nnecon.models.fitting import Job, RegressionEffects, average, trace
from nnecon.models.settings import Settings
from nnecon.models.streamed import StreamedRegression
from nnecon.nets import Dense
from nnecon.results.base import CovarianceSpec, Estimate
from nnecon.results.path import RegularizationPath
from nnecon.results.progress import progress_bar
from nnecon.results.regression import NeuralRegressionResults


class NeuralRegression(FeedForward):
    r"""Regression on a network that contains the linear model, for a continuous outcome.

    .. math::

        y_i = b + x_i'\beta + w'h_L(x_i) + e_i, \qquad
        h_1 = g(b_1 + W_1 x), \; h_l = g(b_l + W_l h_{l-1}) .

    The linear part is not penalised; the network is, by
    :math:`\alpha \tfrac12 \sum_j d_j \theta_j^2` on standardised data (:math:`d_j` is 1 for
    weights and .01 for hidden biases), beside half the weighted mean of squared residuals. At
    ``alpha=inf`` the estimate is OLS (WLS with weights), and a regularisation path leads from there
    to the full network.

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

    @classmethod
    def from_parquet(
        cls, path: str | Path, formula: str, *, chunk_rows: int = CHUNK_ROWS, **options: Any
    ) -> StreamedRegression:
        """Build the model on a Parquet file that is read chunk by chunk.

        Parameters
        ----------
        path : str or Path
            The file; only the columns of the formula are read.
        formula : str
            As in :meth:`from_formula`, without lags.
        chunk_rows : int
            Rows that are read at a time.
        **options
            ``subset``, ``drop_cols``, ``missing``, ``weights`` and ``progress`` as in
            :meth:`nnecon.models.streamed.StreamedRegression.from_formula`, and the constructor's
            arguments.

        Returns
        -------
        StreamedRegression
        """
        names = caller_namespace(0)
        return StreamedRegression.over(formula, Stream.of(path, chunk_rows), names, **options)

    @classmethod
    def _over_stream(
        cls, formula: str, stream: Stream, names: Mapping[str, Any], **options: Any
    ) -> StreamedRegression:
        return StreamedRegression.over(formula, stream, names, **options)

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
        L1_wt: float = 0.0,
        group_inputs: bool = False,
        cv: int | Splitter | None = None,
        groups: Any = None,
        n_starts: int = 8,
        ensemble: int = 1,
        method: str | Training = "auto",
        rng: int | np.random.Generator = 0,
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        progress: bool | None = None,
        executor: Executor | Literal["threads"] | None = None,
        checkpoint: str | Path | None = None,
    ) -> NeuralRegressionResults:
        """Estimate.

        Parameters
        ----------
        alpha : float or {"cv", "1se", "evidence"}
            Penalty of the network, or how to choose it: the least cross-validated error, the
            largest penalty within one standard error of it, or the largest marginal likelihood
            (MacKay, 1992), which needs no folds. ``inf`` is OLS.
        alphas : int or sequence of float
            Penalties of the path, or how many; the grid then begins where the network first
            beats the classical model. A number given as ``alpha`` joins them: its estimate is the
            one that the path finds there.
        L1_wt : float
            Share of the penalty, from 0 to 1, that sets parameters to zero exactly: absolute
            values of single weights (Zou and Hastie, 2005), or with ``group_inputs`` norms.
        group_inputs : bool
            Whether the L1 share falls on the norm of all weights that leave one variable, so that
            variables enter the network or stay out as a whole (Yuan and Lin, 2006); see
            ``results.selection``.
        cv : int or scikit-learn splitter, optional
            Folds. By default five: expanding windows for time series, whole groups where there
            are ``groups``, shuffled otherwise. With a number as ``alpha`` there are no folds
            unless ``cv`` is given.
        groups : str or array_like, optional
            One label a row (or a column's name): keeps groups together in folds and clusters the
            covariance.
        n_starts : int
            Random starts of the network. They compete at one penalty; the best are followed along
            the path, and the best of these counts at each penalty.
        ensemble : int
            Networks, from the best of the starts at the chosen penalty, whose mean is the
            estimate; standard errors and intervals then include the spread between them
            (``results.members``). Starts that end in the same network all count. Path and
            cross-validation are those of the single best network. Without a network, or where it
            is zero at the chosen penalty, all members are the classical model, and so is their
            mean.
        method : {"auto", "lm", "lbfgs", "prox", "adam", "sgd"}, nnecon.Adam or nnecon.SGD
            Levenberg-Marquardt, L-BFGS, proximal Gauss-Newton for ``L1_wt > 0``, or mini-batches;
            "auto" chooses by the size of the problem and the penalty. Mini-batches train every
            start anew at every penalty, on every fold: a number as ``alpha`` is then estimated
            without a path, unless ``alphas`` are given.
        rng : int or numpy.random.Generator
            Seed of starts and shuffled folds; the same number gives the same estimate.
        cov_type : str, optional
            Kind of covariance, one of :data:`nnecon.inference.covariance_kinds.KINDS`. By default
            "cluster" with ``groups``, "HAC" for time series and "HC1" otherwise.
        cov_kwds : dict, optional
            Its options, as in statsmodels: see :mod:`nnecon.inference.covariance_kinds`.
        use_t : bool, optional
            t instead of normal distribution; by default for "nonrobust" only.
        progress : bool, optional
            Whether to show a progress bar; by default after two seconds, in a terminal.
        executor : concurrent.futures.Executor or "threads", optional
            Runs the problems instead of this process and its workers: ``ProcessPoolExecutor()``,
            Dask's ``Client.get_executor()``, ``MPIPoolExecutor()``; "threads" stands for this
            process alone. The numbers are the same.
        checkpoint : str or Path, optional
            Folder in which finished problems are kept, so that a fit that was stopped continues
            where it was.

        Returns
        -------
        NeuralRegressionResults
        """
        settings = Settings.check(
            alpha, alphas, L1_wt, group_inputs, n_starts, ensemble, method, rng
        )
        solver = settings.solver(len(self.endog), self.network, time_series=self.is_time_series)
        labels = None if groups is None else self.design.align(groups, "groups")
        spec = self._cov_spec(cov_type, cov_kwds, use_t, labels)
        execution = Execution.check(executor, checkpoint)
        if not isinstance(self.network, Dense):
            return self._fit_custom(settings, cv, solver, spec, execution)
        self._check_sample()
        baseline = self.classical(spec)
        rule = settings.alpha if self.has_network or cv is not None else np.inf
        folds = None
        if rule in ("cv", "1se") or cv is not None:
            folds = make_folds(
                cv,
                self.exog,
                self.endog,
                time_series=self.is_time_series,
                groups=labels,
                rng=settings.for_folds,
                periods=self.design.sample.rows,
                align=self.design.align,
            )
        starts = [self.network.init(settings.for_starts) for _ in range(settings.n_starts)]
        objective, scaling = self._objective(settings.L1_wt, settings.group_inputs)
        with progress_bar(progress) as report:
            job = Job(
                self.design.sample,
                RegressionEffects(self.design, objective, scaling, self.weights),
                objective,
                scaling,
                self.user_units(scaling),
                self.weights,
                np.stack(starts),
                solver,
                folds,
                replace(execution, progress=report),
            )
            traced = trace(job, rule, settings.alphas)
            solution = average(job, traced, settings.ensemble)
        self._warn(solution, traced.path, settings.alpha, solver.stochastic)
        search = f"{settings.n_starts} starts, {settings.seed}"
        if len(solution.params) > self.network.n_params:
            search = f"mean of {settings.ensemble} networks, {settings.seed}"
        estimate = Estimate(
            solution,
            objective,
            scaling,
            self.weights,
            settings.rule if self.has_network else "no network",
            search if self.has_network else "exact solution",
            baseline,
            traced.path,
            traced.cv,
            {**settings.facts, "stochastic": solver.stochastic},
        )
        return NeuralRegressionResults(self, estimate, spec)

    def classical(self, spec: CovarianceSpec) -> Any:
        """OLS, or WLS where there are weights, with a covariance, as statsmodels' results."""
        return baselines.linear(
            self.endog,
            self.exog,
            weights=self.weights if self.weighted else None,
            index=self.design.sample.index,
            endog_name=self.endog_names,
            exog_names=tuple(self.exog_names),
            cov_type=spec.kind,
            cov_kwds=spec.options,
            use_t=spec.use_t,
        )

    def _fit_custom(
        self,
        settings: Settings,
        cv: Any,
        solver: Solver,
        spec: CovarianceSpec,
        execution: Execution,
    ) -> NeuralRegressionResults:
        """Nonlinear least squares with the user's function."""
        if cv is not None or settings.alpha not in ("cv", 0.0) or settings.L1_wt:
            raise SpecificationError(
                "network=f(params, x) is estimated without penalty and folds; leave alpha, L1_wt "
                "and cv at their defaults."
            )
        if settings.ensemble > 1:
            raise SpecificationError(
                f"ensemble={settings.ensemble} averages over random starts, but network=f(params, "
                "x) has one start, start_params; leave ensemble at 1."
            )
        objective, scaling = self._objective()
        start = self.specification.start
        assert start is not None
        self._check_start(objective, start)
        chain = Chain.single(self.weights, start, 0.0)
        solution = solve(objective, [chain], solver, execution=execution)[0]
        self._warn(solution, None, 0.0, solver.stochastic)
        estimate = Estimate(
            solution,
            objective,
            scaling,
            self.weights,
            "no penalty",
            "start_params",
            self.classical(spec),
            facts={"alpha": 0.0, "method": solver.name, "stochastic": solver.stochastic},
        )
        return NeuralRegressionResults(self, estimate, spec)

    def _warn(
        self,
        solution: Solution,
        path: RegularizationPath | None,
        rule: float | str,
        stochastic: bool,
    ) -> None:
        # mini-batches end near a minimum by their nature, which the summary's status tells
        if not solution.converged and not stochastic:
            warnings.warn(solution.status, ConvergenceWarning, stacklevel=3)
        if stochastic and solution.penalty == 0.0 and np.isfinite(solution.alpha):
            warnings.warn(
                f"{solution.status} The estimate is the classical model: give more epochs, a "
                "larger learning_rate or, where the penalty is large, a smaller alpha.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if path is not None and rule == "cv" and path.alpha_min == path.alphas[-1] < np.inf:
            warnings.warn(
                f"The cross-validated error is least at the smallest penalty, {path.alpha_min:.3g}:"
                " give smaller alphas, or more hidden units.",
                ConvergenceWarning,
                stacklevel=3,
            )
