"""Results of a forecaster: their summary."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import clark_west
from nnecon.report import plots, tables
from nnecon.report.formats import format_number
from nnecon.results.archive import under_prefix, write_archive
from nnecon.results.comparison import Comparison
from nnecon.results.equations import TRAININGS
from nnecon.results.forecast_archive import equations_state, forecaster_state
from nnecon.results.forecast_responses import ForecasterResponses

LABELS = {
    "edf": "Effective degrees of freedom",
    "llf": "Log-likelihood",
    "aic": "AIC",
    "bic": "BIC",
    "hqic": "HQIC",
}

FORMATS: dict[Hashable, str | int | Callable[[Any], str]] = {
    "penalty": "{:.4g}".format, "edf": 1, "std. error": 3, "t df": 1, "own lags": 0, "others": 0,
    "long lags": 2,
    "CV RMSE": 3, "linear": 3,
}  # fmt: skip
"""How columns of the equations' table are written."""


class ForecasterResults(ForecasterResponses):
    """Estimates and forecasts of a forecaster such as :class:`~nnecon.LSTMForecaster`."""

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads.

        The file is a zip of JSON and NumPy arrays: reading it runs no code. It holds the data of
        the estimation, and those that forecasts go on from where they are others.
        """
        self._check_system()
        meta, arrays = forecaster_state(self)
        described, held = equations_state(self.equations)
        meta |= {**described, "search": self.search}
        write_archive(path, meta, arrays | under_prefix("estimate", held))

    def _header(self) -> list[tuple[str, str]]:
        model = self.model
        index = model.index
        lags = model.var_lags
        classical = f"{self.classical_name}({max(lags)})" if lags else "mean"
        return [
            ("Targets:", ", ".join(self.targets)),
            ("Model:", type(model).__name__),
            ("Network:", model.description),
            ("Linear part:", classical),
            ("Lags chosen by:", model.lag_rule),
            ("Sample:", f"{index[0]} to {index[-1]}"),
            ("Observations:", str(self.nobs)),
            ("Log-likelihood:", format_number(self.llf, 3)),
            ("AIC:", format_number(self.aic, 3)),
            ("BIC:", format_number(self.bic, 3)),
            ("HQIC:", format_number(self.hqic, 3)),
            ("Search:", self.search),
        ]

    def equations_frame(self) -> pd.DataFrame:
        """One row a target: penalty, degrees of freedom, residual standard error, CV error."""
        rows = {}
        for at, one in enumerate(self._own):
            row = {
                "penalty": one.alpha,
                "chosen by": one.rule,
                "edf": one.edf,
                "std. error": float(np.sqrt(self._covariance[at, at])),
            }
            if self.model.own_lags is not None:
                row["own lags"], row["others"] = self.model.own_lags.pairs[at]
            if self.model.long_lags is not None:
                row["long lags"] = self.model.long_lags.tightness.get(at, 0.0)
            if one.tail is not None:
                row["t df"] = one.tail.df
            if one.cv is not None:
                row["CV RMSE"] = float(np.sqrt(one.cv_error))
                row["linear"] = float(np.sqrt(one.cv.mean[0]))
            rows[one.name] = row
        return pd.DataFrame.from_dict(rows, orient="index")

    def compare(self) -> Comparison:
        """Network and autoregression side by side, on the same rows and folds.

        The test of the first target whose penalty was cross-validated is Clark and West's, for a
        network that contains the autoregression, on rows left out.
        """
        network: dict[str, float] = {"Observations": self.nobs}
        classical: dict[str, float] = {"Observations": self.nobs}
        plain = self._plain
        for name in ("edf", "llf", "aic", "bic", "hqic"):
            label = LABELS[name]
            ours, theirs = getattr(self, name), getattr(plain, name)
            network[label] = float(ours.sum()) if name == "edf" else ours
            classical[label] = float(theirs.sum()) if name == "edf" else theirs
        tests = []
        for at, one in enumerate(self._own):
            label = f"Residual standard error, {one.name}"
            network[label] = float(np.sqrt(self._covariance[at, at]))
            classical[label] = float(np.sqrt(plain._covariance[at, at]))
            if one.cv is None:
                continue
            label = f"Cross-validated RMSE, {one.name}"
            network[label] = float(np.sqrt(one.cv_error))
            classical[label] = float(np.sqrt(one.cv.mean[0]))
            if np.isfinite(one.alpha):
                out = one.cv.predictions
                errors = [out["actual"] - out[column] for column in ("baseline", "network")]
                names = f"The autoregression of {one.name}", "the network"
                small, large = (each.to_numpy() for each in errors)
                tests.append(clark_west(small, large, names))
        frame = pd.DataFrame({"Network": network, self.classical_name: classical})
        notes = [
            "Degrees of freedom and criteria are effective ones. Cross-validated errors choose the "
            "penalty, so that the network's is too good by a little; a backtest is the fair test."
        ]
        return Comparison(frame, tuple(tests), tuple(notes))

    def plot_attention(self, **options: Any) -> Any:
        """Heat map of :meth:`attention`: how much each period of the window counts, over time.

        Options are those of :func:`nnecon.report.plots.plot_attention`: ``labels``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        weights = self.attention()
        if not weights:
            raise SpecificationError(
                "every equation is linear at its penalty, so that there is no attention to draw; "
                "choose a smaller alpha."
            )
        return plots.plot_attention(weights, **options)

    def summary(self, lags: int = 4) -> Any:
        """Table of the fit: equations, average effects of lags, criteria.

        Parameters
        ----------
        lags : int
            Lags whose average effects are printed.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            ``as_text()``, ``as_html()``, ``as_latex()``.
        """
        blocks = [
            tables.Table(
                self.equations_frame(),
                "Equations",
                FORMATS,
            )
        ]
        effects = self.effects
        shown = [name for name in effects.index if int(name[1 : name.index(".")]) <= lags]
        blocks.append(
            tables.Table(effects.loc[shown], "Average effects of lags on the next period")
        )
        notes = [
            "Penalty inf: the equation is the classical one. Std. error: of the one-step forecast "
            "error, corrected for effective degrees of freedom (edf)."
        ]
        if self.student:
            notes.append(
                "Errors are Student-t, equation by equation. Errors of cross-validation are "
                "weighted by how far the linear equation's residuals lie out."
            )
        long = self.model.long_lags
        if long is not None:
            notes.append(
                f"Long lags: tightness of the prior under which an equation goes on with lags "
                f"{long.order + 1} to {long.longest} of its own series; 0 where it has none."
            )
        zero = [one.name for one in self._own if one.is_linear and np.isfinite(one.alpha)]
        if zero:
            notes.append(
                f"At this penalty the network is zero for {', '.join(zero)}: the equation is the "
                "classical one."
            )
        trained = [one for one in self._own if one.trained]
        if trained:
            ran = next(one for one in trained[0].solutions if one.method in TRAININGS)
            notes.append(
                "Networks were trained in mini-batches and end near a minimum, not at one; the "
                f"first of {trained[0].name}: {ran.status}"
            )
        elif not self.converged:
            notes.append("Not all networks have converged (relative gradient norm under 1e-6).")
        return tables.summary("Forecaster Results", self._header(), blocks, notes)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
