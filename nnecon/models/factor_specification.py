"""What an autoencoder of factors is: its arguments, checked, and the network they make."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.panel import Panel
from nnecon.estimation.dynamic_autoencoding import Dynamics
from nnecon.exceptions import SpecificationError
from nnecon.models.factor_dynamics import read_dynamics
from nnecon.models.factor_selection import default_most, factor_numbers
from nnecon.models.forecast_settings import read_count as _whole
from nnecon.models.forecast_settings import read_units
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.autoencoder import Autoencoder
from nnecon.nets.variational import VariationalAutoencoder
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
    tied: bool
    noise: float
    masking: float
    sparsity: float
    dynamics: Dynamics | None
    order_rule: str
    variational: bool
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
        for name in ("linear_part", "standardize", "tied", "variational"):
            if not isinstance(given[name], bool | np.bool_):
                raise SpecificationError(f"{name}={given[name]!r}: give True or False.")
        if not hidden and not given["linear_part"]:
            raise SpecificationError(
                "hidden=() with linear_part=False leaves nothing; give hidden units."
            )
        noise, masking = (
            _share("noise", given["noise"], np.inf),
            _share("masking", given["masking"]),
        )
        sparsity = _share("sparsity", given["sparsity"], np.inf)
        _check_variant(hidden, side, bool(given["tied"]), noise, masking, sparsity)
        variational = bool(given["variational"])
        k, rule, numbers = self._number(panel, given)
        q = self._n_inputs(panel, given["inputs"], k)
        if variational:
            _check_variational(given, k, len(panel.names))
        dynamics, order_rule = read_dynamics(panel, given, k)
        kind = VariationalAutoencoder if variational else Autoencoder
        network = kind(
            q,
            k,
            hidden if side != "decoder" else (),
            hidden[::-1] if side != "encoder" else (),
            given["activation"],
            bool(given["linear_part"]),
            bool(given["tied"]),
            sparsity,
        )
        self.__dict__.update(
            panel=panel, k_factors=k, k_rule=rule, numbers=numbers, hidden=hidden,
            activation=given["activation"], nonlinear=side, linear_part=bool(given["linear_part"]),
            standardize=bool(given["standardize"]), inputs=q, tied=network.tied, noise=noise,
            masking=masking, sparsity=sparsity, dynamics=dynamics, order_rule=order_rule,
            variational=variational, network=network, _given=dict(given),
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
    def labels(self) -> pd.Index:
        """What the user calls them: for most frames the names."""
        return self.panel.labels

    @property
    def endog_names(self) -> tuple[str, ...]:
        """The series, by statsmodels' name for what is explained."""
        return self.panel.names

    any_targets = True
    """For backtests: forecasts are those of all series, of which any may be looked at."""

    @property
    def factor_order(self) -> int:
        """Lags of the factors' autoregression; 0 where they have none."""
        return 0 if self.dynamics is None else self.dynamics.order

    @property
    def pinned(self) -> dict[str, Any]:
        """Arguments of the constructor that keep what the data chose."""
        return {
            "k_factors": self.k_factors, "max_factors": None, "factor_order": self.factor_order
        }  # fmt: skip

    @property
    def description(self) -> str:
        """The model in a few words."""
        words = f"{self.k_factors} factor{'s' * (self.k_factors > 1)}"
        if self.dynamics is not None:
            words += f" with {self.factor_order} lag{'s' * (self.factor_order > 1)}"
        if not self.hidden:
            return f"{words}, {'probabilistic ' * self.variational}principal components"
        sizes = "-".join(str(size) for size in self.hidden)
        where = {"both": "each way", "encoder": "in the encoder", "decoder": "in the decoder"}
        alone = "" if self.linear_part else ", no linear part"
        variant = ", tied weights" if self.tied else ""
        if self.noise or self.masking:
            kinds = {"noise": self.noise, "masking": self.masking}
            given = " and ".join(f"{name} {value:g}" for name, value in kinds.items() if value)
            variant = f", denoising ({given})"
        if self.sparsity:
            variant += f", sparse ({self.sparsity:g})"
        if self.variational:
            variant = ", variational"
        return f"{words}, {sizes} {self.activation} units {where[self.nonlinear]}{alone}{variant}"

    @property
    def plain_specification(self) -> dict[str, Any]:
        """Arguments of the constructor as JSON can hold them."""
        plain: dict[str, Any] = {"hidden": list(self.hidden)}
        plain["forecast_weight"] = self._given["forecast_weight"]
        for name in ("k_factors", "inputs", "max_factors", "factor_order"):
            value = self._given[name]
            plain[name] = int(value) if isinstance(value, Integral) else value
        for name in (
            "activation", "nonlinear", "linear_part", "standardize", "tied", "noise", "masking",
            "sparsity", "variational",
        ):  # fmt: skip
            plain[name] = getattr(self, name)
        return plain


def _share(name: str, value: Any, below: float = 1.0) -> float:
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else np.nan
    if not 0 <= number < below:
        wanted = "a share of at least 0 and under 1" if below == 1.0 else "a number of at least 0"
        raise SpecificationError(f"{name}={value!r}: give {wanted}.")
    return number


def _check_variant(
    hidden: tuple[int, ...], side: str, tied: bool, noise: float, masking: float, sparsity: float
) -> None:
    options = {"tied": tied, "noise": noise, "masking": masking, "sparsity": sparsity}
    asked = [name for name, on in options.items() if on]
    if asked and not hidden:
        raise SpecificationError(
            f"{asked[0]} has no effect with hidden=(), which is principal components; give hidden "
            "units."
        )
    if tied and side != "both":
        raise SpecificationError(
            f"tied=True needs layers on both sides, and nonlinear={side!r} has them on one; leave "
            "one of the two out."
        )
    if tied and (noise or masking):
        raise SpecificationError(
            f"tied=True does not go with {asked[1]}: a tied output is the regression on the scores "
            "as they are; leave one of the two out."
        )


def _check_variational(given: Mapping[str, Any], k: int, n_series: int) -> None:
    reasons = {
        "tied": "a tied decoder has no likelihood of the series by itself",
        "noise": "its draws of the posterior take the place of noise",
        "masking": "its draws of the posterior take the place of noise",
        "sparsity": "its prior of the factors is the normal distribution",
        "factor_order": "its prior of the factors is the same in all periods",
    }
    other = next((name for name in reasons if given[name]), None)
    if other is not None:
        raise SpecificationError(
            f"variational=True does not go with {other}: {reasons[other]}; leave one of the two "
            "out."
        )
    if k >= n_series:
        raise SpecificationError(
            f"variational=True needs fewer factors than the {n_series} series, or nothing is left "
            "to estimate the variance of the errors from."
        )
