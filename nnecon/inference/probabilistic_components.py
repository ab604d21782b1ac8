r"""Probabilistic principal components (Tipping and Bishop, 1999), in closed form.

With a standard normal :math:`z`, series :math:`x = Wz + \epsilon` with errors of one variance
:math:`\sigma^2` have the likelihood that is greatest at :math:`W = V (\Lambda - \sigma^2 I)^{1/2}`,
where :math:`V` and :math:`\Lambda` are the leading eigenvectors and eigenvalues of the covariance
of the standardised series, and :math:`\sigma^2` is the mean of the other eigenvalues.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.inference.factor_map import Extraction


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilisticComponents:
    """Principal components with a likelihood.

    Attributes
    ----------
    extraction : Extraction
    variances : ndarray of shape (k,)
        Leading eigenvalues of the covariance of the standardised series.
    noise : float
        Variance of the errors.
    """

    extraction: Extraction
    variances: np.ndarray
    noise: float

    @classmethod
    def of(cls, base: Extraction, values: np.ndarray) -> "ProbabilisticComponents":
        """From components and the rows they are estimated on.

        Missing values are no observations of the errors: the variance is the mean square of the
        known residuals over ``1 - k/N``, the mean of the other eigenvalues where all are known.
        """
        k, known = base.k_factors, np.isfinite(values)
        standard = base.standardised(values)
        vectors = base.components.eigenvecs[:, :k]
        residual = (standard - (standard @ vectors) @ vectors.T)[known]
        noise = float((residual**2).mean() / (1.0 - k / values.shape[1]))
        return cls(base, base.components.eigenvals[:k] / base.n_obs, noise)

    @property
    def weights(self) -> np.ndarray:
        """``W``, shape (N, k)."""
        excess = np.maximum(self.variances - self.noise, 1e-12 * self.variances)
        k = len(self.variances)
        return self.extraction.components.eigenvecs[:, :k] * np.sqrt(excess)

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Log density (n,) of the known values of rows (n, N), in the data's units."""
        standardisation = self.extraction.components.standardisation
        standard, found = standardisation.apply(values), np.empty(len(values))
        for known, rows in _by_pattern(values):
            own, x = self.weights[known], standard[np.ix_(rows, known)]
            root = np.linalg.cholesky(np.eye(own.shape[1]) + own.T @ own / self.noise)
            half = np.linalg.solve(root, own.T @ x.T / self.noise)
            logarithm = known.sum() * np.log(2.0 * np.pi * self.noise)
            logarithm += 2.0 * np.log(np.diag(root)).sum()
            quadratic = (x**2).sum(axis=1) / self.noise - (half**2).sum(axis=0)
            found[rows] = -0.5 * (logarithm + quadratic)
            found[rows] -= np.log(standardisation.scale[known]).sum()
        return found

    def errors(self, values: np.ndarray) -> np.ndarray:
        r"""Root mean squared errors (n, k) of principal components as estimates of the factors.

        With :math:`v = \sigma^2 / \lambda` the posterior variance of a row without gaps, its
        component is the posterior mean over :math:`\sqrt{1 - v}`, and so is the factor that it is
        compared with. Components of rows with gaps are least squares on the known loadings, with
        error variance s: their mean squared error is :math:`(1 - v) s + v^2 / (1 - v)`.
        """
        v = np.minimum(self.noise / self.variances, 1.0 - 1e-12)
        found = np.empty((len(values), len(v)))
        for known, rows in _by_pattern(values):
            own = self.weights[known]
            s = self.noise * np.diag(np.linalg.inv(own.T @ own))
            found[rows] = np.sqrt((1.0 - v) * s + v**2 / (1.0 - v))
        return found / np.sqrt(self.extraction.n_obs)


def _by_pattern(values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows (positions) together where the same columns are known."""
    patterns, number = np.unique(np.isfinite(values), axis=0, return_inverse=True)
    number = np.ravel(number)
    return [(pattern, np.flatnonzero(number == at)) for at, pattern in enumerate(patterns)]
