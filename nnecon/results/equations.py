"""One estimated equation of a forecaster: a target on its linear regressors and the network."""

from dataclasses import dataclass, replace

import numpy as np

from nnecon.data.scaling import Scaling
from nnecon.estimation.estimate import certify
from nnecon.estimation.problem import Chain, Objective, Solution
from nnecon.nets import LinearPart
from nnecon.results.path import CrossValidation, RegularizationPath


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
    """

    name: str
    objective: Objective
    scaling: Scaling
    solutions: tuple[Solution, ...]
    alpha: float
    rule: str
    edf: float
    path: RegularizationPath | None = None
    cv: CrossValidation | None = None

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
    def converged(self) -> bool:
        """Whether every draw is certified."""
        return all(solution.converged for solution in self.solutions)

    @property
    def linear(self) -> np.ndarray:
        """Coefficients of the linear part in the user's units, shape (p,); the mean over draws."""
        scaling = self.scaling
        p = len(scaling.linear)
        coefs = self.params[:, :p].mean(axis=0) * scaling.target_scale / scaling.linear_scale
        coefs[0] += scaling.target_shift - coefs[1:] @ scaling.linear_shift[1:]
        return coefs

    def classical(self, coefs: np.ndarray) -> "Equation":
        """The equation without its network, from least-squares coefficients (p,)."""
        scaling, p = self.scaling, len(self.scaling.linear)
        params = np.zeros(self.network.n_params)
        params[1:p] = coefs[1:] * scaling.linear_scale[1:] / scaling.target_scale
        centred = coefs[0] + coefs[1:] @ scaling.linear_shift[1:] - scaling.target_shift
        params[0] = centred / scaling.target_scale
        chain = Chain.single(np.ones(len(self.objective.target)), params, np.inf)
        solution = certify(self.objective, params, chain, "least squares", 1)
        return replace(
            self, solutions=(solution,), alpha=np.inf, rule="the user", edf=float(p), path=None,
            cv=None,
        )  # fmt: skip
