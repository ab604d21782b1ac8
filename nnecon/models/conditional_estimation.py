"""How loadings that depend on characteristics are estimated: IPCA, path, folds, chosen penalty."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnecon.data.asset_panel import AssetPanel
from nnecon.estimation.autoencoding import AutoencoderPath
from nnecon.estimation.conditional_loadings import (
    LoadingSample,
    LoadingWork,
    PeriodBlocks,
    polished,
    residuals,
)
from nnecon.estimation.execution import Execution, Monitor
from nnecon.estimation.folds import Folds
from nnecon.estimation.instrumented_components import (
    CharacteristicSums,
    factors_given,
    instrumented_components,
)
from nnecon.exceptions import DataError
from nnecon.inference.conditional_loadings import (
    CharacteristicScaling,
    LinearLoadings,
    LoadingMap,
    NetworkLoadings,
    linear_convention,
    period_factors,
    turn_towards,
)
from nnecon.nets.conditional import ConditionalLoadings
from nnecon.results.conditional_cv import PeriodCV
from nnecon.results.factor_path import FactorPath
from nnecon.results.path import choose_alpha

BASELINE_STARTS = 4
"""Starts of the linear model, whose objective has several minima as well."""

ADDED = 0.3
"""Standard deviation of what random units add to returns at a start, in those of the returns."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadingTask:
    """A panel and what is to be estimated on it.

    Attributes
    ----------
    panel : AssetPanel
    network : ConditionalLoadings or None
        None for linear loadings.
    k_factors : int
    linear_part : bool
    """

    panel: AssetPanel
    network: ConditionalLoadings | None
    k_factors: int
    linear_part: bool

    @property
    def scaling(self) -> CharacteristicScaling:
        """Location and scale of the characteristics of the sample."""
        return CharacteristicScaling.of(self.panel.rows.exog, self.panel.const, self.linear_part)


@dataclass(frozen=True, slots=True, eq=False)
class EstimatedLoadings:
    """What an estimation finds."""

    mapping: LoadingMap
    linear: LinearLoadings
    alpha: float
    path: FactorPath | None
    cv: PeriodCV | None
    certificate: float
    iterations: int


def sums_of(panel: AssetPanel) -> CharacteristicSums:
    """Cross products of characteristics and returns by period."""
    rows = panel.rows
    order = np.argsort(rows.codes, kind="stable")
    starts = np.searchsorted(rows.codes[order], np.arange(len(rows.periods)))
    return CharacteristicSums.of(rows.exog[order], rows.returns[order], starts)


def check_periods(panel: AssetPanel, sums: CharacteristicSums, k: int) -> None:
    """Refuse periods whose assets do not determine as many factors."""
    periods = panel.rows.periods
    few = np.flatnonzero(panel.rows.counts < k)
    what, among = panel.names[1], f"of {len(periods)} periods"
    if len(few):
        raise DataError(
            f"{what} {periods[few[0]]} has {panel.rows.counts[few[0]]} assets, fewer than the {k} "
            f"factors ({len(few)} {among}); leave these periods out or ask for fewer factors."
        )
    size = np.sqrt(np.maximum(np.einsum("tll->tl", sums.grams).max(axis=0), 1e-300))
    spread = np.linalg.eigvalsh(sums.grams / np.outer(size, size))
    ranks = (spread > 1e-11 * spread[:, -1:]).sum(axis=1)
    few = np.flatnonzero(ranks < k)
    if len(few):
        count = int(ranks[few[0]])
        raise DataError(
            f"in {what} {periods[few[0]]} characteristics differ between assets in {count} "
            f"direction{'s' * (count != 1)} only, fewer than the {k} factors ({len(few)} {among}): "
            "they are constant or collinear there; leave these periods out or ask for fewer "
            "factors."
        )


def linear_loadings(sums: CharacteristicSums, k: int) -> LinearLoadings:
    """IPCA of the periods in ``sums``, in the convention of the literature."""
    found = instrumented_components(sums, k, BASELINE_STARTS, np.random.default_rng(0))
    factors = factors_given(sums, found.gamma)
    return LinearLoadings(linear_convention(found.gamma, factors)[0])


def factors_of(panel: AssetPanel, mapping: LoadingMap) -> np.ndarray:
    """Factors of the sample, shape (T, k)."""
    rows = panel.rows
    return period_factors(mapping.loadings(rows.exog), rows.returns, rows.codes, len(rows.periods))


def estimate_loadings(
    task: LoadingTask,
    alpha: float | str,
    grid: np.ndarray,
    folds: Folds | None,
    n_starts: int,
    rng: np.random.Generator,
    execution: Execution,
) -> EstimatedLoadings:
    """Estimate IPCA, trace the path, choose the penalty, and polish the estimate."""
    panel, k = task.panel, task.k_factors
    sums = sums_of(panel)
    check_periods(panel, sums, k)
    linear = linear_loadings(sums, k)
    if task.network is None or alpha == np.inf:
        return EstimatedLoadings(linear, linear, np.inf, None, None, 0.0, 0)
    everything = np.ones(len(panel.rows.periods), dtype=bool)
    masks = [everything, *([] if folds is None else folds.train)]
    linears = [linear, *(linear_loadings(sums.at(mask), k) for mask in masks[1:])]
    blocks, unit = _blocks(task)
    streams = rng.spawn(len(masks))
    seed = int(rng.integers(2**31))
    samples = [
        _sample(task, mask, own, unit, n_starts, stream)
        for mask, own, stream in zip(masks, linears, streams, strict=True)
    ]
    work = LoadingWork(task.network, blocks, grid, seed)
    found = execution.run(work, [([item],) for item in samples], record=AutoencoderPath)
    paths = [records[0] for records in found]
    alphas = np.r_[np.inf, grid]
    cv, chosen = None, float(alpha) if not isinstance(alpha, str) else np.inf
    if folds is not None:
        losses = [
            _losses(task, blocks, unit, own, path)
            for own, path in zip(linears[1:], paths[1:], strict=True)
        ]
        counts = panel.rows.counts
        scores = np.array(
            [
                loss[:, test].sum(axis=1) / counts[test].sum()
                for loss, test in zip(losses, folds.test, strict=True)
            ]
        )
        least, within = choose_alpha(alphas, scores)
        if isinstance(alpha, str):
            chosen = within if alpha == "1se" else least
        cv = _period_cv(task, alphas, scores, folds, losses, chosen)
    path = _as_path(task, blocks, unit, linear, alphas, paths[0], cv)
    return _final(task, blocks, linear, grid, chosen, paths[0], path, cv)


def _final(
    task: LoadingTask,
    blocks: PeriodBlocks,
    linear: LinearLoadings,
    grid: np.ndarray,
    alpha: float,
    found: AutoencoderPath,
    path: FactorPath,
    cv: PeriodCV | None,
) -> EstimatedLoadings:
    nothing = EstimatedLoadings(linear, linear, alpha, path, cv, 0.0, 0)
    assert task.network is not None
    if not np.isfinite(alpha):
        return nothing
    at = int(np.argmin(np.abs(np.log(grid / alpha))))
    if found.linear[at]:
        return nothing
    everything = np.ones(len(blocks.endog))
    solved = polished(task.network, blocks, everything, found.params[at], alpha, Monitor())
    if not solved.value < found.ceiling[0]:
        return nothing
    mapping = mapping_of(task, solved.params, linear)
    return EstimatedLoadings(
        mapping, linear, alpha, path, cv, solved.certificate, solved.iterations
    )


def mapping_of(task: LoadingTask, params: np.ndarray, linear: LinearLoadings) -> NetworkLoadings:
    """Loadings as a function of characteristics, on the scale of the linear model's factors."""
    panel, k = task.panel, task.k_factors
    assert task.network is not None
    raw = NetworkLoadings(task.network, params, task.scaling, panel.const, np.eye(k))
    turn = turn_towards(factors_of(panel, raw), factors_of(panel, linear))
    return NetworkLoadings(task.network, params, task.scaling, panel.const, turn)


def _blocks(task: LoadingTask) -> tuple[PeriodBlocks, float]:
    rows, scaling = task.panel.rows, task.scaling
    unit = float(np.sqrt(np.mean(rows.returns**2)))
    blocks = PeriodBlocks.of(
        scaling.linear_of(rows.exog), scaling.inputs_of(rows.exog), rows.returns / unit, rows.codes
    )
    return blocks, unit


def _sample(
    task: LoadingTask,
    mask: np.ndarray,
    linear: LinearLoadings,
    unit: float,
    n_starts: int,
    rng: np.random.Generator,
) -> LoadingSample:
    """Starts beside linear loadings whose factors have variance one in the user's units."""
    panel, network, scaling = task.panel, task.network, task.scaling
    rows = panel.rows
    assert network is not None
    factors = factors_of(panel, linear)
    size = np.sqrt((factors[mask] ** 2).mean(axis=0))
    gamma = linear.gamma * size / unit
    coefficients = gamma[scaling.linear] * scaling.linear_scale[:, None]
    if panel.const is not None:
        place = int(np.flatnonzero(scaling.linear == panel.const)[0])
        coefficients[place] += scaling.linear_shift @ gamma[scaling.linear]
    starts = []
    for number, own in enumerate(rng.spawn(n_starts)):
        base = coefficients
        if number % 2 and len(base):
            # half of the starts leave the linear minimum
            spread = np.sqrt((base**2).mean())
            base = base + spread * own.standard_normal(base.shape)
        starts.append(network.init(own, base, ADDED))
    error = rows.returns - np.einsum(
        "nk,nk->n", linear.loadings(rows.exog), factors[rows.codes]
    ) * float(task.linear_part)
    used = mask[rows.codes]
    ceiling = 0.5 * float(np.mean(error[used] ** 2)) / unit**2
    return LoadingSample(mask.astype(float), np.stack(starts), ceiling)


def _losses(
    task: LoadingTask,
    blocks: PeriodBlocks,
    unit: float,
    linear: LinearLoadings,
    path: AutoencoderPath,
) -> np.ndarray:
    """Sums of squared errors by penalty and period, in the user's units, shape (m + 1, T)."""
    rows = task.panel.rows
    assert task.network is not None
    fit = np.einsum(
        "nk,nk->n", linear.loadings(rows.exog), factors_of(task.panel, linear)[rows.codes]
    )
    out = [np.bincount(rows.codes, (rows.returns - fit) ** 2)]
    for params, dead in zip(path.params, path.linear, strict=True):
        if dead:
            out.append(out[0])
        else:
            out.append(unit**2 * (residuals(task.network, blocks, params) ** 2).sum(axis=1))
    return np.array(out)


def _period_cv(
    task: LoadingTask,
    alphas: np.ndarray,
    scores: np.ndarray,
    folds: Folds,
    losses: list[np.ndarray],
    alpha: float,
) -> PeriodCV:
    at = 0
    if np.isfinite(alpha):
        at = 1 + int(np.argmin(np.abs(np.log(alphas[1:] / alpha))))
    counts, periods = task.panel.rows.counts, task.panel.rows.periods
    parts = [
        pd.DataFrame(
            {
                "fold": number,
                "network": loss[at, test] / counts[test],
                "baseline": loss[0, test] / counts[test],
                "assets": counts[test],
            },
            index=periods[test],
        )
        for number, (loss, test) in enumerate(zip(losses, folds.test, strict=True))
    ]
    return PeriodCV(alphas, scores, folds.test, folds.train, folds.description, pd.concat(parts))


def _as_path(
    task: LoadingTask,
    blocks: PeriodBlocks,
    unit: float,
    linear: LinearLoadings,
    alphas: np.ndarray,
    path: AutoencoderPath,
    cv: PeriodCV | None,
) -> FactorPath:
    rows = task.panel.rows
    sums = _losses(task, blocks, unit, linear, path).sum(axis=1)
    choice = (None, None) if cv is None else choose_alpha(alphas, cv.scores)
    return FactorPath(
        alphas,
        1.0 - sums / float(np.sum(rows.returns**2)),
        np.r_[True, path.linear],
        np.r_[0.0, path.certificate],
        None if cv is None else cv.mean,
        None if cv is None else cv.se,
        *choice,
    )
