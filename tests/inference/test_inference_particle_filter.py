"""The particle filter against exact likelihoods, and the extended Kalman filter against it."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError
from nnecon.inference.linearisation import RANGE
from nnecon.nets.activations import SLOPES

TRUE = {
    "tanh": (0.2, 0.9, -0.5, 2.0, 0.4, 0.4),
    "logistic": (-0.5, 4.0, -1.0, 3.0, 0.2, 0.4),
    "softplus": (-0.5, 0.8, -0.3, 1.0, 0.5, 0.5),
    "relu": (0.3, 0.8, -0.3, 1.0, 0.5, 0.5),
}
"""Bias, transition, input, loading, standard deviations of state and series."""

NAMES = ["bias.h1", "transition.h1.h1", "input.L1.y.h1", "loading.h1.y", "sqrt.var.h1",
         "sqrt.var.y"]  # fmt: skip


def with_gaps(frame):
    frame, rng = frame.copy(), np.random.default_rng(0)
    for name in frame:
        rows = rng.choice(np.arange(5, len(frame)), len(frame) // 12, replace=False)
        frame.loc[frame.index[rows], name] = np.nan
    frame.iloc[60:66] = np.nan
    return frame


def simulated(activation, n=400):
    bias, transition, entering, loading, noise, error = TRUE[activation]
    rng, state, y = np.random.default_rng(1), 0.0, np.zeros(n)
    for t in range(1, n):
        inside = np.array([bias + transition * state + entering * y[t - 1]])
        state = float(SLOPES[activation](inside)[0][0]) + noise * rng.normal()
        y[t] = loading * state + error * rng.normal()
    return pd.DataFrame({"y": y})


def model_of(activation, data):
    return ne.RNNStateSpace(
        data, k_states=1, activation=activation, state_noise=True, linear_part=False
    )


def macro():
    return ne.datasets.load_macro().dropna()


@pytest.fixture(scope="module")
def linear():
    """A linear model of a series with gaps, and parameters."""
    model = model_of("linear", with_gaps(simulated("tanh", 120)))
    params = pd.Series(0.0, index=model.param_names)
    params[NAMES] = TRUE["tanh"]
    return model, params


def test_particles_come_to_the_exact_likelihood_of_a_linear_model(linear):
    model, params = linear
    results = model.results_at(params)
    found = [results.particle_llf(2000, rng=seed) for seed in range(3)]
    assert abs(np.mean(found) - results.llf) < 0.5
    assert len(set(found)) == 3
    assert results.particle_llf(2000, rng=0) == found[0]
    params = params.copy()
    params[["loading.h1.y", "sqrt.var.y"]] = 0.0
    with pytest.raises(SpecificationError, match="needs errors in all series"):
        model.results_at(params).particle_llf(10)


def test_standard_errors_of_what_enters_activations(linear):
    """Of a linear transition they are those of the predicted state without its noise."""
    model, params = linear
    states = model.results_at(params).states
    expected = np.sqrt(states.se("predicted") ** 2 - 0.4**2).iloc[1:]
    np.testing.assert_allclose(states.entering_se, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("activation", list(TRUE))
@pytest.mark.parametrize("gaps", [False, True])
def test_the_kalman_filter_is_near_within_its_range(activation, gaps):
    """Four activations, noise from half of the true one to four times: within 1%."""
    data = simulated(activation)
    model = model_of(activation, with_gaps(data) if gaps else data)
    params = pd.Series(0.0, index=model.param_names)
    params[NAMES] = TRUE[activation]
    inside = 0
    for share in (0.5, 1.0, 2.0, 4.0):
        params["sqrt.var.h1"] = share * TRUE[activation][4]
        results = model.results_at(params)
        spread = results.states.entering_se.mean().max()
        exact = results.particle_llf(10_000)
        print(activation, gaps, share, round(spread, 3), round(exact / results.llf - 1.0, 4))
        if spread <= RANGE:
            inside += 1
            assert abs(exact / results.llf - 1.0) < 0.01
    assert inside >= 2


AT = {"softplus": (-0.5, 0.9, 0.4, 0.4), "elu": (0.2, 0.8, 0.4, 0.4)}
"""Bias, transition, standard deviations of state and series, of stochastic states seen directly."""


def seen_directly(activation, n=500):
    bias, transition, noise, error = AT[activation]
    rng, state, y = np.random.default_rng(2), 0.0, np.zeros(n)
    for t in range(n):
        inside = np.array([bias + transition * state])
        state = float(SLOPES[activation](inside)[0][0]) + noise * rng.normal()
        y[t] = state + error * rng.normal()
    return pd.DataFrame({"y": y})


@pytest.mark.slow
@pytest.mark.parametrize("case", [*AT, "inflation"])
def test_the_kalman_filter_is_near_at_estimates(case):
    """Simulated series and inflation, all with gaps; a loading that is fixed scales the state."""
    if case == "inflation":
        macro = ne.datasets.load_macro().dropna()
        data, activation, loading = macro[["infl"]].set_axis(["y"], axis=1), "tanh", 10.0
    else:
        data, activation, loading = seen_directly(case), case, 1.0
    model = ne.RNNStateSpace(
        with_gaps(data), k_states=1, activation=activation, state_noise=True, linear_part=False,
        innovations=False,
    )  # fmt: skip
    results = model.fit_constrained({"loading.h1.y": loading}, alpha=0.0, n_starts=2)
    spread = results.states.entering_se.mean().max()
    exact = results.particle_llf(10_000)
    print(case, round(spread, 3), round(results.llf, 2), round(exact, 2))
    assert results.converged
    assert 0.05 < spread <= RANGE
    assert abs(exact / results.llf - 1.0) < 0.01
