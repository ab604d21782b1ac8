"""Estimates of many dependent variables from scratch, as a path finds them.

A random start at a large penalty shrinks to the zero network, which is a strict local minimum.
Paths are therefore begun at a smaller penalty, where networks are alive, and followed from there;
so are the estimates of samples whose network has nothing to do with that of the data.
"""

import numpy as np

from nnecon.estimation.bootstrap import REFIT, Refits
from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import Solver, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import CERTIFIED
from nnecon.estimation.problem import FAST, Chain, Objective
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense

STEP = 2.0
"""Factor between the penalties through which a start is followed, at most."""


def search_afresh(
    objective: Objective,
    weights: np.ndarray,
    alpha: float,
    targets: np.ndarray,
    starts: np.ndarray,
    *,
    begin: float | None = None,
    solver: Solver,
    execution: Execution = LOCAL,
) -> Refits:
    """Estimate the network for every dependent variable, from the same random starts.

    Parameters
    ----------
    objective : Objective
        The problem; its target is not read.
    weights : ndarray of shape (n,)
        Observation weights.
    alpha : float
        Penalty of the estimates.
    targets : ndarray of shape (B, n)
        Dependent variables.
    starts : ndarray of shape (s, k)
        Random starts; of their linear part nothing is used.
    begin : float, optional
        Smaller penalty at which the starts begin, to be followed from there to ``alpha``.
    solver, execution
        The algorithm, and where it runs.

    Returns
    -------
    Refits
        The best of all starts and the zero network, for each dependent variable.
    """
    network = objective.network
    if not isinstance(network, Dense) or solver.stochastic:
        raise SpecificationError("Searches afresh need a network of layers and no mini-batches.")
    classical = np.stack(
        [least_squares(network, objective.inputs, target, weights) for target in targets]
    )
    if np.isinf(alpha):
        known = np.full(len(targets), np.nan), np.ones(len(targets), dtype=bool)
        return Refits(classical, *known)
    through = _ladder(alpha, begin)
    after = np.arange(len(through)) - 1
    begun = np.where(network.neural, starts, 0.0)
    chains = [
        Chain(weights, own + start, through, after, target=target)
        for own, target in zip(classical, targets, strict=True)
        for start in begun
    ]
    traces = estimate(objective, chains, solver, FAST, execution)
    value = np.array([trace.loss[-1] + alpha * trace.penalty[-1] for trace in traces])
    value = np.where(np.isfinite(value), value, np.inf).reshape(len(targets), -1)
    ends = np.array([trace.params[-1] for trace in traces]).reshape(*value.shape, -1)
    best = ends[np.arange(len(targets)), value.argmin(axis=1)]
    # the zero network is a candidate everywhere
    final = [
        Chain.single(weights, start, alpha, target)
        for candidates, target in zip(zip(best, classical, strict=True), targets, strict=True)
        for start in candidates
    ]
    polished = estimate(objective, final, solver, REFIT, execution)
    shape = len(targets), 2
    params = np.array([trace.params[-1] for trace in polished]).reshape(*shape, -1)
    value = np.array([trace.loss[-1] + alpha * trace.penalty[-1] for trace in polished])
    value = np.where(np.isfinite(value), value, np.inf).reshape(shape)
    certificate = np.array([trace.certificate[-1] for trace in polished]).reshape(shape)
    # ties go to the zero network, which comes second
    winner = np.where(value[:, 0] < value[:, 1] * (1.0 - 1e-10), 0, 1)
    each = np.arange(len(targets))
    return Refits(params[each, winner], value[each, winner], certificate[each, winner] < CERTIFIED)


def _ladder(alpha: float, begin: float | None) -> np.ndarray:
    """Penalties from ``begin`` up to ``alpha``, in steps of a factor of two at most."""
    if begin is None or not 0.0 < begin < alpha:
        return np.array([alpha])
    count = int(np.ceil(np.log(alpha / begin) / np.log(STEP)))
    ladder = np.geomspace(begin, alpha, count + 1)
    ladder[-1] = alpha
    return ladder
