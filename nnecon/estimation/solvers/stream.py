"""Mini-batch training on data that do not fit in memory, read block by block.

Rows are shuffled in a buffer: whenever it is full, half of its rows, drawn at random, are trained
on and the others wait for the rows of later blocks. Blocks that can be read by number are read in
random order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.blockwise import Block, certificate, single_precision
from nnecon.estimation.execution import Monitor
from nnecon.estimation.losses import Loss
from nnecon.estimation.penalties import Penalty
from nnecon.estimation.problem import Trace
from nnecon.estimation.rows import equal_columns
from nnecon.estimation.solvers.minibatch import problem_settings
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
from nnecon.estimation.solvers.training_course import hold_out_size, train
from nnecon.estimation.training import Training
from nnecon.exceptions import DataError, SpecificationError
from nnecon.nets import Network

BUFFER = 2**16
"""Rows that are shuffled together, and at most held out for early stopping."""


def fit_stream(
    network: Network,
    blocks: Callable[[], Iterable[Block]],
    penalty: Penalty,
    loss: Loss,
    alpha: float,
    training: Training,
    start: np.ndarray,
    monitor: Monitor,
    *,
    rng: int = 0,
    blocked: bool = False,
    buffer: int = BUFFER,
) -> Trace:
    """Train a network on blocks of rows, in memory that does not grow with their number.

    The data are read once to count rows, once if rows are held out, once an epoch, and once for
    the certificate.

    Parameters
    ----------
    network : Network
        The network.
    blocks : callable
        Returns the blocks, the same ones in the same order at every call: inputs (b, r), target
        (b,) and weights (b,). Where it returns a
        ``collections.abc.Sequence``, blocks are read in
        random order.
    penalty : Penalty
        A differentiable penalty.
    loss : Loss
        Loss of one observation.
    alpha : float
        Penalty strength.
    training : Training
        Adam or SGD with their options.
    start : ndarray of shape (k,)
        Start of the parameters.
    monitor : Monitor
        Told about progress, out of one.
    rng : int
        Seed.
    blocked : bool
        Whether rows are in time: the last ones are then held out for early stopping.
    buffer : int
        Rows that are shuffled together, and the most that are held out.

    Returns
    -------
    Trace
        Of one problem.

    Raises
    ------
    SpecificationError
        Options that this network cannot honour, or a penalty that is not differentiable.
    DataError
        There are no rows, or a block has a shape of its own.
    """
    check(network, training)
    if not penalty.smooth:
        raise SpecificationError(
            f"{training.name} needs a differentiable penalty, and the one given sets parameters "
            "to zero; use L1_wt=0."
        )
    source = _Source(blocks, training, buffer, rng, blocked)
    generator = np.random.default_rng([rng, 1])
    width = min(training.batch_size, source.n_train)
    with single_precision():
        steps = compiled(network, loss, tuple(source.columns.tolist()), training)
        settings = problem_settings(
            training, alpha * penalty.ridge, penalty.penalised, source.n_train, width, generator
        )
        shuffle = _Buffer(source, steps, settings, width, buffer, generator)

        def epoch(state: State) -> State:
            return shuffle.epoch(state, monitor, 1 / training.epochs)

        trained = train(
            steps, start, start, training, epoch, _loss_held_out(source, steps, width), monitor, 1.0
        )
    value, size, relative = certificate(
        network, loss, penalty, blocks(), source.n_rows, trained.params, alpha
    )
    return Trace(
        trained.params[None],
        np.array([value]),
        np.array([size]),
        np.array([relative]),
        np.array([len(trained.history)]),
        trained.history,
        trained.note,
    )


class _Source:
    """The blocks, and what a first look at them has found.

    Rows with positive weights are numbered through all blocks; ``held`` are the numbers of those
    held out. ``unique`` and ``columns`` say which columns are kept, and where.
    """

    def __init__(
        self,
        blocks: Callable[[], Iterable[Block]],
        training: Training,
        most: int,
        rng: int,
        blocked: bool,
    ) -> None:
        self.blocks = blocks
        counts: list[int] = []
        total = 0.0

        def look() -> Iterator[np.ndarray]:
            nonlocal total
            for number, (inputs, target, weights) in enumerate(blocks()):
                if not len(inputs) == len(target) == len(weights):
                    raise DataError(
                        f"Block {number} has {len(inputs)} rows of inputs, {len(target)} of the "
                        f"target and {len(weights)} weights."
                    )
                counts.append(int(np.count_nonzero(np.asarray(weights) > 0)))
                total += float(np.sum(weights))
                yield np.asarray(inputs)

        self.unique, self.columns = equal_columns(look())
        self.first = np.cumsum([0, *counts])
        n_rows = int(self.first[-1])
        if not n_rows:
            raise DataError("The blocks have no row with a positive weight.")
        size = min(hold_out_size(training, n_rows), most)
        generator = np.random.default_rng([rng, 0])
        self.held = (
            np.arange(n_rows - size, n_rows)
            if blocked
            else np.sort(generator.choice(n_rows, size, replace=False, shuffle=False))
        )
        self.n_rows, self.n_train = n_rows, n_rows - size
        self.held_rows = self._collect_held()
        self.mean_weight = (total - float(self.held_rows.weights.sum())) / self.n_train

    def part(self, number: int, block: Block, held: bool) -> Data:
        """Rows of a block to train on, or those held out."""
        inputs, target, weights = (np.asarray(part) for part in block)
        positive = np.flatnonzero(weights > 0)
        ends = np.searchsorted(self.held, self.first[number : number + 2])
        mask = np.zeros(len(positive), dtype=bool)
        mask[self.held[ends[0] : ends[1]] - self.first[number]] = True
        rows = positive[mask == held]
        base = inputs[rows[:, None], self.unique]
        return Data(*(part.astype(np.float32) for part in (base, target[rows], weights[rows])))

    def _collect_held(self) -> Data:
        parts = [
            self.part(number, block, held=True)
            for number, block in enumerate(self.blocks() if len(self.held) else ())
        ]
        empty = Data(np.zeros((0, len(self.unique)), np.float32), *np.zeros((2, 0), np.float32))
        return Data(*(np.concatenate(list(column)) for column in zip(empty, *parts, strict=True)))

    def training_parts(self, generator: np.random.Generator) -> Iterator[Data]:
        """Rows to train on, in random order of the blocks where these can be read by number."""
        blocks = self.blocks()
        if isinstance(blocks, Sequence):
            for number in generator.permutation(len(blocks)):
                yield self.part(number, blocks[number], held=False)
        else:
            for number, block in enumerate(blocks):
                yield self.part(number, block, held=False)


class _Buffer:
    """Rows that wait for their batch."""

    def __init__(
        self,
        source: _Source,
        steps: Steps,
        settings: Settings,
        width: int,
        size: int,
        generator: np.random.Generator,
    ) -> None:
        self.source, self.steps, self.settings = source, steps, settings
        self.width, self.generator = width, generator
        # at least two batches, one of which waits
        self.size = min(max(size, 2 * width), source.n_train)
        self.data = Data(
            np.empty((self.size, len(source.unique)), np.float32),
            *np.empty((2, self.size), np.float32),
        )

    def epoch(self, state: State, monitor: Monitor, share: float) -> State:
        """Train on every row once."""
        filled = 0
        for part in self.source.training_parts(self.generator):
            at = 0
            while at < len(part.target):
                taken = min(self.size - filled, len(part.target) - at)
                for own, new in zip(self.data, part, strict=True):
                    own[filled : filled + taken] = new[at : at + taken]
                at, filled = at + taken, filled + taken
                if filled == self.size < self.source.n_train:
                    state, filled = self._train(state, filled, monitor, share, everything=False)
        if filled:
            state, filled = self._train(state, filled, monitor, share, everything=True)
        return state

    def _train(
        self, state: State, filled: int, monitor: Monitor, share: float, everything: bool
    ) -> tuple[State, int]:
        """Train on whole batches of half the rows, or on all; returns how many rows wait."""
        order = self.generator.permutation(filled).astype(np.int32)
        used = filled if everything else max(self.size // 2 // self.width, 1) * self.width
        index, count = batches(order[:used], self.width, -(-self.size // self.width))
        # the copy is trained on while the buffer is filled again; no second copy waits
        jax.block_until_ready(state)
        monitor.check()
        base, target, weights = (jnp.array(part) for part in self.data)
        data = Data(base, target, weights / self.source.mean_weight)
        state = self.steps.run(state, data, index, np.int32(0), np.int32(count), self.settings)
        for part in self.data:
            part[: filled - used] = part[order[used:]]
        monitor.advance(share * used / self.source.n_train)
        return state, filled - used


def _loss_held_out(
    source: _Source, steps: Steps, width: int
) -> Callable[[np.ndarray], float] | None:
    n_held = len(source.held)
    if not n_held:
        return None
    rows = Data(*(jnp.asarray(part) for part in source.held_rows))
    return loss_on(steps, rows, np.arange(n_held), width, -(-n_held // width))
