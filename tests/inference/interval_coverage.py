"""How often prediction intervals cover: simulations for the slow tests and the documentation.

    python tests/inference/interval_coverage.py [DESIGN] [REPLICATIONS]

prints a row an interval with the share of new observations, and of true means at new rows, that
90% intervals hold, and the average width. Samples of 200 rows; the penalty is cross-validated anew
in every sample.
"""

import sys
import warnings

import numpy as np
import pandas as pd

import nnecon as ne

N, NEW, AHEAD, LEVEL = 200, 200, 60, 0.1

CROSS = {
    "delta": {"interval": "delta"},
    "laplace": {"interval": "laplace"},
    "bootstrap": {"interval": "bootstrap", "draws": 199},
    "bootstrap basic": {"interval": "bootstrap", "draws": 199, "method": "basic"},
    "split": {"interval": "conformal", "method": "split"},
    "split scaled": {"interval": "conformal", "method": "split", "scaled": True},
    "cv+": {"interval": "conformal", "method": "cv+"},
    "cv+ scaled": {"interval": "conformal", "method": "cv+", "scaled": True},
    "jackknife+": {"interval": "conformal", "method": "jackknife+"},
}
SERIES = {
    "delta": CROSS["delta"],
    "laplace": CROSS["laplace"],
    "bootstrap": CROSS["bootstrap"],
    "split": CROSS["split"],
    "cv+": CROSS["cv+"],
    "enbpi": {"interval": "conformal"},
}


def bend(x1, x2):
    """A smooth mean that two or three tanh units fit."""
    return 1.0 + 0.5 * x1 - 0.4 * x2 + 1.5 * np.tanh(1.5 * x1 - 0.5)


def cross_section(g, rows, spread):
    """Frame with the true mean and the spread of the disturbance."""
    x1, x2 = g.standard_normal(rows), g.uniform(-2.0, 2.0, rows)
    mean, width = bend(x1, x2), spread(x2)
    return pd.DataFrame({"x1": x1, "x2": x2, "mean": mean, "width": width}).assign(
        y=mean + width * g.standard_normal(rows)
    )


def series(g, rows):
    """Autoregression with a bend, dated, with the true mean of every period."""
    y = np.zeros(rows + 51)
    mean = np.zeros(rows + 51)
    for t in range(1, len(y)):
        mean[t] = 0.3 + 0.2 * y[t - 1] + 1.2 * np.tanh(y[t - 1])
        y[t] = mean[t] + g.standard_normal()
    index = pd.period_range("1950Q1", periods=rows, freq="Q")
    return pd.DataFrame({"y": y[51:], "before": y[50:-1], "mean": mean[51:]}, index)


DESIGNS = {
    "iid": lambda g, rows: cross_section(g, rows, lambda x2: np.full(len(x2), 0.7)),
    "heteroskedastic": lambda g, rows: cross_section(g, rows, lambda x2: 0.7 * np.exp(0.6 * x2)),
    "series": series,
}


def replication(design, seed, methods=None):
    """Coverage and width of every interval in one sample: a row a method."""
    g = np.random.default_rng(seed)
    dated = design == "series"
    data = DESIGNS[design](g, N + (AHEAD if dated else NEW))
    sample, new = data.iloc[:N], data.iloc[N:]
    formula = "y ~ before" if dated else "y ~ x1 + x2"
    model = ne.NeuralRegression.from_formula(formula, sample, hidden=(2,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = model.fit(alphas=6, n_starts=2, cv=5)
        rows = {}
        for name, options in (methods or (SERIES if dated else CROSS)).items():
            frame = results.get_prediction(new, **options).summary_frame(LEVEL)
            lower, upper = frame["obs_ci_lower"], frame["obs_ci_upper"]
            found = {
                "obs": ((lower < new["y"]) & (new["y"] < upper)).mean(),
                "width": (upper - lower).mean(),
            }
            if "mean_ci_lower" in frame:
                inside = (frame["mean_ci_lower"] < new["mean"]) & (
                    new["mean"] < frame["mean_ci_upper"]
                )
                found["mean"] = inside.mean()
            if design == "heteroskedastic":
                wide = new["x2"] > 1.0
                found["obs where wide"] = ((lower < new["y"]) & (new["y"] < upper))[wide].mean()
            rows[name] = found
    return pd.DataFrame.from_dict(rows, orient="index")


def coverage(design, replications, methods=None, first=0):
    """Means over samples, and the standard error of the coverage of observations."""
    found = [replication(design, first + seed, methods) for seed in range(replications)]
    stacked = pd.concat(found, keys=range(replications))
    means = stacked.groupby(level=1, sort=False).mean()
    error = stacked["obs"].groupby(level=1, sort=False).std() / np.sqrt(replications)
    return means.assign(**{"obs se": error})


if __name__ == "__main__":
    chosen = sys.argv[1:2] or list(DESIGNS)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    for name in chosen:
        print(f"{name}, {count} samples")
        print(coverage(name, count).round(3).to_string(), flush=True)
