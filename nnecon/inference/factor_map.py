"""From rows to factors and back: the fitted factor model as a function on arrays."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.autoencoder_batches import best_output
from nnecon.estimation.autoencoding import autoencoder_kernels
from nnecon.estimation.blockwise import BLOCK
from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision
from nnecon.inference.factor_alignment import Alignment
from nnecon.inference.principal_components import Filling, PrincipalComponents
from nnecon.nets.autoencoder import Autoencoder


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """Principal components of (part of) a panel, for any row.

    Attributes
    ----------
    filling : Filling
        How missing values are filled.
    components : PrincipalComponents
        Of the filled rows.
    k_factors : int
    n_obs : int
        Rows that were estimated on.
    """

    filling: Filling
    components: PrincipalComponents
    k_factors: int
    n_obs: int

    def filled(self, values: np.ndarray) -> np.ndarray:
        """Rows (n, N) with missing values filled."""
        return self.filling.fill(values)

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Filled rows, standardised."""
        return self.components.standardisation.apply(self.filled(values))

    def inputs(self, values: np.ndarray, q: int) -> np.ndarray:
        """What an encoder sees: q scores with variance one in the sample."""
        return self.components.scores(self.filled(values), q) * np.sqrt(self.n_obs)


@dataclass(frozen=True, slots=True, eq=False)
class ComponentMap:
    """Principal components as a factor model."""

    extraction: Extraction

    def factors(self, values: np.ndarray) -> np.ndarray:
        """Factors (n, k) of rows (n, N)."""
        base = self.extraction
        return base.components.scores(base.filled(values), base.k_factors)

    def decode(self, factors: np.ndarray) -> np.ndarray:
        """Standardised reconstruction (n, N) from factors (n, k)."""
        return factors @ self.extraction.components.coefficients(self.extraction.k_factors)

    def mean_slopes(self, factors: np.ndarray) -> np.ndarray:
        """Average derivatives of the standardised series by the factors, shape (k, N)."""
        return self.extraction.components.coefficients(self.extraction.k_factors)

    def partial_fits(self, values: np.ndarray) -> list[np.ndarray]:
        """Standardised fit of the sample by the first 1, ..., k factors."""
        factors = self.factors(values)
        coefficients = self.extraction.components.coefficients(self.extraction.k_factors)
        return [factors[:, :k] @ coefficients[:k] for k in range(1, factors.shape[1] + 1)]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkMap:
    """A fitted autoencoder.

    Attributes
    ----------
    extraction : Extraction
        Of the rows that it was estimated on.
    network : Autoencoder
    params : ndarray of shape (n_params,)
    output : ndarray of shape (n_features, N)
        Coefficients of the output layer.
    alignment : Alignment
        From codes to factors.
    alpha : float
        The penalty.
    """

    extraction: Extraction
    network: Autoencoder
    params: np.ndarray
    output: np.ndarray
    alignment: Alignment
    alpha: float

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Codes (n, k) of rows (n, N)."""
        inputs = self.extraction.inputs(values, self.network.n_inputs)
        return encode(self.network, self.params, inputs)

    def factors(self, values: np.ndarray) -> np.ndarray:
        """Factors (n, k) of rows (n, N)."""
        return self.alignment.apply(self.codes(values))

    def decode(self, factors: np.ndarray) -> np.ndarray:
        """Standardised reconstruction (n, N) from factors (n, k)."""
        codes = self.alignment.undo(factors)
        return regressors(self.network, self.params, codes) @ self.output

    def mean_slopes(self, factors: np.ndarray) -> np.ndarray:
        """Average derivatives of the standardised series by the factors, shape (k, N)."""
        codes = self.alignment.undo(factors)
        slopes = mean_feature_slopes(self.network, self.params, codes)
        return np.linalg.inv(self.alignment.turn) @ slopes.T @ self.output

    def partial_fits(self, values: np.ndarray) -> list[np.ndarray]:
        """Standardised fit of the sample by the first 1, ..., k factors.

        The decoder's units are kept, with the other factors at their means, and the output layer
        is estimated again. Under tied weights it is kept as well.
        """
        factors, target = self.factors(values), self.extraction.standardised(values)
        n, n_series = target.shape
        ridge = np.sqrt(n * self.alpha * self.network.penalised_output)
        fits = []
        for k in range(1, factors.shape[1] + 1):
            held = np.where(np.arange(factors.shape[1]) < k, factors, 0.0)
            own = regressors(self.network, self.params, self.alignment.undo(held))
            if self.network.tied:
                fits.append(own @ self.output)
                continue
            stacked = np.concatenate([own, np.diag(ridge)])
            right = np.concatenate([target, np.zeros((len(ridge), n_series))])
            fits.append(own @ np.linalg.lstsq(stacked, right, rcond=None)[0])
        return fits


FactorMap = ComponentMap | NetworkMap


def encode(network: Autoencoder, params: np.ndarray, inputs: Any) -> np.ndarray:
    """Codes of scores; of a variational autoencoder, of scores and shares of information."""
    with double_precision():
        return np.asarray(autoencoder_kernels(network).encode(params, inputs))


def regressors(network: Autoencoder, params: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Regressors of the output layer for codes."""
    with double_precision():
        return np.asarray(autoencoder_kernels(network).features(params, codes))


def output_layer(
    network: Autoencoder,
    params: np.ndarray,
    inputs: Any,
    target: np.ndarray,
    weights: np.ndarray,
    alpha: float,
) -> np.ndarray:
    """The best output layer for other parameters, shape (n_features, N)."""
    if len(inputs) > BLOCK:
        return best_output(network, params, inputs, target, weights, alpha)
    with double_precision():
        return np.asarray(
            autoencoder_kernels(network).output(params, inputs, target, weights, alpha)
        )


def mean_feature_slopes(network: Autoencoder, params: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mean derivatives of the output's regressors by the codes, shape (n_features, k)."""
    with double_precision():
        return np.asarray(_mean_slopes(network)(params, codes))


@lru_cache(maxsize=64)
def _mean_slopes(network: Autoencoder):
    def mean_slopes(params, codes):
        slopes = jax.vmap(jax.jacfwd(network.features, argnums=1), in_axes=(None, 0))
        return jnp.mean(slopes(params, codes), axis=0)

    return cached_jit(mean_slopes)


def reconstruct(mapping: FactorMap, values: np.ndarray) -> np.ndarray:
    """Rows as the factors explain them, in the data's units, shape (n, N)."""
    standard = mapping.decode(mapping.factors(values))
    return mapping.extraction.components.standardisation.undo(standard)
