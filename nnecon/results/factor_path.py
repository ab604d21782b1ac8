"""The path from principal components to the full autoencoder, and its cross-validation."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from nnecon.report import plots
from nnecon.results.path import standard_error

BASELINE = "PCA"


@dataclass(frozen=True, slots=True, eq=False)
class FactorPath:
    """Estimates from principal components (``alpha = inf``) to the full autoencoder.

    Attributes
    ----------
    alphas : ndarray of shape (m,)
        Penalties, descending; the first is infinite.
    explained : ndarray of shape (m,)
        Share of the variance of all standardised series that is explained in the sample.
    linear : ndarray of bool of shape (m,)
        Whether no network had a lower objective than principal components.
    certificate : ndarray of shape (m,)
        Largest relative gradient. The path is traced roughly; the estimate is polished.
    cv_mean, cv_se : ndarray of shape (m,) or None
        Mean squared error of rows left out, in standard deviations, and its standard error.
    alpha_min, alpha_1se : float or None
        Penalty of the least error, and the largest one within one standard error of it.
    """

    alphas: np.ndarray
    explained: np.ndarray
    linear: np.ndarray
    certificate: np.ndarray
    cv_mean: np.ndarray | None = None
    cv_se: np.ndarray | None = None
    alpha_min: float | None = None
    alpha_1se: float | None = None

    def to_frame(self) -> pd.DataFrame:
        """One row a penalty."""
        frame = pd.DataFrame(
            {
                "explained": self.explained,
                "linear": self.linear,
                "certificate": self.certificate,
            },
            index=pd.Index(self.alphas, name="alpha"),
        )
        if self.cv_mean is not None:
            frame.insert(1, "cv_mean", self.cv_mean)
            frame.insert(2, "cv_se", self.cv_se)
        return frame


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Errors of what each fold leaves out, along the penalty, beside those of the linear model.

    Attributes
    ----------
    alphas : ndarray of shape (m,)
        Penalties; the first is infinite, the linear model.
    scores : ndarray of shape (f, m)
        Mean squared error of each fold.
    folds : tuple of ndarray
        Positions that each fold leaves out.
    train : ndarray of bool of shape (f, T)
        Training rows, or periods, of each fold.
    description : str
        How the folds were made.
    """

    alphas: np.ndarray
    scores: np.ndarray
    folds: tuple[np.ndarray, ...]
    train: np.ndarray
    description: str

    baseline_name: ClassVar[str] = BASELINE
    unit: ClassVar[str] = "rows"

    @property
    def baseline_scores(self) -> np.ndarray:
        """Error of the linear model in each fold, shape (f,)."""
        return self.scores[:, 0]

    @property
    def mean(self) -> np.ndarray:
        """Mean over folds, shape (m,)."""
        return self.scores.mean(axis=0)

    @property
    def se(self) -> np.ndarray:
        """Standard error of the mean over folds, shape (m,)."""
        return standard_error(self.scores)

    def plot(self, **options: Any) -> Any:
        """Error of what was left out along the penalty, with that of the linear model.

        Options are those of :func:`nnecon.report.plots.plot_cv`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        given = {
            "baseline_name": self.baseline_name,
            "ylabel": f"Mean squared error of {self.unit} left out",
            "fold_scores": self.scores,
            "baseline_mean": float(self.baseline_scores.mean()),
            "baseline_se": float(standard_error(self.baseline_scores[:, None])[0]),
        }
        return plots.plot_cv(self.alphas, self.mean, self.se, **{**given, **options})


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructionCV(LeftOut):
    """Errors of rows that were left out of estimation, standardisation and components included.

    Scores are over known values, in squared standard deviations of the whole sample (in the data's
    units where series are not standardised).

    Attributes
    ----------
    row_losses : DataFrame
        ``fold``, and mean squared errors over the series of each row left out: ``network`` at the
        chosen penalty and ``baseline``.
    series_losses : DataFrame
        The same by series, and how many ``values`` were compared.
    """

    row_losses: pd.DataFrame
    series_losses: pd.DataFrame
