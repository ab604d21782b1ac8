r"""Paths of smooth penalties.

The zero network is a strict local minimum for every :math:`\alpha > 0`, so a path traced from the
baseline would never leave it. Paths are therefore traced from a middle penalty in both directions
from several random starts, the zero network is a candidate everywhere, and the best is kept. As
the least objective :math:`\min_\theta L(\theta) + \alpha P(\theta)` is concave in
:math:`\alpha`, a solution found at one penalty bounds the objective at all others: where a
neighbour's bound is lower, the problem is solved again from the neighbour.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nnecon.estimation.estimate import Solver, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.path import (
    FIELDS,
    IMPROVEMENT,
    Baselines,
    Competition,
    Paths,
    best_of,
    compete,
    repair,
    replaced,
)
from nnecon.estimation.problem import FAST, NEXT, Chain, Objective, Trace

FIRST = (0.6, 0.8, 1.0)
"""Where along the grid the starts compete; further on where none of them stays alive."""

AGAIN = 2 / 3
"""The starts are also solved at a larger penalty, this far along to where they competed: minima
differ more between penalties than a path followed from one of them shows."""

KEPT, KEPT_AGAIN = 3, 2
"""Starts of either competition of which the whole path is followed."""

STRIDE = 3
"""Starts are compared at every third penalty; what is between comes from the best of them."""


def trace_paths(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> Paths:
    """Trace the path of every weight vector from its most promising starts and keep the best.

    All starts are solved at one penalty; those that fall behind there are dropped, and the path is
    followed from the others to both ends. The same is done from a larger penalty.
    """
    kept = [min(KEPT, len(starts)), min(KEPT_AGAIN, len(starts))]
    leaders = _compete(objective, weights, baselines, alphas, starts, solver, execution)
    others = _compete_again(
        objective, weights, baselines, alphas, starts, leaders, solver, execution
    )
    chains, visits = [], []
    for w, base, *both in zip(weights, baselines.loss, leaders, others, strict=True):
        for leader, follow in zip(both, kept, strict=True):
            order, after = _both_ways(leader.place, len(alphas))
            points = leader.params[:follow]
            chains += [Chain(w, point, alphas[order], after, base) for point in points]
            visits += [order] * follow
    followed = estimate(objective, chains, solver, FAST, execution)
    shape = (len(weights), sum(kept))
    paths = best_of(_stack(followed, visits, shape, len(alphas)), alphas, baselines)
    visited = [
        np.union1d(*pair)
        for pair in zip(visits[:: sum(kept)], visits[kept[0] :: sum(kept)], strict=True)
    ]
    paths = _fill(objective, weights, paths, visited, solver, execution)
    for _ in range(2):
        paths = repair(objective, weights, paths, solver, execution)
    own = leaders[0]
    among = np.isin(np.arange(len(starts)), own.ranks[: kept[0]])
    competition = Competition(alphas[[own.place]], own.objective[None], among[None])
    return replace(paths, competition=competition)


def _both_ways(first: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions on the grid from ``first`` to both ends in strides, and what each starts from."""
    down = np.unique([*range(first, m, STRIDE), m - 1])
    up = np.unique([*range(first, -1, -STRIDE), 0])[::-1][1:] if first else np.zeros(0, dtype=int)
    order = np.concatenate([down, up])
    after = np.arange(-1, len(order) - 1)
    if len(up):
        after[len(down)] = 0
    return order, after


def _fill(
    objective: Objective,
    weights: np.ndarray,
    paths: Paths,
    visited: Sequence[np.ndarray],
    solver: Solver,
    execution: Execution,
) -> Paths:
    """Solve the penalties between the strides, each from the best solution at the nearest one."""
    m = len(paths.alphas)
    where, chains = [], []
    for s, known in enumerate(visited):
        for at in np.setdiff1d(np.arange(m), known):
            nearest = known[np.abs(known - at).argmin()]
            where.append((s, int(at)))
            chains.append(Chain.single(weights[s], paths.params[s, nearest], paths.alphas[at]))
    return replaced(paths, where, estimate(objective, chains, solver, NEXT, execution))


class _Leaders(NamedTuple):
    """Solutions (n_starts, k) at the penalty in ``place`` of the grid, the best first.

    ``objective`` (n_starts,) in the order of the starts; ``ranks`` the starts, the best first.
    """

    place: int
    params: np.ndarray
    objective: np.ndarray
    ranks: np.ndarray


def _compete(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution,
) -> list[_Leaders]:
    """Solve all starts of every weight vector where at least one of them stays alive.

    A network that has shrunk to zero stays there at all smaller penalties, so that where all have,
    they try again at a smaller one.
    """
    leaders: dict[int, _Leaders] = {}
    for place in sorted({int(share * (len(alphas) - 1)) for share in FIRST}):
        waiting = [s for s in range(len(weights)) if s not in leaders]
        if not waiting:
            break
        standing = compete(
            objective,
            weights[waiting],
            baselines.params[waiting],
            alphas[place],
            starts,
            solver,
            execution,
        )
        last = place == int(FIRST[-1] * (len(alphas) - 1))
        for s, params, value in zip(waiting, *standing, strict=True):
            if last or value.min() < baselines.loss[s] * (1 - IMPROVEMENT):
                ranks = np.argsort(value, kind="stable")
                leaders[s] = _Leaders(place, params[ranks], value, ranks)
    return [leaders[s] for s in range(len(weights))]


def _compete_again(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    leaders: "Sequence[_Leaders]",
    solver: Solver,
    execution: Execution,
) -> list[_Leaders]:
    """Solve all starts at a larger penalty than where they competed."""
    found: dict[int, _Leaders] = {}
    places = np.array([int(AGAIN * leader.place) for leader in leaders])
    for place in np.unique(places):
        same = np.flatnonzero(places == place)
        standing = compete(
            objective,
            weights[same],
            baselines.params[same],
            alphas[place],
            starts,
            solver,
            execution,
        )
        for s, params, value in zip(same, *standing, strict=True):
            ranks = np.argsort(value, kind="stable")
            found[int(s)] = _Leaders(int(place), params[ranks], value, ranks)
    return [found[s] for s in range(len(weights))]


def _stack(
    traces: Sequence[Trace], visits: Sequence[np.ndarray], shape: tuple[int, int], m: int
) -> list[np.ndarray]:
    """Params, loss, penalty, iterations with axes (weight vector, start, alpha, ...).

    Penalties that were not visited have an infinite loss.
    """
    fields = []
    for name in FIELDS:
        first = getattr(traces[0], name)
        missing = np.inf if name == "loss" else 0
        values = np.full((len(traces), m, *first.shape[1:]), missing, dtype=first.dtype)
        for value, trace, visited in zip(values, traces, visits, strict=True):
            value[visited] = getattr(trace, name)
        fields.append(values.reshape(*shape, *values.shape[1:]))
    return fields
