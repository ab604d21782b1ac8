"""Is the mean the same in the whole sample? Tests for breaks."""

from collections.abc import Sequence

import numpy as np
from statsmodels.stats import diagnostic

from nnecon.exceptions import SpecificationError
from nnecon.inference.auxiliary import (
    added_terms,
    identified,
    outcome,
    partial_out,
    relative_roots,
    standardised_directions,
)
from nnecon.inference.hypotheses import (
    LEVEL,
    HypothesisTest,
    as_matrix,
    as_vector,
    does_not_apply,
    shown_pvalue,
    verdict,
)

MINIMUM = 8
"""Degrees of freedom that a test needs at least."""

CANDIDATES = 400
"""Break points that are tried; with more rows an even grid."""


def cusum(resid: np.ndarray, gradient: np.ndarray) -> HypothesisTest:
    """Test for a mean that shifts, by the cumulated residuals (Ploberger and Kramer, 1992).

    Under the null the cumulated residuals behave like a Brownian bridge, and the largest of them
    has Kolmogorov's distribution. The test sees shifts of the level.

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals in time order.
    gradient : ndarray of shape (n, k)
        Derivatives of the fitted values by the parameters, a constant among them.

    Returns
    -------
    HypothesisTest
    """
    name, null = "CUSUM", "The mean is stable over the sample"
    resid = as_vector(resid, "resid")
    basis = identified(as_matrix(gradient, "gradient", len(resid)))
    size, rank = basis.shape
    if size - rank < MINIMUM:
        why = f"{size} rows are too few beside {rank} identified directions of the gradient."
        return does_not_apply(name, null, why)
    constant = np.ones((size, 1)) / np.sqrt(size)
    if (partial_out(constant, basis) ** 2).sum() > 1e-6:
        why = "The model has no constant, so that its residuals need not sum to zero: no test."
        return does_not_apply(name, null, why)
    resid = partial_out(resid, basis)
    if not resid.any():
        return does_not_apply(name, null, "The model fits exactly: there is nothing to test.")
    statistic, pvalue, _ = diagnostic.breaks_cusumolsresid(resid, ddof=rank)
    sentence = verdict(null, float(pvalue), "Look at the residuals over time.")
    words = "Kolmogorov (largest absolute value of a Brownian bridge)"
    return HypothesisTest(null, float(statistic), float(pvalue), sentence, words, (), name)


def chow(
    resid: np.ndarray,
    exog: np.ndarray,
    gradient: np.ndarray | None = None,
    *,
    at: int,
    label: object = None,
    weights: np.ndarray | None = None,
) -> HypothesisTest:
    """Test for a break at a known date (Chow, 1960), in the form of added terms.

    Constant and regressors of the second regime are added to the model. In a linear model this is
    Chow's F test; in a network it asks for a break of the mean along the regressors.

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals (or, in a linear model, the dependent variable), in time order.
    exog : ndarray of shape (n, p)
        Regressors whose coefficients may change, with or without a constant.
    gradient : ndarray of shape (n, k), optional
        Derivatives of the fitted values by the parameters; by default constant and ``exog``.
    at : int
        Position of the first row of the second regime.
    label : object, optional
        What that row is called in the sentence, such as its date.
    weights : ndarray of shape (n,), optional
        Observation weights, as in weighted least squares.

    Returns
    -------
    HypothesisTest
    """
    resid, terms, basis = _prepare(resid, exog, gradient, weights)
    size = len(resid)
    if isinstance(at, bool) or not isinstance(at, (int, np.integer)) or not 0 < at < size:
        raise SpecificationError(f"The break, {at!r}, must be a position from 1 to {size - 1}.")
    place = f"position {at}" if label is None else label
    name, null = "Chow", f"The coefficients are the same before and from {place} on"
    why = _too_few(size, basis.shape[1], terms.shape[1])
    if why:
        return does_not_apply(name, null, why)
    added = added_terms(resid, basis, terms * (np.arange(size) >= at)[:, None])
    if added.rank == 0 or not added.resid.any():
        why = "The model leaves nothing that a break at this position could explain: no test."
        return does_not_apply(name, null, why)
    found = outcome(added, "F")
    sentence = verdict(null, found.pvalue, "Estimate on the regimes, or add a dummy variable.")
    return HypothesisTest(
        null, found.statistic, found.pvalue, sentence, found.distribution, found.df, name
    )


def quandt_andrews(
    resid: np.ndarray,
    exog: np.ndarray,
    gradient: np.ndarray | None = None,
    *,
    trimming: float = 0.15,
    reps: int = 499,
    rng: int = 0,
    labels: Sequence[object] | None = None,
    weights: np.ndarray | None = None,
) -> HypothesisTest:
    """Test for a break at an unknown date: the largest of Chow's F statistics.

    Quandt's (1960) statistic, whose distribution Andrews (1993) found. The p-value comes from
    Hansen's (2000) fixed-regressor bootstrap, which allows for regressors whose distribution
    changes, for unequal variances and for any number of coefficients; it supposes errors that are
    not autocorrelated.

    Parameters
    ----------
    resid, exog, gradient
        As in :func:`chow`.
    trimming : float
        Share of the sample at either end in which no break is looked for.
    reps, rng : int
        Draws of the bootstrap, and its seed.
    labels : sequence of length n, optional
        What the rows are called in the sentence, such as their dates.
    weights : ndarray of shape (n,), optional
        Observation weights, as in weighted least squares.

    Returns
    -------
    HypothesisTest
    """
    name, null = "Quandt-Andrews", "The coefficients are the same in the whole sample"
    if not 0.0 < trimming < 0.5:
        raise SpecificationError(f"trimming={trimming!r} must lie between 0 and 0.5.")
    if isinstance(reps, bool) or not isinstance(reps, (int, np.integer)) or reps < 1:
        raise SpecificationError(f"reps={reps!r} must be a whole number of at least one.")
    resid, terms, basis = _prepare(resid, exog, gradient, weights)
    size, count = terms.shape
    first, last = int(np.ceil(trimming * size)), int(np.floor((1.0 - trimming) * size))
    why = _too_few(size, basis.shape[1], count)
    if not why and first <= count:
        why = f"{first} rows before the first possible break are too few for {count} coefficients."
    if not why and not resid.any():
        why = "The model fits exactly: there is nothing that a break could explain."
    if why:
        return does_not_apply(name, null, why)
    dates = np.unique(np.linspace(first, last, min(CANDIDATES, last - first + 1)).astype(int))
    roots, ranks = _inverse_roots(terms, basis, dates)
    left = size - basis.shape[1] - ranks[:, None]
    values = _statistics(resid[:, None], terms, dates, roots, ranks, left)[:, 0]
    statistic, date = float(values.max()), int(dates[values.argmax()])
    generator = np.random.default_rng(rng)
    exceeding, done, batch = 0, 0, max(1, int(4e6 / size))
    while done < reps:
        draws = min(batch, reps - done)
        drawn = partial_out(resid[:, None] * generator.standard_normal((size, draws)), basis)
        simulated = _statistics(drawn, terms, dates, roots, ranks, left).max(axis=0)
        exceeding += int((simulated >= statistic).sum())
        done += draws
    pvalue = (1.0 + exceeding) / (1.0 + reps)
    place = f"position {date}" if labels is None else labels[date]
    sentence = verdict(null, pvalue, f"The break is most likely at {place}.")
    if pvalue > LEVEL:
        sentence = (
            f"No evidence at 5% of a break ({shown_pvalue(pvalue)}); the largest F statistic is at "
            f"{place}."
        )
    words = f"fixed-regressor bootstrap with {reps} draws"
    return HypothesisTest(null, statistic, pvalue, sentence, words, (), name)


def _prepare(resid, exog, gradient, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals beyond the gradient, terms that may break, and the gradient's basis."""
    resid = as_vector(resid, "resid")
    exog = as_matrix(exog, "exog", len(resid))
    directions = standardised_directions(exog)
    terms = np.column_stack([np.ones(len(resid)), directions])
    model = terms if gradient is None else as_matrix(gradient, "gradient", len(resid))
    roots = relative_roots(weights, len(resid))
    resid, terms = roots * resid, roots[:, None] * terms
    basis = identified(roots[:, None] * model)
    beyond = partial_out(resid, basis)
    if (beyond**2).sum() <= 1e-24 * (resid**2).sum():
        beyond = np.zeros_like(resid)
    return beyond, terms, basis


def _too_few(size: int, rank: int, count: int) -> str:
    if size - rank - count >= MINIMUM:
        return ""
    return (
        f"{size} rows are too few beside {rank} identified directions of the gradient and {count} "
        "coefficients that may change."
    )


def _cumulated(values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Sums over the rows before each date."""
    parts = np.add.reduceat(values, np.concatenate([[0], dates[:-1]]), axis=0)
    # the last part of reduceat would run to the end of the sample
    parts[-1] = values[dates[-2] if len(dates) > 1 else 0 : dates[-1]].sum(axis=0)
    return np.cumsum(parts, axis=0)


def _inverse_roots(terms, basis, dates) -> tuple[np.ndarray, np.ndarray]:
    """Roots of ``(Z'MZ)^-1`` for the terms before each date, and their ranks."""
    count = terms.shape[1]
    own = _cumulated(terms[:, :, None] * terms[:, None, :], dates)
    for j in range(basis.shape[1]):
        shared = _cumulated(terms * basis[:, [j]], dates)
        own -= shared[:, :, None] * shared[:, None, :]
    values, vectors = np.linalg.eigh(own)
    kept = values > 1e-9 * len(terms)
    inverse = np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    ranks = np.minimum(kept.sum(axis=1), count)
    return vectors * inverse[:, None, :], np.maximum(ranks, 1)


def _statistics(resid, terms, dates, roots, ranks, left) -> np.ndarray:
    """F statistics, one row a date and one column a vector of residuals."""
    sums = np.stack(
        [_cumulated(resid * terms[:, [j]], dates) for j in range(terms.shape[1])], axis=1
    )
    explained = (np.einsum("dij,dib->djb", roots, sums, optimize=True) ** 2).sum(axis=1)
    total = (resid**2).sum(axis=0)
    return explained / ranks[:, None] / ((total - explained) / left)
