"""Conformal forecast intervals: errors of blocks left out, and what they are worth."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import ForecastError, SpecificationError

PHI = np.array([[0.6, 0.2], [-0.1, 0.5]])


def frame(values, columns=("y", "x")):
    index = pd.period_range("1950Q1", periods=len(values), freq="Q")
    return pd.DataFrame(values, index=index, columns=list(columns)[: values.shape[1]])


def vector(n, seed=0):
    g, y = np.random.default_rng(seed), np.zeros((n, 2))
    for t in range(1, n):
        y[t] = PHI @ y[t - 1] + g.standard_normal(2)
    return frame(y)


def second_order(n, seed=0):
    """What an autoregression of one lag gets wrong."""
    g, y = np.random.default_rng(seed), np.zeros((n, 1))
    for t in range(2, n):
        y[t] = 1.4 * y[t - 1] - 0.9 * y[t - 2] + g.standard_normal()
    return frame(y)


def naive_errors(data, steps, blocks):
    """A loop over blocks and origins, with least squares on the rows that are left."""
    y = data.to_numpy()
    rows = np.arange(1, len(y))
    firsts = rows[rows + steps <= len(y)]
    errors = []
    for part in np.array_split(firsts, blocks):
        kept = [t for t in rows if not part[0] <= t < part[-1] + steps]
        regressors = np.column_stack([np.ones(len(kept)), y[np.array(kept) - 1]])
        coefs = np.linalg.lstsq(regressors, y[kept], rcond=None)[0]
        for first in part:
            value = y[first - 1]
            path = []
            for _ in range(steps):
                value = np.r_[1.0, value] @ coefs
                path.append(value)
            errors.append(y[first : first + steps] - path)
    return np.array(errors)


@pytest.mark.parametrize("blocks", [4, 10])
def test_errors_are_those_of_a_loop_that_leaves_blocks_out(blocks):
    data = vector(80)
    results = ne.LSTMForecaster(data, linear_lags=1, units=(2,)).fit(alpha=np.inf)
    found = results.get_forecast(3, interval="conformal", blocks=blocks)
    expected = naive_errors(data, 3, blocks)
    np.testing.assert_allclose(found.paths - found.mean, expected, atol=1e-10)
    np.testing.assert_allclose(found.se, np.sqrt((expected**2).mean(axis=0)), atol=1e-10)
    np.testing.assert_allclose(found.mean, results.forecast(3), rtol=1e-12)
    # 77 errors: the fourth smallest and largest at 90%, by the rule floor(.05 * 78) = 3
    low, high = found.limits(0.1)
    ordered = np.sort(expected, axis=0)
    np.testing.assert_allclose(low, found.mean + ordered[2], atol=1e-10)
    np.testing.assert_allclose(high, found.mean + ordered[-3], atol=1e-10)


def test_networks_are_estimated_without_the_block():
    data = vector(100)
    results = ne.NeuralAR(data, linear_lags=1, hidden=(3,)).fit(alpha=1e-3, n_starts=2)
    found = results.get_forecast(1, interval="conformal", blocks=5)
    errors = (found.paths - found.mean)[:, 0]
    inside = results.resid.to_numpy()
    assert errors.shape == inside.shape
    # what was not seen is forecast worse than what was
    assert (errors.std(axis=0) > 1.02 * inside.std(axis=0)).all()
    part = np.array_split(np.arange(99), 5)[2]
    model = results.model
    weights = np.ones(99)
    weights[part] = 0.0
    for at, equation in enumerate(results.equations):
        from nnecon.estimation.mean_network import mean_network

        solutions = mean_network(
            equation.objective, weights, np.zeros(model.network.n_params), equation.alpha,
            equation.params, model._solver("auto"), warm=True,
        )  # fmt: skip
        values = [
            np.asarray(model.network.apply(one.params, row))
            for one in solutions
            for row in equation.objective.inputs[part]
        ]
        mean = np.reshape(values, (len(solutions), -1)).mean(axis=0)
        expected = model.sample.target[part, at] - equation.scaling.restore(mean)
        np.testing.assert_allclose(errors[part, at], expected, atol=1e-3)


def test_they_hold_where_the_model_is_wrong():
    """One lag where there are two: simulated intervals believe the model, these do not."""
    data, new = second_order(1500), second_order(4000, seed=1)["y"].to_numpy()
    results = ne.NeuralAR(data, linear_lags=1, hidden=()).fit()
    const, slope = results.params["y"]
    two = const + slope * (const + slope * new[:-2])
    believed, found = (
        results.get_forecast(2, interval=interval) for interval in ("simulation", "conformal")
    )
    covered = []
    for one in (believed, found):
        low, high = (limit[1, 0] - one.mean[1, 0] for limit in one.limits(0.1))
        error = new[2:] - two
        covered.append(((low <= error) & (error <= high)).mean())
    assert covered[0] < 0.84
    assert covered[1] == pytest.approx(0.9, abs=0.03)


def test_what_is_known_of_the_last_row_is_known_in_the_past_too():
    data = vector(120)
    late = data.copy()
    late.iloc[-1, 0] = np.nan
    results = ne.NeuralAR(data, linear_lags=1, hidden=()).fit()
    whole = results.apply(data.iloc[:-1]).get_forecast(2, interval="conformal")
    told = results.apply(late).get_forecast(1, interval="conformal")
    blind = results.apply(late.iloc[:-1]).get_forecast(2, interval="conformal")
    # the period after the incomplete one is forecast with one series of it known
    assert told.se[0, 1] < blind.se[1, 1]
    np.testing.assert_allclose(whole.se, blind.se)


def test_plots_and_frames_take_them():
    results = ne.NeuralAR(vector(120), linear_lags=1, hidden=()).fit()
    found = results.get_forecast(2, interval="conformal")
    assert found.method == "conformal, 118 errors of 10 blocks left out"
    assert (found.variance_shares == 1.0).all().all()
    assert list(found.summary_frame(0.1)["y"]) == [
        "mean", "mean_se", "mean_ci_lower", "mean_ci_upper",
    ]  # fmt: skip
    assert results.plot_forecast(2, interval="conformal").axes


def test_what_does_not_go_with_them_is_refused():
    data = vector(30)
    results = ne.NeuralAR(data, linear_lags=1, hidden=()).fit()
    path = pd.DataFrame({"x": [0.0]}, index=results.forecast(1).index)
    with pytest.raises(SpecificationError, match="conditions= belongs to"):
        results.get_forecast(1, conditions=path, interval="conformal")
    with pytest.raises(SpecificationError, match="parameters= belongs to"):
        results.get_forecast(1, parameters=True, interval="conformal")
    with pytest.raises(SpecificationError, match="choose one of"):
        results.get_forecast(1, interval="delta")
    with pytest.raises(ForecastError, match="take fewer steps"):
        results.get_forecast(40, interval="conformal")
    with pytest.raises(ForecastError, match=r"take alpha of at least 0\.067"):
        results.get_forecast(1, interval="conformal").conf_int(0.05)
