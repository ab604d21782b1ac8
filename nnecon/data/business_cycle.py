"""Recessions of the United States, to shade in charts."""

NBER_RECESSIONS: tuple[tuple[str, str], ...] = (
    ("1948-11", "1949-10"),
    ("1953-07", "1954-05"),
    ("1957-08", "1958-04"),
    ("1960-04", "1961-02"),
    ("1969-12", "1970-11"),
    ("1973-11", "1975-03"),
    ("1980-01", "1980-07"),
    ("1981-07", "1982-11"),
    ("1990-07", "1991-03"),
    ("2001-03", "2001-11"),
    ("2007-12", "2009-06"),
    ("2020-02", "2020-04"),
)
"""Months of peak and trough since 1948, as dated by the National Bureau of Economic Research."""
