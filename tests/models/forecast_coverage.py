"""How often forecast intervals cover: simulations for the slow tests and the documentation.

    python tests/models/forecast_coverage.py [PROCESS] [SAMPLES] [MODEL]

prints, by horizon, the share of outcomes that 90% intervals hold after samples of 300 periods, and
the average width. Each sample has many futures of the true process, so that what is left of
simulation error is that between samples. The penalty is chosen anew in every sample.
"""

import sys

import numpy as np
import pandas as pd

import nnecon as ne

PERIODS, HORIZON, LEVEL, FUTURES, BURN = 300, 8, 0.1, 200, 100

PHI = np.array([[0.6, 0.2], [-0.1, 0.5]])


def linear(paths, steps, g, state=None):
    """VAR(1) of two series."""
    y = np.zeros((paths, 2)) if state is None else state
    values = np.empty((paths, steps, 2))
    for t in range(steps):
        y = y @ PHI.T + g.standard_normal((paths, 2))
        values[:, t] = y
    return values, y


def smooth_transition(paths, steps, g, state=None):
    """Logistic smooth-transition autoregression."""
    y = np.zeros((paths, 1)) if state is None else state
    values = np.empty((paths, steps, 1))
    for t in range(steps):
        weight = 1.0 / (1.0 + np.exp(-3.0 * y))
        y = (0.8 - 1.1 * weight) * y + g.standard_normal((paths, 1))
        values[:, t] = y
    return values, y


def garch(paths, steps, g, state=None):
    """Autoregression with GARCH(1, 1) errors; its state is the value, the variance, the error."""
    y, variance, e = np.moveaxis(np.tile([0.0, 1.0, 0.0], (paths, 1)), 1, 0)
    if state is not None:
        y, variance, e = np.moveaxis(state, 1, 0)
    values = np.empty((paths, steps, 1))
    for t in range(steps):
        variance = 0.05 + 0.1 * e**2 + 0.85 * variance
        e = np.sqrt(variance) * g.standard_normal(paths)
        y = 0.6 * y + e
        values[:, t, 0] = y
    return values, np.column_stack([y, variance, e])


def heavy(paths, steps, g, state=None):
    """Logistic smooth-transition autoregression with Student-t errors of three degrees."""
    y = np.zeros((paths, 1)) if state is None else state
    values = np.empty((paths, steps, 1))
    for t in range(steps):
        weight = 1.0 / (1.0 + np.exp(-3.0 * y))
        y = (0.8 - 1.1 * weight) * y + g.standard_t(3.0, (paths, 1))
        values[:, t] = y
    return values, y


PROCESSES = {"linear": linear, "smooth transition": smooth_transition, "garch": garch}
HEAVY = {"heavy tails": heavy}

MODELS = {
    "NeuralAR": (ne.NeuralAR, {"linear_lags": 1, "hidden": (4,)}),
    "Student-t": (ne.NeuralAR, {"linear_lags": 1, "hidden": (4,), "loss": "student"}),
    "LSTM": (ne.LSTMForecaster, {"linear_lags": 1, "units": (2,), "window": 4}),
}


def replication(process, seed, model="NeuralAR", fit=None, **options):
    """Coverage and width by horizon, each (horizon,), in one sample; means over series."""
    g = np.random.default_rng(seed)
    simulate = {**PROCESSES, **HEAVY}[process]
    values, state = simulate(1, PERIODS + BURN, g)
    values = values[0, BURN:]
    index = pd.period_range("1900Q1", periods=PERIODS, freq="Q")
    data = pd.DataFrame(values, index=index, columns=["y", "x"][: values.shape[1]])
    family, specification = MODELS[model]
    found = family(data, **specification).fit(**{"alphas": 6, "n_starts": 2, **(fit or {})})
    low, high = found.get_forecast(HORIZON, rng=seed, **options).limits(LEVEL)
    futures, _ = simulate(FUTURES, HORIZON, g, np.repeat(state, FUTURES, axis=0))
    inside = (low <= futures) & (futures <= high)
    return inside.mean(axis=(0, 2)), (high - low).mean(axis=1)


def coverage(process, samples, model="NeuralAR", first=0, **options):
    """Means over samples by horizon, and the standard error of the coverage."""
    found = [replication(process, first + seed, model, **options) for seed in range(samples)]
    inside, width = (np.stack(part) for part in zip(*found, strict=True))
    return pd.DataFrame(
        {
            "coverage": inside.mean(axis=0),
            "se": inside.std(axis=0, ddof=1) / np.sqrt(samples),
            "width": width.mean(axis=0),
        },
        index=pd.RangeIndex(1, HORIZON + 1, name="horizon"),
    )


if __name__ == "__main__":
    chosen = sys.argv[1:2] or list(PROCESSES)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    kind = sys.argv[3] if len(sys.argv) > 3 else "NeuralAR"
    for name in chosen:
        print(f"{name}, {kind}, {count} samples")
        print(coverage(name, count, kind).round(3).to_string(), flush=True)
