"""A backtest gives the same numbers on processes and resumed, bit for bit."""

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from forecasting_models import LastDifference, data, same_forecasts

import nnecon as ne
from nnecon import baselines
from nnecon.exceptions import NneconWarning, SpecificationError

MODELS = {
    "var": baselines.var("aic", maxlags=3),
    "ar": baselines.ar(2),
    "ols": baselines.ols("infl ~ lag(infl, 1, 2)"),
    "own": LastDifference(),
}
OPTIONS = {"horizon": 3, "initial": 70, "step": 8}


@pytest.fixture(scope="module")
def frame():
    return data()


@pytest.fixture(scope="module")
def reference(frame):
    return ne.backtest(MODELS, frame, **OPTIONS)


def test_processes_give_the_same_numbers(frame, reference):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = ne.backtest(MODELS, frame, executor=pool, **OPTIONS)
    same_forecasts(found, reference)
    assert found.choices.equals(reference.choices)


def test_a_checkpoint_gives_the_same_numbers(frame, reference, tmp_path):
    first = ne.backtest(MODELS, frame, checkpoint=tmp_path, **OPTIONS)
    count = len(list(tmp_path.iterdir()))
    again = ne.backtest(MODELS, frame, checkpoint=tmp_path, **OPTIONS)
    same_forecasts(first, reference)
    same_forecasts(again, reference)
    assert len(list(tmp_path.iterdir())) == count == 4 * len(reference.cutoffs)


class Breaks(LastDifference):
    """Stands for a run that is stopped."""

    def __init__(self, limit):
        self.limit = limit

    def fit(self, frame):
        if len(frame) > self.limit:
            raise KeyboardInterrupt
        super().fit(frame)


def test_a_stopped_run_continues_where_it_was(frame, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        ne.backtest({"ar": MODELS["ar"], "b": Breaks(80)}, frame, checkpoint=tmp_path, **OPTIONS)
    # all origins of the first model, and two of the second
    assert len(list(tmp_path.iterdir())) == 5 + 2


def test_new_data_cost_new_origins_only(frame, tmp_path):
    """A finished origin does not depend on what comes after it."""
    options = {**OPTIONS, "checkpoint": tmp_path}
    ne.backtest({"ar": MODELS["ar"]}, frame.iloc[:90], **options)
    before = {path.name for path in tmp_path.iterdir()}
    ne.backtest({"ar": MODELS["ar"], "var": MODELS["var"]}, frame, **options)
    after = {path.name for path in tmp_path.iterdir()}
    assert before <= after
    origins = len(ne.backtest({"ar": MODELS["ar"]}, frame, **OPTIONS).cutoffs)
    assert len(after) == 2 * origins


def test_another_past_is_another_problem(frame, tmp_path):
    options = {**OPTIONS, "checkpoint": tmp_path, "initial": 95}
    first = ne.backtest({"ar": MODELS["ar"]}, frame, **options)
    other = frame.copy()
    other.loc[other.index[5], "infl"] += 1.0
    second = ne.backtest({"ar": MODELS["ar"]}, other, **options)
    assert not np.array_equal(first.forecasts["forecast"], second.forecasts["forecast"])
    fresh = ne.backtest({"ar": MODELS["ar"]}, other, **{**options, "checkpoint": None})
    same_forecasts(second, fresh)


class Warns(LastDifference):
    """Warns at every fit."""

    def fit(self, frame):
        warnings.warn("a warning of the model", RuntimeWarning, stacklevel=1)
        super().fit(frame)


def test_resumed_runs_warn_alike(frame, tmp_path):
    texts = []
    for _ in range(2):
        with pytest.warns(NneconWarning) as caught:
            ne.backtest({"w": Warns()}, frame, checkpoint=tmp_path, **OPTIONS)
        texts.append([str(one.message) for one in caught])
    assert texts[0] == texts[1]
    assert "a warning of the model" in texts[0][0]


def test_threads_are_refused(frame):
    with ThreadPoolExecutor(1) as pool, pytest.raises(SpecificationError, match="threads"):
        ne.backtest(MODELS, frame, executor=pool, **OPTIONS)
    with pytest.raises(SpecificationError, match="executor='all'"):
        ne.backtest(MODELS, frame, executor="all", **OPTIONS)
