"""Predicted means and their intervals, of rows of the sample and of new ones."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.kernels import fitted, fitted_many
from nnecon.inference.effects import delta_variance, values_and_gradients
from nnecon.results.base import Results
from nnecon.results.prediction import PredictionResults


class Predictions(Results):
    """Results that predict."""

    @property
    def ssr(self) -> float:
        """Weighted sum of squared residuals."""
        return float(self.estimate.weights @ self.resid.to_numpy() ** 2)

    @property
    def scale(self) -> float:
        """Estimated variance of the disturbance, ``ssr / df_resid``."""
        return self.ssr / self.df_resid

    def _rows(self, exog: Any) -> tuple[np.ndarray, pd.Index]:
        sample = self.model.design.sample
        if exog is None:
            return self.estimate.objective.inputs, sample.index
        columns, index = self.model.design.exog_for(exog)
        return self.estimate.scaling.rows(columns), index

    def predict(self, exog: Any = None) -> pd.Series:
        """Predicted means.

        Parameters
        ----------
        exog : DataFrame or array_like, optional
            New rows: a frame with the formula's variables, or regressors as given to the model.
            Lags reach into the frame's own rows and, where these follow on, into the sample. By
            default the fitted values.

        Returns
        -------
        Series
            With the labels of the new rows.
        """
        if exog is None:
            return self.fittedvalues
        rows, index = self._rows(exog)
        values = fitted(self._network, self.solution.params, rows)
        return pd.Series(self.estimate.scaling.restore(values), index=index)

    def get_prediction(self, exog: Any = None, weights: Any = None) -> PredictionResults:
        """Predicted means with delta-method errors and intervals.

        The errors of an ensemble include the spread between its networks.

        Parameters
        ----------
        exog : DataFrame or array_like, optional
            As in :meth:`predict`.
        weights : array_like, optional
            Weights of the new rows: the variance of an observation is ``scale / weights``. One by
            default for new rows, the sample's own within the sample.
        """
        rows, index = self._rows(exog)
        scaling = self.estimate.scaling
        values, gradients = values_and_gradients(self._network, self.solution.params, rows)
        variance = delta_variance(gradients * scaling.target_scale, self.covariance.matrix)
        members = fitted_many(self.model.network, self._members, rows)
        spread = self._spread(members) * scaling.target_scale**2
        if weights is None:
            weights = self.estimate.weights if exog is None else np.ones(len(rows))
        weights = np.broadcast_to(np.asarray(weights, dtype=float), (len(rows),))
        return PredictionResults(
            pd.Series(scaling.restore(values), index=index),
            pd.Series(np.sqrt(variance + spread), index=index),
            self.scale / weights,
            self.use_t,
            self.covariance.df_resid,
            pd.Series(np.sqrt(spread), index=index),
        )

    def _spread(self, by_network: np.ndarray) -> np.ndarray:
        """Monte Carlo variance of means over the networks of an ensemble.

        ``by_network`` (m, q) are q quantities in each of the m networks. Zero for one network.
        """
        if len(by_network) == 1:
            return np.zeros(by_network.shape[1])
        return by_network.var(axis=0, ddof=1) / len(by_network)
