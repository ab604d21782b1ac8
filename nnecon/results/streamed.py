"""Results of a neural regression on a stream: sums over the rows, and no rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.stream_split import Split
from nnecon.estimation.problem import Solution
from nnecon.inference.streamed import (
    MOST_PARAMS,
)
from nnecon.report import tables
from nnecon.report.formats import coefficient_cells, format_number, format_pvalue
from nnecon.results.archive import SOLUTION_ARRAYS, under_prefix, write_archive
from nnecon.results.comparison import Comparison
from nnecon.results.streamed_mean import StreamedMean


class StreamedRegressionResults(StreamedMean):
    """Estimates, uncertainty and comparison of a :class:`StreamedRegression`.

    Rows are read again when they are needed: once for standard errors and information criteria,
    once for partial effects. What takes all rows at once (``resid``, ``fittedvalues``, charts of
    residuals, ``report``) is not here; the errors say how to get it from a sample of the rows.
    """

    @property
    def _baseline_name(self) -> str:
        return self.baseline.name

    @property
    def _has_covariance(self) -> bool:
        return self.model.network.n_params <= MOST_PARAMS

    def compare(self) -> Comparison:
        """Network and least squares side by side, in the sample and on the rows set apart."""
        tested, edf = self.estimate.numbers.tested, self._has_covariance
        if edf:
            plain = super().compare()
            rows, notes = plain.frame.copy(), list(plain.notes)
        else:
            columns = [type(self.model).__name__, self._baseline_name]
            values = {
                "Observations": (self.nobs, self.baseline.nobs),
                "R-squared": (self.rsquared, self.baseline.rsquared),
                "Log-likelihood": (self.llf, self.baseline.llf),
            }
            rows = pd.DataFrame.from_dict(values, orient="index", columns=columns)
            notes = ["The network is too large for effective degrees of freedom."]
        if tested is None:
            notes.append(
                "All rows were estimated on; fit with test_share=0.1 to compare on rows set apart."
            )
        else:
            rows.loc["Test RMSE"] = np.sqrt([tested.network, tested.baseline])
            notes.append(
                f"Test RMSE: {tested.n_obs} rows set apart, which neither model was estimated on. "
                f"The network's mean squared error less {self._baseline_name}'s is "
                f"{tested.difference:.4g} (standard error {tested.error:.2g})."
            )
        return Comparison(rows, (), tuple(notes))

    def _header(self) -> list[tuple[str, str]]:
        if self._has_covariance:
            header = super()._header()
        else:
            header = [
                ("Dep. Variable:", self.model.endog_names),
                ("Model:", type(self.model).__name__),
                ("Network:", self.model.description),
                ("Method:", self.solution.method),
                ("Penalty alpha:", f"{self.alpha:.4g}"),
                ("No. Observations:", f"{self.nobs:.0f}"),
                ("Parameters:", f"{self.model.network.n_params}"),
                ("R-squared:", f"{self.rsquared:.3f}"),
                ("Log-Likelihood:", format_number(self.llf, 2)),
            ]
        ends = {"Converged:": "yes" if self.converged else "NO (mini-batches)"}
        return [(name, ends.get(name, value)) for name, value in header]

    def _tail(self) -> pd.DataFrame:
        numbers = self.estimate.numbers
        values = {
            "Jarque-Bera": format_number(numbers.jarque_bera, 3),
            "Prob(JB)": format_pvalue(numbers.jarque_bera_pvalue),
            "Skew": format_number(numbers.skew, 3),
            "Kurtosis": format_number(numbers.kurtosis, 3),
        }
        return pd.DataFrame([values], index=["Residuals"])

    def summary(self, alpha: float = 0.05, params: bool | None = None) -> Any:
        """Table of the fit, as for data in memory; reads the data twice more at the first call.

        Parameters
        ----------
        alpha : float
            One less the level of the intervals.
        params : bool, optional
            Print the parameters too; by default where they mean something by themselves.
        """
        notes = [self.solution.status]
        if not self._has_covariance:
            frame = pd.DataFrame({"dy/dx": self.average_effects()})
            blocks = [tables.Table(frame, "Average partial effects")]
            notes.append("The network has too many parameters for standard errors.")
        else:
            blocks = [
                tables.Table(
                    coefficient_cells(self.effects_frame(alpha)), "Average partial effects"
                )
            ]
            if self.model.interpretable if params is None else params:
                cells = coefficient_cells(self._table(alpha))
                blocks.insert(0, tables.Table(cells, "Parameters"))
            notes.insert(
                0,
                f"Standard errors: {self.covariance.description}; partial effects by the delta "
                "method.",
            )
        if not self.converged:
            notes.append(
                "Mini-batch training stops near a minimum at best; the gradient norm tells how "
                "near. Standard errors are those of a minimum, and do not contain the difference."
            )
        if self.estimate.facts.get("early_stopping"):
            notes.append(
                "Early stopping shrinks the network beyond alpha: its effective degrees of "
                "freedom, and with them AIC and BIC, are upper bounds."
            )
        if self.ssr > self.baseline.ssr and self.model.specification.linear_part:
            notes.append(
                f"{self._baseline_name} alone fits these rows better: train for more epochs, or "
                "with another learning rate."
            )
        notes += list(self.compare().notes[-1:])
        blocks.append(tables.Table(self._tail()))
        return tables.summary("Neural Regression Results", self._header(), blocks, notes)

    def save(self, path: str | Path) -> None:
        """Write the estimate to a file that :func:`nnecon.load` reads.

        The data stay where they are: they are read again when the file is loaded, from the same
        place or from the one given. Functions of your own (in the formula, or ``network=``) are
        not in the file; pass them to :func:`nnecon.load`.
        """
        meta, arrays = self.model.state()
        solution = {
            name: getattr(self.solution, name)
            for name in Solution.__dataclass_fields__
            if name not in SOLUTION_ARRAYS
        }
        estimate, spec = self.estimate, self.cov_spec
        meta = {
            "model": meta,
            "solution": solution,
            "split": {name: getattr(estimate.split, name) for name in Split.__dataclass_fields__},
            "alpha_rule": estimate.alpha_rule,
            "search": estimate.search,
            "facts": estimate.facts,
            "cov": {"kind": spec.kind, "options": dict(spec.options), "use_t": spec.use_t},
        }
        held = {"params": self.solution.params, "history": self.solution.history}
        write_archive(path, meta, under_prefix("model", arrays) | held)
