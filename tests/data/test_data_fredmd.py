"""FRED-MD and FRED-QD files: format, transformations, outliers, and what can be wrong with them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.data.fredmd import is_fred_md
from nnecon.exceptions import DataError

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "fred-md-2023-10-permitted.csv"
needs_file = pytest.mark.skipif(not SHARED.is_file(), reason="the FRED-MD file is not at hand")


def written(folder, *lines):
    path = folder / "current.csv"
    path.write_text("\n".join(lines))
    return path


def test_every_code_by_hand():
    x = np.array([1.0, 2.0, 4.0, 5.0, 10.0])
    frame = pd.DataFrame({str(code): x for code in range(1, 8)})
    done = ne.datasets.transform_series(frame, {str(code): code for code in range(1, 8)})
    nan, log = np.nan, np.log
    expected = {
        "1": x,
        "2": [nan, 1, 2, 1, 5],
        "3": [nan, nan, 1, -1, 4],
        "4": log(x),
        "5": [nan, log(2), log(2), log(5 / 4), log(2)],
        "6": [nan, nan, 0, log(5 / 8), log(8 / 5)],
        "7": [nan, nan, 0, -0.75, 0.75],
    }
    for code, values in expected.items():
        np.testing.assert_allclose(done[code], values, rtol=1e-14, atol=1e-15, err_msg=code)


def test_outliers_are_ten_interquartile_ranges_away():
    x = np.r_[np.arange(-2.0, 3.0), 19.9, 20.1]
    frame = pd.DataFrame({"x": np.r_[x, np.nan]})
    lower, median, upper = np.quantile(x, [0.25, 0.5, 0.75])
    beyond = np.abs(x - median) > 10 * (upper - lower)
    found = ne.datasets.without_outliers(frame)["x"].isna()
    assert found.tolist() == [*beyond, True]
    wide = pd.DataFrame({"x": np.r_[np.tile(np.arange(-2.0, 3.0), 20), 20.0, 20.1]})
    assert ne.datasets.without_outliers(wide)["x"].isna().tolist()[-2:] == [False, True]


def test_the_official_format_is_recognised(tmp_path):
    heads = ("sasdate,GDPC1,UNRATE", "factors,1,1", "transform,5,2", "3/1/1959,100,6")
    assert is_fred_md(written(tmp_path, *heads))
    assert is_fred_md(written(tmp_path, heads[0], "Transform:,5,2", heads[3]))
    assert not is_fred_md(written(tmp_path, heads[0], heads[3], "6/1/1959,101,5"))
    assert not is_fred_md(written(tmp_path, "date,x", "1959-01-01,3"))
    assert not is_fred_md(tmp_path / "none.csv") and not is_fred_md(tmp_path / "table.xlsx")


def test_quarterly_files_have_a_row_of_factors(tmp_path):
    path = written(
        tmp_path,
        "sasdate,GDPC1,UNRATE",
        "factors,1,1",
        "transform,5,2",
        "3/1/1959,100,6",
        "6/1/1959,101,5",
        "9/1/1959,,5.5",
        ",,",
    )
    frame = ne.datasets.read_fred_md(path)
    assert frame.index.tolist() == list(pd.period_range("1959Q1", periods=3, freq="Q"))
    assert frame.index.name == "quarter"
    assert frame["GDPC1"].iloc[1] == pytest.approx(np.log(1.01))
    assert frame["GDPC1"].isna().tolist() == [True, False, True]
    levels = ne.datasets.read_fred_md(path, transform=False)
    assert levels["UNRATE"].tolist() == [6.0, 5.0, 5.5]


@needs_file
def test_the_panel_as_published():
    frame = ne.datasets.read_fred_md(SHARED, remove_outliers=False)
    levels = ne.datasets.read_fred_md(SHARED, transform=False)
    assert frame.shape == (777, 118)
    assert (str(frame.index[0]), str(frame.index[-1])) == ("1959-01", "2023-09")
    assert frame.index.freqstr == "M"
    growth = np.log(levels.loc["2020-04", "INDPRO"] / levels.loc["2020-03", "INDPRO"])
    assert frame.loc["2020-04", "INDPRO"] == pytest.approx(growth)
    # what is missing is missing in the file, or lost to differences
    whole = levels.columns[levels.notna().all()]
    codes = ne.datasets.describe_fred_md(SHARED).loc[whole, "code"]
    lost = codes.map({1: 0, 2: 1, 3: 2, 4: 0, 5: 1, 6: 2, 7: 2})
    assert len(whole) > 95
    assert (frame[whole].isna().sum() == lost).all()


@needs_file
def test_outliers_of_the_panel():
    kept = ne.datasets.read_fred_md(SHARED, remove_outliers=False)
    frame = ne.datasets.read_fred_md(SHARED)
    gone = frame.isna() & kept.notna()
    assert gone.loc["2020-04", "UNRATE"]
    assert 0 < gone.to_numpy().sum() < 0.005 * kept.size
    pd.testing.assert_frame_equal(frame, kept.mask(gone))


@needs_file
def test_every_series_is_described():
    about = ne.datasets.describe_fred_md(SHARED)
    assert about.notna().all(axis=None)
    assert about.loc["UNRATE", "group"] == "Labour market"
    assert about.loc["CPIAUCSL", "transformation"] == "second log difference"
    assert str(about.loc["ACOGNO", "first"]) == "1992-02"


MONTHS = ["1/1/1959,1,2", "2/1/1959,2,3", "3/1/1959,3,4"]
MISTAKES = {
    "other table": (["month,a,b", *MONTHS], "first column is 'month'"),
    "no codes": (["sasdate,a,b", *MONTHS], "no row 'Transform:'"),
    "bad code": (["sasdate,a,b", "Transform:,5,9", *MONTHS], "series 'b' has no transformation"),
    "no date": (["sasdate,a,b", "Transform:,1,1", "soon,1,2", *MONTHS], "'soon'"),
    "gap": (["sasdate,a,b", "Transform:,1,1", *MONTHS, "5/1/1959,1,2"], "after 1959-03 comes"),
    "yearly": (["sasdate,a,b", "Transform:,1,1", "1/1/1959,1,2", "1/1/1960,1,2"], "12 months"),
    "no number": (["sasdate,a,b", "Transform:,1,1", *MONTHS, "4/1/1959,x,2"], "'a' at 1959-04"),
    "one row": (["sasdate,a,b", "Transform:,1,1", "1/1/1959,1,2"], "fewer than two rows"),
    "logarithm": (["sasdate,a,b", "Transform:,5,1", *MONTHS, "4/1/1959,0,2"], "is 0 at 1959-04"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, tmp_path):
    lines, expected = MISTAKES[mistake]
    with pytest.raises(DataError, match=expected):
        ne.datasets.read_fred_md(written(tmp_path, *lines))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        ne.datasets.read_fred_md(tmp_path / "none.csv")
