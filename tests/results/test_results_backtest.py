"""What a backtest says: tables and tests on the errors that its forecasts give."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon import baselines
from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import (
    clark_west,
    diebold_mariano,
    giacomini_white,
    model_confidence_set,
)

MODELS = {
    "var": baselines.var(1),
    "ar": baselines.ar(1),
    "drift": baselines.random_walk(drift=True),
    "one": baselines.ols("infl ~ lag(infl, 1)"),
}
STEP = 2


@pytest.fixture(scope="module")
def frame():
    return ne.datasets.load_macro()[["growth", "infl"]].loc["1990":]


@pytest.fixture(scope="module")
def found(frame):
    return ne.backtest(MODELS, frame, horizon=5, initial=40, step=STEP)


def by_hand(found, variable, horizon):
    rows = found.forecasts
    rows = rows[(rows["variable"] == variable) & (rows["horizon"] == horizon)].dropna()
    return {name: part.reset_index(drop=True) for name, part in rows.groupby("model")}


def test_accuracy_by_hand(found, frame):
    for variable, horizon in (("infl", 1), ("growth", 5)):
        for model, rows in by_hand(found, variable, horizon).items():
            mine = found.accuracy(season=4).loc[(variable, horizon, model)]
            error = rows["actual"] - rows["forecast"]
            assert mine["n"] == len(rows)
            assert mine["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
            inside = (rows["lower"] < rows["actual"]) & (rows["actual"] < rows["upper"])
            assert mine["coverage"] == pytest.approx(inside.mean())
            scales = [
                np.abs(frame[variable].loc[:cutoff].diff(4)).mean() for cutoff in rows["cutoff"]
            ]
            assert mine["mase"] == pytest.approx((error.abs() / scales).mean())


def test_relative_accuracy(found):
    table = found.relative()
    assert table.reference.name == "var"
    rmse = found.accuracy()["rmse"].unstack("model")  # noqa: PD010
    expected = rmse["drift"] / rmse["var"]
    np.testing.assert_allclose(table.frame["drift"], expected.loc[table.frame.index])
    pvalues = found.diebold_mariano()["pvalue"].xs("drift", level="model")
    np.testing.assert_allclose(table.pvalues["drift"], pvalues.loc[table.frame.index])
    # a model of one variable has no ratio for the other
    assert table.frame["one"].loc["growth"].isna().all()
    assert table.frame["one"].loc["infl"].notna().all()
    other = found.relative("ar", "mae").frame
    mae = found.accuracy()["mae"].unstack("model")  # noqa: PD010
    np.testing.assert_allclose(other["var"], (mae["var"] / mae["ar"]).loc[other.index])


def test_stars_follow_pvalues(found):
    table = found.relative()
    cells = table.table_frame()
    stars = table.pvalues["drift"].map(lambda p: 3 if p <= 0.01 else 2 if p <= 0.05 else p <= 0.1)
    assert cells["drift"].str.count(r"\*").tolist() == [int(count) for count in stars]
    assert stars.sum() > 0


@pytest.mark.parametrize(("variable", "horizon"), [("infl", 1), ("growth", 5)])
def test_tests_are_those_of_inference(found, variable, horizon):
    """Origins two periods apart overlap by half the horizon."""
    rows = by_hand(found, variable, horizon)
    errors = {name: (r["actual"] - r["forecast"]).to_numpy() for name, r in rows.items()}
    overlap = int(np.ceil(horizon / STEP))
    first, second = errors["ar"] ** 2, errors["var"] ** 2
    cell = (variable, horizon, "ar")
    names = ("ar", "var")
    expected = diebold_mariano(first, second, names=names, horizon=overlap)
    mine = found.diebold_mariano().loc[cell]
    assert (mine["statistic"], mine["pvalue"]) == (expected.statistic, expected.pvalue)
    assert mine["sentence"] == expected.sentence
    expected = diebold_mariano(np.abs(errors["ar"]), np.abs(errors["var"]), "auto", horizon=overlap)
    mine = found.diebold_mariano(measure="mae", lags="auto").loc[cell]
    assert mine["pvalue"] == expected.pvalue
    expected = giacomini_white(first, second, names=names, horizon=overlap)
    assert found.giacomini_white().loc[cell, "pvalue"] == expected.pvalue
    expected = clark_west(errors["var"], errors["ar"], names[::-1], horizon=overlap)
    mine = found.clark_west().loc[cell]
    assert (mine["statistic"], mine["sentence"]) == (expected.statistic, expected.sentence)
    order = [name for name in MODELS if name in errors]
    losses = pd.DataFrame({name: errors[name] ** 2 for name in order})
    expected = model_confidence_set(losses, reps=200).to_frame()
    mine = found.model_confidence_set(reps=200).loc[variable, horizon]
    assert mine["pvalue"].to_dict() == expected["pvalue"].to_dict()


def test_coverage(found):
    table = found.coverage()
    assert (table["nominal"] == 0.9).all()
    rows = by_hand(found, "infl", 1)["ar"]
    cell = table.loc[("infl", 1, "ar")]
    assert cell["width"] == pytest.approx((rows["upper"] - rows["lower"]).mean())
    share = cell["coverage"]
    assert cell["se"] == pytest.approx(np.sqrt(share * (1 - share) / len(rows)))


def test_few_forecasts_give_no_test_instead_of_an_error(frame):
    few = ne.backtest(
        {"ar": baselines.ar(1), "mean": baselines.mean()},
        frame,
        horizon=3,
        initial=len(frame) - 3,
    )
    table = few.diebold_mariano()
    assert table.loc[("infl", 3, "mean"), "sentence"].startswith("1 forecasts are too few")
    assert np.isnan(table.loc[("infl", 3, "mean"), "pvalue"])
    assert few.model_confidence_set()["included"].all()
    assert "mean" in str(few.summary())


def test_equal_models_are_told_to_be_equal(frame):
    twins = ne.backtest({"a": baselines.ar(1), "b": baselines.ar(1)}, frame, initial=60)
    assert twins.diebold_mariano()["sentence"].str.contains("make the same predictions").all()
    assert twins.relative().table_frame()["b"].str.strip().eq("1.000").all()


def test_texts(found):
    text = str(found.summary())
    for part in ("RMSE of var", "infl, h=5", "Origins:", "Diebold-Mariano", "growing"):
        assert part in text
    assert "\\toprule" in found.to_latex() and "infl, h=1" in found.to_latex()
    assert "<table" in found.to_html() and "drift" in found.to_html(reference="drift")
    assert repr(found).startswith("<Backtest of var, ar, drift, one: growth, infl, 20 origins")


def test_charts_show_what_they_say(found):
    fig = found.plot(models=["ar"], horizon=2)
    assert isinstance(fig, matplotlib.figure.Figure)
    rows = found.forecasts
    chosen = rows[(rows["model"] == "ar") & (rows["horizon"] == 2) & (rows["variable"] == "infl")]
    line = fig.axes[1].lines[1]
    np.testing.assert_allclose(line.get_ydata(), chosen["forecast"])
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        "90% interval",
        "actual",
        "ar",
    ]
    fig = found.plot_loss_difference(variable="infl", horizon=1)
    losses = found.losses("infl", 1)
    gain = (losses["var"] - losses["drift"]).cumsum()
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    np.testing.assert_allclose(lines["drift"].get_ydata(), gain)
    fig = found.relative().plot()
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    np.testing.assert_allclose(lines["ar"].get_ydata(), found.relative().frame["ar"].loc["growth"])


def test_charts_agree_on_colours(found):
    axes = found.plot().axes
    first = {line.get_label(): line.get_color() for ax in axes for line in ax.lines}
    second = found.plot_loss_difference().axes[0].lines
    third = found.relative().plot().axes[0].lines
    for line in (*second, *third):
        if line.get_label() in MODELS:
            assert line.get_color() == first[line.get_label()]


def test_what_is_not_there_is_named(found):
    with pytest.raises(SpecificationError, match="unknown model 'vra'; did you mean 'var'"):
        found.diebold_mariano("vra")
    with pytest.raises(SpecificationError, match="unknown variable 'gdp'"):
        found.errors("gdp")
    with pytest.raises(SpecificationError, match="horizon=6: the backtest has 1 to 5"):
        found.losses("infl", 6)
    with pytest.raises(SpecificationError, match="measure='mse'"):
        found.relative(measure="mse")
    with pytest.raises(SpecificationError, match="season=0"):
        found.accuracy(season=0)
    with pytest.raises(SpecificationError, match="'one' does not forecast 'growth'"):
        found.plot_loss_difference("one")
    with pytest.raises(AttributeError, match="immutable"):
        found.alpha = 0.5
