"""How many factors: criteria of Bai and Ng (2002), bi-cross-validation of Owen and Perry (2009)."""

from dataclasses import dataclass

import numpy as np

from nnecon.inference.principal_components import Standardisation

CRITERIA = ("IC_p1", "IC_p2", "IC_p3")
"""Criteria of Bai and Ng (2002) by their columns, named as in statsmodels."""


def bai_ng(residual: np.ndarray, n_obs: int, n_series: int) -> np.ndarray:
    r"""Information criteria of Bai and Ng (2002), as statsmodels computes them.

    .. math:: IC_{pi}(k) = \log V(k) + k\, g_i(N, T),

    with :math:`g_1 = \frac{N+T}{NT} \log\frac{NT}{N+T}`, :math:`g_2 = \frac{N+T}{NT} \log C^2`,
    :math:`g_3 = \log C^2 / C^2` and :math:`C^2 = \min(N, T)`.

    Parameters
    ----------
    residual : ndarray of shape (k + 1,)
        Sums of squared residuals V with 0, 1, ..., k factors; their scale does not matter.
    n_obs, n_series : int
        T and N.

    Returns
    -------
    ndarray of shape (k' + 1, 3)
        Rows up to the last one with residuals.
    """
    invalid = np.flatnonzero(residual <= 0)
    positive = residual[: invalid[0]] if len(invalid) else residual
    share = (n_obs + n_series) / (n_obs * n_series)
    least = min(n_obs, n_series)
    penalties = np.array(
        [share * np.log(1.0 / share), share * np.log(least), np.log(least) / least]
    )
    return np.log(positive)[:, None] + np.arange(len(positive))[:, None] * penalties


def panel_criteria(residual: np.ndarray, n_obs: int, n_series: int) -> np.ndarray:
    r"""Criteria :math:`PC_{pi}(k) = V(k) + k \hat\sigma^2 g_i(N, T)` of Bai and Ng (2002).

    :math:`V` is the mean squared residual and :math:`\hat\sigma^2` its value with the most factors.
    :math:`PC_{p2}` is what McCracken and Ng (2016) use.

    Parameters
    ----------
    residual : ndarray of shape (k + 1,)
        Sums of squared residuals with 0, 1, ..., k factors.
    n_obs, n_series : int
        T and N.

    Returns
    -------
    ndarray of shape (k + 1, 3)
    """
    mean = residual / (n_obs * n_series)
    share = (n_obs + n_series) / (n_obs * n_series)
    least = min(n_obs, n_series)
    penalties = np.array(
        [share * np.log(1.0 / share), share * np.log(least), np.log(least) / least]
    )
    return mean[:, None] + mean[-1] * np.arange(len(mean))[:, None] * penalties


@dataclass(frozen=True, slots=True, eq=False)
class BiCrossValidation:
    """Errors of blocks of rows and columns that were left out together.

    Attributes
    ----------
    error : ndarray of shape (k + 1,)
        Mean squared error of standardised series with 0, 1, ..., k factors.
    blocks : ndarray of shape (blocks, k + 1)
        The same for each block.
    """

    error: np.ndarray
    blocks: np.ndarray


def bi_cross_validation(
    filled: np.ndarray,
    known: np.ndarray,
    max_factors: int,
    rows: list[np.ndarray],
    columns: list[np.ndarray],
    standardize: bool = True,
) -> BiCrossValidation:
    r"""Predict blocks of a panel from the rest, by principal components of the rest.

    The panel is cut into :math:`\begin{pmatrix} A & B \\ C & D \end{pmatrix}`; A is predicted by
    :math:`B \hat D_k^+ C`, where :math:`\hat D_k` has the first k components of D. Neither the rows
    nor the columns of A take part in the estimation of its components, so that more factors do not
    always win.

    Parameters
    ----------
    filled : ndarray of shape (T, N)
        Data without missing values.
    known : ndarray of bool of shape (T, N)
        Values that are compared; filled ones are not.
    max_factors : int
        Most factors.
    rows, columns : list of ndarray
        Positions of the rows and columns that are left out together; every pair is a block.
    standardize : bool
        Whether series are standardised, by the rows that stay.

    Returns
    -------
    BiCrossValidation

    References
    ----------
    Owen, A. B. and P. O. Perry (2009), Bi-cross-validation of the SVD and the nonnegative matrix
    factorization, Annals of Applied Statistics 3, 564-594.
    """
    errors, sizes = [], []
    for out in rows:
        stay = np.setdiff1d(np.arange(len(filled)), out)
        z = Standardisation.of(filled[stay], standardize).apply(filled)
        for left in columns:
            rest = np.setdiff1d(np.arange(filled.shape[1]), left)
            u, s, vt = np.linalg.svd(z[np.ix_(stay, rest)], full_matrices=False)
            target, mask = z[np.ix_(out, left)], known[np.ix_(out, left)]
            inner = z[np.ix_(out, rest)] @ vt.T / s
            outer = u.T @ z[np.ix_(stay, left)]
            fit, found = np.zeros_like(target), [np.sum(target[mask] ** 2)]
            for k in range(max_factors):
                fit = fit + np.outer(inner[:, k], outer[k])
                found.append(np.sum((target - fit)[mask] ** 2))
            errors.append(found)
            sizes.append(max(int(mask.sum()), 1))
    blocks, weight = np.array(errors), np.array(sizes, dtype=float)
    return BiCrossValidation(blocks.sum(axis=0) / weight.sum(), blocks / weight[:, None])
