r"""Steps for networks whose Hessian is too large to form: products with it, by conjugate gradients.

While paths are traced, steps solve the damped Gauss-Newton system
(:mod:`nnecon.estimation.gauss_newton`, in the dual where rows are fewer than parameters). What is
reported takes steps with the exact Hessian, which need a third of the iterations and end in better
minima: its products with vectors cost three passes through the network, and conjugate gradients
with the Gauss-Newton matrix as preconditioner need few of them (Steihaug, 1983; Nocedal and Wright,
2006, section 7.1).
"""

from typing import Any, NamedTuple

import numpy as np

from nnecon.estimation.gauss_newton import GaussNewton

REMEMBERED = 20
"""Products with the Hessian that the next step's preconditioner knows."""

PRODUCTS = 40
"""Products with the Hessian at most a step."""

FORCING = 0.5
"""Share of the gradient that may be left of it after a step, at most."""

ATTEMPTS, INDEFINITE, GROWTH = 8, 1e-4, 4.0
"""How often, from where and by how much damping grows where the Hessian is indefinite."""


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
    step away. Where the exact Hessian is not positive definite along a direction that conjugate
    gradients meet, damping grows until it is, as in steps that factorise the Hessian.
    """
    gradient = e.gradient
    scaling = scaling.copy()
    if problem.loss.least_squares:
        scaling[: problem.network.n_linear] = 0.0
    course = problem.course(at.params, e.slope) if e.exact else None
    for _ in range(ATTEMPTS if e.exact else 1):
        try:
            matrix = GaussNewton(e.jacobian, problem.ridge + damping * scaling)
        except np.linalg.LinAlgError:
            return Step(np.zeros_like(gradient), 0.0, False, damping)
        if e.exact:
            found = _conjugate(problem, course, e, matrix, gradient, damping * scaling)
            if found is not None:
                return Step(*found, bool(np.isfinite(found[0]).all()), damping)
            damping = max(GROWTH * damping, INDEFINITE)
    delta = matrix.solve(-gradient)
    promised = 0.5 * float(delta @ (damping * scaling * delta - gradient))
    return Step(delta, promised, bool(np.isfinite(delta).all()), damping)


def _conjugate(
    problem: Any,
    course: Any,
    e: Any,
    matrix: GaussNewton,
    gradient: np.ndarray,
    damped: np.ndarray,
) -> tuple[np.ndarray, float] | None:
    """Newton step and what it promises; None where a direction has no positive curvature.

    Stops where the residual is small enough for superlinear convergence (Eisenstat and Walker,
    1996).
    """

    def product(vector: np.ndarray) -> np.ndarray:
        bent = problem.product(course, vector)
        flat = e.jacobian.T @ (e.jacobian @ vector)
        return flat + bent + problem.ridge * vector

    known = _Secants.of(problem.products, damped)
    delta, image = np.zeros_like(gradient), np.zeros_like(gradient)
    residual = -gradient
    solved = known.solve(matrix, residual)
    direction, size = solved, float(residual @ solved)
    enough = size * min(FORCING, e.relative**0.5) ** 2
    for _ in range(PRODUCTS):
        bent = product(direction)
        problem.products.append((direction, bent))
        curvature = float(direction @ bent + damped @ direction**2)
        if not curvature > 1e-10 * float(direction @ direction):
            return None
        length = size / curvature
        delta, image = delta + length * direction, image + length * bent
        residual = residual - length * (bent + damped * direction)
        solved = known.solve(matrix, residual)
        before, size = size, float(residual @ solved)
        if size <= enough:
            break
        direction = solved + size / before * direction
    return delta, -float(gradient @ delta + 0.5 * (delta @ image))


class _Secants(NamedTuple):
    """Directions (m, k), the damped Hessian's products with them (m, k), and their curvatures (m,).

    They improve the preconditioner as in limited-memory quasi-Newton methods (Morales and Nocedal,
    2000): what the Gauss-Newton matrix leaves out is known along the directions of the steps
    before, which differ little.
    """

    directions: np.ndarray
    images: np.ndarray
    curvature: np.ndarray

    @classmethod
    def of(cls, products: Any, damped: np.ndarray) -> "_Secants":
        """From directions and products with the undamped Hessian, those of positive curvature."""
        directions = np.array([one for one, _ in products]).reshape(-1, len(damped))
        images = np.array([bent for _, bent in products]).reshape(-1, len(damped))
        images = images + damped * directions
        curvature = np.einsum("ij,ij->i", directions, images)
        safe = curvature > 1e-8 * np.einsum("ij,ij->i", directions, directions)
        return cls(directions[safe], images[safe], curvature[safe])

    def solve(self, matrix: GaussNewton, right: np.ndarray) -> np.ndarray:
        """The preconditioned vector, by the two loops of L-BFGS."""
        shares = np.zeros(len(self.curvature))
        for at in reversed(range(len(shares))):
            shares[at] = self.directions[at] @ right / self.curvature[at]
            right = right - shares[at] * self.images[at]
        found = matrix.solve(right)
        for at, share in enumerate(shares):
            back = self.images[at] @ found / self.curvature[at]
            found = found + (share - back) * self.directions[at]
        return found
