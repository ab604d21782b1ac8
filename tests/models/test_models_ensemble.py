"""Ensembles: means of networks, with the spread between starts in errors and intervals."""

import helpers
import numpy as np
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError

FORMULA = "y ~ x1 + x2 + C(region)"
FIT = {"alpha": 0.002, "alphas": 8, "n_starts": 6}


@pytest.fixture(scope="module")
def frame():
    return helpers.cross_section(n=80)


@pytest.fixture(scope="module")
def model(frame):
    return ne.NeuralRegression.from_formula(FORMULA, frame, hidden=(3,))


@pytest.fixture(scope="module")
def single(model):
    return model.fit(**FIT)


@pytest.fixture(scope="module")
def results(model):
    fit = model.fit(**FIT, ensemble=4)
    # otherwise there is no spread to test
    assert np.ptp(fit.members["objective"]) > 1e-4
    return fit


def members(results):
    """Every network as results of its own."""
    parts = results.params.to_numpy().reshape(results.n_networks, -1)
    return [results.model.results_at(one, results.alpha, cov_type="HC1") for one in parts]


def test_the_first_member_is_the_estimate_of_the_path(single, results):
    k = len(single.params)
    np.testing.assert_array_equal(results.params.iloc[:k], single.params)
    assert results.params.index[:k].tolist() == [f"net1.{name}" for name in single.params.index]
    assert results.members["objective"].is_monotonic_increasing
    assert results.members["objective"].iloc[0] == pytest.approx(single.solution.objective)


def test_every_member_is_certified(results):
    assert results.converged
    assert results.solution.certificate == pytest.approx(results.members["certificate"].max())
    assert "All 4 networks converged" in results.solution.status


def test_predictions_and_effects_are_means(frame, results):
    own, new = members(results), frame.head(7)
    expected = np.mean([one.predict(new) for one in own], axis=0)
    np.testing.assert_allclose(results.predict(new), expected, rtol=1e-10)
    np.testing.assert_allclose(results.get_prediction(new).predicted_mean, expected, rtol=1e-10)
    effects = np.mean([one.get_margeff(debias=False).margeff for one in own], axis=0)
    np.testing.assert_allclose(results.get_margeff(debias=False).margeff, effects, rtol=1e-8)
    curves = np.mean([one.effect_curve("x1", 5).frame["mean"] for one in own], axis=0)
    np.testing.assert_allclose(results.effect_curve("x1", 5).frame["mean"], curves, rtol=1e-10)
    assert results.edf == pytest.approx(np.mean([one.edf for one in own]))


def test_errors_hold_the_spread_between_members(frame, results):
    own, new = members(results), frame.head(7)
    found = results.get_prediction(new)
    spread = np.std([one.predict(new) for one in own], axis=0, ddof=1) / 2.0
    np.testing.assert_allclose(found.se_starts, spread, rtol=1e-8)
    effects = results.get_margeff(debias=False)
    own_effects = [one.get_margeff(debias=False).margeff for one in own]
    np.testing.assert_allclose(
        effects.se_starts, np.std(own_effects, axis=0, ddof=1) / 2.0, rtol=1e-8
    )
    gradient, matrix = effects.gradient, results.covariance.matrix
    sampling = np.einsum("ij,jk,ik->i", gradient, matrix, gradient)
    np.testing.assert_allclose(effects.margeff_se**2, sampling + effects.se_starts**2)
    curve = results.effect_curve("x1", 5).frame
    assert (curve["mean_se"] > 0).all()
    frame = found.summary_frame()
    width = (frame["mean_ci_upper"] - frame["mean_ci_lower"]) / 2
    assert (width > 1.95 * found.se_starts).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("nonrobust", {}),
        ("HC0", {}),
        ("HC3", {}),
        ("HAC", {"maxlags": 2}),
        ("cluster", {"groups": "firm"}),
    ],
)
def test_every_covariance(single, results, kind, options):
    found = results.with_cov(kind, **options)
    errors = (
        found.get_margeff(debias=False).margeff_se
        / single.with_cov(kind, **options).get_margeff(debias=False).margeff_se
    )
    assert errors.between(0.5, 2.0).all()
    assert found.cov_params().shape == (len(results.params),) * 2
    assert np.isfinite(found.bse).all()


def test_one_network_is_no_ensemble(model, single):
    one = model.fit(**FIT, ensemble=1)
    np.testing.assert_array_equal(one.params, single.params)
    np.testing.assert_array_equal(one.bse, single.bse)
    assert one.n_networks == len(one.members) == 1
    assert (one.get_prediction().se_starts == 0).all()
    assert (one.get_margeff(debias=False).se_starts == 0).all()


def test_the_model_predicts_from_the_stacked_parameters(model, frame, results):
    new = frame.head(5)
    np.testing.assert_allclose(model.predict(results.params, new), results.predict(new))


def test_saved_and_read_again(tmp_path, frame, results):
    results.save(tmp_path / "ensemble.nnecon")
    read = ne.load(tmp_path / "ensemble.nnecon")
    np.testing.assert_array_equal(read.params, results.params)
    new = frame.head(5)
    np.testing.assert_allclose(
        read.get_prediction(new).summary_frame(), results.get_prediction(new).summary_frame()
    )
    assert str(read.summary()) == str(results.summary())


def test_the_summary_says_it(results):
    text = str(results.summary())
    assert "mean of 4 networks, rng=0" in text
    assert "the best of 6 starts" in text.replace("\n    ", " ")


def test_where_the_network_is_zero_the_mean_is_the_classical_model(model, frame):
    for fit in (
        model.fit(alpha=np.inf, ensemble=4),
        model.fit(alpha=9.0, alphas=[9.0], ensemble=4),
    ):
        assert fit.n_networks == 1
        np.testing.assert_allclose(fit.fittedvalues, fit.baseline.fittedvalues)
    linear = ne.NeuralRegression.from_formula(FORMULA, frame, hidden=()).fit(ensemble=4)
    np.testing.assert_allclose(linear.params, linear.baseline.params)


def test_a_function_of_ones_own_has_one_start(frame):
    model = ne.NeuralRegression(
        frame["y"], frame[["x1"]], network=lambda b, x: b[0] + b[1] * x[0], start_params=[0.0, 0.0]
    )
    with pytest.raises(SpecificationError, match="start_params; leave ensemble at 1"):
        model.fit(ensemble=2)


def test_sparse_members(model):
    fit = model.fit(alpha=0.003, alphas=6, n_starts=4, ensemble=3, L1_wt=1.0)
    assert fit.converged
    assert fit.n_networks == 3
    assert np.isfinite(fit.get_margeff(debias=False).margeff_se).all()


@pytest.mark.slow
def test_means_of_more_networks_vary_less(model, frame):
    """Over random starts; at a small penalty starts end in different minima."""
    new, alphas = frame.head(20), [0.01, 1e-3, 1e-4]

    def predictions(size, rng):
        fit = model.fit(alpha=1e-4, alphas=alphas, n_starts=size, ensemble=size, rng=rng)
        return fit.predict(new).to_numpy()

    variance = {
        size: np.var([predictions(size, rng) for rng in range(12)], axis=0, ddof=1).mean()
        for size in (1, 6)
    }
    assert variance[6] < 0.5 * variance[1]
