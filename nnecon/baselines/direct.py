"""Direct forecasts: one regression for each horizon."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS

from nnecon.baselines.face import Baseline, Outlook, Unit
from nnecon.data.design import Design
from nnecon.data.time_axis import TimeAxis
from nnecon.exceptions import DataError, ForecastError, SpecificationError

_REMEMBER = re.compile(r"\b(center|standardize|scale|bs|cr|cc|te|C)\s*\(")


def ols(*formulas: str) -> "Direct":
    r"""Least squares by formula, one regression for each horizon.

    A formula is written for one step ahead, with lags alone on its right side. For horizon h all of
    them lie h - 1 periods further back,

    .. math:: y_{t+h} = x_{t+1}' \beta_h + u_{t,h},

    where :math:`x_{t+1}`, the right side for period t + 1, is known at t. Intervals are
    statsmodels' for a new observation. Errors of horizons beyond one overlap, so that the part of
    the interval that stands for the estimation of :math:`\beta_h` is approximate there; it falls
    with 1/T, unlike the rest.

    Parameters
    ----------
    *formulas : str
        One for each target, such as ``"growth ~ lag(growth, 1, 2) + lag(infl, 1)"``; the left side
        is a column, the right side columns, time operators and NumPy's functions.

    Returns
    -------
    Baseline

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> direct = ne.baselines.ols("growth ~ lag(growth, 1, 2) + lag(tbilrate, 1)")
    >>> direct.fit(macro).forecast(4).shape
    (4, 1)
    """
    if not formulas or not all(isinstance(f, str) and "~" in f for f in formulas):
        raise SpecificationError("give ols() one formula a target, such as 'y ~ lag(y, 1, 4)'.")
    targets = tuple(formula.partition("~")[0].strip() for formula in formulas)
    for at, name in enumerate(targets):
        if name in targets[:at]:
            raise SpecificationError(f"two formulas of ols() have {name!r} on the left side.")
    for formula in formulas:
        found = _REMEMBER.search(formula)
        if found:
            raise SpecificationError(
                f"ols() takes lags and plain arithmetic, but {formula!r} calls {found[1]}(), which "
                "depends on the sample; make it a column first."
            )
    return Direct(targets, formulas)


@dataclass(frozen=True, eq=False)
class Direct(Baseline):
    """Specification of :func:`ols`."""

    formulas: tuple[str, ...]

    @property
    def description(self) -> str:
        """The model in a few words."""
        return f"direct OLS of {', '.join(self.targets or ())}"

    def _units(
        self, frame: pd.DataFrame, names: tuple[str, ...], like: Sequence[Any]
    ) -> tuple[Unit, ...]:
        return tuple(
            DirectUnit.fit(formula, name, frame)
            for formula, name in zip(self.formulas, names, strict=True)
        )


@dataclass(frozen=True, slots=True, eq=False)
class DirectUnit(Unit):
    """Data for the regressions of one target.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Periods of the right sides.
    exog : ndarray of shape (n, p)
        Right sides.
    endog : ndarray of shape (T,)
        The target in all periods, missing where it is not known.
    latest : ndarray of shape (1, p)
        Right side of the first period that is forecast, :attr:`end`.
    """

    formula: str
    rows: np.ndarray
    exog: np.ndarray
    endog: np.ndarray
    latest: np.ndarray
    first: int

    @classmethod
    def fit(cls, formula: str, target: str, frame: pd.DataFrame) -> "DirectUnit":
        """Read the design of a formula."""
        design = Design.from_formula(formula, frame, env=-1)
        latest, first = _latest(design, formula, frame)
        endog = frame[target].to_numpy(dtype=float, na_value=np.nan)
        sample = design.sample
        return cls(formula, sample.rows, sample.exog, endog, latest, first)

    @property
    def end(self) -> int:
        """First period that is forecast."""
        return self.first

    def moved(self, frame: pd.DataFrame, start: int) -> "DirectUnit":
        """The same regressions with another right side at the origin."""
        design = Design.from_formula(self.formula, frame, env=-1)
        latest, first = _latest(design, self.formula, frame)
        return replace(self, latest=latest, first=start + first)

    def outlook(self, steps: int) -> Outlook:
        """One regression for each horizon."""
        mean, se, df = (np.empty((steps, 1)) for _ in range(3))
        for ahead in range(steps):
            there = self.rows + ahead < len(self.endog)
            rows, exog = self.rows[there] + ahead, self.exog[there]
            known = np.isfinite(self.endog[rows])
            if known.sum() <= exog.shape[1]:
                raise DataError(
                    f"{self.formula!r}: {known.sum()} periods are too few for {exog.shape[1]} "
                    f"coefficients at horizon {ahead + 1}; give a longer sample or fewer lags."
                )
            fitted = OLS(self.endog[rows[known]], exog[known]).fit()
            found = fitted.get_prediction(self.latest)
            mean[ahead], se[ahead] = found.predicted_mean, found.se_obs
            df[ahead] = fitted.df_resid
        return Outlook(mean, se, df)


def _latest(design: Design, formula: str, frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Right side of the last period for which all of it is known, and which period that is."""
    axis = TimeAxis.of(frame.index, formula)
    for period in range(len(frame), 0, -1):
        try:
            row, _ = design.exog_for(pd.DataFrame(index=axis.following(period, 1)))
        except ForecastError as error:
            reason = error
        except DataError as error:
            raise SpecificationError(
                f"{formula!r} uses a variable of the same period, which is not known when a "
                f"forecast is made ({error}); write it with a lag, such as lag(x, 1)."
            ) from error
        else:
            return row, period
    raise ForecastError(f"{formula!r} is not known for any period: {reason}")
