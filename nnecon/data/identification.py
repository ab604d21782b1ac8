"""Which columns the data can tell apart: refuse those they cannot, or choose some that they can."""

import numpy as np

from nnecon.data.design import Design
from nnecon.exceptions import DataError

TOLERANCE = 1e-10
"""A column whose distance from the span of those before it is less than this share of its length,
after centring and scaling, counts as a linear combination of them."""


def check_rank(design: Design, weights: np.ndarray, linear_part: bool) -> None:
    """Raise a :class:`DataError` for constant, collinear or too many columns.

    Parameters
    ----------
    design : Design
        The data.
    weights : ndarray of shape (n,)
        Observation weights.
    linear_part : bool
        Whether all columns enter linearly; only constant columns are refused otherwise.
    """
    sample = design.sample
    n_obs, n_columns = len(sample.exog), len(sample.exog_names)
    const = sample.const_index
    mean = np.average(sample.exog, axis=0, weights=weights)
    size = np.abs(sample.exog).max(axis=0)
    for j in range(n_columns):
        if j != const and np.ptp(sample.exog[:, j]) <= 1e-14 * size[j]:
            raise DataError(
                f"{design.describe_column(j)}; a column that does not vary has no effect to "
                "estimate: leave it out"
            )
    if not linear_part:
        return
    if n_obs < n_columns:
        raise DataError(
            f"{n_obs} rows cannot determine a linear part of {n_columns} columns; leave columns "
            "out, or fit a network alone with linear_part=False"
        )
    order = sorted(range(n_columns), key=lambda j: j != const)
    columns = sample.exog - mean if const is not None else sample.exog.copy()
    if const is not None:
        columns[:, const] = 1.0
    columns = columns * np.sqrt(weights / weights.sum())[:, None]
    columns = columns[:, order] / np.linalg.norm(columns[:, order], axis=0)
    triangle = np.asarray(np.linalg.qr(columns, mode="r"))
    for place, j in enumerate(order):
        if abs(triangle[place, place]) > TOLERANCE:
            continue
        share = np.linalg.lstsq(columns[:, :place], columns[:, place], rcond=None)[0]
        names = [
            f"'{sample.exog_names[order[k]]}'"
            for k in range(place)
            if abs(share[k]) > 1e-6 and order[k] != const
        ]
        others = ", ".join(names) or "the constant"
        raise DataError(
            f"column '{sample.exog_names[j]}' is a linear combination of {others}; leave one of "
            "them out, or fit a network alone with linear_part=False"
        )


def independent_columns(
    columns: np.ndarray, weights: np.ndarray | None, linear_part: bool
) -> np.ndarray:
    """Positions of the columns that, beside a constant, are not combinations of those before them.

    Parameters
    ----------
    columns : ndarray of shape (n, p)
        Regressors without a constant.
    weights : ndarray of shape (n,), optional
        Positive observation weights.
    linear_part : bool
        Whether all columns enter linearly; only constant columns are left out otherwise.

    Returns
    -------
    ndarray of int of shape (at most p,)
    """
    weights = np.ones(len(columns)) if weights is None else weights
    varies = np.ptp(columns, axis=0) > 1e-14 * np.abs(columns).max(axis=0)
    if not linear_part:
        return np.flatnonzero(varies)
    roots = np.sqrt(weights / weights.sum())[:, None]
    centred = roots * (columns - np.average(columns, axis=0, weights=weights))
    basis, kept = np.zeros((len(columns), 0)), []
    for j in np.flatnonzero(varies):
        unit = centred[:, j] / np.linalg.norm(centred[:, j])
        rest = unit - basis @ (basis.T @ unit)
        rest -= basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        # with a margin, so that what is kept here passes there
        if length > 10.0 * TOLERANCE:
            basis = np.column_stack([basis, rest / length])
            kept.append(j)
    return np.array(kept, dtype=int)
