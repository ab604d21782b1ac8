"""A network that the user wrote: any smooth function ``f(params, x)`` in jax.numpy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import checkify

from nnecon.exceptions import SpecificationError
from nnecon.nets.by_row import ByRow
from nnecon.nets.linear_part import generic_curvature


@dataclass(frozen=True)
class Custom(ByRow):
    """The user's function of a parameter vector and one row of regressors.

    Parameters
    ----------
    function : callable
        ``f(params, x)`` with ``params`` of shape (n_params,) and ``x`` of shape (n_inputs,),
        returning a scalar; written with jax.numpy so that it can be differentiated.
    n_params, n_inputs : int
        Lengths of ``params`` and ``x``.
    """

    function: Callable[[Any, Any], Any]
    n_params: int
    n_inputs: int

    smooth = True

    @property
    def neural(self) -> np.ndarray:
        """Mask, shape (n_params,): nothing is penalised."""
        return np.zeros(self.n_params, dtype=bool)

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty: none."""
        return np.zeros(self.n_params)

    def apply(self, params: Any, row: Any) -> Any:
        """Value for one observation."""
        return self.function(params, row)

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The parameters as they are: they mean what the user says."""
        return params

    def curvature(self, params: Any, rows: Any, multipliers: Any) -> Any:
        """Weighted sum of second derivatives over the observations."""
        return generic_curvature(self.apply, params, rows, multipliers)


def check_function(function: Callable[[Any, Any], Any], n_params: int, n_inputs: int) -> None:
    """Refuse a function that does not map parameters and one row to one number."""
    params = jax.ShapeDtypeStruct((n_params,), np.float32)
    row = jax.ShapeDtypeStruct((n_inputs,), np.float32)
    try:
        value = jax.eval_shape(function, params, row)
    except jax.errors.JAXTypeError as error:
        raise SpecificationError(
            "network= uses numpy, float(), if or the like where it needs jax.numpy (jnp.exp "
            "instead of np.exp, jnp.where instead of if), so that it can be differentiated: "
            f"{str(error).splitlines()[0]}"
        ) from error
    except TypeError as error:
        raise SpecificationError(
            "network= is called as f(params, x) with two arrays and returns one number, but that "
            f"failed: {str(error).splitlines()[0]}"
        ) from error
    if getattr(value, "shape", None) != ():
        raise SpecificationError(
            "network=f(params, x) gets one row x of shape "
            f"({n_inputs},) and returns one number, but returned shape "
            f"{getattr(value, 'shape', type(value).__name__)}; use x[0], x[1], ... for the columns."
        )
    # JAX itself reads the last element where an index is too large
    checked = jax.jit(checkify.checkify(function, errors=checkify.index_checks))
    found, _ = checked(np.ones(n_params, np.float32), np.ones(n_inputs, np.float32))
    if found.get() is not None:
        raise SpecificationError(
            f"network=f(params, x) reads an element that is not there, with {n_params} params and "
            f"{n_inputs} columns in x: {found.get()}"
        )
