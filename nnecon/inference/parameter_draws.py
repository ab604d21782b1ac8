r"""Draws of a system's parameters: one Gauss-Newton step from the estimate on bootstrapped errors.

With residuals :math:`e_t` of all equations and signs :math:`\eta_t = \pm 1` that all equations of a
period share,

.. math::

    \theta^* = \hat\theta + (J'J + n\alpha D)^{-1} J' (\eta e),

the wild bootstrap (Liu, 1988) with the network linearised at its estimate, as one-step bootstraps
do (Andrews, 2002). In a linear equation this is the wild bootstrap itself. Draws keep the
heteroskedasticity of the errors and their correlation between equations, and cost one
factorisation a network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnecon.estimation.gauss_newton import GaussNewton
from nnecon.estimation.problem import Objective
from nnecon.inference.effects import values_and_gradients
from nnecon.nets import LinearPart


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Parameters of b draws: ``linear`` (b, p, m) and ``networks`` (b, l, d, k)."""

    linear: np.ndarray
    networks: np.ndarray


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
    """

    objective: Objective
    params: np.ndarray
    alpha: float
    residual: np.ndarray
    live: bool

    @property
    def free(self) -> np.ndarray:
        """Linear regressors, shape (n, p)."""
        network = self.objective.network
        assert isinstance(network, LinearPart)
        return self.objective.inputs[:, : network.n_linear]


def draw_parameters(
    equations: Sequence[Estimated], count: int, rng: np.random.Generator
) -> Draws:  # fmt: skip
    """Draw the parameters of all equations together."""
    n = len(equations[0].residual)
    signs = rng.choice([-1.0, 1.0], size=(n, count))
    linear, networks = [], []
    for one in equations:
        p = one.free.shape[1]
        errors = one.residual[:, None] * signs
        if not one.live:
            change = np.linalg.lstsq(one.free, errors, rcond=None)[0]
            linear.append(one.params[:, :p].mean(axis=0)[:, None] + change)
            continue
        moved = np.stack([_moved(one, params, errors) for params in one.params])
        linear.append(moved[:, :p].mean(axis=0))
        moved[:, :p] = 0.0
        networks.append(np.moveaxis(moved, 2, 0))
    k = equations[0].params.shape[1]
    together = np.stack(networks, axis=1) if networks else np.zeros((count, 0, 1, k))
    return Draws(np.moveaxis(np.stack(linear, axis=1), 2, 0), together)


def _moved(one: Estimated, params: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Parameters after the step, shape (k, b)."""
    if not params[one.objective.network.neural].any():
        change = np.zeros((len(params), errors.shape[1]))
        change[: one.free.shape[1]] = np.linalg.lstsq(one.free, errors, rcond=None)[0]
        return params[:, None] + change
    root = len(errors) ** -0.5
    _, gradients = values_and_gradients(one.objective.network, params, one.objective.inputs)
    jacobian = root * gradients
    matrix = GaussNewton(jacobian, one.alpha * one.objective.penalty.ridge)
    return params[:, None] + matrix.solve(jacobian.T @ (root * errors))
