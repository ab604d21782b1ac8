"""How a recurrent state-space model is estimated: penalty, folds, starts, the reported solution."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.execution import Execution
from nnecon.estimation.folds import Folds
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.estimation.state_space_search import (
    Followed,
    estimate,
    follow,
    grid,
    live_penalty,
    started,
)
from nnecon.estimation.state_space_solution import Fit, Search
from nnecon.inference.state_space_information import degrees_of_freedom
from nnecon.models.settings import RULES
from nnecon.results.path import (
    CrossValidation,
    RegularizationPath,
    choose_alpha,
    standard_error,
)
from nnecon.results.state_space_numbers import StateSpaceEstimate

PROBES = 2
"""Starts that look for the penalty at which the network comes alive."""

ALONG = 1e-2
"""Derivative under which a solution on the path counts as converged; what is reported is polished.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """Arguments of ``fit``: penalty and grid, folds, starts (standardised) and the user's start."""

    alpha: float | str
    alphas: int | np.ndarray
    cv: int | Splitter | None
    starts: list[np.ndarray]
    given: np.ndarray | None
    for_folds: np.random.Generator


def estimate_model(
    model: Any, search: Search, settings: Settings, execution: Execution
) -> StateSpaceEstimate:
    """Choose the penalty where it is to be chosen, and solve at it from all starts."""
    classical = model.classical
    alpha, rule = settings.alpha, "the user"
    path = cv = None
    starts = [started(search, classical, start) for start in settings.starts]
    if not isinstance(alpha, float) or settings.cv is not None:
        folds = _folds(model, settings)
        path, cv, at_alpha = _search_path(model, search, classical, settings, folds, execution)
        if not isinstance(alpha, float):
            rule = RULES[alpha]
            alpha = path.alpha_min if settings.alpha == "cv" else path.alpha_1se
            assert alpha is not None
            starts = [at_alpha(alpha), *starts]
    if settings.given is not None:
        starts = [settings.given, *starts]
    if np.isinf(alpha):
        return StateSpaceEstimate(classical, alpha, rule, "", path, cv)
    found, reached = estimate(search, starts, alpha, classical, execution)
    best = replace(found[0], params=model.network.canonical(found[0].params))
    if model.fixed:
        best = found[0]
    table = pd.DataFrame({"objective": reached}, index=pd.RangeIndex(len(reached), name="start"))
    return StateSpaceEstimate(best, alpha, rule, "", path, cv, table)


def _folds(model: Any, settings: Settings) -> Folds:
    rows = model.sample.rows
    n = len(rows.series)
    return make_folds(
        settings.cv,
        np.zeros((n, 1)),
        rows.series[:, 0],
        time_series=True,
        groups=None,
        rng=settings.for_folds,
        periods=np.arange(n),
    )


def _search_path(model, search, classical: Fit, settings, folds: Folds, execution: Execution):
    """Paths of the sample and of the folds, and their errors."""
    alphas = settings.alphas
    starts = np.stack(settings.starts)
    if isinstance(alphas, int):
        probes = [started(search, classical, start) for start in starts[:PROBES]]
        alphas = grid(live_penalty(search, classical, probes), alphas)
    searches = [search] + [replace(search, weights=search.weights * train) for train in folds.train]
    tasks = [([one], starts, alphas) for one in searches]
    paths = [found[0] for found in execution.run(follow, tasks, record=Followed)]
    ladder = np.r_[np.inf, alphas]
    means = [
        np.stack([search.likelihood.moments(each, search.rows).mean for each in path.params])
        for path in paths
    ]
    actual = search.rows.series
    scores = np.array(
        [
            np.nanmean((actual[test] - found[:, test]) ** 2, axis=(1, 2))
            for test, found in zip(folds.test, means[1:], strict=True)
        ]
    )
    best, sparing = choose_alpha(ladder, scores)
    chosen = int(np.flatnonzero(ladder == best)[0])
    path = _describe(model, search, ladder, paths[0], means[0], scores, best, sparing)
    cv = CrossValidation(
        ladder,
        scores,
        scores[:, 0],
        folds.test,
        folds.description,
        _predictions(model, folds, means[1:], chosen),
        np.stack([one.params[chosen] for one in paths[1:]]),
        folds.train,
    )

    def at_alpha(alpha: float) -> np.ndarray:
        return paths[0].params[int(np.flatnonzero(ladder == alpha)[0])]

    return path, cv, at_alpha


def _predictions(model, folds: Folds, means: list[np.ndarray], chosen: int) -> pd.DataFrame:
    """One row a value left out: fold, series, actual value, both forecasts."""
    names, units = model.endog_names, model.units
    actual = units.series(model.sample.rows.series)
    parts = []
    for fold, (test, found) in enumerate(zip(folds.test, means, strict=True)):
        network, baseline = units.series(found[chosen]), units.series(found[0])
        for at, name in enumerate(names):
            parts.append(
                pd.DataFrame(
                    {
                        "fold": fold,
                        "variable": name,
                        "actual": actual[test, at],
                        "network": network[test, at],
                        "baseline": baseline[test, at],
                    },
                    index=model.index[test],
                )
            )
    return pd.concat(parts).dropna()


def _describe(
    model, search: Search, ladder, path: Followed, means, scores, best, sparing
) -> RegularizationPath:  # fmt: skip
    """Degrees of freedom, scores and the coefficients of the linear part along the path."""
    network = model.network
    linear = network.where("lags", "exog")
    names = [name for name, own in zip(model.param_names, linear, strict=True) if own]
    user = np.array([model.units.to_user(each) for each in path.params])
    freedom = [
        degrees_of_freedom(search.classical() if np.isinf(alpha) else search, params, alpha)
        for alpha, params in zip(ladder, path.params, strict=True)
    ]
    errors = (search.rows.series - means) ** 2
    return RegularizationPath(
        alphas=ladder,
        edf=np.array(freedom),
        train_score=np.nanmean(errors, axis=(1, 2)),
        effects=pd.DataFrame(user[:, linear], index=pd.Index(ladder, name="alpha"), columns=names),
        switches=np.zeros(len(ladder), dtype=bool),
        converged=path.certificate < ALONG,
        certificate=path.certificate,
        params=user,
        cv_mean=scores.mean(axis=0),
        cv_se=standard_error(scores),
        alpha_min=best,
        alpha_1se=sparing,
    )
