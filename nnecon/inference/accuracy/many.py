"""Many forecasts at once: the model confidence set and superior predictive ability.

Both come from the ``arch`` package, which is imported when first used: it would add a fifth to the
time that importing nnecon takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.hypotheses import (
    LEVEL,
    HypothesisTest,
    as_matrix,
    as_vector,
    shown_pvalue,
)

Bootstrap = Literal["stationary", "circular", "moving block"]
BOOTSTRAPS: tuple[Bootstrap, ...] = get_args(Bootstrap)


@dataclass(frozen=True, slots=True)
class ModelConfidenceSet(HypothesisTest):
    """Models that cannot be told from the best.

    Attributes
    ----------
    included, excluded : tuple of str
        Models in and outside the set, the best first.
    pvalues : tuple of float
        P-values of ``included + excluded``: a model is in the set of every size below its p-value.
    size : float
        One less the confidence level.
    """

    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    pvalues: tuple[float, ...] = ()
    size: float = 0.1

    def to_frame(self) -> pd.DataFrame:
        """P-value and membership, one row a model."""
        index = pd.Index(self.included + self.excluded, name="model")
        inside = [True] * len(self.included) + [False] * len(self.excluded)
        return pd.DataFrame({"pvalue": self.pvalues, "included": inside}, index=index)


@dataclass(frozen=True, slots=True)
class SuperiorPredictiveAbility(HypothesisTest):
    """Test of one benchmark against many models.

    Attributes
    ----------
    pvalue_lower, pvalue_upper : float or None
        Bounds of the p-value: models worse than the benchmark are left out or all count. The
        upper one is that of White's (2000) reality check with studentised differences.
    best : str
        The model with the largest studentised gain over the benchmark.
    """

    pvalue_lower: float | None = None
    pvalue_upper: float | None = None
    best: str = ""


def model_confidence_set(
    losses: np.ndarray | pd.DataFrame,
    names: Sequence[str] | None = None,
    *,
    size: float = 0.1,
    block: int | None = None,
    reps: int = 1000,
    bootstrap: Bootstrap = "stationary",
    rng: int = 0,
) -> ModelConfidenceSet:
    """Find the models that contain the best with a given confidence.

    Hansen, Lunde and Nason's (2011) procedure with the range statistic: the worst model leaves the
    set as long as equal accuracy of those in it is rejected. ``statistic`` and ``pvalue`` are those
    of the first step, equal accuracy of all models.

    Parameters
    ----------
    losses : ndarray or DataFrame of shape (T, k)
        One column a model, rows in time order.
    names : sequence of str, optional
        Names of the models; by default the columns' or their positions.
    size : float
        One less the confidence level.
    block : int, optional
        (Mean) length of the bootstrap's blocks; by default Politis and White's (2004) rule for the
        most persistent loss difference.
    reps : int
        Bootstrap replications.
    bootstrap : {"stationary", "circular", "moving block"}
        How blocks are drawn.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    ModelConfidenceSet

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.inference.accuracy import model_confidence_set
    >>> shocks = np.random.default_rng(0).standard_normal((120, 3))
    >>> found = model_confidence_set((shocks * [1.0, 1.02, 2.0]) ** 2, ["net", "OLS", "mean"])
    >>> found.excluded
    ('mean',)
    """
    from arch.bootstrap import MCS

    table, labels = _losses(losses, names)
    if not 0.0 < size < 1.0:
        raise SpecificationError(f"size={size!r} must lie between 0 and 1, for example 0.1.")
    _check_bootstrap(bootstrap)
    first, copy_of = _distinct(table)
    title, null = "Model confidence set", "All models predict equally well"
    if len(first) < 2:
        why = "All models have the same losses: there is nothing to test."
        everything = tuple(labels)
        return ModelConfidenceSet(
            null, None, None, why, name=title, included=everything, pvalues=(1.0,) * len(labels)
        )
    distinct = table[:, first]
    length = _block(distinct - distinct.mean(axis=1, keepdims=True), block)
    sampler = _sampler(distinct, length, bootstrap, rng)
    means = np.array([drawn[0][0].mean(axis=0) for drawn in sampler.bootstrap(reps)])
    statistic = _range_statistic(distinct.mean(axis=0), means)
    procedure = MCS(
        distinct, size, reps=reps, block_size=length, method="R", bootstrap=bootstrap, seed=rng
    )
    procedure.compute()
    found = procedure.pvalues["Pvalue"]
    pvalues = np.array([float(found.loc[copy]) for copy in copy_of])
    order = np.lexsort((table.mean(axis=0), -pvalues))
    inside = tuple(labels[j] for j in order if pvalues[j] > size)
    outside = tuple(labels[j] for j in order if pvalues[j] <= size)
    return ModelConfidenceSet(
        null,
        statistic,
        float(pvalues.min()),
        _membership(inside, outside, size),
        f"{bootstrap} bootstrap, {reps} replications, blocks of {length}",
        (),
        title,
        inside,
        outside,
        tuple(float(value) for value in pvalues[order]),
        size,
    )


def superior_predictive_ability(
    benchmark: np.ndarray,
    losses: np.ndarray | pd.DataFrame,
    names: Sequence[str] | None = None,
    *,
    benchmark_name: str = "The benchmark",
    block: int | None = None,
    reps: int = 1000,
    bootstrap: Bootstrap = "stationary",
    rng: int = 0,
) -> SuperiorPredictiveAbility:
    r"""Test whether any of many models beats a benchmark, searching for the best among them.

    Hansen's (2005) statistic is :math:`\max(0, \max_k \sqrt T \bar d_k / \hat\omega_k)`, with
    :math:`d_k` the benchmark's loss less that of model k; ``pvalue`` is the consistent one.

    Parameters
    ----------
    benchmark : ndarray of shape (T,)
        Losses of the benchmark, in time order.
    losses : ndarray or DataFrame of shape (T, k)
        Losses of the models, one column each.
    names : sequence of str, optional
        Names of the models; by default the columns' or their positions.
    benchmark_name : str
        What the benchmark is called in the sentence.
    block, reps, bootstrap, rng
        As in :func:`model_confidence_set`.

    Returns
    -------
    SuperiorPredictiveAbility
    """
    from arch.bootstrap import SPA

    table, labels = _losses(losses, names)
    _check_bootstrap(bootstrap)
    title = "Superior predictive ability"
    null = f"No model predicts better than {benchmark_name[0].lower()}{benchmark_name[1:]}"
    difference = as_vector(benchmark, "benchmark", len(table), losses)[:, None] - table
    level = np.abs(table).mean()
    differs = np.abs(difference).max(axis=0) > 1e-12 * level
    if not differs.any():
        why = "All models have the benchmark's losses: there is nothing to test."
        return SuperiorPredictiveAbility(null, None, None, why, name=title)
    difference = difference[:, differs]
    labels = [label for label, kept in zip(labels, differs, strict=True) if kept]
    length = _block(difference, block)
    spread = np.sqrt(_stationary_variance(difference, length))
    if (spread <= 1e-12 * np.abs(difference).max(axis=0)).any():
        why = "A loss difference is constant, so that its standard error is zero: no test."
        return SuperiorPredictiveAbility(null, None, None, why, name=title)
    # arch does not studentise the differences it compares, so they are handed over studentised
    scaled = difference / spread
    procedure = SPA(
        np.zeros(len(scaled)),
        -scaled,
        block_size=length,
        reps=reps,
        bootstrap=bootstrap,
        seed=rng,
    )
    procedure.compute()
    gains = np.sqrt(len(scaled)) * scaled.mean(axis=0)
    best = labels[int(np.argmax(gains))]
    # no model is better than the benchmark in the sample: nothing speaks against the null
    lower, pvalue, upper = (
        procedure.pvalues.to_numpy(dtype=float) if gains.max() > 0 else (1.0,) * 3
    )
    if pvalue <= LEVEL:
        sentence = (
            f"At least one model predicts better than {benchmark_name} ({shown_pvalue(pvalue)}), "
            f"first of all {best}."
        )
    else:
        sentence = (
            f"No evidence at 5% that any of {len(labels)} models predicts better than "
            f"{benchmark_name} ({shown_pvalue(pvalue)})."
        )
    words = f"{bootstrap} bootstrap, {reps} replications, blocks of {length}"
    statistic = max(0.0, float(gains.max()))
    return SuperiorPredictiveAbility(
        null, statistic, float(pvalue), sentence, words, (), title, float(lower), float(upper), best
    )


def _losses(
    losses: np.ndarray | pd.DataFrame, names: Sequence[str] | None
) -> tuple[np.ndarray, list[str]]:
    table = as_matrix(losses, "losses")
    if names is None:
        named = isinstance(losses, pd.DataFrame)
        labels = [str(label) for label in losses.columns] if named else []  # type: ignore[union-attr]
        labels = labels or [str(j) for j in range(table.shape[1])]
    else:
        labels = [str(label) for label in names]
    if len(labels) != table.shape[1]:
        raise DataError(f"There are {len(labels)} names for {table.shape[1]} columns of losses.")
    if len(table) < 10:
        raise DataError(
            f"{len(table)} rows of losses are too few for a bootstrap; give 10 or more."
        )
    return table, labels


def _check_bootstrap(bootstrap: str) -> None:
    if bootstrap not in BOOTSTRAPS:
        raise SpecificationError(
            f"bootstrap={bootstrap!r} is not known; choose one of {BOOTSTRAPS}."
        )


def _distinct(table: np.ndarray) -> tuple[list[int], list[int]]:
    """Positions of distinct columns, and which of them each column equals."""
    first: list[int] = []
    copy_of: list[int] = []
    level = np.abs(table).mean()
    for j in range(table.shape[1]):
        same = [
            place
            for place, i in enumerate(first)
            if np.abs(table[:, i] - table[:, j]).max() <= 1e-12 * level
        ]
        copy_of.append(same[0] if same else len(first))
        if not same:
            first.append(j)
    return first, copy_of


def _block(differences: np.ndarray, block: int | None) -> int:
    from arch.bootstrap import optimal_block_length

    size = len(differences)
    if block is None:
        moving = differences[:, np.ptp(differences, axis=0) > 0.0]
        rule = optimal_block_length(moving)["stationary"].max() if moving.shape[1] else 1.0
        return int(np.clip(np.ceil(rule), 1, size // 2))
    if isinstance(block, bool) or int(block) != block or not 1 <= block < size:
        raise SpecificationError(f"block={block!r} must be a length from 1 to {size - 1}.")
    return int(block)


def _sampler(values: np.ndarray, length: int, bootstrap: Bootstrap, rng: int):
    from arch.bootstrap import CircularBlockBootstrap, MovingBlockBootstrap, StationaryBootstrap

    kinds = (StationaryBootstrap, CircularBlockBootstrap, MovingBlockBootstrap)
    return dict(zip(BOOTSTRAPS, kinds, strict=True))[bootstrap](length, values, seed=rng)


def _range_statistic(means: np.ndarray, drawn: np.ndarray) -> float:
    """Largest studentised difference between two mean losses."""
    pairs = means[:, None] - means
    spread = np.sqrt(((drawn[:, :, None] - drawn[:, None, :] - pairs) ** 2).mean(axis=0))
    off = ~np.eye(len(means), dtype=bool)
    return float((np.abs(pairs)[off] / spread[off]).max())


def _stationary_variance(values: np.ndarray, length: int) -> np.ndarray:
    """Politis and Romano's (1994) long-run variance, which the stationary bootstrap implies."""
    size, stop = len(values), 1.0 / length
    centred = values - values.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    for lag in range(1, size):
        weight = (1.0 - lag / size) * (1.0 - stop) ** lag
        weight += lag / size * (1.0 - stop) ** (size - lag)
        if weight > 1e-12:
            variance += 2.0 * weight * (centred[:-lag] * centred[lag:]).sum(axis=0) / size
    return variance


def _membership(inside: tuple[str, ...], outside: tuple[str, ...], size: float) -> str:
    level = f"With {1.0 - size:.0%} confidence"
    if not outside:
        return f"{level} no model can be told from the best: {', '.join(inside)}."
    return f"{level} the best is among {', '.join(inside)}; left out: {', '.join(outside)}."
