"""What a file holds of results of state-space models, and how the estimate is read back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.storage import State, pack_frame, unpack_frame
from nnecon.estimation.state_space_solution import Fit
from nnecon.results.archive import path_from_state, path_state, under, under_prefix
from nnecon.results.path import CrossValidation
from nnecon.results.state_space_numbers import StateSpaceEstimate

NUMBERS = ("objective", "loss", "certificate", "iterations")
"""What a fit has beside its parameters."""

SCORES = ("alphas", "scores", "baseline_scores")


def state_space_state(results: Any) -> State:
    """Results as JSON and arrays."""
    estimate = results.estimate
    model, arrays = results.model.state()
    model["fixed"] = dict(results.model.fixed)
    meta: dict[str, Any] = {
        "model": model,
        "fit": {name: getattr(estimate.fit, name) for name in NUMBERS},
        "alpha": estimate.alpha,
        "rule": estimate.rule,
        "search": estimate.search,
        "cov_type": results.cov_type,
        "since": results.since,
    }
    arrays = under_prefix("model", arrays) | {"params": estimate.fit.params}
    if estimate.path is not None:
        meta["path"], held = path_state(estimate.path)
        arrays |= under_prefix("path", held)
    if estimate.cv is not None:
        meta["cv"], held = _cv_state(estimate.cv)
        arrays |= under_prefix("cv", held)
    if estimate.starts is not None:
        meta["starts"], held = pack_frame(estimate.starts, "frame")
        arrays |= under_prefix("starts", held)
    if results.data is not results.model.series:
        meta["data"], held = pack_frame(results.data.frame, "frame")
        arrays |= under_prefix("data", held)
    return meta, arrays


def estimate_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> StateSpaceEstimate:
    """The estimate from what :func:`state_space_state` gave."""
    fit = Fit(params=arrays["params"], **meta["fit"])
    estimate = StateSpaceEstimate(fit, meta["alpha"], meta["rule"], meta["search"])
    if "path" in meta:
        estimate = replace(estimate, path=path_from_state(meta["path"], under(arrays, "path")))
    if "cv" in meta:
        estimate = replace(estimate, cv=_cv_from_state(meta["cv"], under(arrays, "cv")))
    if "starts" in meta:
        frame = unpack_frame(meta["starts"], under(arrays, "starts"), "frame")
        estimate = replace(estimate, starts=frame)
    return estimate


def _cv_state(cv: CrossValidation) -> State:
    predictions, arrays = pack_frame(cv.predictions, "predictions")
    arrays |= {name: getattr(cv, name) for name in SCORES}
    arrays |= {f"fold/{at}": fold for at, fold in enumerate(cv.folds)}
    arrays |= {name: getattr(cv, name) for name in ("params", "train")}
    return {"description": cv.description, "predictions": predictions}, arrays


def _cv_from_state(
    meta: Mapping[str, Any], arrays: dict[str, np.ndarray]
) -> CrossValidation:  # fmt: skip
    folds = under(arrays, "fold")
    predictions: pd.DataFrame = unpack_frame(meta["predictions"], arrays, "predictions")
    return CrossValidation(
        **{name: arrays[name] for name in (*SCORES, "params", "train")},
        folds=tuple(folds[str(at)] for at in range(len(folds))),
        description=meta["description"],
        predictions=predictions,
    )
