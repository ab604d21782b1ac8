"""Bootstraps of estimates: their errors by formula, and what they say about functions."""

from concurrent.futures import ThreadPoolExecutor

import helpers
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nnecon as ne
from nnecon.estimation.bootstrap import block_length
from nnecon.exceptions import ConvergenceError, ConvergenceWarning, SpecificationError
from nnecon.inference import bootstrap as bootstrap_module
from nnecon.inference.bootstrap import acceleration, bootstrap_interval


@pytest.fixture(scope="module")
def frame():
    return helpers.cross_section()


@pytest.fixture(scope="module")
def linear(frame):
    return ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=()).fit()


@pytest.fixture(scope="module")
def curved(frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(3,))
    return model.fit(alpha=0.005, n_starts=4)


def test_the_wild_bootstrap_of_least_squares_has_the_variance_of_hc2(linear):
    expected = linear.with_cov("HC2").bse
    for distribution in ("rademacher", "mammen", "webb"):
        drawn = linear.bootstrap("wild", draws=3000, distribution=distribution)
        np.testing.assert_allclose(drawn.params.bse, expected, rtol=0.06)
        assert (drawn.params.bias.abs() < 0.1 * expected).all()


def test_bootstraps_of_rows_agree_with_robust_errors(linear):
    for kind in ("pairs", "bayesian"):
        drawn = linear.bootstrap(kind, draws=2000)
        np.testing.assert_allclose(drawn.params.bse, linear.with_cov("HC1").bse, rtol=0.1)


def test_bootstraps_of_groups_agree_with_clustered_errors(frame):
    rng = np.random.default_rng(3)
    shock = rng.standard_normal(20)[frame["firm"]]
    data = frame.assign(y=frame["y"] + 2 * shock, x2=frame["firm"] / 10 + 0.1 * frame["x2"])
    fit = ne.NeuralRegression.from_formula("y ~ x1 + x2", data, hidden=()).fit(groups="firm")
    assert fit.bse["x2"] > 1.5 * fit.with_cov("HC1").bse["x2"]
    for options in (
        {"groups": "firm"},
        {"groups": "firm", "kind": "bayesian"},
        {"groups": "firm", "kind": "wild"},
    ):
        drawn = fit.bootstrap(draws=2000, **options)
        assert drawn.params.bse["x2"] == pytest.approx(fit.bse["x2"], rel=0.2), options
    assert fit.bootstrap(groups="firm", draws=20).results.cov_kwds["kind"] == "cluster"


def test_a_bootstrap_draws_the_groups_of_clustered_results(frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=())
    fit = model.fit(groups="firm")
    assert fit.bootstrap(draws=20).results.cov_kwds["kind"] == "cluster"
    assert fit.with_cov("bootstrap", draws=20).cov_kwds["kind"] == "cluster"
    assert fit.bootstrap("pairs", draws=20).results.cov_kwds["kind"] == "pairs"
    drawn = model.fit(groups="firm", cov_type="bootstrap", cov_kwds={"draws": 20})
    np.testing.assert_array_equal(drawn.bse, fit.bootstrap(draws=20).results.bse)
    both = fit.with_cov("cluster", groups=["firm", "region"])
    with pytest.raises(SpecificationError, match="no bootstrap draws two"):
        both.bootstrap(draws=20)


def test_bootstraps_of_blocks_agree_with_hac_errors():
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal((2, 600))
    series = np.zeros((2, 600))
    for at in range(1, 600):
        series[:, at] = 0.7 * series[:, at - 1] + shocks[:, at]
    index = pd.period_range("1900Q1", periods=600, freq="Q")
    data = pd.DataFrame({"y": series[1], "x": series[0]}, index=index)
    fit = ne.NeuralRegression.from_formula("y ~ x", data, hidden=()).fit()
    expected = fit.with_cov("HAC", maxlags="andrews").bse["x"]
    assert expected > 1.3 * fit.with_cov("HC0").bse["x"]
    for kind in (None, "moving", "stationary"):
        drawn = fit.bootstrap(kind, draws=800)
        assert drawn.params.bse["x"] == pytest.approx(expected, rel=0.2), kind
    assert "blocks of rows, circular" in fit.bootstrap(draws=10).description
    assert fit.bootstrap(draws=10, block=9).results.cov_kwds["block"] == 9


def test_length_of_blocks_follows_the_projection_on_the_regressors(macro_model):
    for alpha in (np.inf, 1e-3):
        fit = macro_model.fit(alpha=alpha, n_starts=2, alphas=[1e-3])
        # by hand: scores of the regression of the fitted values, to first order
        exog = fit.model.exog
        gradient = np.linalg.pinv(exog) @ fit._parts[0].moments.jacobian
        expected = block_length(fit._influence @ gradient.T)
        assert fit.bootstrap(draws=3).results.cov_kwds["block"] == expected
    scores = exog * macro_model.fit(alpha=np.inf).resid.to_numpy()[:, None]
    linear = macro_model.fit(alpha=np.inf).bootstrap(draws=3).results.cov_kwds["block"]
    assert linear == block_length(scores @ np.linalg.inv(exog.T @ exog))


def test_effects_and_predictions_come_from_the_draws(curved):
    drawn = curved.bootstrap(draws=100, kind="bayesian")
    results = drawn.results
    assert results.cov_type == "bootstrap"
    # recomputed by hand at the draws, in the user's units
    slow = [
        curved.model.results_at(row, 0.005).get_margeff(debias=False).margeff
        for row in drawn.params.draws.to_numpy()[:5]
    ]
    np.testing.assert_allclose(drawn.margeff.draws.to_numpy()[:5], slow, rtol=1e-7)
    np.testing.assert_allclose(results.get_margeff().margeff_se, drawn.margeff.bse)
    np.testing.assert_allclose(results.get_margeff().margeff_cov, drawn.margeff.cov())
    means = [
        curved.model.results_at(row, 0.005).fittedvalues for row in drawn.params.draws.values[:3]
    ]
    np.testing.assert_allclose(drawn.predict().draws.to_numpy()[:3], means, rtol=1e-7)
    np.testing.assert_allclose(results.get_prediction().se_mean, drawn.predict().bse)
    new = helpers.cross_section(7, seed=4)
    assert drawn.predict(new).draws.shape == (len(drawn.params.draws), 7)
    elastic = drawn.get_margeff(at="mean")
    np.testing.assert_allclose(elastic.estimate, curved.get_margeff(at="mean").margeff)
    # close to the delta method, where that is valid
    delta = curved.with_cov("HC1")
    penalised = delta.get_margeff(debias=False)
    np.testing.assert_allclose(drawn.margeff.bse, penalised.margeff_se, rtol=0.35)
    curve = results.effect_curve("x1", 5).frame["mean_se"]
    np.testing.assert_allclose(curve, delta.effect_curve("x1", 5).frame["mean_se"], rtol=0.5)
    np.testing.assert_allclose(results.cov_params(), drawn.cov_params(), rtol=1e-8, atol=1e-20)
    assert "draws of random weights" in str(results.summary())
    assert "at every draw" in str(results.summary())
    assert "random weights" in str(drawn)


def test_the_seed_decides_and_executors_do_not(curved, tmp_path):
    first = curved.bootstrap(draws=8, rng=3)
    again = curved.with_cov("bootstrap", draws=8, rng=3)
    np.testing.assert_array_equal(first.results.bse, again.bse)
    assert not np.allclose(first.results.bse, curved.bootstrap(draws=8, rng=4).results.bse)
    with ThreadPoolExecutor(2) as pool:
        spread = curved.bootstrap(draws=8, rng=3, executor=pool, checkpoint=tmp_path)
    np.testing.assert_array_equal(spread.results.bse, again.bse)
    assert list(tmp_path.iterdir())


def test_draws_of_long_samples_come_in_parts(linear, monkeypatch):
    monkeypatch.setattr(bootstrap_module, "ROOM", 160 * 40)
    for kind in ("pairs", "wild"):
        drawn = linear.bootstrap(kind, draws=90)
        assert drawn.n_draws == 90
        assert drawn.params.draws.drop_duplicates().shape == (90, 3)


def test_numbers_of_numpy_can_be_saved(linear, tmp_path):
    fit = linear.with_cov("bootstrap", draws=np.int64(5), rng=np.int32(2))
    fit.save(tmp_path / "fit.nnecon")
    np.testing.assert_array_equal(ne.load(tmp_path / "fit.nnecon").bse, fit.bse)


def test_progress_is_shown_where_it_is_asked_for(curved, capfd):
    curved.bootstrap(draws=3, progress=False)
    assert "Drawing" not in capfd.readouterr().err
    curved.bootstrap(draws=3, progress=True)
    assert "Drawing" in capfd.readouterr().err


def test_wild_draws_show_the_bias_of_the_penalty(frame):
    """At a large penalty the estimate is shrunk, and its wild draws are shrunk again."""
    model = ne.NeuralRegression.from_formula("y ~ x1", frame, hidden=(3,))
    fit = model.fit(alpha=0.03, n_starts=4)
    unpenalised = model.fit(alpha=1e-4, n_starts=4)
    point = frame.iloc[[int(frame["x1"].argmin())]]
    shrunk = float(fit.predict(point).iloc[0] - unpenalised.predict(point).iloc[0])
    wild = float(fit.bootstrap("wild", draws=100).predict(point).bias.iloc[0])
    rows = float(fit.bootstrap("bayesian", draws=100).predict(point).bias.iloc[0])
    assert wild * shrunk > 0
    assert abs(wild) > 2 * abs(rows)


def test_intervals_by_their_formulas():
    rng = np.random.default_rng(0)
    estimate = np.array([0.0, 5.0])
    draws = rng.standard_normal((4000, 2)) + estimate
    normal = bootstrap_interval(estimate, draws, 0.1, "normal")
    z = stats.norm.ppf(0.95)
    np.testing.assert_allclose(normal, [estimate - z, estimate + z], atol=0.08)
    for method in ("percentile", "basic", "bca"):
        bounds = bootstrap_interval(estimate, draws, 0.1, method, np.zeros(2))
        np.testing.assert_allclose(bounds, normal, atol=0.15)
    percentile = bootstrap_interval(estimate + 1, draws, 0.1, "percentile")
    basic = bootstrap_interval(estimate + 1, draws, 0.1, "basic")
    np.testing.assert_allclose(basic[0] + percentile[1], 2 * (estimate + 1))


def test_bca_equals_scipy():
    sample = np.random.default_rng(1).exponential(size=60)
    theirs = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="BCa", random_state=np.random.default_rng(2)
    )
    draws = theirs.bootstrap_distribution[:, None]
    speed = acceleration((sample - sample.mean())[:, None])
    found = bootstrap_interval(np.array([sample.mean()]), draws, 0.05, "bca", speed)
    expected = theirs.confidence_interval
    np.testing.assert_allclose(np.ravel(found), [expected.low, expected.high], rtol=2e-3)


def test_methods_and_what_has_none(curved, macro_model):
    drawn = curved.bootstrap("pairs", draws=60)
    for method in ("percentile", "basic", "bca", "normal"):
        frame = drawn.margeff.summary_frame(0.1, method)
        assert (frame["lower"] < frame["upper"]).all()
    with pytest.raises(SpecificationError, match="method='student'"):
        drawn.margeff.conf_int(method="student")
    blocks = macro_model.fit(alpha=np.inf).bootstrap(draws=10)
    with pytest.raises(SpecificationError, match="for blocks choose"):
        blocks.margeff.conf_int(method="bca")


def test_bootstraps_that_make_no_sense(linear, frame):
    with pytest.raises(SpecificationError, match="kind='wild' draws no blocks"):
        linear.bootstrap("wild", block=3)
    with pytest.raises(SpecificationError, match="draws no groups"):
        linear.bootstrap("pairs", groups=frame["firm"], draws=3)
    with pytest.raises(SpecificationError, match="draws=1"):
        linear.bootstrap(draws=1)
    trained = ne.NeuralRegression.from_formula("y ~ x1", frame, hidden=(2,)).fit(
        alpha=1e-4, method=ne.Adam(epochs=150, learning_rate=0.02), n_starts=1
    )
    with pytest.raises(SpecificationError, match="mini-batches"):
        trained.bootstrap(draws=3)


def test_draws_without_an_estimate_are_counted(frame):
    rare = frame.assign(rare=(np.arange(len(frame)) < 1).astype(float))
    model = ne.NeuralRegression.from_formula("y ~ x1 + rare", rare, hidden=())
    with pytest.warns(ConvergenceWarning, match="of 200 draws have no estimate") as caught:
        drawn = model.fit().bootstrap("pairs", draws=200)
    assert caught[0].filename == __file__
    assert 100 < drawn.n_draws < 180
    assert drawn.description.startswith(f"bootstrap, {drawn.n_draws} draws")
    both = rare.assign(second=(np.arange(len(frame)) == 1).astype(float))
    model = ne.NeuralRegression.from_formula("y ~ x1 + rare + second", both, hidden=())
    with pytest.raises(ConvergenceError, match="kind='bayesian'"):
        model.fit().bootstrap("pairs", draws=100)


def test_ensembles_and_own_functions_have_bootstraps(frame):
    model = ne.NeuralRegression.from_formula("y ~ x1", frame, hidden=(2,))
    several = model.fit(alpha=0.005, n_starts=4, ensemble=2).bootstrap(draws=12)
    assert several.params.draws.shape == (12, 2 * model.network.n_params)
    assert (several.margeff.bse > 0).all()
    own = ne.NeuralRegression(
        frame["y"],
        frame[["x1", "x2"]],
        network=lambda b, x: b[0] + b[1] * x[0] + b[2] * x[1],
        start_params=[0.0, 0.0, 0.0],
    )
    drawn = own.fit().bootstrap(draws=40, kind="bayesian")
    same = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=()).fit()
    expected = same.bootstrap(draws=40, kind="bayesian")
    np.testing.assert_allclose(drawn.params.bse, expected.params.bse, rtol=1e-6)
