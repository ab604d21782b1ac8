r"""Levenberg-Marquardt for penalised, weighted sums of squares, many chains at a time.

Each step solves :math:`(J'WJ + \alpha D + \lambda S)\delta = -\nabla F` with Marquardt's scaling
:math:`S` (a slowly forgetting maximum of the diagonal of the first matrix) and Nielsen's rule for
:math:`\lambda` (Madsen, Nielsen and Tingleff, 2004). A batch holds one lane a chain; a lane
that has solved its problem goes on to its next penalty while the others work, so that one compiled
call serves all of them. Without a penalty the step comes from a QR factorisation of the Jacobian
instead of the normal equations, whose condition number is the square (Bjorck, 1996), and is
corrected by geodesic acceleration, which keeps it within the region where the model is nearly
linear (Transtrum and Sethna, 2012).
"""

from typing import NamedTuple

import numpy as np

from nnecon.estimation.kernels import double_precision, kernels, roots
from nnecon.estimation.problem import FAST, Chain, Objective, Options, Trace

MEMORY = 0.5
"""Share of a parameter's scaling that survives a step. Marquardt's running maximum (1.0) never
leaves a canyon whose scale changes (NIST's MGH10); none at all (0.0) forgets where it came from."""

GAUSS_NEWTON_STEPS = 3
"""After so many iterations on a cold start, and at once on a warm one, the exact Hessian is used:
where residuals are large, Gauss-Newton steps converge linearly and Newton steps quadratically."""


class _Step(NamedTuple):
    """Steps of some lanes (l, k), the decrease they promise (l,), and whether to try them (l,)."""

    delta: np.ndarray
    promised: np.ndarray
    allowed: np.ndarray


def _normal_step(state: "_Lanes", on: np.ndarray) -> _Step:
    """Solve the damped normal equations of the lanes ``on``."""
    matrix = state.gram[on].copy()
    k = matrix.shape[-1]
    matrix[:, np.arange(k), np.arange(k)] += state.ridge[on] + (
        state.damping[on, None] * state.scaling[on]
    )
    downhill = -state.gradient[on][..., None]
    newton = (state.position[on] > 0) | (state.iterations[on] >= GAUSS_NEWTON_STEPS)
    if newton.any():
        exact = matrix.copy()
        exact[newton] += state.bending(on[newton])
        delta = np.linalg.solve(exact, downhill)
        # an indefinite Hessian can point uphill: those lanes take the Gauss-Newton step
        uphill = (delta * downhill).sum(axis=(1, 2)) <= 0
        if uphill.any():
            delta[uphill] = np.linalg.solve(matrix[uphill], downhill[uphill])
    else:
        delta = np.linalg.solve(matrix, downhill)
    delta = delta[..., 0]
    return _Step(delta, state.promise(delta, on), np.ones(len(on), dtype=bool))


def _qr_step(state: "_Lanes", on: np.ndarray) -> _Step:
    """Solve the damped least-squares problem of the lanes ``on`` by QR of the scaled Jacobian.

    The second-order correction of the step (geodesic acceleration) has to be small beside it.
    """
    scale = np.sqrt(state.scaling[on])
    diagonal = np.eye(scale.shape[-1])
    damped = np.sqrt(state.damping[on])[:, None, None] * diagonal
    root = np.sqrt(state.ridge[on])
    penalty = (root / scale)[:, :, None] * diagonal
    stacked = np.concatenate([state.jacobian[on] / scale[:, None, :], penalty, damped], axis=1)
    q, r = np.linalg.qr(stacked)

    def solve(residual: np.ndarray, pull: np.ndarray) -> np.ndarray:
        right = np.concatenate([residual, pull, np.zeros_like(scale)], axis=1)
        return -np.linalg.solve(r, np.swapaxes(q, 1, 2) @ right[..., None])[..., 0]

    velocity = solve(state.residual[on], root * state.params[on])
    delta = velocity / scale
    bend = state.second_directional(delta, on)
    known = np.isfinite(bend).all(axis=1)
    bend[~known] = 0.0
    acceleration = 0.5 * solve(bend, np.zeros_like(scale))
    size = np.linalg.norm(velocity, axis=1)
    allowed = known & (2.0 * np.linalg.norm(acceleration, axis=1) <= 0.75 * size)
    return _Step(delta + acceleration / scale, state.promise(delta, on), allowed)


class _Lanes:
    """State of a batch: one lane a chain, arrays with the lane first."""

    def __init__(self, objective: Objective, chains: list[Chain]):
        self.objective, self.chains = objective, chains
        self.data = objective.inputs, objective.target
        self.kernels = kernels(objective.network, objective.loss)
        lanes, k = len(chains), len(chains[0].start)
        self.roots = roots(np.stack([chain.weights for chain in chains]))
        self.target_norm = np.linalg.norm(self.roots * objective.target, axis=1)
        self.position = np.zeros(lanes, dtype=int)
        self.alive = np.ones(lanes, dtype=bool)
        self.params = np.stack([chain.start for chain in chains]).astype(float)
        self.ridge = np.stack([chain.alphas[0] * objective.penalised for chain in chains])
        self.iterations = np.zeros(lanes, dtype=int)
        self.damping = np.full(lanes, 1e-3)
        self.growth = np.full(lanes, 2.0)
        shape = (lanes, max(len(chain.alphas) for chain in chains))
        self.traces = np.zeros((*shape, k))
        self.records = np.zeros((*shape, 4))
        self.residual, self.jacobian = self.evaluate(self.params)
        self.gram = np.swapaxes(self.jacobian, 1, 2) @ self.jacobian
        self.scaling = np.zeros((lanes, k))
        self.gradient = np.zeros((lanes, k))
        self.value = np.zeros(lanes)
        self.refresh(np.arange(lanes))

    def evaluate(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted residuals (lanes, n) and Jacobians (lanes, n, k)."""
        residual, jacobian = self.kernels.residual_jacobian(params, *self.data, self.roots)
        return np.array(residual), np.array(jacobian)

    def bending(self, on: np.ndarray) -> np.ndarray:
        """Exact Hessian less the Gauss-Newton matrix, for the lanes ``on``."""
        inputs = self.objective.inputs
        return np.asarray(self.kernels.bending(self.params, inputs, self.residual, self.roots))[on]

    def second_directional(self, delta: np.ndarray, on: np.ndarray) -> np.ndarray:
        """Second derivatives of the residuals along ``delta``, shape (l, n)."""
        every = np.zeros_like(self.params)
        every[on] = delta
        inputs = self.objective.inputs
        bend = self.kernels.second_directional(self.params, every, inputs, self.roots)
        return np.array(bend)[on]

    def promise(self, delta: np.ndarray, on: np.ndarray) -> np.ndarray:
        """Decrease of the objective that the quadratic model promises for damped steps."""
        damped = self.damping[on, None] * self.scaling[on] * delta
        return 0.5 * (delta * (damped - self.gradient[on])).sum(axis=1)

    def objective_at(self, residual: np.ndarray, params: np.ndarray) -> np.ndarray:
        """Objective of every lane."""
        return 0.5 * ((residual**2).sum(axis=1) + (self.ridge * params**2).sum(axis=1))

    def refresh(self, on: np.ndarray) -> None:
        """Recompute what follows from residual, Jacobian, parameters and penalty."""
        ridge = self.ridge[on]
        self.gradient[on] = (np.swapaxes(self.jacobian[on], 1, 2) @ self.residual[on][..., None])[
            ..., 0
        ] + ridge * self.params[on]
        diagonal = np.diagonal(self.gram[on], axis1=1, axis2=2) + ridge
        self.scaling[on] = np.maximum(
            MEMORY * self.scaling[on], np.where(diagonal > 0, diagonal, 1e-300)
        )
        self.value[on] = self.objective_at(self.residual, self.params)[on]

    def certificates(self) -> np.ndarray:
        """Relative gradient norm of every lane (see ``kernels.relative_gradient``)."""
        diagonal = np.diagonal(self.gram, axis1=1, axis2=2) + self.ridge
        norms = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        size = np.maximum(np.sqrt(2.0 * self.value), 1e-8 * self.target_norm)
        size = np.where(size > 0, size, 1.0)
        return (np.abs(self.gradient) / norms).max(axis=1) / size

    def accept(self, on: np.ndarray, params, residual, jacobian) -> None:
        """Move the lanes ``on`` to the trial point."""
        self.params[on] = params[on]
        self.residual[on], self.jacobian[on] = residual[on], jacobian[on]
        moved = self.jacobian[on]
        self.gram[on] = np.swapaxes(moved, 1, 2) @ moved
        self.refresh(on)

    def finish_problem(self, lane: int, certificate: float) -> None:
        """Record the lane's solution and set up its next problem."""
        chain, at = self.chains[lane], self.position[lane]
        penalty = 0.5 * self.objective.penalised @ self.params[lane] ** 2
        loss = 0.5 * (self.residual[lane] ** 2).sum()
        self.traces[lane, at] = self.params[lane]
        self.records[lane, at] = loss, penalty, certificate, self.iterations[lane]
        at += 1
        if at == len(chain.alphas):
            self.alive[lane] = False
            return
        self.position[lane], self.iterations[lane] = at, 0
        self.ridge[lane] = chain.alphas[at] * self.objective.penalised
        self.scaling[lane], self.damping[lane], self.growth[lane] = 0.0, 1e-3, 2.0
        if chain.after[at] != at - 1:
            self.params[lane] = (
                self.traces[lane, chain.after[at]] if chain.after[at] >= 0 else chain.start
            )
            residual, jacobian = self.evaluate(self.params)
            self.accept(np.array([lane]), self.params, residual, jacobian)
        else:
            self.refresh(np.array([lane]))

    def result(self) -> list[Trace]:
        """Traces in the order of the chains."""
        traces = []
        for lane, chain in enumerate(self.chains):
            m = len(chain.alphas)
            loss, penalty, certificate, iterations = self.records[lane, :m].T
            params = self.traces[lane, :m]
            traces.append(Trace(params, loss, penalty, certificate, iterations.astype(int)))
        return traces


def levenberg_marquardt(
    objective: Objective, chains: list[Chain], options: Options = FAST
) -> list[Trace]:
    """Solve a batch of chains; all have the same length of data and parameters.

    Steps to points where the residuals are not finite are refused like steps uphill.
    """
    regularised = all((chain.alphas > 0).all() for chain in chains) and objective.penalised.any()
    step = _normal_step if regularised else _qr_step
    with double_precision(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        state = _Lanes(objective, chains)
        while state.alive.any():
            _iterate(state, step, options)
        return state.result()


def _iterate(state: _Lanes, step, options: Options) -> None:
    """One damped Gauss-Newton step of every living lane, then hand finished lanes on."""
    on = np.flatnonzero(state.alive)
    delta, promised, allowed = step(state, on)
    trial = state.params.copy()
    trial[on] += delta
    residual, jacobian = state.evaluate(trial)
    value = state.objective_at(residual, trial)[on]
    usable = allowed & np.isfinite(value) & np.isfinite(jacobian[on]).all(axis=(1, 2))
    gain = np.where(usable, state.value[on] - value, -np.inf)
    ratio = gain / np.where(promised > 0, promised, 1e-300)
    better = usable & (gain >= 0) & (promised > 0)
    small = promised <= options.decrease * state.value[on]
    state.iterations[on] += 1

    state.accept(on[better], trial, residual, jacobian)
    shrink = np.maximum(1.0 / 3.0, 1.0 - (2.0 * np.minimum(ratio, 1.0) - 1.0) ** 3)
    state.damping[on] *= np.where(better, shrink, state.growth[on])
    state.damping[on] = np.maximum(state.damping[on], 1e-16)
    state.growth[on] = np.where(better, 2.0, 2.0 * state.growth[on])

    certificates = state.certificates()
    moved = np.abs(delta).max(axis=1) > 1e-15 * np.abs(state.params[on]).max(axis=1)
    for place, lane in enumerate(on):
        limit = options.first if state.position[lane] == 0 else options.later
        done = (
            certificates[lane] < options.gradient
            or (better[place] and small[place])
            or not moved[place]
            or state.damping[lane] > 1e25
            or state.iterations[lane] >= limit
        )
        if done:
            state.finish_problem(int(lane), certificates[lane])
