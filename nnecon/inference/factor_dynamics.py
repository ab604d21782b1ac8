r"""Factors that follow a vector autoregression, and what they say about the panel to come.

.. math:: f_t = c + A_1 f_{t-1} + \dots + A_p f_{t-p} + u_t, \qquad x_t = g(f_t) + e_t,

by least squares on estimated factors (Doz, Giannone and Reichlin, 2011, of principal components).
Where g is linear, forecasts are :math:`g` of the autoregression's and their mean squared errors
:math:`B' \mathrm{MSE}_h B + \Psi` with :math:`\Psi` the variances of e. Otherwise factors are
simulated and the forecast is the mean of g over paths, as :math:`E\, g(f) \ne g(E f)`.
"""

from dataclasses import dataclass

import numpy as np

from nnecon.estimation.autoencoding import PanelSample
from nnecon.estimation.dynamic_autoencoding import behind, dynamic_kernels
from nnecon.estimation.kernels import double_precision
from nnecon.estimation.rows import bucket
from nnecon.inference.dynamics import Linear, Moments, forecast_moments
from nnecon.inference.factor_map import (
    ComponentMap,
    FactorMap,
    NetworkMap,
    output_layer,
    regressors,
)
from nnecon.inference.simulation import draw_shocks
from nnecon.nets.autoencoder import Autoencoder

CRITERIA = ("aic", "bic", "hqic")
"""Criteria that choose the number of lags."""


@dataclass(frozen=True, slots=True, eq=False)
class FactorVAR:
    """An estimated autoregression of k factors.

    Attributes
    ----------
    system : Linear
        Coefficients, constant, and covariance of the errors with statsmodels' degrees of freedom.
    resid : ndarray of shape (n, k)
        Errors of the rows that were estimated on.
    """

    system: Linear
    resid: np.ndarray

    @property
    def scaled_resid(self) -> np.ndarray:
        """The errors with the covariance that the system has."""
        n, order, k = len(self.resid), *self.system.coefs.shape[:2]
        return self.resid * np.sqrt(n / (n - 1 - order * k))

    @property
    def largest_root(self) -> float:
        """Largest absolute eigenvalue of the companion matrix; under one if stationary."""
        order, k = self.system.coefs.shape[:2]
        companion = np.eye(order * k, k=-k)
        companion[:k] = np.concatenate(list(self.system.coefs), axis=1)
        return float(np.abs(np.linalg.eigvals(companion)).max())


def _lags(factors: np.ndarray, order: int) -> np.ndarray:
    n = len(factors)
    parts = [factors[order - lag : n - lag] for lag in range(1, order + 1)]
    return np.concatenate([np.ones((n - order, 1)), *parts], axis=1)


def factor_var(factors: np.ndarray, order: int, usable: np.ndarray | None = None) -> FactorVAR:
    """Vector autoregression by least squares, as statsmodels' ``VAR(factors).fit(order)``.

    Parameters
    ----------
    factors : ndarray of shape (T, k)
    order : int
        Lags p.
    usable : ndarray of bool of shape (T - p,), optional
        Rows from p on that are estimated on.
    """
    past, now = _lags(factors, order), factors[order:]
    if usable is not None:
        past, now = past[usable], now[usable]
    coefs = np.linalg.lstsq(past, now, rcond=None)[0]
    resid = now - past @ coefs
    k = factors.shape[1]
    covariance = resid.T @ resid / (len(resid) - past.shape[1])
    by_lag = coefs[1:].reshape(order, k, k).transpose(0, 2, 1)
    return FactorVAR(Linear(by_lag, coefs[:1], covariance), resid)


def choose_order(factors: np.ndarray, criterion: str) -> int:
    """Lags, at least one, with the least value of a criterion, as ``VAR.select_order`` has it.

    All orders are estimated on the same rows, up to :math:`12 (T/100)^{1/4}` lags or what the rows
    allow.

    Parameters
    ----------
    factors : ndarray of shape (T, k)
    criterion : {"aic", "bic", "hqic"}
    """
    n_obs, k = factors.shape
    most = max(1, min(round(12 * (n_obs / 100) ** 0.25), (n_obs - 1 - k) // (2 * k + 1)))
    n = n_obs - most
    weight = {"aic": 2.0, "bic": np.log(n), "hqic": 2.0 * np.log(np.log(n))}[criterion]
    scores = []
    for order in range(1, most + 1):
        resid = factor_var(factors[most - order :], order).resid
        free = k * (1 + k * order)
        scores.append(np.linalg.slogdet(resid.T @ resid / n)[1] + weight * free / n)
    return 1 + int(np.argmin(scores))


def one_step(system: Linear, factors: np.ndarray) -> np.ndarray:
    """Predictions (T - p, k) of the rows from p on, each from the rows before it."""
    order, k = system.coefs.shape[:2]
    coefs = np.concatenate([system.fixed, system.coefs.transpose(0, 2, 1).reshape(order * k, k)])
    return _lags(factors, order) @ coefs


def sample_output(
    network: Autoencoder, sample: PanelSample, params: np.ndarray, alpha: float
) -> np.ndarray:
    """The output layer (n_features, N) that is the best for other parameters, as estimated."""
    if sample.dynamics is None:
        return output_layer(network, params, *sample.seen, alpha)
    data = sample.dynamics.data(*sample.seen)
    with double_precision():
        output = dynamic_kernels(network, sample.dynamics.order).output
        return np.asarray(output(params, *data, alpha))


def one_step_regressors(
    network: Autoencoder,
    order: int,
    params: np.ndarray,
    scores: np.ndarray,
    usable: np.ndarray,
) -> np.ndarray:
    """Mean regressors of the decoder (T - p, n_features) given the rows before, as estimated."""
    n_rows = bucket(len(scores))
    used = behind(usable.astype(float), n_rows - order)
    with double_precision():
        ahead = dynamic_kernels(network, order).ahead
        return np.asarray(ahead(params, behind(scores, n_rows), used))[: len(usable)]


def factor_moments(system: Linear, factors: np.ndarray, steps: int) -> Moments:
    """Means and mean squared errors of the factors after the last row, exactly."""
    k = factors.shape[1]
    return forecast_moments(system, factors, np.empty((steps, 0)), np.full((steps, k), np.nan))


def output_freedom(mapping: FactorMap, factors: np.ndarray) -> float:
    """Degrees of freedom of the decoder's output layer for a series, given its units."""
    if isinstance(mapping, ComponentMap):
        return 1.0 + factors.shape[1]
    seen = regressors(mapping.network, mapping.params, mapping.alignment.undo(factors))
    gram = seen.T @ seen
    ridge = len(seen) * mapping.alpha * mapping.network.penalised_output
    return float(np.trace(np.linalg.pinv(gram + np.diag(ridge), hermitian=True) @ gram))


def idiosyncratic(mapping: FactorMap, values: np.ndarray) -> np.ndarray:
    """Standardised errors (T, N) of the panel given its factors, NaN where values are missing.

    They have mean zero and are scaled for the degrees of freedom of the output layer.
    """
    factors = mapping.factors(values)
    left = mapping.extraction.components.standardisation.apply(values) - mapping.decode(factors)
    count = np.isfinite(left).sum(axis=0)
    freedom = np.maximum(count - output_freedom(mapping, factors), 1.0)
    return (left - np.nanmean(left, axis=0)) * np.sqrt(count / freedom)


@dataclass(frozen=True, slots=True, eq=False)
class PanelMoments:
    """Forecasts of the standardised panel.

    Attributes
    ----------
    mean : ndarray of shape (h, N)
    factors, idiosyncratic : ndarray of shape (h, N)
        Variances from the shocks of the factors and from the series' own errors.
    paths : ndarray of shape (r, h, N) or None
        Simulated futures; None in closed form.
    """

    mean: np.ndarray
    factors: np.ndarray
    idiosyncratic: np.ndarray
    paths: np.ndarray | None


def linear_panel(
    mapping: ComponentMap, system: Linear, factors: np.ndarray, errors: np.ndarray, steps: int
) -> PanelMoments:
    """Forecasts of the panel in closed form, from factors (n, k) and errors (T, N) of the past."""
    found = factor_moments(system, factors, steps)
    slopes = mapping.mean_slopes(factors)
    common = np.einsum("kn,hkl,ln->hn", slopes, found.covariance, slopes)
    own = np.broadcast_to(np.nanmean(errors**2, axis=0), common.shape)
    return PanelMoments(mapping.decode(found.mean), common, own.copy(), None)


def simulated_panel(
    mapping: NetworkMap,
    var: FactorVAR,
    factors: np.ndarray,
    errors: np.ndarray,
    steps: int,
    paths: int,
    shocks: str,
    rng: np.random.Generator,
) -> PanelMoments:
    """Forecasts of the panel by simulation, from factors (n, k) and errors (T, N) of the past.

    Parameters
    ----------
    shocks : {"bootstrap", "normal"}
        Errors of all factors in the same period drawn with replacement and errors of all series in
        the same period likewise, independently of each other; or normal ones.
    """
    system, (order, k) = var.system, var.system.coefs.shape[:2]
    drawn = draw_shocks(shocks, system.covariance, var.scaled_resid, paths, steps, rng)
    past = [np.broadcast_to(row, (paths, k)) for row in factors[len(factors) - order :]]
    for step in range(steps):
        now = system.fixed[0] + drawn[:, step]
        for lag in range(1, order + 1):
            now = now + past[-lag] @ system.coefs[lag - 1].T
        past.append(now)
    codes = np.stack(past[order:], axis=1)
    common = mapping.decode(codes.reshape(paths * steps, k)).reshape(paths, steps, -1)
    own = _own_errors(errors, shocks, paths, steps, rng)
    spread = np.broadcast_to(np.nanmean(errors**2, axis=0), common.shape[1:])
    return PanelMoments(common.mean(axis=0), common.var(axis=0), spread.copy(), common + own)


def _own_errors(
    errors: np.ndarray, shocks: str, paths: int, steps: int, rng: np.random.Generator
) -> np.ndarray:
    n, n_series = errors.shape
    if shocks == "normal":
        size = np.sqrt(np.nanmean(errors**2, axis=0))
        return rng.standard_normal((paths, steps, n_series)) * size
    whole = errors.copy()
    for j in range(n_series):
        gaps = np.isnan(whole[:, j])
        if gaps.any():
            whole[gaps, j] = rng.choice(whole[~gaps, j], size=int(gaps.sum()))
    return whole[rng.integers(n, size=(paths, steps))]
