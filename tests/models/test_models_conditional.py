"""ConditionalAutoencoder: IPCA exactly, networks beside it, new rows, files, bad input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.datasets import grunfeld

import nnecon as ne
from nnecon.exceptions import DataError, ForecastError, FormulaError, SpecificationError

ORACLE = pd.read_csv(Path(__file__).parent / "oracles" / "ipca_grunfeld.csv")
CASES = {
    "docs": (1, "0 + value + capital", False),
    "constant": (1, "value + capital", False),
    "two": (2, "value + capital", False),
    "unbalanced": (2, "value + capital", True),
}
GONE = {("General Motors", 1940), ("Chrysler", 1935), ("IBM", 1953), ("IBM", 1954)}


def firms(unbalanced: bool = False) -> pd.DataFrame:
    data = grunfeld.load_pandas().data.astype({"firm": str, "year": int})
    if unbalanced:
        gone = [pair in GONE for pair in zip(data["firm"], data["year"], strict=True)]
        data = data[~np.array(gone)]
    return data.reset_index(drop=True)


def assets(seed: int, bend: float, n_periods: int = 60, n_assets: int = 60) -> pd.DataFrame:
    """Two factors; loadings bend in two of four characteristics; a fifth of the rows is missing."""
    g = np.random.default_rng(seed)
    n = n_periods * n_assets
    month, asset = (
        np.repeat(np.arange(n_periods), n_assets),
        np.tile(np.arange(n_assets), n_periods),
    )
    z = g.standard_normal((n, 4))
    factors = 0.5 * g.standard_normal((n_periods, 2)) + [0.3, 0.1]
    first = 0.3 + (1 - bend) * z[:, 0] + bend * (z[:, 1] ** 2 - 1)
    second = (1 - bend) * z[:, 2] + bend * z[:, 2] * z[:, 3]
    ret = np.einsum("nk,nk->n", np.column_stack([first, second]), factors[month])
    data = pd.DataFrame(z, columns=["a", "b", "c", "d"])
    data["ret"] = ret + 0.7 * g.standard_normal(n)
    data["asset"], data["month"] = asset, pd.PeriodIndex.from_ordinals(month, freq="M")
    return data[g.random(n) > 0.2].reset_index(drop=True)


def wide(held: pd.DataFrame, what: str) -> pd.DataFrame:
    chosen = held[held["what"] == what]
    return chosen.pivot_table(index="label", columns="factor", values="value")


def model(data: pd.DataFrame, **specification) -> ne.ConditionalAutoencoder:
    given = {"k_factors": 2, "hidden": (6,)} | specification
    return ne.ConditionalAutoencoder.from_formula(
        "ret ~ a + b + c + d", data, entity="asset", time="month", **given
    )


@pytest.fixture(scope="module")
def bent() -> ne.ConditionalAutoencoder:
    return model(assets(0, 0.7))


@pytest.fixture(scope="module")
def fitted(bent):
    return bent.fit(alphas=[0.01, 0.003, 0.001], n_starts=4)


@pytest.mark.parametrize("case", CASES)
def test_linear_loadings_are_those_of_the_ipca_package(case):
    k, right, unbalanced = CASES[case]
    frame = firms(unbalanced).sample(frac=1, random_state=1)
    results = ne.ConditionalAutoencoder.from_formula(
        f"invest ~ {right}", frame, entity="firm", time="year", k_factors=k, hidden=()
    ).fit()
    held = ORACLE[ORACLE["case"] == case]
    table = wide(held, "gamma")
    gamma = results.gamma.rename(index={"Intercept": "const"}).loc[table.index]
    np.testing.assert_allclose(gamma, table, atol=1e-9)
    table = wide(held, "factor")
    factors = results.factors
    np.testing.assert_allclose(factors, table, atol=1e-9 * np.abs(table.to_numpy()).max())
    assert list(factors.index) == [int(year) for year in table.index]
    shares = held[held["what"] == "rsquare"].set_index("label")["value"]
    assert results.rsquare_total() == pytest.approx(shares["total"], abs=1e-9)
    assert results.rsquare_predictive() == pytest.approx(shares["predictive"], abs=1e-9)
    assert results.is_linear and results.alpha == np.inf


def test_infinite_penalty_is_ipca_whatever_the_network(bent):
    data = assets(0, 0.7)
    network, linear = bent.fit(alpha=np.inf), model(data, hidden=()).fit()
    pd.testing.assert_frame_equal(network.factors, linear.factors)
    pd.testing.assert_frame_equal(network.gamma, linear.gamma)
    assert network.is_linear
    np.testing.assert_allclose(linear.gamma.T @ linear.gamma, np.eye(2), atol=1e-12)
    moments = (linear.factors.T @ linear.factors).to_numpy()
    assert abs(moments[0, 1]) < 1e-9 * moments[0, 0] and moments[0, 0] > moments[1, 1]
    assert (linear.mean_factors >= 0).all()


def test_ipca_minimises_the_sum_of_squares():
    data = assets(1, 0.0)
    results = model(data, hidden=()).fit()
    best = float((results.resid**2).sum())
    g = np.random.default_rng(0)
    exog = data[["a", "b", "c", "d"]].assign(Intercept=1.0)
    for _ in range(20):
        gamma = results.gamma + 0.02 * g.standard_normal(results.gamma.shape)
        loadings = exog[list(gamma.index)] @ gamma
        total = 0.0
        for _, rows in data.groupby("month"):
            b, r = loadings.loc[rows.index].to_numpy(), rows["ret"].to_numpy()
            total += float(((r - b @ np.linalg.lstsq(b, r, rcond=None)[0]) ** 2).sum())
        assert total > best


def test_bent_loadings_are_found_and_hold_on_new_periods(fitted):
    assert not fitted.is_linear and fitted.converged
    new = assets(0, 0.7, n_periods=90).query("month > '1974-12'")
    frame = fitted.compare(new).frame
    assert frame.loc["Total R-squared of the new rows", "network"] > (
        frame.loc["Total R-squared of the new rows", "IPCA"] + 0.05
    )
    assert fitted.compare(new).test.pvalue < 0.01
    assert frame.loc["Cross-validated RMSE", "network"] < frame.loc["Cross-validated RMSE", "IPCA"]


def test_linear_loadings_are_kept_where_they_are_true():
    results = model(assets(2, 0.0)).fit(alphas=[0.01, 0.003, 0.001], n_starts=4)
    left_out = results.cv.mean_squared_error
    assert left_out("network") <= 1.01 * left_out("baseline")


def test_factors_are_cross_sectional_regressions(fitted):
    data = assets(0, 0.7)
    loadings = fitted.loadings()
    month = data["month"].iloc[100]
    rows = (data["month"] == month).to_numpy()
    ret = data["ret"].to_numpy()[rows]
    expected = np.linalg.lstsq(loadings.to_numpy()[rows], ret, rcond=None)[0]
    np.testing.assert_allclose(fitted.factors.loc[month], expected, rtol=1e-8)
    # factors are on the scale of IPCA's
    second = fitted.factors.T @ fitted.factors
    np.testing.assert_allclose(
        second, fitted.linear_factors.T @ fitted.linear_factors, atol=1e-8 * second.to_numpy().max()
    )
    assert fitted.resid.to_numpy() == pytest.approx(
        data["ret"].to_numpy() - fitted.fittedvalues.to_numpy()
    )
    share = 1 - (fitted.resid**2).sum() / (data["ret"] ** 2).sum()
    assert fitted.rsquare_total() == pytest.approx(share)
    ahead = data["ret"].to_numpy() - loadings.to_numpy() @ fitted.factors.mean().to_numpy()
    assert fitted.rsquare_predictive() == pytest.approx(
        1 - (ahead**2).sum() / (data["ret"] ** 2).sum()
    )


def test_new_rows_are_read_like_the_sample(fitted):
    data = assets(0, 0.7).sample(frac=1, random_state=0)
    again = fitted.transform(data)
    pd.testing.assert_frame_equal(again, fitted.factors, check_exact=False, rtol=1e-8)
    total = fitted.predict(data, factors=again)
    own = fitted.fittedvalues
    pd.testing.assert_series_equal(total.reindex(own.index), own, rtol=1e-8)
    without = fitted.predict(data.drop(columns="ret"))
    np.testing.assert_allclose(without, fitted.loadings(data) @ fitted.mean_factors, rtol=1e-10)
    assert fitted.rsquare_total(data) == pytest.approx(fitted.rsquare_total())
    one = fitted.predict(data, factors=[1.0, 0.0])
    np.testing.assert_allclose(one, fitted.loadings(data)["factor1"])
    indexed = data.set_index(["asset", "month"])
    pd.testing.assert_frame_equal(fitted.loadings(indexed), fitted.loadings(data))


def test_average_effects_are_derivatives_of_the_loadings(fitted):
    data, step = assets(0, 0.7), 1e-5
    up, down = (fitted.loadings(data.assign(b=data["b"] + s)) for s in (step, -step))
    expected = (up - down).mean() / (2 * step)
    np.testing.assert_allclose(fitted.average_effects.loc["b"], expected, rtol=1e-5, atol=1e-8)
    assert list(fitted.average_effects.index) == ["a", "b", "c", "d"]


def test_units_of_a_characteristic_do_not_matter(bent, fitted):
    data = assets(0, 0.7)
    other = model(data.assign(b=1000 * data["b"] - 5)).fit(alpha=fitted.alpha, alphas=2)
    mine = bent.fit(alpha=fitted.alpha, alphas=2)
    assert other.rsquare_total() == pytest.approx(mine.rsquare_total(), abs=1e-3)
    scaled = model(data.assign(ret=100 * data["ret"])).fit(alpha=fitted.alpha, alphas=2)
    assert scaled.rsquare_total() == pytest.approx(mine.rsquare_total(), abs=1e-3)


def test_arrays_index_and_columns_give_the_same(bent):
    data = assets(0, 0.7)
    exog = data[["a", "b", "c", "d"]].assign(const=1.0)
    kwds = {"k_factors": 2, "hidden": ()}
    by_arrays = ne.ConditionalAutoencoder(
        data["ret"].to_numpy(), exog.to_numpy(), data["asset"], data["month"], **kwds
    ).fit()
    labelled = data.set_index(["asset", "month"])
    by_index = ne.ConditionalAutoencoder(
        labelled["ret"], exog.set_axis(labelled.index, axis=0), **kwds
    ).fit()
    linear = bent.fit(alpha=np.inf)
    for results in (by_arrays, by_index):
        np.testing.assert_allclose(results.factors, linear.factors, rtol=1e-6)
    again = by_arrays.transform(
        exog.to_numpy(), data["ret"], entity=data["asset"], time=data["month"]
    )
    np.testing.assert_allclose(again, by_arrays.factors, rtol=1e-8)


def test_ranks_are_taken_within_periods():
    data = assets(0, 0.7)
    ranked = data.copy()
    for name in "abcd":
        place = data.groupby("month")[name].rank() - 1
        ranked[name] = place / (data.groupby("month")[name].transform("size") - 1) - 0.5
    by_hand, results = model(ranked, hidden=()).fit(), model(data, hidden=(), ranks=True).fit()
    pd.testing.assert_frame_equal(results.factors, by_hand.factors)
    pd.testing.assert_frame_equal(results.average_effects, by_hand.average_effects)
    # an increasing transformation changes nothing
    other = model(data.assign(a=np.exp(data["a"])), hidden=(), ranks=True).fit()
    pd.testing.assert_frame_equal(other.factors, results.factors)


def test_saved_results_are_equal(fitted, tmp_path):
    fitted.save(tmp_path / "loadings.zip")
    again = ne.load(tmp_path / "loadings.zip")
    pd.testing.assert_frame_equal(again.factors, fitted.factors)
    pd.testing.assert_frame_equal(again.average_effects, fitted.average_effects)
    pd.testing.assert_frame_equal(again.path.to_frame(), fitted.path.to_frame())
    pd.testing.assert_frame_equal(again.cv.period_losses, fitted.cv.period_losses)
    assert str(again.summary()) == str(fitted.summary())
    new = assets(3, 0.7)
    pd.testing.assert_series_equal(again.predict(new), fitted.predict(new))


def test_a_network_alone_competes_with_ipca():
    alone = model(assets(0, 1.0), linear_part=False).fit(alpha=0.003, alphas=2, n_starts=4)
    assert not alone.is_linear
    assert alone.gamma.drop("Intercept").abs().to_numpy().max() == 0.0
    assert alone.rsquare_total() > alone.compare().frame.loc["Total R-squared", "IPCA"]


def test_summary_counts_what_was_left_out():
    data = assets(0, 0.7)
    data.loc[[3, 70], "a"] = np.nan
    data.loc[[5], "ret"] = np.nan
    results = model(data, hidden=()).fit()
    assert results.n_dropped == 3 and results.nobs == len(data) - 3
    text = str(results.summary())
    assert "No standard errors" in text and f"{results.rsquare_total():.4f}" in text
    assert "Left out, missing:" in text
    with pytest.raises(DataError, match="missing"):
        model(data, missing="raise")


def test_folds_that_look_ahead_are_compared_as_forecasts(bent):
    options = {"alphas": [0.01, 0.003], "n_starts": 2, "cv": ne.ExpandingFolds(3)}
    least, careful = (bent.fit(alpha=rule, **options) for rule in ("cv", "1se"))
    assert least.compare().test.name.startswith("Diebold-Mariano")
    assert careful.alpha >= least.alpha and careful.path.alpha_1se == careful.alpha
    assert (least.cv.period_losses.index >= pd.Period("1971-09", "M")).all()
    # a period's errors are those of loadings from earlier periods alone
    first = least.cv.folds[0]
    past = model(assets(0, 0.7).query("month < '1971-09'"), hidden=()).fit()
    now = assets(0, 0.7).merge(
        pd.DataFrame({"month": least.model.panel.rows.periods[first]}), on="month"
    )
    error = now["ret"].to_numpy() - past.predict(now, factors=past.transform(now)).to_numpy()
    assert np.mean(error**2) == pytest.approx(least.cv.baseline_scores[0], rel=1e-8)


def test_charts_name_ipca_and_show_every_factor(fitted):
    path, factors = fitted.plot_path(), fitted.plot_factors()
    assert "IPCA" in " ".join(text.get_text() for text in path.legends[0].get_texts())
    assert [ax.get_ylabel() for ax in factors.axes] == fitted.factor_names
    drawn = {line.get_label(): line.get_ydata() for line in factors.axes[0].lines}
    expected = fitted.factors["factor1"] / fitted.linear_factors["factor1"].std()
    np.testing.assert_allclose(drawn["autoencoder"], expected)
    assert "IPCA" in drawn


def test_same_seed_same_numbers(bent):
    first, second = (bent.fit(alpha=0.003, alphas=2, n_starts=2, rng=5) for _ in range(2))
    pd.testing.assert_frame_equal(first.factors, second.factors, check_exact=True)


BAD = {
    "twice": (lambda d: pd.concat([d, d.iloc[[7]]]), {}, DataError, "more than one row"),
    "infinite": (lambda d: d.assign(a=d["a"].where(d.index != 9, np.inf)), {}, DataError, "'a'"),
    "few assets": (
        lambda d: d[(d["month"] != d["month"].iloc[0]) | (d.index < 1)], {}, DataError, "1 assets",
    ),
    "constant": (lambda d: d.assign(a=1.0), {}, DataError, "'a'"),
    "collinear": (lambda d: d.assign(a=2 * d["b"] + d["c"]), {}, DataError, "'b', 'c'|'c'"),
    "asset missing": (
        lambda d: d.assign(asset=d["asset"].where(d.index != 4)), {}, DataError, "missing in row 4",
    ),
    "too many factors": (lambda d: d, {"k_factors": 6}, SpecificationError, "at most 5"),
    "zero returns": (lambda d: d.assign(ret=0.0), {}, DataError, "zero in every row"),
    "flat in periods": (
        lambda d: d.assign(**{n: d.groupby("month")[n].transform("mean") for n in "abcd"}),
        {}, DataError, "1 direction",
    ),
    "labels of two kinds": (
        lambda d: d.assign(asset=[i if i % 2 else str(i) for i in range(len(d))]),
        {}, DataError, "different kinds",
    ),
    "huge": (lambda d: d.assign(ret=d["ret"] * 1e80), {}, DataError, "another unit"),
    "tiny": (lambda d: d.assign(a=d["a"] * 1e-80), {}, DataError, "another unit"),
    "one period": (
        lambda d: d[d["month"] == d["month"].iloc[0]],
        {"k_factors": 1}, SpecificationError, "more periods than factors",
    ),
    "no network": (
        lambda d: d, {"hidden": (), "linear_part": False}, SpecificationError, "leaves nothing",
    ),
    "unknown argument": (lambda d: d, {"hiden": 3}, SpecificationError, "hiden"),
    "activation": (lambda d: d, {"activation": "cube"}, SpecificationError, "cube"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_panels_and_arguments_say_what_to_do(case):
    change, specification, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        model(change(assets(0, 0.5, n_periods=10, n_assets=12)), **specification)


def test_as_many_factors_as_characteristics_are_least_squares_in_every_period():
    data = assets(0, 0.7)
    for right, k in (("0 + a", 1), ("a + b", 3)):
        results = ne.ConditionalAutoencoder.from_formula(
            f"ret ~ {right}", data, entity="asset", time="month", k_factors=k, hidden=()
        ).fit()
        columns = ["a"] if k == 1 else ["one", "a", "b"]
        left = 0.0
        for _, rows in data.assign(one=1.0).groupby("month"):
            x, r = rows[columns].to_numpy(), rows["ret"].to_numpy()
            left += float(((r - x @ np.linalg.lstsq(x, r, rcond=None)[0]) ** 2).sum())
        assert (results.resid**2).sum() == pytest.approx(left, rel=1e-10)


def test_bad_formulas_labels_and_rows_say_what_to_do(fitted, bent):
    data = assets(0, 0.7)
    make = ne.ConditionalAutoencoder.from_formula
    with pytest.raises(FormulaError, match=r"groupby\(asset\)"):
        make("ret ~ lag(a, 1)", data, entity="asset", time="month")
    with pytest.raises(DataError, match="entity= is needed"):
        make("ret ~ a", data)
    with pytest.raises(DataError, match="did you mean 'month'"):
        make("ret ~ a", data, entity="asset", time="moth")
    with pytest.raises(DataError, match="no column 'a'"):
        fitted.predict(data.drop(columns="a"))
    with pytest.raises(DataError, match="no column 'ret'"):
        fitted.transform(data.drop(columns="ret"))
    with pytest.raises(DataError, match="fewer than the 2 factors"):
        fitted.transform(data.iloc[:1])
    with pytest.raises(DataError, match="the return is missing"):
        fitted.transform(data.assign(ret=np.nan))
    with pytest.raises(ForecastError, match=r"'b' is missing at row \(\d+, 1970-01\)"):
        fitted.predict(data.assign(b=np.nan))
    with pytest.raises(DataError, match="no row for month"):
        fitted.predict(data, factors=fitted.factors.iloc[1:])
    with pytest.raises(SpecificationError, match="alpha=-1"):
        bent.fit(alpha=-1)
    with pytest.raises(SpecificationError, match="cv=1"):
        bent.fit(cv=1)
    with pytest.raises(SpecificationError, match="nothing was cross-validated"):
        bent.fit(alpha=np.inf).plot_path()
