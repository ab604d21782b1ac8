"""Direct forecasts on arrays: one regression for each horizon on what is known at the origin."""

from dataclasses import dataclass

import numpy as np

from nnecon.exceptions import DataError


@dataclass(frozen=True, slots=True, eq=False)
class DirectForecasts:
    """Forecasts of one target.

    Attributes
    ----------
    mean, se, df : ndarray of shape (steps,)
        Forecasts, standard errors for a new observation, degrees of freedom of their t
        distribution.
    """

    mean: np.ndarray
    se: np.ndarray
    df: np.ndarray


def lagged(values: np.ndarray, lags: int) -> np.ndarray:
    """Columns (T, m * lags) of values (T, m) of the same period and those before, NaN at first."""
    blocks = []
    for lag in range(lags):
        moved = np.full_like(values, np.nan)
        moved[lag:] = values[: len(values) - lag]
        blocks.append(moved)
    return np.concatenate(blocks, axis=1)


def direct_forecasts(
    target: np.ndarray, regressors: np.ndarray, steps: int, name: str = "the target"
) -> DirectForecasts:
    r"""Regress :math:`y_{t+h}` on :math:`x_t` for each h and forecast from the last known row.

    Parameters
    ----------
    target : ndarray of shape (T,)
        NaN where missing.
    regressors : ndarray of shape (T, p)
        What is known at t, a constant included; rows with missing values are left out. Where the
        last rows have missing values, horizons count from the last complete row.
    steps : int
        Forecasts are for periods T, ..., T + steps - 1.
    name : str
        What the target is called in errors.

    Returns
    -------
    DirectForecasts
        Standard errors are those of homoskedastic least squares for a new observation. Errors of
        longer horizons overlap, so that the part that stands for the estimation of coefficients
        is approximate.
    """
    whole = np.flatnonzero(np.isfinite(regressors).all(axis=1))
    if not len(whole):
        raise DataError(f"no period has all regressors of {name}; give fewer lags.")
    origin, n, p = int(whole[-1]), len(target), regressors.shape[1]
    mean, se, df = np.empty(steps), np.empty(steps), np.empty(steps)
    for step in range(steps):
        ahead = n - 1 - origin + step + 1
        rows = whole[whole + ahead < n]
        rows = rows[np.isfinite(target[rows + ahead])]
        if len(rows) <= p:
            raise DataError(
                f"{name}: {len(rows)} periods are too few for {p} coefficients at horizon "
                f"{step + 1}; give a longer sample, fewer factors or fewer lags."
            )
        found = new_observation(regressors[rows], target[rows + ahead], regressors[origin], name)
        mean[step], se[step], df[step] = found
    return DirectForecasts(mean, se, df)


def new_observation(
    x: np.ndarray, y: np.ndarray, new: np.ndarray, name: str
) -> tuple[float, float, int]:
    """Least squares of y (n,) on x (n, p): forecast at ``new`` (p,), standard error, df."""
    q, r = np.linalg.qr(x)
    _check_rank(r, name)
    coefficients = np.linalg.solve(r, q.T @ y)
    df = len(x) - x.shape[1]
    variance = float(np.sum((y - x @ coefficients) ** 2)) / df
    leverage = float(np.sum(np.linalg.solve(r.T, new) ** 2))
    return float(new @ coefficients), float(np.sqrt(variance * (1.0 + leverage))), df


def _check_rank(r: np.ndarray, name: str) -> None:
    pivots = np.abs(np.diag(r))
    if pivots.min() <= 1e-10 * pivots.max():
        raise DataError(
            f"the regressors of {name} are linear combinations of each other; give fewer lags or "
            "factors."
        )
