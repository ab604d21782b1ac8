"""Which rows are used: missing values, subsets, indices, weights; and the errors about data."""

import numpy as np
import pandas as pd
import pytest

from nnecon.data.datasets import load_macro
from nnecon.data.design import Design
from nnecon.exceptions import DataError, FormulaError


def frame(n=12, index=None):
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {"y": rng.normal(size=n), "x": rng.uniform(1, 2, n), "w": rng.uniform(1, 2, n)}
    )
    data["g"] = list("ab") * (n // 2) + ["a"] * (n % 2)
    return data if index is None else data.set_axis(index, axis=0)


def quarters(n=12):
    return pd.period_range("2000Q1", periods=n, freq="Q")


# ---- missing values ------------------------------------------------------------------------------


def test_missing_rows_are_dropped_and_recorded():
    data = frame(index=quarters())
    data.iloc[4, 0] = np.nan
    data.iloc[6, 3] = None
    data.iloc[0, 2] = np.nan
    design = Design.from_formula("y ~ x + g", data)
    assert design.sample.n_original == 12
    assert list(design.sample.rows) == [0, 1, 2, 3, 5, 7, 8, 9, 10, 11]
    assert design.sample.index.equals(data.index[design.sample.rows])
    assert design.sample.is_time_series


def test_missing_raise():
    data = frame(index=quarters())
    data.iloc[[4, 5, 9], 1] = np.nan
    with pytest.raises(
        DataError, match=r"'x' has 3 missing values at 2001Q1, 2001Q2, 2002Q2; drop"
    ):
        Design.from_formula("y ~ x", data, missing="raise")
    with pytest.raises(DataError, match=r"'x' has 3 missing values"):
        Design.from_formula("y ~ lag(x, 1)", data, missing="raise")
    with pytest.raises(DataError, match=r"'g' has 1 missing value at 2000Q2"):
        Design.from_formula("y ~ g", data.assign(g=["a", None] + ["b"] * 10), missing="raise")
    Design.from_formula("y ~ x", data, missing="raise", subset=data["x"].notna())


def test_rows_lost_to_lags_never_raise():
    data = frame(index=quarters())
    design = Design.from_formula("y ~ lag(y, 1, 3) + dlog(x, 2)", data, missing="raise")
    assert list(design.sample.rows) == list(range(3, 12))


@pytest.mark.parametrize(
    ("term", "kept"),
    [
        ("C(x > 1.5)", 11),
        ("I(x > 1.5)", 11),
        ("I((x > 1.5) * 1.0)", 11),
        ("np.where(x > 1.5, 1.0, 0.0)", 11),
        ("C(lag(x, 1) > 1.5)", 10),
        ("pd.cut(x, [0, 1.5, 3])", 11),
        ("x.fillna(0)", 12),
        ("I(np.isnan(x) * 1.0)", 12),
    ],
)
def test_a_comparison_with_a_missing_value_is_missing(term, kept):
    data = frame()
    data.loc[4, "x"] = np.nan
    design = Design.from_formula(f"y ~ {term}", data)
    assert design.sample.nobs == kept
    assert len(design.regressors) == 1
    if kept < 12:
        with pytest.raises(DataError, match=r"'x' has 1 missing value at 4"):
            Design.from_formula(f"y ~ {term}", data, missing="raise")


def test_names_of_odd_levels():
    design = Design.from_formula("y ~ pd.cut(x, [0, 1.3, 1.7, 3])", frame())
    assert tuple(r.name for r in design.regressors) == design.sample.exog_names[1:]


def test_unknown_missing():
    with pytest.raises(DataError, match=r"missing must be 'drop' or 'raise', not 'skip'"):
        Design.from_formula("y ~ x", frame(), missing="skip")


@pytest.mark.parametrize("kind", ["Float64", "Int64", "object", "float32", "double[pyarrow]"])
def test_kinds_of_numbers(kind):
    values = [1, 2, None, 4, 5, 6]
    if kind == "double[pyarrow]":
        pytest.importorskip("pyarrow")
    column = (
        pd.Series([1.0, 2.0, np.nan, 4.0, 5.0, 6.0], dtype="float32")
        if kind == "float32"
        else (pd.Series(values, dtype=kind))
    )
    data = pd.DataFrame({"y": np.arange(6.0), "x": column})
    design = Design.from_formula("y ~ x + I(x**2)", data)
    np.testing.assert_array_equal(design.sample.exog[:, 1], [1, 2, 4, 5, 6])
    assert design.sample.exog.dtype == np.float64 and design.sample.endog.dtype == np.float64


def test_nullable_flags():
    data = frame(6).assign(b=pd.array([True, False, None, True, False, True], dtype="boolean"))
    design = Design.from_formula("y ~ b", data)
    assert design.sample.exog_names == ("Intercept", "b[T.True]")
    np.testing.assert_array_equal(design.sample.exog[:, 1], [1, 0, 1, 0, 1])


def test_user_data_stay_as_they_are():
    data = load_macro()
    before = data.copy()
    Design.from_formula("dlog(realgdp) ~ bs(infl, 4) + lag(unemp, 1)", data)
    pd.testing.assert_frame_equal(data, before)


# ---- errors about data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "change", "words"),
    [
        ("y ~ x", {"x": np.inf}, "'x' is infinite at row 3"),
        ("y ~ x", {"y": -np.inf}, "'y' is infinite at row 3"),
        ("y ~ lag(x, 1)", {"x": np.inf}, "'x' is infinite at row 3"),
        ("y ~ np.log(x)", {"x": 0.0}, r"'np.log\(x\)' is infinite at row 3"),
        ("y ~ np.log(x)", {"x": -1.0}, r"'np.log\(x\)' is not defined at row 3 \(x = -1.0\)"),
        ("np.log(y + 9) ~ x", {"y": -10.0}, r"not defined at row 3 \(y = -10.0\)"),
        ("y ~ dlog(x)", {"x": 0.0}, r"dlog\(x\): 'x' is 0 at 3 and the logarithm needs positive"),
        ("y ~ x", {"x": "n.a."}, "'x' holds text among numbers: 'n.a.' at row 3"),
        ("y ~ x", {"y": "n.a."}, "'y' holds text among numbers: 'n.a.' at row 3"),
    ],
)
def test_bad_values(formula, change, words):
    ((name, value),) = change.items()
    data = frame()
    data[name] = [value if i == 3 else v for i, v in enumerate(data[name])]
    with pytest.raises(DataError, match=words):
        Design.from_formula(formula, data)


def test_text():
    with pytest.raises(
        DataError, match=r"left-hand side 'g' must hold numbers, but is 'a' at row 0"
    ):
        Design.from_formula("g ~ x", frame())
    numbers = frame().assign(x=[str(v) for v in range(11)] + ["?"])
    with pytest.raises(DataError, match=r"text among numbers: '\?' at row 11.*pd.to_numeric"):
        Design.from_formula("y ~ x", numbers)
    codes = frame().assign(x=["01", "02"] * 6)
    assert Design.from_formula("y ~ x", codes).sample.exog_names == ("Intercept", "x[T.02]")
    with pytest.raises(DataError, match=r"diff\(g\): 'g' holds no numbers"):
        Design.from_formula("y ~ diff(g)", frame())


def test_dates_are_no_regressor():
    data = frame().assign(when=pd.date_range("2000-01-01", periods=12))
    with pytest.raises(DataError, match=r"'when' holds dates"):
        Design.from_formula("y ~ when", data)
    data["when"] += pd.to_timedelta([0, 31] * 6, unit="D")
    design = Design.from_formula("y ~ when.dt.day + C(when.dt.month)", data)
    assert design.sample.exog_names == ("Intercept", "C(when.dt.month)[T.2]", "when.dt.day")
    assert design.sample.exog[-2, -1] == 11


def test_complex_numbers():
    with pytest.raises(DataError, match=r"'x' holds complex numbers"):
        Design.from_formula("y ~ x", frame().assign(x=1j))


def test_no_rows():
    with pytest.raises(DataError, match="no rows in data"):
        Design.from_formula("y ~ x", frame().iloc[:0])
    with pytest.raises(DataError, match=r"column 'x' has no values in the 12 rows"):
        Design.from_formula("y ~ x", frame().assign(x=np.nan))
    with pytest.raises(DataError, match=r"column 'g' has no values"):
        Design.from_formula("y ~ g", frame().assign(g=None))
    halves = frame().assign(x=[1.0, np.nan] * 6, w=[np.nan, 1.0] * 6)
    with pytest.raises(DataError, match=r"no row of 12 is complete; 'x' is missing in 6"):
        Design.from_formula("y ~ x + w", halves)
    with pytest.raises(DataError, match=r"lag\(x, 12\) has no values: it reaches 12 periods back"):
        Design.from_formula("y ~ lag(x, 12)", frame())


def test_ten_rows_and_one():
    design = Design.from_formula("y ~ x + lag(y, 1, 4)", frame(10))
    assert design.sample.exog.shape == (6, 6)
    assert Design.from_formula("y ~ x", frame(1)).sample.const_index == 0


def test_duplicated_columns():
    data = pd.concat([frame(), frame()[["x"]]], axis=1)
    with pytest.raises(DataError, match=r"2 columns named 'x'"):
        Design.from_formula("y ~ x", data)
    Design.from_formula("y ~ w", data)


def test_no_frame():
    with pytest.raises(DataError, match=r"must be a DataFrame"):
        Design.from_formula("y ~ x", np.zeros((3, 2)))
    Design.from_formula("y ~ x", {"y": [1.0, 2.0], "x": [3.0, 4.0]})


# ---- errors about formulas -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ xx", "unknown column 'xx' in the formula 'y ~ xx'; did you mean 'x'"),
        ("Y ~ x", "did you mean 'y'"),
        ("y ~ lag(xx, 1)", "unknown column 'xx'"),
        ("y ~ Q('a b')", "unknown column 'a b'"),
        ("y ~ x +", "cannot read the formula"),
        ("y ~ (x", "cannot read"),
        ("y ~ x + np.log(x", "cannot read"),
        ("y ~ x x", "cannot read"),
        ("~ x", "no left-hand side"),
        ("x", "no left-hand side"),
        ("", "no left-hand side"),
        ("y ~ 0", "nothing on its right-hand side"),
        ("y + w ~ x", "one variable on its left-hand side"),
        ("y ~ lag(x, -1)", "asks for a lead"),
        ("y ~ lag(x, 0)", "at least 1"),
        ("y ~ diff(x, 0)", "at least 1"),
        ("y ~ lag(x, 1.5)", "whole numbers, not 1.5"),
        ("y ~ lag(x, 4, 1)", "last lag comes before the first"),
        ("y ~ lag(x, 1, 2, 3)", r"write lag\(x, k\) or lag\(x, first, last\)"),
        ("y ~ lag(x, periods=2)", "unknown or repeated argument 'periods'"),
        ("y ~ lag()", r"write lag\(x, k\)"),
        ("y ~ I(lag(x, 1, 2) * lag(w, 1, 2))", "two ranges of lags"),
        ("y ~ lag(center(x), 1)", r"turn it round: center\(lag\(x, 1\)\)"),
        ("y ~ frobnicate(x)", r"unknown function frobnicate\(\)"),
        ("y ~ np.frobnicate(x)", "AttributeError"),
        ("y ~ x - x.mean()", r"'- x.mean\(\)' .* takes away a term that is not there"),
        ("y ~ I(x - x.mean())", "takes values from other rows.*center"),
        ("y ~ x.shift(1)", r"use lag\(\)"),
        ("y ~ np.cumsum(x)", "takes values from other rows"),
        ("y ~ I(x > x.mean())", "takes values from other rows"),
        ("y ~ x.mean()", "takes values from other rows"),
        ("y ~ x - w", "takes away a term that is not there"),
        ("y ~ I(3)", "reads no column of the data"),
        ("y ~ x + 2", "cannot read"),
        ("y ~ bs(x)", "must specify either df or knots"),
        ("y ~ x(w)", "'x' is a column, not a function"),
        (7, "must be a text"),
    ],
)
def test_bad_formulas(formula, words):
    with pytest.raises(FormulaError, match=words) as caught:
        Design.from_formula(formula, frame())
    assert "\n" not in str(caught.value)


def test_variables_outside_the_frame_are_no_data():
    outside = np.arange(12.0)  # noqa: F841 - the formula must not find it
    with pytest.raises(FormulaError, match=r"'outside' .* reads no column of the data"):
        Design.from_formula("y ~ outside", frame())
    with pytest.raises(FormulaError, match=r"data\['outside'\] = outside"):
        Design.from_formula("y ~ I(x * outside)", frame())


# ---- indices -------------------------------------------------------------------------------------


def test_gaps_name_the_missing_periods():
    data = load_macro()
    with pytest.raises(
        DataError, match=r"gap: 1974Q1, 1974Q2, 1974Q3, 1974Q4, 1975Q1 and 3 more are"
    ):
        Design.from_formula(
            "growth ~ lag(growth, 1)", data[(data.index < "1974Q1") | (data.index > "1975Q4")]
        )
    one = data.drop(index=data.index[50])
    with pytest.raises(DataError, match=r"gap: 1971Q3 is missing.*pd.period_range"):
        Design.from_formula("growth ~ lag(growth, 1)", one)
    assert Design.from_formula("growth ~ infl", one).sample.is_time_series


@pytest.mark.parametrize("freq", ["MS", "ME", "QS", "QE", "YS", "W-FRI", "D", "h", "B"])
def test_gaps_of_dates(freq):
    index = pd.date_range("2001-01-01", periods=40, freq=freq)
    data = frame(40, index).drop(index=[index[7], index[20], index[21]])
    with pytest.raises(DataError, match=r"gap: .* are missing; .*data.asfreq\('") as caught:
        Design.from_formula("y ~ lag(y, 1)", data)
    assert str(index[7].date()) in str(caught.value)
    assert str(index[20]).removesuffix(" 00:00:00") in str(caught.value)
    Design.from_formula("y ~ lag(y, 1)", data.asfreq(freq))


def test_gaps_of_years():
    data = frame(12, pd.Index(range(1990, 2002))).drop(index=[1995])
    with pytest.raises(DataError, match=r"gap: 1995 is missing"):
        Design.from_formula("y ~ lag(y, 1)", data)


def test_dates_without_a_frequency():
    index = pd.DatetimeIndex(["2000-01-03", "2000-02-11", "2000-02-29", "2001-01-01"])
    with pytest.raises(DataError, match=r"none can be read off the index .*to_period"):
        Design.from_formula("y ~ lag(y, 1)", frame(4, index))
    assert Design.from_formula("y ~ x", frame(4, index)).sample.is_time_series


def test_unsorted_dates():
    data = frame(index=quarters()).iloc[[0, 1, 3, 2, *range(4, 12)]]
    for formula in ("y ~ x", "y ~ lag(x, 1)"):
        with pytest.raises(
            DataError, match=r"2000Q3 comes after 2000Q4; sort it with data.sort_index"
        ):
            Design.from_formula(formula, data)
    dates = data.set_axis(data.index.to_timestamp(), axis=0)
    with pytest.raises(DataError, match=r"2000-07-01 comes after 2000-10-01"):
        Design.from_formula("y ~ x", dates)
    years = frame(index=[3, 1, 2, *range(4, 13)])
    with pytest.raises(DataError, match=r"1 comes after 3; sort"):
        Design.from_formula("y ~ lag(x, 1)", years)
    Design.from_formula("y ~ x", years)


def test_duplicated_dates():
    data = frame(index=quarters()[[0, 0, *range(1, 11)]])
    design = Design.from_formula("y ~ x", data)
    assert not design.sample.is_time_series and design.sample.nobs == 12
    with pytest.raises(DataError, match=r"has 2000Q1 more than once"):
        Design.from_formula("y ~ lag(x, 1)", data)


def test_missing_date():
    index = pd.DatetimeIndex([*pd.date_range("2000-01-01", periods=11), pd.NaT])
    with pytest.raises(DataError, match=r"missing date in row 11"):
        Design.from_formula("y ~ x", frame(index=index))


def test_plain_labels():
    names = [f"f{i // 2}" for i in range(12)]
    design = Design.from_formula("y ~ x", frame(index=names))
    assert list(design.sample.index) == names and not design.sample.is_time_series
    with pytest.raises(DataError, match=r"index of periods, dates or whole numbers, .*'f0'"):
        Design.from_formula("y ~ lag(x, 1)", frame(index=names))
    with pytest.raises(DataError, match=r"periods, dates or whole numbers"):
        Design.from_formula("y ~ lag(x, 1)", frame(index=np.arange(12) + 0.5))
    assert Design.from_formula("y ~ lag(x, 1)", frame()).sample.is_time_series
    assert not Design.from_formula("y ~ x", frame()).sample.is_time_series


def test_several_levels():
    index = pd.MultiIndex.from_product([["a", "b"], range(6)])
    design = Design.from_formula("y ~ x", frame(index=index))
    assert design.sample.index.equals(index)
    with pytest.raises(DataError, match=r"MultiIndex; .*groupby\(level=0\)"):
        Design.from_formula("y ~ lag(x, 1)", frame(index=index))


def test_index_keeps_its_kind():
    for index in (
        quarters(),
        pd.date_range("2000-01-31", periods=12, freq="ME"),
        pd.RangeIndex(12),
    ):
        design = Design.from_formula("y ~ x", frame(index=index.rename("when")))
        assert type(design.sample.index) is type(index) and design.sample.index.name == "when"
        design = Design.from_formula("y ~ lag(x, 1, 2)", frame(index=index))
        assert design.sample.index.equals(index[2:])
        assert getattr(design.sample.index, "freq", None) == getattr(index, "freq", None)


# ---- subsets -------------------------------------------------------------------------------------


def test_subset():
    data = frame(index=quarters())
    expected = [4, 5, 6, 7]
    for subset in (
        data.index[4:8],
        np.isin(np.arange(12), expected),
        pd.Series(np.isin(np.arange(12), expected), data.index),
        slice("2001Q1", "2001Q4"),
        list(data.index[[7, 5, 6, 4]]),
    ):
        design = Design.from_formula("y ~ lag(x, 1)", data, subset=subset)
        assert list(design.sample.rows) == expected
        assert design.sample.n_original == 12
    assert Design.from_formula("y ~ x", data, subset="x > 1.2 and g == 'a'").sample.nobs > 0


def test_subset_decides_levels_and_knots():
    data = frame().assign(g=["a", "b"] * 3 + ["c"] * 6)
    assert Design.from_formula("y ~ g", data, subset=data.index[:6]).levels("g[T.b]") == ("a", "b")


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        ("x > 99", "leaves no rows"),
        ("q > 1", "subset does not fit the data"),
        ("x +", "subset does not fit the data"),
        ("x * 2", "is no condition"),
        ([99, 100], "subset does not fit the data"),
        ([True, False], "subset does not fit the data"),
        ([1, 1, 2], "more than once"),
    ],
)
def test_bad_subsets(subset, words):
    with pytest.raises(DataError, match=words):
        Design.from_formula("y ~ x", frame(), subset=subset)


# ---- weights and groups --------------------------------------------------------------------------


def test_align():
    data = frame(index=quarters())
    data.iloc[[2, 5], 1] = np.nan
    design = Design.from_formula("y ~ x", data, subset=data.index[1:])
    kept = data["w"].to_numpy()[design.sample.rows]
    assert len(kept) == 9
    w, shuffled = data["w"], data["w"].sample(frac=1.0, random_state=0)
    for given in ("w", w, w.to_numpy(), list(w), kept, shuffled, w.iloc[design.sample.rows]):
        np.testing.assert_array_equal(design.align(given, "weights"), kept)
    assert list(design.align("g", "groups")) == list(data["g"].iloc[design.sample.rows])
    assert design.align(["g", "w"], "groups").shape == (9, 2)
    assert design.align(data[["x", "w"]].fillna(0), "groups").dtype == float
    assert design.align(np.arange(12), "groups").dtype.kind == "i"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones(5), r"weights has 5 values, but the data have 12 \(or 11 used\) rows"),
        ("v", "weights: unknown column 'v'"),
        (np.r_[1.0, np.nan, np.ones(10)], "weights is missing at row 1"),
        (np.r_[1.0, np.inf, np.ones(10)], "weights is infinite at row 1"),
        (pd.Series(np.ones(12), index=range(5, 17)), "labels of weights do not match.*e.g. 0"),
        (np.ones((12, 2, 2)), "one value a row"),
    ],
)
def test_bad_weights(values, words):
    data = frame()
    data.loc[4, "x"] = np.nan
    with pytest.raises(DataError, match=words):
        Design.from_formula("y ~ x", data).align(values, "weights")


def test_missing_weights_in_rows_left_out_do_not_matter():
    data = frame()
    data.loc[4, ["x", "w"]] = np.nan
    assert len(Design.from_formula("y ~ x", data).align("w", "weights")) == 11
    data.loc[5, "w"] = np.nan
    with pytest.raises(DataError, match=r"weights \('w'\) is missing at row 5"):
        Design.from_formula("y ~ x", data).align("w", "weights")


def test_describe_column():
    data = frame().assign(g=["a"] * 6 + ["b"] * 5 + ["c"], one=2.0)
    data.loc[11, "x"] = np.nan
    design = Design.from_formula("y ~ x + g + one", data)
    names = design.sample.exog_names
    assert "'c' of 'g' has no rows" in design.describe_column(names.index("g[T.c]"))
    assert design.describe_column(names.index("one")) == "'one' is 2 in every row"
    assert "runs from" in design.describe_column(names.index("x"))
    assert design.sample.const_index == 0
