"""Diffusion-index forecasts and factor-augmented VARs: OLS as oracle, backtests, new data."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.multivariate.pca import PCA
from statsmodels.tsa.vector_ar.var_model import VAR

import nnecon as ne
from nnecon.exceptions import DataError, ForecastError, SpecificationError
from nnecon.inference.direct_forecasts import direct_forecasts, lagged

PANEL = ["growth", "infl", "unemp", "tbilrate", "realint"]


def macro():
    return ne.datasets.load_macro()[PANEL].iloc[1:]


def late(k=2, n=160, seed=0):
    """A target that follows a common factor of twenty series one period later."""
    g = np.random.default_rng(seed)
    f = np.zeros(n)
    for t in range(1, n):
        f[t] = 0.8 * f[t - 1] + g.standard_normal()
    x = np.outer(f, g.standard_normal(20)) + 0.5 * g.standard_normal((n, 20))
    y = np.r_[0.0, f[:-1]] + 0.3 * g.standard_normal(n)
    index = pd.period_range("1990Q1", periods=n, freq="Q")
    frame = pd.DataFrame(x, index, [f"s{j}" for j in range(20)])
    return frame.assign(y=y)


@pytest.mark.parametrize("steps", [1, 4])
def test_forecasts_are_those_of_ols(steps):
    data = macro()
    model = ne.FactorForecaster(
        data, "growth", panel=PANEL, k_factors=2, hidden=(), lags=2, factor_lags=2
    )
    found = model.fit().get_forecast(steps)
    factors = PCA(data, ncomp=2).factors.to_numpy()
    both = np.column_stack([data["growth"].to_numpy(), factors])
    y, n = data["growth"].to_numpy(), len(data)
    design = np.column_stack([np.ones(n - 1), both[1:], both[:-1]])
    rows = n - 1 - steps
    fit = sm.OLS(y[1 + steps :], design[:rows]).fit()
    expected = fit.get_prediction(design[[-1]]).summary_frame()
    frame = found.summary_frame()
    assert frame["mean"].iloc[-1] == pytest.approx(expected["mean"].iloc[0])
    assert frame["mean_ci_lower"].iloc[-1] == pytest.approx(expected["obs_ci_lower"].iloc[0])
    assert found.index[0] == data.index[-1] + 1


def test_late_rows_count_from_the_last_complete_one():
    g = np.random.default_rng(0)
    x, y = np.column_stack([np.ones(60), g.standard_normal(60)]), g.standard_normal(60)
    x[-2:, 1] = np.nan
    found = direct_forecasts(y, x, 1)
    # rows up to three from the end have their value three periods later
    rows = np.arange(57)
    fit = sm.OLS(y[rows + 3], x[rows]).fit()
    assert found.mean[0] == pytest.approx(fit.predict(x[[57]])[0])


def test_lags_begin_with_the_current_value():
    values = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(lagged(values, 2)[1:], [[2, 3, 0, 1], [4, 5, 2, 3]])
    assert np.isnan(lagged(values, 2)[0, 2:]).all()


def test_own_series_stands_in_for_the_target():
    data = late()
    data["sum"] = data["y"].rolling(4).mean()
    model = ne.FactorForecaster(
        data, ["y", "sum"], own={"sum": "y"}, k_factors=1, hidden=(), lags=1
    )
    assert "sum" not in model.panel and "y" in model.panel
    results = model.fit()
    factor = results.factors.to_numpy()[:, 0] * np.sqrt(len(data))
    design = np.column_stack([np.ones(len(data)), data["y"], factor])
    known = np.isfinite(data["sum"].to_numpy()[4:])
    fit = sm.OLS(data["sum"].to_numpy()[4:][known], design[:-4][known]).fit()
    assert results.forecast(4)["sum"].iloc[-1] == pytest.approx(fit.predict(design[[-1]])[0])


def test_applied_to_later_data_loadings_stay_and_regressions_move():
    data = late()
    results = ne.FactorForecaster(data.iloc[:120], "y", k_factors=1, hidden=(), lags=1).fit()
    moved = results.apply(data)
    np.testing.assert_allclose(moved.factors.iloc[:120], results.factors, atol=1e-10)
    assert moved.get_forecast(1).index[0] == data.index[-1] + 1
    assert not np.allclose(moved.forecast(1), results.forecast(1))


def test_a_backtest_extracts_factors_at_every_cutoff():
    data = late()
    model = ne.FactorForecaster(data, "y", k_factors=1, hidden=(), lags=1)
    found = ne.backtest(
        {"factors": (model, {"alpha": np.inf}), "ar": ne.baselines.ar(1),
         "favar": ne.baselines.factor_var(1, 1)},
        data, targets="y", horizon=1, initial=120, step=8,
    )  # fmt: skip
    rows = found.forecasts
    cutoffs = rows[rows["model"] == "factors"].set_index("cutoff")["forecast"]
    last = cutoffs.index[-1]
    by_hand = model.on(data.loc[:last]).fit().forecast(1)["y"].iloc[0]
    assert cutoffs.iloc[-1] == pytest.approx(by_hand, rel=1e-8)
    error = (rows["forecast"] - rows["actual"]) ** 2
    mse = error.groupby(rows["model"]).mean()
    assert mse["factors"] < 0.5 * mse["ar"] and mse["favar"] < 0.5 * mse["ar"]
    kept = ne.backtest(
        {"factors": (model, {"alpha": np.inf})}, data, targets="y", horizon=1, initial=120,
        step=8, refit=False,
    ).forecasts  # fmt: skip
    assert not np.allclose(kept["forecast"], cutoffs)


def test_neural_factors_in_a_backtest():
    g = np.random.default_rng(1)
    data = late()
    f = data["y"].to_numpy()
    curved = data.drop(columns="y") + np.outer(f**2, g.standard_normal(20))
    data = curved.assign(y=data["y"])
    model = ne.FactorForecaster(data, "y", k_factors=1, hidden=3, lags=1)
    found = ne.backtest(
        {"net": (model, {"alpha": 0.01, "n_starts": 1, "alphas": 2})},
        data, targets="y", horizon=2, initial=120, step=20, refit=False,
    )  # fmt: skip
    assert np.isfinite(found.forecasts["forecast"]).all()
    assert found.forecasts["lower"].lt(found.forecasts["upper"]).all()


def test_series_that_began_late_are_left_out_by_name():
    data = late().assign(young=np.r_[np.full(100, np.nan), np.arange(60.0)])
    results = ne.FactorForecaster(data, "y", k_factors=1, hidden=(), lags=1).fit()
    assert results.left_out == ("young",)
    all_of_it = ne.FactorForecaster(data, "y", k_factors=1, hidden=(), lags=1, min_known=0.2).fit()
    assert all_of_it.left_out == () and all_of_it.factor_results.nvar == 22


def bent(n=200, seed=0):
    """A target that follows the square of a common factor one period later."""
    data = late(n=n, seed=seed)
    f = data["y"].shift(-1).fillna(0.0)
    g = np.random.default_rng(seed + 1)
    y = np.r_[0.0, (f**2 - (f**2).mean()).to_numpy()[:-1]] + 0.5 * g.standard_normal(n)
    return data.assign(y=y)


def test_neural_equations_are_ols_at_an_infinite_penalty():
    data = bent()
    data.loc[data.index[-1], data.columns[:15]] = np.nan
    data.loc[data.index[-1], "y"] = np.nan
    common = {"k_factors": 2, "hidden": (), "lags": 2, "factor_lags": 2}
    linear = ne.FactorForecaster(data, "y", **common).fit()
    model = ne.FactorForecaster(
        data, "y", equation_hidden=3, equation_fit={"alpha": np.inf}, **common
    )
    neural = model.fit()
    assert "equations with 3 units" in model.description
    expected, found = linear.get_forecast(3), neural.get_forecast(3)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-8)
    np.testing.assert_allclose(found.se, expected.se, rtol=1e-8)
    np.testing.assert_array_equal(found.df, expected.df)
    early, late_on = linear.apply(data.iloc[:150]), neural.apply(data.iloc[:150])
    np.testing.assert_allclose(late_on.forecast(2), early.forecast(2), rtol=1e-8)
    x = neural.regressors("y")
    assert list(x.columns[:4]) == ["const", "y", "L1.y", "comp_0"]
    # the last period has no target, so that forecasts are from the one before
    params = linear.equation("y", 1).params
    assert linear.forecast(1).iloc[0, 0] == pytest.approx(float(x.iloc[-2] @ params.to_numpy()))
    assert linear.equation("y", 1).cov_type == "HAC"


def test_neural_equations_find_a_bend_and_stay_between_estimations():
    data = bent()
    options = {"k_factors": 1, "hidden": (), "lags": 1}
    fit = {"n_starts": 2, "alphas": 8}
    neural = ne.FactorForecaster(data, "y", equation_hidden=4, equation_fit=fit, **options)
    results = neural.on(data.iloc[:150]).fit()
    assert not results.equation("y").is_classical
    moved = results.apply(data)
    assert moved.equation("y").params.equals(results.equation("y").params)
    # on the data of the fit forecasts are the network's; on others its linear part is renewed
    x = results.regressors("y").iloc[[-1]]
    here = results.equation("y").predict(x).iloc[0]
    assert results.forecast(1).iloc[0, 0] == pytest.approx(here, abs=1e-6)
    x = moved.regressors("y")
    left = (data["y"].shift(-1) - results.equation("y").predict(x.dropna()))[:-1]
    change = sm.OLS(left, x.iloc[:-1]).fit().params @ x.iloc[-1]
    there = results.equation("y").predict(x.iloc[[-1]]).iloc[0] + change
    assert moved.forecast(1).iloc[0, 0] == pytest.approx(there)
    found = ne.backtest(
        {"neural": neural, "linear": ne.FactorForecaster(data, "y", **options)},
        data, targets="y", horizon=1, initial=150, refit=False,
    ).forecasts  # fmt: skip
    mse = ((found["forecast"] - found["actual"]) ** 2).groupby(found["model"]).mean()
    assert mse["neural"] < 0.8 * mse["linear"]


def test_options_of_equations_are_checked():
    data = late()
    with pytest.raises(SpecificationError, match="no effect on linear"):
        ne.FactorForecaster(data, "y", equation_fit={"alpha": 1.0})
    with pytest.raises(SpecificationError, match="equation_hidden"):
        ne.FactorForecaster(data, "y", equation_hidden=-1)
    results = ne.FactorForecaster(data, "y", k_factors=1, hidden=(), lags=1).fit()
    with pytest.raises(SpecificationError, match="'s0' is no target"):
        results.equation("s0")


def test_ragged_edge():
    data = late()
    data.loc[data.index[-1], ["s1", "s2"]] = np.nan
    data.loc[data.index[0], "s3"] = np.nan
    results = ne.FactorForecaster(data, "y", k_factors=1, hidden=(), lags=1).fit()
    assert results.factors.notna().all(axis=None)
    assert np.isfinite(results.forecast(2)).all(axis=None)


def test_factor_var_is_statsmodels_var_of_targets_and_components():
    data = late()
    found = ne.baselines.factor_var(2, 2, targets="y").fit(data)
    panel = data.drop(columns="y")
    factors = PCA(panel, ncomp=2).factors.to_numpy() * np.sqrt(len(data))
    fitted = VAR(np.column_stack([data["y"], factors])).fit(2)
    expected = fitted.forecast(fitted.endog[-2:], 3)[:, 0]
    np.testing.assert_allclose(found.forecast(3)["y"], expected, rtol=1e-7)
    widths = found.get_forecast(3).se_mean["y"]
    np.testing.assert_allclose(widths, np.sqrt(fitted.forecast_cov(3)[:, 0, 0]), rtol=1e-7)
    moved = found.apply(data)
    np.testing.assert_allclose(moved.forecast(3), found.forecast(3))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"targets": "gdp"}, "'gdp' is missing"),
        ({"targets": "y", "own": {"x": "y"}}, "no target"),
        ({"targets": "y", "min_known": 0}, "share over 0"),
        ({"targets": "y", "units": 3}, "no argument 'units'"),
        ({"targets": "y", "lags": 0}, "at least 1"),
        ({"targets": []}, "at least one"),
    ],
)
def test_specifications_that_are_refused(options, error):
    with pytest.raises((DataError, SpecificationError), match=error):
        ne.FactorForecaster(late(), **options)


def test_what_forecasts_refuse():
    results = ne.FactorForecaster(late(), "y", k_factors=1, hidden=(), lags=1).fit()
    with pytest.raises(ForecastError, match="leave exog out"):
        results.forecast(1, exog=1)
    with pytest.raises(DataError, match="too few for"):
        ne.FactorForecaster(late(n=20), "y", k_factors=2, hidden=(), lags=8).fit().forecast(12)
    with pytest.raises(SpecificationError, match="k_factors"):
        ne.baselines.factor_var(0)
    assert "Own lags" in str(results.summary())
