"""Test of forecasts of direction."""

import numpy as np
from scipy import stats

from nnecon.inference.hypotheses import (
    LEVEL,
    HypothesisTest,
    as_vector,
    does_not_apply,
    shown_pvalue,
)


def pesaran_timmermann(
    actual: np.ndarray, forecast: np.ndarray, name: str = "The forecast"
) -> HypothesisTest:
    r"""Test whether a forecast says anything on the sign of what comes.

    With :math:`\hat P` the share of signs that are right and :math:`\hat P_*` the share expected if
    signs of outcomes and forecasts were independent, Pesaran and Timmermann's (1992) statistic is

    .. math:: (\hat P - \hat P_*) / \sqrt{\hat V(\hat P) - \hat V(\hat P_*)} \to N(0, 1),

    one-sided. It supposes signs that are not autocorrelated under the null.

    Parameters
    ----------
    actual, forecast : ndarray of shape (T,)
        Outcomes and forecasts of a change, or of the deviation from whatever counts as zero. Zero
        counts as not positive.
    name : str
        What the forecast is called in the sentence.

    Returns
    -------
    HypothesisTest
    """
    title = "Pesaran-Timmermann"
    null = "Signs of outcomes and forecasts are independent"
    outcome = as_vector(actual, "actual") > 0
    guess = as_vector(forecast, "forecast", len(outcome), actual) > 0
    size, right = len(outcome), float((outcome == guess).mean())
    up, said = float(outcome.mean()), float(guess.mean())
    for share, what in ((up, "outcomes"), (said, "forecasts")):
        if share in (0.0, 1.0):
            why = f"All {what} have the same sign: nothing can be said on direction."
            return does_not_apply(title, null, why)
    expected = up * said + (1.0 - up) * (1.0 - said)
    variance = expected * (1.0 - expected) / size
    # second-order terms of the variance as in the article
    variance_expected = (
        (2.0 * up - 1.0) ** 2 * said * (1.0 - said) / size
        + (2.0 * said - 1.0) ** 2 * up * (1.0 - up) / size
        + 4.0 * up * said * (1.0 - up) * (1.0 - said) / size**2
    )
    statistic = (right - expected) / np.sqrt(variance - variance_expected)
    pvalue = float(stats.norm.sf(statistic))
    told = f"{right:.0%} of the signs are right, where chance would give {expected:.0%}"
    if pvalue <= LEVEL:
        sentence = f"{name} predicts the direction ({shown_pvalue(pvalue)}): {told}."
    else:
        sentence = f"No evidence at 5% that the direction is predicted ({shown_pvalue(pvalue)}): "
        sentence += f"{told}."
    words = "standard normal, one-sided"
    return HypothesisTest(null, float(statistic), pvalue, sentence, words, (), title)
