"""What results of state-space models say: predictions, other data, responses, news, tests."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import nnecon as ne
from nnecon.exceptions import (
    DataError,
    ForecastError,
    IdentificationWarning,
    SpecificationError,
    StabilityWarning,
)

FIXED = {
    "intercept.y": 0.0, "loading.h1.y": 1.0, "transition.h1.h1": 1.0, "bias.h1": 0.0,
    "sqrt.var.y": 120.0, "sqrt.var.h1": 40.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def nile():
    frame = sm.datasets.nile.load_pandas().data
    index = pd.period_range("1871", periods=len(frame), freq="Y")
    return pd.DataFrame({"y": frame["volume"].to_numpy()}, index=index)


def level(endog):
    model = ne.RNNStateSpace(
        endog, k_states=1, activation="linear", innovations=False, state_noise=True,
        linear_part=False, initialization="diffuse",
    )  # fmt: skip
    model = model.fix_params(FIXED)
    return model.results_at(pd.Series(FIXED)[model.param_names])


@pytest.fixture(scope="module")
def ours(nile):
    return level(nile)


@pytest.fixture(scope="module")
def theirs(nile):
    model = sm.tsa.UnobservedComponents(nile["y"], "llevel", use_exact_diffuse=True)
    return model.smooth([120.0**2, 40.0**2])


@pytest.fixture(scope="module")
def macro():
    return ne.datasets.load_macro().dropna()[["infl", "growth"]]


@pytest.fixture(scope="module")
def network(macro):
    """A live network: one state beside a VAR(1)."""
    model = ne.RNNStateSpace(macro, k_states=1, linear_lags=1)
    return model.fit(alpha=0.02, n_starts=2)


@pytest.fixture(scope="module")
def classical(network):
    return network.model.fit(alpha=np.inf)


# -- predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dynamic", [False, True, 8])
def test_predictions_equal_statsmodels(ours, theirs, dynamic):
    made = ours.get_prediction("1950", "1975", dynamic)
    expected = theirs.get_prediction("1950", "1975", dynamic=dynamic)
    assert made.index.equals(expected.predicted_mean.index)
    np.testing.assert_allclose(made.mean[:, 0], expected.predicted_mean, rtol=1e-8)
    np.testing.assert_allclose(made.se[:, 0] ** 2, expected.var_pred_mean, rtol=1e-8)


def test_networks_predict_one_step_and_further(network):
    made = network.get_prediction("2005Q1", "2010Q4", dynamic="2008Q1")
    plain = network.get_prediction("2005Q1", "2008Q1")
    np.testing.assert_allclose(made.mean[:13], plain.mean)
    fitted = network.fittedvalues.loc["2005Q1":"2008Q1"]
    np.testing.assert_allclose(plain.mean, fitted, rtol=1e-8)
    assert (made.se[14:] > plain.se[-1] * 0.99).all()
    assert len(made.index) == 24


def test_dynamic_before_start_is_refused(ours):
    with pytest.raises(ForecastError, match="begins before start"):
        ours.get_prediction("1950", "1960", dynamic="1949")


def test_scenarios_are_smoothed(ours, theirs, nile):
    """What is imposed later moves what comes before, as a Kalman smoother says."""
    imposed = pd.DataFrame(
        {"y": [np.nan, 700.0]}, index=pd.period_range("1971", periods=2, freq="Y")
    )
    made = ours.forecast(3, conditions=imposed)
    longer = np.r_[nile["y"], np.nan, 700.0, np.nan]
    model = sm.tsa.UnobservedComponents(longer, "llevel", use_exact_diffuse=True)
    smoothed = model.smooth([120.0**2, 40.0**2]).smoothed_state[0, -3:]
    np.testing.assert_allclose(made["y"].iloc[[0, 2]], smoothed[[0, 2]], rtol=1e-8)
    assert made["y"].iloc[1] == pytest.approx(700.0)


# -- other data -----------------------------------------------------------------------------------


def test_append_extend_and_apply(ours, nile):
    early = level(nile.iloc[:80]).append(nile.iloc[80:])
    assert early.llf == pytest.approx(ours._with(data=early.data).llf)
    later = level(nile.iloc[:80]).extend(nile.iloc[80:])
    assert later.nobs == 20
    assert later.index.equals(nile.index[80:])
    np.testing.assert_allclose(later.llf_obs, early.llf_obs[80:])
    pd.testing.assert_frame_equal(later.forecast(3), early.forecast(3))
    pd.testing.assert_frame_equal(level(nile.iloc[:80]).apply(nile).forecast(3), early.forecast(3))
    with pytest.raises(ForecastError, match="in the data already"):
        level(nile).extend(nile.iloc[90:])


def test_news_equal_statsmodels(ours, theirs, nile):
    old = nile.iloc[:95].copy()
    old.iloc[50] = 800.0
    new = nile.iloc[:97]
    found = ours.apply(new).news(old, steps=2)
    np.testing.assert_allclose(found.remainder, 0.0, atol=1e-6)
    model = sm.tsa.UnobservedComponents(old["y"], "llevel", use_exact_diffuse=True)
    previous = model.smooth([120.0**2, 40.0**2])
    expected = previous.apply(new["y"]).news(previous, start="1968", end="1969")
    total = expected.total_impacts.to_numpy()
    np.testing.assert_allclose(found.total, total, rtol=1e-8)
    news = expected.update_impacts.to_numpy().ravel()
    np.testing.assert_allclose(found.impacts["news"], news, rtol=1e-6)
    with pytest.raises(SpecificationError, match="other parameters"):
        changed = ours.model.results_at(ours.params * 1.1)
        ours.news(changed)


# -- responses ------------------------------------------------------------------------------------


def threshold(y):
    """The mean of the next period: slope .9 above .5, and -.4 below."""
    return 0.2 + 0.9 * np.maximum(y - 0.5, 0.0) + 0.4 * np.maximum(0.5 - y, 0.0)


@pytest.fixture(scope="module")
def regimes():
    """A threshold autoregression, its two regimes the states of a network of relu units."""
    rng = np.random.default_rng(0)
    y = np.zeros(120)
    for t in range(1, 120):
        y[t] = threshold(y[t - 1]) + rng.normal()
    model = ne.RNNStateSpace(y, k_states=2, activation="relu", linear_part=False)
    params = pd.Series(0.0, index=model.param_names)
    params[["intercept.y", "sqrt.var.y"]] = 0.2, 1.0
    params[["loading.h1.y", "bias.h1", "input.L1.y.h1"]] = 0.9, -0.5, 1.0
    params[["loading.h2.y", "bias.h2", "input.L1.y.h2"]] = 0.4, 0.5, -1.0
    return y, model.results_at(params)


def brute_force(before, size, steps, paths, rng):
    """Mean difference between paths with and without the shock, and its standard error."""
    start = np.repeat(before, paths)
    shocked, plain, found = start, start, []
    for h in range(steps + 1):
        shock = rng.normal(size=len(start))
        shocked = threshold(shocked) + (size if h == 0 else shock)
        plain = threshold(plain) + shock
        found.append(shocked - plain)
    apart = np.array(found)
    return apart.mean(axis=1), apart.std(axis=1) / np.sqrt(len(start))


@pytest.mark.parametrize("size", [2.0, -2.0])
@pytest.mark.parametrize("kind", ["one period", "recessions"])
def test_generalised_responses_of_a_threshold_model(regimes, size, kind):
    y, results = regimes
    # the shock happens in these periods
    rows = np.array([100]) if kind == "one period" else np.flatnonzero(y < -0.5)
    history = 100 if kind == "one period" else y[results.index] < -0.5
    expected, error = brute_force(
        y[rows - 1], size, 4, 200_000 // len(rows), np.random.default_rng(1)
    )
    found = results.girf(
        "y", size=size, periods=4, history=history, level=None, repetitions=200_000
    )
    np.testing.assert_array_less(np.abs(found.mean[:, 0] - expected), 5.0 * error + 1e-12)
    np.testing.assert_allclose(found.mean[:, 0], expected, atol=0.02)
    # by default with fewer paths, and another seed takes others
    short = [
        results.girf("y", size=size, periods=4, history=history, level=None, rng=rng).mean[:, 0]
        for rng in (0, 0, 1)
    ]
    np.testing.assert_array_equal(short[0], short[1])
    assert not np.array_equal(short[0], short[2])
    np.testing.assert_allclose(short[0], expected, atol=0.1)


def test_linear_responses_are_those_of_the_var(classical):
    found = classical.girf("infl", periods=6, level=None)
    np.testing.assert_allclose(found.mean, found.reference, atol=1e-8)
    orthogonal = classical.impulse_responses(6, "infl", orthogonalized=True)
    np.testing.assert_allclose(orthogonal["infl"], found.mean[:, 0], atol=1e-8)


def test_small_shocks_respond_as_the_linearised_network(network):
    label = network.index[-1]
    found = network.girf("growth", size=1e-4, periods=1, history=label, level=None)
    local = network.impulse_responses(1, "growth", anchor=network.index[-2])
    ratio = network.sigma_u.loc["infl", "growth"] / network.sigma_u.loc["growth", "growth"]
    joint = local + ratio * network.impulse_responses(1, "infl", anchor=network.index[-2])
    np.testing.assert_allclose(found.mean[0] / 1e-4, joint.iloc[0], atol=1e-6)


# -- effects and errors ---------------------------------------------------------------------------


def test_classical_effects_are_coefficients(classical, macro):
    expected = sm.tsa.VAR(macro).fit(1)
    effects = classical.effects(1)
    ratio = np.sqrt(expected.df_resid / expected.nobs)
    for i in macro:
        for j in macro:
            row = effects.loc[(i, f"L1.{j}")]
            assert row["effect"] == pytest.approx(expected.params.loc[f"L1.{j}", i], abs=1e-8)
            assert row["std err"] == pytest.approx(ratio * expected.bse.loc[f"L1.{j}", i], rel=1e-6)


def test_effects_are_average_derivatives(network):
    """The mean over rows of the derivative by the period before, by finite differences."""
    rows, likelihood, params = network._sample.rows, network._likelihood, network._standard
    n, m = rows.series.shape
    model, total = network.model, np.zeros((m, m))
    for t in range(n):
        for j in range(m):
            found = []
            for sign in (1.0, -1.0):
                past = np.array(rows.past)
                past[t, 0, j] += sign * 1e-5
                found.append(likelihood.moments(params, rows._replace(past=past)).mean[t])
            total[:, j] += (found[0] - found[1]) / 2e-5 / n
    scale = model.units.scale
    expected = scale[:, None] * total / scale
    effects = network.effects(2)["effect"]
    for i, series in enumerate(model.endog_names):
        for j, source in enumerate(model.endog_names):
            assert effects[(series, f"L1.{source}")] == pytest.approx(expected[i, j], abs=1e-6)


def test_criteria_and_covariances(classical, macro):
    assert classical.edf == 2 * 3 + 3
    assert classical.aic == pytest.approx(-2 * classical.llf + 18)
    for kind in ("opg", "robust"):
        other = classical.with_cov(kind)
        names = [name for name in other.bse.index if name.startswith("L1.")]
        ratio = other.bse[names] / classical.bse[names]
        assert ((ratio > 0.3) & (ratio < 3.0)).all()
        assert not np.allclose(ratio, 1.0)


def test_unidentified_directions_are_told(macro):
    model = ne.RNNStateSpace(
        macro[["infl"]], k_states=2, activation="linear", linear_part=False, innovations=True
    )
    # one of these starts leads to a state that is not invertible, where the likelihood is rough
    results = model.fit(n_starts=2)
    assert results.converged
    with pytest.warns(IdentificationWarning, match="not identified"):
        _ = results.bse


# -- stability ------------------------------------------------------------------------------------


def test_stability_of_a_linear_system(classical, macro):
    expected = sm.tsa.VAR(macro).fit(1)
    root = np.abs(np.linalg.eigvals(expected.coefs[0])).max()
    np.testing.assert_allclose(classical.stability.radius, root, rtol=1e-8)
    assert classical.stability.exponent == pytest.approx(np.log(root), abs=0.01)


def test_explosive_systems_warn(classical):
    params = classical.params.copy()
    params["L1.growth.growth"] = 1.3
    results = classical.model.results_at(params)
    with pytest.warns(StabilityWarning, match="unstable"):
        results.warn_if_unstable()


# -- tests of forecast errors ---------------------------------------------------------------------


def test_tests_equal_statsmodels(ours, theirs):
    expected = theirs.test_heteroskedasticity("breakvar")[0]
    found = ours.test_heteroskedasticity()["y"]
    assert found.statistic == pytest.approx(expected[0], rel=1e-6)
    assert found.pvalue == pytest.approx(expected[1], rel=1e-6)
    normal = theirs.test_normality("jarquebera")[0]
    assert ours.test_normality()["y"].statistic == pytest.approx(normal[0], rel=1e-6)
    serial = theirs.test_serial_correlation("ljungbox", lags=10)[0]
    assert ours.test_serial_correlation(10)["y"].statistic == pytest.approx(serial[0, -1], rel=1e-6)


# -- simulation, states, summary ------------------------------------------------------------------


def test_simulated_futures_have_the_moments_of_forecasts(ours):
    paths = ours.simulate(5, repetitions=4000, rng=1)
    made = ours.get_forecast(5)
    np.testing.assert_allclose(paths.T.groupby("series").mean().T["y"], made.mean[:, 0], rtol=0.02)
    np.testing.assert_allclose(paths.std(axis=1), made.se[:, 0], rtol=0.06)
    early = ours.simulate(2, anchor="1920")
    assert str(early.index[0]) == "1921"


def test_states_do_not_depend_on_their_order(macro):
    model = ne.RNNStateSpace(macro, k_states=2, linear_lags=1)
    params = model.start_params
    standard = model.units.to_standard(params)
    ordered = model.units.to_user(model.network.canonical(standard))
    assert model.loglike(ordered) == pytest.approx(model.loglike(params))
    one, two = model.results_at(params), model.results_at(ordered)
    np.testing.assert_allclose(one.states.normalised, two.states.normalised, atol=1e-10)
    np.testing.assert_allclose(one.states.contributions, two.states.contributions, atol=1e-10)


def test_summary_and_charts(network, ours):
    text = str(network.summary())
    for word in ("Lyapunov exponent", "Spectral radius", "infl on L1.growth", "Ljung-Box"):
        assert word in text
    assert "Fixed: intercept.y = 0" in str(ours.summary())
    # a band where states are uncertain, and none where they are functions of the data
    shown = ours.plot_states()
    assert len(shown.axes) == 1
    assert len(shown.axes[0].collections) == 1
    assert not network.plot_states().axes[0].collections
    assert len(network.plot_diagnostics("growth").axes) == 4
    assert len(network.plot_forecast(4).axes) == 2
    shown = network.plot_states("contributions").axes
    assert len(shown) == 2
    # the level is the intercept's
    for axis in shown:
        assert abs(axis.lines[0].get_ydata().mean()) < 1e-9


def test_forecasts_of_networks_say_where_variance_comes_from(network):
    made = network.get_forecast(4, repetitions=200)
    assert set(made.variances) == {"shocks", "parameters"}
    np.testing.assert_allclose(made.variance_shares.T.groupby(level=0).sum(), 1.0)
    again = network.get_forecast(4, repetitions=200)
    np.testing.assert_array_equal(made.mean, again.mean)


# -- wrong arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"activation": "tahn"}, "activation='tahn'"),
        ({"initialization": "diffuse"}, "state_noise=False"),
        ({"state_noise": True, "initialization": "diffuse"}, "activation='linear'"),
        ({"initialization": "conditional"}, "linear_part=False"),
        ({"state_noise": True, "errors": "t"}, "state_noise=False"),
        ({"state_cov": "diagonal"}, "state_noise=True"),
        ({"linear_part": False, "linear_lags": 2}, "linear_part=True"),
        ({"k_state": 2}, "did you mean 'k_states'"),
        ({"alpha": 1.0}, "belongs to fit"),
        ({"linear_lags": [1, 4]}, "all lags from 1"),
    ],
)
def test_wrong_specifications(macro, arguments, words):
    with pytest.raises(SpecificationError, match=words):
        ne.RNNStateSpace(macro, **arguments)


def test_wrong_calls(network, macro):
    model = network.model
    with pytest.raises(SpecificationError, match="parameters, listed in param_names"):
        model.loglike([1.0])
    params = network.params.copy()
    params["bias.h1"] = np.nan
    with pytest.raises(SpecificationError, match=r"'bias\.h1' is nan"):
        model.loglike(params)
    with pytest.raises(SpecificationError, match="anchor='1900Q1' is no period"):
        network.simulate(2, anchor="1900Q1")
    with pytest.raises(SpecificationError, match="did you mean"):
        model.fix_params({"transition.h1.h": 0.0})
    with pytest.raises(SpecificationError, match="evidence"):
        model.fit(alpha="evidence")
    with pytest.raises(SpecificationError, match="conditions need a linear system"):
        imposed = pd.DataFrame({"infl": [2.0]}, index=pd.PeriodIndex(["2009Q4"], freq="Q"))
        network.forecast(1, conditions=imposed)
    gaps = macro.copy()
    gaps.iloc[20, 0] = np.nan
    with pytest.raises(DataError, match="on which later periods depend"):
        _ = ne.RNNStateSpace(gaps, linear_lags=1, errors="t").likelihood
    fixed = model.fix_params({"loading.h1.infl": 1.0})
    with pytest.raises(SpecificationError, match="classical model"):
        fixed.fit(alpha=np.inf)
