r"""The extended Kalman filter of a recurrent state-space network, exact where it is linear.

Observations of a period are taken one after the other (Koopman and Durbin, 2000): no matrix is
inverted, missing values are steps left out, and singular covariances and exact diffuse starts
(Koopman, 1997) need no other algorithm. Correlated errors are made uncorrelated beforehand, by the
LDL' factors of the covariance of those that are there. Between periods

.. math:: a_{t+1} = f(a_t, x_{t+1}), \qquad P_{t+1} = F_t P_t F_t' + Q, \quad
    F_t = \partial f / \partial a,

with :math:`a_t, P_t` after the period's observations (Anderson and Moore, 1979, chapter 8).

There are two forms. In the *plain* form the state is :math:`h_t`, and lags of the series are known
regressors. In the *augmented* form series and their lags are part of the state,
:math:`(h_t, y_t, \dots, y_{t-r+1})`, and are observed without error: what depends on a missing
value is then as uncertain as the value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nnecon.estimation.innovations import LOG_2PI, Rows, first_state
from nnecon.nets.state_space import Parts, StateSpaceNetwork

TOLERANCE = 1e-13
"""Variances up to this are zero; data are standardised."""

DIFFUSE = 1e-9
"""Diffuse variances up to this are zero, where the first state has one."""

DOUBLINGS = 16
"""Squarings of a transition after which a stable one has vanished."""

FIXED_POINT = 50
"""Steps towards the stationary mean of a nonlinear transition."""


class System(NamedTuple):
    """A state-space model of n periods with uncorrelated errors, for the filter.

    Parameters
    ----------
    observed : (n, m)
        Observations less what is known, NaN where missing.
    design : (n, m, s)
        What they are of the state.
    noise : (n, m)
        Variances of their errors.
    inputs : tree of (n, ...)
        What the transition into each period depends on.
    mean, covariance, diffuse : (s,), (s, s), (s, s)
        The state of the first period.
    spread : (s, s)
        Covariance of the state's noise.
    """

    observed: jax.Array
    design: jax.Array
    noise: jax.Array
    inputs: Any
    mean: jax.Array
    covariance: jax.Array
    diffuse: jax.Array
    spread: jax.Array


class Updates(NamedTuple):
    """What the smoother needs of the m updates of a period: each (m, ...)."""

    error: jax.Array
    variance: jax.Array
    gain: jax.Array
    diffuse_variance: jax.Array
    diffuse_gain: jax.Array


class Filtered(NamedTuple):
    """Output of the filter over n periods; ``s`` is the length of the state.

    ``predicted`` (n, s) and ``filtered`` (n, s) are states before and after the observations of the
    period, with covariances (n, s, s); ``diffuse`` (n, s, s) is the diffuse part before them.
    ``transitions`` (n, s, s) lead from period t to t + 1. ``llf`` (n,) is the log-likelihood.
    """

    llf: Any
    predicted: Any
    predicted_cov: Any
    diffuse: Any
    filtered: Any
    filtered_cov: Any
    transitions: Any
    updates: Updates


@dataclass(frozen=True)
class Form:
    """How a network is put into the filter: plain, or with series in the state.

    Parameters
    ----------
    network : StateSpaceNetwork
    augmented : bool
        Whether series and their lags are part of the state.
    """

    network: StateSpaceNetwork
    augmented: bool

    @property
    def kept(self) -> int:
        """Periods of the series in the state."""
        return max(1, self.network.reach) if self.augmented else 0

    @property
    def size(self) -> int:
        """Length of the state."""
        return self.network.n_states + self.kept * self.network.n_series

    def transition(self, parts: Parts) -> Callable[[jax.Array, Any], tuple[jax.Array, jax.Array]]:
        """The function f, with its derivative (s, s) by the state."""
        network, k, m = self.network, self.network.n_states, self.network.n_series
        if not self.augmented:

            def plain(state, entering):
                new, slope = network.moved(parts, state, entering)
                return new, slope[:, None] * parts.transition

            return plain
        r, size = self.kept, self.size
        lags = (
            jnp.zeros((m, size))
            .at[:, k : k + network.lags * m]
            .set(jnp.swapaxes(parts.lags, 0, 1).reshape(m, -1))
        )
        shift = jnp.eye((r - 1) * m, size, k)

        def advance(state, exog):
            past = state[k:].reshape(r, m)
            entering = parts.bias + parts.inputs @ network.seen_inputs(past[0], exog)
            new, slope = network.moved(parts, state[:k], entering)
            mean = network.mean(parts, new, past, exog)
            states = jnp.zeros((k, size)).at[:, :k].set(slope[:, None] * parts.transition)
            if network.innovations:
                states = states.at[:, k : k + m].set(slope[:, None] * parts.inputs[:, :m])
            series = parts.loading @ states + lags
            matrix = jnp.concatenate([states, series, shift], axis=0)
            return jnp.concatenate([new, mean, past[:-1].ravel()]), matrix

        return advance

    def system(self, params: jax.Array, rows: Rows) -> System:
        """The model of some rows."""
        return self._augmented(params, rows) if self.augmented else self._plain(params, rows)

    def _plain(self, params: jax.Array, rows: Rows) -> System:
        network = self.network
        parts = network.unpack(params)
        last = rows.past[:, 0] if network.reach else jnp.zeros_like(rows.series)
        entering = parts.bias + network.seen_inputs(last, rows.exog) @ parts.inputs.T
        lagged = jnp.einsum("lij,tlj->ti", parts.lags, rows.past[:, : network.lags])
        known = parts.const + rows.exog @ parts.exog.T + lagged
        covariance = parts.factor @ parts.factor.T
        observed, design, noise = uncorrelated(
            rows.series - known, parts.loading, covariance, network.errors == "diagonal"
        )
        mean, variance, diffuse = first_moments(network, parts, rows)
        spread = parts.state_factor @ parts.state_factor.T
        return System(observed, design, noise, entering, mean, variance, diffuse, spread)

    def _augmented(self, params: jax.Array, rows: Rows) -> System:
        network, k, m, r = self.network, self.network.n_states, self.network.n_series, self.kept
        parts = network.unpack(params)
        covariance = parts.factor @ parts.factor.T
        # noise of states and series, and of lags, which have none
        into = jnp.concatenate(
            [jnp.eye(k), parts.loading, jnp.zeros(((r - 1) * m, k))], axis=0
        )  # fmt: skip
        own = jnp.zeros((self.size, m)).at[k : k + m].set(jnp.eye(m))
        spread = into @ (parts.state_factor @ parts.state_factor.T) @ into.T
        spread = spread + own @ covariance @ own.T
        mean, variance, diffuse = first_moments(network, parts, rows)
        past = rows.past[0]
        series = network.mean(parts, mean, past, rows.exog[0])
        state = jnp.concatenate([mean, series, past[: r - 1].ravel()])
        first = into @ variance @ into.T + own @ covariance @ own.T
        design = jnp.zeros((m, self.size)).at[:, k : k + m].set(jnp.eye(m))
        n = len(rows.series)
        return System(
            rows.series,
            jnp.broadcast_to(design, (n, m, self.size)),
            jnp.zeros((n, m)),
            rows.exog,
            state,
            first,
            into @ diffuse @ into.T,
            spread,
        )


def first_moments(
    network: StateSpaceNetwork, parts: Parts, rows: Rows
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean (k,), covariance and diffuse covariance (k, k) of the state in the first row."""
    k = network.n_states
    none = jnp.zeros((k, k))
    if network.start == "diffuse":
        return jnp.zeros(k), none, jnp.eye(k)
    if network.start == "stationary":
        mean, covariance = stationary(network, parts)
        return mean, covariance, none
    before = first_state(network, parts, rows)
    last = rows.past[0, 0] if network.reach else jnp.zeros(network.n_series)
    entering = parts.bias + parts.inputs @ network.seen_inputs(last, rows.exog[0])
    noise = parts.state_factor @ parts.state_factor.T
    return network.advance(parts, before, entering), noise, none


def stationary(network: StateSpaceNetwork, parts: Parts) -> tuple[jax.Array, jax.Array]:
    """Mean and covariance of the state where inputs are at zero, linearised around the mean."""
    k = network.n_states
    identity = jnp.eye(k)

    def move(state):
        return network.advance(parts, state, parts.bias)

    if network.activation == "linear":
        mean, slope = jnp.linalg.solve(identity - parts.transition, parts.bias), parts.transition
    else:
        mean = jax.lax.fori_loop(0, FIXED_POINT, lambda _, at: move(at), jnp.zeros(k))
        mean = jax.lax.stop_gradient(mean)
        # the last steps are Newton's, so that the first two derivatives are right
        for _ in range(2):
            value, slopes = network.moved(parts, mean, parts.bias)
            slope = slopes[:, None] * parts.transition
            mean = mean - jnp.linalg.solve(identity - slope, mean - value)
        slope = network.moved(parts, mean, parts.bias)[1][:, None] * parts.transition
    noise = parts.state_factor @ parts.state_factor.T
    apart = jnp.eye(k * k) - jnp.kron(slope, slope)
    covariance = jnp.linalg.solve(apart, noise.ravel()).reshape(k, k)
    power = jax.lax.stop_gradient(slope)
    power = jax.lax.fori_loop(0, DOUBLINGS, lambda _, at: at @ at, power)
    # an explosive state has no stationary distribution, though the equation has a solution
    stable = jnp.linalg.norm(power) < 1.0
    return mean, jnp.where(stable, 0.5 * (covariance + covariance.T), jnp.nan)


def uncorrelated(
    observed: jax.Array, loading: jax.Array, covariance: jax.Array, diagonal: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Combinations of the observations of each period whose errors are uncorrelated.

    Returns observations (n, m), what they are of the state (n, m, s), variances (n, m).
    """
    n, m = observed.shape
    if diagonal or m == 1:
        noise = jnp.broadcast_to(jnp.diag(covariance), (n, m))
        return observed, jnp.broadcast_to(loading, (n, *loading.shape)), noise
    there = jnp.isfinite(observed)

    def one(values, known):
        both = known[:, None] & known[None, :]
        lower, noise = ldl(jnp.where(both, covariance, jnp.eye(m)))
        joined = jnp.concatenate([jnp.nan_to_num(values)[:, None], loading], axis=1)
        solved = jax.scipy.linalg.solve_triangular(
            lower, joined, lower=True, unit_diagonal=True
        )  # fmt: skip
        return jnp.where(known, solved[:, 0], jnp.nan), solved[:, 1:], noise

    return jax.vmap(one)(observed, there)


def ldl(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Unit lower triangle and variances of ``L diag(d) L'``; the matrix may be singular."""
    m = len(matrix)
    columns, variances = [], []
    for at in range(m):
        variance = matrix[at, at]
        positive = variance > TOLERANCE
        column = jnp.where(positive, matrix[:, at] / jnp.where(positive, variance, 1.0), 0.0)
        column = jnp.where(jnp.arange(m) < at, 0.0, column).at[at].set(1.0)
        matrix = matrix - jnp.where(positive, variance, 0.0) * jnp.outer(column, column)
        columns.append(column)
        variances.append(jnp.maximum(variance, 0.0))
    return jnp.stack(columns, axis=1), jnp.stack(variances)


def _update(carry, observation, diffuse: bool):
    """One observation: state, covariances and log-likelihood after it."""
    state, covariance, unknown = carry
    value, row, noise = observation
    there = jnp.isfinite(value)
    error = jnp.where(there, jnp.nan_to_num(value) - row @ state, 0.0)
    gain = covariance @ row
    variance = row @ gain + noise
    usable = there & (variance > TOLERANCE)
    safe = jnp.where(usable, variance, 1.0)
    share = jnp.where(usable, gain / safe, 0.0)
    llf = jnp.where(usable, -0.5 * (LOG_2PI + jnp.log(safe) + error**2 / safe), 0.0)
    new_state = state + share * error
    new_covariance = covariance - jnp.outer(share, gain)
    if not diffuse:
        kept = Updates(
            error, jnp.where(usable, variance, 0.0), gain, jnp.zeros(()), jnp.zeros_like(gain)
        )
        return (new_state, new_covariance, unknown), llf, kept
    open_gain = unknown @ row
    open_variance = row @ open_gain
    opened = there & (open_variance > DIFFUSE * (row @ row))
    safe_open = jnp.where(opened, open_variance, 1.0)
    first = open_gain / safe_open
    both = jnp.outer(first, gain)
    opened_covariance = covariance + jnp.outer(first, first) * variance - both - both.T
    new = (
        jnp.where(opened, state + first * error, new_state),
        jnp.where(opened, opened_covariance, new_covariance),
        jnp.where(opened, unknown - jnp.outer(first, open_gain), unknown),
    )
    llf = jnp.where(opened, -0.5 * (LOG_2PI + jnp.log(safe_open)), llf)
    kept = Updates(
        error,
        jnp.where(usable | opened, variance, 0.0),
        gain,
        jnp.where(opened, open_variance, 0.0),
        open_gain,
    )
    return new, llf, kept


def run_filter(form: Form, params: jax.Array, rows: Rows, keep: bool) -> Filtered | jax.Array:
    """Filter some rows; without ``keep`` the log-likelihood (n,) alone."""
    network = form.network
    system = form.system(params, rows)
    transition = form.transition(network.unpack(params))
    diffuse = network.start == "diffuse"
    # the transition into the next period; after the last, whatever inputs there are
    following = jax.tree.map(lambda a: jnp.concatenate([a[1:], a[-1:]]), system.inputs)

    # a loop over series compiles faster than its steps written out
    def update(carry, observation):
        new, llf, kept = _update(carry, observation, diffuse)
        return new, (llf, kept)

    def advance(carry, period):
        observed, design, noise, entering = period
        before = carry
        after, (parts, updates) = jax.lax.scan(update, carry, (observed, design, noise))
        llf = jnp.sum(parts)
        state, covariance, unknown = after
        moved, matrix = transition(state, entering)
        spread = matrix @ covariance @ matrix.T + system.spread
        opened = matrix @ unknown @ matrix.T if diffuse else unknown
        new = moved, 0.5 * (spread + spread.T), opened
        if not keep:
            return new, llf
        return new, Filtered(llf, *before, state, covariance, matrix, updates)

    start = system.mean, system.covariance, system.diffuse
    periods = system.observed, system.design, system.noise, following
    return jax.lax.scan(advance, start, periods)[1]
