r"""Linear quantile regression: exactly, by linear programming, and with the smoothed loss.

.. math:: \min_\beta \sum_i w_i\, \rho_\tau(y_i - x_i'\beta), \qquad
    \rho_\tau(u) = u\,(\tau - 1\{u < 0\})

is a linear program (Koenker and Bassett, 1978), whose solution passes through as many rows as there
are coefficients. Networks need derivatives, and take the check function convolved with a
logistic density (:class:`nnecon.estimation.losses.Check`); what they are compared with while they
are searched for is the linear minimum of the same loss. At the end of the path stands the exact
one.
"""

import numpy as np
from scipy.optimize import linprog

from nnecon.estimation.losses import Check
from nnecon.estimation.problem import Objective, Solution
from nnecon.exceptions import ConvergenceError
from nnecon.nets import LinearPart

LEAST_WIDTH = 0.02
"""Smallest width of the loss, in standard deviations of the linear residuals."""

STEPS, SETTLED = 200, 1e-10

EXACT = 1e-6
"""Duality gap, as a share of the loss, under which the linear program counts as solved."""


def check_loss(residual: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """Check function of each residual, at one level or at levels that broadcast.

    Examples
    --------
    >>> check_loss(np.array([2.0, -2.0]), 0.25).tolist()
    [0.5, 1.5]
    """
    return np.maximum(level * residual, (level - 1.0) * residual)


def smoothed_check(linear: np.ndarray, target: np.ndarray, level: float) -> Check:
    r"""The smoothed loss for a sample, its width rounded so that few losses are compiled.

    The width is :math:`\sqrt{\tau(1-\tau)}\, ((p + \log n)/n)^{2/5}` standard deviations of the
    linear residuals, the rule of He, Pan, Tan and Zhou (2023), on a grid of powers of
    :math:`\sqrt 2`.

    Parameters
    ----------
    linear : ndarray of shape (n, p)
        Regressors.
    target : ndarray of shape (n,)
        Standardised target.
    level : float
        Level of the quantile.
    """
    n, p = linear.shape
    residual = target - linear @ np.linalg.lstsq(linear, target, rcond=None)[0]
    share = np.sqrt(level * (1.0 - level)) * ((p + np.log(n)) / n) ** 0.4
    width = max(share, LEAST_WIDTH) * float(residual.std())
    return Check(level, float(2.0 ** (np.round(2.0 * np.log2(max(width, 1e-9))) / 2.0)))


def smooth_regression(
    network: LinearPart,
    inputs: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    loss: Check,
) -> np.ndarray:
    """Parameters (k,) of the linear minimum of the smoothed loss, the neural part at zero."""
    keep = weights > 0
    x, y = inputs[keep, : network.n_linear], target[keep]
    share = weights[keep] / weights[keep].sum()
    root = np.sqrt(share)
    coefs = np.linalg.lstsq(root[:, None] * x, root * y, rcond=None)[0]
    coefs[0] += np.quantile(y - x @ coefs, loss.level)

    def value(at: np.ndarray) -> float:
        return float(share @ loss.derivatives(x @ at, y)[0])

    now, ridge = value(coefs), 0.0
    for _ in range(STEPS):
        _, slope, curvature = loss.derivatives(x @ coefs, y)
        gradient = x.T @ (share * slope)
        matrix = x.T @ ((share * curvature)[:, None] * x)
        matrix[np.diag_indices_from(matrix)] += ridge + 1e-12 * np.trace(matrix)
        step = -np.linalg.solve(matrix, gradient)
        decrease, length = float(-gradient @ step), 1.0
        while value(coefs + length * step) > now - 1e-4 * length * decrease and length > 1e-10:
            length /= 2.0
        coefs = coefs + length * step
        now = value(coefs)
        # far out the density is flat, and steps have to be held back
        ridge = 0.0 if length == 1.0 else max(1e-3, 2.0 * ridge)
        if np.abs(gradient).max() < SETTLED:
            break
    params = np.zeros(network.n_params)
    params[: network.n_linear] = coefs
    return params


def quantile_regression(
    linear: np.ndarray, target: np.ndarray, weights: np.ndarray, level: float
) -> tuple[np.ndarray, float]:
    """Exact linear quantile regression.

    Parameters
    ----------
    linear : ndarray of shape (n, p)
        Regressors.
    target : ndarray of shape (n,)
        Dependent variable.
    weights : ndarray of shape (n,)
        Weights of the rows.
    level : float
        Level of the quantile.

    Returns
    -------
    coefs : ndarray of shape (p,)
    gap : float
        Duality gap as a share of the loss: zero at the minimum.
    """
    keep = weights > 0
    x, y, w = linear[keep], target[keep], weights[keep] / weights[keep].mean()
    p = x.shape[1]
    # the dual: p equations instead of n
    found = linprog(
        -y, A_eq=x.T, b_eq=np.zeros(p), bounds=np.column_stack([(level - 1.0) * w, level * w]),
        method="highs",
    )  # fmt: skip
    if found.status != 0:
        raise ConvergenceError(f"the quantile regression was not solved: {found.message}")
    coefs = -np.asarray(found.eqlin.marginals)
    # through its p rows exactly, which takes the last digits from the solver's tolerance
    at = np.argsort(np.abs(y - x @ coefs))[:p]
    if np.linalg.matrix_rank(x[at]) == p:
        through = np.linalg.solve(x[at], y[at])
        if w @ check_loss(y - x @ through, level) <= w @ check_loss(y - x @ coefs, level):
            coefs = through
    primal, dual = float(w @ check_loss(y - x @ coefs, level)), float(y @ found.x)
    return coefs, abs(primal - dual) / max(primal, 1e-300)


def exact_solution(objective: Objective, weights: np.ndarray) -> Solution:
    """The linear equation of a quantile as a solution with its certificate, the duality gap."""
    network, loss = objective.network, objective.loss
    assert isinstance(network, LinearPart) and isinstance(loss, Check)
    p = network.n_linear
    params = np.zeros(network.n_params)
    x = objective.inputs[:, :p]
    params[:p], gap = quantile_regression(x, objective.target, weights, loss.level)
    mean = float(
        weights @ check_loss(objective.target - x @ params[:p], loss.level) / weights.sum()
    )
    converged = gap < EXACT
    told = "Converged" if converged else "Did not converge"
    return Solution(
        params, np.inf, mean, mean, 0.0, gap, converged, 1, "linear programming",
        f"{told}: the duality gap is {gap:.1e} of the loss.",
    )  # fmt: skip
