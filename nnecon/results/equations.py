"""One estimated equation of a forecaster: a target on its linear regressors and the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.long_lags import Held
from nnecon.data.scaling import Scaling
from nnecon.estimation.classical import least_squares
from nnecon.estimation.kernels import fitted
from nnecon.estimation.path import classical_solution
from nnecon.estimation.problem import Objective, Solution
from nnecon.estimation.student import Tail, student_regression
from nnecon.inference.lag_effects import LagEffects
from nnecon.nets import LinearPart
from nnecon.results.immutable import Immutable
from nnecon.results.path import CrossValidation, RegularizationPath

TRAININGS = ("Adam", "SGD")
"""Methods of mini-batches, as solutions name them."""


@dataclass(frozen=True, slots=True, eq=False)
class Equation:
    """Estimate of one equation; a network has d draws, whose mean it is.

    Attributes
    ----------
    name : str
        The series that it explains.
    objective, scaling
        The standardised problem and the way back.
    solutions : tuple of Solution
        One a draw, the best first; the classical equation is one.
    alpha : float
        Penalty; infinite where the equation is linear.
    rule : str
        How the penalty was chosen, as a phrase for the summary.
    edf : float
        Effective degrees of freedom, the mean over draws.
    path, cv
        None where they were not computed.
    weights : ndarray of shape (n,)
        Weights of the rows: one but where errors are Student-t.
    tail : Tail, optional
        Student-t errors in standardised units; None where losses are squares.
    held : Held
        Long lags, which the objective's target is net of.
    """

    name: str
    objective: Objective
    scaling: Scaling
    solutions: tuple[Solution, ...]
    alpha: float
    rule: str
    edf: float
    path: RegularizationPath | None
    cv: CrossValidation | None
    weights: np.ndarray
    tail: Tail | None
    held: Held

    @property
    def network(self) -> LinearPart:
        """The network."""
        network = self.objective.network
        assert isinstance(network, LinearPart)
        return network

    @property
    def params(self) -> np.ndarray:
        """Standardised parameters, shape (d, k)."""
        return np.stack([solution.params for solution in self.solutions])

    @property
    def is_linear(self) -> bool:
        """Whether every draw is the classical equation."""
        return all(solution.penalty == 0.0 for solution in self.solutions)

    @property
    def trained(self) -> bool:
        """Whether networks were trained in mini-batches, and ended near minima, not at them."""
        return any(one.method in TRAININGS for one in self.solutions)

    @property
    def converged(self) -> bool:
        """Whether every draw is certified."""
        return all(solution.converged for solution in self.solutions)

    @property
    def cv_error(self) -> float:
        """Cross-validated error at its penalty; NaN where that was given and is not on the grid."""
        assert self.cv is not None
        at = np.flatnonzero(self.cv.alphas == self.alpha)
        return float(self.cv.mean[at[0]]) if len(at) else np.nan

    def values(self, rows: np.ndarray) -> np.ndarray:
        """Mean over the draws on standardised rows (n, r), in the units of the series, (n,).

        Without what long lags explain.
        """
        live = [one for one in self.solutions if one.penalty > 0]
        dead = [one for one in self.solutions if one.penalty == 0]
        total = sum((fitted(self.network, one.params, rows) for one in live), np.zeros(len(rows)))
        if dead:
            total = total + len(dead) * fitted(self.network, dead[0].params, rows)
        return self.scaling.restore(total / len(self.solutions))

    def log_density(self) -> np.ndarray:
        """Log density of each residual with Student-t errors, in units of the target, (n,)."""
        assert self.tail is not None
        values = [fitted(self.network, draw, self.objective.inputs) for draw in self.params]
        residual = self.objective.target - np.mean(values, axis=0)
        return self.tail.log_density(residual) - np.log(self.scaling.target_scale)

    @property
    def linear(self) -> np.ndarray:
        """Coefficients of its linear regressors in the user's units; the mean over draws."""
        scaling = self.scaling
        p = len(scaling.linear)
        coefs = self.params[:, :p].mean(axis=0) * scaling.target_scale / scaling.linear_scale
        coefs[0] += scaling.target_shift - coefs[1:] @ scaling.linear_shift[1:]
        return coefs

    def classical(self) -> "Equation":
        """The equation without its network: least squares, Student-t errors, or a quantile."""
        objective, p = self.objective, len(self.scaling.linear)
        weights, tail = self.weights, self.tail
        if tail is not None:
            found = student_regression(objective.inputs[:, :p], objective.target)
            weights, tail = found.weights, found.tail
        params = least_squares(self.network, objective.inputs, objective.target, weights)
        solution = classical_solution(objective, weights, params)
        return replace(
            self, solutions=(solution,), alpha=np.inf, rule="the user", edf=p + self.held.edf,
            path=None, cv=None, weights=weights, tail=tail,
        )  # fmt: skip


class EquationResults(Immutable):
    """Results that consist of equations."""

    model: Any
    equations: tuple[Equation, ...]

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return self.model.endog_names

    @property
    def is_linear(self) -> bool:
        """Whether every equation is linear, so that the estimates are the classical model's."""
        return all(equation.is_linear for equation in self.equations)

    @property
    def converged(self) -> bool:
        """Whether every equation is certified, by its gradient or by its duality gap."""
        return all(equation.converged for equation in self.equations)

    def _lag_effects(self, equation: Equation) -> pd.Series:
        """Average derivatives by each lag, through line and network."""
        of_draws = LagEffects(
            equation.network,
            self.model.layout,
            equation.scaling,
            equation.objective.inputs,
            self.model.series.names,
        )
        return of_draws(equation.params, equation.held.coefs)


def linear_table(equations: Sequence[Equation], p: int) -> np.ndarray:
    """Coefficients of all p linear regressors by equation, (p, m), zero where one is left out."""
    table = np.zeros((p, len(equations)))
    for at, one in enumerate(equations):
        table[:, at] = one.held.coefs
        table[one.scaling.linear, at] = one.linear
    return table
