"""The look that all charts share, and the only imports of matplotlib.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; since they must
survive a grey printer, every series also has its own line style or marker.
"""

import functools
import io
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

NETWORK, BASELINE, DATA = "#0072B2", "#D55E00", "#222222"
GREEN, PURPLE, SKY, ORANGE = "#009E73", "#AA4499", "#56B4E9", "#E69F00"
GREY, GRID, SHADE = "#6b6b6b", "#dddddd", "#e4e4e4"

SERIES: tuple[tuple[str, Any], ...] = (
    (NETWORK, "-"),
    (BASELINE, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (DATA, (0, (6, 1.5, 1, 1.5, 1, 1.5))),
    (SKY, (0, (1.5, 1))),
    (ORANGE, (0, (7, 2))),
)

NARROW = 5.0
"""Below this width in inches, panels that stand side by side are stacked."""

_RC: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#444444",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.titlesize": 11.0,
    "figure.titleweight": "bold",
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function under the house style, and leave the user's rcParams as they were.

    Labels of a narrow figure of our own are broken where they would leave it.
    """

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        import matplotlib.style
        from matplotlib.figure import Figure

        with matplotlib.style.context(_RC, after_reset=True):
            drawn = draw(*args, **kwargs)
            own = kwargs.get("ax") is None and kwargs.get("fig") is None
            if own and isinstance(drawn, Figure) and width_of(drawn) < NARROW:
                fit_texts(drawn)
            return drawn

    return wrapper


def new_figure(fig: "Figure | None", figsize: tuple[float, float]) -> "Figure":
    """Give the caller's figure, or one of our own that pyplot does not know."""
    from matplotlib.figure import Figure

    if isinstance(fig, Figure) and fig.get_layout_engine() is None:
        fig.set_layout_engine("constrained")
    if fig is not None:
        return fig

    return Figure(figsize=figsize, layout="constrained")


def one_axes(
    ax: "Axes | None", fig: "Figure | None", figsize: tuple[float, float]
) -> tuple["Figure", "Axes"]:
    """Give a figure and its single axes, the caller's where one was passed."""
    if ax is not None:
        return cast("Figure", ax.figure), ax
    fig = new_figure(fig, figsize)
    return fig, fig.add_subplot()


def dress(
    ax: "Axes",
    title: str | None,
    xlabel: str,
    ylabel: str,
    grid: Literal["both", "x", "y"] = "both",
    weight: str = "bold",
) -> None:
    """Set the texts, the grid and the ticks; labels longer than their axis are wrapped.

    Ticks are set explicitly since matplotlib makes them while drawing, after the style is gone.
    """
    box = ax.get_position()
    inches = ax.figure.bbox.width / ax.figure.dpi, ax.figure.bbox.height / ax.figure.dpi
    if title:
        ax.set_title(title, fontweight=weight)
    ax.set_xlabel(_wrap(xlabel, box.width * inches[0] * 1.1))
    ax.set_ylabel(_wrap(ylabel, box.height * inches[1] * (0.85 if inches[1] < 3.6 else 1.0)))
    ax.set_axisbelow(True)
    ax.grid(True, axis=grid, color=GRID, linewidth=0.6, linestyle="-", alpha=1.0)
    ax.tick_params(which="major", size=3, width=0.7, color="#444444", labelsize=8.5)
    ax.tick_params(which="minor", size=0)


def label_rows(ax: "Axes", names: Iterable[Any]) -> None:
    """Name the rows of a horizontal chart, the first on top."""
    labels = [str(name) for name in names]
    ax.set_yticks(np.arange(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.45, -0.55)
    ax.tick_params(axis="y", size=0)


def with_units(label: str, units: str | None) -> str:
    """Add the unit to a label, in parentheses."""
    return f"{label} ({units})" if units else label


def _wrap(label: str, inches: float) -> str:
    """Break a label of nine-point type into lines of at most so many inches."""
    width = max(12, int(inches / 0.077))
    return "\n".join(_lines(part, width) for part in label.split("\n"))


def _lines(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_long_words=False))


def fit_texts(fig: "Figure") -> None:
    """Break labels and titles into lines that stay within the figure, as it is laid out.

    A single word that is too long is set in smaller type.
    """
    fig.draw_without_rendering()
    width, height = fig.bbox.width, fig.bbox.height
    for ax in fig.axes:
        box = ax.get_window_extent()
        across, up = (box.x0 + box.x1) / 2.0, (box.y0 + box.y1) / 2.0
        _fit(ax.xaxis.label, 2.0 * min(across, width - across), upright=False)
        _fit(ax.yaxis.label, 2.0 * min(up, height - up), upright=True)
        for title in (ax.title, ax._left_title, ax._right_title):  # type: ignore[attr-defined]
            _fit(title, width - box.x0, upright=False)
    for text in (fig._suptitle, fig._supxlabel):  # type: ignore[attr-defined]
        if text is not None:
            _fit(text, 0.98 * width, upright=False)


def _fit(text: Any, room: float, upright: bool) -> None:
    """Break one text into lines of at most so many pixels."""
    box = text.get_window_extent()
    size = box.height if upright else box.width
    if size <= room or not text.get_text():
        return
    plain = text.get_text().replace("\n", " ")
    longest = max(len(line) for line in text.get_text().split("\n"))
    text.set_text(_lines(plain, max(8, int(longest * room / size))))
    box = text.get_window_extent()
    size = box.height if upright else box.width
    if size > room:
        text.set_fontsize(max(6.0, text.get_fontsize() * room / size))


def legend(
    fig: "Figure", ax: "Axes", below: bool, ncols: int = 4, order: Sequence[str] = ()
) -> None:
    """Write the legend, below the chart where the figure is ours and inside the axes otherwise.

    Entries come in ``order``, then the others as they were drawn; columns are dropped until the
    entries fit the width.
    """
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    rank = {name: i for i, name in enumerate(order)}
    pairs = sorted(zip(labels, handles, strict=True), key=lambda p: rank.get(p[0], len(rank)))
    labels, handles = [p[0] for p in pairs], [p[1] for p in pairs]
    if not below:
        ax.legend(handles, labels, loc="best")
        return
    legend_below(fig, handles, labels, ncols)


def legend_below(fig: "Figure", handles: Sequence[Any], labels: Sequence[str], ncols: int) -> None:
    """Write entries below a chart, in as many columns, up to ``ncols``, as fit its width."""
    narrow = width_of(fig) < NARROW
    size, letter, mark = (7.0, 0.05, 0.38) if narrow else (8.5, 0.063, 0.5)
    needed = letter * max(len(label) for label in labels) + mark
    fig.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=int(np.clip(width_of(fig) // needed, 1, min(ncols, len(labels)))),
        columnspacing=1.0 if narrow else 1.5,
        handlelength=1.6 if narrow else 2.0,
        fontsize=size,
    )


def width_of(fig: "Figure") -> float:
    """Width of a figure (or of the part of it that a subfigure takes) in inches."""
    return float(fig.bbox.width / fig.dpi)


def time_axis(index: pd.Index) -> np.ndarray | None:
    """Dates for the horizontal axis, or None where the index is no time axis.

    Periods are drawn at their first day, so that the year's tick stands at its first quarter.
    """
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp(how="start").to_numpy()
    if isinstance(index, pd.DatetimeIndex):
        return (index.tz_localize(None) if index.tz is not None else index).to_numpy()
    return None


def as_date(label: Any) -> np.datetime64:
    """One label of a time index as a date."""
    if isinstance(label, pd.Period):
        return label.to_timestamp(how="start").to_datetime64()
    stamp = pd.Timestamp(label)
    return (stamp.tz_localize(None) if stamp.tzinfo is not None else stamp).to_datetime64()


def format_dates(ax: "Axes") -> None:
    """Ticks for dates: as few words as possible, years where the sample spans years."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def same_length(**arrays: Any) -> None:
    """Refuse arrays of unequal length, by name."""
    lengths = {name: len(a) for name, a in arrays.items() if a is not None}
    if len(set(lengths.values())) > 1:
        listing = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise DataError(f"the chart needs arrays of one length, but {listing}")


def mark_missing(ax: "Axes", message: str) -> None:
    """Say in the middle of an empty panel why it is empty."""
    ax.text(0.5, 0.5, message, transform=ax.transAxes, ha="center", va="center", color=GREY)


def to_svg(fig: "Figure") -> str:
    """Write a figure as SVG text; the same figure gives the same text, whenever and wherever.

    Letters are drawn as outlines, so the chart looks the same without the fonts installed.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "nnecon"}):
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save_pdf(fig: "Figure", path: str | Path) -> Path:
    """Write a figure as PDF with embedded TrueType fonts and no time stamp; give the path."""
    import matplotlib

    with matplotlib.rc_context({"pdf.fonttype": 42}):
        fig.savefig(path, format="pdf", metadata={"CreationDate": None})
    return Path(path)


def save_png(fig: "Figure", path: str | Path, dpi: int = 200) -> Path:
    """Write a figure as PNG, for slides and word processors; give the path."""
    fig.savefig(path, format="png", dpi=dpi)
    return Path(path)
