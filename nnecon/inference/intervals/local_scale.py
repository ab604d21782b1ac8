r"""How the spread of the disturbance moves with the regressors.

.. math:: E(|e_i| \mid x_i) = \exp(z_i'\gamma), \qquad z_i = (1, x_i, x_i^2),

estimated by Poisson quasi-maximum likelihood on absolute residuals, which needs no distribution and
is not upset by residuals near zero (Gourieroux, Monfort and Trognon, 1984). It scales conformal
scores; where it is wrong, intervals are wider than need be, but cover all the same.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.data.identification import independent_columns
from nnecon.estimation.bootstrap import refit
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.losses import Poisson
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Objective
from nnecon.nets import Dense


@dataclass(frozen=True, slots=True, eq=False)
class LocalScale:
    """Estimated spread functions.

    Parameters
    ----------
    centre, size : ndarray of shape (r,)
        Location and scale of the rows.
    columns : ndarray of int of shape (q - 1,)
        Which of ``(x, x^2)`` are used.
    gamma : ndarray of shape (s, q)
        Coefficients, by estimate.
    least, most : ndarray of shape (s,)
        Range of ``z'gamma`` in the sample, beyond which the spread does not go.
    """

    centre: np.ndarray
    size: np.ndarray
    columns: np.ndarray
    gamma: np.ndarray
    least: np.ndarray
    most: np.ndarray

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Spread at rows (m, r) by each estimate, shape (s, m)."""
        index = self.gamma @ self._terms(rows).T
        return np.exp(np.clip(index, self.least[:, None], self.most[:, None]))

    def _terms(self, rows: np.ndarray) -> np.ndarray:
        return terms((rows - self.centre) / self.size, self.columns)


def terms(standardised: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A constant and the chosen columns of ``(x, x^2)``."""
    both = np.concatenate([standardised, standardised**2], axis=1)[:, columns]
    return np.column_stack([np.ones(len(both)), both])


def estimate_scale(
    rows: np.ndarray,
    residuals: np.ndarray,
    used: np.ndarray,
    execution: Execution = LOCAL,
) -> LocalScale:
    """Estimate the spread from the residuals of each of several estimates.

    Parameters
    ----------
    rows : ndarray of shape (n, r)
        Regressors.
    residuals : ndarray of shape (s, n)
        Residuals of each estimate.
    used : ndarray of bool of shape (s, n)
        The rows that each estimate was made from; the spread is estimated from the same.
    execution
        Where the problems run.
    """
    centre, size = rows.mean(axis=0), rows.std(axis=0)
    size = np.where(size > 0.0, size, 1.0)
    standardised = (rows - centre) / size
    both = np.concatenate([standardised, standardised**2], axis=1)
    columns = independent_columns(both, None, linear_part=True)
    # squares of many regressors take more from few rows than they give
    if len(columns) > used.sum(axis=1).min() / 10.0:
        columns = columns[columns < rows.shape[1]]
    inputs = terms(standardised, columns)
    network = Dense(inputs.shape[1], 0, (), "tanh")
    size_of = np.abs(residuals)
    level = (size_of * used).sum(axis=1) / used.sum(axis=1)
    level = np.where(level > 0.0, level, 1.0)
    problem = Objective(
        network, inputs, np.zeros(len(rows)), Ridge(np.zeros(inputs.shape[1])), Poisson()
    )
    found = refit(
        problem,
        np.zeros(inputs.shape[1]),
        0.0,
        weights=used.astype(float),
        targets=size_of / level[:, None],
        execution=execution,
    )
    index = found.params @ inputs.T
    least = np.where(used, index, np.inf).min(axis=1)
    most = np.where(used, index, -np.inf).max(axis=1)
    gamma = found.params.copy()
    gamma[:, 0] += np.log(level)
    return LocalScale(centre, size, columns, gamma, least + np.log(level), most + np.log(level))
