"""Which histories of the sample responses are averaged over."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.exceptions import SpecificationError

MOST = 100
"""Histories that are used at most, evenly spread over those that are asked for."""


def chosen_histories(
    index: pd.Index, history: Any, last: int, name: str = "history"
) -> tuple[np.ndarray, str]:
    """Rows of the sample in which the shock happens, and what they are in words.

    Parameters
    ----------
    index : pandas.Index
        Periods of the n rows of the sample.
    history : "all", label, or boolean mask
        All periods, one period, or those where the mask (n,) is true: a Series goes by its labels.
    last : int
        Row after the last that may be chosen.
    name : str
        Of the argument, for errors.
    """
    if isinstance(history, str) and history == "all":
        rows, words = np.arange(len(index)), "all histories"
    elif isinstance(history, pd.Series) and pd.api.types.is_bool_dtype(history.dtype):
        absent = ~index.isin(history.index)
        if absent.any():
            raise SpecificationError(
                f"{name} has no value for {label_text(index[int(np.argmax(absent))])}; give one "
                "true or false a period of the sample."
            )
        rows, words = _of_mask(history.loc[index].to_numpy(dtype=bool))
    elif isinstance(history, np.ndarray | list):
        mask = np.asarray(history)
        if mask.dtype != bool or mask.shape != (len(index),):
            raise SpecificationError(
                f"{name}: a mask has one true or false for each of the {len(index)} periods of "
                "the sample; pass a boolean Series to go by labels."
            )
        rows, words = _of_mask(mask)
    else:
        label = history
        if isinstance(index, pd.PeriodIndex) and not isinstance(history, pd.Period):
            label = _as_period(history, index, name)
        elif isinstance(index, pd.DatetimeIndex):
            label = pd.Timestamp(history)
        if label not in index:
            raise SpecificationError(
                f"{name}={history!r} is no period of the sample, which goes from "
                f"{label_text(index[0])} to {label_text(index[-1])}; or give 'all' or a mask."
            )
        rows, words = np.array([index.get_loc(label)]), f"history up to {label_text(label)}"
    rows = rows[rows < last]
    if not len(rows):
        raise SpecificationError(
            "history: the known regressors of the periods after the shock go beyond the data; "
            "choose earlier histories or fewer periods."
        )
    if len(rows) > MOST:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, MOST).astype(int))]
    return rows, words


def _as_period(history: Any, index: pd.PeriodIndex, name: str) -> Any:
    try:
        return pd.Period(history, freq=index.freq)
    except (TypeError, ValueError):
        raise SpecificationError(
            f"{name}={history!r}: give 'all', a period such as {str(index[0])!r}, or a boolean "
            "mask."
        ) from None


def _of_mask(mask: np.ndarray) -> tuple[np.ndarray, str]:
    rows = np.flatnonzero(mask)
    if not len(rows):
        raise SpecificationError("history: the mask is false in all periods of the sample.")
    return rows, f"{len(rows)} chosen histories"
