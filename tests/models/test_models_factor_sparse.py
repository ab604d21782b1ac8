"""Sparse autoencoders: axes that are found, measures, limits, files and refusals."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.pca import PCA

import nnecon as ne
from nnecon.exceptions import SpecificationError
from nnecon.inference.factor_alignment import align_axes, matched


def spikes(seed, n=200, n_series=16, share=0.15):
    """Two factors that are mostly zero, in curved series that load on both alike."""
    g = np.random.default_rng(seed)
    f = g.standard_normal((n, 2)) * (g.uniform(size=(n, 2)) < share) / np.sqrt(share)
    a = np.repeat([[1.2, 0.3], [0.3, 1.2]], n_series // 2, axis=1)
    b = 0.5 * g.standard_normal((2, n_series))
    x = f @ a + np.tanh(f) @ b + 0.7 * g.standard_normal((n, n_series))
    return pd.DataFrame(x, columns=[f"s{j}" for j in range(n_series)]), f


def fitted(x, k=2, alpha=3e-3, **options):
    return ne.AutoencoderFactor(x, k, **{"hidden": 4, **options}).fit(
        alpha=alpha, alphas=[0.03], n_starts=1
    )


def recovery(results, f):
    """Least absolute correlation of the two factors with theirs."""
    found = results.factors.to_numpy()
    order, _ = matched(found - found.mean(axis=0), f)
    return min(abs(np.corrcoef(found[:, order[j]], f[:, j])[0, 1]) for j in range(2))


def test_sparse_factors_are_found_one_by_one():
    recovered, size = [], []
    for seed in range(3):
        x, f = spikes(seed)
        found = [fitted(x, nonlinear="decoder", sparsity=s) for s in (0.03, 0.0)]
        recovered.append([recovery(each, f) for each in found])
        size.append([each.sparseness()[("mean |f|", "network")].mean() for each in found])
    sparse, plain = np.transpose(recovered)
    assert sparse.min() > 0.9 and plain.mean() < 0.8
    assert np.mean(size, axis=0)[0] < np.mean(size, axis=0)[1]


def test_more_sparsity_makes_sparser_factors_and_a_worse_fit():
    x, _ = spikes(0)
    found = [fitted(x, sparsity=s) for s in (0.0, 0.03, 0.2)]
    size = [each.sparseness()[("mean |f|", "network")].sum() for each in found]
    fit = [each.compare().frame.loc["R-squared", "network"] for each in found]
    assert size[0] > size[1] > size[2]
    assert fit[0] > fit[2]


def test_no_sparsity_is_the_autoencoder_itself():
    x, _ = spikes(1)
    np.testing.assert_array_equal(fitted(x, sparsity=0.0).factors, fitted(x).factors)


def test_infinite_penalty_is_principal_components():
    x, _ = spikes(0)
    results = fitted(x, alpha=np.inf, sparsity=0.1)
    expected = PCA(x, ncomp=2)
    signs = np.sign((results.factors * expected.factors.to_numpy()).sum())
    np.testing.assert_allclose(results.factors * signs, expected.factors, atol=1e-8)
    np.testing.assert_allclose(results.projection, expected.projection, atol=1e-8)


def test_sparsity_does_not_depend_on_units():
    x, _ = spikes(2)
    scales = np.geomspace(0.1, 10.0, x.shape[1])
    one, other = fitted(x, sparsity=0.03), fitted(x * scales, sparsity=0.03)
    np.testing.assert_allclose(other.projection / scales, one.projection, atol=5e-3)


def test_axes_are_ordered_and_signed_but_not_turned():
    g = np.random.default_rng(0)
    reference = np.linalg.qr(g.standard_normal((50, 3)))[0]
    codes = 3.0 - reference[:, [2, 0, 1]] * [5.0, -2.0, 0.1] + 0.01 * g.standard_normal((50, 3))
    alignment = align_axes(codes, reference)
    turned = alignment.apply(codes)
    assert ((alignment.turn != 0).sum(axis=0) == 1).all()
    np.testing.assert_allclose((turned**2).sum(axis=0), 1.0)
    np.testing.assert_allclose(alignment.undo(turned), codes)
    assert (np.diag(turned.T @ reference) > 0.5).all()


def test_measures_of_known_factors():
    x, _ = spikes(0)
    table = fitted(x, alpha=np.inf, sparsity=0.1).sparseness(near=0.5)
    pc = PCA(x, ncomp=2).factors.to_numpy()
    size = np.abs(pc) / pc.std(axis=0)
    np.testing.assert_allclose(table[("mean |f|", "network")], size.mean(axis=0), atol=1e-8)
    np.testing.assert_allclose(table[("near zero", "PCA")], (size < 0.5).mean(axis=0))
    l1, l2, root = np.abs(pc).sum(axis=0), np.sqrt((pc**2).sum(axis=0)), np.sqrt(len(pc))
    np.testing.assert_allclose(table[("hoyer", "PCA")], (root - l1 / l2) / (root - 1), atol=1e-8)


@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_rows_of_the_sample_files_and_new_rows(holes, tmp_path):
    x, _ = spikes(1)
    x = x.mask(np.random.default_rng(3).uniform(size=x.shape) < holes)
    results = fitted(x, sparsity=0.03)
    assert not results.is_linear and results.converged
    np.testing.assert_allclose(results.transform(x), results.factors, atol=1e-12)
    np.testing.assert_allclose((results.factors**2).sum(), 1.0)
    decoded = results.decode(results.transform(x[:20]))
    np.testing.assert_allclose(decoded, results.reconstruct(x[:20]), atol=1e-9)
    results.save(tmp_path / "a.nn")
    again = ne.load(tmp_path / "a.nn")
    np.testing.assert_allclose(again.reconstruct(x), results.reconstruct(x), atol=1e-9)
    assert again.model.sparsity == 0.03


def test_penalty_is_chosen_and_components_compete():
    x, _ = spikes(0)
    model = ne.AutoencoderFactor(x, 2, hidden=4, sparsity=0.03)
    results = model.fit(alphas=[0.03, 0.003], cv=2, n_starts=1)
    pure = ne.AutoencoderFactor(x, 2, hidden=()).fit()
    assert np.isfinite(results.cv.scores).all() and results.path.linear[0]
    np.testing.assert_allclose(results.path.explained[0], pure.rsquare.iloc[-1], atol=1e-7)


@pytest.mark.parametrize("other", [{"noise": 0.3}, {"tied": True}])
def test_other_variants_can_be_sparse(other):
    x, _ = spikes(0)
    size = fitted(x, sparsity=0.2, hidden=2, **other).sparseness()["mean |f|"].sum()
    assert size["network"] < 0.95 * size["PCA"]


def test_bootstrap_of_one_sparse_factor_and_refusal_of_several():
    x, _ = spikes(0)
    drawn = fitted(x, k=1, alpha=0.1, sparsity=0.03, hidden=1).bootstrap_loadings(2)
    assert (drawn.summary_frame()["std err"] > 0).all()
    with pytest.raises(SpecificationError, match="common transformation"):
        fitted(x, sparsity=0.03).bootstrap_loadings(4)


def test_summary_names_and_measures_sparsity():
    x, _ = spikes(0)
    text = str(fitted(x, sparsity=0.03))
    assert "sparse (0.03)" in text and "Near zero" in text
    assert "Near zero" not in str(fitted(x))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": ()}, "sparsity has no effect"),
        ({"sparsity": -0.1}, "at least 0"),
        ({"sparsity": np.inf}, "at least 0"),
        ({"sparsity": True}, "at least 0"),
    ],
)
def test_bad_arguments_are_refused(options, words):
    x, _ = spikes(0)
    with pytest.raises(SpecificationError, match=words):
        ne.AutoencoderFactor(x, 2, **{"sparsity": 0.1, **options})


def test_mini_batches_are_refused():
    x, _ = spikes(0)
    with pytest.raises(SpecificationError, match="sparsity"):
        ne.AutoencoderFactor(x, 2, sparsity=0.1).fit(alpha=0.01, method="adam")


def test_near_has_to_be_positive():
    x, _ = spikes(0)
    with pytest.raises(SpecificationError, match="near"):
        fitted(x, alpha=np.inf).sparseness(near=0.0)
