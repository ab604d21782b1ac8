r"""The estimated mean with the bias of its penalty removed from averages, by one step.

A number :math:`T(\hat F)` read off the estimated mean becomes :math:`T(\hat F) + g'\delta`, with
:math:`\delta` the step of :mod:`nnecon.inference.one_step` and :math:`g` the number's derivatives
in the directions of the step. For numbers that are linear in the mean this is the number of the
mean after the step.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.data.scaling import Scaling
from nnecon.inference.fitted_mean import FittedMean, Number
from nnecon.inference.one_step import OneStep


@dataclass(frozen=True, slots=True, eq=False)
class DebiasedMean:
    """The mean of networks after one step, as far as sums over rows go.

    Numbers have the derivatives by the step's parameters as their ``gradient``: those of the first
    network and of the terms beside it.

    Parameters
    ----------
    penalised : FittedMean
        The estimated mean, of networks with the step's terms.
    step : OneStep
        The step.
    """

    penalised: FittedMean
    step: OneStep

    @classmethod
    def of(cls, members: np.ndarray, scaling: Scaling, step: OneStep) -> "DebiasedMean":
        """The mean of networks with parameters ``members`` (m, p), a row a network."""
        zeros = np.zeros((len(members), len(step.network.terms)))
        return cls(FittedMean(step.network, np.hstack([members, zeros]), scaling), step)

    def values(self, exog: np.ndarray) -> np.ndarray:
        """The estimated mean at every row, shape (n,); single rows are not corrected."""
        return self.penalised.values(exog)

    def level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the mean."""
        return self._after(self.penalised.level(exog, weights))

    def slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives along ``directions``."""
        return self._after(self.penalised.slope(exog, directions, weights))

    def log_slope(self, exog: np.ndarray, directions: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the derivatives of the logarithm along ``directions``."""
        return self._after(self.penalised.log_slope(exog, directions, weights))

    def log_level(self, exog: np.ndarray, weights: np.ndarray) -> Number:
        """Weighted sum of the logarithm of the mean's absolute value."""
        return self._after(self.penalised.log_level(exog, weights))

    def _after(self, number: Number) -> Number:
        """The number after the step."""
        count, own = len(self.step.steps), self.step.network.member.n_params
        by_member = number.gradient.reshape(count, -1)
        # the directions are those of the first network, whose share in the mean is 1 / count
        gradient = np.append(count * by_member[0, :own], by_member[:, own:].sum(axis=0))
        return Number(
            number.value + float(gradient @ self.step.step),
            gradient,
            number.by_network + self.step.steps @ gradient,
        )
