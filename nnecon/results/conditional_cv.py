"""Errors of periods that were left out, for models of panels of assets."""

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from nnecon.results.factor_path import LeftOut

LINEAR = "IPCA"
"""Name of the model with linear loadings."""


@dataclass(frozen=True, slots=True, eq=False)
class PeriodCV(LeftOut):
    """Errors of periods left out: loadings come from the other periods, factors from their own.

    Scores are over the rows of a fold, in squared units of the returns.

    Attributes
    ----------
    period_losses : DataFrame
        A row a period left out: ``fold``, mean squared errors of its assets by ``network`` (at the
        chosen penalty) and ``baseline``, and how many ``assets`` there were.
    """

    period_losses: pd.DataFrame

    baseline_name: ClassVar[str] = LINEAR
    unit: ClassVar[str] = "periods"

    def mean_squared_error(self, name: str) -> float:
        """Mean over all rows left out, of ``"network"`` or ``"baseline"``."""
        frame = self.period_losses
        return float(frame[name] @ frame["assets"] / frame["assets"].sum())
