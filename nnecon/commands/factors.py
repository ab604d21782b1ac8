"""The chapter of ``nnecon report`` on the factors of wide tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.commands.reading import Source
from nnecon.data.business_cycle import NBER_RECESSIONS
from nnecon.data.panel import panel_of, well_known
from nnecon.exceptions import SpecificationError
from nnecon.models.factor_selection import default_most, factor_numbers
from nnecon.models.factors import AutoencoderFactor
from nnecon.report.html import Chapter
from nnecon.results.factor_chapter import factor_chapter
from nnecon.results.factors import AutoencoderFactorResults

MOST_COLUMNS = 15
"""Numeric columns beyond which the report has a chapter on factors."""

KNOWN = 0.5
"""Share of the rows in which a series has to be known, and of the series in a row."""

OPTIONS: dict[str, Any] = {"n_starts": 2, "alphas": 8}
"""Quick settings of the chapter."""


@dataclass(frozen=True, slots=True, eq=False)
class Usable:
    """Series and rows that are known well enough.

    Attributes
    ----------
    panel : DataFrame
    notes : tuple of str
        Sentences on what was left out and how factors were estimated.
    code : str
        What Python does with the table to get the panel.
    """

    panel: pd.DataFrame
    notes: tuple[str, ...]
    code: str


def is_wide(frame: pd.DataFrame) -> bool:
    """Whether a table has more than fifteen numeric columns; flags are none."""
    return frame.select_dtypes("number").shape[1] > MOST_COLUMNS


def read_factors(text: str) -> int | str:
    """``--factors``: a number, ``auto`` or ``no``."""
    if text in ("auto", "no"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise SpecificationError(f"--factors {text!r}: give a number of factors, auto or no")
    return int(text)


def usable(frame: pd.DataFrame) -> Usable:
    """Leave out series, and then rows, of which less than half is known.

    The first periods of transformed panels, lost to differences, hold a few series alone, and
    factors of these would be wild.
    """
    kept, left_out = well_known(frame.select_dtypes("number"), KNOWN)
    least = max(default_most(*kept.shape), int(np.ceil(KNOWN * kept.shape[1])))
    rows = kept.dropna(thresh=least)
    notes, code = [], ".select_dtypes('number')"
    if left_out:
        notes.append(
            f"Left out, as they are known in less than {KNOWN:.0%} of the rows or do not vary: "
            f"{', '.join(left_out[:6])}{' and others' * (len(left_out) > 6)}."
        )
        code += f".drop(columns={list(left_out)})"
    if len(rows) < len(kept):
        lost = len(kept) - len(rows)
        notes.append(
            f"{lost} row{'s' * (lost > 1)} with fewer than {least} of {kept.shape[1]} values "
            f"known {'are' if lost > 1 else 'is'} left out."
        )
        code += f".dropna(thresh={least})"
    notes.append(
        f"To take seconds, these are quick settings: {OPTIONS['n_starts']} starts, "
        f"{OPTIONS['alphas']} penalties."
    )
    return Usable(rows, tuple(notes), code)


def fit_factors(
    panel: pd.DataFrame, k_factors: int | str, progress: bool = True
) -> AutoencoderFactorResults | None:
    """The factor model at quick settings; None where the criterion finds no common factor."""
    if k_factors == "auto":
        numbers = factor_numbers(panel_of(panel), default_most(*panel.shape), True, False)
        if int(numbers["IC_p2"].idxmin()) == 0:
            return None
        k_factors = "ic"
    return AutoencoderFactor(panel, k_factors).fit(progress=progress, **OPTIONS)


def factor_chapters(source: Source, k_factors: int | str) -> list[Chapter]:
    """The chapter where the table is wide enough or a number of factors is given."""
    if k_factors == "no" or (k_factors == "auto" and not is_wide(source.panel)):
        return []
    data = usable(source.panel)
    results = fit_factors(data.panel, k_factors)
    if results is None:
        return [
            Chapter(
                "Factors of the panel",
                f"IC_p2 of Bai and Ng (2002) finds no common factor in {data.panel.shape[1]} "
                "numeric columns; `--factors 2` extracts two all the same.",
            )
        ]
    return [factor_chapter(results, **_about(source, data))]


def factor_report(
    source: Source, k_factors: int | str, out: Path, title: str | None
) -> tuple[AutoencoderFactorResults, list[Path]]:
    """Write a page on the factors alone, and the files beside it."""
    data = usable(source.panel)
    results = fit_factors(data.panel, k_factors)
    if results is None:
        raise SpecificationError(
            f"IC_p2 finds no common factor in {data.panel.shape[1]} numeric columns; give "
            "--factors 2 for two all the same, or a --formula"
        )
    options = ", ".join(f"{name}={value!r}" for name, value in OPTIONS.items())
    number = "'ic'" if k_factors == "auto" else k_factors
    code = (
        f"import nnecon as ne\n\ndata = {source.code}\npanel = data{data.code}\n"
        f"results = ne.AutoencoderFactor(panel, {number}).fit({options})\n"
        "print(results.summary())"
    )
    written = results.report(out, title=title, code=code, **_about(source, data))
    return results, written


def _about(source: Source, data: Usable) -> dict[str, Any]:
    """What the chapter says about the data."""
    return {
        "groups": source.groups,
        "labels": source.labels,
        "recessions": NBER_RECESSIONS if source.american else None,
        "notes": data.notes,
    }
