"""Own lags beyond the autoregression's: the prior, the evidence, and everything that reads them."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy.integrate import quad

import nnecon as ne
from nnecon.data.long_lags import LOOSEST, TIGHTEST, choose_long_lags
from nnecon.exceptions import SpecificationError


def long_memory(seed, n=240):
    """Two series on their first lags; the first on its own lags 4 and 6 besides."""
    g = np.random.default_rng(seed)
    y = g.standard_normal((n + 50, 2))
    for t in range(6, len(y)):
        y[t] += [0.3 * y[t - 1, 0] + 0.2 * y[t - 1, 1], 0.5 * y[t - 1, 1]]
        y[t, 0] += 0.3 * y[t - 4, 0] - 0.3 * y[t - 6, 0]
    index = pd.period_range("1990-01", periods=n, freq="M")
    return pd.DataFrame(y[50:], index, ["a", "b"])


DATA = long_memory(0)


def forecaster(**options):
    given = {"hidden": (2,), "network_lags": 2, "max_lags": 8, **options}
    return ne.NeuralAR.from_formula("a + b ~ 1", DATA, **given)


def regressors(model):
    columns = {"const": pd.Series(1.0, DATA.index)}
    for lag in range(1, model.lags[-1] + 1):
        for name in DATA:
            columns[f"L{lag}.{name}"] = DATA[name].shift(lag)
    return pd.DataFrame(columns).loc[model.index]


def test_only_the_series_that_needs_them_has_long_lags():
    model = forecaster()
    assert model.var_lags == (1,) and model.lags == tuple(range(1, 9))
    assert [*model.long_lags.tightness] == [0]
    assert forecaster(long_lags=False).long_lags is None
    assert [*forecaster(long_lags=True).long_lags.tightness] == [0, 1]
    assert forecaster(linear_lags=1).long_lags is None
    white = pd.DataFrame(np.random.default_rng(1).standard_normal((240, 2)), DATA.index, ["a", "b"])
    assert ne.NeuralAR.from_formula("a + b ~ 1", white).long_lags is None


def test_coefficients_are_least_squares_with_the_prior_as_observations():
    model = forecaster()
    tightness, order = model.long_lags.tightness[0], 1
    table, target = regressors(model), DATA.loc[model.index, "a"]
    free = table.iloc[:, :3]
    scale = np.sqrt(sm.OLS(target, free).fit().mse_resid)
    long = [f"L{lag}.a" for lag in range(order + 1, 9)]
    prior = pd.DataFrame(0.0, index=range(len(long)), columns=[*free, *long])
    for at, lag in enumerate(range(order + 1, 9)):
        prior.loc[at, f"L{lag}.a"] = lag * scale / tightness
    stacked = np.vstack([table[[*free, *long]], prior])
    expected = np.linalg.lstsq(stacked, np.r_[target, np.zeros(len(long))], rcond=None)[0]
    results = model.fit(alpha=np.inf)
    assert_allclose(results.params.loc[[*free, *long], "a"], expected, rtol=1e-8, atol=1e-12)
    hat = table[[*free, *long]] @ np.linalg.solve(
        stacked.T @ stacked, table[[*free, *long]].T.to_numpy()
    )
    assert_allclose(results.edf["a"], np.trace(hat), rtol=1e-8)
    # the other equation is that of the vector autoregression on the same rows
    ols = sm.OLS(DATA.loc[model.index, "b"], free).fit()
    assert_allclose(results.params.loc[[*free], "b"], ols.params, rtol=1e-8)
    assert_allclose(results.sigma_u.loc["b", "b"], ols.mse_resid, rtol=1e-8)


def test_the_bayes_factor_is_the_ratio_of_integrated_likelihoods():
    values = DATA.to_numpy()[:60]
    known = np.zeros((60, 0))
    found = choose_long_lags(values, known, 1, 5, threshold=-np.inf)
    tightness = found.tightness[0]
    rows = np.arange(5, 60)
    lagged = {lag: values[rows - lag] for lag in range(1, 6)}
    free = np.column_stack([np.ones(len(rows)), lagged[1]])
    basis = np.linalg.svd(free, full_matrices=True)[0][:, 3:]
    error = basis.T @ values[rows, 0]
    s = np.sqrt(error @ error / len(error))
    long = np.column_stack([lagged[lag][:, 0] for lag in range(2, 6)])

    def log_marginal(lam):
        scaled = basis.T @ long * (lam / np.arange(2, 6) / s)
        values, turn = np.linalg.eigh(np.eye(len(error)) + scaled @ scaled.T)
        squares = ((turn.T @ error) ** 2 / values).sum()
        half = 0.5 * len(error)

        def integrand(log_variance):
            density = -half * log_variance - 0.5 * squares / np.exp(log_variance)
            return np.exp(density - top)

        peak = np.log(squares / len(error))
        top = -half * peak - half
        area = quad(integrand, peak - 5, peak + 5, epsabs=1e-13)[0]
        return np.log(area) + top - 0.5 * np.log(values).sum()

    plain = log_marginal(0.0)
    best = log_marginal(tightness) - plain
    assert choose_long_lags(values, known, 1, 5, threshold=best - 1e-6).tightness.keys() >= {0}
    above = choose_long_lags(values, known, 1, 5, threshold=best + 1e-6)
    assert above is None or 0 not in above.tightness
    # no other tightness is better
    grid = np.geomspace(TIGHTEST, LOOSEST, 60)
    assert best >= max(log_marginal(lam) for lam in grid) - plain - 1e-6


def test_forecasts_iterate_the_equations():
    results = forecaster().fit(alpha=np.inf)
    past = DATA.to_numpy().tolist()
    for _ in range(5):
        row = [1.0, *(past[-lag][at] for lag in range(1, 9) for at in range(2))]
        past.append((np.array(row) @ results.params.to_numpy()).tolist())
    assert_allclose(results.forecast(5), past[-5:], rtol=1e-8)
    drawn = results.get_forecast(5, parameters=True, repetitions=400)
    assert_allclose(drawn.predicted_mean, past[-5:], rtol=1e-8)
    response = results.girf("a", 1.0, 6)
    assert_allclose(response.mean, response.reference, rtol=1e-8, atol=1e-10)
    assert abs(response.mean[6, 0]) > 0.1


@pytest.mark.parametrize(
    ("family", "options"),
    [
        (ne.NeuralAR, {"hidden": (2,)}),
        pytest.param(ne.LSTMForecaster, {"units": (2,), "window": 3}, marks=pytest.mark.slow),
    ],
)
def test_networks_stand_beside_long_lags(family, options, tmp_path):
    model = family.from_formula("a + b ~ 1", DATA, max_lags=8, **options)
    results = model.fit(alpha=0.01, n_starts=2, cv=3)
    assert not results.is_linear
    fitted, actual = results.fittedvalues, DATA.loc[results.fittedvalues.index]
    assert_allclose(fitted + results.resid, actual, rtol=1e-12)
    assert_allclose(results.resid.to_numpy()[-results.nobs :], results._residuals, atol=1e-12)
    later = results.apply(DATA.iloc[:-1])
    assert_allclose(later.forecast(1).iloc[0], fitted.iloc[-1], rtol=1e-6)
    drawn = results.get_forecast(3, parameters=True)
    assert_allclose(drawn.predicted_mean, results.get_forecast(3).predicted_mean, rtol=0.3)
    out = results.cv["a"].predictions
    assert_allclose(out["actual"], DATA.loc[out.index, "a"], rtol=1e-12)
    moved = DATA.copy()
    moved.loc[DATA.index[-7], "a"] += 1e-5
    change = (results.apply(moved).forecast(1) - results.forecast(1)).iloc[0, 0] / 1e-5
    assert_allclose(change, results.params.loc["L7.a", "a"], rtol=1e-4)
    results.save(tmp_path / "long.zip")
    again = ne.load(tmp_path / "long.zip")
    assert_allclose(again.forecast(2), results.forecast(2), rtol=1e-12)
    kept = results.refit(DATA.iloc[:-8], alpha=np.inf)
    assert kept.model.long_lags.tightness == model.long_lags.tightness
    assert "Long lags" in str(results.summary())


def test_a_backtest_equals_a_loop_and_keeps_the_tightness_between_choices():
    model, options = forecaster(), {"intervals": False, "progress": False}
    origins = DATA.index[-4:-1]
    for reselect in (1, 3):
        found = ne.backtest(
            {"long": (model, {"alpha": np.inf})}, DATA, targets=["a", "b"], initial=origins[0],
            reselect=reselect, **options,
        )  # fmt: skip
        pinned = {} if reselect == 1 else model.on(DATA.loc[: origins[0]]).pinned
        for cutoff in origins:
            here = model.on(DATA.loc[:cutoff], **pinned)
            expected = here.fit(alpha=np.inf).forecast(1).iloc[0]
            ours = found.forecasts.query("cutoff == @cutoff").set_index("variable")["forecast"]
            assert_allclose(ours[["a", "b"]], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long_lags": {"c": 1.0}}, "names 'c', which is no series"),
        ({"long_lags": {"a": -1.0}}, "give a tightness, a positive number"),
        ({"long_lags": 3}, "give True, False, or the tightness by series"),
        ({"long_lags": True, "linear_part": False}, "needs a linear part"),
        ({"long_lags": True, "strategy": "direct", "horizon": 2}, "strategy='recursive'"),
        ({"long_lags": True, "loss": "quantile"}, "needs a loss of the mean"),
        ({"long_lags": True, "linear_lags": [1, 3]}, "all lags from 1 to an order"),
        ({"long_lags": True, "lags_by_equation": True}, "needs lags_by_equation=False"),
        ({"long_lags": True, "seasonal_lags": 1}, "needs seasonal_lags=0"),
        ({"long_lags": True, "linear_lags": 8}, "raise max_lags"),
    ],
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(SpecificationError, match=message):
        forecaster(**options)


@pytest.mark.slow
def test_intervals_of_a_system_with_long_lags_hold_ninety_percent():
    inside = []
    for seed in range(300):
        data = long_memory(seed, 204)
        results = ne.NeuralAR.from_formula("a + b ~ 1", data.iloc[:200], hidden=()).fit()
        ends = results.get_forecast(4, parameters=True).limits(0.1)
        low, high = map(np.asarray, ends)
        outcome = data.iloc[200:].to_numpy()
        inside.append((low <= outcome) & (outcome <= high))
    share = np.mean(inside, axis=0)
    assert share.mean() > 0.87 and share.mean() < 0.93
    assert share.min() > 0.84
