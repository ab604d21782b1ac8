"""Statistics, p-values and intervals that every estimate shares."""

from numbers import Real

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.exceptions import SpecificationError


def distribution(use_t: bool, df_resid: float):
    """Reference distribution of a statistic: Student's t or the standard normal."""
    return stats.t(df_resid) if use_t else stats.norm()


def half_width(alpha: float, use_t: bool, df_resid: float) -> float:
    """Standard errors on either side of an interval with level ``1 - alpha``."""
    return float(distribution(use_t, df_resid).ppf(1.0 - check_level(alpha) / 2.0))


def check_level(alpha: float) -> float:
    """Refuse what is not one less the level of an interval."""
    if not (isinstance(alpha, Real) and 0.0 < alpha < 1.0):
        raise SpecificationError(
            f"alpha={alpha!r}: give one less the level of the intervals, a number between 0 and 1; "
            "0.05 stands for 95%."
        )
    return float(alpha)


def coefficient_table(
    estimate: pd.Series,
    error: pd.Series,
    use_t: bool,
    df_resid: float,
    alpha: float = 0.05,
    name: str = "coef",
) -> pd.DataFrame:
    """Estimates, standard errors, statistics, p-values and intervals as statsmodels heads them."""
    reference = distribution(use_t, df_resid)
    letter = "t" if use_t else "z"
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / error
    width = half_width(alpha, use_t, df_resid) * error
    return pd.DataFrame(
        {
            name: estimate,
            "std err": error,
            letter: statistic,
            f"P>|{letter}|": 2.0 * reference.sf(np.abs(statistic)),
            f"[{alpha / 2:.3g}": estimate - width,
            f"{1 - alpha / 2:.3g}]": estimate + width,
        },
        index=estimate.index,
    )
