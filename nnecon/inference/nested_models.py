r"""Does the network add to the classical model that it contains? Tests by bootstrap under the null.

Under the null, that the output weights :math:`w` of the network are zero, the weights and biases
of its units can be anything: they are not identified. Likelihood ratio, F and Wald statistics are
then not chi-squared or F distributed, not even in large samples (Davies, 1977; Hansen, 1996), and
the penalty shrinks them besides. Their distribution is therefore simulated: samples are drawn from
the classical model, the network is estimated on each from random starts at the same penalty, and
the statistics are computed as on the sample,

.. math::

    LR = n \log(SSR_0 / SSR_1), \qquad
    F = \frac{(SSR_0 - SSR_1) / (d_1 - d_0)}{SSR_1 / (n - d_1)}, \qquad
    W = \hat w' \hat V_w^{+} \hat w,

with effective degrees of freedom :math:`d` and the covariance :math:`V_w` of the output weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nnecon.estimation.bootstrap import wild_targets
from nnecon.estimation.classical import least_squares
from nnecon.estimation.estimate import SOLVERS, Solver
from nnecon.estimation.execution import LOCAL, Execution
from nnecon.estimation.fresh_search import search_afresh
from nnecon.estimation.kernels import fitted_many
from nnecon.estimation.problem import Objective
from nnecon.exceptions import SpecificationError
from nnecon.inference.covariance import Bread, Moments, bread, penalised_moments
from nnecon.inference.hypotheses import HypothesisTest, does_not_apply, verdict
from nnecon.nets import Dense

NAMES = {
    "lr": "Likelihood ratio, network against {}",
    "f": "F, network against {}",
    "wald": "Wald, output weights of the network",
}
"""What the tests are called, with the classical model's name filled in."""

NOTHING = 1e-9
"""A likelihood ratio a row that is due to rounding."""

DIRECTIONS = 1e-8
"""Directions of the output weights' covariance below this share of the largest do not count."""


@dataclass(frozen=True, slots=True, eq=False)
class NestedStatistics:
    """Statistics of one estimate.

    Attributes
    ----------
    lr, f, wald : float
        The statistics; zero where the network is.
    df : float
        Effective degrees of freedom of the network beyond the classical model.
    df_resid : float
        Degrees of freedom that are left.
    """

    lr: float
    f: float
    wald: float
    df: float
    df_resid: float


@dataclass(frozen=True, slots=True, eq=False)
class NullDistribution:
    """Statistics of the sample, and of samples drawn under the null.

    Attributes
    ----------
    sample : NestedStatistics
        On the data, by the same search as on the draws.
    draws : sequence of NestedStatistics
        On the samples drawn, without those whose estimate did not converge.
    failed : int
        Draws that did not converge.
    words : str
        How the samples were drawn.
    """

    sample: NestedStatistics
    draws: Sequence[NestedStatistics]
    failed: int
    words: str


@dataclass(frozen=True, slots=True)
class NestedModelTest(HypothesisTest):
    """A test of the network against the classical model that it contains.

    Attributes
    ----------
    critical : float
        The 5% critical value: exceeded in 5% of the samples drawn under the null.
    share_zero : float
        Share of the samples drawn under the null in which the network is zero.
    asymptotic : float
        P-value of the chi-squared or F distribution with effective degrees of freedom, which is
        **not** valid here; for comparison only.
    """

    critical: float = np.nan
    share_zero: float = np.nan
    asymptotic: float = np.nan


def null_distribution(
    objective: Objective,
    alpha: float,
    weights: np.ndarray,
    starts: np.ndarray,
    *,
    reps: int = 199,
    rng: int = 0,
    robust: bool = True,
    groups: np.ndarray | None = None,
    begin: float | None = None,
    solver: Solver = SOLVERS["lm"],
    execution: Execution = LOCAL,
) -> NullDistribution:
    """Estimate the network on the sample and on samples drawn from the classical model.

    Parameters
    ----------
    objective : Objective
        The standardised problem, least squares on a :class:`~nnecon.nets.Dense` network.
    alpha : float
        Penalty, taken as given.
    weights : ndarray of shape (n,)
        Observation weights.
    starts : ndarray of shape (s, k)
        Random starts of the network, which every sample tries beside the zero network.
    reps, rng : int
        Samples drawn, and their seed.
    robust, groups
        As in :func:`null_targets`.
    begin, solver, execution
        As in :func:`nnecon.estimation.fresh_search.search_afresh`.

    Returns
    -------
    NullDistribution
    """
    drawn, words = null_targets(objective, weights, reps, rng, robust=robust, groups=groups)
    targets = np.concatenate([objective.target[None], drawn])
    # the penalty's meaning hangs on the dependent variable's standard deviation
    targets = targets / _spread(objective, targets, weights)[:, None]
    found = search_afresh(
        objective,
        weights,
        alpha,
        targets,
        starts,
        begin=begin,
        solver=solver,
        execution=execution,
    )
    every = [
        nested_statistics(objective, params, alpha, target, weights, robust=robust, groups=groups)
        for params, target in zip(found.params, targets, strict=True)
    ]
    kept = [one for one, good in zip(every[1:], found.converged[1:], strict=True) if good]
    return NullDistribution(every[0], kept, reps - len(kept), words)


def null_targets(
    objective: Objective,
    weights: np.ndarray,
    reps: int,
    rng: int,
    *,
    robust: bool,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, str]:
    """Draw dependent variables from the classical model, shape (reps, n), and say how.

    Parameters
    ----------
    objective, weights
        The standardised problem and the observation weights (n,).
    reps, rng : int
        Samples, and their seed.
    robust : bool
        Residuals keep their rows and get random signs (wild bootstrap), which allows for unequal
        variances; otherwise they are drawn with replacement.
    groups : ndarray of shape (n,), optional
        Clusters, which share a sign (six values where there are fewer than twelve).
    """
    if isinstance(reps, bool) or not isinstance(reps, int | np.integer) or reps < 19:
        raise SpecificationError(
            f"reps={reps!r}: give a number of bootstrap samples, 19 at least; 199 or 399 are usual."
        )
    network = objective.network
    assert isinstance(network, Dense)
    linear = objective.inputs[:, : network.n_linear]
    params = least_squares(network, objective.inputs, objective.target, weights)
    fitted = linear @ params[: network.n_linear]
    roots = np.sqrt(weights / weights.mean())
    basis = np.linalg.qr(roots[:, None] * linear)[0]
    leverage = np.minimum((basis**2).sum(axis=1), 1.0 - 1e-8)
    resid = (objective.target - fitted) / np.sqrt(1.0 - leverage)
    generator = np.random.default_rng(rng)
    if robust:
        few = groups is not None and len(np.unique(groups)) < 12
        drawn = wild_targets(
            fitted,
            resid,
            int(reps),
            generator,
            groups=groups,
            distribution="webb" if few else "rademacher",
        )
        kind = "wild bootstrap" if groups is None else "wild cluster bootstrap"
        return drawn, f"{kind} under the null with {reps} draws"
    scaled = roots * resid
    scaled = scaled - scaled.mean() if linear.shape[1] else scaled
    picked = generator.integers(len(scaled), size=(int(reps), len(scaled)))
    return fitted + scaled[picked] / roots, f"residual bootstrap under the null with {reps} draws"


def nested_statistics(
    objective: Objective,
    params: np.ndarray,
    alpha: float,
    target: np.ndarray,
    weights: np.ndarray,
    *,
    robust: bool,
    groups: np.ndarray | None = None,
) -> NestedStatistics:
    """Statistics of one estimate against the classical model.

    Parameters
    ----------
    objective : Objective
        The problem; its target is not read.
    params : ndarray of shape (k,)
        The estimate with ``target`` (n,) as dependent variable.
    alpha : float
        Penalty.
    weights : ndarray of shape (n,)
        Observation weights.
    robust, groups
        Whether the covariance in the Wald statistic is robust to unequal variances or to clusters.
    """
    network = objective.network
    assert isinstance(network, Dense)
    relative = weights / weights.mean()
    linear = objective.inputs[:, : network.n_linear]
    classical = least_squares(network, objective.inputs, target, weights)
    before = target - linear @ classical[: network.n_linear]
    after = target - fitted_many(network, params[None], objective.inputs)[0]
    restricted, unrestricted = (float(relative @ part**2) for part in (before, after))
    size = len(target)
    rank = int(np.linalg.matrix_rank(linear)) if network.n_linear else 0
    zero = np.isinf(alpha) or not params[network.neural].any()
    ratio = size * np.log(restricted / unrestricted) if unrestricted > 0.0 else np.inf
    if zero or ratio < NOTHING * size:
        return NestedStatistics(0.0, 0.0, 0.0, 0.0, float(size - rank))
    moments = penalised_moments(objective, params, alpha, after, weights, 1.0)
    middle = bread(moments)
    more, left = max(middle.edf - rank, 1e-8), size - middle.edf
    f = (restricted - unrestricted) / more / (unrestricted / left)
    wald = _wald(moments, middle, params[-network.hidden[-1] :], robust, groups)
    return NestedStatistics(float(ratio), float(f), wald, float(more), float(left))


def _wald(
    moments: Moments, middle: Bread, output: np.ndarray, robust: bool, groups: np.ndarray | None
) -> float:
    """Wald statistic of the output weights, which are the last parameters."""
    rotated = moments.jacobian @ middle.root
    if robust:
        scores = rotated * moments.residual[:, None]
        if groups is not None:
            codes = np.unique(groups, return_inverse=True)[1]
            sums = np.zeros((codes.max() + 1, scores.shape[1]))
            np.add.at(sums, codes, scores)
            scores = sums
        meat = scores.T @ scores
    else:
        left = len(moments.residual) - middle.edf
        meat = (moments.residual @ moments.residual / left) * (rotated.T @ rotated)
    last = middle.root[-len(output) :]
    values, vectors = np.linalg.eigh(last @ meat @ last.T)
    kept = values > DIRECTIONS * max(values[-1], 0.0)
    if not kept.any():
        return 0.0
    return float(((vectors[:, kept].T @ output) ** 2 / values[kept]).sum())


def nested_model_test(found: NullDistribution, statistic: str, classical: str) -> HypothesisTest:
    """Compare a statistic with its distribution under the null.

    Parameters
    ----------
    found : NullDistribution
        From :func:`null_distribution`.
    statistic : {"lr", "f", "wald"}
        Which.
    classical : str
        Name of the classical model.

    Returns
    -------
    NestedModelTest
        Or a test that does not apply, where too few draws converged.
    """
    name = NAMES[statistic].format(classical)
    null = f"The network adds nothing to {classical}"
    drawn = np.array([getattr(one, statistic) for one in found.draws])
    if len(drawn) < 19:
        why = f"Only {len(drawn)} estimates of samples drawn under the null converged: no test."
        return does_not_apply(name, null, why)
    value = float(getattr(found.sample, statistic))
    pvalue = float((1.0 + (drawn >= value).sum()) / (1.0 + len(drawn)))
    zero = float((drawn == 0.0).mean())
    sample = found.sample
    laws = {
        "lr": stats.chi2(max(sample.df, 1e-8)),
        "f": stats.f(max(sample.df, 1e-8), sample.df_resid),
        "wald": stats.chi2(max(sample.df, 1e-8)),
    }
    return NestedModelTest(
        null,
        value,
        pvalue,
        _sentence(null, value, pvalue, zero, found),
        found.words,
        (),
        name,
        critical=float(np.quantile(drawn, 0.95, method="higher")),
        share_zero=zero,
        asymptotic=float(laws[statistic].sf(value)) if value > 0.0 else 1.0,
    )


def _sentence(null: str, value: float, pvalue: float, zero: float, found: NullDistribution) -> str:
    if value == 0.0:
        text = "The network is zero, so that nothing speaks against the null (p = 1.000)."
    else:
        text = verdict(null, pvalue)
    text += (
        " Under the null the network's weights are not identified (Davies, 1977): the p-value "
        f"comes from a {found.words}, in {zero:.0%} of which the network is zero."
    )
    if found.failed:
        text += f" {found.failed} draws whose estimate did not converge are left out."
    return text


def _spread(objective: Objective, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Standard deviations of dependent variables (m, n) as the model standardises them."""
    network = objective.network
    assert isinstance(network, Dense)
    shares = weights / weights.sum()
    linear = objective.inputs[:, : network.n_linear]
    constant = bool(network.n_linear) and bool((np.ptp(linear, axis=0) == 0.0).any())
    centre = targets @ shares if constant else np.zeros(len(targets))
    spread = np.sqrt((targets - centre[:, None]) ** 2 @ shares)
    return np.where(spread > 0.0, spread, 1.0)
