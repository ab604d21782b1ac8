"""Predictions with intervals, with the face of statsmodels' ``PredictionResults``."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnecon.results.inference_table import half_width


@dataclass(frozen=True, slots=True, eq=False)
class PredictionResults:
    """Predicted means, their standard errors and the variance of the disturbance.

    Attributes
    ----------
    predicted_mean, se_mean : Series
        Mean and its standard error, by row label: delta method, and for an ensemble the spread
        between its networks.
    var_resid : ndarray of shape (m,)
        Variance of the disturbance of each row.
    use_t, df_resid
        Distribution of the intervals.
    se_starts : Series, optional
        The part of ``se_mean`` that is the spread between starts: the Monte Carlo standard error
        of the mean over an ensemble's networks, zero for a single network.
    """

    predicted_mean: pd.Series
    se_mean: pd.Series
    var_resid: np.ndarray
    use_t: bool
    df_resid: float
    se_starts: pd.Series | None = None

    @property
    def se_obs(self) -> pd.Series:
        """Standard error of a new observation."""
        return np.sqrt(self.se_mean**2 + self.var_resid)

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> pd.DataFrame:
        """Interval for the mean, or with ``obs=True`` for a new observation; columns 0 and 1."""
        error = self.se_obs if obs else self.se_mean
        width = half_width(alpha, self.use_t, self.df_resid) * error
        return pd.DataFrame({0: self.predicted_mean - width, 1: self.predicted_mean + width})

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Mean, standard error and both intervals with level ``1 - alpha``."""
        mean, obs = self.conf_int(False, alpha), self.conf_int(True, alpha)
        return pd.DataFrame(
            {
                "mean": self.predicted_mean,
                "mean_se": self.se_mean,
                "mean_ci_lower": mean[0],
                "mean_ci_upper": mean[1],
                "obs_ci_lower": obs[0],
                "obs_ci_upper": obs[1],
            }
        )
