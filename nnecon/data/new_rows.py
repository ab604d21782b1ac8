"""New rows before their design matrix is made: what they must have, and as what it is read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text
from nnecon.exceptions import DataError


def check_columns(frame: pd.DataFrame, names: Iterable[str], formula: str) -> None:
    """Refuse new rows that lack a column of the formula."""
    for name in names:
        if name not in frame.columns:
            raise DataError(
                f"the new rows have no column {name!r}, which {formula!r} needs; "
                f"{suggestion(name, frame.columns)}"
            )


def like_history(column: pd.Series, before: pd.Series) -> pd.Series:
    """Take a new column as numbers where the data had numbers."""
    dtype = before.dtype
    if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return column
    if column.isna().all() or pd.api.types.is_bool_dtype(column.dtype):
        return column.astype(float)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        row = int(np.argmax(np.asarray(column.notna())))
        raise DataError(
            f"column {column.name!r} held numbers in the estimation data, but the new rows have "
            f"{column.iloc[row]!r} at row {label_text(column.index[row])}; convert it with "
            "pd.to_numeric"
        )
    return column


def without_atoms(expression: Any) -> Any:
    """An expression's columns alone."""
    return _Part(expression.columns, ())


def without_columns(expression: Any) -> Any:
    """An expression's time operators alone."""
    return _Part({}, expression.atoms)


class _Part:
    """The columns, or the atoms, of an expression."""

    __slots__ = ("atoms", "columns")

    def __init__(self, columns: Mapping[str, str], atoms: Sequence[Any]) -> None:
        self.columns, self.atoms = columns, atoms
