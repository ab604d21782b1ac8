"""Test of two predictors on folds that share training rows."""

import numpy as np
from scipy import stats

from nnecon.exceptions import DataError
from nnecon.inference.accuracy.equal import tail
from nnecon.inference.hypotheses import (
    LEVEL,
    HypothesisTest,
    as_vector,
    check_names,
    does_not_apply,
    shown_pvalue,
    student,
)


def corrected_resampled_t(
    errors: np.ndarray,
    errors_large: np.ndarray,
    fold: np.ndarray,
    train_sizes: np.ndarray,
    names: tuple[str, str] = ("The small model", "The large model"),
    *,
    nested: bool = False,
    weights: np.ndarray | None = None,
) -> HypothesisTest:
    r"""Test on cross-validated errors whose folds share most of their training rows.

    Errors of shuffled folds are not independent: what one fold tests, the others train on. With
    :math:`\bar d_j` the mean difference of squared errors in fold j of J, Nadeau and Bengio (2003)
    correct the variance of their mean,

    .. math:: t = \bar d \Big/ \sqrt{\Big(\frac{1}{J} + \frac{n_{test}}{n_{train}}\Big) s_d^2},

    and compare it with a t distribution with J - 1 degrees of freedom. For ``nested`` models the
    difference is that of Clark and West (2007), which takes out the noise of parameters that are
    zero under the null, and the test is one-sided.

    Parameters
    ----------
    errors, errors_large : ndarray of shape (T,)
        Errors (actual less predicted) of the first, or small, and the second, or large, model for
        the same rows left out.
    fold : ndarray of shape (T,)
        Label of the fold that left each row out.
    train_sizes : ndarray of shape (J,)
        Rows that each fold was estimated on, in the order of the sorted labels.
    names : pair of str
        What the two models are called in the sentence.
    nested : bool
        Whether the second model contains the first.
    weights : ndarray of shape (T,), optional
        Weights of the rows.

    Returns
    -------
    HypothesisTest

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.accuracy import corrected_resampled_t
    >>> g = np.random.default_rng(0)
    >>> noise, signal = g.standard_normal(100), g.standard_normal(100)
    >>> fold, sizes = np.arange(100) % 5, np.full(5, 80)
    >>> test = corrected_resampled_t(noise + signal, noise, fold, sizes, ("OLS", "The network"))
    >>> test.distribution
    't with 4 degrees of freedom'
    """
    small = as_vector(errors, "errors")
    large = as_vector(errors_large, "errors_large", len(small), errors)
    title = "Clark-West by folds" if nested else "Nadeau-Bengio"
    check_names(names)
    null = f"{names[0]} and {names[1]} predict equally well"
    if nested:
        null = f"{names[0]} predicts as well as {names[1]}, which contains it"
    labels, code = np.unique(np.asarray(fold), return_inverse=True)
    trained = as_vector(train_sizes, "train_sizes")
    if len(code) != len(small) or len(trained) != len(labels):
        raise DataError(
            f"fold has {len(code)} rows and {len(labels)} labels, but there are {len(small)} "
            f"errors and {len(trained)} train_sizes: give a fold for every error and a size for "
            "every fold."
        )
    if np.abs(small - large).max() <= 1e-12 * np.abs(small).mean():
        why = f"{names[0]} and {names[1]} make the same predictions: there is nothing to test."
        return does_not_apply(title, null, why)
    if len(labels) < 2:
        return does_not_apply(title, null, "One fold gives no standard error: no test.")
    row = np.ones(len(small)) if weights is None else as_vector(weights, "weights", len(small))
    gain = small**2 - large**2 + (small - large) ** 2 * nested
    total, size = (np.bincount(code, weights=part) for part in (row * gain, row))
    means, count = total / size, len(labels)
    tested = np.bincount(code)
    variance = (1.0 / count + tested.mean() / trained.mean()) * means.var(ddof=1)
    if variance <= 1e-24 * means.mean() ** 2:
        why = (
            "The difference is the same in all folds, so that its standard error is zero: no test."
        )
        return does_not_apply(title, null, why)
    statistic = float(means.mean() / np.sqrt(variance))
    law = stats.t(count - 1)
    pvalue = tail(law, statistic, "greater" if nested else "two-sided")
    words = student(count - 1) + (", one-sided" if nested else "")
    sentence = _sentence(names, statistic, pvalue, nested)
    return HypothesisTest(null, statistic, pvalue, sentence, words, (float(count - 1),), title)


def _sentence(names: tuple[str, str], statistic: float, pvalue: float, nested: bool) -> str:
    better, other = (names[1], names[0]) if statistic > 0 or nested else names
    shown = shown_pvalue(pvalue)
    if pvalue <= LEVEL:
        return f"{better} predicts better than {other}{', which it contains' * nested} ({shown})."
    if nested:
        return f"No evidence at 5% that {better} predicts better than {other} ({shown})."
    smaller = f"{better} has the smaller mean loss"
    return f"{smaller}, but the difference is not significant at 5% ({shown})."
