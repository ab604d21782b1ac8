"""Intervals of predictions as a user asks for them: columns, units, options, errors."""

from concurrent.futures import ThreadPoolExecutor

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers import assert_close

import nnecon as ne
from nnecon.exceptions import DataError, DataWarning, ForecastError, SpecificationError

COLUMNS = ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper"]
OBS = ["obs_ci_lower", "obs_ci_upper"]
FORMULAS = {
    "longley": ("TOTEMP ~ GNPDEFL + UNEMP + ARMED", helpers.longley, None),
    "fair": ("affairs ~ rate_marriage + age + C(religious)", helpers.fair, "survey_weight"),
    "macro": ("growth ~ infl + unemp", lambda: helpers.macro().dropna(), None),
}


def new_rows():
    return helpers.cross_section(7, seed=9)


@pytest.mark.parametrize(
    ("case", "hidden"), [("longley", ()), ("fair", ()), ("macro", ()), ("fair", (2,))]
)
def test_the_posterior_of_the_classical_model_is_statsmodels(case, hidden):
    formula, load, weights = FORMULAS[case]
    frame = load()
    ours = ne.NeuralRegression.from_formula(formula, frame, weights=weights, hidden=hidden)
    theirs = smf.ols(formula, frame)
    if weights is not None:
        theirs = smf.wls(formula, frame, weights=frame[weights])
    rows = frame.iloc[::7]
    found = ours.fit(alpha=np.inf).get_prediction(rows, interval="laplace").summary_frame(0.2)
    expected = theirs.fit().get_prediction(rows).summary_frame(alpha=0.2)
    assert_close(found, expected[COLUMNS], 1e-8)
    assert found.index.equals(rows.index)


def test_columns_units_and_labels(curved_results, curved_frame):
    new = new_rows().set_index(pd.Index(list("abcdefg")))
    mean = curved_results.predict(new)
    for interval, options in [
        ("delta", {}),
        ("laplace", {}),
        ("conformal", {}),
        ("conformal", {"method": "split", "scaled": True}),
    ]:
        prediction = curved_results.get_prediction(new, interval=interval, **options)
        frame = prediction.summary_frame(0.1)
        assert prediction.interval == interval
        assert prediction.note
        assert list(frame) == (["mean", *OBS] if interval == "conformal" else COLUMNS)
        assert frame.index.equals(new.index)
        assert_close(frame["mean"], mean, 1e-12)
        assert (frame["obs_ci_lower"] < frame["obs_ci_upper"]).all()
        width = (frame["obs_ci_upper"] - frame["obs_ci_lower"]).mean()
        assert 0.7 < width / (2 * 1.645 * np.sqrt(curved_results.scale)) < 1.4
    scaled = curved_frame.assign(y=1000.0 * curved_frame["y"] - 7.0)
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2 + C(region)", scaled, hidden=(3,))
    other = model.fit(alphas=8, n_starts=4)
    for interval, options in [("laplace", {}), ("conformal", {"scaled": True})]:
        own = curved_results.get_prediction(new, None, interval, **options).summary_frame()
        moved = other.get_prediction(new, None, interval, **options).summary_frame()
        assert_close(moved[OBS], 1000.0 * own[OBS] - 7.0, 1e-4)


def test_conformal_intervals_have_none_for_the_mean(curved_results):
    prediction = curved_results.get_prediction(new_rows(), interval="conformal")
    assert prediction.se_mean is None
    assert "no interval for the mean" in prediction.note
    with pytest.raises(SpecificationError, match="nothing in them tells the error of the mean"):
        prediction.conf_int()
    with pytest.raises(SpecificationError, match="no standard errors"):
        _ = prediction.se_obs


def test_folds_of_the_fit_are_used_again(curved_results, curved_frame, tmp_path):
    prediction = curved_results.get_prediction(new_rows(), interval="conformal")
    assert prediction.note.startswith("cv+ conformal intervals: 5 shuffled folds")
    held = curved_results.cv
    rows = np.concatenate(held.folds)
    band = prediction.band.band
    part, scale = band.part, curved_results.estimate.scaling.target_scale
    for number, fold in enumerate(held.folds):
        assert (part[fold] == number).all()
    residual = np.abs(held.predictions["actual"] - held.predictions["network"]).to_numpy()
    assert_close(band.score[rows] * scale, residual, 1e-8)
    curved_results.save(tmp_path / "fit.nnecon")
    again = ne.load(tmp_path / "fit.nnecon").get_prediction(new_rows(), interval="conformal")
    assert_close(again.summary_frame(), prediction.summary_frame(), 1e-12)


def test_new_folds_estimate_again(curved_results):
    new = new_rows()
    own = curved_results.get_prediction(new, interval="conformal").summary_frame()
    other = curved_results.get_prediction(new, interval="conformal", cv=8)
    assert "8 shuffled folds" in other.note
    assert not np.allclose(other.summary_frame()[OBS], own[OBS], rtol=1e-6)
    assert np.abs(other.summary_frame()[OBS] - own[OBS]).to_numpy().max() < 0.5
    given = curved_results.get_prediction(new, interval="conformal", cv=ne.BlockedFolds(4))
    assert "4 blocks in time order" in given.note
    with pytest.raises(SpecificationError, match="every row once"):
        curved_results.get_prediction(new, interval="conformal", cv=ne.ExpandingFolds(4))


def test_numbers_are_the_same_again_and_on_executors(curved_results):
    new = new_rows()
    options = {"interval": "conformal", "method": "jackknife+"}
    with ThreadPoolExecutor(2) as pool:
        there = curved_results.get_prediction(new, executor=pool, **options).summary_frame()
    pd.testing.assert_frame_equal(
        there, curved_results.get_prediction(new, **options).summary_frame()
    )
    first, same, other = (
        curved_results.get_prediction(new, interval="conformal", method="split", rng=rng)
        for rng in (1, 1, 2)
    )
    assert first.summary_frame().equals(same.summary_frame())
    assert not first.summary_frame().equals(other.summary_frame())


def test_groups_are_left_out_together(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    results = model.fit(alpha=0.01, n_starts=2, groups="firm")
    firms = curved_frame["firm"].to_numpy()
    for method, parts in [("jackknife+", 20), ("cv+", 10), ("split", 1)]:
        prediction = results.get_prediction(interval="conformal", method=method)
        band = prediction.band.band
        assert len(band.params) == parts
        if method == "split":
            assert len(band.score) == 80
            continue
        for firm in range(20):
            assert len(set(band.part[firms == firm])) == 1
    alone = model.fit(alpha=0.01, n_starts=2)
    named = alone.get_prediction(interval="conformal", method="jackknife+", groups="firm")
    assert "each of 20 groups" in named.note


def test_weights_are_those_of_the_variance(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, weights="w", hidden=(2,))
    results, new = model.fit(alpha=0.01, n_starts=2), new_rows()
    for method in ("split", "jackknife+"):
        widths = []
        for weights in (1.0, 4.0):
            found = results.get_prediction(new, weights, interval="conformal", method=method)
            frame = found.summary_frame(0.2)
            widths.append(frame["obs_ci_upper"] - frame["obs_ci_lower"])
        ratio = (widths[0] / widths[1]).to_numpy()
        assert (np.abs(ratio - 2.0) < (1e-6 if method == "split" else 0.2)).all()
    laplace = results.get_prediction(new, 4.0, interval="laplace")
    one = results.get_prediction(new, interval="laplace")
    assert_close(laplace.var_resid, one.var_resid / 4.0)
    with pytest.raises(SpecificationError, match="weights has the shape"):
        results.get_prediction(new, [1.0, 2.0])
    with pytest.raises(SpecificationError, match="give numbers"):
        results.get_prediction(new, "w")
    with pytest.raises(DataError, match="row 0 has -1"):
        results.get_prediction(new, -1.0)


def test_levels_beyond_the_rows_are_infinite_and_say_so():
    frame = helpers.cross_section(12)
    results = ne.NeuralRegression.from_formula("y ~ x1", frame, hidden=()).fit()
    prediction = results.get_prediction(interval="conformal", method="jackknife+")
    assert np.isfinite(prediction.summary_frame(0.1)).all().all()
    with pytest.warns(DataWarning, match=r"12 residuals .* finite from alpha=0.0769"):
        found = prediction.summary_frame(0.05)
    assert np.isposinf(found["obs_ci_upper"]).all()
    assert np.isneginf(found["obs_ci_lower"]).all()
    with pytest.raises(SpecificationError, match="number between 0 and 1"):
        prediction.summary_frame(95)


@pytest.mark.parametrize("method", ["split", "cv+", "jackknife+"])
def test_tiny_samples(method):
    frame = helpers.cross_section(5)
    results = ne.NeuralRegression.from_formula("y ~ x1", frame, hidden=()).fit()
    found = results.get_prediction(interval="conformal", method=method).summary_frame(0.4)
    assert np.isfinite(found).all().all()


def test_new_rows_with_missing_values_are_refused_by_name(curved_results):
    new = new_rows()
    new.loc[3, "x2"] = np.nan
    with pytest.raises(ForecastError, match=r"x2.*3"):
        curved_results.get_prediction(new, interval="conformal")


def test_options_that_do_not_belong_are_refused(curved_results):
    def ask(*args, **options):
        return curved_results.get_prediction(None, None, *args, **options)

    with pytest.raises(SpecificationError, match="interval='bayes' is not known"):
        ask("bayes")
    with pytest.raises(SpecificationError, match="scaled is no option of interval='delta'"):
        ask("delta", scaled=True)
    with pytest.raises(SpecificationError, match="executor is no option of interval='laplace'"):
        ask("laplace", executor=ThreadPoolExecutor(1))
    with pytest.raises(SpecificationError, match="no conformal method"):
        ask("conformal", method="jackknife")
    with pytest.raises(SpecificationError, match="cv is no option of method='split'"):
        ask("conformal", method="split", cv=3)
    with pytest.raises(SpecificationError, match="scaled='yes'"):
        ask("conformal", method="split", scaled="yes")
    with pytest.raises(SpecificationError, match="not dated"):
        ask("conformal", method="enbpi")
    with pytest.raises(SpecificationError, match="too few to split"):
        three = helpers.cross_section(3)
        tiny = ne.NeuralRegression.from_formula("y ~ x1", three, hidden=()).fit()
        tiny.get_prediction(interval="conformal", method="split")


def test_intervals_are_drawn_around_the_fit(curved_results):
    held = curved_results.get_prediction(interval="conformal", method="split", scaled=True)
    bounds = held.conf_int(True, 0.1)
    drawn = curved_results.plot_fit(interval=held, alpha=0.1).axes[0].collections[0]
    ends = np.array(drawn.get_segments())[:, :, 1]
    assert_close(ends, bounds, 1e-12)
    named = curved_results.plot_fit("delta").axes[0].collections[0]
    expected = curved_results.get_prediction().conf_int(True)
    assert_close(np.array(named.get_segments())[:, :, 1], expected, 1e-12)
    with pytest.raises(SpecificationError, match="those of 7 rows"):
        curved_results.plot_fit(curved_results.get_prediction(new_rows()))


# -- bootstrap --------------------------------------------------------------------------------


def test_bootstrap_intervals_are_quantiles_of_the_draws(curved_results):
    new, draws = new_rows(), 99
    source = curved_results.with_cov("bootstrap", draws=draws, rng=4)
    predicted = np.stack(
        [
            curved_results.model.predict(transform @ one + offset, new)
            for transform, offset in [source._map]
            for one in source.covariance.draws
        ]
    )
    found = curved_results.get_prediction(new, interval="bootstrap", draws=draws, rng=4)
    frame = found.summary_frame(0.2)
    assert list(frame) == COLUMNS
    assert "99 draws of pairs of rows" in found.note
    lower, upper = np.quantile(predicted, [0.1, 0.9], axis=0)
    assert_close(frame["mean_ci_lower"], lower, 1e-8)
    assert_close(frame["mean_ci_upper"], upper, 1e-8)
    assert_close(frame["mean_se"], predicted.std(axis=0, ddof=1), 1e-8)
    own = source.get_prediction(new, interval="bootstrap").summary_frame(0.2)
    assert_close(own, frame, 1e-12)
    basic = source.get_prediction(new, interval="bootstrap", method="basic", draws=draws, rng=4)
    assert_close(basic.summary_frame(0.2)["mean_ci_lower"], 2.0 * frame["mean"] - upper, 1e-8)


def test_bootstrap_of_the_classical_model_is_near_the_delta_method():
    frame = helpers.cross_section(400)
    results = ne.NeuralRegression.from_formula("y ~ x1 + x2", frame, hidden=()).fit()
    new = new_rows()
    delta = results.get_prediction(new).summary_frame(0.1)
    for kind in ("pairs", "wild", "bayesian"):
        found = results.get_prediction(new, interval="bootstrap", kind=kind, draws=1999)
        frame = found.summary_frame(0.1)
        assert_close(frame["mean_se"], delta["mean_se"], 0.1)
        for name in (*COLUMNS[2:4], *OBS):
            gap = (frame[name] - delta[name]) / (delta["obs_ci_upper"] - delta["obs_ci_lower"])
            assert np.abs(gap).max() < 0.04, (kind, name)


def test_too_few_draws_for_a_level_are_said(curved_results):
    found = curved_results.get_prediction(new_rows(), interval="bootstrap", draws=20)
    with pytest.warns(DataWarning, match="at least 39 draws"):
        found.summary_frame(0.05)
    with pytest.raises(SpecificationError, match="no bootstrap interval"):
        curved_results.get_prediction(interval="bootstrap", method="bca")


# -- time series ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def series():
    data = helpers.macro()
    model = ne.NeuralRegression.from_formula("unemp ~ lag(unemp, 1, 2)", data, hidden=(2,))
    return model.fit(alpha=0.02, n_starts=2)


def test_series_have_their_own_method(series):
    found = series.get_prediction(interval="conformal", draws=30)
    assert found.note.startswith("EnbPI conformal intervals: 30 block-bootstrap draws")
    frame = found.summary_frame(0.1)
    width = frame["obs_ci_upper"] - frame["obs_ci_lower"]
    assert_close(width, np.full(len(width), width.iloc[0]), 1e-9)
    inside = (frame["obs_ci_lower"] < series.model.endog) & (
        series.model.endog < frame["obs_ci_upper"]
    )
    assert 0.85 < inside.mean() < 0.97
    with pytest.raises(SpecificationError, match="draws"):
        series.get_prediction(interval="conformal", draws=0)
    blocks = series.get_prediction(interval="conformal", method="cv+")
    assert "10 blocks in time order" in blocks.note
    half = series.get_prediction(interval="conformal", method="split")
    assert "estimated on the first 100 rows, 101 left out" in half.note
    assert half.band.band.part.tolist() == [0] * 101


def test_intervals_go_on_after_the_sample(series):
    data = helpers.macro()
    ahead = pd.DataFrame(
        {"unemp": [np.nan]}, index=pd.period_range(data.index[-1] + 1, periods=1, freq="Q")
    )
    found = series.get_prediction(ahead, interval="conformal", draws=30).summary_frame(0.1)
    assert found.index.equals(ahead.index)
    assert found["obs_ci_lower"].iloc[0] < found["mean"].iloc[0] < found["obs_ci_upper"].iloc[0]


# -- ensembles, mini-batches, functions of the user's -----------------------------------------


def test_ensembles(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    results = model.fit(alphas=5, n_starts=4, ensemble=3)
    new = new_rows()
    found = results.get_prediction(new, interval="conformal")
    # the folds of cross-validation hold single networks
    assert "10 shuffled folds" in found.note
    assert found.band.band.params.shape == (10, 3 * model.network.n_params)
    assert_close(found.predicted_mean, results.predict(new), 1e-12)
    posterior = results.get_prediction(new, interval="laplace")
    assert_close(posterior.predicted_mean, results.predict(new), 1e-10)


def test_mini_batches_have_the_folds_that_they_were_trained_on(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    training = ne.Adam(learning_rate=0.02, epochs=150, batch_size=32)
    results = model.fit(0.003, method=training, n_starts=1, cv=3)
    assert not results.is_linear
    found = results.get_prediction(interval="conformal")
    assert "3 shuffled folds" in found.note
    for method in ("split", "jackknife+"):
        with pytest.raises(SpecificationError, match="mini-batches would be trained anew"):
            results.get_prediction(interval="conformal", method=method)


def test_functions_of_the_users(curved_frame):
    def line(b, x):
        return b[0] + b[1] * x[1]

    model = ne.NeuralRegression.from_formula(
        "y ~ x1", curved_frame, network=line, start_params={"a": 0.0, "b": 1.0}
    )
    classical = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=())
    ours, theirs, new = model.fit(), classical.fit(), new_rows()
    for interval, options in [("laplace", {}), ("conformal", {"method": "jackknife+"})]:
        found = ours.get_prediction(new, interval=interval, **options).summary_frame()
        expected = theirs.get_prediction(new, interval=interval, **options).summary_frame()
        assert_close(found, expected, 1e-6)


def test_streams_have_the_delta_method_alone(curved_frame):
    stream = ne.Stream.of(curved_frame)
    model = ne.NeuralRegression.from_formula("y ~ x1", stream, hidden=())
    results = model.fit(alpha=np.inf)
    with pytest.raises(SpecificationError, match="interval='conformal'"):
        results.get_prediction(new_rows(), interval="conformal")
    assert list(results.get_prediction(new_rows()).summary_frame()) == COLUMNS
