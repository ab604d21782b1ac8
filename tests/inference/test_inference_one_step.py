"""The one-step estimate gives back what the penalty has taken, and is OLS in the linear model."""

import numpy as np
import pytest
import statsmodels.api as sm
from helpers import assert_close, numerical_jacobian

from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.kernels import fitted, fitted_many
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Chain, Objective
from nnecon.inference.effects import average_slope
from nnecon.inference.long_run import automatic_lags
from nnecon.inference.one_step import one_step, terms, terms_in_words
from nnecon.nets import Dense, Enriched

N = 400
NETWORK = Dense(3, 2, (6,), "tanh")
WEIGHTS = np.ones(N)


def rows(rng):
    """A constant and two skewed regressors, once for the linear part and once for the network."""
    x = rng.gamma(4.0, size=(N, 2)) / 2.0 - 2.0
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.column_stack([np.ones(N), x, x])


def solved(inputs, target, alpha, seed=0):
    objective = Objective(NETWORK, inputs, target, Ridge(NETWORK.penalised))
    base = least_squares(NETWORK, inputs, target, WEIGHTS)
    start = base + NETWORK.init(np.random.default_rng(seed))
    return solve(objective, [Chain.single(WEIGHTS, start, alpha)], SOLVERS["lm"])[0].params


def slopes(inputs, network, params):
    """Average slopes and their gradients, by regressor."""
    found = []
    for at in (1, 2):
        directions = np.zeros_like(inputs)
        directions[:, [at, at + 2]] = 1.0
        found.append(average_slope(network, params, inputs, directions, WEIGHTS / N))
    return np.array([value for value, _ in found]), np.array([gradient for _, gradient in found])


def estimates(inputs, target, params, alpha):
    """Plug-in and one-step average slopes, and the step."""
    residual = target - fitted(NETWORK, params, inputs)
    step = one_step(NETWORK, params[None], alpha, inputs, residual[None], WEIGHTS, 1.0)
    own = np.append(params, np.zeros(len(step.network.terms)))
    plug_in, gradient = slopes(inputs, step.network, own)
    return plug_in, plug_in + gradient @ step.step, gradient, step


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    inputs = rows(rng)
    x1, x2 = inputs[:, 1], inputs[:, 2]
    mean = 0.3 * x1**2 + 2.0 * np.log(3.0 + x2)
    slope = [0.6 * x1, 2.0 / (3.0 + x2)]
    return inputs, mean, mean + 0.3 * rng.standard_normal(N), np.mean(slope, axis=1)


def test_gives_back_what_the_penalty_took(sample):
    """Without noise the bias of slopes goes; with noise the estimates forget the penalty."""
    inputs, mean, target, truth = sample
    biases = []
    for alpha in (0.01, 0.02):
        plug_in, debiased, _, _ = estimates(inputs, mean, solved(inputs, mean, alpha), alpha)
        biases.append(np.abs([plug_in - truth, debiased - truth]))
        assert biases[-1][0].max() > 0.05
        assert (biases[-1][1] < 0.3 * biases[-1][0]).all(), (alpha, biases[-1])
    found = [estimates(inputs, target, solved(inputs, target, a), a) for a in (0.003, 0.02)]
    (small, small_step, *_), (large, large_step, *_) = found
    assert np.abs(large_step - small_step).max() < 0.4 * np.abs(large - small).max()


def test_representer_reproduces_slopes_of_what_it_spans(sample):
    """Weighted sums of residuals of functions in the span are their average slopes."""
    inputs, _, target, _ = sample
    params = solved(inputs, target, 0.01)
    _, _, gradient, step = estimates(inputs, target, params, 0.01)
    z = inputs[:, 3:]
    functions = np.column_stack([z, z[:, 0] ** 2, z[:, 1] ** 3, z[:, 0] * z[:, 1]])
    slope_of = np.array(
        [
            [1.0, 0.0, 2 * z[:, 0].mean(), 0.0, z[:, 1].mean()],
            [0.0, 1.0, 0.0, 3 * (z[:, 1] ** 2).mean(), z[:, 0].mean()],
        ]
    )
    for own, exact in zip(gradient, slope_of, strict=True):
        found = step.representer(own) @ functions
        np.testing.assert_allclose(found, exact, atol=0.06)
        # the linear part, which is not shrunk, exactly
        np.testing.assert_allclose(found[:2], exact[:2], atol=1e-9)


def test_step_is_ridge_regression_of_the_residuals(sample):
    inputs, _, target, _ = sample
    params = solved(inputs, target, 0.02)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, N)
    residual = target - fitted(NETWORK, params, inputs)
    step = one_step(NETWORK, params[None], 0.02, inputs, residual[None], 7.0 * weights, 2.0)
    network = step.network
    own = np.append(params, np.zeros(len(network.terms)))
    phi = numerical_jacobian(lambda at: fitted(network, at, inputs), own)
    relative = weights / weights.mean()
    ridge = NETWORK.penalised.astype(float)
    ridge = np.append(ridge, relative @ phi[:, NETWORK.n_params :] ** 2 / N)
    left = (phi.T * relative) @ phi + 0.1 * 0.02 * N * np.diag(ridge)
    expected = np.linalg.solve(left, (phi.T * relative) @ residual) / 2.0
    np.testing.assert_allclose(step.step, expected, rtol=1e-4, atol=1e-6)


def test_mean_of_networks(sample):
    """The step of an ensemble is the mean of its networks' steps, in one space."""
    inputs, _, target, _ = sample
    members = np.stack([solved(inputs, target, 0.01, seed) for seed in (0, 1)])
    residuals = target - fitted_many(NETWORK, members, inputs)
    joint = one_step(NETWORK, members, 0.01, inputs, residuals, WEIGHTS, 1.0)
    mean = one_step(NETWORK, members[:1], 0.01, inputs, residuals.mean(0)[None], WEIGHTS, 1.0)
    assert joint.steps.shape == (2, joint.network.n_params)
    assert np.abs(joint.steps[0] - joint.steps[1]).max() > 1e-6
    np.testing.assert_allclose(joint.step, mean.step, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(joint.moments.residual, mean.moments.residual)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("nonrobust", {}),
        ("HC0", {}),
        ("HC1", {}),
        ("HC2", {}),
        ("HC3", {}),
        ("HAC", {"maxlags": 4}),
        ("HAC", {"maxlags": 4, "use_correction": True}),
        ("cluster", {"groups": np.arange(N) // 8}),
        ("cluster", {"groups": np.arange(N) // 8, "use_correction": False}),
    ],
)
def test_linear_model(sample, kind, options):
    """No step and statsmodels' covariance, for every kind."""
    inputs, _, target, _ = sample
    linear, exog = Dense(3, 0, (), "tanh"), inputs[:, :3] + [0.0, 0.5, -1.0]
    params = least_squares(linear, exog, target, WEIGHTS)
    residual = target - exog @ params
    step = one_step(linear, params[None], 1.0, exog, residual[None], WEIGHTS, 1.0)
    assert step.network.terms == ()
    assert np.abs(step.step).max() < 1e-12
    expected = sm.OLS(target, exog).fit(cov_type=kind, cov_kwds=options or None)
    assert_close(step.covariance(kind, options).matrix, expected.cov_params(), what=kind)


@pytest.mark.parametrize("kind", ["HC0", "HC1"])
def test_degrees_of_freedom_of_the_network_count(sample, kind):
    """Robust variances are larger by what network and terms have used."""
    inputs, _, target, _ = sample
    _, _, gradient, step = estimates(inputs, target, solved(inputs, target, 0.01), 0.01)
    scores = np.array([step.representer(own) for own in gradient]) * step.moments.residual
    plain = (scores**2).sum(axis=1)
    found = np.diag(gradient @ step.covariance(kind).matrix @ gradient.T)
    counted = N if kind == "HC1" else N - NETWORK.n_linear
    assert step.bread.edf > 10
    np.testing.assert_allclose(found, plain * counted / (N - step.bread.edf), rtol=1e-6)


def test_hc3_leaves_observations_out(sample):
    """HC3 takes the exact leave-one-out residuals of the enriched regression."""
    inputs, _, target, _ = sample
    _, _, gradient, step = estimates(inputs, target, solved(inputs, target, 0.01), 0.01)
    phi = step.moments.jacobian
    scores = []
    for out in range(0, N, 40):
        kept = np.arange(N) != out
        left = phi[kept].T @ phi[kept] + np.diag(step.moments.ridge)
        without = np.linalg.solve(left, phi[kept].T @ step.moments.residual[kept])
        error = step.moments.residual[out] - phi[out] @ without
        scores.append(step.representer(gradient[0])[out] * error)
    leverage = ((phi @ step.bread.root) ** 2).sum(axis=1)
    after = step.moments.residual - phi @ step.step
    own = step.representer(gradient[0]) * after / (1.0 - leverage)
    np.testing.assert_allclose(scores, own[::40], rtol=1e-6)
    found = gradient[0] @ step.covariance("HC3").matrix @ gradient[0]
    np.testing.assert_allclose(found, (own**2).sum(), rtol=1e-8)


def left_out(step, inputs, groups):
    """Residuals of every group from an estimate without it, but for the linear part."""
    phi, residual = step.moments.jacobian, step.moments.residual
    linear, found = np.linalg.qr(inputs[:, :3])[0], np.empty(N)
    for group in np.unique(groups):
        out = groups == group
        kept = phi[~out]
        left = kept.T @ kept + np.diag(step.moments.ridge)
        own = residual[out] - phi[out] @ np.linalg.solve(left, kept.T @ residual[~out])
        found[out] = own - linear[out] @ (linear[out].T @ own)
    return found


@pytest.mark.parametrize("corrected", [True, False])
def test_clusters_are_left_out_of_the_network(sample, corrected):
    """Residuals of a cluster from an estimate without it, but for the linear part."""
    inputs, _, target, _ = sample
    _, _, gradient, step = estimates(inputs, target, solved(inputs, target, 0.01), 0.01)
    groups = np.arange(N) // 40
    scores = step.representer(gradient[1]) * left_out(step, inputs, groups)
    sums = np.bincount(groups, scores)
    expected = np.sum(np.square(sums)) * (10 / 9 * (N - 1) / (N - 3) if corrected else 1.0)
    options = {"groups": groups, "use_correction": corrected}
    found = step.covariance("cluster", options)
    np.testing.assert_allclose(gradient[1] @ found.matrix @ gradient[1], expected, rtol=1e-6)
    both = step.covariance("cluster", {**options, "groups": np.column_stack([groups, groups])})
    np.testing.assert_allclose(both.matrix, found.matrix, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("maxlags", [3, None])
def test_neighbours_are_left_out_together(sample, maxlags):
    """HAC takes residuals from which blocks have been left out that are longer than its lags."""
    inputs, _, target, _ = sample
    _, _, gradient, step = estimates(inputs, target, solved(inputs, target, 0.01), 0.01)
    reach = automatic_lags(N) if maxlags is None else maxlags
    residual = left_out(step, inputs, np.arange(N) // (2 * (reach + 1)))
    found = step.covariance("HAC", {"maxlags": maxlags})
    lags = found.options["maxlags"]
    weights = 1.0 - np.arange(lags + 1) / found.options.get("bandwidth", lags + 1.0)
    scores = step.representer(gradient[0]) * residual
    expected = sum(
        (2.0 if lag else 1.0) * weight * (scores[lag:] @ scores[: N - lag])
        for lag, weight in enumerate(weights)
    )
    np.testing.assert_allclose(gradient[0] @ found.matrix @ gradient[0], expected, rtol=1e-6)


def test_dummies_of_clusters(sample):
    """Clusters with dummies of their own have finite errors."""
    inputs, _, target, _ = sample
    groups = np.arange(N) // 40
    dummies = (groups[:, None] == np.arange(1, 10)).astype(float)
    network = Dense(12, 2, (6,), "tanh")
    rows = np.column_stack([inputs[:, :3], dummies, inputs[:, 3:]])
    params = least_squares(network, rows, target, WEIGHTS)
    params = params + 0.3 * network.init(np.random.default_rng(0))
    residual = target - fitted(network, params, rows)
    step = one_step(network, params[None], 0.01, rows, residual[None], WEIGHTS, 1.0)
    matrix = step.covariance("cluster", {"groups": groups}).matrix
    assert np.isfinite(matrix).all()
    assert 1e-4 < matrix[1, 1] < 1.0


def test_terms_of_dummies_and_of_networks_alone():
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.standard_normal(200), rng.integers(0, 2, 200)])
    network = Dense(1, 2, (3,), "tanh")
    found = terms(network, np.column_stack([np.ones(200), z]))
    assert found == ((0,), (1,), (0, 0), (0, 0, 0), (0, 1))
    assert terms_in_words(Enriched(network, found)) == "inputs, squares, cubes and products"
    assert terms(network, np.column_stack([np.ones(200), z])[:10]) == ()
