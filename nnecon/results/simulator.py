"""A fitted system put together for simulation, and forecasts made from simulated paths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnecon.data.windows import Layout
from nnecon.exceptions import SpecificationError
from nnecon.inference.parameter_draws import Draws, Estimated, debiased, draw_parameters, lighter
from nnecon.inference.responses import draw_impacts, mean_response, together
from nnecon.inference.simulation import Scenario, System, draw_shocks, scenario, simulate
from nnecon.results.equations import Equation
from nnecon.results.future import Future

PATHS = 1000
"""Futures that are simulated by default."""

SHARED = 40
"""Paths on which draws of parameters are compared, all with the same shocks."""

PARAMETER_DRAWS = 60

HISTORY_PATHS = 400
"""Paths over all histories of a response, on which draws of the parameters are compared."""

MORE = 4
"""Times as many paths are behind the response itself."""

BANDS = 100
"""Draws of the parameters for the band of a response."""

SHOCKS = ("bootstrap", "normal")


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """Forecasts from paths.

    Parameters
    ----------
    mean : ndarray of shape (h, m)
        Mean of the paths at the estimate.
    paths : ndarray of shape (r, h, m)
        Paths with the uncertainty of parameters and starts added, where these are wanted.
    shocks, parameters, starts : ndarray of shape (h, m)
        Variances.
    """

    mean: np.ndarray
    paths: np.ndarray
    shocks: np.ndarray
    parameters: np.ndarray
    starts: np.ndarray


def system_of(
    layout: Layout, equations: Sequence[Equation], covariance: np.ndarray
) -> System:  # fmt: skip
    """The equations as numbers; each has as many draws as the one with most."""
    p = layout.n_linear
    live = [at for at, one in enumerate(equations) if not one.is_linear]
    network = equations[0].network.beside(p)
    linear = np.column_stack([_linear(one, p) for one in equations])
    draws = np.zeros((0, 1, network.n_params))
    if live:
        draws = np.stack([_networks(equations[at], p) for at in live])
    shift, scale = np.zeros(p + layout.n_network), np.ones(p + layout.n_network)
    for scaling in (one.scaling for one in equations):
        places = np.concatenate([scaling.linear, scaling.inputs])
        shift[places] = np.concatenate([scaling.linear_shift, scaling.input_shift])
        scale[places] = np.concatenate([scaling.linear_scale, scaling.input_scale])
    return System(
        network,
        layout,
        shift,
        scale,
        np.array([one.scaling.target_shift for one in equations]),
        np.array([one.scaling.target_scale for one in equations]),
        linear,
        np.array(live, dtype=int),
        draws,
        covariance,
    )


def _linear(equation: Equation, p: int, draw: int | None = None) -> np.ndarray:
    """Standardised linear part (p,) of a draw, or their mean, zero for regressors left out."""
    own, found = equation.scaling.linear, _held(equation)
    parts = equation.params[:, : len(own)]
    found[own] = parts.mean(axis=0) if draw is None else parts[draw]
    return found


def _held(equation: Equation) -> np.ndarray:
    """Coefficients (p,) of long lags, which enter in their units, of the standardised target."""
    return equation.held.coefs / equation.scaling.target_scale


def _networks(equation: Equation, p: int) -> np.ndarray:
    """Parameters (d, k) of the draws behind p zeros."""
    neural = equation.params[:, len(equation.scaling.linear) :]
    return np.concatenate([np.zeros((len(neural), p)), neural], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Simulator:
    """Simulates a fitted system.

    Parameters
    ----------
    system : System
        Its equations.
    equations : tuple of Equation
        The same with what draws of parameters need.
    residuals : ndarray of shape (n, m)
        Residuals, corrected for degrees of freedom.
    """

    system: System
    equations: tuple[Equation, ...]
    residuals: np.ndarray

    def scenario(self, future: Future) -> Scenario:
        """The periods to simulate."""
        known = np.concatenate([future.past_known, future.known])
        return scenario(
            self.system.layout, self.system.covariance, future.history, known, future.imposed
        )

    def shocks(
        self, kind: str, paths: int, steps: int, rng: np.random.Generator
    ) -> np.ndarray:  # fmt: skip
        """Shocks of all series."""
        if kind not in SHOCKS:
            raise SpecificationError(f"shocks={kind!r}: choose 'bootstrap' or 'normal'.")
        return draw_shocks(kind, self.system.covariance, self.residuals, paths, steps, rng)

    def forecast(
        self, future: Future, paths: int, kind: str, uncertain: bool, rng: np.random.Generator
    ) -> Simulated:
        """Mean, paths and variances of the periods that are forecast.

        The change that a draw of the parameters makes to the mean path, shocks equal, is added to
        the paths, and so is what one random start makes of it, with the variance of a mean of
        starts.
        """
        periods = self.scenario(future)
        shocks = self.shocks(kind, paths, len(future.imposed), rng)
        found = simulate(self.system, periods, shocks)
        mean, own = found.mean(axis=0), found.var(axis=0)
        none = np.zeros_like(own)
        if not uncertain:
            return Simulated(mean, found, own, none, none)
        few = self.shocks(kind, SHARED, len(future.imposed), rng)
        middle = simulate(self.system, periods, few).mean(axis=0)
        draws = self.parameters(PARAMETER_DRAWS, rng)
        moved = np.stack(
            [
                simulate(self.system, periods, few, linear, moves=moves).mean(axis=0) - middle
                for linear, moves in draws
            ]
        )
        moved -= moved.mean(axis=0)
        apart = self._starts(periods, few)
        added = moved[rng.integers(len(moved), size=paths)]
        if len(apart) > 1:
            added = added + rng.choice([-1.0, 1.0], size=(paths, 1, 1)) * (
                apart[rng.integers(len(apart), size=paths)] / np.sqrt(len(apart) - 1.0)
            )
            none = apart.var(axis=0) / (len(apart) - 1.0)
        return Simulated(mean, found + added, own, moved.var(axis=0), none)

    def _starts(self, periods: Scenario, shocks: np.ndarray) -> np.ndarray:
        """Deviations of the mean path of each start's networks, shape (d, h, m)."""
        p, system = self.system.layout.n_linear, self.system
        count = system.networks.shape[1]
        paths = []
        for draw in range(count):
            alone = np.repeat(system.networks[:, draw : draw + 1], count, axis=1)
            linear = system.linear.copy()
            for at in system.live:
                linear[:, at] = _linear(self.equations[at], p, draw)
            paths.append(simulate(system, periods, shocks, linear, alone).mean(axis=0))
        return np.stack(paths) - np.mean(paths, axis=0)

    def parameters(
        self, count: int, rng: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Draws of the parameters: linear parts (p, m) and moves of the networks (l, d, k)."""
        n_linear = self.system.layout.n_linear
        found = self._whole(
            draw_parameters(self._estimated(), count, rng, self._places, n_linear)
        )  # fmt: skip
        return list(zip(found.linear, found.moves, strict=True))

    def responses(
        self,
        futures: Sequence[Future],
        impulse: int,
        size: float,
        kind: str,
        level: float,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean response over histories, and the ends of its band over draws of the parameters.

        The response is debiased by one step (:func:`nnecon.inference.parameter_draws.debiased`).
        Bands are percentiles of the draws around it: of parameters, of what the shock goes along
        with, and of the mean over starts.

        Parameters
        ----------
        futures : sequence of Future
            The period of the shock and those after it, one a history.
        impulse, size
            Number of the series and size of its shock.
        kind : {"bootstrap", "normal"}
            Later shocks.
        level : float
            Level of the band; 0 for none.
        rng : numpy.random.Generator
        """
        each = max(8, HISTORY_PATHS // len(futures))
        scenarios = [self.scenario(future) for future in futures]
        steps, count = len(futures[0].imposed), each * len(futures)
        equations = self._estimated()
        places, p = self._places, self.system.layout.n_linear
        middle = self._whole(debiased(equations, places, p))
        shocks = self.shocks(kind, MORE * count, steps, rng)
        periods = together(scenarios, MORE * each)
        mean = mean_response(
            self.system, periods, shocks, impulse, size, middle.linear[0], middle.moves[0]
        )
        if not level:
            return mean, mean, mean
        light = [lighter(one) for one in equations]
        draws = draw_parameters(light, BANDS, rng, places, p).around(middle)
        impacts = draw_impacts(self.residuals, impulse, BANDS, rng)
        given = self.system, together(scenarios, each), self.shocks(kind, count, steps, rng)
        found = np.stack(
            [
                mean_response(*given, impulse, size, *draw)
                for draw in zip(draws.linear, draws.moves, impacts, strict=True)
            ]
        )
        apart = self._responses_apart(equations, given, impulse, size)
        if len(apart) > 1:
            signs = rng.choice([-1.0, 1.0], size=(BANDS, 1, 1)) / np.sqrt(len(apart) - 1.0)
            found += signs * apart[rng.integers(len(apart), size=BANDS)]
        found += mean - found.mean(axis=0)
        ends = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
        # of c draws, the quantiles between which another one lies with the probability asked for
        low, high = np.quantile(found, ends, axis=0, method="weibull")
        return mean, low, high

    def _responses_apart(
        self,
        equations: Sequence[Estimated],
        given: tuple[System, Scenario, np.ndarray],
        impulse: int,
        size: float,
    ) -> np.ndarray:
        """Deviations of the response of each start's networks, shape (d, h, m)."""
        system, periods, shocks = given
        count = system.networks.shape[1] if len(system.live) else 1
        if count == 1:
            return np.zeros((1, 1, 1))
        found = []
        for draw in range(count):
            # a start's networks in the place of all keep compiled functions as they are
            alone = [
                replace(one, params=np.repeat(one.params[draw : draw + 1], count, axis=0))
                if one.live
                else one
                for one in equations
            ]
            networks = np.repeat(system.networks[:, draw : draw + 1], count, axis=1)
            own = self._whole(debiased(alone, self._places, system.layout.n_linear))
            found.append(
                mean_response(
                    replace(system, networks=networks), periods, shocks, impulse, size,
                    own.linear[0], own.moves[0],
                )
            )  # fmt: skip
        return np.stack(found) - np.mean(found, axis=0)

    @property
    def _places(self) -> list[np.ndarray]:
        """Positions of each equation's linear regressors among all."""
        return [one.scaling.linear for one in self.equations]

    def _whole(self, draws: Draws) -> Draws:
        """Draws of what is estimated beside long lags, with these."""
        held = np.column_stack([_held(one) for one in self.equations])
        return replace(draws, linear=draws.linear + held)

    def _estimated(self) -> list[Estimated]:
        return [
            estimated(one, self.residuals[:, at] / one.scaling.target_scale)
            for at, one in enumerate(self.equations)
        ]


def estimated(equation: Equation, residual: np.ndarray) -> Estimated:
    """What draws of the parameters need of an equation, with standardised residuals (n,)."""
    return Estimated(
        equation.objective,
        equation.params,
        equation.alpha,
        residual,
        not equation.is_linear,
        equation.weights,
        1.0 if equation.tail is None else equation.tail.information,
    )
