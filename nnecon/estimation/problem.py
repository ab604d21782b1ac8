r"""What is estimated: objective, chains of problems, and their solutions.

.. math::

    F(\theta) = \frac{\sum_i w_i\, \ell(y_i, f(x_i; \theta))}{\sum_i w_i}
        + \alpha\, P(\theta) .

Every resample (fold, bootstrap draw, window) is a vector of weights ``w``: shapes never change, so
the compiled kernels serve all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nnecon.estimation.losses import Loss, Squared
from nnecon.estimation.penalties import Penalty
from nnecon.nets import Network


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """What all problems of a batch share.

    Parameters
    ----------
    network : Network
        Function of parameters and one row.
    inputs : ndarray of shape (n, r)
        One row of network inputs an observation.
    target : ndarray of shape (n,)
        The dependent variable.
    penalty : Penalty
        The ``P``.
    loss : Loss
        Loss ``l`` of one observation.
    """

    network: Network
    inputs: np.ndarray
    target: np.ndarray
    penalty: Penalty
    loss: Loss = field(default_factory=Squared)

    @property
    def penalised(self) -> np.ndarray:
        """One for the neural part and zero for the classical part, shape (k,)."""
        return self.penalty.penalised


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Problems solved one after the other, each warm-started from an earlier one.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Observation weights; zero leaves a row out.
    start : ndarray of shape (k,)
        Start of the first problem.
    alphas : ndarray of shape (m,)
        Penalty of each problem, in the order of solution.
    after : ndarray of int of shape (m,)
        Position of the problem whose solution is the start, -1 for ``start``.
    ceiling : float
        Objective above which a branch is not followed to larger penalties, where it only grows;
        the problems left out have an infinite loss.
    target : ndarray of shape (n,), optional
        Dependent variable of these problems, in place of the objective's: a bootstrap sample of a
        scheme that draws residuals.
    """

    weights: np.ndarray
    start: np.ndarray
    alphas: np.ndarray
    after: np.ndarray
    ceiling: float = np.inf
    target: np.ndarray | None = None

    @classmethod
    def single(
        cls,
        weights: np.ndarray,
        start: np.ndarray,
        alpha: float,
        target: np.ndarray | None = None,
    ) -> "Chain":
        """One problem."""
        return cls(weights, start, np.array([alpha]), np.array([-1]), target=target)

    def objective(self, shared: Objective) -> Objective:
        """What this chain minimises, given what all chains of a batch share."""
        return shared if self.target is None else replace(shared, target=self.target)

    def is_dead(self, position: int, objectives: Sequence[float]) -> bool:
        """Whether the problem at ``position`` is to be left out, given the objectives so far."""
        after = self.after[position]
        if after < 0 or self.alphas[position] < self.alphas[after]:
            return False
        return bool(objectives[after] > self.ceiling)


@dataclass(frozen=True, slots=True)
class Options:
    """When a solver leaves a problem.

    Parameters
    ----------
    gradient : float
        Stop where the relative gradient norm is under this number.
    decrease : float
        Stop where a step promised to lower the objective by less than this share.
    first, later : int
        Iterations allowed on the first problem of a chain and on the warm-started ones.
    warm : bool
        Whether the first problem, too, starts near its solution.
    rough : bool
        Whether matrices of second derivatives may be in single precision, as long as gradients
        are not.
    """

    gradient: float
    decrease: float
    first: int
    later: int
    warm: bool = False
    rough: bool = False


FAST = Options(gradient=1e-3, decrease=1e-4, first=30, later=8, rough=True)
"""Enough to score a resample and to tell minima apart."""

NEXT = replace(FAST, first=FAST.later, warm=True)
"""The same from the solution of a neighbouring problem."""

PATIENT = Options(gradient=1e-11, decrease=1e-22, first=2000, later=2000)
"""As far as rounding allows: what is reported."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Solutions of a chain, in its order.

    ``params`` (m, k); ``loss`` and ``penalty`` (m,), so that the objective at any other alpha is
    ``loss + alpha * penalty``; ``certificate`` and ``iterations`` (m,); ``history`` the objectives
    of the last problem, iteration by iteration; ``note`` what a solver has to say about its end.
    """

    params: np.ndarray
    loss: np.ndarray
    penalty: np.ndarray
    certificate: np.ndarray
    iterations: np.ndarray
    history: np.ndarray = field(default_factory=lambda: np.zeros(0))
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """One estimate and the evidence that it solves its problem.

    Parameters
    ----------
    params : ndarray of shape (k,)
        The solution, in the coordinates of the objective.
    alpha : float
        Penalty strength.
    objective, loss, penalty : float
        ``objective = loss + alpha * penalty``.
    certificate : float
        Relative gradient norm, see :func:`nnecon.estimation.kernels.certificate`.
    converged : bool
        Whether ``certificate`` is under 1e-6.
    iterations : int
        Iterations of all stages.
    method : str
        Algorithm.
    status : str
        A sentence.
    history : ndarray of shape (iterations of the last stage + 1,)
        The objective at the start of the last stage and after each of its iterations (epochs of
        a mini-batch method).
    """

    params: np.ndarray
    alpha: float
    objective: float
    loss: float
    penalty: float
    certificate: float
    converged: bool
    iterations: int
    method: str
    status: str
    history: np.ndarray = field(default_factory=lambda: np.zeros(0))
