"""Losses: what one observation adds to the objective."""

from dataclasses import dataclass

import jax


@dataclass(frozen=True, slots=True)
class Squared:
    """Half the squared residual; its residual form is what Gauss-Newton methods need."""

    name = "squared"

    @staticmethod
    def residual(target: jax.Array, value: jax.Array) -> jax.Array:
        """Residual whose half square is the loss, in the direction of the fitted value."""
        return value - target

    @staticmethod
    def value(target: jax.Array, value: jax.Array) -> jax.Array:
        """Loss of one observation."""
        return 0.5 * (value - target) ** 2
