"""Solve a batch of problems: the one function that paths, folds, starts and resamples go through.

A batch is a list of chains for one objective. It is cut into groups, and the groups are spread over
threads or an executor (:mod:`nnecon.estimation.execution`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnecon.estimation.execution import LOCAL, Execution, Monitor
from nnecon.estimation.kernels import CERTIFIED, certificate
from nnecon.estimation.problem import FAST, PATIENT, Chain, Objective, Options, Solution, Trace
from nnecon.estimation.solvers.lbfgs import lbfgs
from nnecon.estimation.solvers.levenberg_marquardt import levenberg_marquardt
from nnecon.estimation.solvers.proximal import proximal
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense

WORK = 2**17
"""Derivatives (rows x parameters x problems) that are worth a group of their own: small groups keep
all threads busy to the end, and a group costs some milliseconds to send and to keep."""

THREADED = 200_000
"""Rows times parameters from which short calls are long enough for a second thread to help: the
benchmark's path (160,000) took 8.1 s on one thread and 10.1 s on two, a problem of 350,000 4.5 and
3.1 ms a step."""

BESIDE = 5_000_000
"""Rows times parameters up to which worker processes take part: they need memory of their own."""

MEMORY = 2**29
"""Bytes that the groups at work in this process may use together, unless one alone needs more."""


@dataclass(frozen=True, slots=True)
class Solver:
    """An algorithm, and what it needs.

    Parameters
    ----------
    name : str
        For summaries and messages.
    run : callable
        ``run(objective, chains, options, monitor)`` returns one trace a chain. It is a function
        of a module, so that executors can send it to other processes.
    lanes : int
        Most chains that it likes to be given together.
    smooth : bool
        Whether it needs a differentiable penalty.
    stochastic : bool
        Whether it works on mini-batches, and ends near a minimum instead of at one.
    interpreted : bool
        Whether its steps are many short calls from Python, which threads would have to take turns
        for.
    """

    name: str
    run: Callable[[Objective, list[Chain], Options, Monitor], list[Trace]]
    lanes: int
    smooth: bool = True
    stochastic: bool = False
    interpreted: bool = False

    def check(self, objective: Objective) -> None:
        """Refuse a problem that the algorithm is not made for."""
        if self.smooth and not objective.penalty.smooth:
            raise SpecificationError(
                f"{self.name} needs a differentiable penalty, and the one given sets parameters "
                "to zero; use method='prox' or 'auto', or L1_wt=0."
            )


SOLVERS = {
    "lm": Solver("Levenberg-Marquardt", levenberg_marquardt, 1, interpreted=True),
    "lbfgs": Solver("L-BFGS", lbfgs, 1),
    "prox": Solver("proximal Gauss-Newton", proximal, 1, smooth=False),
}


def choose_solver(
    method: str, n_obs: int, n_params: int, *, smooth: bool = True, shallow: bool = False
) -> Solver:
    """Solver for a method's name.

    ``"auto"`` takes proximal steps for penalties that set parameters to zero, and second-order
    steps unless they grow too large: one costs about ``n k^2`` operations, and ``n k`` numbers
    where there is more than one hidden layer (not ``shallow``).
    """
    if method == "auto":
        small = n_params <= 600 and (shallow or n_obs * n_params <= 5_000_000)
        method = "prox" if not smooth else "lm" if small else "lbfgs"
    if method not in SOLVERS:
        known = ", ".join(repr(name) for name in ["auto", *SOLVERS, "adam", "sgd"])
        raise SpecificationError(f"method={method!r} is not known; choose one of {known}.")
    return SOLVERS[method]


def polisher(objective: Objective, solver: Solver) -> Solver:
    """Solver that takes a path's solutions to rounding error.

    L-BFGS needs thousands of steps for the last digits. Where second-order steps are affordable, a
    few of them do the same.
    """
    second_order = solver_of(objective)
    if solver is not SOLVERS["lbfgs"] or second_order is not SOLVERS["lm"]:
        return solver
    return replace(second_order, name=f"{solver.name}, polished by {second_order.name}")


def solver_of(objective: Objective, method: str = "auto") -> Solver:
    """Solver for an objective that was estimated before, to estimate it again on other weights."""
    network = objective.network
    return choose_solver(
        method,
        len(objective.target),
        network.n_params,
        smooth=objective.penalty.smooth,
        shallow=isinstance(network, Dense) and len(network.hidden) == 1,
    )


def estimate(
    objective: Objective,
    chains: Sequence[Chain],
    solver: Solver,
    options: Options = FAST,
    execution: Execution = LOCAL,
) -> list[Trace]:
    """Solve every chain.

    Groups are formed from the order of ``chains`` and the size of the problem alone, and chains do
    not know of each other, so that the numbers are the same for any number of threads, with any
    executor, fresh or resumed.
    """
    solver.check(objective)
    size = len(objective.target) * objective.network.n_params
    groups = _groups(chains, size, solver.lanes)
    # a Jacobian and what is made of it
    at_once = max(1, MEMORY // (16 * max(size, 1)))
    if solver.interpreted and size < THREADED and execution.threads is None:
        at_once = 1
    work = _Work(solver.run, objective)
    # workers import no more than the closed form needs
    closed = isinstance(objective.network, Dense) and len(objective.network.hidden) == 1
    beside = 0.0
    if solver.interpreted and closed and objective.loss.least_squares and size <= BESIDE:
        beside = float(size) * sum(len(chain.alphas) for chain in chains)
    done = execution.run(work, [(group, options) for group in groups], at_once, beside=beside)
    return [trace for traces in done for trace in traces]


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What all groups of a batch share."""

    run: Callable[[Objective, list[Chain], Options, Monitor], list[Trace]]
    objective: Objective

    def __call__(self, chains: list[Chain], options: Options, monitor: Monitor) -> list[Trace]:
        """Solve a group; chains with a target of their own are solved by themselves."""
        if all(chain.target is None for chain in chains):
            return self.run(self.objective, chains, options, monitor)
        return [
            trace
            for chain in chains
            for trace in self.run(chain.objective(self.objective), [chain], options, monitor)
        ]


def _groups(chains: Sequence[Chain], size: int, lanes: int) -> list[list[Chain]]:
    """Neighbouring chains together until they are worth a group."""
    groups: list[list[Chain]] = []
    work = WORK
    for chain in chains:
        if work >= WORK or len(groups[-1]) >= lanes:
            groups.append([])
            work = 0
        groups[-1].append(chain)
        work += size * len(chain.alphas)
    return groups


def solve(
    objective: Objective,
    chains: Sequence[Chain],
    solver: Solver,
    options: Options = PATIENT,
    execution: Execution = LOCAL,
) -> list[Solution]:
    """Solve single problems as far as rounding allows and certify the solutions."""
    traces = estimate(objective, chains, solver, options, execution)
    return [
        certify(objective, trace.params[-1], chain, solver.name, int(trace.iterations.sum()), trace)
        for chain, trace in zip(chains, traces, strict=True)
    ]


def certify(
    objective: Objective,
    params: np.ndarray,
    chain: Chain,
    method: str,
    iterations: int,
    trace: Trace | None = None,
) -> Solution:
    """A solution with its certificate, computed from the parameters alone.

    History and note come from ``trace``, where there is one.
    """
    alpha = float(chain.alphas[-1])
    own = chain.objective(objective)
    loss, penalty, relative = certificate(own, params, chain.weights, alpha)
    converged = bool(relative < CERTIFIED)
    if converged:
        status = f"Converged: relative gradient norm {relative:.1e} is under {CERTIFIED:.0e}."
    elif trace is not None and trace.note:
        status = f"{trace.note} Relative gradient norm {relative:.1e}."
    else:
        status = (
            f"Did not converge in {iterations} iterations: relative gradient norm {relative:.1e} "
            f"is not under {CERTIFIED:.0e}."
        )
    value = loss + alpha * penalty if np.isfinite(alpha) else loss
    history = np.zeros(0) if trace is None else trace.history
    return Solution(
        params,
        alpha,
        value,
        loss,
        penalty,
        relative,
        converged,
        iterations,
        method,
        status,
        history,
    )
