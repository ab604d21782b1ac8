"""Statistics of residuals."""

from typing import NamedTuple

import numpy as np
from statsmodels.stats.stattools import durbin_watson, jarque_bera


class ResidualStatistics(NamedTuple):
    """Autocorrelation and normality of residuals."""

    durbin_watson: float
    jarque_bera: float
    jarque_bera_pvalue: float
    skew: float
    kurtosis: float


def residual_statistics(resid: np.ndarray) -> ResidualStatistics:
    """Durbin-Watson and Jarque-Bera statistics, as at the foot of statsmodels' OLS summary."""
    statistic, pvalue, skew, kurtosis = jarque_bera(resid)
    watson = float(durbin_watson(resid))
    return ResidualStatistics(watson, float(statistic), float(pvalue), float(skew), float(kurtosis))
