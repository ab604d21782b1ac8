"""Neural networks for economists, as statsmodels gives them regressions."""

from nnecon import baselines
from nnecon.data import datasets
from nnecon.models.regression import NeuralRegression

__version__ = "0.1.0"

__all__ = ["NeuralRegression", "baselines", "datasets"]
