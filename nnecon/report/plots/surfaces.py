"""Charts of the mean along two regressors: contours, lines or points by kind of regressor."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.exceptions import DataError
from nnecon.report.plots.style import (
    DATA,
    GREY,
    NARROW,
    NETWORK,
    SERIES,
    dress,
    legend,
    new_figure,
    one_axes,
    styled,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STACKED = 5.8
"""Inches that two panels of contours need one below the other."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X")


@styled
def plot_surface(
    surface: pd.DataFrame,
    *,
    observed: tuple[np.ndarray, np.ndarray] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    zlabel: str = "Mean",
    title: str | None = None,
    level: float = 0.95,
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the mean along two regressors, and the part of it that is interaction.

    Two numbers give contours in two panels; the second is shaded where the interaction is zero to
    within its confidence interval. A number and a category give a line for each level, two
    categories points with whiskers.

    Parameters
    ----------
    surface : DataFrame
        Index of the two regressors' values, a full grid; columns ``mean``, ``mean_ci_lower``,
        ``mean_ci_upper``, ``interaction``, ``interaction_se``.
    observed : tuple of array, optional
        Values of the two in the sample, drawn as dots on contours.
    xlabel, ylabel, zlabel : str
        The two regressors and the dependent variable, with their units.
    title : str, optional
        Title of the chart.
    level : float
        Confidence level.
    figsize : tuple, optional
        Inches.
    fig : optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> at = pd.MultiIndex.from_product([[0.0, 1.0, 2.0], ["a", "b"]], names=["x", "g"])
    >>> mean = np.arange(6.0)
    >>> frame = pd.DataFrame({"mean": mean, "mean_ci_lower": mean - 1, "mean_ci_upper": mean + 1,
    ...                       "interaction": 0.0, "interaction_se": 1.0}, index=at)
    >>> fig = plot_surface(frame, xlabel="x, dollars", ylabel="g", zlabel="Mean of y, dollars")
    >>> fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()
    ('x, dollars', 'Mean of y, dollars')
    """
    needed = ["mean", "mean_ci_lower", "mean_ci_upper", "interaction", "interaction_se"]
    absent = [name for name in needed if name not in surface.columns]
    if absent or surface.index.nlevels != 2:
        raise DataError(f"a surface has an index of two levels and the columns {needed}")
    axes = [surface.index.unique(level) for level in (0, 1)]
    if len(axes[0]) * len(axes[1]) != len(surface):
        raise DataError("a surface has a row for every pair of values of its two regressors")
    numeric = [pd.api.types.is_numeric_dtype(axis) for axis in axes]
    if all(numeric):
        texts = xlabel, ylabel, zlabel, title
        return _contours(surface, axes, observed, texts, level, figsize, fig)
    fig, ax = one_axes(None, fig, figsize or (6.0, 4.0))
    if numeric[1]:
        surface, axes = surface.swaplevel().sort_index(), axes[::-1]
        xlabel, ylabel = ylabel, xlabel
    _by_level(ax, surface, axes, numeric[0] or numeric[1])
    dress(ax, title, xlabel, zlabel, grid="both" if any(numeric) else "y")
    legend(fig, ax, below=True)
    fig.legends[0].set_title(f"{ylabel} (network, {100 * level:.4g}% confidence)")
    return fig


def _contours(
    surface: pd.DataFrame,
    axes: list[pd.Index],
    observed: tuple[np.ndarray, np.ndarray] | None,
    texts: tuple[str, str, str, str | None],
    level: float,
    figsize: tuple[float, float] | None,
    fig: "Figure | None",
) -> "Figure":
    xlabel, ylabel, zlabel, title = texts
    figsize = figsize or (8.6, 4.2)
    if fig is None and figsize[0] < NARROW:
        figsize = (figsize[0], max(figsize[1], STACKED))
    fig = new_figure(fig, figsize)
    stacked = width_of(fig) < NARROW
    panels: Any = fig.subplots(*((2, 1) if stacked else (1, 2)), sharex=True, sharey=True)
    shape = len(axes[0]), len(axes[1])
    x, y = (np.asarray(axis, dtype=float) for axis in axes)
    mean, rest, error = (
        surface[name].to_numpy(dtype=float).reshape(shape).T
        for name in ("mean", "interaction", "interaction_se")
    )
    if np.ptp(mean) > 0:
        lines = _lines(panels[0], x, y, mean, DATA)
        panels[0].contourf(x, y, mean, lines.levels, cmap="Blues", alpha=0.75, zorder=0)
    small = np.abs(rest) <= stats.norm.ppf(0.5 + level / 2.0) * error
    panels[1].contourf(x, y, small.astype(float), [0.5, 1.5], colors=["#e4e4e4"])
    if np.ptp(rest) > 1e-10 * max(np.ptp(mean), np.abs(mean).max()):
        _lines(panels[1], x, y, rest, NETWORK)
    for panel, text in zip(panels, (zlabel, "of which interaction"), strict=True):
        if observed is not None:
            inside = (observed[0] >= x[0]) & (observed[0] <= x[-1])
            inside &= (observed[1] >= y[0]) & (observed[1] <= y[-1])
            panel.plot(
                observed[0][inside],
                observed[1][inside],
                linestyle="none",
                marker=".",
                markersize=2.5,
                color=DATA,
                alpha=0.35,
            )
        below, left = (panel is panels[1], True) if stacked else (True, panel is panels[0])
        dress(panel, text, xlabel if below else "", ylabel if left else "", weight="normal")
        panel.grid(False)
    fig.supxlabel(
        f"Grey: interaction zero to within its {100 * level:.4g}% interval, point by point. "
        "Dots: observations.",
        fontsize=8,
        color=GREY,
    )
    if title:
        fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def _lines(ax: "Axes", x: np.ndarray, y: np.ndarray, values: np.ndarray, color: str) -> Any:
    """Contour lines with their numbers; negative ones are dashed."""
    lines = ax.contour(x, y, values, 8, colors=color, linewidths=0.9)
    ax.clabel(lines, fontsize=7.5, fmt="%.3g")
    return lines


def _by_level(ax: "Axes", surface: pd.DataFrame, axes: list[pd.Index], lines: bool) -> None:
    """A line, or a row of points, for each level of the second regressor."""
    levels = list(axes[1])
    reach = min(0.3, 0.08 * (len(levels) - 1))
    shifts = np.linspace(-reach, reach, len(levels)) if len(levels) > 1 else np.zeros(1)
    for k, name in enumerate(levels):
        color, style = SERIES[k % len(SERIES)]
        part = surface.xs(name, level=1).loc[axes[0]]
        mean, low, high = (
            part[column].to_numpy() for column in ("mean", "mean_ci_lower", "mean_ci_upper")
        )
        if lines:
            x = np.asarray(axes[0], dtype=float)
            ax.fill_between(x, low, high, color=color, alpha=0.13, linewidth=0)
            ax.plot(x, mean, color=color, linestyle=style, label=str(name))
            continue
        ax.errorbar(
            np.arange(len(axes[0])) + shifts[k],
            mean,
            yerr=np.clip([mean - low, high - mean], 0, None),
            fmt=MARKERS[k % len(MARKERS)],
            color=color,
            markersize=5,
            capsize=3,
            elinewidth=1.2,
            label=str(name),
        )
    if not lines:
        ax.set_xticks(np.arange(len(axes[0])), [str(one) for one in axes[0]])
        ax.set_xlim(-0.6, len(axes[0]) - 0.4)
