"""Forecasters with Student-t errors: likelihood, weights, and what heavy tails do to forecasts."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize

import nnecon as ne
from nnecon.estimation.student import estimate_tail, student_regression
from nnecon.exceptions import SpecificationError


def bent(y):
    return 1.5 - 3.0 * np.exp(-(y**2))


def heavy(n, seed=0, df=3.0, mean=lambda y: 0.5 * y):
    g, y = np.random.default_rng(seed), np.zeros(n)
    for t in range(1, n):
        y[t] = mean(y[t - 1]) + 0.5 * g.standard_t(df)
    return pd.DataFrame({"y": y}, pd.period_range("1950Q1", periods=n, freq="Q"))


def test_tails_have_the_largest_likelihood():
    residual = 2.0 * np.random.default_rng(0).standard_t(4.0, 2000)
    tail = estimate_tail(residual)
    df, _, scale = stats.t.fit(residual, floc=0.0)
    assert tail.df == pytest.approx(df, rel=1e-3)
    assert tail.scale == pytest.approx(scale, rel=1e-3)
    np.testing.assert_allclose(
        tail.log_density(residual), stats.t.logpdf(residual, tail.df, 0.0, tail.scale)
    )
    assert estimate_tail(np.random.default_rng(1).standard_normal(2000)).df > 20.0


def test_linear_regressions_have_the_largest_likelihood():
    g = np.random.default_rng(2)
    x = np.column_stack([np.ones(300), g.standard_normal((300, 2))])
    y = x @ [1.0, 2.0, -1.0] + g.standard_t(3.0, 300)
    found = student_regression(x, y)

    def loss(at):
        return -stats.t.logpdf(y - x @ at[:3], np.exp(at[4]), 0.0, np.exp(at[3])).sum()

    start = np.r_[found.coefs + 0.05, np.log(found.tail.scale) + 0.1, np.log(found.tail.df) + 0.1]
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(found.coefs, best.x[:3], atol=1e-5)
    assert found.tail.df == pytest.approx(np.exp(best.x[4]), rel=1e-3)
    # first-order conditions of the coefficients
    slope = x.T @ (found.weights * (y - x @ found.coefs))
    np.testing.assert_allclose(slope, 0.0, atol=1e-7)


@pytest.fixture(scope="module")
def linear():
    data = heavy(300)
    build = {
        loss: ne.NeuralAR(data, linear_lags=1, hidden=(), loss=loss)
        for loss in ("student", "gaussian")
    }
    return {loss: model.fit() for loss, model in build.items()}


def test_linear_equations_are_those_regressions(linear):
    results = linear["student"]
    y = results.data.endog[:, 0]
    rows = np.column_stack([np.ones(299), y[:-1]])
    found = student_regression(rows, y[1:])
    np.testing.assert_allclose(results.params["y"], found.coefs, rtol=1e-6, atol=1e-8)
    assert results.tails.loc["y", "df"] == pytest.approx(found.tail.df, rel=1e-5)
    density = stats.t.logpdf(y[1:] - rows @ found.coefs, found.tail.df, 0.0, found.tail.scale)
    assert results.llf == pytest.approx(density.sum(), rel=1e-9)
    assert results.aic == pytest.approx(-2.0 * results.llf + 2.0 * 4.0, rel=1e-12)
    assert results.llf > linear["gaussian"].llf + 10.0
    assert "t df" in str(results.summary()) and "Student-t" in str(results.summary())
    with pytest.raises(SpecificationError, match="loss='student'"):
        _ = linear["gaussian"].tails
    with pytest.raises(SpecificationError, match="choose one of"):
        ne.NeuralAR(results.data.frame, loss="huber")


def test_outliers_move_coefficients_less(linear):
    data = linear["student"].data.frame.copy()
    data.iloc[150, 0] += 30.0
    moved = {
        loss: abs(results.model.on(data).fit().params - results.params).loc["L1.y", "y"]
        for loss, results in linear.items()
    }
    assert moved["student"] < 0.3 * moved["gaussian"]


def test_intervals_have_heavy_tails(linear):
    """Inner intervals are narrower than normal ones of the same variance, outer ones wider."""
    student, gaussian = (linear[loss].get_forecast(1, rng=1) for loss in ("student", "gaussian"))
    widths = {
        level: [
            float(np.diff(one.limits(1.0 - level), axis=0)[0, 0, 0]) for one in (student, gaussian)
        ]
        for level in (0.5, 0.99)
    }
    assert widths[0.5][0] < 0.95 * widths[0.5][1]
    assert widths[0.99][0] > 1.05 * widths[0.99][1]


def test_networks_weights_belong_to_their_residuals():
    data = heavy(300, seed=3, mean=bent)
    model = ne.NeuralAR(data, linear_lags=1, hidden=(3,), loss="student")
    results = model.fit(alpha=0.005, n_starts=2)
    equation = results.equations[0]
    assert not results.is_linear and results.converged
    residual = results.resid["y"].to_numpy() / equation.scaling.target_scale
    np.testing.assert_allclose(equation.weights, equation.tail.weights(residual), atol=2e-3)
    assert equation.weights[np.abs(residual).argmax()] < 0.2
    # the network has more likelihood than the linear t regression, and both than normal errors
    plain = results.model.fit(alpha=np.inf)
    assert results.llf > plain.llf + 5.0
    gaussian = ne.NeuralAR(data, linear_lags=1, hidden=(3,)).fit(alpha=0.005, n_starts=2)
    assert results.llf > gaussian.llf + 10.0
    frame = results.compare().frame
    assert frame.loc["Log-likelihood"].iloc[1] == pytest.approx(plain.llf, rel=1e-8)


def test_networks_see_through_outliers():
    """Out of sample the mean of a bent process is found better with the errors that it has."""
    gains = []
    for seed in range(3):
        data, new = (heavy(*at, 2.3, bent) for at in ((250, seed), (1500, 50 + seed)))
        truth = bent(new["y"].shift(1))
        inside = new["y"].shift(1).abs() < 2.5
        errors = []
        for loss in ("student", "gaussian"):
            model = ne.NeuralAR(data, linear_lags=1, hidden=(4,), loss=loss)
            fitted = model.fit(alpha=0.001, n_starts=2).apply(new).fittedvalues["y"]
            errors.append(((fitted - truth)[inside] ** 2).mean())
        gains.append(errors[0] / errors[1])
    assert np.median(gains) < 0.8, gains


def test_files_direct_forecasts_and_penalties_go_with_it(tmp_path):
    data = heavy(200, seed=4, mean=bent)
    model = ne.NeuralAR(data, linear_lags=1, hidden=(2,), loss="student")
    results = model.fit(alphas=4, n_starts=1)
    assert results.cv["y"].scores.shape[1] > 2
    results.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    pd.testing.assert_frame_equal(again.tails, results.tails)
    pd.testing.assert_frame_equal(
        again.get_forecast(2).summary_frame(), results.get_forecast(2).summary_frame()
    )
    direct = ne.NeuralAR(
        heavy(200), linear_lags=1, hidden=(2,), loss="student", strategy="direct", horizon=2
    )
    fits = [direct.fit(alpha=alpha, n_starts=1) for alpha in (np.inf, 0.01)]
    for one in fits:
        found = one.get_forecast(2)
        assert found.paths is not None and one.at(2).tails.loc["y", "df"] < 30.0
        assert one.get_forecast(2, interval="conformal").conf_int(0.1).notna().all().all()
    # parameters make intervals wider: weights and curvature are those of the t likelihood
    first = fits[0].get_forecast(1)
    share = first.variance_shares.loc[:, ("y", "parameters")].iloc[0]
    assert 0.0 < share < 0.1
