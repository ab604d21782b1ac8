"""Tests of neglected nonlinearity against R, statsmodels and repeated samples."""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.diagnostic import linear_reset

from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.auxiliary import Robust, added_terms, identified, outcome, with_constant
from nnecon.inference.nonlinearity import reset_test, terasvirta_test, white_test

ORACLE = json.loads((Path(__file__).parent / "oracles" / "nonlinearity.json").read_text())
SERIES = {name: np.array(values) for name, values in ORACLE["series"].items()}
X, Y = np.array(ORACLE["x"]), np.array(ORACLE["y"])
FORM = {"Chisq": "chi2", "F": "F"}


@pytest.mark.parametrize("name", list(SERIES))
def test_terasvirta_is_that_of_r_for_series(name):
    """Scaled or not: R's ``scale`` changes nothing, as the products span the same space."""
    cases = [case for case in ORACLE["terasvirta"] if case["series"] == name]
    assert len(cases) == 12
    for case in cases:
        found = terasvirta_test(
            SERIES[name], lags=case["lag"], form=FORM[case["type"]], like_r=True
        )
        assert found.statistic == pytest.approx(case["statistic"], rel=1e-9)
        assert found.pvalue == pytest.approx(case["pvalue"], rel=1e-7, abs=1e-12)
        assert list(found.df) == np.atleast_1d(case["df"]).tolist()


@pytest.mark.parametrize("case", ORACLE["regression"])
def test_terasvirta_is_that_of_r_for_regressions(case):
    found = terasvirta_test(Y, X, form=FORM[case["type"]], like_r=True)
    assert found.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert found.pvalue == pytest.approx(case["pvalue"], rel=1e-9)


def test_the_chi_squared_form_of_a_regression_needs_no_convention():
    plain, like_r = (terasvirta_test(Y, X, form="chi2", like_r=flag) for flag in (False, True))
    assert plain.statistic == pytest.approx(like_r.statistic)


def test_plain_counting_is_the_f_test_of_statsmodels():
    y, past = SERIES["log_lynx"][2:], [SERIES["log_lynx"][1:-1], SERIES["log_lynx"][:-2]]
    products = [a * b for a, b in ((0, 0), (0, 1), (1, 1)) for a, b in [(past[a], past[b])]]
    cubes = [past[0] ** 3, past[0] ** 2 * past[1], past[0] * past[1] ** 2, past[1] ** 3]
    small = sm.OLS(y, sm.add_constant(np.column_stack(past))).fit()
    large = sm.OLS(y, sm.add_constant(np.column_stack([*past, *products, *cubes]))).fit()
    statistic, pvalue, df = large.compare_f_test(small)
    found = terasvirta_test(SERIES["log_lynx"], lags=2)
    assert found.statistic == pytest.approx(statistic, rel=1e-6)
    assert found.pvalue == pytest.approx(pvalue, rel=1e-6)
    assert found.df == (df, large.df_resid)


def test_lags_and_regressors_together():
    g = np.random.default_rng(0)
    y, z = g.standard_normal(100), g.standard_normal((100, 1))
    both = terasvirta_test(y, z, lags=1)
    by_hand = terasvirta_test(y[1:], np.column_stack([y[:-1], z[1:]]))
    assert both.statistic == pytest.approx(by_hand.statistic)


@pytest.mark.parametrize("form", ["F", "chi2"])
def test_reset_is_that_of_r_and_statsmodels(form):
    found = reset_test(Y, X, form=form)
    if form == "F":
        assert found.statistic == pytest.approx(ORACLE["reset"]["statistic"], rel=1e-9)
        assert list(found.df) == ORACLE["reset"]["df"]
    fitted = sm.OLS(Y, sm.add_constant(X)).fit()
    wald = float(linear_reset(fitted, power=3, use_f=True).statistic)
    expected = wald if form == "F" else 150 * np.log(1 + wald * 2 / 144)
    assert found.statistic == pytest.approx(expected, rel=1e-8)
    single = reset_test(Y, X, powers=(3,))
    wald = linear_reset(fitted, power=[3], use_f=True)
    assert single.statistic == pytest.approx(float(wald.statistic), rel=1e-8)


def test_units_of_measurement_do_not_matter():
    """Large numbers far from zero: cubes of raw values would leave no digits."""
    for test in (terasvirta_test, white_test, reset_test):
        for options in ({}, {"robust": True, "reps": 0}):
            plain = test(Y, X, **options)
            moved = test(1e5 + 1e3 * Y, 1e6 + X * [1e3, 1.0, 1e-3], **options)
            assert moved.statistic == pytest.approx(plain.statistic, rel=1e-5)


def test_collinear_and_constant_columns_cost_nothing():
    more = np.column_stack([X, X @ [1.0, 1.0, 2.0], np.full(150, 7.0), 3 * X[:, 0]])
    plain, other = terasvirta_test(Y, X), terasvirta_test(Y, more)
    assert other.statistic == pytest.approx(plain.statistic, rel=1e-8)
    assert other.df == plain.df


def test_dummies_have_no_squares():
    g = np.random.default_rng(0)
    dummy, x = (g.uniform(size=100) < 0.4).astype(float), g.standard_normal(100)
    y = x + dummy + g.standard_normal(100)
    # x^2, x^3, d x, d x^2
    assert terasvirta_test(y, np.column_stack([dummy, x])).df == (4.0, 93.0)
    alone = terasvirta_test(y, dummy)
    assert not alone.applies and "dummies" in alone.sentence


def test_many_regressors_are_reduced_to_components():
    g = np.random.default_rng(0)
    x = g.standard_normal((200, 10))
    y = x.sum(axis=1) + g.standard_normal(200)
    found = terasvirta_test(y, x)
    assert found.df == (20.0, 169.0)
    assert "all 275 products" in found.sentence
    refused = terasvirta_test(y, x, terms="products")
    assert not refused.applies and "components" in refused.sentence
    few = terasvirta_test(y[:30], x[:30])
    assert "the 3 leading principal components" in few.sentence and few.df == (6.0, 13.0)
    assert "too few" in terasvirta_test(y[:15], x[:15]).sentence
    assert "no test" in terasvirta_test(y[:12], x[:12]).sentence


def test_components_are_squares_and_cubes_of_principal_components():
    x = X - X.mean(axis=0)
    x = x / x.std(axis=0)
    rotation = np.linalg.eigh(x.T @ x)[1]
    parts = x @ rotation
    terms = np.column_stack([parts**2, parts**3])
    small = sm.OLS(Y, sm.add_constant(X)).fit()
    large = sm.OLS(Y, np.column_stack([np.ones(150), X, terms])).fit()
    found = terasvirta_test(Y, X, terms="components")
    assert found.statistic == pytest.approx(large.compare_f_test(small)[0], rel=1e-8)


def test_robust_statistic_is_wooldridges_regression():
    """A constant on residual times what the regressors leave of the terms: T - SSR."""
    basis = identified(with_constant(X))
    terms = np.column_stack([X[:, 0] ** 2, X[:, 0] * X[:, 2]])
    exog = sm.add_constant(X)
    u = sm.OLS(Y, exog).fit().resid
    left = np.column_stack([sm.OLS(term, exog).fit().resid for term in terms.T])
    ssr = sm.OLS(np.ones(150), left * u[:, None]).fit().ssr
    found = outcome(added_terms(Y, basis, terms), "chi2", Robust(reps=0))
    assert found.statistic == pytest.approx(150 - ssr)
    assert found.distribution == "chi-squared with 2 degrees of freedom"


def test_wild_bootstrap_agrees_with_the_asymptotic_pvalue_in_large_samples():
    g = np.random.default_rng(0)
    x = g.uniform(-1.5, 1.5, (4000, 2))
    y = x.sum(axis=1) + np.abs(x[:, 0]) * g.standard_normal(4000)
    drawn = terasvirta_test(y, x, robust=True, reps=999)
    limit = terasvirta_test(y, x, robust=True, reps=0, form="chi2")
    assert drawn.pvalue == pytest.approx(limit.pvalue, abs=0.06)
    assert "999 draws" in drawn.distribution
    assert terasvirta_test(y, x, robust=True) == terasvirta_test(y, x, robust=True)


def test_white_draws_units():
    found = white_test(Y, X, rng=3)
    assert found == white_test(Y, X, rng=3)
    assert found.statistic != white_test(Y, X, rng=4).statistic
    assert found.df == (2.0, 144.0)
    assert white_test(Y, X, like_r=True).df == (2.0, 145.0)
    assert white_test(Y, X, components=4).df == (4.0, 142.0)
    several = white_test(Y, X, draws=5, rng=3)
    assert "5 draws" in several.distribution and several.pvalue <= 1.0
    assert white_test(Y, 100 * X, scale=False, rng=3).statistic != pytest.approx(found.statistic)


def test_nothing_to_test():
    assert "fits exactly" in terasvirta_test(X @ [1.0, 2.0, 3.0], X).sentence
    assert "no regressor" in reset_test(Y, np.ones(150)).sentence
    assert "too few" in white_test(Y[:8], X[:8]).sentence


@pytest.mark.parametrize(
    ("test", "options", "message"),
    [
        (terasvirta_test, {"form": "LM"}, "LM"),
        (terasvirta_test, {"terms": "all"}, "all"),
        (terasvirta_test, {"like_r": True, "robust": True}, "R has no robust form"),
        (terasvirta_test, {"robust": True, "reps": -1}, "reps"),
        (terasvirta_test, {"lags": 0}, "lags"),
        (white_test, {"components": 10}, "components"),
        (white_test, {"units": 0}, "units"),
        (white_test, {"spread": 0.0}, "spread"),
        (reset_test, {"powers": (1,)}, "powers"),
    ],
)
def test_wrong_options_are_named(test, options, message):
    with pytest.raises(SpecificationError, match=message):
        test(Y, X, **options)


def test_wrong_data_are_named():
    with pytest.raises(SpecificationError, match="regressors x, a number of lags"):
        terasvirta_test(Y)
    with pytest.raises(DataError, match="x has 100 rows"):
        terasvirta_test(Y, X[:100])
    with pytest.raises(DataError, match="200 lags need more"):
        terasvirta_test(Y, lags=200)


def rejections(tests, simulate, replications, seed=1):
    g = np.random.default_rng(seed)
    found = []
    for _ in range(replications):
        y, x = simulate(g)
        found.append([test(y, x, g).pvalue <= 0.05 for test in tests])
    return np.mean(found, axis=0)


PLAIN = (
    lambda y, x, g: terasvirta_test(y, x),
    lambda y, x, g: terasvirta_test(y, x, terms="components"),
    lambda y, x, g: white_test(y, x, rng=g.integers(2**31)),
    lambda y, x, g: reset_test(y, x),
)
ROBUST = (
    lambda y, x, g: terasvirta_test(y, x, robust=True, reps=99, rng=g.integers(2**31)),
    lambda y, x, g: white_test(y, x, robust=True, reps=99, rng=g.integers(2**31)),
    lambda y, x, g: reset_test(y, x, robust=True, reps=99, rng=g.integers(2**31)),
)


def linear(size, spread):
    def simulate(g):
        x = g.standard_normal((size, 3))
        scale = np.sqrt(1.0 - spread + spread * x[:, 0] ** 2)
        return x.sum(axis=1) + scale * g.standard_normal(size), x

    return simulate


def bent(size):
    """The mean of the path's benchmark."""

    def simulate(g):
        x = g.standard_normal((size, 8))
        mean = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 3] ** 2 / 2 + 0.3 * x[:, 4]
        return mean + 0.3 * g.standard_normal(size), x

    return simulate


@pytest.mark.slow
def test_size_under_equal_variances():
    sizes = rejections(PLAIN, linear(100, 0.0), 4000)
    assert ((sizes > 0.04) & (sizes < 0.06)).all(), sizes


@pytest.mark.slow
def test_size_with_lags():
    def simulate(g):
        y = g.standard_normal(250)
        for t in range(1, 250):
            y[t] += 0.6 * y[t - 1]
        return y[50:], None

    tests = (
        lambda y, x, g: terasvirta_test(y, lags=2),
        lambda y, x, g: white_test(y, lags=2, rng=g.integers(2**31)),
    )
    sizes = rejections(tests, simulate, 4000)
    assert ((sizes > 0.035) & (sizes < 0.065)).all(), sizes


@pytest.mark.slow
def test_size_of_white_is_that_of_r():
    """R's rejections of 4,000 samples under the same null, in both forms."""

    def simulate(g):
        x = g.standard_normal((100, 2))
        return x @ [1.0, -1.0] + g.standard_normal(100), x

    tests = [
        lambda y, x, g, form=form: white_test(y, x, form=form, like_r=True, rng=g.integers(2**31))
        for form in ("chi2", "F")
    ]
    sizes = rejections(tests, simulate, 4000)
    np.testing.assert_allclose(
        sizes, [ORACLE["white_size"]["Chisq"], ORACLE["white_size"]["F"]], atol=0.015
    )

    def bent(g):
        x = g.standard_normal((100, 2))
        return np.sin(2 * x[:, 0]) + x[:, 1] + g.standard_normal(100), x

    power = rejections(tests[1:], bent, 1000)
    np.testing.assert_allclose(power, ORACLE["white_power"], atol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.7])
def test_size_of_robust_forms(spread):
    """The plain forms reject far too often with unequal variances, the robust ones do not."""
    sizes = rejections(ROBUST, linear(200, spread), 2000)
    assert ((sizes > 0.035) & (sizes < 0.065)).all(), sizes
    plain = rejections(PLAIN[:1], linear(200, spread), 500)
    assert (plain > 0.3).all() if spread else (plain < 0.08).all(), plain


@pytest.mark.slow
def test_power_against_a_bent_mean():
    """All products at n=1000; at n=250 components, where robustness costs power."""
    assert (rejections((PLAIN[0], ROBUST[0]), bent(1000), 20) == 1.0).all()
    plain, robust = rejections((PLAIN[0], ROBUST[0]), bent(250), 200)
    assert plain > 0.95 and robust > 0.6, (plain, robust)


def test_single_rows_are_clusters():
    """With one row a cluster the statistic is the one robust to heteroskedasticity."""
    options = {"robust": True, "reps": 0, "form": "chi2", "terms": "components"}
    plain = terasvirta_test(Y, X, **options)
    clustered = terasvirta_test(Y, X, groups=np.arange(150)[::-1], **options)
    assert clustered.statistic == pytest.approx(plain.statistic)
    labels = np.repeat(["a", "b", "c", "d", "e"], 30)
    basis, terms = identified(with_constant(X)), X[:, :1] ** 2
    added = added_terms(Y, basis, terms)
    scores = [(added.directions[:, 0] * added.resid)[labels == g].sum() for g in "abcde"]
    by_hand = np.sum(scores) ** 2 / np.square(scores).sum()
    codes = np.unique(labels, return_inverse=True)[1]
    found = outcome(added, "chi2", Robust(0, 0, codes))
    assert found.statistic == pytest.approx(by_hand)


def test_a_network_stands_in_for_the_linear_model():
    """With the linear model's own gradient the tests are those of the linear model."""
    design = with_constant(X)
    fitted = design @ np.linalg.lstsq(design, Y, rcond=None)[0]
    given = {"gradient": design}
    for test, more in ((terasvirta_test, {}), (white_test, {}), (reset_test, {"fitted": fitted})):
        plain, other = test(Y, X), test(Y - fitted, X, **given, **more)
        assert other.statistic == pytest.approx(plain.statistic)
        assert other.df == plain.df and "network" in other.null
    with pytest.raises(SpecificationError, match="together"):
        reset_test(Y, X, gradient=design)
    with pytest.raises(SpecificationError, match="exclude"):
        terasvirta_test(Y, lags=1, gradient=design)
    with pytest.raises(SpecificationError, match="robust=True"):
        terasvirta_test(Y, X, groups=np.arange(150))
    with pytest.raises(DataError, match=r"weights must be positive.*position 0"):
        terasvirta_test(Y, X, weights=np.zeros(150))


def test_weights_are_duplicated_rows():
    """The likelihood ratio with whole weights equals that of duplicated rows, in R-squared."""
    weights = np.arange(150) % 3 + 1.0
    twice = np.repeat(np.arange(150), weights.astype(int))
    for test in (terasvirta_test, reset_test):
        given = test(Y, X, weights=weights, form="chi2")
        copied = test(Y[twice], X[twice], form="chi2")
        assert given.statistic / 150 == pytest.approx(copied.statistic / len(twice))


@pytest.mark.parametrize("powers", [2, "2", (1,), (2.5,), (), (True,)])
def test_powers_of_reset_are_a_list_of_whole_numbers(powers):
    g = np.random.default_rng(0)
    with pytest.raises(SpecificationError, match="must be whole numbers of at least two"):
        reset_test(g.standard_normal(30), g.standard_normal((30, 2)), powers=powers)
