"""Margins against statsmodels' own code, for means that are not linear."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.discrete.discrete_margins import DiscreteMargins

import nnecon as ne
from nnecon.inference.bands import sup_t
from nnecon.inference.margins import is_count, is_dummy, weighted_median

MODELS = {
    "poisson": (sm.Poisson, lambda b, x: jnp.exp(b @ x)),
    "logit": (sm.Logit, lambda b, x: 1.0 / (1.0 + jnp.exp(-b @ x))),
}
PARAMS = np.array([0.3, 0.2, -0.4, 0.1])


def data():
    g = np.random.default_rng(1)
    x = np.column_stack([g.uniform(0.5, 2.0, 60), g.integers(0, 2, 60), g.integers(0, 6, 60)])
    return (g.uniform(size=60) < 0.5).astype(float), sm.add_constant(x)


CASES = [
    *[{"at": at, "method": method} for at in ("overall", "mean", "median")
      for method in ("dydx", "eyex", "dyex", "eydx")],
    {"at": "zero", "method": "dydx"},
    {"at": "zero", "method": "eydx"},
    *[{"at": at, "method": method, "dummy": True, "count": True} for at in ("overall", "mean")
      for method in ("dydx", "eydx")],
    {"at": "overall", "dummy": True},
]  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("options", CASES, ids=lambda options: "-".join(map(str, options.values())))
def test_equals_statsmodels(kind, options):
    family, function = MODELS[kind]
    endog, exog = data()
    model = ne.NeuralRegression(endog, exog, network=function, start_params=PARAMS)
    results = model.results_at(PARAMS)
    theirs = family(endog, exog)
    covariance = results.cov_params().to_numpy()
    held = SimpleNamespace(model=theirs, params=PARAMS, cov_params=lambda: covariance)
    expected = DiscreteMargins(held, (), options)
    found = results.get_margeff(**options)
    np.testing.assert_allclose(found.margeff, expected.margeff, rtol=1e-8)
    rtol = 1e-8 if kind == "poisson" else 1e-6
    np.testing.assert_allclose(found.margeff_se, expected.margeff_se, rtol=rtol)
    np.testing.assert_allclose(found.margeff_cov, expected.margeff_cov, rtol=rtol, atol=1e-12)


def test_fixed_variables_equal_statsmodels():
    endog, exog = data()
    family, function = MODELS["poisson"]
    model = ne.NeuralRegression(endog, exog, network=function, start_params=PARAMS)
    results = model.results_at(PARAMS)
    covariance = results.cov_params().to_numpy()
    held = SimpleNamespace(model=family(endog, exog), params=PARAMS, cov_params=lambda: covariance)
    expected = DiscreteMargins(held, (), {"atexog": {1: 1.5, 3: 2.0}})
    for found in (
        results.get_margeff({"x1": 1.5, "x3": 2.0}),
        results.get_margeff(atexog={"x1": 1.5, "x3": 2.0}),
    ):
        np.testing.assert_allclose(found.margeff, expected.margeff, rtol=1e-8)
        np.testing.assert_allclose(found.margeff_se, expected.margeff_se, rtol=1e-8)
        assert "x1 = 1.5" in str(found.summary())


def test_weighted_median_is_that_of_repeated_rows():
    g = np.random.default_rng(0)
    for size in (1, 2, 7, 8):
        values, counts = g.integers(0, 9, size).astype(float), g.integers(1, 4, size)
        assert weighted_median(values, np.ones(size)) == np.median(values)
        repeated = np.repeat(values, counts)
        assert weighted_median(values, counts / counts.sum()) == np.median(repeated)


def test_kinds_of_variables():
    dummy, count = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 2.0])
    assert is_dummy(dummy)
    assert not is_count(dummy)
    assert is_count(count)
    assert not is_dummy(count)
    for other in (np.ones(3), np.zeros(3), count - 1.0, count + 0.5):
        assert not is_dummy(other)
        assert not is_count(other)


@pytest.mark.parametrize("df", [None, 8.0])
def test_sup_t_of_independent_points(df):
    rng = np.random.default_rng(3)
    found = sup_t(np.diag([4.0, 1.0, 0.01, 9.0]), 0.1, rng, df)
    if df is None:
        expected = stats.norm.ppf((1.0 + 0.9**0.25) / 2.0)
    else:
        scale = np.sqrt(rng.chisquare(df, 400_000) / df)
        expected = np.quantile(np.abs(rng.standard_normal((400_000, 4))).max(axis=1) / scale, 0.9)
    assert found == pytest.approx(expected, rel=0.02)


def test_sup_t_of_one_point_is_the_pointwise_value():
    rng = np.random.default_rng(3)
    for covariance in (np.array([[2.0]]), 3.0 * np.ones((5, 5)), np.diag([1.0, 0.0])):
        assert sup_t(covariance, 0.05, rng) == pytest.approx(1.96, rel=0.02)
    assert sup_t(np.zeros((2, 2)), 0.05, rng) == 0.0
