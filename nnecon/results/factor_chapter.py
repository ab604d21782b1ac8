"""The report's chapter on the factors of a panel."""

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.inference.hypotheses import LEVEL
from nnecon.inference.stationarity import unit_root_pvalues
from nnecon.report.formats import format_number
from nnecon.report.html import Block, Chapter, FactsBlock, FigureBlock, TableBlock, TextBlock
from nnecon.results.comparison import ROW_FORMATS
from nnecon.results.factor_path import BASELINE

PHONE = 4.0
"""Inches of the charts that phones get."""

TOP = 4
"""Series that are listed for each factor."""

TRENDING = 1 / 3
"""Share of series with a unit root from which on the chapter warns."""


def factor_chapter(
    results: Any,
    *,
    groups: pd.Series | None = None,
    labels: Mapping[str, str] | None = None,
    recessions: Sequence[tuple[Any, Any]] | None = None,
    notes: Sequence[str] = (),
) -> Chapter:
    """Scree, factors, what they explain, and the comparison with principal components.

    Parameters
    ----------
    results : AutoencoderFactorResults
        The factor model on all data.
    groups : Series, optional
        Group of each series.
    labels : mapping, optional
        What the series are.
    recessions : sequence of (first, last), optional
        Spans to shade where rows are periods.
    notes : sequence of str
        Sentences on the data and on settings, for the introduction.
    """
    model = results.model
    dated = model.panel.is_time_series
    rows = f"{results.nobs} {'periods' if dated else 'rows'}"
    if dated:
        rows += f", {label_text(results.index[0])} to {label_text(results.index[-1])}"
    intro = (
        f"An autoencoder ({model.description}) on {results.nvar} series and {rows}. "
        f"{_counted(model)} {' '.join(notes)}"
    )
    blocks: list[Block] = [_facts(results), TextBlock(_verdict(results)), *_warning(results)]
    blocks += [_scree(results), *_factors(results, recessions if dated else None)]
    blocks += [*_top(results, labels or {}), *_explained(results, groups), *_comparison(results)]
    if groups is not None and results.cv is not None:
        blocks.append(_by_group(results, groups))
    return Chapter("Factors of the panel", intro.strip(), blocks)


def _counted(model: Any) -> str:
    if model.numbers is None:
        return "The number of factors was given."
    choices = model.numbers.idxmin()
    others = ", ".join(f"{name} {int(k)}" for name, k in choices.items() if name != model.k_rule)
    return (
        f"{model.k_rule} chose the number of factors among up to {model.numbers.index[-1]} (other "
        f"criteria: {others})."
    )


def _verdict(results: Any) -> str:
    if results.cv is None:
        return "The factors are principal components; no network was estimated."
    if results.is_linear:
        return (
            f"**The factors are linear.** No autoencoder has a smaller error on rows left out than "
            f"principal components with as many factors, and the estimate is {BASELINE}."
        )
    frame, test = results.compare().frame, results.compare().tests[0]
    error, share = frame.loc["Cross-validated RMSE"], frame.loc["R-squared"]
    clear = test.sentence
    if test.pvalue is not None:
        word = "significant" if test.pvalue <= LEVEL else "not significant"
        clear = f"The difference is {word} at 5% (p = {test.pvalue:.2f})."
    return (
        f"**The autoencoder's error on rows left out is {error['network'] / error[BASELINE]:.3f} "
        f"times that of {BASELINE}.** {clear} In the sample it explains {share['network']:.1%} of "
        f"the variance, {BASELINE} {share[BASELINE]:.1%}."
    )


def _facts(results: Any) -> FactsBlock:
    frame = results.compare().frame
    alpha = "∞" if np.isinf(results.alpha) else format_number(results.alpha, 4)
    items = [
        ("Series", f"{results.nvar}", f"{_missing(results):.1%} of the values missing"),
        ("Factors", f"{results.k_factors}", f"by {results.model.k_rule}"),
        ("Penalty α", alpha, f"by {results.facts.alpha_rule}; ∞ is {BASELINE}"),
        ("R²", f"{frame.loc['R-squared', 'network']:.3f}",
         f"{BASELINE}: {frame.loc['R-squared', BASELINE]:.3f}"),
    ]  # fmt: skip
    if results.cv is not None:
        error = frame.loc["Cross-validated RMSE"]
        items.append(("RMSE, rows left out", f"{error['network']:.3f}",
                      f"{BASELINE}: {error[BASELINE]:.3f}"))  # fmt: skip
    return FactsBlock(items)


def _missing(results: Any) -> float:
    return float(1.0 - np.isfinite(results.model.panel.values).mean())


def _warning(results: Any) -> list[TextBlock]:
    """A paragraph where many series have a unit root."""
    if not results.model.panel.is_time_series:
        return []
    pvalues = unit_root_pvalues(results.model.panel.values)
    tested = np.isfinite(pvalues)
    trending = tested & (pvalues > 0.05)
    if not tested.any() or trending.sum() <= TRENDING * tested.sum():
        return []
    names = [name for name, each in zip(results.model.labels, trending, strict=True) if each]
    shown = ", ".join(names[:4]) + f" and {len(names) - 4} more" * (len(names) > 4)
    return [
        TextBlock(
            f"**Many series trend.** For {trending.sum()} of {tested.sum()} series "
            f"({shown}) a unit root is not rejected at 5% (augmented Dickey-Fuller, "
            "constant, four lags). Components of trending series look like factors where there are "
            "none (Onatski and Wang, 2021); use growth rates or differences."
        )
    ]


def _scree(results: Any) -> FigureBlock:
    return FigureBlock(
        results.plot_scree(title=None),
        "factors-scree",
        f"Percent of the variance of all series that each principal component explains, and all up "
        f"to it; {results.k_factors} are in the model.",
        narrow=results.plot_scree(title=None, figsize=(PHONE, 2.6)),
    )


def _factors(results: Any, recessions: Any) -> list[FigureBlock]:
    shaded = " Shaded: recessions." if recessions else ""
    beside = "" if results.is_linear else f", and the principal components ({BASELINE}) beside them"
    height = 0.9 + 1.1 * results.k_factors
    return [
        FigureBlock(
            results.plot_factors(recessions, title=None),
            "factors",
            f"The factors, in standard deviations{beside}. Signs are arbitrary: each factor has "
            f"the sign of its largest loading.{shaded}",
            narrow=results.plot_factors(recessions, title=None, figsize=(PHONE, height)),
        )
    ]


def _top(results: Any, labels: Mapping[str, str]) -> list[TableBlock]:
    """What each factor adds, and to which series most."""
    share = results.variance_explained().mean()
    notes = ["Mean over series of what the factor adds to the R-squared of those before it."]
    if _missing(results):
        notes.append(
            "Missing values count as filled here, as in statsmodels; the R² above is that of known "
            "values."
        )
    shares = pd.DataFrame({"Adds to R²": share, "Cumulative": share.cumsum()})
    top, rows = results.top_series(TOP), []
    for name in results.factor_names:
        for rank, (series, adds) in enumerate(top[name].itertuples(index=False)):
            row: dict[str, Any] = {"Factor": name if not rank else "", "Series": series}
            what, comma, unit = labels.get(series, "").rpartition(", ")
            if labels:
                row["What it is"] = shorten(what if comma else unit, 46, placeholder=" ...")
            rows.append({**row, "Adds to its R²": adds})
    listed = pd.DataFrame(rows).set_index("Factor").rename_axis(None)
    return [
        TableBlock(
            shares,
            "factors",
            "What each factor explains",
            notes,
            formats=dict.fromkeys(shares.columns, 3),
            index_name="Factor",
        ),
        TableBlock(
            listed,
            "factors-series",
            f"The {TOP} series that each factor adds most to",
            formats={"Adds to its R²": 2},
            index_name="Factor",
        ),
    ]


def _explained(results: Any, groups: pd.Series | None) -> list[FigureBlock]:
    by = "by group" if groups is not None else "by number of factors"
    count = 1 if groups is None else groups.reindex(results.model.labels).nunique()
    tall = 1.6 + 0.42 * count if groups is not None else 3.4
    high = float(np.clip(1.2 + 0.12 * results.nvar, 3.0, 7.5))
    return [
        FigureBlock(
            results.plot_rsquare(groups, title=None),
            "factors-rsquare",
            f"R-squared of the series, {by}: boxes hold the middle half of the series, the line is "
            "the median.",
            narrow=results.plot_rsquare(groups, title=None, figsize=(PHONE, tall)),
        ),
        FigureBlock(
            results.plot_loadings(groups, title=None),
            "factors-loadings",
            "Average loadings: by how many standard deviations a series changes on average with "
            "one of the factor.",
            narrow=results.plot_loadings(groups, title=None, figsize=(PHONE, high)),
        ),
    ]


def _comparison(results: Any) -> list[Any]:
    if results.cv is None:
        return []
    comparison = results.compare()
    return [
        TableBlock(
            comparison.table_frame(),
            "factors-comparison",
            f"Autoencoder and {BASELINE}",
            comparison.notes,
            row_formats=ROW_FORMATS,
        ),
        FigureBlock(
            results.plot_path(title=None),
            "factors-path",
            f"Mean squared error of rows left out along the penalty, from {BASELINE} to the full "
            "autoencoder; bars are one standard error over folds.",
            narrow=results.plot_path(title=None, figsize=(PHONE, 3.4)),
        ),
    ]


def _by_group(results: Any, groups: pd.Series) -> TableBlock:
    frame = results.reconstruction(groups)
    # in the order of the charts
    order = dict.fromkeys(groups.reindex(results.model.labels))
    frame = frame.reindex([group for group in order if group in frame.index])
    names = {"network": "Autoencoder", BASELINE: BASELINE, "ratio": "Ratio"}
    parts = {
        title: frame[key][list(names)].rename(columns=names)
        for key, title in (("in sample", "In the sample"), ("left out", "Rows left out"))
    }
    table = pd.concat(parts, axis=1)
    table.index = [str(name) for name in frame.index]
    return TableBlock(
        table,
        "factors-groups",
        "Mean squared errors by group of series",
        ["In squared standard deviations of the series."],
        formats=dict.fromkeys(table.columns, 3),
        index_name="Group",
    )
