"""Tests of standardised forecast errors of state-space models, those of statsmodels by default."""

import numpy as np
from statsmodels.tsa.stattools import breakvar_heteroskedasticity_test

from nnecon.inference.hypotheses import (
    HypothesisTest,
    does_not_apply,
    f_distribution,
    verdict,
)

LEAST = 6
"""Errors that the test of equal variances needs."""


def break_in_variance(errors: np.ndarray, name: str = "Variance ratio") -> HypothesisTest:
    """Test whether the last third of the errors has another variance than the first.

    Parameters
    ----------
    errors : ndarray of shape (n,)
        Standardised forecast errors in order of time; NaN where there is none.
    name : str
        What the test is called.

    Notes
    -----
    Harvey (1989, section 5.4), two-sided, as ``breakvar`` of statsmodels.

    Examples
    --------
    >>> import numpy as np
    >>> errors = np.random.default_rng(0).standard_normal(90) * np.r_[np.ones(60), 3 * np.ones(30)]
    >>> break_in_variance(errors).pvalue < 0.001
    True
    """
    null = "The variance of the forecast errors is that of the first third in the last third"
    known = errors[np.isfinite(errors)]
    if len(known) < LEAST:
        return does_not_apply(name, null, f"{len(known)} errors are too few: {LEAST} are needed.")
    statistic, pvalue = breakvar_heteroskedasticity_test(known)
    h = float(round(len(known) / 3))
    return HypothesisTest(
        null, float(statistic), float(pvalue), verdict(null, float(pvalue)),
        f_distribution(h, h), (h, h), name,
    )  # fmt: skip
