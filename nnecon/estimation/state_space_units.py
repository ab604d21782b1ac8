"""Parameters of a state-space network in the user's units, and of the standardised data."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnecon.nets.state_space import StateSpaceNetwork


@dataclass(frozen=True, eq=False)
class Units:
    """How data were standardised, and what that does to parameters.

    States have no units and stay as they are.

    Parameters
    ----------
    network : StateSpaceNetwork
    shift, scale : ndarray of shape (m,)
        Of the series.
    exog_shift, exog_scale : ndarray of shape (q,)
        Of the known regressors.
    """

    network: StateSpaceNetwork
    shift: np.ndarray
    scale: np.ndarray
    exog_shift: np.ndarray
    exog_scale: np.ndarray

    def _part(self, params: np.ndarray, name: str) -> np.ndarray:
        where, shape = self.network.blocks[name]
        return params[where].reshape(shape)

    @property
    def _entering(self) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of what enters the state."""
        seen = list(self.network.seen)
        shift, scale = self.exog_shift[seen], self.exog_scale[seen]
        if not self.network.innovations:
            return shift, scale
        return np.concatenate([self.shift, shift]), np.concatenate([self.scale, scale])

    def to_user(self, params: np.ndarray) -> np.ndarray:
        """Parameters (k,) of the data in the user's units from those of the standardised data."""
        return self._moved(params, self.scale, self.exog_scale, self._entering[1], back=False)

    def to_standard(self, params: np.ndarray) -> np.ndarray:
        """The other way round."""
        own = 1.0 / self.scale, 1.0 / self.exog_scale, 1.0 / self._entering[1]
        return self._moved(params, *own, back=True)

    def _moved(self, params, scale, exog_scale, entering_scale, back: bool) -> np.ndarray:
        network = self.network
        lags, exog = self._part(params, "lags"), self._part(params, "exog")
        inputs = self._part(params, "inputs")
        new_lags = scale[:, None] * lags / scale
        new_inputs = inputs / entering_scale
        new_exog = scale[:, None] * exog / exog_scale if network.linear_exog else exog
        const, bias = self._part(params, "const"), self._part(params, "bias")
        # levels are those of the user's units in both directions
        level_lags, level_exog = (lags, exog) if back else (new_lags, new_exog)
        level_inputs = inputs if back else new_inputs
        known = level_lags.sum(axis=0) @ self.shift
        if network.linear_exog:
            known = known + level_exog @ self.exog_shift
        level = level_inputs @ self._entering[0]
        if back:
            const, bias = scale * (const + known - self.shift), bias + level
        else:
            const, bias = self.shift + scale * const - known, bias - level
        changed = {
            "const": const,
            "lags": new_lags,
            "exog": new_exog,
            "loading": scale[:, None] * self._part(params, "loading"),
            "bias": bias,
            "inputs": new_inputs,
            "factor": self._factor_scale(scale) * self._part(params, "factor"),
        }
        moved = np.array(params, dtype=float)
        for name, values in changed.items():
            moved[network.blocks[name][0]] = values.ravel()
        return moved

    def _factor_scale(self, scale: np.ndarray) -> np.ndarray:
        if self.network.errors == "diagonal":
            return scale
        return scale[np.tril_indices(len(scale))[0]]

    @cached_property
    def slope(self) -> np.ndarray:
        """Derivative (k, k) of the user's parameters by those of the standardised data."""
        k = self.network.n_params
        zero = self.to_user(np.zeros(k))
        return np.stack([self.to_user(row) - zero for row in np.eye(k)], axis=1)

    def series(self, values: np.ndarray) -> np.ndarray:
        """Series (..., m) in the user's units."""
        return self.shift + self.scale * values

    def covariance(self, values: np.ndarray) -> np.ndarray:
        """Covariances (..., m, m) of series in the user's units."""
        return self.scale[:, None] * values * self.scale
