r"""Tests of neglected nonlinearity: is the mean linear in the regressors?

Under the alternative the mean is ``b + x'beta + w'g(a + Wx)``, a network beside the linear part.
Its weights are not identified under the null, and the tests differ in what they put in its place:

- :func:`terasvirta_test`: its third-order expansion, all squares, cubes and cross products of the
  regressors (Terasvirta, Lin and Granger, 1993);
- :func:`white_test`: hidden units with weights drawn at random (Lee, White and Granger, 1993);
- :func:`reset_test`: powers of the fitted values (Ramsey, 1969).

All are auxiliary regressions of the residuals, in an F and a chi-squared form, and robust to
heteroskedasticity if asked. The F form keeps its size in small samples. The robust statistic's
asymptotic p-values reject too rarely in small samples and with many terms; by default they come
from a wild bootstrap.
"""

from math import comb

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
    polynomial_terms,
    read_robust,
    standardised_directions,
    with_constant,
)
from nnecon.inference.hypotheses import (
    HypothesisTest,
    as_matrix,
    as_vector,
    does_not_apply,
    verdict,
)

TERMS = ("auto", "products", "components")

EXACT = 1e-20
"""A linear model that leaves a smaller share of the variance fits exactly."""

NULL = "The mean is linear in the regressors"


def terasvirta_test(
    y: np.ndarray,
    x: np.ndarray | None = None,
    *,
    lags: int | None = None,
    form: str = "F",
    robust: bool = False,
    terms: str = "auto",
    like_r: bool = False,
    reps: int = 499,
    rng: int = 0,
) -> HypothesisTest:
    r"""Test for neglected nonlinearity by a network's third-order expansion.

    The residuals of a linear regression are regressed on the regressors and all their products of
    second and third order; with p regressors these are :math:`p(p+1)/2 + p(p+1)(p+2)/6` terms.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Dependent variable; with ``lags`` a series in time order.
    x : ndarray of shape (n, p), optional
        Regressors; a constant is always in the model.
    lags : int, optional
        Lags of ``y`` that are regressors (too).
    form : {"F", "chi2"}
        F statistic, or :math:`n \log(SSR_0 / SSR_1)`, which is R's default.
    robust : bool
        Robust to heteroskedasticity; see :mod:`nnecon.inference.auxiliary`.
    terms : {"auto", "products", "components"}
        ``"products"``: all of them. ``"components"``: squares and cubes of the leading principal
        components of the standardised regressors, which see cross products too, as in Castle and
        Hendry (2010). ``"auto"``: products, if they take at most a third of the degrees of freedom,
        else components.
    like_r : bool
        Count as R's ``tseries::terasvirta.test`` does: the rows lost to lags are counted, and the
        constant is not. Its ``scale`` argument does not matter, because the products of
        standardised regressors span the same space.
    reps, rng : int
        Draws of the wild bootstrap behind a robust p-value, and its seed; no draws, the asymptotic
        p-value.

    Returns
    -------
    HypothesisTest

    Examples
    --------
    >>> import numpy as np
    >>> from nnecon.inference.nonlinearity import terasvirta_test
    >>> g = np.random.default_rng(0)
    >>> x = g.standard_normal((200, 2))
    >>> y = x[:, 0] * x[:, 1] + g.standard_normal(200)
    >>> terasvirta_test(y, x).distribution
    'F with 7 and 190 degrees of freedom'
    """
    name = "Terasvirta-Lin-Granger"
    if terms not in TERMS:
        raise SpecificationError(f"terms={terms!r} is not known; choose one of {TERMS}.")
    sample = _Sample(y, x, lags, form, robust, like_r, reps, rng)
    if sample.why:
        return does_not_apply(name, NULL, sample.why)
    added, note = _expansion(sample, terms)
    if added is None:
        return does_not_apply(name, NULL, note)
    return sample.test(name, added, note)


def white_test(
    y: np.ndarray,
    x: np.ndarray | None = None,
    *,
    lags: int | None = None,
    units: int = 10,
    components: int = 2,
    spread: float = 4.0,
    draws: int = 1,
    form: str = "F",
    robust: bool = False,
    scale: bool = True,
    like_r: bool = False,
    reps: int = 499,
    rng: int = 0,
) -> HypothesisTest:
    """Test for neglected nonlinearity by hidden units with random weights.

    Logistic units have weights drawn uniformly from ``[-spread / 2, spread / 2]``. The leading
    principal component of their values is close to the regressors; the next ``components`` are
    added to the linear regression. With several ``draws`` of weights the p-value is Hochberg's
    bound over them, as Lee, White and Granger (1993) advise.

    Parameters
    ----------
    y, x, lags, form, robust, reps
        As in :func:`terasvirta_test`.
    units, components : int
        Hidden units, and their principal components that are added (``q`` and ``qstar`` in R).
    spread : float
        Width of the interval of weights (``range`` in R).
    draws : int
        Draws of weights.
    scale : bool
        Standardise the variables first; False takes them in their units, which then decide how
        bent the units are.
    like_r : bool
        Count degrees of freedom as R's ``tseries::white.test`` does.
    rng : int
        Seed of the weights and of the wild bootstrap.

    Returns
    -------
    HypothesisTest
    """
    name = "Lee-White-Granger"
    for value, label in ((units, "units"), (components, "components"), (draws, "draws")):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise SpecificationError(f"{label}={value!r} must be a whole number of at least one.")
    if components >= units:
        raise SpecificationError(
            f"components={components} must be less than units={units}: the first principal "
            "component is left out."
        )
    if not spread > 0.0:
        raise SpecificationError(f"spread={spread!r} must be positive.")
    sample = _Sample(y, x, lags, form, robust, like_r, reps, rng)
    if not sample.why and sample.budget < components:
        sample.why = f"{sample.size} rows are too few for {components} terms more."
    if sample.why:
        return does_not_apply(name, NULL, sample.why)
    generator = np.random.default_rng(rng)
    inputs = sample.regressors
    if scale:
        inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0, ddof=1)
    found = []
    for _ in range(draws):
        weights = generator.uniform(-spread / 2.0, spread / 2.0, (inputs.shape[1] + 1, units))
        added = sample.regress(_phantoms(inputs, weights, components))
        if added.rank:
            found.append((sample.outcome(added), added.rank))
    if not found:
        why = "The hidden units are linear in these regressors: there is nothing to test."
        return does_not_apply(name, NULL, why)
    pvalues = np.sort([one.pvalue for one, _ in found])
    bound = float((pvalues * np.arange(len(found), 0, -1)).min())
    best, rank = min(found, key=lambda pair: pair[0].pvalue)
    words = best.distribution if draws == 1 else f"{best.distribution}; bound over {draws} draws"
    note = f"Terms: {rank} principal components of {units} random hidden units."
    sentence = f"{verdict(NULL, bound, 'A network may find more.')} {note}"
    return HypothesisTest(NULL, best.statistic, bound, sentence, words, best.df, name)


def reset_test(
    y: np.ndarray,
    x: np.ndarray | None = None,
    *,
    lags: int | None = None,
    powers: tuple[int, ...] = (2, 3),
    form: str = "F",
    robust: bool = False,
    reps: int = 499,
    rng: int = 0,
) -> HypothesisTest:
    """Test for neglected nonlinearity by powers of the fitted values (Ramsey, 1969).

    It needs few degrees of freedom, and has power where the mean bends along its linear index. The
    F form equals statsmodels' ``linear_reset(..., use_f=True)`` and R's ``lmtest::resettest``.

    Parameters
    ----------
    y, x, lags, form, robust, reps, rng
        As in :func:`terasvirta_test`.
    powers : tuple of int
        Powers of the fitted values that are added.

    Returns
    -------
    HypothesisTest
    """
    name = "RESET"
    if not powers or any(int(power) != power or power < 2 for power in powers):
        raise SpecificationError(f"powers={powers!r} must be whole numbers of at least two.")
    sample = _Sample(y, x, lags, form, robust, False, reps, rng)
    if not sample.why and sample.budget < len(set(powers)):
        sample.why = f"{sample.size} rows are too few for {len(set(powers))} terms more."
    if sample.why:
        return does_not_apply(name, NULL, sample.why)
    fitted = sample.basis @ (sample.basis.T @ sample.target)
    # powers of the standardised fitted values span the same space and are better conditioned
    deviation = fitted - fitted.mean()
    if np.abs(deviation).max() <= 1e-10 * np.abs(sample.target).max():
        why = "The fitted values do not move: there is nothing to raise to a power."
        return does_not_apply(name, NULL, why)
    complete = tuple(sorted(set(powers))) == tuple(range(2, max(powers) + 1))
    index = (deviation if complete else fitted) / deviation.std()
    added = sample.regress(np.column_stack([index**power for power in sorted(set(powers))]))
    note = f"Terms: powers {', '.join(str(power) for power in sorted(set(powers)))} of the fit."
    return sample.test(name, added, note)


class _Sample:
    """Dependent variable, regressors and the linear model's basis; ``why`` there is no test."""

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
    ) -> None:
        check_form(form)
        if like_r and robust:
            raise SpecificationError("R has no robust form: leave out like_r=True or robust=True.")
        self.form, self.like_r = form, like_r
        self.robust: Robust | None = read_robust(robust, reps, rng)
        series = as_vector(y, "y")
        self.given = len(series)
        self.target, regressors = _with_lags(series, x, lags)
        self.regressors = regressors[:, np.ptp(regressors, axis=0) > 0.0]
        self.basis = identified(with_constant(self.regressors))
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
            return "The linear model fits exactly: there is nothing left to explain."
        return ""

    def regress(self, terms: np.ndarray) -> AddedTerms:
        return added_terms(self.target, self.basis, terms)

    def outcome(self, added: AddedTerms) -> Outcome:
        found = outcome(added, self.form, self.robust)
        return _as_r(found, added, self) if self.like_r else found

    def test(self, name: str, added: AddedTerms, note: str) -> HypothesisTest:
        if added.rank == 0:
            why = "The terms are linear in the regressors (dummies alone?): there is nothing to "
            return does_not_apply(name, NULL, why + "test.")
        found = self.outcome(added)
        sentence = f"{verdict(NULL, found.pvalue, 'A network may find more.')} {note}"
        return HypothesisTest(
            NULL, found.statistic, found.pvalue, sentence, found.distribution, found.df, name
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


def _as_r(found: Outcome, added: AddedTerms, sample: _Sample) -> Outcome:
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


def _expansion(sample: _Sample, terms: str) -> tuple[AddedTerms | None, str]:
    """Regression on products or components, and what the terms are; or why there are none."""
    directions = standardised_directions(sample.regressors)
    count, budget = directions.shape[1], sample.budget
    products = comb(count + 1, 2) + comb(count + 2, 3)
    left = sample.size - sample.basis.shape[1]
    if terms == "products" or (terms == "auto" and products <= budget):
        if products >= left:
            return None, (
                f"{products} squares, cubes and cross products of {count} regressors do not fit "
                f"into {left} degrees of freedom; choose terms='components'."
            )
        added = sample.regress(
            np.column_stack([polynomial_terms(directions, order) for order in (2, 3)])
        )
        return added, f"Terms: {added.rank} squares, cubes and cross products."
    kept = min(count, budget // 2)
    if kept == 0:
        return None, f"{left} degrees of freedom are too few for a square and a cube more: no test."
    leading = _principal_components(sample.regressors)[:, :kept]
    added = sample.regress(np.column_stack([leading**2, leading**3]))
    which = "the" if kept == count else f"the {kept} leading"
    note = f"Terms: squares and cubes of {which} principal components of {count} regressors"
    if terms == "auto":
        note += f" (all {products} products would take over a third of the degrees of freedom)"
    return added, f"{note}."


def _principal_components(regressors: np.ndarray) -> np.ndarray:
    """Of the standardised regressors, the leading first, each with variance one."""
    standardised = (regressors - regressors.mean(axis=0)) / regressors.std(axis=0)
    return identified(standardised) * np.sqrt(len(regressors))


def _phantoms(inputs: np.ndarray, weights: np.ndarray, components: int) -> np.ndarray:
    """Second and following principal components of random hidden units."""
    # clipped where the unit is flat to machine precision
    units = 1.0 / (1.0 + np.exp(-np.clip(weights[0] + inputs @ weights[1:], -500.0, 500.0)))
    moving = units[:, np.ptp(units, axis=0) > 0.0]
    return _principal_components(moving)[:, 1 : components + 1]
