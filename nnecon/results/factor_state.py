"""Results of a factor model as JSON and arrays."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.names import bindings_to_state
from nnecon.data.storage import pack_index, unpack_index
from nnecon.results.factor_path import FactorPath, LeftOut, ReconstructionCV

PATH_ARRAYS = ("alphas", "explained", "linear", "certificate", "cv_mean", "cv_se")


def factor_state(results: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Everything that a file has to hold to build the results again."""
    model = results.model
    index, arrays = pack_index(model.panel.index, "index")
    values, functions = bindings_to_state(model.panel.bindings)
    meta: dict[str, Any] = {
        "model": {
            "class": type(model).__name__,
            "specification": model.plain_specification,
            "formula": model.panel.formula,
            "bindings": values,
            "functions": functions,
            "names": list(model.panel.names),
            "index": index,
        },
        "facts": asdict(results.facts),
        "linear": results.is_linear,
    }
    if model.panel.columns is not None:
        meta["model"]["columns"], own = pack_index(model.panel.columns, "columns")
        arrays |= own
    arrays["values"] = model.panel.values
    if not results.is_linear:
        arrays["params"] = results.mapping.params
    frames = {}
    if results.cv is not None:
        frames = {"row": results.cv.row_losses, "series": results.cv.series_losses}
    described, held = search_state(results.path, results.cv, frames)
    return meta | described, arrays | held


def search_state(
    path: FactorPath | None, cv: LeftOut | None, frames: Mapping[str, pd.DataFrame]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Path and cross-validation, where there are some; ``frames`` of losses, by their rows."""
    meta: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    if path is not None:
        meta["path"] = {"alpha_min": path.alpha_min, "alpha_1se": path.alpha_1se}
        for name in PATH_ARRAYS:
            if getattr(path, name) is not None:
                arrays[f"path/{name}"] = getattr(path, name)
    if cv is not None:
        meta["cv"] = cv.description
        arrays |= {"cv/alphas": cv.alphas, "cv/scores": cv.scores, "cv/train": cv.train}
        arrays["cv/rows"] = np.concatenate(cv.folds)
    for prefix, frame in frames.items():
        for name in frame:
            arrays[f"cv/{prefix}_{name}"] = frame[name].to_numpy()
    return meta, arrays


def index_from_state(meta: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> pd.Index:
    """Labels of the rows."""
    return unpack_index(meta["model"]["index"], arrays, "index")


def columns_from_state(meta: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> pd.Index | None:
    """What the user called the series, where that was no text."""
    held = meta["model"].get("columns")
    return None if held is None else unpack_index(held, arrays, "columns")


def path_from_state(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> FactorPath | None:
    """The path, where the file has one."""
    if "path" not in meta:
        return None
    held = {name: arrays.get(f"path/{name}") for name in PATH_ARRAYS}
    return FactorPath(**held, **meta["path"])  # type: ignore[arg-type]


def cv_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], index: pd.Index, series: pd.Index
) -> ReconstructionCV | None:
    """The cross-validation of these rows and series, where the file has one."""
    if "cv" not in meta:
        return None
    rows, fold = arrays["cv/rows"], arrays["cv/row_fold"]
    return ReconstructionCV(
        arrays["cv/alphas"],
        arrays["cv/scores"],
        tuple(rows[fold == number] for number in np.unique(fold)),
        arrays["cv/train"],
        meta["cv"],
        pd.DataFrame(
            {name: arrays[f"cv/row_{name}"] for name in ("fold", "network", "baseline")},
            index=index[rows],
        ),
        pd.DataFrame(
            {name: arrays[f"cv/series_{name}"] for name in ("network", "baseline", "values")},
            index=series.rename("series"),
        ),
    )
