"""Shapley values of predictions by variable."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.moving_rows import MovingRows
from nnecon.estimation.random_numbers import generator
from nnecon.exceptions import SpecificationError
from nnecon.inference.shapley import MOST, Worth, exact, exact_weights, masks, sampled
from nnecon.report import plots
from nnecon.results.probe import Probe

BATCH = 100_000
"""Rows that are evaluated together."""


@dataclass(frozen=True, slots=True, eq=False)
class ShapleyValues:
    """Predictions less the mean prediction, shared out among variables.

    Attributes
    ----------
    frame : DataFrame
        A row an observation, a column a variable, in units of the dependent variable. Rows sum to
        ``prediction - base``.
    prediction : Series
        Predicted means.
    base : float
        Mean prediction of the background rows.
    se : DataFrame or None
        Standard errors of ``frame``: from the estimation where these were asked for, and from
        sampling where orders of variables were sampled.
    values : DataFrame
        Values of the variables in the rows; categories as labels.
    endog_name : str
        Dependent variable.
    """

    frame: pd.DataFrame
    prediction: pd.Series
    base: float
    se: pd.DataFrame | None
    values: pd.DataFrame = field(repr=False)
    endog_name: str

    @property
    def importance(self) -> pd.Series:
        """Mean absolute Shapley value of each variable, the largest first."""
        return self.frame.abs().mean().sort_values(ascending=False, kind="stable")

    def plot(self, **options: Any) -> Any:
        """A dot for every row and variable, the most important variable on top.

        Options are those of :func:`nnecon.report.plots.plot_shapley`: labels with units, title.

        Returns
        -------
        matplotlib.figure.Figure
        """
        order = list(self.importance.index)
        return plots.plot_shapley(
            self.frame[order],
            self.values[order],
            **{"xlabel": f"Shapley value: contribution to {self.endog_name}", **options},
        )


def shapley(
    probe: Probe,
    rows: Any,
    background: int,
    n_permutations: int | None,
    errors: bool,
    rng: int | np.random.Generator,
) -> ShapleyValues:
    """Shapley values as :meth:`PartialEffects.shapley` documents them."""
    design, random = probe.design, generator(rng)
    explained = design.moving_rows(rows)
    names = explained.variables
    _check(names, background, n_permutations, errors)
    chosen = np.arange(len(probe.weights))
    if len(chosen) > background:
        chosen = np.sort(random.choice(len(chosen), background, replace=False))
    shares = probe.weights[chosen] / probe.weights[chosen].sum()
    behind = design.moving_rows().take(chosen)
    index = design.exog_for(rows)[1]
    parts = []
    for at in _batches(len(index), len(chosen)):
        worth = _worth(probe, _mixed(explained, behind, at, len(chosen)), shares)
        if n_permutations is None:
            error = _errors(probe, explained, behind, shares, at) if errors else None
            parts.append((exact(worth, len(names)), error))
        else:
            parts.append(sampled(worth, len(names), n_permutations, random))
    found = np.concatenate([values for values, _ in parts])[: len(index)]
    se = None
    if parts[0][1] is not None:
        se = np.concatenate([error for _, error in parts])[: len(index)]
    return ShapleyValues(
        pd.DataFrame(found, index=index, columns=list(names)),
        pd.Series(probe.mean.values(explained.exog), index=index),
        float(shares @ probe.mean.values(behind.exog)),
        None if se is None else pd.DataFrame(se, index=index, columns=list(names)),
        pd.DataFrame({name: explained.raw(name) for name in names}).set_axis(index),
        probe.endog_name,
    )


def _check(names: tuple[str, ...], background: Any, n_permutations: Any, errors: bool) -> None:
    for name, value in (("background", background), ("n_permutations", n_permutations)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (whole and value >= 1) and not (name == "n_permutations" and value is None):
            raise SpecificationError(f"{name}={value!r}: give a whole number, at least 1.")
    if not names:
        raise SpecificationError("the model has no variables among which to share anything out.")
    if n_permutations is None and len(names) > MOST:
        raise SpecificationError(
            f"{len(names)} variables have {2 ** len(names):,} sets, too many to go through (up to "
            f"{MOST} variables are); pass n_permutations=200 to sample orders of the variables: "
            "the result has the standard error of sampling."
        )
    if errors and n_permutations is not None:
        raise SpecificationError(
            "errors=True needs all sets of variables; with n_permutations the errors are those of "
            "sampling."
        )


def _mixed(
    explained: MovingRows, behind: MovingRows, at: np.ndarray, size: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Designs of every explained row ``at`` with every background row, by set of variables."""
    ours = explained.take(np.repeat(at, size))
    theirs = behind.take(np.tile(np.arange(size), len(at)))

    def exog(mask: np.ndarray) -> np.ndarray:
        taken = [name for name, inside in zip(ours.variables, mask, strict=True) if inside]
        return theirs.mix(ours, taken).exog

    return exog


def _batches(count: int, size: int) -> Iterator[np.ndarray]:
    """Rows to be explained together, as many each time: the last batch begins anew at its end."""
    step = min(count, max(1, BATCH // size))
    for start in range(0, count, step):
        yield np.arange(start, start + step) % count


def _worth(probe: Probe, exog: Callable[[np.ndarray], np.ndarray], shares: np.ndarray) -> Worth:
    """Worth of a set of variables for the rows of a batch."""

    def worth(mask: np.ndarray) -> np.ndarray:
        return probe.mean.values(exog(mask)).reshape(-1, len(shares)) @ shares

    return worth


def _errors(
    probe: Probe, explained: MovingRows, behind: MovingRows, shares: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """Standard errors of the rows ``at``, by the delta method, a row each."""
    size, names = len(shares), explained.variables
    weights, sets = exact_weights(len(names)), masks(len(names))
    out = np.empty((len(at), len(names)))
    for k, row in enumerate(at):
        exog = _mixed(explained, behind, np.array([row]), size)
        worths = [probe.mean.level(exog(mask), shares) for mask in sets]
        numbers = probe.numbers(worths)
        covariance = weights @ numbers.covariance @ weights.T
        out[k] = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return out
