"""What intervals of dynamic factor models hold, and what the nonlinearity is worth, in samples."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne

N_SERIES, N_OBS, STEPS = 20, 200, 4


def drawn(seed, curve):
    """Twenty series, linear or curved in an autoregressive factor, and the four rows after them."""
    g = np.random.default_rng(seed)
    f = np.zeros(N_OBS + STEPS + 50)
    for t in range(1, len(f)):
        f[t] = 0.7 * f[t - 1] + np.sqrt(1 - 0.7**2) * g.standard_normal()
    f = f[50:]
    a, b = g.standard_normal((2, N_SERIES))
    x = np.outer(f, a) + curve * np.outer(f**2 - 1, b)
    x = x + 0.7 * g.standard_normal(x.shape)
    index = pd.period_range("2000-01", periods=len(x), freq="M")
    frame = pd.DataFrame(x, index, [f"s{j}" for j in range(N_SERIES)])
    return frame[:N_OBS], frame[N_OBS:]


def coverage(curve, samples, first=0, **options):
    """Share of the outcomes in 90% intervals by horizon, and mean squared errors of each model."""
    hidden = options.pop("hidden", 4)
    inside, errors = [], []
    for seed in range(first, first + samples):
        x, later = drawn(seed, curve)
        results = ne.AutoencoderFactor(x, 1, hidden, factor_order=1).fit(**options)
        linear = ne.AutoencoderFactor(x, 1, (), factor_order=1).fit()
        made = results.get_forecast(STEPS)
        low, high = made.limits(0.1)
        inside.append(((later > low) & (later < high)).mean(axis=1))
        scale = x.std(ddof=0)
        errors.append(
            [
                (((later - each.forecast(STEPS)) / scale) ** 2).mean(axis=1).to_numpy()
                for each in (results, linear)
            ]
        )
    return np.mean(inside, axis=0), np.mean(errors, axis=0)


@pytest.mark.slow
def test_intervals_of_a_linear_dynamic_factor_model_hold():
    inside, _ = coverage(0.0, 1000, first=1000, hidden=())
    assert 0.87 <= inside[0] <= 0.93 and 0.87 <= inside[3] <= 0.93, inside


@pytest.mark.slow
def test_intervals_of_a_curved_dynamic_factor_model_hold_and_its_forecasts_are_better():
    inside, errors = coverage(0.5, 200, first=100, alpha=0.005, alphas=4, n_starts=2)
    assert 0.87 <= inside[0] <= 0.93 and 0.87 <= inside[3] <= 0.93, inside
    assert errors[0, 0] < errors[1, 0], errors
