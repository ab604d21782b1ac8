"""Estimates of bootstrap samples.

Every draw is the same problem with other weights or another target (:mod:`nnecon.estimation.draws`
says which), so that all draws are one batch for :func:`nnecon.estimation.estimate.estimate`:
threads, executors, checkpoints and progress apply.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.classical import least_squares
from nnecon.estimation.draws import block_length, draw_weights, wild_targets
from nnecon.estimation.estimate import SOLVERS, Solver, estimate
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import CERTIFIED, shares
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Chain, Objective, Options
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense

__all__ = ["Refits", "block_length", "draw_weights", "refit", "wild_targets"]

REFIT = Options(gradient=1e-8, decrease=1e-12, first=200, later=200, warm=True, rough=True)
"""Estimates of a draw: three digits more than the bootstrap's own noise could ever show."""


@dataclass(frozen=True, slots=True, eq=False)
class Refits:
    """Estimates of all draws.

    Parameters
    ----------
    params : ndarray of shape (B, k)
        In the coordinates of the objective; for an ensemble, those of the members side by side.
    objective : ndarray of shape (B,)
        What was minimised; for an ensemble, the members' mean.
    converged : ndarray of bool of shape (B,)
        Whether a draw's certificate is under 1e-6 and its rows identify the classical part.
    """

    params: np.ndarray
    objective: np.ndarray
    converged: np.ndarray


def refit(
    objective: Objective,
    params: np.ndarray,
    alpha: float,
    *,
    weights: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    solver: Solver = SOLVERS["lm"],
    execution: Execution = LOCAL,
    starts: np.ndarray | None = None,
) -> Refits:
    """Estimate every draw again at the same penalty, from the estimate of the sample.

    At ``alpha=inf`` and without hidden units this is (weighted) least squares, in closed form.

    Parameters
    ----------
    objective : Objective
        That of the sample.
    params : ndarray of shape (k,)
        Estimate of the sample, at which draws start. Parameters of several networks side by side
        are an ensemble: each member starts at its own and sees the same draws.
    alpha : float
        Penalty strength.
    weights : ndarray of shape (B, n) or (n,), optional
        Weights of every draw, or of all draws; one by default.
    targets : ndarray of shape (B, n), optional
        Dependent variable of every draw; by default that of the objective.
    solver, execution
        The algorithm, and where it runs.
    starts : ndarray of shape (s, k), optional
        Further starts that every draw tries. The lowest objective counts. A start whose neural part
        is zero makes the classical model a candidate.

    Returns
    -------
    Refits

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.estimation.penalties import Ridge
    >>> network = Dense(2, 0, (), "tanh")
    >>> x = np.column_stack([np.ones(4), [0.0, 1.0, 2.0, 3.0]])
    >>> problem = Objective(network, x, np.array([0.0, 1.0, 2.0, 6.0]), Ridge(np.zeros(2)))
    >>> found = refit(problem, np.zeros(2), 0.0, weights=np.array([[1.0, 1.0, 1.0, 0.0]]))
    >>> found.params.round(6) + 0.0
    array([[0., 1.]])
    """
    drawn_weights, drawn_targets = _draws(objective, weights, targets)
    network = objective.network
    count, rest = divmod(len(params), network.n_params)
    if rest or not count:
        raise SpecificationError(
            f"{len(params)} parameters are not those of networks with {network.n_params} each."
        )
    if starts is not None and (count > 1 or np.shape(starts)[1:] != params.shape):
        raise SpecificationError(
            f"starts: give an array (s, {network.n_params}), and none for an ensemble, whose "
            "members start at their own estimates."
        )
    classical = isinstance(network, Dense) and (np.isinf(alpha) or not network.hidden)
    if np.isinf(alpha) and not classical:
        raise SpecificationError("alpha=inf: the network has no classical part to shrink to.")
    identified = _identified(objective, drawn_weights)
    if classical and objective.loss.least_squares:
        found = _least_squares(objective, drawn_weights, drawn_targets)
    elif classical:
        found = _classical(objective, params, drawn_weights, drawn_targets, execution)
    else:
        members = params.reshape(count, -1)
        first = members if starts is None else np.concatenate([members, starts])
        found = _batch(
            objective, first, count, alpha, drawn_weights, drawn_targets, solver, execution
        )
    if classical and count > 1:
        found = Refits(np.tile(found.params, count), found.objective, found.converged)
    return Refits(found.params, found.objective, found.converged & identified)


def _batch(
    objective: Objective,
    first: np.ndarray,
    members: int,
    alpha: float,
    weights: np.ndarray,
    targets: list[np.ndarray | None],
    solver: Solver,
    execution: Execution,
) -> Refits:
    """Every draw from every start in one batch: members side by side, or the best of the starts."""
    chains = [
        Chain.single(w, start, alpha, y)
        for w, y in zip(weights, targets, strict=True)
        for start in first
    ]
    traces = estimate(objective, chains, solver, REFIT, execution)
    shape = len(targets), len(first)
    params = np.array([trace.params[-1] for trace in traces]).reshape(*shape, -1)
    value = np.array([trace.loss[-1] + alpha * trace.penalty[-1] for trace in traces])
    value = np.where(np.isfinite(value), value, np.inf).reshape(shape)
    relative = np.array([trace.certificate[-1] for trace in traces]).reshape(shape)
    # mini-batches end near a minimum
    converged = np.isfinite(value) & ((relative < CERTIFIED) | solver.stochastic)
    if members > 1:
        return Refits(params.reshape(shape[0], -1), value.mean(axis=1), converged.all(axis=1))
    draw, best = np.arange(shape[0]), value.argmin(axis=1)
    return Refits(params[draw, best], value[draw, best], converged[draw, best])


def _least_squares(
    objective: Objective, weights: np.ndarray, targets: list[np.ndarray | None]
) -> Refits:
    """Weighted least squares for every draw, with the neural part at zero."""
    network = objective.network
    assert isinstance(network, Dense)
    linear = objective.inputs[:, : network.n_linear]
    params = np.empty((len(targets), network.n_params))
    value = np.empty(len(targets))
    for at, (w, y) in enumerate(zip(weights, targets, strict=True)):
        target = objective.target if y is None else y
        params[at] = least_squares(network, objective.inputs, target, w)
        residual = target - linear @ params[at, : network.n_linear]
        value[at] = 0.5 * (shares(w) @ residual**2)
    return Refits(params, value, np.isfinite(value))


def _classical(
    objective: Objective,
    params: np.ndarray,
    weights: np.ndarray,
    targets: list[np.ndarray | None],
    execution: Execution,
) -> Refits:
    """The linear part alone under another loss, by Newton's method."""
    network = objective.network
    assert isinstance(network, Dense)
    size = network.n_linear
    linear = Objective(
        Dense(size, 0, (), network.activation),
        objective.inputs[:, :size],
        objective.target,
        Ridge(np.zeros(size)),
        objective.loss,
    )
    found = _batch(linear, params[None, :size], 1, 0.0, weights, targets, SOLVERS["lm"], execution)
    zeros = np.zeros((len(targets), network.n_params - size))
    return Refits(np.column_stack([found.params, zeros]), found.objective, found.converged)


def _draws(
    objective: Objective, weights: np.ndarray | None, targets: np.ndarray | None
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """Weights (B, n), and the targets of all draws, None where it is the objective's."""
    n_obs = len(objective.target)
    given = [array for array in (weights, targets) if array is not None and array.ndim == 2]
    if not given or len({len(array) for array in given}) > 1:
        raise SpecificationError("Give weights or targets of shape (draws, n), of one length.")
    draws = len(given[0])
    if any(array.shape[-1] != n_obs for array in (weights, targets) if array is not None):
        raise SpecificationError(f"weights and targets need {n_obs} columns, one a row of data.")
    drawn = np.broadcast_to(np.ones(n_obs) if weights is None else weights, (draws, n_obs))
    return drawn, [None] * draws if targets is None else list(targets)


def _identified(objective: Objective, weights: np.ndarray) -> np.ndarray:
    """Whether the rows of each draw identify the coefficients of the classical part."""
    network = objective.network
    same = weights.strides[0] == 0 or not (weights == 0).any()
    if same or not isinstance(network, Dense) or not network.n_linear:
        return np.ones(len(weights), dtype=bool)
    linear = objective.inputs[:, : network.n_linear]
    full = np.linalg.matrix_rank(linear)
    return np.array([np.linalg.matrix_rank(linear[w > 0]) == full for w in weights])
