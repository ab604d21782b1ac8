"""Average effects of lags: how much a series moves the forecast, one lag at a time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnecon.data.scaling import Scaling
from nnecon.data.windows import Layout
from nnecon.inference.effects import average_gradient
from nnecon.nets import LinearPart


@dataclass(frozen=True, slots=True, eq=False)
class LagEffects:
    """Average derivatives of a one-step forecast by each lag of each series.

    Parameters
    ----------
    network : LinearPart
        The network.
    layout : Layout
        Where each lag enters.
    scaling : Scaling
        Of the equation.
    rows : ndarray of shape (n, r)
        Standardised rows of the sample.
    names : tuple of str
        The series.
    """

    network: LinearPart
    layout: Layout
    scaling: Scaling
    rows: np.ndarray
    names: tuple[str, ...]

    def __call__(self, draws: np.ndarray, held: np.ndarray) -> pd.Series:
        """Effects of the mean of ``draws`` (d, k), by ``L1.growth`` and so on, in their units.

        ``held`` (p,) are coefficients of linear regressors that are not among the parameters.
        """
        layout, scaling = self.layout, self.scaling
        weights = np.full(len(self.rows), 1.0 / len(self.rows))
        slopes = [average_gradient(self.network, one, self.rows, weights) for one in draws]
        slope = np.mean(slopes, axis=0) * scaling.target_scale
        slope = slope / np.concatenate([scaling.linear_scale, scaling.input_scale])
        every = np.concatenate([held, np.zeros(layout.n_network)])
        every[np.concatenate([scaling.linear, scaling.inputs])] = slope
        effects = {}
        for lag in layout.effect_lags:
            for at, name in enumerate(self.names):
                places = layout.linear_column(at, lag), layout.network_column(at, lag)
                effects[f"L{lag}.{name}"] = sum(every[j] for j in places if j is not None)
        return pd.Series(effects, dtype=float)
