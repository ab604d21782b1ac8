r"""Derivatives of a network with one hidden layer, without forming its Jacobian.

The derivative of the fitted value by the weights into unit :math:`u` is
:math:`s_u z` with :math:`s_u = w_u g'(a_u)`, a number times the inputs. Sums of their products
over observations, :math:`\sum_i c_i s_{iu} s_{iv} z_i z_i'`, are therefore cross products of the
pairs of units with the pairs of inputs, and the latter never change. This takes about half the
work of :math:`J'CJ`, and gives the second derivatives of the network almost for nothing, because
only a unit's own weights interact.

Everything here is NumPy: matrix products are what BLAS does best, and nothing is compiled.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from nnecon.nets.activations import SLOPES
from nnecon.nets.dense import Dense

BLOCK = 1024
"""Rows that are worked on at a time, so that the pairs of units stay in the cache."""


class Units(NamedTuple):
    """Hidden units at some parameters.

    ``features`` (n_linear + units, n) are the linear regressors and the units' values, ``slope``
    and ``bend`` (units, n) the derivatives of the latter, ``output`` (units,) the output weights.
    ``gram``, where it is known, are the products of features under the weights ``share``.
    """

    features: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    output: np.ndarray
    gram: np.ndarray | None = None
    share: np.ndarray | None = None


class Hessian(NamedTuple):
    """Sum of second derivatives (k, k), and the diagonal (k,) of its Gauss-Newton part."""

    matrix: np.ndarray
    diagonal: np.ndarray


class _Layout(NamedTuple):
    """Where the sums go: ``hessian`` and ``bending`` (k, k) index the buffers of the sums.

    ``outer`` are the positions of the linear part and the output weights; ``own`` those of a unit
    with itself among the pairs of units; ``sizes`` the shapes of the parts of the first buffer:
    pairs of units by pairs of inputs, weights into units by linear regressors and by units, and
    features by features.
    """

    squares: tuple[np.ndarray, np.ndarray]
    own: np.ndarray
    hessian: np.ndarray
    diagonal: np.ndarray
    bending: np.ndarray
    sizes: tuple[tuple[int, int], ...]
    outer: np.ndarray


@lru_cache(maxsize=32)
def _layout(network: Dense) -> _Layout:
    layer = network.layers[0]
    units, q, nl, k = layer.units, layer.inputs + 1, network.n_linear, network.n_params
    pairs, squares = np.triu_indices(units), np.triu_indices(q)

    def symmetric(index: tuple[np.ndarray, np.ndarray], size: int) -> np.ndarray:
        table = np.zeros((size, size), dtype=int)
        table[index] = table[index[::-1]] = np.arange(len(index[0]))
        return table

    pair, square = symmetric(pairs, units), symmetric(squares, q)
    sizes = (len(pairs[0]), len(squares[0])), (units, nl * q), (units * q, units), (nl + units,) * 2
    starts = np.concatenate([[0], np.cumsum([a * b for a, b in sizes])])
    # positions in the flat vector: the linear part, [W_u, b_u] of each unit, the output weights
    into = np.column_stack(
        [
            np.arange(layer.weights.start, layer.weights.stop).reshape(units, -1),
            np.arange(layer.bias.start, layer.bias.stop),
        ]
    )
    linear, out = np.arange(nl), np.arange(layer.bias.stop, k)
    outer, flat = np.concatenate([linear, out]), into.ravel()
    hessian = np.zeros((k, k), dtype=int)
    hidden = pair[:, None, :, None] * len(squares[0]) + square[None, :, None, :]
    hessian[np.ix_(flat, flat)] = hidden.reshape(units * q, units * q)
    block = starts[1] + np.arange(units * nl * q).reshape(units, nl, q)
    rows = np.swapaxes(block, 1, 2).reshape(units * q, nl)
    hessian[np.ix_(flat, linear)] = rows
    hessian[np.ix_(linear, flat)] = rows.T
    block = starts[2] + np.arange(units * q * units).reshape(units * q, units)
    hessian[np.ix_(flat, out)] = block
    hessian[np.ix_(out, flat)] = block.T
    size = nl + units
    hessian[np.ix_(outer, outer)] = starts[3] + np.arange(size * size).reshape(size, size)
    # bending: a slot of zero first, then a unit's own squares, then the crosses with its output
    bending = np.zeros((k, k), dtype=int)
    own = 1 + np.arange(units)[:, None, None] * len(squares[0]) + square
    bending[into[:, :, None], into[:, None, :]] = own
    cross = 1 + units * len(squares[0]) + np.arange(units * q).reshape(units, q)
    bending[into, out[:, None]] = cross
    bending[out[:, None], into] = cross
    return _Layout(
        squares,
        np.diagonal(pair).copy(),
        hessian,
        np.diagonal(hessian).copy(),
        bending,
        sizes,
        outer,
    )


@dataclass(frozen=True, slots=True, eq=False)
class OneLayer:
    """A network with one hidden layer on given rows.

    Fitted values and gradients are in double precision. Sums of second derivatives are in that of
    ``products``: a step of Newton's method forgives rounding in the matrix, not in the gradient.

    Parameters
    ----------
    network : Dense
        With ``len(hidden) == 1``.
    linear : ndarray of shape (n_linear, n)
        Linear regressors.
    into : ndarray of shape (n_inputs + 1, n)
        Inputs of the hidden units and a row of ones.
    factor : ndarray of shape (n_inputs + 1, n)
        The same in the precision of ``products``.
    products, mixed : ndarray
        Products of two inputs (n, q (q + 1) / 2), and of a linear regressor and an input
        (n, n_linear q).
    room : ndarray
        Memory for pairs of units, and afterwards for units times inputs, kept between calls.
    """

    network: Dense
    linear: np.ndarray
    into: np.ndarray
    factor: np.ndarray
    products: np.ndarray
    mixed: np.ndarray
    room: np.ndarray

    @classmethod
    def on(cls, network: Dense, inputs: np.ndarray, dtype: Any = np.float64) -> "OneLayer":
        """Prepare the products of the inputs."""
        linear = np.ascontiguousarray(inputs[:, : network.n_linear].T, dtype=float)
        into = np.ones((network.n_inputs + 1, len(inputs)))
        into[:-1] = inputs[:, network.n_linear :].T
        first, second = _layout(network).squares
        factor = into.astype(dtype, copy=False)
        rows = np.ascontiguousarray(factor.T)
        mixed = linear.T[:, :, None].astype(dtype, copy=False) * rows[:, None, :]
        units, block = network.layers[0].units, min(BLOCK, len(inputs))
        # after the pairs come the second derivatives of the units themselves
        height = max(units * (units + 1) // 2 + units, units * len(into))
        room = np.empty(height * block, dtype)
        products = rows[:, first] * rows[:, second]
        return cls(network, linear, into, factor, products, mixed.reshape(len(inputs), -1), room)

    def evaluate(self, params: np.ndarray) -> tuple[np.ndarray, Units]:
        """Fitted values (n,) and the hidden units."""
        network, layer = self.network, self.network.layers[0]
        weights = np.empty((layer.units, layer.inputs + 1))
        weights[:, :-1] = params[layer.weights].reshape(layer.units, layer.inputs)
        weights[:, -1] = params[layer.bias]
        value, slope, bend = SLOPES[network.activation](weights @ self.into)
        features = np.concatenate([self.linear, value])
        outer = params[_layout(network).outer]
        return outer @ features, Units(features, slope, bend, outer[network.n_linear :])

    def refit(
        self, params: np.ndarray, units: Units, target: np.ndarray, share: np.ndarray, ridge
    ) -> tuple[np.ndarray, np.ndarray, Units]:
        """Best linear part and output weights for the units as they are, by least squares.

        The network is linear in them (variable projection; Golub and Pereyra, 1973). Returns
        parameters, fitted values and units.
        """
        features, place = units.features, _layout(self.network).outer
        weighted = features * share
        gram = weighted @ features.T
        damped = gram.copy()
        damped.ravel()[:: len(gram) + 1] += ridge[place]
        _, best, info = lapack.dposv(damped.T, weighted @ target, lower=1, overwrite_a=1)
        if info != 0:
            return params, params[place] @ features, units
        params = params.copy()
        params[place] = best
        outer = best[self.network.n_linear :]
        return params, best @ features, units._replace(output=outer, gram=gram, share=share)

    def gradient(self, units: Units, slope: np.ndarray) -> np.ndarray:
        """Sum of ``slope_i`` times the derivatives of row i, shape (k,)."""
        network, layer = self.network, self.network.layers[0]
        into = ((units.slope * slope) @ self.into.T) * units.output[:, None]
        gradient = np.empty(network.n_params)
        gradient[layer.weights] = into[:, :-1].ravel()
        gradient[layer.bias] = into[:, -1]
        gradient[_layout(network).outer] = units.features @ slope
        return gradient

    def hessian(
        self, units: Units, curvature: np.ndarray, slope: np.ndarray | None = None
    ) -> Hessian:
        """Sum over rows of ``curvature_i`` times the outer product of derivatives.

        Second derivatives of the network, times ``slope_i``, are added where ``slope`` is given.
        The matrix is in the precision of the sums.
        """
        layout, dtype = _layout(self.network), self.products.dtype
        count, width = len(units.output), len(self.into)
        buffer = np.zeros(sum(a * b for a, b in layout.sizes), dtype)
        pairs, mixed, outward, features = self._parts(buffer)
        known = units.gram is not None and units.share is curvature
        bent, crossed = np.zeros((count, pairs.shape[1]), dtype), np.zeros((count, width), dtype)
        output = units.output[:, None].astype(dtype)
        for at in range(0, len(curvature), BLOCK):
            rows = slice(at, at + BLOCK)
            c = curvature[rows].astype(dtype)
            raw = units.slope[:, rows].astype(dtype, copy=False)
            values = units.features[:, rows].astype(dtype, copy=False)
            steep = raw * output
            weighted = steep * c
            products = self.room[: (len(pairs) + count) * len(c)].reshape(-1, len(c))
            spread = self.room[: count * width * len(c)].reshape(count, width, len(c))
            begin = 0
            for unit in range(count):
                end = begin + count - unit
                np.multiply(weighted[unit], steep[unit:], out=products[begin:end])
                begin = end
            if slope is not None:
                pull = slope[rows].astype(dtype)
                bend = units.bend[:, rows].astype(dtype, copy=False)
                np.multiply(bend, pull, out=products[begin:])
                crossed += (raw * pull) @ self.factor[:, rows].T
                begin = len(products)
            sums = products[:begin] @ self.products[rows]
            pairs += sums[: len(pairs)]
            if slope is not None:
                bent += sums[len(pairs) :]
            mixed += weighted @ self.mixed[rows]
            np.multiply(weighted[:, None, :], self.factor[:, rows], out=spread)
            outward += spread.reshape(-1, len(c)) @ values[-count:].T
            if not known:
                features += (values * c) @ values.T
        if known:
            features[:] = units.gram
        diagonal = buffer.take(layout.diagonal)
        if slope is not None:
            pairs[layout.own] += bent * output
            each = np.arange(count)
            outward.reshape(count, width, count)[each, :, each] += crossed
        return Hessian(buffer.take(layout.hessian), diagonal.astype(float))

    def _parts(self, buffer: np.ndarray) -> list[np.ndarray]:
        """Views of the parts of a buffer of sums."""
        parts, at = [], 0
        for a, b in _layout(self.network).sizes:
            parts.append(buffer[at : at + a * b].reshape(a, b))
            at += a * b
        return parts

    def normal(self, units: Units, curvature: np.ndarray) -> np.ndarray:
        """Sum of ``curvature_i`` times the outer product of row i's derivatives, (k, k)."""
        return self.hessian(units, curvature).matrix.astype(float, copy=False)

    def bending(self, units: Units, slope: np.ndarray) -> np.ndarray:
        """Sum of ``slope_i`` times the second derivatives of row i, shape (k, k)."""
        bend = units.output[:, None] * units.bend * slope
        own = bend.astype(self.products.dtype) @ self.products
        cross = (units.slope * slope) @ self.into.T
        buffer = np.concatenate([[0.0], own.ravel(), cross.ravel()])
        return buffer.take(_layout(self.network).bending)

    def jacobian(self, units: Units) -> np.ndarray:
        """Derivatives of the fitted values, shape (n, k)."""
        steep = (units.output[:, None] * units.slope).T
        weights = steep[:, :, None] * self.into[:-1].T[:, None, :]
        linear, values = np.split(units.features.T, [self.network.n_linear], axis=1)
        return np.column_stack([linear, weights.reshape(len(steep), -1), steep, values])
