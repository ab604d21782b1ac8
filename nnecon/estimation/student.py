r"""Regression with Student-t errors, by weights.

With errors :math:`u_i \sim \sigma\, t_\nu` the expectation-maximisation algorithm (Lange, Little
and Taylor, 1989) alternates between weighted least squares and

.. math:: w_i = \frac{\nu + 1}{\nu + (u_i / \sigma)^2}, \qquad
    (\sigma, \nu) = \arg\max \sum_i \log t_\nu(u_i / \sigma) - \log \sigma,

so that everything that is estimated with observation weights can be estimated with heavy tails.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

LEAST_DF, MOST_DF = 2.1, 200.0
"""Bounds of the degrees of freedom: variances exist, and beyond two hundred the distribution is
normal."""

ROUNDS, SETTLED = 500, 1e-10


@dataclass(frozen=True, slots=True)
class Tail:
    """Degrees of freedom and scale of Student-t errors, the scale in units of the residuals."""

    df: float
    scale: float

    def weights(self, residual: np.ndarray) -> np.ndarray:
        """Weights of the rows, shape (n,): small where a residual is large."""
        return (self.df + 1.0) / (self.df + (residual / self.scale) ** 2)

    def log_density(self, residual: np.ndarray) -> np.ndarray:
        """Log density of each residual, shape (n,)."""
        return _log_density(residual, self.scale, self.df)

    @property
    def information(self) -> float:
        """Expected curvature of the log density, over that of the weighted squares."""
        return (self.df + 1.0) / (self.df + 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class StudentRegression:
    """Maximum likelihood of a linear regression: ``coefs`` (p,), ``weights`` (n,) and ``tail``."""

    coefs: np.ndarray
    weights: np.ndarray
    tail: Tail


def estimate_tail(residual: np.ndarray, start: Tail | None = None) -> Tail:
    """Degrees of freedom and scale with the largest likelihood."""
    spread = float(np.sqrt(np.mean(residual**2)))
    first = start or Tail(8.0, 0.87 * spread)
    unit = residual / spread

    def loss(at: np.ndarray) -> float:
        return -float(_log_density(unit, np.exp(at[0]), np.exp(at[1])).mean())

    begin = np.log([first.scale / spread, np.clip(first.df, LEAST_DF, MOST_DF)])
    bounds = [(-12.0, 3.0), (np.log(LEAST_DF), np.log(MOST_DF))]
    found = minimize(
        loss, begin, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    return Tail(float(np.exp(found.x[1])), float(np.exp(found.x[0])) * spread)


def student_regression(linear: np.ndarray, target: np.ndarray) -> StudentRegression:
    """Maximum likelihood of a linear regression with Student-t errors.

    Parameters
    ----------
    linear : ndarray of shape (n, p)
        Regressors.
    target : ndarray of shape (n,)
        Dependent variable.
    """
    weights, tail = np.ones(len(target)), None
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        coefs = np.linalg.lstsq(root[:, None] * linear, root * target, rcond=None)[0]
        residual = target - linear @ coefs
        tail = estimate_tail(residual, tail)
        before, weights = weights, tail.weights(residual)
        if np.abs(weights - before).max() < SETTLED:
            break
    assert tail is not None
    return StudentRegression(coefs, weights, tail)


def _log_density(residual: np.ndarray, scale: float, df: float) -> np.ndarray:
    constant = gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0) - 0.5 * np.log(np.pi * df)
    return constant - np.log(scale) - (df + 1.0) / 2.0 * np.log1p((residual / scale) ** 2 / df)
