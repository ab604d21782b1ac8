"""The optimality certificate in memory that does not grow with the rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision, relative_gradient
from nnecon.estimation.losses import Loss
from nnecon.estimation.penalties import Penalty
from nnecon.estimation.rows import Block, cut, take
from nnecon.nets import Network

BLOCK = 2**13
"""Rows that are worked on together."""

DOUBLE = 2**17
"""Rows up to which numbers are exact; beyond, in single precision and the gradient from a part."""

SCALED_BY = 2**13
"""Rows from which the scale of the gradient is computed: evenly spaced, if there are more."""

CACHED = 2**10
"""Rows of which the derivatives of each are formed together: more do not fit into the cache."""

SMALLEST = np.finfo(float).tiny


class _Sums(NamedTuple):
    loss: Callable[..., jax.Array]
    loss_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    diagonal: Callable[..., jax.Array]


def single_precision():
    """Context in which JAX computes in float32; the user's own setting is untouched."""
    return jax.enable_x64(False)


@lru_cache(maxsize=128)
def _sums(network: Network, loss: Loss, columns: tuple[int, ...]) -> _Sums:
    values, gradients = network.values, network.gradients

    def total(params, base, target, weights):
        return jnp.sum(weights * loss.value(target, values(params, take(base, columns))))

    def diagonal(params, base, target, weights):
        rows = take(base, columns)
        weights = weights * loss.curvature(target, values(params, rows))
        return jnp.sum(weights[:, None] * gradients(params, rows) ** 2, axis=0)

    return _Sums(cached_jit(total), cached_jit(jax.value_and_grad(total)), cached_jit(diagonal))


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
    """Loss, penalty and relative gradient norm at ``params``.

    As :func:`nnecon.estimation.kernels.certificate`, from blocks of rows. With more than
    ``SCALED_BY`` rows the columns' norms that the gradient is divided by are those of evenly spaced
    rows. With more than ``DOUBLE`` rows blocks are worked on in single precision and the gradient
    is that of ``DOUBLE`` evenly spaced rows: its sampling error, about one over the root of their
    number, is far below what mini-batches leave, and the loss is still that of all rows.
    """
    exact = n_obs <= DOUBLE
    dtype = np.float64 if exact else np.float32
    thin, thinner = _Part(n_obs, DOUBLE), _Part(n_obs, SCALED_BY)
    value, gradient, diagonal = 0.0, np.zeros(len(params)), np.zeros(len(params))
    weight, square = 0.0, 0.0
    at = np.asarray(params, dtype)
    with double_precision() if exact else single_precision():
        for columns, *data in cut(blocks, width, dtype):
            sums = _sums(network, loss, columns)
            if exact:
                loss_part, gradient_part = sums.loss_gradient(at, *data)
                gradient += np.asarray(gradient_part)
            else:
                loss_part = sums.loss(at, *data)
                thin.keep(data)
            thinner.keep(data)
            value += float(loss_part)
            _, target, weights = data
            weight += float(weights.sum(dtype=float))
            square += float(weights @ target**2)
        # what was set aside is worked on together: a call for a few rows costs as much as for many
        for data in thin.blocks(width, dtype):
            gradient += np.asarray(sums.loss_gradient(at, *data)[1])
        for data in thinner.blocks(min(width, CACHED), dtype):
            diagonal += np.asarray(sums.diagonal(at, *data))
    gradient /= max(weight if exact else thin.weight, SMALLEST)
    diagonal /= max(thinner.weight, SMALLEST)
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


class _Part:
    """Evenly spaced rows of a sample, at most about ``most``, kept as its blocks pass by."""

    def __init__(self, n_obs: int, most: int) -> None:
        self.weight = 0.0
        self._spaced = slice(None, None, -(-n_obs // most))
        self._kept: list[list[np.ndarray]] = []

    def keep(self, data: Sequence[np.ndarray]) -> None:
        """Set rows of a block aside."""
        self._kept.append([part[self._spaced].copy() for part in data])
        self.weight += float(self._kept[-1][2].sum(dtype=float))

    def blocks(self, width: int, dtype: type) -> Iterator[list[np.ndarray]]:
        """What was set aside, in blocks of one size."""
        if self._kept:
            rows, target, weights = (
                np.concatenate(parts) for parts in zip(*self._kept, strict=True)
            )
            for _, *data in cut([(rows, target, weights)], width, dtype):
                yield data
