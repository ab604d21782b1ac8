"""Memory that fits on streams take, measured in processes of their own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

COLUMNS = [*(f"x{j}" for j in range(20)), "y"]

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc, as on Linux"
)

# The kernel's peak (VmHWM) and not getrusage: ru_maxrss of a child begins at its parent's.
FIT = """
import sys
import numpy as np
import pandas as pd
import nnecon as ne

def memory(kind):
    with open("/proc/self/status") as status:
        found = next(line for line in status if line.startswith(kind))
    return int(found.split()[1]) * 1024

def frame_of(path):
    return pd.DataFrame(np.load(path), columns=columns, copy=False)

def fit(path):
    source = path if kind == "parquet" else frame_of(path)
    formula = "y ~ " + " + ".join(columns[:-1])
    model = ne.NeuralRegression.from_formula(
        formula, ne.Stream.of(source), hidden=(64,), activation="relu"
    )
    results = model.fit(method=ne.Adam(epochs=1, batch_size=1024), memory=int(budget))
    results.average_effects()
    return results.nobs

kind, budget, path, *first = sys.argv[1:]
columns = [*(f"x{j}" for j in range(20)), "y"]
for small in first:
    fit(small)
before = memory("VmRSS")
nobs = fit(path)
print(nobs, memory("VmHWM") - before)
"""


def write_rows(folder, kind, n):
    """Rows in a file, made and written piece by piece."""
    rng = np.random.default_rng(0)
    path = folder / f"{n}.{'parquet' if kind == 'parquet' else 'npy'}"
    size = min(n, 50_000)
    if kind == "parquet":
        from pyarrow import Table, parquet

        writer = None
        for _ in range(n // size):
            part = Table.from_pydict(dict(zip(COLUMNS, rows(rng, size).T, strict=True)))
            writer = writer or parquet.ParquetWriter(path, part.schema)
            writer.write_table(part)
        writer.close()
    else:
        held = np.lib.format.open_memmap(path, "w+", shape=(n, len(COLUMNS)))
        for at in range(0, n, size):
            held[at : at + size] = rows(rng, size)
        held.flush()
    return str(path)


def rows(rng, n):
    values = rng.normal(size=(n, len(COLUMNS)))
    values[:, 20] = np.sin(2 * values[:, 0]) + values[:, 1] * values[:, 2] + 0.3 * values[:, 20]
    return values


def times_the_data(kind, budget, n, *files):
    """Peak of a process less what it held before, over the bytes of the data as float64.

    The first file is measured, after fits on the others.
    """
    done = subprocess.run(
        [sys.executable, "-c", FIT, kind, str(budget), *files],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    nobs, more = map(float, done.stdout.split())
    assert nobs == n
    return more / (n * len(COLUMNS) * 8)


def test_a_compiled_fit_takes_less_than_three_times_the_data(tmp_path):
    # the first fit loads libraries and compiles, which takes more than 200,000 rows do
    small = write_rows(tmp_path, "parquet", 100_000)
    large = write_rows(tmp_path, "parquet", 200_000)
    assert times_the_data("parquet", 2**28, 200_000, large, small) < 3.0


@pytest.mark.slow
@pytest.mark.parametrize("budget", [2**28, 0])
@pytest.mark.parametrize("kind", ["parquet", "frame"])
def test_a_million_rows_take_less_than_three_times_the_data(tmp_path, kind, budget):
    # all that comes after the import counts: the frame, the compiler and what it makes
    path = write_rows(tmp_path, kind, 1_000_000)
    assert times_the_data(kind, budget, 1_000_000, path) < 3.0
