"""Likelihoods of state-space networks: derivatives, routes, transforms, the search."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.estimation import state_space_search
from nnecon.estimation.execution import Execution
from nnecon.estimation.innovations import Rows
from nnecon.estimation.state_space_likelihood import Likelihood, constrained
from nnecon.estimation.state_space_search import Fit, Search, estimate
from nnecon.nets import StateSpaceNetwork


def rows_of(n=40, m=2, lags=2, gaps=False):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(n + lags, m))
    if gaps:
        y[10:13] = np.nan
        y[20:26, 0] = np.nan
    past = np.stack([y[lags - lag : n + lags - lag] for lag in range(1, lags + 1)], axis=1)
    return Rows(y[lags:], past, rng.normal(size=(n, 1)))


def params_of(network):
    rng = np.random.default_rng(1)
    params = network.init(rng) + 0.05 * rng.normal(size=network.n_params)
    params[network.scales] = rng.uniform(0.5, 1.0, network.scales.sum())
    params[network.where("df")] = 6.0
    return params


NETWORKS = {
    "innovations": (StateSpaceNetwork(2, 1, 2, 2, seen=(0,)), "innovations", False),
    "student": (
        StateSpaceNetwork(2, 1, 2, 0, student=True, start="estimated"), "innovations", False,
    ),
    "noise": (
        StateSpaceNetwork(2, 1, 1, 1, "logistic", seen=(0,), state_errors="diagonal",
                          start="stationary"),
        "plain", False,
    ),
    "gaps": (StateSpaceNetwork(2, 1, 1, 1, state_errors="diagonal"), "augmented", True),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    # second derivatives of the filter compile for seconds
    [pytest.param(name, marks=pytest.mark.slow if name == "noise" else ()) for name in NETWORKS],
)
def test_derivatives_against_differences(name):
    network, route, gaps = NETWORKS[name]
    likelihood, rows, params = Likelihood(network, route), rows_of(gaps=gaps), params_of(network)

    def total(at):
        return likelihood.loglikeobs(at, rows).sum()

    def differences(function, step):
        return np.array(
            [
                (function(params + step * unit) - function(params - step * unit)) / (2 * step)
                for unit in np.eye(len(params))
            ]
        )

    score = likelihood.score(params, rows)
    scale = np.abs(score).max()
    np.testing.assert_allclose(score, differences(total, 1e-6), atol=1e-6 * scale)
    np.testing.assert_allclose(likelihood.scores(params, rows).sum(axis=0), score, atol=1e-8)
    hessian = likelihood.hessian(params, rows)
    slopes = differences(lambda at: likelihood.score(at, rows), 1e-5)
    np.testing.assert_allclose(hessian, slopes, atol=1e-6 * np.abs(hessian).max())


@pytest.mark.parametrize("noise", ["none", "diagonal"])
def test_routes_agree_on_complete_data(noise):
    network = StateSpaceNetwork(2, 1, 2, 2, seen=(0,), state_errors=noise)
    params, rows = params_of(network), rows_of()
    short = "innovations" if noise == "none" else "plain"
    one = Likelihood(network, short).loglikeobs(params, rows)
    two = Likelihood(network, "augmented").loglikeobs(params, rows)
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_missing_values_cost_what_they_are_worth():
    """Rows without values add nothing, and the others are those of the marginal distribution."""
    network = StateSpaceNetwork(2, 1, 1, 1, state_errors="diagonal")
    rows = rows_of(gaps=True)
    found = Likelihood(network, "augmented").loglikeobs(params_of(network), rows)
    whole = np.isnan(rows.series).all(axis=1)
    assert (found[whole] == 0.0).all()
    assert (found[~whole] != 0.0).all()


def test_transforms_go_back():
    network = StateSpaceNetwork(
        2, 0, 3, 1, state_errors="none", student=True, start="estimated", stable=True
    )
    params = params_of(network)
    np.testing.assert_allclose(
        constrained(network, network.unconstrain(params)), params, atol=1e-12
    )
    free = 5.0 * np.random.default_rng(0).normal(size=network.n_params)
    where, shape = network.blocks["transition"]
    inside = constrained(network, free)
    assert np.linalg.norm(inside[where].reshape(shape), 2) < 1.0
    assert (inside[network.scales] >= 0).all()
    assert inside[network.where("df")][0] > 2.0


def test_a_search_ends_where_the_derivative_is_zero():
    macro = ne.datasets.load_macro().dropna()[["infl", "growth"]]
    model = ne.RNNStateSpace(macro, k_states=1, linear_lags=1)
    results = model.fit(alpha=0.02, n_starts=2)
    fit = results.estimate.fit
    assert fit.converged
    ridge = 0.02 * model.network.penalised * fit.params
    n = results.nobs
    slope = model.likelihood.score(fit.params, model.sample.rows) / n - ridge
    assert np.abs(slope).max() < 1e-7
    # the zero network is a candidate at every penalty
    assert fit.objective <= model.classical.objective
    again = model.fit(alpha=0.02, n_starts=2)
    pd.testing.assert_series_equal(again.params, results.params)
    # user's units and standardised ones are the same function
    assert model.loglike(results.params) == pytest.approx(results.llf)


@pytest.mark.slow
def test_kalman_likelihood_is_near_the_particle_filters():
    """Within 1% of 10,000 particles where noise moves the state within the bend of tanh."""
    macro = ne.datasets.load_macro().dropna()[["infl", "growth"]]
    model = ne.RNNStateSpace(macro, k_states=2, linear_lags=1, state_noise=True)
    params = pd.Series(model.start_params, index=model.param_names)
    for noise in (0.1, 0.3, 0.5):
        params[["sqrt.var.h1", "sqrt.var.h2"]] = noise
        results = model.results_at(params)
        assert abs(results.particle_llf(10_000) / results.llf - 1.0) < 0.01


def test_rough_places_come_behind_other_networks(monkeypatch):
    """A network that has not arrived comes behind one that has, and a VAR has to fit better."""
    ends = {1.0: (2.0, 5.0), 2.0: (2.5, 1e-9)}

    def solve(search, start, alpha, effort, monitor=None):
        objective, certificate = ends[float(start[0])]
        return Fit(start, objective, objective, certificate, 1)

    monkeypatch.setattr(state_space_search, "solve", solve)
    network = StateSpaceNetwork(1, 0, 1, 1)
    zero = np.zeros(network.n_params)
    search = Search(Likelihood(network, "innovations"), rows_of(m=1), np.ones(40), zero == 0, zero)
    for starts, level, best in (
        ((1.0, 2.0), 3.0, 2.5),  # the regular network, though the other's objective is lower
        ((1.0,), 3.0, 2.0),  # a rough one rather than a VAR that fits worse
        ((1.0, 2.0), 1.0, 1.0),  # the VAR where it is best
    ):
        classical = Fit(zero, level, level, 0.0, 0)
        given = [np.full(network.n_params, each) for each in starts]
        found, reached = estimate(search, given, 0.1, classical, Execution(threads=1))
        assert found[0].objective == best
        np.testing.assert_array_equal(reached, [ends[each][0] for each in starts])
