r"""Causal convolutions over a window of the past, beside a linear part.

Layer l looks at ``width`` periods that are :math:`2^{l-1}` apart, none of them later than its own,

.. math::

    s_l(t) = \tanh\Big(b_l + \sum_{a=0}^{\text{width} - 1} W_{l,a}\, s_{l-1}(t - 2^{l-1} a)\Big),
    \qquad s_0(t) = x_t,

so that few layers reach far back (van den Oord et al., 2016). The last layer is pooled over the
periods of the window, and :math:`f = x'\gamma + w' \text{pool}_t\, s_L(t)`. Convolutions find the
same shape wherever in the window it stands; ``"last"`` keeps where it stood.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.linear_part import BIAS, Drop, LinearPart, keep

POOLINGS = ("mean", "max", "l2", "distance", "last")
"""How a channel's values over the window become one number: their mean, maximum or root mean
square, a mean that weighs recent periods more, or the last value."""


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """Where one layer lies in the flat parameter vector.

    ``weights`` covers a ``(channels, width, inputs)`` array in row order, ``bias`` a vector of
    ``channels``.
    """

    weights: slice
    bias: slice
    channels: int
    inputs: int
    dilation: int


@dataclass(frozen=True)
class Convolution(LinearPart):
    """Causal dilated convolutions with pooling.

    Rows are those of :class:`nnecon.nets.Recurrent`. Parameters are one flat vector
    ``[gamma, W1, b1, W2, b2, ..., w]``.

    Parameters
    ----------
    n_linear : int
        Number of linear regressors, the intercept included.
    window : int
        Periods of the window.
    n_inputs : int
        Numbers a period.
    channels : tuple of int
        Channels of each layer.
    width : int
        Periods that a filter looks at.
    pooling : {"mean", "max", "l2", "distance", "last"}
        How the window becomes one number a channel.
    """

    n_linear: int
    window: int
    n_inputs: int
    channels: tuple[int, ...]
    width: int = 3
    pooling: str = "mean"

    sequential: ClassVar[bool] = True

    @property
    def layers(self) -> tuple[ConvLayer, ...]:
        """Positions of the layers in the parameter vector."""
        layers, at, inputs = [], self.n_linear, self.n_inputs
        for number, channels in enumerate(self.channels):
            middle = at + channels * self.width * inputs
            layers.append(
                ConvLayer(
                    slice(at, middle), slice(middle, middle + channels), channels, inputs,
                    2**number,
                )
            )  # fmt: skip
            at, inputs = middle + channels, channels
        return tuple(layers)

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.channels)

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return self.layers[-1].bias.stop + self.channels[-1]

    @property
    def smooth(self) -> bool:
        """Whether the network has continuous second derivatives."""
        return self.pooling != "max"

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        weights = self.neural.astype(float)
        for layer in self.layers:
            weights[layer.bias] = BIAS
        return weights

    def apply(self, params: jax.Array, row: jax.Array, drop: Drop = keep) -> jax.Array:
        """Value for one observation; ``row`` is ``[x, z]``."""
        periods = row[self.n_linear :].reshape(self.window, self.n_inputs + 1)
        sequence, there = periods[:, :-1], periods[:, -1:]
        for number, layer in enumerate(self.layers):
            weights = params[layer.weights].reshape(layer.channels, self.width, layer.inputs)
            total = jnp.broadcast_to(params[layer.bias], (self.window, layer.channels))
            for back in range(self.width):
                shift = min(back * layer.dilation, self.window)
                moved = jnp.pad(sequence, ((shift, 0), (0, 0)))[: self.window]
                total = total + moved @ weights[:, back].T
            # a period before the sample stays empty, whatever the biases
            sequence = drop(number, jnp.tanh(total) * there)
        linear = row[: self.n_linear] @ params[: self.n_linear]
        return linear + params[self.layers[-1].bias.stop :] @ self._pool(sequence, there)

    def _pool(self, sequence: jax.Array, there: jax.Array) -> jax.Array:
        """One number a channel, from shape (window, channels)."""
        if self.pooling == "last":
            return sequence[-1]
        if self.pooling == "max":
            return jnp.max(jnp.where(there > 0, sequence, -jnp.inf), axis=0)
        ago = jnp.arange(self.window, dtype=sequence.dtype)[::-1, None]
        share = there / (1.0 + ago) if self.pooling == "distance" else there
        share = share / jnp.sum(share)
        if self.pooling == "l2":
            # not zero inside the root, where its derivative is infinite
            return jnp.sqrt(jnp.sum(share * sequence**2, axis=0) + 1e-12)
        return jnp.sum(share * sequence, axis=0)

    def init(self, rng: np.random.Generator) -> np.ndarray:
        """Random start of the neural part (the linear part is zero), for standardised inputs.

        Weights are normal with variance one over the numbers that enter, biases uniform on (-1, 1).
        """
        params = np.zeros(self.n_params)
        for layer in self.layers:
            size = layer.weights.stop - layer.weights.start
            scale = (self.width * layer.inputs) ** -0.5
            params[layer.weights] = scale * rng.standard_normal(size)
            params[layer.bias] = rng.uniform(-1.0, 1.0, layer.channels)
        last = self.channels[-1]
        params[-last:] = rng.standard_normal(last) / np.sqrt(last)
        return params

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with the channels of the last layer in order of their weights.

        Where the pooling is odd, the weights are made positive.
        """
        params, layer = params.copy(), self.layers[-1]
        weights = params[layer.weights].reshape(layer.channels, -1)
        bias, out = params[layer.bias], params[layer.bias.stop :]
        odd = self.pooling in ("mean", "distance", "last")
        sign = np.where((out < 0) & odd, -1.0, 1.0)
        order = np.argsort(-np.abs(out), kind="stable")
        params[layer.weights] = (sign[:, None] * weights)[order].ravel()
        params[layer.bias] = (sign * bias)[order]
        params[layer.bias.stop :] = (sign * out)[order]
        return params
