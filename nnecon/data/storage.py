"""Indices and columns as JSON and plain arrays, so that a saved design holds no code."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError

State = tuple[dict[str, Any], dict[str, np.ndarray]]


def pack_index(index: pd.Index, key: str) -> State:
    """Write an index as a description and arrays.

    Parameters
    ----------
    index : pandas.Index
        Any kind but intervals and durations.
    key : str
        Prefix of the arrays' names.

    Examples
    --------
    >>> index = pd.period_range("1959Q1", periods=3, freq="Q", name="quarter")
    >>> meta, arrays = pack_index(index, "index")
    >>> meta["kind"], meta["freq"], unpack_index(meta, arrays, "index").equals(index)
    ('period', 'Q-DEC', True)
    """
    meta: dict[str, Any] = {"names": [_plain_name(name) for name in index.names]}
    if isinstance(index, pd.MultiIndex):
        arrays: dict[str, np.ndarray] = {}
        meta |= {"kind": "multi", "levels": []}
        for j in range(index.nlevels):
            inner, held = pack_index(index.get_level_values(j), f"{key}.{j}")
            meta["levels"].append(inner)
            arrays |= held
        return meta, arrays
    if isinstance(index, pd.RangeIndex):
        return meta | {"kind": "range", "range": [index.start, index.stop, index.step]}, {}
    if isinstance(index, pd.DatetimeIndex):
        freq = None if index.freq is None else index.freqstr
        column, arrays = pack_values(pd.Series(index, dtype=index.dtype), key)
        return meta | column | {"freq": freq}, arrays
    column, arrays = pack_values(pd.Series(index, dtype=index.dtype), key)
    return meta | column, arrays


def unpack_index(meta: dict[str, Any], arrays: dict[str, np.ndarray], key: str) -> pd.Index:
    """Read what :func:`pack_index` wrote."""
    names = meta["names"]
    if meta["kind"] == "multi":
        levels = [unpack_index(m, arrays, f"{key}.{j}") for j, m in enumerate(meta["levels"])]
        return pd.MultiIndex.from_arrays(levels, names=names)
    if meta["kind"] == "range":
        return pd.RangeIndex(*meta["range"], name=names[0])
    values = unpack_values(meta, arrays, key)
    index = pd.Index(values, dtype=values.dtype, name=names[0])
    if meta["kind"] == "datetime" and meta.get("freq") is not None:
        return pd.DatetimeIndex(index, freq=meta["freq"], name=names[0])
    return index


def pack_values(column: pd.Series, key: str) -> State:
    """Write a column as a description and arrays."""
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        ordinals = np.asarray(column.array.asi8, dtype=np.int64)
        return {"kind": "period", "freq": pd.PeriodIndex(column).freqstr}, {key: ordinals}
    if pd.api.types.is_datetime64_any_dtype(dtype):
        zone = getattr(dtype, "tz", None)
        unit = getattr(dtype, "unit", None) or np.datetime_data(dtype)[0]
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if zone is not None else column
        stored = moments.to_numpy().astype(f"datetime64[{unit}]").view(np.int64)
        tz = None if zone is None else str(zone)
        return {"kind": "datetime", "unit": unit, "tz": tz}, {key: stored}
    if isinstance(dtype, pd.CategoricalDtype):
        inner, held = pack_values(
            pd.Series(dtype.categories, dtype=dtype.categories.dtype), f"{key}.categories"
        )
        meta = {"kind": "category", "ordered": bool(dtype.ordered), "categories": inner}
        return meta, {key: np.asarray(column.cat.codes, dtype=np.int64), **held}
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return {"kind": "plain"}, {key: column.to_numpy().copy()}
    return _pack_objects(column, key)


def _pack_objects(column: pd.Series, key: str) -> State:
    absent = np.asarray(column.isna())
    present = [value for value, gone in zip(column, absent, strict=True) if not gone]
    kind = "object"
    if isinstance(column.dtype, pd.StringDtype):
        kind = "string" if column.dtype.na_value is pd.NA else "str"
    if all(isinstance(value, bool | np.bool_) for value in present) and present:
        values = np.array([not g and bool(v) for v, g in zip(column, absent, strict=True)])
        return {"kind": "flags"}, {key: values, f"{key}.absent": absent}
    if not all(isinstance(value, str) for value in present):
        kinds = sorted({type(value).__name__ for value in present})
        raise DataError(f"a column of {', '.join(kinds)} values cannot be saved")
    words = np.array(
        ["" if g else str(v) for v, g in zip(column, absent, strict=True)], dtype=np.str_
    )
    return {"kind": "text", "dtype": kind}, {key: words, f"{key}.absent": absent}


def unpack_values(meta: dict[str, Any], arrays: dict[str, np.ndarray], key: str) -> pd.Series:
    """Read what :func:`pack_values` wrote."""
    kind, stored = meta["kind"], arrays[key]
    if kind == "plain":
        return pd.Series(stored)
    if kind == "period":
        return pd.Series(pd.PeriodIndex.from_ordinals(stored, freq=meta["freq"]))
    if kind == "datetime":
        moments = pd.Series(stored.view(f"datetime64[{meta['unit']}]"))
        if meta["tz"] is not None:
            moments = moments.dt.tz_localize("UTC").dt.tz_convert(meta["tz"])
        return moments
    if kind == "category":
        labels = unpack_values(meta["categories"], arrays, f"{key}.categories")
        categories = pd.Index(labels, dtype=labels.dtype)
        codes = pd.Categorical.from_codes(stored, categories, ordered=meta["ordered"])
        return pd.Series(codes)
    absent = arrays[f"{key}.absent"]
    values = stored.astype(object)
    values[absent] = np.nan
    if kind == "text" and meta["dtype"] != "object":
        string = "string" if meta["dtype"] == "string" else pd.StringDtype(na_value=np.nan)
        return pd.Series(values, dtype=string)
    return pd.Series(values, dtype=object)


def _plain_name(name: Any) -> Any:
    return name if name is None or isinstance(name, int | float | str | bool) else str(name)


def pack_frame(frame: pd.DataFrame, key: str) -> State:
    """Write a frame: its index, and its columns in order.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, 2.0]}, pd.period_range("1959Q1", periods=2, freq="Q"))
    >>> meta, arrays = pack_frame(frame, "data")
    >>> unpack_frame(meta, arrays, "data").equals(frame)
    True
    """
    index, arrays = pack_index(frame.index, f"{key}.index")
    columns = []
    for at, name in enumerate(frame.columns):
        described, held = pack_values(frame.iloc[:, at], f"{key}.{at}")
        columns.append([_plain_name(name), described])
        arrays |= held
    return {"index": index, "columns": columns, "name": _plain_name(frame.columns.name)}, arrays


def unpack_frame(meta: dict[str, Any], arrays: dict[str, np.ndarray], key: str) -> pd.DataFrame:
    """Read what :func:`pack_frame` wrote."""
    index = unpack_index(meta["index"], arrays, f"{key}.index")
    parts = {
        name: unpack_values(described, arrays, f"{key}.{at}").set_axis(index)
        for at, (name, described) in enumerate(meta["columns"])
    }
    frame = pd.DataFrame(parts, index=index)
    return frame.rename_axis(columns=meta["name"])
