r"""The mean of several networks, as one network.

.. math::

    f(x; \theta_1, \dots, \theta_m) = \frac1m \sum_{i=1}^m f(x; \theta_i) .

Parameters of the members are stacked, so that whatever is derived from a network's function and
its derivatives holds for the mean, too.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag

from nnecon.nets.by_row import ByRow
from nnecon.nets.linear_part import LinearPart


@dataclass(frozen=True)
class Ensemble(ByRow):
    """The mean of ``size`` networks of one kind (Hansen and Salamon, 1990).

    Parameters
    ----------
    member : LinearPart
        The network that each member is.
    size : int
        Number of members.
    """

    member: LinearPart
    size: int

    @property
    def n_params(self) -> int:
        """Length of the stacked parameter vector."""
        return self.size * self.member.n_params

    @property
    def smooth(self) -> bool:
        """Whether the members have continuous second derivatives."""
        return self.member.smooth

    @property
    def neural(self) -> np.ndarray:
        """Mask of the members' neural parts, shape (n_params,)."""
        return np.tile(self.member.neural, self.size)

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the members' penalties, shape (n_params,)."""
        return np.tile(self.member.penalised, self.size)

    def split(self, params: np.ndarray) -> np.ndarray:
        """Parameters of the members, shape (size, k)."""
        return np.reshape(params, (self.size, self.member.n_params))

    def apply(self, params: jax.Array, row: jax.Array) -> jax.Array:
        """Mean of the members' values for one observation."""
        members = jnp.reshape(params, (self.size, self.member.n_params))
        return jnp.mean(jax.vmap(self.member.apply, in_axes=(0, None))(members, row))

    def values(self, params: jax.Array, rows: jax.Array) -> jax.Array:
        """Mean of the members' values for the rows (n, r), shape (n,)."""
        members = jnp.reshape(params, (self.size, self.member.n_params))
        return jnp.mean(jax.vmap(self.member.values, in_axes=(0, None))(members, rows), axis=0)

    def gradients(self, params: jax.Array, rows: jax.Array) -> jax.Array:
        """Derivatives of the mean by all parameters, shape (n, n_params)."""
        members = jnp.reshape(params, (self.size, self.member.n_params))
        each = jax.vmap(self.member.gradients, in_axes=(0, None), out_axes=1)(members, rows)
        return each.reshape(len(rows), -1) / self.size

    def curvature(self, params: jax.Array, rows: jax.Array, multipliers: jax.Array) -> jax.Array:
        """Weighted sum of second derivatives; parameters of different members do not interact."""
        members = jnp.reshape(params, (self.size, self.member.n_params))
        blocks = [self.member.curvature(one, rows, multipliers / self.size) for one in members]
        return block_diag(*blocks)

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with each member's units in order."""
        return np.concatenate([self.member.canonical(one) for one in self.split(params)])

    def names(self, member_names: list[str]) -> list[str]:
        """Names of the members' parameters, behind ``net1.``, ``net2.``, ..."""
        return [f"net{at}.{name}" for at in range(1, self.size + 1) for name in member_names]

    def user_units(
        self, transform: np.ndarray, offset: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Map standardised into the user's units, given a member's map."""
        return np.kron(np.eye(self.size), transform), np.tile(offset, self.size)
