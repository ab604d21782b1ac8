"""Read saved results of forecasters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnecon.data.storage import unpack_frame
from nnecon.exceptions import SpecificationError
from nnecon.models.forecasters import AttentionForecaster, ConvForecaster, LSTMForecaster, NeuralAR
from nnecon.results.archive import under
from nnecon.results.direct import DirectResults
from nnecon.results.quantiles import QuantileResults

FORECASTERS = {
    model.__name__: model
    for model in (LSTMForecaster, AttentionForecaster, ConvForecaster, NeuralAR)
}


def load_forecaster(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], functions: Mapping[str, Any] | None
) -> Any:
    """Results of a forecaster from what its ``save`` wrote."""
    described = meta["model"]
    if functions:
        raise SpecificationError(
            "formulas of forecasters call no functions of yours; leave functions= out."
        )
    family = FORECASTERS[described["class"]]
    frame = unpack_frame(described["frame"], dict(under(arrays, "model")), "frame")
    model = family.from_state(described, frame)
    if "quantiles" in meta:
        levels = [
            (model.at(ahead) if model.direct else model).restore(
                part, under(arrays, f"estimate{ahead - 1}")
            )
            for ahead, part in enumerate(meta["quantiles"], 1)
        ]
        equations = tuple(one.equations for one in levels)
        results: Any = QuantileResults(model, equations, levels[0].search)
    elif "parts" in meta:
        parts: list[Any] = [
            model.at(ahead).restore(part, under(arrays, f"estimate{ahead - 1}"))
            for ahead, part in enumerate(meta["parts"], 1)
        ]
        results = DirectResults(model, tuple(parts))
    else:
        results = model.restore(meta, under(arrays, "estimate"))
    if "data" in meta:
        frame = unpack_frame(meta["data"], dict(under(arrays, "data")), "frame")
        return results.on(model.series_in(frame), meta["begin"])
    return results
