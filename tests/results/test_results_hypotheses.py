"""Tests of parameters and of terms in networks, where statsmodels has no answer."""

import helpers
import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import IdentificationWarning, SpecificationError


def sample(n=400, seed=0):
    """One regressor bends, one enters by an interaction alone, and one does nothing."""
    g = np.random.default_rng(seed)
    bend, moderator, other, noise = g.standard_normal((4, n))
    mean = 0.6 * (bend**2 - 1) + 0.7 * moderator * bend
    return pd.DataFrame(
        {"y": mean + 0.4 * noise, "bend": bend, "moderator": moderator, "other": other}
    )


@pytest.fixture(scope="module")
def fit():
    model = ne.NeuralRegression.from_formula("y ~ bend + moderator + other", sample(), hidden=(6,))
    return model.fit(alpha=0.003, n_starts=4, cov_type="HC3")


def test_terms_are_found_that_have_no_average_effect(fit):
    tests = fit.wald_test_terms()
    effects = fit.get_margeff()
    assert abs(effects.tvalues["moderator"]) < 3
    assert list(tests.table.index) == ["Intercept", "bend", "moderator", "other"]
    assert tests.table.loc["bend", "pvalue"] < 1e-8
    assert tests.table.loc["moderator", "pvalue"] < 1e-8
    assert tests.table.loc["other", "pvalue"] > 0.01
    assert tests.table.loc["other", "df_constraint"] == 4
    assert tests.null["other"] == "it adds nothing to the fitted values"
    assert tests.null["Intercept"] == "its coefficients are zero"
    assert "curvature and interactions" in str(tests)
    assert list(tests.summary_frame().columns) == ["chi2", "P>chi2", "df constraint"]
    assert "Intercept" not in fit.wald_test_terms(skip_single=True).table.index


def test_units_do_not_matter_for_terms(fit):
    frame = sample()
    frame["bend"] *= 1000.0
    frame["moderator"] = 5.0 + 0.1 * frame["moderator"]
    other = ne.NeuralRegression.from_formula("y ~ bend + moderator + other", frame, hidden=(6,))
    again = other.fit(alpha=0.003, n_starts=4, cov_type="HC3").wald_test_terms().table
    expected = fit.wald_test_terms().table
    names = ["bend", "other"]
    np.testing.assert_allclose(
        again.loc[names, "statistic"], expected.loc[names, "statistic"], rtol=0.02
    )


def test_few_groups_allow_few_restrictions(fit):
    groups = np.arange(400) % 13
    with pytest.warns(IdentificationWarning, match="has rank 13"):
        clustered = fit.with_cov("cluster", groups=groups).wald_test_terms().table
    assert clustered.loc["bend", "df_constraint"] == 3
    assert fit.wald_test_terms().table.loc["bend", "df_constraint"] == 4


def test_bootstrap_covariances_serve_the_tests_too(fit):
    drawn = fit.with_cov("bootstrap", draws=60, kind="wild")
    table = drawn.wald_test_terms().table
    assert table.loc["bend", "pvalue"] < 1e-6
    assert table.loc["other", "pvalue"] > 0.01


def test_a_zero_network_is_the_linear_model(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + C(region)", curved_frame, hidden=(2,))
    zero = model.fit(alpha=np.inf).wald_test_terms()
    linear = ne.NeuralRegression.from_formula("y ~ x1 + C(region)", curved_frame, hidden=())
    pd.testing.assert_frame_equal(zero.table, linear.fit().wald_test_terms().table)
    assert zero.notes == ("The network is zero; the tests are those of the linear part.",)


def test_a_term_that_is_all_of_the_network_says_so(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=(2,))
    tests = model.fit(alpha=0.01, n_starts=3).wald_test_terms()
    assert tests.table.loc["x1", "pvalue"] < 1e-8
    assert "debiased" in tests.notes[1] and "not identified" in tests.notes[2]


def test_an_ensemble_has_terms(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    tests = model.fit(alpha=0.01, n_starts=4, ensemble=2).wald_test_terms()
    assert tests.table.loc["x1", "pvalue"] < 1e-8
    assert (tests.table["df_constraint"] >= 1).all()


def test_weights_of_a_network_can_be_tested_by_name(fit):
    name = next(name for name in fit.params.index if name.startswith("h1.1:b"))
    found = fit.t_test(f"{name} = 0")
    assert found.tvalue.item() == pytest.approx(fit.tvalues[name])
    pair = fit.wald_test(f"{name} = 0, other = 0")
    assert pair.df_denom == 2


def test_hypotheses_that_cannot_be_read(fit):
    with pytest.raises(SpecificationError, match="'Intercept', 'bend'"):
        fit.t_test("bent = 0")
    with pytest.raises(SpecificationError, match="matrix with"):
        fit.wald_test(np.ones((1, 3)))
    with pytest.raises(SpecificationError, match="cannot be read"):
        fit.f_test("bend * other = 0")


def test_the_user_s_own_function_has_no_terms():
    frame = sample()
    model = ne.NeuralRegression(
        frame["y"], frame[["bend"]], network=lambda b, x: b[0] + b[1] * x[0], start_params=[0, 0]
    )
    fit = model.fit()
    with pytest.raises(SpecificationError, match="no terms"):
        fit.wald_test_terms()
    assert fit.wald_test(np.eye(2)).pvalue < 1


def test_terms_are_debiased_unless_the_draws_are_of_the_penalised_estimate():
    """At a large penalty an irrelevant term picks up what is shrunk away from its neighbour."""
    g = np.random.default_rng(0)
    x = g.standard_normal((500, 3))
    x[:, 2] = 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 2]
    mean = np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1] + 0.5 * x[:, 0] * x[:, 1]
    frame = pd.DataFrame(x, columns=list("abc"))
    frame["y"] = mean + (0.5 + 0.3 * np.abs(x[:, 0])) * g.standard_normal(500)
    model = ne.NeuralRegression.from_formula("y ~ a + b + c", frame, hidden=(4,))
    fit = model.fit(alpha=0.05, alphas=4, n_starts=2, cov_type="HC3")
    debiased, penalised = fit.wald_test_terms(), fit.wald_test_terms(debias=False)
    assert penalised.table.loc["c", "pvalue"] < 0.001
    assert debiased.table.loc["c", "pvalue"] > 0.1
    assert (debiased.table.loc[["a", "b"], "pvalue"] < 1e-6).all()
    assert "debiased like average effects" in debiased.notes[1]
    assert "rejected too often" in str(penalised)
    drawn = fit.with_cov("bootstrap", kind="wild", draws=40)
    assert "rejected too often" in drawn.wald_test_terms().notes[1]
    with pytest.raises(SpecificationError, match="debias=True has no bootstrap errors"):
        drawn.wald_test_terms(debias=True)
    assert "debiased" not in " ".join(model.fit(alpha=np.inf).wald_test_terms().notes)


def test_what_is_not_identified_is_said_where_the_user_asked():
    """Without a penalty, six units fit twelve rows and leave directions free."""
    frame = helpers.cross_section(30)
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(8,))
    params = model.fit(alpha=0.01, n_starts=2).params
    loose = model.results_at(params, alpha=0.0, cov_type="HC0")
    with pytest.warns(IdentificationWarning) as caught:
        loose.bse  # noqa: B018
    found = next(one for one in caught if one.category is IdentificationWarning)
    assert found.filename == __file__
    text = str(found.message)
    assert f"of {len(params)} directions" in text
    assert "predictions, partial effects, their errors" in text


def test_singular_covariances_of_a_term_are_said():
    frame = firms()
    formula = "y ~ x + C(firm)"
    zero = ne.NeuralRegression.from_formula(formula, frame, hidden=(2,)).fit(alpha=np.inf)
    assert zero.wald_test_terms().table.loc["C(firm)", "df_constraint"] == 5
    # scores of a firm's dummy are zero within the firm: only the slope's error moves the dummies
    with (
        pytest.warns(IdentificationWarning, match=r"C\(firm\) \(5 restrictions, rank 1\)"),
        pytest.warns(IdentificationWarning, match="dummies of the groups themselves"),
    ):
        table = zero.with_cov("cluster", groups="firm").wald_test_terms().table
    assert table.loc["C(firm)", "df_constraint"] == 1


def firms():
    """Six firms over twenty periods, with effects of their own."""
    g = np.random.default_rng(3)
    firm = np.repeat([*"abcdef"], 20)
    x = g.standard_normal(120)
    effects = np.repeat(g.standard_normal(6), 20)
    return pd.DataFrame({"firm": firm, "x": x, "y": x + effects + g.standard_normal(120)})
