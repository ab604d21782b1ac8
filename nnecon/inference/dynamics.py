r"""Exact forecasts of linear systems: means, mean squared errors and impulse responses.

.. math:: y_t = c_t + A_1 y_{t-1} + \dots + A_p y_{t-p} + u_t, \qquad
    E\, u_t u_t' = \Sigma,

with :math:`c_t` the constant and what is known at all times. The error of a forecast h steps ahead
is :math:`\sum_{j<h} \Psi_j u_{t+h-j}` with :math:`\Psi_0 = I` and
:math:`\Psi_j = \sum_i A_i \Psi_{j-i}` (Luetkepohl, 2005, chapter 2). Forecasts given values of some
series in some periods are conditional means of the normal distribution of all errors together
(Waggoner and Zha, 1999).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A linear system of m series.

    Parameters
    ----------
    coefs : ndarray of shape (p, m, m)
        ``A_1, ..., A_p``; lags without coefficients are zero.
    fixed : ndarray of shape (1 + k, m)
        Coefficients of the constant and of the known regressors.
    covariance : ndarray of shape (m, m)
        Covariance of the shocks.
    """

    coefs: np.ndarray
    fixed: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Forecast distribution of all steps together: ``mean`` (h, m), ``covariance`` (h, m, m)."""

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def se(self) -> np.ndarray:
        """Standard errors, shape (h, m)."""
        variances = np.diagonal(self.covariance, axis1=1, axis2=2)
        return np.sqrt(np.maximum(variances, 0.0))


def moving_average(coefs: np.ndarray, steps: int) -> np.ndarray:
    """Responses ``Psi_0, ..., Psi_steps`` to unit shocks, shape (steps + 1, m, m)."""
    order, m = coefs.shape[:2]
    responses = np.zeros((steps + 1, m, m))
    responses[0] = np.eye(m)
    for step in range(1, steps + 1):
        for lag in range(1, min(step, order) + 1):
            responses[step] += coefs[lag - 1] @ responses[step - lag]
    return responses


def project(system: Linear, history: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Forecasts without conditions.

    Parameters
    ----------
    system : Linear
        The system.
    history : ndarray of shape (p or more, m)
        Values up to the last period, in order of time.
    known : ndarray of shape (h, k)
        Known regressors of the periods that are forecast.

    Returns
    -------
    ndarray of shape (h, m)
    """
    order = len(system.coefs)
    path = list(history[len(history) - order :]) if order else []
    for now in known:
        value = system.fixed[0] + now @ system.fixed[1:]
        for lag in range(1, order + 1):
            value = value + system.coefs[lag - 1] @ path[-lag]
        path.append(value)
    return np.array(path[order:]).reshape(len(known), len(system.covariance))


def forecast_moments(
    system: Linear, history: np.ndarray, known: np.ndarray, imposed: np.ndarray
) -> Moments:
    """Means and covariances of forecasts, given what is imposed.

    Parameters
    ----------
    system, history, known
        As in :func:`project`.
    imposed : ndarray of shape (h, m)
        Values that some series take in some periods; NaN where they are free.
    """
    steps, m = imposed.shape
    mean = project(system, history, known)
    responses = moving_average(system.coefs, steps - 1)
    # the errors of all steps, one after the other, are this matrix times the shocks
    table = np.zeros((steps, m, steps, m))
    for step in range(steps):
        for at in range(step + 1):
            table[step, :, at] = responses[step - at]
    loading = table.reshape(steps * m, steps * m)
    joint = loading @ np.kron(np.eye(steps), system.covariance) @ loading.T
    given = np.isfinite(imposed).ravel()
    if given.any():
        gain = np.linalg.solve(joint[np.ix_(given, given)], joint[given]).T
        surprise = (imposed - mean).ravel()[given]
        mean = mean + (gain @ surprise).reshape(steps, m)
        joint = joint - gain @ joint[given]
        mean = np.where(np.isfinite(imposed), imposed, mean)
        joint[given], joint[:, given] = 0.0, 0.0
    blocks = joint.reshape(steps, m, steps, m)
    return Moments(mean, np.stack([blocks[step, :, step] for step in range(steps)]))
