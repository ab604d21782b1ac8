"""The optimality certificate in memory that does not grow with the rows."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision, relative_gradient
from nnecon.estimation.losses import Loss
from nnecon.estimation.penalties import Penalty
from nnecon.estimation.rows import Rows
from nnecon.nets import Network

BLOCK = 2**12
"""Rows that are worked on together."""

SCALED_BY = 2**14
"""Rows from which the scale of the gradient is computed: evenly spaced, if there are more."""

Block = tuple["np.ndarray | Rows", np.ndarray, np.ndarray]
"""Inputs (b, r), target (b,) and weights (b,)."""


class _Sums(NamedTuple):
    loss_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    diagonal: Callable[..., jax.Array]


@lru_cache(maxsize=128)
def _sums(network: Network, loss: Loss) -> _Sums:
    values = jax.vmap(network.apply, in_axes=(None, 0))
    gradients = jax.vmap(jax.grad(network.apply), in_axes=(None, 0))

    def total(params, rows, target, weights):
        return jnp.sum(weights * loss.value(target, values(params, rows)))

    def diagonal(params, rows, target, weights):
        weights = weights * loss.curvature(target, values(params, rows))
        return jnp.sum(weights[:, None] * gradients(params, rows) ** 2, axis=0)

    return _Sums(cached_jit(jax.value_and_grad(total)), cached_jit(diagonal))


def certificate(
    network: Network,
    loss: Loss,
    penalty: Penalty,
    blocks: Iterable[Block],
    n_obs: int,
    params: np.ndarray,
    alpha: float,
    width: int = BLOCK,
) -> tuple[float, float, float]:
    """Loss, penalty and relative gradient norm at ``params``, in double precision.

    As :func:`nnecon.estimation.kernels.certificate`, from blocks of rows; with more than
    ``SCALED_BY`` rows, the columns' norms that the gradient is divided by are those of a part.
    """
    sums = _sums(network, loss)
    stride = -(-n_obs // SCALED_BY)
    value, gradient, weight, square = 0.0, np.zeros(len(params)), 0.0, 0.0
    diagonal, sampled = np.zeros(len(params)), 0.0
    with double_precision():
        for rows, target, weights in _cut(blocks, width):
            loss_part, gradient_part = sums.loss_gradient(params, rows, target, weights)
            value += float(loss_part)
            gradient += np.asarray(gradient_part)
            weight += float(weights.sum())
            square += float(weights @ target**2)
            some = slice(None, None, stride)
            diagonal += np.asarray(sums.diagonal(params, rows[some], target[some], weights[some]))
            sampled += float(weights[some].sum())
    gradient /= weight
    diagonal /= sampled if sampled > 0 else 1.0
    ridge = alpha * penalty.ridge
    size = penalty.value(params)
    violation = penalty.violation(gradient + ridge * params, params, alpha)
    relative = relative_gradient(
        violation,
        np.sqrt(diagonal + ridge),
        value / weight + alpha * size,
        float(np.sqrt(square / weight)),
    )
    return value / weight, size, relative


def _cut(
    blocks: Iterable[Block], width: int
) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of one size in float64; rows of weight zero fill them up: nothing is recompiled."""
    for inputs, target, weights in blocks:
        n = len(target)
        for at in range(0, n, width):
            part = slice(at, at + width)
            rows = np.asarray(inputs[part], dtype=float)
            some, own = (
                np.asarray(target[part], dtype=float),
                np.asarray(weights[part], dtype=float),
            )
            lack = width - len(some)
            if lack:
                # a row that is there, since others may not be in the domain of the function
                rows = np.concatenate([rows, np.repeat(rows[:1], lack, axis=0)])
                some = np.concatenate([some, np.repeat(some[:1], lack)])
                own = np.concatenate([own, np.zeros(lack)])
            yield rows, some, own
