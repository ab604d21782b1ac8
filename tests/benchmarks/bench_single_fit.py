"""One fit, to the objective that the peer reaches: scikit-learn's L-BFGS and R's nnet.

    python tests/benchmarks/bench_single_fit.py --repeats 5

Data as in ``bench_path.py``; 16 hidden units, no linear part, one penalty near the best of its
cross-validation. The peer runs from a random start, 1,000 iterations at most. nnecon's engine
solves the peer's own problem, from random starts of its own, one after the other, until it is where
the peer is; all of these solves count, with their certificates. The problems, in these units:

    scikit-learn   tanh, mean squared residual / 2 + alpha / 2 * sum of squared weights (no biases)
    nnet           logistic, the same with all biases

Data are standardised beforehand for all.
"""

import argparse
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from measure import Requirement, median_ratio, medians, show, small_data
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Chain, Objective, Options
from nnecon.nets import Dense

UNITS, ITERATIONS, RESTARTS = 16, 1000, 50
OPTIONS = Options(1e-6, 1e-8, first=ITERATIONS, later=ITERATIONS, rough=True)

NNET = """
library(nnet)
arguments <- commandArgs(TRUE)
data <- as.matrix(read.csv(arguments[1], header = FALSE))
set.seed(as.integer(arguments[3]))
x <- data[, -1]; y <- data[, 1]
decay <- as.numeric(arguments[2]) * length(y)
used <- system.time(
  fit <- nnet(x, y, size = {units}, decay = decay, linout = TRUE, maxit = {iterations},
              MaxNWts = 10000, trace = FALSE)
)
cat(sprintf("%.17g", c(used[["elapsed"]], fit$value / (2 * length(y)))))
"""


def own(x, y, alpha: float, target: float, peer: str, seed: int) -> tuple[float, int]:
    """Seconds until the peer's objective is reached, and how many solves that took."""
    begin = perf_counter()
    network = Dense(1, x.shape[1], (UNITS,), "logistic" if peer == "nnet" else "tanh")
    penalised = np.ones(network.n_params)
    if peer == "scikit-learn":
        penalised[: network.n_linear] = penalised[network.layers[0].bias] = 0.0
    inputs = np.column_stack([np.ones(len(y)), x])
    objective = Objective(network, inputs, y, Ridge(penalised))
    starts = np.random.default_rng([seed, 1])
    for solves in range(1, RESTARTS + 1):
        chain = Chain.single(np.ones(len(y)), network.init(starts), alpha)
        (solution,) = solve(objective, [chain], SOLVERS["lm"], OPTIONS)
        if solution.objective <= target * (1 + 1e-6):
            return perf_counter() - begin, solves
    raise RuntimeError(f"{peer}'s objective {target} was not reached in {RESTARTS} solves")


def scikit_learn(x, y, alpha: float, seed: int) -> tuple[float, float]:
    """Seconds and objective of scikit-learn, whose penalty is divided by the number of rows."""
    peer = MLPRegressor(
        hidden_layer_sizes=(UNITS,),
        activation="tanh",
        solver="lbfgs",
        alpha=alpha * len(y),
        max_iter=ITERATIONS,
        max_fun=100 * ITERATIONS,
        random_state=seed,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = perf_counter()
        peer.fit(x, y)
        return perf_counter() - begin, peer.loss_


def nnet(x, y, alpha: float, seed: int) -> tuple[float, float]:
    """Seconds inside R, without its start-up, and objective of nnet."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "data.csv", Path(folder) / "fit.R"
        np.savetxt(data, np.column_stack([y, x]), delimiter=",", fmt="%.17g")
        script.write_text(NNET.format(units=UNITS, iterations=ITERATIONS))
        command = ["Rscript", "--vanilla", str(script), str(data), repr(alpha), str(seed)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used, value = map(float, printed.split())
    return used, value


def measure(repeats: int, alpha: float = 1e-3) -> list[Requirement]:
    """Ratio of seconds to each peer that is installed."""
    peers = {"scikit-learn": scikit_learn}
    if shutil.which("Rscript"):
        peers["nnet"] = nnet
    else:
        print("R is not installed: nnet is not measured")
    for name in peers:
        own(*small_data(0), alpha, np.inf, name, seed=0)  # compile
    found = []
    for name, peer in peers.items():
        times: dict[str, list[float]] = {"nnecon": [], name: []}
        for seed in range(repeats):
            x, y = small_data(seed)
            used, target = peer(x, y, alpha, seed)
            mine, solves = own(x, y, alpha, target, name, seed)
            times["nnecon"].append(mine)
            times[name].append(used)
            print(
                f"rng {seed}: {name} {used:.3f} s to {target:.5f}; nnecon {mine:.3f} s, "
                f"{solves} solve(s)",
                flush=True,
            )
        middle = medians(times)
        found.append(
            Requirement(
                f"One fit to the objective of {name} after {ITERATIONS} iterations: time",
                median_ratio(times["nnecon"], times[name]),
                0.5,
                False,
                f"nnecon {middle['nnecon']:.3f} s, {name} {middle[name]:.3f} s",
            )
        )
    return found


def main() -> None:
    """Print a line a repeat and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--alpha", type=float, default=1e-3)
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.alpha))


if __name__ == "__main__":
    main()
