r"""Covariance and effects from sums over blocks of rows, in memory that does not grow with them.

With derivatives :math:`J` of the fitted values, weights :math:`w` and residuals :math:`r`, what a
covariance needs is :math:`J'WJ`, the sum of the squared scores
:math:`\sum_i w_i^2 r_i^2 J_i J_i'` and, with one hidden layer, the sum of second derivatives.
Networks with one hidden layer have these in closed form (:mod:`nnecon.nets.one_layer`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnecon.estimation.kernels import fitted
from nnecon.exceptions import IdentificationWarning, warn_user
from nnecon.inference.covariance import DEFINITE, Bread, Covariance, unidentified_words
from nnecon.inference.effects import average_change, average_slope, values_and_gradients
from nnecon.nets import Dense, Network
from nnecon.nets.activations import SLOPES
from nnecon.nets.one_layer import OneLayer

KINDS = ("nonrobust", "HC0", "HC1")
"""Covariances that sums over rows in any order determine."""

MOST_PARAMS = 2000
"""Parameters up to which the matrices of a covariance, 32 MB each, are summed up."""

WIDTH = 2**13
"""Rows of one compiled call; shorter blocks are filled up, so that nothing is compiled again."""

ROOM = 2**22
"""Numbers that the derivatives of one block may have."""

RANK_TOLERANCE = 1e-12
"""Directions whose eigenvalue is less than this share of the largest count as unidentified.

Sums of products have half the digits of the derivatives themselves."""

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows of the network (m, r), residuals (m,) and weights (m,)."""


def _pieces(width: int, *arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    for at in range(0, len(arrays[0]), width):
        yield tuple(array[at : at + width] for array in arrays)


def _filled(array: np.ndarray, width: int) -> np.ndarray:
    """Rows and copies of the first one: others may not be in the domain of the function."""
    lack = width - len(array)
    return np.concatenate([array, np.repeat(array[:1], lack, axis=0)]) if lack else array


def _weights(array: np.ndarray, width: int) -> np.ndarray:
    return np.concatenate([array, np.zeros(width - len(array))])


def fitted_rows(network: Network, params: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values of the network (m,) at rows (m, r), however many."""
    found = [
        fitted(network, params, _filled(part, WIDTH))[: len(part)]
        for (part,) in _pieces(WIDTH, rows)
    ]
    return np.concatenate(found) if found else np.zeros(0)


def rows_and_gradients(
    network: Network, params: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Fitted values and their gradients by the parameters, a bounded number of rows at a time."""
    width = int(np.clip(ROOM // len(params), 64, WIDTH))
    for (part,) in _pieces(width, rows):
        values, gradients = values_and_gradients(network, params, _filled(part, width))
        yield values[: len(part)], gradients[: len(part)]


@dataclass(frozen=True, slots=True, eq=False)
class CurvatureSums:
    """Sums over the rows, with the weights as given.

    Attributes
    ----------
    gram : ndarray of shape (k, k)
        ``J'WJ``.
    squares : ndarray of shape (k, k)
        Sum of the outer products of the scores.
    bending : ndarray of shape (k, k) or None
        What the Hessian of half the sum of squares has beyond ``gram``; None for networks with
        several hidden layers and functions of the user's, for which it takes too long.
    """

    gram: np.ndarray
    squares: np.ndarray
    bending: np.ndarray | None


def curvature_sums(network: Network, params: np.ndarray, blocks: Iterable[Rows]) -> CurvatureSums:
    """Sums over blocks of rows.

    Parameters
    ----------
    network : Network
        The network.
    params : ndarray of shape (k,)
        Where to differentiate.
    blocks : iterable of (rows, residuals, weights)
        Of shapes (m, r), (m,) and (m,), in standardised units.
    """
    k = len(params)
    gram, squares = np.zeros((k, k)), np.zeros((k, k))
    closed = isinstance(network, Dense) and len(network.hidden) == 1
    linear = isinstance(network, Dense) and not network.hidden
    bending = np.zeros((k, k)) if closed or linear else None
    for rows, residual, weights in blocks:
        if closed:
            assert isinstance(network, Dense) and bending is not None
            width = int(np.clip(ROOM // (rows.shape[1] + 1) ** 2, 64, WIDTH))
            for part, r, w in _pieces(width, rows, residual, weights):
                layer = OneLayer.on(network, part)
                _, units = layer.evaluate(params)
                gram += layer.normal(units, w)
                squares += layer.normal(units, (w * r) ** 2)
                bending += layer.bending(units, -w * r)
            continue
        at = 0
        gradients = [rows] if linear else (g for _, g in rows_and_gradients(network, params, rows))
        for jacobian in gradients:
            w, r = weights[at : at + len(jacobian)], residual[at : at + len(jacobian)]
            at += len(jacobian)
            gram += (jacobian.T * w) @ jacobian
            squares += (jacobian.T * (w * r) ** 2) @ jacobian
    return CurvatureSums(gram, squares, bending)


def bread_of(gram: np.ndarray, ridge: np.ndarray) -> Bread:
    """Inverse of the penalised Gauss-Newton matrix, and effective degrees of freedom.

    Parameters
    ----------
    gram : ndarray of shape (k, k)
        ``J'WJ``.
    ridge : ndarray of shape (k,)
        Diagonal of ``n alpha D``; infinite where a parameter is held at zero.
    """
    free = np.isfinite(ridge)
    part = gram[np.ix_(free, free)]
    matrix = part + np.diag(ridge[free])
    scale = np.sqrt(np.diag(matrix))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    kept = values > RANK_TOLERANCE * values.max(initial=0.0)
    inner = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    root = np.zeros((len(free), int(kept.sum())))
    root[free] = inner
    edf = float(np.einsum("ji,jk,ki->", inner, part, inner, optimize=True))
    return Bread(root, edf, int(free.sum() - kept.sum()))


def covariance_of(
    sums: CurvatureSums, middle: Bread, kind: str, n_obs: int, ssr: float, use_t: bool | None
) -> Covariance:
    """Covariance of standardised parameters from sums with weights that average one.

    Parameters
    ----------
    sums, middle
        The sums and the inverse made from them.
    kind : {"nonrobust", "HC0", "HC1"}
        As in :func:`nnecon.inference.covariance.covariance`.
    n_obs : int
        Rows.
    ssr : float
        Weighted sum of squared residuals, standardised.
    use_t : bool, optional
        t instead of normal distribution; by default for nonrobust only.
    """
    if middle.unidentified:
        warn_user(unidentified_words(middle), IdentificationWarning)
    root, df_resid = middle.root, n_obs - middle.edf
    if kind == "nonrobust":
        meat = ssr / df_resid * (root.T @ sums.gram @ root)
        description = "nonrobust (equal variances, no correlation)"
    else:
        meat = root.T @ sums.squares @ root
        if kind == "HC1":
            meat *= n_obs / df_resid
        description = f"{kind} (robust to unequal variances)"
        if sums.bending is not None:
            values, vectors = np.linalg.eigh(np.eye(len(meat)) + root.T @ sums.bending @ root)
            if values[0] > DEFINITE:
                inverse = (vectors / values) @ vectors.T
                meat = inverse @ meat @ inverse
    use_t = kind == "nonrobust" if use_t is None else bool(use_t)
    return Covariance(root @ meat @ root.T, kind, description, {}, use_t, df_resid)


def slope_sums(
    network: Network,
    params: np.ndarray,
    rows: np.ndarray,
    directions: Sequence[np.ndarray],
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums of the derivatives along some directions, and their gradients.

    With one hidden layer, directions that are the same in all rows cost next to nothing.

    Parameters
    ----------
    network, params
        The network and where it is differentiated, shape (k,).
    rows : ndarray of shape (m, r)
        The rows.
    directions : sequence of ndarray of shape (r,) or (m, r)
        One a regressor; of shape (r,) where it is the same in all rows.
    weights : ndarray of shape (m,)
        Weights of the rows.

    Returns
    -------
    sums : ndarray of shape (number of directions,)
    gradients : ndarray of shape (number of directions, k)
    """
    sums, gradients = np.zeros(len(directions)), np.zeros((len(directions), len(params)))
    closed = isinstance(network, Dense) and len(network.hidden) == 1
    constant = [number for number, way in enumerate(directions) if closed and way.ndim == 1]
    if constant:
        assert isinstance(network, Dense)
        ways = np.array([directions[number] for number in constant])
        for part, w in _pieces(WIDTH, rows, weights):
            value, gradient = _fixed_slopes(network, params, part, ways, w)
            sums[constant] += value
            gradients[constant] += gradient
    for number, way in enumerate(directions):
        if number in constant:
            continue
        for part, along, w in _pieces(WIDTH, rows, np.broadcast_to(way, rows.shape), weights):
            filled = _filled(part, WIDTH), _filled(along, WIDTH), _weights(w, WIDTH)
            one, its_gradient = average_slope(network, params, *filled)
            sums[number] += one
            gradients[number] += its_gradient
    return sums, gradients


def _fixed_slopes(
    network: Dense, params: np.ndarray, rows: np.ndarray, ways: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`slope_sums`, one hidden layer, ``ways`` (m, r) the same in all rows."""
    layer, nl = network.layers[0], network.n_linear
    into = params[layer.weights].reshape(layer.units, layer.inputs)
    out, gamma = params[layer.bias.stop :], params[:nl]
    inputs = rows[:, nl:]
    _, slope, bend = SLOPES[network.activation](inputs @ into.T + params[layer.bias])
    slopes = weights @ slope
    bends = weights @ bend
    bent_inputs = (bend * weights[:, None]).T @ inputs
    total = float(weights.sum())
    linear, neural = ways[:, :nl], ways[:, nl:]
    # how fast each unit's activity moves, (ways, units)
    speed = neural @ into.T
    sums = total * (linear @ gamma) + speed @ (out * slopes)
    by_weights = out[:, None] * (
        slopes[:, None] * neural[:, None, :] + speed[:, :, None] * bent_inputs
    )
    gradients = np.concatenate(
        [
            total * linear,
            by_weights.reshape(len(ways), -1),
            speed * (out * bends),
            speed * slopes,
        ],
        axis=1,
    )
    return sums, gradients


def change_sums(
    network: Network,
    params: np.ndarray,
    rows: np.ndarray,
    reference: np.ndarray,
    weights: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Weighted sum of the changes of the fitted values from ``reference`` to ``rows``, with its
    gradient (k,).
    """
    total, gradients = 0.0, np.zeros(len(params))
    for first, second, w in _pieces(WIDTH, rows, reference, weights):
        filled = _filled(first, WIDTH), _filled(second, WIDTH), _weights(w, WIDTH)
        value, gradient = average_change(network, params, *filled)
        total += value
        gradients += gradient
    return total, gradients
