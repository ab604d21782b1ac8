r"""The feed-forward network as it is in training: with dropout and batch normalisation.

What enters the units of a layer is standardised by the moments of the batch and scaled again,

.. math::

    a_l = s_l \circ \frac{W_l h_{l-1} - \mu_l}{\sqrt{v_l + \epsilon}} + b_l , \qquad
    h_l = g(a_l) \circ \frac{\delta_l}{1 - p_l} ,

with a scale :math:`s` a unit that is estimated along with the parameters, and :math:`\delta` zero
with probability :math:`p` and one otherwise. At given moments this is a network without batch
normalisation, whose parameters :meth:`TrainingPass.fold` gives.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.dense import Dense
from nnecon.nets.linear_part import LinearPart

EPSILON = 1e-5
"""Added to variances, so that a unit that never varies does no harm."""


class Moments(NamedTuple):
    """Means and variances of what enters the hidden units, each (units of all layers,)."""

    mean: jax.Array
    variance: jax.Array


class Passed(NamedTuple):
    """What a batch gives: ``fitted`` (b,), the ``moments`` of the batch, and ``params`` (k,) of
    the network without batch normalisation that these moments make.
    """

    fitted: jax.Array
    params: jax.Array
    moments: Moments


@dataclass(frozen=True)
class TrainingPass:
    """A network in training; parameters in training are those of the network, then the scales.

    Parameters
    ----------
    network : Dense
        The network.
    dropout : tuple of float
        Share of units left out, one a hidden layer.
    batch_norm : bool
        Whether what enters the units is standardised.
    """

    network: Dense
    dropout: tuple[float, ...]
    batch_norm: bool

    @property
    def n_scales(self) -> int:
        """Parameters beyond the network's."""
        return sum(self.network.hidden) if self.batch_norm else 0

    @property
    def n_params(self) -> int:
        """Length of the parameter vector in training."""
        return self.network.n_params + self.n_scales

    def apply(
        self, params: jax.Array, rows: jax.Array, shares: jax.Array, key: jax.Array
    ) -> Passed:
        """Fitted values of a batch in training.

        Parameters
        ----------
        params : array of shape (n_params,)
            Parameters in training.
        rows : array of shape (b, r)
            Rows of inputs.
        shares : array of shape (b,)
            Weights of the rows in the moments.
        key : array
            Random key.
        """
        network = self.network
        g = ACTIVATIONS[network.activation]
        h = rows[:, network.n_linear :]
        shares = shares / jnp.sum(shares)
        folded, means, variances = params[: network.n_params], [], []
        for number, layer in enumerate(network.layers):
            into = h @ params[layer.weights].reshape(layer.units, layer.inputs).T
            if self.batch_norm:
                mean = shares @ into
                variance = shares @ (into - mean) ** 2
                means.append(mean)
                variances.append(variance)
                spread = self._scale(params, number) / jnp.sqrt(variance + EPSILON)
                into = spread * (into - mean)
                folded = _fold_layer(folded, layer, spread, mean)
            h = g(into + params[layer.bias])
            h = _left_out(self.dropout[number], number, h, key)
        fitted = rows[:, : network.n_linear] @ params[: network.n_linear]
        fitted = fitted + h @ params[network.layers[-1].bias.stop : network.n_params]
        if not self.batch_norm:
            return Passed(fitted, folded, Moments(jnp.zeros(0), jnp.zeros(0)))
        moments = Moments(jnp.concatenate(means), jnp.concatenate(variances))
        return Passed(fitted, folded, moments)

    def fold(self, params: jax.Array, moments: Moments) -> jax.Array:
        """Parameters (k,) of the plain network that gives the same values at these moments."""
        folded = params[: self.network.n_params]
        if not self.batch_norm:
            return folded
        start = 0
        for number, layer in enumerate(self.network.layers):
            units = slice(start, start + layer.units)
            spread = self._scale(params, number) / jnp.sqrt(moments.variance[units] + EPSILON)
            folded = _fold_layer(folded, layer, spread, moments.mean[units])
            start += layer.units
        return folded

    def _scale(self, params: jax.Array, number: int) -> jax.Array:
        start = self.network.n_params + sum(self.network.hidden[:number])
        return params[start : start + self.network.hidden[number]]


def _left_out(rate: float, number: int, values: jax.Array, key: jax.Array) -> jax.Array:
    """Values of a hidden layer with a share of its units left out, the others enlarged."""
    if not rate:
        return values
    kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1.0 - rate, values.shape)
    return jnp.where(kept, values / (1.0 - rate), 0.0)


def _fold_layer(params, layer, spread, mean):
    weights = params[layer.weights].reshape(layer.units, layer.inputs) * spread[:, None]
    bias = params[layer.bias] - spread * mean
    return params.at[layer.weights].set(weights.ravel()).at[layer.bias].set(bias)


@dataclass(frozen=True)
class WindowPass:
    """A network on windows in training: hidden units are left out at random.

    Parameters
    ----------
    network : LinearPart
        The network, whose ``apply`` takes what is done to its hidden layers.
    dropout : tuple of float
        Share of units left out, one a hidden layer.
    """

    network: LinearPart
    dropout: tuple[float, ...]

    def apply(
        self, params: jax.Array, rows: jax.Array, shares: jax.Array, key: jax.Array
    ) -> Passed:
        """Fitted values of a batch in training, as :meth:`TrainingPass.apply`."""

        def one(row: jax.Array, own: jax.Array) -> jax.Array:
            def drop(number: int, values: jax.Array) -> jax.Array:
                return _left_out(self.dropout[number], number, values, own)

            return self.network.apply(params, row, drop)  # type: ignore[call-arg]

        fitted = jax.vmap(one)(rows, jax.random.split(key, len(rows)))
        none = jnp.zeros(0, rows.dtype)
        return Passed(fitted, params, Moments(none, none))
