"""Worker processes beside this one, for work that threads would have to take turns for.

A step of the one-layer solver is some forty short NumPy calls. Two threads hand Python's lock to
and fro for them; two processes do not. The first worker is started when a process has had about a
second of such work, stays for the next batch, and leaves after some idle minutes or with its
parent. The parent takes the tasks of a batch from the front and workers from the end, so that a
worker that is still starting delays nothing, and the tasks of one that was killed are done here.
Tasks do not know of each other, so none of it changes a number.

A worker is a fresh interpreter that never imports the user's script and sees none of its objects:
what is sent is made of this package's classes and arrays
(:mod:`nnecon.estimation.companion_process`). ``NNECON_WORKERS`` says how many there are, 0 for
none; by default one less than the cores. Processes that are themselves workers (joblib,
multiprocessing, Dask) start none.
"""

import atexit
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import spawn
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple

from nnecon.exceptions import SpecificationError

VARIABLE = "NNECON_WORKERS"
"""Environment variable with the number of workers."""

MOST = 7
"""Workers by default on machines with many cores; each needs some 150 MB."""

WORTH = 5e7
"""Rows times parameters times problems from which a worker is started: about a second of work."""

LOOK, PATIENCE, SLACK = 0.5, 10.0, 10.0
"""Seconds between two looks at Ctrl-C; a worker is given up where an answer takes ``PATIENCE``
seconds and ``SLACK`` times the slowest task of this process."""

START = """
import sys, types
sys.path[:] = {path!r}
# the package's front door would import pandas and statsmodels, which no worker needs
package = sys.modules["nnecon"] = types.ModuleType("nnecon")
package.__path__ = [{folder!r}]
from nnecon.estimation.companion_process import serve
serve()
"""


class Answer(NamedTuple):
    """What came back for a task; ``result`` is None where the task has to be done here."""

    at: int
    result: Any


class Batch:
    """Tasks that this process takes from the front and workers from the end."""

    def __init__(self, shared: bytes, tasks: dict[int, tuple[Any, ...]]) -> None:
        self.shared, self.tasks = shared, tasks
        self.digest = hashlib.blake2b(shared, digest_size=16).digest()
        self.answers: SimpleQueue[Answer] = SimpleQueue()
        self._away = 0
        self._waiting = deque(tasks)
        self._lock = threading.Lock()

    def first(self) -> int | None:
        """The next task for this process."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def last(self) -> int | None:
        """The next task for a worker, whose answer is then to be waited for."""
        with self._lock:
            if not self._waiting:
                return None
            self._away += 1
            return self._waiting.pop()

    def task(self, at: int) -> tuple[Any, ...]:
        """What to do; nothing, where the batch was stopped meanwhile."""
        return self.tasks.get(at, ())

    def answer(self, wait: float) -> Answer | None:
        """The next answer, None where there is none after so many seconds."""
        try:
            answer = self.answers.get(timeout=wait) if wait else self.answers.get_nowait()
        except Empty:
            return None
        with self._lock:
            self._away -= 1
        return answer

    @property
    def complete(self) -> bool:
        """Whether no answer is waited for."""
        with self._lock:
            return not self._away

    def stop(self) -> None:
        """Give out no more tasks, and hold no data: workers that start late look in afterwards."""
        with self._lock:
            self._waiting.clear()
            self.tasks, self.shared = {}, b""


class Companion:
    """One worker process and the thread that talks to it.

    ``ready`` is set once the worker has started, ``answered`` counts its tasks.
    """

    def __init__(self) -> None:
        self.ready, self.answered = threading.Event(), 0
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._known = b""
        self.alive = True
        self._thread = threading.Thread(target=self._serve, name="nnecon companion", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process number, once it is started."""
        return None if self._process is None else self._process.pid

    def join(self, batch: Batch) -> None:
        """Take part in a batch as soon as the worker is there."""
        self._batches.put(batch)

    def end(self) -> None:
        """Ask the process to leave."""
        self.alive = False
        self._batches.put(None)
        if self._process is not None:
            self._process.kill()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        try:
            process = self._process = _start()
            if not self.alive:
                return
            assert process.stdin is not None and process.stdout is not None
            # the first message says that the worker is ready
            pickle.load(process.stdout)
            self.ready.set()
            while (batch := self._batches.get()) is not None:
                self._take_part(process, batch)
                del batch
        except (OSError, EOFError, pickle.UnpicklingError):
            # killed, out of memory, left after idle minutes: a new one is started when needed
            pass
        finally:
            self.alive = False
            if self._process is not None:
                _close(self._process)

    def _take_part(self, process: subprocess.Popen[bytes], batch: Batch) -> None:
        assert process.stdin is not None and process.stdout is not None
        while (at := batch.last()) is not None:
            result = None
            try:
                shared, task = None if batch.digest == self._known else batch.shared, batch.task(at)
                pickle.dump((shared, task), process.stdin, pickle.HIGHEST_PROTOCOL)
                process.stdin.flush()
                self._known = batch.digest
                result = pickle.load(process.stdout)
                self.answered += 1
            finally:
                batch.answers.put(Answer(at, result))


def _start() -> subprocess.Popen[bytes]:
    """A fresh interpreter; Ctrl-C in the terminal does not reach it."""
    folder = str(Path(__file__).resolve().parent.parent)
    path = [os.path.abspath(entry) for entry in sys.path]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    return subprocess.Popen(
        [os.fsdecode(spawn.get_executable()), "-c", START.format(path=path, folder=folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdin is not None and process.stdout is not None
    process.stdout.close()
    with suppress(OSError):
        # what was not sent yet has nowhere to go
        process.stdin.close()


_companions: list[Companion] = []
_spent = 0.0
_lock = threading.Lock()


def wanted(cores: int) -> int:
    """How many workers this process may have."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        if not given.isdecimal():
            raise SpecificationError(
                f"{VARIABLE}={given!r}: give the number of worker processes, 0 for none."
            )
        return int(given)
    helper = multiprocessing.current_process().name != "MainProcess"
    frozen = getattr(sys, "frozen", False) or not spawn.get_executable()
    return 0 if helper or frozen else min(cores - 1, MOST)


def companions(work: float, cores: int) -> list[Companion]:
    """Workers for a batch of so much work, started where they are worth it."""
    global _spent
    count = wanted(cores)
    with _lock:
        _spent += work
        _companions[:] = [companion for companion in _companions if companion.alive]
        if _spent >= WORTH:
            _companions.extend(Companion() for _ in range(count - len(_companions)))
        return _companions[:count]


def together(
    run: Callable[[int], Any],
    shared: Any,
    tasks: dict[int, tuple[Any, ...]],
    helpers: list[Companion],
) -> Iterator[tuple[int, Any, bool]]:
    """Results as they come, and whether they come from a worker.

    ``run(at)`` does a task here; a worker calls ``shared(*task, monitor)``.
    """
    batch = Batch(pickle.dumps(shared, pickle.HIGHEST_PROTOCOL), tasks)
    for helper in helpers:
        helper.join(batch)
    slowest = 0.0
    try:
        while (at := batch.first()) is not None:
            begin = monotonic()
            yield at, run(at), False
            slowest = max(slowest, monotonic() - begin)
            while (answer := batch.answer(0.0)) is not None:
                yield _read(answer, run)
        last = monotonic()
        while not batch.complete:
            answer = batch.answer(LOOK)
            if answer is not None:
                last = monotonic()
                yield _read(answer, run)
            elif monotonic() - last > PATIENCE + SLACK * slowest:
                for helper in helpers:
                    helper.end()
    finally:
        batch.stop()


def _read(answer: Answer, run: Callable[[int], Any]) -> tuple[int, Any, bool]:
    if answer.result is None:
        return answer.at, run(answer.at), False
    return answer.at, answer.result, True


def end_all() -> None:
    """End all workers; the next batch that is worth it starts new ones."""
    with _lock:
        while _companions:
            _companions.pop().end()


def _forget() -> None:
    """In a child that was forked: the workers are the parent's."""
    global _companions, _lock, _inherited
    _inherited = _companions
    _companions, _lock = [], threading.Lock()


_inherited: list[Companion] = []
atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
