r"""The price of codes that are away from zero, for sparse autoencoders.

With :math:`\tilde z` the codes standardised over the rows of the sample,

.. math:: \frac1T \sum_{t,k} \big( \sqrt{\tilde z_{tk}^2 + \epsilon^2} - \epsilon \big)

is their L1 norm a row, smoothed near zero so that L-BFGS finds the minimum. It cannot be lowered by
codes that shrink, only by codes of which few are far from zero and many near.
"""

import jax
import jax.numpy as jnp

EDGE = 0.05
"""Width of the smoothing, in standard deviations of a code."""

TINY = 1e-12
"""Variance that is added to a code's, beside codes that do not vary."""


def smoothed_norm(codes: jax.Array, weights: jax.Array) -> jax.Array:
    """L1 norm of standardised codes, summed over codes and averaged over rows.

    Parameters
    ----------
    codes : array of shape (n, k)
    weights : array of shape (n, N) or (n, 1)
        Rows count alike where any weight is positive, and not at all elsewhere.
    """
    rows = (weights > 0).any(axis=1)
    share = (rows / jnp.sum(rows))[:, None]
    moved = codes - jnp.sum(share * codes, axis=0)
    size = jnp.sqrt(jnp.sum(share * moved**2, axis=0) + TINY)
    return jnp.sum(share * (jnp.sqrt((moved / size) ** 2 + EDGE**2) - EDGE))
