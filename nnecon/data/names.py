"""Names of a formula that are no columns: helpers, functions and values of the caller's."""

import builtins
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnecon.data.expressions import CALL_PREFIX, Expression
from nnecon.data.lags import TIME_OPERATORS
from nnecon.data.syntax import unknown_column
from nnecon.data.transforms import StatefulTransform
from nnecon.exceptions import FormulaError, SpecificationError

FROM_R = {
    "factor": "C(x)",
    "ns": "cr(x, df=3)",
    "s": "bs(x, df=4)",
    "ifelse": "np.where(x > 1, a, b)",
    "L": "lag(x, 1)",
    "D": "diff(x)",
}
"""What functions of R's formulas and its packages are called here."""


def caller_namespace(depth: int = 0) -> Mapping[str, Any]:
    """Names that a function's caller sees.

    Parameters
    ----------
    depth : int
        Zero for the caller of the function that calls this one, one for the caller's caller, ...;
        ``-1`` gives an empty namespace, as in statsmodels.

    Returns
    -------
    mapping
        Local names first, then global ones.

    Examples
    --------
    >>> def model():
    ...     return caller_namespace()["knots"]
    >>> knots = [1.0, 2.0]
    >>> model()
    [1.0, 2.0]
    """
    if depth < 0:
        return {}
    frame = sys._getframe(depth + 2)
    return {**frame.f_globals, **frame.f_locals}


class Resolver:
    """Finds what the names of a formula stand for and remembers what came from the caller.

    Parameters
    ----------
    text : str
        The formula, for messages.
    columns : sequence
        Columns of the data, for messages.
    names : mapping
        The caller's environment.
    helpers : mapping
        Functions that every formula knows.
    """

    def __init__(
        self,
        text: str,
        columns: Sequence[Any],
        names: Mapping[str, Any],
        helpers: Mapping[str, Any],
    ) -> None:
        self.text, self.columns, self.names, self.helpers = text, columns, names, helpers
        self.bindings: dict[str, Any] = {}
        self.namespace: dict[str, Any] = {}

    def period(self, name: str) -> Any:
        """Value of a name that stands for a number of periods."""
        value = self.names[name]
        self.bindings[name] = value
        return value

    def resolve(self, expression: Expression) -> None:
        """Find everything that a factor calls or reads besides data."""
        for name in expression.calls:
            self.namespace[CALL_PREFIX + name] = self._function(name)
        for name in expression.bound:
            self.namespace[name] = self._value(name)

    def _function(self, name: str) -> Any:
        value = self.names.get(name)
        if name in self.helpers and getattr(value, "__module__", "") == "math":
            # takes one number at a time, and NumPy's function of that name is meant
            value = self.helpers[name]
        if callable(value) and value is not self.helpers.get(name):
            self.bindings[name] = value
        else:
            value = self.helpers.get(name, getattr(builtins, name, None))
        if value is None:
            if name in self.columns:
                raise FormulaError(
                    f"{name!r} is a column, not a function, in the formula {self.text!r}; "
                    f"write {name}:(...) for an interaction"
                )
            helpers = ", ".join([*TIME_OPERATORS, *self.helpers])
            own = f"write {FROM_R[name]} here; " if name in FROM_R else ""
            raise FormulaError(
                f"unknown function {name}() in the formula {self.text!r}; {own}known are "
                f"{helpers}, NumPy's np.sin and the like, and functions defined where the model "
                "is built"
            )
        maker = getattr(value, "__patsy_stateful_transform__", None)
        return value if maker is None else StatefulTransform(name, maker)

    def _value(self, name: str) -> Any:
        if name in self.names:
            value = self.names[name]
            if value is not self.helpers.get(name) and value is not np:
                self.bindings[name] = value
            return value
        if name in ("np", "numpy"):
            return np
        if name in self.helpers:
            return self.helpers[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise unknown_column(name, self.columns, self.text)


def bindings_to_state(bindings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Split what came from the caller into plain values and names of functions."""
    plain: dict[str, Any] = {}
    functions: list[str] = []
    for name, value in bindings.items():
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        if isinstance(value, bool | int | float | str | list | tuple | type(None)):
            plain[name] = list(value) if isinstance(value, tuple) else value
        elif callable(value) or isinstance(value, types.ModuleType):
            functions.append(name)
        else:
            raise SpecificationError(
                f"{name!r}, a {type(value).__name__} that the formula takes from outside the data, "
                "cannot be saved; write its value into the formula"
            )
    return plain, functions
