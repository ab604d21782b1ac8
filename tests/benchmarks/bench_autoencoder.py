"""Autoencoders of panels: the path on FRED-MD, and an epoch in mini-batches beside PyTorch.

    python tests/benchmarks/bench_autoencoder.py fred-md.csv --repeats 5

FRED-MD from 1960 to 2019, 8 factors, 8 tanh units each way: path of ten penalties, four starts,
five folds, everything that ``fit`` does, in a process that has compiled nothing yet and in the same
one again. Without a file this part is left out.

100,000 rows of 100 series in single precision, 8 factors, 32 tanh units each way, batches of 256,
Adam. PyTorch has the same layers on the same 32 scores, without missing values, penalty or
orthogonal directions, which nnecon's objective has: tensors indexed by a permutation, the fused
optimiser, one thread and two, eagerly and compiled; the fastest of them counts. What is four times
as slow as the fastest on the first batches, as two threads are on a busy machine, is not repeated.
Neither side's time has the data's layout or the compilation in it. Runs take turns, medians count.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Requirement, interleaved, median_ratio, medians, seconds, show

import nnecon as ne
from nnecon.estimation.autoencoder_batches import KnownCells
from nnecon.estimation.blockwise import single_precision
from nnecon.estimation.execution import Monitor
from nnecon.estimation.solvers.minibatch import SampleTraining
from nnecon.estimation.solvers.minibatch_steps import compiled
from nnecon.nets.autoencoder import Autoencoder
from nnecon.nets.whole_autoencoder import WholeAutoencoder

ROWS, SERIES, SCORES, FACTORS, UNITS, BATCH = 100_000, 100, 32, 8, 32, 256
LIMIT = 30.0


def scores_and_series(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, 32) and series (n, 100) that bend with eight of them."""
    g = np.random.default_rng(0)
    u = g.standard_normal((n, SCORES), dtype=np.float32)
    a, b = g.standard_normal((2, FACTORS, SERIES), dtype=np.float32)
    f = u[:, :FACTORS]
    x = f @ a + np.sin(2 * f) @ b + g.standard_normal((n, SERIES), dtype=np.float32)
    return u, x / x.std(axis=0)


def own_epoch(u: np.ndarray, x: np.ndarray) -> Callable[[], None]:
    """A function that runs one epoch of nnecon, the data laid out beforehand."""
    network = Autoencoder(SCORES, FACTORS, (UNITS,), (UNITS,), "tanh")
    whole = WholeAutoencoder(network, SERIES)
    g = np.random.default_rng(0)
    start = whole.join(
        network.init(g, np.eye(SCORES, FACTORS)),
        0.1 * g.standard_normal((network.n_features, SERIES)),
    )
    training = ne.Adam(epochs=1, batch_size=BATCH)
    ridge, decay = 1e-3 * whole.penalised, np.zeros(whole.n_params)
    with single_precision():
        steps = compiled(whole, KnownCells(), tuple(range(SCORES)), training)
        course = SampleTraining(training, steps, u, x, np.ones(len(x)), [0], False)

    def epoch() -> None:
        with single_precision():
            course.train(0, ridge, decay, start, start, Monitor(), 1.0)

    return epoch


def torch_epoch(u: np.ndarray, x: np.ndarray, threads: int, fast: bool) -> Callable[..., None]:
    """A function that runs an epoch of PyTorch, or some rows of it, everything made beforehand."""
    import torch

    torch.manual_seed(0)
    scores, series = torch.from_numpy(u), torch.from_numpy(x)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.directions = torch.nn.Linear(SCORES, FACTORS, bias=False)
            self.encoder = torch.nn.Sequential(
                torch.nn.Linear(SCORES, UNITS),
                torch.nn.Tanh(),
                torch.nn.Linear(UNITS, FACTORS, bias=False),
            )
            self.decoder = torch.nn.Sequential(torch.nn.Linear(FACTORS, UNITS), torch.nn.Tanh())
            self.linear = torch.nn.Linear(FACTORS, SERIES)
            self.output = torch.nn.Linear(UNITS, SERIES, bias=False)

        def forward(self, rows):
            codes = self.directions(rows) + self.encoder(rows)
            return self.linear(codes) + self.output(self.decoder(codes))

    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), fused=True)

    def loss_of(rows, wanted):
        return 0.5 * torch.mean((network(rows) - wanted) ** 2)

    loss = torch.compile(loss_of) if fast else loss_of

    def epoch(some: int = len(series)) -> None:
        torch.set_num_threads(threads)
        order = torch.randperm(len(series))
        # the last batch is smaller and left out, so that compiled code sees one shape
        for at in range(0, some - BATCH + 1, BATCH):
            rows = order[at : at + BATCH]
            optimiser.zero_grad(set_to_none=True)
            loss(scores[rows], series[rows]).backward()
            optimiser.step()

    return epoch


def epochs(repeats: int, rows: int = ROWS, fast: bool = True) -> list[Requirement]:
    """Rows a second of one epoch beside the fastest of PyTorch's."""
    u, x = scores_and_series(rows)
    own = own_epoch(u, x)
    if not importlib.util.find_spec("torch"):
        print("PyTorch is not installed and not measured")
        return []
    peers: dict[str, Callable[..., None]] = {}
    for threads in sorted({1, os.cpu_count() or 1}):
        for kind in ("PyTorch", "PyTorch, compiled")[: 1 + fast]:
            name = f"{kind}, {threads} thread{'s' * (threads > 1)}"
            peers[name] = torch_epoch(u, x, threads, kind != "PyTorch")
    first = seconds(own)
    some = 20 * BATCH
    for run in peers.values():
        run(some)
    trial = {name: seconds(lambda r=run: r(some)) for name, run in peers.items()}
    for name, taken in trial.items():
        print(f"{name}: {1e3 * taken:.0f} ms for {some:,} rows", flush=True)
    least = min(trial.values())
    runs = {"nnecon": own} | {name: peers[name] for name in peers if trial[name] < 4 * least}
    left_out = [name for name in peers if name not in runs]
    timed = {name: lambda _, run=run: rows / seconds(run) / 1e6 for name, run in runs.items()}
    speeds = interleaved(timed, repeats, "million rows/s")
    middle = medians(speeds)
    faster = max((name for name in middle if name != "nnecon"), key=lambda name: middle[name])
    each = ", ".join(f"{name} {rows / value / 1e6:.3f} s" for name, value in middle.items())
    return [
        Requirement(
            f"An epoch of an autoencoder, {rows:,} rows of {SERIES}: speed against {faster}",
            median_ratio(speeds["nnecon"], speeds[faster]),
            1.0,
            True,
            f"{each}{'; slower by far: ' if left_out else ''}{', '.join(left_out)}; first epoch "
            f"of nnecon, compilation included, {first:.1f} s",
        )
    ]


def whole_fit() -> None:
    """Print seconds of everything that a fit of twenty epochs does, and of the same again."""
    _, x = scores_and_series(ROWS)
    model = ne.AutoencoderFactor(x.astype(float), FACTORS, hidden=UNITS)
    method = ne.Adam(learning_rate=0.01, epochs=20)
    taken = [seconds(lambda: model.fit(alpha=1e-3, n_starts=1, method=method)) for _ in range(2)]
    print(f"fit(alpha=.001, n_starts=1) with 20 epochs: {taken[0]:.1f} s, again {taken[1]:.1f} s")


def path_on(file: str) -> None:
    """Print seconds of path and cross-validation on a FRED-MD file, twice."""
    sample = ne.datasets.read_fred_md(file).loc["1960":"2019"]
    model = ne.AutoencoderFactor(sample, FACTORS, hidden=8)
    print(*(seconds(lambda: model.fit(progress=False)) for _ in range(2)))


def path(file: str, repeats: int) -> list[Requirement]:
    """Path and cross-validation on FRED-MD, each in a process with an empty cache."""
    first, again = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", __file__, file, "--path-only"],
                env={**os.environ, "NNECON_CACHE": cache},
                capture_output=True,
                text=True,
                check=True,
            )
        taken = [float(each) for each in done.stdout.split()]
        print(f"FRED-MD: {taken[0]:.1f} s, again {taken[1]:.1f} s", flush=True)
        first.append(taken[0])
        again.append(taken[1])
    return [
        Requirement(
            "FRED-MD, 8 factors, one hidden layer each way: path and cross-validation",
            float(np.median(first)),
            LIMIT,
            False,
            f"again in the same process {np.median(again):.1f} s",
            " s",
        )
    ]


def measure(
    repeats: int, file: Path | None = None, rows: int = ROWS, fast: bool = True
) -> list[Requirement]:
    """Both parts; the path where there is a file of FRED-MD."""
    found = epochs(max(repeats, 5), rows, fast)
    if file is None:
        print("no file of FRED-MD was given: its path is not measured")
        return found
    return [*path(str(file), min(repeats, 3)), *found]


def main() -> None:
    """Print a line a repeat and the requirements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="FRED-MD in its official format")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--no-compile", action="store_true", help="PyTorch without torch.compile")
    parser.add_argument("--path-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.path_only:
        path_on(str(arguments.file))
        return
    found = measure(arguments.repeats, arguments.file, arguments.rows, not arguments.no_compile)
    whole_fit()
    show(found)


if __name__ == "__main__":
    main()
