"""``nnecon backtest`` and ``nnecon forecast``."""

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon import baselines
from nnecon.cli import main


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    frame = ne.datasets.load_macro()[["growth", "infl", "unemp"]].loc["1990":]
    path = tmp_path_factory.mktemp("data") / "macro.csv"
    frame.rename(columns={"unemp": "unemployment rate"}).to_csv(path)
    return path


def test_backtest_writes_what_the_function_gives(csv, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--target", "growth", "--target", "infl", "--models", "var,ar,random-walk"]
    options += ["--initial", "2005Q4", "--horizon", "2", "--window", "rolling", "--level", "0.8"]
    assert main(["backtest", str(csv), *options, "--reselect", "4", "--out", str(out)]) == 0
    frame = ne.read_table(csv)
    expected = ne.backtest(
        {
            "var": baselines.var("bic", maxlags=8),
            "ar": baselines.ar("bic", maxlags=8),
            "random-walk": baselines.random_walk(),
        },
        frame,
        targets=["growth", "infl"],
        initial="2005Q4",
        horizon=2,
        reselect=4,
        window="rolling",
        alpha=0.2,
    )
    written = pd.read_csv(out / "forecasts.csv")
    columns = ["forecast", "lower", "upper", "actual"]
    np.testing.assert_allclose(written[columns], expected.forecasts[columns], rtol=1e-10)
    assert written["cutoff"].iloc[0] == "2005Q4"
    accuracy = pd.read_csv(out / "accuracy.csv", index_col=[0, 1, 2])
    np.testing.assert_allclose(accuracy["rmse"], expected.accuracy()["rmse"])
    names = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert {"tests.csv", "tables/accuracy.tex", "figures/gains-h1.pdf"} <= names
    printed = capsys.readouterr().out
    assert "RMSE of var" in printed and "figures" in printed


def test_forecast_writes_what_the_model_gives(csv, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--target", "growth", "--predictor", "infl", "--steps", "3", "--starts", "1"]
    assert main(["forecast", str(csv), *options, "--out", str(out)]) == 0
    model = ne.NeuralAR.from_formula("growth ~ infl", ne.read_table(csv))
    expected = model.fit(n_starts=1).get_forecast(3).summary_frame(0.1)
    written = pd.read_csv(out / "forecasts.csv")
    assert written["variable"].unique().tolist() == ["growth"]
    assert written["date"].tolist() == ["2009Q4", "2010Q1", "2010Q2"]
    np.testing.assert_allclose(written["forecast"], expected["mean"], rtol=1e-6)
    np.testing.assert_allclose(written["upper"], expected["mean_ci_upper"], rtol=1e-6)
    assert "Forecaster Results" in capsys.readouterr().out


def test_columns_may_have_any_name(csv, tmp_path, capsys):
    """They stand in charts and tables without spaces."""
    options = ["--target", "unemployment rate", "--models", "mean,ar", "--initial", "2008Q4"]
    assert main(["backtest", str(csv), *options, "--out", str(tmp_path)]) == 0
    assert "unemployment_rate, h=1" in capsys.readouterr().out


MISTAKES = {
    "no target": ([], "--target COLUMN"),
    "target": (["--target", "gdp"], "--target: unknown column 'gdp'"),
    "predictor": (["--target", "infl", "--predictor", "x"], "--predictor: unknown column 'x'"),
    "model": (["--target", "infl", "--models", "vra"], "unknown model 'vra'"),
    "twice": (["--target", "infl", "--models", "var,var"], "'var' twice"),
    "horizon": (["--target", "infl", "--models", "mean", "--horizon", "0"], "horizon=0"),
    "initial": (["--target", "infl", "--models", "mean", "--initial", "1950Q1"], "no period"),
    "level": (["--target", "infl", "--models", "mean", "--level", "90"], "--level 90"),
    "date": (["--target", "infl", "--date", "infl"], "dates"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_give_one_line_and_exit_code_2(mistake, csv, tmp_path, capsys):
    options, text = MISTAKES[mistake]
    assert main(["backtest", str(csv), *options, "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert text in printed.err and "Traceback" not in printed.err
    assert sum("error:" in line for line in printed.err.splitlines()) == 1


def test_data_without_dates(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text("y\n1\n2\n3\n")
    assert main(["forecast", str(path), "--target", "y", "--out", str(tmp_path)]) == 2
    assert "no column of dates" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["forecast", "backtest"])
def test_help_reads_well(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert all(len(line) <= 100 for line in capsys.readouterr().out.splitlines())


def test_report_has_chapters_on_forecasts(csv, tmp_path):
    """Asked for by --target; the table holds what the backtest at the stated settings gives."""
    out = tmp_path / "report"
    options = ["--formula", "growth ~ lag(growth, 1)", "--hidden", "", "--target", "infl"]
    assert main(["report", str(csv), *options, "--out", str(out)]) == 0
    page = (out / "index.html").read_text()
    titles = "Forecasts", "Would it have forecast better?", "One system with states"
    for title in (*titles, "Responses to a shock"):
        assert f"{title}</h2>" in page
    assert "quick settings: 2 starts, 8 penalties" in page
    assert page.index("Responses to a shock") < page.rindex("Summary and program")
    names = {path.name for path in out.rglob("*.*")}
    assert {"fan.pdf", "gains.pdf", "responses.pdf", "backtest.tex", "forecasts.tex"} <= names
    assert {"state-space.tex", "state-space-fan.pdf"} <= names
    table = (out / "tables" / "backtest.tex").read_text()
    frame = ne.read_table(csv)
    expected = ne.backtest(
        {"var": baselines.var("bic", maxlags=8), "random-walk": baselines.random_walk()},
        frame,
        targets="infl",
        horizon=4,
        initial=len(frame) - 40,
        refit=4,
        reselect=20,
    )
    for ratio in expected.relative().frame["random-walk"]:
        assert f"{ratio:.3f}" in table


def test_report_without_targets_has_no_forecasts(csv, tmp_path):
    out = tmp_path / "report"
    options = ["--formula", "growth ~ lag(growth, 1)", "--hidden", "", "--out", str(out)]
    assert main(["report", str(csv), *options]) == 0
    assert "Forecasts</h2>" not in (out / "index.html").read_text()
