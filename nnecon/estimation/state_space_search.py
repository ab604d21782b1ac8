"""Penalised maximum likelihood of recurrent state-space networks: starts, path, best solution.

As on all paths of this package the network without a neural part is a candidate at every penalty,
starts compete in the middle of the grid, and the best are followed to both ends. How one start is
solved is in :mod:`nnecon.estimation.state_space_solution`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnecon.estimation.execution import Execution, Monitor
from nnecon.estimation.state_space_solution import Fit, Search, solve

FOLLOWED = 2
"""Starts that are followed along the path."""

THOROUGH_STARTS = 3
"""Starts that L-BFGS is let run for at a time; the best of them is polished by Newton's method."""

LEAST = 1e-2
"""Smallest penalty of a grid that is chosen, as a share of the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Solutions along a grid of penalties, from the classical model down.

    Parameters
    ----------
    alphas : ndarray of shape (g,)
        Descending.
    fits : tuple of Fit
        The best at each penalty.
    classical : Fit
        The network without a neural part.
    """

    alphas: np.ndarray
    fits: tuple[Fit, ...]
    classical: Fit


def live_penalty(
    search: Search, classical: Fit, starts: Sequence[np.ndarray], monitor: Monitor | None = None
) -> float:
    """Largest penalty at which a network was found that beats the classical model.

    A network that fits better by ``d`` and whose squares are worth ``s`` does so at penalties under
    ``d / s``; solving there and repeating is Dinkelbach's iteration.
    """
    best = 0.0
    for start in starts:
        alpha = 0.01
        for _ in range(6):
            found = solve(search, start, alpha, "rough", monitor)
            size = 0.5 * float(search.likelihood.network.penalised @ found.params**2)
            ratio = (classical.loss - found.loss) / size if size > 1e-12 else 0.0
            if ratio <= alpha * 1.02:
                best = max(best, min(ratio, alpha * 1.02))
                break
            best, start, alpha = max(best, ratio), found.params, ratio
    return best


def grid(live: float, size: int) -> np.ndarray:
    """Penalties from just above the live one downwards, finest where the network leaves zero."""
    depth = np.linspace(0.0, 1.0, size) ** 1.5
    return 1.1 * max(live, 1e-8) * LEAST**depth


def follow(
    searches: list[Search], starts: np.ndarray, alphas: np.ndarray, monitor: Monitor
) -> list["Followed"]:
    """Paths of several samples; see :func:`path`."""
    found = []
    for search in searches:
        one = path(search, starts, alphas, monitor)
        found.append(
            Followed(
                np.stack([fit.params for fit in (one.classical, *one.fits)]),
                np.array([fit.objective for fit in (one.classical, *one.fits)]),
                np.array([fit.certificate for fit in (one.classical, *one.fits)]),
            )
        )
        monitor.advance(1.0)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Parameters (1 + g, k), objectives and certificates (1 + g,), the classical model first."""

    params: np.ndarray
    objective: np.ndarray
    certificate: np.ndarray


def path(search: Search, starts: np.ndarray, alphas: np.ndarray, monitor: Monitor) -> Path:
    """Solutions at descending penalties.

    Parameters
    ----------
    search : Search
    starts : ndarray of shape (d, k)
        Random neural parts; the classical part is that of the classical model.
    alphas : ndarray of shape (g,)
        Descending.
    monitor : Monitor
    """
    classical = classical_fit(search, monitor)
    begin = [started(search, classical, start) for start in starts]
    middle = int(0.4 * (len(alphas) - 1))
    first = [solve(search, start, alphas[middle], "rough", monitor) for start in begin]
    ranked = sorted(first, key=lambda fit: fit.objective)[:FOLLOWED]
    best: list[Fit] = [classical] * len(alphas)
    for fit in ranked:
        for order in (range(middle, len(alphas)), range(middle - 1, -1, -1)):
            now = fit
            for at in order:
                if at != middle:
                    now = solve(search, now.params, alphas[at], "rough", monitor)
                if now.objective < best[at].objective:
                    best[at] = now
    return Path(alphas, tuple(best), classical)


def classical_fit(search: Search, monitor: Monitor | None = None) -> Fit:
    """The network without a neural part, with its objective free of a penalty.

    Where rows are complete and only the linear part is free it is least squares.
    """
    plain = search.classical()
    network = search.likelihood.network
    linear = network.where("const", "lags", "exog")
    if (
        plain.profiled
        and plain.free[linear].all()
        and not plain.base[network.where("loading")].any()
    ):
        params = np.array(plain.base)
        params[linear] = least_squares(search)
        return solve(
            replace(plain, free=plain.free & ~linear, base=params), params, 0.0, "polished"
        )
    return solve(plain, plain.base, 0.0, "polished", monitor)


def least_squares(search: Search) -> np.ndarray:
    """Coefficients of the linear part on rows that are complete, in the order of the parameters."""
    network, rows = search.likelihood.network, search.rows
    past = rows.past[:, : network.lags].reshape(len(rows.series), -1)
    exog = rows.exog if network.linear_exog else rows.exog[:, :0]
    columns = np.column_stack([np.ones(len(past)), past, exog])
    there = np.isfinite(columns).all(axis=1) & np.isfinite(rows.series).all(axis=1)
    root = np.sqrt(search.weights[there])[:, None]
    table = np.linalg.lstsq(root * columns[there], root * rows.series[there], rcond=None)[0]
    m, split = network.n_series, 1 + network.lags * network.n_series
    lags = table[1:split].reshape(network.lags, m, m).transpose(0, 2, 1)
    return np.concatenate([table[0], lags.ravel(), table[split:].T.ravel()])


def started(search: Search, classical: Fit, start: np.ndarray) -> np.ndarray:
    """A start: the classical part of the classical model, the neural part as drawn."""
    network = search.likelihood.network
    neural = (network.penalised > 0) | network.where("state_factor")
    return np.where(search.free & neural, start, classical.params)


def estimate(
    search: Search,
    starts: Sequence[np.ndarray],
    alpha: float,
    classical: Fit,
    execution: Execution,
) -> tuple[list[Fit], np.ndarray]:
    """Solutions at one penalty, the best first, and the objective that each start came to.

    All starts are solved roughly, the best of them thoroughly, and the best of these is polished.
    What lies where the likelihood is rough comes behind other networks, however good it looks:
    further starts are solved thoroughly until one does not. The classical model is a candidate
    where the whole neural part is free and penalised.
    """
    rough = execution.run(
        _solve_all, [([start], search, alpha, "rough") for start in starts], record=Fit
    )
    reached = np.array([fits[0].objective for fits in rough])
    order = np.argsort(reached, kind="stable")
    second: list[Fit] = []
    for begin in range(0, len(order), THOROUGH_STARTS):
        batch = order[begin : begin + THOROUGH_STARTS]
        tasks = [([rough[at][0].params], search, alpha, "thorough") for at in batch]
        second += [fits[0] for fits in execution.run(_solve_all, tasks, record=Fit)]
        if any(fit.regular for fit in second):
            break
    ranked = sorted(range(len(second)), key=lambda at: _rank(second[at]))
    best = [([second[ranked[0]].params], search, alpha, "newton")]
    second[ranked[0]] = execution.run(_solve_all, best, record=Fit)[0][0]
    reached[order[: len(second)]] = [fit.objective for fit in second]
    found = sorted(second, key=_rank)
    if alpha > 0 and search.free[search.likelihood.network.penalised > 0].all():
        found.insert(int(found[0].objective <= classical.objective) * len(found), classical)
    return found, reached


def _rank(fit: Fit) -> tuple[bool, float]:
    return not fit.regular, fit.objective


def _solve_all(starts, search, alpha, effort, monitor) -> list[Fit]:
    found = [solve(search, start, alpha, effort, monitor) for start in starts]
    monitor.advance(len(starts))
    return found
