"""How much of each series factors explain, cumulatively, in increments and one by one."""

import numpy as np


def residual_sums(standardised: np.ndarray, fits: list[np.ndarray]) -> np.ndarray:
    """Sums of squared residuals of fits with 0, 1, ..., k factors, by series.

    Parameters
    ----------
    standardised : ndarray of shape (T, N)
        Data.
    fits : list of ndarray of shape (T, N)
        Fitted values with 1, ..., k factors.

    Returns
    -------
    ndarray of shape (k + 1, N)
        The first row has the sums of squares of the data.
    """
    return np.stack([((standardised - fit) ** 2).sum(axis=0) for fit in [0.0, *fits]])


def increments(rsquare: np.ndarray) -> np.ndarray:
    """What each further factor adds to R-squared: (k + 1, N) cumulative to (k, N)."""
    return np.diff(rsquare, axis=0)


def marginal_rsquare(standardised: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """R-squared of each series on each centred factor of length one alone, shape (k, N)."""
    centred = standardised - standardised.mean(axis=0)
    return (factors.T @ centred) ** 2 / (centred**2).sum(axis=0)
