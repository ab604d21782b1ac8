"""Long panels: a row for each asset and period, from a formula or from arrays.

Assets and periods are columns of the frame, levels of its index, or arrays of their own. Panels may
be unbalanced; rows with missing returns or characteristics are left out and counted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.design import Design
from nnecon.data.frames import as_frame, check_finite
from nnecon.data.identification import check_rank, independent_columns
from nnecon.data.lags import TIME_OPERATORS
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text, listing
from nnecon.exceptions import DataError, FormulaError

_OVER_TIME = re.compile(rf"\b({'|'.join(TIME_OPERATORS)})\s*\(")

LARGEST = 1e75
"""Size of values whose fourth powers computers can still hold."""

Labels = Any
"""Name of a column or of a level of the index, values a row, or None for a level by position."""


@dataclass(frozen=True, slots=True, eq=False)
class AssetRows:
    """Rows of a panel, new ones or those of the sample.

    Attributes
    ----------
    exog : ndarray of shape (n, L)
        Characteristics, ranked where the model ranks them.
    endog : ndarray of shape (n,) or None
        Returns, where they are known.
    codes : ndarray of int of shape (n,)
        Periods of the rows, numbers of ``periods``.
    periods : Index
        The periods in order.
    index : MultiIndex
        Asset and period of each row.
    """

    exog: np.ndarray
    endog: np.ndarray | None
    codes: np.ndarray
    periods: pd.Index
    index: pd.MultiIndex

    @property
    def returns(self) -> np.ndarray:
        """Returns of rows that have them."""
        assert self.endog is not None
        return self.endog

    @property
    def counts(self) -> np.ndarray:
        """Assets of each period, shape (T,)."""
        return np.bincount(self.codes, minlength=len(self.periods))


@dataclass(frozen=True, slots=True, eq=False)
class AssetPanel:
    """A panel of assets, and how new rows are read like it.

    Attributes
    ----------
    design : Design
        Returns and characteristics as they were given.
    rows : AssetRows
        The sample.
    ranks : bool
        Whether characteristics are replaced by their ranks within the period.
    names : tuple of str
        Names of asset and period.
    """

    design: Design
    rows: AssetRows
    ranks: bool
    names: tuple[str, str]

    @property
    def characteristics(self) -> tuple[str, ...]:
        """Names of the characteristics."""
        return self.design.sample.exog_names

    @property
    def const(self) -> int | None:
        """Which of them is the constant."""
        return self.design.sample.const_index

    @property
    def n_dropped(self) -> int:
        """Rows that were left out because a value was missing."""
        return self.design.sample.n_original - self.design.sample.nobs

    def new(
        self, data: Any, endog: Any = None, entity: Labels = None, time: Labels = None,
        returns: bool = False,
    ) -> AssetRows:  # fmt: skip
        """Other rows, read like the sample.

        Parameters
        ----------
        data : DataFrame or array_like
            Characteristics; in the formula interface a frame with the columns of the formula.
        endog : array_like, optional
            Returns, in the array interface.
        entity, time : optional
            As in the constructor; by default the names of the sample.
        returns : bool
            Whether returns are needed.
        """
        frame = data if isinstance(data, pd.DataFrame | pd.Series) else None
        names = self.names
        index = _labels(
            frame, len(data), names[0] if entity is None else entity,
            names[1] if time is None else time, names,
        )  # fmt: skip
        labelled = data.set_axis(index, axis=0) if frame is not None else data
        exog, _ = self.design.exog_for(labelled)
        values = None
        if returns:
            values = self._returns(labelled, endog, index)
        return _rows(exog, values, index, self.ranks, self.const)

    def _returns(self, data: Any, endog: Any, index: pd.MultiIndex) -> np.ndarray:
        if self.design.formula is not None:
            if endog is not None:
                raise DataError("the formula says what the returns are; leave endog out.")
            values = self.design.endog_for(data)
        elif endog is None:
            raise DataError("factors of new periods need their returns: pass endog.")
        else:
            values = np.asarray(endog, dtype=float).ravel()
            if len(values) != len(index):
                raise DataError(f"endog has {len(values)} rows, the characteristics {len(index)}.")
            check_finite(values, "endog", index)
        absent = np.isnan(values)
        if absent.any():
            raise DataError(
                f"the return is missing in {int(absent.sum())} of the new rows "
                f"({listing(index[absent], 3)}); leave them out."
            )
        return values


def panel_of_formula(
    formula: str,
    data: Any,
    entity: Labels,
    time: Labels,
    missing: str,
    ranks: bool,
    names: Mapping[str, Any],
) -> AssetPanel:
    """Panel from ``"ret ~ size + value"`` and a long frame.

    Raises
    ------
    FormulaError
        The formula looks at other rows.
    DataError
        Assets or periods are missing, a pair is there twice, characteristics are collinear.
    """
    _check_no_lags(formula)
    frame = as_frame(data)
    index = _labels(frame, len(frame), entity, time, None)
    design = Design.from_formula(formula, frame.set_axis(index, axis=0), missing=missing, env=names)
    return panel_of_design(design, ranks)


def panel_of_arrays(
    endog: Any, exog: Any, entity: Labels, time: Labels, missing: str, ranks: bool
) -> AssetPanel:
    """Panel from returns and characteristics, with labels of the rows."""
    frame = next((one for one in (exog, endog) if isinstance(one, pd.DataFrame | pd.Series)), None)
    index = _labels(frame, len(exog), entity, time, None)
    if (
        isinstance(endog, pd.DataFrame | pd.Series)
        and isinstance(exog, pd.DataFrame | pd.Series)
        and not endog.index.equals(exog.index)
    ):
        raise DataError("endog and exog have different rows; align them: exog.loc[endog.index].")
    labelled = [
        one.set_axis(index, axis=0) if isinstance(one, pd.DataFrame | pd.Series) else one
        for one in (endog, exog)
    ]
    if not any(isinstance(one, pd.DataFrame | pd.Series) for one in labelled):
        labelled[0] = pd.Series(np.asarray(endog).ravel(), index, name="y")
        if len(labelled[0]) != len(index):
            raise DataError("endog and exog have different numbers of rows.")
    design = Design.from_arrays(labelled[0], labelled[1], missing=missing)
    return panel_of_design(design, ranks)


def panel_of_design(design: Design, ranks: bool) -> AssetPanel:
    """Panel from a design whose rows are labelled by asset and period."""
    sample = design.sample
    index = sample.index
    if not np.any(sample.endog):
        raise DataError(f"{sample.endog_name!r} is zero in every row; there is nothing to explain.")
    _check_size(sample.endog[:, None], (sample.endog_name,))
    _check_size(sample.exog, sample.exog_names)
    check_rank(design, np.ones(sample.nobs), True)
    rows = _rows(sample.exog, sample.endog, index, ranks, sample.const_index)
    if ranks:
        _check_ranked(rows.exog, sample.exog_names, sample.const_index)
    return AssetPanel(design, rows, ranks, (str(index.names[0]), str(index.names[1])))


def _check_size(values: np.ndarray, names: tuple[str, ...]) -> None:
    size = np.abs(values).max(axis=0)
    wild = (size > LARGEST) | ((size < 1.0 / LARGEST) & (size > 0.0))
    if wild.any():
        j = int(np.flatnonzero(wild)[0])
        raise DataError(
            f"{names[j]!r} has values up to {size[j]:g}, whose powers computers cannot hold; "
            "correct them or give it in another unit."
        )


def ranked(exog: np.ndarray, codes: np.ndarray, const: int | None) -> np.ndarray:
    """Ranks within each period on [-1/2, 1/2], ties at their mean; zero where an asset is alone."""
    columns = [j for j in range(exog.shape[1]) if j != const]
    by = pd.DataFrame(exog[:, columns]).groupby(codes, sort=False)
    place = by.rank(method="average").to_numpy() - 1.0
    most = (np.bincount(codes)[codes] - 1.0)[:, None]
    out = exog.copy()
    out[:, columns] = np.where(most > 0, place / np.maximum(most, 1.0), 0.5) - 0.5
    return out


def _rows(
    exog: np.ndarray, endog: np.ndarray | None, index: pd.MultiIndex, ranks: bool, const: int | None
) -> AssetRows:
    codes, periods = pd.factorize(index.get_level_values(1), sort=True)
    periods = pd.Index(periods, name=index.names[1])
    return AssetRows(ranked(exog, codes, const) if ranks else exog, endog, codes, periods, index)


def _labels(
    frame: Any, n: int, entity: Labels, time: Labels, used: tuple[str, str] | None
) -> pd.MultiIndex:
    """Asset and period of each row, each pair once."""
    parts = [
        _label(frame, n, given, at, what, used)
        for at, (given, what) in enumerate(((entity, "entity"), (time, "time")))
    ]
    index = pd.MultiIndex.from_arrays([part[1] for part in parts], names=[p[0] for p in parts])
    twice = index.duplicated()
    if twice.any():
        who, when = index[int(np.argmax(twice))]
        raise DataError(
            f"{parts[0][0]} {label_text(who)} has more than one row at {parts[1][0]} "
            f"{label_text(when)} ({int(twice.sum())} rows too many); keep one, for example with "
            f"data.drop_duplicates([{parts[0][0]!r}, {parts[1][0]!r}])."
        )
    return index


def _label(
    frame: Any, n: int, given: Labels, at: int, what: str, used: tuple[str, str] | None
) -> tuple[str, Any]:
    levels = (
        [] if frame is None or not isinstance(frame.index, pd.MultiIndex) else frame.index.names
    )
    if given is None or (isinstance(given, str) and frame is None):
        if given is not None and used is None:
            raise DataError(f"{what}={given!r} names a column, but there is no frame; pass values.")
        if len(levels) != 2:
            raise DataError(
                f"{what}= is needed: the name of a column, or one label a row. A frame with an "
                "index of two levels, asset and period, does without it."
            )
        name, values = levels[at] or what, frame.index.get_level_values(at)
    elif isinstance(given, str):
        columns = [] if isinstance(frame, pd.Series) else list(frame.columns)
        if given in columns:
            name, values = given, frame[given].array
        elif given in frame.index.names:
            name, values = given, frame.index.get_level_values(given)
        elif used is not None and len(levels) == 2:
            name, values = given, frame.index.get_level_values(at)
        else:
            known = [*columns, *(name for name in frame.index.names if name is not None)]
            raise DataError(f"{what}: unknown column {given!r}; {suggestion(given, known)}")
    else:
        name = given.name if isinstance(given, pd.Series | pd.Index) and given.name else what
        values = given.array if isinstance(given, pd.Series) else pd.Index(given)
    values = pd.Index(values)
    if len(values) != n:
        raise DataError(f"{what} has {len(values)} labels for {n} rows.")
    absent = np.asarray(values.isna())
    if absent.any():
        raise DataError(
            f"{what} ({name!r}) is missing in row {int(np.argmax(absent))} (of {n}, counted from "
            f"zero; {int(absent.sum())} in all); leave these rows out."
        )
    if values.inferred_type.startswith("mixed"):
        raise DataError(
            f"{what} ({name!r}) holds labels of different kinds, which have no order; convert them "
            "to one, for example with .astype(str)."
        )
    return str(name), values


def _check_no_lags(formula: Any) -> None:
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise FormulaError(f"write the formula as 'ret ~ size + value', not {formula!r}.")
    for side in formula.split("~"):
        if not side.strip():
            raise FormulaError(f"a side of the formula {formula!r} is empty; write 'ret ~ size'.")
    found = _OVER_TIME.search(formula)
    if found:
        raise FormulaError(
            f"{found.group(1)}() in the formula {formula!r} goes by the periods of one series, and "
            "a panel has many; make the column first, asset by asset: "
            "data.groupby(asset)[column].shift(1) on rows in order of time."
        )


def _check_ranked(exog: np.ndarray, names: tuple[str, ...], const: int | None) -> None:
    columns = np.array([j for j in range(exog.shape[1]) if j != const])
    kept = columns[independent_columns(exog[:, columns], None, True)]
    lost = np.setdiff1d(columns, kept)
    if len(lost):
        raise DataError(
            f"ranked within its period, {names[lost[0]]!r} is constant or a linear combination of "
            "the characteristics before it; leave it out."
        )
