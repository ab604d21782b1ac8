"""Wald tests of linear hypotheses, as statsmodels computes and prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.base.model import LikelihoodModelResults
from statsmodels.stats.contrast import ContrastResults, WaldTestResults

from nnecon.exceptions import IdentificationWarning, warn_user
from nnecon.inference.effects import checked_variances

RANK = 1e-10
"""Directions whose variance is below this share of the largest count as not identified."""

OUTSIDE = 1e-3
"""Share of an estimate's length along such directions above which it is not zero there."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """Estimates that are normal, or t, around the truth.

    Parameters
    ----------
    params : ndarray of shape (k,)
        Estimates.
    covariance : ndarray of shape (k, k)
        Their covariance.
    names : sequence of str
        Their names.
    use_t : bool
        Whether statistics follow t and F instead of normal and chi-squared distributions.
    df_resid : float
        Degrees of freedom of t and F.
    wide : ndarray of shape (k, k), optional
        Covariance for tests of several combinations, where it is not the same.
    """

    params: np.ndarray
    covariance: np.ndarray
    names: Sequence[str]
    use_t: bool
    df_resid: float
    wide: np.ndarray | None = None

    def _statsmodels(self) -> LikelihoodModelResults:
        model = SimpleNamespace(data=SimpleNamespace(cov_names=list(self.names)))
        found = LikelihoodModelResults(model, self.params, self.covariance, use_t=self.use_t)
        found.df_resid = self.df_resid
        return found


Hypothesis = tuple[np.ndarray, np.ndarray]
"""``R`` (r, k) and ``q`` (r,) of the null ``R params = q``."""


def t_test(estimates: Gaussian, null: Hypothesis, use_t: bool | None = None) -> ContrastResults:
    """One test for each row of the null."""
    checked_variances(np.diag(null[0] @ estimates.covariance @ null[0].T))
    return estimates._statsmodels().t_test(null, cov_p=estimates.covariance, use_t=use_t)


def wald_test(estimates: Gaussian, null: Hypothesis, use_f: bool | None = None) -> ContrastResults:
    """One test of all rows of the null together.

    Where the covariance of the combinations is singular, only as many of them count as are
    identified, with a warning.
    """
    rows, right = null
    value = rows @ estimates.params - right
    several = len(rows) > 1 and estimates.wide is not None
    matrix = estimates.wide if several else estimates.covariance
    statistic, rank = quadratic(value, rows @ matrix @ rows.T)
    if rank < len(value):
        warn_user(
            f"the covariance of the {len(value)} restrictions has rank {rank}: the test is one of "
            "the combinations that are identified, and does not speak for the others.",
            IdentificationWarning,
        )
    if estimates.use_t if use_f is None else use_f:
        fraction = statistic / rank if rank else np.nan
        return ContrastResults(F=fraction, df_denom=estimates.df_resid, df_num=rank)
    chi2 = statistic if rank else np.nan
    return ContrastResults(
        chi2=chi2, df_denom=rank, statistic=chi2, distribution="chi2", distargs=(rank,)
    )


@dataclass(frozen=True, slots=True)
class Term:
    """What is restricted when a term leaves the model.

    Parameters
    ----------
    name : str
        The term, as in the formula.
    value : ndarray of shape (r,)
        Estimates of what is zero under the null.
    covariance : ndarray of shape (r, r)
        Their covariance.
    null : str
        The null in words.
    """

    name: str
    value: np.ndarray
    covariance: np.ndarray
    null: str


class TermTests(WaldTestResults):
    """Wald tests of terms, with the face of statsmodels' ``WaldTestResults``.

    Attributes
    ----------
    table : DataFrame
        ``statistic``, ``pvalue``, ``df_constraint`` and, for F tests, ``df_denom``; a row a term.
    null : Series
        What is zero under the null, in words.
    notes : tuple of str
        What the reader has to know.
    """

    def __init__(
        self, distribution: str, table: pd.DataFrame, null: pd.Series, notes: tuple[str, ...]
    ) -> None:
        super().__init__(None, distribution, None, table=table)
        self.null, self.notes = null, notes

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *self.notes])


def wald_test_terms(
    terms: Sequence[Term], use_t: bool, df_resid: float
) -> tuple[str, pd.DataFrame]:
    """Distribution and table of the Wald tests of terms.

    Directions that the data do not identify are left out, and do not count as restrictions. Where
    the estimate is not zero along them, a warning names the terms.
    """
    rows, partial = [], []
    for term in terms:
        statistic, rank = quadratic(term.value, term.covariance)
        if 0 < rank < len(term.value) and _lies_outside(term.value, term.covariance):
            partial.append(f"{term.name} ({len(term.value)} restrictions, rank {rank})")
        if not rank:
            rows.append([np.nan, np.nan, 0])
        elif use_t:
            value = statistic / rank
            rows.append([value, stats.f.sf(value, rank, df_resid), rank, df_resid])
        else:
            rows.append([statistic, stats.chi2.sf(statistic, rank), rank])
    if partial:
        warn_user(
            f"the covariance is singular along restrictions of {', '.join(partial)}: these are "
            "left out of the test, whose p-value does not speak for the term as a whole. Dummies "
            "of the clusters themselves, or fewer clusters than restrictions, do this.",
            IdentificationWarning,
        )
    columns = ["statistic", "pvalue", "df_constraint", *(["df_denom"] if use_t else [])]
    rows = [row + [np.nan] * (len(columns) - len(row)) for row in rows]
    table = pd.DataFrame(rows, index=[term.name for term in terms], columns=columns)
    return "F" if use_t else "chi2", table.astype({"df_constraint": int})


def quadratic(value: np.ndarray, covariance: np.ndarray) -> tuple[float, int]:
    """``value' covariance^-1 value`` on the identified directions, and their number.

    Combinations are compared in units of their standard errors; those without any are left out.
    """
    along, variances = _directions(value, covariance)
    large = variances > RANK * variances.max(initial=0.0)
    return float((along[large] ** 2 / variances[large]).sum()), int(large.sum())


def _lies_outside(value: np.ndarray, covariance: np.ndarray) -> bool:
    """Whether the value is not zero where the covariance says that it cannot vary.

    Columns that repeat others repeat their values, too, and are zero there.
    """
    along, variances = _directions(value, covariance)
    small = variances <= RANK * variances.max(initial=0.0)
    return bool(np.linalg.norm(along[small]) > OUTSIDE * np.linalg.norm(along))


def _directions(value: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value along, and variance of, the principal directions in units of standard errors."""
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    kept = error > 0
    scaled = covariance[np.ix_(kept, kept)] / np.outer(error[kept], error[kept])
    variances, vectors = np.linalg.eigh(scaled)
    return vectors.T @ (value[kept] / error[kept]), variances
