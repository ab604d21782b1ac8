"""Specification tests of an estimate and of the classical model that it contains."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference import nonlinearity
from nnecon.inference.hypotheses import HypothesisTest, does_not_apply, to_frame
from nnecon.inference.linear_null import REMAINING
from nnecon.report import plots
from nnecon.results.error_structure import error_structure
from nnecon.results.residual_tests import ResidualTests, check_method, check_on

LARGE = 5000
"""Rows from which on robust tests take asymptotic p-values; the bootstrap's equal them there."""

NONLINEARITY: dict[str, tuple[str, Callable[..., HypothesisTest]]] = {
    "terasvirta": ("Terasvirta-Lin-Granger", nonlinearity.terasvirta_test),
    "white": ("Lee-White-Granger", nonlinearity.white_test),
}


BOOTSTRAP = ("reps", "rng")
OPTIONS = {
    "terasvirta": ("terms", *BOOTSTRAP),
    "white": ("units", "components", "spread", "draws", "scale", *BOOTSTRAP),
}
"""What the tests of nonlinearity take besides."""


class Diagnostics(ResidualTests):
    """Tests of nonlinearity, and all specification tests in one frame."""

    # -- nonlinearity -----------------------------------------------------------------------------

    def test_nonlinearity(
        self,
        method: str = "terasvirta",
        *,
        form: str = "F",
        robust: bool | None = None,
        on: str = "baseline",
        **options: Any,
    ) -> HypothesisTest:
        """Test for nonlinearity that the classical model, or the network, leaves out.

        Parameters
        ----------
        method : {"terasvirta", "white"}
            Squares, cubes and cross products of the regressors (Terasvirta, Lin and Granger, 1993),
            or random hidden units (Lee, White and Granger, 1993).
        form : {"F", "chi2"}
            Form of the statistic.
        robust : bool, optional
            Robust to unequal variances, with p-values from a wild bootstrap (from 5,000 rows on
            asymptotic ones); by default unless ``cov_type`` is ``"nonrobust"``. With clustered
            errors the bootstrap draws by cluster.
        on : {"baseline", "network"}
            ``"baseline"`` asks whether the mean is linear, ``"network"`` whether the network leaves
            nonlinearity in its residuals (Medeiros, Terasvirta and Rech, 2006).
        **options
            ``reps``, ``rng`` of the bootstrap; ``terms`` as in
            :func:`nnecon.diagnostic.terasvirta_test`; ``units``, ``components``, ``spread``,
            ``draws``, ``scale`` as in :func:`nnecon.diagnostic.lee_white_granger_test`.

        Returns
        -------
        HypothesisTest

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula(
        ...     "growth ~ lag(growth, 1) + lag(unemp, 1)", macro, hidden=(2,)
        ... )
        >>> test = model.fit(alpha=0.05, n_starts=2).test_nonlinearity(robust=False)
        >>> test.distribution
        'F with 7 and 191 degrees of freedom'
        """
        check_method(method, NONLINEARITY)
        _check_options(options, OPTIONS[method], f"method={method!r}")
        return self._linearity(*NONLINEARITY[method], form, robust, on, False, options)

    def test_reset(
        self,
        powers: tuple[int, ...] = (2, 3),
        *,
        form: str = "F",
        robust: bool | None = None,
        on: str = "baseline",
        **options: Any,
    ) -> HypothesisTest:
        """Test for neglected nonlinearity by powers of the fitted values (Ramsey, 1969).

        Parameters
        ----------
        powers : tuple of int
            Powers that are added.
        form, robust, on
            As in :meth:`test_nonlinearity`.
        **options
            ``reps`` and ``rng`` of the wild bootstrap.
        """
        _check_options(options, BOOTSTRAP, "RESET")
        options = {"powers": powers, **options}
        return self._linearity("RESET", nonlinearity.reset_test, form, robust, on, True, options)

    def _linearity(
        self,
        name: str,
        test: Callable[..., HypothesisTest],
        form: str,
        robust: bool | None,
        on: str,
        powers: bool,
        options: dict[str, Any],
    ) -> HypothesisTest:
        check_on(on)
        name = f"{name} ({self._name_of(on)})"
        supposed, groups = error_structure(self.cov_spec)
        robust = supposed if robust is None else robust
        if robust and groups is not None:
            options = {"groups": groups, **options}
        elif robust and self.nobs >= LARGE:
            options = {"reps": 0, **options}
        y = self.model.endog
        if on == "network":
            tested = self._tested(on)
            y = self.resid.to_numpy()
            options = {"gradient": tested.raw, **options}
            options |= {"fitted": tested.fitted} if powers else {}
        options = {"weights": self._test_weights, "form": form, "robust": robust, **options}
        return replace(test(y, self.model.exog, **options), name=name)

    # -- all of them ------------------------------------------------------------------------------

    def diagnostics(
        self, *, on: str = "network", lags: int | None = None, break_at: Any = None
    ) -> pd.DataFrame:
        """All tests in one frame, with their null hypotheses in words.

        Parameters
        ----------
        on : {"network", "baseline"}
            Whose residuals; nonlinearity is tested in the classical model in both cases.
        lags : int, optional
            Lags of the tests on time series.
        break_at : label, optional
            First row of a second regime, for Chow's test.

        Returns
        -------
        DataFrame
            A row a test; columns ``null``, ``statistic``, ``distribution``, ``pvalue`` and
            ``sentence``. A test that does not apply has no numbers, and its sentence says why.
        """
        check_on(on)
        return to_frame(self._asked(on, lags, break_at).values())

    def _asked(
        self, on: str = "network", lags: int | None = None, break_at: Any = None
    ) -> dict[str, HypothesisTest]:
        """All tests by what they ask."""
        tests = dict(self._linear_enough)
        if on == "network":
            tests["Network enough: Terasvirta"] = self._remaining
        tests |= {
            "No autocorrelation: Breusch-Godfrey": self.test_serial_correlation(lags=lags, on=on),
            "No autocorrelation: Ljung-Box": self.test_serial_correlation("ljungbox", lags, on=on),
            "No ARCH effects: ARCH-LM": self.test_heteroskedasticity("arch", lags, on=on),
            "Equal variances: Breusch-Pagan": self.test_heteroskedasticity(on=on),
            "Equal variances: White": self.test_heteroskedasticity("white", on=on),
            "Normality: Jarque-Bera": self.test_normality(on=on),
            "Stable mean: CUSUM": self.test_stability("cusum", on=on),
            "Stable coefficients: Quandt-Andrews": self.test_stability("quandt-andrews", on=on),
        }
        if break_at is not None:
            tests["Stable coefficients: Chow"] = self.test_stability("chow", break_at, on=on)
        return tests

    @cached_property
    def _linear_enough(self) -> dict[str, HypothesisTest]:
        """Tests of nonlinearity in the classical model, which the bootstrap makes the slow ones."""
        name = self._name_of("baseline")
        return {
            f"{name} linear: Terasvirta": self.test_nonlinearity("terasvirta"),
            f"{name} linear: Lee-White-Granger": self.test_nonlinearity("white"),
            f"{name} linear: RESET": self.test_reset(),
        }

    @cached_property
    def _remaining(self) -> HypothesisTest:
        """Nonlinearity that the network leaves, or why there is nothing to ask."""
        if self.is_linear or self.solution.penalty == 0.0:
            name = f"Terasvirta-Lin-Granger ({self._name_of('network')})"
            why = "The network is zero, so that its residuals are those of the classical model."
            return does_not_apply(name, REMAINING, why)
        return self.test_nonlinearity("terasvirta", on="network")

    @cached_property
    def _summary_tests(self) -> dict[str, HypothesisTest]:
        """The tests at the foot of the summary, by what they ask."""
        tests = {
            label: test
            for label, test in self._linear_enough.items()
            if "Lee-White-Granger" not in label
        }
        if self.model.is_time_series:
            tests |= {
                "No autocorrelation: Breusch-Godfrey": self.test_serial_correlation(),
                "No ARCH effects: ARCH-LM": self.test_heteroskedasticity("arch"),
            }
        tests["Equal variances: Breusch-Pagan"] = self.test_heteroskedasticity()
        tests["Equal variances: White"] = self.test_heteroskedasticity("white")
        return tests

    def _summary_note(self) -> str:
        """What the tests at the foot of the summary look at."""
        tests = self._summary_tests
        first = next(iter(tests.values()))
        how = f" ({first.distribution})" if "bootstrap" in first.distribution else ""
        note = f"Diagnostic tests: is {self._name_of('baseline')} linear enough{how}? "
        note += "The others test the residuals" + ("." if self.is_linear else " of the network.")
        reasons = [f"{label}: {test.sentence}" for label, test in tests.items() if not test.applies]
        return " ".join([note, *reasons])

    def plot_diagnostics(self, *, on: str = "network", **options: Any) -> Any:
        """Four views of the standardised residuals.

        Over time (for a cross section: against the fitted values), their distribution with the
        normal density, their quantiles against the normal's, and their autocorrelations (for a
        cross section: the root of their size against the fitted values).

        Parameters
        ----------
        on : {"network", "baseline"}
            Whose residuals.
        **options
            As in :func:`nnecon.report.plots.plot_residuals`: ``recessions``, ``max_lags``,
            ``figsize``, ``fig``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        check_on(on)
        tested = self._tested(on)
        df_resid = self.df_resid if on == "network" else self.baseline.df_resid
        scale = float(tested.resid @ tested.resid) / df_resid
        title = f"Residuals of {'the ' if on == 'network' else ''}{self._name_of(on)}"
        return plots.plot_residuals(
            self.model.design.sample.index,
            tested.resid / np.sqrt(scale),
            tested.fitted,
            **{"standardised": True, "title": title, **options},
        )


def _check_options(given: Iterable[str], known: Sequence[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise SpecificationError(f"{what} takes no {name}=; it takes {', '.join(known)}.")
