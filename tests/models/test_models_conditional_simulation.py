"""Networks against IPCA on later periods, where loadings bend and where they do not."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne

RIGHT = "a + b + c + d + e"


def draw(seed: int, bent: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sample and later periods, 60 of each: 60 assets, persistent characteristics, two factors."""
    g = np.random.default_rng(seed)
    n_periods, n_assets = 120, 60
    z = np.empty((n_periods, n_assets, 5))
    z[0] = g.standard_normal(z.shape[1:])
    for t in range(1, n_periods):
        z[t] = 0.9 * z[t - 1] + np.sqrt(1 - 0.9**2) * g.standard_normal(z.shape[1:])
    factors = 0.5 * g.standard_normal((n_periods, 1, 2)) + [0.3, 0.1]
    first, second = z[:, :, 0] + 0.5 * z[:, :, 1] + 0.3, z[:, :, 2] - 0.5 * z[:, :, 3]
    if bent:
        first = 0.5 * z[:, :, 0] + 0.6 * (z[:, :, 1] ** 2 - 1) + 0.3
        second = 0.5 * z[:, :, 2] + 0.7 * z[:, :, 3] * z[:, :, 4]
    ret = first * factors[:, :, 0] + second * factors[:, :, 1]
    data = pd.DataFrame(z.reshape(-1, 5), columns=list("abcde"))
    data["ret"] = ret.ravel() + g.standard_normal(len(data))
    data["month"] = np.repeat(np.arange(n_periods), n_assets)
    data["asset"] = np.tile(np.arange(n_assets), n_periods)
    data = data[g.random(len(data)) > 0.1]
    return data[data["month"] < 60], data[data["month"] >= 60]


def errors(seed: int, bent: bool, **options) -> tuple[float, float]:
    """Shares of squared returns of later periods that network and IPCA leave unexplained."""
    past, future = draw(seed, bent)
    results = ne.ConditionalAutoencoder.from_formula(
        f"ret ~ {RIGHT}", past, entity="asset", time="month", k_factors=2, hidden=(8,)
    ).fit(**options)
    total = results.compare(future).frame.loc["Total R-squared of the new rows"]
    return 1.0 - total["network"], 1.0 - total["IPCA"]


def test_bent_loadings_pay_outside_the_sample_and_linear_ones_cost_nothing():
    quick = {"alphas": [0.01, 0.003], "n_starts": 4, "cv": 3}
    network, linear = errors(0, True, **quick)
    assert network < 0.95 * linear
    network, linear = errors(0, False, **quick)
    assert network <= 1.01 * linear


@pytest.mark.slow
def test_twenty_draws_of_bent_and_of_linear_loadings():
    options = {"alphas": [0.03, 0.01, 0.003, 0.001, 0.0003], "n_starts": 4}
    bent = np.array([errors(seed, True, **options) for seed in range(20)])
    straight = np.array([errors(seed, False, **options) for seed in range(20)])
    for name, found in {"bent": bent, "linear": straight}.items():
        ratio = found[:, 0] / found[:, 1]
        print(f"{name}: mean ratio {ratio.mean():.3f}, {ratio.min():.3f} to {ratio.max():.3f}")
    assert (bent[:, 0] < 0.95 * bent[:, 1]).all()
    ratio = straight[:, 0] / straight[:, 1]
    assert ratio.mean() <= 1.01
