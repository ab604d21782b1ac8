"""The report: one HTML page that needs nothing else, with its tables and charts as files beside it.

A report is a list of chapters, a chapter a list of blocks. The page carries its style and its
charts inside, so it can be mailed, printed and read on a phone; every table is also written as
LaTeX and every chart as PDF, to paste into a paper.
"""

import base64
import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnecon.exceptions import SpecificationError
from nnecon.report.formats import Formats
from nnecon.report.plots import save_pdf, to_svg
from nnecon.report.tables import to_html, to_latex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Paragraphs of plain text.

    Parameters
    ----------
    body : str
        Blank lines separate paragraphs; words between backquotes are set as code, words between
        double asterisks in bold.
    """

    body: str

    kind = "text"


@dataclass(frozen=True, slots=True)
class FactsBlock:
    """Headline numbers, each with a label and a line that says what it means.

    Parameters
    ----------
    items : sequence of (label, value, note)
        Three texts each; the note may be empty.
    """

    items: Sequence[tuple[str, str, str]]

    kind = "facts"


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table of the report, on the page and in ``tables/NAME.tex``.

    Parameters
    ----------
    frame : DataFrame
        The cells.
    name : str
        File name without ending: lower-case letters, digits, ``-`` and ``_``.
    caption : str
        Above the table, after its number.
    notes : sequence of str
        Below the table.
    formats, row_formats : mapping, optional
        See :func:`nnecon.report.tables.to_html`.
    index_name : str, optional
        Head of the column of row labels.
    """

    frame: pd.DataFrame
    name: str
    caption: str = ""
    notes: Sequence[str] = ()
    formats: Formats | None = None
    row_formats: Formats | None = None
    index_name: str | None = None

    kind = "table"


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A chart of the report, on the page and in ``figures/NAME.pdf``.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The chart.
    name : str
        File name without ending: lower-case letters, digits, ``-`` and ``_``.
    caption : str
        Below the chart, after its number.
    alt : str
        What the chart shows, for those who cannot see it; the caption by default.
    narrow : matplotlib.figure.Figure, optional
        The same chart drawn four inches wide, shown on phones in place of the other.
    """

    figure: "Figure"
    name: str
    caption: str = ""
    alt: str = ""
    narrow: "Figure | None" = None

    kind = "figure"


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Text in a typewriter face: a program, or a summary from the console.

    Parameters
    ----------
    source : str
        The text, kept as it is.
    caption : str
        Above the text.
    """

    source: str
    caption: str = ""

    kind = "code"


Block = TextBlock | FactsBlock | TableBlock | FigureBlock | CodeBlock


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the report.

    Parameters
    ----------
    title : str
        Heading, and entry in the table of contents.
    intro : str
        Text before the blocks, written as in :class:`TextBlock`.
    blocks : sequence of block
        :class:`TextBlock`, :class:`FactsBlock`, :class:`TableBlock`, :class:`FigureBlock` and
        :class:`CodeBlock`, in the order of reading.
    """

    title: str
    intro: str = ""
    blocks: Sequence[Block] = field(default=())


def write_report(
    title: str,
    subtitle: str,
    chapters: Sequence[Chapter],
    out: str | Path,
    *,
    footer: str = "",
    lang: str = "en",
) -> list[Path]:
    """Write a report as ``index.html``, ``tables/*.tex`` and ``figures/*.pdf``.

    Parameters
    ----------
    title, subtitle : str
        Heads of the page.
    chapters : sequence of Chapter
        In the order of reading.
    out : path
        Folder, made where it is missing; files of the same names are replaced.
    footer : str
        Last line of the page: versions, data, date.
    lang : str
        Language of the page, for screen readers and hyphenation.

    Returns
    -------
    list of Path
        The files written, the page first.

    Examples
    --------
    >>> import tempfile
    >>> table = TableBlock(pd.DataFrame({"coef": [0.5]}, index=["infl"]), "effects", "Effects")
    >>> with tempfile.TemporaryDirectory() as out:
    ...     paths = write_report("Growth", "A trial", [Chapter("Effects", "", [table])], out)
    ...     [path.relative_to(out).as_posix() for path in paths]
    ['index.html', 'tables/effects.tex']
    """
    out = Path(out)
    _check_names(chapters)
    written: list[Path] = []
    pages = []
    counts: Counter[str] = Counter()
    for number, chapter in enumerate(chapters, 1):
        blocks = [_render(block, out, written, counts) for block in chapter.blocks]
        pages.append(
            {
                "id": f"chapter-{number}",
                "title": chapter.title,
                "intro": _paragraphs(chapter.intro),
                "blocks": blocks,
            }
        )
    loader = PackageLoader("nnecon.report", "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = loader.get_source(environment, "style.css")[0]
    page = environment.get_template("report.html").render(
        title=title,
        subtitle=subtitle,
        chapters=pages,
        footer=footer,
        lang=lang,
        style=Markup(style),
    )
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.html"
    index.write_text(page, encoding="utf-8")
    return [index, *written]


def _check_names(chapters: Sequence[Chapter]) -> None:
    seen: set[tuple[str, str]] = set()
    for chapter in chapters:
        for block in chapter.blocks:
            if not isinstance(block, TableBlock | FigureBlock):
                continue
            if not _NAME.fullmatch(block.name):
                raise SpecificationError(
                    f"the {block.kind} name {block.name!r} becomes a file name: use lower-case "
                    "letters, digits, '-' and '_'"
                )
            if (block.kind, block.name) in seen:
                raise SpecificationError(
                    f"two {block.kind}s of the report are named {block.name!r}"
                )
            seen.add((block.kind, block.name))


def _render(block: Block, out: Path, written: list[Path], counts: Counter[str]) -> dict[str, Any]:
    """Give what the template needs of a block, and write the block's file where it has one."""
    counts[block.kind] += 1
    number = f"{block.kind.capitalize()} {counts[block.kind]}"
    if isinstance(block, TableBlock):
        tex = to_latex(
            block.frame,
            block.caption,
            f"tab:{block.name}",
            block.notes,
            block.formats,
            block.row_formats,
            block.index_name,
        )
        path = out / "tables" / f"{block.name}.tex"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tex + "\n", encoding="utf-8")
        written.append(path)
        body = to_html(
            block.frame,
            f"{number}. {block.caption}" if block.caption else number,
            block.notes,
            block.formats,
            block.row_formats,
            block.index_name,
        )
        return {"kind": block.kind, "name": block.name, "html": Markup(body)}
    if isinstance(block, FigureBlock):
        path = out / "figures" / f"{block.name}.pdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(save_pdf(block.figure, path))
        return {
            "kind": block.kind,
            "name": block.name,
            "wide": _data_uri(block.figure),
            "narrow": _data_uri(block.narrow) if block.narrow is not None else "",
            "width": round(block.figure.get_figwidth() * 96),
            "height": round(block.figure.get_figheight() * 96),
            "caption": _inline(f"**{number}.** {block.caption}"),
            "alt": block.alt or re.sub(r"[`*]", "", block.caption) or block.name,
        }
    if isinstance(block, FactsBlock):
        return {"kind": block.kind, "items": list(block.items)}
    if isinstance(block, CodeBlock):
        return {"kind": block.kind, "source": block.source, "caption": block.caption}
    return {"kind": block.kind, "paragraphs": _paragraphs(block.body)}


def _data_uri(figure: "Figure") -> str:
    data = base64.b64encode(to_svg(figure).encode("utf-8")).decode("ascii")
    return f"data:image/svg+xml;base64,{data}"


def _paragraphs(body: str) -> list[Markup]:
    return [_inline(part) for part in re.split(r"\n\s*\n", body.strip()) if part.strip()]


def _inline(text: str) -> Markup:
    """Escape a text, then set `code` and **bold**."""
    safe = html.escape(text.strip())
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))
