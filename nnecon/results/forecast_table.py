"""Forecasts of a backtest by variable, horizon and model, ready to be scored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.accuracy.measures import MEASURES, Scored, losses, mean_changes


@dataclass(frozen=True, slots=True, eq=False)
class ForecastTable:
    """Forecasts with outcomes; only those count whose outcome is in the data.

    Attributes
    ----------
    frame : DataFrame
        One row a forecast, as in :class:`~nnecon.results.backtest.Backtest`.
    data : DataFrame
        Outcomes of all variables.
    alpha : float
        One less the level of the intervals.
    step : int
        Periods between two origins.
    window : int or None
        Periods of a rolling sample.
    """

    frame: pd.DataFrame
    data: pd.DataFrame
    alpha: float
    step: int
    window: int | None
    _cells: Mapping[tuple[str, int, str], pd.DataFrame] = field(init=False)

    def __post_init__(self) -> None:
        counted = self.frame[self.frame["actual"].notna()]
        groups = counted.groupby(["variable", "horizon", "model"], sort=False)
        object.__setattr__(self, "_cells", {key: rows for key, rows in groups})

    def cells(self) -> Iterator[tuple[str, int]]:
        """Variables, and horizons with an outcome."""
        there = {(variable, horizon) for variable, horizon, _ in self._cells}
        for variable in self.data.columns:
            for horizon in sorted({h for v, h in there if v == variable}):
                yield variable, horizon

    def scored(
        self, variable: str, horizon: int, season: int = 1
    ) -> tuple[pd.Index, dict[str, Scored]]:
        """Cutoffs that count, and each model's forecasts from them."""
        self.check(variable, horizon)
        if not isinstance(season, int) or isinstance(season, bool) or season < 1:
            raise SpecificationError(f"season={season!r}: give a whole number of periods.")
        found = {
            model: rows
            for (v, h, model), rows in self._cells.items()
            if (v, h) == (variable, horizon)
        }
        if not found:
            raise DataError(f"no outcome of {variable!r} {horizon} periods ahead is in the data.")
        cutoffs = pd.Index(next(iter(found.values()))["cutoff"].array, name="cutoff")
        values = self.data[variable].to_numpy(dtype=float, na_value=np.nan)
        rows = self.data.index.get_indexer(cutoffs)
        scale = mean_changes(values, rows, season, self.window)
        return cutoffs, {
            model: Scored(
                actual=rows["actual"].to_numpy(),
                forecast=rows["forecast"].to_numpy(),
                lower=rows["lower"].to_numpy(),
                upper=rows["upper"].to_numpy(),
                scale=scale,
                alpha=self.alpha,
                crps=rows["crps"].to_numpy() if "crps" in rows else None,
            )
            for model, rows in found.items()
        }

    def errors(self, variable: str, horizon: int) -> pd.DataFrame:
        """Outcome less forecast, one row a cutoff and one column a model."""
        cutoffs, found = self.scored(variable, horizon)
        columns = {model: scored.error for model, scored in found.items()}
        return pd.DataFrame(columns, index=cutoffs)

    def losses(self, variable: str, horizon: int, measure: str) -> pd.DataFrame:
        """Losses, one row a cutoff and one column a model that has them."""
        if measure not in MEASURES:
            raise SpecificationError(f"measure={measure!r} is not known; choose one of {MEASURES}.")
        cutoffs, found = self.scored(variable, horizon)
        columns = {model: losses(scored, measure) for model, scored in found.items()}
        return pd.DataFrame(columns, index=cutoffs).dropna(axis=1, how="all")

    def overlap(self, horizon: int) -> int:
        """Horizon in origins: by how many of them forecasts overlap."""
        return -(-horizon // self.step)

    def check(self, variable: str, horizon: int) -> None:
        """Refuse a variable or a horizon that is not there."""
        if variable not in self.data.columns:
            raise SpecificationError(
                f"unknown variable {variable!r}; {suggestion(str(variable), self.data.columns)}"
            )
        last = int(self.frame["horizon"].max())
        if isinstance(horizon, bool) or horizon not in range(1, last + 1):
            raise SpecificationError(f"horizon={horizon!r}: the backtest has 1 to {last}.")
