"""Unit roots of many series at once: principal components of trending series find factors anyway.

Components of independent random walks explain most of their variance and look like trends (Onatski
and Wang, 2021, Spurious factor analysis, Econometrica 89, 591-614).
"""

import numpy as np
from statsmodels.tsa.adfvalues import mackinnonp

SHORTEST = 20
"""Fewest rows of a test's regression."""


def unit_root_pvalues(values: np.ndarray, lags: int = 4) -> np.ndarray:
    r"""P-values of augmented Dickey-Fuller tests with a constant.

    The t statistic of :math:`\rho` in :math:`\Delta x_t = c + \rho x_{t-1} + \sum_i \phi_i \Delta
    x_{t-i} + u_t`, with MacKinnon's approximate p-values. statsmodels' ``adfuller`` does the same
    for one series and is about to change what it returns.

    Parameters
    ----------
    values : ndarray of shape (T, N)
        Series in columns; missing values are left out.
    lags : int
        Lagged differences.

    Returns
    -------
    ndarray of shape (N,)
        NaN where a series is too short to be tested.
    """
    found = np.full(values.shape[1], np.nan)
    for j, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        change, n = np.diff(known), len(known) - 1 - lags
        if n < SHORTEST:
            continue
        lagged = [change[lags - i : len(change) - i] for i in range(1, lags + 1)]
        x = np.column_stack([known[lags:-1], np.ones(n), *lagged])
        y = change[lags:]
        q, r = np.linalg.qr(x)
        if np.abs(np.diag(r)).min() <= 1e-12 * np.abs(np.diag(r)).max():
            continue
        coefficients = np.linalg.solve(r, q.T @ y)
        residual = y - x @ coefficients
        variance = residual @ residual / (n - x.shape[1])
        error = np.sqrt(variance * np.sum(np.linalg.inv(r)[0] ** 2))
        if error > 0:
            found[j] = mackinnonp(coefficients[0] / error, regression="c", N=1)
    return found
