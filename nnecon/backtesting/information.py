"""The data as they were known at an origin.

Nothing after the cutoff is in what :meth:`Information.at` returns, and
:meth:`Information.until` drops it altogether, so that a task cannot see what lies behind its last
origin.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.frames import as_frame
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import TimeAxis, label_text
from nnecon.exceptions import DataError, ForecastError, SpecificationError


@dataclass(frozen=True, slots=True, eq=False)
class Information:
    """Data, and what of them was known when.

    Attributes
    ----------
    frame : DataFrame
        The data, one row a period.
    release_lag : mapping of str to int
        Periods by which a column is published late.
    window : int or None
        Periods that a rolling window holds.
    vintages : mapping of int to DataFrame
        Data as known at an origin, by its row; empty without vintages.
    """

    frame: pd.DataFrame
    release_lag: Mapping[str, int] = field(default_factory=dict)
    window: int | None = None
    vintages: Mapping[int, pd.DataFrame] = field(default_factory=dict)

    def at(self, row: int) -> pd.DataFrame:
        """Data known at the end of period ``row``; a copy."""
        start = 0 if self.window is None else max(0, row + 1 - self.window)
        index = self.frame.index[start : row + 1]
        source = self.vintages.get(row, self.frame)
        if source is self.frame:
            known = source.iloc[start : row + 1].copy(deep=True)
        else:
            known = source.reindex(index).copy(deep=True)
            first = int(np.argmax(index.isin(source.index)))
            known = known.iloc[first:]
        for name, periods in self.release_lag.items():
            if periods:
                late = known[name].astype(float)
                late.iloc[len(late) - periods :] = np.nan
                known[name] = late
        return known

    def until(self, row: int) -> "Information":
        """The same without anything that is known after period ``row`` only."""
        kept = {at: vintage for at, vintage in self.vintages.items() if at <= row}
        return replace(self, frame=self.frame.iloc[: row + 1], vintages=kept)


def read_release_lag(given: Any, frame: pd.DataFrame) -> dict[str, int]:
    """Check ``release_lag``: columns and whole numbers of periods."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SpecificationError(
            f"release_lag={given!r}: give periods by column, such as {{'gdp': 1}}."
        )
    for name, periods in given.items():
        if name not in frame.columns:
            raise SpecificationError(
                f"release_lag: unknown column {name!r}; {suggestion(name, frame.columns)}"
            )
        whole = isinstance(periods, int | np.integer) and not isinstance(periods, bool)
        if not whole or periods < 0:
            raise SpecificationError(
                f"release_lag={{{name!r}: {periods!r}}}: give a whole number of periods."
            )
    return {str(name): int(periods) for name, periods in given.items()}


def read_vintages(
    given: Mapping[Any, pd.DataFrame] | Callable[[Any], pd.DataFrame] | None,
    frame: pd.DataFrame,
    axis: TimeAxis,
    rows: list[int],
) -> dict[int, pd.DataFrame]:
    """Vintage of each origin, checked: same periods, no holes in the dates, all columns."""
    if given is None:
        return {}
    found: dict[int, pd.DataFrame] = {}
    by_row = None if callable(given) else _by_row(given, frame.index)
    for row in rows:
        cutoff = frame.index[row]
        if callable(given):
            vintage = given(cutoff)
        else:
            assert by_row is not None
            if row not in by_row:
                raise SpecificationError(
                    f"vintages has no data for the origin {label_text(cutoff)}; give one frame for "
                    "each cutoff, or a function of the cutoff."
                )
            vintage = by_row[row]
        found[row] = _checked(vintage, frame, axis, cutoff)
    return found


def _by_row(given: Any, index: pd.Index) -> dict[int, Any]:
    if not isinstance(given, Mapping):
        raise SpecificationError(
            "vintages: give a mapping from cutoffs to frames, or a function of the cutoff."
        )
    found = {}
    for label, vintage in given.items():
        row = row_of(label, index)
        if row is None:
            raise SpecificationError(
                f"vintages: {label_text(label)} is no period of the data, which go from "
                f"{label_text(index[0])} to {label_text(index[-1])}."
            )
        found[row] = vintage
    return found


def row_of(label: Any, index: pd.Index) -> int | None:
    """Row of a period, given as a label of the index or as text."""
    try:
        if isinstance(index, pd.PeriodIndex):
            label = pd.Period(label, freq=index.freq)
        elif isinstance(index, pd.DatetimeIndex):
            label = pd.Timestamp(label)
            if index.tz is not None and label.tzinfo is None:
                label = label.tz_localize(index.tz)
    except (ValueError, TypeError):
        return None
    places = index.get_indexer(pd.Index([label]))
    return None if places[0] < 0 else int(places[0])


def _checked(vintage: Any, frame: pd.DataFrame, axis: TimeAxis, cutoff: Any) -> pd.DataFrame:
    what = f"the vintage of {label_text(cutoff)}"
    vintage = as_frame(vintage, what)
    lacking = [name for name in frame.columns if name not in vintage.columns]
    if lacking:
        raise DataError(f"{what} has no column {lacking[0]!r}, which the data have.")
    try:
        axis.ordinals(vintage.index[:1])
    except ForecastError as error:
        raise DataError(f"{what} has other dates than the data: {error}") from error
    TimeAxis.of(vintage.index, what)
    known = vintage[vintage.index <= cutoff]
    if not len(known):
        raise DataError(f"{what} has no rows up to its cutoff.")
    return known[list(frame.columns)]
