"""Factors as a table and as charts."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from nnecon.exceptions import SpecificationError
from nnecon.report import plots, tables
from nnecon.report.html import Chapter, CodeBlock, write_report
from nnecon.results.factor_chapter import factor_chapter
from nnecon.results.factor_path import BASELINE
from nnecon.version import __version__

SHOWN = 13
"""Rows of an autoregression that a summary prints; ``factor_var`` has them all."""


class FactorDisplay:
    """What results of a factor model look like."""

    def summary(self: Any) -> Any:
        """Table with what each factor explains and the comparison with principal components."""
        model, known = self.model, np.isfinite(self.model.panel.values)
        missing = int((~known).sum())
        fill = self.components.extraction.filling.iterations
        header = [
            ("Model:", "AutoencoderFactor"),
            ("No. Observations:", str(self.nobs)),
            ("No. Series:", str(self.nvar)),
            ("Missing values:", f"{missing} ({100 * missing / known.size:.1f}%)"),
            ("Factors:", f"{self.k_factors} (by {model.k_rule})"),
            ("EM iterations:", str(fill)),
            ("Network:", _network_words(model)),
            ("Penalty alpha:", f"{self.alpha:.4g} ({self.facts.alpha_rule})"),
            ("Estimate is:", BASELINE if self.is_linear else "an autoencoder"),
            ("R-squared:", f"{self.rsquare.iloc[-1]:.4f}"),
            ("R-squared, PCA:", f"{1 - self._component_share:.4f}"),
            ("Converged:", _converged_words(self.facts)),
        ]
        if model.variational:
            header += [
                ("ELBO:", f"{self.elbo:.2f}"),
                ("Log-likelihood, PPCA:", f"{self.llf_baseline:.2f}"),
            ]
        if self.cv is not None:
            header += [
                ("MSE of rows left out:", _left_out(self.cv, "network")),
                (f"The same, {BASELINE}:", _left_out(self.cv, "baseline")),
            ]
        blocks = [tables.Table(self._factor_table(), "Factors")]
        if self.factor_order:
            header += [
                ("Lags of the factors:", f"{self.factor_order} (by {model.order_rule})"),
                ("Largest root:", f"{self.largest_root:.4f}"),
            ]
            if len(self.factor_var) <= SHOWN:
                blocks.append(tables.Table(self.factor_var, "Autoregression of the factors"))
        return tables.summary("Factor model", header, blocks, self._notes())

    @property
    def _component_share(self: Any) -> float:
        """Share of the variance that principal components leave."""
        eigenvals = self.components.extraction.components.eigenvals
        return float(1.0 - eigenvals[: self.k_factors].sum() / eigenvals.sum())

    def _factor_table(self: Any) -> pd.DataFrame:
        incremental = self.variance_explained()
        top = self.top_series(3)
        sparse = {}
        if self.model.sparsity:
            sparse["Near zero"] = self.sparseness()[("near zero", "network")].to_numpy()
        return pd.DataFrame(
            {
                "Adds to R2": incremental.mean().to_numpy(),
                "Cumulative": np.cumsum(incremental.mean().to_numpy()),
                **sparse,
                "Series that it adds most to": [
                    ", ".join(str(each) for each in top[(name, "series")]) for name in incremental
                ],
            },
            index=self.factor_names,
        )

    def _notes(self: Any) -> list[str]:
        notes = [
            "Adds to R2: mean over series of what the factor adds to the R-squared of the factors "
            "before it."
        ]
        if self.model.variational:
            notes.append(
                "ELBO: lower bound on the log likelihood; PPCA: probabilistic principal components."
            )
        if self.model.sparsity:
            normal = 2 * norm.cdf(0.25) - 1
            notes.append(
                "Near zero: share of values within a quarter of a standard deviation of zero, "
                f"{normal:.2f} for normal factors."
            )
        if not np.isfinite(self.model.panel.values).all():
            notes.append(
                "R-squared counts missing values as filled, as in statsmodels; compare() and rows "
                "left out count known values alone."
            )
        if self.is_linear and self.model.hidden and np.isfinite(self.facts.alpha):
            notes.append("At this penalty no network has a lower objective than PCA.")
        if self.is_linear and not np.isfinite(self.alpha) and self.cv is not None:
            notes.append("No autoencoder has a smaller error on rows left out than PCA.")
        if self.factor_order and self.largest_root >= 1.0:
            notes.append("The autoregression is not stationary: forecasts far ahead mean nothing.")
        if self.facts.is_trained:
            notes.append(
                f"{self.facts.training}. {self.facts.note} The output layer is the best one for "
                f"the trained network; largest relative gradient {self.facts.certificate:.1e}."
            )
        if self.cv is not None:
            notes.append(
                f"Rows left out: {self.cv.description}; errors of standardised series, weighted "
                "by known values."
            )
        return notes

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())

    def report(
        self: Any,
        out: str | Path,
        title: str | None = None,
        *,
        groups: Any = None,
        labels: Mapping[str, str] | None = None,
        recessions: Sequence[tuple[Any, Any]] | None = None,
        notes: Sequence[str] = (),
        code: str = "",
    ) -> list[Path]:
        """Write a report: one HTML page, LaTeX tables and PDF charts.

        Parameters
        ----------
        out : str or Path
            Folder to write to.
        title : str, optional
            Title of the page.
        groups : Series or mapping, optional
            Group of each series, such as ``describe_fred_md(path)["group"]``.
        labels : mapping, optional
            What the series are.
        recessions : sequence of (first, last), optional
            Spans to shade, such as ``ne.datasets.NBER_RECESSIONS``.
        notes : sequence of str
            Sentences on the data, for the introduction.
        code : str
            Program that made the fit, to print in the last chapter.

        Returns
        -------
        list of Path
            Files written, the page first.
        """
        by = _groups(groups, self.model.labels)
        chapter = factor_chapter(self, groups=by, labels=labels, recessions=recessions, notes=notes)
        blocks: list[Any] = [CodeBlock(str(self.summary()), "Summary, as printed")]
        if code:
            blocks.append(CodeBlock(code, "The same fit in Python"))
        return write_report(
            title or f"Factors of {self.nvar} series",
            self.model.description,
            [chapter, Chapter("Summary and program", "", blocks)],
            out,
            footer=f"Made with nnecon {__version__} on {date.today():%d %B %Y}.",
        )

    # -- charts -----------------------------------------------------------------------------------

    def plot_scree(self: Any, ncomp: int | None = None, **options: Any) -> Any:
        """Eigenvalues and the share of variance that components explain.

        Parameters
        ----------
        ncomp : int, optional
            How many are shown, by default twice as many as there are factors and at least ten.
        **options
            As in :func:`nnecon.report.plots.plot_scree`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        eigenvals = self.components.extraction.components.eigenvals
        shown = max(2 * self.k_factors, 10) if ncomp is None else int(ncomp)
        if shown < 1:
            raise SpecificationError(f"ncomp={ncomp!r}: give a whole number of at least 1.")
        return plots.plot_scree(eigenvals, min(shown, len(eigenvals)), self.k_factors, **options)

    def plot_factors(
        self: Any, recessions: Sequence[tuple[Any, Any]] | None = None, **options: Any
    ) -> Any:
        """Factors over time beside principal components.

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
        root = np.sqrt(self.nobs)
        baseline = None
        if not self.is_linear:
            linear = self.components.factors(self.model.panel.values) * root
            baseline = pd.DataFrame(linear, self.index, self.factor_names)
        return plots.plot_factors(
            self.factors * root, baseline=baseline, recessions=recessions, **options
        )

    def plot_loadings(self: Any, groups: Any = None, **options: Any) -> Any:
        """Average loadings as a heat map, by group where groups are given.

        Parameters
        ----------
        groups : Series or mapping, optional
            Group of each series, such as ``describe_fred_md(path)["group"]``.
        **options
            As in :func:`nnecon.report.plots.plot_loadings`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        effects = self.coeff.T / np.sqrt(self.nobs)
        return plots.plot_loadings(effects, groups=_groups(groups, self.model.labels), **options)

    def plot_rsquare(self: Any, groups: Any = None, **options: Any) -> Any:
        """R-squared of the series by number of factors, as boxes; by group where there are groups.

        Parameters
        ----------
        groups : Series or mapping, optional
            Group of each series.
        **options
            As in :func:`nnecon.report.plots.plot_rsquare`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return plots.plot_rsquare(
            self.rsquare_by_series.iloc[1:],
            groups=_groups(groups, self.model.labels),
            **options,
        )

    def plot_path(self: Any, **options: Any) -> Any:
        """Error of rows left out along the penalty, from principal components on.

        Options are those of :func:`nnecon.report.plots.plot_cv`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        if self.cv is None:
            raise SpecificationError(
                "nothing was cross-validated; fit with alpha='cv' or cv= and a number as alpha."
            )
        return self.cv.plot(alpha_min=self.path.alpha_min, **options)


def _network_words(model: Any) -> str:
    words = model.description.partition(", ")[2]
    return words or "none"


def _converged_words(facts: Any) -> str:
    if facts.converged:
        return "yes"
    return "no (mini-batches)" if facts.is_trained else "no"


def _left_out(cv: Any, name: str) -> str:
    losses = cv.series_losses
    return f"{float(losses[name] @ losses['values'] / losses['values'].sum()):.4f}"


def _groups(groups: Any, names: pd.Index) -> pd.Series | None:
    if groups is None:
        return None
    by = groups if isinstance(groups, pd.Series) else pd.Series(dict(groups))
    lacking = [name for name in names if name not in by.index]
    if lacking:
        raise SpecificationError(
            f"groups has no group for {lacking[0]!r} ({len(lacking)} of {len(names)} series)."
        )
    return by.reindex(list(names))


Groups = Mapping[str, Any] | pd.Series | None
