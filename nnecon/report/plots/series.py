"""Charts of observations: actual and fitted values, and what the residuals say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.report.plots.style import (
    BASELINE,
    DATA,
    GREY,
    NARROW,
    NETWORK,
    SHADE,
    as_date,
    dress,
    format_dates,
    legend,
    mark_missing,
    new_figure,
    one_axes,
    same_length,
    styled,
    time_axis,
    width_of,
    with_units,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STACKED = 6.0
"""Inches that four panels need one below the other."""


@styled
def plot_fit(
    index: pd.Index,
    endog: np.ndarray,
    fitted: np.ndarray,
    *,
    baseline: np.ndarray | None = None,
    lower: np.ndarray | None = None,
    upper: np.ndarray | None = None,
    level: float = 0.95,
    name: str = "",
    units: str | None = None,
    recessions: Sequence[tuple[Any, Any]] | None = None,
    title: str | None = "Actual and fitted values",
    baseline_name: str = "OLS",
    figsize: tuple[float, float] = (7.2, 3.9),
    ax: "Axes | None" = None,
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw actual and fitted values over time, or one against the other for a cross section.

    Parameters
    ----------
    index : Index, length n
        Labels of the observations; periods and dates give a time axis.
    endog, fitted : array, shape (n,)
        Dependent variable and its fitted values.
    baseline : array, shape (n,), optional
        Fitted values of the classical model.
    lower, upper : array, shape (n,), optional
        Interval of an observation, drawn as a band; where it is infinite there is none.
    level : float
        Its level, for the legend.
    name, units : str
        The dependent variable and its unit, for the axis.
    recessions : sequence of (first, last), optional
        Spans to shade, as labels of the index or dates.
    title : str, optional
        Title of the chart.
    baseline_name : str
        Name of the classical model.
    figsize : tuple
        Inches.
    ax, fig : optional
        Draw into these instead of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> quarters = pd.period_range("2000Q1", periods=4, freq="Q")
    >>> fig = plot_fit(quarters, [1.0, 2, 3, 2], [1.5, 2, 2, 2], name="growth", units="percent")
    >>> fig.axes[0].get_ylabel()
    'growth (percent)'
    """
    same_length(
        index=index, endog=endog, fitted=fitted, baseline=baseline, lower=lower, upper=upper
    )
    band = None if lower is None or upper is None else (_finite(lower), _finite(upper))
    own = ax is None
    fig, ax = one_axes(ax, fig, figsize)
    label = with_units(name, units) if name else units or ""
    dates = time_axis(index)
    if dates is None:
        if band is not None:
            ax.vlines(
                fitted, *band, color=NETWORK, alpha=0.25, linewidth=1.0, label=_band_name(level)
            )
        _actual_against_fitted(ax, endog, fitted, baseline, baseline_name)
        dress(ax, title, f"Fitted: {label}" if label else "Fitted", f"Actual: {label}")
    else:
        _shade(ax, index, dates, recessions or ())
        if band is not None:
            x, low = _with_gaps(index, dates, band[0])
            high = _with_gaps(index, dates, band[1])[1]
            ax.fill_between(
                x, low, high, color=NETWORK, alpha=0.18, linewidth=0, label=_band_name(level)
            )
        ax.plot(*_with_gaps(index, dates, endog), color=DATA, linewidth=1.0, label="actual")
        if baseline is not None:
            x, y = _with_gaps(index, dates, baseline)
            ax.plot(x, y, color=BASELINE, linewidth=1.2, linestyle="--", label=baseline_name)
        ax.plot(*_with_gaps(index, dates, fitted), color=NETWORK, linewidth=1.7, label="network")
        dress(ax, title, "", label)
        format_dates(ax)
        ax.margins(x=0.01)
    legend(fig, ax, below=own, order=("actual", "network", baseline_name, _band_name(level)))
    return fig


def _band_name(level: float) -> str:
    return f"{100 * level:g}% interval of an observation"


def _finite(bounds: np.ndarray) -> np.ndarray:
    bounds = np.asarray(bounds, dtype=float)
    return np.where(np.isfinite(bounds), bounds, np.nan)


def _with_gaps(
    index: pd.Index, dates: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Break the line where the index skips periods, so that no line is drawn across a gap."""
    values = np.asarray(values, dtype=float)
    if not isinstance(index, pd.PeriodIndex) or len(index) < 2:
        return dates, values
    after = np.flatnonzero(np.diff(index.asi8) > 1) + 1
    return np.insert(dates, after, dates[after]), np.insert(values, after, np.nan)


def _shade(
    ax: "Axes", index: pd.Index, dates: np.ndarray, recessions: Sequence[tuple[Any, Any]]
) -> None:
    named = False
    for first, last in recessions:
        if isinstance(index, pd.PeriodIndex):
            end = pd.Period(last, freq=index.freq).to_timestamp(how="end").to_datetime64()
            start = pd.Period(first, freq=index.freq).to_timestamp(how="start").to_datetime64()
        else:
            start, end = as_date(first), as_date(last)
        start, end = max(start, dates.min()), min(end, dates.max())
        if start < end:
            name = "_" if named else "recession"
            ax.axvspan(start, end, color=SHADE, linewidth=0, zorder=0, label=name)
            named = True


def _actual_against_fitted(
    ax: "Axes",
    endog: np.ndarray,
    fitted: np.ndarray,
    baseline: np.ndarray | None,
    baseline_name: str,
) -> None:
    every = np.concatenate([np.asarray(a, float) for a in (endog, fitted)])
    low, high = np.nanmin(every), np.nanmax(every)
    ax.plot([low, high], [low, high], color=GREY, linewidth=1, label="actual = fitted")
    if baseline is not None:
        ax.plot(
            baseline,
            endog,
            linestyle="none",
            marker="x",
            markersize=3.5,
            color=BASELINE,
            alpha=0.7,
            label=baseline_name,
        )
    ax.plot(
        fitted,
        endog,
        linestyle="none",
        marker="o",
        markersize=3.5,
        color=NETWORK,
        alpha=0.7,
        label="network",
    )


@styled
def plot_residuals(
    index: pd.Index,
    resid: np.ndarray,
    fitted: np.ndarray,
    *,
    units: str | None = None,
    recessions: Sequence[tuple[Any, Any]] | None = None,
    title: str | None = "Residuals",
    max_lags: int | None = None,
    standardised: bool = False,
    figsize: tuple[float, float] = (7.2, 5.4),
    fig: "Figure | None" = None,
) -> "Figure":
    """Draw four views of the residuals.

    Over time (for a cross section: against the fitted values), their histogram with the normal
    density, their quantiles against the normal's, and their autocorrelations (for a cross section:
    the square root of their size against the fitted values, a picture of heteroskedasticity).

    Parameters
    ----------
    index : Index, length n
        Labels of the observations; periods and dates give a time axis.
    resid, fitted : array, shape (n,)
        Residuals and fitted values.
    units : str
        Unit of the dependent variable.
    recessions : sequence of (first, last), optional
        Spans to shade.
    title : str, optional
        Title of the chart.
    max_lags : int, optional
        Lags of the autocorrelations; 10 log10(n) by default.
    standardised : bool
        Whether the residuals are in standard deviations already; the first panel then marks two
        of them, and the second shows the standard normal density.
    figsize : tuple
        Inches; under five inches wide, the four panels are stacked, at least six inches high.
    fig : Figure, optional
        Draw into this figure instead of a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> resid = np.random.default_rng(0).normal(size=40)
    >>> quarters = pd.period_range("2000Q1", periods=40, freq="Q")
    >>> fig = plot_residuals(quarters, resid, np.zeros(40), units="percent")
    >>> [ax.get_title(loc="left") for ax in fig.axes]
    ['Over time', 'Distribution', 'Normal quantiles', 'Autocorrelation']
    """
    same_length(index=index, resid=resid, fitted=fitted)
    resid, fitted = np.asarray(resid, dtype=float), np.asarray(fitted, dtype=float)
    if fig is None and figsize[0] < NARROW:
        figsize = (figsize[0], max(figsize[1], STACKED))
    fig = new_figure(fig, figsize)
    shape = (4, 1) if width_of(fig) < NARROW else (2, 2)
    first, second, third, fourth = np.ravel(fig.subplots(*shape))
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    unit = "Standardised residual" if standardised else with_units("Residual", units)
    dates = time_axis(index)
    first.axhline(0, color=GREY, linewidth=0.8)
    if standardised:
        for level in (-2, 2):
            first.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
    if dates is None:
        first.plot(fitted, resid, "o", markersize=3, color=NETWORK, alpha=0.7)
        dress(
            first,
            "Against fitted values",
            with_units("Fitted", units),
            unit,
            weight="normal",
        )
    else:
        _shade(first, index, dates, recessions or ())
        first.plot(*_with_gaps(index, dates, resid), color=NETWORK, linewidth=1.0)
        dress(first, "Over time", "", unit, weight="normal")
        format_dates(first)
        first.margins(x=0.01)
    scale = resid.std()
    if scale > 0 and len(resid) > 2:
        centre, spread = (0.0, 1.0) if standardised else (resid.mean(), scale)
        _histogram(second, resid, unit, centre, spread)
        _quantiles(third, resid / spread)
        if dates is None:
            fourth.plot(fitted, np.sqrt(np.abs(resid / spread)), "o", markersize=3, alpha=0.7)
            dress(
                fourth,
                "Scale against fitted values",
                "Fitted",
                "√|standardised residual|",
                weight="normal",
            )
        else:
            _autocorrelation(fourth, resid, max_lags)
    else:
        for ax in (second, third, fourth):
            mark_missing(ax, "the residuals do not vary")
            dress(ax, None, "", "")
    return fig


def _histogram(ax: "Axes", resid: np.ndarray, unit: str, centre: float, spread: float) -> None:
    ax.hist(resid, bins="fd" if len(resid) >= 30 else 8, density=True, color=SHADE, edgecolor=GREY)
    grid = np.linspace(resid.min() - resid.std() / 2, resid.max() + resid.std() / 2, 200)
    if len(np.unique(resid)) > 2:
        estimate = stats.gaussian_kde(resid)(grid)
        ax.plot(grid, estimate, color=NETWORK, label="estimated density")
    density = stats.norm.pdf(grid, centre, spread)
    ax.plot(grid, density, color=BASELINE, linestyle="--", label="normal density")
    low, high = ax.get_ylim()
    narrow = ax.figure.bbox.width / ax.figure.dpi < NARROW
    ax.set_ylim(low, high * (1.8 if narrow else 1.35))
    dress(ax, "Distribution", unit, "Density", grid="y", weight="normal")
    ax.legend(loc="upper right", fontsize=7.0 if narrow else 8.5)


def _quantiles(ax: "Axes", standardised: np.ndarray) -> None:
    n = len(standardised)
    theory = stats.norm.ppf((np.arange(1, n + 1) - 0.5) / n)
    reach = [theory[0], theory[-1]]
    ax.plot(reach, reach, color=GREY, linewidth=1)
    ax.plot(theory, np.sort(standardised), "o", markersize=3, color=NETWORK, alpha=0.8)
    dress(ax, "Normal quantiles", "Normal quantile", "Standardised residual", weight="normal")


def _autocorrelation(ax: "Axes", resid: np.ndarray, max_lags: int | None) -> None:
    n = len(resid)
    lags = min(max_lags or int(10 * np.log10(n)), n - 1)
    centred = resid - resid.mean()
    full = np.correlate(centred, centred, mode="full")[n - 1 :]
    acf = full[1 : lags + 1] / full[0]
    ax.axhspan(-1.96 / np.sqrt(n), 1.96 / np.sqrt(n), color=NETWORK, alpha=0.13, linewidth=0)
    ax.vlines(np.arange(1, lags + 1), 0, acf, color=NETWORK, linewidth=1.6)
    ax.plot(np.arange(1, lags + 1), acf, "o", markersize=3, color=NETWORK)
    ax.axhline(0, color=DATA, linewidth=0.8)
    reach = max(0.3, 1.15 * np.abs(acf).max())
    ax.set_ylim(-reach, reach)
    dress(ax, "Autocorrelation", "Lag (band: ± 1.96/√n)", "Correlation", weight="normal")
