r"""Autoencoders trained in mini-batches, for samples with many rows.

The objective is that of :mod:`nnecon.estimation.autoencoding`, and the training that of all
networks (:mod:`nnecon.estimation.solvers.minibatch`): shuffled batches, whose expected gradient is
that of the whole sample. The output layer is trained with the rest, from its best value at the
start; at the end it is solved for once more, exactly and in double precision, by sums over blocks
of rows, and the objective that counts is that of the sample with this output. Rows held out for
early stopping are held out of training alone. Of a denoising autoencoder all corrupted copies of
the rows are trained on, and an epoch is a pass through all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.autoencoding import (
    PanelSample,
    Solved,
    output_regressors,
    relative_gradient,
)
from nnecon.estimation.blockwise import BLOCK, single_precision
from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.ridge_output import output_moments, ridge_solution
from nnecon.estimation.rows import cut, empty
from nnecon.estimation.solvers.minibatch import SampleTraining, stream
from nnecon.estimation.solvers.minibatch_steps import Steps, compiled
from nnecon.estimation.training import Training
from nnecon.exceptions import SpecificationError
from nnecon.nets.autoencoder import Autoencoder
from nnecon.nets.whole_autoencoder import WholeAutoencoder


@dataclass(frozen=True, slots=True)
class KnownCells:
    """Half the squared residuals of a row where the series are known, over the number of series."""

    name = "known cells"
    least_squares = True

    def value(self, target: jax.Array, fitted: jax.Array) -> jax.Array:
        """Loss of rows (..., N), NaN where missing."""
        residual = jnp.where(jnp.isnan(target), 0.0, target - fitted)
        return 0.5 * jnp.mean(residual**2, axis=-1)


def check_training(training: Training) -> None:
    """Refuse options that have no meaning for an autoencoder."""
    refused = {
        "dropout": bool(np.any(training.dropout)),
        "batch_norm": training.batch_norm,
        "noise": training.noise > 0,
        "augment": training.augment is not None,
    }
    name = next((name for name, on in refused.items() if on), None)
    if name is not None:
        raise SpecificationError(
            f"{training.name}({name}=...) is not made for autoencoders, whose penalty alpha holds "
            "the network back; leave it out. batch_size, epochs, learning_rate, schedule, warmup, "
            "weight_decay, early_stopping, patience and clip work."
        )


@dataclass(frozen=True, slots=True)
class BatchTraining:
    """How autoencoders are trained in mini-batches.

    Attributes
    ----------
    training : Training
        Adam or SGD with their options.
    seed : int
        Of shuffles and hold-outs.
    blocked : bool
        Whether rows are in time: the last ones are then held out for early stopping.
    """

    training: Training
    seed: int
    blocked: bool

    def __call__(
        self,
        network: Autoencoder,
        sample: PanelSample,
        start: np.ndarray,
        alpha: float,
        monitor: Monitor,
        share: float = 1.0,
    ) -> Solved:
        """Train from one start (n_params,) at one penalty; ``share`` of an item for the monitor."""
        scores, wanted, weights = sample.seen
        whole = WholeAutoencoder(network, wanted.shape[1])
        first = whole.join(start, best_output(network, start, scores, wanted, weights, alpha))
        rows = weights.max(axis=1)
        target = empty(*wanted.shape)
        target[:] = np.where(weights > 0, wanted, np.nan)
        with single_precision():
            course = SampleTraining(
                self.training,
                _steps(whole, self.training),
                jax.device_put(np.asarray(scores, np.float32), may_alias=True),
                jax.device_put(target, may_alias=True),
                rows,
                [self.seed, *stream(start, rows)],
                self.blocked,
                # weights of all cells sum to one
                whole.n_series * rows.sum(),
            )
            trained = course.train(
                0,
                alpha * whole.penalised,
                (whole.penalised > 0).astype(float),
                first,
                first,
                monitor,
                share,
            )
        return evaluated(network, sample, whole.split(trained.params)[0], alpha)._replace(
            iterations=len(trained.history), note=trained.note
        )


def _steps(whole: WholeAutoencoder, training: Training) -> Steps:
    return compiled(whole, KnownCells(), tuple(range(whole.inner.n_inputs)), training)  # type: ignore[arg-type]


class _Sums(NamedTuple):
    moments: Callable[..., tuple[jax.Array, jax.Array]]
    loss_gradient: Callable[..., tuple[jax.Array, jax.Array]]


@lru_cache(maxsize=64)
def _sums(network: Autoencoder) -> _Sums:
    regressors_of = output_regressors(network)

    def moments(params, scores, target, weights):
        return output_moments(regressors_of(params, scores)[1], target, weights)

    def loss(params, output, scores, target, weights):
        residual = target - regressors_of(params, scores)[0] @ output
        return 0.5 * jnp.sum(weights * residual**2)

    return _Sums(cached_jit(moments), cached_jit(jax.value_and_grad(loss)))


def best_output(
    network: Autoencoder,
    params: np.ndarray,
    scores: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    alpha: float,
) -> np.ndarray:
    """The best output layer (n_features, N) for other parameters, by sums over blocks of rows.

    Arguments are those of ``AutoencoderKernels.output``; memory does not grow with the rows.
    """
    gram, cross = np.zeros(1), np.zeros(1)
    with double_precision():
        for _, *block in cut([(scores, target, weights)], min(BLOCK, len(target)), np.float64):
            some, others = _sums(network).moments(params, *block)
            gram, cross = gram + np.asarray(some), cross + np.asarray(others)
        moments = jnp.asarray(gram), jnp.asarray(cross)
        return np.asarray(ridge_solution(*moments, jnp.asarray(alpha * network.penalised_output)))


def evaluated(
    network: Autoencoder, sample: PanelSample, params: np.ndarray, alpha: float
) -> Solved:
    """Objective of the whole sample and its gradient with the best output layer."""
    data = sample.seen
    output = best_output(network, params, *data, alpha)
    value, gradient = 0.0, np.zeros(len(params))
    with double_precision():
        for _, *block in cut([data], min(BLOCK, len(data[0])), np.float64):
            part, slope = _sums(network).loss_gradient(params, output, *block)
            value, gradient = value + float(part), gradient + np.asarray(slope)
    inner, ridge = network.penalised, network.penalised_output
    size = (ridge[:, None] * output**2).sum() / output.shape[1] + (inner * params**2).sum()
    value += 0.5 * alpha * size
    gradient += alpha * inner * params
    return Solved(params, value, relative_gradient(params, gradient, value), 0)
