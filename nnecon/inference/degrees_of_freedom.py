"""Effective degrees of freedom along a path."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nnecon.estimation.execution import one_blas_thread
from nnecon.estimation.kernels import double_precision, shares
from nnecon.estimation.local_model import local_model
from nnecon.estimation.problem import Objective, Solution
from nnecon.inference.covariance import bread, penalised_moments
from nnecon.nets import Dense


def effective_degrees(
    objective: Objective, solutions: Sequence[Solution], weights: np.ndarray
) -> np.ndarray:
    r"""Trace of :math:`(H + \alpha D)^{-1} H` at every solution, shape (m,).

    ``H`` is the Gauss-Newton matrix. Where it is badly conditioned, or where the penalty has
    kinks, the trace comes from singular values (:func:`nnecon.inference.covariance.bread`).
    """
    model = local_model(objective.network, objective.loss, objective.inputs)
    share = shares(weights)
    network = objective.network
    linear = objective.inputs[:, : network.n_linear] if isinstance(network, Dense) else np.empty(0)

    def degrees(solution: Solution) -> float:
        if np.isinf(solution.alpha) and isinstance(objective.network, Dense):
            return float(np.linalg.matrix_rank(linear.T @ linear, hermitian=True))
        known = None
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


def _trace(normal: np.ndarray, ridge: np.ndarray) -> float | None:
    """Trace where the penalised matrix is safely positive definite."""
    try:
        factor = cho_factor(normal + np.diag(ridge))
    except LinAlgError:
        return None
    return float(np.trace(cho_solve(factor, normal)))
