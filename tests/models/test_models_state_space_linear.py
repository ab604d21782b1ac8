"""Linear state-space models equal statsmodels' and R's: likelihood, states, forecasts, optimum."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import ModelWarning
from threadpoolctl import threadpool_limits

import nnecon as ne

ORACLE = pd.read_csv(Path(__file__).with_name("arma_css.csv"))


@pytest.fixture(scope="module", autouse=True)
def _one_blas_thread():
    """BLAS threads wait for each other over statsmodels' small matrices."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="module")
def nile():
    frame = sm.datasets.nile.load_pandas().data
    index = pd.period_range("1871", periods=len(frame), freq="Y")
    return pd.Series(frame["volume"].to_numpy(), index=index, name="nile")


@pytest.fixture(scope="module")
def macro():
    return ne.datasets.load_macro().dropna()


def with_gaps(frame):
    frame = frame.copy()
    frame.iloc[10:14] = np.nan
    if isinstance(frame, pd.DataFrame):
        frame.iloc[30:37, 0] = np.nan
    frame.iloc[-1] = np.nan
    return frame


def states_equal(ours, theirs, tolerance=1e-8):
    """Filtered and smoothed states with covariances against statsmodels' smoother."""
    k = ours.model.k_states
    for which in ("filtered", "smoothed", "predicted"):
        mean = getattr(theirs, f"{which}_state").T[: len(ours.index), :k]
        cov = np.moveaxis(getattr(theirs, f"{which}_state_cov"), 2, 0)[: len(ours.index), :k, :k]
        own = getattr(ours.states, f"{which}_cov").to_numpy().reshape(cov.shape)
        scale = max(1.0, np.abs(theirs.smoothed_state[:k]).max())
        np.testing.assert_allclose(
            getattr(ours.states, which).to_numpy(), mean, rtol=0, atol=tolerance * scale
        )
        size = max(1.0, np.abs(theirs.smoothed_state_cov).max())
        np.testing.assert_allclose(own, cov, rtol=0, atol=tolerance * size)


def forecasts_equal(ours, theirs, steps=6):
    expected = theirs.get_forecast(steps)
    made = ours.get_forecast(steps)
    mean = np.asarray(expected.predicted_mean).reshape(steps, -1)
    np.testing.assert_allclose(made.mean, mean, rtol=1e-8)
    if mean.shape[1] == 1:
        variance = np.asarray(expected.var_pred_mean).reshape(steps, -1)
        np.testing.assert_allclose(made.se**2, variance, rtol=1e-8)


def structural(endog, trend):
    """Local level or local linear trend with everything fixed but variances."""
    k = 1 + trend
    model = ne.RNNStateSpace(
        endog, k_states=k, activation="linear", innovations=False, state_noise=True,
        linear_part=False, initialization="diffuse",
    )  # fmt: skip
    fixed = {"intercept.nile": 0.0, "loading.h1.nile": 1.0, "transition.h1.h1": 1.0, "bias.h1": 0.0}
    if trend:
        fixed |= {
            "loading.h2.nile": 0.0, "transition.h2.h1": 1.0, "transition.h1.h2": 0.0,
            "transition.h2.h2": 1.0, "bias.h2": 0.0,
        }  # fmt: skip
    return model.fix_params(fixed)


@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
def test_structural_models_on_nile(nile, trend, gaps):
    endog = with_gaps(nile) if gaps else nile
    model = structural(endog, trend)
    kind = "lltrend" if trend else "llevel"
    theirs = sm.tsa.UnobservedComponents(endog, kind, use_exact_diffuse=True)
    deviations = [122.9, 38.3, 5.0][: 2 + trend]
    params = pd.Series(model.start_params, index=model.param_names)
    params[["sqrt.var.nile", "sqrt.var.h1", "sqrt.var.h2"][: 2 + trend]] = deviations
    expected = theirs.smooth(np.square(deviations))
    ours = model.results_at(params)
    # the last period has no value, and statsmodels counts it as well
    np.testing.assert_allclose(ours.llf_obs, expected.llf_obs, rtol=0, atol=1e-8)
    states_equal(ours, expected)
    forecasts_equal(ours, expected)


def polished(theirs, start):
    """Where statsmodels' optimiser comes to from our optimum, with tight tolerances."""
    with warnings.catch_warnings():
        # that no step improves on the optimum is what is asked for
        warnings.simplefilter("ignore", ModelWarning)
        return theirs.fit(start, disp=0, maxiter=50, method="bfgs", gtol=1e-9, cov_type="none")


def same_optimum(fitted, theirs, start):
    """The optimum is statsmodels': at the same parameters, and where its own search arrives."""
    assert fitted.converged
    at_best, best = theirs.smooth(start), polished(theirs, start)
    per_row = 1e-8 * fitted.nobs
    assert abs(fitted.llf - at_best.llf) < per_row
    assert abs(fitted.llf - best.llf) < per_row
    with warnings.catch_warnings():
        # from its own start it may stop early, and does not find more
        warnings.simplefilter("ignore", ModelWarning)
        alone = theirs.fit(disp=0, maxiter=300, cov_type="none")
    assert alone.llf < fitted.llf + per_row
    assert alone.llf > fitted.llf - 1e-3
    states_equal(fitted, at_best)
    return at_best


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("trend", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_structural_models_at_the_optimum(nile, trend, gaps):
    endog = with_gaps(nile) if gaps else nile
    fitted = structural(endog, trend).fit(n_starts=3)
    kind = "lltrend" if trend else "llevel"
    theirs = sm.tsa.UnobservedComponents(endog, kind, use_exact_diffuse=True)
    variances = np.square(fitted.params.filter(like="sqrt.var").to_numpy())
    forecasts_equal(fitted, same_optimum(fitted, theirs, variances))


def arma(endog, name):
    model = ne.RNNStateSpace(
        endog, k_states=2, activation="linear", innovations=False, state_noise=True,
        linear_part=False, error_cov="diagonal", state_cov="unstructured",
    )  # fmt: skip
    return model.fix_params(
        {
            f"loading.h1.{name}": 1.0, f"loading.h2.{name}": 0.0, "transition.h2.h1": 1.0,
            "transition.h2.h2": 0.0, "bias.h1": 0.0, "bias.h2": 0.0, f"sqrt.var.{name}": 0.0,
            "sqrt.var.h2": 0.0,
        }
    )  # fmt: skip


@pytest.mark.parametrize("gaps", [False, True])
def test_arma_through_sarimax_on_macro(macro, gaps):
    endog = with_gaps(macro["infl"]) if gaps else macro["infl"]
    model = arma(endog, "infl")
    ar, ma, mean, sd = [0.8, 0.1], -0.4, 3.5, 2.1
    params = pd.Series(model.start_params, index=model.param_names)
    params["intercept.infl"] = mean
    params[["transition.h1.h1", "transition.h1.h2"]] = ar
    params[["sqrt.var.h1", "sqrt.cov.h1.h2"]] = [sd, sd * ma]
    theirs = sm.tsa.SARIMAX(endog, exog=np.ones(len(endog)), order=(2, 0, 1), tolerance=0)
    expected = theirs.smooth([mean, *ar, ma, sd**2])
    ours = model.results_at(params)
    np.testing.assert_allclose(ours.llf_obs, expected.llf_obs, rtol=0, atol=1e-8)
    states_equal(ours, expected)
    forecast = expected.get_forecast(5, exog=np.ones(5))
    made = ours.get_forecast(5)
    np.testing.assert_allclose(made.mean[:, 0], forecast.predicted_mean, rtol=1e-8)
    np.testing.assert_allclose(made.se[:, 0] ** 2, forecast.var_pred_mean, rtol=1e-8)
    # a shock of one unit to the first state, scaled by the loadings of the noise on both
    found = ours.impulse_responses(8, impulse=[0.0, 1.0, ma])
    np.testing.assert_allclose(found["infl"], expected.impulse_responses(8), atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [False, True])
def test_arma_at_the_optimum(macro, gaps):
    endog = with_gaps(macro["infl"]) if gaps else macro["infl"]
    fitted = arma(endog, "infl").fit(n_starts=4)
    theirs = sm.tsa.SARIMAX(endog, exog=np.ones(len(endog)), order=(2, 0, 1), tolerance=0)
    p = fitted.params
    given = [
        p["intercept.infl"], p["transition.h1.h1"], p["transition.h1.h2"],
        p["sqrt.cov.h1.h2"] / p["sqrt.var.h1"], p["sqrt.var.h1"] ** 2,
    ]  # fmt: skip
    at_best = same_optimum(fitted, theirs, given)
    expected, made = at_best.get_forecast(5, exog=np.ones(5)), fitted.get_forecast(5)
    np.testing.assert_allclose(made.mean[:, 0], expected.predicted_mean, rtol=1e-8)
    np.testing.assert_allclose(made.se[:, 0] ** 2, expected.var_pred_mean, rtol=1e-8)


@pytest.mark.parametrize("gaps", [False, True])
def test_two_factors(macro, gaps):
    names = ["infl", "growth", "unemp", "tbilrate"]
    standard = (macro[names] - macro[names].mean()) / macro[names].std()
    endog = with_gaps(standard) if gaps else standard
    model = ne.RNNStateSpace(
        endog, k_states=2, activation="linear", innovations=False, state_noise=True,
        linear_part=False, error_cov="diagonal",
    )  # fmt: skip
    rng = np.random.default_rng(3)
    loadings, variances = rng.normal(size=(4, 2)), rng.uniform(0.2, 0.6, 4)
    move = np.array([[0.7, 0.1], [-0.2, 0.6]])
    params = pd.Series(0.0, index=model.param_names)
    for i, name in enumerate(names):
        for j in range(2):
            params[f"loading.h{j + 1}.{name}"] = loadings[i, j]
        params[f"sqrt.var.{name}"] = variances[i] ** 0.5
    for i in range(2):
        for j in range(2):
            params[f"transition.h{j + 1}.h{i + 1}"] = move[i, j]
        params[f"sqrt.var.h{i + 1}"] = 1.0
    theirs = sm.tsa.DynamicFactor(endog, k_factors=2, factor_order=1, tolerance=0)
    expected = theirs.smooth([*loadings.ravel(), *variances, *move.ravel()])
    ours = model.results_at(params)
    np.testing.assert_allclose(ours.llf_obs, expected.llf_obs, rtol=0, atol=1e-8)
    states_equal(ours, expected)
    forecasts_equal(ours, expected)
    covariance = expected.get_forecast(6).var_pred_mean
    variance = np.stack([np.diag(np.asarray(each)) for each in covariance])
    np.testing.assert_allclose(ours.get_forecast(6).se ** 2, variance, rtol=1e-8)
    found = ours.impulse_responses(6, impulse="h2", cumulative=True)
    theirs_ir = expected.impulse_responses(6, impulse=1, cumulative=True)
    np.testing.assert_allclose(found, theirs_ir, atol=1e-10)


@pytest.mark.parametrize("series", ["nile", "sunspots"])
def test_arma_by_conditional_sum_of_squares(series):
    own = ORACLE[ORACLE["series"] == series].groupby("quantity")["value"].apply(np.array)
    model = ne.RNNStateSpace(
        own["data"], k_states=1, activation="linear", linear_part=False,
        initialization="conditional",
    )  # fmt: skip
    fitted = model.fit_constrained({"loading.h1.y": 1.0, "bias.h1": 0.0}, n_starts=3)
    p = fitted.params
    ma = -p["transition.h1.h1"]
    ar = p["input.L1.y.h1"] - ma
    mean = p["intercept.y"] * (1 + ma) / (1 - ar)
    assert fitted.converged
    np.testing.assert_allclose([ar, ma, mean], [own[n][0] for n in ("ar", "ma", "mean")], rtol=1e-6)
    np.testing.assert_allclose((fitted.resid**2).sum().item(), own["sse"][0], rtol=1e-6)
    np.testing.assert_allclose(fitted.forecast(5)["y"], own["forecast"], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Estimation of VARMA:UserWarning")
def test_varma_in_innovations_form():
    """VARMA(1,1): the state is the one-step forecast, W = -Theta and U = Phi + Theta."""
    rng = np.random.default_rng(1)
    phi, theta = np.array([[0.5, 0.2], [-0.1, 0.6]]), np.array([[0.3, 0.0], [0.2, -0.4]])
    root = np.array([[1.0, 0.0], [0.4, 0.8]])
    shocks = rng.normal(size=(300, 2)) @ root.T
    y = np.zeros((300, 2))
    for t in range(1, 300):
        y[t] = phi @ y[t - 1] + shocks[t] + theta @ shocks[t - 1]
    model = ne.RNNStateSpace(
        y, k_states=2, activation="linear", linear_part=False, initialization="conditional"
    )
    params = pd.Series(0.0, index=model.param_names)
    for i in range(2):
        params[f"loading.h{i + 1}.y{i + 1}"] = 1.0
        for j in range(2):
            params[f"transition.h{j + 1}.h{i + 1}"] = -theta[i, j]
            params[f"input.L1.y{j + 1}.h{i + 1}"] = (phi + theta)[i, j]
    params[["sqrt.var.y1", "sqrt.cov.y1.y2", "sqrt.var.y2"]] = [1.0, 0.4, 0.8]
    ours = model.results_at(params)
    theirs = sm.tsa.VARMAX(y, order=(1, 1), trend="n", tolerance=0)
    # the state before the second period: its series, and errors of zero
    theirs.initialize_known(np.r_[y[0], 0.0, 0.0], np.zeros((4, 4)))
    expected = theirs.filter([*phi.ravel(), *theta.ravel(), 1.0, 0.4, 0.8])
    np.testing.assert_allclose(ours.llf_obs, expected.llf_obs[1:], rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.forecast(5), expected.forecast(5), atol=1e-8)
    for orthogonal in (False, True):
        found = ours.impulse_responses(6, impulse=1, orthogonalized=orthogonal)
        known = expected.impulse_responses(6, impulse=1, orthogonalized=orthogonal)
        np.testing.assert_allclose(found, known, atol=1e-10)


def test_infinite_penalty_is_the_vector_autoregression(macro):
    frame = macro[["infl", "growth"]]
    model = ne.RNNStateSpace(frame, linear_lags=2)
    ours = model.fit(alpha=np.inf)
    theirs = sm.tsa.VAR(frame).fit(2)
    assert abs(ours.llf - theirs.llf) < 1e-8
    np.testing.assert_allclose(ours.resid, theirs.resid, atol=1e-8)
    np.testing.assert_allclose(ours.sigma_u, theirs.sigma_u_mle, rtol=1e-8)
    last = frame.to_numpy()[-2:]
    np.testing.assert_allclose(ours.forecast(6), theirs.forecast(last, 6), atol=1e-8)
    responses = theirs.irf(6).irfs
    for at, name in enumerate(frame):
        found = ours.impulse_responses(6, impulse=name)
        np.testing.assert_allclose(found, responses[:, :, at], atol=1e-8)
    np.testing.assert_allclose(
        ours.params["L2.growth.infl"], theirs.params.loc["L2.growth", "infl"]
    )


def test_missing_lags_are_filtered_as_in_varmax(macro):
    frame = with_gaps(macro[["infl", "growth"]])
    frame.iloc[:2] = macro[["infl", "growth"]].iloc[:2]
    theirs = sm.tsa.VARMAX(frame, order=(1, 0), trend="c", tolerance=0)
    const, move = np.array([1.0, 2.0]), np.array([[0.6, 0.1], [-0.1, 0.3]])
    root = np.array([[2.0, 0.0], [-0.3, 3.0]])
    theirs.initialize_known(frame.to_numpy()[0], np.zeros((2, 2)))
    expected = theirs.smooth([*const, *move.ravel(), 2.0, -0.3, 3.0])
    model = ne.RNNStateSpace(frame, linear_lags=1)
    params = pd.Series(model.units.to_user(np.zeros(model.network.n_params)), model.param_names)
    params[["intercept.infl", "intercept.growth"]] = const
    for i, name in enumerate(frame):
        for j, source in enumerate(frame):
            params[f"L1.{source}.{name}"] = move[i, j]
    params[["sqrt.var.infl", "sqrt.cov.infl.growth", "sqrt.var.growth"]] = [
        root[0, 0], root[1, 0], root[1, 1],
    ]  # fmt: skip
    ours = model.results_at(params)
    np.testing.assert_allclose(ours.llf_obs, expected.llf_obs[1:], rtol=0, atol=1e-8)
    forecasts = expected.get_forecast(4)
    np.testing.assert_allclose(ours.forecast(4), forecasts.predicted_mean, atol=1e-8)


@pytest.mark.slow
def test_two_factors_at_the_optimum(macro):
    names = ["infl", "growth", "unemp", "tbilrate"]
    endog = (macro[names] - macro[names].mean()) / macro[names].std()
    model = ne.RNNStateSpace(
        endog, k_states=2, activation="linear", innovations=False, state_noise=True,
        linear_part=False, error_cov="diagonal",
    )  # fmt: skip
    fixed = {f"intercept.{name}": 0.0 for name in names}
    fixed |= {"bias.h1": 0.0, "bias.h2": 0.0, "sqrt.var.h1": 1.0, "sqrt.var.h2": 1.0}
    fitted = model.fit_constrained(fixed, n_starts=3)
    theirs = sm.tsa.DynamicFactor(endog, k_factors=2, factor_order=1, tolerance=0)
    p = fitted.params
    loadings = [p[f"loading.h{j}.{name}"] for name in names for j in (1, 2)]
    variances = [p[f"sqrt.var.{name}"] ** 2 for name in names]
    move = [p[f"transition.h{j}.h{i}"] for i in (1, 2) for j in (1, 2)]
    at_best = same_optimum(fitted, theirs, np.array([*loadings, *variances, *move]))
    made, expected = fitted.get_forecast(6), at_best.get_forecast(6)
    np.testing.assert_allclose(made.mean, expected.predicted_mean, rtol=0, atol=1e-8)
