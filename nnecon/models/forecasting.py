"""What all forecasters share: series, windows, the autoregression inside, equations one by one."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.design import caller_namespace
from nnecon.data.frames import as_frame
from nnecon.data.series import Series, named_columns, series_from_arrays, series_of
from nnecon.data.syntax import suggestion
from nnecon.data.windows import (
    Layout,
    Windows,
    linear_names,
    scalings,
    standard_rows,
    windows,
)
from nnecon.estimation.estimate import Solver, choose_solver
from nnecon.estimation.execution import Execution, cores
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Objective
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Folds, Splitter, make_folds
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.lag_effects import LagEffects
from nnecon.models.equations import Task, fit_equation
from nnecon.models.forecast_settings import linear_lags, penalties, read_count
from nnecon.models.settings import read_alphas
from nnecon.nets import Dense, LinearPart
from nnecon.results.forecasting import ForecasterResults
from nnecon.results.immutable import Immutable
from nnecon.results.progress import progress_bar

FIT_ARGUMENTS = frozenset(
    {"alpha", "alphas", "cv", "n_starts", "method", "start", "rng", "progress", "executor"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A sample ready for estimation: windows, standardisation, standardised rows."""

    sample: Windows
    rows: np.ndarray
    scalings: tuple[Any, ...]


class Forecaster(Immutable):
    """A forecaster of one or more series: a vector autoregression with a network in each equation.

    A family says ``_specify`` (its arguments), ``_inputs`` (what the network sees), ``_network``
    (which network that is) and ``description``.
    """

    series: Series
    formula: str | None
    linear_part: bool
    linear_lags: Any
    max_lags: int | None
    lags: tuple[int, ...]
    lag_rule: str
    _given: Mapping[str, Any]
    _specify: Any

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        *,
        predictors: Any = None,
        **specification: Any,
    ) -> None:
        source = {"endog": endog, "exog": exog, "predictors": predictors}
        self._set_up(series_from_arrays(**source), None, specification)

    @classmethod
    def from_formula(cls, formula: str, data: Any, **specification: Any) -> Self:
        """Build the forecaster from a formula and a frame.

        Parameters
        ----------
        formula : str
            Targets, ``~``, and what helps to forecast them: ``"infl + growth ~ unemp + tbilrate"``,
            or ``"growth ~ 1"`` for own lags alone. Lags of all series enter by themselves.
            ``known(x)`` marks a regressor whose value at the forecast period is known and has to be
            given to ``forecast``; ``month``, ``quarter`` and ``trend`` are read off the dates.
        data : DataFrame
            One row a period, in order and without gaps.
        **specification
            As in the constructor.
        """
        model = cls.__new__(cls)
        model._set_up(series_of(formula, data, caller_namespace(0)), formula, specification)
        return model

    def _set_up(
        self,
        series: Series,
        formula: str | None,
        specification: Mapping[str, Any],
    ) -> None:
        self.__dict__.update(series=series, formula=formula)
        known = [*signature(self._specify).parameters]
        for name in specification:
            if name not in known:
                belongs = "; it belongs to fit()" if name in FIT_ARGUMENTS else ""
                close = get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close and not belongs else ""
                raise SpecificationError(
                    f"{type(self).__name__} has no argument {name!r}{belongs}{hint}"
                )
        self.__dict__.update(self._specify(**specification), _given=dict(specification))
        lags, told = linear_lags(
            self.linear_lags, self.max_lags, series, self._known, self.frequency
        )
        self.__dict__.update(lags=lags, lag_rule=told)
        self._check_sample()

    # -- what a family says -----------------------------------------------------------------------

    def _inputs(self, layout: Layout) -> Layout:
        """The layout with what the network sees."""
        raise TypeError(f"{type(self).__name__} does not say what its network sees.")

    def _network(self, layout: Layout) -> LinearPart:
        """The network for a layout."""
        raise TypeError(f"{type(self).__name__} does not say what its network is.")

    @property
    def description(self) -> str:
        """The network in a few words."""
        raise TypeError(f"{type(self).__name__} does not describe its network.")

    # -- data -------------------------------------------------------------------------------------

    @property
    def endog_names(self) -> list[str]:
        """Names of the targets."""
        return list(self.series.terms.targets)

    @property
    def known_names(self) -> list[str]:
        """Names of the regressors that are known in advance, calendar terms at the end."""
        return [*self.series.terms.known, *self.series.calendar(np.arange(1))[1]]

    @property
    def exog_names(self) -> list[str]:
        """Names of the linear regressors, as statsmodels' VAR has them."""
        return linear_names(self.layout, self.series.names, tuple(self.known_names))

    def known_values(self, exog: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Known regressors with the calendar terms of their periods, shape (p, k)."""
        return np.column_stack([exog, self.series.calendar(positions)[0]])

    @cached_property
    def _known(self) -> np.ndarray:
        return self.known_values(self.series.exog, np.arange(len(self.series.endog)))

    @cached_property
    def layout(self) -> Layout:
        """Which numbers of the past make up a row."""
        names = self.known_names
        seen = tuple(at for at, name in enumerate(names) if name != "trend")
        lags = self.lags if self.linear_part else ()
        plain = Layout(len(self.series.names), len(names), lags, network_known=seen)
        return self._inputs(plain)

    @cached_property
    def network(self) -> LinearPart:
        """The network of each equation."""
        return self._network(self.layout)

    @cached_property
    def sample(self) -> Windows:
        """Rows of the estimation."""
        return windows(self.layout, self.series.endog, self._known, self.series.first)

    @property
    def index(self) -> pd.Index:
        """Periods of the rows of the estimation."""
        return self.series.index[self.sample.positions]

    @cached_property
    def frequency(self) -> str:
        """First letter of the frequency: ``"Q"``, ``"M"``, ...; empty for whole numbers."""
        axis = self.series.axis
        if axis.kind == "integer":
            return ""
        return axis.freq_text.lstrip("0123456789")[0]

    def on(self, data: Any, **changes: Any) -> Self:
        """The same specification on other data, for example those known at an earlier date.

        Lags that were chosen by a criterion are chosen anew, unless ``linear_lags`` is given.

        Parameters
        ----------
        data : DataFrame
            One row a period, with the columns of the formula or, in the array interface, columns
            named like the series.
        **changes
            Arguments of the constructor that differ.
        """
        model = type(self).__new__(type(self))
        model._set_up(self.series_in(data), self.formula, {**self._given, **changes})
        return model

    def series_in(self, data: Any) -> Series:
        """The series of the model in other data."""
        data = named_columns(data, [str(name) for name in self.series.frame.columns])
        if self.formula is not None:
            return series_of(self.formula, data, self.series.bindings)
        return self._from_columns(data)

    def _from_columns(self, data: Any) -> Series:
        terms, parts = self.series.terms, []
        data = as_frame(data)
        for names in (terms.targets, terms.known, terms.predictors):
            for name in names:
                if name not in data.columns:
                    raise DataError(f"column {name!r} is missing; {suggestion(name, data.columns)}")
            parts.append(data[list(names)] if names else None)
        return series_from_arrays(*parts)

    def _check_sample(self) -> None:
        sample, layout = self.sample, self.layout
        n, p = len(sample.rows), layout.n_linear
        whole = int(np.isfinite(self.series.endog).all(axis=1).sum())
        if n < p + 2:
            raise DataError(
                f"{whole} periods with all series leave {n} rows for {p} coefficients an "
                f"equation ({len(self.lags)} lags of {layout.n_series} series, a constant and "
                f"{layout.n_known} known regressors); lower linear_lags or give more data"
            )
        names = self.exog_names
        for at in range(1, p):
            if np.ptp(sample.rows[:, at]) == 0.0:
                raise DataError(
                    f"{names[at]} does not vary in the {n} rows of the sample: leave it out"
                )
        columns = sample.linear / np.linalg.norm(sample.linear, axis=0)
        if np.linalg.matrix_rank(columns) < p:
            raise DataError(
                f"the linear regressors {names} are linear combinations of each other in the "
                f"{n} rows of the sample; leave out a series or lower linear_lags"
            )
        for name, column in zip(self.series.names, sample.target.T, strict=True):
            if np.ptp(column) == 0.0:
                raise DataError(
                    f"{name!r} does not vary in the sample: there is nothing to explain"
                )

    @cached_property
    def prepared(self) -> Prepared:
        """Standardised rows."""
        made = scalings(self.sample)
        return Prepared(self.sample, standard_rows(made[0], self.sample.rows), made)

    # -- estimation -------------------------------------------------------------------------------

    def fit(
        self,
        alpha: float | str | Mapping[str, float | str] = "cv",
        alphas: int | Sequence[float] = 10,
        *,
        cv: int | Splitter | None = None,
        n_starts: int = 4,
        method: str = "auto",
        start: Any = None,
        rng: int | np.random.Generator = 0,
        progress: bool | None = None,
        executor: Executor | None = None,
        checkpoint: str | Path | None = None,
    ) -> ForecasterResults:
        """Estimate, equation by equation.

        Parameters
        ----------
        alpha : float, {"cv", "1se"}, or dict of these by target
            Penalty of each equation's network, or how to choose it: the least error in expanding
            windows, or the largest penalty within one standard error of it. ``inf`` is the
            autoregression.
        alphas : int or sequence of float
            Penalties that are tried, or how many; the grid begins where the network first beats
            the autoregression.
        cv : int or splitter, optional
            Folds; by default five expanding windows in time order.
        n_starts : int
            Random starts. The forecast is the mean of the networks that they lead to.
        method : {"auto", "lm", "lbfgs"}
            Second-order steps, in the dual where rows are fewer than parameters, or L-BFGS.
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
        """
        rules, grid = penalties(alpha, self.endog_names, self.has_network), read_alphas(alphas)
        draws = read_count("n_starts", n_starts)
        seeds = generator(rng)
        solver = self._solver(method)
        execution = Execution.check(executor, checkpoint)
        folds = self._folds(cv, rules, seeds.spawn(1)[0])
        starts = self._starts(seeds, draws)
        warm = self._warm(start, draws)
        equations = []
        with progress_bar(progress) as report:
            execution = replace(execution, progress=report)
            if self.network.sequential and executor is None:
                # their steps are calls of milliseconds, which two threads share well
                execution = replace(execution, threads=cores())
            for name in self.series.names:
                rule = rules.get(name, np.inf)
                chosen = folds if rule in ("cv", "1se") or cv is not None else None
                chosen = chosen if name in rules else None
                task = self._task(name, rule, grid, chosen, starts, warm.get(name), solver)
                equations.append(fit_equation(replace(task, execution=execution)))
        told = f"{draws} starts, rng={rng}" if isinstance(rng, Integral) else f"{draws} starts"
        return ForecasterResults(self, tuple(equations), told)

    def _task(
        self,
        name: str,
        rule: float | str,
        grid: int | np.ndarray,
        folds: Folds | None,
        starts: np.ndarray,
        warm: np.ndarray | None,
        solver: Solver,
    ) -> Task:
        at = self.series.names.index(name)
        ready = self.prepared
        scaling, target = ready.scalings[at], ready.sample.target[:, at]
        network = self.network
        objective = Objective(network, ready.rows, scaling.target(target), Ridge(network.penalised))
        effects = LagEffects(network, self.layout, scaling, ready.rows, self.series.names)
        return Task(
            name, self.index, target, objective, scaling, effects, rule, grid, folds, starts,
            warm, solver, Execution(),
        )  # fmt: skip

    @property
    def has_network(self) -> bool:
        """Whether there is a neural part."""
        return self.network.n_params > self.network.n_linear

    def _solver(self, method: str) -> Solver:
        if method not in ("auto", "lm", "lbfgs"):
            raise SpecificationError(
                f"method={method!r} is not known; choose 'auto', 'lm' or 'lbfgs'."
            )
        n, k = len(self.sample.rows), self.network.n_params
        if method == "auto" and self.network.sequential:
            # a step costs n k min(n, k)
            method = "lm" if n * k * min(n, k) <= 2e9 else "lbfgs"
        shallow = isinstance(self.network, Dense) and len(self.network.hidden) == 1
        return choose_solver(method, n, k, shallow=shallow)

    def _folds(
        self, cv: Any, rules: Mapping[str, float | str], rng: np.random.Generator
    ) -> Folds | None:
        if cv is None and not set(rules.values()) & {"cv", "1se"}:
            return None
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

    def _warm(self, start: Any, draws: int) -> dict[str, np.ndarray]:
        """Standardised parameters to start from, by target; none where an equation was linear."""
        if start is None:
            return {}
        if not isinstance(start, ForecasterResults):
            raise SpecificationError("start: give the results of a fit of the same specification.")
        found = {}
        for equation in start.equations:
            params = equation.params
            if equation.objective.network.n_params != self.network.n_params:
                raise SpecificationError(
                    "start: the results have another number of parameters (other lags, window or "
                    "units?); leave it out, or fix linear_lags to a number."
                )
            if len(params) == draws and not equation.is_linear:
                found[equation.name] = params
        return found
