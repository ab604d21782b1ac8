"""A progress bar for problems that are solved."""

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from nnecon.estimation.execution import Progress

PATIENCE = 2.0
"""Seconds after which a bar appears that was not asked for."""


@contextmanager
def progress_bar(shown: bool | None, what: str = "Estimating") -> Iterator[Progress]:
    """Bar that counts solved problems; with None it is shown in a terminal where a fit is slow."""
    with tqdm(
        desc=what,
        unit="problem",
        disable=None if shown is None else not shown,
        delay=PATIENCE if shown is None else 0.0,
        leave=False,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}",
    ) as bar:

        def report(done: float, total: int) -> None:
            if total != bar.total:
                bar.reset(total)
            bar.update(done - bar.n)

        yield report
