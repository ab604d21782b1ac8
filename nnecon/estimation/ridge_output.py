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
    return ridge_solution(*output_moments(regressors, target, weights), ridge)


def output_moments(
    regressors: jax.Array, target: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Weighted products of regressors, and of regressors and target, as a solution takes them."""
    weighted = weights * target
    if weights.shape[1] == 1:
        return regressors.T @ (weights * regressors), regressors.T @ weighted
    p = regressors.shape[1]
    pairs = (regressors[:, :, None] * regressors[:, None, :]).reshape(-1, p * p)
    return (weights.T @ pairs).reshape(-1, p, p), (weighted.T @ regressors).T


def ridge_solution(gram: jax.Array, cross: jax.Array, ridge: jax.Array) -> jax.Array:
    """The same from moments.

    Parameters
    ----------
    gram : array of shape (p, p) or (N, p, p)
        Products of the regressors, one matrix for all series or one for each.
    cross : array of shape (p, N)
        Products of regressors and target.
    ridge : array of shape (p,)
    """
    n_series = cross.shape[1]
    gram = gram + jnp.diag(ridge / n_series + TINY / n_series)
    if gram.ndim == 2:
        return jax.scipy.linalg.solve(gram, cross, assume_a="pos")
    roots = jnp.linalg.cholesky(gram)
    half = jax.scipy.linalg.solve_triangular(roots, cross.T[:, :, None], lower=True)
    found = jax.scipy.linalg.solve_triangular(roots, half, lower=True, trans=1)
    return found[:, :, 0].T
