"""Factor-augmented vector autoregressions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnecon.baselines.autoregressions import Recursion, VectorAutoregression, var
from nnecon.baselines.face import Baseline, Outlook, Unit, block_of, read_targets
from nnecon.data.panel import panel_of, well_known
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.factor_map import ComponentMap, Extraction
from nnecon.inference.principal_components import fill_missing, principal_components


def factor_var(
    k_factors: int,
    lags: int | str = "bic",
    trend: str = "c",
    *,
    maxlags: int | None = None,
    targets: Sequence[str] | str | None = None,
    panel: Sequence[str] | None = None,
    min_known: float = 0.5,
) -> "FactorVectorAutoregression":
    r"""Vector autoregression of targets and principal components of a panel.

    .. math:: (y_t', f_t')' = c + A_1 (y_{t-1}', f_{t-1}')' + \dots + u_t

    Components are extracted anew from whatever data it is fitted on, missing values filled by EM
    (Stock and Watson, 2002).

    Parameters
    ----------
    k_factors : int
        Principal components.
    lags, trend, maxlags, targets
        As in :func:`var`.
    panel : sequence of str, optional
        Columns that components are extracted from, by default all that are not targets.
    min_known : float
        Share of the rows in which a series of the panel has to be known; others are left out.

    Returns
    -------
    Baseline

    References
    ----------
    Bernanke, B. S., J. Boivin and P. Eliasz (2005), Measuring the effects of monetary policy: a
    factor-augmented vector autoregressive approach, Quarterly Journal of Economics 120, 387-422.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()[["growth", "infl", "unemp", "tbilrate", "realint"]]
    >>> fitted = ne.baselines.factor_var(2, lags=1).fit(macro, "growth")
    >>> fitted.forecast(2).shape
    (2, 1)
    """
    whole = isinstance(k_factors, int | np.integer) and not isinstance(k_factors, bool)
    if not whole or k_factors < 1:
        raise SpecificationError(f"k_factors={k_factors!r}: give a whole number of at least 1.")
    if not 0 < min_known <= 1:
        raise SpecificationError(f"min_known={min_known!r}: give a share over 0 and up to 1.")
    columns = None if panel is None else tuple(panel)
    inner = var(lags, trend, maxlags=maxlags)
    return FactorVectorAutoregression(
        read_targets(targets), int(k_factors), inner, columns, float(min_known)
    )


@dataclass(frozen=True, eq=False)
class FactorVectorAutoregression(Baseline):
    """Specification of :func:`factor_var`."""

    k_factors: int
    inner: VectorAutoregression
    panel: tuple[str, ...] | None
    min_known: float

    @property
    def description(self) -> str:
        """The model in a few words."""
        return f"{self.inner.description} with {self.k_factors} principal components"

    def _units(
        self, frame: pd.DataFrame, names: tuple[str, ...], like: Sequence[Any]
    ) -> tuple[Unit, ...]:
        columns = self.panel or tuple(str(c) for c in frame.columns if c not in names)
        for name in columns:
            if name not in frame.columns:
                raise DataError(f"the panel has no column {name!r}.")
        known, _ = well_known(frame[list(columns)], self.min_known)
        rows = known.notna().sum(axis=1) >= self.k_factors
        panel = panel_of(known[rows])
        if self.k_factors > min(panel.values.shape):
            raise SpecificationError(
                f"k_factors={self.k_factors}: the panel has {panel.values.shape[1]} series."
            )
        filled, filling = fill_missing(panel.values, self.k_factors)
        base = Extraction(filling, principal_components(filled), self.k_factors, len(filled))
        extraction = ComponentMap(base)
        both = with_factors(frame, names, panel.names, extraction)
        chosen = like[0].recursion if like else None
        recursion = self.inner._estimate(block_of(both, tuple(both.columns), 0), chosen)
        return (FactorUnit(recursion, names, panel.names, extraction),)


@dataclass(frozen=True, slots=True, eq=False)
class FactorUnit(Unit):
    """An estimated VAR of targets and factors, of which the targets are forecast."""

    recursion: Recursion
    names: tuple[str, ...]
    panel: tuple[str, ...]
    extraction: ComponentMap

    @property
    def end(self) -> int:
        """Period after the last row with all targets and factors."""
        return self.recursion.end

    @property
    def choice(self) -> str:
        """Number of lags where a criterion chose it."""
        return self.recursion.choice

    def outlook(self, steps: int) -> Outlook:
        """Forecasts of the targets."""
        found, m = self.recursion.outlook(steps), len(self.names)
        return Outlook(found.mean[:, :m], found.se[:, :m])

    def moved(self, frame: pd.DataFrame, start: int) -> "FactorUnit":
        """The same loadings and coefficients on another frame."""
        both = with_factors(frame, self.names, self.panel, self.extraction)
        block = block_of(both, tuple(both.columns), start)
        return FactorUnit(self.recursion.on(block), self.names, self.panel, self.extraction)


def with_factors(
    frame: pd.DataFrame, names: tuple[str, ...], panel: tuple[str, ...], extraction: ComponentMap
) -> pd.DataFrame:
    """Targets and factors with variance one; rows with too few known values have no factors."""
    values = frame[list(panel)].to_numpy(dtype=float, na_value=np.nan)
    k, n = extraction.extraction.k_factors, extraction.extraction.n_obs
    enough = np.isfinite(values).sum(axis=1) >= k
    factors = np.full((len(frame), k), np.nan)
    factors[enough] = extraction.factors(values[enough]) * np.sqrt(n)
    columns = [f"factor {j}" for j in range(1, k + 1)]
    return frame[list(names)].join(pd.DataFrame(factors, frame.index, columns))
