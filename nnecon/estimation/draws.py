r"""Bootstrap samples: a resample is a vector of weights, or another dependent variable.

==============  ===================================================================================
``pairs``       rows with replacement (Efron, 1979): how often each was drawn
``bayesian``    exponential weights (Rubin, 1981): no row is left out; by groups where given
``cluster``     whole groups with replacement
``block``       blocks of neighbouring rows, the first following on the last (Politis and Romano,
                1992)
``moving``      blocks within the sample (Kuensch, 1989)
``stationary``  blocks of random length (Politis and Romano, 1994)
wild            residuals with random signs (Wu, 1986), by groups where given
==============  ===================================================================================

What is estimated from them is in :mod:`nnecon.estimation.bootstrap`.
"""

from typing import Literal, get_args

import numpy as np

from nnecon.estimation.kernels import shares
from nnecon.exceptions import DataError, SpecificationError

Weighting = Literal["pairs", "bayesian", "cluster", "block", "moving", "stationary"]
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)

Wild = Literal["rademacher", "mammen", "webb"]
WILD: tuple[Wild, ...] = get_args(Wild)

IN_TIME = ("block", "moving", "stationary")


def draw_weights(
    kind: Weighting,
    n_obs: int,
    draws: int,
    rng: np.random.Generator,
    *,
    groups: np.ndarray | None = None,
    block: float | None = None,
) -> np.ndarray:
    r"""Draw bootstrap weights.

    Weights are how often a row is drawn, :math:`\sum_i w_i = n` and :math:`E w_i = 1` (but for
    ``"moving"``, which reaches the ends of the sample less often, and for ``"cluster"`` with groups
    of unequal size, where the sum is random). They are to be multiplied with the user's weights.

    Parameters
    ----------
    kind : {"pairs", "bayesian", "cluster", "block", "moving", "stationary"}
        The scheme, see :mod:`nnecon.estimation.draws`.
    n_obs : int
        Number of rows; in time order for blocks.
    draws : int
        Number of samples ``B``.
    rng : numpy.random.Generator
        Source of random numbers.
    groups : ndarray of shape (n,), optional
        Labels of groups, for ``"cluster"`` and ``"bayesian"``.
    block : float, optional
        Length of blocks in rows (for ``"stationary"`` the mean length, which need not be whole); by
        default ``n^(1/3)`` rounded up. :func:`block_length` finds one for given series.

    Returns
    -------
    ndarray of shape (B, n)

    Examples
    --------
    >>> import numpy as np
    >>> draw_weights("block", 6, 2, np.random.default_rng(0), block=3).sum(axis=1)
    array([6., 6.])
    """
    _check_draws(kind, n_obs, draws, groups, block)
    if kind in IN_TIME:
        length = np.ceil(n_obs ** (1.0 / 3.0)) if block is None else block
        return _counts(_block_rows(kind, n_obs, draws, rng, float(length)), n_obs)
    codes = np.arange(n_obs) if groups is None else _codes(groups, n_obs)
    units = int(codes.max()) + 1
    if kind == "bayesian":
        drawn = rng.standard_exponential((draws, units))
        return n_obs * shares(drawn[:, codes])
    return rng.multinomial(units, np.full(units, 1.0 / units), draws)[:, codes].astype(float)


def wild_targets(
    fitted: np.ndarray,
    residual: np.ndarray,
    draws: int,
    rng: np.random.Generator,
    *,
    groups: np.ndarray | None = None,
    distribution: Wild = "rademacher",
) -> np.ndarray:
    r"""Draw dependent variables :math:`y_i^* = \hat f_i + \hat e_i v_i` of the wild bootstrap.

    Parameters
    ----------
    fitted, residual : ndarray of shape (n,)
        Fitted values and residuals, the latter scaled as wanted.
    draws : int
        Number of samples ``B``.
    rng : numpy.random.Generator
        Source of random numbers.
    groups : ndarray of shape (n,), optional
        Labels; all rows of a group share one :math:`v` (Cameron, Gelbach and Miller, 2008).
    distribution : {"rademacher", "mammen", "webb"}
        Of :math:`v`, which has mean zero and variance one: signs; Mammen's (1993) two points with
        third moment one; Webb's (2023) six points, for fewer than about ten groups, of which signs
        make few different samples.

    Returns
    -------
    ndarray of shape (B, n)

    Examples
    --------
    >>> import numpy as np
    >>> wild_targets(np.ones(3), np.array([1.0, 2.0, 0.0]), 1, np.random.default_rng(0))
    array([[2., 3., 1.]])
    """
    n_obs = len(fitted)
    _positive(draws, "draws")
    codes = np.arange(n_obs) if groups is None else _codes(groups, n_obs)
    size = draws, int(codes.max()) + 1
    if distribution == "rademacher":
        drawn = rng.choice([-1.0, 1.0], size)
    elif distribution == "mammen":
        root = np.sqrt(5.0)
        low = rng.random(size) < (root + 1.0) / (2.0 * root)
        drawn = np.where(low, (1.0 - root) / 2.0, (1.0 + root) / 2.0)
    elif distribution == "webb":
        points = np.sqrt([0.5, 1.0, 1.5])
        drawn = rng.choice(np.r_[-points, points], size)
    else:
        known = ", ".join(map(repr, WILD))
        raise SpecificationError(f"distribution={distribution!r} is not known; choose {known}.")
    return fitted + residual * drawn[:, codes]


def block_length(series: np.ndarray, kind: Weighting = "block") -> float:
    """Length of blocks that is best for the means of series in time order.

    Politis and White's (2004) rule as corrected by Patton, Politis and White (2009), from
    ``arch.bootstrap.optimal_block_length``; the largest over the columns that vary.

    Parameters
    ----------
    series : ndarray of shape (n,) or (n, m)
        For the coefficients of a regression, regressors times residuals.
    kind : {"block", "moving", "stationary"}
        The scheme it is for.

    Returns
    -------
    float
        From 1 to n / 2, a whole number but for ``"stationary"``.

    Examples
    --------
    >>> import numpy as np
    >>> walk = np.cumsum(np.random.default_rng(0).standard_normal(200))
    >>> block_length(walk) > block_length(np.diff(walk))
    True
    """
    # imported when used: it takes .4 s
    from arch.bootstrap import optimal_block_length

    table = np.asarray(series, dtype=float).reshape(len(series), -1)
    moving = table[:, np.ptp(table, axis=0) > 0.0]
    if not moving.shape[1]:
        return 1.0
    name = "stationary" if kind == "stationary" else "circular"
    length = float(np.clip(optimal_block_length(moving)[name].max(), 1.0, len(table) / 2.0))
    return length if kind == "stationary" else float(max(1, np.ceil(length)))


def _counts(rows: np.ndarray, n_obs: int) -> np.ndarray:
    """How often each row was drawn, (B, n), from the rows drawn (B, n)."""
    draws = len(rows)
    place = rows + n_obs * np.arange(draws)[:, None]
    return np.bincount(place.ravel(), minlength=draws * n_obs).reshape(draws, n_obs).astype(float)


def _block_rows(
    kind: Weighting, n_obs: int, draws: int, rng: np.random.Generator, length: float
) -> np.ndarray:
    """Rows of each draw in the order drawn, (B, n)."""
    if kind == "stationary":
        begins = rng.random((draws, n_obs)) < 1.0 / length
        begins[:, 0] = True
        place = np.arange(n_obs)
        begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
        first = rng.integers(n_obs, size=(draws, n_obs))
        return (np.take_along_axis(first, begun, axis=1) + place - begun) % n_obs
    size = int(length)
    last = n_obs if kind == "block" else n_obs - size + 1
    first = rng.integers(last, size=(draws, -(-n_obs // size)))
    rows = first[:, :, None] + np.arange(size)
    return rows.reshape(draws, -1)[:, :n_obs] % n_obs


def _codes(groups: np.ndarray, n_obs: int) -> np.ndarray:
    """Numbers of groups from zero on."""
    if np.shape(groups) != (n_obs,):
        raise DataError(f"groups: give one label a row, {n_obs} in all.")
    codes = np.unique(groups, return_inverse=True)[1]
    if codes.max(initial=0) < 1:
        raise DataError("groups: all rows are in one group; a bootstrap of groups needs several.")
    return codes


def _check_draws(
    kind: str, n_obs: int, draws: int, groups: np.ndarray | None, block: float | None
) -> None:
    if kind not in WEIGHTINGS:
        known = ", ".join(map(repr, WEIGHTINGS))
        raise SpecificationError(f"kind={kind!r} is not known; choose one of {known}.")
    _positive(draws, "draws")
    if groups is None and kind == "cluster":
        raise SpecificationError("kind='cluster' draws whole groups: give groups.")
    if groups is not None and kind not in ("cluster", "bayesian"):
        raise SpecificationError(f"groups: kind={kind!r} draws no groups; choose 'cluster'.")
    if block is None:
        return
    if kind not in IN_TIME:
        raise SpecificationError(f"block: kind={kind!r} draws no blocks; choose 'block'.")
    whole = kind == "stationary" or float(block) == int(block)
    if not (1 <= block <= n_obs and whole):
        raise SpecificationError(
            f"block={block!r}: give a length from 1 to {n_obs} rows, a whole number but for "
            "kind='stationary'."
        )


def _positive(number: int, name: str) -> None:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise SpecificationError(f"{name}={number!r}: give a whole number from 1 on.")
