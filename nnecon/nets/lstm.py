r"""The recurrence of an LSTM for all rows at once, with a backward pass written by hand.

With :math:`a_t = e_t + U h_{t-1}` what enters the gates, :math:`e_t` from outside, the derivative
of anything by :math:`U` is :math:`\sum_t \delta_t h_{t-1}'`, where :math:`\delta_t` is the
derivative by :math:`a_t`. The loop backwards finds the :math:`\delta_t` of all rows alone; the sum
over periods and rows is one matrix product after it. Automatic differentiation would add up a
matrix of the size of :math:`U` in every period.

Products of second derivatives with vectors go both ways once more, with derivatives along the
vector in the place of values (Pearlmutter, 1994). What both loops found at the point is kept, so
that products with several vectors compute no activation again.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

Saved = tuple[jax.Array, ...]


class Course(NamedTuple):
    """What products with second derivatives at one point share.

    ``there`` (window, n, 1), ``hidden`` and ``course``, the states and activations (window, n,
    units) of both loops in the order of :func:`_to_gates`, and ``to_gates`` (window, n, 4 * units).
    """

    within: jax.Array
    there: jax.Array
    hidden: jax.Array
    course: Saved
    to_gates: jax.Array


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def lstm_states(
    candidate: str, within: jax.Array, entering: jax.Array, there: jax.Array
) -> jax.Array:
    """States of one layer after each period, from zero.

    Parameters
    ----------
    candidate : {"tanh", "logistic"}
        Activation of the candidate.
    within : array of shape (4 * units, units)
        Weights from the state to input, forget and output gate and to the candidate.
    entering : array of shape (window, n, 4 * units)
        What enters these from outside, constants included.
    there : array of shape (window, n)
        One where a row has the period, zero where its state stays as it is.

    Returns
    -------
    array of shape (window, n, units)
    """
    return _forward(candidate, within, entering, there)[0]


def _logistic(entering: jax.Array) -> jax.Array:
    # the hyperbolic tangent is the faster function
    return 0.5 * jnp.tanh(0.5 * entering) + 0.5


def _forward(
    candidate: str, within: jax.Array, entering: jax.Array, there: jax.Array
) -> tuple[jax.Array, Saved]:
    """States, and what the way back needs."""
    units = within.shape[1]
    across = within.T
    propose = jnp.tanh if candidate == "tanh" else _logistic

    def advance(state, period):
        hidden, cell = state
        outside, exists = period
        gates = outside + hidden @ across
        admit, forget, output = jnp.split(_logistic(gates[:, : 3 * units]), 3, axis=1)
        proposed = propose(gates[:, 3 * units :])
        moved = forget * cell + admit * proposed
        bent = jnp.tanh(moved)
        new = jnp.where(exists, output * bent, hidden), jnp.where(exists, moved, cell)
        return new, (new[0], (cell, admit, forget, output, proposed, bent))

    exists = there[:, :, None] > 0
    zero = jnp.zeros((entering.shape[1], units), entering.dtype)
    _, (states, saved) = jax.lax.scan(advance, (zero, zero), (entering, exists))
    return states, (within, there, states, *saved)


def _to_gates(
    candidate, to_hidden, to_cell, cell, admit, forget, output, proposed, bent
) -> tuple[jax.Array, jax.Array]:
    """Derivatives by what enters the gates and by the cell before, from those by state and cell."""
    through = to_cell + to_hidden * output * (1.0 - bent * bent)
    to_gates = [
        through * proposed * admit * (1.0 - admit),
        through * cell * forget * (1.0 - forget),
        to_hidden * bent * output * (1.0 - output),
        through * admit * _steepness(candidate, proposed),
    ]
    return jnp.concatenate(to_gates, axis=1), through * forget


def _steepness(candidate: str, proposed: jax.Array) -> jax.Array:
    """Derivative of the candidate's activation, from its value."""
    return 1.0 - proposed * proposed if candidate == "tanh" else proposed * (1.0 - proposed)


def _retreat(
    candidate: str, saved: Saved, slopes: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Derivatives by what enters the gates, by states and by cells, each (window, n, ...)."""
    within, there, _, *course = saved

    def retreat(slope, period):
        to_hidden, to_cell = slope
        exists, own, course = period
        to_hidden = to_hidden + own
        to_gates, through = _to_gates(candidate, to_hidden, to_cell, *course)
        to_gates = jnp.where(exists, to_gates, 0.0)
        before = to_gates @ within + jnp.where(exists, 0.0, to_hidden)
        found = to_gates, to_hidden, to_cell
        return (before, jnp.where(exists, through, to_cell)), found

    zero = jnp.zeros_like(slopes[0])
    periods = (there[:, :, None] > 0, slopes, tuple(course))
    return jax.lax.scan(retreat, (zero, zero), periods, reverse=True)[1]


def _backward(candidate: str, saved: Saved, slopes: jax.Array) -> tuple[jax.Array, ...]:
    """Derivatives by the weights, by what enters, and none by what is there."""
    _, there, states, *_ = saved
    to_gates, _, _ = _retreat(candidate, saved, slopes)
    # the first period's state before is zero
    to_within = jnp.einsum("tng,tnu->gu", to_gates[1:], states[:-1])
    return to_within, to_gates, jnp.zeros_like(there)


lstm_states.defvjp(_forward, _backward)


def lstm_course(
    candidate: str, within: jax.Array, entering: jax.Array, there: jax.Array, slope: jax.Array
) -> Course:
    """Both loops at one point, for sums over the last states times ``slope`` (n, units).

    The other arguments are those of :func:`lstm_states`.
    """
    states, saved = _forward(candidate, within, entering, there)
    to_gates, *to_state = _retreat(candidate, saved, jnp.zeros_like(states).at[-1].set(slope))
    hidden = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    return Course(within, there[:, :, None], hidden, (*to_state, *saved[3:]), to_gates)


def lstm_bend(
    candidate: str, course: Course, within: jax.Array, entering: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Derivatives of first derivatives along a direction.

    Parameters
    ----------
    candidate : {"tanh", "logistic"}
        Activation of the candidate.
    course : Course
        The point.
    within, entering, slope : arrays
        The direction's part in each, shapes as in :func:`lstm_course`.

    Returns
    -------
    to_within, to_entering : arrays
        Change of the derivatives by ``within`` (4 * units, units) and by what enters (window, n,
        4 * units).
    last : array of shape (n, units)
        Change of the last states.
    """
    there, hidden = course.there > 0, course.hidden
    across = course.within.T
    zero = jnp.zeros_like(slope)

    def advance(moves, period):
        to_hidden, to_cell = moves
        exists, outside, (cell, admit, forget, output, proposed, bent) = period
        parts = jnp.split(outside + to_hidden @ across, 4, axis=1)
        admitted = admit * (1.0 - admit) * parts[0]
        forgotten = forget * (1.0 - forget) * parts[1]
        put_out = output * (1.0 - output) * parts[2]
        offered = _steepness(candidate, proposed) * parts[3]
        moved = forgotten * cell + forget * to_cell + admitted * proposed + admit * offered
        bending = (1.0 - bent * bent) * moved
        new = put_out * bent + output * bending
        after = jnp.where(exists, new, to_hidden), jnp.where(exists, moved, to_cell)
        return after, (to_hidden, (to_cell, admitted, forgotten, put_out, offered, bending))

    outside = entering + hidden @ within.T
    (last, _), (moves, along) = jax.lax.scan(
        advance, (zero, zero), (there, outside, course.course[2:])
    )

    def retreat(slopes, period):
        to_hidden, to_cell = slopes
        exists, own, at, along = period
        moves = (to_hidden, to_cell, *along)
        # polynomials of what is kept: their derivative takes no activation
        _, (to_gates, through) = jax.jvp(partial(_to_gates, candidate), at, moves)
        to_gates = jnp.where(exists, to_gates, 0.0)
        before = to_gates @ course.within + own + jnp.where(exists, 0.0, to_hidden)
        return (before, jnp.where(exists, through, to_cell)), to_gates

    periods = (there, course.to_gates @ within, course.course, along)
    _, to_gates = jax.lax.scan(retreat, (slope, zero), periods, reverse=True)
    to_within = jnp.einsum("tng,tnu->gu", to_gates, hidden)
    to_within = to_within + jnp.einsum("tng,tnu->gu", course.to_gates, moves)
    return to_within, to_gates, last
