"""Chapters of the report on a neural regression, from its results."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from nnecon.inference.hypotheses import LEVEL
from nnecon.report.formats import Formats, coefficient_cells, format_number
from nnecon.report.html import (
    Chapter,
    CodeBlock,
    FactsBlock,
    FigureBlock,
    TableBlock,
    TextBlock,
)
from nnecon.results.comparison import ROW_FORMATS
from nnecon.results.tables_of_tests import cells_of_tests

PHONE = (4.0, 3.4)
"""Inches of the charts that phones get."""


def regression_chapters(
    results: Any, labels: Mapping[str, str] | None = None, code: str = "", progress: bool = False
) -> list[Chapter]:
    """Findings, data, estimates, path, comparison, shapes and residuals.

    Parameters
    ----------
    results : NeuralRegressionResults
        A fit with path and cross-validation.
    labels : mapping, optional
        What the variables are, with units, by name.
    code : str
        Program that makes the same fit, for the last chapter.
    progress : bool
        Show a progress bar.
    """
    labels = labels or {}
    builders = [
        lambda: _findings(results),
        lambda: _data(results, labels),
        lambda: _estimates(results, labels),
        *([lambda: _nonlinearity(results, labels)] if _has_path(results) else []),
        lambda: _accuracy(results),
        lambda: _shapes(results, labels),
        lambda: _residuals(results, labels),
        lambda: _reproduction(results, code),
    ]
    shown = tqdm(builders, desc="Drawing", unit="chapter", disable=not progress, leave=False)
    return [build() for build in shown]


def _has_path(results: Any) -> bool:
    path = results.estimate.path
    return path is not None and len(path.alphas) > 1


def label_of(name: str, labels: Mapping[str, str]) -> str:
    """Name of a regressor with what its variable is, where that is known."""
    known = [key for key in labels if key in _words(name)]
    if name in labels:
        return labels[name]
    return f"{name}: {labels[known[0]]}" if len(known) == 1 else name


def _words(name: str) -> set[str]:
    return set("".join(c if c.isidentifier() or c.isdigit() else " " for c in name).split())


def _unit(name: str, labels: Mapping[str, str]) -> str:
    """Unit of a variable: what its label says after the last comma."""
    return labels[name].rpartition(", ")[2] if "," in labels.get(name, "") else ""


def _verdict(results: Any) -> str:
    baseline = type(results.baseline.model).__name__
    if results.is_classical and not results.chosen_by_data:
        return f"There is no network in this estimate. {results.classical_sentence}"
    if results.is_classical:
        return (
            "Cross-validation prefers the classical model: at the chosen penalty the network is "
            f"zero. {results.classical_sentence} On these data no nonlinearity that "
            "the network could find improves predictions of rows left out."
        )
    if results.estimate.cv is None:
        return (
            f"The estimate has {results.edf:.1f} effective degrees of freedom. It was not "
            f"cross-validated: how it predicts rows left out, beside {baseline}, is not known."
        )
    frame = results.compare().frame
    other = frame.columns[1]
    rmse = frame.loc["Cross-validated RMSE"].to_numpy()
    share = 100.0 * (rmse[0] / rmse[1] - 1.0)
    side = "below" if share < 0 else "above"
    chosen = "Cross-validation chooses" if results.chosen_by_data else "The given penalty makes"
    return (
        f"{chosen} a network with {results.edf:.1f} effective degrees of freedom (the linear model "
        f"has {frame.loc['Effective degrees of freedom', other]:.0f}). Its root mean squared error "
        f"on rows left out is {abs(share):.1f}% {side} that of {baseline}."
    )


def _findings(results: Any) -> Chapter:
    comparison = results.compare()
    frame = comparison.frame
    own, other = frame.columns
    classical = frame.loc["Effective degrees of freedom", other]
    alpha = "∞" if np.isinf(results.alpha) else format_number(results.alpha, 4)
    chosen = f"by {results.estimate.alpha_rule}"
    items = [
        ("Observations", f"{results.nobs:.0f}", _span(results)),
        ("Penalty α", alpha, f"{chosen}; ∞ is {other}"),
        ("Effective d.f.", format_number(results.edf, 1), f"{other}: {classical:.0f}"),
        ("R²", format_number(results.rsquared, 3), f"{other}: {frame.loc['R-squared', other]:.3f}"),
    ]
    blocks: list[Any] = [FactsBlock(items)]
    if comparison.test is not None:
        rmse = frame.loc["Cross-validated RMSE"]
        note = f"{other}: {rmse[other]:.3f}"
        items.append(("RMSE, rows left out", format_number(rmse[own], 3), note))
        sentence = comparison.test.sentence
        blocks.append(TextBlock(f"{comparison.test.name}, on the rows left out: {sentence}"))
    return Chapter("Findings", _verdict(results), blocks)


def _span(results: Any) -> str:
    index = results.model.design.sample.index
    return f"{index[0]} to {index[-1]}" if results.model.is_time_series else "cross section"


def _data(results: Any, labels: Mapping[str, str]) -> Chapter:
    model = results.model
    rows = {model.endog_names: model.endog}
    for regressor in model.design.regressors:
        if regressor.kind == "continuous":
            rows[regressor.name] = model.design.observed(regressor)
    frame = pd.DataFrame(
        {
            "Mean": [np.mean(x) for x in rows.values()],
            "Std. dev.": [np.std(x, ddof=1) for x in rows.values()],
            "Minimum": [np.min(x) for x in rows.values()],
            "Median": [np.median(x) for x in rows.values()],
            "Maximum": [np.max(x) for x in rows.values()],
        },
        index=list(rows),
    )
    sample = model.design.sample
    lost = sample.n_original - sample.nobs
    used = f"The sample has {sample.nobs} rows ({_span(results)})"
    if lost:
        used += f"; {lost} of {sample.n_original} rows are lost to lags, missing values or a subset"
    where = "; ".join(f"`{key}`: {text}" for key, text in labels.items() if _uses(model, key))
    formula = model.formula or f"{model.endog_names} ~ {' + '.join(model.exog_names)}"
    intro = f"The model is `{formula}`; network: {model.description}. {used}."
    notes = [where + "."] if where else []
    return Chapter(
        "Data and model",
        intro,
        [TableBlock(frame, "data", "Variables of the model", [n.replace("`", "") for n in notes])],
    )


def _uses(model: Any, name: str) -> bool:
    return any(name in _words(text) for text in [model.endog_names, *model.exog_names])


def _estimates(results: Any, labels: Mapping[str, str]) -> Chapter:
    baseline = type(results.baseline.model).__name__
    margeff = results.get_margeff()
    frame = coefficient_cells(results.effects_frame())
    notes = [
        results.errors_sentence,
        *margeff.notes,
        f"Last column: coefficients of {baseline} on the same rows.",
    ]
    unit = _unit(results.model.endog_names, labels)
    what = f"Average partial effect on {results.model.endog_names}" + (f", {unit}" if unit else "")
    return Chapter(
        "Average partial effects",
        "How much the mean of the dependent variable changes with one more unit of a regressor, "
        "averaged over the sample. Network weights are not identified one by one and are not "
        "shown; these averages are.",
        [
            TableBlock(frame, "effects", f"Average partial effects, network and {baseline}", notes),
            FigureBlock(
                margeff.plot(xlabel=what, baseline_name=baseline),
                "effects",
                f"Average partial effects of the network and coefficients of {baseline}, with "
                "95% confidence intervals.",
                narrow=margeff.plot(
                    xlabel="Average partial effect",
                    baseline_name=baseline,
                    figsize=(PHONE[0], 1.5 + 0.42 * len(frame)),
                ),
            ),
        ],
    )


def _nonlinearity(results: Any, labels: Mapping[str, str]) -> Chapter:
    path = results.path
    unit = _unit(results.model.endog_names, labels)
    score = "Cross-validated mean squared error" + (f", ({unit})²" if unit else "")
    first = np.flatnonzero(path.edf > path.edf[0] + 1e-6)
    leaves = f"{path.alphas[first[0]]:.3g}" if len(first) else "none of these"
    columns = {
        "edf": "Effective d.f.",
        "train_score": "MSE in sample",
        "cv_mean": "MSE left out",
        "cv_se": "Std. err.",
        "certificate": "Certificate",
    }
    frame = path.to_frame()
    step = max(1, len(frame) // 12)
    marked = np.isin(path.alphas, [results.alpha, path.alpha_min, path.alpha_1se])
    keep = np.unique(np.r_[0, np.arange(1, len(frame), step), np.flatnonzero(marked)])
    table = frame.iloc[keep][[name for name in columns if name in frame]].rename(columns=columns)
    table.index = ["∞" if np.isinf(a) else f"{a:.3g}" for a in table.index]
    table.index.name = "α"
    intro = (
        "From left to right the penalty on the network falls: at the left end (α = ∞) the "
        f"estimate is the linear model, and the network first does better at α = {leaves}. "
        "Flat lines say that the linear model's effects are robust to nonlinearity; dotted "
        "lines mark penalties at which the best network is a different one."
    )
    converged = int(path.converged.sum())
    note = (
        f"{converged} of {len(path.alphas)} estimates have converged (certificate, the relative "
        "gradient norm, under 1e-6)."
    )
    blocks: list[Any] = [
        FigureBlock(
            results.plot_path(),
            "path",
            "Regularisation path: effects of one standard deviation of each regressor, and "
            "effective degrees of freedom, against the penalty.",
            narrow=results.plot_path(figsize=(PHONE[0], 5.6)),
        )
    ]
    if results.estimate.cv is not None:
        blocks.append(
            FigureBlock(
                results.plot_cv(ylabel=score),
                "cv",
                f"Mean squared error on rows left out ({results.cv.description}) against the "
                "penalty; bars and band are one standard error over folds.",
                narrow=results.plot_cv(ylabel="CV mean squared error", figsize=PHONE),
            )
        )
    if results.estimate.facts.get("L1_wt") and results.model.has_network:
        blocks.append(
            FigureBlock(
                results.selection.plot(),
                "selection",
                results.selection.note,
                narrow=results.selection.plot(figsize=PHONE),
            )
        )
    formats: Formats = {"Certificate": lambda value: f"{value:.0e}"}
    blocks.append(TableBlock(table, "path", "The path in numbers", [note], formats=formats))
    return Chapter("How much nonlinearity do the data support?", intro, blocks)


def _accuracy(results: Any) -> Chapter:
    comparison = results.compare()
    baseline = comparison.frame.columns[1]
    table = comparison.table_frame()
    return Chapter(
        f"Comparison with {baseline}",
        f"Both models see the same rows. In the sample a network can only fit better than "
        f"{baseline}; what counts are information criteria and errors on rows left out.",
        [
            TableBlock(
                table,
                "comparison",
                f"Network and {baseline}",
                comparison.notes,
                row_formats=ROW_FORMATS,
            )
        ],
    )


def _shapes(results: Any, labels: Mapping[str, str]) -> Chapter:
    shown, caption = results, "the chosen network"
    baseline = type(results.baseline.model).__name__
    intro = (
        "The mean of the dependent variable as one regressor moves and all others stay as "
        "observed, with pointwise 95% bands. A straight line is the linear model's answer."
    )
    if (
        results.is_classical
        and _has_path(results)
        and (results.path.edf > results.path.edf[0] + 1e-6).any()
    ):
        shown = results.best_live()
        caption = f"the network at α = {shown.alpha:.3g}"
        intro += (
            " **The chosen estimate is linear**; so that one can see what was turned down, the "
            f"curves are those of the best network that is not zero, at α = {shown.alpha:.3g} "
            f"({shown.edf:.1f} effective degrees of freedom). Cross-validation does not support "
            "them."
        )
    left = label_of(results.model.endog_names, labels)
    figures, seen = [], set()
    for number, regressor in enumerate(results.model.design.regressors, 1):
        name = regressor.variable if regressor.kind == "category" else regressor.name
        if name in seen:
            continue
        seen.add(name)
        text = {"xlabel": label_of(name, labels), "baseline_name": baseline}
        figures.append(
            FigureBlock(
                shown.plot_effect(regressor.name, ylabel=f"Mean of {left}", **text),
                f"shape-{number}",
                f"`{name}`: {caption} and {baseline}.",
                narrow=shown.plot_effect(regressor.name, ylabel="Mean", figsize=PHONE, **text),
            )
        )
    return Chapter("Shapes of the effects", intro, figures)


def _residuals(results: Any, labels: Mapping[str, str]) -> Chapter:
    name = label_of(results.model.endog_names, labels)
    fit = {"name": name}
    tests = results._asked()
    # a rejection means something, and a test that is missing needs its reason
    told = [label for label, test in tests.items() if test.pvalue is None or test.pvalue <= LEVEL]
    return Chapter(
        "Fit and residuals",
        "",
        [
            FigureBlock(
                results.plot_fit(**fit),
                "fit",
                f"{name}: actual and fitted values.",
                narrow=results.plot_fit(**{**fit, "name": ""}, figsize=PHONE),
            ),
            FigureBlock(
                results.plot_diagnostics(title=""),
                "residuals",
                "Standardised residuals: in order, their distribution, normal quantiles, and "
                + ("autocorrelation." if results.model.is_time_series else "scale."),
                narrow=results.plot_diagnostics(title="", figsize=(PHONE[0], 9.0)),
            ),
            TableBlock(
                cells_of_tests(tests),
                "diagnostics",
                "Specification tests, by null hypothesis",
                [f"{label}: {tests[label].sentence}" for label in told],
            ),
        ],
    )


def _reproduction(results: Any, code: str) -> Chapter:
    blocks: list[Any] = [CodeBlock(str(results.summary()), "Summary, as printed")]
    if code:
        blocks.append(CodeBlock(code, "The same fit in Python"))
    return Chapter("Summary and program", "", blocks)
