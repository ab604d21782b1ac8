"""Tests of equal predictive accuracy."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.sandwich_covariance import S_hac_simple


@dataclass(frozen=True, slots=True)
class AccuracyTest:
    """Result of a test of equal accuracy.

    Attributes
    ----------
    null : str
        Null hypothesis in words.
    statistic, pvalue : float or None
        None where the test does not apply.
    sentence : str
        What the test says, or why it does not apply.
    """

    null: str
    statistic: float | None
    pvalue: float | None
    sentence: str


def diebold_mariano(
    loss: np.ndarray, reference: np.ndarray, lags: int = 0, names: tuple[str, str] = ("1", "2")
) -> AccuracyTest:
    r"""Diebold and Mariano's (1995) test with the correction of Harvey, Leybourne and Newbold.

    The mean loss difference over its Newey-West standard error, times
    :math:`\sqrt{(T - 1) / T}`, is compared with a t distribution with :math:`T - 1` degrees of
    freedom (Harvey, Leybourne and Newbold, 1997, for one-step predictions).

    Parameters
    ----------
    loss, reference : ndarray of shape (T,)
        Losses of two predictors for the same observations.
    lags : int
        Lags of the Newey-West variance.
    names : pair of str
        What the two predictors are called in the sentence.
    """
    null = f"{names[0]} and {names[1]} predict equally well"
    difference = np.asarray(loss, dtype=float) - np.asarray(reference, dtype=float)
    size = len(difference)
    level = max(float(np.mean(np.abs(loss))), float(np.mean(np.abs(reference))))
    if np.abs(difference).max(initial=0.0) <= 1e-12 * level:
        why = f"{names[0]} and {names[1]} make the same predictions: there is nothing to test."
        return AccuracyTest(null, None, None, why)
    centred = (difference - difference.mean())[:, None]
    variance = float(S_hac_simple(centred, nlags=min(lags, size - 1))[0, 0]) / size**2
    if variance <= 0.0:
        why = "The loss difference is constant, so that its standard error is zero: no test."
        return AccuracyTest(null, None, None, why)
    statistic = float(difference.mean() / np.sqrt(variance) * np.sqrt((size - 1) / size))
    pvalue = float(2.0 * stats.t(size - 1).sf(abs(statistic)))
    better = names[0] if statistic < 0 else names[1]
    if pvalue < 0.05:
        shown = f"p = {pvalue:.3f}" if pvalue >= 0.001 else "p < 0.001"
        sentence = f"{better} predicts better ({shown})."
    else:
        sentence = (
            f"{better} has the smaller mean loss, but the difference is not significant at 5% "
            f"(p = {pvalue:.3f})."
        )
    return AccuracyTest(null, statistic, pvalue, sentence)
