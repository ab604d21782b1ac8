"""Rows of a chunk: which are chosen, and in which chunk something was found."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.sample import subset_rows
from nnecon.exceptions import DataError, NneconError

_CONDITION_ERRORS = (
    AttributeError, KeyError, NameError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


@contextmanager
def in_chunk(number: int) -> Iterator[None]:
    """Say of an error in which chunk it was found, counted from one."""
    try:
        yield
    except NneconError as error:
        raise type(error)(f"chunk {number}: {error}") from error


def condition_columns(condition: Any, known: Sequence[Any]) -> list[Any]:
    """Columns that a condition may read, after a look at what it asks."""
    if not isinstance(condition, str):
        raise DataError(
            "subset must be a condition such as 'year >= 1985' where the data are a "
            f"stream, not a {type(condition).__name__}"
        )
    if re.search(r"\.\s*\w+\s*\(", re.sub(r"`[^`]*`|\.isin\s*\(", "", condition)):
        raise DataError(
            f"subset {condition!r} calls a method, which would see one chunk at a time; "
            "compare columns with numbers or texts, or make the condition a column"
        )
    return [name for name in known if str(name) in condition]


def chosen_rows(frame: pd.DataFrame, condition: str | None) -> np.ndarray:
    """Positions of the rows that meet the condition; there may be none in a chunk."""
    if condition is None:
        return np.arange(len(frame))
    try:
        mask = np.asarray(frame.eval(condition))
    except _CONDITION_ERRORS:
        # words the error
        return subset_rows(frame, condition)
    if mask.dtype != bool or mask.shape != (len(frame),):
        return subset_rows(frame, condition)
    return np.flatnonzero(mask)
