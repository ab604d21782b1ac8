"""Paths of mini-batch training: one training a penalty, start and resample, and the best counts.

Training ends near a minimum instead of at one, so that continuing a solution to the next penalty
proves nothing and costs as much as training anew. All trainings of a start see the same batches.
"""

from dataclasses import replace

import numpy as np

from nnecon.estimation.estimate import Solver, certify, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.path import FIELDS, Baselines, Competition, Paths, best_of, gains, start_from
from nnecon.estimation.problem import FAST, Chain, Objective, Solution, Trace

REFERENCE = 0.02
"""Penalty, in losses of the classical model, at which the upper end of the grid is looked for."""

LEAST = 1e-3
"""The upper end is no smaller than this."""


def top_penalty(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> float:
    """Penalty up to which a network trained at a reference penalty beats the classical model."""
    base = float(baselines.loss[0])
    chains = [
        Chain.single(weights, start, REFERENCE * base)
        for start in start_from(baselines.params[0], starts)
    ]
    traces = estimate(objective, chains, solver, FAST, execution)
    return max(float(max(gains(base, traces))), LEAST * base)


def train_all(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> tuple[list[Chain], list[Trace]]:
    """One training for each weight vector, start and penalty, the latter changing fastest."""
    chains = [
        Chain.single(w, start, alpha)
        for w, base in zip(weights, baselines.params, strict=True)
        for start in start_from(base, starts)
        for alpha in alphas
    ]
    return chains, estimate(objective, chains, solver, FAST, execution)


def train_paths(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> tuple[Paths, list[Solution]]:
    """Train every start at every penalty on every weight vector.

    Parameters
    ----------
    objective : Objective
        The problem.
    weights : ndarray of shape (s, n)
        The sample and its resamples.
    baselines : Baselines
        Their classical solutions, which count where no training ends with a smaller objective.
    alphas : ndarray of shape (m,)
        Finite penalties, descending.
    starts : ndarray of shape (n_starts, k)
        Random neural parts.
    solver, execution
        The training, and where it runs.

    Returns
    -------
    paths : Paths
        The best of the starts.
    solutions : list of Solution
        Of the sample, one a penalty.
    """
    shape = (len(weights), len(starts), len(alphas))
    chains, traces = train_all(objective, weights, baselines, alphas, starts, solver, execution)
    fields = []
    for name in FIELDS:
        values = np.stack([getattr(trace, name)[0] for trace in traces])
        fields.append(values.reshape(*shape, *values.shape[1:]))
    value = (fields[1] + alphas * fields[2])[0]
    everywhere = np.ones((len(alphas), len(starts)), dtype=bool)
    paths = replace(
        best_of(fields, alphas, baselines), competition=Competition(alphas, value.T, everywhere)
    )
    solutions = []
    for at, winner in enumerate(value.argmin(axis=0)):
        place = int(winner) * len(alphas) + at
        chain, trace = chains[place], traces[place]
        if paths.penalty[0, at] > 0:
            params, count = trace.params[0], int(trace.iterations[0])
            params = objective.network.canonical(params)
            solutions.append(certify(objective, params, chain, solver.name, count, trace))
            continue
        found = certify(objective, baselines.params[0], chain, solver.name, 0)
        status = (
            f"{trace.note} No training ended with a smaller objective than the classical model."
        )
        solutions.append(replace(found, status=status))
    return paths, solutions
