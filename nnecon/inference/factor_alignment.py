"""Factors turned towards others: signs, rotations and scales do not matter to a factor model."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The linear map ``factors = (codes - center) @ turn`` and back.

    Attributes
    ----------
    center : ndarray of shape (k,)
        Mean of the codes.
    turn : ndarray of shape (k, k)
        Makes factors orthonormal in the sample and turns them.
    """

    center: np.ndarray
    turn: np.ndarray

    def apply(self, codes: np.ndarray) -> np.ndarray:
        """Factors (n, k) of codes (n, k)."""
        return (codes - self.center) @ self.turn

    def undo(self, factors: np.ndarray) -> np.ndarray:
        """Codes of factors."""
        return factors @ np.linalg.inv(self.turn) + self.center


def align(codes: np.ndarray, reference: np.ndarray) -> Alignment:
    """Turn codes so that they are orthonormal and as near to reference factors as a rotation goes.

    Codes are centred and made orthonormal (symmetrically, so that they move as little as
    possible), and then rotated by the solution of the orthogonal Procrustes problem (Schoenemann,
    1966), which also settles signs and the order.

    Parameters
    ----------
    codes : ndarray of shape (T, k)
        What an encoder gives.
    reference : ndarray of shape (T, k)
        Orthonormal factors, usually principal components.

    Returns
    -------
    Alignment
    """
    center = codes.mean(axis=0)
    moved = codes - center
    _, s, vt = np.linalg.svd(moved, full_matrices=False)
    whiten = (vt.T / s) @ vt
    rotation, _ = orthogonal_procrustes(moved @ whiten, reference)
    return Alignment(center, whiten @ rotation)


def align_axes(codes: np.ndarray, reference: np.ndarray) -> Alignment:
    """Give codes the order and signs nearest to reference factors, without a rotation.

    For codes whose axes mean something, as those of sparse autoencoders. They are centred and get
    length one each; they may be correlated.

    Parameters
    ----------
    codes, reference : ndarray of shape (T, k)

    Returns
    -------
    Alignment
    """
    center = codes.mean(axis=0)
    moved = codes - center
    length = np.linalg.norm(moved, axis=0)
    order, signs = matched(moved / length, reference)
    return Alignment(center, np.eye(len(order))[:, order] * (signs / length[order]))


def matched(factors: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order and signs that bring factors nearest to others of the same rows.

    Parameters
    ----------
    factors, reference : ndarray of shape (T, k)

    Returns
    -------
    order : ndarray of int of shape (k,)
        Which of the factors stands for each of the reference.
    signs : ndarray of shape (k,)
    """
    products = (reference - reference.mean(axis=0)).T @ factors
    order = linear_sum_assignment(-np.abs(products))[1]
    signs = np.where(products[np.arange(len(order)), order] < 0, -1.0, 1.0)
    return order, signs
