"""What all forecasters share before estimation: series, lags, windows, the linear part's rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from inspect import signature
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.design import caller_namespace
from nnecon.data.frames import as_frame
from nnecon.data.long_lags import Held, LongLags
from nnecon.data.scaling import Scaling
from nnecon.data.series import Series, named_columns, series_from_arrays, series_of
from nnecon.data.syntax import suggestion
from nnecon.data.windows import (
    Layout,
    Windows,
    linear_names,
    scalings,
    standard_rows,
    windows,
)
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.forecast_settings import (
    EquationLags,
    equation_lags,
    linear_lags,
    read_long_lags,
    read_loss,
    read_strategy,
)
from nnecon.models.saved_series import SavedSeries
from nnecon.nets import LinearPart
from nnecon.results.immutable import Immutable

COMMON = ("strategy", "horizon", "loss", "quantiles", "lags_by_equation", "long_lags")
"""Arguments that all forecasters take."""

BY_HORIZON = ("sample", "prepared")
"""What differs between the horizons of a direct forecaster."""

FIT_ARGUMENTS = frozenset(
    {"alpha", "alphas", "cv", "n_starts", "method", "start", "rng", "progress", "executor"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A sample ready for estimation: windows, standardisation and rows of each equation.

    Targets of the windows are net of what long lags explain.
    """

    sample: Windows
    rows: tuple[np.ndarray, ...]
    scalings: tuple[Scaling, ...]


class ForecasterData(SavedSeries, Immutable):
    """Specification of a forecaster, and its rows of lags and windows."""

    series: Series
    formula: str | None
    linear_part: bool
    linear_lags: Any
    max_lags: int | None
    lags: tuple[int, ...]
    lag_rule: str
    own_lags: EquationLags | None
    long_lags: LongLags | None
    strategy: str
    horizon: int | None
    lead: int | None
    loss: str
    quantiles: tuple[float, ...]
    _given: Mapping[str, Any]
    _specify: Any

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        *,
        predictors: Any = None,
        **specification: Any,
    ) -> None:
        source = {"endog": endog, "exog": exog, "predictors": predictors}
        self._set_up(series_from_arrays(**source), None, specification)

    @classmethod
    def from_formula(cls, formula: str, data: Any, **specification: Any) -> Self:
        """Build the forecaster from a formula and a frame.

        Parameters
        ----------
        formula : str
            Targets, ``~``, and what helps to forecast them: ``"infl + growth ~ unemp + tbilrate"``,
            or ``"growth ~ 1"`` for own lags alone. Lags of all series enter by themselves.
            ``known(x)`` marks a regressor whose value at the forecast period is known and has to be
            given to ``forecast``; ``month``, ``quarter`` and ``trend`` are read off the dates.
        data : DataFrame
            One row a period, in order and without gaps.
        **specification
            As in the constructor.
        """
        model = cls.__new__(cls)
        model._set_up(series_of(formula, data, caller_namespace(0)), formula, specification)
        return model

    def _set_up(
        self,
        series: Series,
        formula: str | None,
        specification: Mapping[str, Any],
    ) -> None:
        self.__dict__.update(series=series, formula=formula)
        own: dict[str, Any] = {}
        common: dict[str, Any] = dict.fromkeys(COMMON)
        known = [*signature(self._specify).parameters, *COMMON]
        for name in specification:
            if name not in known:
                belongs = "; it belongs to fit()" if name in FIT_ARGUMENTS else ""
                close = get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close and not belongs else ""
                raise SpecificationError(
                    f"{type(self).__name__} has no argument {name!r}{belongs}{hint}"
                )
            (common if name in COMMON else own)[name] = specification[name]
        strategy = common["strategy"] or "recursive"
        self.__dict__.update(read_strategy(strategy, common["horizon"]), lead=None)
        self.__dict__.update(read_loss(common["loss"] or "gaussian", common["quantiles"]))
        self.__dict__.update(self._specify(**own), _given=dict(specification))
        lags, told = linear_lags(
            self.linear_lags, self.max_lags, series, self._known, self.frequency
        )
        own_lags = self._own_lags(common["lags_by_equation"])
        long_lags = self._long_lags(common["long_lags"], lags, own_lags)
        if own_lags is not None:
            lags, told = own_lags.lags, own_lags.told
        elif long_lags is not None:
            lags = tuple(range(1, long_lags.longest + 1))
            names = ", ".join(series.names[at] for at in long_lags.tightness)
            told += f"; own lags to {long_lags.longest}, shrunk, of {names}"
        self.__dict__.update(
            lags=lags, lag_rule=told, own_lags=own_lags, long_lags=long_lags
        )  # fmt: skip
        self._check_sample()
        if self.horizon is not None:
            self.at(self.horizon)._check_sample()

    def _own_lags(self, given: Any) -> EquationLags | None:
        """Lags by equation, where they are wanted."""
        found = equation_lags(
            given, self.linear_lags, self.max_lags, self.series, self._known, self.frequency
        )
        needs = {
            "a linear part": self.linear_part,
            "strategy='recursive'": not self.direct,
        }
        lacking = [words for words, there in needs.items() if not there]
        if found is not None and lacking:
            raise SpecificationError(f"lags_by_equation needs {lacking[0]}; leave it out.")
        return found

    def _long_lags(
        self, given: Any, lags: tuple[int, ...], own_lags: EquationLags | None
    ) -> LongLags | None:
        """Own lags beyond the autoregression's, where they are wanted."""
        needs = {
            "a linear part": self.linear_part,
            "strategy='recursive'": not self.direct,
            "a loss of the mean": self.loss != "quantile",
            "all lags from 1 to an order": lags == tuple(range(1, len(lags) + 1)),
            "lags_by_equation=False": own_lags is None,
            "seasonal_lags=0": not self._seasonal(),
        }
        lacking = [words for words, there in needs.items() if not there]
        if given and lacking:
            raise SpecificationError(f"long_lags needs {lacking[0]}; leave it out.")
        by_itself = isinstance(self.linear_lags, str) and len(self.series.names) > 1
        if lacking or (given is None and not by_itself):
            return None
        return read_long_lags(
            given, len(lags), self.max_lags, self.series, self._known, self.frequency
        )

    # -- what a family says -----------------------------------------------------------------------

    def _inputs(self, layout: Layout) -> Layout:
        """The layout with what the network sees."""
        raise TypeError(f"{type(self).__name__} does not say what its network sees.")

    def _network(self, layout: Layout) -> LinearPart:
        """The network for a layout."""
        raise TypeError(f"{type(self).__name__} does not say what its network is.")

    @property
    def description(self) -> str:
        """The network in a few words."""
        raise TypeError(f"{type(self).__name__} does not describe its network.")

    # -- data -------------------------------------------------------------------------------------

    @property
    def endog_names(self) -> list[str]:
        """Names of the targets."""
        return list(self.series.terms.targets)

    @property
    def known_names(self) -> list[str]:
        """Names of the regressors that are known in advance, calendar terms at the end."""
        return [*self.series.terms.known, *self.series.calendar(np.arange(1))[1]]

    @property
    def exog_names(self) -> list[str]:
        """Names of the linear regressors, as statsmodels' VAR has them."""
        return linear_names(self.layout, self.series.names, tuple(self.known_names))

    def known_values(self, exog: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Known regressors with the calendar terms of their periods, shape (p, k)."""
        return np.column_stack([exog, self.series.calendar(positions)[0]])

    @cached_property
    def _known(self) -> np.ndarray:
        return self.known_values(self.series.exog, np.arange(len(self.series.endog)))

    @cached_property
    def layout(self) -> Layout:
        """Which numbers of the past make up a row."""
        names = self.known_names
        seen = tuple(at for at, name in enumerate(names) if name != "trend")
        lags = self.lags if self.linear_part else ()
        plain = Layout(len(self.series.names), len(names), lags, network_known=seen)
        return self._inputs(plain)

    @cached_property
    def network(self) -> LinearPart:
        """The network of each equation, beside all linear regressors."""
        return self._network(self.layout)

    def _seasonal(self) -> tuple[int, ...]:
        """Lags that all equations have besides."""
        return ()

    @cached_property
    def linear_columns(self) -> tuple[np.ndarray, ...]:
        """Positions of each equation's linear regressors among :attr:`exog_names`."""
        layout = self.layout
        every = np.arange(layout.n_linear)
        if self.long_lags is not None:
            lag = layout.sources()[0][: layout.n_linear]
            return (every[lag <= self.long_lags.order],) * len(self.explained)
        if self.own_lags is None:
            return (every,) * len(self.explained)
        lag, series = (part[: layout.n_linear] for part in layout.sources())
        always = np.isin(lag, [0, *self._seasonal()])
        return tuple(
            every[always | (lag <= np.where(series == at, own, others))]
            for at, (own, others) in enumerate(self.own_lags.pairs)
        )

    @property
    def var_lags(self) -> tuple[int, ...]:
        """Lags of the autoregression, without long lags."""
        if self.long_lags is not None:
            return tuple(range(1, self.long_lags.order + 1))
        return self.layout.lags

    @cached_property
    def held(self) -> tuple[Held, ...]:
        """Long lags of each equation, which are estimated before everything else."""
        long, linear = self.long_lags, self.sample.linear
        table = np.zeros((self.layout.n_linear, len(self.explained)))
        edf = np.zeros(len(self.explained))
        if long is not None:
            table, edf = long.table(self.layout), long.edf
        return tuple(Held(*each) for each in zip(table.T, (linear @ table).T, edf, strict=True))

    @property
    def direct(self) -> bool:
        """Whether there is an equation for each horizon."""
        return self.horizon is not None

    def at(self, horizon: int) -> Self:
        """The equations of one horizon of a direct forecaster."""
        model = object.__new__(type(self))
        kept = {name: value for name, value in self.__dict__.items() if name not in BY_HORIZON}
        model.__dict__.update(kept, lead=horizon - 1)
        return model

    @property
    def explained(self) -> tuple[str, ...]:
        """Series with an equation: direct forecasts need none of predictors."""
        return self.series.terms.targets if self.direct else self.series.names

    @cached_property
    def sample(self) -> Windows:
        """Rows of the estimation."""
        return windows(
            self.layout,
            self.series.endog,
            self._known,
            self.series.first,
            lead=self.lead or 0,
            targets=len(self.explained),
        )

    @property
    def index(self) -> pd.Index:
        """Periods that are explained in the estimation."""
        return self.series.index[self.sample.positions + (self.lead or 0)]

    @cached_property
    def frequency(self) -> str:
        """First letter of the frequency: ``"Q"``, ``"M"``, ...; empty for whole numbers."""
        axis = self.series.axis
        if axis.kind == "integer":
            return ""
        return axis.freq_text.lstrip("0123456789")[0]

    def on(self, data: Any, **changes: Any) -> Self:
        """The same specification on other data, for example those known at an earlier date.

        Lags that were chosen by a criterion are chosen anew, unless ``linear_lags`` is given.

        Parameters
        ----------
        data : DataFrame
            One row a period, with the columns of the formula or, in the array interface, columns
            named like the series.
        **changes
            Arguments of the constructor that differ.
        """
        model = type(self).__new__(type(self))
        model._set_up(self.series_in(data), self.formula, {**self._given, **changes})
        return model

    @property
    def pinned(self) -> dict[str, Any]:
        """Arguments of the constructor that keep what these data chose: ``on(data, **pinned)``."""
        if self.long_lags is not None:
            found = self.long_lags
            named = {self.series.names[at]: value for at, value in found.tightness.items()}
            return {"linear_lags": found.order, "long_lags": named}
        if self.own_lags is None:
            return {"linear_lags": self.lags, "long_lags": False}
        pairs = dict(zip(self.series.names, self.own_lags.pairs, strict=True))
        return {"lags_by_equation": pairs}

    def series_in(self, data: Any) -> Series:
        """The series of the model in other data."""
        data = named_columns(data, [str(name) for name in self.series.frame.columns])
        if self.formula is not None:
            return series_of(self.formula, data, self.series.bindings)
        return self._from_columns(data)

    def _from_columns(self, data: Any) -> Series:
        terms, parts = self.series.terms, []
        data = as_frame(data)
        for names in (terms.targets, terms.known, terms.predictors):
            for name in names:
                if name not in data.columns:
                    raise DataError(f"column {name!r} is missing; {suggestion(name, data.columns)}")
            parts.append(data[list(names)] if names else None)
        return series_from_arrays(*parts)

    def _check_sample(self) -> None:
        sample, layout = self.sample, self.layout
        n, p = len(sample.rows), layout.n_linear
        whole = int(np.isfinite(self.series.endog).all(axis=1).sum())
        if n < p + 2:
            raise DataError(
                f"{whole} periods with all series leave {n} rows for {p} coefficients an "
                f"equation ({len(self.lags)} lags of {layout.n_series} series, a constant and "
                f"{layout.n_known} known regressors); lower linear_lags or give more data"
            )
        if not layout.window and layout.reach > len(self.series.endog) - 2:
            raise DataError(
                f"network_lags: the network looks back {layout.reach} periods, and the data have "
                f"{len(self.series.endog)}; name fewer lags or give more data"
            )
        names = self.exog_names
        for at in range(1, p):
            if np.ptp(sample.rows[:, at]) == 0.0:
                raise DataError(
                    f"{names[at]} does not vary in the {n} rows of the sample: leave it out"
                )
        columns = sample.linear / np.linalg.norm(sample.linear, axis=0)
        if np.linalg.matrix_rank(columns) < p:
            raise DataError(
                f"the linear regressors {names} are linear combinations of each other in the "
                f"{n} rows of the sample; leave out a series or lower linear_lags"
            )
        for name, column in zip(self.explained, sample.target.T, strict=True):
            if np.ptp(column) == 0.0:
                raise DataError(
                    f"{name!r} does not vary in the sample: there is nothing to explain"
                )

    @cached_property
    def prepared(self) -> Prepared:
        """Standardised rows."""
        p = self.layout.n_linear
        long = np.column_stack([one.values for one in self.held])
        sample = replace(self.sample, target=self.sample.target - long)
        whole = scalings(sample)
        rows = standard_rows(whole[0], sample.rows)
        made = tuple(
            scaling if len(columns) == p else scaling.beside(columns)
            for scaling, columns in zip(whole, self.linear_columns, strict=True)
        )
        seen = tuple(
            rows if len(columns) == p else np.hstack([rows[:, columns], rows[:, p:]])
            for columns in self.linear_columns
        )
        return Prepared(sample, seen, made)
