"""How the number of factors and the penalty are chosen: criteria, and errors of rows left out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from nnecon.data.panel import Panel, check_known, varies
from nnecon.estimation.autoencoding import AutoencoderPath, PanelSample
from nnecon.estimation.folds import Folds
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.estimation.splitters import BlockedFolds
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.factor_map import ComponentMap, Extraction
from nnecon.inference.factor_number import (
    CRITERIA,
    bai_ng,
    bi_cross_validation,
    panel_criteria,
)
from nnecon.inference.principal_components import fill_missing, principal_components
from nnecon.models.factor_dynamics import forecast_rows
from nnecon.models.factor_samples import FactorTask, fitted, unit_of
from nnecon.results.factor_path import ReconstructionCV

BLOCKS = 5
"""Blocks of rows, and of columns, of bi-cross-validation."""


def default_most(n_obs: int, n_series: int) -> int:
    """Most factors that are tried by default, the rule of Bai and Ng (2002)."""
    least = min(n_obs, n_series)
    return int(min(max(1, 8 * (least / 100) ** 0.25), least - 1))


def factor_numbers(panel: Panel, most: int, standardize: bool, bcv: bool, seed: int = 0):
    """Criteria for 0, ..., most factors, a row a number; missing values are filled by the most."""
    values, known = panel.values, np.isfinite(panel.values)
    check_known(known, panel.names, panel.index, most, " that k_factors= tries (max_factors)")
    filled, _ = fill_missing(values, most, standardize)
    eigenvals = principal_components(filled, standardize).eigenvals
    residual = eigenvals.sum() - np.r_[0.0, np.cumsum(eigenvals)[:most]]
    residual = np.where(residual > 1e-12 * eigenvals.sum(), residual, 0.0)
    n_obs, n_series = values.shape
    frame = pd.DataFrame(index=pd.RangeIndex(most + 1, name="ncomp"))
    for name, column in zip(CRITERIA, bai_ng(residual, n_obs, n_series).T, strict=True):
        frame[name] = pd.Series(column).reindex(frame.index)
    for j, column in enumerate(panel_criteria(residual, n_obs, n_series).T, 1):
        frame[f"PC_p{j}"] = column
    if bcv:
        rng = np.random.default_rng(seed)
        order = np.arange(n_obs) if panel.is_time_series else rng.permutation(n_obs)
        rows = np.array_split(order, BLOCKS)
        columns = np.array_split(rng.permutation(n_series), min(BLOCKS, n_series))
        for out in rows:
            flat = np.flatnonzero(~varies(np.delete(filled, out, axis=0)))
            if len(flat):
                raise DataError(
                    f"{panel.names[flat[0]]!r} does not vary in the rows that stay when k_factors="
                    f"'bcv' leaves {len(out)} out; drop the series, or choose k_factors='ic'."
                )
        found = bi_cross_validation(filled, known, most, rows, columns, standardize)
        frame["bcv"] = found.error
    return frame


def reconstruction_folds(
    cv: int | Splitter | None, panel: Panel, rng: np.random.Generator, ordered: bool = False
) -> Folds:
    """Blocks in time order for time series and ``ordered`` rows, others shuffled, or the user's."""
    if (panel.is_time_series or ordered) and not hasattr(cv, "split"):
        count = 5 if cv is None else cv
        whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if not whole or count < 2:
            raise SpecificationError(
                f"cv={cv!r}: pass the number of blocks (at least 2), a splitter (BlockedFolds, "
                "ExpandingFolds, or scikit-learn's) or None."
            )
        cv = BlockedFolds(int(count))
    rows = np.arange(len(panel.values), dtype=float)
    return make_folds(cv, rows[:, None], rows, time_series=False, groups=None, rng=rng)


def _squares(task: FactorTask, base: Extraction, whole: Extraction, fit: np.ndarray) -> np.ndarray:
    """Squared errors in standard deviations of the whole sample; NaN where data are missing."""
    standard = base.components.standardisation
    ratio = standard.scale / whole.components.standardisation.scale
    error = standard.apply(task.panel.values) - fit
    return (error * ratio) ** 2


def _losses(
    task: FactorTask,
    base: Extraction,
    whole: Extraction,
    sample: PanelSample,
    params: np.ndarray | None,
    alpha: float,
) -> np.ndarray:
    """Squared errors of rows, and of their forecasts where factors have dynamics.

    ``params`` None stands for principal components. Rows that no lags go before count their
    reconstruction alone.
    """
    if params is None:
        linear = ComponentMap(base)
        fit = linear.decode(linear.factors(task.panel.values))
    else:
        fit = unit_of(base) * fitted(task.network, sample, params, alpha)
    now = _squares(task, base, whole, fit)
    if task.dynamics is None:
        return now
    ahead = _squares(task, base, whole, forecast_rows(task, base, sample, params, alpha))
    share = task.dynamics.share
    return np.where(np.isnan(ahead), now, (1.0 - share) * now + share * ahead)


def cross_validated(
    task: FactorTask,
    folds: Folds,
    extractions: Sequence[Extraction],
    samples: Sequence[PanelSample],
    paths: Sequence[AutoencoderPath],
    alphas: np.ndarray,
) -> ReconstructionCV:
    """Errors of the rows that each fold leaves out, a column a penalty."""
    scores = np.empty((len(folds.test), len(alphas)))
    for f, test in enumerate(folds.test):
        base, sample, path = extractions[f + 1], samples[f + 1], paths[f + 1]
        linear = _losses(task, base, extractions[0], sample, None, np.inf)[test]
        scores[f] = np.nanmean(linear)
        for j, alpha in enumerate(alphas[1:]):
            if not path.linear[j]:
                losses = _losses(task, base, extractions[0], sample, path.params[j], alpha)
                scores[f, j + 1] = np.nanmean(losses[test])
    empty, words = pd.DataFrame(), folds.description
    if task.dynamics is not None:
        share = task.dynamics.share
        words += f", {1 - share:.0%} reconstruction and {share:.0%} forecasts one step ahead"
    return ReconstructionCV(alphas, scores, folds.test, folds.train, words, empty, empty)


def at_choice(
    task: FactorTask,
    cv: ReconstructionCV,
    folds: Folds,
    extractions: Sequence[Extraction],
    samples: Sequence[PanelSample],
    paths: Sequence[AutoencoderPath],
    alpha: float,
) -> ReconstructionCV:
    """The same with errors by row and by series at the chosen penalty."""
    rows, series = [], []
    for f, test in enumerate(folds.test):
        base, sample, path = extractions[f + 1], samples[f + 1], paths[f + 1]
        linear = _losses(task, base, extractions[0], sample, None, np.inf)[test]
        network = linear
        at = int(np.argmin(np.abs(np.log(cv.alphas[1:] / alpha)))) if np.isfinite(alpha) else -1
        if at >= 0 and not path.linear[at]:
            network = _losses(task, base, extractions[0], sample, path.params[at], alpha)[test]
        losses = {"network": np.nanmean(network, axis=1), "baseline": np.nanmean(linear, axis=1)}
        rows.append(pd.DataFrame({"fold": f, **losses}, index=task.panel.index[test]))
        series.append((network, linear))
    together = [np.concatenate(parts) for parts in zip(*series, strict=True)]
    known = np.isfinite(together[0])
    means = [
        np.where(known, part, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        for part in together
    ]
    by_series = pd.DataFrame(
        {"network": means[0], "baseline": means[1], "values": known.sum(axis=0)},
        index=task.panel.labels.rename("series"),
    )
    return replace(cv, row_losses=pd.concat(rows), series_losses=by_series)
