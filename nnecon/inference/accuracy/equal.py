"""Tests of equal predictive accuracy: Diebold-Mariano and Giacomini-White."""

import numpy as np
from scipy import stats

from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy.long_run import chosen_lags, covariance_of_mean, is_positive
from nnecon.inference.hypotheses import (
    LEVEL,
    HypothesisTest,
    as_matrix,
    as_vector,
    check_names,
    chi_squared,
    does_not_apply,
    shown_pvalue,
    student,
)

ALTERNATIVES = ("two-sided", "less", "greater")
NEGATIVE_VARIANCE = (
    "The long-run variance of the loss difference is not positive with kernel='uniform'; use "
    "kernel='bartlett'."
)


def diebold_mariano(
    loss: np.ndarray,
    reference: np.ndarray,
    lags: int | str | None = None,
    names: tuple[str, str] = ("1", "2"),
    *,
    horizon: int = 1,
    kernel: str | None = None,
    alternative: str = "two-sided",
    correction: bool = True,
) -> HypothesisTest:
    r"""Test whether two forecasts are equally accurate; for models that are not nested.

    The statistic of Diebold and Mariano (1995) is the mean loss difference over its long-run
    standard error. With the correction of Harvey, Leybourne and Newbold (1997) it is multiplied by

    .. math:: \sqrt{(T + 1 - 2h + h(h-1)/T) / T}

    and compared with a t distribution with :math:`T-1` degrees of freedom.

    Parameters
    ----------
    loss, reference : ndarray of shape (T,)
        Losses of two predictors for the same observations, in time order.
    lags : int, "auto" or None
        Lags of the long-run variance: None takes ``horizon - 1``, ``"auto"`` Newey and West's
        rule of thumb :math:`\lfloor 4 (T/100)^{2/9} \rfloor`, and at least ``horizon - 1``.
    names : pair of str
        What the two predictors are called in the sentence.
    horizon : int
        Forecast horizon h in periods.
    kernel : {"bartlett", "parzen", "uniform"}, optional
        Weights of the lags. By default uniform with ``lags=None``, as Diebold and Mariano and R's
        ``forecast::dm.test`` have it, unless the variance is then not positive, and Bartlett's
        otherwise.
    alternative : {"two-sided", "less", "greater"}
        ``"less"``: the first loss is smaller; ``"greater"``: it is larger.
    correction : bool
        False leaves out the correction and uses the normal distribution.

    Returns
    -------
    HypothesisTest

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.inference.accuracy import diebold_mariano
    >>> g = np.random.default_rng(0)
    >>> net, ols = g.standard_normal(80) ** 2, (1.5 * g.standard_normal(80)) ** 2
    >>> diebold_mariano(net, ols, names=("The network", "OLS")).sentence
    'The network predicts better (p < 0.001).'
    """
    name = "Diebold-Mariano"
    check_names(names)
    null = f"{names[0]} and {names[1]} predict equally well"
    losses, difference = _difference(loss, reference)
    check_alternative(alternative)
    size = len(difference)
    if _identical(difference, losses):
        return does_not_apply(name, null, _same(names))
    if size < 2:
        return does_not_apply(name, null, "One observation gives no standard error: no test.")
    mean = float(difference.mean())
    centred = difference - mean
    variance = float(covariance_of_mean(centred[:, None], lags, horizon, kernel)[0, 0])
    if np.abs(centred).max() <= 1e-12 * abs(mean):
        why = "The loss difference is constant, so that its standard error is zero: no test."
        return does_not_apply(name, null, why)
    if variance <= 0.0:
        return does_not_apply(name, null, NEGATIVE_VARIANCE)
    statistic = mean / np.sqrt(variance)
    distribution, words = stats.norm(), "standard normal"
    df: tuple[float, ...] = ()
    if correction:
        statistic *= np.sqrt((size + 1 - 2 * horizon + horizon * (horizon - 1) / size) / size)
        distribution, words, df = stats.t(size - 1), student(size - 1), (float(size - 1),)
    pvalue = tail(distribution, float(statistic), alternative)
    sentence = _better(names, statistic, pvalue, alternative)
    return HypothesisTest(null, float(statistic), pvalue, sentence, words, df, name)


def giacomini_white(
    loss: np.ndarray,
    reference: np.ndarray,
    instruments: np.ndarray | str | None = "lagged",
    names: tuple[str, str] = ("1", "2"),
    *,
    horizon: int = 1,
    lags: int | str | None = None,
    kernel: str | None = None,
) -> HypothesisTest:
    r"""Test whether two forecasting methods are expected to be equally accurate.

    With :math:`Z_t = h_t (L_{1,t+h} - L_{2,t+h})` the statistic of Giacomini and White (2006) is

    .. math:: T \bar Z' \hat\Omega^{-1} \bar Z \sim \chi^2_q,

    where :math:`\hat\Omega` is the uncentred long-run covariance of :math:`Z_t`. It compares
    methods (model, estimation and window together), so models may be nested, if they are estimated
    on a rolling window of fixed length or once.

    Parameters
    ----------
    loss, reference : ndarray of shape (T,)
        Losses of the two methods for the same observations, in time order.
    instruments : ndarray of shape (T, q), "lagged" or None
        What was known when each forecast was made, row by row; add a column of ones if the mean is
        to be tested too. ``"lagged"``: a constant and the loss difference ``horizon`` periods
        before. None: the unconditional test, a constant alone.
    names : pair of str
        What the two methods are called in the sentence.
    horizon, lags, kernel
        As in :func:`diebold_mariano`.

    Returns
    -------
    HypothesisTest
    """
    conditional = instruments is not None
    name = f"Giacomini-White ({'conditional' if conditional else 'unconditional'})"
    check_names(names)
    null = f"{names[0]} and {names[1]} are expected to predict equally well"
    if conditional:
        null += ", whatever the instruments say"
    losses, difference = _difference(loss, reference)
    if _identical(difference, losses):
        return does_not_apply(name, null, _same(names))
    used = chosen_lags(lags, horizon, len(difference))
    if isinstance(instruments, str):
        if instruments != "lagged":
            raise SpecificationError(
                f"instruments={instruments!r}: give an array, 'lagged' or None."
            )
        known = np.column_stack([np.ones(len(difference) - horizon), difference[:-horizon]])
        difference = difference[horizon:]
    elif instruments is None:
        known = np.ones((len(difference), 1))
    else:
        known = as_matrix(instruments, "instruments", len(difference))
    moments = known * difference[:, None]
    count = moments.shape[1]
    if len(moments) <= count + used:
        why = f"{len(moments)} observations are too few for {count} instruments and {used} lags."
        return does_not_apply(name, null, why)
    size = np.sqrt((moments**2).mean(axis=0))
    moments = moments / np.where(size > 0.0, size, 1.0)
    covariance = covariance_of_mean(moments, lags, horizon, kernel)
    if not is_positive(covariance):
        why = "The instruments are collinear, or their long-run covariance is not positive definite"
        return does_not_apply(name, null, f"{why}: use fewer instruments or kernel='bartlett'.")
    mean = moments.mean(axis=0)
    statistic = float(mean @ np.linalg.solve(covariance, mean))
    pvalue = float(stats.chi2(count).sf(statistic))
    sentence = _expected(names, known, difference, pvalue)
    return HypothesisTest(
        null, statistic, pvalue, sentence, chi_squared(count), (float(count),), name
    )


def tail(distribution, statistic: float, alternative: str) -> float:
    """P-value of a statistic for a one- or two-sided alternative."""
    if alternative == "less":
        return float(distribution.cdf(statistic))
    if alternative == "greater":
        return float(distribution.sf(statistic))
    return float(2.0 * distribution.sf(abs(statistic)))


def check_alternative(alternative: str) -> None:
    """Refuse an alternative that does not exist."""
    if alternative not in ALTERNATIVES:
        raise SpecificationError(
            f"alternative={alternative!r} is not known; choose one of {ALTERNATIVES}."
        )


def _difference(loss: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = as_vector(loss, "loss")
    losses = np.column_stack([first, as_vector(reference, "reference", len(first), loss)])
    return losses, losses[:, 0] - losses[:, 1]


def _identical(difference: np.ndarray, losses: np.ndarray) -> bool:
    level = float(np.abs(losses).mean(axis=0).max())
    return bool(np.abs(difference).max() <= 1e-12 * level)


def _same(names: tuple[str, str]) -> str:
    return f"{names[0]} and {names[1]} make the same predictions: there is nothing to test."


def _better(names: tuple[str, str], statistic: float, pvalue: float, alternative: str) -> str:
    first = statistic < 0 if alternative == "two-sided" else alternative == "less"
    better = names[0] if first else names[1]
    if pvalue <= LEVEL:
        return f"{better} predicts better ({shown_pvalue(pvalue)})."
    if alternative != "two-sided":
        return f"No evidence at 5% that {better} predicts better ({shown_pvalue(pvalue)})."
    return (
        f"{better} has the smaller mean loss, but the difference is not significant at 5% "
        f"({shown_pvalue(pvalue)})."
    )


def _expected(
    names: tuple[str, str], known: np.ndarray, difference: np.ndarray, pvalue: float
) -> str:
    """Decision rule of Giacomini and White: who is predicted to lose less, and how often."""
    predicted = known @ np.linalg.lstsq(known, difference, rcond=None)[0]
    share = float((predicted < 0).mean())
    better, share = (names[0], share) if share >= 0.5 else (names[1], 1.0 - share)
    if pvalue <= LEVEL:
        return (
            f"The expected losses differ ({shown_pvalue(pvalue)}): {better} is expected to predict "
            f"better in {share:.0%} of the periods."
        )
    return f"No evidence at 5% that the expected losses differ ({shown_pvalue(pvalue)})."
