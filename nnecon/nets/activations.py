"""Activation functions of hidden units, by the names used in econometrics and machine learning."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "tanh": jnp.tanh,
    "logistic": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "linear": lambda x: x,
    "softplus": jax.nn.softplus,
    "elu": jax.nn.elu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
}
"""As JAX functions, for networks of any depth and for automatic differentiation."""

Slopes = tuple[np.ndarray, np.ndarray, np.ndarray]


def _tanh(a: np.ndarray) -> Slopes:
    value = np.tanh(a)
    slope = value * value
    np.subtract(1.0, slope, out=slope)
    bend = value * slope
    bend *= -2.0
    return value, slope, bend


def _logistic(a: np.ndarray) -> Slopes:
    value = special.expit(a)
    slope = value * (1.0 - value)
    return value, slope, slope * (1.0 - 2.0 * value)


def _relu(a: np.ndarray) -> Slopes:
    return np.maximum(a, 0.0), (a > 0).astype(a.dtype), np.zeros_like(a)


def _linear(a: np.ndarray) -> Slopes:
    return a, np.ones_like(a), np.zeros_like(a)


def _softplus(a: np.ndarray) -> Slopes:
    slope = special.expit(a)
    return np.logaddexp(a, 0.0), slope, slope * (1.0 - slope)


def _elu(a: np.ndarray) -> Slopes:
    power = np.exp(np.minimum(a, 0.0))
    bend = np.where(a > 0, 0.0, power)
    return np.where(a > 0, a, power - 1.0), power, bend


def _gelu(a: np.ndarray) -> Slopes:
    below = special.ndtr(a)
    density = np.exp(-0.5 * a**2) / np.sqrt(2.0 * np.pi)
    return a * below, below + a * density, density * (2.0 - a**2)


SLOPES: dict[str, Callable[[np.ndarray], Slopes]] = {
    "tanh": _tanh,
    "logistic": _logistic,
    "relu": _relu,
    "linear": _linear,
    "softplus": _softplus,
    "elu": _elu,
    "gelu": _gelu,
}
"""As NumPy functions with their first two derivatives, where nothing should be compiled."""
