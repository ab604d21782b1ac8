r"""Paths of the mean of several networks, one a random start.

A forecast is the mean over draws of a procedure that starts at random: from each start the nearest
minimum at a middle penalty, followed to both ends of the grid, and the classical model where that
is better. The mean does not hang on which start was lucky, and its errors out of sample are smaller
than those of the network with the best fit (Hansen and Salamon, 1990), so that it is the mean
network whose error chooses the penalty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnecon.estimation.estimate import Solver, certify, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.path import IMPROVEMENT, Baselines, start_from
from nnecon.estimation.problem import FAST, NEXT, Chain, Objective, Options, Solution, Trace
from nnecon.estimation.trained_path import train_all

MIDDLE, HALF_WAY = 0.5, 0.3
"""Where along the grid the starts are solved first: in its middle, and not above this share of the
largest penalty, where many shrink to zero at once."""

FROM_BELOW = 0.25
"""Share of the penalty at which random starts are solved before."""

SOLVED = ("params", "loss", "penalty", "certificate", "iterations")
"""What traces hold of each problem."""

WITHIN = Options(gradient=5e-7, decrease=1e-13, first=300, later=300)
"""How far each draw of the estimate is solved."""


@dataclass(frozen=True, slots=True, eq=False)
class MeanPaths:
    """Networks of every draw, penalty and weight vector.

    Parameters
    ----------
    alphas : ndarray of shape (m,)
        Finite penalties, descending.
    params : ndarray of shape (s, m, d, k)
        Standardised parameters of the d draws.
    objective : ndarray of shape (s, m, d)
        Their objectives.
    """

    alphas: np.ndarray
    params: np.ndarray
    objective: np.ndarray


def mean_paths(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> MeanPaths:
    """Follow every start on every weight vector.

    Parameters
    ----------
    objective : Objective
        The problem.
    weights : ndarray of shape (s, n)
        The sample and its resamples.
    baselines : Baselines
        Their classical solutions.
    alphas : ndarray of shape (m,)
        Finite penalties, descending.
    starts : ndarray of shape (d, k)
        Random neural parts.
    solver, execution
        The algorithm, and where it runs.
    """
    if solver.stochastic:
        return _trained(objective, weights, baselines, alphas, starts, solver, execution)
    first = _first(alphas)
    order = np.concatenate([np.arange(first, len(alphas)), np.arange(first - 1, -1, -1)])
    after = np.arange(-1, len(order) - 1)
    if first:
        after[len(alphas) - first] = 0
    chains = [
        Chain(w, start, alphas[order], after, loss)
        for w, base, loss in zip(weights, baselines.params, baselines.loss, strict=True)
        for start in start_from(base, starts)
    ]
    traces = estimate(objective, chains, solver, FAST, execution)
    return _gathered(traces, alphas, order, baselines)


def _trained(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution,
) -> MeanPaths:
    """Train every start at every penalty anew: mini-batches end near a minimum, not at one."""
    _, traces = train_all(objective, weights, baselines, alphas, starts, solver, execution)
    parts = [traces[at : at + len(alphas)] for at in range(0, len(traces), len(alphas))]
    return _gathered([_joined(part) for part in parts], alphas, np.arange(len(alphas)), baselines)


def _joined(traces: list[Trace]) -> Trace:
    """Traces of single problems as one."""
    solved: dict[str, Any] = {
        name: np.concatenate([getattr(trace, name) for trace in traces]) for name in SOLVED
    }
    return Trace(**solved)


def _first(alphas: np.ndarray) -> int:
    """Position of the penalty at which random starts are solved."""
    below = np.flatnonzero(alphas <= HALF_WAY * alphas[0])
    return max(int(MIDDLE * (len(alphas) - 1)), int(below[0]) if len(below) else 0)


def longer_paths(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    paths: MeanPaths,
    more: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> MeanPaths:
    """Continue all paths from their smallest penalty to smaller ones, ``more`` (m,) descending."""
    ends = paths.params[:, -1]
    after = np.arange(-1, len(more) - 1)
    chains = [
        Chain(w, end, more, after) for w, own in zip(weights, ends, strict=True) for end in own
    ]
    traces = estimate(objective, chains, solver, NEXT, execution)
    found = _gathered(traces, more, np.arange(len(more)), baselines)
    return MeanPaths(
        np.concatenate([paths.alphas, more]),
        np.concatenate([paths.params, found.params], axis=1),
        np.concatenate([paths.objective, found.objective], axis=1),
    )


def _gathered(
    traces: Sequence[Trace], alphas: np.ndarray, order: np.ndarray, baselines: Baselines
) -> MeanPaths:
    """Networks of chains that visited the penalties in ``order``, or the classical solution."""
    count = len(traces) // len(baselines.params)
    params = np.empty((len(traces), len(alphas), traces[0].params.shape[1]))
    value = np.empty((len(traces), len(alphas)))
    for at, trace in enumerate(traces):
        params[at, order] = trace.params
        value[at, order] = trace.loss + alphas[order] * trace.penalty
    params = np.swapaxes(params.reshape(-1, count, *params.shape[1:]), 1, 2)
    value = np.swapaxes(value.reshape(-1, count, len(alphas)), 1, 2)
    classical = baselines.loss[:, None, None]
    worse = ~(value < classical * (1 - IMPROVEMENT))
    return MeanPaths(
        alphas,
        np.where(worse[..., None], baselines.params[:, None, None], params),
        np.where(worse, classical, value),
    )


def mean_network(
    objective: Objective,
    weights: np.ndarray,
    baseline: np.ndarray,
    alpha: float,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
    *,
    warm: bool = False,
) -> list[Solution]:
    """Networks of all draws at one penalty, each with a certificate, the best first.

    Random starts are solved at a smaller penalty first: at the one that is asked for, many shrink
    to zero at once, where a path that comes from below stays alive.

    Parameters
    ----------
    objective, weights, baseline
        The problem (n,) and its classical solution (k,).
    alpha : float
        Penalty.
    starts : ndarray of shape (d, k)
        Where each draw starts, the linear part included: a random neural part beside the classical
        solution, or the estimate of a sample that is nearly the same.
    solver, execution
        The algorithm, and where it runs.
    warm : bool
        Whether the starts are estimates of a sample that is nearly the same.
    """
    chain = Chain.single(weights, baseline, alpha)
    classical = certify(
        objective, objective.network.canonical(baseline), chain, "weighted least squares", 1
    )
    if not warm and not solver.stochastic:
        below = [Chain.single(weights, start, FROM_BELOW * alpha) for start in starts]
        found_below = estimate(objective, below, solver, FAST, execution)
        starts = np.stack([trace.params[0] for trace in found_below])
    chains = [Chain.single(weights, start, alpha) for start in starts]
    traces = estimate(objective, chains, solver, WITHIN, execution)
    found: list[Solution] = []
    for own, trace in zip(chains, traces, strict=True):
        value = trace.loss[0] + alpha * trace.penalty[0]
        if not value < classical.objective * (1 - IMPROVEMENT):
            told = f"{trace.note} The objective is not smaller than the classical model's."
            found.append(replace(classical, status=told) if solver.stochastic else classical)
            continue
        params = objective.network.canonical(trace.params[0])
        count = int(trace.iterations[0])
        found.append(certify(objective, params, own, solver.name, count, trace))
    return sorted(found, key=lambda one: one.objective)


def stacked(solutions: Sequence[Solution]) -> np.ndarray:
    """Parameters of the draws, shape (d, k)."""
    return np.stack([one.params for one in solutions])
