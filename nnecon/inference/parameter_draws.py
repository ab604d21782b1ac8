r"""Draws of a system's parameters: one Gauss-Newton step from the estimate on bootstrapped errors.

With residuals :math:`e_t` of all equations and signs :math:`\eta_t = \pm 1` that all equations of a
period share,

.. math::

    \theta^* = \hat\theta + (J'J + n\alpha D)^{-1} J' (\eta e),

the wild bootstrap (Liu, 1988) with the network linearised at its estimate, as one-step bootstraps
do (Andrews, 2002). In a linear equation this is the wild bootstrap itself. Draws keep the
heteroskedasticity of the errors and their correlation between equations, and cost one
factorisation a network.

What a draw says about forecasts is read off the linearised network too,

.. math:: f(x; \hat\theta) + \nabla f(x; \hat\theta)'(\theta^* - \hat\theta) .

Where the penalty is small the step is long along directions that the sample says little about. The
network itself may do anything there, while the linearised one has the variance of the delta method
(Immer, Korzepa and Bauer, 2021).

Responses to shocks are functions of the network whose bias does not average out: shrinkage makes it
flatter, and responses smaller. They are debiased, by the step on the residuals themselves,

.. math:: \hat\theta + (J'J + n \kappa\alpha D)^{-1} J' e, \qquad \kappa = 0.1 ,

from which draws start that bear as small a share of the penalty. A linear equation does not move,
as its residuals are orthogonal to its regressors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnecon.estimation.gauss_newton import GaussNewton
from nnecon.estimation.kernels import fitted, roots
from nnecon.estimation.problem import Objective
from nnecon.inference.effects import values_and_gradients
from nnecon.inference.one_step import UNDERSMOOTHING
from nnecon.nets import LinearPart

LEAST_LEFT = 0.2
"""Least share of a residual that a row's leverage is taken to leave."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Linear parts of b draws ``linear`` (b, p, m), and ``moves`` (b, l, d, k) of the networks."""

    linear: np.ndarray
    moves: np.ndarray

    def around(self, other: "Draws") -> "Draws":
        """The same deviations from the mean, around a draw."""
        linear = self.linear - self.linear.mean(axis=0) + other.linear
        return Draws(linear, self.moves - self.moves.mean(axis=0) + other.moves)


@dataclass(frozen=True, slots=True, eq=False)
class Estimated:
    """What a draw needs of an equation.

    Parameters
    ----------
    objective : Objective
        The standardised problem.
    params : ndarray of shape (d, k)
        Its networks.
    alpha : float
        Penalty.
    residual : ndarray of shape (n,)
        Standardised, and corrected for degrees of freedom.
    live : bool
        Whether there is a network.
    weights : ndarray of shape (n,)
        Weights of the rows.
    information : float
        Expected curvature of the loss over that of weighted squares: one but for Student-t errors.
    """

    objective: Objective
    params: np.ndarray
    alpha: float
    residual: np.ndarray
    live: bool
    weights: np.ndarray
    information: float = 1.0

    @property
    def free(self) -> np.ndarray:
        """Linear regressors, shape (n, p)."""
        network = self.objective.network
        assert isinstance(network, LinearPart)
        return self.objective.inputs[:, : network.n_linear]


def draw_parameters(
    equations: Sequence[Estimated],
    count: int,
    rng: np.random.Generator,
    places: Sequence[np.ndarray] | None = None,
    n_linear: int | None = None,
) -> Draws:
    """Draw the parameters of all equations together.

    Parameters
    ----------
    equations : sequence of Estimated
        m equations on the same rows.
    count : int
        Draws.
    rng : numpy.random.Generator
    places : sequence of ndarray of int, optional
        Positions of each equation's linear regressors among all; by default each has all of them.
    n_linear : int, optional
        How many there are.
    """
    n = len(equations[0].residual)
    signs = rng.choice([-1.0, 1.0], size=(n, count))
    total = equations[0].free.shape[1] if n_linear is None else n_linear
    every = [np.arange(total)] * len(equations) if places is None else places
    steps = [
        np.stack([_step(one, draw, one.residual[:, None] * signs) for draw in one.params])
        if one.live
        else _linear_step(one, one.residual[:, None] * signs)[None]
        for one in equations
    ]
    return _together(equations, steps, every, total)


def _together(
    equations: Sequence[Estimated],
    steps: Sequence[np.ndarray],
    places: Sequence[np.ndarray],
    n_linear: int,
) -> Draws:
    """Draws from the steps (d, k, b) of the networks of each equation; (1, p, b) where linear."""
    count = steps[0].shape[2]
    linear, moves = np.zeros((count, n_linear, len(equations))), []
    for at, (one, step, own) in enumerate(zip(equations, steps, places, strict=True)):
        p = len(own)
        centre = one.params[:, :p].mean(axis=0)[:, None]
        linear[:, own, at] = (centre + step[:, :p].mean(axis=0)).T
        if one.live:
            neural = np.moveaxis(step[:, p:], 2, 0)
            moves.append(np.concatenate([np.zeros((*neural.shape[:2], n_linear)), neural], axis=2))
    k = equations[0].params.shape[1] - equations[0].free.shape[1] + n_linear
    together = np.stack(moves, axis=1) if moves else np.zeros((count, 0, 1, k))
    return Draws(linear, together)


def debiased(
    equations: Sequence[Estimated], places: Sequence[np.ndarray], n_linear: int
) -> Draws:  # fmt: skip
    """The step on the residuals of every network, as one draw."""
    steps = [
        np.stack([_step(lighter(one), draw, _residual(one, draw)[:, None]) for draw in one.params])
        for one in equations
    ]
    return _together(equations, steps, places, n_linear)


def lighter(one: Estimated) -> Estimated:
    """The equation with the share of its penalty that a step bears.

    Residuals are those of the estimate, divided by one less their leverage in the step, as in HC3.
    """
    if not one.live:
        return one
    one = replace(one, alpha=UNDERSMOOTHING * one.alpha)
    residual = np.mean([_residual(one, draw) for draw in one.params], axis=0)
    leverage = np.mean([_leverage(one, draw) for draw in one.params], axis=0)
    return replace(one, residual=residual / np.maximum(1.0 - leverage, LEAST_LEFT))


def _leverage(one: Estimated, params: np.ndarray) -> np.ndarray:
    """Diagonal of the step's hat matrix, shape (n,)."""
    jacobian, matrix = _gauss_newton(one, params)
    return np.einsum("ij,ji->i", jacobian, matrix.solve(jacobian.T))


def _residual(one: Estimated, params: np.ndarray) -> np.ndarray:
    return one.objective.target - fitted(one.objective.network, params, one.objective.inputs)


def draw_values(
    equations: Sequence[Estimated],
    row: np.ndarray,
    count: int,
    block: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Changes of the values at one row, by draws of the parameters.

    Parameters
    ----------
    equations : sequence of Estimated
        m equations on the same rows.
    row : ndarray of shape (r,)
        Standardised.
    count : int
        Draws.
    block : int
        Neighbouring rows that share a sign, since their errors overlap (Shao, 2010).
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (count, m)
        In standard deviations of the targets.
    """
    n = len(equations[0].residual)
    signs = np.repeat(rng.choice([-1.0, 1.0], size=(-(-n // block), count)), block, axis=0)[:n]
    changes = []
    for one in equations:
        errors, p = one.residual[:, None] * signs, one.free.shape[1]
        if not one.live:
            changes.append(row[:p] @ _linear_step(one, errors))
            continue
        moved = []
        for params in one.params:
            _, gradient = values_and_gradients(one.objective.network, params, row[None])
            moved.append(gradient[0] @ _step(one, params, errors))
        changes.append(np.mean(moved, axis=0))
    return np.column_stack(changes)


def _linear_step(one: Estimated, errors: np.ndarray) -> np.ndarray:
    """The step of a linear equation, shape (p, b)."""
    root = np.sqrt(one.weights)[:, None]
    return np.linalg.lstsq(root * one.free, root * errors, rcond=None)[0] / one.information


def _step(one: Estimated, params: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The step, shape (k, b)."""
    if not params[one.objective.network.neural].any():
        change = np.zeros((len(params), errors.shape[1]))
        change[: one.free.shape[1]] = _linear_step(one, errors)
        return change
    root = roots(one.weights)[:, None]
    jacobian, matrix = _gauss_newton(one, params)
    return matrix.solve(jacobian.T @ (root * errors)) / one.information


def _gauss_newton(one: Estimated, params: np.ndarray) -> tuple[np.ndarray, GaussNewton]:
    """Derivatives (n, k) times the roots of the weights, and the penalised matrix."""
    _, gradients = values_and_gradients(one.objective.network, params, one.objective.inputs)
    jacobian = roots(one.weights)[:, None] * gradients
    return jacobian, GaussNewton(jacobian, one.alpha * one.objective.penalty.ridge)
