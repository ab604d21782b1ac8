"""The array interface."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from nnecon.data.design import Design
from nnecon.exceptions import DataError, ForecastError, SpecificationError


def data(n=10):
    rng = np.random.default_rng(5)
    return rng.normal(size=n), np.column_stack([np.ones(n), rng.normal(size=(n, 2))])


def test_names_are_those_of_statsmodels():
    y, x = data()
    for exog in (x, x[:, 1:], x[:, [1, 0, 2]], x[:, 1]):
        design = Design.from_arrays(y, exog)
        assert list(design.sample.exog_names) == sm.OLS(y, exog).exog_names
        assert design.sample.endog_name == "y"
        assert design.sample.index.equals(pd.RangeIndex(10))


def test_frames_and_series():
    y, x = data()
    index = pd.period_range("2000", periods=10, freq="Y", name="year")
    exog = pd.DataFrame(x, index, columns=["const", "a", "b"])
    design = Design.from_arrays(pd.Series(y, index, name="growth"), exog)
    assert design.sample.endog_name == "growth" and design.sample.const_index == 0
    assert [r.name for r in design.regressors] == ["a", "b"]
    assert design.sample.is_time_series and design.sample.index.equals(index)
    mixed = Design.from_arrays(y, exog)
    assert mixed.sample.index.equals(index)
    new, labels = design.exog_for(exog.iloc[3:5][["b", "const", "a"]])
    np.testing.assert_array_equal(new, x[3:5])
    assert labels.equals(index[3:5])
    with pytest.raises(DataError, match=r"no column 'a'; did you mean"):
        design.exog_for(exog.rename(columns={"a": "A"}))
    np.testing.assert_array_equal(design.exog_for(x[:2])[0], x[:2])


def test_new_arrays():
    y, x = data()
    design = Design.from_arrays(y, x)
    np.testing.assert_array_equal(design.exog_for(x[0])[0], x[:1])
    np.testing.assert_array_equal(design.exog_for(pd.DataFrame(x[:2]))[0], x[:2])
    single = Design.from_arrays(y, x[:, 1])
    assert single.exog_for([1.0, 2.0, 3.0])[0].shape == (3, 1)
    with pytest.raises(DataError, match=r"2 columns, but the model has 3: const, x1, x2"):
        design.exog_for(x[:, 1:])
    with pytest.raises(ForecastError, match=r"'x1' is missing at row 0"):
        design.exog_for([[1.0, np.nan, 2.0]])
    with pytest.raises(DataError, match=r"'x2' is infinite at row 0"):
        design.exog_for([[1.0, 2.0, np.inf]])
    with pytest.raises(DataError, match=r"no rows"):
        design.exog_for(x[:0])


def test_missing():
    y, x = data()
    x[3, 1] = np.nan
    for missing in ("raise", "none"):
        with pytest.raises(DataError, match=r"'x1' has 1 missing value at 3"):
            Design.from_arrays(y, x, missing=missing)
    design = Design.from_arrays(y, x, missing="drop")
    assert list(design.sample.rows) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert len(design.align(np.ones(10), "weights")) == 9
    x[:, 2] = np.nan
    with pytest.raises(DataError, match=r"no row is complete; column 'x2'"):
        Design.from_arrays(y, x, missing="drop")


@pytest.mark.parametrize(
    ("endog", "exog", "words"),
    [
        (["a", "b"], [[1.0], [2.0]], r"'endog\[:, 0\]' holds 'a' at row 0"),
        ([1.0, 2.0], [["1", "x"], ["2", "z"]], r"'exog\[:, 0\]' holds '1' at row 0"),
        ([1.0, 2.0], pd.DataFrame({"g": ["u", "v"]}, ["r", "s"]), "'g' holds 'u' at row 'r'"),
        ([1.0, 2.0], [[1.0], [np.inf]], "'x1' is infinite at row 1"),
        ([1.0, 2.0], [[1.0]], "endog has 2 rows but exog has 1"),
        ([], np.zeros((0, 2)), "no rows"),
        ([1.0, 2.0], np.zeros((2, 0)), "no columns"),
        (np.zeros((3, 2)), np.zeros((3, 2)), "endog must be one variable"),
        ([1.0, 2.0], np.zeros((2, 2, 2)), "one or two dimensions"),
        (pd.Series([1.0, 2.0], [0, 1]), pd.DataFrame({"x": [1.0, 2.0]}, [0, 2]), "differ at row 1"),
        ([1.0, 2.0], pd.DataFrame([[1.0, 2.0]] * 2, columns=["x", "x"]), "2 columns named 'x'"),
        ([1.0, 2.0], [[1.0, 2.0], [3.0]], "exog is no array of numbers"),
        ([1j, 2.0], [[1.0], [2.0]], "complex"),
    ],
)
def test_bad_arrays(endog, exog, words):
    with pytest.raises(DataError, match=words):
        Design.from_arrays(endog, exog)


def test_unsorted_dates():
    y, x = data(3)
    index = pd.DatetimeIndex(["2000-01-03", "2000-01-01", "2000-01-02"])
    with pytest.raises(DataError, match=r"2000-01-01 comes after 2000-01-03"):
        Design.from_arrays(pd.Series(y, index), x)


def test_effects():
    y, x = data()
    design = Design.from_arrays(y, x)
    expected = np.zeros((10, 3))
    expected[:, 2] = 1
    np.testing.assert_array_equal(design.direction("x2"), expected)
    np.testing.assert_array_equal(design.direction("x2", x[:4]), expected[:4])
    np.testing.assert_array_equal(design.observed("x2"), x[:, 2])
    page = design.moving_rows().set({design.regressor("x1"): 7.0}).exog
    assert (page[:, 1] == 7).all() and (page[:, 2] == x[:, 2]).all()
    with pytest.raises(SpecificationError, match=r"use direction"):
        design.contrast("x1")
    assert design.levels("x1") == ()
    assert design.describe_column(0) == "'const' is 1 in every row"


def test_caller_keeps_the_arrays():
    y, x = data()
    design = Design.from_arrays(y, x)
    x[:] = 0.0
    y[:] = 0.0
    assert design.sample.exog[0, 0] == 1.0 and design.sample.endog[0] != 0.0


def test_column_by_name_needs_a_frame():
    with pytest.raises(DataError, match=r"frame is not at hand"):
        Design.from_arrays(*data()).align("w", "weights")
