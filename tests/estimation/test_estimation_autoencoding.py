"""The autoencoder's objective: derivatives, the best output layer, masks, the linear limit."""

import numpy as np
import pytest
from helpers import numerical_jacobian

from nnecon.estimation.autoencoding import (
    PanelSample,
    PathWork,
    autoencoder_kernels,
    linear_objective,
    solve_autoencoder,
)
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import double_precision
from nnecon.inference.principal_components import principal_components
from nnecon.nets.autoencoder import Autoencoder

NETWORKS = {
    "both": Autoencoder(5, 2, (3,), (4,), "tanh"),
    "deep": Autoencoder(5, 2, (4, 3), (3, 4), "logistic"),
    "decoder": Autoencoder(5, 2, (), (4,), "tanh"),
    "encoder": Autoencoder(5, 2, (3,), (), "softplus"),
    "tied": Autoencoder(5, 2, (3,), (3,), "tanh", tied=True),
    "tied deep": Autoencoder(5, 2, (4, 3), (3, 4), "softplus", linear_part=False, tied=True),
    "pure": Autoencoder(5, 2, (3,), (3,), "tanh", linear_part=False),
}


def sample(missing=0.0, seed=0):
    g = np.random.default_rng(seed)
    f = g.standard_normal((60, 2))
    x = f @ g.standard_normal((2, 9)) + f**2 @ g.standard_normal((2, 9))
    x = x + 0.3 * g.standard_normal((60, 9))
    found = principal_components(x)
    known = (g.uniform(size=x.shape) >= missing).astype(float)
    z = found.standardisation.apply(x)
    return PanelSample(found.scores(x, 5) * np.sqrt(60), known * z, known / known.sum())


def denoised(missing=0.0, copies=3, size=0.5):
    data = sample(missing)
    noise = size * np.random.default_rng(5).standard_normal((copies, *data.scores.shape))
    return PanelSample(data.scores, data.target, data.weights, data.scores + noise)


def start(network, seed=1):
    g = np.random.default_rng(seed)
    return network.init(g, np.linalg.qr(g.standard_normal((5, 2)))[0])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_gradient_is_that_of_finite_differences(name, missing):
    network, data = NETWORKS[name], sample(missing)
    kernel = autoencoder_kernels(network).value_gradient
    params = start(network)
    with double_precision():
        args = *data.seen, 0.02
        gradient = np.asarray(kernel(params, *args)[1])
        numerical = numerical_jacobian(lambda at: np.array([float(kernel(at, *args)[0])]), params)
    np.testing.assert_allclose(gradient, numerical[0], atol=2e-8)


def test_output_layer_is_the_ridge_regression_of_each_series():
    network, data, alpha = NETWORKS["both"], sample(0.2), 0.05
    params = start(network)
    kernels = autoencoder_kernels(network)
    with double_precision():
        found = np.asarray(
            kernels.output(params, data.scores, data.target, data.used_weights, alpha)
        )
        regressors = np.asarray(kernels.features(params, kernels.encode(params, data.scores)))
    n_series = data.target.shape[1]
    for j in (0, 5):
        weight = data.weights[:, j]
        gram = regressors.T @ (weight[:, None] * regressors)
        gram += np.diag(alpha / n_series * network.penalised_output)
        expected = np.linalg.solve(gram, regressors.T @ (weight * data.target[:, j]))
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-6, atol=1e-8)


def test_equal_weights_by_cell_and_by_row_are_the_same_problem():
    network, data = NETWORKS["both"], sample()
    params, kernel = start(network), autoencoder_kernels(network).value_gradient
    with double_precision():
        by_row = kernel(params, data.scores, data.target, data.weights[:, :1], 0.01)
        by_cell = kernel(params, data.scores, data.target, data.weights, 0.01)
    np.testing.assert_allclose(float(by_row[0]), float(by_cell[0]), rtol=1e-9)
    np.testing.assert_allclose(by_row[1], by_cell[1], atol=1e-9)


def test_rows_without_weight_do_not_count():
    network, data = NETWORKS["both"], sample()
    weights = data.weights.copy()
    weights[40:] = 0.0
    weights /= weights.sum()
    kept = PanelSample(data.scores[:40], data.target[:40], weights[:40])
    params, kernel = start(network), autoencoder_kernels(network).value_gradient
    with double_precision():
        whole = kernel(params, data.scores, data.target, weights[:, :1], 0.01)[0]
        part = kernel(params, kept.scores, kept.target, kept.used_weights, 0.01)[0]
    np.testing.assert_allclose(float(whole), float(part), rtol=1e-12)


def test_linear_optimum_is_principal_components():
    data = sample()
    with double_precision():
        found = linear_objective(NETWORKS["both"], data, Monitor())
    eigenvals = np.linalg.eigvalsh(data.target.T @ data.target)[::-1]
    np.testing.assert_allclose(found, 0.5 * eigenvals[2:].sum() / data.target.size, rtol=1e-8)


def test_directions_are_orthonormal():
    network = NETWORKS["both"]
    with double_precision():
        found = np.asarray(network.directions(3.0 * start(network)))
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-12)


def test_path_goes_from_principal_components_to_lower_losses():
    network, data = NETWORKS["both"], sample()
    alphas = np.array([100.0, 0.1, 0.001, 0.0001])
    starts = np.stack([start(network, seed) for seed in (1, 2)])
    path = PathWork(network, alphas)([(data, starts)], Monitor())[0]
    assert path.linear[0] and not path.linear[-1]
    assert (np.diff(path.objective) < 0).any() and (np.diff(path.objective) <= 1e-12).all()
    assert path.objective[0] == path.ceiling[0]


def test_polished_estimate_is_stationary():
    network, data = NETWORKS["both"], sample(0.1)
    with double_precision():
        solved = solve_autoencoder(network, data, start(network), 0.01, 2000, Monitor())
    assert solved.certificate < 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_an_encoder_moves_to_other_inputs(name):
    network, data = NETWORKS[name], sample()
    params = start(network)
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((5, 5)))[0]
    kernels = autoencoder_kernels(network)
    with double_precision():
        expected = np.asarray(kernels.encode(params, data.scores @ turn))
        found = np.asarray(kernels.encode(network.on_other_inputs(params, turn), data.scores))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tied_decoder_is_the_transposed_encoder():
    network, data = NETWORKS["tied"], sample()
    params = start(network) + 0.1
    at = network.encoder_layers[0]
    first, to_codes = params[at.weights].reshape(3, 5), params[network.encoder_output].reshape(2, 3)
    free = params[:10].reshape(5, 2)
    directions = np.linalg.solve(np.linalg.cholesky(free.T @ free), free.T).T
    hidden = np.tanh(params[at.bias] + data.scores @ first.T)
    codes = data.scores @ directions + hidden @ to_codes.T
    back = np.tanh(params[network.decoder_layers[0].bias] + codes @ to_codes)
    scores = params[network.output_bias] + codes @ directions.T + back @ first
    kernels = autoencoder_kernels(network)
    with double_precision():
        found = np.asarray(kernels.features(params, kernels.encode(params, data.scores)))
        output = np.asarray(kernels.output(params, *data.seen, 0.01))
    np.testing.assert_allclose(found[:, 1:], scores, atol=1e-12)
    expected = np.linalg.lstsq(np.c_[np.ones(60), data.scores], data.target, rcond=None)[0]
    np.testing.assert_allclose(output, expected, atol=1e-7)
    assert network.n_params == 10 + 3 * 5 + 3 + 2 * 3 + 3 + 5


def test_tied_weights_shrink_to_principal_components():
    data, network = sample(), NETWORKS["tied"]
    without = np.where(network.penalised > 0, 0.0, start(network))
    with double_precision():
        shrunk = solve_autoencoder(network, data, start(network), 1e4, 2000, Monitor())
        exact = solve_autoencoder(network, data, without, 1e4, 2000, Monitor())
        ceiling = linear_objective(network, data, Monitor())
    np.testing.assert_allclose(exact.value, ceiling, rtol=1e-8)
    np.testing.assert_allclose(shrunk.value, ceiling, rtol=1e-5)
    assert np.abs(shrunk.params[network.penalised == 1.0]).max() < 1e-4


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_denoising_objective_is_the_mean_over_the_copies(missing):
    network, data, alpha = NETWORKS["decoder"], denoised(missing), 0.02
    params, kernels = start(network), autoencoder_kernels(NETWORKS["decoder"])
    with double_precision():
        value = float(kernels.value_gradient(params, *data.seen, alpha)[0])
        output = np.asarray(kernels.output(params, *data.seen, alpha))
        losses = []
        for scores in data.corrupted:
            fit = np.asarray(kernels.features(params, kernels.encode(params, scores))) @ output
            losses.append(0.5 * np.sum(data.weights * (data.target - fit) ** 2))
    penalty = np.sum(network.penalised_output[:, None] * output**2) / data.target.shape[1]
    penalty += np.sum(network.penalised * params**2)
    np.testing.assert_allclose(value, np.mean(losses) + 0.5 * alpha * penalty, rtol=1e-10)


def test_linear_optimum_under_noise_is_a_reduced_rank_regression():
    data = denoised(copies=4)
    with double_precision():
        found = linear_objective(NETWORKS["both"], data, Monitor())
    scores, target, _ = data.seen
    inputs = np.c_[np.ones(len(scores)), scores]
    constant = target.mean(axis=0)
    fit = inputs @ np.linalg.lstsq(inputs, target, rcond=None)[0] - constant
    left = np.sum((target - constant - fit) ** 2)
    # of the least-squares fit, the first two components (Izenman, 1975)
    lost = np.sum(np.linalg.svd(fit, compute_uv=False)[2:] ** 2)
    np.testing.assert_allclose(found, 0.5 * (left + lost) / target.size, rtol=1e-7)
