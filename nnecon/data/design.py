"""The design: what an estimator sees of the data, and how it meets new rows.

A :class:`Design` turns a formula and a frame, or arrays, into a :class:`Sample`, remembers what is
needed to treat new rows alike (lags continue in the estimation data, splines keep their knots,
categories their levels), and says how the design moves with each :class:`Regressor`.
"""

import importlib
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.array_design import ArraySource
from nnecon.data.formula_design import FormulaSource
from nnecon.data.frames import as_frame
from nnecon.data.moving_rows import FormulaRows, MovingRows
from nnecon.data.names import caller_namespace
from nnecon.data.regressors import Regressor
from nnecon.data.sample import Sample, align_values
from nnecon.data.storage import pack_index, unpack_index
from nnecon.data.syntax import suggestion
from nnecon.exceptions import DataError, SpecificationError

__all__ = ["Design", "Regressor", "Sample", "caller_namespace"]


class Design:
    """Data as an estimator sees them. Build one with :meth:`from_formula` or :meth:`from_arrays`.

    Attributes
    ----------
    formula : str or None
        The formula, None in the array interface.
    sample : Sample
        The rows used in estimation.
    regressors : tuple of Regressor
        Quantities with a partial effect, in the order in which they enter.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"y": [1.0, 3.0, 2.0, 5.0, 4.0], "x": [1.0, 2.0, 3.0, 4.0, 5.0]},
    ...     index=pd.period_range("2001", periods=5, freq="Y"),
    ... )
    >>> design = Design.from_formula("y ~ x + lag(y, 1)", frame)
    >>> design.sample.exog_names, design.sample.nobs, design.sample.n_original
    (('Intercept', 'x', 'lag(y, 1)'), 4, 5)
    >>> new = pd.DataFrame({"x": [6.0]}, index=pd.period_range("2006", periods=1, freq="Y"))
    >>> design.exog_for(new)[0]
    array([[1., 6., 4.]])
    """

    def __init__(
        self, source: FormulaSource | ArraySource, frame: pd.DataFrame | None, index: pd.Index
    ) -> None:
        self._source, self._frame, self._index = source, frame, index
        self._by_name = {regressor.name: regressor for regressor in source.regressors}

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Sequence[str] | None = None,
        missing: str = "drop",
        env: Mapping[str, Any] | int = 0,
    ) -> "Design":
        """Build a design from a formula.

        Parameters
        ----------
        formula : str
            As in patsy, with ``lag(x, k)``, ``lag(x, first, last)``, ``diff(x, k)`` and
            ``dlog(x, k)`` besides.
        data : DataFrame
            One row an observation; lags go by the periods of its index.
        subset : array_like or str, optional
            Rows to use: labels, a boolean array, a slice, or a condition such as
            ``"year >= 1985"``. Lags are computed before.
        drop_cols : sequence of str, optional
            Columns of the design matrix to leave out.
        missing : {"drop", "raise"}
            Whether rows with missing values are left out or are an error. Rows that lags cost at
            the start are always left out.
        env : mapping or int
            Where functions of the formula are looked up: names, or how many calls up the stack
            (0: where ``from_formula`` is called, -1: nowhere).

        Raises
        ------
        FormulaError, DataError
        """
        names = env if isinstance(env, Mapping) else caller_namespace(env)
        frame = as_frame(data).copy(deep=False)
        source = FormulaSource.build(formula, frame, subset, drop_cols, missing, names)
        return cls(source, frame, frame.index)

    @classmethod
    def from_arrays(cls, endog: Any, exog: Any, missing: str = "raise") -> "Design":
        """Build a design from arrays, series or frames.

        Parameters
        ----------
        endog : array_like, shape (n,)
            The dependent variable.
        exog : array_like, shape (n, p)
            The regressors; no intercept is added.
        missing : {"raise", "drop", "none"}
            What to do about missing values; ``"none"`` raises as well.

        Examples
        --------
        >>> design = Design.from_arrays([1.0, 2.0, 4.0], [[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]])
        >>> design.sample.exog_names, design.sample.const_index
        (('const', 'x1'), 0)
        """
        source = ArraySource(endog, exog, missing)
        return cls(source, None, source.original_index)

    def on(self, data: Any) -> "Design":
        """The same formula on other data; what it remembers of a sample (knots, means) is new.

        Raises
        ------
        SpecificationError
            There is no formula, or only a part of the rows was used.
        """
        source = self._source
        if isinstance(source, ArraySource):
            raise SpecificationError(
                "a model of arrays cannot be built on other data; use from_formula."
            )
        if len(source.chosen) != len(self._index):
            raise SpecificationError(
                "a model with subset= cannot be built on other data, since it is not known which "
                "of their rows are meant; leave the rows out of the data."
            )
        frame = as_frame(data).copy(deep=False)
        made = FormulaSource.build(
            source.formula, frame, None, source.drop_cols, source.missing, source.parsed.bindings
        )
        return Design(made, frame, frame.index)

    @property
    def frame(self) -> pd.DataFrame | None:
        """The data that a formula was given; None in the array interface and after loading."""
        return self._frame

    @property
    def formula(self) -> str | None:
        """The formula, None in the array interface."""
        return self._source.formula

    @property
    def sample(self) -> Sample:
        """The rows used in estimation."""
        return self._source.sample

    @property
    def regressors(self) -> tuple[Regressor, ...]:
        """Quantities with a partial effect."""
        return self._source.regressors

    @property
    def missing(self) -> str:
        """How missing values were treated."""
        return self._source.missing

    def regressor(self, name: str | Regressor) -> Regressor:
        """Find a regressor by name; a variable's name will do where it is unique."""
        if isinstance(name, Regressor):
            name = name.name
        if name in self._by_name:
            return self._by_name[name]
        same = [regressor for regressor in self.regressors if regressor.variable == name]
        if len(same) == 1:
            return same[0]
        known = list(self._by_name)
        text = suggestion(str(name), known).replace("columns", "regressors")
        raise SpecificationError(f"{name!r} is no regressor of the model; {text}")

    def align(self, values: Any, name: str) -> np.ndarray:
        """Bring weights or groups to the rows of the sample.

        Parameters
        ----------
        values : str, list of str, Series or array_like
            A column of the data (or several), or one value a row of the data or of the sample. A
            Series goes by its labels, an array by position.
        name : str
            What they are, for messages: ``"weights"``.

        Returns
        -------
        ndarray, shape (n,)
            Or (n, k) for several columns.

        Raises
        ------
        DataError
            A value is missing or infinite, or lengths or labels do not match.
        """
        columns = [values] if isinstance(values, str) else values
        if isinstance(columns, list | tuple) and columns and isinstance(columns[0], str):
            if self._frame is None:
                raise DataError(
                    f"{name}={columns[0]!r} names a column, but the frame is not at hand (array "
                    "interface, or a loaded model); pass the values"
                )
            for column in columns:
                if column not in self._frame.columns:
                    raise DataError(
                        f"{name}: unknown column {column!r}; "
                        f"{suggestion(str(column), self._frame.columns)}"
                    )
            chosen = self._frame[columns[0]] if isinstance(values, str) else self._frame[columns]
            name = f"{name} ({columns[0]!r})" if isinstance(values, str) else name
            if len(chosen) == len(self._index):
                rows = self.sample.rows
                return align_values(
                    chosen.iloc[rows], name, self._index[rows], np.arange(len(rows))
                )
            values = chosen
        return align_values(values, name, self._index, self.sample.rows)

    def exog_for(self, new: Any = None) -> tuple[np.ndarray, pd.Index]:
        """Design matrix at new rows.

        Parameters
        ----------
        new : DataFrame or array_like, optional
            New rows; lags reach into the new rows themselves first and else into the data of the
            estimation. None gives the sample.

        Returns
        -------
        exog : ndarray, shape (m, p)
        index : pandas.Index
            Labels of the new rows, in their order.

        Raises
        ------
        ForecastError
            A value that a regressor needs is not there; names regressor, row and period.
        DataError
            A column is missing, or a category is unknown.
        """
        if new is None:
            return self.sample.exog, self.sample.index
        return self._source.exog_for(new)

    def endog_for(self, new: Any) -> np.ndarray:
        """The left-hand side of the formula at new rows, NaN where it is missing, shape (m,)."""
        if not isinstance(self._source, FormulaSource):
            raise SpecificationError("a model of arrays has no formula for the dependent variable.")
        return self._source.endog_for(new)

    def direction(self, regressor: Regressor | str, new: Any = None) -> np.ndarray:
        """Derivative of the design columns with respect to a continuous regressor.

        Parameters
        ----------
        regressor : Regressor or str
            The regressor.
        new : DataFrame or array_like, optional
            Where; None is the sample.

        Returns
        -------
        ndarray, shape (m, p)
            In units of the column per unit of the regressor.

        Examples
        --------
        >>> frame = pd.DataFrame({"y": [1.0, 3.0, 2.0], "x": [1.0, 2.0, 3.0], "z": [5.0, 1.0, 0.0]})
        >>> Design.from_formula("y ~ x * z", frame).direction("x")
        array([[0., 1., 0., 5.],
               [0., 1., 0., 1.],
               [0., 1., 0., 0.]])
        """
        found = self.regressor(regressor)
        if found.kind == "category":
            raise SpecificationError(f"{found.name!r} is a category; use contrast()")
        return self.moving_rows(new).direction(found)

    def contrast(
        self, regressor: Regressor | str, new: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Design matrices with a category at its level and at its reference, in every row.

        Returns
        -------
        level, reference : ndarray, shape (m, p)
        """
        found = self.regressor(regressor)
        if found.kind != "category":
            raise SpecificationError(f"{found.name!r} is continuous; use direction()")
        return self.moving_rows(new).contrast(found)

    def moving_rows(self, new: Any = None) -> MovingRows:
        """Rows whose variables can be set, taken from other rows, or differentiated by.

        Parameters
        ----------
        new : DataFrame or array_like, optional
            Which rows; None is the sample.

        Examples
        --------
        >>> frame = pd.DataFrame({"y": [1.0, 3.0, 2.0], "x": [1.0, 2.0, 3.0]})
        >>> design = Design.from_formula("y ~ x + I(x**2)", frame)
        >>> design.moving_rows().set({"x": 5.0}).exog[0]
        array([ 1.,  5., 25.])
        """
        source = self._source
        if isinstance(source, FormulaSource):
            values, inputs, index = source._at(new)
            return FormulaRows(source.matrix, source.places, inputs, values, index)
        return source.moving_rows(new)

    def mover(self, name: str) -> Regressor:
        """What moves with a name: a regressor, or any level of the category so named."""
        for regressor in self.regressors:
            if regressor.kind == "category" and name == regressor.variable:
                return regressor
        return self.regressor(name)

    def levels(self, regressor: Regressor | str) -> tuple[Any, ...]:
        """Levels of a category, the reference among them, in order; empty for a number."""
        found = self.regressor(regressor)
        if found.kind != "category" or isinstance(self._source, ArraySource):
            return ()
        k = self._source.places[found.name].factors[0]
        return self._source.matrix.factors[k].levels

    def observed(self, regressor: Regressor | str) -> np.ndarray:
        """Values of a regressor in the sample, shape (n,); labels for a category."""
        return self._source.observed(self.regressor(regressor))

    def describe_column(self, j: int) -> str:
        """Say in words what is odd about a column of the design matrix, or its range."""
        return self._source.describe_column(j)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What is needed to build the design again, as JSON and arrays.

        Only columns that the formula uses are held, and no code: functions of the caller's have to
        be passed to :meth:`from_state`.
        """
        index, arrays = pack_index(self._index, "index")
        meta, held = self._source.state()
        return {**meta, "index": index}, {**arrays, **held}

    @classmethod
    def from_state(
        cls,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        functions: Mapping[str, Any] | None = None,
    ) -> "Design":
        """Build a design from what :meth:`state` gave.

        The formula is evaluated only if it is plain arithmetic with the formula helpers, NumPy's
        elementwise functions, and functions passed here.

        Parameters
        ----------
        meta, arrays
            What :meth:`state` returned.
        functions : mapping, optional
            Functions of yours that the formula calls, by name.

        Raises
        ------
        SpecificationError
            The formula needs a function that was not passed, or does more than arithmetic.
        """
        return cls._from_state(meta, arrays, functions or {}, trusted=False)

    @classmethod
    def _from_state(
        cls,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        functions: Mapping[str, Any],
        trusted: bool,
    ) -> "Design":
        held = dict(arrays)
        index = unpack_index(dict(meta["index"]), held, "index")
        if meta["kind"] == "arrays":
            return cls(ArraySource.from_state(meta, held, index), None, index)
        return cls(FormulaSource.from_state(meta, held, index, functions, trusted), None, index)

    def __reduce__(self) -> tuple[Any, ...]:
        # patsy's objects cannot be pickled, so the design is built again from its state
        meta, arrays = self.state()
        functions: dict[str, Any] = {}
        if isinstance(self._source, FormulaSource):
            bound = self._source.parsed.bindings
            functions = {name: _by_name(bound[name]) for name in meta["functions"]}
        return _restored, (meta, arrays, functions)


def _by_name(value: Any) -> Any:
    """Modules cannot be pickled; their names can."""
    return ("module", value.__name__) if isinstance(value, types.ModuleType) else value


def _restored(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], functions: Mapping[str, Any]
) -> Design:
    """Build a design from a pickle of this process's own making."""
    names = {
        name: importlib.import_module(value[1]) if isinstance(value, tuple) else value
        for name, value in functions.items()
    }
    return Design._from_state(meta, arrays, names, trusted=True)
