"""Factors that follow a vector autoregression: arguments, rows that suffice, forecasts of rows."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from nnecon.data.panel import Panel
from nnecon.data.time_axis import TimeAxis
from nnecon.estimation.autoencoding import PanelSample
from nnecon.estimation.dynamic_autoencoding import Dynamics
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.factor_dynamics import (
    CRITERIA,
    choose_order,
    factor_var,
    one_step,
    one_step_regressors,
    sample_output,
)
from nnecon.inference.factor_map import ComponentMap, Extraction
from nnecon.inference.principal_components import fill_missing, principal_components
from nnecon.models.factor_samples import FactorTask, unit_of
from nnecon.models.forecast_settings import read_count

SHARE = 0.5
"""Share of the forecasts in the objective, where the user gives none."""


def read_dynamics(panel: Panel, given: Mapping[str, Any], k: int) -> tuple[Dynamics | None, str]:
    """Autoregression of the factors, and who chose its order; None without one."""
    asked, weight = given["factor_order"], given["forecast_weight"]
    chosen = isinstance(asked, str)
    if chosen and asked not in CRITERIA:
        raise SpecificationError(
            f"factor_order={asked!r}: give a number of lags, 0 for none, or one of {CRITERIA}."
        )
    if not chosen and not isinstance(asked, bool) and asked == 0:
        if weight is not None:
            raise SpecificationError(
                "forecast_weight has no effect without an autoregression; give factor_order."
            )
        return None, ""
    order = 1 if chosen else read_count("factor_order", asked)
    share = _read_share(weight, given)
    if given["noise"] or given["masking"]:
        name = "noise" if given["noise"] else "masking"
        raise SpecificationError(
            f"factor_order does not go with {name}: an autoregression of factors of corrupted rows "
            "is biased towards zero; leave one of the two out."
        )
    TimeAxis.of(panel.index, "factor_order")
    if chosen:
        filled, _ = fill_missing(panel.values, k, bool(given["standardize"]))
        factors = principal_components(filled, bool(given["standardize"])).scores(filled, k)
        order = choose_order(factors, str(asked))
    _check_rows(len(panel.values) - order, order, k, "")
    return Dynamics(order, share), str(asked) if chosen else "the user"


def _read_share(weight: Any, given: Mapping[str, Any]) -> float:
    if weight is None:
        return SHARE
    number = float(weight) if isinstance(weight, Real) and not isinstance(weight, bool) else np.nan
    if not 0 <= number < 1:
        raise SpecificationError(
            f"forecast_weight={weight!r}: give a share of at least 0 (the autoregression is then "
            "estimated after the autoencoder) and under 1."
        )
    if not np.size(given["hidden"]):
        raise SpecificationError(
            "forecast_weight has no effect with hidden=(), which is principal components and an "
            "autoregression of them; give hidden units."
        )
    return number


def _check_rows(rows: int, order: int, k: int, where: str) -> None:
    """Refuse fewer rows with all lags than an autoregression of k factors has regressors and k."""
    needed = 1 + k * order + k
    if rows < needed:
        raise DataError(
            f"{max(rows, 0)} rows with {order} rows before them are too few for an autoregression "
            f"of {k} factors{where}, which needs {needed}; give fewer lags (factor_order) or "
            "factors."
        )


def check_transitions(task: FactorTask, whole: np.ndarray, folds: Sequence[np.ndarray]) -> None:
    """Refuse folds that leave too few rows together with their lags."""
    if task.dynamics is None:
        return
    order, k = task.dynamics.order, task.network.k_factors
    for number, mask in enumerate([whole, *folds]):
        where = f" in the training rows of fold {number}" if number else ""
        _check_rows(int(task.dynamics.usable(mask[:, None]).sum()), order, k, where)


def forecast_rows(
    task: FactorTask,
    base: Extraction,
    sample: PanelSample,
    params: np.ndarray | None,
    alpha: float,
) -> np.ndarray:
    """Standardised forecasts (T, N) of each row from the rows before it; NaN in the first rows.

    The autoregression is that of the rows with weight. ``params`` None stands for principal
    components.
    """
    dynamics = task.dynamics
    assert dynamics is not None
    usable, found = dynamics.usable(sample.weights), np.full(task.panel.values.shape, np.nan)
    if params is None:
        linear = ComponentMap(base)
        factors = linear.factors(task.panel.values)
        system = factor_var(factors, dynamics.order, usable).system
        found[dynamics.order :] = linear.decode(one_step(system, factors))
    else:
        seen = one_step_regressors(task.network, dynamics.order, params, sample.scores, usable)
        output = sample_output(task.network, sample, params, alpha)
        found[dynamics.order :] = unit_of(base) * (seen @ output)
    return found
