"""The mean of networks as a network."""

import jax
import numpy as np
import pytest

from nnecon.estimation.kernels import fitted, fitted_many
from nnecon.nets import Dense, Ensemble
from nnecon.nets.dense import generic_curvature


@pytest.fixture(params=[(3,), (3, 2)], ids=["one layer", "two layers"])
def ensemble(request):
    return Ensemble(Dense(2, 2, request.param, "tanh"), 3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def stacked(ensemble, rng):
    return np.concatenate([ensemble.member.init(rng) for _ in range(ensemble.size)])


def test_it_is_the_mean_of_its_members(ensemble, rng):
    params, rows = stacked(ensemble, rng), rng.standard_normal((7, 4))
    members = fitted_many(ensemble.member, ensemble.split(params), rows)
    np.testing.assert_allclose(fitted(ensemble, params, rows), members.mean(axis=0), atol=1e-14)


def test_second_derivatives(rng):
    ensemble = Ensemble(Dense(2, 2, (2,), "tanh"), 2)
    params, rows, multipliers = stacked(ensemble, rng), rng.standard_normal((7, 4)), np.arange(7.0)
    with jax.enable_x64(True):
        found = ensemble.curvature(params, rows, multipliers)
        expected = generic_curvature(ensemble.apply, params, rows, multipliers)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_members_in_canonical_order_are_the_same_function(ensemble, rng):
    params, rows = stacked(ensemble, rng), rng.standard_normal((7, 4))
    ordered = ensemble.canonical(params)
    assert not np.array_equal(ordered, params)
    np.testing.assert_allclose(fitted(ensemble, ordered, rows), fitted(ensemble, params, rows))


def test_names_and_masks_run_over_the_members(ensemble):
    names = ensemble.names(ensemble.member.names(("const", "x"), ("x", "z")))
    assert len(set(names)) == ensemble.n_params == len(ensemble.neural) == len(ensemble.penalised)
    assert names[0] == "net1.const"
    assert names[-1].startswith("net3.y:")
    assert ensemble.neural.sum() == 3 * ensemble.member.neural.sum()
