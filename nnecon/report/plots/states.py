"""Charts of state-space models: states with bands, and standardised forecast errors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.report.plots.style import (
    BASELINE,
    DATA,
    GREY,
    NETWORK,
    dress,
    format_dates,
    legend,
    new_figure,
    styled,
    time_axis,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def plot_states(
    states: pd.DataFrame,
    band: pd.DataFrame | None = None,
    *,
    level: float = 0.9,
    labels: Mapping[str, str] | None = None,
    title: str | None = "States",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw states over time, one panel each.

    Parameters
    ----------
    states : DataFrame of shape (n, k)
        One column a state.
    band : DataFrame of shape (n, k), optional
        Half the width of each interval; NaN where there is none.
    level : float
        Level of the intervals, for the legend.
    labels : mapping, optional
        What the states are, with units.
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
    >>> figure = plot_states(pd.DataFrame({"h1": [0.1, 0.3, -0.2]}, index=index))
    >>> figure.axes[0].get_ylabel()
    'h1'
    """
    names = list(states.columns)
    fig = new_figure(fig, figsize or (7.2, 1.0 + 1.7 * len(names)))
    axes = np.atleast_1d(fig.subplots(len(names), 1, sharex=True))
    dates = time_axis(states.index)
    places = states.index.to_numpy() if dates is None else dates
    for at, (ax, name) in enumerate(zip(axes, names, strict=True)):
        values = states[name].to_numpy()
        if band is not None:
            half = band[name].to_numpy()
            ax.fill_between(
                places, values - half, values + half,
                color=NETWORK, alpha=0.25, linewidth=0, label=f"{100 * level:g}% interval",
            )  # fmt: skip
        ax.plot(places, values, color=NETWORK, linewidth=1.3, label="state")
        if np.nanmin(values) <= 0.0 <= np.nanmax(values):
            ax.axhline(0.0, color=GREY, linewidth=0.7)
        last = at == len(names) - 1
        dress(ax, None, "" if dates is not None or not last else "Period",
              (labels or {}).get(name, str(name)))  # fmt: skip
        if dates is not None:
            format_dates(ax)
        ax.margins(x=0.01)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    if band is not None:
        legend(fig, axes[0], below=True, order=("state",))
    return fig


@styled
def plot_diagnostics(
    errors: pd.Series,
    *,
    lags: int = 12,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw standardised forecast errors: over time, distribution, quantiles, autocorrelation.

    Parameters
    ----------
    errors : Series
        One number a period; NaN where there is none.
    lags : int
        Lags of the autocorrelations.
    title : str, optional
        Title of the chart; by default the name of the series.
    figsize : tuple, optional
        Inches.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig = new_figure(fig, figsize or (7.2, 5.2))
    narrow = width_of(fig) < 5.0
    axes = fig.subplots(4, 1) if narrow else fig.subplots(2, 2).ravel()
    known = errors.dropna()
    _over_time(axes[0], errors)
    _distribution(axes[1], known.to_numpy())
    _quantiles(axes[2], known.to_numpy())
    _autocorrelations(axes[3], known.to_numpy(), min(lags, max(len(known) // 3, 1)))
    name = f"Standardised one-step forecast errors of {errors.name}" if title is None else title
    if name:
        fig.suptitle(name, x=0.01, ha="left")
    return fig


def _over_time(ax: Any, errors: pd.Series) -> None:
    dates = time_axis(errors.index)
    places = errors.index.to_numpy() if dates is None else dates
    ax.plot(places, errors.to_numpy(), color=DATA, linewidth=0.9)
    ax.axhline(0.0, color=GREY, linewidth=0.7)
    dress(ax, "Over time", "" if dates is not None else "Period", "Standard deviations")
    if dates is not None:
        format_dates(ax)
    ax.margins(x=0.01)


def _distribution(ax: Any, known: np.ndarray) -> None:
    ax.hist(known, bins="auto", density=True, color=NETWORK, alpha=0.35, label="errors")
    grid = np.linspace(min(-3.5, known.min()), max(3.5, known.max()), 200)
    ax.plot(grid, stats.norm.pdf(grid), color=BASELINE, linestyle="--", label="normal")
    dress(ax, "Distribution", "Standard deviations", "Density")
    ax.legend(loc="upper right")


def _quantiles(ax: Any, known: np.ndarray) -> None:
    ordered = np.sort(known)
    normal = stats.norm.ppf((np.arange(1, len(ordered) + 1) - 0.5) / len(ordered))
    ax.plot(normal, normal, color=BASELINE, linestyle="--", linewidth=1.2)
    ax.plot(normal, ordered, color=NETWORK, marker="o", markersize=2.5, linestyle="none")
    dress(ax, "Quantiles", "Normal quantiles", "Error quantiles")


def _autocorrelations(ax: Any, known: np.ndarray, lags: int) -> None:
    centred = known - known.mean()
    total = float(centred @ centred)
    found = [float(centred[lag:] @ centred[:-lag]) / total for lag in range(1, lags + 1)]
    width = 1.96 / np.sqrt(len(known))
    ax.axhspan(-width, width, color=GREY, alpha=0.2, linewidth=0)
    ax.vlines(np.arange(1, lags + 1), 0.0, found, color=NETWORK, linewidth=2.0)
    ax.axhline(0.0, color=GREY, linewidth=0.7)
    reach = max(1.15 * max(np.abs(found)), 2.0 * width)
    ax.set_ylim(-reach, reach)
    dress(ax, "Autocorrelation (95% band)", "Lag", "Correlation")
