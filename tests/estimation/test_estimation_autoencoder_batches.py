"""Mini-batches of autoencoders: sums over blocks, and steps along the gradient of the whole."""

from dataclasses import replace

import numpy as np
import pytest

from nnecon.estimation import autoencoder_batches
from nnecon.estimation.autoencoder_batches import (
    BatchTraining,
    best_output,
    check_training,
    evaluated,
)
from nnecon.estimation.autoencoding import PanelSample, autoencoder_kernels
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.solvers.minibatch import SampleTraining
from nnecon.estimation.training import SGD, Adam
from nnecon.exceptions import SpecificationError
from nnecon.nets.autoencoder import Autoencoder

ALPHA = 0.02


def drawn(missing, n=300, n_series=9, q=5):
    """Rows with unequal weights, some of them zero."""
    g = np.random.default_rng(3)
    target = g.standard_normal((n, n_series))
    weights = np.repeat(g.uniform(0.5, 2.0, (n, 1)), n_series, axis=1)
    weights[g.uniform(size=n) < 0.2] = 0.0
    if missing:
        weights[g.uniform(size=weights.shape) < 0.2] = 0.0
    target[weights == 0] = 0.0
    return PanelSample(g.standard_normal((n, q)), target, weights / weights.sum())


def started(tied=False):
    network = Autoencoder(5, 2, (4,), (4,), "tanh", tied=tied)
    g = np.random.default_rng(4)
    return network, network.init(g, np.linalg.qr(g.standard_normal((5, 2)))[0])


@pytest.mark.parametrize(("missing", "tied"), [(False, True), (True, False)])
def test_sums_over_blocks_are_those_of_all_rows(monkeypatch, missing, tied):
    monkeypatch.setattr(autoencoder_batches, "BLOCK", 64)
    sample, (network, start) = drawn(missing), started(tied)
    kernels = autoencoder_kernels(network)
    with double_precision():
        value, gradient = kernels.value_gradient(start, *sample.seen, ALPHA)
        output = kernels.output(start, *sample.seen, ALPHA)
    found = evaluated(network, sample, start, ALPHA)
    np.testing.assert_allclose(best_output(network, start, *sample.seen, ALPHA), output, atol=1e-9)
    assert found.value == pytest.approx(float(value), rel=1e-12)
    relative = np.max(np.abs(gradient) * np.maximum(np.abs(start), 1.0)) / float(value)
    assert found.certificate == pytest.approx(relative, rel=1e-6)


@pytest.mark.parametrize(
    ("missing", "tied", "copies"), [(False, True, 0), (True, False, 0), (False, False, 3)]
)
def test_a_step_on_all_rows_is_one_along_the_gradient_of_the_sample(missing, tied, copies):
    sample, (network, start) = drawn(missing), started(tied)
    if copies:
        noise = np.random.default_rng(5).standard_normal((copies, *sample.scores.shape))
        sample = replace(sample, corrupted=sample.scores + 0.5 * noise)
    rate = 0.05
    step = BatchTraining(SGD(learning_rate=rate, momentum=0.0, epochs=1, batch_size=900), 0, False)
    found = step(network, sample, start, ALPHA, Monitor())
    with double_precision():
        gradient = autoencoder_kernels(network).value_gradient(start, *sample.seen, ALPHA)[1]
    np.testing.assert_allclose((start - found.params) / rate, gradient, atol=2e-5)
    assert np.max(np.abs(gradient)) > 1e-3


def test_small_steps_on_batches_add_up_to_the_gradient():
    sample, (network, start) = drawn(True), started()
    rate, width = 1e-3, 32
    step = BatchTraining(
        SGD(learning_rate=rate, momentum=0.0, epochs=1, batch_size=width), 0, False
    )
    found = step(network, sample, start, ALPHA, Monitor())
    count = -(-int((sample.weights.max(axis=1) > 0).sum()) // width)
    with double_precision():
        gradient = autoencoder_kernels(network).value_gradient(start, *sample.seen, ALPHA)[1]
    mean = (start - found.params) / (rate * count)
    assert np.corrcoef(mean, gradient)[0, 1] > 0.995
    assert np.linalg.norm(mean) == pytest.approx(np.linalg.norm(gradient), rel=0.05)


def test_rows_held_out_are_the_last_ones_with_weight_and_are_not_trained_on(monkeypatch):
    courses = []

    class Watched(SampleTraining):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            courses.append(self)

    monkeypatch.setattr(autoencoder_batches, "SampleTraining", Watched)
    sample, (network, start) = drawn(True), started()
    options = SGD(epochs=2, batch_size=50, early_stopping=0.25)
    found = BatchTraining(options, 0, True)(network, sample, start, ALPHA, Monitor())
    assert "the hold-out loss was least" in found.note
    used = np.flatnonzero(sample.weights.max(axis=1) > 0)
    np.testing.assert_array_equal(courses[0].held, used[-round(0.25 * len(used)) :])
    np.testing.assert_array_equal(courses[0].rows, used[: -round(0.25 * len(used))])
    index, count = courses[0]._shuffle(np.random.default_rng(0))
    assert set(np.asarray(index)[:count].ravel()) - {-1} == set(courses[0].rows)


@pytest.mark.parametrize(
    "option",
    [{"dropout": 0.2}, {"batch_norm": True}, {"noise": 0.1}, {"augment": lambda x, key: x}],
)
def test_options_without_meaning_are_refused(option):
    with pytest.raises(SpecificationError, match=f"{next(iter(option))}=.*not made for autoencod"):
        check_training(Adam(**option))
