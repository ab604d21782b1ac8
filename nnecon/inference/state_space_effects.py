r"""Average effects of lags on the next period, in a network in innovations form.

.. math::

    \frac{\partial \mu_t}{\partial y_{t-l}} = A_l + V D_t W D_{t-1} W \cdots D_{t-l+1} U, \qquad
    D_t = \operatorname{diag} g'(b + W h_{t-1} + U [y_{t-1}, x_t]),

averaged over the rows that have so many rows before them. Unlike the parameters they are identified
where states are not.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.innovations import Rows, first_state, one_step
from nnecon.estimation.kernels import double_precision
from nnecon.nets import StateSpaceNetwork
from nnecon.nets.activations import ACTIVATIONS


@lru_cache(maxsize=32)
def _kernel(network: StateSpaceNetwork, lags: int):
    slope = jax.vmap(jax.vmap(jax.grad(ACTIVATIONS[network.activation])))

    def effects(params, rows):
        parts = network.unpack(params)
        m = network.n_series
        found = one_step(network, params, rows)
        before = jnp.concatenate([first_state(network, parts, rows)[None], found.states[:-1]])
        last = rows.past[:, 0] if network.reach else jnp.zeros_like(rows.series)
        entering = parts.bias + network.seen_inputs(last, rows.exog) @ parts.inputs.T
        slopes = slope(entering + before @ parts.transition.T)
        into = parts.inputs[:, :m] if network.innovations else jnp.zeros((network.n_states, m))
        through = parts.loading * slopes[:, None, :]
        means = []
        for lag in range(1, lags + 1):
            if lag > 1:
                # rows that have one more row before them
                through = (through[1:] @ parts.transition) * slopes[: 1 - lag, None, :]
            effect = through.mean(axis=0) @ into
            means.append(effect + (parts.lags[lag - 1] if lag <= network.lags else 0.0))
        return jnp.stack(means)

    return cached_jit(effects), cached_jit(jax.jacfwd(effects))


def average_effects(
    network: StateSpaceNetwork, params: np.ndarray, rows: Rows, lags: int
) -> tuple[np.ndarray, np.ndarray]:
    """Effects (l, m, m) and their derivatives (l, m, m, k) by the parameters.

    ``[l, i, j]`` is the effect of series j, ``l + 1`` periods before, on the forecast of series i.
    """
    effects, slopes = _kernel(network, lags)
    with double_precision():
        return np.asarray(effects(params, rows)), np.asarray(slopes(params, rows))
