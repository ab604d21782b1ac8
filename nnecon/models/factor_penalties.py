"""The penalty of factor models: a number or a rule, and the grid that is tried."""

from numbers import Real
from typing import Any

import numpy as np

from nnecon.exceptions import SpecificationError
from nnecon.models.settings import RULES


def read_penalty(alpha: Any, linear: str, left_out: str) -> float | str:
    """Check a penalty: a positive number or a rule; ``linear`` is the model at infinity."""
    if isinstance(alpha, str) and alpha in ("cv", "1se"):
        return alpha
    number = float(alpha) if isinstance(alpha, Real) and not isinstance(alpha, bool) else np.nan
    if not number > 0:
        raise SpecificationError(
            f"alpha={alpha!r}: give a positive penalty (inf is {linear}), 'cv' for the least error "
            f"of {left_out} left out or '1se' for the one-standard-error rule."
        )
    return number


def words(rule: float | str) -> str:
    """How the penalty was chosen, as a phrase for the summary."""
    return RULES.get(str(rule), "the user")


def with_penalty(grid: np.ndarray, rule: float | str) -> np.ndarray:
    """A descending grid with the user's penalty among the others."""
    if isinstance(rule, str) or not np.isfinite(rule):
        return grid
    near = np.isclose(grid, rule, rtol=1e-9)
    return np.sort(np.r_[grid[~near], rule])[::-1]
