"""Forecasters of quantiles: quantile regression in the limit, order, futures, coverage."""

import jax
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import nnecon as ne
from nnecon.estimation.losses import Check
from nnecon.estimation.quantile_regression import (
    check_loss,
    quantile_regression,
    smooth_regression,
    smoothed_check,
)
from nnecon.exceptions import ForecastError, SpecificationError
from nnecon.inference.accuracy.measures import CRPS_LEVELS, crps_normal
from nnecon.inference.quantile_paths import rearranged, scores_of, values_of
from nnecon.nets import Dense
from nnecon.results.future import future_of, ordinals_from

MACRO = ne.datasets.load_macro()
LEVELS = (0.1, 0.5, 0.9)


def frame(y):
    return pd.DataFrame({"y": y}, pd.period_range("1950Q1", periods=len(y), freq="Q"))


def spread(y):
    return 0.2 + np.exp(-2.0 * y**2)


def bursts(n, seed=0):
    """Shocks are large after values near zero, which no linear quantile sees."""
    g, y = np.random.default_rng(seed), np.zeros(n)
    for t in range(1, n):
        y[t] = 0.6 * y[t - 1] + spread(y[t - 1]) * g.standard_normal()
    return frame(y)


def autoregression(n, seed=0, slope=0.7):
    g, y = np.random.default_rng(seed), np.zeros(n)
    for t in range(1, n):
        y[t] = slope * y[t - 1] + g.standard_normal()
    return frame(y)


@pytest.fixture(scope="module")
def linear():
    model = ne.NeuralAR.from_formula(
        "infl + growth ~ tbilrate", MACRO, linear_lags=2, hidden=(3,), loss="quantile"
    )
    return model.fit(alpha=np.inf)


def test_without_a_network_it_is_quantreg(linear):
    sample = linear.model.sample
    for at, name in enumerate(["infl", "growth"]):
        for level in linear.quantiles:
            theirs = sm.QuantReg(sample.target[:, at], sample.linear).fit(
                q=level, p_tol=1e-10, max_iter=5000
            )
            ours = linear.params[name, level]
            np.testing.assert_allclose(ours, theirs.params, atol=1e-5)
            losses = [
                check_loss(sample.target[:, at] - sample.linear @ coefs, level).sum()
                for coefs in (ours.to_numpy(), theirs.params)
            ]
            # statsmodels stops near the minimum, and never below it
            assert losses[0] <= losses[1] * (1 + 1e-12)
            assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert linear.converged and linear.is_linear


def test_weights_are_copies_of_rows():
    g = np.random.default_rng(0)
    x = np.column_stack([np.ones(60), g.standard_normal((60, 2))])
    y, weights = x @ [1.0, 2.0, -1.0] + g.standard_normal(60), g.integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weights)
    once, _ = quantile_regression(x, y, weights.astype(float), 0.3)
    often, gap = quantile_regression(x[rows], y[rows], np.ones(len(rows)), 0.3)
    np.testing.assert_allclose(once, often, atol=1e-9)
    assert gap < 1e-9


def test_the_smoothed_loss_has_its_derivatives_and_tends_to_the_check_function():
    loss, error = Check(0.2, 0.1), np.linspace(-2.0, 2.0, 41)
    with jax.enable_x64(True):
        values = np.asarray(loss.value(error, 0.0 * error))
        traced = [np.asarray(each(error, 0.0 * error)) for each in (loss.value, loss.slope,
                  loss.curvature)]  # fmt: skip
        step = 1e-6
        up, down = (np.asarray(loss.value(error, 0.0 * error + s)) for s in (step, -step))
        slope = np.asarray(loss.slope(error, 0.0 * error))
        ends = [np.asarray(loss.slope(error, 0.0 * error + s)) for s in (step, -step)]
        curvature = np.asarray(loss.curvature(error, 0.0 * error))
    np.testing.assert_allclose(loss.derivatives(0.0 * error, error), traced, atol=1e-12)
    np.testing.assert_allclose(slope, (up - down) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(curvature, (ends[0] - ends[1]) / (2 * step), atol=1e-7)
    np.testing.assert_allclose(values, check_loss(error, 0.2), atol=0.1 * np.log(2.0) + 1e-12)


def test_smoothed_regressions_are_minima_near_the_exact_one():
    g = np.random.default_rng(1)
    x = np.column_stack([np.ones(400), g.standard_normal((400, 2))])
    y = x @ [0.5, 1.0, -1.0] + g.standard_t(4, 400)
    network, ones = Dense(3, 0, (), "tanh"), np.ones(400)
    exact, _ = quantile_regression(x, y, ones, 0.9)
    gaps = []
    for width in (0.5, 0.02):
        loss = Check(0.9, width)
        found = smooth_regression(network, x, y, ones, loss)
        with jax.enable_x64(True):
            slope = np.asarray(loss.slope(y, x @ found))
        np.testing.assert_allclose(x.T @ slope / 400, 0.0, atol=1e-9)
        gaps.append(np.abs(found - exact).max())
    assert gaps[1] < 0.05 < gaps[0]
    rule = smoothed_check(x, y, 0.9)
    assert 0.02 < rule.width < 0.3
    assert 2.0 * np.log2(rule.width) == pytest.approx(round(2.0 * np.log2(rule.width)))


def test_scores_are_those_of_the_normal_distribution_and_can_be_undone():
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = np.broadcast_to(2.0 + 3.0 * stats.norm.ppf(levels), (101, 5))
    values = np.linspace(-12.0, 16.0, 101)
    scores = scores_of(values, quantiles, levels)
    np.testing.assert_allclose(scores, (values - 2.0) / 3.0, atol=1e-12)
    np.testing.assert_allclose(values_of(scores, quantiles, levels), values, atol=1e-12)
    # skewed quantiles, and two that coincide
    uneven = np.broadcast_to([-4.0, -1.0, 0.0, 0.0, 1.0], (101, 5))
    back = values_of(scores_of(values, uneven, levels), uneven, levels)
    np.testing.assert_allclose(back, values, atol=1e-12)
    assert rearranged(np.array([3.0, 1.0, 2.0])).tolist() == [1.0, 2.0, 3.0]


def test_networks_see_how_wide_the_distribution_is():
    data = bursts(1400)
    model = ne.NeuralAR(data.iloc[:400], linear_lags=1, hidden=(4,), loss="quantile",
                        quantiles=LEVELS)  # fmt: skip
    results = model.fit(alpha=0.002, n_starts=2)
    assert results.converged and not results.is_linear
    new = results.apply(data.iloc[400:])
    before = data["y"].shift(1).loc[new.fittedvalues.index]
    actual = data["y"].loc[new.fittedvalues.index]
    plain = model.fit(alpha=np.inf).apply(data.iloc[400:])
    for level in (0.1, 0.9):
        ours, theirs = (
            check_loss((actual - one.fittedvalues["y", level]).to_numpy(), level).mean()
            for one in (new, plain)
        )
        assert ours < 0.95 * theirs, level
    width = new.fittedvalues["y", 0.9] - new.fittedvalues["y", 0.1]
    true = 2.0 * stats.norm.ppf(0.9) * spread(before)
    inside = before.abs() < 2.0
    assert np.corrcoef(width[inside], true[inside])[0, 1] > 0.8
    # shares below the quantiles, also where it is calm
    calm = before.abs() > 0.8
    for level in LEVELS:
        below = (actual < new.fittedvalues["y", level])[calm].mean()
        assert below == pytest.approx(level, abs=0.07)


def test_quantiles_do_not_cross_and_the_penalty_is_chosen_by_their_loss():
    data = bursts(400, seed=1)
    model = ne.NeuralAR(data, linear_lags=1, hidden=(3,), loss="quantile", quantiles=LEVELS)
    results = model.fit(alphas=4, n_starts=1)
    assert (np.diff(results.fittedvalues.to_numpy(), axis=1) >= 0).all()
    assert 0.0 <= results.crossings < 0.5
    place = ("y", 0.9)
    cv = results.cv[place]
    rows = cv.predictions[cv.predictions["fold"] == 0]
    expected = check_loss((rows["actual"] - rows["baseline"]).to_numpy(), 0.9).mean()
    assert cv.scores[0, 0] == pytest.approx(expected)
    assert np.isfinite(results.alpha["y", 0.1]) and np.isfinite(results.alpha["y", 0.9])
    assert results.edf.between(1.9, 60).all()
    text = str(results.summary())
    assert "y, 0.9" in text and "CV linear" in text
    table = results.equations_frame()
    assert (table["loss"] <= table["linear"] + 1e-9).all()


def test_iterated_quantiles_are_those_of_the_process():
    """An AR(1) with normal shocks: means and variances at each horizon are known."""
    data = autoregression(4000)
    results = ne.NeuralAR(data, linear_lags=1, hidden=(), loss="quantile").fit()
    made = results.get_forecast(4, repetitions=4000)
    last, ahead = data["y"].iloc[-1], np.arange(1, 5)
    sd = np.sqrt((1.0 - 0.49**ahead) / 0.51)
    expected = 0.7**ahead * last + np.outer(stats.norm.ppf(made.levels), sd)
    np.testing.assert_allclose(made.quantiles[:, 0], expected.T, atol=0.15)
    first = results.fittedvalues.columns.size
    assert first == 5 and made.paths.shape == (4000, 4, 1)
    pd.testing.assert_frame_equal(made.median, results.forecast(4).round(12), atol=0.1)
    normal = results.get_forecast(4, repetitions=4000, shocks="normal")
    np.testing.assert_allclose(normal.quantiles[:, 0], expected.T, atol=0.15)
    # interpolation between levels, on the scale of normal quantiles
    between = 0.7 * last + stats.norm.ppf(0.15)
    assert made.at([0.15])[0, 0, 0] == pytest.approx(between, abs=0.15)


def test_series_stay_dependent_and_late_values_are_used():
    g, n = np.random.default_rng(2), 600
    a = g.standard_normal(n)
    b = 0.9 * a + np.sqrt(1.0 - 0.81) * g.standard_normal(n)
    a[-1] = b[-1] = 0.0
    data = frame(a).rename(columns={"y": "a"}).assign(b=b)
    model = ne.NeuralAR.from_formula("a + b ~ 1", data, linear_lags=1, hidden=(), loss="quantile")
    results = model.fit()
    paths = results.get_forecast(2).paths[:, 0]
    assert np.corrcoef(paths.T)[0, 1] > 0.8
    late = pd.DataFrame({"a": [2.0], "b": [np.nan]}, data.index[-1:] + 1)
    made = results.append(late).get_forecast(1)
    # what is forecast is the period after the one that is half known
    assert made.index[0] == data.index[-1] + 2
    both = results.apply(pd.concat([data, late]))
    future = both._paths(
        *_future_and_options(both),
    )
    assert future[:, 0, 0].std() == 0.0
    assert future[:, 0, 1].mean() == pytest.approx(1.8, abs=0.25)


def _future_and_options(results):
    ordinals = ordinals_from(results.model, results.data, len(results.data.index))
    future = future_of(results.model, results.data, ordinals, 1, None, None)
    return future, 500, "bootstrap", np.random.default_rng(0)


def test_direct_quantiles_are_quantreg_on_later_outcomes():
    model = ne.NeuralAR.from_formula(
        "infl ~ unemp", MACRO, linear_lags=1, hidden=(2,), loss="quantile", quantiles=LEVELS,
        strategy="direct", horizon=3,
    )  # fmt: skip
    results = model.fit(alpha=np.inf)
    data = MACRO[["infl", "unemp"]]
    made = results.get_forecast(3)
    for horizon in (1, 3):
        rows = pd.concat([data["infl"], data.shift(horizon)], axis=1).dropna().to_numpy()
        for level in LEVELS:
            fit = sm.QuantReg(rows[:, 0], sm.add_constant(rows[:, 1:])).fit(
                q=level, p_tol=1e-10, max_iter=5000
            )
            np.testing.assert_allclose(
                results.params[horizon, "infl", level], fit.params, atol=1e-5
            )
            ahead = float(fit.params @ [1.0, *data.iloc[-1]])
            at = LEVELS.index(level)
            assert made.quantiles[horizon - 1, 0, at] == pytest.approx(ahead, abs=1e-4)
    assert results.at(3).fittedvalues.shape[1] == 3
    assert made.paths is None
    again = model.fit(alpha={"infl": [[np.inf] * 3, [0.05] * 3, [np.inf] * 3]}, n_starts=1)
    assert again.alphas_chosen["infl"][1] == [0.05] * 3
    assert "h=2, infl, 0.9" in str(again.summary())


def test_equations_may_have_lags_of_their_own():
    pairs = {"infl": (3, 0), "unemp": (1, 2)}
    model = ne.NeuralAR.from_formula(
        "infl + unemp ~ 1", MACRO, lags_by_equation=pairs, hidden=(2,), loss="quantile",
        quantiles=LEVELS,
    )  # fmt: skip
    results = model.fit(alpha=np.inf)
    assert (results.params.loc[[f"L{lag}.unemp" for lag in (1, 2, 3)], "infl"] == 0.0).all().all()
    sample, names = model.sample, list(model.exog_names)
    own = [names.index(name) for name in ("const", "L1.infl", "L2.infl", "L3.infl")]
    fit = sm.QuantReg(sample.target[:, 0], sample.linear[:, own]).fit(q=0.9, p_tol=1e-10)
    np.testing.assert_allclose(results.params["infl", 0.9].iloc[own], fit.params, atol=1e-5)
    made = results.get_forecast(3)
    ahead = fit.params @ [1.0, *MACRO["infl"].iloc[[-1, -2, -3]]]
    assert made.quantiles[0, 0, 2] == pytest.approx(ahead, abs=1e-4)
    assert np.isfinite(made.quantiles).all()


def test_backtests_take_intervals_from_the_quantiles(linear, tmp_path):
    model = ne.NeuralAR.from_formula(
        "infl ~ unemp", MACRO, linear_lags=1, hidden=(2,), loss="quantile"
    )
    found = ne.backtest(
        {"quantiles": (model, {"alpha": 0.02, "n_starts": 1})}, MACRO, initial=195, horizon=2,
        reselect=2, progress=False,
    )  # fmt: skip
    first = found.forecasts.iloc[0]
    alone = model.on(MACRO.iloc[:195]).fit(alpha=0.02, n_starts=1)
    made = alone.get_forecast(2).summary_frame(0.1).iloc[0]
    assert first["lower"] == made["q0.05"] and first["upper"] == made["q0.95"]
    assert first["forecast"] == made["q0.5"]
    row = found.forecasts.iloc[0]
    expected = check_loss(np.array([row["actual"] - row["lower"]]), 0.05)
    expected = expected + check_loss(np.array([row["actual"] - row["upper"]]), 0.95)
    losses = found.losses("infl", 1, "quantile_score")
    assert losses.iloc[0, 0] == pytest.approx(expected[0])
    # the score is that of the quantiles, and of draws where futures are simulated
    own = alone.get_forecast(2).at(CRPS_LEVELS)[0, 0]
    crps = 2.0 * np.mean(
        [check_loss(first["actual"] - q, u) for q, u in zip(own, CRPS_LEVELS, strict=True)]
    )
    assert first["crps"] == pytest.approx(crps)
    assert found.losses("infl", 1, "crps").iloc[0, 0] == pytest.approx(crps)
    alone.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    np.testing.assert_array_equal(again.get_forecast(3).quantiles, alone.get_forecast(3).quantiles)
    refit = alone.append(MACRO[["infl", "unemp"]].iloc[195:197], refit=True)
    assert refit.nobs == alone.nobs + 2 and refit.alphas_chosen == alone.alphas_chosen


def test_what_makes_no_sense_is_refused(linear):
    data = MACRO[["infl"]]
    for options, message in (
        ({"loss": "quantile", "quantiles": (0.1, 0.9)}, "among them 0.5"),
        ({"loss": "quantile", "quantiles": (0.5,)}, "both sides"),
        ({"loss": "quantile", "quantiles": (0.0, 0.5, 0.9)}, "between 0 and 1"),
        ({"loss": "quantile", "quantiles": 0.5}, "quantiles=0.5"),
        ({"quantiles": (0.1, 0.5, 0.9)}, "belongs to loss='quantile'"),
    ):
        with pytest.raises(SpecificationError, match=message):
            ne.NeuralAR(data, **options)
    with pytest.raises(ForecastError, match=r"alpha=0.02 needs quantiles 0.01"):
        linear.get_forecast(1).summary_frame(0.02)
    with pytest.raises(SpecificationError, match="2 penalties for 'infl'"):
        linear.model.fit(alpha={"infl": [1.0, 2.0], "growth": 1.0})
    with pytest.raises(SpecificationError, match="several horizons"):
        linear.at(1)


def test_backtests_score_simulated_futures(tmp_path):
    """Draws where there are some, and the normal distribution of a VAR."""
    model = ne.NeuralAR.from_formula("infl ~ unemp", MACRO, linear_lags=1, hidden=(2,))
    given = {"network": (model, {"alpha": 0.005, "n_starts": 1}), "ar": ne.baselines.ar(1)}
    found = ne.backtest(given, MACRO, targets=["infl"], initial=201, horizon=2, progress=False)
    table = found.forecasts[found.forecasts["horizon"] == 2]
    table = table.drop_duplicates("model").set_index("model")
    paths = model.on(MACRO.iloc[:201]).fit(alpha=0.005, n_starts=1).get_forecast(2).paths[:, 1, 0]
    y = table.loc["network", "actual"]
    expected = np.abs(paths - y).mean() - np.abs(paths[:, None] - paths).mean() / 2.0
    assert table.loc["network", "crps"] == pytest.approx(expected, rel=0.02)
    sd = (table.loc["ar", "upper"] - table.loc["ar", "lower"]) / (2.0 * stats.norm.ppf(0.95))
    normal = crps_normal(np.array([y]), np.array([table.loc["ar", "forecast"]]), np.array([sd]))
    assert table.loc["ar", "crps"] == pytest.approx(normal[0])
    losses = found.losses("infl", 2, "crps").iloc[0]
    assert losses.to_dict() == table["crps"].to_dict()
    found.save(tmp_path / "backtest.zip")
    again = ne.load(tmp_path / "backtest.zip")
    pd.testing.assert_frame_equal(again.accuracy(), found.accuracy())


@pytest.mark.parametrize("family", ["lstm", "attention", "conv"])
def test_networks_on_windows(family):
    build, own = {
        "lstm": (ne.LSTMForecaster, {"units": (2,)}),
        "attention": (ne.AttentionForecaster, {"units": 2}),
        "conv": (ne.ConvForecaster, {"channels": (2,)}),
    }[family]
    data = bursts(200, seed=3)
    model = build(data, linear_lags=1, window=2, loss="quantile", quantiles=LEVELS, **own)
    results = model.fit(alpha=0.003, n_starts=1)
    assert results.converged
    assert (np.diff(results.fittedvalues.to_numpy(), axis=1) >= 0).all()
    assert results.get_forecast(2).quantiles.shape == (2, 1, 3)


@pytest.mark.slow
def test_intervals_cover():
    """Of 300 periods, shares of outcomes within the 90% interval, one and four periods ahead."""
    inside = {"linear": [], "network": []}
    for seed in range(60):
        data = bursts(304, seed=100 + seed)
        model = ne.NeuralAR(data.iloc[:300], linear_lags=1, hidden=(4,), loss="quantile")
        for name, alpha in (("linear", np.inf), ("network", 0.005)):
            made = model.fit(alpha=alpha, n_starts=2).get_forecast(4)
            low, high = made.limits(0.1)
            g = np.random.default_rng(seed)
            y = np.full(2000, data["y"].iloc[299])
            held = []
            for ahead in range(4):
                y = 0.6 * y + spread(y) * g.standard_normal(2000)
                held.append(((low[ahead] <= y) & (y <= high[ahead])).mean())
            inside[name].append(held)
    for name, shares in inside.items():
        mean = np.mean(shares, axis=0)
        assert (np.abs(mean - 0.9) < 0.03).all(), (name, mean)
