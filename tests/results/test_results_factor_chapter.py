"""The report's chapter on factors, and the page that results write themselves."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError
from nnecon.results.factor_chapter import factor_chapter


def panel(seed=0, n=120, n_series=18, curved=False, walk=False):
    g = np.random.default_rng(seed)
    f = g.standard_normal((n, 1)).cumsum(axis=0) if walk else g.standard_normal((n, 1))
    x = f @ g.uniform(0.5, 1.5, (1, n_series)) + (0.2 if walk else 0.6) * g.standard_normal(
        (n, n_series)
    )
    if curved:
        x = x + f**2 @ g.uniform(-1, 1, (1, n_series))
    index = pd.period_range("2001-01", periods=n, freq="M")
    return pd.DataFrame(x, index, [f"s{j}" for j in range(n_series)])


def words(chapter):
    return " ".join([chapter.intro, *(b.body for b in chapter.blocks if b.kind == "text")])


@pytest.fixture(scope="module")
def neural():
    return ne.AutoencoderFactor(panel(curved=True), 1, hidden=3).fit(n_starts=2, alphas=4)


def test_a_network_that_wins_is_told_with_its_test(neural):
    chapter = factor_chapter(neural, recessions=ne.datasets.NBER_RECESSIONS)
    text = words(chapter)
    frame = neural.compare().frame.loc["Cross-validated RMSE"]
    assert f"{frame['network'] / frame['PCA']:.3f} times" in text
    assert "2001-01 to 2010-12" in text and "trend" not in text
    tables = {b.name: b.frame for b in chapter.blocks if b.kind == "table"}
    assert set(tables) == {"factors", "factors-series", "factors-comparison"}
    share = neural.variance_explained().mean()
    np.testing.assert_allclose(tables["factors"]["Adds to R²"].to_numpy(float), share)
    listed = tables["factors-series"]
    assert list(listed["Series"]) == list(neural.top_series(4)[("comp_0", "series")])
    assert list(listed.index) == ["comp_0", "", "", ""] and "What it is" not in listed


def test_groups_and_labels_are_shown(neural):
    names = list(neural.model.names)
    groups = pd.Series(["late"] * 9 + ["early"] * 9, names)
    best = neural.top_series(1)[("comp_0", "series")].iloc[0]
    chapter = factor_chapter(neural, groups=groups, labels={best: "Prices, of all goods, %"})
    tables = {b.name: b for b in chapter.blocks if b.kind == "table"}
    assert list(tables["factors-groups"].frame.index) == ["late", "early"]
    by_group = neural.reconstruction(groups)
    shown = tables["factors-groups"].frame[("Rows left out", "Ratio")]
    np.testing.assert_allclose(shown["early"], by_group[("left out", "ratio")]["early"])
    assert tables["factors-series"].frame["What it is"].tolist()[:2] == ["Prices, of all goods", ""]


def test_linear_factors_are_told_so():
    results = ne.AutoencoderFactor(panel(), 1, hidden=2).fit(n_starts=1, alphas=2)
    assert "factors are linear" in words(factor_chapter(results))
    given = ne.AutoencoderFactor(panel(), 1, hidden=()).fit()
    assert "no network" in words(factor_chapter(given))


def test_trending_series_are_named():
    results = ne.AutoencoderFactor(panel(walk=True), 1, hidden=()).fit()
    expected = "18 of 18 series (s0, s1, s2, s3 and 14 more) a unit root"
    assert expected in words(factor_chapter(results))


def test_page_of_the_results(neural, tmp_path):
    written = neural.report(tmp_path, title="Trial", code="print(1)")
    page = written[0].read_text()
    assert "Trial" in page and "print(1)" in page
    assert "nan" not in page.split("</style>")[1].lower().replace("nance", "")
    names = {path.name for path in written}
    figures = {"scree", "rsquare", "loadings", "path"}
    assert {f"factors-{each}.pdf" for each in figures} | {"factors.pdf", "factors.tex"} <= names
    with pytest.raises(SpecificationError, match="no group for 's1'"):
        neural.report(tmp_path, groups={"s0": "a"})
