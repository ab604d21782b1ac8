"""Posterior standard deviations of factors say how far factors are from the truth."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.inference.factor_alignment import matched

pytestmark = pytest.mark.slow


def simulated(g, bent, n=200, n_series=15, k=2):
    """Factors, and series that are linear in them, with orthogonal loadings, or bent."""
    f = g.standard_normal((n, k))
    a = np.linalg.qr(g.standard_normal((n_series, k)))[0] * np.sqrt(n_series)
    x = f @ (a * np.linspace(1.0, 0.7, k)).T
    if bent:
        x = x + f**2 @ (0.4 * g.standard_normal((k, n_series)))
    return x + g.standard_normal((n, n_series)), f


def truth(results, f):
    """Factors that were drawn, in the order, signs and units of the estimate's."""
    found = results.factors.to_numpy()
    order, _ = matched(f / np.linalg.norm(f, axis=0), found)
    own = f[:, order] * np.sign((f[:, order] * found).sum(axis=0))
    if results.is_linear:
        v = results.noise_variance / results._probabilistic.variances
        return own / np.sqrt((1.0 - v) * len(f))
    alignment = results.mapping.alignment
    shift = alignment.center @ alignment.turn
    return own * np.abs(alignment.turn).sum(axis=0) - shift


def repeated(bent, alpha, samples, holes=0.0, k=2):
    """Coverage of 95% intervals, and root mean squared errors over what was said of them."""
    inside, ratio = [], []
    for seed in range(samples):
        g = np.random.default_rng(seed)
        x, f = simulated(g, bent, k=k)
        x = pd.DataFrame(np.where(g.uniform(size=x.shape) < holes, np.nan, x))
        model = ne.AutoencoderFactor(x, k, hidden=4, variational=True)
        results = model.fit(alpha=alpha, n_starts=2)
        error, se = truth(results, f) - results.factors.to_numpy(), results.factors_se.to_numpy()
        inside.append((np.abs(error) < 1.96 * se).mean())
        ratio.append((error**2).mean() / (se**2).mean())
    return np.mean(inside), np.sqrt(np.mean(ratio))


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_components(holes):
    covered, ratio = repeated(False, np.inf, 40, holes)
    assert 0.9 < covered < 0.97 and 0.9 < ratio < 1.2


def test_network_on_bent_series():
    covered, ratio = repeated(True, 3e-3, 20, k=1)
    assert 0.9 < covered < 0.97 and 0.9 < ratio < 1.2


def test_network_on_bent_series_with_gaps():
    covered, ratio = repeated(True, 3e-3, 20, holes=0.3, k=1)
    assert 0.9 < covered < 0.97 and 0.9 < ratio < 1.2
