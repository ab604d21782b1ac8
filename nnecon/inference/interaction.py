r"""How much two variables interact: the H statistic of Friedman and Popescu (2008).

With partial dependence functions :math:`F_{jk}, F_j, F_k`, centred over the sample,

.. math::

    H_{jk}^2 = \frac{\sum_i w_i [F_{jk}(x_{ij}, x_{ik}) - F_j(x_{ij}) - F_k(x_{ik})]^2}
                    {\sum_i w_i F_{jk}(x_{ij}, x_{ik})^2}

is the share of the variance of the joint effect that no sum of single effects explains: zero for an
additive function. The root of the numerator is the standard deviation of the interaction in units
of the dependent variable, which does not blow up where the joint effect is small.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BATCH = 50_000
"""Rows that are evaluated together."""

NOTHING = 1e-20
"""A joint effect with a smaller variance, relative to the mean's square, is rounding error."""


class Interaction(NamedTuple):
    """Share of the joint effect's variance, and standard deviation, of an interaction."""

    share: float
    deviation: float


def partial_dependence(
    values: Callable[[np.ndarray, np.ndarray], np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """Average of a function over background rows, at the values that each row has itself.

    Parameters
    ----------
    values : callable
        Takes positions of background rows and of the rows whose values are put in, each (r,), and
        gives the function there (r,).
    weights : ndarray of shape (n,)
        Shares of the background rows; they sum to one.

    Returns
    -------
    ndarray, shape (n,)
    """
    n = len(weights)
    size = max(1, min(n, BATCH // n))
    out = np.empty(n)
    for start in range(0, n, size):
        # the last batch is filled up with its first rows, so that all have one shape
        points = np.arange(start, start + size) % n
        background = np.tile(np.arange(n), size)
        found = values(background, np.repeat(points, n)).reshape(size, n) @ weights
        stop = min(start + size, n)
        out[start:stop] = found[: stop - start]
    return out


def interaction(
    joint: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray
) -> Interaction:
    """H statistic from partial dependence (n,) at the sample's points; weights sum to one.

    Where the joint effect is nothing but rounding error the share is zero.

    Examples
    --------
    >>> x, z = np.array([-1.0, -1.0, 1.0, 1.0]), np.array([-1.0, 1.0, -1.0, 1.0])
    >>> interaction(x + z + x * z, x, z, np.full(4, 0.25))
    Interaction(share=0.333..., deviation=1.0)
    """
    scale = float(weights @ joint**2)
    joint, first, second = (part - weights @ part for part in (joint, first, second))
    rest = float(weights @ (joint - first - second) ** 2)
    total = float(weights @ joint**2)
    share = rest / total if total > NOTHING * scale else 0.0
    return Interaction(share, float(np.sqrt(rest)))
