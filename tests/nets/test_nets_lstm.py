"""The LSTM of all rows at once equals the one of a row, derivatives included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnecon.nets import Ensemble, Recurrent

CASES = [("tanh", (3,)), ("logistic", (3,)), ("tanh", (3, 2))]


def problem(candidate, units):
    """A network, parameters, and rows in which periods are missing anywhere."""
    net = Recurrent(2, 5, 2, units, "lstm", candidate)
    g = np.random.default_rng(0)
    periods = g.standard_normal((6, net.window, net.n_inputs + 1))
    periods[:, :, -1] = g.random((6, net.window)) < 0.7
    rows = np.column_stack([np.ones(6), g.standard_normal(6), periods.reshape(6, -1)])
    params = net.init(g)
    params[:2] = g.standard_normal(2)
    return net, params, rows, g.standard_normal(6)


def by_row(net):
    """What the network is, row by row."""
    return jax.vmap(net.apply, in_axes=(None, 0))


@pytest.mark.parametrize(("candidate", "units"), CASES)
def test_values_and_gradients_are_those_of_single_rows(candidate, units):
    net, params, rows, _ = problem(candidate, units)
    with jax.enable_x64(True):
        values = jax.jit(net.values)(params, rows)
        gradients = jax.jit(net.gradients)(params, rows)
        expected = jax.jit(by_row(net))(params, rows)
        derived = jax.jit(jax.jacfwd(by_row(net)))(params, rows)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gradients, derived, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("candidate", "units"), CASES[1:])
def test_derivatives_of_a_sum_over_rows(candidate, units):
    net, params, rows, multipliers = problem(candidate, units)
    direction = np.linspace(-1.0, 1.0, net.n_params)

    def both(values):
        def total(at):
            return jnp.sum(multipliers * values(at, rows) ** 2)

        return jax.jit(lambda at: jax.jvp(jax.grad(total), (at,), (direction,)))

    with jax.enable_x64(True):
        gradient, bend = both(net.values)(params)
        expected, expected_bend = both(by_row(net))(params)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(bend, expected_bend, rtol=1e-11, atol=1e-11)


def test_gradient_is_that_of_finite_differences():
    net, params, rows, multipliers = problem("tanh", (3,))
    with jax.enable_x64(True):
        total = jax.jit(lambda at: jnp.sum(multipliers * net.values(at, rows)))
        gradient = jax.grad(total)(params)
        steps = 1e-6 * np.eye(net.n_params)
        differences = [float(total(params + h) - total(params - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(gradient, differences, atol=1e-8)


def test_a_mean_of_networks_works_on_all_rows_too():
    net, params, rows, _ = problem("tanh", (3,))
    mean = Ensemble(net, 2)
    both = np.concatenate([params, -params])
    with jax.enable_x64(True):
        values, gradients = mean.values(both, rows), mean.gradients(both, rows)
        expected = (by_row(net)(params, rows) + by_row(net)(-params, rows)) / 2
        derived = jax.jacfwd(by_row(mean))(both, rows)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(gradients, derived, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("candidate", "units"), CASES)
def test_products_with_second_derivatives(candidate, units):
    net, params, rows, multipliers = problem(candidate, units)
    direction = np.linspace(-1.0, 1.0, net.n_params)

    def slope(at):
        return jax.grad(lambda inner: jnp.sum(multipliers * by_row(net)(inner, rows)))(at)

    with jax.enable_x64(True):
        found = jax.jit(net.bend)(jax.jit(net.course)(params, rows, multipliers), direction)
        expected = jax.jit(lambda at: jax.jvp(slope, (at,), (direction,))[1])(params)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
