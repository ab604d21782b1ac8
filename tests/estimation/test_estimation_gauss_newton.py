"""The dual solution of the penalised Gauss-Newton system, and the steps built on it."""

import numpy as np
import pytest

from nnecon.estimation.estimate import SOLVERS, estimate, solve
from nnecon.estimation.gauss_newton import GaussNewton
from nnecon.estimation.kernels import certificate, double_precision, filled, kernels
from nnecon.estimation.local_model import Rows
from nnecon.estimation.losses import Squared
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import NEXT, Chain, Objective
from nnecon.estimation.rows import bucket
from nnecon.nets import Recurrent


@pytest.mark.parametrize(("n", "k", "free"), [(20, 50, 3), (20, 50, 0), (60, 50, 3), (9, 12, 4)])
def test_both_ways_solve_the_same_system(n, k, free):
    g = np.random.default_rng(0)
    jacobian = g.standard_normal((n, k))
    diagonal = np.concatenate([np.zeros(free), g.uniform(0.1, 1.0, k - free)])
    matrix = jacobian.T @ jacobian + np.diag(diagonal)
    found = GaussNewton(jacobian, diagonal)
    assert found.dual == (n < k - free)
    right = g.standard_normal((k, 2))
    np.testing.assert_allclose(found.solve(right), np.linalg.solve(matrix, right), atol=1e-9)
    np.testing.assert_allclose(found.solve(right[:, 0]), found.solve(right)[:, 0], atol=1e-12)
    hat = np.trace(jacobian @ np.linalg.solve(matrix, jacobian.T))
    assert found.trace_of_hat() == pytest.approx(hat, abs=1e-9)


def test_more_free_coefficients_than_rows_is_an_error():
    with pytest.raises(np.linalg.LinAlgError):
        GaussNewton(np.ones((3, 9)), np.r_[np.zeros(4), np.ones(5)])


@pytest.mark.parametrize("n", [40, 150])
def test_network_with_more_parameters_than_rows_is_solved_to_its_certificate(n):
    g = np.random.default_rng(1)
    net = Recurrent(2, 4, 2, (4,))
    assert 40 < net.n_params < 150
    periods = g.standard_normal((n, 4, 3))
    periods[:, :, -1] = 1.0
    inputs = np.column_stack([np.ones(n), g.standard_normal(n), periods.reshape(n, -1)])
    target = np.tanh(periods[:, -1, 0] + periods[:, -2, 1]) + 0.2 * g.standard_normal(n)
    objective = Objective(net, inputs, target, Ridge(net.penalised))
    chain = Chain.single(np.ones(n), net.init(np.random.default_rng(0)), 0.01)
    (solution,) = solve(objective, [chain], SOLVERS["lm"])
    assert solution.converged and solution.certificate < 1e-9
    # rows of weight zero, and how many rows there are to fill up, change nothing
    more = Objective(
        net, np.vstack([inputs, inputs[:7]]), np.r_[target, np.zeros(7)], objective.penalty
    )
    weights = np.r_[np.ones(n), np.zeros(7)]
    (again,) = solve(more, [Chain.single(weights, chain.start, 0.01)], SOLVERS["lm"])
    assert again.objective == pytest.approx(solution.objective, rel=1e-10)


def test_rows_in_single_precision_are_those_in_double():
    g = np.random.default_rng(0)
    net, count = Recurrent(2, 4, 2, (3,)), 70
    inputs = g.standard_normal((count, 2 + 4 * 3))
    params, vector, slope = net.init(g), g.standard_normal(net.n_params), g.standard_normal(count)
    kernel = kernels(net, Squared())
    full = filled(net, inputs)
    assert len(full) > count
    with double_precision():
        double, single = Rows(kernel, full, count), Rows(kernel, full.astype(np.float32), count)
        expected = np.asarray(kernel.bend(kernel.course(params, inputs, slope), vector))
        found = [rows.bend(rows.course(params, slope), vector) for rows in (double, single)]
        np.testing.assert_allclose(found[0], expected, rtol=1e-9)
        np.testing.assert_allclose(found[1], expected, atol=1e-4)
        for rows, close in ((double, 1e-12), (single, 1e-5)):
            fitted, state = rows.evaluate(params)
            jacobian = rows.jacobian(state)
            assert fitted.shape == (count,) and jacobian.shape == (count, net.n_params)
            assert fitted.dtype == jacobian.dtype == np.float64
            np.testing.assert_allclose(fitted, kernel.fitted(params, inputs), atol=close)
            np.testing.assert_allclose(jacobian, kernel.jacobian(params, inputs), atol=close)


def test_rough_solutions_are_near_the_exact_ones():
    g = np.random.default_rng(2)
    net, n = Recurrent(1, 4, 1, (3,)), 90
    periods = np.ones((n, 4, 2))
    periods[:, :, 0] = g.standard_normal((n, 4))
    inputs = np.column_stack([np.ones(n), periods.reshape(n, -1)])
    target = np.tanh(periods[:, -1, 0] * periods[:, -2, 0]) + 0.1 * g.standard_normal(n)
    objective = Objective(net, inputs, target, Ridge(net.penalised))
    start = solve(objective, [Chain.single(np.ones(n), net.init(g), 0.01)], SOLVERS["lm"])[0]
    chain = Chain.single(np.ones(n), start.params, 0.01)
    (rough,) = estimate(objective, [chain], SOLVERS["lm"], NEXT)
    # the loss is computed in double precision, where the parameters came from single
    assert rough.loss[0] + 0.01 * rough.penalty[0] == pytest.approx(start.objective, rel=1e-6)
    loss = certificate(objective, rough.params[0], np.ones(n), 0.01)[0]
    assert rough.loss[0] == pytest.approx(loss, rel=1e-13)


def test_buckets_hold_their_rows_and_are_few():
    sizes = [bucket(n) for n in range(1, 3000)]
    assert all(size >= n for n, size in enumerate(sizes, 1))
    assert all(size <= n + max(64, n // 8) for n, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 35
