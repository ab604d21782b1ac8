r"""The evidence lower bound of a variational autoencoder as a function to be minimised.

With normal errors of one variance :math:`\sigma^2` for all standardised series, the bound on the
log density of the sample (Kingma and Welling, 2014) is

.. math::

    \mathrm{ELBO} = \sum_t \Big( E_q \log p(x_t | z_t)
      - \tfrac12 \sum_k (\mu_{tk}^2 + \sigma_{tk}^2 - 1 - \log \sigma_{tk}^2) \Big).

Weights have normal priors with variances in proportion to :math:`\sigma^2`, which makes the penalty
that of the autoencoder. At the best :math:`\sigma^2 = 2R`, with R half the mean squared error over
the posterior plus the penalty, minus the bound a value is :math:`\tfrac12 \log R + K` plus a
constant, where K is the divergence a value. What is minimised is :math:`R e^{2K}`: the objective
of the autoencoder times the price of the posterior.

Expectations are means over draws that are made once, the same for all penalties and folds. Each
row's draws have mean zero and identity second moments, so that expectations of squares are exact
and with a linear decoder the bound is in closed form.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.ridge_output import ridge_solution
from nnecon.nets.variational import VariationalAutoencoder

LEAST_DRAWS = 20
"""Draws a row; four times as many as there are factors where that is more."""


def posterior_draws(seed: int, n_rows: int, k_factors: int, count: int | None = None) -> np.ndarray:
    """Standard normal draws (count, n_rows, k), in opposite pairs, whitened for each row."""
    half = (max(LEAST_DRAWS, 4 * k_factors) if count is None else count) // 2
    drawn = np.random.default_rng(seed).standard_normal((n_rows, half, k_factors))
    root = np.linalg.cholesky(drawn.transpose(0, 2, 1) @ drawn / half)
    white = np.linalg.solve(root, drawn.transpose(0, 2, 1)).transpose(2, 0, 1)
    return np.concatenate([white, -white])


class VariationalFunctions(NamedTuple):
    """Functions of ``(params, inputs, target, weights, alpha)``, to be compiled.

    ``inputs`` are scores (T, q), shares of information (T, 1) and draws (M, T, k). ``value`` is the
    objective, ``output`` the best output layer, ``noise`` the variance of the errors; ``encode``
    and ``posterior`` are functions of parameters and (scores, shares), ``features`` of parameters
    and codes.
    """

    value: Callable[..., jax.Array]
    output: Callable[..., jax.Array]
    noise: Callable[..., jax.Array]
    encode: Callable[..., jax.Array]
    posterior: Callable[..., tuple[jax.Array, jax.Array]]
    features: Callable[..., jax.Array]


def divergence(mean: jax.Array, deviation: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence of the posterior from the prior, by row."""
    terms = mean**2 + deviation**2 - 1.0 - 2.0 * jnp.log(deviation)
    return 0.5 * jnp.sum(terms, axis=1)


@lru_cache(maxsize=64)
def variational_functions(network: VariationalAutoencoder) -> VariationalFunctions:
    """What estimation and results need."""
    rows = jax.vmap(network.posterior, in_axes=(None, 0, 0))
    features = jax.vmap(network.features, in_axes=(None, 0))
    ridge, inner = network.penalised_output, network.penalised

    def posterior(params, inputs):
        return rows(params, *inputs[:2])

    def moments(params, inputs, target, weights):
        mean, deviation = posterior(params, inputs)
        seen = jax.vmap(features, in_axes=(None, 0))(params, mean + deviation * inputs[2])
        cross = jnp.mean(seen, axis=0).T @ (weights * target)
        p, count = seen.shape[2], len(seen)
        if weights.shape[1] == 1:
            flat = seen.reshape(-1, p)
            return flat.T @ (jnp.tile(weights, (count, 1)) / count * flat), cross
        pairs = jnp.einsum("mti,mtj->tij", seen, seen).reshape(-1, p * p) / count
        return (weights.T @ pairs).reshape(-1, p, p), cross

    def output(params, inputs, target, weights, alpha):
        return ridge_solution(*moments(params, inputs, target, weights), alpha * ridge)

    def half_noise(params, inputs, target, weights, alpha):
        gram, cross = moments(params, inputs, target, weights)
        held = jax.lax.stop_gradient((gram, cross))
        coefficients = ridge_solution(*held, alpha * ridge)
        equation = "pq,pj,qj->" if gram.ndim == 2 else "jpq,pj,qj->"
        fitted = jnp.einsum(equation, gram, coefficients, coefficients)
        squares = jnp.sum(weights * target**2) - 2.0 * jnp.sum(coefficients * cross) + fitted
        penalty = jnp.sum(ridge[:, None] * coefficients**2) / target.shape[1]
        return 0.5 * (squares + alpha * (penalty + jnp.sum(inner * params**2)))

    def value(params, inputs, target, weights, alpha):
        price = weights.max(axis=1) @ divergence(*posterior(params, inputs))
        return half_noise(params, inputs, target, weights, alpha) * jnp.exp(2.0 * price)

    def noise(params, inputs, target, weights, alpha):
        return 2.0 * half_noise(params, inputs, target, weights, alpha)

    def encode(params, inputs):
        return posterior(params, inputs)[0]

    return VariationalFunctions(value, output, noise, encode, posterior, features)
