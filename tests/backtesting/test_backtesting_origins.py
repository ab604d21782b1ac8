"""A backtest is the naive loop: slice, build, fit, forecast; nothing after the cutoff is seen."""

import numpy as np
import pandas as pd
import pytest
from forecasting_models import BASELINES, TARGETS, LastDifference, data, same_forecasts

import nnecon as ne
from nnecon import baselines
from nnecon.exceptions import DataError, ForecastError, NneconWarning, SpecificationError

HORIZON, FIRST = 4, 60
SLOW = ("arima", "ets")


@pytest.fixture(scope="module")
def frame():
    return data()


def naive_loop(baseline, frame, rows, window):
    """Forecasts, lower and upper limits, each (origins, horizon, targets)."""
    found = []
    for row in rows:
        start = row + 1 - window if window else 0
        known = frame.iloc[start : row + 1]
        outlook = baseline.fit(known, TARGETS).get_forecast(HORIZON)
        interval = outlook.conf_int(0.1)
        sides = [interval[[f"{side} {name}" for name in TARGETS]] for side in ("lower", "upper")]
        found.append([outlook.predicted_mean, *sides])
    return np.array(found, dtype=float)


@pytest.mark.parametrize("window", ["expanding", "rolling"])
@pytest.mark.parametrize("name", BASELINES)
def test_equals_the_naive_loop(frame, name, window):
    step = 19 if name in SLOW else 5
    found = ne.backtest(
        {name: BASELINES[name]}, frame, horizon=HORIZON, initial=FIRST, step=step, window=window
    )
    rows = list(range(FIRST - 1, len(frame) - 1, step))
    expected = naive_loop(BASELINES[name], frame, rows, FIRST if window == "rolling" else None)
    columns = found.forecasts[["forecast", "lower", "upper"]].to_numpy()
    mine = columns.reshape(len(rows), HORIZON, len(TARGETS), 3)
    np.testing.assert_allclose(mine, expected.transpose(0, 2, 3, 1), rtol=1e-10, atol=1e-10)
    assert found.cutoffs.equals(frame.index[rows].rename("cutoff"))


def test_outcomes_and_dates(frame):
    found = ne.backtest({"mean": baselines.mean()}, frame, horizon=3, initial=len(frame) - 2)
    rows = found.forecasts[found.forecasts["variable"] == "infl"]
    assert rows["cutoff"].astype(str).tolist() == ["2009Q1"] * 3 + ["2009Q2"] * 3
    assert rows["date"].astype(str).tolist()[:3] == ["2009Q2", "2009Q3", "2009Q4"]
    last = frame["infl"].iloc[-2:].tolist()
    np.testing.assert_array_equal(rows["actual"], [*last, np.nan, last[1], np.nan, np.nan])
    # what has no outcome does not count
    assert found.accuracy().loc["infl", "n"].tolist() == [2, 1]


@pytest.mark.parametrize("name", BASELINES)
def test_changes_after_a_cutoff_change_no_forecast_made_at_it(frame, name):
    """Every value after the cutoff is another one, at one origin after the other."""
    options = {"horizon": 3, "initial": FIRST, "step": 19}
    before = ne.backtest({name: BASELINES[name]}, frame, **options)
    g = np.random.default_rng(0)
    for cutoff in before.cutoffs:
        other = frame.copy()
        later = other.index > cutoff
        other.loc[later] = g.normal(3.0, 20.0, (later.sum(), other.shape[1]))
        after = ne.backtest({name: BASELINES[name]}, other, **options)
        columns = ["forecast", "lower", "upper"]
        at = [backtest.forecasts["cutoff"] <= cutoff for backtest in (before, after)]
        np.testing.assert_array_equal(
            before.forecasts.loc[at[0], columns], after.forecasts.loc[at[1], columns]
        )
        assert not after.forecasts.equals(before.forecasts)


@pytest.mark.parametrize("options", [{"refit": 5}, {"refit": False}, {"reselect": 3}])
def test_no_look_ahead_within_a_block(frame, options):
    """Origins that share an estimation do not see each other's data."""
    models = {"var": baselines.var("aic", maxlags=3), "own": LastDifference()}
    if "refit" in options:
        del models["own"]
    else:
        del models["var"]
        models = {"ar": baselines.ar("aic", maxlags=6)}
    before = ne.backtest(models, frame, initial=FIRST, step=8, **options)
    cut = frame.iloc[: FIRST + 8 + 1]
    after = ne.backtest(models, cut, initial=FIRST, step=8, **options)
    rows = before.forecasts["cutoff"] <= frame.index[FIRST - 1 + 8]
    columns = ["forecast", "lower", "upper"]
    np.testing.assert_array_equal(before.forecasts.loc[rows, columns], after.forecasts[columns])


def test_refit_every_k_applies_in_between(frame):
    found = ne.backtest({"ar": baselines.ar(2)}, frame, initial=FIRST, refit=3, targets="infl")
    rows = range(FIRST - 1, len(frame) - 1)
    for number, row in enumerate(rows):
        estimated = baselines.ar(2).fit(frame.iloc[: row + 1 - number % 3], "infl")
        expected = estimated.apply(frame.iloc[: row + 1]).forecast(1)["infl"].iloc[0]
        assert found.forecasts["forecast"].iloc[number] == pytest.approx(expected, rel=1e-12)


def test_refit_false_estimates_once(frame):
    found = ne.backtest({"mean": baselines.mean()}, frame, initial=FIRST, refit=False)
    expected = frame["growth"].iloc[:FIRST].mean()
    growth = found.forecasts[found.forecasts["variable"] == "growth"]
    np.testing.assert_allclose(growth["forecast"], expected, rtol=1e-12)


def test_reselect_keeps_lags_in_between(frame):
    every = baselines.ar("aic", maxlags=8)
    found = ne.backtest({"ar": every}, frame, initial=FIRST, reselect=4, targets="infl")
    for number, row in enumerate(range(FIRST - 1, len(frame) - 1)):
        chosen = every.fit(frame.iloc[: row + 1 - number % 4], "infl")
        fixed = baselines.ar(chosen.units[0].order).fit(frame.iloc[: row + 1], "infl")
        expected = fixed.forecast(1)["infl"].iloc[0]
        assert found.forecasts["forecast"].iloc[number] == pytest.approx(expected, rel=1e-12)
        assert found.choices["ar"].iloc[number] == chosen.choice


def test_windows_by_label_and_number_agree(frame):
    first = ne.backtest({"mean": baselines.mean()}, frame, initial=FIRST)
    second = ne.backtest({"mean": baselines.mean()}, frame, initial=str(frame.index[FIRST - 1]))
    same_forecasts(first, second)


@pytest.mark.parametrize("kind", ["datetime", "integer"])
def test_other_indices_give_the_same_forecasts(frame, kind):
    index = frame.index.to_timestamp() if kind == "datetime" else pd.RangeIndex(len(frame))
    models = {"ar": baselines.ar(1), "ols": baselines.ols("infl ~ lag(infl, 1, 2)")}
    first = ne.backtest(models, frame, horizon=2, initial=FIRST, step=9)
    second = ne.backtest(models, frame.set_axis(index, axis=0), horizon=2, initial=FIRST, step=9)
    columns = ["horizon", "variable", "model", "forecast", "lower", "upper", "actual"]
    pd.testing.assert_frame_equal(first.forecasts[columns], second.forecasts[columns])


def test_late_series_are_missing_at_the_cutoff(frame):
    """Growth is published a quarter late: what it was at the cutoff changes nothing."""
    models = {"var": baselines.var(1), "ar": baselines.ar(1)}
    options = {"horizon": 2, "initial": FIRST, "step": 10, "release_lag": {"growth": 1}}
    found = ne.backtest(models, frame, **options)
    row = FIRST - 1
    first = found.forecasts[found.forecasts["cutoff"] == frame.index[row]]
    # AR of growth: two steps from the quarter before; of inflation: one step from the cutoff
    for name, end, ahead in (("growth", row, 2), ("infl", row + 1, 1)):
        expected = baselines.ar(1).fit(frame.iloc[:end], name).forecast(ahead)[name].iloc[-1]
        mine = first[(first["model"] == "ar") & (first["variable"] == name)]["forecast"].iloc[0]
        assert mine == pytest.approx(expected, rel=1e-12)
    # VAR: from the last quarter that is complete
    expected = baselines.var(1).fit(frame.iloc[:row], TARGETS).forecast(3).iloc[1:].to_numpy()
    mine = first[first["model"] == "var"]["forecast"].to_numpy().reshape(2, 3)
    np.testing.assert_allclose(mine, expected, rtol=1e-12)
    other = frame.copy()
    other.loc[frame.index[row], "growth"] = 99.0
    changed = ne.backtest(models, other, **options).forecasts
    pd.testing.assert_frame_equal(
        changed[changed["cutoff"] == frame.index[row]].drop(columns="actual"),
        first.drop(columns="actual"),
    )


def test_vintages_are_what_models_see(frame):
    """Each vintage is another series; outcomes are those of the data."""
    rows = range(FIRST - 1, len(frame) - 1, 12)
    vintages = {frame.index[row]: frame.iloc[: row + 1] + 10.0 * row for row in rows}
    options = {"initial": FIRST, "step": 12, "horizon": 2}
    found = ne.backtest({"rw": baselines.random_walk()}, frame, vintages=vintages, **options)
    by_function = ne.backtest(
        {"rw": baselines.random_walk()}, frame, vintages=lambda cutoff: vintages[cutoff], **options
    )
    same_forecasts(found, by_function)
    infl = found.forecasts[
        (found.forecasts["variable"] == "infl") & (found.forecasts["horizon"] == 1)
    ]
    expected = [frame["infl"].iloc[row] + 10.0 * row for row in rows]
    np.testing.assert_allclose(infl["forecast"], expected)
    np.testing.assert_allclose(infl["actual"], [frame["infl"].iloc[row + 1] for row in rows])
    # rows that a vintage should not have are cut off
    longer = {label: frame + 10.0 * row for label, row in zip(vintages, rows, strict=True)}
    cut = ne.backtest({"rw": baselines.random_walk()}, frame, vintages=longer, **options)
    same_forecasts(found, cut)


def test_a_vintage_that_ends_earlier_is_a_release_lag(frame):
    short = ne.backtest(
        {"ar": baselines.ar(1)},
        frame,
        initial=FIRST,
        step=10,
        vintages=lambda cutoff: frame.loc[: cutoff - 1],
    )
    late = ne.backtest(
        {"ar": baselines.ar(1)},
        frame,
        initial=FIRST,
        step=10,
        release_lag=dict.fromkeys(TARGETS, 1),
    )
    same_forecasts(short, late)


def test_any_object_with_fit_and_forecast(frame):
    own = LastDifference()
    found = ne.backtest({"own": own}, frame, horizon=2, initial=FIRST, step=15)
    assert not hasattr(own, "values"), "the user's object was changed"
    values = frame.to_numpy()
    rows = np.arange(FIRST - 1, len(frame) - 1, 15)
    expected = values[rows] + 2.0 * (values[rows] - values[rows - 1])
    mine = found.forecasts[found.forecasts["horizon"] == 2]["forecast"].to_numpy()
    np.testing.assert_allclose(mine.reshape(expected.shape), expected)
    assert found.forecasts["lower"].isna().all()
    assert found.coverage().empty
    assert found.accuracy()["crps"].isna().all()


class Sliding:
    """Fits, and returns another object with labelled forecasts that may begin too early."""

    def __init__(self, early=0, value=1.0, columns=("infl",)):
        self.early, self.value, self.columns = early, value, list(columns)

    def fit(self, frame):
        self.end = frame.index[-1] - self.early
        return self

    def forecast(self, steps):
        index = pd.period_range(self.end + 1, periods=steps, freq="Q")
        values = self.value * np.arange(1.0, steps + 1.0)
        return pd.DataFrame({name: values for name in self.columns}, index=index)


def test_forecasts_go_by_their_dates(frame):
    models = {"now": Sliding(), "early": Sliding(early=2)}
    found = ne.backtest(models, frame, targets="infl", horizon=3, initial=len(frame) - 1)
    values = found.forecasts.groupby("model")["forecast"].apply(list)
    assert values["now"] == [1.0, 2.0, 3.0]
    assert values["early"] == [3.0, 4.0, 5.0]


class Unlabelled(Sliding):
    """Forecasts with rows numbered from zero."""

    def fit(self, frame):
        return self

    def forecast(self, steps):
        return pd.DataFrame({"infl": np.arange(1.0, steps + 1.0)})


@pytest.mark.parametrize("kind", ["period", "integer"])
def test_forecasts_without_dates_begin_after_the_cutoff(frame, kind):
    index = frame.index if kind == "period" else pd.RangeIndex(len(frame))
    found = ne.backtest(
        {"own": Unlabelled()},
        frame.set_axis(index, axis=0),
        targets="infl",
        horizon=2,
        initial=len(frame) - 1,
    )
    assert found.forecasts["forecast"].tolist() == [1.0, 2.0]


def test_forecasts_that_come_too_late_are_an_error(frame):
    with pytest.raises(ForecastError, match="end at 2009Q4, 1 periods after"):
        ne.backtest({"late": Sliding(early=-1)}, frame, targets="infl", initial=len(frame) - 1)


def test_warnings_name_model_and_cutoff(frame):
    class Warns(Sliding):
        def fit(self, frame):
            import warnings

            warnings.warn("it did not converge", RuntimeWarning, stacklevel=1)
            return super().fit(frame)

    with pytest.warns(NneconWarning) as caught:
        ne.backtest({"w": Warns()}, frame, targets="infl", initial=FIRST, step=20)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith("model 'w' at the cutoff 1998Q4 and 2 more: it did not converge")


class NoForecast:
    def fit(self, frame):
        return object()


class NoFit:
    pass


MISTAKES = {
    "horizon": ({"horizon": 0}, ForecastError, "horizon=0"),
    "half a horizon": ({"horizon": 1.5}, ForecastError, "horizon=1.5"),
    "initial too long": ({"initial": 400}, SpecificationError, "leaves none to forecast"),
    "initial all": ({"initial": len(data())}, SpecificationError, "leaves none to forecast"),
    "initial too short": ({"initial": 1}, SpecificationError, "at least 2"),
    "initial unknown": ({"initial": "1950Q1"}, SpecificationError, "is no period of the data"),
    "initial text": ({"initial": "soon"}, SpecificationError, "is no period of the data"),
    "step": ({"step": 0}, SpecificationError, "step=0"),
    "refit": ({"refit": 0}, SpecificationError, "refit=0"),
    "reselect": ({"refit": 2, "reselect": 3}, SpecificationError, "multiple of refit"),
    "window": ({"window": "sliding"}, SpecificationError, "window='sliding'"),
    "alpha": ({"alpha": 90.0}, SpecificationError, "alpha=90"),
    "target": ({"targets": ["gdp"]}, SpecificationError, "unknown target 'gdp'"),
    "targets twice": ({"targets": ["infl", "infl"]}, SpecificationError, "more than once"),
    "lag of what": ({"release_lag": {"gdp": 1}}, SpecificationError, "unknown column 'gdp'"),
    "lag": ({"release_lag": {"infl": -1}}, SpecificationError, "whole number"),
    "lags": ({"release_lag": 1}, SpecificationError, "by column"),
    "vintages": ({"vintages": {}}, SpecificationError, "no data for the origin"),
    "vintage": ({"vintages": lambda cutoff: pd.DataFrame()}, DataError, "no rows"),
    "vintage of what": (
        {"vintages": lambda cutoff: data()[["infl"]]},
        DataError,
        "no column 'growth'",
    ),
    "vintage frequency": (
        {"vintages": lambda cutoff: data().set_axis(data().index.asfreq("M"), axis=0)},
        DataError,
        "other dates",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_options(frame, mistake):
    options, error, text = MISTAKES[mistake]
    with pytest.raises(error) as caught:
        ne.backtest({"mean": baselines.mean()}, frame, **{"initial": FIRST, **options})
    assert text in str(caught.value)


MODELS = {
    "no name": (baselines.mean(), "by name"),
    "nothing": ({}, "at least one"),
    "no fit": ({"m": NoFit()}, "has no fit(frame)"),
    "no forecast": ({"m": NoForecast()}, "no forecast(steps)"),
    "options of a baseline": ({"m": (baselines.mean(), {"alpha": 1})}, "no options"),
    "half a pair": ({"m": (baselines.mean(),)}, "options of its fit"),
    "options of an object": ({"m": (Sliding(), {"alpha": 1})}, "only models of nnecon"),
    "twice": ({1: baselines.mean(), "1": baselines.mean()}, "same name"),
    "other targets": ({"m": baselines.ols("growth ~ lag(growth, 1)")}, "none of which"),
    "wrong columns": ({"m": Sliding(columns=("a", "b"))}, "no column 'infl'"),
    "not a number": ({"m": Sliding(value=np.nan)}, "is nan"),
    "reselect an object": ({"m": Sliding()}, "reselect out"),
    "apply an object": ({"m": Sliding()}, "refit=True"),
}


@pytest.mark.parametrize("mistake", MODELS)
def test_mistakes_of_models(frame, mistake):
    models, text = MODELS[mistake]
    extra = {"reselect an object": {"reselect": 3}, "apply an object": {"refit": 3}}
    with pytest.raises((SpecificationError, ForecastError)) as caught:
        ne.backtest(models, frame, targets="infl", initial=FIRST, **extra.get(mistake, {}))
    assert text in str(caught.value)


def test_errors_name_model_and_cutoff(frame):
    hole = frame.copy()
    hole.loc["2001Q2", "infl"] = np.nan
    with pytest.raises(DataError) as caught:
        ne.backtest({"ar": baselines.ar(1)}, hole, initial=FIRST)
    assert "model 'ar' at the cutoff 2001Q3: column 'infl' is missing at 2001Q2" in str(
        caught.value
    )


def test_gaps_and_order_are_errors(frame):
    with pytest.raises(DataError, match="gap: 1994Q1"):
        ne.backtest({"m": baselines.mean()}, frame.drop(frame.index[40]))
    with pytest.raises(DataError, match="not sorted"):
        ne.backtest({"m": baselines.mean()}, frame.iloc[::-1])
    with pytest.raises(DataError, match="more than once"):
        ne.backtest({"m": baselines.mean()}, pd.concat([frame, frame.iloc[-1:]]))
    with pytest.raises(DataError, match="DataFrame"):
        ne.backtest({"m": baselines.mean()}, frame.to_numpy())
    with pytest.raises(SpecificationError, match="give the data too"):
        ne.backtest({"m": baselines.mean()})
    mixed = frame.copy()
    mixed.loc[mixed.index.quarter != 4, "growth"] = np.nan
    with pytest.raises(DataError, match="one period of 4 only"):
        ne.backtest({"m": baselines.mean()}, mixed)
