"""``nnecon forecast`` and ``nnecon backtest``: arguments, what they run, what they write."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from nnecon import baselines
from nnecon.backtesting import backtest
from nnecon.commands.reading import read_source
from nnecon.data.files import DATE_NAMES
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import is_time_index
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.forecasters import LSTMForecaster, NeuralAR
from nnecon.models.state_space import RNNStateSpace
from nnecon.report.html import Chapter
from nnecon.report.plots import save_pdf
from nnecon.results.backtest import Backtest
from nnecon.results.forecast_chapters import forecast_chapters
from nnecon.results.forecasting import ForecasterResults
from nnecon.results.state_space_chapter import state_space_chapter

MACRO_TARGETS = ("growth", "infl", "tbilrate")

NETWORKS: dict[str, Any] = {"neural-ar": NeuralAR, "lstm": LSTMForecaster}

BASELINES: dict[str, Callable[[], baselines.Baseline]] = {
    "var": lambda: baselines.var("bic", maxlags=8),
    "ar": lambda: baselines.ar("bic", maxlags=8),
    "arima": lambda: baselines.arima((1, 0, 1)),
    "ets": baselines.ets,
    "random-walk": baselines.random_walk,
    "drift": lambda: baselines.random_walk(drift=True),
    "mean": baselines.mean,
}

MODELS = "neural-ar,var,ar,random-walk"

REPORT = {"starts": 2, "alphas": 8, "origins": 40, "refit": 4, "reselect": 20}
"""Quick settings of the report's chapters."""

REPORT_BASELINES = ("var", "ar", "random-walk")

Commands = Any
"""What ``ArgumentParser.add_subparsers`` returns."""


def add_commands(commands: Commands) -> None:
    """Add both commands to the parser of ``nnecon``."""
    forecast = commands.add_parser(
        "forecast",
        help="fit a forecaster and write forecasts with intervals: CSV and fan charts",
        description="Fit a neural forecaster with an autoregression inside to dated data, print "
        "its\nsummary and forecasts, and write them as CSV (forecasts.csv) and fan charts\n"
        "(figures/).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_data_arguments(forecast)
    forecast.add_argument(
        "--model",
        choices=list(NETWORKS),
        default="neural-ar",
        help="feed-forward or LSTM network beside the autoregression (default: neural-ar)",
    )
    forecast.add_argument(
        "--steps", metavar="H", type=int, default=8, help="periods to forecast (default: 8)"
    )
    _add_common_arguments(forecast, Path("nnecon-forecast"))
    forecast.set_defaults(run=run_forecast)
    command = commands.add_parser(
        "backtest",
        help="compare forecasters with VAR, AR and the random walk on past dates: CSV and charts",
        description="Forecast from many past dates with several models, each knowing what was "
        "known\nthen; print accuracy relative to the VAR, and write all forecasts "
        "(forecasts.csv),\naccuracy (accuracy.csv), tests (tests.csv), a LaTeX table (tables/) "
        "and charts\n(figures/).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_data_arguments(command)
    _add_backtest_arguments(command)
    _add_common_arguments(command, Path("nnecon-backtest"))
    command.set_defaults(run=run_backtest)


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="CSV, Parquet or Excel file with dates (default: US quarterly macro data)",
    )
    data.add_argument(
        "--date",
        metavar="COLUMN",
        help=f"column of dates (default: one called {', '.join(DATE_NAMES)})",
    )
    data.add_argument(
        "--target",
        metavar="Y",
        action="append",
        help="column to forecast; give it several times for several (needed with DATA)",
    )
    data.add_argument(
        "--predictor",
        metavar="X",
        action="append",
        default=[],
        help="column whose lags help the networks; may be given several times",
    )


def _add_backtest_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("backtest")
    group.add_argument(
        "--models",
        metavar="M,M",
        default=MODELS,
        help=f"of {', '.join([*NETWORKS, *BASELINES])}; the first baseline is the reference "
        f"(default: {MODELS})",
    )
    group.add_argument(
        "--horizon", metavar="H", type=int, default=4, help="periods ahead (default: 4)"
    )
    group.add_argument(
        "--initial",
        metavar="PERIOD",
        help="last period of the first sample, or its number of periods (default: half of the "
        "data)",
    )
    group.add_argument(
        "--step", metavar="N", type=int, default=1, help="periods between origins (default: 1)"
    )
    group.add_argument(
        "--refit",
        metavar="K",
        type=int,
        default=1,
        help="estimate at every K-th origin (default: 1)",
    )
    group.add_argument(
        "--reselect",
        metavar="K",
        type=int,
        default=12,
        help="choose penalties and lags at every K-th origin (default: 12)",
    )
    group.add_argument(
        "--window",
        choices=["expanding", "rolling"],
        default="expanding",
        help="samples grow, or keep the length of the first (default: expanding)",
    )
    group.add_argument(
        "--checkpoint", metavar="DIR", help="folder that keeps finished origins of a stopped run"
    )


def _add_common_arguments(parser: argparse.ArgumentParser, out: Path) -> None:
    group = parser.add_argument_group("estimation and output")
    group.add_argument(
        "--level", metavar="P", type=float, default=0.9, help="level of intervals (default: 0.9)"
    )
    group.add_argument(
        "--starts", metavar="N", type=int, default=5, help="random starts (default: 5)"
    )
    group.add_argument(
        "--rng", metavar="SEED", type=int, default=0, help="seed of random numbers (default: 0)"
    )
    group.add_argument(
        "--out", metavar="DIR", type=Path, default=out, help=f"folder to write to (default: {out})"
    )


def run_forecast(arguments: argparse.Namespace) -> None:
    """Fit a forecaster, print and write its forecasts."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    frame, targets, labels = read_series(arguments)
    family = NETWORKS[arguments.model]
    model = family.from_formula(_formula(targets, arguments.predictor), frame)
    results = model.fit(n_starts=arguments.starts, rng=arguments.rng, progress=True)
    print(results.summary())
    outlook = results.get_forecast(arguments.steps)
    table = _long(outlook, targets, _alpha(arguments))
    table.to_csv(arguments.out / "forecasts.csv", index=False)
    print(f"\nForecasts with {arguments.level:.0%} intervals ({outlook.method})\n")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    (arguments.out / "figures").mkdir(exist_ok=True)
    fan = results.plot_forecast(arguments.steps, labels=labels)
    save_pdf(fan, arguments.out / "figures" / "fan.pdf")
    print(f"\nForecasts: {arguments.out / 'forecasts.csv'}")
    print(f"Fan chart: {arguments.out / 'figures' / 'fan.pdf'}")


def run_backtest(arguments: argparse.Namespace) -> None:
    """Run a backtest, print its summary and write tables and charts."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    frame, targets, labels = read_series(arguments)
    models = named_models(arguments, frame, targets)
    found = backtest(
        models,
        frame,
        targets=targets,
        horizon=arguments.horizon,
        initial=_initial(arguments.initial),
        step=arguments.step,
        refit=arguments.refit,
        reselect=arguments.reselect,
        window=arguments.window,
        alpha=_alpha(arguments),
        checkpoint=arguments.checkpoint,
        progress=True,
    )
    print(found.summary())
    _write(found, arguments.out, labels)


def report_chapters(
    frame: pd.DataFrame, targets: list[str], labels: dict[str, str], progress: bool = True
) -> list[Chapter]:
    """Chapters of ``nnecon report`` on forecasts, at settings that take seconds."""
    model = NeuralAR.from_formula(_formula(targets, []), frame)
    options: dict[str, Any] = {"n_starts": REPORT["starts"], "alphas": REPORT["alphas"]}
    results = model.fit(progress=progress, **options)
    rows = len(frame) - REPORT["origins"]
    models: dict[str, Any] = {"neural-ar": (model, options)}
    models |= {name: BASELINES[name]() for name in REPORT_BASELINES}
    found = backtest(
        models,
        frame,
        targets=targets,
        horizon=4,
        initial=max(rows, len(frame) // 2),
        refit=REPORT["refit"],
        reselect=REPORT["reselect"],
        progress=progress,
    )
    settings = (
        f"To take seconds, these are quick settings: {REPORT['starts']} starts, {REPORT['alphas']} "
        f"penalties, estimation at every {REPORT['refit']}th date, penalties and lags chosen at "
        f"every {REPORT['reselect']}th. For all that the data hold run `nnecon backtest` with "
        "earlier dates (`--initial`)."
    )
    assert isinstance(results, ForecasterResults)
    chapters = forecast_chapters(results, found, results.girf(targets[-1]), labels, settings)
    return [*chapters, _states(frame, targets, labels, progress)]


def _states(
    frame: pd.DataFrame, targets: list[str], labels: dict[str, str], progress: bool
) -> Chapter:
    """The chapter on a recurrent state-space model, at quick settings."""
    model = RNNStateSpace.from_formula(_formula(targets, []), frame, stable=True)
    options: dict[str, Any] = {"n_starts": REPORT["starts"], "alphas": REPORT["alphas"]}
    results = model.fit(progress=progress, **options)
    settings = (
        f"Quick settings: {REPORT['starts']} starts, {REPORT['alphas']} penalties, chosen by the "
        "errors of one-step forecasts in five expanding windows."
    )
    return state_space_chapter(results, labels, settings)


def named_models(
    arguments: argparse.Namespace, frame: pd.DataFrame, targets: list[str]
) -> dict[str, Any]:
    """Models of ``--models`` by name."""
    names = [name.strip() for name in arguments.models.split(",") if name.strip()]
    models: dict[str, Any] = {}
    for name in names:
        if name in models:
            raise SpecificationError(f"--models names {name!r} twice")
        if name in NETWORKS:
            formula = _formula(targets, arguments.predictor)
            options = {"n_starts": arguments.starts, "rng": arguments.rng}
            models[name] = (NETWORKS[name].from_formula(formula, frame), options)
        elif name in BASELINES:
            models[name] = BASELINES[name]()
        else:
            known = [*NETWORKS, *BASELINES]
            hint = suggestion(name, known).replace("columns", "models")
            raise SpecificationError(f"--models: unknown model {name!r}; {hint}")
    return models


def read_series(arguments: argparse.Namespace) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    """The data, the targets, and what they are."""
    if arguments.data is not None and not arguments.target:
        raise SpecificationError("with a data file say what to forecast: --target COLUMN")
    source = read_source(arguments.data, arguments.date)
    frame, targets = source.frame, list(arguments.target or MACRO_TARGETS)
    if not is_time_index(frame.index):
        raise DataError(
            f"{arguments.data} has no column of dates; name it with --date COLUMN (years, "
            "quarters such as 1959Q1, or dates such as 1959-01-31)"
        )
    for option, names in (("--target", targets), ("--predictor", arguments.predictor)):
        for name in names:
            if name not in frame.columns:
                raise SpecificationError(
                    f"{option}: unknown column {name!r}; {suggestion(name, frame.columns)}"
                )
    # a formula and a file name want names without spaces
    names = {name: re.sub(r"\W+", "_", name) for name in [*targets, *arguments.predictor]}
    renamed = {new: source.labels.get(old, old) for old, new in names.items() if old != new}
    labels = {**source.labels, **renamed}
    arguments.predictor = [names[name] for name in arguments.predictor]
    return frame.rename(columns=names), [names[name] for name in targets], labels


def _formula(targets: list[str], predictors: list[str]) -> str:
    return f"{' + '.join(targets)} ~ {' + '.join(predictors) or '1'}"


def _alpha(arguments: argparse.Namespace) -> float:
    if not 0.0 < arguments.level < 1.0:
        raise SpecificationError(f"--level {arguments.level:g}: give a share such as 0.9")
    return 1.0 - float(arguments.level)


def _initial(text: str | None) -> Any:
    """A period, or a number of periods where the text is one and no year."""
    if text is None:
        return None
    return int(text) if text.isdigit() and len(text) < 4 else text


def _long(outlook: Any, targets: list[str], alpha: float) -> pd.DataFrame:
    """Forecasts as a long table: variable, date, mean, standard error, limits."""
    pieces = []
    for name in targets:
        frame = outlook.summary_frame(alpha, target=name)
        pieces.append(
            pd.DataFrame(
                {
                    "variable": name,
                    "date": frame.index,
                    "forecast": frame["mean"].to_numpy(),
                    "std_error": frame["mean_se"].to_numpy(),
                    "lower": frame["mean_ci_lower"].to_numpy(),
                    "upper": frame["mean_ci_upper"].to_numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def _write(found: Backtest, out: Path, labels: dict[str, str]) -> None:
    """Forecasts, accuracy, tests, a LaTeX table and charts."""
    found.forecasts.to_csv(out / "forecasts.csv", index=False)
    found.accuracy().to_csv(out / "accuracy.csv")
    found.diebold_mariano().to_csv(out / "tests.csv")
    (out / "tables").mkdir(exist_ok=True)
    (out / "figures").mkdir(exist_ok=True)
    latex = found.to_latex(label="tab:backtest")
    (out / "tables" / "accuracy.tex").write_text(latex + "\n", encoding="utf-8")
    charts = {"forecasts-h1": found.plot(labels=labels)}
    last = found.horizons[-1]
    if last > 1:
        charts[f"forecasts-h{last}"] = found.plot(horizon=last, labels=labels)
    if len(found.models) > 1:
        charts["accuracy"] = found.relative().plot(labels=labels)
        charts["gains-h1"] = found.plot_loss_difference(labels=labels)
    for name, chart in charts.items():
        save_pdf(chart, out / "figures" / f"{name}.pdf")
    print(f"\nForecasts: {out / 'forecasts.csv'}")
    print(f"Accuracy:  {out / 'accuracy.csv'} (tests against {found.reference}: tests.csv)")
    print(f"Table:     {out / 'tables' / 'accuracy.tex'}")
    print(f"Figures:   {out / 'figures' / '*.pdf'} ({len(charts)} files)")
