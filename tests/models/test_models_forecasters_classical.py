"""At an infinite penalty forecasters are statsmodels' VAR and AutoReg, in everything."""

import numpy as np
import pandas as pd
import pytest
from helpers import assert_close
from statsmodels.tsa.api import VAR, AutoReg

import nnecon as ne

TARGETS = ["growth", "infl", "tbilrate"]


@pytest.fixture(scope="module")
def frame():
    return ne.datasets.load_macro()


def forecaster(kind, formula, frame, lags):
    options = {"units": (4,)} if kind is ne.LSTMForecaster else {"hidden": (4,)}
    return kind.from_formula(formula, frame, linear_lags=lags, **options)


@pytest.mark.parametrize("kind", [ne.LSTMForecaster, ne.NeuralAR])
@pytest.mark.parametrize("lags", [1, 2, 4])
def test_several_series_are_the_vector_autoregression(frame, kind, lags):
    results = forecaster(kind, "growth + infl + tbilrate ~ 1", frame, lags).fit(alpha=np.inf)
    var = VAR(frame[TARGETS].dropna()).fit(lags)
    assert results.is_linear and results.converged
    assert_close(results.params, var.params, what="params")
    assert list(results.params.index) == list(var.params.index)
    assert_close(results.fittedvalues, var.fittedvalues, what="fitted values")
    assert results.fittedvalues.index.equals(var.fittedvalues.index)
    np.testing.assert_allclose(results.resid, var.resid, atol=1e-10)
    assert_close(results.sigma_u, var.sigma_u, what="sigma_u")
    for name in ("llf", "aic", "bic", "hqic", "nobs"):
        assert_close(getattr(results, name), getattr(var, name), what=name)
    mean, lower, upper = var.forecast_interval(frame[TARGETS].to_numpy()[-lags:], 12, alpha=0.1)
    found = results.get_forecast(12)
    assert_close(found.mean, mean, what="forecasts")
    assert_close(results.forecast(12), mean, what="forecasts")
    assert_close(found.conf_int(0.1).to_numpy()[:, ::2], lower, what="lower")
    assert_close(found.conf_int(0.1).to_numpy()[:, 1::2], upper, what="upper")
    covariances = var.forecast_cov(12)
    assert_close(found.se**2, np.diagonal(covariances, axis1=1, axis2=2), what="mse")
    np.testing.assert_allclose(results.ma_rep(12), var.ma_rep(12), atol=1e-10)
    np.testing.assert_allclose(results.orth_ma_rep(12), var.orth_ma_rep(12), atol=1e-10)


@pytest.mark.parametrize("kind", [ne.LSTMForecaster, ne.NeuralAR])
@pytest.mark.parametrize("lags", [1, 3, [1, 4]])
def test_one_series_is_the_autoregression(frame, kind, lags):
    infl = frame["infl"].dropna()
    results = forecaster(kind, "infl ~ 1", frame, lags).fit(alpha=np.inf)
    auto = AutoReg(infl, lags).fit()
    assert_close(results.params["infl"], auto.params, what="params")
    assert_close(results.fittedvalues["infl"], auto.fittedvalues, what="fitted values")
    for name in ("llf", "aic", "bic", "hqic", "nobs"):
        assert_close(getattr(results, name), getattr(auto, name), what=name)
    n = len(infl)
    expected = auto.get_prediction(n, n + 11)
    found = results.get_forecast(12).summary_frame(0.1)
    assert_close(found["mean"], expected.predicted_mean, what="forecasts")
    assert_close(found["mean_se"], expected.se_mean, what="standard errors")
    assert_close(found[["mean_ci_lower", "mean_ci_upper"]], expected.conf_int(0.1), what="ends")


def test_trend_and_known_regressors_are_those_of_var_with_exog(frame):
    formula = "growth + infl ~ known(unemp) + trend"
    results = ne.LSTMForecaster.from_formula(formula, frame, linear_lags=2).fit(alpha=np.inf)
    data = frame.dropna()
    var = VAR(data[["growth", "infl"]], exog=data[["unemp"]]).fit(2, trend="ct")
    # statsmodels has the trend before the regressors
    expected = var.params.to_numpy()[[0, 2, 1, *range(3, 7)]]
    np.testing.assert_allclose(results.params.to_numpy(), expected, rtol=1e-8, atol=1e-12)
    assert_close(results.llf, var.llf, what="llf")
    assert_close(results.aic, var.aic, what="aic")
    future = pd.DataFrame(
        {"unemp": [9.7, 9.8]}, index=pd.period_range("2009Q4", periods=2, freq="Q")
    )
    ahead = results.forecast(2, exog=future)
    mean = var.forecast(data[["growth", "infl"]].to_numpy()[-2:], 2, exog_future=future.to_numpy())
    assert_close(ahead, mean, what="forecasts")


def test_seasons_are_those_of_autoreg():
    index = pd.period_range("2000-01", periods=150, freq="M")
    g = np.random.default_rng(0)
    values = np.sin(np.arange(150) * np.pi / 6) + 0.1 * g.standard_normal(150).cumsum()
    series = pd.Series(values, index=index, name="y")
    frame = series.to_frame()
    results = ne.NeuralAR.from_formula("y ~ month", frame, linear_lags=2).fit(alpha=np.inf)
    auto = AutoReg(series, 2, seasonal=True, period=12).fit()
    assert_close(results.llf, auto.llf, what="llf")
    assert_close(results.forecast(24)["y"], auto.forecast(24), what="forecasts")


def test_predictors_get_the_equations_of_the_larger_autoregression(frame):
    results = forecaster(ne.LSTMForecaster, "growth ~ infl + tbilrate", frame, 2).fit(alpha=np.inf)
    var = VAR(frame[TARGETS].dropna()).fit(2)
    assert_close(results.params["growth"], var.params["growth"], what="params")
    mean, lower, _ = var.forecast_interval(frame[TARGETS].to_numpy()[-2:], 8, alpha=0.05)
    found = results.get_forecast(8).summary_frame()
    assert_close(found["mean"], mean[:, 0], what="forecasts")
    assert_close(found["mean_ci_lower"], lower[:, 0], what="lower")


def test_lags_are_chosen_as_statsmodels_chooses_them(frame):
    var = VAR(frame[TARGETS].dropna())
    for criterion in ("aic", "bic", "hqic"):
        model = ne.LSTMForecaster.from_formula(
            "growth + infl + tbilrate ~ 1", frame, linear_lags=criterion, max_lags=6
        )
        chosen = var.select_order(6).selected_orders[criterion]
        # statsmodels also considers no lags at all
        assert model.var_lags == tuple(range(1, max(chosen, 1) + 1))


def test_arrays_equal_the_formula(frame):
    data = frame.dropna()
    by_formula = forecaster(ne.LSTMForecaster, "growth + infl ~ unemp", data, 2)
    by_frame = ne.LSTMForecaster(
        data[["growth", "infl"]], predictors=data[["unemp"]], linear_lags=2, units=(4,)
    )
    first, second = (model.fit(alpha=np.inf) for model in (by_formula, by_frame))
    pd.testing.assert_frame_equal(first.forecast(3), second.forecast(3))
    numbers = ne.LSTMForecaster(data[["growth", "infl"]].to_numpy(), linear_lags=2).fit(
        alpha=np.inf
    )
    assert list(numbers.forecast(2).columns) == ["y1", "y2"]
    assert list(numbers.forecast(2).index) == [len(data), len(data) + 1]


def test_values_that_are_there_already_are_conditioned_on(frame):
    """A series published late is forecast given the others of its period."""
    results = forecaster(ne.LSTMForecaster, "growth + infl + tbilrate ~ 1", frame, 2)
    results = results.fit(alpha=np.inf)
    late = frame.copy()
    late.loc[late.index[-1], "growth"] = np.nan
    moved = results.apply(late)
    var = VAR(frame[TARGETS].dropna()).fit(2)
    history = frame[TARGETS].to_numpy()
    predicted = var.forecast(history[-3:-1], 1)[0]
    sigma = np.asarray(var.sigma_u)
    surprise = history[-1, 1:] - predicted[1:]
    now = predicted[0] + sigma[0, 1:] @ np.linalg.solve(sigma[1:, 1:], surprise)
    filled = np.vstack([history[:-1], [now, *history[-1, 1:]]])
    assert_close(moved.forecast(3), var.forecast(filled[-2:], 3), what="forecasts")
    assert moved.forecast(3).index.equals(results.forecast(3).index)
    # the error of the nowcast is in the standard errors
    assert (moved.get_forecast(1).se[0, 0] > results.get_forecast(1).se[0, 0]).all()


def test_scenario_is_the_conditional_mean(frame):
    results = forecaster(ne.LSTMForecaster, "growth + infl + tbilrate ~ 1", frame, 2)
    results = results.fit(alpha=np.inf)
    path = results.forecast(4)[["tbilrate"]] + 1.0
    given = results.get_forecast(4, conditions=path)
    assert_close(given.predicted_mean["tbilrate"], path["tbilrate"], what="imposed")
    assert (given.se[:, 2] == 0.0).all() and (given.se[:, 0] > 0.0).all()
    # by hand: the regression of all errors on the imposed ones
    var = VAR(frame[TARGETS].dropna()).fit(2)
    psi, sigma = var.ma_rep(3), np.asarray(var.sigma_u)
    loading = np.zeros((12, 12))
    for h in range(4):
        for j in range(h + 1):
            loading[3 * h : 3 * h + 3, 3 * j : 3 * j + 3] = psi[h - j]
    joint = loading @ np.kron(np.eye(4), sigma) @ loading.T
    rate = np.arange(2, 12, 3)
    shift = joint[:, rate] @ np.linalg.solve(joint[np.ix_(rate, rate)], np.ones(4))
    expected = results.forecast(4).to_numpy() + shift.reshape(4, 3)
    assert_close(given.mean, expected, what="scenario")
    free = results.get_forecast(4, conditions=path * np.nan)
    assert_close(free.mean, results.forecast(4), what="nothing imposed")
