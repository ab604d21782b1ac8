r"""Conformal intervals for new observations, from residuals of rows that were left out.

Part s(i) of the rows, to which row i belongs, is left out of the estimate :math:`f_{-s(i)}`. With
scores :math:`R_i = |y_i - f_{-s(i)}(x_i)| / \sigma_{-s(i)}(x_i)`, the interval at x runs from the
:math:`\lfloor \alpha (c + 1) \rfloor`-th smallest of
:math:`f_{-s(i)}(x) - R_i\, \sigma_{-s(i)}(x)` to the
:math:`\lceil (1 - \alpha)(c + 1) \rceil`-th smallest of
:math:`f_{-s(i)}(x) + R_i\, \sigma_{-s(i)}(x)`, over the c rows that have scores. With one part
that is the split conformal interval (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, 2018), with a
few the CV+, and with one for each row the jackknife+ (Barber, Candes, Ramdas and Tibshirani, 2021).
:math:`\sigma` is one, the root of a known variance, or an estimate (Lei et al., section 5.2).

For time series the estimates are those of block-bootstrap draws, the one for row i is the mean
over draws that do not contain it, and the interval is symmetric around their mean (EnbPI: Xu and
Xie, 2021).

No interval says anything about the mean: what covers is the new observation.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.kernels import fitted_many
from nnecon.inference.intervals.local_scale import LocalScale
from nnecon.nets import Network

BLOCK = 2**22
"""Numbers held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class PlusBand:
    """Split, CV+ and jackknife+ intervals at given rows, for any level.

    Parameters
    ----------
    network : Network
        The network, an ensemble's mean included.
    params : ndarray of shape (s, k)
        Estimates that leave out each part.
    part : ndarray of int of shape (c,)
        The part that each scored row belongs to.
    score : ndarray of shape (c,)
        Scores.
    rows : ndarray of shape (m, r)
        Where the intervals are wanted.
    spread : ndarray of shape (m,)
        Known part of the spread there, the root of the variance relative to other rows.
    local : LocalScale, optional
        Estimated part of the spread, by each of the s estimates.
    """

    network: Network
    params: np.ndarray
    part: np.ndarray
    score: np.ndarray
    rows: np.ndarray
    spread: np.ndarray
    local: LocalScale | None = None

    @property
    def least_alpha(self) -> float:
        """Smallest alpha with finite intervals."""
        return 1.0 / (len(self.score) + 1.0)

    def bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (m,), in the coordinates of the network; infinite below
        ``least_alpha``.
        """
        count, many = len(self.score), len(self.rows)
        low, high = ranks(count, alpha)
        lower, upper = np.full(many, -np.inf), np.full(many, np.inf)
        if low < 1:
            return lower, upper
        step = max(1, BLOCK // max(count, len(self.params)))
        for first in range(0, many, step):
            at = slice(first, first + step)
            values = fitted_many(self.network, self.params, self.rows[at])
            width = np.broadcast_to(self.spread[at], values.shape)
            if self.local is not None:
                width = width * self.local.at(self.rows[at])
            centre, reach = values[self.part], self.score[:, None] * width[self.part]
            lower[at] = np.partition(centre - reach, low - 1, axis=0)[low - 1]
            upper[at] = np.partition(centre + reach, high - 1, axis=0)[high - 1]
        return lower, upper


@dataclass(frozen=True, slots=True, eq=False)
class SeriesBand:
    """EnbPI intervals at given rows, for any level.

    Parameters
    ----------
    network : Network
        The network, an ensemble's mean included.
    params : ndarray of shape (B, k)
        Estimates of the draws.
    share : ndarray of shape (B,)
        Weight of each draw in the mean over the sample's rows of their predictors.
    score : ndarray of shape (c,)
        Absolute residuals of the rows that some draw leaves out, over their known spread.
    rows : ndarray of shape (m, r)
        Where the intervals are wanted.
    spread : ndarray of shape (m,)
        Known spread there.
    """

    network: Network
    params: np.ndarray
    share: np.ndarray
    score: np.ndarray
    rows: np.ndarray
    spread: np.ndarray

    @property
    def least_alpha(self) -> float:
        """Smallest alpha with finite intervals."""
        return 1.0 / (len(self.score) + 1.0)

    def bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (m,), in the coordinates of the network; infinite below
        ``least_alpha``.
        """
        many = len(self.rows)
        low, high = ranks(len(self.score), alpha)
        if low < 1:
            return np.full(many, -np.inf), np.full(many, np.inf)
        centre = np.empty(many)
        step = max(1, BLOCK // len(self.params))
        for first in range(0, many, step):
            at = slice(first, first + step)
            centre[at] = self.share @ fitted_many(self.network, self.params, self.rows[at])
        reach = np.partition(self.score, high - 1)[high - 1] * self.spread
        return centre - reach, centre + reach


def ranks(count: int, alpha: float) -> tuple[int, int]:
    """Ranks, from one, of the lower bound and of the upper bound among ``count`` numbers.

    A lower rank of zero stands for an infinite interval.

    Examples
    --------
    >>> ranks(19, 0.1), ranks(19, 0.05), ranks(19, 0.04)
    ((2, 18), (1, 19), (0, 20))
    """
    # .29 * 100 is a little less than 29
    low = int(np.floor(alpha * (count + 1.0) + 1e-9))
    return low, count + 1 - low
