"""The report's chapter on a recurrent state-space model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.report.html import Chapter, FigureBlock, TableBlock, TextBlock

PHONE = 4.0
"""Inches of the charts that phones get."""


def state_space_chapter(
    results: Any, labels: Mapping[str, str], settings: str, steps: int = 8
) -> Chapter:
    """Fit, forecasts and states of a recurrent state-space model.

    Parameters
    ----------
    results : RNNStateSpaceResults
        On all data.
    labels : mapping
        What the series are, with units, by name.
    settings : str
        Sentence on how it was estimated.
    steps : int
        Periods that are forecast.
    """
    model = results.model
    verdict = (
        "At this penalty the network is zero, and the model is a vector autoregression."
        if results.is_classical
        else "The network is alive: the states add to the autoregression what the charts show."
    )
    steady = results.stability
    stability = (
        f"Nearby paths come together by {-steady.exponent:.3f} log points a period (the largest "
        f"Lyapunov exponent is −{-steady.exponent:.3f}); the spectral radius of the linearised "
        f"transition is {np.median(steady.radius):.3f} at the median and {steady.radius.max():.3f} "
        "at most."
        if steady.exponent < 0
        else f"The largest Lyapunov exponent is {steady.exponent:.3f}: nearby paths do not come "
        "together, and forecasts far ahead mean little."
    )
    height = 1.2 + 2.0 * len(model.endog_names)
    narrow = {"figsize": (PHONE, height), "title": None, "labels": labels}
    blocks: list[Any] = [
        TextBlock(stability),
        TableBlock(
            _fit(results),
            "state-space",
            "State-space model beside the vector autoregression",
            ["One-step errors in the sample; parameters are effective ones."],
        ),
        FigureBlock(
            results.plot_forecast(steps, labels=labels, title=None),
            "state-space-fan",
            f"Forecasts of the next {steps} periods with 50%, 70% and 90% intervals.",
            narrow=results.plot_forecast(steps, history=3 * steps, **narrow),
        ),
    ]
    if not results.is_classical:
        shown: dict[str, Any] = {"title": None, "labels": labels}
        blocks.append(
            FigureBlock(
                results.plot_states("contributions", **shown),
                "state-space-states",
                "What the states add to each series, given all data, as deviations from its mean: "
                "the level cannot be told from that of the intercept.",
                narrow=results.plot_states("contributions", figsize=(PHONE, height), **shown),
            )
        )
    first, last = (label_text(results.index[at]) for at in (0, -1))
    return Chapter(
        "One system with states",
        f"A recurrent network in state-space form ({model.description}) that all series share, "
        f"beside a vector autoregression of order {model.lags}, {first} to {last}. {settings} "
        f"{verdict}",
        blocks,
    )


def _fit(results: Any) -> pd.DataFrame:
    """Network and vector autoregression side by side."""
    classical = results.model.results_of_classical()
    rows: dict[str, list[float]] = {
        "Log-likelihood": [results.llf, classical.llf],
        "Effective parameters": [results.edf, classical.edf],
        "BIC": [results.bic, classical.bic],
    }
    for name in results.model.endog_names:
        rows[f"RMSE, {name}"] = [
            float(np.sqrt((each.resid[name] ** 2).mean())) for each in (results, classical)
        ]
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["State space", "Vector autoregression"]
    )
