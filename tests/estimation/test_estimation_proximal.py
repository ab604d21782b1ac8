"""The proximal solver: oracles in the linear limit, exact zeros, certificates, selection."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import curve_fit
from sklearn.linear_model import ElasticNet as SkElasticNet

from nnecon.estimation.estimate import Solver, estimate
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import certificate
from nnecon.estimation.losses import Logistic, Poisson, PseudoHuber
from nnecon.estimation.path import Baselines, alpha_grid, find_live
from nnecon.estimation.penalties import ElasticNet, GroupLasso, Ridge, input_groups
from nnecon.estimation.problem import FAST, PATIENT, Chain, Objective
from nnecon.estimation.refinement import polish
from nnecon.estimation.solvers.proximal import proximal
from nnecon.estimation.sparse_path import trace_sparse_paths
from nnecon.exceptions import SpecificationError
from nnecon.nets import Custom, Dense

PROX = Solver("proximal Gauss-Newton", proximal, 1, smooth=False)


def _linear(params, row):
    return params[0] + row @ params[1:]


def _linear_setting(n=120, p=9, seed=0):
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, p)) @ (np.eye(p) + 0.4)
    y = 0.7 + x @ np.r_[1.5, -1.0, 0.5, np.zeros(p - 3)] + g.standard_normal(n)
    weights = g.integers(1, 4, n).astype(float)
    return x, y, weights, np.r_[0.0, np.ones(p)], Custom(_linear, p + 1, p)


def _solve(objective, weights, alpha, start=None):
    start = np.zeros(objective.network.n_params) if start is None else start
    return proximal(objective, [Chain.single(weights, start, alpha)], PATIENT, Monitor())[0]


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0])
def test_a_linear_network_is_scikit_learns_elastic_net(alpha, share):
    x, y, weights, penalised, network = _linear_setting()
    trace = _solve(Objective(network, x, y, ElasticNet(penalised, share)), weights, alpha)
    other = SkElasticNet(alpha=alpha, l1_ratio=share, tol=1e-14, max_iter=100_000)
    other.fit(x, y, sample_weight=weights)
    np.testing.assert_allclose(trace.params[0, 1:], other.coef_, atol=1e-8)
    np.testing.assert_allclose(trace.params[0, 0], other.intercept_, atol=1e-8)
    np.testing.assert_array_equal(trace.params[0, 1:] == 0, other.coef_ == 0)
    assert trace.certificate[0] < 1e-10


def test_orthonormal_groups_have_a_closed_form():
    g = np.random.default_rng(1)
    n = 60
    x = np.linalg.qr(g.standard_normal((n, 6)))[0] * np.sqrt(n)
    y = x @ np.r_[2.0, 1.0, 0.3, -0.2, 0.1, 0.0] + g.standard_normal(n)
    groups = tuple(np.array(at) for at in ([0, 1], [2, 3, 4], [5]))
    network = Custom(lambda params, row: row @ params, 6, 6)
    alpha = 0.3
    trace = _solve(Objective(network, x, y, GroupLasso(np.ones(6), 1.0, groups)), np.ones(n), alpha)
    expected = x.T @ y / n
    for group in groups:
        size = np.linalg.norm(expected[group])
        expected[group] *= max(0.0, 1.0 - alpha * np.sqrt(len(group)) / size)
    np.testing.assert_allclose(trace.params[0], expected, atol=1e-12)
    assert (trace.params[0][expected == 0] == 0).all() and (expected == 0).any()


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_linear_group_lasso_is_what_plain_proximal_gradient_finds(share):
    x, y, weights, penalised, network = _linear_setting()
    groups = (np.array([1, 2, 4]), np.array([3, 5]), np.array([6, 7, 8, 9]))
    penalty = GroupLasso(penalised, share, groups)
    alpha = 0.9
    trace = _solve(Objective(network, x, y, penalty), weights, alpha)
    design, w = np.column_stack([np.ones(len(x)), x]), weights / weights.sum()
    hessian = design.T @ (w[:, None] * design) + np.diag(alpha * penalty.ridge)
    right, step = design.T @ (w * y), 1.0 / np.linalg.eigvalsh(hessian)[-1]
    params = np.zeros(10)
    for _ in range(20_000):
        params = penalty.shrink(params - step * (hessian @ params - right), alpha * step)
    np.testing.assert_allclose(trace.params[0], params, atol=1e-10)
    np.testing.assert_array_equal(trace.params[0] == 0, params == 0)
    assert (params == 0).any()


def _network_setting(n=300, inputs=8, units=8, seed=0):
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, inputs))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * g.standard_normal(n)
    y = (y - y.mean()) / y.std()
    network = Dense(inputs + 1, inputs, (units,), "tanh")
    groups = input_groups(network, {f"x{j + 1}": [j] for j in range(inputs)}, range(inputs))
    starts = np.stack([network.init(g) for _ in range(8)])
    return network, np.column_stack([np.ones(n), x, x]), y, groups, starts


@pytest.fixture(scope="module")
def group_path():
    """The path of the group penalty on the whole sample."""
    network, rows, y, groups, starts = _network_setting(n=500)
    penalty = GroupLasso(network.neural.astype(float), 0.5, tuple(groups.values()))
    objective, weights = Objective(network, rows, y, penalty), np.ones((1, len(y)))
    classical = Baselines.solve(objective, weights)
    live = find_live(objective, weights[0], classical, starts, PROX).alpha
    alphas = alpha_grid(live, 2 * classical.loss[0], len(y), 12)
    paths = trace_sparse_paths(objective, weights, classical, alphas, starts, PROX)
    return objective, weights, groups, classical, paths, polish(objective, weights[0], paths, PROX)


def test_the_variables_that_matter_enter_first(group_path):
    *_, groups, _, _, solutions = group_path
    entered = []
    for solution in solutions:
        entered.append({n for n, at in groups.items() if (solution.params[at] != 0).any()})
    assert entered[0] == set()
    first = next(names for names in entered if names)
    assert first <= {"x1", "x2", "x3"}
    assert {"x1", "x2", "x3"} in entered
    assert len(entered[-1]) == 8


def test_solutions_of_the_path_are_certified_and_concave(group_path):
    objective, weights, _, classical, paths, solutions = group_path
    for solution in solutions:
        found = certificate(objective, solution.params, weights[0], solution.alpha)[2]
        assert found < 1e-6 and solution.converged
    value = paths.objective()[0]
    assert (value <= classical.loss[0] * (1 + 1e-12)).all()
    for at in range(len(value)):
        bound = paths.loss[0, at] + paths.alphas * paths.penalty[0, at]
        assert (value <= bound * (1 + 1e-3)).all()


def test_the_linear_part_is_not_shrunk(group_path):
    objective, weights, _, _, _, solutions = group_path
    residual_slope = []
    for solution in solutions:
        step = 1e-6 * np.eye(objective.network.n_params)[:9]
        loss = [
            certificate(objective, solution.params + sign * move, weights[0], 0.0)[0]
            for move in step
            for sign in (1, -1)
        ]
        residual_slope.append(np.abs(np.subtract(loss[::2], loss[1::2])).max() / 2e-6)
    assert max(residual_slope) < 1e-7


def test_larger_penalties_leave_fewer_weights():
    network, rows, y, _, starts = _network_setting(units=5)
    objective = Objective(network, rows, y, ElasticNet(network.neural.astype(float), 1.0))
    weights = np.ones(len(y))
    base = Baselines.solve(objective, weights[None]).params[0]
    alphas = np.geomspace(1e-3, 0.1, 12)
    chain = Chain(weights, base + starts[0], alphas, np.arange(-1, 11))
    trace = proximal(objective, [chain], PATIENT, Monitor())[0]
    counts = (trace.params[:, network.neural] != 0).sum(axis=1)
    assert (np.diff(counts) <= 0).mean() > 0.8 and counts[-1] == 0 < counts[0] < 55
    assert (np.diff(trace.penalty) <= 1e-9).all()
    assert trace.certificate.max() < 1e-6


@pytest.mark.parametrize("loss", [Logistic(), Poisson(), PseudoHuber(0.5)])
def test_any_loss(loss):
    network, rows, y, groups, starts = _network_setting(n=200, inputs=4, units=3)
    target = {"logistic": (y > 0).astype(float), "Poisson": np.floor(np.exp(y))}.get(loss.name, y)
    penalty = GroupLasso(network.neural.astype(float), 0.7, tuple(groups.values()))
    objective = Objective(network, rows, target, penalty, loss)
    weights = np.linspace(0.5, 2.0, len(y))
    trace = _solve(objective, weights, 0.01, 0.3 * starts[0])
    assert certificate(objective, trace.params[0], weights, 0.01)[2] < 1e-6
    heavy = _solve(objective, weights, 10.0, trace.params[0])
    assert all((heavy.params[0][at] == 0).all() for at in groups.values())


def test_smooth_penalties_work_too():
    network, rows, y, _, starts = _network_setting(n=200, inputs=3, units=2)
    objective = Objective(network, rows, y, Ridge(network.neural.astype(float)))
    trace = _solve(objective, np.ones(len(y)), 0.02, starts[0])
    assert certificate(objective, trace.params[0], np.ones(len(y)), 0.02)[2] < 1e-6
    assert (np.diff(trace.history) <= 1e-12).all()


def _decay(params, row):
    return params[0] + params[1] * jnp.exp(-params[2] * row[0])


def test_without_a_penalty_it_is_nonlinear_least_squares():
    g = np.random.default_rng(0)
    x = g.uniform(0, 3, 100)
    y = 1.0 + 2.0 * np.exp(-1.5 * x) + 0.1 * g.standard_normal(100)
    network = Custom(_decay, 3, 1)
    objective = Objective(network, x[:, None], y, ElasticNet(np.ones(3), 1.0))
    trace = _solve(objective, np.ones(100), 0.0, np.ones(3))
    other = curve_fit(lambda x, a, b, c: a + b * np.exp(-c * x), x, y, np.ones(3), xtol=1e-12)[0]
    np.testing.assert_allclose(trace.params[0], other, rtol=1e-6)
    assert certificate(objective, trace.params[0], np.ones(100), 0.0)[2] < 1e-6


def test_rows_of_weight_zero_do_not_count():
    network, rows, y, _, starts = _network_setting(n=120, inputs=3, units=2)
    penalty = ElasticNet(network.neural.astype(float), 0.5)
    weights = (np.arange(120) < 90).astype(float)
    one = _solve(Objective(network, rows, y, penalty), weights, 0.01, starts[0])
    other = _solve(Objective(network, rows[:90], y[:90], penalty), np.ones(90), 0.01, starts[0])
    np.testing.assert_allclose(one.params, other.params, atol=1e-8)


def test_a_solver_for_smooth_penalties_refuses_kinks():
    network, rows, y, _, starts = _network_setting(n=60, inputs=3, units=2)
    objective = Objective(network, rows, y, ElasticNet(network.neural.astype(float), 0.5))
    chain = Chain.single(np.ones(60), starts[0], 0.1)
    with pytest.raises(SpecificationError, match="prox"):
        estimate(objective, [chain], Solver("smooth", proximal, 1), FAST)


def test_asked_to_stop_it_stops():
    network, rows, y, _, starts = _network_setting(n=60, inputs=3, units=2)
    objective = Objective(network, rows, y, ElasticNet(network.neural.astype(float), 0.5))
    monitor = Monitor()
    monitor.stop()
    with pytest.raises(KeyboardInterrupt):
        proximal(objective, [Chain.single(np.ones(60), starts[0], 0.1)], FAST, monitor)
