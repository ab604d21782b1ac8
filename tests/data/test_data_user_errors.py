"""Errors that users ran into: what went wrong is named, and the way out works."""

import numpy as np
import pandas as pd
import pytest

from nnecon.data.design import Design
from nnecon.data.files import read_table
from nnecon.exceptions import DataError, FormulaError


def frame(n=80):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=n), "c": rng.choice(list("abc"), n)})
    return data.assign(g=rng.integers(0, 8, n), y=data.x + rng.normal(size=n))


def monthly(n=80):
    return frame(n).set_axis(pd.period_range("2000", periods=n, freq="M"), axis=0)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("lag(C(g), 1)", "C(lag(g, 1))"),
        ("diff(C(g))", "C(diff(g))"),
        ("lag(bs(x, 4), 2)", "bs(lag(x, 2), 4)"),
        ("lag(C(g) * 1, 1)", "C(lag(...))"),
    ],
)
def test_categories_inside_time_operators(written, right):
    with pytest.raises(FormulaError) as caught:
        Design.from_formula(f"y ~ x + {written}", monthly())
    assert str(caught.value).endswith(f"turn it round: {right}")
    if "..." not in right:
        Design.from_formula(f"y ~ x + {right}", monthly())


@pytest.mark.parametrize(
    ("term", "values", "words"),
    [
        ("k", "a", "'k' has only the level 'a' in the sample; leave it out"),
        ("C(k)", 1, r"'C\(k\)' has only the level 1 in the sample"),
        ("x:k + x", "a", "'k' has only the level 'a'"),
    ],
)
def test_a_category_with_one_level(term, values, words):
    with pytest.raises(DataError, match=words):
        Design.from_formula(f"y ~ x + {term}", frame().assign(k=values))


def test_a_category_with_one_level_in_the_subset():
    with pytest.raises(DataError, match="'c' has only the level 'a'"):
        Design.from_formula("y ~ x + c", frame(), subset="c == 'a'")
    constant = Design.from_formula("y ~ 0 + x + c", frame(), subset="c == 'a'")
    assert constant.sample.exog_names == ("c[a]", "x")


def test_years_stored_as_floats_are_whole_numbers():
    data = frame(40).set_axis(np.arange(1900.0, 1940.0), axis=0)
    design = Design.from_formula("y ~ lag(x, 1)", data.iloc[:-2])
    assert list(design.sample.index[:2]) == [1901.0, 1902.0]
    exog, _ = design.exog_for(data.iloc[-2:])
    np.testing.assert_array_equal(exog[:, 1], data.x.iloc[-3:-1])
    with pytest.raises(DataError, match="gap: 1905 is missing") as caught:
        Design.from_formula("y ~ lag(x, 1)", data.drop(index=1905.0))
    assert "data.reindex(range(int(data.index[0]), int(data.index[-1]) + 1))" in str(caught.value)
    filled = data.drop(index=1905.0).reindex(range(1900, 1940))
    assert Design.from_formula("y ~ lag(x, 1)", filled).sample.nobs == 37


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (["2000Q1", "2000Q2", "2000Q3"], "pd.PeriodIndex(data.index, freq='Q')"),
        (["2000-01", "2000-02", "2000-03"], "pd.PeriodIndex(data.index, freq='M')"),
        (["2000", "2001", "2002"], "pd.PeriodIndex(data.index, freq='Y')"),
        (["2000-01-01", "2000-01-02", "2000-01-03"], "pd.to_datetime(data.index)"),
        (["one", "two", "three"], "pd.period_range(first, periods=len(data), freq='Q')"),
        ([2000.0, 2000.25, 2000.5], "pd.period_range(first, periods=len(data), freq='Q')"),
    ],
)
def test_advice_for_labels_that_are_no_periods(labels, advice):
    data = frame(3).set_axis(labels, axis=0)
    with pytest.raises(DataError, match="needs an index of periods") as caught:
        Design.from_formula("y ~ lag(x, 1)", data)
    assert advice in str(caught.value)
    names = {"data": data, "pd": pd, "first": "2000Q1", "len": len}
    data.index = eval(advice, names)
    assert Design.from_formula("y ~ lag(x, 1)", data).sample.nobs == 2


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("c", r"weights \('c'\) must hold numbers, but has '.' at row 0"),
        (np.array(["1.5"] * 80), "weights must hold numbers, but has '1.5' at row 0"),
        (np.ones((80, 2)), r"weights must have one value a row, not the shape \(80, 2\)"),
        (["x", "g"], r"weights must have one value a row, not the shape \(80, 2\)"),
    ],
)
def test_weights_that_are_no_numbers(weights, words):
    with pytest.raises(DataError, match=words):
        Design.from_formula("y ~ x", frame()).align(weights, "weights")


def test_weights_as_objects_are_numbers():
    data = frame().assign(w=pd.Series([2, 3.5] * 40, dtype=object))
    weights = Design.from_formula("y ~ x", data).align("w", "weights")
    assert weights.dtype == float and list(weights[:2]) == [2.0, 3.5]
    assert list(Design.from_formula("y ~ x", data).align("c", "groups")) == list(data.c)


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        (frame().x[:50] > 0, "subset has 50 values and none for row 50 of the 80 rows"),
        (lambda s: s.x > 0, r"not a function; call it first: subset=function\(data\)"),
        ("xx>0", r"unknown column 'xx'; did you mean 'x'\? The columns are: x, c, g, y"),
        ("x.nothing > 0", "subset does not fit the data"),
    ],
)
def test_subsets_that_do_not_fit(subset, words):
    with pytest.raises(DataError, match=words):
        Design.from_formula("y ~ x", frame(), subset=subset)


@pytest.mark.parametrize("levels", [8, 60])
def test_numbers_stored_as_text(levels):
    data = monthly().assign(w=[str(k % levels) for k in range(80)])
    written = ["w", "lag(w, 1)"]
    if levels == 8:
        for term in written:
            Design.from_formula(f"y ~ x + {term}", data)
        return
    for term in written:
        with pytest.raises(DataError, match="'w' is text that looks like numbers") as caught:
            Design.from_formula(f"y ~ x + {term}", data)
        assert "pd.to_numeric(data['w'])" in str(caught.value)
        assert f"or write C({term}) if" in str(caught.value)
        Design.from_formula(f"y ~ x + C({term})", data)
    Design.from_formula("y ~ x + w", data.assign(w=pd.to_numeric(data["w"])))
    Design.from_formula("y ~ x + w", data.assign(w="f" + data["w"]))


def test_a_few_rows_of_numbers_stored_as_text():
    with pytest.raises(DataError, match="6 different values in 8 rows"):
        Design.from_formula("y ~ w", frame(8).assign(w=list("12345611")))


@pytest.mark.parametrize(
    ("written", "right"), [("x^2", r"I\(x\*\*2\)"), ("np.exp(x ^ 3)", r"I\(x\*\*3\)")]
)
def test_a_hat_is_no_power(written, right):
    with pytest.raises(FormulaError, match=rf"is no power; write {right}"):
        Design.from_formula(f"y ~ {written}", frame())


def test_the_outcome_does_not_explain_itself():
    with pytest.raises(FormulaError, match=r"explains 'y' by itself.*lag\(y, 1\)"):
        Design.from_formula("y ~ y + x", monthly())
    Design.from_formula("y ~ lag(y, 1) + x", monthly())


def test_powers_of_a_sum_are_spelled():
    with pytest.raises(FormulaError, match=r"\(x \+ z\)\*\*2"):
        Design.from_formula("y ~ (x + g)^2", frame())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1,5;2\n2,25;3\n", [[1.5, 2.0], [2.25, 3.0]]),
        ("a;b\n1.5;x\n2.25;y\n", [[1.5, "x"], [2.25, "y"]]),
        ("a,b\n1.5,p;q\n2.25,r\n", [[1.5, "p;q"], [2.25, "r"]]),
    ],
)
def test_csv_files_of_spreadsheets(tmp_path, text, expected):
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert read_table(path).to_numpy().tolist() == expected
