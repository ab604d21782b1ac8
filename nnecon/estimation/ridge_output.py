"""The best linear output layer: a ridge regression of every series on the same regressors."""

import jax
import jax.numpy as jnp

TINY = 1e-10
"""Ridge on the unpenalised output, beside units that have become alike."""


def ridge_output(
    regressors: jax.Array, target: jax.Array, weights: jax.Array, ridge: jax.Array
) -> jax.Array:
    """Coefficients that minimise weighted squares and a ridge, shape (p, N).

    Parameters
    ----------
    regressors : array of shape (n, p)
    target : array of shape (n, N)
    weights : array of shape (n, N) or (n, 1)
        One column where all series have the same weights, which saves a solve a series.
    ridge : array of shape (p,)
        Penalty of each squared coefficient, the objective being a mean over series.
    """
    shrink = jnp.diag(ridge / target.shape[1] + TINY / target.shape[1])
    weighted = weights * target
    if weights.shape[1] == 1:
        gram = regressors.T @ (weights * regressors) + shrink
        return jax.scipy.linalg.solve(gram, regressors.T @ weighted, assume_a="pos")
    p = regressors.shape[1]
    pairs = (regressors[:, :, None] * regressors[:, None, :]).reshape(-1, p * p)
    grams = (weights.T @ pairs).reshape(-1, p, p) + shrink
    roots = jnp.linalg.cholesky(grams)
    right = (weighted.T @ regressors)[:, :, None]
    half = jax.scipy.linalg.solve_triangular(roots, right, lower=True)
    found = jax.scipy.linalg.solve_triangular(roots, half, lower=True, trans=1)
    return found[:, :, 0].T
