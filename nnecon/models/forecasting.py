"""What all forecasters share: a network and an autoregression in each equation, one by one."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import product
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from nnecon.estimation.estimate import Solver, choose_solver
from nnecon.estimation.execution import Execution, cores
from nnecon.estimation.losses import Check
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Objective
from nnecon.estimation.quantile_regression import smoothed_check
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Folds, Splitter, make_folds
from nnecon.estimation.solvers.minibatch import solver_for
from nnecon.estimation.solvers.minibatch_steps import check
from nnecon.estimation.splitters import ExpandingFolds
from nnecon.estimation.training import Training
from nnecon.exceptions import SpecificationError
from nnecon.inference.lag_effects import LagEffects
from nnecon.models.equations import Task, fit_equation
from nnecon.models.forecast_settings import (
    penalties_ahead,
    penalties_by_level,
    read_count,
    read_method,
)
from nnecon.models.forecaster_data import ForecasterData
from nnecon.models.settings import read_alphas
from nnecon.nets import Dense
from nnecon.results.direct import DirectResults
from nnecon.results.equations import Equation
from nnecon.results.forecast_archive import equations_from_state
from nnecon.results.forecasting import ForecasterResults
from nnecon.results.progress import progress_bar
from nnecon.results.quantiles import QuantileResults


class Forecaster(ForecasterData):
    """A forecaster of one or more series: a vector autoregression with a network in each equation.

    A family says ``_specify`` (its arguments), ``_inputs`` (what the network sees), ``_network``
    (which network that is) and ``description``.
    """

    def fit(
        self,
        alpha: float | str | Mapping[str, float | str] = "cv",
        alphas: int | Sequence[float] = 10,
        *,
        cv: int | Splitter | None = None,
        n_starts: int = 4,
        method: str | Training = "auto",
        start: Any = None,
        rng: int | np.random.Generator = 0,
        progress: bool | None = None,
        executor: Executor | None = None,
        checkpoint: str | Path | None = None,
    ) -> ForecasterResults | DirectResults | QuantileResults:
        """Estimate, equation by equation.

        Parameters
        ----------
        alpha : float, {"cv", "1se"}, or dict of these by target
            Penalty of each equation's network, or how to choose it: the least error in expanding
            windows, or the largest penalty within one standard error of it, and the autoregression
            where the network does not lead by one standard error and in 70% of the windows.
            ``inf`` is the autoregression. With direct forecasts, a dict may hold lists by horizon,
            and with quantiles by level.
        alphas : int or sequence of float
            Penalties that are tried, or about how many: the grid begins where the network first
            beats the autoregression and goes on as long as errors fall.
        cv : int or splitter, optional
            Folds; by default five expanding windows in time order.
        n_starts : int
            Random starts. The forecast is the mean of the networks that they lead to.
        method : {"auto", "lm", "lbfgs", "adam", "sgd"}, nnecon.Adam or nnecon.SGD
            Second-order steps, in the dual where rows are fewer than parameters, or L-BFGS; or
            mini-batches, ``"adam"`` being ``ne.Adam(learning_rate=0.01, batch_size=32,
            epochs=200)``. Their options are those of regressions: ``dropout``, ``weight_decay``,
            ``early_stopping`` on the last rows, ...
        start : ForecasterResults, optional
            Estimates of nearly the same sample, from which the networks start instead of at
            random; for equations with a number as ``alpha``.
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
        ForecasterResults
            With direct forecasts :class:`~nnecon.results.direct.DirectResults`, with
            ``loss="quantile"`` :class:`~nnecon.results.quantiles.QuantileResults`.
        """
        if self.direct and self.lead is None:
            given = {
                "alphas": alphas, "cv": cv, "n_starts": n_starts, "method": method, "rng": rng,
                "progress": progress, "executor": executor, "checkpoint": checkpoint,
            }  # fmt: skip
            return self._fit_horizons(alpha, start, given)
        levels: tuple[float | None, ...] = self.quantiles or (None,)
        rules = penalties_by_level(alpha, self.endog_names, self.has_network, levels)
        grid = read_alphas(alphas)
        draws = read_count("n_starts", n_starts)
        seeds = generator(rng)
        training = read_method(method, self.loss)
        solver = self._solver(training) if isinstance(training, str) else None
        execution = Execution.check(executor, checkpoint)
        folds = self._folds(cv, rules, seeds.spawn(1)[0])
        starts = self._starts(seeds, draws)
        if not isinstance(training, str):
            # a time series: early stopping holds the last rows out
            check(self.network, training)
            solver = solver_for(training, int(seeds.spawn(1)[0].integers(2**31)), blocked=True)
        assert solver is not None
        warm = self._warm(start, draws)
        equations = []
        with progress_bar(progress) as report:
            execution = replace(execution, progress=report)
            if self.network.sequential and executor is None:
                # their steps are calls of milliseconds, which two threads share well
                execution = replace(execution, threads=cores())
            for place in product(self.explained, levels):
                rule = rules.get(place, np.inf)
                chosen = folds if rule in ("cv", "1se") or cv is not None else None
                chosen = chosen if place in rules else None
                task = self._task(place, rule, grid, chosen, starts, warm.get(place), solver)
                equations.append(fit_equation(replace(task, execution=execution)))
        told = f"{draws} starts, rng={rng}" if isinstance(rng, Integral) else f"{draws} starts"
        told += f", {training.name}" if isinstance(training, Training) else ""
        if self.quantiles:
            return QuantileResults(self, (tuple(equations),), told)
        return ForecasterResults(self, tuple(equations), told)

    def _fit_horizons(
        self, alpha: Any, start: Any, options: Mapping[str, Any]
    ) -> DirectResults | QuantileResults:
        """Each horizon of a direct forecaster by itself."""
        assert self.horizon is not None
        family = QuantileResults if self.quantiles else DirectResults
        if start is not None and not isinstance(start, family):
            raise SpecificationError(
                "start: give the results of a fit of the same specification, strategy='direct'."
            )
        parts: list[Any] = []
        rules = penalties_ahead(alpha, self.endog_names, self.horizon)
        for ahead, rule in enumerate(rules):
            before = None if start is None else start.at(min(ahead + 1, len(start.parts)))
            parts.append(self.at(ahead + 1).fit(rule, start=before, **options))
        if self.quantiles:
            return QuantileResults(self, tuple(one.equations for one in parts), parts[0].search)
        return DirectResults(self, tuple(parts))

    def _task(
        self,
        place: tuple[str, float | None],
        rule: float | str,
        grid: int | np.ndarray,
        folds: Folds | None,
        starts: np.ndarray,
        warm: np.ndarray | None,
        solver: Solver,
    ) -> Task:
        name, level = place
        at = self.explained.index(name)
        ready = self.prepared
        scaling, target = ready.scalings[at], ready.sample.target[:, at]
        objective, network = self._objective(at, level), self.network.beside(len(scaling.linear))
        effects = LagEffects(network, self.layout, scaling, ready.rows[at], self.series.names)
        starts = _beside(starts, self.network.n_linear, len(scaling.linear))
        return Task(
            name, self.index, target, objective, scaling, effects, rule, grid, folds, starts,
            warm, solver, Execution(), np.ones(len(target)), self.held[at],
            self.loss == "student",
        )  # fmt: skip

    def _objective(self, at: int, level: float | None) -> Objective:
        """The standardised problem of a series, of its mean or of a quantile."""
        rows, scaling = self.prepared.rows[at], self.prepared.scalings[at]
        network = self.network.beside(len(scaling.linear))
        target = scaling.target(self.prepared.sample.target[:, at])
        plain = Objective(network, rows, target, Ridge(network.penalised))
        if level is None:
            return plain
        return replace(plain, loss=smoothed_check(rows[:, : network.n_linear], target, level))

    def restore(
        self, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> ForecasterResults | QuantileResults:
        """Results from what their ``save`` wrote."""
        levels: tuple[float | None, ...] = self.quantiles or (None,)
        places = product(range(len(self.explained)), levels)
        equations = []
        found = equations_from_state(meta, arrays, self.index)
        for (at, level), kept in zip(places, found, strict=True):
            equations.append(
                Equation(
                    kept.name, self._objective(at, level), self.prepared.scalings[at],
                    kept.solutions, kept.alpha, kept.rule, kept.edf, kept.path, kept.cv,
                    kept.weights, kept.tail, self.held[at],
                )
            )  # fmt: skip
        if self.quantiles:
            return QuantileResults(self, (tuple(equations),), meta["search"])
        return ForecasterResults(self, tuple(equations), meta["search"])

    @property
    def has_network(self) -> bool:
        """Whether there is a neural part."""
        return self.network.n_params > self.network.n_linear

    def _solver(self, method: str) -> Solver:
        n, k = len(self.sample.rows), self.network.n_params
        if method == "auto" and self.network.sequential:
            # a step costs n k min(n, k)
            method = "lm" if n * k * min(n, k) <= 2e9 else "lbfgs"
        shallow = isinstance(self.network, Dense) and len(self.network.hidden) == 1
        return choose_solver(method, n, k, shallow=shallow)

    def _folds(
        self, cv: Any, rules: Mapping[Any, float | str], rng: np.random.Generator
    ) -> Folds | None:
        if cv is None and not set(rules.values()) & {"cv", "1se"}:
            return None
        if self.lead and (cv is None or isinstance(cv, Integral)):
            # what is explained reaches so many periods into the test
            cv = ExpandingFolds(5 if cv is None else int(cv), gap=self.lead)
        return make_folds(
            cv,
            self.sample.linear,
            self.sample.target[:, 0],
            time_series=True,
            groups=None,
            rng=rng,
            periods=self.sample.positions,
        )

    def _starts(self, seeds: np.random.Generator, draws: int) -> np.ndarray:
        return np.stack([self.network.init(each) for each in seeds.spawn(draws)])

    def _warm(self, start: Any, draws: int) -> dict[tuple[str, float | None], np.ndarray]:
        """Standardised parameters to start from, by target and level; none of linear equations."""
        if start is None:
            return {}
        if not isinstance(start, QuantileResults if self.quantiles else ForecasterResults):
            raise SpecificationError("start: give the results of a fit of the same specification.")
        found: dict[tuple[str, float | None], np.ndarray] = {}
        sizes = dict(zip(self.explained, map(len, self.linear_columns), strict=True))
        for equation in start.equations:
            params, loss = equation.params, equation.objective.loss
            if params.shape[1] != self.network.beside(sizes[equation.name]).n_params:
                raise SpecificationError(
                    "start: the results have another number of parameters (other lags, window or "
                    "units?); leave it out, or fix linear_lags to a number."
                )
            if len(params) == draws and not equation.is_linear:
                found[equation.name, loss.level if isinstance(loss, Check) else None] = params
        return found


def _beside(starts: np.ndarray, before: int, n_linear: int) -> np.ndarray:
    """Random starts (d, k) of networks beside another number of linear regressors."""
    zeros = np.zeros((len(starts), n_linear))
    return np.concatenate([zeros, starts[:, before:]], axis=1)
