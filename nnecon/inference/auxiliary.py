r"""Auxiliary regressions: do further terms explain what a model leaves over?

With :math:`Q_0` an orthonormal basis of the model's regressors (for a network, of the derivatives
of its fitted values by its parameters) and :math:`Z` the terms added, the residuals
:math:`u = M_0 y` and terms :math:`R = M_0 Z`, :math:`M_0 = I - Q_0 Q_0'`, give

.. math::

    F = \frac{u'P_R u / m}{u'(I - P_R) u / (n - k - m)}, \qquad
    W = u'R \Big(\sum_i u_i^2 R_i R_i'\Big)^{-1} R'u.

The second is the Lagrange multiplier statistic that is robust to heteroskedasticity (Davidson and
MacKinnon, 1985; Wooldridge, 1991); with clusters the sum in it is that of :math:`s_g s_g'` over
clusters, :math:`s_g = \sum_{i \in g} u_i R_i`. Ranks are those of the numerically identified
directions, so that collinear terms and surplus parameters cost no degrees of freedom.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy import stats

from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.hypotheses import as_vector, chi_squared, f_distribution

TOLERANCE = 1e-7
"""Directions shorter than this share of the longest count as not identified, as in R's ``lm``."""

FORMS = ("F", "chi2")

SHARE = 3
"""Terms added by default may take one in so many of the model's degrees of freedom."""

BLOCK = 4e6
"""Numbers held at once in the wild bootstrap."""


@dataclass(frozen=True, slots=True, eq=False)
class AddedTerms:
    """What a regression on further terms explains.

    Attributes
    ----------
    n_obs : int
        Rows.
    base_rank, rank : int
        Identified directions of the model's regressors, and of the terms beyond them.
    restricted, unrestricted : float
        Sums of squared residuals without and with the terms.
    resid : ndarray of shape (n,)
        Residuals without the terms.
    basis, directions : ndarray of shape (n, k) and (n, m)
        Orthonormal directions of the model's regressors, and of the terms beyond them.
    """

    n_obs: int
    base_rank: int
    rank: int
    restricted: float
    unrestricted: float
    resid: np.ndarray
    basis: np.ndarray
    directions: np.ndarray

    @property
    def df_resid(self) -> int:
        """Degrees of freedom that are left."""
        return self.n_obs - self.base_rank - self.rank


@dataclass(frozen=True, slots=True)
class Outcome:
    """Statistic, p-value and distribution in numbers and words."""

    statistic: float
    pvalue: float
    df: tuple[float, ...]
    distribution: str

    @classmethod
    def of(cls, statistic: float, df: tuple[float, ...]) -> "Outcome":
        """Compare a statistic with the F (two degrees of freedom given) or chi-squared law."""
        if len(df) == 2:
            return cls(statistic, float(stats.f(*df).sf(statistic)), df, f_distribution(*df))
        return cls(statistic, float(stats.chi2(*df).sf(statistic)), df, chi_squared(*df))


@dataclass(frozen=True, slots=True, eq=False)
class Robust:
    """How a robust p-value is found: ``reps`` wild bootstrap draws, none for the asymptotic one.

    ``groups`` (n,) are clusters, numbered from zero, within which errors may be correlated: scores
    are summed over them, and signs are drawn by cluster.
    """

    reps: int = 499
    rng: int = 0
    groups: np.ndarray | None = None

    @property
    def n_groups(self) -> int:
        """Clusters; zero where rows are independent."""
        return 0 if self.groups is None else int(self.groups.max()) + 1

    @property
    def words(self) -> str:
        """The distribution in words."""
        kind = "wild bootstrap" if self.groups is None else "wild cluster bootstrap"
        return f"{kind} with {self.reps} draws"


def relative_roots(weights: np.ndarray | None, size: int) -> np.ndarray:
    """Roots of observation weights brought to the mean one, shape (n,); ones for None."""
    if weights is None:
        return np.ones(size)
    weights = as_vector(weights, "weights", size)
    if (weights <= 0.0).any():
        at = int(np.flatnonzero(weights <= 0.0)[0])
        raise DataError(
            f"weights must be positive, but the row at position {at} has {weights[at]:g}."
        )
    return np.sqrt(weights / weights.mean())


def with_constant(regressors: np.ndarray) -> np.ndarray:
    """Constant and regressors less their means, those that do not move left out."""
    moving = regressors[:, np.ptp(regressors, axis=0) > 0.0]
    return np.column_stack([np.ones(len(regressors)), moving - moving.mean(axis=0)])


def identified(matrix: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Orthonormal basis of the numerically identified columns, shape (n, rank).

    Columns are brought to length one first, so that units of measurement do not matter.
    """
    length = np.sqrt((matrix**2).sum(axis=0))
    scaled = matrix[:, length > 0.0] / length[length > 0.0]
    if scaled.shape[1] == 0:
        return np.empty((len(matrix), 0))
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    return left[:, values > tolerance * values[0]]


def standardised_directions(regressors: np.ndarray) -> np.ndarray:
    """Principal components of the regressors with variance one, the identified ones.

    All polynomials of a degree in them span the same space as those in the regressors, but are far
    better conditioned.
    """
    moving = regressors[:, np.ptp(regressors, axis=0) > 0.0]
    centred = moving - moving.mean(axis=0)
    return identified(centred) * np.sqrt(len(regressors))


def polynomial_terms(directions: np.ndarray, order: int) -> np.ndarray:
    """All products of ``order`` columns, with repetition."""
    columns = range(directions.shape[1])
    places = combinations_with_replacement(columns, order)
    return np.column_stack([directions[:, chosen].prod(axis=1) for chosen in places])


def partial_out(matrix: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """What an orthonormal basis does not explain; twice, for accuracy."""
    once = matrix - basis @ (basis.T @ matrix)
    return once - basis @ (basis.T @ once)


def added_terms(target: np.ndarray, basis: np.ndarray, terms: np.ndarray) -> AddedTerms:
    """Regress what ``basis`` leaves of ``target`` on what it leaves of ``terms``.

    Parameters
    ----------
    target : ndarray of shape (n,)
        Dependent variable or residuals.
    basis : ndarray of shape (n, k)
        Orthonormal basis of the model's regressors, from :func:`identified`.
    terms : ndarray of shape (n, m)
        Terms to add.
    """
    resid = partial_out(target, basis)
    beyond = partial_out(terms, basis)
    before, after = ((part**2).sum(axis=0) for part in (terms, beyond))
    directions = identified(beyond[:, after > TOLERANCE**2 * before])
    explained = directions.T @ resid
    restricted = float(resid @ resid)
    remaining = resid - directions @ explained
    ranks = basis.shape[1], directions.shape[1]
    unrestricted = float(remaining @ remaining)
    return AddedTerms(len(resid), *ranks, restricted, unrestricted, resid, basis, directions)


def outcome(regression: AddedTerms, form: str, robust: Robust | None = None) -> Outcome:
    """Test that the terms added explain nothing.

    Parameters
    ----------
    regression : AddedTerms
        With at least one term and one degree of freedom left.
    form : {"F", "chi2"}
        The F statistic, or the likelihood ratio ``n log(SSR0 / SSR1)``. The robust statistic W is
        divided by its degrees of freedom in the F form.
    robust : Robust, optional
        Robust to heteroskedasticity, and how its p-value is found.
    """
    check_form(form)
    rank, left = regression.rank, regression.df_resid
    df = (float(rank), float(left)) if form == "F" else (float(rank),)
    if robust is None and form == "F":
        explained = regression.restricted - regression.unrestricted
        statistic = explained / rank / (regression.unrestricted / left)
    elif robust is None:
        statistic = regression.n_obs * np.log(regression.restricted / regression.unrestricted)
    else:
        multiplier = float(_multiplier(regression, regression.resid[:, None], robust)[0])
        statistic = multiplier / rank if form == "F" else multiplier
        if robust.reps:
            pvalue = _wild_pvalue(regression, multiplier, robust)
            return Outcome(statistic, pvalue, df, robust.words)
    return Outcome.of(float(statistic), df)


def _multiplier(regression: AddedTerms, resid: np.ndarray, robust: Robust) -> np.ndarray:
    if robust.groups is None:
        return _robust_multiplier(regression, resid)
    return _clustered_multiplier(regression.directions, resid, robust.groups)


def _clustered_multiplier(terms: np.ndarray, resid: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """W with scores summed over clusters, for every column of residuals (n, draws)."""
    order = np.argsort(groups, kind="stable")
    first = np.searchsorted(groups[order], np.arange(groups.max() + 1))
    terms, resid = terms[order], resid[order]
    found = []
    for column in resid.T:
        scores = np.add.reduceat(terms * column[:, None], first, axis=0)
        sums = scores.sum(axis=0)
        found.append(sums @ np.linalg.lstsq(scores.T @ scores, sums, rcond=None)[0])
    return np.array(found)


def _robust_multiplier(regression: AddedTerms, resid: np.ndarray) -> np.ndarray:
    """W for every column of residuals (n, draws), which the regressors do not explain."""
    terms, count = regression.directions, regression.rank
    sums = terms.T @ resid
    upper = np.triu_indices(count)
    moments = np.zeros((resid.shape[1], len(upper[0])))
    rows = max(1, int(BLOCK / len(upper[0])))
    for first in range(0, len(terms), rows):
        part = slice(first, first + rows)
        products = terms[part][:, upper[0]] * terms[part][:, upper[1]]
        moments += (resid[part] ** 2).T @ products
    full = np.empty((resid.shape[1], count, count))
    full[:, upper[0], upper[1]] = moments
    full[:, upper[1], upper[0]] = moments
    return (sums.T * np.linalg.solve(full, sums.T[:, :, None])[:, :, 0]).sum(axis=1)


def _wild_pvalue(regression: AddedTerms, statistic: float, robust: Robust) -> float:
    """P-value by residuals whose signs are drawn (Davidson and Flachaire, 2008)."""
    generator = np.random.default_rng(robust.rng)
    size, exceeding, done = regression.n_obs, 0, 0
    batch = max(1, int(BLOCK / size))
    while done < robust.reps:
        draws = min(batch, robust.reps - done)
        signs = 2.0 * generator.integers(0, 2, (robust.n_groups or size, draws)) - 1.0
        signs = signs if robust.groups is None else signs[robust.groups]
        drawn = partial_out(regression.resid[:, None] * signs, regression.basis)
        exceeding += int((_multiplier(regression, drawn, robust) >= statistic).sum())
        done += draws
    return (1.0 + exceeding) / (1.0 + robust.reps)


def read_robust(
    robust: bool, reps: int, rng: int, groups: np.ndarray | None = None, size: int = 0
) -> Robust | None:
    """Turn a test's arguments into what :func:`outcome` needs; ``size`` rows have ``groups``."""
    if isinstance(reps, bool) or not isinstance(reps, (int, np.integer)) or reps < 0:
        raise SpecificationError(
            f"reps={reps!r}: give a number of bootstrap draws, or 0 for the asymptotic p-value."
        )
    codes = None
    if groups is not None:
        labels = np.asarray(groups)
        if not robust:
            raise SpecificationError("groups= makes a test robust to clusters: give robust=True.")
        if labels.shape != (size,):
            raise SpecificationError(
                f"groups has shape {labels.shape}; one label a row, {size} in all, is needed."
            )
        codes = np.unique(labels, return_inverse=True)[1]
    return Robust(int(reps), rng, codes) if robust else None


def check_form(form: str) -> None:
    """Refuse a form that does not exist."""
    if form not in FORMS:
        raise SpecificationError(f"form={form!r} is not known; choose one of {FORMS}.")
