"""Charts of a backtest: forecasts and outcomes, when a model gains, accuracy by horizon."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError
from nnecon.report.plots.style import (
    DATA,
    GREY,
    NARROW,
    NETWORK,
    SERIES,
    dress,
    format_dates,
    mark_missing,
    new_figure,
    styled,
    time_axis,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = {
    "rmse": "squared errors",
    "mae": "absolute errors",
    "mase": "scaled errors",
    "smape": "percentage errors",
    "crps": "CRPS",
    "quantile_score": "quantile losses",
}
"""What is summed up where losses are compared by a measure."""


@styled
def plot_forecasts(
    panels: Mapping[str, tuple[pd.DataFrame, pd.DataFrame | None]],
    *,
    horizon: int = 1,
    level: float = 0.9,
    labels: Mapping[str, str] | None = None,
    order: Sequence[str] = (),
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw forecasts of several models beside what happened.

    Parameters
    ----------
    panels : mapping
        By variable: a frame with a column ``actual`` and one a model, indexed by the period that
        is forecast; and limits of intervals (two columns), or None.
    horizon : int
        Periods ahead, for the title.
    level : float
        Level of the intervals.
    labels : mapping, optional
        Axis labels by variable, with units.
    order : sequence of str
        Models in the order in which they take colours and line styles, so that charts of one
        backtest agree; by default as they come.
    title : str, optional
        Title of the chart; an empty one leaves it out.
    figsize : tuple, optional
        Inches; by default the height grows with the number of panels.
    fig : Figure, optional
        Draw into this figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> index = pd.period_range("2000Q1", periods=3, freq="Q")
    >>> frame = pd.DataFrame({"actual": [1.0, 2, 1], "var": [1.5, 1.0, 1.2]}, index=index)
    >>> fig = plot_forecasts({"growth": (frame, None)})
    >>> fig.axes[0].get_ylabel()
    'growth'
    """
    fig, axes = _stacked(fig, figsize, len(panels))
    for ax, (name, (frame, limits)) in zip(axes, panels.items(), strict=True):
        x = _places(frame.index)
        if limits is not None and limits.notna().all(axis=None):
            low, high = (limits.iloc[:, j].to_numpy(dtype=float) for j in (0, 1))
            band = f"{level:.0%} interval"
            ax.fill_between(x, low, high, color=NETWORK, alpha=0.15, linewidth=0, label=band)
        outcome = frame["actual"].to_numpy(dtype=float)
        ax.plot(x, outcome, color=DATA, linewidth=1.6, label="actual")
        for model in frame.columns[1:]:
            color, style = _style(model, order or list(frame.columns[1:]))
            values = frame[model].to_numpy(dtype=float)
            ax.plot(x, values, color=color, linestyle=style, linewidth=1.2, label=str(model))
        dress(ax, None, "", (labels or {}).get(name, name))
        _dated(ax, frame.index)
    ahead = "one period" if horizon == 1 else f"{horizon} periods"
    _finish(fig, axes, f"Forecasts {ahead} ahead and outcomes" if title is None else title)
    return fig


@styled
def plot_loss_differences(
    panels: Mapping[str, pd.DataFrame],
    *,
    reference: str,
    horizon: int = 1,
    measure: str = "rmse",
    labels: Mapping[str, str] | None = None,
    order: Sequence[str] = (),
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw cumulative loss differences from a reference: a rising line gains on it.

    Parameters
    ----------
    panels : mapping of str to DataFrame
        By variable: cumulative sums of the reference's loss less the model's, one column a model,
        indexed by the period that is forecast.
    reference : str
        Name of the reference.
    horizon : int
        Periods ahead, for the title.
    measure : str
        What is summed: ``"rmse"`` for squared errors.
    labels, order, title, figsize, fig
        As in :func:`plot_forecasts`; labels stand above the panels here.

    Returns
    -------
    matplotlib.figure.Figure

    References
    ----------
    Goyal, A. and Welch, I. (2008). A comprehensive look at the empirical performance of equity
    premium prediction. Review of Financial Studies 21, 1455-1508.

    Examples
    --------
    >>> index = pd.period_range("2000Q1", periods=3, freq="Q")
    >>> gain = pd.DataFrame({"network": [0.1, 0.3, 0.2]}, index=index)
    >>> fig = plot_loss_differences({"growth": gain}, reference="VAR")
    >>> fig.axes[0].get_title(loc="left")
    'growth'
    """
    fig, axes = _stacked(fig, figsize, len(panels))
    for ax, (name, frame) in zip(axes, panels.items(), strict=True):
        x = _places(frame.index)
        ax.axhline(0.0, color=GREY, linewidth=0.8)
        if frame.shape[1] == 0:
            mark_missing(ax, "no other model forecasts this variable")
        for model in frame:
            color, style = _style(model, order or list(frame))
            values = frame[model].to_numpy(dtype=float)
            ax.plot(x, values, color=color, linestyle=style, label=str(model))
        dress(ax, (labels or {}).get(name, name), "", "Cumulative difference", weight="normal")
        _dated(ax, frame.index)
    ahead = f"h={horizon}"
    what = LOSSES[measure]
    default = f"Gain on {reference}, cumulative {what}, {ahead} (rising: better)"
    _finish(fig, axes, default if title is None else title)
    return fig


@styled
def plot_relative_accuracy(
    frame: pd.DataFrame,
    *,
    reference: str,
    measure: str = "RMSE",
    labels: Mapping[str, str] | None = None,
    order: Sequence[str] = (),
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw a measure relative to a reference by horizon, one panel a variable.

    Parameters
    ----------
    frame : DataFrame
        Ratios, one column a model; rows by variable and horizon.
    reference : str
        Name of the reference.
    measure : str
        Name of the measure.
    labels, order, title, figsize, fig
        As in :func:`plot_forecasts`; labels stand above the panels here.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> rows = pd.MultiIndex.from_product([["growth"], [1, 2]], names=["variable", "horizon"])
    >>> fig = plot_relative_accuracy(pd.DataFrame({"ar": [1.1, 1.0]}, rows), reference="var")
    >>> fig.axes[0].get_xlabel()
    'Horizon (periods)'
    """
    if not len(frame) or not len(frame.columns):
        raise DataError("there is nothing to compare with the reference")
    names = list(dict.fromkeys(frame.index.get_level_values("variable")))
    fig = new_figure(fig, figsize or (min(7.2, 2.6 + 2.3 * len(names)), 3.2))
    narrow = width_of(fig) < NARROW
    shape = (len(names), 1) if narrow else (1, len(names))
    axes = list(np.ravel(fig.subplots(*shape, squeeze=False)))
    marks = "os^Dv<>"
    for at, (ax, name) in enumerate(zip(axes, names, strict=True)):
        part = frame.xs(name, level="variable")
        ahead = part.index.to_numpy()
        ax.axhline(1.0, color=GREY, linewidth=1.0, linestyle="--")
        for model in part:
            among = list(order or part)
            color, style = _style(model, among)
            ax.plot(
                ahead,
                part[model].to_numpy(dtype=float),
                color=color,
                linestyle=style,
                marker=marks[among.index(model) % len(marks)],
                markersize=4,
                label=str(model),
            )
        ylabel = f"{measure} / {measure} of {reference}" if narrow or at == 0 else ""
        dress(ax, (labels or {}).get(name, name), "Horizon (periods)", ylabel, weight="normal")
        if len(ahead) <= 12:
            ax.set_xticks(ahead)
        ax.margins(x=0.08)
    default = f"{measure} relative to {reference} (below 1: better)"
    _finish(fig, axes, default if title is None else title)
    return fig


def _stacked(
    fig: "Figure | None", figsize: tuple[float, float] | None, count: int
) -> tuple["Figure", list[Any]]:
    fig = new_figure(fig, figsize or (7.2, 1.2 + 2.0 * count))
    return fig, list(np.ravel(fig.subplots(count, 1, squeeze=False, sharex=True)))


def _style(model: Any, order: Sequence[Any]) -> tuple[str, Any]:
    return SERIES[list(order).index(model) % len(SERIES)]


def _places(index: pd.Index) -> np.ndarray:
    dates = time_axis(index)
    return index.to_numpy() if dates is None else dates


def _dated(ax: "Axes", index: pd.Index) -> None:
    if time_axis(index) is not None:
        format_dates(ax)
    ax.margins(x=0.01)


def _finish(fig: "Figure", axes: list[Any], title: str) -> None:
    """Title, and one legend below for all panels."""
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        needed = 0.063 * max(len(label) for label in entries) + 0.5
        columns = int(np.clip(width_of(fig) // needed, 1, min(5, len(entries))))
        fig.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower center",
            ncols=columns,
            columnspacing=1.5,
        )
