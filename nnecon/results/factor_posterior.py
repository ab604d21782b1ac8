"""What a variational autoencoder says of its factors: how sure they are, and the bound."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.probabilistic_components import ProbabilisticComponents
from nnecon.inference.variational_map import VariationalMap


class FactorPosterior:
    """Likelihood and posterior of a factor model with ``variational=True``."""

    @cached_property
    def _probabilistic(self: Any) -> ProbabilisticComponents:
        if not self.model.variational:
            raise SpecificationError(
                "factors have a posterior and the panel a likelihood with variational=True; this "
                "model minimises squared errors."
            )
        return ProbabilisticComponents.of(self.components.extraction, self.model.panel.values)

    @property
    def elbo_obs(self: Any) -> pd.Series:
        """Evidence lower bound on the log density of each row, in the data's units.

        For principal components, the log density of the probabilistic ones, which is exact.
        """
        linear, values = self._probabilistic, self.model.panel.values
        if isinstance(self.mapping, VariationalMap):
            found = self.mapping.bound(values, self.facts.noise_seed + 1)
        else:
            found = linear.log_density(values)
        return pd.Series(found, self.index, name="elbo")

    @cached_property
    def elbo(self) -> float:
        """Evidence lower bound on the log likelihood: the sum of :attr:`elbo_obs`."""
        return float(self.elbo_obs.sum())

    @property
    def llf(self: Any) -> float:
        """Log likelihood of probabilistic principal components, where these are the estimate.

        Raises
        ------
        SpecificationError
            The estimate is a network, whose likelihood is an integral without closed form.
        """
        if not self.is_linear and self.model.variational:
            raise SpecificationError(
                "the likelihood of a nonlinear decoder has no closed form; elbo is a lower bound "
                "of it, and llf_baseline the log likelihood of probabilistic principal components."
            )
        return self.llf_baseline

    @cached_property
    def llf_baseline(self: Any) -> float:
        """Log likelihood of probabilistic principal components with as many factors.

        With missing values it is that of the known ones, at the loadings that EM found, whose
        criterion is squared errors.
        """
        return float(self._probabilistic.log_density(self.model.panel.values).sum())

    @property
    def noise_variance(self: Any) -> float:
        """Variance of the errors of standardised series, one for all."""
        linear = self._probabilistic
        return float(
            self.mapping.noise if isinstance(self.mapping, VariationalMap) else linear.noise
        )

    @property
    def factors_se(self) -> pd.DataFrame:
        """Posterior standard deviations of :attr:`factors`, in their units, shape (T, k).

        They say how far factors may be from the values they estimate, given the parameters.
        """
        return self.transform_se()

    def transform_se(self: Any, new: Any = None) -> pd.DataFrame:
        """Posterior standard deviations of the factors of rows, which may have missing values.

        Parameters
        ----------
        new : DataFrame or array_like of shape (n, N), optional
            By default the rows of the sample.

        Returns
        -------
        DataFrame of shape (n, k)
            In the units of :meth:`transform`.
        """
        linear = self._probabilistic
        values, index = self._rows(new)
        owner = self.mapping if isinstance(self.mapping, VariationalMap) else linear
        return pd.DataFrame(np.asarray(owner.errors(values)), index, self.factor_names)
