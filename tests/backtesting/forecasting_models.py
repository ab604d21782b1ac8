"""Every model that forecasts, for the tests that all of them have to pass.

A new forecaster of nnecon is found by itself: all exported classes with ``from_formula`` whose
results forecast. What it needs to be fast is in ``QUICK``.
"""

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
