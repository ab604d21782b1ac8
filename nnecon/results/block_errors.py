r"""Errors of forecasts made by estimates that had not seen the periods forecast.

The sample is cut into blocks in time order. For each block the system is estimated without the
periods that are forecast from it, at the penalties that were chosen, and forecasts from every
period of the block are compared with what happened,

.. math:: e_{t,h} = y_{t+h} - \hat y_{t+h|t}^{(-b(t))}, \qquad h = 1, \dots, H .

Around a forecast these errors are intervals that do not believe the model: whatever is wrong with
its mean, its shocks or their independence is in the errors, horizon by horizon. As in conformal
inference for dependent data (Chernozhukov, Wuethrich and Zhu, 2018; Xu and Xie, 2021) they rest on
the errors being stationary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnecon.data.windows import Layout
from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import Solver, certify
from nnecon.estimation.kernels import fitted
from nnecon.estimation.mean_network import mean_network
from nnecon.estimation.problem import Chain
from nnecon.exceptions import SpecificationError
from nnecon.inference.dynamics import forecast_moments
from nnecon.inference.responses import together
from nnecon.inference.simulation import draw_shocks, scenario, simulate
from nnecon.results.equations import Equation, linear_table
from nnecon.results.forecast_numbers import linear_system
from nnecon.results.future import Future
from nnecon.results.simulator import system_of

BLOCKS = 10
"""Parts of the sample, each left out once."""

EACH = 30
"""Simulated paths whose mean is a forecast from one period of the past."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A system and the sample that it was estimated on.

    Parameters
    ----------
    layout : Layout
        What a row is made of.
    equations : tuple of Equation
        One a series.
    positions : ndarray of int of shape (n,)
        Periods of the rows, counted from the first of the data.
    endog : ndarray of shape (T, m)
        The series in all periods of the data.
    known : ndarray of shape (T, k)
        Known regressors in these periods.
    shocks : ndarray of shape (n, m)
        Residuals with mean zero, corrected for degrees of freedom.
    covariance : ndarray of shape (m, m)
        Theirs.
    solver : Solver
        The algorithm.
    """

    layout: Layout
    equations: tuple[Equation, ...]
    positions: np.ndarray
    endog: np.ndarray
    known: np.ndarray
    shocks: np.ndarray
    covariance: np.ndarray
    solver: Solver


def block_errors(
    estimate: Fitted, pattern: np.ndarray, blocks: int, rng: np.random.Generator
) -> np.ndarray:
    """Errors of forecasts from all periods of the sample that have the outcomes.

    Parameters
    ----------
    estimate : Fitted
        The system.
    pattern : ndarray of bool of shape (h, m)
        Which values of the periods after an origin are known when forecasts are made: those of
        series that are published early.
    blocks : int
        Parts of the sample.
    rng : numpy.random.Generator
        Of the simulated paths.

    Returns
    -------
    ndarray of shape (c, h, m)
        Errors; NaN where an outcome is missing.
    """
    steps = len(pattern)
    # a row of the sample is the first period after an origin
    firsts = estimate.positions[estimate.positions + steps <= len(estimate.endog)]
    errors = []
    for part in np.array_split(firsts, min(blocks, max(len(firsts), 1))):
        if not len(part):
            continue
        gone = (estimate.positions >= part[0]) & (estimate.positions < part[-1] + steps)
        system = _without(estimate, ~gone)
        futures = [_future(estimate, first, pattern) for first in part]
        means = _linear_means(estimate, system, futures)
        if means is None:
            means = _simulated_means(estimate, system, futures, rng)
        actual = np.stack([estimate.endog[first : first + steps] for first in part])
        errors.append(actual - means)
    return np.concatenate(errors) if errors else np.zeros((0, *pattern.shape))


def direct_errors(
    equations: Sequence[Equation], positions: np.ndarray, lead: int, blocks: int, solver: Solver
) -> np.ndarray:
    """Errors of direct forecasts, shape (n, m), in standard deviations of the targets.

    With a block go the rows whose outcomes overlap with its own.

    Parameters
    ----------
    equations : sequence of Equation
        Those of one horizon.
    positions : ndarray of int of shape (n,)
        Periods of the rows.
    lead : int
        Periods from a row to its outcome.
    blocks : int
        Parts of the sample.
    solver : Solver
        The algorithm.
    """
    errors = np.empty((len(positions), len(equations)))
    for part in np.array_split(np.arange(len(positions)), min(blocks, len(positions))):
        first, last = positions[part[0]] - lead, positions[part[-1]] + lead
        kept = ((positions < first) | (positions > last)).astype(float)
        for at, one in enumerate(equations):
            found = _refitted(one, kept, solver)
            rows = one.objective.inputs[part]
            values = [fitted(one.network, draw, rows) for draw in found.params]
            errors[part, at] = one.objective.target[part] - np.mean(values, axis=0)
    return errors


def _without(estimate: Fitted, kept: np.ndarray) -> tuple[Equation, ...]:
    """The equations estimated on the rows that are kept (n,), from where they were."""
    return tuple(_refitted(one, kept.astype(float), estimate.solver) for one in estimate.equations)


def _refitted(equation: Equation, weights: np.ndarray, solver: Solver) -> Equation:
    if equation.trained:
        raise SpecificationError(
            "conformal intervals estimate without blocks of the sample to a minimum, and the "
            "networks were trained in mini-batches, which end before one; use "
            "interval='simulation', or fit with method='auto'."
        )
    objective, weights = equation.objective, weights * equation.weights
    base = least_squares(equation.network, objective.inputs, objective.target, weights)
    if equation.is_linear:
        chain = Chain.single(weights, base, np.inf)
        return replace(
            equation, solutions=(certify(objective, base, chain, "least squares", 1),)
        )  # fmt: skip
    found = mean_network(
        objective, weights, base, equation.alpha, equation.params, solver, warm=True
    )
    return replace(equation, solutions=tuple(found))


def _future(estimate: Fitted, first: int, pattern: np.ndarray) -> Future:
    ahead = slice(first, first + len(pattern))
    imposed = np.where(pattern, estimate.endog[ahead], np.nan)
    known = estimate.known
    return Future(estimate.endog[:first], known[:first], known[ahead], imposed, None, 0)


def _linear_means(
    estimate: Fitted, equations: Sequence[Equation], futures: Sequence[Future]
) -> np.ndarray | None:
    """Exact means (c, h, m) of a linear system, None where it is not linear."""
    if not all(one.is_linear for one in equations):
        return None
    table = linear_table(equations, estimate.layout.n_linear)
    system = linear_system(estimate.layout, table, estimate.covariance)
    return np.stack(
        [forecast_moments(system, one.history, one.known, one.imposed).mean for one in futures]
    )


def _simulated_means(
    estimate: Fitted,
    equations: Sequence[Equation],
    futures: Sequence[Future],
    rng: np.random.Generator,
) -> np.ndarray:
    """Means (c, h, m) over simulated paths, on the same shocks after every origin."""
    system = system_of(estimate.layout, equations, estimate.covariance)
    steps = len(futures[0].imposed)
    periods = [
        scenario(
            estimate.layout, estimate.covariance, one.history,
            np.concatenate([one.past_known, one.known]), one.imposed,
        )
        for one in futures
    ]  # fmt: skip
    drawn = draw_shocks("bootstrap", estimate.covariance, estimate.shocks, EACH, steps, rng)
    paths = simulate(system, together(periods, EACH), np.tile(drawn, (len(futures), 1, 1)))
    return paths.reshape(len(futures), EACH, steps, -1).mean(axis=1)
