"""Tests of the residuals of an estimate and of the classical model that it contains."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference import specification_tests, stability
from nnecon.inference.auxiliary import relative_roots
from nnecon.inference.effects import values_and_gradients
from nnecon.inference.hypotheses import HypothesisTest, does_not_apply
from nnecon.inference.specification_tests import CROSS_SECTION
from nnecon.results.base import Results
from nnecon.results.error_structure import error_structure

ON = ("network", "baseline")
LAGS = 10
"""Lags of tests on series by default, or a fifth of the rows where that is less."""


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """What a test looks at: residuals (n,) and gradient (n, k) times the root of the weights.

    ``fitted`` (n,) and ``raw`` (n, k), the gradient, are as they are.
    """

    resid: np.ndarray
    gradient: np.ndarray
    fitted: np.ndarray
    raw: np.ndarray


class ResidualTests(Results):
    """Tests of residuals as members: each returns a :class:`~nnecon.diagnostic.HypothesisTest`.

    ``on="network"`` tests the residuals of the estimate, ``on="baseline"`` those of the classical
    model on the same rows. Where the estimate is the classical model the two are the same.
    """

    def test_serial_correlation(
        self, method: str = "breusch-godfrey", lags: int | None = None, *, on: str = "network"
    ) -> HypothesisTest:
        """Test residuals in time order for autocorrelation.

        Parameters
        ----------
        method : {"breusch-godfrey", "ljungbox"}
            The first is valid with lags of the dependent variable among the regressors; the second
            takes their number off its degrees of freedom, as for ARMA models.
        lags : int, optional
            Lags that are tested; by default ten, or a fifth of the rows where that is less.
        on : {"network", "baseline"}
            Whose residuals.
        """
        names = {"breusch-godfrey": "Breusch-Godfrey", "ljungbox": "Ljung-Box"}
        check_method(method, names)
        check_on(on)
        null, lags = specification_tests.NO_AUTOCORRELATION, self._lags(lags)
        if not self.model.is_time_series:
            return _needs_time(names[method], null, "autocorrelation")
        tested = self._tested(on)
        if method == "ljungbox":
            found = specification_tests.ljung_box(
                tested.resid, lags, self._autoregressive, advice=self._advice(True)
            )
        else:
            found = specification_tests.breusch_godfrey(
                tested.resid, tested.gradient, lags, advice=self._advice(True)
            )
        return self._with_gaps(found)

    def test_normality(self, method: str = "jarquebera", *, on: str = "network") -> HypothesisTest:
        """Test residuals for normality by skewness and kurtosis (Jarque and Bera, 1980).

        Parameters
        ----------
        method : {"jarquebera"}
            The test.
        on : {"network", "baseline"}
            Whose residuals.
        """
        check_method(method, ("jarquebera",))
        check_on(on)
        return specification_tests.jarque_bera(self._tested(on).resid)

    def test_heteroskedasticity(
        self, method: str = "breusch-pagan", lags: int | None = None, *, on: str = "network"
    ) -> HypothesisTest:
        """Test whether the variance of the residuals is the same in all rows.

        With weights the residuals are those times the root of the weights, whose variance a right
        choice of weights makes equal.

        Parameters
        ----------
        method : {"breusch-pagan", "white", "arch"}
            Whether the variance depends on the regressors, also on their squares and products, or
            on past residuals (time series only).
        lags : int, optional
            Lags for ``"arch"``; by default ten, or a fifth of the rows where that is less.
        on : {"network", "baseline"}
            Whose residuals.
        """
        check_method(method, ("breusch-pagan", "white", "arch"))
        check_on(on)
        if lags is not None and method != "arch":
            raise SpecificationError("lags= belongs to method='arch'.")
        lags = self._lags(lags)
        if method == "arch" and not self.model.is_time_series:
            what = "a variance that depends on the past"
            return _needs_time("ARCH-LM", specification_tests.NO_ARCH, what)
        tested = self._tested(on)
        if method == "arch":
            return self._with_gaps(specification_tests.arch_lm(tested.resid, lags))
        if method == "white":
            return specification_tests.white(
                tested.resid, self.model.exog, tested.fitted, advice=self._advice(False)
            )
        return specification_tests.breusch_pagan(
            tested.resid, self.model.exog, advice=self._advice(False)
        )

    def test_stability(
        self,
        method: str = "cusum",
        at: Any = None,
        *,
        on: str = "network",
        **options: Any,
    ) -> HypothesisTest:
        """Test whether the mean is the same in the whole sample.

        Parameters
        ----------
        method : {"cusum", "quandt-andrews", "chow"}
            Cumulated residuals (Ploberger and Kramer, 1992); a break at an unknown date (Andrews,
            1993; Hansen, 2000); a break at a known date (Chow, 1960).
        at : label, optional
            For ``"chow"``: the first row of the second regime, by its label, or its year.
        on : {"network", "baseline"}
            Whose residuals.
        **options
            For ``"quandt-andrews"``: ``trimming``, and ``reps`` and ``rng`` of the bootstrap.
        """
        names = {"cusum": "CUSUM", "quandt-andrews": "Quandt-Andrews", "chow": "Chow"}
        check_method(method, names)
        check_on(on)
        if (method == "chow") != (at is not None):
            raise SpecificationError(
                "at= says where the break is for method='chow', and only there."
            )
        if options and method != "quandt-andrews":
            raise SpecificationError(f"{next(iter(options))}= belongs to method='quandt-andrews'.")
        if not self.model.is_time_series:
            null = "The coefficients are the same in the whole sample"
            null = "The mean is stable over the sample" if method == "cusum" else null
            return _needs_time(names[method], null, "stability over time")
        tested, exog, weights = self._tested(on), self.model.exog, self._test_weights
        resid = tested.resid / relative_roots(weights, len(exog))
        index = self.model.design.sample.index
        if method == "cusum" and weights is not None:
            why = "The estimate is weighted, so that its residuals need not sum to zero: no test."
            return does_not_apply("CUSUM", "The mean is stable over the sample", why)
        if method == "cusum":
            return stability.cusum(tested.resid, tested.gradient)
        if method == "chow":
            place = self._position(at)
            return stability.chow(
                resid, exog, tested.raw, at=place, label=index[place], weights=weights
            )
        options = {"labels": list(index), "weights": weights, **options}
        return stability.quandt_andrews(resid, exog, tested.raw, **options)

    # -- what they look at ------------------------------------------------------------------------

    def _name_of(self, on: str) -> str:
        return "network" if on == "network" else type(self.baseline.model).__name__

    @property
    def _test_weights(self) -> np.ndarray | None:
        return self.estimate.weights if self.model.weighted else None

    @cached_property
    def _of_network(self) -> Residuals:
        _, gradient = values_and_gradients(
            self._network, self.solution.params, self.estimate.objective.inputs
        )
        roots = relative_roots(self._test_weights, len(gradient))
        resid, fitted = self.resid.to_numpy(), self.fittedvalues.to_numpy()
        return Residuals(roots * resid, roots[:, None] * gradient, fitted, gradient)

    def _tested(self, on: str) -> Residuals:
        if on == "network":
            return self._of_network
        fitted, exog = np.asarray(self.baseline.fittedvalues), self.model.exog
        roots = relative_roots(self._test_weights, len(fitted))
        return Residuals(roots * (self.model.endog - fitted), roots[:, None] * exog, fitted, exog)

    def _lags(self, lags: int | None) -> int:
        size = len(self.model.endog)
        if lags is None:
            return min(LAGS, size // 5)
        if isinstance(lags, bool) or not isinstance(lags, int | np.integer) or lags < 1:
            raise SpecificationError(f"lags={lags!r} must be a whole number of at least one.")
        return int(lags)

    def _advice(self, in_time: bool) -> str:
        """What a rejection means, given the covariance of this estimate."""
        kind = self.cov_spec.kind
        if in_time and kind == "HAC":
            return "The HAC standard errors allow for it; more lags may predict better."
        if in_time:
            return specification_tests.USE_HAC
        if error_structure(self.cov_spec)[0]:
            return f"The {kind} standard errors allow for it."
        return specification_tests.USE_ROBUST

    @property
    def _autoregressive(self) -> int:
        """Largest lag of the dependent variable among the regressors of the formula."""
        own = re.compile(rf"lag\({re.escape(self.model.endog_names)}, (\d+)\)")
        lags = [int(lag) for name in self.model.exog_names for lag in own.findall(name)]
        return max(lags, default=0)

    def _with_gaps(self, test: HypothesisTest) -> HypothesisTest:
        """Say where rows that are tested as neighbours are none."""
        gaps = int((np.diff(self.model.design.sample.rows) > 1).sum())
        if not gaps or not test.applies:
            return test
        note = f"Rows around {gaps} gap{'s' if gaps > 1 else ''} in time count as neighbours."
        return replace(test, sentence=f"{test.sentence} {note}")

    def _position(self, label: Any) -> int:
        """Position of a row by its label."""
        index = self.model.design.sample.index
        dated = isinstance(index, pd.PeriodIndex | pd.DatetimeIndex)
        # pandas reads a whole number as ordinal of a period, users mean the year
        year = dated and isinstance(label, int | np.integer)
        try:
            found = index.get_loc(str(label) if year else label)
        except (KeyError, TypeError, ValueError) as error:
            raise SpecificationError(
                f"{label!r} is not among the rows of the sample, {index[0]} to {index[-1]}."
            ) from error
        return int(found.start if isinstance(found, slice) else found)


def check_on(on: str) -> None:
    """Refuse to test residuals of something else."""
    if on not in ON:
        raise SpecificationError(f"on={on!r} is not known; choose one of {ON}.")


def check_method(method: str, known: Iterable[str]) -> None:
    """Refuse a method that does not exist."""
    if method not in known:
        raise SpecificationError(f"method={method!r} is not known; choose one of {tuple(known)}.")


def _needs_time(name: str, null: str, what: str) -> HypothesisTest:
    return does_not_apply(name, null, CROSS_SECTION.format(what=what))
