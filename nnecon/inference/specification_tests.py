"""What residuals say about a model: autocorrelation, distribution, variance, stability.

Regressors of the auxiliary regressions are an arbitrary gradient matrix: the regressors of a linear
model, or the derivatives of a network's fitted values by its parameters. Of its columns only the
numerically identified directions count, so surplus parameters cost no degrees of freedom. Residuals
of a penalised network are not orthogonal to its gradient; the regressions take that out, as one
unpenalised Gauss-Newton step would.
"""

import numpy as np
from statsmodels.regression.linear_model import OLS
from statsmodels.stats import diagnostic, stattools

from nnecon.exceptions import SpecificationError
from nnecon.inference.auxiliary import (
    SHARE,
    check_form,
    identified,
    partial_out,
    polynomial_terms,
    standardised_directions,
    with_constant,
)
from nnecon.inference.hypotheses import (
    HypothesisTest,
    as_matrix,
    as_vector,
    chi_squared,
    does_not_apply,
    f_distribution,
    verdict,
)
from nnecon.inference.stability import MINIMUM, chow, cusum, quandt_andrews

CROSS_SECTION = (
    "The rows are not ordered in time, so that {what} has no meaning: the test does not apply."
)


def residual_diagnostics(
    resid: np.ndarray,
    exog: np.ndarray,
    gradient: np.ndarray | None = None,
    *,
    time_series: bool,
    fitted: np.ndarray | None = None,
    lags: int | None = None,
    autoregressive: int = 0,
    break_at: int | None = None,
    reps: int = 499,
    rng: int = 0,
) -> tuple[HypothesisTest, ...]:
    """Test residuals for everything that is usually reported, in one call.

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals; in time order for a time series.
    exog : ndarray of shape (n, p)
        Regressors, with or without a constant, on which the variance may depend and whose
        coefficients may change.
    gradient : ndarray of shape (n, k), optional
        Derivatives of the fitted values by the parameters; by default those of the linear model,
        constant and ``exog``.
    time_series : bool
        Whether the rows are ordered in time; tests that need it do not apply otherwise.
    fitted : ndarray of shape (n,), optional
        Fitted values, for White's test where its squares and products are too many.
    lags : int, optional
        Lags of the tests for autocorrelation and ARCH; by default ``min(10, n // 5)``.
    autoregressive : int
        Lags of the dependent variable among the regressors, which Ljung and Box's test takes off
        its degrees of freedom.
    break_at : int, optional
        Position of the first row of a second regime, for Chow's test.
    reps, rng : int
        Draws of the bootstrap of Quandt and Andrews' test, and its seed.

    Returns
    -------
    tuple of HypothesisTest
        Ljung-Box, Breusch-Godfrey, ARCH-LM, Jarque-Bera, Breusch-Pagan, White, CUSUM and
        Quandt-Andrews, and Chow if ``break_at`` is given. Tests that do not apply say why.
        :func:`nnecon.inference.hypotheses.to_frame` turns them into a table.

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.inference.specification_tests import residual_diagnostics
    >>> g = np.random.default_rng(0)
    >>> tests = residual_diagnostics(g.standard_normal(80), g.standard_normal((80, 2)),
    ...                              time_series=False)
    >>> tests[0].sentence
    'The rows are not ordered in time, so that autocorrelation has no meaning: the test does not apply.'
    """  # noqa: E501
    resid = as_vector(resid, "resid")
    exog = as_matrix(exog, "exog", len(resid))
    gradient = with_constant(exog) if gradient is None else gradient
    gradient = as_matrix(gradient, "gradient", len(resid))
    size = len(resid)
    lags = min(10, size // 5) if lags is None else _checked_lags(lags)
    tests = [jarque_bera(resid), breusch_pagan(resid, exog), white(resid, exog, fitted)]
    if not time_series:
        ordered = [
            does_not_apply(name, null, CROSS_SECTION.format(what=what))
            for name, null, what in (
                ("Ljung-Box", NO_AUTOCORRELATION, "autocorrelation"),
                ("Breusch-Godfrey", NO_AUTOCORRELATION, "autocorrelation"),
                ("ARCH-LM", NO_ARCH, "a variance that depends on the past"),
                ("CUSUM", "The mean is stable over the sample", "stability over time"),
                (
                    "Quandt-Andrews",
                    "The coefficients are the same in the whole sample",
                    "a break in time",
                ),
            )
        ]
        chow_test = [] if break_at is None else [chow(resid, exog, gradient, at=break_at)]
        return (*ordered[:3], *tests, *ordered[3:], *chow_test)
    first = [
        ljung_box(resid, lags, autoregressive),
        breusch_godfrey(resid, gradient, lags),
        arch_lm(resid, lags),
    ]
    last = [
        cusum(resid, gradient),
        quandt_andrews(resid, exog, gradient, reps=reps, rng=rng),
    ]
    if break_at is not None:
        last.append(chow(resid, exog, gradient, at=break_at))
    return (*first, *tests, *last)


USE_HAC = "Use HAC standard errors, or add lags."
USE_ROBUST = "Use robust standard errors (HC1, HC3)."
NO_AUTOCORRELATION = "The residuals are not autocorrelated"
NO_ARCH = "The residuals' variance does not depend on past residuals"
EQUAL_VARIANCE = "The residuals' variance does not depend on the regressors"


def ljung_box(
    resid: np.ndarray, lags: int, autoregressive: int = 0, *, advice: str = USE_HAC
) -> HypothesisTest:
    """Test for autocorrelation by squared autocorrelations (Ljung and Box, 1978).

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals in time order.
    lags : int
        Autocorrelations that are summed.
    autoregressive : int
        Lags of the dependent variable among the regressors; the degrees of freedom are ``lags``
        less these.
    advice : str
        What a rejection means for the reader.

    Returns
    -------
    HypothesisTest
    """
    name, null = "Ljung-Box", f"{NO_AUTOCORRELATION} up to lag {lags}"
    resid, why = _usable(resid, lags)
    df = lags - autoregressive
    if not why and df < 1:
        why = (
            f"{lags} lags leave no degree of freedom beside {autoregressive} lags of the dependent "
            "variable; test more lags."
        )
    if why:
        return does_not_apply(name, null, why)
    table = diagnostic.acorr_ljungbox(resid, lags=[lags], model_df=autoregressive)
    statistic, pvalue = float(table["lb_stat"].iloc[0]), float(table["lb_pvalue"].iloc[0])
    sentence = verdict(null, pvalue, advice)
    return HypothesisTest(null, statistic, pvalue, sentence, chi_squared(df), (float(df),), name)


def breusch_godfrey(
    resid: np.ndarray,
    gradient: np.ndarray,
    lags: int,
    form: str = "F",
    *,
    advice: str = USE_HAC,
) -> HypothesisTest:
    """Test for autocorrelation, valid with lags of the dependent variable among the regressors.

    The residuals are regressed on the gradient and their own lags, with zeros before the sample
    (Breusch, 1978; Godfrey, 1978).

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals in time order.
    gradient : ndarray of shape (n, k)
        Derivatives of the fitted values by the parameters.
    lags : int
        Lags of the residuals.
    form : {"F", "chi2"}
        The F form keeps its size when the gradient has many directions; ``"chi2"`` is n R-squared.
    advice : str
        What a rejection means for the reader.

    Returns
    -------
    HypothesisTest
    """
    name, null = "Breusch-Godfrey", f"{NO_AUTOCORRELATION} up to lag {lags}"
    check_form(form)
    resid, why = _usable(resid, lags)
    if why:
        return does_not_apply(name, null, why)
    basis = identified(as_matrix(gradient, "gradient", len(resid)))
    # statsmodels adds a constant where the gradient has none
    rank = identified(np.column_stack([basis, np.ones(len(resid))])).shape[1]
    left = len(resid) - rank - lags
    if left < MINIMUM:
        why = f"{len(resid)} rows are too few beside {rank} identified directions of the gradient "
        return does_not_apply(name, null, why + f"and {lags} lags.")
    linear = OLS(partial_out(resid, basis), basis).fit()
    # with store=True releases before and after 0.15 return the same five values
    found = diagnostic.acorr_breusch_godfrey(linear, nlags=lags, store=True)
    lm, lm_pvalue, f_value, f_pvalue = (float(value) for value in found[:4])
    if form == "F":
        sentence, words = verdict(null, f_pvalue, advice), f_distribution(lags, left)
        df: tuple[float, ...] = (float(lags), float(left))
        return HypothesisTest(null, f_value, f_pvalue, sentence, words, df, name)
    sentence, words = verdict(null, lm_pvalue, advice), chi_squared(lags)
    return HypothesisTest(null, lm, lm_pvalue, sentence, words, (float(lags),), name)


def arch_lm(resid: np.ndarray, lags: int) -> HypothesisTest:
    """Test for autoregressive conditional heteroskedasticity (Engle, 1982).

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals in time order.
    lags : int
        Lags of the squared residuals.

    Returns
    -------
    HypothesisTest
    """
    name, null = "ARCH-LM", f"{NO_ARCH} up to lag {lags}"
    resid, why = _usable(resid, 2 * lags)
    if not why and np.ptp(resid**2) <= 1e-12 * float((resid**2).max()):
        why = "The squared residuals are all equal: there is nothing to explain."
    if why:
        return does_not_apply(name, null, why)
    found = diagnostic.het_arch(resid / resid.std(), nlags=lags, store=True)
    statistic, pvalue = float(found[0]), float(found[1])
    sentence = verdict(null, pvalue, "Forecast intervals should follow the changing variance.")
    return HypothesisTest(
        null, statistic, pvalue, sentence, chi_squared(lags), (float(lags),), name
    )


def jarque_bera(resid: np.ndarray) -> HypothesisTest:
    """Test for normality by skewness and kurtosis (Jarque and Bera, 1980).

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals.

    Returns
    -------
    HypothesisTest
    """
    name, null = "Jarque-Bera", "The residuals are normally distributed"
    resid, why = _usable(resid)
    if why:
        return does_not_apply(name, null, why)
    statistic, pvalue, skew, kurtosis = (float(value) for value in stattools.jarque_bera(resid))
    addition = f"Skewness is {skew:.2f}, kurtosis {kurtosis:.2f}."
    return HypothesisTest(
        null, statistic, pvalue, verdict(null, pvalue, addition), chi_squared(2), (2.0,), name
    )


def breusch_pagan(
    resid: np.ndarray, exog: np.ndarray, *, advice: str = USE_ROBUST
) -> HypothesisTest:
    """Test whether the variance depends on the regressors, linearly.

    Breusch and Pagan's (1979) test in Koenker's (1981) form, which does not need normal errors.

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals.
    exog : ndarray of shape (n, p)
        Regressors, with or without a constant.
    advice : str
        What a rejection means for the reader.

    Returns
    -------
    HypothesisTest
    """
    name = "Breusch-Pagan"
    return _variance(name, f"{EQUAL_VARIANCE}, linearly", resid, exog, _linear_terms, advice)


def white(
    resid: np.ndarray,
    exog: np.ndarray,
    fitted: np.ndarray | None = None,
    *,
    advice: str = USE_ROBUST,
) -> HypothesisTest:
    """Test whether the variance depends on the regressors, their squares and products.

    White's (1980) test. Where the terms would take over a third of the degrees of freedom, the
    fitted values and their squares stand for them (Wooldridge's special case), if they are given.

    Parameters
    ----------
    resid : ndarray of shape (n,)
        Residuals.
    exog : ndarray of shape (n, p)
        Regressors, with or without a constant.
    fitted : ndarray of shape (n,), optional
        Fitted values.
    advice : str
        What a rejection means for the reader.

    Returns
    -------
    HypothesisTest
    """
    null = f"{EQUAL_VARIANCE}, their squares and products"
    size = len(as_vector(resid, "resid"))
    directions = standardised_directions(as_matrix(exog, "exog", size)).shape[1]
    count = directions * (directions + 3) // 2
    if count <= (size - 1) // SHARE:
        return _variance("White", null, resid, exog, _quadratic_terms, advice)
    if fitted is None:
        why = (
            f"{count} regressors, squares and products are too many for {size} rows; give fitted "
            "values for the special form of the test."
        )
        return does_not_apply("White", null, why)
    null = "The residuals' variance does not depend on the fitted values and their squares"
    return _variance("White (special form)", null, resid, fitted, _quadratic_terms, advice)


def _linear_terms(exog: np.ndarray) -> np.ndarray:
    return standardised_directions(exog)


def _quadratic_terms(exog: np.ndarray) -> np.ndarray:
    directions = standardised_directions(exog)
    return standardised_directions(np.column_stack([directions, polynomial_terms(directions, 2)]))


def _variance(name, null, resid, exog, terms_of, advice) -> HypothesisTest:
    """Koenker's regression of squared residuals, by statsmodels, on identified terms."""
    resid, why = _usable(resid)
    if not why and np.ptp(resid**2) <= 1e-12 * float((resid**2).max()):
        why = "The squared residuals are all equal: there is nothing to explain."
    terms = np.empty((len(resid), 0))
    if not why:
        exog = as_matrix(exog, "exog", len(resid))
        if not (np.ptp(exog, axis=0) > 0.0).any():
            why = "There is no regressor that moves, on which the variance could depend."
        else:
            terms = terms_of(exog)
            if len(resid) - 1 - terms.shape[1] < MINIMUM:
                why = f"{len(resid)} rows are too few for {terms.shape[1]} terms."
    if why:
        return does_not_apply(name, null, why)
    df = terms.shape[1]
    design = np.column_stack([np.ones(len(resid)), terms])
    found = diagnostic.het_breuschpagan(resid / resid.std(), design)
    statistic, pvalue = float(found[0]), float(found[1])
    sentence = verdict(null, pvalue, advice)
    return HypothesisTest(null, statistic, pvalue, sentence, chi_squared(df), (float(df),), name)


def _checked_lags(lags: int) -> int:
    if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or lags < 1:
        raise SpecificationError(f"lags={lags!r} must be a whole number of at least one.")
    return int(lags)


def _usable(resid: np.ndarray, lags: int | None = None) -> tuple[np.ndarray, str]:
    """Residuals, and why they cannot be tested."""
    resid = as_vector(resid, "resid")
    if not (resid - resid.mean()).any() or resid.std() <= 1e-13 * np.abs(resid).max():
        return resid, "The residuals do not vary: there is nothing to test."
    if lags is not None and lags < 1:
        return resid, f"{len(resid)} rows are too few for a lag."
    if len(resid) < MINIMUM + (lags or 0):
        what = f"a test with {lags} lags" if lags else "a test"
        return resid, f"{len(resid)} rows are too few for {what}."
    return resid, ""
