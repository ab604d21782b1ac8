"""Tests of one forecast against another that contains or encompasses it."""

import numpy as np
from scipy import stats

from nnecon.inference.accuracy.equal import check_alternative, tail
from nnecon.inference.accuracy.long_run import covariance_of_mean
from nnecon.inference.hypotheses import (
    LEVEL,
    HypothesisTest,
    as_vector,
    check_names,
    does_not_apply,
    shown_pvalue,
    student,
)


def clark_west(
    errors: np.ndarray,
    errors_large: np.ndarray,
    names: tuple[str, str] = ("The small model", "The large model"),
    *,
    horizon: int = 1,
    lags: int | str | None = None,
    kernel: str | None = None,
) -> HypothesisTest:
    r"""Test whether a larger model predicts better than one that it contains.

    In the small model's favour speaks that the large one estimates parameters which are zero under
    the null. Clark and West (2007) take this noise out of the squared errors,

    .. math:: f_t = e_{1t}^2 - \left[e_{2t}^2 - (\hat y_{1t} - \hat y_{2t})^2\right],

    and compare the t statistic of the mean of f with the normal distribution, one-sided.

    Parameters
    ----------
    errors, errors_large : ndarray of shape (T,)
        Forecast errors (actual less forecast) of the small and the large model for the same
        observations, in time order.
    names : pair of str
        What the small and the large model are called in the sentence.
    horizon, lags, kernel
        As in :func:`~nnecon.inference.accuracy.diebold_mariano`.

    Returns
    -------
    HypothesisTest

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.inference.accuracy import clark_west
    >>> g = np.random.default_rng(0)
    >>> signal, noise = g.standard_normal(100), g.standard_normal(100)
    >>> clark_west(signal + noise, 0.2 * signal + noise, ("OLS", "The network")).sentence
    'The network predicts better than OLS, which it contains (p < 0.001).'
    """
    name = "Clark-West"
    check_names(names)
    null = f"{names[0]} predicts as well as {names[1]}, which contains it"
    small, large = _errors(errors, errors_large)
    gain = small**2 - large**2 + (small - large) ** 2
    result = _mean_test(gain, np.abs(small - large), small, large, horizon, lags, kernel)
    if isinstance(result, str):
        return does_not_apply(name, null, result)
    # a regression on a constant, as Clark and West put it, divides by T - 1
    statistic = result * np.sqrt((len(gain) - 1) / len(gain))
    pvalue = float(stats.norm.sf(statistic))
    if pvalue <= LEVEL:
        sentence = (
            f"{names[1]} predicts better than {names[0]}, which it contains "
            f"({shown_pvalue(pvalue)})."
        )
    else:
        sentence = (
            f"No evidence at 5% that {names[1]} predicts better than {names[0]} "
            f"({shown_pvalue(pvalue)})."
        )
    words = "standard normal, one-sided"
    return HypothesisTest(null, statistic, pvalue, sentence, words, (), name)


def encompassing(
    errors: np.ndarray,
    errors_other: np.ndarray,
    names: tuple[str, str] = ("1", "2"),
    *,
    horizon: int = 1,
    lags: int | str | None = None,
    kernel: str | None = None,
    alternative: str = "greater",
) -> HypothesisTest:
    r"""Test whether a second forecast adds nothing to the first.

    In the combination :math:`(1-\lambda) \hat y_1 + \lambda \hat y_2` the first forecast
    encompasses the second if :math:`\lambda = 0`. Harvey, Leybourne and Newbold (1998) test whether
    the mean of :math:`(e_{1t} - e_{2t}) e_{1t}` is zero as Diebold and Mariano do, with the same
    finite-sample correction and t distribution.

    Parameters
    ----------
    errors, errors_other : ndarray of shape (T,)
        Forecast errors of the first and the second forecast for the same observations.
    names : pair of str
        What the two forecasts are called in the sentence.
    horizon, lags, kernel
        As in :func:`~nnecon.inference.accuracy.diebold_mariano`.
    alternative : {"greater", "two-sided", "less"}
        ``"greater"``: the second forecast deserves a positive weight.

    Returns
    -------
    HypothesisTest
    """
    name = "Forecast encompassing"
    check_names(names)
    null = f"{names[0]} encompasses {names[1]}, which adds nothing to it"
    first, second = _errors(errors, errors_other)
    check_alternative(alternative)
    product = (first - second) * first
    result = _mean_test(product, np.abs(first - second), first, second, horizon, lags, kernel)
    if isinstance(result, str):
        return does_not_apply(name, null, result)
    size = len(product)
    factor = (size + 1 - 2 * horizon + horizon * (horizon - 1) / size) / size
    statistic = result * np.sqrt(factor)
    pvalue = tail(stats.t(size - 1), statistic, alternative)
    weight = float(product.sum() / ((first - second) ** 2).sum())
    if pvalue <= LEVEL:
        sentence = (
            f"{names[1]} adds to {names[0]} ({shown_pvalue(pvalue)}): its weight in the best "
            f"combination is {weight:.2f}."
        )
    else:
        sentence = f"No evidence at 5% that {names[1]} adds to {names[0]} ({shown_pvalue(pvalue)})."
    df = (float(size - 1),)
    return HypothesisTest(null, float(statistic), pvalue, sentence, student(size - 1), df, name)


def _errors(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    one = as_vector(first, "errors")
    return one, as_vector(second, "the second series of errors", len(one), first)


def _mean_test(values, apart, first, second, horizon, lags, kernel) -> float | str:
    """Mean over its long-run standard error, or why there is none."""
    if len(values) < 2:
        return "One observation gives no standard error: no test."
    if apart.max() <= 1e-12 * max(np.abs(first).mean(), np.abs(second).mean()):
        return "Both make the same predictions: there is nothing to test."
    centred = values - values.mean()
    variance = float(covariance_of_mean(centred[:, None], lags, horizon, kernel)[0, 0])
    if np.abs(centred).max() <= 1e-12 * np.abs(values).max():
        return "The series that is tested is constant, so that its standard error is zero: no test."
    if variance <= 0.0:
        return "The long-run variance is not positive with kernel='uniform'; use 'bartlett'."
    return float(values.mean() / np.sqrt(variance))
