"""Awkward data, one by one: the right answer, or an error that names column and way out."""

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers import assert_close

import nnecon as ne
from nnecon.exceptions import DataError

LONGLEY = "TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR"


@pytest.mark.parametrize(
    ("what", "hidden"),
    [("everything", ()), ("regressors", ()), ("outcome", ()), ("everything", (3,))],
    ids=str,
)
@pytest.mark.parametrize("factor", [1e8, 1e-8])
def test_longley_in_other_units(factor, what, hidden):
    frame = helpers.longley()
    scale = pd.Series(1.0, index=frame.columns)
    if what in ("everything", "regressors"):
        scale[frame.columns != "TOTEMP"] = factor
    if what in ("everything", "outcome"):
        scale["TOTEMP"] = factor
    reference = ne.NeuralRegression.from_formula(LONGLEY, frame, hidden=hidden)
    scaled = ne.NeuralRegression.from_formula(LONGLEY, frame * scale, hidden=hidden)
    options = {"alpha": np.inf, "cov_type": "nonrobust"} if not hidden else {"alpha": 0.02}
    one, two = reference.fit(**options), scaled.fit(**options)
    assert two.converged
    ratio = scale["TOTEMP"] / scale.drop("TOTEMP")
    # the certified problem has six digits less than double precision
    assert_close(
        two.get_margeff().margeff,
        one.get_margeff().margeff * ratio[one.get_margeff().margeff.index],
        1e-6,
    )
    assert_close(
        two.get_margeff().baseline["effect"] / ratio, one.baseline.params[ratio.index], 1e-6
    )
    assert_close(two.get_margeff().baseline["se"] / ratio, one.baseline.bse[ratio.index], 1e-6)
    assert two.baseline.df_resid == 9
    assert_close(two.fittedvalues, one.fittedvalues * scale["TOTEMP"], 1e-9)
    assert_close(two.get_margeff().margeff_se / ratio, one.get_margeff().margeff_se, 1e-6)
    assert two.rsquared == pytest.approx(one.rsquared, rel=1e-9)


@pytest.mark.parametrize("hidden", [(), (2,)], ids=str)
def test_a_constant_column_is_named(curved_frame, hidden):
    frame = curved_frame.assign(flat=3.0)
    with pytest.raises(DataError, match=r"'flat'.*leave it out"):
        ne.NeuralRegression.from_formula("y ~ x1 + flat", frame, hidden=hidden).fit()
    with pytest.raises(DataError, match="'flat'"):
        ne.NeuralRegression.from_formula(
            "y ~ x1 + flat", frame, hidden=(2,), linear_part=False
        ).fit(alpha=0.1)


@pytest.mark.parametrize("hidden", [(), (2,)], ids=str)
def test_collinear_columns_are_named(curved_frame, hidden):
    frame = curved_frame.assign(both=2 * curved_frame["x1"] - 3 * curved_frame["x2"] + 1)
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2 + both", frame, hidden=hidden)
    with pytest.raises(DataError, match="'both' is a linear combination of 'x1', 'x2'"):
        model.fit(alpha=0.1)
    # the penalty identifies a network alone
    alone = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2 + both", frame, hidden=(2,), linear_part=False
    ).fit(alpha=0.01, n_starts=3)
    assert alone.converged and np.isfinite(alone.bse).all()


def test_almost_collinear_columns_are_estimated(curved_frame):
    noise = np.random.default_rng(5).standard_normal(len(curved_frame))
    frame = curved_frame.assign(near=curved_frame["x1"] + 1e-6 * noise)
    fit = ne.NeuralRegression.from_formula("y ~ x1 + near + x2", frame, hidden=()).fit(
        cov_type="nonrobust"
    )
    expected = smf.ols("y ~ x1 + near + x2", frame).fit()
    assert_close(fit.params, expected.params, 1e-6)
    assert_close(fit.bse, expected.bse, 1e-6)
    assert fit.edf == pytest.approx(4.0)


def test_dummy_trap_is_named(curved_frame):
    dummies = pd.get_dummies(curved_frame["region"]).astype(float)
    frame = curved_frame.join(dummies)
    with pytest.raises(DataError, match="'West' is a linear combination of"):
        ne.NeuralRegression.from_formula("y ~ East + North + West", frame, hidden=()).fit()


@pytest.mark.parametrize("hidden", [(), (2,)], ids=str)
def test_fewer_rows_than_columns(hidden):
    g = np.random.default_rng(0)
    frame = pd.DataFrame(g.standard_normal((6, 8)), columns=["y", *"abcdefg"])
    formula = "y ~ a + b + c + d + e + f + g"
    with pytest.raises(DataError, match="6 rows cannot determine a linear part of 8 columns"):
        ne.NeuralRegression.from_formula(formula, frame, hidden=hidden).fit(alpha=0.1)
    fit = ne.NeuralRegression.from_formula(formula, frame, hidden=(2,), linear_part=False).fit(
        alpha=0.5, n_starts=3, cov_type="HC1"
    )
    assert fit.converged and fit.edf < 6
    assert np.isfinite(fit.get_margeff().margeff_se).all()


def test_as_many_columns_as_rows():
    """A perfect fit leaves nothing to estimate a variance from."""
    g = np.random.default_rng(0)
    frame = pd.DataFrame(g.standard_normal((3, 3)), columns=["y", "a", "b"])
    with pytest.raises(DataError, match=r"3 rows.*3 columns"):
        ne.NeuralRegression.from_formula("y ~ a + b", frame, hidden=()).fit()


def test_ten_rows(curved_frame):
    ten = curved_frame.iloc[:10]
    fit = ne.NeuralRegression.from_formula("y ~ x1 + x2", ten, hidden=(8,)).fit(
        alphas=5, n_starts=3
    )
    assert fit.path.converged[: int(np.flatnonzero(fit.path.alphas == fit.alpha)[0]) + 1].all()
    assert fit.edf < 10
    assert np.isfinite(fit.get_margeff().summary_frame().to_numpy()).all()
    assert "10" in fit.summary().as_text()
    with pytest.raises(ne.exceptions.SpecificationError, match="9 rows are too few for 5 folds"):
        ne.NeuralRegression.from_formula("y ~ x1", ten.iloc[:9], hidden=(2,)).fit()
    small = ne.NeuralRegression.from_formula("y ~ x1", ten.iloc[:9], hidden=(2,)).fit(alpha=0.1)
    assert small.converged


@pytest.mark.parametrize("hidden", [(), (2,)], ids=str)
def test_a_row_with_a_dummy_of_its_own(curved_frame, hidden):
    frame = curved_frame.assign(one=(np.arange(len(curved_frame)) == 4) * 1.0)
    fit = ne.NeuralRegression.from_formula("y ~ x1 + one", frame, hidden=hidden).fit(alpha=0.1)
    assert fit.resid.iloc[4] == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(fit.get_margeff().margeff_se).all()
    for kind in ("HC2", "HC3"):
        with pytest.raises(ne.exceptions.SpecificationError, match=r"row 4.*choose HC1"):
            fit.with_cov(kind).bse  # noqa: B018


@pytest.mark.parametrize("hidden", [(), (2,)], ids=str)
@pytest.mark.parametrize("level", [5.0, 0.0])
def test_a_constant_outcome_is_refused(curved_frame, hidden, level):
    model = ne.NeuralRegression.from_formula(
        "flat ~ x1 + x2", curved_frame.assign(flat=level), hidden=hidden
    )
    with pytest.raises(DataError, match=r"'flat'.*does not vary"):
        model.fit(alpha=0.1)


def test_an_exact_linear_fit(curved_frame):
    frame = curved_frame.assign(exact=1 + 2 * curved_frame["x1"])
    fit = ne.NeuralRegression.from_formula("exact ~ x1", frame, hidden=(2,)).fit(alpha=0.1)
    assert fit.converged
    assert_close(fit.get_margeff().margeff, [2.0], 1e-9)
    assert fit.rsquared == pytest.approx(1.0)


def test_one_regressor(curved_frame):
    fit = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=(2,)).fit(
        alpha=0.01, n_starts=3
    )
    assert fit.converged and fit.rsquared > fit.baseline.rsquared
    vector = ne.NeuralRegression(
        curved_frame["y"], np.column_stack([np.ones(len(curved_frame)), curved_frame["x1"]]),
        hidden=(2,),
    ).fit(alpha=0.01, n_starts=3)  # fmt: skip
    assert_close(vector.params, fit.params, 1e-10)


@pytest.mark.parametrize("hidden", [(), (8,)], ids=str)
def test_intercept_alone(curved_frame, hidden):
    fit = ne.NeuralRegression.from_formula("y ~ 1", curved_frame, hidden=hidden).fit(
        cov_type="nonrobust"
    )
    expected = smf.ols("y ~ 1", curved_frame).fit()
    assert_close(fit.params, expected.params)
    assert_close(fit.bse, expected.bse)
    assert fit.rsquared == pytest.approx(0.0, abs=1e-12)
    assert fit.df_model == pytest.approx(0.0, abs=1e-9)
    assert len(fit.get_margeff().margeff) == 0
    assert "Intercept" in fit.summary().as_text()
    assert_close(fit.predict(curved_frame.iloc[:3]), np.repeat(expected.params.iloc[0], 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_and_infinite_values_name_column_and_row(curved_frame, bad):
    frame = curved_frame.copy()
    frame.loc[11, "x2"] = bad
    with pytest.raises(DataError, match=r"x2.*11"):
        ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, missing="raise")
    if np.isnan(bad):
        fit = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=()).fit()
        assert fit.nobs == len(frame) - 1
        assert 11 not in fit.fittedvalues.index


def test_duplicated_labels_are_kept(curved_frame):
    frame = curved_frame.set_axis(np.arange(len(curved_frame)) // 2, axis=0)
    fit = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(2,)).fit(alpha=0.05)
    assert fit.fittedvalues.index.equals(frame.index)
    whole = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,)).fit(
        alpha=0.05
    )
    np.testing.assert_array_equal(fit.params, whole.params)


def test_an_unseen_category_in_new_rows(curved_results, curved_frame):
    new = curved_frame.iloc[:2].assign(region=["East", "South"])
    with pytest.raises(DataError, match=r"'region' has the value 'South' at row 1"):
        curved_results.predict(new)


def test_rows_that_do_not_follow_the_sample(macro_results):
    after = pd.period_range("2009Q4", periods=2, freq="Q")
    new = pd.DataFrame({"infl": 2.0, "unemp": 9.0, "realint": 1.0, "growth": 2.0}, index=after)
    predicted = macro_results.predict(new)
    assert list(predicted.index) == list(after)
    late = new.set_axis(pd.period_range("2012Q1", periods=2, freq="Q"), axis=0)
    with pytest.raises(ne.exceptions.ForecastError, match=r"2011Q4|2012Q1"):
        macro_results.predict(late)
