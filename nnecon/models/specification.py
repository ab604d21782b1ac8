"""The part of a model that is neither data nor estimation: which network, on what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnecon.exceptions import SpecificationError
from nnecon.nets import Custom, Dense, Network
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.custom import check_function

HIDDEN, ACTIVATION = (8,), "tanh"
"""The network where nothing else is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Specification:
    """Checked arguments of a feed-forward model.

    ``hidden`` units by layer, ``activation``, ``linear_part``; or the user's ``function`` with
    ``start`` values and ``param_names``.
    """

    hidden: tuple[int, ...]
    activation: str
    linear_part: bool
    function: Callable[..., Any] | None = None
    start: np.ndarray | None = None
    param_names: tuple[str, ...] = ()

    @classmethod
    def check(
        cls,
        hidden: Sequence[int] | int = HIDDEN,
        activation: str = ACTIVATION,
        linear_part: bool | None = None,
        network: Callable[..., Any] | None = None,
        start_params: Any = None,
    ) -> "Specification":
        """Read the arguments of a model's constructor."""
        if network is None:
            if start_params is not None:
                raise SpecificationError(
                    "start_params are for network=f(params, x); the built-in network draws its "
                    "own starts, see n_starts and rng of fit()."
                )
            if activation not in ACTIVATIONS:
                raise SpecificationError(
                    f"activation={activation!r} is not known; choose one of {[*ACTIVATIONS]}."
                )
            return cls(_layers(hidden), activation, linear_part is None or bool(linear_part))
        if not callable(network):
            raise SpecificationError(
                "network is a function f(params, x) written with jax.numpy; for the built-in "
                "network use hidden=(8,) and activation='tanh'."
            )
        if hidden != HIDDEN or activation != ACTIVATION:
            raise SpecificationError(
                "hidden= and activation= are those of the built-in network; network= is a model of "
                "its own: leave one or the other out."
            )
        if linear_part:
            raise SpecificationError(
                "network= is a model of its own; write the linear part into the function."
            )
        start, names = _named(start_params)
        return cls((), activation, False, network, start, names)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that make the specification again."""
        if self.function is None:
            return {
                "hidden": self.hidden,
                "activation": self.activation,
                "linear_part": self.linear_part,
            }
        start = dict(zip(self.param_names, np.asarray(self.start), strict=True))
        return {"network": self.function, "start_params": start}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The arguments as JSON and arrays; of the user's function only its name."""
        meta = {
            "hidden": list(self.hidden),
            "activation": self.activation,
            "linear_part": self.linear_part,
            "function": None if self.function is None else self.description,
            "param_names": list(self.param_names),
        }
        return meta, {} if self.start is None else {"start": self.start}

    def network(self, n_exog: int, const: int | None) -> Network:
        """Network for ``n_exog`` design columns of which ``const`` is the constant."""
        if self.function is not None:
            check_function(self.function, len(self.param_names), n_exog)
            return Custom(self.function, len(self.param_names), n_exog)
        others = n_exog - (const is not None)
        n_linear = n_exog if self.linear_part else n_exog - others
        hidden = self.hidden if others else ()
        return Dense(n_linear, others if hidden else 0, hidden, self.activation)

    @property
    def description(self) -> str:
        """The network in a few words."""
        if self.function is not None:
            name = getattr(self.function, "__name__", "function")
            return f"{name}(params, x), {len(self.param_names)} params"
        if not self.hidden:
            return "none (linear model)"
        units = "-".join(str(size) for size in self.hidden)
        return f"{units} {self.activation}" + (" + linear part" if self.linear_part else "")


def _layers(hidden: Sequence[int] | int) -> tuple[int, ...]:
    layers = tuple(hidden) if isinstance(hidden, Sequence | np.ndarray) else (hidden,)
    for units in layers:
        whole = isinstance(units, int | np.integer) and not isinstance(units, bool)
        if not whole or units < 1:
            raise SpecificationError(
                f"hidden={hidden!r}: give the units of each hidden layer as whole numbers of at "
                "least 1, for example hidden=(8,) or (16, 8); hidden=() is the linear model."
            )
    return tuple(int(units) for units in layers)


def _named(start_params: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    if start_params is None:
        raise SpecificationError(
            "network=f(params, x) needs start_params: an array, or a dict or Series with names."
        )
    names: Sequence[Any] | None = None
    if isinstance(start_params, Mapping):
        names, values = list(start_params), list(start_params.values())
    else:
        names = getattr(start_params, "index", None)
        names = None if callable(names) else names
        values = start_params
    try:
        start = np.array(values, dtype=float)
    except (TypeError, ValueError):
        start = np.zeros(0)
    if start.ndim != 1 or not len(start) or not np.isfinite(start).all():
        raise SpecificationError(
            f"start_params={start_params!r}: give one finite number for each parameter."
        )
    if names is None:
        names = [f"b{number}" for number in range(1, len(start) + 1)]
    return start, tuple(str(name) for name in names)
