"""Limited-memory BFGS through SciPy, for problems too large for second-order steps."""

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import certificate, double_precision, kernels, shares
from nnecon.estimation.problem import Chain, Objective, Options, Trace


def lbfgs(
    objective: Objective, chains: list[Chain], options: Options, monitor: Monitor
) -> list[Trace]:
    """Solve chains one after the other (Liu and Nocedal, 1989; Byrd, Lu, Nocedal and Zhu, 1995)."""
    with double_precision():
        return [_solve(objective, chain, options, monitor) for chain in chains]


def _solve(objective: Objective, chain: Chain, options: Options, monitor: Monitor) -> Trace:
    kernel = kernels(objective.network, objective.loss).value_gradient
    data = objective.inputs, objective.target, shares(chain.weights)
    found: list[np.ndarray] = []
    records = []
    for position, (alpha, after) in enumerate(zip(chain.alphas, chain.after, strict=True)):
        ridge = alpha * objective.penalty.ridge

        history: list[float] = []

        def value_and_gradient(params, ridge=ridge):
            monitor.check()
            loss, gradient = kernel(params, *data)
            value = float(loss) + 0.5 * float(ridge @ params**2)
            return value, np.asarray(gradient) + ridge * params

        solved = minimize(
            value_and_gradient,
            chain.start if after < 0 else found[after],
            method="L-BFGS-B",
            jac=True,
            callback=_recorder(history),
            options={
                "maxiter": 20 * (options.first if position == 0 else options.later),
                "maxfun": 10**6,
                "maxcor": 20,
                "ftol": options.decrease * 1e-3,
                "gtol": options.gradient * 1e-2,
            },
        )
        found.append(solved.x)
        loss, penalty, relative = certificate(objective, solved.x, chain.weights, alpha)
        records.append((loss, penalty, relative, solved.nit))
        monitor.advance(1 / len(chain.alphas))
    loss, penalty, relative, iterations = np.array(records).T
    return Trace(
        np.array(found), loss, penalty, relative, iterations.astype(int), np.array(history)
    )


def _recorder(history: list[float]):
    # SciPy tells by the argument's name what it is to hand over
    def record(intermediate_result: OptimizeResult) -> None:
        history.append(float(intermediate_result.fun))

    return record
