"""Classical models through statsmodels, with one face."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS, WLS


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
    return model.fit(cov_type=cov_type, cov_kwds=kwds, use_t=use_t)


def linear_predictions(
    endog: np.ndarray, exog: np.ndarray, weights: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Predictions for the rows ``test`` of the linear model estimated on the rows ``train``."""
    fitted = WLS(endog[train], exog[train], weights=weights[train]).fit()
    return np.asarray(fitted.predict(exog[test]))
