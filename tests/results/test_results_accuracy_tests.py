"""Which tests of accuracy a comparison shows, by how rows were left out."""

import helpers
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import ShuffleSplit, TimeSeriesSplit

import nnecon as ne
from nnecon.estimation.splitters import BlockedFolds
from nnecon.inference.covariance import automatic_lags
from nnecon.results.accuracy_tests import accuracy_tests, only_ahead


@pytest.fixture(scope="module")
def macro_fit():
    """A series whose network is not zero at the penalty given."""
    model = ne.NeuralRegression.from_formula(
        "infl ~ lag(infl, 1) + lag(unemp, 1)", helpers.macro(), hidden=(1,)
    )
    return model.fit(alpha=0.002, alphas=3, n_starts=2, cv=4)


def errors_of(results):
    frame = results.cv.predictions
    return ((frame["actual"] - frame[name]).to_numpy() for name in ("baseline", "network"))


def test_forecasts_of_nested_models_get_clark_and_west(macro_fit):
    comparison = macro_fit.compare()
    names = [test.name for test in comparison.tests]
    assert names == ["Clark-West", "Diebold-Mariano", "Giacomini-White (conditional)"]
    small, large = errors_of(macro_fit)
    lags = automatic_lags(len(small))
    west = ne.accuracy.clark_west(small, large, lags=lags)
    mariano = ne.accuracy.diebold_mariano(large**2, small**2, lags)
    white = ne.accuracy.giacomini_white(large**2, small**2, lags=lags)
    for found, expected in zip(comparison.tests, (west, mariano, white), strict=True):
        assert found.statistic == pytest.approx(expected.statistic)
        assert found.pvalue == pytest.approx(expected.pvalue)
        assert found.sentence[0].isupper()
    assert comparison.test is comparison.tests[0]
    assert comparison.frame.loc["Clark-West p-value"].iloc[0] == comparison.test.pvalue
    assert "valid one" in " ".join(comparison.notes)
    assert "given" not in " ".join(comparison.notes)
    text = str(comparison)
    assert "Giacomini-White" in text and "Tests on the rows left out" in text
    assert list(comparison.tests_frame().index) == names


def test_shuffled_folds_get_corrected_variances(curved_results):
    comparison = curved_results.compare()
    assert [test.name for test in comparison.tests] == ["Clark-West by folds", "Nadeau-Bengio"]
    small, large = errors_of(curved_results)
    fold, cv = curved_results.cv.predictions["fold"].to_numpy(), curved_results.cv
    gain = small**2 - large**2
    for test, more in zip(comparison.tests, ((small - large) ** 2, 0.0), strict=True):
        means = np.array([(gain + more)[fold == j].mean() for j in range(5)])
        variance = (1 / 5 + 32 / 128) * means.var(ddof=1)
        assert test.statistic == pytest.approx(means.mean() / np.sqrt(variance))
        assert test.df == (4.0,)
    assert cv.train.sum(axis=1).tolist() == [128] * 5
    assert "share training rows" in " ".join(comparison.notes)


@pytest.mark.parametrize(
    ("splitter", "ahead"),
    [
        (TimeSeriesSplit(4), True),
        (BlockedFolds(4), False),
        (ShuffleSplit(4, test_size=0.2, random_state=0), False),
    ],
)
def test_folds_are_known_by_their_rows(macro_fit, splitter, ahead):
    again = macro_fit.model.fit(alpha=0.002, alphas=3, n_starts=2, cv=splitter)
    assert only_ahead(again.cv.train, again.cv.folds) == ahead
    first = again.compare().test
    assert first.name == ("Clark-West" if ahead else "Clark-West by folds")


def test_models_that_are_not_nested(macro_fit):
    model = ne.NeuralRegression.from_formula(
        "infl ~ lag(infl, 1) + lag(unemp, 1)", helpers.macro(), hidden=(1,), linear_part=False
    )
    series = model.fit(alpha=0.002, alphas=3, n_starts=2, cv=4).compare()
    assert series.test.name == "Diebold-Mariano"
    assert "nested" not in " ".join(series.notes[:4])
    shuffled = model.fit(alpha=0.002, alphas=3, n_starts=2, cv=BlockedFolds(4)).compare()
    assert [test.name for test in shuffled.tests] == ["Nadeau-Bengio"]


def test_folds_are_kept_and_taken_again(macro_fit, tmp_path):
    macro_fit.save(tmp_path / "fit")
    loaded = ne.load(tmp_path / "fit")
    np.testing.assert_array_equal(loaded.cv.train, macro_fit.cv.train)
    assert loaded.compare().tests == macro_fit.compare().tests
    again = macro_fit.model.fit(alpha=0.002, alphas=3, n_starts=2, cv=macro_fit.cv)
    np.testing.assert_allclose(again.cv.scores, macro_fit.cv.scores)


def test_weights_and_identical_predictions():
    g = np.random.default_rng(0)
    actual = g.standard_normal(60)
    frame = pd.DataFrame(
        {"fold": np.arange(60) % 3, "actual": actual, "network": actual / 2, "baseline": 0.0}
    )
    tests = tuple(np.arange(j, 60, 3) for j in range(3))
    options = {"name": "WLS", "nested": True, "time_series": False}
    plain = accuracy_tests(frame, None, tests, **options).tests[0]
    heavy = accuracy_tests(frame, None, tests, weights=np.full(60, 7.0), **options).tests[0]
    assert heavy.statistic == pytest.approx(plain.statistic)
    uneven = accuracy_tests(frame, None, tests, weights=1.0 + np.arange(60), **options).tests[0]
    assert uneven.statistic != pytest.approx(plain.statistic)
    same = frame.assign(network=0.0)
    assert "same predictions" in accuracy_tests(same, None, tests, **options).tests[0].sentence
