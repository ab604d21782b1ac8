r"""Principal components on arrays: standardisation, filling of missing values, scores of any row.

With :math:`z` the standardised values, :math:`V` (N, k) the first eigenvectors of :math:`Z'Z` and
:math:`d` its eigenvalues, factors are :math:`F = Z V d^{-1/2}`, with :math:`F'F = I`, as in
statsmodels' ``PCA``.

Missing values are filled as Stock and Watson (2002) do: they start at the mean, and principal
components of the filled data give their new values, until these stop changing. In the limit a
missing value is :math:`v_j' \hat f`, where :math:`\hat f` is the regression of the row's known
values on their loadings. That is how rows outside the sample are filled, too, so that the rows of
the sample, given again, get their own factors.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from nnecon.estimation.execution import one_blas_thread

CONVERGED, MOST = 1e-11, 10_000
"""Relative change of the filled values at which iterations stop, and how many there are at most."""

NEAR, MEMORY = 1e-3, 8
"""Relative change from which on steps are extrapolated, and from how many of the last ones."""

MANY, REGULAR = 2000, 1e-6
"""Incomplete rows from which on they are filled by normal equations, all together, where the least
eigenvalue of these is at least the second number (the largest is at most one)."""


@dataclass(frozen=True, slots=True, eq=False)
class Standardisation:
    """Shift and scale of each series; ``values = z * scale + center``, shapes (N,)."""

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, standardize: bool = True) -> "Standardisation":
        """Means and, with ``standardize``, standard deviations (divided by n) of known values."""
        center = np.nanmean(values, axis=0)
        scale = np.sqrt(np.nanmean((values - center) ** 2, axis=0))
        return cls(center, scale if standardize else np.ones_like(scale))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Standardise."""
        return (values - self.center) / self.scale

    def undo(self, standardised: np.ndarray) -> np.ndarray:
        """Back to the units of the data."""
        return standardised * self.scale + self.center


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """What missing values are replaced by: regression on the loadings of the known ones.

    Attributes
    ----------
    standardisation : Standardisation
        By known values alone.
    loadings : ndarray of shape (N, k)
        Orthonormal loadings of the filled data.
    iterations : int
        Iterations until the values stopped changing; zero where nothing was missing.
    """

    standardisation: Standardisation
    loadings: np.ndarray
    iterations: int

    def fill(self, values: np.ndarray) -> np.ndarray:
        """The same values (n, N) with missing ones filled; a row needs k known values."""
        known = np.isfinite(values)
        if known.all():
            return values
        standard = self.standardisation.apply(values)
        rows = np.flatnonzero(~known.all(axis=1))
        filled = np.array(standard)
        for at in range(0, len(rows), MANY):
            part = rows[at : at + MANY]
            filled[part] = self._scores(standard[part], known[part]) @ self.loadings.T
        return np.where(known, values, self.standardisation.undo(filled))

    def _scores(self, standard: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Least-squares scores (n, k) of incomplete rows (n, N)."""
        k = self.loadings.shape[1]
        scores, regular = np.empty((len(standard), k)), np.zeros(len(standard), dtype=bool)
        if len(standard) == MANY:
            pairs = (self.loadings[:, :, None] * self.loadings[:, None, :]).reshape(-1, k * k)
            grams = (known @ pairs).reshape(-1, k, k)
            regular = np.linalg.eigvalsh(grams)[:, 0] >= REGULAR
            right = np.where(known, standard, 0.0) @ self.loadings
            scores[regular] = np.linalg.solve(grams[regular], right[regular, :, None])[:, :, 0]
        for pattern, number in _patterns(known, ~regular):
            own = self.loadings[pattern]
            target = standard[np.ix_(number, pattern)].T
            scores[number] = np.linalg.lstsq(own, target, rcond=None)[0].T
        return scores


def fill_missing(
    values: np.ndarray,
    k_factors: int,
    standardize: bool = True,
    tolerance: float = CONVERGED,
    max_iter: int = MOST,
) -> tuple[np.ndarray, Filling]:
    """Fill missing values by k principal components (Stock and Watson, 2002).

    Parameters
    ----------
    values : ndarray of shape (T, N)
        Missing values are NaN.
    k_factors : int
        Components that fill.
    standardize : bool
        Whether components are those of standardised series.
    tolerance : float
        Relative change of the filled values at which to stop.
    max_iter : int
        Most iterations.

    Returns
    -------
    filled : ndarray of shape (T, N)
    filling : Filling
        The rule, for other rows.
    """
    shift = Standardisation.of(values, standardize)
    missing = ~np.isfinite(values)
    filled = np.where(missing, 0.0, shift.apply(values))
    if missing.any():
        with one_blas_thread():
            loadings, iteration = _fixed_point(filled, missing, k_factors, tolerance, max_iter)
    else:
        loadings, iteration = _vectors(filled.T @ filled, k_factors), 0
    return np.where(missing, shift.undo(filled), values), Filling(shift, loadings, iteration)


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalComponents:
    """Principal components of standardised data without missing values.

    Attributes
    ----------
    standardisation : Standardisation
        Of the (filled) data.
    eigenvals : ndarray of shape (min(T, N),)
        All eigenvalues of ``Z'Z``, descending.
    eigenvecs : ndarray of shape (N, min(T, N))
        Their vectors, in columns; the entry largest in absolute value is positive.
    """

    standardisation: Standardisation
    eigenvals: np.ndarray
    eigenvecs: np.ndarray

    def scores(self, filled: np.ndarray, k: int) -> np.ndarray:
        """First k factors of rows without missing values, shape (n, k)."""
        z = self.standardisation.apply(filled)
        return (z @ self.eigenvecs[:, :k]) / np.sqrt(self.eigenvals[:k])

    def coefficients(self, k: int) -> np.ndarray:
        """What factors are multiplied by to give standardised data, shape (k, N)."""
        return (self.eigenvecs[:, :k] * np.sqrt(self.eigenvals[:k])).T

    def projection(self, filled: np.ndarray, k: int) -> np.ndarray:
        """Data explained by the first k factors, in their units, shape (n, N)."""
        vectors = self.eigenvecs[:, :k]
        z = self.standardisation.apply(filled)
        return self.standardisation.undo((z @ vectors) @ vectors.T)


def principal_components(filled: np.ndarray, standardize: bool = True) -> PrincipalComponents:
    """All principal components of data (T, N) without missing values."""
    shift = Standardisation.of(filled, standardize)
    _, singular, vectors = np.linalg.svd(shift.apply(filled), full_matrices=False)
    return PrincipalComponents(shift, singular**2, signed(vectors.T))


def signed(vectors: np.ndarray) -> np.ndarray:
    """Columns with the sign that makes their largest entry positive."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return vectors * np.where(largest < 0, -1.0, 1.0)


def _fixed_point(
    filled: np.ndarray, missing: np.ndarray, k: int, tolerance: float, max_iter: int
) -> tuple[np.ndarray, int]:
    """Fill in place until the values stop changing: loadings, and how many iterations that took.

    Near the end, steps are extrapolated from the last ones (Anderson, 1965), which leads to the
    same values in a tenth of the iterations; from the beginning it may lead elsewhere.
    """
    rows = missing.any(axis=1)
    where = missing[rows]
    # the cross product of complete rows never changes
    whole = filled[~rows].T @ filled[~rows]
    part, start, near = filled[rows], np.zeros(int(missing.sum())), False
    recent: list[tuple[np.ndarray, np.ndarray]] = []
    for iteration in range(1, max_iter + 1):
        part[where] = start
        loadings = _vectors(whole + part.T @ part, k)
        end = ((part @ loadings) @ loadings.T)[where]
        change = np.linalg.norm(end - start)
        if change <= tolerance * np.linalg.norm(end) or iteration == max_iter:
            break
        near = near or bool(change <= NEAR * np.linalg.norm(end))
        recent = [*recent[-MEMORY:], (end, end - start)]
        start = _extrapolated(recent) if near else end
    part[where] = end
    filled[rows] = part
    return loadings, iteration


def _extrapolated(recent: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    ends, steps = (np.array(each) for each in zip(*recent, strict=True))
    if len(ends) == 1:
        return ends[0]
    share = np.linalg.lstsq(np.diff(steps, axis=0).T, steps[-1], rcond=1e-10)[0]
    return ends[-1] - np.diff(ends, axis=0).T @ share


def _vectors(gram: np.ndarray, k: int) -> np.ndarray:
    """First k eigenvectors of a symmetric matrix, the largest eigenvalue first."""
    n = len(gram)
    return eigh(gram, subset_by_index=[n - k, n - 1])[1][:, ::-1]


def _patterns(known: np.ndarray, among: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of some of the rows (a mask), together where the same columns are known."""
    rows = np.flatnonzero(among)
    patterns, number = np.unique(known[rows], axis=0, return_inverse=True)
    number = np.ravel(number)
    return [(pattern, rows[number == at]) for at, pattern in enumerate(patterns)]
