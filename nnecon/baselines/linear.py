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

from nnecon.estimation.estimate import SOLVERS
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Objective
from nnecon.inference.bootstrap import Sample, bootstrap, bootstrap_covariance
from nnecon.inference.covariance import Moments, bread, covariance
from nnecon.nets import Dense


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

    Kinds of covariance that statsmodels does not know are nnecon's, of the same estimate.

    Parameters
    ----------
    endog : ndarray of shape (n,)
        Dependent variable.
    exog : ndarray of shape (n, p)
        Regressors.
    weights : ndarray of shape (n,), optional
        Observation weights.
    index, endog_name, exog_names
        Labels of rows and columns.
    cov_type, cov_kwds, use_t
        Covariance, see :mod:`nnecon.inference.covariance_kinds`.

    Returns
    -------
    statsmodels.regression.linear_model.RegressionResults

    Examples
    --------
    >>> x = np.column_stack([np.ones(6), np.arange(6.0)])
    >>> y = np.array([0.0, 1.0, 1.0, 3.0, 5.0, 4.0])
    >>> linear(y, x, cov_type="HAC", cov_kwds={"kernel": "parzen", "maxlags": 2}).cov_type
    'HAC'
    """
    left = pd.Series(endog, index=index, name=endog_name)
    right = pd.DataFrame(exog, index=index, columns=exog_names)
    model = OLS(left, right) if weights is None else WLS(left, right, weights=weights)
    given = dict(cov_kwds or {})
    own = not _known(cov_type, given)
    kwds = None if own or cov_type == "nonrobust" else given
    options = {"cov_type": "nonrobust" if own else cov_type, "cov_kwds": kwds, "use_t": use_t}
    # without residual degrees of freedom statsmodels divides by zero: no errors, not no estimate
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ModelWarning)
        results = model.fit(**options)
        if model.rank < exog.shape[1]:
            results = _rescaled(model, options)
    if own:
        _set_covariance(results, endog, exog, weights, cov_type, given, use_t)
    return results


def _known(cov_type: str, options: Mapping[str, Any]) -> bool:
    """Whether statsmodels from 0.14.6 on has this covariance, whatever the order of the rows."""
    if cov_type == "cluster":
        return np.ndim(options["groups"]) == 1
    if cov_type == "HAC":
        usual = options.get("kernel", "bartlett") in ("bartlett", "uniform")
        return usual and isinstance(options.get("maxlags"), int | np.integer)
    return cov_type in ("nonrobust", "HC0", "HC1", "HC2", "HC3")


def _set_covariance(
    results: Any,
    endog: np.ndarray,
    exog: np.ndarray,
    weights: np.ndarray | None,
    cov_type: str,
    options: Mapping[str, Any],
    use_t: bool | None,
) -> None:
    """Put nnecon's covariance into statsmodels' results."""
    given = np.ones(len(endog)) if weights is None else weights
    root = np.sqrt(given / given.mean())
    params, fitted = np.asarray(results.params), np.asarray(results.fittedvalues)
    moments = Moments(root * (endog - fitted), root[:, None] * exog, np.zeros(exog.shape[1]))
    middle = bread(moments)
    if cov_type == "bootstrap":
        network = Dense(exog.shape[1], 0, (), "linear")
        objective = Objective(network, exog, endog, Ridge(np.zeros(exog.shape[1])))
        rows = moments.jacobian @ middle.root
        sample = Sample(
            objective,
            params,
            0.0,
            given,
            fitted,
            (rows**2).sum(axis=1),
            (rows @ middle.root.T) * moments.residual[:, None],
        )
        drawn = bootstrap(sample, options, SOLVERS["lm"])
        found = bootstrap_covariance(drawn, use_t, len(endog) - middle.edf)
    else:
        found = covariance(moments, middle, cov_type, options, use_t)
    inner = results._results
    inner.cov_type, inner.use_t = found.kind, found.use_t
    inner.cov_kwds = {**found.options, "use_t": found.use_t, "description": found.description}
    inner.cov_params_default = found.matrix
    inner.df_resid_inference = found.df_resid


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
