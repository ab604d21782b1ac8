"""The report's chapter on forecasts: fan chart, comparison on past dates, responses."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.report.html import Chapter, FigureBlock, TableBlock, TextBlock
from nnecon.results.backtest import Backtest

PHONE = 4.0
"""Inches of the charts that phones get."""


def forecast_chapters(
    results: Any,
    backtest: Backtest,
    responses: Any,
    labels: Mapping[str, str],
    settings: str,
    steps: int = 8,
) -> list[Chapter]:
    """Forecasts, their accuracy on past dates, and responses to a shock.

    Parameters
    ----------
    results : ForecasterResults
        The forecaster on all data.
    backtest : Backtest
        The same specification beside baselines; the first baseline is the reference.
    responses : ImpulseResponses
        Responses to a shock of the forecaster.
    labels : mapping
        What the variables are, with units, by name.
    settings : str
        Sentence on how forecaster and backtest were estimated.
    steps : int
        Periods that are forecast.
    """
    return [
        _forecasts(results, labels, steps),
        _accuracy(backtest, labels, settings),
        _responses(responses, labels),
    ]


def _forecasts(results: Any, labels: Mapping[str, str], steps: int) -> Chapter:
    targets = results.targets
    outlook = results.get_forecast(steps)
    frame = outlook.summary_frame(0.1)
    frame = frame if len(targets) > 1 else pd.concat({targets[0]: frame}, axis=1)
    names = {"mean": "Forecast", "mean_ci_lower": "5%", "mean_ci_upper": "95%"}
    table = pd.concat(
        {name: frame[name][list(names)].rename(columns=names) for name in targets}, axis=1
    )
    table.index = [label_text(label) for label in table.index]
    formula = results.model.formula
    linear = (
        "Cross-validation gave every equation its classical form: the forecasts are those of the "
        "autoregression."
        if results.is_linear
        else "The network is alive in at least one equation; the classical forecast is drawn too."
    )
    height = 1.2 + 2.0 * len(targets)
    return Chapter(
        "Forecasts",
        f"`{formula}` by {type(results.model).__name__} ({results.model.description}), which holds "
        f"a vector autoregression and shrinks to it. {linear}",
        [
            FigureBlock(
                results.plot_forecast(steps, labels=labels, title=None),
                "fan",
                f"Forecasts of the next {steps} periods with 50%, 70% and 90% intervals.",
                narrow=results.plot_forecast(
                    steps, labels=labels, title=None, history=3 * steps, figsize=(PHONE, height)
                ),
            ),
            TableBlock(
                table,
                "forecasts",
                "Forecasts with 90% intervals",
                [f"Intervals: {outlook.method}."],
                formats=dict.fromkeys(table.columns, 2),
            ),
        ],
    )


def _accuracy(backtest: Backtest, labels: Mapping[str, str], settings: str) -> Chapter:
    relative = backtest.relative()
    first, last = (label_text(backtest.cutoffs[at]) for at in (0, -1))
    height = 1.2 + 2.0 * len(backtest.variables)
    shown: dict[str, Any] = {"labels": labels, "title": ""}
    return Chapter(
        "Would it have forecast better?",
        f"Each model forecasts from {len(backtest.cutoffs)} past dates, {first} to {last}, knowing "
        f"only what was known then. {settings}",
        [
            TextBlock(_verdict(backtest)),
            TableBlock(
                relative.table_frame(),
                "backtest",
                f"Accuracy relative to {backtest.reference}",
                relative.notes,
            ),
            FigureBlock(
                backtest.plot_loss_difference(**shown),
                "gains",
                f"Gain on {backtest.reference} one period ahead: cumulative difference of squared "
                "errors. A rising line gains; a single jump says that one episode makes the "
                "average.",
                narrow=backtest.plot_loss_difference(figsize=(PHONE, height), **shown),
            ),
        ],
    )


def _verdict(backtest: Backtest) -> str:
    """How often the first model is at least as accurate as the reference, and how far off."""
    name, reference = backtest.models[0], backtest.reference
    ratios = backtest.relative().frame[name].dropna()
    same = int((ratios.round(3) == 1.0).sum())
    better = int((ratios.round(3) < 1.0).sum())
    text = (
        f"In {len(ratios)} comparisons by variable and horizon, `{name}` is more accurate than "
        f"`{reference}` in {better} and as accurate in {same}; its RMSE is between "
        f"{ratios.min():.3f} and {ratios.max():.3f} times that of `{reference}`."
    )
    pvalues = backtest.relative().pvalues[name].dropna()
    if len(pvalues):
        found = int((pvalues <= 0.05).sum())
        text += f" {found} of {len(pvalues)} differences are significant at 5%."
    return text


def _responses(responses: Any, labels: Mapping[str, str]) -> Chapter:
    impulse = responses.impulse
    height = 1.2 + 2.0 * len(responses.names)
    return Chapter(
        "Responses to a shock",
        f"What a shock of one standard deviation ({responses.size:.3g}) to `{impulse}` changes on "
        "average, in the forecaster and in its autoregression. Shocks of other series are what "
        "they usually are when this one happens.",
        [
            FigureBlock(
                responses.plot(labels=labels, title=None),
                "responses",
                f"Generalised impulse responses to a shock to `{impulse}`, with "
                f"{responses.level:.0%} bands.",
                narrow=responses.plot(labels=labels, title=None, figsize=(PHONE, height)),
            )
        ],
    )
