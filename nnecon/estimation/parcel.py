"""What all tasks of a batch share, on its way to other processes: once each where possible.

A process unpacks it once, so that a function of the user's stays the same object and is compiled
once. Small parcels travel with every task. Large ones go to every worker of a Dask cluster
beforehand, and through a file to a ``ProcessPoolExecutor``, whose workers share this machine; other
executors (MPI) get them with every task.
"""

import hashlib
import os
import pickle
import tempfile
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from nnecon.exceptions import SpecificationError

LARGE = 2**16
"""Bytes from which a parcel does not travel with every task."""

KEPT = 2
"""Parcels that a process keeps unpacked."""

_unpacked: dict[str, Any] = {}
_lock = threading.Lock()
_sent: "weakref.WeakKeyDictionary[Executor, Parcel]" = weakref.WeakKeyDictionary()


class Parcel:
    """A pickled object on its way; ``source`` is what tasks carry: bytes, a path or a future."""

    def __init__(self, digest: str, source: Any) -> None:
        self.digest, self.source = digest, source
        if isinstance(source, Path):
            weakref.finalize(self, source.unlink, missing_ok=True)


def send(thing: Any, executor: Executor) -> Parcel:
    """Bring something to where an executor's tasks can unpack it.

    It stays there as long as the parcel is alive, and as long as nothing else was sent.
    """
    content = pickled(thing)
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    known = _sent.get(executor)
    if known is None or known.digest != digest:
        known = _sent[executor] = Parcel(digest, _source(content, digest, executor))
    return known


def _source(content: bytes, digest: str, executor: Executor) -> Any:
    if len(content) < LARGE:
        return content
    if isinstance(executor, ProcessPoolExecutor):
        handle, path = tempfile.mkstemp(prefix="nnecon-", suffix=".parcel")
        with open(handle, "wb") as file:
            file.write(content)
        return Path(path)
    # an executor of Dask's, known by its client without importing distributed
    scatter: Callable[..., Any] | None = getattr(
        getattr(executor, "_client", None), "scatter", None
    )
    if scatter is None:
        return content
    name = f"nnecon-{digest}-{os.urandom(4).hex()}"
    try:
        return scatter({name: content}, broadcast=True, timeout=5)[name]
    except TimeoutError:
        # no worker yet: an adaptive cluster starts some once there are tasks
        return content


def unpack(digest: str, source: bytes | Path) -> Any:
    """The object itself, in the process that works with it."""
    with _lock:
        if digest not in _unpacked:
            content = source.read_bytes() if isinstance(source, Path) else source
            while len(_unpacked) >= KEPT:
                del _unpacked[next(iter(_unpacked))]
            _unpacked[digest] = pickle.loads(content)
        return _unpacked[digest]


def pickled(thing: Any) -> bytes:
    """Pickle, by cloudpickle where a function cannot be found by its name elsewhere."""
    problem: Exception | str = "a function of the script itself is not known to other processes"
    try:
        content = pickle.dumps(thing)
        if b"__main__" not in content:
            return content
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        content, problem = b"", error
    try:
        # comes with Dask; it sends functions by their code
        import cloudpickle
    except ImportError:
        if content:
            return content
        raise SpecificationError(
            f"executor= cannot send this problem to other processes ({problem}). Define functions "
            "at the top level of a module, or install cloudpickle."
        ) from None
    try:
        return cloudpickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SpecificationError(
            f"executor= cannot send this problem to other processes ({error}). Leave executor out, "
            "or pass functions that hold no files, locks or connections."
        ) from error
