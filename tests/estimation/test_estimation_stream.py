"""Training on blocks of rows: as in memory, and in memory that does not grow."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from nnecon.estimation.estimate import estimate
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import certificate, double_precision, kernels, shares
from nnecon.estimation.losses import Squared
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import Chain, Objective
from nnecon.estimation.rows import Rows
from nnecon.estimation.solvers.minibatch import solver_for
from nnecon.estimation.solvers.stream import fit_stream
from nnecon.estimation.training import SGD, Adam
from nnecon.exceptions import DataError, SpecificationError
from nnecon.nets import Custom, Dense

STEP = SGD(learning_rate=0.1, momentum=0.0, epochs=1, batch_size=10_000)


def problem(n=1000):
    """Rows in order of their first input, so that a block says little about the others."""
    g = np.random.default_rng(0)
    x = g.standard_normal((n, 2))
    x = x[np.argsort(x[:, 0])]
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + 0.2 * g.standard_normal(n)
    network = Dense(3, 2, (6,), "tanh")
    inputs = np.column_stack([np.ones(n), x, x])
    objective = Objective(network, inputs, y, Ridge(network.neural.astype(float)))
    return objective, g.uniform(0.5, 3.0, n) * (g.random(n) > 0.2), network.init(g)


def _by_number(params, row):
    return params[row[0].astype(int)]


class Blocks(Sequence):
    """Blocks that can be read by number."""

    def __init__(self, objective, weights, sizes):
        self.objective, self.weights = objective, weights
        self.ends = np.cumsum([0, *sizes])

    def __len__(self):
        return len(self.ends) - 1

    def __getitem__(self, number):
        if not 0 <= number < len(self):
            raise IndexError(number)
        rows = slice(self.ends[number], self.ends[number + 1])
        return self.objective.inputs[rows], self.objective.target[rows], self.weights[rows]


SIZES = [300, 1, 250, 149, 300]


def stream(objective, weights, start, training, alpha=0.0, known=True, **options):
    read = Blocks(objective, weights, SIZES)
    blocks = (lambda: read) if known else (lambda: iter(list(read)))
    return fit_stream(
        objective.network,
        blocks,
        objective.penalty,
        objective.loss,
        alpha,
        training,
        start,
        options.pop("monitor", Monitor()),
        **options,
    )


def gradient(objective, weights, params):
    with double_precision():
        kernel = kernels(objective.network, objective.loss).value_gradient
        return np.asarray(kernel(params, objective.inputs, objective.target, shares(weights))[1])


def test_one_batch_is_a_gradient_step():
    objective, weights, start = problem()
    trace = stream(objective, weights, start, STEP, alpha=0.3)
    slope = gradient(objective, weights, start) + 0.3 * objective.penalty.ridge * start
    np.testing.assert_allclose(trace.params[0], start - 0.1 * slope, atol=2e-6)
    found = trace.loss[0], trace.penalty[0], trace.certificate[0]
    direct = certificate(objective, trace.params[0], weights, 0.3)
    assert found == pytest.approx(direct, rel=1e-9)
    assert trace.note == "Ran 1 epoch." and trace.iterations.tolist() == [1]


@pytest.mark.parametrize("buffer", [1, 97, 500, 10_000])
@pytest.mark.parametrize("known", [True, False], ids=["by number", "in order"])
def test_an_epoch_uses_every_row_once(buffer, known):
    """A parameter a row: each moves once, by what its own row asks for."""
    g = np.random.default_rng(0)
    weights = g.uniform(0.5, 3.0, 1000) * (np.arange(1000) % 5 > 0)
    network = Custom(_by_number, 1000, 1)
    inputs, target = np.arange(1000.0)[:, None], g.standard_normal(1000)
    objective = Objective(network, inputs, target, Ridge(np.zeros(1000)))
    training = replace(STEP, batch_size=20)
    trace = stream(objective, weights, np.zeros(1000), training, known=known, buffer=buffer)
    expected = 0.1 * weights / weights[weights > 0].mean() * target / 20
    np.testing.assert_allclose(trace.params[0], expected, rtol=1e-5)


def test_a_stream_ends_where_the_data_in_memory_end():
    objective, weights, start = problem()
    training = Adam(learning_rate=0.02, epochs=60, batch_size=50, schedule="cosine")
    [memory] = estimate(objective, [Chain.single(weights, start, 1e-3)], solver_for(training))
    for known in (True, False):
        trace = stream(objective, weights, start, training, 1e-3, known, buffer=200)
        assert trace.loss[0] == pytest.approx(memory.loss[0], rel=0.1)
    assert memory.loss[0] < 0.05
    again = stream(objective, weights, start, training, 1e-3, known, buffer=200)
    np.testing.assert_array_equal(again.params, trace.params)
    other = stream(objective, weights, start, training, 1e-3, known, buffer=200, rng=1)
    assert np.abs(other.params - trace.params).max() > 1e-6
    assert memory.iterations[0] == len(trace.history) == 60


@pytest.mark.parametrize("blocked", [True, False])
def test_rows_held_out(blocked):
    objective, weights, start = problem()
    training = replace(STEP, early_stopping=0.2)
    trace = stream(objective, weights, start, training, blocked=blocked)
    used = np.flatnonzero(weights)
    held = used[len(used) - round(0.2 * len(used)) :]
    kept = weights.copy()
    kept[held] = 0.0
    step = start - 0.1 * gradient(objective, kept, start)
    assert (np.abs(trace.params[0] - step).max() < 1e-5) == blocked
    part = Objective(
        objective.network, objective.inputs[held], objective.target[held], objective.penalty
    )
    on_last = certificate(part, trace.params[0], weights[held], 0.0)[0]
    assert (abs(trace.history[0] / on_last - 1) < 1e-5) == blocked
    slow = replace(STEP, epochs=60, learning_rate=2.0, early_stopping=0.2, patience=3, clip=1.0)
    stopped = stream(objective, weights, start, slow, blocked=blocked)
    assert stopped.note.startswith("Stopped early after")
    best = int(stopped.history.argmin()) + 1 if stopped.history.min() else 0
    assert len(stopped.history) <= best + 3


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_blocks():
    network = Dense(1, 20, (4,), "relu")
    start = network.init(np.random.default_rng(0))
    training = Adam(epochs=1, batch_size=1024, early_stopping=0.2)

    def peak(count):
        def blocks():
            for number in range(count):
                g = np.random.default_rng(number)
                x = np.column_stack([np.ones(5000), g.standard_normal((5000, 20))])
                yield x, x[:, 1], np.ones(5000)

        tracemalloc.start()
        fit_stream(
            network,
            blocks,
            Ridge(network.neural.astype(float)),
            Squared(),
            0.0,
            training,
            start,
            Monitor(),
            buffer=8192,
        )
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(3)
    few, many = peak(4), peak(40)
    assert many < 1.3 * few
    # forty blocks take 33 megabytes
    assert many < 12e6


def test_blocks_may_hold_equal_columns_once():
    objective, weights, start = problem()
    compact = Objective(
        objective.network, Rows.of(objective.inputs), objective.target, objective.penalty
    )
    training = Adam(epochs=2, batch_size=50)
    np.testing.assert_allclose(
        stream(compact, weights, start, training).params,
        stream(objective, weights, start, training).params,
        atol=1e-6,
    )


def test_progress_and_leaving():
    objective, weights, start = problem()
    calls = []
    monitor = Monitor(1, lambda done, total: calls.append(done))
    stream(objective, weights, start, replace(STEP, epochs=2), monitor=monitor, buffer=1)
    assert calls == sorted(calls) and calls[-1] == pytest.approx(1.0)
    monitor.stop()
    with pytest.raises(KeyboardInterrupt):
        stream(objective, weights, start, STEP, monitor=monitor)


def test_blocks_that_cannot_be_used_are_named():
    objective, weights, start = problem()
    with pytest.raises(DataError, match="no row with a positive weight"):
        stream(objective, 0 * weights, start, STEP)
    read = list(Blocks(objective, weights, SIZES))
    read[2] = (read[2][0], read[2][1][:-1], read[2][2])
    arguments = objective.loss, 0.0, STEP, start, Monitor()
    with pytest.raises(DataError, match="Block 2 has 250 rows of inputs, 249 of the target"):
        fit_stream(objective.network, lambda: read, objective.penalty, *arguments)
    lasso = ElasticNet(objective.penalised, 0.5)
    with pytest.raises(SpecificationError, match="SGD needs a differentiable penalty"):
        fit_stream(objective.network, lambda: read, lasso, *arguments)
