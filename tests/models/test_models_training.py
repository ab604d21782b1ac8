"""Fits by mini-batches: what they say about themselves, and what they estimate."""

import helpers
import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import ConvergenceWarning, SpecificationError

FORMULA = "y ~ x1 + x2 + C(region)"
ADAM = ne.Adam(epochs=60, learning_rate=0.01, batch_size=32)


@pytest.fixture(scope="module")
def model():
    frame = helpers.cross_section()
    return ne.NeuralRegression.from_formula(FORMULA, frame, hidden=(3,))


@pytest.fixture(scope="module")
def trained(model):
    return model.fit(alpha=0.005, method=ADAM, n_starts=3)


def test_it_comes_near_the_exact_estimate(model, trained):
    exact = model.fit(alpha=0.005, alphas=8, n_starts=3)
    baseline = exact.baseline.ssr
    assert trained.ssr < exact.ssr + 0.2 * (baseline - exact.ssr)
    assert trained.solution.objective > exact.solution.objective


def test_it_says_what_it_is(trained):
    text = " ".join(str(trained.summary()).split())
    assert not trained.converged
    assert "no (mini-batches)" in text
    assert "Ran 60 epochs." in text
    assert "ends near a minimum, not at one" in text
    assert trained.solution.method == "Adam"
    assert len(trained.solution.history) == 60


def test_a_given_penalty_is_trained_alone(trained):
    np.testing.assert_array_equal(trained.path.alphas, [np.inf, 0.005])
    starts = trained.path.starts
    assert starts["start"].tolist() == [1, 2, 3]
    assert trained.path.n_followed == trained.path.n_starts == 3
    assert trained.solution.objective == pytest.approx(starts["objective"].min())


def test_same_seed_same_numbers_and_starts_do_not_depend_on_the_grid(model, trained):
    again = model.fit(alpha=0.005, method=ADAM, n_starts=3, alphas=[0.05, 0.0005])
    np.testing.assert_array_equal(again.params, trained.params)
    assert len(again.path.alphas) == 4


def test_cross_validation_chooses_the_penalty(model):
    fit = model.fit(alpha="cv", alphas=3, method=ADAM, n_starts=2, cv=3)
    assert fit.alpha in fit.path.alphas
    assert fit.cv.scores.shape == (3, 4)
    assert fit.path.cv_mean.min() < fit.path.cv_mean[0]


def test_early_stopping_of_a_weighted_time_series():
    frame = helpers.cross_section()
    frame.index = pd.period_range("1980Q1", periods=len(frame), freq="Q")
    training = ne.Adam(epochs=80, learning_rate=0.02, batch_size=32, early_stopping=0.2)
    model = ne.NeuralRegression.from_formula(FORMULA, frame, hidden=(3,), weights="w")
    fit = model.fit(alpha=0.001, method=training, n_starts=2)
    assert model.is_time_series
    assert fit.cov_type == "HAC"
    assert "hold-out loss was least after epoch" in fit.solution.status
    assert fit.rsquared > fit.baseline.rsquared


def test_an_ensemble_of_trained_networks(model, trained, tmp_path):
    fit = model.fit(alpha=0.005, method=ADAM, n_starts=3, ensemble=3)
    np.testing.assert_array_equal(fit.params.iloc[: len(trained.params)], trained.params)
    np.testing.assert_allclose(
        fit.members["objective"], np.sort(trained.path.starts["objective"]), rtol=1e-9
    )
    assert "networks have not converged, the worst: Ran 60 epochs." in fit.solution.status
    fit.save(tmp_path / "trained.nnecon")
    read = ne.load(tmp_path / "trained.nnecon")
    assert str(read.summary()) == str(fit.summary())


def test_training_that_finds_nothing_says_so(model):
    slow = ne.SGD(epochs=1, learning_rate=1e-6)
    with pytest.warns(ConvergenceWarning, match="No training ended .* larger learning_rate"):
        fit = model.fit(alpha=0.0, method=slow, n_starts=1)
    np.testing.assert_allclose(fit.fittedvalues, fit.baseline.fittedvalues)
    assert np.isfinite(fit.get_margeff().margeff_se).all()


def test_sparse_penalties_need_another_method(model):
    with pytest.raises(SpecificationError, match="use method='prox'"):
        model.fit(alpha=0.01, L1_wt=0.5, method=ADAM)
