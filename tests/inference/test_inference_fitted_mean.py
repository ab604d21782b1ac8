"""Numbers of the estimated mean: values, gradients and shares of networks by finite differences."""

import numpy as np
import pytest
from helpers import numerical_jacobian

from nnecon.data.scaling import Scaling
from nnecon.inference.fitted_mean import FittedMean, LinearMean, with_covariance
from nnecon.nets import Dense

MEASURES = ["level", "slope", "log_slope", "log_level"]


@pytest.fixture(params=[1, 3], ids=["one network", "three networks"])
def setting(request):
    g = np.random.default_rng(4)
    exog = np.column_stack([np.ones(14), g.standard_normal((14, 3)) * [1.0, 5.0, 0.2]])
    endog, weights = 40.0 + 3.0 * g.standard_normal(14), g.uniform(0.5, 2.0, 14)
    scaling = Scaling.standardise(endog, exog, weights, 0, True, True)
    network = Dense(4, 3, (3,), "tanh")
    members = g.standard_normal((request.param, network.n_params))
    directions = g.standard_normal(exog.shape)
    return FittedMean(network, members, scaling), exog, directions, weights / weights.sum()


def measured(mean, measure, exog, directions, weights):
    given = (exog, directions, weights) if "slope" in measure else (exog, weights)
    return getattr(mean, measure)(*given)


def by_hand(mean, measure, exog, directions, weights):
    """From values of the mean alone."""
    values = mean.values(exog)
    step = 1e-5
    up, down = mean.values(exog + step * directions), mean.values(exog - step * directions)
    slopes = (up - down) / (2 * step)
    rows = {
        "level": values,
        "slope": slopes,
        "log_slope": slopes / values,
        "log_level": np.log(np.abs(values)),
    }
    return weights @ rows[measure]


@pytest.mark.parametrize("measure", MEASURES)
def test_value_and_gradient(setting, measure):
    mean, *rest = setting
    number = measured(mean, measure, *rest)
    assert number.value == pytest.approx(by_hand(mean, measure, *rest), rel=1e-7)

    def value(params):
        there = FittedMean(mean.network, params.reshape(mean.members.shape), mean.scaling)
        return measured(there, measure, *rest).value

    expected = numerical_jacobian(value, mean.members.ravel())
    np.testing.assert_allclose(number.gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("measure", MEASURES)
def test_shares_of_networks(setting, measure):
    """A network's share moves the number as one more copy of it in a large ensemble would."""
    mean, *rest = setting
    number = measured(mean, measure, *rest)
    if len(mean.members) == 1:
        assert number.by_network.shape == (1,)
        return
    copies = 400
    moves = []
    for member in mean.members:
        many = np.concatenate([np.repeat(mean.members, copies, axis=0), member[None]])
        there = FittedMean(mean.network, many, mean.scaling)
        moves.append(measured(there, measure, *rest).value - number.value)
    expected = np.array(moves) * (copies * len(mean.members) + 1)
    own = number.by_network - number.by_network.mean()
    np.testing.assert_allclose(own, expected - expected.mean(), rtol=0.01, atol=1e-3)


def test_a_linear_network_is_the_linear_mean():
    g = np.random.default_rng(5)
    exog, directions = g.standard_normal((2, 9, 3))
    coefficients, weights = np.array([0.3, -1.0, 2.0]), g.uniform(size=9)
    exog[:, 0] += 20.0
    linear = LinearMean(coefficients)
    network = FittedMean(Dense(3, 0, (), "tanh"), coefficients[None], Scaling.identity(3))
    np.testing.assert_allclose(linear.values(exog), network.values(exog))
    for measure in MEASURES:
        one = measured(linear, measure, exog, directions, weights)
        other = measured(network, measure, exog, directions, weights)
        assert one.value == pytest.approx(other.value, rel=1e-12)
        np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-10, atol=1e-14)


def test_covariance_of_numbers(setting):
    mean, exog, directions, weights = setting
    g = np.random.default_rng(6)
    size = mean.members.size
    factor = g.standard_normal((size, size))
    found = [mean.level(exog, weights), mean.slope(exog, directions, weights)]
    numbers = with_covariance(found, factor @ factor.T)
    gradient = np.array([one.gradient for one in found])
    expected = gradient @ factor @ factor.T @ gradient.T
    if len(mean.members) > 1:
        alone = [FittedMean(mean.network, one[None], mean.scaling) for one in mean.members]
        values = np.array(
            [
                [one.level(exog, weights).value, one.slope(exog, directions, weights).value]
                for one in alone
            ]
        )
        np.testing.assert_allclose(values.mean(axis=0), numbers.values)
        spread = np.cov(values.T) / len(alone)
        np.testing.assert_allclose(numbers.from_starts, np.sqrt(np.diag(spread)))
        expected = expected + spread
    np.testing.assert_allclose(numbers.covariance, expected)
    np.testing.assert_allclose(numbers.errors**2, np.diag(expected))
