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
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnecon.estimation.gauss_newton import GaussNewton
from nnecon.estimation.kernels import roots
from nnecon.estimation.problem import Objective
from nnecon.inference.effects import values_and_gradients
from nnecon.nets import LinearPart


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Linear parts of b draws ``linear`` (b, p, m), and ``moves`` (b, l, d, k) of the networks."""

    linear: np.ndarray
    moves: np.ndarray


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
    linear, moves = np.zeros((count, total, len(equations))), []
    for at, (one, own) in enumerate(zip(equations, every, strict=True)):
        p = one.free.shape[1]
        errors = one.residual[:, None] * signs
        centre = one.params[:, :p].mean(axis=0)[:, None]
        if not one.live:
            linear[:, own, at] = (centre + _linear_step(one, errors)).T
            continue
        steps = np.stack([_step(one, params, errors) for params in one.params])
        linear[:, own, at] = (centre + steps[:, :p].mean(axis=0)).T
        neural = np.moveaxis(steps[:, p:], 2, 0)
        moves.append(np.concatenate([np.zeros((*neural.shape[:2], total)), neural], axis=2))
    k = equations[0].params.shape[1] - equations[0].free.shape[1] + total
    together = np.stack(moves, axis=1) if moves else np.zeros((count, 0, 1, k))
    return Draws(linear, together)


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
    _, gradients = values_and_gradients(one.objective.network, params, one.objective.inputs)
    jacobian = root * gradients
    matrix = GaussNewton(jacobian, one.alpha * one.objective.penalty.ridge)
    return matrix.solve(jacobian.T @ (root * errors)) / one.information
