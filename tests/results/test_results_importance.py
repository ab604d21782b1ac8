"""Importance of variables: by hand in linear models, from predictions, by finite differences."""

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import numerical_jacobian

import nnecon as ne
from nnecon.estimation.resampling import make_folds
from nnecon.exceptions import SpecificationError
from nnecon.inference.importance import donors, permuted, variance
from nnecon.report import plots


@pytest.fixture(scope="module")
def frame():
    g = np.random.default_rng(5)
    frame = pd.DataFrame(g.standard_normal((120, 2)), columns=["x1", "x2"])
    frame["k"] = g.choice(["a", "b", "c"], 120)
    frame["y"] = np.tanh(2 * frame["x1"]) + 0.5 * frame["x1"] * frame["x2"] + (frame["k"] == "b")
    frame["y"] += 0.3 * g.standard_normal(120)
    frame["w"] = g.uniform(0.5, 2.0, 120)
    frame["firm"] = np.arange(120) % 15
    return frame


@pytest.fixture(scope="module")
def results(frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 * x2 + C(k) + I(x1**2)", frame, hidden=(3,))
    return model.fit(alpha=0.01, n_starts=2)


def test_donors_leave_no_row_in_place():
    taken = donors(7, 50, np.random.default_rng(0))
    assert (np.sort(taken, axis=1) == np.arange(7)).all()
    assert (taken != np.arange(7)).all()
    assert len(np.unique(taken, axis=0)) > 30


@pytest.mark.parametrize("variable", ["x1", "k"])
def test_permutation_is_prediction_at_changed_rows(results, frame, variable):
    rng = np.random.default_rng(3)
    found = results.variable_importance(n_repeats=4, rng=3)
    taken = donors(len(frame), 4, rng)
    errors = [
        frame["y"] - results.predict(frame.assign(**{variable: frame[variable].to_numpy()[rows]}))
        for rows in taken
    ]
    expected = np.mean(np.array(errors) ** 2) - np.mean(results.resid**2)
    assert found.importance[variable] == pytest.approx(expected, rel=1e-9)
    assert found.mse == pytest.approx(np.mean(results.resid**2))
    ordinary = results.baseline
    assert set(found.importance.index) == {"x1", "x2", "k"}
    assert (np.diff(found.importance) <= 0).all()
    if variable == "k":
        design = results.model.design
        changed = [frame.assign(k=frame["k"].to_numpy()[rows]) for rows in taken]
        rows = [design.exog_for(there)[0] for there in changed]
        losses = [np.mean((frame["y"] - exog @ ordinary.params.to_numpy()) ** 2) for exog in rows]
        gain = np.mean(losses) - np.mean(ordinary.resid**2)
        assert found.baseline["k"] == pytest.approx(gain, rel=1e-9)


def given(results, weights=None):
    n = int(results.nobs)
    weights = np.full(n, 1.0 / n) if weights is None else weights
    rows = results.model.design.moving_rows()
    return rows, "x1", results.model.endog, weights, donors(n, 5, np.random.default_rng(1))


def test_influence_of_rows_by_finite_differences(results):
    """A row's influence is the derivative by the logarithm of its weight."""
    rows, name, endog, weights, taken = given(results)
    mean = results._probe.mean
    found = permuted(mean, rows, name, endog, weights, taken, False)
    assert found.by_estimate is None

    def value(some):
        there = weights.copy()
        there[:8] *= np.exp(some)
        return permuted(mean, rows, name, endog, there / there.sum(), taken, False).value

    expected = numerical_jacobian(value, np.zeros(8), 1e-5)
    np.testing.assert_allclose(found.influence[:8], expected, rtol=1e-5, atol=1e-9)
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-12)


class KnownMean:
    """The second column counts for one, the third for next to nothing."""

    def values(self, exog):
        return exog @ np.array([0.0, 1.0, 0.05])


def test_errors_of_weak_variables_do_not_contain_the_disturbances():
    """They match the spread over samples where losses vary a hundred times as much."""
    g = np.random.default_rng(2)
    weights = np.full(400, 1.0 / 400)
    values, errors = [], []
    for _ in range(60):
        exog = np.column_stack([np.ones(400), g.standard_normal((400, 2))])
        endog = KnownMean().values(exog) + g.standard_t(5, 400)
        rows = ne.NeuralRegression(endog, exog, hidden=()).design.moving_rows()
        taken = donors(400, 30, g)
        found = permuted(KnownMean(), rows, "x2", endog, weights, taken, False)
        values.append(found.value)
        errors.append(np.sqrt(variance(found, "HC1", {}, None)))
    assert 0.75 < np.mean(errors) / np.std(values, ddof=1) < 1.35


def test_derivative_by_the_parameters(results):
    settings = given(results)
    found = permuted(results._probe.mean, *settings, True).by_estimate

    def value(params):
        there = results.model.results_at(params, results.alpha)
        return permuted(there._probe.mean, *settings, False).value

    transform, _ = results._map
    expected = numerical_jacobian(value, results.params, 1e-5) @ transform
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-4, atol=1e-7)


def test_errors_know_how_rows_move_together(results):
    increase = permuted(results._probe.mean, *given(results), True)
    moved = results._influence @ increase.by_estimate.gradient
    own = increase.influence + moved - moved.mean()
    own = own - own.mean()
    n = len(own)
    independent = own @ own * n / (n - 1)
    for kind in ("nonrobust", "HC1", "HC3"):
        found = variance(increase, kind, {}, results._influence)
        assert found == pytest.approx(independent, rel=1e-10)
    groups = np.arange(n) % 15
    sums = np.bincount(groups, own)
    expected = sums @ sums * 15 / 14 * (n - 1) / (n - 1)
    for options in ({"groups": groups},):
        found = variance(increase, "cluster", options, results._influence)
        assert found == pytest.approx(expected, rel=1e-10)
        drawn = variance(increase, "bootstrap", {**options, "kind": "cluster"}, results._influence)
        assert drawn == pytest.approx(expected, rel=1e-10)
    lag = own[1:] @ own[:-1]
    found = variance(increase, "HAC", {"maxlags": 1}, results._influence)
    assert found == pytest.approx(own @ own + lag, rel=1e-10)
    without = variance(increase, "HC1", {}, None)
    plain = increase.influence - increase.influence.mean()
    assert without == pytest.approx(plain @ plain * n / (n - 1))


def test_errors_contain_the_estimation(results):
    found = results.variable_importance(n_repeats=3)
    clustered = results.with_cov("cluster", groups="firm").variable_importance(n_repeats=3)
    assert (clustered.importance == found.importance).all()
    assert ((clustered.se / found.se).between(0.3, 3.0)).all()
    assert (clustered.se != found.se).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_leaving_out_a_variable_of_a_linear_model(frame, weighted):
    """OLS without the variable's columns, fold by fold."""
    options = {"weights": "w"} if weighted else {}
    model = ne.NeuralRegression.from_formula("y ~ x1 * x2 + C(k)", frame, hidden=(), **options)
    results = model.fit(cov_type="HC1")
    found = results.variable_importance("refit", cv=4, rng=7)
    rng = np.random.default_rng(7)
    folds = make_folds(4, model.exog, model.endog, time_series=False, groups=None, rng=rng)
    weights = frame["w"].to_numpy() if weighted else np.ones(len(frame))
    names = np.array(model.exog_names)
    for variable in ("x1", "k"):
        keep = np.array([variable not in name.replace("C(k)", "k") for name in names])
        gain = np.zeros(len(frame))
        for train, test in folds.pairs():
            losses = []
            for columns in (keep, np.ones(len(names), bool)):
                fit = sm.WLS(model.endog[train], model.exog[train][:, columns], weights[train])
                predicted = model.exog[test][:, columns] @ fit.fit().params
                losses.append((model.endog[test] - predicted) ** 2)
            gain[test] = losses[0] - losses[1]
        expected = np.average(gain, weights=weights)
        assert found.importance[variable] == pytest.approx(expected, rel=1e-8)
        assert found.baseline[variable] == pytest.approx(expected, rel=1e-8)
        share = weights / weights.sum()
        psi = share * (gain - expected)
        psi = psi - psi.mean()
        error = np.sqrt(psi @ psi * len(psi) / (len(psi) - 1))
        assert found.se[variable] == pytest.approx(error, rel=1e-8)
    assert "4 shuffled folds" in str(found)


def test_refits_of_a_network(results):
    found = results.variable_importance("refit", cv=3)
    assert found.importance.index[0] == "x1"
    assert (found.pvalues[["x1", "k"]] < 0.01).all()
    permutation = results.variable_importance(cv=3, n_repeats=5)
    # the same folds: the same error with all variables
    assert permutation.mse == pytest.approx(found.mse, rel=0.05)
    # what a network sees in x1 and x2 together, the linear model does not
    assert permutation.importance["x1"] > permutation.baseline["x1"]


def test_importance_of_series_and_ensembles():
    model = ne.NeuralRegression.from_formula(
        "unemp ~ lag(unemp, 1) + lag(infl, 1)", helpers.macro(), hidden=(2,)
    )
    results = model.fit(alpha=0.01, alphas=4, n_starts=3, ensemble=2)
    for options in ({"cv": 3, "n_repeats": 3}, {"method": "refit", "cv": 3}, {"n_repeats": 3}):
        found = results.variable_importance(**options)
        assert set(found.importance.index) == {"lag(unemp, 1)", "lag(infl, 1)"}
        assert np.isfinite(found.summary_frame()).all(axis=None)
        assert found.importance["lag(unemp, 1)"] > found.importance["lag(infl, 1)"]
    assert "expanding windows" in results.variable_importance(cv=3, n_repeats=2).scored


def test_sparse_networks_are_estimated_again(frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(2,))
    results = model.fit(alpha=0.01, alphas=4, n_starts=2, L1_wt=1.0)
    found = results.variable_importance("refit", cv=3)
    assert found.importance["x1"] > 0


def test_tables_and_charts(results):
    found = results.variable_importance(n_repeats=3)
    frame = found.summary_frame(0.1)
    assert list(frame.columns[:6]) == ["importance", "std err", "z", "P>z", "[0.05", "0.95]"]
    np.testing.assert_allclose(frame["/ mse"], found.importance / found.mse)
    width = 1.6448536269514722 * found.se
    np.testing.assert_allclose(frame["0.95]"], found.importance + width)
    for text in (str(found), found._repr_html_(), found.summary().as_latex()):
        assert "x1" in text
    figure = found.plot(xlabel="Increase, squared points")
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == list(frame.index)
    figure.canvas.draw()
    with pytest.raises(ValueError, match="lacks the columns"):
        plots.plot_importance(frame)


def test_same_seed_same_numbers(results):
    one, other = (results.variable_importance(cv=3, n_repeats=2, rng=4) for _ in range(2))
    pd.testing.assert_series_equal(one.importance, other.importance)
    pd.testing.assert_series_equal(one.se, other.se)


def test_mistakes(results, frame):
    with pytest.raises(SpecificationError, match="method='drop' is not known"):
        results.variable_importance("drop")
    with pytest.raises(SpecificationError, match="n_repeats=0: give a whole number"):
        results.variable_importance(n_repeats=0)
    with pytest.raises(SpecificationError, match="n_repeats is for method='permutation'"):
        results.variable_importance("refit", n_repeats=5)
    few = ne.NeuralRegression.from_formula("y ~ x1", frame.head(20), hidden=()).fit()
    with pytest.raises(SpecificationError, match="a fold has a single row"):
        few.variable_importance(cv=20)
    with pytest.raises(SpecificationError, match="cv=1: pass the number of folds"):
        results.variable_importance(cv=1)
    full = ne.NeuralRegression.from_formula("y ~ 0 + k + x1", frame, hidden=()).fit()
    with pytest.raises(SpecificationError, match="constant is in its dummies"):
        full.variable_importance("refit")
    own = ne.NeuralRegression(
        frame["y"], frame[["x1"]], network=lambda b, x: b[0] * x[0], start_params=[1.0]
    ).fit()
    assert own.variable_importance().importance["x1"] > 0
    with pytest.raises(SpecificationError, match="a function of your own"):
        own.variable_importance("refit")
