"""Standardisation from moments that were taken in one pass."""

import numpy as np
from scipy.linalg import solve_triangular

from nnecon.data.scaling import Scaling
from nnecon.data.stream_moments import Moments

FLAT = 1e-12
"""Standard deviation, relative to the root mean square, at which a column counts as constant."""


def scaling_from(moments: Moments, linear_part: bool, neural: bool) -> Scaling:
    """As :meth:`Scaling.standardise`, from moments instead of rows.

    Parameters
    ----------
    moments : Moments
        Of the estimation rows.
    linear_part : bool
        Whether regressors enter linearly; otherwise the constant alone does.
    neural : bool
        Whether there are network inputs.
    """
    const, size = moments.const_index, moments.size
    columns = np.arange(len(size))
    others = columns[columns != const] if const is not None else columns
    linear = columns if linear_part else columns[columns == const]
    inputs = others if neural else others[:0]
    flat = moments.std <= FLAT * size
    scale = np.where(flat, np.where(size > 0, size, 1.0), moments.std)
    centre = moments.endog_mean if const is not None else 0.0
    spread = float(np.hypot(moments.endog_std, moments.endog_mean - centre))
    linear_shift = moments.mean[linear] if const is not None else np.zeros(len(linear))
    linear_scale = scale[linear] if const is not None else size[linear]
    linear_scale = np.where(linear_scale > 0, linear_scale, 1.0)
    at = None
    if const is not None:
        at = int(np.flatnonzero(linear == const)[0])
        linear_shift[at], linear_scale[at] = 0.0, 1.0
    return Scaling(
        linear,
        inputs,
        linear_shift,
        linear_scale,
        moments.mean[inputs],
        scale[inputs],
        centre,
        spread if spread > 0 else 1.0,
        at,
    )


def spans_constant(moments: Moments) -> bool:
    """Whether the columns contain a constant, explicitly or as a sum of dummies."""
    if moments.const_index is not None:
        return True
    p = len(moments.mean)
    sums = (moments.weight_sum * moments.mean)[moments.order]
    explained = solve_triangular(moments.triangle[:p, :p], sums, trans="T")
    return bool(abs(explained @ explained / moments.weight_sum - 1.0) < 1e-8)


def total_sum_of_squares(moments: Moments, about_mean: bool) -> float:
    """Weighted sum of squares of the dependent variable about its mean or about zero."""
    square = moments.endog_std**2
    return moments.weight_sum * (square if about_mean else square + moments.endog_mean**2)
