"""The backtest: forecasts of several models from many origins."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.backtesting.information import Information, read_release_lag, read_vintages
from nnecon.backtesting.methods import BaselineMethod, Forecasts, Method
from nnecon.backtesting.reading import read_models
from nnecon.backtesting.schedule import AGAIN, NEW, Origin, origin_rows, schedule
from nnecon.data.frames import as_frame
from nnecon.data.time_axis import TimeAxis, label_text
from nnecon.estimation.execution import Execution, Monitor
from nnecon.exceptions import ForecastError, NneconError, NneconWarning, SpecificationError
from nnecon.inference.accuracy.measures import crps_interval, crps_quantiles
from nnecon.results.backtest import Backtest
from nnecon.results.outlook import check_level, check_steps
from nnecon.results.progress import progress_bar

WINDOWS = ("expanding", "rolling")


@dataclass(frozen=True, slots=True, eq=False)
class OriginForecast:
    """What a model said at one origin; a record of the engine.

    Attributes
    ----------
    mean, lower, upper : ndarray of shape (horizon, targets)
        Forecasts and limits of intervals.
    choice : str
        What the data chose.
    notes : str
        Warnings, one a line.
    quantiles : ndarray of shape (horizon, targets, 100)
        The forecast distribution; of length zero where the model gives none.
    """

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    choice: str
    notes: str
    quantiles: np.ndarray


def backtest(
    models: Mapping[str, Any],
    data: Any = None,
    *,
    horizon: int = 1,
    initial: Any = None,
    step: int = 1,
    refit: bool | int = True,
    reselect: bool | int | None = None,
    window: str = "expanding",
    targets: Sequence[str] | str | None = None,
    release_lag: Mapping[str, int] | None = None,
    vintages: Mapping[Any, pd.DataFrame] | Callable[[Any], pd.DataFrame] | None = None,
    alpha: float = 0.1,
    intervals: bool = True,
    executor: Any = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> Backtest:
    """Forecast from many past dates with several models, each knowing what was known then.

    At every origin each model gets a frame that ends at the cutoff and does everything that
    belongs to it on that frame alone: standardisation, choice of lags and penalty, estimation. Its
    forecasts for the next ``horizon`` periods are kept beside what happened.

    Parameters
    ----------
    models : mapping
        Models by name: a model of nnecon, or a pair of it and the options of its ``fit``, such as
        ``(model, {"alpha": 0.1})``; a baseline of :mod:`nnecon.baselines`; or any object with
        ``fit(frame)`` that returns something with ``forecast(steps)`` (and ``get_forecast`` for
        intervals).
    data : DataFrame, optional
        One row a period, in order, without gaps; by default the data of the first nnecon model.
    horizon : int
        Periods ahead, from 1 to this one.
    initial : int or label, optional
        Periods of the first sample, or its last period (``"1984Q4"``); by default half of the data.
    step : int
        Periods between two origins.
    refit : bool or int
        True: estimate at every origin. False: at the first one; later ones take its parameters on
        the data known then (``apply``). An integer k: at every k-th origin.
    reselect : int or False, optional
        Choose penalties and lags at every k-th origin only, or at the first one; estimations in
        between keep the choice, and a network starts from its last estimate. By default all is
        chosen anew at every estimation.
    window : {"expanding", "rolling"}
        Whether samples grow, or keep the length of the first one.
    targets : sequence of str, optional
        Columns to forecast with models that name none; by default those that nnecon's models
        forecast, and without such a model all columns.
    release_lag : mapping, optional
        Periods by which a column is published late, such as ``{"gdp": 1}``: its last values are
        missing at every cutoff. Baselines forecast from the last value of the series itself (VAR:
        from the last complete row).
    vintages : mapping or callable, optional
        The data as they were known at each cutoff: frames by cutoff, or a function of the cutoff.
        Outcomes are taken from ``data``.
    alpha : float
        One less the level of the intervals.
    intervals : bool
        False leaves intervals out, which take networks more time than the forecasts; measures of
        intervals are then missing.
    executor : concurrent.futures.Executor, optional
        Runs origins on processes or a cluster; the numbers are the same bit for bit. Without one,
        origins run one after the other, and a network's fit uses all cores.
    checkpoint : path, optional
        Folder that keeps finished origins: a stopped backtest continues, and one over more recent
        data computes the new origins only (as long as ``refit=True``).
    progress : bool, optional
        Show a progress bar; by default in a terminal.

    Returns
    -------
    Backtest

    Raises
    ------
    SpecificationError
        Options that make no sense, or a model that cannot forecast.
    DataError
        Gaps, holes or mixed frequencies; names column and period.

    References
    ----------
    Tashman, L. J. (2000). Out-of-sample tests of forecasting accuracy. International Journal of
    Forecasting 16, 437-450.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> models = {"var": ne.baselines.var(2), "random walk": ne.baselines.random_walk()}
    >>> found = ne.backtest(
    ...     models, macro, targets=["infl", "tbilrate"], horizon=4, initial="1999Q4", refit=8
    ... )
    >>> found.accuracy().loc[("infl", 1), "rmse"].round(2).to_dict()
    {'var': 3.41, 'random walk': 3.81}
    """
    check_steps(horizon, "horizon")
    check_level(alpha)
    if window not in WINDOWS:
        raise SpecificationError(f"window={window!r} is not known; choose one of {WINDOWS}.")
    frame = _data(models, data)
    axis = TimeAxis.of(frame.index, "a backtest")
    methods = read_models(models, targets, frame)
    rows = origin_rows(frame.index, initial, step, horizon)
    blocks = schedule(rows, refit, reselect)
    information = Information(
        frame,
        read_release_lag(release_lag, frame),
        rows[0] + 1 if window == "rolling" else None,
        read_vintages(vintages, frame, axis, rows),
    )
    future = {method: method.future(frame) for method in methods}
    tasks = [
        (block, method, information.until(block[-1].row), _ahead(future[method], block, horizon))
        for method in methods
        for block in blocks
    ]
    work = AtOrigins(int(horizon), float(alpha) if intervals else None)
    with progress_bar(progress, "Backtesting") as bar:
        execution = replace(Execution.check(_processes(executor), checkpoint, bar), threads=1)
        done = iter(execution.run(work, tasks, record=OriginForecast))
    records = {method: [record for _ in blocks for record in next(done)] for method in methods}
    _tell(records, rows, frame.index)
    outcomes = pd.concat([method.outcomes(frame) for method in methods], axis=1)
    outcomes = outcomes.loc[:, ~outcomes.columns.duplicated()]
    return Backtest(
        _long(records, rows, outcomes, axis, float(alpha)),
        _choices(records, rows, frame.index),
        outcomes,
        step=int(step),
        alpha=float(alpha),
        window=information.window,
        descriptions={one.name: one.description for one in methods},
        reference=_reference(methods),
    )


@dataclass(frozen=True, slots=True, eq=False)
class AtOrigins:
    """What is done for a block of origins; all tasks share it. No ``alpha``, no intervals."""

    horizon: int
    alpha: float | None

    def __call__(
        self,
        block: list[Origin],
        method: Method,
        information: Information,
        future: pd.DataFrame | None,
        monitor: Monitor,
    ) -> list[OriginForecast]:
        """Forecasts from each origin of the block."""
        records = []
        estimated = None
        for origin in block:
            monitor.check()
            frame = information.at(origin.row)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with _named(method.name, frame.index[-1]):
                    if origin.estimate == NEW:
                        fitted = estimated = method.fit(frame)
                    elif origin.estimate == AGAIN:
                        fitted = estimated = method.fit(frame, like=estimated)
                    else:
                        fitted = method.apply(estimated, frame)
                    found = self._forecasts(method, fitted, frame, origin, future)
                    choice = method.choice(fitted)
            notes = dict.fromkeys(" ".join(str(one.message).split()) for one in caught)
            spread = np.zeros(0) if found.quantiles is None else found.quantiles
            told = "\n".join(notes)
            records.append(
                OriginForecast(found.mean, found.lower, found.upper, choice, told, spread)
            )
            monitor.advance(1)
        return records

    def _forecasts(
        self,
        method: Method,
        fitted: Any,
        frame: pd.DataFrame,
        origin: Origin,
        future: pd.DataFrame | None,
    ) -> Forecasts:
        steps, known = self.horizon, None
        if future is not None:
            known = future[future.index > frame.index[-1]].iloc[:steps]
            steps = len(known)
        found = method.forecasts(fitted, frame, steps, self.alpha, known)
        if found.mean.shape != (steps, len(method.targets)):
            raise ForecastError(f"its forecasts have shape {found.mean.shape}.")
        bad = np.argwhere(~np.isfinite(found.mean))
        if len(bad):
            ahead, column = bad[0]
            raise ForecastError(
                f"its forecast of {method.targets[column]!r} {ahead + 1} periods ahead is "
                f"{found.mean[ahead, column]:g}."
            )
        # beyond the data there are no known regressors, and no outcomes either
        rest = ((0, self.horizon - steps), (0, 0))
        mean, lower, upper = (
            np.pad(part, rest, constant_values=np.nan)
            for part in (found.mean, found.lower, found.upper)
        )
        spread = found.quantiles
        if spread is not None:
            spread = np.pad(spread, (*rest, (0, 0)), constant_values=np.nan)
        return Forecasts(mean, lower, upper, spread)


@contextmanager
def _named(model: str, cutoff: Any) -> Iterator[None]:
    """Say in errors which model it was, and at which cutoff."""
    where = f"model {model!r} at the cutoff {label_text(cutoff)}"
    try:
        yield
    except NneconError as error:
        raise type(error)(f"{where}: {error}") from error
    except (ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError) as error:
        error.add_note(f"This was {where}.")
        raise


def _ahead(future: pd.DataFrame | None, block: list[Origin], horizon: int) -> pd.DataFrame | None:
    """What is known in advance of the periods that a block forecasts."""
    if future is None:
        return None
    return future.iloc[block[0].row + 1 : block[-1].row + 1 + horizon]


def _data(models: Any, data: Any) -> pd.DataFrame:
    """The frame that is given, or that of the first model that has one."""
    if data is not None:
        return as_frame(data)
    parts = models.values() if isinstance(models, Mapping) else [models]
    for given in parts:
        model = given[0] if isinstance(given, tuple) and given else given
        frame = getattr(model, "frame", None)
        if isinstance(frame, pd.DataFrame):
            return frame
    raise SpecificationError("give the data too: ne.backtest(models, data).")


def _processes(executor: Any) -> Any:
    if isinstance(executor, ThreadPoolExecutor):
        raise SpecificationError(
            "executor= is a pool of threads, which statsmodels' models and Python's warnings do "
            "not stand; pass processes, ProcessPoolExecutor(mp_context=multiprocessing."
            "get_context('spawn')), or leave executor out: networks use all cores by themselves."
        )
    return executor


def _tell(records: Mapping[Method, list[OriginForecast]], rows: list[int], index: pd.Index) -> None:
    """One warning for each different one of a model, with the first cutoff."""
    for method, found in records.items():
        origins: dict[str, list[int]] = {}
        for row, record in zip(rows, found, strict=True):
            for note in str(record.notes).splitlines():
                origins.setdefault(note, []).append(row)
        for note, where in origins.items():
            more = f" and {len(where) - 1} more" if len(where) > 1 else ""
            warnings.warn(
                f"model {method.name!r} at the cutoff {label_text(index[where[0]])}{more}: {note}",
                NneconWarning,
                stacklevel=3,
            )


def _reference(methods: list[Method]) -> str:
    """The first baseline, else the last model."""
    baselines = [one.name for one in methods if isinstance(one, BaselineMethod)]
    return baselines[0] if baselines else methods[-1].name


def _long(
    records: Mapping[Method, list[OriginForecast]],
    rows: list[int],
    outcomes: pd.DataFrame,
    axis: TimeAxis,
    alpha: float,
) -> pd.DataFrame:
    """One row a model, cutoff, horizon and variable."""
    last = len(outcomes) - 1
    pieces = []
    for method, found in records.items():
        k = len(method.targets)
        mean = np.stack([record.mean for record in found])
        horizon = mean.shape[1]
        ahead = np.arange(1, horizon + 1)
        at = np.array(rows)[:, None] + ahead
        actual = outcomes[list(method.targets)].to_numpy()[np.minimum(at, last)]
        actual[at > last] = np.nan
        labels = axis.following(0, last + 1 + horizon)
        pieces.append(
            pd.DataFrame(
                {
                    "cutoff": labels[np.repeat(rows, horizon * k)],
                    "date": labels[np.repeat(at.ravel(), k)],
                    "horizon": np.tile(np.repeat(ahead, k), len(rows)),
                    "variable": list(method.targets) * (len(rows) * horizon),
                    "model": method.name,
                    "forecast": mean.ravel(),
                    "lower": np.stack([record.lower for record in found]).ravel(),
                    "upper": np.stack([record.upper for record in found]).ravel(),
                    "actual": actual.ravel(),
                    "crps": _crps(found, actual, alpha).ravel(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def _crps(found: list[OriginForecast], actual: np.ndarray, alpha: float) -> np.ndarray:
    """Scores of forecast distributions, normal ones where the model gives none, as ``actual``."""
    if all(record.quantiles.size for record in found):
        return crps_quantiles(actual, np.stack([record.quantiles for record in found]))
    mean = np.stack([record.mean for record in found])
    width = np.stack([record.upper - record.lower for record in found])
    return crps_interval(actual, mean, width, alpha)


def _choices(
    records: Mapping[Method, list[OriginForecast]], rows: list[int], index: pd.Index
) -> pd.DataFrame:
    """What the data chose: one row a cutoff, one column a model that chooses."""
    texts = {one.name: [str(record.choice) for record in found] for one, found in records.items()}
    chosen = {name: column for name, column in texts.items() if any(column)}
    return pd.DataFrame(chosen, index=pd.Index(index[rows], name="cutoff"))
