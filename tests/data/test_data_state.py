"""Pickles and saved states."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest

from nnecon.data.datasets import load_macro
from nnecon.data.design import Design
from nnecon.data.storage import pack_index, pack_values, unpack_index, unpack_values
from nnecon.exceptions import DataError, SpecificationError


def cube(values):
    return values**3


def squared(values):
    return values**2


def through_json(design, **options):
    meta, arrays = design.state()
    assert all(a.dtype.kind in "biufU" for a in arrays.values())
    return Design.from_state(json.loads(json.dumps(meta)), arrays, **options)


def same(a, b):
    np.testing.assert_array_equal(a.sample.exog, b.sample.exog)
    np.testing.assert_array_equal(a.sample.endog, b.sample.endog)
    np.testing.assert_array_equal(a.sample.rows, b.sample.rows)
    pd.testing.assert_index_equal(a.sample.index, b.sample.index)
    for name in ("exog_names", "endog_name", "n_original", "is_time_series", "const_index"):
        assert getattr(a.sample, name) == getattr(b.sample, name)
    assert a.regressors == b.regressors
    assert a.formula == b.formula and a.missing == b.missing


FORMULAS = [
    "growth ~ infl + unemp + lag(growth, 1, 4)",
    "dlog(realgdp) ~ bs(infl, 4) + center(unemp) * lag(tbilrate, 1)",
    "growth ~ 0 + np.log(unemp) + cr(infl, 3) + C(era) * unemp",
    "growth ~ era + war + lag(when.dt.year, 1) + I(infl**2)",
]


def macro():
    data = load_macro()
    data["era"] = np.where(data.index < "1984Q1", "before", "after")
    data["war"] = pd.array([True, False] * 101 + [None], dtype="boolean")
    data["when"] = data.index.to_timestamp()
    return data


@pytest.mark.parametrize("formula", FORMULAS)
def test_round_trips(formula):
    data = macro()
    design = Design.from_formula(formula, data, subset=data.index[:180], drop_cols=["unemp"][:0])
    for other in (pickle.loads(pickle.dumps(design)), copy.deepcopy(design)):
        same(design, other)
    if "when" not in formula:
        other = through_json(design)
        same(design, other)
        same(design, through_json(other))
    new = data.iloc[180:185]
    np.testing.assert_array_equal(design.exog_for(new)[0], other.exog_for(new)[0])
    for regressor in design.regressors:
        if regressor.kind == "continuous":
            np.testing.assert_array_equal(design.direction(regressor), other.direction(regressor))


def test_only_columns_in_use_are_held():
    meta, arrays = Design.from_formula("growth ~ infl", macro()).state()
    assert [name for name, _ in meta["columns"]] == ["growth", "infl"]
    assert sum(a.nbytes for a in arrays.values()) < 203 * 8 * 5


def test_drop_cols_and_bindings():
    p, knots = 2, [0.0, 5.0]  # noqa: F841 - the formula finds them
    design = Design.from_formula(
        "growth ~ lag(growth, 1, p) + bs(infl, knots=knots) + unemp", macro(), drop_cols=["unemp"]
    )
    same(design, through_json(design))
    same(design, pickle.loads(pickle.dumps(design)))


def test_functions_must_be_passed():
    design = Design.from_formula("growth ~ cube(infl)", macro())
    same(design, pickle.loads(pickle.dumps(design)))
    with pytest.raises(SpecificationError, match=r"calls cube\(\).*functions={'cube': cube}"):
        through_json(design)
    same(design, through_json(design, functions={"cube": cube}))


@pytest.mark.parametrize(
    "formula",
    [
        "growth ~ infl.clip(0, 5)",
        "growth ~ __import__('os').system('true') + infl",
        "growth ~ I(infl.__class__)",
        "growth ~ np.load('x')",
        "growth ~ np.fromfile(infl)",
        "growth ~ exec('1')",
        "growth ~ eval('infl')",
        "growth ~ open('x')",
        "growth ~ I((lambda: infl)())",
        "growth ~ I([v for v in infl])",
        "growth ~ I(infl[0])",
        "growth ~ I(f'{infl}')",
        "growth ~ lag(infl.pipe(print), 1)",
        "growth ~ getattr(infl, 'abs')()",
        "growth ~ infl + _secret",
    ],
)
def test_a_file_runs_no_code(formula):
    meta, arrays = Design.from_formula("growth ~ infl", macro()).state()
    meta["formula"] = formula
    with pytest.raises(
        ValueError, match=r"not evaluated|a function of yours|private name|cannot read"
    ):
        Design.from_state(meta, arrays)


def test_methods_in_a_formula_pickle_but_are_not_loaded():
    design = Design.from_formula("growth ~ infl.clip(0, 5)", macro())
    same(design, pickle.loads(pickle.dumps(design)))
    with pytest.raises(SpecificationError, match=r"not evaluated"):
        through_json(design)


def test_arrays_round_trip():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(9), rng.normal(size=(9, 2))])
    x[4, 2] = np.nan
    design = Design.from_arrays(rng.normal(size=9), x, missing="drop")
    for other in (through_json(design), pickle.loads(pickle.dumps(design))):
        same(design, other)
        np.testing.assert_array_equal(other.exog_for(pd.DataFrame(x[:2]))[0], x[:2])
    design = Design.from_arrays(
        pd.Series(rng.normal(size=9), pd.period_range("2000", periods=9, freq="Y"), name="g"),
        pd.DataFrame(x[:, :2], pd.period_range("2000", periods=9, freq="Y"), ["const", "a"]),
    )
    same(design, through_json(design))


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(2, 14, 3, name="i"),
        pd.Index([5, 3, 3, 9]),
        pd.Index([1.5, 2.5, 3.0, np.nan]),
        pd.Index(["a", "b", "b", "ü"], name="firm"),
        pd.Index(["a", "b", "b", "c"], dtype=object),
        pd.Index(["a", np.nan, "b", "c"], dtype=object),
        pd.period_range("1959Q1", periods=4, freq="Q", name="quarter"),
        pd.period_range("1959-01", periods=4, freq="2M"),
        pd.period_range("1959", periods=4, freq="Y-JUN"),
        pd.date_range("2000-01-31", periods=4, freq="ME"),
        pd.date_range("2000-01-01", periods=4, freq="QS-FEB", name="d"),
        pd.date_range("2000-03-25", periods=4, freq="D", tz="Europe/Berlin"),
        pd.DatetimeIndex(["2000-01-01", "2000-01-05", "2000-01-05", "2001-01-01"]),
        pd.date_range("2000-01-01", periods=4, freq="D").as_unit("s"),
        pd.Index([True, False, True, True]),
        pd.CategoricalIndex(["a", "b", "a", "c"], categories=["c", "b", "a"], ordered=True),
        pd.MultiIndex.from_product([["a", "b"], pd.period_range("2000", periods=2, freq="Y")],
                                   names=["unit", "year"]),
    ],
    ids=lambda index: str(index.dtype),
)  # fmt: skip
def test_indices_round_trip(index):
    meta, arrays = pack_index(index, "i")
    back = unpack_index(json.loads(json.dumps(meta)), arrays, "i")
    pd.testing.assert_index_equal(back, index, exact=True)
    assert getattr(back, "freq", None) == getattr(index, "freq", None)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, 2, 3]),
        pd.Series([True, False]),
        pd.Series([1.5, np.nan]),
        pd.Series(["a", np.nan, "b"], dtype=object),
        pd.Series([True, np.nan, False], dtype=object),
        pd.Series(pd.Categorical(["a", None, "b"], categories=["b", "a"])),
        pd.Series(pd.Categorical([1, 2, 1], ordered=True)),
        pd.Series([np.nan, np.nan], dtype=object),
        pd.Series(pd.to_datetime(["2000-01-01", None])),
        pd.Series(pd.PeriodIndex(["2000Q1", None], freq="Q")),
    ],
    ids=lambda values: str(values.dtype),
)
def test_columns_round_trip(values):
    meta, arrays = pack_values(values, "c")
    back = unpack_values(json.loads(json.dumps(meta)), arrays, "c")
    pd.testing.assert_series_equal(back, values)


def test_what_cannot_be_saved():
    with pytest.raises(DataError, match=r"values cannot be saved"):
        pack_values(pd.Series([("a",), ("b",)]), "c")
