"""What benchmarks share: requirements beside what was measured, data, interleaved timing."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np


@dataclass(frozen=True, slots=True)
class Requirement:
    """What has to hold and what was measured, as ratio or in seconds.

    Parameters
    ----------
    what : str
        A line for the table.
    measured, bound : float
        Measured ratio (or seconds) and the bound on it.
    at_least : bool
        Whether the bound is one from below.
    detail : str
        The medians behind the ratio, with units.
    unit : str
        Empty for a ratio.
    """

    what: str
    measured: float
    bound: float
    at_least: bool
    detail: str
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the measured number keeps to the bound."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def cells(self) -> tuple[str, str, str, str, str]:
        """The table's cells: what, target, measured, met, detail."""
        sign = "at least" if self.at_least else "at most"
        return (
            self.what,
            f"{sign} {self.bound:g}{self.unit}",
            f"{self.measured:.3g}{self.unit}",
            "yes" if self.met else "NO",
            self.detail,
        )


def show(requirements: Sequence[Requirement]) -> None:
    """Print one line a requirement."""
    for what, target, measured, met, detail in (r.cells() for r in requirements):
        print(f"{what}\n    {measured} ({target}: {met}); {detail}", flush=True)


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    begin = perf_counter()
    run()
    return perf_counter() - begin


def interleaved(
    runs: dict[str, Callable[[int], float]], repeats: int, say: str = "s"
) -> dict[str, list[float]]:
    """Numbers of each run, called in turn so that what disturbs one disturbs all."""
    numbers: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats):
        for name, run in runs.items():
            numbers[name].append(run(repeat))
        line = ", ".join(f"{name} {values[-1]:.4g} {say}" for name, values in numbers.items())
        print(f"repeat {repeat}: {line}", flush=True)
    return numbers


def medians(numbers: dict[str, list[float]]) -> dict[str, float]:
    """Median of each run."""
    return {name: statistics.median(values) for name, values in numbers.items()}


def median_ratio(first: Sequence[float], second: Sequence[float]) -> float:
    """Ratio of the medians."""
    return statistics.median(first) / statistics.median(second)


def small_data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (1000, 8) and target (1000,), standardised: smooth, with an interaction and noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1000, 8))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 3] ** 2 / 2 + 0.3 * x[:, 4]
    y = y + 0.3 * rng.standard_normal(1000)
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


def large_data(n: int, width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, width) and target (n,), single precision."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, width), dtype=np.float32)
    noise = rng.standard_normal(n, dtype=np.float32)
    return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + np.float32(0.3) * noise
