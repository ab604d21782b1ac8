"""Specification tests as members of results: statsmodels in the classical limit, and effects."""

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats import diagnostic
from statsmodels.stats.stattools import jarque_bera

import nnecon as ne
from nnecon.exceptions import SpecificationError


def longley():
    data = helpers.longley()
    data.index = pd.period_range("1947", periods=len(data), freq="Y")
    return "TOTEMP ~ GNP + UNEMP + ARMED", data


CLASSICAL = {
    "longley": longley,
    "macro": lambda: (helpers.MACRO_FORMULA, helpers.macro()),
    "fair": lambda: ("rate_marriage ~ age + yrs_married + religious", helpers.fair()),
}


@pytest.fixture(scope="module", params=list(CLASSICAL))
def pair(request):
    """Our classical limit and statsmodels' OLS on the same rows."""
    formula, data = CLASSICAL[request.param]()
    model = ne.NeuralRegression.from_formula(formula, data, hidden=(4,))
    ours = model.fit(alpha=np.inf, cov_type="nonrobust")
    return ours, sm.OLS(model.endog, model.exog).fit()


@pytest.mark.parametrize("on", ["network", "baseline"])
def test_classical_limit_is_statsmodels(pair, on):
    """The gradient of a network that is zero spans the regressors and nothing else."""
    ours, ols = pair
    u, x, lags = ols.resid, ols.model.exog, min(10, len(ols.resid) // 5)
    expected = {
        "Breusch-Pagan": diagnostic.het_breuschpagan(u / u.std(), x)[:2],
        "White": diagnostic.het_white(u / u.std(), x)[:2],
        "Jarque-Bera": jarque_bera(u)[:2],
        "RESET (OLS)": _reset(ols),
    }
    if len(u) == 16:
        del expected["White"]  # 9 terms take over a third of 15 degrees of freedom
    if ours.model.is_time_series:
        godfrey = diagnostic.acorr_breusch_godfrey(ols, nlags=lags, store=True)
        arch = diagnostic.het_arch(u / u.std(), nlags=lags, store=True)
        order = 2 if "growth" in ours.model.endog_names else 0
        box = diagnostic.acorr_ljungbox(u, lags=[lags], model_df=order)
        expected |= {
            "Breusch-Godfrey": godfrey[2:4],
            "Ljung-Box": box.iloc[0].tolist(),
            "ARCH-LM": arch[:2],
            "CUSUM": diagnostic.breaks_cusumolsresid(u, ddof=x.shape[1])[:2],
        }
        if len(u) == 16:
            for short in ("Breusch-Godfrey", "ARCH-LM"):
                del expected[short]
    frame = ours.diagnostics(on=on)
    for name, numbers in expected.items():
        row = frame.loc[name]
        helpers.assert_close([row["statistic"], row["pvalue"]], numbers, 1e-8, name)


def _reset(ols):
    """statsmodels' ``linear_reset`` with powers of the standardised fit, which span the same."""
    fit = (ols.fittedvalues - ols.fittedvalues.mean()) / ols.fittedvalues.std()
    large = sm.OLS(ols.model.endog, np.column_stack([ols.model.exog, fit**2, fit**3])).fit()
    return large.compare_f_test(ols)[:2]


def test_reset_and_terasvirta_are_those_of_statsmodels(pair):
    ours, ols = pair
    if len(ols.resid) == 200:
        theirs = diagnostic.linear_reset(ols, power=3, use_f=True)
        assert ours.test_reset().statistic == pytest.approx(float(theirs.statistic), rel=1e-8)
    assert ours.test_reset().df == (2.0, len(ols.resid) - ols.model.exog.shape[1] - 2)
    columns = ols.model.exog[:, 1:]
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    parts = scaled @ np.linalg.eigh(scaled.T @ scaled)[1]
    if len(ols.resid) == 16:
        return
    large = sm.OLS(ols.model.endog, np.column_stack([ols.model.exog, parts**2, parts**3])).fit()
    found = ours.test_nonlinearity(terms="components")
    helpers.assert_close(found.statistic, large.compare_f_test(ols)[0], 1e-8)


def test_chow_by_label_is_an_f_test(pair):
    ours, ols = pair
    if not ours.model.is_time_series:
        assert "not ordered in time" in ours.test_stability("chow", 3).sentence
        return
    index, x = ours.model.design.sample.index, ols.model.exog
    at = len(index) // 2
    later = (np.arange(len(index)) >= at)[:, None]
    large = sm.OLS(ols.model.endog, np.column_stack([x, x * later])).fit()
    found = ours.test_stability("chow", index[at])
    if not found.applies:
        assert len(index) == 16 and "too few" in found.sentence
        return
    helpers.assert_close([found.statistic, found.pvalue], large.compare_f_test(ols)[:2], 1e-8)
    assert str(index[at]) in found.null
    assert ours.test_stability("chow", str(index[at])) == found


@pytest.fixture(scope="module")
def weighted():
    """A network on a cross section with weights."""
    frame = helpers.cross_section()
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(1,), weights="w")
    return model.fit(alpha=0.01, n_starts=3, cov_type="nonrobust")


def test_weights_are_those_of_weighted_least_squares(weighted):
    model = weighted.model
    wls = sm.WLS(model.endog, model.exog, weights=model.weights).fit()
    fit = wls.fittedvalues
    large = sm.WLS(
        model.endog, np.column_stack([model.exog, fit**2, fit**3]), weights=model.weights
    ).fit()
    found = weighted.test_reset()
    helpers.assert_close([found.statistic, found.pvalue], large.compare_f_test(wls)[:2], 1e-7)
    u = wls.wresid / np.std(wls.wresid)
    expected = diagnostic.het_breuschpagan(u, model.exog)[:2]
    found = weighted.test_heteroskedasticity(on="baseline")
    helpers.assert_close([found.statistic, found.pvalue], expected, 1e-8)


def test_residuals_of_the_network_are_tested_beyond_its_gradient(weighted):
    """A regression on the numerical derivatives of the fitted values, by hand."""
    model = weighted.model
    jacobian = helpers.numerical_jacobian(model.predict, weighted.params.to_numpy())
    root = np.sqrt(model.weights)[:, None]
    small = sm.OLS(root[:, 0] * weighted.resid.to_numpy(), root * jacobian).fit()
    fit = weighted.fittedvalues.to_numpy()
    powers = np.column_stack([fit**2, fit**3])
    large = sm.OLS(small.model.endog, root * np.column_stack([jacobian, powers])).fit()
    found = weighted.test_reset(on="network")
    helpers.assert_close(found.statistic, large.compare_f_test(small)[0], 1e-4)
    assert "network leaves no nonlinearity" in found.null
    assert found.df == (2.0, model.exog.shape[0] - jacobian.shape[1] - 2)


def test_serial_correlation_of_the_network_knows_its_gradient():
    model = ne.NeuralRegression.from_formula(
        "infl ~ lag(infl, 1) + lag(unemp, 1)", helpers.macro(), hidden=(1,)
    )
    fit = model.fit(alpha=0.001, n_starts=2)
    assert not fit.is_classical
    jacobian = helpers.numerical_jacobian(model.predict, fit.params.to_numpy())
    small = sm.OLS(fit.resid.to_numpy(), jacobian).fit()
    past = np.column_stack([np.r_[np.zeros(k), small.resid[:-k]] for k in (1, 2, 3)])
    large = sm.OLS(small.resid, np.column_stack([jacobian, past])).fit()
    found = fit.test_serial_correlation(lags=3)
    statistic = large.compare_f_test(sm.OLS(small.resid, jacobian).fit())[0]
    helpers.assert_close(found.statistic, statistic, 1e-4)
    box = fit.test_serial_correlation("ljungbox", 5)
    assert box.df == (4.0,)


def test_a_bend_is_found_and_the_network_takes_it(curved_results):
    """The linear model is rejected; what the network leaves is not."""
    assert curved_results.test_nonlinearity(robust=False).pvalue < 0.01
    assert curved_results.test_nonlinearity(robust=False, terms="components").pvalue < 0.01
    white = curved_results.test_nonlinearity("white", components=6, robust=False)
    assert white.df == (6.0, 149.0)
    left = curved_results.test_nonlinearity(on="network")
    assert left.pvalue > 0.05 and left.name == "Terasvirta-Lin-Granger (network)"


def test_robust_follows_the_covariance(curved_results, curved_frame):
    assert "wild bootstrap" in curved_results.test_reset().distribution
    plain = curved_results.with_cov("nonrobust").test_reset()
    assert plain.distribution.startswith("F with")
    assert curved_results.test_reset(robust=False) == plain
    clustered = curved_results.with_cov("cluster", groups=curved_frame["firm"])
    found = clustered.test_nonlinearity()
    assert found.distribution == "wild cluster bootstrap with 499 draws"
    assert found.applies
    alone = curved_results.with_cov("cluster", groups=np.arange(160) // 80)
    assert "2 clusters are too few" in alone.test_nonlinearity().sentence
    assert "2 clusters are too few" in alone.test_reset().sentence


def test_advice_knows_the_covariance():
    """Robust errors allow for unequal variances, others do not."""
    g = np.random.default_rng(0)
    x = g.standard_normal(300)
    design = np.column_stack([np.ones(300), x])
    model = ne.NeuralRegression(x + np.abs(x) * g.standard_normal(300), design, hidden=())
    for kind, advice in (("nonrobust", "Use robust standard errors"), ("HC3", "The HC3 standard")):
        found = model.fit(cov_type=kind).test_heteroskedasticity("white")
        assert found.pvalue < 0.05 and advice in found.sentence


def test_large_samples_take_asymptotic_pvalues():
    frame = helpers.fair()
    model = ne.NeuralRegression.from_formula("rate_marriage ~ age + religious", frame, hidden=())
    assert model.fit(cov_type="HC1").test_reset().distribution.startswith("F with")
    small = ne.NeuralRegression.from_formula(
        "rate_marriage ~ age + religious", frame.iloc[:500], hidden=()
    )
    assert "bootstrap" in small.fit(cov_type="HC1").test_reset().distribution


def test_one_frame_with_the_null_in_words(curved_results):
    frame = curved_results.diagnostics()
    assert list(frame.columns) == ["null", "statistic", "distribution", "pvalue", "sentence"]
    assert len(frame) == 12 and frame["null"].str.len().min() > 20
    ordered = ["Breusch-Godfrey", "Ljung-Box", "ARCH-LM", "CUSUM", "Quandt-Andrews"]
    assert frame.loc[ordered, "statistic"].isna().all()
    assert frame.loc[ordered, "sentence"].str.contains("not ordered in time").all()
    rest = frame.drop(ordered)
    assert rest["pvalue"].between(0, 1).all()
    assert len(curved_results.diagnostics(on="baseline")) == 11


def test_a_zero_network_leaves_what_the_classical_model_leaves(macro_results):
    frame = macro_results.diagnostics(break_at="1984Q1")
    row = frame.loc["Terasvirta-Lin-Granger (network)"]
    assert np.isnan(row["statistic"]) and "network is zero" in row["sentence"]
    classical = macro_results.diagnostics(on="baseline", break_at="1984Q1")
    shared = frame.index.intersection(classical.index)
    assert len(shared) == 12
    statistics = (part.loc[shared, "statistic"] for part in (frame, classical))
    np.testing.assert_allclose(*statistics, rtol=1e-8)


def test_gaps_are_told():
    data = helpers.macro()
    model = ne.NeuralRegression.from_formula(
        "growth ~ lag(growth, 1)", data, subset=data.index.year != 1980, hidden=()
    )
    found = model.fit().test_serial_correlation()
    assert "Rows around 1 gap in time count as neighbours" in found.sentence


def test_summary_shows_the_tests(curved_results, macro_results):
    for results in (curved_results, macro_results):
        summary = results.summary()
        text, markup, latex = summary.as_text(), summary.as_html(), summary.as_latex()
        for label, test in results._summary_tests.items():
            line = next(line for line in text.splitlines() if line.startswith(label))
            assert f"{test.statistic:.3f}" in line and test.reference in line
            assert label in markup and label in latex
    assert "Breusch-Godfrey" in macro_results.summary().as_text()
    assert "Breusch-Godfrey" not in curved_results.summary().as_text()
    assert r"$\chi$" in macro_results.summary().as_latex()


def test_pictures(curved_results, macro_results):
    titles = [ax.get_title(loc="left") for ax in macro_results.plot_diagnostics().axes]
    assert titles == ["Over time", "Distribution", "Normal quantiles", "Autocorrelation"]
    figure = curved_results.plot_diagnostics(on="baseline")
    drawn = figure.axes[0].lines[-1].get_ydata()
    ols = curved_results.baseline
    np.testing.assert_allclose(drawn, ols.resid / np.sqrt(ols.scale))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.test_nonlinearity(units=3), "no units=; it takes terms, reps, rng"),
        (lambda r: r.test_reset(terms="auto"), "RESET takes no terms="),
        (lambda r: r.test_nonlinearity("ramsey"), "'terasvirta', 'white'"),
        (lambda r: r.test_nonlinearity(on="ols"), "'network', 'baseline'"),
        (lambda r: r.test_serial_correlation("dw"), "'breusch-godfrey', 'ljungbox'"),
        (lambda r: r.test_serial_correlation(lags=0), "lags=0"),
        (lambda r: r.test_normality("shapiro"), "jarquebera"),
        (lambda r: r.test_heteroskedasticity("garch"), "'arch'"),
        (lambda r: r.test_heteroskedasticity(lags=3), "method='arch'"),
        (lambda r: r.test_stability("chow"), "at= says where"),
        (lambda r: r.test_stability("cusum", "1984Q1"), "at= says where"),
        (lambda r: r.test_stability("chow", "2084Q1"), "2084Q1.*not among the rows"),
        (lambda r: r.test_stability("cusum", reps=3), "reps= belongs"),
        (lambda r: r.diagnostics(on="both"), "on='both'"),
    ],
)
def test_wrong_arguments_are_named(macro_results, call, message):
    with pytest.raises(SpecificationError, match=message):
        call(macro_results)


def test_a_break_can_be_given_by_its_year(macro_results):
    year, first = (macro_results.test_stability("chow", at) for at in (1984, "1984Q1"))
    assert year.statistic == first.statistic
    with pytest.raises(SpecificationError, match="2084 is not among the rows"):
        macro_results.test_stability("chow", 2084)


def test_functions_are_where_a_user_finds_them():
    g = np.random.default_rng(0)
    x = g.standard_normal((100, 2))
    y = x[:, 0] ** 2 + g.standard_normal(100)
    assert ne.diagnostic.terasvirta_test(y, x).pvalue < 0.01
    assert ne.diagnostic.lee_white_granger_test(y, x).name == "Lee-White-Granger"
    assert ne.diagnostic.white_variance_test(y, x).name == "White"
    errors = g.standard_normal((2, 50))
    assert ne.accuracy.clark_west(*errors).name == "Clark-West"
    for module in (ne.diagnostic, ne.accuracy):
        assert all(getattr(module, name) is not None for name in module.__all__)
