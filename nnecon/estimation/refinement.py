"""Refine the path of the whole sample: to rounding error, and against its neighbours.

What is reported is solved as far as rounding allows. Every solution is then continued to both
neighbouring penalties, and what continuation cannot reach is marked as a switch to another minimum.
"""

from collections.abc import Sequence

import numpy as np

from nnecon.estimation.estimate import Solver, certify, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.path import Paths
from nnecon.estimation.problem import Chain, Objective, Options, Solution

POLISH = Options(gradient=1e-10, decrease=1e-20, first=200, later=200, warm=True)

TRIAL = Options(gradient=1e-8, decrease=1e-9, first=30, later=30, warm=True, rough=True)

SAME = 1e-6
"""Relative difference of objectives that continuation, which stops early, can tell apart."""

ROUNDS = 20
"""Most rounds in which improved solutions are passed on to neighbours; few need more than four,
but an improvement at one end may have to travel to the other."""


def polish(
    objective: Objective,
    weights: np.ndarray,
    paths: Paths,
    solver: Solver,
    execution: Execution = LOCAL,
) -> list[Solution]:
    """Solutions of the first weight vector as far as rounding allows, each with a certificate."""
    chains = [
        Chain.single(weights, params, alpha)
        for params, alpha in zip(paths.params[0], paths.alphas, strict=True)
    ]
    live = [at for at in range(len(chains)) if paths.penalty[0, at] > 0]
    traces = dict(
        zip(
            live,
            estimate(objective, [chains[at] for at in live], solver, POLISH, execution),
            strict=True,
        )
    )
    solutions = []
    for at, chain in enumerate(chains):
        params, iterations = chain.start, int(paths.iterations[0, at])
        if at in traces:
            params = objective.network.canonical(traces[at].params[0])
            iterations += int(traces[at].iterations[0])
        solutions.append(certify(objective, params, chain, solver.name, iterations))
    return solutions


def connect(
    objective: Objective,
    weights: np.ndarray,
    solutions: Sequence[Solution],
    solver: Solver,
    execution: Execution = LOCAL,
) -> tuple[list[Solution], np.ndarray]:
    """Continue every solution to both neighbouring penalties, keep what is better, mark switches.

    Returns
    -------
    solutions : list of Solution
        None is worse than the continuation of a neighbour, as far as that takes a few rounds.
    jumps : ndarray of bool of shape (m,)
        Where the path switches to another minimum: the continuation of the solution before ends
        in a worse one.
    """
    last = len(solutions) - 1
    alphas = [solution.alpha for solution in solutions]
    params = [solution.params for solution in solutions]
    values = [solution.objective for solution in solutions]
    jumps = np.zeros(len(solutions), dtype=bool)
    changed: set[int] = set()
    # the first solution is the classical model, which is what it is
    pairs = [(at - 1, at) for at in range(1, last + 1)]
    pairs += [(at + 1, at) for at in range(1, last) if solutions[at + 1].penalty > 0]
    for _ in range(ROUNDS):
        if not pairs:
            break
        chains = [Chain.single(weights, params[a], alphas[b]) for a, b in pairs]
        moved = set()
        for (source, at), trace in zip(
            pairs, estimate(objective, chains, solver, TRIAL, execution), strict=True
        ):
            value = trace.loss[0] + alphas[at] * trace.penalty[0]
            if value < values[at] * (1 - SAME):
                params[at], values[at] = trace.params[0], float(value)
                moved.add(at)
            elif source < at:
                jumps[at] = value > values[at] * (1 + SAME)
        changed |= moved
        pairs = [(at, at + 1) for at in sorted(moved) if at < last]
        pairs += [(at - 1, at) for at in sorted(moved) if at - 1 not in moved]
        pairs += [(at, at - 1) for at in sorted(moved) if at > 1]
    best, places = list(solutions), sorted(changed)
    chains = [Chain.single(weights, params[at], alphas[at]) for at in places]
    traces = estimate(objective, chains, solver, POLISH, execution)
    for at, chain, trace in zip(places, chains, traces, strict=True):
        iterations = best[at].iterations + int(trace.iterations[0])
        ordered = objective.network.canonical(trace.params[0])
        best[at] = certify(objective, ordered, chain, solver.name, iterations)
    return best, jumps
