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
from nnecon.nets import Dense
from nnecon.results.uncertainty import Uncertainty


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
        )

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
        0.023
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

        The null is that all weights that leave the term are zero, in the linear part and in the
        network; without a network this is statsmodels' test. Where the network has nothing but
        the term, its other weights are not identified under that null, and the test is one of
        the average effects of the term instead; ``null`` says which was tested.

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
        covariance = self.covariance
        distribution, table = wald_test_terms(
            terms, covariance.matrix, covariance.use_t, covariance.df_resid
        )
        null = pd.Series({term.name: term.null for term in terms}, name="null")
        return TermTests(distribution, table, null, self._term_notes(null))

    def _terms(self) -> list[Term]:
        """What is zero where a term leaves the model, a term at a time."""
        network = self.model.network
        if not isinstance(network, Dense):
            raise SpecificationError(
                "a function of your own has no terms; test its parameters with wald_test()."
            )
        scaling, variances = self.estimate.scaling, np.diag(self.covariance.matrix)
        size, transform = network.n_params, self._map[0]
        alive = network.neural & (variances.reshape(-1, size) > 0).any(axis=0)
        terms = []
        for name, columns in columns_by_term(self.model.design).items():
            linear = np.flatnonzero(np.isin(scaling.linear, columns))
            inside = np.isin(scaling.inputs, columns)
            if alive.any() and inside.any() and inside.all():
                terms.append(self._average_effects(name))
                continue
            weights = np.arange(0)
            if inside.any():
                layer = network.layers[0]
                place = np.arange(layer.weights.start, layer.weights.stop)
                weights = place.reshape(layer.units, layer.inputs)[:, inside].ravel()
                weights = weights[alive[weights]]
            one = np.concatenate([linear, weights])
            rows = (size * np.arange(self.n_networks)[:, None] + one).ravel()
            null = f"{len(linear)} linear" if len(linear) else ""
            if len(weights):
                null += " and " if null else ""
                null += f"{len(weights)} network"
            null = f"its {null} weights are zero" if null else "nothing"
            value = self.params.to_numpy()[rows]
            terms.append(Term(name, transform[rows], value, null))
        return terms

    def _average_effects(self, name: str) -> Term:
        """The null that the average effects are zero, for a term that is all of the network."""
        effects: Any = self
        margeff = effects.get_margeff()
        return Term(
            name, margeff.gradient, margeff.margeff.to_numpy(), "its average effects are zero"
        )

    def _term_notes(self, null: pd.Series) -> tuple[str, ...]:
        notes = []
        if null.str.contains("network").any():
            notes.append(
                "Restrictions are on all weights that leave a term, in the linear part and in the "
                "network; weights that the penalty holds at zero are none."
            )
        averages = null[null.str.contains("average")]
        if len(averages):
            notes.append(
                f"Without {averages.index[0]} the network is a constant whose weights are not "
                "identified; the test is one of average effects, and test_nonlinearity() asks "
                "about the rest."
            )
        if self.model.has_network and not len(averages) and not null.str.contains("network").any():
            notes.append("The network is zero; the tests are those of the linear part.")
        return tuple(notes)
