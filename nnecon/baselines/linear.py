"""Linear regression through statsmodels."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import (
    OLS,
    WLS,
    OLSResults,
    RegressionResults,
    RegressionResultsWrapper,
)
from statsmodels.tools.sm_exceptions import ModelWarning


def linear(
    endog: np.ndarray,
    exog: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    index: pd.Index | None = None,
    endog_name: str = "y",
    exog_names: tuple[str, ...] | None = None,
    cov_type: str = "nonrobust",
    cov_kwds: Mapping[str, Any] | None = None,
    use_t: bool | None = None,
) -> Any:
    """OLS, or WLS where ``weights`` are given, as statsmodels estimates it.

    Returns
    -------
    statsmodels.regression.linear_model.RegressionResults
    """
    left = pd.Series(endog, index=index, name=endog_name)
    right = pd.DataFrame(exog, index=index, columns=exog_names)
    model = OLS(left, right) if weights is None else WLS(left, right, weights=weights)
    kwds = None if cov_type == "nonrobust" else dict(cov_kwds or {})
    options = {"cov_type": cov_type, "cov_kwds": kwds, "use_t": use_t}
    # without residual degrees of freedom statsmodels divides by zero: no errors, not no estimate
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ModelWarning)
        results = model.fit(**options)
        return _rescaled(model, options) if model.rank < exog.shape[1] else results


def _rescaled(model: Any, options: Mapping[str, Any]) -> Any:
    """The fit of a design that statsmodels takes for rank-deficient, with columns of equal length.

    statsmodels inverts the design as it is, so that columns of very different units look collinear.
    """
    scale = np.linalg.norm(model.wexog, axis=0)
    scaled = model.wexog / np.where(scale > 0, scale, 1.0)
    inverse = np.linalg.pinv(scaled) / np.where(scale > 0, scale, 1.0)[:, None]
    model.rank = np.linalg.matrix_rank(scaled)
    model.pinv_wexog, model.normalized_cov_params = inverse, inverse @ inverse.T
    model.df_model = float(model.rank - model.k_constant)
    model.df_resid = model.nobs - model.rank
    kind = OLSResults if isinstance(model, OLS) else RegressionResults
    fitted = kind(model, inverse @ model.wendog, model.normalized_cov_params, **options)
    return RegressionResultsWrapper(fitted)


def linear_predictions(
    endog: np.ndarray, exog: np.ndarray, weights: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Predictions for the rows ``test`` of the linear model estimated on the rows ``train``."""
    with warnings.catch_warnings():
        # a category that the fold's training rows lack: the minimum-norm solution is meant
        warnings.simplefilter("ignore")
        fitted = WLS(endog[train], exog[train], weights=weights[train]).fit()
    return np.asarray(fitted.predict(exog[test]))
