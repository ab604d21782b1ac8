"""The axis of penalties, from infinity at the left to zero at the right, and the marks on it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnecon.exceptions import DataError
from nnecon.report.plots.style import DATA, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
        steps = -np.log10(np.outer(10.0 ** -np.arange(low - 1, high + 2), np.arange(2, 10)).ravel())
        ax.set_xticks(steps[(steps > self.left) & (steps < self.right)], minor=True)
        ax.tick_params(axis="x", which="minor", size=1.8, width=0.5, color="#444444")
        start = self.at_infinity if self.has_infinity else self.left
        end = self.at_zero if self.has_zero else self.right
        pad = 0.02 * (end - start + 1e-9)
        ax.set_xlim(start - pad, end + pad)
        if show_label:
            label = ALPHA_LABEL_NARROW if narrow else ALPHA_LABEL.format(self.name)
            ax.set_xlabel(label)


def _value(alpha: float) -> str:
    return f"α = {'∞' if np.isinf(alpha) else format(alpha, '.3g')}"


def mark_choices(
    axes: "Sequence[Axes]",
    place: PenaltyAxis,
    chosen: float | None,
    alpha_1se: float | None,
    switches: Sequence[float],
    chosen_name: str,
) -> None:
    """Draw the vertical lines of the chosen penalty, the one-standard-error rule and switches."""
    rules: list[tuple[float, str, dict[str, Any]]] = []
    if chosen is not None:
        name = f"{chosen_name} ({_value(chosen)})"
        rules.append((chosen, name, {"color": DATA, "linestyle": "-", "linewidth": 1.1}))
    if alpha_1se is not None:
        style = {"color": DATA, "linestyle": "--", "linewidth": 1.0}
        rules.append((alpha_1se, f"one-standard-error rule ({_value(alpha_1se)})", style))
    for i, alpha in enumerate(switches):
        style = {"color": GREY, "linestyle": ":", "linewidth": 1.1}
        rules.append((alpha, "switch to another minimum" if i == 0 else "_", style))
    for ax in axes:
        for alpha, name, look in rules:
            ax.axvline(float(place(alpha)), label=name, zorder=1.5, **look)
