"""Intervals against closed forms, hand-written loops, statsmodels, and finite differences."""

from fractions import Fraction
from math import ceil, floor

import helpers
import numpy as np
import pytest
import statsmodels.api as sm
from helpers import assert_close
from hypothesis import given
from hypothesis import strategies as st

from nnecon.estimation.bootstrap import draw_weights
from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.kernels import certificate, fitted, fitted_many
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import Chain, Objective
from nnecon.exceptions import ConvergenceError, SpecificationError
from nnecon.inference.intervals.conformal import PlusBand, ranks
from nnecon.inference.intervals.laplace import laplace_posterior, posterior_moments
from nnecon.inference.intervals.leave_out import Original, leave_out, plus_band, series_band
from nnecon.inference.intervals.local_scale import estimate_scale
from nnecon.inference.intervals.resampled import BootstrapBand, draw_noise
from nnecon.nets import Dense, Ensemble

LM = SOLVERS["lm"]


def linear(n=40, seed=0):
    """A linear problem with weights, and three new rows."""
    g = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), g.standard_normal((n, 2))])
    y = x @ [1.0, 0.5, -1.0] + g.standard_normal(n)
    weights = g.uniform(0.5, 2.0, n)
    network = Dense(3, 0, (), "tanh")
    problem = Objective(network, x, y, Ridge(np.zeros(3)))
    params = np.asarray(sm.WLS(y, x, weights=weights).fit().params)
    new = np.array([[1.0, 0.0, 0.0], [1.0, 2.0, -1.0], [1.0, -3.0, 0.5]])
    return Original(problem, network, params, np.inf, weights), new, np.array([1.0, 0.5, 2.0])


def bent(alpha=0.01, n=80, seed=0, hidden=(2,)):
    """A network at a minimum."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2))
    y = np.tanh(2.0 * x[:, 0]) - 0.3 * x[:, 1] + 0.3 * g.standard_normal(n)
    network = Dense(3, 2, hidden, "tanh")
    inputs = np.column_stack([np.ones(n), x, x])
    problem = Objective(network, inputs, (y - y.mean()) / y.std(), Ridge(network.penalised))
    weights = g.uniform(0.5, 2.0, n)
    starts = [network.init(np.random.default_rng(at)) for at in range(4)]
    found = solve(problem, [Chain.single(weights, start, alpha) for start in starts], LM)
    best = min(found, key=lambda one: one.objective)
    return Original(problem, network, best.params, alpha, weights)


def order(values, rank):
    return np.sort(values, axis=0)[rank - 1]


@given(st.integers(1, 500), st.fractions(Fraction(1, 1000), Fraction(999, 1000)))
def test_ranks_are_those_of_exact_arithmetic(count, alpha):
    low, high = ranks(count, float(alpha))
    assert (low, high) == (floor(alpha * (count + 1)), ceil((1 - alpha) * (count + 1)))


def test_split_intervals_are_those_by_hand():
    sample, new, spread = linear()
    part = np.where(np.arange(40) % 2 == 0, 0, -1)
    params = leave_out(sample, part, LM)
    band = plus_band(sample, params, part, new, spread, scaled=False)
    x, y, w = sample.objective.inputs, sample.objective.target, sample.weights
    train, test = part == -1, part == 0
    by_hand = sm.WLS(y[train], x[train], weights=w[train]).fit()
    score = np.abs(y[test] - by_hand.predict(x[test])) * np.sqrt(w[test])
    for alpha in (0.1, 0.2, 0.5):
        reach = order(score, ceil((1 - Fraction(str(alpha))) * 21)) * spread
        centre = by_hand.predict(new)
        assert_close(np.array(band.bounds(alpha)), np.array([centre - reach, centre + reach]))


def test_jackknife_plus_of_least_squares_has_a_closed_form():
    sample, new, spread = linear()
    part = np.arange(40)
    band = plus_band(sample, leave_out(sample, part, LM), part, new, spread, scaled=False)
    x, y, w = sample.objective.inputs, sample.objective.target, sample.weights
    inverse = np.linalg.inv((x.T * w) @ x)
    residual = y - x @ sample.params
    leverage = w * np.einsum("ij,jk,ik->i", x, inverse, x)
    out = residual / (1.0 - leverage)
    # Sherman and Morrison: the estimate without row i, at the new rows
    predicted = (new @ sample.params) - (new @ inverse @ x.T).T * (w * out)[:, None]
    reach = (np.abs(out) * np.sqrt(w))[:, None] * spread
    lower, upper = band.bounds(0.1)
    assert_close(lower, order(predicted - reach, floor(0.1 * 41)))
    assert_close(upper, order(predicted + reach, ceil(0.9 * 41)))


def test_cross_validation_plus_is_the_formula_of_its_folds():
    sample, new, spread = linear()
    part = np.arange(40) % 4
    band = plus_band(sample, leave_out(sample, part, LM), part, new, spread, scaled=False)
    x, y, w = sample.objective.inputs, sample.objective.target, sample.weights
    low, high = [], []
    for i in range(40):
        kept = part != part[i]
        fit = sm.WLS(y[kept], x[kept], weights=w[kept]).fit()
        reach = abs(y[i] - fit.predict(x[i])[0]) * np.sqrt(w[i]) * spread
        low.append(fit.predict(new) - reach)
        high.append(fit.predict(new) + reach)
    lower, upper = band.bounds(0.3)
    assert_close(lower, order(np.array(low), floor(Fraction(3, 10) * 41)))
    assert_close(upper, order(np.array(high), ceil(Fraction(7, 10) * 41)))


def test_leaving_out_is_estimating_the_others():
    sample = bent()
    part = np.where(np.arange(80) < 75, -1, 0)
    found = leave_out(sample, part, LM)[0]
    kept = part == -1
    fewer = Objective(
        sample.network,
        sample.objective.inputs[kept],
        sample.objective.target[kept],
        sample.objective.penalty,
    )
    chain = Chain.single(sample.weights[kept], sample.params, sample.alpha)
    assert_close(
        fitted(sample.network, found, sample.objective.inputs),
        fitted(sample.network, solve(fewer, [chain], LM)[0].params, sample.objective.inputs),
        1e-5,
    )
    assert np.abs(found - sample.params).max() > 1e-3


def test_batches_do_not_change_numbers(monkeypatch):
    sample, new, spread = linear()
    part = np.arange(40)
    whole = plus_band(sample, leave_out(sample, part, LM), part, new, spread, scaled=False)
    module = "nnecon.inference.intervals."
    monkeypatch.setattr(module + "leave_out.BATCH", 300)
    monkeypatch.setattr(module + "conformal.BLOCK", 41)
    small = plus_band(sample, leave_out(sample, part, LM), part, new, spread, scaled=False)
    assert_close(small.score, whole.score, 1e-12)
    assert_close(np.array(small.bounds(0.2)), np.array(whole.bounds(0.2)), 1e-12)


def test_estimates_that_are_no_numbers_are_refused():
    sample, _, _ = linear()
    broken = Objective(
        sample.network, sample.objective.inputs, np.full(40, np.nan), sample.objective.penalty
    )
    with pytest.raises(ConvergenceError, match="not finite"):
        leave_out(
            Original(broken, sample.network, sample.params, np.inf, sample.weights),
            np.arange(40),
            LM,
        )


# -- the spread -------------------------------------------------------------------------------


def test_the_spread_is_a_poisson_regression():
    g = np.random.default_rng(0)
    rows = np.column_stack([np.ones(300), g.standard_normal(300), g.integers(0, 2, 300)])
    residuals = np.exp(0.5 * rows[:, 1]) * g.standard_normal((2, 300)) * [[1.0], [7.0]]
    used = np.ones((2, 300), dtype=bool)
    used[1, :100] = False
    scale = estimate_scale(rows, residuals, used)
    new = rows[:5]
    terms = np.column_stack([np.ones(300), rows[:, 1], rows[:, 2], rows[:, 1] ** 2])
    for number in range(2):
        kept = used[number]
        glm = sm.GLM(np.abs(residuals[number, kept]), terms[kept], sm.families.Poisson()).fit()
        assert_close(scale.at(new)[number], glm.predict(terms[:5]), 1e-6)


def test_the_spread_does_not_leave_what_was_seen():
    g = np.random.default_rng(0)
    rows = np.column_stack([np.ones(200), g.uniform(-1.0, 1.0, 200)])
    residual = (1.0 + 0.9 * rows[:, 1]) * g.standard_normal(200)
    scale = estimate_scale(rows, residual[None], np.ones((1, 200), dtype=bool))
    seen = scale.at(rows)[0]
    far = scale.at(np.array([[1.0, -50.0], [1.0, 50.0]]))[0]
    assert ((far >= seen.min() * (1 - 1e-12)) & (far <= seen.max() * (1 + 1e-12))).all()
    assert seen.max() > 2.0 * seen.min()


def test_few_rows_get_no_squares():
    g = np.random.default_rng(0)
    rows = np.column_stack([np.ones(35), g.standard_normal((35, 2))])
    scale = estimate_scale(rows, g.standard_normal((1, 35)), np.ones((1, 35), dtype=bool))
    assert scale.gamma.shape == (1, 3)


def test_scaled_scores_are_relative_to_the_spread():
    sample, new, spread = linear(n=60)
    part = np.arange(60) % 3
    params = leave_out(sample, part, LM)
    band = plus_band(sample, params, part, new, spread, scaled=True)
    x, y = sample.objective.inputs, sample.objective.target
    residual = y - fitted_many(sample.network, params, x)[part, np.arange(60)]
    relative = np.abs(residual) * np.sqrt(sample.weights)
    assert_close(band.score, relative / band.local.at(x)[part, np.arange(60)])
    width = spread * band.local.at(new)
    centre = fitted_many(sample.network, params, new)
    reach = band.score[:, None] * width[part]
    assert_close(band.bounds(0.2)[1], order(centre[part] + reach, ceil(0.8 * 61)))


def test_intervals_of_a_heteroskedastic_design_are_wide_where_the_spread_is():
    g = np.random.default_rng(0)
    x = np.column_stack([np.ones(400), g.uniform(-1.0, 1.0, 400)])
    y = x[:, 1] + np.exp(1.5 * x[:, 1]) * g.standard_normal(400)
    network = Dense(2, 0, (), "tanh")
    params = np.asarray(sm.OLS(y, x).fit().params)
    sample = Original(
        Objective(network, x, y, Ridge(np.zeros(2))), network, params, np.inf, np.ones(400)
    )
    part = np.arange(400) % 10
    new = np.array([[1.0, -0.9], [1.0, 0.9]])
    left_out = leave_out(sample, part, LM)
    widths = []
    for scaled in (False, True):
        lower, upper = plus_band(sample, left_out, part, new, np.ones(2), scaled).bounds(0.1)
        widths.append((upper - lower)[1] / (upper - lower)[0])
    assert widths[0] < 1.05
    assert 10.0 < widths[1] < 20.0  # exp(1.5 * 1.8) is 14.9


# -- time series ------------------------------------------------------------------------------


def test_series_intervals_are_those_of_the_loop_by_hand():
    sample, new, spread = linear(n=30)
    band = series_band(sample, 40, 4, np.random.default_rng(5), new, spread, LM)
    drawn = draw_weights("block", 30, 40, np.random.default_rng(5), block=4)
    x, y, w = sample.objective.inputs, sample.objective.target, sample.weights
    fits = []
    for counts in drawn:
        kept = counts > 0
        fits.append(sm.WLS(y[kept], x[kept], weights=(counts * w)[kept]).fit())
    residual, centre = np.empty(30), np.zeros(3)
    for i in range(30):
        without = [fit for fit, counts in zip(fits, drawn, strict=True) if counts[i] == 0]
        residual[i] = y[i] - np.mean([fit.predict(x[i])[0] for fit in without])
        centre += np.mean([fit.predict(new) for fit in without], axis=0) / 30
    reach = order(np.abs(residual) * np.sqrt(w), ceil(0.9 * 31)) * spread
    lower, upper = band.bounds(0.1)
    assert_close(lower, centre - reach)
    assert_close(upper, centre + reach)


def test_rows_that_are_in_all_draws_are_missed():
    sample, new, spread = linear(n=30)
    with pytest.raises(SpecificationError, match="more draws"):
        series_band(sample, 2, 4, np.random.default_rng(0), new, spread, LM)


# -- the posterior ----------------------------------------------------------------------------


def test_the_posterior_is_the_inverse_of_the_hessian():
    sample = bent()
    problem, n = sample.objective, 80
    found = laplace_posterior(problem, sample.params[None], sample.alpha, sample.weights)

    def energy(theta):
        loss, penalty, _ = certificate(problem, theta, sample.weights, sample.alpha)
        return np.array([n * (loss + sample.alpha * penalty)])

    def gradient(theta):
        return helpers.numerical_jacobian(energy, theta, 1e-4)[0]

    hessian = helpers.numerical_jacobian(gradient, sample.params, 1e-4)
    df = n - 3
    variance = 2.0 * energy(sample.params)[0] / df
    matrix = found.roots[0] @ found.roots[0].T
    assert found.exact
    assert found.df == df
    assert_close(found.noise_variance, variance, 1e-12)
    assert np.abs(matrix @ hessian / variance - np.eye(len(hessian))).max() < 1e-3


def test_modes_are_mixed():
    one, other = bent(0.002, seed=1), bent(0.002, seed=1)
    second = solve(
        other.objective,
        [Chain.single(other.weights, other.network.init(np.random.default_rng(9)), 0.002)],
        LM,
    )[0].params
    both = np.stack([one.params, second])
    rows = one.objective.inputs[:6]
    parts = [
        posterior_moments(
            one.objective, laplace_posterior(one.objective, p[None], 0.002, one.weights), rows
        )
        for p in both
    ]
    mean, variance = posterior_moments(
        one.objective, laplace_posterior(one.objective, both, 0.002, one.weights), rows
    )
    means, variances = (np.array(values) for values in zip(*parts, strict=True))
    assert_close(mean, fitted(Ensemble(one.network, 2), both.ravel(), rows))
    assert_close(variance, variances.mean(axis=0) + means.var(axis=0))


def test_a_posterior_that_does_not_exist_is_refused():
    sample = bent()
    problem, params = sample.objective, sample.params[None]
    sparse = Objective(
        sample.network, problem.inputs, problem.target, ElasticNet(sample.network.penalised, 0.5)
    )
    with pytest.raises(SpecificationError, match="squared penalties"):
        laplace_posterior(sparse, params, 0.01, sample.weights)
    with pytest.raises(SpecificationError, match="not proper"):
        laplace_posterior(problem, np.zeros_like(params), 0.0, sample.weights)
    exact = Objective(sample.network, problem.inputs, problem.inputs[:, 1], problem.penalty)
    line = np.zeros(sample.network.n_params)
    line[1] = 1.0
    with pytest.raises(SpecificationError, match="residuals are zero"):
        laplace_posterior(exact, line[None], np.inf, sample.weights)
    few = Objective(sample.network, problem.inputs[:3], problem.target[:3], problem.penalty)
    with pytest.raises(SpecificationError, match="3 rows"):
        laplace_posterior(few, params, 0.01, sample.weights[:3])


# -- bootstrap --------------------------------------------------------------------------------


def test_percentiles_and_their_mirror_image():
    g = np.random.default_rng(0)
    estimate, draws = np.array([1.0, -2.0]), g.gamma(2.0, size=(999, 2))
    silent = np.zeros((999, 1))
    plain = BootstrapBand(estimate, draws, silent, np.ones(2), basic=False)
    mirrored = BootstrapBand(estimate, draws, silent, np.ones(2), basic=True)
    lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
    assert_close(np.array(plain.mean_bounds(0.1)), np.array([lower, upper]))
    assert_close(np.array(mirrored.mean_bounds(0.1)), 2.0 * estimate - np.array([upper, lower]))
    assert_close(np.array(plain.bounds(0.1)), np.array(plain.mean_bounds(0.1)))


def test_observations_add_a_disturbance(monkeypatch):
    g = np.random.default_rng(0)
    residual = g.standard_normal(50)
    noise = draw_noise(residual, 40.0, 2000, g)
    assert noise.shape == (2000, 2)
    assert_close(noise.var(), residual.var() * 50 / 40, 0.1)
    band = BootstrapBand(np.zeros(3), np.zeros((2000, 3)), noise, np.array([1.0, 2.0, 0.5]), False)
    lower, upper = band.bounds(0.2)
    expected = np.quantile(noise, [0.1, 0.9])
    assert_close(upper - lower, (expected[1] - expected[0]) * np.array([1.0, 2.0, 0.5]))
    monkeypatch.setattr("nnecon.inference.intervals.resampled.BLOCK", 1)
    assert_close(np.array(band.bounds(0.2)), np.array([lower, upper]), 1e-12)


def test_bands_say_from_which_level_on_they_are_finite():
    sample, new, spread = linear(n=12)
    part = np.arange(12)
    band = plus_band(sample, leave_out(sample, part, LM), part, new, spread, scaled=False)
    assert isinstance(band, PlusBand)
    assert band.least_alpha == 1 / 13
    assert np.isfinite(band.bounds(1 / 13)).all()
    assert np.isinf(band.bounds(0.99 / 13)).all()
