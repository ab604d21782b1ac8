"""Data that come with the package's dependencies, and readers of well-known files.

``ne.datasets.load_macro()`` is ready to use; ``ne.datasets.read_fred_md(path)`` reads the monthly
and quarterly panels of McCracken and Ng; ``ne.datasets.fred(series, api_key)`` asks FRED.
"""

from nnecon.data.business_cycle import NBER_RECESSIONS
from nnecon.data.datasets import MACRO_LABELS, load_macro
from nnecon.data.fred import fred
from nnecon.data.fredmd import describe_fred_md, read_fred_md, transform_series, without_outliers

__all__ = [
    "MACRO_LABELS",
    "NBER_RECESSIONS",
    "describe_fred_md",
    "fred",
    "load_macro",
    "read_fred_md",
    "transform_series",
    "without_outliers",
]
