"""IPCA and its objective with a network: optimality, derivatives, what does not change them."""

import numpy as np
import pytest

from nnecon.estimation.autoencoding import Monitor
from nnecon.estimation.conditional_loadings import (
    LoadingSample,
    LoadingWork,
    PeriodBlocks,
    loading_kernels,
    minimise,
    positions_in_period,
    residuals,
)
from nnecon.estimation.instrumented_components import (
    CharacteristicSums,
    factors_given,
    instrumented_components,
)
from nnecon.estimation.kernels import double_precision
from nnecon.nets.conditional import ConditionalLoadings


def rows(seed: int = 0):
    """Characteristics, returns and periods of an unbalanced panel in order of time."""
    g = np.random.default_rng(seed)
    counts = g.integers(8, 20, 25)
    codes = np.repeat(np.arange(25), counts)
    exog = g.standard_normal((len(codes), 4)) * [1.0, 5.0, 0.2, 1.0]
    factors = g.standard_normal((25, 2))
    gamma = g.standard_normal((4, 2))
    endog = np.einsum("nk,nk->n", exog @ gamma, factors[codes]) + g.standard_normal(len(codes))
    return exog, endog, codes


def sums(exog, endog, codes):
    return CharacteristicSums.of(exog, endog, np.searchsorted(codes, np.arange(codes[-1] + 1)))


def profile(exog, endog, codes, gamma):
    total = 0.0
    for t in range(codes[-1] + 1):
        b, r = exog[codes == t] @ gamma, endog[codes == t]
        total += float(((r - b @ np.linalg.lstsq(b, r, rcond=None)[0]) ** 2).sum())
    return total


def test_ipca_is_stationary_and_sums_say_all_about_it():
    data = rows()
    found = instrumented_components(sums(*data), 2, 4, np.random.default_rng(0))
    assert found.value == pytest.approx(profile(*data, found.gamma), rel=1e-10)
    assert found.certificate < 1e-11
    slopes = []
    for i in range(4):
        for j in range(2):
            step = np.zeros((4, 2))
            step[i, j] = 1e-5
            up, down = profile(*data, found.gamma + step), profile(*data, found.gamma - step)
            slopes.append((up - down) / 2e-5)
    assert np.abs(slopes).max() < 1e-4 * found.value
    factors = factors_given(sums(*data), found.gamma)
    t = 7
    b = data[0][data[2] == t] @ found.gamma
    expected = np.linalg.lstsq(b, data[1][data[2] == t], rcond=None)[0]
    np.testing.assert_allclose(factors[t], expected, rtol=1e-9)


def test_ipca_with_as_many_factors_as_characteristics_is_period_by_period_least_squares():
    exog, endog, codes = rows()
    found = instrumented_components(sums(exog, endog, codes), 4, 3, np.random.default_rng(0))
    assert found.value == pytest.approx(profile(exog, endog, codes, np.eye(4)), rel=1e-10)


def test_ipca_does_not_depend_on_units():
    exog, endog, codes = rows()
    scale = np.array([1e4, 1.0, 1e-4, 3.0])
    first = instrumented_components(sums(exog, endog, codes), 2, 4, np.random.default_rng(0))
    other = instrumented_components(
        sums(exog * scale, endog, codes), 2, 4, np.random.default_rng(0)
    )
    assert other.value == pytest.approx(first.value, rel=1e-9)


def blocks_of(exog, endog, codes):
    standard = exog / exog.std(axis=0)
    return PeriodBlocks.of(standard, standard, endog / np.sqrt(np.mean(endog**2)), codes)


NETWORK = ConditionalLoadings(4, 4, (3,), 2, "tanh")


def start_of(seed: int = 0):
    g = np.random.default_rng(seed)
    return NETWORK.init(g, g.standard_normal((4, 2)), 0.5)


def objective(params, blocks, periods, alpha):
    with double_precision():
        value, gradient = loading_kernels(NETWORK).value_gradient(
            params, *blocks.arguments(periods), alpha
        )
        return float(value), np.asarray(gradient)


def test_gradient_is_that_of_the_objective():
    blocks, periods = blocks_of(*rows()), np.ones(25)
    periods[3] = 0.0
    params = start_of()
    value, gradient = objective(params, blocks, periods, 0.1)
    for j in np.random.default_rng(1).choice(len(params), 12, replace=False):
        step = np.zeros(len(params))
        step[j] = 1e-6
        up, down = (objective(params + s * step, blocks, periods, 0.1)[0] for s in (1, -1))
        assert (up - down) / 2e-6 == pytest.approx(gradient[j], rel=1e-5, abs=1e-8)
    assert value > 0


def test_objective_is_least_squares_within_periods_and_a_penalty_on_what_units_add():
    exog, endog, codes = rows()
    blocks, alpha, params = blocks_of(exog, endog, codes), 0.2, start_of()
    standard, r = exog / exog.std(axis=0), endog / np.sqrt(np.mean(endog**2))
    layer = NETWORK.layers[0]
    weights, bias = params[layer.weights].reshape(3, 4), params[layer.bias]
    units = np.tanh(standard @ weights.T + bias)
    coefficients = params[NETWORK.output].reshape(-1, 2)
    loadings = np.column_stack([standard, units]) @ coefficients
    loss, factors = 0.0, []
    for t in range(25):
        b, own = loadings[codes == t], r[codes == t]
        factors.append(np.linalg.lstsq(b, own, rcond=None)[0])
        loss += float(((own - b @ factors[-1]) ** 2).sum())
    added = np.array(factors) @ coefficients[4:].T
    size = NETWORK.penalised @ params**2 + (added**2).mean(axis=0).sum()
    expected = loss / (2 * len(r)) + 0.5 * alpha * size
    assert objective(params, blocks, np.ones(25), alpha)[0] == pytest.approx(expected, rel=1e-9)
    left = residuals(NETWORK, blocks, params)
    assert (left**2).sum() == pytest.approx(loss, rel=1e-9)


def test_turning_the_factors_changes_nothing():
    blocks, params = blocks_of(*rows()), start_of()
    turned = params.copy()
    matrix = np.array([[2.0, -1.0], [0.3, 40.0]])
    turned[NETWORK.output] = (params[NETWORK.output].reshape(-1, 2) @ matrix).ravel()
    first, second = (objective(p, blocks, np.ones(25), 0.1)[0] for p in (params, turned))
    assert second == pytest.approx(first, rel=1e-9)


def test_periods_without_weight_do_not_matter():
    exog, endog, codes = rows()
    periods = np.ones(25)
    periods[[0, 24]] = 0.0
    other = endog.copy()
    other[(codes == 0) | (codes == 24)] *= 3.0
    unit = np.sqrt(np.mean(endog**2))
    standard = exog / exog.std(axis=0)
    values = [
        objective(start_of(), PeriodBlocks.of(standard, standard, r / unit, codes), periods, 0.1)[0]
        for r in (endog, other)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_paths_are_no_worse_than_a_solve_from_their_neighbours():
    blocks, periods = blocks_of(*rows()), np.ones(25)
    alphas = np.array([0.03, 0.01, 0.003])
    starts = np.stack([start_of(seed) for seed in range(2)])
    sample = LoadingSample(periods, starts, 10.0)
    path = LoadingWork(NETWORK, blocks, alphas, 0)([sample], Monitor())[0]
    assert not path.linear.any() and (np.diff(path.objective) < 0).all()
    for at, alpha in enumerate(alphas):
        with double_precision():
            again = minimise(NETWORK, blocks, periods, path.params[at], alpha, 2000, Monitor())
        assert again.value <= path.objective[at] * (1 + 1e-9)
        assert again.certificate < 1e-4
    dead = LoadingWork(NETWORK, blocks, alphas, 0)([LoadingSample(periods, starts, 0.0)], Monitor())
    assert dead[0].linear.all() and not dead[0].params.any()


def test_thinned_blocks_keep_every_period_and_no_row_twice():
    g = np.random.default_rng(0)
    codes = np.repeat(np.arange(25), g.integers(10, 200, 25))
    exog, endog = g.standard_normal((len(codes), 2)), g.standard_normal(len(codes))
    exog[:, 0] = np.arange(len(exog))
    blocks = PeriodBlocks.of(exog, exog, endog, codes)
    few = blocks.thinned(1000, g)
    chosen = few.linear[few.known > 0][:, 0].astype(int)
    assert len(np.unique(chosen)) == len(chosen)
    np.testing.assert_array_equal(np.bincount(codes[chosen]), np.minimum(np.bincount(codes), 40))
    np.testing.assert_array_equal(few.endog[few.known > 0], endog[chosen])
    assert blocks.thinned(10**6, g) is blocks


def test_rows_in_any_order_get_places_of_their_own():
    codes = np.array([2, 0, 2, 1, 0, 2])
    np.testing.assert_array_equal(positions_in_period(codes), [0, 0, 1, 0, 1, 2])
