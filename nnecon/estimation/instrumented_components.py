r"""Instrumented principal components: loadings that are linear in characteristics.

.. math::

    \min_{\Gamma, f_1, \dots, f_T} \sum_t w_t \| r_t - Z_t \Gamma f_t \|^2

depends on the data through :math:`Z_t'Z_t` and :math:`Z_t'r_t` alone, so that nothing here grows
with the number of assets. Factors are projected out (Golub and Pereyra, 1973; the matrix is that of
Kaufman, 1975): with :math:`G_t = Z_t'Z_t`, the gradient by :math:`\Gamma` is
:math:`-\sum_t w_t (Z_t'r_t - G_t \Gamma f_t) f_t'` and the Gauss-Newton matrix
:math:`\sum_t w_t \{G_t - G_t \Gamma (\Gamma'G_t\Gamma)^{-1} \Gamma'G_t\} \otimes f_t f_t'`. Steps
are taken orthogonal to :math:`\Gamma`, whose columns stay orthonormal.
"""

from dataclasses import dataclass

import numpy as np

FIRST, MOST, CONVERGED = 30, 1000, 1e-12
"""Steps of every start, of the best one at most, and the relative gradient at which they end."""

RIDGE = 1e-12
"""Share of the largest eigenvalue that is added before solving, beside directions without data."""


@dataclass(frozen=True, slots=True, eq=False)
class CharacteristicSums:
    """What a panel says about linear loadings.

    Attributes
    ----------
    grams : ndarray of shape (T, L, L)
        :math:`Z_t'Z_t`.
    crosses : ndarray of shape (T, L)
        :math:`Z_t'r_t`.
    square : ndarray of shape (T,)
        :math:`r_t'r_t`.
    """

    grams: np.ndarray
    crosses: np.ndarray
    square: np.ndarray

    @classmethod
    def of(cls, exog: np.ndarray, endog: np.ndarray, starts: np.ndarray) -> "CharacteristicSums":
        """Sums of rows in order of time; ``starts`` are the first rows of the periods."""
        ends = np.r_[starts[1:], len(endog)]
        grams = np.stack([exog[a:b].T @ exog[a:b] for a, b in zip(starts, ends, strict=True)])
        return cls(
            grams,
            np.add.reduceat(exog * endog[:, None], starts, axis=0),
            np.add.reduceat(endog**2, starts),
        )

    def at(self, periods: np.ndarray) -> "CharacteristicSums":
        """The sums of some periods."""
        return CharacteristicSums(self.grams[periods], self.crosses[periods], self.square[periods])


@dataclass(frozen=True, slots=True, eq=False)
class InstrumentedComponents:
    """Linear loadings.

    Attributes
    ----------
    gamma : ndarray of shape (L, k)
        Orthonormal columns.
    value : float
        Sum of squared residuals.
    certificate : float
        Size of the gradient, relative to the Gauss-Newton matrix and the sum of squares.
    iterations : int
    """

    gamma: np.ndarray
    value: float
    certificate: float
    iterations: int


def factors_given(sums: CharacteristicSums, gamma: np.ndarray) -> np.ndarray:
    """Cross-sectional regressions of returns on loadings, shape (T, k)."""
    inner = np.einsum("lk,tlm,mj->tkj", gamma, sums.grams, gamma, optimize=True)
    return np.linalg.solve(inner, (sums.crosses @ gamma)[:, :, None])[:, :, 0]


def instrumented_components(
    sums: CharacteristicSums, k: int, n_starts: int, rng: np.random.Generator
) -> InstrumentedComponents:
    """The best of several starts: the components of the crosses first, then random directions."""
    metric = _metric(sums)
    white = CharacteristicSums(
        np.einsum("la,tlm,mb->tab", metric, sums.grams, metric, optimize=True),
        sums.crosses @ metric,
        sums.square,
    )
    n_columns = white.crosses.shape[1]
    found = [_descend(white, np.linalg.svd(white.crosses.T)[0][:, :k], FIRST)]
    if k < n_columns:
        for own in rng.spawn(n_starts - 1):
            start = np.linalg.qr(own.standard_normal((n_columns, k)))[0]
            found.append(_descend(white, start, FIRST))
    best = _descend(white, min(found, key=lambda one: one.value).gamma, MOST)
    gamma = np.linalg.qr(metric @ best.gamma)[0]
    return InstrumentedComponents(gamma, best.value, best.certificate, best.iterations)


def _metric(sums: CharacteristicSums) -> np.ndarray:
    """Coordinates in which characteristics are uncorrelated with variance one, shape (L, L)."""
    values, vectors = np.linalg.eigh(sums.grams.mean(axis=0))
    return vectors / np.sqrt(np.maximum(values, RIDGE * values[-1]))


def _value(sums: CharacteristicSums, gamma: np.ndarray) -> tuple[float, np.ndarray]:
    factors = factors_given(sums, gamma)
    explained = np.einsum("tl,lk,tk->", sums.crosses, gamma, factors, optimize=True)
    return float(sums.square.sum() - explained), factors


def _descend(sums: CharacteristicSums, start: np.ndarray, limit: int) -> InstrumentedComponents:
    gamma = start
    n_columns, k = gamma.shape
    value, factors = _value(sums, gamma)
    certificate, taken = 0.0, 0
    for _ in range(limit):
        through = np.einsum("tlm,mk->tlk", sums.grams, gamma, optimize=True)
        left = sums.crosses - np.einsum("tlk,tk->tl", through, factors)
        gradient = left.T @ factors
        inner = np.linalg.solve(
            np.einsum("lk,tlj->tkj", gamma, through), np.swapaxes(through, 1, 2)
        )
        free = sums.grams - through @ inner
        outer = factors[:, :, None] * factors[:, None, :]
        matrix = np.einsum("tlm,tkj->lkmj", free, outer, optimize=True)
        matrix = matrix.reshape(n_columns * k, n_columns * k)
        if n_columns == k:
            break  # the objective is the same everywhere
        values, vectors = np.linalg.eigh(matrix)
        certificate = float(np.abs(gradient).max() / np.sqrt(values[-1] * sums.square.sum()))
        if certificate < CONVERGED:
            break
        # directions within the span of gamma change nothing, and the minimum-norm step has none
        moves = values > 1e-11 * values[-1]
        along = (vectors[:, moves].T @ gradient.ravel()) / values[moves]
        step = (vectors[:, moves] @ along).reshape(n_columns, k)
        length = 1.0
        while length > 1e-4:
            moved = np.linalg.qr(gamma + length * step)[0]
            new, new_factors = _value(sums, moved)
            if new < value + 1e-13 * sums.square.sum():
                break
            length /= 2.0
        else:
            break
        gamma, value, factors = moved, min(new, value), new_factors
        taken += 1
    return InstrumentedComponents(gamma, value, certificate, taken)
