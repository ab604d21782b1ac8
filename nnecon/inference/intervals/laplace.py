r"""Laplace's approximation of the posterior: a normal around the estimate (MacKay, 1992).

The penalty is a prior, :math:`\theta_j \sim N(0, \sigma^2 / (n \alpha d_j))` for the network and
flat for the classical part (see :mod:`nnecon.estimation.evidence`). With the Hessian A of n times
the objective, :math:`\theta \mid \sigma^2 \sim N(\hat\theta, \sigma^2 A^{-1})`, and as the prior
scales with :math:`\sigma^2`, what is left after integrating over it (prior
:math:`1 / \sigma^2`) is a Student t with n less the number c of parameters without penalty:

.. math::

    f(x) \mid y \approx t_{n - c}\left(f(x; \hat\theta), \hat\sigma^2 g' A^{-1} g\right), \qquad
    \hat\sigma^2 = \frac{2 n F(\hat\theta)}{n - c},

g being the gradient of f. Unlike the delta method's :math:`A^{-1} J'WJ A^{-1}` this counts what the
penalty holds back, on average over functions that the prior draws (Nychka, 1988). Without a network
it is exact, and equal to the classical intervals. Several networks are as many modes: their
mixture has the mean of the means, and the mean of the variances plus the variance of the means.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.evidence import penalised_hessian
from nnecon.estimation.kernels import certificate, second_derivatives
from nnecon.estimation.problem import Objective
from nnecon.exceptions import SpecificationError
from nnecon.inference.effects import values_and_gradients


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Normal approximation around the estimates of one or more networks.

    Parameters
    ----------
    params : ndarray of shape (s, k)
        The estimates.
    roots : tuple of ndarray of shape (k, r)
        Of each estimate, the posterior's covariance is ``root @ root.T``.
    noise_variance : float
        Of a row with average weight, in squared units of the (standardised) target.
    df : float
        Degrees of freedom of the t distribution.
    exact : bool
        Whether all Hessians are exact; otherwise at least one is the Gauss-Newton matrix.
    """

    params: np.ndarray
    roots: tuple[np.ndarray, ...]
    noise_variance: float
    df: float
    exact: bool


def laplace_posterior(
    objective: Objective, params: np.ndarray, alpha: float, weights: np.ndarray
) -> Posterior:
    """Approximate the posterior.

    Parameters
    ----------
    objective : Objective
        Least squares with a squared penalty, or none.
    params : ndarray of shape (s, k)
        Its minima, one a network.
    alpha : float
        Penalty; infinite for the classical model.
    weights : ndarray of shape (n,)
        Observation weights, inversely proportional to the variance.

    Raises
    ------
    SpecificationError
        The loss or the penalty is another one, there are too few rows, the residuals are zero, or
        the posterior is not proper.
    """
    if not objective.loss.least_squares or not objective.penalty.smooth:
        raise SpecificationError(
            "interval='laplace' is for least squares with squared penalties, whose prior is "
            "normal; use interval='bootstrap' or 'conformal'."
        )
    n, d = len(weights), objective.penalty.ridge
    flat = d == 0 if alpha > 0 else np.ones(len(d), dtype=bool)
    kept = flat if np.isinf(alpha) else np.ones(len(d), dtype=bool)
    strength = alpha if np.isfinite(alpha) else 0.0
    df = n - int(flat.sum())
    if df <= 0:
        raise SpecificationError(
            f"interval='laplace': {n} rows are not more than the {n - df} parameters without "
            "penalty."
        )
    roots, variances, exact = [], [], True
    for one in params:
        loss = certificate(objective, one, weights, alpha)[0]
        twice = 2.0 * n * loss + n * strength * float(d @ one**2)
        if not twice > 0.0:
            raise SpecificationError(
                "interval='laplace': the residuals are zero, and there is nothing to estimate the "
                "variance from."
            )
        jacobian, bending = second_derivatives(objective, one, weights)
        hessian = penalised_hessian(
            np.sqrt(n) * jacobian[:, kept],
            n * strength * d[kept],
            n * bending[np.ix_(kept, kept)],
        )
        root = np.zeros((len(d), hessian.root.shape[1]))
        root[kept] = np.sqrt(twice / df) * hessian.root
        roots.append(root)
        variances.append(twice / df)
        exact &= hessian.exact
    return Posterior(params, tuple(roots), float(np.mean(variances)), float(df), exact)


def posterior_moments(
    objective: Objective, posterior: Posterior, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the function at rows (m, r), each of shape (m,)."""
    means, variances = [], []
    for one, root in zip(posterior.params, posterior.roots, strict=True):
        values, gradients = values_and_gradients(objective.network, one, rows)
        means.append(values)
        variances.append(((gradients @ root) ** 2).sum(axis=1))
    return np.mean(means, axis=0), np.mean(variances, axis=0) + np.var(means, axis=0)
