"""Penalised maximum likelihood of recurrent state-space networks: starts, path, best solution.

The objective is the mean negative log-likelihood of standardised rows plus ``alpha`` times half the
weighted sum of squared neural parameters. It is minimised by L-BFGS (Liu and Nocedal, 1989) and
polished by Newton's method with the exact Hessian. As on all paths of this package the network
without a neural part is a candidate at every penalty, starts compete in the middle of the grid, and
the best are followed to both ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from nnecon.estimation.execution import Execution, Monitor
from nnecon.estimation.innovations import Rows, one_step
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.state_space_likelihood import Likelihood, constrained

CERTIFIED = 1e-6
"""A solution is converged where the largest derivative of its objective is under this number."""

POLISHED = 1e-10
"""Where Newton's method stops."""

STEP = 1e-5
"""Change of a parameter for differences of the gradient, as a share of its size."""

NEWTON_STEPS = 12
LARGE = 400
"""Parameters beyond which the Hessian is not worth its time, and L-BFGS goes on instead."""

ROUGH, THOROUGH = 150, 1500
"""L-BFGS iterations along a path, and for what is reported."""

FOLLOWED = 2
"""Starts that are followed along the path."""

THOROUGH_STARTS = 3
"""Starts that L-BFGS is let run for; the best of them is polished by Newton's method."""

REGULAR = 0.1
"""Derivative beyond which a point lies where the likelihood is rough: the state multiplies small
changes, no search arrives, and Newton's method is of no use."""

LEAST = 1e-2
"""Smallest penalty of a grid that is chosen, as a share of the largest."""

WORSE = 1e10
"""The objective where the likelihood is not defined."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One solution, as a record that can be stored.

    Parameters
    ----------
    params : ndarray of shape (k,)
        Parameters of the standardised data.
    objective, loss : float
        With and without the penalty.
    certificate : float
        Largest absolute derivative of the objective by a free parameter.
    iterations : int
        Of L-BFGS and Newton's method.
    """

    params: np.ndarray
    objective: float
    loss: float
    certificate: float
    iterations: int

    @property
    def converged(self) -> bool:
        """Whether the certificate is small."""
        return self.certificate < CERTIFIED


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A likelihood, data and which parameters are free.

    Parameters
    ----------
    likelihood : Likelihood
    rows : Rows
        Standardised.
    weights : ndarray of shape (n,)
        Weights of the rows' log-likelihoods; zero for rows that a fold leaves out.
    free : ndarray of bool of shape (k,)
        Parameters that are estimated.
    base : ndarray of shape (k,)
        Values of those that are not, and a start of the classical part.
    """

    likelihood: Likelihood
    rows: Rows
    weights: np.ndarray
    free: np.ndarray
    base: np.ndarray

    @property
    def profiled(self) -> bool:
        """Whether the errors' covariance can be taken out of the problem."""
        network = self.likelihood.network
        own = self.free[network.where("factor")]
        return self.likelihood.route == "innovations" and not network.student and bool(own.all())

    @property
    def shares(self) -> np.ndarray:
        """Weights that sum to one."""
        return self.weights / self.weights.sum()

    def classical(self) -> "Search":
        """The same without a neural part: zero there, and not estimated."""
        network = self.likelihood.network
        silent = network.penalised > 0
        free = self.free & ~silent & ~network.where("state_factor")
        base = np.where(self.free & (network.where("loading", "inputs")), 0.0, self.base)
        base = np.where(self.free & network.where("transition", "bias", "start"), 0.0, base)
        return replace(self, free=free, base=base)


def solve(
    search: Search, start: np.ndarray, alpha: float, effort: str, monitor: Monitor | None = None
) -> Fit:
    """Minimise from one start.

    Parameters
    ----------
    search : Search
    start : ndarray of shape (k,)
        Parameters; those that are not free are taken from ``search.base``.
    alpha : float
        Penalty.
    effort : {"rough", "thorough", "polished", "newton"}
        A few iterations of L-BFGS, as many as it wants, the same and Newton's method until the
        derivatives are zero, or the latter alone.
    monitor : Monitor, optional
    """
    network = search.likelihood.network
    ridge = alpha * network.penalised
    profiled = search.profiled
    free = search.free & ~network.where("factor") if profiled else search.free
    index = np.flatnonzero(free)
    whole = network.unconstrain(np.where(search.free, start, search.base))
    given = search.rows, search.shares, ridge, np.True_, np.bool_(profiled)

    def value(point):
        if monitor is not None:
            monitor.check()
        found, gradient = search.likelihood.objective(point, whole, index, *given)
        if not np.isfinite(found) or not np.isfinite(gradient).all():
            return WORSE, np.zeros_like(point)
        return found, gradient

    point, iterations = whole[index], 0
    if len(index) and effort != "newton":
        most = ROUGH if effort == "rough" else THOROUGH
        options = {"maxiter": most, "maxfun": 10**6, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-5}
        if effort != "rough":
            options.update(ftol=1e-15, gtol=CERTIFIED / 10.0)
        found = minimize(value, point, jac=True, method="L-BFGS-B", options=options)
        point, iterations = found.x, int(found.nit)
    if effort in ("polished", "newton") and 0 < len(index) <= LARGE:
        point, more = _newton(value, point)
        iterations += more
    final, gradient = value(point) if len(index) else (_silent(search, whole, index, given), [])
    whole[index] = point
    params = constrained(network, whole)
    if profiled:
        params = with_covariance(search, params)
    penalty = 0.5 * float(ridge @ params**2) if alpha > 0 else 0.0
    certificate = float(np.abs(gradient).max()) if len(index) else 0.0
    if final >= WORSE:
        certificate = np.inf
    return Fit(params, final, final - penalty, certificate, iterations)


def _silent(search: Search, whole: np.ndarray, index: np.ndarray, given) -> float:
    return search.likelihood.objective(whole[index], whole, index, *given)[0]


def _newton(value, point: np.ndarray) -> tuple[np.ndarray, int]:
    """Newton's method with the eigenvalues of the Hessian made positive, and step halving."""
    now, gradient = value(point)
    for step in range(NEWTON_STEPS):
        if not POLISHED <= np.abs(gradient).max() <= REGULAR or now >= WORSE:
            return point, step
        hessian = _curvature(value, point)
        if not np.isfinite(hessian).all():
            return point, step
        values, vectors = np.linalg.eigh(hessian)
        size = np.maximum(np.abs(values), 1e-10 * max(np.abs(values).max(), 1e-300))
        direction = -vectors @ ((vectors.T @ gradient) / size)
        length, moved = 1.0, False
        for _ in range(25):
            new, slope = value(point + length * direction)
            # at rounding error the gradient decides
            level = new < now or (
                new <= now + 1e-12 * abs(now) and np.abs(slope).max() < np.abs(gradient).max()
            )
            if level:
                point, now, gradient, moved = point + length * direction, new, slope, True
                break
            length *= 0.5
        if not moved:
            return point, step
    return point, NEWTON_STEPS


def _curvature(value, point: np.ndarray) -> np.ndarray:
    """Hessian by central differences of the exact gradient.

    The search needs no more digits, and is spared the compilation of second derivatives.
    """
    rows = []
    for at, size in enumerate(STEP * np.maximum(np.abs(point), 0.1)):
        moved = np.zeros_like(point)
        moved[at] = size
        rows.append((value(point + moved)[1] - value(point - moved)[1]) / (2.0 * size))
    hessian = np.array(rows)
    return 0.5 * (hessian + hessian.T)


def with_covariance(search: Search, params: np.ndarray) -> np.ndarray:
    """Parameters with the errors' covariance that maximises the likelihood, for complete rows."""
    network = search.likelihood.network
    with double_precision():
        means = np.asarray(one_step(network, jnp.asarray(params), search.rows).means)
    errors = search.rows.series - means
    covariance = (errors * search.shares[:, None]).T @ errors
    params = np.array(params)
    m = network.n_series
    if network.errors == "diagonal":
        params[network.where("factor")] = np.sqrt(np.diag(covariance))
    else:
        root = np.linalg.cholesky(covariance)
        params[network.where("factor")] = root[np.tril_indices(m)]
    return params


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
            )
        )
        monitor.advance(1.0)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Parameters (1 + g, k) and objectives (1 + g,) along a path, the classical model first."""

    params: np.ndarray
    objective: np.ndarray


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

    All starts are solved roughly, some of them thoroughly, and the best is polished. What lies
    where the likelihood is rough comes behind other networks, however good it looks. The classical
    model is a candidate where the whole neural part is free and penalised.
    """
    rough = execution.run(
        _solve_all, [([start], search, alpha, "rough") for start in starts], record=Fit
    )
    first = [fits[0] for fits in rough]
    order = np.argsort([fit.objective for fit in first], kind="stable")[:THOROUGH_STARTS]
    tasks = [([first[at].params], search, alpha, "thorough") for at in order]
    second = [fits[0] for fits in execution.run(_solve_all, tasks, record=Fit)]
    ranked = sorted(range(len(second)), key=lambda at: _rank(second[at]))
    best = [([second[ranked[0]].params], search, alpha, "newton")]
    second[ranked[0]] = execution.run(_solve_all, best, record=Fit)[0][0]
    reached = np.array([fit.objective for fit in first])
    reached[order] = [fit.objective for fit in second]
    found = sorted(second, key=_rank)
    if alpha > 0 and search.free[search.likelihood.network.penalised > 0].all():
        found.insert(int(found[0].objective <= classical.objective) * len(found), classical)
    return found, reached


def _rank(fit: Fit) -> tuple[bool, float]:
    return not fit.certificate <= REGULAR, fit.objective


def _solve_all(starts, search, alpha, effort, monitor) -> list[Fit]:
    found = [solve(search, start, alpha, effort, monitor) for start in starts]
    monitor.advance(len(starts))
    return found
