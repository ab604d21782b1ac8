r"""Measures of accuracy, on arrays of outcomes and forecasts.

A measure is a mean of losses, one a forecast, or the root of one. With outcome y, forecast f and an
interval from l to u with level :math:`1 - \alpha`:

==================  ===========================================================================
``rmse``            root of the mean of :math:`(y - f)^2`
``mae``             :math:`|y - f|`
``mase``            :math:`|y - f|` over the mean absolute change in the sample known then
``smape``           :math:`200 |y - f| / (|y| + |f|)`, percent
``crps``            continuous ranked probability score of the forecast distribution where the model
                    gives one (simulated futures, quantiles), else of the normal distribution with
                    mean f whose interval is as wide as u - l
``quantile_score``  quantile loss of l and u, summed: :math:`\alpha / 2` times the interval score
==================  ===========================================================================

References: Hyndman and Koehler (2006) for ``mase``, Gneiting and Raftery (2007) for scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nnecon.estimation.quantile_regression import check_loss

MEASURES = ("rmse", "mae", "mase", "smape", "crps", "quantile_score")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Forecasts of one model with their outcomes, all of shape (n,).

    Attributes
    ----------
    actual, forecast, lower, upper : ndarray
        Outcomes, forecasts and limits of intervals; limits may be missing.
    scale : ndarray
        Mean absolute change of the series in the sample of each forecast.
    alpha : float
        One less the level of the intervals.
    crps : ndarray, optional
        Scores of forecast distributions; NaN where a model gives none.
    """

    actual: np.ndarray
    forecast: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    scale: np.ndarray
    alpha: float
    crps: np.ndarray | None = None

    @property
    def error(self) -> np.ndarray:
        """Outcome less forecast."""
        return self.actual - self.forecast

    @property
    def hits(self) -> np.ndarray:
        """Whether the interval holds the outcome, as zero and one; missing without interval."""
        inside = (self.lower <= self.actual) & (self.actual <= self.upper)
        return np.where(np.isnan(self.lower), np.nan, inside.astype(float))


def losses(scored: Scored, measure: str) -> np.ndarray:
    """Losses of which a measure is the mean, shape (n,)."""
    error = np.abs(scored.error)
    if measure == "rmse":
        return error**2
    if measure == "mae":
        return error
    if measure == "mase":
        return error / scored.scale
    if measure == "smape":
        size = np.abs(scored.actual) + np.abs(scored.forecast)
        return 200.0 * np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    if measure == "crps":
        normal = crps_interval(
            scored.actual, scored.forecast, scored.upper - scored.lower, scored.alpha
        )
        return (
            normal if scored.crps is None else np.where(np.isnan(scored.crps), normal, scored.crps)
        )
    low, high = scored.alpha / 2.0, 1.0 - scored.alpha / 2.0
    return quantile_loss(scored.actual, scored.lower, low) + quantile_loss(
        scored.actual, scored.upper, high
    )


def mean_loss(values: np.ndarray, measure: str) -> float:
    """The measure that belongs to losses."""
    mean = float(values.mean())
    return float(np.sqrt(mean)) if measure == "rmse" else mean


def accuracy(scored: Scored) -> Mapping[str, float]:
    """All measures, and the share of outcomes inside their intervals (``coverage``)."""
    found = {name: mean_loss(losses(scored, name), name) for name in MEASURES}
    return {"n": len(scored.actual), **found, "coverage": float(scored.hits.mean())}


def crps_normal(actual: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    r"""Continuous ranked probability score of normal distributions.

    .. math:: \sigma \left[ z (2 \Phi(z) - 1) + 2 \phi(z) - 1 / \sqrt{\pi} \right],
              \qquad z = (y - \mu) / \sigma

    (Gneiting, Raftery, Westveld and Goldman, 2005). Where :math:`\sigma` is zero it is the absolute
    error.

    Examples
    --------
    >>> crps_normal(np.array([0.0, 1.0]), np.zeros(2), np.array([1.0, 0.0])).round(4).tolist()
    [0.2337, 1.0]
    """
    spread = np.where(sd > 0, sd, 1.0)
    z = (actual - mean) / spread
    score = spread * (
        z * (2.0 * stats.norm.cdf(z) - 1.0) + 2.0 * stats.norm.pdf(z) - 1.0 / np.sqrt(np.pi)
    )
    return np.where(np.isnan(sd), np.nan, np.where(sd > 0, score, np.abs(actual - mean)))


def crps_interval(
    actual: np.ndarray, forecast: np.ndarray, width: np.ndarray, alpha: float
) -> np.ndarray:
    """The same of normal distributions whose intervals with level ``1 - alpha`` are so wide."""
    return crps_normal(actual, forecast, width / (2.0 * stats.norm.ppf(1.0 - alpha / 2.0)))


CRPS_LEVELS = (np.arange(100) + 0.5) / 100.0
"""Levels of the quantiles from which a distribution is scored."""


def crps_quantiles(actual: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    r"""Continuous ranked probability score of distributions given by their quantiles.

    .. math:: 2 \int_0^1 \rho_\tau(y - q_\tau)\, d\tau

    with the quantile loss :math:`\rho` (Laio and Tamea, 2007), by the midpoint rule.

    Parameters
    ----------
    actual : ndarray of shape (...)
        Outcomes.
    quantiles : ndarray of shape (..., 100)
        Quantiles at :data:`CRPS_LEVELS`.

    Examples
    --------
    >>> normal = stats.norm.ppf(CRPS_LEVELS)
    >>> crps_quantiles(np.zeros(1), normal[None]).round(2).tolist()
    [0.23]
    """
    losses = quantile_loss(actual[..., None], quantiles, CRPS_LEVELS)
    return 2.0 * losses.mean(axis=-1)


def quantile_loss(
    actual: np.ndarray, quantile: np.ndarray, level: float | np.ndarray
) -> np.ndarray:
    """Loss of a quantile forecast (Koenker and Bassett, 1978).

    Examples
    --------
    >>> quantile_loss(np.array([2.0, -2.0]), np.zeros(2), 0.25).tolist()
    [0.5, 1.5]
    """
    return check_loss(actual - quantile, level)


def mean_changes(
    values: np.ndarray, rows: np.ndarray, season: int, window: int | None
) -> np.ndarray:
    """Mean absolute change over ``season`` periods in the sample of each origin.

    Parameters
    ----------
    values : ndarray of shape (T,)
        The series; missing values are left out.
    rows : ndarray of int of shape (n,)
        Last period of each sample.
    season : int
        One for the change to the period before, four to the quarter a year ago.
    window : int or None
        Periods of a rolling sample.

    Returns
    -------
    ndarray of shape (n,)
        Missing where the sample has no change.
    """
    change = np.abs(values[season:] - values[:-season])
    there = np.isfinite(change)
    total = np.concatenate([np.zeros(season + 1), np.cumsum(np.where(there, change, 0.0))])
    count = np.concatenate([np.zeros(season + 1), np.cumsum(there)])
    first = np.zeros(len(rows), int) if window is None else np.maximum(0, rows + 1 - window)
    # changes whose earlier period is in the sample
    low = np.minimum(first + season, rows + 1)
    sums, counts = total[rows + 1] - total[low], count[rows + 1] - count[low]
    return np.divide(sums, counts, out=np.full(len(rows), np.nan), where=counts > 0)
