"""Statistics, p-values and intervals that every estimate shares."""

import numpy as np
import pandas as pd
from scipy import stats


def distribution(use_t: bool, df_resid: float):
    """Reference distribution of a statistic: Student's t or the standard normal."""
    return stats.t(df_resid) if use_t else stats.norm()


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
    width = reference.ppf(1.0 - alpha / 2.0) * error
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
