"""The path: the best of several minima at each penalty, from the classical model down."""

import numpy as np
import pytest

from nnecon.estimation.estimate import SOLVERS, certify, estimate
from nnecon.estimation.path import (
    Baselines,
    alpha_grid,
    find_live,
    join_network,
)
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Chain, Objective
from nnecon.estimation.refinement import TRIAL, connect, polish
from nnecon.estimation.smooth_path import trace_paths
from nnecon.nets import Dense

LM = SOLVERS["lm"]


@pytest.fixture(scope="module")
def setting():
    """A bent target, two weight vectors, a path of twelve penalties."""
    g = np.random.default_rng(3)
    n = 90
    x = g.standard_normal((n, 2))
    y = np.sin(2 * x[:, 0]) - 0.3 * x[:, 1] + 0.4 * g.standard_normal(n)
    y = (y - y.mean()) / y.std()
    network = Dense(3, 2, (4,), "tanh")
    inputs = np.column_stack([np.ones(n), x, x])
    objective = Objective(network, inputs, y, Ridge(network.neural.astype(float)))
    weights = np.stack([np.ones(n), np.arange(n) % 5 != 0]).astype(float)
    starts = np.stack([network.init(g) for _ in range(4)])
    classical = Baselines.solve(objective, weights)
    found = find_live(objective, weights[0], classical, starts, LM)
    live = found.alpha
    alphas = alpha_grid(live, 2 * classical.loss[0], n, 12)
    paths = trace_paths(objective, weights, classical, alphas, starts, LM)
    paths = join_network(objective, weights, classical, paths, found, LM)
    return objective, weights, starts, classical, live, alphas, paths


def test_baselines_are_least_squares(setting):
    objective, weights, _, classical, *_ = setting
    for w, params, loss in zip(weights, classical.params, classical.loss, strict=True):
        root = np.sqrt(w)
        linear = objective.inputs[:, :3] * root[:, None]
        expected = np.linalg.lstsq(linear, objective.target * root)[0]
        np.testing.assert_allclose(params[:3], expected, rtol=1e-10)
        assert (params[3:] == 0).all()
        residual = objective.target - objective.inputs[:, :3] @ expected
        assert loss == pytest.approx(0.5 * np.average(residual**2, weights=w))


def test_the_best_start_alone_finds_nearly_the_same_live_penalty(setting):
    objective, weights, starts, classical, live, *_ = setting
    found = find_live(objective, weights[0], classical, starts, LM, again=False)
    assert 0.5 * live < found.alpha < 1.1 * live


def test_above_the_live_penalty_nothing_beats_the_classical_model(setting):
    objective, weights, starts, classical, live, *_ = setting
    many = np.concatenate([starts, 2 * starts, 0.3 * starts])
    above = trace_paths(
        objective, weights[:1], Baselines(classical.params[:1], classical.loss[:1]),
        np.array([1.5 * live, 1.1 * live]), many, LM,
    )  # fmt: skip
    assert (above.penalty == 0).all()
    np.testing.assert_array_equal(above.params[0, 0], classical.params[0])
    np.testing.assert_array_equal(above.loss[0], classical.loss[0])


def test_below_the_live_penalty_the_path_leaves_the_classical_model(setting):
    _, _, _, classical, live, alphas, paths = setting
    below = alphas < 0.999 * live
    assert (paths.penalty[0, below] > 0).all()
    assert (paths.objective()[0, below] < classical.loss[0]).all()


def test_grid_descends_from_just_above_the_live_penalty(setting):
    *_, live, alphas, _ = setting
    assert (np.diff(alphas) < 0).all() and len(alphas) == 12
    assert live < alphas[0] < 1.2 * live
    steps = alphas[:-1] / alphas[1:]
    assert (np.diff(steps) > 0).all(), "finest where the network leaves zero"


def test_least_objective_is_concave_and_increasing_in_the_penalty(setting):
    *_, alphas, paths = setting
    for objective, penalty in zip(paths.objective(), paths.penalty, strict=True):
        assert (np.diff(objective) <= 1e-8).all(), "lower penalty, lower objective"
        assert (np.diff(penalty) >= -1e-6 * penalty[1:]).all(), "lower penalty, larger weights"
        chords = np.diff(objective) / np.diff(alphas)
        assert (np.diff(chords) >= -1e-5 * np.abs(chords[1:])).all()


def test_polished_solutions_are_certified(setting):
    objective, weights, _, classical, _, alphas, paths = setting
    solutions = polish(objective, weights[0], paths, LM)
    for solution, alpha, rough in zip(solutions, alphas, paths.objective()[0], strict=True):
        assert solution.converged and solution.certificate < 1e-8
        assert solution.alpha == alpha
        assert solution.objective <= rough * (1 + 1e-12)
        assert solution.objective <= classical.loss[0] * (1 + 1e-12)


def with_classical(setting):
    """Solutions from the classical model down."""
    objective, weights, _, classical, _, _, paths = setting
    chain = Chain.single(weights[0], classical.params[0], np.inf)
    first = certify(objective, chain.start, chain, "weighted least squares", 1)
    return [first, *polish(objective, weights[0], paths, LM)]


def test_connected_solutions_are_the_continuations_of_their_neighbours_or_better(setting):
    objective, weights, *_ = setting
    solutions, jumps = connect(objective, weights[0], with_classical(setting), LM)
    assert all(solution.converged for solution in solutions)
    for at in range(1, len(solutions)):
        for source in (at - 1, at + 1):
            if source == len(solutions):
                continue
            chain = Chain.single(weights[0], solutions[source].params, solutions[at].alpha)
            [trace] = estimate(objective, [chain], LM, TRIAL)
            continued = trace.loss[0] + solutions[at].alpha * trace.penalty[0]
            assert solutions[at].objective <= continued * (1 + 1e-7)
            if source < at:
                assert jumps[at] == (continued > solutions[at].objective * (1 + 1e-6))
    live = [solution.penalty > 0 for solution in solutions].index(True)
    assert jumps[live], "leaving the zero network is a switch: it is a local minimum"
    assert not jumps[:live].any()


def test_connecting_repairs_a_path_that_got_stuck(setting):
    """A worse minimum in the middle is replaced by the continuation of its neighbours."""
    objective, weights, *_ = setting
    good, _ = connect(objective, weights[0], with_classical(setting), LM)
    middle = len(good) - 3
    stuck = Chain.single(weights[0], good[0].params, good[middle].alpha)
    zero = certify(objective, stuck.start, stuck, "lm", 1)
    assert zero.converged and zero.objective > good[middle].objective
    worse = [*good[:middle], zero, *good[middle + 1 :]]
    repaired, _ = connect(objective, weights[0], worse, LM)
    for one, other in zip(repaired, good, strict=True):
        assert one.objective <= other.objective * (1 + 1e-7)


def test_a_constant_path_has_no_switch(setting):
    objective, weights, *_ = setting
    solutions = with_classical(setting)
    _, jumps = connect(objective, weights[0], [solutions[0], *[solutions[-1]] * 3], LM)
    assert not jumps[2:].any()
