r"""Long-run variances: kernels, lags, and how many of them the data ask for.

.. math::

    S = \sum_{j=-(n-1)}^{n-1} k(j / b) \sum_t s_t s_{t-j}' .

==========================  =======================================================  ====
``bartlett``                :math:`1 - |z|` up to one (Newey and West, 1987)         q=1
``parzen``                  :math:`1 - 6z^2 + 6|z|^3`, then :math:`2(1 - |z|)^3`     q=2
``quadratic-spectral``      Andrews (1991); all lags count                           q=2
``uniform``                 one up to one; may give a negative variance
==========================  =======================================================  ====

The bandwidth is ``maxlags + 1``, as in statsmodels, or follows a rule. With
:math:`c = 1.1447, 2.6614, 1.3221` the best one is :math:`c (\alpha(q) n)^{1/(2q+1)}`, where
:math:`\alpha(q)` is estimated

- by Newey and West (1994) from autocovariances up to a preliminary lag,
  :math:`\|\sum_j |j|^q \Gamma_j\|^2 / \|\sum_j \Gamma_j\|^2`;
- by Andrews (1991) from first-order autoregressions of the principal components of the scores.

Scores come in coordinates in which the bread is the identity, so that neither units nor the coding
of regressors matter.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import matmul_toeplitz
from statsmodels.stats.sandwich_covariance import weights_bartlett, weights_uniform

from nnecon.exceptions import SpecificationError


def _parzen(lags: int) -> np.ndarray:
    return _parzen_at(np.arange(lags + 1) / (lags + 1.0))


def _parzen_at(share: np.ndarray) -> np.ndarray:
    inner = 1.0 - 6.0 * share**2 + 6.0 * share**3
    return np.where(share <= 0.5, inner, 2.0 * np.maximum(1.0 - share, 0.0) ** 3)


def _quadratic_spectral_at(share: np.ndarray) -> np.ndarray:
    z = 1.2 * np.pi * np.maximum(share, 1e-4)
    return np.where(share < 1e-4, 1.0, 3.0 / z**2 * (np.sin(z) / z - np.cos(z)))


TRUNCATED: dict[str, Callable[[int], np.ndarray]] = {
    "bartlett": weights_bartlett,
    "parzen": _parzen,
    "uniform": weights_uniform,
}
"""Weights of lags zero to ``lags`` at the bandwidth ``lags + 1``."""

KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bartlett": lambda share: np.maximum(1.0 - share, 0.0),
    "parzen": _parzen_at,
    "quadratic-spectral": _quadratic_spectral_at,
    "uniform": lambda share: (share < 1.0).astype(float),
}
"""Weights at lags over the bandwidth."""

ORDER = {"bartlett": 1, "parzen": 2, "quadratic-spectral": 2}
"""The ``q``, from which the best rate of the bandwidth follows."""

CONSTANT = {"bartlett": 1.1447, "parzen": 2.6614, "quadratic-spectral": 1.3221}

PRELIMINARY = {"bartlett": 2.0 / 9.0, "parzen": 4.0 / 25.0, "quadratic-spectral": 2.0 / 25.0}
"""Rates at which the preliminary lag of Newey and West's rule grows."""

RULES = ("newey-west", "andrews")

ROOT = 0.97
"""Largest autoregressive coefficient that Andrews' rule believes (Andrews and Monahan, 1992)."""


def automatic_lags(n_obs: int) -> int:
    """Newey and West's (1994) rule of thumb, ``floor(4 (n / 100)^(2/9))``."""
    return int(np.floor(4.0 * (n_obs / 100.0) ** (2.0 / 9.0)))


def lag_weights(kernel: str, bandwidth: float, n_obs: int) -> np.ndarray:
    """Weights of lags zero, one, ... without zeros at the end, at most ``n_obs``."""
    weights = KERNELS[kernel](np.arange(n_obs) / max(bandwidth, 1e-10))
    weights[0] = 1.0
    return weights[: int(np.flatnonzero(weights)[-1]) + 1]


def long_run_sum(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of autocovariances of ``scores`` (n, k), times n, not centred; (k, k).

    ``weights`` are those of lags zero, one, ...; those beyond the sample do not count.
    """
    n_obs = len(scores)
    if len(weights) > 100:
        column = np.zeros(n_obs)
        column[: min(n_obs, len(weights))] = weights[:n_obs]
        total = scores.T @ matmul_toeplitz(column, scores)
        return 0.5 * (total + total.T)
    total = weights[0] * (scores.T @ scores)
    for lag in range(1, min(len(weights), n_obs)):
        product = scores[lag:].T @ scores[:-lag]
        total += weights[lag] * (product + product.T)
    return total


def best_bandwidth(scores: np.ndarray, kernel: str, rule: str) -> float:
    """Bandwidth for scores (n, k) by ``"newey-west"`` or ``"andrews"``.

    Newey and West's rule gives whole numbers of lags, and one more as bandwidth, but for the
    quadratic-spectral kernel.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).standard_normal((400, 1))
    >>> slow = np.cumsum(noise, axis=0)
    >>> best_bandwidth(noise, "bartlett", "andrews") < best_bandwidth(slow, "bartlett", "andrews")
    True
    """
    if kernel not in ORDER:
        known = ", ".join(map(repr, ORDER))
        raise SpecificationError(
            f"maxlags={rule!r} has no best bandwidth for kernel={kernel!r}; choose one of {known}, "
            "or give a number."
        )
    n_obs, order = len(scores), ORDER[kernel]
    alpha = _newey_west if rule == "newey-west" else _andrews
    width = CONSTANT[kernel] * (alpha(scores, kernel) * n_obs) ** (1.0 / (2 * order + 1))
    if rule == "newey-west" and kernel != "quadratic-spectral":
        width = np.floor(width) + 1.0
    return float(min(width, n_obs))


def _newey_west(scores: np.ndarray, kernel: str) -> float:
    lags = int(np.floor(4.0 * (len(scores) / 100.0) ** PRELIMINARY[kernel]))
    distance = np.arange(min(lags, len(scores) - 1) + 1.0)
    level = long_run_sum(scores, np.ones_like(distance))
    bend = long_run_sum(scores, distance ** ORDER[kernel])
    size = (level**2).sum()
    return float((bend**2).sum() / size) if size > 0.0 else 0.0


def _andrews(scores: np.ndarray, kernel: str) -> float:
    left, sizes, _ = np.linalg.svd(scores, full_matrices=False)
    parts = left * sizes
    before, after = parts[:-1], parts[1:]
    square = (before**2).sum(axis=0)
    moves = square > 0.0
    slope = (before * after).sum(axis=0)[moves] / square[moves]
    slope = np.clip(slope, -ROOT, ROOT)
    noise = ((after[:, moves] - slope * before[:, moves]) ** 2).mean(axis=0) ** 2
    level = (noise / (1.0 - slope) ** 4).sum()
    if level == 0.0:
        return 0.0
    if ORDER[kernel] == 1:
        bend = 4.0 * slope**2 * noise / ((1.0 - slope) ** 6 * (1.0 + slope) ** 2)
    else:
        bend = 4.0 * slope**2 * noise / (1.0 - slope) ** 8
    return float(bend.sum() / level)
