r"""Percentile and basic intervals from bootstrap draws.

With draws :math:`f_b(x)` around the estimate :math:`f(x)`, the percentile interval runs between
quantiles of :math:`f_b(x)`, the basic one between those of :math:`2 f(x) - f_b(x)` (Davison and
Hinkley, 1997, chapter 5). A new observation adds a residual, drawn with replacement and widened by
:math:`\sqrt{n / (n - edf)}` for the degrees of freedom that the fit has used.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.inference.bootstrap import bootstrap_interval

BLOCK = 2**22
"""Numbers held at once."""

LEAST = 4000
"""Disturbances that are drawn, at least: several a draw of the estimate where these are few."""


@dataclass(frozen=True, slots=True, eq=False)
class BootstrapBand:
    """Bootstrap intervals at given rows, for any level.

    Parameters
    ----------
    estimate : ndarray of shape (m,)
        The estimated function.
    draws : ndarray of shape (B, m)
        The same of every draw.
    noise : ndarray of shape (B, r)
        Disturbances of weight one for every draw.
    spread : ndarray of shape (m,)
        Known spread of the disturbance.
    basic : bool
        Basic intervals instead of percentiles.
    """

    estimate: np.ndarray
    draws: np.ndarray
    noise: np.ndarray
    spread: np.ndarray
    basic: bool

    @property
    def least_alpha(self) -> float:
        """Levels beyond this would lie outside of the draws."""
        return 2.0 / (len(self.draws) + 1.0)

    def mean_bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (m,) for the mean."""
        method = "basic" if self.basic else "percentile"
        return bootstrap_interval(self.estimate, self.draws, alpha, method)

    def bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (m,) for a new observation."""
        many = len(self.estimate)
        lower, upper = np.empty(many), np.empty(many)
        step = max(1, BLOCK // self.noise.size)
        for first in range(0, many, step):
            at = slice(first, first + step)
            moves = self._moves(at)[:, None] + self.noise[:, :, None] * self.spread[at]
            levels = [alpha / 2.0, 1.0 - alpha / 2.0]
            lower[at], upper[at] = np.quantile(moves.reshape(self.noise.size, -1), levels, axis=0)
        return self.estimate + lower, self.estimate + upper

    def _moves(self, at: slice) -> np.ndarray:
        moves = self.draws[:, at] - self.estimate[at]
        return -moves if self.basic else moves


def draw_noise(
    residual: np.ndarray, df_resid: float, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Disturbances (B, r) from residuals (n,) of rows with weight one."""
    centred = residual - residual.mean()
    widened = centred * np.sqrt(len(residual) / df_resid)
    return rng.choice(widened, (draws, -(-LEAST // draws)))
