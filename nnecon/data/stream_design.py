"""The design of data that are too long for memory: chunks in, blocks of a design matrix out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from nnecon.data.checks import (
    check_across_rows,
    check_dates,
    check_levels,
    check_new,
    endog_values,
    factor_values,
    kept_rows,
)
from nnecon.data.formula import build_matrix, check_bindings, evaluate, read_formula
from nnecon.data.frames import Table, as_frame, clean_column, inputs_for
from nnecon.data.matrix import Factor
from nnecon.data.names import caller_namespace
from nnecon.data.new_rows import check_columns, like_history
from nnecon.data.sample import align_values, check_missing_option, constant_column
from nnecon.data.stream import Stream
from nnecon.data.stream_columns import see_columns
from nnecon.data.stream_moments import Moments, moments_of
from nnecon.data.stream_rows import chosen_rows, condition_columns, in_chunk
from nnecon.data.stream_transforms import chunked
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text
from nnecon.exceptions import DataError, FormulaError

_ARRAYS = (np.ndarray, pd.Series, pd.DataFrame, list, tuple)

Block = tuple[np.ndarray, np.ndarray]
WeightedBlock = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class _Part:
    """The complete rows of a chunk."""

    endog: np.ndarray
    exog: np.ndarray
    weights: np.ndarray
    lost: Mapping[Factor, int]


class StreamDesign:
    """A formula and a stream of rows. Build one with :meth:`from_formula`.

    One chunk is in memory at a time. Transforms that need quantiles (``bs``, ``cr``, ``cc``,
    ``te``) hold the column they are applied to while they learn their knots.

    Attributes
    ----------
    formula : str
        The formula.
    stream : Stream
        The rows.
    endog_name : str
        Name of the dependent variable.
    exog_names : tuple of str
        Names of the p columns.
    const_index : int or None
        The column that is one in every row, None where there is none.
    n_obs, n_original : int
        Rows used, and rows given.
    weights : str or None
        Column of the observation weights.

    Examples
    --------
    >>> frame = pd.DataFrame({"y": [1.0, 2.0, 4.0, 9.0], "g": ["a", "b", "b", "c"]})
    >>> design = StreamDesign.from_formula("y ~ g", Stream.of(frame, chunk_rows=2))
    >>> design.exog_names, design.n_obs
    (('Intercept', 'g[T.b]', 'g[T.c]'), 4)
    >>> for endog, exog in design.blocks(np.float32):
    ...     print(endog, exog.tolist())
    [1. 2.] [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    [4. 9.] [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """

    shows_passes = True

    def __init__(
        self,
        formula: str,
        stream: Stream,
        subset: str | None,
        drop_cols: Sequence[str],
        missing: str,
        weights: str | None,
        names: Mapping[str, Any],
        progress: bool,
    ) -> None:
        check_missing_option(missing)
        self.stream, self.subset = stream, subset
        self.missing, self.weights, self._progress = missing, weights, progress
        self.drop_cols = tuple(drop_cols)
        parsed = read_formula(formula, list(stream.columns), names)
        self.formula = parsed.text
        if parsed.time_label is not None:
            raise FormulaError(
                f"{parsed.time_label} reaches over the borders of chunks, which a stream cannot "
                "do; make it a column of the data first, or give the data as one DataFrame"
            )
        self._parsed = replace(parsed, namespace=chunked(parsed.namespace))
        self._read = self._columns_read()
        self.n_original = 0
        self._types, self._n_chosen = see_columns(parsed.columns, self._chunks("Reading columns"))
        check_bindings(parsed, self.n_original)
        self._matrix = build_matrix(self._parsed, self._inputs, drop_cols)
        for factor in self._matrix.factors:
            check_dates(factor)
        check_levels(self._matrix, self._n_chosen)
        self.endog_name, self.exog_names = self._matrix.endog.label, self._matrix.names
        self.n_obs, self.const_index = self._counted()
        self._progress = progress and self.shows_passes

    @classmethod
    def from_formula(
        cls,
        formula: str,
        stream: Any,
        subset: str | None = None,
        drop_cols: Sequence[str] | str | None = None,
        missing: str = "drop",
        weights: str | None = None,
        env: Mapping[str, Any] | int = 0,
        progress: bool = False,
    ) -> "StreamDesign":
        """Build a design, reading the stream two or more times.

        Parameters
        ----------
        formula : str
            As for a DataFrame, but for ``lag``, ``diff`` and ``dlog``.
        stream : Stream, path, DataFrame, callable or list of DataFrame
            The rows; what is no :class:`Stream` is made one by :meth:`Stream.of`.
        subset : str, optional
            A condition such as ``"year >= 1985"`` on the columns of a row.
        drop_cols : sequence of str, optional
            Columns of the design matrix to leave out.
        missing : {"drop", "raise"}
            Whether rows with missing values are left out or are an error.
        weights : str, optional
            Column of the observation weights.
        env : mapping or int
            Where functions of the formula are looked up: names, or how many calls up the stack
            (0: where ``from_formula`` is called, -1: nowhere).
        progress : bool
            Show a progress bar for every pass.

        Raises
        ------
        FormulaError, DataError
            Errors about rows name the chunk, counted from one, besides column and row.
        """
        names = env if isinstance(env, Mapping) else caller_namespace(env)
        drop = [drop_cols] if isinstance(drop_cols, str) else list(drop_cols or ())
        return cls(formula, Stream.of(stream), subset, drop, missing, weights, names, progress)

    def blocks(self, dtype: Any = np.float64) -> Iterator[Block]:
        """Read the data once more, chunk by chunk.

        Parameters
        ----------
        dtype : dtype
            Floating type of what is given.

        Yields
        ------
        endog : ndarray, shape (m,)
        exog : ndarray, shape (m, p)
            Complete rows of a chunk, in order, at least one.

        Raises
        ------
        DataError
            The stream does not give the rows that it gave before.
        """
        for endog, exog, _ in self.weighted_blocks(dtype):
            yield endog, exog

    def weighted_blocks(self, dtype: Any = np.float64) -> Iterator[WeightedBlock]:
        """As :meth:`blocks`, with the observation weights, shape (m,); ones without ``weights``."""
        seen = 0
        for part in self._parts("Reading"):
            seen += len(part.endog)
            if len(part.endog):
                given = part.endog, part.exog, part.weights
                endog, exog, weights = (array.astype(dtype, copy=False) for array in given)
                yield endog, exog, weights
        if seen != self.n_obs:
            raise self._changed(seen, self.n_obs, "complete rows")

    @cached_property
    def moments(self) -> Moments:
        """Weighted moments and the triangle for least squares, found in one pass when asked for.

        Examples
        --------
        >>> frame = pd.DataFrame({"y": [1.0, 2.0, 4.0, 5.0], "x": [1.0, 2.0, 3.0, 4.0]})
        >>> fit = StreamDesign.from_formula("y ~ x", frame).moments.least_squares()
        >>> fit.params.round(10), fit.df_resid
        (array([-0.5,  1.4]), 2)
        """
        return moments_of(self.weighted_blocks(), self.const_index)

    def exog_for(self, new: Any) -> tuple[np.ndarray, pd.Index]:
        """Design matrix at new rows.

        Parameters
        ----------
        new : DataFrame
            New rows.

        Returns
        -------
        exog : ndarray, shape (m, p)
        index : pandas.Index
            Labels of the new rows, in their order.

        Raises
        ------
        ForecastError
            A regressor is missing; names column and row.
        DataError
            A column is missing, or a category is unknown.
        """
        frame = as_frame(new, "the new rows")
        check_columns(frame, self._right_columns(), self.formula)
        columns = {
            name: like_history(
                clean_column(frame, name, "the new rows"), self._types[name].example()
            )
            for name in self._right_columns()
        }
        rows, index = np.arange(len(frame)), frame.index
        inputs = self._inputs_of(columns, index, slice(None), self._parsed.right_expressions)
        values = [factor_values(factor, inputs, index) for factor in self._matrix.factors]
        check_new(self._matrix, values, inputs, index, None, rows)
        return self._matrix.assemble(values, len(frame)), index

    def exog_chunks(self, new: Any) -> Iterator[tuple[np.ndarray, pd.Index]]:
        """Design matrices of another stream, chunk by chunk, as :meth:`exog_for` gives them.

        Parameters
        ----------
        new : Stream, path, DataFrame, callable or list of DataFrame
            The new rows.
        """
        stream, columns = Stream.of(new), self._right_columns()
        check_columns(pd.DataFrame(columns=list(stream.columns)), columns, self.formula)
        for number, frame in enumerate(stream.chunks(columns or stream.columns[:1]), start=1):
            with in_chunk(number):
                found = self.exog_for(frame)
            yield found

    def _right_columns(self) -> list[str]:
        right = self._parsed.right_expressions
        return list(dict.fromkeys(name for e in right for name in e.columns.values()))

    def _columns_read(self) -> list[Any]:
        """Columns of the formula, the weights and, as far as they are named, the condition."""
        columns, known = list(self._parsed.columns), self.stream.columns
        if self.weights is not None:
            if not isinstance(self.weights, str):
                raise DataError(
                    "weights must name a column of the stream, not be a "
                    f"{type(self.weights).__name__}"
                )
            if self.weights not in known:
                raise DataError(
                    f"weights: unknown column {self.weights!r}; {suggestion(self.weights, known)}"
                )
            columns.append(self.weights)
        if self.subset is not None:
            columns += condition_columns(self.subset, known)
        return list(dict.fromkeys(columns))

    def _chunks(self, doing: str) -> Iterator[tuple[int, pd.DataFrame, np.ndarray]]:
        """Number, rows and chosen positions of every chunk, with a bar."""
        seen, number = 0, 0
        total = self.stream.n_rows
        with tqdm(
            desc=doing, unit="row", unit_scale=True, total=total, disable=not self._progress,
            leave=False,
        ) as bar:  # fmt: skip
            for number, frame in enumerate(self.stream.chunks(self._read), start=1):
                with in_chunk(number):
                    rows = chosen_rows(frame, self.subset)
                yield number, frame, rows
                seen += len(frame)
                bar.update(len(frame))
        if number == 0:
            raise DataError(f"{self.stream.name} holds no rows")
        if self.n_original and seen != self.n_original:
            raise self._changed(seen, self.n_original, "rows")
        self.n_original = seen

    def _changed(self, now: int, before: int, what: str) -> DataError:
        return DataError(
            f"{self.stream.name} gave {before} {what} in the first pass and {now} in this one; a "
            "stream must give the same rows every time: a function must make its iterator anew, "
            "and a file must stay as it is"
        )

    def _inputs(self) -> Iterator[Mapping[str, pd.Series]]:
        """Inputs of the formula, a chunk at a time, for patsy to learn from."""
        for number, frame, rows in self._chunks("Learning transforms"):
            if len(rows):
                yield self._table(number, frame, rows)[1]

    def _table(
        self, number: int, frame: pd.DataFrame, rows: np.ndarray
    ) -> tuple[Table, Mapping[str, pd.Series]]:
        with in_chunk(number):
            columns = {name: column.read(frame) for name, column in self._types.items()}
            whole: Any = slice(None) if len(rows) == len(frame) else rows
            inputs = self._inputs_of(columns, frame.index, whole, self._parsed.expressions)
        return Table(columns, frame.index, None, None), inputs

    def _inputs_of(
        self, columns: Mapping[Any, pd.Series], index: pd.Index, rows: Any, expressions: Any
    ) -> Mapping[str, pd.Series]:
        table = Table(columns, index, None, None)
        return inputs_for(expressions, table, rows, self._parsed.namespace, evaluate)

    def _parts(
        self, doing: str, check: Callable[[Mapping[str, pd.Series]], None] | None = None
    ) -> Iterator[_Part]:
        """Complete rows of every chunk with chosen rows."""
        matrix = self._matrix
        for number, frame, rows in self._chunks(doing):
            if len(rows) == 0:
                continue
            table, inputs = self._table(number, frame, rows)
            index = frame.index if len(rows) == len(frame) else frame.index[rows]
            with in_chunk(number):
                if check is not None:
                    check(inputs)
                endog = endog_values(matrix.endog, inputs, index)
                values = [factor_values(factor, inputs, index) for factor in matrix.factors]
                absent = {matrix.endog: np.isnan(endog)}
                for factor, value in zip(matrix.factors, values, strict=True):
                    gone = value < 0 if value.ndim == 1 else np.isnan(value).any(axis=1)
                    absent[factor] = gone
                keep = ~np.logical_or.reduce(list(absent.values()))
                if self.missing != "drop" and not keep.all():
                    kept_rows(table, rows, matrix, endog, values, inputs, self.missing)
                if not keep.all():
                    endog, rows = endog[keep], rows[keep]
                    values = [value[keep] for value in values]
                weights = self._weights(frame, rows)
            exog = matrix.assemble(values, len(rows))
            yield _Part(endog, exog, weights, {f: int(gone.sum()) for f, gone in absent.items()})

    def _weights(self, frame: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        if self.weights is None or len(rows) == 0:
            return np.ones(len(rows))
        name, index = f"weights ({self.weights!r})", frame.index[rows]
        column = frame[self.weights].iloc[rows]
        values = align_values(column, name, index, np.arange(len(rows))).astype(float)
        if (values <= 0).any():
            at = int(np.argmax(values <= 0))
            raise DataError(
                f"{name} must be positive, but row {label_text(index[at])} has {values[at]:g}; "
                "leave the row out with subset="
            )
        return values

    def _counted(self) -> tuple[int, int | None]:
        """Count complete rows, find the constant, and check every chunk on the way."""
        n, lost = 0, dict.fromkeys((self._matrix.endog, *self._matrix.factors), 0)
        ones = np.ones(len(self.exog_names), dtype=bool)
        for part in self._parts("Checking rows", self._check_chunk):
            n += len(part.endog)
            ones &= (part.exog == 1.0).all(axis=0)
            for factor, count in part.lost.items():
                lost[factor] += count
        if n == 0:
            worst = max(lost, key=lambda factor: lost[factor])
            raise DataError(
                f"no row of {self._n_chosen} is complete; {worst.label!r} is missing in "
                f"{lost[worst]} of them"
            )
        stand_in = np.where(ones, 1.0, 0.0)
        return n, constant_column(np.vstack([stand_in] * min(n, 2)), self.exog_names)

    def _check_chunk(self, inputs: Mapping[str, pd.Series]) -> None:
        n = len(next(iter(inputs.values())))
        for factor in (self._matrix.endog, *self._matrix.factors):
            if factor is not self._matrix.endog:
                check_across_rows(factor, inputs)
            values = [self._parsed.namespace[name] for name in factor.expression.bound]
            if n > 1 and any(isinstance(v, _ARRAYS) and len(v) == n for v in values):
                # an array as long as the chunk: knots are fine, data from outside are not
                half = {name: column.iloc[: n // 2] for name, column in inputs.items()}
                factor_values(factor, half, next(iter(half.values())).index)
