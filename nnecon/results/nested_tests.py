"""Tests of a network against the classical model that it contains."""

import warnings
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from tqdm import tqdm

from nnecon.estimation.estimate import solver_of
from nnecon.exceptions import NneconWarning, SpecificationError
from nnecon.inference.hypotheses import HypothesisTest, does_not_apply
from nnecon.inference.nested_models import (
    NAMES,
    NestedStatistics,
    NullDistribution,
    nested_model_test,
    nested_statistics,
    null_distribution,
    null_targets,
)
from nnecon.results.base import Results
from nnecon.results.error_structure import error_structure

CHOICES = ("given", "repeat")


class NestedModelTests(Results):
    """Likelihood ratio, F and Wald tests of the network, with p-values that are valid."""

    def compare_lr_test(
        self,
        reps: int = 199,
        *,
        choice: str | None = None,
        n_starts: int | None = None,
        rng: int = 0,
        progress: bool | None = None,
    ) -> HypothesisTest:
        r"""Test by the likelihood ratio whether the network adds to the classical model.

        The statistic is :math:`n \log(SSR_0/SSR_1)`. Under the null the network's weights are not
        identified, so that it is not chi-squared distributed (Davies, 1977; Hansen, 1996): samples
        are drawn from the classical model, the network is estimated on each from random starts,
        and the p-value is the share of samples with a larger statistic. Where the covariance is
        robust, residuals keep their rows and get random signs (wild bootstrap, with regressors as
        they are); with clusters a sign a cluster; otherwise they are drawn with replacement.
        Residuals must not be autocorrelated.

        Parameters
        ----------
        reps : int
            Samples that are drawn.
        choice : {"repeat", "given"}, optional
            What becomes of the choice of the penalty. ``"repeat"`` estimates every sample with
            everything that belongs to the fit, the choice by cross-validation or evidence included,
            and takes ``reps`` times as long as the fit; it is the default where the penalty was
            chosen by the data. ``"given"`` takes the penalty as given, which is right where it was,
            and otherwise ignores that it was chosen on these data.
        n_starts : int, optional
            Random starts for every sample where the penalty is given; by default as many as the
            fit had.
        rng : int
            Seed.
        progress : bool, optional
            Whether to show a progress bar where the choice is repeated; by default after two
            seconds, in a terminal.

        Returns
        -------
        nnecon.inference.nested_models.NestedModelTest

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("growth ~ lag(unemp, 1)", macro, hidden=(1,))
        >>> test = model.fit(alpha=0.01, n_starts=2).compare_lr_test(reps=19, n_starts=2)
        >>> test.null
        'The network adds nothing to OLS'
        """
        return self._compare("lr", reps, choice, n_starts, rng, progress)

    def compare_f_test(
        self,
        reps: int = 199,
        *,
        choice: str | None = None,
        n_starts: int | None = None,
        rng: int = 0,
        progress: bool | None = None,
    ) -> HypothesisTest:
        """Test by the F statistic with effective degrees of freedom; see :meth:`compare_lr_test`.

        Parameters
        ----------
        reps, choice, n_starts, rng, progress
            As in :meth:`compare_lr_test`.
        """
        return self._compare("f", reps, choice, n_starts, rng, progress)

    def compare_wald_test(
        self,
        reps: int = 199,
        *,
        choice: str | None = None,
        n_starts: int | None = None,
        rng: int = 0,
        progress: bool | None = None,
    ) -> HypothesisTest:
        """Test by a Wald statistic whether the output weights of the network are zero.

        Their covariance is robust to unequal variances, or to clusters, where ``cov_type`` is. See
        :meth:`compare_lr_test` for the p-value.

        Parameters
        ----------
        reps, choice, n_starts, rng, progress
            As in :meth:`compare_lr_test`.
        """
        return self._compare("wald", reps, choice, n_starts, rng, progress)

    def _compare(
        self,
        statistic: str,
        reps: int,
        choice: str | None,
        n_starts: int | None,
        rng: int,
        progress: bool | None,
    ) -> HypothesisTest:
        chosen = self.estimate.facts.get("alpha") in ("cv", "1se", "evidence")
        choice = ("repeat" if chosen else "given") if choice is None else choice
        if choice not in CHOICES:
            raise SpecificationError(f"choice={choice!r} is not known; choose one of {CHOICES}.")
        linear_part = not self.model.nested or self.model.specification.linear_part
        name = type(self.baseline.model).__name__ if linear_part else "the mean"
        why = self._not_comparable(choice if chosen else "given")
        if why:
            return does_not_apply(
                NAMES[statistic].format(name), f"The network adds nothing to {name}", why
            )
        key = reps, choice, n_starts, rng
        if key not in self._null_distributions:
            repeated = choice == "repeat" and chosen
            self._null_distributions[key] = (
                self._repeat(reps, rng, progress) if repeated else self._given(reps, n_starts, rng)
            )
        test = nested_model_test(self._null_distributions[key], statistic, name)
        own = getattr(_statistics_of(self, *error_structure(self.cov_spec)), statistic)
        if test.statistic is None or abs(test.statistic - own) <= 0.01 * max(own, 1.0):
            return test
        told = (
            f"{test.sentence} With these starts the search ends in another network than the "
            f"estimate, whose statistic is {own:.4g}: give more n_starts."
        )
        return replace(test, sentence=told)

    @cached_property
    def _null_distributions(self) -> dict[Any, NullDistribution]:
        """What was simulated before, by the arguments."""
        return {}

    def _not_comparable(self, choice: str) -> str:
        """Why there is no test."""
        facts = self.estimate.facts
        if not self.model.nested:
            return "The classical model is not nested in your function: compare() by prediction."
        if not self.model.has_network:
            return "There is no network in this model."
        if self.n_networks > 1 or facts.get("ensemble", 1) > 1:
            return "The estimate is a mean of networks; fit with ensemble=1 for this test."
        if facts.get("stochastic"):
            return "Mini-batch training ends near a minimum only; fit with method='auto'."
        if "alpha" not in facts:
            return "The parameters were given, not estimated: there is no procedure to repeat."
        if choice == "repeat" and facts.get("group_inputs"):
            return "Groups of columns are not known to the refits; give choice='given'."
        folds = None if self.estimate.cv is None else self.estimate.cv.train
        if choice == "repeat" and facts["alpha"] != "evidence" and folds is None:
            return (
                "The folds of this estimate were not stored; fit it again, or give choice='given'."
            )
        return ""

    def _given(self, reps: int, n_starts: int | None, rng: int) -> NullDistribution:
        """Every sample at the penalty of the estimate."""
        model, facts = self.model, self.estimate.facts
        n_starts = facts["n_starts"] if n_starts is None else n_starts
        if isinstance(n_starts, bool) or not isinstance(n_starts, int | np.integer) or n_starts < 1:
            raise SpecificationError(f"n_starts={n_starts!r}: give a whole number of at least 1.")
        network = model.network
        solver = solver_of(self.estimate.objective, facts["method"])
        robust, groups = error_structure(self.cov_spec)
        generator = np.random.default_rng(rng)
        starts = np.stack([network.init(generator) for _ in range(n_starts)])
        path = self.estimate.path
        competed = None if path is None or path.starts is None else path.starts["alpha"].min()
        return null_distribution(
            self.estimate.objective,
            self.alpha,
            self.estimate.weights,
            starts,
            reps=reps,
            rng=rng,
            robust=robust,
            groups=groups,
            begin=competed,
            solver=solver,
        )

    def _repeat(self, reps: int, rng: int, progress: bool | None) -> NullDistribution:
        """Every sample by the whole procedure, the choice of the penalty included."""
        (robust, groups), estimate = error_structure(self.cov_spec), self.estimate
        targets, words = null_targets(
            estimate.objective, estimate.weights, reps, rng, robust=robust, groups=groups
        )
        draws: list[NestedStatistics] = []
        shown = {"disable": None if progress is None else not progress, "delay": 2.0}
        for number, target in enumerate(tqdm(targets, desc="Drawing", unit="sample", **shown)):
            with warnings.catch_warnings():
                # that a draw's error is least at the end of the grid does not matter here
                warnings.simplefilter("ignore", NneconWarning)
                again = self.model.refit(estimate.scaling.restore(target), estimate, number)
            if again.converged:
                draws.append(_statistics_of(again, robust, groups))
        sample = _statistics_of(self, robust, groups)
        return NullDistribution(sample, draws, reps - len(draws), f"{words}, choice repeated")


def _statistics_of(results: Results, robust: bool, groups: np.ndarray | None) -> NestedStatistics:
    estimate = results.estimate
    return nested_statistics(
        estimate.objective,
        results.solution.params,
        results.alpha,
        estimate.objective.target,
        estimate.weights,
        robust=robust,
        groups=groups,
    )
