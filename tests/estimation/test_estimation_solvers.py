"""Solvers by their certificates: what they reach, and what they claim."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

from nnecon.estimation.estimate import (
    SOLVERS,
    certify,
    choose_solver,
    estimate,
    solve,
)
from nnecon.estimation.execution import Execution
from nnecon.estimation.kernels import CERTIFIED, certificate, fitted
from nnecon.estimation.losses import Logistic, Poisson, PseudoHuber
from nnecon.estimation.path import Baselines
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import FAST, Chain, Objective, Options
from nnecon.exceptions import SpecificationError
from nnecon.nets import Custom, Dense

LM, LBFGS = SOLVERS["lm"], SOLVERS["lbfgs"]


def problem(hidden=(3,), activation="tanh", n=60, seed=0):
    """Standardised inputs and a bent target; weights that differ; a few starts."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2))
    y = np.tanh(2 * x[:, 0]) - 0.3 * x[:, 1] + 0.2 * g.standard_normal(n)
    network = Dense(3, 2 if hidden else 0, hidden, activation)
    inputs = np.column_stack([np.ones(n), x, x] if hidden else [np.ones(n), x])
    objective = Objective(
        network, inputs, (y - y.mean()) / y.std(), Ridge(network.neural.astype(float))
    )
    starts = [network.init(np.random.default_rng(k)) for k in range(3)]
    return objective, g.uniform(0.5, 2.0, n), starts


@pytest.mark.parametrize("activation", ["tanh", "logistic", "softplus", "gelu", "linear"])
@pytest.mark.parametrize("hidden", [(3,), (2, 2)], ids=str)
def test_smooth_networks_reach_a_certified_minimum(hidden, activation):
    objective, weights, starts = problem(hidden, activation)
    for solution in solve(objective, [Chain.single(weights, s, 0.01) for s in starts], LM):
        assert solution.converged, solution.status
        assert solution.certificate < CERTIFIED
        direct = certificate(objective, solution.params, weights, 0.01)
        assert (solution.loss, solution.penalty, solution.certificate) == direct
        assert solution.objective == pytest.approx(solution.loss + 0.01 * solution.penalty)
        residual = fitted(objective.network, solution.params, objective.inputs) - objective.target
        assert solution.loss == pytest.approx(0.5 * np.average(residual**2, weights=weights))


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_kinked_networks_claim_convergence_only_with_a_certificate(activation):
    objective, weights, starts = problem((4,), activation)
    solutions = solve(
        objective,
        [Chain.single(weights, s, a) for s in starts for a in (1e-3, 0.02)],
        LM,
        Options(1e-11, 1e-22, 200, 200),
    )
    for solution in solutions:
        direct = certificate(objective, solution.params, weights, solution.alpha)[2]
        assert solution.converged == (direct < CERTIFIED)
        assert solution.status.startswith("Converged" if solution.converged else "Did not")
        start = certificate(objective, starts[0], weights, solution.alpha)
        assert solution.objective < start[0] + solution.alpha * start[1]


@pytest.mark.parametrize("alpha", [0.003, 0.02, 0.1])
def test_both_solvers_find_the_same_minimum(alpha):
    objective, weights, starts = problem()
    chains = [Chain.single(weights, s, alpha) for s in starts]
    first = solve(objective, chains, LM)
    # the same basin: L-BFGS starts near the solution of the other
    g = np.random.default_rng(0)
    near = [s.params + 0.02 * g.standard_normal(len(s.params)) for s in first]
    second = solve(objective, [Chain.single(weights, s, alpha) for s in near], LBFGS)
    for one, other in zip(first, second, strict=True):
        assert other.certificate < 1e-5
        assert other.objective == pytest.approx(one.objective, rel=1e-7)
    # from the random starts they may end in different minima, but each ends in one
    assert max(s.certificate for s in solve(objective, chains, LBFGS)) < 1e-5


def test_nonlinear_least_squares_equal_scipy():
    g = np.random.default_rng(4)
    x = g.uniform(0, 3, (40, 1))
    y = 2 * np.exp(-1.3 * x[:, 0]) + 0.05 * g.standard_normal(40)
    network = Custom(lambda b, x: b[0] * jnp.exp(b[1] * x[0]), 2, 1)
    objective = Objective(network, x, y, Ridge(np.zeros(2)))
    weights = g.uniform(0.1, 1.0, 40)
    [mine] = solve(objective, [Chain.single(weights, np.array([1.0, -0.2]), 0.0)], LM)
    root = np.sqrt(weights)
    theirs = scipy_least_squares(
        lambda b: root * (b[0] * np.exp(b[1] * x[:, 0]) - y), [1.0, -0.2], xtol=1e-15, gtol=1e-15
    )
    assert mine.converged
    np.testing.assert_allclose(mine.params, theirs.x, rtol=1e-6)


def test_linear_problems_take_their_closed_form():
    objective, weights, _ = problem(())
    [solution] = solve(objective, [Chain.single(weights, np.zeros(3), 0.0)], LM)
    root = np.sqrt(weights)
    expected = np.linalg.lstsq(objective.inputs * root[:, None], objective.target * root)[0]
    np.testing.assert_allclose(solution.params, expected, rtol=1e-10)
    ridge = Objective(objective.network, objective.inputs, objective.target, Ridge(np.ones(3)))
    [solution] = solve(ridge, [Chain.single(weights, np.zeros(3), 0.5)], LM)
    share = weights / weights.sum()
    gram = (objective.inputs * share[:, None]).T @ objective.inputs + 0.5 * np.eye(3)
    expected = np.linalg.solve(gram, objective.inputs.T @ (share * objective.target))
    np.testing.assert_allclose(solution.params, expected, rtol=1e-9)


def test_chains_warm_start_where_they_are_told():
    objective, weights, starts = problem()
    alphas = np.array([0.02, 0.01, 0.05])
    chain = Chain(weights, starts[0], alphas, np.array([-1, 0, 0]))
    tight = Options(1e-10, 1e-22, 500, 500)
    [trace] = estimate(objective, [chain], LM, tight)
    assert trace.params.shape == (3, objective.network.n_params)
    [first] = estimate(objective, [Chain.single(weights, starts[0], 0.02)], LM, tight)
    np.testing.assert_array_equal(trace.params[0], first.params[0])
    [third] = estimate(objective, [Chain.single(weights, first.params[0], 0.05)], LM, tight)
    np.testing.assert_allclose(trace.params[2], third.params[0], atol=1e-8)
    assert trace.certificate.max() < CERTIFIED


def test_zero_weights_leave_rows_out():
    objective, weights, starts = problem()
    keep = np.arange(len(weights)) % 4 != 0
    [masked] = solve(objective, [Chain.single(weights * keep, starts[1], 0.02)], LM)
    part = Objective(
        objective.network, objective.inputs[keep], objective.target[keep], objective.penalty
    )
    [alone] = solve(part, [Chain.single(weights[keep], starts[1], 0.02)], LM)
    assert masked.objective == pytest.approx(alone.objective, rel=1e-10)
    np.testing.assert_allclose(masked.params, alone.params, rtol=1e-6, atol=1e-8)


def test_progress_counts_chains():
    objective, weights, starts = problem()
    chains = [Chain.single(weights, starts[k % 3], 0.1) for k in range(7)]
    calls = []
    report = Execution(threads=1, progress=lambda done, total: calls.append((done, total)))
    estimate(objective, chains, LM, FAST, report)
    assert calls == [(pytest.approx(k), 7) for k in range(1, 8)]


@pytest.mark.parametrize("loss", [Logistic(), Poisson(), PseudoHuber(0.5)], ids=lambda x: x.name)
@pytest.mark.parametrize("hidden", [(), (3,), (2, 2)], ids=str)
def test_other_losses_reach_a_certified_minimum(loss, hidden):
    objective, weights, starts = problem(hidden)
    target = (objective.target > 0).astype(float) * (2 if loss.name == "Poisson" else 1)
    objective = replace(objective, target=target, loss=loss)
    for solution in solve(objective, [Chain.single(weights, s, 0.02) for s in starts], LM):
        assert solution.converged, solution.status
        assert (np.diff(solution.history) <= 1e-15).all()
        near = solution.params + 0.01
        [other] = solve(objective, [Chain.single(weights, near, 0.02)], LBFGS)
        assert other.objective == pytest.approx(solution.objective, rel=1e-6)


def test_a_branch_above_the_ceiling_is_not_followed_upwards():
    objective, weights, starts = problem()
    alphas, after = np.array([0.02, 0.01, 0.5, 1.0]), np.array([-1, 0, 0, 2])
    base = Baselines.solve(objective, weights[None]).loss[0]
    [trace] = estimate(objective, [Chain(weights, starts[0], alphas, after, 1e-3)], LM)
    assert np.isinf(trace.loss[2:]).all() and np.isfinite(trace.loss[:2]).all()
    [trace] = estimate(objective, [Chain(weights, starts[0], alphas, after, base)], LM)
    assert np.isfinite(trace.loss[:3]).all()


def test_infinite_penalty_certifies_the_classical_part_alone():
    objective, weights, _ = problem()
    root = np.sqrt(weights)
    linear = objective.inputs[:, :3] * root[:, None]
    params = np.zeros(objective.network.n_params)
    params[:3] = np.linalg.lstsq(linear, objective.target * root)[0]
    solution = certify(objective, params, Chain.single(weights, params, np.inf), "wls", 1)
    assert solution.converged and np.isfinite(solution.objective)
    params[0] += 0.5
    wrong = certify(objective, params, Chain.single(weights, params, np.inf), "wls", 1)
    assert not wrong.converged and "Did not converge" in wrong.status


def test_choice_of_the_solver():
    assert choose_solver("auto", 200, 60) is LM
    assert choose_solver("auto", 200, 601) is LBFGS
    assert choose_solver("auto", 100_000, 100) is LBFGS
    assert choose_solver("lbfgs", 10, 2) is LBFGS
    with pytest.raises(SpecificationError, match=r"method='newton'.*'auto', 'lm', 'lbfgs'"):
        choose_solver("newton", 10, 2)
