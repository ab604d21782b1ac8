"""The feed-forward network: values, parameter layout, second derivatives, change of units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnecon.estimation.kernels import double_precision, fitted
from nnecon.exceptions import SpecificationError
from nnecon.nets import Custom, Dense
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.custom import check_function

DEPTHS = [(), (1,), (4,), (3, 2), (2, 3, 2)]


def rows_and_params(network, n=7, seed=0):
    g = np.random.default_rng(seed)
    rows = g.standard_normal((n, network.n_linear + network.n_inputs))
    params = network.init(g)
    params[: network.n_linear] = g.standard_normal(network.n_linear)
    return rows, params


def values(network, params, rows):
    with double_precision():
        return np.asarray(jax.vmap(network.apply, in_axes=(None, 0))(params, rows))


NUMPY_ACTIVATIONS = {
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * np.vectorize(normal_cdf)(x),
}


def normal_cdf(x):
    from math import erf, sqrt

    return 0.5 * (1 + erf(x / sqrt(2)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_one_layer_by_hand(name):
    network = Dense(2, 3, (2,), name)
    rows, params = rows_and_params(network)
    gamma, weights = params[:2], params[2:8].reshape(2, 3)
    bias, out = params[8:10], params[10:]
    hidden = NUMPY_ACTIVATIONS[name](rows[:, 2:] @ weights.T + bias)
    expected = rows[:, :2] @ gamma + hidden @ out
    np.testing.assert_allclose(values(network, params, rows), expected, rtol=1e-12)


def test_two_layers_by_hand():
    network = Dense(1, 2, (3, 2), "tanh")
    rows, params = rows_and_params(network)
    first, bias1 = params[1:7].reshape(3, 2), params[7:10]
    second, bias2, out = params[10:16].reshape(2, 3), params[16:18], params[18:]
    hidden = np.tanh(np.tanh(rows[:, 1:] @ first.T + bias1) @ second.T + bias2)
    expected = rows[:, 0] * params[0] + hidden @ out
    np.testing.assert_allclose(values(network, params, rows), expected, rtol=1e-12)
    assert network.n_params == len(params) == 20


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(3,), (3, 2)])
def test_curvature_equals_the_differentiated_sum(name, hidden):
    network = Dense(2, 3, hidden, name)
    rows, params = rows_and_params(network)
    multipliers = np.random.default_rng(1).standard_normal(len(rows))

    def weighted(at):
        return jnp.sum(multipliers * jax.vmap(network.apply, in_axes=(None, 0))(at, rows))

    with double_precision():
        expected = np.asarray(jax.hessian(weighted)(jnp.asarray(params)))
        found = np.asarray(
            network.curvature(jnp.asarray(params), jnp.asarray(rows), jnp.asarray(multipliers))
        )
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("hidden", DEPTHS)
@pytest.mark.parametrize("const", [None, 0, 2])
def test_user_units_predict_the_same_from_raw_data(hidden, const):
    """Standardised and raw parameters give the same numbers; the map is an exact inverse."""
    g = np.random.default_rng(3)
    n_linear, n_inputs = 3, 2 if hidden else 0
    network = Dense(n_linear, n_inputs, hidden, "tanh")
    linear, inputs = 50 + 9 * g.standard_normal((6, n_linear)), 3 + g.standard_normal((6, n_inputs))
    linear_shift, linear_scale = g.uniform(30, 60, n_linear), g.uniform(1, 20, n_linear)
    if const is None:
        linear_shift[:] = 0.0
        target_shift = 0.0
    else:
        linear[:, const], linear_shift[const], linear_scale[const] = 1.0, 0.0, 1.0
        target_shift = 7.0
    input_shift, input_scale = g.uniform(2, 4, n_inputs), g.uniform(0.5, 3, n_inputs)
    target_scale = 12.5
    _, params = rows_and_params(network)
    transform, offset = network.user_units(
        linear_shift, linear_scale, const, input_shift, input_scale, target_shift, target_scale
    )
    standardised = np.concatenate(
        [(linear - linear_shift) / linear_scale, (inputs - input_shift) / input_scale], axis=1
    )
    expected = target_shift + target_scale * values(network, params, standardised)
    raw = np.concatenate([linear, inputs], axis=1)
    found = values(network, transform @ params + offset, raw)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert np.linalg.matrix_rank(transform) == network.n_params


@pytest.mark.parametrize("hidden", DEPTHS)
def test_names_count_and_masks_agree(hidden):
    network = Dense(2, 2 if hidden else 0, hidden, "tanh")
    inputs = ("x", "z") if hidden else ()
    names = network.names(("const", "x"), inputs)
    assert len(names) == len(set(names)) == network.n_params == len(network.neural)
    assert network.neural.sum() == network.n_params - 2
    assert not network.neural[:2].any()
    if hidden == (3, 2):
        assert names[2:4] == ["h1.1:x", "h1.1:z"]
        assert names[-2:] == ["y:h2.1", "y:h2.2"]
        assert "h2.2:h1.3" in names and "h1.3:bias" in names


def test_starts_come_from_the_generator_and_leave_the_linear_part_at_zero():
    network = Dense(2, 3, (5, 4), "tanh")
    first = network.init(np.random.default_rng(7))
    np.testing.assert_array_equal(first, network.init(np.random.default_rng(7)))
    assert (first != network.init(np.random.default_rng(8))).sum() == network.n_params - 2
    assert (first[:2] == 0).all() and (first[2:] != 0).all()
    # weights of each layer have variance one over the number of its inputs
    many = np.stack([network.init(np.random.default_rng(seed)) for seed in range(400)])
    for layer in network.layers:
        assert many[:, layer.weights].var() == pytest.approx(1 / layer.inputs, rel=0.1)
        assert np.abs(many[:, layer.bias]).max() <= 1.0


def test_smoothness_is_known():
    smooth = {name: Dense(1, 1, (1,), name).smooth for name in ACTIVATIONS}
    assert not smooth["relu"] and smooth["tanh"] and smooth["gelu"]


def test_custom_network_is_a_scalar_function_of_one_row():
    network = Custom(lambda b, x: b[0] * jnp.exp(b[1] * x[0]), 2, 1)
    assert not network.neural.any()
    rows, params = np.array([[0.5], [1.0]]), np.array([2.0, -1.0])
    expected = 2 * np.exp(-rows[:, 0])
    np.testing.assert_allclose(values(network, params, rows), expected, rtol=1e-12)
    with double_precision():
        curvature = network.curvature(jnp.asarray(params), jnp.asarray(rows), jnp.ones(2))
    bend = np.exp(-rows[:, 0])
    hessian = [
        [0.0, (rows[:, 0] * bend).sum()],
        [(rows[:, 0] * bend).sum(), (2 * rows[:, 0] ** 2 * bend).sum()],
    ]
    np.testing.assert_allclose(curvature, hessian, rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda b, x: b * x[0], "returned shape"),
        (lambda b, x: np.exp(b[0]) * x[0], "uses numpy"),
        (lambda b, x: float(b[0]) * x[0], "jax.numpy"),
        (lambda b, x: b[0] if b[1] > 0 else x[0], "jnp.where instead of if"),
        (lambda b, x: "text", "one number"),
        (lambda b: b[0], "two arrays"),
        (lambda b, x: b[2] * x[0], "not there, with 2 params and 1 columns"),
        (lambda b, x: b[0] * x[1], "not there, with 2 params and 1 columns"),
    ],
)
def test_unusable_functions_are_refused(function, message):
    with pytest.raises(SpecificationError, match=message):
        check_function(function, 2, 1)


@pytest.mark.parametrize("hidden", [(3,), (4, 3), (3, 2, 4)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_canonical_is_the_same_function_in_one_order(hidden, activation):
    rng = np.random.default_rng(0)
    network = Dense(2, 3, hidden, activation)
    params = rng.standard_normal(network.n_params)
    rows = rng.standard_normal((6, 5))
    turned = params.copy()
    first = network.layers[0]
    swap = [2, 0, 1, *range(3, first.units)]
    turned[first.weights] = params[first.weights].reshape(first.units, -1)[swap].ravel()
    turned[first.bias] = params[first.bias][swap]
    out = slice(first.bias.stop, None) if len(hidden) == 1 else network.layers[1].weights
    turned[out] = params[out].reshape(-1, first.units)[:, swap].ravel()
    one, other = network.canonical(params), network.canonical(turned)
    np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_allclose(
        fitted(network, one, rows), fitted(network, params, rows), rtol=1e-10
    )
