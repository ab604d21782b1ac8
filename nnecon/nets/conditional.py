r"""Loadings that depend on characteristics, with linear ones inside.

For an asset with characteristics :math:`z` the k loadings are

.. math::

    \beta(z) = \Gamma' z + W' h(z),

with layers :math:`h` of hidden units. Factors are no part of the network: given loadings they are
regressions within a period. Loadings and factors are known up to an invertible matrix, which no
function here fixes.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.dense import Layer, hidden_layers
from nnecon.nets.linear_part import BIAS


@dataclass(frozen=True)
class ConditionalLoadings:
    r"""Loadings as a function of characteristics; parameters ``[layers, C]``, C of shape (p, k).

    The rows of ``C`` are :math:`\Gamma`, one for each linear regressor, and then :math:`W`, one
    for each unit of the last layer.

    Parameters
    ----------
    n_linear : int
        Characteristics that enter linearly, the constant included.
    n_inputs : int
        Inputs of the first hidden layer.
    hidden : tuple of int
        Units of the hidden layers.
    k_factors : int
        Loadings of an asset.
    activation : str
        A name in :data:`nnecon.nets.activations.ACTIVATIONS`.
    """

    n_linear: int
    n_inputs: int
    hidden: tuple[int, ...]
    k_factors: int
    activation: str

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Positions of the hidden layers."""
        return hidden_layers(0, self.n_inputs, self.hidden)

    @property
    def output(self) -> slice:
        """Positions of ``C``."""
        start = self.layers[-1].bias.stop
        return slice(start, start + (self.n_linear + self.hidden[-1]) * self.k_factors)

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return self.output.stop

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters of the layers in the penalty, shape (n_params,)."""
        weights = np.zeros(self.n_params)
        for layer in self.layers:
            weights[layer.weights], weights[layer.bias] = 1.0, BIAS
        return weights

    def coefficients(self, params):
        """``C``, shape (n_linear + units, k)."""
        return params[self.output].reshape(-1, self.k_factors)

    def units(self, params: jax.Array, inputs: jax.Array) -> jax.Array:
        """Last hidden layer (..., units) at inputs (..., n_inputs)."""
        g, values = ACTIVATIONS[self.activation], inputs
        for layer in self.layers:
            weights = params[layer.weights].reshape(layer.units, layer.inputs)
            values = g(values @ weights.T + params[layer.bias])
        return values

    def loadings(self, params: jax.Array, linear: jax.Array, inputs: jax.Array) -> jax.Array:
        """Loadings (..., k) at linear regressors (..., n_linear) and inputs (..., n_inputs)."""
        coefficients = self.coefficients(params)
        neural = self.units(params, inputs) @ coefficients[self.n_linear :]
        return linear @ coefficients[: self.n_linear] + neural if self.n_linear else neural

    def slopes(self, params: jax.Array, inputs: jax.Array, directions: jax.Array) -> jax.Array:
        """Derivative of the network's part of the loadings (..., k) as inputs move."""
        weights = self.coefficients(params)[self.n_linear :]
        return jnp.asarray(
            jax.jvp(lambda at: self.units(params, at) @ weights, (inputs,), (directions,))[1]
        )

    def init(self, rng: np.random.Generator, linear: np.ndarray, size: float) -> np.ndarray:
        """Random start beside given linear coefficients (n_linear, k).

        Weights are normal with variance one over the layer's inputs, biases are spread over
        (-1, 1); the loadings that the units add have a standard deviation of about ``size``.
        """
        params = np.zeros(self.n_params)
        for layer in self.layers:
            count = layer.weights.stop - layer.weights.start
            params[layer.weights] = rng.standard_normal(count) / np.sqrt(layer.inputs)
            params[layer.bias] = rng.uniform(-1.0, 1.0, layer.units)
        units = self.hidden[-1]
        out = size * rng.standard_normal((units, self.k_factors)) / np.sqrt(units)
        params[self.output] = np.vstack([linear, out]).ravel()
        return params
