"""Loadings of bootstrap samples of rows, each standardised, filled and estimated from scratch.

Every draw has random starts of its own, as the estimate has, and one at the estimate. From the
latter alone draws stay in the estimate's minimum; without it one draw in fifteen or so ended in a
minimum that is far worse, and a few of these make the errors.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nnecon.data.panel import Panel
from nnecon.estimation.autoencoding import PathWork
from nnecon.estimation.execution import Execution, Monitor
from nnecon.inference.factor_alignment import matched
from nnecon.inference.factor_loadings import average_loadings
from nnecon.inference.factor_map import ComponentMap, FactorMap, NetworkMap
from nnecon.models.factor_estimation import polished
from nnecon.models.factor_samples import FactorTask, extraction_of, random_starts, sample_of

TOGETHER = 5
"""Draws that are worth a task."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Rows of a bootstrap sample, in the order of the panel, and the seed of its starts."""

    rows: np.ndarray
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLoadings:
    """Loadings (k, N) of one draw, its factors in the order and with the signs of the estimate."""

    loadings: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class LoadingWork:
    """What all draws share.

    Attributes
    ----------
    task : FactorTask
        The panel and the network.
    mapping : FactorMap
        The estimate.
    factors : ndarray of shape (T, k)
        Its factors.
    alpha : float
        Penalty of the estimate; infinite for principal components.
    grid : ndarray of shape (m,)
        Penalties that lead to it.
    n_starts : int
    """

    task: FactorTask
    mapping: FactorMap
    factors: np.ndarray
    alpha: float
    grid: np.ndarray
    n_starts: int

    def __call__(self, draws: list[Draw], monitor: Monitor) -> list[DrawnLoadings]:
        """Loadings of draws."""
        return [self._one(draw, monitor) for draw in draws]

    def _one(self, draw: Draw, monitor: Monitor) -> DrawnLoadings:
        monitor.check()
        panel = self.task.panel
        values = panel.values[draw.rows]
        drawn = Panel(values, panel.names, pd.RangeIndex(len(values)), None, {})
        task = replace(self.task, panel=drawn)
        mapping = self._estimated(task, draw, monitor)
        factors = mapping.factors(values)
        order, signs = matched(factors, self.factors[draw.rows])
        linear = isinstance(self.mapping, ComponentMap)
        found = average_loadings(mapping, factors, linear)
        return DrawnLoadings(found[order] * signs[:, None])

    def _estimated(self, task: FactorTask, draw: Draw, monitor: Monitor) -> FactorMap:
        everything = np.ones(len(task.panel.values), dtype=bool)
        whole = extraction_of(task, everything, " in a bootstrap sample")
        if not isinstance(self.mapping, NetworkMap):
            monitor.advance(1.0)
            return ComponentMap(whole)
        sample = sample_of(task, whole, everything)
        starts = random_starts(task, whole, self.n_starts, np.random.default_rng(draw.seed))
        starts = np.vstack([starts, self._near(sample.scores, draw.rows)])
        path = PathWork(task.network, self.grid)([(sample, starts)], monitor)[0]
        final = polished(task, whole, sample, path, self.grid, self.alpha)
        return ComponentMap(whole) if final is None else final.mapping

    def _near(self, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The estimate in terms of the components of a draw, whose order and signs are others."""
        assert isinstance(self.mapping, NetworkMap)
        network, values = self.task.network, self.task.panel.values
        own = self.mapping.extraction.inputs(values, network.n_inputs)[rows]
        turn = np.linalg.lstsq(scores, own, rcond=None)[0]
        return network.on_other_inputs(self.mapping.params, turn)


def draw_loadings(
    work: LoadingWork, counts: np.ndarray, rng: np.random.Generator, execution: Execution
) -> np.ndarray:
    """Loadings of all draws.

    Parameters
    ----------
    work : LoadingWork
    counts : ndarray of shape (B, T)
        How often each row was drawn.
    rng : numpy.random.Generator
        For the starts.
    execution : Execution
        Where draws are estimated.

    Returns
    -------
    ndarray of shape (B, k, N)
    """
    seeds = rng.integers(2**31, size=len(counts))
    draws = [
        Draw(np.repeat(np.arange(len(count)), count.astype(int)), int(seed))
        for count, seed in zip(counts, seeds, strict=True)
    ]
    tasks = [(draws[at : at + TOGETHER],) for at in range(0, len(draws), TOGETHER)]
    found = execution.run(work, tasks, record=DrawnLoadings)
    return np.stack([each.loadings for part in found for each in part])
