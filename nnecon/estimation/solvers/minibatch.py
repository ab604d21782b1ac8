r"""Mini-batch training (Adam, stochastic gradient descent) for large samples, through optax.

A batch of :math:`b` rows, drawn without replacement from the :math:`m` rows with positive weights,
has the objective

.. math::

    \frac1b \sum_{i \in B} \frac{w_i}{\bar w}\, \ell(y_i, f(x_i; \theta)) + \alpha\, P(\theta) ,
    \qquad \bar w = \frac1m \sum_i w_i ,

whose expectation is the objective of the whole sample.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.blockwise import BLOCK, DOUBLE, certificate, single_precision
from nnecon.estimation.estimate import Solver
from nnecon.estimation.execution import Monitor
from nnecon.estimation.problem import Chain, Objective, Options, Trace
from nnecon.estimation.rows import Rows
from nnecon.estimation.solvers.minibatch_steps import (
    Data,
    Settings,
    State,
    Steps,
    batches,
    check,
    compiled,
    loss_on,
)
from nnecon.estimation.solvers.training_course import Trained, hold_out_size, train
from nnecon.estimation.training import Training
from nnecon.exceptions import SpecificationError

CHECKED = 256
"""Batches between two looks at whether to leave."""


def solver_for(training: Training, rng: int = 0, blocked: bool = False) -> Solver:
    """Solver that trains as told.

    Parameters
    ----------
    training : Training
        Adam or SGD with their options.
    rng : int
        Seed of shuffles, hold-outs, dropout, noise and augmentation.
    blocked : bool
        Whether rows are in time: the last ones are then held out for early stopping.
    """
    return Solver(
        training.name, Minibatch(training, rng, blocked), lanes=1, smooth=True, stochastic=True
    )


@dataclass(frozen=True)
class Minibatch:
    """A solver of chains of problems; see :func:`solver_for` for the parameters."""

    training: Training
    rng: int = 0
    blocked: bool = False

    def __call__(
        self, objective: Objective, chains: list[Chain], options: Options, monitor: Monitor
    ) -> list[Trace]:
        """Train on chains one after the other; epochs are those of ``training``."""
        check(objective.network, self.training)
        rows = Rows.of(objective.inputs)
        with single_precision():
            # columns that are the same travel once; on a CPU they stay where they are
            base = jax.device_put(rows.base, may_alias=True)
            target = jnp.asarray(np.asarray(objective.target, np.float32))
            columns = tuple(rows.columns.tolist())
            steps = compiled(objective.network, objective.loss, columns, self.training)
            return [
                _ChainTraining(self, objective, chain, steps, rows, base, target).trace(monitor)
                for chain in chains
            ]


class SampleTraining:
    """Training on the rows of a sample that have weights: rows held out, shuffles, epochs.

    Parameters
    ----------
    training : Training
        The options.
    steps : Steps
        Compiled functions.
    base, target : Array
        Rows (n, d) and what they are to be mapped to, the first axis of length n.
    weights : ndarray of shape (n,)
        Zero leaves a row out.
    seed : sequence of int
        Of shuffles and hold-outs.
    blocked : bool
        Whether rows are in time.
    scale : float
        What a row of mean weight counts.
    """

    def __init__(
        self,
        training: Training,
        steps: Steps,
        base: jax.Array,
        target: jax.Array,
        weights: np.ndarray,
        seed: Sequence[int],
        blocked: bool,
        scale: float = 1.0,
    ) -> None:
        self.training, self.steps, self.seed = training, steps, list(seed)
        sampled = np.flatnonzero(weights > 0).astype(np.int32)
        if not len(sampled):
            raise SpecificationError("All weights are zero; there is no row to train on.")
        held = hold_out_size(training, len(sampled))
        mean = weights[sampled].mean()
        if held and not blocked:
            sampled = np.random.default_rng(self.seed).permutation(sampled)
        self.rows, self.held = sampled[: len(sampled) - held], sampled[len(sampled) - held :]
        n = len(weights)
        self.width = min(training.batch_size, n)
        self.capacity = -(-n // self.width)
        if held:
            mean = weights[self.rows].mean()
        shares = (scale * weights / mean).astype(np.float32)
        self.data = Data(base, target, jnp.asarray(shares))

    def train(
        self,
        position: int,
        ridge: np.ndarray,
        penalised: np.ndarray,
        start: np.ndarray,
        inside: np.ndarray,
        monitor: Monitor,
        share: float,
    ) -> Trained:
        """Train once.

        Parameters
        ----------
        position : int
            Which of the sample's problems it is, for its random numbers.
        ridge : ndarray of shape (k,)
            The penalty times the weights of the squared parameters.
        penalised : ndarray of shape (k,)
            One where weight decay acts.
        start, inside : ndarray
            As in :func:`nnecon.estimation.solvers.training_course.train`.
        monitor : Monitor
            Told about progress.
        share : float
            What this training is of what the monitor counts.
        """
        generator = np.random.default_rng([*self.seed, position])
        settings = problem_settings(
            self.training, ridge, penalised, len(self.rows), self.width, generator
        )
        shuffled, left = [self._shuffle(generator)], [self.training.epochs - 1]

        def epoch(state: State) -> State:
            index, count = shuffled.pop()
            for first in range(0, count, CHECKED):
                # the device is never far behind, so that one who asks to leave does not wait
                jax.block_until_ready(state)
                monitor.check()
                last = min(first + CHECKED, count)
                state = self.steps.run(
                    state, self.data, index, np.int32(first), np.int32(last), settings
                )
                monitor.advance(share * (last - first) / count / self.training.epochs)
            if left[0]:
                # while the device is at work
                shuffled.append(self._shuffle(generator))
                left[0] -= 1
            return state

        held_out = None
        if len(self.held):
            held_out = loss_on(self.steps, self.data, self.held, self.width, self.capacity)
        return train(self.steps, start, inside, self.training, epoch, held_out, monitor, share)

    def _shuffle(self, generator: np.random.Generator) -> tuple[jax.Array, int]:
        index, count = batches(generator.permutation(self.rows), self.width, self.capacity)
        return jnp.asarray(index), count


class _ChainTraining:
    """One chain: its rows, its random numbers, its problems."""

    def __init__(
        self,
        solver: Minibatch,
        objective: Objective,
        chain: Chain,
        steps: Steps,
        rows: Rows,
        base: jax.Array,
        target: jax.Array,
    ) -> None:
        self.objective, self.chain = objective, chain
        self.inputs = objective.inputs if len(rows) <= DOUBLE else rows
        seed = [solver.rng, *stream(chain.start, chain.weights)]
        self.sample = SampleTraining(
            solver.training, steps, base, target, chain.weights, seed, solver.blocked
        )

    def trace(self, monitor: Monitor) -> Trace:
        """Problems one after the other."""
        objective, chain = self.objective, self.chain
        found: list[Trained] = []
        records = []
        blocks = [(self.inputs, objective.target, chain.weights)]
        for position, (alpha, after) in enumerate(zip(chain.alphas, chain.after, strict=True)):
            start = chain.start if after < 0 else found[after].params
            inside = chain.start if after < 0 else found[after].inside
            trained = self.sample.train(
                position,
                float(alpha) * objective.penalty.ridge,
                objective.penalised,
                start,
                inside,
                monitor,
                1 / len(chain.alphas),
            )
            found.append(trained)
            records.append(
                certificate(
                    objective.network,
                    objective.loss,
                    objective.penalty,
                    blocks,
                    len(chain.weights),
                    trained.params,
                    float(alpha),
                    min(BLOCK, len(chain.weights)),
                )
            )
        loss, penalty, relative = np.array(records).T
        return Trace(
            np.array([trained.params for trained in found]),
            loss,
            penalty,
            relative,
            np.array([len(trained.history) for trained in found]),
            found[-1].history,
            found[-1].note,
        )


def stream(start: np.ndarray, weights: np.ndarray) -> list[int]:
    """Numbers that depend on a start and on which rows have weight, to seed a random stream.

    Neither the order in which problems are solved nor the unit of the weights matters.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(start).tobytes(), digest_size=16)
    digest.update(np.packbits(weights > 0).tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint32).tolist()


def problem_settings(
    training: Training,
    ridge: np.ndarray,
    penalised: np.ndarray,
    n_rows: int,
    width: int,
    generator: np.random.Generator,
) -> Settings:
    """Numbers of one problem; ``ridge`` has ``alpha`` in it."""
    a_pass = -(-n_rows // width)
    return Settings(
        rate=jnp.float32(training.learning_rate),
        ridge=jnp.asarray(np.asarray(ridge, np.float32)),
        decay=jnp.asarray(np.asarray(training.weight_decay * penalised, np.float32)),
        noise=jnp.float32(training.noise),
        steps=jnp.float32(training.epochs * a_pass),
        warmup=jnp.float32(training.warmup * a_pass),
        seed=jnp.uint32(generator.integers(2**32)),
    )
