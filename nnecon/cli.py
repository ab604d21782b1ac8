"""The command line: ``nnecon report``, ``fit``, ``forecast`` and ``backtest``."""

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnecon.commands.factors import factor_chapters, factor_report, is_wide, read_factors
from nnecon.commands.forecasting import (
    MACRO_TARGETS,
    add_commands,
    read_series,
    report_chapters,
)
from nnecon.commands.reading import Source, read_source
from nnecon.data.files import DATE_NAMES
from nnecon.exceptions import NneconError, SpecificationError
from nnecon.inference.covariance_kinds import KINDS
from nnecon.models.regression import NeuralRegression
from nnecon.models.settings import RULES
from nnecon.nets.activations import ACTIVATIONS
from nnecon.report.html import Chapter
from nnecon.results.regression import NeuralRegressionResults
from nnecon.version import __version__

MACRO_FORMULA = "growth ~ lag(growth, 1, 2) + lag(infl, 1) + lag(unemp, 1) + lag(realint, 1)"
MACRO_TITLE = "US real GDP growth: a neural regression beside OLS"

EPILOG = """\
examples:
  nnecon report
      the default: US quarterly macro data, 1959 to 2009
  nnecon report wages.csv --formula "np.log(wage) ~ educ + exper + C(sector)"
  nnecon report panel.xlsx --date month --formula "infl ~ lag(infl, 1, 12) + lag(unemp, 1)" \\
      --hidden 16 --out inflation
  nnecon report fred-md.csv
      factors of a panel with more than 15 columns
"""


def build_parser() -> argparse.ArgumentParser:
    """Arguments of all commands."""
    parser = argparse.ArgumentParser(
        prog="nnecon",
        description="Neural networks for economists: regressions with a network inside, standard "
        "errors, diagnostics and a fair comparison with OLS.",
    )
    parser.add_argument("--version", action="version", version=f"nnecon {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="fit a neural regression and write a report: a web page, LaTeX tables, PDF charts",
        description="Fit a neural regression, compare it with OLS, and write a report: one web "
        "page\n(index.html), LaTeX tables (tables/), PDF charts (figures/) and the fit itself\n"
        "(results.nnecon, for nnecon.load in Python).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_model_arguments(report)
    report.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("nnecon-report"),
        help="folder to write to (default: nnecon-report)",
    )
    report.add_argument("--title", help="title of the page")
    report.add_argument(
        "--target",
        metavar="Y",
        action="append",
        help="column to forecast in further chapters: fan charts, a comparison with VAR, AR and "
        "the random walk on past dates, responses to a shock; may be given several times "
        "(default: growth, infl and tbilrate of the macro data)",
    )
    report.add_argument(
        "--factors",
        metavar="K",
        default="auto",
        help="factors of a chapter on what all columns have in common: a number, auto (with more "
        "than 15 numeric columns, number by a criterion) or no; default: auto",
    )
    fit = commands.add_parser(
        "fit",
        help="fit a neural regression and print its summary",
        description="Fit a neural regression and print its summary beside OLS.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_model_arguments(fit)
    fit.add_argument("--save", metavar="FILE", type=Path, help="file to save the fit to")
    report.set_defaults(run=_report)
    fit.set_defaults(run=_fit)
    add_commands(commands)
    return parser


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="CSV, Parquet or Excel file, FRED-MD and FRED-QD included (default: US quarterly "
        "macro data)",
    )
    data.add_argument(
        "--formula",
        metavar="F",
        help="as in R: 'y ~ x + lag(y, 1, 4)'; lag, diff, dlog, C(), bs(), np.log and "
        "interactions work (needed with DATA, but for a report on factors alone)",
    )
    data.add_argument(
        "--date",
        metavar="COLUMN",
        help=f"column of dates (default: one called {', '.join(DATE_NAMES)})",
    )
    data.add_argument("--weights", metavar="COLUMN", help="column of observation weights")
    data.add_argument(
        "--groups", metavar="COLUMN", help="column of groups: clustered errors, whole groups a fold"
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--hidden",
        metavar="UNITS",
        default="8",
        help="hidden units, by layer: 8 or 16,8 (default: 8)",
    )
    model.add_argument(
        "--activation",
        choices=list(ACTIVATIONS),
        default="tanh",
        help="activation of hidden units (default: tanh)",
    )
    model.add_argument(
        "--alpha",
        default="cv",
        help="penalty of the network: a number, cv (least cross-validated error), 1se "
        "(one-standard-error rule) or evidence (no choice by folds); default: cv",
    )
    model.add_argument(
        "--cv", metavar="K", type=int, default=5, help="folds of cross-validation (default: 5)"
    )
    model.add_argument(
        "--starts", metavar="N", type=int, default=8, help="random starts (default: 8)"
    )
    model.add_argument(
        "--rng", metavar="SEED", type=int, default=0, help="seed of random numbers (default: 0)"
    )
    model.add_argument(
        "--cov-type",
        metavar="KIND",
        help=f"standard errors: {', '.join(KINDS)} (default: HAC for dated data, cluster with "
        "--groups, HC1 otherwise)",
    )
    model.add_argument(
        "--cov-kwds",
        metavar="NAME=VALUE",
        nargs="+",
        default=[],
        help="options of --cov-type: maxlags=andrews kernel=parzen; groups=firm,year; time=year; "
        "kind=wild draws=999",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; exit code 2 and one line on the standard error where it cannot be done."""
    arguments = build_parser().parse_args(argv)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", category=UserWarning)
        try:
            arguments.run(arguments)
        except NneconError as error:
            print(f"nnecon {arguments.command}: error: {_one_line(error)}", file=sys.stderr)
            return 2
        except OSError as error:
            reason = f"cannot write {error.filename}: {error.strerror}"
            print(f"nnecon {arguments.command}: error: {reason}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f"\nnnecon {arguments.command}: stopped; nothing was saved", file=sys.stderr)
            return 130
    for text in dict.fromkeys(_one_line(warning.message) for warning in caught):
        print(f"warning: {text}", file=sys.stderr)
    return 0


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _numbers(text: str, option: str, example: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise SpecificationError(
            f"{option} {text!r}: give whole numbers such as {example}"
        ) from None


def _penalty(text: str) -> float | str:
    if text in RULES:
        return text
    try:
        return float(text)
    except ValueError:
        known = ", ".join(RULES)
        raise SpecificationError(f"--alpha {text!r}: give a number or one of {known}") from None


def _covariance_options(given: Sequence[str]) -> dict[str, Any]:
    """Options of the covariance: numbers, true and false, words, or words with commas."""
    options: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise SpecificationError(f"--cov-kwds {text!r}: write NAME=VALUE, as in maxlags=4")
        words: dict[str, Any] = {"true": True, "false": False}
        if "," in value:
            options[name] = value.split(",")
        elif value.lower() in words:
            options[name] = words[value.lower()]
        else:
            options[name] = int(value) if value.isdecimal() else value
    return options


def _estimate(
    arguments: argparse.Namespace, source: Source
) -> tuple[NeuralRegressionResults, dict[str, Any]]:
    """Fit, and what a report says about the data: ``labels``, ``title`` and ``code``."""
    options = _covariance_options(arguments.cov_kwds)
    clustered = str(arguments.cov_type).startswith("cluster")
    if clustered and arguments.groups is None and "groups" not in options:
        raise SpecificationError(
            f"--cov-type {arguments.cov_type} needs a column of groups: --groups COLUMN"
        )
    hidden = _numbers(arguments.hidden, "--hidden", "8 or 16,8")
    alpha = _penalty(arguments.alpha)
    formula = arguments.formula or MACRO_FORMULA
    title = MACRO_TITLE if arguments.data is None else None
    about: dict[str, Any] = {"labels": source.labels, "title": title}
    model_options: dict[str, Any] = {"hidden": hidden, "activation": arguments.activation}
    fit_options = {
        "alpha": alpha,
        "cv": arguments.cv,
        "n_starts": arguments.starts,
        "rng": arguments.rng,
    }
    if arguments.weights is not None:
        model_options["weights"] = arguments.weights
    for name in ("groups", "cov_type"):
        if getattr(arguments, name) is not None:
            fit_options[name] = getattr(arguments, name)
    if options:
        fit_options["cov_kwds"] = options
    about["code"] = _program(source.code, formula, model_options, fit_options)
    model = NeuralRegression.from_formula(formula, source.frame, **model_options)
    return model.fit(progress=True, **fit_options), about


def _program(source: str, formula: str, model: dict[str, Any], fit: dict[str, Any]) -> str:
    def listed(options: dict[str, Any]) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in options.items())

    return (
        "import nnecon as ne\n\n"
        f"data = {source}\n"
        "model = ne.NeuralRegression.from_formula(\n"
        f"    {formula!r},\n    data,\n    {listed(model)},\n)\n"
        f"results = model.fit({listed(fit)})\n"
        "print(results.summary())"
    )


def _source(arguments: argparse.Namespace) -> Source:
    if arguments.data is not None and arguments.formula is None:
        raise SpecificationError("with a data file give a formula too: --formula 'y ~ x1 + x2'")
    return read_source(arguments.data, arguments.date)


def _fit(arguments: argparse.Namespace) -> None:
    results, _ = _estimate(arguments, _source(arguments))
    print(results.summary())
    print()
    print(results.compare())
    if arguments.save is not None:
        results.save(arguments.save)
        print(f"\nSaved to {arguments.save}")


def _forecasts(arguments: argparse.Namespace, labels: Mapping[str, str]) -> list[Chapter]:
    """Chapters on forecasts where they are asked for, and by default for the macro data."""
    given = arguments.data is None and arguments.formula is None
    targets = arguments.target or (list(MACRO_TARGETS) if given else [])
    if not targets:
        return []
    arguments.target, arguments.predictor = targets, []
    frame, targets, own = read_series(arguments)
    return report_chapters(frame, targets, {**own, **labels})


def _report(arguments: argparse.Namespace) -> None:
    # before the estimation: a folder that cannot be written to is found at once
    arguments.out.mkdir(parents=True, exist_ok=True)
    number = read_factors(arguments.factors)
    if arguments.data is not None and arguments.formula is None and not arguments.target:
        source = read_source(arguments.data, arguments.date)
        if is_wide(source.panel) and number != "no":
            factors, written = factor_report(source, number, arguments.out, arguments.title)
            _written(factors, written, arguments.out)
            return
    source = _source(arguments)
    results, about = _estimate(arguments, source)
    title = arguments.title or about.pop("title")
    more = [*_forecasts(arguments, about["labels"]), *factor_chapters(source, number)]
    written = results.report(arguments.out, **{**about, "title": title}, progress=True, more=more)
    _written(results, written, arguments.out)


def _written(results: Any, written: Sequence[Path], out: Path) -> None:
    """Save the fit, print its summary and where things are."""
    results.save(out / "results.nnecon")
    print(results.summary())
    kinds = {"tables": "*.tex", "figures": "*.pdf"}
    print(f"\nReport:  {written[0]}")
    for folder, pattern in kinds.items():
        count = len([path for path in written if path.parent.name == folder])
        print(f"{folder.capitalize() + ':':8s} {out / folder / pattern} ({count} files)")
    print(f"Fit:     {out / 'results.nnecon'}")


if __name__ == "__main__":
    sys.exit(main())
