r"""Attention over a window of the past, beside a linear part.

With :math:`x_t` the periods of the window and :math:`p_t` the sinusoidal encoding of how long ago
they are,

.. math::

    e_t = E x_t + c + p_t, \quad
    a_t = \operatorname{softmax}_t \frac{(Q e_T)'(K e_t)}{\sqrt{d}}, \quad
    h = \tanh\Big(b + \sum_t a_t V e_t\Big), \quad f = x'\gamma + w'h

for each head, whose :math:`d` units are a part of all units; the query is the last period's
(Vaswani et al., 2017). The weights :math:`a_t`, which are positive and sum to one, say how much
each period counts.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.linear_part import BIAS, Drop, LinearPart, keep


@dataclass(frozen=True)
class Attention(LinearPart):
    """Scaled dot-product attention of the last period to the window.

    Rows are those of :class:`nnecon.nets.Recurrent`. Parameters are one flat vector
    ``[gamma, E, c, Q, K, V, b, w]``.

    Parameters
    ----------
    n_linear : int
        Number of linear regressors, the intercept included.
    window : int
        Periods of the window.
    n_inputs : int
        Numbers a period.
    units : int
        Units of all heads together.
    heads : int
        Number of heads, a divisor of ``units``.
    """

    n_linear: int
    window: int
    n_inputs: int
    units: int
    heads: int = 1

    sequential: ClassVar[bool] = True

    @property
    def parts(self) -> dict[str, slice]:
        """Positions of the matrices and vectors in the parameter vector."""
        u, at, parts = self.units, self.n_linear, {}
        for name, size in (
            ("embedding", u * self.n_inputs), ("centre", u), ("query", u * u), ("key", u * u),
            ("value", u * u), ("bias", u), ("output", u),
        ):  # fmt: skip
            parts[name] = slice(at, at + size)
            at += size
        return parts

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return 1

    @property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return self.parts["output"].stop

    @property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        weights = self.neural.astype(float)
        weights[self.parts["centre"]] = weights[self.parts["bias"]] = BIAS
        return weights

    @property
    def positions(self) -> np.ndarray:
        """Sinusoidal encoding of the periods, shape (window, units); the last period is zero."""
        ago = np.arange(self.window)[::-1, None]
        rate = 10000.0 ** (-(np.arange(self.units) // 2 * 2) / self.units)
        even = np.arange(self.units) % 2 == 0
        return np.where(even, np.sin(ago * rate), np.cos(ago * rate) - 1.0)

    def apply(self, params: jax.Array, row: jax.Array, drop: Drop = keep) -> jax.Array:
        """Value for one observation; ``row`` is ``[x, z]``."""
        _, pooled = self._attend(params, row)
        parts = self.parts
        hidden = drop(0, jnp.tanh(pooled + params[parts["bias"]]))
        linear = row[: self.n_linear] @ params[: self.n_linear]
        return linear + params[parts["output"]] @ hidden

    def weights(self, params: jax.Array, row: jax.Array) -> jax.Array:
        """How much each period counts, shape (heads, window), the oldest first."""
        return self._attend(params, row)[0]

    def _attend(self, params: jax.Array, row: jax.Array) -> tuple[jax.Array, jax.Array]:
        periods = row[self.n_linear :].reshape(self.window, self.n_inputs + 1)
        inputs, there = periods[:, :-1], periods[:, -1]
        parts, u = self.parts, self.units

        def matrix(name: str) -> jax.Array:
            return params[parts[name]].reshape(u, -1)

        embedded = inputs @ matrix("embedding").T + params[parts["centre"]]
        embedded = embedded + jnp.asarray(self.positions, params.dtype)
        shape = (self.window, self.heads, u // self.heads)
        query = (matrix("query") @ embedded[-1]).reshape(shape[1:])
        keys = (embedded @ matrix("key").T).reshape(shape)
        values = (embedded @ matrix("value").T).reshape(shape)
        scores = jnp.einsum("hd,thd->ht", query, keys) / np.sqrt(shape[2])
        counts = jax.nn.softmax(jnp.where(there > 0, scores, -1e30), axis=1)
        return counts, jnp.einsum("ht,thd->hd", counts, values).reshape(u)

    def init(self, rng: np.random.Generator) -> np.ndarray:
        """Random start of the neural part (the linear part is zero), for standardised inputs.

        Weights are normal with variance one over the numbers that enter, biases uniform on (-1, 1).
        """
        params, parts, u = np.zeros(self.n_params), self.parts, self.units
        for name in ("embedding", "query", "key", "value"):
            inputs = self.n_inputs if name == "embedding" else u
            size = parts[name].stop - parts[name].start
            params[parts[name]] = rng.standard_normal(size) / np.sqrt(inputs)
        params[parts["centre"]] = rng.uniform(-1.0, 1.0, u)
        params[parts["bias"]] = rng.uniform(-1.0, 1.0, u)
        params[parts["output"]] = rng.standard_normal(u) / np.sqrt(u)
        return params

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with positive output weights, so that equal estimates look equal."""
        params, parts = params.copy(), self.parts
        sign = np.where(params[parts["output"]] < 0, -1.0, 1.0)
        params[parts["value"]] = (
            sign[:, None] * params[parts["value"]].reshape(self.units, -1)
        ).ravel()
        params[parts["bias"]] *= sign
        params[parts["output"]] *= sign
        return params
