"""The forecasters: which network stands beside the autoregression."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from typing import Any

from nnecon.data.windows import Layout
from nnecon.exceptions import SpecificationError
from nnecon.models.forecast_settings import (
    WINDOWS,
    linear_lags,
    read_common,
    read_count,
    read_units,
    seasonal_period,
)
from nnecon.models.forecasting import Forecaster
from nnecon.nets import Attention, Convolution, Dense, LinearPart, Recurrent
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.convolution import POOLINGS
from nnecon.nets.recurrent import CANDIDATES, GATES


class LSTMForecaster(Forecaster):
    r"""Forecaster with a recurrent network beside a vector autoregression.

    For each target,

    .. math::

        y_{it} = c_i + x_t'\beta_i + \sum_{l=1}^p a_{il}' y_{t-l}
            + w_i' h_T(y_{t-1}, \dots, y_{t-T}) + u_{it},

    where :math:`h_T` is the state of an LSTM, GRU or plain recurrent network after the last T
    periods. The autoregression is not penalised, the network is: at ``alpha=inf`` the equations
    together are the VAR(p) of statsmodels (with one series its AutoReg). Each equation has a
    network and a penalty of its own. Predictors that are no targets have linear equations, so that
    forecasts go on beyond one period.

    Parameters
    ----------
    endog : array_like of shape (n,) or (n, m)
        Targets, one row a period.
    exog : array_like of shape (n, k), optional
        Regressors whose values at the forecast period are known; needed by ``forecast``.
    predictors : array_like of shape (n, q), optional
        Other series, which help with their lags.
    units : int or tuple of int
        Units of each recurrent layer; ``()`` is the autoregression.
    cell : {"lstm", "gru", "rnn"}
        Kind of unit.
    candidate : {"tanh", "logistic"}
        Activation of what is proposed as the new state.
    window : int, optional
        Periods that the network sees; by default two years of quarters, one of months.
    linear_part : bool
        Whether lags enter linearly, without penalty; False leaves a constant and known regressors.
    linear_lags : {"bic", "aic", "hqic"}, int or sequence of int
        Lags of the autoregression, or the criterion that chooses how many.
    max_lags : int, optional
        Most lags that a criterion may choose; 8 for quarters, otherwise 12.
    lags_by_equation : bool or dict
        Whether the criterion chooses for each equation how many own lags it has, and how many lags
        of the other series, or these pairs by series: ``{"infl": (3, 1), ...}``. The equations
        together are then a near-VAR. For recursive forecasts.
    long_lags : bool or dict, optional
        Whether equations go on with lags of their own series beyond those of the autoregression,
        shrunk to zero by Litterman's prior. By default equations of several series do where a
        criterion chooses the lags and the evidence is very strong; True lets all do, a dict gives
        the tightness by series.
    strategy : {"recursive", "direct"}
        How forecasts go on: the system is iterated, or each horizon has equations of its own.
    horizon : int, optional
        Periods ahead of direct forecasts.
    loss : {"gaussian", "student", "quantile"}
        Squared errors; the likelihood of Student-t errors, whose degrees of freedom and scale
        are estimated; or check functions, which give conditional quantiles.
    quantiles : sequence of float, optional
        Levels of the quantiles, 0.5 among them; by default .05, .25, .5, .75 and .95.

    Raises
    ------
    DataError
        Data that cannot be used; the message names the series, the period and a way out.
    SpecificationError
        Arguments that contradict each other.

    Notes
    -----
    The LSTM is that of Hochreiter and Schmidhuber (1997) with forget gates (Gers, Schmidhuber and
    Cummins, 2000).

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.LSTMForecaster.from_formula("infl + growth ~ tbilrate", macro, linear_lags=2)
    >>> results = model.fit(alpha=float("inf"))
    >>> results.forecast(2).round(1)  # doctest: +NORMALIZE_WHITESPACE
             infl  growth
    quarter
    2009Q4    3.1     2.7
    2010Q1    3.0     3.4
    """

    units: tuple[int, ...]
    cell: str
    candidate: str
    window: int | None

    def _specify(
        self,
        units: Sequence[int] | int = (8,),
        cell: str = "lstm",
        candidate: str = "tanh",
        window: int | None = None,
        linear_part: bool = True,
        linear_lags: Any = "bic",
        max_lags: int | None = None,
    ) -> dict[str, Any]:
        for name, value, known in (
            ("cell", cell, GATES),
            ("candidate", candidate, CANDIDATES),
        ):
            if value not in known:
                raise SpecificationError(
                    f"{name}={value!r} is not known; choose one of {[*known]}."
                )
        return {
            "units": read_units("units", units),
            "cell": cell,
            "candidate": candidate,
            **read_common(linear_part, linear_lags, max_lags),
            "window": None if window is None else read_count("window", window),
        }

    def _inputs(self, layout: Layout) -> Layout:
        if not self.units:
            return layout
        default = WINDOWS.get(self.frequency, 8)
        return replace(layout, window=default if self.window is None else self.window)

    def _network(self, layout: Layout) -> LinearPart:
        return Recurrent(
            layout.n_linear, layout.window, layout.per_period, self.units, self.cell, self.candidate
        )

    @property
    def description(self) -> str:
        """The network in a few words."""
        if not self.units:
            return "none (autoregression)"
        sizes = "-".join(str(size) for size in self.units)
        return f"{self.cell.upper()} of {sizes} units, window of {self.layout.window}"


class AttentionForecaster(Forecaster):
    r"""Forecaster with attention over a window of the past beside a vector autoregression.

    As :class:`LSTMForecaster`, with a network that weighs the periods of the window: how much each
    counts is in ``results.attention()``.

    Parameters
    ----------
    endog, exog, predictors
        As in :class:`LSTMForecaster`.
    units : int
        Units of all heads together.
    heads : int
        Heads, a divisor of ``units``.
    window, linear_part, linear_lags, max_lags, lags_by_equation, long_lags, strategy,
    horizon, loss, quantiles
        As in :class:`LSTMForecaster`.

    Notes
    -----
    Scaled dot-product attention with sinusoidal positions (Vaswani et al., 2017).

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.AttentionForecaster.from_formula("infl ~ tbilrate", macro, window=4, units=2)
    >>> results = model.fit(alpha=0.01, n_starts=2)
    >>> weights = results.attention()["infl"]
    >>> weights.columns.tolist()
    [4, 3, 2, 1]
    """

    units: int
    heads: int
    window: int | None

    def _specify(
        self,
        units: int = 8,
        heads: int = 1,
        window: int | None = None,
        linear_part: bool = True,
        linear_lags: Any = "bic",
        max_lags: int | None = None,
    ) -> dict[str, Any]:
        units, heads = read_count("units", units), read_count("heads", heads)
        if units % heads:
            raise SpecificationError(
                f"heads={heads} must divide units={units}: each head has as many units."
            )
        return {
            "units": units,
            "heads": heads,
            "window": None if window is None else read_count("window", window),
            **read_common(linear_part, linear_lags, max_lags),
        }

    def _inputs(self, layout: Layout) -> Layout:
        return replace(layout, window=self.window or WINDOWS.get(self.frequency, 8))

    def _network(self, layout: Layout) -> LinearPart:
        return Attention(layout.n_linear, layout.window, layout.per_period, self.units, self.heads)

    @property
    def description(self) -> str:
        """The network in a few words."""
        heads = "1 head" if self.heads == 1 else f"{self.heads} heads"
        return f"attention, {self.units} units, {heads}, window of {self.layout.window}"


class ConvForecaster(Forecaster):
    r"""Forecaster with causal convolutions over a window beside a vector autoregression.

    As :class:`LSTMForecaster`, with filters that look for shapes in the window; filters of layer l
    look at periods :math:`2^{l-1}` apart.

    Parameters
    ----------
    endog, exog, predictors
        As in :class:`LSTMForecaster`.
    channels : int or tuple of int
        Channels of each layer.
    width : int
        Periods that a filter looks at.
    pooling : {"mean", "max", "l2", "distance", "last"}
        How the window becomes one number a channel: the last value, which knows when things
        happened, or a mean, maximum or norm over the window, which do not.
    window, linear_part, linear_lags, max_lags, lags_by_equation, long_lags, strategy,
    horizon, loss, quantiles
        As in :class:`LSTMForecaster`.

    Notes
    -----
    Dilated causal convolutions are those of van den Oord et al. (2016).

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.ConvForecaster.from_formula("infl ~ tbilrate", macro, channels=2)
    >>> model.description
    'convolution of 2 channels, width 3, last pooling, window of 8'
    """

    channels: tuple[int, ...]
    width: int
    pooling: str
    window: int | None

    def _specify(
        self,
        channels: Sequence[int] | int = (8,),
        width: int = 3,
        pooling: str = "last",
        window: int | None = None,
        linear_part: bool = True,
        linear_lags: Any = "bic",
        max_lags: int | None = None,
    ) -> dict[str, Any]:
        if pooling not in POOLINGS:
            raise SpecificationError(
                f"pooling={pooling!r} is not known; choose one of {[*POOLINGS]}."
            )
        sizes = read_units("channels", channels)
        if not sizes:
            raise SpecificationError("channels=(): give the channels of at least one layer.")
        return {
            "channels": sizes,
            "width": read_count("width", width),
            "pooling": pooling,
            "window": None if window is None else read_count("window", window),
            **read_common(linear_part, linear_lags, max_lags),
        }

    def _inputs(self, layout: Layout) -> Layout:
        return replace(layout, window=self.window or WINDOWS.get(self.frequency, 8))

    def _network(self, layout: Layout) -> LinearPart:
        return Convolution(
            layout.n_linear, layout.window, layout.per_period, self.channels, self.width,
            self.pooling,
        )  # fmt: skip

    @property
    def description(self) -> str:
        """The network in a few words."""
        sizes = "-".join(str(size) for size in self.channels)
        return (
            f"convolution of {sizes} channels, width {self.width}, {self.pooling} pooling, "
            f"window of {self.layout.window}"
        )


class NeuralAR(Forecaster):
    r"""Neural autoregression: a feed-forward network on lags, beside the linear autoregression.

    .. math::

        y_{it} = c_i + x_t'\beta_i + \sum_{l \in L} a_{il}' y_{t-l}
            + f_i(y_{t-l}, l \in N; x_t) + u_{it}.

    The network, which is penalised, sees more of the past than the linear part, which is not: where
    a criterion chooses the lags, those that AIC chooses. At ``alpha=inf`` the equations are the
    VAR(p) or, with one series, the AutoReg of
    statsmodels.

    Parameters
    ----------
    endog, exog, predictors
        As in :class:`LSTMForecaster`.
    hidden : int or tuple of int
        Units of each hidden layer; ``()`` is the autoregression.
    activation : str
        As in :class:`nnecon.NeuralRegression`.
    network_lags : int or sequence of int, optional
        Lags that the network sees; by default those of the linear part, and where a criterion
        chooses these, as many as AIC chooses.
    seasonal_lags : int
        Lags of whole years, in months or quarters, that linear part and network see besides; zero
        for none.
    linear_part, linear_lags, max_lags, lags_by_equation, long_lags, strategy,
    horizon, loss, quantiles
        As in :class:`LSTMForecaster`.

    Notes
    -----
    R's ``forecast::nnetar`` is the pure network on the same lags (Hyndman and Athanasopoulos,
    2021, section 12.4).

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import pandas as pd
    >>> sunspots = sm.datasets.sunspots.load_pandas().data["SUNACTIVITY"]
    >>> sunspots.index = pd.period_range("1700", periods=len(sunspots), freq="Y")
    >>> results = NeuralAR(sunspots, linear_lags=9, hidden=(4,)).fit(alpha=0.01, n_starts=2)
    >>> results.converged
    True
    """

    hidden: tuple[int, ...]
    activation: str
    network_lags: tuple[int, ...] | None
    seasonal_lags: int

    def _specify(
        self,
        hidden: Sequence[int] | int = (8,),
        activation: str = "tanh",
        network_lags: Any = None,
        seasonal_lags: int = 0,
        linear_part: bool = True,
        linear_lags: Any = "bic",
        max_lags: int | None = None,
    ) -> dict[str, Any]:
        if activation not in ACTIVATIONS:
            raise SpecificationError(
                f"activation={activation!r} is not known; choose one of {[*ACTIVATIONS]}."
            )
        if isinstance(network_lags, Integral):
            network_lags = range(1, read_count("network_lags", network_lags) + 1)
        if network_lags is not None:
            network_lags = tuple(
                sorted({read_count("network_lags", lag) for lag in network_lags})
            )  # fmt: skip
        if not isinstance(seasonal_lags, Integral) or seasonal_lags < 0:
            raise SpecificationError(
                f"seasonal_lags={seasonal_lags!r}: give a whole number of years, zero for none."
            )
        if seasonal_lags and seasonal_period(self.frequency) is None:
            raise SpecificationError(
                f"seasonal_lags={seasonal_lags} needs quarterly or monthly dates; name the lags in "
                "linear_lags instead, such as [1, 2, 11]."
            )
        return {
            "hidden": read_units("hidden", hidden),
            "activation": activation,
            "network_lags": network_lags,
            "seasonal_lags": int(seasonal_lags),
            **read_common(linear_part, linear_lags, max_lags),
        }

    def _seasonal(self) -> tuple[int, ...]:
        period = seasonal_period(self.frequency) or 0
        return tuple(period * year for year in range(1, self.seasonal_lags + 1))

    @cached_property
    def _seen(self) -> tuple[int, ...]:
        """Lags that the network sees by default."""
        own = self.lags if self.long_lags is None else self.var_lags
        if not isinstance(self.linear_lags, str):
            return own
        longer, _ = linear_lags("aic", self.max_lags, self.series, self._known, self.frequency)
        return max(own, longer, key=len)

    @property
    def pinned(self) -> dict[str, Any]:
        """Arguments of the constructor that keep what these data chose: ``on(data, **pinned)``."""
        seen = self.layout.network_lags
        return {**super().pinned, **({"network_lags": seen} if seen else {})}

    def _inputs(self, layout: Layout) -> Layout:
        seasonal = self._seasonal()
        linear = tuple(sorted({*layout.lags, *seasonal})) if self.linear_part else ()
        own = self._seen if self.network_lags is None else self.network_lags
        seen = tuple(sorted({*own, *seasonal})) if self.hidden else ()
        return replace(layout, lags=linear, network_lags=seen)

    def _network(self, layout: Layout) -> LinearPart:
        return Dense(layout.n_linear, layout.n_network, self.hidden, self.activation)

    @property
    def description(self) -> str:
        """The network in a few words."""
        if not self.hidden:
            return "none (autoregression)"
        sizes = "-".join(str(size) for size in self.hidden)
        return f"{sizes} {self.activation} on lags {written(self.layout.network_lags)}"


def written(lags: Sequence[int]) -> str:
    """Lags as a person would write them.

    Examples
    --------
    >>> written((1, 2, 3, 12)), written((1,))
    ('1-3, 12', '1')
    """
    runs: list[list[int]] = []
    for lag in lags:
        if runs and lag == runs[-1][-1] + 1:
            runs[-1].append(lag)
        else:
            runs.append([lag])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
