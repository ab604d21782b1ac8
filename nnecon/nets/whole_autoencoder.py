"""The autoencoder with its output layer as one function of one row, as mini-batches train it."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from nnecon.nets.autoencoder import Autoencoder
from nnecon.nets.by_row import ByRow


@dataclass(frozen=True)
class WholeAutoencoder(ByRow):
    """An autoencoder whose output layer is part of the parameters.

    Parameters are those of the autoencoder, followed by the output's coefficients (n_features, N)
    row by row. Under tied weights the latter are a regression on the scores, which no gradient
    moves.

    Parameters
    ----------
    inner : Autoencoder
        Encoder and hidden layers of the decoder.
    n_series : int
        Series N.
    """

    inner: Autoencoder
    n_series: int

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return self.inner.n_params + self.inner.n_features * self.n_series

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        output = np.repeat(self.inner.penalised_output / self.n_series, self.n_series)
        return np.concatenate([self.inner.penalised, output])

    def join(self, params: np.ndarray, output: np.ndarray) -> np.ndarray:
        """One vector from the autoencoder's parameters and the output's coefficients."""
        return np.concatenate([params, output.ravel()])

    def split(self, params: Any) -> tuple[Any, Any]:
        """The autoencoder's parameters, and the output's coefficients (n_features, N)."""
        at = self.inner.n_params
        return params[:at], params[at:].reshape(self.inner.n_features, self.n_series)

    def apply(self, params: jax.Array, scores: jax.Array) -> jax.Array:
        """Fitted values (N,) of one observation's scores (q,)."""
        own, output = self.split(params)
        if self.inner.tied:
            output = jax.lax.stop_gradient(output)
        return self.inner.features(own, self.inner.encode(own, scores)) @ output
