"""What the command line knows about its data: the table, what columns are, how Python reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from nnecon.data.datasets import MACRO_LABELS, load_macro
from nnecon.data.files import read_table
from nnecon.data.fredmd import describe_fred_md, is_fred_md, read_fred_md


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A table and what is known about it.

    Attributes
    ----------
    frame : DataFrame
    labels : mapping of str to str
        What columns are, with units after the last comma.
    groups : Series or None
        Group of each column, where the file is one of McCracken and Ng's.
    code : str
        Python that reads the table.
    american : bool
        Whether the data are known to be on the United States.
    panel : DataFrame
        The columns that factors are extracted from; of the macro data rates alone, as levels trend.
    """

    frame: pd.DataFrame
    labels: Mapping[str, str]
    groups: pd.Series | None
    code: str
    american: bool
    panel: pd.DataFrame


def read_source(path: str | None, date: str | None) -> Source:
    """Read a file, FRED-MD and FRED-QD included, or the macro data where there is none."""
    if path is None:
        frame, code = load_macro(), "ne.datasets.load_macro()"
        return Source(frame, dict(MACRO_LABELS), None, code, True, frame[list(MACRO_LABELS)])
    if date is None and is_fred_md(path):
        series = describe_fred_md(path)
        what = series["description"].where(series["description"].notna(), series.index.to_series())
        labels = what + ", " + series["transformation"]
        code = f"ne.datasets.read_fred_md({str(path)!r})"
        frame = read_fred_md(path)
        groups = None if series["group"].isna().all() else series["group"].fillna("Other")
        return Source(frame, labels.to_dict(), groups, code, True, frame)
    code = f"ne.read_table({str(path)!r}, date={date!r})"
    frame = read_table(path, date)
    return Source(frame, {}, None, code, False, frame)
