"""Joint covariance of several networks on the same rows, and the curvature of group norms."""

import numpy as np
import pytest
from scipy.linalg import block_diag

from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.kernels import fitted
from nnecon.estimation.penalties import GroupLasso, Ridge, input_groups
from nnecon.estimation.problem import Chain, Objective
from nnecon.inference.covariance import (
    Part,
    bending_of,
    bread,
    covariance,
    joint_bread,
    joint_covariance,
    penalised_moments,
)
from nnecon.nets import Dense

N = 60
KINDS = {
    "nonrobust": {},
    "HC0": {},
    "HC1": {},
    "HC2": {},
    "HC3": {},
    "HAC": {"maxlags": 2},
    "cluster": {"groups": np.arange(N) // 4},
}
NETWORK = Dense(3, 2, (2,), "tanh")


def problem(penalty=None):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, 2))
    target = np.tanh(2 * x[:, 0]) + 0.3 * x[:, 1] + 0.2 * rng.standard_normal(N)
    rows = np.column_stack([np.ones(N), x, x])
    return Objective(NETWORK, rows, target, penalty or Ridge(NETWORK.penalised))


def part(objective, seed, alpha=0.001):
    weights, rng = np.ones(N), np.random.default_rng(seed)
    base = least_squares(NETWORK, objective.inputs, objective.target, weights)
    chain = Chain.single(weights, base + NETWORK.init(rng), alpha)
    params = solve(objective, [chain], SOLVERS["lm"])[0].params
    # away from the minimum, where most starts end
    params = params + 0.05 * seed * rng.standard_normal(len(params))
    resid = objective.target - fitted(NETWORK, params, objective.inputs)
    moments = penalised_moments(objective, params, alpha, resid, weights, 1.0)
    return Part(moments, bread(moments), bending_of(objective, params, weights, 1.0))


@pytest.fixture(scope="module")
def parts():
    objective = problem()
    found = [part(objective, seed) for seed in range(3)]
    assert not np.allclose(found[0].moments.residual, found[1].moments.residual, atol=1e-3)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_identical_networks_have_the_covariance_of_one(parts, kind):
    one = covariance(*parts[0][:2], kind, KINDS[kind], bending=parts[0].bending)
    three = joint_covariance([parts[0]] * 3, kind, KINDS[kind])
    np.testing.assert_allclose(three.matrix, np.tile(one.matrix, (3, 3)), rtol=1e-9, atol=1e-14)
    assert three.df_resid == pytest.approx(one.df_resid)
    assert three.description == one.description


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nonrobust"])
def test_diagonal_blocks_are_the_networks_own(parts, kind):
    joint = joint_covariance(parts, kind, {**KINDS[kind], **_plain(kind)}).matrix
    k = NETWORK.n_params
    for at, (moments, middle, bending) in enumerate(parts):
        own = covariance(moments, middle, kind, {**KINDS[kind], **_plain(kind)}, bending=bending)
        block = joint[at * k : (at + 1) * k, at * k : (at + 1) * k]
        factor = 1.0
        if kind == "HC1":
            # the correction of the joint covariance counts mean degrees of freedom
            factor = (N - middle.edf) / (N - joint_bread([p.bread for p in parts]).edf)
        np.testing.assert_allclose(block, factor * own.matrix, rtol=1e-9, atol=1e-13)


def _plain(kind):
    return {"use_correction": False} if kind in ("HAC", "cluster") else {}


def test_networks_move_together_like_their_scores(parts):
    # away from a minimum the exact Hessian need not be positive definite
    parts = [parts[0], *(one._replace(bending=None) for one in parts[1:])]
    found = joint_covariance(parts, "HC0").matrix
    scores = np.concatenate([p.moments.jacobian * p.moments.residual[:, None] for p in parts], 1)
    hessians = [p.moments.gram + np.diag(p.moments.ridge) for p in parts]
    hessians[0] = hessians[0] + parts[0].bending
    inverse = block_diag(*[np.linalg.inv(h) for h in hessians])
    np.testing.assert_allclose(found, inverse @ scores.T @ scores @ inverse, rtol=1e-7, atol=1e-12)


def test_degrees_of_freedom_of_a_mean_are_the_mean(parts):
    joint = joint_bread([p.bread for p in parts])
    assert joint.edf == pytest.approx(np.mean([p.bread.edf for p in parts]))


@pytest.mark.parametrize("L1_wt", [1.0, 0.5])
def test_group_norms_bend_the_hessian(L1_wt):
    """Degrees of freedom with the exact Hessian are derivatives of the fit by the target."""
    groups = tuple(input_groups(NETWORK, {"x": [1], "z": [2]}, [1, 2]).values())
    objective = problem(GroupLasso(NETWORK.penalised, L1_wt, groups))
    alpha, weights = 0.0002, np.ones(N)
    base = least_squares(NETWORK, objective.inputs, objective.target, weights)
    start = base + NETWORK.init(np.random.default_rng(1))

    def params_at(target, start):
        moved = Objective(NETWORK, objective.inputs, target, objective.penalty)
        chain = Chain.single(weights, start, alpha)
        solution = solve(moved, [chain], SOLVERS["prox"])[0]
        assert solution.certificate < 1e-8
        return solution.params

    params = params_at(objective.target, start)
    assert (params[NETWORK.neural] != 0).any()
    resid = objective.target - fitted(NETWORK, params, objective.inputs)
    moments = penalised_moments(objective, params, alpha, resid, weights, 1.0)
    assert moments.norms is not None
    middle, bending = bread(moments), bending_of(objective, params, weights, 1.0)
    rotated = moments.jacobian @ middle.root
    exact = np.linalg.inv(np.eye(rotated.shape[1]) + middle.root.T @ bending @ middle.root)
    leverage = np.einsum("ij,jk,ik->i", rotated, exact, rotated)
    numerical, step = [], 1e-4
    for row in range(0, N, 6):
        ends = []
        for side in (step, -step):
            target = objective.target.copy()
            target[row] += side
            ends.append(fitted(NETWORK, params_at(target, params), objective.inputs)[row])
        numerical.append((ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(leverage[::6], numerical, rtol=1e-4, atol=1e-6)
    without = bread(penalised_moments(problem(), params, 0.0, resid, weights, 1.0))
    assert middle.edf < without.edf


def test_absolute_values_have_no_curvature():
    objective = problem(GroupLasso(NETWORK.penalised, 1.0, tuple(np.array([[3], [4]]))))
    params = np.ones(NETWORK.n_params)
    moments = penalised_moments(objective, params, 0.1, np.ones(N), np.ones(N), 1.0)
    assert moments.norms is None
