"""Nested cross-validation: every choice is made again on the training rows of every fold."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.estimation.splitters import ExpandingFolds, StratifiedFolds
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.feedforward import FeedForward
from nnecon.results.nested import NestedCrossValidation, accuracy_test

COVARIANCE = ("cov_type", "cov_kwds", "use_t")


def nested_cv(
    model: FeedForward,
    outer: int | Splitter | None = None,
    *,
    groups: Any = None,
    rng: int | np.random.Generator = 0,
    **fit_options: Any,
) -> NestedCrossValidation:
    """Score the whole procedure, the choice of the penalty included, on rows that it never saw.

    The error that ``fit(alpha="cv")`` reports is the least of many on the same folds, and too good
    for that reason (Varma and Simon, 2006). Here every outer fold is left out, the model is fitted
    to the other rows with everything that belongs to it (standardisation, grid, inner folds,
    choice of the penalty), and predicts the rows left out; so does the classical model.

    The test of equal squared errors is Diebold and Mariano's where every outer fold looks ahead,
    as expanding windows do. Other folds share training rows, so that their errors are not
    independent: means of folds are compared with the variance of Nadeau and Bengio (2003).

    Rows are taken from the design matrix of the sample: lags reach back to the rows before, as
    they would for a forecaster, and what a formula computes from all rows (the mean in
    ``center(x)``, knots of splines) is computed once.

    Parameters
    ----------
    model : NeuralRegression
        The model.
    outer : int or splitter, optional
        Outer folds, as ``cv`` of ``fit``: five by default.
    groups : str or array_like, optional
        One label a row (or a column's name): keeps groups together in outer and inner folds, and
        clusters the test where that is by rows.
    rng : int or numpy.random.Generator
        Seed of the outer folds, and the ``rng`` of every fit.
    **fit_options
        All other options of ``fit``: ``alpha``, ``alphas``, ``cv`` (the inner folds), ``n_starts``
        and so on.

    Returns
    -------
    NestedCrossValidation

    Raises
    ------
    SpecificationError
        Options that make no sense here.
    DataError
        The training rows of a fold do not identify the model.

    Examples
    --------
    >>> import nnecon as ne
    >>> from nnecon.models.nested import nested_cv
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.NeuralRegression.from_formula(
    ...     "growth ~ lag(growth, 1) + lag(unemp, 1)", macro, hidden=(2,)
    ... )
    >>> honest = nested_cv(model, 3, cv=3, alphas=8, n_starts=2)
    >>> honest.to_frame()["test"].tolist()
    [44, 45, 45]
    """
    useless = [name for name in COVARIANCE if name in fit_options]
    if useless:
        raise SpecificationError(
            f"{useless[0]} has no effect on predictions; leave it out of nested cross-validation."
        )
    sample, labels = model.design.sample, None
    if groups is not None:
        labels = model.design.align(groups, "groups")
    seeds = generator(rng)
    folds = make_folds(
        outer,
        sample.exog,
        sample.endog,
        time_series=model.is_time_series,
        groups=labels,
        rng=seeds.spawn(4)[3],
        periods=sample.rows,
        align=model.design.align,
    )
    inner = _inner_folds(model, fit_options, labels)
    fits, pieces = [], []
    for number, (train, test) in enumerate(folds.pairs()):
        options = _for_fold(fit_options, inner, labels, train, number)
        options["rng"] = rng if isinstance(rng, int | np.integer) else seeds.spawn(1)[0]
        fitted = _fit(model, train, options, number)
        fits.append(fitted)
        pieces.append(_predictions(model, fitted, test, number))
    predictions = pd.concat(pieces)
    name = type(fits[0].baseline.model).__name__
    inner_scores = np.array([_inner_scores(fitted) for fitted in fits])
    return NestedCrossValidation(
        scores=_scores(pieces, "network"),
        baseline_scores=_scores(pieces, "baseline"),
        alphas=np.array([fitted.alpha for fitted in fits]),
        inner_scores=inner_scores[:, 0],
        inner_baseline_scores=inner_scores[:, 1],
        train_sizes=folds.train.sum(axis=1),
        converged=np.array([fitted.converged for fitted in fits]),
        predictions=predictions,
        test=accuracy_test(
            predictions, folds.train, name, time_series=model.is_time_series, groups=labels
        ),
        outer=folds.description,
        inner="" if fits[0].estimate.cv is None else fits[0].estimate.cv.description,
        baseline_name=name,
    )


def on_rows(model: FeedForward, rows: np.ndarray) -> FeedForward:
    """The same specification on some rows of the estimated design matrix.

    Parameters
    ----------
    model : FeedForward
        The model.
    rows : ndarray of int
        Positions in the sample.
    """
    index = model.design.sample.index[rows]
    family: Any = type(model)
    return family(
        pd.Series(model.endog[rows], index=index, name=model.endog_names),
        _frame(model, rows),
        weights=model.weights[rows] if model.weighted else None,
        **model.specification.arguments,
    )


def _frame(model: FeedForward, rows: np.ndarray) -> pd.DataFrame:
    index = model.design.sample.index[rows]
    return pd.DataFrame(model.exog[rows], index=index, columns=model.exog_names)


def _inner_folds(model: FeedForward, options: dict[str, Any], labels: np.ndarray | None) -> Any:
    """Inner folds as ``fit`` would choose them on the whole sample.

    A part of the sample may not look like a time series any more.
    """
    cv, rule = options.get("cv"), options.get("alpha", "cv")
    if isinstance(cv, StratifiedFolds):
        return cv.aligned(model.design.align)
    chosen = cv is not None or rule in ("cv", "1se")
    number = cv is None or (isinstance(cv, int | np.integer) and not isinstance(cv, bool))
    if model.is_time_series and labels is None and model.has_network and chosen and number:
        return ExpandingFolds(5 if cv is None else int(cv))
    return cv


def _for_fold(
    options: dict[str, Any], inner: Any, labels: np.ndarray | None, train: np.ndarray, number: int
) -> dict[str, Any]:
    """Options of ``fit`` on the training rows of one outer fold."""
    own = {**options, "cv": inner, "cov_type": "nonrobust"}
    if isinstance(inner, StratifiedFolds) and inner.by is not None:
        own["cv"] = replace(inner, by=np.asarray(inner.by)[train])
    if labels is not None:
        own["groups"] = labels[train]
    if options.get("checkpoint") is not None:
        own["checkpoint"] = Path(options["checkpoint"]) / f"fold-{number}"
    return own


def _fit(model: FeedForward, train: np.ndarray, options: dict[str, Any], number: int) -> Any:
    """Fit to the training rows; errors and warnings name the outer fold."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            part: Any = on_rows(model, train)
            fitted = part.fit(**options)
        except DataError as error:
            raise DataError(
                f"the training rows of outer fold {number} cannot be used: {error}; or choose "
                "outer folds that leave every category in the training rows, such as "
                "StratifiedFolds with by=."
            ) from error
    for warning in caught:
        warnings.warn(f"Outer fold {number}: {warning.message}", warning.category, stacklevel=3)
    return fitted


def _predictions(model: FeedForward, fitted: Any, test: np.ndarray, number: int) -> pd.DataFrame:
    rows = _frame(model, test)
    return pd.DataFrame(
        {
            "fold": number,
            "position": test,
            "weight": model.weights[test],
            "actual": model.endog[test],
            "network": fitted.predict(rows).to_numpy(),
            "baseline": np.asarray(fitted.baseline.predict(rows)),
        },
        index=model.design.sample.index[test],
    )


def _scores(pieces: list[pd.DataFrame], column: str) -> np.ndarray:
    return np.array(
        [
            np.average((piece["actual"] - piece[column]) ** 2, weights=piece["weight"])
            for piece in pieces
        ]
    )


def _inner_scores(fitted: Any) -> tuple[float, float]:
    """Cross-validated errors of network and baseline on which the penalty was chosen."""
    cv = fitted.estimate.cv
    if cv is None:
        return np.nan, np.nan
    chosen = int(np.flatnonzero(cv.alphas == fitted.alpha)[0])
    return float(cv.mean[chosen]), float(cv.baseline_scores.mean())
