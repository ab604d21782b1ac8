"""Loadings of a network and linear ones side by side."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.asset_panel import AssetRows
from nnecon.inference.accuracy import corrected_resampled_t, diebold_mariano
from nnecon.inference.conditional_loadings import explained
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.hypotheses import HypothesisTest
from nnecon.results.accuracy_tests import only_ahead
from nnecon.results.comparison import Comparison
from nnecon.results.conditional_cv import LINEAR, PeriodCV

NAMES = (LINEAR, "The network")


def compare_conditional(results: Any, rows: AssetRows | None) -> Comparison:
    """Fit in the sample, on periods left out and on new rows, with tests of the difference."""
    own = results.model.panel.rows
    both = (results.mapping, results.linear)
    frame: dict[str, tuple[float, float]] = {
        "Observations": (results.nobs, results.nobs),
        "Factors": (results.k_factors, results.k_factors),
    }
    frame |= _fit_rows(results, both, own, "")
    tests: list[HypothesisTest] = []
    notes = [
        "R-squared is that of returns, not centred: total with the factors of the period, "
        "predictive with the factors' means in the sample."
    ]
    if results.cv is not None:
        frame["Cross-validated RMSE"] = (
            float(np.sqrt(results.cv.mean_squared_error("network"))),
            float(np.sqrt(results.cv.mean_squared_error("baseline"))),
        )
        tests.append(difference_test(results.cv))
        notes.append(
            f"Cross-validated RMSE: {results.cv.description}; loadings are those of the other "
            "periods, at the penalty that all folds together chose, factors are regressions of the "
            f"period's returns on them. {tests[-1].sentence}"
        )
    if rows is not None:
        frame |= _fit_rows(results, both, rows, " of the new rows")
        errors = []
        for mapping in both:
            squares = (rows.returns - results._fits(mapping, rows)[0]) ** 2
            errors.append(np.bincount(rows.codes, squares) / rows.counts)
        if len(rows.periods) > 2:
            lags = automatic_lags(len(rows.periods))
            tests.insert(0, diebold_mariano(errors[0], errors[1], lags, NAMES[::-1]))
            notes.append(f"New rows: {tests[0].sentence}")
    table = pd.DataFrame(frame, index=["network", LINEAR]).T
    return Comparison(table, tuple(tests), tuple(notes))


def _fit_rows(
    results: Any, both: tuple[Any, Any], rows: AssetRows, where: str
) -> dict[str, tuple[float, float]]:
    fits = [results._fits(mapping, rows) for mapping in both]
    return {
        f"{kind} R-squared{where}": (
            explained(rows.returns, fits[0][at]),
            explained(rows.returns, fits[1][at]),
        )
        for at, kind in enumerate(("Total", "Predictive"))
    }


def difference_test(cv: PeriodCV) -> HypothesisTest:
    """Test of equal errors on periods left out, by how they were left out."""
    frame = cv.period_losses
    network, linear = frame["network"].to_numpy(), frame["baseline"].to_numpy()
    if only_ahead(cv.train, cv.folds):
        return diebold_mariano(network, linear, automatic_lags(len(network)), NAMES[::-1])
    sizes = cv.train.sum(axis=1).astype(float)
    fold = frame["fold"].to_numpy()
    return corrected_resampled_t(np.sqrt(linear), np.sqrt(network), fold, sizes, NAMES)
