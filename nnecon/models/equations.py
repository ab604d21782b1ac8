"""Estimation of one equation of a forecaster: penalty grid, expanding windows, draws."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nnecon.data.long_lags import Held
from nnecon.data.scaling import Scaling
from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import Solver, certify
from nnecon.estimation.execution import Execution
from nnecon.estimation.kernels import fitted
from nnecon.estimation.losses import Check
from nnecon.estimation.mean_network import MeanPaths, longer_paths, mean_network, mean_paths
from nnecon.estimation.path import Baselines, classical_solution, find_live, start_from
from nnecon.estimation.problem import Chain, Objective, Solution
from nnecon.estimation.quantile_regression import check_loss
from nnecon.estimation.resampling import Folds
from nnecon.estimation.student import (
    StudentRegression,
    Tail,
    estimate_tail,
    student_regression,
)
from nnecon.estimation.trained_path import top_penalty
from nnecon.inference.degrees_of_freedom import effective_degrees
from nnecon.nets import LinearPart
from nnecon.results.equations import Equation
from nnecon.results.path import (
    CrossValidation,
    RegularizationPath,
    choose_alpha,
    standard_error,
)

PROBES = 2
"""Starts that look for the penalty at which the network comes alive."""

LEAST = 1e-2
"""Smallest penalty of the grid, as a share of the largest: below, networks of macroeconomic samples
have as many effective degrees of freedom as there are rows."""

CROWDED = 1.0 / 3.0
"""Share of the rows that a chosen network may take as effective degrees of freedom. Paths are
traced roughly, as if stopped early: where networks have room to fit all rows, the minimum that is
reported is far from what was scored."""

AT_FIRST, AT_ONCE = 6, 2
"""Penalties of a grid that are tried at first, and at a time afterwards, as long as one of the
last of them has the least error: smaller penalties cost most and hardly ever win then."""

EXTENSIONS, FURTHER = 4, 3
"""How often the grid goes on to smaller penalties where the smallest has the least error, and by
how many."""

LEAD, MOST = 1.0, 0.7
"""Standard errors by which a network has to beat the autoregression on the rows left out, and share
of the folds in which it has to. In linear samples the least error of a grid is below the
autoregression's in a quarter of equations."""

ROUNDS, SETTLED = 30, 1e-3
"""How often weights of Student-t errors are computed anew, and the change at which they stay."""

EXACT_FIT = 1e-20
"""Half the mean squared residual of standardised data at which a linear fit counts as exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One equation, and how it is to be estimated.

    Parameters
    ----------
    name : str
        The series explained.
    index : pandas.Index
        Periods of the n rows.
    endog : ndarray of shape (n,)
        The series, in its units, net of what long lags explain.
    objective, scaling
        The standardised problem.
    effects : callable
        Average effects (e,) by name at parameters (d, k) of draws and coefficients of long lags.
    alpha : float or str
        Penalty, or "cv" or "1se".
    alphas : int or ndarray
        The grid, or its size.
    folds : Folds or None
        Expanding windows.
    starts : ndarray of shape (d, k)
        Random neural parts.
    warm : ndarray of shape (d, k) or None
        Estimates of a sample that is nearly the same, from which the draws start instead.
    solver, execution
        The algorithm, and where it runs.
    weights : ndarray of shape (n,)
        Weights of the rows.
    held : Held
        The long lags.
    student : bool
        Whether errors are Student-t, whose weights are estimated.
    """

    name: str
    index: pd.Index
    endog: np.ndarray
    objective: Objective
    scaling: Scaling
    effects: Callable[[np.ndarray, np.ndarray], pd.Series]
    alpha: float | str
    alphas: int | np.ndarray
    folds: Folds | None
    starts: np.ndarray
    warm: np.ndarray | None
    solver: Solver
    execution: Execution
    weights: np.ndarray
    held: Held
    student: bool = False


def fit_equation(task: Task) -> Equation:
    """Estimate an equation: choose the penalty where it is to be chosen, then all draws at it."""
    objective = task.objective
    robust = None
    if task.student:
        linear = objective.inputs[:, : len(task.scaling.linear)]
        robust = student_regression(linear, objective.target)
        task = replace(task, weights=robust.weights)
    weights = task.weights[None]
    if task.folds is not None:
        weights = np.concatenate([weights, task.weights * task.folds.train])
    classical = Baselines.solve(objective, weights)
    base, rule = classical.params[0], "the user"
    path = cv = None
    alpha = task.alpha if isinstance(task.alpha, float) else np.inf
    if not objective.penalised.any() or classical.loss[0] <= EXACT_FIT:
        alpha, rule = np.inf, "no network"
    elif task.folds is not None:
        found = _search(task, weights, classical)
        path, cv = found.path, found.cv
        if task.alpha in ("cv", "1se"):
            assert path.alpha_min is not None and path.alpha_1se is not None
            alpha = path.alpha_min if task.alpha == "cv" else path.alpha_1se
            rule = "cross-validation" if task.alpha == "cv" else "one-standard-error rule"
            larger = path.alphas[path.alphas >= alpha][::-1]
            alpha = _with_room(task, weights[0], base, larger) if found.leads else np.inf
    if np.isinf(alpha):
        solutions = [classical_solution(objective, weights[0], base)]
    else:
        warm = task.warm is not None
        begin = start_from(base, task.starts) if task.warm is None else task.warm
        solutions = mean_network(
            objective, weights[0], base, alpha, begin, task.solver, task.execution, warm=warm
        )
        if isinstance(objective.loss, Check) and all(one.penalty == 0 for one in solutions):
            # what networks are compared with is the linear minimum of the smoothed loss
            solutions = [classical_solution(objective, weights[0], base)]
    shares, tail = task.weights, None if robust is None else robust.tail
    if robust is not None and any(one.penalty > 0 for one in solutions):
        solutions, shares, tail = _reweighted(task, alpha, solutions, robust)
    edf = float(effective_degrees(objective, solutions, shares).mean()) + task.held.edf
    return Equation(
        task.name, objective, task.scaling, tuple(solutions), alpha, rule, edf, path, cv, shares,
        tail, task.held,
    )  # fmt: skip


def _reweighted(
    task: Task, alpha: float, solutions: list[Solution], robust: StudentRegression
) -> tuple[list[Solution], np.ndarray, Tail]:
    """Networks, weights and tail that belong to each other, from those of the linear equation."""
    objective, tail, weights = task.objective, robust.tail, robust.weights
    network = objective.network
    assert isinstance(network, LinearPart)
    for _ in range(ROUNDS):
        values = [fitted(network, one.params, objective.inputs) for one in solutions]
        residual = objective.target - np.mean(values, axis=0)
        tail = estimate_tail(residual, tail)
        before, weights = weights, tail.weights(residual)
        if np.abs(weights - before).max() < SETTLED:
            break
        base = least_squares(network, objective.inputs, objective.target, weights)
        starts = np.stack([one.params for one in solutions])
        solutions = mean_network(
            objective, weights, base, alpha, starts, task.solver, task.execution, warm=True
        )
        if all(one.penalty == 0 for one in solutions):
            # no network is left, and the linear equation has weights of its own
            base = least_squares(network, objective.inputs, objective.target, robust.weights)
            chain = Chain.single(robust.weights, base, np.inf)
            found = certify(objective, base, chain, "least squares", 1)
            return [found], robust.weights, robust.tail
    return solutions, weights, tail


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    path: RegularizationPath
    cv: CrossValidation
    leads: bool


def _search(task: Task, weights: np.ndarray, classical: Baselines) -> _Search:
    """Paths of sample and folds, their scores, and the penalty with the least error."""
    objective, folds = task.objective, task.folds
    assert folds is not None
    grid = task.alphas
    waiting: list[np.ndarray] = []
    if isinstance(grid, int):
        probes = task.starts[:PROBES]
        one = Baselines(classical.params[:1], classical.loss[:1])
        given = objective, weights[0], one, probes, task.solver, task.execution
        if task.solver.stochastic:
            # what was trained at one penalty is no start for the next
            grid = _grid(top_penalty(*given), grid)
        else:
            grid, waiting = _stages(_grid(find_live(*given, again=False).alpha, grid))
    engine = task.solver, task.execution
    paths = mean_paths(objective, weights, classical, grid, task.starts, *engine)
    scores, baseline, predictions = _scores(task, classical, paths)
    for more in waiting:
        crowded = _freedom(task, paths.params[0, -1], paths.alphas[-1]) > _most_freedom(task)
        if crowded or scores.mean(axis=0).argmin() <= len(paths.alphas) - AT_ONCE:
            break
        paths = longer_paths(objective, weights, classical, paths, more, *engine)
        scores, baseline, predictions = _scores(task, classical, paths)
    ladder = np.r_[np.inf, paths.alphas]
    every = [classical.params[:1], *paths.params[0]]
    freedom = np.array(
        [_freedom(task, draws, alpha) for draws, alpha in zip(every, ladder, strict=True)]
    )
    allowed = freedom <= _most_freedom(task)
    best, sparing = choose_alpha(ladder[allowed], scores[:, allowed])
    at = int(np.flatnonzero(ladder == best)[0])
    at = at if _leads(task, predictions, at) else 0
    rows = np.concatenate(folds.test)
    long = task.held.values[rows]
    frame = pd.DataFrame(
        {
            "fold": np.repeat(np.arange(len(folds)), [len(test) for test in folds.test]),
            "actual": task.endog[rows] + long,
            "network": np.concatenate([values[at] for values in predictions]) + long,
            "baseline": np.concatenate([values[0] for values in predictions]) + long,
        },
        index=task.index[rows],
    )
    cv = CrossValidation(ladder, scores, baseline, folds.test, folds.description, frame)
    path = _describe(task, classical, paths, freedom, scores, best, sparing)
    return _Search(path, cv, at > 0)


def _leads(task: Task, predictions: list[np.ndarray], at: int) -> bool:
    """Whether losses fall by ``LEAD`` standard errors, and in ``MOST`` of the folds.

    Differences of one-step errors of rows left out are hardly correlated in time.
    """
    assert task.folds is not None
    gains = []
    for rows, values in zip(task.folds.test, predictions, strict=True):
        linear, network = task.weights[rows] * _lost(task, rows, values[[0, at]])
        gains.append(linear - network)
    wins = np.mean([fold.mean() > 0 for fold in gains])
    every = np.concatenate(gains)
    lead = every.mean() > LEAD * every.std(ddof=1) / np.sqrt(len(every))
    return bool(lead and wins >= MOST)


def _with_room(task: Task, weights: np.ndarray, base: np.ndarray, alphas: np.ndarray) -> float:
    """The first of ``alphas``, ascending, at which one draw leaves two thirds of the rows.

    Minima take more degrees of freedom than the roughly traced networks that were scored.
    """
    start = start_from(base, task.starts[:1])
    for alpha in alphas[np.isfinite(alphas)]:
        engine = task.solver, task.execution
        found = mean_network(task.objective, weights, base, alpha, start, *engine)
        freedom = effective_degrees(task.objective, found, weights)
        if freedom.mean() + task.held.edf <= _most_freedom(task):
            return float(alpha)
    return np.inf


def _most_freedom(task: Task) -> float:
    """Effective degrees of freedom beyond which no penalty is chosen."""
    return max(CROWDED * len(task.endog), len(task.scaling.linear) + task.held.edf + 1e-6)


def _freedom(task: Task, draws: np.ndarray, alpha: float) -> float:
    """Effective degrees of freedom of the draws (d, k), their mean."""
    weights = task.weights
    solutions = [
        certify(task.objective, params, Chain.single(weights, params, alpha), "", 0)
        for params in draws
    ]
    return float(effective_degrees(task.objective, solutions, weights).mean()) + task.held.edf


def _grid(live: float, size: int) -> np.ndarray:
    """Penalties from just above the live one downwards, finest where the network leaves zero."""
    top, depth = 1.1 * live, np.linspace(0.0, 1.0, size) ** 1.5
    return top * LEAST**depth


def _stages(grid: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """What is tried at first, and what is next where errors still fall."""
    first, rest = grid[:AT_FIRST], grid[AT_FIRST:]
    parts = [rest[at : at + AT_ONCE] for at in range(0, len(rest), AT_ONCE)]
    steps = LEAST ** (np.arange(1, EXTENSIONS * FURTHER + 1) / (2 * FURTHER))
    beyond = grid[-1] * steps.reshape(EXTENSIONS, FURTHER)
    return first, [*parts, *beyond]


def _lost(task: Task, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Squared errors of forecasts (..., r) of some rows (r,), or check functions of quantiles."""
    error, loss = task.endog[rows] - values, task.objective.loss
    return check_loss(error, loss.level) if isinstance(loss, Check) else error**2


def _predicted(task: Task, draws: np.ndarray) -> np.ndarray:
    """Mean network's values on all rows, in the units of the series, shape (n,)."""
    values = [fitted(task.objective.network, params, task.objective.inputs) for params in draws]
    return task.scaling.restore(np.mean(values, axis=0))


def _scores(
    task: Task, classical: Baselines, paths: MeanPaths
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Mean squared errors (f, 1 + m) and of the baseline (f,), and predictions (1 + m, rows)."""
    assert task.folds is not None
    scores, predictions = [], []
    for fold, test in enumerate(task.folds.test):
        draws = [classical.params[1 + fold][None], *paths.params[1 + fold]]
        values = np.stack([_predicted(task, each) for each in draws])[:, test]
        errors = _lost(task, test, values)
        scores.append(np.average(errors, axis=1, weights=task.weights[test]))
        predictions.append(values)
    table = np.array(scores)
    return table, table[:, 0], predictions


def _describe(
    task: Task,
    classical: Baselines,
    paths: MeanPaths,
    freedom: np.ndarray,
    scores: np.ndarray,
    best: float,
    sparing: float,
) -> RegularizationPath:
    """Effects, degrees of freedom and scores of the mean network along the path."""
    alphas = np.r_[np.inf, paths.alphas]
    every = [classical.params[:1], *paths.params[0]]
    weights = task.weights
    certificates, linear, effects, train = [], [], [], []
    p = len(task.scaling.linear)
    for alpha, draws in zip(alphas, every, strict=True):
        solutions = [
            certify(task.objective, params, Chain.single(weights, params, alpha), "", 0)
            for params in draws
        ]
        certificates.append(max(solution.certificate for solution in solutions))
        linear.append(draws[:, :p].mean(axis=0))
        effects.append(task.effects(draws, task.held.coefs))
        errors = _lost(task, np.arange(len(task.endog)), _predicted(task, draws))
        train.append(np.average(errors, weights=weights))
    return RegularizationPath(
        alphas=alphas,
        edf=freedom,
        train_score=np.array(train),
        effects=pd.DataFrame(effects, index=pd.Index(alphas, name="alpha")),
        switches=np.zeros(len(alphas), dtype=bool),
        converged=np.array(certificates) < 1e-2,
        certificate=np.array(certificates),
        params=np.array(linear),
        cv_mean=scores.mean(axis=0),
        cv_se=standard_error(scores),
        alpha_min=best,
        alpha_1se=sparing,
    )
