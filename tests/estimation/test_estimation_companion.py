"""Worker processes beside this one change no number, and go when they should."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from nnecon.estimation import companion as module
from nnecon.estimation.companion import VARIABLE, companions, end_all, together, wanted
from nnecon.estimation.estimate import SOLVERS, estimate
from nnecon.estimation.execution import Execution
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Chain, Objective
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense

START_UP = 60.0


def batch(n=2000, count=8):
    """Chains for the one-layer solver, each large enough for a task of its own."""
    g = np.random.default_rng(0)
    x = g.standard_normal((n, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * g.standard_normal(n)
    network = Dense(1, 3, (16,), "tanh")
    inputs = np.column_stack([np.ones(n), x])
    objective = Objective(network, inputs, y, Ridge(network.penalised))
    weights = g.uniform(0.5, 2.0, n)
    return objective, [Chain.single(weights, network.init(g), 0.01) for _ in range(count)]


def solve(objective, chains, execution=None):
    return estimate(objective, chains, SOLVERS["lm"], execution=execution or Execution())


def same(first, second):
    return all(
        np.array_equal(a.params, b.params) and np.array_equal(a.loss, b.loss)
        for a, b in zip(first, second, strict=True)
    )


def until_it_takes_part(worker, objective, chains, execution=None):
    """Solutions of the batch, until the worker has answered a task."""
    before, end = worker.answered, time.monotonic() + START_UP
    while worker.answered == before:
        assert time.monotonic() < end
        yield solve(objective, chains, execution)


def gone(pid, within=30.0):
    """Whether a process ends."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks into /proc")


@pytest.fixture
def worker(monkeypatch):
    """One worker that has started."""
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(module, "WORTH", 0.0)
    end_all()
    (started,) = companions(1.0, 2)
    assert started.ready.wait(START_UP)
    yield started
    end_all()


def test_numbers_are_those_of_this_process_alone(worker):
    objective, chains = batch()
    alone = solve(objective, chains, Execution(threads=1))
    assert worker.answered == 0
    counted = []
    execution = Execution(progress=lambda done, total: counted.append(done))
    for beside in until_it_takes_part(worker, objective, chains, execution):
        assert same(alone, beside)
        assert counted[-1] == len(chains)


def test_a_killed_worker_costs_nothing_but_time(worker):
    objective, chains = batch(count=10)
    alone = solve(objective, chains, Execution(threads=1))
    killer = threading.Thread(target=lambda: (time.sleep(0.05), os.kill(worker.pid, 9)))
    killer.start()
    beside = solve(objective, chains)
    killer.join()
    assert same(alone, beside)
    deadline = time.monotonic() + START_UP
    while worker.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    (fresh,) = companions(1.0, 2)
    assert fresh is not worker
    assert fresh.ready.wait(START_UP)


@needs_proc
def test_a_worker_that_stands_still_is_given_up(worker, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    objective, chains = batch(count=3)
    alone = solve(objective, chains, Execution(threads=1))
    os.kill(worker.pid, signal.SIGSTOP)
    assert same(alone, solve(objective, chains))
    assert gone(worker.pid)


def test_an_error_in_a_worker_is_raised_here(worker):
    tasks = {0: ("nothing",), 1: ("nothing",)}

    def here(at):
        raise ZeroDivisionError(at)

    # a worker cannot call a string either
    with pytest.raises(ZeroDivisionError):
        list(together(here, "not a function", tasks, [worker]))


def test_ctrl_c_leaves_at_once_and_the_worker_stays(worker):
    objective, chains = batch(count=40)
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(200):
            solve(objective, chains)
    timer.join()
    assert worker.alive
    few = chains[:8]
    alone = solve(objective, few, Execution(threads=1))
    for beside in until_it_takes_part(worker, objective, few):
        assert same(alone, beside)


def test_workers_are_started_when_there_is_enough_to_do(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(module, "_spent", 0.0)
    end_all()
    assert companions(0.9 * module.WORTH, 2) == []
    assert len(companions(0.2 * module.WORTH, 2)) == 1
    end_all()


def test_how_many_workers(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert wanted(1) == 0
    assert wanted(2) == 1
    assert wanted(1000) == module.MOST
    monkeypatch.setenv(VARIABLE, "0")
    assert wanted(8) == 0
    monkeypatch.setenv(VARIABLE, "many")
    with pytest.raises(SpecificationError, match=VARIABLE):
        wanted(8)


def test_the_word_threads_means_this_process_alone(worker):
    objective, chains = batch(count=3)
    solve(objective, chains, Execution.check("threads"))
    assert worker.answered == 0


def _wanted_there(cores):
    os.environ.pop(VARIABLE, None)
    return wanted(cores)


def test_workers_start_no_workers():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(_wanted_there, 8).result() == 0


SCRIPT = """
import os, sys, time
print("script", flush=True)
from nnecon.estimation import companion
companion.WORTH = 0.0
(worker,) = companion.companions(1.0, 2)
assert worker.ready.wait(60)
print(worker.pid, flush=True)
{}
"""


def _run(ending):
    """A script without a main guard that starts a worker, and the process number of the latter."""
    environment = {**os.environ, VARIABLE: "1"}
    command = [sys.executable, "-W", "error", "-c", SCRIPT.format(ending)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    return done, done.stdout.split()


@needs_proc
@pytest.mark.parametrize("ending", ["", "os.kill(os.getpid(), 9)"])
def test_the_worker_ends_with_its_parent_and_never_runs_its_script(ending):
    done, printed = _run(ending)
    assert printed[0] == "script"
    assert len(printed) == 2
    assert gone(int(printed[1]))
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_workers_to_its_parent(worker):
    ready, write = os.pipe()
    with warnings.catch_warnings():
        # JAX and Python warn of forks beside threads; the child does nothing but look
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        os.write(write, b"none" if module._companions == [] else b"some")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(ready, 4) == b"none"
    os.close(ready)
    os.close(write)
    objective, chains = batch(count=3)
    assert same(solve(objective, chains, Execution(threads=1)), solve(objective, chains))
