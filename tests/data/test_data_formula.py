"""Design matrices against patsy and statsmodels, and regressors against hand-made derivatives."""

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.formula.api as smf

from nnecon.data.datasets import load_macro
from nnecon.data.design import Design
from nnecon.exceptions import FormulaError, SpecificationError


def panel(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.uniform(1.0, 2.0, n),
            "g": rng.choice(list("abc"), n),
            "h": rng.choice(["u", "v"], n),
            "k": rng.integers(0, 4, n),
            "b": rng.random(n) > 0.5,
            "gdp growth": rng.normal(size=n),
        }
    )


FORMULAS = [
    "y ~ x * z",
    "y ~ 1",
    "y ~ 0 + g",
    "y ~ g * h",
    "y ~ 0 + g:h",
    "y ~ x * g",
    "y ~ C(k) + np.log(z)",
    "y ~ bs(x, 5) + g",
    "y ~ cr(x, 4) + center(z)",
    "y ~ cc(x, df=4) + scale(z)",
    "y ~ I(x**2) + x + k",
    "y ~ b + b:x",
    "y ~ x - 1",
    "y ~ C(g, Sum) + x:C(g)",
    "y ~ te(cr(x, 3), cr(z, 3))",
    "y ~ standardize(x) * g * h",
    "y ~ x / g",
    "y ~ (x + z + g)**2",
    "y ~ bs(x, df=4, degree=2):g",
    "y ~ C(g, Treatment('b'))",
    "y ~ C(k, Poly)",
    "y ~ Q('gdp growth') * x",
    "I(y * 2) ~ np.maximum(x, 0) + (z > 1.5)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_columns_equal_patsy(formula):
    frame = panel()
    left, right = patsy.dmatrices(formula, frame, return_type="dataframe")
    design = Design.from_formula(formula, frame)
    assert design.sample.exog_names == tuple(right.columns)
    np.testing.assert_allclose(design.sample.exog, right, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(design.sample.endog, left.iloc[:, 0], rtol=1e-14)
    again, index = design.exog_for(frame.iloc[5:12])
    np.testing.assert_allclose(again, design.sample.exog[5:12], rtol=1e-13, atol=1e-14)
    assert index.equals(frame.index[5:12])


@pytest.mark.parametrize("formula", ["y ~ x + C(k)", "y ~ bs(z, 4) + x:g", "np.exp(y) ~ 0 + g + x"])
def test_design_equals_statsmodels(formula):
    frame = panel()
    frame.loc[[3, 17], "x"] = np.nan
    model = smf.ols(formula, frame, subset=frame.index[2:50])
    design = Design.from_formula(formula, frame, subset=frame.index[2:50])
    assert list(design.sample.exog_names) == model.exog_names
    np.testing.assert_allclose(design.sample.exog, model.exog, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(design.sample.endog, model.endog, rtol=1e-14)
    assert design.sample.index.equals(model.data.row_labels)
    assert design.sample.n_original == 60


def test_lags_are_columns_of_their_own():
    macro = load_macro()
    design = Design.from_formula("growth ~ infl + unemp + lag(growth, 1, 4)", macro)
    names = ("Intercept", "infl", "unemp", *(f"lag(growth, {k})" for k in range(1, 5)))
    assert design.sample.exog_names == names
    assert design.sample.nobs == 198
    assert str(design.sample.index[0]) == "1960Q2"
    for k in range(1, 5):
        expected = macro["growth"].shift(k).loc[design.sample.index]
        np.testing.assert_array_equal(design.sample.exog[:, 2 + k], expected)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("lag(x, 1, 2):z", ["lag(x, 1):z", "lag(x, 2):z"]),
        ("lag(x, 1, 2)*z", ["lag(x, 1)", "lag(x, 2)", "z", "lag(x, 1):z", "lag(x, 2):z"]),
        ("lag(x, 0, 2)", ["lag(x, 0)", "lag(x, 1)", "lag(x, 2)"]),
        ("lag(x, 1, 4) - lag(x, 2)", ["lag(x, 1)", "lag(x, 3)", "lag(x, 4)"]),
        ("lag(x, first=2, last=3)", ["lag(x, 2)", "lag(x, 3)"]),
        ("lag(x)", ["lag(x, 1)"]),
        ("lag(x, k=3)", ["lag(x, 3)"]),
        ("np.log(lag(z, 1, 2))", ["np.log(lag(z, 1))", "np.log(lag(z, 2))"]),
        ("lag(np.log(z), 1, 2)", ["lag(np.log(z), 1)", "lag(np.log(z), 2)"]),
        ("lag(dlog(z), 1, 2)", ["lag(dlog(z), 1)", "lag(dlog(z), 2)"]),
        ("diff(x) + diff(z, 4)", ["diff(x)", "diff(z, 4)"]),
        ("lag(Q('gdp growth'), 1)", ["lag(Q('gdp growth'), 1)"]),
    ],
)
def test_names_of_time_operators(written, names):
    design = Design.from_formula(f"y ~ 0 + {written}", panel())
    assert sorted(design.sample.exog_names) == sorted(names)


def test_values_of_time_operators():
    frame = panel()
    design = Design.from_formula(
        "y ~ 0 + dlog(z) + dlog(z, 4) + diff(x, 2) + lag(dlog(z), 2) + np.log(lag(z, 1))"
        " + diff(lag(x, 1)) + lag(x, 3):z + lag(x, 0, 1)",
        frame,
    )
    logs = 100 * np.log(frame["z"])
    expected = {
        "dlog(z)": logs.diff(),
        "dlog(z, 4)": logs.diff(4),
        "diff(x, 2)": frame["x"].diff(2),
        "lag(dlog(z), 2)": logs.diff().shift(2),
        "np.log(lag(z, 1))": np.log(frame["z"].shift(1)),
        "diff(lag(x, 1))": frame["x"].diff().shift(1),
        "lag(x, 3):z": frame["x"].shift(3) * frame["z"],
        "lag(x, 0)": frame["x"],
    }
    for name, values in expected.items():
        column = design.sample.exog[:, design.sample.exog_names.index(name)]
        np.testing.assert_allclose(
            column, values.iloc[design.sample.rows], rtol=1e-12, err_msg=name
        )
    assert design.sample.rows[0] == 4


def test_number_of_lags_from_the_caller():
    p = 3  # noqa: F841 - the formula finds it
    design = Design.from_formula("y ~ lag(x, 1, p)", panel())
    assert design.sample.exog_names[1:] == ("lag(x, 1)", "lag(x, 2)", "lag(x, 3)")


def test_lag_of_a_category_and_of_a_flag():
    frame = panel()
    design = Design.from_formula("y ~ lag(g, 1) + lag(b, 1)", frame)
    assert design.sample.exog_names == (
        "Intercept", "lag(g, 1)[T.b]", "lag(g, 1)[T.c]", "lag(b, 1)[T.True]",
    )  # fmt: skip
    np.testing.assert_array_equal(design.sample.exog[:, 3], frame["b"].to_numpy()[:-1])
    assert [r.variable for r in design.regressors] == ["lag(g, 1)", "lag(g, 1)", "lag(b, 1)"]
    ordered = frame.assign(g=pd.Categorical(frame["g"], ["c", "b", "a"]))
    design = Design.from_formula("y ~ lag(g, 1)", ordered)
    assert design.sample.exog_names == ("Intercept", "lag(g, 1)[T.b]", "lag(g, 1)[T.a]")


def test_lags_before_subset():
    macro = load_macro()
    design = Design.from_formula("growth ~ lag(growth, 1, 4)", macro, subset="unemp > 5")
    assert str(design.sample.index[0]) == "1960Q2"
    assert (macro["unemp"].loc[design.sample.index] > 5).all()
    np.testing.assert_array_equal(
        design.sample.exog[:, 2], macro["growth"].shift(2).loc[design.sample.index]
    )


def test_splines_next_to_lags_ignore_the_lost_rows():
    frame = panel()
    design = Design.from_formula("y ~ bs(x, 4) + lag(x, 1, 2) + standardize(lag(z, 1))", frame)
    full = np.asarray(patsy.dmatrix("bs(x, 4) - 1", frame))
    np.testing.assert_allclose(design.sample.exog[:, 1:5], full[2:], rtol=1e-13, atol=1e-15)
    lagged = frame["z"].to_numpy()[:-1]
    scaled = (lagged - lagged.mean()) / lagged.std()
    np.testing.assert_allclose(design.sample.exog[:, -1], scaled[1:], rtol=1e-12)


def test_spline_of_a_column_with_holes():
    frame = panel()
    frame.loc[[0, 7, 30], "x"] = np.nan
    design = Design.from_formula("y ~ bs(x, 4) + cr(z, 3) + te(cr(x, 3), cr(z, 3))", frame)
    complete = frame.dropna(subset="x")
    expected = patsy.dmatrix("bs(x, 4)", complete)
    np.testing.assert_allclose(design.sample.exog[:, :5], expected, rtol=1e-13, atol=1e-15)
    assert design.sample.nobs == 57


def double(values):
    return 2.0 * values


def test_functions_of_the_caller():
    scale = 3.0
    frame = panel()

    def triple(values):
        return scale * values

    design = Design.from_formula(
        "y ~ triple(x) + double(z) + bs(x, knots=[-0.5, scale / 6])", frame
    )
    np.testing.assert_array_equal(design.sample.exog[:, 1], 3.0 * frame["x"])
    np.testing.assert_array_equal(design.sample.exog[:, 2], 2.0 * frame["z"])
    design = Design.from_formula("y ~ f(x)", frame, env={"f": double})
    np.testing.assert_array_equal(design.sample.exog[:, 1], 2.0 * frame["x"])
    with pytest.raises(FormulaError, match=r"unknown function double\(\)"):
        Design.from_formula("y ~ double(x)", frame, env=-1)


def test_columns_hide_no_functions():
    frame = panel().rename(columns={"x": "C", "z": "I", "y": "lag", "g": "bs"})
    design = Design.from_formula("lag ~ C + I + I(C**2) + lag(C, 1) + C(k) + C(bs)", frame)
    np.testing.assert_array_equal(
        design.sample.exog[:, design.sample.exog_names.index("lag(C, 1)")], frame["C"].iloc[:-1]
    )
    assert "I(C ** 2)" in design.sample.exog_names


def test_bool_endog_becomes_one_and_zero():
    frame = panel()
    for formula in ("b ~ x", "I(y > 0) ~ x"):
        design = Design.from_formula(formula, frame)
        assert set(design.sample.endog) == {0.0, 1.0}


def test_whole_numbers_do_not_overflow():
    frame = pd.DataFrame(
        {"y": np.arange(6.0), "k": np.array([1, 2, 3, 10, 100, 120], dtype="int8")}
    )
    design = Design.from_formula("y ~ I(k**12) + I(k**-1)", frame)
    np.testing.assert_allclose(design.sample.exog[:, 1], frame["k"].astype(float) ** 12)


def test_drop_cols():
    frame = panel()
    design = Design.from_formula("y ~ x + z + g", frame, drop_cols=["z", "g[T.b]"])
    assert design.sample.exog_names == ("Intercept", "g[T.c]", "x")
    assert "z" not in [r.name for r in design.regressors]
    with pytest.raises(FormulaError, match=r"drop_cols names 'q'"):
        Design.from_formula("y ~ x", frame, drop_cols=["q"])


# ---- regressors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ x + np.log(z) + lag(x, 1)", ["x", "np.log(z)", "lag(x, 1)"]),
        ("y ~ np.log(x + 5)", ["np.log(x + 5)"]),
        ("y ~ x + I(x**2)", ["x"]),
        ("y ~ np.log(z) + z", ["z"]),
        ("y ~ x + z + I(x * z)", ["x", "z"]),
        ("y ~ I(x * z)", ["I(x * z)"]),
        ("y ~ x + I(x * z)", ["x", "z"]),
        ("y ~ bs(x, 4)", ["x"]),
        ("y ~ bs(lag(x, 1), 4)", ["lag(x, 1)"]),
        ("y ~ lag(x, 1) + I(lag(x, 1)**2) + x", ["lag(x, 1)", "x"]),
        ("y ~ dlog(z) + lag(dlog(z), 1, 2)", ["dlog(z)", "lag(dlog(z), 1)", "lag(dlog(z), 2)"]),
        ("y ~ te(cr(x, 3), cr(z, 3))", ["x", "z"]),
        ("y ~ g * x", ["g[T.b]", "g[T.c]", "x"]),
        ("y ~ 0 + C(g)", ["C(g)[b]", "C(g)[c]"]),
        ("y ~ b", ["b[T.True]"]),
        ("y ~ Q('gdp growth')", ["gdp growth"]),
        ("y ~ 1", []),
    ],
)
def test_regressors(formula, names):
    assert [r.name for r in Design.from_formula(formula, panel()).regressors] == names


def test_category_regressors_say_what_they_compare():
    first, second = Design.from_formula("y ~ C(g, Treatment('b')) * x", panel()).regressors[:2]
    assert (first.kind, first.variable, first.level, first.reference) == ("category", "g", "a", "b")
    assert second.name == "C(g, Treatment('b'))[T.c]"


@pytest.mark.parametrize(
    ("formula", "name", "exact"),
    [
        ("y ~ x * z", "x", lambda d: [0 * d.x, 1 + 0 * d.x, 0 * d.x, d.z]),
        ("y ~ x + I(x**2) + I(x**3)", "x", lambda d: [0 * d.x, 1 + 0 * d.x, 2 * d.x, 3 * d.x**2]),
        ("y ~ z + np.log(z)", "z", lambda d: [0 * d.x, 1 + 0 * d.x, 1 / d.z]),
        ("y ~ np.log(z) * x", "np.log(z)", lambda d: [0 * d.x, 1 + 0 * d.x, 0 * d.x, d.x]),
        ("y ~ x + I(x * z)", "z", lambda d: [0 * d.x, 0 * d.x, d.x]),
        (
            "y ~ x + z + np.exp(x):z",
            "x",
            lambda d: [0 * d.x, 1 + 0 * d.x, 0 * d.x, np.exp(d.x) * d.z],
        ),
        ("y ~ 0 + x:h", "x", lambda d: [1.0 * (d.h == "u"), 1.0 * (d.h == "v")]),
        ("y ~ x:I(x + z)", "x", lambda d: [0 * d.x, 2 * d.x + d.z]),
    ],
)
def test_direction_against_calculus(formula, name, exact):
    frame = panel()
    design = Design.from_formula(formula, frame)
    expected = np.column_stack(exact(frame))
    np.testing.assert_allclose(design.direction(name), expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        design.direction(name, frame.iloc[4:9]), expected[4:9], rtol=1e-9, atol=1e-10
    )


@pytest.mark.parametrize(
    "term", ["bs(x, 5)", "cr(x, 4)", "bs(x, 5):z + x", "te(cr(x, 3), cr(z, 3))"]
)
def test_direction_through_splines(term):
    frame = panel()
    design = Design.from_formula(f"y ~ {term}", frame)
    slope = design.direction("x")
    assert np.isfinite(slope).all()
    inside = np.argsort(frame["x"].to_numpy())[5:-5]
    h = 1e-5
    up = design.exog_for(frame.assign(x=frame["x"] + h).iloc[inside])[0]
    down = design.exog_for(frame.assign(x=frame["x"] - h).iloc[inside])[0]
    np.testing.assert_allclose(slope[inside], (up - down) / (2 * h), rtol=1e-5, atol=1e-7)


def test_direction_where_only_one_side_exists():
    z = np.r_[1e-9, 1e-3, np.linspace(0.1, 3, 20)]
    frame = pd.DataFrame({"y": np.arange(22.0), "z": z})
    design = Design.from_formula("y ~ z + np.log(z) + np.sqrt(z)", frame)
    expected = np.column_stack([0 * z, 1 + 0 * z, 1 / z, 0.5 / np.sqrt(z)])
    np.testing.assert_allclose(design.direction("z"), expected, rtol=1e-6)


def test_contrast_moves_interactions():
    frame = panel()
    design = Design.from_formula("y ~ g * x", frame)
    high, low = design.contrast("g[T.c]")
    expected = np.zeros_like(high)
    expected[:, 2] = 1.0
    expected[:, 5] = frame["x"]
    np.testing.assert_array_equal(high - low, expected)
    high, low = design.contrast("g[T.c]", frame.iloc[:3])
    np.testing.assert_array_equal(high - low, expected[:3])
    with pytest.raises(SpecificationError, match=r"use contrast"):
        design.direction("g[T.c]")
    with pytest.raises(SpecificationError, match=r"use direction"):
        design.contrast("x")
    with pytest.raises(SpecificationError, match=r"did you mean 'x'"):
        design.direction("X")


def test_contrast_moves_every_coding_of_a_variable():
    design = Design.from_formula("y ~ C(g, Sum) + x:C(g)", panel())
    assert [r.variable for r in design.regressors] == ["g", "g", "x"]
    high, low = design.contrast(design.regressors[0])
    assert (high != low).any(axis=0).sum() == 4


def moved(design, name, point):
    """The sample's design matrix with one regressor set to a point."""
    return design.moving_rows().set({design.regressor(name): point}).exog


def test_moved_rows_and_observed():
    frame = panel()
    design = Design.from_formula("y ~ bs(x, 4) + x:z + g", frame)
    np.testing.assert_array_equal(design.observed("x"), frame["x"])
    assert list(design.observed("g[T.b]")) == list(frame["g"])
    assert design.levels("g[T.b]") == ("a", "b", "c")
    expected = design.exog_for(frame.assign(x=0.5))[0]
    np.testing.assert_allclose(moved(design, "x", 0.5), expected, rtol=1e-14)
    page = moved(design, "g[T.b]", "c")
    np.testing.assert_array_equal(page, design.exog_for(frame.assign(g="c"))[0])
    with pytest.raises(ValueError, match=r"keep the values inside"):
        moved(design, "x", 100.0)
    with pytest.raises(ValueError, match=r"'q' is no level of 'g'"):
        moved(design, "g[T.b]", "q")


def test_moved_rows_of_a_factor_as_written():
    frame = panel()
    design = Design.from_formula("y ~ np.log(z) * x", frame)
    np.testing.assert_allclose(design.observed("np.log(z)"), np.log(frame["z"]))
    page = moved(design, "np.log(z)", np.log(1.5))
    np.testing.assert_allclose(page, design.exog_for(frame.assign(z=1.5))[0], rtol=1e-14)
