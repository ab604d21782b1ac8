"""Saved forecasters and backtests are what they were; new periods extend the data."""

import zipfile

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import ForecastError, SpecificationError

MACRO = ne.datasets.load_macro()


FITS = {
    "formula": (
        lambda data: ne.NeuralAR.from_formula(
            "infl + growth ~ np.log(unemp) + known(tbilrate) + quarter + trend",
            data, linear_lags="bic", max_lags=3, hidden=(2,),
        ),
        {"alphas": 4, "n_starts": 2, "cv": 3},
    ),
    "arrays": (
        lambda data: ne.LSTMForecaster(
            data[["infl"]], data[["tbilrate"]], predictors=data[["unemp"]],
            linear_lags=np.array([1, 4]), units=2, window=3,
        ),
        {"alpha": 0.02, "n_starts": 2},
    ),
    "attention": (
        lambda data: ne.AttentionForecaster.from_formula("infl ~ 1", data, units=2, window=3),
        {"alpha": 0.02, "n_starts": 1},
    ),
    "convolution": (
        lambda data: ne.ConvForecaster.from_formula("infl ~ 1", data, channels=2, window=3),
        {"alpha": np.inf},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FITS)
def test_a_file_holds_the_results(kind, tmp_path):
    build, options = FITS[kind]
    data = MACRO.loc["1990":]
    results = build(data).fit(**options)
    results.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    assert type(again) is type(results) and type(again.model) is type(results.model)
    exog = None
    if results.model.known_names:
        exog = pd.DataFrame({"tbilrate": [1.0, 2.0]}, results.data.axis.following(len(data), 2))
    for one, other in ((results, again), (results.refit(), again.refit())):
        pd.testing.assert_frame_equal(
            one.get_forecast(2, exog, rng=3).summary_frame(),
            other.get_forecast(2, exog, rng=3).summary_frame(),
        )
    assert str(again.summary()) == str(results.summary())
    pd.testing.assert_frame_equal(again.fittedvalues, results.fittedvalues)
    assert again.model.lag_rule == results.model.lag_rule
    if kind == "formula":
        pd.testing.assert_frame_equal(
            again.path["infl"].to_frame(), results.path["infl"].to_frame()
        )
        pd.testing.assert_frame_equal(
            again.cv["growth"].predictions, results.cv["growth"].predictions
        )
        assert str(again.compare()) == str(results.compare())


def test_other_data_are_in_the_file_too(tmp_path):
    results = ne.NeuralAR.from_formula("infl ~ unemp", MACRO.loc[:"1999Q4"], hidden=()).fit()
    later = results.extend(MACRO.loc["2000Q1":"2003Q4"])
    later.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    pd.testing.assert_frame_equal(again.forecast(2), later.forecast(2))
    pd.testing.assert_frame_equal(again.resid, later.resid)
    assert again.model.index[-1] == results.model.index[-1]


def test_values_of_the_caller_are_in_the_file(tmp_path):
    scale = 2.0  # noqa: F841
    model = ne.NeuralAR.from_formula("I(infl * scale) ~ 1", MACRO, hidden=(), linear_lags=1)
    results = model.fit()
    results.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    pd.testing.assert_frame_equal(again.forecast(1), results.forecast(1))
    with pytest.raises(SpecificationError, match="leave functions= out"):
        ne.load(tmp_path / "fit.zip", functions={"scale": abs})


def test_a_changed_formula_runs_no_code(tmp_path):
    path, evil = tmp_path / "fit.zip", tmp_path / "evil.zip"
    ne.NeuralAR.from_formula("infl ~ 1", MACRO, hidden=(), linear_lags=1).fit().save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(evil, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "meta.json":
                text = text.replace(b'"infl ~ 1"', b"\"infl ~ __import__('os').system('x')\"")
            new.writestr(name, text)
    with pytest.raises(SpecificationError, match="saved formula"):
        ne.load(evil)


def test_a_backtest_is_saved(tmp_path):
    models = {
        "VAR": ne.baselines.var("bic", maxlags=2),
        "net": (ne.NeuralAR.from_formula("infl + growth ~ 1", MACRO, hidden=()), {}),
    }
    found = ne.backtest(models, MACRO, horizon=2, initial="2004Q4", step=2, progress=False)
    found.save(tmp_path / "backtest.zip")
    again = ne.load(tmp_path / "backtest.zip")
    for name in ("forecasts", "choices", "data"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name))
    assert repr(again) == repr(found)
    assert str(again.summary()) == str(found.summary())
    pd.testing.assert_frame_equal(again.diebold_mariano(), found.diebold_mariano())


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("1990-01-31", periods=60, freq="ME", name="month"),
        pd.RangeIndex(60),
        pd.Index(range(1950, 2010)),
    ],
)
def test_indices_of_all_kinds_come_back(index, tmp_path):
    g = np.random.default_rng(0)
    data = pd.DataFrame({"y": g.standard_normal(60)}, index=index)
    results = ne.NeuralAR(data, linear_lags=1, hidden=()).fit()
    results.save(tmp_path / "fit.zip")
    again = ne.load(tmp_path / "fit.zip")
    pd.testing.assert_frame_equal(again.forecast(3), results.forecast(3))
    found = ne.backtest({"mean": ne.baselines.mean()}, data, initial=50, progress=False)
    found.save(tmp_path / "backtest.zip")
    pd.testing.assert_frame_equal(ne.load(tmp_path / "backtest.zip").forecasts, found.forecasts)


def test_extend_holds_the_new_periods_alone():
    """As in statsmodels: extend keeps the new rows, append all, apply forgets the old ones."""
    from statsmodels.tsa.arima.model import ARIMA

    y = MACRO["infl"]
    results = ne.NeuralAR(y.loc[:"1999Q4"].to_frame(), linear_lags=2, hidden=()).fit()
    new = y.loc["2000Q1":"2001Q4"].to_frame()
    longer, extended, applied = (
        getattr(results, how)(new) for how in ("append", "extend", "apply")
    )
    pd.testing.assert_frame_equal(extended.forecast(3), longer.forecast(3))
    assert extended.fittedvalues.index.equals(new.index)
    pd.testing.assert_frame_equal(extended.resid, longer.resid.loc[new.index])
    assert len(applied.fittedvalues) == len(new) - 2
    assert len(longer.fittedvalues) == len(results.fittedvalues) + len(new)
    theirs = ARIMA(y.loc[:"1999Q4"], order=(2, 0, 0)).fit()
    assert extended.fittedvalues.index.equals(theirs.extend(new["infl"]).fittedvalues.index)
    assert longer.fittedvalues.index[-1] == theirs.append(new["infl"]).fittedvalues.index[-1]
    with pytest.raises(ForecastError, match="no period after the data"):
        results.extend(y.loc["1999Q3":"1999Q4"].to_frame())
    with pytest.raises(ForecastError, match="do not follow on"):
        results.extend(y.loc["2001Q1":].to_frame())
