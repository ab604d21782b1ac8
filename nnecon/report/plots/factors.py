"""Charts of factor models: scree, factors over time, loadings by group, R-squared."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nnecon.report.plots.series import _shade, _with_gaps
from nnecon.report.plots.style import (
    GREY,
    NARROW,
    NETWORK,
    dress,
    format_dates,
    legend,
    new_figure,
    one_axes,
    styled,
    time_axis,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = "#f0b48c"
"""The classical model's colour, lightened, for a broad line under another."""


@styled
def plot_scree(
    eigenvals: np.ndarray,
    ncomp: int,
    chosen: int | None = None,
    *,
    title: str | None = "Principal components",
    figsize: tuple[float, float] = (7.2, 3.4),
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the share of variance of each principal component, and all of them together.

    Parameters
    ----------
    eigenvals : array, shape (m,)
        All eigenvalues, descending.
    ncomp : int
        How many are shown.
    chosen : int, optional
        Number of factors of the model, which is marked.
    title : str, optional
        Title of the chart.
    figsize : tuple
        Inches.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> fig = plot_scree(np.array([5.0, 3.0, 1.0, 1.0]), 3, chosen=2)
    >>> fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()
    ('Component', 'Percent of variance')
    """
    share = 100 * np.asarray(eigenvals, dtype=float) / np.sum(eigenvals)
    fig = new_figure(fig, figsize)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    number = np.arange(1, ncomp + 1)
    for ax, values, label in zip(
        fig.subplots(1, 2),
        (share[:ncomp], np.cumsum(share)[:ncomp]),
        ("Percent of variance", "Percent of variance, cumulated"),
        strict=True,
    ):
        inside = number <= (ncomp if chosen is None else chosen)
        ax.plot(number, values, color=GREY, linewidth=1.0, zorder=1)
        ax.plot(
            number[inside], values[inside], "o", color=NETWORK, markersize=5, label="in the model"
        )
        ax.plot(
            number[~inside], values[~inside], "o", color=NETWORK, markerfacecolor="white",
            markersize=5, label="left out",
        )  # fmt: skip
        ax.set_ylim(0, None)
        ax.xaxis.get_major_locator().set_params(integer=True)
        dress(ax, None, "Component", label)
    if chosen is not None and chosen < ncomp:
        legend(fig, fig.axes[0], below=True)
    return fig


@styled
def plot_factors(
    factors: pd.DataFrame,
    *,
    baseline: pd.DataFrame | None = None,
    recessions: Sequence[tuple[Any, Any]] | None = None,
    title: str | None = "Factors",
    baseline_name: str = "PCA",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw each factor in a panel of its own, with the principal component that it is turned to.

    Parameters
    ----------
    factors : DataFrame, shape (n, k)
        In standard deviations.
    baseline : DataFrame, shape (n, k), optional
        Principal components.
    recessions : sequence of (first, last), optional
        Spans to shade, as labels of the index or dates.
    title : str, optional
        Title of the chart.
    baseline_name : str
        Name of the classical model.
    figsize : tuple, optional
        Inches; by default as high as there are factors.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> months = pd.period_range("2000-01", periods=24, freq="M")
    >>> factors = pd.DataFrame({"comp_0": np.arange(24.0)}, index=months)
    >>> fig = plot_factors(factors, recessions=[("2001-03", "2001-11")])
    >>> fig.axes[0].get_ylabel()
    'comp_0'
    """
    k = factors.shape[1]
    fig = new_figure(fig, figsize or (7.2, 0.9 + 1.25 * k))
    if title:
        fig.suptitle(f"{title} (standard deviations)", x=0.01, ha="left")
    axes = np.atleast_1d(fig.subplots(k, 1, sharex=True))
    dates = time_axis(factors.index)
    for number, (ax, name) in enumerate(zip(axes, factors, strict=True)):
        ax.axhline(0, color=GREY, linewidth=0.6)
        lines: list[Any] = [(factors[name], NETWORK, "-", 1.3, "factor")]
        if baseline is not None:
            # the broad pale line shows where the two part, in colour and in grey
            lines = [
                (baseline[name], PALE, "-", 2.6, baseline_name),
                (factors[name], NETWORK, "-", 0.9, "autoencoder"),
            ]
        if dates is not None:
            _shade(ax, factors.index, dates, recessions or ())
        for values, color, dash, width, label in lines:
            x, y = np.arange(len(factors)), values.to_numpy(dtype=float)
            if dates is not None:
                x, y = _with_gaps(factors.index, dates, y)
            ax.plot(x, y, color=color, linestyle=dash, linewidth=width, label=label)
        last = number == k - 1
        dress(ax, None, "" if dates is not None or not last else "Row", str(name))
        if dates is not None:
            format_dates(ax)
        ax.margins(x=0.01)
    fig.align_ylabels(axes)
    legend(fig, axes[0], below=True)
    return fig


@styled
def plot_loadings(
    loadings: pd.DataFrame,
    *,
    groups: pd.Series | None = None,
    title: str | None = "Average loadings",
    figsize: tuple[float, float] | None = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw loadings as a heat map, series by factor, with the series of a group together.

    With more than forty series these are not named one by one, but by group.

    Parameters
    ----------
    loadings : DataFrame, shape (N, k)
        Standard deviations of the series for one of the factor.
    groups : Series, optional
        Group of each series.
    title : str, optional
        Title of the chart.
    figsize : tuple, optional
        Inches; by default as high as the series need.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> loadings = pd.DataFrame({"comp_0": [0.9, -0.4], "comp_1": [0.1, 0.7]}, index=["a", "b"])
    >>> fig = plot_loadings(loadings)
    >>> [tick.get_text() for tick in fig.axes[0].get_yticklabels()]
    ['a', 'b']
    """
    table = loadings
    labels = pd.Series("", index=loadings.index)
    if groups is not None:
        labels = groups.reindex(loadings.index).astype(object).where(groups.notna(), "other")
        order = np.argsort(pd.factorize(labels)[0], kind="stable")
        table, labels = loadings.iloc[order], labels.iloc[order]
    n, k = table.shape
    named = n <= 40
    fig = new_figure(fig, figsize or (7.2, float(np.clip(1.2 + 0.17 * n, 2.6, 8.5))))
    ax = fig.add_subplot()
    most = float(np.abs(table.to_numpy()).max())
    # dark is far from zero on either side, in colour and on a grey printer
    image = ax.imshow(
        table.to_numpy(), aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, interpolation="none"
    )
    signs = np.argwhere(table.to_numpy() < 0)
    if n * k <= 1200:
        ax.plot(
            signs[:, 1], signs[:, 0], linestyle="none", marker="_", color="#333333", markersize=4
        )
    narrow = width_of(fig) < NARROW
    place: dict[str, Any] = {"location": "bottom", "aspect": 30} if narrow else {"shrink": 0.8}
    bar = fig.colorbar(image, ax=ax, pad=0.02, **place)
    bar.set_label("Standard deviations of the series\nfor one of the factor (dash: negative)")
    bar.outline.set_linewidth(0.5)
    dress(ax, title, "", "")
    ax.grid(False)
    turned = 90 if narrow and k > 3 else 45 if k > 6 else 0
    ax.set_xticks(range(k), [str(name) for name in table.columns], rotation=turned)
    _rows(ax, table.index, labels.map(_short) if narrow else labels, named, groups is not None)
    return fig


def _short(name: Any) -> str:
    """Name of a group in lines that leave room for a chart on a phone."""
    return textwrap.fill(str(name), 16)


def _rows(ax: "Axes", names: pd.Index, labels: pd.Series, named: bool, grouped: bool) -> None:
    """Names of the series, or of groups in the middle of their rows, and lines between groups."""
    if grouped:
        codes = pd.factorize(labels)[0]
        edges = np.flatnonzero(np.diff(codes)) + 1
        for edge in edges:
            ax.axhline(edge - 0.5, color="#222222", linewidth=0.8)
        starts = np.r_[0, edges]
        ends = np.r_[edges, len(codes)]
        if not named:
            ax.set_yticks((starts + ends - 1) / 2, [str(labels.iloc[at]) for at in starts])
    if named:
        ax.set_yticks(range(len(names)), [str(name) for name in names], fontsize=7.5)
    elif not grouped:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(names)} series, in the order of the panel")
    ax.tick_params(axis="y", size=0)


@styled
def plot_rsquare(
    rsquare: pd.DataFrame,
    *,
    groups: pd.Series | None = None,
    title: str | None = "What the factors explain",
    figsize: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw R-squared of the series by number of factors, or by group with all factors.

    Parameters
    ----------
    rsquare : DataFrame, shape (k, N)
        Cumulative, a row a number of factors and a column a series.
    groups : Series, optional
        Group of each series.
    title : str, optional
        Title of the chart.
    figsize : tuple, optional
        Inches.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> table = pd.DataFrame([[0.4, 0.2], [0.6, 0.5]], index=[1, 2], columns=["a", "b"])
    >>> fig = plot_rsquare(table)
    >>> fig.axes[0].get_xlabel()
    'Number of factors'
    """
    box: dict[str, Any] = {
        "medianprops": {"color": NETWORK, "linewidth": 2.0},
        "flierprops": {"marker": "o", "markersize": 2.5, "markeredgecolor": GREY},
        "widths": 0.6,
    }
    if groups is None:
        fig, ax = one_axes(ax, fig, figsize or (7.2, 3.8))
        ax.boxplot(list(rsquare.to_numpy()), tick_labels=[str(k) for k in rsquare.index], **box)
        dress(ax, title, "Number of factors", "R-squared of the series", grid="y")
        ax.set_ylim(-0.02, 1.02)
        return fig
    labels = groups.reindex(rsquare.columns).astype(object).where(groups.notna(), "other")
    names = list(dict.fromkeys(labels))
    last = rsquare.iloc[-1]
    fig, ax = one_axes(ax, fig, figsize or (7.2, 1.4 + 0.42 * len(names)))
    ax.boxplot(
        [last[(labels == name).to_numpy()].to_numpy() for name in names], orientation="horizontal",
        **box,
    )  # fmt: skip
    counts = [int((labels == name).sum()) for name in names]
    ticks = [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]
    if width_of(fig) < NARROW:
        ticks = [_short(tick) for tick in ticks]
    ax.set_yticks(range(1, len(names) + 1), ticks)
    ax.set_ylim(len(names) + 0.6, 0.4)
    words = f"R-squared of the series, {rsquare.index[-1]} factors (number of series in brackets)"
    dress(ax, title, words, "", grid="x")
    ax.set_xlim(-0.02, 1.02)
    return fig
