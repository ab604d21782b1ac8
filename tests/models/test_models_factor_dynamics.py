"""Dynamic AutoencoderFactor: classical limit, forecasts, intervals, files, backtests, errors."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.pca import PCA
from statsmodels.tsa.api import VAR

import nnecon as ne
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.factor_dynamics import choose_order, simulated_panel


def drawn(seed=0, n_obs=150, n_series=12, curve=0.5, noise=0.5):
    """Series curved in a persistent factor."""
    g = np.random.default_rng(seed)
    f = np.zeros(n_obs + 50)
    for t in range(1, len(f)):
        f[t] = 0.8 * f[t - 1] + 0.6 * g.standard_normal()
    f = f[50:]
    a, b = g.standard_normal((2, n_series))
    x = np.outer(f, a) + curve * np.outer(f**2, b) + noise * g.standard_normal((n_obs, n_series))
    index = pd.period_range("2000-01", periods=n_obs, freq="M", name="month")
    return pd.DataFrame(10 + 3 * x, index, [f"s{j}" for j in range(n_series)])


@pytest.fixture(scope="module")
def curved():
    return ne.AutoencoderFactor(drawn(), 1, 4, factor_order=2).fit(alpha=0.003, n_starts=2)


@pytest.fixture(scope="module")
def linear():
    return ne.AutoencoderFactor(drawn(), 2, (), factor_order=2).fit()


@pytest.mark.parametrize("options", [{"hidden": ()}, {"hidden": 3}, {"hidden": 3, "tied": True}])
@pytest.mark.parametrize("order", [1, 3])
def test_classical_limit_is_pca_and_statsmodels_var(options, order):
    x = drawn(1)
    results = ne.AutoencoderFactor(x, 2, factor_order=order, **options).fit(alpha=np.inf)
    factors = PCA(x, ncomp=2).factors * np.sign((PCA(x, ncomp=2).factors * results.factors).sum())
    expected = VAR(factors).fit(order)
    np.testing.assert_allclose(results.factor_var, expected.params, atol=1e-8)
    assert [*results.factor_var.index] == [*expected.params.index]
    np.testing.assert_allclose(results.factor_sigma_u, expected.sigma_u, atol=1e-8)
    ahead = expected.forecast(factors.to_numpy()[-order:], 6)
    np.testing.assert_allclose(results.forecast_factors(6), ahead, atol=1e-8)
    errors = expected.forecast_cov(6)
    np.testing.assert_allclose(
        results.get_factor_forecast(6).se ** 2, [np.diag(each) for each in errors], atol=1e-8
    )
    np.testing.assert_allclose(results.largest_root, 1 / np.abs(expected.roots).min(), atol=1e-8)
    coefs, scale = results.coeff.to_numpy(), x.std(ddof=0).to_numpy()
    np.testing.assert_allclose(
        results.forecast(6), x.mean().to_numpy() + scale * (ahead @ coefs), atol=1e-7
    )
    left = ((x - results.projection) ** 2).sum() / (len(x) - 3)
    common = np.stack([np.diag(coefs.T @ each @ coefs) for each in errors]) * scale**2
    made = results.get_forecast(6)
    np.testing.assert_allclose(made.se**2, common + left.to_numpy(), rtol=1e-8)
    low = made.conf_int(0.1)["lower s3"]
    np.testing.assert_allclose(low, made.mean[:, 3] - 1.6448536 * made.se[:, 3], rtol=1e-6)


def test_simulated_intervals_of_a_linear_model_are_those_in_closed_form(linear):
    var, mapping = linear._factor_var, linear.mapping
    rng = np.random.default_rng(0)
    found = simulated_panel(
        mapping, var, linear._factors, linear._own_errors, 4, 40_000, "normal", rng
    )
    made, shift = linear.get_forecast(4), mapping.extraction.components.standardisation
    np.testing.assert_allclose(shift.undo(found.mean), made.mean, atol=1e-6)
    np.testing.assert_allclose(found.paths.std(axis=0) * shift.scale, made.se, rtol=0.03)


@pytest.mark.parametrize("criterion", ["aic", "bic", "hqic"])
def test_order_is_statsmodels_choice(criterion):
    x = drawn(2)
    factors = PCA(x, ncomp=2).factors.to_numpy()
    scores = VAR(factors).select_order(13).ics[criterion]
    expected = 1 + int(np.argmin(scores[1:]))
    assert choose_order(factors, criterion) == expected
    results = ne.AutoencoderFactor(x, 2, (), factor_order=criterion).fit()
    assert results.factor_order == expected
    assert f"by {criterion}" in str(results.summary())


def test_order_of_one_factor_is_chosen():
    g, f = np.random.default_rng(0), np.zeros(400)
    for t in range(3, 400):
        f[t] = 0.3 * f[t - 1] + 0.5 * f[t - 3] + g.standard_normal()
    assert choose_order(f[:, None], "bic") == 3


def test_autoregression_of_the_network_is_that_of_its_factors(curved):
    assert not curved.is_linear
    past = np.column_stack([np.ones(148), curved.factors[1:-1], curved.factors[:-2]])
    expected = np.linalg.lstsq(past, curved.factors[2:].to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(curved.factor_var, expected, atol=1e-8)


def test_forecast_of_the_network_is_the_mean_of_the_decoder_over_shocks(curved):
    ahead = curved.forecast_factors(1).to_numpy()[0, 0]
    sd = np.sqrt(curved.factor_sigma_u.to_numpy()[0, 0])
    points, weights = np.polynomial.hermite_e.hermegauss(30)
    at = curved.decode((ahead + sd * points)[:, None])
    expected = (weights / weights.sum()) @ at.to_numpy()
    found = curved.get_forecast(1, repetitions=20_000, shocks="normal").mean[0]
    scale = drawn().std(ddof=0).to_numpy()
    np.testing.assert_allclose(found / scale, expected / scale, atol=0.01)
    plain = curved.decode([[ahead]]).to_numpy()[0]
    assert np.abs(plain - expected).max() > 0.1 * scale.max() * sd * np.sqrt(150)


def test_joint_estimate_forecasts_its_sample_better_than_in_two_steps():
    x = drawn(3)
    missed = {}
    for share in (0.0, 0.8):
        model = ne.AutoencoderFactor(x, 1, 4, factor_order=1, forecast_weight=share)
        results = model.fit(alpha=0.003, n_starts=2)
        ends = [results.apply(x[:at]).forecast().to_numpy()[0] for at in range(30, 150, 10)]
        left = (x.to_numpy()[30:150:10] - ends) / x.std(ddof=0).to_numpy()
        missed[share] = (left**2).mean(), results.rsquare.iloc[-1]
    static = ne.AutoencoderFactor(x, 1, 4).fit(alpha=0.003, n_starts=2)
    np.testing.assert_allclose(missed[0.0][1], static.rsquare.iloc[-1], atol=1e-4)
    assert missed[0.8][0] < missed[0.0][0]
    assert missed[0.8][1] < missed[0.0][1]


def test_scaling_a_series_scales_its_forecasts(curved):
    x = drawn()
    x["s3"] *= 100
    other = ne.AutoencoderFactor(x, 1, 4, factor_order=2).fit(alpha=0.003, n_starts=2)
    made, scaled = curved.get_forecast(3), other.get_forecast(3)
    np.testing.assert_allclose(scaled.mean[:, 3], 100 * made.mean[:, 3], rtol=1e-3)
    np.testing.assert_allclose(scaled.se[:, 3], 100 * made.se[:, 3], rtol=1e-2)


def test_forecasts_go_on_from_the_last_period(curved, linear):
    x = drawn()
    assert [*curved.forecast(2).index.astype(str)] == ["2012-07", "2012-08"]
    assert curved.forecast(1).columns.equals(x.columns)
    dated = x.set_axis(x.index.to_timestamp())
    ahead = ne.AutoencoderFactor(dated, 2, (), factor_order=2).fit().forecast(2)
    assert [*ahead.index] == [*pd.to_datetime(["2012-07-01", "2012-08-01"])]
    np.testing.assert_allclose(ahead, linear.forecast(2), atol=1e-10)
    plain = ne.AutoencoderFactor(x.to_numpy(), 2, (), factor_order=2).fit().forecast(2)
    assert [*plain.index] == [150, 151]


def test_rows_in_order_without_dates_are_left_out_in_blocks():
    results = ne.AutoencoderFactor(drawn().to_numpy(), 1, 4, factor_order=1).fit(
        alphas=2, n_starts=1
    )
    assert "blocks in time order, 50% reconstruction and 50% forecasts" in results.cv.description


def test_penalty_is_chosen_by_rows_and_their_forecasts():
    x = drawn()
    model = ne.AutoencoderFactor(x, 1, 4, factor_order=1)
    results = model.fit(alphas=4, n_starts=2)
    assert not results.is_linear and results.cv.mean.min() < results.cv.mean[0]
    pure = ne.AutoencoderFactor(x, 1, ()).fit()
    np.testing.assert_allclose(results.path.explained[0], pure.rsquare.iloc[-1], atol=1e-7)
    # the error of principal components in the last fold, from scratch
    train, test = x.iloc[:120], x.iloc[120:]
    linear = ne.AutoencoderFactor(train, 1, (), factor_order=1).fit()
    rows = (test - linear.reconstruct(test)) ** 2
    ahead = [linear.apply(x[:at]).forecast().to_numpy()[0] for at in range(120, 150)]
    both = (rows + (test - np.array(ahead)) ** 2) / 2 / x.var(ddof=0)
    np.testing.assert_allclose(results.cv.scores[-1, 0], both.to_numpy().mean(), rtol=1e-8)


def test_ragged_edge_is_filled(curved):
    x = drawn()
    x.iloc[-1, 3:] = np.nan
    x.iloc[-2, 8:] = np.nan
    results = ne.AutoencoderFactor(x, 1, 4, factor_order=2).fit(alpha=0.003, n_starts=2)
    assert np.isfinite(results.forecast(3).to_numpy()).all()
    assert np.isfinite(results.get_forecast(3).limits(0.1)).all()
    apart = (results.forecast(3) - curved.forecast(3)) / drawn().std(ddof=0)
    assert apart.abs().to_numpy().max() < 0.5
    late = curved.apply(x)
    np.testing.assert_allclose(late.factors[:-2], curved.factors[:-2], atol=1e-12)


def test_applied_to_other_rows_parameters_stay(curved):
    x = drawn()
    again = curved.apply(x)
    pd.testing.assert_frame_equal(again.forecast(2), curved.forecast(2))
    earlier = curved.apply(x[:100])
    assert str(earlier.forecast(1).index[0]) == "2008-05"
    assert not np.allclose(earlier.forecast(1), curved.forecast(1))
    assert earlier.alpha == curved.alpha


def test_files_keep_forecasts(curved, linear, tmp_path):
    for results in (curved, linear):
        results.save(tmp_path / "a.nn")
        again = ne.load(tmp_path / "a.nn")
        np.testing.assert_allclose(again.forecast(3), results.forecast(3), atol=1e-8)
        np.testing.assert_allclose(
            again.get_forecast(2).limits(0.2), results.get_forecast(2).limits(0.2), atol=1e-8
        )
        assert again.model.description == results.model.description


def test_seed_settles_the_simulation(curved):
    made = [curved.get_forecast(2, rng=rng).se for rng in (0, 0, 1)]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_summary_and_description(curved):
    text = str(curved.summary())
    assert "Lags of the factors:" in text and "L2.comp_0" in text
    assert f"{curved.largest_root:.4f}" in text
    assert curved.model.description.startswith("1 factor with 2 lags, 4 tanh units")


def test_summary_frame_and_fan_chart(curved):
    frame = curved.get_forecast(3).summary_frame(0.1, target="s3")
    assert (frame["mean_ci_lower"] < frame["mean"]).all()
    assert (frame["mean_ci_upper"] > frame["mean"]).all()
    fig = curved.plot_forecast(["s3", "s5"], 6, labels={"s3": "Series 3"})
    assert [ax.get_ylabel() for ax in fig.axes] == ["Series 3", "s5"]
    assert {"PCA and VAR", "forecast"} <= {text.get_text() for text in fig.legends[0].texts}
    plt.close(fig)


def test_backtest_sees_nothing_of_the_future():
    x = drawn()
    options = {"alpha": 0.003, "n_starts": 1, "alphas": 2}
    models = {
        "network": (ne.AutoencoderFactor(x, 1, 4, factor_order=1), options),
        "pca": ne.AutoencoderFactor(x, 1, (), factor_order="bic"),
    }
    shared = {"targets": ["s3", "s5"], "horizon": 2, "step": 4, "initial": "2011-06"}
    found = ne.backtest(models, x, refit=2, **shared)
    assert set(found.forecasts["variable"]) == {"s3", "s5"}
    changed = x.copy()
    changed.loc["2011-11":] += 5.0
    other = ne.backtest(models, changed, refit=2, **shared)
    early = found.forecasts["cutoff"] <= pd.Period("2011-10")
    assert 0 < early.sum() < len(early)
    same = np.isclose(found.forecasts["forecast"], other.forecasts["forecast"], atol=1e-9)
    assert same[early].all() and not same[~early].any()
    first = found.forecasts.query("model == 'network' and variable == 's3'").iloc[0]
    alone = models["network"][0].on(x[:"2011-06"]).fit(**options)
    np.testing.assert_allclose(
        first["forecast"], alone.get_forecast(2).predicted_mean["s3"].iloc[0], atol=1e-9
    )
    assert first["lower"] < first["forecast"] < first["upper"]


def test_static_model_says_what_is_missing():
    results = ne.AutoencoderFactor(drawn(), 1, ()).fit()
    for call in (results.forecast, results.forecast_factors, lambda: results.factor_var):
        with pytest.raises(SpecificationError, match="factor_order="):
            call()
    with pytest.raises(SpecificationError, match="factor_order="):
        results.apply(drawn())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"factor_order": -1}, "factor_order"),
        ({"factor_order": 1.5}, "factor_order"),
        ({"factor_order": True}, "factor_order"),
        ({"factor_order": "ic"}, "factor_order='ic'"),
        ({"forecast_weight": 0.5}, "without an autoregression"),
        ({"factor_order": 1, "forecast_weight": 1.0}, "under 1"),
        ({"factor_order": 1, "forecast_weight": True}, "under 1"),
        ({"factor_order": 1, "forecast_weight": 0.2, "hidden": ()}, "no effect with hidden"),
        ({"factor_order": 1, "noise": 0.1}, "noise"),
        ({"factor_order": 1, "masking": 0.1}, "masking"),
    ],
)
def test_wrong_arguments_are_refused(options, words):
    with pytest.raises(SpecificationError, match=words):
        ne.AutoencoderFactor(drawn(), 1, **{"hidden": 3, **options})


def test_wrong_rows_are_refused(curved):
    x = drawn()
    with pytest.raises(DataError, match="gap"):
        ne.AutoencoderFactor(x.drop(x.index[40]), 1, (), factor_order=1)
    with pytest.raises(DataError, match="periods, dates or whole numbers"):
        ne.AutoencoderFactor(x.set_axis([f"r{j}" for j in range(150)]), 1, (), factor_order=1)
    with pytest.raises(DataError, match="too few"):
        ne.AutoencoderFactor(x[:20], 2, (), factor_order=7)
    model = ne.AutoencoderFactor(x[:40], 2, 2, factor_order=8)
    with pytest.raises(DataError, match="fold"):
        model.fit(alphas=2)
    with pytest.raises(SpecificationError, match="too few for 2 lags"):
        curved.apply(x[:1])
    with pytest.raises(SpecificationError, match="no series"):
        curved.plot_forecast("s99")
    with pytest.raises(SpecificationError, match="bootstrap"):
        curved.bootstrap_loadings(4)
    with pytest.raises(SpecificationError, match="mini-batches"):
        curved.model.fit(method="adam")


def test_backtest_names_what_it_cannot_find():
    x = drawn()
    model = ne.AutoencoderFactor.from_formula("~ 0 + s0 + s1 + diff(s2)", x, k_factors=1, hidden=())
    with pytest.raises(SpecificationError, match="diff"):
        ne.backtest({"factors": model.on(x, factor_order=1)}, x, initial="2011-06")
    static = ne.AutoencoderFactor(x, 1, ())
    with pytest.raises(SpecificationError, match="factor_order="):
        ne.backtest({"factors": static}, x, targets="s3", initial="2012-03")
