r"""The marginal likelihood of a penalty: choosing :math:`\alpha` without folds (MacKay, 1992).

Half the mean squared residual plus :math:`\alpha \tfrac12 \sum_j d_j \theta_j^2` is, times
:math:`n / \sigma^2`, minus the log posterior of the model

.. math::

    y_i \sim N\!\left(f(x_i; \theta), \sigma^2 / s_i\right), \qquad
    \theta_j \sim N\!\left(0, \frac{\sigma^2}{n \alpha d_j}\right) \text{ for } d_j > 0, \qquad
    p(\theta_j) \propto 1 \text{ for } d_j = 0,

with weights :math:`s_i` that average one over the n rows used. Let c be the number of parameters
without penalty, :math:`E = n F(\hat\theta)` the objective at its minimum and A the Hessian of
:math:`nF` there. Laplace's approximation of the integral over :math:`\theta` gives

.. math::

    \log p(y \mid \alpha, \sigma^2) = -\frac{n - c}{2} \log 2 \pi \sigma^2 - \frac{E}{\sigma^2}
        + \frac12 \sum_{d_j > 0} \log(n \alpha d_j) - \frac12 \log |A|
        + \frac12 \sum_i \log s_i + \log M ,

which is largest at :math:`\hat\sigma^2 = 2E / (n - c)`, whatever :math:`\alpha`. It is exact where
f is linear in its parameters. The c parameters without penalty enter the classical model
:math:`\alpha = \infty` and all others with the same flat prior, so that its unknown constant
cancels: the classical model has :math:`E = n F(\hat\theta_0)`, no middle term, the c x c block of
the Hessian as A, and is the limit of the formula where the network vanishes. With c = 0 this is a
proper marginal likelihood; otherwise it is that of the error contrasts, as in restricted maximum
likelihood, up to a constant.

A is the exact Hessian where that is safely positive definite, and else the Gauss-Newton matrix
(Foresee and Hagan, 1997). M counts the equal modes that a network has because its units can be
exchanged and, for odd activations, reflected: H! 2^H if all H units are distinct, and one for the
zero network, whose modes coincide; see :func:`log_copies`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from nnecon.estimation.estimate import Solver, solve
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.kernels import certificate, second_derivatives
from nnecon.estimation.problem import Chain, Objective, Solution
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense, Network

DEFINITE = 0.01
"""Least eigenvalue, relative to the Gauss-Newton matrix, of an exact Hessian that is used."""

TIE = 1e-6
"""Log evidences closer than this are equal; the larger penalty is chosen then."""

STEPS = 30
"""Fixed-point steps of :func:`refine` at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Log marginal likelihood along a path.

    Parameters
    ----------
    alphas : ndarray of shape (m,)
        Penalties, in the order given.
    log_evidence : ndarray of shape (m,)
        Of the standardised target, at the noise variance that maximises it; minus infinity at
        ``alpha = 0``, a flat prior on everything.
    gamma : ndarray of shape (m,)
        Effective number of parameters, ``tr(A^-1 (A - n alpha D))``, those without penalty
        included.
    noise_variance : ndarray of shape (m,)
        In squared units of the (standardised) target.
    prior_precision : ndarray of shape (m,)
        Of a parameter with ``d_j = 1``: ``n alpha / noise_variance``.
    exact : ndarray of bool of shape (m,)
        Whether the exact Hessian was used, and not the Gauss-Newton matrix.
    """

    alphas: np.ndarray
    log_evidence: np.ndarray
    gamma: np.ndarray
    noise_variance: np.ndarray
    prior_precision: np.ndarray
    exact: np.ndarray

    @property
    def best(self) -> int:
        """Position of the largest evidence; among equals, that of the largest penalty."""
        equal = np.flatnonzero(self.log_evidence >= self.log_evidence.max() - TIE)
        return int(equal[self.alphas[equal].argmax()])

    @property
    def alpha_max(self) -> float:
        """Penalty with the largest evidence."""
        return float(self.alphas[self.best])


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """Evidence at one solution; ``ssr`` is the weighted sum of squared residuals."""

    log_evidence: float
    gamma: float
    noise_variance: float
    exact: bool
    ssr: float


def evidence(
    objective: Objective, params: np.ndarray, alphas: np.ndarray, weights: np.ndarray
) -> Evidence:
    """Log marginal likelihood at solutions along a path.

    Parameters
    ----------
    objective : Objective
        Least squares with squared penalties.
    params : ndarray of shape (m, k)
        The minimiser of the objective at each penalty.
    alphas : ndarray of shape (m,)
        Penalties; ``inf`` is the classical model, whose penalised parameters are zero.
    weights : ndarray of shape (n,)
        Observation weights, inversely proportional to the variance; rows of weight zero do not
        count. Only their ratios matter.

    Returns
    -------
    Evidence

    Raises
    ------
    SpecificationError
        The loss is not the squared one, the penalty has a kink, or there are too few rows.
    """
    _check(objective, weights)
    params, alphas = np.asarray(params, dtype=float), np.asarray(alphas, dtype=float)
    points = [_point(objective, p, float(a), weights) for p, a in zip(params, alphas, strict=True)]
    variance = np.array([point.noise_variance for point in points])
    return Evidence(
        alphas,
        np.array([point.log_evidence for point in points]),
        np.array([point.gamma for point in points]),
        variance,
        np.count_nonzero(weights) * alphas / variance,
        np.array([point.exact for point in points]),
    )


def refine(
    objective: Objective,
    weights: np.ndarray,
    solution: Solution,
    solver: Solver,
    execution: Execution = LOCAL,
) -> Solution:
    r"""Move a penalty to a maximum of the evidence between the points of a grid.

    MacKay's fixed point sets the prior's variance to what the estimate says of it,

    .. math:: \alpha \leftarrow \frac{\gamma_P}{n - c - \gamma_P}
        \frac{\sum_i s_i r_i^2}{n \sum_j d_j \theta_j^2}, \qquad \gamma_P = \gamma - c ,

    and solves again from there. Steps that do not raise the evidence are halved.

    Parameters
    ----------
    objective, weights
        As in :func:`evidence`.
    solution : Solution
        The best of a grid; the classical model and ``alpha = 0`` are returned as they are.

    Returns
    -------
    Solution
        With an evidence at least as large.
    """
    _check(objective, weights)
    n, d = np.count_nonzero(weights), objective.penalty.ridge
    fixed = int((d == 0).sum())
    if not 0 < solution.alpha < np.inf or not solution.penalty > 0:
        return solution
    here = _point(objective, solution.params, solution.alpha, weights)
    for _ in range(STEPS):
        size, own = n * float(d @ solution.params**2), here.gamma - fixed
        if own <= 0 or n - fixed - own <= 0 or size == 0.0:
            return solution
        target = own / (n - fixed - own) * here.ssr / size
        step = np.log(target / solution.alpha)
        for share in (1.0, 0.5, 0.25):
            alpha = float(solution.alpha * np.exp(share * step))
            chain = Chain.single(weights, solution.params, alpha)
            tried = solve(objective, [chain], solver, execution=execution)[0]
            there = _point(objective, tried.params, alpha, weights)
            gain = there.log_evidence - here.log_evidence
            if tried.converged and gain > 0:
                break
        else:
            return solution
        solution, here = tried, there
        if gain < 1e-9:
            break
    return solution


def log_copies(network: Network, params: np.ndarray, precision: np.ndarray) -> float:
    r"""Logarithm of the number of modes of the posterior that are images of one.

    Exchanging two units of a layer, and changing the sign of all weights of a unit with an odd
    activation, leaves the network the same. Images that lie far apart, relative to the posterior's
    width, are modes of their own; the mass of two normal peaks at a distance :math:`2\mu` (in
    standard deviations) that are added where they overlap only once is :math:`2 \Phi(\mu)` times
    that of one. So an image counts as a copy with weight :math:`2 \Phi(\mu) - 1`, and the number
    runs from one for the zero network to H! 2^H for H distinct units that are not zero.

    Parameters
    ----------
    network : Network
        The network; one without such symmetries has one mode.
    params : ndarray of shape (k,)
        The mode.
    precision : ndarray of shape (k, k)
        Inverse of the posterior's covariance.
    """
    if not isinstance(network, Dense):
        return 0.0
    place, total = np.arange(network.n_params), 0.0
    odd = network.activation in ("tanh", "linear")

    def apart(rows: np.ndarray, image: np.ndarray) -> float:
        """Half the distance between the mode and its image, in standard deviations."""
        change = image - params[rows]
        square = change @ precision[np.ix_(rows, rows)] @ change
        return 0.5 * float(np.sqrt(max(square, 0.0)))

    for number, layer in enumerate(network.layers):
        last = number == len(network.layers) - 1
        leaving = place[layer.bias.stop :] if last else place[network.layers[number + 1].weights]
        own = np.column_stack(
            [
                place[layer.weights].reshape(layer.units, -1),
                place[layer.bias],
                leaving.reshape(-1, layer.units).T,
            ]
        )
        for unit in range(layer.units):
            if odd:
                total += np.log(2.0 * ndtr(apart(own[unit], -params[own[unit]])))
            alike = 1.0
            for other in range(unit):
                rows = np.concatenate([own[unit], own[other]])
                swapped = params[np.concatenate([own[other], own[unit]])]
                distance = apart(rows, swapped)
                if odd:
                    distance = min(distance, apart(rows, -swapped))
                alike += 2.0 * ndtr(-distance)
            total += np.log((unit + 1.0) / alike)
    return float(total)


def _check(objective: Objective, weights: np.ndarray) -> None:
    if not getattr(objective.loss, "least_squares", False):
        raise SpecificationError(
            "alpha='evidence' is derived for least squares with normal errors; choose the penalty "
            "of this model with alpha='cv'."
        )
    if not objective.penalty.smooth:
        raise SpecificationError(
            "alpha='evidence' needs a squared penalty, the prior of which is normal; use L1_wt=0, "
            "or alpha='cv'."
        )
    n, fixed = np.count_nonzero(weights), int((objective.penalty.ridge == 0).sum())
    if n <= fixed:
        raise SpecificationError(
            f"alpha='evidence': {n} rows are not more than the {fixed} parameters without penalty."
        )


def _point(objective: Objective, params: np.ndarray, alpha: float, weights: np.ndarray) -> _Point:
    n, d = np.count_nonzero(weights), objective.penalty.ridge
    ours = d > 0
    fixed = int((~ours).sum())
    loss = certificate(objective, params, weights, alpha)[0]
    classical = bool(np.isinf(alpha))
    twice = 2.0 * n * loss + (0.0 if classical else n * alpha * float(d @ params**2))
    variance = twice / (n - fixed)
    shares = weights[weights > 0] / weights.sum()
    if not variance > 0:
        raise SpecificationError(
            "alpha='evidence': the residuals are zero, and the likelihood has no maximum; give a "
            "number as alpha."
        )
    value = -0.5 * (n - fixed) * (np.log(2.0 * np.pi * variance) + 1.0)
    value += 0.5 * float(np.log(n * shares).sum())
    if alpha == 0.0:
        return _Point(-np.inf, float(len(d)), variance, False, 2.0 * n * loss)
    jacobian, bending = second_derivatives(objective, params, weights)
    kept = ~ours if classical else np.ones(len(d), dtype=bool)
    ridge = np.zeros(fixed) if classical else n * alpha * d
    curved = n * bending[np.ix_(kept, kept)]
    hessian = penalised_hessian(np.sqrt(n) * jacobian[:, kept], ridge, curved)
    value -= hessian.half_log_det
    gamma = len(ridge) - float(ridge @ np.diag(hessian.inverse))
    if not classical:
        value += 0.5 * float(np.log(ridge[ours]).sum())
        value += log_copies(objective.network, params, hessian.matrix / variance)
    return _Point(value, gamma, variance, hessian.exact, 2.0 * n * loss)


class PenalisedHessian(NamedTuple):
    """A matrix (k, k), a root (k, k) of its inverse, half its log determinant, and which it is."""

    matrix: np.ndarray
    root: np.ndarray
    half_log_det: float
    exact: bool

    @property
    def inverse(self) -> np.ndarray:
        """The inverse, shape (k, k)."""
        return self.root @ self.root.T


def penalised_hessian(
    jacobian: np.ndarray, ridge: np.ndarray, curved: np.ndarray
) -> PenalisedHessian:
    """Penalised Hessian: exact where it is safely positive definite, Gauss-Newton otherwise.

    From singular values of the Jacobian stacked on the root of the penalty, with columns of equal
    length: its cross product would lose half of the digits.
    """
    if not len(ridge):
        # a classical model without coefficients is noise alone
        return PenalisedHessian(np.zeros((0, 0)), np.zeros((0, 0)), 0.0, True)
    stacked = np.concatenate([jacobian, np.diag(np.sqrt(ridge))])
    scale = np.linalg.norm(stacked, axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    triangle = np.linalg.qr(stacked / scale, mode="r")
    _, values, vectors = np.linalg.svd(triangle, full_matrices=False)
    if values[-1] <= 1e-13 * values[0]:
        raise SpecificationError(
            "the posterior is not proper: the data do not identify the parameters without penalty; "
            "leave out columns that others add up to, or give a positive alpha."
        )
    root = (vectors / values[:, None] / scale).T
    half = float(np.log(values).sum() + np.log(scale).sum())
    matrix = stacked.T @ stacked
    spread, turned = np.linalg.eigh(np.eye(len(values)) + root.T @ curved @ root)
    if spread[0] <= DEFINITE:
        return PenalisedHessian(matrix, root, half, False)
    root = root @ (turned / np.sqrt(spread))
    half += 0.5 * float(np.log(spread).sum())
    return PenalisedHessian(matrix + curved, root, half, True)
