"""The regularisation path and its cross-validation, as frames and pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.report import plots


@dataclass(frozen=True, slots=True, eq=False)
class RegularizationPath:
    """Estimates from the classical model (``alpha = inf``) to the full network.

    All arrays run over the m penalties, from the baseline down.

    Attributes
    ----------
    alphas : ndarray of shape (m,)
        Penalty strengths; the first is infinite.
    edf : ndarray of shape (m,)
        Effective degrees of freedom.
    train_score : ndarray of shape (m,)
        Mean squared residual in the sample, in squared units of the dependent variable.
    cv_mean, cv_se : ndarray of shape (m,) or None
        Mean squared error of cross-validation and its standard error over folds.
    effects : DataFrame
        Average partial effects, a row a penalty and a column a regressor.
    alpha_min, alpha_1se : float or None
        Penalty with the least cross-validated error, and the largest penalty whose error is
        within one standard error of it.
    switches : ndarray of bool of shape (m,)
        Whether the best solution jumped to another minimum since the penalty before.
    converged : ndarray of bool of shape (m,)
        Whether the certificate is under 1e-6.
    certificate : ndarray of shape (m,)
        Relative gradient norm of each solution.
    params : ndarray of shape (m, k)
        Parameters in the user's units.
    starts : DataFrame or None
        Random starts at the penalties where all of them were solved on the whole sample: columns
        ``alpha``, ``start``, ``objective`` (of the standardised problem) and ``followed``, whether
        the path was followed from there. Starts that fall behind are dropped; every fold lets
        its own starts compete.
    log_evidence : ndarray of shape (m,) or None
        Log marginal likelihood of each penalty, up to a constant (MacKay, 1992), where the penalty
        was chosen by it.
    """

    alphas: np.ndarray
    edf: np.ndarray
    train_score: np.ndarray
    effects: pd.DataFrame
    switches: np.ndarray
    converged: np.ndarray
    certificate: np.ndarray
    params: np.ndarray
    cv_mean: np.ndarray | None = None
    cv_se: np.ndarray | None = None
    alpha_min: float | None = None
    alpha_1se: float | None = None
    starts: pd.DataFrame | None = None
    log_evidence: np.ndarray | None = None

    @property
    def n_starts(self) -> int:
        """Random starts that competed; zero where there was no network to start."""
        return 0 if self.starts is None else int(self.starts["start"].nunique())

    @property
    def n_followed(self) -> int:
        """Starts from which the path was followed; the others fell behind and were dropped."""
        if self.starts is None:
            return 0
        return int(self.starts.groupby("start")["followed"].any().sum())

    def to_frame(self) -> pd.DataFrame:
        """One row a penalty, with everything but the parameters."""
        frame = pd.DataFrame(
            {
                "edf": self.edf,
                "train_score": self.train_score,
                "converged": self.converged,
                "certificate": self.certificate,
                "switch": self.switches,
            },
            index=pd.Index(self.alphas, name="alpha"),
        )
        if self.log_evidence is not None:
            frame.insert(2, "log_evidence", self.log_evidence)
        if self.cv_mean is not None:
            frame.insert(2, "cv_mean", self.cv_mean)
            frame.insert(3, "cv_se", self.cv_se)
        return frame.join(self.effects)

    def plot(self, scale: pd.Series | None = None, **options: Any) -> Any:
        """Average partial effects and effective degrees of freedom along the path.

        Parameters
        ----------
        scale : Series, optional
            Factor by which each regressor's effect is multiplied, such as a standard deviation.
        **options
            As in :func:`nnecon.report.plots.plot_path`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        effects = self.effects if scale is None else self.effects * scale
        marks = {
            "chosen": self.alpha_min,
            "alpha_1se": self.alpha_1se,
            "switches": self.alphas[self.switches],
        }
        return plots.plot_path(self.alphas, effects, self.edf, **{**marks, **options})


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """Scores of network and baseline on the same folds and rows.

    Attributes
    ----------
    alphas : ndarray of shape (m,)
        Penalties; the first is infinite, the baseline.
    scores : ndarray of shape (f, m)
        Mean squared error of each fold, in squared units of the dependent variable.
    baseline_scores : ndarray of shape (f,)
        The same of the classical model.
    folds : tuple of ndarray
        Test positions of each fold.
    description : str
        How the folds were made.
    predictions : DataFrame
        One row an observation left out: ``fold``, ``actual``, ``network`` at the chosen penalty
        and ``baseline``.
    params : ndarray of shape (f, k), optional
        Each fold's estimate at the chosen penalty, in standardised coordinates.
    train : ndarray of bool of shape (f, n), optional
        Training rows of each fold.
    """

    alphas: np.ndarray
    scores: np.ndarray
    baseline_scores: np.ndarray
    folds: tuple[np.ndarray, ...]
    description: str
    predictions: pd.DataFrame
    params: np.ndarray | None = None
    train: np.ndarray | None = None

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """Training and test positions, so that ``fit(cv=results.cv)`` takes the same folds.

        Parameters
        ----------
        X, y, groups
            Not looked at, as in scikit-learn's splitters.
        """
        if self.train is None:
            raise SpecificationError("these folds were stored without their training rows.")
        for train, test in zip(self.train, self.folds, strict=True):
            yield np.flatnonzero(train), test

    @property
    def mean(self) -> np.ndarray:
        """Mean score over folds, shape (m,)."""
        return self.scores.mean(axis=0)

    @property
    def se(self) -> np.ndarray:
        """Standard error of the mean over folds, shape (m,)."""
        return standard_error(self.scores)

    def plot(self, **options: Any) -> Any:
        """Cross-validated error against the penalty, with the baseline's.

        Options are those of :func:`nnecon.report.plots.plot_cv`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return plots.plot_cv(
            self.alphas,
            self.mean,
            self.se,
            baseline_mean=float(self.baseline_scores.mean()),
            baseline_se=float(standard_error(self.baseline_scores[:, None])[0]),
            **options,
        )


def standard_error(scores: np.ndarray) -> np.ndarray:
    """Standard error of the mean over folds (first axis)."""
    return scores.std(axis=0, ddof=1) / np.sqrt(len(scores))


def choose_alpha(alphas: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Penalty with the least mean score, and the largest within one standard error of it.

    Parameters
    ----------
    alphas : ndarray of shape (m,)
        Descending.
    scores : ndarray of shape (f, m)
        Lower is better. Ties go to the larger penalty.
    """
    mean = scores.mean(axis=0)
    best = int(mean.argmin())
    bound = mean[best] + standard_error(scores)[best]
    return float(alphas[best]), float(alphas[np.flatnonzero(mean <= bound)[0]])
