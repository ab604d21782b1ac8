"""Likelihoods of a recurrent state-space network, with exact derivatives, compiled once a shape.

There are three routes to the likelihood, and the data and the specification say which is taken:

===============  ===================================================================================
``innovations``  no noise in the state, and later periods depend on nothing that is missing: errors
                 of one-step forecasts, exact
``plain``        the Kalman filter on the states; lags of the series are known
``augmented``    the Kalman filter on states and lags of the series, any of which may be missing
===============  ===================================================================================
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnecon.estimation.compilation import cached_jit
from nnecon.estimation.innovations import Rows, concentrated, contributions, error_density, one_step
from nnecon.estimation.kalman import DIFFUSE, Filtered, Form, run_filter
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.rows import bucket
from nnecon.nets.state_space import StateSpaceNetwork

ROUTES = ("innovations", "plain", "augmented")


class Moments(NamedTuple):
    """One-step forecasts: means (n, m) and covariances (n, m, m) of the series given the past."""

    mean: np.ndarray
    covariance: np.ndarray


class _Kernels(NamedTuple):
    rowwise: Callable[..., jax.Array]
    scores: Callable[..., jax.Array]
    hessian: Callable[..., jax.Array]
    objective: Callable[..., tuple[jax.Array, jax.Array]]
    moments: Callable[..., tuple[jax.Array, jax.Array]]
    states: Callable[..., tuple[Filtered, jax.Array]]


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of one network by one route, as functions of arrays of NumPy.

    Parameters
    ----------
    network : StateSpaceNetwork
    route : {"innovations", "plain", "augmented"}
    """

    network: StateSpaceNetwork
    route: str

    @property
    def form(self) -> Form:
        """How the network is put into the filter; the innovations form is filtered augmented."""
        return Form(self.network, self.route != "plain")

    def loglikeobs(self, params: np.ndarray, rows: Rows) -> np.ndarray:
        """Log-likelihood of each row, shape (n,)."""
        if self.route != "innovations":
            return self.filter(params, rows)[0].llf
        with double_precision():
            found = _kernels(self).rowwise(params, self.padded(rows))
            return np.asarray(found)[: len(rows.series)]

    def scores(self, params: np.ndarray, rows: Rows) -> np.ndarray:
        """Derivatives of the log-likelihood of each row, shape (n, k)."""
        with double_precision():
            return np.asarray(_kernels(self).scores(params, self.padded(rows)))[: len(rows.series)]

    def score(self, params: np.ndarray, rows: Rows) -> np.ndarray:
        """Derivative of the log-likelihood, shape (k,)."""
        every, none = np.arange(len(params)), np.zeros(len(params))
        each = np.ones(len(rows.series))
        return -self.objective(params, params, every, rows, each, none, False, False)[1]

    def hessian(self, params: np.ndarray, rows: Rows) -> np.ndarray:
        """Second derivatives of the log-likelihood, shape (k, k)."""
        longer = self.padded(rows)
        counted = (np.arange(len(longer.series)) < len(rows.series)).astype(float)
        with double_precision():
            return np.asarray(_kernels(self).hessian(params, longer, counted))

    def objective(
        self, free, whole, index, rows: Rows, weights, ridge, restricted, profiled
    ) -> tuple[float, np.ndarray]:
        """Penalised objective and gradient; see :func:`_kernels`."""
        longer = self.padded(rows)
        if len(weights) < len(longer.series):
            weights = np.pad(weights, (0, len(longer.series) - len(weights)))
        with double_precision():
            value, gradient = _kernels(self).objective(
                free, whole, index, longer, weights, ridge, restricted, profiled
            )
            return float(value), np.asarray(gradient)

    def moments(self, params: np.ndarray, rows: Rows) -> Moments:
        """One-step forecasts of the rows."""
        if self.route != "innovations":
            found = self.filter(params, rows)[0]
            with double_precision():
                return Moments(*map(np.asarray, series_moments(self.form, params, rows, found)))
        with double_precision():
            mean, covariance = _kernels(self).moments(params, self.padded(rows))
            n = len(rows.series)
            return Moments(np.asarray(mean)[:n], np.asarray(covariance)[:n])

    def filter(self, params: np.ndarray, rows: Rows) -> tuple[Filtered, np.ndarray]:
        """Output of the filter, and what the observations are of the state (n, m, s)."""
        n = len(rows.series)
        with double_precision():
            found, design = _kernels(self).states(params, self.padded(rows))
            return jax.tree.map(lambda a: np.asarray(a)[:n], found), np.asarray(design)[:n]

    def padded(self, rows: Rows) -> Rows:
        """Rows with others behind them, so that growing samples meet what is compiled.

        Those are without values in the filter, and repeat the last one otherwise: what they give is
        left out or has no weight. Rows that are padded already stay as they are.
        """
        n = len(rows.series)
        if n == bucket(n):
            return rows
        at = np.minimum(np.arange(bucket(n)), n - 1)
        series = rows.series[at]
        if self.route != "innovations":
            series = np.where(np.arange(len(at))[:, None] < n, series, np.nan)
        return Rows(series, rows.past[at], rows.exog[at])


def constrained(network: StateSpaceNetwork, free: np.ndarray) -> np.ndarray:
    """Parameters (k,) from an unrestricted vector."""
    with double_precision():
        return np.array(network.constrain(jnp.asarray(free)))


@lru_cache(maxsize=64)
def _kernels(likelihood: Likelihood) -> _Kernels:
    """Compile (lazily) what is needed.

    The objective is a function of the free entries of an unrestricted vector: ``free`` (f,),
    ``whole`` (k,), ``index`` (f,), the rows, ``weights`` (n,), ``ridge`` (k,). ``restricted`` says
    whether the vector is unrestricted or the parameters themselves, ``profiled`` whether the
    errors' covariance takes its best value.
    """
    network, form = likelihood.network, likelihood.form
    direct = likelihood.route == "innovations"

    def rowwise(params, rows):
        if direct:
            return contributions(network, params, rows)
        return run_filter(form, params, rows, False)

    def total(params, rows, weights):
        return jnp.sum(weights * rowwise(params, rows))

    def value(free, whole, index, rows, weights, ridge, restricted, profiled):
        vector = jnp.asarray(whole).at[index].set(free)
        params = jnp.where(restricted, network.constrain(vector), vector)
        penalty = 0.5 * jnp.sum(ridge * params**2)
        if direct and not network.student:
            errors = rows.series - one_step(network, params, rows).means
            best = concentrated(network, errors, weights)
            # where it is profiled the factor may be anything, also singular
            regular = jnp.where(profiled & jnp.asarray(network.scales), 1.0, params)
            given = jnp.sum(weights * error_density(network, network.unpack(regular), errors))
            return penalty - jnp.where(profiled, best, given)
        return penalty - jnp.sum(weights * rowwise(params, rows))

    def moments(params, rows):
        parts = network.unpack(params)
        covariance = parts.factor @ parts.factor.T
        if network.student:
            covariance = covariance * parts.df / (parts.df - 2.0)
        means = one_step(network, params, rows).means
        m = network.n_series
        return means, jnp.broadcast_to(covariance, (len(means), m, m))

    def states(params, rows):
        return run_filter(form, params, rows, True), form.system(params, rows).design

    return _Kernels(
        cached_jit(rowwise),
        cached_jit(jax.jacfwd(rowwise)),
        cached_jit(jax.hessian(total)),
        cached_jit(jax.value_and_grad(value)),
        cached_jit(moments),
        cached_jit(states),
    )


def series_moments(form: Form, params, rows: Rows, found: Filtered):
    """One-step means (n, m) and covariances (n, m, m) of the series from the output of the filter.

    Variances are infinite where the state is still diffuse.
    """
    network, k, m = form.network, form.network.n_states, form.network.n_series
    parts = network.unpack(params)
    if form.augmented:
        own = slice(k, k + m)
        mean, spread = found.predicted[:, own], found.predicted_cov[:, own, own]
        diffuse = found.diffuse[:, own, own]
    else:
        lagged = jnp.einsum("lij,tlj->ti", parts.lags, rows.past[:, : network.lags])
        known = parts.const + rows.exog @ parts.exog.T + lagged
        mean = known + found.predicted @ parts.loading.T
        spread = parts.loading @ found.predicted_cov @ parts.loading.T
        spread = spread + parts.factor @ parts.factor.T
        diffuse = parts.loading @ found.diffuse @ parts.loading.T
    size = jnp.diagonal(diffuse, axis1=1, axis2=2)
    return mean, jnp.where((size > DIFFUSE * size.max())[:, :, None], jnp.inf, spread)
