"""What a fresh process waits for: imports, and the first fit with a warm compilation cache.

    python tests/benchmarks/bench_cold_start.py --repeats 9

Every number is from a process of its own. The fit is timed inside, after the imports, loading the
data included; the cache is a temporary folder that one process before has filled.
"""

import argparse
import os
import subprocess
import sys
import tempfile

from measure import Requirement, interleaved, median_ratio, medians, show

FIT = """
from time import perf_counter
import nnecon as ne
begin = perf_counter()
model = ne.NeuralRegression.from_formula(
    "growth ~ lag(growth, 1, 2) + lag(unemp, 1)", ne.datasets.load_macro(), hidden=(8,)
)
model.fit(alpha=0.05)
print(perf_counter() - begin)
"""

IMPORT = """
from time import perf_counter
begin = perf_counter()
import {}
print(perf_counter() - begin)
"""


def process(program: str, cache: str) -> float:
    """Seconds that a program in a process of its own prints."""
    environment = {**os.environ, "NNECON_CACHE": cache}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure(repeats: int) -> list[Requirement]:
    """Ratio of import times, and seconds of the fit."""
    with tempfile.TemporaryDirectory() as cache:
        process(FIT, cache)
        runs = {
            "import nnecon": lambda _: process(IMPORT.format("nnecon"), cache),
            "import statsmodels.api, jax": lambda _: process(
                IMPORT.format("statsmodels.api, jax"), cache
            ),
            "fit, warm cache": lambda _: process(FIT, cache),
            "fit, no cache": lambda _: process(FIT, "off"),
        }
        times = interleaved(runs, repeats)
    middle = medians(times)
    return [
        Requirement(
            "import nnecon against importing statsmodels.api and jax: time",
            median_ratio(times["import nnecon"], times["import statsmodels.api, jax"]),
            1.15,
            False,
            " s against ".join(f"{middle[name]:.2f}" for name in list(middle)[:2]) + " s",
        ),
        Requirement(
            "A fit in a fresh process, warm cache, after imports",
            middle["fit, warm cache"],
            1.0,
            False,
            f"without a cache {middle['fit, no cache']:.2f} s",
            " s",
        ),
    ]


def main() -> None:
    """Print a line a repeat, the ratio and the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    show(measure(parser.parse_args().repeats))


if __name__ == "__main__":
    main()
