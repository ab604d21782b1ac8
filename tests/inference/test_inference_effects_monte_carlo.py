"""Bands of curves and errors of importance in repeated samples."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_less

import nnecon as ne
from nnecon.estimation.bootstrap import refit
from nnecon.inference.importance import donors, permuted
from nnecon.results.importance import _folds, _scorers

pytestmark = pytest.mark.slow

ALPHA = 0.005


def regression(x):
    """A smooth mean with a bend and an interaction."""
    return np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.3 * x[:, 2]


def estimated_again(model, params, alpha=ALPHA):
    """Results at the penalty of the first fit, started there."""
    objective, _ = model._objective()
    found = refit(objective, params, alpha, targets=objective.target[None])
    transform, offset = model.user_units(model.scaling)
    return model.results_at(transform @ found.params[0] + offset, alpha, cov_type="HC1")


def test_bands_cover_the_curve():
    """Pointwise intervals cover each point, sup-t bands all points, of the mean estimate.

    The network can fit the mean: what it cannot fit counts as noise in the errors, though not in
    samples with the same regressors, and bands are wider than needed then.
    """
    replications, size, alpha = 300, 400, 0.002
    rng = np.random.default_rng(11)
    x = rng.standard_normal((size, 3))
    exog, mean = np.column_stack([np.ones(size), x]), np.sin(1.5 * x[:, 0]) + 0.3 * x[:, 2]
    noise = 0.3 + 0.2 * np.abs(x[:, 1])
    grids = {"pdp": np.linspace(-2.0, 2.0, 11), "ale": 11, "derivative": np.linspace(-2.0, 2.0, 11)}
    params, found = None, {kind: [] for kind in grids}
    for _ in range(replications):
        model = ne.NeuralRegression(mean + noise * rng.standard_normal(size), exog, hidden=(3,))
        if params is None:
            params = model.fit(alpha=alpha).solution.params
        results = estimated_again(model, params, alpha)
        for kind, grid in grids.items():
            curve = results.effect_curve("x1", grid, 0.1, kind=kind, simultaneous=True)
            found[kind].append(curve.frame.to_numpy())
    for kind, frames in found.items():
        value, _, low, high, lowest, highest, _ = np.moveaxis(np.array(frames), 2, 0)
        truth = value.mean(axis=0)
        inside = (low <= truth) & (truth <= high)
        together = ((lowest <= truth) & (truth <= highest)).all(axis=1).mean()
        by_point = inside.mean(axis=0)
        print(kind, by_point.round(3), together, inside.all(axis=1).mean())
        assert 0.86 <= by_point.mean() <= 0.94, (kind, by_point)
        assert_array_less(0.83, by_point)
        assert 0.84 <= together <= 0.96, (kind, together)
        # pointwise intervals do not cover the whole curve as often
        assert inside.all(axis=1).mean() < together - 0.1


def importance_in_population(mean, variable, seed):
    """The increase over so many rows that their number does not matter."""
    g = np.random.default_rng(seed)
    size = 20_000
    x = g.standard_normal((size, 3))
    exog = np.column_stack([np.ones(size), x])
    endog = regression(x) + 0.5 * g.standard_normal(size)
    rows = ne.NeuralRegression(endog, exog, hidden=()).design.moving_rows()
    weights = np.full(size, 1.0 / size)
    return permuted(mean, rows, variable, endog, weights, donors(size, 2, g), False).value


def test_errors_of_importance_in_the_sample():
    """They match the spread over samples, regressors included."""
    replications, size = 300, 400
    rng = np.random.default_rng(12)
    params, values, errors = None, [], []
    for _ in range(replications):
        x = rng.standard_normal((size, 3))
        endog = regression(x) + 0.5 * rng.standard_normal(size)
        model = ne.NeuralRegression(endog, np.column_stack([np.ones(size), x]), hidden=(4,))
        if params is None:
            params = model.fit(alpha=ALPHA).solution.params
        found = estimated_again(model, params).variable_importance(n_repeats=20)
        values.append(found.importance[["x1", "x2", "x3"]])
        errors.append(found.se[["x1", "x2", "x3"]])
    ratio = np.mean(errors, axis=0) / np.std(values, axis=0, ddof=1)
    print("sample", ratio, np.mean(values, axis=0))
    assert (ratio > 0.87).all(), ratio
    assert (ratio < 1.15).all(), ratio


def test_importance_on_folds_covers_that_of_the_folds_estimates():
    replications, size = 200, 300
    rng = np.random.default_rng(13)
    names = ["x1", "x2", "x3"]
    covered, ratio = [], []
    params = None
    for replication in range(replications):
        x = rng.standard_normal((size, 3))
        frame = pd.DataFrame(x, columns=names)
        frame["y"] = regression(x) + 0.5 * rng.standard_normal(size)
        model = ne.NeuralRegression.from_formula("y ~ x1 + x2 + x3", frame, hidden=(4,))
        if params is None:
            params = model.fit(alpha=ALPHA).solution.params
        results = estimated_again(model, params)
        found = results.variable_importance(cv=5, n_repeats=10, rng=replication)
        targets = folds_importance(results, replication)
        error = found.importance[names] - targets
        ratio.append(error / found.se[names])
        covered.append(np.abs(ratio[-1]) < 1.6448536)
    coverage, spread = np.mean(covered, axis=0), np.std(ratio, axis=0)
    print("folds", coverage, spread)
    assert (coverage > 0.84).all(), coverage
    assert (coverage < 0.95).all(), coverage


def folds_importance(results, seed):
    """Mean over the folds of the importance in the population, of each fold's estimate."""
    g = np.random.default_rng(seed)
    folds = _folds(results, 5, g)
    scorers = _scorers(results, folds, g)
    names = ["x1", "x2", "x3"]
    found = [[importance_in_population(one.mean, name, 5) for name in names] for one in scorers]
    return np.mean(found, axis=0)
