r"""Smoothed states: the distribution of the state given all observations, by backward recursions.

With the output of the filter, from the last period to the first and from the last observation of a
period to its first,

.. math::

    r \leftarrow z v / F + L' r, \quad N \leftarrow z z' / F + L' N L, \quad L = I - K z', \\
    \hat a_t = a_t + P_t r_t, \qquad V_t = P_t - P_t N_t P_t,

and between periods :math:`r \leftarrow F_t' r`, :math:`N \leftarrow F_t' N F_t` (de Jong, 1989;
Durbin and Koopman, 2012, sections 4.4, 5.3 and 6.4). No covariance is inverted. With a diffuse
start :math:`r` and :math:`N` are expanded in powers of the inverse of the diffuse variance.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Smoothed states (n, s) and their covariances (n, s, s)."""

    mean: np.ndarray
    covariance: np.ndarray


def smooth(filtered, design: np.ndarray) -> Smoothed:
    """Smooth the output of :func:`nnecon.estimation.kalman.run_filter`.

    Parameters
    ----------
    filtered : Filtered
        With arrays of NumPy.
    design : ndarray of shape (n, m, s)
        What the observations are of the state.
    """
    n, s = filtered.predicted.shape
    mean, covariance = np.empty((n, s)), np.empty((n, s, s))
    back = _Backward(np.zeros((2, s)), np.zeros((3, s, s)))
    for t in range(n - 1, -1, -1):
        back = _between(back, filtered.transitions[t])
        updates = filtered.updates
        for at in range(design.shape[1] - 1, -1, -1):
            if updates.diffuse_variance[t, at] > 0.0:
                back = _diffuse(
                    back, design[t, at], updates.error[t, at], updates.variance[t, at],
                    updates.gain[t, at], updates.diffuse_variance[t, at],
                    updates.diffuse_gain[t, at],
                )  # fmt: skip
            elif updates.variance[t, at] > 0.0:
                back = _usual(
                    back, design[t, at], updates.error[t, at], updates.variance[t, at],
                    updates.gain[t, at],
                )  # fmt: skip
        state, known, open_ = filtered.predicted[t], filtered.predicted_cov[t], filtered.diffuse[t]
        r, matrices = back.scores, back.information
        mean[t] = state + known @ r[0] + open_ @ r[1]
        mixed = open_ @ matrices[1] @ known
        found = known - known @ matrices[0] @ known - mixed - mixed.T
        found = found - open_ @ matrices[2] @ open_
        covariance[t] = 0.5 * (found + found.T)
    return Smoothed(mean, covariance)


@dataclass(frozen=True, slots=True, eq=False)
class _Backward:
    """The r (2, s) and N (3, s, s) of the expansion; without a diffuse start the first alone."""

    scores: np.ndarray
    information: np.ndarray


def _between(back: _Backward, matrix: np.ndarray) -> _Backward:
    return _Backward(back.scores @ matrix, matrix.T @ back.information @ matrix)


def _usual(back, row, error, variance, gain) -> _Backward:
    left = np.eye(len(row)) - np.outer(gain / variance, row)
    scores, information = back.scores @ left, left.T @ back.information @ left
    scores[0] += row * (error / variance)
    information[0] += np.outer(row, row) / variance
    return _Backward(scores, information)


def _diffuse(back, row, error, variance, gain, open_variance, open_gain) -> _Backward:
    left = np.eye(len(row)) - np.outer(open_gain / open_variance, row)
    small = np.outer((open_gain * (variance / open_variance) - gain) / open_variance, row)
    square = np.outer(row, row)
    r, (first, second, third) = back.scores, back.information
    cross = small.T @ first @ left
    mixed = small.T @ second @ left
    return _Backward(
        np.stack([r[0] @ left, row * (error / open_variance) + r[1] @ left + r[0] @ small]),
        np.stack(
            [
                left.T @ first @ left,
                square / open_variance + left.T @ second @ left + cross + cross.T,
                -square * (variance / open_variance**2)
                + left.T @ third @ left
                + mixed
                + mixed.T
                + small.T @ first @ small,
            ]
        ),
    )
