"""Formulas as users of R type them: a dot for all columns, bare functions, polynomials."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import nnecon as ne
from nnecon.data.series import series_of
from nnecon.exceptions import DataError, FormulaError


def states():
    data = sm.datasets.statecrime.load_pandas().data
    return data.rename(columns={"hs_grad": "hs grad"})


def linear(formula, data=None, **options):
    data = states() if data is None else data
    return ne.NeuralRegression.from_formula(formula, data, hidden=(), **options)


def test_a_dot_is_every_other_column(tmp_path):
    model = linear("murder ~ .")
    assert model.exog_names[1:] == [
        *("violent", "Q('hs grad')", "poverty", "single", "white", "urban"),
    ]
    assert model.formula.startswith("murder ~ (violent + Q('hs grad') + poverty")
    fit = linear("np.log(murder) ~ . - white").fit()
    expected = smf.ols(
        "np.log(murder) ~ violent + Q('hs grad') + poverty + single + urban", states()
    ).fit()
    np.testing.assert_allclose(fit.params, expected.params, rtol=1e-8)
    fit.save(tmp_path / "fit.nnecon")
    np.testing.assert_array_equal(ne.load(tmp_path / "fit.nnecon").params, fit.params)
    # a frame with more columns than the estimation data means the same model
    more = fit.model.on(states().assign(new=1.0))
    assert more.exog_names == fit.model.exog_names
    assert linear("murder ~ (poverty + .)**2 - violent:urban").exog_names[-1] == "white:urban"


def test_a_dot_in_a_stream():
    stream = ne.Stream.of(states(), chunk_rows=20)
    model = ne.NeuralRegression.from_formula("murder ~ . - violent", stream, hidden=(2,))
    assert list(model.exog_names) == linear("murder ~ . - violent").exog_names


def test_dots_that_stand_for_nothing():
    with pytest.raises(FormulaError, match="stands for all other columns, and there are none"):
        linear("murder ~ .", states()[["murder"]])
    with pytest.raises(FormulaError, match="no left-hand side"):
        linear("~ .")
    with pytest.raises(FormulaError, match=r"but 0 is no text; rename it"):
        linear("y ~ .", pd.DataFrame({"y": [1.0, 2.0], 0: [1.0, 3.0]}))
    # a dot within a number, a name or a quoted column is none
    columns = linear("murder ~ np.sqrt(poverty) + I(single * 2.) + Q('hs grad')").exog_names
    assert len(columns) == 4
    odd = states().rename(columns={"white": "pct . white"})
    assert linear("murder ~ Q('pct . white')", odd).exog_names[1] == "Q('pct . white')"


def test_bare_functions_are_numpy_s(tmp_path):
    data = states()
    log = math.log  # of one number: a frame's column needs NumPy's
    fit = linear("log(violent) ~ log(poverty) + sqrt(single) + exp(white / 100) + abs(urban)").fit()
    expected = smf.ols(
        "np.log(violent) ~ np.log(poverty) + np.sqrt(single) + np.exp(white / 100) + urban", data
    ).fit()
    np.testing.assert_allclose(fit.params, expected.params, rtol=1e-8)
    fit.save(tmp_path / "fit.nnecon")
    np.testing.assert_array_equal(ne.load(tmp_path / "fit.nnecon").params, fit.params)
    assert log(1.0) == 0.0
    for name in ("log2", "log10", "log1p", "expm1"):
        design = linear(f"murder ~ {name}(poverty)").exog[:, 1]
        np.testing.assert_array_equal(design, getattr(np, name)(data["poverty"]))
    with pytest.raises(DataError, match=r"not defined at row 'Alabama' \(poverty = 17.5\)"):
        linear("murder ~ log(poverty - 20)")


def test_a_function_of_the_user_s_comes_first():
    def sqrt(x):
        return 2.0 * x

    design = ne.NeuralRegression.from_formula("murder ~ sqrt(single)", states(), hidden=()).exog
    np.testing.assert_array_equal(design[:, 1], sqrt(states()["single"]))


def test_forecasters_know_the_functions():
    macro = ne.datasets.load_macro()
    found = series_of("log(unemp) ~ 1", macro, {})
    np.testing.assert_array_equal(found.endog[:, 0], np.log(macro["unemp"]))


def test_polynomials_equal_r():
    table = pd.read_csv(Path(__file__).with_name("r_polynomials.csv"))
    rows = table[:12].assign(y=np.arange(12.0))
    model = linear("y ~ poly(x, 3)", rows)
    expected = table[["first", "second", "third"]].to_numpy()
    np.testing.assert_allclose(model.exog[:, 1:], expected[:12], rtol=1e-12, atol=1e-14)
    new, _ = model.design.exog_for(table[12:])
    np.testing.assert_allclose(new[:, 1:], expected[12:], rtol=1e-11)


def test_polynomials_are_powers_in_other_coordinates():
    data = states()
    fit = linear("murder ~ poly(poverty, 2) + single").fit()
    raw = linear("murder ~ poly(poverty, 2, raw=True) + single").fit()
    expected = smf.ols("murder ~ poverty + I(poverty**2) + single", data).fit()
    np.testing.assert_allclose(raw.params, expected.params, rtol=1e-6)
    np.testing.assert_allclose(fit.fittedvalues, expected.fittedvalues, rtol=1e-8)
    np.testing.assert_allclose(fit.predict(data[:5]), fit.fittedvalues[:5], rtol=1e-12)
    # one effect a variable, the derivative of the polynomial
    slope = expected.params["poverty"] + 2 * expected.params["I(poverty ** 2)"] * data["poverty"]
    assert fit.get_margeff().margeff["poverty"] == pytest.approx(slope.mean(), rel=1e-7)
    holes = data.assign(poverty=data["poverty"].where(data["poverty"] < 25))
    part = linear("murder ~ poly(poverty, 2) + single", holes)
    assert part.exog.shape == ((data["poverty"] < 25).sum(), 4)
    np.testing.assert_allclose(part.exog[:, 1:3].T @ part.exog[:, 1:3], np.eye(2), atol=1e-12)


def test_polynomials_in_a_stream_remember_all_chunks():
    stream = ne.Stream.of(states(), chunk_rows=20)
    model = ne.NeuralRegression.from_formula("murder ~ poly(poverty, 2)", stream, hidden=(2,))
    expected = linear("murder ~ poly(poverty, 2)").exog
    found, _ = model.design.exog_for(states())
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "formula, message",
    [
        ("murder ~ poverty | single", r"second right-hand side.*not supported.*x1 \+ x2"),
        ("murder ~ white + poverty | single", r"C\(group\)"),
        ("murder ~ poly(poverty, 60)", "poly.. of degree 60 needs more than 60 different values"),
        ("murder ~ poly(poverty, 0)", "a whole number from 1 on"),
        ("murder ~ poly(poverty, single)", "takes one variable"),
        ("murder ~ factor(urban)", r"unknown function factor\(\).*write C\(x\) here"),
        ("murder ~ ns(poverty, 3)", r"write cr\(x, df=3\) here"),
        ("murder ~ tan(poverty)", r"unknown function tan\(\)"),
    ],
)
def test_what_formulas_do_not_know(formula, message):
    with pytest.raises(FormulaError, match=message):
        linear(formula)


def test_either_or_of_two_flags_is_written_in_parentheses():
    data = states()
    design = linear("murder ~ I((poverty > 20) | (single > 30))").exog[:, 1]
    np.testing.assert_array_equal(design, (data["poverty"] > 20) | (data["single"] > 30))
