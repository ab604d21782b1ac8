r"""Levenberg-Marquardt with exact Hessians, for penalised and weighted losses.

Each step solves :math:`(H + \alpha D + \lambda S)\delta = -\nabla F` with Marquardt's scaling
:math:`S` (a slowly forgetting maximum of the diagonal of the Gauss-Newton matrix) and Nielsen's
rule for :math:`\lambda` (Madsen, Nielsen and Tingleff, 2004). ``H`` is the (generalised)
Gauss-Newton matrix :math:`J'WJ` in the first steps from a cold start and the exact Hessian
afterwards, where it is positive definite: where residuals are large, Gauss-Newton steps converge
linearly and Newton steps quadratically.

Least squares without a penalty take their steps from a QR factorisation of the Jacobian instead of
the normal equations, whose condition number is the square (Bjorck, 1996), corrected by geodesic
acceleration, which keeps them within the region where the model is nearly linear (Transtrum and
Sethna, 2012).
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import (
    double_precision,
    filled,
    is_sequential,
    kernels,
    relative_gradient,
    shares,
)
from nnecon.estimation.local_model import local_model
from nnecon.estimation.problem import Chain, Objective, Options, Trace
from nnecon.estimation.solvers.product_step import NEAR, Step, product_step
from nnecon.nets.one_layer import OneLayer

MEMORY = 0.5
"""Share of a parameter's scaling that survives a step. Marquardt's running maximum (1.0) never
leaves a canyon whose scale changes (NIST's MGH10); none at all (0.0) forgets where it came from."""

GAUSS_NEWTON_STEPS = 3
"""Steps with the Gauss-Newton matrix from a cold start, before the exact Hessian is used."""

INDEFINITE, INDEFINITE_GROWTH = 1e-4, 4.0
"""Where the Hessian is not positive definite, damping grows from here until it is."""

COLD, WARM = 1e-3, 1e-6
"""Damping at the start of a chain, and at a warm start, where the first step is a predictor."""


class _Point(NamedTuple):
    """Parameters, fitted values and the local model's state, and the objective."""

    params: np.ndarray
    fitted: np.ndarray
    state: Any
    value: float


class _Expansion(NamedTuple):
    """Second-order expansion of the loss at a point; ``bending`` where it was asked for."""

    slope: np.ndarray
    gradient: np.ndarray
    normal: np.ndarray
    bending: np.ndarray | None

    @property
    def diagonal(self) -> np.ndarray:
        """Diagonal of the Gauss-Newton matrix."""
        return np.diagonal(self.normal)

    @property
    def finite(self) -> bool:
        """Whether the derivatives are numbers."""
        return bool(np.isfinite(self.normal).all())


class _Products(NamedTuple):
    """The same without the matrices: derivatives (n, k) of the fitted values, scaled by row.

    ``exact`` says whether products with the exact Hessian are worth their time, ``relative`` is the
    relative gradient norm.
    """

    slope: np.ndarray
    gradient: np.ndarray
    jacobian: np.ndarray
    exact: bool
    relative: float

    @property
    def diagonal(self) -> np.ndarray:
        """Diagonal of the Gauss-Newton matrix."""
        return np.einsum("ij,ij->j", self.jacobian, self.jacobian)

    @property
    def finite(self) -> bool:
        """Whether the derivatives are numbers."""
        return bool(np.isfinite(self.jacobian).all())


class _Problem:
    """One penalised problem: a chain's data at one alpha."""

    def __init__(self, objective: Objective, weights: np.ndarray, rough: bool) -> None:
        keep = weights > 0
        self.network, self.loss = objective.network, objective.loss
        self.target, self.share = objective.target[keep], shares(weights[keep])
        self.kernels = kernels(objective.network, objective.loss)
        self.model = local_model(self.network, self.loss, objective.inputs[keep], rough=rough)
        self.unit_ridge = objective.penalty.ridge
        self.target_norm = float(np.sqrt(self.share @ self.target**2))
        self.inputs = objective.inputs[keep]
        self.ridge = 0.0 * self.unit_ridge
        self.project = False
        self.rough = rough

    def at(self, alpha: float) -> None:
        """Set the penalty."""
        self.ridge = alpha * self.unit_ridge
        linear_outside = isinstance(self.model, OneLayer) and self.loss.least_squares
        self.project = linear_outside and alpha > 0

    def losses(self, fitted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loss, slope and curvature of every row."""
        if self.loss.least_squares:
            residual = fitted - self.target
            return 0.5 * residual**2, residual, np.ones_like(residual)
        found = self.kernels.value_slope_curvature(fitted, self.target)
        value, slope, curvature = (np.asarray(array) for array in found)
        return value, slope, curvature

    def point(self, params: np.ndarray) -> _Point:
        """Evaluate the objective."""
        fitted, state = self.model.evaluate(params)
        if self.project:
            assert isinstance(self.model, OneLayer)
            params, fitted, state = self.model.refit(
                params, state, self.target, self.share, self.ridge
            )
        value = float(self.share @ self.losses(fitted)[0] + 0.5 * self.ridge @ params**2)
        return _Point(params, fitted, state, value)

    def expand(self, at: _Point, bending: bool) -> "_Expansion | _Products":
        """Expand the loss at a point."""
        _, slope, curvature = self.losses(at.fitted)
        slope = self.share * slope
        return _Expansion(
            slope,
            self.model.gradient(at.state, slope),
            self.model.normal(at.state, self.share * curvature),
            self.model.bending(at.state, slope) if bending else None,
        )

    def certificate(self, at: _Point, expansion: "_Expansion | _Products") -> float:
        """Relative gradient norm (see ``kernels.relative_gradient``)."""
        gradient = expansion.gradient + self.ridge * at.params
        diagonal = expansion.diagonal + self.ridge
        return relative_gradient(
            gradient, np.sqrt(np.maximum(diagonal, 0.0)), at.value, self.target_norm
        )


class _Windows(_Problem):
    """A problem of a network that reads windows: rows are filled up, no Hessian is formed."""

    def __init__(self, objective: Objective, weights: np.ndarray, rough: bool) -> None:
        super().__init__(objective, weights, rough)
        self.inputs = filled(objective.network, self.inputs)
        lack = len(self.inputs) - len(self.target)
        self.target = np.concatenate([self.target, np.zeros(lack)])
        self.share = np.concatenate([self.share, np.zeros(lack)])
        self.model = local_model(self.network, self.loss, self.inputs)

    def expand(self, at: _Point, bending: bool) -> _Products:
        """Derivatives row by row."""
        _, slope, curvature = self.losses(at.fitted)
        slope = self.share * slope
        jacobian = self.model.jacobian(at.state)
        scaled = np.sqrt(self.share * curvature)[:, None] * jacobian
        plain = _Products(slope, slope @ jacobian, scaled, False, 0.0)
        relative = self.certificate(at, plain)
        return plain._replace(exact=not self.rough and relative < NEAR, relative=relative)


def _solve_definite(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solution by Cholesky's factorisation, None where the matrix is not positive definite."""
    _, solution, info = lapack.dposv(matrix, right, lower=1)
    return solution if info == 0 else None


def _normal_step(problem: _Problem, at: _Point, e: _Expansion, scaling, damping) -> Step:
    """Solve the damped normal equations, with as much damping as makes them positive definite."""
    gradient = e.gradient + problem.ridge * at.params
    delta, hessian = None, e.normal if e.bending is None else e.normal + e.bending
    diagonal = np.arange(len(gradient))
    while delta is None and damping < 1e25:
        matrix = hessian.copy()
        matrix[diagonal, diagonal] += problem.ridge + damping * scaling
        delta = _solve_definite(matrix, -gradient)
        if delta is None:
            damping = max(INDEFINITE_GROWTH * damping, INDEFINITE)
    if delta is None:
        return Step(np.zeros_like(gradient), 0.0, False, damping)
    promised = 0.5 * float(delta @ (damping * scaling * delta - gradient))
    return Step(delta, promised, bool(np.isfinite(delta).all()), damping)


def _qr_step(problem: _Problem, at: _Point, e: _Expansion, scaling, damping) -> Step:
    """Solve the damped least-squares problem by QR of the scaled Jacobian.

    The second-order correction of the step (geodesic acceleration) has to be small beside it.
    """
    root, scale = np.sqrt(problem.share), np.sqrt(scaling)
    jacobian = root[:, None] * problem.model.jacobian(at.state)
    penalty = np.sqrt(problem.ridge)
    damped = np.sqrt(damping) * np.eye(len(scale))
    stacked = np.concatenate([jacobian / scale, np.diag(penalty / scale), damped])
    q, r = np.linalg.qr(stacked)

    def solve(residual: np.ndarray, pull: np.ndarray) -> np.ndarray:
        right = np.concatenate([residual, pull, np.zeros_like(scale)])
        return -lapack.dtrtrs(r, q.T @ right)[0]

    residual = root * (at.fitted - problem.target)
    velocity = solve(residual, penalty * at.params)
    delta = velocity / scale
    bend = np.asarray(problem.kernels.second_directional(at.params, delta, problem.inputs))
    known = bool(np.isfinite(bend).all())
    acceleration = 0.5 * solve(root * bend if known else 0.0 * root, np.zeros_like(scale))
    small = 2.0 * np.linalg.norm(acceleration) <= 0.75 * np.linalg.norm(velocity)
    gradient = e.gradient + problem.ridge * at.params
    promised = 0.5 * float(delta @ (damping * scaling * delta - gradient))
    return Step(delta + acceleration / scale, promised, known and bool(small), damping)


def levenberg_marquardt(
    objective: Objective, chains: list[Chain], options: Options, monitor: Monitor
) -> list[Trace]:
    """Solve chains one after the other.

    Steps to points where residuals or derivatives are not finite are refused like steps uphill.
    """
    with double_precision(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return [_solve_chain(objective, chain, options, monitor) for chain in chains]


def _solve_chain(objective: Objective, chain: Chain, options: Options, monitor: Monitor) -> Trace:
    regularised = bool((chain.alphas > 0).all() and objective.penalty.ridge.any())
    plain = regularised or not objective.loss.least_squares
    problem: _Problem
    if regularised and is_sequential(objective.network):
        problem, step = _Windows(objective, chain.weights, options.rough), product_step
    else:
        problem = _Problem(objective, chain.weights, options.rough and plain)
        step = _normal_step if plain else _qr_step
    found: list[np.ndarray] = []
    records: list[tuple[float, float, float, int]] = []
    objectives: list[float] = []
    history = np.zeros(0)
    for position, (alpha, after) in enumerate(zip(chain.alphas, chain.after, strict=True)):
        if chain.is_dead(position, objectives):
            found.append(found[after])
            records.append((np.inf, 0.0, np.inf, 0))
            objectives.append(np.inf)
            continue
        problem.at(alpha)
        start = np.array(chain.start if after < 0 else found[after], dtype=float)
        limit = options.first if position == 0 else options.later
        warm = position > 0 or options.warm
        at, relative, values = _minimise(problem, start, step, warm, limit, options, monitor)
        loss = float(problem.share @ problem.losses(at.fitted)[0])
        penalty = objective.penalty.value(at.params)
        found.append(at.params)
        objectives.append(loss + alpha * penalty)
        records.append((loss, penalty, relative, len(values) - 1))
        history = np.array(values)
        monitor.advance(1.0 / len(chain.alphas))
    loss, penalty, relative, iterations = np.array(records).T
    return Trace(np.array(found), loss, penalty, relative, iterations.astype(int), history)


def _minimise(
    problem: _Problem, start: np.ndarray, step, warm: bool, limit: int, options: Options, monitor
) -> tuple[_Point, float, list[float]]:
    """Damped steps from ``start``: the last point, its certificate and the objectives."""
    at = problem.point(start)
    exact = warm and step is _normal_step
    expansion = problem.expand(at, exact)
    scaling = _scaling(problem, expansion, 0.0)
    damping, growth = WARM if exact else COLD, 2.0
    relative = problem.certificate(at, expansion)
    history = [at.value]
    while len(history) <= limit:
        monitor.check()
        delta, promised, allowed, damping = step(problem, at, expansion, scaling, damping)
        trial = problem.point(at.params + delta)
        gain = at.value - trial.value if allowed and np.isfinite(trial.value) else -np.inf
        moved = np.abs(delta).max() > 1e-15 * np.abs(at.params).max()
        small, found = False, None
        if gain >= 0 and promised > 0:
            exact = step is _normal_step and (warm or len(history) >= GAUSS_NEWTON_STEPS)
            found = problem.expand(trial, exact)
        if found is not None and found.finite:
            small = promised <= options.decrease * at.value
            ratio = gain / promised
            at, expansion = trial, found
            scaling = _scaling(problem, expansion, scaling)
            relative = problem.certificate(at, expansion)
            damping *= max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
            damping, growth = max(damping, 1e-16), 2.0
            history.append(at.value)
        else:
            damping, growth = damping * growth, 2.0 * growth
        if relative < options.gradient or small or not moved or damping > 1e25:
            break
    return at, relative, history


def _scaling(
    problem: _Problem, expansion: "_Expansion | _Products", before: np.ndarray | float
) -> np.ndarray:
    diagonal = expansion.diagonal + problem.ridge
    return np.maximum(MEMORY * before, np.where(diagonal > 0, diagonal, 1e-300))
