"""How often bands of impulse responses hold the true ones, and how far networks beat the VAR.

    python tests/models/response_coverage.py [PROCESS] [SAMPLES] [MODEL] [ALPHA]

prints, by size of the shock and horizon, the mean true response, the mean errors of the network's
and of the VAR's, the share of 90% bands that hold the truth, and their width. Then the network's
root mean squared error one period ahead in 200 periods after the sample, over the VAR's, and the
share of samples in which a Diebold-Mariano test rejects equal accuracy at 5% in its favour.
Samples have 400 periods. ``ALPHA`` is a penalty or "cv".
"""

import sys

import numpy as np
import pandas as pd

import nnecon as ne
from nnecon.accuracy import diebold_mariano
from nnecon.results.histories import chosen_histories

PERIODS, LATER, BURN, HORIZON, SIZES, FUTURES = 400, 200, 50, 3, (2.0, -2.0), 200

QUARTERS = pd.period_range("1900Q1", periods=PERIODS + LATER, freq="Q")


def threshold(state, shocks):
    """Threshold VAR(1): y feeds on the positive part of x alone."""
    y, x = state.T
    values = []
    for e, u in np.moveaxis(shocks, 2, 1):
        y, x = 0.2 * y + 1.5 * np.maximum(x, 0.0) + e, 0.7 * x + u
        values.append(np.column_stack([y, x]))
    return np.stack(values)


def smooth_transition(state, shocks):
    """Logistic smooth-transition autoregression."""
    y = state[:, 0]
    values = []
    for e in shocks[:, :, 0]:
        weight = 1.0 / (1.0 + np.exp(-3.0 * y))
        y = (0.8 - 1.1 * weight) * y + e
        values.append(y[:, None])
    return np.stack(values)


PROCESSES = {
    "threshold": (threshold, np.array([0.5, 1.0])),
    "smooth transition": (smooth_transition, np.ones(1)),
}

MODELS = {
    "NeuralAR": (ne.NeuralAR, {"hidden": (4,)}),
    "LSTM": (ne.LSTMForecaster, {"units": (4,), "window": 4}),
    "Conv": (ne.ConvForecaster, {"channels": (4,), "window": 4}),
    "Attention": (ne.AttentionForecaster, {"units": 4, "window": 4}),
}


def true_response(process, histories, size):
    """Mean over histories of what a shock to the last series changes, shape (HORIZON + 1, m)."""
    step, scale = PROCESSES[process]
    state = np.repeat(histories, FUTURES, axis=0)
    shocks = np.random.default_rng(0).standard_normal((HORIZON + 1, *state.shape)) * scale
    given = shocks.copy()
    given[0, :, -1] = size
    return (step(state, given) - step(state, shocks)).mean(axis=1)


def replication(process, seed, model="NeuralAR", alpha="cv"):
    """Responses (a row a size and horizon) and accuracy one period ahead, in one sample."""
    step, scale = PROCESSES[process]
    g = np.random.default_rng(seed)
    m = len(scale)
    drawn = g.standard_normal((BURN + PERIODS + LATER, 1, m)) * scale
    values = step(np.zeros((1, m)), drawn)[BURN:, 0]
    data = pd.DataFrame(values, index=QUARTERS, columns=["y", "x"][:m])
    train = data.iloc[:PERIODS]
    family, options = MODELS[model]
    forecaster = family.from_formula(" + ".join(data) + " ~ 1", train, linear_lags=1, **options)
    # the equation of x is linear
    given = alpha if alpha == "cv" else {"y": alpha, **dict.fromkeys(data.columns[1:], np.inf)}
    results = forecaster.fit(given, alphas=6, n_starts=2, rng=seed)
    losses = [
        one.apply(data).resid["y"].iloc[-LATER:].to_numpy() ** 2
        for one in (results, forecaster.fit(np.inf))
    ]
    gain = np.sqrt(losses[0].mean() / losses[1].mean())
    wins = gain < 1.0 and diebold_mariano(*losses).pvalue < 0.05 if gain != 1.0 else False
    positions = forecaster.sample.positions
    rows = chosen_histories(forecaster.index, "all", len(positions))[0]
    histories = train.to_numpy()[positions[rows] - 1]
    found = []
    for size in SIZES:
        truth = true_response(process, histories, size)[:, 0]
        ours = results.girf(data.columns[-1], size, HORIZON)
        for h in range(1, HORIZON + 1):
            low, high = ours.lower[h, 0], ours.upper[h, 0]
            found.append(
                {
                    "size": size, "h": h, "true": truth[h], "error": ours.mean[h, 0] - truth[h],
                    "VAR's error": ours.reference[h, 0] - truth[h],
                    "covered": low <= truth[h] <= high, "width": high - low,
                }
            )  # fmt: skip
    return pd.DataFrame(found), gain, wins


def simulated(process, samples, model="NeuralAR", alpha="cv", first=0):
    """Means over samples: of responses by size and horizon; RMSE over the VAR's, rejections."""
    found = [replication(process, first + seed, model, alpha) for seed in range(samples)]
    responses = pd.concat([one[0] for one in found]).groupby(["size", "h"]).mean()
    return responses, float(np.mean([one[1] for one in found])), np.mean([one[2] for one in found])


if __name__ == "__main__":
    chosen = sys.argv[1:2] or list(PROCESSES)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    kind = sys.argv[3] if len(sys.argv) > 3 else "NeuralAR"
    penalty = float(sys.argv[4]) if len(sys.argv) > 4 and sys.argv[4] != "cv" else "cv"
    for name in chosen:
        table, ratio, share = simulated(name, count, kind, penalty)
        print(f"{name}, {kind}, {count} samples, alpha={penalty}")
        print(table.round(3).to_string())
        print(f"mean coverage {table['covered'].mean():.3f}")
        print(
            f"RMSE over the VAR's {ratio:.3f}, Diebold-Mariano rejects in {share:.2f}\n", flush=True
        )
