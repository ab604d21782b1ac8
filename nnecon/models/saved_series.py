"""What a file holds of a model of series, and how the model is built again from it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.names import bindings_to_state
from nnecon.data.series import Series, series_from_arrays, series_of
from nnecon.data.storage import State, pack_frame


class SavedSeries:
    """A specification of series that can be written as JSON and arrays.

    Subclasses have a ``_set_up`` that takes series, formula and the arguments of the constructor.
    """

    series: Series
    formula: str | None
    _given: Mapping[str, Any]
    _set_up: Any

    def state(self) -> State:
        """What is needed to build the model again, as JSON and arrays; it holds no code."""
        series = self.series
        plain, _ = bindings_to_state(series.bindings)
        frame, arrays = pack_frame(series.frame, "frame")
        meta = {
            "class": type(self).__name__,
            "formula": self.formula,
            "terms": [list(series.terms.targets), list(series.terms.known)],
            "specification": {name: _plain(value) for name, value in self._given.items()},
            "frame": frame,
            "bindings": plain,
        }
        return meta, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], frame: pd.DataFrame) -> Self:
        """The model from what :meth:`state` gave; a formula has to be plain arithmetic."""
        model = cls.__new__(cls)
        if meta["formula"] is None:
            targets, known = meta["terms"]
            others = [name for name in frame.columns if name not in {*targets, *known}]
            parts = [frame[part] if part else None for part in (targets, known, others)]
            series = series_from_arrays(*parts)
        else:
            series = series_of(meta["formula"], frame, meta["bindings"], trusted=False)
        model._set_up(series, meta["formula"], meta["specification"])
        return model


def _plain(value: Any) -> Any:
    """An argument as JSON has it: whole numbers, lists."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
