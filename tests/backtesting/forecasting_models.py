"""Every model that forecasts, for the tests that all of them have to pass.

A new forecaster of nnecon is found by itself: all exported classes with ``from_formula`` whose
results forecast. What it needs to be fast is in ``QUICK``.
"""

from dataclasses import dataclass
from inspect import signature

import numpy as np
import pandas as pd

import nnecon as ne
from nnecon import baselines

TARGETS = ["growth", "infl", "tbilrate"]

BASELINES = {
    "var": baselines.var(2),
    "var by aic": baselines.var("aic", maxlags=4),
    "ar": baselines.ar(2),
    "ar by bic": baselines.ar("bic", "ct", maxlags=4),
    "arima": baselines.arima((1, 0, 0)),
    "ets": baselines.ets(),
    "random walk": baselines.random_walk(),
    "drift": baselines.random_walk(drift=True),
    "seasonal": baselines.seasonal_naive(4),
    "mean": baselines.mean(),
    "ols": baselines.ols(*(f"{name} ~ lag({name}, 1, 2) + lag(tbilrate, 1)" for name in TARGETS)),
}


class LastDifference:
    """A forecaster of a user's: it remembers in itself what it was fitted on."""

    def fit(self, frame):
        self.values = frame[TARGETS].to_numpy()
        self.calls = getattr(self, "calls", 0) + 1
        assert self.calls == 1, "fitted before"

    def forecast(self, steps):
        ahead = np.arange(1, steps + 1)[:, None]
        return self.values[-1] + ahead * (self.values[-1] - self.values[-2])


def data():
    """Quarterly data from 1984 on: short, so that tests are fast."""
    return ne.datasets.load_macro()[TARGETS].loc["1984":]


def same_forecasts(first, second, rtol=0.0):
    """Forecasts and intervals of two backtests agree."""
    pd.testing.assert_frame_equal(
        first.forecasts, second.forecasts, rtol=rtol, atol=1e-12 if rtol else 0.0
    )


@dataclass(frozen=True)
class Network:
    """How the tests build, fit and forecast one of nnecon's models."""

    family: type
    formula: str
    specification: dict
    options: dict
    horizon: int

    def build(self, frame):
        """The model on a frame."""
        return self.family.from_formula(self.formula, frame, **self.specification)

    def forecast(self, results, frame, steps):
        """Mean and 90% limits; one row a period and target."""
        if not hasattr(results, "get_forecast"):
            row = pd.DataFrame(index=pd.period_range(frame.index[-1] + 1, periods=1, freq="Q"))
            names = ["mean", "obs_ci_lower", "obs_ci_upper"]
            return results.get_prediction(row).summary_frame(0.1)[names].to_numpy()
        outlook = results.get_forecast(steps)
        found, interval = outlook.predicted_mean, outlook.conf_int(0.1)
        sides = [found.to_numpy()]
        for side in ("lower", "upper"):
            sides.append(interval[[f"{side} {name}" for name in found.columns]].to_numpy())
        return np.stack(sides, axis=-1).reshape(-1, 3)


def _networks():
    found = {
        "regression": Network(
            ne.NeuralRegression,
            "infl ~ lag(infl, 1, 2) + lag(growth, 1)",
            {"hidden": (2,)},
            {"alpha": 0.05, "n_starts": 2, "cv": None},
            1,
        )
    }
    for name in ne.__all__:
        family = getattr(ne, name)
        if isinstance(family, type) and name not in ("NeuralRegression",):
            forecasts = hasattr(family, "from_formula") and hasattr(family, "series_in")
            if forecasts:
                small = {"units": 2, "channels": 2, "hidden": 2, "window": 4}
                known = signature(family._specify).parameters
                found[name] = Network(
                    family,
                    "infl + tbilrate ~ growth",
                    {"linear_lags": 2, **{k: v for k, v in small.items() if k in known}},
                    {"alpha": 0.05, "n_starts": 1},
                    3,
                )
    return found


NETWORKS = _networks()
