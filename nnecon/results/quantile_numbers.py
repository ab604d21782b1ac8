"""The numbers of quantile forecasters: an equation for each target and level, and how it fits."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.series import Series
from nnecon.data.windows import standard_rows
from nnecon.estimation.quantile_regression import check_loss
from nnecon.exceptions import SpecificationError
from nnecon.inference.quantile_paths import rearranged
from nnecon.results.equations import Equation, linear_table
from nnecon.results.future import complete_rows, ordinals_from
from nnecon.results.new_data import NewData
from nnecon.results.outlook import check_horizon
from nnecon.results.path import CrossValidation, RegularizationPath


class QuantileNumbers(NewData):
    """Conditional quantiles of the targets; :class:`QuantileResults` forecasts with them.

    Parameters
    ----------
    model
        The specification on the data of the estimation.
    parts : tuple of tuple of Equation
        Equations, series by series and level by level: one tuple or, of direct forecasts, one for
        each horizon.
    search : str
        Starts and random numbers, as a phrase for the summary.
    data : Series, optional
        The data that forecasts go on from; by default those of the estimation.
    begin : int
        First row of the data whose fitted values are reported.
    """

    model: Any
    parts: tuple[tuple[Equation, ...], ...]
    search: str
    begin: int

    def __init__(
        self,
        model: Any,
        parts: tuple[tuple[Equation, ...], ...],
        search: str,
        data: Series | None = None,
        begin: int = 0,
    ) -> None:
        self.__dict__.update(
            model=model,
            parts=parts,
            equations=tuple(one for part in parts for one in part),
            search=search,
            data=model.series if data is None else data,
            begin=begin,
        )

    def on(self, data: Series, begin: int = 0) -> Self:
        """The same estimates on other data, with fitted values from row ``begin`` on."""
        return type(self)(self.model, self.parts, self.search, data, begin)

    # -- estimate ---------------------------------------------------------------------------------

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Levels."""
        return self.model.quantiles

    @property
    def iterated(self) -> bool:
        """Whether forecasts are those of a system that is iterated, or of direct equations."""
        return not self.model.direct

    def at(self, horizon: int) -> Self:
        """The equations of one horizon of direct forecasts, from 1."""
        if self.iterated:
            raise SpecificationError("at() is for strategy='direct', which has several horizons.")
        check_horizon(horizon, len(self.parts))
        part = (self.parts[horizon - 1],)
        return type(self)(self.model.at(horizon), part, self.search, self.data, self.begin)

    def _places(self) -> list[tuple[Any, ...]]:
        """Labels of the targets' equations: (target, level), with the horizon before them."""
        own = [(name, level) for name in self.targets for level in self.quantiles]
        if len(self.parts) == 1:
            return list(own)
        return [(ahead, *one) for ahead in range(1, len(self.parts) + 1) for one in own]

    @property
    def _own(self) -> list[Equation]:
        """Equations of the targets, in the order of :meth:`_places`."""
        count = len(self.targets) * len(self.quantiles)
        return [one for part in self.parts for one in part[:count]]

    @property
    def _labels(self) -> pd.MultiIndex:
        names = ["target", "level"] if len(self.parts) == 1 else ["horizon", "target", "level"]
        return pd.MultiIndex.from_tuples(self._places(), names=names)

    @property
    def params(self) -> pd.DataFrame:
        """Linear parts in the user's units, a row a regressor, columns by target and level.

        At ``alpha=inf`` they are the coefficients of statsmodels' QuantReg.
        """
        table = linear_table(self._own, len(self.model.exog_names))
        return pd.DataFrame(table, index=self.model.exog_names, columns=self._labels)

    @property
    def alphas_chosen(self) -> dict[str, Any]:
        """Penalties by target: a list by level, of direct forecasts such a list by horizon."""
        count, found = len(self.quantiles), {}
        for at, name in enumerate(self.targets):
            own = slice(at * count, (at + 1) * count)
            each = [[one.alpha for one in part[own]] for part in self.parts]
            found[name] = each[0] if self.iterated or self.model.lead is not None else each
        return found

    @property
    def alpha(self) -> pd.Series:
        """Penalties by target and level; infinite where the equation is linear."""
        return pd.Series([one.alpha for one in self._own], self._labels, name="alpha")

    @property
    def edf(self) -> pd.Series:
        """Effective degrees of freedom by target and level."""
        return pd.Series([one.edf for one in self._own], self._labels, name="edf")

    @property
    def path(self) -> dict[Any, RegularizationPath]:
        """Regularisation path by target and level, where there is one."""
        found = {place: one.path for place, one in zip(self._places(), self._own, strict=True)}
        return {place: path for place, path in found.items() if path is not None}

    @property
    def cv(self) -> dict[Any, CrossValidation]:
        """Expanding-window check losses by target and level, where they were computed."""
        found = {place: one.cv for place, one in zip(self._places(), self._own, strict=True)}
        return {place: cv for place, cv in found.items() if cv is not None}

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Average derivative of each quantile by each lag, columns by target and level."""
        columns = [self._lag_effects(one) for one in self._own]
        return pd.concat(columns, axis=1).set_axis(self._labels, axis=1)

    # -- fit --------------------------------------------------------------------------------------

    @property
    def nobs(self) -> int:
        """Rows of the estimation, one period ahead."""
        return len(self.parts[0][0].objective.target)

    def _table(self, part: Sequence[Equation], raw: np.ndarray) -> np.ndarray:
        """Quantiles of all series on rows in the units of the data, (n, m, k), as estimated."""
        values = [one.values(standard_rows(one.scaling, raw)) for one in part]
        return np.column_stack(values).reshape(len(raw), -1, len(self.quantiles))

    @cached_property
    def _known(self) -> np.ndarray:
        ordinals = ordinals_from(self.model, self.data, len(self.data.index))
        return self.model.known_values(self.data.exog, ordinals)

    @cached_property
    def _estimated(self) -> tuple[np.ndarray, pd.Index]:
        """Quantiles in the data as they were estimated, one period ahead, and their periods."""
        model = self.model if self.iterated or self.model.lead is not None else self.model.at(1)
        rows, index = complete_rows(model, self.data, self._known, self.begin)
        return self._table(self.parts[0], rows), index

    @cached_property
    def fittedvalues(self) -> pd.DataFrame:
        """Quantiles in the data, columns by target and level; they do not cross.

        Of direct forecasts, one period ahead; ``at(h)`` has those of other horizons.
        """
        table, index = self._estimated
        m = len(self.targets)
        columns = pd.MultiIndex.from_product(
            [self.targets, self.quantiles], names=["target", "level"]
        )
        values = rearranged(table)[:, :m].reshape(len(table), -1)
        return pd.DataFrame(values, index=index, columns=columns)

    @property
    def crossings(self) -> float:
        """Share of the periods in the data in which quantiles crossed before they were sorted."""
        table = self._estimated[0][:, : len(self.targets)]
        return float((np.diff(table, axis=2) < 0).any(axis=(1, 2)).mean())

    @cached_property
    def resid(self) -> pd.DataFrame:
        """Actual values less medians, a column a target; NaN where the actual value is missing."""
        medians = self.fittedvalues.xs(0.5, axis=1, level="level")[self.targets]
        m = len(self.targets)
        actual = pd.DataFrame(self.data.endog[:, :m], index=self.data.index, columns=self.targets)
        return actual.loc[medians.index] - medians

    def equations_frame(self) -> pd.DataFrame:
        """One row a target and level: penalty, degrees of freedom, how the quantile fits.

        ``below`` is the share of outcomes under the quantile, which should be the level; ``loss``
        the mean check function, beside that of the linear quantile regression.
        """
        rows = []
        for one in self._own:
            loss, plain = one.objective.loss, one.classical()
            actual = one.scaling.restore(one.objective.target)
            ours, theirs = (actual - each.values(one.objective.inputs) for each in (one, plain))
            level = getattr(loss, "level", np.nan)
            row = {
                "penalty": one.alpha,
                "edf": one.edf,
                # a linear quantile passes through as many rows as it has coefficients
                "below": float((ours < -1e-9 * one.scaling.target_scale).mean()),
                "loss": float(check_loss(ours, level).mean()),
                "linear": float(check_loss(theirs, level).mean()),
            }
            if one.cv is not None:
                place = int(np.flatnonzero(one.cv.alphas == one.alpha)[0])
                row["CV loss"], row["CV linear"] = one.cv.mean[place], one.cv.mean[0]
            rows.append(row)
        return pd.DataFrame(rows, index=self._labels)
