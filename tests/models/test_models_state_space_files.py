"""Saved results of state-space models are what they were."""

import zipfile

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
import nnecon.formula.api as nnf
from nnecon.exceptions import SpecificationError

MACRO = ne.datasets.load_macro().dropna().loc["1985":]
FORMULA = "infl ~ known(tbilrate) + trend"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Estimated with a path, extended by a few periods, and read back from a file."""
    model = nnf.rnn_state_space(FORMULA, MACRO.iloc[:-4], k_states=1, linear_lags="bic", max_lags=2)
    results = model.fit(alphas=2, cv=2, n_starts=1, cov_type="opg").append(MACRO.iloc[-4:])
    path = tmp_path_factory.mktemp("files") / "fit.zip"
    results.save(path)
    return results, path


def test_a_file_holds_the_results(saved):
    results, path = saved
    again = ne.load(path)
    assert type(again) is type(results)
    pd.testing.assert_series_equal(again.params, results.params)
    np.testing.assert_array_equal(again.llf_obs, results.llf_obs)
    pd.testing.assert_frame_equal(again.states.smoothed, results.states.smoothed)
    exog = pd.DataFrame({"tbilrate": [1.0, 2.0]}, pd.period_range("2009Q4", periods=2, freq="Q"))
    pd.testing.assert_frame_equal(
        again.get_forecast(2, exog, repetitions=50).summary_frame(),
        results.get_forecast(2, exog, repetitions=50).summary_frame(),
    )
    assert str(again.summary()) == str(results.summary())
    assert (again.cov_type, again.nobs, again.alpha) == ("opg", results.nobs, results.alpha)
    pd.testing.assert_frame_equal(again.path.to_frame(), results.path.to_frame())
    pd.testing.assert_frame_equal(again.cv.predictions, results.cv.predictions)
    for one, other in zip(again.cv.split(), results.cv.split(), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    if results.estimate.starts is not None:
        pd.testing.assert_frame_equal(again.estimate.starts, results.estimate.starts)
    assert again.model.lag_rule == results.model.lag_rule


def test_fixed_parameters_and_arrays_are_in_the_file_too(tmp_path):
    model = ne.RNNStateSpace(
        MACRO[["infl"]], MACRO[["tbilrate"]], k_states=1, linear_lags=1, stable=True
    )
    fixed = {name: 0.25 for name in model.param_names if name.startswith("transition.")}
    fixed |= {"loading.h1.infl": 0.5}
    model = model.fix_params(fixed)
    params = model.start_params
    results = model.results_at(params)
    results.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    assert again.model.fixed == model.fixed
    assert again.llf == results.llf
    pd.testing.assert_series_equal(again.params, results.params)
    assert again.model.param_names == model.param_names
    with pytest.raises(SpecificationError, match="leave functions= out"):
        ne.load(tmp_path / "fit.zip", functions={"log": np.log})


def test_a_changed_formula_runs_no_code(saved, tmp_path):
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(saved[1]) as old, zipfile.ZipFile(evil, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "meta.json":
                assert b'"infl ~ known(tbilrate) + trend"' in text
                text = text.replace(
                    b'"infl ~ known', b"\"infl ~ I(__import__('os').system('x')) + known"
                )
            new.writestr(name, text)
    with pytest.raises(SpecificationError, match="saved formula"):
        ne.load(evil)
