"""Attention weights of estimated networks."""

from functools import lru_cache

import jax
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision, filled
from nnecon.nets import Attention


@lru_cache(maxsize=16)
def _kernel(network: Attention):
    return cached_jit(jax.vmap(network.weights, in_axes=(None, 0)))


def attention_weights(network: Attention, draws: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mean weights over draws (d, k) and heads, for each of the rows (n, r), shape (n, window)."""
    whole = filled(network, rows)
    with double_precision():
        found = [np.asarray(_kernel(network)(params, whole)) for params in draws]
    return np.mean(found, axis=(0, 2))[: len(rows)]
