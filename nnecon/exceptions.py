"""Errors and warnings that say what is wrong, where, and what to do next.

Every error derives from :class:`NneconError`, so that a script can catch all of them at once, and
also from the built-in class that a user of statsmodels and pandas would expect to catch.
"""


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
