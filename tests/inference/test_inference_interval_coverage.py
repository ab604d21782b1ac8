"""Conformal intervals cover what they promise, in designs of which two make others fail."""

import pytest
from interval_coverage import CROSS, SERIES, coverage

CONFORMAL = {name: how for name, how in CROSS.items() if how["interval"] == "conformal"}


@pytest.mark.slow
@pytest.mark.parametrize("design", ["iid", "heteroskedastic"])
def test_conformal_intervals_of_cross_sections(design):
    found = coverage(design, 80, CONFORMAL)
    assert found["obs"].between(0.88, 0.92).all(), found
    if design == "heteroskedastic":
        # of the fifth of rows with the largest spread, too, where scores are scaled
        wide = found["obs where wide"]
        assert wide[["cv+ scaled", "split scaled"]].between(0.85, 0.95).all(), found
        assert (wide[["cv+", "split", "jackknife+"]] < 0.8).all(), found
        assert found.loc["cv+ scaled", "width"] < found.loc["cv+", "width"]


@pytest.mark.slow
def test_conformal_intervals_of_series():
    found = coverage("series", 80, {name: SERIES[name] for name in ("enbpi", "cv+")})
    assert found["obs"].between(0.88, 0.92).all(), found


def test_one_replication_of_each_kind():
    for design, methods in [
        ("heteroskedastic", {"cv+ scaled": CROSS["cv+ scaled"]}),
        ("series", {"enbpi": SERIES["enbpi"]}),
    ]:
        found = coverage(design, 1, methods)
        assert 0.75 < found["obs"].iloc[0] < 1.0
