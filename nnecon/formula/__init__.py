"""The formula interface under lower-case names, see :mod:`nnecon.formula.api`."""
