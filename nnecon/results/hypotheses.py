"""Tests of linear hypotheses about the parameters, and of the terms of the formula."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.formula import linear_constraints
from nnecon.data.terms import columns_by_term
from nnecon.exceptions import SpecificationError
from nnecon.inference.contrasts import Gaussian, Term, TermTests, wald_test_terms
from nnecon.inference.contrasts import t_test as contrast_t_test
from nnecon.inference.contrasts import wald_test as contrast_wald_test
from nnecon.inference.terms import averages, averages_along, patterns
from nnecon.nets import Dense
from nnecon.results.uncertainty import Uncertainty

CONTRIBUTION = "it adds nothing to the fitted values"
"""The null for a term of a network."""


class HypothesisTests(Uncertainty):
    """Wald tests, with the names and the results of statsmodels."""

    def _estimates(self) -> Gaussian:
        transform = self._map[0]
        return Gaussian(
            self.params.to_numpy(),
            transform @ self.covariance.matrix @ transform.T,
            self._param_names,
            self.use_t,
            self.covariance.df_resid,
            None
            if self.covariance.wide is None
            else transform @ self.covariance.wide @ transform.T,
        )

    def _joint(self, gradient: np.ndarray) -> np.ndarray:
        """Covariance (r, r) of functions of the parameters that are tested together."""
        covariance = self.covariance
        several = len(gradient) > 1 and covariance.wide is not None
        matrix = covariance.wide if several else covariance.matrix
        return gradient @ matrix @ gradient.T

    def t_test(self, r_matrix: Any, use_t: bool | None = None) -> Any:
        """Test each of several linear combinations of the parameters.

        In a network single weights are rarely identified, and hypotheses about effects are what
        :meth:`get_margeff` and :meth:`wald_test_terms` are for.

        Parameters
        ----------
        r_matrix : str, array_like, tuple or dict
            The null: ``"x1 = x2, x3 = 1"`` by the names of :attr:`params`, a matrix ``R`` whose
            combinations are zero, or ``(R, q)``.
        use_t : bool, optional
            t instead of normal distribution; by default as for :attr:`pvalues`.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> results = ne.NeuralRegression.from_formula(
        ...     "growth ~ lag(growth, 1) + lag(infl, 1)", macro, hidden=()
        ... ).fit()
        >>> results.t_test("lag(growth, 1) = 0.5").pvalue.round(3).item()
        0.016
        """
        null = linear_constraints(r_matrix, self._param_names)
        return contrast_t_test(self._estimates(), null, use_t)

    def wald_test(self, r_matrix: Any, use_f: bool | None = None) -> Any:
        """Test several linear combinations of the parameters together.

        Parameters
        ----------
        r_matrix : str, array_like, tuple or dict
            As in :meth:`t_test`.
        use_f : bool, optional
            F instead of chi-squared distribution; by default where :attr:`use_t`.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults
        """
        null = linear_constraints(r_matrix, self._param_names)
        return contrast_wald_test(self._estimates(), null, use_f)

    def f_test(self, r_matrix: Any) -> Any:
        """Test several linear combinations together by an F test, see :meth:`wald_test`."""
        return self.wald_test(r_matrix, use_f=True)

    def wald_test_terms(self, skip_single: bool = False) -> TermTests:
        """Test each term of the formula: does it leave the model without loss?

        Without a network (or where it is zero) the null is that the term's coefficients are zero,
        and the test is statsmodels'. With a network the null is that the term does nothing to the
        fitted values: the averages of its contribution times its own columns, their squares and
        their products with other columns are zero, see :mod:`nnecon.inference.terms`. ``null``
        says which was tested.

        Parameters
        ----------
        skip_single : bool
            Leave out terms with a single restriction.

        Returns
        -------
        TermTests
            statsmodels' ``WaldTestResults``, with ``null`` and ``notes`` in words.
        """
        terms = [term for term in self._terms() if len(term.value) > 1 or not skip_single]
        if not terms:
            raise SpecificationError("there is no term to test; use skip_single=False.")
        distribution, table = wald_test_terms(terms, self.use_t, self.covariance.df_resid)
        null = pd.Series({term.name: term.null for term in terms}, name="null")
        return TermTests(distribution, table, null, self._term_notes(null))

    def _terms(self) -> list[Term]:
        """What is zero where a term leaves the model, a term at a time."""
        network, scaling = self.model.network, self.estimate.scaling
        if not isinstance(network, Dense):
            raise SpecificationError(
                "a function of your own has no terms; test its parameters with wald_test()."
            )
        alive = bool(np.diag(self.covariance.matrix)[self._network.neural].any())
        starts = network.n_params * np.arange(self.n_networks)[:, None]
        terms = []
        for name, columns in columns_by_term(self.model.design).items():
            if alive and np.isin(scaling.inputs, columns).any():
                terms.append(self._contribution(name, np.array(columns)))
                continue
            linear = np.flatnonzero(np.isin(scaling.linear, columns))
            if len(linear):
                rows = (starts + linear).ravel()
                value, to_user = self.params.to_numpy()[rows], self._map[0][rows]
                matrix = self._joint(to_user)
                terms.append(Term(name, value, matrix, "its coefficients are zero"))
        return terms

    def _contribution(self, name: str, columns: np.ndarray) -> Term:
        """The averages of what a term adds to the fitted values."""
        scaling, sample = self.estimate.scaling, self.model.design.sample
        weights = self.estimate.weights / self.estimate.weights.sum()
        outside = [*columns, *([] if sample.const_index is None else [sample.const_index])]
        others = np.setdiff1d(np.arange(sample.exog.shape[1]), outside)
        shares = weights[:, None] * patterns(
            sample.exog, columns, others, weights, self.covariance.df_resid
        )
        without = sample.exog.copy()
        without[:, columns] = weights @ sample.exog[:, columns]
        rows = self.estimate.objective.inputs, scaling.rows(without), shares
        value, gradient = averages(self._network, self.solution.params, *rows)
        covariance = self.covariance
        matrix = self._joint(gradient)
        if covariance.draws is not None:
            along = averages_along(self._network, covariance.draws, *rows)
            matrix = np.atleast_2d(np.cov(along, rowvar=False))
        return Term(name, value, matrix, CONTRIBUTION)

    def _term_notes(self, null: pd.Series) -> tuple[str, ...]:
        if (null == CONTRIBUTION).any():
            network_terms = null[null == CONTRIBUTION]
            notes = (
                "Terms of the network are tested by what they add to the fitted values: linear "
                "effect, curvature and interactions.",
            )
            if len(network_terms) > 1:
                return notes
            return (
                *notes,
                f"Without {network_terms.index[0]} the network is a constant whose weights are "
                "not identified, so that this p-value is approximate.",
            )
        if self.model.has_network:
            return ("The network is zero; the tests are those of the linear part.",)
        return ()
