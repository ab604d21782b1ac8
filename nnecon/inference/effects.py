r"""Effects of regressors on the mean, with the derivatives that the delta method needs.

The average partial effect of a continuous regressor is the weighted mean of
:math:`\partial f(x_i) / \partial x`, that of a category the mean change of :math:`f` from the
reference to the category. Both come with their gradient by the parameters, from automatic
differentiation.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision, filled
from nnecon.exceptions import SpecificationError
from nnecon.nets import Network


class _Means(NamedTuple):
    slope: Callable[..., tuple[jax.Array, jax.Array]]
    level: Callable[..., tuple[jax.Array, jax.Array]]
    slope_value: Callable[..., jax.Array]
    change_value: Callable[..., jax.Array]
    rows: Callable[..., tuple[jax.Array, jax.Array]]
    into: Callable[..., jax.Array]


@lru_cache(maxsize=128)
def _means(network: Network) -> _Means:
    def values(params, rows):
        return jax.vmap(network.apply, in_axes=(None, 0))(params, rows)

    def slope(params, rows, directions, weights):
        _, change = jax.jvp(lambda at: values(params, at), (rows,), (directions,))
        return weights @ change

    def level(params, rows, weights):
        return weights @ values(params, rows)

    def change_value(params, rows, reference, weights):
        return level(params, rows, weights) - level(params, reference, weights)

    def into(params, rows, weights):
        return jax.grad(lambda at: weights @ values(params, at))(rows).sum(axis=0)

    return _Means(
        slope=cached_jit(jax.value_and_grad(slope)),
        level=cached_jit(jax.value_and_grad(level)),
        slope_value=cached_jit(slope),
        change_value=cached_jit(change_value),
        rows=cached_jit(jax.vmap(jax.value_and_grad(network.apply), in_axes=(None, 0))),
        into=cached_jit(into),
    )


def _host(pair: tuple[jax.Array, jax.Array]) -> tuple[float, np.ndarray]:
    return float(pair[0]), np.asarray(pair[1])


def average_slope(
    network: Network,
    params: np.ndarray,
    rows: np.ndarray,
    directions: np.ndarray,
    weights: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Weighted mean of the derivatives along ``directions`` and its gradient (k,).

    ``rows`` and ``directions`` have shape (n, r), ``weights`` (n,) sum to one.
    """
    with double_precision():
        return _host(_means(network).slope(params, rows, directions, weights))


def average_level(
    network: Network, params: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """Weighted mean of the fitted values and its gradient (k,)."""
    with double_precision():
        return _host(_means(network).level(params, rows, weights))


def average_change(
    network: Network,
    params: np.ndarray,
    rows: np.ndarray,
    reference: np.ndarray,
    weights: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Weighted mean of the change of the fitted values from ``reference`` to ``rows``."""
    value, gradient = average_level(network, params, rows, weights)
    base, base_gradient = average_level(network, params, reference, weights)
    return value - base, gradient - base_gradient


def slopes_along(
    network: Network,
    many: np.ndarray,
    rows: np.ndarray,
    directions: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Average slopes at each of ``many`` parameter vectors (m, k), shape (m,)."""
    kernel = _means(network).slope_value
    with double_precision():
        return np.array([float(kernel(params, rows, directions, weights)) for params in many])


def changes_along(
    network: Network, many: np.ndarray, rows: np.ndarray, reference: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Average changes at each of ``many`` parameter vectors (m, k), shape (m,)."""
    kernel = _means(network).change_value
    with double_precision():
        return np.array([float(kernel(params, rows, reference, weights)) for params in many])


def average_gradient(
    network: Network, params: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Weighted mean of the derivatives by every number of a row, shape (r,)."""
    whole = filled(network, rows)
    share = np.concatenate([weights, np.zeros(len(whole) - len(rows))])
    with double_precision():
        return np.asarray(_means(network).into(params, whole, share))


def values_and_gradients(
    network: Network, params: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fitted values (n,) and their gradients by the parameters (n, k)."""
    whole, n = filled(network, rows), len(rows)
    with double_precision():
        values, gradients = _means(network).rows(params, whole)
        return np.asarray(values)[:n], np.asarray(gradients)[:n]


def delta_variance(gradients: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Variances ``g V g'`` of functions with ``gradients`` (m, k), shape (m,)."""
    return checked_variances(np.einsum("ij,jk,ik->i", gradients, covariance, gradients))


def checked_variances(values: np.ndarray) -> np.ndarray:
    """Variances, none of which may be negative but by rounding."""
    least = values.min(initial=0.0)
    if least < -1e-9 * np.abs(values).max(initial=0.0):
        raise SpecificationError(
            f"a variance is negative ({least:.3g}): this covariance is not positive semi-definite, "
            "which kernel='uniform' does not rule out; choose kernel='bartlett'."
        )
    return np.maximum(values, 0.0)
