"""AutoencoderFactor: statsmodels' PCA in the classical limit, missing values, new rows, errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.pca import PCA
from threadpoolctl import threadpool_limits

import nnecon as ne
from nnecon.exceptions import DataError, FormulaError, SpecificationError

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "fred-md-2023-10-permitted.csv"
needs_file = pytest.mark.skipif(not SHARED.is_file(), reason="the FRED-MD file is not at hand")
MACRO = ["growth", "infl", "unemp", "tbilrate", "realint", "realgdp", "m1"]


def macro():
    data = ne.datasets.load_macro()
    data = data.assign(realgdp=np.log(data["realgdp"]).diff(), m1=np.log(data["m1"]).diff())
    return data[MACRO].iloc[1:]


def with_holes(frame, share=0.05, seed=0):
    g = np.random.default_rng(seed)
    return frame.mask(g.uniform(size=frame.shape) < share)


def curved(n=300, n_series=20, seed=0, noise=0.5):
    g = np.random.default_rng(seed)
    f, a, b = g.standard_normal(n), *g.standard_normal((2, n_series))
    x = np.outer(f, a) + np.outer(f**2, b) + noise * g.standard_normal((n, n_series))
    return f, pd.DataFrame(x, columns=[f"s{j}" for j in range(n_series)])


def assert_equals_statsmodels(found, expected, atol=1e-6):
    sign = np.sign((found.factors.to_numpy() * expected.factors.to_numpy()).sum(axis=0))
    pairs = {
        "factors": (found.factors * sign, expected.factors),
        "scores": (found.scores * sign, expected.scores),
        "loadings": (found.loadings * sign, expected.loadings),
        "coeff": (found.coeff.mul(sign, axis=0), expected.coeff),
        "eigenvals": (found.eigenvals / found.nobs, expected.eigenvals / found.nobs),
        "eigenvecs": (found.eigenvecs * sign, expected.eigenvecs),
        "rsquare": (found.rsquare, expected.rsquare),
        "ic": (found.ic, expected.ic),
        "projection": (found.projection, expected.projection),
        "transformed_data": (found.transformed_data, expected.transformed_data),
    }
    for name, (ours, theirs) in pairs.items():
        np.testing.assert_allclose(ours, theirs, atol=atol, rtol=atol, err_msg=name)
    for name in ("factors", "projection", "loadings", "rsquare", "ic", "eigenvecs"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.index.equals(theirs.index), name
        assert ours.index.name == theirs.index.name, name
        if ours.ndim == 2:
            assert list(ours.columns) == list(theirs.columns), name


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("how", ["hidden", "alpha"])
def test_equals_statsmodels_on_macrodata(how, standardize):
    data = macro()
    model = ne.AutoencoderFactor(
        data, 3, hidden=() if how == "hidden" else (4,), standardize=standardize
    )
    results = model.fit() if how == "hidden" else model.fit(alpha=np.inf)
    assert results.is_linear and results.alpha == np.inf
    assert_equals_statsmodels(results, PCA(data, ncomp=3, standardize=standardize))


def test_equals_statsmodels_with_missing_values():
    data = with_holes(macro())
    results = ne.AutoencoderFactor(data, 2, hidden=()).fit()
    expected = PCA(data, ncomp=2, missing="fill-em", tol_em=1e-13, max_em_iter=10_000)
    assert_equals_statsmodels(results, expected)


@needs_file
def test_equals_statsmodels_on_fred_md_without_missing_values():
    data = ne.datasets.read_fred_md(SHARED).loc["1993":"2019"].dropna(axis="columns")
    assert data.shape[1] > 90
    results = ne.AutoencoderFactor(data, 8, hidden=()).fit()
    assert_equals_statsmodels(results, PCA(data, ncomp=8))


@needs_file
def test_equals_statsmodels_on_fred_md_with_missing_values():
    data = ne.datasets.read_fred_md(SHARED).iloc[2:]
    results = ne.AutoencoderFactor(data, 4, hidden=()).fit()
    with threadpool_limits(1):
        expected = PCA(
            data, ncomp=4, missing="fill-em", tol_em=1e-12, max_em_iter=10_000, method="eig"
        )
    assert_equals_statsmodels(results, expected)


@pytest.mark.parametrize("holes", [0.0, 0.05])
def test_rows_of_the_sample_get_their_own_factors(holes):
    data = with_holes(macro(), holes)
    for results in (
        ne.AutoencoderFactor(data, 2, hidden=()).fit(),
        ne.AutoencoderFactor(data, 2, hidden=3).fit(alpha=0.01, n_starts=1),
    ):
        expected = PCA(results.transformed_data, ncomp=2, standardize=False)
        linear = results.components.factors(data.to_numpy())
        np.testing.assert_allclose(np.abs(linear), np.abs(expected.factors), atol=1e-7)
        np.testing.assert_allclose(results.transform(data), results.factors, atol=1e-12)
        np.testing.assert_allclose(results.transform(data[7:9]), results.factors[7:9], atol=1e-10)
        np.testing.assert_allclose(results.reconstruct(data[7:9]), results.projection[7:9])


def test_new_rows_of_columns_that_are_named_by_numbers():
    data = macro().iloc[:, :5].set_axis(range(5), axis=1)
    results = ne.AutoencoderFactor(data, k_factors=1, hidden=()).fit()
    np.testing.assert_allclose(results.reconstruct(data[7:9]), results.projection[7:9])
    np.testing.assert_allclose(results.transform(data[7:9]), results.factors[7:9])


def test_network_beats_components_on_curved_data_and_not_on_straight_ones():
    f, x = curved()
    results = ne.AutoencoderFactor(x, 1, hidden=4).fit(n_starts=3)
    found = results.compare()
    assert not results.is_linear and results.converged
    assert (
        found.frame.loc["Cross-validated RMSE", "network"]
        < 0.85 * (found.frame.loc["Cross-validated RMSE", "PCA"])
    )
    assert found.test.applies and found.test.statistic > 0
    rank = pd.Series(f).corr(results.factors["comp_0"], method="spearman")
    assert abs(rank) > 0.95
    g = np.random.default_rng(1)
    straight = np.outer(f, g.standard_normal(20)) + g.standard_normal((300, 20))
    assert ne.AutoencoderFactor(straight, 1, hidden=4).fit(n_starts=2).is_linear


def test_missing_values_are_left_out_of_the_objective():
    _, x = curved(noise=0.2)
    holes = with_holes(x, 0.15)
    results = ne.AutoencoderFactor(holes, 1, hidden=5).fit(alpha=1e-4, n_starts=3)
    gone = holes.isna().to_numpy() & x.notna().to_numpy()
    error = ((results.reconstruct(holes) - x) / x.std()).to_numpy()
    linear = ((results.baseline.projection - x) / x.std()).to_numpy()
    assert np.mean(error[gone] ** 2) < 0.5 * np.mean(linear[gone] ** 2)
    # a value that is missing has no influence, whatever stood there
    again = holes.fillna(1e6).where(holes.notna())
    other = ne.AutoencoderFactor(again, 1, hidden=5).fit(alpha=1e-4, n_starts=3)
    np.testing.assert_array_equal(other.factors, results.factors)


def test_a_linear_encoder_has_linear_codes_and_a_bent_decoder():
    _, x = curved()
    results = ne.AutoencoderFactor(x, 1, hidden=4, nonlinear="decoder").fit(alpha=1e-3, n_starts=4)
    first, second = x.iloc[[0]].to_numpy(), x.iloc[[1]].to_numpy()
    codes = results.mapping.codes
    between = (codes(first) + codes(second)) / 2
    np.testing.assert_allclose(codes((first + second) / 2), between, atol=1e-9)
    bends = np.diff(results.decode(np.linspace(-0.1, 0.1, 5)[:, None]), n=2, axis=0)
    assert np.abs(bends).max() > 1e-2
    assert results.rsquare.iloc[-1] > 1.1 * results.baseline.rsquare.iloc[-1]


def test_a_linear_decoder_cannot_beat_principal_components():
    # the reconstruction has rank k whatever the encoder is (Bourlard and Kamp, 1988)
    _, x = curved()
    model = ne.AutoencoderFactor(x, 1, hidden=4, nonlinear="encoder")
    assert model.fit(alpha=1e-4, n_starts=4).is_linear
    alone = ne.AutoencoderFactor(x, 1, hidden=4, nonlinear="encoder", linear_part=False)
    results = alone.fit(alpha=1e-5, n_starts=4)
    assert not results.is_linear
    share = results.rsquare.iloc[-1] / results.baseline.rsquare.iloc[-1]
    assert 0.8 < share < 1.0


def test_without_a_linear_part_the_limit_is_the_mean():
    _, x = curved()
    model = ne.AutoencoderFactor(x, 1, hidden=4, linear_part=False)
    assert model.fit(alpha=1e-3, n_starts=4).rsquare.iloc[-1] > 0.5
    with pytest.raises(SpecificationError, match="leaves nothing"):
        ne.AutoencoderFactor(x, 1, hidden=(), linear_part=False)


def test_average_loadings_are_derivatives():
    _, x = curved()
    results = ne.AutoencoderFactor(x, 1, hidden=4).fit(alpha=1e-3, n_starts=3)
    step = 1e-5
    up, down = (results.decode(results.factors + move) for move in (step, -step))
    slopes = (
        (up - down) / (2 * step)
    ).mean() / results.components.extraction.components.standardisation.scale
    np.testing.assert_allclose(results.coeff.iloc[0], slopes, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose((results.loadings**2).sum(), 1.0)


def test_explained_variance_ends_at_rsquare():
    _, x = curved()
    results = ne.AutoencoderFactor(x, 2, hidden=4).fit(alpha=1e-3, n_starts=3)
    fit = results.mapping.decode(results.factors.to_numpy())
    z = results.transformed_data.to_numpy()
    whole = 1 - ((z - fit) ** 2).sum() / (z**2).sum()
    assert results.rsquare.iloc[-1] == pytest.approx(whole, abs=1e-5)
    total = results.variance_explained().sum(axis=1)
    np.testing.assert_allclose(total, results.rsquare_by_series.iloc[-1])
    top = results.top_series(3)
    assert top[("comp_0", "rsquare")].is_monotonic_decreasing
    assert (results.variance_explained("marginal").to_numpy() <= 1).all()


def test_number_of_factors_is_chosen():
    g = np.random.default_rng(3)
    x = g.standard_normal((200, 3)) @ g.standard_normal((3, 80)) + g.standard_normal((200, 80))
    for rule in ("ic", "IC_p1", "PC_p2", "bcv"):
        model = ne.AutoencoderFactor(x, rule, hidden=())
        assert model.k_factors == 3, rule
    assert "bcv" in model.numbers and "IC_p2" in model.numbers
    noise = g.standard_normal((200, 80))
    with pytest.raises(SpecificationError, match="no common factor"):
        ne.AutoencoderFactor(noise, "ic")


def test_formula_with_growth_rates():
    levels = ne.datasets.load_macro()
    formula = "~ 0 + dlog(realgdp) + dlog(realcons) + unemp + realint"
    results = ne.AutoencoderFactor.from_formula(formula, levels, k_factors=2, hidden=()).fit()
    assert results.model.names == ("dlog(realgdp)", "dlog(realcons)", "unemp", "realint")
    by_hand = pd.DataFrame(
        {
            "a": 100 * np.log(levels["realgdp"]).diff(),
            "b": 100 * np.log(levels["realcons"]).diff(),
            "c": levels["unemp"],
            "d": levels["realint"],
        }
    ).iloc[1:]
    other = ne.AutoencoderFactor(by_hand, 2, hidden=()).fit()
    np.testing.assert_allclose(results.factors, other.factors, atol=1e-10)
    np.testing.assert_allclose(results.transform(levels), results.factors, atol=1e-12)


@pytest.mark.parametrize(
    ("formula", "error"),
    [
        ("growth ~ infl + unemp", "no left side"),
        ("~ infl * unemp", "joined by"),
        ("~ infl + infl", "stands twice"),
        ("~ infl - infl.mean() + unemp", "joined by|other rows"),
        ("~ C(infl) + unemp", "categories"),
        ("~ 0", "names no series"),
    ],
)
def test_formulas_that_are_refused(formula, error):
    with pytest.raises(FormulaError, match=error):
        ne.AutoencoderFactor.from_formula(formula, ne.datasets.load_macro())


def test_saved_results_are_the_same(tmp_path):
    data = with_holes(macro())
    results = ne.AutoencoderFactor(data, 2, hidden=3).fit(alpha=0.003, cv=3, n_starts=2)
    results.save(tmp_path / "factors.nne")
    again = ne.load(tmp_path / "factors.nne")
    assert not again.is_linear
    np.testing.assert_allclose(again.factors, results.factors, atol=1e-12)
    pd.testing.assert_frame_equal(again.path.to_frame(), results.path.to_frame())
    pd.testing.assert_frame_equal(again.cv.series_losses, results.cv.series_losses)
    assert str(again.summary()) == str(results.summary())
    pd.testing.assert_frame_equal(again.compare().frame, results.compare().frame)


def test_saved_formula_continues_on_new_rows(tmp_path):
    levels = ne.datasets.load_macro()
    formula = "~ 0 + np.log(realgdp) + unemp + infl"
    results = ne.AutoencoderFactor.from_formula(formula, levels, k_factors=1, hidden=()).fit()
    results.save(tmp_path / "formula.nne")
    again = ne.load(tmp_path / "formula.nne")
    np.testing.assert_allclose(again.transform(levels[-4:]), results.factors[-4:], atol=1e-10)


def test_same_seed_same_numbers():
    _, x = curved()
    model = ne.AutoencoderFactor(x, 1, hidden=3)
    first, second = (model.fit(alpha=0.003, n_starts=2, rng=4) for _ in range(2))
    np.testing.assert_array_equal(first.factors, second.factors)


def test_units_and_order_of_series_do_not_matter():
    _, x = curved()
    results = ne.AutoencoderFactor(x, 1, hidden=3).fit(alpha=0.003, n_starts=2)
    other = ne.AutoencoderFactor(7.0 + 3.0 * x, 1, hidden=3).fit(alpha=0.003, n_starts=2)
    np.testing.assert_allclose(other.factors, results.factors, atol=1e-4)
    plain, larger = (
        ne.AutoencoderFactor(scale * x, 1, hidden=3, standardize=False).fit(alpha=0.003, n_starts=2)
        for scale in (1.0, 100.0)
    )
    np.testing.assert_allclose(larger.factors, plain.factors, atol=1e-4)


def test_factors_join_a_frame():
    data = ne.datasets.load_macro()
    results = ne.AutoencoderFactor(macro(), 2, hidden=()).fit()
    joined = results.to_frame(data)
    assert list(joined.columns) == [*data.columns, "factor1", "factor2"]
    assert joined["factor1"].isna().sum() == 1
    assert joined["factor1"].std(ddof=0) == pytest.approx(1.0)
    with pytest.raises(SpecificationError, match="another prefix"):
        results.to_frame(joined)


def bad(change):
    data = macro().copy()
    return change(data)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda d: d.assign(infl=np.nan), "'infl' has no values"),
        (lambda d: d.assign(infl=3.0), "'infl' is 3 in every row"),
        (
            lambda d: d.mask(np.arange(len(d))[:, None] * np.ones(7) == 4),
            "row 1960Q2 has no values",
        ),
        (lambda d: d.assign(infl=d["infl"].where(d.index != d.index[9], np.inf)), "infinite"),
        (lambda d: d.assign(name="a"), "not numeric"),
        (lambda d: pd.concat([d, d[["infl"]]], axis=1), "two columns are named 'infl'"),
        (lambda d: d[["infl"]], "at least two series"),
        (lambda d: d.iloc[::-1], "order|sorted|later|before"),
        (lambda d: d.iloc[:0], "no rows"),
    ],
)
def test_panels_that_are_refused(change, error):
    with pytest.raises(DataError, match=error):
        ne.AutoencoderFactor(bad(change), 2)


def test_rows_with_fewer_values_than_factors_are_named():
    data = macro()
    data.iloc[11, :5] = np.nan
    with pytest.raises(DataError, match="row 1962Q1 has 2 known values, fewer than the 3"):
        ne.AutoencoderFactor(data, 3, hidden=()).fit()
    results = ne.AutoencoderFactor(macro(), 3, hidden=()).fit()
    with pytest.raises(DataError, match="fewer than the 3"):
        results.transform(data.iloc[[11]])
    with pytest.raises(DataError, match="no column 'infl'"):
        results.transform(data.drop(columns="infl"))


def test_duplicated_series_are_allowed():
    data = macro().assign(copy=macro()["infl"])
    results = ne.AutoencoderFactor(data, 2, hidden=()).fit()
    assert_equals_statsmodels(results, PCA(data, ncomp=2))
    np.testing.assert_allclose(results.loadings.loc["infl"], results.loadings.loc["copy"])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"k_factors": 8}, "from 1 to 7"),
        ({"k_factors": 0}, "at least 1"),
        ({"k_factors": 1.5}, "whole number"),
        ({"k_factors": "aic"}, "one of"),
        ({"k_factors": 2, "max_factors": 3}, "no effect"),
        ({"max_factors": 99}, "from 1 to"),
        ({"inputs": 1, "k_factors": 2}, "number of factors"),
        ({"activation": "sine"}, "not known"),
        ({"nonlinear": "none"}, "choose one"),
        ({"standardize": "yes"}, "True or False"),
        ({"hidden": -1}, "at least 1"),
    ],
)
def test_specifications_that_are_refused(options, error):
    with pytest.raises(SpecificationError, match=error):
        ne.AutoencoderFactor(macro(), **options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"alpha": "best"}, "alpha"),
        ({"alpha": 0}, "positive"),
        ({"alphas": -1.0}, "alphas"),
        ({"cv": 1}, "at least 2"),
        ({"n_starts": 0}, "at least 1"),
    ],
)
def test_options_of_fit_that_are_refused(options, error):
    with pytest.raises(SpecificationError, match=error):
        ne.AutoencoderFactor(macro(), 2).fit(**options)


def test_results_do_not_change():
    results = ne.AutoencoderFactor(macro(), 2, hidden=()).fit()
    with pytest.raises(AttributeError, match="immutable"):
        results.alpha = 3.0
    found = results.factors
    found.iloc[0, 0] = 99.0
    assert results.factors.iloc[0, 0] != 99.0
