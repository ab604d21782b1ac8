"""Where a batch of problems runs: threads, executors, checkpoints, progress and Ctrl-C."""

import hashlib
import inspect
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nnecon.estimation.problem import Trace
from nnecon.exceptions import SpecificationError
from nnecon.version import __version__

Progress = Callable[[float, int], None]
"""Called with the number of chains done, in fractions, and of all chains."""


class Monitor:
    """What a solver at work and the one who waits for it tell each other.

    A solver calls :meth:`advance` with the chains (or parts of chains) that it has finished, and
    :meth:`check` once in a while, which raises KeyboardInterrupt after :meth:`stop`.
    """

    def __init__(self, total: int = 0, progress: Progress | None = None) -> None:
        self._total, self._progress = total, progress
        self._done = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def advance(self, chains: float) -> None:
        """Count finished chains."""
        if self._progress is None:
            return
        with self._lock:
            self._done += chains
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
        Threads across groups of chains, by default the cores that this process may use.
    executor : concurrent.futures.Executor, optional
        Runs the groups instead: processes, Dask's ``Client.get_executor()``, MPI.
    checkpoint : Path, optional
        Folder to which every finished group is written and from which it is read again.
    progress : callable, optional
        Called with the number of chains done and of all chains.
    """

    threads: int | None = None
    executor: Executor | None = None
    checkpoint: Path | None = None
    progress: Progress | None = field(default=None)

    @classmethod
    def check(
        cls, executor: Any = None, checkpoint: Any = None, progress: Progress | None = None
    ) -> "Execution":
        """Read the arguments of ``fit``."""
        if executor is not None and not callable(getattr(executor, "submit", None)):
            raise SpecificationError(
                f"executor={executor!r}: pass a concurrent.futures.Executor, for example "
                "ProcessPoolExecutor(), Dask's Client.get_executor() or MPIPoolExecutor()."
            )
        folder = None
        if checkpoint is not None:
            try:
                folder = Path(checkpoint)
                folder.mkdir(parents=True, exist_ok=True)
            except (TypeError, OSError) as error:
                raise SpecificationError(
                    f"checkpoint={checkpoint!r}: pass a folder that can be written to ({error})."
                ) from error
        return cls(executor=executor, checkpoint=folder, progress=progress)

    def run(
        self, work: Callable[..., list[Trace]], tasks: Sequence[tuple[Any, ...]], total: int
    ) -> list[list[Trace]]:
        """Results of ``work(*task, monitor)`` for every task, in order.

        Ctrl-C leaves at once, with all finished tasks in the checkpoint.
        """
        monitor = Monitor(total, self.progress)
        found: dict[int, list[Trace]] = {}
        keys = [fingerprint((work, *task)) for task in tasks] if self.checkpoint is not None else []
        for at, key in enumerate(keys):
            assert self.checkpoint is not None
            stored = _read(self.checkpoint / f"{key}.npz")
            if stored is not None:
                found[at] = stored
                monitor.advance(len(stored))
        waiting = [at for at in range(len(tasks)) if at not in found]

        def keep(at: int, traces: list[Trace]) -> None:
            found[at] = traces
            if self.checkpoint is not None:
                _write(self.checkpoint / f"{keys[at]}.npz", traces)

        if self.executor is not None:
            self._elsewhere(work, tasks, waiting, keep, monitor)
        else:
            self._here(work, tasks, waiting, keep, monitor)
        return [found[at] for at in range(len(tasks))]

    def _here(self, work, tasks, waiting, keep, monitor) -> None:
        threads = min(self.threads or len(os.sched_getaffinity(0)), max(len(waiting), 1))
        with threadpool_limits(1):
            if threads == 1:
                for at in waiting:
                    keep(at, work(*tasks[at], monitor))
                return
            with ThreadPoolExecutor(threads) as pool:
                futures = {pool.submit(work, *tasks[at], monitor): at for at in waiting}
                _collect(futures, keep, monitor.stop)

    def _elsewhere(self, work, tasks, waiting, keep, monitor) -> None:
        def keep_and_count(at: int, traces: list[Trace]) -> None:
            keep(at, traces)
            monitor.advance(len(traces))

        assert self.executor is not None
        futures = {self.executor.submit(_alone, work, *tasks[at]): at for at in waiting}
        _collect(futures, keep_and_count, lambda: None)


LOCAL = Execution()
"""Threads of this process, nothing stored."""


def _alone(work: Callable[..., list[Trace]], *task: Any) -> list[Trace]:
    """A task in another process: one BLAS thread, nobody who listens."""
    with threadpool_limits(1):
        return work(*task, Monitor())


def _collect(futures: dict[Future, int], keep: Callable[..., None], stop: Callable[[], None]):
    # Dask's futures are no concurrent.futures.Future, but as_completed accepts what its own
    # executor returns
    try:
        for future in as_completed(futures):
            keep(futures[future], future.result())
    except BaseException:
        stop()
        for future in futures:
            future.cancel()
        # what was finished meanwhile is kept as well
        for future, at in futures.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(at, future.result())
        raise


# -- checkpoints ----------------------------------------------------------------------------------


def fingerprint(task: Any) -> str:
    """Digest of everything that a task's numbers depend on."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(__version__.encode())
    _feed(digest, task)
    return digest.hexdigest()


def _feed(digest: Any, thing: Any) -> None:
    digest.update(type(thing).__qualname__.encode())
    if isinstance(thing, np.ndarray):
        digest.update(f"{thing.dtype}{thing.shape}".encode())
        digest.update(np.ascontiguousarray(thing).tobytes())
    elif is_dataclass(thing) and not isinstance(thing, type):
        for part in fields(thing):
            digest.update(part.name.encode())
            _feed(digest, getattr(thing, part.name))
    elif isinstance(thing, list | tuple):
        for part in thing:
            _feed(digest, part)
    elif inspect.isfunction(thing):
        code = thing.__code__
        cells = tuple(cell.cell_contents for cell in thing.__closure__ or ())
        digest.update(f"{thing.__module__}.{thing.__qualname__}".encode())
        digest.update(code.co_code + repr((code.co_consts, code.co_names)).encode())
        _feed(digest, (thing.__defaults__ or (), cells))
    else:
        digest.update(repr(thing).encode())


_ARRAYS = ("params", "loss", "penalty", "certificate", "iterations", "history")


def _write(path: Path, traces: list[Trace]) -> None:
    arrays = {f"{at}.{name}": getattr(t, name) for at, t in enumerate(traces) for name in _ARRAYS}
    notes = np.array([trace.note for trace in traces])
    # written beside and renamed, so that a killed process leaves no half file
    part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    with part.open("wb") as file:
        np.savez(file, notes=notes, **arrays)
    part.replace(path)


def _read(path: Path) -> list[Trace] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        notes = stored["notes"]
        return [
            Trace(*(stored[f"{at}.{name}"] for name in _ARRAYS), note=str(note))
            for at, note in enumerate(notes)
        ]
