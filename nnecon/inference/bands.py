r"""Simultaneous bands of curves.

The sup-t band (Montiel Olea and Plagborg-Moller, 2019) is :math:`\hat\theta_j \pm c\,
\hat\sigma_j` with one critical value :math:`c` for all points, the :math:`1-\alpha` quantile of
:math:`\max_j |Z_j| / \hat\sigma_j` where :math:`Z` is normal with the covariance of the points. Of
all bands with one critical value it is the narrowest that covers the whole curve with probability
:math:`1-\alpha`; Bonferroni's and Scheffe's are wider.
"""

import numpy as np

DRAWS = 20_000
"""Draws of the maximum; the critical value is then known to about 1%."""


def sup_t(
    covariance: np.ndarray,
    alpha: float,
    rng: np.random.Generator,
    df_resid: float | None = None,
) -> float:
    """Critical value of the sup-t band.

    Parameters
    ----------
    covariance : ndarray of shape (q, q)
        Joint covariance of the points; may be singular. Points without variance do not count.
    alpha : float
        One less the probability with which the band covers all points.
    rng : numpy.random.Generator
        For the draws.
    df_resid : float, optional
        Degrees of freedom of a multivariate t instead of the normal distribution.

    Examples
    --------
    Points that move together need no more than one point does, independent ones more:

    >>> rng = np.random.default_rng(0)
    >>> sup_t(np.ones((9, 9)), 0.05, rng) < 2.0 < 2.7 < sup_t(np.eye(9), 0.05, rng)
    True
    """
    variance = np.diag(covariance)
    kept = variance > 1e-14 * variance.max(initial=0.0)
    if not kept.any():
        return 0.0
    scale = np.sqrt(variance[kept])
    correlation = covariance[np.ix_(kept, kept)] / scale / scale[:, None]
    values, vectors = np.linalg.eigh(correlation)
    alive = values > 1e-12 * values[-1]
    root = vectors[:, alive] * np.sqrt(values[alive])
    draws = rng.standard_normal((DRAWS, root.shape[1])) @ root.T
    if df_resid is not None:
        draws /= np.sqrt(rng.chisquare(df_resid, (DRAWS, 1)) / df_resid)
    return float(np.quantile(np.abs(draws).max(axis=1), 1.0 - alpha))
