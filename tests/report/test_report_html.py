import html.parser
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nnecon.exceptions import SpecificationError
from nnecon.report.html import (
    Chapter,
    CodeBlock,
    FactsBlock,
    FigureBlock,
    TableBlock,
    TextBlock,
    write_report,
)

VOID = {"meta", "link", "img", "br", "source"}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data

    def values(self, tag, name):
        return [attrs[name] for t, attrs in self.elements if t == tag and name in attrs]


def chart(width=6.0):
    fig = Figure(figsize=(width, 3))
    fig.add_subplot().plot([1, 2], [1, 2])
    return fig


@pytest.fixture
def report(tmp_path):
    table = pd.DataFrame({"coef": [0.5, np.nan]}, index=["a < b", "c"])
    chapters = [
        Chapter(
            "First & last",
            "With `code <x>` and **weight**.\n\nTwo paragraphs.",
            [
                FactsBlock([("R²", "0.35", "OLS: 0.30"), ("n", "198", "")]),
                TableBlock(table, "effects", "Effects", ["HAC."]),
                FigureBlock(chart(), "fit", "Fit of `growth`.", narrow=chart(4)),
                TextBlock("<script>alert(1)</script>"),
            ],
        ),
        Chapter("Second", "", [CodeBlock("a\n  b <c>", "Code"), FigureBlock(chart(), "other")]),
    ]
    paths = write_report("Title <1>", "Sub", chapters, tmp_path / "out", footer="nnecon")
    return tmp_path / "out", paths, Page(paths[0].read_text(encoding="utf-8"))


def test_files_are_written_and_listed(report):
    out, paths, _ = report
    names = [path.relative_to(out).as_posix() for path in paths]
    assert names == ["index.html", "tables/effects.tex", "figures/fit.pdf", "figures/other.pdf"]
    assert all(path.stat().st_size > 0 for path in paths)
    assert r"\label{tab:effects}" in (out / "tables/effects.tex").read_text(encoding="utf-8")


def test_page_is_well_formed_and_escaped(report):
    _, paths, page = report
    assert page.stack == []
    assert "<script" not in paths[0].read_text(encoding="utf-8")
    assert "code <x>" in page.text and "a\n  b <c>" in page.text and "Title <1>" in page.text


def test_page_asks_nobody_for_anything(report):
    _, paths, page = report
    text = paths[0].read_text(encoding="utf-8")
    assert all(src.startswith("data:") for src in page.values("img", "src"))
    assert all(href.startswith("data:") for href in page.values("link", "href"))
    without_images = re.sub(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"(https?:)?//[a-z]", without_images)
    assert "@import" not in text and "url(" not in text


def test_links_lead_somewhere(report):
    out, _, page = report
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for href in page.values("a", "href"):
        assert href[1:] in ids if href.startswith("#") else (out / href).exists()


def test_page_is_accessible(report):
    _, _, page = report
    assert page.values("html", "lang") == ["en"]
    assert page.values("img", "alt") == ["Fit of growth.", "Fit of growth.", "other"]
    assert [t for t, _ in page.elements].count("h1") == 1
    assert "row" in page.values("th", "scope") and "col" in page.values("th", "scope")


def test_tables_and_figures_are_numbered(report):
    _, _, page = report
    assert "Table 1. Effects" in page.text
    assert "Figure 1. Fit of growth." in page.text and "Figure 2." in page.text


def test_the_same_report_gives_the_same_bytes(tmp_path):
    chapters = [Chapter("A", "", [FigureBlock(chart(), "fit", "Fit")])]
    one = write_report("T", "", chapters, tmp_path / "one")
    two = write_report("T", "", chapters, tmp_path / "two")
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("name", ["", "../up", "A", "a b", "a/b"])
def test_names_that_make_no_file_name_are_refused(name, tmp_path):
    block = TableBlock(pd.DataFrame({"x": [1.0]}), name)
    with pytest.raises(SpecificationError, match="file name"):
        write_report("T", "", [Chapter("A", "", [block])], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_used_twice_are_refused(tmp_path):
    block = TableBlock(pd.DataFrame({"x": [1.0]}), "a")
    with pytest.raises(SpecificationError, match=r"two tables .* named 'a'"):
        write_report("T", "", [Chapter("A", "", [block, block])], tmp_path)
