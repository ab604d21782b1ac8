"""Penalties: values, proximal operators, and zeros exactly where the conditions say so."""

import numpy as np
import pytest
from scipy.optimize import minimize

from nnecon.estimation.penalties import ElasticNet, GroupLasso, Ridge, input_groups
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense

PENALISED = np.array([0.0, 0, 1, 1, 1, 1, 1, 1])
GROUPS = (np.array([2, 4]), np.array([3, 5, 6]))
AT = np.array([1.0, -2, 0.5, -1, 2, 0.3, -0.7, 1.5])
KINKED = [ElasticNet(PENALISED, 0.4), ElasticNet(PENALISED, 1.0)]
KINKED += [GroupLasso(PENALISED, share, GROUPS) for share in (0.3, 1.0)]


def test_values_by_hand():
    squares = AT[2:] @ AT[2:]
    assert Ridge(PENALISED).value(AT) == pytest.approx(squares / 2)
    expected = 0.6 * squares / 2 + 0.4 * np.abs(AT[2:]).sum()
    assert ElasticNet(PENALISED, 0.4).value(AT) == pytest.approx(expected)
    first, second = AT[[2, 4]], AT[[3, 5, 6]]
    norms = np.sqrt(2) * np.sqrt(first @ first) + np.sqrt(3) * np.sqrt(second @ second)
    expected = 0.7 * (first @ first + second @ second) / 2 + 0.3 * norms + AT[7] ** 2 / 2
    assert GroupLasso(PENALISED, 0.3, GROUPS).value(AT) == pytest.approx(expected)


@pytest.mark.parametrize("penalty", KINKED)
@pytest.mark.parametrize("step", [0.1, 0.4, 1.0])
def test_the_proximal_operator_minimises(penalty, step):
    found = penalty.shrink(AT, step)

    def target(params):
        return 0.5 * np.sum((params - AT) ** 2) + step * penalty.kinks.value(params)

    best = target(found)
    g = np.random.default_rng(0)
    for size in (1e-6, 1e-3, 0.1, 1.0):
        for _ in range(50):
            assert target(found + size * g.standard_normal(8)) >= best - 1e-13
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20000, "maxfev": 20000, "adaptive": True}
    searched = minimize(target, AT * 0.9, method="Nelder-Mead", options=options)
    assert best <= searched.fun + 1e-12
    np.testing.assert_allclose(searched.x, found, atol=2e-3)


@pytest.mark.parametrize("penalty", KINKED)
def test_the_classical_part_is_never_shrunk(penalty):
    found = penalty.shrink(AT, 100.0)
    np.testing.assert_array_equal(found[:2], AT[:2])
    assert (found[penalty.kinks.inside] == 0).all()


@pytest.mark.parametrize("penalty", KINKED)
def test_slope_and_curvature_are_derivatives(penalty):
    kinks, step = penalty.kinks, 1e-6
    moves = step * np.eye(8)
    slope = [(kinks.value(AT + m) - kinks.value(AT - m)) / (2 * step) for m in moves]
    np.testing.assert_allclose(kinks.slope(AT), slope, atol=1e-8)
    curvature = [(kinks.slope(AT + m) - kinks.slope(AT - m)) / (2 * step) for m in moves]
    np.testing.assert_allclose(kinks.curvature(AT), curvature, atol=1e-8)
    np.testing.assert_allclose(kinks.bend(AT), np.diag(kinks.curvature(AT)), atol=1e-12)


@pytest.mark.parametrize("penalty", KINKED)
def test_violation_is_zero_at_the_proximal_point_alone(penalty):
    # the proximal point solves min 0.5 |p - at|^2 + alpha * kinks(p), whose gradient is p - at
    alpha = 0.4
    found = penalty.shrink(AT, alpha)
    np.testing.assert_allclose(penalty.violation(found - AT, found, alpha), 0.0, atol=1e-14)
    other = found + 0.1
    assert penalty.violation(other - AT, other, alpha).max() > 0.05


def test_violation_at_zero_is_the_distance_from_the_subdifferential():
    zero, gradient = np.zeros(8), np.array([0.2, 0, 0.5, -0.3, 0.5, 0.3, 0.3, 0.1])
    single = ElasticNet(PENALISED, 1.0).violation(gradient, zero, 0.4)
    np.testing.assert_allclose(single, [0.2, 0, 0.1, 0, 0.1, 0, 0, 0])
    group = GroupLasso(PENALISED, 1.0, GROUPS).violation(gradient, zero, 0.4)
    # the first group pulls with 0.5 sqrt(2) against 0.4 sqrt(2), the second with less
    assert np.linalg.norm(group[[2, 4]]) == pytest.approx(0.1 * np.sqrt(2))
    np.testing.assert_array_equal(group[[3, 5, 6]], 0.0)
    np.testing.assert_allclose(group[[0, 1, 7]], [0.2, 0, 0.1])


def test_no_share_is_ridge():
    gradient = np.linspace(-1, 1, 8)
    for penalty in (ElasticNet(PENALISED, 0.0), GroupLasso(PENALISED, 0.0, GROUPS)):
        assert penalty.smooth
        assert penalty.value(AT) == pytest.approx(Ridge(PENALISED).value(AT))
        np.testing.assert_array_equal(penalty.shrink(AT, 5.0), AT)
        np.testing.assert_array_equal(penalty.violation(gradient, AT, 1.0), np.abs(gradient))
        np.testing.assert_array_equal(penalty.ridge, PENALISED)


def test_output_weights_stay_bounded_at_every_share():
    """Weights into the units cannot shrink at no cost while those out of them grow."""
    network = Dense(1, 2, (3,), "tanh")
    penalised = network.neural.astype(float)
    groups = tuple(input_groups(network, {"a": [0], "b": [1]}, [0, 1]).values())
    params = network.init(np.random.default_rng(0))
    for penalty in (ElasticNet(penalised, 1.0), GroupLasso(penalised, 1.0, groups)):
        values = []
        for factor in 10.0 ** np.arange(5):
            scaled = params.copy()
            scaled[network.layers[0].weights] /= factor
            scaled[-3:] *= factor
            values.append(penalty.value(scaled))
        assert values[-1] > 100 * values[0]


def test_groups_of_a_variable_hold_all_weights_that_leave_its_columns():
    network = Dense(4, 3, (2,), "tanh")
    groups = input_groups(network, {"x": [1], "region": [2, 3], "const": [0]}, [1, 2, 3])
    assert list(groups) == ["x", "region"]
    names = network.names(("c", "x", "r2", "r3"), ("x", "r2", "r3"))
    assert [names[at] for at in groups["x"]] == ["h1.1:x", "h1.2:x"]
    assert {names[at] for at in groups["region"]} == {
        "h1.1:r2", "h1.2:r2", "h1.1:r3", "h1.2:r3"
    }  # fmt: skip


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan, True, "1", None])
def test_shares_that_are_none_are_named(share):
    with pytest.raises(SpecificationError, match="L1_wt="):
        ElasticNet(PENALISED, share)
    with pytest.raises(SpecificationError, match="L1_wt="):
        GroupLasso(PENALISED, share, GROUPS)


def test_groups_that_cannot_be_are_named():
    with pytest.raises(SpecificationError, match="overlap"):
        GroupLasso(PENALISED, 0.5, (np.array([2, 3]), np.array([3, 4])))
    with pytest.raises(SpecificationError, match="classical part"):
        GroupLasso(PENALISED, 0.5, (np.array([1, 2]),))
