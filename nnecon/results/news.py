"""What new and revised data do to the forecasts of a state-space model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import ForecastError
from nnecon.inference.kalman_smoother import smooth

STEP = 1e-4
"""Change, in standard deviations of a series, by which weights are found; where the system is
linear any change gives the same weight."""


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """Decomposition of a change of forecasts (Banbura and Modugno, 2014).

    Attributes
    ----------
    previous, updated : DataFrame
        Forecasts with the earlier and with the newer data, a column a series.
    details : DataFrame
        One row a value and forecast: ``kind`` (``news`` or ``revision``), ``date`` and ``variable``
        of the value, ``observed``, ``expected`` (from the earlier data; of a revision the value
        before), ``news`` (their difference), ``impact date``, ``impacted``, ``weight``,
        ``impact``.
    """

    previous: pd.DataFrame
    updated: pd.DataFrame
    details: pd.DataFrame

    @property
    def total(self) -> pd.DataFrame:
        """Change of the forecasts."""
        return self.updated - self.previous

    @property
    def impacts(self) -> pd.DataFrame:
        """Sum of impacts by forecast: columns ``news``, ``revision``, ``remainder``, ``total``."""
        total = self.total.stack()
        total.index.names = ["impact date", "impacted"]
        parts = {}
        for kind in ("news", "revision"):
            own = self.details[self.details["kind"] == kind]
            summed = own.groupby(["impact date", "impacted"])["impact"].sum()
            parts[kind] = summed.reindex(total.index).fillna(0.0)
        frame = pd.DataFrame(parts)
        frame["remainder"] = total - frame["news"] - frame["revision"]
        frame["total"] = total
        return frame

    @property
    def remainder(self) -> pd.Series:
        """What is left of the change where the system is not linear; otherwise zero."""
        return self.impacts["remainder"]

    def __str__(self) -> str:
        return str(self.impacts)


def news_of(newer: Any, earlier: Any, steps: int, regressors: Any) -> News:
    """Compare two results with the same parameters; see ``RNNStateSpaceResults.news``."""
    old, new = earlier.data, newer.data
    if len(new.index) < len(old.index) or not new.index[: len(old.index)].equals(old.index):
        raise ForecastError(
            "news: the newer data must hold all periods of the earlier ones, with the same index."
        )
    count, ahead = len(new.index), len(new.index) - len(old.index)
    longer = np.concatenate([old.endog, np.full((ahead, old.endog.shape[1]), np.nan)])
    known = newer._future(steps, regressors)
    exog = np.concatenate([known.past_known, known.known])
    index = known.index
    names, scale = newer.model.endog_names, newer.model.units.scale
    previous = _expected(newer, longer, exog, steps)
    updated = _expected(newer, new.endog, exog, steps)
    added = np.isfinite(new.endog) & ~np.isfinite(longer)
    revised = np.isfinite(new.endog) & np.isfinite(longer) & (new.endog != longer)
    lost = ~np.isfinite(new.endog) & np.isfinite(longer)
    if lost.any():
        row, column = np.argwhere(lost)[0]
        raise ForecastError(
            f"news: {names[column]!r} at {new.index[row]} is in the earlier data and not in the "
            "newer ones."
        )
    # revisions first, then what the new values were expected to be given them
    revised_old = np.where(revised, new.endog, longer)
    expected = _smoothed(newer, revised_old, exog)[:count]
    rows = []
    for kind, mask, before, base in (
        ("revision", revised, longer, revised_old),
        ("news", added, expected, new.endog),
    ):
        for row, column in np.argwhere(mask):
            weights = _weights(newer, base, exog, steps, row, column, scale[column])
            gap = new.endog[row, column] - before[row, column]
            for step in range(steps):
                for at, name in enumerate(names):
                    rows.append(
                        (
                            kind,
                            new.index[row],
                            names[column],
                            new.endog[row, column],
                            before[row, column],
                            gap,
                            index[step],
                            name,
                            weights[step, at],
                            weights[step, at] * gap,
                        )
                    )
    columns = [
        "kind", "date", "variable", "observed", "expected", "news", "impact date", "impacted",
        "weight", "impact",
    ]  # fmt: skip
    return News(
        pd.DataFrame(previous, index=index, columns=names),
        pd.DataFrame(updated, index=index, columns=names),
        pd.DataFrame(rows, columns=columns),
    )


def _extended(results: Any, endog: np.ndarray, exog: np.ndarray) -> Any:
    ahead = len(exog) - len(endog)
    longer = np.concatenate([endog, np.full((ahead, endog.shape[1]), np.nan)])
    return results._rows(longer, exog)


def _expected(results: Any, endog: np.ndarray, exog: np.ndarray, steps: int) -> np.ndarray:
    """Forecasts (steps, m) by the filter."""
    found = results._long.filter(results._long_params, _extended(results, endog, exog))[0]
    return results.model.units.series(found.predicted[-steps:, results._own])


def _smoothed(results: Any, endog: np.ndarray, exog: np.ndarray) -> np.ndarray:
    """Expected values of all periods given the data, in the user's units."""
    given = smooth(*results._long.filter(results._long_params, _extended(results, endog, exog)))
    before = np.full((results._first, endog.shape[1]), np.nan)
    own = results.model.units.series(given.mean[:, results._own])
    return np.concatenate([before, own])


def _weights(
    results: Any,
    endog: np.ndarray,
    exog: np.ndarray,
    steps: int,
    row: int,
    column: int,
    size: float,
) -> np.ndarray:
    """Derivative of the forecasts by one value, by a central difference."""
    found = []
    for sign in (1.0, -1.0):
        moved = np.array(endog)
        moved[row, column] += sign * STEP * size
        found.append(_expected(results, moved, exog, steps))
    return (found[0] - found[1]) / (2.0 * STEP * size)
