"""Which columns of a design belong to one term of the formula."""

from nnecon.data.design import Design
from nnecon.data.formula_design import FormulaSource


def columns_by_term(design: Design) -> dict[str, tuple[int, ...]]:
    """Positions of the design's columns by term of the formula, named as in statsmodels.

    Without a formula every column is a term.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"y": range(6), "x": [1.0, 2, 4, 3, 0, 5], "z": list("abcabc")})
    >>> columns_by_term(Design.from_formula("y ~ x * z", frame))
    {'Intercept': (0,), 'z': (1, 2), 'x': (3,), 'x:z': (4, 5)}
    """
    names, source = design.sample.exog_names, design._source
    if not isinstance(source, FormulaSource):
        return {name: (at,) for at, name in enumerate(names)}
    terms: dict[tuple[int, ...], list[int]] = {}
    for at, pieces in enumerate(source.matrix.pieces):
        terms.setdefault(tuple(dict.fromkeys(piece.factor for piece in pieces)), []).append(at)
    return {
        ":".join(source.matrix.factors[f].label for f in factors) or names[columns[0]]: tuple(
            columns
        )
        for factors, columns in terms.items()
    }
