"""A design that comes from a formula and a frame."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.assembly import Rows, Values, assembled, own_column
from nnecon.data.checks import (
    check_across_rows,
    check_all_missing,
    check_dates,
    check_levels,
    check_new,
    endog_values,
    factor_values,
    kept_rows,
)
from nnecon.data.formula import build_matrix, check_bindings, evaluate, read_formula
from nnecon.data.frames import Table, as_frame, clean_column, combine, inputs_for
from nnecon.data.names import bindings_to_state
from nnecon.data.new_rows import check_columns, like_history, without_atoms, without_columns
from nnecon.data.regressors import (
    Regressor,
    find_regressors,
)
from nnecon.data.sample import (
    Sample,
    check_missing_option,
    constant_column,
    in_time_order,
    labels_at,
    subset_rows,
)
from nnecon.data.storage import State, pack_values, unpack_values
from nnecon.data.time_axis import TimeAxis, check_order, label_text
from nnecon.exceptions import ForecastError, SpecificationError


class FormulaSource:
    """Everything that a formula design remembers: the columns it uses, and patsy's memory of them.

    Parameters
    ----------
    formula : str
        The formula.
    frame : DataFrame
        The data, history included.
    rows : ndarray of int
        Positions to use, before missing rows are dropped.
    drop_cols : sequence of str
        Design columns to leave out.
    missing : {"drop", "raise"}
        What to do about missing values.
    names : mapping
        The caller's environment.
    trusted : bool
        False where the formula comes from a file.
    """

    def __init__(
        self,
        formula: str,
        frame: pd.DataFrame,
        rows: np.ndarray,
        drop_cols: Sequence[str],
        missing: str,
        names: Mapping[str, Any],
        trusted: bool = True,
    ) -> None:
        check_missing_option(missing)
        self.missing, self.drop_cols = missing, tuple(drop_cols)
        self.parsed = parsed = read_formula(formula, list(frame.columns), names, trusted)
        self.formula = parsed.text
        check_order(frame.index)
        check_bindings(parsed, len(frame))
        needed_by = parsed.time_label
        axis = None if needed_by is None else TimeAxis.of(frame.index, needed_by)
        self.table = Table(
            {name: own_column(frame, name) for name in parsed.columns},
            frame.index,
            None if axis is None else axis.ordinals(frame.index),
            axis,
        )
        self.chosen = rows
        inputs = self._inputs_at(rows)
        check_all_missing(parsed.expressions, inputs, self.table, rows)
        index = frame.index[rows]
        self.matrix = matrix = build_matrix(parsed, lambda: [inputs], self.drop_cols)
        endog = endog_values(matrix.endog, inputs, index)
        for factor in matrix.factors:
            check_dates(factor)
            check_across_rows(factor, inputs)
        check_levels(matrix, len(rows))
        exog, keep = assembled(matrix, inputs, index, ~np.isnan(endog))
        if not keep.any() or (missing != "drop" and not keep.all()):
            values = [factor_values(factor, inputs, index) for factor in matrix.factors]
            kept_rows(self.table, rows, matrix, endog, values, inputs, missing)
        kept = rows if keep.all() else rows[keep]
        self.sample = Sample(
            endog=endog[keep],
            exog=exog,
            endog_name=matrix.endog.label,
            exog_names=matrix.names,
            index=labels_at(frame.index, kept),
            rows=kept,
            n_original=len(frame),
            is_time_series=in_time_order(frame.index[kept], axis is not None),
            const_index=constant_column(exog, matrix.names),
        )
        there = Rows(inputs, keep)
        found = find_regressors(matrix, there, Values(matrix, there, self.sample.index))
        self.regressors = tuple(regressor for regressor, _ in found)
        self.places = {regressor.name: place for regressor, place in found}

    @classmethod
    def build(
        cls,
        formula: str,
        data: Any,
        subset: Any,
        drop_cols: Sequence[str] | None,
        missing: str,
        names: Mapping[str, Any],
    ) -> "FormulaSource":
        """Build from what a user gives."""
        frame = as_frame(data)
        drop = [drop_cols] if isinstance(drop_cols, str) else list(drop_cols or ())
        # deep copy of the columns used comes with cleaning; the caller keeps the rest
        return cls(formula, frame, subset_rows(frame, subset), drop, missing, names)

    def _inputs_at(self, rows: np.ndarray) -> dict[str, pd.Series]:
        # all rows in a row are a slice, which copies nothing
        whole: Any = slice(None) if len(rows) == len(self.table.index) else rows
        parsed = self.parsed
        return inputs_for(parsed.expressions, self.table, whole, parsed.namespace, evaluate)

    @cached_property
    def inputs(self) -> Mapping[str, pd.Series]:
        """Columns and atoms on the sample, for effects; made when first asked for."""
        return self._inputs_at(self.sample.rows)

    @cached_property
    def values(self) -> Sequence[np.ndarray]:
        """Factor values on the sample, for effects; made when first asked for."""
        index = self.sample.index
        return [factor_values(factor, self.inputs, index) for factor in self.matrix.factors]

    def state(self) -> State:
        """The formula, the columns it uses, and plain values from the caller's environment."""
        plain, functions = bindings_to_state(self.parsed.bindings)
        columns, arrays = [], {"chosen": self.chosen}
        for j, (name, column) in enumerate(self.table.columns.items()):
            described, held = pack_values(column, f"column.{j}")
            columns.append([name, described])
            arrays |= held
        meta = {
            "kind": "formula",
            "formula": self.formula,
            "missing": self.missing,
            "drop_cols": list(self.drop_cols),
            "columns": columns,
            "bindings": plain,
            "functions": functions,
        }
        return meta, arrays

    @classmethod
    def from_state(
        cls,
        meta: Mapping[str, Any],
        arrays: dict[str, np.ndarray],
        index: pd.Index,
        functions: Mapping[str, Any],
        trusted: bool,
    ) -> "FormulaSource":
        """Build from what :meth:`state` gave, evaluating the formula anew."""
        lacking = [name for name in meta["functions"] if name not in functions]
        if lacking:
            raise SpecificationError(
                f"the saved formula calls {lacking[0]}(), a function of yours that a file cannot "
                f"hold; pass it when loading: functions={{{lacking[0]!r}: {lacking[0]}}}"
            )
        columns = {
            name: pd.Series(unpack_values(described, arrays, f"column.{j}").array, index)
            for j, (name, described) in enumerate(meta["columns"])
        }
        return cls(
            meta["formula"],
            pd.DataFrame(columns, index=index),
            arrays["chosen"],
            meta["drop_cols"],
            meta["missing"],
            {**meta["bindings"], **functions},
            trusted,
        )

    def exog_for(self, new: Any) -> tuple[np.ndarray, pd.Index]:
        """Design matrix at new rows."""
        values, _, index = self._at(new)
        return self.matrix.assemble(values, len(index)), index

    def endog_for(self, new: Any) -> np.ndarray:
        """The left-hand side at new rows, NaN where it is missing; it reads no other rows."""
        frame = as_frame(new, "the new rows")
        left = [factor.expression for term in self.parsed.left for factor in term.factors]
        check_columns(
            frame, dict.fromkeys(c for e in left for c in e.columns.values()), self.formula
        )
        columns = {
            name: clean_column(frame, name, "the new rows")
            for expression in left
            for name in expression.columns.values()
        }
        here = Table(columns, frame.index, None, None)
        inputs = inputs_for(left, here, np.arange(len(frame)), self.parsed.namespace, evaluate)
        return endog_values(self.matrix.endog, inputs, frame.index)

    def observed(self, regressor: Regressor) -> np.ndarray:
        """Values of a regressor in the sample; labels for a category."""
        place = self.places[regressor.name]
        if regressor.kind == "category":
            k = place.factors[0]
            levels = np.empty(len(self.matrix.factors[k].levels), dtype=object)
            levels[:] = self.matrix.factors[k].levels
            return levels[self.values[k]]
        if place.source is None:
            return self.values[place.factors[0]][:, 0].copy()
        return np.asarray(self.inputs[place.source], dtype=float)

    def describe_column(self, j: int) -> str:
        """Say in words what is odd about a design column, or what it is."""
        name = self.sample.exog_names[j]
        for piece in self.matrix.pieces[j]:
            factor = self.matrix.factors[piece.factor]
            if factor.kind != "categorical":
                continue
            counts = np.bincount(self.values[piece.factor], minlength=len(factor.levels))
            for level, count in zip(factor.levels, counts, strict=True):
                if count == 0:
                    return (
                        f"{name!r}: the level {level!r} of {factor.label!r} has no rows in the "
                        "sample"
                    )
        return describe_values(self.sample.exog[:, j], name)

    def _at(self, new: Any) -> tuple[Sequence[np.ndarray], Mapping[str, pd.Series], pd.Index]:
        if new is None:
            return self.values, self.inputs, self.sample.index
        frame = as_frame(new, "the new rows")
        expressions = self.parsed.right_expressions
        direct = dict.fromkeys(c for e in expressions for c in e.columns.values())
        check_columns(frame, direct, self.formula)
        lagged = dict.fromkeys(c for e in expressions for a in e.atoms for c in a.columns)
        columns = {
            name: like_history(clean_column(frame, name, "the new rows"), self.table.columns[name])
            for name in {**direct, **lagged}
            if name in frame.columns
        }
        rows = np.arange(len(frame))
        here = Table(columns, frame.index, None, None)
        direct_only = [without_atoms(e) for e in expressions]
        inputs = inputs_for(direct_only, here, rows, self.parsed.namespace, evaluate)
        union, places = None, rows
        if lagged:
            union, places = self._with_history(here)
            only_atoms = [without_columns(e) for e in expressions]
            for name, column in inputs_for(
                only_atoms, union, places, self.parsed.namespace, evaluate
            ).items():
                inputs[name] = pd.Series(column.array, frame.index)
        values = [factor_values(f, inputs, frame.index) for f in self.matrix.factors]
        check_new(self.matrix, values, inputs, frame.index, union, places)
        return values, inputs, frame.index

    def _with_history(self, here: Table) -> tuple[Table, np.ndarray]:
        assert self.table.axis is not None
        if not here.index.is_unique:
            twice = here.index[int(np.argmax(here.index.duplicated()))]
            raise ForecastError(
                f"the new rows have {label_text(twice)} more than once; lags need one row a period"
            )
        ordinals = self.table.axis.ordinals(here.index)
        order = np.argsort(ordinals)
        ordered = Table(
            {name: column.iloc[order] for name, column in here.columns.items()},
            here.index[order],
            ordinals[order],
            self.table.axis,
        )
        lagged = {c for e in self.parsed.right_expressions for a in e.atoms for c in a.columns}
        past = {name: column for name, column in self.table.columns.items() if name in lagged}
        history = Table(past, self.table.index, self.table.ordinals, self.table.axis)
        union, at = combine(history, ordered)
        places = np.empty_like(at)
        places[order] = at
        return union, places


def describe_values(x: np.ndarray, name: str) -> str:
    """Say whether a column is constant, and else its range."""
    low, high = float(x.min()), float(x.max())
    if low == high:
        return f"{name!r} is {low:g} in every row"
    return f"{name!r} runs from {low:g} to {high:g}"
