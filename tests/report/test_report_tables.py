import html.parser
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from statsmodels.iolib.summary import Summary

from nnecon.exceptions import SpecificationError
from nnecon.report.formats import (
    column_format,
    format_frame,
    format_integer,
    format_number,
    format_pvalue,
    format_text,
    html_text,
    is_number,
    latex_text,
    make_formatter,
)
from nnecon.report.tables import Table, summary, to_html, to_latex

SPECIAL = ["R&D_50%", "x < 3", "I(x**2) ~ {z}", r"a\b^2", "$#|", "C(region)[T.West]", "α – β"]


def effects():
    return pd.DataFrame(
        {
            "coef": [0.25, -1.5, np.nan],
            "std err": [0.1, 0.2, np.nan],
            "P>|z|": [0.00001, 0.04, np.nan],
        },
        index=["infl", "lag(growth, 1)", "R&D_50%"],
    )


class Cells(html.parser.HTMLParser):
    """Collects the text of cells and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and any(tag in ("td", "th") for tag in self.open):
            self.cells[-1] += data


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000"),
        (-0.0001, "-1.00e-04"),
        (-0.0, "0.000"),
        (0.0006, "0.001"),
        (123456.7, "123457"),
        (-3.2e12, "-3.2e+12"),
        (np.inf, "∞"),
        (-np.inf, "-∞"),
        (None, "–"),
        (pd.NA, "–"),
    ],
)
def test_numbers_keep_their_size(value, text):
    assert format_number(value) == text


def test_pvalues_counts_and_text():
    assert [format_pvalue(p) for p in (0, 0.00099, 0.001, 1, np.nan)] == [
        "<0.001",
        "<0.001",
        "0.001",
        "1.000",
        "–",
    ]
    assert [format_integer(v) for v in (3, 3.0, 3.25, np.nan, np.inf)] == [
        "3",
        "3",
        "3.2",
        "–",
        "∞",
    ]
    assert [format_text(v) for v in (True, 7, 0.5, None, "a", np.nan)] == [
        "yes",
        "7",
        "0.5000",
        "–",
        "a",
        "–",
    ]


def test_formats_are_chosen_by_name_and_size():
    assert column_format("P>|t|", pd.Series([0.1])) == "pvalue"
    assert column_format(("OLS", "p-value"), pd.Series([0.1])) == "pvalue"
    assert column_format("n", pd.Series([1, 2])) == "integer"
    assert column_format("coef", pd.Series([0.012, 0.03])) == 4
    assert column_format("coef", pd.Series([120.0, 300.0])) == 2
    assert column_format("coef", pd.Series([np.nan, np.inf])) == 3
    assert column_format("name", pd.Series(["a"])) == "text"


def test_row_format_wins_over_column_format():
    frame = pd.DataFrame({"OLS": [198.0, 0.30123]}, index=["n", "R²"])
    cells = format_frame(frame, formats={"OLS": 1}, row_formats={"n": "integer"})
    assert cells == [["198"], ["0.3"]]


def test_unknown_format_is_refused_with_the_choices():
    with pytest.raises(SpecificationError, match="'pvalue', 'integer', 'text'"):
        make_formatter("three digits")


def test_dressing_never_changes_a_digit():
    assert html_text("-1.2e-05") == "−1.2×10<sup>-5</sup>".replace("-", "−")
    assert latex_text("-1.2e-05") == r"$-1.2\times10^{-5}$"
    assert latex_text("-1.20") == "$-$1.20"
    assert latex_text("<0.001") == "$<$0.001"
    assert html_text("<0.001") == "&lt;0.001"
    assert latex_text("lag-1") == "lag-1"
    assert is_number("–") and is_number("<0.001") and is_number("1e+05") and not is_number("e")


def test_summary_is_statsmodels_and_lines_up():
    header = [("Dep. Variable:", "growth"), ("R-squared:", "0.352"), ("alpha:", "0.04")]
    result = summary("Title", header, [Table(effects(), "Effects")], ["A note. " * 20])
    assert isinstance(result, Summary)
    lines = str(result).splitlines()
    body = lines[: lines.index("Notes:") - 1]
    assert {len(line) for line in body} == {78}
    assert "nan" not in str(result).lower()
    assert "– : not available." in str(result)
    assert all(len(line) <= 78 for line in lines)


def test_summary_widens_for_long_names_and_many_columns():
    frame = pd.DataFrame(np.ones((1, 9)), index=["a" * 40], columns=list("abcdefghi"))
    lines = str(summary("Title", [("a", "b")], [Table(frame)])).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) > 78


def test_summary_works_without_header_or_tables():
    assert "Title" in str(summary("Title", [], [Table(effects())]))
    assert "Title" in str(summary("Title", [("a", "b")], []))


def test_summary_html_is_escaped():
    text = summary("A < B", [("x & y", "<b>")], [Table(effects())], ["a <i> note"]).as_html()
    parsed = Cells(text)
    assert parsed.open == []
    assert "R&D_50%" in parsed.cells
    assert "<b>" not in text and "<i>" not in text


def test_html_table_has_scopes_groups_and_escapes():
    columns = pd.MultiIndex.from_product([["OLS", "Network"], ["coef", "se"]])
    frame = pd.DataFrame(np.ones((len(SPECIAL), 4)), index=SPECIAL, columns=columns)
    text = to_html(frame, caption="A & B", notes=["n < 30"])
    parsed = Cells(text)
    assert parsed.open == []
    assert set(SPECIAL) <= set(parsed.cells)
    assert text.count('colspan="2"') == 2
    assert text.count('scope="row"') == len(SPECIAL)
    assert "A &amp; B" in text and "n &lt; 30" in text


def test_latex_escapes_and_aligns_at_the_point():
    mixed = pd.DataFrame({"OLS": [198.0, 0.301]}, index=["n", "R²"])
    text = to_latex(mixed, row_formats={"n": "integer", "R²": 3})
    assert r"\begin{tabular}{lr@{}l}" in text
    assert r"n & 198 &  \\" in text
    assert r"R$^2$ & 0 & .301 \\" in text
    even = to_latex(effects(), formats={"coef": 2, "std err": 2})
    assert r"\begin{tabular}{lrrr}" in even
    assert r"R\&D\_50\% & -- & -- & -- \\" in even
    assert "Notes: -- : not available." in even


def test_a_note_that_explains_missing_cells_is_not_doubled():
    assert to_html(effects(), notes=["–: not identified."]).count("–:") == 1
    assert "not available" not in to_html(effects(), notes=["–: not identified."])


def test_latex_of_every_kind_compiles(tmp_path):
    frames = [
        effects(),
        pd.DataFrame({"text": SPECIAL, "odd": 10.0 ** np.arange(-9, 12, 3)}, index=SPECIAL),
        pd.DataFrame(
            [[1.5, 198, 3e-9, np.inf]],
            index=pd.MultiIndex.from_tuples([("a", "b")]),
            columns=pd.MultiIndex.from_product([["A_1", "B & C"], ["x%", "y"]]),
        ),
    ]
    parts = [to_latex(f, "50% & more", "tab:a_b", ["~ a note_1"]) for f in frames]
    header = [("Dep. Variable:", "a_b"), ("Cov:", "50%")]
    parts.append(summary("A & B", header, [Table(f) for f in frames], SPECIAL).as_latex())
    for part in parts:
        assert part.count(r"\begin{tabular}") == part.count(r"\bottomrule")
    document = (
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        + "\n\n".join(parts)
        + "\n\\end{document}\n"
    )
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    pdflatex = shutil.which("pdflatex")
    if pdflatex:
        run = subprocess.run(
            [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert run.returncode == 0, run.stdout[-2000:]
