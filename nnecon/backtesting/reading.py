"""Which models to compare, from what the user gives."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nnecon.backtesting.methods import BaselineMethod, Method, ModelMethod, ObjectMethod
from nnecon.baselines.face import Baseline, read_targets
from nnecon.data.syntax import suggestion
from nnecon.exceptions import SpecificationError

ENGINE = ("executor", "checkpoint", "progress")
"""Options of ``fit`` that belong to the backtest instead."""


def read_models(
    models: Any, targets: Sequence[str] | str | None, frame: pd.DataFrame
) -> list[Method]:
    """Forecasters from what the user gives: by name, or one model alone."""
    if not isinstance(models, Mapping):
        raise SpecificationError(
            "give the models by name: ne.backtest({'lstm': model, 'var': ne.baselines.var(2)})."
        )
    if not models:
        raise SpecificationError("there are no models to compare; give at least one.")
    wanted = read_targets(targets)
    parts = {str(name): _taken_apart(name, given) for name, given in models.items()}
    if len(parts) < len(models):
        raise SpecificationError("two models have the same name; names are compared as text.")
    common = wanted or _targets_of(parts, frame)
    return [_method(name, *part, common, frame) for name, part in parts.items()]


def _taken_apart(name: Any, given: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(given, tuple):
        return given, {}
    if len(given) != 2 or not isinstance(given[1], Mapping):
        raise SpecificationError(
            f"model {name!r}: give a model, or a model and the options of its fit: "
            "(model, {'alpha': 0.1})."
        )
    return given[0], dict(given[1])


def _own_targets(model: Any) -> tuple[str, ...] | None:
    if isinstance(model, Baseline):
        return model.targets
    names = getattr(model, "endog_names", None)
    if callable(getattr(model, "on", None)) and names is not None:
        return (names,) if isinstance(names, str) else tuple(names)
    return None


def _targets_of(parts: Mapping[str, Any], frame: pd.DataFrame) -> tuple[str, ...]:
    """Targets of the networks, or of all models where each names some; else all columns."""
    own = [_own_targets(model) for model, _ in parts.values()]
    networks = [
        names
        for (model, _), names in zip(parts.values(), own, strict=True)
        if names is not None and not isinstance(model, Baseline)
    ]
    naming = networks or ([names or () for names in own] if None not in own else [])
    if naming:
        return tuple(dict.fromkeys(name for names in naming for name in names))
    return tuple(str(name) for name in frame.columns)


def _method(
    name: str, model: Any, options: dict[str, Any], common: tuple[str, ...], frame: pd.DataFrame
) -> Method:
    own = _own_targets(model)
    targets = common if own is None else own
    outside = [target for target in targets if target not in common]
    if outside and len(outside) == len(targets):
        raise SpecificationError(
            f"model {name!r} forecasts {', '.join(targets)}, none of which is among the targets "
            f"{', '.join(common)}."
        )
    network = own is not None and not isinstance(model, Baseline)
    panel = network and getattr(model, "any_targets", False)
    if panel:
        targets = tuple(target for target in targets if target in common)
    unknown = (
        []
        if network and not panel
        else [target for target in targets if target not in frame.columns]
    )
    if unknown:
        raise SpecificationError(
            f"model {name!r}: unknown target {unknown[0]!r}; "
            f"{suggestion(unknown[0], frame.columns)}"
        )
    if isinstance(model, Baseline):
        if options:
            raise SpecificationError(f"model {name!r}: a baseline's fit has no options.")
        return BaselineMethod(name, targets, model)
    if not callable(getattr(model, "fit", None)):
        raise SpecificationError(
            f"model {name!r}, a {type(model).__name__}, has no fit(frame); give a model of nnecon, "
            "a baseline of ne.baselines, or an object with fit(frame) and forecast(steps)."
        )
    if own is not None:
        used = [option for option in ENGINE if option in options]
        if used:
            raise SpecificationError(
                f"model {name!r}: {used[0]} is an option of backtest(), not of a single fit."
            )
        return ModelMethod(name, targets, model, options)
    if options:
        raise SpecificationError(f"model {name!r}: only models of nnecon have options of fit.")
    return ObjectMethod(name, targets, model)
