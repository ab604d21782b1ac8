"""Compiled derivatives of an objective, in double precision, and the optimality certificate."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.losses import Check, Loss, Squared
from nnecon.estimation.problem import Objective
from nnecon.estimation.rows import bucket, cut
from nnecon.nets import Ensemble, LinearPart, Network

BLOCK = 2**16
"""Rows that a certificate looks at together."""

CERTIFIED = 1e-6
"""A solution is called converged where its certificate is under this number."""


def double_precision():
    """Context in which JAX computes in float64; the user's own setting is untouched."""
    return jax.enable_x64(True)


class Kernels(NamedTuple):
    """Jitted functions of one network and loss; arrays in, JAX arrays out.

    ``shares`` are ``w / sum(w)``, so that sums are weighted means.
    """

    fitted: Callable[..., jax.Array]
    fitted_many: Callable[..., jax.Array]
    value_slope_curvature: Callable[..., tuple[Any, Any, Any]]
    jacobian: Callable[..., jax.Array]
    value_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    bending: Callable[..., jax.Array]
    course: Callable[..., Any]
    bend: Callable[..., jax.Array]
    second_directional: Callable[..., jax.Array]
    gauss_newton_diagonal: Callable[..., jax.Array]


@lru_cache(maxsize=128)
def kernels(network: Network, loss: Loss) -> Kernels:
    """Compile (lazily, once a shape) what the solvers need."""
    values, gradients = network.values, network.gradients

    def value_slope_curvature(fit, target):
        return loss.value(target, fit), loss.slope(target, fit), loss.curvature(target, fit)

    def mean_loss(params, inputs, target, shares):
        return jnp.sum(shares * loss.value(target, values(params, inputs)))

    def gauss_newton_diagonal(params, inputs, target, shares):
        weights = shares * loss.curvature(target, values(params, inputs))
        return jnp.sum(weights[:, None] * gradients(params, inputs) ** 2, axis=0)

    if isinstance(loss, Check):
        # all levels share what is the network's
        return kernels(network, Squared())._replace(
            value_slope_curvature=loss.derivatives,
            value_gradient=cached_jit(jax.value_and_grad(mean_loss)),
            gauss_newton_diagonal=cached_jit(gauss_newton_diagonal),
        )

    def second_directional(params, direction, inputs):
        def along(step):
            # values may have no derivative forwards
            rows = jax.vmap(network.apply, in_axes=(None, 0))
            return rows(params + step * direction, inputs)

        def slope(step):
            return jax.jvp(along, (step,), (jnp.ones_like(step),))[1]

        zero = jnp.zeros((), inputs.dtype)
        return jax.jvp(slope, (zero,), (jnp.ones_like(zero),))[1]

    return Kernels(
        fitted=cached_jit(values),
        fitted_many=cached_jit(jax.vmap(values, in_axes=(0, None))),
        value_slope_curvature=cached_jit(value_slope_curvature),
        jacobian=cached_jit(gradients),
        value_gradient=cached_jit(jax.value_and_grad(mean_loss)),
        bending=cached_jit(network.curvature),
        course=cached_jit(network.course),
        bend=cached_jit(network.bend),
        second_directional=cached_jit(second_directional),
        gauss_newton_diagonal=cached_jit(gauss_newton_diagonal),
    )


def is_sequential(network: Network) -> bool:
    """Whether the network reads windows, see :class:`nnecon.nets.LinearPart`."""
    member = network.member if isinstance(network, Ensemble) else network
    return isinstance(member, LinearPart) and member.sequential


def filled(network: Network, inputs: np.ndarray) -> np.ndarray:
    """Rows filled up to one of few numbers, where the network is slow to compile."""
    lack = bucket(len(inputs)) - len(inputs) if is_sequential(network) else 0
    return np.concatenate([inputs, np.repeat(inputs[:1], lack, axis=0)]) if lack else inputs


def shares(weights: np.ndarray) -> np.ndarray:
    """``w / sum(w)`` along the last axis."""
    return weights / weights.sum(axis=-1, keepdims=True)


def roots(weights: np.ndarray) -> np.ndarray:
    """``sqrt(w / sum(w))`` along the last axis."""
    return np.sqrt(weights / weights.sum(axis=-1, keepdims=True))


def fitted(network: Network, params: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Values of the network, shape (n,)."""
    rows = filled(network, inputs)
    with double_precision():
        return np.asarray(kernels(network, Squared()).fitted(params, rows))[: len(inputs)]


def fitted_many(network: Network, many: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Values of the network at each of ``many`` parameter vectors (m, k), shape (m, n)."""
    if is_sequential(network):
        return np.stack([fitted(network, params, inputs) for params in many])
    with double_precision():
        return np.asarray(kernels(network, Squared()).fitted_many(many, inputs))


def second_derivatives(
    objective: Objective, params: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the Hessian of the weighted mean loss is made of.

    Returns
    -------
    jacobian : ndarray of shape (n, k)
        Derivatives of the fitted values, times the root of each row's share of the weights and of
        the loss's curvature; its cross product is the (generalised) Gauss-Newton matrix.
    bending : ndarray of shape (k, k)
        What the exact Hessian has beyond the Gauss-Newton matrix.
    """
    kernel, share = kernels(objective.network, objective.loss), shares(weights)
    with double_precision():
        fit = kernel.fitted(params, objective.inputs)
        _, slope, curvature = kernel.value_slope_curvature(fit, objective.target)
        jacobian = np.asarray(kernel.jacobian(params, objective.inputs))
        bending = kernel.bending(params, objective.inputs, slope * share)
        root = np.sqrt(share * np.asarray(curvature))
        return root[:, None] * jacobian, np.array(bending)


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
    kernel, share = kernels(objective.network, objective.loss), shares(weights)
    loss, gradient, diagonal = 0.0, np.zeros(len(params)), np.zeros(len(params))
    with double_precision():
        rows = objective.inputs, objective.target, share
        # in blocks where the derivatives of all rows would fill the memory
        quantile = isinstance(objective.loss, Check)
        few = quantile or is_sequential(objective.network)
        whole = bucket(len(share)) if few else len(share)
        for _, *data in cut([rows], min(whole, BLOCK), float):
            if quantile:
                parts = _by_rows(kernel, params, *data)
            else:
                value, slope = kernel.value_gradient(params, *data)
                bend = kernel.gauss_newton_diagonal(params, *data)
                parts = float(value), np.asarray(slope), np.asarray(bend)
            loss += parts[0]
            gradient += parts[1]
            diagonal += parts[2]
    finite = np.isfinite(alpha)
    strength = alpha if finite else 0.0
    penalty, ridge = objective.penalty.value(params), strength * objective.penalty.ridge
    free = finite | (objective.penalised == 0)
    violation = objective.penalty.violation(gradient + ridge * params, params, strength)
    relative = relative_gradient(
        np.where(free, violation, 0.0),
        np.sqrt(diagonal + ridge + strength * objective.penalty.kinks.bend(params)),
        float(loss) + strength * penalty,
        float(np.sqrt(share @ objective.target**2)),
    )
    return float(loss), penalty, relative


def _by_rows(
    kernel: Kernels, params: np.ndarray, inputs: np.ndarray, target: np.ndarray, share: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean loss, gradient and diagonal of the Gauss-Newton matrix, from derivatives row by row."""
    jacobian = np.asarray(kernel.jacobian(params, inputs))
    value, slope, curvature = kernel.value_slope_curvature(kernel.fitted(params, inputs), target)
    share = np.asarray(share)
    return float(share @ value), (share * slope) @ jacobian, (share * curvature) @ jacobian**2
