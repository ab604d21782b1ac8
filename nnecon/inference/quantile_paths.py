r"""Quantiles that do not cross, what lies between them, and futures of a quantile autoregression.

Quantiles that are estimated one by one may cross. Sorting them (rearrangement) gives a quantile
function that is never further from the true one, and nearer where they crossed (Chernozhukov,
Fernandez-Val and Galichon, 2010).

An outcome is placed among its quantiles by a score: the levels' normal quantiles
:math:`\Phi^{-1}(\tau_k)` at the quantiles, linear between them, and beyond the outer ones with the
slope from the median to them. A quantile autoregression (Koenker and Xiao, 2006) is simulated by
drawing scores and reading off the outcome,

.. math:: y_t = Q_{t-1}(v_t), \qquad v_t \text{ drawn from the scores of the sample},

those of all series in one period together, so that series stay as dependent as they were.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from nnecon.data.windows import Layout
from nnecon.inference.simulation import Scenario


def rearranged(quantiles: np.ndarray) -> np.ndarray:
    """Quantiles in order along the last axis."""
    return np.sort(quantiles, axis=-1)


def scores_of(values: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Scores of outcomes, in units of a standard normal variable.

    Parameters
    ----------
    values : ndarray of shape (...)
        Outcomes.
    quantiles : ndarray of shape (..., k)
        Their quantiles, in order.
    levels : ndarray of shape (k,)
        Levels, in order, 0.5 among them.

    Examples
    --------
    >>> levels = np.array([0.05, 0.5, 0.95])
    >>> quantiles = np.array([[-1.0, 0.0, 1.0]])
    >>> stats.norm.cdf(scores_of(np.array([1.0]), quantiles, levels)).round(2).tolist()
    [0.95]
    """
    knots = stats.norm.ppf(levels)
    low = np.clip((quantiles <= values[..., None]).sum(axis=-1) - 1, 0, len(levels) - 2)
    left, right = _at(quantiles, low), _at(quantiles, low + 1)
    inner = _share(values - left, right - left)
    found = knots[low] + np.clip(inner, 0.0, 1.0) * (knots[low + 1] - knots[low])
    below, above = _slopes(quantiles, levels, knots)
    under, over = quantiles[..., 0] - values, values - quantiles[..., -1]
    found = np.where(under > 0, knots[0] - _share(under, below), found)
    return np.where(over > 0, knots[-1] + _share(over, above), found)


def values_of(scores: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Outcomes that have given scores: the inverse of :func:`scores_of`.

    Parameters
    ----------
    scores : ndarray of shape (...)
        Scores.
    quantiles, levels
        As in :func:`scores_of`.
    """
    knots = stats.norm.ppf(levels)
    low = np.clip(np.searchsorted(knots, scores, side="right") - 1, 0, len(levels) - 2)
    share = np.clip((scores - knots[low]) / (knots[low + 1] - knots[low]), 0.0, 1.0)
    left, right = _at(quantiles, low), _at(quantiles, low + 1)
    below, above = _slopes(quantiles, levels, knots)
    found = left + share * (right - left)
    found = found - np.maximum(knots[0] - scores, 0.0) * below
    return found + np.maximum(scores - knots[-1], 0.0) * above


def quantile_paths(
    layout: Layout,
    periods: Scenario,
    drawn: np.ndarray,
    levels: np.ndarray,
    quantiles: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Futures of all series, shape (paths, h, m).

    Where values are imposed, the scores of the other series in that period are those given the
    imposed ones, by the gains of ``periods``.

    Parameters
    ----------
    layout : Layout
        What a row is made of.
    periods : Scenario
        What is known about the h periods.
    drawn : ndarray of shape (paths, h, m)
        Scores.
    levels : ndarray of shape (k,)
        Levels of the quantiles.
    quantiles : callable
        From rows (paths, r), NaN where the data do not reach, to quantiles (paths, m, k) in order.
    """
    lags, series = layout.sources()
    places = np.where(lags > 0, layout.reach - lags, 0)
    past = np.broadcast_to(periods.buffer, (len(drawn), *periods.buffer.shape[-2:]))
    found = []
    for step in range(drawn.shape[1]):
        raw = np.where(lags > 0, past[:, places, series], periods.templates[step])
        table = quantiles(raw)
        given, scores = periods.imposed[step], drawn[:, step]
        if np.isfinite(given).any():
            known = np.broadcast_to(np.nan_to_num(given), scores.shape)
            surprise = scores_of(known, table, levels) - scores
            scores = scores + np.where(np.isfinite(given), surprise, 0.0) @ periods.gains[step].T
        new = values_of(scores, table, levels)
        new = np.where(np.isfinite(given), given, new)
        past = np.concatenate([past[:, 1:], new[:, None]], axis=1)
        found.append(new)
    return np.stack(found, axis=1)


def _at(quantiles: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.take_along_axis(quantiles, place[..., None], axis=-1)[..., 0]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``; zero where quantiles coincide."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def _slopes(
    quantiles: np.ndarray, levels: np.ndarray, knots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outcome by score from the median to the outer quantiles, below and above."""
    middle = int(np.flatnonzero(levels == 0.5)[0])
    centre = quantiles[..., middle]
    return (
        (centre - quantiles[..., 0]) / -knots[0],
        (quantiles[..., -1] - centre) / knots[-1],
    )
