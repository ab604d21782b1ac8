r"""Importance of a variable: how much the mean squared error grows without it.

*Permutation* (Breiman, 2001; Fisher, Rudin and Dominici, 2019): the variable is taken from another
row, drawn at random,

.. math::

    I = E[(y_i - F(x_{d}, x_{i,-}))^2] - E[(y_i - F(x_i))^2] .

The first mean is over pairs of rows. Its sample analogue is a U-statistic, and to first order a row
moves it in two ways: as the row that is predicted, and as the row that the value is taken from.
Where F was estimated on the same rows, they move it a third time, through the parameters. The
standard error is that of the sum of the three.

*Refit*: the function is estimated again without the variable, and
:math:`I = E[(y_i - F_{-j}(x_i))^2] - E[(y_i - F(x_i))^2]` on rows that neither estimate has seen
(leave one covariate out: Lei et al., 2018; Williamson et al., 2021).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnecon.data.moving_rows import MovingRows
from nnecon.estimation.draws import IN_TIME
from nnecon.inference import meat
from nnecon.inference.fitted_mean import Mean, Number

BY_SCORES: dict[str, Callable[..., meat.Meat]] = {
    "HAC": meat.autocorrelated,
    "cluster": meat.clustered,
    "cluster-crv3": meat.clustered,
    "hac-panel": meat.panel,
    "hac-groupsum": meat.group_sums,
}
"""Kinds of covariance that know how rows move together."""


@dataclass(frozen=True, slots=True, eq=False)
class Increase:
    """Increase of the mean squared error.

    Attributes
    ----------
    value : float
        The increase.
    influence : ndarray of shape (n,)
        How each row moves it, to first order, with the function held fixed.
    by_estimate : Number
        How the function moves it: derivatives by parameters and by networks.
    """

    value: float
    influence: np.ndarray
    by_estimate: Number | None


def donors(n: int, repeats: int, rng: np.random.Generator) -> np.ndarray:
    """Rows that values are taken from, (repeats, n): permutations that leave no row in place."""
    out = np.empty((repeats, n), dtype=np.intp)
    for repeat in out:
        order = rng.permutation(n)
        repeat[order] = np.roll(order, int(rng.integers(1, n)))
    return out


def permuted(
    mean: Mean,
    rows: MovingRows,
    variable: str,
    endog: np.ndarray,
    weights: np.ndarray,
    taken: np.ndarray,
    differentiate: bool,
) -> Increase:
    """Increase of the mean squared error when a variable is taken from other rows.

    Parameters
    ----------
    mean : Mean
        The function.
    rows : MovingRows
        Rows that are predicted, n of them.
    variable : str
        What is taken from other rows, with all that is made from it.
    endog, weights : ndarray of shape (n,)
        Dependent variable, and shares of the rows; they sum to one.
    taken : ndarray of shape (r, n)
        Rows that the values come from, see :func:`donors`.
    differentiate : bool
        Whether to compute ``by_estimate``.
    """
    exog = rows.exog
    error = endog - mean.values(exog)
    own = error**2
    pair = weights * weights[taken]
    total = pair.sum()
    as_row, as_donor = np.zeros((2, len(endog))), np.zeros((2, len(endog)))
    held = 2.0 * pair.sum(axis=0) / total * error
    moved: Number | None = mean.level(exog, held) if differentiate else None
    for donor, share in zip(taken, pair, strict=True):
        there = rows.mix(rows.take(donor), [variable]).exog
        wrong = endog - mean.values(there)
        # the increase pair by pair: a donor's mean over losses would carry the disturbances of
        # the few rows that its value was put into
        gain = wrong**2 - own
        as_row += weights[donor] * np.array([gain, np.ones_like(gain)])
        as_donor[:, donor] += weights * np.array([gain, np.ones_like(gain)])
        if moved is not None:
            moved = moved + mean.level(there, -2.0 * share / total * wrong)
    value = float((weights * as_row[0]).sum() / total)
    influence = as_row[0] / as_row[1] + as_donor[0] / as_donor[1] - 2.0 * value
    return Increase(value, weights * influence, moved)


def refitted(
    endog: np.ndarray, without: np.ndarray, full: np.ndarray, weights: np.ndarray
) -> Increase:
    """Increase from predictions ``full`` to predictions ``without`` the variable, all (n,)."""
    gain = (endog - without) ** 2 - (endog - full) ** 2
    value = float(weights @ gain)
    return Increase(value, weights * (gain - value), None)


def variance(
    increase: Increase, kind: str, options: Mapping[str, Any], rows: np.ndarray | None
) -> float:
    """Variance of an increase.

    Parameters
    ----------
    increase : Increase
        The increase.
    kind, options
        Kind of covariance, for how rows move together; kinds for independent rows give the same.
    rows : ndarray of shape (n, k), optional
        How each row moves the parameters; None where the function was estimated on others.
    """
    influence = increase.influence
    spread = 0.0
    if rows is not None and increase.by_estimate is not None:
        moved = rows @ increase.by_estimate.gradient
        influence = influence + moved - moved.mean()
        by_network = increase.by_estimate.by_network
        if len(by_network) > 1:
            spread = float(by_network.var(ddof=1) / len(by_network))
    n = len(influence)
    influence = influence - influence.mean()
    if kind == "bootstrap":
        kind, options = _as_drawn(options)
    if kind in BY_SCORES:
        found = BY_SCORES[kind](influence[:, None], dict(options), n - 1.0)
        return float(found.matrix[0, 0]) + spread
    return float(influence @ influence) * n / (n - 1.0) + spread


def _as_drawn(options: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The kind of covariance whose rows move together as in a bootstrap's draws."""
    if options.get("groups") is not None:
        return "cluster", {"groups": options["groups"]}
    return ("HAC", {}) if options.get("kind") in IN_TIME else ("HC1", {})
