"""The periods that are forecast: what is known about them, and what is imposed on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.series import Series, named_columns
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text, listing
from nnecon.data.windows import raw_rows
from nnecon.exceptions import ForecastError


@dataclass(frozen=True, slots=True, eq=False)
class Future:
    """Periods from the first that is not wholly known to the last that is forecast.

    Parameters
    ----------
    history : ndarray of shape (n, m)
        Series up to the last period with all of them, in order of time.
    past_known : ndarray of shape (n, k)
        Known regressors of these periods.
    known : ndarray of shape (g + h, k)
        Known regressors of the periods after, g of which are in the data but not complete.
    imposed : ndarray of shape (g + h, m)
        Values that are in the data already, or that a scenario imposes; NaN elsewhere.
    index : pandas.Index
        Labels of the h periods after the data.
    late : int
        The g.
    """

    history: np.ndarray
    past_known: np.ndarray
    known: np.ndarray
    imposed: np.ndarray
    index: pd.Index
    late: int


def ordinals_from(model: Any, data: Series, count: int) -> np.ndarray:
    """Periods of ``count`` rows from the first of the data, as the model counts them."""
    return model.series.axis.ordinals(data.index[:1])[0] + np.arange(count)


def complete_rows(
    model: Any, data: Series, known: np.ndarray, begin: int
) -> tuple[np.ndarray, pd.Index]:
    """Rows (n, r) of the periods in the data that can be forecast, and the labels of these.

    Parameters
    ----------
    model
        The forecaster; one of a horizon of direct forecasts looks ``lead`` periods further.
    data : Series
        Data of the estimation, or others.
    known : ndarray of shape (T, k)
        Known regressors at their periods.
    begin : int
        First row of the data that counts.
    """
    layout, lead = model.layout, model.lead or 0
    starts = np.arange(max(len(data.index) - lead, 0))
    rows = raw_rows(layout, data.endog, known[lead:], starts)
    complete = np.isfinite(rows[:, : layout.n_linear]).all(axis=1)
    if not layout.window:
        complete &= np.isfinite(rows).all(axis=1)
    complete &= (starts >= data.first) & (starts + lead >= begin)
    return rows[complete], data.index[starts[complete] + lead]


def direct_future(
    model: Any, data: Series, steps: int, exog: Any, horizon: int
) -> Future:  # fmt: skip
    """Read what is known about the periods of direct forecasts, of which there are ``horizon``."""
    ordinals = ordinals_from(model, data, len(data.index))
    future = future_of(model, data, ordinals, steps, exog, None)
    if future.late + steps > horizon:
        behind = f", {future.late + steps} after the last with all series" if future.late else ""
        raise ForecastError(
            f"steps={steps}: the last period is {steps} after the data{behind}, and the model "
            f"was estimated for 1 to {horizon} periods ahead; build it with "
            f"horizon={future.late + steps}."
        )
    return future


def row_ahead(model: Any, future: Future, lead: int) -> np.ndarray:
    """Row (r,) at the end of the data for the outcome ``lead`` periods after the next."""
    known = np.concatenate([future.past_known, future.known])[lead:]
    return raw_rows(model.layout, future.history, known, np.array([len(future.history)]))[0]


def future_of(
    model: Any,
    data: Series,
    ordinals: np.ndarray,
    steps: int,
    exog: Any,
    conditions: Any,
    *,
    filtered: bool = False,
) -> Future:
    """Read what is known about the periods that are forecast.

    Parameters
    ----------
    model
        The forecaster.
    data : Series
        What forecasts go on from.
    ordinals : ndarray of int of shape (n,)
        Periods of the data, as the model counts them.
    steps : int
        Periods after the data.
    exog : array_like, optional
        Known regressors of these periods.
    conditions : DataFrame, optional
        Values that series take in some of these periods.
    filtered : bool
        Whether the model filters what is missing, so that lags need not be there.
    """
    n = len(data.index)
    whole = np.flatnonzero(np.isfinite(data.endog).all(axis=1))
    origin = int(whole[-1]) + 1
    late = n - origin
    if not filtered:
        _check_past(model, data, origin, 1 if model.direct else late + steps)
    ahead = ordinals[-1] + 1 + np.arange(steps)
    index = model.series.axis.labels(ahead).rename(data.index.name)
    given = _known_ahead(data, index, exog)
    known = model.known_values(np.concatenate([data.exog, given]), np.r_[ordinals, ahead])
    lacking = np.argwhere(~np.isfinite(known[origin:]))
    if len(lacking):
        row, column = lacking[0]
        label = data.index[origin + row] if row < late else index[row - late]
        raise ForecastError(
            f"the known regressor {model.known_names[column]!r} is missing at "
            f"{label_text(label)}; a forecast needs it in all periods that are forecast"
        )
    imposed = np.full((late + steps, data.endog.shape[1]), np.nan)
    imposed[:late] = data.endog[origin:]
    if conditions is not None:
        _impose(imposed[late:], data.names, index, conditions)
    return Future(data.endog[:origin], known[:origin], known[origin:], imposed, index, late)


def _check_past(model: Any, data: Series, origin: int, steps: int) -> None:
    """Refuse a past without values of the lags; windows take what is there, as in estimation."""
    lags = {*model.layout.lags, *(model.layout.network_lags if not model.layout.window else ())}
    needed = {origin + step - lag for step in range(steps) for lag in lags if step < lag}
    if needed and min(needed) < 0:
        raise ForecastError(
            f"the data have {origin} periods up to {label_text(data.index[origin - 1])}, and the "
            f"lags of the model reach back {max(lags)}; give the periods before, too"
        )
    for at in sorted(needed, reverse=True):
        absent = np.flatnonzero(~np.isfinite(data.endog[at]))
        if len(absent):
            raise ForecastError(
                f"{data.names[absent[0]]!r} is missing at {label_text(data.index[at])}, which a "
                f"forecast after {label_text(data.index[origin - 1])} needs as a lag; fill it in, "
                "or estimate with fewer linear_lags"
            )


def _known_ahead(data: Series, index: pd.Index, exog: Any) -> np.ndarray:
    """Values of ``known()`` regressors in the periods after the data, shape (h, k)."""
    names, steps = data.terms.known, len(index)
    if not names:
        if exog is not None:
            raise ForecastError(
                "exog: the model has no regressors that are known in advance; leave it out (paths "
                "of series are imposed with conditions=)."
            )
        return np.empty((steps, 0))
    if exog is None:
        raise ForecastError(
            f"the model has regressors that are known in advance, {list(names)}: give their values "
            f"for {listing(index)} in exog="
        )
    if isinstance(exog, pd.Series):
        exog = exog.to_frame(names[0] if len(names) == 1 else exog.name)
    if isinstance(exog, pd.DataFrame):
        for name in names:
            if name not in exog.columns:
                raise ForecastError(
                    f"exog has no column {name!r}; {suggestion(name, exog.columns)}"
                )
        absent = ~index.isin(exog.index)
        if absent.any():
            raise ForecastError(
                f"exog has no row for {listing(index[absent])}; its index must hold the periods "
                "that are forecast"
            )
        return exog.loc[index, list(names)].to_numpy(dtype=float)
    values = np.asarray(exog, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if values.shape != (steps, len(names)):
        raise ForecastError(
            f"exog has the shape {values.shape}; give {steps} rows and the columns {list(names)}"
        )
    return values


def _impose(
    imposed: np.ndarray, names: tuple[str, ...], index: pd.Index, conditions: Any
) -> None:  # fmt: skip
    if not isinstance(conditions, pd.DataFrame):
        raise ForecastError(
            "conditions: give a DataFrame with periods as index and series as columns; NaN leaves "
            "a value free"
        )
    for name in conditions.columns:
        if name not in names:
            raise ForecastError(
                f"conditions name {name!r}, which is no series of the model; "
                f"{suggestion(str(name), names)}"
            )
        for label, value in conditions[name].items():
            if pd.isna(value):
                continue
            if label not in index:
                raise ForecastError(
                    f"conditions impose {name!r} at {label_text(label)}, which is not among the "
                    f"periods that are forecast, {listing(index)}"
                )
            imposed[index.get_loc(label), names.index(name)] = float(value)


def continued(data: Series, new: Any) -> pd.DataFrame:
    """The columns of the data with new periods behind them."""
    new = named_columns(new, [str(name) for name in data.frame.columns])
    if not isinstance(new, pd.DataFrame):
        raise ForecastError("append: give a DataFrame with the columns of the estimation.")
    old = data.frame
    for name in old.columns:
        if name not in new.columns:
            raise ForecastError(
                f"the new periods have no column {name!r}; {suggestion(str(name), new.columns)}"
            )
    ordinals = data.axis.ordinals(new.index)
    if ordinals.min() > len(old):
        raise ForecastError(
            f"the new periods begin at {label_text(new.index[0])} and do not follow on the data, "
            f"which end at {label_text(old.index[-1])}; give the periods between as well"
        )
    return new[list(old.columns)].combine_first(old)
