"""Margins of fitted models: OLS identities on three data sets, and predictions at changed rows."""

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers import assert_close, numerical_jacobian

import nnecon as ne
from nnecon.exceptions import DataError, SpecificationError

LINEAR = {
    "longley": (helpers.longley, "TOTEMP ~ GNP + UNEMP + POP", {"cov_type": "nonrobust"}),
    "fair": (helpers.fair, "rate_marriage ~ age + children + religious", {"cov_type": "HC1"}),
    "macro": (
        helpers.macro,
        "unemp ~ infl + realint + tbilrate",
        {"cov_type": "HAC", "cov_kwds": {"maxlags": 4}},
    ),
}


@pytest.fixture(scope="module", params=LINEAR)
def linear(request):
    load, formula, cov = LINEAR[request.param]
    frame = load()
    return ne.NeuralRegression.from_formula(formula, frame, hidden=()).fit(**cov), smf.ols(
        formula, frame
    ).fit(**cov)


def by_hand(method, at, exog):
    """Elasticities of a linear model as functions of its coefficients."""
    points = {"overall": exog, "mean": exog.mean(axis=0)[None], "median": np.median(exog, 0)[None]}
    x = points[at]

    def effects(b):
        scale = (x if method.endswith("ex") else np.ones_like(x)) * b
        return (scale / (x @ b)[:, None] if method.startswith("ey") else scale).mean(axis=0)[1:]

    return effects


@pytest.mark.parametrize("at", ["overall", "mean", "median"])
@pytest.mark.parametrize("method", ["dydx", "eyex", "dyex", "eydx"])
def test_linear_models(linear, method, at):
    ours, theirs = linear
    exog, params = theirs.model.exog, theirs.params.to_numpy()
    effects = by_hand(method, at, exog)
    found = ours.get_margeff(at=at, method=method)
    assert_close(found.margeff, effects(params))
    assert_close(found.baseline["effect"], effects(params))
    # derivatives in closed form
    x = {"overall": exog, "mean": exog.mean(0)[None], "median": np.median(exog, 0)[None]}[at]
    jacobian = np.zeros((len(found.margeff), len(params)))
    fit = x @ params
    for j in range(1, len(params)):
        scale = x[:, j] if method.endswith("ex") else np.ones(len(x))
        if method.startswith("ey"):
            jacobian[j - 1] = -(scale * params[j] / fit**2) @ x / len(x)
            jacobian[j - 1, j] += (scale / fit).mean()
        else:
            jacobian[j - 1, j] = scale.mean()
    expected = jacobian @ theirs.cov_params().to_numpy() @ jacobian.T
    assert_close(found.margeff_se, np.sqrt(np.diag(expected)))
    assert_close(found.baseline["se"], np.sqrt(np.diag(expected)))
    if method == "dydx":
        assert_close(found.margeff_se, theirs.bse.iloc[1:])
        assert_close(found.margeff_cov, theirs.cov_params().iloc[1:, 1:], rtol=1e-6)


def moved(results, frame, step=1e-5, **at):
    """Derivative of predictions by x1, at changed rows."""
    there = frame.assign(**at)
    up = results.predict(there.assign(x1=there["x1"] + step))
    down = results.predict(there.assign(x1=there["x1"] - step))
    return (up - down) / (2 * step), results.predict(there)


@pytest.fixture(scope="module")
def bent(curved_frame):
    frame = curved_frame.assign(y=curved_frame["y"] + 20.0)
    formula = "y ~ x1 + I(x1**2) + x1:x2 + x2 + C(region)"
    model = ne.NeuralRegression.from_formula(formula, frame, hidden=(3,), weights="w")
    return model.fit(alpha=0.01, n_starts=2), frame


def test_columns_are_rebuilt_where_variables_are_set(bent):
    results, frame = bent
    weights = frame["w"] / frame["w"].sum()
    slope, _ = moved(results, frame, x1=0.5, region="West")
    found = results.get_margeff({"x1": 0.5, "region": "West"}, debias=False)
    assert found.margeff["x1"] == pytest.approx(weights @ slope, rel=1e-6)
    repeated = frame.loc[np.repeat(frame.index, frame["w"].astype(int))]
    frequent = repeated["region"].mode()[0]
    medians = {"x1": repeated["x1"].median(), "x2": repeated["x2"].median()}
    slope, _ = moved(results, frame, **medians, region=frequent)
    assert results.get_margeff("median").margeff["x1"] == pytest.approx(slope.iloc[0], rel=1e-6)
    slope, _ = moved(results, frame, x1=0.0, x2=0.0, region="East")
    assert results.get_margeff("zero").margeff["x1"] == pytest.approx(slope.iloc[0], rel=1e-6)
    medians["x1"] = 1.5
    slope, _ = moved(results, frame, **medians, region=frequent)
    fixed = results.get_margeff("median", atexog={"x1": 1.5})
    assert fixed.margeff["x1"] == pytest.approx(slope.iloc[0], rel=1e-6)


def test_categories_are_at_their_shares_at_the_mean(bent):
    """The design row is the mean of the dummies, with squares and products of means."""
    results, frame = bent
    weights = (frame["w"] / frame["w"].sum()).to_numpy()
    design, scaling = results.model.design, results.estimate.scaling
    shares = {level: weights[frame["region"] == level].sum() for level in ("North", "West")}
    x1, x2 = weights @ frame["x1"], weights @ frame["x2"]
    row = {
        "Intercept": 1.0,
        "C(region)[T.North]": shares["North"],
        "C(region)[T.West]": shares["West"],
        "x1": x1,
        "I(x1 ** 2)": x1**2,
        "x1:x2": x1 * x2,
        "x2": x2,
    }
    exog = np.array([row[name] for name in design.sample.exog_names])

    def value(x):
        there = dict(row) | {"x1": x, "I(x1 ** 2)": x**2, "x1:x2": x * x2}
        exog = np.array([[there[name] for name in design.sample.exog_names]])
        params = results.solution.params
        from nnecon.estimation.kernels import fitted

        return float(scaling.restore(fitted(results.model.network, params, scaling.rows(exog)))[0])

    slope = (value(x1 + 1e-5) - value(x1 - 1e-5)) / 2e-5
    assert results.get_margeff("mean").margeff["x1"] == pytest.approx(slope, rel=1e-6)
    assert len(exog) == 7


def test_elasticities_are_averages_over_rows(bent):
    results, frame = bent
    weights = frame["w"] / frame["w"].sum()
    slope, value = moved(results, frame)
    for method, rows in {
        "eyex": slope * frame["x1"] / value,
        "dyex": slope * frame["x1"],
        "eydx": slope / value,
    }.items():
        found = results.get_margeff(method=method, debias=False)
        assert found.margeff["x1"] == pytest.approx(weights @ rows, rel=1e-6)
    west = np.log(results.predict(frame.assign(region="West")))
    east = np.log(results.predict(frame.assign(region="East")))
    found = results.get_margeff(method="eydx", debias=False).margeff["C(region)[T.West]"]
    assert found == pytest.approx(weights @ (west - east), rel=1e-8)


@pytest.mark.parametrize("method", ["eyex", "eydx"])
def test_errors_of_elasticities_by_finite_differences(bent, method):
    results, _ = bent
    model = results.model

    def effects(params):
        there = model.results_at(params, results.alpha)
        return there.get_margeff(method=method, debias=False).margeff

    jacobian = numerical_jacobian(effects, results.params, 1e-5)
    expected = np.sqrt(np.diag(jacobian @ results.cov_params() @ jacobian.T))
    found = results.get_margeff(method=method, debias=False)
    np.testing.assert_allclose(found.margeff_se, expected, rtol=1e-4)


def test_categories_have_no_logarithm(bent):
    found = bent[0].get_margeff(method="eyex")
    assert list(found.margeff.index) == ["x1", "x2"]
    assert "region changes in steps" in str(found.summary()).replace("\n    ", " ")


def test_dummies_and_counts():
    g = np.random.default_rng(3)
    frame = pd.DataFrame({"d": g.integers(0, 2, 90), "k": g.integers(0, 5, 90)}).astype(float)
    frame["y"] = 5.0 + np.tanh(frame["k"] - 2) * (1 + frame["d"]) + 0.1 * g.standard_normal(90)
    model = ne.NeuralRegression.from_formula("y ~ d * k", frame, hidden=(2,))
    results = model.fit(alpha=0.003, n_starts=2)
    steps = results.get_margeff(dummy=True, count=True, debias=False).margeff
    on, off = results.predict(frame.assign(d=1.0)), results.predict(frame.assign(d=0.0))
    assert steps["d"] == pytest.approx((on - off).mean(), rel=1e-9)
    up, down = (results.predict(frame.assign(k=frame["k"] + h)) for h in (1.0, -1.0))
    assert steps["k"] == pytest.approx((up - down).mean() / 2.0, rel=1e-9)
    slopes = results.get_margeff(debias=False).margeff
    assert abs(slopes["d"] - steps["d"]) > 1e-4
    assert results.get_margeff(dummy=True, debias=False).margeff["k"] == slopes["k"]
    assert results.get_margeff(count=True, debias=False).margeff["d"] == slopes["d"]
    logs = results.get_margeff(method="eydx", dummy=True, debias=False).margeff["d"]
    assert logs == pytest.approx(np.log(on / off).mean(), rel=1e-9)


def test_ensembles_have_margins(curved_frame):
    frame = curved_frame.assign(y=curved_frame["y"] + 20.0)
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(2,))
    results = model.fit(alpha=0.003, alphas=4, n_starts=4, ensemble=3)
    for options in ({"method": "eyex"}, {"at": "mean"}, {"at": "mean", "method": "eydx"}):
        found = results.get_margeff(**options)
        assert np.isfinite(found.margeff_se).all()
        assert (found.se_starts < found.margeff_se).all()
    slope, value = moved(results, frame)
    expected = (slope * frame["x1"] / value).mean()
    found = results.get_margeff(method="eyex", debias=False)
    assert found.margeff["x1"] == pytest.approx(expected, rel=1e-6)


def test_variables_that_enter_through_a_function(curved_frame):
    """A factor as written is the regressor; the variable inside can be set, too."""
    frame = curved_frame.assign(z=np.exp(curved_frame["x2"]))
    results = ne.NeuralRegression.from_formula("y ~ x1 + np.log(z)", frame, hidden=(2,)).fit(
        alpha=0.01, n_starts=2
    )
    one = results.get_margeff({"np.log(z)": np.log(1.5)})
    other = results.get_margeff({"z": 1.5})
    np.testing.assert_allclose(one.margeff, other.margeff, rtol=1e-12)
    with pytest.raises(DataError, match=r"not defined at these values of 'z' \(at z = -1"):
        results.get_margeff({"z": -1.0})


MISTAKES = {
    "at='max' is not known": {"at": "max"},
    "at='all' gives an effect for every row": {"at": "all"},
    "method='dxdy' is not known": {"method": "dxdy"},
    "'income' is no variable of the model": {"at": {"income": 1.0}},
    "'Nord' is no level of 'region'": {"at": {"region": "Nord"}},
    "'x1' is a number in the model and cannot be set to 'high'": {"at": {"x1": "high"}},
    "'x1' is a number in the model and cannot be set to nan": {"at": {"x1": np.nan}},
    "give fixed variables once": {"at": {"x1": 1.0}, "atexog": {"x2": 1.0}},
    "dummy=True takes changes in steps": {"method": "eyex", "dummy": True},
    "count=True takes changes in steps": {"method": "dyex", "count": True},
    "takes the logarithm of the fitted mean, but that is -": {"method": "eyex"},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(curved_results, message):
    with pytest.raises((SpecificationError, DataError), match=message):
        curved_results.get_margeff(**MISTAKES[message])


def test_a_classical_model_that_changes_sign_has_no_elasticity():
    g = np.random.default_rng(0)
    x = np.sort(g.exponential(size=80))
    frame = pd.DataFrame({"x": x, "y": np.exp(-3 * x) + 0.1 + 0.001 * g.standard_normal(80)})
    model = ne.NeuralRegression.from_formula("y ~ x", frame, hidden=(3,))
    results = model.fit(alpha=1e-5, alphas=6, n_starts=3)
    assert (results.fittedvalues > 0).all()
    found = results.get_margeff(method="eydx")
    assert found.baseline.isna().all(axis=None)
    assert "OLS predicts both signs" in str(found.summary())


def test_a_constant_has_no_effects(curved_frame):
    results = ne.NeuralRegression.from_formula("y ~ 1", curved_frame, hidden=()).fit()
    for at in ("overall", "mean", "zero"):
        found = results.get_margeff(at)
        assert len(found.margeff) == len(found.baseline) == 0
        assert found.margeff_cov.shape == (0, 0)
    for ask in (results.variable_importance, results.shapley):
        with pytest.raises(SpecificationError, match="the model has no variables"):
            ask()


def test_figures_and_words(bent):
    results, _ = bent
    for options in ({"method": "eydx"}, {"at": "mean"}, {"method": "dyex", "at": "median"}):
        found = results.get_margeff(**options)
        figure = found.plot()
        assert figure.axes[0].get_xlabel()
        figure.canvas.draw()
        assert found.summary_frame().shape[1] == 6
    assert list(results.get_margeff(method="eyex").summary_frame().columns[:1]) == ["d(lny)/d(lnx)"]
