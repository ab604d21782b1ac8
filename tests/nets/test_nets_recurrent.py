"""Recurrent networks: the zero network, masks, order of units, derivatives."""

import jax
import numpy as np
import pytest
from helpers import numerical_jacobian

from nnecon.estimation.kernels import fitted, kernels
from nnecon.estimation.losses import Squared
from nnecon.nets import Recurrent

KINDS = [
    ("lstm", "tanh"),
    ("lstm", "logistic"),
    ("gru", "tanh"),
    ("rnn", "tanh"),
]


def network(cell="lstm", candidate="tanh", units=(3,)):
    return Recurrent(2, 4, 2, units, cell, candidate)


def rows(net, n=5, seed=0, absent=0):
    g = np.random.default_rng(seed)
    periods = g.standard_normal((n, net.window, net.n_inputs + 1))
    periods[:, :, -1] = 1.0
    periods[:, :absent] = 0.0
    return np.column_stack([np.ones(n), g.standard_normal(n), periods.reshape(n, -1)])


def lstm_by_hand(net, params, row):
    """The equations of the module's docstring, one unit layer, in NumPy."""
    (layer,) = net.layers
    into = params[layer.into].reshape(4, layer.units, layer.inputs)
    within = params[layer.within].reshape(4, layer.units, layer.units)
    bias = params[layer.bias].reshape(4, layer.units)
    logistic = lambda a: 1.0 / (1.0 + np.exp(-a))
    h, s = np.zeros(layer.units), np.zeros(layer.units)
    for period in row[2:].reshape(net.window, -1):
        a = [into[g] @ period[:-1] + within[g] @ h + bias[g] for g in range(4)]
        s = logistic(a[1] + 1.0) * s + logistic(a[0]) * np.tanh(a[3])
        h = logistic(a[2]) * np.tanh(s)
    return row[:2] @ params[:2] + params[layer.bias.stop :] @ h


def test_lstm_is_the_textbooks():
    net = network()
    params = net.init(np.random.default_rng(1))
    params[:2] = [0.3, -0.7]
    data = rows(net)
    expected = [lstm_by_hand(net, params, row) for row in data]
    np.testing.assert_allclose(fitted(net, params, data), expected, rtol=1e-12)


@pytest.mark.parametrize(("cell", "candidate"), KINDS)
@pytest.mark.parametrize("units", [(3,), (3, 2)])
def test_order_and_sign_of_units_do_not_matter(cell, candidate, units):
    net = network(cell, candidate, units)
    params = net.init(np.random.default_rng(2))
    data = rows(net)
    canonical = net.canonical(params)
    np.testing.assert_allclose(fitted(net, canonical, data), fitted(net, params, data), rtol=1e-9)
    np.testing.assert_allclose(net.canonical(canonical), canonical, rtol=1e-12)
    out = canonical[-units[-1] :]
    assert (np.diff(np.abs(out)) <= 0).all()
    if candidate == "tanh":
        assert (out > 0).all()


@pytest.mark.parametrize(("cell", "candidate"), KINDS)
def test_periods_before_the_sample_leave_the_state_alone(cell, candidate):
    net = network(cell, candidate)
    shorter = Recurrent(2, 2, 2, (3,), cell, candidate)
    params = net.init(np.random.default_rng(3))
    padded = rows(net, absent=2)
    cut = np.column_stack([padded[:, :2], padded[:, 2 + 2 * 3 :]])
    np.testing.assert_allclose(fitted(net, params, padded), fitted(shorter, params, cut))
    # what stands in a period that is not there does not matter
    changed = padded.copy()
    changed[:, 2:4] = 99.0
    np.testing.assert_allclose(fitted(net, params, changed), fitted(net, params, padded))


@pytest.mark.parametrize(("cell", "candidate"), KINDS)
def test_derivatives_are_those_of_finite_differences(cell, candidate):
    net = network(cell, candidate)
    params = net.init(np.random.default_rng(4))
    data = rows(net)
    kernel = kernels(net, Squared())
    with jax.enable_x64(True):
        jacobian = np.asarray(kernel.jacobian(params, data))
        direction = np.linspace(-1.0, 1.0, net.n_params)
        weights = np.arange(1.0, len(data) + 1.0)
        bent = np.asarray(kernel.bend(kernel.course(params, data, weights), direction))
    expected = numerical_jacobian(lambda at: fitted(net, at, data), params)
    np.testing.assert_allclose(jacobian, expected, atol=1e-7)
    slope = lambda step: (
        weights @ numerical_jacobian(lambda at: fitted(net, at, data), params + step * direction)
    )
    np.testing.assert_allclose(bent, (slope(1e-4) - slope(-1e-4)) / 2e-4, atol=1e-4)


def test_without_weights_there_is_only_the_linear_part():
    net = network()
    params = np.zeros(net.n_params)
    params[:2] = [1.0, 2.0]
    data = rows(net)
    np.testing.assert_allclose(fitted(net, params, data), data[:, :2] @ [1.0, 2.0])
    assert not net.neural[:2].any() and net.neural[2:].all()
    names = net.names(("const", "x"), ("a", "b"))
    assert len(names) == net.n_params and "forget1.2:b" in names and names[-1] == "y:h1.3"
