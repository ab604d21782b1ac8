"""The course of a training: epochs, early stopping, and a sentence about the end."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from nnecon.estimation.execution import Monitor
from nnecon.estimation.solvers.minibatch_steps import State, Steps
from nnecon.estimation.training import Training
from nnecon.exceptions import ConvergenceError, SpecificationError


class Trained(NamedTuple):
    """Where training ended.

    ``params`` (k,) of the network; ``inside`` (p,), those in training, with scales of batch
    normalisation; ``history`` (epochs,) of the objective or, with early stopping, of the loss on
    the rows held out; a ``note``.
    """

    params: np.ndarray
    inside: np.ndarray
    history: np.ndarray
    note: str


def train(
    steps: Steps,
    start: np.ndarray,
    inside: np.ndarray,
    training: Training,
    epoch: Callable[[State], State],
    held_out: Callable[[np.ndarray], float] | None,
    monitor: Monitor,
    share: float,
) -> Trained:
    """Run epochs until the last one or until the loss on held-out rows stops falling.

    Parameters
    ----------
    steps : Steps
        Compiled functions.
    start : ndarray of shape (k,)
        Parameters of the network at the start.
    inside : ndarray of shape (p,)
        Parameters in training at the start.
    training : Training
        The options.
    epoch : callable
        Goes through all batches once, and tells ``monitor`` about its part.
    held_out : callable, optional
        Loss of parameters (k,) on the rows held out.
    monitor : Monitor
        Told about progress.
    share : float
        What this training is of its chain.
    """
    state = steps.start(np.asarray(inside, np.float32))
    history: list[float] = []
    best, least, best_params, best_inside = 0, np.inf, np.asarray(start, np.float32), inside
    if held_out is not None:
        least = held_out(best_params)
    number, params = 0, best_params
    for number in range(1, training.epochs + 1):
        before = int(state.step)
        state = epoch(state)
        objective = float(state.total) / (int(state.step) - before)
        state = state._replace(total=jnp.float32(0.0))
        loss, last = objective, number == training.epochs
        if held_out is not None or last:
            params = np.array(steps.plain(state))
            loss = objective if held_out is None else held_out(params)
        if not (np.isfinite(objective) and np.isfinite(loss) and np.isfinite(params).all()):
            raise ConvergenceError(
                f"{training.name} diverged in epoch {number}: the objective is not a finite "
                f"number. Lower learning_rate={training.learning_rate:g}, or shorten gradients "
                "with clip=1.0."
            )
        history.append(loss)
        if loss < least if held_out is not None else last:
            best, least, best_params, best_inside = number, loss, params, np.array(state.params)
        elif held_out is not None and number - best >= training.patience:
            break
    monitor.advance(share * (1.0 - number / training.epochs))
    ran = "1 epoch" if number == 1 else f"{number} epochs"
    note = f"Ran {ran}."
    if held_out is not None:
        when = f"after epoch {best}" if best else "at the start"
        verb = "Ran" if number == training.epochs else "Stopped early after"
        note = f"{verb} {ran}: the hold-out loss was least {when}."
    return Trained(best_params.astype(float), best_inside, np.array(history), note)


def hold_out_size(training: Training, n_rows: int) -> int:
    """Number of rows to hold out of ``n_rows``."""
    size = max(1, round(training.held_out * n_rows)) if training.held_out else 0
    if n_rows - size < 1:
        raise SpecificationError(
            f"early_stopping={training.held_out:g} holds out all of the {n_rows} rows that there "
            "are; use early_stopping=None."
        )
    return size
