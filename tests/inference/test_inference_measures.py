"""Measures of accuracy against hand calculations and numerical integrals."""

import numpy as np
import pytest
from scipy import integrate, stats

from nnecon.inference.accuracy.measures import (
    CRPS_LEVELS,
    Scored,
    accuracy,
    crps_normal,
    crps_quantiles,
    losses,
    mean_changes,
    quantile_loss,
)


@pytest.fixture
def scored():
    return Scored(
        actual=np.array([1.0, -2.0, 3.0, 0.0]),
        forecast=np.array([2.0, -1.0, 3.0, 0.0]),
        lower=np.array([0.0, -1.5, 1.0, -1.0]),
        upper=np.array([4.0, 1.5, 5.0, 1.0]),
        scale=np.array([2.0, 0.5, 1.0, 1.0]),
        alpha=0.2,
    )


def test_by_hand(scored):
    found = accuracy(scored)
    assert found["n"] == 4
    assert found["rmse"] == pytest.approx(np.sqrt(2 / 4))
    assert found["mae"] == pytest.approx(2 / 4)
    assert found["mase"] == pytest.approx((0.5 + 2.0) / 4)
    # 200 (1/3 + 1/3 + 0 + 0/0, which is no error) / 4
    assert found["smape"] == pytest.approx(200 * (2 / 3) / 4)
    assert found["coverage"] == pytest.approx(3 / 4)
    # half the level times Gneiting and Raftery's interval score: width + 2/alpha of what is outside
    score = np.array([4.0, 3.0 + 0.5 * 2 / 0.2, 4.0, 2.0])
    assert found["quantile_score"] == pytest.approx(0.2 / 2 * score.mean())


def test_crps_is_the_integral_of_squared_differences():
    """Of the distribution function from the step at the outcome."""
    for y, mu, sigma in ((0.3, 1.0, 0.7), (-2.0, 0.0, 1.5), (5.0, 1.0, 1.0)):

        def gap(x, mu=mu, sigma=sigma):
            return stats.norm.cdf(x, mu, sigma)

        below = integrate.quad(lambda x: gap(x) ** 2, -40, y)[0]
        above = integrate.quad(lambda x: (1 - gap(x)) ** 2, y, 40)[0]
        found = crps_normal(np.array([y]), np.array([mu]), np.array([sigma]))[0]
        assert found == pytest.approx(below + above, rel=1e-7)


def test_crps_of_quantiles_is_that_of_their_distribution():
    actual = np.array([-2.0, 0.3, 1.0, 4.0])
    normal = 1.0 + 2.0 * stats.norm.ppf(CRPS_LEVELS)
    expected = crps_normal(actual, np.full(4, 1.0), np.full(4, 2.0))
    np.testing.assert_allclose(crps_quantiles(actual, normal[None]), expected, rtol=3e-3)
    # of draws it is E|X - y| - E|X - X'| / 2
    draws = np.random.default_rng(0).gamma(2.0, size=2000)
    table = np.quantile(draws, CRPS_LEVELS)
    apart = np.abs(draws[:, None] - draws).mean() / 2.0
    expected = np.abs(draws - actual[:, None]).mean(axis=1) - apart
    np.testing.assert_allclose(crps_quantiles(actual, table[None]), expected, rtol=1e-2)


def test_crps_takes_the_width_of_the_interval(scored):
    sigma = (scored.upper - scored.lower) / (2 * stats.norm.ppf(0.9))
    np.testing.assert_allclose(
        losses(scored, "crps"), crps_normal(scored.actual, scored.forecast, sigma)
    )


def test_quantile_loss_is_least_at_the_quantile():
    draws = np.random.default_rng(0).exponential(size=20_001)
    grid = np.linspace(0.0, 4.0, 401)
    for level in (0.05, 0.5, 0.9):
        means = [quantile_loss(draws, point, level).mean() for point in grid]
        best = grid[int(np.argmin(means))]
        assert best == pytest.approx(np.quantile(draws, level), abs=0.01)


def test_without_intervals(scored):
    missing = np.full(4, np.nan)
    found = accuracy(Scored(scored.actual, scored.forecast, missing, missing, scored.scale, 0.2))
    assert np.isnan([found[name] for name in ("crps", "quantile_score", "coverage")]).all()
    assert found["rmse"] == accuracy(scored)["rmse"]


@pytest.mark.parametrize("season", [1, 3])
@pytest.mark.parametrize("window", [None, 6])
def test_mean_changes_by_loop(season, window):
    values = np.random.default_rng(1).standard_normal(30).cumsum()
    values[[0, 12]] = np.nan
    rows = np.arange(8, 30, 3)
    expected = []
    for row in rows:
        start = 0 if window is None else row + 1 - window
        sample = values[start : row + 1]
        expected.append(np.nanmean(np.abs(sample[season:] - sample[:-season])))
    np.testing.assert_allclose(mean_changes(values, rows, season, window), expected)


def test_no_change_no_scale():
    assert np.isnan(mean_changes(np.array([1.0, 2.0]), np.array([1]), 4, None)).all()
