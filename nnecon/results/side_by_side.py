"""Several estimates in one table, by statsmodels' ``summary_col``: networks by their effects."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from nnecon.exceptions import SpecificationError
from nnecon.report import tables
from nnecon.results.effects import MarginalEffects
from nnecon.results.regression import NeuralRegressionResults

NOTES = (
    "Columns of networks show average partial effects, which stand beside the coefficients of "
    "linear models; their weights are not shown (weights=True)."
)


class EffectsColumn:
    """Average partial effects where statsmodels' tables look for parameters.

    Parameters
    ----------
    results : NeuralRegressionResults
        The estimate.
    effects : MarginalEffects
        Its effects.
    """

    def __init__(self, results: NeuralRegressionResults, effects: MarginalEffects) -> None:
        self.params, self.bse = effects.margeff, effects.margeff_se
        self.tvalues, self.pvalues = effects.tvalues, effects.pvalues
        self.conf_int = effects.conf_int
        self.nobs, self.edf = results.nobs, results.edf
        self.rsquared, self.rsquared_adj = results.rsquared, results.rsquared_adj
        self.results = results
        names = SimpleNamespace(param_names=list(effects.margeff.index))
        self.model = SimpleNamespace(endog_names=results.model.endog_names, data=names)


def summary_col(
    results: Any,
    *,
    weights: bool = False,
    info_dict: Mapping[str, Callable[[Any], str]] | None = None,
    **options: Any,
) -> Any:
    """Table of several estimates side by side: linear models by coefficients, networks by effects.

    statsmodels' own ``summary_col`` takes nnecon's results too, but prints all weights of a
    network.

    Parameters
    ----------
    results : results or list of results
        Of nnecon and of statsmodels.
    weights : bool
        Show all parameters of networks instead of their average partial effects.
    info_dict : dict, optional
        Rows at the foot: functions of the results by label. By default the number of
        observations and, of networks, effective degrees of freedom.
    **options
        As in :func:`statsmodels.iolib.summary2.summary_col`: ``model_names``, ``stars``,
        ``float_format``, ``regressor_order``.

    Returns
    -------
    statsmodels.iolib.summary2.Summary
        ``as_text()``, ``as_html()``, ``as_latex()``.

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()
    >>> model = ne.NeuralRegression.from_formula("growth ~ infl + unemp", macro, hidden=(2,))
    >>> fit = model.fit(alpha=0.05, alphas=3, n_starts=2)
    >>> table = ne.summary_col([fit, fit.baseline], model_names=["network", "OLS"])
    >>> table.tables[0].index[:4].tolist()
    ['infl', '', 'unemp', '']
    """
    if not isinstance(weights, bool | np.bool_):
        raise SpecificationError(f"weights={weights!r}: give True or False.")
    given = list(results) if isinstance(results, Sequence) else [results]
    if not given:
        raise SpecificationError("results: give at least one estimate.")
    for at, one in enumerate(given):
        if not hasattr(one, "params"):
            raise SpecificationError(
                f"results[{at}] is {one!r}, which has no parameters; give results of fit()."
            )
    columns = [one if weights else _column(one) for one in given]
    asked = None if info_dict is None else {k: _of_results(f) for k, f in info_dict.items()}
    note = NOTES if any(isinstance(one, EffectsColumn) for one in columns) else ""
    return tables.side_by_side(columns, asked or INFO, note, **options)


INFO: Mapping[str, Callable[[Any], str]] = {
    "Observations": lambda results: f"{results.nobs:.0f}",
    "Effective d.f.": lambda results: f"{results.edf:.1f}",
}
"""Rows at the foot of the table."""


def _column(results: Any) -> Any:
    """What stands in a column: effects where parameters mean nothing by themselves."""
    if not isinstance(results, NeuralRegressionResults) or results.model.interpretable:
        return results
    return EffectsColumn(results, results.get_margeff())


def _of_results(function: Callable[[Any], str]) -> Callable[[Any], str]:
    """A function of the estimate, for its column."""
    return lambda one: function(one.results if isinstance(one, EffectsColumn) else one)
