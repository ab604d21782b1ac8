"""Numbers as text: one rule for the console, the web page and LaTeX.

A cell is formatted once, as plain text with an ASCII minus sign and, for very large or very small
values, Python's exponent notation. :func:`html_text` and :func:`latex_text` then dress that text
for their medium, so that the three outputs can never disagree on a digit.
"""

import html
import math
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError

MISSING = "–"
MISSING_NOTE = "– : not available."
LEVEL_OF_PVALUE = 0.001

Format = str | int | Callable[[Any], str]
Formats = Mapping[Hashable, Format]

_NUMBER = re.compile(r"(?P<rel>[<>]?)(?P<body>[+-]?(\d[\d,]*)?(\.\d+)?)(?P<exp>e[+-]?\d+)?")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"$\sim$",
    "^": r"\^{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "∞": r"$\infty$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "²": r"$^2$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "θ": r"$\theta$",
    "σ": r"$\sigma$",
    "χ": r"$\chi$",
    "Δ": r"$\Delta$",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
}


def format_number(value: float, decimals: int = 3) -> str:
    """Write a number with a fixed number of decimals, and never hide its size.

    Values that the decimals would round to zero are written in exponent notation with three
    significant digits; from 100,000 on the decimals are dropped, and from 10^9 on exponent
    notation takes over.

    Parameters
    ----------
    value : float
        The number. NaN and None give an en dash, infinity the sign ∞.
    decimals : int
        Digits after the decimal point.

    Returns
    -------
    str
        The text, with an ASCII minus sign.

    Examples
    --------
    >>> [format_number(v) for v in (0.5, -1234.5678, 0.00001234, 0.0, float("nan"))]
    ['0.500', '-1234.568', '1.23e-05', '0.000', '–']
    """
    if value is None or pd.isna(value):
        return MISSING
    value = float(value)
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e9:
        return f"{value:.4g}"
    if size >= 1e5:
        return f"{value:.0f}"
    if 0 < size < 0.5 * 10.0**-decimals:
        return f"{value:.2e}"
    text = f"{value:.{decimals}f}"
    return text[1:] if float(text) == 0 and text.startswith("-") else text


def format_pvalue(value: float) -> str:
    """Write a p-value with three decimals, ``<0.001`` below that, an en dash where it is missing.

    Examples
    --------
    >>> [format_pvalue(p) for p in (0.04321, 0.00002, float("nan"))]
    ['0.043', '<0.001', '–']
    """
    if value is None or pd.isna(value):
        return MISSING
    return f"<{LEVEL_OF_PVALUE:.3f}" if value < LEVEL_OF_PVALUE else f"{float(value):.3f}"


def format_integer(value: float) -> str:
    """Write a count without decimals; a fraction keeps one decimal rather than being rounded away.

    Examples
    --------
    >>> [format_integer(v) for v in (203, 203.0, 11.46, float("inf"))]
    ['203', '203', '11.5', '∞']
    """
    if value is None or pd.isna(value) or np.isinf(value):
        return format_number(value)
    return f"{float(value):.0f}" if float(value) == int(value) else f"{float(value):.1f}"


def format_text(value: object) -> str:
    """Write anything: booleans as yes and no, numbers by :func:`format_number`, the rest by str."""
    if value is None or value is pd.NaT or value is pd.NA:
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return format_number(float(value), 4)
    return str(value)


_NAMED: dict[str, Callable[[Any], str]] = {
    "pvalue": format_pvalue,
    "integer": format_integer,
    "text": format_text,
}


def coefficient_cells(frame: pd.DataFrame, error: str = "std err") -> pd.DataFrame:
    """Write a table of estimates with digits by row, as many as its standard error warrants.

    Parameters
    ----------
    frame : DataFrame
        One row per estimate; the column ``error`` holds its standard error, shown with three
        significant digits. Statistics (``t``, ``z``) get two decimals, p-values their own format,
        and all other columns the decimals of the standard error.
    error : str
        Name of the column of standard errors.

    Returns
    -------
    DataFrame
        Of text.

    Examples
    --------
    >>> frame = pd.DataFrame({"coef": [397.98, 0.2142], "std err": [12.345, 0.03871]})
    >>> coefficient_cells(frame).to_numpy().tolist()
    [['398.0', '12.3'], ['0.2142', '0.0387']]
    """
    cells = frame.astype(object)
    for row in range(len(frame)):
        size = float(frame[error].iloc[row])
        known = math.isfinite(size) and size > 0
        decimals = min(max(2 - math.floor(math.log10(size)), 0), 10) if known else 4
        for column, name in enumerate(frame.columns):
            value = float(frame.iloc[row, column])
            if str(name).startswith(("P>", "Pr(")):
                cells.iloc[row, column] = format_pvalue(value)
            else:
                places = 2 if name in ("t", "z") else decimals
                cells.iloc[row, column] = _fixed(value, places)
    return cells


def _fixed(value: float, decimals: int) -> str:
    """Write a number whose precision is known: what is below it shows as zero."""
    if not math.isfinite(value) or abs(value) >= 1e5:
        return format_number(value, decimals)
    text = f"{value:.{decimals}f}"
    return text[1:] if float(text) == 0 and text.startswith("-") else text


def make_formatter(spec: Format) -> Callable[[Any], str]:
    """Turn a format given by the caller into a function from a value to its text.

    Parameters
    ----------
    spec : int, str or callable
        A number of decimals; ``"pvalue"``, ``"integer"`` or ``"text"``; a Python format
        specification such as ``",.0f"``; or a function.

    Examples
    --------
    >>> make_formatter(2)(3.14159), make_formatter(".1%")(0.256), make_formatter("pvalue")(0.0)
    ('3.14', '25.6%', '<0.001')
    """
    if callable(spec):
        return spec
    if isinstance(spec, int | np.integer):
        decimals = int(spec)
        return lambda value: format_number(value, decimals)
    if spec in _NAMED:
        return _NAMED[spec]
    try:
        format(1.0, spec)
    except ValueError:
        raise SpecificationError(
            f"unknown table format {spec!r}; give a number of decimals, one of "
            f"{', '.join(map(repr, _NAMED))}, a Python format specification such as '.3f', "
            "or a function"
        ) from None
    return lambda value: MISSING if value is None or pd.isna(value) else format(value, spec)


def column_format(name: Hashable, values: pd.Series) -> Format:
    """Choose the format of a column that the caller left open.

    p-values are known by their name, counts by their type; other numbers get the decimals that
    show about three significant digits of a typical entry, two at the least and four at the most.
    """
    label = str(name[-1] if isinstance(name, tuple) else name).lower()
    if label.startswith(("p>", "p-value", "pvalue", "pr(")) or label in ("p", "p value"):
        return "pvalue"
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "text"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    numbers = np.abs(values.to_numpy(dtype=float, na_value=np.nan))
    numbers = numbers[np.isfinite(numbers) & (numbers > 0)]
    if numbers.size == 0:
        return 3
    return int(np.clip(2 - np.floor(np.log10(np.median(numbers))), 2, 4))


def format_frame(
    frame: pd.DataFrame, formats: Formats | None = None, row_formats: Formats | None = None
) -> list[list[str]]:
    """Format every cell of a frame as plain text.

    Parameters
    ----------
    frame : DataFrame
        The cells.
    formats, row_formats : mapping, optional
        A format by column label or by row label; a row's format wins over its column's.

    Returns
    -------
    list of list of str
        One list per row.

    Examples
    --------
    >>> frame = pd.DataFrame({"coef": [1.5, -0.25], "P>|t|": [0.0, 0.2]}, index=["x", "z"])
    >>> format_frame(frame, formats={"coef": 2})
    [['1.50', '<0.001'], ['-0.25', '0.200']]
    """
    formats, row_formats = dict(formats or {}), dict(row_formats or {})
    by_column = [
        make_formatter(formats.get(name, column_format(name, frame.iloc[:, j])))
        for j, name in enumerate(frame.columns)
    ]
    by_row = {label: make_formatter(spec) for label, spec in row_formats.items()}
    cells = []
    for i, label in enumerate(frame.index):
        row = []
        for j, write in enumerate(by_column):
            value = frame.iloc[i, j]
            if isinstance(value, str):
                row.append(value or MISSING)
            else:
                row.append(by_row.get(label, write)(value))
        cells.append(row)
    return cells


def label_text(label: object) -> str:
    """Row or column label as text; the parts of a tuple are joined by commas."""
    if isinstance(label, tuple):
        return ", ".join(str(part) for part in label if str(part))
    return "" if label is None else str(label)


def _match(text: str) -> re.Match[str] | None:
    found = _NUMBER.fullmatch(text)
    return found if found and any(c.isdigit() for c in found["body"]) else None


def is_number(text: str) -> bool:
    """Whether a formatted cell is a number (or a missing or infinite one)."""
    return text in (MISSING, "∞", "-∞") or _match(text.rstrip("%")) is not None


def html_text(text: str) -> str:
    """Dress a formatted cell for HTML: escaped, with a true minus sign and powers of ten."""
    found = _match(text)
    if found is None:
        return html.escape(text.replace("-∞", "−∞"))
    body = found["rel"].replace("<", "&lt;").replace(">", "&gt;") + found["body"]
    if found["exp"]:
        body += f"×10<sup>{int(found['exp'][1:])}</sup>"
    return body.replace("-", "−")


def latex_text(text: str) -> str:
    r"""Dress a formatted cell or a label for LaTeX: special characters escaped.

    Examples
    --------
    >>> print(latex_text("50% of R&D_x"), latex_text("-1.2e-05"))
    50\% of R\&D\_x $-1.2\times10^{-5}$
    """
    found = _match(text)
    if found is None:
        return "".join(_LATEX.get(c, c) for c in text)
    body, rel = found["body"], found["rel"]
    if found["exp"]:
        return f"${rel}{body}\\times10^{{{int(found['exp'][1:])}}}$"
    return (f"${rel}$" if rel else "") + ("$-$" + body[1:] if body.startswith("-") else body)
