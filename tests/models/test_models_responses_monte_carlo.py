"""Simulations: networks beat the VAR one period ahead, and their responses match the true ones."""

import numpy as np
import pytest
from response_coverage import MODELS, PROCESSES, simulated

pytestmark = pytest.mark.slow

PENALTY = {"threshold": 0.005, "smooth transition": 0.01}
"""About what cross-validation chooses."""


@pytest.mark.parametrize("process", PROCESSES)
def test_bands_hold_the_true_responses(process):
    """Forty samples: a band of the right level covers .9, with a standard error of about .03."""
    found, gain, wins = simulated(process, 40, "NeuralAR", PENALTY[process])
    print(process, found.round(3), gain, wins, sep="\n")
    assert 0.82 < found["covered"].mean() < 0.96
    assert found["covered"].min() > 0.72
    # the bias is small beside the band, and the VAR's response lies outside
    assert (np.abs(found["error"]) < 0.25 * found["width"]).all()
    first = found.xs(1, level="h")
    assert (np.abs(first["VAR's error"]) > 1.5 * first["width"] / 2).all()
    assert gain < 0.95 and wins > 0.8


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("model", [name for name in MODELS if name != "NeuralAR"])
def test_networks_on_windows_find_the_responses(model, process):
    found, gain, wins = simulated(process, 8, model, 0.01)
    print(model, process, found.round(3), gain, wins, sep="\n")
    assert found["covered"].mean() > 0.7
    first = found.xs(1, level="h")
    assert (np.abs(first["error"]) < 0.35 * np.abs(first["VAR's error"])).all()
    assert gain < 0.95 and wins > 0.6


@pytest.mark.parametrize("process", PROCESSES)
def test_the_penalty_that_is_chosen_does_as_well(process):
    found, gain, wins = simulated(process, 10)
    print(process, found.round(3), gain, wins, sep="\n")
    assert found["covered"].mean() > 0.75
    assert gain < 0.95 and wins > 0.7
