"""Summaries, comparison, margins and predictions as the user reads them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.summary2 import summary_col

import nnecon as ne
from nnecon.exceptions import ConvergenceWarning, SpecificationError


def test_summary_in_three_formats(curved_results):
    summary = curved_results.summary()
    assert isinstance(summary, Summary)
    text, html, latex = summary.as_text(), summary.as_html(), summary.as_latex()
    names = [*curved_results.get_margeff().margeff.index, "NeuralRegression", "OLS", "HC1"]
    for name in names:
        assert name in text and name in html
    assert r"\begin{tabular}" in latex and "<table" in html
    assert "nan" not in text.lower()
    assert max(len(line) for line in text.splitlines()) <= 100
    assert str(curved_results) == text
    assert "<table" in curved_results._repr_html_()


def test_summary_prints_the_numbers_of_the_results(curved_results):
    text = curved_results.summary().as_text()
    row = next(line for line in text.splitlines() if line.startswith("x1"))
    printed = [float(value.lstrip("<")) for value in row.split()[1:]]
    frame = curved_results.get_margeff().summary_frame()
    expected = [*frame.loc["x1"], curved_results.baseline.params["x1"]]
    np.testing.assert_allclose(printed, expected, rtol=0.02, atol=1.1e-3)
    assert f"{curved_results.edf:.2f}" in text
    assert f"{curved_results.rsquared:.3f}" in text
    assert f"{curved_results.llf:.2f}" in text
    assert curved_results.solution.status.split(":")[0] in text
    assert "cross-validation" in text and "rng=0" in text


def test_summary_says_when_the_network_is_zero(macro_results):
    assert macro_results.alpha == np.inf
    assert "The network is zero" in macro_results.summary().as_text()


def test_linear_summary_prints_parameters(curved_frame):
    fit = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=()).fit(
        cov_type="nonrobust"
    )
    text = fit.summary().as_text()
    assert "Parameters" in text and "Intercept" in text
    assert "Parameters" not in fit.summary(params=False).as_text()
    assert "[0.05" in fit.summary(alpha=0.1).as_text()
    theirs = smf.ols("y ~ x1 + x2", curved_frame).fit()
    row = next(line for line in text.splitlines() if line.startswith("Intercept"))
    expected = [theirs.params.iloc[0], theirs.bse.iloc[0], theirs.tvalues.iloc[0]]
    np.testing.assert_allclose([float(v) for v in row.split()[1:4]], expected, rtol=0.01)


def test_side_by_side_with_statsmodels(curved_results, curved_frame):
    """statsmodels' own table of several models takes ours."""
    linear = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=()).fit()
    ols = smf.ols("y ~ x1 + x2", curved_frame).fit(cov_type="HC1")
    text = summary_col([linear, ols], stars=True).as_text()
    row = next(line for line in text.splitlines() if line.startswith("x1"))
    assert row.split()[1] == row.split()[2]
    assert "R-squared" in text
    table = summary_col([curved_results, ols], model_names=["network", "OLS"])
    assert "network" in table.as_text()
    assert r"\begin{tabular}" in table.as_latex()


def test_networks_stand_beside_linear_models_by_their_effects():
    """Rows of a network are effects under the names of the coefficients, not 40 weights."""
    data = sm.datasets.statecrime.load_pandas().data
    formula = "murder ~ poverty + single"
    fit = ne.NeuralRegression.from_formula(formula, data, hidden=(4,)).fit(
        alpha=0.02, alphas=4, n_starts=2
    )
    ols = smf.ols(formula, data).fit()
    names = {"model_names": ["network", "OLS"]}
    table = ne.summary_col([fit, ols], **names)
    frame, effects = table.tables[0], fit.get_margeff()
    assert list(frame.index)[:5] == ["poverty", "", "single", "", "Intercept"]
    assert frame.loc["single", "network"] == f"{effects.margeff['single']:.4f}"
    assert frame["network"].iloc[1] == f"({effects.margeff_se['poverty']:.4f})"
    assert frame.loc["single", "OLS"] == f"{ols.params['single']:.4f}"
    assert frame.loc["Observations", "network"] == "51"
    assert frame.loc["Effective d.f.", "OLS"] == ""
    assert "average partial effects" in " ".join(table.as_text().split())
    assert "network" in table.as_latex()
    weights = ne.summary_col([fit, ols], weights=True, **names).tables[0]
    assert set(fit.params.index) < set(weights.index)
    assert "average partial" not in ne.summary_col([ols]).as_text()
    own = ne.summary_col([fit, ols], info_dict={"alpha": lambda one: f"{one.alpha:g}"}, **names)
    assert own.tables[0].loc["alpha", "network"] == "0.02"
    with pytest.raises(SpecificationError, match=r"results\[1\] is 3, which has no parameters"):
        ne.summary_col([ols, 3])


def test_ensembles_side_by_side_with_single_networks(curved_frame, tmp_path):
    """Networks of an ensemble have names of their own; the model that both share keeps its own."""
    model = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=(1,))
    quick = {"alpha": 0.003, "alphas": 3, "n_starts": 3}
    single, several = model.fit(**quick), model.fit(**quick, ensemble=3)
    assert several.n_networks == 3
    several.save(tmp_path / "several.zip")
    for results in (several, several.with_cov("HC0"), ne.load(tmp_path / "several.zip")):
        table = summary_col([single, results], model_names=["one", "three"]).tables[0]
        for name, value in results.params.items():
            assert table.loc[name, "three"] == f"{value:.4f}" and table.loc[name, "one"] == ""
        for name, value in single.params.items():
            assert table.loc[name, "one"] == f"{value:.4f}" and table.loc[name, "three"] == ""
    assert model.data.param_names == model.param_names == list(single.params.index)
    assert several.model.param_names == model.param_names


def test_compare(curved_results):
    comparison = curved_results.compare()
    frame, ols = comparison.frame, curved_results.baseline
    assert list(frame.columns) == ["NeuralRegression", "OLS"]
    assert frame.loc["AIC", "OLS"] == pytest.approx(ols.aic)
    assert frame.loc["BIC", "NeuralRegression"] == pytest.approx(curved_results.bic)
    assert frame.loc["R-squared", "NeuralRegression"] > frame.loc["R-squared", "OLS"]
    assert frame.loc["Effective degrees of freedom", "OLS"] == 5
    errors = curved_results.cv.predictions
    rmse = np.sqrt(((errors["actual"] - errors["baseline"]) ** 2).mean())
    assert frame.loc["Cross-validated RMSE", "OLS"] == pytest.approx(rmse)
    assert 0 <= comparison.test.pvalue <= 1
    for text in (str(comparison), comparison.to_latex(), comparison.to_html()):
        assert "AIC" in text and "nan" not in text.lower()
    assert "flatters the network" in " ".join(comparison.notes)
    assert r"\toprule" in comparison.to_latex()


def test_compare_without_cross_validation(curved_frame):
    fit = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2", curved_frame, hidden=(2,), weights="w"
    ).fit(alpha=0.05, n_starts=2)
    comparison = fit.compare()
    assert comparison.test is None
    assert "Cross-validated RMSE" not in comparison.frame.index
    assert list(comparison.frame.columns) == ["NeuralRegression", "WLS"]


def test_compare_of_identical_predictions(macro_results):
    comparison = macro_results.compare()
    assert comparison.test.pvalue is None
    assert "same predictions" in comparison.test.sentence
    assert "nan" not in str(comparison).lower()


@pytest.mark.parametrize("cov_type", ["HC1", "nonrobust"])
def test_margins_have_the_columns_of_statsmodels(curved_results, cov_type):
    g = np.random.default_rng(0)
    x = sm.add_constant(g.standard_normal((50, 1)))
    logit = sm.Logit((x[:, 1] + g.standard_normal(50) > 0).astype(float), x).fit(disp=0)
    theirs = list(logit.get_margeff().summary_frame().columns)
    margeff = curved_results.with_cov(cov_type).get_margeff()
    frame = margeff.summary_frame()
    if cov_type == "nonrobust":
        theirs[2:4] = ["t", "Pr(>|t|)"]
    assert list(frame.columns) == theirs
    np.testing.assert_allclose(frame.iloc[:, 2], frame.iloc[:, 0] / frame.iloc[:, 1])
    np.testing.assert_allclose(frame.iloc[:, 4:], margeff.conf_int(), rtol=1e-12)
    np.testing.assert_allclose(frame.iloc[:, 3], margeff.pvalues)
    np.testing.assert_allclose(frame.iloc[:, 2], margeff.tvalues)
    narrow, wide = margeff.conf_int(0.5), margeff.conf_int(0.01)
    assert ((wide[1] - wide[0]) > (narrow[1] - narrow[0])).all()
    for text in (str(margeff), margeff._repr_html_(), margeff.summary().as_latex()):
        assert "x1" in text


def test_effects_against_finite_differences(curved_results, curved_frame):
    """Average derivative and discrete change, from predictions at changed rows alone."""
    effects = curved_results.get_margeff(debias=False).margeff
    step = 1e-5
    up = curved_results.predict(curved_frame.assign(x1=curved_frame["x1"] + step))
    down = curved_results.predict(curved_frame.assign(x1=curved_frame["x1"] - step))
    assert effects["x1"] == pytest.approx((up - down).mean() / (2 * step), rel=1e-7)
    west = curved_results.predict(curved_frame.assign(region="West"))
    east = curved_results.predict(curved_frame.assign(region="East"))
    assert effects["C(region)[T.West]"] == pytest.approx((west - east).mean(), rel=1e-9)


def test_effects_are_weighted_like_the_observations(curved_frame):
    fit = ne.NeuralRegression.from_formula(
        "y ~ x1 * x2", curved_frame, hidden=(2,), weights="w"
    ).fit(alpha=0.02, n_starts=2)
    step = 1e-5
    up = fit.predict(curved_frame.assign(x1=curved_frame["x1"] + step))
    down = fit.predict(curved_frame.assign(x1=curved_frame["x1"] - step))
    expected = np.average((up - down) / (2 * step), weights=curved_frame["w"])
    assert fit.get_margeff(debias=False).margeff["x1"] == pytest.approx(expected, rel=1e-6)


def test_effect_curve(curved_results, curved_frame):
    curve = curved_results.effect_curve("x1", grid=[-1.0, 0.0, 1.0], alpha=0.1)
    at_one = curved_results.predict(curved_frame.assign(x1=1.0)).mean()
    assert curve.frame.loc[1.0, "mean"] == pytest.approx(at_one, rel=1e-9)
    classical = curved_results.baseline.predict(curved_frame.assign(x1=1.0).pipe(exog)).mean()
    assert curve.frame.loc[1.0, "baseline"] == pytest.approx(classical)
    assert curve.level == pytest.approx(0.9)
    frame = curve.frame
    width = 1.6448536269514722 * frame["mean_se"]
    np.testing.assert_allclose(frame["mean_ci_upper"], frame["mean"] + width)
    np.testing.assert_allclose(frame["mean_ci_lower"], frame["mean"] - width)
    automatic = curved_results.effect_curve("x1", 11).frame.index
    assert len(automatic) == 11
    np.testing.assert_allclose(automatic[[0, -1]], curved_frame["x1"].quantile([0.01, 0.99]))
    regions = curved_results.effect_curve("region").frame
    effect = curved_results.get_margeff(debias=False).margeff["C(region)[T.West]"]
    assert regions.loc["West", "mean"] - regions.loc["East", "mean"] == pytest.approx(effect)


def exog(frame):
    design = pd.DataFrame({"Intercept": 1.0}, index=frame.index)
    for region in ("North", "West"):
        design[f"C(region)[T.{region}]"] = (frame["region"] == region).astype(float)
    return design.assign(x1=frame["x1"], x2=frame["x2"])


def test_band_of_the_curve_by_draws(curved_results):
    g = np.random.default_rng(0)
    draws = g.multivariate_normal(curved_results.params, curved_results.cov_params(), 400)
    frame = curved_results.effect_curve("x2", [0.5]).frame
    model = curved_results.model
    rows = model.design.moving_rows().set({model.design.regressor("x2"): 0.5}).exog
    scaling = curved_results.estimate.scaling
    transform, offset = model.user_units(scaling)
    from nnecon.estimation.kernels import fitted_many

    inner = np.linalg.solve(transform, (draws - offset).T).T
    values = scaling.restore(fitted_many(model.network, inner, scaling.rows(rows))).mean(axis=1)
    assert frame["mean_se"].iloc[0] == pytest.approx(values.std(), rel=0.15)


def test_prediction_intervals(curved_results):
    prediction = curved_results.get_prediction()
    frame = prediction.summary_frame(0.1)
    columns = "mean mean_se mean_ci_lower mean_ci_upper obs_ci_lower obs_ci_upper"
    assert list(frame.columns) == columns.split()
    total = np.sqrt(frame["mean_se"] ** 2 + curved_results.scale)
    np.testing.assert_allclose(prediction.se_obs, total)
    z = 1.6448536269514722
    np.testing.assert_allclose(frame["obs_ci_upper"], frame["mean"] + z * total)
    covered = curved_results.model.endog > frame["obs_ci_lower"]
    covered &= curved_results.model.endog < frame["obs_ci_upper"]
    assert 0.8 < covered.mean() <= 1.0


def test_path_and_cv_frames(curved_results):
    frame = curved_results.path.to_frame()
    assert frame.index[0] == np.inf and frame.index.name == "alpha"
    for column in ["edf", "train_score", "cv_mean", "cv_se", "converged", "switch", "x1"]:
        assert column in frame
    assert frame["converged"].all()


def test_members_that_do_not_apply_say_why(curved_frame):
    own = ne.NeuralRegression.from_formula(
        "y ~ x1", curved_frame, network=lambda b, x: b[0] + b[1] * x[1], start_params=[0.0, 0.0]
    ).fit()
    with pytest.raises(SpecificationError, match="has no path"):
        own.path  # noqa: B018
    with pytest.raises(SpecificationError, match="not cross-validated"):
        own.cv  # noqa: B018
    ols = smf.ols("y ~ x1", curved_frame).fit(cov_type="HC1")
    np.testing.assert_allclose(own.params, ols.params, rtol=1e-8)
    np.testing.assert_allclose(own.bse, ols.bse, rtol=1e-7)
    assert "b1" in own.summary().as_text()


def test_a_fit_that_did_not_converge_says_so(curved_frame, monkeypatch):
    from nnecon.estimation import refinement

    tired = dataclasses.replace(refinement.POLISH, first=1, later=1)
    monkeypatch.setattr(refinement, "POLISH", tired)
    monkeypatch.setattr(refinement, "TRIAL", tired)
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(4, 3))
    with pytest.warns(ConvergenceWarning, match="Did not converge"):
        fit = model.fit(alpha=1e-5, n_starts=1)
    assert not fit.converged
    text = fit.summary().as_text()
    assert "NO" in text and "Did not converge" in text
