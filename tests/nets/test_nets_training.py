"""The feed-forward network in training: dropout, batch normalisation and how it is folded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnecon.nets import Dense
from nnecon.nets.training_pass import EPSILON, Moments, TrainingPass

NETWORK = Dense(2, 3, (5, 4), "tanh")


def rows_and_params(n=40, seed=0, network=NETWORK):
    g = np.random.default_rng(seed)
    rows = g.standard_normal((n, network.n_linear + network.n_inputs))
    params = network.init(g)
    params[: network.n_linear] = g.standard_normal(network.n_linear)
    return rows, params, g


def plain(params, rows, network=NETWORK):
    return np.asarray(jax.vmap(network.apply, in_axes=(None, 0))(params, rows))


def test_without_dropout_and_normalisation_nothing_changes():
    rows, params, _ = rows_and_params()
    passing = TrainingPass(NETWORK, (0.0, 0.0), batch_norm=False)
    passed = passing.apply(params, rows, np.ones(len(rows)), jax.random.key(0))
    np.testing.assert_allclose(passed.fitted, plain(params, rows), atol=1e-5)
    np.testing.assert_array_equal(passed.params, params)
    assert passing.n_params == NETWORK.n_params


def test_folding_gives_the_network_at_the_moments():
    """In NumPy: standardise by given moments, scale, shift, activate."""
    rows, params, g = rows_and_params()
    passing = TrainingPass(NETWORK, (0.0, 0.0), batch_norm=True)
    scales = g.uniform(0.5, 2.0, passing.n_scales)
    moments = Moments(g.standard_normal(9), g.uniform(0.2, 3.0, 9))
    h, first = rows[:, 2:], 0
    for layer in NETWORK.layers:
        at = slice(first, first + layer.units)
        into = h @ params[layer.weights].reshape(layer.units, layer.inputs).T
        standardised = (into - moments.mean[at]) / np.sqrt(moments.variance[at] + EPSILON)
        h = np.tanh(scales[at] * standardised + params[layer.bias])
        first += layer.units
    expected = rows[:, :2] @ params[:2] + h @ params[-4:]
    folded = passing.fold(jnp.asarray(np.r_[params, scales]), moments)
    assert folded.shape == (NETWORK.n_params,)
    np.testing.assert_allclose(plain(folded, rows), expected, atol=1e-5)


def test_a_batch_is_the_network_folded_at_its_own_moments():
    rows, params, g = rows_and_params()
    passing = TrainingPass(NETWORK, (0.0, 0.0), batch_norm=True)
    inside = jnp.asarray(np.r_[params, g.uniform(0.5, 2.0, passing.n_scales)])
    shares = g.uniform(0.0, 2.0, len(rows)) * (np.arange(len(rows)) % 3 > 0)
    passed = passing.apply(inside, rows, shares, jax.random.key(0))
    np.testing.assert_allclose(passed.fitted, plain(passed.params, rows), atol=2e-5)
    np.testing.assert_allclose(passing.fold(inside, passed.moments), passed.params, atol=1e-5)
    # weighted moments, and rows of weight zero are not there
    keep = shares > 0
    some = passing.apply(inside, rows[keep], 7 * shares[keep], jax.random.key(0))
    np.testing.assert_allclose(some.fitted, passed.fitted[keep], atol=2e-5)
    into = rows[:, 2:] @ params[NETWORK.layers[0].weights].reshape(5, 3).T
    mean = np.average(into, axis=0, weights=shares)
    np.testing.assert_allclose(passed.moments.mean[:5], mean, atol=1e-5)
    variance = np.average((into - mean) ** 2, axis=0, weights=shares)
    np.testing.assert_allclose(passed.moments.variance[:5], variance, atol=1e-5)


def test_dropout_leaves_units_out_and_keeps_the_mean():
    """With a linear activation the average over draws is the network itself."""
    network = Dense(1, 3, (6,), "linear")
    rows, params, _ = rows_and_params(n=4, network=network)
    passing = TrainingPass(network, (0.4,), batch_norm=False)
    keys = jax.random.split(jax.random.key(1), 20_000)
    draws = np.asarray(
        jax.vmap(lambda key: passing.apply(params, rows, np.ones(4), key).fitted)(keys)
    )
    hidden = rows[:, 1:] @ params[1:19].reshape(6, 3).T + params[19:25]
    parts = hidden * params[25:]
    spread = np.sqrt(0.4 / 0.6 * (parts**2).sum(axis=1))
    np.testing.assert_allclose(draws.std(axis=0), spread, rtol=0.03)
    error = draws.mean(axis=0) - plain(params, rows, network)
    assert (np.abs(error) < 4 * spread / np.sqrt(len(keys))).all()
    again = passing.apply(params, rows, np.ones(4), keys[0]).fitted
    np.testing.assert_allclose(again, draws[0], atol=1e-5)


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5)])
def test_dropout_acts_on_its_own_layer(rates):
    rows, params, _ = rows_and_params()
    passing = TrainingPass(NETWORK, rates, batch_norm=False)
    # without weights after it, a layer's dropout cannot be seen
    silent = params.copy()
    silent[NETWORK.layers[1].weights if rates[0] else slice(-4, None)] = 0.0
    keys = jax.random.key(0), jax.random.key(1)
    shares = np.ones(len(rows))
    loud = [passing.apply(params, rows, shares, key).fitted for key in keys]
    quiet = [passing.apply(silent, rows, shares, key).fitted for key in keys]
    assert np.abs(loud[0] - loud[1]).max() > 0.05
    np.testing.assert_array_equal(quiet[0], quiet[1])
