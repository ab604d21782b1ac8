"""Forecasts of a backtest compared with those of one model, variable by variable."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from nnecon.inference.accuracy import diebold_mariano, model_confidence_set
from nnecon.inference.accuracy.long_run import covariance_of_mean
from nnecon.inference.accuracy.measures import mean_loss
from nnecon.inference.hypotheses import HypothesisTest, does_not_apply
from nnecon.results.forecast_table import ForecastTable
from nnecon.results.relative_accuracy import RelativeAccuracy

Test = Callable[[np.ndarray, np.ndarray, tuple[str, str], int], HypothesisTest]
"""A test on losses or errors of a model and a reference, their names, and by how many origins
forecasts overlap."""

NAMES = ["variable", "horizon", "model"]


def tests(table: ForecastTable, reference: str, measure: str | None, test: Test) -> pd.DataFrame:
    """Test each model against a reference, on losses or (without measure) on errors.

    Returns
    -------
    DataFrame
        ``statistic``, ``pvalue``, ``sentence`` by variable, horizon and model.
    """
    rows = {}
    for cell in table.cells():
        values = table.errors(*cell) if measure is None else table.losses(*cell, measure)
        if reference not in values:
            continue
        for model in values.columns.drop(reference):
            found = _tested(table, values, str(model), reference, cell[1], test)
            rows[(*cell, model)] = {
                "statistic": np.nan if found.statistic is None else found.statistic,
                "pvalue": np.nan if found.pvalue is None else found.pvalue,
                "sentence": found.sentence,
            }
    return _frame(rows, ["statistic", "pvalue", "sentence"])


def relative(
    table: ForecastTable, models: Sequence[str], reference: str, measure: str
) -> RelativeAccuracy:
    """A measure over that of a reference, with Diebold-Mariano tests."""
    others = [model for model in models if model != reference]
    losses = {cell: table.losses(*cell, measure) for cell in table.cells()}
    cells = [cell for cell, values in losses.items() if reference in values]
    index = pd.MultiIndex.from_tuples(cells, names=NAMES[:2])
    ratios = pd.DataFrame(np.nan, index=index, columns=others)
    pvalues, levels = ratios.copy(), pd.Series(np.nan, index=index, name=reference)
    for cell in cells:
        values = losses[cell]
        levels[cell] = mean_loss(values[reference].to_numpy(), measure)
        for model in values.columns.drop(reference):
            own = mean_loss(values[model].to_numpy(), measure)
            ratios.loc[cell, model] = own / levels[cell]
            found = _tested(table, values, str(model), reference, cell[1], _equal)
            pvalues.loc[cell, model] = np.nan if found.pvalue is None else found.pvalue
    return RelativeAccuracy(ratios, pvalues, levels, measure, tuple(models))


def confidence_sets(table: ForecastTable, measure: str, **options) -> pd.DataFrame:
    """Model confidence set of each variable and horizon: ``pvalue`` and ``included``."""
    pieces = {}
    for cell in table.cells():
        values = table.losses(*cell, measure)
        if values.shape[1] == 0:
            continue
        if len(values) < 10 or values.shape[1] == 1:
            frame = pd.DataFrame({"pvalue": np.nan, "included": True}, index=values.columns)
        else:
            frame = model_confidence_set(values, **options).to_frame().loc[values.columns]
        pieces[cell] = frame
    return pd.concat(pieces, names=NAMES)


def coverage(table: ForecastTable) -> pd.DataFrame:
    """Share of outcomes inside their intervals, its long-run standard error, and mean widths."""
    rows = {}
    for cell in table.cells():
        for model, scored in table.scored(*cell)[1].items():
            hits = scored.hits
            if np.isnan(hits).any():
                continue
            spread = np.nan
            if len(hits) > 1:
                overlap = min(table.overlap(cell[1]), len(hits) - 1)
                centred = (hits - hits.mean())[:, None]
                spread = float(np.sqrt(covariance_of_mean(centred, None, overlap)[0, 0]))
            rows[(*cell, model)] = {
                "n": len(hits),
                "coverage": hits.mean(),
                "se": spread,
                "nominal": 1.0 - table.alpha,
                "width": float((scored.upper - scored.lower).mean()),
            }
    return _frame(rows, ["n", "coverage", "se", "nominal", "width"])


def _equal(
    loss: np.ndarray, reference: np.ndarray, names: tuple[str, str], overlap: int
) -> HypothesisTest:
    return diebold_mariano(loss, reference, names=names, horizon=overlap)


def _tested(
    table: ForecastTable,
    values: pd.DataFrame,
    model: str,
    reference: str,
    horizon: int,
    test: Test,
) -> HypothesisTest:
    overlap, names = table.overlap(horizon), (model, reference)
    if len(values) <= overlap:
        why = f"{len(values)} forecasts are too few at horizon {horizon}: no test."
        return does_not_apply("", f"{model} and {reference} predict equally well", why)
    return test(values[model].to_numpy(), values[reference].to_numpy(), names, overlap)


def _frame(rows: dict, columns: list[str]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(list(rows), names=NAMES)
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)
