"""Models of all kinds behind one face: fit, apply, forecast."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from nnecon.baselines.face import Baseline
from nnecon.data.time_axis import TimeAxis, label_text
from nnecon.exceptions import DataError, ForecastError, SpecificationError
from nnecon.inference.accuracy.measures import CRPS_LEVELS
from nnecon.results.quantile_forecast import QuantileForecast

LIMITS = (("obs_ci_lower", "obs_ci_upper"), ("mean_ci_lower", "mean_ci_upper"))
"""Columns of ``summary_frame`` with the limits of an interval, in the order of preference."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Forecasts and limits, each of shape (steps, targets); limits may be missing.

    ``quantiles`` (steps, targets, 100) of models that give a distribution, at
    :data:`nnecon.inference.accuracy.measures.CRPS_LEVELS`.
    """

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    quantiles: np.ndarray | None = None

    @classmethod
    def alone(cls, mean: np.ndarray) -> "Forecasts":
        """Forecasts without limits."""
        missing = np.full(mean.shape, np.nan)
        return cls(mean, missing, missing.copy())


@dataclass(frozen=True, slots=True, eq=False)
class Method(ABC):
    """A model with its name in the backtest and the columns that it forecasts."""

    name: str
    targets: tuple[str, ...]

    @abstractmethod
    def fit(self, frame: pd.DataFrame, like: Any = None) -> Any:
        """Estimate; where ``like`` is a fit, its choices (penalty, lags) are kept."""

    @abstractmethod
    def forecasts(
        self,
        fitted: Any,
        frame: pd.DataFrame,
        steps: int,
        alpha: float | None,
        future: pd.DataFrame | None,
    ) -> Forecasts:
        """Forecasts of the periods after the frame; ``future`` holds what is known of them.

        Without ``alpha``, limits are missing.
        """

    def future(self, frame: pd.DataFrame) -> pd.DataFrame | None:
        """Regressors whose values are known in advance, or None where the model has none."""
        return None

    def outcomes(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The targets in the data."""
        return frame[list(self.targets)].astype(float)

    def apply(self, fitted: Any, frame: pd.DataFrame) -> Any:
        """The same parameters on another frame."""
        if not callable(getattr(fitted, "apply", None)):
            raise SpecificationError(
                "its fit has no apply(), so that it has to be estimated at every origin: "
                "refit=True."
            )
        return fitted.apply(frame)

    def choice(self, fitted: Any) -> str:
        """What was chosen by the data, in words."""
        return ""

    @property
    def description(self) -> str:
        """The model in a few words."""
        return self.name

    def _table(self, found: Any, frame: pd.DataFrame, steps: int) -> tuple[np.ndarray, int]:
        """Forecasts as an array, and by how many periods the last of them falls short."""
        if isinstance(found, pd.Series):
            found = found.to_frame(self.targets[0])
        if isinstance(found, pd.DataFrame):
            if len(self.targets) > 1 or len(found.columns) > 1:
                lacking = [name for name in self.targets if name not in found.columns]
                if lacking:
                    raise ForecastError(f"its forecasts have no column {lacking[0]!r}.")
                found = found[list(self.targets)]
            short = _periods_short(found.index, frame, steps)
            return found.to_numpy(dtype=float), short
        values = np.asarray(found, dtype=float)
        values = values[:, None] if values.ndim == 1 else values
        if values.shape != (steps, len(self.targets)):
            raise ForecastError(
                f"its forecasts have shape {values.shape}, but {(steps, len(self.targets))} is "
                "needed: one row a period and one column a target."
            )
        return values, 0


def _periods_short(index: pd.Index, frame: pd.DataFrame, steps: int) -> int:
    """Periods from the last forecast to the last one wanted; labels without dates count as right.

    A model that drops rows in which a late series is missing forecasts from there on.
    """
    if type(index) is not type(frame.index) and not isinstance(index, pd.RangeIndex):
        return 0
    plain = isinstance(index, pd.RangeIndex)
    if plain and (not isinstance(frame.index, pd.RangeIndex) or index[0] == 0):
        return 0
    axis = TimeAxis.of(frame.index, "a backtest")
    short = len(frame) + steps - 1 - int(axis.ordinals(index[-1:])[0])
    if short < 0:
        raise ForecastError(
            f"its forecasts end at {label_text(index[-1])}, {-short} periods after the last that "
            "was asked for."
        )
    return short


@dataclass(frozen=True, slots=True, eq=False)
class BaselineMethod(Method):
    """A specification of :mod:`nnecon.baselines`."""

    baseline: Baseline

    @property
    def description(self) -> str:
        """The model in a few words."""
        return self.baseline.description

    def fit(self, frame: pd.DataFrame, like: Any = None) -> Any:
        """Estimate, with lags chosen before where ``like`` is given."""
        return self.baseline.fit(frame, self.targets, like=like)

    def forecasts(
        self,
        fitted: Any,
        frame: pd.DataFrame,
        steps: int,
        alpha: float | None,
        future: pd.DataFrame | None,
    ) -> Forecasts:
        """Forecasts with the baseline's own intervals."""
        outlook = fitted.get_forecast(steps)
        if alpha is None:
            return Forecasts.alone(outlook.predicted_mean[list(self.targets)].to_numpy())
        interval = outlook.conf_int(alpha)
        lower = interval[[f"lower {name}" for name in self.targets]]
        upper = interval[[f"upper {name}" for name in self.targets]]
        return Forecasts(
            outlook.predicted_mean[list(self.targets)].to_numpy(),
            lower.to_numpy(),
            upper.to_numpy(),
        )

    def choice(self, fitted: Any) -> str:
        """Number of lags, where a criterion chose it."""
        return str(fitted.choice)


@dataclass(frozen=True, slots=True, eq=False)
class ModelMethod(Method):
    """A model of nnecon: ``on(frame)``, ``fit(**options)``, results that forecast."""

    model: Any
    options: Mapping[str, Any]

    @property
    def description(self) -> str:
        """The model in a few words."""
        return f"{type(self.model).__name__}, {self.model.description}"

    def fit(self, frame: pd.DataFrame, like: Any = None) -> Any:
        """Fit the same specification to a frame.

        Where ``like`` is given, its penalty and lags are kept, and its estimates are the starts
        where the model takes some.
        """
        options = {"progress": False, **self.options}
        if like is None:
            return self.model.on(frame).fit(**options)
        options["alpha"] = _penalties(like)
        lags = getattr(like.model, "lags", ())
        kept = getattr(like.model, "pinned", {"linear_lags": lags} if lags else {})
        model = self.model.on(frame, **kept)
        if "start" in signature(model.fit).parameters:
            options["start"] = like
        return model.fit(**options)

    def future(self, frame: pd.DataFrame) -> pd.DataFrame | None:
        """Regressors that the formula marks as known in advance, in all periods of the data."""
        series = getattr(self.model, "series", None)
        if series is None or not series.terms.known:
            return None
        found = self.model.series_in(frame)
        return pd.DataFrame(found.exog, index=frame.index, columns=list(series.terms.known))

    def outcomes(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The targets in the data; the left side of the formula is evaluated where it is needed."""
        if all(name in frame.columns for name in self.targets):
            return Method.outcomes(self, frame)
        if hasattr(self.model, "series_in"):
            values = self.model.series_in(frame).endog[:, : len(self.targets)]
            return pd.DataFrame(values, index=frame.index, columns=list(self.targets))
        model = self.model.on(frame)
        values = pd.Series(model.endog, index=model.design.sample.index, name=self.targets[0])
        return values.reindex(frame.index).to_frame()

    def forecasts(
        self,
        fitted: Any,
        frame: pd.DataFrame,
        steps: int,
        alpha: float | None,
        future: pd.DataFrame | None,
    ) -> Forecasts:
        """Forecasts with intervals; a regression has ``get_prediction`` and one step ahead."""
        if not callable(getattr(fitted, "get_forecast", None)):
            return self._next_row(fitted, frame, steps, alpha)
        given = {} if future is None else {"exog": future}
        if alpha is None and callable(getattr(fitted, "forecast", None)):
            found, short = self._table(fitted.forecast(steps, **given), frame, steps)
            if short:
                found, _ = self._table(fitted.forecast(steps + short, **given), frame, steps)
            return Forecasts.alone(found[short:])
        outlook = fitted.get_forecast(steps, **given)
        found, short = self._table(_middle(outlook), frame, steps)
        if short:
            outlook = fitted.get_forecast(steps + short, **given)
            found, _ = self._table(_middle(outlook), frame, steps)
        limits = _limits(outlook.summary_frame(alpha=alpha), self.targets)
        lower, upper = (limit[short:] for limit in limits)
        spread = _distribution(outlook, self.targets)
        return Forecasts(found[short:], lower, upper, None if spread is None else spread[short:])

    def _next_row(
        self, fitted: Any, frame: pd.DataFrame, steps: int, alpha: float | None
    ) -> Forecasts:
        if steps > 1:
            raise SpecificationError(
                f"{type(self.model).__name__} predicts one period ahead from lags: horizon=1. For "
                "more, use a forecaster such as LSTMForecaster, or lags of the horizon and more."
            )
        axis = TimeAxis.of(frame.index, "a backtest")
        row = pd.DataFrame(index=axis.following(len(frame), 1))
        try:
            found = fitted.get_prediction(row).summary_frame(alpha=0.1 if alpha is None else alpha)
        except DataError as error:
            raise SpecificationError(
                f"the formula uses something of the period that is forecast ({error}); write it "
                "with a lag, such as lag(x, 1)."
            ) from error
        values = found["mean"].to_numpy()[:, None]
        if alpha is None:
            return Forecasts.alone(values)
        return Forecasts(values, *_limits(found, self.targets))

    def choice(self, fitted: Any) -> str:
        """Penalty, of each target where they differ."""
        alpha = _penalties(fitted)
        if isinstance(alpha, Mapping):
            return "alpha " + ", ".join(f"{name}: {_written(v)}" for name, v in alpha.items())
        return f"alpha {alpha:.4g}" if isinstance(alpha, Real) else ""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMethod(Method):
    """Any object with ``fit(frame)`` whose fit (or itself) has ``forecast(steps)``."""

    thing: Any

    @property
    def description(self) -> str:
        """Name of the object's class."""
        return type(self.thing).__name__

    def fit(self, frame: pd.DataFrame, like: Any = None) -> Any:
        """Fit a copy, so that nothing is carried from one origin to another."""
        if like is not None:
            raise SpecificationError(
                f"{type(self.thing).__name__} does not say how its choices are kept; leave "
                "reselect out."
            )
        own = copy.deepcopy(self.thing)
        fitted = own.fit(frame)
        fitted = own if fitted is None else fitted
        if not callable(getattr(fitted, "forecast", None)):
            raise SpecificationError(
                f"what {type(self.thing).__name__}.fit() returns, a {type(fitted).__name__}, has "
                "no forecast(steps)."
            )
        return fitted

    def forecasts(
        self,
        fitted: Any,
        frame: pd.DataFrame,
        steps: int,
        alpha: float | None,
        future: pd.DataFrame | None,
    ) -> Forecasts:
        """Forecasts; with intervals where the fit has ``get_forecast``."""
        found, short = self._table(fitted.forecast(steps), frame, steps)
        if short:
            found, _ = self._table(fitted.forecast(steps + short), frame, steps)
        if alpha is None or not callable(getattr(fitted, "get_forecast", None)):
            return Forecasts.alone(found[short:])
        outlook = fitted.get_forecast(steps + short)
        lower, upper = _limits(outlook.summary_frame(alpha=alpha), self.targets)
        return Forecasts(found[short:], lower[short:], upper[short:])


def _distribution(outlook: Any, targets: tuple[str, ...]) -> np.ndarray | None:
    """Quantiles (h, targets, 100) of simulated futures or of quantile forecasts, if there are."""
    own = getattr(outlook, "targets", targets)
    where = [list(own).index(name) for name in targets]
    if isinstance(outlook, QuantileForecast):
        return outlook.at(CRPS_LEVELS)[:, where]
    paths = getattr(outlook, "paths", None)
    if paths is None:
        return None
    return np.moveaxis(np.quantile(paths[:, :, where], CRPS_LEVELS, axis=0), 0, 2)


def _middle(outlook: Any) -> Any:
    """What counts as the forecast: the mean, or the median of quantiles."""
    return outlook.middle if hasattr(outlook, "middle") else outlook.predicted_mean


def _written(penalty: Any) -> str:
    """A penalty, or those of the horizons of direct forecasts and of quantiles."""
    return "/".join(f"{value:.4g}" for value in np.ravel(penalty))


def _penalties(fitted: Any) -> Any:
    """Penalty of a fit as ``fit`` takes it: a number, or numbers by target (and horizon)."""
    alpha = getattr(fitted, "alphas_chosen", None) or fitted.alpha
    return alpha.to_dict() if isinstance(alpha, pd.Series) else alpha


def _limits(frame: pd.DataFrame, targets: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits from a summary frame, of one target or with targets as first level."""
    names = frame.columns.get_level_values(-1) if frame.columns.nlevels > 1 else frame.columns
    found = next((pair for pair in LIMITS if pair[0] in names), None)
    if found is None:
        raise ForecastError(f"summary_frame() has no limits of intervals, but {list(names)}.")
    columns = []
    for side in found:
        if frame.columns.nlevels > 1:
            columns.append(np.column_stack([frame[(name, side)] for name in targets]))
        else:
            columns.append(frame[side].to_numpy(dtype=float)[:, None])
    return columns[0], columns[1]
