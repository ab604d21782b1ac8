"""Debiased effects: which are, what is said about them, and what they have in common with OLS."""

import numpy as np
import pandas as pd
import pytest
from helpers import assert_close

import nnecon as ne
from nnecon.estimation.kernels import fitted
from nnecon.exceptions import SpecificationError


def sample(n=400, seed=0):
    """A skewed regressor whose average effect is not its least squares slope."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(3.0, size=n) / np.sqrt(3.0)
    frame = pd.DataFrame({"x": x, "z": rng.standard_normal(n)})
    frame["group"] = rng.choice(list("ab"), n)
    mean = 3.0 * np.log(0.3 + x) + 0.5 * frame["z"] ** 2 + 0.4 * (frame["group"] == "b")
    return frame.assign(y=mean + 0.3 * rng.standard_normal(n)), (3.0 / (0.3 + x)).mean()


@pytest.fixture(scope="module")
def fit():
    frame, _ = sample()
    model = ne.NeuralRegression.from_formula("y ~ x + z + group", frame, hidden=(6,))
    return model.fit(alpha=0.02, alphas=4, n_starts=2)


def test_the_default_is_closer_to_the_truth(fit):
    truth = sample()[1]
    debiased, penalised = fit.get_margeff(), fit.get_margeff(debias=False)
    bias = abs(penalised.margeff["x"] - truth)
    assert bias > 4.0 * penalised.margeff_se["x"]
    assert abs(debiased.margeff["x"] - truth) < 0.35 * bias
    assert (debiased.margeff_se > 0).all()
    assert penalised.notes == ()
    assert "Effects are debiased" in str(debiased.summary())
    assert "squares, cubes and products" in " ".join(str(fit.summary()).split())
    line = fit.effects_frame()["dy/dx"]
    pd.testing.assert_series_equal(line, debiased.margeff, check_names=False)


def test_it_is_the_slope_of_the_estimate_after_the_step(fit):
    """The step's function, evaluated with changed rows, has the debiased effects."""
    step, scaling = fit._step, fit.estimate.scaling
    params = np.append(fit.solution.params, np.zeros(len(step.network.terms)))

    def change(exog):
        """First-order change of the fitted mean by the step."""
        tiny = 1e-5
        rows = scaling.rows(exog)
        values = [fitted(step.network, params + h * step.step, rows) for h in (tiny, -tiny)]
        return scaling.target_scale * (values[0] - values[1]) / (2.0 * tiny)

    [category] = [one for one in fit.model.design.regressors if one.kind == "category"]
    level, reference = fit.model.design.contrast(category)
    moved = (change(level[:20]) - change(reference[:20])).mean()
    weights = np.where(np.arange(len(level)) < 20, 0.05, 0.0)
    after = fit._debiased_probe.mean
    number = after.level(level, weights).value - after.level(reference, weights).value
    before = fit._probe.mean
    plain = before.level(level, weights).value - before.level(reference, weights).value
    assert number - plain == pytest.approx(moved, rel=1e-4, abs=1e-6)


def test_single_points_and_bootstraps_are_of_the_penalised_estimate(fit):
    for at in ("mean", "median", "zero"):
        found = fit.get_margeff(at)
        pd.testing.assert_series_equal(found.margeff, fit.get_margeff(at, debias=False).margeff)
        assert not np.allclose(found.margeff, fit.get_margeff(at, debias=True).margeff)
    fixed = fit.get_margeff({"z": 1.0})
    assert not np.allclose(fixed.margeff, fit.get_margeff({"z": 1.0}, debias=False).margeff)
    drawn = fit.with_cov("bootstrap", draws=20)
    found = drawn.get_margeff()
    pd.testing.assert_series_equal(found.margeff, fit.get_margeff(debias=False).margeff)
    with pytest.raises(SpecificationError, match="HC3"):
        drawn.get_margeff(debias=True)
    with pytest.raises(SpecificationError, match="debias='yes'"):
        fit.get_margeff(debias="yes")


def test_every_method_is_debiased():
    """Effects of the skewed regressor agree with the truth; penalised slopes miss it."""
    frame, _ = sample()
    x, mean = frame["x"], 30.0 + 3.0 * np.log(0.3 + frame["x"]) + 0.5 * frame["z"] ** 2
    mean, slope = mean + 0.4 * (frame["group"] == "b"), 3.0 / (0.3 + x)
    truth = {"dydx": slope, "eydx": slope / mean, "dyex": slope * x, "eyex": slope * x / mean}
    shifted = frame.assign(y=frame["y"] + 30.0)
    model = ne.NeuralRegression.from_formula("y ~ x + z + group", shifted, hidden=(6,))
    results = model.fit(alpha=0.02, alphas=4, n_starts=2)
    for method, expected in truth.items():
        debiased = results.get_margeff(method=method)
        penalised = results.get_margeff(method=method, debias=False)
        error = (debiased.margeff["x"] - expected.mean()) / debiased.margeff_se["x"]
        assert abs(error) < 3.0, (method, error)
        assert debiased.margeff["x"] != penalised.margeff["x"]
        if method.endswith("dx"):
            bias = penalised.margeff["x"] - expected.mean()
            assert bias < -4.0 * penalised.margeff_se["x"]


@pytest.mark.parametrize("kind", ["nonrobust", "HC0", "HC1", "HC2", "HC3", "HAC", "cluster"])
def test_the_classical_model_is_left_alone(kind):
    """At an infinite penalty effects are those of OLS, debiased or not, for every covariance."""
    frame, _ = sample(200)
    options = {"groups": np.arange(200) // 8} if kind == "cluster" else {}
    model = ne.NeuralRegression.from_formula("y ~ x + z", frame, hidden=(4,))
    results = model.fit(alpha=np.inf, cov_type=kind, cov_kwds=options)
    for found in (results.get_margeff(), results.get_margeff(debias=True)):
        assert_close(found.margeff, results.baseline.params[["x", "z"]])
        assert_close(found.margeff_se, results.baseline.bse[["x", "z"]])
        assert found.notes == ()


def test_weights_equal_duplicated_rows(fit):
    frame, _ = sample(150)
    counts = np.random.default_rng(1).integers(1, 4, 150)
    repeated = frame.loc[np.repeat(frame.index, counts)].reset_index(drop=True)
    options = {"alpha": 0.02, "alphas": 4, "n_starts": 2}
    formula = "y ~ x + z"
    one = ne.NeuralRegression.from_formula(formula, frame, hidden=(3,), weights=counts)
    many = ne.NeuralRegression.from_formula(formula, repeated, hidden=(3,))
    found = [model.fit(**options).get_margeff() for model in (one, many)]
    np.testing.assert_allclose(found[0].margeff, found[1].margeff, rtol=1e-5)


def test_ensembles(fit):
    frame, truth = sample()
    model = ne.NeuralRegression.from_formula("y ~ x + z", frame, hidden=(3,))
    results = model.fit(alpha=0.02, alphas=4, n_starts=4, ensemble=3)
    debiased, penalised = results.get_margeff(), results.get_margeff(debias=False)
    bias = abs(penalised.margeff["x"] - truth)
    assert abs(debiased.margeff["x"] - truth) < 0.4 * bias
    assert (debiased.se_starts >= 0).all()
    assert (debiased.se_starts < debiased.margeff_se).all()


def test_slopes_at_few_values_are_told():
    """Between values that do not occur, a slope is a matter of shape: the notes say what to ask."""
    g = np.random.default_rng(0)
    n = 300
    flag, rate = g.integers(0, 2, n).astype(float), g.choice([0.0, 3.3, 3.9, 4.6], n)
    x = g.standard_normal(n)
    frame = pd.DataFrame({"x": x, "flag": flag, "rate": rate})
    frame["y"] = np.tanh(2 * x) + 0.3 * flag * x - 0.1 * rate + 0.3 * g.standard_normal(n)
    model = ne.NeuralRegression.from_formula("y ~ x + flag + rate", frame, hidden=(3,))
    fit = model.fit(alpha=0.003, alphas=4, n_starts=2)
    notes = " ".join(fit.get_margeff().notes)
    assert "Only the values 0 and 1 occur of flag: the data say little" in notes
    assert "Few values occur of rate (4): slopes at them" in notes
    assert "dummy=True gives the change" in " ".join(fit.summary().as_text().split())
    switched = fit.get_margeff(dummy=True)
    assert "Only the values 0 and 1" not in " ".join(switched.notes)
    # the change from 0 to 1 is what the data know, more precisely than the slope at both
    assert switched.margeff_se["flag"] < fit.get_margeff().margeff_se["flag"]
    linear = model.fit(alpha=np.inf).get_margeff()
    assert linear.notes == ()
