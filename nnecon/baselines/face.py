"""What all baselines that forecast share: specification, fit, forecasts with intervals."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from nnecon.data.frames import as_frame, clean_column
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import TimeAxis, label_text
from nnecon.exceptions import DataError, ForecastError, SpecificationError
from nnecon.results.outlook import Forecast, check_steps


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Forecasts of k series on arrays.

    Attributes
    ----------
    mean, se : ndarray of shape (steps, k)
        Forecasts and their standard errors.
    df : float or ndarray of shape (steps, k)
        Degrees of freedom of the t distribution that intervals take; infinite for the normal.
    paths : ndarray of shape (steps, k, repetitions), optional
        Simulated futures; where there are some, intervals are their quantiles.
    """

    mean: np.ndarray
    se: np.ndarray
    df: float | np.ndarray = np.inf
    paths: np.ndarray | None = None

    def after(self, skipped: int) -> "Outlook":
        """The same without the first steps."""
        paths = None if self.paths is None else self.paths[skipped:]
        df = self.df[skipped:] if isinstance(self.df, np.ndarray) else self.df
        return Outlook(self.mean[skipped:], self.se[skipped:], df, paths)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Series that are modelled together, without gaps.

    Attributes
    ----------
    names : tuple of str
        Columns.
    values : ndarray of shape (n, k)
        From the first to the last period in which all of them are known.
    start : int
        Period of the first row, counted from the first row that the baseline was fitted on.
    """

    names: tuple[str, ...]
    values: np.ndarray
    start: int

    @property
    def end(self) -> int:
        """Period after the last row."""
        return self.start + len(self.values)


class Unit(ABC):
    """A fitted model of one target, or of several together."""

    @property
    @abstractmethod
    def end(self) -> int:
        """First period that is forecast, counted from the first row that was fitted on."""

    @abstractmethod
    def outlook(self, steps: int) -> Outlook:
        """Forecasts for the periods from :attr:`end` on."""

    @abstractmethod
    def moved(self, frame: pd.DataFrame, start: int) -> "Unit":
        """The same parameters on other data, whose first row is period ``start``."""

    @property
    def choice(self) -> str:
        """What the data chose, in words; empty where nothing was chosen."""
        return ""


class SeriesUnit(Unit):
    """A fitted model of a block."""

    block: Block

    @property
    def end(self) -> int:
        """Period after the block."""
        return self.block.end

    def moved(self, frame: pd.DataFrame, start: int) -> Unit:
        """The same parameters on the same columns of another frame."""
        return self.on(block_of(frame, self.block.names, start))

    @abstractmethod
    def on(self, block: Block) -> Unit:
        """The same parameters on another block."""


@dataclass(frozen=True, eq=False)
class Baseline(ABC):
    """A classical model without data; made by the functions of :mod:`nnecon.baselines`."""

    targets: tuple[str, ...] | None

    @property
    @abstractmethod
    def description(self) -> str:
        """The model in a few words."""

    @abstractmethod
    def _units(
        self, frame: pd.DataFrame, names: tuple[str, ...], like: Sequence[Any]
    ) -> tuple[Unit, ...]:
        """Fit to a frame; ``like`` are units whose choices (lags) are kept, or empty."""

    def fit(
        self,
        data: Any,
        targets: Sequence[str] | str | None = None,
        like: "FittedBaseline | None" = None,
    ) -> "FittedBaseline":
        """Estimate on a frame.

        Rows at the beginning in which a target is missing are left out, and so are rows at the end
        where a series is published late: forecasts then begin after the series' own last value (for
        a VAR, after the last row in which all targets are known) and count from the frame's end.

        Parameters
        ----------
        data : DataFrame
            One row a period, in order and without gaps.
        targets : sequence of str, optional
            Columns to forecast; by default those that the baseline names, else all columns.
        like : FittedBaseline, optional
            A fit whose choices, such as the number of lags, are kept.

        Returns
        -------
        FittedBaseline

        Raises
        ------
        DataError
            A target is missing within its range, constant where that cannot be, or too short.
        """
        frame = as_frame(data)
        names = self._names(frame, targets)
        axis = TimeAxis.of(frame.index, self.description)
        units = self._units(frame, names, () if like is None else like.units)
        return FittedBaseline(self, names, units, axis, len(frame), frame.index.name)

    def _names(self, frame: pd.DataFrame, targets: Sequence[str] | str | None) -> tuple[str, ...]:
        given: Any = targets if self.targets is None else self.targets
        names = read_targets(list(frame.columns) if given is None else given)
        for name in names or ():
            if name not in frame.columns:
                raise DataError(f"unknown target {name!r}; {suggestion(name, frame.columns)}")
        return names or ()


@dataclass(frozen=True, eq=False)
class SeriesBaseline(Baseline):
    """A baseline that sees nothing but its targets, one by one or together."""

    joint: ClassVar[bool] = False
    """Whether the targets enter one model together."""

    @abstractmethod
    def _estimate(self, block: Block, like: Any) -> Unit:
        """Fit to a block; ``like`` is a unit whose choices are kept, or None."""

    def _units(
        self, frame: pd.DataFrame, names: tuple[str, ...], like: Sequence[Any]
    ) -> tuple[Unit, ...]:
        groups = [names] if self.joint else [(name,) for name in names]
        return tuple(
            self._estimate(block_of(frame, group, 0), like[at] if like else None)
            for at, group in enumerate(groups)
        )


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline with its estimates; what ``fit`` returns.

    Attributes
    ----------
    baseline : Baseline
        The specification.
    targets : tuple of str
        Columns that are forecast.
    """

    baseline: Baseline
    targets: tuple[str, ...]
    units: tuple[Unit, ...]
    axis: TimeAxis
    end: int
    index_name: Any

    @property
    def choice(self) -> str:
        """What the data chose, such as a number of lags; empty where nothing was chosen."""
        told = [unit.choice for unit in self.units]
        if len(set(told)) <= 1:
            return told[0] if told else ""
        return "; ".join(
            f"{name}: {text}" for name, text in zip(self.targets, told, strict=True) if text
        )

    def forecast(self, steps: int = 1, exog: Any = None) -> pd.DataFrame:
        """Forecasts of the next periods.

        Parameters
        ----------
        steps : int
            How many periods after the last row of the data.
        exog : None
            Baselines take no regressors that have to be known in advance.

        Returns
        -------
        DataFrame of shape (steps, targets)
        """
        if exog is not None:
            raise ForecastError(
                f"{self.baseline.description} has no regressors that are known in advance; leave "
                "exog out."
            )
        return self.get_forecast(steps).predicted_mean

    def get_forecast(self, steps: int = 1) -> Forecast:
        """Forecasts with standard errors and intervals."""
        check_steps(steps)
        outlooks = []
        for unit in self.units:
            late = self.end - unit.end
            outlooks.append(unit.outlook(steps + late).after(late))
        mean, se = (
            np.hstack([getattr(outlook, name) for outlook in outlooks]) for name in ("mean", "se")
        )
        df = np.hstack([np.broadcast_to(one.df, one.mean.shape) for one in outlooks])
        drawn = [outlook.paths for outlook in outlooks if outlook.paths is not None]
        paths = np.concatenate(drawn, axis=1).transpose(2, 0, 1) if drawn else None
        index = self.axis.following(self.end, steps, self.index_name)
        told = "in closed form" if paths is None else f"{len(paths)} simulated paths"
        return Forecast(self.targets, index, mean, se, paths, {"all": se**2}, told, df)

    def apply(self, data: Any) -> "FittedBaseline":
        """The same parameters on other data, typically later ones.

        Parameters
        ----------
        data : DataFrame
            One row a period, with an index of the same kind and frequency.
        """
        frame = as_frame(data)
        self.baseline._names(frame, self.targets)
        TimeAxis.of(frame.index, self.baseline.description)
        start = int(self.axis.ordinals(frame.index[:1])[0])
        units = tuple(unit.moved(frame, start) for unit in self.units)
        end = start + len(frame)
        return FittedBaseline(self.baseline, self.targets, units, self.axis, end, frame.index.name)


def read_targets(targets: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Names of targets as a tuple, each once."""
    if targets is None:
        return None
    single = isinstance(targets, str) or not isinstance(targets, Iterable)
    names: tuple[Any, ...] = (targets,) if single else tuple(targets)
    strange = [name for name in names if not isinstance(name, str)]
    if strange:
        raise SpecificationError(
            f"the target {strange[0]!r} is no text; name columns by text, data.rename(columns=str)."
        )
    if not names:
        raise SpecificationError("targets=[]: name at least one column to forecast.")
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise SpecificationError(f"the target {twice[0]!r} is named more than once.")
    return names


def block_of(frame: pd.DataFrame, names: tuple[str, ...], start: int) -> Block:
    """The rows in which all of these columns are known; a hole among them is an error."""
    columns = [clean_column(frame, name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if not pd.api.types.is_numeric_dtype(column):
            raise DataError(f"column {name!r} is not numeric and cannot be forecast.")
    values = np.column_stack([column.to_numpy(dtype=float) for column in columns])
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, j = infinite[0]
        raise DataError(f"column {names[j]!r} is infinite at {label_text(frame.index[row])}.")
    known = np.isfinite(values)
    whole = known.all(axis=1)
    if not whole.any():
        empty = [name for j, name in enumerate(names) if not known[:, j].any()]
        what = f"column {empty[0]!r} has no values" if empty else f"no row has all of {names}"
        raise DataError(f"{what} from {_span(frame.index)}.")
    first, last = np.flatnonzero(whole)[[0, -1]]
    within = np.argwhere(~known[first : last + 1])
    if len(within):
        row, j = within[0]
        raise DataError(_hole(names[j], known[:, j], frame.index, first + row))
    return Block(names, values[first : last + 1], start + int(first))


def _span(index: pd.Index) -> str:
    return f"{label_text(index[0])} to {label_text(index[-1])}"


def _hole(name: str, known: np.ndarray, index: pd.Index, row: int) -> str:
    gaps = np.diff(np.flatnonzero(known))
    where = label_text(index[row])
    if len(gaps) > 2 and (gaps == gaps[0]).all():
        return (
            f"column {name!r} has a value in one period of {gaps[0]} only (none at {where}): it "
            "is of a lower frequency than the index. Bring all columns to its frequency, for "
            "example with data.groupby(data.index.asfreq('Q')).mean()"
        )
    return (
        f"column {name!r} is missing at {where}, within its range; fill the gap, for example with "
        f"data[{name!r}].interpolate(), or begin after it"
    )
