"""Statistics of fit from one pass over blocks of rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class SetApart:
    """Errors on rows that no model was estimated on.

    Attributes
    ----------
    n_obs : int
        Rows.
    network, baseline : float
        Weighted mean squared errors of the network and of the classical model.
    error : float
        Standard error of the difference of the two.
    """

    n_obs: int
    network: float
    baseline: float
    error: float

    @property
    def difference(self) -> float:
        """The network's mean squared error less the classical model's."""
        return self.network - self.baseline


@dataclass(frozen=True, slots=True)
class FitNumbers:
    """What is known of residuals that are not kept.

    Attributes
    ----------
    n_obs : int
        Rows of the estimation.
    ssr : float
        Weighted sum of squared residuals.
    log_weights : float
        Sum of the logarithms of the weights.
    skew, kurtosis : float
        Of the residuals times the root of the weights.
    tested : SetApart or None
        Errors on the rows set apart.
    """

    n_obs: int
    ssr: float
    log_weights: float
    skew: float
    kurtosis: float
    tested: SetApart | None

    @property
    def jarque_bera(self) -> float:
        """Jarque and Bera's statistic of normality."""
        return self.n_obs / 6.0 * (self.skew**2 + 0.25 * (self.kurtosis - 3.0) ** 2)

    @property
    def jarque_bera_pvalue(self) -> float:
        """Its p-value."""
        return float(stats.chi2.sf(self.jarque_bera, 2))


def gaussian_loglike(ssr: float, n_obs: int, log_weights: float) -> float:
    """Gaussian log-likelihood at the maximum over the variance, as in statsmodels' WLS."""
    half = n_obs / 2.0
    value = -np.log(ssr) * half - (1.0 + np.log(np.pi / half)) * half
    return float(value + 0.5 * log_weights)


def fit_numbers(
    blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    network: Callable[[np.ndarray], np.ndarray],
    baseline: Callable[[np.ndarray], np.ndarray],
    scale: float,
) -> FitNumbers:
    """Statistics of fit and errors on rows set apart.

    Parameters
    ----------
    blocks : iterable of (endog, exog, weights, test)
        ``test`` (m,) marks the rows set apart.
    network, baseline : callable
        Predictions (m,) at design rows (m, p).
    scale : float
        Unit of the residuals, so that their fourth powers neither overflow nor vanish.
    """
    n, ssr, logs = 0, 0.0, 0.0
    powers = np.zeros(4)
    n_test, sums = 0, np.zeros(6)
    for endog, exog, weights, test in blocks:
        resid = endog - network(exog)
        if test.any():
            w, own = weights[test], resid[test] ** 2
            other = (endog[test] - baseline(exog[test])) ** 2
            gap = own - other
            n_test += len(w)
            sums += [w.sum(), w @ own, w @ other, *(w**2 @ gap**power for power in range(3))]
            resid, weights = resid[~test], weights[~test]
        n += len(resid)
        ssr += float(weights @ resid**2)
        logs += float(np.log(weights).sum())
        rooted = np.sqrt(weights) * resid / scale
        powers += [float((rooted**power).sum()) for power in range(1, 5)]
    skew, kurtosis = _shape(powers / n)
    tested = None
    if n_test:
        total, own, other, square, once, twice = sums
        gap = (own - other) / total
        spread = max(twice - 2.0 * gap * once + gap**2 * square, 0.0)
        tested = SetApart(n_test, own / total, other / total, float(np.sqrt(spread) / total))
    return FitNumbers(n, ssr, logs, skew, kurtosis, tested)


def _shape(raw: np.ndarray) -> tuple[float, float]:
    """Skewness and kurtosis from the first four moments about zero."""
    mean, second, third, fourth = raw
    variance = second - mean**2
    if variance <= 0.0:
        # a perfect fit has no shape, as in statsmodels
        return np.nan, np.nan
    central = third - 3.0 * mean * second + 2.0 * mean**3
    quartic = fourth - 4.0 * mean * third + 6.0 * mean**2 * second - 3.0 * mean**4
    return float(central / variance**1.5), float(quartic / variance**2)
