"""Streams: data that come in chunks, from files or frames, and can be read several times."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.frames import as_frame
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import listing
from nnecon.exceptions import DataError

CHUNK_ROWS = 32_768
"""Rows of a chunk where the user does not say: 5 MB for 20 columns of float64. A pass holds several
copies of a chunk, so that with twice as many rows they took more memory than the data kept."""

_BUFFER = 1 << 18
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_READING_ERRORS = (ValueError, OSError, pd.errors.ParserError, pd.errors.EmptyDataError)
_AGAIN = (
    "a stream is read several times (to learn categories, to scale, once an epoch), and this can "
    "be read only once; pass a function without arguments that makes it anew"
)

Reader = Callable[[Sequence[str] | None], Iterator[pd.DataFrame]]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Rows in chunks, as often as needed. Make one with :meth:`of`.

    Attributes
    ----------
    name : str
        Where the rows come from, for messages.
    columns : tuple
        Columns of every chunk.
    chunk_rows : int
        No chunk is longer.
    n_rows : int or None
        Rows in all, where that is known before they are read.
    read : callable
        Starts a pass over the source, with at least the columns given, or (None) with all.

    Examples
    --------
    >>> frame = pd.DataFrame({"y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0]})
    >>> stream = Stream.of(frame, chunk_rows=2)
    >>> [len(chunk) for chunk in stream], [len(chunk) for chunk in stream.chunks(["x"])]
    ([2, 1], [2, 1])
    """

    name: str
    columns: tuple[Any, ...]
    chunk_rows: int
    n_rows: int | None
    read: Reader

    @classmethod
    def of(
        cls, source: Any, chunk_rows: int = CHUNK_ROWS, dtype: Mapping[str, Any] | None = None
    ) -> "Stream":
        """Make a stream of whatever holds the data.

        Parameters
        ----------
        source : path, DataFrame, callable, list of DataFrame, or Stream
            A ``.parquet``, ``.csv`` or ``.tsv`` file; a frame; a function without arguments that
            returns an iterator of frames and gives the same frames at every call; or the frames.
        chunk_rows : int
            Rows of a chunk, at least two; longer frames are cut.
        dtype : mapping, optional
            Types of columns of a ``.csv`` or ``.tsv`` file, as in ``pandas.read_csv``. Types that
            are guessed may differ from chunk to chunk.

        Raises
        ------
        DataError
            There is no such file, it holds no rows, or the source can be read only once.
        """
        if isinstance(source, Stream):
            return source
        if isinstance(chunk_rows, bool) or not isinstance(chunk_rows, int | np.integer):
            raise DataError(f"chunk_rows must be a whole number, not {chunk_rows!r}")
        if chunk_rows < 2:
            raise DataError(f"chunk_rows is {chunk_rows}, but a chunk needs two rows or more")
        rows = int(chunk_rows)
        is_path = isinstance(source, str | Path)
        if dtype is not None and not (is_path and Path(source).suffix.lower() in _SEPARATORS):
            raise DataError(
                "dtype is for .csv and .tsv files; other sources have types of their own"
            )
        if is_path:
            return _of_path(Path(source), rows, dtype)
        if isinstance(source, pd.DataFrame | Mapping):
            frame = as_frame(source).copy(deep=False)
            columns = tuple(frame.columns)
            return cls("the frame", columns, rows, len(frame), lambda wanted: iter([frame]))
        if isinstance(source, Iterator):
            raise DataError(f"cannot stream a {type(source).__name__}: {_AGAIN}")
        if callable(source):
            return _of_frames(partial(_called, source), "the function's frames", rows, None)
        if isinstance(source, list | tuple):
            held = tuple(source)
            total = sum(len(part) for part in held if isinstance(part, pd.DataFrame))
            return _of_frames(lambda: iter(held), "the list of frames", rows, total)
        raise DataError(
            f"cannot stream a {type(source).__name__}; give a .parquet, .csv or .tsv file, a "
            "DataFrame, a list of DataFrames, or a function that returns an iterator of them"
        )

    def chunks(self, columns: Iterable[Any] | None = None) -> Iterator[pd.DataFrame]:
        """Read the rows once more, chunk by chunk; chunks without rows are left out.

        Parameters
        ----------
        columns : iterable, optional
            Columns to read; all by default. A Parquet or CSV file is read no further.

        Raises
        ------
        DataError
            Names the chunk, and the column that it lacks or has besides.
        """
        wanted = None if columns is None else list(dict.fromkeys(columns))
        for name in wanted or ():
            if name not in self.columns:
                raise DataError(
                    f"{self.name}: there is no column {name!r}; {suggestion(name, self.columns)}"
                )
        for frame in self.read(wanted):
            for start in range(0, len(frame), self.chunk_rows):
                # rows before columns: choosing columns copies
                chunk = frame.iloc[start : start + self.chunk_rows]
                yield chunk if wanted is None else chunk[wanted]

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return self.chunks()


def _called(source: Callable[[], Any]) -> Iterator[Any]:
    given = source()
    if isinstance(given, pd.DataFrame) or not isinstance(given, Iterable):
        raise DataError(
            f"the function must return an iterator of DataFrames, not a {type(given).__name__}"
        )
    return iter(given)


def _of_frames(
    start: Callable[[], Iterator[Any]], name: str, rows: int, total: int | None
) -> Stream:
    first = next((frame for frame in _checked(start(), None) if len(frame)), None)
    if first is None:
        raise DataError(f"{name} hold no rows; check how they were read or filtered")
    columns = tuple(first.columns)

    return Stream(name, columns, rows, total, lambda wanted: _checked(start(), columns))


def _checked(frames: Iterator[Any], columns: tuple[Any, ...] | None) -> Iterator[pd.DataFrame]:
    """Frames with rows, after a look at their columns; chunks are counted from one."""
    for number, frame in enumerate(frames, start=1):
        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"chunk {number} is a {type(frame).__name__}, not a DataFrame")
        if len(frame) == 0:
            continue
        if columns is not None and set(frame.columns) != set(columns):
            absent = [name for name in columns if name not in frame.columns]
            besides = [name for name in frame.columns if name not in columns]
            problem = (
                f"lacks the column {listing(absent, 3)}"
                if absent
                else f"has the column {listing(besides, 3)} besides"
            )
            raise DataError(
                f"chunk {number} {problem}, unlike the chunks before it; give all chunks the same "
                "columns"
            )
        yield frame


def _of_path(path: Path, rows: int, dtype: Mapping[str, Any] | None) -> Stream:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _of_parquet(path, rows)
    if kind not in _SEPARATORS:
        raise DataError(
            f"{path}: cannot read {path.suffix!r} files in chunks, only .parquet, .csv and .tsv; "
            "read it whole with nnecon.read_table"
        )
    options = {"sep": _SEPARATORS[kind], "dtype": dtype}
    try:
        columns = tuple(pd.read_csv(path, nrows=0, **options).columns)
    except _READING_ERRORS as error:
        raise _unreadable(path, error) from error
    return Stream(str(path), columns, rows, None, partial(_read_csv, path, rows, options))


def _read_csv(
    path: Path, rows: int, options: Mapping[str, Any], columns: Sequence[str] | None
) -> Iterator[pd.DataFrame]:
    try:
        # types are guessed once a chunk; by default pandas guesses several times within it
        with pd.read_csv(
            path, usecols=columns, chunksize=rows, low_memory=False, **options
        ) as reader:
            yield from (frame for frame in reader if len(frame))
    except _READING_ERRORS as error:
        raise _unreadable(path, error) from error


def _parquet_file(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            f"{path}: reading .parquet files needs another package; install it with "
            "pip install 'nnecon[io]'"
        ) from error
    try:
        # otherwise a whole row group, often a million rows, is held while its batches are read
        return parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
    except _READING_ERRORS as error:
        raise _unreadable(path, error) from error


def _of_parquet(path: Path, rows: int) -> Stream:
    with _parquet_file(path) as file:
        schema, total = file.schema_arrow, file.metadata.num_rows
    held = (schema.pandas_metadata or {}).get("index_columns", [])
    labels = [name for name in held if isinstance(name, str)]
    steps = next((kind for kind in held if isinstance(kind, dict)), {"start": 0, "step": 1})
    columns = tuple(name for name in schema.names if name not in labels)
    read = partial(_read_parquet, path, rows, labels, steps)
    if total == 0:
        raise DataError(f"{path} holds no rows")
    return Stream(str(path), columns, rows, total, read)


def _read_parquet(
    path: Path,
    rows: int,
    labels: Sequence[str],
    steps: Mapping[str, Any],
    columns: Sequence[str] | None,
) -> Iterator[pd.DataFrame]:
    wanted = None if columns is None else [*columns, *labels]
    start, step = int(steps["start"]), int(steps["step"])
    with _parquet_file(path) as file:
        try:
            for batch in file.iter_batches(rows, columns=wanted, use_threads=False):
                frame = batch.to_pandas()
                if not labels:
                    stop = start + step * len(frame)
                    frame.index = pd.RangeIndex(start, stop, step)
                    start = stop
                yield frame
        except _READING_ERRORS as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DataError(f"{path} cannot be read as a table: {reason}")
