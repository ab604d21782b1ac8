r"""Proximal Gauss-Newton steps for penalties that set parameters to zero.

Each step minimises the damped model

.. math:: g'\delta + \tfrac12 \delta'(J'WJ + \alpha D + \mu S)\delta
    + \alpha \sum_b \kappa_b \|\theta_b + \delta_b\|

over the blocks that are not zero or want to leave it (Lee, Sun and Saunders, 2014), by
accelerated proximal gradient steps (Beck and Teboulle, 2009), which find out which blocks are
zero, and Newton steps among the others, where the penalty is smooth. Once the zero blocks have
settled, the step itself is a Newton step with the exact Hessian among the others, so that
convergence is quadratic. Marquardt's scaling ``S`` and Nielsen's rule for the damping are those of
:mod:`nnecon.estimation.solvers.levenberg_marquardt`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import double_precision, kernels, relative_gradient, shares
from nnecon.estimation.penalties import Kinks
from nnecon.estimation.problem import Chain, Objective, Options, Trace

GAUSS_NEWTON_STEPS = 3
"""Iterations of a cold start before the exact Hessian is used."""

ACCURACY = 0.05
"""Share of the certificate down to which a model is minimised."""

STRONG = 1.0
"""Damping up to which a step with the exact Hessian is preferred to a Gauss-Newton step."""

ROUNDS = 10
"""Rounds of proximal gradient and Newton steps on one model."""

GRADIENT_STEPS = 12
"""Proximal gradient steps a round."""

SHORTER = (1.0, 0.5, 0.25, 0.1, 0.03, 0.01, 1e-3)
"""Parts of a Newton step on a model that are tried; norms of groups are not quadratic."""

ROUNDING = 1e-13
"""Relative change of the objective that rounding hides."""


def proximal(
    objective: Objective, chains: list[Chain], options: Options, monitor: Monitor
) -> list[Trace]:
    """Solve chains one after the other; zeros are exact, and smooth penalties work as well."""
    with double_precision(), np.errstate(over="ignore", invalid="ignore"):
        return [_trace(objective, chain, options, monitor) for chain in chains]


def _trace(objective: Objective, chain: Chain, options: Options, monitor: Monitor) -> Trace:
    smooth = _Smooth(objective, chain.weights)
    found: list[_Point] = []
    records: list[tuple[float, float, float, int]] = []
    objectives: list[float] = []
    history = np.zeros(0)
    for position, (alpha, after) in enumerate(zip(chain.alphas, chain.after, strict=True)):
        point = smooth.at(chain.start) if after < 0 else found[after]
        if chain.is_dead(position, objectives):
            records.append((np.inf, 0.0, np.inf, 0))
        else:
            limit = options.first if position == 0 else options.later
            problem = _Problem(smooth, float(alpha), cold=position == 0 and not options.warm)
            point, certificate, values = problem.solve(point, options, limit, monitor)
            history = np.array(values)
            penalty = objective.penalty.value(point.params)
            records.append((point.loss, penalty, certificate, len(values) - 1))
        found.append(point)
        objectives.append(records[-1][0] + alpha * records[-1][1])
        monitor.advance(1 / len(chain.alphas))
    loss, penalties, certificates, iterations = np.array(records).T
    params = np.array([point.params for point in found])
    return Trace(params, loss, penalties, certificates, iterations.astype(int), history)


@dataclass(slots=True, eq=False)
class _Point:
    """Parameters, mean loss, and each row's derivative and curvature by the fitted value."""

    params: np.ndarray
    loss: float
    slope: np.ndarray
    curvature: np.ndarray
    gradient: np.ndarray | None = None
    gram: np.ndarray | None = None
    bending: np.ndarray | None = None


class _Smooth:
    """The loss of one weight vector, which all problems of a chain share."""

    def __init__(self, objective: Objective, weights: np.ndarray) -> None:
        self.objective, self.share = objective, shares(weights)
        self.kernels = kernels(objective.network, objective.loss)
        self.target_norm = float(np.sqrt(self.share @ objective.target**2))

    def at(self, params: np.ndarray) -> _Point:
        """Loss alone."""
        data = self.objective
        fit = self.kernels.fitted(params, data.inputs)
        parts = self.kernels.value_slope_curvature(fit, data.target)
        value, slope, curvature = (np.asarray(part) for part in parts)
        return _Point(np.array(params, dtype=float), float(self.share @ value), slope, curvature)

    def linearise(self, point: _Point) -> tuple[np.ndarray, np.ndarray]:
        """Gradient of the loss and its (generalised) Gauss-Newton matrix."""
        if point.gradient is None or point.gram is None:
            jacobian = np.asarray(self.kernels.jacobian(point.params, self.objective.inputs))
            point.gradient = (self.share * point.slope) @ jacobian
            rows = np.sqrt(self.share * np.maximum(point.curvature, 0.0))[:, None] * jacobian
            point.gram = rows.T @ rows
        return point.gradient, point.gram

    def bend(self, point: _Point) -> np.ndarray:
        """Exact Hessian of the loss less the Gauss-Newton matrix."""
        if point.bending is None:
            multipliers = self.share * point.slope
            bending = self.kernels.bending(point.params, self.objective.inputs, multipliers)
            point.bending = np.asarray(bending)
        return point.bending


class _Problem:
    """One penalty."""

    def __init__(self, smooth: _Smooth, alpha: float, cold: bool) -> None:
        self.smooth, self.cold = smooth, cold
        penalty = smooth.objective.penalty
        self.ridge = alpha * penalty.ridge
        self.kinks = Kinks(penalty.kinks.block, alpha * penalty.kinks.strength)

    def value(self, point: _Point) -> float:
        """The objective."""
        squares = 0.5 * float(self.ridge @ point.params**2)
        return point.loss + squares + self.kinks.value(point.params)

    def solve(
        self, point: _Point, options: Options, limit: int, monitor: Monitor
    ) -> tuple[_Point, float, list[float]]:
        """Solution, certificate, and the objective at the start and after each iteration."""
        damping, growth, value = 1e-3, 2.0, self.value(point)
        history, before, done, real = [value], np.inf, False, True
        best = point, np.inf
        while True:
            monitor.check()
            loss_gradient, gram = self.smooth.linearise(point)
            gradient = loss_gradient + self.ridge * point.params
            diagonal = np.diagonal(gram) + self.ridge + self.kinks.bend(point.params)
            violation = self.kinks.violation(gradient, point.params)
            target = self.smooth.target_norm
            certificate = relative_gradient(violation, np.sqrt(diagonal), value, target)
            if real or certificate <= best[1]:
                best = point, certificate
            if done or certificate < options.gradient or len(history) > limit:
                return *best, history
            newton = not self.cold or len(history) > GAUSS_NEWTON_STEPS
            while True:
                step = self._step(point, gradient, violation, damping, newton)
                damping = step.damping
                trial = self.smooth.at(point.params + step.delta)
                trial_value = self.value(trial)
                gain = value - trial_value if np.isfinite(trial_value) else -np.inf
                hidden = step.promised <= ROUNDING * value
                better = gain >= (-ROUNDING * value if hidden else 0.0) and step.promised > 0
                small = step.promised <= options.decrease * value
                history.append(trial_value if better else value)
                still = np.abs(step.delta).max() <= 1e-15 * np.abs(point.params).max()
                if better or still or damping > 1e25 or len(history) > limit:
                    break
                damping, growth = damping * growth, 2.0 * growth
                monitor.check()
            if not better:
                return point, certificate, history
            # where rounding hides the gain, the certificate tells whether steps still help
            done = small or (hidden and certificate > 0.5 * before)
            ratio = min(gain / step.promised, 1.0)
            damping = max(damping * max(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3), 1e-16)
            growth, before, real = 2.0, certificate, not hidden
            point, value = trial, trial_value

    def _step(
        self,
        point: _Point,
        gradient: np.ndarray,
        violation: np.ndarray,
        damping: float,
        newton: bool,
    ) -> "_Step":
        """A Newton step where the zero blocks are settled, and else the minimum of a model."""
        params, kinks = point.params, self.kinks
        live = kinks.live(params)
        _, gram = self.smooth.linearise(point)
        scaling = _positive(np.diagonal(gram) + self.ridge + kinks.bend(params))
        settled = not violation[~live].any()
        exact = gram + self.smooth.bend(point) if newton else gram
        used = damping
        while newton and settled and used <= max(STRONG, damping):
            step, definite = _newton(exact, self.ridge, used, scaling, gradient, params, kinks)
            if step is not None:
                return step
            if definite:
                break
            # between a saddle and its valley the damping has to outweigh the negative curvature
            used = max(4.0 * used, 1e-6)
        opened = np.zeros(len(kinks.strength) + 1)
        opened[kinks.block[violation > 0]] = 1.0
        free = np.flatnonzero(live | (opened[kinks.block] > 0))
        at = np.ix_(free, free)
        matrix = exact[at] + np.diag((self.ridge + used * scaling)[free])
        if newton and not _definite(matrix):
            used = damping
            matrix = gram[at] + np.diag((self.ridge + used * scaling)[free])
        model = _Model(
            matrix, gradient[free], params[free], Kinks(kinks.block[free], kinks.strength)
        )
        moved = model.minimise(ACCURACY * np.abs(violation).max())
        delta = np.zeros_like(params)
        delta[free] = moved - params[free]
        return _Step(delta, model.value(params[free]) - model.value(moved), used)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A step (k,), the decrease of the objective that its model promises, and its damping."""

    delta: np.ndarray
    promised: float
    damping: float


def _positive(diagonal: np.ndarray) -> np.ndarray:
    return np.where(diagonal > 0, diagonal, 1e-300)


def _definite(matrix: np.ndarray) -> bool:
    try:
        cho_factor(matrix, check_finite=False)
    except LinAlgError:
        return False
    return True


def _newton(
    exact: np.ndarray,
    ridge: np.ndarray,
    damping: float,
    scaling: np.ndarray,
    gradient: np.ndarray,
    params: np.ndarray,
    kinks: Kinks,
) -> tuple[_Step | None, bool]:
    """Damped Newton step among live parameters, and whether its matrix is positive definite.

    There is no step where it is not, or where a block would turn round.
    """
    at = np.flatnonzero(kinks.live(params))
    slope = (gradient + kinks.slope(params))[at]
    hessian = (exact + kinks.curvature(params))[np.ix_(at, at)]
    hessian[np.arange(len(at)), np.arange(len(at))] += (ridge + damping * scaling)[at]
    try:
        factor = cho_factor(hessian, check_finite=False)
    except LinAlgError:
        return None, False
    delta = np.zeros_like(params)
    delta[at] = -cho_solve(factor, slope, check_finite=False)
    if _turned(params, params + delta, kinks).any():
        return None, True
    return _Step(delta, float(-0.5 * slope @ delta[at]), damping), True


def _turned(old: np.ndarray, new: np.ndarray, kinks: Kinks) -> np.ndarray:
    """Blocks (b,) that were not zero and now point the other way."""
    inside = kinks.inside
    agree = np.bincount(kinks.block[inside], (old * new)[inside], len(kinks.strength))
    return (kinks.norms(old) > 0) & (agree <= 0)


class _Model:
    """A quadratic around ``centre`` plus the kinked penalty, to be minimised exactly."""

    def __init__(
        self, matrix: np.ndarray, gradient: np.ndarray, centre: np.ndarray, kinks: Kinks
    ) -> None:
        self.matrix, self.kinks, self.centre = matrix, kinks, centre
        self.constant = gradient - matrix @ centre
        inside = kinks.inside
        diagonal = np.diagonal(matrix)
        largest = np.zeros(len(kinks.strength))
        np.maximum.at(largest, kinks.block[inside], diagonal[inside])
        # a proximal step is only known where all parameters of a block share one metric
        self.metric = np.where(inside, kinks.spread(largest, 0.0), diagonal)
        self.lipschitz = self._lipschitz()

    def _lipschitz(self) -> float:
        """Largest eigenvalue of the matrix in its metric, by power iteration."""
        root = 1.0 / np.sqrt(self.metric)
        vector = np.cos(np.arange(len(root)))
        size = 1.0
        for _ in range(12):
            vector = root * (self.matrix @ (root * vector))
            size = float(np.linalg.norm(vector))
            vector /= size
        return 1.05 * size

    def value(self, at: np.ndarray) -> float:
        """The model less its value without penalty at the centre."""
        squares = 0.5 * float(at @ (self.matrix @ at)) + float(self.constant @ at)
        return squares + self.kinks.value(at)

    def slope(self, at: np.ndarray) -> np.ndarray:
        """Gradient of the quadratic."""
        return self.matrix @ at + self.constant

    def minimise(self, tolerance: float) -> np.ndarray:
        """Alternate between finding the zero blocks and solving for the others."""
        at = self.centre
        for _ in range(ROUNDS):
            at = self._newton(self._descend(at), tolerance)
            if self.kinks.violation(self.slope(at), at).max(initial=0.0) <= tolerance:
                break
        return at

    def _descend(self, start: np.ndarray) -> np.ndarray:
        """Accelerated proximal gradient steps that do not end higher than they began."""
        before = self.value(start)
        while True:
            step = 1.0 / (self.lipschitz * self.metric)
            at = ahead = start
            momentum = 1.0
            for _ in range(GRADIENT_STEPS):
                new = self.kinks.shrink(ahead - step * self.slope(ahead), step)
                faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
                ahead = new + (momentum - 1.0) / faster * (new - at)
                at, momentum = new, faster
            if self.value(at) <= before + ROUNDING * abs(before) or self.lipschitz > 1e30:
                return at
            self.lipschitz *= 2.0

    def _newton(self, at: np.ndarray, tolerance: float) -> np.ndarray:
        """Newton steps among the blocks that are not zero."""
        value = self.value(at)
        for _ in range(10):
            live = self.kinks.live(at)
            slope = (self.slope(at) + self.kinks.slope(at))[live]
            if np.abs(slope).max(initial=0.0) <= 0.1 * tolerance:
                break
            places = np.flatnonzero(live)
            hessian = (self.matrix + self.kinks.curvature(at))[np.ix_(places, places)]
            try:
                factor = cho_factor(hessian, check_finite=False)
            except LinAlgError:
                break
            delta = np.zeros_like(at)
            delta[places] = -cho_solve(factor, slope, check_finite=False)
            for shorter in SHORTER:
                new = at + shorter * delta
                turned = _turned(at, new, self.kinks)
                new_value = self.value(new)
                if turned.any():
                    # a block that turns round crosses zero or stops there, whichever is lower
                    stopped = np.where(self.kinks.spread(turned, 0.0) > 0, 0.0, new)
                    stopped_value = self.value(stopped)
                    if stopped_value <= new_value:
                        new, new_value = stopped, stopped_value
                if new_value < value:
                    break
            else:
                break
            at, value = new, new_value
        return at
