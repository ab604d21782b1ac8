r"""Shapley values: a prediction's distance from the mean prediction, shared out among variables.

The value of a set S of variables for a row is the mean of the function over background rows with
the variables of S taken from the row (Strumbelj and Kononenko, 2014; Lundberg and Lee, 2017; this
is the interventional kind),

.. math::

    v(S) = \sum_b w_b F(x_S, x^b_{\bar S}), \qquad
    \phi_j = \sum_{S \not\ni j} \frac{|S|!\,(p - |S| - 1)!}{p!} [v(S \cup j) - v(S)],

so that :math:`\sum_j \phi_j = F(x) - \sum_b w_b F(x^b)` (Shapley, 1953).
"""

from collections.abc import Callable
from math import comb

import numpy as np

MOST = 12
"""Most variables of an exact enumeration: 4,096 sets."""

Worth = Callable[[np.ndarray], np.ndarray]
"""Value of a set of variables, a mask (p,), for m rows: an array whose first axis is m."""


def masks(count: int) -> np.ndarray:
    """All sets of ``count`` variables, shape (2**count, count); set s has the bits of s."""
    return (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1


def exact_weights(count: int) -> np.ndarray:
    """What turns the worth of all sets into Shapley values, shape (count, 2**count).

    Examples
    --------
    >>> exact_weights(2)
    array([[-0.5,  0.5, -0.5,  0.5],
           [-0.5, -0.5,  0.5,  0.5]])
    """
    sets = masks(count)
    size = sets.sum(axis=1)
    joining = np.array([1.0 / (count * comb(count - 1, k)) for k in range(count)])
    weights = np.empty((count, len(sets)))
    for j in range(count):
        inside = sets[:, j]
        weights[j] = np.where(
            inside, joining[np.maximum(size - 1, 0)], -joining[np.minimum(size, count - 1)]
        )
    return weights


def exact(worth: Worth, count: int) -> np.ndarray:
    """Shapley values (m, count) from the worth of all sets."""
    weights = exact_weights(count)
    total = 0.0
    for mask, column in zip(masks(count), weights.T, strict=True):
        total = total + worth(mask)[:, None] * column
    return np.asarray(total)


def sampled(
    worth: Worth, count: int, permutations: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values (m, count) from random orders of the variables, and their standard errors.

    Every order comes with its reverse (Mitchell et al., 2022): half of ``permutations`` are drawn.
    """
    draws = []
    for _ in range(max(2, (permutations + 1) // 2)):
        order = rng.permutation(count)
        draws.append((_along(worth, order) + _along(worth, order[::-1])) / 2.0)
    stacked = np.array(draws)
    return stacked.mean(axis=0), stacked.std(axis=0, ddof=1) / np.sqrt(len(stacked))


def _along(worth: Worth, order: np.ndarray) -> np.ndarray:
    """What each variable adds when they enter in an order, shape (m, count)."""
    mask = np.zeros(len(order), dtype=bool)
    before = worth(mask)
    added = np.empty((len(before), len(order)))
    for j in order:
        mask[j] = True
        after = worth(mask)
        added[:, j] = after - before
        before = after
    return added
