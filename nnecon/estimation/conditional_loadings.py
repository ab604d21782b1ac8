r"""Estimation of loadings that depend on characteristics, on a panel of assets.

.. math::

    F(\theta) = \frac{1}{2n} \sum_{i,t} (r_{it} - \beta(z_{it})' f_t)^2
      + \frac{\alpha}{2} \Big( \|\theta\|_P^2 + \operatorname{tr}\, W' M W \Big), \qquad
    f_t = (B_t'B_t)^{-1} B_t' r_t, \quad M = \frac1T \sum_t f_t f_t',

with W the weights (units, k) of the units in the loadings and returns of mean square one. Factors
are functions of the loadings at every point. Loadings and factors are known up to an invertible
matrix; W times the factors is what units add to returns, which that matrix does not change, so that
the penalty cannot be lowered by large factors with small loadings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from nnecon.estimation.autoencoding import GAIN, AutoencoderPath, Solved
from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import double_precision
from nnecon.nets.conditional import ConditionalLoadings

FIRST, LATER, POLISH = 60, 30, 4000
"""Iterations from a random start, from a neighbouring penalty, and for what is reported."""

POLISH_ROUGH, POLISH_LARGE = 200, 150
"""The latter for large panels, in single and then in double precision."""

MEMORY = 200
"""Pairs that L-BFGS remembers at most; with 20 it needs three times the steps."""

STARTED_ON = 20_000
"""Rows, about, on which random starts compete; the best goes on with all of them.

Paths of larger panels are in single precision."""

FEWEST = 20
"""Assets of a period that starts see at least, where it has them."""

TINY = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}
"""Ridge of the cross-sectional regressions as a share of the mean square of the loadings."""


@dataclass(frozen=True, slots=True, eq=False)
class PeriodBlocks:
    """A panel as one block of assets a period, filled up with empty places.

    Attributes
    ----------
    linear : ndarray of shape (T, N, L)
        Linear regressors of the loadings, standardised.
    inputs : ndarray of shape (T, N, m)
        Inputs of the network, standardised.
    endog : ndarray of shape (T, N)
        Returns with mean square one.
    known : ndarray of shape (T, N)
        One where there is an asset, zero elsewhere.
    """

    linear: np.ndarray
    inputs: np.ndarray
    endog: np.ndarray
    known: np.ndarray

    @classmethod
    def of(
        cls, linear: np.ndarray, inputs: np.ndarray, endog: np.ndarray, codes: np.ndarray
    ) -> "PeriodBlocks":
        """Blocks of rows whose periods are ``codes`` (n,), numbered from zero."""
        place = positions_in_period(codes)
        shape = (int(codes.max()) + 1, int(place.max()) + 1)

        def spread(rows: np.ndarray) -> np.ndarray:
            out = np.zeros((*shape, *rows.shape[1:]))
            out[codes, place] = rows
            return out

        return cls(spread(linear), spread(inputs), spread(endog), spread(np.ones(len(endog))))

    def thinned(self, rows: int, rng: np.random.Generator) -> "PeriodBlocks":
        """About so many rows: the same periods, with at most as many random assets in each."""
        total = self.known.sum()
        if total <= 1.5 * rows:
            return self
        keep = max(int(np.ceil(rows / len(self.known))), FEWEST)
        order = np.where(self.known > 0, rng.random(self.known.shape), 2.0).argsort(axis=1)
        chosen = order[:, :keep]
        at = (np.arange(len(chosen))[:, None], chosen)
        return PeriodBlocks(self.linear[at], self.inputs[at], self.endog[at], self.known[at])

    def as_type(self, dtype: Any) -> "PeriodBlocks":
        """The same numbers in another precision."""
        return PeriodBlocks(
            *(np.asarray(getattr(self, name), dtype) for name in self.__dataclass_fields__)
        )

    @property
    def rough(self) -> "PeriodBlocks":
        """In single precision where the panel is large."""
        return self if self.known.sum() <= STARTED_ON else self.as_type(np.float32)

    def arguments(self, periods: np.ndarray) -> tuple[np.ndarray, ...]:
        """What kernels take beside parameters, for the periods in a mask (T,)."""
        dtype = self.endog.dtype
        weights = self.known * periods[:, None]
        return (
            self.linear, self.inputs, self.endog, self.known,
            np.asarray(weights / weights.sum(), dtype), np.asarray(periods / periods.sum(), dtype),
        )  # fmt: skip


def positions_in_period(codes: np.ndarray) -> np.ndarray:
    """Number of each row among those of its period, in their order."""
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    first = np.cumsum(counts) - counts
    place = np.empty(len(codes), dtype=int)
    place[order] = np.arange(len(codes)) - first[codes[order]]
    return place


class LoadingKernels(NamedTuple):
    """Compiled functions of the network."""

    value_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    residuals: Callable[..., jax.Array]


@lru_cache(maxsize=64)
def loading_kernels(network: ConditionalLoadings) -> LoadingKernels:
    """Compile (lazily, once a shape) objective and residuals."""
    penalised = network.penalised

    def parts(params, linear, inputs, endog, known):
        loadings = known[:, :, None] * network.loadings(params, linear, inputs)
        gram = jnp.einsum("tnk,tnj->tkj", loadings, loadings)
        size = jnp.trace(gram, axis1=1, axis2=2) / network.k_factors
        tiny = TINY[np.dtype(endog.dtype)]
        gram = gram + (tiny * size + 1e-30)[:, None, None] * jnp.eye(
            network.k_factors, dtype=endog.dtype
        )
        root = jnp.linalg.cholesky(gram)
        right = jnp.einsum("tnk,tn->tk", loadings, endog)
        factors = jax.scipy.linalg.cho_solve((root, True), right[:, :, None])[:, :, 0]
        return endog - jnp.einsum("tnk,tk->tn", loadings, factors), factors

    def residuals(params, linear, inputs, endog, known):
        return parts(params, linear, inputs, endog, known)[0]

    def value(params, linear, inputs, endog, known, weights, shares, alpha):
        residual, factors = parts(params, linear, inputs, endog, known)
        moments = factors.T @ (shares[:, None] * factors)
        units = network.coefficients(params)[network.n_linear :]
        penalty = jnp.sum(jnp.asarray(penalised, params.dtype) * params**2)
        penalty = penalty + jnp.sum((units @ moments) * units)
        return 0.5 * jnp.sum(weights * residual**2) + 0.5 * alpha * penalty

    return LoadingKernels(cached_jit(jax.value_and_grad(value)), cached_jit(residuals))


@dataclass(frozen=True, slots=True, eq=False)
class LoadingSample:
    """One choice of periods.

    Attributes
    ----------
    periods : ndarray of shape (T,)
        One for the periods that are used, zero for others.
    starts : ndarray of shape (s, k)
        Random starts.
    ceiling : float
        Objective of the model without a network.
    """

    periods: np.ndarray
    starts: np.ndarray
    ceiling: float


@dataclass(frozen=True, slots=True, eq=False)
class LoadingWork:
    """What all samples share: network, panel, penalties (descending), seed of the thinned panel."""

    network: ConditionalLoadings
    blocks: PeriodBlocks
    alphas: np.ndarray
    seed: int

    def __call__(self, items: list[LoadingSample], monitor: Monitor) -> list[AutoencoderPath]:
        """Paths of samples, which are rough; what is reported is polished."""
        with double_precision():
            blocks = self.blocks.rough
            few = blocks.thinned(STARTED_ON, np.random.default_rng(self.seed))
            return [self._path(item, blocks, few, monitor) for item in items]

    def _path(
        self, item: LoadingSample, blocks: PeriodBlocks, few: PeriodBlocks, monitor: Monitor
    ) -> AutoencoderPath:
        alphas, network = self.alphas, self.network
        m, begin = len(alphas), (3 * len(alphas)) // 5

        def solve(part, start, at, limit):
            return minimise(network, part, item.periods, start, alphas[at], limit, monitor)

        tried = [solve(few, start, begin, FIRST) for start in item.starts]
        reached = np.array([solved.value for solved in tried])
        found = {begin: solve(blocks, tried[int(reached.argmin())].params, begin, LATER)}
        monitor.advance(0.5)
        for step, stop in ((-1, -1), (1, m)):
            for at in range(begin + step, stop, step):
                found[at] = solve(blocks, found[at - step].params, at, LATER)
        self._repair(found, solve, blocks, item.periods)
        monitor.advance(0.5)
        objective = np.array([found[at].value for at in range(m)])
        linear = ~(objective < item.ceiling * (1.0 - 10 * GAIN))
        params = np.stack([found[at].params for at in range(m)])
        params[linear] = 0.0
        return AutoencoderPath(
            params,
            np.where(linear, item.ceiling, objective),
            np.array([found[at].certificate for at in range(m)]),
            linear,
            np.array([item.ceiling]),
            reached,
            np.array([found[at].iterations for at in range(m)]),
        )

    def _repair(
        self, found: dict[int, Solved], solve: Any, blocks: PeriodBlocks, periods: np.ndarray
    ) -> None:
        """Solve again from a neighbour where its parameters are better as they stand."""
        kernel = loading_kernels(self.network).value_gradient
        data, dtype = blocks.arguments(periods), blocks.endog.dtype

        def value(params: np.ndarray, at: int) -> float:
            strength = np.asarray(self.alphas[at], dtype)
            return float(kernel(jnp.asarray(params, dtype), *data, strength)[0])

        m = len(self.alphas)
        for order in (range(m - 2, -1, -1), range(1, m)):
            for at in order:
                before = found[at + 1 if order.step < 0 else at - 1]
                if value(before.params, at) < found[at].value * (1.0 - 10 * GAIN):
                    found[at] = solve(blocks, before.params, at, LATER)


def minimise(
    network: ConditionalLoadings,
    blocks: PeriodBlocks,
    periods: np.ndarray,
    start: np.ndarray,
    alpha: float,
    limit: int,
    monitor: Monitor,
) -> Solved:
    """Minimise the objective from one start by L-BFGS, in the precision of the blocks."""
    kernel = loading_kernels(network).value_gradient
    dtype = blocks.endog.dtype
    data = [jnp.asarray(part) for part in blocks.arguments(periods)]
    rough = dtype == np.float32
    strength = np.asarray(alpha, dtype)

    def value_and_gradient(params):
        monitor.check()
        value, gradient = kernel(jnp.asarray(params, dtype), *data, strength)
        return float(value), np.asarray(gradient, dtype=float)

    found = minimize(
        value_and_gradient,
        start,
        method="L-BFGS-B",
        jac=True,
        options={
            "maxiter": limit,
            "maxfun": 10**6,
            "maxcor": min(len(start), MEMORY),
            "ftol": 1e-6 if rough else 1e-12,
            "gtol": 1e-6 if rough else 1e-9,
        },
    )
    size = np.maximum(np.abs(found.x), 1.0)
    relative = float(np.max(np.abs(found.jac) * size) / max(found.fun, 1e-300))
    return Solved(found.x, float(found.fun), relative, int(found.nit))


def polished(
    network: ConditionalLoadings,
    blocks: PeriodBlocks,
    periods: np.ndarray,
    start: np.ndarray,
    alpha: float,
    monitor: Monitor,
) -> Solved:
    """The minimum near a rough solution, in double precision."""
    with double_precision():
        rough = blocks.rough
        if rough is not blocks:
            start = minimise(network, rough, periods, start, alpha, POLISH_ROUGH, monitor).params
        limit = POLISH if rough is blocks else POLISH_LARGE
        return minimise(network, blocks, periods, start, alpha, limit, monitor)


def residuals(network: ConditionalLoadings, blocks: PeriodBlocks, params: np.ndarray) -> np.ndarray:
    """Returns less loadings times the factors of their period, shape (T, N), zero where empty."""
    with double_precision():
        kernel = loading_kernels(network).residuals
        found = kernel(params, blocks.linear, blocks.inputs, blocks.endog, blocks.known)
        return np.asarray(found) * blocks.known
