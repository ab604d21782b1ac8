"""The regularisation path from the classical model to the full network: what all paths share.

Where the network comes alive, the grid of penalties, and the best of what was found. How a path is
traced differs by penalty and solver: see :mod:`nnecon.estimation.smooth_path`,
:mod:`nnecon.estimation.sparse_path` and :mod:`nnecon.estimation.trained_path`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import Solver, certify, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import double_precision, shares
from nnecon.estimation.losses import Check
from nnecon.estimation.problem import FAST, NEXT, Chain, Objective, Solution, Trace
from nnecon.estimation.quantile_regression import exact_solution, smooth_regression
from nnecon.nets import LinearPart

NEAR = 8
"""Penalties along which the first network alive is followed."""

FIELDS = ("params", "loss", "penalty", "iterations")
"""What a path keeps of the traces."""

IMPROVEMENT = 1e-8
"""Relative difference of objectives under which two minima count as the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Competition:
    """How the starts did, on the sample, at the penalties where all of them were solved.

    ``alphas`` (c,); ``objective`` (c, n_starts); ``followed`` (c, n_starts), whether the path was
    followed from there.
    """

    alphas: np.ndarray
    objective: np.ndarray
    followed: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Best solutions of every weight vector (s of them) at every penalty (m, descending).

    ``params`` (s, m, k); ``loss`` and ``penalty`` (s, m); ``iterations`` (s, m), of the winning
    chain; ``competition`` of the starts, where it is known.
    """

    alphas: np.ndarray
    params: np.ndarray
    loss: np.ndarray
    penalty: np.ndarray
    iterations: np.ndarray
    competition: Competition | None = None

    def objective(self) -> np.ndarray:
        """Objectives, shape (s, m)."""
        return self.loss + self.alphas * self.penalty


@dataclass(frozen=True, slots=True, eq=False)
class Baselines:
    """The classical solution of every weight vector: ``params`` (s, k), ``loss`` (s,)."""

    params: np.ndarray
    loss: np.ndarray

    @classmethod
    def solve(cls, objective: Objective, weights: np.ndarray) -> "Baselines":
        """Weighted least squares, or quantile regression, for every row of ``weights``."""
        network, data = objective.network, (objective.inputs, objective.target)
        assert isinstance(network, LinearPart)
        if isinstance(objective.loss, Check):
            own = objective.loss
            params = np.stack([smooth_regression(network, *data, w, own) for w in weights])
        else:
            params = np.stack([least_squares(network, *data, w) for w in weights])
        linear: Any = objective.inputs[:, : network.n_linear]
        target: Any = objective.target
        with double_precision():
            loss = [
                shares(w) @ objective.loss.value(target, linear @ p[: network.n_linear])
                for p, w in zip(params, weights, strict=True)
            ]
        return cls(params, np.array(loss, dtype=float))


def classical_solution(objective: Objective, weights: np.ndarray, baseline: np.ndarray) -> Solution:
    """End of the path with its certificate: ``baseline`` (k,), but quantile regression exactly."""
    if isinstance(objective.loss, Check):
        return exact_solution(objective, weights)
    return certify(objective, baseline, Chain.single(weights, baseline, np.inf), "least squares", 1)


def start_from(baseline: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Random neural parts beside the classical solution, shape (n_starts, k)."""
    return baseline + starts


class Standing(NamedTuple):
    """Solutions (s, n_starts, k) of all starts at one penalty, and their objectives (s, n_starts).

    Objectives that are no numbers are infinite.
    """

    params: np.ndarray
    objective: np.ndarray


def compete(
    objective: Objective,
    weights: np.ndarray,
    baselines: np.ndarray,
    alpha: float,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution,
) -> Standing:
    """Solve every start for every weight vector at one penalty."""
    chains = [
        Chain.single(w, start, alpha)
        for w, base in zip(weights, baselines, strict=True)
        for start in start_from(base, starts)
    ]
    traces = estimate(objective, chains, solver, FAST, execution)
    value = np.array([t.loss[0] + alpha * t.penalty[0] for t in traces])
    value = np.where(np.isfinite(value), value, np.inf)
    shape = len(weights), len(starts)
    params = np.stack([trace.params[0] for trace in traces])
    return Standing(params.reshape(*shape, -1), value.reshape(shape))


def gains(base: float, traces: Sequence[Trace]) -> list[float]:
    """Largest penalty at which each network beats a classical model with the loss ``base``."""
    return [(base - t.loss[0]) / t.penalty[0] if t.penalty[0] > 1e-12 else 0.0 for t in traces]


class Live(NamedTuple):
    """Largest penalty at which a network beats the classical model, and that network (k,)."""

    alpha: float
    params: np.ndarray


def find_live(
    objective: Objective,
    weights: np.ndarray,
    baseline: Baselines,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
    *,
    again: bool = True,
) -> Live:
    r"""Find where the network comes alive.

    The penalty is :math:`\max_\theta (L_0 - L(\theta)) / P(\theta)`, found by Dinkelbach's (1967)
    iteration: solve at the current ratio, then update the ratio. With ``again``, all that was found
    and the random starts are tried at every ratio; otherwise the best so far alone, which is
    nearly as good for a grid and costs a tenth.
    """
    base = float(baseline.loss[0])
    fresh = list(start_from(baseline.params[0], starts))
    live, alpha, points = Live(0.0, baseline.params[0]), 0.02 * base, fresh
    for _ in range(8):
        chains = [Chain.single(weights, point, alpha) for point in points]
        traces = estimate(objective, chains, solver, FAST, execution)
        found = gains(base, traces)
        place = int(np.argmax(found))
        if found[place] <= live.alpha * 1.001:
            break
        live = Live(float(found[place]), traces[place].params[0])
        alpha = live.alpha
        points = [live.params]
        if again:
            points = [trace.params[0] for trace in traces] + fresh
    return live._replace(alpha=max(live.alpha, 1e-3 * base))


def alpha_grid(live: float, noise: float, n_obs: int, size: int) -> np.ndarray:
    """Penalties from just above the live one downwards, finest where the network leaves zero.

    The smallest corresponds to a prior standard deviation of about seven for standardised
    weights, ``noise / (n 7^2)`` with the baseline's mean squared error as ``noise``.
    """
    low = min(live * 1e-2, noise / (50.0 * n_obs))
    depth = np.linspace(0.0, 1.0, size) ** 1.5
    top = 1.1 * live
    return top * (low / top) ** depth


def replaced(paths: Paths, where: Sequence[tuple[int, int]], traces: Sequence[Trace]) -> Paths:
    """Paths with new solutions at some places (weight vector, penalty)."""
    params, loss = paths.params.copy(), paths.loss.copy()
    penalty, iterations = paths.penalty.copy(), paths.iterations.copy()
    for place, trace in zip(where, traces, strict=True):
        params[place], iterations[place] = trace.params[0], trace.iterations[0]
        loss[place], penalty[place] = trace.loss[0], trace.penalty[0]
    return replace(paths, params=params, loss=loss, penalty=penalty, iterations=iterations)


def join_network(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    paths: Paths,
    live: Live,
    solver: Solver,
    execution: Execution = LOCAL,
) -> Paths:
    """Let the network that is alive first compete along every path, from its penalty down."""
    below = np.flatnonzero(paths.alphas <= live.alpha)[:NEAR]
    if not len(below):
        return paths
    after = np.arange(-1, len(below) - 1)
    chains = [Chain(w, live.params, paths.alphas[below], after) for w in weights]
    traces = estimate(objective, chains, solver, NEXT, execution)
    fields = []
    for name in FIELDS:
        values = getattr(paths, name)
        other = values.copy()
        other[:, below] = np.stack([getattr(trace, name) for trace in traces])
        fields.append(np.stack([values, other], axis=1))
    joined = best_of(fields, paths.alphas, baselines)
    return repair(objective, weights, joined, solver, execution)


def without_penalty(
    objective: Objective,
    weights: np.ndarray,
    paths: Paths,
    solver: Solver,
    execution: Execution = LOCAL,
) -> Paths:
    """Continue every path from its smallest penalty to none at all."""
    ends = paths.params[:, -1]
    chains = [Chain.single(w, end, 0.0) for w, end in zip(weights, ends, strict=True)]
    traces = estimate(objective, chains, solver, NEXT, execution)

    def longer(name: str) -> np.ndarray:
        last = np.stack([getattr(trace, name) for trace in traces])
        return np.concatenate([getattr(paths, name), last], axis=1)

    return Paths(
        np.append(paths.alphas, 0.0),
        longer("params"),
        longer("loss"),
        longer("penalty"),
        longer("iterations"),
    )


def best_of(fields: list[np.ndarray], alphas: np.ndarray, baselines: Baselines) -> Paths:
    """Paths of the least objectives among ``fields`` (s, candidates, m, ...) and the baselines."""
    params, loss, penalty, iterations = fields
    value = loss + alphas * penalty
    value = np.where(np.isfinite(value), value, np.inf)
    winner = value.argmin(axis=1)[:, None]
    pick = [np.take_along_axis(field, winner, axis=1)[:, 0] for field in fields[1:]]
    params = np.take_along_axis(params, winner[..., None], axis=1)[:, 0]
    loss, penalty, iterations = pick
    classical = loss + alphas * penalty >= baselines.loss[:, None] * (1 - IMPROVEMENT)
    return Paths(
        alphas,
        np.where(classical[..., None], baselines.params[:, None], params),
        np.where(classical, baselines.loss[:, None], loss),
        np.where(classical, 0.0, penalty),
        np.where(classical, 0, iterations),
    )


def repair(
    objective: Objective, weights: np.ndarray, paths: Paths, solver: Solver, execution: Execution
) -> Paths:
    """Solve again, from the neighbour that proves it, where the objective is not concave."""
    alphas = paths.alphas
    bounds = paths.loss[:, None, :] + alphas[:, None] * paths.penalty[:, None, :]
    source = bounds.argmin(axis=2)
    bound = bounds.min(axis=2)
    where = np.argwhere(bound < paths.objective() * (1 - IMPROVEMENT))
    if not len(where):
        return paths
    chains = [Chain.single(weights[s], paths.params[s, source[s, j]], alphas[j]) for s, j in where]
    traces = estimate(objective, chains, solver, NEXT, execution)
    return replaced(paths, [(int(s), int(j)) for s, j in where], traces)
