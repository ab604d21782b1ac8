"""Specification of a recurrent state-space model, its rows and its likelihood."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from inspect import signature
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.design import caller_namespace
from nnecon.data.frames import as_frame
from nnecon.data.series import Series, named_columns, series_from_arrays, series_of
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import label_text
from nnecon.estimation.innovations import Rows
from nnecon.estimation.state_space_likelihood import Likelihood
from nnecon.estimation.state_space_units import Units
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.forecast_settings import linear_lags, read_count
from nnecon.models.forecaster_data import FIT_ARGUMENTS
from nnecon.models.saved_series import SavedSeries
from nnecon.nets import StateSpaceNetwork
from nnecon.nets.activations import ACTIVATIONS
from nnecon.results.immutable import Immutable

COVARIANCES = ("unstructured", "diagonal")
ERRORS = ("normal", "t")
INITIALIZATIONS = {
    False: ("zero", "estimated", "conditional"),
    True: ("stationary", "diffuse", "zero"),
}
"""Starts of the state without and with noise, the default first."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of a likelihood in standardised units.

    Parameters
    ----------
    rows : Rows
    first : int
        Position of the first row in the data.
    """

    rows: Rows
    first: int


class StateSpaceData(SavedSeries, Immutable):
    """What a recurrent state-space model is before it is estimated."""

    series: Series
    formula: str | None
    k_states: int
    activation: str
    innovations: bool
    state_noise: bool
    linear_part: bool
    lags: int
    lag_rule: str
    errors: str
    error_cov: str
    state_cov: str
    initialization: str
    stable: bool
    fixed: Mapping[str, float]
    _given: Mapping[str, Any]

    def __init__(self, endog: Any, exog: Any = None, **specification: Any) -> None:
        self._set_up(series_from_arrays(endog, exog), None, specification)

    @classmethod
    def from_formula(cls, formula: str, data: Any, **specification: Any) -> Self:
        """Build the model from a formula and a frame.

        Parameters
        ----------
        formula : str
            Series, ``~``, and further series of the system: ``"infl + growth ~ tbilrate"``, or
            ``"growth ~ 1"``. ``known(x)`` marks a regressor whose value at the forecast period is
            known and has to be given to ``forecast``; ``month``, ``quarter`` and ``trend`` are read
            off the dates.
        data : DataFrame
            One row a period, in order and without gaps; values may be missing.
        **specification
            As in the constructor.
        """
        model = cls.__new__(cls)
        model._set_up(series_of(formula, data, caller_namespace(0)), formula, specification)
        return model

    def _set_up(
        self, series: Series, formula: str | None, specification: Mapping[str, Any]
    ) -> None:  # fmt: skip
        known = [*signature(self._specify).parameters]
        for name in specification:
            if name not in known:
                belongs = "; it belongs to fit()" if name in FIT_ARGUMENTS else ""
                close = get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close and not belongs else ""
                raise SpecificationError(
                    f"{type(self).__name__} has no argument {name!r}{belongs}{hint}"
                )
        self.__dict__.update(
            series=series, formula=formula, fixed={}, _given=dict(specification)
        )  # fmt: skip
        self.__dict__.update(self._specify(**specification))
        self._check_sample()

    def _specify(
        self,
        k_states: int = 2,
        activation: str = "tanh",
        innovations: bool = True,
        state_noise: bool = False,
        linear_part: bool = True,
        linear_lags: Any = "bic",
        max_lags: int | None = None,
        errors: str = "normal",
        error_cov: str = "unstructured",
        state_cov: str = "diagonal",
        initialization: str | None = None,
        stable: bool = False,
    ) -> dict[str, Any]:
        for name, word, words in (
            ("activation", activation, tuple(ACTIVATIONS)),
            ("errors", errors, ERRORS),
            ("error_cov", error_cov, COVARIANCES),
            ("state_cov", state_cov, COVARIANCES),
        ):
            if word not in words:
                raise SpecificationError(f"{name}={word!r} is not known; choose one of {[*words]}.")
        for name, value in (
            ("innovations", innovations),
            ("state_noise", state_noise),
            ("linear_part", linear_part),
            ("stable", stable),
        ):
            if not isinstance(value, bool):
                raise SpecificationError(f"{name}={value!r}: give True or False.")
        if state_noise and errors == "t":
            raise SpecificationError(
                "errors='t' needs state_noise=False: the Kalman filter is that of normal errors."
            )
        if not state_noise and "state_cov" in self._given:
            raise SpecificationError("state_cov belongs to state_noise=True.")
        start = self._initialization(initialization, state_noise, activation, linear_part)
        lags, told = self._lags(linear_part, linear_lags, max_lags)
        return {
            "k_states": read_count("k_states", k_states),
            "activation": activation,
            "innovations": innovations,
            "state_noise": state_noise,
            "linear_part": linear_part,
            "lags": lags,
            "lag_rule": told,
            "errors": errors,
            "error_cov": error_cov,
            "state_cov": state_cov,
            "initialization": start,
            "stable": stable,
        }

    @staticmethod
    def _initialization(given: Any, noisy: bool, activation: str, linear_part: bool) -> str:
        words = INITIALIZATIONS[noisy]
        start = words[0] if given is None else given
        if start not in words:
            raise SpecificationError(
                f"initialization={given!r}: with state_noise={noisy} choose one of {[*words]}."
            )
        if start == "diffuse" and activation != "linear":
            raise SpecificationError(
                f"initialization='diffuse' needs activation='linear': {activation} of a state that "
                "may be anywhere has no linear approximation; use 'stationary'."
            )
        if start == "conditional" and linear_part:
            raise SpecificationError(
                "initialization='conditional' needs linear_part=False: the error of the period "
                "before the sample is set to zero by the state alone."
            )
        return start

    def _lags(self, linear_part: bool, rule: Any, most: int | None) -> tuple[int, str]:
        if not linear_part:
            given = next((n for n in ("linear_lags", "max_lags") if n in self._given), None)
            if given is not None:
                raise SpecificationError(f"{given} belongs to linear_part=True.")
            return 0, "none"
        if rule == 0 and not isinstance(rule, bool):
            return 0, "the user"
        found, told = linear_lags(rule, most, self.series, self._known, self.frequency)
        if found != tuple(range(1, len(found) + 1)):
            raise SpecificationError(
                f"linear_lags={rule!r}: the linear part of a state-space model has all lags from 1 "
                "on; give their number."
            )
        return len(found), told

    # -- data -------------------------------------------------------------------------------------

    @property
    def endog_names(self) -> list[str]:
        """Names of the series."""
        return list(self.series.names)

    @property
    def exog_names(self) -> list[str]:
        """Names of the regressors that are known in advance, calendar terms at the end."""
        return [*self.series.terms.known, *self.series.calendar(np.arange(1))[1]]

    known_names = exog_names

    def known_values(self, exog: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Known regressors with the calendar terms of their periods, shape (p, q)."""
        return np.column_stack([exog, self.series.calendar(positions)[0]])

    @cached_property
    def _known(self) -> np.ndarray:
        return self.known_values(self.series.exog, np.arange(len(self.series.endog)))

    @cached_property
    def frequency(self) -> str:
        """First letter of the frequency: ``"Q"``, ``"M"``, ...; empty for whole numbers."""
        axis = self.series.axis
        return "" if axis.kind == "integer" else axis.freq_text.lstrip("0123456789")[0]

    @cached_property
    def network(self) -> StateSpaceNetwork:
        """Parameters and one step of the network."""
        names = self.exog_names
        return StateSpaceNetwork(
            len(self.endog_names),
            len(names),
            self.k_states,
            self.lags,
            self.activation,
            self.innovations,
            self.linear_part,
            tuple(at for at, name in enumerate(names) if name != "trend"),
            self.error_cov,
            self.state_cov if self.state_noise else "none",
            self.errors == "t",
            self.initialization,
            self.stable,
        )

    @cached_property
    def units(self) -> Units:
        """How the data are standardised; not centred where parameters are fixed."""
        first = self.first
        endog, known = self.series.endog[first:], self._known[first:]
        centred = not self.fixed
        scale, exog_scale = np.nanstd(endog, axis=0), _spread(known)
        shift = np.nanmean(endog, axis=0) if centred else np.zeros(len(scale))
        exog_shift = known.mean(axis=0) if centred else np.zeros(len(exog_scale))
        return Units(self.network, shift, scale, exog_shift, exog_scale)

    @cached_property
    def first(self) -> int:
        """Position of the first row: all series are there in the periods that it looks back to."""
        reach = self.network.reach
        whole = np.isfinite(self.series.endog).all(axis=1)
        for at in range(reach, len(whole)):
            if whole[at - reach : at].all():
                return at
        raise DataError(
            f"no period follows on {reach} with all of the series {self.endog_names}; lower "
            "linear_lags or fill what is missing"
        )

    def sample_of(self, endog: np.ndarray, known: np.ndarray, first: int) -> Sample:
        """Standardised rows from the position ``first`` on."""
        reach, units = self.network.reach, self.units
        values = (endog - units.shift) / units.scale
        at = np.arange(first, len(values))
        past = np.stack([values[at - lag] for lag in range(1, reach + 1)], axis=1) if reach else (
            np.empty((len(at), 0, values.shape[1]))
        )  # fmt: skip
        exog = (known[at] - units.exog_shift) / units.exog_scale
        return Sample(Rows(values[at], past, exog), first)

    @cached_property
    def sample(self) -> Sample:
        """Rows of the estimation."""
        return self.sample_of(self.series.endog, self._known, self.first)

    @property
    def index(self) -> pd.Index:
        """Periods of the rows of the estimation."""
        return self.series.index[self.first :]

    def likelihood_of(self, sample: Sample) -> Likelihood:
        """The likelihood by the cheapest route that is right for these rows."""
        network = self.network
        complete = np.isfinite(sample.rows.series).all()
        # without lags and innovations no later period depends on what is missing
        if not network.noisy and (complete or (network.student and not network.reach)):
            return Likelihood(network, "innovations")
        if network.student:
            at = int(np.argmin(np.isfinite(sample.rows.series).all(axis=1)))
            label = self.series.axis.label(sample.first + at)
            raise DataError(
                f"a series is missing at {label}, on which later periods depend, and errors='t' "
                "have no likelihood in closed form then: use errors='normal', or a model that "
                "looks back to no series (innovations=False, linear_lags=0)"
            )
        augmented = network.reach > 0 and not complete
        return Likelihood(network, "augmented" if augmented else "plain")

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood of the sample."""
        return self.likelihood_of(self.sample)

    def series_in(self, data: Any) -> Series:
        """The series of the model in other data."""
        data = named_columns(data, [str(name) for name in self.series.frame.columns])
        if self.formula is not None:
            return series_of(self.formula, data, self.series.bindings)
        frame, terms, parts = as_frame(data), self.series.terms, []
        for names in (terms.targets, terms.known):
            for name in names:
                if name not in frame.columns:
                    raise DataError(
                        f"column {name!r} is missing; {suggestion(name, frame.columns)}"
                    )
            parts.append(frame[list(names)] if names else None)
        return series_from_arrays(*parts)

    def on(self, data: Any, **changes: Any) -> Self:
        """The same specification on other data; fixed parameters stay fixed.

        Parameters
        ----------
        data : DataFrame
            One row a period, with the columns of the formula or of the series.
        **changes
            Arguments of the constructor that differ.
        """
        model = type(self).__new__(type(self))
        model._set_up(self.series_in(data), self.formula, {**self._given, **changes})
        model.__dict__["fixed"] = dict(self.fixed)
        return model

    def _check_sample(self) -> None:
        first = self.first
        endog, known, index = self.series.endog[first:], self._known[first:], self.series.index
        for name, column in zip(self.endog_names, endog.T, strict=True):
            if np.nanmax(column) == np.nanmin(column):
                raise DataError(
                    f"{name!r} does not vary in the sample: there is nothing to explain"
                )
        for name, column in zip(self.exog_names, known.T, strict=True):
            missing = np.flatnonzero(~np.isfinite(column))
            if len(missing):
                raise DataError(
                    f"the known regressor {name!r} is missing at "
                    f"{label_text(index[first + missing[0]])}; only series may have missing values"
                )
            if self.linear_part and column.max() == column.min():
                raise DataError(
                    f"the known regressor {name!r} does not vary in the sample, as the constant: "
                    "leave it out"
                )
        linear = len(self.endog_names) * self.lags + 1 + len(self.exog_names) * self.linear_part
        if len(endog) < linear + 2:
            raise DataError(
                f"{len(endog)} rows are too few for {linear} linear coefficients an equation; "
                "lower linear_lags or give more data"
            )


def _spread(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0)
    return np.where(spread > 0, spread, 1.0)
