"""What several test files need: data, tolerances, numerical derivatives."""

import numpy as np
import pandas as pd
import statsmodels.api as sm

import nnecon as ne

MACRO_FORMULA = "growth ~ lag(growth, 1, 2) + lag(infl, 1) + lag(unemp, 1) + lag(realint, 1)"


def assert_close(actual, expected, rtol=1e-8, what=""):
    """Largest deviation relative to the largest expected number of each kind."""
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    assert actual.shape == expected.shape, f"{what}: {actual.shape} against {expected.shape}"
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0.0, err_msg=what)


def numerical_jacobian(function, at, step=1e-6):
    """Central differences; the last axis runs over the arguments."""
    at = np.asarray(at, dtype=float)
    columns = []
    for j in range(len(at)):
        move = np.zeros(len(at))
        move[j] = step * max(1.0, abs(at[j]))
        change = np.asarray(function(at + move)) - np.asarray(function(at - move))
        columns.append(change / (2.0 * move[j]))
    return np.stack(columns, axis=-1)


def longley():
    """Longley's data with a constant, as a frame; the condition number is 4.9e9."""
    data = sm.datasets.longley.load_pandas()
    return data.data


def fair():
    """Fair's survey of 6,366 women, with positive weights and labels that are not in order."""
    data = sm.datasets.fair.load_pandas().data
    data.index = data.index[::-1] + 10_000
    weights = 0.5 + np.abs(np.sin(np.arange(len(data))))
    return data.assign(survey_weight=weights)


def macro():
    """US quarterly data with weights and a grouping column."""
    data = ne.datasets.load_macro()
    weights = 0.5 + np.abs(np.cos(np.arange(len(data))))
    return data.assign(
        survey_weight=weights, year=data.index.year, quarter_number=data.index.quarter
    )


def cross_section(n=160, seed=0, noise=0.5):
    """A smooth nonlinear regression that two or three tanh units fit well."""
    g = np.random.default_rng(seed)
    x1, x2 = g.standard_normal(n), g.uniform(-2.0, 2.0, n)
    region = pd.Categorical(g.choice(["East", "North", "West"], n))
    mean = 1.0 + 0.5 * x1 - 0.4 * x2 + 1.5 * np.tanh(1.5 * x1 - 0.5) + 0.4 * (region == "West")
    return pd.DataFrame(
        {
            "y": mean + noise * g.standard_normal(n),
            "x1": x1,
            "x2": x2,
            "region": region,
            "w": g.integers(1, 4, n).astype(float),
            "firm": np.arange(n) % 20,
        }
    )
