"""Tables from files: CSV, Parquet and Excel, with a dated index where there are dates."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.exceptions import DataError

DATE_NAMES = ("date", "quarter", "month", "period", "time", "observation_date", "year")
"""Names under which a column of dates is found without being told, in this order."""

_DECIMAL_COMMA = r"\s*[-+]?\d+(,\d+)?\s*"


def _read_csv(path: Path) -> pd.DataFrame:
    """Read comma-separated values, or semicolons and decimal commas as spreadsheets write them."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        header = lines.readline()
    if header.count(";") <= header.count(","):
        return pd.read_csv(path)
    frame = pd.read_csv(path, sep=";")
    texts = frame.select_dtypes(["object", "string"])
    commas = any(texts[name].dropna().str.fullmatch(_DECIMAL_COMMA).all() for name in texts)
    return pd.read_csv(path, sep=";", decimal=",") if commas else frame


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".txt": lambda path: pd.read_csv(path, sep=None, engine="python"),
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".parquet": pd.read_parquet,
    ".xlsx": pd.read_excel,
    ".xls": pd.read_excel,
}
_QUARTER = re.compile(r"\s*(\d{4})\s*[-:. ]?\s*[qQ]\s*([1-4])\s*")


def read_table(path: str | Path, date: str | None = None) -> pd.DataFrame:
    """Read a table and give it a dated index.

    Parameters
    ----------
    path : str or Path
        A ``.csv``, ``.tsv``, ``.txt``, ``.parquet`` or ``.xlsx`` file.
    date : str, optional
        Column of dates: years, quarters such as ``1959Q1``, or calendar dates. By default a
        column called date, quarter, month, period, time, observation_date or year in any case;
        without one the rows keep their numbers.

    Returns
    -------
    DataFrame
        With a PeriodIndex for years and quarters, a DatetimeIndex for calendar dates.

    Raises
    ------
    DataError
        The file is missing or cannot be read, or a date makes no sense; names column and row.
    """
    path = Path(path)
    frame = _read(path)
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex) and date is None:
        return frame
    if date is None:
        lower = {str(name).lower(): name for name in reversed(frame.columns)}
        date = next((lower[name] for name in DATE_NAMES if name in lower), None)
        if date is None:
            return frame
    if date not in frame.columns:
        raise DataError(
            f"{path}: there is no column {date!r} of dates; {suggestion(date, frame.columns)}"
        )
    index = read_dates(frame[date], str(path))
    return frame.drop(columns=date).set_axis(index, axis=0)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: cannot read {path.suffix!r} files; give {', '.join(_READERS)}")
    try:
        frame = reader(path)
    except ImportError as error:
        raise DataError(
            f"{path}: reading {path.suffix} files needs another package; install it with "
            "pip install 'nnecon[io]'"
        ) from error
    except (ValueError, OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{path} cannot be read as a table: {reason}") from error
    if frame.empty:
        raise DataError(f"{path} holds no rows")
    return frame


def read_dates(column: pd.Series, source: str) -> pd.Index:
    """Turn years, quarters or calendar dates into an index; the first bad one is named."""
    name = str(column.name)
    if isinstance(column.dtype, pd.PeriodDtype):
        return pd.PeriodIndex(column, name=name)
    blank = column.isna()
    if blank.any():
        raise DataError(
            f"{source}: column {name!r} has no date in row {int(blank.argmax()) + 1} of the data"
        )
    if pd.api.types.is_numeric_dtype(column):
        return _years(column, name, source)
    text = column.astype(str)
    quarters = text.str.fullmatch(_QUARTER)
    if quarters.iloc[0]:
        if not quarters.all():
            raise _not_a_date(column, int((~quarters).argmax()), source)
        clean = text.str.replace(_QUARTER, r"\1Q\2", regex=True)
        return pd.PeriodIndex(clean, freq="Q", name=name)
    dates = pd.to_datetime(column, errors="coerce", format="ISO8601")
    if dates.isna().any():
        dates = _guessed(column, source)
    return pd.DatetimeIndex(dates, name=name)


def _years(column: pd.Series, name: str, source: str) -> pd.Index:
    good = (column == column.round()) & column.between(1000, 3000)
    if not good.all():
        raise _not_a_date(column, int((~good).argmax()), source)
    return pd.PeriodIndex(column.astype(int).astype(str), freq="Y", name=name)


def _guessed(column: pd.Series, source: str) -> pd.Series:
    """Dates in the one format that reads the first row, such as 1/31/1959."""
    first = str(column.iloc[0])
    form = pd.tseries.api.guess_datetime_format(first)
    dates = pd.to_datetime(column.astype(str), errors="coerce", format=form or "ISO8601")
    if dates.isna().any():
        raise _not_a_date(column, int(dates.isna().argmax()), source)
    return dates


def _not_a_date(column: pd.Series, row: int, source: str) -> DataError:
    return DataError(
        f"{source}: column {column.name!r} should hold dates, but row {row + 1} of the data is "
        f"{column.iloc[row]!r}; give years, quarters such as 1959Q1, or dates such as 1959-01-31, "
        "or name another column with --date"
    )
