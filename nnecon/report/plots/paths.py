"""Charts along the penalty: from the classical model, at the left, to the full network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nnecon.report.plots.penalty_axis import PenaltyAxis, mark_choices
from nnecon.report.plots.style import (
    BASELINE,
    DATA,
    GREY,
    NARROW,
    NETWORK,
    SERIES,
    dress,
    legend,
    legend_below,
    new_figure,
    one_axes,
    same_length,
    styled,
    width_of,
    with_units,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _spread(places: np.ndarray, gap: float) -> np.ndarray:
    """Move labels apart to at least ``gap``, keeping their order and, where possible, their place.

    Labels that overlap are merged into blocks, each centred on the mean of its members' places:
    the least-squares answer (pool adjacent violators).
    """
    order = np.argsort(places, kind="stable")
    blocks: list[list[float]] = []  # mean of (place - rank * gap), members
    for rank, i in enumerate(order):
        blocks.append([places[i] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, count = blocks.pop()
            total = blocks[-1][1] + count
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + value * count) / total, total]
    settled = np.concatenate([np.full(int(count), value) for value, count in blocks])
    result = np.empty_like(places)
    result[order] = settled + gap * np.arange(len(places))
    return result


def _label_ends(
    ax: "Axes", places: np.ndarray, lines: pd.DataFrame, styles: list, height: float
) -> None:
    """Write each line's name at its right end, moved apart where they would overlap."""
    last = np.array([col[np.isfinite(col)][-1] for col in lines.to_numpy(dtype=float).T])
    low, high = ax.get_ylim()
    gap = (high - low) * 0.155 / height
    targets = _spread(last, gap)
    # text clear of the axis, with a thin leader where the label had to move
    for name, end, target, (color, _) in zip(lines.columns, last, targets, styles, strict=True):
        ax.annotate(
            str(name),
            xy=(places[-1], end),
            xytext=(1.035, (target - low) / (high - low)),
            textcoords=ax.transAxes,
            va="center",
            ha="left",
            fontsize=8.5,
            color=DATA,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 1.0, "shrinkA": 1},
            annotation_clip=False,
        )


@styled
def plot_path(
    alphas: np.ndarray,
    effects: pd.DataFrame,
    edf: np.ndarray,
    *,
    chosen: float | None = None,
    alpha_1se: float | None = None,
    switches: Sequence[float] = (),
    ylabel: str = "Average partial effect",
    units: str | None = None,
    title: str | None = "Regularisation path",
    baseline_name: str = "OLS",
    chosen_name: str = "chosen penalty",
    figsize: tuple[float, float] = (7.2, 5.4),
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the average partial effects, and below them the degrees of freedom, along the penalty.

    Parameters
    ----------
    alphas : array, shape (k,)
        Penalties in any order; infinity is the classical model and stands at the left end.
    effects : DataFrame, shape (k, p)
        Average partial effects, one row per penalty and one column per regressor. Effects of
        regressors in different units are comparable when multiplied by a standard deviation.
    edf : array, shape (k,)
        Effective degrees of freedom.
    chosen, alpha_1se : float, optional
        Penalties to mark: the one used, and that of the one-standard-error rule.
    switches : sequence of float
        Penalties at which the best solution moves to another minimum.
    ylabel : str
        What the effects are.
    units : str, optional
        Their unit, added to ``ylabel`` in parentheses.
    title : str, optional
        Title of the chart.
    baseline_name : str
        Name of the classical model.
    chosen_name : str
        Name of the chosen penalty in the legend.
    figsize : tuple
        Inches; under five inches wide, labels move into a legend.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> alphas = np.array([np.inf, 1.0, 0.1, 0.01])
    >>> effects = pd.DataFrame({"infl": [-0.2, -0.2, -0.25, -0.4], "unemp": [0.1, 0.1, 0.3, 0.2]})
    >>> fig = plot_path(alphas, effects, [3.0, 3.0, 5.5, 9.0], chosen=0.1)
    >>> len(fig.axes)
    2
    """
    same_length(alphas=alphas, effects=effects, edf=edf)
    place = PenaltyAxis(alphas, baseline_name)
    order = np.argsort(place(alphas), kind="stable")
    x, edf = place(alphas)[order], np.asarray(edf, dtype=float)[order]
    lines = effects.iloc[order].dropna(axis=1, how="all")
    fig = new_figure(fig, figsize)
    narrow = width_of(fig) < NARROW
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=(2.6, 1))
    first_live = 1 if place.has_infinity else 0
    styles = [SERIES[j % len(SERIES)] for j in range(lines.shape[1])]
    top.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    for (name, values), (color, dash) in zip(lines.items(), styles, strict=True):
        y = values.to_numpy(dtype=float)
        top.plot(x[first_live:], y[first_live:], color=color, linestyle=dash, label=str(name))
        if place.has_infinity:
            top.plot(x[0], y[0], "o", color=color, markersize=4, zorder=4)
    dress(top, title, "", with_units(ylabel, units))
    bottom.plot(x[first_live:], edf[first_live:], color=NETWORK)
    if place.has_infinity:
        bottom.plot(x[0], edf[0], "o", color=NETWORK, markersize=4)
        name = f"{baseline_name}: {edf[0]:.4g}"
        line = bottom.axhline(edf[0], color=BASELINE, linestyle="--", linewidth=1, label=name)
        bottom.legend([line], [name], loc="center right")
    bottom.set_ylim(0, None)
    dress(bottom, None, "", "Effective d.f.")
    place.dress(bottom, narrow)
    place.dress(top, narrow, show_label=False)
    top.tick_params(labelbottom=False)
    mark_choices((top, bottom), place, chosen, alpha_1se, switches, chosen_name)
    _legend_of_path(fig, top, lines, styles, x, narrow)
    return fig


def _legend_of_path(
    fig: "Figure", ax: "Axes", lines: pd.DataFrame, styles: list, x: np.ndarray, narrow: bool
) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if not narrow:
        height = ax.get_position().height * fig.bbox.height / fig.dpi
        _label_ends(ax, x, lines, styles, height)
        names = {str(c) for c in lines.columns}
        kept = [(h, t) for h, t in zip(handles, labels, strict=True) if t not in names]
        handles, labels = [h for h, _ in kept], [t for _, t in kept]
    if handles:
        legend_below(fig, handles, labels, 2 if narrow else 3)


@styled
def plot_cv(
    alphas: np.ndarray,
    mean: np.ndarray,
    se: np.ndarray,
    baseline_mean: float | None = None,
    baseline_se: float | None = None,
    *,
    alpha_min: float | None = None,
    alpha_1se: float | None = None,
    fold_scores: np.ndarray | None = None,
    ylabel: str = "Cross-validated mean squared error",
    units: str | None = None,
    title: str | None = "Cross-validation",
    baseline_name: str = "OLS",
    figsize: tuple[float, float] = (7.2, 4.2),
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw the cross-validated error along the penalty, with the classical model's as a band.

    Parameters
    ----------
    alphas : array, shape (k,)
        Penalties in any order; infinity is the classical model.
    mean, se : array, shape (k,)
        Mean over the folds and its standard error.
    baseline_mean, baseline_se : float, optional
        The classical model's error on the same folds, and its standard error.
    alpha_min, alpha_1se : float, optional
        Penalties to mark: that of the smallest error, and that of the one-standard-error rule.
    fold_scores : array, shape (folds, k), optional
        Error of each fold, drawn as thin lines that are moved to start at the mean curve: what
        counts is how a fold's error changes along the penalty, not how hard the fold is.
    ylabel : str
        What the error is.
    units : str, optional
        Its unit, added to ``ylabel`` in parentheses.
    title : str, optional
        Title of the chart.
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
    >>> fig = plot_cv([np.inf, 1, 0.1], [9.1, 8.7, 9.9], [0.5, 0.5, 0.9], baseline_mean=9.1,
    ...               baseline_se=0.5, alpha_min=1)
    >>> fig.axes[0].get_title(loc="left")
    'Cross-validation'
    """
    same_length(alphas=alphas, mean=mean, se=se)
    place = PenaltyAxis(alphas, baseline_name)
    order = np.argsort(place(alphas), kind="stable")
    x = place(alphas)[order]
    mean, se = np.asarray(mean, dtype=float)[order], np.asarray(se, dtype=float)[order]
    own = ax is None
    fig, ax = one_axes(ax, fig, figsize)
    if baseline_mean is not None:
        if baseline_se is not None and np.isfinite(baseline_se):
            low, high = baseline_mean - baseline_se, baseline_mean + baseline_se
            ax.axhspan(low, high, color=BASELINE, alpha=0.10, linewidth=0)
        ax.axhline(
            baseline_mean,
            color=BASELINE,
            linestyle="--",
            linewidth=1.2,
            label=f"{baseline_name} (band: ± 1 s.e.)" if baseline_se else baseline_name,
        )
    first_live = 1 if place.has_infinity else 0
    if fold_scores is not None:
        folds = np.atleast_2d(np.asarray(fold_scores, dtype=float))[:, order]
        folds = folds - folds[:, :1] + mean[0]
        for i, fold in enumerate(folds):
            name = "single folds, moved to a common start" if i == 0 else "_"
            ax.plot(x[first_live:], fold[first_live:], color="#b0b0b0", linewidth=0.7, label=name)
    ax.errorbar(
        x,
        mean,
        yerr=se,
        fmt="o",
        markersize=3.5,
        color=NETWORK,
        elinewidth=0.9,
        capsize=1.8,
        label="network, mean over folds ± 1 s.e.",
    )
    ax.plot(x[first_live:], mean[first_live:], color=NETWORK, linewidth=1.2)
    dress(ax, title, "", with_units(ylabel, units))
    narrow = width_of(fig) < NARROW
    place.dress(ax, narrow)
    mark_choices((ax,), place, alpha_min, alpha_1se, (), "smallest error")
    _limit_height(ax, mean, se, baseline_mean, baseline_se)
    legend(fig, ax, below=own, ncols=3, order=("network, mean over folds ± 1 s.e.",))
    return fig


def _limit_height(
    ax: "Axes",
    mean: np.ndarray,
    se: np.ndarray,
    baseline_mean: float | None,
    baseline_se: float | None,
) -> None:
    """Cut off errors far above the best, which would flatten the part of the curve that matters."""
    spread = np.where(np.isfinite(se), se, 0.0)
    best = int(np.nanargmin(mean))
    low, high = np.nanmin(mean - spread), np.nanmax(mean + spread)
    usual = mean[best] + spread[best]
    if baseline_mean is not None:
        band = baseline_se if baseline_se is not None and np.isfinite(baseline_se) else 0.0
        low, usual = min(low, baseline_mean - band), max(usual, baseline_mean + band)
        high = max(high, baseline_mean + band)
    low = max(low, mean[best] - 2 * spread[best]) if spread[best] > 0 else low
    ceiling = usual + 0.6 * (usual - low)
    if high > ceiling:
        high = ceiling
        text = f"▲ up to {np.nanmax(mean):.4g}"
        if np.nanmax(mean) > ceiling:
            white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            across = ax.transAxes
            ax.text(0.995, 0.985, text, transform=across, ha="right", va="top", bbox=white)
    pad = 0.06 * (high - low) if high > low else 0.5
    ax.set_ylim(low - pad, high + pad)
