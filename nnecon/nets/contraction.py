r"""Square matrices with singular values up to a ceiling, as functions of unrestricted ones.

.. math:: W = 2 c\, (I + A A')^{-1} A

has the singular values :math:`2 c s / (1 + s^2) \le c` for those :math:`s` of :math:`A`. The
ceiling is reached, at :math:`s = 1`, so that an optimum at the edge of what is allowed is at finite
parameters and a search arrives there; the derivative by :math:`s` is zero there.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.exceptions import SpecificationError

CEILING = 0.99
"""Largest singular value: half of a state is forgotten in 69 periods at the latest."""

ROUNDING = 1e-10
"""Singular values over the ceiling by this share are at it."""


def contraction(matrix: jax.Array) -> jax.Array:
    """The W (k, k) of an unrestricted A (k, k)."""
    square = jnp.eye(len(matrix)) + matrix @ matrix.T
    return 2.0 * CEILING * jnp.linalg.solve(square, matrix)


def expansion(within: np.ndarray) -> np.ndarray:
    """The A (k, k) with singular values up to one that leads to a W (k, k)."""
    left, size, right = np.linalg.svd(within)
    share = size / CEILING
    if (share > 1.0 + ROUNDING).any():
        raise SpecificationError(
            f"the transition has a singular value of {size.max():.3g}; with stable=True it may be "
            f"{CEILING} at most. Scale it down, or use stable=False."
        )
    share = np.minimum(share, 1.0)
    return (left * (share / (1.0 + np.sqrt(1.0 - share**2)))) @ right


def pulled_back(matrix: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Derivative by A (k, k) of a function whose derivative by W is ``slope`` (k, k)."""
    identity = np.eye(len(matrix))
    left = np.linalg.inv(identity + matrix @ matrix.T)
    right = np.linalg.inv(identity + matrix.T @ matrix)
    inner = left @ matrix
    return 2.0 * CEILING * (left @ slope @ right - inner @ slope.T @ inner)


def derivative(matrix: np.ndarray) -> np.ndarray:
    """Derivatives (k * k, k * k) of the entries of W, a row each, by those of A."""
    k = len(matrix)
    units = np.eye(k * k).reshape(k * k, k, k)
    return np.stack([pulled_back(matrix, unit).ravel() for unit in units])


def bend(matrix: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Second derivatives (k * k, k * k) by A of ``sum(slope * W)``.

    Complex steps leave no rounding error: the transposes of :func:`pulled_back` are none of
    conjugates.
    """
    k, step = len(matrix), 1e-30
    units = np.eye(k * k).reshape(k * k, k, k)
    rows = [
        pulled_back(matrix + 1j * step * unit, slope).imag.ravel() / step for unit in units
    ]  # fmt: skip
    return np.stack(rows)
