"""Compiled derivatives against finite differences, and what the certificate says."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import numerical_jacobian

from nnecon.estimation.classical import least_squares
from nnecon.estimation.kernels import (
    certificate,
    double_precision,
    fitted,
    fitted_many,
    kernels,
    relative_gradient,
    second_derivatives,
    shares,
)
from nnecon.estimation.local_model import Differentiated, local_model
from nnecon.estimation.losses import Logistic, Poisson, PseudoHuber, Squared
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Objective
from nnecon.nets import Custom, Dense
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.one_layer import BLOCK, OneLayer

NETWORKS = {
    "linear": Dense(3, 0, (), "tanh"),
    "one layer": Dense(3, 2, (4,), "tanh"),
    "two layers": Dense(1, 2, (3, 2), "logistic"),
    "softplus": Dense(3, 2, (3,), "softplus"),
    "user": Custom(lambda b, x: b[0] * jnp.exp(b[1] * x[0]) + b[2] * x[1] ** 2, 3, 2),
}


@pytest.fixture(params=NETWORKS)
def problem(request):
    """Objective, weights and a point that is no solution."""
    network = NETWORKS[request.param]
    g = np.random.default_rng(5)
    width = network.n_inputs if isinstance(network, Custom) else network.n_linear + network.n_inputs
    inputs = g.standard_normal((20, width))
    target, weights = g.standard_normal(20), g.uniform(0.2, 3.0, 20)
    objective = Objective(network, inputs, target, Ridge(network.neural.astype(float)))
    return objective, weights, 0.4 * g.standard_normal(network.n_params)


def weighted_residual(objective, params, weights):
    fit = fitted(objective.network, params, objective.inputs)
    return (fit - objective.target) * np.sqrt(weights / weights.sum())


def test_residuals_and_jacobian(problem):
    objective, weights, params = problem
    jacobian, _ = second_derivatives(objective, params, weights)

    def residuals(at):
        return weighted_residual(objective, at, weights)

    np.testing.assert_allclose(jacobian, numerical_jacobian(residuals, params), atol=1e-8)


def test_gradient_and_hessian_of_the_mean_loss(problem):
    objective, weights, params = problem
    kernel = kernels(objective.network, Squared())
    share = shares(weights)

    def gradient(at):
        with double_precision():
            return np.asarray(
                kernel.value_gradient(at, objective.inputs, objective.target, share)[1]
            )

    def loss(at):
        fit = fitted(objective.network, at, objective.inputs)
        return np.average(0.5 * (objective.target - fit) ** 2, weights=weights)

    np.testing.assert_allclose(gradient(params), numerical_jacobian(loss, params), atol=1e-8)
    residual = weighted_residual(objective, params, weights)
    jacobian, bending = second_derivatives(objective, params, weights)
    np.testing.assert_allclose(jacobian.T @ residual, gradient(params), atol=1e-13)
    hessian = jacobian.T @ jacobian + bending
    np.testing.assert_allclose(hessian, numerical_jacobian(gradient, params), atol=1e-7)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-13)


def test_second_derivatives_along_a_direction(problem):
    objective, _, params = problem
    direction = np.random.default_rng(2).standard_normal(len(params))
    step = 1e-4
    with double_precision():
        found = kernels(objective.network, Squared()).second_directional(
            params, direction, objective.inputs
        )

    def value(t):
        return fitted(objective.network, params + t * direction, objective.inputs)

    expected = (value(step) - 2 * value(0.0) + value(-step)) / step**2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_many_parameter_vectors_at_once(problem):
    objective, _, params = problem
    many = np.stack([params, 2 * params, 0 * params])
    expected = [fitted(objective.network, one, objective.inputs) for one in many]
    np.testing.assert_allclose(
        fitted_many(objective.network, many, objective.inputs), expected, rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_certificate_is_the_largest_cosine(problem, alpha):
    """Penalties are residuals too: the certificate is max |J_j'r| / (|J_j| |r|)."""
    objective, weights, params = problem
    loss, penalty, found = certificate(objective, params, weights, alpha)
    residual = weighted_residual(objective, params, weights)
    jacobian, _ = second_derivatives(objective, params, weights)
    ridge = np.sqrt(alpha * objective.penalised)
    stacked = np.concatenate([residual, ridge * params])
    columns = np.concatenate([jacobian, np.diag(ridge)])
    norms = np.linalg.norm(columns, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    cosines = np.abs(columns.T @ stacked) / norms / np.linalg.norm(stacked)
    assert found == pytest.approx(cosines.max(), rel=1e-10)
    assert found <= 1.0
    assert loss == pytest.approx(0.5 * residual @ residual)
    assert penalty == pytest.approx(0.5 * (params[objective.penalised > 0] ** 2).sum())


def test_certificate_does_not_depend_on_units():
    g = np.random.default_rng(0)
    inputs, target, weights = g.standard_normal((15, 3)), g.standard_normal(15), np.ones(15)
    network, params = Dense(3, 0, (), "tanh"), g.standard_normal(3)

    def value(columns, level, scale):
        objective = Objective(network, inputs * columns, target * level, Ridge(np.zeros(3)))
        return certificate(objective, params * level / columns, scale * weights, 0.0)[2]

    reference = value(np.ones(3), 1.0, 1.0)
    assert value(np.array([1e6, 1e-6, 1.0]), 1.0, 1.0) == pytest.approx(reference)
    assert value(np.ones(3), 1e8, 1.0) == pytest.approx(reference)
    assert value(np.ones(3), 1.0, 1e5) == pytest.approx(reference)


def test_certificate_vanishes_at_least_squares_and_at_exact_fits():
    g = np.random.default_rng(1)
    inputs, weights = g.standard_normal((15, 3)), g.uniform(1, 2, 15)
    network = Dense(3, 0, (), "tanh")
    for target in (g.standard_normal(15), inputs @ [1.0, -2.0, 0.5], np.zeros(15)):
        objective = Objective(network, inputs, target, Ridge(np.zeros(3)))
        params = least_squares(network, inputs, target, weights)
        assert certificate(objective, params, weights, 0.0)[2] < 1e-7
    assert relative_gradient(np.zeros(2), np.zeros(2), 0.0, 0.0) == 0.0


LOSSES = {
    "squared": Squared(),
    "logistic": Logistic(),
    "Poisson": Poisson(),
    "Huber": PseudoHuber(0.7),
}


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_and_curvatures_of_losses(name):
    loss, g = LOSSES[name], np.random.default_rng(3)
    target, at = g.integers(0, 2, 9).astype(float), g.uniform(-2, 2, 9)
    with double_precision():
        assert (np.asarray(loss.value(target, at)) >= 0).all()
        first = numerical_jacobian(lambda f: np.asarray(loss.value(target, f)), at)
        np.testing.assert_allclose(np.diag(first), loss.slope(target, at), atol=1e-8)
        second = numerical_jacobian(lambda f: np.asarray(loss.slope(target, f)), at)
        np.testing.assert_allclose(np.diag(second), loss.curvature(target, at), atol=1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_layer_without_a_jacobian_equals_differentiation(activation):
    """Values and sums of derivatives over more than one block of rows."""
    g = np.random.default_rng(8)
    network, inputs = Dense(4, 3, (5,), activation), g.standard_normal((BLOCK + 77, 7))
    params, c = g.standard_normal(network.n_params), g.uniform(size=len(inputs))
    slope = g.standard_normal(len(inputs))
    one = local_model(network, Squared(), inputs)
    assert isinstance(one, OneLayer)
    other = Differentiated(kernels(network, Squared()), inputs)
    with double_precision():
        (fit, units), (expected, state) = one.evaluate(params), other.evaluate(params)
        tight = {"rtol": 1e-10, "atol": 1e-10}
        np.testing.assert_allclose(fit, expected, **tight)
        np.testing.assert_allclose(one.jacobian(units), other.jacobian(state), **tight)
        np.testing.assert_allclose(
            one.gradient(units, slope), other.gradient(state, slope), **tight
        )
        np.testing.assert_allclose(one.normal(units, c), other.normal(state, c), **tight)
        np.testing.assert_allclose(one.bending(units, slope), other.bending(state, slope), **tight)


def test_outer_weights_are_refitted_by_least_squares():
    g = np.random.default_rng(8)
    network, inputs = Dense(3, 2, (4,), "tanh"), g.standard_normal((50, 5))
    target, share = g.standard_normal(50), shares(g.uniform(1, 2, 50))
    ridge = 0.01 * network.neural
    one = OneLayer.on(network, inputs)
    start = g.standard_normal(network.n_params)
    params, fit, units = one.refit(start, one.evaluate(start)[1], target, share, ridge)
    np.testing.assert_allclose(fit, one.evaluate(params)[0], atol=1e-12)
    gradient = one.gradient(units, share * (fit - target)) + ridge * params
    outer = np.r_[:3, -4:0]
    np.testing.assert_allclose(gradient[outer], 0.0, atol=1e-13)
    changed = np.flatnonzero(params != start)
    assert set(changed) == {int(at) % len(params) for at in outer}
