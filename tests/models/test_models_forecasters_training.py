"""Forecasters trained in mini-batches: dropout, early stopping on the last block, refusals."""

import jax
import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError
from nnecon.nets import Attention, Convolution, Recurrent
from nnecon.nets.training_pass import WindowPass

FAMILY = {
    "lstm": (ne.LSTMForecaster, {"units": (3,), "window": 2}),
    "attention": (ne.AttentionForecaster, {"units": 4, "window": 2}),
    "conv": (ne.ConvForecaster, {"channels": (4,), "window": 2}),
    "ar": (ne.NeuralAR, {"hidden": (4,)}),
}
QUICK = {"learning_rate": 0.02, "batch_size": 32, "epochs": 40}


def bent(n, seed=0):
    g, y = np.random.default_rng(seed), np.zeros(n)
    for t in range(1, n):
        y[t] = 1.5 - 3.0 * np.exp(-(y[t - 1] ** 2)) + 0.5 * g.standard_normal()
    return pd.DataFrame({"y": y}, pd.period_range("1950Q1", periods=n, freq="Q"))


DATA = bent(240)


def build(family, data=DATA, **options):
    kind, own = FAMILY[family]
    return kind(data, linear_lags=1, **{**own, **options})


@pytest.mark.parametrize("family", FAMILY)
def test_training_comes_near_the_minimum_and_dropout_keeps_away(family):
    model = build(family)
    exact = model.fit(alpha=0.002, n_starts=1)
    linear = model.fit(alpha=np.inf)
    near = model.fit(alpha=0.002, n_starts=1, method=ne.Adam(**{**QUICK, "epochs": 150}))
    dropped = model.fit(alpha=0.002, n_starts=1, method=ne.Adam(**QUICK, dropout=0.5))
    best, found, far, none = (
        one.equations[0].solutions[0].objective for one in (exact, near, dropped, linear)
    )
    assert best <= found * 1.02 and found < 0.5 * none
    assert found < far
    text = str(near.summary())
    assert "Adam" in text and "Ran 150 epochs" in text
    again = model.fit(alpha=0.002, n_starts=1, method=ne.Adam(**QUICK, dropout=0.5))
    np.testing.assert_array_equal(again.fittedvalues, dropped.fittedvalues)


@pytest.mark.parametrize("family", ["lstm", "ar"])
def test_early_stopping_holds_out_the_last_block(family):
    """Outcomes of the last rows decide when to stop: with their signs turned it is at once."""
    method = ne.Adam(**{**QUICK, "epochs": 60}, early_stopping=0.2, patience=60)
    last, middle = DATA.copy(), DATA.copy()
    last.iloc[191:] *= -1.0
    middle.iloc[95:143] *= -1.0
    found = [
        build(family, data).fit(alpha=1e-4, n_starts=1, method=method)
        for data in (DATA, last, middle)
    ]
    one, turned, elsewhere = (results.equations[0].solutions[0] for results in found)
    # the parameters of the best epoch are kept
    assert len(one.history) == 60
    assert f"after epoch {one.history.argmin() + 1}" in one.status
    assert "at the start" in turned.status or "after epoch 1." in turned.status
    assert found[1].is_linear
    assert "after epoch" in elsewhere.status and not found[2].is_linear


@pytest.mark.parametrize(
    "network",
    [
        Recurrent(1, 3, 2, (5, 4)),
        Attention(1, 3, 2, 4),
        Convolution(1, 3, 2, (5, 4)),
    ],
    ids=["recurrent", "attention", "convolution"],
)
def test_dropout_has_the_right_mean_and_differs_by_row(network):
    """The last layer enters linearly, so that its dropout leaves the mean as it is."""
    g = np.random.default_rng(0)
    params = network.init(g).astype(np.float32)
    rows = np.tile(g.standard_normal(1 + 9).astype(np.float32), (4000, 1))
    rows[:, 3::3] = 1.0
    last = (0.0,) * (network.depth - 1) + (0.5,)
    plain = float(network.apply(params, rows[0]))
    shares = np.ones(len(rows), np.float32)
    passed = WindowPass(network, last).apply(params, rows, shares, jax.random.key(1))
    values = np.asarray(passed.fitted)
    # pooled channels are not linear in what is dropped, and are the mean here
    assert values.std() > 0.01
    assert values.mean() == pytest.approx(plain, abs=4.0 * values.std() / np.sqrt(len(rows)))
    none = WindowPass(network, (0.0,) * network.depth).apply(
        params, rows, shares, jax.random.key(1)
    )
    np.testing.assert_allclose(none.fitted, plain, rtol=1e-5)


def test_penalties_are_chosen_and_quantiles_trained():
    results = build("ar").fit(alphas=3, n_starts=1, method=ne.Adam(**{**QUICK, "epochs": 120}))
    assert np.isfinite(results.alpha["y"]) and results.cv["y"].scores.shape[1] == 4
    best = results.cv["y"].mean
    assert best.min() < 0.6 * best[0]
    quantiles = build("ar", loss="quantile", quantiles=(0.1, 0.5, 0.9)).fit(
        alpha=0.001, n_starts=1, method=ne.SGD(**QUICK)
    )
    table = quantiles.equations_frame()
    assert (table["loss"] < table["linear"]).all()
    direct = build("ar", strategy="direct", horizon=2).fit(
        alpha=0.002, n_starts=1, method=ne.Adam(**QUICK)
    )
    assert all(part.equations[0].trained for part in direct.parts)


def test_what_cannot_be_used_is_refused():
    for family, method, message in (
        ("lstm", ne.Adam(batch_norm=True), "batch_norm is made for feed-forward"),
        ("conv", ne.Adam(noise=0.1), "noise is made for feed-forward"),
        ("attention", ne.Adam(dropout=(0.1, 0.2)), "2 shares, and the network has 1"),
        ("ar", "prox", "'adam'"),
        ("ar", 3, "method=3"),
    ):
        with pytest.raises(SpecificationError, match=message):
            build(family).fit(alpha=0.01, method=method)
    with pytest.raises(SpecificationError, match="mini-batches do not reach"):
        build("ar", loss="student").fit(alpha=0.01, method="adam")
    results = build("ar").fit(alpha=0.002, n_starts=1, method=ne.Adam(**QUICK))
    with pytest.raises(SpecificationError, match="interval='simulation'"):
        results.get_forecast(1, interval="conformal")
    with pytest.raises(SpecificationError, match="give method= again"):
        results.refit()
    assert results.refit(method=ne.Adam(**QUICK)).equations[0].trained
    with pytest.raises(SpecificationError, match="there are none"):
        build("ar", hidden=()).fit(method=ne.Adam(dropout=0.2))


def test_solvers_agree_on_quantiles():
    model = build("ar", loss="quantile", quantiles=(0.1, 0.5, 0.9))
    first = model.fit(alpha=0.002, n_starts=1)
    other = model.fit(alpha=0.002, n_starts=1, method="lbfgs", start=first)
    for one, two in zip(first.equations, other.equations, strict=True):
        assert two.solutions[0].objective == pytest.approx(one.solutions[0].objective, rel=1e-5)
    assert not other.is_linear
    # and from elsewhere L-BFGS finds a minimum of the same loss
    alone = model.fit(alpha=0.002, n_starts=1, method="lbfgs").equations_frame()
    assert (alone["loss"] < 0.8 * alone["linear"]).all()
