"""Variational autoencoders: probabilistic components inside, bounds, posteriors, limits."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA as ScikitPCA
from statsmodels.multivariate.pca import PCA

import nnecon as ne
from nnecon.estimation.autoencoding import PanelSample, autoencoder_kernels
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.variational_autoencoding import posterior_draws
from nnecon.exceptions import SpecificationError
from nnecon.inference.variational_map import noise_variance
from nnecon.nets.variational import VariationalAutoencoder


def linear_panel(seed, n=150, n_series=10, k=2):
    """Probabilistic principal components with orthogonal loadings, and the factors."""
    g = np.random.default_rng(seed)
    f = g.standard_normal((n, k))
    loadings = np.linalg.qr(g.standard_normal((n_series, k)))[0] * np.sqrt(n_series)
    x = f @ (loadings * np.linspace(1.0, 0.6, k)).T + 0.8 * g.standard_normal((n, n_series))
    return pd.DataFrame(x, columns=[f"s{j}" for j in range(n_series)]), f


def curved_panel(seed, n=150, n_series=10):
    """One factor that bends the series."""
    g = np.random.default_rng(seed)
    f, a, b = g.standard_normal(n), *g.standard_normal((2, n_series))
    x = np.outer(f, a) + np.outer(f**2, b) + g.standard_normal((n, n_series))
    return pd.DataFrame(x, columns=[f"s{j}" for j in range(n_series)]), f[:, None]


def standardised(x):
    return ((x - x.mean()) / x.std(ddof=0)).to_numpy()


def fitted(x, k=1, alpha=3e-3, **options):
    return ne.AutoencoderFactor(x, k, hidden=4, variational=True, **options).fit(
        alpha=alpha, alphas=[0.03], n_starts=1
    )


def scikit_pca(z, k):
    """scikit-learn's, with the covariance of the likelihood's maximum (divided by n)."""
    scikit = ScikitPCA(k).fit(z)
    scikit.explained_variance_ *= (len(z) - 1) / len(z)
    scikit.noise_variance_ *= (len(z) - 1) / len(z)
    return scikit


def minimised(z, k, draws):
    """The linear network's optimum from a random start, its scores the principal components."""
    n, n_series = z.shape
    u = np.linalg.svd(z, full_matrices=False)[0]
    network = VariationalAutoencoder(n_series, k, (), (), "tanh")
    scores = u * np.sqrt(n)
    weights = np.full(z.shape, 1.0 / z.size)
    sample = PanelSample(scores, z, weights, share=np.ones((n, 1)), draws=draws)
    directions = np.random.default_rng(5).standard_normal((n_series, k))
    start = network.init(np.random.default_rng(0), directions)
    kernels = autoencoder_kernels(network)
    with double_precision():

        def value(params):
            found, gradient = kernels.value_gradient(params, *sample.seen, 0.0)
            return float(found), np.asarray(gradient)

        options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-12}
        found = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
        output = np.asarray(kernels.output(found.x, *sample.seen, 0.0))
    return found, output, noise_variance(network, found.x, *sample.seen, 0.0)


def test_linear_network_is_probabilistic_principal_components():
    x, _ = linear_panel(0)
    z, k = standardised(x), 2
    found, output, noise = minimised(z, k, posterior_draws(0, len(z), k))
    scikit = scikit_pca(z, k)
    # the objective is R exp(2K), of which minus the bound a value is half the logarithm
    bound = -0.5 * (np.log(4.0 * np.pi * found.fun) + 1.0) * z.shape[1]
    np.testing.assert_allclose(bound, scikit.score(z), atol=1e-8)
    values = np.linalg.eigvalsh(z.T @ z / len(z))[::-1]
    np.testing.assert_allclose(noise, values[k:].mean(), rtol=1e-6)
    span = np.linalg.qr(output[1:].T)[0]
    np.testing.assert_allclose(span @ span.T, scikit.components_.T @ scikit.components_, atol=1e-4)


def test_draws_do_not_matter_to_a_linear_decoder():
    x, _ = linear_panel(1)
    z = standardised(x)
    values = [minimised(z, 2, posterior_draws(seed, len(z), 2))[0].fun for seed in (0, 1)]
    np.testing.assert_allclose(*values, rtol=1e-9)


def test_draws_are_opposite_pairs_with_unit_moments():
    draws = posterior_draws(0, 7, 3)
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=1e-12)
    second = np.einsum("mti,mtj->tij", draws, draws) / len(draws)
    np.testing.assert_allclose(second, np.broadcast_to(np.eye(3), second.shape), atol=1e-10)
    assert np.abs(draws[:, 0] - draws[:, 1]).max() > 0.1


@pytest.mark.parametrize("standardize", [True, False])
def test_infinite_penalty_is_principal_components_with_a_likelihood(standardize):
    x, _ = linear_panel(2)
    x = x * np.geomspace(0.1, 10.0, x.shape[1])
    results = fitted(x, 2, np.inf, standardize=standardize)
    expected = PCA(x, ncomp=2, standardize=standardize)
    signs = np.sign((results.factors * expected.factors.to_numpy()).sum())
    np.testing.assert_allclose(results.factors * signs, expected.factors, atol=1e-8)
    np.testing.assert_allclose(results.projection, expected.projection, atol=1e-7)
    data = (x - x.mean()).to_numpy()
    scale = x.std(ddof=0).to_numpy() if standardize else np.ones(x.shape[1])
    scikit = scikit_pca(data / scale, 2)
    llf = scikit.score_samples(data / scale) - np.log(scale).sum()
    np.testing.assert_allclose(results.elbo_obs, llf, atol=1e-8)
    np.testing.assert_allclose([results.llf, results.elbo], llf.sum(), atol=1e-6)
    np.testing.assert_allclose(results.noise_variance, scikit.noise_variance_)


def test_hidden_units_are_not_needed_for_a_likelihood():
    x, _ = linear_panel(2)
    plain = ne.AutoencoderFactor(x, 2, hidden=(), variational=True).fit()
    np.testing.assert_allclose(plain.llf, fitted(x, 2, np.inf).llf)
    assert "probabilistic" in plain.model.description


def test_density_of_known_values_is_that_of_the_normal_distribution():
    x, _ = linear_panel(3, n=60)
    x = x.mask(np.random.default_rng(0).uniform(size=x.shape) < 0.2)
    results = fitted(x, 2, np.inf)
    linear, z = results._probabilistic, standardised(x)
    shift = results.components.extraction.components.standardisation
    z = shift.apply(x.to_numpy())
    covariance = linear.weights @ linear.weights.T + linear.noise * np.eye(x.shape[1])
    for row in range(5):
        known = np.isfinite(z[row])
        normal = multivariate_normal(cov=covariance[np.ix_(known, known)])
        expected = normal.logpdf(z[row, known]) - np.log(shift.scale[known]).sum()
        np.testing.assert_allclose(results.elbo_obs.iloc[row], expected)


def test_components_have_the_posterior_of_probabilistic_ones():
    x, _ = linear_panel(4)
    limit = fitted(x, 2, np.inf)
    v = limit.noise_variance / limit._probabilistic.variances
    expected = np.sqrt(v / (1.0 - v) / len(x))
    np.testing.assert_allclose(limit.factors_se, np.tile(expected, (len(x), 1)), rtol=1e-8)


def test_curved_factor_has_a_higher_bound_than_the_linear_likelihood():
    x, f = curved_panel(0)
    results = ne.AutoencoderFactor(x, 1, hidden=4, variational=True).fit(alpha=3e-3, alphas=[0.03])
    assert not results.is_linear and results.converged
    assert results.elbo > results.llf_baseline + 100
    assert abs(results.factors.corrwith(pd.Series(f[:, 0]), method="spearman")).iloc[0] > 0.9
    table = results.compare().frame
    np.testing.assert_allclose(table.loc["ELBO", "network"], results.elbo)
    np.testing.assert_allclose(table.loc["ELBO", "PCA"], results.llf_baseline)
    with pytest.raises(SpecificationError, match="no closed form"):
        _ = results.llf


def test_bound_is_below_the_likelihood_by_quadrature():
    x, _ = curved_panel(1)
    results = fitted(x)
    mapping, n = results.mapping, len(x)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    from_codes = mapping.alignment.apply(nodes[:, None])
    series = results.decode(from_codes).to_numpy() - x.mean().to_numpy()
    scale = x.std(ddof=0).to_numpy()
    z = standardised(x)
    left = z[:, None] - (series / scale)[None]
    density = -0.5 * (left**2).sum(axis=2) / results.noise_variance
    density -= 0.5 * x.shape[1] * np.log(2.0 * np.pi * results.noise_variance)
    top = density.max(axis=1, keepdims=True)
    integral = np.exp(density - top) @ (weights / weights.sum())
    exact = np.log(integral) + top[:, 0] - np.log(scale).sum()
    gap = (exact - results.elbo_obs.to_numpy()).sum() / n
    assert 0.0 < gap < 0.15


@pytest.mark.parametrize("holes", [0.0, 0.15])
def test_rows_of_the_sample_files_and_new_rows(holes, tmp_path):
    x, _ = curved_panel(1)
    x = x.mask(np.random.default_rng(3).uniform(size=x.shape) < holes)
    results = fitted(x)
    assert not results.is_linear
    np.testing.assert_allclose(results.transform(x), results.factors, atol=1e-12)
    np.testing.assert_allclose((results.factors**2).sum(), 1.0)
    np.testing.assert_allclose(results.transform_se(x[:9]), results.factors_se[:9], atol=1e-12)
    decoded = results.decode(results.transform(x[:20]))
    np.testing.assert_allclose(decoded, results.reconstruct(x[:20]), atol=1e-9)
    results.save(tmp_path / "a.nn")
    again = ne.load(tmp_path / "a.nn")
    np.testing.assert_allclose(again.factors_se, results.factors_se, atol=1e-9)
    np.testing.assert_allclose(again.elbo, results.elbo)


def test_fewer_known_series_make_a_factor_less_sure():
    x, _ = curved_panel(1)
    for results in (fitted(x), fitted(x, 1, np.inf)):
        part = x[:20].copy()
        part.iloc[:, 3:] = np.nan
        ratio = results.transform_se(part) / results.factors_se[:20]
        assert (ratio > 1.05).all().all()


def test_penalty_is_chosen_and_components_compete():
    x, _ = curved_panel(0)
    model = ne.AutoencoderFactor(x, 1, hidden=4, variational=True)
    results = model.fit(alphas=[0.03, 0.003], cv=2, n_starts=1)
    pure = ne.AutoencoderFactor(x, 1, hidden=()).fit()
    assert np.isfinite(results.cv.scores).all() and results.path.linear[0]
    np.testing.assert_allclose(results.path.explained[0], pure.rsquare.iloc[-1], atol=1e-7)


def test_bootstrap_of_one_factor_and_summary():
    x, _ = curved_panel(1)
    results = fitted(x)
    assert (results.bootstrap_loadings(2).summary_frame()["std err"] > 0).all()
    text = str(results.summary())
    assert "variational" in text and "ELBO" in text


def test_posterior_needs_a_variational_model():
    x, _ = curved_panel(0)
    plain = ne.AutoencoderFactor(x, 1, hidden=()).fit()
    for name in ("elbo", "elbo_obs", "llf", "factors_se", "noise_variance"):
        with pytest.raises(SpecificationError, match="variational=True"):
            getattr(plain, name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tied": True}, "tied"),
        ({"noise": 0.1}, "noise"),
        ({"masking": 0.1}, "masking"),
        ({"sparsity": 0.1}, "sparsity"),
        ({"factor_order": 1}, "factor_order"),
        ({"variational": "yes"}, "True or False"),
        ({"k_factors": 10}, "fewer"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    x, _ = curved_panel(0)
    with pytest.raises(SpecificationError, match=words):
        ne.AutoencoderFactor(x, **{"k_factors": 1, "variational": True, **options})


def test_mini_batches_are_refused():
    x, _ = curved_panel(0)
    model = ne.AutoencoderFactor(x, 1, variational=True)
    with pytest.raises(SpecificationError, match="variational"):
        model.fit(alpha=0.01, method="adam")
