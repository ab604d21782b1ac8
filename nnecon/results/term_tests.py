"""Tests of the terms of the formula."""

import numpy as np
import pandas as pd

from nnecon.data.terms import columns_by_term
from nnecon.exceptions import SpecificationError
from nnecon.inference.contrasts import Term, TermTests, wald_test_terms
from nnecon.inference.fitted_mean import with_covariance
from nnecon.inference.terms import patterns
from nnecon.nets import Dense
from nnecon.results.partial_effects import PartialEffects

COEFFICIENTS = "its coefficients are zero"
"""The null for a term of the linear part alone."""

CONTRIBUTION = "it adds nothing to the fitted values"
"""The null for a term of a network."""

DEBIASED = (
    "What they add is debiased like average effects: one step undoes the penalty's shrinkage."
)

PENALISED = (
    "What they add is that of the penalised estimate: where the penalty is not small, terms that "
    "do nothing are rejected too often, since they pick up what is shrunk away from others; use "
    "another cov_type than the bootstrap and leave debias out."
)


class TermHypotheses(PartialEffects):
    """Wald tests of terms, with the results of statsmodels."""

    def wald_test_terms(self, skip_single: bool = False, debias: bool | None = None) -> TermTests:
        """Test each term of the formula: does it leave the model without loss?

        Without a network (or where it is zero) the null is that the term's coefficients are zero,
        and the test is statsmodels'. With a network the null is that the term does nothing to the
        mean: the averages of its contribution times its own columns, their squares and their
        products with other columns are zero, see :mod:`nnecon.inference.terms`. ``null`` says
        which was tested.

        Parameters
        ----------
        skip_single : bool
            Leave out terms with a single restriction.
        debias : bool, optional
            Whether one step removes from the averages what the penalty does to them, as in
            :meth:`get_margeff`. By default they are debiased but for ``cov_type="bootstrap"``,
            whose draws are of the penalised estimate: there, terms that do nothing pick up what is
            shrunk away from others, and are rejected too often.

        Returns
        -------
        TermTests
            statsmodels' ``WaldTestResults``, with ``null`` and ``notes`` in words.
        """
        if not isinstance(self.model.network, Dense):
            raise SpecificationError(
                "a function of your own has no terms; test its parameters with wald_test()."
            )
        if not (debias is None or isinstance(debias, bool)):
            raise SpecificationError(f"debias={debias!r}: give True, False or None.")
        terms = [term for term in self._terms(debias) if len(term.value) > 1 or not skip_single]
        if not terms:
            raise SpecificationError("there is no term to test; use skip_single=False.")
        distribution, table = wald_test_terms(terms, self.use_t, self.covariance.df_resid)
        null = pd.Series({term.name: term.null for term in terms}, name="null")
        return TermTests(distribution, table, null, self._term_notes(null, debias))

    def _terms(self, debias: bool | None) -> list[Term]:
        """What is zero where a term leaves the model, a term at a time."""
        network, scaling = self.model.network, self.estimate.scaling
        alive = bool(np.diag(self.covariance.matrix)[self._network.neural].any())
        starts = network.n_params * np.arange(self.n_networks)[:, None]
        terms = []
        for name, columns in columns_by_term(self.model.design).items():
            if alive and np.isin(scaling.inputs, columns).any():
                terms.append(self._contribution(name, np.array(columns), debias))
                continue
            linear = np.flatnonzero(np.isin(scaling.linear, columns))
            if len(linear):
                rows = (starts + linear).ravel()
                value, to_user = self.params.to_numpy()[rows], self._map[0][rows]
                matrix = to_user @ self.covariance.joint(len(rows)) @ to_user.T
                terms.append(Term(name, value, matrix, COEFFICIENTS))
        return terms

    def _contribution(self, name: str, columns: np.ndarray, debias: bool | None) -> Term:
        """The averages of what a term adds to the mean."""
        probe, sample = self._probe_for(debias), self.model.design.sample
        weights = probe.weights
        outside = [*columns, *([] if sample.const_index is None else [sample.const_index])]
        others = np.setdiff1d(np.arange(sample.exog.shape[1]), outside)
        along = patterns(sample.exog, columns, others, weights, self.covariance.df_resid)
        without = sample.exog.copy()
        without[:, columns] = weights @ sample.exog[:, columns]
        mean, shares = probe.mean, (weights[:, None] * along).T
        adds = [mean.level(sample.exog, one) - mean.level(without, one) for one in shares]
        found = with_covariance(adds, probe.covariance.joint(len(adds)))
        return Term(name, found.values, found.covariance, CONTRIBUTION)

    def _term_notes(self, null: pd.Series, debias: bool | None) -> tuple[str, ...]:
        of_network = null.index[null == CONTRIBUTION]
        if not len(of_network):
            zero = "The network is zero; the tests are those of the linear part."
            return (zero,) if self.model.has_network else ()
        notes = [
            "Terms of the network are tested by what they add to the fitted values: linear effect, "
            "curvature and interactions."
        ]
        if self._step is not None:
            notes.append(PENALISED if self._probe_for(debias) is self._probe else DEBIASED)
        if len(of_network) == 1:
            notes.append(
                f"Without {of_network[0]} the network is a constant whose weights are not "
                "identified, so that this p-value is approximate."
            )
        return tuple(notes)
