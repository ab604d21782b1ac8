r"""FRED-MD and FRED-QD, the macroeconomic panels of McCracken and Ng.

The files hold levels and, above them, a code a series that says how it becomes stationary:

==== ============================================
code transformation of :math:`x_t`
==== ============================================
1    :math:`x_t`
2    :math:`\Delta x_t`
3    :math:`\Delta^2 x_t`
4    :math:`\log x_t`
5    :math:`\Delta \log x_t`
6    :math:`\Delta^2 \log x_t`
7    :math:`\Delta (x_t / x_{t-1} - 1)`
==== ============================================

Logarithms are natural and not multiplied by 100, as in the authors' own programs.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from nnecon.data.time_axis import label_text
from nnecon.exceptions import DataError

CODES = {
    1: "level",
    2: "difference",
    3: "second difference",
    4: "logarithm",
    5: "log difference",
    6: "second log difference",
    7: "difference of the growth rate",
}
"""What the transformation codes mean."""

LOGARITHMS = (4, 5, 6)
OUTLIER = 10.0
"""Interquartile ranges away from the median beyond which a value counts as an outlier."""


def read_fred_md(
    path: str | Path, *, transform: bool = True, remove_outliers: bool = True
) -> pd.DataFrame:
    r"""Read a FRED-MD (monthly) or FRED-QD (quarterly) file, transformed and without outliers.

    Parameters
    ----------
    path : str or Path
        A CSV file in the official format, as published by the Federal Reserve Bank of St. Louis:
        a column ``sasdate`` and, above the data, a row ``Transform:`` with codes from 1 to 7.
    transform : bool
        Whether to apply the codes; False gives the levels of the file.
    remove_outliers : bool
        Whether values that are more than ten interquartile ranges from their series' median become
        missing, as in McCracken and Ng (2016). Only done to transformed series.

    Returns
    -------
    DataFrame
        A column a series, with a monthly or quarterly PeriodIndex called ``month`` or ``quarter``.
        Series start and end where the file says; what is missing is NaN. The first rows, lost to
        differences, are kept.

    Raises
    ------
    DataError
        The file is not in this format; the message names the row or column.

    See Also
    --------
    describe_fred_md : codes, groups and descriptions of the series.

    References
    ----------
    McCracken, M. W. and S. Ng (2016), FRED-MD: A Monthly Database for Macroeconomic Research,
    Journal of Business & Economic Statistics 34, 574-589; (2020), FRED-QD: A Quarterly Database for
    Macroeconomic Research, NBER Working Paper 26872.

    Examples
    --------
    >>> import tempfile
    >>> lines = ["sasdate,INDPRO,UNRATE", "Transform:,5,2", "1/1/1959,22,6", "2/1/1959,22.4,5.9"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "current.csv"
    ...     _ = file.write_text("\n".join(lines))
    ...     read_fred_md(file).round(3)  # doctest: +NORMALIZE_WHITESPACE
             INDPRO  UNRATE
    month
    1959-01     NaN     NaN
    1959-02   0.018    -0.1
    """
    levels, codes = _read(Path(path))
    if not transform:
        return levels
    frame = transform_series(levels, codes)
    return without_outliers(frame) if remove_outliers else frame


def is_fred_md(path: str | Path) -> bool:
    """Whether a CSV file has the head of FRED-MD and FRED-QD: ``sasdate`` and a row of codes."""
    path = Path(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        first, *others = [lines.readline().strip().lower() for _ in range(4)]
    return first.startswith("sasdate,") and any(line.startswith("transform") for line in others)


def describe_fred_md(path: str | Path) -> pd.DataFrame:
    """Code, transformation, group and description of every series of a FRED-MD file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    DataFrame
        Indexed by series, with the columns ``code``, ``transformation``, ``group`` (of the appendix
        of McCracken and Ng, 2016), ``description``, ``first`` and ``last`` (periods with a value).
        Group and description are missing for series that the appendix does not know.
    """
    levels, codes = _read(Path(path))
    appendix = resources.files("nnecon.data").joinpath("fred_md_series.csv")
    with appendix.open(encoding="utf-8") as lines:
        known = pd.read_csv(lines, index_col="series").reindex(levels.columns)
    return pd.DataFrame(
        {
            "code": codes,
            "transformation": codes.map(CODES),
            "group": known["group"],
            "description": known["description"],
            "first": [levels[name].first_valid_index() for name in levels],
            "last": [levels[name].last_valid_index() for name in levels],
        },
        index=pd.Index(levels.columns, name="series"),
    )


def transform_series(levels: pd.DataFrame, codes: Mapping[str, int] | pd.Series) -> pd.DataFrame:
    """Apply McCracken and Ng's transformation codes.

    Parameters
    ----------
    levels : DataFrame
        A column a series.
    codes : mapping or Series
        A code from 1 to 7 for every column.

    Returns
    -------
    DataFrame
        Of the same shape; periods that differences lose are NaN.

    Raises
    ------
    DataError
        A code is missing or unknown, or a logarithm would be taken of a value that is not positive.
    """
    codes = pd.Series(codes)
    done = {}
    for name in levels.columns:
        code, series = codes.get(name), levels[name]
        bad = series[series <= 0]
        if code not in CODES:
            raise DataError(
                f"series {name!r} has the transformation code {code}; codes are 1 to 7."
            )
        if code in LOGARITHMS and len(bad):
            raise DataError(
                f"series {name!r} has code {code}, a logarithm, but is {bad.iloc[0]:g} "
                f"at {label_text(bad.index[0])}; give it code 1, 2 or 3, or leave it out."
            )
        done[name] = _transformed(series, int(code))
    return pd.DataFrame(done, index=levels.index)


def _transformed(series: pd.Series, code: int) -> pd.Series:
    if code == 7:
        return series.pct_change(fill_method=None).diff()
    base = np.log(series) if code in LOGARITHMS else series
    for _ in range({1: 0, 2: 1, 3: 2, 4: 0, 5: 1, 6: 2}[code]):
        base = base.diff()
    return base.astype(float)


def without_outliers(frame: pd.DataFrame) -> pd.DataFrame:
    """Set values further than ten interquartile ranges from their series' median to missing.

    Parameters
    ----------
    frame : DataFrame
        Stationary series.

    Returns
    -------
    DataFrame
    """
    quartiles = frame.quantile([0.25, 0.5, 0.75], interpolation="linear")
    spread = quartiles.loc[0.75] - quartiles.loc[0.25]
    return frame.mask((frame - quartiles.loc[0.5]).abs() > OUTLIER * spread)


def _read(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Levels by period, and codes by series."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    raw = pd.read_csv(path, dtype=str, skip_blank_lines=True).dropna(how="all")
    first = str(raw.columns[0])
    if first.strip().lower() not in ("sasdate", "date"):
        raise DataError(
            f"{path} is no FRED-MD or FRED-QD file: its first column is {first!r}, not 'sasdate'."
        )
    heads = raw[first].fillna("").str.strip().str.lower().str.rstrip(":")
    if not (heads == "transform").any():
        raise DataError(
            f"{path} has no row 'Transform:' with the codes of the series; nnecon.read_table reads "
            "other tables."
        )
    names = [name for name in raw.columns[1:] if not str(name).startswith("Unnamed")]
    codes = pd.to_numeric(raw.loc[heads == "transform", names].iloc[0], errors="coerce")
    unknown = codes.index[~codes.isin(CODES)]
    if len(unknown):
        raise DataError(f"{path}: series {unknown[0]!r} has no transformation code from 1 to 7.")
    body = raw[~heads.isin(["transform", "factors"]) & (heads != "")]
    index = _periods(body[first], path)
    levels = {}
    for name in names:
        numbers = pd.to_numeric(body[name], errors="coerce")
        bad = numbers.isna() & body[name].notna()
        if bad.any():
            at = int(bad.to_numpy().argmax())
            raise DataError(
                f"{path}: {name!r} at {index[at]} is {body[name].iloc[at]!r}, no number."
            )
        levels[name] = numbers.to_numpy(dtype=float)
    return pd.DataFrame(levels, index=index), codes.astype(int)


def _periods(column: pd.Series, path: Path) -> pd.PeriodIndex:
    dates = pd.to_datetime(column, format="mixed", errors="coerce")
    if dates.isna().any():
        bad = column[dates.isna()].iloc[0]
        raise DataError(f"{path}: {bad!r} in the column of dates is no date such as 1/1/1959.")
    months = dates.dt.to_period("M")
    if len(months) < 2:
        raise DataError(f"{path} has fewer than two rows of data.")
    apart = months.astype("int64").diff().dropna()
    step = int(apart.iloc[0])
    if step not in (1, 3):
        raise DataError(
            f"{path}: the first two rows are {step} months apart; FRED-MD is monthly, FRED-QD "
            "quarterly."
        )
    if (apart != step).any():
        at = int((apart != step).to_numpy().argmax())
        raise DataError(
            f"{path}: after {months.iloc[at]} comes {months.iloc[at + 1]}; the rows must follow "
            "each other without gaps."
        )
    if step == 3:
        return pd.PeriodIndex(dates.dt.to_period("Q"), name="quarter")
    return pd.PeriodIndex(months, name="month")
