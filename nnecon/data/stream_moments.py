r"""Moments and least squares of data that come in blocks, in one pass.

Means and sums of squares are updated block by block (Chan, Golub and LeVeque, 1983). What least
squares needs is a triangle :math:`R` with :math:`R'R = [X, y]' W [X, y]`, updated by a QR
decomposition of the triangle on top of the next block (Golub and Van Loan, 2013, section 6.5), so
that cross products, which would square the condition number, are never formed. With a constant
among the regressors all other columns are measured from their means in the first block: least
squares is the same, but for a constant that is put right at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from nnecon.exceptions import DataError

TOLERANCE = 1e-10
"""A column nearer to the span of those before it, as a share of its length, is a combination."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Weighted moments of a design, and the triangle that least squares needs.

    Attributes
    ----------
    n_obs : int
        Rows.
    weight_sum : float
        Sum of the weights; ``n_obs`` without weights.
    mean, std : ndarray, shape (p,)
        Weighted means and standard deviations of the columns, divisor ``weight_sum``.
    endog_mean, endog_std : float
        Those of the dependent variable.
    triangle : ndarray, shape (p + 1, p + 1)
        Upper triangular :math:`R` of the weighted columns, the constant first and the dependent
        variable last, less ``shift``.
    order : ndarray of int, shape (p,)
        Which column of the design each column of the triangle is.
    shift : ndarray, shape (p + 1,)
        What was subtracted, in the order of the triangle; zeros without a constant.
    const_index : int or None
        The constant among the columns of the design.
    """

    n_obs: int
    weight_sum: float
    mean: np.ndarray
    std: np.ndarray
    endog_mean: float
    endog_std: float
    triangle: np.ndarray
    order: np.ndarray
    shift: np.ndarray
    const_index: int | None

    @property
    def size(self) -> np.ndarray:
        """Root mean squares of the columns, shape (p,)."""
        return np.hypot(self.mean, self.std)

    def least_squares(self, names: Sequence[str] | None = None) -> "LeastSquares":
        """Ordinary, or with weights weighted, least squares.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the columns, for messages.

        Raises
        ------
        DataError
            A column does not vary or is a combination of others, or there are too few rows.
        """
        p = len(self.mean)
        if self.n_obs <= p:
            raise DataError(
                f"{self.n_obs} rows cannot determine {p} coefficients and their errors; leave "
                "columns out"
            )
        named = list(names) if names is not None else [f"column {j}" for j in range(p)]
        self._check_rank([named[j] for j in self.order])
        upper, target = self.triangle[:p, :p], self.triangle[:, p]
        inverse = solve_triangular(upper, np.eye(p))
        shifted = solve_triangular(upper, target[:p])
        if self.const_index is not None:
            # the constant stands first; bring it from the shifted origin to zero
            move = np.eye(p)
            move[0, 1:] = -self.shift[1:p]
            inverse = move @ inverse
            shifted = move @ shifted
            shifted[0] += self.shift[p]
        params, root = np.empty(p), np.empty((p, p))
        params[self.order], root[self.order] = shifted, inverse
        first = 0 if self.const_index is None else 1
        rss, tss = float(target[p] ** 2), float(target[first:] @ target[first:])
        scale = rss / (self.n_obs - p)
        return LeastSquares(params, scale * root @ root.T, rss, tss, self.n_obs - p)

    def _check_rank(self, names: Sequence[str]) -> None:
        p, first = len(names), 0 if self.const_index is None else 1
        upper = self.triangle[:p, :p]
        length = np.sqrt((upper[first:] ** 2).sum(axis=0))
        for j in range(first, p):
            if length[j] <= 1e-14 * self.size[self.order[j]] * np.sqrt(self.weight_sum):
                raise DataError(
                    f"column {names[j]!r} does not vary, so it has no effect to estimate: leave "
                    "it out"
                )
            if abs(upper[j, j]) > TOLERANCE * length[j]:
                continue
            lead = upper[first:j, first:j] / length[first:j]
            share = solve_triangular(lead, upper[first:j, j] / length[j])
            others = [repr(names[first + k]) for k in range(j - first) if abs(share[k]) > 1e-6]
            raise DataError(
                f"column {names[j]!r} is a linear combination of "
                f"{', '.join(others) or 'the constant'}; leave one of them out"
            )


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """Least squares from moments.

    Attributes
    ----------
    params : ndarray, shape (p,)
        Coefficients, in the order of the design.
    cov_params : ndarray, shape (p, p)
        Their nonrobust covariance.
    rss, tss : float
        Weighted sums of squares: of residuals, and of the dependent variable about its mean (about
        zero without a constant).
    df_resid : int
        Rows less coefficients.
    """

    params: np.ndarray
    cov_params: np.ndarray
    rss: float
    tss: float
    df_resid: int

    @property
    def bse(self) -> np.ndarray:
        """Standard errors, shape (p,)."""
        return np.sqrt(np.diag(self.cov_params))

    @property
    def scale(self) -> float:
        """Variance of the errors, in the units of the weights."""
        return self.rss / self.df_resid

    @property
    def rsquared(self) -> float:
        """Share of the variation that is explained; one minus rss / tss."""
        return 1.0 - self.rss / self.tss


def moments_of(
    blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], const_index: int | None
) -> Moments:
    """Moments in one pass.

    Parameters
    ----------
    blocks : iterable of (endog, exog, weights)
        Of shapes (m,), (m, p) and (m,); m may differ from block to block.
    const_index : int or None
        The column that is one in every row.

    Examples
    --------
    >>> x = np.column_stack([np.ones(4), [0.0, 1.0, 2.0, 4.0]])
    >>> y = np.array([1.0, 3.0, 5.0, 9.0])
    >>> found = moments_of([(y[:2], x[:2], np.ones(2)), (y[2:], x[2:], np.ones(2))], 0)
    >>> found.mean, found.least_squares().params.round(12)
    (array([1.  , 1.75]), array([1., 2.]))
    """
    n, total = 0, 0.0
    order = whole = np.zeros(0, dtype=int)
    origin = shift = mean = square = triangle = np.zeros(0)
    for endog, exog, weights in blocks:
        columns = np.column_stack([exog, endog]).astype(float, copy=False)
        weight = float(weights.sum())
        if n == 0:
            p = exog.shape[1]
            order = np.array(sorted(range(p), key=lambda j: j != const_index), dtype=int)
            whole = np.append(order, p)
            origin = weights @ columns / weight
            if const_index is not None:
                origin[const_index] = 0.0
            shift = origin[whole] if const_index is not None else np.zeros(p + 1)
            triangle = np.zeros((0, p + 1))
        # means and squares are taken from the origin too: far from zero they would lose digits
        near = columns - origin
        here = weights @ near / weight
        spread = weights @ (near - here) ** 2
        if n == 0:
            mean, square = here, spread
        else:
            step = here - mean
            square = square + spread + step**2 * (total * weight / (total + weight))
            mean = mean + step * (weight / (total + weight))
        n, total = n + len(endog), total + weight
        kept = near if const_index is not None else columns
        rows = kept[:, whole] * np.sqrt(weights)[:, None]
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, rows]), mode="r"))
    if n == 0:
        raise DataError("there are no rows to take moments of")
    held = np.zeros((len(whole), len(whole)))
    held[: len(triangle)] = triangle
    mean, std = origin + mean, np.sqrt(square / total)
    return Moments(
        n, total, mean[:-1], std[:-1], float(mean[-1]), float(std[-1]), held, order, shift,
        const_index,
    )  # fmt: skip
