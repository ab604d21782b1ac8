"""Compiled mini-batch steps in single precision, for data in memory and for streams.

A whole epoch is one compiled loop over batches of row numbers. Numbers that change between
problems (penalty, learning rate, rows, seed) are arguments, so that nothing is compiled again for
other penalties, seeds and folds of the same data.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.kernels import is_sequential
from nnecon.estimation.losses import Loss
from nnecon.estimation.rows import take
from nnecon.estimation.training import Training
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense, LinearPart, Network
from nnecon.nets.training_pass import Moments, Passed, TrainingPass, WindowPass

FORGET = 0.9
"""Share of the running moments of batch normalisation that a batch leaves as they are."""


class Data(NamedTuple):
    """Rows: ``base`` (n, d), ``target`` (n,) and ``weights`` (n,), of mean one."""

    base: jax.Array | np.ndarray
    target: jax.Array | np.ndarray
    weights: jax.Array | np.ndarray


class Settings(NamedTuple):
    """Numbers of one problem: learning rate, ``alpha`` times the weights of the squares (k,),
    weight decay (k,), standard deviation of the noise, steps in all and of the warm-up, seed.
    """

    rate: jax.Array
    ridge: jax.Array
    decay: jax.Array
    noise: jax.Array
    steps: jax.Array
    warmup: jax.Array
    seed: jax.Array


class State(NamedTuple):
    """What a step changes; ``total`` is the sum of the batches' objectives."""

    params: jax.Array
    optimiser: Any
    moments: Moments
    step: jax.Array
    total: jax.Array


class Steps(NamedTuple):
    """Jitted functions of one network, loss and way to train.

    ``start(params)`` gives a state; ``run(state, data, index, first, last, settings)`` goes
    through batches ``first`` to ``last - 1`` of row numbers ``index`` (batches, width), where -1 is
    no row; ``plain(state)`` are parameters (k,) of the network outside training; and
    ``loss(params, data, index, count)`` is its weighted mean loss on ``count`` batches.
    """

    start: Callable[..., State]
    run: Callable[..., State]
    plain: Callable[..., jax.Array]
    loss: Callable[..., jax.Array]


def check(network: Network, training: Training) -> None:
    """Refuse options that this network cannot honour."""
    layered = isinstance(network, LinearPart)
    rates = training.rates(network.depth) if isinstance(network, LinearPart) else (1.0,)
    if not layered and (training.dropout or training.batch_norm):
        raise SpecificationError(
            "dropout and batch_norm act on the hidden layers of hidden=(...), and this network is "
            "a function; leave them out, or use noise= or augment=."
        )
    changed = training.noise or training.augment is not None
    if not rates and (training.dropout or training.batch_norm or changed):
        raise SpecificationError(
            "dropout, batch_norm, noise and augment act on hidden layers, and there are none with "
            "hidden=(); leave them out, or pass hidden=(8,) or the like."
        )
    if is_sequential(network) and (training.batch_norm or changed):
        name = "batch_norm" if training.batch_norm else "noise" if training.noise else "augment"
        raise SpecificationError(
            f"{name} is made for feed-forward networks, and this one reads windows; leave it out, "
            "and use dropout=, weight_decay= or early_stopping= instead."
        )


def compiled(network: Network, loss: Loss, columns: tuple[int, ...], training: Training) -> Steps:
    """Compile (lazily, once a shape) what training needs; ``columns`` as in ``Rows``."""
    # what is an argument of the compiled functions is no reason to compile again
    recipe = replace(
        training,
        learning_rate=1.0,
        batch_size=1,
        epochs=1,
        warmup=0.0,
        weight_decay=float(training.weight_decay > 0),
        noise=float(training.noise > 0),
        early_stopping=None,
        patience=1,
    )
    return _compiled(network, loss, columns, recipe)


@lru_cache(maxsize=64)
def _compiled(network: Network, loss: Loss, columns: tuple[int, ...], training: Training) -> Steps:
    # imported when a network is trained, since it takes a quarter of JAX's import time
    import optax

    direction = training.direction()
    if training.clip is not None:
        direction = optax.chain(optax.clip_by_global_norm(training.clip), direction)
    forward, fold, n_scales, n_moments = _forward(network, training)
    rows_of = _rows_of(columns, network.n_linear if isinstance(network, Dense) else 0, training)

    def batch(data, numbers):
        live = numbers >= 0
        numbers = jnp.maximum(numbers, 0)
        weights = jnp.where(live, data.weights[numbers], 0.0)
        return data.base[numbers], data.target[numbers], weights, jnp.sum(live)

    def step(state, data, numbers, settings):
        base, target, weights, count = batch(data, numbers)
        shares = weights / count
        key = jax.random.fold_in(jax.random.key(settings.seed), state.step)
        rows, target = rows_of(base, target, key, settings.noise)

        def objective(params):
            passed = forward(params, rows, shares, key)
            squares = jnp.sum(settings.ridge * passed.params**2) / 2
            return jnp.sum(shares * loss.value(target, passed.fitted)) + squares, passed.moments

        (value, moments), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
        change, optimiser = direction.update(gradient, state.optimiser, state.params)
        if training.weight_decay:
            decay = jnp.concatenate([settings.decay, jnp.full(n_scales, jnp.max(settings.decay))])
            change = change + decay * state.params
        rate = settings.rate * training.factor(state.step, settings.steps, settings.warmup)
        running = jax.tree.map(
            lambda old, new: FORGET * old + (1 - FORGET) * new, state.moments, moments
        )
        return State(
            state.params - rate * change, optimiser, running, state.step + 1, state.total + value
        )

    def run(state, data, index, first, last, settings):
        return jax.lax.fori_loop(
            first, last, lambda at, now: step(now, data, index[at], settings), state
        )

    def start(params):
        # more than the network's parameters where training goes on after another problem
        lack = network.n_params + n_scales - len(params)
        params = jnp.concatenate([params, jnp.ones(lack, params.dtype)])
        zeros = Moments(jnp.zeros(n_moments), jnp.zeros(n_moments))
        return State(params, direction.init(params), zeros, jnp.int32(0), jnp.float32(0.0))

    def plain(state):
        known = 1 - FORGET ** state.step.astype(jnp.float32)
        return fold(state.params, jax.tree.map(lambda running: running / known, state.moments))

    def mean_loss(params, data, index, count):
        def add(at, sums):
            base, target, weights, _ = batch(data, index[at])
            rows = take(base, columns)
            lost = jnp.sum(weights * loss.value(target, network.values(params, rows)))
            return sums[0] + lost, sums[1] + jnp.sum(weights)

        sums = jax.lax.fori_loop(0, count, add, (jnp.float32(0.0), jnp.float32(0.0)))
        return sums[0] / sums[1]

    return Steps(
        cached_jit(start),
        cached_jit(run, donate_argnums=(0,)),
        cached_jit(plain),
        cached_jit(mean_loss),
    )


def _forward(network: Network, training: Training) -> tuple[Callable, Callable, int, int]:
    """Training pass, its folding, and how many scales and moments it has."""
    if isinstance(network, Dense) and (training.dropout or training.batch_norm):
        passing = TrainingPass(network, training.rates(len(network.hidden)), training.batch_norm)
        return passing.apply, passing.fold, passing.n_scales, passing.n_scales
    if isinstance(network, LinearPart) and training.dropout:
        windows = WindowPass(network, training.rates(network.depth))
        return windows.apply, lambda params, moments: params, 0, 0

    def forward(params, rows, shares, key):
        none = jnp.zeros(0, rows.dtype)
        return Passed(network.values(params, rows), params, Moments(none, none))

    return forward, lambda params, moments: params, 0, 0


def _rows_of(columns: tuple[int, ...], n_linear: int, training: Training) -> Callable:
    """Function from the columns that are kept to the rows of a batch in training."""
    linear, inputs = columns[:n_linear], columns[n_linear:]

    def rows_of(base, target, key, noise):
        part, varied = take(base, inputs), {}
        if training.augment is not None:
            part, target = training.augmented(part, target, jax.random.fold_in(key, 2**16))
            varied = {column: part[:, at] for at, column in enumerate(inputs)}
        if not (varied and linear):
            head = take(base, linear)
        else:
            head = jnp.stack([varied.get(at, base[:, at]) for at in linear], axis=1)
        if training.noise:
            draws = jax.random.normal(jax.random.fold_in(key, 2**16 + 1), part.shape, part.dtype)
            part = part + noise * draws
        return jnp.concatenate([head, part], axis=1), target

    return rows_of


def batches(numbers: np.ndarray, width: int, capacity: int) -> tuple[np.ndarray, int]:
    """Cut row numbers into batches of at most ``width``, whose sizes differ by one at most.

    Returns
    -------
    index : ndarray of int of shape (capacity, width)
        Row numbers, -1 where there is none.
    count : int
        Batches that have rows.
    """
    count = -(-len(numbers) // width)
    size = -(-len(numbers) // count)
    short = count * size - len(numbers)
    full = (count - short) * size
    index = np.full((capacity, width), -1, dtype=np.int32)
    index[: count - short, :size] = numbers[:full].reshape(-1, size)
    index[count - short : count, : size - 1] = numbers[full:].reshape(short, size - 1)
    return index, count


def loss_on(
    steps: Steps, data: Data, numbers: np.ndarray, width: int, capacity: int
) -> Callable[[np.ndarray], float]:
    """Weighted mean loss on some rows, as a function of the network's parameters."""
    index, count = batches(numbers, width, capacity)
    on_device = jnp.asarray(index)

    def loss(params: np.ndarray) -> float:
        return float(steps.loss(params, data, on_device, np.int32(count)))

    return loss
