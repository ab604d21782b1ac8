"""Effective degrees of freedom along a path."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nnecon.estimation.execution import one_blas_thread
from nnecon.estimation.gauss_newton import GaussNewton
from nnecon.estimation.kernels import (
    double_precision,
    filled,
    fitted,
    is_sequential,
    kernels,
    shares,
)
from nnecon.estimation.local_model import local_model
from nnecon.estimation.problem import Objective, Solution
from nnecon.inference.covariance import bread, penalised_moments
from nnecon.nets import LinearPart


def effective_degrees(
    objective: Objective, solutions: Sequence[Solution], weights: np.ndarray
) -> np.ndarray:
    r"""Trace of :math:`(H + \alpha D)^{-1} H` at every solution, shape (m,).

    ``H`` is the Gauss-Newton matrix. Where it is badly conditioned, or where the penalty has
    kinks, the trace comes from singular values (:func:`nnecon.inference.covariance.bread`).
    """
    model = local_model(objective.network, objective.loss, objective.inputs)
    network = objective.network
    linear = np.empty((0, 0))
    if isinstance(network, LinearPart):
        linear = objective.inputs[:, : network.n_linear]

    def degrees(solution: Solution) -> float:
        if np.isinf(solution.alpha) and isinstance(objective.network, LinearPart):
            return float(np.linalg.matrix_rank(linear.T @ linear, hermitian=True))
        known, share = None, _bent_shares(objective, solution, weights)
        if is_sequential(network) and 0 < solution.alpha < np.inf:
            return _sequential_trace(objective, solution, share)
        if objective.penalty.smooth and 0 < solution.alpha < np.inf:
            _, state = model.evaluate(solution.params)
            known = _trace(model.normal(state, share), solution.alpha * objective.penalty.ridge)
        if known is not None:
            return known
        # the residuals do not matter for the trace
        nothing = np.zeros(len(weights))
        moments = penalised_moments(
            objective, solution.params, solution.alpha, nothing, weights, 1.0
        )
        return bread(moments).edf

    with double_precision(), one_blas_thread():
        return np.array([degrees(solution) for solution in solutions])


def _bent_shares(objective: Objective, solution: Solution, weights: np.ndarray) -> np.ndarray:
    """Shares of the rows, times the curvature of their losses."""
    share = shares(weights)
    if objective.loss.least_squares:
        return share
    kernel = kernels(objective.network, objective.loss)
    values = fitted(objective.network, solution.params, objective.inputs)
    return share * np.asarray(kernel.value_slope_curvature(values, objective.target)[2])


def _sequential_trace(objective: Objective, solution: Solution, share: np.ndarray) -> float:
    """Trace in the dual where rows are fewer than parameters."""
    rows = filled(objective.network, objective.inputs)
    jacobian = np.asarray(
        kernels(objective.network, objective.loss).jacobian(solution.params, rows)
    )[: len(share)]
    ridge = solution.alpha * objective.penalty.ridge
    return GaussNewton(np.sqrt(share)[:, None] * jacobian, ridge).trace_of_hat()


def _trace(normal: np.ndarray, ridge: np.ndarray) -> float | None:
    """Trace where the penalised matrix is safely positive definite."""
    try:
        factor = cho_factor(normal + np.diag(ridge))
    except LinAlgError:
        return None
    return float(np.trace(cho_solve(factor, normal)))
