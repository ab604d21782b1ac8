"""FactorForecaster: forecasts from factors of a panel."""

from collections.abc import Mapping, Sequence
from inspect import signature
from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.baselines.face import read_targets
from nnecon.data.frames import as_frame
from nnecon.data.panel import well_known
from nnecon.data.syntax import suggestion
from nnecon.data.time_axis import TimeAxis
from nnecon.estimation.splitters import ExpandingFolds
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.factors import AutoencoderFactor
from nnecon.models.forecast_settings import read_count, read_units
from nnecon.models.regression import NeuralRegression
from nnecon.results.factor_forecasts import FactorForecastResults
from nnecon.results.immutable import Immutable
from nnecon.results.regression import NeuralRegressionResults


class FactorForecaster(Immutable):
    r"""Diffusion-index forecasts: a target on its own lags and on factors of a panel.

    For each horizon h one regression,

    .. math::

        y_{t+h} = c_h + \sum_{i=0}^{p-1} b_{hi}\, z_{t-i}
            + \sum_{j=0}^{q-1} \gamma_{hj}' f_{t-j} + u_{t+h},

    where :math:`f_t` are factors of an :class:`AutoencoderFactor` and :math:`z_t` is the target or,
    with ``own``, another series, such as monthly growth for a target that is growth over a year.
    With ``hidden=()`` these are the forecasts of Stock and Watson (2002). With ``equation_hidden``
    a network of the same regressors stands beside the regression and is penalised; at
    ``equation_fit={"alpha": np.inf}`` it is the regression.

    Parameters
    ----------
    data : DataFrame
        One row a period, with targets and panel; the panel may have missing values.
    targets : str or sequence of str
        Columns to forecast.
    panel : sequence of str, optional
        Columns that factors are extracted from; by default all that are not targets with an
        ``own`` series.
    k_factors, hidden, **factors
        Arguments of :class:`AutoencoderFactor`.
    lags : int
        Own lags p, the current value included.
    factor_lags : int
        Lags q of the factors, the current value included.
    own : mapping of str to str, optional
        For each target the column whose lags enter, by default the target.
    min_known : float
        Share of the rows in which a series of the panel has to be known; others are left out of
        the panel at that origin, and named in ``left_out``.

    Raises
    ------
    DataError
        A column is missing, or dates have gaps.
    SpecificationError
        Arguments that contradict each other.

    References
    ----------
    Stock, J. H. and M. W. Watson (2002), Macroeconomic forecasting using diffusion indexes, Journal
    of Business & Economic Statistics 20, 147-162.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> panel = ["growth", "infl", "unemp", "tbilrate", "realint"]
    >>> model = ne.FactorForecaster(macro, "growth", panel=panel, k_factors=2, hidden=(), lags=2)
    >>> model.fit().forecast(2).round(1)  # doctest: +NORMALIZE_WHITESPACE
             growth
    quarter
    2009Q4      2.3
    2010Q1      2.8
    """

    frame: pd.DataFrame
    endog_names: list[str]
    panel: tuple[str, ...]
    target_lags: int
    factor_lags: int
    equation_hidden: tuple[int, ...]
    axis: TimeAxis
    _given: Mapping[str, Any]
    _own: Mapping[str, str]
    _factor_options: Mapping[str, Any]

    def __init__(
        self,
        data: Any,
        targets: Sequence[str] | str,
        *,
        panel: Sequence[str] | None = None,
        k_factors: int | str = "ic",
        hidden: Sequence[int] | int = (8,),
        lags: int = 4,
        factor_lags: int = 1,
        own: Mapping[str, str] | None = None,
        equation_hidden: Sequence[int] | int = (),
        equation_fit: Mapping[str, Any] | None = None,
        min_known: float = 0.5,
        **factors: Any,
    ) -> None:
        given = {
            "targets": targets, "panel": panel, "k_factors": k_factors, "hidden": hidden,
            "lags": lags, "factor_lags": factor_lags, "own": own, "min_known": min_known,
            "equation_hidden": equation_hidden, "equation_fit": equation_fit, **factors,
        }  # fmt: skip
        check_factor_arguments(type(self).__name__, factors)
        names = read_targets(targets) or ()
        read_share("min_known", min_known)
        frame = as_frame(data)
        instead = dict(own or {})
        stray = next((name for name in instead if name not in names), None)
        if stray is not None:
            raise SpecificationError(f"own names {stray!r}, which is no target.")
        columns = panel
        if columns is None:
            columns = [str(name) for name in frame.columns if name not in instead]
        units = read_units("equation_hidden", equation_hidden)
        if equation_fit is not None and not units:
            raise SpecificationError(
                "equation_fit has no effect on linear equations; give equation_hidden."
            )
        self.__dict__.update(
            equation_hidden=units,
            endog_names=list(names),
            panel=tuple(columns),
            target_lags=read_count("lags", lags),
            factor_lags=read_count("factor_lags", factor_lags),
            _own=instead,
            _given=given,
            _factor_options={"k_factors": k_factors, "hidden": hidden, **factors},
        )
        self.__dict__["axis"] = TimeAxis.of(frame.index, "a forecast")
        self.__dict__["frame"] = self.checked(frame)

    def own_series(self, target: str) -> str:
        """Column whose lags stand beside the factors."""
        return self._own.get(target, target)

    def checked(self, data: Any) -> pd.DataFrame:
        """A frame with all columns of the model, in periods without gaps."""
        frame = as_frame(data)
        needed = dict.fromkeys([*self.endog_names, *self._own.values(), *self.panel])
        for name in needed:
            if name not in frame.columns:
                raise DataError(f"column {name!r} is missing; {suggestion(name, frame.columns)}")
        TimeAxis.of(frame.index, "a forecast")
        return frame[list(needed)]

    @property
    def description(self) -> str:
        """The model in a few words."""
        k, hidden = self._factor_options["k_factors"], self._factor_options["hidden"]
        kind = "PCA" if hidden == () or hidden == [] else "autoencoder"
        number = f"by {k}" if isinstance(k, str) else str(k)
        words = f"{kind} factors ({number}) of {len(self.panel)} series"
        units = "-".join(str(size) for size in self.equation_hidden)
        neural = f", equations with {units} units" if units else ""
        return f"{words}, {self.target_lags} own lags{neural}"

    def fit_equation(
        self, regressors: pd.DataFrame, target: pd.Series, ahead: int
    ) -> NeuralRegressionResults:
        """Regress the target ``ahead`` periods later on what is known, by network or linearly."""
        y = target.shift(-ahead).rename(str(target.name))
        rows = y.notna() & regressors.notna().all(axis=1)
        p = regressors.shape[1]
        if rows.sum() <= p:
            raise DataError(
                f"{target.name}: {rows.sum()} periods are too few for {p} coefficients "
                f"{ahead} periods ahead; give a longer sample, fewer factors or fewer lags."
            )
        model = NeuralRegression(y[rows], regressors[rows], hidden=self.equation_hidden)
        options: dict[str, Any] = {"cov_type": "nonrobust"}
        if self.equation_hidden:
            options |= {"alpha": "1se", "cv": ExpandingFolds(5, gap=ahead - 1)}
        return model.fit(**{**options, **(self._given["equation_fit"] or {})})

    def on(self, data: Any, **changes: Any) -> Self:
        """The same specification on other data, for example those known at an earlier date."""
        return type(self)(data, **{**self._given, **changes})

    def fit(self, alpha: float | str = "cv", **options: Any) -> FactorForecastResults:
        """Estimate the factor model.

        Parameters
        ----------
        alpha, **options
            As in :meth:`AutoencoderFactor.fit`.

        Returns
        -------
        FactorForecastResults
        """
        share = float(self._given["min_known"])
        panel = self.frame[list(self.panel)]
        model, left_out = well_known_factors(panel, share, self._factor_options)
        return FactorForecastResults(self, model.fit(alpha, **options), self.frame, left_out)


def check_factor_arguments(model: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments that a factor model does not have."""
    known = [name for name in signature(AutoencoderFactor.__init__).parameters][2:]
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise SpecificationError(
            f"{model} has no argument {unknown!r}; those of the factor model are "
            f"{', '.join(known)}."
        )


def read_share(name: str, given: Any) -> float:
    """Check a share over zero and up to one."""
    number = float(given) if isinstance(given, Real) and not isinstance(given, bool) else np.nan
    if not 0 < number <= 1:
        raise SpecificationError(f"{name}={given!r}: give a share over 0 and up to 1.")
    return number


def well_known_factors(
    panel: pd.DataFrame, share: float, options: Mapping[str, Any]
) -> tuple[AutoencoderFactor, tuple[str, ...]]:
    """Factor model of the series known in a share of the rows, and names of the others.

    Rows at the beginning or the end with fewer known values than factors are left out.
    """
    kept, left_out = well_known(panel, share)
    k = options["k_factors"]
    least = k if isinstance(k, int) else int(options.get("max_factors") or 8)
    enough = kept.notna().sum(axis=1) >= least
    return AutoencoderFactor(kept[enough], **options), left_out
