"""Numbers of a model of a panel of assets: factors, loadings, effects, fit."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.asset_panel import AssetRows
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.conditional_loadings import (
    LinearLoadings,
    LoadingMap,
    explained,
    period_factors,
)
from nnecon.results.factor_numbers import ReadsFacts


class ConditionalNumbers(ReadsFacts):
    """What the model found on the sample, and what it says about other rows."""

    mapping: LoadingMap
    linear: LinearLoadings

    # -- facts ------------------------------------------------------------------------------------

    @property
    def is_linear(self) -> bool:
        """Whether the estimate is IPCA."""
        return isinstance(self.mapping, LinearLoadings)

    @property
    def nobs(self) -> int:
        """Rows: assets in periods."""
        return len(self._rows.codes)

    @property
    def n_periods(self) -> int:
        """Periods."""
        return len(self._rows.periods)

    @property
    def n_entities(self) -> int:
        """Assets."""
        return int(self._rows.index.get_level_values(0).nunique())

    @property
    def n_dropped(self) -> int:
        """Rows left out because a return or a characteristic was missing."""
        return int(self.model.panel.n_dropped)

    @property
    def factor_names(self) -> list[str]:
        """``factor1``, ``factor2``, ..."""
        return [f"factor{j}" for j in range(1, self.k_factors + 1)]

    # -- the sample -------------------------------------------------------------------------------

    @property
    def _rows(self) -> AssetRows:
        return self.model.panel.rows

    @cached_property
    def _sample_loadings(self) -> np.ndarray:
        return self.mapping.loadings(self._rows.exog)

    @cached_property
    def _factors(self) -> np.ndarray:
        rows = self._rows
        return period_factors(self._sample_loadings, rows.returns, rows.codes, len(rows.periods))

    @cached_property
    def _linear_factors(self) -> np.ndarray:
        rows = self._rows
        loadings = self.linear.loadings(rows.exog)
        return period_factors(loadings, rows.returns, rows.codes, len(rows.periods))

    @property
    def factors(self) -> pd.DataFrame:
        """Factors by period, cross-sectional regressions of returns on loadings, shape (T, k)."""
        return pd.DataFrame(self._factors, self._rows.periods, self.factor_names)

    @property
    def mean_factors(self) -> pd.Series:
        """Means of the factors over the periods of the sample, the prices of their risks."""
        return self.factors.mean().rename("mean")

    @property
    def gamma(self) -> pd.DataFrame:
        """Coefficients of the characteristics in the linear part of the loadings, shape (L, k)."""
        return self._by_characteristic(self.mapping.gamma)

    @property
    def linear_gamma(self) -> pd.DataFrame:
        """The same of IPCA."""
        return self._by_characteristic(self.linear.gamma)

    @property
    def linear_factors(self) -> pd.DataFrame:
        """Factors of IPCA, shape (T, k)."""
        return pd.DataFrame(self._linear_factors, self._rows.periods, self.factor_names)

    def _by_characteristic(self, values: np.ndarray) -> pd.DataFrame:
        names = pd.Index(self.model.characteristics, name="characteristic")
        return pd.DataFrame(values, names, self.factor_names)

    @cached_property
    def average_effects(self) -> pd.DataFrame:
        """Average derivatives of the loadings by the characteristics over the rows, shape (p, k).

        A variable that enters in several ways (squares, interactions) has one row; a category has
        the average difference of its level from the reference. Ranked characteristics are in units
        of their range. Where loadings are linear these are the coefficients.
        """
        panel, exog = self.model.panel, self._rows.exog
        found: dict[str, np.ndarray] = {}
        if panel.ranks:
            for j, name in enumerate(panel.characteristics):
                if j != panel.const:
                    direction = np.zeros_like(exog)
                    direction[:, j] = 1.0
                    found[name] = self.mapping.slopes(exog, direction).mean(axis=0)
        else:
            for regressor in panel.design.regressors:
                if regressor.kind == "category":
                    level, reference = panel.design.contrast(regressor)
                    change = self.mapping.loadings(level) - self.mapping.loadings(reference)
                else:
                    change = self.mapping.slopes(exog, panel.design.direction(regressor))
                found[regressor.name] = change.mean(axis=0)
        frame = pd.DataFrame.from_dict(found, orient="index", columns=self.factor_names)
        return frame.rename_axis(index="characteristic")

    @property
    def fittedvalues(self) -> pd.Series:
        """Loadings times the factors of their period, shape (n,)."""
        fit = np.einsum("nk,nk->n", self._sample_loadings, self._factors[self._rows.codes])
        return pd.Series(fit, self._rows.index, name=self.model.endog_names)

    @property
    def resid(self) -> pd.Series:
        """Returns less fitted values, shape (n,)."""
        return pd.Series(self._rows.returns, self._rows.index) - self.fittedvalues.rename(None)

    # -- any rows ---------------------------------------------------------------------------------

    def loadings(self, new: Any = None, *, entity: Any = None, time: Any = None) -> pd.DataFrame:
        """Loadings by asset and period.

        Parameters
        ----------
        new : DataFrame or array_like, optional
            Rows with characteristics; by default those of the sample.
        entity, time : optional
            As in the constructor, where they are called otherwise than in the sample.

        Returns
        -------
        DataFrame of shape (n, k)
        """
        if new is None:
            return pd.DataFrame(self._sample_loadings, self._rows.index, self.factor_names)
        rows = self.model.panel.new(new, None, entity, time)
        return pd.DataFrame(self.mapping.loadings(rows.exog), rows.index, self.factor_names)

    def transform(
        self, new: Any = None, endog: Any = None, *, entity: Any = None, time: Any = None
    ) -> pd.DataFrame:
        """Factors of periods, by regression of their returns on loadings.

        Parameters
        ----------
        new : DataFrame or array_like, optional
            Rows with characteristics and, in the formula interface, returns; by default those of
            the sample, whose factors come out.
        endog : array_like, optional
            Returns, in the array interface.
        entity, time : optional
            As in the constructor, where they are called otherwise than in the sample.

        Returns
        -------
        DataFrame of shape (T, k)
        """
        if new is None:
            return self.factors
        rows = self.model.panel.new(new, endog, entity, time, returns=True)
        found = self._factors_of(self.mapping, rows)
        return pd.DataFrame(found, rows.periods, self.factor_names)

    def _factors_of(self, mapping: LoadingMap, rows: AssetRows) -> np.ndarray:
        few = np.flatnonzero(rows.counts < self.k_factors)
        if len(few):
            raise DataError(
                f"{self.model.panel.names[1]} {rows.periods[few[0]]} has {rows.counts[few[0]]} "
                f"assets, fewer than the {self.k_factors} factors; leave it out."
            )
        found = period_factors(
            mapping.loadings(rows.exog),
            rows.returns,
            rows.codes,
            len(rows.periods),
        )
        alone = np.isnan(found).any(axis=1)
        if alone.any():
            raise DataError(
                f"loadings in {self.model.panel.names[1]} {rows.periods[int(np.argmax(alone))]} "
                "are collinear, so that its factors are not determined; leave it out."
            )
        return found

    def predict(
        self,
        new: Any = None,
        factors: Any = None,
        *,
        entity: Any = None,
        time: Any = None,
    ) -> pd.Series:
        """Returns that go with characteristics.

        Parameters
        ----------
        new : DataFrame or array_like, optional
            Rows with characteristics; returns are not looked at. By default those of the sample.
        factors : DataFrame or Series, optional
            Factors by period, such as :meth:`transform` gives, or one value for each factor. By
            default the means over the sample, which makes a forecast of characteristics alone.
        entity, time : optional
            As in the constructor, where they are called otherwise than in the sample.

        Returns
        -------
        Series of shape (n,)
        """
        rows = self._rows if new is None else self.model.panel.new(new, None, entity, time)
        loadings = self._sample_loadings if new is None else self.mapping.loadings(rows.exog)
        fit = np.einsum("nk,nk->n", loadings, self._given(factors, rows))
        return pd.Series(fit, rows.index, name=self.model.endog_names)

    def _given(self, factors: Any, rows: AssetRows) -> np.ndarray:
        """Factors of each row."""
        if factors is None:
            return np.broadcast_to(self._factors.mean(axis=0), (len(rows.codes), self.k_factors))
        if isinstance(factors, pd.DataFrame):
            absent = [name for name in self.factor_names if name not in factors.columns]
            if absent:
                raise SpecificationError(
                    f"factors has no column {absent[0]!r}; give {self.factor_names}."
                )
            lacking = rows.periods.difference(factors.index)
            if len(lacking):
                raise DataError(f"factors has no row for {self.model.panel.names[1]} {lacking[0]}.")
            held = factors.loc[rows.periods, self.factor_names].to_numpy(dtype=float)
            return held[rows.codes]
        if isinstance(factors, pd.Series) and set(self.factor_names) <= set(factors.index):
            factors = factors[self.factor_names]
        one = np.asarray(factors, dtype=float)
        if one.shape != (self.k_factors,) or not np.isfinite(one).all():
            raise SpecificationError(
                f"factors: give a frame with a row a period or {self.k_factors} finite values."
            )
        return np.broadcast_to(one, (len(rows.codes), self.k_factors))

    # -- fit --------------------------------------------------------------------------------------

    def rsquare_total(
        self, new: Any = None, endog: Any = None, *, entity: Any = None, time: Any = None
    ) -> float:
        r"""Share of squared returns that loadings times the factors of the period explain.

        .. math::

            1 - \frac{\sum_{i,t} (r_{it} - \hat\beta_{it}' \hat f_t)^2}{\sum_{i,t} r_{it}^2}

        Returns are not centred (Kelly, Pruitt and Su, 2019).

        Parameters
        ----------
        new, endog, entity, time
            Other rows, as in :meth:`transform`; their factors come from their own returns. By
            default the sample.

        Returns
        -------
        float
        """
        return self._rsquares(self.mapping, new, endog, entity, time)[0]

    def rsquare_predictive(
        self, new: Any = None, endog: Any = None, *, entity: Any = None, time: Any = None
    ) -> float:
        """The same with the factors' means over the sample instead of the period's factors.

        Parameters
        ----------
        new, endog, entity, time
            Other rows, as in :meth:`transform`. By default the sample.

        Returns
        -------
        float
        """
        return self._rsquares(self.mapping, new, endog, entity, time)[1]

    def _rsquares(
        self, mapping: LoadingMap, new: Any, endog: Any, entity: Any, time: Any
    ) -> tuple[float, float]:
        own = self._rows
        rows = own if new is None else self.model.panel.new(new, endog, entity, time, returns=True)
        fits = self._fits(mapping, rows)
        return explained(rows.returns, fits[0]), explained(rows.returns, fits[1])

    def _fits(self, mapping: LoadingMap, rows: AssetRows) -> tuple[np.ndarray, np.ndarray]:
        """Fitted values with the period's factors, and with the factors' means in the sample."""
        held = self._factors if mapping is self.mapping else self._linear_factors
        loadings = mapping.loadings(rows.exog)
        factors = held if rows is self._rows else self._factors_of(mapping, rows)
        total = np.einsum("nk,nk->n", loadings, factors[rows.codes])
        return total, loadings @ held.mean(axis=0)
