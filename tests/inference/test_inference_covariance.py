"""Sandwiches of penalised estimates by their formulas, and what is refused."""

import numpy as np
import pytest

from nnecon.exceptions import IdentificationWarning, SpecificationError
from nnecon.inference.covariance import (
    Moments,
    Part,
    automatic_lags,
    bread,
    covariance,
    influence,
    penalised_moments,
)


@pytest.fixture(scope="module")
def moments():
    g = np.random.default_rng(2)
    ridge = np.array([0.0, 0.0, 3.0, 3.0])
    return Moments(g.standard_normal(40), g.standard_normal((40, 4)), ridge)


def parts(moments):
    gram = moments.jacobian.T @ moments.jacobian
    inverse = np.linalg.inv(gram + np.diag(moments.ridge))
    return gram, inverse, moments.jacobian * moments.residual[:, None]


def test_bread_and_degrees_of_freedom(moments):
    gram, inverse, _ = parts(moments)
    found = bread(moments)
    np.testing.assert_allclose(found.inverse, inverse, rtol=1e-12)
    assert found.edf == pytest.approx(np.trace(inverse @ gram))
    assert 2.0 < found.edf < 4.0
    assert found.unidentified == 0


def test_infinite_penalty_holds_parameters_fixed(moments):
    held = Moments(moments.residual, moments.jacobian, np.array([0.0, 0.0, np.inf, np.inf]))
    found = bread(held)
    assert found.edf == pytest.approx(2.0)
    assert (found.inverse[2:] == 0).all()
    part = moments.jacobian[:, :2]
    np.testing.assert_allclose(found.inverse[:2, :2], np.linalg.inv(part.T @ part))


def test_sandwiches_by_their_formulas(moments):
    gram, inverse, scores = parts(moments)
    n, edf = 40, np.trace(inverse @ gram)
    squares = moments.residual**2
    leverage = np.diag(moments.jacobian @ inverse @ moments.jacobian.T)

    def sandwich(meat):
        return inverse @ meat @ inverse

    def weighted(w):
        return sandwich((moments.jacobian * w[:, None]).T @ moments.jacobian)

    lagged = sum(
        (1 - lag / 4) * (scores[lag:].T @ scores[:-lag] + scores[:-lag].T @ scores[lag:])
        for lag in (1, 2, 3)
    )
    groups = np.arange(n) % 6
    sums = np.stack([scores[groups == k].sum(axis=0) for k in range(6)])
    expected = {
        "nonrobust": sandwich(gram) * squares.sum() / (n - edf),
        "HC0": weighted(squares),
        "HC1": weighted(squares * n / (n - edf)),
        "HC2": weighted(squares / (1 - leverage)),
        "HC3": weighted(squares / (1 - leverage) ** 2),
        "HAC": sandwich(scores.T @ scores + lagged),
        "cluster": sandwich(sums.T @ sums) * 6 / 5 * (n - 1) / (n - edf),
    }
    options = {"HAC": {"maxlags": 3}, "cluster": {"groups": groups}}
    for kind, matrix in expected.items():
        found = covariance(moments, bread(moments), kind, options.get(kind))
        np.testing.assert_allclose(found.matrix, matrix, rtol=1e-9, err_msg=kind)
        assert found.use_t == (kind == "nonrobust")
    clusters = covariance(moments, bread(moments), "cluster", options["cluster"])
    assert clusters.df_resid == 5.0


def test_leaving_out_groups_and_outer_products_of_penalised_estimates(moments):
    gram, inverse, scores = parts(moments)
    groups = np.arange(40) % 6
    moves = []
    for group in range(6):
        rows = groups == group
        rest = gram - moments.jacobian[rows].T @ moments.jacobian[rows] + np.diag(moments.ridge)
        moves.append(np.linalg.solve(rest, scores[rows].sum(axis=0)))
    expected = 5 / 6 * np.array(moves).T @ np.array(moves)
    found = covariance(moments, bread(moments), "cluster-crv3", {"groups": groups})
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-9)
    assert found.df_resid == 5.0
    # information by outer products, in the bread as well as in the meat
    scale = moments.residual @ moments.residual / (40 - np.trace(inverse @ gram))
    outer = scores.T @ scores
    information = np.linalg.inv(outer / scale + np.diag(moments.ridge))
    found = covariance(moments, bread(moments), "opg")
    np.testing.assert_allclose(found.matrix, information @ outer @ information, rtol=1e-9)
    free = Moments(moments.residual, moments.jacobian, np.zeros(4))
    scale = moments.residual @ moments.residual / 36
    found = covariance(free, bread(free), "opg")
    np.testing.assert_allclose(found.matrix, scale**2 * np.linalg.inv(outer), rtol=1e-9)


def test_outer_products_agree_with_nonrobust_errors_where_these_are_right():
    g = np.random.default_rng(3)
    big = Moments(g.standard_normal(20_000), g.standard_normal((20_000, 3)), np.zeros(3))
    usual = covariance(big, bread(big), "nonrobust").matrix
    outer = covariance(big, bread(big), "opg").matrix
    np.testing.assert_allclose(np.diag(outer), np.diag(usual), rtol=0.05)


def test_influence_sums_squares_to_the_covariance(moments):
    part = Part(moments, bread(moments))
    rows = influence([part])
    assert rows.shape == (40, 4)
    expected = covariance(moments, part.bread, "HC0").matrix
    np.testing.assert_allclose(rows.T @ rows, expected, rtol=1e-9)


def test_bad_conditioning_loses_no_digits():
    """Columns that differ in the tenth digit: the normal equations would lose them all."""
    g = np.random.default_rng(0)
    x, e = g.standard_normal((2, 50))
    jacobian = np.column_stack([x, x + 1e-8 * e])
    found = bread(Moments(g.standard_normal(50), jacobian, np.zeros(2)))
    assert found.unidentified == 0
    # residual of the second column on the first, computed without cancellation
    rest = e - x * (x @ e) / (x @ x)
    assert found.inverse[1, 1] == pytest.approx(1e16 / (rest @ rest), rel=1e-6)


def test_unidentified_directions_are_reported(moments):
    jacobian = moments.jacobian.copy()
    jacobian[:, 1] = 2 * jacobian[:, 0]
    middle = bread(Moments(moments.residual, jacobian, moments.ridge))
    assert middle.unidentified == 1
    with pytest.warns(IdentificationWarning, match="1 of 4 directions"):
        found = covariance(Moments(moments.residual, jacobian, moments.ridge), middle, "HC0")
    # what is identified, a + 2 b, has the variance of the model without the redundant column
    direction = np.array([1.0, 2.0, 0.0, 0.0])
    short = Moments(moments.residual, jacobian[:, [0, 2, 3]], moments.ridge[[0, 2, 3]])
    expected = covariance(short, bread(short), "HC0").matrix[0, 0]
    assert direction @ found.matrix @ direction == pytest.approx(expected)


def test_leverage_one_is_refused_by_name():
    """A row that a dummy of its own fits exactly has no HC2 or HC3 variance."""
    g = np.random.default_rng(0)
    jacobian = np.column_stack([np.ones(12), np.arange(12) == 3]).astype(float)
    residual = g.standard_normal(12)
    residual[3] = 0.0
    moments = Moments(residual, jacobian, np.zeros(2))
    for kind in ("HC2", "HC3"):
        with pytest.raises(SpecificationError, match=f"{kind}.*leverage"):
            covariance(moments, bread(moments), kind)
    assert np.isfinite(covariance(moments, bread(moments), "HC1").matrix).all()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("HC4", {}, "cov_type='HC4' is not known"),
        ("hc1", {}, "cov_type='hc1' is not known"),
        ("HC1", {"maxlags": 3}, "takes no options"),
        ("HAC", {"lags": 3}, r"\['lags'\]"),
        ("HAC", {"maxlags": -1}, "whole number from 0 to 39"),
        ("HAC", {"maxlags": 40}, "whole number from 0 to 39"),
        ("HAC", {"maxlags": 2.5}, "whole number"),
        ("HAC", {"maxlags": True}, "whole number"),
        ("HAC", {"kernel": "tukey"}, "kernel='tukey' is not known"),
        ("HAC", {"maxlags": "hansen"}, "newey-west"),
        ("HAC", {"maxlags": "andrews", "kernel": "uniform"}, "no best bandwidth"),
        ("HAC", {"use_correction": "hac"}, "use_correction='hac': give True or False"),
        ("hac-panel", {"groups": np.arange(40) % 4, "maxlags": "andrews"}, "rule for one series"),
        ("hac-panel", {}, "needs groups"),
        ("hac-panel", {"time": np.arange(40), "use_correction": True}, "'hac', 'cluster' or False"),
        ("hac-groupsum", {"maxlags": 2}, "needs time"),
        ("hac-groupsum", {"time": np.ones(40)}, "single label"),
        ("cluster", {"groups": np.zeros((40, 3))}, "3 columns"),
        ("cluster-crv3", {"groups": np.zeros((40, 2))}, "takes one label a row"),
        ("cluster", {"groups": np.arange(40) % 4, "df_correction": 1}, "df_correction=1"),
        ("bootstrap", {"kind": "jackknife"}, "kind='jackknife' is not known"),
        ("bootstrap", {"draws": 1}, "draws=1"),
        ("bootstrap", {"rng": None}, "rng=None"),
        ("bootstrap", {"kind": "pairs", "distribution": "webb"}, "belongs to kind='wild'"),
        ("bootstrap", {"kind": "wild", "distribution": "normal"}, "'rademacher'"),
        ("cluster", {}, "needs cov_kwds"),
        ("cluster", {"groups": np.zeros(3)}, "3 labels, but the sample 40 rows"),
        ("cluster", {"groups": np.zeros(40)}, "single label"),
    ],
)
def test_options_that_make_no_sense(moments, kind, options, message):
    with pytest.raises(SpecificationError, match=message):
        covariance(moments, bread(moments), kind, options)


@pytest.mark.parametrize(("n", "lags"), [(100, 4), (200, 4), (50, 3), (1000, 6)])
def test_newey_west_rule(n, lags, moments):
    assert automatic_lags(n) == lags


def test_lags_are_those_of_andrews_by_default(moments):
    expected = covariance(moments, bread(moments), "HAC", {"maxlags": "andrews"})
    for options in ({}, {"maxlags": None}):
        found = covariance(moments, bread(moments), "HAC", options)
        np.testing.assert_array_equal(found.matrix, expected.matrix)
    assert "(andrews)" in found.description
    assert found.options["bandwidth"] < found.options["maxlags"] + 1.001
    uniform = covariance(moments, bread(moments), "HAC", {"kernel": "uniform"})
    assert uniform.options["maxlags"] == automatic_lags(40)


def test_moments_of_an_estimate(curved_results):
    """Units: residuals in those of y, the penalty n alpha s^2 on the neural part."""
    estimate = curved_results.estimate
    moments = penalised_moments(
        estimate.objective,
        curved_results.solution.params,
        curved_results.alpha,
        curved_results.resid.to_numpy(),
        estimate.weights,
        estimate.scaling.target_scale,
    )
    gradient = moments.jacobian.T @ moments.residual
    pull = moments.ridge * curved_results.solution.params
    np.testing.assert_allclose(gradient, pull, atol=1e-6 * np.abs(gradient).max())
    k = curved_results.model.network.n_linear
    assert (moments.ridge[:k] == 0).all() and (moments.ridge[k:] > 0).all()
