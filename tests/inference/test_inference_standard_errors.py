"""Bootstrap, two-way and automatic HAC errors, and tests of terms, in repeated samples."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

import nnecon as ne
from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.problem import Chain
from nnecon.inference.covariance import Moments, automatic_lags, bread, covariance

pytestmark = pytest.mark.slow

ALPHA = 0.005


class Repeated:
    """Fits of one model to samples; the first from several starts, the others from its solution."""

    def __init__(self, formula, hidden=(3,), alpha=ALPHA):
        self.formula, self.hidden, self.alpha, self.start = formula, hidden, alpha, None

    def fit(self, frame, **covariance):
        model = ne.NeuralRegression.from_formula(self.formula, frame, hidden=self.hidden)
        if self.start is None:
            self.start = model.fit(alpha=self.alpha, n_starts=6).solution.params
        objective, scaling = model._objective()
        chain = Chain.single(np.ones(len(frame)), self.start, self.alpha)
        [solution] = solve(objective, [chain], SOLVERS["lm"])
        transform, offset = model.user_units(scaling)
        return model.results_at(transform @ solution.params + offset, self.alpha, **covariance)


def ratios(effects, errors):
    """Mean standard errors over the spread of the estimates, a number an effect."""
    return np.mean(errors, axis=0) / np.std(effects, axis=0, ddof=1)


def smooth(x):
    return np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1]


@pytest.mark.parametrize("kind", ["pairs", "bayesian", "wild"])
def test_bootstrap_errors_match_the_spread_of_effects(kind):
    rng, repeated = np.random.default_rng(1), Repeated("y ~ a + b")
    effects, errors = [], []
    # errors are about averages over the sample's rows, which therefore stay the same
    x = rng.standard_normal((300, 2))
    for replication in range(120):
        y = smooth(x) + (0.3 + 0.4 * np.abs(x[:, 0])) * rng.standard_normal(300)
        fit = repeated.fit(pd.DataFrame(x, columns=["a", "b"]).assign(y=y))
        margeff = fit.get_margeff(debias=False).margeff
        effects.append(margeff)
        if replication < 20:
            errors.append(fit.bootstrap(kind, draws=60, rng=replication).margeff.bse)
    found = ratios(effects, errors)
    assert (found > 0.78).all() and (found < 1.28).all(), found


def test_two_way_errors_match_the_spread_of_effects():
    rng, repeated = np.random.default_rng(2), Repeated("y ~ a + b")
    firms, years = (part.ravel() for part in np.indices((25, 25)))
    effects, errors, single = [], [], []
    for _ in range(100):
        own, common = rng.standard_normal((2, 2, 25))
        x = own[:, firms].T + common[:, years].T + 0.5 * rng.standard_normal((625, 2))
        shocks = rng.standard_normal(25)[firms] + rng.standard_normal(25)[years]
        y = smooth(x) + 0.5 * shocks + 0.3 * rng.standard_normal(625)
        frame = pd.DataFrame(x, columns=["a", "b"]).assign(y=y, firm=firms, year=years)
        fit = repeated.fit(
            frame, cov_type="cluster", cov_kwds={"groups": np.column_stack([firms, years])}
        )
        effects.append(fit.get_margeff(debias=False).margeff)
        errors.append(fit.get_margeff(debias=False).margeff_se)
        single.append(fit.with_cov("HC1").get_margeff(debias=False).margeff_se)
    effect_of_b = ratios(effects, errors)[1]
    assert 0.8 < effect_of_b < 1.15, effect_of_b
    assert ratios(effects, single)[1] < 0.6 * effect_of_b


def test_cluster_bootstrap_matches_the_spread_of_effects():
    rng, repeated = np.random.default_rng(3), Repeated("y ~ a + b")
    groups = np.repeat(np.arange(40), 10)
    effects, errors = [], []
    for replication in range(100):
        x = rng.standard_normal((40, 2))[groups] + 0.5 * rng.standard_normal((400, 2))
        y = smooth(x) + rng.standard_normal(40)[groups] + 0.3 * rng.standard_normal(400)
        frame = pd.DataFrame(x, columns=["a", "b"]).assign(y=y)
        fit = repeated.fit(frame)
        effects.append(fit.get_margeff(debias=False).margeff)
        if replication < 20:
            drawn = fit.bootstrap("cluster", draws=60, rng=replication, groups=groups)
            errors.append(drawn.margeff.bse)
    effect_of_b = ratios(effects, errors)[1]
    assert 0.78 < effect_of_b < 1.25, effect_of_b


def test_automatic_lags_cover_better_where_errors_persist():
    rng, hits = np.random.default_rng(0), {}
    for _ in range(300):
        x, error = (
            lfilter([1.0], [1.0, -0.8], rng.standard_normal((count, 400)), axis=1)[:, 200:]
            for count in (2, 1)
        )
        exog = np.column_stack([np.ones(200), x.T])
        params = np.linalg.lstsq(exog, error[0])[0]
        moments = Moments(error[0] - exog @ params, exog, np.zeros(3))
        middle = bread(moments)
        for lags in (automatic_lags(200), "newey-west", "andrews"):
            matrix = covariance(moments, middle, "HAC", {"maxlags": lags}).matrix
            inside = np.abs(params[1:]) < 1.96 * np.sqrt(np.diag(matrix))[1:]
            hits.setdefault(lags, []).append(inside.mean())
    cover = {lags: np.mean(found) for lags, found in hits.items()}
    assert cover["andrews"] > cover[automatic_lags(200)] + 0.01, cover
    assert cover["newey-west"] > cover[automatic_lags(200)] + 0.01, cover
    assert cover["andrews"] > 0.84, cover


def test_terms_have_about_their_size_and_power_against_interactions():
    """Also at a large penalty, where the penalised estimate rejects half of the true nulls."""
    rng = np.random.default_rng(1)
    for alpha, strength, low, high in [
        (ALPHA, 0.0, 0.0, 0.14),
        (ALPHA, 0.25, 0.6, 1.0),
        (0.05, 0.0, 0.0, 0.14),
        (0.05, 0.25, 0.6, 1.0),
    ]:
        repeated, rejected = Repeated("y ~ a + b + c", hidden=(4,), alpha=alpha), []
        for _ in range(100):
            x = rng.standard_normal((500, 3))
            x[:, 2] = 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 2]
            mean = smooth(x) + 0.5 * x[:, 0] * x[:, 1] + strength * x[:, 1] * x[:, 2]
            y = mean + (0.5 + 0.3 * np.abs(x[:, 0])) * rng.standard_normal(500)
            frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=y)
            table = repeated.fit(frame, cov_type="HC3").wald_test_terms().table
            rejected.append(table.loc["c", "pvalue"] < 0.05)
        assert low <= np.mean(rejected) <= high, (alpha, strength, np.mean(rejected))
