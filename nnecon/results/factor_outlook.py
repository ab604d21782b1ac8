"""What a factor model with dynamics says about the panel to come."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.panel import check_known
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import TimeAxis
from nnecon.exceptions import SpecificationError
from nnecon.inference.factor_dynamics import (
    FactorVAR,
    PanelMoments,
    factor_moments,
    factor_var,
    idiosyncratic,
    linear_panel,
    simulated_panel,
)
from nnecon.inference.factor_map import ComponentMap
from nnecon.report import plots
from nnecon.results.immutable import Immutable
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.simulator import PATHS, SHOCKS


class FactorOutlooks:
    """Forecasts of the factors and of the panel after the last row."""

    @property
    def _estimated(self) -> Any:
        """The results that the forecasts are made with."""
        raise NotImplementedError

    @property
    def _past(self) -> tuple[np.ndarray, pd.Index]:
        """Rows that the forecasts go on from, and their labels."""
        raise NotImplementedError

    def _moving(self) -> FactorVAR:
        found = self._estimated._factor_var
        if found is None:
            raise SpecificationError(
                "the factors of this model have no dynamics, so that nothing can be forecast; give "
                "AutoencoderFactor factor_order=, or use FactorForecaster for single targets."
            )
        return found

    def _ahead(self, steps: int) -> pd.Index:
        index = self._past[1]
        axis = TimeAxis.of(index, "a forecast")
        return axis.following(int(axis.ordinals(index[-1:])[0]) + 1, steps, index.name)

    def forecast_factors(self, steps: int = 1) -> pd.DataFrame:
        """Forecasts of the factors by their autoregression.

        Parameters
        ----------
        steps : int
            Periods.

        Returns
        -------
        DataFrame of shape (steps, k)
            In the units of ``factors``.
        """
        return self.get_factor_forecast(steps).predicted_mean

    def get_factor_forecast(self, steps: int = 1) -> Forecast:
        """The same with standard errors and intervals, those of the autoregression's shocks."""
        var, steps = self._moving(), check_steps(steps)
        found = factor_moments(var.system, self._history, steps)
        return Forecast(
            tuple(self._estimated.factor_names), self._ahead(steps), found.mean, found.se, None,
            {"shocks": found.se**2}, "exact, shocks alone",
        )  # fmt: skip

    @property
    def _history(self) -> np.ndarray:
        return self._estimated.mapping.factors(self._past[0])

    def forecast(self, steps: int = 1) -> pd.DataFrame:
        """Forecasts of the panel in the data's units.

        Parameters
        ----------
        steps : int
            Periods after the last row.

        Returns
        -------
        DataFrame of shape (steps, N)

        References
        ----------
        Doz, C., D. Giannone and L. Reichlin (2011), A two-step estimator for large approximate
        dynamic factor models based on Kalman filtering, Journal of Econometrics 164, 188-205.
        Andreini, P., C. Izzo and G. Ricco (2020), Deep dynamic factor models, arXiv:2007.11887.

        Examples
        --------
        >>> import nnecon as ne
        >>> panel = ne.datasets.load_macro()[["growth", "infl", "unemp", "tbilrate", "realint"]]
        >>> results = ne.AutoencoderFactor(panel, 2, hidden=(), factor_order=2).fit()
        >>> results.forecast(2).index.astype(str).tolist()
        ['2009Q4', '2010Q1']
        """
        return self.get_forecast(steps).predicted_mean

    def get_forecast(
        self,
        steps: int = 1,
        *,
        repetitions: int = PATHS,
        shocks: str = "bootstrap",
        rng: int | np.random.Generator = 0,
    ) -> Forecast:
        r"""Forecasts of the panel with standard errors and intervals.

        For principal components they are exact: loadings times the forecasts of the factors, with
        variance :math:`\lambda_j' \mathrm{MSE}_h \lambda_j + \psi_j`. For an autoencoder factors
        and series are simulated; the forecast is the mean over paths.

        Parameters
        ----------
        steps : int
            Periods after the last row.
        repetitions : int
            Futures that are simulated.
        shocks : {"bootstrap", "normal"}
            Errors of the factors and of the series drawn with replacement, or normal ones.
        rng : int or numpy.random.Generator
            Seed.

        Returns
        -------
        Forecast
            Its variances are those of ``factors`` and ``idiosyncratic`` errors; those of estimated
            parameters are left out, as in statsmodels.
        """
        var, steps = self._moving(), check_steps(steps)
        count = check_steps(repetitions, "repetitions")
        if shocks not in SHOCKS:
            raise SpecificationError(f"shocks={shocks!r}: choose 'bootstrap' or 'normal'.")
        results = self._estimated
        mapping, errors = results.mapping, results._own_errors
        if isinstance(mapping, ComponentMap):
            found = linear_panel(mapping, var.system, self._history, errors, steps)
            told = "exact, shocks alone"
        else:
            random = np.random.default_rng(rng)
            found = simulated_panel(
                mapping, var, self._history, errors, steps, count, shocks, random
            )
            told = f"{count} simulated paths, {shocks} shocks"
        return self._in_units(found, steps, told)

    def _in_units(self, found: PanelMoments, steps: int, told: str) -> Forecast:
        results = self._estimated
        shift = results.mapping.extraction.components.standardisation
        sources = {
            name: getattr(found, name) * shift.scale**2 for name in ("factors", "idiosyncratic")
        }
        return Forecast(
            tuple(results.model.labels), self._ahead(steps), shift.undo(found.mean),
            np.sqrt(sum(sources.values())),
            None if found.paths is None else shift.undo(found.paths), sources, told,
        )  # fmt: skip

    def plot_forecast(
        self,
        series: str | Sequence[str],
        steps: int = 8,
        *,
        levels: Sequence[float] = (0.5, 0.7, 0.9),
        history: int | None = None,
        labels: Mapping[str, str] | None = None,
        rng: int | np.random.Generator = 0,
        **options: Any,
    ) -> Any:
        """Fan chart of some series: the last periods, the forecast, and intervals around it.

        Beside an autoencoder's forecast stands that of principal components with a VAR.

        Parameters
        ----------
        series : str or sequence of str
            Which series of the panel.
        steps : int
            Periods after the last row.
        levels : sequence of float
            Levels of the intervals, at most three.
        history : int, optional
            Periods of the data that are shown; five times ``steps`` by default.
        labels : mapping, optional
            What the series are, with units.
        rng : int or numpy.random.Generator
            Seed.
        **options
            As in :func:`nnecon.report.plots.plot_fan`: ``title``, ``figsize``, ``fig``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        names: list[Any] = list(series) if isinstance(series, list | tuple | pd.Index) else [series]
        known = list(self._estimated.model.labels)
        for name in names:
            if name not in known:
                raise SpecificationError(f"{name!r} is no series; {suggestion(str(name), known)}")
        if not names:
            raise SpecificationError("series: give at least one of the panel.")
        if not 1 <= len(levels) <= 3:
            raise SpecificationError(f"levels={levels!r}: give one, two or three levels.")
        made, where = self.get_forecast(steps, rng=rng), [known.index(name) for name in names]
        ends = {level: made.limits(1.0 - level) for level in levels}
        bands = {level: (low[:, where], high[:, where]) for level, (low, high) in ends.items()}
        shown = check_steps(5 * len(made.index) if history is None else history, "history")
        values, index = self._past
        past = pd.DataFrame(values[-shown:, where], index[-shown:], names)
        blank = next((name for name in names if past[name].isna().all()), None)
        if blank is not None:
            raise SpecificationError(
                f"{blank!r} has no value in the last {shown} periods; give a longer history."
            )
        given = {"baseline": self._linear_forecast(made.index, names, where), "labels": labels,
                 "baseline_name": "PCA and VAR"}  # fmt: skip
        return plots.plot_fan(past, made.predicted_mean[names], bands, **{**given, **options})

    def _linear_forecast(
        self, index: pd.Index, names: Sequence[Any], where: list[int]
    ) -> pd.DataFrame | None:
        """Forecasts of principal components and their VAR; None where that is the estimate."""
        results = self._estimated
        if results.is_linear:
            return None
        linear = results.components
        fitted = factor_var(linear.factors(results.model.panel.values), results.factor_order)
        mean = factor_moments(fitted.system, linear.factors(self._past[0]), len(index)).mean
        values = linear.extraction.components.standardisation.undo(linear.decode(mean))
        return pd.DataFrame(values[:, where], index, names)


class DynamicFactors(FactorOutlooks):
    """The autoregression of the factors, for the results of a fit."""

    @property
    def _estimated(self: Any) -> Any:
        return self

    @property
    def _past(self: Any) -> tuple[np.ndarray, pd.Index]:
        return self.model.panel.values, self.index

    @property
    def _history(self: Any) -> np.ndarray:
        return self._factors

    @cached_property
    def _factor_var(self: Any) -> FactorVAR | None:
        return factor_var(self._factors, self.factor_order) if self.factor_order else None

    @cached_property
    def _own_errors(self: Any) -> np.ndarray:
        return idiosyncratic(self.mapping, self.model.panel.values)

    @property
    def factor_order(self: Any) -> int:
        """Lags of the factors' autoregression; 0 where they have none."""
        return int(self.model.factor_order)

    @property
    def factor_var(self: Any) -> pd.DataFrame:
        """Coefficients of the factors' autoregression, an equation a column.

        Rows have the names of statsmodels' ``VARResults.params``; the numbers are those of
        ``VAR(results.factors).fit(factor_order)``.
        """
        system, names = self._moving().system, self.factor_names
        rows = ["const"]
        rows += [f"L{lag}.{name}" for lag in range(1, self.factor_order + 1) for name in names]
        values = np.concatenate([system.fixed, *(lag.T for lag in system.coefs)])
        return pd.DataFrame(values, rows, names)

    @property
    def factor_sigma_u(self: Any) -> pd.DataFrame:
        """Covariance of the autoregression's errors, with statsmodels' degrees of freedom."""
        names = self.factor_names
        return pd.DataFrame(self._moving().system.covariance, names, names)

    @property
    def largest_root(self: Any) -> float:
        """Largest absolute eigenvalue of the autoregression; under one where it is stationary."""
        return self._moving().largest_root

    def apply(self: Any, data: Any) -> "FactorOutlook":
        """The same model on other rows, such as those known at a later date, to forecast from.

        Parameters
        ----------
        data : DataFrame or array_like
            With the series of the panel, in periods without gaps; missing values are filled.

        Returns
        -------
        FactorOutlook
        """
        self._moving()
        return FactorOutlook(self, *self.model.panel.new(data))


class FactorOutlook(FactorOutlooks, Immutable):
    """An estimated factor model on other rows; made by :meth:`AutoencoderFactorResults.apply`.

    Attributes
    ----------
    results : AutoencoderFactorResults
        The estimate.
    index : Index
        Labels of the rows.
    """

    results: Any
    index: pd.Index
    _values: np.ndarray

    def __init__(self, results: Any, values: np.ndarray, index: pd.Index) -> None:
        TimeAxis.of(index, "a forecast")
        check_known(np.isfinite(values), (), index, results.k_factors)
        if len(values) < results.factor_order:
            raise SpecificationError(
                f"{len(values)} rows are too few for {results.factor_order} lags."
            )
        self.__dict__.update(results=results, index=index, _values=values)

    @property
    def _estimated(self) -> Any:
        return self.results

    @property
    def _past(self) -> tuple[np.ndarray, pd.Index]:
        return self._values, self.index

    @property
    def alpha(self) -> float:
        """Penalty of the estimate."""
        return float(self.results.alpha)

    @property
    def factors(self) -> pd.DataFrame:
        """Factors of the rows."""
        return pd.DataFrame(self._history, self.index, self.results.factor_names)
