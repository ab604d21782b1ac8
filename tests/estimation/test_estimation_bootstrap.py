"""Bootstrap draws by their moments, and refits against solving every draw from scratch."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import kurtosis

from nnecon.estimation.bootstrap import block_length, draw_weights, refit, wild_targets
from nnecon.estimation.estimate import SOLVERS, certify, estimate, solve
from nnecon.estimation.execution import Execution
from nnecon.estimation.fingerprint import fingerprint
from nnecon.estimation.kernels import fitted
from nnecon.estimation.losses import Logistic
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import PATIENT, Chain, Objective
from nnecon.exceptions import DataError, SpecificationError
from nnecon.nets import Dense

LM = SOLVERS["lm"]
GROUPS = np.repeat(["c", "a", "b", "d"], [5, 10, 15, 10])


def rng(seed=0):
    return np.random.default_rng(seed)


def problem(hidden=(2,), n=80, seed=0):
    g = rng(seed)
    x = g.standard_normal((n, 2))
    y = np.tanh(2 * x[:, 0]) - 0.3 * x[:, 1] + 0.3 * g.standard_normal(n)
    network = Dense(3, 2 if hidden else 0, hidden, "tanh")
    inputs = np.column_stack([np.ones(n), x, x] if hidden else [np.ones(n), x])
    return Objective(network, inputs, (y - y.mean()) / y.std(), Ridge(network.penalised))


def solved(objective, alpha, seed=0):
    """Best of some starts."""
    n = len(objective.target)
    starts = [objective.network.init(rng(seed + at)) for at in range(6)]
    found = solve(objective, [Chain.single(np.ones(n), start, alpha) for start in starts], LM)
    return min(found, key=lambda one: one.objective).params


def draw(kind, **options):
    groups = GROUPS if kind == "cluster" else None
    return draw_weights(kind, 40, 4000, rng(), groups=groups, **options)


@pytest.mark.parametrize("kind", ["pairs", "bayesian", "cluster", "block", "stationary"])
def test_weights_are_one_on_average(kind):
    weights = draw(kind)
    assert weights.shape == (4000, 40)
    assert (weights >= 0).all()
    spread = weights.std(axis=0).max()
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=5 * spread / np.sqrt(4000))
    if kind != "cluster":
        np.testing.assert_allclose(weights.sum(axis=1), 40.0)
    if kind != "bayesian":
        np.testing.assert_array_equal(weights, np.round(weights))


def test_pairs_are_independent_counts_and_bayesian_weights_have_no_zeros():
    pairs, bayesian = draw("pairs"), draw("bayesian")
    # variance of a multinomial count, and of n times a uniform Dirichlet's share
    assert pairs.var(axis=0).mean() == pytest.approx(1 - 1 / 40, rel=0.03)
    assert bayesian.var(axis=0).mean() == pytest.approx(39 / 41, rel=0.03)
    assert (bayesian > 0).all()
    assert (pairs == 0).any(axis=1).all()


def test_groups_are_drawn_whole():
    weights = draw("cluster")
    for label in np.unique(GROUPS):
        inside = weights[:, label == GROUPS]
        assert (inside == inside[:, :1]).all()
    firsts = weights[:, [0, 5, 15, 30]]
    np.testing.assert_array_equal(firsts.sum(axis=1), 4.0)
    bayesian = draw_weights("bayesian", 40, 50, rng(), groups=GROUPS)
    assert (bayesian[:, 5:15] == bayesian[:, 5:6]).all()
    assert len(np.unique(bayesian[0])) == 4
    np.testing.assert_allclose(bayesian.sum(axis=1), 40.0)


def test_blocks_carry_neighbours_along():
    def correlation(kind, lag, block):
        weights = draw(kind, block=block) - 1.0
        product = (weights * np.roll(weights, -lag, axis=1)).mean()
        return product / (weights**2).mean()

    # 8 blocks of 5 rows: at lag j each has both rows with probability (5 - j) / 40
    for lag in (1, 4):
        expected = (1 - lag / 5 - 5 / 40) / (1 - 5 / 40)
        assert correlation("block", lag, 5) == pytest.approx(expected, abs=0.03)
    # blocks go on with probability 4/5, where the sample is long
    weights = draw_weights("stationary", 800, 400, rng(), block=5.0) - 1.0
    for lag in (1, 3, 8):
        product = (weights * np.roll(weights, -lag, axis=1)).mean()
        assert product / (weights**2).mean() == pytest.approx(0.8**lag, abs=0.03)
    assert correlation("pairs", 1, None) == pytest.approx(-1 / 39, abs=0.02)


def test_moving_blocks_stay_within_the_sample():
    moving, circular = draw("moving", block=10).mean(axis=0), draw("block", block=10).mean(axis=0)
    # of 31 blocks one reaches the first row and ten the middle one
    assert moving[0] == pytest.approx(4 / 31, abs=0.03)
    assert moving[20] == pytest.approx(40 / 31, abs=0.06)
    assert circular[0] == pytest.approx(1.0, abs=0.08)


def test_default_block_is_the_cube_root():
    given = draw_weights("block", 60, 5, rng(), block=4)
    np.testing.assert_array_equal(draw_weights("block", 60, 5, rng()), given)


def test_block_bootstrap_gives_the_error_of_a_mean_of_a_series():
    g, n = rng(3), 2000
    shocks = g.standard_normal(n)
    series = np.empty(n)
    series[0] = shocks[0]
    for at in range(1, n):
        series[at] = 0.6 * series[at - 1] + shocks[at]
    truth = 1.0 / (1.0 - 0.6) / np.sqrt(n)
    for kind in ("block", "moving", "stationary"):
        length = block_length(series, kind)
        weights = draw_weights(kind, n, 500, rng(), block=length)
        assert (weights @ series / n).std() == pytest.approx(truth, rel=0.25), kind
    independent = draw_weights("pairs", n, 500, rng()) @ series / n
    assert independent.std() < 0.7 * truth


def test_length_of_blocks_follows_the_most_persistent_series():
    g = rng(1)
    noise, walk = g.standard_normal(300), np.cumsum(g.standard_normal(300))
    assert block_length(noise) < block_length(walk)
    assert block_length(np.column_stack([noise, walk, np.ones(300)])) == block_length(walk)
    assert block_length(np.ones(300)) == 1.0
    assert block_length(walk, "stationary") % 1 != 0


@pytest.mark.parametrize(
    "distribution, third, fourth", [("rademacher", 0, 1), ("mammen", 1, 2), ("webb", 0, 7 / 6)]
)
def test_wild_multipliers_have_their_moments(distribution, third, fourth):
    drawn = wild_targets(np.zeros(50), np.ones(50), 8000, rng(), distribution=distribution)
    for power, moment in enumerate([0, 1, third, fourth], 1):
        assert (drawn**power).mean() == pytest.approx(moment, abs=0.02), power
    assert kurtosis(drawn.ravel(), fisher=False) == pytest.approx(fourth, abs=0.03)


def test_wild_targets_move_residuals_by_groups():
    fit, residual = rng(1).standard_normal(40), rng(2).standard_normal(40)
    alone = (wild_targets(fit, residual, 30, rng()) - fit) / residual
    np.testing.assert_allclose(np.abs(alone), 1.0)
    assert len(np.unique(alone.round(6), axis=1).T) > 1
    together = (wild_targets(fit, residual, 30, rng(), groups=GROUPS) - fit) / residual
    for label in np.unique(GROUPS):
        inside = together[:, label == GROUPS]
        assert np.ptp(inside, axis=1).max() < 1e-8


@pytest.mark.parametrize(
    "kind, options, error, words",
    [
        ("jackknife", {}, SpecificationError, "'pairs', 'bayesian'"),
        ("cluster", {}, SpecificationError, "give groups"),
        ("pairs", {"groups": GROUPS}, SpecificationError, "draws no groups"),
        ("pairs", {"block": 3}, SpecificationError, "draws no blocks"),
        ("block", {"block": 2.5}, SpecificationError, "whole number"),
        ("block", {"block": 41}, SpecificationError, "1 to 40"),
        ("stationary", {"block": 0.5}, SpecificationError, "1 to 40"),
        ("cluster", {"groups": GROUPS[:9]}, DataError, "one label a row"),
        ("cluster", {"groups": np.zeros(40)}, DataError, "all rows are in one group"),
    ],
)
def test_impossible_draws_are_refused(kind, options, error, words):
    with pytest.raises(error, match=words):
        draw_weights(kind, 40, 3, rng(), **options)


def test_other_impossible_requests_are_refused():
    with pytest.raises(SpecificationError, match="draws=0"):
        draw_weights("pairs", 40, 0, rng())
    with pytest.raises(SpecificationError, match="draws=True"):
        wild_targets(np.zeros(3), np.ones(3), True, rng())
    with pytest.raises(SpecificationError, match="'mammen'"):
        wild_targets(np.zeros(3), np.ones(3), 2, rng(), distribution="normal")
    objective = problem()
    params = np.zeros(objective.network.n_params)
    with pytest.raises(SpecificationError, match="weights or targets"):
        refit(objective, params, 0.1)
    with pytest.raises(SpecificationError, match="80 columns"):
        refit(objective, params, 0.1, weights=np.ones((3, 79)))
    with pytest.raises(SpecificationError, match="one length"):
        refit(objective, params, 0.1, weights=np.ones((3, 80)), targets=np.ones((2, 80)))
    with pytest.raises(SpecificationError, match="not those of networks"):
        refit(objective, params[:-1], 0.1, weights=np.ones((3, 80)))
    with pytest.raises(SpecificationError, match="starts"):
        refit(objective, params, 0.1, weights=np.ones((3, 80)), starts=params)


@pytest.mark.parametrize("hidden, alpha", [((), 0.0), ((2,), np.inf)], ids=str)
def test_the_classical_limit_is_least_squares(hidden, alpha):
    objective = problem(hidden)
    weights = draw_weights("pairs", 80, 5, rng())
    targets = objective.target + rng(5).standard_normal((5, 80))
    params = np.zeros(objective.network.n_params)
    found = refit(objective, params, alpha, weights=weights, targets=targets)
    for at in range(5):
        fit = sm.WLS(targets[at], objective.inputs[:, :3], weights[at]).fit()
        np.testing.assert_allclose(found.params[at, :3], fit.params, rtol=1e-10, atol=1e-12)
        loss = 0.5 * np.average(fit.resid**2, weights=weights[at])
        assert found.objective[at] == pytest.approx(loss)
    assert not found.params[:, 3:].any()
    assert found.converged.all()


def test_the_classical_limit_under_another_loss_is_its_regression():
    objective = problem()
    objective = replace(objective, target=(objective.target > 0).astype(float), loss=Logistic())
    weights = draw_weights("bayesian", 80, 3, rng())
    found = refit(objective, np.zeros(objective.network.n_params), np.inf, weights=weights)
    for at in range(3):
        family = sm.families.Binomial()
        model = sm.GLM(objective.target, objective.inputs[:, :3], family, freq_weights=weights[at])
        np.testing.assert_allclose(found.params[at, :3], model.fit(tol=1e-12).params, rtol=1e-6)
    assert found.converged.all()


@pytest.mark.parametrize("scheme", ["weights", "targets"])
def test_draws_end_where_a_patient_solver_ends(scheme):
    objective, alpha = problem(), 0.01
    params = solved(objective, alpha)
    if scheme == "weights":
        draws = draw_weights("bayesian", 80, 6, rng())
        posed = [(objective, w) for w in draws]
    else:
        fit = fitted(objective.network, params, objective.inputs)
        draws = wild_targets(fit, objective.target - fit, 6, rng())
        posed = [(replace(objective, target=y), np.ones(80)) for y in draws]
    found = refit(objective, params, alpha, **{scheme: draws})
    assert found.converged.all()
    for at, (own, weights) in enumerate(posed):
        [exact] = estimate(own, [Chain.single(weights, found.params[at], alpha)], LM, PATIENT)
        value = exact.loss[0] + alpha * exact.penalty[0]
        assert found.objective[at] == pytest.approx(value, rel=1e-9)
        np.testing.assert_allclose(found.params[at], exact.params[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", ["lm", "lbfgs", "prox"])
def test_every_solver_honours_a_chain_s_target(method):
    objective = problem()
    if method == "prox":
        penalty = ElasticNet(objective.penalised, 0.5)
        objective = replace(objective, penalty=penalty)
    other = objective.target[::-1].copy()
    start, weights = objective.network.init(rng(2)), np.ones(80)
    solver = SOLVERS[method]
    [own] = estimate(objective, [Chain.single(weights, start, 0.05, other)], solver)
    [posed] = estimate(
        replace(objective, target=other), [Chain.single(weights, start, 0.05)], solver
    )
    np.testing.assert_array_equal(own.params, posed.params)
    chain = Chain.single(weights, own.params[-1], 0.05, other)
    solution = certify(objective, own.params[-1], chain, solver.name, 1)
    assert solution.loss == pytest.approx(own.loss[-1])


def test_targets_count_for_checkpoints_and_executors(tmp_path):
    objective = problem()
    params = solved(objective, 0.02)
    first, second = objective.target + rng(3).standard_normal((2, 4, 80))
    one, other = (Chain.single(np.ones(80), params, 0.02, y[0]) for y in (first, second))
    assert fingerprint(one) != fingerprint(other)
    plain = refit(objective, params, 0.02, targets=second)
    stored = Execution.check(checkpoint=tmp_path)
    refit(objective, params, 0.02, targets=first, execution=stored)
    again = refit(objective, params, 0.02, targets=second, execution=stored)
    np.testing.assert_array_equal(again.params, plain.params)
    with ThreadPoolExecutor(2) as pool:
        spread = refit(objective, params, 0.02, targets=second, execution=Execution(executor=pool))
    np.testing.assert_array_equal(spread.params, plain.params)


def test_members_of_an_ensemble_are_refitted_each():
    objective = problem()
    one, two = solved(objective, 0.02), objective.network.init(rng(9))
    weights = draw_weights("pairs", 80, 3, rng())
    both = refit(objective, np.concatenate([one, two]), 0.02, weights=weights)
    first, second = (refit(objective, p, 0.02, weights=weights) for p in (one, two))
    np.testing.assert_array_equal(both.params, np.hstack([first.params, second.params]))
    np.testing.assert_allclose(both.objective, (first.objective + second.objective) / 2)


def test_further_starts_can_only_lower_the_objective():
    objective, alpha = problem(), 0.02
    # the classical model is a local minimum, where a warm start stays
    weights = draw_weights("bayesian", 80, 4, rng())
    zero = np.zeros(objective.network.n_params)
    stuck = refit(objective, zero, alpha, weights=weights)
    classical = refit(objective, zero, np.inf, weights=weights)
    np.testing.assert_allclose(stuck.objective, classical.objective, rtol=1e-8)
    free = refit(objective, zero, alpha, weights=weights, starts=solved(objective, alpha)[None])
    assert (free.objective < 0.9 * stuck.objective).all()


def test_draws_that_lose_a_coefficient_are_not_converged():
    g = rng(4)
    dummy = np.zeros(30)
    dummy[:2] = 1.0
    inputs = np.column_stack([np.ones(30), dummy])
    objective = Objective(
        Dense(2, 0, (), "tanh"), inputs, g.standard_normal(30), Ridge(np.zeros(2))
    )
    weights = draw_weights("pairs", 30, 60, rng())
    found = refit(objective, np.zeros(2), 0.0, weights=weights)
    seen = weights[:, :2].sum(axis=1) > 0
    assert 0 < (~seen).sum() < 60
    np.testing.assert_array_equal(found.converged, seen)
