"""Diebold-Mariano against a regression on a constant."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.stattools import durbin_watson, jarque_bera

from nnecon.inference.accuracy import diebold_mariano
from nnecon.inference.diagnostics import residual_statistics


@pytest.mark.parametrize("lags", [0, 3])
def test_diebold_mariano_is_a_regression_on_a_constant(lags):
    g = np.random.default_rng(0)
    own, reference = g.chisquare(2, 60), g.chisquare(2, 60) + 0.5
    found = diebold_mariano(own, reference, lags, ("net", "OLS"))
    ols = sm.OLS(own - reference, np.ones(60)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    expected = float(ols.tvalues[0]) * np.sqrt(59 / 60)
    assert found.statistic == pytest.approx(expected)
    assert found.pvalue == pytest.approx(2 * stats.t(59).sf(abs(expected)))
    assert found.null == "net and OLS predict equally well"


def test_the_sentence_names_the_better_one():
    g = np.random.default_rng(0)
    loss = g.uniform(1, 2, 80)
    worse = loss + g.uniform(0.5, 1.0, 80)
    assert diebold_mariano(loss, worse, 0, ("net", "OLS")).sentence.startswith("net predicts bet")
    assert diebold_mariano(worse, loss, 0, ("net", "OLS")).sentence.startswith("OLS predicts bet")
    noise = diebold_mariano(loss, g.permutation(loss), 0, ("net", "OLS"))
    assert "not significant" in noise.sentence


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_no_test_says_why(shift):
    loss = np.arange(1.0, 9.0)
    found = diebold_mariano(loss, loss + shift, 0, ("net", "OLS"))
    assert found.statistic is None and found.pvalue is None
    assert ("nothing to test" if shift == 0 else "no test") in found.sentence


def test_residual_statistics_are_those_of_statsmodels():
    resid = np.random.default_rng(0).standard_normal(50)
    found = residual_statistics(resid)
    assert found.durbin_watson == pytest.approx(durbin_watson(resid))
    np.testing.assert_allclose(found[1:], jarque_bera(resid))
