"""A network against the classical model that it contains."""

import helpers
import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError
from nnecon.inference.nested_models import (
    NestedStatistics,
    NullDistribution,
    nested_model_test,
    null_targets,
)

QUICK = {"reps": 39, "n_starts": 8}


@pytest.fixture(scope="module")
def bent():
    """Forty rows a bend; the penalty is given."""
    frame = helpers.cross_section(120)
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=(2,))
    return model.fit(alpha=0.02, alphas=4, n_starts=3, cov_type="nonrobust")


def straight(n=80, seed=1):
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2))
    return ne.NeuralRegression(
        x.sum(axis=1) + g.standard_normal(n), np.column_stack([np.ones(n), x]), hidden=(2,)
    )


def test_a_bend_is_found(bent):
    for name in ("lr", "f", "wald"):
        found = getattr(bent, f"compare_{name}_test")(**QUICK)
        assert found.pvalue == 1 / 40 and found.statistic > found.critical
        assert found.null == "The network adds nothing to OLS"
        assert "Davies, 1977" in found.sentence and "residual bootstrap" in found.distribution
        assert 0.0 <= found.share_zero <= 1.0


def test_statistics_are_what_they_say(bent):
    """By the numbers of the results; the refit finds the estimate again."""
    lr, f, wald = (getattr(bent, f"compare_{name}_test")(**QUICK) for name in ("lr", "f", "wald"))
    ols = bent.baseline
    expected = bent.nobs * np.log(ols.ssr / bent.ssr)
    assert lr.statistic == pytest.approx(expected, rel=1e-5)
    assert lr.statistic == pytest.approx(2 * (bent.llf - ols.llf), rel=1e-5)
    more = bent.edf - 3
    expected = (ols.ssr - bent.ssr) / more / (bent.ssr / bent.df_resid)
    assert f.statistic == pytest.approx(expected, rel=1e-5)
    output, error = bent.params.to_numpy()[-2:], bent.bse.to_numpy()[-2:]
    # the penalty has put out the second unit, whose weight and variance are zero
    assert abs(output[1]) < 1e-20 and error[1] < 1e-20
    assert wald.statistic == pytest.approx((output[0] / error[0]) ** 2, rel=1e-4)


def test_a_search_that_misses_the_estimate_is_told(bent):
    assert "give more n_starts" in bent.compare_lr_test(reps=19, n_starts=1).sentence
    assert "n_starts" not in bent.compare_lr_test(**QUICK).sentence


def test_nothing_is_found_where_there_is_nothing():
    fit = straight().fit(alpha=0.02, alphas=4, n_starts=3)
    found = fit.compare_lr_test(**QUICK)
    assert found.pvalue > 0.1 and "wild bootstrap" in found.distribution


def test_a_zero_network_rejects_nothing():
    fit = straight().fit(alpha=5.0, alphas=3, n_starts=2)
    assert fit.is_classical
    found = fit.compare_wald_test(**QUICK)
    assert found.statistic == 0.0 and found.pvalue == 1.0 and found.share_zero == 1.0
    assert "The network is zero" in found.sentence


def test_the_choice_of_the_penalty_is_repeated():
    fit = straight(60).fit(alphas=3, n_starts=1, cv=3)
    found = fit.compare_lr_test(reps=19)
    assert "choice repeated" in found.distribution
    given = fit.compare_lr_test(reps=19, choice="given", n_starts=1)
    assert "choice repeated" not in given.distribution
    assert len(fit._null_distributions) == 2
    fit.compare_wald_test(reps=19)
    assert len(fit._null_distributions) == 2


def test_a_refit_of_the_sample_is_the_fit():
    """The same seed, grid and folds: the same estimate from the stored procedure."""
    fit = straight(60).fit(alphas=4, n_starts=2, cv=3, rng=3)
    again = fit.model.refit(fit.model.endog, fit.estimate, 3)
    assert again.alpha == fit.alpha
    np.testing.assert_allclose(again.params, fit.params)
    np.testing.assert_allclose(again.cv.scores, fit.cv.scores)


def test_draws_are_from_the_classical_model(bent):
    estimate = bent.estimate
    size = len(estimate.weights)
    linear = estimate.objective.inputs[:, :3]
    fitted = linear @ np.linalg.lstsq(linear, estimate.objective.target, rcond=None)[0]
    hat = linear @ np.linalg.pinv(linear)
    resid = (estimate.objective.target - fitted) / np.sqrt(1.0 - np.diag(hat))
    wild, _ = null_targets(estimate.objective, estimate.weights, 20, 0, robust=True)
    np.testing.assert_allclose(np.abs(wild - fitted), np.tile(np.abs(resid), (20, 1)))
    groups = np.arange(size) // 8
    shared, words = null_targets(
        estimate.objective, estimate.weights, 20, 0, robust=True, groups=groups
    )
    signs = np.sign((shared - fitted) / resid).reshape(20, -1, 8)
    assert (signs == signs[:, :, :1]).all() and "cluster" in words
    drawn, _ = null_targets(estimate.objective, estimate.weights, 400, 0, robust=False)
    pool = np.sort(resid - resid.mean())
    places = np.searchsorted(pool, drawn - fitted - 1e-9)
    np.testing.assert_allclose(pool[places.clip(max=size - 1)], drawn - fitted, atol=1e-8)
    np.testing.assert_allclose((drawn - fitted).std(), pool.std(), rtol=0.05)


def test_pvalues_count_draws():
    one = [NestedStatistics(float(value), 0.0, 0.0, 1.0, 50.0) for value in range(39)]
    sample = NestedStatistics(37.0, 0.0, 0.0, 2.0, 50.0)
    found = nested_model_test(NullDistribution(sample, one, 3, "bootstrap"), "lr", "OLS")
    assert found.pvalue == 3 / 40
    assert found.critical == 37.0
    assert "3 draws whose estimate did not converge" in found.sentence
    few = nested_model_test(NullDistribution(sample, one[:5], 34, "bootstrap"), "lr", "OLS")
    assert not few.applies and "Only 5" in few.sentence


def test_where_there_is_no_test(bent, curved_frame):
    linear = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=()).fit()
    assert "no network" in linear.compare_lr_test().sentence
    at = bent.model.results_at(bent.params, 0.02)
    assert "given, not estimated" in at.compare_f_test().sentence
    several = bent.model.fit(alpha=0.02, alphas=3, n_starts=3, ensemble=2)
    assert "ensemble=1" in several.compare_wald_test().sentence
    own = ne.NeuralRegression(
        curved_frame["y"],
        curved_frame[["x1"]],
        network=lambda p, x: p[0] + p[1] * x[0],
        start_params=[0.0, 0.0],
    )
    assert "not nested" in own.fit().compare_lr_test().sentence
    mean = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2", curved_frame, hidden=(1,), linear_part=False
    ).fit(alpha=0.02, alphas=3, n_starts=2)
    assert mean.compare_lr_test(reps=19, n_starts=1).null == "The network adds nothing to the mean"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reps": 5}, "reps=5"),
        ({"choice": "again"}, "'given', 'repeat'"),
        ({"n_starts": 0}, "n_starts=0"),
    ],
)
def test_wrong_arguments_are_named(bent, options, message):
    with pytest.raises(SpecificationError, match=message):
        bent.compare_lr_test(**options)


def sizes(kind, count, **fit):
    """Rejections at 5% of likelihood ratio, F and Wald tests where the mean is linear."""
    g, found = np.random.default_rng(5), []
    for draw in range(count):
        x = g.standard_normal((80, 2))
        spread = np.sqrt(0.4 + 0.6 * x[:, 0] ** 2) if kind == "unequal" else 1.0
        y = x.sum(axis=1) + spread * g.standard_normal(80)
        exog = pd.DataFrame(x, columns=["a", "b"]).assign(const=1.0)
        fitted = ne.NeuralRegression(y, exog, hidden=(2,)).fit(n_starts=2, **fit)
        tests = (fitted.compare_lr_test, fitted.compare_f_test, fitted.compare_wald_test)
        options = {"reps": 39, "n_starts": 2, "rng": draw, "choice": "given"}
        done = [test(**options) for test in tests]
        found.append([test.pvalue <= 0.05 for test in done] + [done[0].asymptotic <= 0.05])
    return np.mean(found, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["equal", "unequal"])
def test_size_at_a_given_penalty(kind):
    """200 samples: two standard errors are 3.1 points. The chi-squared law is far off."""
    rejected = sizes(kind, 200, alpha=0.005, alphas=3)
    assert ((rejected[:3] > 0.01) & (rejected[:3] < 0.09)).all(), rejected
    assert rejected[3] > 0.12, rejected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::nnecon.exceptions.ConvergenceWarning")
def test_size_where_the_penalty_was_chosen():
    """Taking a chosen penalty as given does not inflate the size here."""
    rejected = sizes("equal", 200, alphas=6)
    assert (rejected[:3] < 0.09).all(), rejected
