"""The main job's path: certified from the baseline to the chosen penalty, fair to both models."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.model_selection import KFold, TimeSeriesSplit

import nnecon as ne
from nnecon.exceptions import ConvergenceWarning, SpecificationError
from nnecon.results.path import choose_alpha, standard_error


@pytest.fixture(scope="module", params=["macro_results", "curved_results"])
def results(request):
    return request.getfixturevalue(request.param)


def objectives(results):
    path, model = results.path, results.model
    pairs = zip(path.params[1:], path.alphas[1:], strict=True)
    return [model.results_at(params, alpha=float(alpha)).solution for params, alpha in pairs]


def test_all_penalties_from_the_baseline_to_the_best_converge(results):
    path = results.path
    best = int(np.flatnonzero(path.alphas == path.alpha_min)[0])
    assert path.converged[: best + 1].all()
    np.testing.assert_array_equal(path.converged, path.certificate < 1e-6)
    # certificates computed anew from the parameters in the user's units
    for solution, converged in zip(objectives(results), path.converged[1:], strict=True):
        assert (solution.certificate < 2e-6) or not converged


def test_path_begins_at_the_classical_model(results):
    path, model = results.path, results.model
    assert path.alphas[0] == np.inf and (np.diff(path.alphas) < 0).all()
    ols = sm.OLS(model.endog, model.exog).fit()
    assert path.edf[0] == pytest.approx(len(ols.params), abs=1e-9)
    np.testing.assert_allclose(path.params[0, : len(ols.params)], ols.params, rtol=1e-8)
    assert path.train_score[0] == pytest.approx(ols.ssr / ols.nobs)
    names = [name for name in path.effects.columns if name in model.exog_names]
    coefficients = pd.Series(ols.params, index=model.exog_names)
    np.testing.assert_allclose(path.effects.iloc[0][names], coefficients[names], rtol=1e-8)


def test_least_objective_is_concave_in_the_penalty(results):
    path = results.path
    solutions = objectives(results)
    value = np.array([solution.objective for solution in solutions])
    assert (np.diff(value) <= 1e-9).all(), "a smaller penalty cannot cost more"
    penalty = np.array([solution.penalty for solution in solutions])
    assert (np.diff(penalty) >= -1e-6 * (1 + penalty[1:])).all()
    # any solution bounds the objective at the next penalty
    bound = value[:-1] + (path.alphas[2:] - path.alphas[1:-1]) * penalty[:-1]
    assert (value[1:] <= bound * (1 + 1e-7)).all()


def test_fit_improves_and_degrees_of_freedom_grow(results):
    path = results.path
    assert (np.diff(path.train_score) <= 1e-6 * path.train_score[0]).all()
    assert path.edf[-1] > path.edf[0] + 1
    assert path.edf.max() < results.nobs


def test_where_the_network_is_zero_the_estimate_is_the_classical_model(results):
    path = results.path
    neural = results.model.network.neural
    zero = (path.params[:, neural] == 0).all(axis=1)
    assert zero[0]
    first = int(np.flatnonzero(~zero)[0])
    assert zero[:first].all() and not zero[first:].any()
    np.testing.assert_array_equal(path.params[:first], np.repeat(path.params[:1], first, axis=0))
    np.testing.assert_allclose(path.edf[:first], path.edf[0], rtol=1e-9)
    assert path.switches[first] and not path.switches[:first].any()


def test_cross_validation_of_the_classical_end_is_that_of_ols(results):
    """Fold by fold, row by row, as statsmodels estimates and predicts."""
    cv, model = results.cv, results.model
    n, seen = len(model.endog), []
    for fold, test in enumerate(cv.folds):
        train = np.arange(n) < test[0] if model.is_time_series else ~np.isin(np.arange(n), test)
        fit = sm.OLS(model.endog[train], model.exog[train]).fit()
        error = model.endog[test] - fit.predict(model.exog[test])
        assert cv.baseline_scores[fold] == pytest.approx(np.mean(error**2), rel=1e-9)
        assert cv.scores[fold, 0] == pytest.approx(cv.baseline_scores[fold], rel=1e-8)
        rows = cv.predictions[cv.predictions["fold"] == fold]
        np.testing.assert_allclose(rows["baseline"], fit.predict(model.exog[test]), rtol=1e-9)
        np.testing.assert_array_equal(rows["actual"], model.endog[test])
        chosen = int(np.flatnonzero(cv.alphas == results.alpha)[0])
        score = np.mean((rows["actual"] - rows["network"]) ** 2)
        assert cv.scores[fold, chosen] == pytest.approx(score)
        seen += list(rows.index)
    assert len(seen) == len(set(seen)) == len(cv.predictions)


def test_chosen_penalty(results):
    path = results.path
    assert results.alpha == path.alpha_min == path.alphas[results.cv.mean.argmin()]
    assert path.alpha_1se >= path.alpha_min
    np.testing.assert_allclose(path.cv_mean, results.cv.mean)
    np.testing.assert_allclose(path.cv_se, results.cv.se)
    at = int(np.flatnonzero(path.alphas == results.alpha)[0])
    np.testing.assert_allclose(results.params, path.params[at], rtol=1e-12)
    np.testing.assert_allclose(results.edf, path.edf[at])
    np.testing.assert_allclose(
        results.get_margeff(debias=False).margeff, path.effects.iloc[at].to_numpy(), rtol=1e-9
    )


def test_a_bent_cross_section_is_found(curved_results):
    assert np.isfinite(curved_results.alpha)
    assert curved_results.cv.mean.min() < 0.8 * curved_results.cv.baseline_scores.mean()
    assert curved_results.compare().test.pvalue < 0.05


@pytest.mark.parametrize("rule", ["cv", "1se"])
def test_rule_of_choice(curved_results, rule):
    fit = curved_results.model.fit(alpha=rule, alphas=8, n_starts=4)
    expected = {"cv": fit.path.alpha_min, "1se": fit.path.alpha_1se}[rule]
    assert fit.alpha == expected
    assert fit.path.alpha_1se == curved_results.path.alpha_1se
    words = {"cv": "cross-validation", "1se": "one-standard-error rule"}[rule]
    assert words in fit.summary().as_text()


def test_choose_alpha():
    alphas = np.array([np.inf, 4.0, 2.0, 1.0])
    scores = np.array([[3.0, 2.0, 1.0, 1.5], [3.2, 2.4, 2.0, 1.5], [3.1, 1.6, 1.3, 1.5]])
    best, frugal = choose_alpha(alphas, scores)
    assert best == 2.0
    bound = scores.mean(axis=0)[2] + standard_error(scores)[2]
    assert frugal == alphas[np.flatnonzero(scores.mean(axis=0) <= bound)[0]]
    assert standard_error(scores)[2] == pytest.approx(np.std(scores[:, 2], ddof=1) / np.sqrt(3))
    # ties go to the simpler model
    assert choose_alpha(alphas, np.ones((2, 4))) == (np.inf, np.inf)


def test_given_penalties_are_the_grid(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    fit = model.fit(alpha="1se", alphas=[0.05, np.inf, 10.0, 0.05, 1e-6], n_starts=3, cv=3)
    np.testing.assert_array_equal(fit.path.alphas, [np.inf, 10.0, 0.05, 1e-6])
    one = model.fit(alpha=0.05, n_starts=3)
    assert 0.05 in one.path.alphas
    alone = model.fit(alpha=0.05, alphas=[0.05], n_starts=3)
    np.testing.assert_array_equal(alone.path.alphas, [np.inf, 0.05])
    assert one.path.cv_mean is None
    with pytest.raises(SpecificationError, match="not cross-validated"):
        one.cv  # noqa: B018
    scored = model.fit(alpha=0.05, n_starts=3, cv=4)
    assert scored.cv.scores.shape == (4, len(scored.path.alphas))
    np.testing.assert_array_equal(scored.params, one.params)


@pytest.mark.parametrize("splitter", [KFold(3), TimeSeriesSplit(3)], ids=str)
def test_splitters_of_scikit_learn(curved_frame, splitter):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    fit = model.fit(alphas=[0.05], n_starts=2, cv=splitter)
    expected = [test for _, test in splitter.split(curved_frame)]
    for mine, theirs in zip(fit.cv.folds, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_groups_keep_together_in_folds(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    fit = model.fit(alphas=[0.05], n_starts=2, groups="firm")
    firms = [set(curved_frame["firm"].iloc[test]) for test in fit.cv.folds]
    assert sum(map(len, firms)) == len(set.union(*firms)) == 20


def test_smallest_penalty_best_is_a_warning(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    with pytest.warns(ConvergenceWarning, match="give smaller alphas"):
        fit = model.fit(alphas=[0.1, 0.01], n_starts=3)
    assert fit.alpha == 0.01


def test_solvers_agree_on_the_estimate(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    lm = model.fit(alpha=0.02, method="lm")
    lbfgs = model.fit(alpha=0.02, method="lbfgs")
    assert lm.converged and lbfgs.converged
    assert lm.solution.method == "Levenberg-Marquardt"
    assert lbfgs.solution.method == "L-BFGS, polished by Levenberg-Marquardt"
    # L-BFGS alone leaves a relative gradient of 1e-7 to 1e-3 along such a path
    assert lbfgs.path.certificate.max() < 1e-9
    assert lbfgs.solution.objective == pytest.approx(lm.solution.objective, rel=1e-7)
    assert "L-BFGS" in lbfgs.summary().as_text()


@pytest.mark.parametrize("activation", ["relu", "elu", "gelu", "softplus", "logistic", "linear"])
def test_every_activation_tells_the_truth_about_convergence(curved_frame, activation):
    model = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2", curved_frame, hidden=(3,), activation=activation
    )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit = model.fit(alpha=0.01, n_starts=4)
    warned = any(issubclass(w.category, ConvergenceWarning) for w in seen)
    assert fit.converged == (fit.solution.certificate < 1e-6) == (not warned)
    if activation not in ("relu", "elu"):
        assert fit.converged
    ols = fit.baseline.ssr
    assert fit.ssr <= ols * (1 + 1e-9)


def test_linear_units_add_nothing_to_ols(curved_frame):
    """A linear network beside a free linear part is not worth its penalty."""
    model = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2", curved_frame, hidden=(3,), activation="linear"
    )
    fit = model.fit(alpha=0.01)
    np.testing.assert_allclose(fit.fittedvalues, fit.baseline.fittedvalues, rtol=1e-9)
    assert fit.edf == pytest.approx(3.0)


def test_a_given_penalty_gives_the_estimate_of_the_path(macro_model):
    """Choosing a penalty or giving it makes no difference to what is found there."""
    path = macro_model.fit().path
    at = int(np.flatnonzero(path.edf > path.edf[0] + 1.0)[3])
    given = macro_model.fit(alpha=float(path.alphas[at]))
    assert given.edf == pytest.approx(path.edf[at], rel=1e-6)
    mean_square = float((given.resid**2).mean())
    assert mean_square == pytest.approx(path.train_score[at], rel=1e-6)


def test_no_penalty_continues_the_path(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    fit = model.fit(alpha=0, alphas=6, n_starts=3)
    assert fit.alpha == 0.0
    assert fit.path.alphas[-1] == 0.0
    assert fit.converged
    assert fit.path.train_score[-1] <= fit.path.train_score[-2]


def test_folds_do_not_depend_on_the_network(curved_frame):
    scores = [
        ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=hidden)
        .fit("1se", alphas=2, n_starts=starts)
        .cv.baseline_scores
        for hidden, starts in [((1,), 1), ((2,), 1), ((1,), 2)]
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
