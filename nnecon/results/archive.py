"""A saved result: a zip file of one JSON text and NumPy arrays. Reading it runs no code."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.problem import Solution
from nnecon.exceptions import DataError
from nnecon.results.path import CrossValidation, RegularizationPath
from nnecon.version import __version__

FORMAT = 1
SOLUTION_ARRAYS = ("params", "history")
PATH_ARRAYS = ("alphas", "edf", "train_score", "switches", "converged", "certificate", "params")


def write_archive(
    path: str | Path, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write ``meta`` (JSON) and ``arrays`` (no object arrays) to one file."""
    if not Path(path).absolute().parent.is_dir():
        raise DataError(f"cannot save to {path}: there is no folder {Path(path).parent}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "meta.json", json.dumps({"format": FORMAT, "version": __version__, **meta}, indent=1)
        )
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(array), allow_pickle=False)
            archive.writestr(f"{name}.npy", buffer.getvalue())


def read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what :func:`write_archive` wrote."""
    if not isinstance(path, str | Path) or not Path(path).is_file():
        raise DataError(f"there is no file {path!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read("meta.json"))
            arrays = {
                name.removesuffix(".npy"): np.load(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
                if name.endswith(".npy")
            }
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is not a result saved by nnecon: {error}") from error
    if meta.get("format") != FORMAT:
        raise DataError(
            f"{path} has format {meta.get('format')!r}, but this version of nnecon reads "
            f"{FORMAT}; load it with the version that wrote it ({meta.get('version')})."
        )
    return meta, arrays


def under(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Arrays whose name begins with ``prefix/``, without it."""
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def under_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays, each name after ``prefix/``."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def results_state(results: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Everything that a file has to hold to build the results again."""
    estimate = results.estimate
    model_meta, model_arrays = results.model.state()
    cov_meta, cov_arrays = cov_state(results.cov_spec)
    solution = {
        name: getattr(estimate.solution, name)
        for name in Solution.__dataclass_fields__
        if name not in SOLUTION_ARRAYS
    }
    meta = {
        "model": model_meta,
        "solution": solution,
        "alpha_rule": estimate.alpha_rule,
        "search": estimate.search,
        "facts": dict(estimate.facts),
        "cov": cov_meta,
    }
    arrays = {name: getattr(estimate.solution, name) for name in SOLUTION_ARRAYS}
    arrays |= under_prefix("model", model_arrays) | under_prefix("cov", cov_arrays)
    if estimate.path is not None:
        path_meta, path_arrays = path_state(estimate.path)
        meta["path"], arrays = path_meta, arrays | under_prefix("path", path_arrays)
    if estimate.cv is not None:
        meta["cv"] = estimate.cv.description
        arrays |= under_prefix("cv", cv_state(estimate.cv))
    return meta, arrays


def cov_state(spec: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A :class:`~nnecon.results.estimated.CovarianceSpec` as JSON and arrays."""
    options = {k: v for k, v in spec.options.items() if not isinstance(v, np.ndarray)}
    held = {k: v for k, v in spec.options.items() if isinstance(v, np.ndarray)}
    return {"kind": spec.kind, "options": options, "use_t": spec.use_t}, held


def path_state(path: RegularizationPath) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A regularisation path as JSON and arrays."""
    arrays = {name: getattr(path, name) for name in PATH_ARRAYS}
    arrays["effects"] = path.effects.to_numpy()
    if path.cv_mean is not None:
        arrays |= {"cv_mean": path.cv_mean, "cv_se": path.cv_se}
    if path.log_evidence is not None:
        arrays["log_evidence"] = path.log_evidence
    if path.starts is not None:
        arrays |= {f"starts/{name}": path.starts[name].to_numpy() for name in path.starts}
    meta = {
        "effects": list(path.effects.columns),
        "alpha_min": path.alpha_min,
        "alpha_1se": path.alpha_1se,
    }
    return meta, arrays


def path_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> RegularizationPath:
    """Rebuild what :func:`path_state` took apart."""
    index = pd.Index(arrays["alphas"], name="alpha")
    starts = under(arrays, "starts")
    return RegularizationPath(
        **{name: arrays[name] for name in PATH_ARRAYS},
        effects=pd.DataFrame(arrays["effects"], index=index, columns=meta["effects"]),
        cv_mean=arrays.get("cv_mean"),
        cv_se=arrays.get("cv_se"),
        alpha_min=meta["alpha_min"],
        alpha_1se=meta["alpha_1se"],
        starts=pd.DataFrame(starts) if starts else None,
        log_evidence=arrays.get("log_evidence"),
    )


def cv_state(cv: CrossValidation) -> dict[str, np.ndarray]:
    """A cross-validation as arrays."""
    frame = cv.predictions
    held = {} if cv.params is None else {"params": cv.params}
    return held | {
        "alphas": cv.alphas,
        "scores": cv.scores,
        "baseline_scores": cv.baseline_scores,
        "rows": np.concatenate(cv.folds),
        **({} if cv.train is None else {"train": cv.train}),
        **{name: frame[name].to_numpy() for name in frame.columns},
    }


def cv_from_state(
    description: str, arrays: Mapping[str, np.ndarray], index: pd.Index
) -> CrossValidation:
    """Rebuild what :func:`cv_state` took apart; ``index`` labels the rows of the sample."""
    rows, fold = arrays["rows"], arrays["fold"]
    columns = ("fold", "actual", "network", "baseline")
    return CrossValidation(
        arrays["alphas"],
        arrays["scores"],
        arrays["baseline_scores"],
        tuple(rows[fold == number] for number in np.unique(fold)),
        description,
        pd.DataFrame({name: arrays[name] for name in columns}, index=index[rows]),
        arrays.get("params"),
        arrays.get("train"),
    )
