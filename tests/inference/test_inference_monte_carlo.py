"""Standard errors and intervals do in repeated samples what they say."""

import numpy as np
import pytest

import nnecon as ne
from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.problem import Chain, Objective

pytestmark = pytest.mark.slow

SIZE, REPLICATIONS = 500, 300


def design(rng):
    """Three standard normal regressors and a smooth nonlinear mean."""
    x = rng.standard_normal((SIZE, 3))
    mean = np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.3 * x[:, 2]
    return np.column_stack([np.ones(SIZE), x]), mean


@pytest.mark.parametrize(("kind", "spread"), [("nonrobust", 0.0), ("HC1", 0.5)])
def test_network_effects_and_predictions(kind, spread):
    """Standard errors match the spread over samples, prediction intervals cover."""
    rng = np.random.default_rng(1)
    exog, mean = design(rng)
    scale = 0.5 - spread / 2.0 + spread * np.abs(exog[:, 1])
    alpha, effects, errors, covered = 0.005, [], [], []
    start = None
    for _ in range(REPLICATIONS):
        endog = mean + scale * rng.standard_normal(SIZE)
        model = ne.NeuralRegression(endog, exog, hidden=(4,))
        if start is None:
            results = model.fit(alpha=alpha, cov_type=kind)
            start = results.solution.params
        else:
            objective, _ = model._objective()
            assert isinstance(objective, Objective)
            chain = Chain.single(np.ones(SIZE), start, alpha)
            solution = solve(objective, [chain], SOLVERS["lm"])[0]
            transform, offset = model.user_units(model.scaling)
            params = transform @ solution.params + offset
            results = model.results_at(params, alpha, cov_type=kind)
        margeff = results.get_margeff(debias=False)
        effects.append(margeff.margeff.to_numpy())
        errors.append(margeff.margeff_se.to_numpy())
        frame = results.get_prediction().summary_frame(alpha=0.1)
        new = mean + scale * rng.standard_normal(SIZE)
        inside = (frame["obs_ci_lower"] <= new) & (new <= frame["obs_ci_upper"])
        covered.append(inside.mean())
    ratio = np.mean(errors, axis=0) / np.std(effects, axis=0, ddof=1)
    assert (ratio > 0.85).all(), ratio
    assert (ratio < 1.15).all(), ratio
    if not spread:
        assert 0.88 < np.mean(covered) < 0.92


@pytest.mark.parametrize("kind", ["HC1", "HAC", "cluster"])
def test_linear_coverage(kind):
    """95% intervals of the linear model cover under the errors that their covariance is for."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(50), SIZE // 50)
    hits = []
    for _ in range(REPLICATIONS):
        x = rng.standard_normal(SIZE)
        if kind == "HC1":
            error = (0.5 + np.abs(x)) * rng.standard_normal(SIZE)
            options = {}
        elif kind == "HAC":
            noise = rng.standard_normal((2, SIZE + 1))
            x, error = (row[1:] + 0.6 * row[:-1] for row in noise)
            options = {"maxlags": 5}
        else:
            x = x + rng.standard_normal(50)[groups]
            error = rng.standard_normal(50)[groups] + rng.standard_normal(SIZE)
            options = {"groups": groups}
        exog = np.column_stack([np.ones(SIZE), x])
        model = ne.NeuralRegression(1.0 + 2.0 * x + error, exog, hidden=())
        low, high = model.fit(cov_type=kind, cov_kwds=options).conf_int().loc["x1"]
        hits.append(low <= 2.0 <= high)
    assert 0.92 <= np.mean(hits) <= 0.98
