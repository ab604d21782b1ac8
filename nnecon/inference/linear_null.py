"""The model that a test of neglected nonlinearity takes for true, and regressions beyond it."""

import numpy as np

from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.auxiliary import (
    SHARE,
    AddedTerms,
    Outcome,
    Robust,
    added_terms,
    check_form,
    identified,
    outcome,
    partial_out,
    read_robust,
    relative_roots,
    with_constant,
)
from nnecon.inference.hypotheses import (
    HypothesisTest,
    as_matrix,
    as_vector,
    does_not_apply,
    verdict,
)

EXACT = 1e-20
"""A model that leaves a smaller share of the variance fits exactly."""

NULL = "The mean is linear in the regressors"
REMAINING = "The network leaves no nonlinearity in the regressors"


class LinearNull:
    """Dependent variable, regressors and the basis of the model under the null.

    ``why`` says why there is no test; it is empty where there is one.
    """

    def __init__(
        self,
        y: np.ndarray,
        x: np.ndarray | None,
        lags: int | None,
        form: str,
        robust: bool,
        like_r: bool,
        reps: int,
        rng: int,
        weights: np.ndarray | None,
        groups: np.ndarray | None,
        gradient: np.ndarray | None,
    ) -> None:
        check_form(form)
        if like_r and robust:
            raise SpecificationError("R has no robust form: leave out like_r=True or robust=True.")
        by_row = {"weights": weights, "groups": groups, "gradient": gradient}
        given = [label for label, value in by_row.items() if value is not None]
        if lags is not None and given:
            raise SpecificationError(
                f"{given[0]}= and lags= exclude each other: give the lags as x."
            )
        self.form, self.like_r = form, like_r
        self.null, self.advice = NULL, "A network may find more."
        series = as_vector(y, "y")
        self.given = len(series)
        self.robust: Robust | None = read_robust(robust, reps, rng, groups, len(series))
        target, regressors = _with_lags(series, x, lags)
        self.roots = relative_roots(weights, len(target))
        self.target = self.roots * target
        self.regressors = regressors[:, np.ptp(regressors, axis=0) > 0.0]
        model = with_constant(self.regressors)
        if gradient is not None:
            self.null, self.advice = REMAINING, "More units or a smaller penalty may find more."
            model = as_matrix(gradient, "gradient", len(target))
        self.basis = identified(self.roots[:, None] * model)
        self.size = len(self.target)
        self.budget = (self.size - self.basis.shape[1]) // SHARE
        self.why = self._why()

    def _why(self) -> str:
        if self.regressors.shape[1] == 0:
            return "There is no regressor that moves: there is nothing to be nonlinear in."
        if self.budget < 1:
            return (
                f"{self.size} rows leave too few degrees of freedom beside "
                f"{self.basis.shape[1]} linear terms: no test."
            )
        resid = partial_out(self.target, self.basis)
        deviation = self.target - self.target.mean()
        if resid @ resid <= EXACT * (deviation @ deviation) or not deviation.any():
            return "The model fits exactly: there is nothing left to explain."
        return ""

    def regress(self, terms: np.ndarray) -> AddedTerms:
        """Regression of what the model leaves on further terms."""
        return added_terms(self.target, self.basis, self.roots[:, None] * terms)

    def check_groups(self, added: AddedTerms) -> None:
        """Say in ``why`` where the terms are too many for the clusters."""
        count = 0 if self.robust is None else self.robust.n_groups
        if count and added.rank >= count:
            self.why = (
                f"{count} clusters are too few for {added.rank} terms: their robust covariance has "
                "no inverse."
            )

    def outcome(self, added: AddedTerms) -> Outcome:
        """Statistic and p-value in the form asked for."""
        found = outcome(added, self.form, self.robust)
        return _as_r(found, added, self) if self.like_r else found

    def test(self, name: str, added: AddedTerms, note: str) -> HypothesisTest:
        """The test, or why there is none; ``note`` says which terms were added."""
        if added.rank == 0:
            why = "The terms are linear in the regressors (dummies alone?): there is nothing to "
            return does_not_apply(name, self.null, why + "test.")
        self.check_groups(added)
        if self.why:
            return does_not_apply(name, self.null, self.why)
        found = self.outcome(added)
        sentence = f"{verdict(self.null, found.pvalue, self.advice)} {note}"
        return HypothesisTest(
            self.null, found.statistic, found.pvalue, sentence, found.distribution, found.df, name
        )


def _with_lags(
    series: np.ndarray, x: np.ndarray | None, lags: int | None
) -> tuple[np.ndarray, np.ndarray]:
    if x is None and lags is None:
        raise SpecificationError("Give regressors x, a number of lags, or both.")
    exog = np.empty((len(series), 0)) if x is None else as_matrix(x, "x", len(series))
    if lags is None:
        return series, exog
    if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or lags < 1:
        raise SpecificationError(f"lags={lags!r} must be a whole number of at least one.")
    if lags >= len(series):
        raise DataError(f"{lags} lags need more than the {len(series)} observations given.")
    past = [series[lags - lag : len(series) - lag] for lag in range(1, lags + 1)]
    return series[lags:], np.column_stack([*past, exog[lags:]])


def _as_r(found: Outcome, added: AddedTerms, sample: LinearNull) -> Outcome:
    """Statistic with the rows and degrees of freedom that R counts."""
    # R compares n log(SSR0 / SSR1) with all rows given, and F with rows - regressors - terms
    n_terms, regressors = added.rank, sample.regressors.shape[1]
    left = float(sample.given - regressors - n_terms)
    ratio = added.restricted / added.unrestricted
    if sample.form == "F":
        statistic = (ratio - 1.0) / n_terms * left
        df: tuple[float, ...] = (float(n_terms), left)
    else:
        statistic, df = sample.given * np.log(ratio), (float(n_terms),)
    return Outcome.of(float(statistic), df)
