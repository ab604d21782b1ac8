"""Compiled derivatives of an objective, in double precision, and the optimality certificate."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.losses import Squared
from nnecon.estimation.problem import Objective
from nnecon.nets import Network

CERTIFIED = 1e-6
"""A solution is called converged where its certificate is under this number."""


def double_precision():
    """Context in which JAX computes in float64; the user's own setting is untouched."""
    return jax.enable_x64(True)


class Kernels(NamedTuple):
    """Jitted functions of one network and loss; arrays in, JAX arrays out.

    ``roots`` are ``sqrt(w / sum(w))``, so that sums of squares are weighted means.
    """

    fitted: Callable[..., jax.Array]
    fitted_many: Callable[..., jax.Array]
    residual_jacobian: Callable[..., tuple[jax.Array, jax.Array]]
    value_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    bending: Callable[..., jax.Array]
    second_directional: Callable[..., jax.Array]
    squared_columns: Callable[..., jax.Array]


@lru_cache(maxsize=128)
def kernels(network: Network, loss: Squared) -> Kernels:
    """Compile (lazily, once a shape) what the solvers need."""
    values = jax.vmap(network.apply, in_axes=(None, 0))
    gradients = jax.vmap(jax.value_and_grad(network.apply), in_axes=(None, 0))

    def residual_jacobian(params, inputs, target, roots):
        value, jacobian = gradients(params, inputs)
        return loss.residual(target, value) * roots, jacobian * roots[:, None]

    def mean_loss(params, inputs, target, roots):
        return jnp.sum(roots**2 * loss.value(target, values(params, inputs)))

    def squared_columns(params, inputs, roots):
        _, jacobian = gradients(params, inputs)
        return jnp.sum((jacobian * roots[:, None]) ** 2, axis=0)

    def second_directional(params, direction, inputs, roots):
        def along(step):
            return values(params + step * direction, inputs)

        def slope(step):
            return jax.jvp(along, (step,), (jnp.ones_like(step),))[1]

        zero = jnp.zeros((), inputs.dtype)
        return jax.jvp(slope, (zero,), (jnp.ones_like(zero),))[1] * roots

    def bending(params, inputs, residual, roots):
        return network.curvature(params, inputs, residual * roots)

    return Kernels(
        fitted=jax.jit(values),
        fitted_many=jax.jit(jax.vmap(values, in_axes=(0, None))),
        residual_jacobian=jax.jit(jax.vmap(residual_jacobian, in_axes=(0, None, None, 0))),
        value_gradient=jax.jit(jax.value_and_grad(mean_loss)),
        bending=jax.jit(jax.vmap(bending, in_axes=(0, None, 0, 0))),
        second_directional=jax.jit(jax.vmap(second_directional, in_axes=(0, 0, None, 0))),
        squared_columns=jax.jit(squared_columns),
    )


def roots(weights: np.ndarray) -> np.ndarray:
    """``sqrt(w / sum(w))`` along the last axis."""
    return np.sqrt(weights / weights.sum(axis=-1, keepdims=True))


def fitted(network: Network, params: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Values of the network, shape (n,)."""
    with double_precision():
        return np.asarray(kernels(network, Squared()).fitted(params, inputs))


def fitted_many(network: Network, many: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Values of the network at each of ``many`` parameter vectors (m, k), shape (m, n)."""
    with double_precision():
        return np.asarray(kernels(network, Squared()).fitted_many(many, inputs))


def second_derivatives(
    objective: Objective, params: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the Hessian of the weighted mean loss is made of.

    Returns
    -------
    residual : ndarray of shape (n,)
        Fitted minus actual values, times ``sqrt(w / sum(w))``.
    jacobian : ndarray of shape (n, k)
        Derivatives of the fitted values, times ``sqrt(w / sum(w))``; its cross product is the
        Gauss-Newton matrix.
    bending : ndarray of shape (k, k)
        What the exact Hessian has beyond the Gauss-Newton matrix.
    """
    kernel = kernels(objective.network, objective.loss)
    root = roots(weights)[None]
    with double_precision():
        data = objective.inputs, objective.target
        residual, jacobian = kernel.residual_jacobian(params[None], *data, root)
        bending = kernel.bending(params[None], objective.inputs, residual, root)
        return np.array(residual[0]), np.array(jacobian[0]), np.array(bending[0])


def relative_gradient(
    gradient: np.ndarray, column_norms: np.ndarray, objective_value: float, target_norm: float
) -> float:
    r"""Largest cosine between the residual and a column of the Jacobian.

    With penalties written as further residuals, the gradient of the objective is
    :math:`J'r`, and :math:`\max_j |J_j'r| / (\|J_j\| \|r\|)` is zero at a stationary point and
    depends neither on the units of the parameters nor on those of the data. Where the fit is exact
    to rounding error, :math:`\|r\|` is replaced by :math:`10^{-8}\|y\|`.
    """
    size = max(np.sqrt(2.0 * max(objective_value, 0.0)), 1e-8 * target_norm)
    norms = np.where(column_norms > 0, column_norms, 1.0)
    if size == 0.0:
        return 0.0
    return float(np.max(np.abs(gradient) / norms, initial=0.0) / size)


def certificate(
    objective: Objective, params: np.ndarray, weights: np.ndarray, alpha: float
) -> tuple[float, float, float]:
    """Loss, penalty and relative gradient norm at ``params``, computed from scratch.

    Returns
    -------
    loss, penalty, certificate : float
    """
    kernel = kernels(objective.network, objective.loss)
    root = roots(weights)
    with double_precision():
        data = objective.inputs, objective.target
        loss, gradient = (np.asarray(a) for a in kernel.value_gradient(params, *data, root))
        columns = np.asarray(kernel.squared_columns(params, objective.inputs, root))
    penalty = float(0.5 * objective.penalised @ params**2)
    strength = alpha * objective.penalised if np.isfinite(alpha) else 0.0 * objective.penalised
    free = np.isfinite(alpha) | (objective.penalised == 0)
    value = float(loss) + (alpha * penalty if np.isfinite(alpha) else 0.0)
    relative = relative_gradient(
        np.where(free, gradient + strength * params, 0.0),
        np.sqrt(columns + strength),
        value,
        float(np.linalg.norm(root * objective.target)),
    )
    return float(loss), penalty, relative
