"""State-space networks on simulated data: parameters, errors of effects, intervals of forecasts."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.inference.state_space_effects import average_effects

pytestmark = pytest.mark.slow

TRUE = {
    "intercept.y": 0.1, "L1.y.y": 0.3, "loading.h1.y": 2.0, "transition.h1.h1": 0.5,
    "bias.h1": 0.3, "input.L1.y.h1": -0.8, "sqrt.var.y": 0.5,
}  # fmt: skip


def simulated(n, rng):
    p, y, h = TRUE, np.zeros(n + 50), 0.0
    for t in range(1, n + 50):
        h = np.tanh(p["bias.h1"] + p["transition.h1.h1"] * h + p["input.L1.y.h1"] * y[t - 1])
        y[t] = p["intercept.y"] + p["L1.y.y"] * y[t - 1] + p["loading.h1.y"] * h
        y[t] += p["sqrt.var.y"] * rng.normal()
    return pd.DataFrame({"y": y[50:]})


def test_parameters_effects_and_intervals():
    """Parameters of 40 samples of 600; effects and one-step intervals cover as they say."""
    draws, effects, inside, total = [], [], 0, 0
    for seed in range(40):
        data = simulated(700, np.random.default_rng(seed))
        model = ne.RNNStateSpace(data.iloc[:600], k_states=1, linear_lags=1)
        results = model.fit(alpha=1e-6, n_starts=4)
        draws.append(results.params[list(TRUE)])
        truth = model.units.to_standard(pd.Series(TRUE)[model.param_names].to_numpy())
        known, _ = average_effects(model.network, truth, model.sample.rows, 2)
        table = results.effects(2)
        effects.append(np.abs(table["effect"] - known.ravel()) < 1.96 * table["std err"])
        ahead = results.append(data.iloc[600:]).get_prediction(600, 699)
        low, high = ahead.limits(0.05)
        actual = data.loc[ahead.index, "y"].to_numpy()
        assert len(actual) == len(ahead.index)
        inside += int(((actual > low[:, 0]) & (actual < high[:, 0])).sum())
        total += len(actual)
    found = pd.DataFrame(draws)
    true = pd.Series(TRUE)
    middle = (found.median() - true).abs() / np.maximum(true.abs(), 0.3)
    print(pd.DataFrame({"true": true, "median": found.median(), "sd": found.std()}))
    print("effects cover", np.mean(effects, axis=0), "one-step intervals", inside / total)
    assert (middle < 0.15).all()
    # 40 draws: three standard errors of a share of .95 are .10
    assert (np.mean(effects, axis=0) > 0.85).all()
    assert 0.93 < inside / total < 0.97


SAMPLES = 40


def test_errors_of_parameters_forecasts_and_responses():
    """95% intervals of parameters by all three covariances, forecasts to four steps, girf bands."""
    kinds = ("oim", "opg", "robust")
    covered = {kind: [] for kind in kinds}
    ahead, bands = [], []
    for seed in range(SAMPLES):
        data = simulated(700, np.random.default_rng(100 + seed))
        model = ne.RNNStateSpace(data.iloc[:600], k_states=1, linear_lags=1)
        results = model.fit(alpha=1e-6, n_starts=4)
        true = pd.Series(TRUE)
        for kind in kinds:
            interval = results.with_cov(kind).conf_int().loc[list(TRUE)]
            covered[kind].append((interval["lower"] < true) & (true < interval["upper"]))
        for more in (0, 40, 80):
            grown = results.append(data.iloc[600 : 600 + more]) if more else results
            made = grown.get_forecast(4, repetitions=400, rng=seed)
            low, high = made.limits(0.05)
            actual = data.loc[made.index, "y"].to_numpy()
            ahead.append((actual > low[:, 0]) & (actual < high[:, 0]))
        truth = model.results_at(true[model.param_names])
        known = truth.girf("y", size=1.0, periods=3, level=None, rng=seed).mean[1:, 0]
        found = results.girf("y", size=1.0, periods=3, level=0.9, rng=seed)
        bands.append((found.lower[1:, 0] < known) & (known < found.upper[1:, 0]))
    shares = pd.DataFrame({kind: np.mean(each, axis=0) for kind, each in covered.items()})
    shares.index = list(TRUE)
    print(shares, np.mean(ahead, axis=0), np.mean(bands, axis=0), sep="\n")
    # parameters of a sample move together: the mean over seven has an error of about .03
    assert ((shares.mean() > 0.86) & (shares.mean() < 0.99)).all()
    assert 0.90 < np.mean(ahead) < 0.99
    assert np.mean(bands) > 0.78
