"""Solve a batch of problems: the one place that owns threads and the choice of a solver."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from nnecon.estimation.kernels import CERTIFIED, certificate
from nnecon.estimation.problem import FAST, PATIENT, Chain, Objective, Options, Solution, Trace
from nnecon.estimation.solvers.lbfgs import lbfgs
from nnecon.estimation.solvers.levenberg_marquardt import levenberg_marquardt
from nnecon.exceptions import SpecificationError

LANES = 8
"""Chains that share one compiled call; fixed, so that results do not depend on the threads."""

Progress = Callable[[int, int], None]
"""Called with the number of chains done and of all chains."""


class Solver(NamedTuple):
    """An algorithm and how many chains it wants at a time."""

    name: str
    run: Callable[[Objective, list[Chain], Options], list[Trace]]
    lanes: int


SOLVERS = {
    "lm": Solver("Levenberg-Marquardt", levenberg_marquardt, LANES),
    "lbfgs": Solver("L-BFGS", lbfgs, 1),
}


def choose_solver(method: str, n_obs: int, n_params: int) -> Solver:
    """Solver for a method's name; ``"auto"`` takes second-order steps unless they grow too large.

    A Levenberg-Marquardt step costs about ``n k^2`` operations and ``n k`` numbers.
    """
    if method == "auto":
        small = n_params <= 600 and n_obs * n_params <= 5_000_000
        method = "lm" if small else "lbfgs"
    if method not in SOLVERS:
        known = ", ".join(repr(name) for name in ["auto", *SOLVERS])
        raise SpecificationError(f"method={method!r} is not known; choose one of {known}.")
    return SOLVERS[method]


def estimate(
    objective: Objective,
    chains: Sequence[Chain],
    solver: Solver,
    options: Options = FAST,
    progress: Progress | None = None,
) -> list[Trace]:
    """Solve every chain; threads work across groups of chains with one BLAS thread inside.

    Groups are formed from the order of ``chains`` alone, so that the numbers are the same for any
    number of threads.
    """
    groups = [chains[at : at + solver.lanes] for at in range(0, len(chains), solver.lanes)]
    traces: list[Trace] = []
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(lambda group: solver.run(objective, list(group), options), groups):
            traces += done
            if progress is not None:
                progress(len(traces), len(chains))
    return traces


def solve(
    objective: Objective, chains: Sequence[Chain], solver: Solver, options: Options = PATIENT
) -> list[Solution]:
    """Solve single problems as far as rounding allows and certify the solutions."""
    traces = estimate(objective, chains, solver, options)
    return [
        certify(objective, trace.params[-1], chain, solver.name, int(trace.iterations.sum()))
        for chain, trace in zip(chains, traces, strict=True)
    ]


def certify(
    objective: Objective, params: np.ndarray, chain: Chain, method: str, iterations: int
) -> Solution:
    """A solution with its certificate, computed from the parameters alone."""
    alpha = float(chain.alphas[-1])
    loss, penalty, relative = certificate(objective, params, chain.weights, alpha)
    converged = bool(relative < CERTIFIED)
    if converged:
        status = f"Converged: relative gradient norm {relative:.1e} is under {CERTIFIED:.0e}."
    else:
        status = (
            f"Did not converge in {iterations} iterations: relative gradient norm {relative:.1e} "
            f"is not under {CERTIFIED:.0e}."
        )
    value = loss + alpha * penalty if np.isfinite(alpha) else loss
    return Solution(
        params, alpha, value, loss, penalty, relative, converged, iterations, method, status
    )
