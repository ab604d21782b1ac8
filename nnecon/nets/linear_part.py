r"""What all networks with a classical part share.

For one observation with linear regressors :math:`x` and whatever else the network sees in
:math:`z`,

.. math:: f(x, z) = x'\gamma + g(z; \theta),

where :math:`g` is zero for :math:`\theta = 0`: the classical model is inside.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.by_row import ByRow

BIAS = 0.01
"""Share of the penalty that hidden biases bear. With none, a unit whose weights are zero would
leave its bias unidentified."""


Drop = Callable[[int, jax.Array], jax.Array]
"""What training does to the values of a hidden layer, given its number from zero: dropout."""


def keep(number: int, values: jax.Array) -> jax.Array:
    """Leave a layer as it is."""
    return values


def generic_curvature(apply, params, rows, multipliers):
    r"""Sum of second derivatives :math:`\sum_i c_i \nabla^2 f(x_i)` of any network."""

    def weighted(at):
        return jnp.sum(multipliers * jax.vmap(apply, in_axes=(None, 0))(at, rows))

    return jax.hessian(weighted)(params)


class LinearPart(ByRow):
    """A network whose first ``n_linear`` parameters are coefficients of its first inputs."""

    n_linear: int

    sequential: ClassVar[bool] = False
    """Whether the network reads a window period by period. It is then slow to compile, so that rows
    are filled up to few numbers, and has no closed form of its second derivatives."""

    def beside(self, n_linear: int) -> Self:
        """The same network beside another number of linear regressors."""
        if n_linear == self.n_linear:
            return self
        return replace(self, n_linear=n_linear)  # type: ignore[type-var]

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        raise NotImplementedError

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        raise NotImplementedError

    @property
    def smooth(self) -> bool:
        """Whether the network has continuous second derivatives."""
        return True

    @property
    def neural(self) -> np.ndarray:
        """Mask, shape (n_params,): true for the neural part, false for the classical part."""
        return np.arange(self.n_params) >= self.n_linear

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        raise NotImplementedError

    def apply(self, params: jax.Array, row: jax.Array) -> jax.Array:
        """Value for one observation; ``row`` is ``[x, z]``."""
        raise NotImplementedError

    def curvature(self, params: jax.Array, rows: jax.Array, multipliers: jax.Array) -> jax.Array:
        r"""Sum of second derivatives, :math:`\sum_i c_i \nabla^2 f(x_i)`, shape (k, k)."""
        return generic_curvature(self.apply, params, rows, multipliers)

    def init(self, rng: np.random.Generator) -> np.ndarray:
        """Random start of the neural part (the linear part is zero), for standardised inputs."""
        raise NotImplementedError

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with its units in order, so that equal estimates look equal."""
        raise NotImplementedError
