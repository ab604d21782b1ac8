r"""One-step estimates: averages of the estimated mean without the bias of its penalty.

A penalty shrinks the network to the classical model, and average effects with it. The one-step
estimate of a functional :math:`T(f)`, such as the average slope, adds a weighted sum of residuals:

.. math::

    \hat T = T(\hat f) + \sum_i w_i a(x_i)\, (y_i - \hat f(x_i)), \qquad
    a = \Phi\, (\Phi' W \Phi + \Lambda)^{-1}\, g .

:math:`\Phi` holds the derivatives of the fitted values by the network's parameters and, beside
them, squares, cubes and products of its inputs; :math:`g` holds the derivatives of :math:`T` in
the same directions. The weights :math:`a` are the estimated Riesz representer of :math:`T`: for any
function :math:`h` spanned by :math:`\Phi`, :math:`T(h) = \sum_i w_i a(x_i) h(x_i)` but for
:math:`\Lambda`. What the penalty has taken from the estimate within this span is therefore given
back, and errors of the network change :math:`\hat T` only to second order. :math:`\Lambda` is
small, a tenth of the penalty that the estimate bears.

This is one Gauss-Newton step from the penalised estimate, nearly without the penalty. The debiased
lasso (van de Geer, Buehlmann, Ritov and Dezeure, 2014) takes such a step, Hirshberg and Wager
(2021, Annals of Statistics 49) choose the weights for linear functionals over a class of functions,
and Chernozhukov, Newey and Singh (2022, Econometrica 90) estimate representers for debiased machine
learning. The variance is that of :math:`\sum_i w_i a(x_i) e_i`, in every kind of covariance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from nnecon.estimation.execution import one_blas_thread
from nnecon.inference.covariance import Bread, Covariance, Moments, bread, covariance
from nnecon.inference.effects import values_and_gradients
from nnecon.inference.long_run import automatic_lags
from nnecon.nets import Dense, Enriched

UNDERSMOOTHING = 0.1
"""Share of the penalty that the step bears."""

SHARE = 0.1
"""Terms beside the network are at most this share of the observations that differ."""

LEFT_OUT = ("HC2", "HC3", "cluster-crv3")
"""Kinds of covariance that leave observations out."""

TOGETHER = ("cluster", "HAC")
"""Kinds for errors that are alike within groups or among neighbours."""

EXACT = 1e-8
"""Directions of which a group holds all but this share are its own."""

PLAIN = ("HC0", "HAC")
"""Kinds that count no degrees of freedom unless they are asked to."""


@dataclass(frozen=True, slots=True, eq=False)
class OneStep:
    """The step of a penalised estimate in the space of the network and the terms beside it.

    Attributes
    ----------
    network : Enriched
        The network with its terms, whose parameters (k,) the step moves.
    steps : ndarray of shape (m, k)
        What is added to a functional with gradient g is ``g @ step``; a row a network of an
        ensemble, whose mean is the estimate.
    moments : Moments
        Residuals of the penalised estimate, derivatives by the parameters, and the ridge.
    bread : Bread
        The inverse made from them.
    n_classical : int
        Parameters of the classical part.
    """

    network: Enriched
    steps: np.ndarray
    moments: Moments
    bread: Bread
    n_classical: int

    @property
    def step(self) -> np.ndarray:
        """The step of the mean over the networks, shape (k,)."""
        return self.steps.mean(axis=0)

    def representer(self, gradient: np.ndarray) -> np.ndarray:
        """Weights ``a`` (n,) of the residuals (times the root of the observation's weight).

        ``gradient`` (k,) are the derivatives of the functional.
        """
        return self.moments.jacobian @ (self.bread.root @ (self.bread.root.T @ gradient))

    @one_blas_thread()
    def covariance(
        self, kind: str, options: Mapping[str, Any] | None = None, use_t: bool | None = None
    ) -> Covariance:
        """Covariance of the enriched parameters, from which functionals get their errors.

        Residuals are those of the penalised estimate, and degrees of freedom those of network and
        terms; where a kind does not count them by itself, there is a factor
        ``(n - p) / (n - edf)``, which is one for the classical model. Kinds that leave observations
        or groups out take the residuals after the step, from which these are left out. With
        clusters, residuals are left out of the network but not of its classical part: a network
        follows the common errors of a cluster, and what it has followed is missing in its
        residuals. It follows autocorrelated errors in the same way, and ``HAC`` leaves out blocks
        of neighbours in turn, twice as long as the lags reach.

        Parameters
        ----------
        kind, options, use_t
            As in :func:`nnecon.inference.covariance.covariance`.
        """
        options = dict(options or {})
        residual, n_obs = self.moments.residual, len(self.moments.residual)
        counted = options.get("use_correction", kind not in PLAIN)
        spent = (n_obs - self.n_classical) / (n_obs - self.bread.edf)
        if kind in LEFT_OUT:
            residual = self._after
        elif kind in TOGETHER:
            residual = self._without_groups(_together(kind, options, n_obs))
            residual = residual / np.sqrt(spent) if counted else residual
        elif not counted:
            residual = residual * np.sqrt(spent)
        moments = replace(self.moments, residual=residual)
        return covariance(moments, self.bread, kind, options, use_t)

    @property
    def _after(self) -> np.ndarray:
        """Residuals after the step, shape (n,)."""
        return self.moments.residual - self.moments.jacobian @ self.step

    def _without_groups(self, codes: np.ndarray) -> np.ndarray:
        """Residuals of each group from network and terms that are estimated without it.

        ``codes`` (n,) number the groups. The classical part is the whole sample's.
        """
        classical = np.linalg.qr(self.moments.jacobian[:, : self.n_classical])[0]
        rotated = self.moments.jacobian @ self.bread.root
        residual = self._after
        for code in range(codes.max() + 1):
            inside = codes == code
            own, linear = rotated[inside], classical[inside]
            values, vectors = np.linalg.eigh(np.eye(own.shape[1]) - own.T @ own)
            # a dummy of the group's own: its direction is in no residual
            seen = values > EXACT
            vectors = vectors[:, seen]
            move = vectors @ ((vectors.T @ (own.T @ residual[inside])) / values[seen])
            without = residual[inside] + own @ move
            residual[inside] = without - linear @ (linear.T @ without)
        return residual


def _together(kind: str, options: Mapping[str, Any], n_obs: int) -> np.ndarray:
    """Number (n,) of the group or block that a row is left out with.

    Of groups in two ways, the way with fewer.
    """
    if kind == "HAC":
        lags = options.get("maxlags")
        reach = automatic_lags(n_obs) if lags is None or isinstance(lags, str) else int(lags)
        return np.arange(n_obs) // (2 * (reach + 1))
    groups = np.asarray(options["groups"])
    ways = groups.reshape(len(groups), -1).T
    return min((np.unique(way, return_inverse=True)[1] for way in ways), key=np.max)


@one_blas_thread()
def one_step(
    network: Dense,
    members: np.ndarray,
    alpha: float,
    inputs: np.ndarray,
    residuals: np.ndarray,
    weights: np.ndarray,
    target_scale: float,
) -> OneStep:
    """Step from one penalised estimate, or from the mean of several.

    Parameters
    ----------
    network : Dense
        What each member is.
    members : ndarray of shape (m, p)
        Parameters, a row a network. Directions are those of the first.
    alpha : float
        Penalty of the estimate.
    inputs : ndarray of shape (n, r)
        Standardised rows.
    residuals : ndarray of shape (m, n)
        Actual less fitted values of each network, in units of the dependent variable.
    weights : ndarray of shape (n,)
        Observation weights; only their ratios count.
    target_scale : float
        Units of the dependent variable that are one standardised unit.
    """
    enriched = Enriched(network, terms(network, inputs))
    own = np.append(members[0], np.zeros(len(enriched.terms)))
    _, gradients = values_and_gradients(enriched, own, inputs)
    relative = weights / weights.mean()
    roots = np.sqrt(relative)
    size = relative @ gradients[:, network.n_params :] ** 2 / len(relative)
    ridge = np.append(network.penalised, np.where(size > 0.0, size, 1.0))
    # weights that a penalty has set to zero, in exactly the same place for a neighbourhood
    zero = network.neural & (members[0] == 0.0)
    ridge[: network.n_params][zero] = np.inf
    moments = Moments(
        roots * residuals.mean(axis=0),
        roots[:, None] * gradients * target_scale,
        UNDERSMOOTHING * alpha * len(inputs) * ridge * target_scale**2,
    )
    middle = bread(moments)
    scores = (roots * residuals) @ moments.jacobian
    steps = scores @ middle.root @ middle.root.T
    return OneStep(enriched, steps, moments, middle, network.n_linear)


def terms(network: Dense, inputs: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Terms beside a network: powers and products of its inputs, as many as the rows allow.

    Squares come first, then cubes, then products of two inputs; the last groups are left out where
    there would be more terms than a tenth of the rows that differ. Inputs with two values have no
    powers. A network without linear part starts with the inputs themselves.

    Parameters
    ----------
    network : Dense
        The network.
    inputs : ndarray of shape (n, r)
        Rows, of which the network's inputs are the last columns.

    Returns
    -------
    tuple of tuple of int
        Positions among the network's inputs, see :class:`nnecon.nets.Enriched`.

    Examples
    --------
    >>> network = Dense(n_linear=3, n_inputs=2, hidden=(4,), activation="tanh")
    >>> rows = np.random.default_rng(0).standard_normal((100, 5))
    >>> terms(network, rows)
    ((0, 0), (1, 1), (0, 0, 0), (1, 1, 1), (0, 1))
    >>> terms(network, rows[:40])
    ((0, 0), (1, 1), (0, 0, 0), (1, 1, 1))
    """
    z = inputs[:, network.n_linear :]
    every = range(z.shape[1])
    curved = [at for at in every if len(np.unique(z[:, at])) > 2]
    groups: list[Sequence[tuple[int, ...]]] = [
        [(at, at) for at in curved],
        [(at, at, at) for at in curved],
        list(combinations(every, 2)),
    ]
    if network.n_linear <= 1:
        groups.insert(0, [(at,) for at in every])
    distinct = len(np.unique(z, axis=0))
    found: list[tuple[int, ...]] = []
    for group in groups:
        if len(found) + len(group) > SHARE * distinct:
            break
        found += group
    return tuple(found)


def terms_in_words(network: Enriched) -> str:
    """What stands beside the network, for a note.

    Examples
    --------
    >>> network = Dense(n_linear=3, n_inputs=2, hidden=(4,), activation="tanh")
    >>> terms_in_words(Enriched(network, ((0, 0), (1, 1), (0, 1))))
    'squares and products'
    """
    names = {"inputs": 0, "squares": 0, "cubes": 0, "products": 0}
    for term in network.terms:
        distinct, degree = len(set(term)), len(term)
        kind = "products" if distinct > 1 else ("inputs", "squares", "cubes")[degree - 1]
        names[kind] += 1
    used = [name for name, count in names.items() if count]
    return " and ".join([", ".join(used[:-1]), used[-1]] if len(used) > 1 else used)
