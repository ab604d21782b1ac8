"""Objective of autoencoders with dynamics: against its definition, finite differences, weights."""

import numpy as np
import pytest
from helpers import numerical_jacobian

from nnecon.estimation.autoencoding import PanelSample, objective_of
from nnecon.estimation.dynamic_autoencoding import Dynamics
from nnecon.estimation.kernels import double_precision
from nnecon.inference.factor_dynamics import (
    factor_var,
    one_step,
    one_step_regressors,
    sample_output,
)
from nnecon.inference.factor_map import encode, regressors
from nnecon.nets.autoencoder import Autoencoder

ALPHA = 0.01
NETWORKS = {
    "both": Autoencoder(5, 2, (3,), (3,), "tanh"),
    "encoder": Autoencoder(5, 2, (3,), (), "softplus"),
    "decoder": Autoencoder(5, 1, (), (4,), "tanh"),
    "pure": Autoencoder(5, 2, (3,), (3,), "tanh", linear_part=False),
    "tied": Autoencoder(5, 2, (3,), (3,), "tanh", tied=True),
    "sparse": Autoencoder(5, 2, (3,), (3,), "tanh", sparsity=0.1),
}

CASES = [("both", False), ("both", True), ("encoder", False), ("decoder", True), ("pure", False),
         ("tied", True)]  # fmt: skip


def sample(network, order=2, share=0.4, holes=False, left_out=()):
    g = np.random.default_rng(1)
    scores = np.cumsum(g.standard_normal((60, 5)), axis=0) * 0.3 + g.standard_normal((60, 5))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.sqrt(60)
    target = scores @ g.standard_normal((5, 6)) + g.standard_normal((60, 6))
    weights = np.ones(target.shape)
    if holes:
        weights[g.uniform(size=weights.shape) < 0.1] = 0.0
    weights[list(left_out)] = 0.0
    dynamics = Dynamics(order, share)
    return PanelSample(
        scores, np.where(weights > 0, target, 0.0), weights / weights.sum(), None, dynamics
    )


def start(network):
    g = np.random.default_rng(2)
    return network.init(g, np.linalg.qr(g.standard_normal((5, network.k_factors)))[0])


def value_at(network, data, params, alpha=ALPHA):
    kernel, given = objective_of(network, data)
    with double_precision():
        value, gradient = kernel(params, *given, alpha)
        return float(value), np.asarray(gradient)


@pytest.mark.parametrize(("name", "holes"), CASES)
def test_objective_is_reconstruction_and_forecasts_by_its_definition(name, holes):
    network, order, share = NETWORKS[name], 2, 0.4
    data, params = sample(network, order, share, holes, left_out=range(20, 30)), start(network)
    codes = encode(network, params, data.scores)
    usable = np.ones(58, dtype=bool)
    usable[18:30] = False
    var = factor_var(codes, order, usable)
    ahead = one_step(var.system, codes)
    if network.decoder:
        root = np.sqrt(network.k_factors) * np.linalg.cholesky(var.system.covariance).T
        points = [ahead + sign * move for move in root for sign in (1, -1)]
        seen = np.mean([regressors(network, params, point) for point in points], axis=0)
    else:
        seen = regressors(network, params, ahead)
    output = sample_output(network, data, params, ALPHA)
    forecast = data.weights[order:] * usable[:, None]
    forecast /= forecast.sum()
    left = (data.target - regressors(network, params, codes) @ output) ** 2
    missed = (data.target[order:] - seen @ output) ** 2
    expected = 0.5 * ((1 - share) * (data.weights * left).sum() + share * (forecast * missed).sum())
    ridge = network.penalised_output[:, None] * output**2
    expected += 0.5 * ALPHA * (ridge.sum() / 6 + network.penalised @ params**2)
    np.testing.assert_allclose(value_at(network, data, params)[0], expected, rtol=1e-7)
    np.testing.assert_allclose(
        one_step_regressors(network, order, params, data.scores, usable), seen, atol=1e-7
    )


@pytest.mark.parametrize(("name", "holes"), [*CASES, ("sparse", False)])
def test_gradient_is_the_finite_difference(name, holes):
    network = NETWORKS[name]
    data, params = sample(network, holes=holes), start(network)
    found = value_at(network, data, params)[1]
    expected = numerical_jacobian(lambda at: value_at(network, data, at)[0], params)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_forecasts_it_is_the_static_objective():
    network = NETWORKS["both"]
    data, params = sample(network, share=0.0), start(network)
    static = PanelSample(data.scores, data.target, data.weights)
    for found, expected in zip(
        value_at(network, data, params), value_at(network, static, params), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_output_layer_is_the_best_one():
    network, g = NETWORKS["both"], np.random.default_rng(0)
    data, params = sample(network, holes=True), start(network)
    output = sample_output(network, data, params, ALPHA)
    scores, target, weights, usable, forecast, share = objective_of(network, data)[1]
    now = regressors(network, params, encode(network, params, scores))
    ahead = one_step_regressors(network, 2, params, scores, usable)

    def loss(at):
        left = (weights * (target - now @ at) ** 2).sum()
        missed = (forecast * (target[2:] - ahead @ at) ** 2).sum()
        ridge = ALPHA / 6 * (network.penalised_output[:, None] * at**2).sum()
        return (1 - share) * left + share * missed + ridge

    least = loss(output)
    for _ in range(20):
        assert loss(output + 1e-3 * g.standard_normal(output.shape)) > least


def test_rows_without_weight_and_their_successors_are_not_forecast():
    dynamics, weights = Dynamics(2, 0.5), np.ones((8, 1))
    weights[3] = 0.0
    np.testing.assert_array_equal(dynamics.usable(weights), [1, 0, 0, 0, 1, 1])
    both = dynamics.both_weights(weights / weights.sum())
    np.testing.assert_allclose(both.sum(), 1.0)
    np.testing.assert_allclose(both[3], 0.0)
