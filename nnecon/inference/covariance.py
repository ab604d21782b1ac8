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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from nnecon.estimation.execution import one_blas_thread
from nnecon.estimation.kernels import double_precision, shares
from nnecon.estimation.local_model import local_model
from nnecon.estimation.problem import Objective
from nnecon.exceptions import IdentificationWarning, warn_user
from nnecon.inference import meat as meats
from nnecon.inference.covariance_kinds import KINDS, check
from nnecon.inference.effects import values_and_gradients
from nnecon.inference.long_run import automatic_lags

__all__ = [
    "DEFINITE",
    "KINDS",
    "Bread",
    "Covariance",
    "Moments",
    "Part",
    "automatic_lags",
    "bending_of",
    "bread",
    "check",
    "covariance",
    "influence",
    "joint_bread",
    "joint_covariance",
    "penalised_moments",
    "unidentified_words",
]

DEFINITE = 0.01
"""Least eigenvalue, relative to the Gauss-Newton matrix, of a Hessian that is used as bread."""

RANK_TOLERANCE = 1e-11
"""Directions whose singular value is less than this share of the largest count as unidentified."""

FEW = ("cluster", "cluster-crv3", "hac-groupsum")
"""Kinds that sum scores over groups, so that their rank is at most the number of these."""


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

    ``df_resid`` are the degrees of freedom of t statistics where ``use_t``. ``draws`` (b, k) are
    parameters of bootstrap draws, from which errors of functions come; None for other kinds.
    ``wide`` (k, k) is for joint tests where groups in two ways gave negative variances: the sum of
    the covariances by either way, from which what both count is not taken off (Davezies,
    D'Haultfoeuille and Guyonvarch, 2021). ``warning`` says what is still valid there, and where
    groups are fewer than parameters.
    """

    matrix: np.ndarray
    kind: str
    description: str
    options: Mapping[str, Any]
    use_t: bool
    df_resid: float
    draws: np.ndarray | None = None
    wide: np.ndarray | None = None
    warning: str = ""

    def joint(self, count: int) -> np.ndarray:
        """The matrix for a test of so many functions of the parameters together."""
        return self.matrix if self.wide is None or count == 1 else self.wide


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


@one_blas_thread()
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
    kind : str
        One of :data:`nnecon.inference.covariance_kinds.KINDS`, but for "bootstrap".
    options : mapping, optional
        See :mod:`nnecon.inference.covariance_kinds`.
    use_t : bool, optional
        t instead of normal distribution; as in statsmodels, by default for nonrobust only.
    bending : ndarray of shape (k, k), optional
        What the exact Hessian has beyond the Gauss-Newton matrix, see :func:`bending_of`. The
        robust kinds use it where the sum is positive definite.
    """
    return joint_covariance([Part(moments, middle, bending)], kind, options, use_t)


@one_blas_thread()
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
    middle = joint_bread([part.bread for part in parts])
    if middle.unidentified:
        warn_user(unidentified_words(middle), IdentificationWarning)
    rotated = [
        replace(part.moments, jacobian=part.moments.jacobian @ part.bread.root) for part in parts
    ]
    found = _meat(kind, rotated, residual, dict(options or {}), len(residual) - middle.edf)
    root = middle.root
    if kind not in ("nonrobust", "opg"):
        root = root @ block_diag(*[_exact(part) for part in parts])
    return Covariance(
        root @ found.matrix @ root.T,
        kind,
        found.description,
        found.options,
        kind == "nonrobust" if use_t is None else bool(use_t),
        found.df_resid,
        wide=None if found.wide is None else root @ found.wide @ root.T,
        warning=_groups_words(kind, found, middle),
    )


def _groups_words(kind: str, found: meats.Meat, middle: Bread) -> str:
    """What remains valid where groups identify fewer directions than there are; "" elsewhere."""
    if kind not in FEW:
        return ""
    values = np.linalg.eigvalsh(found.matrix)
    rank = int((values > meats.NEGATIVE * values.max(initial=0.0)).sum())
    if found.wide is not None:
        return (
            "the covariance by groups of two ways has negative variances, which were set to zero: "
            f"{len(values) - rank} of {len(values)} directions are left without any. Standard "
            "errors of single effects and coefficients remain usable where groups of both ways are "
            "many; those of dummies of the groups themselves are not. Tests of several "
            "restrictions use the sum of the covariances by either way, without taking off what "
            "both count, which errs less; with few groups they reject too often still."
        )
    # of a network's parameters no more than the effective ones need a variance
    if rank > middle.edf - 0.5:
        return ""
    return (
        f"the covariance of cov_type={kind!r} has rank {rank}, but the model {middle.edf:.4g} "
        "(effective) parameters: it is made from sums over groups, which are too few or have "
        "dummies of their own. Standard errors and t tests of single effects and coefficients of "
        "regressors that vary within groups remain valid where groups are many, and so do joint "
        f"tests of up to {rank} restrictions. Errors of dummies of the groups themselves are too "
        "small, and tests of more restrictions leave some out. Fewer dummies, "
        "cov_type='cluster-crv3' or a bootstrap with kind='wild' are ways out."
    )


def unidentified_words(middle: Bread) -> str:
    """What unidentified directions mean for the reader."""
    return (
        f"{middle.unidentified} of {len(middle.root)} directions of the parameters are not "
        "identified by data and penalty: there the fitted function does not change. Standard "
        "errors and tests of single parameters are those of the identified part and say nothing "
        "about these directions; predictions, partial effects, their errors and effective degrees "
        "of freedom remain valid. Fewer hidden units or a penalty (alpha > 0) identify all."
    )


def _meat(
    kind: str,
    rotated: Sequence[Moments],
    residual: np.ndarray,
    options: dict[str, Any],
    df_resid: float,
) -> meats.Meat:
    """Covariance of the scores, of all networks side by side."""
    parts = [(one.jacobian, one.residual) for one in rotated]
    if kind in ("nonrobust", "opg"):
        scale = residual @ residual / df_resid
        if kind == "opg":
            matrix = meats.outer_product(parts, _scores(rotated), scale)
            return meats.Meat(matrix, "opg (outer product of the scores)", options, df_resid)
        jacobian = np.concatenate([one.jacobian for one in rotated], axis=1)
        description = "nonrobust (equal variances, no correlation)"
        return meats.Meat(scale * (jacobian.T @ jacobian), description, options, df_resid)
    if kind.startswith("HC"):
        scores = np.concatenate(
            [meats.heteroskedastic(*part, kind, df_resid) for part in parts], axis=1
        )
        description = f"{kind} (robust to unequal variances)"
        return meats.Meat(scores.T @ scores, description, options, df_resid)
    if kind == "cluster-crv3":
        return meats.leaving_out(parts, options, df_resid)
    by_scores = {
        "HAC": meats.autocorrelated,
        "cluster": meats.clustered,
        "hac-panel": meats.panel,
        "hac-groupsum": meats.group_sums,
    }
    return by_scores[kind](_scores(rotated), options, df_resid)


@one_blas_thread()
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


@one_blas_thread()
def influence(parts: Sequence[Part]) -> np.ndarray:
    """How much each observation moves the parameters, to first order, shape (n, k).

    Rows sum to what the penalty holds back, so that they are centred before use.
    """
    found = []
    for part in parts:
        scores = (part.moments.jacobian @ part.bread.root) * part.moments.residual[:, None]
        found.append(scores @ _exact(part) @ part.bread.root.T)
    return np.concatenate(found, axis=1)


def _scores(rotated: Sequence[Moments]) -> np.ndarray:
    """Derivatives of half the squared residuals by all parameters, a row an observation."""
    return np.concatenate([one.jacobian * one.residual[:, None] for one in rotated], axis=1)
