"""Charts of partial effects: one regressor's curve, and all average effects side by side."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError
from nnecon.report.plots.style import (
    BASELINE,
    DATA,
    GREY,
    NETWORK,
    dress,
    label_rows,
    legend,
    one_axes,
    same_length,
    styled,
    with_units,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def plot_effect(
    x: np.ndarray,
    mean: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    rug: np.ndarray | None = None,
    baseline: np.ndarray | None = None,
    band: np.ndarray | None = None,
    zero: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    title: str | None = None,
    level: float = 0.95,
    baseline_name: str = "OLS",
    figsize: tuple[float, float] = (6.0, 4.0),
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw how the mean depends on one regressor: average prediction, local effect or derivative.

    Parameters
    ----------
    x : array, shape (g,)
        Values of the regressor; labels give points with whiskers instead of a curve.
    mean, lower, upper : array, shape (g,)
        Average prediction and its confidence limits.
    rug : array, shape (n,), optional
        Values observed in the sample: a tick each on the axis, or counts under the categories.
    baseline : array, shape (g,), optional
        Average prediction of the classical model.
    band : array, shape (2, g), optional
        Lower and upper limit of a band for the whole curve.
    zero : bool
        Draw a line at zero, for derivatives and effects.
    xlabel, ylabel : str
        The regressor and the dependent variable, with their units.
    title : str, optional
        Title of the chart.
    level : float
        Confidence level of the limits, for the legend.
    baseline_name : str
        Name of the classical model.
    figsize : tuple
        Inches.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> grid = np.linspace(0, 10, 5)
    >>> fig = plot_effect(grid, 3 - 0.2 * grid, 2 - 0.2 * grid, 4 - 0.2 * grid,
    ...                   xlabel="Inflation (percent a year)", ylabel="GDP growth (percent)")
    >>> fig.axes[0].get_xlabel()
    'Inflation (percent a year)'
    """
    same_length(x=x, mean=mean, lower=lower, upper=upper, baseline=baseline)
    if band is not None:
        same_length(x=x, band=band[0], upper_band=band[1])
    own = ax is None
    fig, ax = one_axes(ax, fig, figsize)
    values = pd.Series(np.asarray(x))
    limits = f"network, {100 * level:.4g}% confidence"
    whole = f"{100 * level:.4g}% for the whole curve"
    values = pd.Series(np.asarray(x))
    if zero:
        ax.axhline(0, color=GREY, linewidth=0.9, zorder=1)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        if band is not None:
            ax.fill_between(x, *band, color=NETWORK, alpha=0.1, linewidth=0, label=whole)
            for limit in band:
                ax.plot(x, limit, color=NETWORK, linewidth=0.6, linestyle=":")
        ax.fill_between(x, lower, upper, color=NETWORK, alpha=0.18, linewidth=0, label=limits)
        ax.plot(x, mean, color=NETWORK, label="network")
        for limit in (lower, upper):
            ax.plot(x, limit, color=NETWORK, linewidth=0.5)
        if baseline is not None:
            ax.plot(x, baseline, color=BASELINE, linestyle="--", label=baseline_name)
        if rug is not None:
            _draw_rug(ax, np.asarray(rug, dtype=float))
        dress(ax, title, xlabel, ylabel)
    else:
        _draw_categories(ax, values, mean, lower, upper, baseline, baseline_name, limits, rug)
        if band is not None:
            place = np.arange(len(values)) - (0.0 if baseline is None else 0.1)
            ax.vlines(place, *band, color=NETWORK, linewidth=0.8, linestyle=":", label=whole)
        dress(ax, title, xlabel, ylabel, grid="y")
    legend(fig, ax, below=own, order=("network", limits, whole, baseline_name))
    return fig


def _draw_rug(ax: "Axes", rug: np.ndarray) -> None:
    rug = rug[np.isfinite(rug)]
    ax.plot(
        rug,
        np.zeros_like(rug),
        linestyle="none",
        marker="|",
        markersize=7,
        markeredgewidth=0.6,
        color=DATA,
        alpha=0.55,
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        label="observations",
    )


def _draw_categories(
    ax: "Axes",
    labels: pd.Series,
    mean: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    baseline: np.ndarray | None,
    baseline_name: str,
    band: str,
    rug: np.ndarray | None,
) -> None:
    mean, lower, upper = (np.asarray(a, dtype=float) for a in (mean, lower, upper))
    place = np.arange(len(labels))
    shift = 0.0 if baseline is None else 0.1
    ax.errorbar(
        place - shift,
        mean,
        yerr=np.clip([mean - lower, upper - mean], 0, None),
        fmt="o",
        color=NETWORK,
        markersize=5,
        capsize=3,
        elinewidth=1.2,
        label=band,
    )
    if baseline is not None:
        ax.plot(
            place + shift,
            baseline,
            linestyle="none",
            marker="D",
            markerfacecolor="white",
            color=BASELINE,
            markersize=5,
            label=baseline_name,
        )
    names = [str(label) for label in labels]
    if rug is not None:
        counts = pd.Series(np.asarray(rug)).astype(str).value_counts()
        names = [f"{name}\n(n = {int(counts.get(name, 0))})" for name in names]
    longest = max(len(line) for name in names for line in name.split("\n"))
    if 0.072 * longest * len(names) > 0.8 * ax.figure.bbox.width / ax.figure.dpi:
        names = [name.replace("\n", " ") for name in names]
        ax.set_xticks(place, names, rotation=40, ha="right", rotation_mode="anchor")
    else:
        ax.set_xticks(place, names)
    ax.set_xlim(-0.6, len(labels) - 0.4)


@styled
def plot_margins(
    effects: pd.DataFrame,
    baseline: pd.DataFrame | None = None,
    *,
    xlabel: str = "Average partial effect",
    units: str | None = None,
    title: str | None = "Average partial effects",
    level: float = 0.95,
    baseline_name: str = "OLS",
    figsize: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw average partial effects as points with whiskers, beside the classical coefficients.

    Parameters
    ----------
    effects : DataFrame
        One row per regressor, first row on top, columns ``effect``, ``lower``, ``upper``; a
        column ``baseline`` adds the classical coefficients as points without whiskers.
    baseline : DataFrame, optional
        The classical model's effects, with the same columns, matched by row label.
    xlabel : str
        What the effects are.
    units : str, optional
        Their unit, added to ``xlabel`` in parentheses.
    title : str, optional
        Title of the chart.
    level : float
        Confidence level of the whiskers, for the legend.
    baseline_name : str
        Name of the classical model.
    figsize : tuple, optional
        Inches; by default the height grows with the number of rows.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> effects = pd.DataFrame({"effect": [0.2], "lower": [0.1], "upper": [0.3]}, index=["infl"])
    >>> fig = plot_margins(effects)
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
    ['infl']
    """
    for name, frame in (("effects", effects), ("baseline", baseline)):
        absent = [] if frame is None else [c for c in _COLUMNS if c not in frame.columns]
        if absent:
            raise DataError(f"the frame {name!r} lacks the columns {absent}; it needs {_COLUMNS}")
    if baseline is None and "baseline" in effects.columns:
        baseline = pd.DataFrame({column: effects["baseline"] for column in _COLUMNS})
    rows = len(effects)
    own = ax is None
    fig, ax = one_axes(ax, fig, figsize or (7.2, 1.5 + 0.42 * rows))
    place = np.arange(rows, dtype=float)
    ax.axvline(0, color=GREY, linewidth=0.9, zorder=1)
    shift = 0.0 if baseline is None else 0.14
    whiskers(ax, effects, place - shift, NETWORK, "o", NETWORK, "network")
    if baseline is not None:
        matched = baseline.reindex(effects.index)
        whiskers(ax, matched, place + shift, BASELINE, "D", "white", baseline_name)
    label = f"{with_units(xlabel, units)}, whiskers: {100 * level:.4g}% confidence"
    dress(ax, title, label, "", grid="x")
    for row in place[:-1]:
        ax.axhline(row + 0.5, color="#eeeeee", linewidth=0.6, zorder=0)
    label_rows(ax, effects.index)
    if baseline is not None:
        legend(fig, ax, below=own)
    return fig


_COLUMNS = ["effect", "lower", "upper"]


def whiskers(
    ax: "Axes",
    frame: pd.DataFrame,
    place: np.ndarray,
    color: str,
    marker: str,
    face: str,
    name: str,
) -> None:
    """Draw effects as points, with whiskers where the limits differ."""
    effect, lower, upper = (frame[c].to_numpy(dtype=float) for c in _COLUMNS)
    bare = np.array_equal(lower, upper, equal_nan=True)
    ax.errorbar(
        effect,
        place,
        xerr=np.clip([effect - lower, upper - effect], 0, None),
        fmt=marker,
        color=color,
        markerfacecolor=face,
        markersize=5,
        capsize=0 if bare else 2.5,
        elinewidth=0 if bare else 1.2,
        label=name,
        zorder=3,
    )
