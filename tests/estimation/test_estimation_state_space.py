"""Likelihoods of state-space networks: derivatives, routes, transforms, the search."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_t

import nnecon as ne
from nnecon.estimation import state_space_search, state_space_solution
from nnecon.estimation.execution import Execution
from nnecon.estimation.innovations import Rows
from nnecon.estimation.state_space_likelihood import Likelihood, constrained
from nnecon.estimation.state_space_search import estimate
from nnecon.estimation.state_space_solution import Fit, Search
from nnecon.exceptions import ConvergenceWarning
from nnecon.inference.state_space_information import covariance
from nnecon.nets import StateSpaceNetwork
from nnecon.nets.contraction import CEILING


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


def differences(function, params, step):
    """Central differences of a function, a row a parameter."""
    return np.array(
        [
            (function(params + step * unit) - function(params - step * unit)) / (2 * step)
            for unit in np.eye(len(params))
        ]
    )


@pytest.mark.parametrize(
    "name",
    # a stationary start compiles for seconds
    [pytest.param(name, marks=pytest.mark.slow if name == "noise" else ()) for name in NETWORKS],
)
def test_scores_against_differences(name):
    network, route, gaps = NETWORKS[name]
    likelihood, rows, params = Likelihood(network, route), rows_of(gaps=gaps), params_of(network)
    score = likelihood.score(params, rows)
    expected = differences(lambda at: likelihood.loglikeobs(at, rows).sum(), params, 1e-6)
    np.testing.assert_allclose(score, expected, atol=1e-6 * np.abs(score).max())


@pytest.mark.parametrize(
    "name",
    # second derivatives of the filter compile for seconds
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("noise", "gaps") else ())
        for name in NETWORKS
    ],
)
def test_hessians_against_differences(name):
    network, route, gaps = NETWORKS[name]
    likelihood, rows, params = Likelihood(network, route), rows_of(gaps=gaps), params_of(network)
    score = likelihood.score(params, rows)
    np.testing.assert_allclose(likelihood.scores(params, rows).sum(axis=0), score, atol=1e-8)
    hessian = likelihood.hessian(params, rows)
    slopes = differences(lambda at: likelihood.score(at, rows), params, 1e-5)
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


def test_student_errors_that_are_missing_are_integrated_out():
    """Marginals of a multivariate t are t; nothing later depends on them without lags."""
    network = StateSpaceNetwork(3, 1, 2, 0, innovations=False, seen=(0,), student=True)
    rng = np.random.default_rng(0)
    series = rng.normal(size=(40, 3))
    series[rng.uniform(size=series.shape) < 0.3] = np.nan
    series[10] = np.nan
    rows = Rows(series, np.empty((40, 0, 3)), rng.normal(size=(40, 1)))
    params = params_of(network)
    likelihood = Likelihood(network, "innovations")
    found = likelihood.loglikeobs(params, rows)
    means = likelihood.moments(params, rows).mean
    root = np.zeros((3, 3))
    root[np.tril_indices(3)] = params[network.where("factor")]
    for t, value in enumerate(found):
        there = np.isfinite(series[t])
        if not there.any():
            assert value == 0.0
            continue
        own = (root @ root.T)[np.ix_(there, there)]
        known = multivariate_t(means[t, there], own, df=6.0).logpdf(series[t, there])
        assert value == pytest.approx(known, abs=1e-10)
    steps = 1e-6 * np.eye(len(params))
    slopes = [
        (likelihood.loglikeobs(params + s, rows) - likelihood.loglikeobs(params - s, rows)).sum()
        for s in steps
    ]
    score = likelihood.score(params, rows)
    np.testing.assert_allclose(score, np.array(slopes) / 2e-6, atol=1e-6 * np.abs(score).max())


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


@pytest.fixture(scope="module")
def at_the_edge():
    """A fit with a small penalty, both singular values of the transition at the ceiling."""
    macro = ne.datasets.load_macro().dropna()[["infl", "growth"]]
    model = ne.RNNStateSpace(macro, k_states=2, linear_lags=1, stable=True)
    results = model.fit(alpha=0.003, n_starts=2)
    where, shape = model.network.blocks["transition"]
    return results, where, results.estimate.fit.params[where].reshape(shape)


def test_small_penalties_converge_at_the_edge_of_stability(at_the_edge):
    results, where, transition = at_the_edge
    assert results.converged
    np.testing.assert_allclose(np.linalg.svd(transition)[1], CEILING, rtol=1e-9)
    # what is left of the derivative only pushes singular values over the ceiling
    fit, model = results.estimate.fit, results.model
    ridge = 0.003 * model.network.penalised * fit.params
    slope = model.likelihood.score(fit.params, model.sample.rows) / results.nobs - ridge
    outside = np.ones(len(slope), dtype=bool)
    outside[where] = False
    assert np.abs(slope[outside]).max() < 1e-7
    push = slope[where].reshape(2, 2) @ transition.T
    np.testing.assert_allclose(push, push.T, atol=1e-7)
    assert np.linalg.eigvalsh(push).min() > 0.0


def test_errors_at_the_edge_of_stability_are_those_along_it(at_the_edge):
    """Against the information of a model whose transition is a rotation of the ceiling's size."""
    results, where, transition = at_the_edge
    model, params = results.model, results.estimate.fit.params
    angle = np.arctan2(transition[1, 0], transition[0, 0])
    assert np.linalg.det(transition) > 0.0
    others = np.setdiff1d(np.arange(len(params)), np.arange(where.start, where.stop))
    n, ridge = results.nobs, 0.003 * model.network.penalised

    def at(turn):
        return CEILING * np.array([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)])

    def along(turn):
        return CEILING * np.array([-np.sin(turn), -np.cos(turn), np.cos(turn), -np.sin(turn)])

    def gradient(point):
        whole = np.empty(len(params))
        whole[others], whole[where] = point[:-1], at(point[-1])
        slope = model.likelihood.score(whole, model.sample.rows) - n * ridge * whole
        return np.append(slope[others], slope[where] @ along(point[-1]))

    point = np.append(params[others], angle)
    steps = 1e-5 * np.eye(len(point))
    information = -np.array([gradient(point + s) - gradient(point - s) for s in steps]) / 2e-5
    own = np.linalg.inv(0.5 * (information + information.T))
    full = np.zeros((len(params), len(point)))
    full[others, np.arange(len(others))] = 1.0
    full[where, -1] = along(angle)
    expected = full @ own @ full.T
    found = covariance(results._search, params, 0.003, "oim")
    assert found.lacking == 0
    np.testing.assert_allclose(found.matrix, expected, atol=1e-4 * np.abs(expected).max())
    # the angle alone counts for the transition
    weights = np.append(n * ridge[others], n * ridge[where].mean())
    expected_edf = len(point) - np.trace(own[:-1, :-1] * weights[:-1])
    assert results.edf == pytest.approx(expected_edf, abs=0.05)
    scores = model.likelihood.scores(params, model.sample.rows) @ full
    for kind in ("opg", "robust"):
        squares = scores.T @ scores
        if kind == "opg":
            inner = np.linalg.inv(squares + full.T @ np.diag(n * ridge) @ full)
        else:
            inner = own @ squares @ own
        other = covariance(results._search, params, 0.003, kind).matrix
        expected = full @ inner @ full.T
        np.testing.assert_allclose(other, expected, atol=1e-3 * np.abs(expected).max())


def test_a_search_that_has_not_arrived_warns(at_the_edge, monkeypatch):
    model = at_the_edge[0].model
    monkeypatch.setattr(state_space_solution, "THOROUGH", 3)
    monkeypatch.setattr(state_space_solution, "NEWTON_STEPS", 0)
    with pytest.warns(ConvergenceWarning, match="has not converged at the penalty 0.003"):
        results = model.fit(alpha=0.003, n_starts=1)
    assert not results.converged
    assert "Not converged" in str(results.summary())


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1e-3, 1e-4])
def test_tiny_penalties_converge_with_many_states(alpha):
    macro = ne.datasets.load_macro().dropna()[["infl", "growth", "unemp"]]
    model = ne.RNNStateSpace(macro, k_states=4, linear_lags=2, stable=True)
    assert model.fit(alpha=alpha, n_starts=4).estimate.fit.certificate < 1e-9


def test_rough_places_come_behind_other_networks(monkeypatch):
    """A network that has not arrived comes behind one that has, and a VAR has to fit better."""
    ends = {1.0: (2.0, 5.0), 2.0: (2.5, 1e-9), 3.0: (2.1, 5.0), 4.0: (2.2, 5.0)}

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
        ((1.0, 2.0, 3.0, 4.0), 3.0, 2.5),  # the regular one also where three look better
    ):
        classical = Fit(zero, level, level, 0.0, 0)
        given = [np.full(network.n_params, each) for each in starts]
        found, reached = estimate(search, given, 0.1, classical, Execution(threads=1))
        assert found[0].objective == best
        np.testing.assert_array_equal(reached, [ends[each][0] for each in starts])
