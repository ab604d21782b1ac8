r"""Numbers read off the estimated mean, and how they depend on the estimate.

The mean of the dependent variable is

.. math::

    F(x) = a + s \sum_m \lambda_m f(x; \theta_m),

in the user's units, with one network or, in an ensemble, several whose shares :math:`\lambda_m`
are equal. A number :math:`T(F)` (an average slope, an elasticity, a point of a curve) has two
sources of uncertainty: the parameters, through :math:`\partial T / \partial\theta` and the delta
method, and which networks the random starts ended in, through
:math:`\partial T / \partial\lambda_m`. The latter is the first-order effect of network m on the
number; for numbers that are linear in F it is the number of network m itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.data.scaling import Scaling
from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import double_precision, fitted_many
from nnecon.inference.effects import checked_variances
from nnecon.nets import Network


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number computed from the estimated mean.

    Attributes
    ----------
    value : float
        The number.
    gradient : ndarray of shape (k,)
        Its derivatives by the parameters, of all networks one after the other.
    by_network : ndarray of shape (m,)
        Its derivatives by the networks' shares in the mean.
    draws : ndarray of shape (b,)
        The number at bootstrap draws of the parameters, where there are any.
    """

    value: float
    gradient: np.ndarray
    by_network: np.ndarray
    draws: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __add__(self, other: "Number") -> "Number":
        return Number(
            self.value + other.value,
            self.gradient + other.gradient,
            self.by_network + other.by_network,
            self.draws + other.draws,
        )

    def __sub__(self, other: "Number") -> "Number":
        return self + other.times(-1.0)

    def times(self, factor: float) -> "Number":
        """A multiple of the number."""
        return Number(
            factor * self.value,
            factor * self.gradient,
            factor * self.by_network,
            factor * self.draws,
        )

    def plus(self, constant: float) -> "Number":
        """The number and a constant, which no parameter moves."""
        return Number(
            self.value + constant, self.gradient, self.by_network + constant, self.draws + constant
        )


class _Kernel(NamedTuple):
    """A function with its derivatives by members and shares, and at many draws of members."""

    differentiated: Callable[..., Any]
    drawn: Callable[..., Any]


class _Kernels(NamedTuple):
    level: _Kernel
    slope: _Kernel
    log_slope: _Kernel
    log_level: _Kernel


@lru_cache(maxsize=128)
def _kernels(network: Network) -> _Kernels:
    """Weighted sums of levels, slopes and those of logarithms."""

    def mean(members, shares, rows):
        over_rows = jax.vmap(network.apply, in_axes=(None, 0))
        return shares @ jax.vmap(over_rows, in_axes=(0, None))(members, rows)

    def moving(members, shares, rows, directions):
        return jax.jvp(lambda at: mean(members, shares, at), (rows,), (directions,))

    def level(members, shares, rows, weights):
        return weights @ mean(members, shares, rows)

    def slope(members, shares, rows, directions, weights):
        return weights @ moving(members, shares, rows, directions)[1]

    def log_slope(members, shares, rows, directions, weights, shift):
        value, change = moving(members, shares, rows, directions)
        return weights @ (change / (shift + value))

    def log_level(members, shares, rows, weights, shift):
        return weights @ jnp.log(jnp.abs(shift + mean(members, shares, rows)))

    def kernel(function):
        def drawn(draws, *arguments):
            return jax.lax.map(lambda members: function(members, *arguments), draws)

        return _Kernel(cached_jit(jax.value_and_grad(function, argnums=(0, 1))), cached_jit(drawn))

    return _Kernels(*(kernel(one) for one in (level, slope, log_slope, log_level)))


class Mean(Protocol):
    """A mean of the dependent variable on rows of the design, in the user's units.

    ``exog`` and ``directions`` have shape (n, p), ``weights`` (n,); with weights that sum to one,
    sums are averages.
    """

    def values(self, exog: np.ndarray) -> np.ndarray:
        """The mean at every row, shape (n,)."""

    def level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the mean."""

    def slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives along ``directions``."""

    def log_slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives of the logarithm along ``directions``."""

    def log_level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the logarithm of the mean's absolute value."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedMean:
    """The mean that a network, or several, have estimated.

    Parameters
    ----------
    network : Network
        What each member is.
    members : ndarray of shape (m, k)
        Standardised parameters, a row a network.
    scaling : Scaling
        From design columns to the networks' rows, and from their values to the user's units.
    draws : ndarray of shape (b, m k), optional
        Bootstrap draws of the members, side by side: numbers are computed at each of them too.
    """

    network: Network
    members: np.ndarray
    scaling: Scaling
    draws: np.ndarray | None = None

    def values(self, exog: np.ndarray) -> np.ndarray:
        """The mean at every row, shape (n,)."""
        fits = fitted_many(self.network, self.members, self.scaling.rows(exog))
        return self.scaling.restore(fits.mean(axis=0))

    def level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the mean."""
        number = self._number("level", self.scaling.target_scale, exog, weights)
        return number.plus(self.scaling.target_shift * float(weights.sum()))

    def slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives along ``directions``."""
        along = self.scaling.directions(directions)
        return self._number("slope", self.scaling.target_scale, exog, along, weights)

    def log_slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives of the logarithm along ``directions``."""
        along = self.scaling.directions(directions)
        return self._number("log_slope", 1.0, exog, along, weights, self._shift)

    def log_level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the logarithm of the mean's absolute value."""
        number = self._number("log_level", 1.0, exog, weights, self._shift)
        return number.plus(np.log(self.scaling.target_scale) * float(weights.sum()))

    @property
    def _shift(self) -> float:
        return self.scaling.target_shift / self.scaling.target_scale

    def _number(self, kernel: str, factor: float, exog: np.ndarray, *arguments: Any) -> Number:
        shares = np.full(len(self.members), 1.0 / len(self.members))
        rows = self.scaling.rows(exog)
        functions: _Kernel = getattr(_kernels(self.network), kernel)
        drawn = np.zeros(0)
        with double_precision():
            found = functions.differentiated(self.members, shares, rows, *arguments)
            if self.draws is not None:
                many = self.draws.reshape(-1, *self.members.shape)
                drawn = np.asarray(functions.drawn(many, shares, rows, *arguments))
        value, (gradient, by_network) = found
        return Number(
            factor * float(value),
            factor * np.asarray(gradient).ravel(),
            factor * np.asarray(by_network),
            factor * drawn,
        )


@dataclass(frozen=True, slots=True, eq=False)
class LinearMean:
    """The mean ``exog @ coefficients`` of a classical model; derivatives in closed form."""

    coefficients: np.ndarray

    def values(self, exog: np.ndarray) -> np.ndarray:
        """The mean at every row, shape (n,)."""
        return exog @ self.coefficients

    def level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the mean."""
        return self._linear(weights @ exog)

    def slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives along ``directions``."""
        return self._linear(weights @ directions)

    def log_slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives of the logarithm along ``directions``."""
        value, change = exog @ self.coefficients, directions @ self.coefficients
        own = weights / value
        gradient = own @ directions - (own * change / value) @ exog
        return Number(float(own @ change), gradient, np.zeros(1))

    def log_level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the logarithm of the mean's absolute value."""
        value = exog @ self.coefficients
        return Number(float(weights @ np.log(np.abs(value))), (weights / value) @ exog, np.zeros(1))

    def _linear(self, gradient: np.ndarray) -> Number:
        return Number(float(gradient @ self.coefficients), gradient, np.zeros(1))


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Several numbers with their joint covariance.

    Attributes
    ----------
    values : ndarray of shape (q,)
        The numbers.
    gradient : ndarray of shape (q, k)
        Derivatives by the parameters.
    covariance : ndarray of shape (q, q)
        By the delta method, or over bootstrap draws, and the spread between the networks of an
        ensemble.
    from_starts : ndarray of shape (q,)
        The latter's share in the standard errors: the Monte Carlo error of a mean over networks.
    draws : ndarray of shape (b, q)
        The numbers at the draws, where there are any.
    """

    values: np.ndarray
    gradient: np.ndarray
    covariance: np.ndarray
    from_starts: np.ndarray
    draws: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Standard errors, shape (q,)."""
        return np.sqrt(checked_variances(np.diag(self.covariance)))


def with_covariance(numbers: Sequence[Number], covariance: np.ndarray) -> Numbers:
    """Numbers with their joint covariance, given that of the parameters (k, k).

    Where numbers come with bootstrap draws, their covariance is that of the draws: it needs neither
    small errors nor identified parameters.
    """
    count, size = len(numbers), len(covariance)
    gradient = np.array([one.gradient for one in numbers]).reshape(count, size)
    spread = np.zeros((count, count))
    if count and len(numbers[0].by_network) > 1:
        by_network = np.array([one.by_network for one in numbers])
        spread = np.atleast_2d(np.cov(by_network)) / by_network.shape[1]
    size = len(numbers[0].draws) if count else 0
    draws = np.array([one.draws for one in numbers]).reshape(count, size).T
    # without residual degrees of freedom a covariance is not finite: no errors, not no numbers
    with np.errstate(invalid="ignore"):
        own = gradient @ covariance @ gradient.T
    if size:
        own = np.cov(draws, rowvar=False).reshape(count, count)
    return Numbers(
        np.array([one.value for one in numbers], dtype=float),
        gradient,
        own + spread,
        np.sqrt(np.diag(spread)),
        draws,
    )
