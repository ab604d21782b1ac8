"""Draws of a forecaster's parameters: the spread of forecasts is that of the delta method."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

import nnecon as ne
from nnecon.inference.effects import values_and_gradients
from nnecon.inference.parameter_draws import debiased, lighter
from nnecon.inference.responses import draw_impacts


def smooth_transition(n, seed):
    g, y = np.random.default_rng(seed), np.zeros(n + 50)
    for t in range(1, n + 50):
        weight = 1.0 / (1.0 + np.exp(-3.0 * y[t - 1]))
        y[t] = (0.8 - 1.1 * weight) * y[t - 1] + g.standard_normal()
    return pd.DataFrame({"y": y[50:]}, pd.period_range("1950Q1", periods=n, freq="Q"))


@pytest.mark.parametrize("alpha", [1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("family", ["ar", "lstm"])
def test_one_step_spread_is_that_of_the_delta_method(alpha, family):
    """Also where the penalty leaves directions of which the sample says nothing."""
    data = smooth_transition(200, 8)
    if family == "ar":
        model = ne.NeuralAR(data, linear_lags=1, hidden=(4,))
    else:
        model = ne.LSTMForecaster(data, linear_lags=1, units=(2,), window=3)
    results = model.fit(alpha=alpha, n_starts=1)
    equation, simulator = results.equations[0], results._simulator
    objective, params = equation.objective, equation.params[0]
    n = len(objective.target)
    _, jacobian = values_and_gradients(objective.network, params, objective.inputs)
    ridge = n * alpha * objective.penalty.ridge
    step = np.linalg.solve(jacobian.T @ jacobian + np.diag(ridge), jacobian.T)
    covariance = (step * (simulator.residuals[:, 0]) ** 2) @ step.T
    # the last row of the sample is a period whose forecast can be made from the one before
    earlier = results.apply(data.iloc[:-1])
    variance = jacobian[-1] @ covariance @ jacobian[-1]
    found = earlier.get_forecast(1, rng=1)
    # sixty draws of a nearly normal variable: a standard deviation of a fifth
    assert found.variances["parameters"][0, 0] == pytest.approx(variance, rel=0.6)
    # a row says less about its own mean than its outcome does, however many parameters there are
    assert variance < results.sigma_u.iloc[0, 0]
    many = simulator.parameters(800, np.random.default_rng(0))
    moved = np.array([linear[:, 0] for linear, _ in many]) @ objective.inputs[-1, :2]
    gradient = jacobian[-1].copy()
    gradient[:2] = 0.0
    moved = moved + np.array([moves[0, 0] for _, moves in many]) @ gradient
    assert moved.var() * equation.scaling.target_scale**2 == pytest.approx(variance, rel=0.2)


@pytest.mark.parametrize("family", ["ar", "lstm"])
def test_the_debiasing_step_is_the_ridge_regression_of_residuals_on_derivatives(family):
    data = smooth_transition(120, 3)
    if family == "ar":
        model = ne.NeuralAR(data, linear_lags=1, hidden=(3,))
    else:
        model = ne.LSTMForecaster(data, linear_lags=1, units=(2,), window=3)
    alpha = 0.02
    results = model.fit(alpha=alpha, n_starts=1)
    equation, simulator = results.equations[0], results._simulator
    objective, params = equation.objective, equation.params[0]
    value, jacobian = values_and_gradients(objective.network, params, objective.inputs)
    n, p = len(value), 2
    ridge = n * 0.1 * alpha * objective.penalty.ridge
    whole = jacobian.T @ jacobian + np.diag(ridge)
    expected = np.linalg.solve(whole, jacobian.T @ (objective.target - value))
    found = debiased(simulator._estimated(), [np.arange(p)], p)
    assert_allclose(found.linear[0, :, 0], params[:p] + expected[:p], rtol=1e-6, atol=1e-8)
    assert_allclose(found.moves[0, 0, 0, p:], expected[p:], rtol=1e-6, atol=1e-8)
    # residuals of the draws leave their own row out of the step, as HC3 does
    leverage = np.einsum("ij,ji->i", jacobian, np.linalg.solve(whole, jacobian.T))
    light = lighter(simulator._estimated()[0])
    assert_allclose(light.residual, (objective.target - value) / (1.0 - leverage), rtol=1e-6)


def test_linear_equations_are_not_moved():
    data = smooth_transition(120, 3)
    results = ne.NeuralAR(data, linear_lags=1, hidden=(3,)).fit(alpha=np.inf)
    found = debiased(results._simulator._estimated(), [np.arange(2)], 2)
    assert_allclose(found.linear[0, :, 0], results.equations[0].params[0, :2], atol=1e-12)
    response = results.girf("y", 1.0, 4)
    assert_allclose(response.mean, response.reference, rtol=1e-8)


def test_what_a_shock_goes_along_with_has_the_errors_of_a_regression():
    g = np.random.default_rng(0)
    shocks = g.standard_normal((300, 3)) @ g.standard_normal((3, 3))
    draws = draw_impacts(shocks, 1, 4000, g)
    assert_allclose(draws[:, 1], 1.0)
    for at in (0, 2):
        ols = sm.OLS(shocks[:, at], shocks[:, 1]).fit(cov_type="HC0")
        assert draws[:, at].mean() == pytest.approx(ols.params[0], abs=0.1 * ols.bse[0])
        assert draws[:, at].std() == pytest.approx(ols.bse[0], rel=0.05)
