"""Room for compiled functions: a process that compiles for hours must not die of it.

XLA maps each compiled function into memory in some thirty pieces, and Linux gives a process 65,530
of them by default (``vm.max_map_count``). Beyond that the compiler ends the process with a
segmentation fault. A backtest whose samples grow meets a new shape at every origin and comes there
after some hundred refits; :func:`make_room` forgets what was compiled when half of the limit is
used. Functions that are needed again are compiled again, or read from disk.
"""

import gc
import threading
import weakref
from pathlib import Path
from typing import Protocol

import jax

_MAPPINGS = Path("/proc/self/maps")
_LIMIT = Path("/proc/sys/vm/max_map_count")
_SHARE = 0.5
_EVERY = 32
_lock = threading.Lock()
_compiled = 0


class Forgetful(Protocol):
    """What holds compiled functions and can do without."""

    def forget(self) -> None:
        """Drop what was compiled."""
        ...


holders: "weakref.WeakSet[Forgetful]" = weakref.WeakSet()
"""All that keep compiled functions."""


def mappings() -> int:
    """Memory mappings of this process; 0 where the system does not say."""
    try:
        with _MAPPINGS.open("rb") as lines:
            return sum(1 for _ in lines)
    except OSError:
        return 0


def limit() -> int | None:
    """Memory mappings that a process may have; None where there is no such limit."""
    try:
        return int(_LIMIT.read_text())
    except OSError:
        return None


def count_compilation() -> None:
    """Say that something is about to be compiled; now and then this makes room."""
    global _compiled
    with _lock:
        _compiled += 1
        due = _compiled % _EVERY == 0
    if due:
        make_room()


def make_room(share: float = _SHARE) -> bool:
    """Forget all compiled functions where more than a share of the mappings is used.

    Parameters
    ----------
    share : float
        Share of the system's limit, between 0 and 1.

    Returns
    -------
    bool
        Whether anything was forgotten.
    """
    most = limit()
    if most is None or mappings() < share * most:
        return False
    for holder in list(holders):
        holder.forget()
    jax.clear_caches()
    gc.collect()
    return True
