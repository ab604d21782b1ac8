"""Read saved results of state-space models."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnecon.data.storage import unpack_frame
from nnecon.exceptions import SpecificationError
from nnecon.models.state_space import RNNStateSpace
from nnecon.results.archive import under
from nnecon.results.state_space import RNNStateSpaceResults
from nnecon.results.state_space_archive import estimate_from_state


def load_state_space(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], functions: Mapping[str, Any] | None
) -> RNNStateSpaceResults:
    """Results of a state-space model from what their ``save`` wrote."""
    if functions:
        raise SpecificationError(
            "formulas of state-space models call no functions of yours; leave functions= out."
        )
    described = meta["model"]
    frame = unpack_frame(described["frame"], under(arrays, "model"), "frame")
    model = RNNStateSpace.from_state(described, frame)
    if described["fixed"]:
        model = model.fix_params(described["fixed"])
    data = None
    if "data" in meta:
        data = model.series_in(unpack_frame(meta["data"], under(arrays, "data"), "frame"))
    return RNNStateSpaceResults(
        model, estimate_from_state(meta, arrays), meta["cov_type"], data, meta["since"]
    )
