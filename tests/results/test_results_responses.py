"""Responses beside the VAR's and local projections; decompositions; attention as a heat map."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.tsa.api import VAR

import nnecon as ne
from nnecon.exceptions import SpecificationError

MACRO = ne.datasets.load_macro()[["growth", "infl", "tbilrate"]].dropna()


@pytest.fixture(scope="module")
def linear():
    return ne.NeuralAR.from_formula("growth + infl + tbilrate ~ 1", MACRO, linear_lags=2).fit(
        alpha=np.inf
    )


@pytest.fixture(scope="module")
def network():
    model = ne.NeuralAR.from_formula(
        "growth + infl + tbilrate ~ 1", MACRO, linear_lags=2, hidden=(2,)
    )
    return model.fit(alpha=0.01, n_starts=1)


def test_local_projections_are_ols_by_horizon(linear, network):
    found = linear.girf("tbilrate", size=1.0, periods=5, level=0.5)
    sigma = VAR(MACRO).fit(2).sigma_u.to_numpy()
    shock = sigma[:, 2] / sigma[2, 2]
    np.testing.assert_allclose(found.projections[0], shock, rtol=1e-9)
    # one period ahead they are the VAR
    np.testing.assert_allclose(found.projections[1], found.reference[1], rtol=1e-8)
    lags = pd.concat([MACRO.shift(1), MACRO.shift(2)], axis=1).to_numpy()
    for ahead in (1, 5):
        outcome = MACRO["infl"].shift(1 - ahead).to_numpy()
        keep = np.isfinite(lags).all(axis=1) & np.isfinite(outcome)
        fitted = sm.OLS(outcome[keep], sm.add_constant(lags[keep])).fit()
        expected = fitted.params[1:4] @ shock
        assert found.projections[ahead, 1] == pytest.approx(expected, rel=1e-8)
    # a network has the same beside it
    beside = network.girf("tbilrate", size=1.0, periods=5, level=0.5)
    np.testing.assert_allclose(beside.projections, found.projections, rtol=1e-8)
    np.testing.assert_allclose(beside.to_frame()[("infl", "lp")], found.projections[:, 1])


def test_charts_draw_them_over_each_other(linear, network):
    texts = {}
    for kind, results in (("linear", linear), ("network", network)):
        figure = results.girf("tbilrate", periods=4, level=0.5).plot()
        texts[kind] = [text.get_text() for text in figure.legends[0].get_texts()]
        assert len(figure.axes) == 3
    assert texts["network"] == ["network", "VAR", "local projections", "50% band"]
    # a line that would lie on another is not drawn
    assert texts["linear"] == ["VAR", "local projections", "50% band"]


def test_systems_without_the_first_lag_have_no_projections():
    results = ne.NeuralAR.from_formula("infl ~ 1", MACRO, linear_lags=[2], hidden=()).fit()
    found = results.girf("infl", periods=3, level=0.5)
    assert found.projections is None and ("infl", "lp") not in found.to_frame()
    assert found.plot().axes


def test_decompositions_of_linear_systems_are_those_of_the_responses(linear):
    """Squares of generalised responses, cumulated; with one series all is its own."""
    shares = linear.fevd(6)
    reps, sigma = linear.ma_rep(5), linear.sigma_u.to_numpy()
    responses = np.einsum("hij,jk->hik", reps, sigma / np.sqrt(np.diag(sigma)))
    squares = np.cumsum(responses**2, axis=0)
    expected = squares / squares.sum(axis=2, keepdims=True)
    for i, target in enumerate(MACRO.columns):
        for k, shock in enumerate(MACRO.columns):
            np.testing.assert_allclose(shares[(target, shock)], expected[:, i, k], atol=1e-9)
    alone = ne.NeuralAR.from_formula("infl ~ 1", MACRO, linear_lags=1, hidden=()).fit()
    assert (alone.fevd(3) == 1.0).all().all()


def test_decompositions_of_networks_sum_to_one(network):
    shares = network.fevd(4)
    for target in MACRO.columns:
        np.testing.assert_allclose(shares[target].sum(axis=1), 1.0)
    assert ((shares >= 0.0) & (shares <= 1.0)).all().all()
    plain = network.model.fit(alpha=np.inf).fevd(4)
    assert np.abs(shares - plain).max().max() > 1e-3


def test_attention_is_drawn_as_a_heat_map(network):
    model = ne.AttentionForecaster.from_formula("infl ~ tbilrate", MACRO, window=4, units=2)
    results = model.fit(alpha=0.005, n_starts=1)
    figure = results.plot_attention(labels={"infl": "Inflation"})
    weights = results.attention()["infl"]
    mesh = figure.axes[0].collections[0]
    np.testing.assert_allclose(mesh.get_array(), weights.to_numpy().T)
    assert figure.axes[0].get_title(loc="left") == "Inflation"
    assert figure.axes[-1].get_ylabel() == "Weight"
    with pytest.raises(SpecificationError, match="no attention to draw"):
        model.fit(alpha=np.inf).plot_attention()
    with pytest.raises(SpecificationError, match="use AttentionForecaster"):
        network.plot_attention()
