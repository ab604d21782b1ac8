"""Vector autoregressions and autoregressions; statsmodels' models are imported when first used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnecon.baselines.face import Block, Outlook, SeriesBaseline, SeriesUnit, read_targets
from nnecon.exceptions import DataError, SpecificationError

CRITERIA = ("aic", "bic", "hqic")
TRENDS = ("n", "c", "ct", "ctt")


def var(
    lags: int | str = "aic",
    trend: str = "c",
    *,
    maxlags: int | None = None,
    targets: Sequence[str] | str | None = None,
) -> "VectorAutoregression":
    r"""Vector autoregression of all targets, by least squares.

    .. math:: y_t = c + A_1 y_{t-1} + \dots + A_p y_{t-p} + u_t, \qquad u_t \sim N(0, \Sigma)

    Parameters
    ----------
    lags : int or {"aic", "bic", "hqic"}
        Number of lags p, or the criterion that chooses it.
    trend : {"c", "ct", "ctt", "n"}
        Constant, linear and quadratic trend, or none.
    maxlags : int, optional
        Most lags that a criterion tries, by default :math:`12 (T/100)^{1/4}` as in statsmodels.
    targets : sequence of str, optional
        Columns of the VAR; by default those that are forecast.

    Returns
    -------
    Baseline

    References
    ----------
    Luetkepohl, H. (2005). New Introduction to Multiple Time Series Analysis.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> fitted = ne.baselines.var(2).fit(macro, ["growth", "infl", "tbilrate"])
    >>> fitted.forecast(2).round(2)  # doctest: +NORMALIZE_WHITESPACE
            growth  infl  tbilrate
    quarter
    2009Q4    2.73  3.13      0.37
    2010Q1    3.44  3.04      0.74
    """
    return VectorAutoregression(read_targets(targets), *_lags(lags, trend, maxlags))


def ar(
    lags: int | str = "aic",
    trend: str = "c",
    *,
    maxlags: int | None = None,
    targets: Sequence[str] | str | None = None,
) -> "Autoregression":
    r"""Autoregression of each target on its own lags, by least squares.

    Parameters
    ----------
    lags, trend, maxlags, targets
        As in :func:`var`; criteria choose for each target. ``maxlags`` is by default
        :math:`12 (T/100)^{1/4}`.

    Returns
    -------
    Baseline

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> ne.baselines.ar("bic").fit(macro, "growth").choice
    '2 lags'
    """
    return Autoregression(read_targets(targets), *_lags(lags, trend, maxlags))


def _lags(lags: Any, trend: str, maxlags: int | None) -> tuple[int | str, str, int | None]:
    if trend not in TRENDS:
        raise SpecificationError(f"trend={trend!r} is not known; choose one of {TRENDS}.")
    if isinstance(lags, str):
        if lags not in CRITERIA:
            raise SpecificationError(f"lags={lags!r}: give a number of lags or one of {CRITERIA}.")
        if maxlags is not None and not _whole(maxlags, 1):
            raise SpecificationError(f"maxlags={maxlags!r}: give a whole number of at least 1.")
        return lags, trend, maxlags
    if not _whole(lags, 0):
        raise SpecificationError(f"lags={lags!r}: give a number of lags or one of {CRITERIA}.")
    if maxlags is not None:
        raise SpecificationError(f"maxlags={maxlags} has no effect with lags={lags}; leave it out.")
    return int(lags), trend, None


def _whole(value: Any, least: int) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= least


@dataclass(frozen=True, eq=False)
class Autoregression(SeriesBaseline):
    """Specification of :func:`ar`."""

    lags: int | str
    trend: str
    maxlags: int | None

    @property
    def description(self) -> str:
        """The model in a few words."""
        by = f", lags by {self.lags.upper()}" if isinstance(self.lags, str) else f"({self.lags})"
        return f"{'VAR' if self.joint else 'AR'}{by}"

    def _estimate(self, block: Block, like: "Recursion | None") -> "Recursion":
        order = self.lags if like is None else like.order
        order = self._order(block) if isinstance(order, str) else order
        self._check(block, order)
        chosen = f"{order} lag{'s' * (order != 1)}" if isinstance(self.lags, str) else ""
        return Recursion(block, block.start, self.trend, *self._fitted(block, order), chosen)

    def _order(self, block: Block) -> int:
        from statsmodels.tsa.ar_model import ar_select_order

        most = self.maxlags or round(12 * (len(block.values) / 100.0) ** 0.25)
        self._check(block, most if self.maxlags else 1)
        most = min(most, (len(block.values) - len(self.trend) - 2) // 2)
        found = ar_select_order(block.values[:, 0], most, ic=str(self.lags), trend=self.trend)
        return 0 if found.ar_lags is None else len(found.ar_lags)

    def _check(self, block: Block, order: int) -> None:
        rows, k = len(block.values) - order, block.values.shape[1]
        needed = order * k + (0 if self.trend == "n" else len(self.trend)) + 1
        if rows < needed:
            raise DataError(
                f"{self.description}: {len(block.values)} periods of {', '.join(block.names)} are "
                f"too few for {order} lags; give a longer sample or fewer lags."
            )

    def _fitted(self, block: Block, order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from statsmodels.tsa.ar_model import AutoReg

        fitted = AutoReg(block.values[:, 0], order, trend=self.trend).fit()
        terms = len(fitted.params) - order
        params = np.asarray(fitted.params)
        variance = np.array([[float(fitted.sigma2)]])
        return params[:terms, None], params[terms:, None, None], variance


@dataclass(frozen=True, eq=False)
class VectorAutoregression(Autoregression):
    """Specification of :func:`var`."""

    joint: ClassVar[bool] = True

    def _order(self, block: Block) -> int:
        if block.values.shape[1] == 1:
            return super()._order(block)
        from statsmodels.tsa.vector_ar.var_model import VAR

        self._check(block, self.maxlags or 1)
        found = VAR(block.values).select_order(self.maxlags, trend=self.trend)
        return int(getattr(found, str(self.lags)))

    def _fitted(self, block: Block, order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if block.values.shape[1] == 1:
            return super()._fitted(block, order)
        from statsmodels.tsa.vector_ar.var_model import VAR

        fitted = VAR(block.values).fit(order, trend=self.trend)
        terms, k = fitted.k_trend, fitted.neqs
        coefs = np.asarray(fitted.coefs).reshape(order, k, k)
        return np.asarray(fitted.params)[:terms], coefs, np.asarray(fitted.sigma_u)


@dataclass(frozen=True, eq=False)
class Recursion(SeriesUnit):
    """An estimated (vector) autoregression.

    Attributes
    ----------
    first : int
        Period from which the trend counts.
    deterministic : ndarray of shape (q, k)
        Coefficients of constant and trends.
    coefs : ndarray of shape (p, k, k)
        Coefficients of the lags.
    variance : ndarray of shape (k, k)
        Covariance of the errors.
    """

    block: Block
    first: int
    trend: str
    deterministic: np.ndarray
    coefs: np.ndarray
    variance: np.ndarray
    chosen: str

    @property
    def order(self) -> int:
        """Number of lags."""
        return len(self.coefs)

    @property
    def choice(self) -> str:
        """Number of lags where a criterion chose it."""
        return self.chosen

    def outlook(self, steps: int) -> Outlook:
        """Iterated forecasts; standard errors are those of the shocks, as in statsmodels."""
        from statsmodels.tsa.vector_ar.var_model import forecast, forecast_cov, ma_rep

        time = np.arange(steps) + self.block.end - self.first + 1.0
        terms = time[:, None] ** np.arange(self.deterministic.shape[0])
        last = self.block.values[len(self.block.values) - self.order :]
        mean = forecast(last, self.coefs, self.deterministic, steps, terms)
        weights = ma_rep(self.coefs, steps)
        variances = forecast_cov(weights, self.variance, steps)
        return Outlook(mean, np.sqrt(np.diagonal(variances, axis1=1, axis2=2)))

    def on(self, block: Block) -> "Recursion":
        """The same coefficients, with other periods behind the forecast."""
        if len(block.values) < self.order:
            raise DataError(
                f"{len(block.values)} periods of {', '.join(block.names)} are too few for "
                f"{self.order} lags."
            )
        return Recursion(
            block,
            self.first,
            self.trend,
            self.deterministic,
            self.coefs,
            self.variance,
            self.chosen,
        )
