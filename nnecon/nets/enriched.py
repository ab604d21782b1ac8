r"""A network beside powers and products of its inputs.

.. math::

    f(x; \theta, \beta) = f(x; \theta) + \sum_j \beta_j \prod_{l \in T_j} z_l .

The terms with up to three factors are what a network is close to near zero weights, its Taylor
expansion (Terasvirta, Lin and Granger, 1993). Beside the estimated network they span what it has
missed because it was shrunk.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag

from nnecon.nets.by_row import ByRow
from nnecon.nets.dense import Dense


@dataclass(frozen=True)
class Enriched(ByRow):
    """A network and terms; parameters are those of the network, then one a term.

    Parameters
    ----------
    member : Dense
        The network.
    terms : tuple of tuple of int
        Factors of each term, as positions among the network's inputs: ``(0, 0)`` is the square of
        the first, ``(0, 2)`` the product of the first and the third.
    """

    member: Dense
    terms: tuple[tuple[int, ...], ...]

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return self.member.n_params + len(self.terms)

    @property
    def smooth(self) -> bool:
        """Whether the network has continuous second derivatives."""
        return self.member.smooth

    @property
    def neural(self) -> np.ndarray:
        """Mask of all but the classical part, shape (n_params,)."""
        return np.append(self.member.neural, np.ones(len(self.terms), dtype=bool))

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, one for a term, shape (n_params,)."""
        return np.append(self.member.penalised, np.ones(len(self.terms)))

    def apply(self, params: jax.Array, row: jax.Array) -> jax.Array:
        """Value for one observation; ``row`` is ``[x, z]`` as the network's."""
        value = self.member.apply(params[: self.member.n_params], row)
        if not self.terms:
            return value
        degree = max(len(term) for term in self.terms)
        # a term with fewer factors is filled up with the constant one, at position zero
        at = [[*(1 + one for one in term), *[0] * (degree - len(term))] for term in self.terms]
        factors = jnp.concatenate([jnp.ones(1, row.dtype), row[self.member.n_linear :]])
        products = jnp.prod(factors[np.array(at)], axis=1)
        return value + params[self.member.n_params :] @ products

    def curvature(self, params: jax.Array, rows: jax.Array, multipliers: jax.Array) -> jax.Array:
        """Weighted sum of second derivatives; the terms have none."""
        own = self.member.curvature(params[: self.member.n_params], rows, multipliers)
        return block_diag(own, jnp.zeros((len(self.terms), len(self.terms)), own.dtype))

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with the network's units in order."""
        size = self.member.n_params
        return np.append(self.member.canonical(params[:size]), params[size:])
