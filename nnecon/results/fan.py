"""Fan charts from forecasts and the data before them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nnecon.data.series import Series
from nnecon.exceptions import SpecificationError
from nnecon.report import plots
from nnecon.results.outlook import Forecast, check_steps
from nnecon.results.quantile_forecast import QuantileForecast


def fan_chart(
    made: Forecast | QuantileForecast,
    data: Series,
    levels: Sequence[float],
    history: int,
    options: Mapping[str, Any],
) -> Any:
    """The last periods of the data, the forecast, and intervals around it.

    Parameters
    ----------
    made : Forecast or QuantileForecast
        Forecasts.
    data : Series
        What they go on from.
    levels : sequence of float
        Levels of the intervals, at most three.
    history : int
        Periods of the data that are shown.
    options : mapping
        Of :func:`nnecon.report.plots.plot_fan`.
    """
    if not 1 <= len(levels) <= 3:
        raise SpecificationError(f"levels={levels!r}: give one, two or three levels.")
    bands = {level: made.limits(1.0 - level) for level in levels}
    names = list(made.targets)
    past = pd.DataFrame(data.endog[:, : len(names)], index=data.index, columns=names)
    shown = past.iloc[-check_steps(history, "history") :]
    return plots.plot_fan(shown, made.middle, bands, **options)
