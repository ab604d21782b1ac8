r"""Windows: rows that a forecaster is estimated on, from series in order of time.

A row for the period :math:`t` holds what is known when :math:`t` is forecast,

.. math:: [\, 1, x_t, y_{t-l_1}, \dots, y_{t-l_p} \mid z_t \,],

the linear regressors of a vector autoregression (constant, known regressors :math:`x`, lags of all
series :math:`y`), and what the network sees. A sequence network sees the last :math:`T` periods,
the oldest first, each as :math:`[y_{t-j}, x_{t-j+1}, 1]`; a feed-forward network sees some lags and
:math:`x_t`. The sample begins where the linear lags exist, so that it is that of the
autoregression. Windows that reach before the data are filled with means, and the last number of a
period is then zero; lags of a feed-forward network that reach there are at their means, too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnecon.data.scaling import Scaling

COSTS: dict[str, Callable[[int], float]] = {
    "aic": lambda n: 2.0,
    "bic": lambda n: float(np.log(n)),
    "hqic": lambda n: float(2.0 * np.log(np.log(n))),
}
"""What a coefficient costs in an information criterion, by the number of rows."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which numbers of the past make up a row.

    Parameters
    ----------
    n_series : int
        Targets and predictors, m.
    n_known : int
        Known regressors, k, calendar terms included.
    lags : tuple of int
        Lags of the linear part, ascending; ``()`` leaves the constant and known regressors.
    window : int
        Periods that a sequence network sees; 0 for a feed-forward network.
    network_lags : tuple of int
        Lags that a feed-forward network sees.
    network_known : tuple of int
        Positions of the known regressors that the network sees; a trend is for the linear part
        alone.
    known_linear : bool
        Whether known regressors enter linearly.
    """

    n_series: int
    n_known: int
    lags: tuple[int, ...]
    window: int = 0
    network_lags: tuple[int, ...] = ()
    network_known: tuple[int, ...] = ()
    known_linear: bool = True

    @property
    def reach(self) -> int:
        """Periods of history that a row needs at most."""
        return max([1, self.window, *self.lags, *self.network_lags])

    @property
    def n_linear(self) -> int:
        """Linear regressors, the constant included."""
        known = self.n_known if self.known_linear else 0
        return 1 + known + len(self.lags) * self.n_series

    @property
    def per_period(self) -> int:
        """Numbers a period that a sequence network sees, without the mask."""
        return self.n_series + len(self.network_known)

    @property
    def n_network(self) -> int:
        """Numbers that the network sees."""
        if self.window:
            return self.window * (self.per_period + 1)
        if not self.network_lags:
            return 0
        return len(self.network_lags) * self.n_series + len(self.network_known)

    @property
    def effect_lags(self) -> tuple[int, ...]:
        """All lags that enter the row, ascending."""
        seen = range(1, self.window + 1) if self.window else self.network_lags
        return tuple(sorted({*self.lags, *seen}))

    def linear_column(self, series: int, lag: int) -> int | None:
        """Position of a lag among the linear regressors, None where it is not there."""
        if lag not in self.lags:
            return None
        known = self.n_known if self.known_linear else 0
        return 1 + known + self.lags.index(lag) * self.n_series + series

    def network_column(self, series: int, lag: int) -> int | None:
        """Position of a lag among all numbers of the row, None where the network does not see it.

        The oldest period of a window comes first.
        """
        if self.window:
            if lag > self.window:
                return None
            return self.n_linear + (self.window - lag) * (self.per_period + 1) + series
        if lag not in self.network_lags:
            return None
        return self.n_linear + self.network_lags.index(lag) * self.n_series + series

    def sources(self) -> tuple[np.ndarray, np.ndarray]:
        """Lag and series of each number of a row, shapes (r,); the lag is 0 where it is no lag."""
        r = self.n_linear + self.n_network
        lags, series = np.zeros(r, dtype=int), np.zeros(r, dtype=int)
        for lag in self.effect_lags:
            for at in range(self.n_series):
                for column in (self.linear_column(at, lag), self.network_column(at, lag)):
                    if column is not None:
                        lags[column], series[column] = lag, at
        return lags, series


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Rows of the sample, in the units of the data.

    Parameters
    ----------
    layout : Layout
        What a row is made of.
    rows : ndarray of shape (n, r)
        Linear regressors and network inputs; NaN where the network's window has no value.
    target : ndarray of shape (n, m)
        The series that are explained, at the row's period or ``lead`` periods later.
    positions : ndarray of int of shape (n,)
        Periods of the rows, counted from the first of the data.
    """

    layout: Layout
    rows: np.ndarray
    target: np.ndarray
    positions: np.ndarray

    @property
    def linear(self) -> np.ndarray:
        """Linear regressors, shape (n, p)."""
        return self.rows[:, : self.layout.n_linear]


def linear_names(layout: Layout, series: tuple[str, ...], known: tuple[str, ...]) -> list[str]:
    """Names of the linear regressors, as statsmodels' VAR has them: ``const``, ``L1.growth``."""
    extra = list(known) if layout.known_linear else []
    return ["const", *extra, *(f"L{lag}.{name}" for lag in layout.lags for name in series)]


def raw_rows(
    layout: Layout, endog: np.ndarray, known: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """Rows for some periods, whose own values of ``endog`` do not enter.

    Parameters
    ----------
    layout : Layout
        What a row is made of.
    endog : ndarray of shape (n, m)
        Series; NaN where there is no value.
    known : ndarray of shape (n or more, k)
        Known regressors.
    positions : ndarray of int of shape (p,)
        Periods, at most n.

    Returns
    -------
    ndarray of shape (p, r)
        NaN where a value is missing.
    """
    past = _Past(endog, known)
    linear = [np.ones((len(positions), 1))]
    if layout.known_linear:
        linear.append(past.known_at(positions))
    linear += [past.endog_at(positions - lag) for lag in layout.lags]
    seen: list[np.ndarray] = []
    picked = np.array(layout.network_known, dtype=int)
    for lag in range(layout.window, 0, -1):
        values = past.endog_at(positions - lag)
        there = np.isfinite(values).any(axis=1, keepdims=True).astype(float)
        seen += [values, past.known_at(positions - lag + 1)[:, picked], there]
    if not layout.window and layout.network_lags:
        seen += [past.endog_at(positions - lag) for lag in layout.network_lags]
        seen.append(past.known_at(positions)[:, picked])
    return np.concatenate([*linear, *seen], axis=1)


class _Past:
    """Values by period, NaN before the first and after the last."""

    def __init__(self, endog: np.ndarray, known: np.ndarray) -> None:
        self.endog, self.known = endog, known

    def endog_at(self, positions: np.ndarray) -> np.ndarray:
        return _at(self.endog, positions)

    def known_at(self, positions: np.ndarray) -> np.ndarray:
        return _at(self.known, positions)


def _at(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    inside = (positions >= 0) & (positions < len(values))
    found = values[np.where(inside, positions, 0)].astype(float)
    found[~inside] = np.nan
    return found


def windows(
    layout: Layout,
    endog: np.ndarray,
    known: np.ndarray,
    first: int = 0,
    *,
    lead: int = 0,
    targets: int | None = None,
) -> Windows:
    """Rows of all periods whose targets and linear regressors are there.

    Parameters
    ----------
    layout : Layout
        What a row is made of.
    endog : ndarray of shape (n, m)
        Targets and predictors.
    known : ndarray of shape (n, k)
        Known regressors.
    first : int
        First period that may be a row; earlier ones give lags only.
    lead : int
        Periods from the row to the one that is explained, for direct forecasts: known regressors
        are those of the period explained.
    targets : int, optional
        Series that are explained, the first ones; all by default.
    """
    positions = np.arange(first, max(len(endog) - lead, first))
    rows = raw_rows(layout, endog, known[lead:], positions)
    target = endog[positions + lead, :targets]
    whole = np.isfinite(target).all(axis=1) & np.isfinite(rows[:, : layout.n_linear]).all(axis=1)
    if not layout.window and layout.network_lags:
        before = positions[:, None] < layout.sources()[0]
        whole &= (np.isfinite(rows) | before).all(axis=1)
    return Windows(layout, rows[whole], target[whole], positions[whole])


def scalings(sample: Windows) -> tuple[Scaling, ...]:
    """Standardisation of the rows, one a series since each has its own target.

    Linear regressors have mean zero and variance one over the rows. A series has the same location
    and scale in all periods of the window, those of its last period.
    """
    layout, n = sample.layout, len(sample.rows)
    p, r = layout.n_linear, sample.rows.shape[1]
    mean, scale = np.zeros(r), np.ones(r)
    own = slice(0, p if layout.window else r)
    mean[own] = np.nanmean(sample.rows[:, own], axis=0)
    scale[own] = np.nanstd(sample.rows[:, own], axis=0)
    mean[0], scale[0] = 0.0, 1.0
    where = np.arange(r)
    if layout.window:
        # location and scale come from the last period of each window
        step = layout.per_period + 1
        where[p:] = r - step + (np.arange(r - p) % step)
        values = sample.rows[:, r - step :]
        mean[r - step :] = np.nanmean(values, axis=0)
        scale[r - step :] = np.nanstd(values, axis=0)
        mean[r - 1], scale[r - 1] = 0.0, 1.0
    mean, scale = mean[where], scale[where]
    flat = scale <= 1e-12 * np.sqrt(mean**2 + scale**2)
    scale = np.where(flat, np.where(np.abs(mean) > 0, np.abs(mean), 1.0), scale)
    common = (
        np.arange(p), np.arange(p, r), mean[:p], scale[:p], mean[p:], scale[p:],
    )  # fmt: skip
    made = []
    for target in sample.target.T:
        spread = float(target.std())
        made.append(Scaling(*common, float(target.mean()), spread if spread > 0 else 1.0, 0))
    assert n
    return tuple(made)


def standard_rows(scaling: Scaling, rows: np.ndarray) -> np.ndarray:
    """Standardised rows; what is missing in a window is at its mean."""
    return np.nan_to_num(scaling.rows(rows), nan=0.0)


def choose_lags(
    endog: np.ndarray, known: np.ndarray, most: int, criterion: str, first: int = 0
) -> int:
    r"""Order of the vector autoregression with the least information criterion.

    All orders are compared on the rows of the largest,
    :math:`\log|\hat\Sigma| + c\, k / n` with :math:`c = 2` or :math:`\log n` and k coefficients
    (Luetkepohl, 2005, section 4.3).

    Parameters
    ----------
    endog, known, first
        As in :func:`windows`.
    most : int
        Largest order.
    criterion : {"aic", "bic", "hqic"}
        Which criterion.
    """
    m, k = endog.shape[1], known.shape[1]
    sample = windows(Layout(m, k, tuple(range(1, most + 1))), endog, known, first)
    n = len(sample.rows)
    cost = COSTS[criterion](n)
    values = []
    for order in range(1, most + 1):
        linear = sample.linear[:, : 1 + k + order * m]
        resid = sample.target - linear @ np.linalg.lstsq(linear, sample.target, rcond=None)[0]
        _, determinant = np.linalg.slogdet(resid.T @ resid / n)
        values.append(determinant + cost * linear.shape[1] * m / n)
    return int(np.argmin(values)) + 1


def choose_lags_by_equation(
    endog: np.ndarray, known: np.ndarray, most: int, criterion: str, first: int = 0
) -> tuple[tuple[int, int], ...]:
    r"""Lags of each equation with the least information criterion: own ones, and of the others.

    All combinations of 1 to ``most`` own lags and 0 to ``most`` lags of all other series are
    compared on the same rows, equation by equation: :math:`\log\hat\sigma_i^2 + c\, k_i / n`
    (Hsiao, 1981, does so in steps).

    Parameters
    ----------
    endog, known, most, criterion, first
        As in :func:`choose_lags`.

    Returns
    -------
    tuple of (int, int)
        Own lags and lags of the others, one pair a series.

    Examples
    --------
    >>> g = np.random.default_rng(0)
    >>> y = np.zeros((300, 2))
    >>> for t in range(2, 300):
    ...     e = g.standard_normal(2)
    ...     y[t] = 0.6 * y[t - 2, 0] + e[0], 0.3 * y[t - 1, 1] + 0.5 * y[t - 1, 0] + e[1]
    >>> choose_lags_by_equation(y, np.zeros((300, 0)), 4, "bic")
    ((2, 0), (1, 1))
    """
    m, k = endog.shape[1], known.shape[1]
    sample = windows(Layout(m, k, tuple(range(1, most + 1))), endog, known, first)
    n, p = sample.linear.shape
    cost = COSTS[criterion](n)
    # sums of squares of all regressions are in one triangle
    triangle = np.linalg.qr(np.column_stack([sample.linear, sample.target]))[1]
    lag = np.r_[np.zeros(1 + k, dtype=int), np.repeat(np.arange(1, most + 1), m)]
    series = np.r_[np.full(1 + k, -1), np.tile(np.arange(m), most)]
    chosen = []
    values: dict[tuple[int, int], float]
    for at in range(m):
        target, values = triangle[:, p + at], {}
        for own in range(1, most + 1):
            for others in range((most if m > 1 else 0) + 1):
                linear = triangle[:, :p][:, lag <= np.where(series == at, own, others)]
                resid = target - linear @ np.linalg.lstsq(linear, target, rcond=None)[0]
                values[own, others] = np.log(resid @ resid / n) + cost * linear.shape[1] / n
        chosen.append(min(values, key=values.__getitem__))
    return tuple(chosen)
