"""Draws of a forecaster's parameters: the spread of forecasts is that of the delta method."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.inference.effects import values_and_gradients


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
