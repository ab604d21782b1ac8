"""The chart of the comparison: each score of the network relative to the classical model's."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError
from nnecon.report.plots.style import (
    BASELINE,
    GREEN,
    NARROW,
    NETWORK,
    PURPLE,
    dress,
    legend,
    one_axes,
    styled,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = ((NETWORK, "o"), (GREEN, "s"), (PURPLE, "^"))


@styled
def plot_comparison(
    frame: pd.DataFrame,
    *,
    reference: str | None = None,
    xlabel: str | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw scores of which less is better, such as mean squared errors, relative to a reference.

    Parameters
    ----------
    frame : DataFrame
        One row per score, one column per model; positive numbers, less is better.
    reference : str, optional
        The model to compare with; the last column by default.
    xlabel : str, optional
        Label of the axis.
    title : str, optional
        Title of the chart.
    figsize : tuple, optional
        Inches; by default the height grows with the number of rows.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> frame = pd.DataFrame({"network": [2.9], "OLS": [3.1]}, index=["RMSE, cross-validated"])
    >>> fig = plot_comparison(frame)
    >>> [text.get_text() for text in fig.axes[0].texts]
    ['2.900 (−6.5%)']
    """
    reference = str(frame.columns[-1]) if reference is None else reference
    if reference not in frame.columns:
        raise DataError(f"no model {reference!r} in the comparison; it has {list(frame.columns)}")
    base = frame[reference].astype(float)
    others = frame.drop(columns=reference).astype(float)
    if (base <= 0).any() or (others < 0).any(axis=None):
        row = (base <= 0).idxmax() if (base <= 0).any() else (others < 0).any(axis=1).idxmax()
        raise DataError(f"scores must be positive to be compared as ratios; row {row!r} is not")
    change = 100 * (others.div(base, axis=0) - 1)
    rows, own = len(frame), ax is None
    fig, ax = one_axes(ax, fig, figsize or (7.2, 1.35 + 0.6 * rows))
    place = np.arange(rows, dtype=float)
    ax.axvline(0, color=BASELINE, linestyle="--", linewidth=1.4, label=reference)
    offsets = np.linspace(-0.22, 0.22, others.shape[1]) if others.shape[1] > 1 else [0.0]
    for j, (name, values) in enumerate(change.items()):
        color, marker = _MARKS[j % len(_MARKS)]
        y = place + offsets[j]
        ax.hlines(y, 0, values, color=color, linewidth=1.4)
        ax.plot(values, y, marker, linestyle="none", color=color, markersize=7, label=str(name))
        for at, value, score in zip(y, values, others[name], strict=True):
            if np.isfinite(value):
                side = -1 if value < 0 else 1
                ax.annotate(
                    f"{_short(score)} ({value:+.1f}%)".replace("-", "−"),
                    (value, at),
                    xytext=(7 * side, 0),
                    textcoords="offset points",
                    ha="right" if side < 0 else "left",
                    va="center",
                    fontsize=8.5,
                )
    narrow = width_of(fig) < NARROW
    room = 2.6 if narrow else 1.8
    reach = room * max(2.0, float(np.nanmax(np.abs(change.to_numpy()), initial=0.0)))
    ax.set_xlim(-reach, reach)
    label = xlabel or f"Percent difference from {reference} (left: better)"
    dress(ax, title, label, "", grid="x")
    if narrow:
        ax.set_yticks([])
        white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        for at, (row, score) in zip(place, base.items(), strict=True):
            text = f"{row} ({reference}: {_short(score)})"
            across = ax.get_yaxis_transform()
            ax.text(0.01, at - 0.28, text, transform=across, fontsize=8.5, bbox=white)
    else:
        names = [f"{row}\n{reference}: {_short(score)}" for row, score in base.items()]
        ax.set_yticks(place, names)
    ax.set_ylim(rows - 0.45, -0.75 if narrow else -0.55)
    ax.tick_params(axis="y", size=0)
    legend(fig, ax, below=own)
    return fig


def _short(value: float) -> str:
    """Four significant digits, without exponents for ordinary sizes."""
    decimals = int(np.clip(3 - np.floor(np.log10(value)), 0, 6)) if value > 0 else 3
    return f"{value:.{decimals}f}"
