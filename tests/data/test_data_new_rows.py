"""Design matrices at new rows: history, order, labels, and what is refused."""

import numpy as np
import pandas as pd
import patsy
import pytest

from nnecon.data.datasets import load_macro
from nnecon.data.design import Design
from nnecon.exceptions import DataError, ForecastError


def monthly(index, seed=1):
    rng = np.random.default_rng(seed)
    n = len(index)
    return pd.DataFrame({"y": rng.normal(size=n), "x": rng.uniform(1, 2, n)}, index=index)


INDICES = {
    "period": pd.period_range("2000-01", periods=40, freq="M"),
    "month end": pd.date_range("2000-01-31", periods=40, freq="ME"),
    "month start": pd.date_range("2000-01-01", periods=40, freq="MS"),
    "quarter start": pd.date_range("2000-01-01", periods=40, freq="QS"),
    "quarter end": pd.date_range("2000-03-31", periods=40, freq="QE"),
    "quarter start nov": pd.date_range("2000-02-01", periods=40, freq="QS-FEB"),
    "year end": pd.date_range("1960-12-31", periods=40, freq="YE"),
    "week": pd.date_range("2000-01-05", periods=40, freq="W-WED"),
    "business day": pd.date_range("2000-01-03", periods=40, freq="B"),
    "business month end": pd.date_range("2000-01-31", periods=40, freq="BME"),
    "day, zone": pd.date_range("2000-03-10", periods=40, freq="D", tz="Europe/Berlin"),
    "quarter hour": pd.date_range("2000-01-01", periods=40, freq="15min"),
    "two months": pd.date_range("2000-01-01", periods=40, freq="2MS"),
    "two quarters period": pd.period_range("2000-01", periods=40, freq="2Q"),
    "range": pd.RangeIndex(40),
    "years": pd.Index(range(1970, 2010), name="year"),
}


@pytest.mark.parametrize("kind", INDICES)
@pytest.mark.parametrize("forget", [False, True])
def test_predicting_continues_the_lags(kind, forget):
    index = INDICES[kind]
    whole = monthly(index)
    if forget and isinstance(index, pd.DatetimeIndex):
        whole.index = pd.DatetimeIndex(list(index))
        assert whole.index.freq is None
    formula = "y ~ x + lag(y, 1, 2) + dlog(x, 3)"
    full = Design.from_formula(formula, whole)
    early = Design.from_formula(formula, whole.iloc[:30])
    for rows in (slice(30, 33), slice(20, 40), slice(25, 28)):
        new = whole.iloc[rows]
        exog, labels = early.exog_for(new)
        expected = full.sample.exog[rows.start - 3 : rows.stop - 3]
        np.testing.assert_allclose(exog, expected, rtol=1e-12)
        assert labels.equals(new.index)
    backwards, labels = early.exog_for(whole.iloc[32:22:-1])
    np.testing.assert_allclose(backwards, full.sample.exog[29:19:-1], rtol=1e-12)
    assert list(labels) == list(whole.index[32:22:-1])


def test_lagged_columns_need_not_be_there():
    macro = load_macro()
    design = Design.from_formula("growth ~ infl + lag(growth, 1, 2)", macro)
    new = pd.DataFrame({"infl": [1.0]}, index=pd.period_range("2009Q4", periods=1, freq="Q"))
    exog, index = design.exog_for(new)
    np.testing.assert_array_equal(exog[0], [1.0, 1.0, *macro["growth"].iloc[[-1, -2]]])
    assert index.equals(new.index)


def test_new_values_win_over_the_history():
    macro = load_macro()
    design = Design.from_formula("growth ~ lag(growth, 1)", macro)
    new = pd.DataFrame(
        {"growth": [99.0, 1.0]}, index=pd.PeriodIndex(["2009Q3", "2009Q4"], freq="Q")
    )
    exog, _ = design.exog_for(new)
    np.testing.assert_array_equal(exog[:, 1], [macro["growth"].iloc[-2], 99.0])


def test_history_missing_names_regressor_row_and_period():
    macro = load_macro()
    design = Design.from_formula("growth ~ infl + lag(growth, 1, 2)", macro)
    new = pd.DataFrame({"infl": [1.0]}, index=pd.period_range("2010Q2", periods=1, freq="Q"))
    with pytest.raises(ForecastError, match=r"lag\(growth, 1\) at 2010Q2 needs 'growth' at 2010Q1"):
        design.exog_for(new)
    design = Design.from_formula("growth ~ lag(dlog(cpi, 4), 2)", macro)
    new = pd.DataFrame({"cpi": [1.0]}, index=pd.period_range("2012Q1", periods=1, freq="Q"))
    with pytest.raises(ForecastError, match=r"needs 'cpi' at 2010Q3, 2011Q3"):
        design.exog_for(new)


def test_a_gap_does_not_matter_where_no_lag_falls_into_it():
    macro = load_macro()
    design = Design.from_formula("growth ~ lag(growth, 4)", macro)
    new = pd.DataFrame({"x": [0.0]}, index=pd.period_range("2010Q2", periods=1, freq="Q"))
    assert design.exog_for(new)[0][0, 1] == macro.loc["2009Q2", "growth"]


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (pd.period_range("2009-10", periods=1, freq="M"), "PeriodIndex of frequency M"),
        (pd.DatetimeIndex(["2009-10-01"]), "a DatetimeIndex"),
        (pd.RangeIndex(1), "a RangeIndex"),
        (pd.Index(["2009Q4"]), r"new.index = pd.PeriodIndex\(new.index, freq='Q-DEC'\)"),
    ],
)
def test_another_kind_of_index(index, words):
    design = Design.from_formula("growth ~ lag(growth, 1)", load_macro())
    with pytest.raises(ForecastError, match=words):
        design.exog_for(pd.DataFrame({"x": [0.0]}, index=index))
    static = Design.from_formula("growth ~ infl", load_macro())
    assert static.exog_for(pd.DataFrame({"infl": [0.0]}, index=index))[1].equals(index)


def test_dates_off_the_grid():
    frame = monthly(INDICES["month end"])
    design = Design.from_formula("y ~ lag(y, 1)", frame)
    with pytest.raises(
        ForecastError, match=r"2003-05-15 is not a date of the data, which go by ME"
    ):
        design.exog_for(pd.DataFrame({"y": [0.0]}, index=pd.DatetimeIndex(["2003-05-15"])))
    zoned = pd.DatetimeIndex(["2003-05-31"], tz="UTC")
    with pytest.raises(ForecastError, match=r"time zone"):
        design.exog_for(pd.DataFrame({"y": [0.0]}, index=zoned))


def test_duplicated_new_periods():
    design = Design.from_formula("growth ~ lag(growth, 1)", load_macro())
    new = pd.DataFrame({"x": [0.0, 1.0]}, index=pd.PeriodIndex(["2009Q4", "2009Q4"], freq="Q"))
    with pytest.raises(ForecastError, match=r"2009Q4 more than once"):
        design.exog_for(new)


def frame(n=30):
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.uniform(1, 2, n),
            "g": ["North", "South", "West"] * (n // 3),
            "flag": rng.random(n) > 0.5,
        },
        index=[f"r{i}" for i in range(n)],
    )


def test_missing_column():
    design = Design.from_formula("y ~ x + g", frame())
    with pytest.raises(DataError, match=r"no column 'x'.*did you mean 'X'"):
        design.exog_for(frame().rename(columns={"x": "X"}))
    design.exog_for(frame().drop(columns="y"))


def test_unseen_category():
    for formula in ("y ~ x + g", "y ~ C(g):x", "y ~ C(g, Sum)"):
        design = Design.from_formula(formula, frame())
        new = frame().iloc[:3].replace({"g": {"South": "Soth"}})
        with pytest.raises(
            DataError, match=r"'g' has the value 'Soth' at row 'r1'.*'North', 'South'"
        ):
            design.exog_for(new)


def test_categories_keep_their_levels():
    design = Design.from_formula("y ~ g + flag", frame())
    exog, _ = design.exog_for(frame().iloc[[2]])
    np.testing.assert_array_equal(exog[0, :3], [1, 0, 1])
    as_category = frame().iloc[:3].assign(g=lambda d: d["g"].astype("category"))
    np.testing.assert_array_equal(design.exog_for(as_category)[0], design.sample.exog[:3])
    as_number = frame().iloc[:3].assign(flag=lambda d: d["flag"].astype(int))
    np.testing.assert_array_equal(design.exog_for(as_number)[0], design.sample.exog[:3])
    as_text = frame().iloc[:3].assign(g=lambda d: d["g"].astype("string"))
    np.testing.assert_array_equal(design.exog_for(as_text)[0], design.sample.exog[:3])


def test_memories_are_those_of_the_estimation():
    data = frame()
    design = Design.from_formula(
        "y ~ center(x) + cr(x, 4) + bs(x, 4, lower_bound=0, upper_bound=9)", data
    )
    built = patsy.dmatrix("center(x) + cr(x, 4) + bs(x, 4, lower_bound=0, upper_bound=9)", data)
    new = pd.DataFrame({"x": [1.1, 5.0]})
    (expected,) = patsy.build_design_matrices([built.design_info], new)
    np.testing.assert_allclose(design.exog_for(new)[0], expected, rtol=1e-13, atol=1e-13)


def test_beyond_a_spline():
    design = Design.from_formula("y ~ bs(x, 4)", frame())
    with pytest.raises(DataError, match=r"bs\(x, 4\).*row 1 \(x = 9.0\).*cr\(\)"):
        design.exog_for(pd.DataFrame({"x": [1.5, 9.0]}))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"x": [1.0, np.nan]}, ForecastError, "'x' is missing at row 1"),
        ({"x": [1.0, np.inf]}, DataError, "'x' is infinite at row 1"),
        ({"x": [1.0, -2.0]}, DataError, r"'np.log\(x\)' is not defined at row 1 \(x = -2.0\)"),
        ({"x": ["1", "a"]}, DataError, "'x' held numbers in the estimation data.*'1' at row 0"),
        ({"g": ["North", None]}, ForecastError, "'g' is missing at row 1"),
    ],
)
def test_bad_values(change, error, words):
    design = Design.from_formula("y ~ np.log(x) + g", frame())
    new = pd.DataFrame({"x": [1.0, 2.0], "g": ["North", "West"], **change})
    with pytest.raises(error, match=words):
        design.exog_for(new)


def test_empty_and_odd_frames():
    design = Design.from_formula("y ~ x", frame())
    with pytest.raises(DataError, match="no rows in the new rows"):
        design.exog_for(frame().iloc[:0])
    with pytest.raises(DataError, match=r"must be a DataFrame"):
        design.exog_for([1.0, 2.0])
    np.testing.assert_array_equal(design.exog_for({"x": 3.0})[0], [[1.0, 3.0]])
    np.testing.assert_array_equal(design.exog_for({"x": [3, 4]})[0], [[1, 3], [1, 4]])


def test_none_is_the_sample():
    design = Design.from_formula("y ~ x", frame())
    exog, index = design.exog_for()
    assert exog is design.sample.exog and index is design.sample.index


def test_intercept_only():
    design = Design.from_formula("y ~ 1", frame())
    exog, _ = design.exog_for(frame().iloc[:4])
    np.testing.assert_array_equal(exog, np.ones((4, 1)))
