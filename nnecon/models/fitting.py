"""From a standardised problem to a path, its cross-validation and the chosen penalty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nnecon import baselines
from nnecon.data.design import Design
from nnecon.data.sample import Sample
from nnecon.data.scaling import Scaling
from nnecon.estimation import path as paths
from nnecon.estimation.ensemble import find_members, join
from nnecon.estimation.estimate import Solver, certify, polisher
from nnecon.estimation.evidence import evidence
from nnecon.estimation.execution import Execution
from nnecon.estimation.kernels import fitted_many
from nnecon.estimation.problem import Chain, Objective, Solution
from nnecon.estimation.refinement import connect, polish
from nnecon.estimation.resampling import Folds
from nnecon.estimation.smooth_path import trace_paths
from nnecon.estimation.sparse_path import trace_sparse_paths
from nnecon.estimation.trained_path import top_penalty, train_paths
from nnecon.inference.degrees_of_freedom import effective_degrees
from nnecon.inference.effects import changes_along, slopes_along
from nnecon.results.path import (
    CrossValidation,
    RegularizationPath,
    choose_alpha,
    standard_error,
)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A standardised problem, where it comes from, and how it is to be solved.

    ``effects`` gives average partial effects at many parameter vectors (m, k), a column an effect.
    """

    sample: Sample
    effects: Callable[[np.ndarray], pd.DataFrame]
    objective: Objective
    scaling: Scaling
    units: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray
    starts: np.ndarray
    solver: Solver
    folds: Folds | None
    execution: Execution


EXACT_FIT = 1e-20
"""Half the mean squared residual, relative to the variance, at which a fit counts as exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """Solutions along the path, its description, cross-validation, and the chosen penalty."""

    solutions: list[Solution]
    path: RegularizationPath
    cv: CrossValidation | None
    chosen: float

    @property
    def solution(self) -> Solution:
        """The one at the chosen penalty."""
        return next(s for s in self.solutions if s.alpha == self.chosen)


def trace(job: Job, alpha: float | str, alphas: int | np.ndarray) -> Traced:
    """Estimate the path of a job and choose a penalty."""
    weights = job.weights[None]
    if job.folds is not None:
        weights = np.concatenate([weights, job.weights * job.folds.train])
    classical = paths.Baselines.solve(job.objective, weights)
    grid, live = _grid(job, classical, alpha, alphas)
    chain = Chain.single(job.weights, classical.params[0], np.inf)
    solutions = [certify(job.objective, chain.start, chain, "weighted least squares", 1)]
    jumps = np.zeros(1, dtype=bool)
    fold_params = classical.params[1:, None]
    competition = None
    if len(grid) and job.solver.stochastic:
        best, own = train_paths(
            job.objective, weights, classical, grid, job.starts, job.solver, job.execution
        )
        solutions, jumps = [*solutions, *own], np.zeros(len(grid) + 1, dtype=bool)
    elif len(grid):
        best = _follow(job, weights, classical, grid, live)
        last = polisher(job.objective, job.solver)
        own = polish(job.objective, job.weights, best, last, job.execution)
        solutions, jumps = connect(
            job.objective, job.weights, [*solutions, *own], last, job.execution
        )
    if len(grid):
        fold_params = np.concatenate([fold_params, best.params[1:]], axis=1)
        competition = best.competition
    ladder = np.r_[np.inf, grid]
    scores = _Scores.of(job, fold_params) if job.folds is not None else None
    chosen = alpha if isinstance(alpha, float) and alpha in ladder else np.inf
    alpha_min = alpha_1se = None
    if scores is not None:
        alpha_min, alpha_1se = choose_alpha(ladder, scores.network)
        if alpha in ("cv", "1se"):
            chosen = alpha_min if alpha == "cv" else alpha_1se
    log_evidence = None
    if alpha == "evidence":
        many = np.stack([solution.params for solution in solutions])
        found = evidence(job.objective, many, ladder, job.weights)
        chosen, log_evidence = found.alpha_max, found.log_evidence
    cv = None
    if scores is not None:
        place = int(np.flatnonzero(ladder == chosen)[0])
        cv = scores.cross_validation(job, ladder, place, fold_params[:, place])
    described = _describe(job, solutions, jumps, scores, alpha_min, alpha_1se)
    described = replace(described, starts=_starts(competition), log_evidence=log_evidence)
    return Traced(solutions, described, cv, chosen)


def _grid(
    job: Job, classical: paths.Baselines, alpha: float | str, alphas: int | np.ndarray
) -> tuple[np.ndarray, paths.Live | None]:
    """Penalties of the path, and the network that is alive first where it was looked for.

    A given penalty is among them: what is found there does not depend on whether it was given or
    chosen. Mini-batch training starts anew at every penalty and has no path to follow: a given
    penalty is then trained alone.
    """
    if not job.objective.penalised.any() or alpha == np.inf:
        return np.zeros(0), None
    if classical.loss[0] <= EXACT_FIT:
        # the linear model fits up to rounding error, and a network could only fit that
        return np.zeros(0), None
    live = None
    if isinstance(alphas, int) and job.solver.stochastic:
        if isinstance(alpha, float):
            return np.array([alpha]), None
        top = top_penalty(
            job.objective, job.weights, classical, job.starts, job.solver, job.execution
        )
        alphas = paths.alpha_grid(top, 2.0 * float(classical.loss[0]), len(job.weights), alphas)
    elif isinstance(alphas, int):
        live = paths.find_live(
            job.objective, job.weights, classical, job.starts, job.solver, job.execution
        )
        noise = 2.0 * float(classical.loss[0])
        alphas = paths.alpha_grid(live.alpha, noise, len(job.weights), alphas)
    given = [alpha] if isinstance(alpha, float) else []
    return np.unique([*alphas, *given])[::-1], live


def _follow(
    job: Job,
    weights: np.ndarray,
    classical: paths.Baselines,
    grid: np.ndarray,
    live: paths.Live | None,
) -> paths.Paths:
    """Best solutions along the grid for the sample and every fold."""
    positive = grid[grid > 0]
    given = job.objective, weights, classical
    tracer = trace_paths if job.objective.penalty.smooth else trace_sparse_paths
    best = tracer(*given, positive, job.starts, job.solver, job.execution)
    competition = best.competition
    if live is not None:
        best = paths.join_network(*given, best, live, job.solver, job.execution)
    if len(positive) < len(grid):
        best = paths.without_penalty(job.objective, weights, best, job.solver, job.execution)
    return replace(best, competition=competition)


def _starts(competition: paths.Competition | None) -> pd.DataFrame | None:
    """Starts where they compete, a row a penalty and start."""
    if competition is None:
        return None
    count = competition.objective.shape[1]
    return pd.DataFrame(
        {
            "alpha": np.repeat(competition.alphas, count),
            "start": np.tile(np.arange(1, count + 1), len(competition.alphas)),
            "objective": competition.objective.ravel(),
            "followed": competition.followed.ravel(),
        }
    )


def average(job: Job, traced: Traced, size: int) -> Solution:
    """Mean of ``size`` networks at the chosen penalty.

    It is the solution itself where there is one network, or where that is the classical model.
    """
    best = traced.solution
    if size == 1 or best.penalty == 0.0:
        return best
    assert traced.path.starts is not None
    classical = paths.Baselines.solve(job.objective, job.weights[None])
    members = find_members(
        job.objective,
        job.weights,
        classical.params[0],
        job.starts,
        traced.path.alphas[1:],
        float(traced.path.starts["alpha"].iloc[0]),
        best,
        size,
        job.solver,
        job.execution,
    )
    return join(job.objective, members, job.weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Predictions and scores on rows left out: ``network`` (f, m) and ``baseline`` (f,)."""

    network: np.ndarray
    baseline: np.ndarray
    predictions: list[np.ndarray]
    baseline_predictions: list[np.ndarray]

    @classmethod
    def of(cls, job: Job, params: np.ndarray) -> "_Scores":
        """Score the parameters (f, m, k) of every fold."""
        sample, folds = job.sample, job.folds
        assert folds is not None
        network, baseline, own, classical = [], [], [], []
        for fold, (train, test) in enumerate(zip(folds.train, folds.test, strict=True)):
            values = fitted_many(job.objective.network, params[fold], job.objective.inputs)
            predicted = job.scaling.restore(values[:, test])
            reference = baselines.linear_predictions(
                sample.endog, sample.exog, job.weights, train, test
            )
            actual, weights = sample.endog[test], job.weights[test]
            network.append(np.average((actual - predicted) ** 2, axis=1, weights=weights))
            baseline.append(np.average((actual - reference) ** 2, weights=weights))
            own.append(predicted)
            classical.append(reference)
        return cls(np.array(network), np.array(baseline), own, classical)

    def cross_validation(
        self, job: Job, ladder: np.ndarray, chosen: int, params: np.ndarray
    ) -> CrossValidation:
        """As the user sees it, with the folds' parameters (f, k) at the chosen penalty."""
        assert job.folds is not None
        sample, tests = job.sample, job.folds.test
        rows = np.concatenate(tests)
        frame = pd.DataFrame(
            {
                "fold": np.repeat(np.arange(len(tests)), [len(test) for test in tests]),
                "actual": sample.endog[rows],
                "network": np.concatenate([values[chosen] for values in self.predictions]),
                "baseline": np.concatenate(self.baseline_predictions),
            },
            index=sample.index[rows],
        )
        return CrossValidation(
            ladder,
            self.network,
            self.baseline,
            tests,
            job.folds.description,
            frame,
            params,
            job.folds.train,
        )


def _describe(
    job: Job,
    solutions: Sequence[Solution],
    jumps: np.ndarray,
    scores: _Scores | None,
    alpha_min: float | None,
    alpha_1se: float | None,
) -> RegularizationPath:
    """Effects, degrees of freedom and scores along the path."""
    many = np.stack([solution.params for solution in solutions])
    values = fitted_many(job.objective.network, many, job.objective.inputs)
    residuals = job.sample.endog - job.scaling.restore(values)
    freedom = effective_degrees(job.objective, solutions, job.weights)
    alphas = np.array([solution.alpha for solution in solutions])
    return RegularizationPath(
        alphas=alphas,
        edf=freedom,
        train_score=np.average(residuals**2, axis=1, weights=job.weights),
        effects=job.effects(many).set_index(pd.Index(alphas, name="alpha")),
        switches=jumps,
        converged=np.array([solution.converged for solution in solutions]),
        certificate=np.array([solution.certificate for solution in solutions]),
        params=many @ job.units[0].T + job.units[1],
        cv_mean=None if scores is None else scores.network.mean(axis=0),
        cv_se=None if scores is None else standard_error(scores.network),
        alpha_min=alpha_min,
        alpha_1se=alpha_1se,
    )


@dataclass(frozen=True, slots=True, eq=False)
class RegressionEffects:
    """Average partial effects of a design's regressors at parameters of a network."""

    design: Design
    objective: Objective
    scaling: Scaling
    weights: np.ndarray

    def __call__(self, many: np.ndarray) -> pd.DataFrame:
        """Effects at each of ``many`` parameter vectors (m, k), a column a regressor."""
        network, scaling, design = self.objective.network, self.scaling, self.design
        weights = self.weights / self.weights.sum()
        columns = {}
        along: Callable[..., np.ndarray]
        for regressor in design.regressors:
            if regressor.kind == "category":
                first, second = (scaling.rows(exog) for exog in design.contrast(regressor))
                along = changes_along
            else:
                first = self.objective.inputs
                second = scaling.directions(design.direction(regressor))
                along = slopes_along
            columns[regressor.name] = scaling.target_scale * along(
                network, many, first, second, weights
            )
        return pd.DataFrame(columns, index=range(len(many)))
