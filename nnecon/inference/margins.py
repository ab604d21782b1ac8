r"""Marginal effects: derivatives, elasticities and discrete changes of the estimated mean.

===========  =========================================  ==========================================
method       continuous                                 discrete, from ``reference`` to ``exog``
===========  =========================================  ==========================================
``dydx``     :math:`\partial F/\partial x`              :math:`F_1 - F_0`
``eyex``     :math:`(\partial F/\partial x)\, x/F`      not defined
``dyex``     :math:`(\partial F/\partial x)\, x`        not defined
``eydx``     :math:`(\partial F/\partial x)/F`          :math:`\ln F_1 - \ln F_0`
===========  =========================================  ==========================================

Effects are averaged over rows after they have been computed, as in statsmodels and Stata.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.inference.fitted_mean import Mean, Number

NAMES = {"dydx": "dy/dx", "eyex": "d(lny)/d(lnx)", "dyex": "dy/d(lnx)", "eydx": "d(lny)/dx"}
"""Methods, and what statsmodels heads their columns with."""


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """A continuous regressor: rows (n, p), their derivatives by it (n, p), and its values (n,)."""

    exog: np.ndarray
    directions: np.ndarray
    regressor: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """A discrete change over ``units`` units of the regressor: rows after and before it (n, p)."""

    exog: np.ndarray
    reference: np.ndarray
    units: float = 1.0


def margin(mean: Mean, move: Along | Between, method: str, weights: np.ndarray) -> Number:
    """Average effect of a move by a method, see the module's table; weights (n,) sum to one."""
    log = method.startswith("ey")
    if isinstance(move, Between):
        level = mean.log_level if log else mean.level
        change = level(move.exog, weights) - level(move.reference, weights)
        return change.times(1.0 / move.units)
    slope = mean.log_slope if log else mean.slope
    at = weights * move.regressor if method.endswith("ex") else weights
    return slope(move.exog, move.directions, at)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Median of rows that count as often as their weights say.

    Examples
    --------
    >>> weighted_median(np.array([3.0, 1.0, 2.0, 9.0]), np.ones(4))
    2.5
    >>> weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 3.0]))
    9.0
    """
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    last = len(values) - 1
    middle = np.minimum(np.searchsorted(share, [0.5 - 1e-12, 0.5 + 1e-12]), last)
    return float(values[order[middle]].mean())


def is_dummy(values: np.ndarray) -> bool:
    """Whether a variable takes the values 0 and 1 and no other."""
    return bool(np.isin(values, (0.0, 1.0)).all() and values.min() < values.max())


def is_count(values: np.ndarray) -> bool:
    """Whether a variable takes whole numbers from 0 on, and is no dummy."""
    whole = bool((values % 1.0 == 0.0).all() and values.min() >= 0.0)
    return whole and values.min() < values.max() and not is_dummy(values)
