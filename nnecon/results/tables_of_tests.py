"""Tests as the rows of a table."""

from collections.abc import Mapping

import pandas as pd

from nnecon.inference.hypotheses import HypothesisTest, to_frame
from nnecon.report.formats import format_number, format_pvalue


def cells_of_tests(tests: Mapping[str, HypothesisTest]) -> pd.DataFrame:
    """Statistic, distribution and p-value of tests as text, a row a test."""
    frame = to_frame(tests.values())
    columns = {
        "Statistic": [format_number(value, 3) for value in frame["statistic"]],
        "Distribution": [test.reference for test in tests.values()],
        "P-value": [format_pvalue(value) for value in frame["pvalue"]],
    }
    return pd.DataFrame(columns, index=list(tests))
