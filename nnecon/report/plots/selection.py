"""Which variables enter the network as the penalty falls, and in what order."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nnecon.report.plots.paths import _label_ends
from nnecon.report.plots.penalty_axis import PenaltyAxis, mark_choices
from nnecon.report.plots.style import (
    NETWORK,
    SERIES,
    dress,
    legend,
    mark_missing,
    new_figure,
    same_length,
    styled,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTSIDE = "#c4c4c4"
KEY = ((NETWORK, "in the network there"), (OUTSIDE, "not in it there"))


@styled
def plot_selection(
    alphas: np.ndarray,
    norms: pd.DataFrame,
    *,
    chosen: float | None = None,
    linear_part: bool = True,
    title: str | None = "Which variables enter the network",
    baseline_name: str = "OLS",
    chosen_name: str = "chosen penalty",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the size of each variable's weights along the penalty, and below it who is in.

    The lower panel has a row a variable, in order of entry from the top; a bar spans the
    penalties at which the variable is in the network.

    Parameters
    ----------
    alphas : array, shape (k,)
        Penalties in any order; infinity is the classical model and stands at the left end.
    norms : DataFrame, shape (k, v)
        Length of the weights of each variable, zero where it is not in the network.
    chosen : float, optional
        Penalty to mark; variables that are not in the network there are drawn in grey below.
    linear_part : bool
        Whether all variables enter linearly besides, which the label then says.
    title : str, optional
        Title of the chart.
    baseline_name : str
        Name of the classical model.
    chosen_name : str
        Name of the chosen penalty in the legend.
    figsize : tuple, optional
        Inches; by default as high as the variables need.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> alphas = np.array([np.inf, 0.1, 0.01])
    >>> norms = pd.DataFrame({"infl": [0, 1.0, 1.3], "unemp": [0, 0.0, 0.4], "m2": [0.0, 0, 0]})
    >>> fig = plot_selection(alphas, norms, chosen=0.1)
    >>> [tick.get_text() for tick in fig.axes[1].get_yticklabels()]
    ['1.  infl', '2.  unemp', '–  m2']
    """
    same_length(alphas=alphas, norms=norms)
    place = PenaltyAxis(alphas, baseline_name)
    order = np.argsort(place(alphas), kind="stable")
    x, alphas = place(alphas)[order], np.asarray(alphas, dtype=float)[order]
    inside = norms.iloc[order].to_numpy() != 0
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), len(x))
    here = np.zeros(0, dtype=int)
    if chosen is not None:
        here = np.flatnonzero(np.isclose(alphas, chosen, rtol=1e-6, atol=0.0))
    marked = int(here[0]) if len(here) else None
    size = norms.iloc[order].to_numpy(dtype=float)[-1 if marked is None else marked]
    by_entry = np.lexsort((-size, first))
    lines, inside, first = norms.iloc[order].iloc[:, by_entry], inside[:, by_entry], first[by_entry]
    rows = max(lines.shape[1], 1)
    # the labels at the ends of the lines need as much room as the rows below
    share = (max(2.4, 0.17 * rows), 0.3 + 0.21 * rows)
    fig = new_figure(fig, figsize or (7.2, 1.2 + sum(share)))
    narrow = width_of(fig) < 5
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=share)
    styles = [SERIES[j % len(SERIES)] for j in range(lines.shape[1])]
    _norms(top, place, x, lines, first, styles)
    words = "Length of weights\n(standardised inputs)"
    dress(top, title, "", words)
    top.set_ylim(0, None if inside.any() else 1)
    if not inside.any():
        mark_missing(top, "no variable is in the network at any of these penalties")
    _bars(bottom, x, inside, marked)
    entering = "In the network\n(enters nonlinearly)" if linear_part else "In the network"
    dress(bottom, None, "", entering, grid="x")
    _rank_labels(bottom, lines.columns, first, len(x))
    place.dress(bottom, narrow)
    place.dress(top, narrow, show_label=False)
    top.tick_params(labelbottom=False)
    mark_choices((top, bottom), place, chosen, None, (), chosen_name)
    _legend(fig, top, KEY if marked is not None else (), lines, first, styles, x, narrow)
    return fig


def _norms(
    ax: "Axes",
    place: PenaltyAxis,
    x: np.ndarray,
    lines: pd.DataFrame,
    first: np.ndarray,
    styles: list,
) -> None:
    """A line a variable, from the penalty before its entry on."""
    start = 1 if place.has_infinity else 0
    for j, (name, values) in enumerate(lines.items()):
        color, dash = styles[j]
        if first[j] == len(x):
            continue
        begin = max(int(first[j]) - 1, start)
        y = values.to_numpy(dtype=float)[begin:]
        # where line styles repeat, markers tell variables apart
        marker = ("", "o", "s", "^")[min(j // len(SERIES), 3)]
        ax.plot(
            x[begin:],
            y,
            color=color,
            linestyle=dash,
            marker=marker,
            markersize=3.5,
            markevery=3,
            label=str(name),
        )


def _bars(
    ax: "Axes",
    x: np.ndarray,
    inside: np.ndarray,
    marked: int | None,
) -> None:
    """A row a variable with bars over the penalties at which it is in the network."""
    middle = (x[1:] + x[:-1]) / 2
    left, right = np.r_[x[0], middle], np.r_[middle, x[-1]]
    for row in range(inside.shape[1]):
        here = marked is None or bool(inside[marked, row])
        edges = np.flatnonzero(np.diff(np.r_[0, inside[:, row].astype(int), 0]))
        spans = [(left[a], right[b - 1] - left[a]) for a, b in edges.reshape(-1, 2)]
        ax.broken_barh(
            spans, (row - 0.28, 0.56), facecolors=NETWORK if here else OUTSIDE, linewidth=0
        )
    ax.set_ylim(inside.shape[1] - 0.4, -0.6)


def _rank_labels(ax: "Axes", names: pd.Index, first: np.ndarray, never: int) -> None:
    """Number and name of each variable at the left of its row; ties share a number."""
    ranks = {at: f"{number}." for number, at in enumerate(np.unique(first[first < never]), 1)}
    labels = [f"{ranks.get(at, '–')}  {name}" for at, name in zip(first, names, strict=True)]
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0, labelsize=8.5)


def _legend(
    fig: "Figure",
    ax: "Axes",
    key: tuple[tuple[str, str], ...],
    lines: pd.DataFrame,
    first: np.ndarray,
    styles: list,
    x: np.ndarray,
    narrow: bool,
) -> None:
    entered = np.flatnonzero(first < len(x))
    if len(entered) and not narrow:
        height = ax.get_position().height * fig.bbox.height / fig.dpi
        drawn = lines.iloc[:, entered]
        _label_ends(ax, x, drawn, [styles[j] for j in entered], height)
        for line in ax.get_lines():
            if line.get_label() in {str(name) for name in drawn.columns}:
                line.set_label(f"_{line.get_label()}")
    for color, words in key:
        ax.fill_between([], [], color=color, linewidth=0, label=words)
    legend(fig, ax, below=True, ncols=2 if narrow else 3)
