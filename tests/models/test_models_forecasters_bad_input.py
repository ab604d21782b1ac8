"""Data and requests that cannot be served are errors that name series, period and way out."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import DataError, ForecastError

MONTHS = pd.period_range("2000-01", periods=120, freq="M")


@pytest.fixture(scope="module")
def data():
    g = np.random.default_rng(0)
    return pd.DataFrame(0.3 * g.standard_normal((120, 2)).cumsum(0), MONTHS, ["y", "x"])


@pytest.fixture(scope="module")
def fits(data):
    specified = {
        "linear": ne.NeuralAR.from_formula("y + x ~ 1", data, linear_lags=3, hidden=()),
        "network": ne.NeuralAR.from_formula("y ~ x", data, linear_lags=3, hidden=(2,)),
        "window": ne.LSTMForecaster.from_formula(
            "y ~ x", data, linear_lags=3, units=(2,), window=6
        ),
        "direct": ne.NeuralAR.from_formula(
            "y ~ x", data, linear_lags=3, hidden=(), strategy="direct", horizon=2
        ),
    }
    return {kind: model.fit(alpha=0.02, n_starts=1) for kind, model in specified.items()}


EVERY = pytest.mark.parametrize("kind", ["linear", "network", "window", "direct"])


@EVERY
def test_a_past_shorter_than_the_lags(fits, data, kind):
    results = fits[kind]
    with pytest.raises(ForecastError, match=r"2 periods up to 2000-02, and the lags.*back 3"):
        results.apply(data.iloc[:2]).forecast(1)
    assert results.apply(data.iloc[:3]).forecast(1).notna().all().all()
    with pytest.raises(DataError, match="no rows in data"):
        results.apply(data.iloc[:0])


def test_samples_shorter_than_the_window(data):
    with pytest.raises(DataError, match="lower linear_lags or give more data"):
        ne.LSTMForecaster.from_formula("y ~ x", data.iloc[:8], linear_lags=3)
    # what a window lacks is filled up, in estimation as in forecasts
    model = ne.LSTMForecaster.from_formula(
        "y ~ x", data.iloc[:40], linear_lags=1, units=(2,), window=60
    )
    results = model.fit(alpha=0.01, n_starts=1)
    last = results.apply(data.iloc[:39]).forecast(1)
    assert last["y"].iloc[0] == pytest.approx(results.fittedvalues["y"].iloc[-1], rel=1e-9)


@EVERY
def test_a_missing_month(fits, data, kind):
    gap = data.drop(MONTHS[50])
    with pytest.raises(DataError, match="2004-03 is missing; add the missing periods as rows of"):
        fits[kind].apply(gap)
    with pytest.raises(DataError, match="2004-03 is missing"):
        fits[kind].model.on(gap)
    with pytest.raises(DataError, match="2004-03 is missing"):
        ne.backtest({"mean": ne.baselines.mean()}, gap)
    # as a row of NaN it is left out of the estimation
    filled = gap.reindex(MONTHS)
    again = fits[kind].model.on(filled, linear_lags=1).fit(alpha=np.inf)
    assert np.isfinite(again.forecast(1)).all().all()


@EVERY
def test_a_hole_in_the_lags_of_the_forecast(fits, data, kind):
    """Estimation leaves such rows out; a forecast cannot."""
    hole = data.copy()
    hole.loc["2009-10", "x"] = np.nan
    with pytest.raises(ForecastError, match="'x' is missing at 2009-10, which a forecast after"):
        fits[kind].apply(hole).forecast(1)
    hole = data.copy()
    hole.loc["2009-08", "x"] = np.nan
    assert np.isfinite(fits[kind].apply(hole).forecast(1)).all().all()


def test_one_series_that_ends_early_is_forecast_given_the_others(fits, data):
    late = data.copy()
    late.loc[late.index[-1], "y"] = np.nan
    for kind in ("linear", "network", "window"):
        results = fits[kind]
        given = pd.DataFrame({"x": data["x"].iloc[-1:]})
        expected = results.apply(data.iloc[:-1]).get_forecast(2, conditions=given, rng=0)
        found = results.apply(late).get_forecast(1, rng=0)
        assert found.index[0] == pd.Period("2010-01", "M")
        np.testing.assert_allclose(found.mean[0], expected.mean[1], rtol=1e-8)
        np.testing.assert_allclose(found.se[0], expected.se[1], rtol=1e-8)
    # estimation leaves the row out
    again = fits["linear"].model.on(late, linear_lags=3).fit()
    assert again.nobs == fits["linear"].nobs - 1
    assert again.forecast(1).notna().all().all()


@EVERY
@pytest.mark.parametrize(
    ("index", "words"),
    [
        (pd.period_range("1950Q1", periods=120, freq="Q"), "frequency Q-DEC.*freq='M'"),
        (pd.date_range("2000-01-31", periods=120, freq="ME"), "a DatetimeIndex.*freq='M'"),
        (pd.RangeIndex(120), "a RangeIndex.*freq='M'"),
    ],
)
def test_another_frequency(fits, data, kind, index, words):
    with pytest.raises(ForecastError, match=words):
        fits[kind].apply(data.set_axis(index))
    with pytest.raises(ForecastError, match=words):
        fits[kind].append(data.set_axis(index))


def test_regressors_that_are_known_have_to_be_given(data):
    for options in ({}, {"strategy": "direct", "horizon": 2}):
        model = ne.NeuralAR.from_formula("y ~ known(x)", data, linear_lags=1, hidden=(), **options)
        results = model.fit()
        with pytest.raises(ForecastError, match=r"\['x'\]: give their values for 2010-01, 2010-02"):
            results.forecast(2)
        with pytest.raises(ForecastError, match="exog has no row for 2010-02"):
            results.forecast(2, pd.DataFrame({"x": [1.0]}, [pd.Period("2010-01", "M")]))
        holes = pd.DataFrame({"x": [1.0, np.nan]}, pd.period_range("2010-01", periods=2, freq="M"))
        with pytest.raises(ForecastError, match="'x' is missing at 2010-02"):
            results.forecast(2, holes)


@EVERY
@pytest.mark.parametrize("steps", [0, -1, 2.0, "2", None, True])
def test_a_horizon_that_is_none(fits, kind, steps):
    for ask in (fits[kind].forecast, fits[kind].get_forecast):
        with pytest.raises(ForecastError, match="give a whole number of periods of at least 1"):
            ask(steps)


def test_other_numbers_of_periods_that_are_none(fits, data):
    linear = fits["linear"]
    for ask, name in (
        (lambda: linear.simulate(0), "steps"),
        (lambda: linear.plot_forecast(0), "steps"),
        (lambda: linear.girf("y", periods=0), "periods"),
        (lambda: linear.fevd(0), "periods"),
        (lambda: linear.ma_rep(0), "maxn"),
        (lambda: ne.backtest({"mean": ne.baselines.mean()}, data, horizon=0), "horizon"),
    ):
        with pytest.raises(ForecastError, match=f"{name}=0: give a whole number"):
            ask()
