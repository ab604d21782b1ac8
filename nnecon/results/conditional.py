"""Results of a model of a panel of assets: its numbers, table, charts, comparison, files."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.asset_panel import AssetPanel
from nnecon.data.storage import pack_index, unpack_index
from nnecon.exceptions import SpecificationError
from nnecon.inference.conditional_loadings import LinearLoadings, LoadingMap, NetworkLoadings
from nnecon.report import plots, tables
from nnecon.results.archive import under, under_prefix, write_archive
from nnecon.results.conditional_comparison import compare_conditional
from nnecon.results.conditional_cv import LINEAR, PeriodCV
from nnecon.results.conditional_numbers import ConditionalNumbers
from nnecon.results.factor_numbers import FactorFacts
from nnecon.results.factor_path import FactorPath
from nnecon.results.factor_state import search_state
from nnecon.results.immutable import Immutable


class ConditionalAutoencoderResults(ConditionalNumbers, Immutable):
    """Estimated loadings and factors; made by :meth:`nnecon.ConditionalAutoencoder.fit`.

    Attributes
    ----------
    model : ConditionalAutoencoder
    facts : FactorFacts
        How the estimate was found.
    path : FactorPath or None
        From IPCA to the full network; ``explained`` is the total R-squared.
    cv : PeriodCV or None
        Errors of periods left out.
    """

    model: Any
    mapping: LoadingMap
    linear: LinearLoadings
    facts: FactorFacts
    path: FactorPath | None
    cv: PeriodCV | None

    def __init__(
        self,
        model: Any,
        mapping: LoadingMap,
        linear: LinearLoadings,
        facts: FactorFacts,
        path: FactorPath | None,
        cv: PeriodCV | None,
    ) -> None:
        self.__dict__.update(
            model=model, mapping=mapping, linear=linear, facts=facts, path=path, cv=cv
        )

    # -- beside linear loadings -------------------------------------------------------------------

    def compare(
        self, new: Any = None, endog: Any = None, *, entity: Any = None, time: Any = None
    ) -> Any:
        """Network and IPCA with as many factors, side by side.

        Parameters
        ----------
        new, endog, entity, time
            Rows outside the sample on which both are compared as well, as in :meth:`transform`.

        Returns
        -------
        nnecon.results.comparison.Comparison
        """
        rows = None
        if new is not None:
            rows = self.model.panel.new(new, endog, entity, time, returns=True)
        return compare_conditional(self, rows)

    # -- table ------------------------------------------------------------------------------------

    def summary(self) -> Any:
        """Table with fit, factors and average effects of the characteristics on the loadings."""
        model = self.model
        words = model.description.partition(", ")[2]
        counts = self._rows.counts
        linear = self._rsquares(self.linear, None, None, None, None)
        own = self._rsquares(self.mapping, None, None, None, None)
        header = [
            ("Model:", "ConditionalAutoencoder"),
            ("Dep. Variable:", str(model.endog_names)),
            ("No. Observations:", str(self.nobs)),
            ("Left out, missing:", str(self.n_dropped)),
            ("Assets:", str(self.n_entities)),
            ("Periods:", str(self.n_periods)),
            ("Assets a period:", f"{counts.min()} to {counts.max()}"),
            ("Factors:", str(self.k_factors)),
            ("Loadings:", words),
            ("Penalty alpha:", f"{self.alpha:.4g} ({self.facts.alpha_rule})"),
            ("Estimate is:", LINEAR if self.is_linear else "a network"),
            ("Converged:", "yes" if self.converged else "no"),
            ("Total R2:", f"{own[0]:.4f}"),
            (f"Total R2, {LINEAR}:", f"{linear[0]:.4f}"),
            ("Predictive R2:", f"{own[1]:.4f}"),
            (f"Predictive R2, {LINEAR}:", f"{linear[1]:.4f}"),
        ]
        if self.cv is not None:
            header += [
                ("MSE of periods left out:", f"{self.cv.mean_squared_error('network'):.4g}"),
                (f"The same, {LINEAR}:", f"{self.cv.mean_squared_error('baseline'):.4g}"),
            ]
        factors = self.factors
        moments = pd.DataFrame({"Mean": factors.mean(), "Std. dev.": factors.std()})
        blocks = [
            tables.Table(moments, "Factors"),
            tables.Table(self.average_effects, "Average effects on the loadings"),
        ]
        return tables.summary("Conditional factor model", header, blocks, self._notes())

    def _notes(self) -> list[str]:
        notes = [
            "Average effects: mean over rows of the derivative of each loading by a "
            + ("ranked characteristic." if self.model.ranks else "characteristic."),
            "No standard errors are given: those of loadings and factors that are known up to a "
            "rotation have not been established here.",
        ]
        if self.is_linear and self.model.hidden and np.isfinite(self.alpha):
            notes.append(f"At this penalty no network has a lower objective than {LINEAR}.")
        if self.is_linear and not np.isfinite(self.alpha) and self.cv is not None:
            notes.append(f"No network has a smaller error on periods left out than {LINEAR}.")
        if self.cv is not None:
            notes.append(
                f"Periods left out: {self.cv.description}; loadings come from the other periods, "
                "factors from the period's own returns."
            )
        return notes

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())

    # -- charts -----------------------------------------------------------------------------------

    def plot_factors(
        self, recessions: Sequence[tuple[Any, Any]] | None = None, **options: Any
    ) -> Any:
        """Factors over time, in standard deviations, beside those of IPCA.

        Parameters
        ----------
        recessions : sequence of (first, last), optional
            Spans to shade, such as ``ne.datasets.NBER_RECESSIONS``.
        **options
            As in :func:`nnecon.report.plots.plot_factors`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        size = self.linear_factors.std()
        baseline = None if self.is_linear else self.linear_factors / size
        given = {"baseline": baseline, "baseline_name": LINEAR, "recessions": recessions}
        return plots.plot_factors(self.factors / size, **{**given, **options})

    def plot_path(self, **options: Any) -> Any:
        """Error of periods left out along the penalty, from IPCA on.

        Options are those of :func:`nnecon.report.plots.plot_cv`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        if self.cv is None or self.path is None:
            raise SpecificationError(
                "nothing was cross-validated; fit with alpha='cv' or cv= and a number as alpha."
            )
        return self.cv.plot(**{"alpha_min": self.path.alpha_min, **options})

    # -- files ------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads; it holds the panel."""
        write_archive(path, *conditional_state(self))


def conditional_state(results: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Everything that a file has to hold to build the results again."""
    model = results.model
    panel: AssetPanel = model.panel
    design, held = panel.design.state()
    periods, arrays = pack_index(panel.rows.periods, "periods")
    meta: dict[str, Any] = {
        "model": {
            "class": type(model).__name__,
            "design": design,
            "ranks": panel.ranks,
            "specification": model.plain_specification,
        },
        "facts": asdict(results.facts),
        "periods": periods,
    }
    arrays |= under_prefix("design", held) | {"gamma": results.linear.gamma}
    if isinstance(results.mapping, NetworkLoadings):
        arrays |= {"params": results.mapping.params, "turn": results.mapping.turn}
    frames = {} if results.cv is None else {"period": results.cv.period_losses}
    described, held = search_state(results.path, results.cv, frames)
    return meta | described, arrays | held


def period_cv_from_state(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> PeriodCV | None:
    """The cross-validation, where the file has one."""
    if "cv" not in meta:
        return None
    held = under(arrays, "cv")
    rows, fold = held["rows"], held["period_fold"]
    periods = unpack_index(meta["periods"], arrays, "periods")
    names = ("fold", "network", "baseline", "assets")
    return PeriodCV(
        held["alphas"],
        held["scores"],
        tuple(rows[fold == number] for number in np.unique(fold)),
        held["train"],
        meta["cv"],
        pd.DataFrame({name: held[f"period_{name}"] for name in names}, index=periods[rows]),
    )
