"""One epoch of Adam on a million rows: scikit-learn, PyTorch and nnecon.

    python tests/benchmarks/bench_adam.py --repeats 5

1,000,000 rows of 20 standard normal inputs in single precision, 64 relu units, batches of 1,024.
scikit-learn's ``fit`` with one iteration; PyTorch permutes the data and runs a loop with the fused
optimiser, eagerly and compiled; nnecon's engine solves one problem, its certificate included. The
first epoch of each is not counted (compilation, memory); of PyTorch's two the faster one counts.
"""

import argparse
import importlib.util
import os
import warnings
from collections.abc import Callable

import numpy as np
from measure import Requirement, interleaved, large_data, median_ratio, medians, seconds, show
from sklearn.neural_network import MLPRegressor

import nnecon as ne
from nnecon.estimation.estimate import estimate
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Chain, Objective
from nnecon.estimation.rows import Rows
from nnecon.estimation.solvers.minibatch import solver_for
from nnecon.nets import Dense

ROWS, UNITS, BATCH = 1_000_000, 64, 1024


def own_epoch(x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """A function that runs one epoch of nnecon, the data laid out beforehand."""
    network = Dense(1, x.shape[1], (UNITS,), "relu")
    rows = Rows.of(np.column_stack([np.ones(len(y), x.dtype), x]))
    objective = Objective(network, rows, y, Ridge(network.penalised))
    start = network.init(np.random.default_rng(0))
    chain = Chain.single(np.ones(len(y)), start, 0.0)
    solver = solver_for(ne.Adam(epochs=1, batch_size=BATCH))

    def epoch() -> None:
        estimate(objective, [chain], solver)

    return epoch


def scikit_learn(x: np.ndarray, y: np.ndarray) -> None:
    """One epoch of scikit-learn."""
    peer = MLPRegressor(
        hidden_layer_sizes=(UNITS,), solver="adam", max_iter=1, batch_size=BATCH, alpha=0.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(x, y)


def torch_epoch(x: np.ndarray, y: np.ndarray, compiled: bool) -> Callable[[], None]:
    """A function that runs one epoch of PyTorch, model and optimiser made beforehand."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    inputs, target = torch.from_numpy(x), torch.from_numpy(y)
    network = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, 1)
    )
    optimiser = torch.optim.Adam(network.parameters(), fused=True)

    def loss_of(rows, wanted):
        return 0.5 * torch.mean((network(rows)[:, 0] - wanted) ** 2)

    loss = torch.compile(loss_of) if compiled else loss_of

    def epoch() -> None:
        order = torch.randperm(len(target))
        rows, wanted = inputs[order], target[order]
        # the last batch is smaller and left out, so that compiled code sees one shape
        for at in range(0, len(target) - BATCH + 1, BATCH):
            optimiser.zero_grad(set_to_none=True)
            loss(rows[at : at + BATCH], wanted[at : at + BATCH]).backward()
            optimiser.step()

    return epoch


def measure(repeats: int, rows: int = ROWS, compiled: bool = True) -> list[Requirement]:
    """Ratio of rows a second to each peer that is installed."""
    x, y = large_data(rows)
    runs: dict[str, Callable[[], None]] = {
        "nnecon": own_epoch(x, y),
        "scikit-learn": lambda: scikit_learn(x, y),
    }
    if importlib.util.find_spec("torch"):
        runs["PyTorch"] = torch_epoch(x, y, compiled=False)
        if compiled:
            runs["PyTorch, compiled"] = torch_epoch(x, y, compiled=True)
    else:
        print("PyTorch is not installed and not measured")
    for name, run in runs.items():
        print(f"{name}: first epoch {seconds(run):.2f} s", flush=True)
    timed = {name: lambda _, run=run: rows / seconds(run) / 1e6 for name, run in runs.items()}
    speeds = interleaved(timed, repeats, "million rows/s")
    middle = medians(speeds)
    both = [name for name in middle if name.startswith("PyTorch")]
    faster = max(both, key=lambda name: middle[name], default=None)
    bounds = {"scikit-learn": 2.0} | ({faster: 1.0} if faster else {})
    return [
        Requirement(
            f"One Adam epoch, {rows:,} rows: speed against {name}",
            median_ratio(speeds["nnecon"], speeds[name]),
            bound,
            True,
            f"million rows/s: nnecon {middle['nnecon']:.3g}, {name} {middle[name]:.3g}",
        )
        for name, bound in bounds.items()
    ]


def main() -> None:
    """Print a line a repeat and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--no-compile", action="store_true", help="PyTorch without torch.compile")
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.rows, not arguments.no_compile))


if __name__ == "__main__":
    main()
