"""A recurrent state-space model of monthly data: a fit from eight starts, and one evaluation.

    python tests/benchmarks/bench_state_space.py --repeats 3

780 months of three simulated series (a smooth-transition vector autoregression), eight tanh states
beside a VAR(1), 138 parameters. Every fit is in a process of its own and timed after imports, from
the data to the results; seconds of the processor are told beside those of the clock, as the former
say more on a machine that does other things. The likelihood with its score is compared with the
forward recursion of the states in NumPy, in turn in one process, by the least of the times.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from measure import Requirement, interleaved, medians, seconds, show

import nnecon as ne

ALPHAS = (0.05, 0.003)
LIMIT, RATIO = 20.0, 3.0


def data(n: int = 780, seed: int = 0) -> pd.DataFrame:
    """Monthly series (n, 3) of a smooth-transition vector autoregression."""
    rng = np.random.default_rng(seed)
    move = np.array([[0.5, 0.1, 0.0], [0.1, 0.4, 0.1], [0.0, 0.2, 0.6]])
    root = np.linalg.cholesky(np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.0]]))
    y = np.zeros((n + 100, 3))
    for t in range(1, n + 100):
        share = 1.0 / (1.0 + np.exp(-2.0 * y[t - 1, 0]))
        bend = 0.5 * np.array([0.0, 1.0, -1.0]) * np.tanh(2.0 * y[t - 1, 1])
        y[t] = (1.0 - 0.8 * share) * (move @ y[t - 1]) + bend + root @ rng.normal(size=3)
    index = pd.period_range("1960-01", periods=n, freq="M")
    return pd.DataFrame(y[100:], columns=list("abc"), index=index)


def model() -> ne.RNNStateSpace:
    """The model that is timed."""
    return ne.RNNStateSpace(data(), k_states=8, linear_lags=1, stable=True)


def one_fit(alpha: float) -> None:
    """Print seconds of the clock and of the processor."""
    begin, used = perf_counter(), process_time()
    results = model().fit(alpha=alpha, n_starts=8, progress=False)
    print(perf_counter() - begin, process_time() - used, results.estimate.fit.certificate)


def in_process(alpha: float, cache: str) -> tuple[float, float, float]:
    """Seconds of the clock and of the processor of a fit in a new process, and its certificate."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--fit", str(alpha)],
        env={**os.environ, "NNECON_CACHE": cache}, cwd=Path(__file__).parent,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wall, used, certificate = map(float, done.stdout.split())
    return wall, used, certificate


def forward(params: np.ndarray, own: ne.RNNStateSpace) -> np.ndarray:
    """States (n, k) by the recursion in NumPy, products with the data taken before it."""
    network, rows = own.network, own.sample.rows

    def block(name: str) -> np.ndarray:
        where, shape = network.blocks[name]
        return params[where].reshape(shape)

    transition = block("transition")
    entering = rows.past[:, 0] @ block("inputs").T + block("bias")
    states, state = np.empty_like(entering), np.zeros(network.n_states)
    for t, now in enumerate(entering):
        state = np.tanh(now + transition @ state)
        states[t] = state
    return states


def evaluation(repeats: int) -> Requirement:
    """Likelihood and score against the forward recursion."""
    own = model()
    params = own.units.to_standard(own.start_params)
    rows, k = own.sample.rows, own.network.n_params
    weights, none = np.full(len(rows.series), 1.0), np.zeros(k)
    given = params, params, np.arange(k), rows, weights, none, np.False_, np.False_

    def each(call) -> float:
        return seconds(lambda: [call() for _ in range(20)]) / 20.0

    runs = {
        "likelihood and score": lambda _: each(lambda: own.likelihood.objective(*given)),
        "forward in NumPy": lambda _: each(lambda: forward(params, own)),
    }
    for run in runs.values():
        run(0)
    times = interleaved(runs, max(repeats, 15))
    middle, least = medians(times), [min(each) for each in times.values()]
    # what disturbs only adds, and calls of a millisecond are disturbed most
    return Requirement(
        "State space, 780 months: likelihood and score against the forward recursion in NumPy",
        least[0] / least[1],
        RATIO,
        False,
        f"least times {1e3 * least[0]:.2f} ms against {1e3 * least[1]:.2f} ms; medians "
        + ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in middle.items()),
    )


def measure(repeats: int) -> list[Requirement]:
    """Seconds of fits with and without compiled functions on disk, and the ratio."""
    found = []
    with tempfile.TemporaryDirectory() as cache:
        in_process(ALPHAS[0], cache)
        for alpha in ALPHAS:
            for words, where in (("compiled before", cache), ("nothing compiled", "off")):
                runs = np.array([in_process(alpha, where) for _ in range(repeats)])
                wall, used, certificate = np.median(runs, axis=0)
                found.append(
                    Requirement(
                        f"State space, 780 months, 8 starts, penalty {alpha:g}, {words}",
                        wall,
                        LIMIT,
                        False,
                        f"processor {used:.1f} s, largest derivative {certificate:.0e}",
                        " s",
                    )
                )
    return [*found, evaluation(repeats)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fit", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit is not None:
        one_fit(arguments.fit)
    else:
        show(measure(arguments.repeats))
