"""Delta-method errors against draws of parameters and against refitting."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.estimation.estimate import SOLVERS, estimate
from nnecon.estimation.kernels import fitted_many
from nnecon.estimation.problem import Chain, Objective, Options
from nnecon.inference.effects import changes_along, slopes_along

DRAWS = 2000


@pytest.fixture(scope="module")
def fit():
    """Eleven parameters, well identified; a category besides two numbers."""
    g = np.random.default_rng(12)
    n = 1500
    frame = pd.DataFrame({"x": g.standard_normal(n), "z": g.standard_normal(n)})
    frame["sector"] = g.choice(["farm", "trade"], n)
    bend = 1.5 * np.tanh(1.5 * frame["x"] - 0.5) - np.tanh(frame["x"] + 1.5 * frame["z"])
    shift = 0.6 * (frame["sector"] == "trade")
    frame["y"] = 1 + 0.5 * frame["x"] - 0.3 * frame["z"] + bend + shift
    frame["y"] += 0.15 * g.standard_normal(n)
    model = ne.NeuralRegression.from_formula("y ~ x + z + sector", frame, hidden=(2,))
    return model.fit(alpha=1e-4, cov_type="nonrobust", n_starts=6)


def effects(fit, params):
    """Average partial effects at each of the parameter vectors, in the user's units."""
    scaling, design = fit.estimate.scaling, fit.model.design
    weights = np.full(int(fit.nobs), 1 / fit.nobs)
    columns = []
    for regressor in design.regressors:
        if regressor.kind == "category":
            rows = [scaling.rows(exog) for exog in design.contrast(regressor)]
            found = changes_along(fit.model.network, params, *rows, weights)
        else:
            directions = scaling.directions(design.direction(regressor))
            inputs = fit.estimate.objective.inputs
            found = slopes_along(fit.model.network, params, inputs, directions, weights)
        columns.append(scaling.target_scale * found)
    return np.column_stack(columns)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1"])
def test_parametric_bootstrap(fit, cov_type):
    """2,000 draws from N(params, V): effects, predictions and a curve, within 5%."""
    results = fit.with_cov(cov_type)
    g = np.random.default_rng(0)
    root = np.linalg.cholesky(results.covariance.matrix)
    draws = fit.solution.params + g.standard_normal((DRAWS, len(root))) @ root.T
    margeff = results.get_margeff(debias=False)
    ratio = margeff.margeff_se / effects(fit, draws).std(axis=0, ddof=1)
    assert np.abs(ratio - 1).max() < 0.05, ratio
    here = effects(fit, fit.solution.params[None])[0]
    np.testing.assert_allclose(margeff.margeff, here, rtol=1e-9)
    inputs = fit.estimate.objective.inputs[:200]
    values = fitted_many(fit.model.network, draws, inputs)
    spread = fit.estimate.scaling.target_scale * values.std(axis=0, ddof=1)
    ratio = results.get_prediction().se_mean.to_numpy()[:200] / spread
    # each ratio is itself uncertain by 1.6%, so a few of 200 may pass 5%
    assert np.abs(ratio.mean() - 1) < 0.02
    assert np.quantile(np.abs(ratio - 1), 0.9) < 0.05


def test_draws_through_results_at_are_the_same(fit):
    """The user's own parametric bootstrap: parameters in the user's units."""
    g = np.random.default_rng(1)
    for _ in range(3):
        draw = g.multivariate_normal(fit.params, fit.cov_params())
        there = fit.model.results_at(draw, alpha=fit.alpha, cov_type="nonrobust")
        standardised = np.linalg.solve(fit._map[0], draw - fit._map[1])
        np.testing.assert_allclose(
            there.get_margeff(debias=False).margeff, effects(fit, standardised[None])[0], rtol=1e-7
        )


def refit(fit, targets, weights):
    """Estimates on other targets or weights, started at the fit."""
    objective, start, alpha = fit.estimate.objective, fit.solution.params, fit.alpha
    options, found = Options(1e-9, 1e-18, 200, 200), []
    for target, weight in zip(targets, weights, strict=True):
        problem = Objective(objective.network, objective.inputs, target, objective.penalty)
        chain = Chain.single(weight, start, alpha)
        [trace] = estimate(problem, [chain], SOLVERS["lm"], options)
        assert trace.certificate[0] < 1e-6
        found.append(trace.params[0])
    return np.array(found)


@pytest.mark.slow
def test_refitting_on_simulated_samples(fit):
    """Samples drawn from the fit itself: nonrobust errors within 5%."""
    g = np.random.default_rng(5)
    scaling = fit.estimate.scaling
    mean = scaling.target(fit.fittedvalues.to_numpy())
    noise = np.sqrt(fit.scale) / scaling.target_scale
    targets = mean + noise * g.standard_normal((DRAWS, len(mean)))
    params = refit(fit, targets, np.broadcast_to(fit.model.weights, targets.shape))
    ratio = fit.get_margeff(debias=False).margeff_se / effects(fit, params).std(axis=0, ddof=1)
    assert np.abs(ratio - 1).max() < 0.05, ratio


@pytest.mark.slow
def test_refitting_on_reweighted_samples(fit):
    """The Bayesian bootstrap (Rubin, 1981): robust errors within 5%."""
    g = np.random.default_rng(6)
    weights = g.exponential(size=(DRAWS, int(fit.nobs)))
    target = fit.estimate.objective.target
    params = refit(fit, np.broadcast_to(target, weights.shape), weights)
    ratio = fit.with_cov("HC1").get_margeff(debias=False).margeff_se / effects(fit, params).std(
        axis=0, ddof=1
    )
    assert np.abs(ratio - 1).max() < 0.05, ratio
