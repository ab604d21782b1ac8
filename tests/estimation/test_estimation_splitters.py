"""Our own splitters: what they leave out, that nothing leaks, and that scikit-learn takes them."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)

from nnecon.estimation.resampling import make_folds
from nnecon.estimation.splitters import BlockedFolds, ExpandingFolds, StratifiedFolds
from nnecon.exceptions import DataError, SpecificationError


def made(cv, endog=None, groups=None, n=60, **options):
    endog = np.arange(n, dtype=float) if endog is None else np.asarray(endog)
    options = {"time_series": False, "rng": np.random.default_rng(0), **options}
    return make_folds(cv, np.zeros((len(endog), 1)), endog, groups=groups, **options)


def distance(folds, periods):
    """Least distance in periods between training and test rows, a number a fold."""
    return [
        np.abs(periods[train][:, None] - periods[test]).min()
        for train, test in zip(folds.train, folds.test, strict=True)
    ]


@pytest.mark.parametrize("gap", [0, 1, 4])
@pytest.mark.parametrize("kind", [BlockedFolds, ExpandingFolds])
def test_a_gap_counts_periods_and_not_rows(kind, gap):
    """Rows that are missing between two periods do not shorten the gap."""
    rows = np.delete(np.arange(80), [15, 16, 40, 41, 42, 63])
    folds = made(kind(5, gap=gap), n=len(rows), periods=rows)
    assert min(distance(folds, rows)) == gap + 1
    assert all(apart > gap for apart in distance(folds, rows))
    by_row = made(kind(5, gap=gap), n=len(rows))
    assert set(distance(by_row, np.arange(len(rows)))) == {gap + 1}


def test_blocked_folds_test_every_row_once_and_train_on_both_sides():
    folds = made(BlockedFolds(4, gap=3), n=50)
    np.testing.assert_array_equal(np.concatenate(folds.test), np.arange(50))
    for number, (train, test) in enumerate(zip(folds.train, folds.test, strict=True)):
        rows = np.flatnonzero(train)
        assert (rows < test[0]).any() == (number > 0)
        assert (rows > test[-1]).any() == (number < 3)
        assert len(rows) == 50 - len(test) - 3 * (1 if number in (0, 3) else 2)
    assert folds.description == "4 blocks in time order, 3 periods on either side left out"


def test_expanding_folds_equal_scikit_learns():
    folds = made(ExpandingFolds(5, gap=2, initial=18), n=70)
    expected = list(TimeSeriesSplit(5, gap=2, test_size=10).split(np.zeros(70)))
    for train, test, (first, second) in zip(folds.train, folds.test, expected, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(train), first)
        np.testing.assert_array_equal(test, second)
    assert "2 periods before the test left out" in folds.description


def test_expanding_folds_begin_after_a_third_and_a_window_rolls():
    whole = made(ExpandingFolds(4), n=60)
    assert whole.test[0][0] == 20 and whole.test[-1][-1] == 59
    rolling = made(ExpandingFolds(4, gap=1, window=10), n=60)
    for train, test in zip(rolling.train, rolling.test, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(train), np.arange(test[0] - 11, test[0] - 1))
    assert "4 windows of 10 periods in time order" in rolling.description


def test_overlapping_lags_leak_without_a_gap():
    """Four-period growth of a random walk looks predictable by the next row, unless a gap parts
    the training rows from the block: a nearest neighbour in time gains nothing then.
    """
    g = np.random.default_rng(0)
    n = 400
    overlapping = np.convolve(g.standard_normal(n + 3), np.ones(4), "valid")

    def error(gap):
        folds = made(BlockedFolds(100, gap=gap), n=n)
        errors = []
        for train, test in zip(folds.train, folds.test, strict=True):
            rows = np.flatnonzero(train)
            nearest = rows[np.abs(rows[:, None] - test).argmin(axis=0)]
            errors.append(np.mean((overlapping[test] - overlapping[nearest]) ** 2))
        return np.mean(errors) / overlapping.var()

    # the difference of independent draws has twice the variance
    assert error(0) < 1.3
    assert error(3) == pytest.approx(2.0, abs=0.3)


def test_strata_are_spread_evenly():
    g = np.random.default_rng(1)
    classes = g.choice(3, 101, p=[0.7, 0.2, 0.1]).astype(float)
    folds = made(StratifiedFolds(5), classes)
    counts = np.array([np.bincount(classes[test].astype(int), minlength=3) for test in folds.test])
    assert np.ptp(counts, axis=0).max() <= 1 and np.ptp(counts.sum(axis=1)) <= 1
    assert "3 classes" in folds.description
    assert np.sort(np.concatenate(folds.test)).tolist() == list(range(101))


def test_numbers_are_cut_into_bins():
    income = np.exp(np.random.default_rng(2).standard_normal(200))
    folds = made(StratifiedFolds(4, by=income, bins=10), np.zeros(200))
    bins = np.searchsorted(np.quantile(income, np.arange(1, 10) / 10), income)
    for test in folds.test:
        np.testing.assert_array_equal(np.bincount(bins[test], minlength=10), 5)
    means = [income[test].mean() for test in folds.test]
    random = [made(4, np.zeros(200), rng=np.random.default_rng(seed)).test for seed in range(20)]
    spread = [np.std([income[test].mean() for test in tests]) for tests in random]
    assert np.std(means) < 0.7 * np.mean(spread)


def test_stratifying_by_text_and_by_a_column_of_the_frame():
    regions = np.array(list("abcd") * 15)
    folds = made(StratifiedFolds(3, by=regions), np.zeros(60))
    assert all((np.unique(regions[test], return_counts=True)[1] == 5).all() for test in folds.test)
    asked = []

    def align(values, name):
        asked.append((values, name))
        return regions

    by_name = made(StratifiedFolds(3, by="region"), np.zeros(60), align=align)
    assert asked == [("region", "by")]
    np.testing.assert_array_equal(by_name.train, folds.train)


def test_the_seed_shuffles_strata():
    y = np.repeat([0, 1], 30)
    first, again, other = (made(StratifiedFolds(3, rng=s), y).train for s in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


def test_a_number_of_folds_for_a_discrete_target_is_stratified():
    y = np.repeat([0.0, 1.0], [50, 10])
    folds = made(5, y, discrete=True)
    assert [int(y[test].sum()) for test in folds.test] == [2] * 5
    assert "stratified" in folds.description


@pytest.mark.parametrize("cv", [BlockedFolds(4, gap=2), ExpandingFolds(4), StratifiedFolds(4)])
def test_scikit_learn_takes_them(cv):
    g = np.random.default_rng(0)
    X = pd.DataFrame(
        g.standard_normal((80, 2)), index=pd.period_range("1990", periods=80, freq="Q")
    )
    y = X[0] + g.standard_normal(80)
    scores = cross_val_score(LinearRegression(), X, y, cv=cv)
    assert len(scores) == cv.get_n_splits() == 4
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=cv).fit(X, y)
    assert search.n_splits_ == 4
    ours = made(cv, y.to_numpy())
    for train, (first, test) in zip(ours.train, cv.split(X, y), strict=True):
        np.testing.assert_array_equal(np.flatnonzero(train), first)
        assert not set(first) & set(test)


def test_folds_that_split_groups_say_so():
    firms = np.repeat(np.arange(12), 5)
    assert "split groups" in made(KFold(4, shuffle=True, random_state=0), groups=firms).description
    assert "split groups" in made(StratifiedFolds(4), groups=firms).description
    assert "split groups" not in made(GroupKFold(4), groups=firms).description
    assert "split groups" not in made(KFold(4)).description


def pairs(*given):
    class Pairs:
        def split(self, X, y=None, groups=None):
            return iter(given)

    return Pairs()


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (GroupKFold(3), r"GroupKFold keeps groups together.*pass groups= to fit"),
        (KFold(90), r"KFold cannot split these 60 rows"),
        (StratifiedKFold(3), r"StratifiedKFold cannot split.*continuous"),
        (PredefinedSplit([0] * 10 + [-1] * 50), "at least two"),
        (pairs(([0, 1], [2, 99])), "not among the 60 rows"),
        (BlockedFolds(61), "60 rows are too few for 61 folds"),
        (BlockedFolds(3, gap=60), "fold 0 of BlockedFolds.*gap=60.*no training rows"),
        (ExpandingFolds(3, gap=25), "fold 0 of ExpandingFolds.*gap=25.*no training rows"),
        (ExpandingFolds(3, initial=59), "60 rows are too few for a first training window"),
        (ExpandingFolds(3, initial=30, gap=29), "60 rows are too few"),
        (ExpandingFolds(50), "60 rows are too few"),
        (StratifiedFolds(61), "60 rows are too few for 61 folds"),
        (StratifiedFolds(3, by=[1, 2]), r"shape \(2,\)"),
        (StratifiedFolds(3, by="region"), "can be read by fit alone"),
    ],
    ids=lambda value: re.sub(r"<(\w+\.)*(<locals>\.)?(\w+) object at 0x\w+>", r"\3", str(value)),
)
def test_what_cannot_be_split_is_said(cv, message):
    y = np.random.default_rng(0).standard_normal(60)
    with pytest.raises(SpecificationError, match=message):
        made(cv, y)


def test_missing_numbers_cannot_be_stratified():
    with pytest.raises(DataError, match="position 3"):
        made(StratifiedFolds(3, by=np.where(np.arange(60) == 3, np.nan, 1.5)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: BlockedFolds(1),
        lambda: BlockedFolds(3, gap=-1),
        lambda: ExpandingFolds(2.5),
        lambda: ExpandingFolds(3, initial=0),
        lambda: ExpandingFolds(3, window=True),
        lambda: StratifiedFolds(3, bins=1),
    ],
)
def test_arguments_that_make_no_sense(make):
    with pytest.raises(SpecificationError, match="whole number of at least"):
        make()


def test_rows_out_of_order_are_refused():
    with pytest.raises(DataError, match="sort the rows by time"):
        made(BlockedFolds(3), periods=np.arange(60)[::-1])
