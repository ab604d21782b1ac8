"""Neural networks for economists, as statsmodels gives them regressions.

Every estimator contains its classical model, and the penalty shrinks to it: at ``alpha=inf``
:class:`NeuralRegression` is OLS. ``fit`` returns results with partial effects, standard errors, a
regularisation path, cross-validation and a comparison with the classical model.
"""

from nnecon import baselines, datasets, exceptions
from nnecon.data.files import read_table
from nnecon.estimation.training import SGD, Adam
from nnecon.models.regression import NeuralRegression
from nnecon.models.storage import load
from nnecon.version import __version__

__all__ = [
    "SGD",
    "Adam",
    "NeuralRegression",
    "__version__",
    "baselines",
    "datasets",
    "exceptions",
    "load",
    "read_table",
]
