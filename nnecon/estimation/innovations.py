r"""Likelihood of a recurrent network in innovations form: errors of one-step forecasts.

Where the state has no noise and no later period depends on a missing value, the state is a function
of what is there, and the likelihood is exact:

.. math:: \ell = \sum_t \log p(y_t - \mu_t), \qquad \mu_t = c + \sum_l A_l y_{t-l} + B x_t + V h_t.

The state runs through one scan over time; all products with data are taken outside of it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.state_space import TINY, Parts, StateSpaceNetwork

LOG_2PI = float(np.log(2.0 * np.pi))


class Rows(NamedTuple):
    """The n rows of a sample in order of time.

    Parameters
    ----------
    series : (n, m)
        Series; NaN where they are missing.
    past : (n, r, m)
        Series of the r periods before, the last first.
    exog : (n, q)
        Known regressors.
    """

    series: Any
    past: Any
    exog: Any


class Means(NamedTuple):
    """States (n, k), of the rows, and means (n, m) of the series given the past."""

    states: jax.Array
    means: jax.Array


def first_state(network: StateSpaceNetwork, parts: Parts, rows: Rows) -> jax.Array:
    """The state before the first row of a network without noise, shape (k,)."""
    if network.start == "estimated":
        return parts.start
    if network.start == "conditional":
        # the shortest state that explains the period before the first row
        gap = rows.past[0, 0] - parts.const
        loading = parts.loading
        if network.n_states >= network.n_series:
            inner = _regular(loading @ loading.T)
            return loading.T @ jnp.linalg.solve(inner, gap)
        inner = _regular(loading.T @ loading)
        return jnp.linalg.solve(inner, loading.T @ gap)
    return jnp.zeros(network.n_states)


def _regular(square: jax.Array) -> jax.Array:
    """A matrix of cross products with a ridge, so that zero loadings give a state of zero."""
    return square + (TINY * jnp.trace(square) + 1e-30) * jnp.eye(len(square))


def one_step(network: StateSpaceNetwork, params: jax.Array, rows: Rows) -> Means:
    """States and one-step forecasts of complete rows."""
    parts = network.unpack(params)
    activation = ACTIVATIONS[network.activation]
    last = rows.past[:, 0] if network.reach else jnp.zeros_like(rows.series)
    entering = parts.bias + network.seen_inputs(last, rows.exog) @ parts.inputs.T

    def advance(state, now):
        new = activation(now + parts.transition @ state)
        return new, new

    _, states = jax.lax.scan(advance, first_state(network, parts, rows), entering)
    lagged = jnp.einsum("lij,tlj->ti", parts.lags, rows.past[:, : network.lags])
    means = parts.const + rows.exog @ parts.exog.T + lagged + states @ parts.loading.T
    return Means(states, means)


def contributions(network: StateSpaceNetwork, params: jax.Array, rows: Rows) -> jax.Array:
    """Log-likelihood of each row, shape (n,)."""
    parts = network.unpack(params)
    errors = rows.series - one_step(network, params, rows).means
    return error_density(network, parts, errors)


def error_density(network: StateSpaceNetwork, parts: Parts, errors: jax.Array) -> jax.Array:
    """Log density of errors (n, m), normal or Student t, shape (n,).

    Student t errors of networks without lags and innovations may be NaN where a value is missing:
    the others are Student t with the same degrees of freedom (Kotz and Nadarajah, 2004).
    """
    m = network.n_series
    root = parts.factor
    count: Any = m
    if network.reach or not network.student:
        scaled = jax.scipy.linalg.solve_triangular(root, errors.T, lower=True).T
        determinant = jnp.sum(jnp.log(jnp.abs(jnp.diag(root))))
    else:
        there = jnp.isfinite(errors)
        count = there.sum(axis=1)
        both = there[:, :, None] & there[:, None, :]
        # what is missing is independent, and at its mean
        roots = jnp.linalg.cholesky(jnp.where(both, root @ root.T, jnp.eye(m)))
        known = jnp.where(there, errors, 0.0)
        solve = jax.vmap(lambda a, b: jax.scipy.linalg.solve_triangular(a, b, lower=True))
        scaled = solve(roots, known)
        determinant = jnp.log(jnp.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    distance = jnp.sum(scaled**2, axis=1)
    if not network.student:
        return -0.5 * (count * LOG_2PI + distance) - determinant
    df = parts.df
    gamma = jax.scipy.special.gammaln
    level = gamma(0.5 * (df + count)) - gamma(0.5 * df) - 0.5 * count * jnp.log(df * jnp.pi)
    return level - determinant - 0.5 * (df + count) * jnp.log1p(distance / df)


def concentrated(network: StateSpaceNetwork, errors: jax.Array, weights: jax.Array) -> jax.Array:
    """Mean Gaussian log-likelihood of errors (n, m) with their covariance at its best value.

    ``weights`` (n,) sum to one.
    """
    m = network.n_series
    covariance = (errors * weights[:, None]).T @ errors
    if network.errors == "diagonal":
        spread = jnp.sum(jnp.log(jnp.diag(covariance)))
    else:
        spread = 2.0 * jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(covariance))))
    return -0.5 * (m * (LOG_2PI + 1.0) + spread)
