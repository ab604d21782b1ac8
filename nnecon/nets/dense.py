r"""The feed-forward network with a classical part inside.

For one observation with linear regressors :math:`x` and network inputs :math:`z`,

.. math::

    h_1 = g(b_1 + W_1 z), \quad h_l = g(b_l + W_l h_{l-1}), \quad
    f = x'\gamma + w' h_L .

The intercept, where there is one, is a column of :math:`x`. With no hidden layer, or with
:math:`w = 0`, :math:`f = x'\gamma` is the classical linear model.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.linear_part import BIAS, LinearPart, generic_curvature


@dataclass(frozen=True, slots=True)
class Layer:
    """Where one hidden layer lies in the flat parameter vector.

    ``weights`` covers a ``(units, inputs)`` matrix in row order, ``bias`` a vector of ``units``.
    """

    weights: slice
    bias: slice
    units: int
    inputs: int


def hidden_layers(start: int, inputs: int, hidden: tuple[int, ...]) -> tuple[Layer, ...]:
    """Positions of hidden layers, one behind the other from ``start``; the first has ``inputs``."""
    layers = []
    for units in hidden:
        middle = start + units * inputs
        layers.append(Layer(slice(start, middle), slice(middle, middle + units), units, inputs))
        start, inputs = middle + units, units
    return tuple(layers)


@dataclass(frozen=True)
class Dense(LinearPart):
    """A feed-forward network of any depth beside a linear part.

    One row of inputs is ``[x, z]``: ``n_linear`` linear regressors, then ``n_inputs`` inputs of
    the hidden layers. Parameters are one flat vector
    ``[gamma, W1, b1, W2, b2, ..., w]``.

    Parameters
    ----------
    n_linear : int
        Number of linear regressors, the intercept included.
    n_inputs : int
        Number of inputs of the first hidden layer.
    hidden : tuple of int
        Units of each hidden layer; ``()`` is the linear model.
    activation : str
        A name in :data:`nnecon.nets.activations.ACTIVATIONS`.
    """

    n_linear: int
    n_inputs: int
    hidden: tuple[int, ...]
    activation: str

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Positions of the hidden layers in the parameter vector."""
        return hidden_layers(self.n_linear, self.n_inputs, self.hidden)

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.hidden)

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        if not self.hidden:
            return self.n_linear
        return self.layers[-1].bias.stop + self.hidden[-1]

    @property
    def smooth(self) -> bool:
        """Whether the network has continuous second derivatives."""
        return self.activation not in ("relu", "elu")

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,).

        Zero for the classical part, one for the network's weights and a little for its biases,
        which place the units and say nothing about how bent the function is.
        """
        weights = self.neural.astype(float)
        for layer in self.layers:
            weights[layer.bias] = BIAS
        return weights

    def apply(self, params: jax.Array, row: jax.Array) -> jax.Array:
        """Value for one observation; ``row`` is ``[x, z]`` (z is empty without hidden layers)."""
        value = row[: self.n_linear] @ params[: self.n_linear]
        if not self.hidden:
            return value
        g = ACTIVATIONS[self.activation]
        h = row[self.n_linear :]
        for layer in self.layers:
            weights = params[layer.weights].reshape(layer.units, layer.inputs)
            h = g(params[layer.bias] + weights @ h)
        return value + params[self.layers[-1].bias.stop :] @ h

    def curvature(self, params: jax.Array, rows: jax.Array, multipliers: jax.Array) -> jax.Array:
        r"""Sum of second derivatives, :math:`\sum_i c_i \nabla^2 f(x_i)`, shape (k, k).

        With one hidden layer only a unit's own weights interact, so that the sum is a weighted
        cross product of the inputs for each unit; deeper networks are differentiated twice.
        """
        if len(self.hidden) != 1:
            return generic_curvature(self.apply, params, rows, multipliers)
        layer = self.layers[0]
        g = ACTIVATIONS[self.activation]
        slope = jax.vmap(jax.vmap(jax.grad(g)))
        bend = jax.vmap(jax.vmap(jax.grad(jax.grad(g))))
        inputs = jnp.column_stack([rows[:, self.n_linear :], jnp.ones(len(rows), rows.dtype)])
        weights = params[layer.weights].reshape(layer.units, layer.inputs)
        into = inputs @ jnp.column_stack([weights, params[layer.bias]]).T
        output = params[layer.bias.stop :]
        bends = multipliers[:, None] * bend(into) * output
        blocks = jnp.swapaxes(bends.T[:, :, None] * inputs, 1, 2) @ inputs
        crosses = (multipliers[:, None] * slope(into)).T @ inputs
        # positions of [W_u, b_u] and of w_u in the flat vector, one row a unit
        at = np.column_stack(
            [
                np.arange(layer.weights.start, layer.weights.stop).reshape(layer.units, -1),
                np.arange(layer.bias.start, layer.bias.stop),
            ]
        )
        out = np.arange(layer.bias.stop, self.n_params)
        total = jnp.zeros((self.n_params, self.n_params), rows.dtype)
        total = total.at[at[:, :, None], at[:, None, :]].set(blocks)
        total = total.at[at, out[:, None]].set(crosses)
        return total.at[out[:, None], at].set(crosses)

    def init(self, rng: np.random.Generator) -> np.ndarray:
        """Random start of the neural part (the linear part is zero), for standardised inputs.

        Weights are normal with variance one over the layer's inputs (LeCun, Bottou, Orr and
        Mueller, 1998); biases are spread over (-1, 1), so that units bend at different places.
        """
        params = np.zeros(self.n_params)
        for layer in self.layers:
            size = layer.units * layer.inputs
            params[layer.weights] = rng.standard_normal(size) / np.sqrt(layer.inputs)
            params[layer.bias] = rng.uniform(-1.0, 1.0, layer.units)
        if self.hidden:
            units = self.hidden[-1]
            params[-units:] = rng.standard_normal(units) / np.sqrt(units)
        return params

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with its units in order, so that equal estimates look equal.

        Units are sorted by the length of the weights that leave them. Where the activation is odd,
        the largest of these is made positive.
        """
        params = params.copy()
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            into = params[layer.weights].reshape(layer.units, layer.inputs)
            bias = params[layer.bias]
            last = number == len(self.layers) - 1
            where = slice(layer.bias.stop, None) if last else self.layers[number + 1].weights
            out = params[where].reshape(-1, layer.units)
            if self.activation in ("tanh", "linear"):
                largest = np.take_along_axis(out, np.abs(out).argmax(axis=0)[None], axis=0)[0]
                sign = np.where(largest < 0, -1.0, 1.0)
                into, bias, out = into * sign[:, None], bias * sign, out * sign
            order = np.argsort(-np.linalg.norm(out, axis=0), kind="stable")
            params[layer.weights] = into[order].ravel()
            params[layer.bias] = bias[order]
            params[where] = out[:, order].ravel()
        return params

    def names(self, linear_names: tuple[str, ...], input_names: tuple[str, ...]) -> list[str]:
        """Parameter names: ``x``, ``h1.2:x`` (input x to unit 2 of layer 1), ``y:h1.2``."""
        names, sources = list(linear_names), list(input_names)
        for number, layer in enumerate(self.layers, 1):
            units = [f"h{number}.{unit}" for unit in range(1, layer.units + 1)]
            names += [f"{unit}:{source}" for unit in units for source in sources]
            names += [f"{unit}:bias" for unit in units]
            sources = units
        if self.hidden:
            names += [f"y:{unit}" for unit in sources]
        return names

    def user_units(
        self,
        linear_shift: np.ndarray,
        linear_scale: np.ndarray,
        const: int | None,
        input_shift: np.ndarray,
        input_scale: np.ndarray,
        target_shift: float,
        target_scale: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Map parameters of standardised data into the user's units.

        With ``x = (X - linear_shift) / linear_scale`` and likewise for inputs and target,
        returns ``(T, t)`` such that ``T @ params + t`` are the parameters that give the same
        predictions from the raw data.
        """
        transform = np.eye(self.n_params)
        offset = np.zeros(self.n_params)
        lin = np.arange(self.n_linear)
        transform[lin, lin] = target_scale / linear_scale
        if const is not None:
            transform[const, lin] = -target_scale * linear_shift / linear_scale
            transform[const, const] = target_scale
            offset[const] = target_shift
        if self.hidden:
            first = self.layers[0]
            at = np.arange(self.n_params)[first.weights].reshape(first.units, first.inputs)
            bias = np.arange(self.n_params)[first.bias]
            transform[at, at] = 1.0 / input_scale
            transform[bias[:, None], at] = -input_shift / input_scale
            out = np.arange(self.layers[-1].bias.stop, self.n_params)
            transform[out, out] = target_scale
        return transform, offset
