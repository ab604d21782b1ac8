"""NeuralAR beside R's nnetar: sunspots and carbon dioxide from rolling origins.

    python tests/models/nnetar_comparison.py [SERIES]

prints root mean squared errors, and coverage and width of 90% intervals, by horizon. Forecasts of
``forecast::nnetar`` at its default settings, and the series, are in ``oracles`` beside the script
that made them. Specifications were chosen on periods before the first origin: lags of sunspots by
AIC, as nnetar chooses its own, and months for the season of carbon dioxide. Lags and penalties are
chosen at every tenth origin; estimates are those of every origin.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import nnecon as ne

ORACLES = Path(__file__).parent / "oracles"

START = {"sunspots": ("1700", "Y"), "co2": ("1959-01", "M")}

SPECIFICATIONS = {
    "sunspots": {"defaults": ("y ~ 1", {}), "NeuralAR": ("y ~ 1", {"linear_lags": "aic"})},
    "co2": {"defaults": ("y ~ 1", {}), "NeuralAR": ("y ~ month", {})},
}

RESELECT, LEVEL = 10, 0.1


def oracle(name):
    """The series as a frame, and R's forecasts of it."""
    stored = pd.read_csv(ORACLES / "nnetar_series.csv").query("series == @name")
    begin, frequency = START[name]
    index = pd.period_range(begin, periods=len(stored), freq=frequency)
    data = pd.DataFrame({"y": stored["value"].to_numpy(dtype=float)}, index=index)
    return data, pd.read_csv(ORACLES / "nnetar_forecasts.csv").query("series == @name")


def forecasts(name, kind="NeuralAR", **options):
    """NeuralAR's forecasts from the origins of R's, one row an origin and horizon."""
    data, theirs = oracle(name)
    formula, specification = SPECIFICATIONS[name][kind]
    steps, results, rows = int(theirs["horizon"].max()), None, []
    for at, origin in enumerate(theirs["origin"].unique()):
        known = data.iloc[:origin]
        if at % RESELECT == 0:
            model = ne.NeuralAR.from_formula(formula, known, **specification)
            results = model.fit(**{"n_starts": 2, **options})
        else:
            results = results.refit(known)
        ahead = results.get_forecast(steps, parameters=True, rng=int(origin))
        frame = ahead.summary_frame(alpha=LEVEL)
        rows.append(
            pd.DataFrame(
                {
                    "origin": origin, "horizon": np.arange(1, steps + 1),
                    "mean": frame["mean"].to_numpy(), "lower": frame["mean_ci_lower"].to_numpy(),
                    "upper": frame["mean_ci_upper"].to_numpy(),
                }
            )
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def scores(name, made):
    """Root mean squared error, coverage and width by horizon, over outcomes that are there."""
    data, _ = oracle(name)
    place = (made["origin"] + made["horizon"] - 1).to_numpy()
    made = made[place < len(data)]
    actual = data["y"].to_numpy()[place[place < len(data)]]
    table = pd.DataFrame(
        {
            "horizon": made["horizon"],
            "square": (actual - made["mean"]) ** 2,
            "coverage": (made["lower"] <= actual) & (actual <= made["upper"]),
            "width": made["upper"] - made["lower"],
        }
    )
    found = table.groupby("horizon").mean()
    found.insert(0, "rmse", np.sqrt(found.pop("square")))
    return found


def interval_score(name, made):
    """Mean interval score (Gneiting and Raftery, 2007): width, and what outcomes lie outside."""
    data, _ = oracle(name)
    place = (made["origin"] + made["horizon"] - 1).to_numpy()
    made, place = made[place < len(data)], place[place < len(data)]
    actual = data["y"].to_numpy()[place]
    low, high = made["lower"].to_numpy(), made["upper"].to_numpy()
    outside = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
    return float((high - low + 2.0 / LEVEL * outside).mean())


if __name__ == "__main__":
    for series in sys.argv[1:] or list(START):
        theirs = oracle(series)[1]
        tables, interval = {"nnetar": scores(series, theirs)}, {}
        interval["nnetar"] = interval_score(series, theirs)
        for kind in SPECIFICATIONS[series]:
            made = forecasts(series, kind)
            tables[kind], interval[kind] = scores(series, made), interval_score(series, made)
        table = pd.concat(tables, axis=1)
        print(series, theirs["origin"].nunique(), "origins")
        print(table.round(3).to_string())
        means = pd.DataFrame({name: one.mean() for name, one in tables.items()})
        means.loc["interval score"] = interval
        print(means.round(3).to_string(), "\n", flush=True)
