r"""Loadings as functions of characteristics, factors by regression within periods, their scale.

Loadings and factors are known up to an invertible matrix. Linear loadings are reported as Kelly,
Pruitt and Su (2019) do: :math:`\Gamma'\Gamma = I`, second moments of the factors diagonal and
descending, means of the factors not negative. Factors of a network have the second moments of those
of the linear model with as many factors, and are turned to be as close to them as they can be. At
an infinite penalty the two conventions are one, and the convention is continuous on the way there.
"""

from dataclasses import dataclass
from typing import Protocol

import jax.numpy as jnp
import numpy as np

from nnecon.estimation.kernels import double_precision
from nnecon.nets.conditional import ConditionalLoadings

BLOCK = 2**16
"""Rows whose hidden units are in memory at a time."""


class LoadingMap(Protocol):
    """From characteristics to loadings."""

    @property
    def gamma(self) -> np.ndarray:
        """Coefficients of the linear part, shape (L, k)."""

    def loadings(self, exog: np.ndarray) -> np.ndarray:
        """Loadings (n, k) at characteristics (n, L)."""

    def slopes(self, exog: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Change of the loadings (n, k) as characteristics move in directions (n, L)."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearLoadings:
    """Linear loadings with coefficients ``gamma`` (L, k)."""

    gamma: np.ndarray

    def loadings(self, exog: np.ndarray) -> np.ndarray:
        """Loadings (n, k) at characteristics (n, L)."""
        return exog @ self.gamma

    def slopes(self, exog: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Change of the loadings (n, k) as characteristics move in directions (n, L)."""
        return directions @ self.gamma


@dataclass(frozen=True, slots=True, eq=False)
class CharacteristicScaling:
    """Which characteristics enter where, and their location and scale.

    Attributes
    ----------
    linear, inputs : ndarray of int
        Columns of the linear part and of the network.
    linear_shift, linear_scale, input_shift, input_scale : ndarray
        One number a column. Linear regressors are centred only where a constant is among them.
    """

    linear: np.ndarray
    inputs: np.ndarray
    linear_shift: np.ndarray
    linear_scale: np.ndarray
    input_shift: np.ndarray
    input_scale: np.ndarray

    @classmethod
    def of(cls, exog: np.ndarray, const: int | None, linear_part: bool) -> "CharacteristicScaling":
        """Means and standard deviations of the sample; without a linear part the constant stays."""
        columns = np.arange(exog.shape[1])
        inputs = columns[columns != const] if const is not None else columns
        linear = columns if linear_part else columns[columns == const]
        mean, spread = exog.mean(axis=0), exog.std(axis=0)
        size = np.sqrt((exog**2).mean(axis=0))
        shift = mean.copy() if const is not None else np.zeros(len(columns))
        scale = spread.copy() if const is not None else size
        if const is not None:
            shift[const], scale[const] = 0.0, size[const]
        return cls(linear, inputs, shift[linear], scale[linear], mean[inputs], spread[inputs])

    def linear_of(self, exog: np.ndarray) -> np.ndarray:
        """Standardised linear regressors."""
        return (exog[:, self.linear] - self.linear_shift) / self.linear_scale

    def inputs_of(self, exog: np.ndarray) -> np.ndarray:
        """Standardised inputs of the network."""
        return (exog[:, self.inputs] - self.input_shift) / self.input_scale

    def gamma_of(self, coefficients: np.ndarray, n_columns: int, const: int | None) -> np.ndarray:
        """Coefficients of standardised regressors in the user's units, zero elsewhere."""
        gamma = np.zeros((n_columns, coefficients.shape[1]))
        gamma[self.linear] = coefficients / self.linear_scale[:, None]
        if const is not None and len(self.linear):
            gamma[const] -= self.linear_shift @ gamma[self.linear]
        return gamma


@dataclass(frozen=True, slots=True, eq=False)
class NetworkLoadings:
    """Loadings of a network, ``turn`` (k, k) applied from the right.

    Attributes
    ----------
    network : ConditionalLoadings
    params : ndarray of shape (n_params,)
        Of standardised characteristics.
    scaling : CharacteristicScaling
    const : int or None
        The constant among the characteristics.
    turn : ndarray of shape (k, k)
    """

    network: ConditionalLoadings
    params: np.ndarray
    scaling: CharacteristicScaling
    const: int | None
    turn: np.ndarray

    @property
    def gamma(self) -> np.ndarray:
        """Coefficients of the linear part in the user's units, shape (L, k)."""
        own = self.network.coefficients(self.params)[: self.network.n_linear]
        n_columns = len(self.scaling.inputs) + (self.const is not None)
        return self.scaling.gamma_of(own, n_columns, self.const) @ self.turn

    def loadings(self, exog: np.ndarray) -> np.ndarray:
        """Loadings (n, k) at characteristics (n, L)."""
        out = np.empty((len(exog), self.network.k_factors))
        with double_precision():
            for at in range(0, len(exog), BLOCK):
                rows = exog[at : at + BLOCK]
                found = self.network.loadings(
                    jnp.asarray(self.params),
                    jnp.asarray(self.scaling.linear_of(rows)),
                    jnp.asarray(self.scaling.inputs_of(rows)),
                )
                out[at : at + BLOCK] = np.asarray(found)
        return out @ self.turn

    def slopes(self, exog: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Change of the loadings (n, k) as characteristics move in directions (n, L)."""
        out = directions @ self.gamma
        moves = directions[:, self.scaling.inputs] / self.scaling.input_scale
        with double_precision():
            for at in range(0, len(exog), BLOCK):
                some = slice(at, at + BLOCK)
                found = self.network.slopes(
                    jnp.asarray(self.params),
                    jnp.asarray(self.scaling.inputs_of(exog[some])),
                    jnp.asarray(moves[some]),
                )
                out[some] += np.asarray(found) @ self.turn
        return out


def period_factors(
    loadings: np.ndarray, endog: np.ndarray, codes: np.ndarray, n_periods: int
) -> np.ndarray:
    """Regression of returns on loadings in every period, shape (T, k); NaN without a solution.

    Parameters
    ----------
    loadings : ndarray of shape (n, k)
    endog : ndarray of shape (n,)
    codes : ndarray of int of shape (n,)
        Periods of the rows, from 0 to ``n_periods - 1``.
    n_periods : int
    """
    k = loadings.shape[1]
    gram = np.empty((n_periods, k, k))
    right = np.empty((n_periods, k))
    for i in range(k):
        right[:, i] = np.bincount(codes, loadings[:, i] * endog, n_periods)
        for j in range(i, k):
            gram[:, i, j] = np.bincount(codes, loadings[:, i] * loadings[:, j], n_periods)
            gram[:, j, i] = gram[:, i, j]
    size = np.sqrt(np.maximum(np.einsum("tkk->tk", gram), 1e-300))
    scaled = gram / (size[:, :, None] * size[:, None, :])
    alone = np.linalg.eigvalsh(scaled)[:, 0] < 1e-12
    scaled[alone] = np.eye(k)
    factors = np.linalg.solve(scaled, (right / size)[:, :, None])[:, :, 0] / size
    factors[alone] = np.nan
    return factors


def linear_convention(gamma: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal ``gamma`` and its factors, turned and signed as in the literature."""
    basis, triangle = np.linalg.qr(gamma)
    factors = factors @ triangle.T
    values, turn = np.linalg.eigh(factors.T @ factors)
    turn = turn[:, np.argsort(-values)]
    turn = turn * np.where((factors @ turn).mean(axis=0) < 0, -1.0, 1.0)
    return basis @ turn, factors @ turn


def turn_towards(factors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Matrix (k, k) for loadings, so that factors are on the scale of a reference and close to it.

    Parameters
    ----------
    factors : ndarray of shape (T, k)
        As regressions on the loadings give them.
    reference : ndarray of shape (T, k)
        With diagonal second moments.
    """
    values, vectors = np.linalg.eigh(factors.T @ factors)
    white = vectors / np.sqrt(values) @ vectors.T
    size = np.sqrt((reference**2).sum(axis=0))
    left, _, right = np.linalg.svd((factors @ white).T @ (reference / size))
    return np.linalg.inv(white @ left @ right * size).T


def explained(endog: np.ndarray, fitted: np.ndarray) -> float:
    """One less the sum of squared errors over that of the returns, which are not centred."""
    return float(1.0 - np.sum((endog - fitted) ** 2) / np.sum(endog**2))
