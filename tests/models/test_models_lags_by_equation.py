"""Lags by equation: what is chosen, the linear limit, and everything that reads an equation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

import nnecon as ne
from nnecon.exceptions import SpecificationError

MACRO = ne.datasets.load_macro()
FORMULA = "growth + infl ~ tbilrate"


def near_var(**options):
    return ne.NeuralAR.from_formula(
        FORMULA, MACRO, **{"hidden": (2,), "lags_by_equation": True, **options}
    )


def design(model, name):
    """Regressors of an equation as a user would write them, on the rows of the model."""
    own, others = dict(zip(model.series.names, model.own_lags.pairs, strict=True))[name]
    columns = {"const": pd.Series(1.0, MACRO.index)}
    for other in model.series.names:
        for lag in range(1, (own if other == name else others) + 1):
            columns[f"L{lag}.{other}"] = MACRO[other].shift(lag)
    return pd.DataFrame(columns).loc[model.index]


def test_the_linear_limit_is_ols_equation_by_equation():
    results = near_var(lags_by_equation={"growth": (1, 2), "infl": (3, 0), "tbilrate": (2, 1)}).fit(
        alpha=np.inf
    )
    model = results.model
    for name in ("growth", "infl"):
        ols = sm.OLS(MACRO.loc[model.index, name], design(model, name)).fit()
        found = results.params[name]
        assert_allclose(found[ols.params.index], ols.params, rtol=1e-8, atol=1e-10)
        assert (found.drop(ols.params.index) == 0.0).all()
        assert_allclose(results.resid[name], ols.resid, atol=1e-8)
        assert_allclose(results.sigma_u.loc[name, name], ols.mse_resid, rtol=1e-8)


def test_forecasts_and_responses_iterate_the_equations():
    results = near_var().fit(alpha=np.inf)
    names = list(results.model.series.names)
    full = pd.DataFrame(0.0, index=results.params.index, columns=names)
    for name in names:
        regressors = design(results.model, name)
        fitted = sm.OLS(MACRO.loc[results.model.index, name], regressors).fit()
        full.loc[regressors.columns, name] = fitted.params
    past = MACRO[names].to_numpy().tolist()
    for _ in range(6):
        row = pd.Series(0.0, index=full.index)
        row["const"] = 1.0
        for name in row.index[1:]:
            lag, series = name[1:].split(".")
            row[name] = past[-int(lag)][names.index(series)]
        past.append((row @ full).tolist())
    assert_allclose(results.forecast(6), np.array(past[-6:])[:, :2], rtol=1e-8)
    # simulated without shocks that matter, the same system
    wide = results.get_forecast(6, parameters=True, repetitions=400).predicted_mean
    assert_allclose(wide, results.forecast(6), rtol=1e-8)
    response = results.girf("infl", 1.0, 4)
    assert_allclose(response.mean, response.reference, rtol=1e-8, atol=1e-10)


def test_equal_lags_are_the_vector_autoregression():
    pairs = dict.fromkeys(["growth", "infl", "tbilrate"], (2, 2))
    ours = near_var(lags_by_equation=pairs, network_lags=2).fit(alpha=np.inf)
    var = near_var(lags_by_equation=False, linear_lags=2).fit(alpha=np.inf)
    assert_allclose(ours.params, var.params, rtol=1e-8, atol=1e-10)
    assert_allclose(ours.llf, var.llf, rtol=1e-10)
    assert_allclose(ours.get_forecast(8).se_mean, var.get_forecast(8).se_mean, rtol=1e-8)


def test_the_criterion_is_least_for_the_lags_that_are_chosen():
    model = near_var()
    n = len(MACRO.dropna()) - 8
    rows = MACRO.dropna().index[8:]

    def criterion(name, own, others):
        columns = [MACRO[name].shift(lag) for lag in range(1, own + 1)]
        rest = [other for other in model.series.names if other != name]
        columns += [MACRO[one].shift(lag) for one in rest for lag in range(1, others + 1)]
        table = sm.add_constant(pd.concat(columns, axis=1).loc[rows].to_numpy())
        resid = sm.OLS(MACRO.loc[rows, name].to_numpy(), table).fit().resid
        return np.log(resid @ resid / n) + np.log(n) * table.shape[1] / n

    for name, pair in zip(model.series.names, model.own_lags.pairs, strict=True):
        values = {
            (own, others): criterion(name, own, others)
            for own in range(1, 9)
            for others in range(9)
        }
        assert pair == min(values, key=values.__getitem__)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        (ne.NeuralAR, {"hidden": (2,)}),
        pytest.param(ne.LSTMForecaster, {"units": (2,), "window": 3}, marks=pytest.mark.slow),
    ],
)
def test_networks_stand_beside_equations_of_different_lengths(family, options, tmp_path):
    model = family.from_formula(FORMULA, MACRO, lags_by_equation=True, **options)
    results = model.fit(alpha={"growth": 0.3, "infl": 0.03}, n_starts=2)
    assert results.converged and not results.is_linear
    sizes = [len(one.scaling.linear) for one in results.equations]
    assert len(set(sizes)) > 1
    # the first step of a simulated forecast is the fitted function
    later = results.apply(MACRO.iloc[:-1])
    ours = results.fittedvalues.iloc[-1]
    assert_allclose(later.forecast(1).iloc[0], ours, rtol=1e-6)
    # average effects are finite differences of fitted values, through line and network
    rows = results.model.index
    changes = []
    for at in rows[::4]:
        moved = MACRO.copy()
        moved.loc[at - 1, "infl"] += 1e-4
        changes.append((results.apply(moved).fittedvalues - results.fittedvalues).loc[at] / 1e-4)
    whole = results.effects.loc["L1.infl"]
    assert_allclose(np.mean(changes, axis=0), whole, atol=0.15 * np.abs(whole).max())
    low, high = results.get_forecast(3).limits(0.1)
    assert (low < high).all()
    assert np.isfinite(results.girf("infl", 1.0, 2).upper).all()
    results.save(tmp_path / "near.zip")
    again = ne.load(tmp_path / "near.zip")
    assert_allclose(again.forecast(2), results.forecast(2), rtol=1e-12)
    kept = results.refit(MACRO.iloc[:-8], alpha=np.inf)
    assert kept.model.own_lags.pairs == model.own_lags.pairs
    assert "near-VAR" in str(results.summary()) and "near-VAR" in results.compare().frame


def test_a_backtest_equals_a_loop_and_keeps_the_lags_between_choices():
    model = near_var()
    origins = MACRO.index[-4:-1]
    found = ne.backtest(
        {"near": (model, {"alpha": np.inf})}, MACRO, targets=["growth", "infl"],
        initial=origins[0], intervals=False, progress=False,
    )  # fmt: skip
    for cutoff in origins:
        expected = model.on(MACRO.loc[:cutoff]).fit(alpha=np.inf).forecast(1).iloc[0]
        ours = found.forecasts.query("cutoff == @cutoff").set_index("variable")["forecast"]
        assert_allclose(ours[["growth", "infl"]], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"linear_lags": 2}, "needs a criterion"),
        ({"strategy": "direct", "horizon": 2}, "recursive"),
        ({"linear_part": False}, "a linear part"),
        ({"lags_by_equation": {"growth": (1, 1)}}, "no lags for 'infl'"),
        ({"lags_by_equation": "bic"}, "give True, or pairs"),
        (
            {"lags_by_equation": {"growth": (1, 1), "infl": 3, "tbilrate": (1, 1)}},
            "two whole numbers",
        ),
        (
            {"lags_by_equation": dict.fromkeys(["growth", "infl", "tbilrate", "gdp"], (1, 1))},
            "names 'gdp'",
        ),
        ({"lags_by_equation": dict.fromkeys(["growth", "infl", "tbilrate"], (0, 0))}, "at least"),
    ],
)
def test_contradictions_are_errors(options, words):
    with pytest.raises(SpecificationError, match=words):
        near_var(**options)


def test_lags_given_twice_are_an_error():
    pairs = dict.fromkeys(["growth", "infl", "tbilrate"], (1, 1))
    with pytest.raises(SpecificationError, match="both give the lags"):
        near_var(lags_by_equation=pairs, linear_lags=3)
