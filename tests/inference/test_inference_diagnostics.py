"""Residual diagnostics against R, statsmodels and repeated samples."""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats import diagnostic
from statsmodels.stats.stattools import durbin_watson
from statsmodels.stats.stattools import jarque_bera as statsmodels_jarque_bera

from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.auxiliary import with_constant
from nnecon.inference.diagnostics import residual_statistics
from nnecon.inference.hypotheses import to_frame
from nnecon.inference.specification_tests import (
    arch_lm,
    breusch_godfrey,
    breusch_pagan,
    jarque_bera,
    ljung_box,
    residual_diagnostics,
    white,
)
from nnecon.inference.stability import chow, cusum, quandt_andrews

ORACLE = json.loads((Path(__file__).parent / "oracles" / "specification_tests.json").read_text())
X, Y = np.array(ORACLE["x"]), np.array(ORACLE["y"])
DESIGN = with_constant(X)
OLS = sm.OLS(Y, DESIGN).fit()
U = OLS.resid


def test_residual_statistics_are_those_of_statsmodels():
    resid = np.random.default_rng(0).standard_normal(50)
    found = residual_statistics(resid)
    assert found.durbin_watson == pytest.approx(durbin_watson(resid))
    np.testing.assert_allclose(found[1:], statsmodels_jarque_bera(resid))


def assert_as_in_r(found, case, tolerance=1e-9):
    assert found.statistic == pytest.approx(case["statistic"], rel=tolerance)
    assert found.pvalue == pytest.approx(case["pvalue"], rel=tolerance, abs=1e-12)
    if case.get("df"):
        assert list(found.df) == np.atleast_1d(case["df"]).tolist()


def test_tests_are_those_of_r():
    assert_as_in_r(breusch_godfrey(U, DESIGN, 4, "chi2"), ORACLE["breusch_godfrey"]["chi2"])
    assert_as_in_r(breusch_godfrey(U, DESIGN, 4, "F"), ORACLE["breusch_godfrey"]["F"])
    assert_as_in_r(ljung_box(U, 6, 1), ORACLE["ljung_box"])
    assert_as_in_r(breusch_pagan(U, X), ORACLE["breusch_pagan"])
    assert_as_in_r(white(U, X), ORACLE["white"])
    assert_as_in_r(cusum(U, DESIGN), ORACLE["cusum"])
    assert_as_in_r(chow(U, X, at=70), ORACLE["chow"])


def test_quandt_andrews_is_that_of_r():
    """R multiplies F by the number of coefficients, and approximates the limit distribution."""
    found = quandt_andrews(U, X)
    assert found.statistic * 3 == pytest.approx(ORACLE["sup_f"]["statistic"], rel=1e-9)
    assert f"position {ORACLE['sup_f']['point']}" in found.sentence
    # the limit supposes equal variances, which only the other series has
    equal = sm.OLS(ORACLE["y_equal"], DESIGN).fit().resid
    found = quandt_andrews(equal, X, reps=4999)
    assert found.statistic * 3 == pytest.approx(ORACLE["sup_f_equal"]["statistic"], rel=1e-9)
    assert found.pvalue == pytest.approx(ORACLE["sup_f_equal"]["pvalue"], abs=0.04)


def test_the_largest_statistic_is_the_largest_of_chow():
    gradient = np.column_stack([DESIGN, np.tanh(X[:, 0] + X[:, 1]), np.tanh(X[:, 0] - 0.5)])
    found = quandt_andrews(U, X, gradient, reps=9)
    single = [chow(U, X, gradient, at=date).statistic for date in range(18, 103)]
    assert found.statistic == pytest.approx(max(single), rel=1e-9)


def test_statsmodels_on_the_same_residuals():
    found = arch_lm(U, 5)
    expected = diagnostic.het_arch(U, nlags=5, store=True)
    assert (found.statistic, found.pvalue) == pytest.approx(expected[:2])
    expected = statsmodels_jarque_bera(U)
    assert (jarque_bera(U).statistic, jarque_bera(U).pvalue) == pytest.approx(expected[:2])
    lm, pvalue, _, _ = diagnostic.het_white(U, DESIGN)
    assert (white(U, X).statistic, white(U, X).pvalue) == pytest.approx((lm, pvalue))


def test_surplus_directions_cost_nothing():
    """A gradient with repeated, scaled and combined columns is the gradient without them."""
    mixed = np.column_stack([DESIGN, 1e6 * DESIGN[:, 1], DESIGN @ [1.0, 2.0, -1.0], 0 * DESIGN])
    shifted = U + DESIGN @ [0.1, 0.02, -0.3]
    for plain, other in (
        (breusch_godfrey(U, DESIGN, 3), breusch_godfrey(shifted, mixed, 3)),
        (cusum(U, DESIGN), cusum(shifted, mixed)),
        (chow(U, X, at=60), chow(shifted, X, mixed, at=60)),
    ):
        assert other.statistic == pytest.approx(plain.statistic, rel=1e-8)
        assert other.df == plain.df


def test_dummies_are_counted_once():
    g = np.random.default_rng(0)
    dummies = np.eye(3)[g.integers(0, 3, 90)]
    found = white(g.standard_normal(90), dummies)
    assert found.df == (2.0,)


def test_special_form_of_white_with_many_regressors():
    g = np.random.default_rng(0)
    x, u = g.standard_normal((60, 8)), g.standard_normal(60)
    assert "too many" in white(u, x).sentence
    fitted = x.sum(axis=1)
    found = white(u, x, fitted)
    design = np.column_stack([np.ones(60), fitted, fitted**2])
    assert found.statistic == pytest.approx(diagnostic.het_breuschpagan(u, design)[0])
    assert found.df == (2.0,)


def test_one_call_on_a_time_series():
    found = residual_diagnostics(U, X, time_series=True, break_at=60, reps=99)
    names = "Ljung-Box Breusch-Godfrey ARCH-LM Jarque-Bera Breusch-Pagan White CUSUM"
    frame = to_frame(found)
    assert list(frame.index) == [*names.split(), "Quandt-Andrews", "Chow"]
    assert frame.notna().all().all()
    assert frame["pvalue"].between(0, 1).all()
    assert frame["distribution"].str.len().min() > 5


def test_one_call_on_a_cross_section():
    found = {test.name: test for test in residual_diagnostics(U, X, time_series=False)}
    for name in ("Ljung-Box", "Breusch-Godfrey", "ARCH-LM", "CUSUM", "Quandt-Andrews"):
        assert not found[name].applies and "not ordered in time" in found[name].sentence
    for name in ("Jarque-Bera", "Breusch-Pagan", "White"):
        assert found[name].applies


@pytest.mark.parametrize("size", [1, 4, 9, 12, 20])
def test_short_series_say_what_does_not_apply(size):
    found = residual_diagnostics(U[:size], X[:size], time_series=True, reps=9)
    for test in found:
        assert test.applies == (test.pvalue is not None)
        if not test.applies:
            assert any(word in test.sentence for word in ("few", "many", "vary")), test
    if size < 8:
        assert not any(test.applies for test in found)


def test_a_gradient_as_rich_as_the_sample():
    g = np.random.default_rng(0)
    found = residual_diagnostics(U, X, g.standard_normal((120, 130)), time_series=True)
    told = {test.name: test.sentence for test in found if not test.applies}
    assert set(told) == {"Breusch-Godfrey", "CUSUM", "Quandt-Andrews"}
    assert all("120 identified directions" in sentence for sentence in told.values())


def test_residuals_that_do_not_vary():
    for test in residual_diagnostics(np.zeros(50), X[:50], time_series=True):
        assert not test.applies, test
    alternating = np.tile([1.0, -1.0], 25)
    found = {
        test.name: test for test in residual_diagnostics(alternating, X[:50], time_series=True)
    }
    assert "equal" in found["ARCH-LM"].sentence and "equal" in found["White"].sentence
    assert found["Ljung-Box"].pvalue < 1e-6


def test_no_constant_no_cusum():
    assert "no constant" in cusum(U, X).sentence


def test_wrong_input_is_named():
    with pytest.raises(DataError, match="exog has 50 rows"):
        residual_diagnostics(U, X[:50], time_series=True)
    with pytest.raises(SpecificationError, match="lags"):
        residual_diagnostics(U, X, time_series=True, lags=0)
    with pytest.raises(SpecificationError, match="position from 1 to 119"):
        chow(U, X, at=120)
    with pytest.raises(SpecificationError, match="trimming"):
        quandt_andrews(U, X, trimming=0.5)
    assert "no degree of freedom" in ljung_box(U, 4, 4).sentence


def rejections(simulate, replications, seed=1):
    g = np.random.default_rng(seed)
    pvalues = np.array([[test.pvalue for test in simulate(g)] for _ in range(replications)])
    return (pvalues <= 0.05).mean(axis=0)


@pytest.mark.slow
def test_size_with_the_gradient_of_a_network():
    """White noise around a linear mean; the residuals come from a fit along 20 directions."""
    fixed = np.random.default_rng(9)
    x = fixed.standard_normal((200, 2))
    units = np.tanh(with_constant(x) @ fixed.standard_normal((3, 17)))
    gradient = np.column_stack([with_constant(x), units])
    basis = np.linalg.qr(gradient)[0]

    def simulate(g):
        y = x.sum(axis=1) + g.standard_normal(200)
        u = y - basis @ (basis.T @ y)
        return (
            breusch_godfrey(u, gradient, 4),
            quandt_andrews(u, x, gradient, reps=99),
            chow(u, x, gradient, at=100),
            breusch_pagan(u, x),
            white(u, x),
            arch_lm(u, 4),
        )

    sizes = rejections(simulate, 2000)
    assert ((sizes > 0.03) & (sizes < 0.07)).all(), sizes


@pytest.mark.slow
def test_power():
    x = np.random.default_rng(9).standard_normal((200, 2))
    late = np.arange(200) > 120

    def simulate(g):
        e = g.standard_normal(200)
        correlated = e.copy()
        for t in range(1, 200):
            correlated[t] += 0.4 * correlated[t - 1]
        design = with_constant(x)
        project = design @ np.linalg.pinv(design)

        def of(y):
            return y - project @ y

        return (
            breusch_godfrey(of(correlated), design, 4),
            ljung_box(of(correlated), 4),
            breusch_pagan(of(e * np.exp(0.4 * x[:, 0])), x),
            white(of(e * np.sqrt(0.3 + x[:, 0] ** 2)), x),
            quandt_andrews(of(e + 0.8 * late * x[:, 0]), x, reps=99),
            cusum(of(e + 0.7 * late), design),
        )

    powers = rejections(simulate, 200)
    assert (powers > 0.8).all(), powers
