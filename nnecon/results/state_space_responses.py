"""What a shock does in a recurrent state-space model, and what new data do to its forecasts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.exceptions import SpecificationError
from nnecon.inference.dynamics import Linear
from nnecon.inference.responses import linear_response
from nnecon.inference.state_space_paths import Origin, draw_errors, linear_responses, simulate
from nnecon.results.histories import chosen_histories
from nnecon.results.news import News, news_of
from nnecon.results.outlook import check_level, check_steps
from nnecon.results.responses import ImpulseResponses
from nnecon.results.state_space_outlooks import StateSpaceOutlooks
from nnecon.results.state_space_predictions import StateSpacePredictions

PATHS = 4000
"""Paths over all histories of a response."""

BAND_PATHS = 400
"""The same for each draw of the parameters; the band is centred on the response."""

BANDS = 100
"""Draws of the parameters for the band of a response."""


class StateSpaceResponses(StateSpacePredictions):
    """Responses to shocks, and news."""

    @property
    def shock_names(self) -> list[str]:
        """What may be shocked: the errors of the series, then the noise of the states."""
        noisy = self.model.state_noise
        states = [f"h{j}" for j in range(1, self.model.k_states + 1)] if noisy else []
        return [*self.model.endog_names, *states]

    def _shock(self, impulse: Any) -> int:
        names = self.shock_names
        if impulse not in names:
            raise SpecificationError(
                f"{impulse!r} is nothing that can be shocked; {suggestion(str(impulse), names)}"
            )
        return names.index(impulse)

    def impulse_responses(
        self,
        steps: int = 1,
        impulse: Any = 0,
        orthogonalized: bool = False,
        cumulative: bool = False,
        *,
        anchor: Any = "end",
    ) -> pd.DataFrame:
        """Responses of the series to a small shock, in proportion to its size.

        In a linear system they are its impulse responses, as in statsmodels. In a network they are
        those of the system linearised along its mean path from ``anchor`` on; :meth:`girf` gives
        the responses to a shock of a given size.

        Parameters
        ----------
        steps : int
            Periods after the shock; the first row is the period of the shock.
        impulse : str, int or array_like
            A series, a state with noise (``"h1"``), its number among ``shock_names``, or an impulse
            vector over them.
        orthogonalized : bool
            Whether shocks are those of the Cholesky factor of the errors' covariance, of one
            standard deviation, in the order of the series; otherwise of one unit.
        cumulative : bool
            Whether responses are added up.
        anchor : "end" or label
            Period after which the shock happens.

        Returns
        -------
        DataFrame of shape (steps + 1, series)
        """
        count = check_steps(steps) + 1
        names, units = self.shock_names, self.model.units
        m = len(self.model.endog_names)
        vector = np.zeros(len(names))
        if isinstance(impulse, str):
            vector[self._shock(impulse)] = 1.0
        elif isinstance(impulse, int | np.integer):
            if not 0 <= impulse < len(names):
                raise SpecificationError(f"impulse={impulse}: there are {len(names)} shocks.")
            vector[impulse] = 1.0
        else:
            given = np.asarray(impulse, dtype=float)
            if given.shape != vector.shape:
                raise SpecificationError(
                    f"impulse has the shape {given.shape}; give one number for each of {names}."
                )
            vector = given
        if orthogonalized:
            vector = self._factor @ vector
        found = self._derivatives(count, anchor)
        scale = np.concatenate([1.0 / units.scale, np.ones(len(names) - m)])
        response = units.scale * (found[:, :, : len(names)] @ (scale * vector))
        response = response.cumsum(axis=0) if cumulative else response
        return pd.DataFrame(
            response, index=pd.RangeIndex(count, name="horizon"), columns=self.model.endog_names
        )

    @property
    def _factor(self) -> np.ndarray:
        """Cholesky factor of the covariance of all shocks, in the user's units."""
        names, m = self.shock_names, len(self.model.endog_names)
        factor = np.zeros((len(names), len(names)))
        factor[:m, :m] = _root(self.sigma_u.to_numpy())
        if self.model.state_noise:
            factor[m:, m:] = self._state_factor
        return factor

    @property
    def _state_factor(self) -> np.ndarray:
        network, k = self.model.network, self.model.k_states
        values = self._standard[network.blocks["state_factor"][0]]
        if self.model.state_cov == "diagonal":
            return np.diag(values)
        root = np.zeros((k, k))
        root[np.tril_indices(k)] = values
        return root

    def _derivatives(self, count: int, anchor: Any) -> np.ndarray:
        """Derivatives of the mean path by shocks, standardised, shape (h, m, m + k)."""
        start = self
        if not (isinstance(anchor, str) and anchor == "end"):
            start = self._with(data=self._until(anchor), since=0)
        end = start._end(start._sample.rows)
        known = np.tile(self.model.units.exog_shift, (count, 1))
        origin = self._origin_of(end.mean[None], known)
        return linear_responses(self.model.network, self._standard, origin)

    def girf(
        self,
        impulse: str,
        size: float | None = None,
        periods: int = 12,
        history: Any = "all",
        *,
        level: float | None = 0.9,
        repetitions: int = PATHS,
        rng: int | np.random.Generator = 0,
    ) -> ImpulseResponses:
        """Generalised impulse responses (Koop, Pesaran and Potter, 1996).

        What a shock changes on average, the shocks of other series and of later periods being what
        they usually are. In a network it depends on the size and sign of the shock and on the
        history before it. Known regressors are at their means after the shock.

        Parameters
        ----------
        impulse : str
            Series that is shocked, or a state with noise (``"h1"``).
        size : float, optional
            Size of the shock, in units of the series; one standard deviation by default.
        periods : int
            Periods after the shock.
        history : "all", label or boolean mask
            Periods in which the shock happens, after the first: all, one, or those where a mask is
            true, such as recessions. At most 100, evenly spread.
        level : float, optional
            Level of the bands, which are percentiles over draws of the parameters from their normal
            approximation, centred on the estimate; None for no bands.
        repetitions : int
            Simulated paths over all histories, at least 8 each; the error of the mean falls with
            their root.
        rng : int or numpy.random.Generator
            Seed.
        """
        at, steps = self._shock(impulse), check_steps(periods, "periods") + 1
        if level is not None:
            check_level(level)
        covariance = self._factor @ self._factor.T
        given = float(np.sqrt(covariance[at, at])) if size is None else float(size)
        if isinstance(history, np.ndarray | list) and len(history) == len(self.index):
            # the first period has no state before it
            history = np.asarray(history)[1:]
        rows, words = chosen_histories(self.index[1:], history, len(self.index) - 1)
        rows = rows + 1 + self._shown.start
        random = np.random.default_rng(rng)
        seed = int(random.integers(2**31))

        def response(params: np.ndarray, paths: int) -> np.ndarray:
            shape = (max(8, paths // len(rows)) * len(rows), steps)
            return self._response(params, rows, at, given, shape, seed)

        mean = response(self._standard, check_steps(repetitions, "repetitions"))
        low = high = mean
        if level is not None:
            draws = np.stack(
                [response(draw, BAND_PATHS) for draw in self._parameter_draws(BANDS, random)]
            )
            draws = draws[np.isfinite(draws).all(axis=(1, 2))]
            draws += mean - draws.mean(axis=0)
            low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
        reference = self._reference(at, given, steps - 1, self.model.network.n_series)
        names = tuple(self.model.endog_names)
        return ImpulseResponses(
            impulse, given, words, names, mean, low, high, level or 0.0, reference
        )

    def _response(
        self, params: np.ndarray, rows: np.ndarray, at: int, size: float, shape, seed: int
    ) -> np.ndarray:
        """Mean difference over histories that a shock makes, in the user's units, (h, m)."""
        network, units = self.model.network, self.model.units
        m = network.n_series
        random = np.random.default_rng(seed)
        own = params[: self._long.network.n_params]
        found = self._long.filter(own, self._sample.rows)[0]
        # the period before the shock
        states = np.repeat(found.filtered[rows - 1], shape[0] // len(rows), axis=0)
        known = np.tile(units.exog_shift, (shape[1], 1))
        origin: Origin = self._origin_of(states, known)
        errors, noise = draw_errors(network, params, shape, random)
        scale = np.concatenate([units.scale, np.ones(network.n_states)])
        joint = self._joint(params)
        first = np.concatenate([errors[:, 0], noise[:, 0]], axis=1)
        lacking = size / scale[at] - first[:, at]
        moved = first + lacking[:, None] * joint[:, at] / joint[at, at]
        shocked, pushed = errors.copy(), noise.copy()
        shocked[:, 0], pushed[:, 0] = moved[:, :m], moved[:, m:]
        with_shock = simulate(network, params, origin, shocked, pushed)[0]
        without = simulate(network, params, origin, errors, noise)[0]
        return units.scale * (with_shock - without).mean(axis=0)

    def _joint(self, params: np.ndarray) -> np.ndarray:
        """Covariance of errors and noise, standardised."""
        fit = replace(self.estimate.fit, params=params)
        other = type(self)(self.model, replace(self.estimate, fit=fit), self.cov_type)
        m, k = len(self.model.endog_names), self.model.k_states
        joint = np.zeros((m + k, m + k))
        scale = self.model.units.scale
        joint[:m, :m] = other.sigma_u.to_numpy() / np.outer(scale, scale)
        if self.model.state_noise:
            joint[m:, m:] = other._state_factor @ other._state_factor.T
        return joint

    def _reference(self, at: int, size: float, steps: int, m: int) -> np.ndarray:
        """Responses of the vector autoregression; NaN for the noise of a state."""
        if at >= m:
            return np.full((steps + 1, m), np.nan)
        classical = type(self)(
            self.model, replace(self.estimate, fit=self.model.classical, alpha=np.inf)
        )
        where, shape = self.model.network.blocks["lags"]
        coefs = classical.params.to_numpy()[where].reshape(shape)
        linear = Linear(coefs, np.zeros((1, m)), classical.sigma_u.to_numpy())
        return linear_response(linear, at, size, steps)

    def news(self, comparison: Any, steps: int = 1, exog: Any = None) -> News:
        """What new and revised data do to forecasts.

        Parameters
        ----------
        comparison : RNNStateSpaceResults or DataFrame
            Results with the earlier data and the same parameters, or the earlier data themselves.
        steps : int
            Periods after the newer data that are forecast.
        exog : DataFrame or array_like, optional
            Known regressors of these periods, where the model has some.

        Returns
        -------
        News
            For every value that is new or revised: what it was expected to be, its weight in each
            forecast, and its impact. In a linear system impacts add up to the change of the
            forecast; in a network the rest is in ``remainder``.
        """
        earlier = comparison if isinstance(comparison, StateSpaceOutlooks) else None
        if earlier is None:
            earlier = self.apply(comparison)
        elif not np.array_equal(earlier._standard, self._standard):
            raise SpecificationError(
                "news: the two results have other parameters, so that forecasts differ for that "
                "reason too; compare results.apply(earlier data) with results.append(new data)."
            )
        return news_of(self, earlier, check_steps(steps), exog)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Lower triangular factor; variances may be zero."""
    values = np.diag(covariance)
    if (values > 0).all():
        return np.linalg.cholesky(covariance)
    return np.diag(np.sqrt(values))
