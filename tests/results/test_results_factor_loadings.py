"""Bootstrap of average loadings: by hand, by statsmodels, and against the truth of simulations."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from statsmodels.multivariate.pca import PCA

import nnecon as ne
from nnecon.exceptions import SpecificationError
from nnecon.inference.factor_alignment import matched
from nnecon.inference.factor_loadings import normal_scores

TWO = np.random.default_rng(5).standard_normal((2, 20)) * np.array([[1.0], [0.6]])
SLOPES, BENDS = np.linspace(0.5, 1.5, 12), np.tile([0.8, -0.4], 6)


def linear(seed, n=200, rho=0.0):
    """Two factors of twenty series, all with the same autocorrelation."""
    g = np.random.default_rng(seed)

    def process(count):
        shocks = g.standard_normal((n + 100, count))
        return lfilter([np.sqrt(1 - rho**2)], [1, -rho], shocks, axis=0)[100:]

    return process(2) @ TWO + 0.7 * process(20)


def curved(seed, n=200):
    g = np.random.default_rng(seed)
    f = g.standard_normal(n)
    return np.outer(f, SLOPES) + np.outer(f**2, BENDS) + 0.6 * g.standard_normal((n, 12))


def test_draws_are_principal_components_of_the_rows_drawn():
    x = linear(0)
    results = ne.AutoencoderFactor(x, 2, hidden=()).fit()
    found = results.bootstrap_loadings(3, rng=5)
    counts = np.random.default_rng(5).multinomial(200, np.full(200, 1 / 200), 3)
    for draw, count in zip(found.draws.to_numpy(), counts, strict=True):
        expected = PCA(np.repeat(x, count, axis=0), ncomp=2).coeff / np.sqrt(200)
        np.testing.assert_allclose(np.abs(draw.reshape(2, 20)), np.abs(expected), atol=1e-8)
    own = results.coeff.to_numpy() / np.sqrt(200)
    np.testing.assert_allclose(found.estimate.to_numpy().reshape(2, 20), own)
    agree = (found.draws.to_numpy().reshape(3, 2, 20) * own).sum(axis=2)
    assert (agree > 0).all()


def test_factors_are_matched_by_order_and_sign():
    g = np.random.default_rng(0)
    reference = np.linalg.qr(g.standard_normal((50, 3)))[0]
    order, signs = matched(-reference[:, [2, 0, 1]], reference)
    np.testing.assert_array_equal(order, [1, 2, 0])
    np.testing.assert_array_equal(signs, [-1, -1, -1])


def test_loadings_of_a_network_do_not_know_the_scale_of_its_factor():
    z = np.random.default_rng(0).standard_normal(500)
    np.testing.assert_allclose(normal_scores(np.exp(z)), normal_scores(z))
    assert np.corrcoef(normal_scores(np.exp(z)), z)[0, 1] > 0.99
    results = ne.AutoencoderFactor(curved(0), 1, hidden=3).fit(alpha=0.003)
    found = results.bootstrap_loadings(2).estimate.to_numpy()
    scores = normal_scores(results.factors["comp_0"].to_numpy())
    fit = (results.projection - results.projection.mean()) / curved(0).std(axis=0)
    np.testing.assert_allclose(found, scores @ fit.to_numpy() / 200, atol=1e-10)


def test_networks_are_estimated_from_their_own_starts():
    x = curved(0)
    x[3, 4] = np.nan
    results = ne.AutoencoderFactor(x, 1, hidden=3).fit(alpha=0.003, alphas=3, n_starts=2)
    first, again = (results.bootstrap_loadings(3, rng=1) for _ in range(2))
    np.testing.assert_array_equal(first.draws, again.draws)
    assert (first.bse > 0).all() and (first.bse < 0.3).all()
    assert not np.allclose(first.draws, results.bootstrap_loadings(3, rng=2).draws)


def test_periods_are_drawn_in_blocks():
    index = pd.period_range("2000-01", periods=200, freq="M")
    results = ne.AutoencoderFactor(pd.DataFrame(linear(2), index), 2, hidden=()).fit()
    assert "block of" in results.bootstrap_loadings(3).description
    assert "block of 5 rows" in results.bootstrap_loadings(3, block=5).description
    with pytest.raises(SpecificationError, match="draws no blocks"):
        results.bootstrap_loadings(3, kind="pairs", block=5)
    with pytest.raises(SpecificationError, match="choose one of"):
        results.bootstrap_loadings(3, kind="wild")


def test_several_nonlinear_factors_are_refused():
    x = curved(0)
    results = ne.AutoencoderFactor(x, 2, hidden=3).fit(alpha=0.001, alphas=2, n_starts=1)
    assert not results.is_linear
    with pytest.raises(SpecificationError, match="up to a common transformation"):
        results.bootstrap_loadings(3)


def test_loaded_results_draw_the_same(tmp_path):
    results = ne.AutoencoderFactor(curved(1), 1, hidden=3).fit(alpha=0.003, alphas=3, n_starts=2)
    results.save(tmp_path / "file")
    loaded = ne.load(tmp_path / "file")
    expected = results.bootstrap_loadings(2, rng=3).draws
    np.testing.assert_allclose(loaded.bootstrap_loadings(2, rng=3).draws, expected, atol=1e-12)


# -- coverage ---------------------------------------------------------------------------------


def population():
    """Loadings of the population's components: those of the correlation matrix."""
    covariance = TWO.T @ TWO + 0.49 * np.eye(20)
    spread = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(spread, spread))
    return (vectors[:, ::-1][:, :2] * np.sqrt(values[::-1][:2])).T


def simulated(samples, truth, make, fit, draws):
    """Errors over spread, and coverage of the truth, medians over loadings."""
    estimates, errors = [], []
    for seed in range(samples):
        found = fit(make(seed)).bootstrap_loadings(draws, rng=seed)
        estimate = found.estimate.to_numpy().reshape(truth.shape)
        signs = np.sign((estimate * truth).sum(axis=1))[:, None]
        estimates.append(estimate * signs)
        errors.append(found.bse.to_numpy().reshape(truth.shape))
    estimates, errors = np.array(estimates), np.array(errors)
    ratio = errors.mean(axis=0) / estimates.std(axis=0, ddof=1)
    covered = np.abs(estimates - truth) < 1.96 * errors
    return np.median(ratio), covered.mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "rho", "least"), [(200, 0.0, 0.92), (200, 0.7, 0.84), (600, 0.7, 0.90)]
)
def test_intervals_of_components_cover_those_of_the_population(n, rho, least):
    index = pd.period_range("1900-01", periods=n, freq="M") if rho else pd.RangeIndex(n)

    def fit(x):
        return ne.AutoencoderFactor(pd.DataFrame(x, index), 2, hidden=()).fit()

    ratio, covered = simulated(100, population(), lambda seed: linear(seed, n, rho), fit, 60)
    assert (0.9 if not rho else 0.8) < ratio < 1.1
    assert least < covered < 0.97
    if rho:
        # rows drawn one by one miss the autocorrelation
        def alone(x):
            return ne.AutoencoderFactor(x, 2, hidden=()).fit()

        assert simulated(60, population(), lambda s: linear(s, n, rho), alone, 60)[1] < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.003, "cv"])
def test_intervals_of_a_nonlinear_factor_cover_the_truth(alpha):
    truth = SLOPES / np.sqrt(SLOPES**2 + 2 * BENDS**2 + 0.36)

    def fit(x):
        return ne.AutoencoderFactor(x, 1, hidden=3).fit(alpha=alpha)

    ratio, covered = simulated(40, truth[None], curved, fit, 30)
    assert 0.85 < ratio < 1.2
    assert 0.87 < covered < 0.99
