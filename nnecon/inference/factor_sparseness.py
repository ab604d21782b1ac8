r"""How sparse factors are: whether few values are far from zero and many near.

For a factor :math:`z` with T values, :math:`r = \|z\|_1 / (\sqrt T \|z\|_2)` is its mean absolute
value in root mean squares: .80 for a normal factor, .71 for a Laplace factor, and 1/√T where all
values but one are zero. Hoyer's (2004) sparseness is
:math:`\sqrt T (1 - r) / (\sqrt T - 1)`, from 0 (all values alike) to 1 (all but one are zero).
"""

import numpy as np


def sparseness(factors: np.ndarray, near: float) -> np.ndarray:
    """Measures of each factor, after centring.

    Parameters
    ----------
    factors : ndarray of shape (T, k)
    near : float
        What is near zero, in standard deviations.

    Returns
    -------
    ndarray of shape (k, 3)
        Mean absolute value in standard deviations, Hoyer's sparseness, share of values near zero.
    """
    moved = factors - factors.mean(axis=0)
    size = np.abs(moved) / moved.std(axis=0)
    ratio, root = size.mean(axis=0), np.sqrt(len(factors))
    return np.column_stack([ratio, root * (1.0 - ratio) / (root - 1.0), (size < near).mean(axis=0)])
