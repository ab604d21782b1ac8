"""The test of nested cross-validation, by how rows were left out."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, TimeSeriesSplit

from nnecon.inference.accuracy import diebold_mariano
from nnecon.results.nested import accuracy_test

N = 60


def left_out(splitter, seed=0):
    """Predictions of rows left out, as ``nested_cv`` collects them, and the training rows."""
    g = np.random.default_rng(seed)
    actual, weight = g.standard_normal(N), g.uniform(0.5, 2.0, N)
    network, baseline = actual + 0.9 * g.standard_normal(N), actual + g.standard_normal(N)
    pieces, masks = [], []
    for number, (train, test) in enumerate(splitter.split(actual)):
        columns = {"fold": number, "position": test, "weight": weight[test]}
        values = {"actual": actual[test], "network": network[test], "baseline": baseline[test]}
        pieces.append(pd.DataFrame({**columns, **values}))
        masks.append(np.isin(np.arange(N), train))
    return pd.concat(pieces), np.array(masks)


def losses_of(rows):
    weights = rows["weight"] / rows["weight"].mean()
    return [weights * (rows["actual"] - rows[name]) ** 2 for name in ("network", "baseline")]


def test_groups_that_are_forecast_count_as_a_whole():
    rows, train = left_out(TimeSeriesSplit(3))
    groups = np.repeat([f"g{i}" for i in range(12)], 5)
    found = accuracy_test(rows, train, "OLS", time_series=False, groups=groups)
    sums = [loss.groupby(groups[rows["position"]]).sum() for loss in losses_of(rows)]
    expected = diebold_mariano(*(each.to_numpy() for each in sums), 0)
    assert found.name == "Diebold-Mariano" and found.df == (len(sums[0]) - 1.0,)
    assert found.statistic == pytest.approx(expected.statistic)


def test_shuffled_groups_are_compared_by_folds_with_weights():
    rows, train = left_out(KFold(4, shuffle=True, random_state=0))
    groups = np.arange(N) % 20
    found = accuracy_test(rows, train, "OLS", time_series=True, groups=groups)
    means = []
    for _, part in rows.groupby("fold"):
        errors = (part["actual"] - part[name] for name in ("network", "baseline"))
        first, second = (np.average(error**2, weights=part["weight"]) for error in errors)
        means.append(first - second)
    variance = (1 / 4 + 15 / 45) * np.var(means, ddof=1)
    assert found.name == "Nadeau-Bengio" and found.df == (3.0,)
    assert found.statistic == pytest.approx(np.mean(means) / np.sqrt(variance))
    assert found.sentence.startswith("The network")


@pytest.mark.parametrize("splitter", [KFold(4), TimeSeriesSplit(3)])
def test_models_that_differ_by_rounding_are_not_tested(splitter):
    rows, train = left_out(splitter)
    rows["network"] = rows["baseline"] * (1 + 1e-11)
    found = accuracy_test(rows, train, "OLS", time_series=False, groups=None)
    assert not found.applies and "same predictions" in found.sentence
