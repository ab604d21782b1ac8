r"""Levenberg-Marquardt with exact Hessians, for penalised and weighted losses.

Each step solves :math:`(H + \alpha D + \lambda S)\delta = -\nabla F` with Marquardt's scaling
:math:`S` (a slowly forgetting maximum of the diagonal of the Gauss-Newton matrix) and Nielsen's
rule for :math:`\lambda` (Madsen, Nielsen and Tingleff, 2004). ``H`` is the (generalised)
Gauss-Newton matrix :math:`J'WJ` in the first steps from a cold start and the exact Hessian
afterwards, where it is positive definite: where residuals are large, Gauss-Newton steps converge
linearly and Newton steps quadratically.

A factorised matrix serves several steps: after an accepted step the same matrix gives further
ones from the gradient alone, as long as they pay (a multi-step method; Fan, 2012). They cost a
quarter of a step with a new matrix.

Least squares without a penalty take their steps from a QR factorisation of the Jacobian instead of
the normal equations, whose condition number is the square (Bjorck, 1996), corrected by geodesic
acceleration, which keeps them within the region where the model is nearly linear (Transtrum and
Sethna, 2012).
"""

from collections import deque
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
from nnecon.estimation.local_model import Rows, local_model
from nnecon.estimation.problem import Chain, Objective, Options, Trace
from nnecon.estimation.solvers.product_step import REMEMBERED, Step, product_step
from nnecon.nets.one_layer import OneLayer

MEMORY = 0.5
"""Share of a parameter's scaling that survives a step. Marquardt's running maximum (1.0) never
leaves a canyon whose scale changes (NIST's MGH10); none at all (0.0) forgets where it came from."""

GAUSS_NEWTON_STEPS = 3
"""Steps with the Gauss-Newton matrix from a cold start, before the exact Hessian is used."""

INDEFINITE, INDEFINITE_GROWTH = 1e-4, 4.0
"""Where the Hessian is not positive definite, damping grows from here until it is."""

COLD, CAREFUL, WARM = 1e-3, 0.5, 1e-6
"""Damping at the start of a chain without and with a penalty, and at a warm start, where the first
step is a predictor. From random starts careful steps reach lower objectives after as many steps."""

CHORDS, WORTHWHILE = 4, 0.05
"""Most further steps with one matrix for penalised least squares, and the share of the first step's
gain that each has to bring for another to be tried. After ten matrices from random starts
(benchmark's data, penalties .003, .001, .0001) mean objectives were .061, .037, .025 with them and
with careful starts, and .085, .069, .093 without either."""

FEWER = 0.6
"""Share of the iterations allowed that is needed where a matrix serves several steps."""


class _Point(NamedTuple):
    """Parameters, fitted values and the local model's state, and the objective."""

    params: np.ndarray
    fitted: np.ndarray
    state: Any
    value: float


class _Expansion(NamedTuple):
    """Second-order expansion of the objective at a point, the penalty in gradient and diagonal.

    ``hessian`` is the loss's, exact or Gauss-Newton; ``diagonal`` the Gauss-Newton matrix's.
    """

    gradient: np.ndarray
    hessian: np.ndarray
    diagonal: np.ndarray


class _Products(NamedTuple):
    """The same without a matrix: derivatives (n, k) of the fitted values, scaled by row.

    ``slope`` is that of each row's loss, ``exact`` says whether products with the exact Hessian are
    worth their time, ``relative`` is the relative gradient norm.
    """

    gradient: np.ndarray
    jacobian: np.ndarray
    diagonal: np.ndarray
    slope: np.ndarray
    exact: bool
    relative: float


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

    @property
    def several(self) -> bool:
        """Whether a matrix serves several steps.

        The curvature of squared losses is the same everywhere, and a penalty makes sure that there
        is a minimum. Where there is none (logistic losses of separable data), old matrices stall.
        """
        return self.loss.least_squares and bool(self.ridge.any())

    def mean_loss(self, fitted: np.ndarray) -> float:
        """Weighted mean of the loss."""
        if self.loss.least_squares:
            residual = fitted - self.target
            residual *= residual
            return 0.5 * float(self.share @ residual)
        value = self.kernels.value_slope_curvature(fitted, self.target)[0]
        return float(self.share @ np.asarray(value))

    def loss_at(self, at: _Point) -> float:
        """Weighted mean of the loss at a solution."""
        return self.mean_loss(at.fitted)

    def bends(self, fitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slope and curvature of every row's loss, times its share."""
        if self.loss.least_squares:
            return self.share * (fitted - self.target), self.share
        _, slope, curvature = self.kernels.value_slope_curvature(fitted, self.target)
        return self.share * np.asarray(slope), self.share * np.asarray(curvature)

    def point(self, params: np.ndarray) -> _Point:
        """Evaluate the objective."""
        fitted, state = self.model.evaluate(params)
        if self.project:
            assert isinstance(self.model, OneLayer)
            params, fitted, state = self.model.refit(
                params, state, self.target, self.share, self.ridge
            )
        value = self.mean_loss(fitted) + 0.5 * float(self.ridge @ (params * params))
        return _Point(params, fitted, state, value)

    def gradient(self, at: _Point) -> np.ndarray:
        """Gradient of the objective."""
        return self.model.gradient(at.state, self.bends(at.fitted)[0]) + self.ridge * at.params

    def expand(self, at: _Point, exact: bool) -> "_Expansion | _Products":
        """Expand the objective at a point."""
        slope, curvature = self.bends(at.fitted)
        found = self.model.hessian(at.state, curvature, slope if exact else None)
        gradient = self.model.gradient(at.state, slope) + self.ridge * at.params
        return _Expansion(gradient, found.matrix, found.diagonal + self.ridge)

    def certificate(self, at: _Point, expansion: "_Expansion | _Products") -> float:
        """Relative gradient norm (see ``kernels.relative_gradient``)."""
        norms = np.sqrt(np.maximum(expansion.diagonal, 0.0))
        return relative_gradient(expansion.gradient, norms, at.value, self.target_norm)


class _Windows(_Problem):
    """A problem of a network that reads windows: no Hessian is formed.

    Compiled functions see rows that are filled up to few numbers, and in single precision where the
    solution is to be a rough one; the algebra leaves these rows out and is in double precision.
    """

    def __init__(self, objective: Objective, weights: np.ndarray, rough: bool) -> None:
        super().__init__(objective, weights, rough)
        self.inputs = filled(objective.network, self.inputs)
        count, self.exact = len(self.target), Rows(self.kernels, self.inputs, len(self.target))
        single = self.inputs.astype(np.float32)
        self.single = Rows(self.kernels, single, count)
        self.model = self.single if rough else self.exact
        # directions and products with the Hessian, for the preconditioner of the next step
        self.products: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=REMEMBERED)

    @property
    def several(self) -> bool:
        """No matrix is factorised."""
        return False

    def loss_at(self, at: _Point) -> float:
        """Weighted mean of the loss in double precision."""
        return self.mean_loss(self.exact.evaluate(at.params)[0])

    def course(self, params: np.ndarray, slope: np.ndarray) -> Any:
        """What products at one point share.

        In single precision: Newton's steps are inexact, and gradients are not.
        """
        return self.single.course(params, slope)

    def product(self, course: Any, vector: np.ndarray) -> np.ndarray:
        """Second derivatives of the fitted values, weighted by their slopes, times a vector."""
        return self.single.bend(course, vector)

    def expand(self, at: _Point, exact: bool) -> _Products:
        """Derivatives row by row."""
        slope, curvature = self.bends(at.fitted)
        jacobian = self.model.jacobian(at.state)
        scaled = np.sqrt(curvature)[:, None] * jacobian
        gradient = slope @ jacobian + self.ridge * at.params
        diagonal = np.einsum("ij,ij->j", scaled, scaled) + self.ridge
        plain = _Products(gradient, scaled, diagonal, slope, False, 0.0)
        relative = self.certificate(at, plain)
        return plain._replace(exact=not self.rough, relative=relative)


def _factorise(matrix: np.ndarray) -> np.ndarray | None:
    """Cholesky's factor, None where the matrix is not positive definite; it is overwritten."""
    factorise = lapack.spotrf if matrix.dtype == np.float32 else lapack.dpotrf
    # the transpose of an array in row order is in the column order that LAPACK works in
    root, info = factorise(matrix.T, lower=1, clean=0, overwrite_a=1)
    return root if info == 0 else None


def _downhill(root: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Newton's step for a factorised matrix."""
    solve = lapack.spotrs if root.dtype == np.float32 else lapack.dpotrs
    right = np.negative(gradient, dtype=root.dtype, casting="same_kind")
    return solve(root, right, lower=1)[0].astype(float, copy=False)


def _normal_step(problem: _Problem, at: _Point, e: _Expansion, scaling, damping) -> Step:
    """Solve the damped normal equations, with as much damping as makes them positive definite."""
    root = None
    while root is None and damping < 1e25:
        matrix = e.hessian.copy()
        matrix.ravel()[:: len(matrix) + 1] += problem.ridge + damping * scaling
        root = _factorise(matrix)
        if root is None:
            damping = max(INDEFINITE_GROWTH * damping, INDEFINITE)
    if root is None:
        return Step(np.zeros_like(e.gradient), 0.0, False, damping)
    delta = _downhill(root, e.gradient)
    promised = 0.5 * float(delta @ (damping * scaling * delta - e.gradient))
    return Step(delta, promised, bool(np.isfinite(delta).all()), damping, root)


def _further(problem: _Problem, at: _Point, gain: float, root: np.ndarray) -> _Point:
    """Further steps downhill with a matrix that is already factorised."""
    for _ in range(CHORDS):
        trial = problem.point(at.params + _downhill(root, problem.gradient(at)))
        more = at.value - trial.value
        if more > 0:
            at = trial
        if not more > WORTHWHILE * gain:
            break
    return at


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
    promised = 0.5 * float(delta @ (damping * scaling * delta - e.gradient))
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
        limit = int(np.ceil(FEWER * limit)) if problem.several else limit
        warm = position > 0 or options.warm
        at, relative, values = _minimise(problem, start, step, warm, limit, options, monitor)
        loss = problem.loss_at(at)
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
    scaling = _scaling(expansion, 0.0)
    damping, growth = WARM if exact else CAREFUL if problem.several else COLD, 2.0
    relative = problem.certificate(at, expansion)
    history = [at.value]
    while len(history) <= limit:
        monitor.check()
        delta, promised, allowed, damping, root = step(problem, at, expansion, scaling, damping)
        trial = problem.point(at.params + delta)
        gain = at.value - trial.value if allowed and np.isfinite(trial.value) else -np.inf
        moved = np.abs(delta).max() > 1e-15 * np.abs(at.params).max()
        small = False
        found: _Expansion | _Products | None = None
        if gain >= 0 and promised > 0:
            if root is not None and problem.several:
                trial = _further(problem, trial, gain, root)
            exact = step is _normal_step and (warm or len(history) >= GAUSS_NEWTON_STEPS)
            last = len(history) == limit or promised <= options.decrease * at.value
            if last and options.rough and isinstance(expansion, _Expansion):
                # no step follows: the certificate's scale may be that of the point before
                found = expansion._replace(gradient=problem.gradient(trial))
            else:
                found = problem.expand(trial, exact)
        if found is not None and np.isfinite(found.diagonal).all():
            small = promised <= options.decrease * at.value
            ratio = gain / promised
            at, expansion = trial, found
            scaling = _scaling(expansion, scaling)
            relative = problem.certificate(at, expansion)
            damping *= max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
            damping, growth = max(damping, 1e-16), 2.0
            history.append(at.value)
        else:
            damping, growth = damping * growth, 2.0 * growth
        if relative < options.gradient or small or not moved or damping > 1e25:
            break
    return at, relative, history


def _scaling(expansion: _Expansion | _Products, before: np.ndarray | float) -> np.ndarray:
    diagonal = expansion.diagonal
    return np.maximum(MEMORY * before, np.where(diagonal > 0, diagonal, 1e-300))
