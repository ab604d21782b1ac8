"""Generalised impulse responses: what a shock changes, on average over histories."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.report import plots


@dataclass(frozen=True, slots=True, eq=False)
class ImpulseResponses:
    """Responses of all series to one shock.

    Made by ``girf``.

    Attributes
    ----------
    impulse : str
        Series that is shocked.
    size : float
        Size of the shock, in units of the series.
    history : str
        Which histories the responses are averaged over.
    names : tuple of str
        Series that respond.
    mean, lower, upper : ndarray of shape (h + 1, m)
        Responses from the period of the shock on, and the ends of their intervals.
    level : float
        Level of the intervals.
    reference : ndarray of shape (h + 1, m)
        Responses of the vector autoregression to the same shock.
    projections : ndarray of shape (h + 1, m) or None
        Those of local projections (Jorda, 2005), over all histories; None without the first lag.
    linear : bool
        Whether the responses themselves are those of a linear system.
    """

    impulse: str
    size: float
    history: str
    names: tuple[str, ...]
    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float
    reference: np.ndarray
    projections: np.ndarray | None = None
    linear: bool = False

    def to_frame(self) -> pd.DataFrame:
        """Responses by horizon; columns are two levels, the series and what it is.

        ``mean``, ``lower``, ``upper``, ``var`` (the vector autoregression), ``lp`` (projections).
        """
        parts = {"mean": self.mean, "lower": self.lower, "upper": self.upper, "var": self.reference}
        if self.projections is not None:
            parts["lp"] = self.projections
        columns = {
            (name, part): values[:, j]
            for j, name in enumerate(self.names)
            for part, values in parts.items()
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.mean), name="horizon"))

    def plot(self, **options: Any) -> Any:
        """Responses with their bands, over those of the vector autoregression and of projections.

        Where the system is linear there is one line for both.

        Options are those of :func:`nnecon.report.plots.plot_responses`: ``labels``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        words = f"Responses to a shock of {self.size:.3g} to {self.impulse}, {self.history}"
        return plots.plot_responses(
            self.mean,
            self.lower,
            self.upper,
            self.names,
            **{
                "name": "VAR" if self.linear else "network",
                "reference": None if self.linear else self.reference,
                "projections": self.projections,
                "level": self.level,
                "title": words,
                **options,
            },
        )
