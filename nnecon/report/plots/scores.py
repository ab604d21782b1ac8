"""The chart of the comparison: each score of the network relative to the classical model's."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError
from nnecon.report.plots.style import (
    BASELINE,
    GREEN,
    NETWORK,
    PURPLE,
    dress,
    one_axes,
    styled,
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
        The model that is one; the last column by default.
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
    ['2.900 against 3.100 (−6.5%)']
    """
    reference = str(frame.columns[-1]) if reference is None else reference
    if reference not in frame.columns:
        raise DataError(f"no model {reference!r} in the comparison; it has {list(frame.columns)}")
    base = frame[reference].astype(float)
    others = frame.drop(columns=reference).astype(float)
    if (base <= 0).any() or (others < 0).any(axis=None):
        row = (base <= 0).idxmax() if (base <= 0).any() else (others < 0).any(axis=1).idxmax()
        raise DataError(f"scores must be positive to be compared as ratios; row {row!r} is not")
    ratios = others.div(base, axis=0)
    rows = len(frame)
    fig, ax = one_axes(ax, fig, figsize or (7.2, 1.35 + 0.5 * rows))
    place = np.arange(rows, dtype=float)
    ax.axvline(1, color=BASELINE, linestyle="--", linewidth=1.4, label=f"{reference} = 1")
    offsets = np.linspace(-0.18, 0.18, others.shape[1]) if others.shape[1] > 1 else [0.0]
    for j, (name, values) in enumerate(ratios.items()):
        color, marker = _MARKS[j % len(_MARKS)]
        y = place + offsets[j]
        ax.hlines(y, 1, values, color=color, linewidth=1.4)
        ax.plot(values, y, marker, color=color, markersize=7, label=str(name))
        for at, ratio, score, ref in zip(y, values, others[name], base, strict=True):
            if np.isfinite(ratio):
                change = f"{100 * (ratio - 1):+.1f}%".replace("-", "−")
                text = f"{_short(score)} against {_short(ref)} ({change})"
                ax.annotate(
                    text,
                    (1.02, at),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=8.5,
                    annotation_clip=False,
                )
    reach = max(0.05, 1.15 * float(np.nanmax(np.abs(ratios.to_numpy() - 1), initial=0.0)))
    ax.set_xlim(1 - reach, 1 + reach)
    xlabel = xlabel or f"Score relative to {reference} (left of the line: better)"
    dress(ax, title, xlabel, "", grid="x")
    ax.set_yticks(place, [str(label) for label in frame.index])
    ax.set_ylim(rows - 0.45, -0.55)
    ax.tick_params(axis="y", size=0)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


def _short(value: float) -> str:
    """Four significant digits, without exponents for ordinary sizes."""
    decimals = int(np.clip(3 - np.floor(np.log10(value)), 0, 6)) if value > 0 else 3
    return f"{value:.{decimals}f}"
