"""Errors and warnings that say what is wrong, where, and what to do next.

Every error derives from :class:`NneconError`, so that a script can catch all of them at once, and
also from the built-in class that a user of statsmodels and pandas would expect to catch.
"""

import sys
import warnings
from pathlib import Path


class NneconError(Exception):
    """Base class of every error that nnecon raises on purpose."""


class DataError(NneconError, ValueError):
    """The data cannot be used as they are: the message names the column, the row and a remedy."""


class FormulaError(NneconError, ValueError):
    """A formula cannot be read or evaluated."""


class SpecificationError(NneconError, ValueError):
    """The model's specification or the options of a call contradict each other or the data."""


class ConvergenceError(NneconError, RuntimeError):
    """No usable estimate was found."""


class ForecastError(NneconError, ValueError):
    """Predictions or forecasts were asked for rows that the data at hand do not determine."""


class NneconWarning(UserWarning):
    """Base class of every warning that nnecon issues."""


class ConvergenceWarning(NneconWarning):
    """An estimate is returned that does not meet the convergence criterion."""


class IdentificationWarning(NneconWarning):
    """Some directions of the parameter space are not identified by the data."""


class DataWarning(NneconWarning):
    """The data were used, but something about them deserves a look."""


class StabilityWarning(NneconWarning):
    """An estimated system moves away from where it is: forecasts far ahead mean nothing."""


_OWN = (str(Path(__file__).parent), "<frozen ")
_BETWEEN = ("functools.py", "contextlib.py")


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's that led here, however many calls of ours are between."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_own(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_own(path: str) -> bool:
    return path.startswith(_OWN) or path.endswith(_BETWEEN)
