"""Nowcasts: OLS and VAR as oracles, nothing from the future, errors beside an autoregression."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.tsa.vector_ar.var_model import VAR

import nnecon as ne
from nnecon.exceptions import DataError, ForecastError, SpecificationError
from nnecon.inference.mixed_frequency import bridged, skip_sampled, vector_autoregression


def data(years=30, seed=0, noise=0.3):
    """Twelve monthly series with one factor, and growth that is its mean over the quarter."""
    g = np.random.default_rng(seed)
    months = pd.period_range("1990-01", periods=12 * years, freq="M", name="month")
    f = np.zeros(len(months))
    for t in range(1, len(f)):
        f[t] = 0.7 * f[t - 1] + g.standard_normal()
    x = np.outer(f, g.uniform(0.5, 1.5, 12)) + g.standard_normal((len(f), 12))
    panel = pd.DataFrame(x, months, [f"s{j}" for j in range(12)])
    quarters = pd.Series(f, months).groupby(months.asfreq("Q")).mean()
    growth = (2 * quarters + noise * g.standard_normal(len(quarters))).rename("growth")
    return panel, growth.rename_axis("quarter")


def edge(panel, growth, months, quarters):
    """Drop the last months and quarters."""
    return panel.iloc[: len(panel) - months], growth.iloc[: len(growth) - quarters]


def test_equation_is_ols_on_the_months_known():
    panel, growth = edge(*data(), 1, 1)
    results = ne.FactorNowcaster(panel, growth, k_factors=1, hidden=(), lags=2, months=2).fit()
    assert results.last_month == pd.Period("2019-11") and results.months_ahead("2019Q4") == 1
    f = results.factors["comp_0"].to_numpy()
    # November and October of the fourth quarter: rows 1 and 0 of each quarter's months
    second, first = f[1::3], f[0::3]
    y = growth.to_numpy()
    x = np.column_stack([np.ones(117), second[2:119], first[2:119], y[1:118], y[:117]])
    fit = sm.OLS(y[2:], x).fit()
    new = np.array([[1.0, second[119], first[119], y[118], y[117]]])
    expected = fit.get_prediction(new).summary_frame()
    found = results.get_nowcast().summary_frame()
    assert list(found.index) == [pd.Period("2019Q4", "Q")]
    assert found["mean"].iloc[0] == pytest.approx(expected["mean"].iloc[0])
    assert found["mean_ci_upper"].iloc[0] == pytest.approx(expected["obs_ci_upper"].iloc[0])


def test_a_quarter_that_is_over_and_one_that_runs():
    panel, growth = edge(*data(), 2, 2)
    results = ne.FactorNowcaster(panel, growth, k_factors=1, hidden=()).fit()
    found = results.nowcast()
    assert [str(quarter) for quarter in found.index] == ["2019Q3", "2019Q4"]
    assert (results.months_ahead("2019Q3"), results.months_ahead("2019Q4")) == (-1, 2)
    # own lags begin where the target is known: two quarters before the one that runs
    f, y = results.factors["comp_0"].to_numpy(), growth.to_numpy()
    # October, September and August for the fourth quarter
    october, september, august = f[0::3][1:], f[2::3], f[1::3]
    x = np.column_stack([np.ones(118), october[:118], september[:118], august[:118], np.zeros(118)])
    x[1:, 4] = y[:117]
    rows = slice(1, 117)
    fit = sm.OLS(y[2:118], x[rows]).fit()
    new = [1.0, october[118], september[118], august[118], y[117]]
    assert found["growth"].iloc[1] == pytest.approx(fit.predict([new])[0])


def test_bridge_forecasts_the_months_to_come():
    g = np.random.default_rng(0)
    factors = g.standard_normal((60, 2)).cumsum(axis=0) * 0.3
    var = VAR(factors).fit(1)
    constant, slopes = vector_autoregression(factors)
    np.testing.assert_allclose(np.vstack([constant, slopes]), var.params, atol=1e-10)
    ends = np.array([2, 5, 59, 62])
    one = var.forecast(factors[58:59], 1)[0]
    expected = (factors[57] + factors[58] + one) / 3
    np.testing.assert_allclose(bridged(factors, ends, 1)[2], expected)
    np.testing.assert_allclose(bridged(factors, ends, 0)[1], factors[3:6].mean(axis=0))
    ahead = var.forecast(factors[59:60], 3).mean(axis=0)
    np.testing.assert_allclose(bridged(factors, ends, 3)[3], ahead)
    assert np.isnan(bridged(factors, ends, 0)[3]).all()


def test_skip_sampling_takes_the_latest_month_first():
    factors = np.arange(6.0)[:, None]
    found = skip_sampled(factors, np.array([2, 5]), 1, 3)
    np.testing.assert_array_equal(found[1], [4, 3, 2])
    np.testing.assert_array_equal(found[0], [1, 0, np.nan])


def test_months_with_few_series_do_not_count():
    panel, growth = edge(*data(), 1, 1)
    panel = panel.copy()
    panel.iloc[-1, 3:] = np.nan
    model = ne.FactorNowcaster(panel, growth, k_factors=1, hidden=())
    assert model.fit().last_month == pd.Period("2019-10")
    lower = ne.FactorNowcaster(panel, growth, k_factors=1, hidden=(), month_known=0.2)
    results = lower.fit()
    assert results.last_month == pd.Period("2019-11")
    assert np.isfinite(results.nowcast().to_numpy()).all()


@pytest.mark.parametrize("method", ["umidas", "bridge"])
def test_the_past_does_not_see_the_future(method):
    panel, growth = data(years=14)
    options = {"k_factors": 1, "hidden": (), "method": method}
    span = {"first": "2001-01", "last": "2001-12", "refit": 6}
    found = ne.FactorNowcaster(panel, growth, **options).pseudo_real_time(**span)
    late, later = panel.copy(), growth.copy()
    late.loc["2001-12":] = 1e3 * np.random.default_rng(9).standard_normal(late["2001-12":].shape)
    # the third quarter of 2001 is known at the end of October
    later.loc["2001Q4":] = -50.0
    other = ne.FactorNowcaster(late, later, **options).pseudo_real_time(**span)
    columns = ["cutoff", "quarter", "nowcast", "se", "autoregression"]
    pd.testing.assert_frame_equal(found.frame[columns], other.frame[columns])
    rows = found.frame.set_index(["cutoff", "quarter"])
    months = {str(c): str(q) for c, q in rows.index if c.month in (4, 5, 6)}
    assert months == {"2001-04": "2001Q2", "2001-05": "2001Q2", "2001-06": "2001Q2"}
    # by hand: at the end of May, April is known, and the first quarter
    january = ne.FactorNowcaster(panel[:"2000-12"], growth[:"2000Q3"], **options).fit()
    moved = january.apply(panel[:"2001-04"], growth[:"2001Q1"])
    expected = moved.get_nowcast("2001Q2").se_mean.iloc[0, 0]
    assert rows.loc[("2001-05", "2001Q2"), "se"] == pytest.approx(expected)


def test_nowcasts_get_better_as_the_quarter_passes():
    panel, growth = data()
    model = ne.FactorNowcaster(panel, growth, k_factors=1, hidden=())
    past = model.pseudo_real_time("2000-01", "2018-12", refit=60)
    table = past.accuracy()
    figure = past.plot(1, labels={"growth": "Growth, %"})
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    rows = past.frame[past.frame["months_left"] == 1]
    np.testing.assert_allclose(drawn["nowcast"], rows["nowcast"])
    np.testing.assert_allclose(drawn["actual"], growth["2000Q1":"2018Q4"])
    assert figure._suptitle.get_text().startswith("Nowcasts 1 month before")
    with pytest.raises(SpecificationError, match="months_left=5"):
        past.plot(5)
    assert list(table.index) == [2, 1, 0]
    assert table["rmse"].is_monotonic_decreasing
    assert table.loc[0, "ratio"] < 0.5 and table.loc[0, "pvalue"] < 0.001
    assert table["coverage"].between(0.8, 0.98).all()


def test_neural_factors_nowcast():
    panel, growth = edge(*data(years=12), 1, 1)
    curved = panel + panel.to_numpy() ** 2 * np.linspace(-0.3, 0.3, 12)
    model = ne.FactorNowcaster(curved, growth, k_factors=1, hidden=3)
    results = model.fit(alpha=0.01, alphas=2, n_starts=1)
    assert not results.factor_results.is_linear
    assert np.isfinite(results.nowcast().to_numpy()).all()
    assert "2001Q4" in str(results.summary())


def test_mistakes_are_named():
    panel, growth = data(years=10)
    with pytest.raises(DataError, match="index of months"):
        ne.FactorNowcaster(panel.reset_index(drop=True), growth)
    with pytest.raises(DataError, match="index of quarters"):
        ne.FactorNowcaster(panel, panel["s0"])
    with pytest.raises(DataError, match="1995-06"):
        ne.FactorNowcaster(panel.drop(pd.Period("1995-06")), growth)
    with pytest.raises(DataError, match="no values"):
        ne.FactorNowcaster(panel, growth * np.nan)
    for options, words in (
        ({"method": "midas"}, "choose one of"),
        ({"method": "bridge", "months": 2}, "no effect"),
        ({"min_known": 2}, "min_known=2"),
        ({"months": 0}, "months"),
        ({"k_factor": 2}, "k_factors"),
    ):
        with pytest.raises(SpecificationError, match=words):
            ne.FactorNowcaster(panel, growth, **options)
    results = ne.FactorNowcaster(panel, growth.iloc[:-1], k_factors=1, hidden=()).fit()
    with pytest.raises(ForecastError, match="is known"):
        results.nowcast("1995Q1")
    with pytest.raises(ForecastError, match="no quarter"):
        results.nowcast("soon")
    with pytest.raises(DataError, match="no column 's3'"):
        results.apply(panel.drop(columns="s3"), growth)
    with pytest.raises(SpecificationError, match="unknown column 'z'"):
        results.model.pseudo_real_time("1998-01", release_lag={"z": 1})
    with pytest.raises(SpecificationError, match="panel has the months"):
        results.model.pseudo_real_time("1980-01")
