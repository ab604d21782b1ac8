"""Baselines equal statsmodels; intervals of the naive ones equal R and cover."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.tsa.ar_model import AutoReg, ar_select_order
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.vector_ar.var_model import VAR

import nnecon as ne
from nnecon import baselines
from nnecon.exceptions import DataError, ForecastError, SpecificationError

TARGETS = ["growth", "infl", "tbilrate"]
STEPS = 12


@pytest.fixture(scope="module")
def frame():
    return ne.datasets.load_macro()[TARGETS]


def same(actual, expected, tolerance=1e-8):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=tolerance, atol=1e-10)


def assert_forecasts(fitted, mean, lower, upper, targets=TARGETS):
    outlook = fitted.get_forecast(STEPS)
    same(fitted.forecast(STEPS)[targets], mean)
    interval = outlook.conf_int(0.1)
    same(interval[[f"lower {name}" for name in targets]], lower)
    same(interval[[f"upper {name}" for name in targets]], upper)


@pytest.mark.parametrize("trend", ["n", "c", "ct", "ctt"])
@pytest.mark.parametrize("lags", [1, 4])
def test_var_is_statsmodels(frame, lags, trend):
    known = frame.dropna()
    expected = VAR(known.to_numpy()).fit(lags, trend=trend)
    fitted = baselines.var(lags, trend).fit(frame)
    last = known.to_numpy()[-lags:]
    assert_forecasts(fitted, *expected.forecast_interval(last, STEPS, alpha=0.1))


@pytest.mark.parametrize("criterion", ["aic", "bic", "hqic"])
def test_criteria_choose_as_in_statsmodels(frame, criterion):
    known = frame.dropna().to_numpy()
    order = getattr(VAR(known).select_order(6), criterion)
    assert baselines.var(criterion, maxlags=6).fit(frame).choice.startswith(f"{order} lag")
    chosen = baselines.ar(criterion, maxlags=6).fit(frame)
    for unit, column in zip(chosen.units, known.T, strict=True):
        assert unit.order == len(ar_select_order(column, 6, ic=criterion).ar_lags)


def test_white_noise_may_get_no_lags():
    noise = pd.DataFrame(
        np.random.default_rng(3).standard_normal((80, 2)),
        columns=["y", "x"],
        index=pd.period_range("1990Q1", periods=80, freq="Q"),
    )
    for baseline in (baselines.ar("bic"), baselines.var("bic")):
        fitted = baseline.fit(noise)
        assert fitted.choice == "0 lags"
        same(fitted.forecast(2)["y"], np.full(2, noise["y"].mean()))


@pytest.mark.parametrize("trend", ["n", "c", "ct", "ctt"])
def test_ar_is_autoreg(frame, trend):
    series = frame["infl"].dropna().to_numpy()
    expected = AutoReg(series, 3, trend=trend).fit()
    found = expected.get_prediction(len(series), len(series) + STEPS - 1)
    limits = np.asarray(found.conf_int(0.1))
    fitted = baselines.ar(3, trend).fit(frame, "infl")
    assert_forecasts(
        fitted, expected.forecast(STEPS)[:, None], limits[:, :1], limits[:, 1:], ["infl"]
    )


@pytest.mark.parametrize("order", [(1, 0, 1), (0, 1, 1)])
def test_arima_is_statsmodels(frame, order):
    series = frame["infl"].dropna().to_numpy()
    expected = ARIMA(series, order=order).fit().get_forecast(STEPS)
    limits = expected.conf_int(alpha=0.1)
    fitted = baselines.arima(order).fit(frame, "infl")
    mean = expected.predicted_mean[:, None]
    assert_forecasts(fitted, mean, limits[:, :1], limits[:, 1:], ["infl"])


def test_ets_is_statsmodels(frame):
    series = frame["tbilrate"].dropna().reset_index(drop=True)
    model = ETSModel(series, trend="add", damped_trend=True)
    expected = model.fit(disp=False).get_prediction(len(series), len(series) + STEPS - 1)
    limits = expected.pred_int(0.1).to_numpy()
    fitted = baselines.ets(trend="add", damped_trend=True).fit(frame, "tbilrate")
    mean = expected.predicted_mean.to_numpy()[:, None]
    assert_forecasts(fitted, mean, limits[:, :1], limits[:, 1:], ["tbilrate"])


def test_multiplicative_intervals_are_simulated_and_always_the_same(frame):
    fitted = baselines.ets(error="mul").fit(frame, "tbilrate")
    first, second = (fitted.get_forecast(6).summary_frame(0.1) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    # a multiplicative error without trend: the level's relative error has this closed form
    results = fitted.units[0].results
    alpha = results.params[0]
    spread = [(1 + results.scale) * (1 + alpha**2 * results.scale) ** h - 1 for h in range(6)]
    same(first["mean_se"], first["mean"] * np.sqrt(spread), 0.1)


def test_naive_forecasts_are_those_of_r():
    stored = pd.read_csv(Path(__file__).parent / "naive_forecasts.csv", comment="#")
    values = [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118]
    values += [115, 126, 141, 135, 125, 149, 170, 170]
    frame = pd.DataFrame({"y": values}, index=pd.period_range("2001Q1", periods=20, freq="Q"))
    models = {
        "meanf": baselines.mean(),
        "naive": baselines.random_walk(),
        "drift": baselines.random_walk(drift=True),
        "snaive": baselines.seasonal_naive(4),
    }
    for name, model in models.items():
        expected = stored[stored["model"] == name]
        found = model.fit(frame).get_forecast(6).summary_frame(0.1)
        same(found["mean"], expected["mean"])
        # R takes normal quantiles for the others
        quantile = stats.t(19).ppf(0.95) if name == "meanf" else stats.norm.ppf(0.95)
        same(found["mean_se"], (expected["upper"] - expected["mean"]) / quantile)


def test_direct_regression_is_ols_horizon_by_horizon(frame):
    formula = "growth ~ lag(growth, 1, 2) + lag(tbilrate, 1)"
    fitted = baselines.ols(formula).fit(frame)
    y, rate = frame["growth"].to_numpy(), frame["tbilrate"].to_numpy()
    found = fitted.get_forecast(8).summary_frame(0.1)
    for h in range(1, 9):
        rows = np.arange(2 + h, len(y))
        x = np.column_stack([np.ones(len(rows)), y[rows - h], y[rows - h - 1], rate[rows - h]])
        now = np.array([[1.0, y[-1], y[-2], rate[-1]]])
        expected = OLS(y[rows], x).fit().get_prediction(now).summary_frame(0.1)
        names = ["mean", "obs_ci_lower", "obs_ci_upper"]
        mine = found.iloc[h - 1][["mean", "mean_ci_lower", "mean_ci_upper"]]
        same(mine, expected[names].iloc[0])


MODELS = {
    "var": baselines.var(2),
    "var with trend": baselines.var(2, "ct"),
    "ar": baselines.ar(4, "ct"),
    "arima": baselines.arima((1, 0, 1)),
    "arima with trend": baselines.arima((1, 0, 0), trend="ct"),
    "ets": baselines.ets(),
    "random walk": baselines.random_walk(drift=True),
    "seasonal naive": baselines.seasonal_naive(4),
    "mean": baselines.mean(),
    "ols": baselines.ols(*(f"{name} ~ lag({name}, 1, 2)" for name in TARGETS)),
}


@pytest.mark.parametrize("name", MODELS)
def test_apply_to_the_same_data_changes_nothing(frame, name):
    fitted = MODELS[name].fit(frame, TARGETS)
    before = fitted.get_forecast(6).summary_frame()
    pd.testing.assert_frame_equal(fitted.apply(frame).get_forecast(6).summary_frame(), before)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("ets", "arima")])
def test_apply_to_a_later_window_continues_the_trend(frame, name):
    """A window with the same end gives the same forecast, wherever it begins."""
    fitted = MODELS[name].fit(frame, TARGETS)
    moved = fitted.apply(frame.iloc[60:])
    # the filter of ARIMA starts anew, and forgets
    same(moved.forecast(6), fitted.forecast(6), 1e-6 if name.startswith("arima") else 1e-10)


def test_apply_keeps_parameters(frame):
    early = frame.iloc[:100]
    fitted = baselines.var(1).fit(early)
    results = VAR(early.dropna().to_numpy()).fit(1)
    same(fitted.apply(frame).forecast(3), results.forecast(frame.to_numpy()[-1:], 3))


def test_ets_in_a_later_window_keeps_the_smoothing_and_finds_its_level(frame):
    fitted = baselines.ets().fit(frame.iloc[:120], "tbilrate")
    window = frame.iloc[60:150]
    moved = fitted.apply(window)
    assert moved.units[0].results.params[0] == fitted.units[0].results.params[0]
    smoothing = fitted.units[0].results.params[0]
    level = moved.units[0].results.params[1]
    for value in window["tbilrate"]:
        level += smoothing * (value - level)
    same(moved.forecast(1), [[level]])


@pytest.mark.parametrize("name", MODELS)
def test_late_series_get_their_own_forecast(frame, name):
    """Growth is published a quarter late: its forecast is one step longer."""
    late = frame.copy()
    late.loc[late.index[-1], "growth"] = np.nan
    found = MODELS[name].fit(late, TARGETS).forecast(4)["growth"]
    cut = late.iloc[:-1]
    expected = MODELS[name].fit(cut, TARGETS).forecast(5)["growth"].iloc[1:]
    pd.testing.assert_series_equal(found, expected)


@pytest.mark.parametrize("kind", ["datetime", "integer", "period"])
def test_forecasts_continue_the_index(frame, kind):
    index = {
        "datetime": frame.index.to_timestamp(how="end").normalize(),
        "integer": pd.RangeIndex(1, len(frame) + 1),
        "period": frame.index,
    }[kind]
    found = baselines.mean().fit(frame.set_axis(index, axis=0)).forecast(2).index
    last = {"datetime": "2010-03-31", "integer": "205", "period": "2010Q1"}[kind]
    assert str(found[-1]).startswith(last)
    assert type(found) is type(index)


def test_lags_are_kept_where_asked(frame):
    early, late = frame.iloc[:80], frame
    baseline = baselines.ar("aic", maxlags=8)
    first = baseline.fit(early, TARGETS)
    kept = baseline.fit(late, TARGETS, like=first)
    assert [unit.order for unit in kept.units] == [unit.order for unit in first.units]
    fresh = baseline.fit(late, TARGETS)
    assert [unit.order for unit in fresh.units] != [unit.order for unit in first.units]


MISTAKES = {
    "unknown target": (lambda f: baselines.mean().fit(f, ["gdp"]), DataError, "unknown target"),
    "repeated target": (lambda f: baselines.mean(targets=["a", "a"]), SpecificationError, "'a'"),
    "numbered target": (lambda f: baselines.mean(targets=0), SpecificationError, "0 is no text"),
    "no target": (lambda f: baselines.mean(targets=[]), SpecificationError, "at least one"),
    "lags": (lambda f: baselines.var("cv"), SpecificationError, "'cv'"),
    "negative lags": (lambda f: baselines.ar(-1), SpecificationError, "lags=-1"),
    "maxlags": (lambda f: baselines.ar(2, maxlags=4), SpecificationError, "no effect"),
    "trend": (lambda f: baselines.ar(2, "x"), SpecificationError, "trend"),
    "too short": (lambda f: baselines.var(4).fit(f.iloc[:9]), DataError, "too few for 4 lags"),
    "one value": (lambda f: baselines.random_walk().fit(f.iloc[:2]), DataError, "too few"),
    "year": (lambda f: baselines.seasonal_naive(0), SpecificationError, "period=0"),
    "order": (lambda f: baselines.arima((1, 0)), SpecificationError, "order=(1, 0)"),
    "season": (lambda f: baselines.ets(seasonal="add"), SpecificationError, "both or neither"),
    "error": (lambda f: baselines.ets("x"), SpecificationError, "error"),
    "damped": (lambda f: baselines.ets(damped_trend=True), SpecificationError, "trend='add'"),
    "negative": (lambda f: baselines.ets("mul").fit(f, "growth"), DataError, "positive values"),
    "zero steps": (lambda f: baselines.mean().fit(f).forecast(0), ForecastError, "steps=0"),
    "exog": (lambda f: baselines.mean().fit(f).forecast(1, f), ForecastError, "leave exog out"),
    "level": (lambda f: baselines.mean().fit(f).get_forecast(1).conf_int(5), ValueError, "alpha=5"),
    "no formula": (lambda f: baselines.ols(), SpecificationError, "formula"),
    "unlagged": (
        lambda f: baselines.ols("growth ~ infl").fit(f),
        SpecificationError,
        "with a lag",
    ),
    "spline": (lambda f: baselines.ols("y ~ bs(lag(x, 1), df=3)"), SpecificationError, "bs()"),
    "twice": (lambda f: baselines.ols("y ~ lag(y, 1)", "y ~ lag(x, 1)"), SpecificationError, "'y'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(frame, mistake):
    call, error, text = MISTAKES[mistake]
    with pytest.raises(error) as caught:
        call(frame)
    assert text in str(caught.value)


def test_holes_gaps_and_other_frequencies(frame):
    hole = frame.copy()
    hole.loc[hole.index[50], "infl"] = np.nan
    with pytest.raises(DataError, match="'infl' is missing at 1971Q3"):
        baselines.ar(1).fit(hole)
    with pytest.raises(DataError, match="gap: 1971Q3"):
        baselines.ar(1).fit(frame.drop(frame.index[50]))
    monthly = frame.set_axis(frame.index.asfreq("M"), axis=0)
    monthly = monthly.reindex(pd.period_range("1959-03", "2009-09", freq="M"))
    monthly["index"] = np.arange(len(monthly), dtype=float)
    with pytest.raises(DataError, match="one period of 3 only"):
        baselines.ar(1).fit(monthly, "infl")
    with pytest.raises(ForecastError, match="frequency"):
        baselines.ar(1).fit(frame, "infl").apply(monthly)
    with pytest.raises(DataError, match="not numeric"):
        baselines.mean().fit(frame.assign(text="a"))
    with pytest.raises(DataError, match="no values"):
        baselines.mean().fit(frame.assign(empty=np.nan))
    with pytest.raises(DataError, match="infinite at 1959Q1"):
        baselines.mean().fit(frame.assign(growth=np.inf))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random_walk", "drift", "seasonal", "mean", "ar", "var"])
def test_intervals_cover(name):
    """90% intervals at horizons 1 to 8 in 2,000 samples of 40 periods (AR and VAR: 200 periods).

    Naive intervals are exact; those of AR and VAR leave out the error of the estimates.
    """
    reps, size, ahead = 2000, 200 if name in ("ar", "var") else 40, 8
    g = np.random.default_rng(0)
    model = {
        "random_walk": baselines.random_walk(),
        "drift": baselines.random_walk(drift=True),
        "seasonal": baselines.seasonal_naive(4),
        "mean": baselines.mean(),
        "ar": baselines.ar(1),
        "var": baselines.var(1),
    }[name]
    index = pd.period_range("1900Q1", periods=size, freq="Q")
    hits = np.zeros(ahead)
    for _ in range(reps):
        shocks = g.standard_normal((size + ahead, 2 if name == "var" else 1))
        if name == "mean":
            path = shocks
        elif name in ("ar", "var"):
            path = np.zeros_like(shocks)
            for t in range(1, len(path)):
                path[t] = 0.6 * path[t - 1] + 0.2 * path[t - 1][::-1] * (name == "var") + shocks[t]
        elif name == "seasonal":
            path = shocks.reshape(-1, 4).cumsum(axis=0).reshape(-1, 1)
        else:
            path = (shocks + 0.3 * (name == "drift")).cumsum(axis=0)
        frame = pd.DataFrame(path[:size], index=index).rename(columns=str)
        found = model.fit(frame).get_forecast(ahead).conf_int(0.1)
        actual = path[size:, 0]
        hits += (found["lower 0"].to_numpy() <= actual) & (actual <= found["upper 0"].to_numpy())
    low, high = (0.87, 0.915) if name in ("ar", "var") else (0.885, 0.915)
    assert (hits / reps > low).all() and (hits / reps < high).all(), hits / reps
