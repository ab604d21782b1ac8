"""Predictions with intervals, with the face of statsmodels' ``PredictionResults``."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from nnecon.exceptions import DataWarning, SpecificationError, warn_user
from nnecon.results.inference_table import check_level, half_width


class Band(Protocol):
    """Intervals that are no multiples of a standard error."""

    @property
    def least_alpha(self) -> float:
        """Smallest alpha with finite intervals, or with enough draws beyond."""
        ...

    def bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds for a new observation."""
        ...


@runtime_checkable
class MeanBand(Band, Protocol):
    """The same with intervals for the mean."""

    def mean_bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds for the mean."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rescaled:
    """A band in units ``shift + scale * value``."""

    band: Band
    shift: float
    scale: float

    @property
    def least_alpha(self) -> float:
        """As that of the band."""
        return self.band.least_alpha

    def bounds(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds for a new observation."""
        lower, upper = self.band.bounds(alpha)
        return self.shift + self.scale * lower, self.shift + self.scale * upper


@dataclass(frozen=True, slots=True, eq=False)
class PredictionResults:
    """Predicted means, their standard errors and the variance of the disturbance.

    Attributes
    ----------
    predicted_mean : Series
        Mean, by row label.
    se_mean : Series or None
        Its standard error: by the delta method, and for an ensemble the spread between its
        networks; of bootstrap draws; or the posterior's standard deviation. None for conformal
        intervals, which say nothing about the mean.
    var_resid : ndarray of shape (m,) or None
        Variance of the disturbance of each row.
    use_t, df_resid
        Distribution of the intervals, where they are multiples of standard errors.
    se_starts : Series, optional
        The part of ``se_mean`` that is the spread between starts: the Monte Carlo standard error
        of the mean over an ensemble's networks, zero for a single network.
    interval : str
        "delta", "laplace", "bootstrap" or "conformal".
    note : str
        How the intervals are made and what they cover, in words.
    band : optional
        Intervals that are no multiples of standard errors, in the units of the dependent variable.
    """

    predicted_mean: pd.Series
    se_mean: pd.Series | None
    var_resid: np.ndarray | None
    use_t: bool
    df_resid: float
    se_starts: pd.Series | None = None
    interval: str = "delta"
    note: str = ""
    band: Band | MeanBand | None = None

    @property
    def se_obs(self) -> pd.Series:
        """Standard error of a new observation."""
        if self.se_mean is None or self.var_resid is None:
            raise SpecificationError(
                "conformal intervals have no standard errors; conf_int(obs=True) gives the "
                "intervals, and interval='delta' or 'bootstrap' standard errors."
            )
        return np.sqrt(self.se_mean**2 + self.var_resid)

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> pd.DataFrame:
        """Interval for the mean, or with ``obs=True`` for a new observation; columns 0 and 1.

        Raises
        ------
        SpecificationError
            Of conformal intervals for the mean, which do not exist.
        """
        if self.band is None:
            assert self.se_mean is not None
            error = self.se_obs if obs else self.se_mean
            width = half_width(alpha, self.use_t, self.df_resid) * error
            return pd.DataFrame({0: self.predicted_mean - width, 1: self.predicted_mean + width})
        level = check_level(alpha)
        if obs:
            if self.se_mean is None:
                self._warn_infinite(self.band, level)
            lower, upper = self.band.bounds(level)
        elif self.se_mean is None or not isinstance(self.band, MeanBand):
            raise SpecificationError(
                "conformal intervals cover new observations, from residuals of rows left out; "
                "nothing in them tells the error of the mean from the disturbance. For the mean "
                "use interval='delta', 'bootstrap' or 'laplace'."
            )
        else:
            self._warn_few(self.band, level)
            lower, upper = self.band.mean_bounds(level)
        return pd.DataFrame({0: lower, 1: upper}, index=self.predicted_mean.index)

    @staticmethod
    def _warn_infinite(band: Band, alpha: float) -> None:
        # a rank of one is enough, whatever rounding makes of it
        if alpha < band.least_alpha * (1.0 - 1e-9):
            warn_user(
                f"alpha={alpha:g}: {1.0 / band.least_alpha - 1.0:.0f} residuals of rows left out "
                f"cannot bound a new observation with probability {1.0 - alpha:g}, and the "
                f"intervals are infinite; they are finite from alpha={band.least_alpha:.3g} on.",
                DataWarning,
            )

    @staticmethod
    def _warn_few(band: MeanBand, alpha: float) -> None:
        if alpha < band.least_alpha * (1.0 - 1e-9):
            warn_user(
                f"alpha={alpha:g}: {2.0 / band.least_alpha - 1.0:.0f} draws hold no quantile so "
                f"far out; ask for at least {np.ceil(2.0 / alpha) - 1.0:.0f} draws.",
                DataWarning,
            )

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Mean, standard error and both intervals with level ``1 - alpha``.

        Columns are ``mean``, ``mean_se``, ``mean_ci_lower``, ``mean_ci_upper``, ``obs_ci_lower``
        and ``obs_ci_upper``, as in statsmodels. Conformal intervals have no interval for the mean:
        ``mean_se``, ``mean_ci_lower`` and ``mean_ci_upper`` are left out.
        """
        obs = self.conf_int(True, alpha)
        columns = {"mean": self.predicted_mean}
        if self.se_mean is not None:
            mean = self.conf_int(False, alpha)
            columns |= {"mean_se": self.se_mean, "mean_ci_lower": mean[0], "mean_ci_upper": mean[1]}
        return pd.DataFrame({**columns, "obs_ci_lower": obs[0], "obs_ci_upper": obs[1]})
