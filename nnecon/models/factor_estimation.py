"""How a factor model is estimated: number of factors, components, path, cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nnecon.data.panel import Panel, check_known
from nnecon.estimation.autoencoding import (
    POLISH,
    AutoencoderPath,
    PanelSample,
    PathWork,
    solve_autoencoder,
)
from nnecon.estimation.execution import Execution, Monitor
from nnecon.estimation.folds import Folds
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.estimation.splitters import BlockedFolds
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.factor_alignment import Alignment, align
from nnecon.inference.factor_map import (
    ComponentMap,
    Extraction,
    FactorMap,
    NetworkMap,
    encode,
    output_layer,
    regressors,
)
from nnecon.inference.factor_number import (
    CRITERIA,
    bai_ng,
    bi_cross_validation,
    panel_criteria,
)
from nnecon.inference.principal_components import (
    fill_missing,
    principal_components,
)
from nnecon.nets.autoencoder import Autoencoder
from nnecon.results.factor_path import FactorPath, ReconstructionCV
from nnecon.results.path import choose_alpha

BLOCKS = 5
"""Blocks of rows, and of columns, of bi-cross-validation."""

CONVERGED = 1e-4
"""Relative gradient under which an estimate is called converged."""


@dataclass(frozen=True, slots=True, eq=False)
class FactorTask:
    """A panel and what is to be estimated on it.

    Attributes
    ----------
    panel : Panel
    network : Autoencoder
        Without hidden layers it is principal components.
    standardize : bool
    """

    panel: Panel
    network: Autoencoder
    standardize: bool

    @property
    def is_linear(self) -> bool:
        """Whether there is no network to estimate."""
        return not (self.network.encoder or self.network.decoder)


# -- number of factors ----------------------------------------------------------------------------


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
        found = bi_cross_validation(filled, known, most, rows, columns, standardize)
        frame["bcv"] = found.error
    return frame


# -- samples --------------------------------------------------------------------------------------


def extraction_of(task: FactorTask, train: np.ndarray, where: str = "") -> Extraction:
    """Principal components of the rows in ``train`` (a mask)."""
    panel, k = task.panel, task.network.k_factors
    values = panel.values[train]
    check_known(np.isfinite(values), panel.names, panel.index[train], k, where)
    flat = np.nanmax(values, axis=0) == np.nanmin(values, axis=0)
    if flat.any():
        name = panel.names[int(np.flatnonzero(flat)[0])]
        raise DataError(f"{name!r} does not vary{where}; leave it out.")
    filled, filling = fill_missing(values, k, task.standardize)
    return Extraction(filling, principal_components(filled, task.standardize), k, len(values))


def unit_of(extraction: Extraction) -> float:
    """Root mean square of all series, so that penalties do not depend on units."""
    n_series = len(extraction.components.standardisation.scale)
    return float(np.sqrt(extraction.components.eigenvals.sum() / (extraction.n_obs * n_series)))


def sample_of(task: FactorTask, extraction: Extraction, train: np.ndarray) -> PanelSample:
    """Scores, standardised data and weights."""
    values = task.panel.values
    known = np.isfinite(values)
    standard = extraction.components.standardisation.apply(values) / unit_of(extraction)
    weights = known * train[:, None].astype(float)
    return PanelSample(
        extraction.inputs(values, task.network.n_inputs),
        np.where(known, standard, 0.0),
        weights / weights.sum(),
    )


def random_starts(
    task: FactorTask, extraction: Extraction, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Starts: principal components first, then random directions among the leading ones."""
    network = task.network
    q, k = network.n_inputs, network.k_factors
    size = np.sqrt(extraction.components.eigenvals[:q] / extraction.components.eigenvals[0])
    starts = []
    for number, own in enumerate(rng.spawn(count)):
        directions = np.eye(q, k)
        if number:
            directions = np.linalg.qr(size[:, None] * own.standard_normal((q, k)))[0]
        starts.append(network.init(own, directions))
    return np.stack(starts)


# -- path -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Estimated:
    """What an estimation finds: the model as a function, and how it was chosen."""

    mapping: FactorMap
    components: ComponentMap
    alpha: float
    path: FactorPath | None
    cv: ReconstructionCV | None
    certificate: float
    iterations: int


def estimate(
    task: FactorTask,
    alpha: float | str,
    grid: np.ndarray,
    folds: Folds | None,
    n_starts: int,
    rng: np.random.Generator,
    execution: Execution,
) -> Estimated:
    """Trace the path, choose the penalty, and polish the estimate."""
    everything = np.ones(len(task.panel.values), dtype=bool)
    whole = extraction_of(task, everything)
    components = ComponentMap(whole)
    if task.is_linear or alpha == np.inf:
        return Estimated(components, components, np.inf, None, None, 0.0, 0)
    masks = [] if folds is None else list(folds.train)
    extractions = [whole]
    for number, mask in enumerate(masks, 1):
        extractions.append(extraction_of(task, mask, f" in the training rows of fold {number}"))
    samples = [
        sample_of(task, base, mask)
        for base, mask in zip(extractions, [everything, *masks], strict=True)
    ]
    streams = rng.spawn(len(samples))
    items = [
        (sample, random_starts(task, base, n_starts, own))
        for sample, base, own in zip(samples, extractions, streams, strict=True)
    ]
    work = PathWork(task.network, grid)
    found = execution.run(work, [([item],) for item in items], record=AutoencoderPath)
    paths = [records[0] for records in found]
    cv, chosen = None, float(alpha) if not isinstance(alpha, str) else np.inf
    alphas = np.r_[np.inf, grid]
    if folds is not None:
        cv = _cross_validated(task, folds, extractions, samples, paths, alphas)
        least, within = choose_alpha(alphas, cv.scores)
        if isinstance(alpha, str):
            chosen = within if alpha == "1se" else least
        cv = _at_choice(task, cv, folds, extractions, samples, paths, chosen)
    path = _as_path(samples[0], task, alphas, paths[0], cv)
    final = _polished(task, whole, samples[0], paths[0], grid, chosen)
    mapping = components if final is None else final.mapping
    certificate, iterations = (0.0, 0) if final is None else (final.certificate, final.iterations)
    return Estimated(mapping, components, chosen, path, cv, certificate, iterations)


@dataclass(frozen=True, slots=True, eq=False)
class _Polished:
    mapping: NetworkMap
    certificate: float
    iterations: int


def _polished(
    task: FactorTask,
    whole: Extraction,
    sample: PanelSample,
    path: AutoencoderPath,
    grid: np.ndarray,
    alpha: float,
) -> _Polished | None:
    """The estimate at the chosen penalty; None where principal components are no worse."""
    if not np.isfinite(alpha):
        return None
    at = int(np.argmin(np.abs(np.log(grid / alpha))))
    if path.linear[at]:
        return None
    with double_precision():
        solved = solve_autoencoder(task.network, sample, path.params[at], alpha, POLISH, Monitor())
    if not solved.value < path.ceiling[0]:
        return None
    mapping = _mapping(task, whole, sample, solved.params, alpha)
    return _Polished(mapping, solved.certificate, solved.iterations)


def rebuilt(
    task: FactorTask, params: np.ndarray | None, alpha: float
) -> tuple[FactorMap, ComponentMap]:
    """The model as a function again, from its inner parameters; None for principal components."""
    everything = np.ones(len(task.panel.values), dtype=bool)
    whole = extraction_of(task, everything)
    if params is None:
        return ComponentMap(whole), ComponentMap(whole)
    sample = sample_of(task, whole, everything)
    return _mapping(task, whole, sample, params, alpha), ComponentMap(whole)


def _mapping(
    task: FactorTask, base: Extraction, sample: PanelSample, params: np.ndarray, alpha: float
) -> NetworkMap:
    network = task.network
    weights = sample.used_weights
    output = output_layer(network, params, sample.scores, sample.target, weights, alpha)
    linear = ComponentMap(base)
    rows = sample.weights.sum(axis=1) > 0
    codes = encode(network, params, sample.scores)
    alignment: Alignment = align(codes[rows], linear.factors(task.panel.values[rows]))
    return NetworkMap(base, network, params, output * unit_of(base), alignment, alpha)


def _as_path(
    sample: PanelSample,
    task: FactorTask,
    alphas: np.ndarray,
    path: AutoencoderPath,
    cv: ReconstructionCV | None,
) -> FactorPath:
    total = float((sample.weights * sample.target**2).sum())
    explained = [1.0 - 2.0 * float(path.ceiling[0]) / total]
    for params, alpha, linear in zip(path.params, alphas[1:], path.linear, strict=True):
        if linear:
            explained.append(explained[0])
            continue
        fit = _fitted(task.network, sample, params, alpha)
        explained.append(1.0 - float((sample.weights * (sample.target - fit) ** 2).sum()) / total)
    return FactorPath(
        alphas,
        np.array(explained),
        np.r_[True, path.linear],
        np.r_[0.0, path.certificate],
        None if cv is None else cv.mean,
        None if cv is None else cv.se,
        None if cv is None else choose_alpha(alphas, cv.scores)[0],
        None if cv is None else choose_alpha(alphas, cv.scores)[1],
    )


def _fitted(
    network: Autoencoder, sample: PanelSample, params: np.ndarray, alpha: float
) -> np.ndarray:
    """Fitted values of all rows, those without weight included."""
    codes = encode(network, params, sample.scores)
    data = sample.scores, sample.target, sample.used_weights
    return regressors(network, params, codes) @ output_layer(network, params, *data, alpha)


# -- cross-validation -----------------------------------------------------------------------------


def reconstruction_folds(
    cv: int | Splitter | None, panel: Panel, rng: np.random.Generator
) -> Folds:
    """Blocks in time order for time series, shuffled rows otherwise, or what the user gives."""
    if panel.is_time_series and not hasattr(cv, "split"):
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


def _component_fit(task: FactorTask, base: Extraction) -> np.ndarray:
    linear = ComponentMap(base)
    return linear.decode(linear.factors(task.panel.values))


def _cross_validated(
    task: FactorTask,
    folds: Folds,
    extractions: Sequence[Extraction],
    samples: Sequence[PanelSample],
    paths: Sequence[AutoencoderPath],
    alphas: np.ndarray,
) -> ReconstructionCV:
    scores = np.empty((len(folds.test), len(alphas)))
    for f, test in enumerate(folds.test):
        base, sample, path = extractions[f + 1], samples[f + 1], paths[f + 1]
        linear = _squares(task, base, extractions[0], _component_fit(task, base))[test]
        scores[f] = np.nanmean(linear)
        for j, alpha in enumerate(alphas[1:]):
            if not path.linear[j]:
                fit = unit_of(base) * _fitted(task.network, sample, path.params[j], alpha)
                scores[f, j + 1] = np.nanmean(_squares(task, base, extractions[0], fit)[test])
    empty = pd.DataFrame()
    return ReconstructionCV(
        alphas, scores, folds.test, folds.train, folds.description, empty, empty
    )


def _at_choice(
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
        linear = _squares(task, base, extractions[0], _component_fit(task, base))[test]
        network = linear
        at = int(np.argmin(np.abs(np.log(cv.alphas[1:] / alpha)))) if np.isfinite(alpha) else -1
        if at >= 0 and not path.linear[at]:
            fit = unit_of(base) * _fitted(task.network, sample, path.params[at], alpha)
            network = _squares(task, base, extractions[0], fit)[test]
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
        index=pd.Index(task.panel.names, name="series"),
    )
    return replace(cv, row_losses=pd.concat(rows), series_losses=by_series)
