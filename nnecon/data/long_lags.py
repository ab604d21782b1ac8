r"""Own lags beyond the order of a vector autoregression, shrunk to zero (Litterman, 1986).

An information criterion charges a vector autoregression for lags of all series, and stops long
before a single series has forgotten its past. Beyond the order p, an equation may go on with lags
of its own series,

.. math:: y_{it} = \dots + \sum_{l=p+1}^{P} b_l\, y_{i,t-l} + u_{it}, \qquad
    b_l \sim N\!\left(0, \frac{\lambda^2}{l^2} \frac{\sigma_i^2}{s_i^2}\right),

with :math:`s_i` the residual standard deviation of the equation without them and flat priors on
everything else. The marginal likelihood, relative to that of :math:`\lambda = 0`, is

.. math:: B(\lambda) = |I + Z'Z|^{-1/2} (q / e'e)^{-(n - k)/2},

with e the residuals without long lags, Z the long lags times :math:`\lambda / (l s_i)` after the
k other regressors are partialled out, and q the penalised sum of squares. It chooses
:math:`\lambda` (Giannone, Lenza and Primiceri, 2015), and whether an equation has long lags at all:
where :math:`\log B` is at least 5, evidence that Kass and Raftery (1995) call very strong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from nnecon.data.windows import Layout, windows

VERY_STRONG = 5.0
"""Log of the Bayes factor from which an equation has long lags."""

TIGHTEST, LOOSEST = 0.01, 2.0
"""Ends of the tightness that is tried: prior standard deviation of the coefficient of lag l, times
l, of a series whose residuals have variance one."""


@dataclass(frozen=True, slots=True, eq=False)
class LongLags:
    """Long lags of a system.

    Parameters
    ----------
    order : int
        Order of the autoregression, p, whose lags are not shrunk.
    longest : int
        Longest own lag, P.
    tightness : dict
        By position of the series; series without long lags are not there.
    coefs : ndarray of shape (P - p, m)
        Coefficients of own lags p + 1 to P, zero where there are none.
    edf : ndarray of shape (m,)
        Effective degrees of freedom that they take.
    """

    order: int
    longest: int
    tightness: Mapping[int, float]
    coefs: np.ndarray
    edf: np.ndarray

    def table(self, layout: Layout) -> np.ndarray:
        """The coefficients among those (n_linear, m) of all linear regressors of a layout."""
        found = np.zeros((layout.n_linear, layout.n_series))
        for at, series in np.ndindex(self.coefs.shape):
            column = layout.linear_column(series, self.order + 1 + at)
            assert column is not None
            found[column, series] = self.coefs[at, series]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Long lags of one equation, which stay as they are while everything else is estimated.

    ``coefs`` (p,) of all linear regressors, ``values`` (n,) of them on the rows of the sample, and
    ``edf``.
    """

    coefs: np.ndarray
    values: np.ndarray
    edf: float


def choose_long_lags(
    endog: np.ndarray,
    known: np.ndarray,
    order: int,
    longest: int,
    first: int = 0,
    *,
    threshold: float = VERY_STRONG,
    tightness: Mapping[int, float] | None = None,
) -> LongLags | None:
    """Long lags of all equations for which the evidence is strong enough; None where of none.

    Parameters
    ----------
    endog, known, first
        As in :func:`nnecon.data.windows.windows`.
    order, longest : int
        Order of the autoregression, and longest own lag.
    threshold : float
        Least log of the Bayes factor.
    tightness : mapping, optional
        Equations that have long lags by position, with their tightness, when it is not to be
        chosen.

    Examples
    --------
    >>> y = np.random.default_rng(0).standard_normal((300, 2))
    >>> for t in range(6, 300):
    ...     y[t, 0] += 0.3 * (y[t - 1, 0] + y[t - 3, 0] - y[t - 6, 0])
    >>> found = choose_long_lags(y, np.zeros((300, 0)), 1, 6)
    >>> [*found.tightness], found.coefs[:, 0].round(1).tolist()
    ([0], [0.1, 0.2, -0.0, -0.0, -0.2])
    """
    m = endog.shape[1]
    layout = Layout(m, known.shape[1], tuple(range(1, longest + 1)))
    sample = windows(layout, endog, known, first)
    lag, series = (part[: layout.n_linear] for part in layout.sources())
    free = np.linalg.qr(sample.linear[:, lag <= order])[0]
    coefs, edf, chosen = np.zeros((longest - order, m)), np.zeros(m), {}
    for at in range(m):
        if tightness is not None and at not in tightness:
            continue
        own = (lag > order) & (series == at)
        found = _Equation.of(free, sample.linear[:, own], lag[own], sample.target[:, at])
        best = found.best() if tightness is None else tightness[at]
        if tightness is None and found.log_bayes_factor(best) < threshold:
            continue
        coefs[:, at], edf[at] = found.coefficients(best)
        chosen[at] = best
    return LongLags(order, longest, chosen, coefs, edf) if chosen else None


@dataclass(frozen=True, slots=True, eq=False)
class _Equation:
    """Residuals without long lags, in units of their standard deviation, and long lags.

    ``target`` (n,); ``regressors`` (n, q), after the other regressors are partialled out, over lag
    and ``scale``; ``left`` rows less other regressors.
    """

    target: np.ndarray
    regressors: np.ndarray
    lags: np.ndarray
    scale: float
    left: int

    @classmethod
    def of(
        cls, free: np.ndarray, long: np.ndarray, lags: np.ndarray, target: np.ndarray
    ) -> "_Equation":
        """From a basis (n, k) of the other regressors."""
        resid, rest = target - free @ (free.T @ target), long - free @ (free.T @ long)
        left = len(target) - free.shape[1]
        scale = float(np.sqrt(resid @ resid / left))
        return cls(resid / scale, rest / (lags * scale), lags, scale, left)

    def _solved(self, tightness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scaled = tightness * self.regressors
        gram = scaled.T @ scaled
        values, turn = np.linalg.eigh(gram)
        return values, turn, turn.T @ (scaled.T @ self.target)

    def log_bayes_factor(self, tightness: float) -> float:
        """Log of the marginal likelihood, relative to that without long lags."""
        values, _, right = self._solved(tightness)
        total = self.target @ self.target
        rest = total - right @ (right / (1.0 + values))
        return float(-0.5 * np.log1p(values).sum() - 0.5 * self.left * np.log(rest / total))

    def best(self) -> float:
        """Tightness with the largest marginal likelihood."""
        ends = np.log([TIGHTEST, LOOSEST])
        found = minimize_scalar(
            lambda at: -self.log_bayes_factor(np.exp(at)), bounds=ends, method="bounded"
        )
        return float(np.exp(found.x))

    def coefficients(self, tightness: float) -> tuple[np.ndarray, float]:
        """Posterior means (q,) in the units of the series, and effective degrees of freedom."""
        values, turn, right = self._solved(tightness)
        means = tightness * (turn @ (right / (1.0 + values))) / self.lags
        return means, float((values / (1.0 + values)).sum())
