"""Average slopes, changes and levels, and their gradients, against finite differences."""

import numpy as np
import pytest
from helpers import numerical_jacobian

from nnecon.inference.effects import (
    average_change,
    average_level,
    average_slope,
    changes_along,
    delta_variance,
    slopes_along,
    values_and_gradients,
)
from nnecon.nets import Dense


@pytest.fixture(params=[(), (3,), (3, 2)], ids=str)
def setting(request):
    network = Dense(2, 3 if request.param else 0, request.param, "tanh")
    g = np.random.default_rng(9)
    rows, directions, reference = g.standard_normal((3, 12, network.n_linear + network.n_inputs))
    weights = g.uniform(size=12)
    params = g.standard_normal(network.n_params)
    return network, params, rows, directions, reference, weights / weights.sum()


def test_average_slope(setting):
    network, params, rows, directions, _, weights = setting
    value, gradient = average_slope(network, params, rows, directions, weights)
    step = 1e-6

    def slope(at):
        up = values_and_gradients(network, at, rows + step * directions)[0]
        down = values_and_gradients(network, at, rows - step * directions)[0]
        return weights @ (up - down) / (2 * step)

    assert value == pytest.approx(slope(params), rel=1e-7)

    def exact(at):
        return average_slope(network, at, rows, directions, weights)[0]

    np.testing.assert_allclose(gradient, numerical_jacobian(exact, params), atol=1e-8)
    many = np.stack([params, -params])
    along = slopes_along(network, many, rows, directions, weights)
    np.testing.assert_allclose(along, [exact(params), exact(-params)], rtol=1e-12)


def test_average_level_and_change(setting):
    network, params, rows, _, reference, weights = setting
    level, gradient = average_level(network, params, rows, weights)
    assert level == pytest.approx(weights @ values_and_gradients(network, params, rows)[0])

    def levels(at):
        return average_level(network, at, rows, weights)[0]

    np.testing.assert_allclose(gradient, numerical_jacobian(levels, params), atol=1e-8)
    change, change_gradient = average_change(network, params, rows, reference, weights)

    def changes(at):
        return levels(at) - average_level(network, at, reference, weights)[0]

    assert change == pytest.approx(changes(params))
    np.testing.assert_allclose(change_gradient, numerical_jacobian(changes, params), atol=1e-8)
    along = changes_along(network, params[None], rows, reference, weights)
    np.testing.assert_allclose(along, [change], rtol=1e-10)


def test_gradients_of_single_rows(setting):
    network, params, rows, *_ = setting

    def values(at):
        return values_and_gradients(network, at, rows)[0]

    gradients = values_and_gradients(network, params, rows)[1]
    np.testing.assert_allclose(gradients, numerical_jacobian(values, params), atol=1e-8)


def test_delta_variance_is_a_quadratic_form():
    g = np.random.default_rng(0)
    gradients, factor = g.standard_normal((4, 3)), g.standard_normal((3, 3))
    covariance = factor @ factor.T
    expected = np.diag(gradients @ covariance @ gradients.T)
    np.testing.assert_allclose(delta_variance(gradients, covariance), expected)
