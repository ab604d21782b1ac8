"""FactorNowcaster: a quarterly target from the ragged edge of a monthly panel."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.frames import as_frame
from nnecon.data.mixed_frequency import monthly, quarter_ends, quarterly
from nnecon.data.syntax import suggestion
from nnecon.exceptions import SpecificationError
from nnecon.models.factor_forecaster import (
    check_factor_arguments,
    read_share,
    well_known_factors,
)
from nnecon.models.forecast_settings import read_count
from nnecon.results.immutable import Immutable
from nnecon.results.nowcasts import METHODS, NowcastHistory, NowcastResults


class FactorNowcaster(Immutable):
    r"""Nowcasts of a quarterly target from factors of a monthly panel.

    Factors are extracted up to the last month in which enough series are known, however many are
    missing there. With that month ``a`` months before the end of the quarter q, an equation for
    just this situation is estimated on past quarters,

    .. math:: y_q = c + \sum_{i=0}^{p-1} b_i\, y_{q-g-i} + \gamma' x_{q,a} + u_q,

    where g is the number of quarters since the target was last known, and :math:`x_{q,a}` holds the
    factors of the last months known, each with its coefficient (``"umidas"``), or their mean over
    the quarter, months to come forecast by a vector autoregression (``"bridge"``).

    Parameters
    ----------
    panel : DataFrame
        Monthly series, missing values anywhere.
    target : Series
        Quarterly, such as GDP growth; quarters not known yet are missing or not there.
    k_factors, hidden, **factors
        Arguments of :class:`AutoencoderFactor`.
    method : {"umidas", "bridge"}
        How monthly factors enter the quarterly equation.
    lags : int
        Own lags p, from the last quarter known; zero leaves them out.
    months : int
        Months of factors that enter with ``"umidas"``.
    min_known : float
        Share of the months in which a series has to be known to be in the panel.
    month_known : float
        Share of the series of the panel that has to be known in a month for it to count.

    Raises
    ------
    DataError
        Indices are not monthly and quarterly, or have gaps.
    SpecificationError
        Arguments that contradict each other.

    References
    ----------
    Foroni, C., M. Marcellino and C. Schumacher (2015), Unrestricted mixed data sampling, Journal of
    the Royal Statistical Society A 178, 57-82. Giannone, D., L. Reichlin and D. Small (2008),
    Nowcasting, Journal of Monetary Economics 55, 665-676. Marcellino, M. and C. Schumacher (2010),
    Factor MIDAS for nowcasting and forecasting with ragged-edge data, Oxford Bulletin of Economics
    and Statistics 72, 518-550.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import nnecon as ne
    >>> g = np.random.default_rng(0)
    >>> months = pd.period_range("2000-01", "2019-11", freq="M")
    >>> f = g.standard_normal(len(months))
    >>> x = np.outer(f, np.ones(8)) + 0.5 * g.standard_normal((len(f), 8))
    >>> panel = pd.DataFrame(x, months)
    >>> growth = pd.Series(f, months).groupby(months.asfreq("Q")).mean().iloc[:-1].rename("growth")
    >>> results = ne.FactorNowcaster(panel, growth, k_factors=1, hidden=()).fit()
    >>> results.nowcast().index[0], results.months_ahead("2019Q4")
    (Period('2019Q4', 'Q-DEC'), 1)
    """

    panel: pd.DataFrame
    target: pd.Series
    method: str
    lags: int
    months: int
    month_known: float
    _given: Mapping[str, Any]
    _factor_options: Mapping[str, Any]

    def __init__(
        self,
        panel: Any,
        target: Any,
        *,
        k_factors: int | str = "ic",
        hidden: Sequence[int] | int = (8,),
        method: str = "umidas",
        lags: int = 1,
        months: int = 3,
        min_known: float = 0.5,
        month_known: float = 0.5,
        **factors: Any,
    ) -> None:
        check_factor_arguments(type(self).__name__, factors)
        if method not in METHODS:
            raise SpecificationError(f"method={method!r}: choose one of {METHODS}.")
        if method == "bridge" and months != 3:
            raise SpecificationError("months has no effect on method='bridge'; leave it out.")
        read_share("min_known", min_known)
        given = {
            "k_factors": k_factors, "hidden": hidden, "method": method, "lags": lags,
            "months": months, "min_known": min_known, "month_known": month_known, **factors,
        }  # fmt: skip
        self.__dict__.update(
            panel=monthly(as_frame(panel)),
            target=quarterly(target),
            method=method,
            lags=lags if lags == 0 else read_count("lags", lags),
            months=read_count("months", months),
            month_known=read_share("month_known", month_known),
            _given=given,
            _factor_options={"k_factors": k_factors, "hidden": hidden, **factors},
        )

    def on(self, panel: Any, target: Any, **changes: Any) -> Self:
        """The same specification on other data, for example those known at an earlier date."""
        return type(self)(panel, target, **{**self._given, **changes})

    def fit(self, alpha: float | str = "cv", **options: Any) -> NowcastResults:
        """Estimate the factor model.

        Parameters
        ----------
        alpha, **options
            As in :meth:`AutoencoderFactor.fit`.

        Returns
        -------
        NowcastResults
        """
        share = float(self._given["min_known"])
        model, left_out = well_known_factors(self.panel, share, self._factor_options)
        results = model.fit(alpha, **options)
        return NowcastResults(self, results, self.panel, self.target, left_out)

    def pseudo_real_time(
        self,
        first: Any,
        last: Any = None,
        *,
        release_lag: int | Mapping[str, int] = 1,
        target_lag: int = 1,
        refit: int = 12,
        alpha: float | str = "cv",
        **options: Any,
    ) -> NowcastHistory:
        """Nowcasts as they would have been made at the end of past months.

        At the end of each month factor model and equations see nothing but what was out: series up
        to their release, quarters of the target up to theirs. Data are those of today, revised,
        hence "pseudo".

        Parameters
        ----------
        first, last : str or Period
            Months at whose end nowcasts are made; the last one by default that of the panel.
        release_lag : int or mapping of str to int
            Months by which series are published late, for all, or by column (others: not late):
            with 1, the end of May knows April.
        target_lag : int
            Months after a quarter's end at whose end the target is known: with 1, the first quarter
            is known at the end of April.
        refit : int
            Months between estimations of the factor model; factors and equations are renewed every
            month.
        alpha, **options
            As in :meth:`AutoencoderFactor.fit`.

        Returns
        -------
        NowcastHistory
        """
        begin, end = self._month("first", first), self._month("last", last)
        lags = self._release_lags(release_lag)
        if not isinstance(target_lag, Integral) or isinstance(target_lag, bool) or target_lag < 0:
            raise SpecificationError(f"target_lag={target_lag!r}: give a whole number of months.")
        every = read_count("refit", refit)
        results, rows = None, []
        for number, cutoff in enumerate(pd.period_range(begin, end, freq="M")):
            panel = self.panel.loc[:cutoff].copy()
            for name, late in lags.items():
                if late:
                    panel.iloc[-late:, panel.columns.get_loc(name)] = np.nan
            ends = quarter_ends(self.target.index)
            target = self.target[ends + int(target_lag) <= cutoff.ordinal]
            if results is None or number % every == 0:
                results = self.on(panel, target).fit(alpha, **options)
            rows.append(results.apply(panel, target).at_cutoff(cutoff))
        frame = pd.concat(rows, ignore_index=True)
        frame["actual"] = self.target.reindex(pd.PeriodIndex(frame["quarter"])).to_numpy()
        return NowcastHistory(frame, str(self.target.name))

    def _month(self, name: str, given: Any) -> pd.Period:
        months = self.panel.index
        try:
            month = months[-1] if given is None else pd.Period(given, freq="M")
        except ValueError as error:
            raise SpecificationError(f"{name}={given!r} is no month such as '1990-01'.") from error
        if not months[0] < month <= months[-1]:
            raise SpecificationError(
                f"{name}={given!r}: the panel has the months {months[0]} to {months[-1]}."
            )
        return month

    def _release_lags(self, given: int | Mapping[str, int]) -> dict[str, int]:
        names = [str(name) for name in self.panel.columns]
        lags = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)
        for name, late in lags.items():
            if name not in names:
                raise SpecificationError(
                    f"release_lag: unknown column {name!r}; {suggestion(name, names)}"
                )
            if not isinstance(late, Integral) or isinstance(late, bool) or late < 0:
                raise SpecificationError(
                    f"release_lag={{{name!r}: {late!r}}}: give a whole number of months."
                )
        return {name: int(late) for name, late in lags.items()}
