"""Origins of a backtest, and what is estimated anew at each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.backtesting.information import row_of
from nnecon.data.time_axis import label_text
from nnecon.exceptions import SpecificationError

NEW, AGAIN, SAME = "new", "again", "same"
"""Estimated with all its choices; estimated with the choices kept; parameters kept."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The end of a sample.

    Attributes
    ----------
    row : int
        Last period that is known, as a row of the data.
    estimate : str
        :data:`NEW`, :data:`AGAIN` or :data:`SAME`.
    """

    row: int
    estimate: str


def origin_rows(index: pd.Index, initial: Any, step: Any, horizon: int) -> list[int]:
    """Rows of the cutoffs: from ``initial`` on, as long as one period is left to forecast.

    Parameters
    ----------
    index : Index of length n
        Periods of the data.
    initial : int, label or None
        Periods of the first sample, or its last period; None is half of the data.
    step : int
        Periods between two cutoffs.
    horizon : int
        Periods ahead, for the message.
    """
    if not _count(step, 1):
        raise SpecificationError(f"step={step!r}: give a whole number of periods of at least 1.")
    if initial is None:
        first = len(index) // 2 - 1
    elif _count(initial, -(2**62)):
        if initial < 2:
            raise SpecificationError(
                f"initial={initial!r}: give the periods of the first sample, at least 2, or its "
                "last period."
            )
        first = int(initial) - 1
    else:
        row = row_of(initial, index)
        if row is None:
            raise SpecificationError(
                f"initial={initial!r} is no period of the data, which go from "
                f"{label_text(index[0])} to {label_text(index[-1])}."
            )
        first = row
    if first > len(index) - 2:
        raise SpecificationError(
            f"initial={initial!r}: the first sample takes {first + 1} of {len(index)} periods and "
            "leaves none to forecast; begin earlier."
        )
    return list(range(first, len(index) - 1, int(step)))


def schedule(rows: list[int], refit: Any, reselect: Any) -> list[list[Origin]]:
    """Blocks of origins; those of a block depend on its first one, blocks do not on each other.

    Parameters
    ----------
    rows : list of int
        Rows of the cutoffs.
    refit : bool or int
        Estimate at every origin, at the first alone, or at every ``refit``-th.
    reselect : int, False or None
        Choose (penalty, lags) at every ``reselect``-th origin, at the first alone, or wherever
        there is an estimation.

    Examples
    --------
    >>> blocks = schedule([9, 10, 11, 12], refit=True, reselect=3)
    >>> [[origin.estimate for origin in block] for block in blocks]
    [['new', 'again', 'again'], ['new']]
    """
    every = _every(refit, "refit", len(rows))
    anew = every if reselect is None else _every(reselect, "reselect", len(rows))
    if isinstance(reselect, bool) and reselect:
        anew = every
    if anew % every and anew < len(rows):
        raise SpecificationError(
            f"reselect={reselect!r} and refit={refit!r}: choices are made when a model is "
            "estimated, so reselect has to be a multiple of refit."
        )
    blocks: list[list[Origin]] = []
    for number, row in enumerate(rows):
        if number % anew == 0:
            blocks.append([])
        kind = NEW if number % anew == 0 else AGAIN if number % every == 0 else SAME
        blocks[-1].append(Origin(row, kind))
    return blocks


def _every(given: Any, name: str, total: int) -> int:
    """Origins from one event to the next; beyond the last where it happens once."""
    if isinstance(given, bool | np.bool_):
        return 1 if given else total + 1
    if not _count(given, 1):
        raise SpecificationError(
            f"{name}={given!r}: give True (every origin), False (the first one) or a number of "
            "origins."
        )
    return int(given)


def _count(value: Any, least: int) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= least
