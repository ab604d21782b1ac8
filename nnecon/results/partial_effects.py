"""Effects of regressors on the mean: averages and curves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.kernels import fitted_many
from nnecon.estimation.resampling import Splitter
from nnecon.exceptions import SpecificationError
from nnecon.inference.debiased_mean import DebiasedMean
from nnecon.inference.fitted_mean import FittedMean, LinearMean
from nnecon.inference.one_step import OneStep, one_step, terms_in_words
from nnecon.nets import Dense
from nnecon.results.base import Results
from nnecon.results.effect_curves import curve
from nnecon.results.effect_surfaces import EffectSurface, strengths, surface
from nnecon.results.effects import EffectCurve, MarginalEffects
from nnecon.results.importance import importance
from nnecon.results.margins import margins
from nnecon.results.probe import Probe
from nnecon.results.shapley import ShapleyValues, shapley
from nnecon.results.variable_importance import VariableImportance


class PartialEffects(Results):
    """What results say about the mean as regressors move."""

    @property
    def _baseline_name(self) -> str:
        return type(self.baseline.model).__name__

    @cached_property
    def _probe(self) -> Probe:
        classical = self.baseline
        return Probe(
            self.model.design,
            FittedMean(
                self.model.network, self._members, self.estimate.scaling, self.covariance.draws
            ),
            LinearMean(classical.params.to_numpy()),
            self.covariance,
            np.asarray(classical.cov_params()),
            self._relative_weights / len(self._relative_weights),
            self.model.endog_names,
            self._baseline_name,
            bends=not (self.is_linear or self.solution.penalty == 0.0),
        )

    @cached_property
    def _step(self) -> OneStep | None:
        """Step that removes the penalty's bias; None where there is none to remove."""
        network, estimate = self.model.network, self.estimate
        penalised = 0.0 < self.alpha < np.inf and self.solution.penalty > 0.0
        if not (penalised and isinstance(network, Dense)):
            return None
        inputs = estimate.objective.inputs
        fits = estimate.scaling.restore(fitted_many(network, self._members, inputs))
        return one_step(
            network,
            self._members,
            self.alpha,
            inputs,
            self.model.endog - fits,
            estimate.weights,
            estimate.scaling.target_scale,
        )

    @cached_property
    def _debiased_probe(self) -> Probe:
        step = self._step
        if step is None:
            return self._probe
        spec = self.cov_spec
        words = terms_in_words(step.network)
        beside = f" and of {words} of its inputs" if words else ""
        return replace(
            self._probe,
            mean=DebiasedMean.of(self._members, self.estimate.scaling, step),
            covariance=step.covariance(spec.kind, spec.options, spec.use_t),
            note="Effects are debiased: one step undoes the penalty's shrinkage in the directions "
            f"of the network{beside}; debias=False gives those of the penalised estimate.",
        )

    def _probe_for(self, debias: bool | None) -> Probe:
        """The mean that effects are read off, and the covariance of its parameters."""
        if not (debias is None or isinstance(debias, bool)):
            raise SpecificationError(f"debias={debias!r}: give True, False or None.")
        bootstrapped = self.cov_type == "bootstrap" and self._step is not None
        if debias and bootstrapped:
            raise SpecificationError(
                "debias=True has no bootstrap errors: draws are of the penalised estimate; choose "
                "another covariance, res.with_cov('HC3') for one, or debias=False."
            )
        if debias is False or bootstrapped:
            return self._probe
        return self._debiased_probe

    @cached_property
    def _margeff(self) -> MarginalEffects:
        return margins(self._probe_for(None), "overall", "dydx", None, False, False)

    def get_margeff(
        self,
        at: str | Mapping[str, Any] = "overall",
        method: str = "dydx",
        atexog: Mapping[str, Any] | None = None,
        dummy: bool = False,
        count: bool = False,
        debias: bool | None = None,
    ) -> MarginalEffects:
        r"""Marginal effects on the mean with delta-method standard errors, as in statsmodels.

        By default average partial effects,
        :math:`\sum_i w_i\, \partial F(x_i)/\partial x_j \,/ \sum_i w_i`. A regressor that enters
        several columns (interactions, polynomials, splines) has one effect, the total derivative; a
        category's effect is the change from the reference category.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero"} or dict
            Mean of the effects over the rows, or the effect in a row whose regressors are all at
            their mean, median or zero; columns such as squares and interactions are rebuilt there.
            A category is then at the shares of its levels, its most frequent level or its
            reference. A dict fixes variables by name and averages over the rows:
            ``{"educ": 12, "region": "West"}``. With arrays regressors are columns.
        method : {"dydx", "eyex", "dyex", "eydx"}
            Derivative, elasticity, or semi-elasticity: y or x in logarithms (``e``) or not
            (``d``). Computed in every row, then averaged. A category has no logarithm: for
            ``"eyex"`` and ``"dyex"`` it is left out, with a note.
        atexog : dict, optional
            Variables to fix beside ``at``: ``get_margeff("mean", atexog={"educ": 12})``.
        dummy : bool
            Whether variables with the values 0 and 1 are switched, like a category, instead of
            differentiated.
        count : bool
            Whether variables with the values 0, 1, 2, ... change by one:
            :math:`(F(x+1) - F(x-1))/2`.
        debias : bool, optional
            Whether one step removes what the penalty does to the effects: it shrinks them to the
            classical model's, by more than a standard error where the mean bends, so that
            intervals miss. By default averages over the rows are debiased, with two exceptions:
            effects at a single point (``"mean"``, ``"median"``, ``"zero"``), where the step adds
            more variance than it removes bias, and ``cov_type="bootstrap"``, whose draws are of
            the penalised estimate. The classical model and estimates without a penalty have no
            such bias and stay as they are. See :mod:`nnecon.inference.one_step`.

        Returns
        -------
        MarginalEffects
            Effects weighted like the observations, beside those of the classical model. Errors of
            an ensemble include the spread between its networks. The sample's rows are taken as
            fixed.

        Raises
        ------
        SpecificationError
            A name or value that the model does not know, or a logarithm where the fitted mean
            changes sign.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ infl * tbilrate", macro, hidden=())
        >>> results = model.fit()
        >>> results.get_margeff("mean").margeff.index.tolist()
        ['infl', 'tbilrate']
        >>> found = results.get_margeff({"tbilrate": 4.0}, method="eyex")
        >>> found.summary_frame().columns[0]
        'd(lny)/d(lnx)'
        """
        if debias is None and not (at == "overall" or isinstance(at, Mapping)):
            debias = False
        plain = at == "overall" and method == "dydx" and not (atexog or dummy or count)
        if plain and debias is None:
            return self._margeff
        return margins(self._probe_for(debias), at, method, atexog, dummy, count)

    def effect_curve(
        self,
        x: str,
        grid: Sequence[float] | int | None = None,
        alpha: float = 0.05,
        kind: str = "pdp",
        simultaneous: bool = False,
        rng: int | np.random.Generator = 0,
    ) -> EffectCurve:
        r"""How the mean of the dependent variable depends on one regressor, with bands.

        Parameters
        ----------
        x : str
            A regressor, by its name in :meth:`get_margeff`; for a categorical variable its name.
        grid : sequence of float or int, optional
            Increasing values of the regressor, or how many; 50 by default, evenly from its 1st to
            its 99th percentile, for ``kind="ale"`` at its quantiles. Of a category a list of
            levels; all by default.
        alpha : float
            One less the level of the bands.
        kind : {"pdp", "ale", "derivative"}
            ``"pdp"``, partial dependence (Friedman, 2001): the mean over the rows with the
            regressor at the value and all others as observed. ``"derivative"``: the derivative of
            that curve. ``"ale"``, accumulated local effects (Apley and Zhu, 2020): the sum over
            bins of the average change of the rows in the bin, with average zero. It does not
            combine values of regressors that do not occur together.
        simultaneous : bool
            Add a sup-t band (Montiel Olea and Plagborg-Moller, 2019) that covers the whole curve
            with probability ``1 - alpha``, by draws from the joint normal distribution of its
            points; the pointwise one covers each single point.
        rng : int or numpy.random.Generator
            Seed of these draws.

        Returns
        -------
        EffectCurve
            ``frame`` with the classical model's curve in the column ``baseline``.

        Raises
        ------
        SpecificationError
            An unknown regressor or kind, or a grid that makes no sense.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ infl * tbilrate", macro, hidden=())
        >>> results = model.fit()
        >>> curve = results.effect_curve("infl", [0, 4, 8], kind="derivative", simultaneous=True)
        >>> curve.frame.columns[:4].tolist()
        ['dydx', 'dydx_se', 'dydx_ci_lower', 'dydx_ci_upper']
        """
        return curve(self._probe, x, kind, grid, alpha, simultaneous, rng)

    def effect_surface(
        self,
        x1: str,
        x2: str,
        grid: int | tuple[Sequence[float] | int | None, Sequence[float] | int | None] | None = None,
        alpha: float = 0.05,
    ) -> EffectSurface:
        r"""Mean of the dependent variable along two regressors, and what of it is interaction.

        The mean is that of all rows with both regressors set, others as observed. The interaction
        is :math:`F_{12}(a, b) - F_1(a) - F_2(b) + \bar F`: zero everywhere in a model in which the
        two effects add up.

        Parameters
        ----------
        x1, x2 : str
            Two regressors, as in :meth:`effect_curve`. A category has a curve for each level.
        grid : int, sequence or tuple, optional
            Points a side (20 by default), or a tuple of two numbers or lists of values. With one
            category a number or a list is the other regressor's; a category's own entry of a tuple
            is None or a list of levels.
        alpha : float
            One less the level of the pointwise intervals.

        Returns
        -------
        EffectSurface

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ infl * tbilrate", macro, hidden=())
        >>> results = model.fit()
        >>> surface = results.effect_surface("infl", "tbilrate", ([0, 4, 8], 5))
        >>> surface.frame.shape
        (15, 7)
        """
        return surface(self._probe, x1, x2, grid, alpha)

    def interaction_strength(
        self, *names: str, n_points: int = 200, rng: int | np.random.Generator = 0
    ) -> pd.DataFrame:
        r"""How much pairs of variables interact: H statistics of Friedman and Popescu (2008).

        Parameters
        ----------
        *names : str
            One variable for its pairs with all others, two for that pair; all pairs by default.
        n_points : int
            Rows at which, and over which, partial dependence is computed; a random part of a
            larger sample. The work grows with its square.
        rng : int or numpy.random.Generator
            Seed of the part.

        Returns
        -------
        DataFrame
            By pair: ``H2``, the share of the variance of the joint effect that the sum of the two
            single effects leaves unexplained, and ``sd``, the standard deviation of the
            interaction in units of the dependent variable. ``H2`` is large, and means little,
            where neither variable has much of an effect: look at ``sd`` first.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ infl * tbilrate", macro, hidden=())
        >>> results = model.fit()
        >>> results.interaction_strength().index.tolist()
        [('infl', 'tbilrate')]
        """
        return strengths(self._probe, names, n_points, rng)

    def shapley(
        self,
        rows: Any = None,
        *,
        background: int = 100,
        n_permutations: int | None = None,
        errors: bool = False,
        rng: int | np.random.Generator = 0,
    ) -> ShapleyValues:
        r"""Shapley values: what each variable contributes to predictions.

        A prediction less the mean prediction is shared out among the columns and lags that the
        formula reads; what is made from one of them (interactions, polynomials, dummies) goes with
        it. Variables are set one set after the other, others are as in background rows of the
        sample (the interventional kind). This describes the estimated function, not causes.

        Parameters
        ----------
        rows : DataFrame or array_like, optional
            Rows to explain, as in :meth:`predict`; the sample by default.
        background : int
            Rows of the sample, at random, that stand for "not knowing" a variable.
        n_permutations : int, optional
            Sample so many orders of the variables instead of going through all sets; needed beyond
            12 variables. ``se`` is then the standard error of sampling.
        errors : bool
            Compute standard errors by the delta method; one more pass over all sets a row.
        rng : int or numpy.random.Generator
            Seed of background and orders.

        Returns
        -------
        ShapleyValues

        Raises
        ------
        SpecificationError
            Too many variables for an exact enumeration; says what to do.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ infl * tbilrate", macro, hidden=())
        >>> results = model.fit()
        >>> found = results.shapley()
        >>> gap = found.frame.sum(axis=1) - (found.prediction - found.base)
        >>> bool(gap.abs().max() < 1e-10)
        True
        """
        return shapley(self._probe, rows, background, n_permutations, errors, rng)

    def variable_importance(
        self,
        method: str = "permutation",
        *,
        cv: int | Splitter | None = None,
        n_repeats: int | None = None,
        rng: int | np.random.Generator = 0,
    ) -> VariableImportance:
        r"""Increase of the mean squared error without a variable, with standard errors.

        Variables are the columns and lags that the formula reads; all that is made from one of
        them goes with it.

        Parameters
        ----------
        method : {"permutation", "refit"}
            ``"permutation"``: the variable is taken from another row drawn at random (Breiman,
            2001; Fisher, Rudin and Dominici, 2019), which breaks its link to the dependent
            variable and to the other variables. ``"refit"``: the model is estimated again without
            it, at the same penalty (leave one covariate out; Lei et al., 2018): what the others can
            do in its place does not count.
        cv : int or splitter, optional
            Folds, as in ``fit``: rows are scored by estimates that have not seen them, at the same
            penalty. None scores the sample by its own estimate, which flatters variables that the
            network overfits; for ``"refit"`` it stands for five folds.
        n_repeats : int, optional
            Other rows for every row, for ``"permutation"``; 30 by default.
        rng : int or numpy.random.Generator
            Seed of folds, permutations and starts.

        Returns
        -------
        VariableImportance
            In the sample, errors are those of the importance in the limit of the estimate: they
            contain the rows that are drawn and the parameters. On folds they are those of the mean
            importance in the estimates of the folds (Bayle et al., 2020). Rows that move together
            count as in ``cov_type``. Where a variable does not matter at all, p-values are too
            large rather than too small.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("unemp ~ infl * tbilrate", macro, hidden=())
        >>> results = model.fit()
        >>> results.variable_importance(n_repeats=5).importance.index.tolist()
        ['tbilrate', 'infl']
        """
        return importance(self, method, cv, n_repeats, rng)
