"""Importance of variables: which rows are scored, and with which estimates."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.bootstrap import refit
from nnecon.estimation.estimate import solver_of
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Folds, Splitter, make_folds
from nnecon.exceptions import SpecificationError
from nnecon.inference.fitted_mean import FittedMean, LinearMean, Mean
from nnecon.inference.importance import Increase, donors, permuted, refitted, variance
from nnecon.nets import Dense
from nnecon.results.base import Results
from nnecon.results.variable_importance import VariableImportance

STARTS = 4
"""Random starts of every refit, beside the estimate itself and the classical model."""


REPEATS = 30
"""Other rows for every row, where the user gives no number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """Rows that are scored (m,), and the functions that score them, network and classical."""

    rows: np.ndarray
    mean: Mean
    classical: Mean


def importance(
    results: Results,
    method: str,
    cv: int | Splitter | None,
    n_repeats: int | None,
    rng: int | np.random.Generator,
) -> VariableImportance:
    """Importance as :meth:`PartialEffects.variable_importance` documents it."""
    _check(results, method, n_repeats)
    drop, repeats = method == "refit", REPEATS if n_repeats is None else n_repeats
    cv = 5 if drop and cv is None else cv
    random = generator(rng)
    model, spec = results.model, results.cov_spec
    names = model.design.moving_rows().variables
    folds = None if cv is None else _folds(results, cv, random)
    full = _scorers(results, folds, random)
    tested = np.concatenate([one.rows for one in full])
    order = np.argsort(tested, kind="stable")
    weights = results.estimate.weights / results.estimate.weights[tested].sum()
    error = np.concatenate(
        [model.endog[one.rows] - one.mean.values(model.exog[one.rows]) for one in full]
    )
    options = {
        name: np.asarray(value)[tested[order]] if name in ("groups", "time") else value
        for name, value in spec.options.items()
        if value is not None
    }
    if not drop and min(len(one.rows) for one in full) < 2:
        raise SpecificationError(
            "a fold has a single row, and there is no other to take a value from; give fewer folds."
        )
    rows = results._influence if folds is None else None
    taken = [donors(len(one.rows), repeats, random) for one in full]
    found, errors, classical = [], [], []
    for name in names:
        if drop:
            assert folds is not None
            own, other = _dropped(results, name, folds, full, weights, random)
        else:
            own, other = _permuted(results, name, full, weights, taken, folds is None)
        together = replace(own, influence=own.influence[order])
        errors.append(np.sqrt(variance(together, spec.kind, options, rows)))
        found.append(own.value)
        classical.append(other.value)
    ranked = np.argsort(-np.array(found), kind="stable")
    index = [names[k] for k in ranked]
    return VariableImportance(
        pd.Series(np.array(found)[ranked], index=index),
        pd.Series(np.array(errors)[ranked], index=index),
        float(weights[tested] @ error**2),
        pd.Series(np.array(classical)[ranked], index=index),
        "the model is estimated again without the variable"
        if drop
        else f"the variable is taken from other rows, {repeats} times",
        "the sample, as estimated" if folds is None else folds.description,
        model.endog_names,
    )


def _check(results: Results, method: str, n_repeats: int | None) -> None:
    if method not in ("permutation", "refit"):
        raise SpecificationError(
            f"method={method!r} is not known; choose 'permutation' or 'refit'."
        )
    whole = isinstance(n_repeats, int | np.integer) and not isinstance(n_repeats, bool)
    if n_repeats is not None and (not whole or n_repeats < 1):
        raise SpecificationError(f"n_repeats={n_repeats!r}: give a whole number, at least 1.")
    if n_repeats is not None and method == "refit":
        raise SpecificationError(
            "n_repeats is for method='permutation'; refits happen once a fold."
        )
    if method == "refit" and not isinstance(results.model.network, Dense):
        raise SpecificationError(
            "method='refit' leaves columns out of the built-in network; a function of your own "
            "cannot do without one: use method='permutation', or write the smaller function."
        )
    if not results.model.design.moving_rows().variables:
        raise SpecificationError("the model has no variables whose importance could be told.")


def _folds(results: Results, cv: Any, rng: np.random.Generator) -> Folds:
    model = results.model
    groups = results.cov_spec.options.get("groups")
    groups = None if groups is None or np.ndim(groups) > 1 else np.asarray(groups)
    return make_folds(
        cv,
        model.exog,
        model.endog,
        time_series=model.is_time_series,
        groups=groups,
        rng=rng,
        periods=model.design.sample.rows,
        align=model.design.align,
    )


def _scorers(results: Results, folds: Folds | None, rng: np.random.Generator) -> list[_Scored]:
    """The estimate on the sample, or estimates on the folds' training rows for the others."""
    model, estimate = results.model, results.estimate
    if folds is None:
        mean = FittedMean(model.network, results._members, estimate.scaling)
        classical = LinearMean(results.baseline.params.to_numpy())
        return [_Scored(np.arange(len(model.endog)), mean, classical)]
    params = _estimated(results, model, estimate.objective, results.solution.params, folds, rng)
    linear = _least_squares(model.exog, model.endog, estimate.weights, folds)
    return [
        _Scored(
            test,
            FittedMean(model.network, one.reshape(results.n_networks, -1), estimate.scaling),
            LinearMean(coefficients),
        )
        for test, one, coefficients in zip(folds.test, params, linear, strict=True)
    ]


def _estimated(
    results: Results,
    model: Any,
    objective: Any,
    params: np.ndarray,
    folds: Folds,
    rng: np.random.Generator,
) -> np.ndarray:
    """Parameters (f, k) on the folds' training rows, at the penalty of the estimate."""
    estimate, network = results.estimate, model.network
    if estimate.facts.get("stochastic") and not results.is_linear:
        raise SpecificationError(
            "mini-batch fits are not estimated again on folds; leave cv out to score the sample, "
            "or fit with method='auto'."
        )
    starts = None
    if results.n_networks == 1 and model.has_network and np.isfinite(results.alpha):
        zero = np.where(network.neural, 0.0, params)
        starts = np.stack([zero, *(network.init(rng) for _ in range(STARTS))])
    found = refit(
        objective,
        params,
        results.alpha,
        weights=estimate.weights * folds.train,
        solver=solver_of(objective),
        starts=starts,
    )
    return found.params


def _least_squares(
    exog: np.ndarray, endog: np.ndarray, weights: np.ndarray, folds: Folds
) -> list[np.ndarray]:
    """Coefficients of the classical model on the folds' training rows."""
    found = []
    for train in folds.train:
        root = np.sqrt(weights * train)
        found.append(np.linalg.lstsq(exog * root[:, None], endog * root, rcond=None)[0])
    return found


def _permuted(
    results: Results,
    name: str,
    full: list[_Scored],
    weights: np.ndarray,
    taken: list[np.ndarray],
    differentiate: bool,
) -> tuple[Increase, Increase]:
    """Increase by permutation, of the network and of the classical model, over all folds."""
    model = results.model
    every = model.design.moving_rows()
    own: list[tuple[Increase, np.ndarray]] = []
    other: list[tuple[Increase, np.ndarray]] = []
    for one, rows in zip(full, taken, strict=True):
        own_weights = weights[one.rows]
        part = every.take(one.rows)
        given = part, name, model.endog[one.rows], own_weights / own_weights.sum(), rows
        for mean, held in ((one.mean, own), (one.classical, other)):
            found = permuted(mean, *given, differentiate and mean is one.mean)
            held.append((found, own_weights))
    return _joined(own), _joined(other)


def _joined(parts: list[tuple[Increase, np.ndarray]]) -> Increase:
    """Increase over the rows of all folds, from those of single folds and their rows' weights.

    Rows vary around the overall increase, so that folds which differ widen the error.
    """
    value = float(sum(weights.sum() * one.value for one, weights in parts))
    influence = [
        weights.sum() * one.influence + weights * (one.value - value) for one, weights in parts
    ]
    return Increase(value, np.concatenate(influence), parts[0][0].by_estimate)


def _dropped(
    results: Results,
    name: str,
    folds: Folds,
    full: list[_Scored],
    weights: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Increase, Increase]:
    """Increase by leaving a variable out, of the network and of the classical model."""
    model, estimate = results.model, results.estimate
    keep = np.flatnonzero(~model.design.moving_rows().made_from(name))
    if model.k_constant and model.design.sample.const_index is None:
        raise SpecificationError(
            f"the model's constant is in its dummies, and would go with {name!r}; write the "
            "formula with an intercept."
        )
    settings = model.specification
    options = {"hidden": settings.hidden, "activation": settings.activation}
    exog = pd.DataFrame(model.exog[:, keep], columns=[model.exog_names[k] for k in keep])
    reduced = type(model)(
        model.endog, exog, weights=estimate.weights, linear_part=settings.linear_part, **options
    )
    share, grouped = estimate.facts.get("L1_wt", 0.0), estimate.facts.get("group_inputs", False)
    objective, scaling = reduced._objective(share, grouped)
    members = [_without(one, model, reduced, keep) for one in results._members]
    params = _estimated(results, reduced, objective, np.concatenate(members), folds, rng)
    linear = _least_squares(exog.to_numpy(), model.endog, estimate.weights, folds)
    tested = np.concatenate([one.rows for one in full])
    predicted = []
    for one, found, coefficients in zip(full, params, linear, strict=True):
        means = (
            FittedMean(reduced.network, found.reshape(results.n_networks, -1), scaling),
            LinearMean(coefficients),
        )
        without = [mean.values(exog.to_numpy()[one.rows]) for mean in means]
        complete = [mean.values(model.exog[one.rows]) for mean in (one.mean, one.classical)]
        predicted.append(np.array([without, complete]))
    both = np.concatenate(predicted, axis=-1)
    endog, shares = model.endog[tested], weights[tested]
    own, other = (refitted(endog, both[0, k], both[1, k], shares) for k in (0, 1))
    return own, other


def _without(params: np.ndarray, model: Any, reduced: Any, keep: np.ndarray) -> np.ndarray:
    """Start of a network without some columns: the estimate without their weights."""
    network, scaling = model.network, model.scaling
    inside = np.isin(scaling.linear, keep)
    pieces = [params[: network.n_linear][inside]]
    at = network.n_linear
    if network.hidden:
        first = network.layers[0]
        into = params[first.weights].reshape(first.units, first.inputs)
        pieces.append(into[:, np.isin(scaling.inputs, keep)].ravel())
        at = first.weights.stop
    start = np.concatenate([*pieces, params[at:]])
    assert len(start) == reduced.network.n_params
    return start
