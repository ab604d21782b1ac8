"""The evidence: exact for linear models, and for networks a choice that predicts well."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import null_space
from sklearn.linear_model import BayesianRidge

from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import SOLVERS, estimate, solve
from nnecon.estimation.evidence import evidence, log_copies, refine
from nnecon.estimation.kernels import fitted
from nnecon.estimation.losses import Logistic
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import FAST, Chain, Objective
from nnecon.exceptions import SpecificationError
from nnecon.nets import Custom, Dense

LM = SOLVERS["lm"]


def linear(params, row):
    return row @ params


def regression(n=40, k=4, free=0, seed=0, zero_weights=0):
    """A linear model of which the first ``free`` coefficients bear no penalty."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, k))
    y = x @ g.normal(0, 0.7, k) + 0.8 * g.standard_normal(n)
    d = np.r_[np.zeros(free), 0.01 + g.uniform(0, 2, k - free)]
    weights = g.uniform(0.5, 2.0, n)
    weights[:zero_weights] = 0.0
    return Objective(Custom(linear, k, k), x, y, Ridge(d)), weights


def ridge_solution(objective, weights, alpha):
    """Closed form: minimises half the weighted mean square plus the penalty."""
    x, d = objective.inputs, objective.penalty.ridge
    share = weights / weights.sum()
    if np.isinf(alpha):
        free = d == 0
        params = np.zeros(len(d))
        if not free.any():
            return params
        left = x[:, free] * np.sqrt(share)[:, None]
        params[free] = np.linalg.lstsq(left, objective.target * np.sqrt(share))[0]
        return params
    gram = x.T @ (share[:, None] * x)
    return np.linalg.solve(gram + alpha * np.diag(d), x.T @ (share * objective.target))


def contrasts(objective, weights, alpha, variance):
    """Log density of what is left of y when the free part is projected out, in closed form."""
    used = weights > 0
    x, y, d = objective.inputs[used], objective.target[used], objective.penalty.ridge
    s = weights[used] / weights[used].mean()
    free, n = d == 0, used.sum()
    cov = np.diag(variance / s)
    if np.isfinite(alpha):
        cov += variance / (n * alpha) * (x[:, ~free] / d[~free]) @ x[:, ~free].T
    basis = null_space(x[:, free].T) if free.any() else np.eye(n)
    value = stats.multivariate_normal(cov=basis.T @ cov @ basis).logpdf(basis.T @ y)
    # the flat prior integrates over coefficients, the contrasts over their fitted values
    return value - 0.5 * np.linalg.slogdet(x[:, free].T @ x[:, free])[1]


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.7, 20.0, np.inf])
@pytest.mark.parametrize(("free", "zeros"), [(0, 0), (2, 0), (2, 7)])
def test_linear_models_have_their_marginal_likelihood(alpha, free, zeros):
    """Without free coefficients the classical model is noise alone."""
    objective, weights = regression(free=free, zero_weights=zeros)
    params = ridge_solution(objective, weights, alpha)
    found = evidence(objective, params[None], np.array([alpha]), weights)
    variance = found.noise_variance[0]
    expected = contrasts(objective, weights, alpha, variance)
    assert found.log_evidence[0] == pytest.approx(expected, rel=1e-8)
    for other in (0.9 * variance, 1.1 * variance):
        assert contrasts(objective, weights, alpha, other) < expected, "variance at the maximum"
    assert found.exact[0]
    n = np.count_nonzero(weights)
    assert found.prior_precision[0] == pytest.approx(n * alpha / variance)


def test_classical_evidence_is_the_limit():
    objective, weights = regression(free=2)
    alphas = np.array([np.inf, 1e9])
    params = np.stack([ridge_solution(objective, weights, alpha) for alpha in alphas])
    found = evidence(objective, params, alphas, weights)
    assert found.log_evidence[1] == pytest.approx(found.log_evidence[0], rel=1e-7)
    assert found.gamma == pytest.approx([2.0, 2.0], abs=1e-6)


def test_only_ratios_of_weights_count():
    objective, weights = regression(free=1)
    params = ridge_solution(objective, weights, 0.1)[None]
    one, ten = (evidence(objective, params, np.array([0.1]), c * weights) for c in (1.0, 10.0))
    assert one.log_evidence[0] == pytest.approx(ten.log_evidence[0], rel=1e-12)


def test_refined_penalty_is_that_of_bayesian_ridge():
    """scikit-learn's precisions without a prior on them, from a coarse grid."""
    objective, _ = regression(n=60, k=5, seed=3)
    objective = Objective(objective.network, objective.inputs, objective.target, Ridge(np.ones(5)))
    weights, alphas = np.ones(60), np.array([10.0, 1.0, 0.1, 0.01, 0.001])
    chains = [Chain.single(weights, np.zeros(5), alpha) for alpha in alphas]
    solutions = solve(objective, chains, LM)
    found = evidence(objective, np.stack([s.params for s in solutions]), alphas, weights)
    best = refine(objective, weights, solutions[found.best], LM)
    there = evidence(objective, best.params[None], np.array([best.alpha]), weights)
    nothing = {"alpha_1": 0, "alpha_2": 0, "lambda_1": 0, "lambda_2": 0}
    peer = BayesianRidge(fit_intercept=False, tol=1e-12, max_iter=3000, **nothing)
    peer.fit(objective.inputs, objective.target)
    assert there.log_evidence[0] > found.log_evidence[found.best]
    assert there.prior_precision[0] == pytest.approx(peer.lambda_, rel=1e-3)
    assert there.noise_variance[0] == pytest.approx(1.0 / peer.alpha_, rel=1e-3)
    for factor in (0.97, 1.03):
        near = ridge_solution(objective, weights, factor * best.alpha)[None]
        beside = evidence(objective, near, np.array([factor * best.alpha]), weights)
        assert beside.log_evidence[0] < there.log_evidence[0]


def test_no_penalty_has_no_evidence():
    objective, weights = regression()
    params = np.stack([ridge_solution(objective, weights, alpha) for alpha in (0.1, 0.0)])
    found = evidence(objective, params, np.array([0.1, 0.0]), weights)
    assert found.log_evidence[1] == -np.inf and found.gamma[1] == 4.0
    assert found.best == 0


def test_what_has_no_evidence_is_refused():
    objective, weights = regression(free=1)
    at = np.zeros((1, 4)), np.array([0.1])
    data = objective.network, objective.inputs
    labels = (objective.target > 0).astype(float)
    with pytest.raises(SpecificationError, match="least squares"):
        evidence(Objective(*data, labels, objective.penalty, Logistic()), *at, weights)
    kinked = ElasticNet(objective.penalised, 0.5)
    with pytest.raises(SpecificationError, match="L1_wt=0"):
        evidence(Objective(*data, objective.target, kinked), *at, weights)
    with pytest.raises(SpecificationError, match="1 rows are not more than"):
        evidence(objective, *at, np.r_[1.0, np.zeros(39)])
    with pytest.raises(SpecificationError, match="residuals are zero"):
        evidence(Objective(*data, np.zeros(40), objective.penalty), *at, weights)


# -- networks ------------------------------------------------------------------------------------


def test_copies_count_distinct_modes():
    network = Dense(1, 2, (4,), "tanh")
    g = np.random.default_rng(0)
    params = g.standard_normal(network.n_params)
    sharp = 1e6 * np.eye(network.n_params)
    factorial = np.log(24)
    assert log_copies(network, params, sharp) == pytest.approx(factorial + 4 * np.log(2))
    logistic = Dense(1, 2, (4,), "logistic")
    assert log_copies(logistic, params, sharp) == pytest.approx(factorial)
    zero = np.r_[params[0], np.zeros(network.n_params - 1)]
    assert log_copies(network, zero, sharp) == pytest.approx(0.0, abs=1e-12)
    # one unit alive: four places, two signs
    layer = network.layers[0]
    own = [*range(layer.weights.start, layer.weights.start + 2), layer.bias.start, layer.bias.stop]
    one = np.zeros(network.n_params)
    one[own] = [1.0, -2.0, 0.5, 1.0]
    assert log_copies(network, one, sharp) == pytest.approx(np.log(8))
    # a posterior so wide that the modes are one
    assert log_copies(network, params, 1e-12 * sharp) == pytest.approx(0.0, abs=1e-2)


def test_copies_of_deep_networks():
    network = Dense(1, 2, (3, 2), "tanh")
    params = np.random.default_rng(1).standard_normal(network.n_params)
    expected = np.log(6 * 8) + np.log(2 * 4)
    sharp = 1e6 * np.eye(network.n_params)
    assert log_copies(network, params, sharp) == pytest.approx(expected)


def traced(seed, signal, n=120, units=4, noise=0.5, size=12):
    """Best of several starts along a grid, evidence, and error on new rows."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n + 2000, 2))
    y = 0.4 * x[:, 0] + signal * np.sin(2 * x[:, 0]) + signal * x[:, 1] ** 2 / 2
    y = y + noise * g.standard_normal(n + 2000)
    y = (y - y[:n].mean()) / y[:n].std()
    rows = np.column_stack([np.ones(n + 2000), x, x])
    network = Dense(3, 2, (units,), "tanh")
    d = network.neural.astype(float)
    d[network.layers[0].bias] = 0.01
    objective, weights = Objective(network, rows[:n], y[:n], Ridge(d)), np.ones(n)
    base = least_squares(network, rows[:n], y[:n], weights)
    alphas = np.geomspace(0.2, 1e-4, size)
    chains = [
        Chain(weights, base + network.init(g), alphas[order], np.arange(-1, size - 1))
        for _ in range(3)
        for order in (np.arange(size), np.arange(size)[::-1])
    ]
    traces = estimate(objective, chains, LM, FAST)
    back = [chain.alphas.argsort()[::-1] for chain in chains]
    value = [
        (t.loss + c.alphas * t.penalty)[b] for t, c, b in zip(traces, chains, back, strict=True)
    ]
    winner = np.array(value).argmin(axis=0)
    starts = [traces[w].params[back[w]][at] for at, w in enumerate(winner)]
    classical = 0.5 * np.mean((y[:n] - fitted(network, base, rows[:n])) ** 2)
    alive = np.min(value, axis=0) < classical * (1 - 1e-8)
    starts = [start if live else base for start, live in zip(starts, alive, strict=True)]
    singles = [Chain.single(weights, s, a) for s, a in zip(starts, alphas, strict=True)]
    polished = solve(objective, singles, LM)
    params = np.stack([base, *(solution.params for solution in polished)])
    found = evidence(objective, params, np.r_[np.inf, alphas], weights)
    errors = [np.mean((y[n:] - fitted(network, p, rows[n:])) ** 2) for p in params]
    return objective, weights, polished, found, np.array(errors), np.r_[False, alive]


@pytest.mark.parametrize("seed", range(3))
def test_evidence_finds_a_signal(seed):
    """Its error on new rows is close to the best on the path."""
    objective, _, _, found, errors, alive = traced(seed, 0.7)
    assert alive[found.best] and found.exact[found.best]
    assert errors[found.best] < 1.25 * errors.min()
    assert errors[found.best] < 0.6 * errors[0]
    assert 3 < found.gamma[found.best] < objective.network.n_params


def test_refining_a_network_raises_its_evidence_to_the_fixed_point():
    objective, weights, polished, found, *_ = traced(1, 0.5)
    best = refine(objective, weights, polished[found.best - 1], LM)
    there = evidence(objective, best.params[None], np.array([best.alpha]), weights)
    assert best.converged and best.alpha != found.alpha_max
    assert there.log_evidence[0] > found.log_evidence[found.best]
    # near it the noise variance is that of the residuals, corrected for the parameters
    n = len(weights)
    corrected = 2 * n * best.loss / (n - there.gamma[0])
    assert there.noise_variance[0] == pytest.approx(corrected, rel=0.05)


def test_classical_models_are_not_refined():
    objective, weights, polished, *_ = traced(0, 0.0, size=3)
    assert refine(objective, weights, polished[0], LM) is polished[0]


@pytest.mark.parametrize("seed", range(10))
def test_noise_leaves_the_classical_model(seed):
    *_, found, _, alive = traced(seed, 0.0)
    assert alive.any(), "the network can fit the noise"
    assert not alive[found.best]
    assert found.alpha_max == np.inf
