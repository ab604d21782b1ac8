r"""Information, covariance of parameters and effective degrees of freedom of a likelihood.

With :math:`H = -\nabla^2 \ell`, scores :math:`s_t` of the rows, and penalty matrix
:math:`n \alpha D`, :math:`A = H + n \alpha D`,

.. math::

    \text{oim: } A^{-1}, \qquad \text{opg: } \Big(\sum_t s_t s_t' + n \alpha D\Big)^{-1}, \qquad
    \text{robust: } A^{-1} \Big(\sum_t s_t s_t'\Big) A^{-1},

and degrees of freedom :math:`\operatorname{tr} A^{-1} H`. Directions in which the matrix is
singular (states of linear models are identified up to a transformation) have no variance: the
inverse is that on the identified directions, and their number is told.

Singular values of a transition that ``stable`` keeps at its ceiling are taken as given: all is done
in the unrestricted coordinates (:mod:`nnecon.nets.contraction`), whose derivative is zero in these
directions.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.state_space_solution import Search
from nnecon.nets.contraction import bend, derivative, expansion

KINDS = ("oim", "opg", "robust")

SINGULAR = 1e-9
"""Eigenvalues up to this share of the largest count as zero, after scaling to a unit diagonal."""

EDGE = 1e-5
"""Derivatives of the transition up to this share of the largest are zero: it is at its ceiling."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Free parameters as functions of unrestricted coordinates.

    Parameters
    ----------
    slope : ndarray of shape (f, f)
        Derivatives of the parameters, a row each.
    bend : ndarray of shape (f, f)
        Their second derivatives, each times the derivative of the penalised log-likelihood.
    inside : ndarray of shape (f, t)
        Directions in which the parameters move, as columns.
    """

    slope: np.ndarray
    bend: np.ndarray
    inside: np.ndarray

    def information(self, matrix: np.ndarray) -> np.ndarray:
        """Negative second derivatives (f, f) in these coordinates, from those by parameters."""
        return self.slope.T @ matrix @ self.slope - self.bend


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
    ridge = np.diag(_ridge(search, alpha)[free])
    matrix, lacking = np.zeros((k, k)), 0
    if not free.any():
        return Covariance(matrix, 0)
    own = _coordinates(search, params, alpha)
    if kind in ("oim", "robust"):
        information = -search.likelihood.hessian(params, rows)[np.ix_(free, free)]
        bread, lacking = inverse(own.information(information + ridge))
        bread = own.slope @ bread @ own.slope.T
        found = bread
    if kind in ("opg", "robust"):
        scores = search.likelihood.scores(params, rows)[:, free]
        squares = scores.T @ scores
        if kind == "opg":
            moves = own.slope @ own.inside
            inner, lacking = inverse(moves.T @ (squares + ridge) @ moves)
            found = moves @ inner @ moves.T
        else:
            found = bread @ squares @ bread
    matrix[np.ix_(free, free)] = found
    return Covariance(matrix, lacking)


def degrees_of_freedom(search: Search, params: np.ndarray, alpha: float) -> float:
    """Effective number of free parameters, those of covariances included.

    Where the Hessian is not positive definite (a search that has not converged) it counts by its
    positive part.
    """
    free = search.free
    if not free.any():
        return 0.0
    information = -search.likelihood.hessian(params, search.rows)[np.ix_(free, free)]
    ridge = np.diag(_ridge(search, alpha)[free])
    own = _coordinates(search, params, alpha)
    if not ridge.any():
        return float(own.inside.shape[1])
    whole = own.information(information + ridge)
    if own.inside.shape[1] < len(whole) and np.linalg.eigvalsh(whole).min() > 0.0:
        # what is at the edge takes its best value
        whole = np.linalg.inv(own.inside.T @ np.linalg.inv(whole) @ own.inside)
    else:
        whole = own.inside.T @ whole @ own.inside
    moves = own.slope @ own.inside
    ridge = moves.T @ ridge @ moves
    size = np.sqrt(np.maximum(np.abs(np.diag(whole)), 1e-300))
    size = np.outer(size, size)
    values, vectors = np.linalg.eigh((whole - ridge) / size)
    positive = (vectors * np.maximum(values, 0.0)) @ vectors.T
    found, _ = inverse(positive + ridge / size)
    return float(np.clip(np.sum(found * positive), 0.0, len(positive)))


def _coordinates(search: Search, params: np.ndarray, alpha: float) -> Coordinates:
    """Unrestricted coordinates of the transition where it is restricted; the rest is its own."""
    network, free = search.likelihood.network, search.free
    count = int(free.sum())
    same, none = np.eye(count), np.zeros((count, count))
    where = network.where("transition")
    if not (network.stable and where.any() and free[where].all()):
        return Coordinates(same, none, same)
    shape = network.blocks["transition"][1]
    gradient = search.likelihood.score(params, search.rows) - _ridge(search, alpha) * params
    matrix = expansion(params[where].reshape(shape))
    at = np.flatnonzero(where[free])
    block = np.ix_(at, at)
    slope, bent = same.copy(), none
    slope[block] = derivative(matrix)
    bent[block] = bend(matrix, gradient[where].reshape(shape))
    _, size, moved = np.linalg.svd(slope)
    return Coordinates(slope, bent, moved[size > EDGE * size.max()].T)


def _ridge(search: Search, alpha: float) -> np.ndarray:
    weight = 0.0 if np.isinf(alpha) else alpha * search.weights.sum()
    return weight * search.likelihood.network.penalised
