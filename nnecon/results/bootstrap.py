"""Results of a bootstrap: errors, biases and intervals of whatever the estimate implies."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.draws import IN_TIME
from nnecon.estimation.kernels import fitted_many
from nnecon.exceptions import SpecificationError
from nnecon.inference.bootstrap import acceleration, bootstrap_interval
from nnecon.inference.effects import values_and_gradients
from nnecon.report import tables
from nnecon.report.formats import format_number
from nnecon.results.immutable import Immutable
from nnecon.results.inference_table import check_level

METHODS = ("percentile", "basic", "bca", "normal")


@dataclass(frozen=True, slots=True, eq=False)
class BootstrapDistribution:
    """Estimates and their bootstrap draws.

    Attributes
    ----------
    estimate : Series
        The m estimates of the sample.
    draws : DataFrame
        Their values at the b draws, a row a draw.
    description : str
        What was drawn.
    acceleration : callable or None
        Gives a sixth of the skewness of the rows' (or groups') influence, shape (m,), for
        ``method="bca"``; None where rows are drawn in blocks.
    """

    estimate: pd.Series
    draws: pd.DataFrame
    description: str
    acceleration: Callable[[], np.ndarray] | None = None

    @property
    def bse(self) -> pd.Series:
        """Standard deviations of the draws."""
        return self.draws.std()

    @property
    def bias(self) -> pd.Series:
        """Mean of the draws less the estimate.

        Wild draws shrink towards the classical model once more, and show what the penalty does to
        the estimate; draws of rows or weights do not.
        """
        return self.draws.mean() - self.estimate

    def cov(self) -> pd.DataFrame:
        """Covariance of the draws."""
        return self.draws.cov()

    def conf_int(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Intervals with level ``1 - alpha``; columns 0 and 1.

        Parameters
        ----------
        alpha : float
            One less the level.
        method : {"percentile", "basic", "bca", "normal"}
            Quantiles of the draws; the same mirrored at the estimate; bias-corrected and
            accelerated quantiles (not for blocks); or the normal distribution.
        """
        level = check_level(alpha)
        if method not in METHODS:
            raise SpecificationError(f"method={method!r} is not known; choose one of {METHODS}.")
        speed = None
        if method == "bca":
            if self.acceleration is None:
                raise SpecificationError(
                    "method='bca' supposes that rows, or groups of them, are drawn independently; "
                    "for blocks choose 'percentile' or 'basic'."
                )
            speed = self.acceleration()
        bounds = bootstrap_interval(
            self.estimate.to_numpy(), self.draws.to_numpy(), level, method, speed
        )
        return pd.DataFrame(dict(enumerate(bounds)), index=self.estimate.index)

    def summary_frame(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Estimates, biases, standard errors and intervals."""
        bounds = self.conf_int(alpha, method)
        return pd.DataFrame(
            {
                "estimate": self.estimate,
                "bias": self.bias,
                "std err": self.bse,
                "lower": bounds[0],
                "upper": bounds[1],
            }
        )


class BootstrapResults(Immutable):
    """What bootstrap draws say about an estimate.

    Attributes
    ----------
    results : Results
        The results with ``cov_type="bootstrap"``: their summary, effects and predictions have
        errors from these draws.
    """

    results: Any

    def __init__(self, results: Any) -> None:
        self.__dict__["results"] = results

    @property
    def description(self) -> str:
        """What was drawn, and how often."""
        return self.results.covariance.description

    @property
    def n_draws(self) -> int:
        """Draws with an estimate."""
        return len(self.results.covariance.draws)

    @cached_property
    def params(self) -> BootstrapDistribution:
        """Parameters, in the user's units.

        Hidden units keep their order and signs from the estimate, as far as a draw stays near it.
        """
        transform, offset = self.results._map
        draws = self.results.covariance.draws @ transform.T + offset
        return self._distribution(self.results.params, draws, lambda: transform)

    @cached_property
    def margeff(self) -> BootstrapDistribution:
        """Average partial effects at the sample's rows."""
        found = self.results.get_margeff()
        return self._distribution(found.margeff, found.draws, lambda: found.gradient)

    def get_margeff(self, *arguments: Any, **options: Any) -> BootstrapDistribution:
        """Marginal effects of any kind; arguments as in the results' ``get_margeff``."""
        found = self.results.get_margeff(*arguments, **options)
        return self._distribution(found.margeff, found.draws, lambda: found.gradient)

    def predict(self, exog: Any = None) -> BootstrapDistribution:
        """Predicted means of the sample's rows, or of new ones as in the results' ``predict``.

        Intervals for new observations are in ``results.get_prediction(interval="bootstrap")``.
        """
        results = self.results
        rows, _ = results._rows(exog)
        values = fitted_many(results._network, results.covariance.draws, rows)
        scaling = results.estimate.scaling

        def gradient() -> np.ndarray:
            found = values_and_gradients(results._network, results.solution.params, rows)
            return found[1] * scaling.target_scale

        return self._distribution(results.predict(exog), scaling.restore(values), gradient)

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the parameters."""
        return self.params.cov()

    def summary(self, alpha: float = 0.05, method: str = "percentile") -> Any:
        """Table of the effects with bootstrap errors and intervals."""
        frame = self.margeff.summary_frame(alpha, method)
        names = {"lower": f"[{alpha / 2:.3g}", "upper": f"{1 - alpha / 2:.3g}]"}
        cells = frame.rename(columns=names).map(lambda value: format_number(value, 4))
        return tables.summary(
            "Bootstrap of average partial effects",
            [("Dep. Variable:", self.results.model.endog_names), ("Intervals:", method)],
            [tables.Table(cells)],
            [f"{self.description[0].upper()}{self.description[1:]}."],
        )

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    def _distribution(
        self, estimate: pd.Series, draws: np.ndarray, gradient: Callable[[], np.ndarray]
    ) -> BootstrapDistribution:
        options = self.results.cov_spec.options

        def speed() -> np.ndarray:
            return acceleration(self.results._influence @ gradient().T, options.get("groups"))

        return BootstrapDistribution(
            estimate,
            pd.DataFrame(draws, columns=estimate.index),
            self.description,
            None if options["kind"] in IN_TIME else speed,
        )
