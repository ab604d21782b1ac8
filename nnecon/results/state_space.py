"""Results of a recurrent state-space model: effects, tests, charts, summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nnecon.data.time_axis import label_text
from nnecon.exceptions import SpecificationError
from nnecon.inference.forecast_errors import break_in_variance
from nnecon.inference.hypotheses import HypothesisTest
from nnecon.inference.linearisation import RANGE
from nnecon.inference.particle_filter import particle_loglike
from nnecon.inference.specification_tests import arch_lm, jarque_bera, ljung_box
from nnecon.inference.state_space_effects import average_effects
from nnecon.report import plots, tables
from nnecon.report.formats import format_number
from nnecon.results.archive import write_archive
from nnecon.results.outlook import check_steps
from nnecon.results.state_space_archive import state_space_state
from nnecon.results.state_space_responses import StateSpaceResponses

PARAMETERS = 24
"""Most parameters that the summary prints by itself."""


class RNNStateSpaceResults(StateSpaceResponses):
    """Estimates, states, forecasts and responses of :class:`~nnecon.RNNStateSpace`."""

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads.

        The file is a zip of JSON and NumPy arrays: reading it runs no code. It holds the data of
        the estimation, and those that states and forecasts are of where they are others.
        """
        write_archive(path, *state_space_state(self))

    # -- effects ----------------------------------------------------------------------------------

    def effects(self, lags: int = 4) -> pd.DataFrame:
        """Average effects of lags on the next period, through line and network, with errors.

        These are identified where states and parameters are not. They need the innovations form
        and complete data; with noise in the state use :meth:`impulse_responses`.

        Parameters
        ----------
        lags : int
            Lags 1 to ``lags``.

        Returns
        -------
        DataFrame
            Rows are (series, lag of a series); columns ``effect``, ``std err``, ``z``, ``P>|z|``.
        """
        model = self.model
        if self._likelihood.route != "innovations" or not model.network.reach:
            raise SpecificationError(
                "effects() of lags are those of models that look back to series, without noise in "
                "the state and missing values; use impulse_responses() for those with them."
            )
        count = check_steps(lags, "lags")
        rows = self._sample.rows
        found, slopes = average_effects(model.network, self._standard, rows, count)
        variance = np.einsum("lijp,pq,lijq->lij", slopes, self._covariance.matrix, slopes)
        scale = model.units.scale
        units = scale[:, None] / scale
        names = model.endog_names
        index = [(i, f"L{lag}.{j}") for i in names for lag in range(1, count + 1) for j in names]
        order = (1, 0, 2)
        effect = (units * found).transpose(order).ravel()
        se = (units * np.sqrt(np.maximum(variance, 0.0))).transpose(order).ravel()
        z = np.divide(effect, se, out=np.full(len(se), np.nan), where=se > 0)
        return pd.DataFrame(
            {"effect": effect, "std err": se, "z": z, "P>|z|": 2.0 * stats.norm.sf(np.abs(z))},
            index=pd.MultiIndex.from_tuples(index, names=["series", "lag"]),
        )

    def particle_llf(self, particles: int = 10_000, rng: int | np.random.Generator = 0) -> float:
        """Log-likelihood by a particle filter, which linearises nothing: a check on :attr:`llf`.

        Parameters
        ----------
        particles : int
            States that are drawn in each period; the error falls with their root.
        rng : int or numpy.random.Generator
            Seed.
        """
        network, model = self._filter.network, self.model
        if network.student or network.start == "diffuse":
            raise SpecificationError("particle_llf() is for normal errors and no diffuse start.")
        joint, m = self._joint(self._standard), network.n_series
        where, shape = network.blocks["loading"]
        loading = self._standard[where].reshape(shape)
        spread = joint[:m, :m] + loading @ joint[m:, m:] @ loading.T
        if np.linalg.matrix_rank(spread, hermitian=True) < m:
            raise SpecificationError(
                "particle_llf() needs errors in all series, or noise of the states behind them, as "
                "particles are weighted by their density; the covariance of the series given the "
                "state before is singular."
            )
        rows = self._sample.rows
        found = particle_loglike(
            network, self._standard, rows, check_steps(particles, "particles"),
            np.random.default_rng(rng),
        )  # fmt: skip
        own = found - np.isfinite(rows.series) @ np.log(model.units.scale)
        return float(own[self._shown].sum())

    # -- tests ------------------------------------------------------------------------------------

    def test_serial_correlation(self, lags: int | None = None) -> dict[str, HypothesisTest]:
        """Ljung and Box's test of the standardised forecast errors, by series.

        Parameters
        ----------
        lags : int, optional
            Lags that are tested; by default ten, or a fifth of the rows where that is less.
        """
        return {
            name: ljung_box(errors, self._lags(lags, len(errors)), 0)
            for name, errors in self._errors()
        }

    def test_normality(self) -> dict[str, HypothesisTest]:
        """Jarque and Bera's test of the standardised forecast errors, by series."""
        return {name: jarque_bera(errors) for name, errors in self._errors()}

    def test_heteroskedasticity(
        self, method: str = "breakvar", lags: int | None = None
    ) -> dict[str, HypothesisTest]:
        """Test whether the variance of the standardised forecast errors changes, by series.

        Parameters
        ----------
        method : {"breakvar", "arch"}
            The last third against the first, as statsmodels, or Engle's test for ARCH.
        lags : int, optional
            Lags for ``"arch"``; by default ten, or a fifth of the rows where that is less.
        """
        if method not in ("breakvar", "arch"):
            raise SpecificationError(f"method={method!r}: choose 'breakvar' or 'arch'.")
        if method == "breakvar" and lags is not None:
            raise SpecificationError("lags= belongs to method='arch'.")
        if method == "breakvar":
            return {name: break_in_variance(errors) for name, errors in self._errors()}
        return {
            name: arch_lm(errors, self._lags(lags, len(errors))) for name, errors in self._errors()
        }

    def _errors(self) -> list[tuple[str, np.ndarray]]:
        """Standardised forecast errors that there are, by series."""
        frame = self.standardized_resid
        return [(name, frame[name].dropna().to_numpy()) for name in frame]

    @staticmethod
    def _lags(lags: int | None, count: int) -> int:
        return max(1, min(10, count // 5)) if lags is None else check_steps(lags, "lags")

    # -- charts -----------------------------------------------------------------------------------

    def plot_states(self, which: str = "smoothed", *, level: float = 0.9, **options: Any) -> Any:
        """States over time with bands, which hold the state's uncertainty and no parameters'.

        Parameters
        ----------
        which : {"smoothed", "filtered", "predicted", "normalised", "contributions"}
            Which states; the last two are comparable between starts. Contributions are drawn as
            deviations from their means, since their level cannot be told from the intercept's.
        level : float
            Level of the bands.
        **options
            As in :func:`nnecon.report.plots.plot_states`: ``labels``, ``title``, ``figsize``,
            ``fig``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        known = ("smoothed", "filtered", "predicted", "normalised", "contributions")
        if which not in known:
            raise SpecificationError(f"which={which!r}: choose one of {[*known]}.")
        frame, band = getattr(self.states, which), None
        if which == "contributions":
            # their level cannot be told from the intercept's
            frame = frame - frame.mean()
        if which in known[:3]:
            band = stats.norm.ppf(0.5 + level / 2.0) * self.states.se(which)
            # a diffuse start is no band
            spread = frame.std(axis=0) + band.median(axis=0)
            band = band.where(band < 20.0 * spread)
            band = band if (band > 1e-6 * spread).any(axis=None) else None
        words = {
            "normalised": "States, normalised (standard deviations of the series)",
            "contributions": "What the states add to each series (deviations from the mean)",
        }
        given = {"title": words.get(which, f"States, {which}"), "level": level}
        return plots.plot_states(frame, band, **{**given, **options})

    def plot_diagnostics(self, variable: str | None = None, **options: Any) -> Any:
        """Standardised forecast errors of a series: over time, distribution, autocorrelation.

        Parameters
        ----------
        variable : str, optional
            The series; by default the first.
        **options
            As in :func:`nnecon.report.plots.plot_diagnostics`: ``figsize``, ``fig``, ``lags``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        names = self.model.endog_names
        name = names[0] if variable is None else variable
        if name not in names:
            raise SpecificationError(f"variable={variable!r} is no series; choose from {names}.")
        return plots.plot_diagnostics(self.standardized_resid[name], **options)

    # -- summary ----------------------------------------------------------------------------------

    def _header(self) -> list[tuple[str, str]]:
        model, index = self.model, self.index
        steady = self.stability
        linear = f"VAR({model.lags})" if len(model.endog_names) > 1 else f"AR({model.lags})"
        linear = linear if model.lags else "constant"
        if model.linear_part and model.exog_names:
            linear += ", known regressors"
        return [
            ("Series:", ", ".join(model.endog_names)),
            ("Model:", type(model).__name__),
            ("States:", model.description),
            ("Linear part:", linear),
            ("Lags chosen by:", model.lag_rule),
            ("Initialization:", model.initialization),
            ("Sample:", f"{label_text(index[0])} to {label_text(index[-1])}"),
            ("Observations:", str(self.nobs)),
            ("Penalty:", format_number(self.alpha, 4)),
            ("Chosen by:", self.estimate.rule),
            ("Log-likelihood:", format_number(self.llf, 3)),
            ("AIC:", format_number(self.aic, 3)),
            ("BIC:", format_number(self.bic, 3)),
            ("Effective parameters:", format_number(self.edf, 1)),
            ("Spectral radius:", f"{np.median(steady.radius):.3f} to {steady.radius.max():.3f}"),
            ("Lyapunov exponent:", f"{steady.exponent:.3f}"),
            ("Covariance:", self.cov_type),
            ("Search:", self.estimate.search),
        ]

    def summary(self, lags: int = 2, parameters: bool | None = None) -> Any:
        """Table of the fit: effects of lags, covariance of errors, tests, stability.

        Parameters
        ----------
        lags : int
            Lags whose average effects are printed, in innovations form.
        parameters : bool, optional
            Whether to print parameters; by default where these are at most 24 that are free.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            ``as_text()``, ``as_html()``, ``as_latex()``.
        """
        blocks, notes, model = [], [], self.model
        free = self._search.free
        if self._likelihood.route == "innovations" and model.network.reach:
            effects = self.effects(lags)
            effects.index = [f"{name} on {lag}" for name, lag in effects.index]
            blocks.append(tables.Table(effects, "Average effects of lags on the next period"))
        if parameters or (parameters is None and free.sum() <= PARAMETERS):
            frame = pd.DataFrame(
                {
                    "coef": self.params,
                    "std err": self.bse,
                    "z": self.tvalues,
                    "P>|z|": self.pvalues,
                }
            )
            blocks.append(tables.Table(frame[free], "Parameters"))
        blocks.append(tables.Table(self._tests(), "Tests of standardised forecast errors"))
        notes.append(
            "Spectral radius: median and largest along the sample, of the linearised transition of "
            "states and series. Lyapunov exponent: rate at which nearby paths part; negative where "
            "the system is stable."
        )
        if model.state_noise and not self.is_linear:
            notes.append(
                "Extended Kalman filter: what enters the activations has a standard error of "
                f"{self.states.entering_se.mean().max():.2f} on average, of the state where it is "
                f"largest. Up to {RANGE:.1f} the likelihood is near the exact one; particle_llf() "
                "checks it."
            )
        if self.stability.unstable:
            notes.append("The system is unstable: forecasts far ahead mean nothing.")
        if model.fixed:
            fixed = ", ".join(f"{name} = {value:g}" for name, value in model.fixed.items())
            notes.append(f"Fixed: {fixed}.")
        lacking = self._covariance.lacking
        if lacking:
            notes.append(
                f"{lacking} directions of the parameters are not identified; effects, forecasts "
                "and responses are."
            )
        if self.is_classical and np.isfinite(self.alpha):
            notes.append("At this penalty the network is zero: a vector autoregression.")
        if not self.converged and np.isfinite(self.estimate.fit.certificate):
            notes.append(
                "Not converged: the largest derivative of the objective is "
                f"{self.estimate.fit.certificate:.1e}, more than 1e-6."
            )
        return tables.summary("State Space Results", self._header(), blocks, notes)

    def _tests(self) -> pd.DataFrame:
        """p-values by series."""
        every: Mapping[str, Mapping[str, HypothesisTest]] = {
            "Ljung-Box": self.test_serial_correlation(),
            "Jarque-Bera": self.test_normality(),
            "Variance ratio": self.test_heteroskedasticity(),
        }
        return pd.DataFrame(
            {
                f"{name} (p)": {
                    series: np.nan if test.pvalue is None else test.pvalue
                    for series, test in found.items()
                }
                for name, found in every.items()
            }
        )

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
