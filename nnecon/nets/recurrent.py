r"""Recurrent networks over a window of the past, beside a linear part.

With :math:`x_1, \dots, x_T` the periods of the window, the oldest first, and :math:`h_0 = s_0 = 0`,

.. math::

    \text{LSTM:}\quad & f_t, i_t, o_t = \sigma(W x_t + U h_{t-1} + b), \quad
    \tilde s_t = \tanh(W x_t + U h_{t-1} + b), \\
    & s_t = f_t s_{t-1} + i_t \tilde s_t, \quad h_t = o_t \tanh(s_t), \\
    \text{GRU:}\quad & r_t, z_t = \sigma(W x_t + U h_{t-1} + b), \quad
    \tilde h_t = \tanh(W x_t + U (r_t h_{t-1}) + b), \\
    & h_t = z_t h_{t-1} + (1 - z_t) \tilde h_t, \\
    \text{RNN:}\quad & h_t = \tanh(W x_t + U h_{t-1} + b),

each gate with weights and biases of its own, and :math:`f = x'\gamma + w'h_T`
(Hochreiter and Schmidhuber, 1997; Cho et al., 2014; Elman, 1990). With :math:`w = 0` this is the
classical model. Forget gates, and :math:`z_t` of a GRU, have a one added to what enters them, so
that at small weights the past is kept (Jozefowicz, Zaremba and Sutskever, 2015).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.linear_part import BIAS, Drop, LinearPart, keep
from nnecon.nets.lstm import lstm_bend, lstm_course, lstm_states

GATES = {
    "lstm": ("input", "forget", "output", "candidate"),
    "gru": ("reset", "keep", "candidate"),
    "rnn": ("candidate",),
}
"""Gates of each cell, in the order of their weights; the candidate is the last."""

CANDIDATES = {"tanh": jnp.tanh, "logistic": jax.nn.sigmoid}
"""What is proposed as the new state; ``"logistic"`` is the textbook's variant."""

REMEMBER = 1.0
"""Added to what enters the gates that keep the past."""


@dataclass(frozen=True, slots=True)
class RecurrentLayer:
    """Where one layer lies in the flat parameter vector.

    ``into`` covers a ``(gates * units, inputs)`` matrix in row order, ``within`` one of shape
    ``(gates * units, units)``, ``bias`` a vector of ``gates * units``.
    """

    into: slice
    within: slice
    bias: slice
    gates: int
    units: int
    inputs: int


@dataclass(frozen=True)
class Recurrent(LinearPart):
    """An LSTM, GRU or plain recurrent network of any depth beside a linear part.

    One row of inputs is ``[x, z]``: ``n_linear`` linear regressors, then the window, period by
    period from the oldest, each with ``n_inputs`` numbers and a one where the period is there, a
    zero where the window reaches before the sample; the state then stays what it was. Parameters
    are one flat vector ``[gamma, W1, U1, b1, W2, U2, b2, ..., w]``.

    Parameters
    ----------
    n_linear : int
        Number of linear regressors, the intercept included.
    window : int
        Periods of the window.
    n_inputs : int
        Numbers a period.
    units : tuple of int
        Units of each layer; ``()`` is the linear model.
    cell : {"lstm", "gru", "rnn"}
        Kind of unit.
    candidate : {"tanh", "logistic"}
        Activation of the candidate.
    """

    n_linear: int
    window: int
    n_inputs: int
    units: tuple[int, ...]
    cell: str = "lstm"
    candidate: str = "tanh"

    sequential: ClassVar[bool] = True

    @property
    def layers(self) -> tuple[RecurrentLayer, ...]:
        """Positions of the layers in the parameter vector."""
        gates, layers = len(GATES[self.cell]), []
        at, inputs = self.n_linear, self.n_inputs
        for units in self.units:
            first = at + gates * units * inputs
            second = first + gates * units * units
            last = second + gates * units
            layers.append(
                RecurrentLayer(
                    slice(at, first), slice(first, second), slice(second, last),
                    gates, units, inputs,
                )
            )  # fmt: skip
            at, inputs = last, units
        return tuple(layers)

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.units)

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        if not self.units:
            return self.n_linear
        return self.layers[-1].bias.stop + self.units[-1]

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        weights = self.neural.astype(float)
        for layer in self.layers:
            weights[layer.bias] = BIAS
        return weights

    def apply(self, params: jax.Array, row: jax.Array, drop: Drop = keep) -> jax.Array:
        """Value for one observation; ``row`` is ``[x, z]``.

        ``drop`` acts between layers and on the last state, not from period to period (Zaremba,
        Sutskever and Vinyals, 2014).
        """
        value = row[: self.n_linear] @ params[: self.n_linear]
        if not self.units:
            return value
        periods = row[self.n_linear :].reshape(self.window, self.n_inputs + 1)
        sequence, there = periods[:, :-1], periods[:, -1]
        for number, layer in enumerate(self.layers):
            sequence = drop(number, self._run(layer, params, sequence, there))
        return value + params[self.layers[-1].bias.stop :] @ sequence[-1]

    def values(self, params: jax.Array, rows: jax.Array) -> jax.Array:
        """Values for the rows (n, r), shape (n,); those of LSTMs as in :mod:`nnecon.nets.lstm`."""
        if self.cell != "lstm" or not self.units:
            return super().values(params, rows)
        sequence, there = self._periods(rows)
        for layer in self.layers:
            within, entering = self._entering(layer, params, sequence)
            sequence = lstm_states(self.candidate, within, entering, there)
        linear = rows[:, : self.n_linear] @ params[: self.n_linear]
        return linear + sequence[-1] @ params[self.layers[-1].bias.stop :]

    def _periods(self, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Inputs (window, n, n_inputs), and which periods are there (window, n)."""
        periods = rows[:, self.n_linear :].reshape(-1, self.window, self.n_inputs + 1)
        periods = jnp.swapaxes(periods, 0, 1)
        return periods[..., :-1], periods[..., -1]

    def _entering(
        self, layer: RecurrentLayer, params: jax.Array, sequence: jax.Array, keep: float = REMEMBER
    ) -> tuple[jax.Array, jax.Array]:
        """Weights within an LSTM's layer, and what enters its gates (window, n, 4 * units)."""
        into = params[layer.into].reshape(4 * layer.units, layer.inputs)
        within = params[layer.within].reshape(4 * layer.units, layer.units)
        forget = GATES["lstm"].index("forget") * layer.units
        constant = params[layer.bias].at[forget : forget + layer.units].add(keep)
        return within, sequence @ into.T + constant

    def course(self, params: jax.Array, rows: jax.Array, multipliers: jax.Array) -> Any:
        """What :meth:`bend` needs: of an LSTM with one layer, both loops at ``params``."""
        if self.cell != "lstm" or self.depth != 1:
            return super().course(params, rows, multipliers)
        (layer,) = self.layers
        sequence, there = self._periods(rows)
        within, entering = self._entering(layer, params, sequence)
        slope = multipliers[:, None] * params[layer.bias.stop :]
        both = lstm_course(self.candidate, within, entering, there, slope)
        return sequence, multipliers, both

    def bend(self, course: Any, direction: jax.Array) -> jax.Array:
        """Second derivatives of the sum of :meth:`course` times a direction (n_params,)."""
        if self.cell != "lstm" or self.depth != 1:
            return super().bend(course, direction)
        (layer,) = self.layers
        sequence, multipliers, both = course
        within, entering = self._entering(layer, direction, sequence, 0.0)
        slope = multipliers[:, None] * direction[layer.bias.stop :]
        to_within, to_gates, last = lstm_bend(self.candidate, both, within, entering, slope)
        to_into = jnp.einsum("tng,tni->gi", to_gates, sequence)
        parts = to_into.ravel(), to_within.ravel(), to_gates.sum((0, 1)), multipliers @ last
        return jnp.concatenate([jnp.zeros(self.n_linear, direction.dtype), *parts])

    def gradients(self, params: jax.Array, rows: jax.Array) -> jax.Array:
        """Derivatives of the values by the parameters, shape (n, n_params)."""

        def one(at: jax.Array, row: jax.Array) -> jax.Array:
            return self.values(at, row[None])[0]

        return jax.vmap(jax.grad(one), in_axes=(None, 0))(params, rows)

    def _run(
        self, layer: RecurrentLayer, params: jax.Array, sequence: jax.Array, there: jax.Array
    ) -> jax.Array:
        """States of a layer after each period, shape (window, units)."""
        size = layer.gates * layer.units
        into = params[layer.into].reshape(size, layer.inputs)
        within = params[layer.within].reshape(size, layer.units)
        # what enters from outside is one product for all periods
        outside = sequence @ into.T + params[layer.bias]
        step = {"lstm": self._lstm, "gru": self._gru, "rnn": self._rnn}[self.cell]

        def advance(state, period):
            entering, exists = period
            new = step(within, entering, state)
            kept = tuple(jnp.where(exists > 0, a, b) for a, b in zip(new, state, strict=True))
            return kept, kept[0]

        zero = jnp.zeros(layer.units, params.dtype)
        start = (zero, zero) if self.cell == "lstm" else (zero,)
        # a loop: written out period by period it runs no faster and compiles ten times as long
        _, states = jax.lax.scan(advance, start, (outside, there))
        return states

    def _lstm(self, within, entering, state):
        hidden, cell = state
        admit, forget, output, candidate = jnp.split(entering + within @ hidden, 4)
        proposed = CANDIDATES[self.candidate](candidate)
        cell = jax.nn.sigmoid(forget + REMEMBER) * cell + jax.nn.sigmoid(admit) * proposed
        return jax.nn.sigmoid(output) * jnp.tanh(cell), cell

    def _gru(self, within, entering, state):
        (hidden,) = state
        units = len(hidden)
        reset, keep = jnp.split(entering[: 2 * units] + within[: 2 * units] @ hidden, 2)
        past = within[2 * units :] @ (jax.nn.sigmoid(reset) * hidden)
        proposed = CANDIDATES[self.candidate](entering[2 * units :] + past)
        kept = jax.nn.sigmoid(keep + REMEMBER)
        return (kept * hidden + (1.0 - kept) * proposed,)

    def _rnn(self, within, entering, state):
        return (CANDIDATES[self.candidate](entering + within @ state[0]),)

    def init(self, rng: np.random.Generator) -> np.ndarray:
        """Random start of the neural part (the linear part is zero), for standardised inputs.

        Weights are normal with variance one over the numbers that enter a gate, biases uniform on
        (-1, 1).
        """
        params = np.zeros(self.n_params)
        for layer in self.layers:
            scale = 1.0 / np.sqrt(layer.inputs + layer.units)
            for part in (layer.into, layer.within):
                params[part] = scale * rng.standard_normal(part.stop - part.start)
            params[layer.bias] = rng.uniform(-1.0, 1.0, layer.gates * layer.units)
        if self.units:
            params[-self.units[-1] :] = rng.standard_normal(self.units[-1]) / self.units[-1] ** 0.5
        return params

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with its units in order, so that equal estimates look equal.

        Units are sorted by the length of the weights that leave their layer. Where the candidate is
        odd, the largest of these is made positive.
        """
        params = params.copy()
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            shape = (layer.gates, layer.units)
            into = params[layer.into].reshape(*shape, layer.inputs)
            within = params[layer.within].reshape(*shape, layer.units)
            bias = params[layer.bias].reshape(shape)
            last = number == len(self.layers) - 1
            where = slice(layer.bias.stop, None) if last else self.layers[number + 1].into
            out = params[where].reshape(-1, layer.units)
            sign = np.ones(layer.units)
            if self.candidate == "tanh":
                largest = np.take_along_axis(out, np.abs(out).argmax(axis=0)[None], axis=0)[0]
                sign = np.where(largest < 0, -1.0, 1.0)
            # a unit that changes sign changes its candidate, and what all gates make of it
            into[-1] *= sign[:, None]
            bias[-1] *= sign
            within[-1] *= sign[:, None]
            within = within * sign
            order = np.argsort(-np.linalg.norm(out, axis=0), kind="stable")
            params[layer.into] = into[:, order].ravel()
            params[layer.within] = within[:, order][:, :, order].ravel()
            params[layer.bias] = bias[:, order].ravel()
            params[where] = (out * sign)[:, order].ravel()
        return params

    def names(self, linear_names: tuple[str, ...], input_names: tuple[str, ...]) -> list[str]:
        """Parameter names: ``x``, ``input1.2:growth`` (to unit 2 of layer 1), ``y:h1.2``."""
        names, sources = list(linear_names), list(input_names)
        for number, layer in enumerate(self.layers, 1):
            own = [f"h{number}.{unit}" for unit in range(1, layer.units + 1)]
            gates = [
                f"{gate}{number}.{unit}"
                for gate in GATES[self.cell]
                for unit in range(1, layer.units + 1)
            ]
            names += [f"{gate}:{source}" for gate in gates for source in sources]
            names += [f"{gate}:{unit}" for gate in gates for unit in own]
            names += [f"{gate}:bias" for gate in gates]
            sources = own
        if self.units:
            names += [f"y:{unit}" for unit in sources]
        return names
