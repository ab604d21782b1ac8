"""What holds for every forecaster: reproducibility, no look-ahead, new data, errors."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.estimation.losses import Squared
from nnecon.exceptions import DataError, ForecastError, FormulaError, SpecificationError
from nnecon.models.equations import _leads

FAMILY = {
    "lstm": (ne.LSTMForecaster, {"units": (2,), "window": 4}),
    "gru": (ne.LSTMForecaster, {"units": (2,), "window": 4, "cell": "gru"}),
    "attention": (ne.AttentionForecaster, {"units": 2, "window": 4}),
    "conv": (ne.ConvForecaster, {"channels": (2,), "window": 4}),
    "ar": (ne.NeuralAR, {"hidden": (2,)}),
}
EVERY = pytest.mark.parametrize("kind", FAMILY)


@pytest.fixture(scope="module")
def frame():
    return curved(150)


def curved(n, seed=0):
    """A threshold autoregression beside a linear series that it feeds on."""
    g = np.random.default_rng(seed)
    x, y = np.zeros(n + 50), np.zeros(n + 50)
    for t in range(1, n + 50):
        x[t] = 0.7 * x[t - 1] + g.standard_normal()
        y[t] = 0.2 * y[t - 1] + 1.5 * max(x[t - 1], 0.0) + 0.5 * g.standard_normal()
    index = pd.period_range("1970Q1", periods=n, freq="Q")
    return pd.DataFrame({"y": y[50:], "x": x[50:]}, index=index)


def build(kind, frame, formula="y ~ x", **more):
    family, options = FAMILY[kind]
    return family.from_formula(formula, frame, linear_lags=1, **{**options, **more})


@pytest.fixture(scope="module")
def fits(frame):
    return {kind: build(kind, frame).fit(alpha=0.01, n_starts=2) for kind in FAMILY}


@EVERY
def test_a_network_is_found_where_there_is_one(fits, kind):
    results = fits[kind]
    assert results.converged and not results.is_linear
    assert results.edf["y"] > results.model.layout.n_linear + 1
    plain = results.model.fit(alpha=np.inf)
    assert results.resid["y"].std() < 0.9 * plain.resid["y"].std()
    # the equation of the predictor stays that of the autoregression
    assert results.equations[1].is_linear


@pytest.mark.parametrize("kind", ["lstm", "ar"])
def test_same_seed_same_numbers(frame, fits, kind):
    again = build(kind, frame).fit(alpha=0.01, n_starts=2)
    pd.testing.assert_frame_equal(again.forecast(3), fits[kind].forecast(3), rtol=1e-12)
    one = fits[kind].get_forecast(3, repetitions=200).summary_frame()
    pd.testing.assert_frame_equal(one, again.get_forecast(3, repetitions=200).summary_frame())


@EVERY
def test_units_of_measurement_do_not_matter(frame, fits, kind):
    scaled = frame * [100.0, 0.01] + [5.0, -3.0]
    results = build(kind, scaled).fit(alpha=0.01, n_starts=2)
    expected = fits[kind].forecast(4) * 100.0 + 5.0
    np.testing.assert_allclose(results.forecast(4), expected, rtol=1e-5)


@EVERY
def test_first_step_is_the_function_itself(fits, kind):
    results = fits[kind]
    # the one-step forecast for the last period from data without it
    earlier = results.apply(results.data.frame.iloc[:-1])
    ahead = earlier.forecast(1)
    assert ahead.index[0] == results.data.index[-1]
    np.testing.assert_allclose(ahead["y"], results.fittedvalues["y"].iloc[-1], rtol=1e-9)


@EVERY
def test_nothing_after_the_end_of_the_data_is_seen(frame, kind):
    changed = frame.copy()
    changed.iloc[90:] = 1e3
    moved = build(kind, changed).on(changed.iloc[:90]).fit(alpha=0.05, n_starts=1)
    fresh = build(kind, frame.iloc[:90]).fit(alpha=0.05, n_starts=1)
    pd.testing.assert_frame_equal(moved.forecast(2), fresh.forecast(2))


@EVERY
def test_warm_start_from_the_estimate_stays_there(fits, kind):
    again = fits[kind].refit()
    np.testing.assert_allclose(again.forecast(3), fits[kind].forecast(3), rtol=1e-4)
    assert sum(one.iterations for one in again.equations[0].solutions) <= 6


@EVERY
def test_results_can_be_sent_to_another_process(fits, kind):
    copy = pickle.loads(pickle.dumps(fits[kind]))
    pd.testing.assert_frame_equal(copy.forecast(2), fits[kind].forecast(2))


def test_new_periods_are_appended_and_revised(frame):
    results = build("ar", frame.iloc[:140]).fit(alpha=0.01, n_starts=2)
    longer = results.append(frame.iloc[140:])
    np.testing.assert_allclose(longer.forecast(2), results.apply(frame).forecast(2), rtol=1e-12)
    assert longer.forecast(1).index[0] == frame.index[-1] + 1
    assert len(longer.fittedvalues) == len(results.fittedvalues) + 10
    revised = frame.iloc[139:141].copy()
    revised.iloc[0, 1] += 2.0
    assert results.append(revised).forecast(1).iloc[0, 0] != longer.forecast(1).iloc[0, 0]
    refitted = results.append(frame.iloc[140:], refit=True)
    assert refitted.nobs == results.nobs + 10
    with pytest.raises(ForecastError, match="do not follow on"):
        results.append(frame.iloc[145:])
    with pytest.raises(SpecificationError, match="needs refit=True"):
        results.append(frame.iloc[140:], alpha="cv")


def test_one_series_may_be_a_series(frame):
    series = frame["x"]
    results = ne.NeuralAR(series.iloc[:100], linear_lags=1).fit(alpha=np.inf)
    assert results.append(series.iloc[100:]).nobs == results.nobs
    expected = results.apply(series.to_frame()).forecast(2)
    pd.testing.assert_frame_equal(results.append(series.iloc[100:]).forecast(2), expected)
    pd.testing.assert_frame_equal(results.apply(series.rename("other")).forecast(2), expected)
    assert results.model.on(series).fit(alpha=np.inf).nobs == len(series) - 1
    with pytest.raises(DataError, match="not one Series"):
        build("ar", frame).on(series)


def test_grid_goes_on_where_its_end_has_the_least_error(frame):
    """A strong bend and a grid of three penalties."""
    results = build("ar", frame, hidden=(3,)).fit(alphas=3, n_starts=2, cv=3)
    path, cv = results.path["y"], results.cv["y"]
    assert (np.diff(path.alphas) < 0).all() and len(path.alphas) == cv.scores.shape[1]
    at_end = cv.mean[:4].argmin() == 3
    assert (len(path.alphas) > 4) == at_end
    given = results.model.fit(alphas=path.alphas[1:4], n_starts=2, cv=3)
    assert len(given.path["y"].alphas) == 4


def test_penalty_is_chosen_by_expanding_windows(frame):
    model = build("ar", frame, "y + x ~ 1", hidden=(3,))
    results = model.fit(alphas=6, n_starts=2)
    # x is linear, and so the equation that bends is the other
    assert np.isfinite(results.alphas_chosen["y"])
    path, cv = results.path["y"], results.cv["y"]
    assert path.alphas[0] == np.inf and (np.diff(path.alphas) < 0).all()
    assert results.alphas_chosen["y"] == cv.alphas[cv.mean.argmin()] == path.alpha_min
    assert results.edf["y"] < results.nobs / 3
    assert cv.mean.min() < 0.8 * cv.baseline_scores.mean()
    assert all(rows.min() > 40 for rows in cv.folds)
    # the folds' classical scores are those of least squares on what came before
    data, rows = model.sample, cv.folds[0]
    before = np.arange(rows.min())
    coefs = np.linalg.lstsq(data.linear[before], data.target[before, 0], rcond=None)[0]
    errors = data.target[rows, 0] - data.linear[rows] @ coefs
    assert cv.baseline_scores[0] == pytest.approx((errors**2).mean(), rel=1e-9)
    given = model.fit(alpha=results.alphas_chosen, n_starts=2)
    pd.testing.assert_frame_equal(given.forecast(2), results.forecast(2))
    assert "Cross-validated RMSE, y" in results.compare().frame.index
    text = str(results.summary())
    assert "cross-validation" in text and "L1.x" in text
    figure = results.plot_forecast(4, history=20)
    assert [ax.get_ylabel() for ax in figure.axes] == ["y", "x"]


@pytest.mark.parametrize(
    ("wins", "noise", "leads"),
    [(5, 0.1, True), (4, 0.1, True), (3, 0.1, False), (5, 40.0, False)],
)
def test_a_network_has_to_lead(wins, noise, leads):
    """Gains in most folds, and by more than a standard error."""
    g = np.random.default_rng(0)
    tests = tuple(np.arange(20 * fold, 20 * fold + 20) for fold in range(5))
    signs = np.where(np.arange(5) < wins, 1.0, -0.2)
    predictions = []
    for sign in signs:
        gains = sign + noise * g.standard_normal(20)
        linear = np.sqrt(100.0 + gains)
        predictions.append(np.stack([linear, np.full(20, 10.0)]))
    task = SimpleNamespace(
        endog=np.zeros(100),
        folds=SimpleNamespace(test=tests),
        weights=np.ones(100),
        objective=SimpleNamespace(loss=Squared()),
    )
    assert _leads(task, predictions, 1) == leads
    assert not _leads(task, predictions, 0)


def test_where_nothing_is_to_be_found_the_equations_stay_linear():
    g = np.random.default_rng(4)
    index = pd.period_range("1970Q1", periods=120, freq="Q")
    noise = pd.DataFrame(g.standard_normal((120, 6)), index, [f"y{at}" for at in range(6)])
    for name in noise:
        results = ne.NeuralAR(noise[name], linear_lags=2, hidden=(3,)).fit(alphas=6, n_starts=2)
        assert results.is_linear and results.alphas_chosen[name] == np.inf
        # the least error may well be that of a network, by chance
        assert (
            results.cv[name]
            .predictions["network"]
            .equals(results.cv[name].predictions["baseline"].rename("network"))
        )


def test_one_penalty_a_target(frame):
    results = build("ar", frame, "y + x ~ 1").fit(alpha={"y": 0.01, "x": np.inf}, n_starts=2)
    assert results.equations[1].is_linear and not results.equations[0].is_linear
    var = build("ar", frame, "y + x ~ 1").fit(alpha=np.inf)
    np.testing.assert_allclose(results.params["x"], var.params["x"], rtol=1e-10)


def test_average_effects_are_mean_derivatives(frame, fits):
    results = fits["lstm"]
    equation = results.equations[0]
    from nnecon.data.windows import raw_rows, standard_rows

    layout, data = results.model.layout, results.data
    positions = results.model.sample.positions

    def mean(step, lag):
        moved = data.endog.copy()
        values = []
        for position in positions:
            endog = moved.copy()
            if position >= lag:
                endog[position - lag, 1] += step
            rows = raw_rows(layout, endog, np.empty((len(endog), 0)), np.array([position]))
            values.append(equation.values(standard_rows(equation.scaling, rows))[0])
        return np.mean(values)

    for lag in (1, 2):
        slope = (mean(1e-4, lag) - mean(-1e-4, lag)) / 2e-4
        # rows whose window begins before the data have no such lag
        assert results.effects.loc[f"L{lag}.x", "y"] == pytest.approx(slope, rel=0.03)


def test_responses_of_a_linear_system_are_exact(frame):
    results = build("lstm", frame, "y + x ~ 1").fit(alpha=np.inf)
    found = results.girf("x", periods=6, history=slice_mask(results, 30))
    np.testing.assert_allclose(found.mean, found.reference, atol=1e-10)
    sigma = results.sigma_u.to_numpy()
    expected = results.ma_rep(6) @ sigma[:, 1] / np.sqrt(sigma[1, 1])
    np.testing.assert_allclose(found.mean, expected, atol=1e-10)
    assert (found.lower < found.mean)[1:].all() and (found.mean < found.upper)[1:].all()
    shares = results.fevd(4)
    np.testing.assert_allclose(shares["y"].sum(axis=1), 1.0)


def slice_mask(results, count):
    mask = np.zeros(results.nobs, dtype=bool)
    mask[:count] = True
    return mask


def test_responses_of_a_network_depend_on_sign_and_history(frame, fits):
    results = fits["ar"]
    up, down = (results.girf("x", size, 2, level=0.5) for size in (2.0, -2.0))
    # y feeds on the positive part of x alone: the slope falls where x is pushed down
    assert abs(up.mean[1, 0]) > 1.2 * abs(down.mean[1, 0])
    x = frame["x"].shift(1).loc[results.model.index]
    high, low = (results.girf("x", 1.0, 2, history=mask, level=0.5) for mask in (x > 1, x < -1))
    assert high.mean[1, 0] > 2.0 * low.mean[1, 0]
    assert high.history != low.history
    figure = up.plot()
    assert figure.axes[0].get_title(loc="left") == "y"


def test_paths_begin_where_they_are_asked_to(fits, frame):
    results = fits["ar"]
    paths = results.simulate(3, repetitions=400, anchor="1990Q4")
    assert paths.shape == (3, 400) and str(paths.index[0]) == "1991Q1"
    # their mean is the fitted value of that period
    fitted = results.fittedvalues["y"].loc["1991Q1"]
    spread = paths.iloc[0].std() / 20.0
    assert abs(paths.iloc[0].mean() - fitted) < 4.0 * spread
    assert results.simulate(2).shape == (2, 1)


def test_intervals_hold_more_than_shocks(fits):
    results = fits["ar"]
    whole = results.get_forecast(4)
    alone = results.get_forecast(4, parameters=False)
    assert (whole.se > alone.se).all()
    np.testing.assert_allclose(whole.mean, alone.mean)
    np.testing.assert_allclose(whole.variance_shares["y"].sum(axis=1), 1.0)
    low, high = (whole.conf_int(alpha) for alpha in (0.5, 0.05))
    assert (high["upper y"] > low["upper y"]).all() and (high["lower y"] < low["lower y"]).all()
    # at one step, the shocks are the residuals
    assert alone.se[0, 0] == pytest.approx(np.sqrt(results.sigma_u.iloc[0, 0]), rel=0.1)


def test_attention_weights_sum_to_one(fits):
    weights = fits["attention"].attention()["y"]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    # the first rows have no periods before the data
    assert (weights.iloc[0, :3] == 0.0).all() and weights.iloc[0, 3] == 1.0
    with pytest.raises(SpecificationError, match="no attention"):
        fits["lstm"].attention()


def test_scenarios_hold_their_conditions(fits):
    results = fits["ar"]
    path = pd.DataFrame({"x": [3.0, 3.0, 3.0]}, index=results.forecast(3).index)
    low = results.forecast(3, conditions=-path)
    high = results.forecast(3, conditions=path)
    # from the second period on the imposed path feeds y
    assert (high["y"] - low["y"]).iloc[1:].min() > 2.0


# -- what is wrong ---------------------------------------------------------------------------------


def gap(frame):
    return frame.drop(frame.index[50])


def hole(frame):
    broken = frame.copy()
    broken.iloc[60, 0] = np.nan
    return broken


def test_a_missing_period_is_named(frame):
    with pytest.raises(DataError, match="1982Q3 is missing"):
        build("ar", gap(frame))


def test_rows_with_missing_values_are_left_out(frame):
    whole, holed = build("lstm", frame), build("lstm", hole(frame))
    # its own row, and the one that it is the lag of
    assert len(holed.sample.rows) == len(whole.sample.rows) - 2
    assert holed.fit(alpha=np.inf).forecast(1).notna().all().all()


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_horizons_are_whole_numbers(fits, steps):
    with pytest.raises(ForecastError, match="at least 1"):
        fits["ar"].forecast(steps)


def test_short_samples_are_refused(frame):
    with pytest.raises(DataError, match="lower linear_lags or give more data"):
        ne.LSTMForecaster.from_formula("y ~ x", frame.iloc[:8], linear_lags=3)
    # a window longer than the sample is filled up with means
    short = ne.LSTMForecaster.from_formula("y ~ x", frame.iloc[:20], linear_lags=1, window=30)
    assert short.fit(alpha=0.5, n_starts=1).forecast(1).notna().all().all()


def test_known_regressors_have_to_be_given(frame):
    known = ne.NeuralAR.from_formula("y ~ known(x)", frame, linear_lags=1, hidden=(2,))
    results = known.fit(alpha=np.inf)
    with pytest.raises(ForecastError, match=r"\['x'\]: give their values for 2007Q3"):
        results.forecast(1)
    with pytest.raises(ForecastError, match="no row for 2007Q4"):
        results.forecast(2, exog=pd.DataFrame({"x": [1.0]}, results.forecast(1, [1.0]).index))
    with pytest.raises(ForecastError, match="give 2 rows"):
        results.forecast(2, exog=[1.0])
    with pytest.raises(ForecastError, match="no regressors that are known"):
        build("ar", frame).fit(alpha=np.inf).forecast(1, exog=[1.0])


def test_wrong_frequency_is_refused(frame, fits):
    monthly = frame.set_axis(pd.period_range("1970-01", periods=len(frame), freq="M"))
    with pytest.raises(ForecastError, match="frequency Q-DEC"):
        fits["ar"].apply(monthly)


def test_conditions_are_checked(fits):
    results = fits["ar"]
    outside = pd.DataFrame({"x": [1.0]}, index=pd.PeriodIndex(["1999Q1"], freq="Q"))
    with pytest.raises(ForecastError, match="not among the periods"):
        results.forecast(2, conditions=outside)
    with pytest.raises(ForecastError, match="no series of the model"):
        results.forecast(2, conditions=outside.rename(columns={"x": "z"}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.0}, "not identified without a penalty"),
        ({"alpha": {"z": 1.0}}, "no target"),
        ({"alpha": "evidence"}, "not available"),
        ({"n_starts": 0}, "at least 1"),
        ({"method": "adamm"}, "not known"),
        ({"start": 3}, "results of a fit"),
    ],
)
def test_options_of_fit_are_checked(frame, options, words):
    with pytest.raises(SpecificationError, match=words):
        build("ar", frame).fit(**options)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("lstm", {"cell": "lstn"}, "not known"),
        ("lstm", {"linear_lags": "bick"}, "a criterion"),
        ("lstm", {"linear_lags": 0}, "at least 1"),
        ("lstm", {"alpha": 0.1}, r"belongs to fit\(\)"),
        ("lstm", {"unit": 3}, "did you mean 'units'"),
        ("attention", {"heads": 3}, "must divide"),
        ("conv", {"pooling": "median"}, "not known"),
        ("ar", {"seasonal_lags": -1}, "whole number of years"),
    ],
)
def test_arguments_are_checked(frame, kind, options, words):
    family, own = FAMILY[kind]
    with pytest.raises(SpecificationError, match=words):
        family.from_formula("y ~ x", frame, **{**own, **options})


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y", "targets, '~'"),
        ("y ~ y", "both sides"),
        ("y ~ x + x", "twice"),
        ("y ~ 0", "constant is always"),
        ("y ~ x * 2", "joined by"),
        ("y ~ z", "unknown column 'z'"),
        ("y ~ standardize(x)", "remembers the sample"),
        ("y ~ x.rolling(3, center=True).mean()", "later rows"),
    ],
)
def test_formulas_are_checked(frame, formula, words):
    with pytest.raises(FormulaError, match=words):
        build("ar", frame, formula)


def test_series_that_do_not_vary_are_named(frame):
    with pytest.raises(DataError, match="flat does not vary"):
        build("ar", frame.assign(flat=1.0), "y ~ flat")
    with pytest.raises(DataError, match="linear combinations"):
        build("ar", frame.assign(twice=2.0 * frame["x"]), "y ~ x + twice")


def test_dates_keep_their_kind():
    dates = curved(60).set_axis(pd.date_range("2000-01-31", periods=60, freq="ME"))
    results = build("ar", dates).fit(alpha=np.inf)
    assert results.forecast(2).index.equals(pd.date_range("2005-01-31", periods=2, freq="ME"))
    years = curved(60).set_axis(range(1950, 2010))
    assert list(build("ar", years).fit(alpha=np.inf).forecast(2).index) == [2010, 2011]


def test_nothing_warns_in_an_ordinary_fit(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = build("conv", frame).fit(alphas=3, n_starts=1, cv=2)
        results.get_forecast(2, repetitions=100)


def test_the_network_of_an_autoregression_sees_the_lags_that_aic_chooses():
    """The sample stays that of the linear part; lags before the data are at their means."""
    g = np.random.default_rng(1)
    y = np.zeros(160)
    for t in range(5, 160):
        y[t] = 0.6 * y[t - 1] + 0.22 * y[t - 5] + g.standard_normal()
    series = pd.Series(y, pd.period_range("1970Q1", periods=160, freq="Q"), name="y")
    model = ne.NeuralAR(series, max_lags=6)
    longer = ne.NeuralAR(series, linear_lags="aic", max_lags=6).lags
    count = len(model.lags)
    assert model.layout.network_lags == longer and len(longer) > count
    assert len(model.sample.rows) == 160 - count
    assert np.isnan(model.sample.rows[0, -1]) and np.isfinite(model.prepared.rows).all()
    given = ne.NeuralAR(series, linear_lags=count)
    assert given.layout.network_lags == model.lags
    pd.testing.assert_frame_equal(
        model.fit(alpha=np.inf).forecast(4), given.fit(alpha=np.inf).forecast(4), rtol=1e-10
    )
    results = model.fit(alpha=0.02, n_starts=1)
    shorter = results.refit(series.iloc[:120].to_frame())
    assert shorter.model.layout.network_lags == longer
    broken = series.copy()
    broken.iloc[80] = np.nan
    # the row of the hole, and those that it is a lag of
    assert len(ne.NeuralAR(broken, network_lags=3, linear_lags=1).sample.rows) == 159 - 4
    with pytest.raises(DataError, match="looks back 200 periods"):
        ne.NeuralAR(series, linear_lags=1, network_lags=[200])
