"""Tests of forecasts against R, regressions on a constant, and repeated samples."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats import diagnostic

from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.accuracy import (
    AccuracyTest,
    HypothesisTest,
    clark_west,
    corrected_resampled_t,
    diebold_mariano,
    encompassing,
    giacomini_white,
    model_confidence_set,
    pesaran_timmermann,
    superior_predictive_ability,
)
from nnecon.inference.hypotheses import to_frame

ORACLE = json.loads((Path(__file__).parent / "oracles" / "forecast_tests.json").read_text())
E1, E2 = np.array(ORACLE["errors"]).T
KERNEL = {"acf": "uniform", "bartlett": "bartlett"}
SIDE = {"two.sided": "two-sided", "less": "less"}


@pytest.mark.parametrize("lags", [0, 3])
def test_diebold_mariano_is_a_regression_on_a_constant(lags):
    g = np.random.default_rng(0)
    own, reference = g.chisquare(2, 60), g.chisquare(2, 60) + 0.5
    found = diebold_mariano(own, reference, lags, ("net", "OLS"))
    ols = sm.OLS(own - reference, np.ones(60)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    expected = float(ols.tvalues[0]) * np.sqrt(59 / 60)
    assert found.statistic == pytest.approx(expected)
    assert found.pvalue == pytest.approx(2 * stats.t(59).sf(abs(expected)))
    assert found.null == "net and OLS predict equally well"


def test_the_sentence_names_the_better_one():
    g = np.random.default_rng(0)
    loss = g.uniform(1, 2, 80)
    worse = loss + g.uniform(0.5, 1.0, 80)
    assert diebold_mariano(loss, worse, 0, ("net", "OLS")).sentence.startswith("net predicts bet")
    assert diebold_mariano(worse, loss, 0, ("net", "OLS")).sentence.startswith("OLS predicts bet")
    noise = diebold_mariano(loss, g.permutation(loss), 0, ("net", "OLS"))
    assert "not significant" in noise.sentence


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_no_test_says_why(shift):
    loss = np.arange(1.0, 9.0)
    found = diebold_mariano(loss, loss + shift, 0, ("net", "OLS"))
    assert found.statistic is None and found.pvalue is None
    assert ("nothing to test" if shift == 0 else "no test") in found.sentence


@pytest.mark.parametrize("case", ORACLE["diebold_mariano"])
def test_diebold_mariano_is_that_of_r(case):
    found = diebold_mariano(
        E1**2,
        E2**2,
        horizon=case["h"],
        kernel=KERNEL[case["estimator"]],
        alternative=SIDE[case["alternative"]],
    )
    assert found.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert found.pvalue == pytest.approx(case["pvalue"], rel=1e-9)
    assert found.df == (len(E1) - 1,)
    assert found.distribution == "t with 89 degrees of freedom"


@pytest.mark.parametrize("case", ORACLE["encompassing"])
def test_encompassing_is_that_of_r(case):
    found = encompassing(E1, E2, horizon=case["h"])
    assert found.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert found.pvalue == pytest.approx(case["pvalue"], rel=1e-9)
    weight = sm.OLS(E1, E1 - E2).fit().params[0]
    assert f"{weight:.2f}" in found.sentence


def test_without_correction_the_distribution_is_normal():
    corrected, plain = (diebold_mariano(E1**2, E2**2, correction=c) for c in (True, False))
    assert plain.statistic == pytest.approx(corrected.statistic * np.sqrt(90 / 89))
    assert plain.pvalue == pytest.approx(2 * stats.norm.sf(abs(plain.statistic)))
    assert plain.df == ()


def test_automatic_lags_and_kernels():
    rule = int(4 * (90 / 100) ** (2 / 9))
    auto = diebold_mariano(E1**2, E2**2, "auto")
    assert auto.statistic == diebold_mariano(E1**2, E2**2, rule).statistic
    d = E1**2 - E2**2 - np.mean(E1**2 - E2**2)
    weights = [1.0, 1 - 6 * 0.25**2 + 6 * 0.25**3, 2 * 0.5**3, 2 * 0.25**3]
    variance = d @ d + 2 * sum(w * (d[k:] @ d[:-k]) for k, w in enumerate(weights) if k)
    expected = np.mean(E1**2 - E2**2) / np.sqrt(variance) * 90 * np.sqrt(89 / 90)
    assert diebold_mariano(E1**2, E2**2, 3, kernel="parzen").statistic == pytest.approx(expected)


def test_negative_variance_says_so():
    difference = np.tile([1.0, -1.0], 20) + np.linspace(0, 0.1, 40)
    found = diebold_mariano(difference, np.zeros(40), kernel="uniform", horizon=2)
    assert not found.applies and found.pvalue is None
    assert "bartlett" in found.sentence
    default = diebold_mariano(difference, np.zeros(40), horizon=2)
    assert default == diebold_mariano(difference, np.zeros(40), horizon=2, kernel="bartlett")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon"),
        ({"horizon": 90}, "horizon"),
        ({"lags": -1}, "lags"),
        ({"lags": "many"}, "lags"),
        ({"kernel": "gaussian"}, "gaussian"),
        ({"alternative": "larger"}, "larger"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(SpecificationError, match=message):
        diebold_mariano(E1**2, E2**2, **options)


def test_missing_losses_and_lengths_are_named():
    broken = E1**2
    broken[7] = np.nan
    with pytest.raises(DataError, match="loss is missing or infinite in the row at position 7"):
        diebold_mariano(broken, E2**2)
    with pytest.raises(DataError, match="reference has 80 rows"):
        diebold_mariano(E1**2, E2[:80] ** 2)


def test_unconditional_giacomini_white_is_a_squared_t_statistic():
    d = E1**2 - E2**2
    found = giacomini_white(E1**2, E2**2, None)
    expected = 90 * d.mean() ** 2 / np.mean(d**2)
    assert found.statistic == pytest.approx(expected)
    assert found.pvalue == pytest.approx(stats.chi2(1).sf(expected))


def test_conditional_giacomini_white_is_t_times_uncentred_rsquared():
    d = E1**2 - E2**2
    known = np.column_stack([np.ones(89), d[:-1]])
    moments = known * d[1:, None]
    rsquared = sm.OLS(np.ones(89), moments).fit().rsquared
    found = giacomini_white(E1**2, E2**2)
    assert found.statistic == pytest.approx(89 * rsquared)
    assert found.distribution == "chi-squared with 2 degrees of freedom"
    given = giacomini_white((E1**2)[1:], (E2**2)[1:], known)
    assert given.statistic == pytest.approx(found.statistic)
    scaled = giacomini_white((E1**2)[1:], (E2**2)[1:], known * [1.0, 1e9])
    assert scaled.statistic == pytest.approx(found.statistic)


def test_giacomini_white_refuses_collinear_instruments():
    found = giacomini_white(E1**2, E2**2, np.column_stack([np.ones(90), 2 * np.ones(90)]))
    assert not found.applies and "collinear" in found.sentence
    with pytest.raises(SpecificationError, match="lagged"):
        giacomini_white(E1**2, E2**2, "past")


@pytest.mark.parametrize("horizon", [1, 4])
def test_clark_west_is_a_regression_on_a_constant(horizon):
    f = E1**2 - (E2**2 - (E1 - E2) ** 2)
    ols = sm.OLS(f, np.ones(90))
    if horizon == 1:
        fit = ols.fit()
    else:
        fit = ols.fit(cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True})
    found = clark_west(E1, E2, ("AR", "net"), horizon=horizon, kernel="bartlett")
    assert found.statistic == pytest.approx(float(fit.tvalues[0]))
    assert found.pvalue == pytest.approx(stats.norm.sf(found.statistic))
    assert found.null == "AR predicts as well as net, which contains it"


def test_equal_forecasts_are_not_tested():
    for test in (clark_west, encompassing):
        assert "nothing to test" in test(E1, E1).sentence


def test_pesaran_timmermann_is_a_correlation_of_signs():
    actual, forecast = E1 + 0.3, E1 + E2 - 0.2
    found = pesaran_timmermann(actual, forecast)
    signs = np.corrcoef(actual > 0, forecast > 0)[0, 1]
    assert found.statistic == pytest.approx(signs * 90 / np.sqrt(89))
    assert found.pvalue == pytest.approx(stats.norm.sf(found.statistic))
    assert "same sign" in pesaran_timmermann(np.abs(E1), forecast).sentence
    if hasattr(diagnostic, "pesaran_timmermann"):  # from statsmodels 0.15 on
        # statsmodels leaves out the variance's term of order 1 / T^2
        other = diagnostic.pesaran_timmermann(actual, forecast, alternative="larger")
        assert found.statistic == pytest.approx(other[0] * np.sqrt(90 / 89))


def losses(seed=0, size=200):
    g = np.random.default_rng(seed)
    common = g.standard_normal(size)
    scales = [1.0, 1.0, 1.05, 1.8]
    return np.column_stack([(common + s * g.standard_normal(size)) ** 2 for s in scales])


def test_confidence_set_leaves_out_the_bad_model():
    names = ["a", "b", "c", "bad"]
    found = model_confidence_set(losses(), names, reps=400)
    assert found.excluded == ("bad",) and set(found.included) == {"a", "b", "c"}
    assert found.pvalue == min(found.pvalues) and max(found.pvalues) == 1.0
    assert found.statistic > 3
    frame = found.to_frame()
    assert list(frame.index) == [*found.included, *found.excluded]
    assert not frame.loc["bad", "included"]
    again = model_confidence_set(pd.DataFrame(losses(), columns=names), reps=400)
    assert again == found
    assert model_confidence_set(losses()[:, :3], names[:3], reps=400).excluded == ()


def test_equal_models_share_a_pvalue():
    table = losses()[:, [0, 3, 0]]
    found = model_confidence_set(table, ["a", "bad", "copy"], reps=200).to_frame()
    assert found.loc["a", "pvalue"] == found.loc["copy", "pvalue"] == 1.0
    same = model_confidence_set(table[:, [0, 2]])
    assert not same.applies and "nothing to test" in same.sentence


def test_superior_predictive_ability():
    table = losses()
    found = superior_predictive_ability(table[:, 3], table[:, :3], ["a", "b", "c"], reps=400)
    assert found.pvalue < 0.01 and "predicts better than The benchmark" in found.sentence
    assert found.pvalue_lower <= found.pvalue <= found.pvalue_upper
    none = superior_predictive_ability(table[:, 0], table[:, [3]], ["bad"], reps=400)
    assert none.pvalue == 1.0 and none.statistic == 0.0
    same = superior_predictive_ability(table[:, 0], table[:, [0]])
    assert not same.applies


def test_superior_predictive_ability_does_not_mind_a_models_scale():
    """Differences are studentised: a wild model that is no better does not hide a good one."""
    g = np.random.default_rng(5)
    benchmark = g.chisquare(2, 200)
    good = benchmark - 0.2 + 0.3 * g.standard_normal(200)
    wild = benchmark + 30 * g.standard_normal(200)
    found = superior_predictive_ability(
        benchmark, np.column_stack([good, wild]), ["good", "wild"], reps=400
    )
    assert found.best == "good" and found.pvalue < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [({"bootstrap": "iid"}, "iid"), ({"block": 0}, "block"), ({"size": 2}, "size")],
)
def test_wrong_options_of_the_confidence_set(options, message):
    with pytest.raises(SpecificationError, match=message):
        model_confidence_set(losses(), **options)
    with pytest.raises(DataError, match="names"):
        model_confidence_set(losses(), ["a"])


def test_one_result_object():
    assert AccuracyTest is HypothesisTest
    plain = HypothesisTest("null", 1.0, 0.5, "sentence")
    assert plain.applies and "H0: null" in str(plain)
    frame = to_frame([diebold_mariano(E1**2, E2**2), clark_west(E1, E1)])
    assert list(frame.index) == ["Diebold-Mariano", "Clark-West"]
    assert frame["statistic"].isna().tolist() == [False, True]


def rejections(simulate, replications=2000, seed=1):
    g = np.random.default_rng(seed)
    return np.mean([simulate(g).pvalue <= 0.05 for _ in range(replications)])


def moving_average(g, size, order):
    shocks = g.standard_normal(size + order - 1)
    return np.convolve(shocks, np.ones(order), "valid")


def test_series_of_other_rows_are_not_compared_by_position():
    g = np.random.default_rng(0)
    one, other = pd.Series(g.standard_normal(30)), pd.Series(g.standard_normal(30))
    moved = other.set_axis(range(5, 35))
    for test in (
        lambda second: diebold_mariano(one**2, second**2),
        lambda second: giacomini_white(one**2, second**2),
        lambda second: clark_west(one, second),
        lambda second: encompassing(one, second),
        lambda second: pesaran_timmermann(one, second),
    ):
        assert test(other).applies
        with pytest.raises(DataError, match="has the row 5 where the other series has 0"):
            test(moved)
    assert diebold_mariano(one**2, moved.to_numpy() ** 2).applies


def test_outcomes_and_two_forecasts_are_no_errors_with_names():
    y, first, second = np.random.default_rng(0).standard_normal((3, 30))
    for test in (clark_west, encompassing):
        with pytest.raises(SpecificationError, match=r"what the two are called.*are errors"):
            test(y, first, second)
    with pytest.raises(SpecificationError, match="two texts"):
        diebold_mariano(y**2, first**2, names=("one", 2))


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 4])
def test_size_of_diebold_mariano_and_encompassing(horizon):
    """Forecasts with errors of equal variance, correlated over the horizon."""

    def equal(g):
        first, second = (moving_average(g, 120, horizon) for _ in range(2))
        return diebold_mariano(first**2, second**2, horizon=horizon)

    def optimal(g):
        error = moving_average(g, 120, horizon)
        return encompassing(error, error + moving_average(g, 120, horizon), horizon=horizon)

    assert 0.035 < rejections(equal) < 0.065
    assert 0.035 < rejections(optimal) < 0.065


@pytest.mark.slow
def test_size_of_giacomini_white_and_pesaran_timmermann():
    def equal(g):
        return giacomini_white(g.chisquare(1, 200), g.chisquare(1, 200))

    def unconditional(g):
        return giacomini_white(g.chisquare(1, 200), g.chisquare(1, 200), None)

    def direction(g):
        return pesaran_timmermann(g.standard_normal(200) + 0.3, g.standard_normal(200) - 0.2)

    sizes = [rejections(simulate) for simulate in (equal, unconditional, direction)]
    assert all(0.035 < size < 0.065 for size in sizes), sizes


@pytest.mark.slow
def test_size_and_power_of_clark_west():
    """Rolling one-step forecasts of a mean of zero, against zero: Clark and West's own example.

    The test is slightly undersized in theory (their tables show .02 to .06 at 5%).
    """

    def forecasts(g, mean):
        y = mean + g.standard_normal(250)
        window = np.convolve(y, np.ones(100) / 100, "valid")[:-1]
        return y[100:], y[100:] - window

    size = rejections(lambda g: clark_west(*forecasts(g, 0.0)))
    power = rejections(lambda g: clark_west(*forecasts(g, 0.3)), 500)
    unadjusted = rejections(
        lambda g: diebold_mariano(*(e**2 for e in forecasts(g, 0.3)), alternative="greater"), 500
    )
    assert 0.02 < size < 0.065
    assert power > 0.9 and power > unadjusted + 0.05, (power, unadjusted)


@pytest.mark.slow
def test_size_of_superior_predictive_ability():
    def equal(g):
        return superior_predictive_ability(
            g.chisquare(1, 100), g.chisquare(1, (100, 3)), block=1, reps=199
        )

    assert 0.03 < rejections(equal, 500) < 0.08


def test_corrected_resampled_t_is_nadeau_and_bengios():
    g = np.random.default_rng(0)
    small, large = g.standard_normal(90), 0.9 * g.standard_normal(90)
    fold, trained = np.repeat(["a", "b", "c"], 30), [60, 61, 62]
    found = corrected_resampled_t(small, large, fold, trained, ("OLS", "The network"))
    means = (small**2 - large**2).reshape(3, 30).mean(axis=1)
    plain = stats.ttest_1samp(means, 0.0)
    factor = np.sqrt((1 / 3) / (1 / 3 + 30 / 61))
    assert found.statistic == pytest.approx(plain.statistic * factor)
    assert found.pvalue == pytest.approx(2 * stats.t(2).sf(abs(found.statistic)))
    swapped = corrected_resampled_t(large, small, fold, trained)
    assert swapped.statistic == pytest.approx(-found.statistic)
    assert "same predictions" in corrected_resampled_t(small, small, fold, trained).sentence
    with pytest.raises(DataError, match="train_sizes"):
        corrected_resampled_t(small, large, fold, [60, 60])


@pytest.mark.slow
def test_size_of_tests_of_nested_models_by_how_rows_are_left_out():
    """Clark-West is right for forecasts; on shuffled folds it rejects too often uncorrected."""
    g = np.random.default_rng(0)
    rejected = {"ahead": [], "shuffled": [], "uncorrected": []}
    for _ in range(2000):
        x = np.column_stack([np.ones(200), g.standard_normal((200, 5))])
        y = g.standard_normal(200)
        ahead = [(np.arange(a), np.arange(a, a + 26)) for a in range(70, 200, 26)]
        rows = np.array_split(g.permutation(200), 5)
        shuffled = [(np.setdiff1d(np.arange(200), row), row) for row in rows]
        for name, folds in (("ahead", ahead), ("shuffled", shuffled)):
            errors = []
            for train, test in folds:
                slopes = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
                errors.append([y[test] - y[train].mean(), y[test] - x[test] @ slopes])
            small, large = np.concatenate(errors, axis=1)
            plain = clark_west(small, large).pvalue
            if name == "ahead":
                rejected["ahead"].append(plain <= 0.05)
                continue
            rejected["uncorrected"].append(plain <= 0.05)
            fold = np.repeat(np.arange(5), 40)
            found = corrected_resampled_t(small, large, fold, [160] * 5, nested=True)
            rejected["shuffled"].append(found.pvalue <= 0.05)
    sizes = {name: np.mean(share) for name, share in rejected.items()}
    assert 0.03 < sizes["ahead"] < 0.06, sizes
    assert 0.03 < sizes["shuffled"] < 0.075, sizes
    assert sizes["uncorrected"] > 0.07, sizes
