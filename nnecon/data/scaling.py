"""From the user's columns to the standardised rows that a network is estimated on, and back."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Which design columns enter where, and their location and scale.

    A row is ``[linear regressors, network inputs]``. With a constant among the columns, linear
    regressors are centred; without one only scaled, as centring would bring an intercept back.
    Network inputs are always centred.

    Parameters
    ----------
    linear, inputs : ndarray of int
        Positions of the design columns of each part.
    linear_shift, linear_scale, input_shift, input_scale : ndarray
        One number a column of the part.
    target_shift, target_scale : float
        Location and scale of the dependent variable, in its units.
    const : int or None
        Position of the constant among the linear regressors.
    """

    linear: np.ndarray
    inputs: np.ndarray
    linear_shift: np.ndarray
    linear_scale: np.ndarray
    input_shift: np.ndarray
    input_scale: np.ndarray
    target_shift: float
    target_scale: float
    const: int | None

    @classmethod
    def identity(cls, n_columns: int) -> "Scaling":
        """Rows are the design columns themselves, for a network that the user wrote."""
        columns, none = np.arange(n_columns), np.arange(0)
        zeros, ones = np.zeros(n_columns), np.ones(n_columns)
        return cls(columns, none, zeros, ones, np.zeros(0), np.ones(0), 0.0, 1.0, None)

    @classmethod
    def standardise(
        cls,
        endog: np.ndarray,
        exog: np.ndarray,
        weights: np.ndarray,
        const: int | None,
        linear_part: bool,
        neural: bool,
    ) -> "Scaling":
        """Weighted means and standard deviations of the sample.

        Without ``linear_part`` the linear regressors are the constant alone; without ``neural``
        there are no network inputs.
        """
        columns = np.arange(exog.shape[1])
        others = columns[columns != const] if const is not None else columns
        linear = columns if linear_part else columns[columns == const]
        inputs = others if neural else others[:0]
        mean = np.average(exog, axis=0, weights=weights)
        scale = np.sqrt(np.average((exog - mean) ** 2, axis=0, weights=weights))
        size = np.sqrt(np.average(exog**2, axis=0, weights=weights))
        flat = scale <= 1e-12 * size
        scale = np.where(flat, np.where(size > 0, size, 1.0), scale)
        centre = float(np.average(endog, weights=weights)) if const is not None else 0.0
        spread = float(np.sqrt(np.average((endog - centre) ** 2, weights=weights)))
        linear_shift = mean[linear] if const is not None else np.zeros(len(linear))
        linear_scale = scale[linear] if const is not None else size[linear]
        linear_scale = np.where(linear_scale > 0, linear_scale, 1.0)
        at = None
        if const is not None:
            at = int(np.flatnonzero(linear == const)[0])
            linear_shift[at], linear_scale[at] = 0.0, exog[0, const]
        return cls(
            linear,
            inputs,
            linear_shift,
            linear_scale,
            mean[inputs],
            scale[inputs],
            centre,
            spread if spread > 0 else 1.0,
            at,
        )

    def beside(self, columns: np.ndarray) -> "Scaling":
        """The same beside some of the linear regressors, a constant the first of them."""
        return replace(
            self,
            linear=self.linear[columns],
            linear_shift=self.linear_shift[columns],
            linear_scale=self.linear_scale[columns],
        )

    def rows(self, exog: np.ndarray) -> np.ndarray:
        """Rows of linear regressors and network inputs, from design columns (..., p)."""
        linear = (exog[..., self.linear] - self.linear_shift) / self.linear_scale
        inputs = (exog[..., self.inputs] - self.input_shift) / self.input_scale
        return np.concatenate([linear, inputs], axis=-1)

    def directions(self, derivatives: np.ndarray) -> np.ndarray:
        """Derivatives of the rows, from derivatives of the design columns."""
        linear = derivatives[..., self.linear] / self.linear_scale
        inputs = derivatives[..., self.inputs] / self.input_scale
        return np.concatenate([linear, inputs], axis=-1)

    def target(self, endog: np.ndarray) -> np.ndarray:
        """Standardised dependent variable."""
        return (endog - self.target_shift) / self.target_scale

    def restore(self, value: np.ndarray) -> np.ndarray:
        """Dependent variable in the user's units."""
        return self.target_shift + self.target_scale * value
