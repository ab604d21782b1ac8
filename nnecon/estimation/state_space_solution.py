"""One solution of a penalised likelihood of a recurrent state-space network, from one start.

The objective is the mean negative log-likelihood of standardised rows plus ``alpha`` times half the
weighted sum of squared neural parameters. It is minimised by L-BFGS (Liu and Nocedal, 1989) and
polished by Newton's method with the exact Hessian.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from nnecon.estimation.execution import Monitor
from nnecon.estimation.innovations import Rows
from nnecon.estimation.state_space_likelihood import Likelihood, constrained

CERTIFIED = 1e-6
"""A solution is converged where the largest derivative of its objective is under this number."""

POLISHED = 1e-10
"""Where Newton's method stops."""

STEP = 1e-5
"""Change of a parameter for differences of the gradient, as a share of its size."""

NEWTON_STEPS = 30
LARGE = 400
"""Parameters beyond which the Hessian is not worth its time, and L-BFGS goes on instead."""

ROUGH, THOROUGH = 150, 1500
"""L-BFGS iterations along a path, and for what is reported."""

REGULAR = 0.1
"""Derivative beyond which a point lies where the likelihood is rough: the state multiplies small
changes, no search arrives, and Newton's method is of no use."""

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

    @property
    def regular(self) -> bool:
        """Whether it lies where a search can arrive."""
        return bool(self.certificate <= REGULAR)


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
    rows = search.likelihood.padded(search.rows)
    shares = np.pad(search.shares, (0, len(rows.series) - len(search.rows.series)))
    given = rows, shares, ridge, np.True_, np.bool_(profiled)

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
            steepest = np.abs(slope).max()
            # at rounding error the gradient decides; no step leads into a rough place
            level = new < now or (
                new <= now + 1e-12 * abs(now) and steepest < np.abs(gradient).max()
            )
            if level and steepest <= REGULAR:
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
    errors = search.rows.series - search.likelihood.moments(params, search.rows).mean
    covariance = (errors * search.shares[:, None]).T @ errors
    params = np.array(params)
    m = network.n_series
    if network.errors == "diagonal":
        params[network.where("factor")] = np.sqrt(np.diag(covariance))
    else:
        root = np.linalg.cholesky(covariance)
        params[network.where("factor")] = root[np.tril_indices(m)]
    return params
