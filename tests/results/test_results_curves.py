"""Curves of three kinds: a function that is known, finite differences, bands and mistakes."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers import numerical_jacobian

import nnecon as ne
from nnecon.exceptions import DataWarning, SpecificationError


def known(b, x):
    """A function with an interaction: 1 + 2 x1 + 3 x1^2 + x1 x2."""
    return b[0] + b[1] * x[1] + b[2] * x[1] ** 2 + b[3] * x[1] * x[2]


@pytest.fixture(scope="module")
def exact():
    g = np.random.default_rng(8)
    x1 = g.standard_normal(300)
    frame = pd.DataFrame({"x1": x1, "x2": 0.5 + 0.8 * x1 + 0.6 * g.standard_normal(300)})
    frame["y"] = 1 + 2 * x1 + 3 * x1**2 + x1 * frame["x2"] + 0.1 * g.standard_normal(300)
    model = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2", frame, network=known, start_params=[1.0, 2.0, 3.0, 1.0]
    )
    return model.results_at([1.0, 2.0, 3.0, 1.0]), frame


def test_partial_dependence_of_a_known_function(exact):
    results, frame = exact
    points = np.array([-1.0, 0.0, 1.5])
    found = results.effect_curve("x1", points).frame
    expected = 1 + 2 * points + 3 * points**2 + points * frame["x2"].mean()
    np.testing.assert_allclose(found["mean"], expected, rtol=1e-12)


def test_derivative_of_a_known_function(exact):
    results, frame = exact
    points = np.array([-1.0, 0.0, 1.5])
    found = results.effect_curve("x1", points, kind="derivative").frame
    expected = 2 + 6 * points + frame["x2"].mean()
    np.testing.assert_allclose(found["dydx"], expected, rtol=1e-9)


def test_local_effects_of_a_known_function(exact):
    """ALE integrates E(df/dx1 | x1), which knows that x2 moves with x1; the PDP does not."""
    results, frame = exact
    found = results.effect_curve("x1", 41, kind="ale").frame
    points = found.index.to_numpy()
    # the bins by hand
    x1, x2 = frame["x1"].to_numpy(), frame["x2"].to_numpy()
    steps, shares = [], []
    for low, high in pairwise(points):
        inside = (x1 > low) & (x1 <= high) | (x1 == points[0]) & (low == points[0])
        change = [known([1.0, 2.0, 3.0, 1.0], [1.0, at, x2[inside]]) for at in (high, low)]
        steps.append(np.mean(change[0] - change[1]))
        shares.append(inside.mean())
    curve = np.r_[0.0, np.cumsum(steps)]
    curve -= np.array(shares) @ (curve[1:] + curve[:-1]) / 2.0
    np.testing.assert_allclose(found["ale"], curve, rtol=1e-9, atol=1e-12)
    assert np.isclose(sum(shares), 1.0)
    # the slope of x1 x2 given x1 is 0.5 + 0.8 x1, against the mean of x2 in the PDP
    theory = 2.5 * points + 3.4 * points**2
    inner = np.abs(points) < 1.5
    gap = found["ale"].to_numpy() - theory
    assert np.ptp(gap[inner]) < 0.3
    pdp = results.effect_curve("x1", points).frame["mean"].to_numpy()
    assert np.ptp((pdp - theory)[inner]) > 0.5


@pytest.mark.parametrize("kind", ["pdp", "ale", "derivative"])
def test_errors_by_finite_differences(curved_results, kind):
    results = curved_results
    points = [-1.0, 0.0, 0.7, 1.2]

    def values(params):
        there = results.model.results_at(params, results.alpha)
        return there.effect_curve("x1", points, kind=kind).frame.iloc[:, 0].to_numpy()

    found = results.effect_curve("x1", points, kind=kind)
    np.testing.assert_allclose(values(results.params.to_numpy()), found.frame.iloc[:, 0], rtol=1e-8)
    jacobian = numerical_jacobian(values, results.params, 1e-5)
    expected = jacobian @ results.cov_params() @ jacobian.T
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.frame.iloc[:, 1] ** 2, np.diag(found.covariance))


@pytest.mark.parametrize("kind", ["pdp", "ale", "derivative"])
def test_the_baseline_is_the_linear_model(curved_results, kind):
    found = curved_results.effect_curve("x1", [-1.0, 0.0, 1.0], kind=kind).frame["baseline"]
    slope = curved_results.baseline.params["x1"]
    expected = [slope] * 3 if kind == "derivative" else [slope, slope]
    values = found if kind == "derivative" else np.diff(found)
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_simultaneous_bands(curved_results):
    curve = curved_results.effect_curve("x1", 20, simultaneous=True)
    frame = curve.frame
    width = frame["mean_band_upper"] - frame["mean"]
    np.testing.assert_allclose(width, curve.critical * frame["mean_se"])
    # wider than pointwise, narrower than Bonferroni's
    assert 1.96 < curve.critical < 3.03
    assert curved_results.effect_curve("x1", 20, simultaneous=True).critical == curve.critical
    other = curved_results.effect_curve("x1", 20, simultaneous=True, rng=1).critical
    assert other == pytest.approx(curve.critical, rel=0.03)
    wide = curved_results.effect_curve("x1", 20, 0.01, simultaneous=True).critical
    assert wide > curve.critical + 0.3
    assert "mean_band_lower" not in curved_results.effect_curve("x1", 20).frame
    student = curved_results.with_cov("nonrobust").effect_curve("x1", 20, simultaneous=True)
    assert student.critical > 1.98


def test_default_grids(curved_results, curved_frame):
    even = curved_results.effect_curve("x1").frame.index
    assert len(even) == 50
    quantiles = curved_results.effect_curve("x1", 5, kind="ale").frame.index
    shares = [0, 0.25, 0.5, 0.75, 1.0]
    expected = curved_frame["x1"].quantile(shares, interpolation="lower")
    np.testing.assert_allclose(quantiles, expected, atol=0.05)
    assert np.isin(quantiles, curved_frame["x1"]).all()


def test_local_effects_of_whole_numbers():
    """Quantiles of a count come twice, and what lies between two values has no rows."""
    g = np.random.default_rng(0)
    frame = pd.DataFrame({"k": g.poisson(4, 200)})
    frame["y"] = np.sqrt(frame["k"]) + 0.1 * g.standard_normal(200)
    results = ne.NeuralRegression.from_formula("y ~ k", frame, hidden=(2,)).fit(
        alpha=0.001, n_starts=2
    )
    found = results.effect_curve("k", kind="ale").frame
    assert np.isin(found.index, frame["k"]).all()
    changes = np.diff([results.predict(pd.DataFrame({"k": [k]})).iloc[0] for k in found.index])
    np.testing.assert_allclose(np.diff(found["ale"]), changes, rtol=1e-9)


MISTAKES = {
    "kind='tree' is not known": ("x1", {"kind": "tree"}),
    "'region' is a category, whose curve has a point": ("region", {"grid": [1.0, 2.0]}),
    "list of some of its levels: 'East', 'North', 'West'": ("region", {"grid": 3}),
    "'region' is a category: without an order": ("region", {"kind": "ale"}),
    "grid=1: give at least 2 points": ("x1", {"grid": 1}),
    "grid=True: give a number of points": ("x1", {"grid": True}),
    "grid='fine': give a number of points": ("x1", {"grid": "fine"}),
    r"grid=\[\]: give a number of points": ("x1", {"grid": []}),
    r"grid=\[0.0, nan\]: give a number": ("x1", {"grid": [0.0, np.nan]}),
    "must increase, but 1 is followed by 0": ("x1", {"grid": [1.0, 0.0]}),
    "must increase, but 1 is followed by 1": ("x1", {"grid": [1.0, 1.0]}),
    "at least 2 finite values of 'x1'": ("x1", {"grid": [1.0], "kind": "ale"}),
    "no observation has 'x1' between 0 and 1e-06": ("x1", {"grid": [0, 1e-6, 1], "kind": "ale"}),
    "'x9' is no regressor": ("x9", {}),
    "rng='dice': give a whole number": ("x1", {"simultaneous": True, "rng": "dice"}),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(curved_results, message):
    x, options = MISTAKES[message]
    with pytest.raises(SpecificationError, match=message):
        curved_results.effect_curve(x, **options)


def test_a_grid_beyond_the_sample_is_told(curved_results):
    with pytest.warns(DataWarning, match="the sample only from -2.398.* is extrapolated"):
        curved_results.effect_curve("x1", [0.0, 10.0])


@pytest.mark.parametrize("kind", ["pdp", "ale", "derivative"])
def test_figures(curved_results, kind):
    figure = curved_results.plot_effect(
        "x1", grid=8, kind=kind, simultaneous=True, ylabel="y, units"
    )
    assert figure.axes[0].get_ylabel() == "y, units"
    assert any("whole curve" in text.get_text() for text in figure.legends[0].get_texts())
    figure.canvas.draw()
