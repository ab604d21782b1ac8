"""Estimators by formula under lower-case names, as in ``statsmodels.formula.api``.

Examples
--------
>>> import nnecon.formula.api as nnf
>>> import nnecon as ne
>>> nnf.neural_regression("growth ~ lag(growth, 1)", ne.datasets.load_macro(), hidden=()).fit().nobs
201.0
"""

from nnecon.models.regression import NeuralRegression
from nnecon.models.state_space import RNNStateSpace

neural_regression = NeuralRegression.from_formula
rnn_state_space = RNNStateSpace.from_formula

__all__ = ["neural_regression", "rnn_state_space"]
