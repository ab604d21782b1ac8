"""Types of columns that come in chunks, so that every chunk is read as the whole would be.

A chunk alone may look different from the data: whole numbers without the missing value that makes
them floats, a text column that is missing throughout, categories that appear later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.frames import clean_column, reads_as_number
from nnecon.data.time_axis import label_text
from nnecon.exceptions import DataError

_WORDS = {
    "int": "whole numbers",
    "float": "numbers",
    "bool": "true or false",
    "text": "text",
    "category": "categories",
}
_WIDER = {frozenset(("int", "float")): "float", frozenset(("bool", "flags")): "flags"}


@dataclass(slots=True)
class ColumnType:
    """What one column has turned out to be, over the chunks seen.

    Attributes
    ----------
    name : Any
        The column.
    kind : str or None
        ``"int"``, ``"float"``, ``"bool"``, ``"flags"`` (true, false or missing), ``"text"``,
        ``"category"``, or a dtype as written; None before the first value.
    values : int
        Values in the rows chosen.
    """

    name: Any
    kind: str | None = None
    values: int = 0
    _chunk: int = 0
    _missing: bool = False
    _categories: dict[Any, None] = field(default_factory=dict)
    _ordered: bool = False
    _present: int = 0
    _readable: int = 0
    _odd: tuple[int, Any, Any] | None = None

    def see(self, frame: pd.DataFrame, chunk: int, rows: np.ndarray) -> None:
        """Take note of a chunk.

        Parameters
        ----------
        frame : DataFrame
            The chunk.
        chunk : int
            Its number, for messages.
        rows : ndarray of int
            Positions in the chunk that are used.
        """
        column = frame[self.name]
        if isinstance(column, pd.DataFrame):
            clean_column(frame, self.name)
        gone = np.asarray(column.isna())
        self.values += int((~gone[rows]).sum())
        self._missing |= bool(gone.any())
        if isinstance(column.dtype, pd.CategoricalDtype):
            self._merge("category", chunk, column)
            self._categories |= dict.fromkeys(column.dtype.categories)
            self._ordered |= bool(column.dtype.ordered)
        elif gone.all():
            return
        else:
            self._merge(self._kind(frame, gone, chunk), chunk, column)

    def _kind(self, frame: pd.DataFrame, gone: np.ndarray, chunk: int) -> str:
        column = frame[self.name]
        dtype = column.dtype
        if pd.api.types.is_bool_dtype(dtype):
            return "flags" if gone.any() else "bool"
        text = isinstance(dtype, pd.StringDtype)
        if text or pd.api.types.is_object_dtype(dtype):
            return self._kind_of_objects(column[~gone], text, chunk)
        if not pd.api.types.is_numeric_dtype(dtype):
            return str(dtype)
        # complex numbers are refused there
        clean = clean_column(frame, self.name)
        return "int" if clean.dtype == np.int64 else "float"

    def _kind_of_objects(self, present: pd.Series, text: bool, chunk: int) -> str:
        if text:
            counts = present.value_counts(sort=False)
            readable = {value for value in counts.index if reads_as_number(value)}
            self._note(chunk, present, present.isin(list(readable)).to_numpy())
            return "text"
        flags = np.array([isinstance(value, bool | np.bool_) for value in present])
        if flags.all():
            return "flags"
        numbers = np.array(
            [
                hasattr(value, "__float__") and not isinstance(value, bool | np.bool_ | str)
                for value in present
            ]
        )
        if numbers.all():
            return "float"
        if numbers.any():
            place = int(np.argmin(numbers))
            raise _mixed(self.name, chunk, present.iloc[place], present.index[place])
        self._note(chunk, present, np.array([reads_as_number(value) for value in present]))
        return "text"

    def _note(self, chunk: int, present: pd.Series, readable: np.ndarray) -> None:
        self._present += len(readable)
        self._readable += int(readable.sum())
        if self._odd is None and not readable.all():
            place = int(np.argmin(readable))
            self._odd = chunk, present.iloc[place], present.index[place]

    def _merge(self, kind: str, chunk: int, column: pd.Series) -> None:
        if self.kind is None:
            self.kind, self._chunk = kind, chunk
        elif kind != self.kind:
            wider = _WIDER.get(frozenset((kind, self.kind)))
            if wider is None:
                place = int(np.argmax(np.asarray(column.notna())))
                raise DataError(
                    f"column {self.name!r} holds {_WORDS.get(self.kind, self.kind)} in chunk "
                    f"{self._chunk} but {_WORDS.get(kind, kind)} in chunk {chunk} "
                    f"({column.iloc[place]!r} at row {label_text(column.index[place])}); give all "
                    "chunks one type, for a .csv file with "
                    f"Stream.of(path, dtype={{{self.name!r}: ...}})"
                )
            self.kind = wider

    def close(self, n: int) -> None:
        """Refuse, after the last chunk, columns without values and text among numbers.

        Parameters
        ----------
        n : int
            Rows used.
        """
        if self.values == 0:
            raise DataError(
                f"column {self.name!r} has no values in the {n} rows; fill it or leave it out of "
                "the formula"
            )
        if self._odd is not None and self._readable > 0.5 * self._present:
            raise _mixed(self.name, *self._odd)
        if self.kind == "int" and self._missing:
            self.kind = "float"
        if self.kind == "bool" and self._missing:
            self.kind = "flags"

    def read(self, frame: pd.DataFrame) -> pd.Series:
        """The column of a chunk, of the type that the whole column has."""
        column = frame[self.name]
        if self.kind == "int":
            return column.astype(np.int64)
        if self.kind == "float":
            if column.isna().all():
                return pd.Series(np.nan, column.index, name=self.name)
            if pd.api.types.is_object_dtype(column.dtype):
                return column.astype(float)
            return clean_column(frame, self.name).astype(float)
        if self.kind == "bool":
            return column.astype(bool)
        if self.kind in ("text", "flags"):
            return column.astype(object).where(column.notna(), np.nan)
        if self.kind == "category":
            labels = pd.Index(list(self._categories), dtype=object)
            if not isinstance(column.dtype, pd.CategoricalDtype):
                column = column.astype(pd.CategoricalDtype(labels, self._ordered))
            return column.cat.set_categories(labels, ordered=self._ordered)
        return column if str(column.dtype) == self.kind else column.astype(self.kind)

    def example(self) -> pd.Series:
        """A column of this type without rows."""
        kinds = {"int": np.int64, "float": np.float64, "bool": np.bool_}
        return pd.Series([], dtype=kinds.get(str(self.kind), object))


def _mixed(name: Any, chunk: int, value: Any, label: Any) -> DataError:
    return DataError(
        f"chunk {chunk}: column {name!r} holds text among numbers: {value!r} at row "
        f"{label_text(label)}; make it numbers with pd.to_numeric(..., errors='coerce'), or text "
        "with .astype(str) if its values are categories"
    )


def see_columns(
    names: Iterable[Any], frames: Iterable[tuple[int, pd.DataFrame, np.ndarray]]
) -> tuple[Mapping[Any, ColumnType], int]:
    """Find the types of columns in one pass.

    Parameters
    ----------
    names : iterable
        The columns.
    frames : iterable of (int, DataFrame, ndarray of int)
        Number of a chunk, the chunk, and positions of the rows used.

    Returns
    -------
    types : mapping of column to ColumnType
    n : int
        Rows used.
    """
    types = {name: ColumnType(name) for name in names}
    n = 0
    for chunk, frame, rows in frames:
        n += len(rows)
        for column in types.values():
            column.see(frame, chunk, rows)
    if n == 0:
        raise DataError("subset leaves no rows; check its condition")
    for column in types.values():
        column.close(n)
    return types, n
