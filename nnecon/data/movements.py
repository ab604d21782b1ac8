"""How a design moves with its regressors, from values of its factors on some rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nnecon.data.checks import factor_values
from nnecon.data.matrix import Matrix
from nnecon.data.regressors import Place, Regressor, factor_sources, slope


def direction(
    matrix: Matrix,
    regressor: Regressor,
    place: Place,
    values: Sequence[np.ndarray],
    inputs: Mapping[str, pd.Series],
    index: pd.Index,
) -> np.ndarray:
    """Derivative of the design matrix with respect to a continuous regressor.

    Parameters
    ----------
    matrix : Matrix
        The design.
    regressor, place
        What moves, and where it enters.
    values : sequence of ndarray
        Values of the factors, as :meth:`Matrix.assemble` takes them.
    inputs : mapping of str to Series
        Columns on the same rows.
    index : pandas.Index
        Labels of the rows.

    Returns
    -------
    ndarray, shape (m, p)
    """
    slopes = {}
    for k in place.factors:
        if place.source is None or matrix.factors[k].expression.bare == place.source:
            slopes[k] = np.ones((len(index), 1))
        else:
            slopes[k] = _factor_slope(matrix, k, regressor, place, inputs, index)
    return matrix.differentiate(values, slopes, len(index))


def contrast(
    matrix: Matrix, regressor: Regressor, place: Place, values: Sequence[np.ndarray], m: int
) -> tuple[np.ndarray, np.ndarray]:
    """Design matrices (m, p) with a category at its level, and at its reference, in every row."""

    def at(level: object) -> np.ndarray:
        moved = list(values)
        for k in place.factors:
            moved[k] = np.full(m, matrix.factors[k].levels.index(level))
        return matrix.assemble(moved, m)

    return at(regressor.level), at(regressor.reference)


def _factor_slope(
    matrix: Matrix,
    k: int,
    regressor: Regressor,
    place: Place,
    inputs: Mapping[str, pd.Series],
    index: pd.Index,
) -> np.ndarray:
    source, factor = place.source, matrix.factors[k]
    assert source is not None
    fixed = {name: inputs[name] for name in factor_sources(factor)}

    def moved(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        labels = index[rows]
        there = {name: column.iloc[rows] for name, column in fixed.items()}
        there[source] = pd.Series(x, labels)
        return factor_values(factor, there, labels, check=False)

    return slope(moved, np.asarray(inputs[source], dtype=float), place.spread, regressor.name)
