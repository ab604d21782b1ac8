"""Periods of an index: what "one period earlier" means, and which periods are missing.

Lags go by the period of the index and never by the position of a row. A :class:`TimeAxis` maps the
labels of an index to whole numbers, one a period, and back to labels for messages.
"""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError, ForecastError

_SHOWN = 5
# how periods are written, with the frequency that reads them
_WRITTEN = {
    r"\d{4}[- ]?[Qq][1-4]": "Q",
    r"\d{4}-(0[1-9]|1[0-2])": "M",
    r"\d{4}": "Y",
}


def listing(labels: Iterable[Any], shown: int = _SHOWN) -> str:
    """Write labels as a list that stays short.

    Examples
    --------
    >>> listing([1961, 1962, 1963], shown=2)
    '1961, 1962 and 1 more'
    """
    items = [label_text(label) for label in labels]
    if len(items) <= shown:
        return ", ".join(items)
    return f"{', '.join(items[:shown])} and {len(items) - shown} more"


def label_text(label: Any) -> str:
    """Write one row label as a person would: a date without its midnight.

    Examples
    --------
    >>> label_text(pd.Timestamp("1959-03-31")), label_text(pd.Period("1959Q1")), label_text("a")
    ('1959-03-31', '1959Q1', "'a'")
    """
    if isinstance(label, pd.Timestamp):
        return str(label.date()) if label == label.normalize() else str(label)
    if isinstance(label, str):
        return repr(str(label))
    if isinstance(label, tuple):
        return f"({', '.join(map(label_text, label))})"
    return str(label)


def is_time_index(index: pd.Index) -> bool:
    """Tell whether the labels are dates or periods."""
    return isinstance(index, pd.PeriodIndex | pd.DatetimeIndex)


def check_order(index: pd.Index, what: str = "the data") -> None:
    """Refuse a time index that is not sorted.

    Duplicated dates are no error here: they are a cross section or a panel in long form.

    Raises
    ------
    DataError
        Names the first label that comes too late.
    """
    if not is_time_index(index) or not index.is_unique:
        return
    if index.hasnans:
        raise DataError(
            f"the index of {what} has a missing date in row {_first(index.isna())}; "
            "drop it with data[data.index.notna()]"
        )
    if index.is_monotonic_increasing:
        return
    place = _first(np.asarray(index[1:] < index[:-1])) + 1
    raise DataError(
        f"the index of {what} is not sorted: {label_text(index[place])} comes after "
        f"{label_text(index[place - 1])}; sort it with data.sort_index()"
    )


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A regular time axis.

    Attributes
    ----------
    kind : {"period", "datetime", "integer"}
        Which index the labels come from.
    freq : pandas.DateOffset or None
        Distance of two periods; None for integers, which count by one.
    origin : Any
        The label that has ordinal zero.
    """

    kind: str
    freq: Any
    origin: Any

    @classmethod
    def of(cls, index: pd.Index, needed_by: str) -> "TimeAxis":
        """Read the axis off an index that must be unique, sorted and without gaps.

        Parameters
        ----------
        index : pandas.Index
            Labels of the data, shape (n,).
        needed_by : str
            What asks for periods, for the messages: ``"lag(x, 1)"``.

        Raises
        ------
        DataError
            The index has no periods, or labels are missing, duplicated or unsorted.

        Examples
        --------
        >>> axis = TimeAxis.of(pd.period_range("1959Q1", periods=8, freq="Q"), "lag(x, 1)")
        >>> axis.ordinals(pd.PeriodIndex(["1959Q3", "1960Q1"], freq="Q"))
        array([2, 4])
        >>> axis.label(-1)
        '1958Q4'
        """
        _check_kind(index, needed_by)
        if not index.is_unique:
            twice = label_text(index[_first(index.duplicated())])
            raise DataError(
                f"{needed_by} needs one row a period, but the index has {twice} more than once; "
                "keep one row of each, e.g. data[~data.index.duplicated()], or, for a panel, make "
                "the lag a column first with data.groupby(unit)[column].shift()"
            )
        check_order(index)
        if not index.is_monotonic_increasing:
            place = _first(np.asarray(index[1:] < index[:-1])) + 1
            raise DataError(
                f"{needed_by} needs a sorted index: {label_text(index[place])} comes after "
                f"{label_text(index[place - 1])}; sort it with data.sort_index()"
            )
        if isinstance(index, pd.PeriodIndex):
            axis = cls("period", index.freq, index[0])
        elif isinstance(index, pd.DatetimeIndex):
            axis = cls("datetime", _frequency(index, needed_by), index[0])
        else:
            axis = cls("integer", None, int(index[0]))
        _check_gaps(axis, axis.ordinals(index), needed_by)
        return axis

    def ordinals(self, index: pd.Index) -> np.ndarray:
        """Number the labels of an index of the same kind, counting periods from the origin.

        Parameters
        ----------
        index : pandas.Index
            Labels, shape (m,), in any order.

        Returns
        -------
        ndarray of int64, shape (m,)

        Raises
        ------
        ForecastError
            The labels are of another kind or frequency.
        """
        self._check_same(index)
        if self.kind == "integer":
            # whole numbers stored as floats, as in a file of years, count as whole numbers
            return np.asarray(index, dtype=np.int64) - self.origin
        if index.hasnans:
            raise ForecastError(f"the index has a missing date in row {_first(index.isna())}")
        if self.kind == "period":
            distance = np.asarray(index.asi8, dtype=np.int64) - self.origin.ordinal
            steps, rest = np.divmod(distance, self.freq.n)
            off = rest != 0
        else:
            steps = self._grid(index.min(), index.max(), index)
            off = steps == np.iinfo(np.int64).min
        if off.any():
            raise ForecastError(
                f"{label_text(index[_first(off)])} is not a date of the data, which go by "
                f"{self.freq_text} from {label_text(self.origin)}; give the new rows dates "
                "of the same frequency"
            )
        return steps

    @property
    def freq_text(self) -> str:
        """The frequency as pandas writes it, with the names that periods or dates have."""
        return str(self.origin.freqstr if self.kind == "period" else self.freq.freqstr)

    def label(self, ordinal: int) -> str:
        """Write the label of a period for a message."""
        if self.kind == "integer":
            return str(self.origin + int(ordinal))
        return label_text(self.origin + int(ordinal) * self.freq)

    def following(self, first: int, periods: int, name: Any = None) -> pd.Index:
        """Labels of ``periods`` periods from the ordinal ``first`` on, as the index has them.

        Examples
        --------
        >>> axis = TimeAxis.of(pd.period_range("1959Q1", periods=8, freq="Q"), "lag(x, 1)")
        >>> axis.following(8, 2).astype(str).tolist()
        ['1961Q1', '1961Q2']
        """
        if self.kind == "integer":
            return pd.RangeIndex(self.origin + first, self.origin + first + periods, name=name)
        return self.labels(np.arange(first, first + periods)).rename(name)

    def labels(self, ordinals: np.ndarray) -> pd.Index:
        """Labels of some periods, of the kind of the data; they may lie beyond the data.

        Examples
        --------
        >>> axis = TimeAxis.of(pd.period_range("1959Q1", periods=8, freq="Q"), "a forecast")
        >>> axis.labels(np.array([8, 9])).astype(str).tolist()
        ['1961Q1', '1961Q2']
        """
        steps = np.asarray(ordinals, dtype=np.int64)
        if self.kind == "integer":
            return pd.Index(steps + self.origin)
        if self.kind == "period":
            return pd.PeriodIndex([self.origin + int(k) * self.freq for k in steps])
        if len(steps) and (np.diff(steps) == 1).all():
            first = self.origin + int(steps[0]) * self.freq
            return pd.date_range(first, periods=len(steps), freq=self.freq)
        return pd.DatetimeIndex([self.origin + int(k) * self.freq for k in steps])

    def _grid(self, low: pd.Timestamp, high: pd.Timestamp, index: pd.Index) -> np.ndarray:
        after = pd.date_range(self.origin, max(high, self.origin), freq=self.freq)
        before = pd.date_range(end=self.origin, start=min(low, self.origin), freq=self.freq)
        behind = len(before) - 1
        grid = before[:-1].append(after) if behind > 0 else after
        place = grid.get_indexer(index).astype(np.int64)
        return np.where(place < 0, np.iinfo(np.int64).min, place - max(behind, 0))

    def _check_same(self, index: pd.Index) -> None:
        kinds = {"period": pd.PeriodIndex, "datetime": pd.DatetimeIndex}
        wanted = kinds.get(self.kind)
        if wanted is None:
            good = _whole_numbers(index)
            text = "whole numbers"
        else:
            good = isinstance(index, wanted)
            text = f"a {wanted.__name__} of frequency {self.freq_text}"
        if good and self.kind == "period":
            good = index.freq == self.freq
        if good and self.kind == "datetime":
            good = (index.tz is None) == (self.origin.tz is None)
            text += " in the same time zone" if not good else ""
        if not good:
            found = type(index).__name__
            if isinstance(index, pd.PeriodIndex):
                found += f" of frequency {index.freqstr}"
            raise ForecastError(
                f"the data have {text} as index, the new rows a {found}; lags need the same kind: "
                + _conversion(self)
            )


def _conversion(axis: TimeAxis) -> str:
    if axis.kind == "period":
        return f"use new.index = pd.PeriodIndex(new.index, freq={axis.freq_text!r})"
    if axis.kind == "datetime":
        return "use new.index = pd.DatetimeIndex(...) with dates that follow those of the data"
    return "give the new rows whole numbers that follow those of the data"


def _check_kind(index: pd.Index, needed_by: str) -> None:
    if is_time_index(index):
        return
    if isinstance(index, pd.MultiIndex):
        raise DataError(
            f"{needed_by} needs one time index, but the data have a MultiIndex; make the lag a "
            "column first with data.groupby(level=0)[column].shift()"
        )
    if not _whole_numbers(index):
        raise DataError(
            f"{needed_by} needs an index of periods, dates or whole numbers, but the first label "
            f"is {label_text(index[0])}; set it with {_advice(index)}"
        )


def _whole_numbers(index: pd.Index) -> bool:
    if pd.api.types.is_integer_dtype(index.dtype):
        return not index.hasnans
    if not pd.api.types.is_float_dtype(index.dtype):
        return False
    values = index.to_numpy(dtype=float, na_value=np.nan)
    return bool(np.isfinite(values).all() and (values == np.round(values)).all())


def _advice(index: pd.Index) -> str:
    """Code that makes periods or dates of these labels; tried here before it is offered."""
    texts = [str(label) for label in index]
    for pattern, freq in _WRITTEN.items():
        if all(re.fullmatch(pattern, text) for text in texts):
            try:
                pd.PeriodIndex(texts, freq=freq)
            except ValueError:
                break
            return f"data.index = pd.PeriodIndex(data.index, freq={freq!r})"
    if not pd.api.types.is_numeric_dtype(index.dtype):
        try:
            with warnings.catch_warnings():
                # pandas warns where it must guess the format of every label
                warnings.simplefilter("ignore")
                pd.to_datetime(index)
        except (TypeError, ValueError):
            pass
        else:
            return "data.index = pd.to_datetime(data.index)"
    return (
        "data.index = pd.period_range(first, periods=len(data), freq='Q') (or 'M', 'Y', 'D'), "
        "where first is the period of the first row, e.g. '2000Q1'"
    )


def _check_gaps(axis: TimeAxis, ordinals: np.ndarray, needed_by: str) -> None:
    steps = np.diff(ordinals)
    if (steps == 1).all():
        return
    holes = int((steps - 1).sum())
    names: list[int] = []
    for place in np.flatnonzero(steps > 1):
        names += range(ordinals[place] + 1, min(ordinals[place + 1], ordinals[place] + 1 + _SHOWN))
        if len(names) > _SHOWN:
            break
    shown = ", ".join(axis.label(k) for k in names[:_SHOWN])
    more = f" and {holes - _SHOWN} more" if holes > _SHOWN else ""
    raise DataError(
        f"{needed_by} needs every period, but the index has a gap: {shown}{more} "
        f"{'is' if holes == 1 else 'are'} missing; add the missing periods as rows of NaN with "
        f"{_remedy(axis)}, and they are left out of the estimation"
    )


def _remedy(axis: TimeAxis) -> str:
    if axis.kind == "datetime":
        return f"data.asfreq({axis.freq_text!r})"
    if axis.kind == "period":
        return (
            f"data.reindex(pd.period_range(data.index[0], data.index[-1], freq={axis.freq_text!r}))"
        )
    return "data.reindex(range(int(data.index[0]), int(data.index[-1]) + 1))"


def _frequency(index: pd.DatetimeIndex, needed_by: str) -> Any:
    if index.freq is not None:
        return index.freq
    whole = _inferred(index)
    if whole is not None:
        return whole
    best: tuple[int, Any] | None = None
    for freq in _candidates(index):
        grid = pd.date_range(index[0], index[-1], freq=freq)
        fits = len(grid) > 0 and grid[0] == index[0] and bool((grid.get_indexer(index) >= 0).all())
        if fits and (best is None or len(grid) < best[0]):
            best = (len(grid), freq)
    if best is None:
        raise DataError(
            f"{needed_by} needs dates at a regular frequency, and none can be read off the index "
            f"({listing(index[:3])}, ...); state it with data.index = data.index.to_period('Q') "
            "(or 'M', 'Y', 'D'), or data.asfreq('QS')"
        )
    return best[1]


def _candidates(index: pd.DatetimeIndex) -> list[Any]:
    """Frequencies of the regular stretches of an index that has gaps, longest stretches first."""
    found: list[Any] = []
    n = len(index)
    for width in sorted({n // 2, n // 3, n // 4, n // 8, 24, 12, 6, 4, 3}, reverse=True):
        if not 3 <= width < n:
            continue
        starts = np.unique(np.linspace(0, n - width, 8).astype(int))
        for start in starts:
            freq = _inferred(index[start : start + width])
            if freq is not None and freq not in found:
                found.append(freq)
    return found


def _inferred(index: pd.DatetimeIndex) -> Any:
    if len(index) < 3:
        return None
    with warnings.catch_warnings():
        # pandas 3.1 announces that the answer becomes an offset; both are taken here
        warnings.simplefilter("ignore")
        freq = pd.infer_freq(index)
    return None if freq is None else pd.tseries.frequencies.to_offset(freq)


def _first(mask: Any) -> int:
    return int(np.flatnonzero(np.asarray(mask))[0])
