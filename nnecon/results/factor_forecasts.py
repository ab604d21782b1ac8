"""Diffusion-index forecasts."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError, ForecastError, SpecificationError
from nnecon.inference.direct_forecasts import DirectForecasts, direct_forecasts, lagged
from nnecon.report import tables
from nnecon.results.factors import AutoencoderFactorResults
from nnecon.results.immutable import Immutable
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.regression import NeuralRegressionResults


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
    _fitted: "FactorForecastResults"
    _equations: dict[tuple[str, int], NeuralRegressionResults]

    def __init__(
        self,
        model: Any,
        factor_results: AutoencoderFactorResults,
        frame: pd.DataFrame,
        left_out: tuple[str, ...],
        fitted: "FactorForecastResults | None" = None,
    ) -> None:
        self.__dict__.update(
            model=model, factor_results=factor_results, frame=frame, left_out=left_out,
            _fitted=fitted or self, _equations={},
        )  # fmt: skip

    @property
    def alpha(self) -> float:
        """Penalty of the factor model."""
        return self.factor_results.alpha

    @property
    def factors(self) -> pd.DataFrame:
        """Factors of the data at the origin, extracted by the estimated model.

        Rows at the beginning or the end with fewer known values than factors have none.
        """
        names = self.factor_results.model.labels
        panel = self.frame[names]
        enough = panel.notna().sum(axis=1) >= self.factor_results.k_factors
        found = self.factor_results.transform(panel[enough])
        return found.reindex(self.frame.index)

    def apply(self, data: Any) -> "FactorForecastResults":
        """The same factor model on other data, from which factors are extracted anew.

        The regressions of the forecasts are estimated on these data; networks stay those of the
        data of the fit, and the linear part beside them is renewed.

        Parameters
        ----------
        data : DataFrame
            One row a period, with the panel and the targets.
        """
        frame = self.model.checked(data)
        return FactorForecastResults(
            self.model, self.factor_results, frame, self.left_out, self._fitted
        )

    def regressors(self, target: str) -> pd.DataFrame:
        """What the equations of a target know at each period: a constant, own lags, factors.

        Factors have variance one in the sample of the factor model.
        """
        model = self.model
        if target not in model.endog_names:
            known = ", ".join(model.endog_names)
            raise SpecificationError(f"{target!r} is no target; the targets are {known}.")
        name = model.own_series(target)
        factors = self.factors * np.sqrt(self.factor_results.nobs)
        own = self.frame[[name]].to_numpy(dtype=float)
        columns = ["const"]
        columns += [_lag_name(name, lag) for lag in range(model.target_lags)]
        for lag in range(model.factor_lags):
            columns += [_lag_name(each, lag) for each in factors]
        parts = [
            np.ones((len(own), 1)),
            lagged(own, model.target_lags),
            lagged(factors.to_numpy(), model.factor_lags),
        ]
        return pd.DataFrame(np.concatenate(parts, axis=1), self.frame.index, columns)

    def equation(self, target: str, step: int = 1) -> NeuralRegressionResults:
        """The estimated equation of a target, so many periods ahead, with HAC errors.

        Parameters
        ----------
        target : str
        step : int
            Periods ahead.

        Returns
        -------
        NeuralRegressionResults
            With effects, tests, path and comparison with OLS.
        """
        check_steps(step)
        x = self.regressors(target)
        return self._equation(target, _origin(x, target)[1] + step).with_cov("HAC")

    def _equation(self, target: str, ahead: int) -> NeuralRegressionResults:
        """Equation on the data of the fit for networks, on these data otherwise; kept."""
        on = self._fitted if self.model.equation_hidden else self
        if (target, ahead) not in on._equations:
            found = self.model.fit_equation(on.regressors(target), on.frame[target], ahead)
            on._equations[target, ahead] = found
        return on._equations[target, ahead]

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
        one = self._neural if model.equation_hidden else self._linear
        found = [one(name, steps) for name in names]
        mean, se, df = (
            np.column_stack([getattr(each, part) for each in found])
            for part in ("mean", "se", "df")
        )
        index = model.axis.following(
            int(model.axis.ordinals(self.frame.index[-1:])[0]) + 1, steps, self.frame.index.name
        )
        return Forecast(tuple(names), index, mean, se, None, {"all": se**2}, "in closed form", df)

    def _linear(self, name: str, steps: int) -> DirectForecasts:
        x = self.regressors(name).to_numpy()
        return direct_forecasts(self.frame[name].to_numpy(dtype=float), x, steps, name)

    def _neural(self, name: str, steps: int) -> DirectForecasts:
        """Means of the networks, their linear part renewed on these data, and their errors."""
        x = self.regressors(name)
        origin, late = _origin(x, name)
        mean, se, df = np.empty(steps), np.empty(steps), np.empty(steps)
        for step in range(steps):
            ahead = late + step + 1
            equation = self._equation(name, ahead)
            y = self.frame[name].shift(-ahead)
            rows = y.notna() & x.notna().all(axis=1)
            known = x[rows].to_numpy()
            # the linear part is least squares given the network: what is left tells how it moves
            left = (y[rows] - equation.predict(x[rows])).to_numpy()
            moved = np.linalg.lstsq(known, left, rcond=None)[0]
            df[step] = len(left) - equation.edf
            scale = float(np.sum((left - known @ moved) ** 2)) / df[step]
            found = equation.get_prediction(x.iloc[[origin]])
            assert found.se_mean is not None
            mean[step] = found.predicted_mean.iloc[0] + float(x.iloc[origin].to_numpy() @ moved)
            se[step] = np.sqrt(scale + found.se_mean.iloc[0] ** 2)
        return DirectForecasts(mean, se, df)

    def summary(self) -> Any:
        """What the forecasts are made of, and the factor model."""
        model = self.model
        header = [
            ("Targets:", ", ".join(model.endog_names)),
            ("Own lags:", str(model.target_lags)),
            ("Lags of factors:", str(model.factor_lags)),
            ("Equations:", _units(model.equation_hidden)),
            ("No. Observations:", str(len(self.frame))),
            ("Panel:", f"{self.factor_results.nvar} series"),
            ("Left out:", str(len(self.left_out))),
        ]
        blocks = [tables.Table(self.factor_results._factor_table(), "Factors")]
        return tables.summary("Diffusion-index forecasts", header, blocks)

    def __str__(self) -> str:
        return str(self.summary())


def _lag_name(name: str, lag: int) -> str:
    return f"L{lag}.{name}" if lag else name


def _origin(regressors: pd.DataFrame, name: str) -> tuple[int, int]:
    """Row of the last period with all regressors, and how many periods follow it."""
    whole = np.flatnonzero(regressors.notna().all(axis=1))
    if not len(whole):
        raise DataError(f"no period has all regressors of {name}; give fewer lags.")
    return int(whole[-1]), len(regressors) - 1 - int(whole[-1])


def _units(hidden: tuple[int, ...]) -> str:
    return f"network of {'-'.join(map(str, hidden))} units" if hidden else "linear"
