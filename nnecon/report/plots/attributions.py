"""Charts of what variables contribute: Shapley values row by row, and importance with errors."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError
from nnecon.report.plots.effects import whiskers
from nnecon.report.plots.style import GREY, NETWORK, dress, label_rows, one_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 60
"""Dots in the same of so many intervals of the axis are piled up."""


@styled
def plot_shapley(
    shapley: pd.DataFrame,
    values: pd.DataFrame,
    *,
    xlabel: str = "Shapley value",
    title: str | None = "Shapley values",
    figsize: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw Shapley values, a dot a row and variable, darker where the variable is larger.

    Parameters
    ----------
    shapley : DataFrame
        A row an observation, a column a variable; the first is drawn on top.
    values : DataFrame
        Values of the variables, for the shade of the dots; categories are white diamonds.
    xlabel : str
        What the values are, with their unit.
    title : str, optional
        Title of the chart.
    figsize : tuple, optional
        Inches; by default the height grows with the number of variables.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [-1.0, 0.5, 0.5], "z": [0.2, 0.0, -0.2]})
    >>> fig = plot_shapley(frame, frame)
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
    ['x', 'z']
    """
    if shapley.shape != values.shape:
        raise DataError(f"Shapley values {shapley.shape} and values {values.shape} do not match")
    count = shapley.shape[1]
    fig, ax = one_axes(ax, fig, figsize or (7.2, 1.6 + 0.5 * count))
    ax.axvline(0, color=GREY, linewidth=0.9, zorder=1)
    edges = np.linspace(np.min(shapley.to_numpy()), np.max(shapley.to_numpy()), BINS + 1)
    dots = None
    for place, name in enumerate(shapley.columns):
        x = shapley[name].to_numpy(dtype=float)
        y = place + _piles(x, edges)
        shade = _ranks(values[name])
        look: dict[str, Any] = {"s": 11.0, "linewidths": 0.4, "edgecolors": "#333333", "zorder": 3}
        if shade is None:
            ax.scatter(x, y, c="white", marker="D", **look)
        else:
            dots = ax.scatter(x, y, c=shade, cmap="Blues", vmin=0.0, vmax=1.0, **look)
    dress(ax, title, xlabel, "", grid="x")
    label_rows(ax, shapley.columns)
    if dots is not None:
        bar = fig.colorbar(dots, ax=ax, ticks=[0.0, 1.0], aspect=30, pad=0.02)
        bar.ax.set_yticklabels(["smallest", "largest"], fontsize=8)
        bar.set_label("value of the variable", fontsize=8)
        bar.outline.set_linewidth(0.4)
    return fig


def _piles(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Vertical places, within 0.38 of zero, that keep dots with about the same value apart."""
    at = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BINS - 1)
    offset = np.zeros(len(x))
    for k in np.unique(at):
        inside = np.flatnonzero(at == k)
        order = np.arange(len(inside))
        offset[inside] = (order + 1) // 2 * np.where(order % 2 == 0, 1.0, -1.0)
    return offset * 0.38 / max(float(np.abs(offset).max()), 6.0)


def _ranks(values: pd.Series) -> np.ndarray | None:
    """Ranks of numbers from 0 to 1; None for categories."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return None
    ranks = values.rank(method="average").to_numpy(dtype=float) - 1.0
    return ranks / max(len(ranks) - 1.0, 1.0)


@styled
def plot_importance(
    importance: pd.DataFrame,
    *,
    xlabel: str = "Increase of the mean squared error",
    title: str | None = "Importance of variables",
    level: float = 0.95,
    figsize: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the importance of variables as bars with whiskers.

    Parameters
    ----------
    importance : DataFrame
        A row a variable, the first on top; columns ``importance``, ``lower``, ``upper``.
    xlabel : str
        What importance is, with its unit.
    title : str, optional
        Title of the chart.
    level : float
        Confidence level of the whiskers.
    figsize : tuple, optional
        Inches; by default the height grows with the number of variables.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> frame = pd.DataFrame({"importance": [2.0], "lower": [1.5], "upper": [2.5]}, index=["x"])
    >>> plot_importance(frame).axes[0].get_xlabel()
    'Increase of the mean squared error, whiskers: 95% confidence'
    """
    needed = ["importance", "lower", "upper"]
    absent = [name for name in needed if name not in importance.columns]
    if absent:
        raise DataError(f"the frame of importance lacks the columns {absent}; it needs {needed}")
    count = len(importance)
    fig, ax = one_axes(ax, fig, figsize or (7.2, 1.5 + 0.42 * count))
    place = np.arange(count, dtype=float)
    frame = importance.rename(columns={"importance": "effect"})
    ax.barh(place, frame["effect"], height=0.55, color=NETWORK, alpha=0.35, zorder=2)
    whiskers(ax, frame, place, NETWORK, "o", NETWORK, "importance")
    ax.axvline(0, color=GREY, linewidth=0.9, zorder=1)
    dress(ax, title, f"{xlabel}, whiskers: {100 * level:.4g}% confidence", "", grid="x")
    label_rows(ax, importance.index)
    return fig
