"""Which columns of a design belong to one variable: what a group penalty keeps or drops together.

Columns that are made from the same variables belong together: the dummies of a category, a
polynomial, a spline. A lag is a variable of its own, and so is an interaction, which is named after
all of its variables.
"""

from nnecon.data.design import Design
from nnecon.data.formula_design import FormulaSource
from nnecon.data.regressors import factor_sources, source_labels


def columns_by_variable(design: Design) -> dict[str, tuple[int, ...]]:
    """Positions of the design's columns by variable, without the constant.

    Returns
    -------
    dict of str to tuple of int
        In the order in which variables enter.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame(
    ...     {"y": range(6), "x": [1.0, 2, 4, 3, 0, 5], "z": list("abcabc")}, dtype=object
    ... ).astype({"y": float, "x": float})
    >>> columns_by_variable(Design.from_formula("y ~ x + I(x**2) + z", frame))
    {'z': (1, 2), 'x': (3, 4)}
    """
    sample, source = design.sample, design._source
    if not isinstance(source, FormulaSource):
        return {
            name: (at,) for at, name in enumerate(sample.exog_names) if at != sample.const_index
        }
    names = source_labels(source.matrix)
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, pieces in enumerate(source.matrix.pieces):
        if at == sample.const_index or not pieces:
            continue
        read: dict[str, None] = {}
        for piece in pieces:
            for stand_in in factor_sources(source.matrix.factors[piece.factor]):
                read.setdefault(names[stand_in])
        groups.setdefault(tuple(sorted(read)), []).append(at)
    return {":".join(variables): tuple(columns) for variables, columns in groups.items()}
