"""NeuralAR against R's nnetar: as accurate out of sample, with better calibrated intervals."""

import numpy as np
import pytest
from nnetar_comparison import START, forecasts, interval_score, oracle, scores


@pytest.mark.parametrize("name", START)
def test_stored_forecasts_are_complete(name):
    data, theirs = oracle(name)
    assert (data["y"] >= 0).all()
    table = scores(name, theirs)
    assert theirs["origin"].nunique() >= 35 and len(table) == theirs["horizon"].max()
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", START)
def test_neural_autoregression_is_as_accurate_and_better_calibrated_than_nnetar(name):
    made, (_, theirs) = forecasts(name), oracle(name)
    ours, reference = scores(name, made), scores(name, theirs)
    print(name, ours.round(3), reference.round(3), sep="\n")
    relative = ours["rmse"] / reference["rmse"]
    assert relative.mean() <= 1.0
    gap, theirs_gap = (abs(one["coverage"].mean() - 0.9) for one in (ours, reference))
    assert gap < theirs_gap
    assert interval_score(name, made) < interval_score(name, theirs)
