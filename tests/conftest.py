"""Fits that many tests look at, made once."""

import os
import signal

import helpers
import pytest

import nnecon as ne
from nnecon.estimation.compiled_memory import make_room

# processes of the suite share the cores already; test_estimation_companion starts its own
os.environ.setdefault("NNECON_WORKERS", "0")

# a shell's background jobs ignore Ctrl-C, and so would every process that tests start and interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def _room_for_compiled_functions():
    """Tests compile thousands of functions a process, more than the system lets it keep."""
    make_room()


@pytest.fixture(scope="session")
def macro_model():
    """The macro model of the README."""
    return ne.NeuralRegression.from_formula(helpers.MACRO_FORMULA, helpers.macro(), hidden=(8,))


@pytest.fixture(scope="session")
def macro_results(macro_model):
    """Cross-validated over the default grid: the fit of the main job."""
    return macro_model.fit()


@pytest.fixture(scope="session")
def curved_frame():
    """A cross section with one clear bend."""
    return helpers.cross_section()


@pytest.fixture(scope="session")
def curved_results(curved_frame):
    """Small network on the cross section, cross-validated on a short grid."""
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2 + C(region)", curved_frame, hidden=(3,))
    return model.fit(alphas=8, n_starts=4)
