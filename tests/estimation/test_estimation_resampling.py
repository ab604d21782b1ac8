"""Folds: who is trained on, who is predicted, and what is refused."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit

from nnecon.estimation.resampling import make_folds
from nnecon.exceptions import SpecificationError


def folds(cv, n=53, time_series=False, groups=None, seed=0):
    exog, endog = np.zeros((n, 2)), np.zeros(n)
    rng = np.random.default_rng(seed)
    return make_folds(cv, exog, endog, time_series=time_series, groups=groups, rng=rng)


def test_shuffled_folds_partition_the_rows():
    made = folds(None)
    assert len(made) == 5
    np.testing.assert_array_equal(np.sort(np.concatenate(made.test)), np.arange(53))
    sizes = [len(test) for test in made.test]
    assert max(sizes) - min(sizes) <= 1
    for train, test in zip(made.train, made.test, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(~train), test)
    assert any((np.diff(test) != 1).any() for test in made.test)
    assert "5 shuffled folds" in made.description


def test_shuffled_folds_follow_the_generator():
    same = zip(folds(4).test, folds(4).test, strict=True)
    assert all((a == b).all() for a, b in same)
    assert not np.array_equal(folds(4).train, folds(4, seed=1).train)


def test_time_series_train_on_the_past_alone():
    made = folds(6, n=100, time_series=True)
    assert len(made) == 6
    for train, test in zip(made.train, made.test, strict=True):
        assert np.flatnonzero(train).max() == test.min() - 1
        assert train[: test.min()].all()
        assert (np.diff(test) == 1).all()
    np.testing.assert_array_equal(np.concatenate(made.test), np.arange(33, 100))
    assert "time order" in made.description


def test_groups_are_kept_together():
    groups = np.repeat(list("abcdefgh"), [20, 3, 3, 9, 8, 4, 1, 5])
    made = folds(3, n=53, groups=groups)
    for train, test in zip(made.train, made.test, strict=True):
        assert not set(groups[train]) & set(groups[test])
    assert max(len(test) for test in made.test) == 20
    # groups matter more than time
    assert folds(3, groups=groups, time_series=True).description == made.description


@pytest.mark.parametrize(
    "splitter",
    [KFold(4), TimeSeriesSplit(3), ShuffleSplit(3, random_state=0), GroupKFold(3)],
    ids=lambda s: type(s).__name__,
)
def test_scikit_learn_splitters(splitter):
    groups = np.arange(53) % 9 if isinstance(splitter, GroupKFold) else None
    made = folds(splitter, groups=groups)
    expected = list(splitter.split(np.zeros((53, 2)), np.zeros(53), groups))
    assert len(made) == len(expected)
    for train, test, (first, second) in zip(made.train, made.test, expected, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(train), np.sort(first))
        np.testing.assert_array_equal(test, second)
    assert type(splitter).__name__ in made.description


class Leaking:
    def split(self, exog, endog=None, groups=None):
        yield np.arange(30), np.arange(29, 40)


class Empty:
    def split(self, exog, endog=None, groups=None):
        yield np.arange(30), np.arange(0)


@pytest.mark.parametrize("cv", [1, 0, -3, True, 2.5, "five"])
def test_numbers_of_folds_that_make_no_sense(cv):
    with pytest.raises(SpecificationError, match="number of folds"):
        folds(cv)


@pytest.mark.parametrize("splitter", [Leaking(), Empty()], ids=["leaking", "empty"])
def test_splitters_that_make_no_sense(splitter):
    with pytest.raises(SpecificationError, match=f"fold 0 of {type(splitter).__name__}"):
        folds(splitter)


def test_too_few_rows_or_groups():
    with pytest.raises(SpecificationError, match="7 rows are too few for 5 folds"):
        folds(5, n=7)
    with pytest.raises(SpecificationError, match="there are 2"):
        folds(3, groups=np.arange(53) % 2)
