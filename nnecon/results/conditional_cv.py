"""Errors of periods that were left out, for models of panels of assets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.report import plots
from nnecon.results.path import standard_error

LINEAR = "IPCA"
"""Name of the model with linear loadings."""


@dataclass(frozen=True, slots=True, eq=False)
class PeriodCV:
    """Errors of periods left out: loadings come from the other periods, factors from their own.

    Attributes
    ----------
    alphas : ndarray of shape (m,)
        Penalties; the first is infinite, linear loadings.
    scores : ndarray of shape (f, m)
        Mean squared error of each fold over its rows, in squared units of the returns.
    folds : tuple of ndarray
        Positions of the periods that each fold leaves out.
    train : ndarray of bool of shape (f, T)
        Training periods of each fold.
    description : str
        How the folds were made.
    period_losses : DataFrame
        A row a period left out: ``fold``, mean squared errors of its assets by ``network`` (at the
        chosen penalty) and ``baseline``, and how many ``assets`` there were.
    """

    alphas: np.ndarray
    scores: np.ndarray
    folds: tuple[np.ndarray, ...]
    train: np.ndarray
    description: str
    period_losses: pd.DataFrame

    @property
    def baseline_scores(self) -> np.ndarray:
        """Error of linear loadings in each fold, shape (f,)."""
        return self.scores[:, 0]

    @property
    def mean(self) -> np.ndarray:
        """Mean over folds, shape (m,)."""
        return self.scores.mean(axis=0)

    @property
    def se(self) -> np.ndarray:
        """Standard error of the mean over folds, shape (m,)."""
        return standard_error(self.scores)

    def mean_squared_error(self, name: str) -> float:
        """Mean over all rows left out, of ``"network"`` or ``"baseline"``."""
        frame = self.period_losses
        return float(frame[name] @ frame["assets"] / frame["assets"].sum())

    def plot(self, **options: Any) -> Any:
        """Error of periods left out along the penalty, with that of linear loadings.

        Options are those of :func:`nnecon.report.plots.plot_cv`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        given = {
            "baseline_name": LINEAR,
            "ylabel": "Mean squared error of periods left out",
            "fold_scores": self.scores,
            "baseline_mean": float(self.baseline_scores.mean()),
            "baseline_se": float(standard_error(self.baseline_scores[:, None])[0]),
        }
        return plots.plot_cv(self.alphas, self.mean, self.se, **{**given, **options})
