"""Fitted values and sums of derivatives of any network on given rows, one face for all.

``normal`` and ``bending`` make up the Hessian of a weighted mean loss; a network with one hidden
layer has them in closed form (:mod:`nnecon.nets.one_layer`), others by differentiation.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nnecon.estimation.kernels import Kernels, kernels
from nnecon.estimation.losses import Loss
from nnecon.nets import Dense, Network
from nnecon.nets.one_layer import Hessian, OneLayer


class LocalModel(Protocol):
    """What a second-order method asks of a network; ``state`` is whatever ``evaluate`` gave."""

    def evaluate(self, params: np.ndarray) -> tuple[np.ndarray, Any]:
        """Fitted values (n,) and a state."""
        ...

    def gradient(self, state: Any, slope: np.ndarray) -> np.ndarray:
        """``J' slope``."""
        ...

    def hessian(
        self, state: Any, curvature: np.ndarray, slope: np.ndarray | None = None
    ) -> Hessian:
        """``J' diag(curvature) J``, plus the second derivatives where ``slope`` is given."""
        ...

    def normal(self, state: Any, curvature: np.ndarray) -> np.ndarray:
        """``J' diag(curvature) J``."""
        ...

    def bending(self, state: Any, slope: np.ndarray) -> np.ndarray:
        """Sum of ``slope_i`` times the second derivatives of row i."""
        ...

    def jacobian(self, state: Any) -> np.ndarray:
        """``J``, shape (n, k)."""
        ...


@dataclass(slots=True, eq=False)
class _State:
    params: np.ndarray
    jacobian: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Differentiated:
    """Any network, by compiled automatic differentiation."""

    kernels: Kernels
    inputs: np.ndarray

    def evaluate(self, params: np.ndarray) -> tuple[np.ndarray, _State]:
        """Fitted values; derivatives are taken when they are asked for."""
        return np.asarray(self.kernels.fitted(params, self.inputs)), _State(params)

    def gradient(self, state: _State, slope: np.ndarray) -> np.ndarray:
        """``J' slope``."""
        return slope @ self.jacobian(state)

    def hessian(
        self, state: _State, curvature: np.ndarray, slope: np.ndarray | None = None
    ) -> Hessian:
        """``J' diag(curvature) J``, plus the second derivatives where ``slope`` is given."""
        matrix = self.normal(state, curvature)
        diagonal = np.diagonal(matrix).copy()
        return Hessian(matrix if slope is None else matrix + self.bending(state, slope), diagonal)

    def normal(self, state: _State, curvature: np.ndarray) -> np.ndarray:
        """``J' diag(curvature) J``."""
        scaled = np.sqrt(curvature)[:, None] * self.jacobian(state)
        return scaled.T @ scaled

    def bending(self, state: _State, slope: np.ndarray) -> np.ndarray:
        """Sum of second derivatives."""
        return np.asarray(self.kernels.bending(state.params, self.inputs, slope))

    def jacobian(self, state: _State) -> np.ndarray:
        """Derivatives of the fitted values."""
        if state.jacobian is None:
            state.jacobian = np.asarray(self.kernels.jacobian(state.params, self.inputs))
        return state.jacobian


@dataclass(frozen=True, slots=True, eq=False)
class Rows(Differentiated):
    """Fitted values and derivatives of the first ``count`` rows, in the precision of ``inputs``.

    The other rows fill the inputs up to a number that is compiled already. Numbers come back in
    double precision.
    """

    count: int

    def evaluate(self, params: np.ndarray) -> tuple[np.ndarray, _State]:
        """Fitted values; derivatives are taken when they are asked for."""
        fitted = self.kernels.fitted(params.astype(self.inputs.dtype), self.inputs)
        return np.asarray(fitted, dtype=float)[: self.count], _State(params)

    def jacobian(self, state: _State) -> np.ndarray:
        """Derivatives of the fitted values, shape (count, k)."""
        if state.jacobian is None:
            found = self.kernels.jacobian(state.params.astype(self.inputs.dtype), self.inputs)
            state.jacobian = np.asarray(found)[: self.count].astype(float)
        return state.jacobian

    def course(self, params: np.ndarray, slope: np.ndarray) -> Any:
        """What products with second derivatives, weighted by ``slope`` (count,), share."""
        kind = self.inputs.dtype
        weights = np.zeros(len(self.inputs), kind)
        weights[: self.count] = slope
        return self.kernels.course(params.astype(kind), self.inputs, weights)

    def bend(self, course: Any, vector: np.ndarray) -> np.ndarray:
        """Second derivatives times a vector (k,)."""
        return np.asarray(self.kernels.bend(course, vector.astype(self.inputs.dtype)), dtype=float)


def local_model(
    network: Network, loss: Loss, inputs: np.ndarray, *, rough: bool = False
) -> LocalModel:
    """The quickest way to the derivatives of ``network`` on the rows ``inputs``.

    With ``rough``, sums of second derivatives may be in single precision.
    """
    if isinstance(network, Dense) and len(network.hidden) == 1:
        return OneLayer.on(network, inputs, np.float32 if rough else np.float64)
    return Differentiated(kernels(network, loss), inputs)
