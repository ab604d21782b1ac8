"""What the autoencoder finds in panels of which the truth is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import nnecon as ne
from nnecon.inference.factor_map import reconstruct


def drawn(seed, nonlinear=True):
    """One factor, 50 series: x = a f + b f^2 + c sin(f) + noise; 300 rows and 300 new ones."""
    g = np.random.default_rng(seed)
    f, (a, b, c) = g.standard_normal(600), g.standard_normal((3, 50))
    x = np.outer(f, a) + g.standard_normal((600, 50))
    if nonlinear:
        x = x + np.outer(f**2, b) + np.outer(np.sin(f), c)
    return f, x


def outcome(seed, nonlinear=True):
    """Rank correlations of autoencoder and PCA with the factor, ratio of errors on new rows."""
    f, x = drawn(seed, nonlinear)
    results = ne.AutoencoderFactor(x[:300], k_factors=1, hidden=6).fit()
    scale = x[:300].std(axis=0)
    errors = [
        np.mean(((x[300:] - fit) / scale) ** 2)
        for fit in (
            results.reconstruct(x[300:]).to_numpy(),
            reconstruct(results.components, x[300:]),
        )
    ]
    ranks = [
        abs(spearmanr(each[:, 0], f[:300])[0])
        for each in (results.factors.to_numpy(), results.components.factors(x[:300]))
    ]
    return *ranks, errors[0] / errors[1]


def test_one_draw_with_a_curved_factor():
    network, linear, ratio = outcome(0)
    assert network > 0.95 > linear
    assert ratio < 0.8


@pytest.mark.slow
def test_twenty_draws_with_a_curved_factor():
    found = np.array([outcome(seed) for seed in range(20)])
    assert found[:, 0].min() >= 0.95
    assert (found[:, 2] < 1.0).all()


@pytest.mark.slow
def test_twenty_draws_with_a_linear_factor():
    found = np.array([outcome(seed, nonlinear=False) for seed in range(20)])
    assert found[:, 2].max() <= 1.01
