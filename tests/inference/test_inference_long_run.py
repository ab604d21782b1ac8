"""Bandwidths and long-run sums: R's sandwich, arch and double loops as oracles."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arch.covariance.kernel import Bartlett, Parzen, QuadraticSpectral

from nnecon.exceptions import SpecificationError
from nnecon.inference.long_run import (
    CONSTANT,
    KERNELS,
    best_bandwidth,
    lag_weights,
    long_run_sum,
)

ORACLE = pd.read_csv(Path(__file__).parent / "oracles" / "bandwidths.csv")
PEERS = {"bartlett": Bartlett, "parzen": Parzen, "quadratic-spectral": QuadraticSpectral}


@pytest.mark.parametrize("row", ORACLE.to_dict("records"), ids=lambda r: f"{r['kernel']}, {r['n']}")
def test_bandwidths_equal_those_of_r(row):
    scores = np.array([float(text) for text in row["scores"].split(";")])[:, None]
    kernel = row["kernel"]
    newey_west = row["newey_west"]
    if kernel != "quadratic-spectral":
        # whole lags, and a bandwidth of one more, as NeweyWest() uses it
        newey_west = np.floor(newey_west) + 1.0
    newey_west = min(newey_west, row["n"])
    assert best_bandwidth(scores, kernel, "newey-west") == pytest.approx(newey_west, rel=1e-9)
    # R's autoregression has an intercept, and its variance other degrees of freedom
    andrews = best_bandwidth(scores, kernel, "andrews")
    assert andrews == pytest.approx(row["andrews"], rel=0.1, abs=0.15)


@pytest.mark.parametrize("kernel", list(PEERS))
def test_weights_equal_those_of_arch(kernel):
    width = 5.0
    peer = PEERS[kernel](np.zeros((40, 1)), bandwidth=width).kernel_weights
    # arch adds one to the bandwidth of kernels that end
    own = lag_weights(kernel, width + (kernel != "quadratic-spectral"), 40)
    np.testing.assert_allclose(own, peer[: len(own)], atol=1e-12)
    assert not peer[len(own) :].any()
    assert CONSTANT[kernel] == PEERS[kernel](np.zeros((40, 1)), bandwidth=1).kernel_const


@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize("n_obs", [20, 300])
def test_sums_equal_a_double_loop(kernel, n_obs):
    scores = np.random.default_rng(0).standard_normal((n_obs, 2))
    weights = lag_weights(kernel, 7.5 if n_obs == 20 else 180.0, n_obs)
    full = np.zeros(n_obs)
    full[: len(weights)] = weights
    distance = np.abs(np.subtract.outer(np.arange(n_obs), np.arange(n_obs)))
    np.testing.assert_allclose(
        long_run_sum(scores, weights), scores.T @ full[distance] @ scores, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("rule", ["newey-west", "andrews"])
def test_neither_units_nor_coordinates_matter(rule):
    g = np.random.default_rng(1)
    scores = np.cumsum(g.standard_normal((200, 3)), axis=0) * 0.1 + g.standard_normal((200, 3))
    rotation = np.linalg.qr(g.standard_normal((3, 3)))[0]
    expected = best_bandwidth(scores, "parzen", rule)
    assert best_bandwidth(1e6 * scores @ rotation, "parzen", rule) == pytest.approx(expected)


def test_series_without_memory_or_movement():
    assert best_bandwidth(np.zeros((50, 2)), "bartlett", "andrews") == 0.0
    assert best_bandwidth(np.zeros((50, 2)), "bartlett", "newey-west") == 1.0
    np.testing.assert_array_equal(lag_weights("bartlett", 0.0, 50), [1.0])
    walk = np.cumsum(np.random.default_rng(0).standard_normal((30, 1)), axis=0)
    assert best_bandwidth(walk, "parzen", "andrews") <= 30
    with pytest.raises(SpecificationError, match="no best bandwidth"):
        best_bandwidth(walk, "uniform", "andrews")
