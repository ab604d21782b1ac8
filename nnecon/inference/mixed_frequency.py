r"""Quarterly regressions on monthly factors, as they are known part of the way through a quarter.

With ``ahead`` months between the last month known and the end of the quarter q, at month m(q),

- unrestricted MIDAS (skip sampling): :math:`f_{m(q)-a}, f_{m(q)-a-1}, \dots`, each with a
  coefficient of its own (Marcellino and Schumacher, 2010; Foroni, Marcellino and Schumacher, 2015);
- bridge: the mean over the quarter's three months, those after :math:`m(q)-a` forecast by a vector
  autoregression (Giannone, Reichlin and Small, 2008).

Past quarters are seen with as many months as the quarter that is forecast, so that the variance of
the regression's errors holds what is not known yet.
"""

import numpy as np

MONTHS = 3
"""Months of a quarter."""


def skip_sampled(factors: np.ndarray, ends: np.ndarray, ahead: int, count: int) -> np.ndarray:
    """Factors of the last ``count`` months known, ``ahead`` months before the end of each quarter.

    Parameters
    ----------
    factors : ndarray of shape (M, k)
        A row a month, NaN where there is none.
    ends : ndarray of int of shape (Q,)
        Row of the last month of each quarter; may lie outside the months.
    ahead, count : int

    Returns
    -------
    ndarray of shape (Q, k * count)
        The latest month first; NaN where a month is not there.
    """
    blocks = [_rows(factors, ends - ahead - back) for back in range(count)]
    return np.concatenate(blocks, axis=1)


def bridged(factors: np.ndarray, ends: np.ndarray, ahead: int) -> np.ndarray:
    """Means over each quarter's months; those not known yet are forecast from the last one known.

    Parameters
    ----------
    factors, ends, ahead
        As in :func:`skip_sampled`.

    Returns
    -------
    ndarray of shape (Q, k)
    """
    constant, slopes = vector_autoregression(factors)
    last = _rows(factors, ends - ahead)
    total = np.zeros_like(last)
    for back in range(MONTHS - 1, -1, -1):
        if back >= ahead:
            total += _rows(factors, ends - back)
            continue
        future = last
        for _ in range(ahead - back):
            future = constant + future @ slopes
        total += future
    return total / MONTHS


def vector_autoregression(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Constant (k,) and slopes (k, k), ``f[t] = constant + f[t-1] @ slopes``, by least squares."""
    known = np.isfinite(factors).all(axis=1)
    rows = np.flatnonzero(known[1:] & known[:-1]) + 1
    x = np.column_stack([np.ones(len(rows)), factors[rows - 1]])
    coefficients = np.linalg.lstsq(x, factors[rows], rcond=None)[0]
    return coefficients[0], coefficients[1:]


def _rows(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows by position, NaN outside."""
    inside = (at >= 0) & (at < len(values))
    found = np.full((len(at), values.shape[1]), np.nan)
    found[inside] = values[at[inside]]
    return found
