r"""Covariance of penalised nonlinear least squares estimates.

.. math::

    V = A^{-1} B A^{-1}, \qquad A = J'WJ + n \alpha D, \qquad
    B = \sigma^2 J'WJ \ \text{or the (robust) covariance of the scores.}

``J`` are the derivatives of the fitted values by the parameters. The robust kinds, which do not
suppose that the mean is right, use the exact penalised Hessian as ``A`` where it is positive
definite. In a linear model without penalty every kind equals that of statsmodels (White, 1980 and
1981; MacKinnon and White, 1985; Newey and West, 1987; Liang and Zeger, 1986).

Several networks that were estimated on the same rows, as in an ensemble, have a joint covariance:
their ``A`` are the blocks of a diagonal, their scores stand side by side, and ``B`` knows how they
move together.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag
from statsmodels.stats import sandwich_covariance

from nnecon.estimation.kernels import double_precision, shares
from nnecon.estimation.local_model import local_model
from nnecon.estimation.problem import Objective
from nnecon.exceptions import IdentificationWarning, SpecificationError
from nnecon.inference.effects import values_and_gradients

KINDS = ("nonrobust", "HC0", "HC1", "HC2", "HC3", "HAC", "cluster")
OPTIONS = {
    "HAC": {"maxlags", "kernel", "use_correction"},
    "cluster": {"groups", "use_correction"},
}
KERNELS = {
    "bartlett": sandwich_covariance.weights_bartlett,
    "uniform": sandwich_covariance.weights_uniform,
}
DEFINITE = 0.01
"""Least eigenvalue, relative to the Gauss-Newton matrix, of a Hessian that is used as bread."""

RANK_TOLERANCE = 1e-11
"""Directions whose singular value is less than this share of the largest count as unidentified."""

EXACT = 1e-10
"""A row whose leverage is closer to one than this is fitted exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What a covariance is made of, with weights that average one.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        Residuals times the root of the weights, in units of the dependent variable.
    jacobian : ndarray of shape (n, k)
        Derivatives of the fitted values times the root of the weights.
    ridge : ndarray of shape (k,)
        Diagonal of ``n alpha D``; infinite where the penalty holds a parameter at zero.
    norms : ndarray of shape (r, k), optional
        A root of what norms of groups in the penalty add: its cross product is their curvature.
    """

    residual: np.ndarray
    jacobian: np.ndarray
    ridge: np.ndarray
    norms: np.ndarray | None = None

    @property
    def gram(self) -> np.ndarray:
        """Gauss-Newton matrix ``J'WJ``."""
        return self.jacobian.T @ self.jacobian


@dataclass(frozen=True, slots=True, eq=False)
class Bread:
    """Inverse of the penalised Gauss-Newton matrix on the identified directions.

    ``root`` (k, r), one column an identified direction, with ``root @ root.T`` the inverse: sums
    in the coordinates ``jacobian @ root`` lose no digits to a badly conditioned Jacobian. ``edf``
    are the effective degrees of freedom ``tr(A^-1 J'WJ)``; ``unidentified`` is the number of
    directions that neither data nor penalty determine.
    """

    root: np.ndarray
    edf: float
    unidentified: int

    @property
    def inverse(self) -> np.ndarray:
        """The inverse itself, shape (k, k)."""
        return self.root @ self.root.T


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """A covariance matrix (k, k) and how it was made.

    ``df_resid`` are the degrees of freedom of t statistics where ``use_t``.
    """

    matrix: np.ndarray
    kind: str
    description: str
    options: Mapping[str, Any]
    use_t: bool
    df_resid: float


def penalised_moments(
    objective: Objective,
    params: np.ndarray,
    alpha: float,
    residual: np.ndarray,
    weights: np.ndarray,
    target_scale: float,
) -> Moments:
    """Moments at an estimate.

    Parameters
    ----------
    objective, params, alpha
        The standardised problem, its solution (k,) and penalty.
    residual : ndarray of shape (n,)
        Residuals in units of the dependent variable, ``target_scale`` of which are one
        standardised unit.
    weights : ndarray of shape (n,)
        Observation weights; only their ratios count.
    """
    roots = np.sqrt(weights / weights.mean())
    _, gradients = values_and_gradients(objective.network, params, objective.inputs)
    ridge = np.zeros(len(params))
    neural = objective.penalised > 0
    scale = alpha * len(roots) * target_scale**2
    ridge[neural] = scale * objective.penalty.ridge[neural] if np.isfinite(alpha) else np.inf
    if not objective.penalty.smooth:
        # what the penalty has set to zero stays there in a neighbourhood of the data
        ridge[neural & (params == 0)] = np.inf
    jacobian = roots[:, None] * gradients * target_scale
    norms = _norms(objective, params, alpha * len(roots) * target_scale**2)
    return Moments(roots * residual, jacobian, ridge, norms)


def _norms(objective: Objective, params: np.ndarray, strength: float) -> np.ndarray | None:
    """A root of the curvature of the penalty's norms; absolute values alone have none."""
    kinks = objective.penalty.kinks
    if not len(kinks.strength) or np.bincount(kinks.block[kinks.inside]).max() == 1:
        return None
    values, vectors = np.linalg.eigh(kinks.curvature(params))
    bent = values > RANK_TOLERANCE * max(values[-1], 0.0)
    if not (np.isfinite(strength) and bent.any()):
        return None
    return np.sqrt(strength * values[bent])[:, None] * vectors[:, bent].T


def bread(moments: Moments) -> Bread:
    """Invert the penalised Gauss-Newton matrix and count effective degrees of freedom.

    The inverse comes from singular values of the Jacobian stacked on the root of the penalty: the
    condition number of its cross product is the square.
    """
    free = np.isfinite(moments.ridge)
    jacobian = moments.jacobian[:, free]
    stacked = np.concatenate([jacobian, np.diag(np.sqrt(moments.ridge[free]))])
    if moments.norms is not None:
        stacked = np.concatenate([stacked, moments.norms[:, free]])
    scale = np.linalg.norm(stacked, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    triangle = np.linalg.qr(stacked / scale, mode="r")
    _, values, vectors = np.linalg.svd(triangle, full_matrices=False)
    kept = values > RANK_TOLERANCE * values.max(initial=0.0)
    root = np.zeros((len(free), int(kept.sum())))
    root[free] = (vectors[kept] / values[kept, None] / scale).T
    edf = float(((jacobian @ root[free]) ** 2).sum())
    return Bread(root, edf, int(free.sum() - kept.sum()))


def automatic_lags(n_obs: int) -> int:
    """Newey and West's (1994) rule of thumb, ``floor(4 (n / 100)^(2/9))``."""
    return int(np.floor(4.0 * (n_obs / 100.0) ** (2.0 / 9.0)))


def check(kind: str, options: Mapping[str, Any] | None, n_obs: int) -> None:
    """Refuse a kind of covariance that does not exist and options that make no sense."""
    if kind not in KINDS:
        raise SpecificationError(f"cov_type={kind!r} is not known; choose one of {KINDS}.")
    given = dict(options or {})
    unknown = set(given) - OPTIONS.get(kind, set())
    if unknown:
        allowed = sorted(OPTIONS.get(kind, set())) or "no options"
        raise SpecificationError(
            f"cov_kwds has {sorted(unknown)}, but cov_type={kind!r} takes {allowed}."
        )
    if kind == "HAC":
        _check_hac(given.get("maxlags"), given.get("kernel", "bartlett"), n_obs)
    elif kind == "cluster":
        _check_groups(given.get("groups"), n_obs)


def _check_hac(lags: Any, kernel: Any, n_obs: int) -> None:
    whole = isinstance(lags, int | np.integer) and not isinstance(lags, bool)
    if lags is not None and not (whole and 0 <= lags < n_obs):
        raise SpecificationError(
            f"maxlags={lags!r}: pass a whole number from 0 to {n_obs - 1} (one less than the rows)."
        )
    if kernel not in KERNELS:
        raise SpecificationError(f"kernel={kernel!r} is not known; choose one of {[*KERNELS]}.")


def _check_groups(groups: Any, n_obs: int) -> None:
    if groups is None:
        raise SpecificationError(
            "cov_type='cluster' needs cov_kwds={'groups': ...}: a column name or one label a row."
        )
    if len(groups) != n_obs:
        raise SpecificationError(f"groups has {len(groups)} labels, but the sample {n_obs} rows.")
    if len(np.unique(np.asarray(groups))) < 2:
        raise SpecificationError("groups has a single label; clustered errors need at least two.")


class Part(NamedTuple):
    """One of several networks: its moments, the inverse made from them, and its bending (k, k).

    ``bending`` is what the exact Hessian has beyond the Gauss-Newton matrix, see
    :func:`bending_of`; None leaves it out.
    """

    moments: Moments
    bread: Bread
    bending: np.ndarray | None = None


def joint_bread(breads: Sequence[Bread]) -> Bread:
    """Inverse for the stacked parameters of several networks whose mean is the estimate.

    The fitted values are means, and so are the effective degrees of freedom.
    """
    if len(breads) == 1:
        return breads[0]
    return Bread(
        block_diag(*[one.root for one in breads]),
        float(np.mean([one.edf for one in breads])),
        sum(one.unidentified for one in breads),
    )


def covariance(
    moments: Moments,
    middle: Bread,
    kind: str,
    options: Mapping[str, Any] | None = None,
    use_t: bool | None = None,
    bending: np.ndarray | None = None,
) -> Covariance:
    """Covariance of the parameters by ``kind``, with statsmodels' names for ``options``.

    Parameters
    ----------
    moments, middle
        Moments and the inverse made from them.
    kind : {"nonrobust", "HC0", "HC1", "HC2", "HC3", "HAC", "cluster"}
        Spelled as in statsmodels.
    options : mapping, optional
        ``maxlags``, ``kernel`` ("bartlett" or "uniform") and ``use_correction`` for HAC;
        ``groups`` (n,) and ``use_correction`` for cluster.
    use_t : bool, optional
        t instead of normal distribution; as in statsmodels, by default for nonrobust only.
    bending : ndarray of shape (k, k), optional
        What the exact Hessian has beyond the Gauss-Newton matrix, see :func:`bending_of`. The
        robust kinds use it where the sum is positive definite.
    """
    return joint_covariance([Part(moments, middle, bending)], kind, options, use_t)


def joint_covariance(
    parts: Sequence[Part],
    kind: str,
    options: Mapping[str, Any] | None = None,
    use_t: bool | None = None,
) -> Covariance:
    """Covariance of the stacked parameters of networks estimated on the same rows.

    Parameters
    ----------
    parts : sequence of Part
        The networks. The disturbances are those of their mean.
    kind, options, use_t
        As in :func:`covariance`.
    """
    residual = np.mean([part.moments.residual for part in parts], axis=0)
    check(kind, options, len(residual))
    options = dict(options or {})
    middle = joint_bread([part.bread for part in parts])
    if middle.unidentified:
        warnings.warn(
            f"{middle.unidentified} of {len(middle.root)} directions of the parameters are not "
            "identified by data and penalty; standard errors of single parameters are those of "
            "the identified part, while predictions and partial effects remain valid.",
            IdentificationWarning,
            stacklevel=4,
        )
    n_obs = len(residual)
    df_resid = n_obs - middle.edf
    rotated = [
        replace(part.moments, jacobian=part.moments.jacobian @ part.bread.root) for part in parts
    ]
    if kind == "nonrobust":
        scale = residual @ residual / df_resid
        jacobian = np.concatenate([one.jacobian for one in rotated], axis=1)
        meat = scale * (jacobian.T @ jacobian)
        description = "nonrobust (equal variances, no correlation)"
    elif kind == "HAC":
        meat, description = _hac(_scores(rotated), options, df_resid)
    elif kind == "cluster":
        meat, description = _cluster(_scores(rotated), options, df_resid)
        df_resid = len(np.unique(options["groups"])) - 1.0
    else:
        scores = np.concatenate([_heteroskedastic(one, kind, df_resid) for one in rotated], axis=1)
        meat, description = scores.T @ scores, f"{kind} (robust to unequal variances)"
    if kind != "nonrobust":
        exact = block_diag(*[_exact(part) for part in parts])
        meat = exact @ meat @ exact
    matrix = middle.root @ meat @ middle.root.T
    use_t = kind == "nonrobust" if use_t is None else bool(use_t)
    return Covariance(matrix, kind, description, options, use_t, df_resid)


def bending_of(
    objective: Objective, params: np.ndarray, weights: np.ndarray, target_scale: float
) -> np.ndarray:
    """Exact Hessian of half the sum of squares less its Gauss-Newton matrix, shape (k, k).

    In squared units of the dependent variable, with weights that average one, like the moments.
    """
    model = local_model(objective.network, objective.loss, objective.inputs)
    target: Any = objective.target
    with double_precision():
        fit: Any
        fit, state = model.evaluate(params)
        slope = shares(weights) * np.asarray(objective.loss.slope(target, fit))
        return model.bending(state, slope) * len(weights) * target_scale**2


def _exact(part: Part) -> np.ndarray:
    """What turns the Gauss-Newton bread, the identity in these coordinates, into the exact one.

    A Hessian that is close to singular or indefinite says that the estimate is no strict minimum;
    the Gauss-Newton bread stays then.
    """
    root = part.bread.root
    same = np.eye(root.shape[1])
    if part.bending is None:
        return same
    values, vectors = np.linalg.eigh(same + root.T @ part.bending @ root)
    return same if values[0] <= DEFINITE else (vectors / values) @ vectors.T


def _scores(rotated: Sequence[Moments]) -> np.ndarray:
    """Derivatives of half the squared residuals by all parameters, a row an observation."""
    return np.concatenate([one.jacobian * one.residual[:, None] for one in rotated], axis=1)


def _heteroskedastic(moments: Moments, kind: str, df_resid: float) -> np.ndarray:
    """Scores with the corrections of HC1, HC2 and HC3."""
    squares = moments.residual**2
    if kind == "HC1":
        squares = squares * len(squares) / df_resid
    elif kind in ("HC2", "HC3"):
        leverage = (moments.jacobian**2).sum(axis=1)
        exact = np.flatnonzero(leverage > 1.0 - EXACT)
        if len(exact):
            raise SpecificationError(
                f"{kind} divides by one minus the leverage, which is zero for the row at position "
                f"{exact[0]} of the sample (a dummy of its own?); choose HC1, or leave the row out."
            )
        squares = squares / (1.0 - leverage) ** (1 if kind == "HC2" else 2)
    return moments.jacobian * np.copysign(np.sqrt(squares), moments.residual)[:, None]


def _hac(scores: np.ndarray, options: dict[str, Any], df_resid: float):
    n_obs = len(scores)
    if options.get("maxlags") is None:
        options["maxlags"] = automatic_lags(n_obs)
    lags, kernel = options["maxlags"], options.setdefault("kernel", "bartlett")
    meat = sandwich_covariance.S_hac_simple(scores, nlags=lags, weights_func=KERNELS[kernel])
    if options.setdefault("use_correction", False):
        meat = meat * n_obs / df_resid
    return meat, f"HAC (robust to unequal variances and autocorrelation), {kernel}, {lags} lags"


def _cluster(scores: np.ndarray, options: dict[str, Any], df_resid: float):
    _, codes = np.unique(np.asarray(options["groups"]), return_inverse=True)
    n_obs, n_groups = len(scores), codes.max() + 1
    meat = sandwich_covariance.S_crosssection(scores, codes)
    if options.setdefault("use_correction", True):
        meat = meat * n_groups / (n_groups - 1.0) * (n_obs - 1.0) / df_resid
    return meat, f"cluster (robust to correlation within {n_groups} groups)"
