"""What every estimator's results share: fit, information criteria, path, file."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.kernels import certificate, fitted
from nnecon.exceptions import SpecificationError
from nnecon.results.archive import results_state, write_archive
from nnecon.results.estimated import CovarianceSpec, Estimate
from nnecon.results.hypotheses import HypothesisTests
from nnecon.results.path import CrossValidation, RegularizationPath

__all__ = ["CovarianceSpec", "Estimate", "Results"]


class Results(HypothesisTests):
    """Immutable results of an estimate.

    Built by a model's ``fit``. Nothing in it changes: :meth:`with_cov` returns new results.
    """

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads.

        The file is a zip of JSON and NumPy arrays: reading it runs no code. Functions of your own
        (in the formula, or ``network=``) are not in it; pass them to :func:`nnecon.load`.
        """
        meta, arrays = results_state(self)
        write_archive(path, meta, arrays)

    # -- estimate ---------------------------------------------------------------------------------

    @property
    def converged(self) -> bool:
        """Whether the relative gradient norm is under 1e-6, of every network of an ensemble."""
        return self.estimate.solution.converged

    @property
    def path(self) -> RegularizationPath:
        """Regularisation path from the baseline to the full network."""
        if self.estimate.path is None:
            raise SpecificationError(
                "this estimate has no path: it has no penalty, or was made by results_at()."
            )
        return self.estimate.path

    @property
    def cv(self) -> CrossValidation:
        """Cross-validation of network and baseline on the same rows."""
        if self.estimate.cv is None:
            raise SpecificationError(
                "this estimate was not cross-validated; fit with alpha='cv' or with cv=5."
            )
        return self.estimate.cv

    @cached_property
    def baseline(self) -> Any:
        """The classical model, estimated by statsmodels on the same rows; same covariance."""
        found = self.estimate.baseline
        return self.model.classical(self.cov_spec) if found is None else found

    @cached_property
    def members(self) -> pd.DataFrame:
        """Networks whose mean is the estimate, a row a network, the one of the path first.

        Columns are ``objective``, ``loss`` and ``penalty`` of the standardised problem, ``edf``,
        and ``certificate``, the relative gradient norm.
        """
        objective, weights = self.estimate.objective, self.estimate.weights
        found = [certificate(objective, one, weights, self.alpha) for one in self._members]
        strength = self.alpha if np.isfinite(self.alpha) else 0.0
        return pd.DataFrame(
            {
                "objective": [loss + strength * penalty for loss, penalty, _ in found],
                "loss": [loss for loss, _, _ in found],
                "penalty": [penalty for _, penalty, _ in found],
                "edf": [part.bread.edf for part in self._parts],
                "certificate": [relative for _, _, relative in found],
            },
            index=[f"net{at}" for at in range(1, len(found) + 1)],
        )

    # -- fit --------------------------------------------------------------------------------------

    def _series(self, values: np.ndarray) -> pd.Series:
        return pd.Series(values, index=self.model.design.sample.index)

    @cached_property
    def fittedvalues(self) -> pd.Series:
        """Fitted values, in the user's units and with the rows' labels."""
        inputs = self.estimate.objective.inputs
        values = fitted(self._network, self.solution.params, inputs)
        return self._series(self.estimate.scaling.restore(values))

    @cached_property
    def resid(self) -> pd.Series:
        """Actual less fitted values."""
        return self._series(self.model.endog) - self.fittedvalues

    @property
    def df_model(self) -> float:
        """Effective degrees of freedom without the constant."""
        return self.edf - self.model.k_constant

    def information_criterion(self, penalty: float) -> float:
        """Compute ``-2 llf + penalty * edf``."""
        return -2.0 * self.llf + penalty * self.edf

    @property
    def llf(self) -> float:
        """Log-likelihood."""
        return self.model.loglike(self.resid.to_numpy(), self.estimate.weights)

    @property
    def aic(self) -> float:
        """Akaike's criterion with effective degrees of freedom."""
        return self.information_criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion with effective degrees of freedom."""
        return self.information_criterion(np.log(self.nobs))

    @property
    def hqic(self) -> float:
        """Hannan and Quinn's criterion with effective degrees of freedom."""
        return self.information_criterion(2.0 * np.log(np.log(self.nobs)))
