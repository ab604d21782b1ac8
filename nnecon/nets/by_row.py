"""Values and derivatives of many observations, from a network written for one."""

from typing import Any

import jax
import jax.numpy as jnp


class ByRow:
    """What every network inherits; one that works on all rows together overrides it."""

    def apply(self, params: Any, row: Any) -> Any:
        """Value for one observation."""
        raise NotImplementedError

    def values(self, params: jax.Array, rows: jax.Array) -> jax.Array:
        """Values for the rows (n, r), shape (n,).

        They may be differentiated in reverse, and that derivative in either mode, but not forward
        at once, which is what :meth:`apply` is for.
        """
        return jax.vmap(self.apply, in_axes=(None, 0))(params, rows)

    def gradients(self, params: jax.Array, rows: jax.Array) -> jax.Array:
        """Derivatives of the values by the parameters, shape (n, n_params)."""
        return jax.vmap(jax.grad(self.apply), in_axes=(None, 0))(params, rows)

    def course(self, params: jax.Array, rows: jax.Array, multipliers: jax.Array) -> Any:
        """Arrays that :meth:`bend` needs for the sum of the values times ``multipliers`` (n,)."""
        return params, rows, multipliers

    def bend(self, course: Any, direction: jax.Array) -> jax.Array:
        """Second derivatives of that sum times a direction (n_params,)."""
        params, rows, multipliers = course

        def slope(at: jax.Array) -> jax.Array:
            return jax.grad(lambda inner: jnp.sum(multipliers * self.values(inner, rows)))(at)

        return jax.jvp(slope, (params,), (direction,))[1]
