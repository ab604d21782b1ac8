"""A fitted variational autoencoder as a function: posterior of factors, evidence lower bound."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.variational_autoencoding import posterior_draws, variational_functions
from nnecon.inference.factor_map import Extraction, NetworkMap, regressors
from nnecon.nets.variational import VariationalAutoencoder

BOUND_DRAWS = 200
"""Draws a row for the reported bound, other ones than those of the estimation."""


@dataclass(frozen=True, slots=True, eq=False)
class VariationalMap(NetworkMap):
    """A fitted variational autoencoder.

    Attributes
    ----------
    noise : float
        Variance of the errors of standardised series.
    """

    noise: float

    def posterior(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the codes, each (n, k), of rows (n, N)."""
        network = self.network
        assert isinstance(network, VariationalAutoencoder)
        scores = self.extraction.inputs(values, network.n_inputs)
        share = known_share(self.extraction, values)
        with double_precision():
            mean, deviation = _compiled(network)[0](self.params, (scores, share))
            return np.asarray(mean), np.asarray(deviation)

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Posterior means of the codes (n, k) of rows (n, N)."""
        return self.posterior(values)[0]

    def errors(self, values: np.ndarray) -> np.ndarray:
        """Posterior standard deviations of the factors, shape (n, k)."""
        return self.posterior(values)[1] @ np.abs(self.alignment.turn)

    def bound(self, values: np.ndarray, seed: int) -> np.ndarray:
        """Evidence lower bound (n,) of rows (n, N), in the data's units."""
        standardisation = self.extraction.components.standardisation
        known, target = np.isfinite(values), standardisation.apply(values)
        mean, deviation = self.posterior(values)
        draws = posterior_draws(seed, len(values), mean.shape[1], BOUND_DRAWS)
        squares = np.zeros(len(values))
        for draw in draws:
            fit = regressors(self.network, self.params, mean + deviation * draw) @ self.output
            squares += np.where(known, (target - fit) ** 2, 0.0).sum(axis=1)
        divergence = 0.5 * (mean**2 + deviation**2 - 1.0 - 2.0 * np.log(deviation)).sum(axis=1)
        return (
            -0.5 * known.sum(axis=1) * np.log(2.0 * np.pi * self.noise)
            - 0.5 * squares / (len(draws) * self.noise)
            - divergence
            - known @ np.log(standardisation.scale)
        )


def known_share(base: Extraction, values: np.ndarray) -> np.ndarray:
    """How much of what the series say of the factors is known in each row, shape (n, 1).

    The share of the variance of all series that components explain in the known ones.
    """
    k = base.k_factors
    weight = base.components.eigenvecs[:, :k] ** 2 @ base.components.eigenvals[:k]
    return np.isfinite(values) @ (weight / weight.sum())[:, None]


def noise_variance(network: VariationalAutoencoder, params: np.ndarray, *data: object) -> float:
    """Variance of the errors, in the units of the target.

    ``data`` are inputs, target, weights and penalty, as in
    :mod:`nnecon.estimation.variational_autoencoding`.
    """
    with double_precision():
        return float(_compiled(network)[1](params, *data))


@lru_cache(maxsize=64)
def _compiled(network: VariationalAutoencoder):
    functions = variational_functions(network)
    return cached_jit(functions.posterior), cached_jit(functions.noise)
