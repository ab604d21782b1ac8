"""Variants of AutoencoderFactor: tied weights and denoising, by their effects and linear limits."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.pca import PCA

import nnecon as ne
from nnecon.exceptions import SpecificationError

VARIANTS = {"tied": {"tied": True}, "noise": {"noise": 0.5}, "masking": {"masking": 0.2}}


def drawn(seed, n=60, n_series=20):
    """A small sample of curved series, and 300 rows after it."""
    g = np.random.default_rng(seed)
    f, a, b, c = g.standard_normal(n + 300), *g.standard_normal((3, n_series))
    x = np.outer(f, a) + np.outer(f**2, b) + np.outer(np.sin(2 * f), c)
    x = pd.DataFrame(x + g.standard_normal(x.shape), columns=[f"s{j}" for j in range(n_series)])
    return x[:n], x[n:]


def fitted(x, alpha=1e-4, **variant):
    return ne.AutoencoderFactor(x, 1, hidden=6, **variant).fit(alpha=alpha, n_starts=2)


def error(results, rows):
    scale = results.model.panel.values.std(axis=0)
    return np.sqrt((((rows - results.reconstruct(rows)) / scale) ** 2).to_numpy().mean())


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=[*VARIANTS])
def test_infinite_penalty_is_principal_components(variant):
    x, _ = drawn(0)
    results = fitted(x, np.inf, **variant)
    expected = PCA(x, ncomp=1)
    sign = np.sign(results.factors.iloc[:, 0] @ expected.factors.iloc[:, 0])
    np.testing.assert_allclose(sign * results.factors, expected.factors, atol=1e-8)
    np.testing.assert_allclose(results.projection, expected.projection, atol=1e-8)


@pytest.mark.parametrize("kind", ["noise", "masking"])
def test_denoising_holds_an_overfitted_network_back(kind):
    ratios = []
    for seed in range(4):
        x, later = drawn(seed)
        ratios.append(error(fitted(x, **VARIANTS[kind]), later) / error(fitted(x), later))
    assert np.mean(ratios) < 0.9 and max(ratios) < 1.0


def test_no_noise_is_the_autoencoder_itself():
    x, _ = drawn(1)
    np.testing.assert_array_equal(fitted(x, noise=0.0, masking=0.0).factors, fitted(x).factors)


def test_little_noise_is_near_the_autoencoder_itself():
    x, _ = drawn(1)
    plain = fitted(x, 1e-2)
    errors = [
        np.abs(fitted(x, 1e-2, noise=size).projection - plain.projection).to_numpy().mean()
        for size in (1e-3, 0.3)
    ]
    assert errors[0] < 0.01 and errors[1] > 5 * errors[0]


def test_noise_is_in_standard_deviations_of_each_series():
    x, _ = drawn(2)
    scales = np.geomspace(0.1, 10.0, x.shape[1])
    one = fitted(x, 1e-2, noise=0.5)
    other = fitted(x * scales, 1e-2, noise=0.5)
    np.testing.assert_allclose(other.projection / scales, one.projection, atol=1e-3)


def test_seed_settles_the_noise():
    x, _ = drawn(1)
    model = ne.AutoencoderFactor(x, 1, hidden=6, noise=0.5)
    found = [model.fit(alpha=1e-3, n_starts=1, rng=rng).factors for rng in (0, 0, 1)]
    pd.testing.assert_frame_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).to_numpy().max() > 1e-6


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=[*VARIANTS])
@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_rows_of_the_sample_files_and_new_rows(variant, holes, tmp_path):
    x, later = drawn(1)
    x = x.mask(np.random.default_rng(3).uniform(size=x.shape) < holes)
    results = fitted(x, 1e-3, **variant)
    assert not results.is_linear
    np.testing.assert_allclose(results.transform(x), results.factors, atol=1e-12)
    np.testing.assert_allclose(results.reconstruct(x), results.projection, atol=1e-10)
    results.save(tmp_path / "a.nn")
    again = ne.load(tmp_path / "a.nn")
    np.testing.assert_allclose(again.reconstruct(later), results.reconstruct(later), atol=1e-9)
    assert again.model.description == results.model.description


def test_tied_rsquare_is_that_of_the_projection():
    x, _ = drawn(3)
    results = fitted(x, 1e-3, tied=True)
    left = results.transformed_data - (results.projection - x.mean()) / x.std(ddof=0)
    expected = 1.0 - (left**2).to_numpy().sum() / x.size
    np.testing.assert_allclose(results.rsquare.iloc[-1], expected, atol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=[*VARIANTS])
def test_penalty_is_chosen_and_components_compete(variant):
    x, _ = drawn(0, n=120)
    results = ne.AutoencoderFactor(x, 1, hidden=4, **variant).fit(alphas=4, n_starts=2)
    assert np.isfinite(results.cv.scores).all() and results.path.linear[0]
    pure = ne.AutoencoderFactor(x, 1, hidden=()).fit()
    np.testing.assert_allclose(results.path.explained[0], pure.rsquare.iloc[-1], atol=1e-7)
    assert results.cv.mean.min() <= results.cv.mean[0]


def test_bootstrap_of_a_denoised_factor():
    x, _ = drawn(0, n_series=6)
    drawn_ = fitted(x, 1e-2, noise=0.5).bootstrap_loadings(4)
    assert (drawn_.summary_frame()["std err"] > 0).all()


def test_summary_names_the_variant():
    x, _ = drawn(0)
    assert "tied weights" in str(fitted(x, 1e-3, tied=True))
    assert "denoising (noise 0.5)" in fitted(x, 1e-3, noise=0.5).model.description


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tied": True, "hidden": ()}, "tied has no effect"),
        ({"noise": 0.1, "hidden": ()}, "noise has no effect"),
        ({"tied": True, "nonlinear": "decoder"}, "both sides"),
        ({"tied": True, "masking": 0.1}, "masking"),
        ({"tied": "yes"}, "True or False"),
        ({"noise": -1.0}, "at least 0"),
        ({"noise": np.nan}, "at least 0"),
        ({"noise": True}, "at least 0"),
        ({"masking": 1.0}, "under 1"),
        ({"masking": "half"}, "under 1"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    x, _ = drawn(0)
    with pytest.raises(SpecificationError, match=words):
        ne.AutoencoderFactor(x, 1, **options)
