r"""The recurrent network as a state-space model.

With series :math:`y_t` (m), known regressors :math:`x_t` and states :math:`h_t` (k),

.. math::

    h_t &= g(b + W h_{t-1} + U [y_{t-1}, x_t]) + \eta_t, \\
    y_t &= c + A_1 y_{t-1} + \dots + A_p y_{t-p} + B x_t + V h_t + \varepsilon_t,

(Elman, 1990). Without :math:`V` this is a vector autoregression; with :math:`g(a) = a`, no lags and
no :math:`U` the linear state-space model; without :math:`\eta` the innovations form, in which
:math:`\varepsilon_t` is the error of the one-step forecast. Parameters are one flat vector of the
blocks that :attr:`StateSpaceNetwork.blocks` lists.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.contraction import contraction, expansion
from nnecon.nets.linear_part import BIAS

STARTS = ("zero", "estimated", "conditional", "stationary", "diffuse")
"""How the first state is set; see :class:`StateSpaceNetwork`."""

TINY = 1e-14
"""Share of a ridge that keeps the state which explains the first period defined where loadings are
zero."""


class Parts(NamedTuple):
    """The parameters of a network by name, in the notation of this module.

    ``factor`` and ``state_factor`` are lower triangular with ``factor @ factor.T`` the covariance
    (Student t: the scale matrix) of the errors and of the state's noise; ``df`` is infinite for
    normal errors.
    """

    const: jax.Array
    lags: jax.Array
    exog: jax.Array
    loading: jax.Array
    transition: jax.Array
    bias: jax.Array
    inputs: jax.Array
    start: jax.Array
    factor: jax.Array
    state_factor: jax.Array
    df: jax.Array


@dataclass(frozen=True)
class StateSpaceNetwork:
    """Which parameters there are, where they lie, and one step of the network.

    Parameters
    ----------
    n_series, n_exog, n_states : int
        Series m, known regressors, states k.
    lags : int
        Lags p of the linear part.
    activation : str
        The g; see :data:`nnecon.nets.activations.ACTIVATIONS`.
    innovations : bool
        Whether the last period's series enter the state.
    linear_exog : bool
        Whether known regressors enter linearly.
    seen : tuple of int
        Known regressors that enter the state.
    errors, state_errors : {"unstructured", "diagonal", "none"}
        Covariance of errors and of the state's noise; ``"none"`` for the latter alone.
    student : bool
        Whether the errors are Student t.
    start : {"zero", "estimated", "conditional", "stationary", "diffuse"}
        The state before the first row: zero, parameters, or what makes the error of the period
        before it zero; with noise, the distribution of the state in the first row.
    stable : bool
        Whether :meth:`constrain` keeps the singular values of W up to
        :data:`nnecon.nets.contraction.CEILING`.
    """

    n_series: int
    n_exog: int
    n_states: int
    lags: int
    activation: str = "tanh"
    innovations: bool = True
    linear_exog: bool = True
    seen: tuple[int, ...] = ()
    errors: str = "unstructured"
    state_errors: str = "none"
    student: bool = False
    start: str = "zero"
    stable: bool = False

    @cached_property
    def blocks(self) -> dict[str, tuple[slice, tuple[int, ...]]]:
        """Position and shape of each block; triangles are listed row by row."""
        m, k = self.n_series, self.n_states
        size = {"unstructured": lambda n: n * (n + 1) // 2, "diagonal": lambda n: n}
        shapes = {
            "const": (m,),
            "lags": (self.lags, m, m),
            "exog": (m, self.n_exog if self.linear_exog else 0),
            "loading": (m, k),
            "transition": (k, k),
            "bias": (k,),
            "inputs": (k, self.n_inputs),
            "start": (k if self.start == "estimated" else 0,),
            "factor": (size[self.errors](m),),
            "state_factor": (0 if self.state_errors == "none" else size[self.state_errors](k),),
            "df": (int(self.student),),
        }
        found, at = {}, 0
        for name, shape in shapes.items():
            count = int(np.prod(shape))
            found[name] = slice(at, at + count), shape
            at += count
        return found

    @property
    def n_inputs(self) -> int:
        """Numbers that enter the state beside itself."""
        return self.n_series * self.innovations + len(self.seen)

    @property
    def reach(self) -> int:
        """Periods of the past that a row needs."""
        return max(1, self.lags) if self.innovations else self.lags

    @property
    def noisy(self) -> bool:
        """Whether the state has noise."""
        return self.state_errors != "none"

    @cached_property
    def n_params(self) -> int:
        """Length of the parameter vector."""
        return max(where.stop for where, _ in self.blocks.values())

    def where(self, *names: str) -> np.ndarray:
        """Mask, shape (n_params,), of some blocks."""
        mask = np.zeros(self.n_params, dtype=bool)
        for name in names:
            mask[self.blocks[name][0]] = True
        return mask

    @cached_property
    def penalised(self) -> np.ndarray:
        """Weights of the squared parameters in the penalty, shape (n_params,)."""
        weights = self.where("loading", "transition", "inputs", "start").astype(float)
        weights[self.blocks["bias"][0]] = BIAS
        return weights

    @cached_property
    def scales(self) -> np.ndarray:
        """Mask of standard deviations, shape (n_params,)."""
        mask = np.zeros(self.n_params, dtype=bool)
        for name, kind, n in (
            ("factor", self.errors, self.n_series),
            ("state_factor", self.state_errors, self.n_states),
        ):
            at = self.blocks[name][0]
            if kind == "diagonal":
                mask[at] = True
            elif kind == "unstructured":
                mask[at.start + np.cumsum(np.arange(1, n + 1)) - 1] = True
        return mask

    def unpack(self, params: jax.Array) -> Parts:
        """The parameters by name."""

        def part(name):
            where, shape = self.blocks[name]
            return params[where].reshape(shape)

        m, k = self.n_series, self.n_states
        exog = part("exog") if self.linear_exog else jnp.zeros((m, self.n_exog))
        return Parts(
            part("const"),
            part("lags"),
            exog,
            part("loading"),
            part("transition"),
            part("bias"),
            part("inputs"),
            part("start") if self.start == "estimated" else jnp.zeros(k),
            _triangle(part("factor"), m, self.errors),
            _triangle(part("state_factor"), k, self.state_errors),
            part("df")[0] if self.student else jnp.asarray(jnp.inf),
        )

    def seen_inputs(self, last: jax.Array, exog: jax.Array) -> jax.Array:
        """What enters the state beside itself, from series (..., m) and regressors (..., q)."""
        parts = [last] if self.innovations else []
        parts.append(exog[..., list(self.seen)] if self.seen else exog[..., :0])
        return jnp.concatenate(parts, axis=-1)

    def advance(self, parts: Parts, state: jax.Array, entering: jax.Array) -> jax.Array:
        """The next state (k,) without noise, given ``b + U [y, x]``."""
        return ACTIVATIONS[self.activation](entering + parts.transition @ state)

    def moved(
        self, parts: Parts, state: jax.Array, entering: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The next state (k,) without noise, and the slopes (k,) of the activations there."""
        inside = entering + parts.transition @ state
        activation = ACTIVATIONS[self.activation]
        new, slope = jax.jvp(activation, (inside,), (jnp.ones_like(inside),))
        return new, slope

    def mean(self, parts: Parts, state, past, exog) -> jax.Array:
        """Mean (m,) of the series given the state of the same period."""
        lagged = jnp.einsum("lij,lj->i", parts.lags, past[: self.lags])
        return parts.const + parts.exog @ exog + lagged + parts.loading @ state

    def constrain(self, free: jax.Array) -> jax.Array:
        """Parameters from an unrestricted vector.

        Standard deviations are squares, degrees of freedom two and a square; with ``stable`` the
        transition is a :func:`~nnecon.nets.contraction.contraction`.
        """
        params = jnp.where(jnp.asarray(self.scales), free**2, free)
        if self.student:
            params = params.at[self.blocks["df"][0]].set(2.0 + free[self.blocks["df"][0]] ** 2)
        if self.stable:
            where, shape = self.blocks["transition"]
            params = params.at[where].set(contraction(free[where].reshape(shape)).ravel())
        return params

    def unconstrain(self, params: np.ndarray) -> np.ndarray:
        """The unrestricted vector that leads to these parameters."""
        free = np.array(params, dtype=float)
        free[self.scales] = np.sqrt(np.abs(free[self.scales]))
        if self.student:
            where = self.blocks["df"][0]
            free[where] = np.sqrt(np.maximum(free[where] - 2.0, 0.0))
        if self.stable:
            where, shape = self.blocks["transition"]
            free[where] = expansion(free[where].reshape(shape)).ravel()
        return free

    def init(self, rng: np.random.Generator) -> np.ndarray:
        """Random start of the neural part for standardised data; the rest is zero.

        Recurrent weights are scaled to a spectral radius of .7, input weights have variance one
        over their number, biases are uniform on (-.5, .5), loadings normal with variance .1 / k.
        """
        params, k = np.zeros(self.n_params), self.n_states
        matrix = rng.standard_normal((k, k))
        size = np.linalg.norm(matrix, 2) if self.stable else _radius(matrix)
        params[self.blocks["transition"][0]] = (0.7 / max(size, 1e-6) * matrix).ravel()
        count = k * self.n_inputs
        params[self.blocks["inputs"][0]] = rng.standard_normal(count) / max(self.n_inputs, 1) ** 0.5
        params[self.blocks["bias"][0]] = rng.uniform(-0.5, 0.5, k)
        loading = rng.standard_normal(self.n_series * k) * (0.1 / max(k, 1)) ** 0.5
        params[self.blocks["loading"][0]] = loading
        return params

    def canonical(self, params: np.ndarray) -> np.ndarray:
        """The same function with states in order, so that equal estimates look equal.

        States are sorted by the length of their loadings, and those of odd activations have a
        positive largest loading. States with unstructured noise stay as they are.
        """
        if self.state_errors == "unstructured":
            return np.array(params)
        params = np.array(params, dtype=float)

        def block(name):
            where, shape = self.blocks[name]
            return params[where].reshape(shape)

        loading = block("loading")
        sign = np.ones(self.n_states)
        if self.activation in ("tanh", "linear"):
            rows = np.abs(loading).argmax(axis=0)
            sign = np.where(loading[rows, np.arange(self.n_states)] < 0, -1.0, 1.0)
        order = np.argsort(-np.linalg.norm(loading, axis=0), kind="stable")
        changed = {
            "loading": (loading * sign)[:, order],
            "transition": (sign[:, None] * block("transition") * sign)[order][:, order],
            "bias": (sign * block("bias"))[order],
            "inputs": (sign[:, None] * block("inputs"))[order],
        }
        if self.start == "estimated":
            changed["start"] = (sign * block("start"))[order]
        if self.noisy:
            changed["state_factor"] = block("state_factor")[order]
        for name, values in changed.items():
            params[self.blocks[name][0]] = values.ravel()
        return params

    def names(self, series: tuple[str, ...], exog: tuple[str, ...]) -> list[str]:
        """Parameter names, shape (n_params,), as in statsmodels' VARMAX where they are the same."""
        states = [f"h{j}" for j in range(1, self.n_states + 1)]
        sources = [f"L1.{name}" for name in series] if self.innovations else []
        sources += [exog[at] for at in self.seen]
        names = [f"intercept.{name}" for name in series]
        names += [
            f"L{lag}.{source}.{name}"
            for lag in range(1, self.lags + 1)
            for name in series
            for source in series
        ]
        names += [f"beta.{x}.{name}" for name in series for x in exog if self.linear_exog]
        names += [f"loading.{state}.{name}" for name in series for state in states]
        names += [f"transition.{source}.{state}" for state in states for source in states]
        names += [f"bias.{state}" for state in states]
        names += [f"input.{source}.{state}" for state in states for source in sources]
        names += [f"start.{state}" for state in states if self.start == "estimated"]
        names += _triangle_names(list(series), self.errors)
        names += _triangle_names(states, self.state_errors)
        return names + ["df"] * self.student


def _triangle(values, n: int, kind: str):
    if kind == "none":
        return jnp.zeros((n, n))
    if kind == "diagonal":
        return jnp.diag(values)
    return jnp.zeros((n, n)).at[np.tril_indices(n)].set(values)


def _triangle_names(names: list[str], kind: str) -> list[str]:
    if kind == "none":
        return []
    if kind == "diagonal":
        return [f"sqrt.var.{name}" for name in names]
    return [
        f"sqrt.var.{row}" if row == column else f"sqrt.cov.{column}.{row}"
        for at, row in enumerate(names)
        for column in names[: at + 1]
    ]


def _radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max()) if len(matrix) else 0.0
