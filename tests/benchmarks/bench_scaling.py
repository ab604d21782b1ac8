"""Time against the number of rows, from a thousand to a million, and a figure.

    python tests/benchmarks/bench_scaling.py --repeats 5 --figure docs/images/benchmark_scaling.png

8 inputs, 16 tanh units beside the linear part, one penalty, one start, the method that nnecon
chooses. What is required is that a thousand times the rows take at most a thousand times as long.
"""

import argparse
import statistics
import warnings
from pathlib import Path

import numpy as np
from measure import Requirement, interleaved, large_data, seconds, show

import nnecon as ne

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
UNITS, INPUTS, ALPHA = 16, 8, 1e-3


def own(x: np.ndarray, y: np.ndarray) -> str:
    """Fit; the method that was used."""
    exog = np.column_stack([np.ones(len(y), x.dtype), x])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.exceptions.ConvergenceWarning)
        model = ne.NeuralRegression(y, exog, hidden=(UNITS,))
        results = model.fit(alpha=ALPHA, alphas=[ALPHA], n_starts=1)
    return results.solution.method


def times(repeats: int, sizes: tuple[int, ...]) -> tuple[list[float], list[str]]:
    """Median seconds and method at each number of rows."""
    x, y = large_data(sizes[-1], INPUTS)
    methods = [own(x[:n], y[:n]) for n in sizes]  # compile
    runs = {f"{n:,}": lambda _, n=n: seconds(lambda: own(x[:n], y[:n])) for n in sizes}
    found = interleaved(runs, repeats)
    return [statistics.median(values) for values in found.values()], methods


def draw(sizes: tuple[int, ...], used: list[float], methods: list[str], path: Path) -> None:
    """Write the figure: both axes logarithmic, with a line of slope one."""
    # not needed where only the ratio is asked for
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    n, t = np.array(sizes, float), np.array(used)
    axes.loglog(n, t[0] * n / n[0], color="0.6", linestyle="--", label="proportional to rows")
    for method, marker in zip(dict.fromkeys(methods), "osD^v", strict=False):
        here = np.array([each == method for each in methods])
        axes.loglog(n[here], t[here], marker=marker, linestyle="", color="C0", label=method)
    axes.loglog(n, t, color="C0", linewidth=1)
    axes.set_xlabel("Rows")
    axes.set_ylabel("Seconds a fit (median)")
    axes.set_title(f"{INPUTS} inputs, {UNITS} tanh units, one penalty, one start", fontsize=10)
    axes.legend(frameon=False)
    axes.grid(True, which="major", color="0.9")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def measure(
    repeats: int, sizes: tuple[int, ...] = SIZES, figure: Path | None = None
) -> list[Requirement]:
    """Largest ratio of time to rows, both relative to the smallest sample."""
    used, methods = times(repeats, sizes)
    if figure is not None:
        draw(sizes, used, methods, figure)
    growth = max(
        t / used[0] / (n / sizes[0]) for t, n in zip(used, sizes, strict=True) if n > sizes[0]
    )
    slopes = np.diff(np.log(used)) / np.diff(np.log(sizes))
    listed = ", ".join(f"{n:.0e}: {t:.2f} s" for n, t in zip(sizes, used, strict=True))
    return [
        Requirement(
            f"Time from {sizes[0]:,} to {sizes[-1]:,} rows, relative to linear growth",
            growth,
            1.0,
            False,
            f"{listed}; steepest slope between neighbours {slopes.max():.2f}",
        )
    ]


def main() -> None:
    """Print the times and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="most rows")
    parser.add_argument("--figure", type=Path, help="file to draw to")
    arguments = parser.parse_args()
    sizes = tuple(n for n in SIZES if n <= arguments.largest)
    show(measure(arguments.repeats, sizes, arguments.figure))


if __name__ == "__main__":
    main()
