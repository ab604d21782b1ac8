r"""Estimation of an autoencoder on a panel with missing values and weights.

.. math::

    F(\theta) = \frac{1}{2 \sum w_{tj}} \sum_{t,j} w_{tj} (x_{tj} - \hat x_{tj})^2
      + \frac{\alpha}{2} \Big( \|\theta\|_P^2 + \frac1N \sum_j \|W_{d,j}\|^2 \Big),

with :math:`w_{tj} = w_t` where :math:`x_{tj}` is known and zero where it is missing. At every point
the output layer is the best one, a ridge regression of each series on the decoder's units, and the
gradient by the other parameters is that at fixed output (envelope theorem). L-BFGS does the rest.

A denoising autoencoder (Vincent et al., 2010) sees corrupted scores and is asked for the data as
they are: the objective is then the mean over copies of the rows, each with scores of its own. Under
tied weights the output is the regression on the scores, whatever the other parameters are. A sparse
autoencoder pays for codes away from zero as well, and a variational one has an objective of its own
(:mod:`nnecon.estimation.variational_autoencoding`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.dynamic_autoencoding import Dynamics, dynamic_kernels
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.ridge_output import ridge_output
from nnecon.estimation.sparse_codes import smoothed_norm
from nnecon.estimation.variational_autoencoding import variational_functions
from nnecon.nets.autoencoder import Autoencoder
from nnecon.nets.variational import VariationalAutoencoder

FIRST, LATER, POLISH = 60, 25, 1000
"""Iterations from a random start, from a neighbouring penalty, and for what is reported."""

GAIN = 1e-6
"""Share by which an objective has to be lower than that of principal components."""

CLOSE = 1e-12
"""Relative change at which the search for sparse and variational estimates ends."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelSample:
    """One weighting of a panel, with the scores that the encoder sees.

    Attributes
    ----------
    scores : ndarray of shape (T, q)
        Principal components of the filled data with variance one in the rows with weight.
    target : ndarray of shape (T, N)
        Standardised data, zero where missing.
    weights : ndarray of shape (T, N)
        Weight of the row where the value is known, zero elsewhere; they sum to one.
    corrupted : ndarray of shape (copies, T, q), optional
        Scores that the encoder sees during estimation, where it is to remove noise.
    dynamics : Dynamics, optional
        Autoregression of the factors, of which forecasts are part of the objective.
    share : ndarray of shape (T, 1), optional
        Share of the information on the factors that is known, for a variational autoencoder.
    draws : ndarray of shape (M, T, k), optional
        Standard normal draws, for its expectations.
    """

    scores: np.ndarray
    target: np.ndarray
    weights: np.ndarray
    corrupted: np.ndarray | None = None
    dynamics: Dynamics | None = None
    share: np.ndarray | None = None
    draws: np.ndarray | None = None

    @property
    def inputs(self) -> Any:
        """What the encoder sees of the rows as they are."""
        return self.scores if self.share is None else (self.scores, self.share)

    @property
    def seen(self) -> tuple[Any, np.ndarray, np.ndarray]:
        """Scores, target and weights of the objective, copies of the rows one below the other."""
        if self.draws is not None:
            return (self.scores, self.share, self.draws), self.target, self.used_weights
        if self.corrupted is None:
            return self.scores, self.target, self.used_weights
        copies = len(self.corrupted)
        return (
            self.corrupted.reshape(-1, self.scores.shape[1]),
            np.tile(self.target, (copies, 1)),
            np.tile(self.used_weights, (copies, 1)) / copies,
        )

    @property
    def complete(self) -> bool:
        """Whether all values of a row have the same weight."""
        return bool((self.weights == self.weights[:, :1]).all())

    @property
    def used_weights(self) -> np.ndarray:
        """One column where all series have the same weights, which saves a solve a series."""
        return self.weights[:, :1] if self.complete else self.weights


class AutoencoderKernels(NamedTuple):
    """Compiled functions of an autoencoder; ``weights`` (T, N) or, for complete panels, (T, 1)."""

    value_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    output: Callable[..., jax.Array]
    encode: Callable[..., jax.Array]
    features: Callable[..., jax.Array]


def output_regressors(network: Autoencoder) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """From parameters and scores (n, q) to what the output layer sees and is estimated on."""
    encode = jax.vmap(network.encode, in_axes=(None, 0))
    features = jax.vmap(network.features, in_axes=(None, 0))

    def regressors_of(params, scores):
        seen = features(params, encode(params, scores))
        if network.tied:
            return seen, jnp.concatenate([jnp.ones_like(scores[:, :1]), scores], axis=1)
        return seen, seen

    return regressors_of


@lru_cache(maxsize=64)
def autoencoder_kernels(network: Autoencoder) -> AutoencoderKernels:
    """Compile (lazily, once a shape) what estimation and results need."""
    if isinstance(network, VariationalAutoencoder):
        functions = variational_functions(network)
        return AutoencoderKernels(
            cached_jit(jax.value_and_grad(functions.value)),
            cached_jit(functions.output),
            cached_jit(functions.encode),
            cached_jit(functions.features),
        )
    encode = jax.vmap(network.encode, in_axes=(None, 0))
    features = jax.vmap(network.features, in_axes=(None, 0))
    ridge, inner = network.penalised_output, network.penalised
    regressors_of = output_regressors(network)

    def output(params, scores, target, weights, alpha):
        return ridge_output(regressors_of(params, scores)[1], target, weights, alpha * ridge)

    def value(params, scores, target, weights, alpha):
        regressors, solved_on = regressors_of(params, scores)
        held = map(jax.lax.stop_gradient, (solved_on, target, weights))
        coefficients = ridge_output(*held, alpha * ridge)
        residual = target - regressors @ coefficients
        loss = 0.5 * jnp.sum(weights * residual**2)
        penalty = 0.5 * jnp.sum(ridge[:, None] * coefficients**2) / target.shape[1]
        if network.sparsity:
            loss += network.sparsity * smoothed_norm(encode(params, scores), weights)
        return loss + alpha * (penalty + 0.5 * jnp.sum(inner * params**2))

    return AutoencoderKernels(
        cached_jit(jax.value_and_grad(value)),
        cached_jit(output),
        cached_jit(encode),
        cached_jit(features),
    )


@dataclass(frozen=True, slots=True, eq=False)
class AutoencoderPath:
    """Estimates of one sample along the penalties.

    Attributes
    ----------
    params : ndarray of shape (m, k)
        Inner parameters; rows of the linear model are zero.
    objective, certificate : ndarray of shape (m,)
        Objectives, and largest relative gradients.
    linear : ndarray of bool of shape (m,)
        Whether no network found had a lower objective than principal components.
    ceiling : ndarray of shape (1,)
        Objective of principal components.
    starts : ndarray of shape (s,)
        Objectives that the random starts led to.
    iterations : ndarray of int of shape (m,)
    notes : str
        What trainings say about their ends, a line a penalty.
    """

    params: np.ndarray
    objective: np.ndarray
    certificate: np.ndarray
    linear: np.ndarray
    ceiling: np.ndarray
    starts: np.ndarray
    iterations: np.ndarray
    notes: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PathWork:
    """What all samples of a batch share.

    Attributes
    ----------
    network : Autoencoder
    alphas : ndarray of shape (m,)
        Penalties, descending.
    training : callable, optional
        Mini-batches in the place of L-BFGS
        (:class:`nnecon.estimation.autoencoder_batches.BatchTraining`).
    """

    network: Autoencoder
    alphas: np.ndarray
    training: "Callable[..., Solved] | None" = None

    def __call__(
        self, items: list[tuple[PanelSample, np.ndarray]], monitor: Monitor
    ) -> list[AutoencoderPath]:
        """Paths of samples, each with its random starts (s, k)."""
        with double_precision():
            return [self._path(sample, starts, monitor) for sample, starts in items]

    def _path(self, sample: PanelSample, starts: np.ndarray, monitor: Monitor) -> AutoencoderPath:
        alphas = self.alphas
        m, begin = len(alphas), (3 * len(alphas)) // 5
        ceiling = linear_objective(self.network, sample, monitor)
        share = 1.0 / (len(starts) + m - 1)

        def solve(start: np.ndarray, at: int, limit: int) -> Solved:
            if self.training is not None:
                return self.training(self.network, sample, start, alphas[at], monitor, share)
            solved = solve_autoencoder(self.network, sample, start, alphas[at], limit, monitor)
            monitor.advance(share)
            return solved

        tried = [solve(start, begin, FIRST) for start in starts]
        reached = np.array([solved.value for solved in tried])
        found = {begin: tried[int(reached.argmin())]}
        for step, stop in ((-1, -1), (1, m)):
            for at in range(begin + step, stop, step):
                found[at] = solve(found[at - step].params, at, LATER)
        objective = np.array([found[at].value for at in range(m)])
        linear = ~(objective < ceiling * (1.0 - GAIN))
        params = np.stack([found[at].params for at in range(m)])
        params[linear] = 0.0
        return AutoencoderPath(
            params,
            np.where(linear, ceiling, objective),
            np.array([found[at].certificate for at in range(m)]),
            linear,
            np.array([ceiling]),
            reached,
            np.array([found[at].iterations for at in range(m)]),
            "\n".join(found[at].note for at in range(m)),
        )


class Solved(NamedTuple):
    """Where L-BFGS or a training ended, after how many iterations or epochs, and a note.

    ``certificate`` is the largest gradient by a parameter (times its size where that is over one)
    as a share of the objective.
    """

    params: np.ndarray
    value: float
    certificate: float
    iterations: int
    note: str = ""


def solve_autoencoder(
    network: Autoencoder,
    sample: PanelSample,
    start: np.ndarray,
    alpha: float,
    limit: int,
    monitor: Monitor,
) -> Solved:
    """Minimise the objective from one start by L-BFGS."""
    kernel, data = objective_of(network, sample)
    close = network.has_axes and limit == POLISH

    def value_and_gradient(params):
        monitor.check()
        value, gradient = kernel(params, *data, alpha)
        return float(value), np.asarray(gradient)

    found = minimize(
        value_and_gradient,
        start,
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": limit, "maxfun": 10**6, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-9}
        | ({"ftol": CLOSE} if close else {}),
    )
    relative = relative_gradient(found.x, found.jac, float(found.fun))
    return Solved(found.x, float(found.fun), relative, int(found.nit))


def objective_of(
    network: Autoencoder, sample: PanelSample
) -> tuple[Callable[..., tuple[jax.Array, jax.Array]], tuple[Any, ...]]:
    """Objective with its gradient, and what it takes between parameters and penalty."""
    if sample.dynamics is None:
        return autoencoder_kernels(network).value_gradient, sample.seen
    data = sample.dynamics.data(*sample.seen)
    return dynamic_kernels(network, sample.dynamics.order).value_gradient, data


def relative_gradient(params: np.ndarray, gradient: np.ndarray, value: float) -> float:
    """The largest gradient by a parameter (times its size over one) as a share of the objective."""
    size = np.maximum(np.abs(params), 1.0)
    return float(np.max(np.abs(gradient) * size) / max(value, 1e-300))


def linear_objective(network: Autoencoder, sample: PanelSample, monitor: Monitor) -> float:
    """Least objective without units: principal components, or the mean without a linear part."""
    price = 0.0
    if network.sparsity:
        codes = jnp.asarray(sample.scores[:, : network.k_factors])
        price = network.sparsity * float(smoothed_norm(codes, jnp.asarray(sample.weights)))
    if not network.linear_part:
        weights = sample.weights
        if sample.dynamics is not None:
            weights = sample.dynamics.both_weights(weights)
        mean = (weights * sample.target).sum(axis=0) / weights.sum(axis=0)
        return price + float(0.5 * np.sum(weights * (sample.target - mean) ** 2))
    linear = replace(network, encoder=(), decoder=(), tied=False, sparsity=0.0)
    start = linear.init(np.random.default_rng(0), np.eye(network.n_inputs, network.k_factors))
    return price + solve_autoencoder(linear, sample, start, 0.0, POLISH, monitor).value
