"""What a worker process does: read a task, solve it, write the result, until its parent is gone.

It runs without the package's front door (``nnecon/__init__``), so that neither pandas nor
statsmodels is imported; see :mod:`nnecon.estimation.companion`.
"""

import os
import pickle
import signal
import sys
import threading
import time
from typing import Any

from nnecon.estimation.execution import Monitor, one_blas_thread

IDLE = 300.0
"""Seconds without a task after which the process leaves."""


def serve() -> None:
    """Answer tasks from standard input on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # what else is printed must not get between the answers
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    since = [time.monotonic()]
    threading.Thread(target=_leave_when_idle, args=(since,), daemon=True).start()
    work: Any = None
    with one_blas_thread():
        _write(answers, "ready")
        while True:
            try:
                shared, task = pickle.load(tasks)
            except EOFError:
                return
            since.clear()
            if shared is not None:
                work = pickle.loads(shared)
            # an error ends the process; the parent does the task again and sees it at first hand
            _write(answers, work(*task, Monitor()) if task else None)
            since.append(time.monotonic())


def _write(answers, message) -> None:
    pickle.dump(message, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _leave_when_idle(since: list[float]) -> None:
    while True:
        time.sleep(IDLE / 10)
        if since and time.monotonic() - since[0] > IDLE:
            os._exit(0)
