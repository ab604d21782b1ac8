"""Where a batch of tasks runs: threads, executors, checkpoints, progress and Ctrl-C.

Tasks are groups of chains that a solver works on, or origins of a backtest; what they give are
records, dataclasses of arrays and strings, one for each item of a task.

None of it changes the numbers: tasks do not know of each other, and each computes with one BLAS
thread wherever it runs. That holds between processes alike. Processors of different kinds round
differently, and so do CPU and GPU; and XLA cuts sums over many rows by the number of cores that it
sees, so that L-BFGS on 20,000 rows has other last digits in a process that is bound to one core of
two. A cluster gives the numbers of one machine where its processes see as many cores.

On a CPU, threads work on different problems. Where JAX has an accelerator, what is written in JAX
runs there: L-BFGS, mini-batches, proximal steps, and Levenberg-Marquardt for networks with several
hidden layers or of the user's. Levenberg-Marquardt for one hidden layer is in closed form and stays
on the CPU (:mod:`nnecon.estimation.local_model`). JAX's own settings say which device it is:
``jax.config.update("jax_default_device", jax.devices("cpu")[0])`` or ``JAX_PLATFORMS=cpu`` keep
everything on the CPU, and processes of an executor each have settings of their own.
"""

import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any

from threadpoolctl import OpenBLASController, ThreadpoolController

from nnecon.estimation.checkpoint import Checkpoint
from nnecon.estimation.companion import companions, together
from nnecon.estimation.compilation import cores
from nnecon.estimation.fingerprint import Fingerprints, fingerprint
from nnecon.estimation.parcel import pickled, send, unpack
from nnecon.estimation.problem import Trace
from nnecon.exceptions import SpecificationError

__all__ = ["LOCAL", "Execution", "Monitor", "Progress", "cores", "fingerprint", "one_blas_thread"]

Progress = Callable[[float, int], None]
"""Called with the number of items done, in fractions, and of all items."""

Work = Callable[..., list[Any]]
"""``work(items, ..., monitor)`` gives one record an item; it can be pickled."""

PATIENCE = 0.5
"""Seconds between two looks at whether someone pressed Ctrl-C; not all systems interrupt a wait."""


class Monitor:
    """What a solver at work and the one who waits for it tell each other.

    A solver calls :meth:`advance` with the items (or parts of items) that it has finished, and
    :meth:`check` once in a while, which raises KeyboardInterrupt after :meth:`stop`.
    """

    def __init__(self, total: int = 0, progress: Progress | None = None) -> None:
        self._total, self._progress = total, progress
        self._done = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def advance(self, items: float) -> None:
        """Count finished items."""
        if self._progress is None:
            return
        with self._lock:
            self._done += items
            self._progress(min(self._done, float(self._total)), self._total)

    def stop(self) -> None:
        """Ask solvers to leave."""
        self._stopped.set()

    def check(self) -> None:
        """Leave if asked to."""
        if self._stopped.is_set():
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """How a batch is run; none of it changes the numbers.

    Parameters
    ----------
    threads : int, optional
        Threads across tasks, by default the cores that this process may use.
    executor : concurrent.futures.Executor, optional
        Runs the tasks instead: processes, Dask's ``Client.get_executor()``, MPI.
    checkpoint : Checkpoint, optional
        Where every finished task is kept and looked for.
    progress : callable, optional
        Called with the number of items done and of all items.
    alone : bool
        Whether this process does without workers beside it.
    """

    threads: int | None = None
    executor: Executor | None = None
    checkpoint: Checkpoint | None = None
    progress: Progress | None = None
    alone: bool = False

    @classmethod
    def check(
        cls, executor: Any = None, checkpoint: Any = None, progress: Progress | None = None
    ) -> "Execution":
        """Read the arguments of ``fit``: an executor (or Dask's client), a folder, a function.

        The word "threads" instead of an executor stands for this process alone.
        """
        alone = isinstance(executor, str) and executor == "threads"
        return cls(
            alone=alone,
            executor=None if executor is None or alone else _read_executor(executor),
            checkpoint=None if checkpoint is None else Checkpoint.open(checkpoint),
            progress=progress,
        )

    def run(
        self,
        work: Work,
        tasks: Sequence[tuple[Any, ...]],
        at_once: int | None = None,
        record: type = Trace,
        beside: float = 0.0,
    ) -> list[list[Any]]:
        """Results of ``work(*task, monitor)`` for every task, in order.

        Ctrl-C leaves at once, with all finished tasks in the checkpoint.

        Parameters
        ----------
        work : callable
            What all tasks share.
        tasks : sequence of tuple
            Arguments, of which the first is a list of items.
        at_once : int, optional
            Most tasks that fit into this process's memory at a time.
        record : type
            Dataclass of the results, which the checkpoint keeps.
        beside : float
            How much work there is, where worker processes beside this one may take part.
        """
        monitor = Monitor(sum(len(task[0]) for task in tasks), self.progress)
        found: dict[int, list[Any]] = {}
        keys: list[str] = []
        if self.checkpoint is not None:
            prints = Fingerprints()
            shared = prints.of(work)
            keys = [prints.of((shared, task)) for task in tasks]
            for at, key in enumerate(keys):
                stored = self.checkpoint.read(key, record)
                if stored is not None:
                    found[at] = stored
                    monitor.advance(len(stored))

        def keep(at: int, records: list[Any]) -> None:
            found[at] = records
            if self.checkpoint is not None:
                self.checkpoint.write(keys[at], records)

        waiting = {at: task for at, task in enumerate(tasks) if at not in found}
        free = self.executor is None and self.threads is None and not self.alone
        helpers = companions(beside, cores()) if free and beside and len(waiting) > 1 else []
        if helpers:
            with one_blas_thread():
                mine = together(lambda at: work(*waiting[at], monitor), work, waiting, helpers)
                for at, traces, sent in mine:
                    keep(at, traces)
                    monitor.advance(len(traces) if sent else 0)
        elif waiting and (self.executor is None or isinstance(self.executor, ThreadPoolExecutor)):
            self._here(work, waiting, keep, monitor, at_once)
        elif waiting:
            self._elsewhere(work, waiting, keep, monitor)
        return [found[at] for at in range(len(tasks))]

    def _here(self, work, waiting, keep, monitor, at_once) -> None:
        with one_blas_thread():
            if self.executor is not None:
                _collect(_submit(self.executor, work, waiting, monitor), keep, monitor.stop)
                return
            threads = min(self.threads or cores(), at_once or len(waiting), len(waiting))
            if threads == 1:
                for at, task in waiting.items():
                    keep(at, work(*task, monitor))
                return
            with ThreadPoolExecutor(threads) as pool:
                _collect(_submit(pool, work, waiting, monitor), keep, monitor.stop)

    def _elsewhere(self, work, waiting, keep, monitor) -> None:
        def keep_and_count(at: int, records: list[Any]) -> None:
            keep(at, records)
            monitor.advance(len(records))

        assert self.executor is not None
        parcel = send(work, self.executor)
        # Dask takes equal calls for the same task, also one that was cancelled
        ticket = os.urandom(8)
        try:
            futures = {
                self.executor.submit(
                    _alone, ticket, parcel.digest, parcel.source, pickled(task)
                ): at
                for at, task in waiting.items()
            }
            _collect(futures, keep_and_count, lambda: None)
        except BrokenExecutor as error:
            error.add_note(
                "A process of executor= ended without an answer: it was killed, or out of memory, "
                'or the script that starts processes has no `if __name__ == "__main__":`.'
            )
            raise


LOCAL = Execution()
"""Threads of this process, nothing stored."""


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """BLAS libraries of this process; looking for them takes 5 ms each time."""
    return ThreadpoolController()


_limit_lock = threading.Lock()
_limit: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One BLAS thread in this process, until the last of those who asked for it has left.

    The limit is a setting of the process: if each thread restored it by itself, the first to leave
    would change it for the others, and with it their numbers.
    """
    with _limit_lock:
        _limit.append(_limit[0] if _limit else _libraries().limit(limits=1))
    try:
        yield
    finally:
        with _limit_lock:
            limits = _limit.pop()
            if not _limit:
                # from version 3.8 on only the thread that set a limit may change it, until it is
                # told to let go
                let_go = getattr(OpenBLASController, "clear_controlling_thread", lambda **_: None)
                let_go(force=True)
                limits.restore_original_limits()
                let_go(force=True)


def _read_executor(given: Any) -> Executor:
    executor = given.get_executor() if callable(getattr(given, "get_executor", None)) else given
    if not isinstance(executor, Executor):
        raise SpecificationError(
            f"executor={given!r}: pass a concurrent.futures.Executor, for example "
            "ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn')), Dask's "
            "Client.get_executor() or mpi4py's MPIPoolExecutor(); or 'threads' for no process but "
            "this one."
        )
    context = getattr(executor, "_mp_context", None)
    if context is not None and context.get_start_method() == "fork":
        raise SpecificationError(
            "executor= forks this process, in which JAX runs threads, and its workers can hang; "
            "pass ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn'))."
        )
    return executor


def _alone(ticket: bytes, digest: str, source: Any, task: bytes) -> list[Any]:
    """A task in another process: one BLAS thread, nobody who listens."""
    with one_blas_thread():
        return unpack(digest, source)(*pickle.loads(task), Monitor())


def _submit(executor: Executor, work: Work, waiting, monitor: Monitor) -> dict[Future, int]:
    submit: Callable[..., Future] = executor.submit
    return {submit(work, *task, monitor): at for at, task in waiting.items()}


def _collect(futures: dict[Future, int], keep: Callable[..., None], stop: Callable[[], None]):
    """Keep results as they come; where one fails or Ctrl-C is pressed, keep what there is."""
    finished: SimpleQueue[Future] = SimpleQueue()
    for future in futures:
        future.add_done_callback(finished.put)
    pending = set(futures)
    try:
        while pending:
            try:
                future = finished.get(timeout=PATIENCE)
            except Empty:
                continue
            result = future.result()
            pending.discard(future)
            keep(futures[future], result)
    except BaseException:
        stop()
        for future in pending:
            future.cancel()
        # what was finished meanwhile is kept as well
        for future in pending:
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(futures[future], future.result())
        raise
