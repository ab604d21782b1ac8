"""Several networks for one problem: draws of the procedure that starts at random.

A draw is one start, followed to the chosen penalty as a path is; it ends in the classical model
where that is better. Draws that end in the same minimum all count: a minimum that more starts lead
to weighs more, and the mean of infinitely many draws does not depend on the random numbers.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from nnecon.estimation.estimate import Solver, certify, estimate, solve
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import double_precision, fitted, shares
from nnecon.estimation.path import start_from
from nnecon.estimation.problem import FAST, Chain, Objective, Solution
from nnecon.estimation.sparse_path import there_and_back
from nnecon.nets import Ensemble, LinearPart


def find_members(
    objective: Objective,
    weights: np.ndarray,
    baseline: np.ndarray,
    starts: np.ndarray,
    grid: np.ndarray,
    first: float,
    best: Solution,
    size: int,
    solver: Solver,
    execution: Execution = LOCAL,
) -> list[Solution]:
    """The ``size`` best of the networks that the starts lead to, each with a certificate.

    Parameters
    ----------
    objective, weights
        The problem.
    baseline : ndarray of shape (k,)
        Its classical solution.
    starts : ndarray of shape (n_starts, k)
        Random neural parts, at least ``size``.
    grid : ndarray of shape (m,)
        Finite penalties of the path, descending; that of ``best`` is among them.
    first : float
        The one at which the starts compete.
    best : Solution
        What the path has found. It is the first member, in the place of the best draw.
    size : int
        Number of members.
    solver, execution
        The algorithm, and where it runs.
    """
    classical = certify(
        objective,
        objective.network.canonical(baseline),
        Chain.single(weights, baseline, best.alpha),
        "weighted least squares",
        1,
    )
    route = _route(grid, first, best.alpha, sparse=not objective.penalty.smooth)
    if solver.stochastic:
        route = route[-1:]
    after = np.arange(-1, len(route) - 1)
    chains = [
        Chain(weights, start, grid[route], after, np.inf if solver.stochastic else classical.loss)
        for start in start_from(baseline, starts)
    ]
    traces = estimate(objective, chains, solver, FAST, execution)
    value = np.array([trace.loss[-1] + best.alpha * trace.penalty[-1] for trace in traces])
    value = np.where(np.isfinite(value), value, np.inf)
    drawn = np.argsort(value, kind="stable")[1:size]
    live = [at for at in drawn if value[at] < classical.objective]
    ends = [Chain.single(weights, traces[at].params[-1], best.alpha) for at in live]
    if solver.stochastic:
        found = [
            certify(
                objective, end.start, end, solver.name, int(traces[at].iterations[-1]), traces[at]
            )
            for at, end in zip(live, ends, strict=True)
        ]
    else:
        found = solve(objective, ends, solver, execution=execution)
    rest = [classical] * (len(drawn) - len(found))
    return [best, *sorted(found, key=lambda one: one.objective), *rest]


def _route(grid: np.ndarray, first: float, alpha: float, sparse: bool) -> np.ndarray:
    """Positions on the grid from the penalty ``first`` to ``alpha``.

    Sparse paths go to the dense end first, and lose weights on the way back.
    """
    start, at = (int(np.flatnonzero(grid == penalty)[0]) for penalty in (first, alpha))
    count = int(np.count_nonzero(grid > 0))
    if not sparse or at >= count:
        return np.arange(start, at + 1) if at >= start else np.arange(start, at - 1, -1)
    order = there_and_back(start, count)
    return order[: int(np.flatnonzero(order == at)[-1]) + 1]


def mean_loss(objective: Objective, params: np.ndarray, weights: np.ndarray) -> float:
    """Loss of a network, or of the mean of several whose parameters are stacked."""
    network = objective.network
    if len(params) > network.n_params and isinstance(network, LinearPart):
        network = Ensemble(network, len(params) // network.n_params)
    values = fitted(network, params, objective.inputs)
    with double_precision():
        losses = objective.loss.value(jnp.asarray(objective.target), jnp.asarray(values))
        return float(shares(weights) @ np.asarray(losses))


def join(objective: Objective, members: Sequence[Solution], weights: np.ndarray) -> Solution:
    """One solution from those of the members, with their worst certificate.

    The loss is that of the mean network, the penalty the mean of the members'.
    """
    params = np.concatenate([objective.network.canonical(one.params) for one in members])
    first, worst = members[0], max(members, key=lambda one: one.certificate)
    loss = mean_loss(objective, params, weights)
    penalty = float(np.mean([one.penalty for one in members]))
    left = sum(not one.converged for one in members)
    status = (
        f"All {len(members)} networks converged: the largest relative gradient norm is "
        f"{worst.certificate:.1e}."
    )
    if left:
        status = f"{left} of {len(members)} networks have not converged, the worst: {worst.status}"
    return Solution(
        params,
        first.alpha,
        loss + first.alpha * penalty,
        loss,
        penalty,
        worst.certificate,
        not left,
        sum(one.iterations for one in members),
        first.method,
        status,
        first.history,
    )
