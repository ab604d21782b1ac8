"""Transitions whose singular values are bounded: range, inverse, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnecon.estimation.kernels import double_precision
from nnecon.exceptions import SpecificationError
from nnecon.nets.contraction import CEILING, bend, contraction, derivative, expansion

MATRIX = np.random.default_rng(0).normal(size=(3, 3))


def within(matrix):
    with double_precision():
        return np.asarray(contraction(jnp.asarray(matrix)))


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 100.0])
def test_singular_values_stay_under_the_ceiling(scale):
    found = within(scale * MATRIX)
    assert np.linalg.svd(found)[1].max() <= CEILING * (1.0 + 1e-12)
    np.testing.assert_allclose(within(expansion(found)), found, atol=1e-12)


def test_the_ceiling_is_reached_at_finite_parameters():
    rotation = np.linalg.qr(MATRIX)[0]
    np.testing.assert_allclose(within(rotation), CEILING * rotation, atol=1e-12)
    np.testing.assert_allclose(expansion(CEILING * rotation), rotation, atol=1e-7)
    # only rotations are left: three directions of nine
    moving = np.linalg.svd(derivative(rotation))[1]
    np.testing.assert_allclose(moving[3:], 0.0, atol=1e-12)
    assert moving[2] > 0.5
    with pytest.raises(SpecificationError, match="singular value of 1"):
        expansion(1.5 * rotation)


def test_derivatives():
    slope = np.random.default_rng(1).normal(size=(3, 3))
    with double_precision():
        first = jax.jacfwd(contraction)(MATRIX).reshape(9, 9)
        second = jax.hessian(lambda at: jnp.sum(slope * contraction(at)))(MATRIX).reshape(9, 9)
        np.testing.assert_allclose(derivative(MATRIX), first, atol=1e-12)
        np.testing.assert_allclose(bend(MATRIX, slope), second, atol=1e-12)
