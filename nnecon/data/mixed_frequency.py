"""Monthly panels and quarterly targets: periods that follow each other without gaps."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.time_axis import TimeAxis, label_text
from nnecon.exceptions import DataError


def monthly(frame: pd.DataFrame) -> pd.DataFrame:
    """The panel with a monthly PeriodIndex and names that are texts.

    Raises
    ------
    DataError
        Rows are no months, or do not follow each other.
    """
    index = _periods(frame.index, "M", "the panel", "months")
    found = frame.set_axis(index, axis=0).set_axis([str(name) for name in frame.columns], axis=1)
    TimeAxis.of(found.index, "a nowcast")
    return found


def quarterly(target: Any) -> pd.Series:
    """The target with a quarterly PeriodIndex, up to the last quarter that is known.

    Raises
    ------
    DataError
        It is no series of numbers by quarter.
    """
    if isinstance(target, pd.DataFrame) and target.shape[1] == 1:
        target = target.iloc[:, 0]
    if not isinstance(target, pd.Series):
        raise DataError("the target must be a Series with an index of quarters.")
    name = "target" if target.name is None else str(target.name)
    if not pd.api.types.is_numeric_dtype(target):
        raise DataError(f"the target {name!r} is not numeric.")
    index = _periods(target.index, "Q", f"the target {name!r}", "quarters")
    values = target.to_numpy(dtype=float, na_value=np.nan)
    series = pd.Series(values, index, name=name)
    if np.isinf(series).any():
        raise DataError(f"{name!r} is infinite at {label_text(index[np.isinf(series).argmax()])}.")
    TimeAxis.of(series.index, "a nowcast")
    last = series.last_valid_index()
    if last is None:
        raise DataError(f"the target {name!r} has no values at all.")
    return series.loc[:last]


def quarter_ends(quarters: pd.PeriodIndex) -> np.ndarray:
    """Ordinals of the last month of each quarter."""
    return quarters.asfreq("M", how="end").astype("int64").to_numpy()


def _periods(index: pd.Index, letter: str, what: str, words: str) -> pd.PeriodIndex:
    if isinstance(index, pd.DatetimeIndex):
        index = index.to_period(letter)
    if not isinstance(index, pd.PeriodIndex) or not index.freqstr.startswith(letter):
        raise DataError(
            f"{what} needs an index of {words}, for example "
            f"pd.PeriodIndex(dates, freq={letter!r}), not {type(index).__name__}."
        )
    return index
