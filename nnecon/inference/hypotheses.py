"""What every test in the house returns: the null in words, the numbers, and a sentence."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError, SpecificationError

LEVEL = 0.05
"""Sentences speak of rejection at p-values up to this level, which bootstraps attain exactly."""


@dataclass(frozen=True, slots=True)
class HypothesisTest:
    """Result of a test, or the reason why there is none.

    Attributes
    ----------
    null : str
        Null hypothesis in words.
    statistic, pvalue : float or None
        None where the test does not apply.
    sentence : str
        What the test says, or why it does not apply.
    distribution : str
        Distribution of the statistic under the null with its degrees of freedom, for example
        ``"chi-squared with 3 degrees of freedom"``; empty where the test does not apply.
    df : tuple of float
        Degrees of freedom: none, one, or two (numerator and denominator).
    name : str
        What the test is called.
    """

    null: str
    statistic: float | None
    pvalue: float | None
    sentence: str
    distribution: str = ""
    df: tuple[float, ...] = ()
    name: str = ""

    @property
    def applies(self) -> bool:
        """Whether there is a statistic."""
        return self.statistic is not None

    @property
    def reference(self) -> str:
        """Distribution under the null, short enough for a column: ``"F(2, 190)"``."""
        if "bootstrap" in self.distribution:
            return "bootstrap"
        if self.distribution.startswith("F with"):
            return f"F({self.df[0]:g}, {self.df[1]:g})"
        if self.distribution.startswith("chi-squared"):
            return f"χ²({self.df[0]:g})"
        if self.distribution.startswith("t with"):
            return f"t({self.df[0]:g})"
        return self.distribution.partition(" (")[0]

    def __str__(self) -> str:
        head = f"{self.name}\n" if self.name else ""
        lines = f"{head}H0: {self.null}"
        if self.statistic is not None:
            lines += f"\nStatistic {self.statistic:.4f}, {self.distribution or 'no distribution'}"
        return f"{lines}\n{self.sentence}"


def does_not_apply(name: str, null: str, why: str) -> HypothesisTest:
    """Return a test without statistic whose sentence says why there is none."""
    return HypothesisTest(null, None, None, why, name=name)


def shown_pvalue(pvalue: float) -> str:
    """Text of a p-value, for sentences."""
    return f"p = {pvalue:.3f}" if pvalue >= 0.001 else "p < 0.001"


def verdict(null: str, pvalue: float, addition: str = "") -> str:
    """Sentence on the null at the 5% level, and what a rejection would mean."""
    claim = null[0].lower() + null[1:]
    if pvalue > LEVEL:
        return f"No evidence at 5% against the null that {claim} ({shown_pvalue(pvalue)})."
    meaning = f" {addition}" if addition else ""
    return f"The null that {claim} is rejected at 5% ({shown_pvalue(pvalue)}).{meaning}"


def chi_squared(df: float) -> str:
    """Name of a chi-squared distribution."""
    return f"chi-squared with {df:g} {_degrees(df)} of freedom"


def f_distribution(numerator: float, denominator: float) -> str:
    """Name of an F distribution."""
    return f"F with {numerator:g} and {denominator:g} degrees of freedom"


def student(df: float) -> str:
    """Name of a t distribution."""
    return f"t with {df:g} {_degrees(df)} of freedom"


def _degrees(df: float) -> str:
    return "degree" if df == 1 else "degrees"


def to_frame(tests: Iterable[HypothesisTest]) -> pd.DataFrame:
    """Tests one below the other, for tables.

    Returns
    -------
    DataFrame
        Columns ``null``, ``statistic``, ``distribution``, ``pvalue``, ``sentence``, indexed by the
        tests' names; missing numbers where a test does not apply.
    """
    tests = tuple(tests)
    columns = {
        "null": [test.null for test in tests],
        "statistic": [np.nan if test.statistic is None else test.statistic for test in tests],
        "distribution": [test.distribution for test in tests],
        "pvalue": [np.nan if test.pvalue is None else test.pvalue for test in tests],
        "sentence": [test.sentence for test in tests],
    }
    return pd.DataFrame(columns, index=pd.Index([test.name for test in tests], name="test"))


def check_names(names: Any) -> None:
    """Refuse what is no pair of names, such as a third series of numbers."""
    pair = isinstance(names, tuple | list) and len(names) == 2
    if not (pair and all(isinstance(name, str) for name in names)):
        raise SpecificationError(
            f"names={names!r}: give what the two are called, two texts such as ('network', 'OLS'); "
            "the two series before them are errors or losses, not outcomes and forecasts."
        )


def as_vector(
    values: object, name: str, size: int | None = None, like: object = None
) -> np.ndarray:
    """Check and convert one series of numbers; shape (n,).

    Where ``like``, another series, and this one have labels of rows, these must be the same.
    """
    if isinstance(values, pd.Series | pd.DataFrame) and isinstance(like, pd.Series | pd.DataFrame):
        same = len(values) != len(like) or values.index.equals(like.index)
        if not same:
            at = int(np.argmax(np.asarray(values.index != like.index)))
            raise DataError(
                f"{name} has the row {values.index[at]} where the other series has "
                f"{like.index[at]}; bring both to the same rows in the same order."
            )
    vector = _numbers(values, name)
    if vector.ndim == 2 and vector.shape[1] == 1:
        vector = vector[:, 0]
    if vector.ndim != 1:
        raise DataError(f"{name} has shape {vector.shape}; one number a row is needed.")
    _check_rows(vector, name, size)
    return vector


def as_matrix(values: object, name: str, size: int | None = None) -> np.ndarray:
    """Check and convert columns of numbers; shape (n, k)."""
    matrix = _numbers(values, name)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise DataError(f"{name} has shape {matrix.shape}; rows and columns are needed.")
    _check_rows(matrix, name, size)
    return matrix


def _numbers(values: object, name: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be numbers: {error}") from error


def _check_rows(array: np.ndarray, name: str, size: int | None) -> None:
    if size is not None and len(array) != size:
        raise DataError(f"{name} has {len(array)} rows, but the other series have {size}.")
    if len(array) == 0:
        raise DataError(f"{name} is empty.")
    bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name} is missing or infinite in the row at position {bad[0]} ({len(bad)} such rows "
            "in all); drop these rows from every series."
        )
