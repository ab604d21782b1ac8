r"""Penalties: what the size of the neural part costs.

Each is :math:`P(\theta) = \tfrac12 \sum_j d_j \theta_j^2` plus, where ``L1_wt`` is positive, a part
with a kink at zero that sets parameters to zero exactly. ``alpha`` multiplies the whole.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Penalty(Protocol):
    """What solvers ask of a penalty.

    ``penalised`` (k,) is one for the neural part and zero for the classical part, ``ridge`` (k,)
    the weights of the squares, and ``smooth`` says whether there is nothing else.
    """

    penalised: np.ndarray

    @property
    def ridge(self) -> np.ndarray:
        """Weights ``d_j`` of the squares, shape (k,)."""
        ...

    @property
    def smooth(self) -> bool:
        """Whether the penalty is differentiable."""
        ...

    def value(self, params: np.ndarray) -> float:
        """Penalty at ``params``, at ``alpha = 1``."""
        ...

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Proximal operator of ``step`` times the part with a kink; the squares are left out."""
        ...

    def violation(self, gradient: np.ndarray, params: np.ndarray, alpha: float) -> np.ndarray:
        """How far each parameter is from stationary, shape (k,).

        ``gradient`` is that of loss and squares; zero where subgradients of ``alpha`` times the
        kinked part can balance it.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Half the sum of squares of the penalised parameters (Hoerl and Kennard, 1970)."""

    penalised: np.ndarray

    @property
    def ridge(self) -> np.ndarray:
        """Weights of the squares."""
        return self.penalised

    @property
    def smooth(self) -> bool:
        """It is differentiable."""
        return True

    def value(self, params: np.ndarray) -> float:
        """Half the sum of squares."""
        return float(0.5 * self.penalised @ params**2)

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Nothing is shrunk to zero."""
        return params

    def violation(self, gradient: np.ndarray, params: np.ndarray, alpha: float) -> np.ndarray:
        """The gradient itself."""
        return np.abs(gradient)


@dataclass(frozen=True, slots=True, eq=False)
class ElasticNet:
    r"""Absolute values beside squares, which sets single weights to zero (Zou and Hastie, 2005).

    .. math:: P = \sum_j d_j \left[ \tfrac{1 - \lambda}{2} \theta_j^2 + \lambda |\theta_j| \right],
        \quad \lambda = \text{L1\_wt} .
    """

    penalised: np.ndarray
    L1_wt: float

    @property
    def ridge(self) -> np.ndarray:
        """Weights of the squares."""
        return (1.0 - self.L1_wt) * self.penalised

    @property
    def smooth(self) -> bool:
        """Whether there are no absolute values."""
        return self.L1_wt == 0.0

    def value(self, params: np.ndarray) -> float:
        """Squares and absolute values."""
        return float(self.ridge @ params**2 / 2 + self.L1_wt * (self.penalised @ np.abs(params)))

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Soft thresholding."""
        threshold = step * self.L1_wt * self.penalised
        return np.sign(params) * np.maximum(np.abs(params) - threshold, 0.0)

    def violation(self, gradient: np.ndarray, params: np.ndarray, alpha: float) -> np.ndarray:
        """Distance of the gradient from the subdifferential of the absolute values."""
        kink = alpha * self.L1_wt * self.penalised
        at_zero = np.maximum(np.abs(gradient) - kink, 0.0)
        return np.where(params == 0, at_zero, np.abs(gradient + kink * np.sign(params)))


@dataclass(frozen=True, slots=True, eq=False)
class GroupLasso:
    r"""Norms of groups of weights beside squares, which drops whole groups (Yuan and Lin, 2006).

    .. math:: P = \tfrac{1 - \lambda}{2} \sum_{j \in G} d_j \theta_j^2
        + \lambda \sum_g \sqrt{p_g}\, \|\theta_g\|
        + \tfrac12 \sum_{j \notin G} d_j \theta_j^2 .

    Parameters
    ----------
    penalised : ndarray of shape (k,)
        One for the neural part.
    L1_wt : float
        Share of the norms.
    groups : tuple of ndarray of int
        Positions of the parameters of each group, which do not overlap; :math:`p_g` is their
        number. Penalised parameters in no group have squares alone.
    """

    penalised: np.ndarray
    L1_wt: float
    groups: tuple[np.ndarray, ...]

    @property
    def ridge(self) -> np.ndarray:
        """Weights of the squares."""
        weights = np.array(self.penalised, dtype=float)
        for group in self.groups:
            weights[group] *= 1.0 - self.L1_wt
        return weights

    @property
    def smooth(self) -> bool:
        """Whether there are no norms."""
        return self.L1_wt == 0.0 or not self.groups

    def value(self, params: np.ndarray) -> float:
        """Squares and norms."""
        norms = sum(np.sqrt(len(g)) * np.linalg.norm(params[g]) for g in self.groups)
        return float(self.ridge @ params**2 / 2 + self.L1_wt * norms)

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Shorten the vector of each group, to zero where it is short; one step a group."""
        params = params.copy()
        steps = np.broadcast_to(step, params.shape)
        for group in self.groups:
            size = np.linalg.norm(params[group])
            threshold = steps[group].max() * self.L1_wt * np.sqrt(len(group))
            params[group] *= max(0.0, 1.0 - threshold / size) if size > 0 else 0.0
        return params

    def violation(self, gradient: np.ndarray, params: np.ndarray, alpha: float) -> np.ndarray:
        """Distance of the gradient from the subdifferential of the norms."""
        distance = np.abs(gradient)
        for group in self.groups:
            size = np.linalg.norm(params[group])
            kink = alpha * self.L1_wt * np.sqrt(len(group))
            if size > 0:
                distance[group] = np.abs(gradient[group] + kink * params[group] / size)
            else:
                length = np.linalg.norm(gradient[group])
                share = max(0.0, 1.0 - kink / length) if length > 0 else 0.0
                distance[group] = share * np.abs(gradient[group])
        return distance
