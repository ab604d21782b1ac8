"""Autoencoder and principal components side by side."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import corrected_resampled_t, diebold_mariano
from nnecon.inference.covariance import automatic_lags
from nnecon.inference.factor_map import FactorMap
from nnecon.inference.hypotheses import HypothesisTest
from nnecon.results.accuracy_tests import only_ahead
from nnecon.results.comparison import Comparison
from nnecon.results.factor_path import BASELINE, ReconstructionCV

NAMES = (f"{BASELINE}", "The autoencoder")


def compare_factors(results: Any) -> Comparison:
    """Fit in the sample, errors of rows left out, and a test of their difference."""
    rows: dict[str, tuple[float, ...]] = {
        "Observations": (results.nobs, results.nobs),
        "Factors": (results.k_factors, results.k_factors),
    }
    errors = [
        float(np.nanmean(squared_errors(results, which)))
        for which in (results.mapping, results.components)
    ]
    total = float(np.nanmean(_standard(results) ** 2))
    rows["R-squared"] = tuple(1.0 - error / total for error in errors)
    rows["Residual standard error"] = tuple(np.sqrt(errors))
    if results.model.variational:
        rows["ELBO"] = (results.elbo, results.llf_baseline)
    notes = [
        "R-squared and errors are those of known values, in standard deviations of the series."
        if results.model.standardize
        else "R-squared and errors are those of known values.",
    ]
    if results.model.variational:
        notes.append(
            "ELBO: lower bound on the log likelihood of the sample; of PCA the log likelihood of "
            "probabilistic principal components."
        )
    tests: tuple[HypothesisTest, ...] = ()
    if results.cv is not None:
        losses = results.cv.series_losses
        share = losses["values"] / losses["values"].sum()
        rows["Cross-validated RMSE"] = tuple(
            float(np.sqrt(share @ losses[name])) for name in ("network", "baseline")
        )
        tests = (difference_test(results.cv),)
        notes.append(
            f"Cross-validated RMSE: {results.cv.description}; components, standardisation and "
            "network are those of the other rows, at the penalty that all folds together chose. "
            f"{tests[0].sentence}"
        )
    frame = pd.DataFrame(rows, index=["network", BASELINE]).T
    return Comparison(frame, tests, tuple(notes))


def difference_test(cv: ReconstructionCV) -> HypothesisTest:
    """Test of equal errors on rows left out, by how they were left out."""
    network, linear = (cv.row_losses[name].to_numpy() for name in ("network", "baseline"))
    if only_ahead(cv.train, cv.folds):
        return diebold_mariano(network, linear, automatic_lags(len(network)), NAMES[::-1])
    fold = cv.row_losses["fold"].to_numpy()
    sizes = cv.train.sum(axis=1).astype(float)
    return corrected_resampled_t(np.sqrt(linear), np.sqrt(network), fold, sizes, NAMES)


def _standard(results: Any) -> np.ndarray:
    """Standardised data, NaN where missing."""
    shift = results.components.extraction.components.standardisation
    return shift.apply(results.model.panel.values)


def squared_errors(results: Any, mapping: FactorMap) -> np.ndarray:
    """Squared errors of a model in the sample, NaN where data are missing, shape (T, N)."""
    fit = mapping.decode(mapping.factors(results.model.panel.values))
    return (_standard(results) - fit) ** 2


def reconstruction_by(results: Any, groups: Any) -> pd.DataFrame:
    """Errors by series or group, see ``AutoencoderFactorResults.reconstruction``."""
    names = results.model.labels.rename("series")
    frame = pd.DataFrame(
        {
            ("in sample", "network"): np.nanmean(squared_errors(results, results.mapping), axis=0),
            ("in sample", BASELINE): np.nanmean(
                squared_errors(results, results.components), axis=0
            ),
        },
        index=names,
    )
    if results.cv is not None:
        losses = results.cv.series_losses
        frame[("left out", "network")] = losses["network"]
        frame[("left out", BASELINE)] = losses["baseline"]
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    if groups is not None:
        by = groups if isinstance(groups, pd.Series) else pd.Series(dict(groups))
        lacking = [name for name in names if name not in by.index]
        if lacking:
            raise SpecificationError(
                f"groups has no group for {lacking[0]!r} ({len(lacking)} of {len(names)} series)."
            )
        frame = frame.groupby(by.reindex(names).to_numpy(), dropna=False).mean()
        frame.index.name = "group"
    for part in dict.fromkeys(frame.columns.get_level_values(0)):
        frame[(part, "ratio")] = frame[(part, "network")] / frame[(part, BASELINE)]
    return frame.sort_index(axis=1, level=0, sort_remaining=False)
