"""Neural networks for economists, as statsmodels gives them regressions.

Every estimator contains its classical model, and the penalty shrinks to it: at ``alpha=inf``
:class:`NeuralRegression` is OLS. ``fit`` returns results with partial effects, standard errors, a
regularisation path, cross-validation and a comparison with the classical model.
"""

from nnecon import baselines, exceptions
from nnecon.data import datasets
from nnecon.models.regression import NeuralRegression
from nnecon.models.storage import load

__version__ = "0.1.0"

__all__ = ["NeuralRegression", "baselines", "datasets", "exceptions", "load"]
