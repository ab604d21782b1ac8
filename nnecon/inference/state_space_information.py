r"""Information, covariance of parameters and effective degrees of freedom of a likelihood.

With :math:`H = -\nabla^2 \ell`, scores :math:`s_t` of the rows, and penalty matrix
:math:`n \alpha D`, :math:`A = H + n \alpha D`,

.. math::

    \text{oim: } A^{-1}, \qquad \text{opg: } \Big(\sum_t s_t s_t' + n \alpha D\Big)^{-1}, \qquad
    \text{robust: } A^{-1} \Big(\sum_t s_t s_t'\Big) A^{-1},

and degrees of freedom :math:`\operatorname{tr} A^{-1} H`. Directions in which the matrix is
singular (states of linear models are identified up to a transformation) have no variance: the
inverse is that on the identified directions, and their number is told.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.state_space_search import Search

KINDS = ("oim", "opg", "robust")

SINGULAR = 1e-9
"""Eigenvalues up to this share of the largest count as zero, after scaling to a unit diagonal."""


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Covariance (k, k) of the standardised parameters; zero for those that are not estimated.

    Parameters
    ----------
    matrix : ndarray of shape (k, k)
    lacking : int
        Directions of the free parameters that are not identified.
    """

    matrix: np.ndarray
    lacking: int


def inverse(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Inverse on the directions with positive eigenvalues, and how many have none."""
    size = np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    good = values > SINGULAR * max(values.max(), 0.0)
    kept = vectors[:, good]
    found = (kept / values[good]) @ kept.T
    return found / np.outer(size, size), int((~good).sum())


def covariance(search: Search, params: np.ndarray, alpha: float, kind: str) -> Covariance:
    """Covariance of the free parameters.

    Parameters
    ----------
    search : Search
        With the parameters that are free.
    params : ndarray of shape (k,)
        Standardised estimate.
    alpha : float
        Penalty; infinite where the neural part is not free.
    kind : {"oim", "opg", "robust"}
    """
    free, rows = search.free, search.rows
    k = len(params)
    ridge = _ridge(search, alpha)
    matrix, lacking = np.zeros((k, k)), 0
    if not free.any():
        return Covariance(matrix, 0)
    if kind in ("oim", "robust"):
        information = -search.likelihood.hessian(params, rows)[np.ix_(free, free)]
        bread, lacking = inverse(information + np.diag(ridge[free]))
        found = bread
    if kind in ("opg", "robust"):
        scores = search.likelihood.scores(params, rows)[:, free]
        squares = scores.T @ scores
        if kind == "opg":
            found, lacking = inverse(squares + np.diag(ridge[free]))
        else:
            found = bread @ squares @ bread
    matrix[np.ix_(free, free)] = found
    return Covariance(matrix, lacking)


def degrees_of_freedom(search: Search, params: np.ndarray, alpha: float) -> float:
    """Effective number of free parameters, those of covariances included.

    Where the Hessian is not positive definite (a search that ended at the edge of ``stable``, or
    has not converged) it counts by its positive part.
    """
    free = search.free
    information = -search.likelihood.hessian(params, search.rows)[np.ix_(free, free)]
    if not free.any():
        return 0.0
    ridge = _ridge(search, alpha)[free]
    if not ridge.any():
        return float(free.sum())
    size = np.sqrt(np.maximum(np.abs(np.diag(information + np.diag(ridge))), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    positive = (vectors * np.maximum(values, 0.0)) @ vectors.T
    found, _ = inverse(positive + np.diag(ridge / size**2))
    return float(np.clip(np.sum(found * positive), 0.0, free.sum()))


def _ridge(search: Search, alpha: float) -> np.ndarray:
    weight = 0.0 if np.isinf(alpha) else alpha * search.weights.sum()
    return weight * search.likelihood.network.penalised
