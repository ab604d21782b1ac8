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
    """Hidden units at some parameters: values, slopes and bends, each (units, n), and weights."""

    value: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    output: np.ndarray


class _Layout(NamedTuple):
    """Where the sums go: ``normal`` and ``bending`` (k, k) index the buffers of the sums.

    ``outer`` are the positions of the linear part and the output weights.
    """

    pairs: tuple[np.ndarray, np.ndarray]
    squares: tuple[np.ndarray, np.ndarray]
    normal: np.ndarray
    bending: np.ndarray
    sizes: tuple[int, ...]
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
    sizes = (
        len(pairs[0]) * len(squares[0]),
        units * nl * q,
        units * q * units,
        units * nl,
        units * units,
        nl * nl,
    )
    starts = np.concatenate([[0], np.cumsum(sizes)])
    # positions in the flat vector: the linear part, [W_u, b_u] of each unit, the output weights
    linear = np.arange(nl)
    into = np.column_stack(
        [
            np.arange(layer.weights.start, layer.weights.stop).reshape(units, -1),
            np.arange(layer.bias.start, layer.bias.stop),
        ]
    )
    out = np.arange(layer.bias.stop, k)
    normal = np.zeros((k, k), dtype=int)
    flat = into.ravel()
    hidden = pair[:, None, :, None] * len(squares[0]) + square[None, :, None, :]
    normal[np.ix_(flat, flat)] = hidden.reshape(units * q, units * q)
    block = starts[1] + np.arange(sizes[1]).reshape(units, nl, q)
    rows = np.swapaxes(block, 1, 2).reshape(units * q, nl)
    normal[np.ix_(flat, linear)] = rows
    normal[np.ix_(linear, flat)] = rows.T
    block = starts[2] + np.arange(sizes[2]).reshape(units * q, units)
    normal[np.ix_(flat, out)] = block
    normal[np.ix_(out, flat)] = block.T
    block = starts[3] + np.arange(sizes[3]).reshape(units, nl)
    normal[np.ix_(out, linear)] = block
    normal[np.ix_(linear, out)] = block.T
    normal[np.ix_(out, out)] = starts[4] + np.arange(sizes[4]).reshape(units, units)
    normal[np.ix_(linear, linear)] = starts[5] + np.arange(sizes[5]).reshape(nl, nl)
    # bending: a slot of zero first, then a unit's own squares, then the crosses with its output
    bending = np.zeros((k, k), dtype=int)
    own = 1 + np.arange(units)[:, None, None] * len(squares[0]) + square
    bending[into[:, :, None], into[:, None, :]] = own
    cross = 1 + units * len(squares[0]) + np.arange(units * q).reshape(units, q)
    bending[into, out[:, None]] = cross
    bending[out[:, None], into] = cross
    return _Layout(pairs, squares, normal, bending, sizes, np.concatenate([linear, out]))


@dataclass(frozen=True, slots=True, eq=False)
class OneLayer:
    """A network with one hidden layer on given rows.

    Fitted values and gradients are in double precision. Sums of second derivatives are in that of
    ``products``: a step of Newton's method forgives rounding in the matrix, not in the gradient.

    Parameters
    ----------
    network : Dense
        With ``len(hidden) == 1``.
    linear : ndarray of shape (n, n_linear)
        Linear regressors.
    into : ndarray of shape (n, n_inputs + 1)
        Inputs of the hidden units and a column of ones.
    products, mixed : ndarray
        Products of two inputs (n, q (q + 1) / 2), and of a linear regressor and an input
        (n, n_linear q).
    room : tuple of ndarray
        Memory for the pairs of units and for units times inputs, kept between calls.
    """

    network: Dense
    linear: np.ndarray
    into: np.ndarray
    products: np.ndarray
    mixed: np.ndarray
    room: tuple[np.ndarray, np.ndarray]

    @classmethod
    def on(cls, network: Dense, inputs: np.ndarray, dtype: Any = np.float64) -> "OneLayer":
        """Prepare the products of the inputs."""
        linear = np.ascontiguousarray(inputs[:, : network.n_linear])
        into = np.column_stack([inputs[:, network.n_linear :], np.ones(len(inputs))])
        first, second = _layout(network).squares
        factor = into.astype(dtype, copy=False)
        mixed = linear[:, :, None].astype(dtype, copy=False) * factor[:, None, :]
        units, rows = network.layers[0].units, min(BLOCK, len(inputs))
        room = (
            np.empty((units * (units + 1) // 2, rows), dtype),
            np.empty((units, into.shape[1], rows), dtype),
        )
        products = factor[:, first] * factor[:, second]
        return cls(network, linear, into, products, mixed.reshape(len(inputs), -1), room)

    def evaluate(self, params: np.ndarray) -> tuple[np.ndarray, Units]:
        """Fitted values (n,) and the hidden units."""
        network, layer = self.network, self.network.layers[0]
        weights = params[layer.weights].reshape(layer.units, layer.inputs)
        activity = np.column_stack([weights, params[layer.bias]]) @ self.into.T
        output = params[layer.bias.stop :]
        units = Units(*SLOPES[network.activation](activity), output)
        return self.linear @ params[: network.n_linear] + output @ units.value, units

    def refit(
        self, params: np.ndarray, units: Units, target: np.ndarray, share: np.ndarray, ridge
    ) -> tuple[np.ndarray, np.ndarray, Units]:
        """Best linear part and output weights for the units as they are, by least squares.

        The network is linear in them (variable projection; Golub and Pereyra, 1973). Returns
        parameters, fitted values and units.
        """
        features = np.vstack([self.linear.T, units.value])
        place = _layout(self.network).outer
        gram = (features * share) @ features.T
        gram[np.diag_indices_from(gram)] += ridge[place]
        _, best, info = lapack.dposv(gram, features @ (share * target), lower=1)
        if info != 0:
            outer = params[place]
            return params, outer @ features, units
        params = params.copy()
        params[place] = best
        return params, best @ features, units._replace(output=best[self.network.n_linear :])

    def gradient(self, units: Units, slope: np.ndarray) -> np.ndarray:
        """Sum of ``slope_i`` times the derivatives of row i, shape (k,)."""
        into = (units.output[:, None] * units.slope * slope) @ self.into
        return np.concatenate(
            [
                slope @ self.linear,
                into[:, :-1].ravel(),
                into[:, -1],
                units.value @ slope,
            ]
        )

    def normal(self, units: Units, curvature: np.ndarray) -> np.ndarray:
        """Sum of ``curvature_i`` times the outer product of row i's derivatives, (k, k)."""
        layout, dtype = _layout(self.network), self.products.dtype
        parts = [np.zeros(size, dtype) for size in layout.sizes]
        size = len(units.value)
        for at in range(0, len(curvature), BLOCK):
            rows = slice(at, at + BLOCK)
            c = curvature[rows].astype(dtype)
            slope = (units.output[:, None] * units.slope[:, rows]).astype(dtype)
            value = units.value[:, rows].astype(dtype)
            linear = self.linear[rows].astype(dtype)
            weighted, active = slope * c, value * c
            pairs, spread = (room[..., : len(c)] for room in self.room)
            begin = 0
            for unit in range(size):
                end = begin + size - unit
                np.multiply(weighted[unit], slope[unit:], out=pairs[begin:end])
                begin = end
            np.multiply(weighted[:, None, :], self.into[rows].T.astype(dtype), out=spread)
            parts[0] += (pairs @ self.products[rows]).ravel()
            parts[1] += (weighted @ self.mixed[rows]).ravel()
            parts[2] += (spread.reshape(-1, len(c)) @ value.T).ravel()
            parts[3] += (active @ linear).ravel()
            parts[4] += (active @ value.T).ravel()
            parts[5] += (linear.T @ (c[:, None] * linear)).ravel()
        return np.concatenate(parts, dtype=float).take(layout.normal)

    def bending(self, units: Units, slope: np.ndarray) -> np.ndarray:
        """Sum of ``slope_i`` times the second derivatives of row i, shape (k, k)."""
        bend = units.output[:, None] * units.bend * slope
        own = bend.astype(self.products.dtype) @ self.products
        cross = (units.slope * slope) @ self.into
        buffer = np.concatenate([[0.0], own.ravel(), cross.ravel()])
        return buffer.take(_layout(self.network).bending)

    def jacobian(self, units: Units) -> np.ndarray:
        """Derivatives of the fitted values, shape (n, k)."""
        slope = (units.output[:, None] * units.slope).T
        weights = slope[:, :, None] * self.into[:, None, :-1]
        n = len(slope)
        return np.column_stack([self.linear, weights.reshape(n, -1), slope, units.value.T])
