r"""The variational autoencoder: an encoder that says how sure it is.

The factors have a standard normal prior, and given its scores :math:`u` on the principal components
an observation has the approximate posterior :math:`N(\mu, \mathrm{diag}\, \sigma^2)` (Kingma and
Welling, 2014), with

.. math::

    \mu = G'u + W_e\, h_e(u), \qquad \sigma_k^{-2} = 1 + e^{a_k + v_k' h_e(u)}.

The prior settles the scale, so that :math:`G` is free, unlike the directions of the autoencoder.
The precision is that of the prior, one, and the information in the series. Where only a share
:math:`s` of that is known, the information is :math:`s e^{a + v'h}`, and the mean is shrunk as far
as a linear model with loadings that are orthogonal on the known series would shrink it.

Parameters are ``[G, encoder layers, W_e, decoder layers, a, v]``.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.autoencoder import Autoencoder, hidden_units

START = 2.0
"""Logarithm of the information at the start: a posterior standard deviation of a third."""

MOST = 30.0
"""Bound of the logarithm of the information, which steps of a search may overrun."""


@dataclass(frozen=True)
class VariationalAutoencoder(Autoencoder):
    """An autoencoder with a posterior for its codes; not for tied weights or sparse codes."""

    @property
    def information_level(self) -> slice:
        """Positions of ``a`` (k,)."""
        start = super().n_params
        return slice(start, start + self.k_factors)

    @property
    def information_weights(self) -> slice:
        """Positions of ``v`` (k, units of the encoder's last layer)."""
        start, units = self.information_level.stop, self.encoder[-1] if self.encoder else 0
        return slice(start, start + self.k_factors * units)

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return self.information_weights.stop

    @property
    def has_axes(self) -> bool:
        """The posterior is diagonal, so that codes have axes."""
        return True

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        weights = super().penalised
        weights[self.information_weights] = 1.0
        return weights

    def directions(self, params: jax.Array) -> jax.Array:
        """``G``, shape (q, k)."""
        return params[: self.n_inputs * self.k_factors].reshape(self.n_inputs, self.k_factors)

    def posterior(
        self, params: jax.Array, scores: jax.Array, share: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation (k,) of the codes of one observation.

        Parameters
        ----------
        params : array of shape (n_params,)
        scores : array of shape (q,)
        share : array of shape (1,)
            Share of the information that is known; one where no series is missing.
        """
        logarithm = params[self.information_level]
        if self.encoder:
            hidden = hidden_units(params, self.encoder_layers, scores, self.activation)
            weights = params[self.information_weights].reshape(self.k_factors, -1)
            logarithm = logarithm + weights @ hidden
        information = jnp.exp(jnp.clip(logarithm, -MOST, MOST))
        precision = 1.0 + share * information
        shrunk = share * (1.0 + information) / precision
        return shrunk * self.encode(params, scores), 1.0 / jnp.sqrt(precision)

    def init(self, rng: np.random.Generator, directions: np.ndarray) -> np.ndarray:
        """As for the autoencoder, with one level of information for all observations."""
        params = super().init(rng, directions)
        params[self.information_level] = START
        return params
