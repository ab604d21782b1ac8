"""AutoencoderFactor trained in mini-batches: beside L-BFGS, principal components, and in files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.pca import PCA

import nnecon as ne
from nnecon.exceptions import ConvergenceWarning, SpecificationError
from nnecon.inference import principal_components

QUICK = ne.Adam(learning_rate=0.01, schedule="cosine", epochs=30, batch_size=64)


def curved(n=2000, n_series=12, missing=0.0, seed=0):
    g = np.random.default_rng(seed)
    f, a, b, c = g.standard_normal(n), *g.standard_normal((3, n_series))
    x = np.outer(f, a) + np.outer(f**2, b) + np.outer(np.sin(2 * f), c)
    x += 0.7 * g.standard_normal(x.shape)
    x[g.uniform(size=x.shape) < missing] = np.nan
    return pd.DataFrame(x, columns=[f"s{j}" for j in range(n_series)]), f


@pytest.fixture(scope="module")
def sample():
    return curved(missing=0.05)


@pytest.fixture(scope="module")
def trained(sample):
    model = ne.AutoencoderFactor(sample[0], 1, hidden=6)
    return model.fit(alpha=1e-3, n_starts=2, method=QUICK)


def test_training_comes_near_to_the_minimum(sample, trained):
    model, patient = trained.model, replace(QUICK, epochs=300)
    exact = model.fit(alpha=1e-2, alphas=[1e-2], n_starts=2)
    near = model.fit(alpha=1e-2, n_starts=2, method=patient)
    linear = model.fit(alpha=np.inf)
    reached, least, most = (1.0 - each.rsquare.iloc[-1] for each in (near, exact, linear))
    assert reached < 1.02 * least and least < 0.5 * most
    assert abs(near.factors["comp_0"].corr(exact.factors["comp_0"])) > 0.99
    assert near.facts.certificate < 0.01 < trained.facts.certificate


def test_training_finds_the_curved_factor(sample, trained):
    assert abs(trained.factors["comp_0"].corr(pd.Series(sample[1]), method="spearman")) > 0.95
    assert not trained.converged and 1e-4 < trained.facts.certificate < 0.1


@pytest.mark.parametrize(("hidden", "alpha"), [(6, np.inf), ((), "cv")])
def test_classical_limit_needs_no_training(hidden, alpha):
    x, _ = curved(300)
    results = ne.AutoencoderFactor(x, 2, hidden=hidden).fit(alpha=alpha, method="adam")
    expected = PCA(x, ncomp=2)
    np.testing.assert_allclose(results.projection, expected.projection, atol=1e-8)
    assert results.is_linear and "Adam" not in str(results.summary())


def test_denoising_is_trained_on_its_copies():
    x, _ = curved(200)
    model = ne.AutoencoderFactor(x, 1, hidden=4, noise=0.5)
    exact = model.fit(alpha=1e-2, alphas=[1e-2], n_starts=3)
    options = ne.Adam(learning_rate=0.01, schedule="cosine", epochs=60, batch_size=64)
    near = model.fit(alpha=1e-2, n_starts=3, method=options)
    assert abs(near.factors["comp_0"].corr(exact.factors["comp_0"])) > 0.97
    left = [1.0 - each.rsquare.iloc[-1] for each in (near, exact, model.fit(alpha=np.inf))]
    assert left[0] < 1.1 * left[1] and left[1] < 0.8 * left[2]


def test_principal_components_compete(sample):
    model = ne.AutoencoderFactor(sample[0], 1, hidden=6)
    with pytest.warns(ConvergenceWarning, match="principal components, which are the estimate"):
        results = model.fit(alpha=50.0, n_starts=1, method=QUICK)
    assert results.is_linear and results.alpha == 50.0
    np.testing.assert_array_equal(results.factors, model.fit(alpha=np.inf).factors)


def test_a_linear_decoder_cannot_do_better_and_nobody_is_told_to_try():
    x, _ = curved(200)
    model = ne.AutoencoderFactor(x, 1, hidden=3, nonlinear="encoder")
    assert model.fit(alpha=0.01, n_starts=1, method=ne.Adam(epochs=2)).is_linear


def test_linear_data_are_never_fitted_worse_than_by_components():
    g = np.random.default_rng(1)
    x = g.standard_normal((1000, 2)) @ g.standard_normal((2, 10)) + g.standard_normal((1000, 10))
    results = ne.AutoencoderFactor(x, 2, hidden=4).fit(alpha=1e-3, n_starts=1, method=QUICK)
    frame = results.compare().frame
    assert frame.loc["R-squared", "network"] >= frame.loc["R-squared", "PCA"]


def test_same_seed_same_numbers_and_files(sample, trained, tmp_path):
    again = trained.model.fit(alpha=1e-3, n_starts=2, method=QUICK)
    np.testing.assert_array_equal(again.factors, trained.factors)
    other = trained.model.fit(alpha=1e-3, n_starts=2, method=QUICK, rng=1)
    assert np.abs(other.factors - trained.factors).to_numpy().max() > 1e-6
    trained.save(tmp_path / "factors.zip")
    loaded = ne.load(tmp_path / "factors.zip")
    np.testing.assert_array_equal(loaded.factors, trained.factors)
    assert str(loaded.summary()) == str(trained.summary())


def test_summary_says_how_it_was_trained(trained):
    text = " ".join(str(trained.summary()).split())
    assert "no (mini-batches)" in text
    assert (
        "Adam on batches of 64 rows, learning rate 0.01 (cosine schedule). Ran 30 epochs." in text
    )


def test_rows_to_factors_and_back(sample, trained):
    rows = sample[0].iloc[:50]
    np.testing.assert_allclose(trained.transform(rows), trained.factors.iloc[:50], atol=1e-10)
    back = trained.reconstruct(rows)
    np.testing.assert_allclose(back, trained.projection.iloc[:50], atol=1e-8)
    np.testing.assert_allclose(trained.decode(trained.transform(rows)), back, atol=1e-10)
    noise = trained.compare().frame.loc["Residual standard error"]
    assert noise["network"] < 0.8 * noise["PCA"]


def test_path_and_folds(sample):
    model = ne.AutoencoderFactor(sample[0].iloc[:600], 1, hidden=4)
    results = model.fit("cv", [0.3, 1e-2, 1e-3], cv=3, n_starts=1, method=QUICK)
    path = results.path.to_frame()
    assert path.index.tolist() == [np.inf, 0.3, 1e-2, 1e-3]
    assert path["explained"].iloc[-1] > path["explained"].iloc[0] + 0.1
    assert results.alpha == results.path.alpha_min == path["cv_mean"].idxmin()
    assert results.alpha < 0.3 and not results.is_linear
    assert results.cv.scores.shape == (3, 4)
    best = results.compare().frame.loc["Cross-validated RMSE"]
    assert best["network"] < best["PCA"]


def test_early_stopping_holds_the_last_periods_out():
    x, _ = curved(400)
    x.index = pd.period_range("1980-01", periods=400, freq="M")
    options = ne.Adam(learning_rate=0.03, epochs=40, batch_size=32, early_stopping=True, patience=3)
    results = ne.AutoencoderFactor(x, 1, hidden=6).fit(alpha=1e-3, n_starts=1, method=options)
    assert "the hold-out loss was least after epoch" in results.facts.note
    assert "20% of the rows held out" in " ".join(str(results.summary()).split())


def test_refusals(trained):
    x = trained.model.panel.values
    with pytest.raises(SpecificationError, match=r"denoising.*leave early_stopping out"):
        ne.AutoencoderFactor(x, 1, noise=0.1).fit(method=ne.Adam(early_stopping=True))
    with pytest.raises(SpecificationError, match="'auto', 'lbfgs', 'adam' or 'sgd'"):
        trained.model.fit(method="lm")
    with pytest.raises(SpecificationError, match=r"dropout=.*not made for autoencoders"):
        trained.model.fit(method=ne.Adam(dropout=0.5))
    with pytest.raises(SpecificationError, match="trained in mini-batches"):
        trained.bootstrap_loadings(draws=2)


def test_many_incomplete_rows_are_filled_as_one_by_one(monkeypatch):
    x, _ = curved(3 * 64 + 10, missing=0.3)
    x.iloc[5, 1:] = np.nan
    few, filling = principal_components.fill_missing(x.to_numpy(), 2)
    one_by_one = filling.fill(x.to_numpy())
    monkeypatch.setattr(principal_components, "MANY", 64)
    np.testing.assert_allclose(filling.fill(x.to_numpy()), one_by_one, atol=1e-9)
    # one value does not determine two factors; the shortest ones that fit it are taken
    np.testing.assert_allclose(np.delete(one_by_one, 5, 0), np.delete(few, 5, 0), atol=1e-7)
