"""Long-run covariance of a mean, for tests on autocorrelated losses."""

import numpy as np

from nnecon.exceptions import SpecificationError
from nnecon.inference.long_run import TRUNCATED, automatic_lags, long_run_sum

KERNELS = TRUNCATED
"""Weights of the lags; ``uniform``, the truncated kernel, may give a negative variance."""


def chosen_lags(lags: int | str | None, horizon: int, size: int) -> int:
    """Lags of a long-run variance: ``horizon - 1`` for None, a rule of thumb for ``"auto"``.

    Raises
    ------
    SpecificationError
        If ``horizon`` or ``lags`` is no number of periods.
    """
    if not _is_count(horizon) or horizon < 1 or horizon >= size:
        raise SpecificationError(
            f"horizon={horizon!r}: give the forecast horizon in periods, at least 1 and less than "
            f"the {size} observations."
        )
    if lags is None:
        return int(horizon) - 1
    if lags == "auto":
        return max(automatic_lags(size), int(horizon) - 1)
    if not _is_count(lags) or int(lags) < 0:
        raise SpecificationError(
            f"lags={lags!r}: give a number of lags, 'auto' for Newey and West's rule of thumb, or "
            "None for the horizon less one."
        )
    return min(int(lags), size - 1)


def covariance_of_mean(
    values: np.ndarray, lags: int | str | None, horizon: int, kernel: str | None = None
) -> np.ndarray:
    """Long-run covariance of the mean of ``values`` (n, k), shape (k, k); values are not centred.

    Without a ``kernel``, forecasts h steps ahead (``lags=None``) get uniform weights on h - 1 lags,
    beyond which errors of optimal forecasts are not correlated, unless the result is not positive
    definite; in all other cases weights are Bartlett's.

    Raises
    ------
    SpecificationError
        If kernel, lags or horizon make no sense.
    """
    if kernel is not None and kernel not in KERNELS:
        raise SpecificationError(f"kernel={kernel!r} is not known; choose one of {tuple(KERNELS)}.")
    count = chosen_lags(lags, horizon, len(values))
    if kernel is None and lags is None:
        uniform = _covariance(values, count, "uniform")
        if is_positive(uniform):
            return uniform
    return _covariance(values, count, kernel or "bartlett")


def is_positive(covariance: np.ndarray) -> bool:
    """Whether a covariance is positive definite to rounding errors."""
    values = np.linalg.eigvalsh(covariance)
    return bool(values[0] > 1e-10 * values[-1] and values[0] > 0.0)


def _covariance(values: np.ndarray, lags: int, kernel: str) -> np.ndarray:
    table = values.reshape(len(values), -1)
    return long_run_sum(table, KERNELS[kernel](lags)) / len(values) ** 2


def _is_count(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
