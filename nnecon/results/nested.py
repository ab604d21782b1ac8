"""Nested cross-validation: an honest score of the whole procedure, choice of penalty included."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.inference.accuracy import corrected_resampled_t, diebold_mariano
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.hypotheses import HypothesisTest
from nnecon.report import plots, tables
from nnecon.report.formats import Formats
from nnecon.results.accuracy_tests import only_ahead
from nnecon.results.path import standard_error

SAME = 1e-8
"""Relative difference of losses, or of errors, that is due to rounding."""

TESTS = {
    "Diebold-Mariano": "All folds look ahead, so that their errors are those of forecasts, which "
    "the test of Diebold and Mariano (1995) compares.",
    "Nadeau-Bengio": "What one fold tests others are estimated on, so that errors are not "
    "independent: the test compares means of folds with the variance of Nadeau and Bengio (2003), "
    "and few folds give little power.",
}
"""Why this test, by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class NestedCrossValidation:
    """Scores of network and classical model on rows that had no part in choosing the penalty.

    Attributes
    ----------
    scores, baseline_scores : ndarray of shape (f,)
        Mean squared error of each outer fold, in squared units of the dependent variable.
    alphas : ndarray of shape (f,)
        Penalty chosen in each outer fold; infinite for the classical model.
    inner_scores, inner_baseline_scores : ndarray of shape (f,)
        Cross-validated errors within the training rows, at the penalty that was chosen for them;
        missing where there was no inner cross-validation.
    train_sizes : ndarray of int of shape (f,)
        Rows that each outer fold was estimated on.
    converged : ndarray of bool of shape (f,)
        Whether each estimate converged.
    predictions : DataFrame
        One row an observation left out, with its label: ``fold``, ``position`` in the sample,
        ``weight``, ``actual``, ``network`` and ``baseline``.
    test : HypothesisTest
        Test of equal accuracy on these rows: Diebold-Mariano where folds only look ahead, by folds
        with the variance of Nadeau and Bengio (2003) where they share training rows.
    outer, inner : str
        How the folds were made, in words; ``inner`` is empty where there were none.
    baseline_name : str
        Name of the classical model.
    """

    scores: np.ndarray
    baseline_scores: np.ndarray
    alphas: np.ndarray
    inner_scores: np.ndarray
    inner_baseline_scores: np.ndarray
    train_sizes: np.ndarray
    converged: np.ndarray
    predictions: pd.DataFrame
    test: HypothesisTest
    outer: str
    inner: str
    baseline_name: str

    @property
    def score(self) -> float:
        """Mean squared error of the procedure, the mean over outer folds."""
        return float(self.scores.mean())

    @property
    def se(self) -> float:
        """Standard error of :attr:`score` over outer folds."""
        return float(standard_error(self.scores[:, None])[0])

    @property
    def baseline_score(self) -> float:
        """Mean squared error of the classical model on the same rows."""
        return float(self.baseline_scores.mean())

    @property
    def classical(self) -> np.ndarray:
        """Whether each outer fold ended in the classical model, shape (f,).

        A network can also be zero at a penalty that is not infinite.
        """
        same = np.isclose(self.scores, self.baseline_scores, rtol=SAME, atol=0.0)
        return np.isinf(self.alphas) | same

    @property
    def sentence(self) -> str:
        """What the scores say."""
        name, change = self.baseline_name, np.sqrt(self.score / self.baseline_score) - 1.0
        classical = int(self.classical.sum())
        if classical == len(self.alphas):
            return f"The procedure chose {name} in every outer fold."
        size = f"{abs(change):.1%}"
        side = f"{size} below" if change < 0 else f"{size} above"
        text = f"The procedure's RMSE on rows left out is {side} that of {name}"
        if classical:
            text += f", which it chose in {classical} of {len(self.alphas)} outer folds"
        return f"{text}. {self.test.sentence}"

    def to_frame(self) -> pd.DataFrame:
        """One row an outer fold; errors are root mean squared errors.

        Columns are ``train`` and ``test`` (rows), ``alpha``, ``network``, ``baseline``, their
        ``ratio``, ``inner_ratio`` (the same on the folds on which the penalty was chosen, and too
        good for that reason) and ``converged``.
        """
        return pd.DataFrame(
            {
                "train": self.train_sizes,
                "test": self.predictions.groupby("fold").size().to_numpy(),
                "alpha": self.alphas,
                "network": np.sqrt(self.scores),
                "baseline": np.sqrt(self.baseline_scores),
                "ratio": np.sqrt(self.scores / self.baseline_scores),
                "inner_ratio": np.sqrt(self.inner_scores / self.inner_baseline_scores),
                "converged": self.converged,
            },
            index=pd.RangeIndex(len(self.scores), name="fold"),
        )

    def summary(self) -> Any:
        """Table of the outer folds for console, HTML and LaTeX, with the verdict below."""
        name = self.baseline_name
        folds = self.to_frame().drop(columns="converged")
        total = {
            "network": np.sqrt(self.score),
            "baseline": np.sqrt(self.baseline_score),
            "ratio": np.sqrt(self.score / self.baseline_score),
            "inner_ratio": np.sqrt(self.inner_scores.mean() / self.inner_baseline_scores.mean()),
        }
        if not self.inner:
            folds = folds.drop(columns="inner_ratio")
            del total["inner_ratio"]
        titles = {"train": "Train", "test": "Test", "alpha": "Penalty", "network": "RMSE"}
        titles |= {"baseline": f"RMSE of {name}", "ratio": "Ratio", "inner_ratio": "Inner ratio"}
        folds.index = pd.Index([f"Fold {number}" for number in folds.index])
        overall = pd.DataFrame(total, index=pd.Index(["All folds"]))
        formats: Formats = {
            "Train": 0,
            "Test": 0,
            "Penalty": _short,
            "RMSE": _short,
            f"RMSE of {name}": _short,
            "Ratio": 3,
            "Inner ratio": 3,
        }
        table, last = (
            tables.Table(block.rename(columns=titles), formats=formats)
            for block in (folds, overall)
        )
        return tables.summary("Nested cross-validation", [], [table, last], self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """How to read the scores."""
        notes = [self.sentence, f"Outer folds: {self.outer}, the same rows for both models."]
        if self.test.applies:
            notes[1] += f" {TESTS[self.test.name]}"
        if self.inner:
            notes.append(
                f"The penalty was chosen anew in every outer fold: {self.inner}. The inner ratio "
                "is that on the folds on which it was chosen, and too good for that reason."
            )
        if not self.converged.all():
            listed = ", ".join(str(fold) for fold in np.flatnonzero(~self.converged))
            notes.append(f"The estimate did not converge in fold {listed}.")
        return tuple(notes)

    def plot(self, **options: Any) -> Any:
        """Errors of the procedure relative to the classical model, fold by fold.

        Options are those of :func:`nnecon.report.plots.plot_comparison`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        frame = self.to_frame()[["network", "baseline"]]
        # not a difference of rounding errors, which would be drawn as -0.0%
        frame.loc[self.classical, "network"] = frame["baseline"]
        frame.index = pd.Index([f"Fold {label}" for label in frame.index])
        frame.loc["All folds"] = np.sqrt((frame**2).mean())
        frame = frame.rename(columns={"network": "Network", "baseline": self.baseline_name})
        title = {"title": "RMSE on rows left out, nested cross-validation"}
        return plots.plot_comparison(frame, **{**title, **options})

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


def accuracy_test(
    predictions: pd.DataFrame,
    train: np.ndarray,
    name: str,
    *,
    time_series: bool,
    groups: np.ndarray | None,
) -> HypothesisTest:
    """Test of equal squared errors on the rows left out, by how they were left out.

    Folds that only look ahead are forecasts, which Diebold and Mariano's test compares row by row:
    with Newey and West's lags for time series, and sums over whole groups where there are groups,
    as in clustered errors. Other folds share training rows, so that their errors are not
    independent: means of folds are compared, with the variance of Nadeau and Bengio (2003). Losses
    are weighted as the scores are.

    Parameters
    ----------
    predictions : DataFrame
        As in :class:`NestedCrossValidation`.
    train : ndarray of bool of shape (f, n)
        Training rows of each outer fold.
    name : str
        What the classical model is called.
    time_series : bool
        Whether rows are periods.
    groups : ndarray of shape (n,), optional
        Label of each row of the sample.
    """
    errors = predictions[["network", "baseline"]].rsub(predictions["actual"], axis=0)
    weights = (predictions["weight"] / predictions["weight"].mean()).to_numpy()
    first, second = _without_rounding(*errors.to_numpy().T)
    fold, position = (predictions[column].to_numpy() for column in ("fold", "position"))
    names = "The network", name
    if not only_ahead(train, tuple(position[fold == at] for at in range(len(train)))):
        trained = train.sum(axis=1)
        return corrected_resampled_t(first, second, fold, trained, names, weights=weights)
    losses = weights * first**2, weights * second**2
    lags = automatic_lags(len(weights)) if time_series and groups is None else 0
    if groups is not None:
        _, code = np.unique(groups[position], return_inverse=True)
        losses = np.bincount(code, losses[0]), np.bincount(code, losses[1])
    return diebold_mariano(*losses, lags, names)


def _without_rounding(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of which the first are the second where they differ by rounding alone."""
    same = np.abs(first - second) <= SAME * np.sqrt(np.mean(second**2))
    return np.where(same, second, first), second


def _short(value: float) -> str:
    return f"{value:.4g}"
