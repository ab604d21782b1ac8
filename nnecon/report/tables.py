"""Tables for the console, for LaTeX and for the web, from plain data frames.

The console table is a :class:`statsmodels.iolib.summary.Summary`, so that everything that reads
statsmodels' summaries reads these; its LaTeX and HTML are escaped, which statsmodels leaves to
the caller.
"""

import html
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.summary2 import summary_col
from statsmodels.iolib.table import SimpleTable

from nnecon.report.formats import (
    MISSING,
    Formats,
    format_frame,
    html_text,
    label_text,
    latex_text,
)
from nnecon.report.markup import html_notes, html_table, latex_notes, tabular, with_missing_note

WIDTH = 78
"""Smallest width of a console table, in characters: that of statsmodels' OLS summary."""

WIDE = 60
"""A LaTeX table with longer rows, in characters, is set in small type to fit an article."""


@dataclass(frozen=True, slots=True)
class Table:
    """One block of a summary: a frame and how to print it.

    Parameters
    ----------
    frame : DataFrame
        One row per coefficient or statistic; the index gives the row labels.
    title : str
        Line above the block; empty for none.
    formats : mapping, optional
        Format by column, see :func:`nnecon.report.formats.make_formatter`; where it is None,
        p-values are known by their name and other numbers get two to four decimals.
    row_formats : mapping, optional
        Format by row; wins over ``formats``.
    """

    frame: pd.DataFrame
    title: str = ""
    formats: Formats | None = None
    row_formats: Formats | None = None

    def cells(self) -> list[list[str]]:
        """Give the formatted cells, one list per row."""
        return format_frame(self.frame, self.formats, self.row_formats)


class TextSummary(Summary):
    """A statsmodels ``Summary`` whose LaTeX and HTML are escaped and whose blocks line up.

    Built by :func:`summary`.
    """

    def __init__(
        self,
        title: str,
        header: Sequence[tuple[str, str]],
        blocks: Sequence[Table],
        notes: Sequence[str],
    ) -> None:
        super().__init__()
        self._title = title
        self._header = [(str(a), str(b)) for a, b in header]
        self._blocks = list(blocks)
        missing = any(MISSING in row for block in blocks for row in block.cells())
        self._notes = with_missing_note(notes, missing)
        self._width = self._build_tables()
        if self._notes:
            lines = ["Notes:"]
            for number, note in enumerate(self._notes, 1):
                mark = f"[{number}] "
                lines += textwrap.wrap(
                    note, self._width, initial_indent=mark, subsequent_indent=" " * len(mark)
                )
            self.add_extra_txt(lines)

    def _build_tables(self) -> int:
        """Fill ``tables`` with text tables of one common width, and give that width."""
        grids: list[tuple[str, list[str] | None, list[list[str]], str]] = []
        if self._header:
            grids.append((self._title, None, _two_pairs(self._header), "lrlr"))
        for block in self._blocks:
            heads = ["", *(label_text(c) for c in block.frame.columns)]
            rows = [
                [label_text(i), *row]
                for i, row in zip(block.frame.index, block.cells(), strict=True)
            ]
            title = block.title if grids else block.title or self._title
            grids.append((title, heads, rows, "l" + "r" * (len(heads) - 1)))
        widths = [_column_widths(head, rows) for _, head, rows, _ in grids]
        total = max([WIDTH, *(sum(w) + len(w) - 1 for w in widths)])
        for (title, head, rows, aligns), width in zip(grids, widths, strict=True):
            _stretch(width, total, paired=head is None)
            self.tables.append(_text_table(title, head, rows, width, aligns))
        return total

    def as_latex(self) -> str:
        """Give the summary as LaTeX tabulars that need the booktabs package."""
        parts = ["\\begin{center}", f"\\textbf{{{latex_text(self._title)}}}\\\\[1ex]"]
        if self._header:
            rows = [[latex_text(cell) for cell in row] for row in _two_pairs(self._header)]
            parts.append(
                "\\begin{tabular}{lrlr}\n\\toprule\n"
                + "\n".join(" & ".join(row) + r" \\" for row in rows)
                + "\n\\bottomrule\n\\end{tabular}\n\n\\medskip"
            )
        for block in self._blocks:
            if block.title:
                parts.append(f"\\textit{{{latex_text(block.title)}}}\\\\[.5ex]")
            parts.append(tabular(block.frame, block.cells(), "") + "\n\n\\medskip")
        parts.append("\\end{center}")
        if self._notes:
            parts.append("\\noindent\\footnotesize Notes: " + latex_notes(self._notes))
        return "{\n" + "\n".join(parts) + "\n\\par}"

    def as_html(self) -> str:
        """Give the summary as HTML tables, escaped."""
        parts = []
        if self._header:
            rows = "\n".join(
                f"<tr><th>{html.escape(a)}</th><td>{html_text(b)}</td>"
                f"<th>{html.escape(c)}</th><td>{html_text(d)}</td></tr>"
                for a, b, c, d in _two_pairs(self._header)
            )
            parts.append(
                f'<table class="simpletable">\n<caption>{html.escape(self._title)}</caption>\n'
                f"{rows}\n</table>"
            )
        for block in self._blocks:
            parts.append(html_table(block.frame, block.cells(), block.title, "simpletable"))
        if self._notes:
            parts.append(html_notes(self._notes))
        return "\n".join(parts)


def summary(
    title: str,
    header: Sequence[tuple[str, str]],
    tables: Sequence[Table],
    notes: Sequence[str] = (),
) -> TextSummary:
    """Lay out a summary as statsmodels does.

    Parameters
    ----------
    title : str
        Centred above the first block.
    header : sequence of (label, value)
        Facts about the fit, both as text, laid out in two columns of pairs: the first half of
        the list runs down the left side, the second half down the right.
    tables : sequence of Table
        Blocks below the header.
    notes : sequence of str
        Numbered and wrapped below; a note on missing values is added where there are any.

    Returns
    -------
    statsmodels.iolib.summary.Summary
        ``str()`` and ``as_text()`` for the console, ``as_html()`` and ``as_latex()`` escaped.

    Examples
    --------
    >>> frame = pd.DataFrame({"coef": [0.25], "P>|z|": [0.00001]}, index=["infl"])
    >>> text = summary("Neural regression", [("Dep. Variable:", "growth")], [Table(frame)])
    >>> print(text.as_text().splitlines()[-2])  # doctest: +ELLIPSIS
    infl ... 0.250     <0.001
    """
    return TextSummary(title, header, tables, notes)


def to_latex(
    frame: pd.DataFrame,
    caption: str = "",
    label: str = "",
    notes: Sequence[str] = (),
    formats: Formats | None = None,
    row_formats: Formats | None = None,
    index_name: str | None = None,
) -> str:
    r"""Write a frame as a LaTeX table that needs the booktabs package and nothing else.

    Numbers are aligned at the decimal point: right-aligned where a column has the same decimals
    throughout, otherwise split over two columns at the point.

    Parameters
    ----------
    frame : DataFrame
        The cells; two-level columns give a header with spanning groups.
    caption, label : str
        For ``\caption`` and ``\label``; empty leaves them out. Special characters are escaped.
    notes : sequence of str
        Printed below the table, in small type.
    formats, row_formats : mapping, optional
        Formats by column and by row label, see :func:`nnecon.report.formats.make_formatter`.
    index_name : str, optional
        Head of the column of row labels; the name of the index by default.

    Returns
    -------
    str
        A ``table`` environment.

    Examples
    --------
    >>> frame = pd.DataFrame({"coef": [0.25, -1.5]}, index=["infl", "a_b"])
    >>> print(to_latex(frame, caption="Effects", formats={"coef": 2}))
    \begin{table}[htbp]
    \centering
    \caption{Effects}
    \vspace{0.5ex}
    \begin{tabular}{lr}
    \toprule
     & \multicolumn{1}{c}{coef} \\
    \midrule
    infl & 0.25 \\
    a\_b & $-$1.50 \\
    \bottomrule
    \end{tabular}
    \end{table}
    """
    cells = format_frame(frame, formats, row_formats)
    name = label_text(frame.index.name) if index_name is None else index_name
    lines = ["\\begin{table}[htbp]", "\\centering"]
    if _row_length(frame, cells) > WIDE:
        lines.append("\\small\\setlength{\\tabcolsep}{4pt}")
    if caption:
        lines.append(f"\\caption{{{latex_text(caption)}}}")
    if label:
        lines.append(f"\\label{{{label}}}")
    if caption or label:
        lines.append("\\vspace{0.5ex}")
    lines.append(tabular(frame, cells, name))
    notes = with_missing_note(notes, any(MISSING in row for row in cells))
    if notes:
        lines += [
            "",
            "\\smallskip",
            "\\begin{minipage}{0.9\\linewidth}\\footnotesize",
            f"Notes: {latex_notes(notes)}",
            "\\end{minipage}",
        ]
    lines.append("\\end{table}")
    return "\n".join(lines)


def to_html(
    frame: pd.DataFrame,
    caption: str = "",
    notes: Sequence[str] = (),
    formats: Formats | None = None,
    row_formats: Formats | None = None,
    index_name: str | None = None,
) -> str:
    """Write a frame as an HTML table with escaped cells, headers with scope, and notes below.

    Parameters
    ----------
    frame : DataFrame
        The cells; two-level columns give a header with spanning groups.
    caption : str
        Above the table; empty for none.
    notes : sequence of str
        Paragraph below the table.
    formats, row_formats : mapping, optional
        Formats by column and by row label, see :func:`nnecon.report.formats.make_formatter`.
    index_name : str, optional
        Head of the column of row labels; the name of the index by default.

    Returns
    -------
    str
        The caption as a paragraph, a ``<table>`` inside a ``<div class="scroll">``, the notes.

    Examples
    --------
    >>> frame = pd.DataFrame({"coef": [-1.5]}, index=["x < 3"])
    >>> "x &lt; 3" in to_html(frame) and "−1.50" in to_html(frame)
    True
    """
    cells = format_frame(frame, formats, row_formats)
    name = label_text(frame.index.name) if index_name is None else index_name
    table = html_table(frame, cells, "", "data", name)
    notes = with_missing_note(notes, any(MISSING in row for row in cells))
    # the caption stands outside the scrolling box, so that a phone shows all of it
    above = f'<p class="caption">{html.escape(caption)}</p>\n' if caption else ""
    region = f' tabindex="0" role="region" aria-label="{html.escape(caption)}"' if caption else ""
    below = "\n" + html_notes(notes) if notes else ""
    return f'{above}<div class="scroll"{region}>{table}</div>{below}'


def side_by_side(
    columns: Sequence[Any], info: Mapping[str, Callable[[Any], str]], note: str = "", **options: Any
) -> Any:
    """Table of several estimates by statsmodels' ``summary_col``.

    Parameters
    ----------
    columns : sequence
        Estimates with ``params``, ``bse``, ``pvalues``, ``conf_int`` and ``model``.
    info : mapping
        Rows at the foot: functions of an estimate by label.
    note : str
        What is to be said below.
    **options
        As in :func:`statsmodels.iolib.summary2.summary_col`.
    """
    table = summary_col(list(columns), info_dict=dict(info), **options)
    if note:
        table.extra_txt.append(note)
    return table


def _two_pairs(header: Sequence[tuple[str, str]]) -> list[list[str]]:
    half = (len(header) + 1) // 2
    left, right = list(header[:half]), list(header[half:])
    right += [("", "")] * (half - len(right))
    return [[*a, *b] for a, b in zip(left, right, strict=True)]


def _column_widths(head: list[str] | None, rows: list[list[str]]) -> list[int]:
    lines = rows if head is None else [head, *rows]
    widths = [max(len(line[j]) for line in lines) for j in range(len(lines[0]))]
    if head is None:
        return [widths[0], widths[1], widths[2] + 2, widths[3]]
    roomy = [widths[0], *(max(10, w) for w in widths[1:])]
    if sum(roomy) + len(roomy) - 1 <= WIDTH:
        return roomy
    return [widths[0], *(max(8, w) for w in widths[1:])]


def _stretch(widths: list[int], total: int, paired: bool) -> None:
    """Widen a block to the common width: its row labels, or both value columns of the header."""
    spare = total - sum(widths) - len(widths) + 1
    if paired:
        widths[1] += spare // 2
        widths[3] += spare - spare // 2
    else:
        widths[0] += spare


def _text_table(
    title: str, head: list[str] | None, rows: list[list[str]], widths: list[int], aligns: str
) -> SimpleTable:
    if head is None:
        rows = [[a, b, f"  {c}" if c else "", d] for a, b, c, d in rows]
    fmt = {
        "data_aligns": aligns,
        "header_align": "r",
        "colwidths": widths,
        "colsep": " ",
        "table_dec_above": "=",
        "table_dec_below": "=",
        "header_dec_below": "-",
        "title_align": "c",
        "data_fmts": ["%s"] * len(widths),
    }
    return SimpleTable(rows, headers=head, title=title, txt_fmt=fmt)


def _row_length(frame: pd.DataFrame, cells: list[list[str]]) -> int:
    """Characters of a row, heads included, with two between columns."""
    head = ["", *(label_text(column) for column in frame.columns)]
    rows = [[label_text(i), *row] for i, row in zip(frame.index, cells, strict=True)]
    widths = [max(len(text) for text in column) for column in zip(head, *rows, strict=True)]
    return sum(widths) + 2 * len(frame.columns)
