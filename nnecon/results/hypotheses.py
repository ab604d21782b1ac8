"""Tests of linear hypotheses about the parameters."""

from typing import Any

from nnecon.data.formula import linear_constraints
from nnecon.inference.contrasts import Gaussian
from nnecon.inference.contrasts import t_test as contrast_t_test
from nnecon.inference.contrasts import wald_test as contrast_wald_test
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
            None
            if self.covariance.wide is None
            else transform @ self.covariance.wide @ transform.T,
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
