"""Diffusion-index forecasts."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import ForecastError
from nnecon.inference.direct_forecasts import direct_forecasts, lagged
from nnecon.report import tables
from nnecon.results.factors import AutoencoderFactorResults
from nnecon.results.immutable import Immutable
from nnecon.results.outlook import Forecast, check_steps


class FactorForecastResults(Immutable):
    """Factors and the series they forecast; made by :meth:`nnecon.FactorForecaster.fit`.

    Attributes
    ----------
    model : FactorForecaster
    factor_results : AutoencoderFactorResults
        The factor model that was estimated.
    frame : DataFrame
        Data at the origin.
    left_out : tuple of str
        Series of the panel that were known in too few rows of the sample.
    """

    model: Any
    factor_results: AutoencoderFactorResults
    frame: pd.DataFrame
    left_out: tuple[str, ...]

    def __init__(
        self,
        model: Any,
        factor_results: AutoencoderFactorResults,
        frame: pd.DataFrame,
        left_out: tuple[str, ...],
    ) -> None:
        self.__dict__.update(
            model=model, factor_results=factor_results, frame=frame, left_out=left_out
        )

    @property
    def alpha(self) -> float:
        """Penalty of the factor model."""
        return self.factor_results.alpha

    @property
    def factors(self) -> pd.DataFrame:
        """Factors of the data at the origin, extracted by the estimated model.

        Rows at the beginning or the end with fewer known values than factors have none.
        """
        names = list(self.factor_results.model.names)
        panel = self.frame[names]
        enough = panel.notna().sum(axis=1) >= self.factor_results.k_factors
        found = self.factor_results.transform(panel[enough])
        return found.reindex(self.frame.index)

    def apply(self, data: Any) -> "FactorForecastResults":
        """The same factor model on other data, from which factors are extracted anew.

        The regressions of the forecasts are estimated on these data.

        Parameters
        ----------
        data : DataFrame
            One row a period, with the panel and the targets.
        """
        frame = self.model.checked(data)
        return FactorForecastResults(self.model, self.factor_results, frame, self.left_out)

    def forecast(self, steps: int = 1, exog: Any = None) -> pd.DataFrame:
        """Forecasts of the next periods, shape (steps, targets)."""
        if exog is not None:
            raise ForecastError(
                "diffusion-index forecasts take no regressors known in advance; leave exog out."
            )
        return self.get_forecast(steps).predicted_mean

    def get_forecast(self, steps: int = 1) -> Forecast:
        """Forecasts with standard errors and intervals.

        Intervals are those of least squares for a new observation; factors count as known, which
        is right where the panel is large (Bai and Ng, 2006).
        """
        steps = check_steps(steps)
        model, names = self.model, self.model.endog_names
        factors = self.factors.to_numpy() * np.sqrt(self.factor_results.nobs)
        common = lagged(factors, model.factor_lags)
        found = []
        for name in names:
            own = self.frame[model.own_series(name)].to_numpy(dtype=float)[:, None]
            parts = [np.ones((len(own), 1)), lagged(own, model.target_lags), common]
            target = self.frame[name].to_numpy(dtype=float)
            found.append(direct_forecasts(target, np.concatenate(parts, axis=1), steps, name))
        mean, se, df = (
            np.column_stack([getattr(each, part) for each in found])
            for part in ("mean", "se", "df")
        )
        index = model.axis.following(
            int(model.axis.ordinals(self.frame.index[-1:])[0]) + 1, steps, self.frame.index.name
        )
        return Forecast(tuple(names), index, mean, se, None, {"all": se**2}, "in closed form", df)

    def summary(self) -> Any:
        """What the forecasts are made of, and the factor model."""
        model = self.model
        header = [
            ("Targets:", ", ".join(model.endog_names)),
            ("Own lags:", str(model.target_lags)),
            ("Lags of factors:", str(model.factor_lags)),
            ("No. Observations:", str(len(self.frame))),
            ("Panel:", f"{self.factor_results.nvar} series"),
            ("Left out:", str(len(self.left_out))),
        ]
        blocks = [tables.Table(self.factor_results._factor_table(), "Factors")]
        return tables.summary("Diffusion-index forecasts", header, blocks)

    def __str__(self) -> str:
        return str(self.summary())
