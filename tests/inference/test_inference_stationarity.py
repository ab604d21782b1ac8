"""Unit-root tests of many series: statsmodels as oracle."""

import warnings

import numpy as np
from statsmodels.tsa.stattools import adfuller

from nnecon.inference.stationarity import unit_root_pvalues


def test_pvalues_are_those_of_adfuller():
    g = np.random.default_rng(0)
    x = g.standard_normal((200, 4))
    x[:, 2:] = x[:, 2:].cumsum(axis=0)
    x[:20, 1] = np.nan
    with warnings.catch_warnings():
        # releases from 0.15 on announce another type of result
        warnings.simplefilter("ignore")
        expected = [
            adfuller(each[np.isfinite(each)], maxlag=4, regression="c", autolag=None)[1]
            for each in x.T
        ]
    np.testing.assert_allclose(unit_root_pvalues(x), expected, rtol=1e-8)


def test_short_and_exact_series_are_not_tested():
    x = np.column_stack([np.arange(40.0), np.r_[np.full(25, np.nan), np.arange(15.0) ** 2]])
    assert np.isnan(unit_root_pvalues(x)).all()
