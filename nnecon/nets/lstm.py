r"""The recurrence of an LSTM for all rows at once, with a backward pass written by hand.

With :math:`a_t = e_t + U h_{t-1}` what enters the gates, :math:`e_t` from outside, the derivative
of anything by :math:`U` is :math:`\sum_t \delta_t h_{t-1}'`, where :math:`\delta_t` is the
derivative by :math:`a_t`. The loop backwards finds the :math:`\delta_t` of all rows alone; the sum
over periods and rows is one matrix product after it. Automatic differentiation would add up a
matrix of the size of :math:`U` in every period.
"""

from functools import partial

import jax
import jax.numpy as jnp

Saved = tuple[jax.Array, ...]


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


def _backward(candidate: str, saved: Saved, slopes: jax.Array) -> tuple[jax.Array, ...]:
    """Derivatives by the weights, by what enters, and none by what is there."""
    within, there, states, *course = saved

    def retreat(slope, period):
        to_hidden, to_cell = slope
        exists, own, (cell, admit, forget, output, proposed, bent) = period
        to_hidden = to_hidden + own
        through = to_cell + to_hidden * output * (1.0 - bent * bent)
        steep = 1.0 - proposed * proposed if candidate == "tanh" else proposed * (1.0 - proposed)
        to_gates = jnp.concatenate(
            [
                through * proposed * admit * (1.0 - admit),
                through * cell * forget * (1.0 - forget),
                to_hidden * bent * output * (1.0 - output),
                through * admit * steep,
            ],
            axis=1,
        )
        to_gates = jnp.where(exists, to_gates, 0.0)
        before = to_gates @ within + jnp.where(exists, 0.0, to_hidden)
        return (before, jnp.where(exists, through * forget, to_cell)), to_gates

    zero = jnp.zeros_like(slopes[0])
    periods = (there[:, :, None] > 0, slopes, tuple(course))
    _, to_gates = jax.lax.scan(retreat, (zero, zero), periods, reverse=True)
    # the first period's state before is zero
    to_within = jnp.einsum("tng,tnu->gu", to_gates[1:], states[:-1])
    return to_within, to_gates, jnp.zeros_like(there)


lstm_states.defvjp(_forward, _backward)
