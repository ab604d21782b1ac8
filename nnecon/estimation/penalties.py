r"""Penalties: what the size of the neural part costs.

Each is :math:`P(\theta) = \tfrac12 \sum_j d_j \theta_j^2 + \sum_b \kappa_b \|\theta_b\|`: squares,
and norms of blocks of parameters, which have a kink at zero and set whole blocks to zero exactly.
A block of one parameter is an absolute value. ``alpha`` multiplies the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense


@dataclass(frozen=True, slots=True, eq=False)
class Kinks:
    r"""The part :math:`\sum_b \kappa_b \|\theta_b\|` of a penalty.

    Parameters
    ----------
    block : ndarray of int of shape (k,)
        Number of the block that each parameter belongs to, -1 for none.
    strength : ndarray of shape (b,)
        Weights of the norms.
    """

    block: np.ndarray
    strength: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Whether a parameter belongs to a block, shape (k,)."""
        return self.block >= 0

    def norms(self, params: np.ndarray) -> np.ndarray:
        """Length of each block, shape (b,)."""
        inside = self.inside
        squares = params[inside] ** 2
        return np.sqrt(np.bincount(self.block[inside], squares, len(self.strength)))

    def value(self, params: np.ndarray) -> float:
        """Weighted sum of the norms."""
        return float(self.strength @ self.norms(params))

    def spread(self, per_block: np.ndarray, outside: float) -> np.ndarray:
        """One number a parameter from one a block, ``outside`` where there is no block."""
        return np.append(per_block, outside)[self.block]

    def live(self, params: np.ndarray) -> np.ndarray:
        """Parameters that are not held at zero: in no block, or in one that is not zero."""
        return self.spread(self.norms(params), 1.0) > 0

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Proximal operator of ``step`` times the norms; a block has its largest step."""
        inside = self.inside
        steps = np.zeros(len(self.strength))
        np.maximum.at(steps, self.block[inside], np.broadcast_to(step, params.shape)[inside])
        size, threshold = self.norms(params), steps * self.strength
        factor = np.where(size > threshold, 1.0 - threshold / np.where(size > 0, size, 1.0), 0.0)
        return params * self.spread(factor, 1.0)

    def slope(self, params: np.ndarray) -> np.ndarray:
        """Gradient where the blocks are not zero, and zero elsewhere, shape (k,)."""
        size = self.norms(params)
        pull = self.strength / np.where(size > 0, size, np.inf)
        return params * self.spread(pull, 0.0)

    def curvature(self, params: np.ndarray) -> np.ndarray:
        r"""Second derivatives :math:`\kappa_b / \|\theta_b\| (I - u u')` of live blocks, (k, k)."""
        size = self.norms(params)
        inverse = 1.0 / np.where(size > 0, size, np.inf)
        pull = self.spread(self.strength * inverse, 0.0)
        along = params * self.spread(inverse, 0.0)
        same = (self.block[:, None] == self.block) & self.inside
        return np.diag(pull) - (pull * along)[:, None] * along * same

    def bend(self, params: np.ndarray) -> np.ndarray:
        """Diagonal of :meth:`curvature`, shape (k,)."""
        size = self.norms(params)
        inverse = 1.0 / np.where(size > 0, size, np.inf)
        along = params * self.spread(inverse, 0.0)
        return self.spread(self.strength * inverse, 0.0) * np.maximum(1.0 - along**2, 0.0)

    def violation(self, gradient: np.ndarray, params: np.ndarray) -> np.ndarray:
        """Distance of minus the gradient from the subdifferential, by parameter, shape (k,)."""
        size, pull = self.norms(params), self.norms(gradient)
        reach = self.strength / np.where(pull > 0, pull, np.inf)
        share = np.where(size > 0, 0.0, np.maximum(1.0 - reach, 0.0))
        at_zero = self.spread(np.where(pull > 0, share, 0.0), 0.0) * np.abs(gradient)
        return np.where(self.live(params), np.abs(gradient + self.slope(params)), at_zero)


class Penalty(Protocol):
    """What solvers ask of a penalty.

    ``penalised`` (k,) is one for the neural part and zero for the classical part, ``ridge`` (k,)
    the weights of the squares, ``kinks`` the rest, and ``smooth`` says whether there is none.
    """

    @property
    def penalised(self) -> np.ndarray:
        """Zero for the classical part."""
        ...

    @property
    def ridge(self) -> np.ndarray:
        """Weights ``d_j`` of the squares, shape (k,)."""
        ...

    @property
    def kinks(self) -> Kinks:
        """The part that is not differentiable at zero."""
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
    def kinks(self) -> Kinks:
        """None."""
        return Kinks(np.full(len(self.penalised), -1), np.zeros(0))

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

    Output weights are among the :math:`\theta_j`, so that at every :math:`\lambda` the weights of
    a unit cannot shrink at no cost while its output weight grows.
    """

    penalised: np.ndarray
    L1_wt: float

    def __post_init__(self) -> None:
        check_share(self.L1_wt)

    @property
    def ridge(self) -> np.ndarray:
        """Weights of the squares."""
        return (1.0 - self.L1_wt) * self.penalised

    @property
    def kinks(self) -> Kinks:
        """One block a penalised parameter."""
        inside = (self.penalised > 0) & (self.L1_wt > 0)
        block = np.where(inside, np.cumsum(inside) - 1, -1)
        return Kinks(block, self.L1_wt * self.penalised[inside])

    @property
    def smooth(self) -> bool:
        """Whether there are no absolute values."""
        return self.L1_wt == 0.0 or not self.penalised.any()

    def value(self, params: np.ndarray) -> float:
        """Squares and absolute values."""
        return float(self.ridge @ params**2 / 2 + self.L1_wt * (self.penalised @ np.abs(params)))

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Soft thresholding."""
        return self.kinks.shrink(params, step)

    def violation(self, gradient: np.ndarray, params: np.ndarray, alpha: float) -> np.ndarray:
        """Distance of the gradient from the subdifferential of the absolute values."""
        kinks = self.kinks
        return Kinks(kinks.block, alpha * kinks.strength).violation(gradient, params)


@dataclass(frozen=True, slots=True, eq=False)
class GroupLasso:
    r"""Norms of groups of weights beside squares, which drops whole groups (Yuan and Lin, 2006).

    .. math:: P = \tfrac{1 - \lambda}{2} \sum_{j \in G} d_j \theta_j^2
        + \lambda \sum_g \sqrt{p_g}\, \|\theta_g\|
        + \tfrac12 \sum_{j \notin G} d_j \theta_j^2 .

    Parameters in no group keep their squares at every :math:`\lambda`. Otherwise the weights that
    leave an input could shrink at no cost while those further on grow, and the penalty would have
    an infimum of zero that no network attains. :math:`\sqrt{p_g}\,\|\theta_g\|` is :math:`p_g`
    times the root mean square of a group's weights: as large as the sum of absolute values of
    weights of equal size, whatever the number of units or of dummies.

    Parameters
    ----------
    penalised : ndarray of shape (k,)
        One for the neural part.
    L1_wt : float
        Share of the norms.
    groups : tuple of ndarray of int
        Positions of the parameters of each group, which do not overlap and are penalised;
        :math:`p_g` is their number.
    """

    penalised: np.ndarray
    L1_wt: float
    groups: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        check_share(self.L1_wt)
        together = np.concatenate([np.zeros(0, dtype=int), *self.groups])
        if len(np.unique(together)) < len(together) or not all(len(g) for g in self.groups):
            raise SpecificationError(
                "the groups of a group penalty overlap or are empty; give each parameter to one "
                "group at most."
            )
        if not (self.penalised[together] > 0).all():
            raise SpecificationError(
                "a group of the group penalty holds parameters of the classical part, which is "
                "not penalised; leave them out."
            )

    @property
    def ridge(self) -> np.ndarray:
        """Weights of the squares."""
        weights = np.array(self.penalised, dtype=float)
        for group in self.groups:
            weights[group] *= 1.0 - self.L1_wt
        return weights

    @property
    def kinks(self) -> Kinks:
        """One block a group."""
        block = np.full(len(self.penalised), -1)
        if self.smooth:
            return Kinks(block, np.zeros(0))
        for number, group in enumerate(self.groups):
            block[group] = number
        return Kinks(block, self.L1_wt * np.sqrt([float(len(group)) for group in self.groups]))

    @property
    def smooth(self) -> bool:
        """Whether there are no norms."""
        return self.L1_wt == 0.0 or not self.groups

    def value(self, params: np.ndarray) -> float:
        """Squares and norms."""
        return float(self.ridge @ params**2 / 2) + self.kinks.value(params)

    def shrink(self, params: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """Shorten the vector of each group, to zero where it is short; one step a group."""
        return self.kinks.shrink(params, step)

    def violation(self, gradient: np.ndarray, params: np.ndarray, alpha: float) -> np.ndarray:
        """Distance of the gradient from the subdifferential of the norms."""
        kinks = self.kinks
        return Kinks(kinks.block, alpha * kinks.strength).violation(gradient, params)


def check_share(L1_wt: float) -> None:
    """Refuse a share of the absolute values that is none."""
    if isinstance(L1_wt, bool | str) or L1_wt is None or not 0.0 <= L1_wt <= 1.0:
        raise SpecificationError(
            f"L1_wt={L1_wt!r}: give the share of the L1 penalty, a number from 0 (ridge) to 1 "
            "(absolute values, or norms of groups, alone)."
        )


def input_groups(
    network: Dense,
    columns_by_variable: Mapping[str, Sequence[int]],
    inputs: Sequence[int] | np.ndarray,
) -> dict[str, np.ndarray]:
    """Positions of all weights that leave each variable's columns for the first hidden layer.

    Parameters
    ----------
    network : Dense
        The network.
    columns_by_variable : mapping of str to sequence of int
        Columns of the design that belong to each variable.
    inputs : sequence of int
        Columns of the design that are the network's inputs, in order (``Scaling.inputs``).

    Returns
    -------
    dict of str to ndarray of int
        A group a variable with at least one column among the inputs.
    """
    if not network.hidden:
        return {}
    first = network.layers[0]
    at = np.arange(network.n_params)[first.weights].reshape(first.units, first.inputs)
    place = {int(column): position for position, column in enumerate(inputs)}
    groups = {}
    for variable, columns in columns_by_variable.items():
        own = [place[column] for column in columns if column in place]
        if own:
            groups[variable] = at[:, own].ravel()
    return groups
