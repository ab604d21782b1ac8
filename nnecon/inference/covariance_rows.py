"""Rows that a kind of covariance cannot take, so that they can be named before it is computed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

EXACT = 1e-10
"""A row, or a direction of a group, whose leverage is closer to one than this is fitted exactly."""


class Refused(NamedTuple):
    """Positions of the rows in question, and why they are refused."""

    rows: tuple[int, ...]
    why: str


def refused(
    kind: str, options: Mapping[str, Any], exog: np.ndarray, weights: np.ndarray
) -> Refused | None:
    """Rows that this kind of covariance cannot take in a linear model; None where it takes all.

    Parameters
    ----------
    kind, options
        As in :func:`nnecon.inference.covariance_kinds.check`, one label a row.
    exog : ndarray of shape (n, p)
        Regressors.
    weights : ndarray of shape (n,)
        Observation weights.

    Examples
    --------
    >>> exog = np.column_stack([np.ones(3), [0.0, 0.0, 1.0]])
    >>> refused("HC3", {}, exog, np.ones(3)).rows
    (2,)
    >>> refused("HC1", {}, exog, np.ones(3)) is None
    True
    """
    if kind == "hac-panel" and options.get("groups") is not None:
        return same_period(options["groups"], options.get("time"))
    if kind not in ("HC2", "HC3", "cluster-crv3"):
        return None
    rotated = _orthogonal(np.sqrt(weights)[:, None] * exog)
    if kind == "cluster-crv3":
        return alone_in_group(rotated, options["groups"])
    return full_leverage(rotated, kind)


def _orthogonal(exog: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the regressors."""
    length = np.linalg.norm(exog, axis=0)
    vectors, values, _ = np.linalg.svd(exog / np.where(length > 0, length, 1), full_matrices=False)
    return vectors[:, values > EXACT * values.max(initial=0.0)]


def same_period(groups: Any, time: Any) -> Refused | None:
    """Two rows of one series in the same period."""
    if time is None:
        return None
    codes = np.unique(np.asarray(groups).ravel(), return_inverse=True)[1]
    periods = np.unique(np.asarray(time).ravel(), return_inverse=True)[1]
    order = np.lexsort((periods, codes))
    pairs = np.column_stack([codes, periods])[order]
    twice = np.flatnonzero((pairs[1:] == pairs[:-1]).all(axis=1))
    if not len(twice):
        return None
    first, second = sorted(order[twice[0] : twice[0] + 2].tolist())
    return Refused(
        (first, second),
        "have the same groups and time; series of a panel have one row a period. Correct the "
        "labels, or choose cov_type='cluster'.",
    )


def full_leverage(rotated: np.ndarray, kind: str) -> Refused | None:
    """A row that is fitted exactly; ``rotated`` (n, r) are orthonormal derivatives of the fit."""
    exact = np.flatnonzero((rotated**2).sum(axis=1) > 1.0 - EXACT)
    if not len(exact):
        return None
    return Refused(
        (int(exact[0]),),
        f"has leverage one (a dummy of its own?), and {kind} divides by one minus the leverage; "
        "choose HC1, or leave the row out.",
    )


def alone_in_group(rotated: np.ndarray, groups: Any) -> Refused | None:
    """A group without which parameters are not identified; ``rotated`` as above."""
    codes = np.unique(np.asarray(groups).ravel(), return_inverse=True)[1]
    for code in range(codes.max() + 1):
        inside = codes == code
        own = rotated[inside]
        if np.linalg.norm(own, 2) ** 2 > 1.0 - EXACT:
            return Refused(
                (int(np.flatnonzero(inside)[0]),),
                f"is in a group of {inside.sum()} rows without which the parameters are not "
                "identified (a dummy of its own?), and cov_type='cluster-crv3' leaves out each "
                "group in turn; choose 'cluster'.",
            )
    return None


def in_words(found: Refused, labels: tuple[Any, ...] | None = None) -> str:
    """The message, with labels of the rows or, without any, their positions.

    Examples
    --------
    >>> in_words(Refused((2,), "has leverage one."), ("Utah",))
    'the row Utah has leverage one.'
    """
    if labels is None:
        where = " and ".join(f"{row}" for row in found.rows)
        several = "rows at positions" if len(found.rows) > 1 else "row at position"
        return f"the {several} {where} of the sample {found.why}"
    where = " and ".join(str(label) for label in labels)
    return f"the {'rows' if len(found.rows) > 1 else 'row'} {where} {found.why}"
