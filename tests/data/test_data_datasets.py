"""The data set that comes with the package."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from nnecon.data.datasets import load_macro


def test_macro():
    macro = load_macro()
    assert macro.shape == (203, 17)
    assert isinstance(macro.index, pd.PeriodIndex) and macro.index.freqstr == "Q-DEC"
    assert macro.index.name == "quarter"
    assert [str(macro.index[0]), str(macro.index[-1])] == ["1959Q1", "2009Q3"]
    assert macro.iloc[1:].notna().all().all()
    assert set(macro.columns[macro.iloc[0].isna()]) == {
        "infl", "realint", "growth", "consumption_growth", "investment_growth", "income_growth",
        "money_growth",
    }  # fmt: skip
    raw = sm.datasets.macrodata.load_pandas().data
    np.testing.assert_array_equal(macro["realgdp"], raw["realgdp"])
    np.testing.assert_allclose(macro["growth"].iloc[1], 400 * np.log(2778.801 / 2710.349))
    np.testing.assert_array_equal(macro["infl"].iloc[1:], raw["infl"].iloc[1:])
    table = load_macro.__doc__.split("=" * 70)[1]
    documented = [line.split()[0] for line in table.splitlines() if line.strip()]
    assert [name for name in documented if name in macro.columns] == list(macro.columns)


def test_a_copy_each_time():
    first = load_macro()
    first.iloc[0, 0] = -1.0
    assert load_macro().iloc[0, 0] > 0


@pytest.mark.parametrize("module", ["nnecon.data.datasets"])
def test_importing_reads_nothing(module):
    code = f"import {module}, sys; print('statsmodels.datasets' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
