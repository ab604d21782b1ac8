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

from collections.abc import Sequence
from math import comb

import numpy as np

from nnecon.exceptions import SpecificationError
from nnecon.inference.auxiliary import (
    SHARE,
    AddedTerms,
    identified,
    polynomial_terms,
    standardised_directions,
)
from nnecon.inference.hypotheses import (
    HypothesisTest,
    as_vector,
    does_not_apply,
    verdict,
)
from nnecon.inference.linear_null import LinearNull

TERMS = ("auto", "products", "components")

MANY = 60
"""Terms of a robust form by default; it estimates so many squared fourth moments."""


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
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    gradient: np.ndarray | None = None,
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
        Hendry (2010). ``"auto"``: products, if they take at most a third of the degrees of freedom
        (and are at most 60 in the robust form), else components.
    like_r : bool
        Count as R's ``tseries::terasvirta.test`` does: the rows lost to lags are counted, and the
        constant is not. Its ``scale`` argument does not matter, because the products of
        standardised regressors span the same space.
    reps, rng : int
        Draws of the wild bootstrap behind a robust p-value, and its seed; no draws, the asymptotic
        p-value.
    weights : ndarray of shape (n,), optional
        Observation weights, as in weighted least squares; not with ``lags``.
    groups : ndarray of shape (n,), optional
        Clusters within which errors may be correlated: scores are summed over them and the wild
        bootstrap draws a sign a cluster; with ``robust=True``, and not with ``lags``.
    gradient : ndarray of shape (n, k), optional
        Derivatives of a network's fitted values by its parameters. ``y`` are then its residuals,
        and the null is that the network leaves no nonlinearity (Medeiros, Terasvirta and Rech,
        2006); not with ``lags``.

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
    sample = LinearNull(y, x, lags, form, robust, like_r, reps, rng, weights, groups, gradient)
    if sample.why:
        return does_not_apply(name, sample.null, sample.why)
    added, note = _expansion(sample, terms)
    if added is None:
        return does_not_apply(name, sample.null, note)
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
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    gradient: np.ndarray | None = None,
) -> HypothesisTest:
    """Test for neglected nonlinearity by hidden units with random weights.

    Logistic units have weights drawn uniformly from ``[-spread / 2, spread / 2]``. The leading
    principal component of their values is close to the regressors; the next ``components`` are
    added to the linear regression. With several ``draws`` of weights the p-value is Hochberg's
    bound over them, as Lee, White and Granger (1993) advise.

    Parameters
    ----------
    y, x, lags, form, robust, reps, weights, groups, gradient
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
    sample = LinearNull(y, x, lags, form, robust, like_r, reps, rng, weights, groups, gradient)
    if not sample.why and sample.budget < components:
        sample.why = f"{sample.size} rows are too few for {components} terms more."
    if sample.why:
        return does_not_apply(name, sample.null, sample.why)
    generator = np.random.default_rng(rng)
    inputs = sample.regressors
    if scale:
        inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0, ddof=1)
    found = []
    for _ in range(draws):
        weights = generator.uniform(-spread / 2.0, spread / 2.0, (inputs.shape[1] + 1, units))
        added = sample.regress(_phantoms(inputs, weights, components))
        sample.check_groups(added)
        if added.rank and not sample.why:
            found.append((sample.outcome(added), added.rank))
    if not found:
        why = "The hidden units are linear in these regressors: there is nothing to test."
        return does_not_apply(name, sample.null, sample.why or why)
    pvalues = np.sort([one.pvalue for one, _ in found])
    bound = float((pvalues * np.arange(len(found), 0, -1)).min())
    best, rank = min(found, key=lambda pair: pair[0].pvalue)
    words = best.distribution if draws == 1 else f"{best.distribution}; bound over {draws} draws"
    note = f"Terms: {rank} principal components of {units} random hidden units."
    sentence = f"{verdict(sample.null, bound, sample.advice)} {note}"
    return HypothesisTest(sample.null, best.statistic, bound, sentence, words, best.df, name)


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
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    gradient: np.ndarray | None = None,
    fitted: np.ndarray | None = None,
) -> HypothesisTest:
    """Test for neglected nonlinearity by powers of the fitted values (Ramsey, 1969).

    It needs few degrees of freedom, and has power where the mean bends along its linear index. The
    F form equals statsmodels' ``linear_reset(..., use_f=True)`` and R's ``lmtest::resettest``.

    Parameters
    ----------
    y, x, lags, form, robust, reps, rng, weights, groups, gradient
        As in :func:`terasvirta_test`.
    powers : tuple of int
        Powers of the fitted values that are added.
    fitted : ndarray of shape (n,), optional
        A network's fitted values, with ``gradient``.

    Returns
    -------
    HypothesisTest
    """
    name = "RESET"
    listed = isinstance(powers, Sequence) and not isinstance(powers, str)
    whole = listed and all(
        isinstance(power, int | np.integer) and not isinstance(power, bool) and power >= 2
        for power in powers
    )
    if not (powers and whole):
        raise SpecificationError(f"powers={powers!r} must be whole numbers of at least two.")
    if (fitted is None) != (gradient is None):
        raise SpecificationError("Give fitted and gradient of a network together.")
    sample = LinearNull(y, x, lags, form, robust, False, reps, rng, weights, groups, gradient)
    if not sample.why and sample.budget < len(set(powers)):
        sample.why = f"{sample.size} rows are too few for {len(set(powers))} terms more."
    if sample.why:
        return does_not_apply(name, sample.null, sample.why)
    if fitted is None:
        fitted = sample.basis @ (sample.basis.T @ sample.target) / sample.roots
    fitted = as_vector(fitted, "fitted", sample.size)
    # powers of the standardised fitted values span the same space and are better conditioned
    deviation = fitted - fitted.mean()
    if np.abs(deviation).max() <= 1e-10 * np.abs(fitted).max():
        why = "The fitted values do not move: there is nothing to raise to a power."
        return does_not_apply(name, sample.null, why)
    complete = tuple(sorted(set(powers))) == tuple(range(2, max(powers) + 1))
    index = (deviation if complete else fitted) / deviation.std()
    added = sample.regress(np.column_stack([index**power for power in sorted(set(powers))]))
    note = f"Terms: powers {', '.join(str(power) for power in sorted(set(powers)))} of the fit."
    return sample.test(name, added, note)


def _expansion(sample: LinearNull, terms: str) -> tuple[AddedTerms | None, str]:
    """Regression on products or components, and what the terms are; or why there are none."""
    directions = standardised_directions(sample.regressors)
    count, budget = directions.shape[1], sample.budget
    products = comb(count + 1, 2) + comb(count + 2, 3)
    left = sample.size - sample.basis.shape[1]
    robust = sample.robust
    many = budget if robust is None else min(budget, MANY)
    if robust is not None and robust.groups is not None:
        many = min(many, robust.n_groups // SHARE)
    if terms == "products" or (terms == "auto" and products <= many):
        if products >= left:
            return None, (
                f"{products} squares, cubes and cross products of {count} regressors do not fit "
                f"into {left} degrees of freedom; choose terms='components'."
            )
        added = sample.regress(
            np.column_stack([polynomial_terms(directions, order) for order in (2, 3)])
        )
        return added, f"Terms: {added.rank} squares, cubes and cross products."
    kept = min(count, many // 2 if terms == "auto" else budget // 2)
    if kept == 0 and many < budget:
        assert robust is not None
        return (
            None,
            f"{robust.n_groups} clusters are too few for a square and a cube more: no test.",
        )
    if kept == 0:
        return None, f"{left} degrees of freedom are too few for a square and a cube more: no test."
    leading = _principal_components(sample.regressors)[:, :kept]
    added = sample.regress(np.column_stack([leading**2, leading**3]))
    which = "the" if kept == count else f"the {kept} leading"
    note = f"Terms: squares and cubes of {which} principal components of {count} regressors"
    if terms == "auto":
        over = "would take over a third of the degrees of freedom"
        if products <= budget:
            over = "would be too many for the robust form"
        note += f" (all {products} products {over})"
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
