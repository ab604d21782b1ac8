r"""What a term contributes to a network, as a few averages that have standard errors.

Weights of a network are no good basis for a test of a term: with four hidden units, 500 rows and
unequal variances the Wald test of all weights that leave an irrelevant regressor rejected in 16 and
19% of samples at 5% with HC1 errors (docs/standard_errors.md has the table). What the term does to
the fitted values is

.. math:: \Delta_i = f(x_i) - f(x_i \text{ with the term's columns at their means}) ,

and it does nothing only if the averages :math:`n^{-1} \sum_i z_{ik} \Delta_i` are zero, where
:math:`z_k` are the term's columns, their squares, and their products with the other columns: its
linear effect, its curvature and its interactions. In a linear model these are zero if and only
if the coefficients are, and the Wald tests are equal. The averages are linear in the function, so
that the step of :mod:`nnecon.inference.one_step` removes what the penalty does to them.
"""

import numpy as np


def patterns(
    exog: np.ndarray, columns: np.ndarray, others: np.ndarray, weights: np.ndarray, df_resid: float
) -> np.ndarray:
    """The ``z``, centred and in units of their standard deviations.

    At most half the root of n, and a quarter of the degrees of freedom: with few groups the
    covariance of many averages is close to singular.

    Parameters
    ----------
    exog : ndarray of shape (n, p)
        Design matrix.
    columns, others : ndarray of int
        Columns of the term, and those of other terms but the constant.
    weights : ndarray of shape (n,)
        Weights that sum to one.
    df_resid : float
        Degrees of freedom of tests: groups less one for clustered errors.

    Returns
    -------
    ndarray of shape (n, q)
        First the term's own columns, which are always there, then squares, then products.
    """
    own, rest = _standard(exog[:, columns], weights), _standard(exog[:, others], weights)
    many = [at for at, column in enumerate(own.T) if len(np.unique(column)) > 2]
    products = (own[:, :, None] * rest[:, None, :]).reshape(len(own), -1)
    most = int(min(np.sqrt(len(own)) / 2.0, df_resid / 4.0))
    room = max(0, most - own.shape[1])
    more = _standard(np.column_stack([own[:, many] ** 2, products]), weights)
    return np.column_stack([own, more[:, more.any(axis=0)][:, :room]])


def _standard(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    centred = columns - weights @ columns
    spread = np.sqrt(weights @ centred**2)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12)
