"""Intervals of average partial effects cover, at the cross-validated penalty.

The table of docs/monte_carlo.md has more replications; bounds allow for those of the test.
"""

import monte_carlo_designs as designs
import numpy as np
import pandas as pd
import pytest
from helpers import numerical_jacobian

REPLICATIONS = 200


def test_true_slopes():
    """The truth that intervals are held against is the derivative of the mean."""
    x = designs.regressors(np.random.default_rng(0), 20, "homoskedastic")
    for row, slopes in zip(x, designs.true_slopes(x), strict=True):
        found = numerical_jacobian(lambda at: designs.true_mean(at[None]), row)[0]
        np.testing.assert_allclose(found, slopes, atol=1e-8)


def test_designs_are_what_they_say():
    """Correlation within clusters and over time, and variances that depend on x1."""
    samples = {name: designs.draw(name, 1, n=20_000) for name in designs.DESIGNS}
    error = {name: sample.frame["y"].to_numpy() - sample.mean for name, sample in samples.items()}
    for one in error.values():
        assert abs(one.var() - 1.0) < 0.05
    clusters = error["clustered"].reshape(-1, designs.SIZE_OF_CLUSTER)
    within = (clusters.sum(axis=1).var() / designs.SIZE_OF_CLUSTER - 1.0) / 9.0
    assert abs(within - 0.3) < 0.04
    lagged = error["autocorrelated"]
    assert abs(np.corrcoef(lagged[1:], lagged[:-1])[0, 1] - 0.5) < 0.03
    apart = np.abs(samples["heteroskedastic"].frame["x1"]) > 1.0
    spread = error["heteroskedastic"]
    assert spread[apart].std() > 1.5 * spread[~apart].std()


@pytest.mark.slow
@pytest.mark.parametrize("design", designs.DESIGNS)
def test_intervals_of_average_effects_cover(design):
    """95% intervals cover 93 to 97%, errors are within 10% of the spread; penalised ones fail.

    Two standard errors of the Monte Carlo are allowed for: 3.1 points for the coverage of one
    effect, 1.6 points for their mean (effects are correlated), 10% and 6% for ratios.
    """
    found = []
    for seed in range(REPLICATIONS):
        sample = designs.draw(design, seed)
        found.append(designs.measure(sample.fit(n_starts=2, alphas=10), sample))
    table = designs.summarise(pd.concat(found))
    debiased, penalised = table.loc["debiased"], table.loc["penalised"]
    assert debiased["coverage"].between(0.93 - 0.031, 1.0).all(), debiased
    assert 0.93 - 0.016 < debiased["coverage"].mean() < 0.97 + 0.016, debiased
    assert debiased["ratio"].between(0.9 - 0.1, 1.1 + 0.1).all(), debiased
    assert 0.9 - 0.06 < debiased["ratio"].mean() < 1.1 + 0.06, debiased
    assert (debiased["bias"].abs() < 0.35 * debiased["sd"]).all(), debiased
    assert penalised.loc[["x1", "x2"], "coverage"].max() < 0.9, penalised
