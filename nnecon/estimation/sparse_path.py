r"""Paths of penalties that set parameters to zero, traced by backward elimination.

Weights at zero can be stationary without being best: the gradient of one layer vanishes with the
weights of the next, so that a variable that helps only together with others is not taken up again.
Every path is therefore followed from where the starts compete to the smallest penalty, and from
that dense end all the way back, dropping what no longer pays; of the visits to a penalty the best
counts. The zero network is a candidate everywhere.
"""

from dataclasses import replace

import numpy as np

from nnecon.estimation.estimate import Solver, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.path import FIELDS, Baselines, Competition, Paths, best_of, compete, repair
from nnecon.estimation.problem import FAST, Chain, Objective, Trace

FIRST = (0.6, 1.0)
"""Where along the grid the starts compete."""

KEPT = 4
"""Starts that are followed from each of these places. Minima with other zeros are apart for good,
so that more of them have to be followed than where everything is smooth."""


def trace_sparse_paths(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution = LOCAL,
) -> Paths:
    """Trace the path of every weight vector, as :func:`nnecon.estimation.path.trace_paths` does.

    Parameters
    ----------
    objective : Objective
        With any penalty; the solver has to be made for it.
    weights : ndarray of shape (s, n)
        The sample and its resamples.
    baselines : Baselines
        Their classical solutions.
    alphas : ndarray of shape (m,)
        Positive penalties, descending.
    starts : ndarray of shape (n_starts, k)
        Random neural parts.
    """
    visits = [
        _follow(objective, weights, baselines, alphas, starts, solver, execution, first)
        for first in sorted({int(place * (len(alphas) - 1)) for place in FIRST})
    ]
    fields = [np.concatenate(a, axis=1) for a in zip(*(found for found, _ in visits), strict=True)]
    paths = best_of(fields, alphas, baselines)
    for _ in range(2):
        paths = repair(objective, weights, paths, solver, execution)
    places = [place for _, place in visits]
    competition = Competition(
        np.concatenate([place.alphas for place in places]),
        np.concatenate([place.objective for place in places]),
        np.concatenate([place.followed for place in places]),
    )
    return replace(paths, competition=competition)


def _follow(
    objective: Objective,
    weights: np.ndarray,
    baselines: Baselines,
    alphas: np.ndarray,
    starts: np.ndarray,
    solver: Solver,
    execution: Execution,
    first: int,
) -> tuple[list[np.ndarray], Competition]:
    """Let all starts compete at the penalty ``first`` and follow the best; see :func:`_visits`."""
    standing = compete(
        objective, weights, baselines.params, alphas[first], starts, solver, execution
    )
    ranks = np.argsort(standing.objective, axis=1, kind="stable")[:, :KEPT]
    order = there_and_back(first, len(alphas))
    chains = [
        Chain(
            weights[s],
            standing.params[s, place],
            alphas[order],
            np.arange(-1, len(order) - 1),
            float(baselines.loss[s]),
        )
        for s in range(len(weights))
        for place in ranks[s]
    ]
    followed = estimate(objective, chains, solver, FAST, execution)
    kept = np.isin(np.arange(len(starts)), ranks[0])
    competition = Competition(alphas[[first]], standing.objective[:1], kept[None])
    return _visits(followed, order, (len(weights), ranks.shape[1], len(alphas))), competition


def there_and_back(first: int, m: int) -> np.ndarray:
    """Positions on the grid in the order of solution: to the dense end and all the way back.

    Examples
    --------
    >>> there_and_back(2, 5)
    array([2, 3, 4, 3, 2, 1, 0])
    """
    return np.concatenate([np.arange(first, m), np.arange(m - 2, -1, -1)])


def _visits(
    traces: list[Trace], order: np.ndarray, shape: tuple[int, int, int]
) -> list[np.ndarray]:
    """Params, loss, penalty, iterations with axes (weight vector, start and visit, alpha, ...)."""
    s, kept, m = shape
    turn = int(order.argmax())
    out = np.full(m, -1)
    out[order[: turn + 1]] = np.arange(turn + 1)
    back = np.full(m, turn)
    back[order[turn:]] = np.arange(turn, len(order))
    # penalties that were not visited on the way out have only the way back
    out = np.where(out < 0, back, out)
    fields = []
    for name in FIELDS:
        values = np.stack([getattr(trace, name)[[out, back]] for trace in traces])
        fields.append(values.reshape(s, 2 * kept, *values.shape[2:]))
    return fields
