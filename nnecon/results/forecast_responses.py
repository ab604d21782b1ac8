"""What a shock does in a forecaster: impulse responses and shares of variances."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.data.windows import windows
from nnecon.exceptions import SpecificationError
from nnecon.inference.dynamics import moving_average
from nnecon.inference.responses import linear_response, variance_shares
from nnecon.results.forecast_outlooks import ForecasterOutlooks
from nnecon.results.future import Future
from nnecon.results.histories import chosen_histories
from nnecon.results.outlook import check_level, check_steps
from nnecon.results.responses import ImpulseResponses


class ForecasterResponses(ForecasterOutlooks):
    """Responses to shocks."""

    def ma_rep(self, maxn: int = 10) -> np.ndarray:
        """Responses of all series to unit shocks, shape (maxn + 1, m, m), where linear.

        As in statsmodels' VAR: ``[h, i, j]`` is the response of series i after h periods to a
        shock of one to series j.
        """
        self._check_system()
        if not self.is_linear:
            raise SpecificationError(
                "moving average coefficients exist for linear systems; use girf() for the "
                "responses of a network."
            )
        return moving_average(self._linear_system.coefs, check_steps(maxn, "maxn"))

    def orth_ma_rep(self, maxn: int = 10) -> np.ndarray:
        """Responses to orthogonal shocks of one standard deviation, in the order of the series."""
        factor = np.linalg.cholesky(self._covariance)
        return self.ma_rep(maxn) @ factor

    def girf(
        self,
        impulse: str,
        size: float | None = None,
        periods: int = 12,
        history: Any = "all",
        *,
        level: float = 0.9,
        shocks: str = "bootstrap",
        rng: int | np.random.Generator = 0,
    ) -> ImpulseResponses:
        """Generalised impulse responses (Koop, Pesaran and Potter, 1996).

        What a shock changes on average, the shocks of other series and of later periods being what
        they usually are. In a network it depends on the size and sign of the shock and on the
        history before it.

        Parameters
        ----------
        impulse : str
            Series that is shocked.
        size : float, optional
            Size of the shock, in units of the series; one standard deviation by default.
        periods : int
            Periods after the shock.
        history : "all", label or boolean mask
            Periods of the sample in which the shock happens: all, one, or those where a mask is
            true, such as recessions. At most 100, evenly spread.
        level : float
            Level of the bands, which come from draws of the parameters.
        shocks : {"bootstrap", "normal"}
            Shocks of later periods.
        rng : int or numpy.random.Generator
            Seed.
        """
        self._check_system()
        names = self.model.series.names
        if impulse not in names:
            raise SpecificationError(
                f"{impulse!r} is no series of the model; {suggestion(str(impulse), names)}"
            )
        check_level(level)
        at, steps = names.index(impulse), check_steps(periods, "periods")
        given = float(np.sqrt(self._covariance[at, at])) if size is None else float(size)
        futures, words = self._past_futures(history, steps)
        found = self._simulator.responses(
            futures, at, given, shocks, level, np.random.default_rng(rng)
        )
        classical = linear_response(self._classical, at, given, steps)
        return ImpulseResponses(
            impulse, given, words, names, *found, level, classical,
            self._local_projections(at, given, steps), self.is_linear,
        )  # fmt: skip

    def _local_projections(self, impulse: int, size: float, steps: int) -> np.ndarray | None:
        """Responses from a regression for each horizon on the lags of the linear part."""
        model, sigma = self.model, self._classical.covariance
        layout, series = model.layout, model.series
        if 1 not in model.var_lags:
            return None
        plain = replace(layout, lags=model.var_lags, window=0, network_lags=())
        first = layout.linear_column(0, 1)
        shock = size * sigma[:, impulse] / sigma[impulse, impulse]
        responses = [shock]
        for ahead in range(steps):
            sample = windows(plain, series.endog, model._known, series.first, lead=ahead)
            if len(sample.rows) <= layout.n_linear:
                return None
            table = np.linalg.lstsq(sample.linear, sample.target, rcond=None)[0]
            responses.append(shock @ table[first : first + layout.n_series])
        return np.stack(responses)

    def fevd(
        self, periods: int = 12, history: Any = "all", *, rng: int | np.random.Generator = 0
    ) -> pd.DataFrame:
        """Shares of forecast error variances by the series that is shocked, sums are one.

        Generalised (Lanne and Nyberg, 2016), from responses to one standard deviation.

        Parameters
        ----------
        periods, history, rng
            As in :meth:`girf`.

        Returns
        -------
        DataFrame
            Horizons 1 to ``periods``; columns are (target, shock).
        """
        self._check_system()
        names, steps = self.model.series.names, check_steps(periods, "periods")
        futures, _ = self._past_futures(history, steps - 1)
        sizes = np.sqrt(np.diag(self._covariance))
        found = np.stack(
            [
                self._simulator.responses(
                    futures, at, size, "bootstrap", 0.0, np.random.default_rng(rng)
                )[0]
                for at, size in enumerate(sizes)
            ]
        )
        shares = variance_shares(found)
        columns = {
            (target, shock): shares[:, i, j]
            for i, target in enumerate(self.targets)
            for j, shock in enumerate(names)
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(1, steps + 1, name="horizon"))

    def _past_futures(self, history: Any, steps: int) -> tuple[list[Future], str]:
        """The periods 0 to ``steps`` after shocks in chosen periods of the sample."""
        model = self.model
        series, positions = model.series, model.sample.positions
        given = bool(series.terms.known)
        last = int(np.searchsorted(positions, len(series.index) - steps)) if given else 10**9
        rows, words = chosen_histories(model.index, history, last)
        ahead = np.arange(len(series.index) + steps + 1)
        room = np.full((steps + 1, series.exog.shape[1]), np.nan)
        known = model.known_values(np.concatenate([series.exog, room]), ahead)
        free = np.full((steps + 1, series.endog.shape[1]), np.nan)
        futures = [
            Future(
                series.endog[:start], known[:start], known[start : start + steps + 1],
                free, model.index[:0], 0,
            )
            for start in positions[rows]
        ]  # fmt: skip
        return futures, words
