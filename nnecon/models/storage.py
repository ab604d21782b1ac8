"""Read saved results."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnecon.data.design import Design
from nnecon.estimation.problem import Solution
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.conditional_factors import ConditionalAutoencoder
from nnecon.models.factors import AutoencoderFactor
from nnecon.models.forecast_storage import FORECASTERS, load_forecaster
from nnecon.models.regression import NeuralRegression
from nnecon.models.state_space import RNNStateSpace
from nnecon.models.state_space_storage import load_state_space
from nnecon.models.streamed import StreamedRegression
from nnecon.results.archive import cv_from_state, path_from_state, read_archive, under
from nnecon.results.backtest import Backtest
from nnecon.results.base import CovarianceSpec
from nnecon.results.forecast_archive import backtest_from_state

MODELS = {model.__name__: model for model in (NeuralRegression,)}
FACTOR_MODELS: dict[str, Any] = {
    model.__name__: model for model in (AutoencoderFactor, ConditionalAutoencoder)
}


def load(
    path: str | Path,
    functions: Mapping[str, Any] | None = None,
    network: Callable[..., Any] | None = None,
    data: Any = None,
) -> Any:
    """Read results that ``save`` wrote.

    Reading runs no code from the file: it holds JSON and arrays. A formula is evaluated only where
    it is plain arithmetic with the formula helpers and NumPy's functions.

    Parameters
    ----------
    path : str or Path
        The file.
    functions : mapping, optional
        Functions of yours that the formula calls, by name.
    network : callable, optional
        Your regression function, where the model was built with ``network=``.
    data : Stream or str, optional
        The data again (or the file that holds them), where the model was estimated on a stream,
        which is too long to be saved.

    Returns
    -------
    Results
        Equal to the saved ones.

    Raises
    ------
    DataError
        The file was not written by ``save``.
    SpecificationError
        A function is missing.
    """
    meta, arrays = read_archive(path)
    if meta.get("kind") == "backtest":
        return Backtest(**backtest_from_state(meta, arrays))
    name = meta["model"]["class"]
    if name in FORECASTERS:
        return load_forecaster(meta, arrays, functions)
    if name == RNNStateSpace.__name__:
        return load_state_space(meta, arrays, functions)
    held = under(arrays, "model")
    if name == "StreamedRegression":
        arguments = _specification(meta["model"]["specification"], held, network)
        return StreamedRegression.load(meta, arrays, arguments, data, functions)
    if data is not None:
        raise SpecificationError(f"{path} holds its data; leave data= out.")
    factor_model = FACTOR_MODELS.get(name)
    if factor_model is not None:
        if network is not None:
            raise SpecificationError("a factor model has no function of yours; leave network out.")
        return factor_model.restore(meta, arrays, functions)
    if name not in MODELS:
        raise DataError(f"{path} holds a {name}, which this version of nnecon does not know.")
    design = Design.from_state(meta["model"]["design"], under(held, "design"), functions)
    model = MODELS[name]._from_design(
        design,
        weights=held["weights"] if meta["model"]["weighted"] else None,
        **_specification(meta["model"]["specification"], held, network),
    )
    spec = _covariance(meta["cov"], under(arrays, "cov"))
    index = design.sample.index
    return model.restore(
        Solution(params=arrays["params"], history=arrays["history"], **meta["solution"]),
        spec,
        alpha_rule=meta["alpha_rule"],
        search=meta["search"],
        facts=meta["facts"],
        path=path_from_state(meta["path"], under(arrays, "path")) if "path" in meta else None,
        cv=cv_from_state(meta["cv"], under(arrays, "cv"), index) if "cv" in meta else None,
    )


def _covariance(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> CovarianceSpec:
    return CovarianceSpec(meta["kind"], {**meta["options"], **arrays}, meta["use_t"])


def _specification(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], network: Any
) -> dict[str, Any]:
    if meta["function"] is None:
        if network is not None:
            raise SpecificationError("the saved model has no function of yours; leave network out.")
        return {name: meta[name] for name in ("hidden", "activation", "linear_part")}
    if network is None:
        raise SpecificationError(
            f"the saved model is {meta['function']}, a function of yours that a file cannot hold; "
            "pass it when loading: network=..."
        )
    start = dict(zip(meta["param_names"], arrays["start"], strict=True))
    return {"network": network, "start_params": start}
