"""Backtests of nnecon's models: equal to the naive loop, blind to what comes later."""

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pytest
from forecasting_models import NETWORKS, data

import nnecon as ne
from nnecon import baselines
from nnecon.exceptions import ConvergenceWarning, NneconWarning, SpecificationError

FIRST = 72
COLUMNS = ["forecast", "lower", "upper"]


@pytest.fixture(scope="module")
def frame():
    return data()


def loop(network, frame, rows, window, horizon):
    """Slice, build, fit, forecast."""
    found = []
    for row in rows:
        known = frame.iloc[row + 1 - window if window else 0 : row + 1]
        results = network.build(known).fit(**network.options)
        found.append(network.forecast(results, known, horizon))
    return np.concatenate(found)


@pytest.mark.parametrize("window", ["expanding", "rolling"])
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_naive_loop(frame, name, window):
    network = NETWORKS[name]
    options = {"horizon": network.horizon, "initial": FIRST, "step": 14, "window": window}
    found = ne.backtest({name: (network.build(frame), network.options)}, frame, **options)
    rows = range(FIRST - 1, len(frame) - 1, 14)
    fixed = FIRST if window == "rolling" else None
    expected = loop(network, frame, rows, fixed, network.horizon)
    np.testing.assert_allclose(found.forecasts[COLUMNS], expected, rtol=1e-6, atol=1e-8)


def test_processes_equal_the_naive_loop(frame):
    """Every estimator, samples that grow and that roll, on an executor."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for window in ("expanding", "rolling"):
            for horizon in {network.horizon for network in NETWORKS.values()}:
                some = {name: one for name, one in NETWORKS.items() if one.horizon == horizon}
                models = {name: (one.build(frame), one.options) for name, one in some.items()}
                options = {"horizon": horizon, "initial": FIRST, "step": 28, "window": window}
                found = ne.backtest(models, frame, executor=pool, **options).forecasts
                rows = range(FIRST - 1, len(frame) - 1, 28)
                for name, network in some.items():
                    fixed = FIRST if window == "rolling" else None
                    expected = loop(network, frame, rows, fixed, horizon)
                    own = found.loc[found["model"] == name, COLUMNS]
                    np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-8)


def test_the_choice_of_a_penalty_equals_the_naive_loop(frame):
    network = NETWORKS["NeuralAR"]
    options = {"n_starts": 2, "alphas": 4, "cv": 3}
    model = (network.build(frame), options)
    found = ne.backtest({"net": model}, frame, initial=len(frame) - 15, step=14, intervals=False)
    rows = [len(frame) - 16, len(frame) - 2]
    for row in rows:
        results = network.build(frame.iloc[: row + 1]).fit(**options)
        own = found.forecasts[found.forecasts["cutoff"] == frame.index[row]]
        np.testing.assert_allclose(own["forecast"], results.forecast(1).iloc[0], rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_intervals_the_forecasts_are_the_same(frame, name):
    network = NETWORKS[name]
    options = {"horizon": network.horizon, "initial": len(frame) - 2}
    models = {"net": (network.build(frame), network.options), "ar": baselines.ar(1)}
    found = ne.backtest(models, frame, intervals=False, **options)
    with_them = ne.backtest(models, frame, **options)
    np.testing.assert_array_equal(found.forecasts["forecast"], with_them.forecasts["forecast"])
    assert found.forecasts[["lower", "upper"]].isna().all().all()
    accuracy = found.accuracy()
    assert accuracy["rmse"].notna().all() and accuracy["coverage"].isna().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_changes_after_a_cutoff_change_no_forecast_made_at_it(frame, name):
    network = NETWORKS[name]
    options = {"horizon": network.horizon, "initial": FIRST, "step": 14}
    model = (network.build(frame), network.options)
    before = ne.backtest({name: model}, frame, **options)
    cutoff = before.cutoffs[1]
    other = frame.copy()
    later = other.index > cutoff
    noise = np.random.default_rng(0).normal(3.0, 20.0, (later.sum(), other.shape[1]))
    other.loc[later] = noise
    after = ne.backtest({name: model}, other, **options)
    rows = before.forecasts["cutoff"] <= cutoff
    np.testing.assert_array_equal(
        before.forecasts.loc[rows, COLUMNS], after.forecasts.loc[rows, COLUMNS]
    )
    assert not after.forecasts.equals(before.forecasts)


@pytest.mark.parametrize("name", NETWORKS)
def test_refit_false_keeps_the_parameters(frame, name):
    network = NETWORKS[name]
    if not hasattr(network.build(frame).fit(**network.options), "apply"):
        pytest.skip("its results have no apply")
    options = {"horizon": network.horizon, "initial": FIRST, "step": 14, "refit": False}
    found = ne.backtest({name: (network.build(frame), network.options)}, frame, **options)
    results = network.build(frame.iloc[:FIRST]).fit(**network.options)
    known = frame.iloc[: FIRST + 14]
    expected = network.forecast(results.apply(known), known, network.horizon)
    rows = found.forecasts["cutoff"] == known.index[-1]
    np.testing.assert_allclose(found.forecasts.loc[rows, COLUMNS], expected, rtol=1e-8)


def test_a_regression_uses_its_own_data_and_predicts_one_period_ahead(frame):
    model = ne.NeuralRegression.from_formula("infl ~ lag(infl, 1, 2)", frame, hidden=())
    direct = baselines.ols("infl ~ lag(infl, 1, 2)")
    found = ne.backtest({"regression": model, "ols": direct}, initial=len(frame) - 2)
    values = found.forecasts.groupby("model")["forecast"].apply(np.array)
    np.testing.assert_allclose(values["regression"], values["ols"], rtol=1e-8)
    with pytest.raises(SpecificationError, match="horizon=1"):
        ne.backtest({"regression": model}, initial=FIRST, horizon=2)
    contemporaneous = ne.NeuralRegression.from_formula("infl ~ growth", frame, hidden=())
    with pytest.raises(SpecificationError, match="with a lag"):
        ne.backtest({"regression": contemporaneous}, initial=FIRST)


def test_reselect_keeps_the_penalty(frame):
    model = ne.NeuralRegression.from_formula("infl ~ lag(infl, 1, 2)", frame, hidden=(2,))
    options = {"alphas": [1.0, 0.1, 0.01], "n_starts": 2, "cv": 3}
    with pytest.warns(NneconWarning, match="least at the smallest penalty"):
        found = ne.backtest({"net": (model, options)}, initial=len(frame) - 4, reselect=2)
    chosen = found.choices["net"].tolist()
    assert chosen[0] == chosen[1] and chosen[2] == chosen[3]
    for number, text in enumerate(chosen):
        row = len(frame) - 5 + number - number % 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            results = model.on(frame.iloc[: row + 1]).fit(**options)
        assert text == f"alpha {results.alpha:.4g}"


def test_a_transformed_target_is_evaluated(frame):
    positive = frame.assign(rate=frame["tbilrate"] + 10.0)
    model = ne.NeuralRegression.from_formula("np.log(rate) ~ lag(rate, 1)", positive, hidden=())
    found = ne.backtest({"net": model}, positive, initial=len(frame) - 2)
    assert found.variables == ["np.log(rate)"]
    np.testing.assert_allclose(
        found.forecasts["actual"], np.log(positive["rate"]).iloc[-2:].to_numpy()
    )
    with pytest.raises(SpecificationError, match="unknown target"):
        ne.backtest({"net": model, "mean": baselines.mean()}, positive, initial=FIRST)


def test_options_of_the_engine_belong_to_the_backtest(frame):
    model = ne.NeuralRegression.from_formula("infl ~ lag(infl, 1)", frame, hidden=())
    with pytest.raises(SpecificationError, match="checkpoint is an option of backtest"):
        ne.backtest({"net": (model, {"checkpoint": "folder"})}, frame)


def test_on_other_data(frame):
    """``on`` is ``from_formula`` again, with names that the formula took from its surroundings."""
    scale = 2.0
    model = ne.NeuralRegression.from_formula(
        "infl ~ I(scale * lag(infl, 1)) + center(lag(growth, 1))", frame, hidden=(3,)
    )
    other = model.on(frame.iloc[10:60])
    again = ne.NeuralRegression.from_formula(
        "infl ~ I(scale * lag(infl, 1)) + center(lag(growth, 1))", frame.iloc[10:60], hidden=(3,)
    )
    np.testing.assert_array_equal(other.exog, again.exog)
    assert other.description == again.description
    pd.testing.assert_frame_equal(other.frame, frame.iloc[10:60])
    weighted = ne.NeuralRegression.from_formula(
        "infl ~ growth", frame, weights=np.ones(len(frame)), hidden=()
    )
    subset = ne.NeuralRegression.from_formula("infl ~ growth", frame, subset="infl > 0", hidden=())
    arrays = ne.NeuralRegression(frame["infl"], frame[["growth"]], hidden=())
    for model, text in ((weighted, "weights="), (subset, "subset="), (arrays, "from_formula")):
        with pytest.raises(SpecificationError, match=text):
            model.on(frame)
    assert arrays.frame is None
    assert scale == 2.0


def test_a_late_series_is_not_seen(frame):
    """Growth is published a quarter late; forecasts are dated from the cutoff all the same."""
    model = ne.NeuralAR.from_formula("growth + infl ~ 1", frame, hidden=(), linear_lags=1)
    options = {"initial": len(frame) - 3, "horizon": 2, "release_lag": {"growth": 1}}
    before = ne.backtest({"net": model}, frame, **options).forecasts
    cutoff = before["cutoff"].iloc[0]
    assert str(before["date"].iloc[0]) == "2009Q1" and str(cutoff) == "2008Q4"
    other = frame.copy()
    other.loc[cutoff, "growth"] = 50.0
    after = ne.backtest({"net": model}, other, **options).forecasts
    rows = before["cutoff"] == cutoff
    np.testing.assert_array_equal(before.loc[rows, COLUMNS], after.loc[rows, COLUMNS])
    # what is known of inflation in the last quarter counts
    other.loc[cutoff, "infl"] = 50.0
    moved = ne.backtest({"net": model}, other, **options).forecasts
    assert (moved.loc[rows, "forecast"] != before.loc[rows, "forecast"]).all()
    known = frame.iloc[: len(frame) - 3].copy()
    known.loc[cutoff, "growth"] = np.nan
    expected = model.on(known).fit().forecast(2)
    np.testing.assert_allclose(before.loc[rows, "forecast"], expected.to_numpy().ravel())


def test_known_regressors_are_read_off_the_data(frame):
    tax = frame.assign(tax=np.sin(np.arange(len(frame))))
    model = ne.NeuralAR.from_formula("infl ~ known(tax)", tax, hidden=(), linear_lags=1)
    found = ne.backtest({"net": model}, tax, initial=len(frame) - 3, horizon=2).forecasts
    known = tax.iloc[: len(frame) - 3]
    expected = model.on(known).fit().forecast(2, exog=tax[["tax"]].iloc[-3:-1])
    np.testing.assert_allclose(found["forecast"].iloc[:2], expected["infl"])
    # beyond the data the regressor is not known: no forecast, as there is no outcome either
    assert np.isnan(found["forecast"].iloc[-1]) and np.isnan(found["actual"].iloc[-1])
