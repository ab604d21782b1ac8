"""Arguments of forecasters, read and checked: lags, windows, penalties by target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from nnecon.data.long_lags import VERY_STRONG, LongLags, choose_long_lags
from nnecon.data.series import SEASONS, Series
from nnecon.data.windows import choose_lags, choose_lags_by_equation
from nnecon.estimation.training import SGD, Adam, Training
from nnecon.exceptions import SpecificationError
from nnecon.models.settings import read_alpha

CRITERIA = ("aic", "bic", "hqic")

WINDOWS = {"Q": 8, "M": 12, "Y": 4, "A": 4, "W": 26, "D": 20, "B": 20}
"""Periods that a network sees by default, by frequency: two years of quarters, a year of months."""

MOST_LAGS = {"Q": 8}
"""Largest order of the autoregression that is tried by default; 12 for other frequencies."""


def linear_lags(
    rule: Any, most: Any, series: Series, known: np.ndarray, frequency: str
) -> tuple[tuple[int, ...], str]:
    """Lags of the linear part, and how they were chosen in words.

    Parameters
    ----------
    rule : str, int or sequence of int
        A criterion, how many lags, or which.
    most : int or None
        Largest order that a criterion may choose.
    series : Series
        The data.
    known : ndarray of shape (n, k)
        Known regressors.
    frequency : str
        First letter of the frequency.
    """
    if isinstance(rule, str) and rule in CRITERIA:
        limit = _largest(most, series, known, frequency)
        order = choose_lags(series.endog, known, limit, rule, series.first)
        return tuple(range(1, order + 1)), f"{rule.upper()} among 1 to {limit}"
    if isinstance(rule, Integral) and not isinstance(rule, bool):
        return tuple(range(1, read_count("linear_lags", rule) + 1)), "the user"
    if isinstance(rule, str) or not isinstance(rule, Sequence | np.ndarray) or not len(rule):
        raise SpecificationError(
            f"linear_lags={rule!r}: give a number of lags, a list of lags, or a criterion: "
            "'aic', 'bic', 'hqic'."
        )
    return tuple(sorted({read_count("linear_lags", lag) for lag in rule})), "the user"


def _largest(most: Any, series: Series, known: np.ndarray, frequency: str) -> int:
    """Largest order that a criterion tries."""
    limit = MOST_LAGS.get(frequency, 12) if most is None else read_count("max_lags", most)
    m, k = series.endog.shape[1], known.shape[1]
    rows = len(series.endog) - series.first
    # at most half the rows for the coefficients of the largest order
    return max(1, min(limit, int((rows / 2 - 1 - k) // (m + 0.5))))


@dataclass(frozen=True, slots=True)
class EquationLags:
    """Lags of the linear parts, one by one: ``pairs`` of own lags and lags of the others."""

    pairs: tuple[tuple[int, int], ...]
    told: str

    @property
    def lags(self) -> tuple[int, ...]:
        """All lags that some equation has."""
        return tuple(range(1, max(max(pair) for pair in self.pairs) + 1))


def equation_lags(
    given: Any, rule: Any, most: Any, series: Series, known: np.ndarray, frequency: str
) -> EquationLags | None:
    """Lags of each equation where they differ between equations, None where they do not.

    Parameters
    ----------
    given : bool, mapping or None
        Whether the criterion chooses equation by equation, or pairs of own lags and lags of the
        others by series.
    rule, most, series, known, frequency
        As in :func:`linear_lags`.
    """
    if given is None or given is False:
        return None
    if given is True:
        if not (isinstance(rule, str) and rule in CRITERIA):
            raise SpecificationError(
                f"lags_by_equation=True needs a criterion, and linear_lags={rule!r}: give 'aic', "
                "'bic' or 'hqic', or the lags, lags_by_equation={'series': (own, others), ...}."
            )
        limit = _largest(most, series, known, frequency)
        pairs = choose_lags_by_equation(series.endog, known, limit, rule, series.first)
        return EquationLags(pairs, f"{rule.upper()} by equation, 1 to {limit}")
    if not isinstance(given, Mapping):
        raise SpecificationError(
            f"lags_by_equation={given!r}: give True, or pairs of own lags and lags of the others "
            "by series, {'infl': (3, 1), ...}."
        )
    if not isinstance(rule, str):
        raise SpecificationError(
            f"linear_lags={rule!r} and lags_by_equation both give the lags; leave one of them out."
        )
    absent = [name for name in series.names if name not in given]
    strange = [name for name in given if name not in series.names]
    if absent or strange:
        raise SpecificationError(
            f"lags_by_equation has no lags for {absent[0]!r}"
            if absent
            else f"lags_by_equation names {strange[0]!r}, which is no series of the model; the "
            f"series are {list(series.names)}."
        )
    pairs = tuple(_pair(name, given[name]) for name in series.names)
    if not max(max(pair) for pair in pairs):
        raise SpecificationError("lags_by_equation: one equation at least needs a lag.")
    return EquationLags(pairs, "the user")


def read_long_lags(
    given: Any, order: int, most: Any, series: Series, known: np.ndarray, frequency: str
) -> LongLags | None:
    """Own lags beyond the order of the autoregression, shrunk, where there are some.

    Parameters
    ----------
    given : bool, mapping or None
        None where the evidence is to decide, True where it only chooses the tightness, False for no
        long lags, or the tightness by series.
    order : int
        Order of the autoregression.
    most, series, known, frequency
        As in :func:`linear_lags`.
    """
    tightness = None
    if isinstance(given, Mapping):
        strange = [name for name in given if name not in series.names]
        if strange:
            raise SpecificationError(
                f"long_lags names {strange[0]!r}, which is no series of the model; the series are "
                f"{list(series.names)}."
            )
        tightness = {
            at: _tightness(name, given[name])
            for at, name in enumerate(series.names)
            if name in given
        }
    elif given is not None and not isinstance(given, bool):
        raise SpecificationError(
            f"long_lags={given!r}: give True, False, or the tightness by series, "
            "{'infl': 0.5, ...}."
        )
    longest = _largest(most, series, known, frequency)
    if given is False or tightness == {} or longest <= order:
        if given:
            raise SpecificationError(
                f"long_lags: lags end at {longest}, and the autoregression has {order}; raise "
                "max_lags."
            )
        return None
    threshold = -np.inf if given else VERY_STRONG
    return choose_long_lags(
        series.endog, known, order, longest, series.first, threshold=threshold, tightness=tightness
    )


def _tightness(name: str, value: Any) -> float:
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else np.nan
    if not 0 < number < np.inf:
        raise SpecificationError(
            f"long_lags: {value!r} for {name!r}; give a tightness, a positive number."
        )
    return number


def _pair(name: str, value: Any) -> tuple[int, int]:
    """Own lags and lags of the others."""
    whole = isinstance(value, Sequence) and len(value) == 2
    whole = whole and all(
        isinstance(lag, Integral) and not isinstance(lag, bool) and int(lag) >= 0 for lag in value
    )
    if not whole:
        raise SpecificationError(
            f"lags_by_equation: {value!r} for {name!r}; give two whole numbers, own lags and lags "
            "of the other series, such as (3, 1)."
        )
    return int(value[0]), int(value[1])


def penalties(alpha: Any, targets: list[str], has_network: bool) -> dict[str, float | str]:
    """Penalty of each target, or how it is to be chosen; infinite without a network."""
    given = dict(alpha) if isinstance(alpha, Mapping) else dict.fromkeys(targets, alpha)
    for name in given:
        if name not in targets:
            raise SpecificationError(
                f"alpha names {name!r}, which is no target; the targets are {targets}."
            )
    lacking = [name for name in targets if name not in given]
    if lacking:
        raise SpecificationError(f"alpha has no penalty for {lacking[0]!r}; give one a target.")
    rules = {name: read_alpha(given[name]) for name in targets}
    if "evidence" in rules.values():
        raise SpecificationError(
            "alpha='evidence' is not available for forecasters; use 'cv', '1se' or a number."
        )
    zero = next((name for name, rule in rules.items() if rule == 0.0), None)
    if zero is not None:
        raise SpecificationError(
            f"alpha=0 for {zero!r}: a network on a window is not identified without a penalty; "
            "give a small positive number."
        )
    return rules if has_network else dict.fromkeys(targets, np.inf)


def read_units(name: str, units: Any) -> tuple[int, ...]:
    """Units of each layer."""
    layers = tuple(units) if isinstance(units, Sequence | np.ndarray) else (units,)
    return tuple(read_count(name, size) for size in layers)


def read_count(name: str, value: Any) -> int:
    """A whole number of at least one."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise SpecificationError(f"{name}={value!r}: give a whole number of at least 1.")
    return int(value)


def read_common(linear_part: bool, linear_lags: Any, max_lags: int | None) -> dict[str, Any]:
    """Arguments of the autoregression."""
    if not isinstance(linear_part, bool):
        raise SpecificationError(f"linear_part={linear_part!r}: give True or False.")
    return {"linear_part": linear_part, "linear_lags": linear_lags, "max_lags": max_lags}


def seasonal_period(frequency: str) -> int | None:
    """Periods a year of a frequency with seasons."""
    return {"Q": SEASONS["quarter"], "M": SEASONS["month"]}.get(frequency)


STRATEGIES = ("recursive", "direct")


def read_strategy(strategy: Any, horizon: Any) -> dict[str, Any]:
    """How forecasts go on beyond one period, and how far direct ones go."""
    if strategy not in STRATEGIES:
        raise SpecificationError(f"strategy={strategy!r}: choose one of {STRATEGIES}.")
    if strategy == "recursive":
        if horizon is not None:
            raise SpecificationError(
                "horizon= belongs to strategy='direct', which has an equation for each horizon; "
                "recursive forecasts go as far as forecast(steps) asks."
            )
        return {"strategy": strategy, "horizon": None}
    if horizon is None:
        raise SpecificationError(
            "strategy='direct' has an equation for each horizon: say how many with horizon=, for "
            "example horizon=8."
        )
    return {"strategy": strategy, "horizon": read_count("horizon", horizon)}


def penalties_ahead(alpha: Any, targets: list[str], horizon: int) -> list[Any]:
    """Penalties of each horizon: the same for all, or a list by horizon where one is given."""
    if not isinstance(alpha, Mapping):
        return [alpha] * horizon
    for name, value in alpha.items():
        if isinstance(value, list | tuple) and len(value) != horizon:
            raise SpecificationError(
                f"alpha has {len(value)} penalties for {name!r}; give one, or one for each of the "
                f"{horizon} horizons."
            )
    return [
        {
            name: value[ahead] if isinstance(value, list | tuple) else value
            for name, value in alpha.items()
        }
        for ahead in range(horizon)
    ]


LOSSES = ("gaussian", "student", "quantile")

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels that ``loss="quantile"`` estimates by default."""


def read_loss(loss: Any, quantiles: Any) -> dict[str, Any]:
    """Distribution of the errors, or the levels of the quantiles."""
    if loss not in LOSSES:
        raise SpecificationError(f"loss={loss!r}: choose one of {LOSSES}.")
    if loss != "quantile":
        if quantiles is not None:
            raise SpecificationError(
                f"quantiles= belongs to loss='quantile', and the loss is {loss!r}."
            )
        return {"loss": loss, "quantiles": ()}
    given = QUANTILES if quantiles is None else quantiles
    listed = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
    levels = [float(one) for one in given if isinstance(one, Real)] if listed else []
    inside = bool(levels) and len(levels) == len(given) and all(0 < one < 1 for one in levels)
    if not inside or 0.5 not in levels or not min(levels) < 0.5 < max(levels):
        raise SpecificationError(
            f"quantiles={quantiles!r}: give levels between 0 and 1, among them 0.5, the median, "
            f"which is the forecast, and levels on both sides of it, for example {QUANTILES}."
        )
    return {"loss": loss, "quantiles": tuple(sorted(set(levels)))}


def penalties_by_level(
    alpha: Any, targets: list[str], has_network: bool, levels: Sequence[float | None]
) -> dict[tuple[str, float | None], float | str]:
    """Penalties of each target and level: the same for all levels, or a list where one is given."""
    rules: dict[tuple[str, float | None], float | str] = {}
    for at, level in enumerate(levels):
        given = alpha
        if isinstance(alpha, Mapping) and levels != (None,):
            given = {name: _of_level(name, value, at, levels) for name, value in alpha.items()}
        found = penalties(given, targets, has_network)
        rules |= {(name, level): rule for name, rule in found.items()}
    return rules


def _of_level(name: str, value: Any, at: int, levels: Sequence[float | None]) -> Any:
    if not isinstance(value, list | tuple):
        return value
    if len(value) != len(levels):
        raise SpecificationError(
            f"alpha has {len(value)} penalties for {name!r}; give one, or one for each of the "
            f"levels {list(levels)}."
        )
    return value[at]


TRAININGS: dict[str | Training, Training] = {
    "adam": Adam(learning_rate=0.01, batch_size=32, epochs=200),
    "sgd": SGD(batch_size=32, epochs=200),
}
"""What the names stand for: samples are short, so that batches are smaller and epochs more than
those of regressions."""


def read_method(method: Any, loss: str) -> str | Training:
    """An algorithm's name, or how to train in mini-batches."""
    found = TRAININGS.get(method, method) if isinstance(method, str | Training) else None
    if isinstance(found, Training):
        if loss == "student":
            raise SpecificationError(
                "loss='student' alternates between weights and estimates until neither changes, "
                "which mini-batches do not reach; use method='auto', or another loss."
            )
        return found
    if found not in ("auto", "lm", "lbfgs"):
        raise SpecificationError(
            f"method={method!r} is not known; choose 'auto', 'lm', 'lbfgs', 'adam' or 'sgd', or "
            "pass ne.Adam(...) or ne.SGD(...)."
        )
    return found
