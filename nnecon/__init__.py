"""Neural networks for economists, as statsmodels gives them regressions.

Every estimator contains its classical model, and the penalty shrinks to it: at ``alpha=inf``
:class:`NeuralRegression` is OLS. ``fit`` returns results with partial effects, standard errors, a
regularisation path, cross-validation and a comparison with the classical model.
"""

import importlib
from typing import TYPE_CHECKING

from nnecon import accuracy, baselines, datasets, diagnostic, exceptions
from nnecon.backtesting import backtest
from nnecon.data.files import read_table
from nnecon.data.stream import Stream
from nnecon.estimation.splitters import BlockedFolds, ExpandingFolds, StratifiedFolds
from nnecon.estimation.training import SGD, Adam
from nnecon.models.conditional_factors import ConditionalAutoencoder
from nnecon.models.factor_forecaster import FactorForecaster
from nnecon.models.factor_nowcaster import FactorNowcaster
from nnecon.models.factors import AutoencoderFactor
from nnecon.models.forecasters import (
    AttentionForecaster,
    ConvForecaster,
    LSTMForecaster,
    NeuralAR,
)
from nnecon.models.nested import nested_cv
from nnecon.models.regression import NeuralRegression
from nnecon.models.state_space import RNNStateSpace
from nnecon.models.storage import load
from nnecon.results.side_by_side import summary_col
from nnecon.version import __version__

if TYPE_CHECKING:
    from nnecon import learners as learners

__all__ = [
    "SGD",
    "Adam",
    "AttentionForecaster",
    "AutoencoderFactor",
    "BlockedFolds",
    "ConditionalAutoencoder",
    "ConvForecaster",
    "ExpandingFolds",
    "FactorForecaster",
    "FactorNowcaster",
    "LSTMForecaster",
    "NeuralAR",
    "NeuralRegression",
    "RNNStateSpace",
    "StratifiedFolds",
    "Stream",
    "__version__",
    "accuracy",
    "backtest",
    "baselines",
    "datasets",
    "diagnostic",
    "exceptions",
    "load",
    "nested_cv",
    "read_table",
    "summary_col",
]


if not TYPE_CHECKING:

    def __getattr__(name):
        """Load ``nnecon.learners``, and with it scikit-learn, when it is asked for."""
        if name == "learners":
            return importlib.import_module("nnecon.learners")
        raise AttributeError(f"module 'nnecon' has no attribute {name!r}")
