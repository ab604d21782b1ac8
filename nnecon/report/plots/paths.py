"""Charts along the penalty: from the classical model, at the left, to the full network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError
from nnecon.report.plots.style import (
    BASELINE,
    DATA,
    GREY,
    NETWORK,
    SERIES,
    dress,
    new_figure,
    one_axes,
    same_length,
    styled,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALPHA_LABEL = "Penalty α  (smaller to the right: from {} to the full network)"
ALPHA_LABEL_NARROW = "Penalty α (smaller to the right)"


class PenaltyAxis:
    """Places penalties on a reversed logarithmic axis, with infinity at the left behind a gap.

    Parameters
    ----------
    alphas : array, shape (k,)
        Penalties, each positive, infinity for the classical model.
    baseline_name : str
        Name of the classical model, written where the axis has infinity.
    """

    def __init__(self, alphas: np.ndarray, baseline_name: str) -> None:
        alphas = np.asarray(alphas, dtype=float)
        if alphas.ndim != 1 or alphas.size == 0 or np.isnan(alphas).any() or (alphas < 0).any():
            raise DataError("alphas must be a list of positive numbers; inf is the classical model")
        live = alphas[np.isfinite(alphas) & (alphas > 0)]
        self.name = baseline_name
        self.left = -np.log10(live.max()) if live.size else 0.0
        self.right = -np.log10(live.min()) if live.size else 0.0
        span = max(self.right - self.left, 1.0)
        self.at_infinity = self.left - 0.09 * span
        self.at_zero = self.right + 0.09 * span
        self.has_infinity = bool(np.isinf(alphas).any())
        self.has_zero = bool((alphas == 0).any())
        self.span = span

    def __call__(self, alphas: np.ndarray | float) -> np.ndarray:
        """Give the position of each penalty on the axis."""
        alphas = np.asarray(alphas, dtype=float)
        safe = np.where(np.isfinite(alphas) & (alphas > 0), alphas, 1.0)
        place = np.where(np.isinf(alphas), self.at_infinity, -np.log10(safe))
        return np.where(alphas == 0, self.at_zero, place)

    def dress(self, ax: "Axes", narrow: bool, show_label: bool = True) -> None:
        """Write the ticks as powers of ten, name the baseline's place and break the axis there."""
        low, high = int(np.ceil(self.left - 1e-9)), int(np.floor(self.right + 1e-9))
        step = max(1, (high - low) // (4 if narrow else 8) + ((high - low) % 8 > 0))
        exponents = np.arange(low, high + 1, step) if high >= low else np.array([])
        if high - low < 2:
            exponents = np.linspace(self.left, self.right, 4)
            labels = [f"{10.0**-e:.2g}" for e in exponents]
        else:
            labels = [f"$10^{{{-int(e)}}}$" for e in exponents]
        ticks = list(exponents)
        if self.has_infinity:
            # the baseline's own label needs the room of a tick that stands too close to it
            close = [i for i, t in enumerate(ticks) if t - self.at_infinity < 0.06 * self.span]
            ticks = [t for i, t in enumerate(ticks) if i not in close]
            labels = [t for i, t in enumerate(labels) if i not in close]
            ticks, labels = [self.at_infinity, *ticks], [f"∞\n({self.name})", *labels]
            middle = (self.at_infinity + self.left) / 2
            for shift in (-0.006, 0.006):
                ax.plot(
                    [middle + (shift - 0.004) * self.span, middle + (shift + 0.004) * self.span],
                    [-0.018, 0.018],
                    transform=ax.get_xaxis_transform(),
                    color="#444444",
                    linewidth=0.8,
                    clip_on=False,
                    zorder=5,
                )
        if self.has_zero:
            ticks, labels = [*ticks, self.at_zero], [*labels, "0"]
        ax.set_xticks(ticks, labels)
        start = self.at_infinity if self.has_infinity else self.left
        end = self.at_zero if self.has_zero else self.right
        pad = 0.02 * (end - start + 1e-9)
        ax.set_xlim(start - pad, end + pad)
        if show_label:
            label = ALPHA_LABEL_NARROW if narrow else ALPHA_LABEL.format(self.name)
            ax.set_xlabel(label)


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


def _mark_choices(
    axes: "Sequence[Axes]",
    place: PenaltyAxis,
    chosen: float | None,
    alpha_1se: float | None,
    switches: Sequence[float],
    chosen_name: str,
) -> None:
    """Draw the vertical lines of the chosen penalty, the one-standard-error rule and switches."""
    rules = []
    if chosen is not None:
        rules.append((chosen, chosen_name, {"color": DATA, "linestyle": "-", "linewidth": 1.1}))
    if alpha_1se is not None:
        style = {"color": DATA, "linestyle": "--", "linewidth": 1.0}
        rules.append((alpha_1se, "one-standard-error rule", style))
    for i, alpha in enumerate(switches):
        style = {"color": GREY, "linestyle": ":", "linewidth": 1.1}
        rules.append((alpha, "solution moves to another minimum" if i == 0 else "_", style))
    for ax in axes:
        for alpha, name, style in rules:
            ax.axvline(float(place(alpha)), label=name, zorder=1.5, **style)


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
            color=color,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 1},
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
        What the effects are, with their unit.
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
    narrow = width_of(fig) < 5
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=(2.6, 1))
    first_live = 1 if place.has_infinity else 0
    styles = [SERIES[j % len(SERIES)] for j in range(lines.shape[1])]
    top.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    for (name, values), (color, dash) in zip(lines.items(), styles, strict=True):
        y = values.to_numpy(dtype=float)
        top.plot(x[first_live:], y[first_live:], color=color, linestyle=dash, label=str(name))
        if place.has_infinity:
            top.plot(x[0], y[0], "o", color=color, markersize=4, zorder=4)
    dress(top, title, "", ylabel)
    bottom.plot(x[first_live:], edf[first_live:], color=NETWORK)
    if place.has_infinity:
        bottom.plot(x[0], edf[0], "o", color=NETWORK, markersize=4)
        bottom.axhline(edf[0], color=BASELINE, linestyle="--", linewidth=1, label=baseline_name)
        bottom.legend(loc="upper left")
    bottom.set_ylim(0, None)
    dress(bottom, None, "", "Effective d.f.")
    place.dress(bottom, narrow)
    place.dress(top, narrow, show_label=False)
    top.tick_params(labelbottom=False)
    _mark_choices((top, bottom), place, chosen, alpha_1se, switches, chosen_name)
    _legend_of_path(fig, top, lines, styles, x, narrow)
    bottom_handles = [h for h in bottom.get_legend_handles_labels()[1] if h == baseline_name]
    if bottom_handles:
        handles, labels = bottom.get_legend_handles_labels()
        keep = labels.index(baseline_name)
        bottom.legend([handles[keep]], [f"{baseline_name}: {edf[0]:.0f}"], loc="upper left")
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
        fig.legend(handles, labels, loc="outside lower center", ncols=2 if narrow else 3)


@styled
def plot_cv(
    alphas: np.ndarray,
    mean: np.ndarray,
    se: np.ndarray,
    *,
    baseline_mean: float | None = None,
    baseline_se: float | None = None,
    alpha_min: float | None = None,
    alpha_1se: float | None = None,
    fold_scores: np.ndarray | None = None,
    ylabel: str = "Cross-validated mean squared error",
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
        Error of each fold, drawn as thin lines.
    ylabel : str
        What the error is, with its unit.
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
        scores = np.atleast_2d(np.asarray(fold_scores, dtype=float))[:, order]
        for i, fold in enumerate(scores):
            name = "single folds" if i == 0 else "_"
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
    dress(ax, title, "", ylabel)
    narrow = width_of(fig) < 5
    place.dress(ax, narrow)
    _mark_choices((ax,), place, alpha_min, alpha_1se, (), "smallest error")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2 if not narrow else -0.24),
        ncols=1 if narrow else 3,
    )
    return fig
