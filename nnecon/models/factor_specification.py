"""What an autoencoder of factors is: its arguments, checked, and the network they make."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.panel import Panel
from nnecon.exceptions import SpecificationError
from nnecon.models.factor_selection import default_most, factor_numbers
from nnecon.models.forecast_settings import read_count as _whole
from nnecon.models.forecast_settings import read_units
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.autoencoder import Autoencoder
from nnecon.results.immutable import Immutable

RULES = {"ic": "IC_p2"} | {
    name: name for name in ("IC_p1", "IC_p2", "IC_p3", "PC_p1", "PC_p2", "PC_p3", "bcv")
}
"""Ways to choose the number of factors, and the column of the criteria each looks at."""

SIDES = ("both", "encoder", "decoder")


class FactorSpecification(Immutable):
    """Panel and arguments of a factor model; made by its constructor."""

    panel: Panel
    k_factors: int
    k_rule: str
    numbers: pd.DataFrame | None
    hidden: tuple[int, ...]
    activation: str
    nonlinear: str
    linear_part: bool
    standardize: bool
    inputs: int
    network: Autoencoder
    _given: Mapping[str, Any]

    def _set_up(self, panel: Panel, given: Mapping[str, Any]) -> None:
        hidden = read_units("hidden", given["hidden"])
        if given["activation"] not in ACTIVATIONS:
            raise SpecificationError(
                f"activation={given['activation']!r} is not known; choose one of {[*ACTIVATIONS]}."
            )
        side = given["nonlinear"]
        if side not in SIDES:
            raise SpecificationError(f"nonlinear={side!r}: choose one of {SIDES}.")
        for name in ("linear_part", "standardize"):
            if not isinstance(given[name], bool | np.bool_):
                raise SpecificationError(f"{name}={given[name]!r}: give True or False.")
        if not hidden and not given["linear_part"]:
            raise SpecificationError(
                "hidden=() with linear_part=False leaves nothing; give hidden units."
            )
        k, rule, numbers = self._number(panel, given)
        q = self._n_inputs(panel, given["inputs"], k)
        network = Autoencoder(
            q,
            k,
            hidden if side != "decoder" else (),
            hidden[::-1] if side != "encoder" else (),
            given["activation"],
            bool(given["linear_part"]),
        )
        self.__dict__.update(
            panel=panel, k_factors=k, k_rule=rule, numbers=numbers, hidden=hidden,
            activation=given["activation"], nonlinear=side, linear_part=bool(given["linear_part"]),
            standardize=bool(given["standardize"]), inputs=q, network=network, _given=dict(given),
        )  # fmt: skip

    def _number(
        self, panel: Panel, given: Mapping[str, Any]
    ) -> tuple[int, str, pd.DataFrame | None]:
        asked, most = given["k_factors"], given["max_factors"]
        n_obs, n_series = panel.values.shape
        largest = min(n_obs - 1, n_series)
        if not isinstance(asked, str):
            asked = _whole("k_factors", asked)
            if asked > largest:
                raise SpecificationError(
                    f"k_factors={asked}: {n_obs} rows and {n_series} series have from 1 to "
                    f"{largest} factors."
                )
            if most is not None:
                raise SpecificationError("max_factors has no effect on a given k_factors.")
            return asked, "the user", None
        if asked not in RULES:
            raise SpecificationError(
                f"k_factors={asked!r}: give a whole number or one of {[*RULES]}."
            )
        if most is None:
            most = default_most(n_obs, n_series)
        elif not _whole("max_factors", most) < largest:
            raise SpecificationError(
                f"max_factors={most!r}: give a whole number from 1 to {largest - 1}."
            )
        numbers = factor_numbers(panel, int(most), bool(given["standardize"]), asked == "bcv")
        column = RULES[asked]
        k = int(numbers[column].idxmin())
        if k == 0:
            raise SpecificationError(
                f"{column} finds no common factor in these series; give k_factors as a number to "
                "extract some all the same."
            )
        return k, column, numbers

    def _n_inputs(self, panel: Panel, asked: Any, k: int) -> int:
        largest = min(panel.values.shape[0] - 1, panel.values.shape[1])
        if asked is None:
            return min(max(4 * k, 10), largest)
        if not k <= _whole("inputs", asked) <= largest:
            raise SpecificationError(
                f"inputs={asked!r}: give a whole number from the number of factors, {k}, to "
                f"{largest}."
            )
        return int(asked)

    @property
    def names(self) -> tuple[str, ...]:
        """The series."""
        return self.panel.names

    @property
    def description(self) -> str:
        """The model in a few words."""
        words = f"{self.k_factors} factor{'s' * (self.k_factors > 1)}"
        if not self.hidden:
            return f"{words}, principal components"
        sizes = "-".join(str(size) for size in self.hidden)
        where = {"both": "each way", "encoder": "in the encoder", "decoder": "in the decoder"}
        alone = "" if self.linear_part else ", no linear part"
        return f"{words}, {sizes} {self.activation} units {where[self.nonlinear]}{alone}"

    @property
    def plain_specification(self) -> dict[str, Any]:
        """Arguments of the constructor as JSON can hold them."""
        plain: dict[str, Any] = {"hidden": list(self.hidden)}
        for name in ("k_factors", "inputs", "max_factors"):
            value = self._given[name]
            plain[name] = int(value) if isinstance(value, Integral) else value
        for name in ("activation", "nonlinear", "linear_part", "standardize"):
            plain[name] = getattr(self, name)
        return plain
