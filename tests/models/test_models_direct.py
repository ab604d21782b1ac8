"""Direct forecasts: an equation for each horizon, OLS projections where the network is zero."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import nnecon as ne
from nnecon.exceptions import DataError, ForecastError, SpecificationError

MACRO = ne.datasets.load_macro()
FAMILY = {
    "ar": (ne.NeuralAR, {"hidden": (2,)}),
    "lstm": (ne.LSTMForecaster, {"units": (2,), "window": 3}),
    "attention": (ne.AttentionForecaster, {"units": 2, "window": 3}),
    "conv": (ne.ConvForecaster, {"channels": (2,), "window": 3}),
}


def build(kind, formula, data, horizon=3, **options):
    family, own = FAMILY[kind]
    return family.from_formula(
        formula, data, strategy="direct", horizon=horizon, **{**own, **options}
    )


def bent(n, seed=0):
    """What happens two periods ahead depends on the size of the last value."""
    g, y = np.random.default_rng(seed), np.zeros(n)
    for t in range(2, n):
        y[t] = 1.5 * np.tanh(2.0 * abs(y[t - 2])) - 1.0 + 0.5 * g.standard_normal()
    return pd.DataFrame({"y": y}, pd.period_range("1950Q1", periods=n, freq="Q"))


@pytest.mark.parametrize("kind", FAMILY)
def test_without_a_network_they_are_the_baseline_of_direct_ols(kind):
    results = build(kind, "infl + growth ~ tbilrate", MACRO, linear_lags=2).fit(alpha=np.inf)
    right = "lag(infl, 1, 2) + lag(growth, 1, 2) + lag(tbilrate, 1, 2)"
    baseline = ne.baselines.ols(f"infl ~ {right}", f"growth ~ {right}").fit(MACRO)
    found, expected = results.get_forecast(3), baseline.get_forecast(3)
    np.testing.assert_allclose(found.predicted_mean, expected.predicted_mean, rtol=1e-8)
    np.testing.assert_allclose(found.conf_int(0.1), expected.conf_int(0.1), rtol=1e-8)
    assert found.index.equals(expected.predicted_mean.index)
    pd.testing.assert_frame_equal(found.predicted_mean, results.forecast(3))


def test_coefficients_are_those_of_ols_on_shifted_outcomes():
    results = build("ar", "infl ~ unemp + known(tbilrate)", MACRO, linear_lags=1).fit(alpha=np.inf)
    data = MACRO[["infl", "unemp", "tbilrate"]]
    for horizon in (1, 3):
        # what is known in advance is known at the period that is forecast
        rows = pd.concat(
            [data["infl"], data["tbilrate"], data[["infl", "unemp"]].shift(horizon)], axis=1
        ).dropna()
        theirs = sm.OLS(rows.iloc[:, 0].to_numpy(), sm.add_constant(rows.iloc[:, 1:].to_numpy()))
        fitted = theirs.fit()
        np.testing.assert_allclose(results.params[(horizon, "infl")], fitted.params, rtol=1e-7)
        part = results.at(horizon)
        np.testing.assert_allclose(part.resid["infl"], fitted.resid, atol=1e-8)
        assert part.resid.index.equals(rows.index)
        assert part.sigma_u.iloc[0, 0] == pytest.approx(fitted.scale, rel=1e-9)


def test_networks_find_what_bends_at_a_later_horizon():
    data = bent(500)
    train, horizon = data.iloc[:300], 2
    results = ne.NeuralAR(
        train, linear_lags=1, hidden=(4,), strategy="direct", horizon=horizon
    ).fit(alphas=6, n_starts=2)
    assert np.isfinite(results.alpha.loc[2, "y"])
    later = results.extend(data.iloc[300:])
    plain = results.model.fit(alpha=np.inf).extend(data.iloc[300:])
    ours, theirs = (one.at(2).resid["y"].std() for one in (later, plain))
    assert ours < 0.55 < 0.9 * theirs  # the shock is 0.5
    # and their forecasts are the values of that equation at the last row
    shorter = results.apply(data.iloc[:298]).forecast(2)
    expected = results.apply(data.iloc[:300]).at(2).fittedvalues["y"].iloc[-1]
    assert shorter["y"].iloc[1] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", FAMILY)
def test_fitted_values_are_forecasts_without_what_came_later(kind):
    model = build(kind, "infl ~ unemp + known(tbilrate)", MACRO, linear_lags=1, horizon=2)
    results = model.fit(alpha=0.005, n_starts=1)
    assert results.is_linear is False and results.converged
    earlier = results.apply(MACRO.iloc[:-2])
    ahead = earlier.forecast(2, exog=MACRO[["tbilrate"]].iloc[-2:])
    for horizon in (1, 2):
        expected = results.at(horizon).fittedvalues["infl"].loc[ahead.index[horizon - 1]]
        assert ahead["infl"].iloc[horizon - 1] == pytest.approx(expected, rel=1e-9)


def test_folds_leave_a_gap_for_outcomes_that_overlap():
    results = build("ar", "infl ~ 1", MACRO, linear_lags=1).fit(alphas=3, n_starts=1)
    assert "2 periods before the test" in results.at(3).cv["infl"].description
    assert "left out" not in results.at(1).cv["infl"].description


def test_penalties_by_horizon_and_starts():
    model = build("ar", "infl + growth ~ 1", MACRO, linear_lags=1, horizon=2)
    results = model.fit(alpha={"infl": [0.05, np.inf], "growth": np.inf}, n_starts=2)
    assert results.alphas_chosen == {"infl": [0.05, np.inf], "growth": [np.inf, np.inf]}
    assert list(results.edf.loc[2]) == [3.0, 3.0] and results.edf.loc[1, "infl"] > 3.0
    again = results.refit()
    pd.testing.assert_frame_equal(again.forecast(2), results.forecast(2), rtol=1e-4)
    assert sum(one.iterations for one in again.at(1).equations[0].solutions) <= 6
    with pytest.raises(SpecificationError, match="3 penalties for 'infl'"):
        model.fit(alpha={"infl": [0.1, 0.1, 0.1], "growth": 0.1})


def test_intervals_hold_shocks_parameters_and_starts():
    model = build("ar", "infl + growth ~ 1", MACRO, linear_lags=1, horizon=2)
    results = model.fit(alpha={"infl": 0.005, "growth": np.inf}, n_starts=2)
    whole, alone = results.get_forecast(2), results.get_forecast(2, parameters=False)
    assert (whole.se > alone.se).all()
    np.testing.assert_allclose(alone.se[0] ** 2, np.diag(results.at(1).sigma_u), rtol=1e-10)
    np.testing.assert_allclose(whole.variance_shares["infl"].sum(axis=1), 1.0)
    low, high = whole.limits(0.1)
    spread = whole.paths.std(axis=0)
    np.testing.assert_allclose(spread, whole.se, rtol=0.1)
    assert ((low < whole.mean) & (whole.mean < high)).all()
    conformal = results.get_forecast(2, interval="conformal", blocks=5)
    np.testing.assert_allclose(conformal.mean, whole.mean)
    assert conformal.se == pytest.approx(whole.se, rel=0.3)


def test_conformal_errors_are_those_of_a_loop():
    y = bent(80)
    results = ne.NeuralAR(y, linear_lags=1, hidden=(), strategy="direct", horizon=2).fit()
    found = results.get_forecast(2, interval="conformal", blocks=4)
    values = y["y"].to_numpy()
    positions = np.arange(1, 79)
    errors = {}
    for part in np.array_split(positions, 4):
        kept = positions[(positions < part[0] - 1) | (positions > part[-1] + 1)]
        rows = np.column_stack([np.ones(len(kept)), values[kept - 1]])
        coefs = np.linalg.lstsq(rows, values[kept + 1], rcond=None)[0]
        for t in part:
            errors[t] = values[t + 1] - coefs @ [1.0, values[t - 1]]
    expected = np.array([errors[t] for t in positions])
    np.testing.assert_allclose((found.paths - found.mean)[:, 1, 0], expected, atol=1e-10)


def test_series_that_end_early_are_forecast_from_the_last_whole_row():
    late = MACRO.copy()
    late.loc[late.index[-1], "unemp"] = np.nan
    model = build("ar", "infl + unemp ~ 1", MACRO, linear_lags=1)
    results = model.fit(alpha=np.inf)
    whole = results.apply(MACRO.iloc[:-1]).forecast(3)
    assert results.apply(late).forecast(2).index[0] == MACRO.index[-1] + 1
    np.testing.assert_allclose(results.apply(late).forecast(2), whole.iloc[1:], rtol=1e-12)
    with pytest.raises(ForecastError, match=r"4 after the last with all series.*horizon=4"):
        results.apply(late).forecast(3)


def test_backtests_are_loops_over_origins():
    model = build("ar", "infl ~ unemp", MACRO, linear_lags=1, horizon=2)
    options = {"alpha": {"infl": [0.05, np.inf]}, "n_starts": 1}
    found = ne.backtest(
        {"direct": (model, options)}, MACRO, horizon=2, initial="2005Q4", step=5, progress=False
    )
    for cutoff in found.cutoffs:
        results = model.on(MACRO.loc[:cutoff]).fit(**options)
        rows = found.forecasts[found.forecasts["cutoff"] == cutoff]
        np.testing.assert_allclose(rows["forecast"], results.forecast(2)["infl"], rtol=1e-8)
        expected = results.get_forecast(2).conf_int(0.1)
        np.testing.assert_allclose(rows[["lower", "upper"]], expected, rtol=1e-8)
    assert found.choices["direct"].iloc[0] == "alpha infl: 0.05/inf"
    kept = ne.backtest(
        {"direct": (model, {"alphas": 3, "n_starts": 1})},
        MACRO, horizon=2, initial="2006Q4", step=5, reselect=2, progress=False,
    )  # fmt: skip
    assert kept.choices["direct"].iloc[0] == kept.choices["direct"].iloc[1]
    with pytest.raises(ForecastError, match="horizon=3"):
        ne.backtest(
            {"direct": (model, options)}, MACRO, horizon=3, initial="2007Q4", progress=False
        )


def test_files_summaries_and_charts(tmp_path):
    model = build("ar", "infl + growth ~ 1", MACRO, linear_lags=1, horizon=2)
    results = model.fit(alpha={"infl": 0.02, "growth": np.inf}, n_starts=2)
    results.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    pd.testing.assert_frame_equal(
        again.get_forecast(2).summary_frame(), results.get_forecast(2).summary_frame()
    )
    assert str(again.summary()) == str(results.summary()) and "infl, h=2" in str(again)
    figure = results.plot_forecast()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "direct OLS" in labels
    assert [ax.get_ylabel() for ax in figure.axes] == ["infl", "growth"]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(SpecificationError, match="say how many with horizon="):
        ne.NeuralAR.from_formula("infl ~ 1", MACRO, strategy="direct")
    with pytest.raises(SpecificationError, match="belongs to strategy='direct'"):
        ne.NeuralAR.from_formula("infl ~ 1", MACRO, horizon=3)
    with pytest.raises(SpecificationError, match="choose one of"):
        ne.NeuralAR.from_formula("infl ~ 1", MACRO, strategy="both")
    with pytest.raises(DataError, match="give more data"):
        ne.NeuralAR.from_formula(
            "infl ~ 1", MACRO.iloc[:12], linear_lags=1, strategy="direct", horizon=10
        )
    results = build("ar", "infl + growth ~ 1", MACRO, linear_lags=1).fit(alpha=np.inf)
    with pytest.raises(ForecastError, match="build it with horizon=4"):
        results.forecast(4)
    with pytest.raises(ForecastError, match="at least 1"):
        results.forecast(0)
    with pytest.raises(SpecificationError, match="need strategy='recursive'"):
        results.at(1).girf("infl")
    with pytest.raises(SpecificationError, match="need strategy='recursive'"):
        results.at(2).forecast(1)
    with pytest.raises(SpecificationError, match="estimated for 1 to 3"):
        results.at(4)
