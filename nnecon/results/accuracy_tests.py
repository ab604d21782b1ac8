"""Which tests of accuracy are valid on rows left out, by how they were left out."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nnecon.inference.accuracy import (
    clark_west,
    corrected_resampled_t,
    diebold_mariano,
    giacomini_white,
)
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.hypotheses import LEVEL, HypothesisTest, does_not_apply, shown_pvalue

NETWORK = "the network"


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyTests:
    """Tests on the rows left out, the one to report first, and what they suppose.

    Attributes
    ----------
    tests : tuple of HypothesisTest
        The first is the one that is valid for these models and folds.
    note : str
        Why that one, and what to think of the others.
    """

    tests: tuple[HypothesisTest, ...]
    note: str


def accuracy_tests(
    predictions: pd.DataFrame,
    train: np.ndarray | None,
    tests: tuple[np.ndarray, ...],
    *,
    name: str,
    nested: bool,
    time_series: bool,
    weights: np.ndarray | None = None,
) -> AccuracyTests:
    """Compare network and classical model on the rows left out.

    Folds that only look ahead are forecasts: their errors are compared row by row. Other folds
    share training rows with each other, and their errors are compared fold by fold.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``fold``, ``actual``, ``network`` and ``baseline``, a row an observation left out.
    train : ndarray of bool of shape (f, n), optional
        Training rows of each fold; where they are not known, all rows that are tested elsewhere.
    tests : tuple of ndarray
        Positions that each fold leaves out.
    name : str
        Name of the classical model.
    nested : bool
        Whether the network contains it.
    time_series : bool
        Whether rows are periods.
    weights : ndarray of shape (rows left out,), optional
        Weights of these rows.
    """
    errors = predictions[["network", "baseline"]].rsub(predictions["actual"], axis=0).to_numpy()
    root = np.ones(len(errors)) if weights is None else np.sqrt(weights / weights.mean())
    large, small = (errors * root[:, None]).T
    names = name, NETWORK
    if only_ahead(train, tests):
        return _of_forecasts(small, large, names, nested, time_series)
    fold = predictions["fold"].to_numpy()
    if train is None:
        trained = np.array([len(errors) - len(test) for test in tests], dtype=float)
    else:
        trained = train.sum(axis=1).astype(float)
    plain = corrected_resampled_t(small, large, fold, trained, names)
    note = (
        "These folds share training rows, so that their errors are not independent: tests compare "
        "means of folds with the variance of Nadeau and Bengio (2003), and few folds give little "
        "power."
    )
    if not nested:
        return _found((plain,), note)
    first = corrected_resampled_t(small, large, fold, trained, names, nested=True)
    first = _of_nested(first, name)
    note += (
        f" Clark and West's test asks whether {name} misses anything; Nadeau and "
        "Bengio's whether the network's errors are smaller at this number of rows."
    )
    return _found((first, plain), note)


def _of_forecasts(
    small: np.ndarray,
    large: np.ndarray,
    names: tuple[str, str],
    nested: bool,
    time_series: bool,
) -> AccuracyTests:
    """Row by row, in the order in which rows were predicted."""
    lags = automatic_lags(len(small)) if time_series else 0
    squares, order = (large**2, small**2), (names[1], names[0])
    mariano = diebold_mariano(*squares, lags, order)
    if len(small) > 2:
        white = giacomini_white(*squares, names=order, lags=lags)
    else:
        null = "The network and the classical model are expected to predict equally well"
        white = does_not_apply("Giacomini-White (conditional)", null, "Too few rows: no test.")
    note = "These folds look ahead only, so that their errors are those of forecasts."
    if not nested:
        return _found((mariano, white), note)
    west = _of_nested(clark_west(small, large, names, lags=lags), names[0])
    note += (
        f" {names[0]} is nested in the network: Clark and West's test is the valid one and asks "
        f"whether {names[0]} misses anything. Diebold and Mariano's, whether the network's errors "
        "are smaller at this number of rows, favours the smaller model; Giacomini and White's "
        "supposes windows of fixed length, which expanding ones are not."
    )
    return _found((west, mariano, white), note)


def only_ahead(train: np.ndarray | None, tests: tuple[np.ndarray, ...]) -> bool:
    """Whether every fold trains on earlier rows than it tests, and no row is tested twice."""
    if train is None:
        return False
    rows = np.concatenate(tests)
    ahead = all(
        not len(known) or known[-1] < test.min()
        for known, test in zip((np.flatnonzero(mask) for mask in train), tests, strict=True)
    )
    return ahead and bool((np.diff(rows) > 0).all())


def _found(tests: tuple[HypothesisTest, ...], note: str) -> AccuracyTests:
    """Tests with sentences and nulls that begin with a capital."""
    told = tuple(
        replace(test, sentence=_capital(test.sentence), null=_capital(test.null)) for test in tests
    )
    return AccuracyTests(told, note)


def _of_nested(test: HypothesisTest, name: str) -> HypothesisTest:
    """Clark and West's test in words that claim no smaller errors at this number of rows."""
    if test.pvalue is None:
        return test
    shown = shown_pvalue(test.pvalue)
    if test.pvalue <= LEVEL:
        return replace(test, sentence=f"{name} misses something that the network finds ({shown}).")
    sentence = f"No evidence at 5% that {name} misses anything that the network finds ({shown})."
    return replace(test, sentence=sentence)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
