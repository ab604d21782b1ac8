"""Principal components, filling, numbers of factors, alignment, explained variance, on arrays."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from statsmodels.multivariate.pca import PCA

from nnecon.inference.explained_variance import increments, marginal_rsquare, residual_sums
from nnecon.inference.factor_alignment import align
from nnecon.inference.factor_number import bai_ng, bi_cross_validation, panel_criteria
from nnecon.inference.principal_components import (
    Standardisation,
    fill_missing,
    principal_components,
)


def panel(n=80, n_series=12, k=3, noise=0.7, missing=0.0, seed=0):
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, k)) @ g.standard_normal((k, n_series))
    x = 3.0 + 2.0 * (x + noise * g.standard_normal(x.shape))
    x[g.uniform(size=x.shape) < missing] = np.nan
    return x


def test_filling_equals_statsmodels_em():
    x = panel(missing=0.1)
    expected = PCA(x, ncomp=2, missing="fill-em", tol_em=1e-13, max_em_iter=5000)
    filled, rule = fill_missing(x, 2)
    np.testing.assert_allclose(filled, expected._adjusted_data, rtol=1e-8)
    assert rule.iterations > 3


def test_rows_are_filled_by_the_rule_of_the_sample():
    x = panel(missing=0.1)
    filled, rule = fill_missing(x, 2)
    np.testing.assert_allclose(rule.fill(x), filled, rtol=1e-8)
    np.testing.assert_allclose(rule.fill(x[[5]]), filled[[5]], rtol=1e-8)


def test_extrapolation_leads_where_plain_iterations_do():
    x = panel(missing=0.25, seed=3)
    filled, rule = fill_missing(x, 2)
    shift = Standardisation.of(x)
    z = shift.apply(x)
    plain = np.where(np.isnan(z), 0.0, z)
    iterations, moved = 0, 1.0
    while moved > 1e-12 and iterations < 20_000:
        iterations += 1
        vectors = np.linalg.svd(plain, full_matrices=False)[2][:2]
        step = np.where(np.isnan(z), plain @ vectors.T @ vectors, z)
        moved = np.abs(step - plain).max()
        plain = step
    np.testing.assert_allclose(shift.apply(filled), plain, atol=1e-8)
    assert rule.iterations < iterations


def test_known_values_are_never_changed():
    x = panel(missing=0.2)
    filled, _ = fill_missing(x, 2)
    known = ~np.isnan(x)
    assert (filled[known] == x[known]).all() and np.isfinite(filled).all()


@pytest.mark.parametrize("standardize", [True, False])
def test_components_equal_statsmodels(standardize):
    x = panel()
    expected = PCA(x, ncomp=3, standardize=standardize)
    found = principal_components(x, standardize)
    np.testing.assert_allclose(found.eigenvals[:3], expected.eigenvals, rtol=1e-10)
    np.testing.assert_allclose(np.abs(found.scores(x, 3)), np.abs(expected.factors), atol=1e-10)
    np.testing.assert_allclose(found.projection(x, 3), expected.projection, rtol=1e-9)


def test_signs_make_the_largest_entry_positive():
    vectors = principal_components(panel()).eigenvecs
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])] > 0).all()


def test_criteria_equal_statsmodels_and_find_the_number():
    x = panel(n=300, n_series=100, noise=2.0, seed=2)
    expected = PCA(x, ncomp=8)
    eigenvals = principal_components(x).eigenvals
    residual = eigenvals.sum() - np.r_[0.0, np.cumsum(eigenvals)[:8]]
    found = bai_ng(residual, 300, 100)
    np.testing.assert_allclose(found, expected.ic, rtol=1e-10)
    assert (found.argmin(axis=0)[:2] == 3).all()
    assert (panel_criteria(residual, 300, 100).argmin(axis=0)[:2] == 3).all()


def test_criteria_end_where_nothing_is_left():
    assert len(bai_ng(np.array([2.0, 1.0, 0.0, 0.0]), 30, 2)) == 2


def test_bi_cross_validation_does_not_reward_more_factors():
    g = np.random.default_rng(5)
    rows = np.array_split(g.permutation(150), 4)
    columns = np.array_split(g.permutation(30), 4)
    x = panel(n=150, n_series=30, noise=1.0, seed=4)
    found = bi_cross_validation(x, np.isfinite(x), 8, rows, columns)
    assert found.error.argmin() == 3
    assert found.error[-1] > 1.02 * found.error[3]
    # in the sample more factors always win
    left = principal_components(x).eigenvals
    assert (np.diff(np.cumsum(left)) > 0).all()


def test_bi_cross_validation_by_hand():
    x = panel(n=20, n_series=6, seed=7)
    rows, columns = [np.arange(5)], [np.arange(2)]
    found = bi_cross_validation(x, np.isfinite(x), 2, rows, columns)
    z = Standardisation.of(x[5:]).apply(x)
    a, b, c, d = z[:5, :2], z[:5, 2:], z[5:, :2], z[5:, 2:]
    u, s, vt = np.linalg.svd(d, full_matrices=False)
    inverse = vt[:2].T @ np.diag(1 / s[:2]) @ u[:, :2].T
    np.testing.assert_allclose(found.error[2], np.mean((a - b @ inverse @ c) ** 2), rtol=1e-10)
    np.testing.assert_allclose(found.error[0], np.mean(a**2), rtol=1e-10)


def test_alignment_undoes_any_rotation_scale_and_shift():
    x = panel()
    factors = principal_components(x).scores(x, 3)
    g = np.random.default_rng(0)
    codes = factors @ g.standard_normal((3, 3)) + g.standard_normal(3)
    found = align(codes, factors)
    np.testing.assert_allclose(found.apply(codes), factors, atol=1e-10)
    np.testing.assert_allclose(found.undo(factors), codes, atol=1e-10)


def test_aligned_factors_are_orthonormal_and_centred():
    g = np.random.default_rng(1)
    codes = g.standard_normal((50, 2)) ** 3
    reference = np.linalg.qr(g.standard_normal((50, 2)))[0]
    found = align(codes, reference).apply(codes)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-10)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-12)
    assert subspace_angles(found, codes - codes.mean(axis=0)).max() < 1e-7


def test_explained_variance_adds_up():
    x = panel()
    found = principal_components(x)
    z, factors = found.standardisation.apply(x), found.scores(x, 3)
    fits = [factors[:, :k] @ found.coefficients(3)[:k] for k in (1, 2, 3)]
    sums = residual_sums(z, fits)
    rsquare = 1.0 - sums / sums[0]
    np.testing.assert_allclose(increments(rsquare), marginal_rsquare(z, factors), atol=1e-10)
    np.testing.assert_allclose(
        1 - sums.sum(axis=1) / sums[0].sum(),
        np.r_[0.0, np.cumsum(found.eigenvals)[:3]] / found.eigenvals.sum(),
        atol=1e-12,
    )
