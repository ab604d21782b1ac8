r"""Networks as scikit-learn estimators: nuisance learners for causal inference.

DoubleML, EconML and scikit-learn's own tools (pipelines, stacking, grid search) take an object with
``fit(X, y)``, ``predict(X)`` and parameters in the constructor. :class:`NeuralRegressor` is
:class:`nnecon.NeuralRegression` in that form: it adds the constant, leaves out columns that say
nothing new, and keeps the full results in ``results_``.

scikit-learn (1.6 or later) is needed here and nowhere else in nnecon:
``pip install 'nnecon[learners]'``.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from nnecon.data.identification import independent_columns
from nnecon.models.regression import NeuralRegression

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import _check_sample_weight as check_sample_weight
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as error:
    raise ImportError(
        "nnecon.learners are scikit-learn estimators and need scikit-learn 1.6 or later, which is "
        f"missing or older ({error}): pip install 'nnecon[learners]'."
    ) from error

__all__ = ["NeuralRegressor"]


class NeuralLearner(BaseEstimator):
    """What the learners share: rows, columns and folds, and the model that is estimated on them.

    A learner names its ``MODEL`` and the arguments of its own constructor that belong to the
    model's (``SPECIFICATION``) and to ``fit`` (``ESTIMATION``).
    """

    MODEL: ClassVar[Any]

    SPECIFICATION = ("hidden", "activation", "linear_part")
    ESTIMATION = (*("alpha", "alphas", "L1_wt", "group_inputs", "n_starts", "ensemble", "method"),)

    cv: Any
    linear_part: bool
    random_state: Any

    def _estimate(self, X: np.ndarray, y: np.ndarray, sample_weight: Any, groups: Any) -> Self:
        """Fit the model on the rows with positive weight and the columns that say something new."""
        cv, labels = self.cv, _labels(groups, len(X))
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, X, ensure_non_negative=True)
            used = weights > 0
            if not used.any():
                raise ValueError("sample_weight is zero in all rows, which leaves nothing to fit.")
            if _are_splits(cv):
                cv = [_among(split, used) for split in cv]
            X, y, weights = X[used], y[used], weights[used]
            labels = None if labels is None else labels[used]
        self.columns_ = independent_columns(X, weights, linear_part=bool(self.linear_part))
        chosen = {name: getattr(self, name) for name in self.SPECIFICATION}
        model = self.MODEL(pd.Series(y, name="y"), self._exog(X), weights=weights, **chosen)
        options = {name: getattr(self, name) for name in self.ESTIMATION}
        self.results_ = model.fit(
            **options,
            cv=_Splits(cv) if _are_splits(cv) else cv,
            groups=labels,
            rng=_seed(self.random_state),
            progress=False,
        )
        return self

    def _exog(self, X: np.ndarray) -> pd.DataFrame:
        """A constant and the columns of the model."""
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = np.array([f"x{j}" for j in range(X.shape[1])])
        kept = list(names[self.columns_])
        frame = pd.DataFrame(X[:, self.columns_], columns=kept)
        frame.insert(0, "const" if "const" not in kept else "Intercept", 1.0)
        return frame


class NeuralRegressor(RegressorMixin, NeuralLearner):
    """Neural regression as a scikit-learn regressor, for DoubleML, EconML and pipelines.

    The estimate is that of :class:`nnecon.NeuralRegression` with a constant. Rows are a cross
    section, whatever the index of ``X``.

    Parameters
    ----------
    hidden, activation, linear_part
        As in :class:`nnecon.NeuralRegression`. With more columns than rows, leave the linear part,
        which is not penalised, out: ``linear_part=False``.
    alpha, alphas, L1_wt, group_inputs, n_starts, ensemble, method
        As in :meth:`nnecon.NeuralRegression.fit`.
    cv : int, splitter, or iterable of (train, test), optional
        Folds that choose the penalty; five by default, of whole groups where ``fit`` is given
        ``groups``.
    random_state : int, RandomState, Generator or None
        Seed of starts and folds. A number, 0 by default, is ``rng`` of
        :meth:`nnecon.NeuralRegression.fit`; None gives other numbers every time.

    Attributes
    ----------
    results_ : NeuralRegressionResults
        Everything nnecon knows of the estimate: ``learner.results_.summary()``.
    columns_ : ndarray of int
        Positions of the columns that the model uses. Columns that do not vary, and with a linear
        part those that are linear combinations of columns before them, say nothing new and are
        left out.
    n_features_in_ : int
        Columns seen in ``fit``.
    feature_names_in_ : ndarray of str
        Their names, where ``X`` was a frame.

    Notes
    -----
    For double machine learning see Chernozhukov, Chetverikov, Demirer, Duflo, Hansen, Newey and
    Robins (2018).

    Examples
    --------
    >>> import nnecon as ne
    >>> from sklearn.model_selection import cross_val_predict
    >>> macro = ne.datasets.load_macro().dropna()
    >>> X, y = macro[["infl", "realint"]], macro["unemp"]
    >>> learner = ne.learners.NeuralRegressor(hidden=(3,), alpha=0.01, n_starts=2)
    >>> cross_val_predict(learner, X, y, cv=2).shape == y.shape
    True
    """

    MODEL = NeuralRegression

    def __init__(
        self,
        hidden: Sequence[int] | int = (8,),
        activation: str = "tanh",
        linear_part: bool = True,
        *,
        alpha: float | str = "cv",
        alphas: int | Sequence[float] = 30,
        L1_wt: float = 0.0,
        group_inputs: bool = False,
        cv: Any = None,
        n_starts: int = 8,
        ensemble: int = 1,
        method: Any = "auto",
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.linear_part = linear_part
        self.alpha = alpha
        self.alphas = alphas
        self.L1_wt = L1_wt
        self.group_inputs = group_inputs
        self.cv = cv
        self.n_starts = n_starts
        self.ensemble = ensemble
        self.method = method
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Estimate.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Regressors, without a constant.
        y : array_like of shape (n,)
            Dependent variable.
        sample_weight : array_like of shape (n,), optional
            Observation weights; rows with weight zero are left out.
        groups : array_like of shape (n,), optional
            One label a row: rows with the same label stay together in folds.

        Returns
        -------
        NeuralRegressor
            Itself.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        return self._estimate(X, y, sample_weight, groups)

    def predict(self, X: Any) -> np.ndarray:
        """Predicted means, shape (m,).

        Parameters
        ----------
        X : array_like of shape (m, p)
            Regressors, as in :meth:`fit`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.results_.predict(self._exog(X)).to_numpy()


class _Splits:
    """Pairs of training and test rows with the face of a splitter."""

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self.pairs = list(pairs)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Any, Any]]:
        """The pairs."""
        return iter(self.pairs)


def _are_splits(cv: Any) -> bool:
    """Whether ``cv`` is an iterable of pairs, as scikit-learn's tools accept."""
    return isinstance(cv, Iterable) and not isinstance(cv, str) and not hasattr(cv, "split")


def _among(split: tuple[Any, Any], used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows of a split, as positions among the rows that are used."""
    place = np.cumsum(used) - 1
    train, test = (np.arange(len(used))[rows] for rows in split)
    return place[train[used[train]]], place[test[used[test]]]


def _labels(groups: Any, n: int) -> np.ndarray | None:
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(
            f"groups has the shape {labels.shape}; give one label for each of {n} rows."
        )
    return labels


def _seed(random_state: Any) -> Any:
    """``rng`` of nnecon for what scikit-learn takes as ``random_state``."""
    if isinstance(random_state, int | np.integer | np.random.Generator):
        return random_state
    if random_state is None:
        return np.random.default_rng()
    return int(check_random_state(random_state).randint(2**31 - 1))
