"""AutoencoderFactor on panels that are odd: each a clear error or the right answer."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.pca import PCA

import nnecon as ne
from nnecon.exceptions import DataError, SpecificationError


def panel(columns="abcdefgh"):
    g = np.random.default_rng(0)
    x = g.standard_normal((120, 2)) @ g.standard_normal((2, 8)) + 0.5 * g.standard_normal((120, 8))
    return pd.DataFrame(
        x, columns=list(columns), index=pd.period_range("2000-01", periods=120, freq="M")
    )


def changed(column=None, rows=slice(None), value=np.nan):
    x = panel()
    where = slice(None) if column is None else column
    x.loc[x.index[rows], where] = value
    return x


ODD = {
    "no values": (changed("c"), "'c' has no values at all; drop it"),
    "constant": (changed("c", value=3.0), "'c' is 3 in every row and has nothing to explain"),
    "rounding": (
        changed("c", value=3.0)
        .replace({"c": {3.0: 3.0}})
        .assign(c=np.r_[np.full(119, 3.0), np.nextafter(3.0, 4.0)]),
        "'c' is 3 in every row, up to rounding,",
    ),
    "no row": (changed(rows=slice(7, 8)), "row 2000-08 has no values at all"),
    "infinite": (changed("c", slice(3, 4), np.inf), "'c' is infinite at row 2000-04"),
    "too large": (changed("c", slice(3, 4), 1e300), "'c' has values up to 1e.300, whose squares"),
    "too small": (panel().assign(c=panel()["c"] * 1e-200), "'c' has values up to .*e-200, whose"),
}


@pytest.mark.parametrize(("x", "message"), ODD.values(), ids=[*ODD])
@pytest.mark.parametrize("k_factors", [2, "ic", "bcv"])
def test_panels_that_no_factor_model_can_use(x, message, k_factors):
    with pytest.raises(DataError, match=message):
        ne.AutoencoderFactor(x, k_factors)
    with pytest.raises(DataError, match=message):
        ne.AutoencoderFactor.from_formula("~ 0 + a + b + c + d", x, k_factors=k_factors)


@pytest.mark.parametrize("hidden", [(), 3])
def test_duplicated_series_are_components_of_their_own(hidden):
    x = panel().assign(z=lambda frame: 1.0 - 2.0 * frame["a"])
    results = ne.AutoencoderFactor(x, 2, hidden=hidden).fit(alpha=np.inf)
    np.testing.assert_allclose(results.projection, PCA(x, ncomp=2).projection, atol=1e-8)
    network = ne.AutoencoderFactor(x, 2, hidden=hidden).fit(alpha=0.01, n_starts=1)
    back = network.reconstruct()
    np.testing.assert_allclose(back["z"], 1.0 - 2.0 * back["a"], atol=1e-6)


def test_more_factors_than_there_can_be():
    with pytest.raises(SpecificationError, match="120 rows and 8 series have from 1 to 8 factors"):
        ne.AutoencoderFactor(panel(), 9)
    all_of_it = ne.AutoencoderFactor(panel(), 8, hidden=()).fit()
    np.testing.assert_allclose(all_of_it.projection, panel(), atol=1e-10)


def test_a_flag_cannot_be_predicted_from_rows_without_it():
    x = changed("c", value=0.0)
    x.iloc[50, 2] = 1.0
    with pytest.raises(
        DataError, match="'c' does not vary in the rows that stay when k_factors='bcv'"
    ):
        ne.AutoencoderFactor(x, "bcv")
    with pytest.raises(DataError, match="'c' does not vary in the training rows of fold 3"):
        ne.AutoencoderFactor(x, 2).fit()
    assert np.isfinite(ne.AutoencoderFactor(x, 2, hidden=()).fit().factors).all(axis=None)


@pytest.mark.parametrize("hidden", [(), 3])
def test_new_rows(hidden):
    results = ne.AutoencoderFactor(panel(), 2, hidden=hidden).fit(alpha=0.01, n_starts=1)
    for method in (results.transform, results.reconstruct):
        with pytest.raises(DataError, match="row 2000-08 has 0 known values, fewer than the 2 fac"):
            method(changed(rows=slice(7, 8)))
        with pytest.raises(DataError, match="'c' is infinite at row 2000-04"):
            method(changed("c", slice(3, 4), -np.inf))
        with pytest.raises(DataError, match="no column 'c'"):
            method(panel().drop(columns="c"))
        without = method(changed("c"))
        assert np.isfinite(without).all(axis=None)
        constant = method(changed("c", value=3.0))
        assert np.abs(constant - without).max(axis=None) > 0.01


@pytest.mark.parametrize(
    "columns", [range(8), np.arange(8) / 2, pd.period_range("2001", periods=8, freq="Y")]
)
def test_series_keep_the_names_that_the_user_gave(columns, tmp_path):
    x, named = panel(), panel()
    x.columns = columns
    results = ne.AutoencoderFactor(x, 2, hidden=3).fit(alpha=0.01, cv=3, n_starts=1)
    text = ne.AutoencoderFactor(named, 2, hidden=3).fit(alpha=0.01, cv=3, n_starts=1)
    assert results.reconstruct(x.iloc[:3]).columns.equals(x.columns)
    assert (x - results.reconstruct(x)).shape == x.shape
    np.testing.assert_array_equal(results.reconstruct(x.iloc[:3]), text.reconstruct(named.iloc[:3]))
    np.testing.assert_array_equal(
        results.reconstruct(x.iloc[:3].to_numpy()), results.projection[:3]
    )
    np.testing.assert_array_equal(results.loadings.loc[x.columns], text.loadings)
    groups = pd.Series(list("uuuuvvvv"), x.columns)
    by_group = results.reconstruction(groups)
    pd.testing.assert_frame_equal(
        by_group, text.reconstruction(pd.Series(list("uuuuvvvv"), named.columns))
    )
    results.save(tmp_path / "factors.zip")
    loaded = ne.load(tmp_path / "factors.zip")
    pd.testing.assert_frame_equal(loaded.projection, results.projection)
    pd.testing.assert_frame_equal(loaded.reconstruction(groups), by_group)
    assert str(loaded.summary()) == str(results.summary())
    again = results.model.on(x.iloc[:100]).fit(alpha=np.inf)
    assert again.projection.columns.equals(x.columns)


def test_forecasters_take_series_named_by_numbers():
    x = panel()
    x.columns = range(8)
    quarters = x[0].groupby(x.index.asfreq("Q")).mean().rename("gdp").iloc[:-1]
    nowcast = ne.FactorNowcaster(x, quarters, k_factors=1, hidden=()).fit().get_nowcast()
    assert np.isfinite(nowcast.summary_frame()).all(axis=None)
