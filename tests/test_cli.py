"""The command line: what it writes, what it prints, and one line for every mistake."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.cli import main
from nnecon.commands.factors import factor_chapters
from nnecon.commands.reading import read_source


@pytest.fixture(scope="module")
def macro_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "macro.csv"
    frame = ne.datasets.load_macro().reset_index()
    frame.assign(quarter=frame["quarter"].astype(str)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    assert main(["report", "--out", str(out), "--starts", "2", "--hidden", "3"]) == 0
    return out


def test_report_writes_page_tables_figures_and_fit(written):
    page = (written / "index.html").read_text()
    assert "US real GDP growth" in page
    assert not re.search(r"(src|href)=.https?://", page)
    tables = {path.name for path in (written / "tables").iterdir()}
    regression = {"data.tex", "effects.tex", "path.tex", "comparison.tex", "diagnostics.tex"}
    assert tables == regression | {"forecasts.tex", "backtest.tex", "state-space.tex"}
    figures = {path.name for path in (written / "figures").iterdir()}
    assert {"effects.pdf", "path.pdf", "cv.pdf", "shape-1.pdf", "fit.pdf"} <= figures
    loaded = ne.load(written / "results.nnecon")
    assert loaded.nobs == 200
    assert loaded.converged


def test_report_program_repeats_the_fit(written):
    page = (written / "index.html").read_text()
    code = re.search(r"import nnecon as ne.*?results = [^\n]*", page, re.S).group()
    scope = {}
    exec(code.replace("&#39;", "'").replace("&#34;", '"'), scope)
    loaded = ne.load(written / "results.nnecon")
    pd.testing.assert_series_equal(scope["results"].params, loaded.params, check_exact=True)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_tables_compile(written, tmp_path):
    body = "\n".join(rf"\input{{{path}}}" for path in sorted((written / "tables").iterdir()))
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "all.tex").write_text(f"{document}{body}\n\\end{{document}}\n")
    run = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_fit_prints_summary_and_saves(macro_csv, tmp_path, capsys):
    saved = tmp_path / "fit.nnecon"
    formula = "growth ~ lag(unemp, 1) + infl"
    code = main(
        ["fit", str(macro_csv), "--formula", formula, "--alpha", "0.05", "--save", str(saved)]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "Average partial effects" in printed
    assert "Comparison with the classical model" in printed
    assert ne.load(saved).alpha == 0.05


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cov-kwds", "maxlags=5", "kernel=parzen", "use_correction=true"], "parzen, 5 lags"),
        (["--cov-type", "cluster", "--cov-kwds", "groups=year,half"], "two ways"),
        (["--cov-type", "bootstrap", "--cov-kwds", "kind=wild", "draws=20"], "20 draws of wild"),
        (["--cov-type", "bootstrap", "--groups", "year", "--cov-kwds", "draws=20"], "whole groups"),
    ],
)
def test_kinds_of_covariance_and_their_options(options, words, macro_csv, tmp_path, capsys):
    frame = pd.read_csv(macro_csv)
    frame["year"] = frame["quarter"].str[:4].astype(int)
    path = tmp_path / "dated.csv"
    frame.assign(half=frame["year"] // 10).to_csv(path, index=False)
    call = ["fit", str(path), "--formula", "growth ~ lag(unemp, 1)", "--hidden", "", *options]
    assert main(call) == 0
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("ending", ["parquet", "xlsx"])
def test_reads_parquet_and_excel(ending, tmp_path, capsys):
    frame = ne.datasets.load_macro()[["growth", "unemp"]]
    frame = frame.set_axis(frame.index.to_timestamp(), axis=0).rename_axis("date").reset_index()
    path = tmp_path / f"macro.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_excel(path, index=False)
    assert main(["fit", str(path), "--formula", "growth ~ lag(unemp, 1)", "--hidden", ""]) == 0
    assert "No. Observations:" in capsys.readouterr().out


MISTAKES = {
    "unknown column": (["--formula", "growth ~ unempp"], "did you mean 'unemp'"),
    "unknown function": (["--formula", "growth ~ lagg(unemp, 1)"], "lagg"),
    "bad formula": (["--formula", "growth ~ ("], "cannot read the formula"),
    "no formula": ([], "--formula"),
    "no date column": (["--formula", "growth ~ unemp", "--date", "day"], "'day'"),
    "bad hidden": (["--formula", "growth ~ unemp", "--hidden", "x"], "--hidden"),
    "bad alpha": (["--formula", "growth ~ unemp", "--alpha", "x"], "--alpha"),
    "negative alpha": (["--formula", "growth ~ unemp", "--alpha", "-1"], "alpha"),
    "bad folds": (["--formula", "growth ~ unemp", "--cv", "1"], "cv=1"),
    "bad covariance": (["--formula", "growth ~ unemp", "--cov-type", "HC9"], "HC9"),
    "clusters of what": (["--formula", "growth ~ unemp", "--cov-type", "cluster"], "--groups"),
    "option of a covariance": (
        ["--formula", "growth ~ unemp", "--cov-kwds", "maxlags"],
        "write NAME=VALUE",
    ),
    "no such option": (
        ["--formula", "growth ~ unemp", "--cov-type", "HC1", "--cov-kwds", "maxlags=2"],
        "takes no options",
    ),
    "bad weights": (["--formula", "growth ~ unemp", "--weights", "w"], "'w'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_give_one_line_and_exit_code_2(mistake, macro_csv, capsys):
    options, expected = MISTAKES[mistake]
    assert main(["fit", str(macro_csv), *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [line for line in printed.err.splitlines() if "error:" in line]
    assert len(lines) == 1
    assert expected in lines[0]
    assert "Traceback" not in printed.err


FILES = {
    "nothing.csv": (None, "there is no file"),
    "empty.csv": ("", "cannot be read"),
    "header.csv": ("date,y,x\n", "holds no rows"),
    "dates.csv": ("date,y,x\n2001Q1,1,2\n2001Q9,2,3\n", "row 2 of the data is '2001Q9'"),
    "calendar.csv": ("date,y,x\n2001-01-31,1,2\nsoon,2,3\n", "row 2 of the data is 'soon'"),
    "years.csv": ("year,y,x\n2001,1,2\n20002,2,3\n", "row 2"),
    "hole.csv": ("date,y,x\n2001Q1,1,2\n,2,3\n", "no date in row 2"),
    "data.doc": ("y,x\n1,2\n", "cannot read '.doc'"),
}


@pytest.mark.parametrize("name", FILES)
def test_unreadable_files_are_named(name, tmp_path, capsys):
    text, expected = FILES[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    assert main(["fit", str(tmp_path / name), "--formula", "y ~ x"]) == 2
    assert expected in capsys.readouterr().err


def test_folder_that_cannot_be_written(macro_csv, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    # the formula is wrong too: the folder is looked at first, before anything is estimated
    options = ["--formula", "growth ~ nothing", "--out", str(tmp_path / "file")]
    assert main(["report", str(macro_csv), *options]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["report"], ["fit"]])
def test_help_reads_well(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    assert all(len(line) <= 100 for line in capsys.readouterr().out.splitlines())


@pytest.fixture(scope="module")
def fred_file(tmp_path_factory):
    """Eighteen series with one factor in the official format, eight of them real names."""
    g = np.random.default_rng(0)
    names = ["INDPRO", "PAYEMS", "UNRATE", "CPIAUCSL", "GS1", "HOUST", "M2SL", "AWHMAN"]
    names += [f"X{j}" for j in range(10)]
    f = g.standard_normal((100, 1))
    levels = (f @ g.uniform(0.5, 1.5, (1, 18)) + g.standard_normal((100, 18))).cumsum(axis=0)
    months = pd.period_range("2000-01", periods=100, freq="M")
    dates = [f"{month.month}/1/{month.year}" for month in months]
    table = pd.DataFrame(levels.round(4), columns=names)
    table.insert(0, "sasdate", dates)
    codes = pd.DataFrame([["Transform:", *[2] * 18]], columns=table.columns)
    path = tmp_path_factory.mktemp("fred") / "current.csv"
    pd.concat([codes, table]).to_csv(path, index=False)
    return path


def test_wide_panels_get_a_report_on_factors(fred_file, tmp_path, capsys):
    assert main(["report", str(fred_file), "--out", str(tmp_path)]) == 0
    assert "Factor model" in capsys.readouterr().out
    page = (tmp_path / "index.html").read_text()
    assert "Output and income" in page and "What it is" in page
    assert "1 row with fewer than 9 of 18 values known is left out" in page
    code = re.search(r"import nnecon as ne.*?results = [^\n]*", page, re.S).group()
    scope = {}
    exec(code.replace("&#39;", "'"), scope)
    loaded = ne.load(tmp_path / "results.nnecon")
    pd.testing.assert_frame_equal(scope["results"].factors, loaded.factors)


def test_factors_are_a_chapter_beside_a_regression(fred_file, tmp_path):
    options = ["--formula", "UNRATE ~ lag(INDPRO, 1)", "--hidden", "2", "--starts", "1"]
    assert main(["report", str(fred_file), *options, "--out", str(tmp_path)]) == 0
    page = (tmp_path / "index.html").read_text()
    assert "Factors of the panel" in page and "Average partial effects" in page
    assert factor_chapters(read_source(str(fred_file), None), "no") == []


def test_tables_without_common_factors_say_so(tmp_path, capsys):
    noise = pd.DataFrame(np.random.default_rng(0).standard_normal((80, 16))).add_prefix("x")
    noise.to_csv(tmp_path / "noise.csv", index=False)
    command = ["report", str(tmp_path / "noise.csv"), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "no common factor in 16 numeric columns" in capsys.readouterr().err
    [chapter] = factor_chapters(read_source(command[1], None), "auto")
    assert "finds no common factor" in chapter.intro
    assert main([*command, "--factors", "few"]) == 2
    assert "--factors 'few'" in capsys.readouterr().err
