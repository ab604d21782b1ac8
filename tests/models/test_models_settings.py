"""Arguments of fit: what each changes, and what is said about wrong ones."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError


@pytest.fixture
def model(curved_frame):
    return ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(3,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"L1_wt": 1.5}, "L1_wt"),
        ({"L1_wt": -0.1}, "L1_wt"),
        ({"group_inputs": True}, "L1_wt a value up to 1"),
        ({"alpha": "evidence", "L1_wt": 0.5}, "defined for squared penalties"),
        ({"alpha": "aic"}, "alpha='aic'.*'cv'.*'evidence'"),
        ({"n_starts": 0}, "n_starts=0"),
        ({"ensemble": 0}, "ensemble=0"),
        ({"ensemble": 9}, "ensemble=9 averages the best of n_starts=8"),
        ({"method": 3}, r"method=3: .*ne\.Adam"),
        ({"method": "newton"}, "method='newton' is not known"),
        ({"method": "lm", "L1_wt": 0.5}, "needs a differentiable penalty.*method='prox'"),
        ({"method": "adam", "L1_wt": 0.5, "alpha": 0.1}, "adam|differentiable"),
        ({"executor": 4}, "executor=4: pass a concurrent.futures.Executor"),
        ({"checkpoint": 4}, "checkpoint=4"),
        ({"rng": "x"}, "rng='x'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_arguments_are_named(model, arguments, message):
    with pytest.raises(SpecificationError, match=message):
        model.fit(**{"alphas": 3, "n_starts": 8, **arguments})


def test_executor_and_checkpoint_change_no_number(model, tmp_path):
    plain = model.fit(alphas=5, n_starts=3)
    with ThreadPoolExecutor(2) as pool:
        elsewhere = model.fit(alphas=5, n_starts=3, executor=pool)
    first = model.fit(alphas=5, n_starts=3, checkpoint=tmp_path)
    written = sorted(tmp_path.iterdir())
    again = model.fit(alphas=5, n_starts=3, checkpoint=tmp_path)
    assert written and sorted(tmp_path.iterdir()) == written
    for fit in (elsewhere, first, again):
        np.testing.assert_array_equal(fit.params, plain.params)
        np.testing.assert_array_equal(fit.path.params, plain.path.params)
        np.testing.assert_array_equal(fit.cv.scores, plain.cv.scores)


def test_absolute_values_set_weights_to_zero(model):
    ridge = model.fit(alpha=0.01, alphas=6, n_starts=4)
    lasso = model.fit(alpha=0.01, alphas=6, n_starts=4, L1_wt=1.0)
    neural = model.network.neural
    assert (lasso.solution.params[neural] == 0).sum() > (ridge.solution.params[neural] == 0).sum()
    assert lasso.converged, lasso.solution.status
    assert lasso.solution.method == "proximal Gauss-Newton"
    assert np.isfinite(lasso.get_margeff().margeff_se).all()


def test_a_given_penalty_is_reported_as_given(model):
    fit = model.fit(alpha=0.01, alphas=4, n_starts=2, L1_wt=0.5, group_inputs=True)
    assert fit.alpha == 0.01
    assert fit.estimate.facts["L1_wt"] == 0.5 and fit.estimate.facts["group_inputs"] is True


def test_small_biases_bear_little_of_the_penalty(model):
    weights = model.network.penalised
    layer = model.network.layers[0]
    assert (weights[: model.network.n_linear] == 0).all()
    assert (weights[layer.bias] == 0.01).all() and (weights[layer.weights] == 1).all()


def test_evidence_chooses_without_folds_and_survives_saving(model, tmp_path):
    fit = model.fit("evidence", alphas=8, n_starts=4)
    evidence = fit.path.log_evidence
    assert fit.alpha == fit.path.alphas[evidence.argmax()]
    assert fit.path.cv_mean is None
    assert re.search(r"Chosen by: +evidence", str(fit.summary()))
    fit.save(tmp_path / "fit.nnecon")
    np.testing.assert_array_equal(ne.load(tmp_path / "fit.nnecon").path.log_evidence, evidence)
    with pytest.raises(SpecificationError, match="mini-batches only come near"):
        model.fit("evidence", method="adam")


@pytest.mark.parametrize(
    "cv",
    [ne.BlockedFolds(3, gap=2), ne.ExpandingFolds(3, gap=1), ne.StratifiedFolds(3, by="region")],
)
def test_splitters_of_our_own(model, cv):
    fit = model.fit(alphas=3, n_starts=2, cv=cv)
    assert len(fit.cv.folds) == 3
    baseline = model.fit(alphas=3, n_starts=3, cv=cv)
    np.testing.assert_array_equal(fit.cv.baseline_scores, baseline.cv.baseline_scores)
