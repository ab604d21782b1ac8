"""Series from FRED, the database of the Federal Reserve Bank of St. Louis, by its web interface.

The interface (https://fred.stlouisfed.org/docs/api/fred/) wants a key of the user's own, and its
terms of use bind the user. Nothing of it comes with the package, and nothing is kept on disk.
"""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import DataError, SpecificationError

ADDRESS = "https://api.stlouisfed.org/fred/"
KEY = "FRED_API_KEY"
"""Environment variable that is read where no key is given."""

PERIODS = {"A": "Y", "Q": "Q", "M": "M"}
"""FRED's frequencies that are periods, as pandas calls them; the others are dates."""

FREQUENCIES = ("d", "w", "bw", "m", "q", "sa", "a")
AGGREGATIONS = ("avg", "sum", "eop")
UNITS = ("lin", "chg", "ch1", "pch", "pc1", "pca", "cch", "cca", "log")


def fred(
    series: str | Sequence[str] | Mapping[str, str],
    api_key: str | None = None,
    *,
    start: str | date | None = None,
    end: str | date | None = None,
    frequency: str | None = None,
    aggregation: str = "avg",
    units: str = "lin",
    vintage: str | date | None = None,
    timeout: float = 30.0,
) -> pd.DataFrame:
    """Load series from FRED.

    Parameters
    ----------
    series : str, sequence of str or mapping
        FRED's names such as ``"GDPC1"``, or columns by name: ``{"gdp": "GDPC1"}``.
    api_key : str, optional
        Your key, free from https://fred.stlouisfed.org/docs/api/api_key.html; by default the
        environment variable ``FRED_API_KEY``.
    start, end : str or date, optional
        First and last day, such as ``"1959-01-01"``.
    frequency : {"d", "w", "bw", "m", "q", "sa", "a"}, optional
        To which FRED aggregates; needed where series differ in theirs.
    aggregation : {"avg", "sum", "eop"}
        How: mean, sum, or the last value of the period.
    units : {"lin", "chg", "ch1", "pch", "pc1", "pca", "cch", "cca", "log"}
        FRED's transformation: levels, changes, percent changes and so on.
    vintage : str or date, optional
        Data as they were known on that day (ALFRED), for backtests with ``vintages``.
    timeout : float
        Seconds to wait for an answer.

    Returns
    -------
    DataFrame
        A column a series, with a PeriodIndex for months, quarters and years, and a DatetimeIndex
        otherwise; missing values are NaN. ``frame.attrs["labels"]`` says what the series are, with
        units after the last comma, as reports take them.

    Raises
    ------
    DataError
        The key or a series is not known, frequencies differ, or FRED cannot be reached. The key is
        in no message.

    Examples
    --------
    >>> import nnecon as ne
    >>> ne.datasets.fred({"gdp": "GDPC1", "u": "UNRATE"}, frequency="q")  # doctest: +SKIP
    """
    names = _names(series)
    for name, given, known in (
        ("aggregation", aggregation, AGGREGATIONS),
        ("units", units, UNITS),
        ("frequency", frequency, (None, *FREQUENCIES)),
    ):
        if given not in known:
            raise SpecificationError(f"{name}={given!r}: choose one of {known}.")
    common: dict[str, str] = {"api_key": _key(api_key), "file_type": "json"}
    if vintage is not None:
        day = _day("vintage", vintage)
        common |= {"realtime_start": day, "realtime_end": day}
    asked = {**common, "units": units}
    if frequency is not None:
        asked |= {"frequency": frequency, "aggregation_method": aggregation}
    for name, day_given in (("start", start), ("end", end)):
        if day_given is not None:
            asked[f"observation_{name}"] = _day(name, day_given)
    about = {
        column: _answer("series", {**common, "series_id": code}, code, timeout)["seriess"][0]
        for column, code in names.items()
    }
    steps = {column: frequency or _step(facts) for column, facts in about.items()}
    _check_same(steps)
    found = {
        column: _values(
            _answer("series/observations", {**asked, "series_id": code}, code, timeout), code
        )
        for column, code in names.items()
    }
    frame = pd.DataFrame(found)
    letter = next(iter(steps.values())).upper()
    if letter in PERIODS:
        frame.index = pd.DatetimeIndex(frame.index).to_period(PERIODS[letter])
        whole = pd.period_range(frame.index.min(), frame.index.max(), freq=PERIODS[letter])
        frame = frame.reindex(whole)
    frame.index.name = {"A": "year", "Q": "quarter", "M": "month"}.get(letter, "date")
    frame.attrs["labels"] = {
        column: f"{facts['title']}, {facts['units'] if units == 'lin' else units}"
        for column, facts in about.items()
    }
    return frame


def _names(series: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """FRED's names by column."""
    if isinstance(series, str):
        series = [series]
    names = dict(series) if isinstance(series, Mapping) else {code: code for code in series}
    if not names:
        raise SpecificationError("name at least one series, such as 'GDPC1'.")
    for code in names.values():
        if not isinstance(code, str) or not code.strip():
            raise SpecificationError(f"{code!r} is no name of a series, such as 'GDPC1'.")
    return {str(column): code.strip().upper() for column, code in names.items()}


def _key(given: str | None) -> str:
    key = os.environ.get(KEY, "") if given is None else given
    if not isinstance(key, str) or not key.strip():
        raise SpecificationError(
            f"FRED wants a key of yours: give api_key= or set the environment variable {KEY}; keys "
            "are free at https://fred.stlouisfed.org/docs/api/api_key.html."
        )
    return key.strip()


def _day(name: str, given: str | date) -> str:
    try:
        return pd.Timestamp(given).strftime("%Y-%m-%d")
    except (ValueError, TypeError) as error:
        raise SpecificationError(f"{name}={given!r} is no day such as '1959-01-01'.") from error


def _step(facts: Mapping[str, Any]) -> str:
    return str(facts["frequency_short"]).lower()


def _check_same(steps: Mapping[str, str]) -> None:
    if len(set(steps.values())) > 1:
        told = ", ".join(f"{name!r} {step}" for name, step in steps.items())
        raise DataError(
            f"the series have different frequencies ({told}); give the one that all should have, "
            "such as frequency='q'."
        )


def _answer(what: str, asked: Mapping[str, str], code: str, timeout: float) -> dict[str, Any]:
    """What FRED says to one question."""
    address = f"{ADDRESS}{what}?{urllib.parse.urlencode(asked)}"
    try:
        with urllib.request.urlopen(address, timeout=timeout) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        with error:
            raise DataError(_refusal(code, error.code, error.read())) from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        # not "from error": the address holds the key
        raise DataError(
            f"FRED cannot be reached for {code!r}: {reason}; look at the connection, or raise "
            "timeout=."
        ) from None
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise DataError(f"FRED's answer for {code!r} is no JSON object.") from error


def _refusal(code: str, status: int, body: bytes) -> str:
    try:
        said = " ".join(str(json.loads(body)["error_message"]).split())
    except (ValueError, KeyError, TypeError):
        said = ""
    if "api_key" in said:
        return (
            f"FRED does not take the key: {said} Keys are free at "
            "https://fred.stlouisfed.org/docs/api/api_key.html."
        )
    if "does not exist" in said:
        return f"FRED has no series {code!r}: {said}"
    if status == 429:
        return f"FRED takes no more questions for now ({code!r}, status 429); wait a minute."
    return f"FRED refuses {code!r} with status {status}: {said or 'no reason given'}"


def _values(answer: Mapping[str, Any], code: str) -> pd.Series:
    """Observations by day; FRED writes a dot where one is missing."""
    rows = answer.get("observations")
    if not rows:
        raise DataError(f"FRED has no observations of {code!r} for these dates.")
    texts = [row["value"] for row in rows]
    numbers = pd.to_numeric(pd.Series(texts).replace(".", np.nan), errors="coerce")
    bad = numbers.isna().to_numpy() & (np.array(texts, dtype=object) != ".")
    if bad.any():
        at = int(bad.argmax())
        raise DataError(f"{code!r} at {rows[at]['date']} is {texts[at]!r}, no number.")
    days = pd.DatetimeIndex([row["date"] for row in rows])
    return pd.Series(numbers.to_numpy(dtype=float), days)
