"""Where a batch runs changes nothing about its numbers, and nothing that was finished is lost."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields
from functools import cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nnecon.estimation import estimate as module
from nnecon.estimation.checkpoint import SUFFIX
from nnecon.estimation.estimate import SOLVERS, Solver, estimate
from nnecon.estimation.execution import Execution, Monitor, cores, one_blas_thread
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import FAST, Chain, Objective
from nnecon.estimation.solvers.minibatch import solver_for
from nnecon.estimation.solvers.proximal import proximal
from nnecon.estimation.training import Adam
from nnecon.exceptions import ConvergenceError, SpecificationError
from nnecon.nets import Custom, Dense

distributed = pytest.importorskip("distributed")

PROX = Solver("proximal Gauss-Newton", proximal, 1, smooth=False)
SPAWN = multiprocessing.get_context("spawn")


def wave(params, row):
    """A network of the user's."""
    return params[0] * jnp.sin(params[1] * row[0] + params[2]) + params[3] * row[1]


def batch(hidden=(3,), penalty=Ridge, n=90, network=None):
    """Weighted problems: chains of three penalties and single ones, some of one weight vector."""
    g = np.random.default_rng(0)
    x = g.standard_normal((n, 2))
    y = np.tanh(2 * x[:, 0]) - 0.3 * x[:, 1] + 0.2 * g.standard_normal(n)
    inputs = np.column_stack([np.ones(n), x, x])
    if network is None:
        network = Dense(3, 2, hidden, "tanh")
        starts = [network.init(g) for _ in range(3)]
    else:
        inputs, starts = x, list(g.standard_normal((3, network.n_params)))
    objective = Objective(network, inputs, y, penalty(network.neural.astype(float)))
    weights = g.uniform(0.5, 2.0, (2, n))
    alphas, after = np.array([0.02, 0.005, 0.05]), np.array([-1, 0, 0])
    chains = [Chain(w, start, alphas, after) for w in weights for start in starts]
    return objective, [*chains, *(Chain.single(weights[0], start, 0.01) for start in starts)]


def sparse(mask):
    return ElasticNet(mask, 0.5)


BATCHES = {
    "Levenberg-Marquardt": (SOLVERS["lm"], {}),
    "Levenberg-Marquardt, two layers": (SOLVERS["lm"], {"hidden": (2, 2)}),
    "Levenberg-Marquardt, own network": (SOLVERS["lm"], {"network": Custom(wave, 4, 2)}),
    "L-BFGS": (SOLVERS["lbfgs"], {}),
    "proximal": (PROX, {"penalty": sparse}),
    "Adam": (solver_for(Adam(epochs=3, batch_size=16, dropout=0.2, early_stopping=0.2)), {}),
}

# what is the same algorithm on another network waits for the slow tests
ELSEWHERE = [
    pytest.param(name, marks=[pytest.mark.slow] if "," in name else []) for name in BATCHES
]


def solved(name, execution):
    solver, options = BATCHES[name]
    return estimate(*batch(**options), solver, FAST, execution)


@cache
def alone(name):
    return solved(name, Execution(threads=1))


def assert_same(traces, others):
    assert len(traces) == len(others) > 0
    for trace, other in zip(traces, others, strict=True):
        for field in fields(trace):
            one, two = getattr(trace, field.name), getattr(other, field.name)
            assert np.array_equal(one, two), field.name
            assert np.asarray(one).dtype == np.asarray(two).dtype, field.name


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster():
    # no page of its own, whose port may be taken
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("name", BATCHES)
def test_numbers_are_the_same_for_one_and_two_threads(name):
    assert_same(solved(name, Execution(threads=2)), alone(name))
    with ThreadPoolExecutor(2) as pool:
        assert_same(solved(name, Execution.check(pool)), alone(name))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_numbers_are_the_same_in_other_processes(name, processes):
    assert_same(solved(name, Execution.check(processes)), alone(name))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_numbers_are_the_same_on_a_dask_cluster(name, cluster):
    assert_same(solved(name, Execution.check(cluster.get_executor())), alone(name))


@pytest.mark.parametrize("name", BATCHES)
def test_numbers_are_the_same_from_a_checkpoint(name, tmp_path, monkeypatch):
    assert_same(solved(name, Execution.check(checkpoint=tmp_path)), alone(name))
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    # as if killed halfway
    for file in files[::2]:
        file.unlink()
    assert_same(solved(name, Execution.check(checkpoint=tmp_path)), alone(name))
    assert sorted(tmp_path.iterdir()) == files

    def never(*_):
        raise AssertionError

    monkeypatch.setattr(threading.Thread, "start", never)
    assert_same(solved(name, Execution.check(checkpoint=tmp_path)), alone(name))


def test_large_data_and_local_functions_reach_every_worker(processes, cluster):
    frequency = 1.5
    network = Custom(lambda p, row: p[0] * jnp.sin(frequency * row[0]) + p[1] * row[1], 2, 2)
    objective, chains = batch(n=8000, network=network)
    expected = estimate(objective, chains, SOLVERS["lm"])
    # Dask itself is taken for its executor, and warnings about large graphs are errors here
    for executor in (processes, cluster):
        execution = Execution.check(executor)
        for _ in range(2):
            assert_same(estimate(objective, chains, SOLVERS["lm"], FAST, execution), expected)


def test_executor_and_checkpoint_go_together(processes, tmp_path):
    name, calls = "L-BFGS", []
    execution = Execution.check(
        processes, tmp_path / "new" / "folder", lambda done, total: calls.append((done, total))
    )
    assert_same(solved(name, execution), alone(name))
    assert calls[-1] == (9, 9) and sorted(calls) == calls
    [first, *_] = (tmp_path / "new" / "folder").glob(f"*{SUFFIX}")
    first.unlink()
    calls.clear()
    # what an executor left, threads take up
    assert_same(solved(name, Execution.check(checkpoint=tmp_path / "new" / "folder")), alone(name))
    assert first.exists()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", BATCHES)
def test_progress_adds_up(name, threads):
    calls = []
    report = lambda done, total: calls.append((done, total))
    solved(name, Execution(threads=threads, progress=report))
    done = [call[0] for call in calls]
    assert done == sorted(done) and len(calls) >= 9
    assert {total for _, total in calls} == {9}
    assert done[-1] == pytest.approx(9, abs=1e-9)


def test_memory_bounds_what_is_solved_at_a_time(monkeypatch):
    objective, chains = batch()
    lock, working, most = threading.Lock(), [], []

    def run(*args):
        with lock:
            working.append(1)
            most.append(len(working))
        time.sleep(0.02)
        traces = SOLVERS["lm"].run(*args)
        with lock:
            working.pop()
        return traces

    solver, four = Solver("counting", run, 1), Execution(threads=4)
    assert_same(estimate(objective, chains, solver, FAST, four), alone("Levenberg-Marquardt"))
    assert max(most) == 4
    size = len(objective.target) * objective.network.n_params
    for room, limit in [(16 * size * 2, 2), (16 * size, 1), (1, 1)]:
        most.clear()
        monkeypatch.setattr(module, "MEMORY", room)
        assert_same(estimate(objective, chains, solver, FAST, four), alone("Levenberg-Marquardt"))
        assert max(most) == limit


def test_groups_do_not_change_numbers(monkeypatch):
    objective, chains = batch()
    sizes = []

    def run(objective, group, options, monitor):
        sizes.append(len(group))
        return SOLVERS["lm"].run(objective, group, options, monitor)

    solver = Solver("counting", run, 4)
    size = len(objective.target) * objective.network.n_params
    # six chains of three problems and three single ones
    for work, expected in [(1, [1] * 9), (6 * size, [2, 2, 2, 3]), (10**9, [4, 4, 1])]:
        sizes.clear()
        monkeypatch.setattr(module, "WORK", work)
        traces = estimate(objective, chains, solver, FAST, Execution(threads=1))
        assert sizes == expected
        assert_same(traces, alone("Levenberg-Marquardt"))
    assert estimate(objective, [], solver) == []


def fail(objective, chains, options, monitor):
    if chains[0].start[0] == objective.target[0]:
        raise ConvergenceError("This is what went wrong.")
    return SOLVERS["lm"].run(objective, chains, options, monitor)


@pytest.mark.parametrize("where", ["one thread", "threads", "processes", "dask"])
def test_an_error_arrives_as_it_was_raised(where, request, tmp_path):
    objective, chains = batch()
    bad = chains[4].start.copy()
    bad[0] = objective.target[0]
    chains[4] = Chain.single(chains[4].weights, bad, 0.01)
    executor = None
    if where in ("processes", "dask"):
        executor = request.getfixturevalue({"dask": "cluster"}.get(where, where))
    read = Execution.check(executor, tmp_path)
    execution = Execution(1 if where == "one thread" else 2, read.executor, read.checkpoint)
    solver = Solver("failing", fail, 1)
    with pytest.raises(ConvergenceError, match=r"^This is what went wrong\.$"):
        estimate(objective, chains, solver, FAST, execution)
    if where == "one thread":
        assert len(list(tmp_path.glob(f"*{SUFFIX}"))) == 4
    # the executor is as good as before
    chains[4] = chains[3]
    expected = alone("Levenberg-Marquardt")
    traces = estimate(objective, chains, solver, FAST, execution)
    assert_same(traces[:4] + traces[5:], expected[:4] + expected[5:])


def leave(objective, chains, options, monitor):
    os._exit(3)


def test_a_process_that_dies_is_explained():
    objective, chains = batch()
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        with pytest.raises(BrokenProcessPool) as caught:
            estimate(objective, chains, Solver("leaving", leave, 1), FAST, Execution.check(pool))
        assert any('if __name__ == "__main__"' in note for note in caught.value.__notes__)


class Cancelling(Executor):
    """Does the first task, and is then told to stop."""

    def __init__(self):
        self.futures = []

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        if not self.futures:
            future.set_result(function(*args, **kwargs))
        elif len(self.futures) == 1:
            future.set_exception(KeyboardInterrupt())
        self.futures.append(future)
        return future


def test_ctrl_c_cancels_what_waits_elsewhere_and_keeps_what_is_done(tmp_path):
    objective, chains = batch()
    executor = Cancelling()
    with pytest.raises(KeyboardInterrupt):
        estimate(objective, chains, SOLVERS["lbfgs"], FAST, Execution.check(executor, tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    assert all(future.cancelled() for future in executor.futures[2:])
    assert len(executor.futures) > 2


SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
import test_estimation_execution as tests
from nnecon.estimation.estimate import Solver, estimate
from nnecon.estimation.execution import Execution
from nnecon.estimation.problem import FAST

folder, endless, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
objective, chains = tests.batch()

def run(objective, group, options, monitor):
    time.sleep(0.1)
    while True:
        traces = tests.SOLVERS["lm"].run(objective, group, options, monitor)
        # the last three are single problems
        if not endless or len(group[0].alphas) > 1:
            print("solved", flush=True)
            return traces

read = Execution.check(checkpoint=folder)
execution = Execution(threads, checkpoint=read.checkpoint)
print("started", flush=True)
try:
    traces = estimate(objective, chains, Solver("slow", run, 1), FAST, execution)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
np.savez(folder / "all.npz", *[trace.params for trace in traces])
"""


def start(folder, endless, threads):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    found = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(endless), str(threads)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": found},
    )


def wait_for(folder, files, process):
    end = time.monotonic() + 60
    while len(list(folder.glob(f"*{SUFFIX}"))) < files:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_run_continues_where_it_was(tmp_path):
    with start(tmp_path, 0, 1) as process:
        wait_for(tmp_path, 4, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = len(list(tmp_path.glob(f"*{SUFFIX}")))
    assert 4 <= finished < 9
    with start(tmp_path, 0, 2) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.count("solved") == 9 - finished
    with np.load(tmp_path / "all.npz") as stored:
        params = [stored[name] for name in stored.files]
    for mine, trace in zip(params, alone("Levenberg-Marquardt"), strict=True):
        assert np.array_equal(mine, trace.params)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_stops_soon_with_what_is_finished(tmp_path, threads):
    with start(tmp_path, 1, threads) as process:
        wait_for(tmp_path, 6, process)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        # an endless solve, ended from outside; the limit is generous for a busy machine
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert out.splitlines() == ["started", *["solved"] * 6, "interrupted"]
    assert len(list(tmp_path.glob(f"*{SUFFIX}"))) == 6


def blas_threads():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_the_limit_of_blas_threads_lasts_as_long_as_someone_needs_it():
    before = blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    with one_blas_thread():
        other.start()
        assert inside.wait(10)
        assert blas_threads() == {1}
    assert blas_threads() == {1}
    leave.set()
    other.join()
    assert blas_threads() == before


def test_cores_where_python_or_the_system_lack_a_function(monkeypatch):
    assert 1 <= cores() <= os.cpu_count()
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()
    monkeypatch.setattr(os, "process_cpu_count", lambda: 7, raising=False)
    assert cores() == 7


def test_a_monitor_tells_when_to_leave():
    monitor = Monitor()
    monitor.check()
    monitor.stop()
    with pytest.raises(KeyboardInterrupt):
        monitor.check()


@pytest.mark.parametrize("wrong", [4, "dask", ThreadPoolExecutor])
def test_wrong_executors_are_refused(wrong):
    with pytest.raises(SpecificationError, match=r"^executor=.*concurrent\.futures\.Executor"):
        Execution.check(executor=wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_forking_is_refused():
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool,
        pytest.raises(SpecificationError, match=r"forks this process.*get_context\('spawn'\)"),
    ):
        Execution.check(executor=pool)
