"""Mini-batch steps by hand, and what each option of Adam and SGD does to the estimate."""

import pickle
import re
import threading
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize

from nnecon.estimation import blockwise
from nnecon.estimation.estimate import estimate, solve
from nnecon.estimation.execution import Execution, Monitor, fingerprint
from nnecon.estimation.kernels import certificate, double_precision, fitted, kernels, shares
from nnecon.estimation.losses import Logistic, Poisson
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import FAST, Chain, Objective
from nnecon.estimation.rows import Rows, equal_columns
from nnecon.estimation.solvers.minibatch import Minibatch, solver_for
from nnecon.estimation.solvers.minibatch_steps import batches
from nnecon.estimation.training import SGD, Adam
from nnecon.exceptions import ConvergenceError, SpecificationError
from nnecon.nets import Custom, Dense

STEP = SGD(learning_rate=0.1, momentum=0.0, epochs=1, batch_size=10_000)
"""One gradient step on the whole sample."""


def problem(n=120, hidden=(4,), seed=0, activation="tanh"):
    """Linear part and network on the same two inputs; weights that differ, some of them zero."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2))
    y = np.tanh(2 * x[:, 0]) - 0.3 * x[:, 1] + 0.2 * g.standard_normal(n)
    network = Dense(3, 2, hidden, activation)
    inputs = np.column_stack([np.ones(n), x, x])
    objective = Objective(network, inputs, y, Ridge(network.neural.astype(float)))
    start = network.init(g)
    start[:3] = g.standard_normal(3)
    return objective, g.uniform(0.5, 3.0, n) * (g.random(n) > 0.2), start


def network_only(x, y, hidden=(8,), activation="tanh", seed=1):
    """A network with a constant and no linear part."""
    network = Dense(1, x.shape[1], hidden, activation)
    objective = Objective(
        network, np.column_stack([np.ones(len(x)), x]), y, Ridge(network.neural.astype(float))
    )
    return objective, network.init(np.random.default_rng(seed))


def train(objective, weights, start, training, alpha=0.0, rng=0, blocked=False):
    solver = solver_for(training, rng=rng, blocked=blocked)
    [trace] = estimate(objective, [Chain.single(weights, start, alpha)], solver)
    return trace


def gradient(objective, weights, params, alpha=0.0):
    with double_precision():
        kernel = kernels(objective.network, objective.loss).value_gradient
        _, found = kernel(params, objective.inputs, objective.target, shares(weights))
        return np.asarray(found) + alpha * objective.penalty.ridge * params


def least_objective(objective, weights, start, alpha):
    """Where SciPy gets from ``start``."""

    def value(params):
        loss, penalty, _ = certificate(objective, params, weights, alpha)
        return loss + alpha * penalty

    found = minimize(value, start, jac=lambda at: gradient(objective, weights, at, alpha))
    return found.fun


def mean_loss(objective, params, rows=slice(None)):
    error = fitted(objective.network, params, objective.inputs[rows]) - objective.target[rows]
    return 0.5 * np.mean(error**2)


# -- steps by hand --------------------------------------------------------------------------------


def test_one_batch_is_a_gradient_step_on_the_weighted_objective():
    objective, weights, start = problem()
    trace = train(objective, weights, start, STEP, alpha=0.3)
    expected = start - 0.1 * gradient(objective, weights, start, 0.3)
    np.testing.assert_allclose(trace.params[0], expected, atol=2e-6)
    assert trace.params.dtype == np.float64 and trace.note == "Ran 1 epoch."
    loss, penalty, _ = certificate(objective, start, weights, 0.3)
    assert trace.history == pytest.approx([loss + 0.3 * penalty], rel=1e-5)
    found = trace.loss[0], trace.penalty[0], trace.certificate[0]
    assert found == pytest.approx(certificate(objective, trace.params[0], weights, 0.3), rel=1e-9)


def test_batches_together_have_the_gradient_of_the_sample():
    """Steps too small to move leave the mean of the batches' gradients."""
    objective, weights, start = problem(n=400)
    weights[np.flatnonzero(weights)[: np.count_nonzero(weights) % 20]] = 0.0
    rate = 1e-3
    trace = train(objective, weights, start, replace(STEP, learning_rate=rate, batch_size=20), 0.1)
    count = np.count_nonzero(weights) / 20
    found = (start - trace.params[0]) / (rate * count)
    expected = gradient(objective, weights, start, 0.1)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize(("n", "width"), [(10, 4), (9, 3), (1, 5), (1025, 1024), (7, 1), (50, 7)])
def test_batches_have_every_row_once_and_equal_sizes(n, width):
    numbers = np.random.default_rng(0).permutation(3 * n)[:n]
    index, count = batches(numbers, width, -(-3 * n // width))
    assert index.shape == (-(-3 * n // width), width)
    assert sorted(index[index >= 0]) == sorted(numbers)
    sizes = (index >= 0).sum(axis=1)
    assert not sizes[count:].any() and count == -(-n // width)
    assert sizes[:count].max() - sizes[:count].min() <= 1


def test_momentum_schedule_clip_and_decay_by_hand():
    objective, weights, start = problem()
    two = replace(STEP, epochs=2)

    def by_hand(momentum=0.0, nesterov=False, factors=(1.0, 1.0), decay=0.0, clip=np.inf):
        at, direction = start.copy(), 0.0
        for factor in factors:
            slope = gradient(objective, weights, at)
            slope = slope * min(1.0, clip / np.linalg.norm(slope))
            direction = slope + momentum * direction
            step = slope + momentum * direction if nesterov else direction
            at = at - 0.1 * factor * (step + decay * objective.penalised * at)
        return at

    cases = [
        (two, by_hand()),
        (replace(two, momentum=0.7, schedule="cosine"), by_hand(0.7, factors=(1.0, 0.5))),
        (
            replace(two, momentum=0.7, nesterov=True, schedule="exponential", clip=0.01),
            by_hand(0.7, True, (1.0, 0.1), clip=0.01),
        ),
        (
            replace(two, schedule=lambda step: 0.3**step, warmup=1.5, weight_decay=0.5),
            by_hand(factors=(2 / 3, 0.3), decay=0.5),
        ),
        (replace(two, schedule=optax.linear_schedule(1.0, 0.0, 4)), by_hand(factors=(1.0, 0.75))),
    ]
    for training, expected in cases:
        found = train(objective, weights, start, training).params[0]
        np.testing.assert_allclose(found, expected, atol=3e-6, err_msg=repr(training))
    # the cases differ by more than rounding
    assert min(np.abs(cases[0][1] - other).max() for _, other in cases[1:]) > 1e-3


def test_adam_by_hand():
    objective, weights, start = problem()
    training = Adam(learning_rate=0.01, epochs=3, batch_size=10_000, b1=0.8, b2=0.95)
    at, mean, square = start.copy(), 0.0, 0.0
    for step in range(1, 4):
        slope = gradient(objective, weights, at, 0.1)
        mean, square = 0.8 * mean + 0.2 * slope, 0.95 * square + 0.05 * slope**2
        spread = np.sqrt(square / (1 - 0.95**step)) + 1e-8
        at = at - 0.01 * mean / (1 - 0.8**step) / spread
    found = train(objective, weights, start, training, 0.1).params[0]
    np.testing.assert_allclose(found, at, atol=1e-5)


def test_chains_go_on_from_where_they_are_told():
    objective, weights, start = problem()
    chain = Chain(weights, start, np.array([0.3, 0.1, 0.2]), np.array([-1, 0, 0]))
    [trace] = estimate(objective, [chain], solver_for(STEP))
    for position, (alpha, after) in enumerate([(0.3, None), (0.1, 0), (0.2, 0)]):
        before = start if after is None else trace.params[after]
        expected = before - 0.1 * gradient(objective, weights, before, alpha)
        np.testing.assert_allclose(trace.params[position], expected, atol=3e-6)
    assert trace.iterations.tolist() == [1, 1, 1]


def test_shared_parameters_add_their_gradients():
    """A function that uses a weight twice moves it by the sum of what both uses ask for."""
    g = np.random.default_rng(0)
    x = g.standard_normal((80, 2))
    y = np.tanh(x.sum(axis=1)) + 0.1 * g.standard_normal(80)

    def shared(p, row):
        return p[0] * jnp.tanh(p[1] * row[0]) + p[0] * jnp.tanh(p[1] * row[1])

    def apart(p, row):
        return p[0] * jnp.tanh(p[1] * row[0]) + p[2] * jnp.tanh(p[3] * row[1])

    one = Objective(Custom(shared, 2, 2), x, y, Ridge(np.zeros(2)))
    two = Objective(Custom(apart, 4, 2), x, y, Ridge(np.zeros(4)))
    start = np.array([0.4, 0.7])
    own = (train(one, np.ones(80), start, STEP).params[0] - start).tolist()
    both = train(two, np.ones(80), np.r_[start, start], STEP).params[0] - np.r_[start, start]
    assert own == pytest.approx(both[:2] + both[2:], abs=2e-6)
    assert np.abs(own).min() > 1e-3
    far = train(one, np.ones(80), start, Adam(learning_rate=0.02, epochs=200)).params[0]
    assert mean_loss(one, far) < 1.05 * mean_loss(one, np.ones(2))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_other_losses_come_near_the_minimum(loss):
    objective, weights, start = problem()
    g = np.random.default_rng(1)
    mean = np.exp(0.5 * objective.target)
    target = g.poisson(mean) if isinstance(loss, Poisson) else g.random(120) < mean / (1 + mean)
    objective = replace_loss(objective, target.astype(float), loss)
    chain = Chain.single(weights, start, 0.01)
    training = Adam(learning_rate=0.05, epochs=400, batch_size=32, schedule="cosine")
    [solution] = solve(objective, [chain], solver_for(training))
    exact = least_objective(objective, weights, solution.params, 0.01)
    assert solution.objective == pytest.approx(exact, rel=1e-2)
    assert solution.method == "Adam" and solution.iterations == 400
    assert solution.status.startswith("Ran 400 epochs. Relative gradient norm")


def replace_loss(objective, target, loss):
    return Objective(objective.network, objective.inputs, target, objective.penalty, loss)


# -- rows, weights, random numbers ----------------------------------------------------------------


def test_rows_without_weight_are_never_seen():
    objective, weights, start = problem()
    training = Adam(epochs=3, batch_size=16, dropout=0.2, early_stopping=0.3)
    first = train(objective, weights, start, training)
    broken = objective.target.copy()
    broken[weights == 0] = 1e9
    other = Objective(objective.network, objective.inputs, broken, objective.penalty)
    np.testing.assert_array_equal(train(other, weights, start, training).params, first.params)
    # a power of two changes no digit
    np.testing.assert_array_equal(
        train(objective, 4 * weights, start, training).params, first.params
    )


def test_the_same_seed_gives_the_same_numbers_whoever_computes_them():
    objective, weights, start = problem()
    training = Adam(
        epochs=4, batch_size=16, dropout=0.3, noise=0.1, early_stopping=0.2, batch_norm=True
    )
    chains = [Chain.single(weights, start * (1 + k), 0.01) for k in range(5)]
    solver = solver_for(training, rng=3)
    one = estimate(objective, chains, solver, execution=Execution(threads=1))
    two = estimate(objective, chains, solver, execution=Execution(threads=2))
    back = estimate(objective, chains[::-1], solver)[::-1]
    sent = pickle.loads(pickle.dumps(solver.run))
    with jax.enable_x64(True):
        alone = sent(objective, [chains[2]], FAST, Monitor())
        assert jax.config.jax_enable_x64
    for k in range(5):
        np.testing.assert_array_equal(one[k].params, two[k].params)
        np.testing.assert_array_equal(one[k].params, back[k].params)
        np.testing.assert_array_equal(one[k].history, two[k].history)
    np.testing.assert_array_equal(one[2].params, alone[0].params)
    assert not jax.config.jax_enable_x64
    other = estimate(objective, chains[:1], solver_for(training, rng=4))
    assert np.abs(other[0].params - one[0].params).max() > 1e-4


def test_fingerprints_know_every_option():
    plain = Minibatch(Adam(augment=_mirror))
    others = [
        Minibatch(Adam(augment=_mirror, learning_rate=0.1)),
        Minibatch(Adam(augment=_mirror), rng=1),
        Minibatch(Adam(augment=_mirror), blocked=True),
        Minibatch(Adam(augment=lambda inputs, key: inputs)),
        Minibatch(SGD(augment=_mirror)),
    ]
    known = {fingerprint(solver) for solver in [plain, *others]}
    assert len(known) == 6
    assert fingerprint(pickle.loads(pickle.dumps(plain))) == fingerprint(plain)


def test_nothing_is_compiled_again_for_other_penalties_rows_and_seeds():
    traces = []

    def function(p, row):
        traces.append(threading.get_ident())
        return p[0] + jnp.tanh(row @ p[1:])

    g = np.random.default_rng(0)
    x = g.standard_normal((100, 2))
    objective = Objective(Custom(function, 3, 2), x, x[:, 0], Ridge(np.ones(3)))
    training = Adam(epochs=2, batch_size=16, early_stopping=0.2)
    start = g.standard_normal(3)
    train(objective, np.ones(100), start, training, alpha=0.1)
    before = len(traces)
    assert before > 0
    fold = (np.arange(100) % 3 > 0).astype(float)
    other = replace(training, learning_rate=0.01, epochs=5, patience=2, early_stopping=0.4)
    train(objective, fold, start + 1, other, alpha=0.7, rng=5)
    assert len(traces) == before


def test_columns_that_are_the_same_are_kept_once():
    g = np.random.default_rng(0)
    x = g.standard_normal((100, 3))
    full = np.column_stack([np.ones(100), x, x[:, [0, 2]]])
    rows = Rows.of(full, float)
    assert rows.base.ctypes.data % 64 == 0
    assert rows.base.shape == (100, 4) and rows.columns.tolist() == [0, 1, 2, 3, 1, 3]
    np.testing.assert_array_equal(np.asarray(rows), full)
    np.testing.assert_array_equal(rows[5:9], full[5:9])
    np.testing.assert_array_equal(rows[7], full[7])
    # alike in the first block alone
    later = full.copy()
    later[0, 4] += 1.0
    _, columns = equal_columns([full, later])
    assert columns.tolist() == [0, 1, 2, 3, 4, 3]
    objective, weights, start = problem()
    compact = Objective(
        objective.network, Rows.of(objective.inputs), objective.target, objective.penalty
    )
    training = Adam(epochs=2, batch_size=16)
    np.testing.assert_array_equal(
        train(compact, weights, start, training).params,
        train(objective, weights, start, training).params,
    )


@pytest.mark.parametrize("width", [7, 50, 200])
def test_certificate_from_blocks_equals_the_one_from_all_rows(width):
    objective, weights, start = problem()
    parts = [slice(0, 50), slice(50, 53), slice(53, 120)]
    blocks = [(objective.inputs[p], objective.target[p], weights[p]) for p in parts]
    found = blockwise.certificate(
        objective.network, objective.loss, objective.penalty, blocks, 120, start, 0.2, width
    )
    assert found == pytest.approx(certificate(objective, start, weights, 0.2), rel=1e-10)


def test_certificate_of_many_rows_is_near_that_of_all(monkeypatch):
    objective, weights, start = problem(n=20_000)
    blocks = [(Rows.of(objective.inputs), objective.target, weights)]
    arguments = objective.network, objective.loss, objective.penalty, blocks, 20_000, start, 0.2
    exact = certificate(objective, start, weights, 0.2)
    monkeypatch.setattr(blockwise, "DOUBLE", 5000)
    monkeypatch.setattr(blockwise, "SCALED_BY", 2000)
    loss, penalty, relative = blockwise.certificate(*arguments)
    assert (loss, penalty) == pytest.approx(exact[:2], rel=1e-5)
    assert relative == pytest.approx(exact[2], abs=0.03)


# -- what the options do --------------------------------------------------------------------------


def test_weight_decay_shrinks_the_neural_part_alone():
    objective, weights, start = problem()
    training = Adam(learning_rate=0.01, epochs=60, batch_size=32)
    neural = objective.network.neural
    free = train(objective, weights, start, training).params[0]
    decayed = train(objective, weights, start, replace(training, weight_decay=2.0)).params[0]
    assert np.linalg.norm(decayed[neural]) < 0.6 * np.linalg.norm(free[neural])
    heavy = train(objective, weights, start, replace(training, weight_decay=50.0)).params[0]
    root = np.sqrt(weights)[:, None]
    linear = np.linalg.lstsq(
        root * objective.inputs[:, :3], root[:, 0] * objective.target, rcond=None
    )[0]
    assert np.linalg.norm(heavy[neural]) < 0.1
    # the classical part goes to least squares
    longer = replace(training, weight_decay=50.0, epochs=300)
    found = train(objective, weights, start, longer).params[0]
    np.testing.assert_allclose(found[:3], linear, atol=0.1)


def test_noise_on_the_inputs_of_a_linear_network_is_a_ridge():
    g = np.random.default_rng(0)
    x = g.standard_normal((2000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1.0]])
    y = x @ [0.8, -0.4, 0.3] + 0.3 * g.standard_normal(2000)
    objective, start = network_only(x, y, hidden=(2,), activation="linear")
    training = Adam(
        learning_rate=0.02, epochs=60, batch_size=64, noise=0.7, schedule="cosine", b2=0.99
    )
    params = train(objective, np.ones(2000), start, training).params[0]
    found = params[1:7].reshape(2, 3).T @ params[-2:]
    centred = x - x.mean(axis=0)
    moments = centred.T @ centred / 2000
    cross = centred.T @ (y - y.mean()) / 2000
    ridge = np.linalg.solve(moments + 0.49 * np.eye(3), cross)
    np.testing.assert_allclose(found, ridge, atol=0.02)
    assert np.abs(np.linalg.solve(moments, cross) - ridge).max() > 0.1


def _mirror(inputs, key):
    signs = jax.random.rademacher(key, (len(inputs), 1), dtype=inputs.dtype)
    return inputs * signs


def _mirror_both(inputs, target, key):
    signs = jax.random.rademacher(key, (len(inputs),), dtype=inputs.dtype)
    return inputs * signs[:, None], target * signs


def test_augmentation_makes_the_function_symmetric():
    """The linear part, which sees the same input, follows."""
    g = np.random.default_rng(0)
    x = g.standard_normal(600)
    y = x + x**2 - 1 + 0.1 * g.standard_normal(600)
    network = Dense(2, 1, (6,), "tanh")
    objective = Objective(
        network, np.column_stack([np.ones(600), x, x]), y, Ridge(network.neural.astype(float))
    )
    training = Adam(learning_rate=0.02, epochs=80, batch_size=50, schedule="cosine")
    grid = np.linspace(-1.5, 1.5, 13)
    rows = np.column_stack([np.ones(13), grid, grid])

    def curve(augment):
        chosen = replace(training, augment=augment)
        start = network.init(np.random.default_rng(0))
        return fitted(network, train(objective, np.ones(600), start, chosen).params[0], rows)

    free, even, odd = curve(None), curve(_mirror), curve(_mirror_both)
    assert np.abs(free - (grid + grid**2 - 1)).max() < 0.3
    assert np.abs(even - (grid**2 - 1)).max() < 0.3
    assert np.abs(odd - grid).max() < 0.3
    with pytest.raises(SpecificationError, match="has to return the same shapes"):
        curve(lambda inputs, key: inputs[:, 0])


def test_a_function_without_linear_columns_is_augmented_too():
    """Of a line through mirrored inputs the slope is zero."""
    x = np.random.default_rng(0).standard_normal((600, 1))
    network = Custom(lambda params, row: params[0] + params[1] * row[0], 2, 1)
    objective = Objective(network, x, 1.0 + 2.0 * x[:, 0], Ridge(np.zeros(2)))
    training = Adam(learning_rate=0.05, epochs=40, batch_size=50, schedule="cosine")
    for augment, slope in ((None, 2.0), (_mirror, 0.0)):
        chosen = replace(training, augment=augment)
        found = train(objective, np.ones(600), np.zeros(2), chosen).params[0]
        assert found[1] == pytest.approx(slope, abs=0.1)


def overfitting(seed):
    """Forty rows, ten inputs of which two matter, and a test sample."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((1040, 10))
    y = x[:, 0] + 0.5 * x[:, 1] + 0.7 * g.standard_normal(1040)
    objective, start = network_only(x, y, hidden=(30,), activation="relu", seed=seed)
    weights = (np.arange(1040) < 40).astype(float)
    return objective, weights, start


@pytest.mark.slow
def test_dropout_helps_where_the_network_overfits():
    """Lower test errors, and no unit on which the fit rests."""
    training = Adam(learning_rate=0.01, epochs=300, batch_size=40)
    errors, reliance = [], []
    for seed in range(2):
        objective, weights, start = overfitting(seed)
        for rate in (0.0, 0.5):
            params = train(objective, weights, start, replace(training, dropout=rate)).params[0]
            errors.append(mean_loss(objective, params, slice(40, None)))
            layer = objective.network.layers[0]
            into = objective.inputs[:, 1:] @ params[layer.weights].reshape(30, 10).T
            parts = np.maximum(into + params[layer.bias], 0) * params[-30:]
            reliance.append(parts.var(axis=0).max() / parts.sum(axis=1).var())
    errors, reliance = np.reshape(errors, (2, 2)), np.reshape(reliance, (2, 2))
    assert (errors[:, 1] < 0.9 * errors[:, 0]).all()
    assert reliance[:, 1].mean() < reliance[:, 0].mean()


def test_early_stopping_keeps_the_best_and_says_when():
    objective, weights, start = overfitting(0)
    training = Adam(learning_rate=0.01, epochs=300, batch_size=40)
    full = train(objective, weights, start, training)
    stopped = train(objective, weights, start, replace(training, early_stopping=True, patience=15))
    best = int(stopped.history.argmin()) + 1
    ran = len(stopped.history)
    assert ran == best + 15 == stopped.iterations[0] < 300
    assert stopped.note == (
        f"Stopped early after {ran} epochs: the hold-out loss was least after epoch {best}."
    )
    assert np.linalg.norm(stopped.params[0] - start) < np.linalg.norm(full.params[0] - start)
    test = slice(40, None)
    assert mean_loss(objective, stopped.params[0], test) < mean_loss(
        objective, full.params[0], test
    )
    # nothing better than the start is found with steps that are far too long
    near = stopped.params[0]
    wild = replace(training, learning_rate=5.0, early_stopping=0.3, patience=4)
    stayed = train(objective, weights, near, wild)
    np.testing.assert_allclose(stayed.params[0], near, atol=1e-6)
    assert stayed.note == "Stopped early after 4 epochs: the hold-out loss was least at the start."
    enough = train(objective, weights, start, replace(training, epochs=3, early_stopping=0.3))
    assert enough.note == "Ran 3 epochs: the hold-out loss was least after epoch 3."


@pytest.mark.parametrize("blocked", [True, False])
def test_series_hold_out_their_last_rows_and_cross_sections_random_ones(blocked):
    objective, weights, start = problem(n=200)
    training = replace(STEP, early_stopping=0.25)
    trace = train(objective, weights, start, training, blocked=blocked)
    used = np.flatnonzero(weights)
    held = used[len(used) - round(0.25 * len(used)) :]
    last = Objective(
        objective.network, objective.inputs[held], objective.target[held], objective.penalty
    )
    on_last = certificate(last, trace.params[0], weights[held], 0.0)[0]
    assert (abs(trace.history[0] / on_last - 1) < 1e-5) == blocked
    kept = weights.copy()
    kept[held] = 0.0
    step = start - 0.1 * gradient(objective, kept, start)
    assert (np.abs(trace.params[0] - step).max() < 1e-5) == blocked


def test_batch_normalisation_trains_where_units_are_saturated():
    g = np.random.default_rng(0)
    x = g.standard_normal((500, 4))
    y = np.sin(x[:, 0]) + x[:, 1]
    objective, start = network_only(x, y, hidden=(8, 8))
    layers = objective.network.layers
    for layer in layers:
        start[layer.weights] *= 30.0
    training = Adam(learning_rate=0.02, epochs=40, batch_size=100, schedule="cosine")
    plain = train(objective, np.ones(500), start, training)
    normal = train(objective, np.ones(500), start, replace(training, batch_norm=True))
    assert normal.loss[0] < 0.3 * plain.loss[0]
    # what is returned, with the moments folded in, is what was trained
    assert normal.params.shape == plain.params.shape
    assert normal.loss[0] == pytest.approx(normal.history[-1], rel=0.2)
    assert normal.loss[0] == pytest.approx(mean_loss(objective, normal.params[0]), rel=1e-6)


@pytest.mark.slow
def test_batch_normalisation_of_the_whole_sample_solves_the_same_problem():
    """Scales are parameters only on the way: the penalty is that of the folded network."""
    objective, weights, start = problem()
    training = Adam(
        learning_rate=0.02, epochs=800, batch_size=200, batch_norm=True, schedule="cosine"
    )
    trace = train(objective, weights, start, training, alpha=0.02)
    found = trace.loss[0] + 0.02 * trace.penalty[0]
    exact = least_objective(objective, weights, trace.params[0], 0.02)
    assert found == pytest.approx(exact, rel=2e-3)
    # a later problem of a chain goes on with its scales
    chain = Chain(weights, start, np.array([0.02, 0.02]), np.array([-1, 0]))
    [trace] = estimate(objective, [chain], solver_for(replace(training, epochs=200)))
    assert trace.loss[1] + 0.02 * trace.penalty[1] <= trace.loss[0] + 0.02 * trace.penalty[0]


# -- progress, errors -----------------------------------------------------------------------------


def test_progress_moves_within_a_fit_and_ends_at_one():
    objective, weights, start = problem()
    chain = Chain(weights, start, np.array([0.1, 0.2]), np.array([-1, 0]))
    calls = []
    execution = Execution(progress=lambda done, total: calls.append(done))
    estimate(objective, [chain], solver_for(replace(STEP, epochs=5)), execution=execution)
    assert len(calls) >= 10 and calls == sorted(calls) and calls[-1] == pytest.approx(1.0)
    # early stopping leaves out epochs, and the bar jumps
    calls.clear()
    wild = replace(STEP, epochs=50, learning_rate=50.0, early_stopping=0.3, patience=2, clip=1.0)
    estimate(objective, [chain], solver_for(wild), execution=execution)
    assert calls[-1] == pytest.approx(1.0) and len(calls) < 50


def test_training_leaves_when_asked_to():
    objective, weights, start = problem()
    monitor = Monitor()
    monitor.stop()
    with pytest.raises(KeyboardInterrupt):
        Minibatch(STEP)(objective, [Chain.single(weights, start, 0.0)], FAST, monitor)


def test_divergence_is_an_error_that_says_what_to_change():
    objective, weights, start = problem(activation="linear")
    training = replace(STEP, learning_rate=100.0, epochs=200)
    with pytest.raises(
        ConvergenceError, match=r"SGD diverged in epoch \d+.*learning_rate=100.*clip=1.0"
    ):
        train(objective, weights, start, training)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0}, "learning_rate=0: pass a number over 0"),
        ({"learning_rate": "fast"}, "learning_rate='fast'"),
        ({"batch_size": 0}, "batch_size=0: pass a whole number"),
        ({"epochs": 2.5}, "epochs=2.5: pass a whole number"),
        ({"patience": True}, "patience=True"),
        ({"schedule": "linear"}, "schedule='linear': choose one of 'constant', 'cosine'"),
        ({"warmup": 100}, "warmup=100.0 is a number of epochs and has to be under epochs=100"),
        ({"weight_decay": -1}, "weight_decay=-1: pass a number of at least 0"),
        ({"dropout": 1.0}, "dropout=1.0: pass the share"),
        ({"dropout": (0.1, -0.1)}, r"dropout=\(0.1, -0.1\)"),
        ({"batch_norm": "yes"}, "batch_norm='yes': pass True or False"),
        ({"noise": float("nan")}, "noise=nan: pass a number of at least 0"),
        ({"augment": 3}, r"augment=3: pass a function augment\(inputs, key\)"),
        ({"augment": lambda inputs: inputs}, "augment=<function"),
        ({"early_stopping": 1.5}, "early_stopping=1.5: pass the share of rows"),
        ({"clip": 0}, "clip=0: pass a number over 0"),
        ({"b1": 1.0}, "b1=1.0: pass a number of at least 0 and under 1"),
        ({"b2": -0.1}, "b2=-0.1"),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", str(value)),
)
def test_options_are_checked(options, message):
    with pytest.raises(SpecificationError, match=message):
        Adam(**options)


def test_options_of_sgd_are_checked():
    with pytest.raises(SpecificationError, match=r"momentum=1\.5: pass a number"):
        SGD(momentum=1.5)
    with pytest.raises(SpecificationError, match="nesterov=True needs momentum"):
        SGD(momentum=0.0, nesterov=True)
    with pytest.raises(SpecificationError, match="nesterov=1: pass True or False"):
        SGD(nesterov=1)


def test_what_a_network_or_a_penalty_cannot_have_is_refused():
    objective, weights, start = problem()
    linear = Objective(
        Dense(3, 0, (), "tanh"), objective.inputs[:, :3], objective.target, Ridge(np.zeros(3))
    )
    with pytest.raises(SpecificationError, match=r"there are none with hidden=\(\)"):
        train(linear, weights, np.zeros(3), replace(STEP, noise=0.1))
    own = Objective(
        Custom(lambda p, row: p @ row, 5, 5), objective.inputs, objective.target, Ridge(np.zeros(5))
    )
    with pytest.raises(SpecificationError, match="this network is a function"):
        train(own, weights, np.zeros(5), replace(STEP, batch_norm=True))
    with pytest.raises(SpecificationError, match="has 2 shares, and the network has 1 hidden"):
        train(objective, weights, start, replace(STEP, dropout=(0.1, 0.2)))
    with pytest.raises(SpecificationError, match=r"holds out all of the 1 rows"):
        train(objective, np.eye(120)[0], start, replace(STEP, early_stopping=0.5))
    lasso = Objective(
        objective.network,
        objective.inputs,
        objective.target,
        ElasticNet(objective.penalised, 0.5),
    )
    with pytest.raises(SpecificationError, match="SGD needs a differentiable penalty"):
        train(lasso, weights, start, STEP)
