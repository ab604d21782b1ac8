r"""Losses: what one observation adds to the objective.

Each gives the value :math:`\ell(y, f)` and its first two derivatives by the fitted value
:math:`f`. With ``curvature`` non-negative, :math:`\sum_i w_i \ell''_i J_i J_i'` is the generalised
Gauss-Newton matrix (Schraudolph, 2002).
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit


class Loss(Hashable, Protocol):
    """A convex, twice differentiable loss of one observation; hashable, without arrays."""

    name: str
    least_squares: bool

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Loss of one observation."""
        ...

    def slope(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """First derivative by the fitted value."""
        ...

    def curvature(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Second derivative by the fitted value."""
        ...


@dataclass(frozen=True, slots=True)
class Squared:
    """Half the squared residual, for a mean."""

    name = "squared"
    least_squares = True

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Half the squared residual."""
        return 0.5 * (fitted - target) ** 2

    def slope(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Fitted less actual value."""
        return fitted - target

    def curvature(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """One."""
        return jnp.ones_like(fitted)


@dataclass(frozen=True, slots=True)
class Logistic:
    r"""Minus the log-likelihood of a zero or one, :math:`\log(1 + e^f) - y f`."""

    name = "logistic"
    least_squares = False

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Minus the log of the probability of what happened."""
        return jax.nn.softplus(fitted) - target * fitted

    def slope(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Probability of a one, less what happened."""
        return jax.nn.sigmoid(fitted) - target

    def curvature(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Variance of the outcome."""
        chance = jax.nn.sigmoid(fitted)
        return chance * (1.0 - chance)


@dataclass(frozen=True, slots=True)
class Poisson:
    r"""Minus the log-likelihood of a count with mean :math:`e^f`."""

    name = "Poisson"
    least_squares = False

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Minus the log of the probability of the count."""
        return jnp.exp(fitted) - target * fitted + jax.lax.lgamma(target + 1.0)

    def slope(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Mean less count."""
        return jnp.exp(fitted) - target

    def curvature(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Mean."""
        return jnp.exp(fitted)


@dataclass(frozen=True, slots=True)
class PseudoHuber:
    r"""A loss that large residuals increase only linearly, :math:`c^2 (\sqrt{1 + (e/c)^2} - 1)`.

    Parameters
    ----------
    scale : float
        The ``c``, in units of the standardised target: residuals beyond it count less.
    """

    scale: float = 1.345

    name = "pseudo-Huber"
    least_squares = False

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """About half the square for small residuals, linear for large ones."""
        return self.scale**2 * (jnp.sqrt(1.0 + ((fitted - target) / self.scale) ** 2) - 1.0)

    def slope(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """The residual, bounded by ``scale``."""
        residual = fitted - target
        return residual / jnp.sqrt(1.0 + (residual / self.scale) ** 2)

    def curvature(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Small where the residual is large."""
        return (1.0 + ((fitted - target) / self.scale) ** 2) ** -1.5


@dataclass(frozen=True, slots=True)
class Check:
    r"""Smoothed check loss, for a quantile: :math:`\tau u + h \log(1 + e^{-u/h})`, :math:`u=y-f`.

    It is the check function :math:`u (\tau - 1\{u < 0\})` of Koenker and Bassett (1978), convolved
    with a logistic density of width h (He, Pan, Tan and Zhou, 2023).

    Parameters
    ----------
    level : float
        The quantile's level :math:`\tau`.
    width : float
        The ``h``, in units of the standardised target.
    """

    level: float
    width: float

    name = "check"
    least_squares = False

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Check function, round where the residual is small."""
        error = target - fitted
        return self.level * error + self.width * jax.nn.softplus(-error / self.width)

    def slope(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Chance of being below the fitted value, less the level."""
        return jax.nn.sigmoid((fitted - target) / self.width) - self.level

    def curvature(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Logistic density of the residual."""
        chance = jax.nn.sigmoid((fitted - target) / self.width)
        return chance * (1.0 - chance) / self.width

    def derivatives(
        self, fitted: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Value, slope and curvature (n,) in NumPy: levels are many, and nothing is compiled."""
        error = np.asarray(target, dtype=float) - np.asarray(fitted, dtype=float)
        chance = expit(-error / self.width)
        value = self.level * error + self.width * np.logaddexp(0.0, -error / self.width)
        return value, chance - self.level, chance * (1.0 - chance) / self.width
