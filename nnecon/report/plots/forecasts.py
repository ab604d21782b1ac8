"""Charts of forecasts: fans that widen with the horizon, and responses to shocks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nnecon.report.plots.style import (
    BASELINE,
    DATA,
    GREY,
    NARROW,
    NETWORK,
    dress,
    format_dates,
    legend,
    new_figure,
    same_length,
    styled,
    time_axis,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES = (0.16, 0.26, 0.38)
"""Opacity of the bands, from the widest to the narrowest."""


@styled
def plot_fan(
    history: pd.DataFrame,
    mean: pd.DataFrame,
    bands: Mapping[float, tuple[np.ndarray, np.ndarray]],
    *,
    baseline: pd.DataFrame | None = None,
    baseline_name: str = "VAR",
    labels: Mapping[str, str] | None = None,
    title: str | None = "Forecasts",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw a fan chart a target: the last years of data, the forecast, and bands around it.

    Parameters
    ----------
    history : DataFrame of shape (n, m)
        Data to show, a column a target.
    mean : DataFrame of shape (h, m)
        Forecasts.
    bands : mapping of float to (lower, upper)
        Ends (h, m) of the intervals by their level, such as 0.9.
    baseline : DataFrame of shape (h, m), optional
        Forecasts of the classical model.
    baseline_name : str
        What that is called.
    labels : mapping, optional
        What the targets are, with units, for the axes.
    title : str, optional
        Title of the chart.
    figsize : tuple, optional
        Inches.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> past = pd.DataFrame({"y": [1.0, 2.0]}, index=pd.period_range("2001Q1", periods=2, freq="Q"))
    >>> mean = pd.DataFrame({"y": [2.0, 1.5]}, index=pd.period_range("2001Q3", periods=2, freq="Q"))
    >>> fan = {0.9: (mean.to_numpy() - 1, mean.to_numpy() + 1)}
    >>> plot_fan(past, mean, fan).axes[0].get_ylabel()
    'y'
    """
    names = list(mean.columns)
    fig = new_figure(fig, figsize or (7.2, 1.0 + 2.3 * len(names)))
    axes = np.atleast_1d(fig.subplots(len(names), 1, sharex=True))
    together = history.index.append(mean.index)
    dates = time_axis(together)
    places = together.to_numpy() if dates is None else dates
    past, ahead = places[: len(history)], places[len(history) :]
    # the fan opens at the last value that is known
    for j, (ax, name) in enumerate(zip(axes, names, strict=True)):
        known = history[name].to_numpy()
        there = np.flatnonzero(np.isfinite(known))
        x = np.r_[past[there[-1]], ahead]
        last = known[there[-1]]
        ordered = sorted(bands, reverse=True)
        for level, shade in zip(ordered, SHADES[len(SHADES) - len(ordered) :], strict=True):
            low, high = bands[level]
            ax.fill_between(
                x, np.r_[last, low[:, j]], np.r_[last, high[:, j]],
                color=NETWORK, alpha=shade, linewidth=0, label=f"{100 * level:g}% interval",
            )  # fmt: skip
        ax.plot(past, known, color=DATA, linewidth=1.2, label="data")
        if baseline is not None:
            ax.plot(
                x, np.r_[last, baseline[name]],
                color=BASELINE, linewidth=1.3, linestyle="--", label=baseline_name,
            )  # fmt: skip
        ax.plot(x, np.r_[last, mean[name]], color=NETWORK, linewidth=1.8, label="forecast")
        ax.axvline(past[-1], color=GREY, linewidth=0.7, linestyle=":")
        last_row = j == len(names) - 1
        dress(ax, None, "" if dates is not None or not last_row else "Period",
              (labels or {}).get(name, name))  # fmt: skip
        if dates is not None:
            format_dates(ax)
        ax.margins(x=0.01)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    legend(fig, axes[0], below=True, ncols=6, order=("data", "forecast", baseline_name))
    return fig


@styled
def plot_responses(
    mean: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    names: Sequence[str],
    *,
    name: str = "network",
    reference: np.ndarray | None = None,
    reference_name: str = "VAR",
    projections: np.ndarray | None = None,
    level: float = 0.9,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    period: str = "Periods after the shock",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the responses of several series to one shock, with bands.

    Parameters
    ----------
    mean, lower, upper : ndarray of shape (h + 1, m)
        Responses from the period of the shock on, and the ends of their intervals.
    names : sequence of str
        The series.
    name : str
        What the responses are those of.
    reference : ndarray of shape (h + 1, m), optional
        Responses of the classical model.
    reference_name : str
        What that is called.
    projections : ndarray of shape (h + 1, m), optional
        Local projections of the same responses.
    level : float
        Level of the bands, for the legend.
    labels : mapping, optional
        What the series are, with units.
    title : str, optional
        Title of the chart.
    period : str
        Label of the horizontal axis.
    figsize : tuple, optional
        Inches.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    same_length(mean=mean, lower=lower, upper=upper, reference=reference, projections=projections)
    count = len(names)
    wide = (2.6 * min(count, 3) + 0.6, 2.5 * -(-count // 3) + 0.7)
    fig = new_figure(fig, figsize or wide)
    columns = 1 if width_of(fig) < NARROW else min(count, 3)
    lines = -(-count // columns)
    axes: list[Any] = list(np.ravel(fig.subplots(lines, columns, squeeze=False)))
    steps = np.arange(len(mean))
    for j, (ax, series) in enumerate(zip(axes, names, strict=False)):
        ax.axhline(0.0, color=GREY, linewidth=0.8)
        ax.fill_between(
            steps, lower[:, j], upper[:, j],
            color=NETWORK, alpha=0.2, linewidth=0, label=f"{100 * level:g}% band",
        )  # fmt: skip
        if reference is not None:
            ax.plot(
                steps, reference[:, j],
                color=BASELINE, linestyle="--", linewidth=1.4, label=reference_name,
            )  # fmt: skip
        if projections is not None:
            ax.plot(
                steps, projections[:, j],
                color=DATA, linestyle=":", marker="o", markersize=2.8, linewidth=1.1,
                label="local projections",
            )  # fmt: skip
        ax.plot(steps, mean[:, j], color=NETWORK, linewidth=1.8, label=name)
        _whole_ticks(ax, len(mean))
        text = (labels or {}).get(series, series)
        dress(ax, text, period if j >= count - columns else "", "", weight="normal")
        ax.margins(x=0.02)
    for ax in axes[count:]:
        ax.set_axis_off()
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    # one name where the responses are the reference's
    order = tuple(dict.fromkeys((name, reference_name, "local projections")))
    legend(fig, axes[0], below=True, ncols=2 if columns == 1 else 4, order=order)
    return fig


@styled
def plot_attention(
    weights: Mapping[str, pd.DataFrame],
    *,
    labels: Mapping[str, str] | None = None,
    title: str | None = "Attention by period of the window",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw a heat map a target: how much each lag of the window counts in each period.

    Parameters
    ----------
    weights : mapping of str to DataFrame
        A frame a target: a row a period, a column a lag, the oldest first.
    labels : mapping, optional
        What the targets are.
    title : str, optional
        Title of the chart.
    figsize : tuple, optional
        Inches.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> index = pd.period_range("2001Q1", periods=3, freq="Q")
    >>> frame = pd.DataFrame([[0.2, 0.8]] * 3, index=index, columns=[2, 1])
    >>> plot_attention({"y": frame}).axes[0].get_ylabel()
    'Periods back'
    """
    fig = new_figure(fig, figsize or (7.2, 1.2 + 1.9 * len(weights)))
    axes = np.atleast_1d(fig.subplots(len(weights), 1, sharex=True))
    top = max(float(frame.to_numpy().max()) for frame in weights.values())
    last = len(weights) - 1
    for j, (ax, (name, frame)) in enumerate(zip(axes, weights.items(), strict=True)):
        dates = time_axis(frame.index)
        places = frame.index.to_numpy() if dates is None else dates
        lags = np.array(frame.columns, dtype=int)
        image = ax.pcolormesh(
            places, lags, frame.to_numpy().T,
            cmap="Blues", vmin=0.0, vmax=top, shading="nearest", rasterized=True,
        )  # fmt: skip
        ax.invert_yaxis()
        ax.set_yticks(lags if len(lags) <= 8 else lags[:: -(-len(lags) // 8)])
        period = "" if dates is not None or j < last else "Period"
        dress(ax, (labels or {}).get(name, name), period, "Periods back", weight="normal")
        ax.grid(False)
        if dates is not None:
            format_dates(ax)
    fig.colorbar(image, ax=list(axes), label="Weight", fraction=0.05, pad=0.02)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    return fig


def _whole_ticks(ax: "Axes", count: int) -> None:
    step = max(1, -(-count // 7))
    ax.set_xticks(np.arange(0, count, step))
