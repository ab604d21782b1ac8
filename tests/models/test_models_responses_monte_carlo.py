"""Simulations: networks beat the VAR one period ahead, and their responses match the true ones."""

import numpy as np
import pytest
from response_coverage import MODELS, PROCESSES, simulated

pytestmark = pytest.mark.slow

PENALTY = {"threshold": 0.005, "smooth transition": 0.01}
"""About what cross-validation chooses."""

BETTER = {"threshold": (0.75, 0.9), "smooth transition": (0.98, 0.45)}
"""Largest error relative to the VAR's, and least share of samples whose test shows it: a network
gains a third in the one process and 5% in the other, where 200 periods decide less."""


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
    assert gain < BETTER[process][0] and wins >= BETTER[process][1]


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("model", [name for name in MODELS if name != "NeuralAR"])
def test_networks_on_windows_find_the_responses(model, process):
    # at the larger penalty attention is zero in some samples of the smooth transition
    penalty = 0.003 if (model, process) == ("Attention", "smooth transition") else 0.01
    found, gain, wins = simulated(process, 8, model, penalty)
    print(model, process, found.round(3), gain, wins, sep="\n")
    assert found["covered"].mean() > _covered_by_lags(process, 8) - 0.12
    first = found.xs(1, level="h")
    assert (np.abs(first["error"]) < 0.5 * np.abs(first["VAR's error"])).all()
    assert gain < BETTER[process][0] + 0.02 and wins >= BETTER[process][1] - 0.25


def _covered_by_lags(process, samples):
    """What NeuralAR's bands hold in the same samples: few of them are easy or hard for all."""
    return simulated(process, samples, "NeuralAR", PENALTY[process])[0]["covered"].mean()


@pytest.mark.parametrize("process", PROCESSES)
def test_the_penalty_that_is_chosen_does_as_well(process):
    found, gain, wins = simulated(process, 6)
    print(process, found.round(3), gain, wins, sep="\n")
    assert found["covered"].mean() > _covered_by_lags(process, 6) - 0.12
    assert gain < BETTER[process][0] and wins >= BETTER[process][1] - 0.25
