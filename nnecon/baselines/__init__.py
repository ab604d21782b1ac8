"""Classical models through statsmodels, with one face.

A baseline is a specification without data: ``fit`` estimates it on a frame, and what it returns
forecasts. The same object can be fitted at every origin of a backtest.

=======================  =======================================================================
:func:`var`              vector autoregression
:func:`ar`               autoregression, target by target
:func:`factor_var`       vector autoregression of targets and principal components
:func:`arima`            ARIMA with seasonal part, target by target
:func:`ets`              exponential smoothing in its state-space form, target by target
:func:`random_walk`      last value, with or without drift
:func:`seasonal_naive`   value of the same season a year ago
:func:`mean`             mean of the sample
:func:`ols`              least squares by a formula of lags, one regression for each horizon
:func:`linear`           OLS or WLS on arrays, without forecasts
:func:`pca`              principal components, without forecasts
=======================  =======================================================================
"""

from nnecon.baselines.autoregressions import ar, var
from nnecon.baselines.components import pca
from nnecon.baselines.direct import ols
from nnecon.baselines.face import Baseline, FittedBaseline
from nnecon.baselines.factor_autoregressions import factor_var
from nnecon.baselines.linear import linear, linear_predictions
from nnecon.baselines.naive import mean, random_walk, seasonal_naive
from nnecon.baselines.univariate import arima, ets

__all__ = [
    "Baseline",
    "FittedBaseline",
    "ar",
    "arima",
    "ets",
    "factor_var",
    "linear",
    "linear_predictions",
    "mean",
    "ols",
    "pca",
    "random_walk",
    "seasonal_naive",
    "var",
]
