r"""Steps for networks whose Hessian is too large to form: products with it, by conjugate gradients.

Far from a solution the step solves the damped Gauss-Newton system
(:mod:`nnecon.estimation.gauss_newton`, in the dual where rows are fewer than parameters). Close to
it, where Gauss-Newton steps converge only linearly, the exact Hessian takes its place: its products
with vectors cost three passes through the network, and conjugate gradients with the Gauss-Newton
matrix as preconditioner need few of them (Steihaug, 1983; Nocedal and Wright, 2006, section 7.1).
"""

from typing import Any, NamedTuple

import numpy as np

from nnecon.estimation.gauss_newton import GaussNewton

NEAR = 1e-2
"""Relative gradient norm under which the exact Hessian is used."""

PRODUCTS = 40
"""Products with the Hessian at most a step."""


class Step(NamedTuple):
    """A step, the decrease it promises, whether it is worth a try, and its damping.

    ``root`` is the factorised matrix, where there is one.
    """

    delta: np.ndarray
    promised: float
    allowed: bool
    damping: float
    root: np.ndarray | None = None


def product_step(problem: Any, at: Any, e: Any, scaling: np.ndarray, damping: float) -> Step:
    """A damped step; ``problem``, ``at`` and ``e`` as in Levenberg-Marquardt.

    For least squares the linear part is not damped: whatever the rest does, its best value is a
    step away.
    """
    gradient = e.gradient
    scaling = scaling.copy()
    if problem.loss.least_squares:
        scaling[: problem.network.n_linear] = 0.0
    try:
        matrix = GaussNewton(e.jacobian, problem.ridge + damping * scaling)
    except np.linalg.LinAlgError:
        return Step(np.zeros_like(gradient), 0.0, False, damping)
    delta = matrix.solve(-gradient)
    promised = 0.5 * float(delta @ (damping * scaling * delta - gradient))
    if e.exact:
        better = _conjugate(problem, at, e, matrix, gradient, damping * scaling)
        if better is not None:
            delta, promised = better
    return Step(delta, promised, bool(np.isfinite(delta).all()), damping)


def _conjugate(
    problem: Any,
    at: Any,
    e: Any,
    matrix: GaussNewton,
    gradient: np.ndarray,
    damped: np.ndarray,
) -> tuple[np.ndarray, float] | None:
    """Newton step and what it promises; None where the first direction has no positive curvature.

    Stops where the residual is small enough for quadratic convergence (Eisenstat and Walker, 1996).
    """

    def product(vector: np.ndarray) -> np.ndarray:
        bent = np.asarray(problem.kernels.bend_product(at.params, vector, problem.inputs, e.slope))
        flat = e.jacobian.T @ (e.jacobian @ vector)
        return flat + bent + problem.ridge * vector

    delta, image = np.zeros_like(gradient), np.zeros_like(gradient)
    residual = -gradient
    solved = matrix.solve(residual)
    direction, size = solved, float(residual @ solved)
    enough = size * min(0.1, e.relative) ** 2
    for _ in range(PRODUCTS):
        bent = product(direction)
        curvature = float(direction @ bent + damped @ direction**2)
        if not curvature > 1e-10 * float(direction @ direction):
            break
        length = size / curvature
        delta, image = delta + length * direction, image + length * bent
        residual = residual - length * (bent + damped * direction)
        solved = matrix.solve(residual)
        before, size = size, float(residual @ solved)
        if size <= enough:
            break
        direction = solved + size / before * direction
    if not delta.any():
        return None
    return delta, -float(gradient @ delta + 0.5 * (delta @ image))
