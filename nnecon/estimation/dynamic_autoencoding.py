r"""The objective of an autoencoder whose factors follow a vector autoregression.

Codes :math:`z_t` of the rows are regressed on a constant and their own p lags, which gives
predictions :math:`\hat z_t` and the covariance :math:`\Sigma` of their errors. With :math:`\phi`
the decoder's regressors, B its output layer and s the share of the forecasts,

.. math::

    F = \tfrac12 \sum_{t,j} \big[ (1 - s) w_{tj} (x_{tj} - B_j' \phi(z_t))^2
      + s\, v_{tj} (x_{tj} - B_j'\, E\,\phi(\hat z_t + u_t))^2 \big] + \text{penalty},

with weights w and v that sum to one; v is zero where the row or one of its lags is not estimated
on. The autoregression is least squares on the codes at every point and no parameter; derivatives
go through it. One output layer serves both terms and is the best one for their sum.

The mean over the error :math:`u_t` makes the second term ask for the conditional mean of a panel
that is a curved function of the factors. It is taken over the 2k points
:math:`\pm \sqrt{k}\, \Sigma^{1/2}_i` of the third-degree cubature rule (Arasaratnam and Haykin,
2009), which is exact for polynomials of that degree and normal errors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.ridge_output import TINY, ridge_output
from nnecon.estimation.rows import bucket
from nnecon.estimation.sparse_codes import smoothed_norm
from nnecon.nets.autoencoder import Autoencoder


@dataclass(frozen=True, slots=True)
class Dynamics:
    """An autoregression of the factors.

    Attributes
    ----------
    order : int
        Lags p, at least one.
    share : float
        Share of the forecasts in the objective, from 0 to under 1.
    """

    order: int
    share: float

    def usable(self, weights: np.ndarray) -> np.ndarray:
        """Which rows from p on have weight together with their p lags, bool of shape (T - p,)."""
        alive, p = weights.sum(axis=1) > 0, self.order
        together = [alive[p - lag : len(alive) - lag] for lag in range(p + 1)]
        return np.logical_and.reduce(together)

    def forecast_weights(self, weights: np.ndarray, n_series: int) -> np.ndarray:
        """Weights of forecasts (T - p, N or 1) from weights of the rows (T, N or 1)."""
        own = weights[self.order :] * self.usable(weights)[:, None]
        total = own.sum() * (n_series if weights.shape[1] == 1 else 1)
        return own / total

    def data(self, scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[Any, ...]:
        """What the kernels take between parameters and penalty.

        Rows without weight are put behind the others, up to one of few numbers of rows.
        """
        scores, target, weights = (
            behind(each, bucket(len(each))) for each in (scores, target, weights)
        )
        usable = self.usable(weights).astype(float)
        ahead = self.forecast_weights(weights, target.shape[1])
        return scores, target, weights, usable, ahead, self.share

    def both_weights(self, weights: np.ndarray) -> np.ndarray:
        """Weights (T, N) of the rows themselves and as they are forecast, added up."""
        ahead = self.forecast_weights(weights, weights.shape[1])
        both = (1.0 - self.share) * weights
        both[self.order :] += self.share * ahead
        return both


def behind(values: np.ndarray, n_rows: int) -> np.ndarray:
    """The rows with zeros after them, so many rows in all."""
    rest = ((0, n_rows - len(values)),) + ((0, 0),) * (values.ndim - 1)
    return np.pad(values, rest)


class DynamicKernels(NamedTuple):
    """Compiled functions of an autoencoder with dynamics.

    All take parameters and scores (T, q); ``value_gradient`` and ``output`` then target (T, N),
    weights (T, N or 1), which transitions are used (T - p,), weights of forecasts (T - p, N or 1),
    the share and the penalty; ``ahead`` takes which transitions are used and gives the mean
    regressors of the one-step forecasts (T - p, n_features).
    """

    value_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    output: Callable[..., jax.Array]
    ahead: Callable[..., jax.Array]


@lru_cache(maxsize=64)
def dynamic_kernels(network: Autoencoder, order: int) -> DynamicKernels:
    """Compile (lazily, once a shape) the objective with an autoregression of so many lags."""
    encode = jax.vmap(network.encode, in_axes=(None, 0))
    features = jax.vmap(network.features, in_axes=(None, 0))
    ridge, inner, k = network.penalised_output, network.penalised, network.k_factors
    curved = bool(network.decoder)

    def predicted(codes, usable):
        """Predictions of the codes and their errors' covariance, degrees of freedom as in a VAR."""
        n = len(codes)
        lags = [codes[order - lag : n - lag] for lag in range(1, order + 1)]
        past = jnp.concatenate([jnp.ones_like(codes[order:, :1]), *lags], axis=1)
        used = usable[:, None] * past
        gram = used.T @ past + TINY * jnp.eye(past.shape[1])
        coefs = jax.scipy.linalg.solve(gram, used.T @ codes[order:], assume_a="pos")
        found = past @ coefs
        errors = usable[:, None] * (codes[order:] - found)
        freedom = jnp.sum(usable) - past.shape[1]
        return found, errors.T @ errors / freedom

    def mean_features(params, codes, usable):
        found, covariance = predicted(codes, usable)
        if not curved:
            return features(params, found)
        root = jnp.sqrt(k) * jnp.linalg.cholesky(covariance + TINY * jnp.eye(k))
        total = 0.0
        for move in range(k):
            step = root[:, move]
            total += features(params, found + step) + features(params, found - step)
        return total / (2 * k)

    def regressors_of(params, scores, usable):
        codes = encode(params, scores)
        return features(params, codes), mean_features(params, codes, usable)

    def solve(now, ahead, scores, target, weights, forecast_weights, share, alpha):
        if network.tied:
            # the output is the regression on the scores, which no other parameter moves
            seen = jnp.concatenate([jnp.ones_like(scores[:, :1]), scores], axis=1)
            return ridge_output(seen, target, weights, alpha * ridge)
        both = jnp.concatenate([now, ahead])
        targets = jnp.concatenate([target, target[order:]])
        shares = jnp.concatenate([(1.0 - share) * weights, share * forecast_weights])
        return ridge_output(both, targets, shares, alpha * ridge)

    def output(params, scores, target, weights, usable, forecast_weights, share, alpha):
        now, ahead = regressors_of(params, scores, usable)
        return solve(now, ahead, scores, target, weights, forecast_weights, share, alpha)

    def value(params, scores, target, weights, usable, forecast_weights, share, alpha):
        now, ahead = regressors_of(params, scores, usable)
        price = 0.0
        if network.sparsity:
            price = network.sparsity * smoothed_norm(encode(params, scores), weights)
        held = map(jax.lax.stop_gradient, (now, ahead, scores, target))
        coefs = solve(*held, weights, forecast_weights, share, alpha)
        left = jnp.sum(weights * (target - now @ coefs) ** 2)
        missed = jnp.sum(forecast_weights * (target[order:] - ahead @ coefs) ** 2)
        penalty = jnp.sum(ridge[:, None] * coefs**2) / target.shape[1] + jnp.sum(inner * params**2)
        return price + 0.5 * ((1.0 - share) * left + share * missed + alpha * penalty)

    def ahead_of(params, scores, usable):
        return mean_features(params, encode(params, scores), usable)

    return DynamicKernels(
        cached_jit(jax.value_and_grad(value)), cached_jit(output), cached_jit(ahead_of)
    )
