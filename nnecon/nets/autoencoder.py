r"""The autoencoder with principal components inside.

For one observation, given as its scores :math:`u` on q principal components (each with variance
one), codes and reconstruction are

.. math::

    z = Q'u + W_e\, h_e(u), \qquad
    \hat x = c + B z + W_d\, h_d(z),

with layers :math:`h` of hidden units. The columns of :math:`Q` are orthonormal, so that the linear
codes are uncorrelated with variance one: otherwise codes could grow at no cost and the penalty on
the decoder would mean nothing. With :math:`W_e = W_d = 0` the best :math:`Q` and :math:`B` are
principal components.

The output :math:`c, B, W_d` is linear and is always the best for the other parameters (variable
projection; Golub and Pereyra, 1973), so that it is no part of the parameter vector
``[G, encoder layers, W_e, decoder layers]``, where :math:`Q = G (G'G)^{-1/2}` up to a rotation.

With tied weights the decoder is the encoder's transpose, for one layer
:math:`\hat u = b + Qz + W_1' h_d(z)` with :math:`h_d(z) = g(b_d + W_e' z)`, and the series are the
regression of :math:`x` on the scores, at :math:`\hat u`. Parameters are then
``[G, encoder layers, W_e, biases of the decoder, b]``.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.dense import Layer, hidden_layers
from nnecon.nets.linear_part import BIAS


@dataclass(frozen=True)
class Autoencoder:
    """Encoder and the hidden layers of the decoder.

    Parameters
    ----------
    n_inputs : int
        Scores q that the encoder sees.
    k_factors : int
        Codes.
    encoder, decoder : tuple of int
        Units of the hidden layers on either side; ``()`` is linear.
    activation : str
        A name in :data:`nnecon.nets.activations.ACTIVATIONS`.
    linear_part : bool
        Whether ``Q`` and ``B`` are there; without them only networks are.
    tied : bool
        Whether the decoder's weights are the encoder's, transposed; it has biases of its own.
    sparsity : float
        Price of the codes' L1 norm (:mod:`nnecon.estimation.sparse_codes`).
    """

    n_inputs: int
    k_factors: int
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    activation: str
    linear_part: bool = True
    tied: bool = False
    sparsity: float = 0.0

    @property
    def encoder_layers(self) -> tuple[Layer, ...]:
        """Positions of the encoder's hidden layers."""
        start = self.n_inputs * self.k_factors if self.linear_part else 0
        return hidden_layers(start, self.n_inputs, self.encoder)

    @property
    def encoder_output(self) -> slice:
        """Positions of the weights (k, units) from the encoder's last layer to the codes."""
        if not self.encoder:
            start = self.n_inputs * self.k_factors if self.linear_part else 0
            return slice(start, start)
        start = self.encoder_layers[-1].bias.stop
        return slice(start, start + self.k_factors * self.encoder[-1])

    @property
    def decoder_layers(self) -> tuple[Layer, ...]:
        """Positions of the decoder's hidden layers; with tied weights they have biases alone."""
        if self.tied:
            return _tied_layers(self.encoder_output, self.k_factors, self.encoder_layers)
        return hidden_layers(self.encoder_output.stop, self.k_factors, self.decoder)

    @property
    def output_bias(self) -> slice:
        """Positions of ``b`` (q,), the constant of the scores under tied weights."""
        start = self.decoder_layers[-1].bias.stop
        return slice(start, start + self.n_inputs)

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        if self.tied:
            return self.output_bias.stop
        return self.decoder_layers[-1].bias.stop if self.decoder else self.encoder_output.stop

    @property
    def n_features(self) -> int:
        """Regressors of the output: a constant, the codes and the last hidden layer.

        Under tied weights, a constant and the scores.
        """
        if self.tied:
            return 1 + self.n_inputs
        linear = self.k_factors if self.linear_part or not self.decoder else 0
        return 1 + linear + (self.decoder[-1] if self.decoder else 0)

    @property
    def without_variants(self) -> "Autoencoder":
        """The plain autoencoder with the same layers."""
        return Autoencoder(
            self.n_inputs,
            self.k_factors,
            self.encoder,
            self.decoder,
            self.activation,
            self.linear_part,
        )

    @property
    def has_axes(self) -> bool:
        """Whether codes have axes of their own, which a rotation of the factors would undo."""
        return self.sparsity > 0

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        weights = np.zeros(self.n_params)
        for layer in (*self.encoder_layers, *self.decoder_layers):
            weights[layer.weights], weights[layer.bias] = 1.0, BIAS
        weights[self.encoder_output] = 1.0
        return weights

    @property
    def penalised_output(self) -> np.ndarray:
        """The same for the output's coefficients of one series, shape (n_features,)."""
        weights = np.zeros(self.n_features)
        if self.decoder and not self.tied:
            weights[-self.decoder[-1] :] = 1.0
        return weights

    def encode(self, params: jax.Array, scores: jax.Array) -> jax.Array:
        """Codes (k,) of one observation's scores (q,)."""
        codes = jnp.zeros(self.k_factors, scores.dtype)
        if self.linear_part:
            codes = self.directions(params).T @ scores
        if not self.encoder:
            return codes
        hidden = hidden_units(params, self.encoder_layers, scores, self.activation)
        weights = params[self.encoder_output].reshape(self.k_factors, -1)
        return codes + weights @ hidden

    def directions(self, params: jax.Array) -> jax.Array:
        """Orthonormal directions ``Q``, shape (q, k)."""
        free = params[: self.n_inputs * self.k_factors].reshape(self.n_inputs, self.k_factors)
        root = jnp.linalg.cholesky(free.T @ free)
        return jax.scipy.linalg.solve_triangular(root, free.T, lower=True).T

    def on_other_inputs(self, params: np.ndarray, turn: np.ndarray) -> np.ndarray:
        """The same encoder for inputs ``u`` in the place of ``u @ turn``, turn of shape (q, q)."""
        moved = params.copy()
        if self.linear_part:
            place = slice(0, self.n_inputs * self.k_factors)
            moved[place] = (turn @ params[place].reshape(self.n_inputs, -1)).ravel()
        if self.encoder:
            first = self.encoder_layers[0]
            weights = params[first.weights].reshape(first.units, first.inputs)
            moved[first.weights] = (weights @ turn.T).ravel()
        if self.tied:
            moved[self.output_bias] = turn @ params[self.output_bias]
        return moved

    def features(self, params: jax.Array, codes: jax.Array) -> jax.Array:
        """Regressors of the output (n_features,) for one observation's codes (k,)."""
        if self.tied:
            return jnp.concatenate([jnp.ones(1, codes.dtype), self._mirrored(params, codes)])
        parts = [jnp.ones(1, codes.dtype)]
        if self.linear_part or not self.decoder:
            parts.append(codes)
        if self.decoder:
            parts.append(hidden_units(params, self.decoder_layers, codes, self.activation))
        return jnp.concatenate(parts)

    def _mirrored(self, params: jax.Array, codes: jax.Array) -> jax.Array:
        """Scores (q,) from codes by the transposed encoder."""
        g, values = ACTIVATIONS[self.activation], codes
        transposed = [params[self.encoder_output].reshape(self.k_factors, -1)]
        for layer in reversed(self.encoder_layers):
            transposed.append(params[layer.weights].reshape(layer.units, layer.inputs))
        for layer, weights in zip(self.decoder_layers, transposed[:-1], strict=True):
            values = g(params[layer.bias] + weights.T @ values)
        scores = params[self.output_bias] + transposed[-1].T @ values
        return scores + self.directions(params) @ codes if self.linear_part else scores

    def init(self, rng: np.random.Generator, directions: np.ndarray) -> np.ndarray:
        """Random start of the networks beside given linear directions (q, k).

        Weights are normal with variance one over the layer's inputs, biases are spread over
        (-1, 1). The encoder's output starts at zero: codes are linear at first.
        """
        params = np.zeros(self.n_params)
        if self.linear_part:
            params[: directions.size] = directions.ravel()
        for layer in (*self.encoder_layers, *self.decoder_layers):
            size = layer.weights.stop - layer.weights.start
            params[layer.weights] = rng.standard_normal(size) / np.sqrt(layer.inputs)
            params[layer.bias] = rng.uniform(-1.0, 1.0, layer.units)
        if self.encoder:
            scale = 0.1 if self.linear_part else 1.0
            size = self.k_factors * self.encoder[-1]
            draws = rng.standard_normal(size) / np.sqrt(self.encoder[-1])
            params[self.encoder_output] = scale * draws
        return params


def _tied_layers(after: slice, codes: int, encoder: tuple[Layer, ...]) -> tuple[Layer, ...]:
    layers, start, inputs = [], after.stop, codes
    for layer in reversed(encoder):
        stop = start + layer.units
        layers.append(Layer(slice(start, start), slice(start, stop), layer.units, inputs))
        start, inputs = stop, layer.units
    return tuple(layers)


def hidden_units(
    params: jax.Array, layers: tuple[Layer, ...], values: jax.Array, activation: str
) -> jax.Array:
    """Units of the last of several hidden layers, for one observation's values."""
    g = ACTIVATIONS[activation]
    for layer in layers:
        weights = params[layer.weights].reshape(layer.units, layer.inputs)
        values = g(params[layer.bias] + weights @ values)
    return values
