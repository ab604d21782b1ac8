"""Least squares on a stream, with the names that statsmodels' results have."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.stream_moments import LeastSquares
from nnecon.inference.covariance import Covariance
from nnecon.inference.streamed_fit import gaussian_loglike
from nnecon.report import tables
from nnecon.report.formats import coefficient_cells
from nnecon.results.immutable import Immutable
from nnecon.results.inference_table import coefficient_table


class StreamedOLS(Immutable):
    """OLS (WLS with weights) from a QR decomposition updated in one pass.

    Residuals and fitted values are not kept.

    Attributes
    ----------
    name : str
        ``"OLS"`` or ``"WLS"``.
    nobs : float
        Rows.
    k_constant : int
        One where the columns span a constant.
    centered_tss : float
        Sum of squares that ``rsquared`` compares with.
    llf : float
        Gaussian log-likelihood.
    """

    name: str
    nobs: float
    k_constant: int
    centered_tss: float
    llf: float
    _fit: LeastSquares
    _names: list[str]
    _endog_name: str
    _make_covariance: Callable[[], Covariance]

    def __init__(
        self,
        fit: LeastSquares,
        names: tuple[str, ...],
        endog_name: str,
        weighted: bool,
        k_constant: int,
        tss: float,
        log_weights: float,
        covariance: Callable[[], Covariance],
    ) -> None:
        n_obs = fit.df_resid + len(names)
        self.__dict__.update(
            name="WLS" if weighted else "OLS",
            nobs=float(n_obs),
            k_constant=k_constant,
            centered_tss=tss,
            llf=gaussian_loglike(fit.rss, n_obs, log_weights),
            _fit=fit,
            _names=list(names),
            _endog_name=endog_name,
            _make_covariance=covariance,
        )

    @cached_property
    def _covariance(self) -> Covariance:
        return self._make_covariance()

    @property
    def params(self) -> pd.Series:
        """Coefficients."""
        return pd.Series(self._fit.params, index=self._names)

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the coefficients, of the kind that was asked for in ``fit``."""
        names = self._names
        return pd.DataFrame(self._covariance.matrix, index=names, columns=names)

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(np.sqrt(np.diag(self._covariance.matrix)), self._names)

    def _table(self, alpha: float = 0.05) -> pd.DataFrame:
        found = self._covariance
        return coefficient_table(self.params, self.bse, found.use_t, self.df_resid, alpha)

    @property
    def tvalues(self) -> pd.Series:
        """``params / bse``."""
        return self._table().iloc[:, 2]

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of ``params`` being zero."""
        return self._table().iloc[:, 3]

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals with level ``1 - alpha``; columns 0 and 1."""
        return self._table(alpha).iloc[:, 4:].set_axis([0, 1], axis=1)

    @property
    def ssr(self) -> float:
        """Weighted sum of squared residuals."""
        return self._fit.rss

    @property
    def df_resid(self) -> float:
        """Rows less coefficients."""
        return float(self._fit.df_resid)

    @property
    def df_model(self) -> float:
        """Coefficients without the constant."""
        return float(len(self._names) - self.k_constant)

    @property
    def scale(self) -> float:
        """Variance of the errors."""
        return self.ssr / self.df_resid

    @property
    def rsquared(self) -> float:
        """Share of the variation explained."""
        return 1.0 - self.ssr / self.centered_tss

    @property
    def rsquared_adj(self) -> float:
        """R-squared adjusted for degrees of freedom."""
        return 1.0 - (self.nobs - self.k_constant) / self.df_resid * (1.0 - self.rsquared)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return -2.0 * self.llf + 2.0 * (self.df_model + self.k_constant)

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return -2.0 * self.llf + np.log(self.nobs) * (self.df_model + self.k_constant)

    def summary(self, alpha: float = 0.05) -> Any:
        """Table of the coefficients."""
        header = [
            ("Dep. Variable:", self._endog_name),
            ("Model:", self.name),
            ("No. Observations:", f"{self.nobs:.0f}"),
            ("R-squared:", f"{self.rsquared:.3f}"),
        ]
        return tables.summary(
            f"{self.name} Regression Results",
            header,
            [tables.Table(coefficient_cells(self._table(alpha)))],
            [f"Standard errors: {self._covariance.description}."],
        )

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
