"""What effects are read off: the estimated mean and the classical one, on the sample's design."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnecon.data.design import Design
from nnecon.inference.covariance import Covariance
from nnecon.inference.debiased_mean import DebiasedMean
from nnecon.inference.fitted_mean import FittedMean, LinearMean, Number, Numbers, with_covariance


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The two means, their covariances, and the sample.

    Attributes
    ----------
    design : Design
        Says how the rows move.
    mean, classical
        The network's mean, as estimated or after the step that removes the penalty's bias, and the
        classical model's.
    covariance : Covariance
        Of the parameters by which numbers of the mean are differentiated.
    classical_covariance : ndarray of shape (p, p)
        Of the classical model's coefficients.
    weights : ndarray of shape (n,)
        Shares of the observations in averages; they sum to one.
    endog_name, baseline_name : str
        The dependent variable, and what the classical model is called.
    note : str
        Which estimate this is, where that is to be said.
    bends : bool
        Whether there is a network that is not zero, so that slopes differ between rows.
    """

    design: Design
    mean: FittedMean | DebiasedMean
    classical: LinearMean
    covariance: Covariance
    classical_covariance: np.ndarray
    weights: np.ndarray
    endog_name: str
    baseline_name: str
    note: str = ""
    bends: bool = True

    def numbers(self, found: Sequence[Number]) -> Numbers:
        """Numbers of the network's mean with their covariance."""
        return with_covariance(found, self.covariance.matrix)

    def classical_numbers(self, found: Sequence[Number]) -> Numbers:
        """Numbers of the classical mean with their covariance."""
        return with_covariance(found, self.classical_covariance)

    def described(self) -> dict[str, Any]:
        """Distribution of the statistics, and the dependent variable, for result objects."""
        return {
            "use_t": self.covariance.use_t,
            "df_resid": self.covariance.df_resid,
            "endog_name": self.endog_name,
        }
