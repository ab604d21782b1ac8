"""Booktabs tabulars and HTML tables from formatted cells: the markup of one frame, escaped."""

import html
from collections.abc import Sequence

import pandas as pd

from nnecon.report.formats import (
    MISSING,
    MISSING_NOTE,
    html_text,
    is_number,
    label_text,
    latex_text,
)

SHORT = 18
"""Row labels of up to so many characters are kept on one line, also on a phone."""


def with_missing_note(notes: Sequence[str], missing: bool) -> list[str]:
    """Add the note on missing cells where there are any and the caller explains none."""
    notes = [notes] if isinstance(notes, str) else [str(note) for note in notes]
    explained = any(note.startswith(MISSING) for note in notes)
    return [*notes, MISSING_NOTE] if missing and not explained else notes


def latex_notes(notes: Sequence[str]) -> str:
    """Join notes into one LaTeX paragraph."""
    return " ".join(latex_text(note) for note in notes)


def html_notes(notes: Sequence[str]) -> str:
    """Join notes into one HTML paragraph."""
    return f'<p class="notes">Notes: {" ".join(html.escape(note) for note in notes)}</p>'


def _kinds(cells: list[list[str]], columns: int) -> list[str]:
    """Alignment of each column: ``r`` right, ``d`` split at the decimal point, ``l`` left."""
    kinds = []
    for j in range(columns):
        texts = [row[j] for row in cells if row[j] != MISSING]
        if not all(is_number(text) for text in texts):
            kinds.append("l")
            continue
        plain = [text.lstrip("<>") for text in texts]
        decimals = {len(text.partition(".")[2]) if "e" not in text else -1 for text in plain}
        kinds.append("r" if len(decimals) <= 1 else "d")
    return kinds


def _split_at_point(text: str) -> str:
    whole, point, rest = text.partition(".")
    if "e" in text or not point:
        return f"{latex_text(text)} & "
    return f"{latex_text(whole)} & .{rest}"


def tabular(frame: pd.DataFrame, cells: list[list[str]], name: str) -> str:
    """Write formatted cells as a booktabs tabular, aligned at the decimal point."""
    kinds = _kinds(cells, len(frame.columns))
    spec = "l" + "".join("r@{}l" if kind == "d" else kind for kind in kinds)
    span = [2 if kind == "d" else 1 for kind in kinds]
    lines = [f"\\begin{{tabular}}{{{spec}}}", "\\toprule"]
    if frame.columns.nlevels == 2:
        lines += _latex_groups(frame.columns, span)
    heads = [latex_text(name)]
    for column, kind, width in zip(frame.columns, kinds, span, strict=True):
        text = latex_text(label_text(column[-1] if isinstance(column, tuple) else column))
        heads.append(f"\\multicolumn{{{width}}}{{{'l' if kind == 'l' else 'c'}}}{{{text}}}")
    lines += [" & ".join(heads) + r" \\", "\\midrule"]
    for label, row in zip(frame.index, cells, strict=True):
        parts = [
            _split_at_point(text) if kind == "d" else latex_text(text)
            for text, kind in zip(row, kinds, strict=True)
        ]
        lines.append(" & ".join([latex_text(label_text(label)), *parts]) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _groups(columns: pd.Index) -> list[tuple[str, int]]:
    """Runs of equal labels in the first level of two-level columns, with their lengths."""
    runs: list[tuple[str, int]] = []
    for group in columns.get_level_values(0):
        if runs and runs[-1][0] == str(group):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((str(group), 1))
    return runs


def _latex_groups(columns: pd.Index, span: list[int]) -> list[str]:
    heads, rules, position, column = [""], [], 2, 0
    for group, length in _groups(columns):
        width = sum(span[column : column + length])
        heads.append(f"\\multicolumn{{{width}}}{{c}}{{{latex_text(group)}}}")
        if group:
            rules.append(f"\\cmidrule(lr){{{position}-{position + width - 1}}}")
        position, column = position + width, column + length
    return [" & ".join(heads) + r" \\", " ".join(rules)]


def html_table(
    frame: pd.DataFrame, cells: list[list[str]], caption: str, css: str, name: str = ""
) -> str:
    """Write formatted cells as an HTML table of the given CSS class."""
    kinds = ["text" if kind == "l" else "num" for kind in _kinds(cells, len(frame.columns))]
    lines = [f'<table class="{css}">']
    if caption:
        lines.append(f"<caption>{html.escape(caption)}</caption>")
    lines.append("<thead>")
    if frame.columns.nlevels == 2:
        spans = "".join(
            f'<th scope="colgroup" class="group" colspan="{n}">{html.escape(group)}</th>'
            for group, n in _groups(frame.columns)
        )
        lines.append(f"<tr><td></td>{spans}</tr>")
    heads = "".join(
        f'<th scope="col" class="{kind}">'
        f"{html.escape(label_text(c[-1] if isinstance(c, tuple) else c))}</th>"
        for c, kind in zip(frame.columns, kinds, strict=True)
    )
    corner = f'<th scope="col" class="text">{html.escape(name)}</th>' if name else "<td></td>"
    lines += [f"<tr>{corner}{heads}</tr>", "</thead>", "<tbody>"]
    for label, row in zip(frame.index, cells, strict=True):
        body = "".join(
            f'<td class="{kind}">{html_text(text)}</td>'
            for text, kind in zip(row, kinds, strict=True)
        )
        text = label_text(label)
        css_label = ' class="short"' if len(text) <= SHORT else ""
        lines.append(f'<tr><th scope="row"{css_label}>{html.escape(text)}</th>{body}</tr>')
    return "\n".join([*lines, "</tbody>", "</table>"])
