"""Specification tests on arrays, after ``statsmodels.stats.diagnostic``: ``ne.diagnostic``.

=================================  ============================================================
:func:`terasvirta_test`            is the mean linear? Squares, cubes and cross products
:func:`lee_white_granger_test`     the same by random hidden units
:func:`reset_test`                 the same by powers of the fitted values
:func:`ljung_box`                  autocorrelation, by squared autocorrelations
:func:`breusch_godfrey`            autocorrelation, also with lags of the dependent variable
:func:`arch_lm`                    a variance that depends on past residuals
:func:`jarque_bera`                normality
:func:`breusch_pagan`              a variance that depends on the regressors
:func:`white_variance_test`        and on their squares and products
:func:`cusum`                      a mean that shifts
:func:`chow`                       a break at a known date
:func:`quandt_andrews`             a break at an unknown date
:func:`residual_diagnostics`       those on residuals in one call
:func:`to_frame`                   tests one below the other
=================================  ============================================================

All return a :class:`HypothesisTest`. Results have the same tests as methods.
"""

from nnecon.inference.hypotheses import HypothesisTest, to_frame
from nnecon.inference.nonlinearity import reset_test, terasvirta_test
from nnecon.inference.nonlinearity import white_test as lee_white_granger_test
from nnecon.inference.specification_tests import (
    arch_lm,
    breusch_godfrey,
    breusch_pagan,
    jarque_bera,
    ljung_box,
    residual_diagnostics,
)
from nnecon.inference.specification_tests import white as white_variance_test
from nnecon.inference.stability import chow, cusum, quandt_andrews

__all__ = [
    "HypothesisTest",
    "arch_lm",
    "breusch_godfrey",
    "breusch_pagan",
    "chow",
    "cusum",
    "jarque_bera",
    "lee_white_granger_test",
    "ljung_box",
    "quandt_andrews",
    "reset_test",
    "residual_diagnostics",
    "terasvirta_test",
    "to_frame",
    "white_variance_test",
]
