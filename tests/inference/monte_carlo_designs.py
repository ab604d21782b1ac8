r"""Data for Monte Carlo checks of average partial effects, and what is measured on them.

.. math::

    y = \sin(1.5 x_1) + 1.5 \ln(3 + x_2) + 0.4 x_3^2 + 0.5 x_4 \tanh(x_1) + e .

Regressors are correlated: :math:`x_1` is bounded (Beta(3, 3)), :math:`x_2` skewed (Gamma(4)), the
others normal, all with variance one and with densities that vanish at the ends of their range, so
that average derivatives can be estimated at the root of n. :math:`x_3` bends the mean but has no
average effect, :math:`x_5` has none at all. The least squares slope of :math:`x_1` (.58) is not its
average effect (.40), so that shrinking to the linear model biases it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import nnecon as ne

NAMES = ["x1", "x2", "x3", "x4", "x5"]
SIZE_OF_CLUSTER = 10
DESIGNS = {
    "homoskedastic": "HC1",
    "heteroskedastic": "HC1",
    "clustered": "cluster",
    "autocorrelated": "HAC",
}
"""Kinds of errors, and the covariance that is for them."""

BETA, GAMMA = stats.beta(3, 3), stats.gamma(4)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One sample of a design.

    ``frame`` has the columns y and x1, ..., x5; ``mean`` (n,) is the true mean; ``effects`` (5,)
    are the true average effects in the sample; ``options`` are what ``fit`` is to know.
    """

    frame: pd.DataFrame
    mean: np.ndarray
    effects: np.ndarray
    options: Mapping[str, Any]

    def fit(self, hidden: tuple[int, ...] = (8,), **options: Any) -> Any:
        """Cross-validated fit, with the covariance that is for the errors."""
        exog = self.frame[NAMES].assign(const=1.0)[["const", *NAMES]]
        model = ne.NeuralRegression(self.frame["y"], exog, hidden=hidden)
        return model.fit(**self.options, **options)


def true_mean(x: np.ndarray) -> np.ndarray:
    """Mean of y at rows (n, 5)."""
    return (
        np.sin(1.5 * x[:, 0])
        + 1.5 * np.log(3.0 + x[:, 1])
        + 0.4 * x[:, 2] ** 2
        + 0.5 * x[:, 3] * np.tanh(x[:, 0])
    )


def true_slopes(x: np.ndarray) -> np.ndarray:
    """Derivatives of the mean at rows (n, 5)."""
    slopes = np.zeros_like(x)
    slopes[:, 0] = 1.5 * np.cos(1.5 * x[:, 0]) + 0.5 * x[:, 3] / np.cosh(x[:, 0]) ** 2
    slopes[:, 1] = 1.5 / (3.0 + x[:, 1])
    slopes[:, 2] = 0.8 * x[:, 2]
    slopes[:, 3] = 0.5 * np.tanh(x[:, 0])
    return slopes


def regressors(rng: np.random.Generator, n: int, design: str) -> np.ndarray:
    """Rows (n, 5), with half of the variance common to a cluster, or autocorrelation of .5."""
    if design == "clustered":
        common = rng.standard_normal((n // SIZE_OF_CLUSTER, 5))
        latent = np.sqrt(0.5) * (np.repeat(common, SIZE_OF_CLUSTER, axis=0))
        latent = latent + np.sqrt(0.5) * rng.standard_normal((n, 5))
    elif design == "autocorrelated":
        latent = _autocorrelated(rng.standard_normal((n, 5)))
    else:
        latent = rng.standard_normal((n, 5))
    correlation = 0.4 ** np.abs(np.subtract.outer(range(5), range(5)))
    x = latent @ np.linalg.cholesky(correlation).T
    shares = stats.norm.cdf(x[:, :2])
    x[:, 0] = (BETA.ppf(shares[:, 0]) - 0.5) / BETA.std()
    x[:, 1] = (GAMMA.ppf(shares[:, 1]) - 4.0) / 2.0
    return x


def _autocorrelated(shocks: np.ndarray) -> np.ndarray:
    """Series with autocorrelation .5 and the shocks' variance, along the first axis."""
    series = shocks.copy()
    for t in range(1, len(series)):
        series[t] = 0.5 * series[t - 1] + np.sqrt(0.75) * shocks[t]
    return series


def draw(design: str, seed: int, n: int = 500, noise: float = 1.0) -> Sample:
    """One sample; ``noise`` is the standard deviation of the errors, whose mean square is 1.4."""
    rng = np.random.default_rng([seed, list(DESIGNS).index(design)])
    x = regressors(rng, n, design)
    error = rng.standard_normal(n)
    options: dict[str, Any] = {"cov_type": DESIGNS[design]}
    index: Any = pd.RangeIndex(n)
    if design == "heteroskedastic":
        scale = 0.4 + 0.6 * np.abs(x[:, 0])
        error = error * scale / np.sqrt(np.mean(scale**2))
    elif design == "clustered":
        options["groups"] = np.repeat(np.arange(n // SIZE_OF_CLUSTER), SIZE_OF_CLUSTER)
        common = np.sqrt(0.3) * rng.standard_normal(n // SIZE_OF_CLUSTER)
        error = common[options["groups"]] + np.sqrt(0.7) * error
    elif design == "autocorrelated":
        error = _autocorrelated(error)
        index = pd.period_range("1800Q1", periods=n, freq="Q")
    mean = true_mean(x)
    frame = pd.DataFrame(x, columns=NAMES, index=index).assign(y=mean + noise * error)
    return Sample(frame, mean, true_slopes(x).mean(axis=0), options)


def population_effects(n: int = 4_000_000) -> np.ndarray:
    """Average effects in the population (5,), the same in all designs, from a large sample."""
    return true_slopes(regressors(np.random.default_rng(0), n, "homoskedastic")).mean(axis=0)


def measure(results: Any, sample: Sample) -> pd.DataFrame:
    """Effects, errors and true values, with and without the step that removes the bias.

    Columns are ``estimate`` (debiased, penalised or classical), ``effect``, ``value``, ``se``,
    ``truth``, ``low`` and ``high`` (of the 95% interval), and ``alpha``.
    """
    rows = []
    for debias in (True, False):
        margeff = results.get_margeff(debias=debias)
        bounds = margeff.conf_int()
        found = pd.DataFrame({"value": margeff.margeff, "se": margeff.margeff_se})
        found = found.assign(truth=sample.effects, low=bounds[0], high=bounds[1])
        rows.append(found.assign(estimate="debiased" if debias else "penalised"))
    classical = margeff.baseline
    found = pd.DataFrame({"value": classical["effect"], "se": classical["se"]})
    width = stats.norm.ppf(0.975) * found["se"]
    found = found.assign(
        truth=sample.effects, low=found["value"] - width, high=found["value"] + width
    )
    rows.append(found.assign(estimate="classical"))
    frame = pd.concat(rows).rename_axis("effect").reset_index()
    return frame.assign(alpha=results.alpha)


def summarise(measured: pd.DataFrame, population: np.ndarray | None = None) -> pd.DataFrame:
    """Bias, spread, ratio of errors to it, and coverage by estimate and effect.

    Parameters
    ----------
    measured : DataFrame
        Rows of :func:`measure`, one replication below the other.
    population : ndarray of shape (5,), optional
        Average effects in the population, for a column ``population`` with the coverage of these.

    Returns
    -------
    DataFrame
        Columns ``bias``, ``sd`` and ``ratio`` (mean standard error over ``sd``), of the estimate
        less the sample's average effect, and ``coverage`` of the latter.
    """
    error = measured["value"] - measured["truth"]
    inside = (measured["low"] <= measured["truth"]) & (measured["truth"] <= measured["high"])
    frame = measured.assign(error=error, inside=inside)
    if population is not None:
        fixed = frame["effect"].map(dict(zip(NAMES, population, strict=True)))
        frame["population"] = (frame["low"] <= fixed) & (fixed <= frame["high"])
    groups = frame.groupby(["estimate", "effect"], sort=False)
    found = pd.DataFrame({"bias": groups["error"].mean(), "sd": groups["error"].std()})
    found["ratio"] = groups["se"].mean() / found["sd"]
    found["coverage"] = groups["inside"].mean()
    if population is not None:
        found["population"] = groups["population"].mean()
    return found
