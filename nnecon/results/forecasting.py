"""Results of a forecaster: forecasts, responses, summary, charts."""

from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.dynamics import forecast_moments, moving_average
from nnecon.report import tables
from nnecon.report.formats import format_number
from nnecon.results.forecast_numbers import ForecasterNumbers
from nnecon.results.future import Future, future_of
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.simulator import PATHS


class ForecasterResults(ForecasterNumbers):
    """Estimates and forecasts of a forecaster such as :class:`~nnecon.LSTMForecaster`."""

    # -- forecasts --------------------------------------------------------------------------------

    def _future(self, steps: int, exog: Any, conditions: Any) -> Future:
        ordinals = self._ordinals(len(self.data.index))
        return future_of(self.model, self.data, ordinals, steps, exog, conditions)

    def forecast(self, steps: int = 1, exog: Any = None, conditions: Any = None) -> pd.DataFrame:
        """Forecasts of the periods after the data.

        Parameters
        ----------
        steps : int
            How many periods.
        exog : DataFrame or array_like, optional
            Known regressors of these periods, where the model has some.
        conditions : DataFrame, optional
            A scenario: values that some series take in some of these periods, the periods as index
            and the series as columns. NaN leaves a value free.

        Returns
        -------
        DataFrame of shape (steps, targets)
        """
        return self.get_forecast(steps, exog, conditions, parameters=False).predicted_mean

    def get_forecast(
        self,
        steps: int = 1,
        exog: Any = None,
        conditions: Any = None,
        *,
        repetitions: int = PATHS,
        shocks: str = "bootstrap",
        parameters: bool | None = None,
        rng: int | np.random.Generator = 0,
    ) -> Forecast:
        """Forecasts with standard errors and intervals.

        Where all equations are linear they are exact: means and mean squared errors of the vector
        autoregression, given what is imposed. With networks they come from simulated futures.

        Parameters
        ----------
        steps, exog, conditions
            As in :meth:`forecast`.
        repetitions : int
            Futures that are simulated.
        shocks : {"bootstrap", "normal"}
            Residuals of all equations drawn with replacement, or normal shocks.
        parameters : bool, optional
            Whether intervals hold the uncertainty of the parameters, and that of the random
            starts; by default with networks, and not where the system is linear, as in statsmodels.
        rng : int or numpy.random.Generator
            Seed.
        """
        future = self._future(check_steps(steps), exog, conditions)
        m, late, index = len(self.targets), future.late, future.index
        if self.is_linear and not parameters:
            found = forecast_moments(
                self._linear_system, future.history, future.known, future.imposed
            )
            mean, se = found.mean[late:, :m], found.se[late:, :m]
            told = "exact, shocks alone"
            return Forecast(tuple(self.targets), index, mean, se, None, {"shocks": se**2}, told)
        count = check_steps(repetitions, "repetitions")
        made = self._simulator.forecast(
            future, count, shocks, parameters is not False, np.random.default_rng(rng)
        )
        sources = {
            name: getattr(made, name)[late:, :m] for name in ("shocks", "parameters", "starts")
        }
        total = sum(sources.values())
        return Forecast(
            tuple(self.targets), index, made.mean[late:, :m], np.sqrt(total),
            made.paths[:, late:, :m], sources, f"{count} simulated paths, {shocks} shocks",
        )  # fmt: skip

    # -- responses --------------------------------------------------------------------------------

    def ma_rep(self, maxn: int = 10) -> np.ndarray:
        """Responses of all series to unit shocks, shape (maxn + 1, m, m), where linear.

        As in statsmodels' VAR: ``[h, i, j]`` is the response of series i after h periods to a
        shock of one to series j.
        """
        if not self.is_linear:
            raise SpecificationError(
                "moving average coefficients exist for linear systems; use girf() for the "
                "responses of a network."
            )
        return moving_average(self._linear_system.coefs, check_steps(maxn, "maxn"))

    def orth_ma_rep(self, maxn: int = 10) -> np.ndarray:
        """Responses to orthogonal shocks of one standard deviation, in the order of the series."""
        factor = np.linalg.cholesky(self._covariance)
        return self.ma_rep(maxn) @ factor

    # -- other data -------------------------------------------------------------------------------

    def apply(self, data: Any) -> Self:
        """The same parameters on other data, from the end of which forecasts go on.

        Parameters
        ----------
        data : DataFrame
            With the columns of the estimation and an index of the same kind and frequency.
        """
        return type(self)(self.model, self.equations, self.search, self.model.series_in(data))

    # -- display ----------------------------------------------------------------------------------

    def _header(self) -> list[tuple[str, str]]:
        model = self.model
        index = model.index
        lags = model.layout.lags
        classical = f"{'AR' if self.single else 'VAR'}({max(lags)})" if lags else "mean"
        return [
            ("Targets:", ", ".join(self.targets)),
            ("Model:", type(model).__name__),
            ("Network:", model.description),
            ("Linear part:", classical),
            ("Lags chosen by:", model.lag_rule),
            ("Sample:", f"{index[0]} to {index[-1]}"),
            ("Observations:", str(self.nobs)),
            ("Log-likelihood:", format_number(self.llf, 3)),
            ("AIC:", format_number(self.aic, 3)),
            ("BIC:", format_number(self.bic, 3)),
            ("HQIC:", format_number(self.hqic, 3)),
            ("Search:", self.search),
        ]

    def equations_frame(self) -> pd.DataFrame:
        """One row a target: penalty, degrees of freedom, residual standard error, CV error."""
        rows = {}
        for at, one in enumerate(self._own):
            row = {
                "penalty": one.alpha,
                "chosen by": one.rule,
                "edf": one.edf,
                "std. error": float(np.sqrt(self._covariance[at, at])),
            }
            if one.cv is not None:
                place = int(np.flatnonzero(one.cv.alphas == one.alpha)[0])
                row["CV RMSE"] = float(np.sqrt(one.cv.mean[place]))
                row["linear"] = float(np.sqrt(one.cv.mean[0]))
            rows[one.name] = row
        return pd.DataFrame.from_dict(rows, orient="index")

    def summary(self, lags: int = 4) -> Any:
        """Table of the fit: equations, average effects of lags, criteria.

        Parameters
        ----------
        lags : int
            Lags whose average effects are printed.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            ``as_text()``, ``as_html()``, ``as_latex()``.
        """
        blocks = [
            tables.Table(
                self.equations_frame(),
                "Equations",
                {"penalty": "{:.4g}".format, "edf": 1, "std. error": 3, "CV RMSE": 3, "linear": 3},
            )
        ]
        effects = self.effects
        shown = [name for name in effects.index if int(name[1 : name.index(".")]) <= lags]
        blocks.append(
            tables.Table(effects.loc[shown], "Average effects of lags on the next period")
        )
        notes = [
            "Penalty inf: the equation is the classical one. Std. error: of the one-step forecast "
            "error, corrected for effective degrees of freedom (edf)."
        ]
        if not self.converged:
            notes.append("Not all networks have converged (relative gradient norm under 1e-6).")
        return tables.summary("Forecaster Results", self._header(), blocks, notes)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
